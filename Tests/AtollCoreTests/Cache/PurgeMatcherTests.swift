// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

struct PurgeMatcherTests {
  private func matches(
    _ selector: PurgeSelector, _ target: String, tags: [String] = [], slot: Int = 3,
    _ policy: DistributionPolicy = makePolicy(), reducing: Bool = false
  ) -> Bool {
    let record = PurgeRecord(
      number: 1, distribution: "shop", id: "d0123456789abc", at: testTime, soft: false,
      selector: selector)
    let request = GivenRequest("GET \(target)")
    let response = GivenResponse(200, tags)
    let key = writtenBytes {
      appendCacheKey(
        request.head, request.base, distribution: policy, behavior: policy.behavior(),
        viewer: ViewerFacts(), to: $0)
    }
    let section = writtenBytes { appendTags(response.head, response.base, to: $0) }
    let matcher = PurgeMatcher(record, slot: slot, policy: reducing ? policy : nil)
    return withBytes(key) { key in
      withBytes(section) { matcher.matches(key: key, tags: $0) }
    }
  }

  @Test(arguments: [
    (PurgeSelector.path("/a"), "/a", true), (.path("/a"), "/a?x=1", false),
    (.path("/a"), "/ab", false), (.path("/a"), "/A", false), (.path("/a?x=1"), "/a?x=1", true),
    (.path("/a?x=1"), "/a?x=2", false), (.path("/a?x=1"), "/a", false), (.path("/a?"), "/a?", true),
    (.path("/ab"), "/a", false), (.prefix("/a"), "/a", true), (.prefix("/a"), "/ab/c", true),
    (.prefix("/a"), "/a?x=1", true), (.prefix("/a/"), "/a", false), (.prefix("/"), "/a?x", true),
    (.prefix(""), "/a", true), (.prefix("/a?x"), "/a?xy=1", true), (.prefix("/b"), "/a", false),
    (.all, "/a", true),
  ])
  func `a purge of URLs`(selector: PurgeSelector, target: String, expected: Bool) {
    #expect(matches(selector, target) == expected)
  }

  @Test func `a purge touches its own distribution only`() {
    for selector in [PurgeSelector.all, .path("/a"), .prefix("/"), .tag("t")] {
      #expect(matches(selector, "/a", tags: ["Cache-Tag: t"], slot: 3))
      #expect(!matches(selector, "/a", tags: ["Cache-Tag: t"], slot: 4))
    }
  }

  @Test(
    arguments: [
      (["Cache-Tag: a, b ,c"], "b", true), (["Cache-Tag: a, b ,c"], "c", true),
      (["Cache-Tag: a b"], "a b", true), (["Cache-Tag: a b"], "a", false),
      (["Surrogate-Key: a  b\tc"], "c", true), (["Surrogate-Key: a,b"], "a,b", true),
      (["Surrogate-Key: a,b"], "a", false), (["Cache-Tag: a", "Surrogate-Key: b"], "b", true),
      (["Cache-Tag: a", "Cache-Tag: b"], "b", true), (["Cache-Tag: ab"], "a", false),
      (["Cache-Tag: a"], "ab", false), (["Cache-Tag: a"], "A", false), ([], "a", false),
      (["Cache-Tag: ,, ,a"], "a", true), (["Cache-Tag:"], "", false),
    ] as [([String], String, Bool)])
  func `a purge by tag`(fields: [String], tag: String, expected: Bool) {
    #expect(matches(.tag(tag), "/a", tags: fields) == expected)
  }

  @Test func `a path's query is reduced as keys reduce it`() {
    let none = makePolicy(.static)
    #expect(!matches(.path("/a?x=1"), "/a?x=1", none))
    #expect(matches(.path("/a?x=1"), "/a?x=1", none, reducing: true))
    let some = makePolicy(.static) { $0.settings.forwardedQueryStrings = .listed(["x"]) }
    #expect(matches(.path("/a?utm=2&x=1"), "/a?x=1&b=3", some, reducing: true))
    #expect(!matches(.path("/a?utm=2"), "/a?x=1", some, reducing: true))
    #expect(matches(.path("/a?x=1"), "/a?x=1", reducing: true))
  }
}
