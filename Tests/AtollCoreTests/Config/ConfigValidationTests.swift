// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

@Suite struct ConfigValidationTests {
  @Test(arguments: [
    "ab", "shop", "a.b-c_d", "0a", String(repeating: "x", count: 255),
  ])
  func `a good name passes`(name: String) throws {
    try validate(name: name)
  }

  @Test(arguments: [
    ("", "2 to 255"), ("a", "2 to 255"), (String(repeating: "x", count: 256), "2 to 255"),
    ("-ab", "start and end"), ("ab.", "start and end"), ("..", "start and end"),
    ("a/b", "letters, digits"), ("a b", "letters, digits"), ("käse", "letters, digits"),
    ("a\u{0}b", "letters, digits"),
  ])
  func `a bad name is refused with the fix`(name: String, hint: String) {
    let problems = Sample.problems { try validate(name: name) }
    #expect(problems.count == 1)
    #expect(problems.first?.where == "name")
    #expect(problems.first?.hint.contains(hint) == true)
  }

  @Test(arguments: Preset.allCases)
  func `every preset is valid`(preset: Preset) throws {
    try validate(try Sample.distribution(preset: preset))
  }

  private func change(_ body: (inout Distribution) -> Void) throws -> [ConfigError.Problem] {
    var distribution = try Sample.distribution()
    body(&distribution)
    return Sample.problems { try validate(distribution) }
  }

  @Test func `TTLs are ordered minimum, default, maximum`() throws {
    var problems = try change { $0.settings.ttl = TTL(minimum: 60, default: 30, maximum: 90) }
    #expect(problems.map(\.where) == ["settings.ttl.default"])
    #expect(problems.first?.what == "30 is less than the minimum, 60")
    problems = try change { $0.settings.ttl = TTL(minimum: 0, default: 100, maximum: 90) }
    #expect(problems.first?.what == "100 is greater than the maximum, 90")
    problems = try change { $0.settings.ttl = TTL(minimum: 91, default: nil, maximum: 90) }
    #expect(problems.map(\.where) == ["settings.ttl.minimum"])
    #expect(try change { $0.settings.ttl = TTL(minimum: 5, default: 5, maximum: 5) }.isEmpty)
    #expect(try change { $0.settings.ttl = TTL(minimum: 5, default: nil, maximum: 5) }.isEmpty)
    #expect(
      try change { $0.settings.ttl = TTL(minimum: -1, default: nil, maximum: 5) }.first?.what
        == "-1 is out of range")
    problems = try change {
      $0.behaviors = [
        PathBehavior(path: "/a", caching: .cache, ttl: TTL(minimum: 9, default: 1, maximum: 10))
      ]
    }
    #expect(problems.map(\.where) == ["behaviors[0].ttl.default"])
  }

  @Test(arguments: [
    (["/a", "/a"], "\"/a\" occurs twice", "remove one"),
    (["a", "/a"], "\"/a\" means the same as \"a\" before it", "remove one"),
    (["/a/", "/a/*"], "\"/a/*\" means the same as \"/a/\" before it", "remove one"),
    (["/a/*", "/a/b"], "\"/a/b\" is never reached: \"/a/*\" before it", "move it before \"/a/*\""),
    (["*.jpg", "/x.jpg"], "\"/x.jpg\" is never reached", "move it before \"*.jpg\""),
    (["/*"], "\"/*\" matches every path", "set the default behavior to cache"),
    (["/"], "\"/\" matches every path", "set the default behavior to cache"),
    (["/**", "/x"], "\"/**\" matches every path", "set the default behavior to cache"),
    ([""], "\"\" is empty", "/images/*"),
    (["/a b"], "holds a character that a path pattern can't have", "letters, digits"),
    (["/a%20b"], "holds a character that a path pattern can't have", "letters, digits"),
    (["/" + String(repeating: "a", count: 255)], "is longer than 255 characters", "shorten"),
  ])
  func `a useless override is refused with the fix`(
    paths: [String], what: String, hint: String
  ) throws {
    let problems = try change {
      $0.behaviors = paths.map { PathBehavior(path: $0, caching: .cache) }
    }
    #expect(problems.count == 1, "\(problems)")
    #expect(problems.first?.where.hasPrefix("behaviors[") == true)
    #expect(problems.first?.what.contains(what) == true, "\(problems)")
    #expect(problems.first?.hint.contains(hint) == true, "\(problems)")
  }

  @Test func `an override before a wider one is in order`() throws {
    let problems = try change {
      $0.behaviors = ["/a/b", "/a/*", "/?", "*.jpg", "/img/*.png", "/~\"'@:+&$"].map {
        PathBehavior(path: $0, caching: .dontCache)
      }
    }
    #expect(problems.isEmpty, "\(problems)")
  }

  @Test(arguments: [
    "Cache-Control", "connection", "Content-Length", "Cookie", "Max-Forwards", "Pragma",
    "Proxy-Authorization", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "X-Edge-Location",
    "X-Forwarded-Proto", "X-Real-IP", "CloudFront-Viewer-Address", "not a token", "*", "a:b", "",
  ])
  func `a header that can't be part of the key is refused`(name: String) throws {
    let problems = try change { $0.settings.forwardedHeaders = .listed([name]) }
    #expect(problems.map(\.where) == ["settings.forwardedHeaders"])
    #expect(problems.first?.hint.isEmpty == false)
  }

  @Test func `names are checked for syntax and repetition`() throws {
    #expect(
      try change { $0.settings.forwardedHeaders = .listed(["Host", "HOST"]) }.first?.what
        == "\"HOST\" occurs twice")
    // Cookies and query strings differ by case.
    #expect(
      try change {
        $0.settings.forwardedCookies = .listed(["a", "A", "wp_*", "s?d"])
        $0.settings.forwardedQueryStrings = .listed(["a", "A", "q[]", "%C3%A9"])
      }.isEmpty)
    #expect(try change { $0.settings.forwardedCookies = .listed(["a=b"]) }.count == 1)
    #expect(try change { $0.settings.forwardedQueryStrings = .listed(["a=b"]) }.count == 1)
    #expect(try change { $0.settings.forwardedQueryStrings = .listed(["ä"]) }.count == 1)
    #expect(try change { $0.settings.forwardedQueryStrings = .listed([]) }.count == 1)
  }

  @Test func `ranges, tags and methods are checked, all at once`() throws {
    let problems = try change {
      $0.origin.connectTimeout = 11
      $0.origin.connectAttempts = 0
      $0.origin.responseTimeout = 121
      $0.origin.keepAliveTimeout = 0
      $0.tags = [Tag(key: "a", value: "1"), Tag(key: "a", value: "2"), Tag(key: "")]
      $0.settings.allowedMethods = .getHead
      $0.settings.cachesOptions = true
      $0.settings.staleIfError = -1
    }
    #expect(
      problems.map(\.where) == [
        "origin.connectTimeout", "origin.connectAttempts", "origin.responseTimeout",
        "origin.keepAliveTimeout", "tags", "tags", "settings.staleIfError",
        "settings.cachedMethods",
      ])
    #expect(problems.allSatisfy { !$0.hint.isEmpty })
  }

  @Test func `a message shows no control characters`() {
    let problems = Sample.problems { try validate(name: "a\u{1b}[2J\u{9b}b\n") }
    #expect(problems.first?.what.contains("\u{1b}") == false)
    #expect(problems.first?.what.contains("\u{9b}") == false)
    #expect(problems.first?.what.contains("\n") == false)
  }
}
