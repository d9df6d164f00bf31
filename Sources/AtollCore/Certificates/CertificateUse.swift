// SPDX-License-Identifier: Apache-2.0

/// A domain of a distribution for which a certificate is needed.
package struct CertificateUse: Equatable, Sendable {
  package let certificate: String
  package let distribution: String
  package let domain: String
  /// The domain names the certificate; else it is the only one that covers a domain without any.
  package let isNamed: Bool

  /// Every use, by distribution. A domain that names certificates uses these; for a domain that
  /// names none any certificate will do that covers it, so that the one that alone does is used.
  package static func all(
    in distributions: [Distribution], _ certificates: [StoredCertificate]
  ) -> [CertificateUse] {
    let names = certificates.map { certificate -> [String] in
      guard let leaf = try? certificate.certificates().first else { return certificate.domains }
      return leaf.domains + leaf.addresses.map(\.description)
    }
    var uses: [CertificateUse] = []
    for distribution in distributions.sorted(by: { $0.name < $1.name }) {
      for domain in distribution.domains {
        var used = domain.certificates
        if used.isEmpty {
          let fitting = certificates.indices.filter {
            CertificateNames.covers(names[$0], domain.name)
          }
          if fitting.count == 1 { used = [certificates[fitting[0]].name] }
        }
        for certificate in used {
          uses.append(
            CertificateUse(
              certificate: certificate, distribution: distribution.name, domain: domain.name,
              isNamed: !domain.certificates.isEmpty))
        }
      }
    }
    return uses
  }
}
