// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

struct CacheKeyTests {
  private func key(_ request: GivenRequest, _ policy: DistributionPolicy) -> [UInt8] {
    let path = request.head.pathLength == 0 ? "/" : "/a"
    return writtenBytes {
      appendCacheKey(
        request.head, request.base, distribution: policy, behavior: policy.behavior(path),
        viewer: ViewerFacts(), to: $0)
    }
  }

  private func url(_ request: GivenRequest, _ policy: DistributionPolicy) -> String {
    withBytes(key(request, policy)) { String(decoding: keyURL($0), as: UTF8.self) }
  }

  private func selecting(
    headers: NameSelection = .none, cookies: NameSelection = .none, queries: NameSelection = .none
  ) -> DistributionPolicy {
    makePolicy(.static) {
      $0.settings.forwardedHeaders = headers
      $0.settings.forwardedCookies = cookies
      $0.settings.forwardedQueryStrings = queries
    }
  }

  @Test(arguments: [
    ("/a", "/a"), ("/a?", "/a?"), ("/a?x=1&y=2", "/a?x=1&y=2"), ("/a%2Fb", "/a%2Fb"),
    ("/A", "/A"), ("/a/", "/a/"), ("/a?b?c", "/a?b?c"), ("http://other.example", "/"),
    ("http://other.example?x=1", "/?x=1"), ("http://other.example/p?x", "/p?x"),
  ])
  func `preset origin keys the target as received`(target: String, expected: String) {
    #expect(url(GivenRequest("GET \(target)"), makePolicy()) == expected)
  }

  @Test(arguments: [
    ("/a?x=1&y=2", "/a?x=1"), ("/a?y=2&x=1", "/a?x=1"), ("/a?y=2", "/a"), ("/a?", "/a"),
    ("/a?X=1", "/a"), ("/a?x", "/a?x"), ("/a?x=1&x=2", "/a?x=1&x=2"),
    ("/a?z=3&x=1", "/a?z=3&x=1"), ("/a?x=1;y=2", "/a?x=1;y=2"), ("/a?&&x=1&&", "/a?x=1"),
    ("/a?xx=1", "/a"), ("/a?=1", "/a"), ("/a?x==&y", "/a?x=="),
  ])
  func `chosen query parameters keep their order`(target: String, expected: String) {
    #expect(
      url(GivenRequest("GET \(target)"), selecting(queries: .listed(["x", "z"]))) == expected)
  }

  @Test func `queries that are not forwarded are not keyed`() {
    #expect(url(GivenRequest("GET /a?x=1"), selecting()) == "/a")
    #expect(
      key(GivenRequest("GET /a?x=1"), selecting()) == key(GivenRequest("GET /a"), selecting()))
  }

  @Test func `the slot of a key is its distribution's`() {
    for slot in [0, 3, 65_535] {
      let key = key(GivenRequest(), makePolicy(slot: slot))
      #expect(withBytes(key) { keySlot($0) } == slot)
    }
  }

  @Test func `GET and HEAD share a key, OPTIONS has its own`() {
    for policy in [makePolicy(), selecting()] {
      #expect(key(GivenRequest("GET /a"), policy) == key(GivenRequest("HEAD /a"), policy))
      #expect(key(GivenRequest("GET /a"), policy) != key(GivenRequest("OPTIONS /a"), policy))
    }
  }

  @Test func `preset origin keys the host, as the URI holds it (RFC 9111 §2)`() {
    let policy = makePolicy()
    #expect(
      key(GivenRequest(host: "a.example"), policy) != key(GivenRequest(host: "b.example"), policy)
    )
    #expect(
      key(GivenRequest("GET http://a.example/a", host: "b.example"), policy)
        == key(GivenRequest(host: "a.example"), policy))
  }

  @Test func `where the origin does not see the host, all names share entries`() {
    let policy = selecting()
    #expect(
      key(GivenRequest(host: "a.example"), policy) == key(GivenRequest(host: "b.example"), policy)
    )
  }

  @Test func `preset origin keys neither headers nor cookies`() {
    let policy = makePolicy()
    let plain = key(GivenRequest(), policy)
    for field in ["Cookie: a=1", "Accept: text/html", "User-Agent: x", "Authorization: Basic eA=="]
    {
      #expect(key(GivenRequest("GET /a", [field]), policy) == plain)
    }
  }

  @Test(arguments: [
    // Names in any case, values as they are, lines joined.
    (["X-Foo: 1"], ["x-foo: 1"], true),
    (["X-Foo: a"], ["X-Foo: A"], false),
    (["X-Foo: 1, 2"], ["X-Foo: 1", "X-Foo: 2"], true),
    (["X-Foo: 1,2"], ["X-Foo: 1, 2"], false),
    // Absent and empty differ.
    (["X-Foo:"], [], false),
    // Order of the lines does not matter between fields.
    (["X-Foo: 1", "X-Bar: 2"], ["X-Bar: 2", "X-Foo: 1"], true),
    // Values cannot move from one header to the next.
    (["X-Foo: 12", "X-Bar: 3"], ["X-Foo: 1", "X-Bar: 23"], false),
    (["X-Foo: 1"], ["X-Bar: 1"], false),
    (["Accept-Language: en"], ["Accept-Language: de"], false),
    // What Connection takes away from the origin cannot select an entry.
    (["X-Foo: 1", "Connection: x-foo"], [], true),
    // Headers that are not chosen.
    (["X-Baz: 1"], ["X-Baz: 2"], true),
  ])
  func `chosen headers are keyed`(one: [String], other: [String], same: Bool) {
    let policy = selecting(headers: .listed(["X-Foo", "x-bar", "Accept-Language"]))
    #expect(
      (key(GivenRequest("GET /a", one), policy) == key(GivenRequest("GET /a", other), policy))
        == same)
  }

  @Test func `a chosen Host is keyed by the authority that counts`() {
    let policy = selecting(headers: .listed(["Host"]))
    #expect(
      key(GivenRequest(host: "a.example"), policy) != key(GivenRequest(host: "b.example"), policy)
    )
    #expect(
      key(GivenRequest("GET http://a.example/a", host: "b.example"), policy)
        == key(GivenRequest(host: "a.example"), policy))
  }

  @Test(arguments: [
    (["Cookie: id=1"], ["Cookie: id=2"], false),
    (["Cookie: id=1; other=2"], ["Cookie: other=3; id=1"], true),
    (["Cookie: ID=1"], [], true),
    (["Cookie: wp_a=1"], ["Cookie: wp_b=1"], false),
    (["Cookie: wp=1"], [], true),
    (["Cookie: s12=1"], [], true),
    (["Cookie: s1=1"], [], false),
    (["Cookie: id=1", "Cookie: s1=2"], ["Cookie: id=1; s1=2"], true),
    // Pairs cannot merge, and their order does not matter (CloudFront §10).
    (["Cookie: id=1; s1=2"], ["Cookie: id=1s1=2"], false),
    (["Cookie: id=1; s1=2"], ["Cookie: s1=2; id=1"], true),
    (["Cookie: id=1; id=2"], ["Cookie: id=2; id=1"], false),
    (["Cookie: id"], [], true),
    (["Cookie: =id=1"], [], true),
    (["Cookie: id=1", "Connection: cookie"], [], true),
  ])
  func `chosen cookies are keyed`(one: [String], other: [String], same: Bool) {
    let policy = selecting(cookies: .listed(["id", "wp_*", "s?"]))
    #expect(
      (key(GivenRequest("GET /a", one), policy) == key(GivenRequest("GET /a", other), policy))
        == same)
  }

  @Test func `all cookies are keyed where a preset forwards them without all headers`() {
    let policy = selecting(cookies: .all)
    #expect(
      key(GivenRequest("GET /a", ["Cookie: a=1"]), policy)
        != key(GivenRequest("GET /a", ["Cookie: a=2"]), policy))
    #expect(
      key(GivenRequest("GET /a", ["Cookie: a=1; b=2"]), policy)
        == key(GivenRequest("GET /a", ["Cookie: b=2; a=1"]), policy))
    // Nothing that is no pair reaches the origin (CloudFront §10).
    #expect(key(GivenRequest("GET /a", ["Cookie: a"]), policy) == key(GivenRequest(), policy))
  }

  @Test func `no part can pass for another`() {
    // The same bytes, split otherwise between URL, header and cookie.
    let policy = selecting(
      headers: .listed(["X-Foo"]), cookies: .listed(["c*"]), queries: .all)
    var seen: Set<[UInt8]> = []
    let requests = [
      GivenRequest("GET /a?c=1"), GivenRequest("GET /a", ["X-Foo: ?c=1"]),
      GivenRequest("GET /a", ["Cookie: c=1"]),
      GivenRequest("GET /a", ["X-Foo: c=1"]), GivenRequest("GET /a?", ["Cookie: c=1"]),
      GivenRequest("GET /a", ["X-Foo:", "Cookie: c=1"]), GivenRequest("GET /a"),
      GivenRequest("GET /a?"),
      GivenRequest("GET /a", ["Cookie: c=1; c=1"]),
      GivenRequest("GET /a", ["Cookie: c=1;c=1;c="]),
    ]
    for request in requests { #expect(seen.insert(key(request, policy)).inserted) }
  }

  @Test func `an entry stored under other settings does not answer`() {
    let foo = selecting(headers: .listed(["X-Foo"]))
    let bar = selecting(headers: .listed(["X-Bar"]))
    #expect(
      key(GivenRequest("GET /a", ["X-Foo: 1"]), foo)
        != key(GivenRequest("GET /a", ["X-Bar: 1"]), bar))
    #expect(key(GivenRequest(), selecting(cookies: .all)) != key(GivenRequest(), selecting()))
  }

  @Test func `fields of one hop cannot be chosen`() {
    let policy = selecting(
      headers: .listed(["Connection", "TE", "Range", "If-None-Match", "Cookie", "X-Edge-Id"]))
    let plain = key(GivenRequest(), policy)
    for field in ["TE: trailers", "Range: bytes=0-1", "If-None-Match: \"a\"", "X-Edge-Id: 1"] {
      #expect(key(GivenRequest("GET /a", [field]), policy) == plain)
    }
  }
}
