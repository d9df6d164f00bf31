// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// When the certificates end that the distributions' hosts are served with. The store's own for
/// default domains is left out: it is made anew whenever it is needed.
struct ExpiryView {
  private let uses: [CertificateUse]
  private let ends: [String: CertificateExpiry]
  private let now: Int64

  init(of distributions: [Distribution], _ certificates: [StoredCertificate], now: Int64) {
    uses = CertificateUse.all(in: distributions, certificates)
      .filter { $0.certificate != DefaultCertificate.name }
    var ends: [String: CertificateExpiry] = [:]
    for certificate in certificates {
      ends[certificate.name] = certificate.leaf.map { CertificateExpiry(certificate.name, $0) }
    }
    self.ends = ends
    self.now = now
  }

  /// Each once.
  private func certificates(of distribution: Distribution) -> [String] {
    var names: [String] = []
    for use in uses where use.distribution == distribution.name {
      if !names.contains(use.certificate) { names.append(use.certificate) }
    }
    return names
  }

  /// Of the one that ends first.
  func text(of distribution: Distribution) -> String {
    let first = certificates(of: distribution).compactMap { ends[$0] }
      .min { $0.notAfter < $1.notAfter }
    return first?.distance(at: now) ?? "-"
  }

  func json(of distributions: [Distribution]) -> JSON {
    var entries: [JSON] = []
    for distribution in distributions {
      for name in certificates(of: distribution) {
        entries.append([
          "distribution": .string(distribution.name), "certificate": .string(name),
          "expires": .optional(ends[name].map { RFC3339.format(seconds: $0.notAfter) }),
        ])
      }
    }
    return .array(entries)
  }
}
