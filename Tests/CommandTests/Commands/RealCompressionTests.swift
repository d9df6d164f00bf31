// SPDX-License-Identifier: Apache-2.0
import Glibc
import TestSupport
import Testing

/// Compression between a real origin and a real client: nginx and `curl --compressed`.
@Suite(.enabled(if: RealOrigin.hasNginx && findProgram("curl") != nil), .timeLimit(.minutes(20)))
struct RealCompressionTests {
  private static let page =
    (0..<900).map { "<p class=\"item\">number \($0) of many</p>\n" }.joined()

  /// An edge whose one distribution compresses, set up as an administrator does.
  private func makeEdge(_ origin: RealOrigin) throws -> RunningEdge {
    let edge = try RunningEdge(["--default-distribution", "site"])
    #expect(edge.atoll("create", "site", "--origin", origin.url).exitCode == 0)
    let shown = edge.atoll("show", "site", "--json").stdout
    let marker = "\"forwardedQueryStrings\": \"all\""
    let parts = shown.split(separator: marker)
    try #require(parts.count == 2)
    let compression = "\"compression\": {\"codings\": [\"gzip\", \"br\"]}"
    edge.home.write("site.json", "\(parts[0])\(marker), \(compression)\(parts[1])")
    let applied = edge.atoll("apply", edge.home.file("site.json"))
    #expect(applied.exitCode == 0, "\(applied.stderr)")
    return edge
  }

  private struct Answer {
    var status: Int
    var head: String
    var body: String

    subscript(_ name: String) -> String? {
      for line in head.split(separator: "\r\n") {
        let parts = line.split(separator: ":", maxSplits: 1)
        if parts.count == 2, parts[0].lowercased() == name {
          return String(parts[1].drop { $0 == " " })
        }
      }
      return nil
    }
  }

  /// What curl makes of it: it decodes what it has asked for, and fails where it cannot.
  private func curl(_ arguments: String...) throws -> Answer {
    let directory = TemporaryDirectory()
    let result = RunningAtoll(
      ["-sS", "--max-time", "20", "-D", directory.path + "/head"] + arguments,
      program: try #require(findProgram("curl"))
    ).wait()
    #expect(result.exitCode == 0, "\(result.stderr)")
    let head = directory.read("head") ?? ""
    let status = head.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    return Answer(status: status, head: head, body: result.stdout)
  }

  /// Asks again until the answer comes in this coding.
  private func curl(until coding: String, _ arguments: [String]) throws -> Answer {
    var answer = Answer(status: 0, head: "", body: "")
    for _ in 0..<200 {
      switch arguments.count {
      case 2: answer = try curl(arguments[0], arguments[1])
      default: answer = try curl(arguments[0], arguments[1], arguments[2])
      }
      if answer["content-encoding"] == coding { return answer }
      usleep(20_000)
    }
    return answer
  }

  @Test func `what nginx sends plain, curl gets compressed`() throws {
    let origin = try RealOrigin.nginx("gzip off; types { text/html html; } expires 1h;")
    origin.site.write("page.html", Self.page)
    let edge = try makeEdge(origin)
    let url = edge.url + "/page.html"
    let first = try curl("--compressed", url)
    #expect(first.body == Self.page && first["content-encoding"] == nil)
    let etag = try #require(first["etag"])
    #expect(etag.hasPrefix("\""))
    let second = try curl(until: "br", ["--compressed", url])
    #expect(second["content-encoding"] == "br")
    #expect(second.body == Self.page)
    #expect(second["etag"] == "W/" + etag)
    #expect(second["vary"] == "Accept-Encoding")
    let length = try #require(second["content-length"].flatMap { Int($0) })
    #expect(length < Self.page.utf8.count / 4)
    let gzip = try curl(until: "gzip", ["-H", "Accept-Encoding: gzip", url])
    #expect(gzip["content-encoding"] == "gzip" && gzip["vary"] == "Accept-Encoding")
    // A client without --compressed, and parts of the page.
    let plain = try curl(url)
    #expect(plain.body == Self.page && plain["etag"] == etag)
    let range = try curl("--compressed", "-r", "3-12", url)
    #expect(range.status == 206 && range["content-encoding"] == nil)
    #expect(range.body == String(Self.page.dropFirst(3).prefix(10)))
    // What it has stored of either form is still good.
    for tag in [etag, "W/" + etag] {
      let condition = "If-None-Match: \(tag)"
      #expect(try curl("--compressed", "-H", condition, url).status == 304)
      #expect(try curl("-H", condition, url).status == 304)
    }
    // What nginx confirms keeps its form.
    #expect(edge.atoll("purge", "site", "/page.html", "--soft").exitCode == 0)
    let confirmed = try curl("--compressed", url)
    #expect(confirmed["x-cache"] == "RefreshHit from atoll")
    #expect(confirmed["content-encoding"] == "br" && confirmed.body == Self.page)
    let metrics = edge.atoll("metrics", "--json").stdout
    #expect(metrics.contains("\"compressions\": 2,"), "\(metrics.prefix(600))")
  }

  @Test func `what nginx compresses itself is passed on`() throws {
    let origin = try RealOrigin.nginx(
      """
      gzip on; gzip_proxied any; gzip_vary on; gzip_min_length 100; types { text/html html; }
      expires 1h;
      """)
    origin.site.write("page.html", Self.page)
    let edge = try makeEdge(origin)
    let url = edge.url + "/page.html"
    for round in 0..<3 {
      let answer = try curl("--compressed", url)
      #expect(answer["content-encoding"] == "gzip" && answer.body == Self.page)
      #expect(answer["x-cache"] == (round == 0 ? "Miss from atoll" : "Hit from atoll"))
    }
    // nginx knows no Brotli: who takes nothing else gets the edge's.
    let brotli = try curl(until: "br", ["-H", "Accept-Encoding: br", url])
    #expect(brotli["content-encoding"] == "br")
    #expect(brotli["vary"] == "Accept-Encoding")
    let plain = try curl(url)
    #expect(plain.body == Self.page && plain["content-encoding"] == nil)
  }
}
