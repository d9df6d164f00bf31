// SPDX-License-Identifier: Apache-2.0

/// What is ordered from a CA.
package struct CertificateOrder: Sendable {
  package var names: [CertifiedName]
  package var keyType: KeyType
  /// Part of the common name of the issuer to prefer, where the CA offers several chains.
  package var preferredChain: String?
  /// One of the CA's kinds of certificates; nil: its usual one.
  package var profile: String?
  /// The certificate that this one takes the place of, as RFC 9773 §4.1 names it.
  package var replaces: String?

  package init(
    names: [CertifiedName], keyType: KeyType, preferredChain: String? = nil,
    profile: String? = nil, replaces: String? = nil
  ) {
    self.names = names
    self.keyType = keyType
    self.preferredChain = preferredChain
    self.profile = profile
    self.replaces = replaces
  }
}

/// Takes one order from its making to the certificate (RFC 8555 §7.4). Of one thread.
package final class ACMEOrdering {
  package struct Issued {
    /// PEM, the leaf first.
    package var chain: String
    /// PEM. Never printed.
    package var key: String
  }

  private let client: ACMEClient
  private let thumbprint: String
  private let prover: any ChallengeProver
  private let report: (String) -> Void
  private var order: ACMEOrder
  private let orderURL: String
  private var authorizations: [ACMEAuthorization] = []
  private var told: Set<Int> = []
  /// Milliseconds that the CA wants until the next look.
  private var pause = 0

  /// Orders, and sees it through. The proofs are gone when this returns or throws.
  package static func run(
    _ wanted: CertificateOrder, client: ACMEClient, thumbprint: String,
    prover: any ChallengeProver, report: @escaping (String) -> Void
  ) throws(ACMEError) -> Issued {
    let ordering = try ACMEOrdering(wanted, client, thumbprint, prover, report)
    do throws(ACMEError) {
      let issued = try ordering.run(wanted)
      prover.withdraw()
      return issued
    } catch {
      prover.withdraw()
      throw error
    }
  }

  private init(
    _ wanted: CertificateOrder, _ client: ACMEClient, _ thumbprint: String,
    _ prover: any ChallengeProver, _ report: @escaping (String) -> Void
  ) throws(ACMEError) {
    self.client = client
    self.thumbprint = thumbprint
    self.prover = prover
    self.report = report
    let response = try Self.make(wanted, client)
    guard let node = response.json, let order = ACMEOrder(node),
      let location = response["Location"]
    else { throw Self.unreadable(client, "order") }
    self.order = order
    orderURL = location
  }

  private static func make(_ wanted: CertificateOrder, _ client: ACMEClient) throws(ACMEError)
    -> ACMEResponse
  {
    let directory = try client.directory()
    if let profile = wanted.profile, !directory.profiles.contains(profile) {
      throw ACMEError(
        .settings, "\(client.ca) has no profile \(quoted(profile))",
        hint: directory.profiles.isEmpty
          ? "it has none at all: leave --profile out"
          : "it has \(listed(directory.profiles, "and"))")
    }
    func post(replacing: String?) throws(ACMEError) -> ACMEResponse {
      let identifiers = wanted.names.map { name in
        JWS.compact { json in
          json.member("type", name.identifierType)
          json.member("value", name.text)
        }
      }
      let payload = JWS.compact { json in
        json.member("identifiers", raw: "[" + identifiers.joined(separator: ",") + "]")
        if let profile = wanted.profile { json.member("profile", profile) }
        if let replacing { json.member("replaces", replacing) }
      }
      return try client.post(directory.newOrder, payload, doing: "take the order")
    }
    guard directory.renewalInfo != nil, let replaces = wanted.replaces else {
      return try post(replacing: nil)
    }
    do throws(ACMEError) {
      return try post(replacing: replaces)
    } catch  where error.type != "rateLimited" && error.fault == .refused {
      // RFC 9773 §5: an order that can't replace may still be one of its own.
      return try post(replacing: nil)
    }
  }

  private func run(_ wanted: CertificateOrder) throws(ACMEError) -> Issued {
    var key: (pem: String, csr: [UInt8])?
    try loadAuthorizations()
    var limit = client.time.now() + Int64(Limits.acmeValidation)
    while true {
      let step = OrderStep.next(
        order, authorizations, told: told, by: prover.challenge, ca: client.ca)
      switch step {
      case .failed(let error): throw error
      case .prove(let indexes):
        try prove(indexes)
        limit = client.time.now() + Int64(Limits.acmeValidation)
      case .wait:
        if client.time.now() >= limit { throw tooLate() }
        client.time.pause(pause)
        try refresh()
      case .finalize:
        // The proofs have served.
        prover.withdraw()
        let isFirst = key == nil
        let made: (pem: String, csr: [UInt8])
        if let key {
          made = key
        } else {
          made = try ACMEKeys.makeRequest(wanted.names, wanted.keyType)
          key = made
        }
        if !isFirst {
          // Told, but not yet taken up.
          if client.time.now() >= limit { throw tooLate() }
          client.time.pause(pause)
        }
        report("the CA issues the certificate")
        try finalize(made.csr)
        if isFirst { limit = client.time.now() + Int64(Limits.acmeValidation) }
      case .download(let url):
        guard let key else {
          throw ACMEError(
            .transport, "\(client.ca) answered a new order with an old certificate",
            hint: "try again later")
        }
        let chain = try download(url, preferring: wanted.preferredChain)
        try ACMEKeys.check(chain, for: wanted.names, key: key.pem, ca: client.ca)
        return Issued(chain: chain, key: key.pem)
      }
    }
  }

  // MARK: Steps

  private func loadAuthorizations() throws(ACMEError) {
    guard order.authorizations.count <= Limits.certificateNames * 2 else {
      throw Self.unreadable(client, "order")
    }
    for url in order.authorizations { authorizations.append(try authorization(url)) }
  }

  private func authorization(_ url: String) throws(ACMEError) -> ACMEAuthorization {
    let response = try client.post(url, nil, doing: "show an authorization")
    guard let node = response.json, let authorization = ACMEAuthorization(node) else {
      throw Self.unreadable(client, "authorization")
    }
    note(response)
    return authorization
  }

  private func prove(_ indexes: [Int]) throws(ACMEError) {
    var proofs: [ChallengeProof] = []
    var places: [(index: Int, url: String)] = []
    for index in indexes {
      let authorization = authorizations[index]
      guard let challenge = authorization.challenge(prover.challenge) else { continue }
      places.append((index, challenge.url))
      proofs.append(
        ChallengeProof(
          domain: authorization.domain, token: challenge.token, thumbprint: thumbprint))
    }
    try prover.present(proofs)
    report(
      "the CA looks for the proof of \(listed(proofs.map(\.domain), "and"))"
        + " (\(prover.challenge.rawValue))")
    for (index, url) in places {
      do throws(ACMEError) {
        note(try client.post(url, "{}", doing: "look for a proof"))
      } catch  where error.fault == .refused {
        // It may have been told twice, and have looked already.
        authorizations[index] = try authorization(order.authorizations[index])
        if authorizations[index].status == .pending { throw error }
      }
      told.insert(index)
    }
    pause = 0
    try refresh()
  }

  /// Looks at what is still open.
  private func refresh() throws(ACMEError) {
    pause = min(max(pause * 2, Self.firstPause), Self.longestPause)
    if order.status == .pending {
      for index in authorizations.indices where authorizations[index].status == .pending {
        authorizations[index] = try authorization(order.authorizations[index])
      }
      if authorizations.contains(where: { $0.status == .pending }) { return }
    }
    try take(try client.post(orderURL, nil, doing: "show the order"))
  }

  private func finalize(_ csr: [UInt8]) throws(ACMEError) {
    let payload = JWS.compact { $0.member("csr", Base64URL.encode(csr)) }
    do throws(ACMEError) {
      try take(try client.post(order.finalize, payload, doing: "issue the certificate"))
    } catch  where error.type == "orderNotReady" {
      // It may have been told twice, and be at it.
      try take(try client.post(orderURL, nil, doing: "show the order"))
    }
  }

  private func take(_ response: ACMEResponse) throws(ACMEError) {
    guard let node = response.json, let order = ACMEOrder(node) else {
      throw Self.unreadable(client, "order")
    }
    self.order = order
    note(response)
  }

  private func download(_ url: String, preferring name: String?) throws(ACMEError) -> String {
    let first = try client.post(url, nil, doing: "hand the certificate out")
    let chain = String(decoding: first.body, as: UTF8.self)
    guard let name, !ACMEKeys.isIssued(chain, byRoot: name) else { return chain }
    for url in first.links("alternate").prefix(8) {
      let other = try client.post(url, nil, doing: "hand another chain out")
      let chain = String(decoding: other.body, as: UTF8.self)
      if ACMEKeys.isIssued(chain, byRoot: name) { return chain }
    }
    report("the CA offers no chain that ends at \(quoted(name)): its usual one is taken")
    return chain
  }

  // MARK: Waiting

  private static let firstPause = 100
  private static let longestPause = 5_000

  /// Takes over how long the CA wants to be left alone, within reason.
  private func note(_ response: ACMEResponse) {
    guard let moment = RetryAfter.moment(response["Retry-After"], now: client.time.now()) else {
      return
    }
    pause = max(pause, min(Int(moment - client.time.now()), 60) * 1_000)
  }

  private func tooLate() -> ACMEError {
    let minutes = Limits.acmeValidation / 60
    return ACMEError(
      .validation, "\(client.ca) has not come to a decision within \(minutes) minutes",
      hint: "try again later; what is served is not touched")
  }

  private static func unreadable(_ client: ACMEClient, _ what: String) -> ACMEError {
    ACMEError(
      .transport, "\(client.ca) sent an \(what) that can't be read", hint: "try again later")
  }
}
