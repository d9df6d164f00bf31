// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Testing

/// What RFC 9111 asks of a shared cache, where it takes a running edge to see it. The decisions have
/// tables of their own.
@Suite(.timeLimit(.minutes(20)))
struct SharedCacheTests {
  private static let fresh = "Cache-Control: max-age=600"

  // MARK: Fields for one viewer

  @Test(arguments: ["private", "no-cache"])
  func `named fields are for the first viewer alone (§5.2.2.4, §5.2.2.7)`(
    _ directive: String
  ) throws {
    let more = Event()
    let origin = try ScriptedOrigin {
      try $0.send(
        "HTTP/1.1 200 OK\r\n\(Self.fresh), \(directive)=\"x-own, set-cookie\"\r\nX-Own: 1\r\n"
          + "Set-Cookie: a=b\r\nX-All: 2\r\nContent-Length: 2\r\n\r\na")
      more.wait()
      try $0.send("b")
    }
    let edge = try EdgeUnderTest(origin)
    let viewers = try [edge.viewer(), edge.viewer()]
    for viewer in viewers { try viewer.send(ScriptedViewer.head("GET", "/")) }
    var owners = 0
    for viewer in viewers {
      let response = try viewer.readResponseHead()
      #expect(response["x-all"] == "2")
      let isOwner = !response.cacheStatus.contains("collapsed")
      #expect((response["x-own"] == "1") == isOwner)
      #expect((response["set-cookie"] == "a=b") == isOwner)
      if isOwner { owners += 1 }
    }
    #expect(owners == 1)
    more.fire()
    for viewer in viewers { #expect(try viewer.wire.read(2) == Array("ab".utf8)) }
    let hit = try edge.get("/")
    #expect(hit.isHit)
    #expect(hit["x-own"] == nil)
    #expect(hit["set-cookie"] == nil)
    #expect(hit["x-all"] == "2")
  }

  @Test func `Age passes a miss unchanged and is reckoned for everybody else (§4, §5.1)`() throws {
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", Self.fresh, "Age: 30, 7", "Date: \(CachingTests.date(-90))")
    }
    let edge = try EdgeUnderTest(origin)
    #expect(try edge.get("/")["age"] == "30, 7")
    let hit = try edge.get("/")
    #expect(hit.head.values(of: "age").count == 1)
    // The message is older than it says.
    #expect(try #require(hit["age"].flatMap { Int($0) }) >= 89)
    let plain = try ScriptedOrigin { try $0.respond("200 OK", Self.fresh) }
    let other = try EdgeUnderTest(plain)
    #expect(try other.get("/")["age"] == nil)
    #expect(try other.get("/")["age"] != nil)
  }

  // MARK: Targeted fields

  @Test func `targeted fields decide and are passed on (RFC 9213)`() throws {
    let origin = try ScriptedOrigin {
      try $0.respond(
        "200 OK", "CDN-Cache-Control: max-age=600", "Cache-Control: no-store", "Expires: 0")
    }
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/")
    let hit = try edge.get("/")
    #expect(hit.isHit)
    #expect(hit["cdn-cache-control"] == "max-age=600")
    #expect(hit["cache-control"] == "no-store")
    #expect(hit["expires"] == "0")
  }

  // MARK: Validation

  /// An origin whose first response is due for validation at once, and whose second is a 304 with
  /// these fields if it was asked whether something had changed.
  private func validating(_ first: [String], _ update: [String]) throws -> ScriptedOrigin {
    try ScriptedOrigin { exchange in
      let request = exchange.request
      if request["if-none-match"] != nil || request["if-modified-since"] != nil {
        return try exchange.send(
          (["HTTP/1.1 304 Not Modified"] + update).joined(separator: "\r\n") + "\r\n\r\n")
      }
      let body = "\(request.number)"
      try exchange.send(
        (["HTTP/1.1 200 OK"] + first + ["Content-Length: \(body.utf8.count)"])
          .joined(separator: "\r\n") + "\r\n\r\n" + body)
    }
  }

  @Test func `a 304 about something else is not used (§4.3.4)`() throws {
    let origin = try validating(
      ["Cache-Control: max-age=0", "ETag: \"a\""], ["ETag: \"b\"", Self.fresh])
    let edge = try EdgeUnderTest(origin)
    #expect(try edge.get("/").text == "1")
    let second = try edge.get("/")
    #expect(second.status == 200)
    #expect(second.text == "3")
    #expect(origin.requests.map { $0["if-none-match"] } == [nil, "\"a\"", nil])
  }

  @Test func `both validators are sent (§4.3.1)`() throws {
    let time = CachingTests.date(-9000)
    let origin = try validating(
      ["Cache-Control: no-cache", "ETag: W/\"a\"", "Last-Modified: \(time)"], ["ETag: W/\"a\""])
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/")
    let second = try edge.get("/")
    #expect(second.text == "1")
    #expect(second.cacheStatus.contains("fwd=stale"))
    #expect(second.cacheStatus.contains("fwd-status=304"))
    let asked = try #require(origin.requests.last)
    #expect(asked["if-none-match"] == "W/\"a\"")
    #expect(asked["if-modified-since"] == time)
  }

  @Test func `a 304 renews fields, lifetime and tags (§3.2)`() throws {
    let origin = try validating(
      ["Cache-Control: max-age=0", "ETag: \"a\"", "X-A: old", "X-B: kept", "Cache-Tag: old"],
      ["ETag: \"a\"", Self.fresh, "X-A: new", "Cache-Tag: new", "Content-Length: 9"])
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/")
    #expect(try edge.get("/")["x-a"] == "new")
    let hit = try edge.get("/")
    #expect(hit.isHit)
    #expect(hit["x-a"] == "new")
    #expect(hit["x-b"] == "kept")
    #expect(hit["content-length"] == "1")
    edge.purge(.tag("old"))
    #expect(try edge.get("/").isHit)
    edge.purge(.tag("new"))
    #expect(try !edge.get("/").isHit)
  }

  @Test func `a 304 with another Vary makes another variant of it (§4.1)`() throws {
    let origin = try validating(
      ["Cache-Control: max-age=0", "ETag: \"a\"", "Vary: X-A"],
      ["ETag: \"a\"", Self.fresh, "Vary: X-B"])
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/", "X-A: 1", "X-B: 1")
    #expect(try edge.get("/", "X-A: 1", "X-B: 1").status == 200)
    #expect(try edge.get("/", "X-A: 2", "X-B: 1").isHit)
    #expect(try !edge.get("/", "X-A: 1", "X-B: 2").isHit)
  }

  @Test func `who joins a validation keeps its own conditions (§4, §5.2.1)`() throws {
    let go = Event()
    let origin = try ScriptedOrigin { exchange in
      if exchange.request.number == 2 { go.wait() }
      if exchange.request["if-none-match"] != nil {
        return try exchange.send(
          "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\(Self.fresh)\r\nAge: 50\r\n\r\n")
      }
      try exchange.respond("200 OK", "Cache-Control: max-age=0", "ETag: \"a\"")
    }
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/")
    let first = try edge.viewer()
    try first.send(ScriptedViewer.head("GET", "/"))
    #expect(origin.waitFor(requests: 2))
    let picky = try edge.viewer()
    try picky.send(ScriptedViewer.head("GET", "/", ["Cache-Control: max-age=20"]))
    let patient = try edge.viewer()
    try patient.send(ScriptedViewer.head("GET", "/"))
    // On one loop: when this is answered, the others have joined.
    _ = try edge.viewer().request("TRACE", "/")
    go.fire()
    #expect(try first.readResponse().status == 200)
    #expect(try patient.readResponse().cacheStatus.contains("collapsed"))
    let response = try picky.readResponse()
    #expect(!response.cacheStatus.contains("collapsed"))
    #expect(response.cacheStatus.contains("collapsed=?0"))
    #expect(origin.requestCount == 3)
  }

  @Test func `immutable spares reloads, not forced ones (RFC 8246 §2.1)`() throws {
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", Self.fresh + ", immutable", "Age: 5")
    }
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/")
    #expect(try edge.get("/", "Cache-Control: max-age=0").isHit)
    #expect(try !edge.get("/", "Cache-Control: no-cache").isHit)
  }

  // MARK: Vary

  @Test func `equal values of different looks share a variant (§4.1)`() throws {
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", Self.fresh, "Vary: Accept-Language, X-List")
    }
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/", "Accept-Language: de, en;q=0.5", "X-List: a", "X-List: b")
    #expect(try edge.get("/", "Accept-Language: EN; q=0.50,de", "X-List: a,b").isHit)
    #expect(try !edge.get("/", "Accept-Language: de, en;q=0.4", "X-List: a,b").isHit)
    #expect(try !edge.get("/", "Accept-Language: de, en;q=0.5", "X-List: b,a").isHit)
    #expect(origin.requestCount == 3)
  }

  @Test func `a response without Vary hides none that has it (§4.1)`() throws {
    let origin = try ScriptedOrigin { exchange in
      let language = exchange.request["accept-language"]
      if let language {
        try exchange.respond("200 OK", Self.fresh, "Vary: Accept-Language", body: language)
      } else {
        try exchange.respond("200 OK", Self.fresh, body: "default")
      }
    }
    let edge = try EdgeUnderTest(origin)
    #expect(try edge.get("/", "Accept-Language: de").text == "de")
    #expect(try edge.get("/").text == "default")
    let german = try edge.get("/", "Accept-Language: de")
    #expect(german.isHit)
    #expect(german.text == "de")
  }

  @Test(arguments: [(0, -50, "1"), (-50, 0, "2")])
  func `of two that match the one with the later Date is used (§4)`(
    _ first: Int, _ second: Int, _ chosen: String
  ) throws {
    let origin = try ScriptedOrigin {
      let isFirst = $0.request["foo"] == "1"
      try $0.respond(
        "200 OK", Self.fresh, isFirst ? "Vary: Foo" : "Vary: Bar",
        "Date: \(CachingTests.date(isFirst ? first : second))", body: isFirst ? "1" : "2")
    }
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/", "Foo: 1", "Bar: 1")
    _ = try edge.get("/", "Foo: 2", "Bar: 1")
    let both = try edge.get("/", "Foo: 1", "Bar: 1")
    #expect(both.isHit)
    #expect(both.text == chosen)
  }

  @Test func `too many variants in use keep another out, which says so`() throws {
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", Self.fresh, "Vary: X-A", body: $0.request["x-a"] ?? "")
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    for number in 0..<Limits.variantsPerKey {
      _ = try viewer.get("/", "X-A: \(number)")
      #expect(try viewer.get("/", "X-A: \(number)").isHit)
    }
    let refused = try viewer.get("/", "X-A: more")
    #expect(refused.text == "more")
    #expect(refused.cacheStatus.contains("detail=vary-limit"))
    #expect(!refused.cacheStatus.contains("stored"))
    #expect(try viewer.get("/", "X-A: 0").isHit)
  }

  // MARK: Invalidation

  @Test(arguments: [
    ("Location", "/b?c", true), ("Content-Location", "/b?c", true), ("Location", "b?c", true),
    ("Location", "http://test.example/b?c", true), ("Location", "HTTP://TEST.EXAMPLE:80/b?c", true),
    ("Location", "//test.example/x/../b?c#f", true),
    ("Location", "http://other.example/b?c", false),
    ("Location", "https://test.example/b?c", false), ("Location", "/b", false),
    ("Content-Location", "http://test.example:81/b?c", false), ("X-Location", "/b?c", false),
  ])
  func `a successful unsafe request invalidates what it names of its origin (§4.4)`(
    name: String, value: String, expected: Bool
  ) throws {
    let origin = try ScriptedOrigin {
      _ = try $0.readBody()
      if $0.request.method == "POST" {
        return try $0.respond("201 Created", "\(name): \(value)", Self.fresh)
      }
      try $0.respond("200 OK", Self.fresh, "Vary: X-A")
    }
    let edge = try EdgeUnderTest(origin)
    for variant in ["1", "2"] { _ = try edge.get("/b?c", "X-A: \(variant)") }
    _ = try edge.viewer().request("POST", "/a", body: "x")
    for variant in ["1", "2"] {
      #expect(try edge.get("/b?c", "X-A: \(variant)").isHit == !expected)
    }
  }

  @Test func `a failed one invalidates nothing that it names`() throws {
    let origin = try ScriptedOrigin {
      _ = try $0.readBody()
      if $0.request.method == "POST" {
        return try $0.respond("500 Internal Server Error", "Location: /b")
      }
      try $0.respond("200 OK", Self.fresh)
    }
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/b")
    _ = try edge.viewer().request("POST", "/a", body: "x")
    #expect(try edge.get("/b").isHit)
  }

  @Test func `a fetch that nobody joins is overtaken, too (§4.4)`() throws {
    let more = Event()
    let origin = try ScriptedOrigin { exchange in
      _ = try exchange.readBody()
      if exchange.request.number == 2 {
        try exchange.sendHead("200 OK", Self.fresh, "Content-Length: 3")
        more.wait()
        return try exchange.send("old")
      }
      try exchange.respond("200 OK", Self.fresh, body: "new")
    }
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/a")
    let viewer = try edge.viewer()
    try viewer.send(ScriptedViewer.head("GET", "/a", ["Cache-Control: no-cache"]))
    let response = try viewer.readResponseHead()
    _ = try edge.viewer().request("POST", "/a", body: "x")
    more.fire()
    #expect(try viewer.readBody(of: response).bytes == Array("old".utf8))
    #expect(try edge.get("/a").text == "new")
  }

  // MARK: Cache-Status

  @Test func `an upstream cache's Cache-Status stands before the edge's (RFC 9211 §2)`() throws {
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", Self.fresh, "Cache-Status: Upstream; hit; ttl=9")
    }
    let edge = try EdgeUnderTest(origin)
    for isHit in [false, true] {
      let members = try edge.get("/").head.list("cache-status")
      #expect(members.count == 2)
      #expect(members.first == "Upstream; hit; ttl=9")
      #expect(members.last?.hasPrefix(isHit ? "atoll; hit" : "atoll; fwd=uri-miss") == true)
    }
  }

  @Test func `the key is for trusted proxies alone (RFC 9211 §2.7)`() throws {
    let origin = try ScriptedOrigin { try $0.respond("200 OK", Self.fresh) }
    let trusting = try EdgeUnderTest(origin) { $0.trustedProxies = ["127.0.0.1"] }
    let key = "key=\"/a?b test.example\""
    for _ in 0..<2 { #expect(try trusting.get("/a?b").cacheStatus.contains(key)) }
    let edge = try EdgeUnderTest(origin)
    for _ in 0..<2 {
      #expect(try !edge.get("/a?b").cacheStatus.contains { $0.hasPrefix("key=") })
    }
  }

  // MARK: Messages

  @Test func `interim responses pass even in one segment with the final one (9110 §15.2)`() throws {
    let origin = try ScriptedOrigin {
      try $0.send(
        "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"
          + "HTTP/1.1 200 OK\r\n\(Self.fresh)\r\nContent-Length: 2\r\n\r\nok")
    }
    let edge = try EdgeUnderTest(origin)
    let response = try edge.get("/")
    #expect(response.interim == [103, 103])
    #expect(response.text == "ok")
    #expect(response["link"] == nil)
    let hit = try edge.get("/")
    #expect(hit.isHit)
    #expect(hit.interim.isEmpty)
    #expect(hit["link"] == nil)
  }

  @Test func `trailers become no fields of the response (9110 §6.5.1, 9111 §3.1)`() throws {
    let origin = try ScriptedOrigin {
      try $0.send(
        "HTTP/1.1 200 OK\r\n\(Self.fresh)\r\nTrailer: X-T, Cache-Control\r\n"
          + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\nCache-Control: no-store\r\n"
          + "Set-Cookie: a=b\r\n\r\n")
    }
    let edge = try EdgeUnderTest(origin)
    for isHit in [false, true] {
      let response = try edge.get("/")
      #expect(response.text == "ok")
      #expect(response.isHit == isHit)
      #expect(response["x-t"] == nil)
      #expect(response["set-cookie"] == nil)
    }
  }

  @Test(arguments: ["gzip, chunked", "chunked, foo", "foo", "chunked, chunked"])
  func `an unknown transfer coding is refused (9112 §6.1)`(_ coding: String) throws {
    let origin = try ScriptedOrigin {
      try $0.send(
        "HTTP/1.1 200 OK\r\n\(Self.fresh)\r\nTransfer-Encoding: \(coding)\r\n\r\n0\r\n\r\n")
      $0.halfClose()
    }
    #expect(try EdgeUnderTest(origin).get("/").status == 502)
  }

  @Test func `what Connection lists is neither passed on nor stored (9111 §3.1)`() throws {
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", Self.fresh, "Connection: X-A", "X-A: 1", "X-B: 2")
    }
    let edge = try EdgeUnderTest(origin)
    for _ in 0..<2 {
      let response = try edge.get("/")
      #expect(response["x-a"] == nil)
      #expect(response["x-b"] == "2")
    }
  }

  @Test func `a Content-Range that means nothing is stored like any field (9111 §3.1)`() throws {
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", Self.fresh, "Content-Range: odd", "ETag: \"a\"", body: "0123456789")
    }
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/")
    #expect(try edge.get("/")["content-range"] == "odd")
    let part = try edge.get("/", "Range: bytes=2-3")
    #expect(part.text == "23")
    #expect(part.head.values(of: "content-range") == ["bytes 2-3/10"])
  }
}
