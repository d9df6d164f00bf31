// SPDX-License-Identifier: Apache-2.0

/// The traffic of the last 60 minutes, minute by minute: the current one and 59 before it.
///
/// Minutes hold only distributions that had traffic in them, so idle ones cost nothing.
package struct MinuteRing: Sendable {
  package static let length = 60

  /// One minute's traffic.
  package struct Minute: Equatable, Sendable {
    /// Minutes since 1970.
    package var number: Int64
    package var counts: CounterSnapshot
  }

  private let started: Int64
  /// Complete minutes, oldest first.
  private var past: [Minute] = []
  private var current: Int64
  /// The counters when the current minute began.
  private var base = CounterSnapshot()

  /// - Parameter now: seconds since 1970, when the counters were zero.
  package init(startedAt now: Int64) {
    started = now
    current = now / 60
  }

  /// Whether `advance` has a minute to close; a snapshot is only needed then.
  package func isDue(at now: Int64) -> Bool { now / 60 > current }

  /// Closes the current minute when it is over. What was counted since its end, before this call,
  /// still goes to it; call every second or so.
  package mutating func advance(to now: Int64, _ snapshot: CounterSnapshot) {
    // A clock set back stays in the current minute until time has caught up.
    guard isDue(at: now) else { return }
    past.append(Minute(number: current, counts: snapshot.since(base)))
    base = snapshot
    current = now / 60
    past.removeAll { $0.number <= current - Int64(Self.length) }
  }

  /// The minutes of the last hour that had traffic or were looked at, the current one last.
  package func minutes(_ snapshot: CounterSnapshot) -> [Minute] {
    past + [Minute(number: current, counts: snapshot.since(base))]
  }

  /// The traffic of the current minute and `count - 1` before it.
  package func window(minutes count: Int, _ snapshot: CounterSnapshot) -> CounterSnapshot {
    var sum = CounterSnapshot()
    for minute in minutes(snapshot) where minute.number > current - Int64(count) {
      for (slot, counts) in minute.counts.slots { sum.add(counts, slot: slot) }
      sum.handshakes += minute.counts.handshakes
    }
    return sum
  }

  /// The seconds that `window` covers: fewer than its minutes while the current one runs, and
  /// shortly after the start.
  package func windowSeconds(minutes count: Int, at now: Int64) -> Int64 {
    max(now - max((current - Int64(count) + 1) * 60, started), 0)
  }
}
