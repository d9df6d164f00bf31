// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

/// The limits of `Limits`, each with the status that says which one it was.
@Suite(.timeLimit(.minutes(20)))
struct LimitTests {
  let origin: ScriptedOrigin

  init() throws { origin = try ScriptedOrigin { try $0.respond(body: "ok") } }

  static func target(length: Int) -> String { "/" + String(repeating: "a", count: length - 1) }

  @Test func `the longest target passes and one byte more is 414`() throws {
    let edge = try EdgeUnderTest(origin)
    #expect(try edge.get(Self.target(length: Limits.target)).status == 200)
    let viewer = try edge.viewer()
    #expect(try viewer.get(Self.target(length: Limits.target + 1)).status == 414)
    #expect(viewer.isClosed())
    #expect(origin.requestCount == 1)
  }

  @Test func `a target without end is 414 before the head ends`() throws {
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    try viewer.send("GET " + Self.target(length: Limits.target + 1))
    #expect(try viewer.readResponse().status == 414)
    #expect(viewer.isClosed())
  }

  /// A request whose head has exactly so many bytes.
  static func head(length: Int) -> String {
    let start = "GET / HTTP/1.1\r\nHost: a\r\n"
    var fields: [String] = []
    var left = length - start.utf8.count - 2
    while left > 0 {
      let line = left > 2000 ? 1000 : left
      fields.append("X-Fill: " + String(repeating: "x", count: line - 10) + "\r\n")
      left -= line
    }
    return start + fields.joined() + "\r\n"
  }

  @Test func `the largest head passes and one byte more is 431`() throws {
    let edge = try EdgeUnderTest(origin)
    let fits = try edge.viewer()
    try fits.send(Self.head(length: Limits.requestHead))
    #expect(try fits.readResponse().status == 200)
    let exceeds = try edge.viewer()
    try exceeds.send(Self.head(length: Limits.requestHead + 1))
    #expect(try exceeds.readResponse().status == 431)
    #expect(exceeds.isClosed())
  }

  @Test func `a head without end is 431`() throws {
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    try viewer.send(
      "GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "x", count: Limits.requestHead))
    #expect(try viewer.readResponse().status == 431)
    #expect(viewer.isClosed())
  }

  @Test func `as many fields as allowed pass and one more is 431`() throws {
    let edge = try EdgeUnderTest(origin)
    // One of them is Host.
    let most = (1..<Limits.headerCount).map { "X-\($0): y" }
    #expect(try edge.viewer().request("GET", "/", most).status == 200)
    #expect(try edge.viewer().request("GET", "/", most + ["X-More: y"]).status == 431)
  }

  @Test func `a head that stops is 408`() throws {
    let edge = try EdgeUnderTest(origin, options: { $0.headTimeout = 1 })
    let viewer = try edge.viewer()
    try viewer.send("GET / HTTP/1.1\r\nHost:")
    #expect(try viewer.readResponse().status == 408)
    #expect(viewer.isClosed())
  }

  @Test func `a head that trickles is 408 all the same`() throws {
    let edge = try EdgeUnderTest(origin, options: { $0.headTimeout = 1 })
    let viewer = try edge.viewer()
    try viewer.send("GET / HTTP/1.1\r\nHost: a\r\nX: ")
    let started = Clock.now()
    // A byte now and then must not extend the time for the whole head.
    while viewer.wire.isQuiet(for: 0.1), Clock.now() - started < 8 { try? viewer.send("x") }
    #expect(try viewer.readResponse().status == 408)
  }

  @Test func `an idle connection is closed without a word`() throws {
    let edge = try EdgeUnderTest(origin, options: { $0.idleTimeout = 1 })
    let viewer = try edge.viewer()
    #expect(try viewer.get("/").status == 200)
    #expect(viewer.isClosed(within: 5))
    // One that never sent anything too.
    #expect(try edge.viewer().isClosed(within: 5))
  }

  @Test func `an upload that stops is 408`() throws {
    let reader = try ScriptedOrigin {
      _ = try $0.readBody()
      try $0.respond()
    }
    let edge = try EdgeUnderTest(reader, options: { $0.bodyTimeout = 1 })
    let viewer = try edge.viewer()
    try viewer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
    #expect(try viewer.readResponse(to: "POST").status == 408)
    #expect(viewer.isClosed())
  }

  @Test func `a viewer that stops reading is given up`() throws {
    let gone = Event()
    let endless = try ScriptedOrigin { exchange in
      defer { gone.fire() }
      try exchange.sendHead("200 OK", "Content-Length: 1000000000", "Cache-Control: no-store")
      let block = [UInt8](repeating: 120, count: 65_536)
      for _ in 0..<15_000 { try exchange.send(block) }
    }
    let edge = try EdgeUnderTest(endless, options: { $0.bodyTimeout = 1 })
    let viewer = try edge.viewer(receiveBuffer: 8192)
    try viewer.send(ScriptedViewer.head("GET", "/"))
    #expect(try viewer.readResponseHead().status == 200)
    #expect(gone.wait(within: 10))
  }

  @Test func `a viewer beyond the most connections waits for no one and is told`() throws {
    let edge = try EdgeUnderTest(origin, options: { $0.maxConnections = 4 })
    let kept = try (0..<4).map { _ in try edge.viewer() }
    for viewer in kept { #expect(try viewer.get("/").status == 200) }
    let refused = try edge.viewer()
    try? refused.send(ScriptedViewer.head("GET", "/"))
    // 503 where it can still be said, else closed; never an answer, never silence.
    if let response = try? refused.readResponse() {
      #expect(response.status == 503)
    }
    #expect(refused.isClosed())
    // The others are not hurt, and a place that becomes free is given away.
    for viewer in kept { #expect(try viewer.get("/").status == 200) }
    kept[0].close()
    let started = Clock.now()
    var served = false
    while !served && Clock.now() - started < 5 {
      served = (try? edge.get("/").status) == 200
    }
    #expect(served)
  }
}
