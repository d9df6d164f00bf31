// SPDX-License-Identifier: Apache-2.0
import AtollCore

enum DomainListCommand: Command {
  static let definition = CommandDefinition(
    name: "domain list", summary: "list the domains and who answers for them",
    description: [
      """
      The default domains are among them, with the certificate that edges show for them. With \
      --quiet only the attached domains are printed, one per line.
      """
    ],
    arguments: [
      ArgumentDefinition(
        "distribution", "only this one's domains", optional: true, completes: .distribution)
    ],
    options: [CommonOptions.json.definition],
    examples: [
      Example("atoll domain list", "every domain, its distribution and its certificate"),
      Example(
        "atoll domain list shop --quiet | xargs -n1 dig +short", "see where shop's domains lead"),
    ],
    seeAlso: ["domain attach", "domain check", "cert list"])

  private enum State: String { case `default`, attached, detached }

  private struct Row {
    let domain: String
    let distribution: String
    let state: State
    var certificates: [String] = []
    /// Of the certificate that ends first.
    var expires: Int64?
  }

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    let workspace = try Workspace.open(parsed)
    var distributions: [Distribution] = []
    if let name = parsed.argument(0) {
      distributions = [try workspace.get(name)]
    } else {
      let contents = try workspace.catalog.all()
      distributions = contents.distributions
      contents.invalid.forEach { console.warn($0.error) }
      // What is damaged is not nothing.
      if distributions.isEmpty, !contents.invalid.isEmpty, !parsed[CommonOptions.json] { return }
    }
    if parsed[CommonOptions.quiet], !parsed[CommonOptions.json] {
      for domain in distributions.flatMap(\.domains) { console.print(domain.name) }
      return
    }
    let certificates = try workspace.certificates.all().certificates
    var expiry: [String: Int64] = [:]
    for certificate in certificates {
      expiry[certificate.name] = certificate.leaf?.notAfter
    }
    var shown: [String: [String]] = [:]
    for use in CertificateUse.all(in: distributions, certificates) where !use.isNamed {
      shown[use.domain, default: []].append(use.certificate)
    }
    let rows = distributions.flatMap { Self.rows(of: $0, shown, expiry) }
    if parsed[CommonOptions.json] {
      console.print(.result(["domains": .array(rows.map(json))]))
      return
    }
    if rows.isEmpty {
      console.note("there is no distribution yet; atoll create makes one")
      return
    }
    var table = Table([
      .left("DOMAIN"), .left("DISTRIBUTION"), .left("STATE"), .left("CERTIFICATE"),
      .left("EXPIRES"),
    ])
    for row in rows {
      table.add([
        row.domain, row.distribution, row.state.rawValue,
        row.certificates.isEmpty ? "-" : row.certificates.joined(separator: ", "),
        row.expires.map { String(RFC3339.format(seconds: $0).prefix(10)) } ?? "-",
      ])
    }
    console.write(table.text(console))
  }

  /// - Parameter shown: what edges show for domains that name no certificate.
  private static func rows(
    of distribution: Distribution, _ shown: [String: [String]], _ expiry: [String: Int64]
  ) -> [Row] {
    let own = distribution.defaultDomain
    let shown = shown[own.lowercased()] ?? []
    var rows = [
      Row(
        domain: own, distribution: distribution.name, state: .default, certificates: shown,
        expires: shown.compactMap { expiry[$0] }.min())
    ]
    for domain in distribution.domains {
      rows.append(
        Row(
          domain: domain.name, distribution: distribution.name, state: .attached,
          certificates: domain.certificates,
          expires: domain.certificates.compactMap { expiry[$0] }.min()))
    }
    rows += distribution.detachedDomains.map {
      Row(domain: $0, distribution: distribution.name, state: .detached)
    }
    return rows
  }

  private static func json(_ row: Row) -> JSON {
    [
      "domain": .string(row.domain), "distribution": .string(row.distribution),
      "state": .string(row.state.rawValue), "certificates": .strings(row.certificates),
      "expires": .optional(row.expires.map { RFC3339.format(seconds: $0) }),
    ]
  }
}
