// SPDX-License-Identifier: Apache-2.0
import AtollCore

enum CertDeleteCommand: Command {
  static let definition = CommandDefinition(
    name: "cert delete", summary: "remove a certificate and its key",
    description: [
      """
      A certificate that a distribution uses is kept: detach its domains first, or name another \
      certificate for them. At a terminal the command asks first; anywhere else it needs --yes. \
      The key is gone for good.
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
}
