// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

/// RFC 9111 §4.1.
struct VaryTests {
  private func section(_ vary: [String], _ request: GivenRequest, _ policy: DistributionPolicy)
    -> [UInt8]?
  {
    let response = GivenResponse(200, vary.map { "Vary: \($0)" })
    var isUsable = false
    let section = writtenBytes {
      isUsable = appendVarySection(
        response: response.head, responseBase: response.base, request: request.head,
        requestBase: request.base, behavior: policy.behavior(), viewer: ViewerFacts(), to: $0)
    }
    if !isUsable { #expect(section.isEmpty) }
    return isUsable ? section : nil
  }

  private func matches(
    _ vary: [String], _ one: [String], _ other: [String],
    _ policy: DistributionPolicy = makePolicy()
  ) -> Bool? {
    section(vary, GivenRequest("GET /a", one), policy).map { section in
      let request = GivenRequest("GET /a", other)
      return withBytes(section) {
        varyMatches(
          $0, request: request.head, requestBase: request.base, behavior: policy.behavior(),
          viewer: ViewerFacts())
      }
    }
  }

  @Test(
    arguments: [
      (["Accept"], ["Accept: a"], ["Accept: a"], true),
      (["Accept"], ["Accept: a"], ["Accept: b"], false),
      (["aCCEPT"], ["accept: a"], ["ACCEPT: a"], true),
      (["Accept"], ["Accept: a"], ["Accept: A"], false),
      (["Accept"], [], [], true),
      (["Accept"], [], ["Accept:"], false),
      (["Accept"], ["Accept: a"], [], false),
      (["Accept"], ["Accept: a"], ["Accept: ab"], false),
      (["Accept"], ["Accept: ab"], ["Accept: a"], false),
      (["Accept"], ["Accept: a", "Accept: b"], ["Accept: a, b"], true),
      (["Accept"], ["Accept: a, b"], ["Accept: a", "Accept: b"], true),
      (["Accept"], ["Accept: a, b"], ["Accept: a", "Accept: b", "Accept: c"], false),
      (["Accept"], ["Accept: a"], ["Accept: a", "X-Foo: 1"], true),
      (["X-Foo"], ["x-foo: 1"], ["X-FOO: 1"], true),
      (["X-Foo"], ["X-Foo: 1"], ["X-Foo: 2"], false),
      (["Accept, X-Foo"], ["Accept: a", "X-Foo: 1"], ["X-Foo: 1", "Accept: a"], true),
      (["Accept", "X-Foo"], ["Accept: a", "X-Foo: 1"], ["Accept: a", "X-Foo: 2"], false),
      (["Accept, X-Foo"], ["Accept: a1"], ["Accept: a", "X-Foo: 1"], false),
      ([" , ,Accept,"], ["Accept: a"], ["Accept: b"], false),
      (["Cookie"], ["Cookie: a=1"], ["Cookie: a=2"], false),
      (["User-Agent"], ["User-Agent: a"], ["User-Agent: b"], false),
      (["Origin"], ["Origin: http://a.example"], [], false),
      (["Authorization"], ["Authorization: Basic eA=="], [], false),
      // What Connection takes away did not reach the origin.
      (["X-Foo"], ["X-Foo: 1", "Connection: x-foo"], [], true),
      (["X-Foo"], [], ["X-Foo: 1", "Connection: x-foo"], true),
      (["X-Foo"], ["X-Foo: 1", "Connection: x-foo"], ["X-Foo: 1"], false),
      // Of TE the origin sees whether trailers are kept.
      (["TE"], ["TE: trailers"], [], false), (["TE"], [], ["TE: trailers"], false),
      (["TE"], ["TE: gzip, Trailers", "Connection: TE, x-foo"], ["TE: trailers"], true),
      (["TE"], ["TE: gzip"], [], true),
    ] as [([String], [String], [String], Bool)])
  func `a variant matches what the origin would see the same`(
    vary: [String], one: [String], other: [String], expected: Bool
  ) {
    #expect(matches(vary, one, other) == expected)
  }

  @Test(arguments: [
    ("gzip", "gzip, deflate", true), ("gzip, br", "br;q=0.5, gzip", true), ("gzip", "x-gzip", true),
    ("gzip", "br", false), ("gzip", "gzip, br", false), ("deflate", "identity", true),
    ("gzip;q=0", "identity", true), ("gzip;q=0.000", "deflate", true),
    ("gzip;q=0.001", "gzip", true), ("GZIP", "gzip", true), ("zstd, gzip", "gzip", true),
  ])
  func `Accept-Encoding selects by what it comes to`(one: String, other: String, same: Bool) {
    let fields = (["Accept-Encoding: \(one)"], ["Accept-Encoding: \(other)"])
    #expect(matches(["Accept-Encoding"], fields.0, fields.1) == same)
  }

  @Test func `no Accept-Encoding differs from one that accepts nothing (RFC 9110 §12.5.3)`() {
    #expect(matches(["Accept-Encoding"], [], ["Accept-Encoding: identity"]) == false)
    #expect(matches(["Accept-Encoding"], [], []) == true)
    // Lightsail's presets ask for gzip alone (CloudFront §7).
    let policy = makePolicy(.static)
    #expect(
      matches(["Accept-Encoding"], ["Accept-Encoding: br"], ["Accept-Encoding: zstd"], policy)
        == true)
    #expect(matches(["Accept-Encoding"], [], ["Accept-Encoding: br"], policy) == false)
    #expect(
      matches(["Accept-Encoding"], ["Accept-Encoding: br, gzip"], ["Accept-Encoding: gzip"], policy)
        == true)
    #expect(matches(["Accept-Encoding"], [], ["Accept-Encoding: gzip"], policy) == false)
  }

  @Test(arguments: [
    ["*"], ["Accept, *"], ["Accept", "*"], ["X-Forwarded-For"], ["X-Request-Id"], ["Via"],
    [(0..<40).map { "x\($0)" }.joined(separator: ",")],
  ])
  func `what no other request can match`(vary: [String]) {
    #expect(section(vary, GivenRequest(), makePolicy()) == nil)
  }

  @Test func `no Vary, no section`() {
    #expect(section([], GivenRequest(), makePolicy()) == [])
    let request = GivenRequest()
    let policy = makePolicy()
    #expect(
      withBytes([]) {
        varyMatches(
          $0, request: request.head, requestBase: request.base, behavior: policy.behavior(),
          viewer: ViewerFacts())
      })
  }

  @Test(arguments: [
    "Cookie", "User-Agent", "Accept", "Accept-Language", "Referer", "Authorization", "Host",
    "X-Forwarded-Proto", "X-Edge-Id", "CloudFront-Viewer-Country", "Range", "If-None-Match",
  ])
  func `headers that the origin does not see select nothing`(name: String) {
    #expect(section([name], GivenRequest(), makePolicy(.static)) == [])
  }

  @Test func `what is in the key needs no variant`() {
    let policy = makePolicy(.static) {
      $0.settings.forwardedHeaders = .listed(["Accept", "X-Foo", "Accept-Encoding"])
      $0.settings.forwardedCookies = .all
    }
    #expect(section(["Accept, x-foo, cookie, accept-encoding"], GivenRequest(), policy) == [])
    #expect(section(["X-Bar"], GivenRequest(), policy) != [])
  }

  @Test func `preset origin's Host is in the key`() {
    #expect(section(["Host, X-Forwarded-Host"], GivenRequest(), makePolicy()) == [])
  }
}
