// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Glibc
import Testing

/// Connections to origins: kept, reused, and tried again only where that is harmless.
@Suite(.timeLimit(.minutes(20)))
struct PoolTests {
  @Test func `requests one after the other share a connection`() throws {
    let origin = try ScriptedOrigin { try $0.respond("200 OK", "Cache-Control: no-store") }
    let edge = try EdgeUnderTest(origin)
    for _ in 1...10 { #expect(try edge.get("/").status == 200) }
    #expect(origin.connectionCount == 1)
  }

  @Test func `requests at once take connections of their own`() throws {
    let go = Event()
    let origin = try ScriptedOrigin {
      go.wait()
      try $0.respond(body: $0.request.target)
    }
    let edge = try EdgeUnderTest(origin)
    let viewers = try (0..<8).map { _ in try edge.viewer() }
    for (index, viewer) in viewers.enumerated() {
      try viewer.send(ScriptedViewer.head("GET", "/\(index)"))
    }
    #expect(origin.waitFor(requests: 8))
    #expect(origin.connectionCount == 8)
    go.fire()
    for (index, viewer) in viewers.enumerated() {
      #expect(try viewer.readResponse().text == "/\(index)")
    }
  }

  @Test func `a connection that the origin closes is not used again`() throws {
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Connection: close", body: "\($0.request.connection)")
      $0.close()
    }
    let edge = try EdgeUnderTest(origin)
    #expect(try edge.get("/a").text == "1")
    #expect(try edge.get("/b").text == "2")
  }

  @Test(arguments: [1, 2])
  func `a connection that the origin closes without a word is no trouble`(threads: Int) throws {
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: no-store", body: "\($0.request.connection)")
      $0.close()
    }
    let edge = try EdgeUnderTest(origin, options: { $0.threads = threads })
    let viewer = try edge.viewer()
    // The end of the connection comes with the response, just after it, or with the next request.
    for number in 1...300 {
      #expect(try (number % 2 == 0 ? viewer : edge.viewer()).get("/").text == "\(number)")
    }
  }

  @Test func `an HTTP 1.0 origin gets a connection per request`() throws {
    let origin = try ScriptedOrigin {
      try $0.send("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
      $0.close()
    }
    let edge = try EdgeUnderTest(origin)
    for index in 1...3 { #expect(try edge.get("/\(index)").text == "ok") }
    #expect(origin.connectionCount == 3)
    #expect(origin.requests.allSatisfy { $0.version == "HTTP/1.1" })
  }

  /// The origin answers the first request of its first connection, then drops that connection when
  /// the next one comes, as a server does whose idle time has just ended.
  static func dying(reset: Bool) throws -> ScriptedOrigin {
    try ScriptedOrigin { exchange in
      let body = try exchange.readBody()
      if exchange.request.number == 2 { return reset ? exchange.reset() : exchange.close() }
      try exchange.respond(
        "200 OK", "Cache-Control: no-store", body: "\(exchange.request.method) \(body.count)")
    }
  }

  @Test(arguments: [true, false], ["GET", "HEAD", "OPTIONS"])
  func `a safe request is repeated when a kept connection turns out dead`(
    reset: Bool, method: String
  ) throws {
    let origin = try Self.dying(reset: reset)
    let edge = try EdgeUnderTest(origin)
    #expect(try edge.get("/").status == 200)
    #expect(try edge.viewer().request(method, "/").status == 200)
    #expect(origin.requests.map(\.connection) == [1, 1, 2])
  }

  @Test(arguments: [true, false], ["POST", "PATCH", "DELETE", "PUT"])
  func `an unsafe request is not repeated`(reset: Bool, method: String) throws {
    let origin = try Self.dying(reset: reset)
    let edge = try EdgeUnderTest(origin)
    #expect(try edge.get("/").status == 200)
    #expect(try edge.viewer().request(method, "/", body: "abc").status == 502)
    #expect(origin.requestCount == 2)
  }

  @Test func `a fresh connection that dies is not tried forever`() throws {
    let origin = try ScriptedOrigin { $0.close() }
    let edge = try EdgeUnderTest(origin)
    let response = try edge.get("/")
    #expect(response.status == 502)
    #expect(origin.requestCount <= 3)
  }

  @Test func `bytes after a response are never taken for the next one`() throws {
    let origin = try ScriptedOrigin {
      try $0.send(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
      )
    }
    let edge = try EdgeUnderTest(origin)
    #expect(try edge.get("/a").text == "ok")
    #expect(try edge.get("/b").text == "ok")
    #expect(origin.requests.map(\.connection) == [1, 2])
  }

  @Test func `bytes that come while a connection is idle spoil it`() throws {
    let answered = Event()
    let closed = Event()
    let origin = try ScriptedOrigin { exchange in
      guard exchange.request.number == 1 else { return try exchange.respond(body: "two") }
      try exchange.respond(body: "one")
      answered.wait()
      try exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
      if exchange.wire.isClosedByPeer() { closed.fire() }
    }
    let edge = try EdgeUnderTest(origin)
    #expect(try edge.get("/a").text == "one")
    answered.fire()
    #expect(closed.wait())
    #expect(try edge.get("/b").text == "two")
  }

  @Test func `an idle connection is kept for its time and no longer`() throws {
    let closed = Event()
    let origin = try ScriptedOrigin { exchange in
      try exchange.respond(body: "ok")
      if exchange.wire.isClosedByPeer() { closed.fire() }
    }
    let edge = try EdgeUnderTest(origin) { $0.origin.keepAliveTimeout = 1 }
    #expect(try edge.get("/").text == "ok")
    #expect(closed.wait(within: 5))
  }

  @Test func `the body of a response to HEAD is not expected`() throws {
    let origin = try ScriptedOrigin {
      let body = String(repeating: "x", count: 1000)
      try $0.respond("200 OK", "Cache-Control: no-store", body: body)
    }
    let edge = try EdgeUnderTest(origin) { $0.defaultBehavior = .dontCache }
    let viewer = try edge.viewer()
    for _ in 1...2 {
      let response = try viewer.request("HEAD", "/")
      #expect(response["content-length"] == "1000")
      #expect(response.body.count == 0)
    }
    #expect(origin.requests.map(\.method) == ["HEAD", "HEAD"])
    #expect(origin.connectionCount == 1)
  }

  @Test func `more requests than connections wait, and none is forgotten`() throws {
    raiseDescriptorLimit()
    let go = Event()
    let origin = try ScriptedOrigin {
      go.wait(within: 30)
      try $0.respond("200 OK", "Connection: close", body: "ok")
      $0.close()
    }
    // Later lookups give an address that no socket can connect to.
    let isUp = Shared(true)
    let resolver = Resolver(
      pool: WorkerPool(threads: 1),
      source: .init(
        addresses: { _ in
          .success([SocketAddress(host: isUp.value ? "127.0.0.1" : "255.255.255.255", port: 0)!])
        },
        lifetime: { _, _ in 1 }))
    let edge = try EdgeUnderTest(
      origin,
      {
        $0.origin.host = "origin.test"
        $0.origin.responseTimeout = 60
      },
      options: {
        $0.resolver = resolver
        $0.maxConnections = 4000
      })
    let viewers = try (0..<(Limits.originConnections * 2 + 100)).map { _ in try edge.viewer() }
    for (index, viewer) in viewers.enumerated() {
      try viewer.send(ScriptedViewer.head("GET", "/\(index)"))
    }
    #expect(origin.waitFor(requests: Limits.originConnections, within: 30))
    usleep(1_200_000)
    #expect(origin.connectionCount == Limits.originConnections)
    isUp.withLock { $0 = false }
    // The next lookup is a new one: what was found is older than its second.
    #expect(Self.hasChanged(resolver))
    go.fire()
    var statuses: [Int: Int] = [:]
    for viewer in viewers { statuses[try viewer.readResponse().status, default: 0] += 1 }
    #expect(statuses == [200: Limits.originConnections, 502: Limits.originConnections + 100])
  }

  private static func hasChanged(_ resolver: Resolver) -> Bool {
    for _ in 0..<300 {
      let changed = Event()
      resolver.resolve(host: "origin.test", port: 80) { answer in
        if case .success(let found) = answer, found.first?.host == "255.255.255.255" {
          changed.fire()
        }
      }
      if changed.wait(within: 0.05) { return true }
    }
    return false
  }
}
