// SPDX-License-Identifier: Apache-2.0

/// Finds or registers the account that orders are made with (RFC 8555 §7.3).
struct AccountDesk {
  struct Opened {
    var thumbprint: String
  }

  private let accounts: ACMEAccounts
  private let client: ACMEClient
  private let time: ACMETime
  private let report: (String) -> Void

  init(
    _ accounts: ACMEAccounts, _ client: ACMEClient, _ time: ACMETime,
    _ report: @escaping (String) -> Void
  ) {
    self.accounts = accounts
    self.client = client
    self.time = time
    self.report = report
  }

  /// The account of the store, made where there is none; the client signs with it from now on.
  func open(_ settings: ACMESettings, _ demand: ACMEIssuer.Demand) throws(ACMEError) -> Opened {
    if !demand.wantsNewAccount, let (account, revision) = try stored(settings),
      let url = account.url
    {
      let key = try ACMEKeys.read(account.key)
      client.sign(with: key.signer, as: .id(url))
      try tell(settings.contacts, account, revision, url)
      return Opened(thumbprint: key.jwk.thumbprint)
    }
    return try register(settings, demand)
  }

  /// Makes an account with the CA: of the key in the store if there is one, since a CA gives the
  /// account that a key has already.
  func register(_ settings: ACMESettings, _ demand: ACMEIssuer.Demand) throws(ACMEError) -> Opened {
    let directory = try client.directory()
    if directory.externalAccountRequired, demand.externalAccount == nil {
      throw ACMEProblem(type: "externalAccountRequired", detail: "it wants an external account")
        .error(from: client.ca, while: "open an account")
    }
    var (account, revision) = try keyed(settings, demand)
    let key = try ACMEKeys.read(account.key)
    client.sign(with: key.signer, as: .jwk(key.jwk))
    var binding: String?
    if let external = demand.externalAccount {
      binding = try bind(external, key.jwk, directory.newAccount)
    }
    let payload = JWS.compact { json in
      json.member("termsOfServiceAgreed", true)
      if !settings.contacts.isEmpty { json.member("contact", Self.contacts(settings)) }
      if let binding { json.member("externalAccountBinding", raw: binding) }
    }
    let response: ACMEResponse
    do throws(ACMEError) {
      response = try client.post(directory.newAccount, payload, doing: "open an account")
    } catch {
      // The account itself is new: what the CA does not like is what binds it.
      guard binding != nil, ["unauthorized", "malformed"].contains(error.type) else { throw error }
      var refusal = error
      refusal.hint = "check --eab-key-id and its secret: copy both again as the CA hands them out"
      throw refusal
    }
    guard let url = response["Location"] else {
      throw ACMEError(
        .transport, "\(client.ca) opened an account, but does not say which", hint: "try again")
    }
    if response.status == 201 {
      let terms = directory.termsOfService.map { "; using it means agreeing to its terms, \($0)" }
      report("opened an account with \(client.ca)" + (terms ?? ""))
    }
    account.url = url
    account.contacts = settings.contacts
    try store { () throws(StoreError) in try accounts.put(account, ifRevision: revision) }
    client.sign(with: key.signer, as: .id(url))
    return Opened(thumbprint: key.jwk.thumbprint)
  }

  /// The account with its key, in the store before the CA learns of it.
  private func keyed(_ settings: ACMESettings, _ demand: ACMEIssuer.Demand) throws(ACMEError)
    -> (ACMEAccount, UInt64)
  {
    var revision: UInt64 = 0
    if let (account, found) = try stored(settings) {
      if !demand.wantsNewAccount { return (account, found) }
      revision = found
    }
    let account = ACMEAccount(
      directory: settings.directory, key: try ACMEKeys.make(), contacts: settings.contacts,
      created: time.now())
    do throws(StoreError) {
      return (account, try accounts.put(account, ifRevision: revision))
    } catch .conflict {
      // Another process made one just now: it is everyone's.
      if let other = try stored(settings) { return other }
      throw ACMEError(.preparation, "the account vanished", hint: "repeat the command")
    } catch {
      throw ACMEError(.preparation, error.message, hint: error.hint)
    }
  }

  /// Other addresses to write to (RFC 8555 §7.3.2).
  private func tell(
    _ contacts: [String], _ account: ACMEAccount, _ revision: UInt64, _ url: String
  ) throws(ACMEError) {
    if contacts.isEmpty || contacts == account.contacts { return }
    let payload = JWS.compact { $0.member("contact", contacts.map { "mailto:\($0)" }) }
    do throws(ACMEError) {
      _ = try client.post(url, payload, doing: "take the contact addresses")
    } catch  where error.type == "accountDoesNotExist" {
      // The order finds that out, and has it registered again.
      return
    }
    var changed = account
    changed.contacts = contacts
    try store { () throws(StoreError) in try accounts.put(changed, ifRevision: revision) }
  }

  private static func contacts(_ settings: ACMESettings) -> [String] {
    settings.contacts.map { "mailto:\($0)" }
  }

  /// RFC 8555 §7.3.4.
  private func bind(_ external: ExternalAccount, _ jwk: JWK, _ url: String) throws(ACMEError)
    -> String
  {
    do {
      let signed = try JWS.flattened(
        payload: Array(jwk.canonical.utf8), url: url, nonce: nil, key: .id(external.keyID),
        signer: .secret(external.key))
      return String(decoding: signed, as: UTF8.self)
    } catch {
      throw ACMEError(.preparation, "the account's key could not be bound", hint: "try again")
    }
  }

  private func stored(_ settings: ACMESettings) throws(ACMEError) -> (ACMEAccount, UInt64)? {
    do throws(StoreError) {
      return try accounts.get(settings.directory)
    } catch {
      throw ACMEError(.preparation, error.message, hint: error.hint)
    }
  }

  private func store(_ write: () throws(StoreError) -> UInt64) throws(ACMEError) {
    do throws(StoreError) {
      _ = try write()
    } catch .conflict {
      // Another process wrote the same just now.
      return
    } catch {
      throw ACMEError(.preparation, error.message, hint: error.hint)
    }
  }
}
