// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import AtollCore

@Suite struct `Cache under several threads` {
  @Test func `lookups, inserts, evictions and purges at once keep every body whole`() {
    let cache = CacheFixture(limit: 4 << 20)
    let shared = Shared()
    runThreads(4) { thread in
      var random = SeededGenerator(state: UInt64(thread))
      var held: [Entry] = []
      for round in 0..<6_000 {
        let object = Int.random(in: 0..<Int.random(in: 1...3000, using: &random), using: &random)
        let url = "/\(object % 7)/\(object)"
        let size = 50 + object * 13 % 9000
        let now = shared.purgeNumber.load(ordering: .acquiring)
        if let entry = cache.lookup(url).entry {
          if !Self.isWhole(entry, object: object, size: size) { shared.addWrong() }
          held.append(entry)
        } else if let entry = cache.make(url, capacity: 64, purgeNumber: now) {
          var entry = entry
          var length = 0
          while length < size {
            if entry.bodyCapacity < size {
              guard let grown = cache.store.grow(entry, bodyCapacity: entry.bodyCapacity * 2)
              else { break }
              entry.release()
              entry = grown
            }
            let end = min(size, entry.bodyCapacity)
            memset(entry.mutableBody + length, Int32(object & 255), end - length)
            length = end
            entry.bodyLength = end
          }
          if length == size { _ = cache.store.insert(entry) }
          entry.release()
        }
        if held.count > 20 {
          held.swapAt(0, held.count - 1)
          held.removeLast().release()
        }
        switch Int.random(in: 0..<3000, using: &random) {
        case 0:
          let number = shared.purgeNumber.wrappingAdd(1, ordering: .relaxed).newValue
          _ = cache.purge(.prefix("/\(round % 7)/"), number: number)
        case 1:
          let number = shared.purgeNumber.wrappingAdd(1, ordering: .relaxed).newValue
          _ = cache.store.purgeAll(slot: 0, number: number, soft: round % 2 == 0)
        case 2:
          cache.store.maintain()
          cache.store.retirePurges(before: 0)
        case 3...20:
          cache.budget.charge(50_000)
          cache.budget.release(50_000)
        case 21...40:
          if let entry = cache.lookup(url).entry {
            cache.store.remove(entry)
            entry.release()
          }
        default: break
        }
      }
      for entry in held { entry.release() }
    }
    #expect(shared.wrongCount == 0)
    #expect(cache.checkHeap().isSound)
    #expect(cache.budget.used <= cache.budget.limit)
    let last = shared.purgeNumber.load(ordering: .relaxed) + 1
    _ = cache.store.purgeAll(slot: 0, number: last, soft: false)
    for _ in 0..<100 { cache.store.maintain() }
    #expect(cache.store.entryCount == 0)
    #expect(cache.store.entryBytes == 0)
    // Nothing leaked.
    #expect(cache.checkHeap().used == 0)
  }

  @Test func `after a purge has returned, no thread finds what it named`() {
    let cache = CacheFixture(limit: 4 << 20)
    let shared = Shared()
    runThreads(4) { thread in
      for round in 0..<400 {
        if thread == 0 {
          let number = shared.purgeNumber.load(ordering: .relaxed) + 1
          if round % 2 == 0 {
            _ = cache.purge(.prefix("/"), number: number)
          } else {
            _ = cache.store.purgeAll(slot: 0, number: number, soft: false)
          }
          // Whoever sees this number starts after the purge returned.
          shared.purgeNumber.store(number, ordering: .releasing)
          continue
        }
        for object in 0..<50 {
          let now = shared.purgeNumber.load(ordering: .acquiring)
          if let entry = cache.lookup("/\(object)").entry {
            if entry.purgeNumber < now { shared.addWrong() }
            entry.release()
          } else {
            cache.store("/\(object)", body: "x", purgeNumber: now)
          }
        }
      }
    }
    #expect(shared.wrongCount == 0)
  }

  private static func isWhole(_ entry: Entry, object: Int, size: Int) -> Bool {
    guard entry.bodyLength == size else { return false }
    let expected = UInt8(truncatingIfNeeded: object)
    return entry.body[0] == expected && entry.body[size / 2] == expected
      && entry.body[size - 1] == expected
  }
}

/// What the threads of a test tell each other.
private final class Shared: Sendable {
  let purgeNumber = Atomic<UInt64>(0)
  private let wrong = Atomic<Int>(0)

  var wrongCount: Int { wrong.load(ordering: .relaxed) }

  func addWrong() { wrong.wrappingAdd(1, ordering: .relaxed) }
}
