// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import CTLS
import Glibc
import TestSupport
import Testing

/// A supervised edge's certificates: those of its store, as it says at any time.
@Suite(.timeLimit(.minutes(20)))
struct SupervisedTLSTests {
  private func edge(
    in directory: TemporaryDirectory = TemporaryDirectory(), unsaved: Distribution? = nil,
    withoutStore: Bool = false, _ change: (inout SupervisorOptions) -> Void = { _ in }
  ) throws -> SupervisedEdge {
    try SupervisedEdge(in: directory, unsaved: unsaved, withoutStore: withoutStore) {
      $0.edge.secureListeners = [.tcp(host: "127.0.0.1", port: 0)]
      $0.certificates = CertificateMeans(
        now: { Int64(time(nil)) }, renew: { _, _ in }, ask: { _, _ in [] })
      change(&$0)
    }
  }

  private func viewer(
    _ edge: SupervisedEdge, _ name: String?, protocols: [String] = ["http/1.1"]
  ) throws -> ScriptedViewer {
    let address = try #require(edge.supervisor.edge.secureAddresses.first)
    let port = try #require(address.split(separator: ":").last.flatMap { UInt16($0) })
    return try ScriptedViewer(port: port, tls: ClientTLS(name: name, protocols: protocols))
  }

  private func shown(_ edge: SupervisedEdge, _ name: String?) throws -> CertificateInfo {
    let viewer = try viewer(edge, name)
    defer { viewer.close() }
    return try CertificateInfo(pem: try #require(viewer.wire.tls?.peerCertificate))
  }

  private func get(
    _ edge: SupervisedEdge, _ target: String, host: String, _ fields: String...
  ) throws -> ViewerResponse {
    let viewer = try viewer(edge, host)
    defer { viewer.close() }
    try viewer.send(
      "GET \(target) HTTP/1.1\r\nHost: \(host)\r\n" + fields.map { "\($0)\r\n" }.joined() + "\r\n")
    return try viewer.readResponse()
  }

  /// As a command stores it: issued by an authority that is nobody's.
  private func certificate(
    _ name: String, _ domains: [String], source: CertificateSource = .imported
  ) throws -> StoredCertificate {
    let other = TemporaryDirectory()
    let issued = try LocalAuthority(DirectoryStore(home: other.file("store"))).issue(
      domains, now: Int64(time(nil)))
    return StoredCertificate(
      name: name, created: 0, modified: 0, source: source, domains: domains,
      chain: issued.certificate.pem, key: issued.key.pem)
  }

  private func put(_ certificate: StoredCertificate, _ edge: SupervisedEdge) throws {
    let revision = try CertificateCatalog(edge.store).put(certificate, ifRevision: nil)
    try edge.waitUntilApplied(revision)
  }

  @Test func `default domains are served over https from the first request on`() throws {
    let origin = try numberingOrigin()
    let edge = try edge()
    let root = try #require(try LocalAuthority(edge.store).existing()?.certificate)
    try edge.put(try site(origin))
    for host in ["site.atoll.localhost", "localhost"] {
      #expect(try shown(edge, host).isIssued(by: root))
      #expect(try get(edge, "/", host: host).status == 200)
    }
    #expect(try shown(edge, nil).covers("127.0.0.1"))
    #expect(throws: ClientTLSError.alert("tlsv1 unrecognized name")) {
      try viewer(edge, "shop.example")
    }
    // A name with a dot in it is a level below the others.
    try edge.put(try site(origin, name: "my.site"))
    #expect(
      eventually(seconds: 30) {
        (try? shown(edge, "my.site.atoll.localhost").covers("my.site.atoll.localhost")) == true
      }, "\(edge.lines.value)")
  }

  @Test func `an origin's URL alone is enough, with a store and without one`() throws {
    let origin = try numberingOrigin()
    let kept = try edge(unsaved: try site(origin, name: "unsaved"))
    #expect(try get(kept, "/", host: "unsaved.atoll.localhost").text == "1")
    let root = try #require(try LocalAuthority(kept.store).existing()?.certificate)
    #expect(try shown(kept, "localhost").isIssued(by: root))
    let alone = try edge(unsaved: try site(origin, name: "unsaved"), withoutStore: true)
    #expect(try get(alone, "/", host: "localhost").status == 200)
    #expect(try shown(alone, "localhost").isSelfIssued)
    #expect(try CertificateCatalog(alone.store).names().isEmpty)
  }

  @Test func `an edge without TLS makes no certificate`() throws {
    let edge = try SupervisedEdge()
    #expect(try CertificateCatalog(edge.store).names().isEmpty)
    #expect(try LocalAuthority(edge.store).existing() == nil)
  }

  @Test func `a certificate is in use when the command returns, and connections stay`() throws {
    let origin = try numberingOrigin()
    let edge = try edge()
    try edge.put(try site(origin))
    let first = try certificate("shop", ["shop.example"])
    try put(first, edge)
    let old = try viewer(edge, "shop.example")
    #expect(try shown(edge, "shop.example").pem == first.chain)
    let second = try certificate("shop", ["shop.example", "www.shop.example"])
    try put(second, edge)
    #expect(try shown(edge, "shop.example").pem == second.chain)
    #expect(try shown(edge, "www.shop.example").pem == second.chain)
    try old.send("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
    #expect(try old.readResponse().status == 200)
    let revision = try #require(try CertificateCatalog(edge.store).delete("shop", ifRevision: nil))
    try edge.waitUntilApplied(revision)
    #expect(throws: ClientTLSError.self) { try viewer(edge, "shop.example") }
    #expect(edge.waitForLine("certificate \"shop\" is no longer in use"))
  }

  @Test func `a damaged certificate leaves the former in use, and is told to the commands`() throws
  {
    let edge = try edge()
    let good = try certificate("shop", ["shop.example"])
    try put(good, edge)
    let revision = try #require(try CertificateCatalog(edge.store).get("shop")?.revision)
    let broken = try edge.store.write(
      "certificates/shop", Array("{\n  \"source\": \"imported\"\n}\n".utf8), ifRevision: nil)
    try edge.waitUntilApplied(broken)
    #expect(try shown(edge, "shop.example").pem == good.chain)
    #expect(edge.record?.refusedCertificates == [RefusedDocument(name: "shop", kept: revision)])
    let unusable = try edge.store.write(
      "certificates/shop",
      DocumentWriter.document { writer in
        writer.member("source", "imported")
        writer.member("certificate", "nothing\n")
        writer.member("key", "nothing\n")
      }, ifRevision: nil)
    try edge.waitUntilApplied(unusable)
    #expect(try shown(edge, "shop.example").pem == good.chain)
    let record = try #require(edge.record)
    #expect(record.refusedCertificates == [RefusedDocument(name: "shop", kept: revision)])
    #expect(record.problems.contains { $0.hasPrefix("certificate \"shop\": ") })
    #expect(edge.waitForLine("stays in use"))
    try put(good, edge)
    #expect(edge.record?.problems == [] && edge.record?.refusedCertificates == [])
  }

  @Test func `a challenge by TLS is answered with a certificate of its own (RFC 8737)`() throws {
    let edge = try edge()
    let hold = try PendingChallenges(edge.store).post(
      PendingChallenge(
        type: .tls, domain: "shop.example", token: "abc", keyAuthorization: "abc.thumb"))
    let answers = try EdgeRegistry(edge.store).waitUntilAnswered(
      tokens: ["abc"], timeout: .seconds(10))
    #expect(answers.map(\.isConfirmed) == [true])
    let viewer = try viewer(edge, "shop.example", protocols: ["acme-tls/1"])
    #expect(viewer.wire.tls?.applicationProtocol == "acme-tls/1")
    let certificate = try CertificateInfo(pem: try #require(viewer.wire.tls?.peerCertificate))
    #expect(certificate.isSelfIssued && certificate.domains == ["shop.example"])
    // id-pe-acmeIdentifier, critical, with the digest of the key authorization.
    let proof: [UInt8] =
      [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x1f, 0x01, 0x01, 0xff, 0x04, 0x22]
      + [0x04, 0x20] + Digest.sha256(Array("abc.thumb".utf8))
    #expect(
      certificate.der.indices.contains {
        Array(certificate.der[$0...].prefix(proof.count)) == proof
      }
    )
    hold.release()
    #expect(eventually { edge.record?.challenges == [] })
    #expect(throws: (any Error).self) {
      try self.viewer(edge, "shop.example", protocols: ["acme-tls/1"])
    }
  }

  @Test func `redirects, HSTS and the origin's facts over TLS`() throws {
    let origin = try ScriptedOrigin { exchange in
      try exchange.respond(
        "200 OK", "Cache-Control: no-store",
        body: [
          exchange.request["cloudfront-forwarded-proto"], exchange.request["x-forwarded-proto"],
          exchange.request["cloudfront-viewer-tls"],
        ].map { $0 ?? "-" }.joined(separator: " "))
    }
    let edge = try edge()
    try edge.put(
      try site(origin) {
        $0.settings.viewerProtocol = .redirectToHTTPS
        $0.settings.responseHeaders.security = SecurityHeaders(
          strictTransportSecurity: "max-age=60; includeSubDomains")
        $0.settings.originRequest.headers = .listed([
          "CloudFront-Viewer-TLS", "CloudFront-Forwarded-Proto",
        ])
      })
    let host = "site.atoll.localhost"
    let securePort = edge.supervisor.edge.secureAddresses[0].split(separator: ":").last!
    let redirect = try edge.get("/a?b", host: "\(host):\(edge.port)")
    #expect(redirect.status == 301 && redirect["strict-transport-security"] == nil)
    #expect(redirect["location"] == "https://\(host):\(securePort)/a?b")
    #expect(try edge.get("/a", host: host)["location"] == "https://\(host)/a")
    let viewer = try viewer(edge, host)
    for word in ["fullHandshake", "connectionReused"] {
      try viewer.send("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
      let response = try viewer.readResponse()
      #expect(response.status == 200)
      #expect(
        response.head.values(of: "strict-transport-security") == ["max-age=60; includeSubDomains"])
      let facts = response.text.split(separator: " ")
      #expect(facts.first == "https")
      #expect(facts.last?.hasPrefix("TLSv1.3:TLS_") == true)
      #expect(facts.last?.hasSuffix(":\(word)") == true)
    }
  }

  @Test func `https-only refuses what comes in the clear alone`() throws {
    let origin = try numberingOrigin()
    let edge = try edge()
    try edge.put(try site(origin) { $0.settings.viewerProtocol = .httpsOnly })
    #expect(try edge.get("/").status == 403)
    #expect(try get(edge, "/", host: "site.atoll.localhost").status == 200)
  }

  @Test func `http and https share what is stored, unless the key tells them apart`() throws {
    let origin = try numberingOrigin()
    let edge = try edge()
    func distribution(keysScheme: Bool) throws -> Distribution {
      try site(origin) {
        $0 = Distribution.make(
          name: $0.name, origin: $0.origin, preset: .static, id: $0.id, now: 0)
        $0.settings.key.scheme = keysScheme
      }
    }
    try edge.put(try distribution(keysScheme: false))
    let host = "site.atoll.localhost"
    #expect(try edge.get("/", host: host).text == "1")
    #expect(try get(edge, "/", host: host).text == "1")
    try edge.put(try distribution(keysScheme: true))
    #expect(try edge.get("/", host: host).text == "2")
    #expect(try get(edge, "/", host: host).text == "3")
    #expect(try edge.get("/", host: host).text == "2")
  }

  @Test func `expiry is in the metrics, and in the log when it is near`() throws {
    let edge = try edge()
    let other = TemporaryDirectory()
    let now = Int64(time(nil))
    // Ten days are left of it.
    let issued = try LocalAuthority(DirectoryStore(home: other.file("store"))).issue(
      ["old.example"], now: now - 80 * 86_400)
    try put(
      StoredCertificate(
        name: "old", created: 0, modified: 0, source: .imported, domains: ["old.example"],
        chain: issued.certificate.pem, key: issued.key.pem), edge)
    #expect(
      edge.waitForLine("certificate \"old\" expires in 10 days, on ")
        || edge.waitForLine("certificate \"old\" expires in 9 days, on "))
    #expect(
      edge.lines.value.contains { $0.hasSuffix("import its successor with atoll cert import old") })
    let certificates = try edge.admin.metrics().certificates
    #expect(certificates.map(\.name) == ["default-domains", "old"])
    #expect(certificates.last?.notAfter == issued.certificate.notAfter)
  }

  @Test func `the running edge renews what is due`() throws {
    let directory = TemporaryDirectory()
    let store = DirectoryStore(home: directory.file("store"))
    let now = Int64(time(nil))
    let names = DefaultCertificate.names(base: "atoll.localhost", hosts: [])
    let old = try DefaultCertificate(store).ensure(names, now: now - 50 * 86_400)
    let mine = try LocalAuthority(store).issue(["a.example"], now: now - 50 * 86_400)
    try CertificateCatalog(store).put(
      StoredCertificate(
        name: "mine", created: 0, modified: 0, source: .local, domains: ["a.example"],
        chain: mine.certificate.pem, key: mine.key.pem), ifRevision: 0)
    let clock = Shared(now)
    let edge = try edge(in: directory) {
      $0.certificates = CertificateMeans(
        now: { clock.value }, renew: { _, _ in }, ask: { _, _ in [] })
    }
    #expect(try shown(edge, "a.example") == mine.certificate)
    #expect(try shown(edge, "x.atoll.localhost").pem == old.chain)
    clock.withLock { $0 += 12 * 86_400 }
    // Whatever changes has it look.
    try put(try certificate("other", ["b.example"]), edge)
    #expect(
      eventually { (try? shown(edge, "a.example").notAfter) ?? 0 > mine.certificate.notAfter })
    #expect(eventually { (try? shown(edge, "x.atoll.localhost").pem) ?? old.chain != old.chain })
    #expect(edge.waitForLine("certificate \"mine\" for a.example is renewed, until "))
    edge.supervisor.post(signal: SIGTERM)
    #expect(eventually { edge.end == .drained })
    #expect(eventually { (try? store.read("keeping/certificates")) == .some(nil) })
  }
}
