// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What a command did to a distribution; raw values are the words of --json.
enum Change: String, Sendable {
  case created, updated, unchanged, deleted
}

/// The end of create, update and delete: the edges' confirmation, then the result.
struct ChangeReport {
  private let parsed: ParsedArguments
  private let console: Console

  init(_ parsed: ParsedArguments, _ console: Console) {
    self.parsed = parsed
    self.console = console
  }

  func finish(
    _ change: Change, _ distribution: Distribution, changes: [String], in workspace: Workspace
  ) throws {
    let revision = change == .unchanged ? nil : distribution.revision
    try finish(
      change, named: distribution.name, revision: revision, changes: changes,
      distribution: distribution, in: workspace)
  }

  /// `revision` is the one the edges have to reach; nil when nothing was written.
  func finish(
    _ change: Change, named name: String, revision: UInt64?, changes: [String] = [],
    distribution: Distribution? = nil, in workspace: Workspace
  ) throws {
    if !parsed[CommonOptions.json] { confirm(change, name, changes, distribution) }
    let wait = EdgeWait(parsed, console, for: [name])
    let answers = try wait.confirmations(of: revision, in: workspace)
    if parsed[CommonOptions.json] {
      var members: [JSON.Member] = [
        .init(key: "schemaVersion", value: 1), .init(key: "name", value: .string(name)),
        .init(key: "result", value: .string(change.rawValue)),
        .init(key: "changes", value: .strings(changes)),
      ]
      if let distribution {
        members.append(
          .init(key: "distribution", value: .encoded(DistributionFile.encode(distribution))))
      }
      members.append(.init(key: "edges", value: wait.json(answers)))
      console.print(JSON.object(members))
    } else if change == .created, answers.allSatisfy({ $0.edge.unsaved != nil }),
      !parsed[CommonOptions.noWait]
    {
      console.note(
        answers.isEmpty
          ? "no edge is running; atoll serve starts one"
          : "no edge serves the store; atoll serve without a URL starts one")
    }
    for warning in distribution?.warnings ?? [] where change != .deleted { console.warn(warning) }
    try wait.demand(answers)
  }

  private func confirm(
    _ change: Change, _ name: String, _ changes: [String], _ distribution: Distribution?
  ) {
    switch change {
    case .created:
      console.confirm("created \"\(name)\"")
      if let distribution {
        let domains = (distribution.ownDomains + distribution.domains.map(\.name))
          .joined(separator: ", ")
        console.confirm("  origin   \(distribution.origin.url)")
        console.confirm("  domains  \(domains)")
      }
    case .updated:
      console.confirm("updated \"\(name)\"")
      for line in changes { console.confirm("  \(line)") }
    case .unchanged where distribution == nil:
      console.confirm("there is no distribution named \"\(name)\"")
    case .unchanged: console.confirm("\"\(name)\" is unchanged")
    case .deleted: console.confirm("deleted \"\(name)\"")
    }
  }
}
