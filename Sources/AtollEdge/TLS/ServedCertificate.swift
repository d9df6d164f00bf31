// SPDX-License-Identifier: Apache-2.0

/// A certificate that an edge shows to viewers.
package struct ServedCertificate: Sendable {
  /// What people call it.
  package var name: String
  /// The leaf first, then its issuers.
  package var chainPEM: String
  /// Of the leaf. Never printed.
  package var keyPEM: String
  /// Hosts, wildcards among them, that get this one though others bear their names too.
  package var preferredHosts: [String]
  /// A response of the leaf's OCSP responder (RFC 6960), DER.
  package var ocsp: [UInt8]?

  package init(
    name: String, chainPEM: String, keyPEM: String, preferredHosts: [String] = [],
    ocsp: [UInt8]? = nil
  ) {
    self.name = name
    self.chainPEM = chainPEM
    self.keyPEM = keyPEM
    self.preferredHosts = preferredHosts
    self.ocsp = ocsp
  }
}

/// What a CA gets to see that asks for the protocol `acme-tls/1` under a domain (RFC 8737).
package struct ServedChallenge: Equatable, Sendable {
  package var domain: String
  package var certificatePEM: String
  package var keyPEM: String

  package init(domain: String, certificatePEM: String, keyPEM: String) {
    self.domain = domain
    self.certificatePEM = certificatePEM
    self.keyPEM = keyPEM
  }
}
