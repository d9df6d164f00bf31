// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Glibc

/// Something that happens once, or a number of times, in one thread of a test and is awaited in others.
final class Event: @unchecked Sendable {
  private let monitor = Monitor()
  private var happened = 0

  var count: Int { monitor.withLock { happened } }

  func fire() {
    monitor.withLock { happened += 1 }
    monitor.broadcast()
  }

  /// Whether it had happened `times` times before the time was over.
  @discardableResult
  func wait(times: Int = 1, within seconds: Double = 10) -> Bool {
    let end = Clock.now() + seconds
    return monitor.withLock {
      while happened < times {
        let left = end - Clock.now()
        if left <= 0 { return false }
        monitor.wait(milliseconds: Int(left * 1000) + 1)
      }
      return true
    }
  }
}

/// A value that several threads of a test share.
final class Shared<Value>: @unchecked Sendable {
  private let monitor = Monitor()
  private var stored: Value

  init(_ value: Value) { stored = value }

  var value: Value { withLock { $0 } }

  func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
    monitor.lock()
    defer { monitor.unlock() }
    return try body(&stored)
  }
}

enum Clock {
  /// Seconds on the monotonic clock.
  static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}

/// A thread of a test; `join` awaits its end.
struct TestThread: Sendable {
  private let ended = Event()

  init(_ body: @escaping @Sendable () -> Void) {
    Thread.startDetached("test") { [ended] in
      body()
      ended.fire()
    }
  }

  @discardableResult
  func join(within seconds: Double = 20) -> Bool { ended.wait(within: seconds) }
}

/// Waits for other threads; the bound is only met by a failing test.
func eventually(seconds: Int = 10, until condition: () -> Bool) -> Bool {
  for _ in 0..<seconds * 500 {
    if condition() { return true }
    usleep(2000)
  }
  return condition()
}
