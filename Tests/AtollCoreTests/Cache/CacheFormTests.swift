// SPDX-License-Identifier: Apache-2.0
import Synchronization
import TestSupport
import Testing

@testable import AtollCore

/// Entries derived from others: found in one lookup, gone with what they were made of.
struct CacheFormTests {
  let cache = CacheFixture()

  /// A Vary section for one header without a value that any request has.
  private static func vary(_ name: String, _ value: String) -> String {
    let bytes: [UInt8] =
      [0, UInt8(name.utf8.count + 1), 0] + Array(name.utf8) + [UInt8(value.utf8.count + 1), 0]
      + Array(value.utf8)
    return String(decoding: bytes, as: UTF8.self)
  }

  private static let english = vary("accept-language", "en")
  private static let german = vary("accept-language", "de")
  private static let mobile = vary("x-device", "mobile")

  /// A source, which the caller releases.
  private func source(
    _ url: String = "/a", _ body: String = "plain", vary: String = "", tags: [String] = [],
    purgeNumber: UInt64 = 0
  ) throws -> Entry {
    let entry = try #require(
      cache.make(url, vary: vary, tags: tags, capacity: body.utf8.count, purgeNumber: purgeNumber))
    entry.append(body)
    return entry
  }

  @discardableResult
  private func add(
    _ coding: ContentCoding, of source: Entry, _ body: String, purgeNumber: UInt64? = nil
  ) throws -> CacheStore.InsertResult {
    let key = ByteBuffer()
    key.append(source.key)
    setKeyKind(coding, in: key)
    let form = try #require(
      cache.store.makeEntry(
        hash: source.hash, key: key.bytes, vary: source.vary, tags: source.tags, head: source.head,
        bodyCapacity: body.utf8.count, slot: source.slot,
        purgeNumber: purgeNumber ?? source.purgeNumber))
    defer { form.release() }
    form.append(body)
    return cache.store.insert(form, madeOf: source)
  }

  /// A source with both forms in the store.
  @discardableResult
  private func fill(
    _ url: String = "/a", vary: String = "", tags: [String] = [], purgeNumber: UInt64 = 0
  ) throws -> Entry {
    let entry = try source(url, vary: vary, tags: tags, purgeNumber: purgeNumber)
    #expect(cache.store.insert(entry) == .inserted)
    #expect(try add(.gzip, of: entry, "gz") == .inserted)
    #expect(try add(.brotli, of: entry, "br") == .inserted)
    return entry
  }

  private func found(
    _ coding: ContentCoding, _ url: String = "/a", vary: String = "", prefersForm: Bool = true
  ) -> String? {
    let wanted = Array(vary.utf8)
    return CacheFixture.key(url).withUnsafeBufferPointer { key in
      let result = cache.store.lookup(
        hash: keyHash(key, seed: cache.seed), key: key, coding: coding, prefersForm: prefersForm
      ) { $0.elementsEqual(wanted) }
      guard let entry = result.entry else { return nil }
      defer { entry.release() }
      return entry.text
    }
  }

  @Test func `a request gets the form that it takes, else the source`() throws {
    let entry = try source()
    #expect(cache.store.insert(entry) == .inserted)
    defer { entry.release() }
    #expect(found(.gzip) == "plain")
    #expect(found(.brotli) == "plain")
    try add(.gzip, of: entry, "gz")
    #expect(found(.gzip) == "gz")
    #expect(found(.brotli) == "plain")
    #expect(found(.identity) == "plain")
    #expect(cache.body("/a") == "plain")
    #expect(found(.gzip, prefersForm: false) == "plain")
    try add(.brotli, of: entry, "br")
    #expect(found(.brotli) == "br")
    #expect(found(.gzip) == "gz")
    #expect(cache.store.entryCount == 3)
    // Another URL is another matter.
    #expect(found(.gzip, "/b") == nil)
  }

  @Test func `a form is found where its source was evicted`() throws {
    let entry = try fill()
    // Only what eviction does to an entry, not what the rest of the edge does.
    cache.store.gate.lock()
    cache.store.state.pointee.unlink(entry)
    cache.store.gate.unlock()
    entry.release()
    #expect(found(.gzip) == "gz")
    #expect(found(.gzip, prefersForm: false) == "gz")
    #expect(found(.identity) == nil)
    // What is stored next is another version.
    let next = try source("/a", "new")
    #expect(cache.store.insert(next) == .inserted)
    next.release()
    #expect(found(.gzip) == "new")
    #expect(cache.store.entryCount == 1)
  }

  @Test func `a successor takes the forms of its predecessor along`() throws {
    let old = try fill()
    let new = try source("/a", "new")
    #expect(cache.store.insert(new) == .inserted)
    #expect(found(.gzip) == "new")
    #expect(found(.brotli) == "new")
    // A compression that was under way meanwhile comes to nothing.
    #expect(try add(.gzip, of: old, "gz") == .purged)
    #expect(found(.gzip) == "new")
    old.release()
    new.release()
  }

  @Test func `who removes or invalidates a source means its forms, too`() throws {
    let first = try fill()
    cache.store.remove(first)
    #expect(cache.store.entryCount == 0)
    #expect(try add(.gzip, of: first, "gz") == .purged)
    first.release()
    let second = try fill()
    #expect(cache.store.invalidate(hash: second.hash, key: second.key) == 1)
    #expect(cache.store.entryCount == 0)
    #expect(try add(.gzip, of: second, "gz") == .purged)
    second.release()
    #expect(cache.store.entryCount == 0)
  }

  @Test(arguments: [PurgeSelector.path("/a"), .prefix("/"), .tag("t"), .all])
  func `purges reach forms`(_ selector: PurgeSelector) throws {
    let entry = try fill(tags: ["t"])
    if selector == .all {
      #expect(cache.store.purgeAll(slot: 0, number: 1, soft: false) == 3)
    } else {
      #expect(cache.purge(selector, number: 1) == 3)
    }
    for coding in ContentCoding.allCases { #expect(found(coding) == nil) }
    // What was being made of it then is not stored after.
    #expect(try add(.gzip, of: entry, "gz") == .purged)
    #expect(found(.gzip) == nil)
    entry.release()
  }

  @Test(arguments: [PurgeSelector.path("/a"), .tag("t"), .all])
  func `soft purges reach forms`(_ selector: PurgeSelector) throws {
    let entry = try fill(tags: ["t"])
    if selector == .all {
      _ = cache.store.purgeAll(slot: 0, number: 1, soft: true)
    } else {
      _ = cache.purge(selector, number: 1, soft: true)
    }
    for coding in ContentCoding.allCases {
      let result = entry.key.withMemoryRebound(to: UInt8.self) { key in
        cache.store.lookup(hash: entry.hash, key: key, coding: coding) { _ in true }
      }
      #expect(try #require(result.entry).isSoftPurged, "\(coding)")
      result.entry?.release()
    }
    // A form made of the purged bytes would be as stale; one that the origin has confirmed since
    // is not.
    let result = try add(.gzip, of: entry, "gz")
    if result == .inserted {
      let form = try #require(cache.store.form(of: entry, .gzip))
      #expect(form.isSoftPurged)
      form.release()
    }
    let old = try #require(cache.store.form(of: entry, .brotli))
    let key = ByteBuffer()
    key.append(old.key)
    let confirmed = try #require(
      cache.store.makeUpdated(
        old, head: old.head, freshness: old.freshness, meta: old.meta, purgeNumber: 1))
    #expect(cache.store.insert(confirmed, madeOf: old) == .inserted)
    let stored = try #require(cache.store.form(of: entry, .brotli))
    #expect(stored == confirmed && !stored.isSoftPurged)
    for entry in [entry, old, confirmed, stored] { entry.release() }
  }

  @Test func `variants have forms of their own`() throws {
    let english = try fill(vary: Self.english)
    let german = try source("/a", "deutsch", vary: Self.german)
    #expect(cache.store.insert(german) == .inserted)
    #expect(found(.gzip, vary: Self.english) == "gz")
    #expect(found(.gzip, vary: Self.german) == "deutsch")
    // A new version of one variant leaves the other alone.
    let newer = try source("/a", "neu", vary: Self.german)
    #expect(cache.store.insert(newer) == .inserted)
    #expect(found(.gzip, vary: Self.english) == "gz")
    cache.store.remove(newer)
    #expect(found(.gzip, vary: Self.german) == nil)
    #expect(found(.brotli, vary: Self.english) == "br")
    for entry in [english, german, newer] { entry.release() }
  }

  /// RFC 9111 §4: of several that fit the newest is used, so a form must not hide it.
  @Test func `a variant over other headers ends the older forms`() throws {
    let old = try fill(vary: Self.english)
    let new = try source("/a", "mobile", vary: Self.mobile)
    #expect(cache.store.insert(new) == .inserted)
    #expect(found(.gzip, vary: Self.english) == "plain")
    #expect(cache.store.entryCount == 2)
    let all = try source("/a", "all")
    try add(.gzip, of: old, "gz")
    #expect(cache.store.insert(all) == .inserted)
    // What has no Vary hides no variant (§4.1): only the form has gone.
    #expect(cache.store.entryCount == 3)
    for entry in [old, new, all] { entry.release() }
  }

  @Test func `a form is looked up by what it was made of`() throws {
    let entry = try fill()
    let form = try #require(cache.store.form(of: entry, .gzip))
    #expect(form.coding == .gzip && form.kind == .gzip && entry.coding == .identity)
    #expect(cache.store.form(of: form, .gzip) == nil)
    form.release()
    cache.store.remove(entry)
    #expect(cache.store.form(of: entry, .gzip) == nil)
    #expect(!cache.store.holds(entry))
    entry.release()
  }

  @Test func `many keys and forms leave no reference behind`() throws {
    for round in 0..<20 {
      for url in 0..<50 { try fill("/\(url)", purgeNumber: UInt64(round)).release() }
      if round % 3 == 0 { _ = cache.purge(.prefix("/1"), number: UInt64(round + 1)) }
      _ = CacheFixture.key("/7").withUnsafeBufferPointer { key in
        cache.store.invalidate(hash: keyHash(key, seed: cache.seed), key: key)
      }
    }
    #expect(cache.store.entryCount > 0)
    _ = cache.store.purgeAll(slot: 0, number: 1_000, soft: false)
    cache.store.maintain()
    #expect(cache.store.entryCount == 0)
    #expect(cache.checkHeap().used == 0)
  }

  /// New versions, compressions of older ones, updates of forms and purges at once: at no moment are
  /// there forms of one version beside a source of another.
  @Test func `forms are of one version with their source, whatever comes together`() {
    let cache = CacheFixture(limit: 4 << 20)
    let shared = Versions()
    runThreads(4) { thread in
      var random = SeededGenerator(state: UInt64(thread))
      var sources: [Entry] = []
      for round in 0..<5_000 {
        let url = "/\(Int.random(in: 0..<40, using: &random))"
        let now = shared.purge.load(ordering: .acquiring)
        switch Int.random(in: 0..<20, using: &random) {
        case 0...5:
          let version = shared.version.wrappingAdd(1, ordering: .relaxed).newValue
          let text = String(version) + String(repeating: "x", count: round % 700)
          guard let entry = cache.make(url, capacity: text.utf8.count, purgeNumber: now) else {
            continue
          }
          entry.append(text)
          _ = cache.store.insert(entry)
          sources.append(entry)
        case 6...16:
          guard let source = sources.randomElement(using: &random) else { continue }
          let coding = ContentCoding.compressed[round % 2]
          if round % 5 == 0, let old = cache.store.form(of: source, coding) {
            if let new = cache.store.makeUpdated(
              old, head: old.head, freshness: old.freshness, meta: old.meta, purgeNumber: now)
            {
              _ = cache.store.insert(new, madeOf: old)
              new.release()
            }
            old.release()
          } else if let form = cache.makeForm(of: source, coding) {
            _ = cache.store.insert(form, madeOf: source)
            form.release()
          }
        case 17:
          let number = shared.purge.wrappingAdd(1, ordering: .relaxed).newValue
          _ = cache.purge(.path(url), number: number, soft: round % 2 == 0)
        case 18:
          if let entry = cache.lookup(url).entry {
            cache.store.remove(entry)
            entry.release()
          }
        default:
          if !cache.hasOneVersion(url) { shared.wrong.wrappingAdd(1, ordering: .relaxed) }
        }
        if sources.count > 60 { sources.removeFirst().release() }
      }
      for entry in sources { entry.release() }
    }
    #expect(shared.wrong.load(ordering: .relaxed) == 0)
    for url in 0..<40 { #expect(cache.hasOneVersion("/\(url)")) }
    _ = cache.store.purgeAll(slot: 0, number: 1 << 40, soft: false)
    cache.store.maintain()
    #expect(cache.checkHeap().used == 0)
  }
}

private final class Versions: Sendable {
  let version = Atomic<Int>(0)
  let purge = Atomic<UInt64>(0)
  let wrong = Atomic<Int>(0)
}

extension CacheFixture {
  /// A form that begins with its source's version.
  fileprivate func makeForm(of source: Entry, _ coding: ContentCoding) -> Entry? {
    let key = ByteBuffer()
    key.append(source.key)
    setKeyKind(coding, in: key)
    let text = String(source.text.prefix { $0 != "x" })
    let form = store.makeEntry(
      hash: source.hash, key: key.bytes, vary: source.vary, tags: source.tags, head: source.head,
      bodyCapacity: text.utf8.count, slot: source.slot, purgeNumber: source.purgeNumber)
    form?.append(text)
    return form
  }

  /// Whether everything that is stored of a URL at this moment has one version.
  fileprivate func hasOneVersion(_ url: String) -> Bool {
    Self.key(url).withUnsafeBufferPointer { key in
      let hash = keyHash(key, seed: seed)
      var versions: Set<String> = []
      store.gate.lock()
      var at = store.index.first(store.index.bucket(of: hash))
      while at != 0 {
        let entry = store.addresses.entry(at)
        at = entry.chain
        if entry.hasButForKind(hash, key) { versions.insert(entry.text.filter { $0 != "x" }) }
      }
      store.gate.unlock()
      return versions.count <= 1
    }
  }
}
