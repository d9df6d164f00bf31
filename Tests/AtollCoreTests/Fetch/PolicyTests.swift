// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

struct PolicyTests {
  @Test(arguments: [
    ("/img/*", "/img/a.png", true), ("/img/*", "/img/", true), ("/img/*", "/img", false),
    ("img/*", "/img/a/b", true), ("img/", "/img/a", true), ("img/", "/img", false),
    ("/img/*", "/IMG/a", false), ("*.css", "/a/b.css", true), ("*.css", "/a.css?", false),
    ("*.css", "/.css", true), ("/a.css", "/a.css", true), ("/a.css", "/a.cs", false),
    ("a?.css", "/ab.css", true), ("a?.css", "/a.css", false), ("?.css", "/a.css", true),
    ("/a*c*e", "/abcde", true), ("/a*c*e", "/abcd", false), ("/a*b", "/aabab", true),
    ("*", "/", true), ("*/b/*", "/a/b/c", true), ("*/b/*", "/a/c", false), ("/a**b", "/ab", true),
    ("/*/b", "/a/b", true), ("/*/b", "/b", false), ("/*/b", "//b", true), ("*/b", "/b", true),
    ("*/b", "/a/b", true), ("*/b/", "/b/c", true), ("/", "/anything", true), ("/*", "", true),
    ("*.css", "", false), ("/a", "/a", true), ("/a?", "/ab", true), ("/a?", "/a", false),
    ("/a?c", "/abc", true), ("/*c", "/c", true), ("/12345678/*", "/12345678", false),
    ("/12345678/*", "/12345678/9", true), ("*.jpeg2000", "/a.jpeg2000", true),
    ("*.jpeg2000", "/a.peg2000", false), ("/a*a", "/a", false), ("/a*a", "/aa", true),
  ])
  func `a path override matches`(pattern: String, path: String, expected: Bool) {
    let policy = makePolicy(.static) {
      $0.behaviors = [PathBehavior(path: pattern, caching: .dontCache)]
    }
    #expect((policy.behavior(path).pattern == pattern) == expected)
  }

  @Test func `the first override that matches counts, the default last`() {
    let policy = makePolicy(.static) {
      $0.behaviors = [
        PathBehavior(path: "/a/b/*", caching: .cache),
        PathBehavior(path: "/a/*", caching: .dontCache),
      ]
    }
    #expect(policy.behaviors.map(\.pattern) == ["/a/b/*", "/a/*", "*"])
    #expect(policy.behaviors.map(\.index) == [0, 1, 2])
    #expect(policy.behavior("/a/b/c") === policy.behaviors[0])
    #expect(policy.behavior("/a/c") === policy.behaviors[1])
    #expect(policy.behavior("/c") === policy.behaviors[2])
    #expect(policy.behavior("/a/c").caches == false)
  }

  @Test(arguments: [
    (MethodSet.getHead, [Method.get, .head]), (.getHeadOptions, [.get, .head, .options]),
    (.all, [.get, .head, .options, .post, .put, .patch, .delete]),
  ])
  func `methods as chosen`(set: MethodSet, allowed: [Method]) {
    let behavior = makePolicy { $0.settings.allowedMethods = set }
    let all: [Method] = [
      .get, .head, .options, .post, .put, .patch, .delete, .trace, .connect, .other,
    ]
    #expect(Set(all.filter { behavior.behaviors[0].allows($0) }) == Set(allowed))
  }

  @Test func `GET and HEAD come from the cache, OPTIONS when chosen, nothing where not cached`() {
    let plain = makePolicy()
    #expect(plain.behaviors[0].cachesMethod(.get))
    #expect(plain.behaviors[0].cachesMethod(.head))
    #expect(!plain.behaviors[0].cachesMethod(.options))
    #expect(!plain.behaviors[0].cachesMethod(.post))
    #expect(makePolicy { $0.settings.cachesOptions = true }.behaviors[0].cachesMethod(.options))
    #expect(!makePolicy(.dynamic).behaviors[0].cachesMethod(.get))
  }

  @Test func `TTLs beyond what a lifetime can hold are the largest`() {
    let policy = makePolicy { $0.settings.ttl = TTL(minimum: -1, default: nil, maximum: .max) }
    #expect(policy.behaviors[0].minimumTTL == 0)
    #expect(policy.behaviors[0].defaultTTL == -1)
    #expect(policy.behaviors[0].maximumTTL == .max)
  }

  @Test func `a distribution answers for its id and its name`() {
    let policy = makePolicy { $0.name = "Shop.Example" }
    #expect(
      policy.distribution.hosts == [
        "shop.example.atoll.localhost", "d0123456789abc.atoll.localhost",
      ])
  }

  @Test func `a hostile path does not make matching slow`() {
    let policy = makePolicy { $0.behaviors = [PathBehavior(path: "/*a*a*a*a*b", caching: .cache)] }
    let path = "/" + String(repeating: "a", count: 8_000)
    #expect(policy.behavior(path).pattern == "*")
  }
}
