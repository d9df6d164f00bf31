// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc
import Testing

@testable import AtollEdge

/// An edge that compresses, before an origin of one page.
private struct Site {
  let origin: ScriptedOrigin
  let edge: EdgeUnderTest

  static let page = markup(20_000)

  /// - Parameters:
  ///   - fields: of every response; Content-Length comes by itself.
  ///   - answer: in place of the page, as status line and body.
  init(
    _ fields: [String] = ["Content-Type: text/html"], status: String = "200 OK",
    body: [UInt8] = page, codings: CodingSet = [.gzip, .brotli],
    _ change: (inout Distribution) -> Void = { _ in },
    options: (inout EdgeOptions) -> Void = { _ in }
  ) throws {
    try self.init(codings: codings, change, options: options) { exchange in
      try Site.answer(exchange, status, ["Cache-Control: max-age=600"] + fields, body)
    }
  }

  init(
    codings: CodingSet = [.gzip, .brotli], _ change: (inout Distribution) -> Void = { _ in },
    options: (inout EdgeOptions) -> Void = { _ in },
    _ handler: @escaping @Sendable (OriginExchange) throws -> Void
  ) throws {
    origin = try ScriptedOrigin(handler)
    edge = try EdgeUnderTest(
      origin,
      {
        $0.settings.compression = CompressionSettings(codings: codings)
        change(&$0)
      }, options: options)
  }

  static func answer(
    _ exchange: OriginExchange, _ status: String, _ fields: [String], _ body: [UInt8]
  ) throws {
    let head = ["HTTP/1.1 \(status)"] + fields + ["Content-Length: \(body.count)"]
    try exchange.send(head.joined(separator: "\r\n") + "\r\n\r\n")
    if exchange.request.method != "HEAD" { try exchange.send(body) }
  }

  var counts: Compressor.Counts { edge.edge.compressor.counts }

  /// Whether so many forms had been made in time.
  func waitFor(made count: UInt64) -> Bool { eventually { counts.made >= count } }

  /// Asks until the form is there.
  func fill(_ target: String = "/", _ fields: [String] = [brotli]) throws {
    let made = counts.made
    _ = try edge.viewer().request("GET", target, fields)
    #expect(waitFor(made: made + 1))
  }
}

private let brotli = "Accept-Encoding: gzip, deflate, br, zstd"
private let gzip = "Accept-Encoding: gzip, deflate"

extension ViewerResponse {
  /// The body without its coding; nil when it is no whole stream of it.
  fileprivate var plain: [UInt8]? {
    switch self["content-encoding"] {
    case nil: body.bytes
    case "gzip": decoded(body.bytes, .gzip)
    case "br": decoded(body.bytes, .brotli)
    default: nil
    }
  }
}

/// Compression at the edge: CloudFront reference §7, §8; RFC 9110 §8.4, §12.5.3, §7.7, §8.8.3.3.
@Suite(.timeLimit(.minutes(20)))
struct CompressionTests {
  @Test func `the origin is asked once, and every viewer gets the form it takes`() throws {
    let site = try Site([
      "Content-Type: text/html; charset=utf-8", "ETag: \"v1\"", "Accept-Ranges: bytes",
      "Content-MD5: abc", "Vary: Origin",
    ])
    let first = try site.edge.get("/", brotli)
    #expect(first.body.bytes == Site.page)
    #expect(first["content-encoding"] == nil)
    #expect(first.list("vary") == ["Origin", "Accept-Encoding"])
    #expect(site.waitFor(made: 1))

    let second = try site.edge.get("/", brotli)
    #expect(second.isHit)
    #expect(second["content-encoding"] == "br")
    #expect(second.plain == Site.page)
    #expect(second["content-length"] == "\(second.body.count)")
    #expect(second.body.count < Site.page.count / 4)
    #expect(second["etag"] == "W/\"v1\"")
    #expect(second.list("vary") == ["Origin", "Accept-Encoding"])
    #expect(second["accept-ranges"] == nil && second["content-md5"] == nil)
    #expect(second["age"] != nil && second["content-type"] == "text/html; charset=utf-8")

    // Nobody has asked for gzip yet: the source answers, and is compressed once more.
    #expect(try site.edge.get("/", gzip)["content-encoding"] == nil)
    #expect(site.waitFor(made: 2))
    let third = try site.edge.get("/", gzip)
    #expect(third["content-encoding"] == "gzip")
    #expect(third.plain == Site.page)

    for fields in [[], ["Accept-Encoding: identity"], ["Accept-Encoding: gzip;q=0, br;q=0"]] {
      let plain = try site.edge.viewer().request("GET", "/", fields)
      #expect(plain.isHit && plain.body.bytes == Site.page)
      #expect(plain["content-encoding"] == nil && plain["etag"] == "\"v1\"")
      #expect(plain["accept-ranges"] == "bytes" && plain["content-md5"] == "abc")
      #expect(plain.list("vary") == ["Origin", "Accept-Encoding"])
    }
    #expect(site.origin.requestCount == 1)
    #expect(site.counts == Compressor.Counts(made: 2))
  }

  @Test func `HEAD is answered as GET would be`() throws {
    let site = try Site(["Content-Type: text/html", "ETag: \"v1\""])
    try site.fill()
    let get = try site.edge.get("/", brotli)
    let head = try site.edge.viewer().request("HEAD", "/", [brotli])
    #expect(head.isHit && head.body.count == 0)
    for name in ["content-encoding", "content-length", "etag", "vary", "content-type"] {
      #expect(head[name] != nil && head[name] == get[name], "\(name)")
    }
    // HEAD fills the cache as GET does, and has the form made.
    _ = try site.edge.viewer().request("HEAD", "/other", [gzip])
    #expect(site.waitFor(made: 2))
    #expect(try site.edge.get("/other", gzip)["content-encoding"] == "gzip")
  }

  @Test func `HTTP 1_0 gets the plain bytes`() throws {
    let site = try Site()
    try site.fill()
    let viewer = try site.edge.viewer()
    try viewer.send("GET / HTTP/1.0\r\nHost: test.example\r\n\(brotli)\r\n\r\n")
    let response = try viewer.readResponse()
    #expect(response.isHit && response["content-encoding"] == nil)
    #expect(response.body.bytes == Site.page)
  }

  @Test func `a body without Content-Length is compressed by its stored length`() throws {
    let page = String(decoding: Site.page, as: UTF8.self)
    let site = try Site { exchange in
      try exchange.sendHead(
        "200 OK", "Content-Type: text/html", "Cache-Control: max-age=600",
        "Transfer-Encoding: chunked")
      try exchange.send(
        exchange.request.target == "/short" ? chunked("short") : chunked(page, page))
    }
    try site.fill("/long")
    let response = try site.edge.get("/long", brotli)
    #expect(response["content-encoding"] == "br")
    #expect(response.plain == Site.page + Site.page)
    _ = try site.edge.get("/short", brotli)
    let short = try site.edge.get("/short", brotli)
    #expect(short.isHit && short["content-encoding"] == nil && short.text == "short")
    #expect(site.counts == Compressor.Counts(made: 1))
  }

  struct Plain: Sendable, CustomTestStringConvertible {
    var name: String
    var status = "200 OK"
    var fields = ["Content-Type: text/html"]
    var body = Site.page
    var codings: CodingSet = [.gzip, .brotli]
    var varies = false
    var testDescription: String { name }
  }

  @Test(arguments: [
    Plain(name: "no compression", codings: []),
    Plain(name: "only gzip where the viewer takes Brotli", codings: .gzip, varies: true),
    Plain(name: "status 410", status: "410 Gone"),
    Plain(name: "an image", fields: ["Content-Type: image/png"]),
    Plain(name: "no type", fields: []),
    Plain(name: "too small", body: markup(999)),
    Plain(
      name: "no-transform", fields: ["Content-Type: text/html", "Cache-Control: no-transform"]),
    Plain(
      name: "no-transform for caches",
      fields: ["Content-Type: text/html", "CDN-Cache-Control: max-age=600, no-transform"]),
  ])
  func `what does not fit stays plain, and is not tried`(_ plain: Plain) throws {
    let site = try Site(
      plain.fields, status: plain.status, body: plain.body, codings: plain.codings)
    let accepts = plain.codings == .gzip ? "Accept-Encoding: br" : brotli
    for round in 0..<3 {
      let response = try site.edge.get("/", accepts)
      #expect(response.isHit == (round > 0))
      #expect(response["content-encoding"] == nil)
      #expect(response.body.bytes == plain.body)
      #expect((response["vary"] != nil) == plain.varies)
    }
    #expect(site.counts == Compressor.Counts())
  }

  @Test(arguments: ["403 Forbidden", "404 Not Found"])
  func `errors of CloudFront's list are compressed`(_ status: String) throws {
    let site = try Site(status: status)
    try site.fill()
    let response = try site.edge.get("/", brotli)
    #expect("\(response.status)" == status.prefix(3))
    #expect(response.isHit && response["content-encoding"] == "br" && response.plain == Site.page)
  }

  @Test func `an origin's own encoding is kept, and Vary selects`() throws {
    let site = try Site { exchange in
      let accepted = exchange.request.head.list("accept-encoding")
      var fields = [
        "Content-Type: text/html", "Cache-Control: max-age=600", "Vary: Accept-Encoding",
      ]
      if accepted.contains("gzip") { fields.append("Content-Encoding: gzip") }
      try Site.answer(
        exchange, "200 OK", fields, accepted.contains("gzip") ? Array("zipped".utf8) : Site.page)
    }
    for _ in 0..<3 {
      let response = try site.edge.get("/", gzip)
      #expect(response["content-encoding"] == "gzip" && response.text == "zipped")
    }
    // What the origin leaves plain is compressed for those who were given it.
    try site.fill("/", ["Accept-Encoding: br"])
    #expect(try site.edge.get("/", "Accept-Encoding: br")["content-encoding"] == "br")
    #expect(try site.edge.get("/", gzip).text == "zipped")
    #expect(site.origin.requestCount == 2)
    #expect(site.counts == Compressor.Counts(made: 1))
  }

  // MARK: Conditions and ranges

  struct Condition: Sendable, CustomTestStringConvertible {
    var fields: [String]
    var status: Int
    /// Of the body, when there is one.
    var coding: String?
    var testDescription: String { fields.joined(separator: ", ") }
  }

  @Test(arguments: [
    // RFC 9110 §13.1.2: weak comparison, whichever form the viewer has and takes.
    Condition(fields: [brotli, "If-None-Match: W/\"v1\""], status: 304),
    Condition(fields: [brotli, "If-None-Match: \"v1\""], status: 304),
    Condition(fields: ["If-None-Match: W/\"v1\""], status: 304),
    Condition(fields: ["If-None-Match: \"v1\""], status: 304),
    Condition(fields: [brotli, "If-None-Match: W/\"v0\""], status: 200, coding: "br"),
    Condition(fields: [brotli, "If-None-Match: *"], status: 304),
    // §13.1.1: strong comparison, which the plain bytes alone can stand.
    Condition(fields: [brotli, "If-Match: \"v1\""], status: 200),
    // Ranges are of the plain bytes.
    Condition(fields: [brotli, "Range: bytes=0-9"], status: 206),
    Condition(fields: [brotli, "Range: bytes=0-9", "If-Range: \"v1\""], status: 206),
    // §13.1.5: a weak tag never matches.
    Condition(fields: [brotli, "Range: bytes=0-9", "If-Range: W/\"v1\""], status: 200),
    Condition(fields: [brotli, "Range: bytes=90000-"], status: 416),
  ])
  func `conditions and ranges know both forms`(_ condition: Condition) throws {
    let site = try Site(["Content-Type: text/html", "ETag: \"v1\""])
    try site.fill()
    let response = try site.edge.viewer().request("GET", "/", condition.fields)
    #expect(response.status == condition.status)
    #expect(response["content-encoding"] == condition.coding)
    switch condition.status {
    case 200: #expect(response.plain == Site.page)
    case 206: #expect(response.body.bytes == Array(Site.page.prefix(10)))
    case 304: #expect(response.list("vary") == ["Accept-Encoding"])
    default: break
    }
    #expect(site.origin.requestCount == 1)
  }

  @Test func `what a range request brought whole is compressed for others`() throws {
    let site = try Site { exchange in
      var fields = ["Content-Type: text/html", "Cache-Control: max-age=600", "ETag: \"v1\""]
      let isPart = exchange.request["range"] != nil
      if isPart {
        fields.append("Content-Range: bytes 0-\(Site.page.count - 1)/\(Site.page.count)")
      }
      try Site.answer(exchange, isPart ? "206 Partial Content" : "200 OK", fields, Site.page)
    }
    let part = try site.edge.get("/", brotli, "Range: bytes=0-9")
    #expect(part.status == 206 && part.body.bytes == Array(Site.page.prefix(10)))
    try site.fill()
    let form = try site.edge.get("/", brotli)
    #expect(form["content-encoding"] == "br" && form.plain == Site.page)
    let again = try site.edge.get("/", brotli, "Range: bytes=10-19")
    #expect(again.isHit && again.body.bytes == Array(Site.page[10..<20]))
    #expect(site.origin.requestCount == 1)
  }

  // MARK: Changes

  @Test(arguments: [PurgeSelector.path("/"), .prefix("/"), .tag("t"), .all])
  func `a purge takes the forms along`(_ selector: PurgeSelector) throws {
    let site = try Site { exchange in
      try Site.answer(
        exchange, "200 OK",
        ["Content-Type: text/html", "Cache-Control: max-age=600", "Cache-Tag: t"],
        markup(20_000, seed: UInt64(exchange.request.number)))
    }
    try site.fill()
    try site.fill("/", [gzip])
    site.edge.purge(selector)
    let next = try site.edge.get("/", brotli)
    #expect(!next.isHit && next.plain == markup(20_000, seed: 2))
    #expect(try site.edge.get("/", gzip).plain == markup(20_000, seed: 2))
    #expect(site.waitFor(made: 4))
    for accepts in [brotli, gzip] {
      let response = try site.edge.get("/", accepts)
      #expect(response["content-encoding"] != nil)
      #expect(response.plain == markup(20_000, seed: 2))
    }
    #expect(site.origin.requestCount == 2)
  }

  @Test func `an unsafe method invalidates the forms, too`() throws {
    let site = try Site { exchange in
      try Site.answer(
        exchange, "200 OK", ["Content-Type: text/html", "Cache-Control: max-age=600"],
        markup(20_000, seed: UInt64(exchange.request.number)))
    }
    try site.fill()
    _ = try site.edge.viewer().request("POST", "/", body: "x")
    #expect(try site.edge.get("/", brotli).plain == markup(20_000, seed: 3))
  }

  /// RFC 9111 §4.3.4; a form is as old as its source.
  @Test func `a confirmed entry keeps its forms under the new head`() throws {
    let site = try Site { exchange in
      let fields = [
        "Content-Type: text/html", "Cache-Control: max-age=600", "ETag: \"v1\"",
        "X-Number: \(exchange.request.number)", "Vary: Origin",
      ]
      if exchange.request["if-none-match"] == "\"v1\"" {
        try exchange.send(
          (["HTTP/1.1 304 Not Modified"] + fields).joined(separator: "\r\n")
            + "\r\n\r\n")
      } else {
        try Site.answer(exchange, "200 OK", fields, Site.page)
      }
    }
    try site.fill()
    try site.fill("/", [gzip])
    for (number, accepts) in [(2, brotli), (3, gzip), (4, "Accept-Encoding: identity")] {
      site.edge.purge(.path("/"), soft: true)
      let confirmed = try site.edge.get("/", accepts)
      #expect(confirmed["x-cache"] == "RefreshHit from atoll")
      #expect(confirmed["x-number"] == "\(number)")
      #expect(confirmed.plain == Site.page)
      #expect((confirmed["content-encoding"] == nil) == accepts.hasSuffix("identity"))
      for (coding, field) in [("br", brotli), ("gzip", gzip)] {
        let hit = try site.edge.get("/", field)
        #expect(hit.isHit && hit["content-encoding"] == coding && hit.plain == Site.page)
        #expect(hit["x-number"] == "\(number)")
        #expect(hit["etag"] == "W/\"v1\"")
        #expect(hit.list("vary") == ["Origin", "Accept-Encoding"])
      }
      #expect(try site.edge.get("/").list("vary") == ["Origin", "Accept-Encoding"])
    }
    #expect(site.origin.requestCount == 4)
    // The bytes are as good as before: nothing was compressed again.
    #expect(site.counts == Compressor.Counts(made: 2))
  }

  @Test func `a 304 with no-transform ends compression`() throws {
    let site = try Site { exchange in
      let fields = ["Content-Type: text/html", "ETag: \"v1\""]
      if exchange.request["if-none-match"] != nil {
        try exchange.send(
          (["HTTP/1.1 304 Not Modified", "Cache-Control: max-age=600, no-transform"] + fields)
            .joined(separator: "\r\n") + "\r\n\r\n")
      } else {
        try Site.answer(exchange, "200 OK", ["Cache-Control: max-age=600"] + fields, Site.page)
      }
    }
    try site.fill()
    site.edge.purge(.path("/"), soft: true)
    for _ in 0..<2 {
      let response = try site.edge.get("/", brotli)
      #expect(response["content-encoding"] == nil && response.body.bytes == Site.page)
    }
    #expect(site.counts == Compressor.Counts(made: 1))
  }

  @Test func `a changed resource has forms of its own`() throws {
    let site = try Site { exchange in
      try Site.answer(
        exchange, "200 OK",
        [
          "Content-Type: text/html", "Cache-Control: max-age=600",
          "ETag: \"\(exchange.request.number)\"",
        ], markup(20_000, seed: UInt64(exchange.request.number)))
    }
    try site.fill()
    site.edge.purge(.path("/"), soft: true)
    try site.fill()
    let response = try site.edge.get("/", brotli)
    #expect(response["content-encoding"] == "br" && response["etag"] == "W/\"2\"")
    #expect(response.plain == markup(20_000, seed: 2))
  }

  // MARK: Stale answers

  private static func aging(_ extra: String) throws -> Site {
    try Site { exchange in
      guard exchange.request.number == 1 else {
        return try Site.answer(exchange, "503 Service Unavailable", [], [])
      }
      try Site.answer(
        exchange, "200 OK",
        ["Content-Type: text/html", "Cache-Control: max-age=600\(extra)", "Age: 598"], Site.page)
    }
  }

  /// RFC 5861 §3 and §4.
  @Test(arguments: [", stale-while-revalidate=600", ", stale-if-error=600"])
  func `a form is served stale where its source may be`(_ directive: String) throws {
    let site = try Self.aging(directive)
    try site.fill()
    let expired = EdgeUnderTest.now() + 3
    while EdgeUnderTest.now() < expired { usleep(20_000) }
    let response = try site.edge.get("/", brotli)
    #expect(response["content-encoding"] == "br" && response.plain == Site.page)
    #expect(site.origin.waitFor(requests: 2))
    #expect(response["cache-status"]?.contains("detail=") == true)
  }

  /// Takes the source out as eviction does.
  private func evictSource(_ site: Site) throws {
    let cache = site.edge.edge.cache
    let before = cache.entryCount
    cache.evictSources()
    #expect(cache.entryCount == before - 1)
  }

  @Test func `a form whose source was evicted is confirmed by itself`() throws {
    let site = try Site { exchange in
      let fields = [
        "Content-Type: text/html", "Cache-Control: max-age=600", "ETag: \"v1\"",
        "X-Number: \(exchange.request.number)",
      ]
      if exchange.request["if-none-match"] == "\"v1\"" {
        // The second time without the tag, which the edge then has to remember.
        let kept = exchange.request.number == 2 ? Array(fields.dropLast(2)) : fields
        try exchange.send(
          (["HTTP/1.1 304 Not Modified"] + kept).joined(separator: "\r\n") + "\r\n\r\n")
      } else {
        try Site.answer(exchange, "200 OK", fields, Site.page)
      }
    }
    try site.fill()
    try evictSource(site)
    #expect(try site.edge.get("/", brotli).isHit)
    for number in 2...3 {
      site.edge.purge(.path("/"), soft: true)
      let response = try site.edge.get("/", brotli)
      #expect(response["x-cache"] == "RefreshHit from atoll")
      #expect(response["content-encoding"] == "br" && response.plain == Site.page)
      #expect(response["etag"] == "W/\"v1\"")
      // The tag as the origin wrote it: not every origin compares weakly.
      #expect(try #require(site.origin.requests.last)["if-none-match"] == "\"v1\"")
      #expect(try site.edge.get("/", brotli).isHit)
      #expect(site.origin.requestCount == number)
    }
    // Others need the whole.
    let plain = try site.edge.get("/")
    #expect(!plain.isHit && plain.body.bytes == Site.page)
    #expect(site.origin.requestCount == 4)
  }

  @Test func `a form whose source was evicted stands in for a failing origin`() throws {
    let site = try Self.aging("")
    try site.fill()
    try evictSource(site)
    let expired = EdgeUnderTest.now() + 3
    while EdgeUnderTest.now() < expired { usleep(20_000) }
    let response = try site.edge.get("/", brotli)
    #expect(response.status == 200 && response.plain == Site.page)
    #expect(response["content-encoding"] == "br")
    #expect(try site.edge.get("/", gzip).status == 503)
  }

  @Test func `who waits for a confirmation gets only a form that it takes`() throws {
    let go = Event()
    let site = try Site { exchange in
      let fields = ["Content-Type: text/html", "Cache-Control: max-age=600", "ETag: \"v1\""]
      if exchange.request["if-none-match"] != nil {
        go.wait()
        try exchange.send(
          (["HTTP/1.1 304 Not Modified"] + fields).joined(separator: "\r\n") + "\r\n\r\n")
      } else {
        try Site.answer(exchange, "200 OK", fields, Site.page)
      }
    }
    try site.fill()
    try evictSource(site)
    site.edge.purge(.path("/"), soft: true)
    let leader = try site.edge.viewer()
    try leader.send(ScriptedViewer.head("GET", "/", [brotli]))
    #expect(site.origin.waitFor(requests: 2))
    let followers = try [[brotli], [], [gzip]].map { fields in
      let viewer = try site.edge.viewer()
      try viewer.send(ScriptedViewer.head("GET", "/", fields))
      return viewer
    }
    usleep(100_000)
    go.fire()
    #expect(try leader.readResponse()["content-encoding"] == "br")
    #expect(try followers[0].readResponse()["content-encoding"] == "br")
    for follower in followers[1...] {
      let response = try follower.readResponse()
      #expect(response["content-encoding"] == nil && response.body.bytes == Site.page)
    }
  }

  // MARK: Variants

  @Test func `variants are compressed each for itself`() throws {
    let site = try Site { exchange in
      let language = exchange.request["accept-language"] ?? ""
      try Site.answer(
        exchange, "200 OK",
        ["Content-Type: text/html", "Cache-Control: max-age=600", "Vary: Accept-Language"],
        markup(20_000, seed: language == "de" ? 7 : 8))
    }
    try site.fill("/", [brotli, "Accept-Language: de"])
    try site.fill("/", [brotli, "Accept-Language: en"])
    for (language, seed) in [("de", 7), ("en", 8), ("de", 7)] {
      let response = try site.edge.get("/", brotli, "Accept-Language: \(language)")
      #expect(response["content-encoding"] == "br")
      #expect(response.plain == markup(20_000, seed: UInt64(seed)))
    }
    #expect(site.origin.requestCount == 2)
  }
}

extension ViewerResponse {
  fileprivate func list(_ name: String) -> [String] { head.list(name) }
}
