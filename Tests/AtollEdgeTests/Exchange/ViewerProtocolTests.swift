// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

/// Viewer protocol policy and methods through the running edge (CloudFront §3, §5).
@Suite(.timeLimit(.minutes(20)))
struct ViewerProtocolTests {
  private func edge(
    _ origin: ScriptedOrigin, _ policy: ViewerProtocol, _ methods: MethodSet = .all
  ) throws -> EdgeUnderTest {
    try EdgeUnderTest(origin) {
      $0.settings.viewerProtocol = policy
      $0.settings.allowedMethods = methods
    }
  }

  private func origin() throws -> ScriptedOrigin {
    try ScriptedOrigin { exchange in
      _ = try exchange.readBody()
      try exchange.respond("200 OK", "Cache-Control: max-age=60", body: "hello")
    }
  }

  @Test(arguments: [
    ("GET", 301), ("HEAD", 301), ("POST", 307), ("PUT", 307), ("PATCH", 307), ("DELETE", 307),
    ("OPTIONS", 307),
  ])
  func `a request over http is sent to https`(method: String, status: Int) throws {
    let origin = try origin()
    let edge = try edge(origin, .redirectToHTTPS)
    let response = try edge.viewer().request(method, "/a/b?c=d")
    #expect(response.status == status)
    #expect(response["location"] == "https://test.example/a/b?c=d")
    #expect(response["x-cache"] == "Redirect from atoll")
    #expect(response.cacheStatus == ["detail=redirect"])
    #expect(response.isComplete && response.text.isEmpty == (method == "HEAD"))
    #expect(origin.requestCount == 0)
    #expect(
      eventually {
        let counts = edge.edge.counters()[0]
        return counts.count(.redirect) == 1
          && counts.requests(.local) + counts.otherRequests(.local) == 1
      })
  }

  @Test func `a proxy that is believed may say that the viewer came by https`() throws {
    let origin = try origin()
    for (proxies, policy, status) in [
      (["127.0.0.0/8"], ViewerProtocol.redirectToHTTPS, 200), (["127.0.0.0/8"], .httpsOnly, 200),
      (["192.0.2.0/24"], .redirectToHTTPS, 301), ([], .httpsOnly, 403),
    ] {
      let edge = try EdgeUnderTest(origin) {
        $0.settings.viewerProtocol = policy
        $0.trustedProxies = proxies
      }
      #expect(try edge.get("/", "X-Forwarded-Proto: https").status == status)
      #expect(try edge.get("/").status == (policy == .httpsOnly ? 403 : 301))
    }
  }

  @Test func `the port of http is not https's`() throws {
    let edge = try edge(try origin(), .redirectToHTTPS)
    let viewer = try edge.viewer()
    try viewer.send("GET / HTTP/1.1\r\nHost: test.example:\(edge.port)\r\n\r\n")
    #expect(try viewer.readResponse()["location"] == "https://test.example/")
    // The connection goes on.
    try viewer.send("GET /x HTTP/1.1\r\nHost: test.example\r\n\r\n")
    #expect(try viewer.readResponse()["location"] == "https://test.example/x")
  }

  @Test(arguments: ["a'b", "a;b.example", "%0d%0aSet-Cookie"])
  func `an odd host is not redirected to`(host: String) throws {
    let edge = try edge(try origin(), .redirectToHTTPS)
    let viewer = try edge.viewer()
    try viewer.send("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
    let response = try viewer.readResponse()
    #expect(response.status == 400 && response["location"] == nil)
  }

  @Test func `HTTP 1.0 gets 301, or 403 for what 301 may change`() throws {
    let edge = try edge(try origin(), .redirectToHTTPS)
    for (line, fields, status) in [
      ("GET /a", "Host: test.example\r\n", 301),
      ("POST /a", "Host: test.example\r\nContent-Length: 0\r\n", 403), ("GET /a", "", 403),
    ] {
      let viewer = try edge.viewer()
      try viewer.send("\(line) HTTP/1.0\r\n\(fields)\r\n")
      let response = try viewer.readResponse()
      #expect(response.status == status)
      if status == 403 { #expect(response.cacheStatus == ["detail=https-required"]) }
    }
  }

  @Test func `the body of a redirected request is not taken for another request`() throws {
    let edge = try edge(try origin(), .redirectToHTTPS)
    let viewer = try edge.viewer()
    let body = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    let response = try viewer.request("POST", "/", body: body)
    #expect(response.status == 307 && response["connection"] == "close")
    #expect(viewer.isClosed())
  }

  @Test(arguments: ["GET", "POST"])
  func `https-only refuses`(method: String) throws {
    let origin = try origin()
    let edge = try edge(origin, .httpsOnly)
    let response = try edge.viewer().request(method, "/")
    #expect(response.status == 403)
    #expect(response["x-cache"] == "Error from atoll")
    #expect(response.cacheStatus == ["detail=https-required"])
    #expect(response.text.contains("served over https only"))
    #expect(origin.requestCount == 0)
  }

  @Test func `a redirect carries the behavior's policy, CORS included`() throws {
    // Fetch §4.4: each redirect of a cross-origin request needs permission of its own.
    let edge = try EdgeUnderTest(try origin()) {
      $0.settings.viewerProtocol = .redirectToHTTPS
      $0.settings.responseHeaders = ResponseHeaderSettings(
        cors: CORSSettings(origins: ["https://a"]), security: .standard)
    }
    let response = try edge.get("/", "Origin: https://a")
    #expect(response.status == 301)
    #expect(response["access-control-allow-origin"] == "https://a")
    #expect(response["x-frame-options"] == "SAMEORIGIN")
  }

  // MARK: Methods

  @Test(arguments: [
    (MethodSet.getHead, "GET, HEAD"), (.getHeadOptions, "GET, HEAD, OPTIONS"),
    (.all, "GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE"),
  ])
  func `a method outside of the behavior's set is refused with the set`(
    methods: MethodSet, allow: String
  ) throws {
    let origin = try origin()
    // The behavior's, not the distribution's.
    let edge = try EdgeUnderTest(origin) {
      var own = PathBehavior(path: "/own", caching: .cache)
      own.overrides.allowedMethods = methods
      $0.behaviors = [own]
    }
    for method in ["GET", "OPTIONS", "PUT", "DELETE", "TRACE", "BREW"] {
      let response = try edge.viewer().request(method, "/own")
      if allow.contains(method) {
        #expect(response.status == 200)
      } else {
        #expect(response.status == 405)
        #expect(response["allow"] == allow)
      }
    }
  }

  @Test func `CONNECT is refused`() throws {
    let edge = try edge(try origin(), .allowAll)
    let viewer = try edge.viewer()
    try viewer.send("CONNECT test.example:443 HTTP/1.1\r\nHost: test.example:443\r\n\r\n")
    #expect(try viewer.readResponse().status == 405)
  }

  @Test func `OPTIONS is cached under its own key when that is chosen`() throws {
    let origin = try ScriptedOrigin { exchange in
      try exchange.respond(
        "200 OK", "Cache-Control: max-age=60", body: "\(exchange.request.method)")
    }
    let edge = try EdgeUnderTest(origin) { $0.settings.cachesOptions = true }
    for _ in 0..<3 {
      #expect(try edge.viewer().request("OPTIONS", "/").text == "OPTIONS")
      #expect(try edge.get("/").text == "GET")
    }
    #expect(origin.requestCount == 2)
    // "*" is about the server, not about something that is kept (RFC 9110 §9.3.7).
    for _ in 0..<2 { #expect(try edge.viewer().request("OPTIONS", "*").text == "OPTIONS") }
    #expect(origin.requestCount == 4)
    #expect(try #require(origin.requests.last).target == "*")
  }

  @Test func `OPTIONS that may go no further is answered by the edge (RFC 9110 §7.6.2)`() throws {
    let origin = try origin()
    let edge = try EdgeUnderTest(origin) {
      $0.settings.cachesOptions = true
      $0.settings.allowedMethods = .getHeadOptions
    }
    for target in ["/", "*"] {
      let viewer = try edge.viewer()
      let response = try viewer.request("OPTIONS", target, ["Max-Forwards: 0"])
      #expect(response.status == 200 && response["allow"] == "GET, HEAD, OPTIONS")
      #expect(response["content-length"] == "0")
      #expect(response.cacheStatus == ["detail=max-forwards"])
    }
    #expect(origin.requestCount == 0)
    #expect(try edge.viewer().request("OPTIONS", "/", ["Max-Forwards: 3"]).status == 200)
    #expect(try #require(origin.requests.first)["max-forwards"] == "2")
    // Other methods pay no heed to it.
    #expect(try edge.get("/", "Max-Forwards: 0").text == "hello")
  }

  @Test(arguments: ["GET", "HEAD"])
  func `GET and HEAD with a body are refused (CloudFront §3)`(method: String) throws {
    let origin = try origin()
    let edge = try edge(origin, .allowAll)
    let response = try edge.viewer().request(method, "/", body: "x")
    #expect(response.status == 403 && origin.requestCount == 0)
  }
}
