// SPDX-License-Identifier: Apache-2.0
import Glibc

@testable import AtollCore

/// A store with its budget, and shorthands for what fills and viewers do to it.
struct CacheFixture: @unchecked Sendable {
  let budget: MemoryBudget
  let store: CacheStore
  let seed = HashSeed(1, 2)

  init(limit: Int = 8 << 20) {
    budget = MemoryBudget(limit: limit)
    store = CacheStore(budget: budget, seed: seed)
  }

  /// A key in the layout of `appendCacheKey`, with a URL alone.
  static func key(_ url: String, slot: Int = 0) -> [UInt8] {
    let url = Array(url.utf8)
    var key: [UInt8] = [UInt8(slot & 255), UInt8(slot >> 8), 0, 0, 0, 0]
    key += [UInt8(url.count & 255), UInt8(url.count >> 8)]
    return key + url
  }

  static func tags(_ tags: [String]) -> [UInt8] {
    tags.flatMap { tag in [UInt8(tag.utf8.count & 255), UInt8(tag.utf8.count >> 8)] + tag.utf8 }
  }

  func make(
    _ url: String, vary: String = "", tags: [String] = [], head: String = "HTTP/1.1 200 OK\r\n",
    capacity: Int = 0, slot: Int = 0, purgeNumber: UInt64 = 0
  ) -> Entry? {
    let key = Self.key(url, slot: slot)
    return key.withUnsafeBufferPointer { key in
      Array(vary.utf8).withUnsafeBufferPointer { vary in
        Self.tags(tags).withUnsafeBufferPointer { tags in
          Array(head.utf8).withUnsafeBufferPointer { head in
            store.makeEntry(
              hash: keyHash(key, seed: seed), key: key, vary: vary, tags: tags, head: head,
              bodyCapacity: capacity, slot: slot, purgeNumber: purgeNumber)
          }
        }
      }
    }
  }

  /// Stores a body and keeps no reference; nil when no memory could be had.
  @discardableResult
  func store(
    _ url: String, body: String = "body", vary: String = "", tags: [String] = [], slot: Int = 0,
    purgeNumber: UInt64 = 0
  ) -> CacheStore.InsertResult? {
    guard
      let entry = make(
        url, vary: vary, tags: tags, capacity: body.utf8.count, slot: slot,
        purgeNumber: purgeNumber)
    else { return nil }
    entry.append(body)
    entry.freshness = Freshness(responseTime: 0, lifetime: 60)
    let result = store.insert(entry)
    entry.release()
    return result
  }

  /// Stores a body of so many bytes, which are left as they are.
  @discardableResult
  func store(_ url: String, bodyLength: Int, purgeNumber: UInt64 = 0) -> Bool {
    guard let entry = make(url, capacity: bodyLength, purgeNumber: purgeNumber) else {
      return false
    }
    entry.bodyLength = bodyLength
    let result = store.insert(entry)
    entry.release()
    return result == .inserted
  }

  func lookup(
    _ url: String, vary: String = "", slot: Int = 0
  ) -> CacheStore.LookupResult {
    let key = Self.key(url, slot: slot)
    let wanted = Array(vary.utf8)
    return key.withUnsafeBufferPointer { key in
      store.lookup(hash: keyHash(key, seed: seed), key: key) { $0.elementsEqual(wanted) }
    }
  }

  /// The body found, if any.
  func body(_ url: String, vary: String = "", slot: Int = 0) -> String? {
    guard let entry = lookup(url, vary: vary, slot: slot).entry else { return nil }
    defer { entry.release() }
    return entry.text
  }

  func purge(
    _ selector: PurgeSelector, number: UInt64, soft: Bool = false, slot: Int = 0
  ) -> Int {
    let record = PurgeRecord(
      number: number, distribution: "shop", id: "d0", at: 0, soft: soft, selector: selector)
    return store.purge(PurgeMatcher(record, slot: slot), number: number, soft: soft)
  }

  /// Of the memory of entries alone, which the kernel may have joined with a neighbour's.
  var residentBytes: Int {
    let addresses = store.addresses
    let count = store.state.pointee.memory.byteCount
    let page = Int(getpagesize())
    var pages = [UInt8](repeating: 0, count: (count + page - 1) / page)
    guard mincore(addresses.base, count, &pages) == 0 else { return 0 }
    return pages.reduce(0) { $0 + Int($1 & 1) } * page
  }

  /// Walks over the blocks of both heaps: whether their sizes and states agree, how many bytes are
  /// free (holes aside), and how many blocks are in use.
  func checkHeap() -> (isSound: Bool, free: Int, used: Int) {
    let memory = (store.state.pointee.memory.small, store.state.pointee.memory.large)
    let shift = Int(store.state.pointee.memory.addresses.shift)
    var free = 0
    var used = 0
    for heap in [memory.0, memory.1] {
      var at = heap.pointee.first
      var isPreviousFree = false
      var isPreviousHole = false
      while at < heap.pointee.top {
        let word = heap.pointee.word(at)
        let size = heap.pointee.size(at)
        let isFree = heap.pointee.isFree(at)
        let isHole = heap.pointee.isHole(at)
        if size == 0 || (word & 2 != 0) != isPreviousFree { return (false, free, used) }
        // Neighbors of one kind must have merged.
        if isFree && isPreviousFree && isHole == isPreviousHole { return (false, free, used) }
        if isFree && !isHole { free += Int(size) << shift }
        if !isFree { used += 1 }
        isPreviousFree = isFree
        isPreviousHole = isHole
        at += size
      }
      if at != heap.pointee.top { return (false, free, used) }
    }
    return (true, free, used)
  }
}

extension Entry {
  func append(_ text: String) {
    let bytes = Array(text.utf8)
    let length = bodyLength
    memcpy(mutableBody + length, bytes, bytes.count)
    bodyLength = length + bytes.count
  }

  var text: String {
    String(decoding: UnsafeBufferPointer(start: body, count: bodyLength), as: UTF8.self)
  }
}
