// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

/// Which query parameters are keyed, and which the origin gets (CloudFront §6 and §14).
struct QueryPolicyTests {
  /// The URL of the key and the one that the origin gets.
  private func urls(_ target: String, _ policy: DistributionPolicy) -> [String] {
    let request = GivenRequest("GET \(target)")
    let behavior = policy.behavior()
    let key = writtenBytes {
      appendCacheKey(
        request.head, request.base, distribution: policy, behavior: behavior,
        viewer: ViewerFacts(), to: $0)
    }
    let sent = writtenText {
      appendOriginRequest(
        request.head, request.base, distribution: policy, behavior: behavior,
        origin: policy.origins[0],
        context: OriginRequestContext(
          peerAddress: UnsafeBufferPointer(start: nil, count: 0), requestID: (0, 0), storing: true),
        to: $0)
    }
    return [
      withBytes(key) { String(decoding: keyURL($0), as: UTF8.self) },
      String(sent.split(separator: " ")[1]),
    ]
  }

  private func policy(
    _ queries: NameSelection, _ request: NameSelection = .none, dropped: [String] = [],
    sorts: Bool = false, preset: Preset = .static
  ) -> DistributionPolicy {
    makePolicy(preset) {
      $0.settings.forwardedQueryStrings = queries
      $0.settings.originRequest.queryStrings = request
      $0.settings.key.droppedQueryStrings = dropped
      $0.settings.key.sortsQuery = sorts
    }
  }

  @Test(
    arguments: [
      (.none, .none, "/a", "/a"), (.none, .all, "/a", "/a?k=1&r=2&x=3"),
      (.none, .listed(["r"]), "/a", "/a?r=2"), (.none, .allExcept(["r"]), "/a", "/a?k=1&x=3"),
      (.all, .none, "/a?k=1&r=2&x=3", "/a?k=1&r=2&x=3"),
      (.all, .all, "/a?k=1&r=2&x=3", "/a?k=1&r=2&x=3"),
      (.all, .listed(["r"]), "/a?k=1&r=2&x=3", "/a?k=1&r=2&x=3"),
      (.all, .allExcept(["r"]), "/a?k=1&r=2&x=3", "/a?k=1&r=2&x=3"),
      (.listed(["k"]), .none, "/a?k=1", "/a?k=1"),
      (.listed(["k"]), .all, "/a?k=1", "/a?k=1&r=2&x=3"),
      (.listed(["k"]), .listed(["r"]), "/a?k=1", "/a?k=1&r=2"),
      // A key beats a block.
      (.listed(["k"]), .allExcept(["k"]), "/a?k=1", "/a?k=1&r=2&x=3"),
      (.listed(["k"]), .allExcept(["r"]), "/a?k=1", "/a?k=1&x=3"),
      (.allExcept(["k"]), .none, "/a?r=2&x=3", "/a?r=2&x=3"),
      (.allExcept(["k"]), .all, "/a?r=2&x=3", "/a?k=1&r=2&x=3"),
      // An allow beats the key's block.
      (.allExcept(["k"]), .listed(["k"]), "/a?r=2&x=3", "/a?k=1&r=2&x=3"),
      // Two blocks: what neither names, and nothing is keyed that is not sent.
      (.allExcept(["k"]), .allExcept(["r"]), "/a?x=3", "/a?x=3"),
    ] as [(NameSelection, NameSelection, String, String)])
  func `key and origin request merge (CloudFront §14)`(
    queries: NameSelection, request: NameSelection, key: String, sent: String
  ) {
    #expect(urls("/a?k=1&r=2&x=3", policy(queries, request)) == [key, sent])
  }

  @Test(
    arguments: [
      // `*` for any characters, `?` for one; case counts.
      (.listed(["p*"]), "/a?p=1&pq=2&q=3&P=4", "/a?p=1&pq=2"),
      (.listed(["p?"]), "/a?p=1&pq=2&pqr=3", "/a?pq=2"),
      (.allExcept(["p*"]), "/a?p=1&pq=2&q=3&P=4", "/a?q=3&P=4"),
      (.allExcept(["*"]), "/a?p=1", "/a"), (.listed(["*"]), "/a?p=1&&q", "/a?p=1&q"),
      // Only "&" separates, and only the first "=" ends a name.
      (.listed(["a"]), "/a?a=1;b=2&b=3", "/a?a=1;b=2"), (.listed(["a"]), "/a?a=b=c", "/a?a=b=c"),
      (.listed(["a"]), "/a?a", "/a?a"), (.listed(["a"]), "/a?a=", "/a?a="),
      (.allExcept(["a"]), "/a?=1&a=2", "/a?=1"),
      // Names are not decoded: what the origin gets is what the key has.
      (.allExcept(["utm"]), "/a?%75tm=1", "/a?%75tm=1"),
      (.all, "/a?", "/a?"), (.allExcept(["a"]), "/a?", "/a"), (.allExcept(["a"]), "/a?a=1", "/a"),
    ] as [(NameSelection, String, String)])
  func `names are patterns`(queries: NameSelection, target: String, expected: String) {
    #expect(urls(target, policy(queries)) == [expected, expected])
  }

  @Test(arguments: [
    ("/a?c=1&b=2&a=3", "/a?a=3&b=2&c=1"), ("/a?b=2&b=1&a", "/a?a&b=1&b=2"),
    ("/a?b=10&b=9", "/a?b=10&b=9"), ("/a?ab=1&a=2", "/a?a=2&ab=1"), ("/a?a=1&a=1", "/a?a=1&a=1"),
    ("/a?B=1&a=2", "/a?B=1&a=2"), ("/a?a&a=&a=1", "/a?a&a=&a=1"), ("/a?&b=1&&a=1&", "/a?a=1&b=1"),
    ("/a?", "/a"), ("/a", "/a"), ("/a?x", "/a?x"), ("/a?a-b=1&a=2", "/a?a=2&a-b=1"),
  ])
  func `sorted by name, then by value`(target: String, expected: String) {
    #expect(urls(target, policy(.all, sorts: true)) == [expected, expected])
  }

  @Test func `a long query is sorted as well`() {
    let names = (0..<1_000).map { "p\(($0 * 7_919) % 1_000)" }
    let sorted = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    #expect(
      urls("/a?" + names.joined(separator: "&"), policy(.all, sorts: true))
        == Array(repeating: "/a?" + sorted.joined(separator: "&"), count: 2))
  }

  @Test(
    arguments: [
      (.all, .none, ["tracking"], "/a?id=1&utm_source=x&fbclid=y", "/a?id=1", "/a?id=1"),
      (.all, .none, ["tracking", "ref"], "/a?ref=1&gclid=2&b=3", "/a?b=3", "/a?b=3"),
      (.all, .none, ["tracking"], "/a?utm_source=x", "/a", "/a"),
      (.all, .none, ["tracking"], "/a?UTM_SOURCE=x", "/a?UTM_SOURCE=x", "/a?UTM_SOURCE=x"),
      (.all, .none, ["session*"], "/a?sessionid=1&b=2", "/a?b=2", "/a?b=2"),
      (.listed(["gclid", "b"]), .none, ["tracking"], "/a?gclid=1&b=2", "/a?b=2", "/a?b=2"),
      (.allExcept(["c"]), .none, ["tracking"], "/a?gclid=1&b=2&c=3", "/a?b=2", "/a?b=2"),
      // The origin gets them where its request asks for them.
      (.all, .all, ["tracking"], "/a?gclid=1&b=2", "/a?b=2", "/a?gclid=1&b=2"),
      (.all, .listed(["gclid"]), ["tracking"], "/a?gclid=1&fbclid=2&b", "/a?b", "/a?gclid=1&b"),
    ] as [(NameSelection, NameSelection, [String], String, String, String)])
  func `dropped parameters`(
    queries: NameSelection, request: NameSelection, dropped: [String], target: String, key: String,
    sent: String
  ) {
    #expect(urls(target, policy(queries, request, dropped: dropped)) == [key, sent])
    if request == .none {
      #expect(
        urls(target, policy(queries, request, dropped: dropped, preset: .origin)) == [key, sent])
    }
  }

  @Test(arguments: [
    "utm_source", "utm_medium", "utm_campaign", "utm_id", "gclid", "fbclid", "msclkid", "dclid",
    "gbraid", "wbraid", "mc_cid", "mc_eid", "igshid", "_ga", "_gl", "yclid", "twclid", "ttclid",
    "li_fat_id",
  ])
  func `the well-known tracking parameters`(name: String) {
    let policy = policy(.all, dropped: ["tracking"])
    #expect(urls("/a?x=1&\(name)=1", policy) == ["/a?x=1", "/a?x=1"])
  }

  @Test func `what is not cached gets its query whole`() {
    let policy = makePolicy(.dynamic) {
      $0.settings.key.droppedQueryStrings = ["tracking"]
      $0.settings.key.sortsQuery = true
    }
    #expect(urls("/a?utm_id=1&b=2&a=3", policy)[1] == "/a?utm_id=1&b=2&a=3")
    let blocked = makePolicy(.dynamic) {
      $0.settings.originRequest.queryStrings = .allExcept(["b"])
    }
    #expect(urls("/a?b=2&a=3", blocked)[1] == "/a?a=3")
  }

  @Test func `a purge names a URL as viewers write it`() {
    func keyed(_ url: String, _ policy: DistributionPolicy) -> String {
      String(decoding: policy.keyedURL(of: url), as: UTF8.self)
    }
    #expect(
      keyed("/a?b=1&utm_id=2&a=3", policy(.all, dropped: ["tracking"], sorts: true))
        == "/a?a=3&b=1")
    #expect(keyed("/a?r=1&k=2", policy(.listed(["k"]), .all)) == "/a?k=2")
    let site = makePolicy(.static) {
      $0.rootObject = "index.html"
      $0.indexDocument = "default.htm"
    }
    #expect(keyed("/", site) == "/index.html")
    #expect(keyed("/a/?x=1", site) == "/a/default.htm")
  }

  @Test(arguments: [
    ("/", "/index.html", "/app/index.html"), ("/?x=1", "/index.html?x=1", "/app/index.html?x=1"),
    ("http://site.example", "/index.html", "/app/index.html"),
    ("http://site.example?x", "/index.html?x", "/app/index.html?x"),
    ("/dir/", "/dir/default.htm", "/app/dir/default.htm"), ("//", "//default.htm", nil),
    ("/a/b/?x=/", "/a/b/default.htm?x=/", nil), ("/dir", "/dir", "/app/dir"),
    ("/index.html", "/index.html", "/app/index.html"), ("/dir/a.html", "/dir/a.html", nil),
  ])
  func `documents stand for directories (CloudFront §2)`(
    target: String, key: String, sent: String?
  ) {
    let policy = makePolicy {
      $0.rootObject = "index.html"
      $0.indexDocument = "default.htm"
      $0.origin.path = "/app"
    }
    let found = urls(target, policy)
    #expect(found[0] == key)
    #expect(found[1] == sent ?? "/app" + key)
  }

  @Test func `the root object is for the root alone, and an index for all others`() {
    let root = makePolicy { $0.rootObject = "home.html" }
    #expect(urls("/", root) == ["/home.html", "/home.html"])
    #expect(urls("/dir/", root) == ["/dir/", "/dir/"])
    let index = makePolicy { $0.indexDocument = "index.html" }
    #expect(urls("/", index) == ["/", "/"])
    #expect(urls("/dir/", index) == ["/dir/index.html", "/dir/index.html"])
  }

  @Test func `a setting that changes what the origin gets changes the key`() {
    func key(_ policy: DistributionPolicy) -> [UInt8] {
      let request = GivenRequest("GET /a?b=1")
      return writtenBytes {
        appendCacheKey(
          request.head, request.base, distribution: policy, behavior: policy.behavior(),
          viewer: ViewerFacts(), to: $0)
      }
    }
    let policies = [
      policy(.none), policy(.none, .all), policy(.none, .listed(["b"])),
      policy(.none, .listed(["c"])), policy(.none, .allExcept(["c"])), policy(.listed(["c"])),
      policy(.allExcept(["b"])), policy(.allExcept(["b", "c"])), policy(.listed(["bc"])),
      makePolicy(.static) { $0.settings.originRequest.headers = .listed(["Referer"]) },
      makePolicy(.static) { $0.settings.originRequest.headers = .all },
      makePolicy(.static) { $0.settings.originRequest.cookies = .all },
      makePolicy(.static) { $0.settings.key.host = true },
      makePolicy(.static) { $0.settings.key.scheme = true },
      makePolicy(.static) { $0.settings.key.codings = [.brotli] },
      makePolicy(.static) { $0.settings.key.device = true },
      makePolicy(.static) { $0.settings.key.country = true },
      makePolicy(.static) { $0.settings.forwardedHeaders = .listed(["Accept"]) },
      makePolicy(.static) { $0.settings.forwardedHeaders = .listed(["Referer"]) },
      makePolicy(.static) { $0.settings.forwardedCookies = .all },
    ]
    #expect(Set(policies.map { key($0) }).count == policies.count)
  }
}
