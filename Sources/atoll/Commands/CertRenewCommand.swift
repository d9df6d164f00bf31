// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// `atoll cert renew`: certificates issued anew, before an edge would.
enum CertRenewCommand: Command {
  private static let due = Option.flag(
    "due", readsEnvironment: false, "only those that are due, as the edges renew them")

  static let definition = CommandDefinition(
    name: "cert renew", summary: "have certificates issued anew",
    forms: ["<name>... [options]", "[options]"],
    description: [
      """
      With names, those certificates are issued anew now, for the same domains and from the same \
      CA. Without any, all that are due are, which is what running edges do by themselves: this is \
      for cron where no edge runs. A certificate that was imported can't be renewed here.
      """,
      """
      The certificate in use is replaced when its successor is there, and not before. Where one of \
      several fails, the others are renewed all the same.
      """,
    ],
    arguments: [
      ArgumentDefinition(
        "name", "certificates; else all that are due", optional: true, repeatable: true,
        completes: .certificate)
    ],
    options: [
      due.definition, CommonOptions.json.definition, CommonOptions.noWait.definition,
      CommonOptions.timeout.definition,
    ] + IssueOptions.all,
    examples: [
      Example("atoll cert renew shop", "renew one now"),
      Example("atoll cert renew", "renew whatever is due"),
    ],
    exitCodes: [.done, .failed, .usage, .unconfirmed, .interrupted],
    seeAlso: ["cert ensure", "cert show", "serve"])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    let workspace = try Workspace.open(parsed)
    let catalog = workspace.certificates
    let isNamed = !parsed.arguments.isEmpty
    let certificates =
      try isNamed ? named(parsed.arguments, workspace) : renewable(catalog, console)
    let desk = IssueDesk(parsed, workspace, console)
    var demand = ACMEIssuer.Demand()
    demand.isForced = isNamed && !parsed[due]
    demand.ignoresPause = demand.isForced
    var reports: [IssueReport] = []
    var problems: [CommandError.Problem] = []
    var warnings: [String] = []
    for certificate in certificates {
      do {
        if certificate.source == .local {
          reports.append(try renewLocal(certificate, isForced: demand.isForced, catalog))
        } else {
          reports.append(IssueReport(try desk.keep(certificate.name, demand)))
        }
      } catch let error as CommandError {
        problems += error.problems.map {
          .init(message: "\"\(certificate.name)\": \($0.message)", hint: $0.hint)
        }
        warnings += error.warnings
      }
    }
    try IssueReport.finish(reports, isAlone: false, parsed, console, in: workspace)
    if certificates.isEmpty { console.note("there is nothing to renew") }
    if !problems.isEmpty { throw CommandError(problems, warnings: warnings, code: .failed) }
  }

  private static func named(
    _ names: [String], _ workspace: Workspace
  ) throws -> [StoredCertificate] {
    var certificates: [StoredCertificate] = []
    for name in names where !certificates.contains(where: { $0.name == name }) {
      let certificate = try workspace.certificate(name)
      if certificate.source == .imported {
        throw CommandError.failed(
          "\"\(name)\" was imported: only who issued it can renew it",
          hint: "get its successor there, and atoll cert import it under the same name")
      }
      certificates.append(certificate)
    }
    return certificates
  }

  private static func renewable(
    _ catalog: CertificateCatalog, _ console: Console
  ) throws -> [StoredCertificate] {
    let (_, certificates, invalid) = try catalog.all()
    for (_, error) in invalid { console.warn(error.message, hint: error.hint) }
    return certificates.filter { $0.source != .imported }
  }

  /// Of the store's own authority, which asks nobody.
  private static func renewLocal(
    _ certificate: StoredCertificate, isForced: Bool, _ catalog: CertificateCatalog
  ) throws -> IssueReport {
    let now = Clock.now()
    let store = catalog.store
    if !isForced, certificate.damage == nil, let leaf = certificate.leaf {
      let root = try LocalAuthority(store).existing()?.certificate
      if !LocalRenewal.isDue(leaf, root: root, now: now) {
        return IssueReport(certificate, .unchanged)
      }
    }
    guard let next = try LocalRenewal.renew(certificate, in: store, now: now) else {
      throw CommandError.failed("it was changed meanwhile", hint: "repeat the command")
    }
    return IssueReport(next, .renewed)
  }
}
