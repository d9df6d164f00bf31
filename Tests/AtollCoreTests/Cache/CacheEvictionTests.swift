// SPDX-License-Identifier: Apache-2.0
import Glibc
import Testing

@testable import AtollCore

@Suite struct `Cache eviction` {
  @Test func `what is asked for again survives a scan`() {
    let cache = CacheFixture(limit: 4 << 20)
    for number in 0..<500 { cache.store("/hot/\(number)", bodyLength: 2000) }
    for _ in 0..<2 {
      for number in 0..<500 { cache.lookup("/hot/\(number)").entry?.release() }
    }
    for number in 0..<20_000 { cache.store("/scan/\(number)", bodyLength: 2000) }
    let kept = (0..<500).count { cache.body("/hot/\($0)") != nil }
    #expect(kept > 450)
  }

  @Test func `what was evicted and comes back enters the main queue`() throws {
    let cache = CacheFixture(limit: 4 << 20)
    cache.store("/back", bodyLength: 2000)
    for number in 0..<2500 { cache.store("/\(number)", bodyLength: 2000) }
    #expect(!cache.lookupIsHit("/back"))
    for url in ["/back", "/new"] {
      cache.store(url, bodyLength: 2000)
      let entry = try #require(cache.lookup(url).entry)
      #expect(entry.marks.contains(.main) == (url == "/back"))
      entry.release()
    }
  }

  @Test func `a large body nobody asked for again leaves small ones alone`() {
    let cache = CacheFixture(limit: 8 << 20)
    for number in 0..<800 { cache.store("/small/\(number)", bodyLength: 4000) }
    for _ in 0..<2 {
      for number in 0..<800 { cache.lookup("/small/\(number)").entry?.release() }
    }
    for number in 0..<200 { cache.store("/large/\(number)", bodyLength: 500_000) }
    let kept = (0..<800).count { cache.lookupIsHit("/small/\($0)") }
    #expect(kept > 600)
  }

  @Test func `an update keeps an entry's place`() {
    let cache = CacheFixture(limit: 4 << 20)
    for number in 0..<300 { cache.store("/hot/\(number)", bodyLength: 2000) }
    for number in 0..<300 { cache.lookup("/hot/\(number)").entry?.release() }
    for number in 0..<10_000 { cache.store("/scan/\(number)", bodyLength: 2000) }
    for number in 0..<300 { cache.store("/hot/\(number)", bodyLength: 2000) }
    for number in 0..<10_000 { cache.store("/scan2/\(number)", bodyLength: 2000) }
    #expect((0..<300).count { cache.lookupIsHit("/hot/\($0)") } > 250)
  }

  /// Requests by Zipf's law over a catalog larger than the cache, and now and then a crawler that
  /// reads URLs nobody else wants.
  @Test(arguments: [0.7, 0.9, 1.1], [true, false])
  func `more requests and bytes are hits than with an LRU of the same size`(
    skew: Double, sizesDiffer: Bool
  ) {
    let cache = CacheFixture(limit: 4 << 20)
    var lru = LRU(capacity: cache.budget.cacheLimit - cache.budget.used)
    var random = SeededGenerator(state: 42)
    let trace = Trace(objects: 20_000, skew: skew, random: &random)
    var hits = (requests: 0, bytes: 0)
    var lruHits = (requests: 0, bytes: 0)
    var crawled = 0
    for request in 0..<70_000 {
      let isCrawler = request % 20_000 < 3000
      if isCrawler { crawled += 1 }
      let object = isCrawler ? 1_000_000 + crawled : trace.next(&random)
      let url = "/object/\(object)"
      let size = sizesDiffer ? trace.size(object) : 2000
      let isHit = cache.lookupIsHit(url)
      if !isHit { cache.store(url, bodyLength: size) }
      // Header, key and head take their space for both.
      let isLRUHit = lru.request(object, size: size + EntryHeader.byteCount + 40)
      if request < 20_000 || isCrawler { continue }
      if isHit {
        hits.requests += 1
        hits.bytes += size
      }
      if isLRUHit {
        lruHits.requests += 1
        lruHits.bytes += size
      }
    }
    #expect(Double(hits.requests) > Double(lruHits.requests) * 1.06)
    #expect(Double(hits.bytes) > Double(lruHits.bytes) * 1.05)
  }
}

extension CacheFixture {
  func lookupIsHit(_ url: String) -> Bool {
    guard let entry = lookup(url).entry else { return false }
    entry.release()
    return true
  }
}

/// Draws objects by Zipf's law.
private struct Trace {
  private var cumulative: [Double] = []
  private let sizes: [Int]

  init(objects: Int, skew: Double, random: inout SeededGenerator) {
    var sum = 0.0
    for rank in 1...objects {
      sum += 1 / pow(Double(rank), skew)
      cumulative.append(sum)
    }
    sizes = (0..<objects).map { _ in
      100 << Int.random(in: 0...Int.random(in: 1...10, using: &random), using: &random)
    }
  }

  func next(_ random: inout SeededGenerator) -> Int {
    let point = Double.random(in: 0..<cumulative[cumulative.count - 1], using: &random)
    var low = 0
    var high = cumulative.count - 1
    while low < high {
      let middle = (low + high) / 2
      if cumulative[middle] > point { high = middle } else { low = middle + 1 }
    }
    return low
  }

  func size(_ object: Int) -> Int { object < sizes.count ? sizes[object] : 2000 }
}

/// Least recently used, by bytes: doubly linked through arrays.
private struct LRU {
  let capacity: Int
  private var used = 0
  private var clock = 0
  private var entries: [Int: (size: Int, at: Int)] = [:]
  private var order: [(object: Int, at: Int)] = []
  private var oldest = 0

  init(capacity: Int) { self.capacity = capacity }

  mutating func request(_ object: Int, size: Int) -> Bool {
    clock += 1
    order.append((object, clock))
    if let entry = entries[object] {
      entries[object] = (entry.size, clock)
      return true
    }
    entries[object] = (size, clock)
    used += size
    while used > capacity {
      let candidate = order[oldest]
      oldest += 1
      guard let entry = entries[candidate.object], entry.at == candidate.at else { continue }
      entries[candidate.object] = nil
      used -= entry.size
    }
    return false
  }
}
