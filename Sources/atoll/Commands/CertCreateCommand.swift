// SPDX-License-Identifier: Apache-2.0
import AtollCore

enum CertCreateCommand: Command {
  private static let local = Option.flag(
    "local", "let the store's own authority make it; viewers have to trust that first")

  static let definition = CommandDefinition(
    name: "cert create", summary: "make a certificate with the store's own authority",
    forms: ["<name> --local [--domain <name>]... [options]"],
    description: [
      """
      For machines that trust the root which atoll cert authority prints: those of developers, \
      tests, networks without a way to a public CA. The certificate holds for 90 days, and the \
      running edges issue it anew in time.
      """,
      """
      Without --domain it is for the domains that the distribution of its name has now, the \
      default ones among them; where there is no such distribution and the name is a domain \
      itself, for that.
      """,
    ],
    arguments: [
      ArgumentDefinition("name", "what the certificate is called in this store")
    ],
    options: [
      local.definition, CertOptions.domain.definition, CertOptions.key.definition,
      CreateCommand.ifMissing.definition, CommonOptions.json.definition,
      CommonOptions.noWait.definition, CommonOptions.timeout.definition,
    ],
    examples: [
      Example(
        "atoll cert create shop --local", "for all that the distribution shop answers for"),
      Example("atoll cert create shop.test --local", "for the domain that it is called after"),
      Example(
        "atoll cert create shop --local --domain shop.test --domain '*.shop.test'",
        "for a domain and everything right below it"),
      Example(
        "atoll cert create lab --local --domain 192.168.1.20 --domain lab.internal",
        "for an address, too"),
    ],
    exitCodes: [.done, .failed, .usage, .unconfirmed, .interrupted],
    seeAlso: ["cert authority", "cert import", "cert show"])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    let name = parsed.arguments[0]
    guard parsed[local] else {
      throw CommandError.usage(
        "missing --local",
        hint: "add it for a certificate of the store's own authority; atoll cert import takes one "
          + "of another CA over")
    }
    try Workspace.checkCertificateName(name)
    let workspace = try Workspace.open(parsed)
    let report = CertificateReport(parsed, console)
    let place = try workspace.certificates.place(name)
    if parsed[CreateCommand.ifMissing], let existing = place.certificate {
      try report.finish(
        .unchanged, named: name, revision: nil, certificate: existing, in: workspace)
      return
    }
    let domains = try domains(parsed, named: name, in: workspace)
    if domains.isEmpty {
      throw CommandError.usage(
        "missing --domain",
        hint: "add --domain with a name it is for; it can be left out where a distribution is "
          + "called \"\(name)\"")
    }
    if place.certificate != nil { throw exists(name) }
    if place.damage != nil {
      try workspace.checkUses(
        of: name, coveredBy: domains, hint: "name it with --domain, too, or detach it first")
    }
    let now = Clock.now()
    let type = parsed[CertOptions.key] ?? .p256
    let (leaf, key) = try LocalAuthority(workspace.certificates.store).issue(
      domains, type, now: now)
    var certificate = StoredCertificate(
      name: name, created: now, modified: now, source: .local, domains: domains, keyType: type,
      chain: leaf.pem, key: key.pem)
    do {
      certificate.revision = try workspace.certificates.put(
        certificate, ifRevision: place.revision)
    } catch StoreError.conflict {
      // Somebody else's of the same name counts as there already.
      guard parsed[CreateCommand.ifMissing], let existing = try workspace.certificates.get(name)
      else { throw exists(name) }
      try report.finish(
        .unchanged, named: name, revision: nil, certificate: existing, in: workspace)
      return
    }
    let isNew = place.revision == 0
    try report.finish(
      isNew ? .created : .updated, named: name, revision: certificate.revision,
      certificate: certificate, verb: isNew ? nil : "replaced",
      notes: ["viewers have to trust the store's own authority; see atoll cert authority"]
        + (place.note.map { [$0] } ?? []),
      in: workspace)
  }

  /// Those given, or what the name stands for; empty where it stands for nothing.
  private static func domains(
    _ parsed: ParsedArguments, named name: String, in workspace: Workspace
  ) throws -> [String] {
    let given = CertOptions.domains(parsed)
    if !given.isEmpty { return given }
    let candidates: [String]
    if let distribution = try workspace.find(name) {
      candidates = distribution.domains.map(\.name) + distribution.ownDomains
    } else {
      candidates = name.contains(".") ? [name] : []
    }
    var domains: [String] = []
    for candidate in candidates {
      // Distributions may have names that no host has.
      guard let domain = try? CertifiedName(candidate).text else { continue }
      if !domains.contains(domain) { domains.append(domain) }
    }
    return domains
  }

  private static func exists(_ name: String) -> CommandError {
    .failed(
      "a certificate named \"\(name)\" exists already",
      hint: "choose another name, delete that one first, or add --if-missing")
  }
}
