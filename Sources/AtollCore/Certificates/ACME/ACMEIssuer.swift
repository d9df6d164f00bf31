// SPDX-License-Identifier: Apache-2.0

/// Obtains and renews the certificates of a store from ACME servers: for `atoll cert ensure` and
/// `renew`, and for the edges, which renew what the store holds.
///
/// One process at a time is about a certificate. What is in use is not touched until its successor
/// is whole.
package struct ACMEIssuer: Sendable {
  /// What is wanted beside what the store says.
  package struct Demand: Sendable {
    /// Another certificate even if the present one is good.
    package var isForced = false
    /// Even if the pause after failed tries is not over.
    package var ignoresPause = false
    package var externalAccount: ExternalAccount?
    /// The account so far is left behind.
    package var wantsNewAccount = false

    package init() {}
  }

  package enum Outcome: Sendable {
    /// - Parameter next: when it is due, seconds since 1970.
    case unchanged(StoredCertificate, next: Int64)
    /// It was issued for the first time, or anew.
    case issued(StoredCertificate, isFirst: Bool)
  }

  /// What there is to look at before the CA is asked for an order.
  package struct Preparation {
    package var order: CertificateOrder
    package var settings: ACMESettings
    package var directory: ACMEDirectory
    /// The CA for people.
    package var ca: String
    package var prover: any ChallengeProver
  }

  package let store: any Store
  package let time: ACMETime
  private let makeTransport: @Sendable (ACMESettings) -> any ACMETransport
  private let report: @Sendable (String) -> Void

  package init(
    _ store: any Store, time: ACMETime = .real,
    transport: @escaping @Sendable (ACMESettings) -> any ACMETransport,
    report: @escaping @Sendable (String) -> Void
  ) {
    self.store = store
    self.time = time
    makeTransport = transport
    self.report = report
  }

  package init(
    _ store: any Store, userAgent: String, report: @escaping @Sendable (String) -> Void
  ) {
    self.init(
      store,
      transport: { HTTPTransport(userAgent: userAgent, trust: $0.trust) }, report: report)
  }

  private var catalog: CertificateCatalog { CertificateCatalog(store) }

  /// Sees to it that a certificate of the store is there and good for a while.
  ///
  /// - Parameter wanted: what it shall be from now on; nil: as it is stored. Other domains and
  ///   another kind of key or CA have it issued anew; the rest of the settings is stored only.
  /// - Parameter makeProver: who proves the domains.
  /// - Parameter prepare: looks whether the CA will find what it needs, before it is asked.
  package func keep(
    _ name: String, as wanted: StoredCertificate? = nil, _ demand: Demand = Demand(),
    patience: Duration = .zero,
    prover makeProver: (ACMESettings) throws(ACMEError) -> any ChallengeProver,
    prepare: (Preparation) throws(ACMEError) -> Void = { _ in }
  ) throws -> Outcome {
    guard
      let turn = try StoreTurn.take(
        "issuing/\(name)", saying: ("certificate", name), in: store, patience: patience,
        waits: { report("waits for another process that is about \"\(name)\"") })
    else {
      throw ACMEError(
        .busy, "another process is about the certificate \"\(name)\"",
        hint: "wait until it is done")
    }
    defer { turn.release() }
    // Who says all that is wanted may have it put in the place of what can't be read.
    let place = try catalog.place(name)
    if wanted == nil, let damage = place.damage { throw damage }
    let stored = place.certificate
    guard var certificate = wanted ?? stored else {
      throw ACMEError(
        .settings, "there is no certificate \"\(name)\"", hint: "give --domain to obtain one")
    }
    guard let settings = certificate.acme else {
      throw ACMEError(
        .settings, "the certificate \"\(name)\" is not from an ACME server",
        hint: "choose another name for one that is")
    }
    if place.damage != nil {
      certificate.revision = place.revision
      certificate.chain = nil
      certificate.key = nil
    }
    if let stored {
      certificate.revision = stored.revision
      certificate.created = stored.created
      certificate.chain = stored.chain
      certificate.key = stored.key
      certificate.renewal = stored.renewal
    }
    let client = ACMEClient(
      directory: settings.directory, transport: makeTransport(settings), time: time)
    if askWhen(&certificate, client) {
      // The others read it there; where it can't be written, they ask again.
      if var noted = stored {
        noted.renewal = certificate.renewal
        if let written = try? put(noted) {
          certificate.revision = written.revision
          certificate.modified = written.modified
        }
      }
    }
    guard let reason = why(certificate, stored, demand, client.ca) else {
      if let stored, !certificate.asksTheSame(as: stored) { certificate = try put(certificate) }
      return .unchanged(certificate, next: certificate.nextTry)
    }
    if let until = certificate.renewal.notBefore, until > time.now(), !demand.ignoresPause {
      throw paused(certificate, until)
    }
    let order: CertificateOrder
    let prover: any ChallengeProver
    do throws(ACMEError) {
      order = try makeOrder(certificate, settings)
      prover = try makeProver(settings)
    } catch {
      note(error, about: name)
      throw error
    }
    // What is to be issued for the first time is known by its name from now on. Where a record is
    // damaged, its chain and key may be whole, and what edges still show: they stay till the end.
    if certificate.chain == nil, place.damage == nil { certificate = try put(certificate) }
    report(reason)
    do throws(ACMEError) {
      let issued = try obtain(order, settings, demand, client, prover, prepare)
      let isFirst = certificate.chain == nil
      certificate.chain = issued.chain
      certificate.key = issued.key
      certificate.renewal.succeed(at: time.now())
      return .issued(try replace(certificate), isFirst: isFirst)
    } catch {
      note(error, about: name)
      throw error
    }
  }

  // MARK: Whether

  /// Why it is to be issued; nil where what is there will do.
  private func why(
    _ certificate: StoredCertificate, _ stored: StoredCertificate?, _ demand: Demand, _ ca: String
  ) -> String? {
    let names = listed(certificate.domains, "and")
    guard let leaf = certificate.leaf else { return "asks \(ca) for a certificate for \(names)" }
    if certificate.damage != nil {
      return "asks \(ca) for a certificate in place of the damaged one"
    }
    if demand.isForced || demand.wantsNewAccount { return "asks \(ca) for another certificate" }
    let present = Set(leaf.names)
    if present != Set(certificate.domains) {
      return "asks \(ca) for a certificate with other names: \(names)"
    }
    if leaf.publicKey.algorithm.keyType != certificate.keyType {
      return "asks \(ca) for a certificate with a key of the kind \(certificate.keyType.rawValue)"
    }
    if let before = stored?.acme?.directory, before != certificate.acme?.directory {
      return "asks \(ca) for a certificate in place of that of \(ACMEClient.host(before))"
    }
    let now = time.now()
    if !certificate.schedule(leaf).isDue(at: now) { return nil }
    return now > leaf.notAfter
      ? "asks \(ca) for a certificate in place of the one that has expired"
      : "asks \(ca) for the next certificate"
  }

  /// Asks the CA when it wants the certificate renewed (RFC 9773), if it is time to ask, and the CA
  /// says such things.
  /// - Returns: whether something is known that was not before.
  private func askWhen(_ certificate: inout StoredCertificate, _ client: ACMEClient) -> Bool {
    let now = time.now()
    guard let leaf = certificate.leaf, certificate.schedule(leaf).wantsInformation(at: now) else {
      return false
    }
    guard let directory = try? client.directory(), let base = directory.renewalInfo,
      let identifier = leaf.renewalIdentifier
    else {
      certificate.renewal.take(window: nil, retryAfter: now + 86_400, at: now)
      return true
    }
    let url = base.hasSuffix("/") ? base + identifier : "\(base)/\(identifier)"
    guard let response = try? client.get(url) else {
      certificate.renewal.take(window: nil, retryAfter: nil, at: now)
      return true
    }
    let info = response.status == 200 ? response.json.flatMap(ACMERenewalInfo.init) : nil
    if let info, let page = info.explanation, info.window != certificate.renewal.window {
      report("\(client.ca) says when to renew, and why: \(page)")
    }
    certificate.renewal.take(
      window: info?.window, retryAfter: RetryAfter.moment(response["Retry-After"], now: now),
      at: now)
    return true
  }

  private func paused(_ certificate: StoredCertificate, _ until: Int64) -> ACMEError {
    let tries = certificate.renewal.failures
    return ACMEError(
      .busy,
      "the last \(tries == 1 ? "try" : "\(tries) tries") failed"
        + (certificate.renewal.lastError.map { ": \($0)" } ?? ""),
      hint: "the next is due at \(RFC3339.format(seconds: until)); mend the cause first, then "
        + "atoll cert ensure with --now tries at once", notBefore: until)
  }

  // MARK: Obtaining

  private func makeOrder(
    _ certificate: StoredCertificate, _ settings: ACMESettings
  ) throws(ACMEError) -> CertificateOrder {
    var order = CertificateOrder(
      names: try Self.names(certificate), keyType: certificate.keyType,
      preferredChain: settings.preferredChain, profile: settings.profile)
    // A successor, where the names are the same; else the old one lives on for itself.
    if let leaf = certificate.leaf { order.replaces = leaf.renewalIdentifier }
    try Self.check(order.names, settings.challenge)
    return order
  }

  private func obtain(
    _ order: CertificateOrder, _ settings: ACMESettings, _ demand: Demand, _ client: ACMEClient,
    _ prover: any ChallengeProver, _ prepare: (Preparation) throws(ACMEError) -> Void
  ) throws(ACMEError) -> ACMEOrdering.Issued {
    let directory = try client.directory()
    try prepare(
      Preparation(
        order: order, settings: settings, directory: directory, ca: client.ca, prover: prover))
    let accounts = AccountDesk(ACMEAccounts(store), client, time, report)
    var signer = try accounts.open(settings, demand)
    do throws(ACMEError) {
      return try ACMEOrdering.run(
        order, client: client, thumbprint: signer.thumbprint, prover: prover, report: report)
    } catch  where error.type == "accountDoesNotExist" {
      // The CA has forgotten it, as test servers do; the key may go on.
      report("\(client.ca) knows the account no more: it is registered again")
      signer = try accounts.register(settings, demand)
      return try ACMEOrdering.run(
        order, client: client, thumbprint: signer.thumbprint, prover: prover, report: report)
    }
  }

  private static func names(_ certificate: StoredCertificate) throws(ACMEError) -> [CertifiedName] {
    var names: [CertifiedName] = []
    for domain in certificate.domains {
      do throws(NameError) {
        names.append(try CertifiedName(domain))
      } catch {
        throw ACMEError(.settings, "\(quoted(domain)) \(error.problem)", hint: error.hint)
      }
    }
    return CertifiedName.unique(names)
  }

  /// What no CA could grant is not asked for.
  package static func check(_ names: [CertifiedName], _ challenge: ChallengeType) throws(ACMEError)
  {
    if names.isEmpty {
      throw ACMEError(.settings, "no domain is named", hint: "give --domain")
    }
    if names.count > Limits.certificateNames {
      throw ACMEError(
        .settings,
        "\(names.count) names are more than the \(Limits.certificateNames) of one certificate",
        hint: "spread them over several certificates")
    }
    for name in names {
      switch (name.kind, challenge) {
      case (.wildcard, .http), (.wildcard, .tls):
        throw ACMEError(
          .settings,
          "the wildcard \"\(name.text)\" can be proven by DNS only, not by \(challenge.rawValue)",
          hint: "give --challenge dns-01, and --dns-hook with a command that creates the record")
      case (.address, .dns):
        throw ACMEError(
          .settings, "the address \(name.text) can't be proven by DNS",
          hint: "give --challenge http-01")
      case (.address, .tls):
        throw ACMEError(
          .settings, "addresses such as \(name.text) are proven by http-01 only",
          hint: "give --challenge http-01")
      default: break
      }
    }
  }

  // MARK: The store

  private func put(_ certificate: StoredCertificate) throws -> StoredCertificate {
    var stored = certificate
    stored.modified = time.now()
    stored.revision = try catalog.put(stored, ifRevision: certificate.revision)
    return stored
  }

  /// Writes what was issued, over whatever little has changed meanwhile: it must not be lost.
  private func replace(_ certificate: StoredCertificate) throws(ACMEError) -> StoredCertificate {
    var stored = certificate
    stored.modified = time.now()
    do {
      for _ in 0..<8 {
        do {
          stored.revision = try catalog.put(stored, ifRevision: stored.revision)
          return stored
        } catch StoreError.conflict(_, _, let found) {
          if found == 0 {
            throw ACMEError(
              .preparation, "\"\(stored.name)\" was deleted while its certificate was issued",
              hint: "repeat the command if that was a mistake")
          }
          stored.revision = found
        }
      }
      throw ACMEError(
        .preparation, "\"\(stored.name)\" is changed again and again by others",
        hint: "repeat the command")
    } catch let error as ACMEError {
      throw error
    } catch let error as StoreError {
      throw ACMEError(.preparation, error.message, hint: error.hint)
    } catch {
      throw ACMEError(.preparation, "\(error)", hint: "look at the store")
    }
  }

  /// Keeps why it failed; the certificate that is in use stays as it is.
  private func note(_ error: ACMEError, about name: String) {
    guard var certificate = try? catalog.get(name) else { return }
    certificate.renewal.fail(error, at: time.now(), notAfter: certificate.leaf?.notAfter)
    _ = try? put(certificate)
  }
}

extension StoredCertificate {
  /// Seconds between two tries of an edge, whatever the reason of the first one's failure.
  private static let shortestPause: Int64 = 600

  /// When an edge obtains or renews it: seconds since 1970, past once it is time.
  package var nextTry: Int64 {
    var next = leaf.map { schedule($0).next } ?? renewal.notBefore ?? created
    if renewal.lastError != nil, let last = renewal.lastAttempt {
      next = max(next, last + Self.shortestPause)
    }
    return next
  }

  fileprivate func asksTheSame(as other: StoredCertificate) -> Bool {
    domains == other.domains && keyType == other.keyType && acme == other.acme
  }

  /// When it is to be renewed.
  package func schedule(_ leaf: CertificateInfo) -> RenewalSchedule {
    var seed: UInt64 = 0
    for byte in Digest.sha256(leaf.der).prefix(8) { seed = seed << 8 | UInt64(byte) }
    return RenewalSchedule(
      notBefore: leaf.notBefore, notAfter: leaf.notAfter, state: renewal, seed: seed)
  }
}

extension CertificateInfo {
  /// How a CA is asked about it (RFC 9773 §4.1); nil where it does not name its issuer's key.
  package var renewalIdentifier: String? {
    guard let key = authorityKeyID else { return nil }
    let isNegative = (serial.first ?? 0) >= 0x80
    return ACMERenewalInfo.identifier(
      keyIdentifier: key, serial: isNegative ? [0] + serial : serial)
  }
}
