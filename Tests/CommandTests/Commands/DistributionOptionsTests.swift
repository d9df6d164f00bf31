// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

@testable import atoll

/// What each option of create and update makes of a distribution.
@Suite struct DistributionOptionsTests {
  /// Words of a command line, and what they must change.
  struct Case: Sendable, CustomTestStringConvertible {
    let words: [String]
    let change: @Sendable (inout Distribution) -> Void

    init(_ words: String..., change: @escaping @Sendable (inout Distribution) -> Void) {
      self.words = words
      self.change = change
    }

    var testDescription: String { words.joined(separator: " ") }
  }

  private static func base() throws -> Distribution {
    var base = Distribution.make(
      name: "shop", origin: try Origin(url: "http://a.example"), preset: .static,
      id: "d0123456789abc", now: 1_767_225_600)
    base.preset = .custom
    return base
  }

  private static func edited(
    _ words: [String], _ base: Distribution, environment: [String: String] = [:]
  ) throws -> Distribution {
    var result = base
    let parsed = try Parser.parse(
      ["shop"] + words, for: UpdateCommand.definition, environment: environment)
    let edit = DistributionEdit(parsed: parsed)
    if let origin = try edit.origin(current: result.origin) { result.origin = origin }
    try edit.apply(to: &result)
    return result
  }

  private static let cases: [Case] = [
    // Origin.
    Case("--origin", "http://b.example:81/x") {
      $0.origin.host = "b.example"
      $0.origin.port = 81
      $0.origin.path = "/x"
    },
    Case("--origin", "http://b.example", "--origin", "http://c.example:81") {
      $0.origin.host = "b.example"
      $0.origin.targets = [OriginTarget(host: "c.example", port: 81)]
    },
    Case("--origin", "b.example", "--origin", "c.example", "--origin-protocol", "https-only") {
      $0.origin.scheme = .https
      $0.origin.host = "b.example"
      $0.origin.port = 443
      $0.origin.targets = [OriginTarget(host: "c.example", port: 443)]
    },
    Case("--origin", "http://b.example:81", "--origin-protocol", "match-viewer") {
      $0.origin.host = "b.example"
      $0.origin.port = 81
      $0.origin.httpsPort = 443
    },
    Case("--origin-protocol", "match-viewer", "--origin-https-port", "8443") {
      $0.origin.httpsPort = 8_443
    },
    Case("--origin-ca", "/etc/ca.pem", "--origin-tls-min", "TLSv1.3") {
      $0.origin.tls = OriginTLS(ca: "/etc/ca.pem", minimumVersion: .tls13)
    },
    Case("--origin-insecure") { $0.origin.tls.verify = false },
    Case("--origin-verify", "off") { $0.origin.tls.verify = false },
    Case("--origin-server-name", "Www.a.example") { $0.origin.tls.serverName = "www.a.example" },
    Case("--origin-certificate", "/etc/c.pem", "--origin-key", "/etc/k.pem") {
      $0.origin.tls.certificate = "/etc/c.pem"
      $0.origin.tls.key = "/etc/k.pem"
    },
    Case("--named-origin", "img=http://b.example https-port=444 verify=off ca=/etc/ca.pem") {
      $0.origins = [
        NamedOrigin(
          name: "img",
          origin: Origin(
            scheme: .http, host: "b.example", port: 80, httpsPort: 444,
            tls: OriginTLS(verify: false, ca: "/etc/ca.pem")))
      ]
    },
    Case("--origin-connect-timeout", "2s") { $0.origin.connectTimeout = 2 },
    Case("--origin-connect-attempts", "1") { $0.origin.connectAttempts = 1 },
    Case("--origin-response-timeout", "1m") { $0.origin.responseTimeout = 60 },
    Case("--origin-keep-alive-timeout", "9") { $0.origin.keepAliveTimeout = 9 },
    Case("--host-header", "viewer") { $0.origin.hostHeader = .viewer },
    Case("--host-header", "www.a.example") { $0.origin.hostHeader = .name("www.a.example") },
    Case("--origin-header", "X-Secret: a, b", "--origin-header", "x-empty:") {
      $0.origin.headers = [
        HeaderField(name: "X-Secret", value: "a, b"), HeaderField(name: "x-empty", value: ""),
      ]
    },
    Case("--balance", "hash") { $0.origin.balance = .hash },
    Case("--sticky", "target:1h") {
      $0.origin.sticky = StickySession(cookie: "target", duration: 3_600)
    },
    Case("--sticky", "target") { $0.origin.sticky = StickySession(cookie: "target") },
    Case("--eject", "3:1m") { $0.origin.ejection = Ejection(failures: 3, duration: 60) },
    Case("--eject", "off") { $0.origin.ejection = Ejection(failures: 0) },
    Case("--health-check", "/up", "--health-check-interval", "20s", "--health-check-timeout", "2s")
    {
      $0.origin.healthCheck = HealthCheck(path: "/up", interval: 20, timeout: 2)
    },
    Case(
      "--health-check-unhealthy", "3", "--health-check-healthy", "4", "--health-check-status", "204"
    ) {
      $0.origin.healthCheck = HealthCheck(
        unhealthyThreshold: 3, healthyThreshold: 4, status: 204)
    },
    // Further origins.
    Case("--named-origin", "img=http://b.example,http://c.example balance=hash header=X:y") {
      var origin = Origin(scheme: .http, host: "b.example", port: 80)
      origin.targets = [OriginTarget(host: "c.example", port: 80)]
      origin.balance = .hash
      origin.headers = [HeaderField(name: "X", value: "y")]
      $0.origins = [NamedOrigin(name: "img", origin: origin)]
    },
    Case(
      "--named-origin", "b=http://b.example", "--origin-group", "both=default,b:500,404",
      "--use-origin", "both"
    ) {
      $0.origins = [
        NamedOrigin(name: "b", origin: Origin(scheme: .http, host: "b.example", port: 80))
      ]
      $0.originGroups = [
        OriginGroup(name: "both", members: ["default", "b"], statuses: [500, 404])
      ]
      $0.settings.origin = "both"
    },
    Case("--named-origin", "b=http://b.example", "--origin-group", "both=default,b") {
      $0.origins = [
        NamedOrigin(name: "b", origin: Origin(scheme: .http, host: "b.example", port: 80))
      ]
      $0.originGroups = [OriginGroup(name: "both", members: ["default", "b"])]
    },
    // Caching and paths.
    Case("--default-behavior", "dont-cache") { $0.defaultBehavior = .dontCache },
    Case("--default-ttl", "2h", "--min-ttl", "1m", "--max-ttl", "7d") {
      $0.settings.ttl = TTL(minimum: 60, default: 7_200, maximum: 604_800)
    },
    Case("--default-ttl", "none") { $0.settings.ttl.default = nil },
    Case("--override-origin") { $0.settings.overridesOrigin = true },
    Case("--no-override-origin") { $0.settings.overridesOrigin = false },
    Case("--stale-if-error", "1h") { $0.settings.staleIfError = 3_600 },
    Case("--request-directives", "on") { $0.settings.honorsRequestDirectives = true },
    Case("--allowed-methods", "get,head,options", "--cache-options") {
      $0.settings.allowedMethods = .getHeadOptions
      $0.settings.cachesOptions = true
    },
    Case("--no-cache-options") { $0.settings.cachesOptions = false },
    Case("--slice-size", "4M") { $0.settings.sliceSize = 4 << 20 },
    Case("--slice-size", "off") { $0.settings.sliceSize = 0 },
    Case("--cache-path", "/img/* default=1h max=2h", "--dont-cache-path", "/api/*") {
      $0.behaviors = [
        PathBehavior(path: "/img/*", caching: .cache, ttl: TTL(default: 3_600, maximum: 7_200)),
        PathBehavior(path: "/api/*", caching: .dontCache),
      ]
    },
    Case(
      "--named-origin", "b=http://b.example", "--forward-cookies", "a", "--cache-path",
      "/x/* origin=b compress=gzip,br key=device override-origin=on cache-options=off "
        + "forward-query-strings=all-except:utm_*"
    ) {
      $0.origins = [
        NamedOrigin(name: "b", origin: Origin(scheme: .http, host: "b.example", port: 80))
      ]
      $0.settings.forwardedCookies = .listed(["a"])
      var own = SettingsOverride()
      own.origin = "b"
      own.compression = CompressionSettings(codings: [.gzip, .brotli])
      own.key = KeySettings(device: true)
      own.overridesOrigin = true
      own.cachesOptions = false
      own.forwardedQueryStrings = .allExcept(["utm_*"])
      $0.behaviors = [PathBehavior(path: "/x/*", caching: .cache, overrides: own)]
    },
    Case("--dont-cache-path", "/ws/* allowed-methods=GET,HEAD upgrade-timeout=1h") {
      var own = SettingsOverride()
      own.allowedMethods = .getHead
      own.upgradeTimeout = 3_600
      $0.behaviors = [PathBehavior(path: "/ws/*", caching: .dontCache, overrides: own)]
    },
    // Key and forwarding.
    Case("--forward-headers", "Host,Accept-Language") {
      $0.settings.forwardedHeaders = .listed(["Host", "Accept-Language"])
    },
    Case("--forward-cookies", "all", "--forward-query-strings", "all-except:utm_*,sid") {
      $0.settings.forwardedCookies = .all
      $0.settings.forwardedQueryStrings = .allExcept(["utm_*", "sid"])
    },
    Case("--key", "host,scheme,device,country") {
      $0.settings.key = KeySettings(host: true, scheme: true, device: true, country: true)
    },
    Case("--sort-query", "on", "--drop-query-strings", "tracking,x_*") {
      $0.settings.key.sortsQuery = true
      $0.settings.key.droppedQueryStrings = ["tracking", "x_*"]
    },
    Case("--accept-encoding", "gzip,br") { $0.settings.key.codings = [.gzip, .brotli] },
    Case("--accept-encoding", "none") { $0.settings.key.codings = [] },
    Case(
      "--origin-request-headers", "all-except:User-Agent", "--origin-request-cookies", "all",
      "--origin-request-query-strings", "q"
    ) {
      $0.settings.originRequest = OriginRequestSettings(
        headers: .allExcept(["User-Agent"]), cookies: .all, queryStrings: .listed(["q"]))
    },
    Case("--upgrade-timeout", "1h") { $0.settings.upgradeTimeout = 3_600 },
    // Responses.
    Case(
      "--compress", "br", "--compress-min-size", "2K", "--compress-max-size", "1M",
      "--compress-types", "text/*,image/svg+xml"
    ) {
      $0.settings.compression = CompressionSettings(
        codings: .brotli, minimumSize: 2_048, maximumSize: 1 << 20,
        types: ["text/*", "image/svg+xml"])
    },
    Case("--viewer-protocol", "redirect-to-https") {
      $0.settings.viewerProtocol = .redirectToHTTPS
    },
    Case(
      "--response-header", "X-A: b: c", "--response-header", "append Link: <x>",
      "--response-header", "if-absent X-C: d", "--remove-response-header", "Server"
    ) {
      $0.settings.responseHeaders.set = [
        ResponseHeader(name: "X-A", value: "b: c", mode: .override),
        ResponseHeader(name: "Link", value: "<x>", mode: .append),
        ResponseHeader(name: "X-C", value: "d"),
      ]
      $0.settings.responseHeaders.removed = ["Server"]
    },
    Case("--security-headers", "standard") { $0.settings.responseHeaders.security = .standard },
    Case("--hsts", "365d") {
      $0.settings.responseHeaders.security = SecurityHeaders(
        strictTransportSecurity: "max-age=31536000")
    },
    Case("--security-headers", "standard", "--hsts", "2w,subdomains,Preload") {
      var security = SecurityHeaders.standard
      security.strictTransportSecurity = "max-age=1209600; includeSubDomains; preload"
      $0.settings.responseHeaders.security = security
    },
    Case(
      "--cors", "https://*.a.example,https://b.example", "--cors-credentials", "on",
      "--cors-methods", "GET,PUT", "--cors-headers", "X-Token", "--cors-expose", "ETag",
      "--cors-max-age", "10m", "--cors-override", "off"
    ) {
      $0.settings.responseHeaders.cors = CORSSettings(
        origins: ["https://*.a.example", "https://b.example"], allowsCredentials: true,
        methods: ["GET", "PUT"], headers: ["X-Token"], exposedHeaders: ["ETag"], maxAge: 600,
        overridesOrigin: false)
    },
    Case("--server-timing", "12.5") { $0.settings.responseHeaders.serverTiming = 12.5 },
    Case("--server-timing", "0%") { $0.settings.responseHeaders.serverTiming = 0 },
    // Documents, errors, viewers, the distribution.
    Case("--root-object", "index.html", "--index-document", "index.htm") {
      $0.rootObject = "index.html"
      $0.indexDocument = "index.htm"
    },
    Case(
      "--error-page", "404=/404.html", "--error-page", "403=/a:b.html:200 ttl=1m", "--error-page",
      "500=file:/srv/500.html", "--error-page", "503 ttl=5s", "--error-ttl", "none"
    ) {
      $0.errors = ErrorSettings(responses: [
        ErrorResponse(status: 404, page: .path("/404.html")),
        ErrorResponse(
          status: 403, page: .path("/a:b.html"), responseStatus: 200, minimumTTL: 60),
        ErrorResponse(status: 500, page: .file("/srv/500.html")),
        ErrorResponse(status: 503, minimumTTL: 5),
      ])
    },
    Case("--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "::1") {
      $0.trustedProxies = ["10.0.0.0/8", "::1"]
    },
    Case("--geo-allow", "de,AT") { $0.geoRestriction = .allow(["DE", "AT"]) },
    Case("--geo-block", "KP") { $0.geoRestriction = .block(["KP"]) },
    Case("--plan", "small", "--disabled", "--tag", "team=web") {
      $0.plan = .small
      $0.isEnabled = false
      $0.tags = [Tag(key: "team", value: "web")]
    },
    Case("--enabled") { $0.isEnabled = true },
  ]

  @Test(arguments: cases)
  func `an option sets what it says and nothing else, and the result is valid`(
    row: Case
  ) throws {
    let base = try Self.base()
    let result = try Self.edited(row.words, base)
    var expected = base
    row.change(&expected)
    #expect(result == expected)
    try validate(result)
    // Once more changes nothing.
    #expect(try Self.edited(row.words, result) == result)
  }

  @Test func `every option has a row above`() {
    let used = Set(Self.cases.flatMap(\.words).filter { $0.hasPrefix("--") })
    let others = ["--preset", "--file"]
    for option in DistributionOptions.settings where !others.contains(option.spelling) {
      #expect(used.contains(option.spelling), "\(option.spelling)")
    }
  }

  @Test(arguments: [
    Case("--remove-origin-header", "X-SECRET") { $0.origin.headers = [] },
    Case("--remove-origin-group", "both", "--remove-origin", "b") {
      $0.originGroups = []
      $0.origins = []
    },
    Case("--named-origin", "b=http://c.example") { $0.origins[0].origin.host = "c.example" },
    Case("--sticky", "none") { $0.origin.sticky = nil },
    Case("--health-check", "none") { $0.origin.healthCheck = nil },
    Case("--remove-path", "/x/*") { $0.behaviors = [] },
    Case("--cache-path", "/x/* origin=inherit key=inherit") {
      $0.behaviors[0].overrides = SettingsOverride(ttl: TTL(default: 60))
    },
    Case("--dont-cache-path", "/x/*") {
      $0.behaviors[0].caching = .dontCache; $0.behaviors[0].ttl = nil
    },
    Case("--clear-response-headers", "--response-header", "X-B: c") {
      $0.settings.responseHeaders.set = [
        ResponseHeader(name: "X-B", value: "c", mode: .override)
      ]
      $0.settings.responseHeaders.removed = []
    },
    Case("--cors", "none", "--security-headers", "none", "--server-timing", "off") {
      $0.settings.responseHeaders.cors = nil
      $0.settings.responseHeaders.security = nil
      $0.settings.responseHeaders.serverTiming = nil
    },
    Case("--compress", "none", "--compress-types", "default") {
      $0.settings.compression.codings = []
      $0.settings.compression.types = nil
    },
    Case("--key", "none", "--drop-query-strings", "none", "--sort-query", "off") {
      $0.settings.key.device = false
      $0.settings.key.droppedQueryStrings = []
      $0.settings.key.sortsQuery = false
      // The path has the country of its own; the rest was the distribution's, and still is.
      $0.behaviors[0].overrides.key = $0.settings.key
      $0.behaviors[0].overrides.key?.country = true
    },
    Case("--forward-cookies", "none", "--use-origin", "default") {
      $0.settings.forwardedCookies = .none
      $0.settings.origin = "default"
    },
    Case("--root-object", "none", "--index-document", "none", "--error-ttl", "none") {
      $0.rootObject = nil
      $0.indexDocument = nil
      $0.errors.minimumTTL = nil
    },
    Case("--remove-error-page", "404") { $0.errors.responses = [] },
    Case("--remove-trusted-proxy", "::1") { $0.trustedProxies = [] },
    Case("--geo-block", "none") { $0.geoRestriction = .none },
    Case("--geo-allow", "DE") { $0.geoRestriction = .allow(["DE"]) },
    Case("--remove-tag", "team") { $0.tags = [] },
  ])
  func `update takes things away again`(row: Case) throws {
    var base = try Self.edited(
      [
        "--origin-header", "X-Secret: a", "--sticky", "t", "--health-check", "/up",
        "--named-origin", "b=http://b.example", "--origin-group", "both=default,b",
        "--use-origin", "default", "--cache-path", "/x/* origin=default key=country default=1m",
        "--response-header", "X-A: b", "--remove-response-header", "Server", "--cors", "*",
        "--security-headers", "standard", "--server-timing", "5", "--compress", "gzip",
        "--compress-types", "text/*", "--key", "device", "--drop-query-strings", "a",
        "--sort-query", "on", "--forward-cookies", "a", "--root-object", "a", "--index-document",
        "b", "--error-ttl", "5s", "--error-page", "404=/404.html", "--trusted-proxy", "::1",
        "--geo-block", "KP", "--tag", "team=web",
      ], try Self.base())
    // Given before the path was, and so inherited by its key.
    base.behaviors[0].overrides.key?.country = true
    let result = try Self.edited(row.words, base)
    var expected = base
    row.change(&expected)
    #expect(result == expected)
    try validate(result)
  }

  @Test func `the environment gives several values`() throws {
    let result = try Self.edited(
      [], try Self.base(),
      environment: [
        "ATOLL_ORIGIN": "http://b.example,http://c.example",
        "ATOLL_ORIGIN_HEADER": "X-A: 1, 2\nX-B: 3", "ATOLL_CACHE_PATH": "/a/* key=device;/b/*",
        "ATOLL_COMPRESS": "gzip,br", "ATOLL_ERROR_PAGE": "404=/404.html;503 ttl=5s",
      ])
    #expect(result.origin.targets.map(\.host) == ["c.example"])
    #expect(result.origin.headers.map(\.value) == ["1, 2", "3"])
    #expect(result.behaviors.map(\.path) == ["/a/*", "/b/*"])
    #expect(result.settings.compression.codings == [.gzip, .brotli])
    #expect(result.errors.responses.map(\.status) == [404, 503])
  }

  @Test(arguments: [
    (
      ["--origin", "http://b.example", "--origin", "https://c.example"], "different kinds", "scheme"
    ),
    (
      ["--origin", "http://b.example", "--origin", "http://c.example/x"], "different kinds", "path"
    ),
    (["--named-origin", "http://b.example"], "has no name", "images=http"),
    (["--named-origin", "b=b.example"], "no scheme", "http://b.example"),
    (["--named-origin", "b=http://b.example ballance=hash"], "after its URL", "balance="),
    (["--named-origin", "b=http://b.example balance=x"], "not one of its values", "round-robin"),
    (["--origin-group", "both"], "has no name", "both=default,spare"),
    (["--origin-group", "g=default,spare:5xx"], "the status \"5xx\"", "500,502"),
    (["--origin-group", "g=default,b"], "--origin-group: there is no origin \"b\"", "add it"),
    (["--use-origin", "b"], "--use-origin: there is no origin or group \"b\"", "--named-origin"),
    (["--cache-path", "/a/* orign=b"], "after its path", "did you mean origin=…?"),
    (["--cache-path", "/a/* key=color"], "which has the part \"color\"", "device"),
    (["--cache-path", "/a/* origin=b"], "--cache-path: there is no origin", "--named-origin"),
    (["--forward-headers", "Cookie"], "can't be part of a cache key", "--forward-cookies"),
    (
      ["--dont-cache-path", "/a/* default=1h"], "has a lifetime, but is not cached", "--cache-path"
    ),
    (["--sticky", "a:b"], "no duration", "1h"),
    (["--sticky", "a b"], "--sticky: \"a b\" is no cookie name", "atoll-target"),
    (["--eject", "many"], "no number of failures", "5:30s"),
    (["--health-check", "up"], "--health-check: \"up\" has no leading /", "/up"),
    (["--health-check-status", "99"], "is no status", "200"),
    (["--origin-header", "X-Secret"], "is no header", "'X-Site: shop'"),
    (["--origin-header", "Host: a"], "--origin-header: \"Host\" has a setting", "--host-header"),
    (["--host-header", "a b"], "--host-header: \"a b\" is no host name", "viewer"),
    (["--key", "color"], "has the part \"color\"", "host, scheme, device and country"),
    (["--compress", "zstd"], "has the coding \"zstd\"", "gzip,br"),
    (["--compress-types", "css"], "--compress-types: \"css\" is no media type", "text/css"),
    (["--slice-size", "3M"], "--slice-size: 3145728 is no size of slices", "16M"),
    (["--viewer-protocol", "https"], "not one of its values", "https-only"),
    (["--response-header", "Via: x"], "--response-header: \"Via\" can't be", "take it off"),
    (["--security-headers", "strict"], "not one of its values", "standard"),
    (["--hsts", "subdomains"], "has no duration", "365d"),
    (["--hsts", "1d,all"], "has the word \"all\"", "preload"),
    (["--cors", "shop.example"], "--cors: \"shop.example\" has no scheme", "https://"),
    (["--cors", "*", "--cors-credentials", "on"], "--cors-credentials: credentials", "origins"),
    (["--server-timing", "101"], "no percentage", "0 to 100"),
    (["--root-object", "/x"], "--root-object: \"/x\" has a leading /", "write x"),
    (["--index-document", "a/b"], "--index-document: \"a/b\" holds a /", "index.html"),
    (["--error-page", "/404.html"], "names no status", "404=/404.html"),
    (["--error-page", "404="], "names no page", "404=/404.html"),
    (["--error-page", "404=x.html"], "--error-page: \"x.html\" has no leading /", "/x.html"),
    (["--error-page", "418=/x"], "--error-page: 418 is not one of the statuses", "404"),
    (["--error-page", "404=/x max=1"], "after its page", "ttl=5s"),
    (
      ["--error-page", "404=file:/nonexistent/x"],
      "--error-page: the page of 404, \"/nonexistent/x\", cannot be read: no such file",
      "put it there"
    ),
    (["--trusted-proxy", "proxy"], "--trusted-proxy: \"proxy\" is neither", "10.0.0.0/8"),
    (["--geo-allow", "UK"], "\"UK\" is no country code", "write GB"),
    (["--geo-allow", "DE", "--geo-block", "US"], "exclude each other", "one"),
    (
      ["--named-origin", "b=https://b.example ca=/no/ca"],
      "--named-origin: ca: the file \"/no/ca\" does not exist", "put it there"
    ),
    (["--remove-origin", "x"], "there is no named origin \"x\"", "there is none"),
    (["--remove-error-page", "404"], "there is no error page \"404\"", "there is none"),
    (["--remove-trusted-proxy", "::2"], "there is no trusted proxy \"::2\"", "there is none"),
  ])
  func `what is wrong is told by the option's name`(
    words: [String], message: String, hint: String
  ) {
    let home = Home()
    home.atoll("create", "shop", "--origin", "http://a.example")
    let before = home.document("shop")
    let result = home.run(["update", "shop"] + words)
    #expect(result.exitCode == 2)
    #expect(result.stdout.isEmpty)
    #expect(result.stderr.contains(message), "\(result.stderr)")
    #expect(result.stderr.contains(hint), "\(result.stderr)")
    #expect(home.document("shop") == before)
  }

  @Test func `a page in a file is named by its whole path and has to be there`() throws {
    let home = Home()
    home.directory.write("404.html", "<p>gone</p>")
    let file = home.directory.path + "/404.html"
    let made = home.atoll(
      "create", "shop", "--origin", "http://a.example", "--error-page", "404=file:\(file)")
    #expect(made.exitCode == 0, "\(made.stderr)")
    #expect(home.document("shop").contains("\"file\": \"\(file)\""))
    let folder = home.atoll(
      "update", "shop", "--error-page", "404=file:\(home.directory.path)")
    #expect(folder.exitCode == 2)
    #expect(folder.stderr.contains("it is not a file"))
  }
}
