// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

/// Ranges between real clients and real origins (RFC 9110 §14).
@Suite(.timeLimit(.minutes(20)))
struct RangeServeTests {
  static let hasCurl = findProgram("curl") != nil
  /// Three slices and a bit of the default size.
  private let content = (0..<320_000).map { "line \($0)\n" }.joined()

  private func curl(_ arguments: String...) throws -> Finished {
    RunningAtoll(["-sS"] + arguments, program: try #require(findProgram("curl"))).wait()
  }

  /// Bytes of the content.
  private func part(_ range: Range<Int>) -> String {
    String(decoding: Array(content.utf8)[range], as: UTF8.self)
  }

  @Test(.enabled(if: RealOrigin.hasNginx && hasCurl), arguments: [true, false])
  func `curl gets ranges of files that nginx serves`(isCached: Bool) throws {
    let origin = try RealOrigin.nginx("expires 1h;")
    origin.site.write("film.txt", content)
    let edge = try RunningEdge([origin.url])
    let url = edge.url + "/film.txt"
    if isCached { #expect(try curl(url).stdout == content) }
    #expect(try curl("-r", "0-99", url).stdout == part(0..<100))
    #expect(try curl("-r", "1048570-1048590", url).stdout == part(1_048_570..<1_048_591))
    #expect(try curl("-r", "-50", url).stdout == String(content.suffix(50)))
    #expect(try curl("-r", "2000000-", url).stdout == part(2_000_000..<content.utf8.count))
    #expect(
      try curl("-o", "/dev/null", "-w", "%{http_code}", "-r", "99999999-", url).stdout == "416")
    let several = try curl("-i", "-r", "10-19,2000000-2000009", url).stdout
    #expect(several.contains("multipart/byteranges; boundary="))
    #expect(several.contains("\r\n\r\n" + part(10..<20) + "\r\n--"))
    #expect(several.contains("\r\n\r\n" + part(2_000_000..<2_000_010) + "\r\n--"))
    #expect(edge.verdict("/film.txt", headers: ["Range: bytes=5-9"]).contains("hit"))
    #expect(try curl(url).stdout == content)
  }

  @Test(.enabled(if: RealOrigin.hasNginx && hasCurl))
  func `curl resumes a download, and notices when the file has changed`() throws {
    let origin = try RealOrigin.nginx("expires 1h;")
    origin.site.write("film.txt", content)
    let edge = try RunningEdge([origin.url])
    let place = TemporaryDirectory()
    let url = edge.url + "/film.txt"
    place.write("half.txt", part(0..<1_500_000))
    #expect(try curl("-C", "-", "-o", place.file("half.txt"), url).exitCode == 0)
    #expect(place.read("half.txt") == content)
    let tag = try curl("-o", "/dev/null", "-w", "%header{etag}", "-r", "0-0", url).stdout
    let resumed = try curl("-i", "-r", "5-9", "-H", "If-Range: \(tag)", url).stdout
    #expect(resumed.hasPrefix("HTTP/1.1 206"))
    let changed = try curl(
      "-o", "/dev/null", "-w", "%{http_code} %{size_download}", "-r", "5-9", "-H",
      "If-Range: \"other\"", url
    ).stdout
    #expect(changed == "200 \(content.utf8.count)")
  }

  @Test(.enabled(if: RealOrigin.hasPython && hasCurl))
  func `an origin that knows no ranges is asked once, and ranges come of its file`() throws {
    let origin = try RealOrigin.python()
    origin.site.write("film.txt", content)
    let edge = try RunningEdge([origin.url, "--default-ttl", "1h"])
    let url = edge.url + "/film.txt"
    #expect(try curl("-r", "1048570-1048590", url).stdout == part(1_048_570..<1_048_591))
    #expect(try curl("-r", "-50", url).stdout == String(content.suffix(50)))
    #expect(try curl(url).stdout == content)
    try wait(for: "python3 to log") { origin.log.contains("film.txt") }
    #expect(origin.log.split(separator: "\n").filter { $0.contains("film.txt") }.count == 1)
  }
}
