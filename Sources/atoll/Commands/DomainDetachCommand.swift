// SPDX-License-Identifier: Apache-2.0
import AtollCore

enum DomainDetachCommand: Command {
  private static let forget = Option.flag(
    "forget", "answer as for any unknown host instead, which may be another distribution's part")
  private static let ifAttached = Option.flag(
    "if-attached", "succeed where a domain was never attached")

  static let definition = CommandDefinition(
    name: "domain detach", summary: "have a distribution answer for domains no longer",
    description: [
      """
      Viewers who ask for them get 403 from then on, so that no other site shows up under a name \
      that still leads here. Attaching a domain again, to this distribution or another, ends \
      that, and so does --forget.
      """
    ],
    arguments: [
      DomainCommand.distribution,
      ArgumentDefinition("domain", "one that is attached to it", repeatable: true),
    ],
    options: [
      forget.definition, ifAttached.definition, CommonOptions.json.definition,
      CommonOptions.noWait.definition, CommonOptions.timeout.definition,
    ],
    examples: [
      Example("atoll domain detach shop old.shop.example", "refuse its viewers from now on"),
      Example(
        "atoll domain detach shop old.shop.example --forget", "forget that it ever was attached"),
    ],
    exitCodes: [.done, .failed, .usage, .unconfirmed, .interrupted],
    seeAlso: ["domain attach", "domain list"])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    let name = parsed.arguments[0]
    let domains = try DomainCommand.domains(parsed.arguments.dropFirst())
    let workspace = try Workspace.open(parsed)
    while true {
      let current = try workspace.get(name)
      let known = current.domains.map(\.name) + current.detachedDomains
      for domain in domains where !known.contains(domain) && !parsed[ifAttached] {
        let near = Suggestion.closest(to: domain, in: current.domains.map(\.name))
        throw CommandError.failed(
          "\"\(domain)\" is not attached to \"\(name)\"",
          hint: near.map { "did you mean \"\($0)\"?" } ?? "see atoll domain list \(name)")
      }
      var changed = current
      changed.setDomains(current.domains.filter { !domains.contains($0.name) })
      if parsed[forget] { changed.detachedDomains.removeAll { domains.contains($0) } }
      let report = ChangeReport(parsed, console)
      guard changed != current else {
        try report.finish(.unchanged, current, changes: [], in: workspace)
        return
      }
      changed.modified = Clock.now()
      if let stored = try workspace.put(changed, ifRevision: current.revision) {
        try report.finish(
          .updated, stored, changes: differences(from: current, to: changed), in: workspace)
        return
      }
    }
  }
}
