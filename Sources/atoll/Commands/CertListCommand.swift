// SPDX-License-Identifier: Apache-2.0
import AtollCore

enum CertListCommand: Command {
  static let definition = CommandDefinition(
    name: "cert list", summary: "list the certificates",
    description: ["With --quiet only their names are printed, one per line."],
    options: [CommonOptions.json.definition],
    examples: [
      Example("atoll cert list", "state, expiry, use and domains of each"),
      Example(
        "atoll cert list --json | jq -r '.certificates[]|select(.status!=\"valid\").name'",
        "the names of those that are not valid"),
    ],
    seeAlso: ["cert show", "list"])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    let workspace = try Workspace.open(parsed)
    if parsed[CommonOptions.quiet], !parsed[CommonOptions.json] {
      for name in try workspace.certificates.names() { console.print(name) }
      return
    }
    let contents = try workspace.certificates.all()
    for (_, error) in contents.invalid { console.warn(error.message, hint: error.hint) }
    let surroundings = try CertificateView.Surroundings(workspace)
    let views = contents.certificates.map { CertificateView($0, in: surroundings) }
    if parsed[CommonOptions.json] {
      console.print(
        .result([
          "certificates": .array(views.map { $0.json(isFull: false) }),
          "invalid": .array(
            contents.invalid.map {
              [
                "name": .string($0.name), "what": .string($0.error.message),
                "hint": .string($0.error.hint),
              ]
            }),
        ]))
      return
    }
    if views.isEmpty, contents.invalid.isEmpty {
      console.note("there is no certificate yet; atoll cert import takes yours over")
      return
    }
    var table = Table(CertificateView.columns)
    var rows = views.map(\.row)
    rows += contents.invalid.map { [$0.name, CertificateStatus.damaged.text, "-", "-", "-", "-"] }
    for row in rows.sorted(by: { $0[0] < $1[0] }) { table.add(row) }
    console.write(table.text(console))
    for view in views {
      if let flaw = view.flaw { console.warn(flaw.message, hint: flaw.hint) }
    }
  }
}
