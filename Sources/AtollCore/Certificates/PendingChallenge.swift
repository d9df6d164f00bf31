// SPDX-License-Identifier: Apache-2.0

/// What a CA will look for to see that whoever asks for a certificate has its domain (RFC 8555 §8,
/// RFC 8737), while it is to be found: the edges on a store answer it.
package struct PendingChallenge: Equatable, Sendable {
  package var type: ChallengeType
  package var domain: String
  package var token: String
  /// Token and the account key's thumbprint (RFC 8555 §8.1).
  package var keyAuthorization: String

  package init(type: ChallengeType, domain: String, token: String, keyAuthorization: String) {
    self.type = type
    self.domain = domain
    self.token = token
    self.keyAuthorization = keyAuthorization
  }

  /// The content of the TXT record that proves it by DNS (RFC 8555 §8.4).
  package var recordValue: String { Base64URL.encode(Digest.sha256(Array(keyAuthorization.utf8))) }

  /// RFC 8555 §8.1: base64url without padding, and no longer than a store's key may be.
  package static func isValid(token: String) -> Bool {
    (1...Limits.challengeToken).contains(token.utf8.count)
      && token.utf8.allSatisfy { isAlphanumeric($0) || $0 == 0x2d || $0 == 0x5f }
  }
}
