// SPDX-License-Identifier: Apache-2.0

/// A domain of a distribution for which a certificate is needed.
package struct CertificateUse: Equatable, Sendable {
  package let certificate: String
  package let distribution: String
  package let domain: String

  package init(certificate: String, distribution: String, domain: String) {
    self.certificate = certificate
    self.distribution = distribution
    self.domain = domain
  }
}
