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

  /// A change that makes a distribution wrong, and where, what and how to mend it.
  struct Wrong: CustomTestStringConvertible, Sendable {
    let place: String
    let what: String
    let hint: String
    let change: @Sendable (inout Distribution) throws -> Void

    init(
      _ place: String, _ what: String, _ hint: String,
      _ change: @escaping @Sendable (inout Distribution) throws -> Void
    ) {
      self.place = place
      self.what = what
      self.hint = hint
      self.change = change
    }

    var testDescription: String { "\(place) \(what)" }
  }

  private static let wrong: [Wrong] = [
    // Origins (cloudfront-behaviour.md §14, §15, §17).
    Wrong("origin.targets", "\"http://shop.example\" occurs twice", "remove") {
      $0.origin.targets = [OriginTarget(host: "shop.example", port: 80)]
    },
    Wrong("origin.targets", "there are 64 targets", "at most 63") {
      $0.origin.targets = (1...64).map { OriginTarget(host: "t\($0).example", port: 80) }
    },
    Wrong("origin.targets", "character other than letters", "http://") {
      $0.origin.targets = [OriginTarget(host: "a b", port: 80)]
    },
    Wrong("origin.targets", "the port is 0", "1 to 65535") {
      $0.origin.targets = [OriginTarget(host: "ab", port: 0)]
    },
    Wrong("origin.sticky.cookie", "no cookie name", "atoll-target") {
      $0.origin.sticky = StickySession(cookie: "a=b")
    },
    Wrong("origin.sticky.duration", "0 is out of range", "1 to") {
      $0.origin.sticky = StickySession(duration: 0)
    },
    Wrong("origin.ejection.failures", "101 is out of range", "0 to 100") {
      $0.origin.ejection.failures = 101
    },
    Wrong("origin.ejection.duration", "3601 is out of range", "1 to 3600") {
      $0.origin.ejection.duration = 3_601
    },
    Wrong("origin.healthCheck.path", "no leading /", "/up") {
      $0.origin.healthCheck = HealthCheck(path: "up")
    },
    Wrong("origin.healthCheck.interval", "0 is out of range", "1 to 3600") {
      $0.origin.healthCheck = HealthCheck(interval: 0)
    },
    Wrong("origin.healthCheck.timeout", "61 is out of range", "1 to 60") {
      $0.origin.healthCheck = HealthCheck(timeout: 61)
    },
    Wrong("origin.healthCheck.unhealthyThreshold", "11 is out of range", "1 to 10") {
      $0.origin.healthCheck = HealthCheck(unhealthyThreshold: 11)
    },
    Wrong("origin.healthCheck.healthyThreshold", "0 is out of range", "1 to 10") {
      $0.origin.healthCheck = HealthCheck(healthyThreshold: 0)
    },
    Wrong("origin.healthCheck.status", "100 is out of range", "200 to 599") {
      $0.origin.healthCheck = HealthCheck(status: 100)
    },
    Wrong("origin.hostHeader", "\"a b\" is no host name", "www.shop.example") {
      $0.origin.hostHeader = .name("a b")
    },
    Wrong("origin.hostHeader", "no host name", "www.shop.example") {
      $0.origin.hostHeader = .name("http://a.example")
    },
    Wrong("origin.headers", "\"Host\" has a setting of its own", "hostHeader") {
      $0.origin.headers = [HeaderField(name: "Host", value: "a")]
    },
    Wrong("origin.headers", "\"Forwarded\" is written by the edge", "another") {
      $0.origin.headers = [HeaderField(name: "Forwarded", value: "a")]
    },
    Wrong("origin.headers", "\"X-Amz-Date\" is written by the edge", "another") {
      $0.origin.headers = [HeaderField(name: "X-Amz-Date", value: "a")]
    },
    Wrong("origin.headers", "\"If-None-Match\" is written", "another") {
      $0.origin.headers = [HeaderField(name: "If-None-Match", value: "a")]
    },
    Wrong("origin.headers", "is no header name", "the name alone") {
      $0.origin.headers = [HeaderField(name: "X Secret", value: "a")]
    },
    Wrong("origin.headers.X-A", "line break", "one line") {
      $0.origin.headers = [HeaderField(name: "X-A", value: "a\r\nHost: b")]
    },
    Wrong("origin.headers.X-A", "longer than 1783", "shorten") {
      $0.origin.headers = [
        HeaderField(name: "X-A", value: String(repeating: "a", count: 1_784))
      ]
    },
    Wrong("origin.headers", "longer than 256", "shorten") {
      $0.origin.headers = [HeaderField(name: String(repeating: "a", count: 257), value: "")]
    },
    Wrong("origin.headers", "there are 11 headers", "at most 10") {
      $0.origin.headers = (1...11).map { HeaderField(name: "X-\($0)", value: "") }
    },
    Wrong("origin.headers", "longer than 10240 characters in all", "shorten") {
      $0.origin.headers = (1...7).map {
        HeaderField(name: "X-\($0)", value: String(repeating: "a", count: 1_500))
      }
    },
    Wrong("origin.headers", "\"x-a\" occurs twice", "one") {
      $0.origin.headers = [
        HeaderField(name: "X-A", value: ""), HeaderField(name: "x-a", value: ""),
      ]
    },
    Wrong("origins", "\"default\" is the distribution's own origin", "another") {
      $0.origins = [NamedOrigin(name: "default", origin: $0.origin)]
    },
    Wrong("origins", "\"a/b\" holds a character", "letters") {
      $0.origins = [NamedOrigin(name: "a/b", origin: $0.origin)]
    },
    Wrong("origins", "\"\" has 0 characters", "1 to 128") {
      $0.origins = [NamedOrigin(name: "", origin: $0.origin)]
    },
    Wrong("origins", "\"b\" occurs twice", "its own name") {
      $0.origins = ["b", "b"].map { [origin = $0.origin] in NamedOrigin(name: $0, origin: origin) }
    },
    Wrong("origins.b.connectTimeout", "11 is out of range", "1 to 10") {
      var origin = $0.origin
      origin.connectTimeout = 11
      $0.origins = [NamedOrigin(name: "b", origin: origin)]
    },
    Wrong("originGroups", "\"b\" is the name of an origin", "another") {
      $0.origins = [NamedOrigin(name: "b", origin: $0.origin)]
      $0.originGroups = [OriginGroup(name: "b", members: ["default", "b"])]
    },
    Wrong("originGroups.g.members", "there is 1 member", "2 to 5") {
      $0.originGroups = [OriginGroup(name: "g", members: ["default"])]
    },
    Wrong("originGroups.g.members", "there is no origin \"spar\"", "did you mean \"spare\"?") {
      $0.origins = [NamedOrigin(name: "spare", origin: $0.origin)]
      $0.originGroups = [OriginGroup(name: "g", members: ["default", "spar"])]
    },
    Wrong("originGroups.g.members", "\"default\" occurs twice", "remove") {
      $0.originGroups = [OriginGroup(name: "g", members: ["default", "default"])]
    },
    Wrong("originGroups.g.statuses", "401 is not one of the statuses", "429") {
      $0.origins = [NamedOrigin(name: "b", origin: $0.origin)]
      $0.originGroups = [OriginGroup(name: "g", members: ["default", "b"], statuses: [401])]
    },
    Wrong("originGroups.g.statuses", "500 occurs twice", "remove") {
      $0.origins = [NamedOrigin(name: "b", origin: $0.origin)]
      $0.originGroups = [OriginGroup(name: "g", members: ["default", "b"], statuses: [500, 500])]
    },
    Wrong("settings.origin", "no origin or group \"imgaes\"", "did you mean \"images\"?") {
      $0.origins = [NamedOrigin(name: "images", origin: $0.origin)]
      $0.settings.origin = "imgaes"
    },
    Wrong("behaviors[0].origin", "no origin or group \"x\"", "add it to \"origins\"") {
      $0.behaviors = [PathBehavior(path: "/a", caching: .cache)]
      $0.behaviors[0].overrides.origin = "x"
    },
    // Root object and index document (§2).
    Wrong("rootObject", "has a leading /", "write index.html") { $0.rootObject = "/index.html" },
    Wrong("rootObject", "a character that it can't have", "letters") { $0.rootObject = "a?b" },
    Wrong("rootObject", "longer than 255", "shorten") {
      $0.rootObject = String(repeating: "a", count: 256)
    },
    Wrong("indexDocument", "holds a /", "index.html") { $0.indexDocument = "a/b" },
    Wrong("indexDocument", "is empty", "null") { $0.indexDocument = "" },
    // Errors (§19, §20).
    Wrong("errors.minimumTTL", "-1 is out of range", "0 to") { $0.errors.minimumTTL = -1 },
    Wrong("errors.responses[0].status", "401 is not one of the statuses", "404") {
      $0.errors.responses = [ErrorResponse(status: 401)]
    },
    Wrong("errors.responses[1].status", "404 occurs twice", "one") {
      $0.errors.responses = [ErrorResponse(status: 404), ErrorResponse(status: 404)]
    },
    Wrong("errors.responses[0].responseStatus", "301 is not one", "200") {
      $0.errors.responses = [ErrorResponse(status: 404, responseStatus: 301)]
    },
    Wrong("errors.responses[0].page", "no leading /", "write /404.html") {
      $0.errors.responses = [ErrorResponse(status: 404, page: .path("404.html"))]
    },
    Wrong("errors.responses[0].page", "no URL may hold", "%20") {
      $0.errors.responses = [ErrorResponse(status: 404, page: .path("/a b"))]
    },
    Wrong("errors.responses[0].page.file", "no whole path", "begin it with /") {
      $0.errors.responses = [ErrorResponse(status: 404, page: .file("404.html"))]
    },
    // Viewers (§26).
    Wrong("trustedProxies", "neither an address nor a network", "10.0.0.0/8") {
      $0.trustedProxies = ["proxy.example"]
    },
    Wrong("trustedProxies", "prefix length", "10.0.0.0/8") { $0.trustedProxies = ["10.0.0.0/33"] },
    Wrong("trustedProxies", "prefix length", "/32") { $0.trustedProxies = ["::1/129"] },
    Wrong("trustedProxies", "occurs twice", "one") { $0.trustedProxies = ["::1", "::1"] },
    Wrong("geoRestriction", "\"UK\" is no country code", "write GB") {
      $0.geoRestriction = .block(["UK"])
    },
    Wrong("geoRestriction", "\"de\" is not in capitals", "write DE") {
      $0.geoRestriction = .allow(["de"])
    },
    Wrong("geoRestriction", "the list is empty", "name a country") {
      $0.geoRestriction = .allow([])
    },
    // Key and origin request (§6, §14).
    Wrong("settings.forwardedHeaders", "can't be part of the key", "originRequest") {
      $0.settings.forwardedHeaders = .allExcept(["A"])
    },
    Wrong("settings.forwardedCookies", "no cookie name", "session_id") {
      $0.settings.forwardedCookies = .allExcept(["a=b"])
    },
    Wrong("settings.key.dropQueryStrings", "no query string name", "alone") {
      $0.settings.key.droppedQueryStrings = ["a&b"]
    },
    Wrong("settings.key.dropQueryStrings", "there are 65 entries", "at most 64") {
      $0.settings.key.droppedQueryStrings = (1...65).map { "p\($0)" }
    },
    Wrong("settings.originRequest.headers", "\"Cookie\" has a list", "originRequest.cookies") {
      $0.settings.originRequest.headers = .allExcept(["Cookie"])
    },
    Wrong("settings.originRequest.headers", "is written by the edge", "take it off") {
      $0.settings.originRequest.headers = .listed(["Proxy-Authorization"])
    },
    // The rest of a behavior (§8, §12, §22, §28).
    Wrong("settings.sliceSize", "100000 is no size of slices", "64K") {
      $0.settings.sliceSize = 100_000
    },
    Wrong("settings.sliceSize", "no size of slices", "16M") { $0.settings.sliceSize = 1 << 25 },
    Wrong("settings.upgradeTimeout", "0 is out of range", "1 to") {
      $0.settings.upgradeTimeout = 0
    },
    Wrong("settings.compression.minimumSize", "10 is greater than the maximum, 9", "lower") {
      $0.settings.compression = CompressionSettings(minimumSize: 10, maximumSize: 9)
    },
    Wrong("settings.compression.types", "\"css\" is no media type", "text/css") {
      $0.settings.compression.types = ["css"]
    },
    Wrong("settings.compression.types", "no media type", "text/*") {
      $0.settings.compression.types = ["*/*"]
    },
    Wrong("settings.responseHeaders.remove", "\"Via\" can't be removed", "take it off") {
      $0.settings.responseHeaders.removed = ["Via"]
    },
    Wrong("settings.responseHeaders.set[0].name", "\"Content-Length\" can't", "take it off") {
      $0.settings.responseHeaders.set = [ResponseHeader(name: "Content-Length", value: "1")]
    },
    Wrong("settings.responseHeaders.set[0].value", "line break", "one line") {
      $0.settings.responseHeaders.set = [ResponseHeader(name: "X-A", value: "a\nb")]
    },
    Wrong("settings.responseHeaders.set[0].value", "ends with a space", "remove") {
      $0.settings.responseHeaders.set = [ResponseHeader(name: "X-A", value: "a ")]
    },
    Wrong("settings.responseHeaders.set[1].name", "\"x-a\" occurs twice", "append both") {
      $0.settings.responseHeaders.set = [
        ResponseHeader(name: "X-A", value: "a"), ResponseHeader(name: "x-a", value: "b"),
      ]
    },
    Wrong("settings.responseHeaders.cors.origins", "\"https://*mple.test\" has a *", "*.shop") {
      $0.settings.responseHeaders.cors = CORSSettings(origins: ["https://*mple.test"])
    },
    Wrong("settings.responseHeaders.cors.origins", "has a *", "*.shop.example") {
      $0.settings.responseHeaders.cors = CORSSettings(origins: ["https://a.*.test"])
    },
    Wrong("settings.responseHeaders.cors.origins", "no scheme", "https://") {
      $0.settings.responseHeaders.cors = CORSSettings(origins: ["shop.example"])
    },
    Wrong("settings.responseHeaders.cors.origins", "has a path", "end it") {
      $0.settings.responseHeaders.cors = CORSSettings(origins: ["https://shop.example/"])
    },
    Wrong("settings.responseHeaders.cors.origins", "the list is empty", "[\"*\"]") {
      $0.settings.responseHeaders.cors = CORSSettings(origins: [])
    },
    Wrong("settings.responseHeaders.cors.credentials", "every site", "name the origins") {
      $0.settings.responseHeaders.cors = CORSSettings(allowsCredentials: true)
    },
    Wrong("settings.responseHeaders.cors.methods", "neither a name nor *", "alone") {
      $0.settings.responseHeaders.cors = CORSSettings(methods: ["GET,PUT"])
    },
    Wrong("settings.responseHeaders.security.frameOptions", "is not one of", "\"DENY\"") {
      $0.settings.responseHeaders.security = SecurityHeaders(frameOptions: "ALLOW")
    },
    Wrong("settings.responseHeaders.security.strictTransportSecurity", "is no Strict", "max-age=") {
      $0.settings.responseHeaders.security = SecurityHeaders(strictTransportSecurity: "preload")
    },
    Wrong("settings.responseHeaders.security.xssProtection", "is not one of", "report=") {
      $0.settings.responseHeaders.security = SecurityHeaders(xssProtection: "2")
    },
    Wrong("settings.responseHeaders.security.contentSecurityPolicy", "longer than 1783", "short") {
      $0.settings.responseHeaders.security = SecurityHeaders(
        contentSecurityPolicy: String(repeating: "a", count: 1_784))
    },
    Wrong("settings.responseHeaders.serverTiming", "100.5 is out of range", "0 to 100") {
      $0.settings.responseHeaders.serverTiming = 100.5
    },
    // A behavior's own settings are told where it stands; the two it combines, too.
    Wrong("behaviors[0].cachedMethods", "OPTIONS is cached but not allowed", "add OPTIONS") {
      $0.settings.cachesOptions = true
      $0.behaviors = [PathBehavior(path: "/a", caching: .cache)]
      $0.behaviors[0].overrides.allowedMethods = .getHead
    },
    Wrong("behaviors[0].staleIfError", "-1 is out of range", "0 to") {
      $0.behaviors = [PathBehavior(path: "/a", caching: .cache)]
      $0.behaviors[0].overrides.staleIfError = -1
    },
  ]

  @Test(arguments: wrong)
  func `what no reference allows is refused with place and fix`(wrong: Wrong) throws {
    var distribution = try Sample.distribution()
    try wrong.change(&distribution)
    let problems = Sample.problems { try validate(distribution) }
    #expect(problems.count == 1, "\(problems)")
    #expect(problems.first?.where == wrong.place)
    #expect(problems.first?.what.contains(wrong.what) == true, "\(problems)")
    #expect(problems.first?.hint.contains(wrong.hint) == true, "\(problems)")
  }

  @Test func `what the references allow is valid`() throws {
    let problems = try change {
      $0.origin.headers = [
        HeaderField(name: "Accept-Encoding", value: ""), HeaderField(name: "X-A", value: "a\tb é"),
      ]
      $0.origin.hostHeader = .name("www.shop.example:8080")
      $0.rootObject = "dir/index~1.html"
      $0.trustedProxies = ["0.0.0.0/0", "2001:db8::/32", "10.0.0.1"]
      $0.geoRestriction = .block(["XK", "DE"])
      $0.settings.responseHeaders.cors = CORSSettings(
        origins: ["https://*.a.test:*", "http://[::1]:8080", "https://a.test"],
        allowsCredentials: true)
      $0.settings.responseHeaders.removed = ["Server", "Date", "X-Powered-By"]
      $0.settings.responseHeaders.set = [
        ResponseHeader(name: "Link", value: "a", mode: .append),
        ResponseHeader(name: "Link", value: "b", mode: .append),
        ResponseHeader(name: "Cache-Control", value: "max-age=1", mode: .override),
      ]
      $0.settings.responseHeaders.security = SecurityHeaders(
        strictTransportSecurity: "max-age=1; includeSubDomains; preload",
        xssProtection: "1; report=/x")
      $0.settings.sliceSize = 0
      $0.errors.responses = ErrorResponse.statuses.map { ErrorResponse(status: $0, minimumTTL: 0) }
    }
    #expect(problems.isEmpty, "\(problems)")
  }

  @Test func `a message shows no control characters`() {
    let problems = Sample.problems { try validate(name: "a\u{1b}[2J\u{9b}b\n") }
    #expect(problems.first?.what.contains("\u{1b}") == false)
    #expect(problems.first?.what.contains("\u{9b}") == false)
    #expect(problems.first?.what.contains("\n") == false)
  }
}
