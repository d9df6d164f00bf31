// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

/// Response header policies through the running edge (CloudFront §22).
@Suite(.timeLimit(.minutes(20)))
struct ResponsePolicyTests {
  private static let headers = ResponseHeaderSettings(
    removed: ["X-Powered-By", "Server"],
    set: [
      ResponseHeader(name: "Cache-Control", value: "max-age=1", mode: .override),
      ResponseHeader(name: "X-Added", value: "yes", mode: .ifAbsent),
    ],
    security: .standard)

  private func origin(_ fields: String...) throws -> ScriptedOrigin {
    try ScriptedOrigin { exchange in
      let lines =
        ["HTTP/1.1 200 OK", "Cache-Control: max-age=600", "X-Powered-By: php", "Server: apache"]
        + fields + ["Content-Length: 5", "", "hello"]
      try exchange.send(lines.joined(separator: "\r\n"))
    }
  }

  private func expectPolicy(
    _ response: ViewerResponse, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(response["x-powered-by"] == nil, sourceLocation: sourceLocation)
    #expect(response.head.values(of: "server") == ["atoll"], sourceLocation: sourceLocation)
    #expect(response.head.values(of: "x-added") == ["yes"], sourceLocation: sourceLocation)
    #expect(response["x-frame-options"] == "SAMEORIGIN", sourceLocation: sourceLocation)
    #expect(
      response.head.values(of: "x-content-type-options") == ["nosniff"],
      sourceLocation: sourceLocation)
  }

  @Test
  func `misses and hits, whole and in part, carry the policy, and the edge keeps its own time`()
    throws
  {
    let origin = try origin("ETag: \"a\"")
    let edge = try EdgeUnderTest(origin) { $0.settings.responseHeaders = Self.headers }
    let responses = [
      try edge.get("/"), try edge.get("/"), try edge.get("/", "Range: bytes=1-2"),
      try edge.get("/", "If-None-Match: \"a\""), try edge.get("/", "Range: bytes=9-"),
      try edge.viewer().request("HEAD", "/"),
    ]
    #expect(responses.map(\.status) == [200, 200, 206, 304, 416, 200])
    for response in responses { expectPolicy(response) }
    for response in responses where response.status < 400 {
      #expect(response.head.values(of: "cache-control") == ["max-age=1"])
    }
    #expect(responses[1].text == "hello" && responses[2].text == "el")
    // A Cache-Control set here steers browsers alone.
    #expect(origin.requestCount == 1)
    #expect(responses[1].cacheStatus.contains { $0.hasPrefix("ttl=") && $0.count >= 7 })
  }

  @Test func `what is not stored carries the policy too`() throws {
    let origin = try ScriptedOrigin { exchange in
      _ = try exchange.readBody()
      try exchange.respond(
        "404 Not Found", "Cache-Control: no-store", "X-Powered-By: php", body: "gone")
    }
    let edge = try EdgeUnderTest(origin) { $0.settings.responseHeaders = Self.headers }
    let response = try edge.get("/")
    #expect(response.status == 404)
    #expect(response["x-powered-by"] == nil && response["x-added"] == "yes")
    #expect(response["cache-control"] == "max-age=1")
    let posted = try edge.viewer().request("POST", "/", body: "x")
    #expect(posted["x-added"] == "yes")
  }

  @Test func `errors of the edge carry the policy but stay uncached`() throws {
    let edge = try EdgeUnderTest(originPort: try RefusingOrigin().port) {
      $0.settings.responseHeaders = Self.headers
    }
    let response = try edge.get("/")
    #expect(response.status == 502)
    expectPolicy(response)
    #expect(response.head.values(of: "cache-control") == ["no-store"])
  }

  @Test func `a policy that changes holds for what was stored before`() throws {
    let origin = try origin("ETag: \"a\"")
    let edge = try EdgeUnderTest(origin)
    #expect(try edge.get("/")["x-powered-by"] == "php")
    try edge.reload { $0[0].settings.responseHeaders = Self.headers }
    let changed = try edge.get("/")
    expectPolicy(changed)
    #expect(changed.isHit)
    expectPolicy(try edge.get("/", "If-None-Match: \"a\""))
    try edge.reload {
      $0[0].settings.responseHeaders = ResponseHeaderSettings(
        set: [ResponseHeader(name: "X-Added", value: "no", mode: .override)])
    }
    let again = try edge.get("/")
    #expect(again["x-added"] == "no" && again["x-powered-by"] == "php")
    #expect(again["cache-control"] == "max-age=600")
    try edge.reload { $0[0].settings.responseHeaders = ResponseHeaderSettings() }
    let plain = try edge.get("/")
    #expect(plain["x-added"] == nil && plain["server"] == "apache")
    #expect(origin.requestCount == 1)
  }

  @Test func `revalidation reads the origin's fields and updates the policy's`() throws {
    let origin = try ScriptedOrigin { exchange in
      if exchange.request["if-none-match"] == "\"a\"" {
        try exchange.sendHead(
          "304 Not Modified", "ETag: \"a\"", "Cache-Control: max-age=600", "X-Version: 2",
          "X-Powered-By: php")
      } else {
        try exchange.respond(
          "200 OK", "ETag: \"a\"", "Cache-Control: max-age=0", "X-Version: 1",
          "X-Powered-By: php", body: "hello")
      }
    }
    var headers = Self.headers
    headers.removed.append("ETag")
    let edge = try EdgeUnderTest(origin) { $0.settings.responseHeaders = headers }
    let first = try edge.get("/")
    #expect(first["etag"] == nil)
    let second = try edge.get("/")
    #expect(second["x-cache"] == "RefreshHit from atoll")
    #expect(second["x-version"] == "2" && second["x-powered-by"] == nil)
    #expect(second["x-added"] == "yes" && second["cache-control"] == "max-age=1")
    // By the 304's lifetime, not by the second that browsers are told.
    let third = try edge.get("/")
    #expect(third.isHit && third["x-version"] == "2" && third["x-added"] == "yes")
    #expect(origin.requestCount == 2)
    #expect(try #require(origin.requests.last)["if-none-match"] == "\"a\"")
  }

  @Test func `a stale answer carries the policy`() throws {
    let origin = try ScriptedOrigin { exchange in
      if exchange.request.number == 1 {
        try exchange.respond(
          "200 OK", "Cache-Control: max-age=0", "ETag: \"a\"", "X-Powered-By: php", body: "a")
      } else {
        try exchange.respond("503 Service Unavailable")
      }
    }
    let edge = try EdgeUnderTest(origin) {
      $0.settings.responseHeaders = Self.headers
      $0.settings.staleIfError = 600
    }
    _ = try edge.get("/")
    let stale = try edge.get("/")
    #expect(stale.status == 200 && stale.text == "a")
    #expect(stale["x-powered-by"] == nil && stale["x-added"] == "yes")
  }

  @Test func `each behavior has its own policy`() throws {
    let edge = try EdgeUnderTest(try origin()) { distribution in
      var own = PathBehavior(path: "/own/*", caching: .cache)
      own.overrides.responseHeaders = Self.headers
      distribution.behaviors = [own]
    }
    for _ in 0..<2 {
      expectPolicy(try edge.get("/own/a"))
      let other = try edge.get("/other")
      #expect(other["server"] == "apache" && other["x-added"] == nil)
    }
  }

  // MARK: CORS (Fetch standard §3.3)

  @Test func `permissions follow the request's Origin and are never stored`() throws {
    let origin = try origin("Access-Control-Allow-Origin: https://poison.example")
    let edge = try EdgeUnderTest(origin) {
      $0.settings.responseHeaders.cors = CORSSettings(
        origins: ["https://a.example", "https://*.b.example"], allowsCredentials: true,
        exposedHeaders: ["X-Powered-By"])
    }
    for _ in 0..<2 {
      for (site, isAllowed) in [
        ("https://a.example", true), ("https://x.b.example", true), ("https://evil", false),
      ] {
        let response = try edge.get("/", "Origin: \(site)")
        #expect(
          response.head.values(of: "access-control-allow-origin") == (isAllowed ? [site] : []))
        #expect(
          response.head.values(of: "access-control-allow-credentials")
            == (isAllowed ? ["true"] : []))
        #expect(response.head.list("vary") == ["Origin"])
      }
      let plain = try edge.get("/")
      #expect(plain["access-control-allow-origin"] == nil)
      #expect(plain.head.list("vary") == ["Origin"])
    }
    #expect(origin.requestCount == 1)
  }

  @Test func `everybody's permission needs no Origin`() throws {
    let edge = try EdgeUnderTest(try origin()) {
      $0.settings.responseHeaders.cors = CORSSettings()
    }
    for _ in 0..<2 {
      #expect(try edge.get("/")["access-control-allow-origin"] == "*")
      let asked = try edge.get("/", "Origin: https://a.example")
      #expect(asked.head.values(of: "access-control-allow-origin") == ["*"])
      #expect(asked["vary"] == nil)
    }
  }

  @Test func `the origin's own permissions stand where the policy yields`() throws {
    let edge = try EdgeUnderTest(try origin("Access-Control-Allow-Origin: https://o.example")) {
      $0.settings.responseHeaders.cors = CORSSettings(
        origins: ["https://a.example"], overridesOrigin: false)
    }
    for _ in 0..<2 {
      let response = try edge.get("/", "Origin: https://a.example")
      #expect(response.head.values(of: "access-control-allow-origin") == ["https://o.example"])
    }
  }

  private func preflight(_ edge: EdgeUnderTest, _ method: String, _ headers: String? = nil) throws
    -> ViewerResponse
  {
    var fields = ["Origin: https://a.example", "Access-Control-Request-Method: \(method)"]
    if let headers { fields.append("Access-Control-Request-Headers: \(headers)") }
    return try edge.viewer().request("OPTIONS", "/", fields)
  }

  @Test(arguments: [MethodSet.getHead, .all])
  func `a preflight that fits is answered by the edge`(methods: MethodSet) throws {
    let origin = try origin()
    let edge = try EdgeUnderTest(origin) {
      $0.settings.allowedMethods = methods
      $0.settings.responseHeaders.cors = CORSSettings(
        origins: ["https://a.example"], methods: ["GET", "PUT"], headers: ["X-Token"],
        maxAge: 600)
    }
    let response = try preflight(edge, "PUT", "x-token")
    #expect(response.status == 204)
    #expect(response["access-control-allow-origin"] == "https://a.example")
    #expect(response["access-control-allow-methods"] == "GET, PUT")
    #expect(response["access-control-allow-headers"] == "x-token")
    #expect(response["access-control-max-age"] == "600")
    #expect(response["content-length"] == nil)
    #expect(response.head.list("vary") == ["Origin"])
    #expect(response.cacheStatus == ["detail=cors-preflight"])
    #expect(response["x-cache"] == "GeneratedResponse from atoll")
    #expect(origin.requestCount == 0)
    #expect(
      eventually {
        let counts = edge.edge.counters()[0]
        return counts.requests(.local) == 1 && counts.count(.corsPreflight) == 1
      })
    // One that does not is like any OPTIONS.
    let refused = try preflight(edge, "DELETE")
    #expect(refused.status == (methods == .getHead ? 405 : 200))
    #expect(refused["access-control-allow-methods"] == nil)
    #expect(origin.requestCount == (methods == .getHead ? 0 : 1))
  }

  @Test func `a connection goes on after a preflight`() throws {
    let edge = try EdgeUnderTest(try origin()) {
      $0.settings.responseHeaders.cors = CORSSettings(methods: ["GET"])
    }
    let viewer = try edge.viewer()
    for _ in 0..<3 {
      let response = try viewer.request(
        "OPTIONS", "/", ["Origin: https://a", "Access-Control-Request-Method: GET"])
      #expect(response.status == 204 && response["access-control-allow-origin"] == "*")
      #expect(try viewer.get("/").text == "hello")
    }
  }

  @Test func `without settings OPTIONS goes to the origin`() throws {
    let origin = try origin()
    let edge = try EdgeUnderTest(origin)
    #expect(try preflight(edge, "PUT").status == 200)
    #expect(origin.requestCount == 1)
  }

  // MARK: Server-Timing

  @Test func `Server-Timing tells misses with the origin's own, and hits without`() throws {
    let origin = try origin("Server-Timing: db;dur=53, app", "ETag: \"a\"")
    let edge = try EdgeUnderTest(origin) { $0.settings.responseHeaders.serverTiming = 100 }
    let miss = try edge.get("/")
    #expect(miss.head.values(of: "server-timing").count == 1)
    let metrics = miss.head.list("server-timing")
    #expect(metrics.prefix(3) == ["db;dur=53", "app", "cdn-cache-miss"])
    #expect(metrics.contains("cdn-rid;desc=\"\(miss["x-request-id"] ?? "")\""))
    let names = metrics.map { String($0.prefix { $0 != ";" }) }
    #expect(
      names == [
        "db", "app", "cdn-cache-miss", "cdn-rid", "cdn-upstream-layer", "cdn-upstream-dns",
        "cdn-upstream-connect", "cdn-upstream-fbl", "cdn-downstream-fbl",
      ])
    let hit = try edge.get("/")
    #expect(
      hit.head.list("server-timing").map { String($0.prefix { $0 != ";" }) }
        == ["cdn-cache-hit", "cdn-hit-layer", "cdn-rid", "cdn-downstream-fbl"])
    let unmodified = try edge.get("/", "If-None-Match: \"a\"")
    #expect(unmodified.status == 304)
    #expect(unmodified.head.list("server-timing").first == "cdn-cache-hit")
  }

  @Test func `at 0 percent only those get it who ask, and the origin's passes on a miss`() throws {
    let edge = try EdgeUnderTest(try origin("Server-Timing: db;dur=53")) {
      $0.settings.responseHeaders.serverTiming = 0
    }
    #expect(try edge.get("/").head.values(of: "server-timing") == ["db;dur=53"])
    #expect(try edge.get("/")["server-timing"] == nil)
    let asked = try edge.get("/", "Pragma: server-timing")
    #expect(asked.head.list("server-timing").first == "cdn-cache-hit")
    // It forces no fetch.
    #expect(asked.isHit)
  }

  @Test func `without the setting nobody gets it`() throws {
    let edge = try EdgeUnderTest(try origin("Server-Timing: db;dur=53"))
    for _ in 0..<2 {
      let response = try edge.get("/", "Pragma: server-timing")
      #expect(response.head.values(of: "server-timing") == ["db;dur=53"])
    }
  }

  @Test func `a revalidated answer says refresh, a reused connection 0`() throws {
    let origin = try ScriptedOrigin { exchange in
      if exchange.request["if-none-match"] == nil {
        try exchange.respond("200 OK", "ETag: \"a\"", "Cache-Control: max-age=0", body: "a")
      } else {
        try exchange.sendHead("304 Not Modified")
      }
    }
    let edge = try EdgeUnderTest(origin) { $0.settings.responseHeaders.serverTiming = 100 }
    _ = try edge.get("/")
    let metrics = try edge.get("/").head.list("server-timing")
    #expect(metrics.first == "cdn-cache-refresh")
    #expect(metrics.contains("cdn-upstream-dns;dur=0"))
    #expect(metrics.contains("cdn-upstream-connect;dur=0"))
  }
}
