// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Glibc
import TestSupport
import Testing

/// Heads, trailers and lengths of HTTP/2 requests as they come over the wire, right and wrong.
@Suite(.timeLimit(.minutes(20)))
struct HTTP2HeadTests {
  private typealias Kind = HTTP2Frame.Kind
  private typealias Flag = HTTP2Frame.Flag
  private static let hasPriority: UInt8 = 32

  /// Says what the request was; nothing is kept.
  private static func echo() throws -> ScriptedOrigin {
    try ScriptedOrigin { exchange in
      let body = try exchange.readBody()
      guard body.ending == .complete else { return exchange.close() }
      try exchange.respond(
        body: "\(exchange.request.target) \(exchange.request["x-kept"] ?? "-") \(body.count)")
    }
  }

  private static func cached() throws -> ScriptedOrigin {
    try ScriptedOrigin { try $0.respond("200 OK", "Cache-Control: max-age=60", body: "cached") }
  }

  /// A literal field that the table keeps.
  private static func kept(_ name: String, _ value: String) -> [UInt8] {
    var bytes = HTTP2Peer.literal(name, value)
    bytes[0] = 0x40
    return bytes
  }

  private static func request(_ path: String, _ more: [UInt8] = []) -> [UInt8] {
    HTTP2Peer.block(HTTP2Peer.fields(path)) + more
  }

  private static func headers(
    _ stream: Int, _ block: [UInt8], _ flags: UInt8 = Flag.endStream, endHeaders: Bool = true
  ) -> HTTP2Frame {
    HTTP2Frame(
      kind: Kind.headers, flags: flags | (endHeaders ? Flag.endHeaders : 0), stream: stream,
      payload: block)
  }

  // MARK: Frames

  @Test func `padding and priority are no part of a head`() throws {
    let edge = try EdgeUnderTest(try Self.echo())
    let peer = try HTTP2Peer(port: edge.port)
    try peer.greet()
    let weight: [UInt8] = [0x80, 0, 0, 0, 15]
    var stream = 1
    for padding in [0, 1, 255] {
      for flags in [Flag.padded, Self.hasPriority, Flag.padded | Self.hasPriority] {
        let isPadded = flags & Flag.padded != 0
        let payload =
          (isPadded ? [UInt8(padding)] : [])
          + (flags & Self.hasPriority != 0 ? weight : [])
          + Self.request("/\(stream)", Self.kept("x-kept", "\(padding)"))
          + [UInt8](repeating: 0, count: isPadded ? padding : 0)
        try peer.send(Self.headers(stream, payload, flags | Flag.endStream))
        #expect(try peer.response(stream).text == "/\(stream) \(padding) 0")
        stream += 2
      }
    }
  }

  @Test(arguments: [
    // More padding than frame.
    headers(1, [200] + request("/"), Flag.endStream | Flag.padded),
    headers(1, [1], Flag.endStream | Flag.padded),
    // A stream that depends on itself, or is none of a viewer's.
    headers(1, [0, 0, 0, 1, 15] + request("/"), Flag.endStream | hasPriority),
    headers(2, request("/")), headers(0, request("/")),
    // What continues nothing.
    HTTP2Frame(
      kind: Kind.continuation, flags: Flag.endHeaders, stream: 1, payload: request("/")),
  ])
  func `a frame that is wrong ends the connection`(_ frame: HTTP2Frame) throws {
    let edge = try EdgeUnderTest(try Self.cached())
    let peer = try HTTP2Peer(port: edge.port)
    try peer.greet()
    try peer.send(frame)
    #expect(try peer.readEnd() == HTTP2Peer.Code.protocolError)
    #expect(peer.responses.isEmpty)
    #expect(eventually { edge.edge.connectionCount == 0 })
  }

  @Test(arguments: [
    HTTP2Frame(kind: Kind.ping, payload: [UInt8](repeating: 0, count: 8)),
    HTTP2Frame(kind: Kind.data, stream: 1, payload: [1]), headers(3, request("/")),
    HTTP2Frame(kind: Kind.continuation, flags: Flag.endHeaders, stream: 3), HTTP2Frame(kind: 99),
  ])
  func `nothing comes between the frames of a head`(_ frame: HTTP2Frame) throws {
    let edge = try EdgeUnderTest(try Self.cached())
    let peer = try HTTP2Peer(port: edge.port)
    try peer.greet()
    try peer.send(Self.headers(1, Self.request("/"), endHeaders: false), frame)
    #expect(try peer.readEnd() == HTTP2Peer.Code.protocolError)
    #expect(edge.edge.http2Counts()[.protocolError] == 1)
  }

  @Test(arguments: [
    headers(1, [], Flag.endStream | Flag.padded | hasPriority),
    headers(1, [1, 2, 3, 4], Flag.endStream | hasPriority),
    headers(1, [UInt8](repeating: 0x82, count: 16_385)),
  ])
  func `a head of a length that cannot be ends the connection`(_ frame: HTTP2Frame) throws {
    let edge = try EdgeUnderTest(try Self.cached())
    let other = try HTTP2Peer(port: edge.port)
    #expect(try other.request(1, "/").status == 200)
    let peer = try HTTP2Peer(port: edge.port)
    try peer.greet()
    try peer.send(frame)
    let error = try peer.readEnd()
    #expect(try other.request(3, "/").isHit)
    // FRAME_SIZE_ERROR; what is too short for its padding is a wrong frame to nghttp2.
    #expect(error == 6 || error == HTTP2Peer.Code.protocolError)
    #expect(peer.responses.isEmpty)
  }

  @Test func `a head may come byte by byte`() throws {
    let edge = try EdgeUnderTest(try Self.cached())
    let peer = try HTTP2Peer(port: edge.port)
    try peer.greet()
    let block = Self.request("/a", Self.kept("x-kept", "1"))
    var stream = 1
    for cut in [0, 1, 20, block.count] {
      let first = HTTP2Frame(
        kind: Kind.headers, flags: Flag.endStream | Flag.padded, stream: stream,
        payload: [3] + block[..<cut] + [0, 0, 0])
      let second = HTTP2Frame(
        kind: Kind.continuation, flags: Flag.endHeaders, stream: stream,
        payload: Array(block[cut...]))
      for byte in first.bytes + second.bytes { try peer.wire.send([byte]) }
      let response = try peer.response(stream)
      #expect(response.text == "cached" && response.isHit == (stream > 1))
      stream += 2
    }
    // Frames of all sorts, in pieces of any length.
    var numbers = SeededNumbers(1)
    for _ in 0..<20 {
      let bytes =
        HTTP2Frame(kind: Kind.windowUpdate, payload: HTTP2Frame.bytes(1)).bytes
        + Self.headers(stream, block).bytes
        + HTTP2Frame(
          kind: Kind.priorityUpdate, payload: HTTP2Frame.bytes(stream) + Array("u=1".utf8)
        ).bytes + Self.headers(stream + 2, Array(block.prefix(9)), endHeaders: false).bytes
        + HTTP2Frame(
          kind: Kind.continuation, flags: Flag.endHeaders, stream: stream + 2,
          payload: Array(block.dropFirst(9))
        ).bytes
      var at = 0
      while at < bytes.count {
        let count = min(Int.random(in: 1...40, using: &numbers), bytes.count - at)
        try peer.wire.send(Array(bytes[at..<at + count]))
        at += count
      }
      #expect(try peer.response(stream).isHit && peer.response(stream + 2).isHit)
      stream += 4
    }
  }

  @Test func `what a head took until it was whole is given back`() throws {
    let edge = try EdgeUnderTest(try Self.cached())
    let peer = try HTTP2Peer(port: edge.port)
    // What the edge keeps of an answer that comes again is kept from then on.
    for stream in [1, 3, 5, 7] { #expect(try peer.request(stream, "/").status == 200) }
    let level = edge.edge.budget.used
    let block = Self.request("/", Self.kept("x", String(repeating: "x", count: 14_000)))
    func frames(_ stream: Int) -> [UInt8] {
      Self.headers(stream, block, endHeaders: false).bytes
        + HTTP2Frame(
          kind: Kind.continuation, flags: Flag.endHeaders, stream: stream,
          payload: HTTP2Peer.literal("y", "1")
        ).bytes
    }
    for (stream, missing) in [(9, 100), (11, 1)] {
      try peer.wire.send(Array(frames(stream).dropLast(missing)))
      #expect(eventually { edge.edge.budget.used >= level + 14_000 })
      try peer.wire.send(Array(frames(stream).suffix(missing)))
      #expect(try peer.response(stream).status == 200)
      #expect(eventually { edge.edge.budget.used == level }, "\(edge.edge.budget.used) \(level)")
    }
    // And when its viewer goes away in the middle of it.
    let other = try HTTP2Peer(port: edge.port)
    #expect(try other.request(1, "/").status == 200)
    let both = edge.edge.budget.used
    try other.wire.send(Array(frames(3).dropLast()))
    #expect(eventually { edge.edge.budget.used >= both + 14_000 })
    other.wire.close()
    #expect(eventually { edge.edge.connectionCount == 1 && edge.edge.budget.used == level })
  }

  @Test func `what a head took is given back when it comes to no end`() throws {
    let edge = try EdgeUnderTest(try Self.cached(), options: { $0.headTimeout = 1 })
    let first = try HTTP2Peer(port: edge.port)
    for stream in [1, 3, 5, 7] { #expect(try first.request(stream, "/").status == 200) }
    let level = edge.edge.budget.used
    let peer = try HTTP2Peer(port: edge.port)
    try peer.greet()
    let block = Self.request("/", Self.kept("x", String(repeating: "x", count: 14_000)))
    try peer.send(Self.headers(1, block, endHeaders: false))
    #expect(try peer.readEnd() == HTTP2Peer.Code.calm)
    #expect(edge.edge.http2Counts()[.slowHead] == 1)
    peer.wire.close()
    #expect(eventually { edge.edge.connectionCount == 1 && edge.edge.budget.used == level })
  }

  /// The session must not read such a head by itself: the text would be that of another request.
  @Test(arguments: [0, 1, 8])
  func `a frame that is too long continues no head`(piece: Int) throws {
    let edge = try EdgeUnderTest(try Self.cached())
    let other = try HTTP2Peer(port: edge.port)
    let peer = try HTTP2Peer(port: edge.port)
    try peer.greet()
    #expect(try other.request(1, "/", [("cookie", "secret")]).status == 200)
    let long = [UInt8](repeating: 0x82, count: 16_385)
    let bytes =
      Self.headers(1, Self.request("/"), endHeaders: false).bytes
      + HTTP2Frame(kind: Kind.continuation, flags: Flag.endHeaders, stream: 1, payload: long).bytes
    if piece == 0 {
      try peer.wire.send(bytes)
    } else {
      // The edge need not read it to its end.
      for at in stride(from: 0, to: 160, by: piece) {
        try? peer.wire.send(Array(bytes[at..<at + piece]))
      }
      try? peer.wire.send(Array(bytes[160...]))
    }
    // FRAME_SIZE_ERROR.
    #expect(try peer.readEnd() == 6)
    #expect(peer.responses.isEmpty)
    #expect(try other.request(3, "/").isHit)
  }

  // MARK: Blocks

  @Test(
    arguments: [
      ("index 0", [0x80]), ("an index beyond the tables", [0xff, 0x20]),
      ("a size above what is allowed", [0x3f, 0xe2, 0x1f]),
      ("a code that is none", [0, 1, 0x78, 0x81, 0]),
      ("a field that is cut off", [0, 1, 0x78, 5, 0x61]),
      ("an integer without end", [UInt8](repeating: 0xff, count: 30)),
    ] as [(String, [UInt8])])
  func `a block that is no HPACK ends the connection`(_ name: String, _ block: [UInt8]) throws {
    let edge = try EdgeUnderTest(try Self.echo())
    let other = try HTTP2Peer(port: edge.port)
    // In a head, and behind a body.
    for isTrailer in [false, true] {
      let peer = try HTTP2Peer(port: edge.port)
      try peer.greet()
      if isTrailer {
        try peer.sendRequest(1, "POST", "/", endStream: false)
        try peer.send(Self.headers(1, block))
      } else {
        try peer.send(Self.headers(1, Self.request("/", block)))
      }
      // COMPRESSION_ERROR.
      #expect(try peer.readEnd() == 9, "\(name)")
      #expect(peer.responses[1]?.status ?? 0 == 0)
    }
    #expect(edge.edge.http2Counts()[.compressionError] == 2)
    #expect(edge.edge.http2Counts()[.malformedRequest] == 0)
    #expect(try other.request(1, "/").status == 200)
  }

  @Test func `the table goes on behind whatever was refused`() throws {
    let goOn = Event()
    let origin = try ScriptedOrigin { exchange in
      if exchange.request.target == "/slow" { #expect(goOn.wait()) }
      try exchange.respond(body: exchange.request["x-kept"] ?? "-")
    }
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port)
    var stream = 1
    /// The entry that the last block has left is there.
    func check(_ value: String) throws {
      try peer.send(Self.headers(stream, Self.request("/\(stream)", [0x80 | 62])))
      #expect(try peer.response(stream).text == value)
      stream += 2
    }
    // One too many at once.
    for _ in 0..<128 {
      try peer.sendRequest(stream, "/slow")
      stream += 2
    }
    try peer.send(Self.headers(stream, Self.request("/", Self.kept("x-kept", "refused"))))
    #expect(try peer.response(stream).error == HTTP2Peer.Code.refused)
    stream += 2
    goOn.fire()
    for other in stride(from: 1, to: 257, by: 2) { _ = try peer.response(other) }
    try check("refused")
    // A malformed one.
    try peer.send(
      Self.headers(
        stream,
        HTTP2Peer.literal("connection", "x") + Self.request("/")
          + Self.kept("x-kept", "malformed")))
    #expect(try peer.response(stream).error == HTTP2Peer.Code.protocolError)
    stream += 2
    try check("malformed")
    // One that is too large, its last field behind what made it so.
    for (status, fields) in [
      (431, Self.request("/", HTTP2Peer.literal("x", String(repeating: "x", count: 21_000)))),
      (414, Self.request("/" + String(repeating: "p", count: 9_000))),
    ] {
      let block = fields + Self.kept("x-kept", "\(status)")
      try peer.send(
        Self.headers(stream, Array(block.prefix(8_000)), endHeaders: false),
        HTTP2Frame(
          kind: Kind.continuation, flags: Flag.endHeaders, stream: stream,
          payload: Array(block.dropFirst(8_000))))
      #expect(try peer.response(stream).status == status)
      stream += 2
      try check("\(status)")
    }
    // Trailers, those of a stream that is gone included.
    for isGone in [false, true] {
      try peer.sendRequest(stream, "POST", "/", endStream: false)
      if isGone {
        try peer.reset(stream)
      }
      try peer.send(Self.headers(stream, Self.kept("x-kept", "trailer \(isGone)")))
      if !isGone { #expect(try peer.response(stream).text == "-") }
      stream += 2
      try check("trailer \(isGone)")
    }
    #expect(edge.edge.http2Counts()[.compressionError] == 0)
  }

  @Test func `heads that come behind the farewell are read, and nothing else`() throws {
    let origin = try Self.echo()
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port)
    try peer.greet()
    try peer.sendRequest(1, "POST", "/upload", [("x-kept", "upload")], endStream: false)
    try peer.sendData(1, [1, 2, 3])
    #expect(origin.waitFor(requests: 1))
    let thread = TestThread { _ = edge.edge.drain(timeout: 10) }
    // The last word, behind the answer to the edge's ping.
    try peer.read { $0.goAway?.lastStream == 1 }
    try peer.send(Self.headers(3, Self.request("/late", Self.kept("x-late", "1"))))
    // Its trailer is what the ignored request has left in the table.
    try peer.send(Self.headers(1, [0x80 | 62]))
    #expect(try peer.response(1).text == "/upload upload 3")
    #expect(try peer.readEnd() == HTTP2Peer.Code.none)
    #expect(peer.responses[3] == nil && origin.requestCount == 1)
    peer.wire.close()
    thread.join()
  }

  @Test func `a value of more than 64 KiB is answered`() throws {
    let edge = try EdgeUnderTest(try Self.echo())
    let peer = try HTTP2Peer(port: edge.port)
    for (stream, length) in [(1, 65_500), (3, 65_536), (5, 66_000), (7, 70_000)] {
      let block = Self.request(
        "/", Self.kept("x", String(repeating: "x", count: length)) + Self.kept("x-kept", "1"))
      var frames: [UInt8] = []
      for at in stride(from: 0, to: block.count, by: 16_384) {
        let part = Array(block[at..<min(at + 16_384, block.count)])
        let isLast = at + part.count == block.count
        frames +=
          HTTP2Frame(
            kind: at == 0 ? Kind.headers : Kind.continuation,
            flags: (at == 0 ? Flag.endStream : 0) | (isLast ? Flag.endHeaders : 0),
            stream: stream, payload: part
          ).bytes
      }
      try peer.wire.send(frames)
      #expect(try peer.response(stream).status == 431)
    }
    try peer.send(Self.headers(9, Self.request("/", [0x80 | 62])))
    #expect(try peer.response(9).text == "/ 1 0")
  }

  // MARK: Requests

  static let malformed: [(String, [(String, String)])] = [
    ("white space before", HTTP2Peer.fields("/", [("x", " 1")])),
    ("white space behind", HTTP2Peer.fields("/", [("x", "1 ")])),
    ("a tab behind", HTTP2Peer.fields("/", [("x", "1\t")])),
    ("nothing but white space", HTTP2Peer.fields("/", [("x", " ")])),
    ("white space around an authority", HTTP2Peer.fields("/", authority: " test.example")),
    ("a value with DEL", HTTP2Peer.fields("/", [("x", "\u{7f}")])),
    ("Host twice", HTTP2Peer.fields("/", [("host", "test.example"), ("host", "test.example")])),
    ("an empty Host", HTTP2Peer.fields("/", [("host", "")])),
    (
      "an empty Host for all",
      [(":method", "OPTIONS"), (":scheme", "http"), (":path", "*"), ("host", "")]
    ),
    ("an empty authority", HTTP2Peer.fields("/", [("host", "test.example")], authority: "")),
    (
      "CONNECT with scheme",
      [(":method", "CONNECT"), (":scheme", "https"), (":authority", "test.example:443")]
    ),
    (
      "CONNECT with path",
      [(":method", "CONNECT"), (":path", "a:1"), (":authority", "test.example:443")]
    ),
    (
      "CONNECT with both",
      [(":method", "CONNECT"), (":scheme", "http"), (":path", "a:1"), (":authority", "a:1")]
    ),
    ("CONNECT to nobody", [(":method", "CONNECT"), ("host", "test.example:443")]),
  ]

  static let malformedTunnels: [(String, [(String, String)])] = [
    ("no authority", [(":path", "/chat"), ("host", "test.example")]),
    ("another path", [(":path", "http://test.example/"), (":authority", "test.example")]),
    ("no path at all", [(":path", "*"), (":authority", "test.example")]),
    ("more than a path", [(":path", "/ HTTP/2.0"), (":authority", "test.example")]),
    ("a fragment", [(":path", "/#"), (":authority", "test.example")]),
    ("an authority that is none", [(":path", "/"), (":authority", "a b")]),
  ]

  @Test(arguments: malformed.indices)
  func `a request that is none is reset`(_ index: Int) throws {
    let (name, fields) = Self.malformed[index]
    let origin = try Self.echo()
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port)
    try peer.send(HTTP2Peer.headers(1, fields))
    let response = try peer.response(1)
    #expect(response.error == HTTP2Peer.Code.protocolError && response.status == 0, "\(name)")
    #expect(try peer.request(3, "/").status == 200, "\(name)")
    #expect(edge.edge.http2Counts()[.malformedRequest] == 1, "\(name)")
    #expect(origin.requestCount == 1)
  }

  @Test(arguments: malformedTunnels.indices, ["websocket", "connect-udp"])
  func `an extended CONNECT that is none is reset`(_ index: Int, `protocol`: String) throws {
    let (name, fields) = Self.malformedTunnels[index]
    let edge = try EdgeUnderTest(try Self.echo())
    let peer = try HTTP2Peer(port: edge.port)
    let all =
      [(":method", "CONNECT"), (":protocol", `protocol`), (":scheme", "https")] + fields
    try peer.send(HTTP2Peer.headers(1, all, endStream: false))
    let response = try peer.response(1)
    #expect(response.error == HTTP2Peer.Code.protocolError && response.status == 0, "\(name)")
    #expect(try peer.request(3, "/").status == 200, "\(name)")
    #expect(edge.edge.http2Counts()[.malformedRequest] == 1, "\(name)")
  }

  @Test func `a cookie without anything in it leaves no trace`() throws {
    let origin = try Self.echo()
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port)
    _ = try peer.request(
      1, "/", [("cookie", "a=1"), ("cookie", ""), ("cookie", "b=2"), ("cookie", "")])
    #expect(origin.requests.first?.head.values(of: "cookie") == ["a=1; b=2"])
  }

  // MARK: Bodies

  /// What an origin was sent of an upload; it answers when all has come.
  private struct Uploads {
    let origin: ScriptedOrigin
    let endings = Shared<[BodyEnding]>([])
    let arrived = Event()

    /// - Parameter isSilent: answers no POST.
    init(isSilent: Bool = false) throws {
      let endings = self.endings
      let arrived = self.arrived
      origin = try ScriptedOrigin { exchange in
        let body = try exchange.readBody()
        endings.withLock { $0.append(body.ending) }
        arrived.fire()
        guard body.ending == .complete else { return exchange.close() }
        if isSilent && exchange.request.method == "POST" { return exchange.stall() }
        try exchange.respond(body: "\(body.count)")
      }
    }
  }

  static let wrongTrailers: [(String, [(String, String)], Bool)] = [
    ("that do not end the stream", [("x-sum", "1")], false),
    ("with a pseudo-header field", [("x-sum", "1"), (":path", "/")], true),
    ("with :status", [(":status", "200")], true),
    ("with Connection", [("connection", "x-sum"), ("x-sum", "1")], true),
    ("with Transfer-Encoding", [("transfer-encoding", "chunked")], true),
    ("with Upgrade", [("upgrade", "x")], true),
    ("with TE", [("te", "gzip")], true),
    ("with a length", [("content-length", "3")], true),
    ("with capitals", [("X-Sum", "1")], true),
    ("with a line in a value", [("x-sum", "1\r\nx: y")], true),
    ("with a name that is none", [("x sum", "1")], true),
  ]

  @Test(arguments: wrongTrailers.indices)
  func `trailers that are wrong make no whole of a body`(_ index: Int) throws {
    let (name, trailers, endStream) = Self.wrongTrailers[index]
    let uploads = try Uploads()
    let edge = try EdgeUnderTest(uploads.origin)
    let peer = try HTTP2Peer(port: edge.port)
    try peer.sendRequest(1, "POST", "/", endStream: false)
    try peer.sendData(1, [1, 2, 3])
    #expect(uploads.origin.waitFor(requests: 1))
    try peer.send(HTTP2Peer.headers(1, trailers, endStream: endStream))
    let response = try peer.response(1)
    #expect(response.error == HTTP2Peer.Code.protocolError && response.status == 0, "\(name)")
    #expect(uploads.arrived.wait())
    #expect(uploads.endings.value == [.truncated], "\(name)")
    #expect(edge.edge.http2Counts()[.malformedRequest] == 1, "\(name)")
    // All at once it is the same.
    try peer.wire.send(
      HTTP2Peer.headers(3, HTTP2Peer.fields("POST", "/"), endStream: false).bytes
        + HTTP2Frame(kind: Kind.data, stream: 3, payload: [1, 2, 3]).bytes
        + HTTP2Peer.headers(3, trailers, endStream: endStream).bytes)
    #expect(try peer.response(3).error == HTTP2Peer.Code.protocolError, "\(name)")
    try peer.sendRequest(5, "POST", "/", endStream: false)
    try peer.sendData(5, [1, 2], endStream: true)
    #expect(try peer.response(5).text == "2")
    #expect(uploads.endings.value.count { $0 == .complete } == 1)
    #expect(edge.edge.http2Counts()[.malformedRequest] == 2, "\(name)")
  }

  @Test func `trailers beyond their limit end the connection`() throws {
    let uploads = try Uploads()
    let edge = try EdgeUnderTest(uploads.origin)
    let peer = try HTTP2Peer(port: edge.port)
    try peer.sendRequest(1, "POST", "/", endStream: false)
    try peer.sendData(1, [1, 2, 3])
    #expect(uploads.origin.waitFor(requests: 1))
    try peer.send(HTTP2Peer.headers(1, [("x", String(repeating: "x", count: 8_192))]))
    #expect(try peer.readEnd() == HTTP2Peer.Code.calm)
    #expect(uploads.arrived.wait())
    #expect(uploads.endings.value == [.truncated])
    #expect(edge.edge.http2Counts()[.headerListTooLarge] == 1)
  }

  private static func data(
    _ bytes: Int, padding: Int? = nil, endStream: Bool = false
  ) -> HTTP2Frame {
    HTTP2Frame(
      kind: Kind.data,
      flags: (padding == nil ? 0 : Flag.padded) | (endStream ? Flag.endStream : 0), stream: 1,
      payload: (padding.map { [UInt8($0)] } ?? []) + [UInt8](repeating: 1, count: bytes)
        + [UInt8](repeating: 0, count: padding ?? 0))
  }

  static let bodies: [(String, [HTTP2Frame], isRight: Bool)] = [
    ("one frame", [data(10, endStream: true)], true),
    ("frames", [data(4), data(6, endStream: true)], true),
    ("an empty frame behind", [data(10), data(0, endStream: true)], true),
    ("padding", [data(4, padding: 9), data(6, padding: 0, endStream: true)], true),
    ("padding alone behind", [data(10), data(0, padding: 20, endStream: true)], true),
    ("trailers", [data(10), HTTP2Peer.headers(1, [("x", "1")])], true),
    ("less", [data(9, endStream: true)], false),
    ("less in frames", [data(4), data(5), data(0, endStream: true)], false),
    ("padding instead", [data(4, padding: 6, endStream: true)], false),
    ("less, and trailers", [data(9), HTTP2Peer.headers(1, [("x", "1")])], false),
    ("nothing", [data(0, endStream: true)], false),
    ("more", [data(11, endStream: true)], false),
    ("more, and no end", [data(11)], false),
    ("more in frames", [data(10, padding: 3), data(1)], false),
    ("much more", [data(16_384), data(16_384), data(16_384, endStream: true)], false),
    ("more, and trailers", [data(12), HTTP2Peer.headers(1, [("x", "1")])], false),
  ]

  @Test(arguments: bodies.indices, [0, 1, 7])
  func `a body has the length that was announced`(_ index: Int, piece: Int) throws {
    let (name, frames, isRight) = Self.bodies[index]
    // What is too much may come when the origin has had enough: it has not answered yet.
    let uploads = try Uploads(isSilent: !isRight)
    let edge = try EdgeUnderTest(uploads.origin)
    let peer = try HTTP2Peer(port: edge.port)
    try peer.greet()
    let head = HTTP2Peer.headers(
      1, HTTP2Peer.fields("POST", "/", [("content-length", "10")]), endStream: false)
    let bytes = head.bytes + frames.flatMap(\.bytes)
    if piece == 0 {
      try peer.wire.send(bytes)
    } else {
      // Of the long ones the beginning is enough.
      for at in stride(from: 0, to: min(bytes.count, 700), by: piece) {
        try peer.wire.send(Array(bytes[at..<min(at + piece, bytes.count)]))
      }
      if bytes.count > 700 { try peer.wire.send(Array(bytes.dropFirst(700 / piece * piece))) }
    }
    let response = try peer.response(1)
    if isRight {
      #expect(response.text == "10" && response.error == nil, "\(name)")
      #expect(uploads.endings.value == [.complete], "\(name)")
    } else {
      #expect(response.error == HTTP2Peer.Code.protocolError && response.status == 0, "\(name)")
    }
    #expect(edge.edge.http2Counts()[.malformedRequest] == (isRight ? 0 : 1), "\(name)")
    // What was dropped is no longer in the window.
    #expect(try peer.request(3, "/").status == 200, "\(name)")
  }

  // MARK: Priority

  /// Two responses wait for the connection's window, which does for one of them.
  private static func compete(
    _ before: [HTTP2Frame], _ first: [(String, String)], _ second: [(String, String)]
  ) throws -> (first: Int, second: Int) {
    let origin = try ScriptedOrigin {
      try $0.respond(
        "200 OK", "Cache-Control: max-age=60", body: String(repeating: "x", count: 200_000))
    }
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port)
    _ = try peer.request(1, "/")
    peer.updatesWindows = false
    let frames =
      before + [
        HTTP2Peer.headers(3, HTTP2Peer.fields("/", first)),
        HTTP2Peer.headers(5, HTTP2Peer.fields("/", second)),
      ]
    try peer.wire.send(frames.flatMap(\.bytes))
    func count(_ stream: Int) -> Int { peer.responses[stream]?.body.count ?? 0 }
    try peer.read { _ in count(3) + count(5) >= 65_535 }
    return (count(3), count(5))
  }

  private static func update(_ stream: Int, _ priority: String) -> HTTP2Frame {
    HTTP2Frame(
      kind: Kind.priorityUpdate, payload: HTTP2Frame.bytes(stream) + Array(priority.utf8))
  }

  static let contests:
    [(String, [HTTP2Frame], [(String, String)], [(String, String)], isSecondFirst: Bool)] = [
      ("by the field", [], [("priority", "u=6")], [("priority", "u=1")], true),
      ("the other way round", [], [("priority", "u=1")], [("priority", "u=6")], false),
      ("below what is usual", [], [("priority", "u=4, i")], [], true),
      ("by the last of several fields", [], [], [("priority", "u=7"), ("priority", "u=1")], true),
      (
        "what cannot be read says nothing", [], [("priority", "u=7,")], [("priority", "u=4")], false
      ),
      ("nor what is out of range", [], [("priority", "u=8")], [("priority", "u=4")], false),
      ("nor one that is half broken", [], [("priority", "u=7"), ("priority", "(")], [], false),
      ("by a frame before the request", [update(5, "u=0")], [], [], true),
      ("by frames for both", [update(3, "u=5"), update(5, "u=4")], [], [], true),
      ("by the field behind a frame", [update(3, "u=6")], [("priority", "u=0")], [], false),
      ("by the field in spite of a frame", [update(3, "u=0")], [("priority", "u=7")], [], true),
    ]

  @Test(arguments: contests.indices)
  func `who is more urgent goes first`(_ index: Int) throws {
    let (name, before, first, second, isSecondFirst) = Self.contests[index]
    let count = try Self.compete(before, first, second)
    #expect(
      (isSecondFirst ? count.second : count.first) == 65_535, "\(name): \(count)")
  }

  // MARK: Many at once

  /// Requests, each with a mark, in frames of all sorts.
  private static func requests(_ mark: String, _ numbers: inout SeededNumbers) -> [UInt8] {
    var bytes: [UInt8] = []
    for number in 0..<24 {
      let stream = 2 * number + 1
      let hasBody = Bool.random(using: &numbers)
      var block = HTTP2Peer.block(
        HTTP2Peer.fields(hasBody ? "POST" : "GET", "/\(mark)/\(stream)"))
      // The mark itself, or the one that the table holds, which is the same.
      block += number % 3 == 1 ? [0x80 | 62] : kept("x-kept", mark)
      let isPadded = Bool.random(using: &numbers)
      let padding = [UInt8](repeating: 0, count: Int.random(in: 0...9, using: &numbers))
      let cut =
        Bool.random(using: &numbers)
        ? block.count : Int.random(in: 0...block.count, using: &numbers)
      let first = headers(
        stream,
        (isPadded ? [UInt8(padding.count)] : []) + block[..<cut] + (isPadded ? padding : []),
        (isPadded ? Flag.padded : 0) | (hasBody ? 0 : Flag.endStream),
        endHeaders: cut == block.count)
      bytes += first.bytes
      if cut < block.count {
        bytes +=
          HTTP2Frame(
            kind: Kind.continuation, flags: Flag.endHeaders, stream: stream,
            payload: Array(block[cut...])
          ).bytes
      }
      if hasBody {
        bytes +=
          HTTP2Frame(kind: Kind.data, flags: Flag.endStream, stream: stream, payload: [1]).bytes
      }
    }
    return bytes
  }

  private static func damage(_ bytes: inout [UInt8], _ numbers: inout SeededNumbers) {
    for _ in 0..<Int.random(in: 1...4, using: &numbers) {
      let at = bytes.indices.randomElement(using: &numbers)!
      switch Int.random(in: 0..<5, using: &numbers) {
      case 0: bytes[at] = UInt8.random(in: 0...255, using: &numbers)
      case 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &numbers)
      case 2: bytes.remove(at: at)
      case 3: bytes.insert(UInt8.random(in: 0...255, using: &numbers), at: at)
      default:
        bytes.insert(
          contentsOf: HTTP2Frame(
            kind: UInt8.random(in: 0...16, using: &numbers),
            flags: UInt8.random(in: 0...255, using: &numbers),
            stream: Int.random(in: 0...9, using: &numbers),
            payload: [UInt8](
              repeating: 0x82, count: [0, 1, 4, 5, 8, 16_385].randomElement(using: &numbers)!)
          ).bytes, at: at)
      }
    }
  }

  /// One loop reads what comes to all its connections with the same memory.
  @Test(arguments: 0..<16)
  func `nobody is answered for another, whatever frames come between`(_ seed: UInt64) throws {
    var numbers = SeededNumbers(seed)
    let edge = try EdgeUnderTest(try Self.echo())
    let peer = try HTTP2Peer(port: edge.port)
    let other = try HTTP2Peer(port: edge.port)
    let right = Self.requests("right", &numbers)
    var wrong = Self.requests("wrong", &numbers)
    Self.damage(&wrong, &numbers)
    var (at, wrongAt) = (0, 0)
    while at < right.count || wrongAt < wrong.count {
      let count = Int.random(in: 1...60, using: &numbers)
      if Bool.random(using: &numbers) {
        try peer.wire.send(Array(right[at..<min(at + count, right.count)]))
        at = min(at + count, right.count)
      } else {
        // It may be over.
        try? other.wire.send(Array(wrong[wrongAt..<min(wrongAt + count, wrong.count)]))
        wrongAt = min(wrongAt + count, wrong.count)
      }
    }
    for stream in stride(from: 1, to: 48, by: 2) {
      let response = try peer.response(stream)
      #expect(response.status == 200 && response.error == nil)
      #expect(response.text.hasPrefix("/right/\(stream) right "))
    }
    while !other.isEnded, other.wire.pendingCount > 0 || !other.wire.isQuiet(for: 0.1) {
      if (try? other.readFrame()) == nil { break }
    }
    for response in other.responses.values { #expect(!response.text.contains("right")) }
  }
}
