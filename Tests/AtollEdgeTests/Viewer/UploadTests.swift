// SPDX-License-Identifier: Apache-2.0
import Glibc
import Testing

/// Bodies from viewers to origins.
@Suite(.timeLimit(.minutes(20)))
struct UploadTests {
  /// An origin that answers with the body it got.
  static func echo() throws -> ScriptedOrigin {
    try ScriptedOrigin { exchange in
      let body = try exchange.readBody()
      guard body.ending == .complete else { return exchange.close() }
      try exchange.respond(body: String(decoding: body.bytes, as: UTF8.self))
    }
  }

  @Test(arguments: ["", "a", String(repeating: "0123456789abcdef", count: 20_000)])
  func `a body with a length arrives whole`(_ body: String) throws {
    let origin = try Self.echo()
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    #expect(try viewer.request("POST", "/", body: body).text == body)
    #expect(try viewer.request("PUT", "/", body: body).text == body)
    #expect(origin.requests.map(\.method) == ["POST", "PUT"])
  }

  @Test func `a chunked body arrives whole, without its extensions`() throws {
    let origin = try Self.echo()
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    try viewer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    for byte in "4;name=value\r\nWiki\r\n6 ; x=\"y\"\r\npedia \r\nA\r\nin chunks.\r\n".utf8 {
      try viewer.send([byte])
    }
    try viewer.send("0;last\r\n\r\n")
    #expect(try viewer.readResponse(to: "POST").text == "Wikipedia in chunks.")
    #expect(try viewer.request("POST", "/", body: "next").text == "next")
  }

  @Test func `an upload streams while it is sent`() throws {
    let gotFirst = Event()
    let origin = try ScriptedOrigin { exchange in
      #expect(try exchange.wire.read(3) == Array("one".utf8))
      gotFirst.fire()
      #expect(try exchange.wire.read(3) == Array("two".utf8))
      try exchange.respond(body: "both")
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    try viewer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\none")
    #expect(gotFirst.wait())
    try viewer.send("two")
    #expect(try viewer.readResponse(to: "POST").text == "both")
  }

  @Test func `100 Continue invites the body`() throws {
    let origin = try Self.echo()
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    try viewer.send(
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    #expect(try viewer.readAnyHead().status == 100)
    try viewer.send("hi")
    #expect(try viewer.readResponse(to: "POST").text == "hi")
  }

  @Test func `HTTP 1.0 gets no 100 Continue`() throws {
    let origin = try Self.echo()
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    try viewer.send("POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi")
    let response = try viewer.readResponse(to: "POST")
    #expect(response.interim.isEmpty)
    #expect(response.text == "hi")
  }

  @Test func `an answer before the end of the upload reaches the viewer`() throws {
    let origin = try ScriptedOrigin { exchange in
      try exchange.respond("403 Forbidden", "Connection: close", body: "no")
      exchange.close()
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    try viewer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nstart")
    let response = try viewer.readResponse(to: "POST")
    #expect(response.status == 403)
    #expect(response.text == "no")
    // The rest of the upload has no place to go, and must not become a request.
    #expect(viewer.isClosed())
  }

  @Test func `a viewer that leaves in the middle of an upload never completes it`() throws {
    let ended = Event()
    let ending = Shared<BodyEnding?>(nil)
    let origin = try ScriptedOrigin { exchange in
      let body = try exchange.readBody()
      ending.withLock { $0 = body.ending }
      ended.fire()
      exchange.close()
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    try viewer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    origin.waitFor(requests: 1)
    viewer.close()
    #expect(ended.wait())
    #expect(ending.value == .truncated)
  }

  @Test func `a large upload to an origin that does not read is held back`() throws {
    let release = Event()
    let origin = try ScriptedOrigin { exchange in
      release.wait()
      exchange.reset()
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    let total = 10 << 30
    try viewer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(total)\r\n\r\n")
    origin.waitFor(requests: 1)
    // What the kernel's buffers of two connections take, and a little of the edge's own; then
    // nothing moves any more.
    let taken = Self.sendUntilBlocked(viewer.wire, atMost: 256 << 20)
    #expect(taken < 64 << 20)
    release.fire()
    #expect((try? viewer.readResponse(to: "POST").status) ?? 502 == 502)
  }

  /// Sends until the peer takes nothing for a moment.
  static func sendUntilBlocked(_ wire: Wire, atMost limit: Int) -> Int {
    let block = [UInt8](repeating: 120, count: 262_144)
    wire.patience = 0.5
    var sent = 0
    while sent < limit, let some = try? wire.sendSome(block) { sent += some }
    wire.patience = 10
    return sent
  }

  @Test func `a steady upload to a slow origin may take longer than the body timeout`() throws {
    let origin = try ScriptedOrigin { exchange in
      for _ in 1...12 {
        _ = try exchange.wire.discard(65_536)
        usleep(200_000)
      }
      _ = try exchange.wire.discard((32 << 20) - 12 * 65_536)
      try exchange.respond(body: "all of it")
    }
    let edge = try EdgeUnderTest(origin, options: { $0.bodyTimeout = 1 })
    let viewer = try edge.viewer()
    try viewer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(32 << 20)\r\n\r\n")
    // The edge has waited for the first byte before the rest comes as fast as it is taken.
    origin.waitFor(requests: 1)
    usleep(50_000)
    try viewer.send([UInt8](repeating: 120, count: 32 << 20))
    #expect(try viewer.readResponse(to: "POST").text == "all of it")
  }
}
