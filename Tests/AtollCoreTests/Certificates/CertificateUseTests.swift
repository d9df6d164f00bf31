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

  @Test func `a domain uses what it names, and else what alone covers it`() throws {
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
        use("a", "one", "a.example", false), use("a", "one", "*.a.example", false),
        use("a", "two", "b.example", true), use("b", "two", "b.example", true),
      ])
  }
}
