// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What an edge serves: each reading of the store, turned into policies for its loops.
///
/// A distribution keeps its slot as long as the edge runs, so that its entries and counters stay its
/// own; a file that became invalid leaves its distribution as it was.
package struct Deployment {
  /// In the order of the names.
  package private(set) var policies: [DistributionPolicy] = []
  /// What is wrong at the moment, for `show` and the log.
  package private(set) var problems: [String] = []
  /// What is served, and should not be as it is: for the log alone, since the commands say it of the
  /// distributions that they are about.
  private var warnings: [String] = []
  /// Those that are not served as they are now.
  package private(set) var refused: [RefusedDocument] = []

  private let slotLimit: Int
  /// By distribution id.
  private var slots: [String: Int] = [:]

  /// What an update changed.
  package struct Change {
    /// Policies differ: the loops need a new configuration.
    package var isNew = false
    /// Lines for the edge's log.
    package var lines: [String] = []
    /// Of distributions that are gone: their entries serve nobody any more.
    package var retiredSlots: [Int] = []
  }

  /// - Parameter slotLimit: distributions that may ever have been served.
  package init(slotLimit: Int = LoopCounters.slotLimit) { self.slotLimit = slotLimit }

  package mutating func update(
    to distributions: [Distribution], invalid: [(name: String, error: ConfigError)] = []
  ) -> Change {
    var change = Change()
    var problems: [String] = []
    var warnings: [String] = []
    var refused: [RefusedDocument] = []
    var next: [DistributionPolicy] = []
    let former = policies
    for (name, error) in invalid {
      let kept = former.first { $0.distribution.name == name }
      problems += Self.lines(about: name, keeping: kept, error)
      refused.append(RefusedDocument(name: name, kept: kept?.distribution.revision))
      if let kept { next.append(kept) }
    }
    for distribution in distributions {
      if let twin = next.first(where: { $0.distribution.id == distribution.id }) {
        problems.append(
          "distribution \"\(distribution.name)\" is not served: it has the id of "
            + "\"\(twin.distribution.name)\"")
        refused.append(RefusedDocument(name: distribution.name))
        continue
      }
      guard let slot = slot(for: distribution.id) else {
        problems.append(
          "distribution \"\(distribution.name)\" is not served: this edge has served "
            + "\(slotLimit) distributions and must be restarted")
        refused.append(RefusedDocument(name: distribution.name))
        continue
      }
      let before = former.first { $0.distribution.id == distribution.id }
      let files: [String: ErrorPageFile]
      let tlsFiles: OriginTLSFiles
      do throws(ConfigError) {
        files = try errorPageFiles(of: distribution)
        tlsFiles = try originTLSFiles(of: distribution)
      } catch {
        // Only this edge can tell, so nobody else names the next step.
        problems += Self.lines(about: distribution.name, keeping: before, error, withHints: true)
        refused.append(
          RefusedDocument(name: distribution.name, kept: before?.distribution.revision))
        if let before { next.append(before) }
        continue
      }
      if let before, before.distribution == distribution, before.errorFiles == files,
        before.tlsFiles == tlsFiles
      {
        next.append(before)
      } else {
        next.append(
          DistributionPolicy(
            distribution, slot: slot, errorFiles: files, tlsFiles: tlsFiles))
        change.isNew = true
        if let line = Self.line(from: before?.distribution, to: distribution) {
          change.lines.append(line)
        }
      }
      warnings += distribution.warnings.map { "warning: \($0)" }
    }
    next.sort { $0.distribution.name < $1.distribution.name }
    // Commands let no two have the same; files that were edited by hand may.
    for (index, policy) in next.enumerated() where !policy.distribution.domains.isEmpty {
      guard let claim = policy.distribution.claim(among: next[..<index].map(\.distribution)) else {
        continue
      }
      problems.append(
        "distribution \"\(policy.distribution.name)\" does not answer for \(claim.domain), which "
          + "belongs to \"\(claim.holder)\"")
    }
    for policy in former where !next.contains(where: { $0.slot == policy.slot }) {
      change.isNew = true
      change.retiredSlots.append(policy.slot)
      change.lines.append("distribution \"\(policy.distribution.name)\" is no longer served")
    }
    change.lines += problems.filter { !self.problems.contains($0) }
    change.lines += warnings.filter { !self.warnings.contains($0) }
    self.problems = problems
    self.warnings = warnings
    self.refused = refused
    policies = next
    return change
  }

  private static func lines(
    about name: String, keeping kept: DistributionPolicy?, _ error: ConfigError,
    withHints: Bool = false
  ) -> [String] {
    let standing = kept.map { "keeps revision \($0.distribution.revision)" } ?? "is not served"
    return error.problems.map {
      "distribution \"\(name)\" \(standing): \($0.message)" + (withHints ? "; \($0.hint)" : "")
    }
  }

  private mutating func slot(for id: String) -> Int? {
    if let slot = slots[id] { return slot }
    guard slots.count < slotLimit else { return nil }
    slots[id] = slots.count
    return slots[id]
  }

  private static func line(from old: Distribution?, to new: Distribution) -> String? {
    guard let old else {
      return "distribution \"\(new.name)\" is served from \(new.origin.url)"
        + (new.isEnabled ? "" : "; it is disabled and answers 403")
    }
    let changes = differences(from: old, to: new)
    if changes.isEmpty { return nil }
    return "distribution \"\(new.name)\" is now at revision \(new.revision): "
      + changes.joined(separator: "; ")
  }
}
