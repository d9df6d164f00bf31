// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

@Suite struct ConfigFileTests {
  private func full() throws -> Distribution {
    var distribution = try Sample.distribution(preset: .custom, url: "https://[::1]:8443/app")
    distribution.revision = 17
    distribution.modified += 60
    distribution.isEnabled = false
    distribution.plan = .medium
    distribution.tags = [Tag(key: "team", value: "web"), Tag(key: "bare")]
    distribution.ipAddressType = .dualstack
    distribution.origin.connectAttempts = 2
    distribution.origin.responseTimeout = 60
    distribution.origin.label = "my-instance"
    distribution.origin.region = "eu-west-1"
    distribution.defaultBehavior = .dontCache
    distribution.behaviors = [
      PathBehavior(
        path: "/img/*", caching: .cache, ttl: TTL(minimum: 1, default: nil, maximum: 9)),
      PathBehavior(path: "/api/", caching: .dontCache),
    ]
    distribution.settings = BehaviorSettings(
      ttl: TTL(minimum: 1, default: 2, maximum: 3), overridesOrigin: true, staleIfError: 0,
      allowedMethods: .getHeadOptions, cachesOptions: true,
      forwardedHeaders: .listed(["Host", "Accept-Language"]), forwardedCookies: .listed(["s_*"]),
      forwardedQueryStrings: .allExcept(["utm_*"]),
      key: KeySettings(
        host: true, scheme: true, device: true, country: true, sortsQuery: true,
        droppedQueryStrings: ["tracking", "x?"], codings: [.brotli]),
      originRequest: OriginRequestSettings(
        headers: .allExcept(["User-Agent"]), cookies: .all, queryStrings: .listed(["q"])),
      origin: "both", sliceSize: 65_536,
      compression: CompressionSettings(
        codings: [.gzip, .brotli], minimumSize: 1, maximumSize: 2,
        types: ["text/*", "image/svg+xml"]),
      viewerProtocol: .redirectToHTTPS,
      responseHeaders: ResponseHeaderSettings(
        removed: ["Server"],
        set: [
          ResponseHeader(name: "X-A", value: "a, \"b\"", mode: .override),
          ResponseHeader(name: "X-B", value: "", mode: .append),
          ResponseHeader(name: "X-C", value: "c"),
        ],
        cors: CORSSettings(
          origins: ["https://*.shop.example", "http://[::1]:*"], allowsCredentials: true,
          methods: ["GET", "PUT"], headers: ["X-Token"], exposedHeaders: ["ETag"], maxAge: 600,
          overridesOrigin: false),
        security: SecurityHeaders(
          strictTransportSecurity: "max-age=5; preload", frameOptions: "DENY",
          contentSecurityPolicy: "default-src 'self'", overridesOrigin: true), serverTiming: 12.5),
      upgradeTimeout: 60)
    distribution.settings.honorsRequestDirectives = true
    distribution.origin.targets = [
      OriginTarget(host: "10.0.0.8", port: 443), OriginTarget(host: "2001:db8::1", port: 8_443),
    ]
    distribution.origin.balance = .leastConnections
    distribution.origin.sticky = StickySession(cookie: "t", duration: 60)
    distribution.origin.ejection = Ejection(failures: 0, duration: 5)
    distribution.origin.healthCheck = HealthCheck(
      path: "/up?a", interval: 1, timeout: 2, unhealthyThreshold: 3, healthyThreshold: 4,
      status: 204)
    distribution.origin.hostHeader = .viewer
    distribution.origin.headers = [
      HeaderField(name: "X-Secret", value: "s"), .init(name: "X", value: ""),
    ]
    var images = try Origin(url: "http://images.example/i")
    images.hostHeader = .name("www.images.example")
    images.responseTimeout = 90
    distribution.origins = [
      NamedOrigin(name: "images", origin: images),
      NamedOrigin(name: "api", origin: try Origin(url: "http://api.example")),
    ]
    distribution.originGroups = [
      OriginGroup(name: "both", members: ["default", "api"], statuses: [404, 429]),
      OriginGroup(name: "silent", members: ["api", "images"], statuses: []),
    ]
    distribution.rootObject = "home/index.html"
    distribution.indexDocument = "index.html"
    distribution.errors = ErrorSettings(
      minimumTTL: 7,
      responses: [
        ErrorResponse(status: 404, page: .path("/404.html"), responseStatus: 200, minimumTTL: 60),
        ErrorResponse(status: 500, page: .file("/srv/500.html")),
        ErrorResponse(status: 503, minimumTTL: 0),
      ])
    distribution.trustedProxies = ["10.0.0.0/8", "2001:db8::/32", "::1"]
    distribution.defaultDomain = "d0123456789abc.cdn.example"
    distribution.domains = [
      AttachedDomain(name: "www.shop.example", certificates: ["shop", "shop-rsa"]),
      AttachedDomain(name: "*.shop.example"),
    ]
    distribution.detachedDomains = ["old.shop.example"]
    distribution.geoRestriction = .allow(["DE", "US"])
    // Everything that a behavior can have of its own, part of it as inherited.
    var own = SettingsOverride(ttl: distribution.settings.ttl)
    own.overridesOrigin = false
    own.staleIfError = 5
    own.honorsRequestDirectives = false
    own.allowedMethods = .all
    own.cachesOptions = false
    own.forwardedHeaders = NameSelection.none
    own.forwardedCookies = .all
    own.forwardedQueryStrings = .listed(["a"])
    own.key = KeySettings()
    own.originRequest = OriginRequestSettings()
    own.origin = "default"
    own.sliceSize = 0
    own.compression = CompressionSettings()
    own.viewerProtocol = .allowAll
    own.responseHeaders = ResponseHeaderSettings(security: .standard)
    own.upgradeTimeout = 61
    distribution.behaviors.append(
      PathBehavior(path: "/own/*", caching: .cache, overrides: own))
    own.responseHeaders = distribution.settings.responseHeaders
    own.responseHeaders?.cors?.maxAge = nil
    own.responseHeaders?.security?.frameOptions = nil
    own.compression = distribution.settings.compression
    own.compression?.types = nil
    distribution.behaviors.append(
      PathBehavior(path: "/less/*", caching: .cache, overrides: own))
    return distribution
  }

  @Test func `a distribution is printed in a fixed order`() throws {
    var distribution = try Sample.distribution(preset: .wordpress)
    distribution.revision = 3
    distribution.tags = [Tag(key: "team", value: "web")]
    #expect(
      String(decoding: DistributionFile.encode(distribution), as: UTF8.self) == """
        {
          "schemaVersion": 1,
          "name": "shop",
          "id": "d0123456789abc",
          "defaultDomain": "d0123456789abc.atoll.localhost",
          "revision": 3,
          "created": "2026-01-01T00:00:00Z",
          "modified": "2026-01-01T00:00:00Z",
          "enabled": true,
          "preset": "wordpress",
          "plan": "unlimited",
          "tags": {
            "team": "web"
          },
          "origin": {
            "url": "http://shop.example",
            "connectTimeout": 10,
            "connectAttempts": 3,
            "responseTimeout": 30,
            "keepAliveTimeout": 5
          },
          "defaultBehavior": "dont-cache",
          "behaviors": [
            {
              "path": "wp-includes/*",
              "behavior": "cache"
            },
            {
              "path": "wp-content/*",
              "behavior": "cache"
            }
          ],
          "settings": {
            "ttl": {
              "minimum": 0,
              "default": 86400,
              "maximum": 31536000
            },
            "overridesOrigin": false,
            "staleIfError": 86400,
            "allowedMethods": [
              "GET",
              "HEAD",
              "OPTIONS",
              "PUT",
              "PATCH",
              "POST",
              "DELETE"
            ],
            "cachedMethods": [
              "GET",
              "HEAD"
            ],
            "forwardedHeaders": [
              "Host"
            ],
            "forwardedCookies": "none",
            "forwardedQueryStrings": "all"
          }
        }

        """)
  }

  @Test(arguments: Preset.allCases)
  func `decoding what was printed changes nothing`(preset: Preset) throws {
    for distribution in [try Sample.distribution(preset: preset), try full()] {
      let bytes = DistributionFile.encode(distribution)
      let stored = try DistributionFile.decodeStored(bytes, source: "shop.json")
      #expect(stored == distribution)
      #expect(DistributionFile.encode(stored) == bytes)
      // As a file for apply: the stored one keeps its identity, and nothing differs.
      let drafts = try DistributionFile.decode(bytes, source: "shop.json")
      let applied = try drafts[0].make(existing: distribution, now: 9_999_999_999)
      #expect(applied == distribution)
      #expect(differences(from: distribution, to: applied).isEmpty)
    }
  }

  @Test func `a partial file takes the rest from its preset`() throws {
    let minimal = try Sample.make(#"{"name": "shop", "origin": {"url": "http://a.example"}}"#)
    #expect(minimal.preset == .origin)
    #expect(minimal.settings == Preset.origin.caching.settings)
    let short = try Sample.make(
      #"{"name": "shop", "origin": "http://a.example", "preset": "wordpress"}"#)
    #expect(short.preset == .wordpress)
    #expect(short.behaviors.map(\.path) == ["wp-includes/*", "wp-content/*"])
    let changed = try Sample.make(
      """
      {"name": "shop", "origin": "http://a.example", "preset": "static",
       "settings": {"ttl": {"default": 60}}}
      """)
    #expect(changed.preset == .custom)
    #expect(changed.settings.ttl == TTL(minimum: 0, default: 60, maximum: TTL.year))
    #expect(changed.settings.forwardedHeaders == .none)
  }

  @Test func `overrides of a dynamic distribution keep its preset`() throws {
    let distribution = try Sample.make(
      """
      {"name": "shop", "origin": "http://a.example", "preset": "dynamic",
       "behaviors": [{"path": "/img/*", "behavior": "cache", "ttl": {"maximum": 90, "default": 5}}]}
      """)
    #expect(distribution.preset == .dynamic)
    #expect(
      distribution.behaviors == [
        PathBehavior(
          path: "/img/*", caching: .cache, ttl: TTL(minimum: 0, default: 5, maximum: 90))
      ])
  }

  @Test func `a file over a base changes only what it says`() throws {
    let base = try full()
    let drafts = try Sample.decode(#"{"enabled": true}"#, base: base)
    let made = try drafts[0].make(existing: base, now: base.modified + 5)
    #expect(differences(from: base, to: made) == ["enable it"])
    #expect(made.id == base.id)
    #expect(made.created == base.created)
    #expect(made.modified == base.modified + 5)
  }

  @Test func `a file may hold several`() throws {
    let json = """
      [{"name": "one", "origin": "http://a.example"}, {"name": "two", "origin": "http://b.example"}]
      """
    #expect(try Sample.decode(json).map(\.name) == ["one", "two"])
    #expect(
      try Sample.decode(#"{"schemaVersion": 1, "distributions": \#(json)}"#).map(\.name)
        == ["one", "two"])
    let problems = Sample.problems {
      let drafts = try Sample.decode(
        """
        [{"name": "one", "origin": "http://a.example"},
         {"name": "two", "origin": "http://b.example", "settings": {"ttl": {"default": -5}}}]
        """)
      for draft in drafts { _ = try draft.make(now: 0) }
    }
    #expect(problems.map(\.where) == ["site.json: [1].settings.ttl.default"])
  }

  @Test(arguments: [
    (#"{"nam": "a"}"#, "site.json", "unknown key \"nam\"", "did you mean \"name\"?"),
    (#"{"settings": {"tll": {}}}"#, "site.json: settings", "unknown key \"tll\"", "\"ttl\""),
    (#"{"settings": {"x": 1}}"#, "site.json: settings", "unknown key \"x\"", "the keys here are"),
    (
      #"{"settings": {"ttl": {"default": "one day"}}}"#, "site.json: settings.ttl.default",
      "\"one day\" is not a number of seconds", "write seconds, such as 86400"
    ),
    (
      #"{"settings": {"ttl": {"default": "60"}}}"#, "site.json: settings.ttl.default",
      "\"60\" is text", "write 60 without quotes"
    ),
    (
      #"{"settings": {"ttl": {"minimum": 1.5}}}"#, "site.json: settings.ttl.minimum",
      "1.5 is not a number of seconds", "write seconds"
    ),
    (
      #"{"settings": {"ttl": {"minimum": null}}}"#, "site.json: settings.ttl.minimum",
      "null is not a number of seconds", "write seconds"
    ),
    (#"{"enabled": "yes"}"#, "site.json: enabled", "neither true nor false", "unquoted"),
    (#"{"name": 5}"#, "site.json: name", "5 is not text", "in quotes"),
    (#"{"preset": "statik"}"#, "site.json: preset", "unknown value \"statik\"", "\"static\""),
    (#"{"plan": 5}"#, "site.json: plan", "unknown value 5", "\"unlimited\", \"small\""),
    (
      #"{"behaviors": [{"path": "/a"}]}"#, "site.json: behaviors[0]", "\"behavior\" is missing",
      "\"cache\""
    ),
    (
      #"{"behaviors": [{"path": "/a", "behavior": "cash"}]}"#, "site.json: behaviors[0].behavior",
      "unknown value \"cash\"", "\"cache\""
    ),
    (#"{"behaviors": {}}"#, "site.json: behaviors", "where a list belongs", "[ … ]"),
    (#"{"settings": []}"#, "site.json: settings", "where an object belongs", "{ … }"),
    (
      #"{"settings": {"allowedMethods": ["GET"]}}"#, "site.json: settings.allowedMethods",
      "\"GET\" is not one of the choices", "GET,HEAD,OPTIONS"
    ),
    (
      #"{"settings": {"forwardedCookies": "some"}}"#, "site.json: settings.forwardedCookies",
      "\"some\" is no choice of names", "\"none\", \"all\" or a list"
    ),
    (
      #"{"origin": {"url": "a.example"}}"#, "site.json: origin.url", "no scheme", "http://a.example"
    ),
    (#"{"schemaVersion": 2}"#, "site.json: schemaVersion", "schema 2", "a newer atoll"),
    (
      #"{"created": "today"}"#, "site.json: created", "\"today\" is no time", "2026-03-01T12:00:00Z"
    ),
    (#"{"id": "x"}"#, "site.json: id", "\"x\" is no id", "remove it"),
    ("[]", "site.json", "holds no distribution", "at least one"),
    ("7", "site.json", "7 stands where a distribution belongs", "write an object"),
    ("{", "site.json:1:2", "ends too early", "bracket"),
    (
      #"[{"name": "ab"}, {"name": "ab"}]"#, "site.json: [1]", "a second distribution is named",
      "its own name"
    ),
  ])
  func `a wrong file is refused at its place`(
    json: String, place: String, what: String, hint: String
  ) {
    Sample.expectProblem(of: json, at: place, what, hint)
  }

  @Test func `all problems of a file come at once`() {
    let problems = Sample.problems {
      _ = try Sample.decode(#"{"nam": 1, "enabled": 1, "settings": {"ttl": {"default": "x"}}}"#)
    }
    #expect(problems.count == 3)
  }

  @Test func `a missing name or origin is said with the fix`() {
    let problems = Sample.problems { _ = try Sample.decode("{}")[0].make(now: 0) }
    #expect(
      problems.map(\.message) == [
        "site.json: the distribution has no name", "site.json: the distribution has no origin",
      ])
  }

  @Test func `a file that is too large is refused`() {
    let problems = Sample.problems {
      _ = try Sample.decode(String(repeating: " ", count: ConfigLimits.file + 1))
    }
    #expect(problems.first?.what.contains("bytes") == true)
  }

  @Test func `a file that a person put into the store is whole`() throws {
    let bytes = Array(#"{"name": "shop", "origin": "http://a.example"}"#.utf8)
    let first = try DistributionFile.decodeStored(bytes, source: "shop.json")
    #expect(first == (try DistributionFile.decodeStored(bytes, source: "shop.json")))
    #expect(first.id.utf8.count == 14)
  }

  @Test func `changes are told in words`() throws {
    let old = try Sample.distribution()
    var new = old
    new.isEnabled = false
    new.origin.host = "b.example"
    new.settings.ttl.default = 3_600
    new.settings.ttl.maximum = 90
    new.settings.forwardedHeaders = .listed(["Host", "Accept"])
    new.tags = [Tag(key: "team", value: "web")]
    new.behaviors = [PathBehavior(path: "/a", caching: .dontCache)]
    new.id = "dxxxxxxxxxxxxx"
    new.revision = 5
    new.modified += 1
    #expect(
      differences(from: old, to: new) == [
        "disable it", "add the tag \"team\" = \"web\"",
        "change the origin from http://shop.example to http://b.example",
        "add the override \"/a\": dont-cache", "change the default TTL from 1d to 1h",
        "change the maximum TTL from 365d to 90s",
        "change the forwarded headers from none to Host, Accept",
      ])
    #expect(differences(from: old, to: old).isEmpty)
    #expect(
      differences(from: nil, to: old) == [
        "create \"shop\" for http://shop.example", "use the preset static",
      ])
  }

  @Test func `a changed order of overrides is a change`() throws {
    var old = try Sample.distribution(preset: .dynamic)
    old.behaviors = ["/a", "/b"].map { PathBehavior(path: $0, caching: .cache) }
    var new = old
    new.behaviors.reverse()
    #expect(differences(from: old, to: new) == ["reorder the overrides: \"/b\", \"/a\""])
    new.behaviors = ["/c", "/a", "/b"].map { PathBehavior(path: $0, caching: .cache) }
    #expect(
      differences(from: old, to: new) == [
        "add the override \"/c\": cache", "the overrides are then: \"/c\", \"/a\", \"/b\"",
      ])
  }
}
