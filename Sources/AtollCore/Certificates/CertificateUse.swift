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
    let candidates = Candidates(certificates)
    var uses: [CertificateUse] = []
    for distribution in distributions.sorted(by: { $0.name < $1.name }) {
      let own = distribution.ownDomains.map { AttachedDomain(name: $0.lowercased()) }
      for domain in distribution.domains + own {
        let isNamed = !domain.certificates.isEmpty
        for certificate in isNamed ? domain.certificates : candidates.shown(for: domain.name) {
          uses.append(
            CertificateUse(
              certificate: certificate, distribution: distribution.name, domain: domain.name,
              isNamed: isNamed))
        }
      }
    }
    return uses
  }

  /// By the names on them, since there may be many distributions, and many names.
  private struct Candidates {
    private struct Candidate {
      let name: String
      let keyType: KeyType
      let notAfter: Int64
      /// What has a higher one is shown in place of it: one that is issued, of a public authority.
      let rank: Int
    }

    private var byName: [String: [Candidate]] = [:]

    init(_ certificates: [StoredCertificate]) {
      for certificate in certificates {
        let leaf = certificate.leaf
        let candidate = Candidate(
          name: certificate.name, keyType: certificate.keyType, notAfter: leaf?.notAfter ?? 0,
          rank: (leaf == nil ? 0 : 2) + (certificate.source == .local ? 0 : 1))
        for name in Set((leaf?.names ?? certificate.domains).map(normalizedDomain)) {
          byName[name, default: []].append(candidate)
        }
      }
    }

    /// As edges choose: of those of the highest rank those with the host itself among their names,
    /// and of these for each kind of key the one that lasts longest.
    func shown(for host: String) -> [String] {
      let exact = byName[host] ?? []
      let fitting = exact + (Self.wildcard(for: host).flatMap { byName[$0] } ?? [])
      guard let rank = fitting.map(\.rank).max() else { return [] }
      let best = exact.contains { $0.rank == rank } ? exact : fitting
      var chosen: [Candidate] = []
      for candidate in best where candidate.rank == rank {
        let index = chosen.firstIndex { $0.keyType == candidate.keyType } ?? chosen.count
        if index == chosen.count {
          chosen.append(candidate)
        } else if chosen[index].notAfter < candidate.notAfter {
          chosen[index] = candidate
        }
      }
      return chosen.map(\.name)
    }

    /// As `CertificateNames` has it: nil where none stands for the host.
    private static func wildcard(for host: String) -> String? {
      let wildcard = "*" + host.drop { $0 != "." }
      return CertificateNames.matches(wildcard, host: host) ? wildcard : nil
    }
  }
}
