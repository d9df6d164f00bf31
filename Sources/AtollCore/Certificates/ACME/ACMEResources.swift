// SPDX-License-Identifier: Apache-2.0

/// Where a CA's services are (RFC 8555 §7.1.1).
package struct ACMEDirectory: Equatable, Sendable {
  package var newNonce: String
  package var newAccount: String
  package var newOrder: String
  /// RFC 9773 §3; nil where the CA does not say when to renew.
  package var renewalInfo: String?
  package var termsOfService: String?
  package var website: String?
  /// What CAA records have to name.
  package var caaIdentities: [String]
  package var externalAccountRequired: Bool
  /// Kinds of certificates that it offers, with a description of each.
  package var profiles: [String]

  /// nil where it lacks what every directory has.
  package init?(_ node: JSONNode) {
    guard let nonce = node["newNonce"]?.text, let account = node["newAccount"]?.text,
      let order = node["newOrder"]?.text
    else { return nil }
    newNonce = nonce
    newAccount = account
    newOrder = order
    renewalInfo = node["renewalInfo"]?.text
    let meta = node["meta"]
    termsOfService = meta?["termsOfService"]?.text
    website = meta?["website"]?.text
    caaIdentities = (meta?["caaIdentities"]?.elements ?? []).compactMap(\.text)
    externalAccountRequired = meta?["externalAccountRequired"]?.bool ?? false
    profiles = []
    if case .object(let members)? = meta?["profiles"]?.value { profiles = members.map(\.key) }
  }
}

/// RFC 8555 §7.1.3.
package struct ACMEOrder: Equatable, Sendable {
  package enum Status: String, Sendable { case pending, ready, processing, valid, invalid }

  package var status: Status
  package var authorizations: [String]
  package var finalize: String
  package var certificate: String?
  package var error: ACMEProblem?

  package init(
    status: Status, authorizations: [String], finalize: String, certificate: String? = nil,
    error: ACMEProblem? = nil
  ) {
    self.status = status
    self.authorizations = authorizations
    self.finalize = finalize
    self.certificate = certificate
    self.error = error
  }

  package init?(_ node: JSONNode) {
    guard let status = node["status"]?.text.flatMap(Status.init(rawValue:)),
      let finalize = node["finalize"]?.text
    else { return nil }
    self.status = status
    self.finalize = finalize
    authorizations = (node["authorizations"]?.elements ?? []).compactMap(\.text)
    certificate = node["certificate"]?.text
    error = ACMEProblem(node["error"])
  }
}

/// Whether an account may have certificates for one name (RFC 8555 §7.1.4).
package struct ACMEAuthorization: Equatable, Sendable {
  package enum Status: String, Sendable {
    case pending, valid, invalid, deactivated, expired, revoked
  }

  package var status: Status
  /// Without the "*." of a wildcard.
  package var domain: String
  package var isWildcard: Bool
  package var challenges: [ACMEChallenge]

  package init(
    status: Status, domain: String, isWildcard: Bool = false, challenges: [ACMEChallenge] = []
  ) {
    self.status = status
    self.domain = domain
    self.isWildcard = isWildcard
    self.challenges = challenges
  }

  package init?(_ node: JSONNode) {
    guard let status = node["status"]?.text.flatMap(Status.init(rawValue:)),
      let domain = node["identifier"]?["value"]?.text
    else { return nil }
    self.status = status
    self.domain = domain
    isWildcard = node["wildcard"]?.bool ?? false
    challenges = []
    for part in (node["challenges"]?.elements ?? []).prefix(32) {
      if let challenge = ACMEChallenge(part) { challenges.append(challenge) }
    }
  }

  package var name: String { isWildcard ? "*.\(domain)" : domain }

  package func challenge(_ type: ChallengeType) -> ACMEChallenge? {
    challenges.first { $0.type == type.rawValue }
  }
}

/// RFC 8555 §8.
package struct ACMEChallenge: Equatable, Sendable {
  /// "http-01"; there are types we do not know.
  package var type: String
  package var url: String
  package var token: String
  package var error: ACMEProblem?

  package init(type: String, url: String, token: String, error: ACMEProblem? = nil) {
    self.type = type
    self.url = url
    self.token = token
    self.error = error
  }

  package init?(_ node: JSONNode) {
    guard let type = node["type"]?.text, let url = node["url"]?.text else { return nil }
    self.type = type
    self.url = url
    token = node["token"]?.text ?? ""
    error = ACMEProblem(node["error"])
  }

  /// A token becomes part of a path, of a key of the store and of a command's environment.
  package var hasUsableToken: Bool { PendingChallenge.isValid(token: token) }
}
