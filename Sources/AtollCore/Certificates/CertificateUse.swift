// SPDX-License-Identifier: Apache-2.0

/// A host of a distribution for which a certificate is needed.
package struct CertificateUse: Equatable, Sendable {
  package let certificate: String
  package let distribution: String
  package let domain: String
  /// The domain names the certificate; else it is what edges show for a host that names none.
  package let isNamed: Bool

  /// Every use, by distribution: first of the domains attached to it, then of its own.
  package static func all(
    in distributions: [Distribution], _ certificates: [StoredCertificate]
  ) -> [CertificateUse] {
    let candidates = certificates.map(Candidate.init)
    var uses: [CertificateUse] = []
    for distribution in distributions.sorted(by: { $0.name < $1.name }) {
      let own = distribution.ownDomains.map { AttachedDomain(name: $0.lowercased()) }
      for domain in distribution.domains + own {
        let isNamed = !domain.certificates.isEmpty
        for certificate in isNamed ? domain.certificates : shown(for: domain.name, candidates) {
          uses.append(
            CertificateUse(
              certificate: certificate, distribution: distribution.name, domain: domain.name,
              isNamed: isNamed))
        }
      }
    }
    return uses
  }

  private struct Candidate {
    let certificate: StoredCertificate
    let leaf: CertificateInfo?
    let names: [String]

    init(_ certificate: StoredCertificate) {
      self.certificate = certificate
      leaf = certificate.leaf
      names = leaf?.names ?? certificate.domains
    }

    /// What has a higher one is shown in place of it: one that is issued, of a public authority, with
    /// the host itself among its names.
    func rank(for host: String) -> Int {
      (leaf == nil ? 0 : 4) + (certificate.source == .local ? 0 : 2)
        + (names.contains { $0.lowercased() == host } ? 1 : 0)
    }
  }

  /// As edges choose: of those of the highest rank, for each kind of key the one that lasts longest.
  private static func shown(for host: String, _ candidates: [Candidate]) -> [String] {
    let fitting = candidates.filter { CertificateNames.covers($0.names, host) }
    guard let rank = fitting.map({ $0.rank(for: host) }).max() else { return [] }
    var chosen: [Candidate] = []
    for candidate in fitting where candidate.rank(for: host) == rank {
      let type = candidate.certificate.keyType
      if let index = chosen.firstIndex(where: { $0.certificate.keyType == type }) {
        if (chosen[index].leaf?.notAfter ?? 0) < (candidate.leaf?.notAfter ?? 0) {
          chosen[index] = candidate
        }
      } else {
        chosen.append(candidate)
      }
    }
    return chosen.map(\.certificate.name)
  }
}
