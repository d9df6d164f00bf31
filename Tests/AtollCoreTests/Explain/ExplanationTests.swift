// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

/// What `show --explain` and `test --explain` say.
@Suite struct ExplanationTests {
  struct Situation: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var preset = Preset.static
    var request: ExplainedRequest
    var response: ExplainedResponse?
    /// A fact's path and value.
    var values: [(path: String, value: Explanation.Value)] = []
    /// A fact's path and a part of its reason.
    var reasons: [(path: String, text: String)] = []
    var change: @Sendable (inout Distribution) throws -> Void = { _ in }

    init(
      _ name: String, _ preset: Preset = .static, _ line: String = "GET /a",
      _ headers: [String] = [], scheme: Scheme = .http,
      response: (status: Int, headers: [String])? = nil,
      values: [(String, Explanation.Value)] = [], reasons: [(String, String)] = [],
      change: @escaping @Sendable (inout Distribution) throws -> Void = { _ in }
    ) {
      testDescription = name
      self.preset = preset
      let words = line.split(separator: " ").map(String.init)
      request = ExplainedRequest(
        method: words[0], scheme: scheme, authority: "www.shop.example", target: words[1],
        headers: headers.map(Self.field))
      self.response = response.map {
        ExplainedResponse(status: $0.status, headers: $0.headers.map(Self.field))
      }
      self.values = values.map { (path: $0.0, value: $0.1) }
      self.reasons = reasons.map { (path: $0.0, text: $0.1) }
      self.change = change
    }

    private static func field(_ line: String) -> HeaderField {
      let parts = line.split(separator: ":", maxSplits: 1)
      return HeaderField(
        name: String(parts[0]), value: parts.count > 1 ? String(parts[1].dropFirst()) : "")
    }
  }

  private static func pairs(_ pairs: KeyValuePairs<String, String>) -> Explanation.Value {
    .pairs(
      [HeaderField(name: "distribution", value: "shop")]
        + pairs.map { HeaderField(name: $0.key, value: $0.value) })
  }

  private static let situations: [Situation] = [
    Situation(
      "1 a path that no behavior names",
      values: [
        ("behavior.path", .text("*")), ("behavior.index", .nothing),
        ("behavior.caching", .text("cache")), ("usesCache", .flag(true)),
        ("key", pairs(["URL": "/a"])), ("answer", .text("cache or origin")),
      ], reasons: [("behavior.path", "there is no other")]),
    Situation(
      "2 the first of several behaviors that match", .dynamic, "GET /img/x/a.png",
      values: [("behavior.path", .text("/img/*")), ("behavior.index", .number(1))],
      reasons: [("behavior.path", "the first of 3 whose path matches \"/img/x/a.png\": number 2")]
    ) {
      $0.behaviors = ["/img/?", "/img/*", "*.png"].map { PathBehavior(path: $0, caching: .cache) }
    },
    Situation(
      "3 a path that is not cached", .dynamic, "GET /cart?a=1", ["Cookie: s=1"],
      values: [
        ("usesCache", .flag(false)), ("key", .nothing), ("lifetime", .nothing),
        ("behavior.caching", .text("dont-cache")),
      ], reasons: [("usesCache", "the behavior is dont-cache"), ("key", "nothing is looked up")]),
    Situation(
      "4 a method that viewers may not use", .static, "DELETE /a",
      values: [("answer.status", .number(405))],
      reasons: [("answer.status", "does not allow DELETE")]
    ) { $0.settings.allowedMethods = .getHead },
    Situation(
      "5 a method that is forwarded and never cached", .static, "POST /a",
      values: [("usesCache", .flag(false)), ("answer", .text("cache or origin"))],
      reasons: [("usesCache", "POST is not cached")]),
    Situation(
      "6 plain http where https is wanted", .static, "GET /a",
      values: [("answer.status", .number(301))], reasons: [("answer.status", "redirects")]
    ) { $0.settings.viewerProtocol = .redirectToHTTPS },
    Situation(
      "7 the same for a POST", .static, "POST /a", values: [("answer.status", .number(307))]
    ) { $0.settings.viewerProtocol = .redirectToHTTPS },
    Situation(
      "8 https as wanted, and the scheme in the key", .static, "GET /a", scheme: .https,
      values: [
        ("answer", .text("cache or origin")), ("key", pairs(["scheme": "https", "URL": "/a"])),
      ]
    ) {
      $0.settings.viewerProtocol = .httpsOnly
      $0.settings.key.scheme = true
    },
    Situation(
      "9 http refused", .static, values: [("answer.status", .number(403))],
      reasons: [("answer.status", "https only")]
    ) { $0.settings.viewerProtocol = .httpsOnly },
    Situation(
      "10 a disabled distribution", values: [("answer.status", .number(403))],
      reasons: [("answer.status", "disabled")]
    ) { $0.isEnabled = false },
    Situation(
      "11 query parameters: chosen, sorted, tracking dropped", .static,
      "GET /a?utm_source=x&b=2&a=1",
      values: [("key", pairs(["URL": "/a?a=1&b=2"]))]
    ) {
      $0.settings.forwardedQueryStrings = .all
      $0.settings.key.sortsQuery = true
      $0.settings.key.droppedQueryStrings = ["tracking"]
    },
    Situation(
      "12 headers and cookies in the key", .static, "GET /a",
      ["Accept-Language: de", "Cookie: b=2; s_1=x; a=1"],
      values: [
        (
          "key",
          pairs([
            "URL": "/a", "accept-language": "de", "x-none": "(none)", "cookie": "s_1=x",
          ])
        )
      ]
    ) {
      $0.settings.forwardedHeaders = .listed(["Accept-Language", "X-None"])
      $0.settings.forwardedCookies = .listed(["s_*"])
    },
    Situation(
      "13 the device in the key", .static, "GET /a",
      ["User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148"],
      values: [
        (
          "key",
          pairs([
            "URL": "/a", "cloudfront-is-desktop-viewer": "false",
            "cloudfront-is-mobile-viewer": "true", "cloudfront-is-tablet-viewer": "false",
            "cloudfront-is-smarttv-viewer": "false",
          ])
        )
      ]
    ) { $0.settings.key.device = true },
    Situation(
      "14 what a static site's origin gets", .static, "GET /a?x=1",
      ["Accept-Language: de", "Cookie: a=b", "X-Mine: 1"],
      values: [
        (
          "origin.request",
          .list([
            "GET /app/a HTTP/1.1", "Host: shop.example", "X-Mine: 1", "User-Agent: atoll",
            "X-Forwarded-For: 192.0.2.1", "Via: 1.1 atoll", "X-Secret: s", "Connection: keep-alive",
          ])
        )
      ]
    ) {
      $0.origin = try Origin(url: "http://shop.example/app")
      $0.origin.headers = [HeaderField(name: "X-Secret", value: "s")]
    },
    Situation(
      "15 another origin by path, with targets", .static, "GET /img/a",
      values: [
        ("origin.name", .text("images")), ("origin.url", .text("http://img.example")),
        ("origin.targets", .list(["img.example:80", "img2.example:81"])),
      ],
      reasons: [("origin.name", "the behavior names \"images\""), ("origin.targets", "hash")]
    ) {
      var origin = try Origin(url: "http://img.example")
      origin.targets = [OriginTarget(host: "img2.example", port: 81)]
      origin.balance = .hash
      $0.origins = [NamedOrigin(name: "images", origin: origin)]
      var own = SettingsOverride()
      own.origin = "images"
      $0.behaviors = [PathBehavior(path: "/img/*", caching: .cache, overrides: own)]
    },
    Situation(
      "16 a group fails over", .static, "GET /a",
      values: [("origin.name", .text("default")), ("origin.group", .list(["spare"]))],
      reasons: [("origin.group", "or answers 500 or 404")]
    ) {
      $0.origins = [NamedOrigin(name: "spare", origin: $0.origin)]
      $0.originGroups = [
        OriginGroup(name: "both", members: ["default", "spare"], statuses: [500, 404])
      ]
      $0.settings.origin = "both"
    },
    Situation(
      "17 but not for a POST", .static, "POST /a",
      reasons: [("origin.group", "not for POST")]
    ) {
      $0.origins = [NamedOrigin(name: "spare", origin: $0.origin)]
      $0.originGroups = [OriginGroup(name: "both", members: ["default", "spare"])]
      $0.settings.origin = "both"
    },
    Situation(
      "18 lifetimes of a behavior", .static, "GET /img/a",
      values: [
        ("lifetime.minimum", .seconds(1)), ("lifetime.default", .seconds(60)),
        ("lifetime.maximum", .seconds(90)), ("lifetime.error", .seconds(10)),
        ("lifetime.staleIfError", .seconds(86_400)),
        ("lifetime.error404", .text("404 with \"/404.html\" as 200")),
      ]
    ) {
      $0.behaviors = [
        PathBehavior(
          path: "/img/*", caching: .cache, ttl: TTL(minimum: 1, default: 60, maximum: 90))
      ]
      $0.errors.responses = [
        ErrorResponse(status: 404, page: .path("/404.html"), responseStatus: 200)
      ]
    },
    Situation(
      "19 heuristics where nothing else is said", .origin, "GET /a",
      values: [("lifetime.default", .nothing), ("lifetime.error", .nothing)],
      reasons: [("lifetime.default", "section 4.2.2"), ("lifetime.error", "as the origin says")]),
    Situation(
      "20 a request that asks for a fresh copy", .origin, "GET /a", ["Cache-Control: no-cache"],
      values: [("usesCache", .flag(true))], reasons: [("usesCache", "only after validation")]),
    Situation(
      "21 which a preset of Lightsail's ignores", .static, "GET /a", ["Cache-Control: no-store"],
      values: [("usesCache", .flag(true))]),
    Situation(
      "22 while preset origin heeds it", .origin, "GET /a", ["Cache-Control: no-store"],
      values: [("usesCache", .flag(false))], reasons: [("usesCache", "no-store")]),
    Situation(
      "23 a preflight", .static, "OPTIONS /a",
      ["Origin: https://x.example", "Access-Control-Request-Method: PUT"],
      values: [("answer.status", .number(204))], reasons: [("answer.status", "CORS preflights")]
    ) { $0.settings.responseHeaders.cors = CORSSettings(methods: ["PUT"]) },
    Situation(
      "24 what is done to the response", .static, "GET /a",
      values: [
        (
          "response",
          .list([
            "removed response headers: X-Powered-By", "security headers: standard",
            "compressed with gzip or br where the viewer takes it",
            "Set-Cookie is removed: no cookie is forwarded",
          ])
        )
      ]
    ) {
      $0.settings.responseHeaders.removed = ["X-Powered-By"]
      $0.settings.responseHeaders.security = .standard
      $0.settings.compression.codings = [.gzip, .brotli]
    },
    Situation(
      "25 a response with a lifetime of its own", .origin, "GET /a",
      response: (200, ["Cache-Control: max-age=600", "Age: 100"]),
      values: [
        ("storage.stored", .flag(true)), ("storage.lifetime", .seconds(500)),
        ("storage.rule", .text("RFC 9111 section 4.2.1")),
        ("storage.staleIfError", .seconds(86_400)),
      ], reasons: [("storage.lifetime", "of 600 seconds, 100 of them gone")]),
    Situation(
      "26 a response without one, in a static distribution", .static, "GET /a",
      response: (200, []),
      values: [("storage.stored", .flag(true)), ("storage.lifetime", .seconds(86_400))],
      reasons: [("storage.lifetime", "the origin gives none")]),
    Situation(
      "27 and in preset origin", .origin, "GET /a", response: (200, []),
      values: [
        ("storage.stored", .flag(false)), ("storage.reason", .text("response-no-lifetime")),
        ("storage.rule", .text("RFC 9111 section 4.2.2")),
      ], reasons: [("storage.stored", "gives no lifetime")]),
    Situation(
      "28 a private response", .origin, "GET /a", response: (200, ["Cache-Control: private"]),
      values: [
        ("storage.reason", .text("response-private")),
        ("storage.rule", .text("RFC 9111 section 5.2.2.7")),
      ]),
    Situation(
      "29 a redirect that gives no lifetime", .static, "GET /a",
      response: (302, ["Location: /b"]),
      values: [
        ("storage.reason", .text("response-status")), ("storage.status", .number(302)),
        ("storage.rule", .text("RFC 9110 section 15.1")),
      ]),
    Situation(
      "30 credentials and a response that is not public", .origin, "GET /a",
      ["Authorization: Basic eDp5"], response: (200, ["Cache-Control: max-age=60"]),
      values: [
        ("storage.reason", .text("response-authorization")),
        ("storage.rule", .text("RFC 9111 section 3.5")),
      ]),
    Situation(
      "31 must-revalidate forbids stale answers", .origin, "GET /a",
      response: (200, ["Cache-Control: max-age=60, must-revalidate, stale-while-revalidate=9"]),
      values: [
        ("storage.staleIfError", .seconds(0)), ("storage.staleWhileRevalidate", .seconds(0)),
      ],
      reasons: [("storage.staleIfError", "section 4.2.4")]),
    Situation(
      "32 the response to what is not cached", .dynamic, "GET /a",
      response: (200, ["Cache-Control: max-age=60"]),
      values: [("storage.reason", .text("behavior-dont-cache"))]),
    Situation(
      "34 an error, remembered for a while", .static, "GET /a", response: (404, []),
      values: [
        ("storage.stored", .flag(true)), ("storage.lifetime", .seconds(10)),
        (
          "storage.rule",
          .text("the distribution's error TTL, or what the origin says if that is longer")
        ),
      ]),
    Situation(
      "35 an error whose page stands in for it", .spa, "GET /a", response: (404, []),
      values: [("storage.page", .text("404 with \"/index.html\" as 200"))]),
    Situation(
      "36 an error that nobody may store", .origin, "GET /a", response: (500, []),
      values: [("storage.reason", .text("response-status"))]),
    Situation(
      "37 a range of what is not stored, fetched by slices", .static, "GET /a",
      ["Range: bytes=1500000-1500009"],
      values: [
        ("usesCache", .flag(true)),
        (
          "origin.request",
          .list([
            "GET /a HTTP/1.1", "Host: shop.example", "User-Agent: atoll",
            "X-Forwarded-For: 192.0.2.1", "Via: 1.1 atoll", "Connection: keep-alive",
            "Range: bytes=1048576-2097151",
          ])
        ),
      ], reasons: [("usesCache", "slices of 1048576 bytes that hold the range")]),
    Situation(
      "38 and passed on without slices", .static, "GET /a", ["Range: bytes=5-9"],
      values: [
        (
          "origin.request",
          .list([
            "GET /a HTTP/1.1", "Host: shop.example", "Range: bytes=5-9", "User-Agent: atoll",
            "X-Forwarded-For: 192.0.2.1", "Via: 1.1 atoll", "Connection: keep-alive",
          ])
        )
      ], reasons: [("usesCache", "on a miss it is passed on (request-range)")]
    ) { $0.settings.sliceSize = 0 },
    Situation(
      "39 a range that counts for nothing", .static, "GET /a", ["Range: bytes=9-5"],
      values: [
        (
          "origin.request",
          .list([
            "GET /a HTTP/1.1", "Host: shop.example", "User-Agent: atoll",
            "X-Forwarded-For: 192.0.2.1", "Via: 1.1 atoll", "Connection: keep-alive",
          ])
        )
      ]),
    Situation(
      "40 a HEAD fills the cache", .static, "HEAD /a",
      values: [
        (
          "origin.request",
          .list([
            "GET /a HTTP/1.1", "Host: shop.example", "User-Agent: atoll",
            "X-Forwarded-For: 192.0.2.1", "Via: 1.1 atoll", "Connection: keep-alive",
          ])
        )
      ]),
    Situation(
      "41 countries", .static,
      values: [("answer", .text("cache or origin"))],
      reasons: [("answer", "403 for viewers from KP or IR")]
    ) { $0.geoRestriction = .block(["KP", "IR"]) },
    Situation(
      "42 countries allowed", .static,
      reasons: [("answer", "403 where the viewer's country is known and not DE")]
    ) { $0.geoRestriction = .allow(["DE"]) },
    Situation(
      "43 what the edge answers asks and stores nothing", .static,
      values: [
        ("answer.status", .number(301)), ("usesCache", .flag(false)), ("key", .nothing),
        ("origin", .nothing), ("lifetime", .nothing),
        ("response", .list(["security headers: standard"])),
      ], reasons: [("usesCache", "by itself")]
    ) {
      $0.settings.viewerProtocol = .redirectToHTTPS
      $0.settings.responseHeaders.security = .standard
    },
    Situation(
      "44 a POST is not stored", .static, "POST /a", values: [("lifetime", .nothing)],
      reasons: [("lifetime", "nothing is stored")]),
    Situation(
      "45 the viewer's address for the origin", .origin,
      values: [
        (
          "origin.request",
          .list([
            "GET /a HTTP/1.1", "Host: shop.example", "X-Forwarded-For: 192.0.2.1",
            "X-Forwarded-Proto: http", "X-Forwarded-Host: www.shop.example", "Via: 1.1 atoll",
            "CloudFront-Viewer-Address: 192.0.2.1:0", "Connection: keep-alive",
          ])
        )
      ]
    ) { $0.settings.originRequest.headers = .listed(["CloudFront-Viewer-Address"]) },
    Situation(
      "33 the root object", .spa, "GET /", values: [("key", pairs(["URL": "/index.html"]))]),
  ]

  @Test(arguments: situations)
  func `a request is explained`(situation: Situation) throws {
    var distribution = Distribution.make(
      name: "shop", origin: try Origin(url: "http://shop.example"), preset: situation.preset,
      id: "d0123456789abc", now: 0)
    try situation.change(&distribution)
    try validate(distribution)
    let explanation = try explain(
      situation.request, of: distribution, response: situation.response, now: testTime)
    for (path, value) in situation.values {
      #expect(explanation[path] == value, "\(path): \(String(describing: explanation[path]))")
    }
    for (path, text) in situation.reasons {
      let reason = explanation.fact(path)?.reason ?? ""
      #expect(reason.contains(text), "\(path): \(reason)")
    }
  }

  @Test func `what the edge refuses as malformed is not explained`() throws {
    let distribution = Distribution.make(
      name: "shop", origin: try Origin(url: "http://shop.example"), preset: .static,
      id: "d0123456789abc", now: 0)
    for request in [
      ExplainedRequest(authority: "a b", target: "/"),
      ExplainedRequest(method: "GE T", authority: "a", target: "/"),
      ExplainedRequest(
        authority: "a", target: "/", headers: [HeaderField(name: "X", value: "a\r\n\r\nGET /b")]),
    ] {
      #expect(throws: HeadError.self) { try explain(request, of: distribution, now: 0) }
    }
  }
}
