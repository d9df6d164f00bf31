// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollEdge

/// Deadlines are kept to the tick, however seldom the wheel turns.
struct TimersTests {
  private static let second: Int64 = 1000

  /// The time at which the slot's deadline was told, when the loop wakes as the wheel asks.
  private static func expiry(_ timers: inout Timers, of slot: Int32, from start: Int64) -> Int64? {
    var expired: [Int32] = []
    var now = start
    for _ in 0..<100_000 {
      timers.sweep(now: now, into: &expired)
      if expired.contains(slot) { return now }
      let wait = timers.wait(now: now)
      if wait < 0 { return nil }
      now += max(Int64(wait), 1)
    }
    return nil
  }

  @Test(arguments: [1, 10, 60, 65, 66, 200, 3600] as [Int64])
  func `a deadline is kept after any time without timers`(idle: Int64) throws {
    for patience in [1, 10, 60, 64, 66, 300] as [Int64] {
      var timers = Timers(now: 5 * Self.second)
      let now = (5 + idle) * Self.second
      let deadline = now + patience * Self.second
      timers.set(3, at: deadline)
      let expiry = try #require(Self.expiry(&timers, of: 3, from: now))
      #expect(expiry >= deadline && expiry <= deadline + 2 * Timers.tick)
    }
  }

  @Test func `a loop that was held up tells what is due and keeps what is not`() {
    var timers = Timers(now: 0)
    timers.set(1, at: 10 * Self.second)
    timers.set(2, at: 130 * Self.second)
    timers.set(4, at: 101 * Self.second)
    var expired: [Int32] = []
    timers.sweep(now: 100 * Self.second, into: &expired)
    #expect(expired == [1])
    #expect((Self.expiry(&timers, of: 4, from: 100 * Self.second) ?? 0) < 102 * Self.second)
    #expect((Self.expiry(&timers, of: 2, from: 101 * Self.second) ?? 0) < 131 * Self.second)
  }
}
