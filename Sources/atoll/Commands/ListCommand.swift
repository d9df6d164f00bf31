// SPDX-License-Identifier: Apache-2.0
import AtollCore

enum ListCommand: Command {
  static let definition = CommandDefinition(
    name: "list", summary: "list the distributions",
    description: [
      "With --quiet only their names are printed, one per line.",
      """
      TRANSFER is what all edges have sent to viewers in this calendar month (UTC), as they last \
      told, at most a minute ago, and how much of the plan that is. A plan that is used up stops \
      nothing. EXPIRES tells when the first of the certificates ends that its domains are served \
      with. DOMAINS are those attached; atoll domain list has them all.
      """,
    ],
    options: [CommonOptions.json.definition],
    examples: [
      Example("atoll list", "name, state, origin and preset of each"),
      Example("atoll list --quiet | xargs -n1 atoll show", "show them all"),
    ],
    seeAlso: ["show", "create", "metrics"])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    let workspace = try Workspace.open(parsed)
    let catalog = workspace.catalog
    if parsed[CommonOptions.quiet], !parsed[CommonOptions.json] {
      for name in try catalog.names() { console.print(name) }
      return
    }
    let contents = try catalog.all()
    contents.invalid.forEach { console.warn($0.error) }
    let expiry = ExpiryView(
      of: contents.distributions, try workspace.certificates.all().certificates, now: Clock.now())
    if parsed[CommonOptions.json] {
      console.print(
        .result([
          "distributions": .array(
            contents.distributions.map { .encoded(DistributionFile.encode($0)) }),
          "invalid": .array(contents.invalid.map { invalid($0.name, $0.error) }),
          "certificates": expiry.json(of: contents.distributions),
          "transfer": try workspace.transfer.json(of: contents.distributions),
        ]))
      return
    }
    if contents.distributions.isEmpty, contents.invalid.isEmpty {
      console.note("there is no distribution yet; atoll create makes one")
      return
    }
    var table = Table([
      .left("NAME"), .left("STATE"), .left("ORIGIN"), .left("PRESET"), .left("ID"),
      .left("TRANSFER"), .left("EXPIRES"), .left("DOMAINS"),
    ])
    let transfer = try workspace.transfer
    var rows = contents.distributions.map { distribution in
      [
        distribution.name, DistributionView.state(distribution), distribution.origin.url,
        distribution.preset.rawValue, distribution.id, transfer.shortText(of: distribution),
        expiry.text(of: distribution), firstOf(distribution.domains.map(\.name)),
      ]
    }
    rows += contents.invalid.map { [$0.name, "invalid", "-", "-", "-", "-", "-", "-"] }
    for row in rows.sorted(by: { $0[0] < $1[0] }) { table.add(row) }
    console.write(table.text(console))
  }

  private static func invalid(_ name: String, _ error: ConfigError) -> JSON {
    [
      "name": .string(name),
      "problems": .array(
        error.problems.map {
          ["where": .string($0.where), "what": .string($0.what), "hint": .string($0.hint)]
        }),
    ]
  }
}
