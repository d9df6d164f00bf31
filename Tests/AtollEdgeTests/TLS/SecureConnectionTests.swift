// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CTLS
import Glibc
import Testing

@testable import AtollEdge

/// HTTP/1.1 over TLS, once the handshake is done.
@Suite(.timeLimit(.minutes(20)))
struct SecureConnectionTests {
  private static let certificate = ServerCertificate(
    "test.example", "*.test.example", "IP:192.0.2.7")

  private func edge(_ origin: ScriptedOrigin) throws -> EdgeUnderTest {
    try .secure(origin, [Self.certificate.served()])
  }

  /// Bytes whose place can be told.
  private static func pattern(_ count: Int) -> String {
    var text = ""
    while text.utf8.count < count { text += "\(text.utf8.count) " }
    return String(text.prefix(count))
  }

  @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
  func `a large response reaches a slow viewer whole`(version: Int32) throws {
    let body = Self.pattern(3_000_000)
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: max-age=60", body: body)
    }
    let edge = try edge(origin)
    for _ in 1...2 {
      let viewer = try edge.secureViewer(ClientTLS(version: version), receiveBuffer: 20_000)
      try viewer.send(ScriptedViewer.head("GET", "/") + ScriptedViewer.head("GET", "/"))
      // Until the edge can send no more.
      usleep(50_000)
      for _ in 1...2 {
        let response = try viewer.readResponse()
        #expect(response.isComplete && response.text == body)
      }
    }
  }

  @Test func `a chunked response of unknown length arrives whole`() throws {
    let piece = Self.pattern(40_000)
    let origin = try ScriptedOrigin {
      try $0.sendHead("200 OK", "Transfer-Encoding: chunked")
      for _ in 1...20 { try $0.send("\(String(piece.utf8.count, radix: 16))\r\n\(piece)\r\n") }
      try $0.send("0\r\n\r\n")
    }
    let edge = try edge(origin)
    let response = try edge.secureViewer(receiveBuffer: 20_000).get("/")
    #expect(response.isComplete && response.text == String(repeating: piece, count: 20))
  }

  @Test func `an upload arrives whole`() throws {
    let origin = try ScriptedOrigin {
      let body = try $0.readBody()
      try $0.respond(body: String(decoding: body.bytes, as: UTF8.self))
    }
    let body = Self.pattern(500_000)
    let edge = try edge(origin)
    let viewer = try edge.secureViewer()
    #expect(try viewer.request("POST", "/", body: body).text == body)
    #expect(try viewer.request("POST", "/", body: "short").text == "short")
  }

  @Test func `pipelined requests are answered in their order`() throws {
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: max-age=60", body: $0.request.target)
    }
    let edge = try edge(origin)
    let viewer = try edge.secureViewer()
    try viewer.send((1...200).map { ScriptedViewer.head("GET", "/\($0 % 10)") }.joined())
    for index in 1...200 { #expect(try viewer.readResponse().text == "/\(index % 10)") }
  }

  @Test func `a head may come in pieces`() throws {
    let origin = try ScriptedOrigin { try $0.respond(body: $0.request.target) }
    let edge = try edge(origin)
    let viewer = try edge.secureViewer()
    for byte in ScriptedViewer.head("GET", "/piecemeal").utf8 { try viewer.send([byte]) }
    #expect(try viewer.readResponse().text == "/piecemeal")
  }

  // MARK: Ends

  @Test func `the last response is followed by a close_notify`() throws {
    let origin = try ScriptedOrigin { try $0.respond(body: "last") }
    let edge = try edge(origin)
    let viewer = try edge.secureViewer()
    #expect(try viewer.request("GET", "/", ["Connection: close"]).text == "last")
    // An end without it would be an error here.
    #expect(try !viewer.wire.receive())
  }

  @Test func `an idle connection ends with a close_notify`() throws {
    let origin = try ScriptedOrigin { try $0.respond(body: "x") }
    let edge = try EdgeUnderTest.secure(origin, [Self.certificate.served()]) { $0.idleTimeout = 1 }
    let viewer = try edge.secureViewer()
    #expect(try viewer.get("/").status == 200)
    #expect(try !viewer.wire.receive())
  }

  @Test func `a viewer that has said its last word is still answered`() throws {
    let go = Event()
    let origin = try ScriptedOrigin {
      go.wait()
      try $0.respond(body: "answer")
    }
    let edge = try edge(origin)
    let viewer = try edge.secureViewer()
    try viewer.send(ScriptedViewer.head("GET", "/"))
    viewer.wire.closeNotify()
    origin.waitFor(requests: 1)
    go.fire()
    #expect(try viewer.readResponse().text == "answer")
    #expect(try !viewer.wire.receive())
  }

  @Test func `a hit is sent before the end that came with its request`() throws {
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: max-age=60", body: "hit")
    }
    let edge = try edge(origin)
    #expect(try edge.secureViewer().get("/").text == "hit")
    let viewer = try edge.secureViewer()
    try viewer.send(ScriptedViewer.head("GET", "/"))
    viewer.wire.closeNotify()
    #expect(try viewer.readResponse().text == "hit")
    #expect(viewer.isClosed(within: 5))
  }

  @Test func `a response that breaks off does not look finished`() throws {
    let origin = try ScriptedOrigin {
      try $0.sendHead("200 OK")
      try $0.send("part")
      $0.reset()
    }
    let edge = try edge(origin)
    let viewer = try edge.secureViewer()
    let response = try viewer.request("GET", "/")
    #expect(!response.isComplete)
  }

  @Test func `a viewer that has ended without a word is answered, and told that this is the end`()
    throws
  {
    let go = Event()
    let origin = try ScriptedOrigin {
      go.wait()
      try $0.sendHead("200 OK", "Connection: close")
      try $0.send("answer")
      $0.close()
    }
    let edge = try edge(origin)
    let viewer = try edge.secureViewer()
    // To HTTP/1.0 a body without length ends with the connection.
    try viewer.send("GET / HTTP/1.0\r\nHost: test.example\r\n\r\n")
    viewer.halfClose()
    origin.waitFor(requests: 1)
    go.fire()
    let response = try viewer.readResponse()
    #expect(response.isComplete && response.text == "answer")
  }

  @Test func `who leaves an idle connection without a word gets none`() throws {
    let origin = try ScriptedOrigin { try $0.respond(body: "x") }
    let edge = try edge(origin)
    let viewer = try edge.secureViewer()
    #expect(try viewer.get("/").status == 200)
    viewer.halfClose()
    var byte: UInt8 = 0
    #expect(eventually { recv(viewer.wire.descriptor, &byte, 1, Int32(MSG_DONTWAIT)) == 0 })
    #expect(edge.edge.handshakes().failed == 0)
  }

  // MARK: What peers send beside data

  /// Sends a new key of TLS 1.3 and asks for another.
  private func updateKey(_ viewer: ScriptedViewer) -> Bool {
    let ssl = viewer.wire.tls!.ssl
    ERR_clear_error()
    return SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_do_handshake(ssl) == 1
  }

  @Test func `keys may change`() throws {
    let origin = try ScriptedOrigin { try $0.respond(body: $0.request.target) }
    let edge = try edge(origin)
    let viewer = try edge.secureViewer()
    for index in 1...Int(Limits.tlsMessages.burst) {
      #expect(updateKey(viewer))
      #expect(try viewer.get("/\(index)").text == "/\(index)")
    }
  }

  @Test(arguments: [true, false])
  func `who changes keys without end loses the connection`(amongData: Bool) throws {
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: max-age=60", body: "x")
    }
    let edge = try edge(origin)
    let viewer = try edge.secureViewer()
    #expect(try viewer.get("/").status == 200)
    var count = 0
    // What the edge has closed takes a while to refuse.
    while count < 2_000, updateKey(viewer) {
      count += 1
      if amongData, (try? viewer.get("/").status) != 200 { break }
    }
    #expect(eventually { edge.edge.connectionCount == 0 })
    #expect(edge.edge.handshakes()[.messageFlood] == 1)
    if amongData { #expect(count < 100) }
    #expect(try edge.secureViewer().get("/").status == 200)
  }

  @Test func `TLS 1.2 is not negotiated again, however often it is asked for`() throws {
    let origin = try ScriptedOrigin { try $0.respond(body: "x") }
    let edge = try edge(origin)
    let viewer = try edge.secureViewer(ClientTLS(version: TLS1_2_VERSION))
    #expect(try viewer.get("/").status == 200)
    let ssl = viewer.wire.tls!.ssl
    #expect(SSL_renegotiate(ssl) == 1)
    // The first call sends, the next ones find the refusal.
    var result: Int32 = 0
    #expect(
      eventually {
        ERR_clear_error()
        result = SSL_do_handshake(ssl)
        return SSL_get_error(ssl, result) == SSL_ERROR_SSL
      })
    #expect(result != 1)
    #expect(ctls_error_reason(ERR_peek_error()) == SSL_R_NO_RENEGOTIATION)
    ERR_clear_error()
    #expect(edge.edge.handshakes()[.full] == 1)
  }

  // MARK: Memory

  @Test func `who leaves before all is taken leaves nothing behind`() throws {
    let body = Self.pattern(3_000_000)
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: max-age=60", body: body)
    }
    let edge = try edge(origin)
    #expect(try edge.secureViewer().get("/").text == body)
    #expect(eventually { edge.edge.connectionCount == 0 })
    let before = edge.edge.budget.used
    let viewers = try (1...4).map { _ in
      let viewer = try edge.secureViewer(receiveBuffer: 20_000)
      // More than any kernel takes. The heads behind the first are kept, too.
      try viewer.send((1...4).map { _ in ScriptedViewer.head("GET", "/") }.joined())
      return viewer
    }
    // Sealed bytes that the kernel did not take are kept.
    #expect(
      eventually { edge.edge.budget.used - before > 4 * (TLSSession.establishedSize + 4_096) })
    for viewer in viewers { viewer.wire.reset() }
    #expect(eventually { edge.edge.connectionCount == 0 && edge.edge.budget.used == before })
  }

  @Test func `what TLS holds is charged`() throws {
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: max-age=60", body: "x")
    }
    let edge = try edge(origin)
    #expect(try edge.secureViewer().get("/").status == 200)
    #expect(eventually { edge.edge.connectionCount == 0 })
    let before = edge.edge.budget.used
    func charged(_ bytes: Int) -> Bool {
      eventually { edge.edge.budget.used - before == bytes }
    }
    let silent = try (1...3).map { _ in try ScriptedViewer(port: edge.securePort) }
    #expect(eventually { edge.edge.connectionCount == 3 })
    #expect(charged(0))
    for viewer in silent { try viewer.send([0x16, 3, 1]) }
    #expect(charged(3 * TLSSession.negotiatingSize))
    for viewer in silent { viewer.wire.close() }
    #expect(charged(0))
    let viewers = try (1...2).map { _ in try edge.secureViewer() }
    for viewer in viewers { #expect(try viewer.get("/").status == 200) }
    #expect(charged(2 * TLSSession.establishedSize))
    // The header of a record that never comes.
    let part: [UInt8] = [0x17, 3, 3, 0x40, 0]
    #expect(send(viewers[0].wire.descriptor, part, part.count, 0) == part.count)
    #expect(charged(2 * TLSSession.establishedSize + TLSSession.partialRecordSize))
    for viewer in viewers { viewer.wire.close() }
    #expect(charged(0))
  }

  // MARK: Hosts

  @Test func `a host that is not on the certificate is misdirected`() throws {
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: max-age=60", body: $0.request.target)
    }
    let edge = try edge(origin)
    let viewer = try edge.secureViewer()
    func status(_ host: String) throws -> Int {
      try viewer.send("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
      return try viewer.readResponse().status
    }
    for host in [
      "test.example", "TEST.example:8443", "test.example.", "www.test.example", "192.0.2.7",
      "192.0.2.7:443",
    ] {
      #expect(try status(host) == 200, "\(host)")
    }
    for host in ["other.example", "a.b.test.example", "example", "192.0.2.8", "[::1]"] {
      #expect(try status(host) == 421, "\(host)")
      #expect(try status("test.example") == 200)
    }
    try viewer.send("GET https://other.example/ HTTP/1.1\r\nHost: test.example\r\n\r\n")
    let response = try viewer.readResponse()
    #expect(response.status == 421)
    #expect(response.cacheStatus.contains { $0.contains("misdirected") })
    // Without a host it is the default distribution's.
    try viewer.send("GET / HTTP/1.0\r\n\r\n")
    #expect(try viewer.readResponse().status == 200)
  }

  // MARK: Other protocols

  @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
  func `a tunnel passes bytes both ways`(version: Int32) throws {
    let origin = try ScriptedOrigin { exchange in
      try exchange.send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
      while exchange.wire.pendingCount > 0 ? true : try exchange.wire.receive() {
        try exchange.wire.send(exchange.wire.take(exchange.wire.pendingCount))
      }
      exchange.close()
    }
    let edge = try edge(origin)
    let viewer = try edge.secureViewer(ClientTLS(version: version))
    try viewer.send(
      ScriptedViewer.head("GET", "/", ["Connection: Upgrade", "Upgrade: echo"]) + "early")
    #expect(try viewer.readResponseHead().status == 101)
    #expect(try viewer.wire.read(5) == Array("early".utf8))
    let bytes = Array(Self.pattern(200_000).utf8)
    for start in stride(from: 0, to: bytes.count, by: 20_000) {
      let piece = Array(bytes[start..<start + 20_000])
      try viewer.send(piece)
      #expect(try viewer.wire.read(piece.count) == piece)
    }
    viewer.wire.closeNotify()
    #expect(viewer.isClosed())
  }
}
