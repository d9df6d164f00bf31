// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Glibc

/// `atoll cert ensure`: a certificate from an ACME server, now and from now on.
enum CertEnsureCommand: Command {
  static let letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"
  static let letsEncryptStaging = "https://acme-staging-v02.api.letsencrypt.org/directory"

  private static let acme = Option.text(
    "acme", value: "url", excludes: ["staging"],
    "directory of the ACME server; else that of Let's Encrypt")
  private static let staging = Option.flag(
    "staging", "ask Let's Encrypt's server for trials: no browser believes what it issues")
  private static let acmeCA = Option.text(
    "acme-ca", value: "file", completes: .file,
    "PEM file of the roots to verify the ACME server itself with")
  private static let email = Option<String>(
    "email", value: "address", repeatable: true,
    "where the CA may write to about the account"
  ) { (text) throws(ValueError) in
    let parts = text.split(separator: "@", omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }),
      text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f && $0 != 0x2c })
    else { throw ValueError("is no e-mail address", hint: "write it as you@shop.example") }
    return text
  }
  private static let challenge = Option<ChallengeType>.choice(
    "challenge", group: IssueOptions.group,
    "how the domains are proven; else dns-01 for wildcards and with --dns-hook, and http-01")
  private static let dnsHook = Option.text(
    "dns-hook", value: "command", group: IssueOptions.group,
    "the command that creates and removes DNS records")
  private static let preferredChain = Option.text(
    "preferred-chain", value: "name",
    "part of the name of the root to prefer, where the CA offers several chains")
  private static let profile = Option.text(
    "profile", value: "name", "one of the CA's kinds of certificates")
  private static let eabKeyID = Option.text(
    "eab-key-id", value: "id", "key of the account that you have with the CA already")
  private static let eabHMACFile = Option.text(
    "eab-hmac-file", value: "file", completes: .file,
    "file with that key's secret, base64url; else $ATOLL_EAB_HMAC")
  private static let newAccount = Option.flag(
    "new-account", "open another account with the CA, with another key")
  private static let now = Option.flag(
    "now", readsEnvironment: false, "try at once, even soon after tries that failed")

  static let definition = CommandDefinition(
    name: "cert ensure", summary: "have a certificate from an ACME server, and keep it",
    description: [
      """
      Obtains the certificate, renews it or does nothing, as is needed, and ends with 0 in each \
      case: it can be repeated at any time. What is not given stays as it was the last time; other \
      domains, another kind of key or another CA have the certificate issued anew. The one in use \
      is replaced when its successor is there, and not before; every edge takes it over without \
      losing a connection, and renews it from then on.
      """,
      """
      The CA, Let's Encrypt if no other is named, wants a proof that the domains are yours. With \
      http-01 it asks port 80 of each domain: a running edge of this store answers, or, where none \
      runs, this command itself; several of them take turns. With tls-alpn-01 it asks port 443, where an edge answers. With \
      dns-01 it looks for a TXT record below _acme-challenge; wildcards can be proven in no other \
      way. Using a CA means agreeing to its terms, which are named when the account is opened.
      """,
      """
      Before the CA is asked, DNS and the way to the edge are looked at, since CAs allow only so \
      many failures an hour.
      """,
    ],
    arguments: [
      ArgumentDefinition(
        "name", "what the certificate is called in this store", completes: .certificate)
    ],
    options: [
      CertOptions.domain.definition, acme.definition, staging.definition, acmeCA.definition,
      email.definition, CertOptions.key.definition, preferredChain.definition, profile.definition,
      eabKeyID.definition, eabHMACFile.definition, newAccount.definition, now.definition,
      CommonOptions.json.definition, CommonOptions.noWait.definition,
      CommonOptions.timeout.definition, challenge.definition, dnsHook.definition,
    ] + IssueOptions.all,
    examples: [
      Example(
        "atoll cert ensure shop --domain shop.example --domain www.shop.example",
        "a certificate of Let's Encrypt, answered for by the running edge"),
      Example(
        "atoll cert ensure shop --domain '*.shop.example' --dns-hook /etc/atoll/nsupdate-hook",
        "a wildcard, proven by DNS"),
      Example(
        "atoll cert ensure shop --domain shop.example --acme https://ca.example/acme/directory "
          + "--acme-ca ca.pem",
        "from a CA of your own"),
      Example("atoll cert ensure shop", "renew it if it is due, as from cron"),
    ],
    details: IssueManual.sections,
    exitCodes: [.done, .failed, .usage, .unconfirmed, .interrupted],
    environment: [
      Term("ATOLL_EAB_HMAC", "the secret of --eab-key-id, where no file is named")
    ],
    seeAlso: ["cert renew", "cert show", "serve"])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    let workspace = try Workspace.open(parsed)
    let name = parsed.arguments[0]
    let place = try workspace.certificates.place(name)
    let wanted = try wanted(name, place, parsed, console)
    if parsed.has(CertOptions.domain) {
      try workspace.checkUses(
        of: name, coveredBy: wanted.domains,
        hint: "name it with --domain, too, or detach it first")
    }
    if let note = place.note { console.note(note) }
    var demand = ACMEIssuer.Demand()
    demand.ignoresPause = parsed[now]
    demand.wantsNewAccount = parsed[newAccount]
    demand.externalAccount = try externalAccount(parsed)
    let outcome = try IssueDesk(parsed, workspace, console).keep(name, as: wanted, demand)
    try IssueReport.finish([IssueReport(outcome)], isAlone: true, parsed, console, in: workspace)
  }

  // MARK: What is wanted

  /// What is stored, with what the command line says otherwise.
  private static func wanted(
    _ name: String, _ place: CertificateCatalog.Place, _ parsed: ParsedArguments,
    _ console: Console
  ) throws -> StoredCertificate {
    try Workspace.checkCertificateName(name)
    let stored = place.certificate
    if let stored, stored.source != .acme {
      let origin = stored.source == .local ? "this store's local authority" : "a file"
      throw CommandError.usage(
        "the certificate \"\(name)\" is from \(origin), not from an ACME server",
        hint: "choose another name, or atoll cert delete \(name) first")
    }
    var domains = CertOptions.domains(parsed)
    for written in parsed.occurrences where written.name == CertOptions.domain.definition.name {
      tellConversions(written.text, console)
    }
    if domains.isEmpty { domains = stored?.domains ?? [] }
    if domains.isEmpty {
      throw CommandError.usage(
        place.damage.map { "\($0.message), and no domain is given to ask for another" }
          ?? "there is no certificate \"\(name)\" yet, and no domain to ask for one",
        hint: "give --domain, as in atoll cert ensure \(name) --domain shop.example")
    }
    let time = Clock.now()
    var wanted =
      stored
      ?? StoredCertificate(
        name: name, created: time, modified: time, source: .acme, domains: domains)
    wanted.domains = domains
    wanted.keyType = parsed[CertOptions.key] ?? wanted.keyType
    wanted.acme = try settings(stored?.acme, domains, parsed)
    return wanted
  }

  private static func tellConversions(_ text: String, _ console: Console) {
    for part in text.split(separator: ",") where !part.utf8.allSatisfy({ $0 < 0x80 }) {
      if let name = try? CertifiedName(String(part)) {
        console.note("\"\(part)\" is asked for as \(name.text)")
      }
    }
  }

  private static func settings(
    _ stored: ACMESettings?, _ domains: [String], _ parsed: ParsedArguments
  ) throws -> ACMESettings {
    var settings = stored ?? ACMESettings(directory: letsEncrypt)
    if let url = parsed[acme] {
      guard url.hasPrefix("https://"), (try? ClientURL(parsing: url)) != nil else {
        throw CommandError.usage(
          "--acme: \"\(url)\" is no https:// URL",
          hint: "write the URL of the CA's directory, as its manual names it")
      }
      settings.directory = url
    } else if parsed[staging] {
      settings.directory = letsEncryptStaging
    }
    if let file = parsed[acmeCA] { settings.trust = try readable(file) }
    if let hook = parsed[dnsHook] { settings.dnsHook = absolute(hook) }
    if let chosen = parsed[challenge] {
      settings.challenge = chosen
    } else if parsed.has(dnsHook) || domains.contains(where: { $0.hasPrefix("*.") }) {
      settings.challenge = .dns
    }
    if settings.challenge != .dns {
      if parsed.has(dnsHook) {
        throw CommandError.usage(
          "--dns-hook is for dns-01, and --challenge asks for \(settings.challenge.rawValue)",
          hint: "leave one of them out")
      }
      settings.dnsHook = nil
    }
    if let server = parsed[IssueOptions.dnsServer] { settings.dnsServer = server }
    if let time = parsed[IssueOptions.dnsTimeout] { settings.dnsTimeout = time }
    if let port = parsed[IssueOptions.validationPort] { settings.validationPort = port }
    if let address = parsed[IssueOptions.http] { settings.httpAddress = address.text }
    let addresses = parsed.values(email)
    if !addresses.isEmpty { settings.contacts = addresses }
    settings.preferredChain = parsed[preferredChain] ?? settings.preferredChain
    settings.profile = parsed[profile] ?? settings.profile
    return settings
  }

  /// With the path of its program from the root, where it has one.
  private static func absolute(_ command: String) -> String {
    let program = command.prefix { $0 != " " }
    guard program.contains("/"), !program.hasPrefix("/"),
      let path = realpath(String(program), nil)
    else { return command }
    defer { free(path) }
    return shellWord(String(cString: path)) + command.dropFirst(program.count)
  }

  /// The path from the root: edges that renew run elsewhere.
  private static func readable(_ file: String) throws(CommandError) -> String {
    try TrustFile.check(file, of: acmeCA.definition)
    guard let path = realpath(file, nil) else { return file }
    defer { free(path) }
    return String(cString: path)
  }

  private static func externalAccount(_ parsed: ParsedArguments) throws -> ExternalAccount? {
    let file = parsed[eabHMACFile]
    let inherited = parsed.environment["ATOLL_EAB_HMAC"].flatMap { $0.isEmpty ? nil : $0 }
    guard let id = parsed[eabKeyID] else {
      if file == nil { return nil }
      throw CommandError.usage(
        "--eab-hmac-file needs --eab-key-id", hint: "give both, as the CA hands them out")
    }
    let text: String
    if let file {
      let bytes = try InputFile.read(
        file, limit: 4_096, hint: "name a file that holds the secret alone")
      text = String(decoding: bytes, as: UTF8.self)
    } else if let inherited {
      text = inherited
    } else {
      throw CommandError.usage(
        "--eab-key-id needs its secret", hint: "put it into a file and name that: --eab-hmac-file")
    }
    let secret = text.split(whereSeparator: \.isWhitespace).joined()
      .replacing("+", with: "-").replacing("/", with: "_")
    guard let key = Base64URL.decode(secret), !key.isEmpty else {
      throw CommandError.usage(
        "the secret of --eab-key-id is not base64url", hint: "copy it again, whole")
    }
    return ExternalAccount(keyID: id, key: key)
  }
}
