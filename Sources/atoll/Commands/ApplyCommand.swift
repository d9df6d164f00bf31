// SPDX-License-Identifier: Apache-2.0
import AtollCore

enum ApplyCommand: Command {
  static let exitCode = Option.flag(
    "exit-code", "end with 3 when there was a difference")

  static let definition = CommandDefinition(
    name: "apply", summary: "make the store match declarative files",
    description: [
      """
      Each file describes one distribution or several, in the form that atoll show --json prints \
      or in CloudFormation's. What a file leaves out is as create makes it; distributions that no \
      file names stay as they are. Overrides are matched in the order of the file.
      """,
      """
      Nothing is written unless every file is valid. The differences are printed; a second run \
      finds none.
      """,
    ],
    arguments: [
      ArgumentDefinition("file", "JSON files; - reads stdin", repeatable: true, completes: .file)
    ],
    options: [
      CommonOptions.dryRun.definition, exitCode.definition, CommonOptions.json.definition,
      CommonOptions.noWait.definition, CommonOptions.timeout.definition,
    ],
    examples: [
      Example("atoll apply sites/*.json", "create and change what differs"),
      Example(
        "atoll apply --dry-run --exit-code sites/*.json",
        "say what would change; 3 when anything would"),
      Example("generate-sites | atoll apply -", "read what another program writes"),
    ],
    details: [SettingsManual.files],
    exitCodes: [.done, .failed, .usage, .unmet, .unconfirmed, .interrupted],
    seeAlso: ["show", "create", "update"], pages: ["atoll-distribution(5)"])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    var drafts = try read(parsed.arguments)
    let workspace = try Workspace.open(parsed)
    for index in drafts.indices { try workspace.resolveDomains(of: &drafts[index]) }
    // All are checked before the first is written.
    let steps = try plan(drafts, in: workspace)
    var results: [ApplyResult] = []
    var revision: UInt64?
    for step in steps {
      if parsed[CommonOptions.dryRun] || step.changes.isEmpty {
        results.append(step)
      } else {
        let written = try write(step, drafts[results.count], in: workspace)
        revision = max(revision ?? 0, written.distribution.revision)
        results.append(written)
      }
    }
    try report(results, revision: revision, parsed, console, in: workspace)
  }

  private static func read(_ files: [String]) throws -> [DistributionDraft] {
    var drafts: [DistributionDraft] = []
    var problems: [CommandError.Problem] = []
    for file in files {
      do {
        drafts += try SpecFile.read(file)
      } catch let error as ConfigError {
        problems += error.problems.map { .init(message: $0.message, hint: $0.hint) }
      }
    }
    var seen: [String: (name: String, source: String)] = [:]
    for draft in drafts {
      guard let name = draft.name else { continue }
      if let other = seen[name.lowercased()] {
        problems.append(
          other.name == name
            ? .init(
              message: "\"\(name)\" is described in \(other.source) and again in \(draft.source)",
              hint: "keep one of the descriptions")
            : .init(
              message: "\(draft.source): the name \"\(name)\" differs from \"\(other.name)\" in "
                + "\(other.source) only in case, which host names don't tell apart",
              hint: "choose another name"))
      }
      seen[name.lowercased()] = (name, draft.source)
    }
    guard problems.isEmpty else { throw CommandError(problems, code: .usage) }
    return drafts
  }

  private static func plan(
    _ drafts: [DistributionDraft], in workspace: Workspace
  ) throws -> [ApplyResult] {
    var steps: [ApplyResult] = []
    var problems: [CommandError.Problem] = []
    var code = ExitCode.failed
    for draft in drafts {
      do {
        steps.append(try step(for: draft, in: workspace))
      } catch let error as ConfigError {
        problems += error.problems.map { .init(message: $0.message, hint: $0.hint) }
        code = .usage
      } catch let error as CommandError {
        problems += error.problems
        if error.code == .usage { code = .usage }
      }
    }
    guard problems.isEmpty else { throw CommandError(problems, code: code) }
    return steps
  }

  private static func step(
    for draft: DistributionDraft, in workspace: Workspace
  ) throws -> ApplyResult {
    let (current, revision) = try draft.name.map { try stored($0, in: workspace) } ?? (nil, 0)
    let wanted = try draft.make(
      existing: current, baseDomain: workspace.baseDomain(), now: Clock.now())
    let changes = differences(from: current, to: wanted)
    try Workspace.check(wanted, source: draft.source)
    if revision == 0 { try workspace.checkNew(wanted.name) }
    let certificates = try workspace.checkCertificates(
      of: wanted, over: current, source: draft.source)
    return ApplyResult(
      distribution: changes.isEmpty ? current ?? wanted : wanted, revision: revision,
      change: revision == 0 ? .created : changes.isEmpty ? .unchanged : .updated,
      changes: changes, certificates: certificates)
  }

  /// What there is, and its revision, 0 when there is nothing. A damaged one is there to be
  /// replaced.
  private static func stored(
    _ name: String, in workspace: Workspace
  ) throws -> (Distribution?, revision: UInt64) {
    do {
      let current = try workspace.find(name)
      return (current, current?.revision ?? 0)
    } catch is ConfigError {
      return (nil, try workspace.catalog.store.read(Catalog.prefix + name)?.revision ?? 0)
    }
  }

  /// Begins anew when another command has written meanwhile.
  private static func write(
    _ planned: ApplyResult, _ draft: DistributionDraft, in workspace: Workspace
  ) throws -> ApplyResult {
    var step = planned
    while !step.changes.isEmpty {
      if let stored = try workspace.put(
        step.distribution, ifRevision: step.revision, with: step.certificates)
      {
        step.distribution = stored
        break
      }
      step = try self.step(for: draft, in: workspace)
    }
    return step
  }

  private static func report(
    _ results: [ApplyResult], revision: UInt64?, _ parsed: ParsedArguments, _ console: Console,
    in workspace: Workspace
  ) throws {
    let isDry = parsed[CommonOptions.dryRun]
    let wait = EdgeWait(parsed, console, for: results.map(\.distribution.name))
    var answers: [EdgeConfirmation] = []
    if parsed[CommonOptions.json] {
      answers = try wait.confirmations(of: revision, in: workspace)
      console.print(
        .result([
          "dryRun": .bool(isDry),
          "results": .array(results.map(\.json)),
          "edges": wait.json(answers),
        ]))
    } else {
      for result in results { show(result, isDry: isDry, console) }
      answers = try wait.confirmations(of: revision, in: workspace)
    }
    for result in results where result.change != .unchanged {
      for warning in result.distribution.warnings { console.warn(warning) }
    }
    try wait.demand(answers)
    if parsed[exitCode], results.contains(where: { !$0.changes.isEmpty }) {
      throw CommandError([], code: .unmet)
    }
  }

  private static func show(_ result: ApplyResult, isDry: Bool, _ console: Console) {
    let word =
      switch result.change {
      case .created: isDry ? "would be created" : "created"
      case .updated: isDry ? "would be changed" : "changed"
      case .unchanged, .deleted: "unchanged"
      }
    // The differences of a dry run are what was asked for, those of a real one a confirmation.
    let print = { (line: String) in isDry ? console.print(line) : console.confirm(line) }
    print("\(console.styled(result.distribution.name, .bold)): \(word)")
    for line in result.changes { print("  \(line)") }
  }
}

/// What apply did, or would do, to one distribution.
struct ApplyResult {
  var distribution: Distribution
  /// Of what it replaces.
  var revision: UInt64
  var change: Change
  var changes: [String]
  /// Those that it names anew.
  var certificates: [String]

  var json: JSON {
    [
      "name": .string(distribution.name), "result": .string(change.rawValue),
      "changes": .strings(changes),
    ]
  }
}
