// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What one edge met, or would meet.
struct EdgePurge: Equatable {
  var id: String
  var isConfirmed: Bool
  /// Nil before it has confirmed, and when it no longer knows.
  var entries: Int?
  /// Seconds since 1970.
  var at: Int64?

  init(id: String, isConfirmed: Bool, entries: Int?, at: Int64? = nil) {
    self.id = id
    self.isConfirmed = isConfirmed
    self.entries = entries
    self.at = at
  }

  init(_ confirmation: AtollCore.EdgeConfirmation, numbers: [UInt64]) {
    id = confirmation.edge.id
    isConfirmed = confirmation.isConfirmed
    guard isConfirmed else { return }
    let purges = confirmation.edge.purges.filter { numbers.contains($0.number) }
    at = purges.last?.at
    // An edge keeps the latest counts only; one that started after the purge has none of it.
    let isForgotten =
      purges.count < numbers.count && purges.first?.number != numbers.first
      && confirmation.edge.purges.count >= EdgeRecord.purgesKept
    entries = isForgotten ? nil : purges.map(\.count).reduce(0, +)
  }

  func text(isSoft: Bool, verb: String? = nil) -> String {
    let verb = verb ?? (isSoft ? "marked stale" : "purged")
    let count = entries.map { Quantity.count($0, "entry", "entries") } ?? "entries it did not count"
    return "edge \(id) \(verb) \(count)" + (at.map { " at \(RFC3339.format(seconds: $0))" } ?? "")
  }

  var json: JSON {
    .object([
      .init(key: "id", value: .string(id)), .init(key: "confirmed", value: .bool(isConfirmed)),
      .init(key: "entries", value: .optional(entries)),
      .init(key: "at", value: .optional(at.map { RFC3339.format(seconds: $0) })),
    ])
  }
}

/// A purge as the journal has it and as the edges have answered.
struct PurgeReport {
  let distribution: String
  let isSoft: Bool
  let selectors: [PurgeSelector]
  let numbers: [UInt64]
  let edges: [EdgePurge]
  let hasWaited: Bool

  /// Over the edges that have confirmed; nil when that is not known.
  private var entries: Int? {
    guard hasWaited, !edges.contains(where: { $0.isConfirmed && $0.entries == nil }) else {
      return nil
    }
    return edges.compactMap(\.entries).reduce(0, +)
  }

  func print(to console: Console) {
    let confirmed = edges.filter(\.isConfirmed)
    guard hasWaited else {
      console.confirm("the purge of \"\(distribution)\" is recorded; not waiting for the edges")
      return
    }
    if edges.isEmpty {
      console.confirm(
        "the purge of \"\(distribution)\" is recorded; no edge is running, the next one applies it")
      return
    }
    guard !confirmed.isEmpty else { return }
    switch entries {
    case 0?: console.confirm("nothing matched: no entry of \"\(distribution)\" was purged")
    case let count?:
      let entries = Quantity.count(count, "entry", "entries")
      console.confirm(
        isSoft
          ? "marked \(entries) of \"\(distribution)\" stale"
          : "purged \(entries) of \"\(distribution)\"")
    case nil: console.confirm("purged \"\(distribution)\", more entries than the edges counted")
    }
    for edge in confirmed { console.note(edge.text(isSoft: isSoft)) }
  }

  /// The edges that have not answered are the failure.
  func demandConfirmation(within timeout: Int) throws {
    let silent = edges.filter { !$0.isConfirmed }
    guard !silent.isEmpty else { return }
    throw CommandError(
      silent.map {
        .init(
          message:
            "edge \"\($0.id)\" has not confirmed the purge within \(Quantity.duration(timeout))",
          hint: "the purge is recorded: the edge applies it as soon as it can")
      }, code: .unconfirmed)
  }

  var json: JSON {
    JSON.result([
      "distribution": .string(distribution), "soft": .bool(isSoft), "dryRun": false,
      "selectors": .array(selectors.map(Self.json)),
      "numbers": .array(numbers.map { .integer(Int(clamping: $0)) }),
      "entries": .optional(entries), "edges": .array(edges.map(\.json)),
    ])
  }

  static func json(_ selector: PurgeSelector) -> JSON {
    switch selector {
    case .all: .object([.init(key: "all", value: true)])
    case .path(let path): .object([.init(key: "path", value: .string(path))])
    case .prefix(let prefix): .object([.init(key: "prefix", value: .string(prefix))])
    case .tag(let tag): .object([.init(key: "tag", value: .string(tag))])
    }
  }
}
