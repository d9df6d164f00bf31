// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Glibc
import TestSupport
import Testing

/// HTTP/2 (RFC 9113) by prior knowledge: the same exchanges as over HTTP/1.1.
@Suite(.timeLimit(.minutes(20)))
struct HTTP2Tests {
  private static func site() throws -> ScriptedOrigin {
    try ScriptedOrigin { exchange in
      try exchange.respond(
        "200 OK", "Cache-Control: max-age=60", "ETag: \"v1\"", "Connection: keep-alive, X-Hop",
        "X-Hop: 1", "X-Long-Name: Value", body: "body of \(exchange.request.target)")
    }
  }

  @Test func `a miss becomes a hit`() throws {
    let edge = try EdgeUnderTest(try Self.site())
    let peer = try HTTP2Peer(port: edge.port)
    let first = try peer.request(1, "/a")
    #expect(first.status == 200 && first.text == "body of /a" && !first.isHit)
    for stream in [3, 5, 7] {
      let hit = try peer.request(stream, "/a")
      #expect(hit.status == 200 && hit.text == "body of /a" && hit.isHit)
      #expect(hit["content-length"] == "10" && hit["x-long-name"] == "Value")
      #expect(hit.head.fields.allSatisfy { $0.name == $0.name.lowercased() })
      #expect(hit["connection"] == nil && hit["transfer-encoding"] == nil && hit["x-hop"] == nil)
      #expect(hit["x-request-id"] != first["x-request-id"])
    }
    #expect(try edge.get("/a").isHit)
  }

  @Test func `the settings name the limits`() throws {
    let edge = try EdgeUnderTest(try Self.site())
    let peer = try HTTP2Peer(port: edge.port)
    _ = try peer.request(1, "/")
    #expect(peer.settings == [3: 128, 4: 262_144, 6: 20_480, 8: 1, 9: 1])
  }

  /// nghttp2's decoder insists on a smaller size in the first head behind the acknowledgment.
  @Test(arguments: [[0], [1], [100, 0, 4_096], [0, 65_536], [65_536, 4_096], [300, 33, 0]])
  func `heads follow the size of the viewer's table`(_ sizes: [Int]) throws {
    let edge = try EdgeUnderTest(try Self.site())
    let peer = try HTTP2Peer(port: edge.port, settings: [(1, sizes.last!)])
    _ = try peer.request(1, "/a")
    var stream = 3
    for size in sizes + sizes.reversed() {
      // Requests before and behind, in one piece.
      var bytes: [UInt8] = []
      for part in 0..<4 {
        if part == 2 { bytes += peer.frame(settings: [(1, size / 2), (1, size)]).bytes }
        bytes += HTTP2Peer.headers(stream + part * 2, HTTP2Peer.fields("/a")).bytes
      }
      try peer.wire.send(bytes)
      for _ in 0..<4 {
        let hit = try peer.response(stream)
        #expect(hit.isHit && hit.text == "body of /a" && hit["x-long-name"] == "Value")
        stream += 2
      }
    }
  }

  @Test func `a head larger than a frame goes on in another`() throws {
    let value = String(repeating: "{\\}", count: 6_000)
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: max-age=60", "X-Large: \(value)", body: "")
    }
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port)
    for stream in [1, 3, 5] {
      let response = try peer.request(stream, "/")
      #expect(response["x-large"] == value && response["content-length"] == "0")
    }
  }

  @Test func `a stream that ends with its head makes room at once`() throws {
    let edge = try EdgeUnderTest(try Self.site())
    let peer = try HTTP2Peer(port: edge.port)
    _ = try peer.request(1, "/a")
    var stream = 3
    for _ in 0..<20 {
      let streams = stride(from: stream, to: stream + 256, by: 2)
      try peer.wire.send(
        streams.flatMap { HTTP2Peer.headers($0, HTTP2Peer.fields("HEAD", "/a")).bytes })
      for stream in streams {
        let head = try peer.response(stream)
        #expect(head.status == 200 && head.isHit && head.error == nil)
      }
      stream += 256
    }
  }

  @Test func `an old connection's preface may come in pieces`() throws {
    let edge = try EdgeUnderTest(try Self.site())
    let wire = try Wire(port: edge.port)
    for byte in HTTP2Peer.preface.utf8 { try wire.send([byte]) }
    let settings = HTTP2Frame(kind: HTTP2Frame.Kind.settings).bytes
    for byte in settings { try wire.send([byte]) }
    #expect(try wire.read(9)[3] == HTTP2Frame.Kind.settings)
  }

  @Test func `a preface that goes wrong ends the connection`() throws {
    let edge = try EdgeUnderTest(try Self.site())
    let wire = try Wire(port: edge.port)
    try wire.send("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")
    while try wire.receive() { _ = wire.take(wire.pendingCount) }
    // Anything else of that version is what it always was.
    let viewer = try edge.viewer()
    try viewer.send("GET / HTTP/2.0\r\nHost: a\r\n\r\n")
    #expect(try viewer.readResponse().status == 505)
  }

  @Test func `HEAD, conditions and ranges are answered as ever`() throws {
    let edge = try EdgeUnderTest(try Self.site())
    let peer = try HTTP2Peer(port: edge.port)
    _ = try peer.request(1, "/a")
    let head = try peer.request(3, "HEAD", "/a")
    #expect(head.status == 200 && head.body.isEmpty && head["content-length"] == "10")
    let known = try peer.request(5, "/a", [("if-none-match", "\"v1\"")])
    #expect(known.status == 304 && known.body.isEmpty)
    let part = try peer.request(7, "/a", [("range", "bytes=0-3")])
    #expect(part.status == 206 && part.text == "body")
    #expect(part["content-range"] == "bytes 0-3/10")
    let parts = try peer.request(9, "/a", [("range", "bytes=0-1,8-9")])
    #expect(parts.status == 206 && parts.text.contains("bytes 8-9/10"))
    #expect(parts["content-length"] == "\(parts.body.count)")
    let none = try peer.request(11, "/a", [("range", "bytes=90-")])
    #expect(none.status == 416 && none.body.isEmpty)
  }

  @Test func `the edge's own answers have their bodies`() throws {
    let edge = try EdgeUnderTest(try Self.site()) { $0.settings.allowedMethods = .getHead }
    let peer = try HTTP2Peer(port: edge.port)
    let refused = try peer.request(1, "DELETE", "/a", [("accept", "application/json")])
    #expect(refused.status == 405 && refused["allow"] != nil)
    #expect(refused["content-length"] == "\(refused.body.count)")
    #expect(refused.text.contains("method-not-allowed"))
    let head = try peer.request(3, "TRACE", "/a")
    #expect(head.status == 405)
  }

  @Test func `responses of any length arrive whole, many at once`() throws {
    let origin = try ScriptedOrigin { exchange in
      let count = Int(exchange.request.target.split(separator: "/").last ?? "0") ?? 0
      let body = String(repeating: "0123456789abcdef", count: count / 16)
      if exchange.request.target.hasPrefix("/stored") {
        try exchange.respond("200 OK", "Cache-Control: max-age=60", body: body)
      } else {
        try exchange.sendHead(
          "200 OK", "Cache-Control: no-store", "Transfer-Encoding: chunked")
        try exchange.send(chunked(body))
      }
    }
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port)
    var stream = 1
    var expected: [Int: Int] = [:]
    for round in 0..<2 {
      for count in [16, 1_600, 160_000, 1_600_000] {
        for kind in ["stored", "relayed"] {
          try peer.sendRequest(stream, "/\(kind)/\(count)")
          expected[stream] = count
          stream += 2
        }
      }
      for (stream, count) in expected {
        let response = try peer.response(stream)
        #expect(response.status == 200 && response.body.count == count && response.error == nil)
      }
      if round == 0 { expected = [:] }
    }
  }

  // MARK: The origin's view

  @Test func `the origin gets a request of HTTP/1.1`() throws {
    let origin = try Self.site()
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port)
    let response = try peer.request(
      1, "/a?b=c",
      [
        ("cookie", "a=1"), ("x-one", "1"), ("cookie", "b=2"), ("cookie", "c=3"),
        ("te", "trailers"), ("host", "TEST.example"),
      ])
    #expect(response.status == 200)
    let request = try #require(origin.requests.first)
    #expect(request.target == "/a?b=c" && request.version == "HTTP/1.1")
    #expect(request.head.values(of: "cookie") == ["a=1; b=2; c=3"])
    #expect(request.head.values(of: "host").count == 1)
    #expect(request["x-one"] == "1" && request["te"] == "trailers")
    #expect(request.head.list("connection") == ["keep-alive", "TE"])
    #expect(request["via"] == "2 atoll")
  }

  @Test(arguments: [true, false])
  func `a body arrives whole, with or without its length`(hasLength: Bool) throws {
    let origin = try UploadTests.echo()
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port)
    try peer.greet()
    let body = Array(String(repeating: "0123456789abcdef", count: 12_000).utf8)
    for stream in [1, 3] {
      try peer.sendRequest(
        stream, "POST", "/", hasLength ? [("content-length", "\(body.count)")] : [],
        endStream: false)
      try peer.sendData(stream, Array(body.prefix(100_000)))
      try peer.sendData(stream, Array(body.dropFirst(100_000)), endStream: true)
      let response = try peer.response(stream)
      #expect(response.status == 200 && response.body == body)
    }
    let framing = try #require(origin.requests.first).framing
    #expect(framing == (hasLength ? .length(body.count) : .chunked))
  }

  @Test func `an empty body and trailers end a request`() throws {
    let origin = try UploadTests.echo()
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port)
    try peer.sendRequest(1, "POST", "/", endStream: false)
    try peer.sendData(1, [], endStream: true)
    #expect(try peer.response(1).status == 200)
    try peer.sendRequest(3, "POST", "/", endStream: false)
    try peer.sendData(3, Array("hello".utf8))
    try peer.send(HTTP2Peer.headers(3, [("x-checksum", "1")]))
    #expect(try peer.response(3).text == "hello")
    #expect(try peer.request(5, "POST", "/").status == 200)
  }

  @Test func `an upload waits for a slow origin, within its window`() throws {
    let goOn = Event()
    let origin = try ScriptedOrigin { exchange in
      #expect(goOn.wait())
      let body = try exchange.readBody(keeping: false)
      try exchange.respond(body: "\(body.count)")
    }
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port)
    try peer.greet()
    try peer.sendRequest(1, "POST", "/", endStream: false)
    var window = 262_144
    var sent = 0
    // The kernel's buffers take some on the way to the origin.
    let total = 24 << 20
    while sent < total {
      while window < 16_384 {
        if goOn.count == 0 && peer.wire.isQuiet(for: 0.3) { goOn.fire() }
        let frame = try #require(try peer.readFrame())
        if frame.kind == HTTP2Frame.Kind.windowUpdate && frame.stream == 1 {
          window += frame.number(at: 0)
        }
      }
      sent += 16_384
      window -= 16_384
      try peer.sendData(1, [UInt8](repeating: 1, count: 16_384), endStream: sent == total)
    }
    goOn.fire()
    #expect(try peer.response(1).text == "\(total)")
    #expect(edge.edge.budget.used < 8 << 20)
  }

  @Test func `uploads that stall hold back no other`() throws {
    let silent = try SilentOrigin()
    let echo = try UploadTests.echo()
    let edge = try EdgeUnderTest(
      echo,
      {
        $0.origins = [
          NamedOrigin(
            name: "silent", origin: Origin(scheme: .http, host: "127.0.0.1", port: silent.port))
        ]
        var behavior = PathBehavior(path: "/stalled/*", caching: .dontCache)
        behavior.overrides.origin = "silent"
        $0.behaviors = [behavior]
      })
    let peer = try HTTP2Peer(port: edge.port)
    try peer.greet()
    var window = 65_535
    func send(_ stream: Int, _ bytes: [UInt8], endStream: Bool) throws {
      while window < bytes.count {
        let frame = try #require(try peer.readFrame())
        if frame.kind == HTTP2Frame.Kind.windowUpdate && frame.stream == 0 {
          window += frame.number(at: 0)
        }
      }
      window -= bytes.count
      try peer.sendData(stream, bytes, endStream: endStream)
    }
    // As much as their own windows let through: more than the connection's.
    for stream in stride(from: 1, to: 13, by: 2) {
      try peer.sendRequest(stream, "POST", "/stalled/", endStream: false)
      for _ in 0..<16 { try send(stream, [UInt8](repeating: 1, count: 16_384), endStream: false) }
    }
    let body = [UInt8](repeating: 2, count: 16_384)
    try peer.sendRequest(13, "POST", "/", endStream: false)
    for part in 0..<16 { try send(13, body, endStream: part == 15) }
    #expect(try peer.response(13).body.count == 16 * body.count)
  }

  /// Where the memory is small, so is what a viewer may send ahead.
  @Test func `uploads that stall have a limit together`() throws {
    let silent = try SilentOrigin()
    let edge = try EdgeUnderTest(originPort: silent.port, options: { $0.memory = 8 << 20 })
    let peer = try HTTP2Peer(port: edge.port)
    try peer.greet()
    var window = 65_535
    var sent = 0
    var stream = 1
    sending: while true {
      try peer.sendRequest(stream, "POST", "/", endStream: false)
      for _ in 0..<16 {
        while window < 16_384 {
          if peer.wire.isQuiet(for: 1) { break sending }
          let frame = try #require(try peer.readFrame())
          if frame.kind == HTTP2Frame.Kind.windowUpdate && frame.stream == 0 {
            window += frame.number(at: 0)
          }
        }
        window -= 16_384
        sent += 16_384
        try peer.sendData(stream, [UInt8](repeating: 1, count: 16_384))
      }
      stream += 2
    }
    #expect(sent > 1 << 20 && sent <= (1 << 20) + (8 << 20) / Limits.bodyShare + 65_536)
  }

  @Test func `100 Continue and 103 pass`() throws {
    let origin = try ScriptedOrigin { exchange in
      let body = try exchange.readBody()
      try exchange.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
      try exchange.respond(body: String(decoding: body.bytes, as: UTF8.self))
    }
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port)
    try peer.sendRequest(
      1, "POST", "/", [("expect", "100-continue"), ("content-length", "2")], endStream: false)
    try peer.read { $0.responses[1]?.interim == [100] }
    try peer.sendData(1, [0x68, 0x69], endStream: true)
    let response = try peer.response(1)
    #expect(response.interim == [100, 103] && response.text == "hi")
  }

  @Test func `an answer before the end of the body is no error`() throws {
    let edge = try EdgeUnderTest(try Self.site()) { $0.settings.allowedMethods = .getHead }
    let peer = try HTTP2Peer(port: edge.port)
    try peer.sendRequest(1, "POST", "/", endStream: false)
    let response = try peer.response(1)
    #expect(response.status == 405 && response.isComplete)
    try peer.read { $0.responses[1]?.error != nil }
    #expect(peer.responses[1]?.error == HTTP2Peer.Code.none)
    #expect(try peer.request(3, "/").status == 200)
  }

  @Test func `a body may end by itself behind its answer`() throws {
    let edge = try EdgeUnderTest(try Self.site()) { $0.settings.allowedMethods = .getHead }
    let peer = try HTTP2Peer(port: edge.port)
    try peer.greet()
    for (stream, fields) in [(1, []), (3, [("content-length", "3")])] {
      try peer.sendRequest(stream, "POST", "/", fields, endStream: false)
      let response = try peer.response(stream)
      #expect(response.status == 405 && response.isComplete && response.error == nil)
      try peer.sendData(stream, [1, 2, 3], endStream: true)
    }
    // What is not sent any more has its answer behind that.
    #expect(try peer.request(5, "/").status == 200)
    #expect(peer.responses[1]?.error == nil && peer.responses[3]?.error == nil)
    // A long one is stopped, without more than its window has let through.
    try peer.sendRequest(7, "POST", "/", [("content-length", "1000000")], endStream: false)
    try peer.sendData(7, [UInt8](repeating: 1, count: 40_000))
    try peer.read { $0.responses[7]?.error != nil }
    #expect(peer.responses[7]?.isComplete == true)
    #expect(peer.responses[7]?.error == HTTP2Peer.Code.none)
  }

  @Test func `a body that breaks off is reset`() throws {
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead("200 OK", "Content-Length: 100", "Cache-Control: no-store")
      try exchange.send("only this")
      exchange.close()
    }
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port)
    let response = try peer.request(1, "/")
    #expect(response.status == 200 && !response.isComplete)
    #expect(response.error == HTTP2Peer.Code.internalError)
    let later = try peer.request(3, "/")
    #expect(later.error == HTTP2Peer.Code.internalError)
  }

  @Test func `a viewer's windows hold a response back, and the origin`() throws {
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead("200 OK", "Content-Length: \(64 << 20)", "Cache-Control: no-store")
      let part = [UInt8](repeating: 7, count: 1 << 20)
      for _ in 0..<64 { try exchange.send(part) }
    }
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port, settings: [(4, 1_000)])
    peer.updatesWindows = false
    try peer.sendRequest(1, "/")
    try peer.read { $0.responses[1]?.body.count == 1_000 }
    #expect(peer.wire.isQuiet(for: 0.3))
    #expect(edge.edge.budget.used < 4 << 20)
    try peer.updateWindow(1, 500)
    try peer.read { $0.responses[1]?.body.count == 1_500 }
    // Others are not held back by it.
    try peer.reset(1)
    #expect(peer.wire.isQuiet(for: 0.1))
  }

  @Test func `what is more urgent goes first`() throws {
    let origin = try ScriptedOrigin { exchange in
      try exchange.respond(
        "200 OK", "Cache-Control: max-age=60", body: String(repeating: "x", count: 200_000))
    }
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port)
    _ = try peer.request(1, "/")
    peer.updatesWindows = false
    // RFC 9218: both wait for the connection's window, which does for one.
    try peer.send(
      HTTP2Peer.headers(3, HTTP2Peer.fields("/", [("priority", "u=6")])),
      HTTP2Peer.headers(5, HTTP2Peer.fields("/", [("priority", "u=1")])))
    try peer.read { $0.responses[5]?.body.count == 65_535 && $0.responses[3]?.status == 200 }
    #expect(peer.responses[3]?.body.isEmpty == true)
    // And it may be changed while they wait.
    try peer.send(
      HTTP2Frame(
        kind: HTTP2Frame.Kind.priorityUpdate, payload: HTTP2Frame.bytes(3) + Array("u=0".utf8)))
    try peer.updateWindow(3, 100_000)
    try peer.updateWindow(5, 100_000)
    try peer.updateWindow(0, 65_535)
    try peer.read { $0.responses[3]?.body.count == 65_535 }
    #expect(peer.responses[5]?.body.count == 65_535)
  }

  @Test func `large heads of many responses leave together`() throws {
    let large = String(repeating: "y", count: 6_000)
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: max-age=60", "X-Large: \(large)", body: "body")
    }
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port)
    #expect(try peer.request(1, "/").status == 200)
    let streams = (1...120).map { 2 * $0 + 1 }
    try peer.wire.send(
      streams.flatMap { HTTP2Peer.headers($0, HTTP2Peer.fields("/")).bytes })
    for stream in streams {
      let response = try peer.response(stream)
      #expect(response.isHit && response["x-large"] == large && response.text == "body")
    }
  }

  // MARK: Tunnels

  private func webSocket(_ then: @escaping @Sendable (Wire) throws -> Void) throws
    -> ScriptedOrigin
  {
    try ScriptedOrigin { exchange in
      let key = exchange.request["sec-websocket-key"] ?? ""
      try exchange.send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          + "Sec-WebSocket-Accept: \(webSocketAccept(for: key))\r\n"
          + "Sec-WebSocket-Protocol: chat\r\n\r\n")
      try then(exchange.wire)
      exchange.close()
    }
  }

  private func sendConnect(_ peer: HTTP2Peer, _ stream: Int, protocol name: String = "websocket")
    throws
  {
    try peer.send(
      HTTP2Peer.headers(
        stream,
        [
          (":method", "CONNECT"), (":protocol", name), (":scheme", "http"), (":path", "/chat"),
          (":authority", "test.example"), ("sec-websocket-version", "13"),
          ("sec-websocket-protocol", "chat"),
        ], endStream: false))
  }

  @Test func `WebSocket passes through a stream`() throws {
    let origin = try webSocket { wire in
      try wire.send("hello")
      while wire.pendingCount > 0 ? true : try wire.receive() {
        try wire.send(wire.take(wire.pendingCount))
      }
    }
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port)
    try sendConnect(peer, 1)
    try peer.read { $0.responses[1]?.text == "hello" }
    let response = try #require(peer.responses[1])
    #expect(response.status == 200 && response["sec-websocket-protocol"] == "chat")
    #expect(response["sec-websocket-accept"] == nil && response["upgrade"] == nil)
    try peer.sendData(1, Array(" world".utf8))
    try peer.read { $0.responses[1]?.text == "hello world" }
    let many = [UInt8](repeating: 0x61, count: 200_000)
    try peer.sendData(1, many, endStream: true)
    #expect(try peer.response(1).body.count == 11 + many.count)
    #expect(peer.responses[1]?.isComplete == true)
    let request = try #require(origin.requests.first)
    #expect(request.method == "GET" && request.target == "/chat")
    #expect(request["upgrade"] == "websocket" && request["sec-websocket-version"] == "13")
  }

  @Test func `what a tunnel leaves for a viewer that does not take it is dropped in time`() throws {
    let origin = try webSocket { wire in
      try wire.send("goodbye")
      wire.halfClose()
      while try wire.receive() { _ = wire.take(wire.pendingCount) }
    }
    let edge = try EdgeUnderTest(origin, options: { $0.bodyTimeout = 1 })
    let peer = try HTTP2Peer(port: edge.port, settings: [(4, 0)])
    try sendConnect(peer, 1)
    try peer.read { $0.responses[1]?.status == 200 }
    try peer.sendData(1, [], endStream: true)
    #expect(try peer.response(1).error == HTTP2Peer.Code.cancel)
    #expect(edge.edge.http2Counts()[.slowReader] == 1)
    // One that does take it gets all of it.
    try sendConnect(peer, 3)
    try peer.read { $0.responses[3]?.status == 200 }
    try peer.sendData(3, [], endStream: true)
    try peer.updateWindow(3, 100)
    #expect(try peer.response(3).text == "goodbye")
    #expect(peer.responses[3]?.error == nil)
  }

  @Test func `an origin that does not answer to the key speaks no WebSocket`() throws {
    let origin = try ScriptedOrigin { exchange in
      try exchange.send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
    }
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port)
    try sendConnect(peer, 1)
    #expect(try peer.response(1).error == HTTP2Peer.Code.internalError)
  }

  @Test func `CONNECT is refused, and so are unknown protocols`() throws {
    let edge = try EdgeUnderTest(try Self.site())
    let peer = try HTTP2Peer(port: edge.port)
    try peer.send(
      HTTP2Peer.headers(
        1, [(":method", "CONNECT"), (":authority", "other.example:443")], endStream: false))
    #expect(try peer.response(1).status == 405)
    try sendConnect(peer, 3, protocol: "connect-udp")
    #expect(try peer.response(3).status == 501)
  }

  // MARK: Ends

  @Test func `a drain says goodbye, and answers what was asked`() throws {
    let goOn = Event()
    let origin = try ScriptedOrigin { exchange in
      if exchange.request.target == "/slow" { #expect(goOn.wait()) }
      try exchange.respond(body: "done")
    }
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port)
    let idle = try HTTP2Peer(port: edge.port)
    _ = try idle.request(1, "/")
    try peer.sendRequest(1, "/slow")
    let drained = Shared(false)
    #expect(origin.waitFor(requests: 2))
    let thread = TestThread {
      let isDone = edge.edge.drain(timeout: 10)
      drained.withLock { $0 = isDone }
    }
    #expect(try idle.readEnd() == HTTP2Peer.Code.none)
    try peer.read { $0.goAway != nil }
    #expect(peer.goAway?.lastStream == 0x7fff_ffff)
    goOn.fire()
    #expect(try peer.response(1).text == "done")
    #expect(try peer.readEnd() == HTTP2Peer.Code.none)
    #expect(peer.goAway?.lastStream == 1)
    idle.wire.close()
    peer.wire.close()
    thread.join()
    #expect(drained.value)
  }

  @Test func `an idle connection ends by itself`() throws {
    let edge = try EdgeUnderTest(try Self.site(), options: { $0.idleTimeout = 1 })
    let peer = try HTTP2Peer(port: edge.port)
    #expect(try peer.request(1, "/").status == 200)
    #expect(try peer.readEnd() == HTTP2Peer.Code.none)
  }

  @Test func `a viewer that has gone leaves nothing behind`() throws {
    let goOn = Event()
    let origin = try ScriptedOrigin { exchange in
      #expect(goOn.wait())
      try exchange.respond(body: "late")
    }
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port)
    for stream in [1, 3, 5] { try peer.sendRequest(stream, "/\(stream)") }
    #expect(origin.waitFor(requests: 3))
    try peer.reset(1)
    peer.wire.reset()
    #expect(eventually { edge.edge.connectionCount == 0 })
    goOn.fire()
    #expect(try edge.get("/").status == 200)
  }
}

extension HTTP2Tests {
  @Test func `the access log tells the version`() throws {
    let log = AccessLogTests.LogFile()
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: max-age=60", body: "12345")
    }
    let edge = try EdgeUnderTest(
      origin,
      options: {
        $0.accessLog = .file(log.path)
        $0.logFormat = .combined
      })
    let peer = try HTTP2Peer(port: edge.port)
    for stream in [1, 3] {
      #expect(try peer.request(stream, "/a", [("user-agent", "me")]).text == "12345")
    }
    peer.wire.close()
    _ = edge.edge.drain(timeout: 5)
    edge.stop()
    let lines = log.lines.map { String(decoding: $0, as: UTF8.self) }
    #expect(lines.count == 2)
    #expect(lines.allSatisfy { $0.contains("\"GET /a HTTP/2.0\" 200 5 \"-\" \"me\"") })
  }
}
