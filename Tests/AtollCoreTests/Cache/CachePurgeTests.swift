// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

@Suite struct `Cache purging` {
  let cache = CacheFixture()

  @Test(arguments: [
    (PurgeSelector.path("/a"), ["/a"]),
    (.path("/a?x=1"), ["/a?x=1"]),
    (.path("/nothing"), []),
    (.prefix("/a"), ["/a", "/a?x=1", "/ab", "/a/b"]),
    (.prefix("/a/"), ["/a/b"]),
    (.tag("red"), ["/ab", "/b"]),
    (.all, ["/a", "/a?x=1", "/ab", "/a/b", "/b"]),
  ])
  func `a purge removes what it names and counts it`(selector: PurgeSelector, gone: [String]) {
    let all = ["/a", "/a?x=1", "/ab", "/a/b", "/b"]
    for url in all {
      let tags = ["/ab", "/b"].contains(url) ? ["blue", "red"] : []
      cache.store(url, tags: tags)
      cache.store(url, tags: tags, slot: 1)
    }
    #expect(cache.purge(selector, number: 1) == gone.count)
    for url in all {
      #expect((cache.body(url) == nil) == gone.contains(url))
      #expect(cache.body(url, slot: 1) != nil)
    }
    #expect(cache.store.count(slot: 0) == all.count - gone.count)
    #expect(cache.checkHeap().isSound)
  }

  @Test func `a purge reaches every variant`() {
    for vary in ["gzip", "br", "zstd"] { cache.store("/a", vary: vary) }
    #expect(cache.purge(.path("/a"), number: 1) == 3)
    #expect(cache.store.entryCount == 0)
  }

  @Test func `a purge finds entries anywhere in the index`() {
    for number in 0..<5000 { cache.store("/page/\(number)") }
    #expect(cache.purge(.prefix("/page/1"), number: 1) == 1111)
    #expect(cache.purge(.prefix("/page/"), number: 2) == 3889)
    #expect(cache.store.entryCount == 0)
    #expect(cache.checkHeap().isSound)
  }

  @Test(arguments: [PurgeSelector.path("/a"), .prefix("/"), .tag("t")])
  func `a fill that began before a purge is not stored after it`(selector: PurgeSelector) throws {
    let fill = try #require(cache.make("/a", tags: ["t"], purgeNumber: 4))
    #expect(!cache.store.isPurged(fill))
    #expect(cache.purge(selector, number: 5) == 0)
    #expect(cache.store.isPurged(fill))
    #expect(cache.store.insert(fill) == .purged)
    fill.release()
    #expect(cache.body("/a") == nil)
    #expect(cache.store("/a", tags: ["t"], purgeNumber: 5) == .inserted)
    #expect(cache.store("/other/slot", tags: ["t"], slot: 1, purgeNumber: 4) == .inserted)
    #expect(cache.purge(selector, number: 5) == 0, "the same purge again meets nothing older")
    #expect(cache.body("/a") == "body")
  }

  @Test func `a fill that a purge does not name is stored`() {
    _ = cache.purge(.path("/b"), number: 5)
    #expect(cache.store("/a", purgeNumber: 4) == .inserted)
  }

  @Test func `purging a distribution takes effect at once and is swept later`() {
    for number in 0..<1000 { cache.store("/\(number)", purgeNumber: 2) }
    cache.store("/other", slot: 1)
    let bytes = cache.store.entryBytes
    #expect(cache.store.purgeAll(slot: 0, number: 3, soft: false) == 1000)
    #expect(cache.store.count(slot: 0) == 0)
    #expect(cache.store.purgeAll(slot: 0, number: 3, soft: false) == 0)
    let gone = cache.lookup("/1")
    #expect(gone.entry == nil && gone.sawPurged)
    #expect(!cache.lookup("/1").sawPurged, "dropped on sight")
    #expect(cache.body("/other", slot: 1) == "body")
    #expect(cache.store("/2", purgeNumber: 2) == .purged)
    #expect(cache.store("/2", purgeNumber: 3) == .inserted)
    #expect(cache.store.count(slot: 0) == 1)
    #expect(cache.store.entryBytes > bytes / 2)
    for _ in 0..<100 { cache.store.maintain() }
    #expect(cache.store.entryCount == 2)
    #expect(cache.store.count(slot: 0) == 1)
    #expect(cache.body("/2") == "body")
    #expect(cache.checkHeap().isSound)
  }

  @Test(arguments: [true, false])
  func `a soft purge marks entries and those that older fills bring later`(
    whole: Bool
  ) throws {
    cache.store("/a", purgeNumber: 1)
    let count =
      whole
      ? cache.store.purgeAll(slot: 0, number: 2, soft: true)
      : cache.purge(.prefix("/"), number: 2, soft: true)
    #expect(count == 1)
    let marked = try #require(cache.lookup("/a").entry)
    #expect(marked.isSoftPurged)
    marked.release()
    #expect(cache.store("/b", purgeNumber: 1) == .inserted)
    let late = try #require(cache.lookup("/b").entry)
    #expect(late.isSoftPurged)
    late.release()
    #expect(cache.store("/a", body: "confirmed", purgeNumber: 2) == .inserted)
    let confirmed = try #require(cache.lookup("/a").entry)
    #expect(!confirmed.isSoftPurged)
    confirmed.release()
    #expect(cache.store("/a", body: "late", purgeNumber: 1) == .purged)
    #expect(cache.body("/a") == "confirmed")
  }

  @Test func `a retired purge is forgotten, one still needed is not`() {
    _ = cache.purge(.path("/a"), number: 5)
    _ = cache.purge(.path("/b"), number: 7)
    cache.store.retirePurges(before: 6)
    #expect(cache.store("/a", purgeNumber: 4) == .inserted)
    #expect(cache.store("/b", purgeNumber: 6) == .purged)
  }

  @Test func `with too many purges kept, older fills are refused rather than trusted`() {
    for number in 1...2000 { _ = cache.purge(.path("/\(number)"), number: UInt64(number)) }
    #expect(cache.store.state.pointee.matchers.count <= 1024)
    #expect(cache.store("/7", purgeNumber: 3) == .purged)
    #expect(cache.store("/1999", purgeNumber: 1998) == .purged)
    #expect(cache.store("/1998", purgeNumber: 1998) == .inserted)
  }
}
