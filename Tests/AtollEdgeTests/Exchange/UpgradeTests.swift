// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Glibc
import TestSupport
import Testing

/// WebSocket and other upgrades (RFC 9110 §7.8, RFC 6455, CloudFront §28).
@Suite(.timeLimit(.minutes(20)))
struct UpgradeTests {
  private static let fields = [
    "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: chat",
  ]
  private static let accepted =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n"

  /// An origin that switches and then does as the test says.
  private func switching(_ then: @escaping @Sendable (Wire) throws -> Void) throws
    -> ScriptedOrigin
  {
    try ScriptedOrigin { exchange in
      try exchange.send(Self.accepted)
      try then(exchange.wire)
      exchange.close()
    }
  }

  private func echoing() throws -> ScriptedOrigin {
    try switching { wire in
      while wire.pendingCount > 0 ? true : try wire.receive() {
        try wire.send(wire.take(wire.pendingCount))
      }
    }
  }

  private func connect(_ edge: EdgeUnderTest, _ path: String = "/chat") throws -> ScriptedViewer {
    let viewer = try edge.viewer()
    try viewer.send(ScriptedViewer.head("GET", path, Self.fields))
    let response = try viewer.readResponseHead()
    #expect(response.status == 101)
    return viewer
  }

  @Test(arguments: Preset.allCases)
  func `the handshake passes in every preset`(preset: Preset) throws {
    let origin = try echoing()
    let edge = try EdgeUnderTest(origin, preset: preset)
    let viewer = try edge.viewer()
    try viewer.send(ScriptedViewer.head("GET", "/chat", Self.fields + ["Origin: https://a"]))
    let response = try viewer.readResponseHead()
    #expect(response.status == 101)
    #expect(response.head.list("connection").map { $0.lowercased() } == ["upgrade"])
    #expect(response["upgrade"] == "websocket")
    #expect(response["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    #expect(response["sec-websocket-protocol"] == "chat")
    #expect(response["content-length"] == nil && response["transfer-encoding"] == nil)
    let request = try #require(origin.requests.first)
    #expect(request["connection"]?.lowercased() == "upgrade")
    #expect(request["upgrade"] == "websocket")
    #expect(request["sec-websocket-key"] == "dGhlIHNhbXBsZSBub25jZQ==")
    #expect(request["sec-websocket-version"] == "13")
    #expect(request["sec-websocket-protocol"] == "chat")
    #expect(request["origin"] == "https://a")
    try viewer.send("ping")
    #expect(try viewer.wire.read(4) == Array("ping".utf8))
  }

  @Test func `bytes pass both ways, those beside the heads first`() throws {
    let origin = try ScriptedOrigin { exchange in
      // In one piece with the 101.
      try exchange.send(Self.accepted + "early")
      while try exchange.wire.receive() {
        try exchange.send(exchange.wire.take(exchange.wire.pendingCount))
      }
      exchange.close()
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    // Not allowed of a WebSocket client, but of other protocols'.
    try viewer.send(ScriptedViewer.head("GET", "/", Self.fields) + "eager")
    #expect(try viewer.readResponseHead().status == 101)
    #expect(try viewer.wire.read(10) == Array("earlyeager".utf8))
    for _ in 0..<20 {
      try viewer.send("x")
      #expect(try viewer.wire.read(1) == [0x78])
    }
  }

  @Test func `megabytes pass whole in both directions at once`() throws {
    let size = 8 << 20
    let pattern = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 12) }
    let origin = try echoing()
    let edge = try EdgeUnderTest(origin)
    let viewer = try connect(edge)
    let sender = TestThread { try? viewer.send(pattern) }
    #expect(try viewer.wire.read(size) == pattern)
    #expect(sender.join())
    viewer.halfClose()
    #expect(viewer.isClosed())
    #expect(eventually { edge.edge.connectionCount == 0 })
    let counts = edge.edge.counters()[0]
    #expect(counts.requests(.pass) == 1 && counts.count(.upgrade) == 1)
    #expect(counts.bytes(.pass) > UInt64(size) && counts.bytes(.pass) < UInt64(size) + 2_000)
  }

  @Test func `a reader that stands still holds the sender back`() throws {
    let released = Event()
    let sent = Shared(0)
    let size = 64 << 20
    let origin = try switching { wire in
      let chunk = [UInt8](repeating: 7, count: 65_536)
      var total = 0
      while total < size {
        total += try wire.sendSome(chunk)
        sent.withLock { $0 = total }
      }
      released.fire()
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer(receiveBuffer: 8_192)
    try viewer.send(ScriptedViewer.head("GET", "/", Self.fields))
    #expect(try viewer.readResponseHead().status == 101)
    // The sender fills the kernel's buffers and then waits; the edge holds next to nothing.
    #expect(!released.wait(within: 1))
    let before = sent.value
    #expect(before < size / 2)
    #expect(edge.edge.budget.used < 32 << 20)
    #expect(try viewer.wire.discard(size) == size)
    #expect(released.wait())
  }

  @Test func `each side may end first while the other speaks on`() throws {
    let origin = try switching { wire in
      // Speaks only when it has heard everything.
      var bytes: [UInt8] = []
      while try wire.receive() { bytes += wire.take(wire.pendingCount) }
      try wire.send(Array(bytes.reversed()))
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try connect(edge)
    try viewer.send("abc")
    viewer.halfClose()
    #expect(try viewer.wire.read(3) == Array("cba".utf8))
    #expect(viewer.isClosed())

    let heard = Shared<[UInt8]>([])
    let ended = Event()
    let other = try switching { wire in
      try wire.send("bye")
      wire.halfClose()
      while try wire.receive() {
        let bytes = wire.take(wire.pendingCount)
        heard.withLock { $0 += bytes }
      }
      ended.fire()
    }
    let second = try EdgeUnderTest(other)
    let listener = try connect(second)
    #expect(try listener.wire.read(3) == Array("bye".utf8))
    #expect(listener.isClosed())
    try listener.send("still here")
    listener.halfClose()
    #expect(ended.wait())
    #expect(heard.value == Array("still here".utf8))
    #expect(eventually { second.edge.connectionCount == 0 })
  }

  @Test func `a reset passes on as a reset`() throws {
    let go = Event()
    let origin = try switching { wire in
      go.wait()
      wire.reset()
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try connect(edge)
    go.fire()
    #expect(viewer.isClosed())
    #expect(eventually { edge.edge.connectionCount == 0 })

    let gone = Event()
    let second = try switching { wire in
      #expect(wire.isClosedByPeer())
      gone.fire()
    }
    let other = try EdgeUnderTest(second)
    try connect(other).reset()
    #expect(gone.wait())
  }

  @Test func `silence of both ends it, bytes of either keep it`() throws {
    let origin = try echoing()
    let edge = try EdgeUnderTest(origin) { $0.settings.upgradeTimeout = 1 }
    let viewer = try connect(edge)
    let start = Clock.now()
    for _ in 0..<5 {
      usleep(400_000)
      try viewer.send("x")
      #expect(try viewer.wire.read(1) == [0x78])
    }
    #expect(Clock.now() - start > 1.9)
    #expect(viewer.isClosed(within: 5))
  }

  @Test func `it outlasts the timeouts of requests`() throws {
    let edge = try EdgeUnderTest(try echoing()) {
      $0.origin.responseTimeout = 1
    } options: {
      $0.idleTimeout = 1
      $0.bodyTimeout = 1
      $0.headTimeout = 1
    }
    let viewer = try connect(edge)
    usleep(1_700_000)
    try viewer.send("x")
    #expect(try viewer.wire.read(1) == [0x78])
  }

  @Test(arguments: [
    "HTTP/1.0 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: Upgrade\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
  ])
  func `a 101 that is none is a bad gateway`(head: String) throws {
    let origin = try ScriptedOrigin {
      try $0.send(head)
      $0.stall()
    }
    let edge = try EdgeUnderTest(origin)
    let response = try edge.viewer().request("GET", "/", Self.fields)
    #expect(response.status == 502)
    #expect(response.cacheStatus.contains("detail=origin-bad-response"))
  }

  @Test(arguments: [
    [], ["Upgrade: websocket"], ["Connection: Upgrade"],
    ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"],
  ])
  func `a 101 that nobody asked for is a bad gateway`(fields: [String]) throws {
    let origin = try ScriptedOrigin {
      try $0.send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
      $0.stall()
    }
    let edge = try EdgeUnderTest(origin)
    #expect(try edge.viewer().request("GET", "/", fields).status == 502)
    #expect(try #require(origin.requests.first)["upgrade"] == nil)
  }

  @Test func `HTTP 1.0 cannot upgrade`() throws {
    let origin = try ScriptedOrigin { try $0.respond(body: "plain") }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    try viewer.send(
      "GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    #expect(try viewer.readResponse().text == "plain")
    #expect(try #require(origin.requests.first)["upgrade"] == nil)
  }

  @Test(arguments: [("426 Upgrade Required", 426), ("200 OK", 200), ("403 Forbidden", 403)])
  func `an origin that does not switch gives an ordinary response`(line: String, status: Int) throws
  {
    let origin = try ScriptedOrigin {
      try $0.respond(line, "Cache-Control: max-age=60", body: "no")
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    for count in 1...2 {
      let response = try viewer.request("GET", "/", Self.fields)
      #expect(response.status == status && response.text == "no")
      // Neither stored nor answered from the cache.
      #expect(origin.requestCount == count)
    }
  }

  @Test func `an entry of the same URL does not answer an upgrade`() throws {
    let origin = try ScriptedOrigin { exchange in
      if exchange.request["upgrade"] == nil {
        try exchange.respond("200 OK", "Cache-Control: max-age=60", body: "page")
      } else {
        try exchange.send(Self.accepted + "socket")
        exchange.stall()
      }
    }
    let edge = try EdgeUnderTest(origin)
    #expect(try edge.get("/").text == "page")
    let viewer = try edge.viewer()
    try viewer.send(ScriptedViewer.head("GET", "/", Self.fields))
    #expect(try viewer.readResponseHead().status == 101)
    #expect(try viewer.wire.read(6) == Array("socket".utf8))
    #expect(try edge.get("/").isHit)
  }

  @Test func `upgraded connections take no place among those for requests`() throws {
    let origin = try ScriptedOrigin { exchange in
      if exchange.request["upgrade"] == nil {
        try exchange.respond("200 OK", "Cache-Control: no-store", body: "page")
      } else {
        try exchange.send(Self.accepted)
        exchange.stall()
      }
    }
    raiseDescriptorLimit()
    let edge = try EdgeUnderTest(origin)
    var viewers: [ScriptedViewer] = []
    for _ in 0..<Limits.originConnections + 8 { viewers.append(try connect(edge)) }
    #expect(try edge.get("/").text == "page")
    for viewer in viewers { viewer.close() }
    #expect(eventually { edge.edge.connectionCount == 0 })
  }

  @Test func `a drain leaves it a moment and then ends it`() throws {
    let edge = try EdgeUnderTest(try echoing())
    let viewer = try connect(edge)
    let isDrained = Shared<Bool?>(nil)
    let drain = TestThread {
      let result = edge.edge.drain(timeout: 20)
      isDrained.withLock { $0 = result }
    }
    usleep(300_000)
    try viewer.send("x")
    #expect(try viewer.wire.read(1) == [0x78])
    #expect(viewer.isClosed(within: 10))
    #expect(drain.join())
    #expect(isDrained.value == true)
  }

  @Test func `stopping the edge ends it at once`() throws {
    let edge = try EdgeUnderTest(try echoing())
    let viewer = try connect(edge)
    edge.stop()
    #expect(viewer.isClosed())
  }

  @Test func `it is logged once, at its end, with all bytes`() throws {
    let directory = TemporaryDirectory()
    let path = directory.file("access.log")
    let edge = try EdgeUnderTest(try echoing()) { _ in
    } options: {
      $0.log(to: path)
    }
    let viewer = try connect(edge)
    let bytes = [UInt8](repeating: 1, count: 10_000)
    try viewer.send(bytes)
    #expect(try viewer.wire.read(10_000) == bytes)
    viewer.halfClose()
    #expect(viewer.isClosed())
    #expect(eventually { edge.edge.connectionCount == 0 })
    edge.stop()
    let lines = (readText(path) ?? "").split(separator: "\n")
    #expect(lines.count == 1)
    let line = lines.first.map(String.init) ?? ""
    #expect(line.contains("\"status\":101"))
    #expect(line.contains("\"reason\":\"upgrade\""))
    #expect(line.contains("\"bytesReceived\":10000"))
  }
}
