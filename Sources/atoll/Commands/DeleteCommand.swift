// SPDX-License-Identifier: Apache-2.0
import AtollCore

enum DeleteCommand: Command {
  static let ifExists = Option.flag("if-exists", "succeed when there is none of that name")

  static let definition = CommandDefinition(
    name: "delete", summary: "remove a distribution and everything cached for it",
    description: [
      """
      At a terminal the command asks first; anywhere else it needs --yes. Viewers of the \
      distribution are refused from then on.
      """
    ],
    arguments: [
      ArgumentDefinition("name", "the distribution to remove", completes: .distribution)
    ],
    options: [
      CommonOptions.yes.definition, ifExists.definition, CommonOptions.json.definition,
      CommonOptions.noWait.definition, CommonOptions.timeout.definition,
    ],
    examples: [
      Example("atoll delete shop", "ask, then remove it"),
      Example("atoll delete shop --yes --if-exists", "remove it in a script that may run twice"),
    ],
    exitCodes: [.done, .failed, .usage, .unconfirmed, .interrupted],
    seeAlso: ["create", "list", "purge"])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    let name = parsed.arguments[0]
    let workspace = try Workspace.open(parsed)
    let report = ChangeReport(parsed, console)
    guard try workspace.catalog.names().contains(name) else {
      guard parsed[ifExists] else { throw try workspace.missing(name) }
      try report.finish(.unchanged, named: name, revision: nil, in: workspace)
      return
    }
    if !parsed[CommonOptions.yes] {
      guard console.isInteractive else {
        throw CommandError.usage("deleting \"\(name)\" needs a yes", hint: "add --yes")
      }
      guard console.asks("delete the distribution \"\(name)\"?") else {
        throw CommandError.failed("not deleted")
      }
    }
    // Gone meanwhile is as good as deleted.
    let revision = try workspace.catalog.delete(name, ifRevision: nil)
    try report.finish(.deleted, named: name, revision: revision, in: workspace)
  }
}
