// SPDX-License-Identifier: Apache-2.0

/// Where a certificate stands: Lightsail's words, and one of our own.
package enum CertificateStatus: String, Sendable, CaseIterable {
  case pendingValidation = "pending-validation"
  case validationTimedOut = "validation-timed-out"
  case valid
  case notYetValid = "not-yet-valid"
  case expired

  /// For people.
  package var text: String {
    switch self {
    case .pendingValidation: "pending validation"
    case .validationTimedOut: "validation timed out"
    case .valid: "valid"
    case .notYetValid: "not yet valid"
    case .expired: "expired"
    }
  }

  /// Seconds after which one that was never issued counts as given up: as with Lightsail, 72 hours.
  package static let patience: Int64 = 72 * 3_600

  /// - Parameter leaf: nil before it is issued.
  package init(_ certificate: StoredCertificate, leaf: CertificateInfo?, now: Int64) {
    guard let leaf else {
      self =
        now - certificate.created > Self.patience ? .validationTimedOut : .pendingValidation
      return
    }
    self = now < leaf.notBefore ? .notYetValid : now > leaf.notAfter ? .expired : .valid
  }
}

extension StoredCertificate {
  /// nil until it is issued, and where it can't be read.
  package var leaf: CertificateInfo? { chain.flatMap { try? CertificateInfo(pem: $0) } }

  /// The chain's certificates, the leaf first; none before it is issued.
  package func certificates() throws(CertificateError) -> [CertificateInfo] {
    guard let chain else { return [] }
    let certificates = try CertificateInfo.chain(pem: chain)
    if certificates.isEmpty {
      throw CertificateError(
        "its file holds no certificate", hint: "import it again, or delete it")
    }
    return certificates
  }

  /// When the edges begin to get its successor, in seconds since 1970: at two thirds of its
  /// lifetime, or when the CA said so. nil for certificates that nobody renews, and before the issue.
  package var renewalDue: Int64? {
    guard source != .imported, let leaf else { return nil }
    return schedule(leaf).due
  }
}
