// SPDX-License-Identifier: Apache-2.0
import AtollCore

enum CreateCommand: Command {
  static let ifMissing = Option.flag(
    "if-missing", "succeed without a change when it exists already")

  static let definition = CommandDefinition(
    name: "create", summary: "make a distribution",
    forms: ["<name> --origin <url> [options]", "<name> --file <file> [options]"],
    description: [
      """
      A distribution is a site that the edges serve: an origin, and settings that say which of \
      its responses are cached and for how long. What is not set comes from the preset.
      """,
      """
      The command returns when every running edge has taken the new distribution over. Edges \
      started later find it in the store.
      """,
    ],
    arguments: [ArgumentDefinition("name", "2 to 255 letters, digits, dots, dashes, underscores")],
    options: DistributionOptions.settings
      + [
        ifMissing.definition, CommonOptions.json.definition, CommonOptions.noWait.definition,
        CommonOptions.timeout.definition,
      ],
    examples: [
      Example("atoll create shop --origin http://localhost:3000", "obey the origin's headers"),
      Example(
        "atoll create blog --origin http://10.0.0.7 --preset wordpress --plan small",
        "cache a WordPress site's static files only"),
      Example(
        "atoll create docs --origin http://10.0.0.8 --preset static "
          + "--dont-cache-path '/search/*' --cache-path '/img/* default=7d'",
        "cache everything for a day, images for a week, searches not at all"),
      Example(
        "atoll show shop --json | atoll create stage --file - --origin http://10.0.0.9",
        "copy a distribution to another origin"),
    ],
    details: SettingsManual.sections,
    exitCodes: [.done, .failed, .usage, .unconfirmed, .interrupted],
    seeAlso: ["update", "apply", "serve", "show"], pages: ["atoll-distribution(5)"])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    let name = parsed.arguments[0]
    let workspace = try Workspace.open(parsed)
    if parsed[ifMissing], let existing = try workspace.find(name) {
      try ChangeReport(parsed, console).finish(.unchanged, existing, changes: [], in: workspace)
      return
    }
    var distribution = try make(name, parsed, in: workspace)
    try DistributionEdit(parsed: parsed).apply(to: &distribution)
    try Workspace.check(distribution, from: parsed)
    try workspace.checkNew(name)
    let certificates = try workspace.checkCertificates(
      of: distribution, over: nil, source: Workspace.file(parsed))
    let changes = differences(from: nil, to: distribution)
    guard
      let stored = try workspace.put(distribution, ifRevision: 0, with: certificates)
    else {
      // Somebody else's create of the same name counts as there already.
      if parsed[ifMissing], let existing = try workspace.find(name) {
        try ChangeReport(parsed, console).finish(.unchanged, existing, changes: [], in: workspace)
        return
      }
      throw CommandError.failed(
        "a distribution named \"\(name)\" exists already",
        hint: "change it with atoll update \(name), or add --if-missing")
    }
    try ChangeReport(parsed, console).finish(.created, stored, changes: changes, in: workspace)
  }

  private static func make(
    _ name: String, _ parsed: ParsedArguments, in workspace: Workspace
  ) throws -> Distribution {
    let now = Clock.now()
    let base = try workspace.baseDomain()
    let origin = try DistributionEdit(parsed: parsed).origin(current: nil)
    if let file = parsed[DistributionOptions.file] {
      var draft = try SpecFile.readOne(file)
      try workspace.resolveDomains(of: &draft, named: name)
      if let origin { draft.origin = origin }
      var made = try draft.make(name: name, baseDomain: base, now: now)
      if let origin { made.origin.targets = origin.targets }
      return made
    }
    guard let origin else {
      throw CommandError.usage(
        "missing --origin",
        hint: "add --origin http://host[:port], or --file with a JSON description")
    }
    return Distribution.make(
      name: name, origin: origin, preset: parsed[DistributionOptions.preset] ?? .origin,
      id: Distribution.makeID(), baseDomain: base, now: now)
  }
}
