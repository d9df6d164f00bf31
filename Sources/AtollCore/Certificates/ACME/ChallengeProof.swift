// SPDX-License-Identifier: Apache-2.0

/// What proves a domain, computed from a challenge's token and the account's key.
package struct ChallengeProof: Equatable, Sendable {
  /// Without the "*." of a wildcard.
  package var domain: String
  package var token: String
  package var keyAuthorization: String

  /// RFC 8555 §8.1.
  package init(domain: String, token: String, thumbprint: String) {
    self.domain = domain
    self.token = token
    keyAuthorization = "\(token).\(thumbprint)"
  }

  /// RFC 8555 §8.3.
  package static let path = "\(ChallengeAnswers.pathPrefix)"

  /// The record's name before CNAMEs are followed (RFC 8555 §8.4).
  package var recordName: String { Self.recordName(of: domain) }

  package static func recordName(of domain: String) -> String { "_acme-challenge.\(domain)" }

  /// The record's content.
  package var recordValue: String { pending(.dns).recordValue }

  package func pending(_ type: ChallengeType) -> PendingChallenge {
    PendingChallenge(
      type: type, domain: domain, token: token, keyAuthorization: keyAuthorization)
  }
}
