// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

@Suite struct CertificateUseTests {
  private func certificate(_ name: String, _ domains: String...) -> StoredCertificate {
    StoredCertificate(
      name: name, created: 0, modified: 0, source: .acme, domains: domains)
  }

  private func distribution(_ name: String, _ domains: AttachedDomain...) throws -> Distribution {
    var distribution = try Sample.distribution(name)
    distribution.setDomains(domains)
    return distribution
  }

  @Test func `a domain uses what it names, and else what edges show for it`() throws {
    let certificates = [
      certificate("a", "a.example", "*.a.example"), certificate("b", "b.example", "x.a.example"),
    ]
    let uses = CertificateUse.all(
      in: [
        try distribution("two", AttachedDomain(name: "b.example", certificates: ["a", "b"])),
        try distribution(
          "one", AttachedDomain(name: "a.example"), AttachedDomain(name: "x.a.example"),
          AttachedDomain(name: "*.a.example"), AttachedDomain(name: "c.example")),
      ], certificates)
    func use(_ certificate: String, _ distribution: String, _ domain: String, _ named: Bool)
      -> CertificateUse
    {
      CertificateUse(
        certificate: certificate, distribution: distribution, domain: domain, isNamed: named)
    }
    #expect(
      uses == [
        use("a", "one", "a.example", false), use("b", "one", "x.a.example", false),
        use("a", "one", "*.a.example", false),
        use("a", "two", "b.example", true), use("b", "two", "b.example", true),
      ])
  }

  @Test func `own domains are served with a public certificate before the authority's`() throws {
    var shop = try distribution("shop")
    shop.defaultDomain = "\(shop.id).cdn.example"
    let now: Int64 = 1_800_000_000
    func issued(_ name: String, _ source: CertificateSource, _ domains: [String], _ time: Int64)
      throws -> StoredCertificate
    {
      let (leaf, key) = try LocalAuthority(MemoryStore()).issue(domains, now: time)
      return StoredCertificate(
        name: name, created: 0, modified: 0, source: source, domains: domains, chain: leaf.pem,
        key: key.pem)
    }
    let authority = try issued(DefaultCertificate.name, .local, ["*.cdn.example"], now)
    let exact = try issued("exact", .local, ["shop.cdn.example"], now)
    let early = try issued("early", .acme, ["*.cdn.example"], now)
    let late = try issued("late", .acme, ["*.cdn.example"], now + 86_400)
    var pair = late
    pair.name = "pair"
    pair.keyType = .rsa2048
    let asked = certificate("asked", "*.cdn.example")
    func shown(_ certificates: StoredCertificate...) -> [String] {
      CertificateUse.all(in: [shop], certificates).map {
        "\($0.certificate) \($0.domain.prefix { $0 != "." })\($0.isNamed ? "!" : "")"
      }
    }
    let id = shop.id
    #expect(shown() == [])
    #expect(shown(asked) == ["asked shop", "asked \(id)"])
    #expect(
      shown(asked, authority)
        == ["\(DefaultCertificate.name) shop", "\(DefaultCertificate.name) \(id)"])
    #expect(shown(exact, authority) == ["exact shop", "\(DefaultCertificate.name) \(id)"])
    #expect(shown(exact, early, late, authority) == ["late shop", "late \(id)"])
    #expect(shown(pair, early) == ["pair shop", "early shop", "pair \(id)", "early \(id)"])
  }
}
