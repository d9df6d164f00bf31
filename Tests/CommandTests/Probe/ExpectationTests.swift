// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

@testable import atoll

@Suite struct ExpectationTests {
  @Test(arguments: [
    ("", "", true), ("*", "", true), ("*", "abc", true), ("a*c", "abbc", true),
    ("a*c", "abbd", false), ("a?c", "abc", true), ("a?c", "ac", false), ("?", "é", true),
    ("*.css", "a.css.css", true), ("a*b*c", "aXbXbXc", true), ("a*b*c", "aXcXb", false),
    ("ABC", "abc", false), ("abc", "abcd", false),
  ])
  func `a pattern matches the whole text`(pattern: String, text: String, matches: Bool) {
    #expect(wildcardMatches(pattern, text) == matches)
  }

  @Test func `many stars cost no more than a walk`() {
    let pattern = String(repeating: "*a", count: 50) + "b"
    #expect(!wildcardMatches(pattern, String(repeating: "a", count: 5_000)))
  }

  @Test(arguments: [
    (">=10m", 600, true), (">=10m", 599, false), ("> 10m", 600, false), ("<1h", 3_599, true),
    ("<=1h30m", 5_400, true), ("=0", 0, true), ("=1d", 86_399, false),
  ])
  func `a lifetime is compared`(text: String, ttl: Int, isMet: Bool) throws {
    var reading = CacheReading(ClientResponse(), now: 0)
    reading.ttl = ttl
    #expect(try Expectation(ttl: text).check(ClientResponse(), reading).isMet == isMet)
  }

  @Test(arguments: ["", "10m", ">=", ">=x", "=>1", "~1"])
  func `a comparison that is none is refused`(text: String) {
    #expect(throws: ValueError.self) { try Expectation(ttl: text) }
  }

  @Test func `an unknown lifetime meets no comparison`() throws {
    let finding = try Expectation(ttl: "<1h").check(
      ClientResponse(), CacheReading(ClientResponse(), now: 0))
    #expect(!finding.isMet)
    #expect(finding.actual == "no lifetime known")
  }

  @Test(arguments: [
    ("etag: \"*\"", true), ("ETag", true), ("x-a: 1", true), ("x-a: 2", true), ("x-a: 1, 2", true),
    ("x-a: 3", false), ("x-b", false), ("x-b:", false),
  ])
  func `a header is looked for by name and pattern`(text: String, isMet: Bool) throws {
    let response = made(["ETag: \"a\"", "X-A: 1", "X-A: 2"])
    let finding = try Expectation(header: text).check(response, CacheReading(response, now: 0))
    #expect(finding.isMet == isMet)
  }
}
