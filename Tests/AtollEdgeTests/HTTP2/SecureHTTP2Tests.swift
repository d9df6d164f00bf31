// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import CTLS
import Glibc
import TestSupport
import Testing

/// HTTP/2 that viewers have agreed on in their handshakes (RFC 9113 §3.2).
@Suite(.timeLimit(.minutes(20)))
struct SecureHTTP2Tests {
  private static let certificate = ServerCertificate("test.example", "*.test.example")

  private static func site() throws -> ScriptedOrigin {
    try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: max-age=60", body: "body of \($0.request.target)")
    }
  }

  private func edge(
    _ origin: ScriptedOrigin, options: (inout EdgeOptions) -> Void = { _ in }
  ) throws -> EdgeUnderTest {
    try .secure(origin, [Self.certificate.served()], options: options)
  }

  /// Bytes whose place can be told.
  private static func pattern(_ count: Int) -> String {
    var text = ""
    while text.utf8.count < count { text += "\(text.utf8.count) " }
    return String(text.prefix(count))
  }

  @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
  func `the handshake chooses the protocol`(version: Int32) throws {
    let edge = try edge(try Self.site())
    let peer = try edge.securePeer(ClientTLS(protocols: ["h2", "http/1.1"], version: version))
    #expect(peer.wire.tls?.applicationProtocol == "h2" && peer.wire.tls?.version == version)
    let first = try peer.request(1, "/a")
    #expect(first.status == 200 && first.text == "body of /a" && !first.isHit)
    #expect(try peer.request(3, "/a").isHit)
    // The same entry serves both protocols; the viewer's order does not count.
    #expect(try edge.secureViewer(ClientTLS(version: version)).get("/a").isHit)
    let other = try edge.securePeer(ClientTLS(protocols: ["http/1.1", "h2"], version: version))
    #expect(other.wire.tls?.applicationProtocol == "h2")
    #expect(try other.request(1, "/a").isHit)
  }

  @Test func `a resumed session speaks HTTP/2 as well`() throws {
    let edge = try edge(try Self.site())
    let first = try edge.securePeer()
    #expect(try first.request(1, "/").status == 200)
    let session = try #require(first.wire.tls?.session)
    let second = try edge.securePeer(ClientTLS(protocols: ["h2"], session: session))
    #expect(second.wire.tls?.isResumed == true)
    #expect(try second.request(1, "/").isHit)
  }

  @Test func `the preface of HTTP/2 is none where HTTP/1.1 was agreed on`() throws {
    let edge = try edge(try Self.site())
    for protocols in [["http/1.1"], []] {
      let viewer = try edge.secureViewer(ClientTLS(protocols: protocols))
      try viewer.send(HTTP2Peer.preface)
      #expect(try viewer.readResponse().status == 505)
      #expect(try !viewer.wire.receive())
    }
  }

  @Test func `who speaks HTTP/1.1 after agreeing on HTTP/2 is sent away`() throws {
    let edge = try edge(try Self.site())
    let wire = try Wire(port: edge.securePort)
    try wire.secure(ClientTLS(protocols: ["h2"]))
    try wire.send("GET / HTTP/1.1\r\nHost: test.example\r\n\r\n")
    #expect(try wire.read(9)[3] == HTTP2Frame.Kind.settings)
    var rest: [UInt8] = []
    repeat { rest += wire.take(wire.pendingCount) } while try wire.receive()
    let end = HTTP2Frame(
      kind: HTTP2Frame.Kind.goAway,
      payload: HTTP2Frame.bytes(0) + HTTP2Frame.bytes(HTTP2Peer.Code.protocolError))
    #expect(String(decoding: rest, as: UTF8.self).contains("HTTP/1.1") == false)
    // Its first 17 bytes: a debug text may follow.
    #expect(rest.indices.contains { rest[$0...].dropFirst(3).starts(with: end.bytes.dropFirst(3)) })
  }

  @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
  func `large responses reach a slow viewer whole, many at once`(version: Int32) throws {
    let body = Self.pattern(400_000)
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: max-age=60", body: $0.request.target + body)
    }
    let edge = try edge(origin)
    for _ in 1...2 {
      let peer = try edge.securePeer(
        ClientTLS(protocols: ["h2"], version: version), receiveBuffer: 20_000)
      let streams = (0..<8).map { 2 * $0 + 1 }
      for stream in streams { try peer.sendRequest(stream, "/\(stream)") }
      // Until the edge can send no more.
      usleep(50_000)
      for stream in streams {
        let response = try peer.response(stream)
        #expect(response.isComplete && response.text == "/\(stream)" + body)
      }
    }
  }

  @Test func `bodies of requests arrive whole`() throws {
    let origin = try ScriptedOrigin {
      try $0.respond(body: String(decoding: try $0.readBody().bytes, as: UTF8.self))
    }
    let edge = try edge(origin)
    let peer = try edge.securePeer()
    try peer.greet()
    let body = Self.pattern(200_000)
    for stream in [1, 3] {
      try peer.sendRequest(stream, "POST", "/", endStream: false)
      try peer.sendData(stream, Array(body.utf8), endStream: true)
      #expect(try peer.response(stream).text == body)
    }
  }

  @Test func `a host that is not on the certificate is misdirected, and no other stream`() throws {
    let edge = try edge(try Self.site())
    let peer = try edge.securePeer()
    var stream = 1
    func status(_ host: String) throws -> Int {
      defer { stream += 2 }
      try peer.send(HTTP2Peer.headers(stream, HTTP2Peer.fields("/", authority: host)))
      return try peer.response(stream).status
    }
    for host in ["other.example", "a.b.test.example", "192.0.2.8"] {
      #expect(try status(host) == 421, "\(host)")
      #expect(try status("test.example") == 200)
      #expect(try status("www.test.example:8443") == 200)
    }
  }

  @Test func `certificates are swapped under open streams`() throws {
    let goOn = Event()
    let origin = try ScriptedOrigin { exchange in
      if exchange.request.target == "/slow" { #expect(goOn.wait()) }
      try exchange.respond(body: "done")
    }
    let edge = try edge(origin)
    let peer = try edge.securePeer()
    try peer.sendRequest(1, "/slow")
    #expect(origin.waitFor(requests: 1))
    let next = ServerCertificate("test.example")
    edge.edge.apply(certificates: try TLSCertificates([next.served()], policy: .intermediate))
    goOn.fire()
    #expect(try peer.response(1).text == "done")
    #expect(try peer.request(3, "/").text == "done")
    let other = try edge.securePeer()
    #expect(other.wire.tls?.peerCertificate == next.certificatePEM)
    #expect(try other.request(1, "/").text == "done")
  }

  @Test func `a drain says goodbye by both protocols`() throws {
    let goOn = Event()
    let origin = try ScriptedOrigin { exchange in
      #expect(goOn.wait())
      try exchange.respond(body: "done")
    }
    let edge = try edge(origin)
    let peer = try edge.securePeer()
    try peer.sendRequest(1, "/slow")
    #expect(origin.waitFor(requests: 1))
    let drained = Shared(false)
    let thread = TestThread {
      let isDone = edge.edge.drain(timeout: 10)
      drained.withLock { $0 = isDone }
    }
    try peer.read { $0.goAway != nil }
    goOn.fire()
    #expect(try peer.response(1).text == "done")
    #expect(try peer.readEnd() == HTTP2Peer.Code.none)
    #expect(peer.goAway?.lastStream == 1)
    let tls = try #require(peer.wire.tls)
    #expect(SSL_get_shutdown(tls.ssl) & SSL_RECEIVED_SHUTDOWN != 0)
    peer.wire.close()
    thread.join()
    #expect(drained.value)
  }

  @Test func `a viewer that leaves in the middle leaves nothing behind`() throws {
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: max-age=60", body: Self.pattern(400_000))
    }
    let edge = try edge(origin)
    for _ in 1...20 {
      let peer = try edge.securePeer(receiveBuffer: 20_000)
      for stream in [1, 3, 5] { try peer.sendRequest(stream, "/") }
      try peer.read { $0.responses[1] != nil }
      peer.wire.reset()
    }
    let peer = try edge.securePeer()
    #expect(try peer.request(1, "/").isHit)
  }

  @Test func `WebSocket passes through a stream`() throws {
    let origin = try ScriptedOrigin { exchange in
      let key = exchange.request["sec-websocket-key"] ?? ""
      try exchange.send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          + "Sec-WebSocket-Accept: \(webSocketAccept(for: key))\r\n\r\n")
      while exchange.wire.pendingCount > 0 ? true : try exchange.wire.receive() {
        try exchange.wire.send(exchange.wire.take(exchange.wire.pendingCount))
      }
      exchange.close()
    }
    let edge = try edge(origin)
    let peer = try edge.securePeer()
    try peer.greet()
    try peer.send(
      HTTP2Peer.headers(
        1,
        [
          (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"),
          (":path", "/chat"), (":authority", "test.example"), ("sec-websocket-version", "13"),
        ], endStream: false))
    let text = Array(Self.pattern(200_000).utf8)
    try peer.sendData(1, text, endStream: true)
    let response = try peer.response(1)
    #expect(response.status == 200 && response.body == text)
    #expect(origin.requests.first?["x-forwarded-proto"] == "https")
  }
}
