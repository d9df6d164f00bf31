// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import TestSupport
import Testing

/// The store's certificates as an edge takes them over.
struct CertificateDeploymentTests {
  private let directory = TemporaryDirectory()
  private static let now: Int64 = 1_800_000_000

  private func certificate(
    _ name: String, _ domains: [String] = ["a.example"], revision: UInt64 = 1,
    source: CertificateSource = .imported
  ) throws -> StoredCertificate {
    let store = DirectoryStore(home: directory.file("store"))
    let issued = try LocalAuthority(store).issue(domains, now: Self.now)
    return StoredCertificate(
      name: name, revision: revision, created: 0, modified: 0, source: source, domains: domains,
      chain: issued.certificate.pem, key: issued.key.pem)
  }

  private func deployment() throws -> CertificateDeployment {
    try CertificateDeployment(policy: .intermediate)
  }

  @Test func `what is new, renewed or gone is told, and nothing else`() throws {
    var deployment = try deployment()
    var shop = try certificate("shop", ["shop.example", "*.shop.example"])
    let first = deployment.update(to: [shop])
    #expect(first.isNew)
    #expect(
      first.lines == [
        "certificate \"shop\" for shop.example, *.shop.example is in use, until "
          + "2027-04-15T08:00:00Z"
      ])
    // Another word about the same certificate.
    shop.revision = 2
    shop.renewal.askAgain = 5
    let second = deployment.update(to: [shop])
    #expect(!second.isNew && second.lines.isEmpty)
    #expect(deployment.shown.map(\.stored.revision) == [2])
    let renewed = deployment.update(to: [try certificate("shop", ["shop.example"], revision: 3)])
    #expect(renewed.isNew && renewed.lines.count == 1)
    #expect(renewed.lines[0].contains("is renewed, until"))
    let gone = deployment.update(to: [])
    #expect(gone.isNew && gone.lines == ["certificate \"shop\" is no longer in use"])
    #expect(deployment.certificates.isEmpty)
  }

  @Test func `what cannot be used leaves the former in use, and is told`() throws {
    var deployment = try deployment()
    let good = try certificate("shop")
    let other = try certificate("other", ["b.example"])
    _ = deployment.update(to: [good, other])
    var broken = good
    broken.revision = 2
    broken.chain = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    var mixed = good
    mixed.revision = 3
    mixed.key = other.key
    for bad in [broken, mixed] {
      let change = deployment.update(to: [bad, other])
      #expect(!change.isNew && change.lines == deployment.problems)
      #expect(deployment.problems.count == 1)
      #expect(deployment.problems[0].hasPrefix("certificate \"shop\": "))
      #expect(deployment.problems[0].hasSuffix("; revision 1 of it stays in use"))
      #expect(deployment.refused == [RefusedDocument(name: "shop", kept: 1)])
      #expect(deployment.shown.map(\.leaf.domains) == [["b.example"], ["a.example"]])
      _ = deployment.update(to: [good, other])
      #expect(deployment.problems.isEmpty && deployment.refused.isEmpty)
    }
    // One that the store can't even read.
    let error = StoreError.damaged(key: "certificates/shop", why: "line 1: no value")
    let change = deployment.update(to: [other], invalid: [("shop", error)])
    #expect(!change.isNew && deployment.shown.count == 2)
    #expect(deployment.problems[0].contains("is damaged: line 1: no value"))
    // The same on an edge that has never had a good one.
    var fresh = try CertificateDeployment(policy: .intermediate)
    _ = fresh.update(to: [broken, other])
    #expect(fresh.refused == [RefusedDocument(name: "shop")])
    #expect(fresh.problems[0].hasSuffix("; it is not shown"))
    #expect(fresh.shown.map(\.stored.name) == ["other"])
  }

  @Test func `a key that OpenSSL finds too weak is refused as well`() throws {
    var deployment = try deployment()
    let good = try certificate("shop")
    _ = deployment.update(to: [good])
    let weak = ServerCertificate("a.example", key: .shortRSA)
    var stored = good
    stored.revision = 2
    stored.chain = weak.certificatePEM
    stored.key = weak.keyPEM
    let change = deployment.update(to: [stored])
    #expect(!change.isNew)
    #expect(deployment.refused == [RefusedDocument(name: "shop", kept: 1)])
    #expect(deployment.shown.map(\.stored) == [good])
  }

  @Test func `what is still to be issued is nobody's problem`() throws {
    var deployment = try deployment()
    var pending = try certificate("shop", source: .acme)
    pending.chain = nil
    pending.key = nil
    let change = deployment.update(to: [pending])
    #expect(!change.isNew && change.lines.isEmpty && deployment.shown.isEmpty)
  }

  @Test func `the one for default domains is for viewers without a name`() throws {
    var deployment = try deployment()
    let names = DefaultCertificate.names(base: "atoll.localhost", hosts: [])
    _ = deployment.update(to: [
      try certificate("a"), try certificate(DefaultCertificate.name, names, source: .local),
    ])
    #expect(deployment.shown.map(\.stored.name) == [DefaultCertificate.name, "a"])
  }

  @Test func `a staple, a challenge and another choice of hosts are changes`() throws {
    var deployment = try deployment()
    let shop = try certificate("shop")
    _ = deployment.update(to: [shop])
    var surroundings = CertificateDeployment.Surroundings()
    surroundings.staples = [deployment.shown[0].leaf.fingerprint: [1, 2, 3]]
    #expect(deployment.update(to: [shop], surroundings).isNew)
    #expect(!deployment.update(to: [shop], surroundings).isNew)
    surroundings.hosts = ["shop": ["a.example"]]
    #expect(deployment.update(to: [shop], surroundings).isNew)
    let test = ServerCertificate("a.example")
    surroundings.challenges = [
      ServedChallenge(
        domain: "a.example", certificatePEM: test.certificatePEM, keyPEM: test.keyPEM)
    ]
    #expect(deployment.update(to: [shop], surroundings).isNew)
  }
}
