// SPDX-License-Identifier: Apache-2.0

/// One edge's part of the monthly transfer: what its counters say, what the store has been told of
/// it, and what all edges together have told.
///
/// It never stands in the way of traffic: what cannot be told now is told later.
package struct TransferCount: Sendable {
  /// The month that is being counted.
  package private(set) var month: TransferMonth
  /// By month and id of the distribution, to be told to the store.
  package private(set) var pending: [TransferMonth: [String: UInt64]] = [:]
  /// What the store knew of the month when it was last asked, by id.
  private var stored: [String: UInt64] = [:]
  /// The counters when they were last looked at, by slot.
  private var counted: [Int: UInt64] = [:]
  private var ids: [Int: String] = [:]
  /// Of the plan, by id: what has been warned about.
  private var warned: [String: Int] = [:]

  /// - Parameter now: seconds since 1970, when the counters were zero.
  package init(startedAt now: Int64) { month = TransferMonth(at: now) }

  /// Bytes sent to viewers, whatever the method.
  private static func bytes(_ counts: TrafficCounts) -> UInt64 {
    counts.bytesDown &+ counts.otherBytes
  }

  /// Makes known which distribution a slot belongs to; it stays known when that is gone.
  package mutating func know(id: String, slot: Int) { ids[slot] = id }

  /// Takes over what was sent since the last time, which belongs to the month of that time; call
  /// soon after the end of each minute.
  package mutating func count(_ snapshot: CounterSnapshot, at now: Int64) {
    for (slot, id) in ids {
      let sent = Self.bytes(snapshot[slot])
      let added = sent &- (counted[slot] ?? 0)
      if added == 0 { continue }
      counted[slot] = sent
      pending[month, default: [:]][id, default: 0] &+= added
    }
    let next = TransferMonth(at: now)
    // A clock that is set back stays in the month.
    if month < next {
      month = next
      stored = [:]
      warned = [:]
    }
  }

  /// The store has taken the pending bytes of a month, and this is what it knows now.
  package mutating func told(_ month: TransferMonth, totals: [String: UInt64]) {
    pending[month] = nil
    if month == self.month { stored = totals }
  }

  /// The use of a distribution up to these counters.
  package func use(id: String, slot: Int, plan: Plan, _ snapshot: CounterSnapshot) -> TransferUse {
    let recent = Self.bytes(snapshot[slot]) &- (counted[slot] ?? 0)
    return TransferUse(
      month: month, stored: stored[id] ?? 0,
      unstored: (pending[month]?[id] ?? 0) &+ recent, plan: plan)
  }

  /// Lines for the edge's log: at 80 and at 100 percent of a plan, once each in a month.
  package mutating func warnings(
    _ distributions: [(name: String, id: String, plan: Plan)]
  ) -> [String] {
    var lines: [String] = []
    for (name, id, plan) in distributions {
      let use = TransferUse(
        month: month, stored: stored[id] ?? 0, unstored: pending[month]?[id] ?? 0, plan: plan)
      let level = use.level
      // A larger plan is warned about anew.
      if level > warned[id] ?? 0, let quota = use.quota {
        let amount = "\(gigabytes(use.bytes)) of \(gigabytes(quota))"
        lines.append(
          level == 100
            ? "distribution \"\(name)\" has used up its plan \"\(plan.rawValue)\" for \(month.text): "
              + "\(amount); it is served on"
            : "distribution \"\(name)\" has used \(level) % of its plan \"\(plan.rawValue)\" for "
              + "\(month.text): \(amount)")
      }
      warned[id] = level
    }
    return lines
  }
}

/// `41.2 GB`, as plans are sold: of 1000 MB each; smaller amounts in smaller units.
package func gigabytes(_ bytes: UInt64) -> String {
  var unit: UInt64 = 1_000_000_000
  var name = "GB"
  if bytes < 1_000_000 {
    (unit, name) = (1_000, "kB")
  } else if bytes < 1_000_000_000 {
    (unit, name) = (1_000_000, "MB")
  }
  if bytes < 1_000 { return "\(bytes) B" }
  // Cut off, so that nothing looks reached before it is.
  let tenths = bytes / (unit / 10)
  return tenths % 10 == 0 ? "\(tenths / 10) \(name)" : "\(tenths / 10).\(tenths % 10) \(name)"
}
