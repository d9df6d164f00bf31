// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import TestSupport
import Testing

/// Who asks, and what that means for what is served: proxies that are believed, places, devices.
@Suite(.timeLimit(.minutes(20)))
struct ViewerTests {
  private let directory = TemporaryDirectory()

  /// Germany has 192.0.2.0/24, France 198.51.100.0/24, this machine is in Austria.
  private func database() throws -> GeoDatabase {
    var file = GeoDatabaseFile()
    file.add("192.0.2.0/24", .country("DE", "Germany"))
    file.add("198.51.100.0/24", .country("FR", "France"))
    file.add("127.0.0.0/8", .country("AT", "Austria"))
    return try GeoDatabase(path: file.write(to: directory.file("geo.mmdb")))
  }

  /// Stores everything for an hour and tells what it was asked, with the number of the request.
  private func origin(_ fields: String...) throws -> ScriptedOrigin {
    let lines = ["HTTP/1.1 200 OK", "Cache-Control: max-age=3600"] + fields
    return try ScriptedOrigin { exchange in
      let body = "\(exchange.request.number)"
      let head = (lines + ["Content-Length: \(body.utf8.count)"]).joined(separator: "\r\n")
      try exchange.send(head + "\r\n\r\n" + body)
    }
  }

  private static let german = "X-Forwarded-For: 192.0.2.1"
  private static let french = "X-Forwarded-For: 198.51.100.1"

  // MARK: Trusted proxies

  @Test func `the log has the address that a trusted proxy tells`() throws {
    let path = directory.file("access.log")
    for (trusted, expected) in [(["127.0.0.0/8"], "192.0.2.1"), ([], "127.0.0.1")] {
      let edge = try EdgeUnderTest(
        origin(), { $0.trustedProxies = trusted },
        options: {
          $0.accessLog = .file(path)
          $0.logFormat = .combined
        })
      // One miss, one hit.
      for _ in 1...2 {
        #expect(try edge.get("/", "X-Forwarded-For: 203.0.113.9, 192.0.2.1").status == 200)
      }
      edge.stop()
      let lines = try #require(directory.read("access.log")).split(separator: "\n")
      #expect(lines.suffix(2).allSatisfy { $0.hasPrefix(expected + " ") }, "\(lines)")
    }
  }

  @Test func `the scheme that a trusted proxy tells is in the key and told on`() throws {
    let origin = try origin()
    let edge = try EdgeUnderTest(origin) { $0.trustedProxies = ["127.0.0.1"] }
    let https = "X-Forwarded-Proto: https"
    #expect(try edge.get("/", https).text == "1")
    #expect(try edge.get("/").text == "2")
    #expect(try edge.get("/", https).text == "1")
    #expect(try edge.get("/").text == "2")
    #expect(origin.requests.map { $0["x-forwarded-proto"] } == ["https", "http"])
  }

  @Test func `nobody else's word counts`() throws {
    let origin = try origin()
    let edge = try EdgeUnderTest(origin) { $0.trustedProxies = ["10.0.0.0/8"] }
    #expect(try edge.get("/", "X-Forwarded-Proto: https").text == "1")
    #expect(try edge.get("/").isHit)
    #expect(origin.requests.map { $0["x-forwarded-proto"] } == ["http"])
  }

  @Test func `the chain of addresses grows by the proxy, whoever the viewer is`() throws {
    let origin = try origin()
    let edge = try EdgeUnderTest(origin) {
      $0.trustedProxies = ["127.0.0.1"]
      $0.settings.originRequest.headers = .listed(["CloudFront-Viewer-Address"])
    }
    _ = try edge.get("/", "X-Forwarded-For: 203.0.113.9, 192.0.2.1:4711")
    let request = try #require(origin.requests.first)
    #expect(
      request.head.list("x-forwarded-for") == ["203.0.113.9", "192.0.2.1:4711", "127.0.0.1"])
    #expect(request["cloudfront-viewer-address"] == "192.0.2.1:4711")
  }

  // MARK: Countries

  @Test func `a key with the country has an entry for each`() throws {
    let origin = try origin()
    let edge = try EdgeUnderTest(
      origin, preset: .static,
      {
        $0.settings.key.country = true
        $0.trustedProxies = ["127.0.0.1"]
      }, geoDatabase: database())
    for _ in 1...2 {
      #expect(try edge.get("/", Self.german).text == "1")
      #expect(try edge.get("/", Self.french).text == "2")
      #expect(try edge.get("/").text == "3")
      #expect(try edge.get("/", "X-Forwarded-For: 203.0.113.1").text == "4")
    }
    #expect(
      origin.requests.map { $0["cloudfront-viewer-country"] } == ["DE", "FR", "AT", nil])
    // A purge of the URL finds them all.
    #expect(edge.purge(.path("/")) == 4)
    #expect(try edge.get("/", Self.german).text == "5")
  }

  @Test func `a response varies on what the origin was told without its being keyed`() throws {
    let origin = try origin("Vary: CloudFront-Viewer-Country")
    let edge = try EdgeUnderTest(
      origin, preset: .static,
      {
        $0.settings.originRequest.headers = .listed([
          "CloudFront-Viewer-Country", "CloudFront-Viewer-Country-Name",
        ])
        $0.trustedProxies = ["127.0.0.1"]
      }, geoDatabase: database())
    for _ in 1...2 {
      #expect(try edge.get("/", Self.german).text == "1")
      #expect(try edge.get("/", Self.french).text == "2")
    }
    #expect(origin.requests.map { $0["cloudfront-viewer-country-name"] } == ["Germany", "France"])
  }

  @Test func `viewers who come together are told apart`() throws {
    let arrived = Event()
    let released = Event()
    let origin = try ScriptedOrigin { exchange in
      arrived.fire()
      released.wait()
      try exchange.respond(
        "200 OK", "Cache-Control: max-age=60", "Vary: CloudFront-Viewer-Country",
        body: exchange.request["cloudfront-viewer-country"] ?? "none")
    }
    let edge = try EdgeUnderTest(
      origin, preset: .static,
      {
        $0.settings.originRequest.headers = .listed(["CloudFront-Viewer-Country"])
        $0.trustedProxies = ["127.0.0.1"]
      }, geoDatabase: database())
    let viewers = try (0..<3).map { _ in try edge.viewer() }
    for (viewer, field) in zip(viewers, [Self.german, Self.french, Self.german]) {
      try viewer.send(ScriptedViewer.head("GET", "/", [field]))
    }
    arrived.wait()
    released.fire()
    #expect(try viewers.map { try $0.readResponse().text } == ["DE", "FR", "DE"])
  }

  @Test(
    arguments: [
      (.block(["DE"]), 403, 200, 200), (.allow(["DE"]), 200, 403, 200), (.none, 200, 200, 200),
    ] as [(GeoRestriction, Int, Int, Int)])
  func `a geo restriction refuses countries, not strangers (CloudFront §26)`(
    restriction: GeoRestriction, german: Int, french: Int, unknown: Int
  ) throws {
    let origin = try origin()
    let edge = try EdgeUnderTest(
      origin, preset: .static,
      {
        $0.geoRestriction = restriction
        $0.trustedProxies = ["127.0.0.1"]
      }, geoDatabase: database())
    // Also from the cache.
    for _ in 1...2 {
      let answers = try [Self.german, Self.french, "X-Forwarded-For: 203.0.113.1"].map {
        try edge.get("/", $0)
      }
      #expect(answers.map(\.status) == [german, french, unknown])
      for answer in answers where answer.status == 403 {
        #expect(answer.cacheStatus.contains("detail=country-blocked"), "\(answer)")
        #expect(answer["cache-control"] == "no-store")
      }
    }
    #expect(origin.requestCount == 1)
    // A disabled distribution is that first.
    try edge.reload { $0[0].isEnabled = false }
    #expect(
      try edge.get("/", Self.german).cacheStatus.contains("detail=distribution-disabled"))
  }

  @Test func `a viewer cannot say where it is`() throws {
    let origin = try origin()
    let edge = try EdgeUnderTest(
      origin, preset: .static,
      {
        $0.settings.key.country = true
        $0.geoRestriction = .block(["DE"])
      }, geoDatabase: database())
    let answer = try edge.get(
      "/", "CloudFront-Viewer-Country: US", Self.german, "X-Real-IP: 192.0.2.1",
      "Forwarded: for=192.0.2.1")
    #expect(answer.status == 200)
    #expect(origin.requests.map { $0.head.values(of: "cloudfront-viewer-country") } == [["AT"]])
  }

  // MARK: Devices

  @Test func `a key with the device has an entry for each`() throws {
    let origin = try origin()
    let edge = try EdgeUnderTest(origin, preset: .static) { $0.settings.key.device = true }
    let phone = "User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 18_1) Mobile/15E148"
    for _ in 1...2 {
      #expect(try edge.get("/", phone).text == "1")
      #expect(try edge.get("/", "User-Agent: Mozilla/5.0 (X11; Linux x86_64)").text == "2")
      #expect(try edge.get("/").text == "2")
    }
    #expect(
      origin.requests.map { $0["cloudfront-is-mobile-viewer"] } == ["true", "false"])
    // The origin judges by the same, not by what the viewer says.
    #expect(origin.requests.map { $0["user-agent"] } == ["atoll", "atoll"])
  }

  @Test func `what a stale entry is refreshed with is its own viewer's`() throws {
    let origin = try ScriptedOrigin { exchange in
      try exchange.respond(
        "200 OK", "Cache-Control: max-age=0, stale-while-revalidate=60", "ETag: \"a\"",
        body: exchange.request["cloudfront-is-mobile-viewer"] ?? "none")
    }
    let edge = try EdgeUnderTest(origin, preset: .static) { $0.settings.key.device = true }
    let phone = "User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 18_1) Mobile/15E148"
    for _ in 1...3 {
      #expect(try edge.get("/", phone).text == "true")
      #expect(try edge.get("/").text == "false")
    }
  }

  // MARK: The rest of the key

  @Test func `sorted queries without tracking parameters share an entry`() throws {
    let origin = try origin()
    let edge = try EdgeUnderTest(origin) {
      $0.settings.key.sortsQuery = true
      $0.settings.key.droppedQueryStrings = ["tracking"]
    }
    for target in ["/?b=2&a=1", "/?a=1&b=2&utm_source=x", "/?gclid=1&a=1&fbclid=2&b=2"] {
      #expect(try edge.get(target).text == "1")
    }
    #expect(origin.requests.map(\.target) == ["/?a=1&b=2"])
    #expect(edge.purge(.path("/?utm_id=1&b=2&a=1")) == 1)
  }

  @Test func `an origin request is sent and not keyed`() throws {
    let origin = try origin()
    let edge = try EdgeUnderTest(origin, preset: .static) {
      $0.settings.originRequest.queryStrings = .all
      $0.settings.originRequest.cookies = .listed(["id"])
      $0.settings.originRequest.headers = .listed(["Referer"])
    }
    let first = try edge.get("/?a=1", "Cookie: id=1; other=2", "Referer: http://a.example/")
    #expect(first.text == "1")
    let request = try #require(origin.requests.first)
    #expect(request.target == "/?a=1")
    #expect(request["cookie"] == "id=1")
    #expect(request["referer"] == "http://a.example/")
    #expect(try edge.get("/?a=2", "Cookie: id=2", "Referer: http://b.example/").isHit)
  }

  @Test func `documents stand for directories, behind the behavior of the viewer's path`() throws {
    let origin = try origin()
    let edge = try EdgeUnderTest(origin, preset: .static) {
      $0.rootObject = "home.html"
      $0.indexDocument = "index.html"
      $0.behaviors = [
        PathBehavior(path: "*.html", caching: .dontCache),
        PathBehavior(path: "/a/", caching: .cache),
      ]
    }
    #expect(try edge.get("/").text == "1")
    #expect(try edge.get("/").isHit)
    #expect(try edge.get("/a/").text == "2")
    #expect(try edge.get("/a/?x=1").isHit)
    #expect(try edge.viewer().request("HEAD", "/a/").isHit)
    #expect(try edge.viewer().request("POST", "/a/", body: "x").status == 200)
    #expect(origin.requests.map(\.target) == ["/home.html", "/a/index.html", "/a/index.html"])
    #expect(edge.purge(.path("/")) == 1)
  }

  @Test func `custom headers reach every origin, a viewer's of that name none`() throws {
    let origin = try origin()
    let edge = try EdgeUnderTest(origin) {
      $0.origin.headers = [HeaderField(name: "X-Origin-Key", value: "s3cret")]
      $0.origin.hostHeader = .name("www.example.com")
    }
    _ = try edge.get("/", "X-Origin-Key: guess")
    _ = try edge.viewer().request("POST", "/", ["x-origin-key: guess"], body: "x")
    #expect(origin.requests.map { $0.head.values(of: "x-origin-key") } == [["s3cret"], ["s3cret"]])
    #expect(origin.requests.map { $0["host"] } == ["www.example.com", "www.example.com"])
  }

  @Test func `an HTTP 1.0 viewer gets what is not encoded`() throws {
    let origin = try ScriptedOrigin { exchange in
      let codings = exchange.request["accept-encoding"] ?? "none"
      try exchange.respond(
        "200 OK", "Cache-Control: max-age=60", "Vary: Accept-Encoding", body: codings)
    }
    let edge = try EdgeUnderTest(origin)
    #expect(try edge.get("/", "Accept-Encoding: gzip, br").text == "br, gzip")
    let old = try edge.viewer()
    try old.send("GET / HTTP/1.0\r\nHost: a.example\r\nAccept-Encoding: gzip\r\n\r\n")
    #expect(try old.readResponse().text == "none")
  }

  @Test func `what makes another request of it cannot poison an entry`() throws {
    let origin = try ScriptedOrigin { exchange in
      let fields = ["x-forwarded-scheme", "x-original-url", "x-host", "x-forwarded-host"]
      let seen = fields.compactMap { exchange.request[$0] }.joined(separator: ",")
      try exchange.respond("200 OK", "Cache-Control: max-age=60", body: seen)
    }
    let edge = try EdgeUnderTest(origin, preset: .static)
    let poisoned = try edge.get(
      "/", "X-Forwarded-Scheme: http", "X-Original-URL: /admin", "X-Host: evil.example",
      "X-Forwarded-Host: evil.example")
    #expect(poisoned.text.isEmpty)
    #expect(try edge.get("/").isHit)
  }
}
