// SPDX-License-Identifier: Apache-2.0
import CTLS

/// The roots that this system trusts.
package enum SystemRoots {
  /// Whether one of them made the certificate's signature. False, too, where the system has none.
  package static func haveIssued(_ certificate: CertificateInfo) -> Bool {
    guard let roots = try? TrustStore.open(.system) else { return false }
    return certificate.withOpenSSL { certificate in
      let context = X509_STORE_CTX_new()
      defer {
        X509_STORE_CTX_free(context)
        ERR_clear_error()
        // The context only borrows them.
        withExtendedLifetime(roots) {}
      }
      guard X509_STORE_CTX_init(context, roots.store, certificate, nil) == 1 else { return false }
      var issuer: OpaquePointer?
      guard X509_STORE_CTX_get1_issuer(&issuer, context, certificate) == 1, let issuer else {
        return false
      }
      defer { X509_free(issuer) }
      return X509_verify(certificate, X509_get0_pubkey(issuer)) == 1
    }
  }
}
