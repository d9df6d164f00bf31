// SPDX-License-Identifier: Apache-2.0

/// How often something may happen: so often at once, and so often per second from then on.
package struct Rate: Sendable {
  package let burst: Int64
  package let perSecond: Int64

  package init(burst: Int64, perSecond: Int64) {
    self.burst = burst
    self.perSecond = perSecond
  }

  /// What of a rate has been used.
  package struct Use {
    /// In thousandths.
    private var used: Int64 = 0
    private var at: Int64 = 0

    package init() {}

    /// - Parameter now: milliseconds of any clock.
    /// - Returns: whether it may happen.
    package mutating func add(_ count: Int64 = 1, to rate: Rate, _ now: Int64) -> Bool {
      used = max(0, used - (now - at) * rate.perSecond) + count * 1000
      at = now
      return used <= rate.burst * 1000
    }

    /// How often it may happen now.
    package func left(of rate: Rate, _ now: Int64) -> Int64 {
      let used = max(0, used - (now - at) * rate.perSecond)
      return max(0, rate.burst * 1000 - used) / 1000
    }

    package mutating func giveBack(_ count: Int64) { used = max(0, used - count * 1000) }
  }
}
