// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc
import TestSupport
import Testing

@Suite struct HTTPClientTests {
  private static let authority = TestAuthority()

  private let client = HTTPClient(
    userAgent: "test/1", trust: .pem(Array(Self.authority.certificate.utf8)), connectTimeout: 10,
    timeout: 20)

  private func get(
    _ port: UInt16, host: String = "127.0.0.1", with client: HTTPClient? = nil,
    _ change: (inout ClientRequest) -> Void = { _ in }
  ) throws -> ClientResponse {
    var client = client ?? self.client
    client.route.resolutions = [
      ClientRoute.Resolution(host: "*", port: port, addresses: ["127.0.0.1"])
    ]
    var request = ClientRequest(url: try ClientURL(parsing: "https://\(host):\(port)/a"))
    change(&request)
    return try client.send(request)
  }

  /// The fault that a certificate leads to.
  private func fault(
    _ certificate: TestCertificate, host: String, with client: HTTPClient? = nil
  ) throws -> CertificateFault? {
    let server = ScriptedServer(response())
    defer { server.stop() }
    let front = TLSFront(certificate, to: server.port)
    defer { front.stop() }
    do {
      _ = try get(front.port, host: host, with: client)
    } catch let error as ClientError {
      guard case .certificate(let fault) = error.fault else { throw error }
      #expect(server.requests.isEmpty)
      #expect(error.message.hasPrefix("the certificate of 127.0.0.1:\(front.port) "))
      #expect(error.message.hasSuffix(fault.text(host: host)))
      return fault
    }
    return nil
  }

  @Test func `a body is sent and a response brought back over TLS`() throws {
    let server = ScriptedServer(response("X-A: 1", status: "201 Created", body: "made"))
    defer { server.stop() }
    let front = TLSFront(
      Self.authority.issue("DNS:shop.example", "IP:127.0.0.1"), to: server.port)
    defer { front.stop() }
    let response = try get(front.port, host: "shop.example") {
      $0.method = "POST"
      $0.headers = [HeaderField(name: "Content-Type", value: "application/json")]
      $0.body = Array("{}".utf8)
    }
    #expect(response.status == 201)
    #expect(response.values("x-a") == ["1"])
    #expect(String(decoding: response.body, as: UTF8.self) == "made")
    let tls = try #require(response.tls)
    #expect(tls.version == "TLSv1.3")
    #expect(tls.fault == nil)
    #expect(tls.certificate?.names == ["shop.example", "127.0.0.1"])
    #expect(tls.certificate?.issuer == "Test Authority")
    #expect(response.phases.tls > 0)
    let head = try #require(server.requests.first)
    #expect(head.hasPrefix("POST /a HTTP/1.1\r\nHost: shop.example:\(front.port)\r\n"))
    #expect(head.contains("Content-Length: 2\r\n"))
    #expect(
      front.handshakes == [
        .init(
          name: "shop.example", isResumed: false, version: "TLSv1.3", client: nil,
          application: "http/1.1")
      ])
  }

  @Test func `an address is verified and not asked for by name`() throws {
    let server = ScriptedServer(response())
    defer { server.stop() }
    let front = TLSFront(Self.authority.issue("IP:127.0.0.1"), to: server.port)
    defer { front.stop() }
    #expect(try get(front.port).status == 200)
    #expect(front.handshakes.map(\.name) == [nil])
  }

  @Test func `an expired certificate is refused with its date`() throws {
    let expired = Self.authority.issue("DNS:a.example", from: -7_200, until: -3_600)
    guard case .expired(let date, nil)? = try fault(expired, host: "a.example") else {
      Issue.record("it was taken")
      return
    }
    #expect(abs(date - (Int64(time(nil)) - 3_600)) < 120)
  }

  @Test func `a certificate that begins tomorrow is refused`() throws {
    let early = Self.authority.issue("DNS:a.example", from: 86_400, until: 172_800)
    guard case .notYetValid(_, nil)? = try fault(early, host: "a.example") else {
      Issue.record("it was taken")
      return
    }
  }

  @Test(arguments: [
    ("DNS:a.example", "b.example"), ("DNS:*.b.example", "a.a.b.example"),
    ("DNS:*.b.example", "b.example"),
    ("DNS:127.0.0.1", "127.0.0.1"), ("IP:127.0.0.2", "127.0.0.1"), ("DNS:a*.example", "ab.example"),
  ])
  func `a certificate for another name is refused`(name: String, host: String) throws {
    let certificate = Self.authority.issue(name)
    #expect(
      try fault(certificate, host: host)
        == .wrongName([String(name.drop { $0 != ":" }.dropFirst())]))
  }

  @Test(arguments: [("DNS:*.b.example", "a.b.example"), ("DNS:A.example", "a.EXAMPLE")])
  func `a certificate for the name is taken`(name: String, host: String) throws {
    #expect(try fault(Self.authority.issue(name), host: host) == nil)
  }

  @Test func `a common name is no host name`() throws {
    let certificate = Self.authority.issue(common: "a.example")
    #expect(try fault(certificate, host: "a.example") == .wrongName([]))
  }

  @Test func `a self-signed certificate is refused, and taken when it is what is trusted`() throws {
    let certificate = TestAuthority.selfSigned("DNS:a.example")
    #expect(try fault(certificate, host: "a.example") == .selfSigned)
    let trusting = HTTPClient(userAgent: "test/1", trust: .pem(Array(certificate.chain.utf8)))
    #expect(try fault(certificate, host: "a.example", with: trusting) == nil)
  }

  @Test func `a certificate of an authority that nobody knows is refused`() throws {
    let other = TestAuthority(name: "Somebody")
    #expect(
      try fault(other.issue("DNS:a.example"), host: "a.example") == .unknownIssuer("Somebody"))
    let whole = other.issue("DNS:a.example")
    let chain = TestCertificate(chain: whole.chain + other.certificate, key: whole.key)
    #expect(try fault(chain, host: "a.example") == .unknownRoot("Somebody"))
  }

  @Test func `what is wrong is told when nobody insists`() throws {
    let server = ScriptedServer(response())
    defer { server.stop() }
    let front = TLSFront(TestAuthority.selfSigned("DNS:a.example"), to: server.port)
    defer { front.stop() }
    var client = self.client
    client.verifies = false
    let response = try get(front.port, host: "a.example", with: client)
    #expect(response.status == 200)
    #expect(response.tls?.fault == .selfSigned)
    #expect(response.tls?.certificate?.names == ["a.example"])
  }

  @Test func `a server that speaks in the clear is told apart`() throws {
    let server = ScriptedServer([
      .init(response(status: "400 Bad Request"), staysOpen: true, speaksFirst: true)
    ])
    defer { server.stop() }
    let error = try #require(throws: ClientError.self) { try get(server.port) }
    #expect(error.fault == .noTLS)
    #expect(error.message == "127.0.0.1:\(server.port) does not speak TLS on this port")
  }

  @Test func `a server of old versions is told apart`() throws {
    let server = ScriptedServer(response())
    defer { server.stop() }
    var settings = TLSFront.Settings(Self.authority.issue("IP:127.0.0.1"))
    settings.oldest = TLS1_1
    settings.newest = TLS1_1
    let front = TLSFront(settings, to: server.port)
    defer { front.stop() }
    let error = try #require(throws: ClientError.self) { try get(front.port) }
    #expect(
      error.message == "127.0.0.1:\(front.port) speaks no version of TLS that is accepted here")
  }

  @Test func `a handshake without end ends at the deadline`() throws {
    let server = ScriptedServer(response())
    defer { server.stop() }
    var settings = TLSFront.Settings(Self.authority.issue("IP:127.0.0.1"))
    settings.isMute = true
    let front = TLSFront(settings, to: server.port)
    defer { front.stop() }
    var client = self.client
    client.connectTimeout = 0.2
    let error = try #require(throws: ClientError.self) { try get(front.port, with: client) }
    #expect(error.fault == .timeout(connecting: true))
  }

  /// Anyone on the way can end a connection; only the server can say that the body ends.
  @Test(arguments: [false, true])
  func `a body that ends with its connection needs a close_notify`(cutsOff: Bool) throws {
    let server = ScriptedServer("HTTP/1.1 200 OK\r\n\r\nhalf")
    defer { server.stop() }
    var settings = TLSFront.Settings(Self.authority.issue("IP:127.0.0.1"))
    settings.cutsOff = cutsOff
    let front = TLSFront(settings, to: server.port)
    defer { front.stop() }
    if cutsOff {
      let error = try #require(throws: ClientError.self) { try get(front.port) }
      #expect(error.fault == .response)
      #expect(error.hint == "the response is truncated")
    } else {
      #expect(try get(front.port).bodyLength == 4)
    }
  }

  @Test func `a body beyond the limit is an error`() throws {
    let server = ScriptedServer(response(body: "0123456789"))
    defer { server.stop() }
    var client = self.client
    client.bodyUse = .keep(limit: 9)
    let request = ClientRequest(url: try ClientURL(parsing: "http://127.0.0.1:\(server.port)/"))
    let error = try #require(throws: ClientError.self) { try client.send(request) }
    #expect(error.fault == .tooLarge)
    client.bodyUse = .count
    let counted = try client.send(request)
    #expect(counted.bodyLength == 10)
    #expect(counted.body.isEmpty)
  }

  @Test func `a field that would break the head is refused`() throws {
    var request = ClientRequest(url: try ClientURL(parsing: "http://127.0.0.1:1/"))
    request.headers = [HeaderField(name: "X-A", value: "1\r\nX-B: 2")]
    #expect {
      try client.send(request)
    } throws: { ($0 as? ClientError)?.fault == .usage }
  }

  @Test func `a file of trust that cannot be used is named`() throws {
    let directory = TemporaryDirectory()
    let empty = directory.write("empty.pem", "nothing\n")
    let broken = directory.write(
      "broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    let missing = directory.file("missing.pem")
    for (path, what) in [
      (empty, "holds no certificate"), (broken, "holds a certificate that cannot be read"),
      (missing, "does not exist"),
    ] {
      var client = self.client
      client.trust = .file(path)
      let error = try #require(throws: ClientError.self) { try get(1, with: client) }
      #expect(error.fault == .usage)
      #expect(error.message == "the file \"\(path)\" \(what)")
      #expect(error.hint != nil)
    }
  }
}

/// Not in the importer's reach by its macro name alone.
private let TLS1_1: Int32 = 0x0302
