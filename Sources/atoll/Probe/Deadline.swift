// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Readings of a clock that nobody sets.
enum Monotonic {
  /// Nanoseconds.
  static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  static func seconds(from start: UInt64, to end: UInt64) -> Double {
    end > start ? Double(end - start) / 1e9 : 0
  }
}

/// A moment by which something must have happened.
struct Deadline {
  let moment: UInt64

  init(seconds: Double, from start: UInt64 = Monotonic.now()) {
    // A day at most, so that no sum overflows.
    moment = start + UInt64(min(max(seconds, 0), 86_400) * 1e9)
  }

  /// Milliseconds left for `poll`, rounded up so that a wait never spins; 0 when it has passed.
  var millisecondsLeft: Int32 {
    let now = Monotonic.now()
    return now >= moment ? 0 : Int32((moment - now + 999_999) / 1_000_000)
  }

  func earlier(_ other: Deadline) -> Deadline { moment <= other.moment ? self : other }
}
