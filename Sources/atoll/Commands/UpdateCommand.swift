// SPDX-License-Identifier: Apache-2.0
import AtollCore

enum UpdateCommand: Command {
  static let definition = CommandDefinition(
    name: "update", summary: "change settings of a distribution",
    description: [
      """
      Only what is named changes. A path that has an override already keeps its place in the \
      order of matching, a new one is added at the end; --clear-paths followed by the paths in \
      another order rearranges them. --preset starts the caching settings over.
      """,
      """
      The command returns when every running edge has taken the change over, which they do \
      between two requests.
      """,
    ],
    arguments: [
      ArgumentDefinition("name", "the distribution to change", completes: .distribution)
    ],
    options: DistributionOptions.settings + DistributionOptions.removals
      + [
        CommonOptions.json.definition, CommonOptions.noWait.definition,
        CommonOptions.timeout.definition,
      ],
    examples: [
      Example("atoll update shop --default-ttl 1h --max-ttl 7d", "change lifetimes"),
      Example(
        "atoll update shop --dont-cache-path '/cart/*' --remove-path '/old/*'",
        "change which paths are cached"),
      Example("atoll update shop --disabled", "stop serving it, but keep it"),
      Example(
        "atoll update shop --origin http://10.0.0.9 --no-wait",
        "move to another origin without waiting for the edges"),
    ],
    details: SettingsManual.sections,
    exitCodes: [.done, .failed, .usage, .unconfirmed, .interrupted],
    seeAlso: ["create", "apply", "show"], pages: ["atoll-distribution(5)"])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    let name = parsed.arguments[0]
    let workspace = try Workspace.open(parsed)
    var draft = try parsed[DistributionOptions.file].map(SpecFile.readOne)
    if draft != nil { try workspace.resolveDomains(of: &draft!, named: name) }
    // Another command may write between our reading and our writing: then the options, which are
    // differences, are applied to what it wrote.
    while true {
      let current = try workspace.get(name)
      let now = Clock.now()
      var changed = try draft.map { try merge($0, over: current, now: now) } ?? current
      let edit = DistributionEdit(parsed: parsed)
      if let origin = try edit.origin(current: changed.origin) { changed.origin = origin }
      try edit.apply(to: &changed)
      let changes = differences(from: current, to: changed)
      guard !changes.isEmpty else {
        try ChangeReport(parsed, console).finish(.unchanged, current, changes: [], in: workspace)
        return
      }
      changed.modified = now
      try Workspace.check(changed, from: parsed)
      let certificates = try workspace.checkCertificates(
        of: changed, over: current, source: Workspace.file(parsed))
      if let stored = try workspace.put(
        changed, ifRevision: current.revision, with: certificates)
      {
        try ChangeReport(parsed, console).finish(.updated, stored, changes: changes, in: workspace)
        return
      }
    }
  }

  /// What the file says, over what is there.
  private static func merge(
    _ draft: DistributionDraft, over current: Distribution, now: Int64
  ) throws -> Distribution {
    var draft = draft
    // A document that show printed is whole: what it leaves out is not set.
    if !draft.isWhole { draft.base = current }
    let merged = try draft.make(name: current.name, existing: current, now: now)
    // An edit of what another command has changed meanwhile would undo that change.
    if draft.id == current.id, let revision = draft.revision, revision != current.revision,
      !differences(from: current, to: merged).isEmpty
    {
      throw CommandError.failed(
        "\(draft.source) is based on revision \(revision), but \"\(current.name)\" is at revision "
          + "\(current.revision)",
        hint: "begin again with atoll show \(current.name) --json, or remove \"revision\" from it")
    }
    return merged
  }
}
