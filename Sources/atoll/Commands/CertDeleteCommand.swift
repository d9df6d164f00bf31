// SPDX-License-Identifier: Apache-2.0
import AtollCore

enum CertDeleteCommand: Command {
  static let definition = CommandDefinition(
    name: "cert delete", summary: "remove a certificate and its key",
    description: [
      """
      A certificate that a distribution uses is kept: detach its domains first, or name another \
      certificate for them. So is the one for default domains while there are any, and while an \
      edge shows it: it would be made again at once. At a terminal the command asks first; anywhere \
      else it needs --yes. The key is gone for good.
      """
    ],
    arguments: [
      ArgumentDefinition("name", "the certificate to remove", completes: .certificate)
    ],
    options: [
      CommonOptions.yes.definition, DeleteCommand.ifExists.definition,
      CommonOptions.json.definition, CommonOptions.noWait.definition,
      CommonOptions.timeout.definition,
    ],
    examples: [
      Example("atoll cert delete shop", "ask, then remove it"),
      Example(
        "atoll cert delete shop --yes --if-exists", "remove it in a script that may run twice"),
    ],
    exitCodes: [.done, .failed, .usage, .unconfirmed, .interrupted],
    seeAlso: ["cert list", "cert import"])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    let name = parsed.arguments[0]
    let workspace = try Workspace.open(parsed)
    let report = CertificateReport(parsed, console)
    // What is damaged can be deleted, too.
    guard try workspace.certificates.names().contains(name) else {
      guard parsed[DeleteCommand.ifExists] else { throw try workspace.missingCertificate(name) }
      try report.finish(.unchanged, named: name, revision: nil, in: workspace)
      return
    }
    var seen = try checkUnused(name, in: workspace)
    if !parsed[CommonOptions.yes] {
      guard console.isInteractive else {
        throw CommandError.usage(
          "deleting the certificate \"\(name)\" needs a yes", hint: "add --yes")
      }
      guard console.asks("delete the certificate \"\(name)\" and its key?") else {
        throw CommandError.failed("not deleted")
      }
    }
    var attempt = 1
    while true {
      do {
        // Gone meanwhile is as good as deleted.
        let revision = try workspace.certificates.delete(name, unusedSince: seen)
        try report.finish(.deleted, named: name, revision: revision, in: workspace)
        return
      } catch StoreError.conflict {
        // A distribution was written meanwhile, and may use it.
      }
      seen = try checkUnused(name, in: workspace)
      attempt += 1
      // A file whose number a person has raised would be newer for ever.
      if attempt == Self.attempts { seen = .max }
    }
  }

  /// Each loses against another command that was faster.
  private static let attempts = 1_000

  /// - Returns: the store's revision at which no distribution used it.
  private static func checkUnused(_ name: String, in workspace: Workspace) throws -> UInt64 {
    let revision = try workspace.catalog.store.revision()
    if name == DefaultCertificate.name {
      try checkDefaultUnused(in: workspace)
      return revision
    }
    let uses = try workspace.certificateUses().filter { $0.certificate == name && $0.isNamed }
    if !uses.isEmpty {
      throw CommandError(
        uses.map { use in
          CommandError.Problem(
            message:
              "the distribution \"\(use.distribution)\" uses the certificate \"\(name)\" for "
              + use.domain,
            hint: "detach the domain first, or attach it with another certificate")
        }, code: .failed)
    }
    return revision
  }
  /// Of the one that nobody names: it is what edges show where no other certificate fits.
  private static func checkDefaultUnused(in workspace: Workspace) throws {
    let name = DefaultCertificate.name
    // What is damaged is shown by nobody for long.
    guard let stored = try? workspace.certificates.get(name), stored.damage == nil else { return }
    var users: [String] = []
    for use in try workspace.certificateUses() where use.certificate == name {
      let user = "\"\(use.distribution)\""
      if !users.contains(user) { users.append(user) }
    }
    let edges = try workspace.registry.edges().filter { !$0.secureAddresses.isEmpty }
    if users.isEmpty, edges.isEmpty { return }
    let more = users.count - 3
    if more > 1 { users[3...] = ["\(more) more"] }
    throw CommandError.failed(
      users.isEmpty
        ? "running edges show the certificate \"\(name)\" where no other fits"
        : "the certificate \"\(name)\" is what edges show for the default domains of "
          + listed(users, "and"),
      hint: "for another one give atoll cert renew \(name); edges make it whenever it is missing")
  }
}
