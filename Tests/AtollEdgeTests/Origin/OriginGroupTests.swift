// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Glibc
import Testing

/// Several origins of a distribution, by path and one after the other (CloudFront §17).
@Suite(.timeLimit(.minutes(20)))
struct OriginGroupTests {
  private static func origin(_ text: String) throws -> ScriptedOrigin {
    try ScriptedOrigin { try $0.respond("200 OK", "Cache-Control: max-age=60", body: text) }
  }

  private static func named(_ name: String, _ port: UInt16) throws -> NamedOrigin {
    var origin = try Origin(url: "http://127.0.0.1:\(port)")
    origin.connectAttempts = 1
    origin.responseTimeout = 10
    return NamedOrigin(name: name, origin: origin)
  }

  /// A distribution whose behaviors ask "default", then "second".
  private static func group(
    _ primary: UInt16, _ secondary: UInt16, _ change: (inout Distribution) -> Void = { _ in },
    options: (inout EdgeOptions) -> Void = { _ in }
  ) throws -> EdgeUnderTest {
    let second = try named("second", secondary)
    return try EdgeUnderTest(
      originPort: primary,
      {
        $0.origins = [second]
        $0.originGroups = [OriginGroup(name: "both", members: ["default", "second"])]
        $0.settings.origin = "both"
        change(&$0)
      }, options: options)
  }

  // MARK: By path

  @Test func `each behavior asks its own origin, with that one's Host, path and patience`() throws {
    let main = try Self.origin("main")
    let images = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: no-store", body: "images")
    }
    let edge = try EdgeUnderTest(main) { distribution in
      var origin = Origin(
        scheme: .http, host: "127.0.0.1", port: images.port, path: "/bucket", connectAttempts: 1)
      origin.responseTimeout = 7
      distribution.origins = [NamedOrigin(name: "images", origin: origin)]
      var overrides = SettingsOverride()
      overrides.origin = "images"
      distribution.behaviors = [
        PathBehavior(path: "/img/*", caching: .cache, overrides: overrides)
      ]
    }
    #expect(try edge.get("/").text == "main")
    #expect(try edge.get("/img/a.png").text == "images")
    #expect(main.requests.map(\.target) == ["/"])
    #expect(main.requests[0]["host"] == "127.0.0.1:\(main.port)")
    #expect(images.requests.map(\.target) == ["/bucket/img/a.png"])
    #expect(images.requests[0]["host"] == "127.0.0.1:\(images.port)")
  }

  // MARK: Failing over

  @Test(arguments: ["GET", "HEAD", "OPTIONS"])
  func `a refused connection is followed by the next member`(method: String) throws {
    let refusing = try RefusingOrigin()
    let second = try ScriptedOrigin { try $0.respond(body: "second") }
    let edge = try Self.group(refusing.port, second.port)
    #expect(try edge.viewer().request(method, "/").status == 200)
    #expect(second.requests.first?["host"] == "127.0.0.1:\(second.port)")
  }

  @Test(arguments: ["POST", "PUT", "DELETE", "PATCH"])
  func `other methods stay with the primary`(method: String) throws {
    let refusing = try RefusingOrigin()
    let second = try Self.origin("second")
    let edge = try Self.group(refusing.port, second.port)
    #expect(try edge.viewer().request(method, "/", body: "a").status == 502)
    #expect(second.requestCount == 0)
  }

  @Test func `a connection that is never made is followed by the next member`() throws {
    let silent = try SilentOrigin()
    let second = try Self.origin("second")
    let edge = try Self.group(silent.port, second.port) { $0.origin.connectTimeout = 1 }
    #expect(try edge.get("/").text == "second")
  }

  @Test func `silence is followed by the next member, not by another attempt`() throws {
    let primary = try ScriptedOrigin { $0.stall() }
    let second = try Self.origin("second")
    let edge = try Self.group(primary.port, second.port) {
      $0.origin.responseTimeout = 1
      $0.origin.connectAttempts = 3
    }
    #expect(try edge.get("/").text == "second")
    #expect(primary.requestCount == 1)
  }

  @Test(arguments: ["nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Le", ""])
  func `a broken response head is followed by the next member`(head: String) throws {
    let primary = try ScriptedOrigin { exchange in
      try exchange.send(head)
      exchange.close()
    }
    let second = try Self.origin("second")
    let edge = try Self.group(primary.port, second.port)
    #expect(try edge.get("/").text == "second")
  }

  @Test func `a name that does not exist is followed by the next member`() throws {
    let second = try Self.origin("second")
    let edge = try Self.group(80, second.port) { $0.origin.host = "no-such-host.invalid" }
    #expect(try edge.get("/").text == "second")
  }

  @Test func `an origin over TLS, which is not to be had, is followed by the next member`() throws {
    let second = try Self.origin("second")
    let edge = try Self.group(80, second.port) { $0.origin.scheme = .https }
    #expect(try edge.get("/").text == "second")
  }

  @Test(arguments: [400, 403, 404, 416, 429, 500, 502, 503, 504])
  func `a chosen status is followed by the next member`(status: Int) throws {
    let primary = try ScriptedOrigin {
      try $0.respond("\(status) No", "Cache-Control: max-age=60", body: "first")
    }
    let second = try Self.origin("second")
    let edge = try Self.group(primary.port, second.port) {
      $0.originGroups[0].statuses = [status]
    }
    let response = try edge.get("/")
    #expect(response.status == 200)
    #expect(response.text == "second")
    // What was stored is the second's answer.
    #expect(try edge.get("/").isHit)
    #expect(primary.requestCount == 1)
  }

  @Test(arguments: [200, 204, 301, 304, 404, 500])
  func `a status that was not chosen is the answer`(status: Int) throws {
    let primary = try ScriptedOrigin { try $0.respond("\(status) So") }
    let second = try Self.origin("second")
    let edge = try Self.group(primary.port, second.port) {
      $0.originGroups[0].statuses = [503]
    }
    #expect(try edge.get("/").status == status)
    #expect(second.requestCount == 0)
  }

  @Test func `the last member's answer is the viewer's, be it an error`() throws {
    let primary = try ScriptedOrigin { try $0.respond("503 Busy", body: "first") }
    let second = try ScriptedOrigin { try $0.respond("500 Broken", body: "second") }
    let edge = try Self.group(primary.port, second.port)
    let response = try edge.get("/")
    #expect(response.status == 500)
    #expect(response.text == "second")
    let refusing = try RefusingOrigin()
    let other = try Self.group(primary.port, refusing.port)
    #expect(try other.get("/").status == 502)
  }

  @Test func `every request asks the primary first`() throws {
    let primary = try ScriptedOrigin { try $0.respond("503 Busy") }
    let second = try ScriptedOrigin { try $0.respond("200 OK", "Cache-Control: no-store") }
    let edge = try Self.group(primary.port, second.port) { $0.origin.ejection.failures = 0 }
    for _ in 1...4 { #expect(try edge.get("/").status == 200) }
    #expect(primary.requestCount == 4)
    #expect(second.requestCount == 4)
  }

  @Test func `a primary that is known to be down is not waited for`() throws {
    let primary = try ScriptedOrigin { try $0.respond("503 Busy") }
    let second = try ScriptedOrigin { try $0.respond("200 OK", "Cache-Control: no-store") }
    let edge = try Self.group(primary.port, second.port) {
      $0.origin.ejection = Ejection(failures: 2, duration: 3600)
    }
    for _ in 1...4 { #expect(try edge.get("/").status == 200) }
    #expect(primary.requestCount == 2)
    // Who does not fail over has nobody else.
    #expect(try edge.viewer().request("POST", "/", body: "a").status == 503)
    #expect(primary.requestCount == 3)
  }

  @Test func `when all members are known to be down each is asked all the same`() throws {
    let isUp = Shared(false)
    let primary = try ScriptedOrigin {
      try $0.respond(isUp.value ? "200 OK" : "503 Busy", body: "first")
    }
    let second = try ScriptedOrigin { try $0.respond("503 Busy") }
    let edge = try Self.group(primary.port, second.port) {
      $0.origin.ejection = Ejection(failures: 1, duration: 3600)
      $0.origins[0].origin.ejection = Ejection(failures: 1, duration: 3600)
    }
    #expect(try edge.get("/").status == 503)
    isUp.withLock { $0 = true }
    #expect(try edge.get("/").text == "first")
    #expect(second.requestCount == 1)
  }

  @Test func `a response that is passed over spares its connection`() throws {
    // Whole with its head, in a second piece, and chunked.
    let primary = try ScriptedOrigin { exchange in
      switch exchange.request.number % 3 {
      case 0: try exchange.respond("503 Busy", body: "short")
      case 1: try exchange.respond("503 Busy")
      default:
        try exchange.sendHead("503 Busy", "Transfer-Encoding: chunked")
        try exchange.send(chunked("some", "more"))
      }
    }
    let second = try ScriptedOrigin { try $0.respond("200 OK", "Cache-Control: no-store") }
    let edge = try Self.group(primary.port, second.port) { $0.origin.ejection.failures = 0 }
    for _ in 1...9 { #expect(try edge.get("/").status == 200) }
    #expect(primary.requestCount == 9)
    // A request that comes before the end of what was passed over opens another, but kinds of
    // responses that cost their connection would cost three.
    #expect(primary.connectionCount <= 3)
  }

  @Test func `a long response that is passed over is cut off`() throws {
    let closed = Event()
    let primary = try ScriptedOrigin { exchange in
      try exchange.sendHead("503 Busy", "Content-Length: 100000000")
      try exchange.send("begin")
      if exchange.wire.isClosedByPeer() { closed.fire() }
    }
    let second = try Self.origin("second")
    let edge = try Self.group(primary.port, second.port)
    #expect(try edge.get("/").text == "second")
    #expect(closed.wait())
  }

  @Test func `an endless chunked response that is passed over is cut off`() throws {
    let closed = Event()
    let primary = try ScriptedOrigin { exchange in
      try exchange.sendHead("503 Busy", "Transfer-Encoding: chunked")
      let piece = "1000\r\n" + String(repeating: "x", count: 4096) + "\r\n"
      do {
        while true { try exchange.send(piece) }
      } catch {
        closed.fire()
        throw error
      }
    }
    let second = try Self.origin("second")
    let edge = try Self.group(primary.port, second.port)
    #expect(try edge.get("/").text == "second")
    #expect(closed.wait())
  }

  // MARK: Together with the rest

  @Test func `validators of a stale entry go to every member, and one of them confirms it`() throws
  {
    let isFirst = Shared(true)
    let primary = try ScriptedOrigin { exchange in
      if isFirst.value {
        try exchange.respond(
          "200 OK", "Cache-Control: max-age=60", "ETag: \"v1\"",
          "Last-Modified: Sun, 01 Mar 2026 12:00:00 GMT", body: "kept")
      } else {
        try exchange.respond("503 Busy")
      }
    }
    let second = try ScriptedOrigin {
      try $0.respond("304 Not Modified", "ETag: \"v1\"", "Cache-Control: max-age=60")
    }
    let edge = try Self.group(primary.port, second.port)
    #expect(try edge.get("/").text == "kept")
    isFirst.withLock { $0 = false }
    edge.purge(.path("/"), soft: true)
    let response = try edge.get("/")
    #expect(response.text == "kept")
    #expect(response.status == 200)
    for request in [primary.requests[1], second.requests[0]] {
      #expect(request["if-none-match"] == "\"v1\"")
      #expect(request["if-modified-since"] == "Sun, 01 Mar 2026 12:00:00 GMT")
    }
    #expect(try edge.get("/").isHit)
  }

  @Test func `a stale entry stands in when the group is exhausted, not before`() throws {
    let isUp = Shared(true)
    func answer(_ text: String) throws -> ScriptedOrigin {
      try ScriptedOrigin {
        if isUp.value {
          try $0.respond("200 OK", "Cache-Control: max-age=60", body: text)
        } else {
          try $0.respond("503 Busy")
        }
      }
    }
    let primary = try answer("first")
    let second = try answer("second")
    let edge = try Self.group(primary.port, second.port)
    #expect(try edge.get("/").text == "first")
    isUp.withLock { $0 = false }
    edge.purge(.path("/"), soft: true)
    let response = try edge.get("/")
    #expect(response.text == "first")
    #expect(primary.requestCount == 2)
    #expect(second.requestCount == 1)
  }

  @Test func `viewers that wait for a fill get the next member's answer`() throws {
    let go = Event()
    let primary = try ScriptedOrigin {
      go.wait()
      try $0.respond("503 Busy", body: "no")
    }
    let second = try Self.origin("second")
    let edge = try Self.group(primary.port, second.port)
    let viewers = try (0..<5).map { _ in try edge.viewer() }
    for viewer in viewers { try viewer.send(ScriptedViewer.head("GET", "/")) }
    #expect(primary.waitFor(requests: 1))
    go.fire()
    for viewer in viewers { #expect(try viewer.readResponse().text == "second") }
    #expect(second.requestCount == 1)
  }

  @Test func `HEAD goes as GET to every member`() throws {
    let primary = try ScriptedOrigin { try $0.respond("503 Busy", body: "no") }
    let second = try Self.origin("second")
    let edge = try Self.group(primary.port, second.port)
    #expect(try edge.viewer().request("HEAD", "/").status == 200)
    #expect(primary.requests.map(\.method) == ["GET"])
    #expect(second.requests.map(\.method) == ["GET"])
    #expect(try edge.get("/").isHit)
  }

  @Test func `a viewer that leaves while the primary is silent ends the request`() throws {
    let primary = try ScriptedOrigin { $0.stall() }
    let second = try ScriptedOrigin { try $0.respond() }
    let edge = try Self.group(primary.port, second.port) {
      $0.defaultBehavior = .dontCache
    }
    let viewer = try edge.viewer()
    try viewer.send(ScriptedViewer.head("GET", "/"))
    #expect(primary.waitFor(requests: 1))
    // One that only closes its side is still answered.
    viewer.reset()
    #expect(eventually { edge.edge.connectionCount == 0 })
    #expect(second.requestCount == 0)
  }
}
