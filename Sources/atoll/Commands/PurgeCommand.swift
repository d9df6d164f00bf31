// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge

/// `atoll purge`: out of the cache, now.
enum PurgeCommand: Command {
  private static let tag = Option.text(
    "tag", value: "tag", repeatable: true,
    "purge what the origin marked with this tag (Cache-Tag, Surrogate-Key)")
  private static let all = Option.flag(
    "all", excludes: ["tag"], "purge everything of the distribution")
  private static let soft = Option.flag(
    "soft", "mark the entries stale instead: they are revalidated before they are served again")

  static let definition = CommandDefinition(
    name: "purge", summary: "take responses out of the cache before their time",
    forms: [
      "<name> <path>... [options]", "<name> --tag <tag> [options]", "<name> --all [options]",
      "<name> - [options]",
    ],
    description: [
      """
      The purge is written to the store's journal first, then every running edge applies it and \
      says how many entries it met; when the command returns, no edge serves them any more, \
      whatever their variant, and a response that was being fetched before is not stored. An edge \
      that is down applies the purge before it serves again.
      """,
      """
      A path means exactly that URL: /a is not /a?x=1. A * at its end stands for everything that \
      begins so, queries included, and /* for all there is. Paths are compared as viewers send \
      them, upper and lower case apart. A full URL is taken for its path when its host belongs to \
      the distribution.
      """,
    ],
    arguments: [
      ArgumentDefinition("name", "the distribution", completes: .distribution),
      ArgumentDefinition(
        "path", "what to purge: /a, /a?x=1, '/img/*'; - reads one per line from stdin",
        optional: true, repeatable: true),
    ],
    options: [
      tag.definition, all.definition, soft.definition, CommonOptions.dryRun.definition,
      CommonOptions.json.definition, CommonOptions.noWait.definition,
      CommonOptions.timeout.definition,
    ],
    examples: [
      Example("atoll purge shop /index.html '/img/*'", "purge a page and a directory"),
      Example("atoll purge shop --all", "purge everything"),
      Example("atoll purge shop --tag product-17 --soft", "have tagged responses revalidated"),
      Example(
        "git diff --name-only HEAD~1 | sed 's|^|/|' | atoll purge shop -", "purge what changed"),
    ],
    exitCodes: [.done, .failed, .usage, .unconfirmed, .interrupted],
    seeAlso: ["test", "serve", "show"])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    let workspace = try Workspace.open(parsed)
    let target = try target(parsed.arguments[0], in: workspace)
    let selectors = try selectors(parsed, of: target, console)
    if selectors.isEmpty {
      throw CommandError.usage(
        "nothing to purge", hint: "name a path such as /index.html, --tag <tag> or --all")
    }
    if parsed[CommonOptions.dryRun] {
      try DryRun(target: target, selectors: selectors, workspace: workspace)
        .run(parsed, console)
      return
    }
    let isSoft = parsed[soft]
    let now = Clock.now()
    let records = selectors.map {
      PurgeRecord(
        distribution: target.name, id: target.id, at: now, soft: isSoft, selector: $0)
    }
    let numbers = try PurgeJournal(workspace.catalog.store).append(records)
    var answers: [EdgePurge] = []
    if !parsed[CommonOptions.noWait], let last = numbers.last {
      let timeout = parsed[CommonOptions.timeout] ?? 30
      answers = try workspace.registry
        .waitUntilPurged(number: last, timeout: .seconds(timeout))
        .map { EdgePurge($0, numbers: numbers) }
    }
    let report = PurgeReport(
      distribution: target.name, isSoft: isSoft, selectors: selectors, numbers: numbers,
      edges: answers, hasWaited: !parsed[CommonOptions.noWait])
    if parsed[CommonOptions.json] { console.print(report.json) } else { report.print(to: console) }
    try report.demandConfirmation(within: parsed[CommonOptions.timeout] ?? 30)
  }

  /// In the store, else what a running edge serves without having it saved.
  private static func target(_ name: String, in workspace: Workspace) throws -> PurgeTarget {
    do {
      return PurgeTarget(try workspace.get(name))
    } catch {
      for edge in try workspace.registry.edges() {
        let report = try? AdminClient(path: edge.adminSocket).metrics(distribution: name)
        if let served = report?.distributions.first(where: { $0.name == name }) {
          return PurgeTarget(unsaved: name, id: served.id)
        }
      }
      throw error
    }
  }

  /// Each once, in the order given.
  private static func selectors(
    _ parsed: ParsedArguments, of target: PurgeTarget, _ console: Console
  ) throws
    -> [PurgeSelector]
  {
    let paths = parsed.arguments.dropFirst()
    if parsed[all] {
      guard paths.isEmpty else {
        throw CommandError.usage("--all leaves no path to name", hint: "give one or the other")
      }
      return [.all]
    }
    var selectors: [PurgeSelector] = []
    var seen: Set<String> = []
    func add(_ selector: PurgeSelector) {
      if seen.insert(PurgePath.text(of: selector)).inserted { selectors.append(selector) }
    }
    func addPath(_ text: String) throws {
      let selector = try PurgePath.selector(text, of: target)
      if case .path(let path) = selector, text.contains("?"), !path.contains("?") {
        console.note("\"\(text)\" is cached as \"\(path)\": its query is not forwarded")
      }
      add(selector)
    }
    for path in paths {
      if path == "-" {
        while let line = readLine() {
          let line = line.trimmed.filter { $0 != "\r" }
          if line.isEmpty || line.hasPrefix("#") { continue }
          try addPath(line)
        }
      } else {
        try addPath(path)
      }
    }
    for tag in parsed.values(tag) {
      guard !tag.contains(where: { $0 == "," || $0 == " " || $0.isNewline }) else {
        throw CommandError.usage(
          "--tag: \"\(tag)\" holds a space or a comma, which no tag can",
          hint: "repeat --tag for several")
      }
      add(.tag(tag))
    }
    return selectors
  }

  /// What a purge would meet, asked of the running edges.
  private struct DryRun {
    let target: PurgeTarget
    let selectors: [PurgeSelector]
    let workspace: Workspace

    func run(_ parsed: ParsedArguments, _ console: Console) throws {
      var edges: [EdgePurge] = []
      for edge in try workspace.registry.edges() {
        let client = AdminClient(
          path: edge.adminSocket, timeout: (parsed[CommonOptions.timeout] ?? 30) * 1000)
        do throws(AdminError) {
          var count = 0
          for selector in selectors { count += try client.count(id: target.id, selector) }
          edges.append(EdgePurge(id: edge.id, isConfirmed: true, entries: count))
        } catch  where error.reason.hasPrefix("no distribution") {
          // It has not taken the distribution over yet.
          edges.append(EdgePurge(id: edge.id, isConfirmed: true, entries: 0))
        } catch {
          throw CommandError.failed(
            "edge \"\(edge.id)\" did not say what it holds: \(error.reason)",
            hint: "is the edge alive, of the same version, and yours to ask?")
        }
      }
      let total = edges.compactMap(\.entries).reduce(0, +)
      if parsed[CommonOptions.json] {
        console.print(
          JSON.result([
            "distribution": .string(target.name), "dryRun": true,
            "selectors": .array(selectors.map(PurgeReport.json)), "entries": .integer(total),
            "edges": .array(edges.map(\.json)),
          ]))
        return
      }
      if edges.isEmpty {
        console.confirm("nothing would be purged: no edge is running, so nothing is cached")
        return
      }
      console.confirm(
        "would purge \(Quantity.count(total, "entry", "entries")) of \"\(target.name)\"")
      for edge in edges { console.note(edge.text(isSoft: false, verb: "holds")) }
      if selectors.count > 1 {
        console.note(
          "an entry that several of the \(selectors.count) selectors match counts for each")
      }
    }
  }
}
