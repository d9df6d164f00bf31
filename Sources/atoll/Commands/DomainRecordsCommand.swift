// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What asks DNS has in common.
enum DomainOptions {
  static let dnsServer = Option<DNSServer>(
    "dns-server", value: "address[:port]", repeatable: true,
    "ask this name server, and no others"
  ) { (text) throws(ValueError) in
    guard let server = DNSServer(text) else {
      throw ValueError("is no address", hint: "write it like 192.0.2.53, [2001:db8::53]:5353")
    }
    return server
  }
  static let ip = Option<IPAddress>(
    "ip", value: "address", repeatable: true, "where viewers reach the edges"
  ) { (text) throws(ValueError) in
    guard let address = IPAddress(text) else {
      throw ValueError("is no address", hint: "write it like 203.0.113.5 or 2001:db8::5")
    }
    return address
  }

  static func client(_ parsed: ParsedArguments) -> DNSClient {
    let servers = parsed.values(dnsServer)
    return servers.isEmpty ? .system : DNSClient(servers: servers)
  }
}

enum DomainRecordsCommand: Command {
  private enum Format: String, CaseIterable { case zone, nsupdate }

  private static let format = Option<Format>.choice(
    "format", default: "zone", "how to print them")
  private static let zone = Option.text(
    "zone", value: "domain", repeatable: true,
    "a zone that holds some of them, instead of asking DNS where each zone begins")
  private static let ttl = Option.duration(
    "ttl", default: "5m", in: 1...604_800, "how long resolvers may keep them")

  static let definition = CommandDefinition(
    name: "domain records", summary: "print the DNS records that a distribution's domains need",
    description: [
      """
      Sub-domains get a CNAME to the default domain where the base domain is one of DNS; a zone's \
      own name, beside which no CNAME may stand, gets the addresses of --ip, or an ALIAS without \
      them. Below \(Distribution.standardBase) every domain gets the addresses. With --ip the base \
      domain's own records stand among them. Where a certificate is being validated by DNS, so do \
      its _acme-challenge records.
      """,
      """
      Where each zone begins is asked of DNS (SOA), unless --zone says it. Where that is not known \
      the other records are printed all the same, and the command ends with 1. Nothing is changed.
      """,
    ],
    arguments: [
      DomainCommand.distribution,
      ArgumentDefinition(
        "domain", "only these; they need not be attached yet", optional: true, repeatable: true),
    ],
    options: [
      DomainOptions.ip.definition, format.definition, zone.definition, ttl.definition,
      DomainOptions.dnsServer.definition, CommonOptions.json.definition,
    ],
    examples: [
      Example("atoll domain records shop --ip 203.0.113.5 --ip 2001:db8::5", "for a zone's file"),
      Example(
        "atoll domain records shop --ip 203.0.113.5 --format nsupdate | nsupdate -k key.conf",
        "put them in place"),
    ],
    seeAlso: ["domain check", "domain base"])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    let workspace = try Workspace.open(parsed)
    let distribution = try workspace.get(parsed.arguments[0])
    let named = try DomainCommand.domains(parsed.arguments.dropFirst())
    let addresses = parsed.values(DomainOptions.ip)
    let base = distribution.baseDomain
    let isLocal = NameService.isLocal(base)
    var domains = named.isEmpty ? distribution.domains.map(\.name) : named
    if domains.isEmpty, isLocal {
      throw CommandError.failed(
        "no domain is attached to \"\(distribution.name)\"",
        hint: "attach one, or name those that are to come: atoll domain records "
          + "\(distribution.name) www.shop.example")
    }
    if isLocal, addresses.isEmpty {
      throw CommandError.usage(
        "missing --ip: \(base) means each viewer's own machine, so no record can lead to it",
        hint: "add --ip with the address of the edges, or set a base domain of your own with "
          + "atoll domain base")
    }
    if !isLocal, named.isEmpty, !addresses.isEmpty { domains.insert("*.\(base)", at: 0) }
    let zones = try parsed.values(zone).map { text in
      guard let zone = DNSName(normalizedDomain(text)) else {
        throw CommandError.usage(
          "--zone: \"\(text)\" is no domain", hint: "write it like shop.example")
      }
      return zone
    }
    var finder = ZoneFinder(known: zones, client: DomainOptions.client(parsed))
    let plan = DomainRecords(
      of: domains, target: isLocal ? nil : DNSName(distribution.defaultDomain),
      addresses: addresses, challenges: try challenges(of: domains, in: workspace)
    ) { finder.zone(of: $0) }
    report(plan, finder.failures, distribution, parsed, console)
    let problems =
      finder.failures.map { $0.problem }
      + plan.unplaced.map { domain in
        .init(
          message: "\"\(domain)\" can't lead to \(distribution.defaultDomain), which is part of it",
          hint: "give the addresses of the edges with --ip")
      }
    if !problems.isEmpty { throw CommandError(problems, code: .failed) }
  }

  /// Says where zones begin: as the command line does, or as DNS does.
  private struct ZoneFinder {
    var known: [DNSName]
    var client: DNSClient
    var failures: [(name: DNSName, problem: CommandError.Problem)] = []

    /// nil where nobody knows; the others are looked for all the same.
    mutating func zone(of name: DNSName) -> DNSName? {
      let holding = known.filter { $0.contains(name) }
      if let apex = holding.max(by: { $0.labels.count < $1.labels.count }) { return apex }
      // What a wildcard stands for is asked about the name that it stands below.
      let asked = name.labels.first == [UInt8(ascii: "*")] ? name.parent ?? name : name
      // A challenge's name stands below what was asked for already.
      let isChallenge = asked.labels.first == Array("_acme-challenge".utf8)
      let told = isChallenge ? asked.parent : asked
      if failures.contains(where: { $0.name == told }) { return nil }
      do throws(DNSError) {
        let apex = try client.zone(of: asked).apex
        // The zone of a name that nobody has registered is the registry's.
        if apex.labels.count < 2 { throw DNSError.noZone(name) }
        known.append(apex)
        return apex
      } catch {
        // Nobody waits so long again, name after name.
        if case .noAnswer = error { client.attempts = 1 }
        let guess = asked.labels.count > 2 ? asked.parent! : asked
        failures.append(
          (
            asked,
            .init(
              message: "where the zone of \"\(asked)\" begins is not known: \(error)",
              hint: "say it with --zone, such as --zone \(guess)")
          ))
        return nil
      }
    }
  }

  /// Of the certificates that are being validated by DNS just now.
  private static func challenges(
    of domains: [String], in workspace: Workspace
  ) throws -> [(domain: String, text: String)] {
    try PendingChallenges(workspace.catalog.store).all().filter { challenge in
      challenge.type == .dns
        && domains.contains { $0 == challenge.domain || $0 == "*.\(challenge.domain)" }
    }.map { ($0.domain, $0.recordValue) }
  }

  private static func report(
    _ plan: DomainRecords, _ unknown: [(name: DNSName, problem: CommandError.Problem)],
    _ distribution: Distribution, _ parsed: ParsedArguments, _ console: Console
  ) {
    let lifetime = parsed[ttl] ?? 300
    if parsed[CommonOptions.json] {
      console.print(
        .result([
          "distribution": .string(distribution.name),
          "defaultDomain": .string(distribution.defaultDomain),
          "records": .array(
            plan.records.map { record in
              [
                "name": .string("\(record.name)"), "type": .string(record.kind.rawValue),
                "value": .string(record.value), "ttl": .integer(lifetime),
                "zone": .string("\(record.zone)"),
              ]
            }),
          "unknown": .array(
            unknown.map { name, problem in
              [
                "name": .string("\(name)"), "what": .string(problem.message),
                "hint": .optional(problem.hint),
              ]
            }),
        ]))
      return
    }
    switch parsed[format] ?? .zone {
    case .zone: for line in plan.zoneFile(lifetime: lifetime) { console.print(line) }
    case .nsupdate:
      let (lines, left) = plan.nsupdate(lifetime: lifetime)
      for line in lines { console.print(line) }
      for record in left {
        console.warn(
          "\"\(record.name)\" is the apex of its zone, and nsupdate knows no ALIAS",
          hint: "give its addresses with --ip")
      }
    }
  }
}
