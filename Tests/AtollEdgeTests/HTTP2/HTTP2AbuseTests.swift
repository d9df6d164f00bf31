// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Glibc
import TestSupport
import Testing

/// What viewers of HTTP/2 may do to an edge, each by a peer that does it: how it ends, and that it is
/// counted.
@Suite(.timeLimit(.minutes(20)))
struct HTTP2AbuseTests {
  private static func edge(_ options: (inout EdgeOptions) -> Void = { _ in }) throws
    -> EdgeUnderTest
  {
    let origin = try ScriptedOrigin {
      try $0.respond(
        "200 OK", "Cache-Control: max-age=60", body: String(repeating: "x", count: 100_000))
    }
    return try EdgeUnderTest(origin, options: options)
  }

  struct Flood: CustomStringConvertible {
    let offence: HTTP2Offence
    var error = HTTP2Peer.Code.calm
    /// Waits for what the edge resets, so that there are never too many at once.
    var awaitsResets = false
    /// One piece of it, by its number.
    let piece: @Sendable (Int) -> [HTTP2Frame]
    var description: String { "\(offence)" }
  }

  private static func opening(_ stream: Int) -> HTTP2Frame {
    HTTP2Frame(
      kind: HTTP2Frame.Kind.headers, flags: HTTP2Frame.Flag.endStream, stream: stream,
      payload: HTTP2Peer.block(HTTP2Peer.fields("/")))
  }

  static let floods = [
    Flood(offence: .settingsFlood) { _ in [HTTP2Frame(kind: HTTP2Frame.Kind.settings)] },
    Flood(offence: .pingFlood) { _ in
      [HTTP2Frame(kind: HTTP2Frame.Kind.ping, payload: [UInt8](repeating: 1, count: 8))]
    },
    Flood(offence: .priorityFlood) {
      [
        HTTP2Frame(
          kind: HTTP2Frame.Kind.priority, stream: 2 * $0 + 1,
          payload: [0, 0, 0, 0, UInt8($0 & 255)])
      ]
    },
    Flood(offence: .priorityFlood) { _ in
      [
        HTTP2Frame(
          kind: HTTP2Frame.Kind.priorityUpdate, payload: HTTP2Frame.bytes(1) + Array("u=1".utf8))
      ]
    },
    // Of a type that nobody knows.
    Flood(offence: .priorityFlood) { _ in [HTTP2Frame(kind: 200)] },
    Flood(offence: .windowUpdateFlood) { _ in
      [HTTP2Frame(kind: HTTP2Frame.Kind.windowUpdate, payload: HTTP2Frame.bytes(1))]
    },
    Flood(offence: .emptyFrameFlood) { number in
      (number == 0 ? [HTTP2Peer.headers(1, HTTP2Peer.fields("POST", "/"), endStream: false)] : [])
        + [HTTP2Frame(kind: HTTP2Frame.Kind.data, stream: 1)]
    },
    Flood(offence: .emptyFrameFlood) { number in
      (number == 0 ? [HTTP2Peer.headers(1, HTTP2Peer.fields("POST", "/"), endStream: false)] : [])
        + [
          HTTP2Frame(
            kind: HTTP2Frame.Kind.data, flags: HTTP2Frame.Flag.padded, stream: 1,
            payload: [4, 0, 0, 0, 0])
        ]
    },
    Flood(offence: .continuationFlood) { number in
      [
        number == 0
          ? opening(1)
          : HTTP2Frame(
            kind: HTTP2Frame.Kind.continuation, stream: 1,
            payload: HTTP2Peer.literal("x-\(number)", "1"))
      ]
    },
    Flood(offence: .rapidReset) { number in
      let stream = 2 * number + 1
      return [
        HTTP2Peer.headers(stream, HTTP2Peer.fields("/uncached/\(number)")),
        HTTP2Frame(
          kind: HTTP2Frame.Kind.reset, stream: stream,
          payload: HTTP2Frame.bytes(HTTP2Peer.Code.cancel)),
      ]
    },
    // The same by making the edge reset them.
    Flood(offence: .rapidReset, awaitsResets: true) { number in
      let stream = 2 * number + 1
      return [
        HTTP2Peer.headers(stream, HTTP2Peer.fields("/uncached/\(number)")),
        HTTP2Frame(
          kind: HTTP2Frame.Kind.windowUpdate, stream: stream, payload: HTTP2Frame.bytes(0x7fff_ffff)
        ),
      ]
    },
    Flood(offence: .rapidReset, awaitsResets: true) { number in
      [
        HTTP2Peer.headers(
          2 * number + 1, HTTP2Peer.fields("/", [("connection", "close")]))
      ]
    },
    // A few bytes that stand for very many: entries of the dynamic table.
    Flood(offence: .headerListTooLarge) { number in
      if number == 0 {
        let block =
          HTTP2Peer.block(HTTP2Peer.fields("/"))
          + [0x40, 1, 0x61, 0x7f, 0xa1, 0x1d] + [UInt8](repeating: 0x62, count: 3_872)
        return [
          HTTP2Frame(
            kind: HTTP2Frame.Kind.headers,
            flags: HTTP2Frame.Flag.endHeaders | HTTP2Frame.Flag.endStream, stream: 1,
            payload: block)
        ]
      }
      return [
        HTTP2Frame(
          kind: HTTP2Frame.Kind.headers,
          flags: HTTP2Frame.Flag.endHeaders | HTTP2Frame.Flag.endStream, stream: 2 * number + 1,
          payload: HTTP2Peer.block(HTTP2Peer.fields("/"))
            + [UInt8](repeating: 0x80 | 62, count: 100))
      ]
    },
  ]

  @Test(arguments: floods.indices)
  func `a flood ends its connection, and nothing else`(_ index: Int) throws {
    let flood = Self.floods[index]
    let edge = try Self.edge()
    let other = try HTTP2Peer(port: edge.port)
    #expect(try other.request(1, "/").status == 200)
    let peer = try HTTP2Peer(port: edge.port)
    peer.answersPings = false
    var number = 0
    // What the edge sends meanwhile is read, so that nothing but the flood itself is judged.
    sending: while number < 20_000 {
      do {
        for _ in 0..<50 {
          for frame in flood.piece(number) { try peer.send(frame) }
          number += 1
        }
        if flood.awaitsResets {
          let last = 2 * number - 1
          try peer.read { $0.responses[last]?.error != nil || $0.goAway != nil }
        }
        while !peer.isEnded, peer.wire.pendingCount > 0 || !peer.wire.isQuiet(for: 0) {
          if try peer.readFrame() == nil { break sending }
          if peer.goAway != nil { break sending }
        }
      } catch WireError.reset {
        break
      }
    }
    #expect(try peer.readEnd() == flood.error, "\(flood) after \(number)")
    #expect(eventually { edge.edge.http2Counts()[flood.offence] > 0 })
    #expect(try other.request(3, "/").status == 200)
  }

  /// Requests that the origin answers when it is told to.
  private static func held(_ goOn: Event) throws -> EdgeUnderTest {
    let origin = try ScriptedOrigin { exchange in
      if exchange.request.target != "/at-once" { #expect(goOn.wait()) }
      try exchange.respond(body: "done")
    }
    return try EdgeUnderTest(origin)
  }

  @Test(arguments: [(false, 272), (true, 3)])
  func `requests beyond the limit are refused, and the others are answered`(
    _ hasHeard: Bool, surplus: Int
  ) throws {
    let goOn = Event()
    let edge = try Self.held(goOn)
    let peer = try HTTP2Peer(port: edge.port)
    // Who has not heard of the limit yet is not to be punished.
    if hasHeard { try peer.greet() }
    let last = 2 * (128 + surplus) - 1
    for stream in stride(from: 1, through: last, by: 2) {
      try peer.sendRequest(stream, "POST", "/\(stream)", endStream: false)
    }
    for stream in stride(from: 1, through: last, by: 2) {
      try peer.sendData(stream, [1, 2, 3])
      try peer.send(HTTP2Peer.headers(stream, [("x-trailer", "1")]))
    }
    for stream in stride(from: 257, through: last, by: 2) {
      #expect(try peer.response(stream).error == HTTP2Peer.Code.refused)
    }
    #expect(peer.settings[3] == 128)
    // There is no room yet, and none is taken by what was refused.
    #expect(try peer.request(last + 2, "/at-once").error == HTTP2Peer.Code.refused)
    goOn.fire()
    for stream in stride(from: 1, to: 257, by: 2) {
      #expect(try peer.response(stream).text == "done")
    }
    #expect(try peer.request(last + 4, "/at-once").text == "done")
    #expect(peer.goAway == nil)
    #expect(edge.edge.http2Counts()[.tooManyStreams] == UInt64(surplus + 1))
    #expect(edge.edge.http2Counts()[.rapidReset] == 0)
    #expect(edge.edge.http2Counts()[.protocolError] == 0)
  }

  @Test func `who goes on beyond the limit loses the connection`() throws {
    let goOn = Event()
    let edge = try Self.held(goOn)
    let peer = try HTTP2Peer(port: edge.port)
    try peer.greet()
    for index in 0..<128 { try peer.sendRequest(2 * index + 1, "/\(index)") }
    // In one piece: the edge does not have to send anything to notice.
    try peer.wire.send(
      (128..<1_128).flatMap {
        HTTP2Peer.headers(2 * $0 + 1, HTTP2Peer.fields("/")).bytes
      })
    #expect(try peer.readEnd() == HTTP2Peer.Code.calm)
    let counts = edge.edge.http2Counts()
    #expect(counts[.rapidReset] == 1)
    #expect((500...600).contains(counts[.tooManyStreams]))
    goOn.fire()
  }

  @Test(arguments: [
    ("one large field", [("x-large", String(repeating: "v", count: 21_000))], 431),
    ("many fields", (0..<130).map { ("x-\($0)", "v") }, 431),
    ("a long path", [], 414),
  ])
  func `a head beyond the limits is answered`(
    _ name: String, _ fields: [(String, String)], status: Int
  ) throws {
    let edge = try Self.edge()
    let peer = try HTTP2Peer(port: edge.port)
    let path = status == 414 ? "/" + String(repeating: "p", count: 9_000) : "/"
    let block = HTTP2Peer.block(HTTP2Peer.fields(path, fields))
    try peer.send(
      HTTP2Frame(
        kind: HTTP2Frame.Kind.headers, flags: HTTP2Frame.Flag.endStream, stream: 1,
        payload: Array(block.prefix(16_000))),
      HTTP2Frame(
        kind: HTTP2Frame.Kind.continuation, flags: HTTP2Frame.Flag.endHeaders, stream: 1,
        payload: Array(block.dropFirst(16_000))))
    #expect(try peer.response(1).status == status)
    // The connection is none the worse.
    #expect(try peer.request(3, "/").status == 200)
  }

  static let malformed: [(String, [(String, String)])] = [
    ("no path", [(":method", "GET"), (":scheme", "http"), (":authority", "a")]),
    (
      "an empty path",
      [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "")]
    ),
    ("no method", [(":path", "/"), (":scheme", "http"), (":authority", "a")]),
    ("no scheme", [(":method", "GET"), (":path", "/"), (":authority", "a")]),
    ("another scheme", HTTP2Peer.fields("/", scheme: "ftp")),
    ("no authority at all", [(":method", "GET"), (":scheme", "http"), (":path", "/")]),
    ("two paths", HTTP2Peer.fields("/") + [(":path", "/b")]),
    ("a pseudo-header field behind a field", [("x", "1")] + HTTP2Peer.fields("/")),
    ("an unknown pseudo-header field", [(":other", "1")] + HTTP2Peer.fields("/")),
    ("one of a response", [(":status", "200")] + HTTP2Peer.fields("/")),
    ("capitals", HTTP2Peer.fields("/", [("X-Name", "1")])),
    ("connection", HTTP2Peer.fields("/", [("connection", "keep-alive")])),
    ("keep-alive", HTTP2Peer.fields("/", [("keep-alive", "1")])),
    ("proxy-connection", HTTP2Peer.fields("/", [("proxy-connection", "close")])),
    ("transfer-encoding", HTTP2Peer.fields("/", [("transfer-encoding", "chunked")])),
    ("upgrade", HTTP2Peer.fields("/", [("upgrade", "websocket")])),
    ("te", HTTP2Peer.fields("/", [("te", "gzip")])),
    ("another host", HTTP2Peer.fields("/", [("host", "other.example")])),
    ("a host that is none", HTTP2Peer.fields("/", authority: "a b")),
    ("user information", HTTP2Peer.fields("/", authority: "user@test.example")),
    ("a path with a space", HTTP2Peer.fields("/a b")),
    ("a path with a line", HTTP2Peer.fields("/ HTTP/1.1\r\nx: y\r\n\r\n")),
    ("a value with a line", HTTP2Peer.fields("/", [("x", "1\r\ny: 2")])),
    ("a value with a zero", HTTP2Peer.fields("/", [("x", "1\0")])),
    ("a name with a colon", HTTP2Peer.fields("/", [("x:y", "1")])),
    ("an empty name", HTTP2Peer.fields("/", [("", "1")])),
    ("a method with a space", HTTP2Peer.fields("GET /x HTTP/1.1", "/")),
    ("a relative path", HTTP2Peer.fields("a")),
    ("two lengths", HTTP2Peer.fields("/", [("content-length", "0"), ("content-length", "1")])),
    ("a length that is none", HTTP2Peer.fields("/", [("content-length", "x")])),
    ("a length without a body", HTTP2Peer.fields("POST", "/", [("content-length", "3")])),
  ]

  @Test(arguments: malformed.indices)
  func `a malformed request is reset`(_ index: Int) throws {
    let (name, fields) = Self.malformed[index]
    let edge = try Self.edge()
    let peer = try HTTP2Peer(port: edge.port)
    try peer.send(HTTP2Peer.headers(1, fields))
    let response = try peer.response(1)
    #expect(response.error == HTTP2Peer.Code.protocolError, "\(name)")
    #expect(response.status == 0, "\(name)")
    #expect(try peer.request(3, "/").status == 200, "\(name)")
  }

  @Test(arguments: [2, 4])
  func `a body of another length than it says is reset`(_ length: Int) throws {
    let log = AccessLogTests.LogFile()
    let origin = try UploadTests.echo()
    let edge = try EdgeUnderTest(
      origin,
      options: {
        $0.accessLog = .file(log.path)
        $0.logFormat = .combined
      })
    let peer = try HTTP2Peer(port: edge.port)
    try peer.sendRequest(1, "POST", "/", [("content-length", "\(length)")], endStream: false)
    try peer.sendData(1, [1, 2, 3], endStream: true)
    let response = try peer.response(1)
    #expect(response.error == HTTP2Peer.Code.protocolError && response.status == 0)
    peer.wire.close()
    _ = edge.edge.drain(timeout: 5)
    edge.stop()
    // The origin has no part in it.
    let lines = log.lines.map { String(decoding: $0, as: UTF8.self) }
    #expect(lines.count == 1)
    #expect(
      lines.allSatisfy { $0.contains(" 400 0 ") && $0.contains("error:bad-request") }, "\(lines)")
  }

  @Test func `a body beyond the window breaks the connection off`() throws {
    let goOn = Event()
    let origin = try ScriptedOrigin { exchange in _ = goOn.wait() }
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port)
    try peer.sendRequest(1, "POST", "/", endStream: false)
    do {
      for _ in 0..<2_000 { try peer.sendData(1, [UInt8](repeating: 1, count: 16_384)) }
    } catch WireError.reset {}
    let error = try? peer.readEnd()
    #expect(
      error == HTTP2Peer.Code.flowControl
        || peer.responses[1]?.error == HTTP2Peer.Code.flowControl || peer.isEnded)
    #expect(edge.edge.http2Counts()[.flowControlError] > 0)
    goOn.fire()
  }

  // MARK: Time

  @Test func `a head that stalls ends the connection`() throws {
    let edge = try Self.edge { $0.headTimeout = 1 }
    let peer = try HTTP2Peer(port: edge.port)
    try peer.greet()
    try peer.send(Self.opening(1))
    #expect(try peer.readEnd() == HTTP2Peer.Code.calm)
    #expect(edge.edge.http2Counts()[.slowHead] == 1)
  }

  @Test func `a preface without settings ends the connection`() throws {
    let edge = try Self.edge { $0.headTimeout = 1 }
    let wire = try Wire(port: edge.port)
    try wire.send(HTTP2Peer.preface)
    while try wire.receive() { _ = wire.take(wire.pendingCount) }
    #expect(edge.edge.http2Counts()[.slowHead] == 1)
  }

  @Test func `a body that stalls is answered with 408`() throws {
    let origin = try UploadTests.echo()
    let edge = try EdgeUnderTest(origin, options: { $0.bodyTimeout = 1 })
    let peer = try HTTP2Peer(port: edge.port)
    try peer.sendRequest(1, "POST", "/", endStream: false)
    try peer.sendData(1, [1])
    #expect(try peer.response(1).status == 408)
    #expect(edge.edge.http2Counts()[.slowBody] == 1)
    #expect(try peer.request(3, "POST", "/").status == 200)
  }

  @Test(arguments: [false, true])
  func `a window that stays shut, or opens by bytes, cancels the stream`(_ trickles: Bool) throws {
    let edge = try Self.edge { $0.bodyTimeout = 1 }
    let peer = try HTTP2Peer(port: edge.port, settings: [(4, 0)])
    peer.updatesWindows = false
    try peer.sendRequest(1, "/")
    try peer.read { $0.responses[1]?.status == 200 }
    let stop = Shared(false)
    let trickle = TestThread {
      while trickles && !stop.value {
        try? peer.updateWindow(1, 1)
        usleep(50_000)
      }
    }
    #expect(try peer.response(1).error == HTTP2Peer.Code.cancel)
    stop.withLock { $0 = true }
    trickle.join()
    #expect(edge.edge.http2Counts()[.slowReader] == 1)
    #expect(edge.edge.connectionCount == 1)
  }

  @Test func `a head that stalls ends the connection, whatever else it carried meanwhile`() throws {
    let goOn = Event()
    let origin = try ScriptedOrigin {
      #expect(goOn.wait())
      try $0.respond(body: String(repeating: "x", count: 8 << 20))
    }
    let edge = try EdgeUnderTest(origin, options: { $0.headTimeout = 2 })
    let peer = try HTTP2Peer(
      port: edge.port, settings: [(4, 0x7fff_ffff)], receiveBuffer: 4_096)
    peer.updatesWindows = false
    try peer.updateWindow(0, 0x7fff_0000)
    try peer.greet()
    try peer.wire.send(HTTP2Peer.headers(1, HTTP2Peer.fields("/")).bytes + Self.opening(3).bytes)
    #expect(origin.waitFor(requests: 1))
    goOn.fire()
    #expect(try peer.readEnd() == HTTP2Peer.Code.calm)
    #expect(edge.edge.http2Counts()[.slowHead] == 1)
  }

  @Test func `of a viewer that does not read, what makes frames for it is not read on`() throws {
    let origin = try ScriptedOrigin {
      try $0.respond(
        "200 OK", "Cache-Control: max-age=60", body: String(repeating: "x", count: 1 << 20))
    }
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(
      port: edge.port, settings: [(4, 0x7fff_ffff)], receiveBuffer: 4_096)
    try peer.updateWindow(0, 0x7fff_0000)
    for index in 0..<128 { try peer.sendRequest(2 * index + 1, "/") }
    // What is beyond the limit is refused, one by one.
    var next = 257
    let block = HTTP2Peer.block(
      HTTP2Peer.fields("/", [("x", String(repeating: "x", count: 900))]))
    peer.wire.patience = 2
    // Not read on, or ended for what was refused by then.
    var isTakenIn = true
    do {
      while peer.wire.bytesSent < 128 << 20 {
        var frames: [UInt8] = []
        for _ in 0..<256 {
          frames +=
            HTTP2Frame(
              kind: HTTP2Frame.Kind.headers,
              flags: HTTP2Frame.Flag.endHeaders | HTTP2Frame.Flag.endStream, stream: next,
              payload: block
            ).bytes
          next += 2
        }
        try peer.wire.send(frames)
      }
    } catch WireError.timedOut {
      isTakenIn = false
    } catch WireError.reset {
      isTakenIn = false
    }
    #expect(!isTakenIn)
    // Others are none the worse, and who reads again is heard.
    let other = try HTTP2Peer(port: edge.port)
    #expect(try other.request(1, "/").status == 200)
    peer.wire.patience = 10
    while (try? peer.wire.receive()) == true { _ = peer.wire.take(peer.wire.pendingCount) }
    #expect(edge.edge.http2Counts()[.rapidReset] == 1)
  }

  @Test func `a viewer that does not read is cut off`() throws {
    let origin = try ScriptedOrigin {
      try $0.respond(
        "200 OK", "Cache-Control: max-age=60", body: String(repeating: "x", count: 1 << 20))
    }
    let edge = try EdgeUnderTest(origin, options: { $0.bodyTimeout = 1 })
    let peer = try HTTP2Peer(
      port: edge.port, settings: [(4, 0x7fff_ffff)], receiveBuffer: 4_096)
    try peer.updateWindow(0, 0x7fff_0000)
    for index in 0..<64 { try peer.sendRequest(2 * index + 1, "/") }
    #expect(eventually { edge.edge.connectionCount == 1 })
    #expect(eventually { edge.edge.connectionCount == 0 })
    #expect(edge.edge.http2Counts()[.slowReader] > 0)
    #expect(eventually { edge.edge.budget.used < 4 << 20 })
  }
}
