// SPDX-License-Identifier: Apache-2.0

/// What is to be done next about an order, decided by what the CA says of it and of its
/// authorizations (RFC 8555 §7.1.6).
///
///     pending ── all authorizations valid ──▶ ready ── finalize ──▶ processing ──▶ valid
///        └─────────── one of them invalid, or the CA gives up ───────────────────▶ invalid
package enum OrderStep: Equatable, Sendable {
  /// Present proofs for these authorizations, by their index, and tell the CA.
  case prove([Int])
  /// The CA is at work.
  case wait
  case finalize
  /// The certificate is there.
  case download(String)
  case failed(ACMEError)

  /// - Parameter told: authorizations whose proof the CA was told to look for.
  package static func next(
    _ order: ACMEOrder, _ authorizations: [ACMEAuthorization], told: Set<Int>,
    by challenge: ChallengeType, ca: String
  ) -> OrderStep {
    switch order.status {
    case .ready: return .finalize
    case .processing: return .wait
    case .valid:
      guard let url = order.certificate else {
        return .failed(
          ACMEError(
            .transport, "\(ca) has issued a certificate, but does not say where it is",
            hint: "try again later"))
      }
      return .download(url)
    case .invalid:
      return .failed(
        validationFailure(authorizations, challenge, ca)
          ?? (order.error ?? ACMEProblem(type: "", detail: ""))
          .error(from: ca, while: "issue the certificate"))
    case .pending: break
    }
    if let failure = validationFailure(authorizations, challenge, ca) { return .failed(failure) }
    let open = authorizations.indices.filter {
      authorizations[$0].status == .pending && !told.contains($0)
    }
    if open.isEmpty { return .wait }
    for index in open {
      if let failure = lack(authorizations[index], challenge, ca) { return .failed(failure) }
    }
    return .prove(open)
  }

  /// nil while no authorization has failed.
  private static func validationFailure(
    _ authorizations: [ACMEAuthorization], _ challenge: ChallengeType, _ ca: String
  ) -> ACMEError? {
    let failed = authorizations.filter { $0.status != .pending && $0.status != .valid }
    guard let first = failed.first else { return nil }
    func problem(_ authorization: ACMEAuthorization) -> ACMEProblem? {
      authorization.challenges.lazy.compactMap(\.error).first
    }
    let reasons = failed.map { one in
      "\(one.name): \(problem(one)?.text ?? "its authorization is \(one.status.rawValue)")"
    }
    let hint =
      problem(first).map { ACMEProblem.hint(ofValidation: $0.type, by: challenge) }
      ?? "try again: the next order makes a new one"
    return ACMEError(
      .validation,
      "\(ca) did not find the proof for \(reasons[0])", hint: hint,
      details: Array(reasons.dropFirst()), type: problem(first)?.type)
  }

  /// nil where the CA offers the challenge that is wanted.
  private static func lack(
    _ authorization: ACMEAuthorization, _ challenge: ChallengeType, _ ca: String
  ) -> ACMEError? {
    if let offered = authorization.challenge(challenge) {
      if offered.hasUsableToken { return nil }
      return ACMEError(
        .transport, "\(ca) sent a token for \(authorization.name) that is none",
        hint: "try again later, or ask another CA with --acme")
    }
    let offers = authorization.challenges.map(\.type).filter {
      ChallengeType(rawValue: $0) != nil
    }
    return ACMEError(
      .settings,
      "\(ca) does not take \(challenge.rawValue) for \(authorization.name)"
        + (offers.isEmpty ? "" : ", only \(listed(offers, "and"))"),
      hint: offers.first.map { "give --challenge \($0)" } ?? "ask another CA with --acme")
  }
}
