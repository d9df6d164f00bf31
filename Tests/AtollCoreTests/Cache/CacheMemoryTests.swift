// SPDX-License-Identifier: Apache-2.0
import Glibc
import TestSupport
import Testing

@testable import AtollCore

@Suite struct `Cache memory` {
  @Test func `use never passes the limit, whatever sizes come`() {
    let cache = CacheFixture(limit: 4 << 20)
    var random = SeededGenerator(state: 1)
    var stored = 0
    for number in 0..<20_000 {
      let length = 1 << Int.random(in: 0...18, using: &random)
      if cache.store("/\(number)", bodyLength: Int.random(in: 0...length, using: &random)) {
        stored += 1
      }
      #expect(cache.budget.used <= cache.budget.limit)
    }
    #expect(stored == 20_000)
    let heap = cache.checkHeap()
    #expect(heap.isSound)
    // What eviction cannot fit is lost to the cache, not to the machine; it should be little.
    #expect(heap.free < cache.budget.limit / 4)
  }

  @Test func `all memory comes back when the store goes`() {
    let budget = MemoryBudget(limit: 1 << 20)
    do {
      let store = CacheStore(budget: budget, seed: HashSeed(1, 2))
      #expect(budget.used > 0)
      withExtendedLifetime(store) {}
    }
    #expect(budget.used == 0)
  }

  @Test func `a full cache of small entries makes room for a large one`() {
    let cache = CacheFixture(limit: 8 << 20)
    for number in 0..<40_000 { cache.store("/\(number)", bodyLength: 100) }
    for number in 0..<4 {
      #expect(cache.store("/large/\(number)", bodyLength: cache.store.objectLimit))
    }
    #expect(cache.checkHeap().isSound)
    #expect(cache.budget.used <= cache.budget.limit)
  }

  @Test func `memory moves between small and large entries and back`() {
    let cache = CacheFixture(limit: 8 << 20)
    for round in 0..<3 {
      for number in 0..<20_000 { cache.store("/\(round)/\(number)", bodyLength: 300) }
      #expect(cache.store.entryCount > 10_000)
      for number in 0..<400 {
        #expect(cache.store("/large/\(round)/\(number)", bodyLength: 100_000 + number * 500))
        #expect(cache.budget.used <= cache.budget.limit)
      }
      let heap = cache.checkHeap()
      #expect(heap.isSound)
      #expect(cache.store.entryBytes + heap.free > 6 << 20)
    }
  }

  @Test func `entries in use stay, count, and refuse others their memory`() throws {
    let cache = CacheFixture(limit: 2 << 20)
    var pinned: [Entry] = []
    var number = 0
    while let entry = cache.make("/\(number)", capacity: 10_000) {
      entry.bodyLength = 10_000
      entry.mutableBody.update(repeating: UInt8(number & 255), count: 10_000)
      #expect(cache.store.insert(entry) == .inserted)
      pinned.append(entry)
      number += 1
      #expect(cache.budget.used <= cache.budget.limit)
    }
    #expect(number > 100)
    #expect(cache.make("/more", capacity: 10_000) == nil)
    for (number, entry) in pinned.enumerated() {
      #expect(entry.body[0] == UInt8(number & 255) && entry.body[9_999] == UInt8(number & 255))
      entry.release()
    }
    #expect(cache.store("/more", bodyLength: 10_000))
    #expect(cache.checkHeap().isSound)
  }

  @Test func `connections take memory from the cache and give it back`() {
    let cache = CacheFixture(limit: 8 << 20)
    for number in 0..<10_000 { cache.store("/\(number)", bodyLength: 3000) }
    let before = cache.store.entryBytes
    for _ in 0..<400 {
      cache.budget.charge(10_000)
      #expect(cache.budget.used <= cache.budget.limit)
    }
    #expect(cache.store.entryBytes < before - 3_000_000)
    #expect(cache.checkHeap().isSound)
    for number in 0..<10_000 {
      cache.store("/again/\(number)", bodyLength: 3000)
      #expect(cache.budget.used <= cache.budget.limit)
    }
    for _ in 0..<400 { cache.budget.release(10_000) }
    for number in 0..<10_000 { cache.store("/\(number)", bodyLength: 3000) }
    #expect(cache.store.entryBytes > before - 300_000)
    #expect(cache.budget.used <= cache.budget.limit)
    #expect(cache.checkHeap().isSound)
  }

  @Test func `a reservation fails when the cache has nothing more to give`() {
    let cache = CacheFixture(limit: 4 << 20)
    for number in 0..<10_000 { cache.store("/\(number)", bodyLength: 1000) }
    #expect(cache.budget.tryReserve(3 << 20))
    #expect(!cache.budget.tryReserve(2 << 20))
    #expect(cache.budget.used <= cache.budget.limit)
    cache.budget.release(3 << 20)
    #expect(cache.store("/again", bodyLength: 1000))
  }

  @Test func `a small entry costs little more than its bytes`() {
    let cache = CacheFixture(limit: 16 << 20)
    let before = cache.budget.used
    for number in 0..<5000 { cache.store("/page/\(number)", bodyLength: 1024) }
    let perEntry = (cache.budget.used - before) / 5000
    #expect(perEntry < 1024 + 60 + 140)
  }

  @Test(.timeLimit(.minutes(20)))
  func `resident memory stays under the limit with millions of inserts`() {
    let limit = 32 << 20
    let cache = CacheFixture(limit: limit)
    let rounds = 1_000_000
    var most = 0
    var state: UInt64 = 1
    let key = UnsafeMutablePointer<UInt8>.allocate(capacity: 32)
    defer { key.deallocate() }
    key.update(repeating: 7, count: 32)
    let empty = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    for round in 0..<rounds {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      // One in 64 is large, up to some hundred kilobytes.
      let isLarge = state >> 40 & 63 == 0
      let length = Int(state >> 54) << (isLarge ? Int(state >> 33 & 7) : 0)
      UnsafeMutableRawPointer(key).storeBytes(of: state, as: UInt64.self)
      let entry = cache.store.makeEntry(
        hash: KeyHash(high: state, low: state >> 20),
        key: UnsafeBufferPointer(start: key, count: 32),
        vary: empty, tags: empty, head: empty, bodyCapacity: length, slot: 0, purgeNumber: 0)
      guard let entry else { continue }
      memset(entry.mutableBody, 1, length)
      entry.bodyLength = length
      _ = cache.store.insert(entry)
      if round % 50_000 == 0 {
        most = max(most, cache.residentBytes)
      }
      entry.release()
    }
    // The entries fill most of the limit, and never more than it.
    #expect(most > limit / 2)
    #expect(most <= limit)
    #expect(cache.budget.used <= limit)
    #expect(cache.checkHeap().isSound)
  }
}
