// SPDX-License-Identifier: Apache-2.0

/// A moment by which something must have happened.
struct Deadline {
  let moment: ContinuousClock.Instant

  init(seconds: Double, from start: ContinuousClock.Instant = .now) {
    // A day at most, so that no sum overflows.
    moment = start + .seconds(min(max(seconds, 0), 86_400))
  }

  /// Milliseconds left for `poll`, rounded up so that a wait never spins; 0 when it has passed.
  var millisecondsLeft: Int32 {
    let left = ContinuousClock.now.duration(to: moment) / .milliseconds(1)
    return left <= 0 ? 0 : Int32(left.rounded(.up))
  }

  func earlier(_ other: Deadline) -> Deadline { moment <= other.moment ? self : other }
}
