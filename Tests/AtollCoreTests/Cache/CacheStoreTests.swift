// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

@Suite struct `Cache store` {
  let cache = CacheFixture()

  @Test func `a stored response is found with all its parts`() throws {
    let entry = try #require(
      cache.make("/a", vary: "gzip", tags: ["x"], head: "HTTP/1.1 200 OK\r\n", capacity: 5))
    entry.append("hello")
    entry.status = 203
    entry.freshness = Freshness(responseTime: 7, initialAge: 1, lifetime: 60, flags: .noCache)
    var meta = StoredMeta()
    meta.etagOffset = 20
    meta.etagLength = 3
    meta.isWeak = true
    meta.fieldsStart = 17
    meta.lastModifiedOffset = 40
    meta.lastModifiedLength = 29
    meta.date = 98
    meta.lastModified = 99
    entry.meta = meta
    #expect(cache.store.insert(entry) == .inserted)
    entry.release()
    let found = try #require(cache.lookup("/a", vary: "gzip").entry)
    #expect(found.key.elementsEqual(CacheFixture.key("/a")))
    #expect(found.vary.elementsEqual("gzip".utf8))
    #expect(found.tags.elementsEqual(CacheFixture.tags(["x"])))
    #expect(found.head.elementsEqual("HTTP/1.1 200 OK\r\n".utf8))
    #expect(found.text == "hello")
    #expect(found.status == 203)
    #expect(found.freshness.lifetime == 60 && found.freshness.flags == .noCache)
    #expect(found.meta == meta)
    found.release()
  }

  @Test func `another key, slot or nothing at all is not found`() {
    cache.store("/a")
    #expect(cache.body("/b") == nil)
    #expect(cache.body("/a", slot: 1) == nil)
    #expect(cache.lookup("").entry == nil)
    #expect(!cache.lookup("/b").sawOtherVariant)
  }

  @Test func `keys with the same hash are told apart`() throws {
    let hash = KeyHash(high: 1, low: 1)
    let empty = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    for url in ["/one", "/two"] {
      CacheFixture.key(url).withUnsafeBufferPointer { key in
        let entry = cache.store.makeEntry(
          hash: hash, key: key, vary: empty, tags: empty, head: empty, bodyCapacity: 4, slot: 0,
          purgeNumber: 0)!
        entry.append(url)
        #expect(cache.store.insert(entry) == .inserted)
        entry.release()
      }
    }
    for url in ["/one", "/two"] {
      CacheFixture.key(url).withUnsafeBufferPointer { key in
        let found = cache.store.lookup(hash: hash, key: key) { _ in true }.entry
        #expect(found?.text == url)
        found?.release()
      }
    }
  }

  @Test func `an entry being filled is not found before it is inserted`() throws {
    let entry = try #require(cache.make("/a", capacity: 4))
    entry.append("body")
    #expect(cache.body("/a") == nil)
    #expect(cache.store.insert(entry) == .inserted)
    #expect(cache.body("/a") == "body")
    entry.release()
    #expect(cache.body("/a") == "body")
  }

  @Test func `an entry with the same vary section is replaced`() {
    cache.store("/a", body: "old")
    cache.store("/a", body: "new")
    #expect(cache.body("/a") == "new")
    #expect(cache.store.entryCount == 1)
    cache.store("/a", body: "zipped", vary: "gzip")
    cache.store("/a", body: "zipped again", vary: "gzip")
    #expect(cache.store.entryCount == 2)
    #expect(cache.body("/a", vary: "gzip") == "zipped again")
    #expect(cache.body("/a", vary: "br") == "new")
  }

  @Test func `a reader keeps what was replaced`() throws {
    cache.store("/a", body: "old")
    let reading = try #require(cache.lookup("/a").entry)
    cache.store("/a", body: "new")
    #expect(reading.text == "old")
    reading.release()
    #expect(cache.body("/a") == "new")
    #expect(cache.checkHeap().isSound)
  }

  @Test func `variants are chosen by their vary section, the newest first`() {
    cache.store("/a", body: "1", vary: "gzip")
    cache.store("/a", body: "2", vary: "br")
    #expect(cache.body("/a", vary: "gzip") == "1")
    #expect(cache.body("/a", vary: "br") == "2")
    let other = cache.lookup("/a", vary: "zstd")
    #expect(other.entry == nil && other.sawOtherVariant)
    CacheFixture.key("/a").withUnsafeBufferPointer { key in
      let any = cache.store.lookup(hash: keyHash(key, seed: cache.seed), key: key) { _ in true }
      #expect(any.entry?.text == "2")
      any.entry?.release()
    }
  }

  @Test func `a response without Vary hides none that has it (RFC 9111 §4.1)`() throws {
    cache.store("/a", body: "1", vary: "gzip")
    cache.store("/a", body: "2", vary: "br")
    cache.store("/a", body: "for all")
    let key = CacheFixture.key("/a")
    func found(_ vary: String) -> String? {
      key.withUnsafeBufferPointer { key in
        let hash = keyHash(key, seed: cache.seed)
        let entry = cache.store.lookup(hash: hash, key: key) {
          $0.isEmpty || $0.elementsEqual(vary.utf8)
        }.entry
        defer { entry?.release() }
        return entry?.text
      }
    }
    #expect(found("gzip") == "1")
    #expect(found("br") == "2")
    #expect(found("zstd") == "for all")
    // In its place, not before the others.
    cache.store("/a", body: "renewed")
    #expect(found("gzip") == "1")
    #expect(found("zstd") == "renewed")
    // A new variant stands before it.
    cache.store("/a", body: "3", vary: "zstd")
    #expect(found("zstd") == "3")
    #expect(cache.store.entryCount == 4)
  }

  @Test func `a response without Vary takes the place of what fitted its request`() throws {
    cache.store("/a", vary: "gzip")
    cache.store("/a", body: "kept", vary: "br")
    let entry = try #require(cache.make("/a", capacity: 3))
    entry.append("new")
    let result = cache.store.insert(entry, varyMatches: { $0.elementsEqual("gzip".utf8) })
    #expect(result == .inserted)
    entry.release()
    #expect(cache.store.entryCount == 2)
    #expect(cache.body("/a", vary: "br") == "kept")
  }

  @Test func `an older variant that fits the same request goes`() throws {
    cache.store("/a", body: "old", vary: "gzip")
    let entry = try #require(cache.make("/a", vary: "gzip,en", capacity: 3))
    entry.append("new")
    #expect(cache.store.insert(entry, varyMatches: { _ in true }) == .inserted)
    entry.release()
    #expect(cache.store.entryCount == 1)
  }

  @Test func `variants of one key are limited, replacing one is not`() {
    for number in 0..<Limits.variantsPerKey {
      #expect(cache.store("/a", vary: "v\(number)") == .inserted)
    }
    for number in 0..<Limits.variantsPerKey where number != 3 {
      #expect(cache.body("/a", vary: "v\(number)") != nil)
    }
    // The one that nobody has asked for again goes.
    #expect(hasRoomForVariant(freshAt: 0))
    #expect(cache.store("/a", vary: "one more") == .inserted)
    #expect(cache.body("/a", vary: "v3") == nil)
    #expect(cache.body("/a", vary: "one more") != nil)
    // Now all are in use.
    #expect(!hasRoomForVariant(freshAt: 0))
    #expect(cache.store("/a", vary: "too many") == .variantLimit)
    #expect(cache.store("/a", body: "again", vary: "v7") == .inserted)
    #expect(cache.body("/a", vary: "v7") == "again")
    #expect(cache.store.entryCount == Limits.variantsPerKey)
    #expect(cache.store("/b", vary: "one more") == .inserted)
    // Until they are stale: these were never fresh at a later time.
    #expect(hasRoomForVariant(freshAt: 100))
  }

  /// Whether a variant of "/a" that comes at that time finds room.
  private func hasRoomForVariant(freshAt time: Int64) -> Bool {
    CacheFixture.key("/a").withUnsafeBufferPointer { key in
      cache.store.hasRoomForVariant(
        of: keyHash(key, seed: cache.seed), key, Freshness(responseTime: time, lifetime: 1)
      ) { _ in false }
    }
  }

  @Test func `a removed entry is gone, and removing it again does nothing`() throws {
    cache.store("/a")
    let entry = try #require(cache.lookup("/a").entry)
    cache.store.remove(entry)
    cache.store.remove(entry)
    #expect(cache.body("/a") == nil)
    #expect(entry.text == "body")
    entry.release()
    #expect(cache.store.entryCount == 0 && cache.store.entryBytes == 0)
  }

  @Test func `entries are counted by distribution`() {
    cache.store("/a", slot: 1)
    cache.store("/b", slot: 1)
    cache.store("/a", slot: 300)
    #expect(cache.store.count(slot: 1) == 2)
    #expect(cache.store.count(slot: 300) == 1)
    #expect(cache.store.count(slot: 2) == 0)
    #expect(cache.store.entryCount == 3)
  }

  @Test func `sections longer than a head may be are refused`() {
    #expect(cache.make("/a", vary: String(repeating: "v", count: 65_536)) == nil)
    #expect(cache.make("/a", vary: String(repeating: "v", count: 65_535)) != nil)
  }

  @Test func `a header takes what its fields take`() {
    #expect(EntryHeader.byteCount == 136)
    #expect(MemoryLayout<EntryHeader>.alignment <= 16)
  }

  @Test func `a body of unknown length grows and keeps its bytes`() throws {
    var expected = ""
    var entry = try #require(cache.make("/a", capacity: 16))
    var blocker: [Entry] = []
    for round in 0..<2000 {
      let chunk = "chunk \(round) "
      if entry.bodyLength + chunk.utf8.count > entry.bodyCapacity {
        // Every other time something stands behind it, so that it has to move.
        if round % 2 == 0 { blocker.append(try #require(cache.make("/blocker", capacity: 10))) }
        let grown = try #require(cache.store.grow(entry, bodyCapacity: entry.bodyCapacity * 2))
        entry.release()
        entry = grown
      }
      entry.append(chunk)
      expected += chunk
    }
    let filled = entry.allocatedBytes
    #expect(cache.store.insert(entry) == .inserted)
    #expect(entry.allocatedBytes <= filled)
    #expect(entry.bodyCapacity - entry.bodyLength < 64)
    entry.release()
    #expect(cache.body("/a") == expected)
    for entry in blocker { entry.release() }
    #expect(cache.checkHeap().isSound)
  }

  @Test func `a body beyond the object limit is refused`() throws {
    #expect(cache.store.objectLimit == cache.budget.limit / Limits.objectShare)
    #expect(cache.make("/a", capacity: cache.store.objectLimit + 1) == nil)
    let entry = try #require(cache.make("/a", capacity: 10))
    #expect(cache.store.grow(entry, bodyCapacity: cache.store.objectLimit + 1) == nil)
    entry.release()
    #expect(cache.make("/a", capacity: cache.store.objectLimit) != nil)
  }

  @Test(arguments: [100, 200_000]) func `a 304 gives the same body a new head`(
    length: Int
  ) throws {
    let body = String(repeating: "b", count: length)
    cache.store("/a", body: body, tags: ["t"])
    let before = cache.budget.used
    for round in 1...5 {
      let old = try #require(cache.lookup("/a").entry)
      let updated = try #require(
        Array("head \(round)".utf8).withUnsafeBufferPointer {
          cache.store.makeUpdated(
            old, head: $0, freshness: Freshness(responseTime: Int64(round), lifetime: 9),
            meta: old.meta, purgeNumber: 0)
        })
      #expect(updated.text == body)
      #expect(cache.store.insert(updated) == .inserted)
      updated.release()
      #expect(old.text == body)
      old.release()
    }
    let found = try #require(cache.lookup("/a").entry)
    #expect(found.text == body)
    #expect(found.head.elementsEqual("head 5".utf8))
    #expect(found.tags.elementsEqual(CacheFixture.tags(["t"])))
    #expect(found.freshness.responseTime == 5)
    cache.store.remove(found)
    #expect(found.text == body)
    found.release()
    let heap = cache.checkHeap()
    #expect(heap.isSound && heap.used == 0)
    #expect(cache.budget.used - before < 2 * length + 300_000)
  }
}
