// SPDX-License-Identifier: Apache-2.0

/// A certificate with its key, and how it came about, as the store keeps it.
package struct StoredCertificate: Equatable, Sendable {
  /// Letters, digits, `-`, `_` and `.`.
  package var name: String
  /// The store's revision of the last write; 0 before the first.
  package var revision: UInt64
  /// Seconds since 1970.
  package var created: Int64
  package var modified: Int64
  package var source: CertificateSource
  /// What it was asked for: the names of a certificate that is still to be issued, too.
  package var domains: [String]
  package var keyType: KeyType
  /// PEM, the leaf first, then its issuers without the root; nil until it is issued.
  package var chain: String?
  /// PEM (PKCS #8), of the chain's leaf; nil until it is issued, and where its file is gone. Never
  /// printed.
  package var key: String?
  /// Of certificates that an ACME server issues.
  package var acme: ACMESettings?
  package var renewal: RenewalState

  package init(
    name: String, revision: UInt64 = 0, created: Int64, modified: Int64, source: CertificateSource,
    domains: [String], keyType: KeyType = .p256, chain: String? = nil, key: String? = nil,
    acme: ACMESettings? = nil, renewal: RenewalState = RenewalState()
  ) {
    self.name = name
    self.revision = revision
    self.created = created
    self.modified = modified
    self.source = source
    self.domains = domains
    self.keyType = keyType
    self.chain = chain
    self.key = key
    self.acme = acme
    self.renewal = renewal
  }
}

package enum CertificateSource: String, Sendable, CaseIterable {
  case acme, local, imported
}

package enum KeyType: String, Sendable, CaseIterable {
  case p256, p384, rsa2048, rsa3072, rsa4096
}

/// How a certificate is had from an ACME server (RFC 8555).
package struct ACMESettings: Equatable, Sendable {
  /// URL of the directory.
  package var directory: String
  package var challenge: ChallengeType
  /// The command that creates and removes DNS records; nil: a person does.
  package var dnsHook: String?
  /// The account's contact addresses, "mailto:" left out.
  package var contacts: [String]
  /// The name server that is asked for records, and the seconds they have to get there; nil: the
  /// system's and those of the zone, and a standard time.
  package var dnsServer: String?
  package var dnsTimeout: Int?
  /// The port that the CA connects to; nil: 80 or 443, as public ones do.
  package var validationPort: Int?
  /// Where a command answers http-01 while no edge runs: port, address:port or [ipv6]:port; nil: port
  /// 80 of every address.
  package var httpAddress: String?
  /// A file of roots to believe for the directory's own TLS; nil: the system's.
  package var trust: String?
  /// Part of the name of the root to prefer, where the CA offers several chains.
  package var preferredChain: String?
  /// One of the CA's kinds of certificates; nil: its usual one.
  package var profile: String?

  package init(
    directory: String, challenge: ChallengeType = .http, dnsHook: String? = nil,
    dnsServer: String? = nil, dnsTimeout: Int? = nil, validationPort: Int? = nil,
    httpAddress: String? = nil,
    contacts: [String] = [], trust: String? = nil, preferredChain: String? = nil,
    profile: String? = nil
  ) {
    self.directory = directory
    self.challenge = challenge
    self.dnsHook = dnsHook
    self.dnsServer = dnsServer
    self.dnsTimeout = dnsTimeout
    self.validationPort = validationPort
    self.httpAddress = httpAddress
    self.contacts = contacts
    self.trust = trust
    self.preferredChain = preferredChain
    self.profile = profile
  }
}

package enum ChallengeType: String, Sendable, CaseIterable {
  case http = "http-01"
  case tls = "tls-alpn-01"
  case dns = "dns-01"
}

/// Where a certificate stands between two issues.
package struct RenewalState: Equatable, Sendable {
  /// Seconds since 1970 of the last try; nil before the first.
  package var lastAttempt: Int64?
  /// Why it failed; nil when it did not.
  package var lastError: String?
  /// Failed tries in a row.
  package var failures: Int
  /// Seconds since 1970 before which there is no other try; nil: whenever it is due.
  package var notBefore: Int64?
  /// When the CA wants it renewed (RFC 9773 §4.2): seconds since 1970, start and end.
  package var window: ClosedRange<Int64>?
  /// Seconds since 1970 when the CA is asked again about that.
  package var askAgain: Int64?

  package init(
    lastAttempt: Int64? = nil, lastError: String? = nil, failures: Int = 0, notBefore: Int64? = nil,
    window: ClosedRange<Int64>? = nil, askAgain: Int64? = nil
  ) {
    self.lastAttempt = lastAttempt
    self.lastError = lastError
    self.failures = failures
    self.notBefore = notBefore
    self.window = window
    self.askAgain = askAgain
  }
}
