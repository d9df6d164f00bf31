// SPDX-License-Identifier: Apache-2.0

/// The challenges that whoever asks for certificates has posted on a store for its edges to answer.
///
/// Each is held: it is gone when the process that posted it ends, however it ends.
package struct PendingChallenges: Sendable {
  package static let prefix = "challenges/"

  package let store: any Store

  package init(_ store: any Store) { self.store = store }

  /// Has the edges answer a challenge until the hold is released. They do from the moment that
  /// `EdgeRegistry.waitUntilAnswered` confirms.
  package func post(_ challenge: PendingChallenge) throws(StoreError) -> any StoreHold {
    // RFC 8555 §8.1: base64url alone. What a CA sends must not name another place of the store.
    guard PendingChallenge.isValid(token: challenge.token) else { throw .badKey(challenge.token) }
    return try store.hold(
      "\(Self.prefix)\(challenge.type.rawValue).\(challenge.token)", Self.encode(challenge))
  }

  /// Those posted now; what can't be read is none.
  package func all() throws(StoreError) -> [PendingChallenge] {
    try store.list(Self.prefix).values.compactMap {
      (try? JSONReader.read($0.value)).flatMap(Self.decode)
    }
  }

  // MARK: Values

  static func encode(_ challenge: PendingChallenge) -> [UInt8] {
    DocumentWriter.document { writer in
      writer.member("schemaVersion", 1)
      writer.member("type", challenge.type.rawValue)
      writer.member("domain", challenge.domain)
      writer.member("token", challenge.token)
      writer.member("keyAuthorization", challenge.keyAuthorization)
    }
  }

  static func decode(_ node: JSONNode) -> PendingChallenge? {
    guard let type = node["type"]?.text.flatMap(ChallengeType.init(rawValue:)),
      let domain = node["domain"]?.text, let token = node["token"]?.text,
      PendingChallenge.isValid(token: token),
      let keyAuthorization = node["keyAuthorization"]?.text
    else { return nil }
    return PendingChallenge(
      type: type, domain: domain, token: token, keyAuthorization: keyAuthorization)
  }
}

/// The answers to the http-01 challenges (RFC 8555 §8.3) that are pending.
package struct ChallengeAnswers: Equatable, Sendable {
  package static let pathPrefix: StaticString = "/.well-known/acme-challenge/"

  /// Key authorizations by token.
  private let answers: [String: String]

  package init(_ challenges: [PendingChallenge] = []) {
    var answers: [String: String] = [:]
    for challenge in challenges where challenge.type == .http {
      answers[challenge.token] = challenge.keyAuthorization
    }
    self.answers = answers
  }

  package var isEmpty: Bool { answers.isEmpty }

  /// What a CA that asks for this path gets; nil when it is about no challenge that is pending, and
  /// so the distribution's own. The host makes no difference: only who has the account's key could
  /// have posted the token, and the CA knows which domain it is for.
  package func answer(toPath path: UnsafeBufferPointer<UInt8>) -> String? {
    let prefix = Self.pathPrefix.utf8CodeUnitCount
    guard !answers.isEmpty, path.count > prefix,
      path.starts(
        with: UnsafeBufferPointer(start: Self.pathPrefix.utf8Start, count: prefix))
    else { return nil }
    return answers[String(decoding: path[prefix...], as: UTF8.self)]
  }
}
