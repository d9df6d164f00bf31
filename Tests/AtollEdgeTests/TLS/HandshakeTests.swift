// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import CTLS
import Glibc
import TestSupport
import Testing

/// What viewers and the edge agree on before the first request.
@Suite(.timeLimit(.minutes(20)))
struct HandshakeTests {
  static let site = ServerCertificate("test.example", "*.test.example")
  let origin: ScriptedOrigin

  init() throws {
    origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: max-age=60", body: $0.request.target)
    }
  }

  private func edge(
    _ certificates: [ServedCertificate] = [site.served()], challenges: [ServedChallenge] = [],
    policy: TLSPolicy = .intermediate, options: (inout EdgeOptions) -> Void = { _ in }
  ) throws -> EdgeUnderTest {
    try .secure(
      origin, certificates, challenges: challenges, policy: policy, options: options)
  }

  private func alert(_ edge: EdgeUnderTest, _ settings: ClientTLS) -> String {
    do {
      _ = try edge.secureViewer(settings).get("/")
      return "none"
    } catch ClientTLSError.alert(let text) {
      return text
    } catch {
      return "\(error)"
    }
  }

  @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
  func `both versions serve request after request`(version: Int32) throws {
    let edge = try edge()
    let viewer = try edge.secureViewer(ClientTLS(version: version))
    #expect(viewer.wire.tls?.version == version)
    #expect(viewer.wire.tls?.applicationProtocol == "http/1.1")
    #expect(try viewer.get("/a").text == "/a")
    let hit = try viewer.get("/a")
    #expect(hit.isHit && hit.text == "/a")
    #expect(eventually { edge.edge.handshakes()[.full] == 1 })
  }

  @Test func `the modern policy speaks TLS 1.3 alone`() throws {
    let edge = try edge(policy: .modern)
    #expect(alert(edge, ClientTLS(version: TLS1_2_VERSION)) == "tlsv1 alert protocol version")
    #expect(alert(edge, ClientTLS(version: TLS1_3_VERSION)) == "none")
    #expect(eventually { edge.edge.handshakes()[.noAgreement] == 1 })
    #expect(eventually { edge.edge.handshakes()[.full] == 1 })
  }

  @Test(arguments: ["AES256-SHA", "ECDHE-ECDSA-AES256-SHA384", "DHE-RSA-AES128-GCM-SHA256"])
  func `old ciphers are no ground to agree on`(cipher: String) throws {
    let edge = try edge()
    let settings = ClientTLS(version: TLS1_2_VERSION, ciphers: cipher + ":@SECLEVEL=0")
    #expect(alert(edge, settings).hasSuffix("handshake failure"))
    #expect(eventually { edge.edge.handshakes()[.noAgreement] == 1 })
  }

  @Test func `of the ciphers of TLS 1.3 the cheaper goes first, but for who lacks AES`() throws {
    let edge = try edge()
    let (small, large) = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384")
    let chacha = "TLS_CHACHA20_POLY1305_SHA256"
    for (suites, chosen) in [
      ("\(large):\(chacha):\(small)", small), ("\(chacha):\(large):\(small)", chacha),
      ("\(large):\(chacha)", large), (large, large),
    ] {
      let viewer = try edge.secureViewer(ClientTLS(suites: suites))
      #expect(viewer.wire.tls?.cipher == chosen)
    }
    // With TLS 1.2 it is the viewer who chooses.
    for cipher in ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256"] {
      let viewer = try edge.secureViewer(
        ClientTLS(
          version: TLS1_2_VERSION, ciphers: "\(cipher):ECDHE+AESGCM", groups: "P-384:P-256:X25519"))
      #expect(viewer.wire.tls?.cipher == cipher)
      #expect(viewer.wire.tls?.group == Int(NID_secp384r1))
    }
  }

  @Test func `viewers choose the group`() throws {
    let edge = try edge()
    for (groups, chosen) in [("X25519:P-256", NID_X25519), ("P-384:X25519", NID_secp384r1)] {
      let viewer = try edge.secureViewer(ClientTLS(groups: groups))
      #expect(viewer.wire.tls?.group == Int(chosen))
    }
    // Only groups that the edge knows count, and the first share may be for another.
    let viewer = try edge.secureViewer(ClientTLS(groups: "P-521:P-256"))
    #expect(viewer.wire.tls?.group == Int(NID_X9_62_prime256v1))
  }

  @Test func `a protocol that nobody speaks here is refused`() throws {
    let edge = try edge()
    #expect(
      alert(edge, ClientTLS(protocols: ["spdy/3"])) == "tlsv1 alert no application protocol")
    #expect(alert(edge, ClientTLS(protocols: [])) == "none")
    #expect(try edge.secureViewer(ClientTLS(protocols: ["x", "http/1.0"])).get("/").status == 200)
  }

  // MARK: Names

  @Test func `a name without certificate ends in an alert that says so`() throws {
    let edge = try edge()
    #expect(alert(edge, ClientTLS(name: "other.example")) == "tlsv1 unrecognized name")
    #expect(alert(edge, ClientTLS(name: "a.b.test.example")) == "tlsv1 unrecognized name")
    #expect(eventually { edge.edge.handshakes()[.unknownName] == 2 })
    let none = try self.edge([])
    #expect(alert(none, ClientTLS()) == "tlsv1 unrecognized name")
    #expect(alert(none, ClientTLS(name: nil)).hasSuffix("alert handshake failure"))
  }

  @Test func `the most specific name counts, and preference before it`() throws {
    let wildcard = ServerCertificate("*.test.example")
    let exact = ServerCertificate("www.test.example", "api.test.example")
    let attached = ServerCertificate("*.test.example", "shop.test.example")
    let edge = try edge([
      wildcard.served("wildcard"), exact.served("exact"),
      attached.served("attached", preferredHosts: ["API.test.example.", "other.example"]),
    ])
    func shown(_ name: String?) throws -> String? {
      try edge.secureViewer(ClientTLS(name: name)).wire.tls?.peerCertificate
    }
    #expect(try shown("WWW.test.example") == exact.certificatePEM)
    #expect(try shown("any.test.example") == wildcard.certificatePEM)
    #expect(try shown("shop.test.example") == attached.certificatePEM)
    #expect(try shown("api.test.example") == attached.certificatePEM)
    #expect(try shown(nil) == wildcard.certificatePEM)
    // A preference does not make a certificate fit.
    #expect(alert(edge, ClientTLS(name: "other.example")) == "tlsv1 unrecognized name")
  }

  @Test func `of two certificates the one that lasts longer is shown`() throws {
    let short = ServerCertificate("test.example", days: 2)
    let long = ServerCertificate("test.example", days: 20)
    for order in [[short, long], [long, short]] {
      let edge = try edge(order.map { $0.served() })
      #expect(
        try edge.secureViewer().wire.tls?.peerCertificate == long.certificatePEM)
    }
  }

  @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
  func `RSA and ECDSA stand side by side`(version: Int32) throws {
    let rsa = ServerCertificate("test.example", key: .rsa)
    let ec = ServerCertificate("test.example")
    let edge = try edge([
      rsa.served("rsa", ocsp: [1, 2, 3]), ec.served("ec", ocsp: [4, 5, 6, 7]),
    ])
    for (signatures, certificate, status) in [
      ("RSA-PSS+SHA256:RSA+SHA256", rsa, [1, 2, 3] as [UInt8]),
      ("ECDSA+SHA256", ec, [4, 5, 6, 7]),
      ("ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256", ec, [4, 5, 6, 7]),
    ] {
      let viewer = try edge.secureViewer(
        ClientTLS(version: version, signatures: signatures, asksStatus: true))
      #expect(viewer.wire.tls?.peerCertificate == certificate.certificatePEM)
      #expect(viewer.wire.tls?.status == status)
    }
    #expect(try edge.secureViewer(ClientTLS(version: version)).wire.tls?.status == nil)
  }

  @Test func `a certificate that cannot be used does not keep others from being served`() throws {
    let weak = ServerCertificate("weak.example", key: .shortRSA)
    let other = ServerCertificate("test.example")
    let certificates = try TLSCertificates(
      [
        weak.served("weak"),
        ServedCertificate(name: "empty", chainPEM: "", keyPEM: ""),
        ServedCertificate(
          name: "mixed", chainPEM: other.certificatePEM, keyPEM: Self.site.keyPEM),
        ServedCertificate(
          name: "keyless", chainPEM: other.certificatePEM, keyPEM: other.certificatePEM),
        Self.site.served(),
      ], policy: .intermediate)
    #expect(
      certificates.refused == [
        .init(name: "weak", reason: "ee key too small"),
        .init(name: "empty", reason: "there is no certificate in it"),
        .init(name: "mixed", reason: "the key is not the certificate's"),
        .init(name: "keyless", reason: "its key cannot be read"),
      ])
    let edge = try edge([])
    edge.edge.apply(certificates: certificates)
    #expect(try edge.secureViewer().get("/").status == 200)
  }

  @Test func `certificates are swapped under open connections`() throws {
    let edge = try edge()
    let viewer = try edge.secureViewer()
    #expect(try viewer.get("/").status == 200)
    let next = ServerCertificate("test.example")
    edge.edge.apply(
      certificates: try TLSCertificates([next.served()], policy: .intermediate))
    #expect(try viewer.get("/").status == 200)
    #expect(
      try edge.secureViewer().wire.tls?.peerCertificate == next.certificatePEM)
  }

  @Test func `a CA's challenge is answered by its certificate alone`() throws {
    let challenge = ServerCertificate("new.example")
    let edge = try edge(challenges: [
      ServedChallenge(
        domain: "new.example", certificatePEM: challenge.certificatePEM, keyPEM: challenge.keyPEM)
    ])
    let settings = ClientTLS(name: "new.example", protocols: ["acme-tls/1"])
    let viewer = try edge.secureViewer(settings)
    #expect(viewer.wire.tls?.applicationProtocol == "acme-tls/1")
    #expect(viewer.wire.tls?.peerCertificate == challenge.certificatePEM)
    #expect(viewer.isClosed())
    #expect(eventually { edge.edge.handshakes()[.challenge] == 1 })
    // Neither may viewers have it, nor is there one for other names.
    #expect(alert(edge, ClientTLS(name: "new.example")) == "tlsv1 unrecognized name")
    #expect(
      alert(edge, ClientTLS(protocols: ["acme-tls/1"])) == "tlsv1 unrecognized name")
    #expect(
      alert(edge, ClientTLS(name: "new.example", protocols: ["acme-tls/1", "http/1.1"]))
        == "tlsv1 unrecognized name")
  }

  // MARK: Resumption

  /// The ticket of a connection that has had its first response.
  private func session(_ edge: EdgeUnderTest, _ settings: ClientTLS) throws -> ClientSession {
    let viewer = try edge.secureViewer(settings)
    #expect(try viewer.get("/").status == 200)
    let tls = try #require(viewer.wire.tls)
    #expect(tls.sessionCount == 1)
    return try #require(tls.session)
  }

  @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
  func `sessions are resumed on every loop`(version: Int32) throws {
    let edge = try edge { $0.threads = 4 }
    var settings = ClientTLS(version: version)
    settings.session = try session(edge, settings)
    for _ in 1...12 {
      let viewer = try edge.secureViewer(settings)
      #expect(viewer.wire.tls?.isResumed == true)
      #expect(try viewer.get("/").status == 200)
      // A TLS 1.3 ticket is good for once.
      if version == TLS1_3_VERSION { settings.session = viewer.wire.tls?.session }
    }
    #expect(eventually { edge.edge.handshakes()[.full] == 1 })
    #expect(eventually { edge.edge.handshakes()[.resumed] == 12 })
  }

  @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
  func `sessions outlive a change of certificates`(version: Int32) throws {
    let edge = try edge()
    var settings = ClientTLS(version: version)
    settings.session = try session(edge, settings)
    edge.edge.apply(
      certificates: try TLSCertificates(
        [ServerCertificate("test.example").served()], policy: .intermediate))
    #expect(try edge.secureViewer(settings).wire.tls?.isResumed == true)
  }

  @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
  func `sessions go on under their own name alone`(version: Int32) throws {
    let edge = try edge()
    var settings = ClientTLS(version: version)
    settings.session = try session(edge, settings)
    settings.name = "www.test.example"
    let viewer = try edge.secureViewer(settings)
    #expect(viewer.wire.tls?.isResumed == false)
    #expect(try viewer.get("/").status == 200)
  }

  @Test func `another edge's tickets lead to a full handshake`() throws {
    let edge = try edge()
    let session = try session(try self.edge(), ClientTLS())
    let viewer = try edge.secureViewer(ClientTLS(session: session))
    #expect(viewer.wire.tls?.isResumed == false)
    #expect(try viewer.get("/").status == 200)
  }

  // MARK: Viewers that do not speak TLS

  @Test(arguments: ["GET / HTTP/1.1\r\nHost: test.example\r\n\r\n", "OPTIONS * HTTP/1.0\r\n\r\n"])
  func `a request in the clear is told where it is`(request: String) throws {
    let edge = try edge()
    let viewer = try ScriptedViewer(port: edge.securePort)
    try viewer.send(request)
    let response = try viewer.readResponse()
    #expect(response.status == 400)
    #expect(response.text.contains("https://"))
    #expect(response["connection"] == "close")
    #expect(viewer.isClosed())
    #expect(eventually { edge.edge.handshakes()[.plainHTTP] == 1 })
  }

  @Test func `noise ends the connection`() throws {
    let edge = try edge()
    let viewer = try ScriptedViewer(port: edge.securePort)
    try viewer.send([UInt8](repeating: 0x80, count: 300))
    while viewer.wire.pendingCount > 0 ? true : (try? viewer.wire.receive()) ?? false {
      _ = viewer.wire.take(viewer.wire.pendingCount)
    }
    #expect(eventually { edge.edge.handshakes()[.malformed] == 1 })
    #expect(alert(edge, ClientTLS()) == "none")
  }

  @Test func `who says nothing is given up`() throws {
    let edge = try edge { $0.handshakeTimeout = 1 }
    let viewer = try ScriptedViewer(port: edge.securePort)
    #expect(viewer.isClosed())
    #expect(eventually { edge.edge.handshakes()[.timeout] == 1 })
    #expect(eventually { edge.edge.connectionCount == 0 })
  }

  @Test func `who leaves before the end is no failure of the edge`() throws {
    let edge = try edge()
    for said in [[], [0x16], [0x16, 3, 1, 2, 0, 1] as [UInt8]] {
      let viewer = try ScriptedViewer(port: edge.securePort)
      try viewer.send(said)
      viewer.halfClose()
      while (try? viewer.wire.receive()) ?? false { _ = viewer.wire.take(viewer.wire.pendingCount) }
    }
    #expect(eventually { edge.edge.handshakes()[.viewerLeft] == 3 })
    #expect(eventually { edge.edge.connectionCount == 0 })
  }

  @Test func `many handshakes at once all have their turn`() throws {
    let edge = try edge()
    let failures = Shared(0)
    runThreads(8) { _ in
      for _ in 0..<25 {
        guard let viewer = try? edge.secureViewer(), let response = try? viewer.get("/"),
          response.status == 200
        else {
          failures.withLock { $0 += 1 }
          continue
        }
      }
    }
    #expect(failures.value == 0)
    #expect(eventually { edge.edge.handshakes()[.full] == 200 })
  }
}
