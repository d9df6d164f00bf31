// SPDX-License-Identifier: Apache-2.0
import AtollCore

enum DomainBaseCommand: Command {
  static let definition = CommandDefinition(
    name: "domain base", summary: "show or set the base domain of new distributions",
    description: [
      """
      New distributions get <id>.<base domain> and answer under <name>.<base domain>, too. Those \
      that there are keep the domains they were given. Without a base domain of your own it is \
      \(Distribution.standardBase), which every machine takes for itself.
      """,
      """
      Lead a name that is used for nothing else, and everything below it, to the edges: \
      *.cdn.example. Then sub-domains of other zones need only a CNAME to a default domain.
      """,
    ],
    arguments: [
      ArgumentDefinition("domain", "such as cdn.example; printed without it", optional: true)
    ],
    options: [CommonOptions.json.definition],
    examples: [
      Example("atoll domain base", "print it"),
      Example("atoll domain base cdn.example", "have new distributions answer below cdn.example"),
    ],
    seeAlso: ["domain records", "create"])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    let workspace = try Workspace.open(parsed)
    let setting = BaseDomain(workspace.catalog.store)
    var hasChanged = false
    if let text = parsed.argument(0) {
      let name = normalizedDomain(text)
      if name != Distribution.standardBase {
        if let flaw = domainFlaw(name) {
          throw CommandError.usage("\"\(text)\" \(flaw.what)", hint: flaw.hint)
        }
        if name.hasPrefix("*.") {
          throw CommandError.usage(
            "\"\(text)\" is a wildcard", hint: "write the domain alone: \(name.dropFirst(2))")
        }
      }
      hasChanged = try setting.set(name) != nil
    }
    let base = try setting.get()
    if parsed[CommonOptions.json] {
      console.print(.result(["baseDomain": .string(base), "changed": .bool(hasChanged)]))
    } else if parsed.argument(0) == nil {
      console.print(base)
    } else {
      console.confirm(
        hasChanged ? "new distributions answer below \(base)" : "the base domain is \(base) already"
      )
    }
  }
}
