// SPDX-License-Identifier: Apache-2.0
import AtollCore

enum DomainCheckCommand: Command {
  private static let httpPort = Option.integer(
    "http-port", value: "port", default: "80", in: 1...65_535,
    "the port that viewers use in the clear")
  private static let httpsPort = Option.integer(
    "https-port", value: "port", default: "443", in: 1...65_535,
    "the port that viewers use with TLS")
  private static let ca = Option.text(
    "ca", value: "file", completes: .file,
    "believe the authorities of this PEM file, and no others")
  private static let maxTime = Option.duration(
    "max-time", default: "10s", in: 1...3_600, "how long one request may take")

  static let definition = CommandDefinition(
    name: "domain check", summary: "see whether a distribution's domains work",
    description: [
      """
      For each attached domain, or those named: does DNS lead to an edge (to --ip, where given), \
      is there a certificate in the store that fits, and does an edge answer at every address that \
      DNS knows. Each fault is told with its fix, and ends the command with 1. Where DNS knows no \
      address the edges that run on this store are asked instead, and so they are, unless a port \
      is given, for names that every machine takes for itself.
      """
    ],
    arguments: [
      DomainCommand.distribution,
      ArgumentDefinition("domain", "only these", optional: true, repeatable: true),
    ],
    options: [
      DomainOptions.ip.definition, httpPort.definition, httpsPort.definition, ca.definition,
      DomainOptions.dnsServer.definition, maxTime.definition, CommonOptions.json.definition,
    ],
    examples: [
      Example("atoll domain check shop", "check all of its domains"),
      Example(
        "atoll domain check shop www.shop.example --ip 203.0.113.5 --dns-server 9.9.9.9",
        "see what others' resolvers say"),
    ],
    seeAlso: ["domain records", "domain attach", "test"])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    let workspace = try Workspace.open(parsed)
    let distribution = try workspace.get(parsed.arguments[0])
    let domains = try chosen(parsed.arguments.dropFirst(), of: distribution)
    if let file = parsed[ca] { try TrustFile.check(file, of: ca.definition) }
    let (_, certificates, invalid) = try workspace.certificates.all()
    let choice = CertificateChoice(certificates, invalid: invalid, now: Clock.now())
    let edges = try workspace.registry.edges().filter { $0.unsaved == nil }
    let local = DomainCheck.Listeners(
      http: edges.flatMap(\.addresses).compactMap { SocketAddress(parsing: $0)?.reachable },
      https: edges.flatMap(\.secureAddresses).compactMap { SocketAddress(parsing: $0)?.reachable })
    var reports: [(domain: String, findings: [DomainFinding])] = []
    for domain in domains {
      let check = DomainCheck(
        domain: domain, distribution: distribution, choice: choice,
        trust: try parsed[ca].map { .file($0) }
          ?? trust(domain, distribution, certificates, workspace),
        dns: DomainOptions.client(parsed), expected: parsed.values(DomainOptions.ip), local: local,
        hasGivenPort: parsed.has(httpPort) || parsed.has(httpsPort),
        httpPort: UInt16(parsed[httpPort] ?? 80), httpsPort: UInt16(parsed[httpsPort] ?? 443),
        timeout: Double(parsed[maxTime] ?? 10))
      let findings = check.run()
      reports.append((domain, findings))
      if !parsed[CommonOptions.json] { show(domain, findings, console) }
    }
    if parsed[CommonOptions.json] {
      console.print(
        .result([
          "distribution": .string(distribution.name),
          "domains": .array(reports.map(json)),
        ]))
    }
    let faulty = reports.filter { $0.findings.contains { $0.state == .fault } }
    if !faulty.isEmpty { throw CommandError([], code: .failed) }
  }

  private static func chosen(
    _ named: ArraySlice<String>, of distribution: Distribution
  ) throws -> [String] {
    if named.isEmpty {
      // The default domain stands in where there is no other.
      return distribution.domains.isEmpty
        ? [distribution.defaultDomain] : distribution.domains.map(\.name)
    }
    let own = distribution.ownDomains.map { $0.lowercased() }
    let domains = try named.map { text in
      try own.contains(normalizedDomain(text))
        ? normalizedDomain(text) : DomainCommand.domains([text])[0]
    }
    for domain in domains where !own.contains(domain) {
      if distribution.domains.contains(where: { $0.name == domain || $0.matches(domain) }) {
        continue
      }
      throw CommandError.failed(
        "\"\(domain)\" is not attached to \"\(distribution.name)\"",
        hint: "attach it with atoll domain attach \(distribution.name) \(domain)")
    }
    return domains
  }

  /// A certificate of the local authority is to be believed by who checks it here, too.
  private static func trust(
    _ domain: String, _ distribution: Distribution, _ certificates: [StoredCertificate],
    _ workspace: Workspace
  ) throws -> Trust {
    let names = distribution.domains.first { $0.name == domain }?.certificates ?? []
    let isLocal =
      distribution.ownDomains.contains(domain)
      || certificates.contains { names.contains($0.name) && $0.source == .local }
    guard isLocal, let root = try LocalAuthority(workspace.catalog.store).existing() else {
      return .system
    }
    return .pem(Array(root.certificate.pem.utf8))
  }

  private static func show(_ domain: String, _ findings: [DomainFinding], _ console: Console) {
    console.print(console.styled(domain, .bold))
    let width = findings.map(\.subject.count).max() ?? 0
    for finding in findings {
      let padding = String(repeating: " ", count: width - finding.subject.count)
      let style: Console.Style =
        switch finding.state {
        case .ok: .green
        case .warning: .yellow
        case .fault: .red
        }
      let state = finding.state.rawValue
      let word = console.styled(state, style) + String(repeating: " ", count: 7 - state.count)
      console.print(
        "  \(finding.subject)\(padding)  \(word)  \(Console.printable(finding.detail))")
      if let fix = finding.fix {
        console.print(
          "  \(String(repeating: " ", count: width))  fix      \(Console.printable(fix))")
      }
    }
  }

  private static func json(_ report: (domain: String, findings: [DomainFinding])) -> JSON {
    [
      "domain": .string(report.domain),
      "ok": .bool(!report.findings.contains { $0.state == .fault }),
      "checks": .array(
        report.findings.map {
          [
            "subject": .string($0.subject), "state": .string($0.state.rawValue),
            "detail": .string($0.detail), "fix": .optional($0.fix),
          ]
        }),
    ]
  }
}

extension SocketAddress {
  /// Where a listener of this machine is reached on it: a wildcard on the loopback.
  fileprivate var reachable: SocketAddress? {
    switch host {
    case "0.0.0.0": SocketAddress(host: "127.0.0.1", port: port)
    case "::": SocketAddress(host: "::1", port: port)
    case "": nil
    default: self
    }
  }
}
