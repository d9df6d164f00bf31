// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Glibc
import TestSupport
import Testing

/// Custom error responses (CloudFront §20) through the running edge.
@Suite(.timeLimit(.minutes(20)))
struct ErrorPageTests {
  /// An origin for error pages, which live for a minute and count their requests.
  static func pages() throws -> ScriptedOrigin {
    try ScriptedOrigin {
      let target = $0.request.target
      if target.hasSuffix("missing.html") {
        return try $0.respond("404 Not Found", "X-Pages: 1", body: "no page")
      }
      try $0.respond(
        "200 Fine", "Content-Type: text/html", "Cache-Control: max-age=60", "ETag: \"page\"",
        "Last-Modified: \(RevalidationTests.modified)",
        body: "page \(target) \($0.request.number)")
    }
  }

  /// What is below /errors/ comes from `pages`, the rest from `origin`.
  static func edge(
    _ origin: UInt16, _ pages: UInt16, _ responses: [ErrorResponse],
    remembering seconds: Int? = nil, log: String? = nil,
    _ change: (inout Distribution) -> Void = { _ in }
  ) throws -> EdgeUnderTest {
    try EdgeUnderTest(
      originPort: origin,
      {
        $0.origin.responseTimeout = 1
        $0.origins = [
          NamedOrigin(name: "pages", origin: Origin(scheme: .http, host: "127.0.0.1", port: pages))
        ]
        $0.origins[0].origin.connectAttempts = 1
        var behavior = PathBehavior(path: "/errors/*", caching: .cache)
        behavior.overrides.origin = "pages"
        $0.behaviors = [behavior]
        $0.errors = ErrorSettings(minimumTTL: seconds, responses: responses)
        change(&$0)
      },
      options: {
        if let log {
          $0.log(to: log)
        }
      })
  }

  static func failing(_ status: String = "404 Not Found", _ fields: String...) throws
    -> ScriptedOrigin
  {
    let fields = fields
    return try ScriptedOrigin { exchange in
      _ = try exchange.readBody()
      let lines = ["HTTP/1.1 \(status)"] + fields + ["Content-Length: 5", "Connection: close"]
      let head = lines.joined(separator: "\r\n") + "\r\n\r\n"
      try exchange.send(exchange.request.method == "HEAD" ? head : head + "plain")
      exchange.close()
    }
  }

  private static func page(_ status: Int, as replaced: Int? = nil, _ path: String? = nil)
    -> ErrorResponse
  {
    ErrorResponse(
      status: status, page: .path(path ?? "/errors/\(status).html"), responseStatus: replaced)
  }

  static let statuses = [400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504]

  @Test(arguments: statuses, [nil, 10])
  func `the origin's error has a page of another origin, for every status`(
    status: Int, remembering seconds: Int?
  ) throws {
    let origin = try Self.failing("\(status) Whatever")
    let pages = try Self.pages()
    let edge = try Self.edge(
      origin.port, pages.port, [Self.page(status)], remembering: seconds)
    for number in 1...3 {
      let response = try edge.get("/\(number)")
      #expect(response.status == status)
      #expect(response.text == "page /errors/\(status).html 1")
      #expect(response["content-type"] == "text/html")
      #expect(response["x-cache"] == "Error from atoll")
      #expect(response.cacheStatus.contains("fwd-status=\(status)"))
    }
    // The page is an entry of its own, under its own rules.
    #expect(pages.requestCount == 1)
    #expect(origin.requestCount == 3)
    #expect(try edge.get("/errors/\(status).html").isHit)
    #expect(try edge.get("/errors/\(status).html").status == 200)
  }

  @Test func `a remembered error with a stored page is a hit`() throws {
    let origin = try Self.failing()
    let pages = try Self.pages()
    let edge = try Self.edge(origin.port, pages.port, [Self.page(404)], remembering: 10) {
      $0.errors.responses[0].minimumTTL = 30
    }
    _ = try edge.get("/a")
    let response = try edge.get("/a")
    #expect(response.status == 404)
    #expect(response.text == "page /errors/404.html 1")
    #expect(response.isHit)
    #expect(response["x-cache"] == "Error from atoll")
    #expect(response["age"] != nil)
    // The error is forgotten before the page.
    let remaining = response.cacheStatus.compactMap {
      $0.hasPrefix("ttl=") ? Int($0.dropFirst(4)) : nil
    }
    #expect(remaining.count == 1 && remaining[0] <= 30)
    #expect(origin.requestCount == 1)
  }

  @Test(arguments: [(404, 200), (500, 503), (503, 200), (403, 404)])
  func `a page may come with another status`(status: Int, replaced: Int) throws {
    let origin = try Self.failing("\(status) Whatever")
    let pages = try Self.pages()
    let edge = try Self.edge(origin.port, pages.port, [Self.page(status, as: replaced)])
    let response = try edge.get("/a")
    #expect(response.status == replaced)
    #expect(response.text.hasPrefix("page"))
    #expect(response["x-cache"] == (replaced == 200 ? "Miss from atoll" : "Error from atoll"))
  }

  @Test(arguments: [nil, 10])
  func `a status may change without a page`(remembering seconds: Int?) throws {
    let origin = try Self.failing("403 Forbidden", "X-Own: 1")
    let refusing = try RefusingOrigin()
    let responses = [
      ErrorResponse(status: 403, responseStatus: 404, minimumTTL: 60),
      ErrorResponse(status: 502, responseStatus: 503),
    ]
    let edge = try Self.edge(origin.port, refusing.port, responses, remembering: seconds)
    for _ in 0..<2 {
      for method in ["GET", "HEAD"] {
        let response = try edge.viewer().request(method, "/a")
        #expect(response.status == 404)
        #expect(response.text == (method == "HEAD" ? "" : "plain"))
        #expect(response["content-length"] == "5")
        #expect(response["x-own"] == "1")
        #expect(response["x-cache"] == "Error from atoll")
      }
    }
    let other = try edge.get("/errors/any")
    #expect(other.status == 503)
    #expect(other.cacheStatus.contains("detail=origin-connect"))
    #expect(other["retry-after"] == "1")
  }

  @Test func `a remembered error changes its status, too`() throws {
    let origin = try Self.failing("404 Not Found", "ETag: \"e\"")
    let edge = try Self.edge(
      origin.port, 1, [ErrorResponse(status: 404, responseStatus: 200)], remembering: 10)
    let viewer = try edge.viewer()
    for number in 0..<3 {
      let response = try viewer.get("/a")
      #expect(response.status == 200)
      #expect(response.text == "plain")
      #expect(response.isHit == (number > 0))
    }
    #expect(origin.requestCount == 1)
  }

  @Test func `what has no rule stays as it is`() throws {
    let origin = try Self.failing("500 Oops")
    let pages = try Self.pages()
    let edge = try Self.edge(origin.port, pages.port, [Self.page(404)])
    let response = try edge.get("/a")
    #expect(response.status == 500)
    #expect(response.text == "plain")
    #expect(pages.requestCount == 0)
  }

  // MARK: The edge's own errors

  @Test(arguments: ["GET", "HEAD", "POST"])
  func `an origin that does not answer has a page, whatever the method`(_ method: String) throws {
    let origin = try RefusingOrigin()
    let pages = try Self.pages()
    let edge = try Self.edge(origin.port, pages.port, [Self.page(502)])
    let viewer = try edge.viewer()
    for _ in 0..<2 {
      let response = try viewer.request(method, "/a", body: method == "POST" ? "body" : nil)
      #expect(response.status == 502)
      #expect(response["content-length"] == "\("page /errors/502.html 1".utf8.count)")
      #expect(response.text == (method == "HEAD" ? "" : "page /errors/502.html 1"))
      #expect(response["x-cache"] == "Error from atoll")
      #expect(response.cacheStatus.contains("detail=origin-connect"))
      // What a POST sent was never read.
      if method == "POST" { return #expect(response["connection"] == "close") }
    }
    #expect(pages.requestCount == 1)
    #expect(pages.requests[0].method == "GET")
  }

  @Test func `a silent origin has a page, also while it is remembered`() throws {
    let origin = try ScriptedOrigin { $0.stall() }
    let pages = try Self.pages()
    let edge = try Self.edge(origin.port, pages.port, [Self.page(504)], remembering: 10)
    for _ in 0..<3 {
      let response = try edge.get("/a")
      #expect(response.status == 504)
      #expect(response.text == "page /errors/504.html 1")
    }
    #expect(origin.requestCount == 1)
  }

  @Test func `a method that is not allowed has a page that names those that are`() throws {
    let origin = try Self.failing()
    let pages = try Self.pages()
    let edge = try Self.edge(origin.port, pages.port, [Self.page(405)]) {
      $0.settings.allowedMethods = .getHead
    }
    for _ in 0..<2 {
      let response = try edge.viewer().request("DELETE", "/a")
      #expect(response.status == 405)
      #expect(response.text == "page /errors/405.html 1")
      #expect(response["allow"] == "GET, HEAD")
    }
    #expect(origin.requestCount == 0)
  }

  @Test func `a country that is refused sees the page of 403 (CloudFront §20)`() throws {
    let directory = TemporaryDirectory()
    var file = GeoDatabaseFile()
    file.add("127.0.0.0/8", .country("AT", "Austria"))
    let database = try GeoDatabase(path: file.write(to: directory.file("geo.mmdb")))
    let origin = try Self.pages()
    let edge = try EdgeUnderTest(
      origin,
      {
        $0.geoRestriction = .block(["AT"])
        $0.errors.responses = [Self.page(403, "/sorry.html")]
      }, geoDatabase: database)
    for _ in 0..<2 {
      let response = try edge.get("/a")
      #expect(response.status == 403)
      #expect(response.text == "page /sorry.html 1")
      #expect(response.cacheStatus.contains("detail=country-blocked"))
    }
    #expect(origin.requests.map(\.target) == ["/sorry.html"])
  }

  @Test func `GET with a body has the page of 403, and the connection ends`() throws {
    let pages = try Self.pages()
    let edge = try Self.edge(1, pages.port, [Self.page(403)])
    let viewer = try edge.viewer()
    let response = try viewer.request("GET", "/a", body: "body")
    #expect(response.status == 403)
    #expect(response.text == "page /errors/403.html 1")
    #expect(response["connection"] == "close")
  }

  @Test func `only-if-cached fetches no page`() throws {
    let pages = try Self.pages()
    let edge = try Self.edge(1, pages.port, [Self.page(504)])
    #expect(try edge.get("/a", "Cache-Control: only-if-cached").status == 504)
    #expect(pages.requestCount == 0)
  }

  @Test func `a disabled distribution shows nothing of itself`() throws {
    let pages = try Self.pages()
    let edge = try Self.edge(1, pages.port, [Self.page(403)]) { $0.isEnabled = false }
    let response = try edge.get("/a")
    #expect(response.status == 403)
    #expect(response.cacheStatus == ["detail=distribution-disabled"])
    #expect(pages.requestCount == 0)
  }

  // MARK: No page

  @Test func `where the page is missing the viewer gets what its origin says (§20)`() throws {
    let origin = try Self.failing("500 Oops")
    let pages = try Self.pages()
    // And the rule for that status does not set out for a page again.
    let edge = try Self.edge(
      origin.port, pages.port, [Self.page(500, "/errors/missing.html"), Self.page(404)],
      remembering: 10)
    for _ in 0..<3 {
      let response = try edge.get("/a")
      #expect(response.status == 404)
      #expect(response.text == "no page")
      #expect(response["x-pages"] == "1")
      #expect(response["x-cache"] == "Error from atoll")
    }
    #expect(pages.requestCount == 1)
    #expect(origin.requestCount == 1)
  }

  @Test(arguments: [nil, 10])
  func `where the page's origin is silent too the error itself is the answer`(
    remembering seconds: Int?
  ) throws {
    let origin = try Self.failing("500 Oops")
    let refusing = try RefusingOrigin()
    let edge = try Self.edge(
      origin.port, refusing.port, [Self.page(500), Self.page(502)], remembering: seconds)
    for _ in 0..<2 {
      let response = try edge.get("/a")
      #expect(response.status == 500)
      #expect(response["x-cache"] == "Error from atoll")
      #expect(response.cacheStatus.contains("detail=origin-error"))
      #expect(response.text.contains("500"))
    }
    let both = try Self.edge(refusing.port, refusing.port, [Self.page(502)])
    let response = try both.get("/a")
    #expect(response.status == 502)
    #expect(response.cacheStatus.contains("detail=origin-connect"))
  }

  @Test func `an origin that fails for its own page is asked for both, once`() throws {
    let origin = try Self.failing("404 Not Found")
    let edge = try EdgeUnderTest(origin) { $0.errors.responses = [Self.page(404, "/404.html")] }
    let response = try edge.get("/a")
    #expect(response.status == 404)
    #expect(response.text == "plain")
    #expect(origin.requests.map(\.target) == ["/a", "/404.html"])
    // The page itself, asked for, has no other.
    #expect(try edge.get("/404.html").text == "plain")
  }

  @Test func `a redirect is no page: the viewer may follow it`() throws {
    let origin = try ScriptedOrigin {
      if $0.request.target == "/404.html" {
        return try $0.respond("302 Found", "Location: /elsewhere")
      }
      try $0.respond("404 Not Found")
    }
    let edge = try EdgeUnderTest(origin) { $0.errors.responses = [Self.page(404, "/404.html")] }
    let response = try edge.get("/a")
    #expect(response.status == 302)
    #expect(response["location"] == "/elsewhere")
  }

  @Test func `a page that does not fit into a request is none`() throws {
    let origin = try Self.failing("404 Not Found")
    let path = "/errors/" + String(repeating: "x", count: 4000)
    let edge = try Self.edge(origin.port, 1, [Self.page(404, path)])
    let large = "X-Large: " + String(repeating: "y", count: 18_000)
    let response = try edge.get("/a", large)
    #expect(response.status == 404)
    #expect(response.cacheStatus.contains("detail=origin-error"))
  }

  @Test func `a page that breaks off never looks whole`() throws {
    let origin = try Self.failing()
    let pages = try ScriptedOrigin {
      try $0.sendHead("200 OK", "Content-Length: 100")
      try $0.send("half")
      $0.close()
    }
    let edge = try Self.edge(origin.port, pages.port, [Self.page(404)])
    let response = try edge.get("/a")
    #expect(response.status == 404)
    #expect(response.text == "half")
    #expect(!response.isComplete)
  }

  // MARK: The request

  @Test func `HEAD gets the head of the page`() throws {
    let origin = try Self.failing()
    let pages = try Self.pages()
    let edge = try Self.edge(origin.port, pages.port, [Self.page(404)])
    for _ in 0..<2 {
      let response = try edge.viewer().request("HEAD", "/a")
      #expect(response.status == 404)
      #expect(response["content-type"] == "text/html")
      #expect(response["content-length"] == "\("page /errors/404.html 1".utf8.count)")
    }
    #expect(try edge.get("/a").text == "page /errors/404.html 1")
    #expect(pages.requestCount == 1)
  }

  @Test(arguments: [
    "If-None-Match: \"page\"", "If-None-Match: *",
    "If-Modified-Since: \(RevalidationTests.modified)",
    "If-Match: \"other\"", "Range: bytes=0-1", "If-Unmodified-Since: Fri, 31 Dec 2021 00:00:00 GMT",
  ])
  func `no condition or range applies to an error's page (RFC 9110 §13.2.1)`(_ field: String) throws
  {
    let origin = try Self.failing()
    let pages = try Self.pages()
    let edge = try Self.edge(origin.port, pages.port, [Self.page(404)], remembering: 10)
    for _ in 0..<2 {
      let response = try edge.get("/a", field)
      #expect(response.status == 404)
      #expect(response.text == "page /errors/404.html 1")
    }
    for request in pages.requests {
      #expect(request[String(field.prefix { $0 != ":" })] == nil)
    }
  }

  @Test func `with status 200 the page is what the viewer may have already`() throws {
    let origin = try Self.failing()
    let pages = try Self.pages()
    let edge = try Self.edge(origin.port, pages.port, [Self.page(404, as: 200)])
    #expect(try edge.get("/a").status == 200)
    let known = try edge.get("/a", "If-None-Match: \"page\"")
    #expect(known.status == 304)
    #expect(known["etag"] == "\"page\"")
    #expect(try edge.get("/a", "If-None-Match: \"other\"").status == 200)
    // A range may be ignored (RFC 9110 §14.2).
    #expect(try edge.get("/a", "Range: bytes=0-1").status == 200)
  }

  @Test func `the page's origin hears of the viewer, not of its request`() throws {
    let origin = try Self.failing()
    let pages = try Self.pages()
    let edge = try Self.edge(origin.port, pages.port, [Self.page(404, "/errors/e?lang=en")])
    _ = try edge.viewer().request(
      "POST", "/a?secret", ["User-Agent: test", "Content-Type: text/plain", "Cookie: a=1"],
      body: "body")
    let asked = try #require(pages.requests.first)
    #expect(asked.method == "GET")
    #expect(asked.target == "/errors/e?lang=en")
    #expect(asked["user-agent"] == "test")
    #expect(asked["cookie"] == "a=1")
    #expect(asked["content-type"] == nil)
    #expect(asked["content-length"] == nil)
  }

  @Test func `requests behind it on the connection are answered in their order`() throws {
    let origin = try ScriptedOrigin {
      if $0.request.target.hasPrefix("/bad") { return try $0.respond("404 Not Found") }
      try $0.respond("200 OK", "Cache-Control: max-age=60", body: "good \($0.request.target)")
    }
    let pages = try Self.pages()
    let edge = try Self.edge(
      origin.port, pages.port, [Self.page(404)], remembering: 10)
    let viewer = try edge.viewer()
    for _ in 0..<2 {
      try viewer.send(
        ["/bad/1", "/1", "/bad/2", "/bad/1", "/2"].map { ScriptedViewer.head("GET", $0) }.joined())
      for expected in ["page", "good /1", "page", "page", "good /2"] {
        #expect(try viewer.readResponse().text.hasPrefix(expected))
      }
    }
    #expect(pages.requestCount == 1)
  }

  @Test func `an HTTP/1.0 viewer gets the page, too`() throws {
    let origin = try Self.failing()
    let pages = try Self.pages()
    let edge = try Self.edge(origin.port, pages.port, [Self.page(404)])
    let viewer = try edge.viewer()
    try viewer.send("GET /a HTTP/1.0\r\n\r\n")
    let response = try viewer.readResponse()
    #expect(response.status == 404)
    #expect(response.text == "page /errors/404.html 1")
    #expect(viewer.isClosed())
  }

  @Test func `an origin that answers before the upload is over has its page`() throws {
    let origin = try ScriptedOrigin { exchange in
      try exchange.respond("500 Oops", body: "plain")
      exchange.stall()
    }
    let pages = try Self.pages()
    let edge = try Self.edge(origin.port, pages.port, [Self.page(500)])
    let viewer = try edge.viewer()
    try viewer.send(
      "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nonly a part of it")
    let response = try viewer.readResponse()
    #expect(response.status == 500)
    #expect(response.text == "page /errors/500.html 1")
    #expect(response["connection"] == "close")
  }

  @Test func `many viewers share the error and its page`() throws {
    let go = Event()
    let origin = try ScriptedOrigin { exchange in
      go.wait()
      try exchange.respond("404 Not Found", body: "plain")
    }
    let goPages = Event()
    let pages = try ScriptedOrigin { exchange in
      goPages.wait()
      try exchange.sendHead(
        "200 OK", "Cache-Control: max-age=60", "Transfer-Encoding: chunked")
      try exchange.send(chunked("the ", "page"))
    }
    let edge = try Self.edge(origin.port, pages.port, [Self.page(404)], remembering: 10) {
      $0.origin.responseTimeout = 10
    }
    let viewers = try (0..<50).map { _ in try edge.viewer() }
    for viewer in viewers { try viewer.send(ScriptedViewer.head("GET", "/a")) }
    origin.waitFor(requests: 1)
    usleep(100_000)
    go.fire()
    pages.waitFor(requests: 1)
    usleep(100_000)
    goPages.fire()
    for viewer in viewers {
      let response = try viewer.readResponse()
      #expect(response.status == 404)
      #expect(response.text == "the page")
    }
    #expect(origin.requestCount == 1)
    #expect(pages.requestCount == 1)
  }

  @Test func `a change of the configuration meanwhile does not matter`() throws {
    let go = Event()
    let origin = try ScriptedOrigin { exchange in
      go.wait()
      try exchange.respond("404 Not Found", body: "plain")
    }
    let pages = try Self.pages()
    let edge = try Self.edge(origin.port, pages.port, [Self.page(404)]) {
      $0.origin.responseTimeout = 10
    }
    let viewers = try (0..<10).map { _ in try edge.viewer() }
    for (number, viewer) in viewers.enumerated() {
      try viewer.send(ScriptedViewer.head("GET", "/\(number)"))
    }
    #expect(origin.waitFor(requests: 10))
    for number in 0..<5 {
      try edge.reload {
        $0[0].errors.responses = []
        $0[0].modified += Int64(number)
      }
    }
    for _ in viewers { go.fire() }
    for viewer in viewers {
      let response = try viewer.readResponse()
      #expect(response.status == 404)
      #expect(response.text.hasPrefix("page"))
    }
    #expect(try edge.get("/0").text == "plain")
  }

  @Test func `a behavior that caches nothing fetches its page each time`() throws {
    let origin = try Self.failing()
    let pages = try Self.pages()
    let edge = try Self.edge(origin.port, pages.port, [Self.page(404)], remembering: 10) {
      $0.behaviors[0].caching = .dontCache
    }
    #expect(try edge.get("/a").text == "page /errors/404.html 1")
    #expect(try edge.get("/a").text == "page /errors/404.html 2")
    #expect(origin.requestCount == 1)
  }

  @Test func `a purge of the page brings the next one`() throws {
    let origin = try Self.failing()
    let pages = try Self.pages()
    let edge = try Self.edge(origin.port, pages.port, [Self.page(404)], remembering: 10)
    _ = try edge.get("/a")
    edge.purge(.path("/errors/404.html"))
    #expect(try edge.get("/a").text == "page /errors/404.html 2")
    #expect(origin.requestCount == 1)
  }

  @Test func `the page's own failure lets a stale one stand in`() throws {
    let origin = try Self.failing()
    let pages = try ScriptedOrigin {
      if $0.request.number > 1 { return try $0.respond("503 Down", body: "no") }
      try $0.respond("200 OK", "Cache-Control: max-age=600", body: "page")
    }
    let edge = try Self.edge(origin.port, pages.port, [Self.page(404)], remembering: 10)
    _ = try edge.get("/a")
    edge.purge(.path("/errors/404.html"), soft: true)
    for _ in 0..<3 {
      let response = try edge.get("/a")
      #expect(response.status == 404)
      #expect(response.text == "page")
    }
    #expect(pages.requestCount == 2)
  }

  @Test func `the log has the viewer's request and the status that it got`() throws {
    let log = AccessLogTests.LogFile()
    let origin = try Self.failing()
    let refusing = try RefusingOrigin()
    let pages = try Self.pages()
    let edge = try Self.edge(
      origin.port, pages.port, [Self.page(404, as: 200)], remembering: 10, log: log.path)
    _ = try edge.get("/first?q")
    _ = try edge.get("/first?q")
    edge.stop()
    #expect(log.lines.count == 2)
    for line in log.lines.map({ String(decoding: $0, as: UTF8.self) }) {
      #expect(line.contains("\"/first?q\""))
      #expect(line.contains("\"status\":200"))
      #expect(!line.contains("/errors/"))
    }
    let other = AccessLogTests.LogFile()
    let failing = try Self.edge(
      refusing.port, pages.port, [Self.page(502, as: 503)], log: other.path)
    _ = try failing.viewer().request("POST", "/second", body: "body")
    failing.stop()
    let line = String(decoding: other.bytes, as: UTF8.self)
    #expect(line.contains("\"POST\""))
    #expect(line.contains("\"status\":503"))
    #expect(line.contains("origin-connect"))
  }

  // MARK: Files

  @Test func `a page from a file`() throws {
    let directory = TemporaryDirectory()
    let path = directory.write("down.html", "<p>down</p>")
    let origin = try RefusingOrigin()
    let edge = try SupervisedEdge(
      in: directory,
      unsaved: try makeDistribution("site", origin: "http://127.0.0.1:\(origin.port)") {
        $0.origin.connectAttempts = 1
        $0.errors.responses = [
          ErrorResponse(status: 502, page: .file(path), responseStatus: 503)
        ]
      })
    for method in ["GET", "HEAD", "POST"] {
      let viewer = try ScriptedViewer(port: edge.port)
      let response = try viewer.request(
        method, "/", ["If-None-Match: *", "Range: bytes=0-1"], body: method == "POST" ? "x" : nil)
      #expect(response.status == 503)
      #expect(response["content-type"] == "text/html; charset=utf-8")
      #expect(response["content-length"] == "11")
      #expect(response.text == (method == "HEAD" ? "" : "<p>down</p>"))
      #expect(response["cache-control"] == "no-store")
      #expect(response["retry-after"] == "1")
      #expect(response["x-cache"] == "Error from atoll")
      #expect(response.cacheStatus.contains("detail=origin-connect"))
    }
  }
}
