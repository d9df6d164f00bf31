// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Glibc
import Synchronization

/// What `cert ensure` and `cert renew` share: how domains are proven.
enum IssueOptions {
  static let group = "Proving the domains"

  static let http = Option<ListenAddress>(
    "http", value: "address", default: "80", readsEnvironment: false, group: group,
    "answer http-01 here where no edge runs: port, address:port or [ipv6]:port"
  ) { (text) throws(ValueError) in
    do throws(EdgeError) {
      // A CA knows no way to a socket of this machine.
      if case .unix = try ListenAddress(parsing: text) { throw EdgeError.badListenAddress(text) }
      return try ListenAddress(parsing: text)
    } catch {
      throw ValueError(
        "is no address to listen on", hint: "write a port, address:port or [ipv6]:port")
    }
  }
  static let dnsServer = Option<String>(
    "dns-server", value: "address", group: group,
    "ask this name server, and no others"
  ) { (text) throws(ValueError) in
    guard DNSServer(text) != nil else {
      throw ValueError("is no address", hint: "write 192.0.2.53, 192.0.2.53:5353 or [2001:db8::1]")
    }
    return text
  }
  static let dnsTimeout = Option.duration(
    "dns-timeout", default: "3m", in: 1...86_400, group: group,
    "how long a DNS record may take to be seen; 1h where a person creates it")
  static let wait = Option.flag(
    "wait", group: group,
    "print the DNS records and wait for them off a terminal, too")
  static let skipPreflight = Option.flag(
    "skip-preflight", group: group,
    "do not look first whether the CA will find what it needs")
  static let validationPort = Option.integer(
    "validation-port", value: "port", in: 1...65_535, group: group,
    "the port that the CA connects to, where it is not 80 or 443: of a CA of your own")

  static let all = [
    http.definition, dnsServer.definition, dnsTimeout.definition, wait.definition,
    skipPreflight.definition, validationPort.definition,
  ]
}

/// Issues certificates for a command: with the running edges, an own listener, a hook or a person.
struct IssueDesk {
  let issuer: ACMEIssuer
  private let workspace: Workspace
  private let parsed: ParsedArguments
  private let console: Console
  private let interruption: Interruption
  private let remarks = Remarks()

  /// What hooks complain about when they tidy up: it comes after the error that matters more.
  private final class Remarks: Sendable {
    private let lines = Mutex<[String]>([])

    func add(_ line: String) { lines.withLock { $0.append(line) } }

    func take() -> [String] {
      lines.withLock { lines in
        defer { lines = [] }
        return lines
      }
    }
  }

  /// How long this command waits for another one that is about the same certificate, or that
  /// answers the CA by itself.
  private static let patience: Duration = .seconds(1_800)
  private static let personalDNSTimeout = 3_600

  static let userAgent = "atoll/\(Atoll.version)"

  init(_ parsed: ParsedArguments, _ workspace: Workspace, _ console: Console) {
    self.parsed = parsed
    self.workspace = workspace
    self.console = console
    interruption = Interruption(console)
    issuer = ACMEIssuer(workspace.catalog.store, userAgent: Self.userAgent) { console.note($0) }
  }

  func keep(
    _ name: String, as wanted: StoredCertificate? = nil, _ demand: ACMEIssuer.Demand
  ) throws -> ACMEIssuer.Outcome {
    // From the preflight to the end of the order.
    var turn: (any StoreHold)?
    defer { turn?.release() }
    do {
      let outcome = try issuer.keep(
        name, as: wanted, demand, patience: Self.patience,
        prover: { (settings) throws(ACMEError) in try prover(settings, &turn) },
        prepare: { (preparation) throws(ACMEError) in try preflight(preparation) })
      warn()
      return outcome
    } catch let error as ACMEError {
      throw Self.failure(error, remarks.take())
    } catch {
      warn()
      throw error
    }
  }

  private func warn() {
    for line in remarks.take() { console.warn(line) }
  }

  private static func failure(_ error: ACMEError, _ warnings: [String]) -> CommandError {
    let lines = [error.message] + error.details
    let problems = lines.enumerated().map { index, line in
      CommandError.Problem(
        message: line, hint: index == lines.count - 1 && !error.hint.isEmpty ? error.hint : nil)
    }
    return CommandError(
      problems, warnings: warnings, code: error.fault == .settings ? .usage : .failed)
  }

  // MARK: Proving

  private func prover(
    _ settings: ACMESettings, _ turn: inout (any StoreHold)?
  ) throws(ACMEError) -> any ChallengeProver {
    switch settings.challenge {
    case .http: return try httpProver(settings, &turn)
    case .tls:
      guard try hasEdge() else {
        throw ACMEError(
          .preparation, "tls-alpn-01 is answered by a running edge, and none runs on this store",
          hint: "start one with atoll serve --https 443, or prove the domain otherwise")
      }
      return EdgeProver(workspace.catalog.store, .tls)
    case .dns:
      let prover = DNSProver(
        try keeper(settings), try watch(settings), in: workspace.catalog.store)
      interruption.onInterrupt { [remarks, console] in
        prover.end()
        for line in remarks.take() { console.warn(line) }
      }
      return prover
    }
  }

  /// The edges, or this process: of several that answer by themselves one at a time, since they
  /// would want the same port.
  private func httpProver(
    _ settings: ACMESettings, _ turn: inout (any StoreHold)?
  ) throws(ACMEError) -> any ChallengeProver {
    let store = workspace.catalog.store
    // Who names an address wants to be reached there.
    func hasEdge() throws(ACMEError) -> Bool {
      if parsed.has(IssueOptions.http) { return false }
      return try self.hasEdge()
    }
    if try !hasEdge() {
      turn = try onStore { () throws(StoreError) in
        try StoreTurn.take(
          "answering/http-01", saying: ("pid", "\(getpid())"), in: store, patience: Self.patience,
          waits: { console.note("waits for another command that answers the CA just now") })
      }
      if turn == nil {
        throw ACMEError(
          .busy, "another command is still answering a CA", hint: "repeat it when that is done")
      }
    }
    // An edge may have been started meanwhile.
    if try hasEdge() {
      turn?.release()
      turn = nil
      return EdgeProver(store, .http)
    }
    let known = settings.httpAddress.flatMap { try? ListenAddress(parsing: $0) }
    if case .tcp(let host, let port)? = parsed[IssueOptions.http] ?? known {
      return ChallengeListener(host: host, port: port)
    }
    return ChallengeListener()
  }

  private func keeper(_ settings: ACMESettings) throws(ACMEError) -> any RecordKeeper {
    if let hook = settings.dnsHook { return DNSHook(hook) { [remarks] in remarks.add($0) } }
    guard console.isInteractive || parsed[IssueOptions.wait] else {
      throw ACMEError(
        .settings, "somebody has to create the DNS records, and nobody is at a terminal",
        hint: "give --dns-hook with a command that creates them, or --wait to have them printed "
          + "and waited for")
    }
    return ManualRecords(console: console)
  }

  private func watch(_ settings: ACMESettings) throws(ACMEError) -> RecordWatch {
    let standard =
      settings.dnsHook == nil ? Self.personalDNSTimeout : ACMEIssuer.standardDNSTimeout
    return RecordWatch(
      dns: try dns(settings), asksZones: server(settings) == nil,
      limit: parsed[IssueOptions.dnsTimeout] ?? settings.dnsTimeout ?? standard
    ) { [console] in console.note($0) }
  }

  private func server(_ settings: ACMESettings) -> String? {
    parsed[IssueOptions.dnsServer] ?? settings.dnsServer
  }

  private func dns(_ settings: ACMESettings) throws(ACMEError) -> DNSClient {
    var settings = settings
    settings.dnsServer = server(settings)
    return try ACMEIssuer.dns(settings)
  }

  /// Whether an edge runs that watches this store.
  private func hasEdge() throws(ACMEError) -> Bool {
    try onStore { () throws(StoreError) in try !workspace.registry.edges().isEmpty }
  }

  private func onStore<Result>(_ body: () throws(StoreError) -> Result) throws(ACMEError) -> Result
  {
    do throws(StoreError) {
      return try body()
    } catch {
      throw ACMEError(.preparation, error.message, hint: error.hint)
    }
  }

  private func preflight(_ preparation: ACMEIssuer.Preparation) throws(ACMEError) {
    if parsed[IssueOptions.skipPreflight] { return }
    console.note("looks at DNS, and at what the CA will look at")
    let port =
      parsed[IssueOptions.validationPort]
      ?? preparation.settings.validationPort
    try Preflight(
      dns: try dns(preparation.settings), asksZones: server(preparation.settings) == nil,
      userAgent: Self.userAgent, port: port.flatMap { UInt16(exactly: $0) }
    ).check(
      preparation.order.names, by: preparation.prover,
      caaIdentities: preparation.directory.caaIdentities, ca: preparation.ca)
  }
}
