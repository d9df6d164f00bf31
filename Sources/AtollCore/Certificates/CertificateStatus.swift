// SPDX-License-Identifier: Apache-2.0

/// Where a certificate stands: Lightsail's words, and one of our own.
package enum CertificateStatus: String, Sendable, CaseIterable {
  case pendingValidation = "pending-validation"
  case validationTimedOut = "validation-timed-out"
  case valid
  case notYetValid = "not-yet-valid"
  case expired
  case damaged

  /// For people.
  package var text: String {
    switch self {
    case .pendingValidation: "pending validation"
    case .validationTimedOut: "validation timed out"
    case .valid: "valid"
    case .notYetValid: "not yet valid"
    case .expired: "expired"
    case .damaged: "damaged"
    }
  }

  /// Seconds after which one that was never issued counts as given up: as with Lightsail, 72 hours.
  package static let patience: Int64 = 72 * 3_600

  /// - Parameters:
  ///   - leaf: nil before it is issued, and where it can't be read.
  ///   - isDamaged: no edge can use it.
  package init(
    _ certificate: StoredCertificate, leaf: CertificateInfo?, isDamaged: Bool = false, now: Int64
  ) {
    if isDamaged {
      self = .damaged
      return
    }
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

  /// Why no edge can use what is stored, which only another hand than atoll's has done, and how it is
  /// mended; nil where nothing is wrong, and before it is issued.
  package var damage: CertificateError? {
    guard chain != nil else { return nil }
    let why: String
    do throws(CertificateError) {
      let leaf = try certificates()[0]
      if let flaw = keyFlaw(for: leaf) { why = flaw } else { return nil }
    } catch {
      why = error.message
    }
    return CertificateError(
      "the certificate \(quoted(name)) is damaged: \(why)",
      hint: (source == .imported
        ? "import it again with atoll cert import \(name) <file>..."
        : "have another made with atoll cert renew \(name)")
        + ", or restore its files from a backup")
  }

  private func keyFlaw(for leaf: CertificateInfo) -> String? {
    guard let key else { return "its private key is missing" }
    do throws(CertificateError) {
      return try PrivateKey(pem: key).fits(leaf) ? nil : "its private key is another certificate's"
    } catch {
      return "its private key can't be used: \(error.message)"
    }
  }

  /// When the edges begin to get its successor, in seconds since 1970: at two thirds of its
  /// lifetime, or when the CA said so. nil for certificates that nobody renews, and before the issue.
  package var renewalDue: Int64? {
    guard source != .imported, let leaf else { return nil }
    return schedule(leaf).due
  }
}
