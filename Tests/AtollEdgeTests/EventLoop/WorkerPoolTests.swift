// SPDX-License-Identifier: Apache-2.0
import AtollEdge
import Glibc
import Synchronization
import Testing

struct WorkerPoolTests {
  private func waitUntil(_ condition: () -> Bool) -> Bool {
    for _ in 0..<5000 {
      if condition() { return true }
      usleep(1000)
    }
    return false
  }

  @Test func `one thread runs work in the order of submission`() {
    let pool = WorkerPool(threads: 1)
    let seen = Mutex<[Int]>([])
    let box = Box(seen)
    for number in 0..<2000 { pool.submit { box.value.withLock { $0.append(number) } } }
    #expect(waitUntil { box.value.withLock { $0.count } == 2000 })
    #expect(box.value.withLock { $0 } == Array(0..<2000))
  }

  @Test func `work that blocks holds up one thread only`() {
    let pool = WorkerPool(threads: 2)
    let gate = Monitor()
    let box = Box(Mutex((opened: false, done: 0)))
    pool.submit {
      gate.withLock { while !box.value.withLock({ $0.opened }) { gate.wait() } }
      box.value.withLock { $0.done += 1 }
    }
    for _ in 0..<100 { pool.submit { box.value.withLock { $0.done += 1 } } }
    #expect(waitUntil { box.value.withLock { $0.done } == 100 })
    gate.withLock { box.value.withLock { $0.opened = true } }
    gate.broadcast()
    #expect(waitUntil { box.value.withLock { $0.done } == 101 })
  }

  @Test func `a pool that nobody holds finishes its work`() {
    let box = Box(Mutex(0))
    var pool: WorkerPool? = WorkerPool(threads: 2)
    for _ in 0..<500 { pool!.submit { box.value.withLock { $0 += 1 } } }
    pool = nil
    #expect(waitUntil { box.value.withLock { $0 } == 500 })
  }

  @Test func `workers take no signals`() {
    let pool = WorkerPool(threads: 1)
    let box = Box(Mutex<Bool?>(nil))
    pool.submit {
      var mask = sigset_t()
      pthread_sigmask(SIG_BLOCK, nil, &mask)
      let blocked = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGHUP) == 1
      box.value.withLock { $0 = blocked }
    }
    #expect(waitUntil { box.value.withLock { $0 } != nil })
    #expect(box.value.withLock { $0 } == true)
  }
}

/// Shares a mutex between a test and its closures.
private final class Box<Value>: Sendable {
  let value: Mutex<Value>
  init(_ value: consuming sending Mutex<Value>) { self.value = value }
}
