// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// A few threads for what would block a loop: name lookups, above all.
///
/// Work runs in the order of submission, on whichever thread is free. Answers go back to a loop as
/// messages; the pool knows nothing of loops.
package final class WorkerPool: Sendable {
  private let queue = Queue()

  package init(threads: Int) {
    precondition(threads > 0)
    // Threads hold the queue, not the pool: a pool that nobody uses any more ends them.
    for _ in 0..<threads {
      Thread.startDetached("atoll-worker") { [queue] in
        while let work = queue.next() { work() }
      }
    }
  }

  deinit { queue.close() }

  /// From any thread; never blocks.
  package func submit(_ work: @escaping @Sendable () -> Void) { queue.append(work) }

  private final class Queue: @unchecked Sendable {
    private let monitor = Monitor()
    private var waiting: [@Sendable () -> Void] = []
    /// Index of the oldest in `waiting`; what lies before it has been taken.
    private var first = 0
    private var isClosed = false

    func append(_ work: @escaping @Sendable () -> Void) {
      monitor.lock()
      waiting.append(work)
      monitor.unlock()
      monitor.signal()
    }

    /// Waits for work; nil once the queue is closed and empty.
    func next() -> (@Sendable () -> Void)? {
      monitor.lock()
      defer { monitor.unlock() }
      while first == waiting.count {
        if isClosed { return nil }
        monitor.wait()
      }
      let work = waiting[first]
      waiting[first] = {}  // what the closure holds must not live until the array moves
      first += 1
      if first == waiting.count {
        waiting.removeAll(keepingCapacity: true)
        first = 0
      } else if first > 256 && first * 2 > waiting.count {
        waiting.removeFirst(first)
        first = 0
      }
      return work
    }

    func close() {
      monitor.lock()
      isClosed = true
      monitor.unlock()
      monitor.broadcast()
    }
  }
}
