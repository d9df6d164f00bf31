// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

/// What goes to the origin without being keyed, and what the origin's own settings say
/// (CloudFront §14).
struct OriginPolicyTests {
  private func lines(
    _ request: GivenRequest, _ policy: DistributionPolicy, storing: Bool = true,
    viewer: ViewerFacts = ViewerFacts()
  ) -> [String] {
    writtenLines {
      appendOriginRequest(
        request.head, request.base, distribution: policy, behavior: policy.behavior(),
        origin: policy.origins[0],
        context: OriginRequestContext(
          peerAddress: UnsafeBufferPointer(start: nil, count: 0), viewer: viewer,
          requestID: (0, 0), storing: storing),
        to: $0)
    }
  }

  private func values(_ name: String, _ lines: [String]) -> [String] {
    lines.dropFirst().filter { $0.lowercased().hasPrefix(name.lowercased() + ":") }
      .map { String($0.dropFirst(name.count + 2)) }
  }

  private func key(_ request: GivenRequest, _ policy: DistributionPolicy) -> [UInt8] {
    writtenBytes {
      appendCacheKey(
        request.head, request.base, distribution: policy, behavior: policy.behavior(),
        viewer: ViewerFacts(), to: $0)
    }
  }

  // MARK: Cookies

  @Test(
    arguments: [
      (.none, .none, nil), (.none, .all, "x=3; k=1; r=2"), (.none, .listed(["r"]), "r=2"),
      (.none, .allExcept(["r"]), "k=1; x=3"), (.all, .none, "k=1; r=2; x=3"),
      (.all, .allExcept(["r"]), "k=1; r=2; x=3"), (.listed(["k"]), .none, "k=1"),
      (.listed(["k"]), .all, "k=1; r=2; x=3"), (.listed(["k"]), .listed(["r"]), "k=1; r=2"),
      (.listed(["k"]), .allExcept(["k"]), "k=1; r=2; x=3"), (.allExcept(["k"]), .none, "r=2; x=3"),
      (.allExcept(["k"]), .all, "k=1; r=2; x=3"),
      (.allExcept(["k"]), .listed(["k"]), "k=1; r=2; x=3"),
      (.allExcept(["k"]), .allExcept(["r"]), "x=3"), (.allExcept(["?"]), .none, nil),
      (.listed(["*"]), .none, "k=1; r=2; x=3"),
    ] as [(NameSelection, NameSelection, String?)])
  func `cookies merge as queries do, sorted by name (CloudFront §10)`(
    cookies: NameSelection, request: NameSelection, sent: String?
  ) {
    let policy = makePolicy(.static) {
      $0.settings.forwardedCookies = cookies
      $0.settings.originRequest.cookies = request
    }
    let given = GivenRequest("GET /a", ["Cookie: x=3; k=1; r=2"])
    #expect(values("Cookie", lines(given, policy)).first == sent)
  }

  @Test(
    arguments: [
      (.none, ["k=1"], ["k=2"], true), (.listed(["k"]), ["k=1; r=1"], ["k=1; r=2"], true),
      (.listed(["k"]), ["k=1"], ["k=2"], false), (.allExcept(["r"]), ["r=1"], ["r=2"], true),
      (.allExcept(["r"]), ["k=1"], ["k=2"], false), (.allExcept(["r"]), ["K=1"], ["k=1"], false),
      // The origin request's exceptions are not sent, so they are not keyed.
      (.allExcept(["r"]), ["blocked=1"], ["blocked=2"], true),
      (.allExcept(["r"]), ["a=1; b=2"], ["b=2; a=1"], true),
    ] as [(NameSelection, [String], [String], Bool)])
  func `cookies of an origin request are not keyed`(
    cookies: NameSelection, one: [String], other: [String], same: Bool
  ) {
    let policy = makePolicy(.static) {
      $0.settings.forwardedCookies = cookies
      $0.settings.originRequest.cookies = .allExcept(["blocked"])
    }
    let requests = [one, other].map { GivenRequest("GET /a", $0.map { "Cookie: \($0)" }) }
    #expect((key(requests[0], policy) == key(requests[1], policy)) == same)
  }

  @Test func `what is not cached gets its cookies as they come, but for exceptions`() {
    let request = GivenRequest("GET /a", ["Cookie: b=1;a; c=2"])
    #expect(values("Cookie", lines(request, makePolicy(.dynamic))) == ["b=1;a; c=2"])
    let policy = makePolicy(.dynamic) { $0.settings.originRequest.cookies = .allExcept(["b"]) }
    #expect(values("Cookie", lines(request, policy)) == ["c=2"])
  }

  @Test func `a thousand cookies are sorted as well`() {
    let cookies = (0..<1_000).map { "c\(($0 * 7_919) % 1_000)=\($0)" }
    let sorted = cookies.sorted {
      $0.prefix { $0 != "=" }.utf8.lexicographicallyPrecedes($1.prefix { $0 != "=" }.utf8)
    }
    let policy = makePolicy(.static) { $0.settings.forwardedCookies = .all }
    let request = GivenRequest("GET /a", ["Cookie: " + cookies.joined(separator: "; ")])
    #expect(values("Cookie", lines(request, policy)) == [sorted.joined(separator: "; ")])
  }

  // MARK: Headers

  @Test(
    arguments: [
      ("Referer: r", .none, false), ("Referer: r", .listed(["referer"]), true),
      ("Referer: r", .listed(["Accept"]), false), ("Referer: r", .all, true),
      ("Referer: r", .allExcept(["Accept"]), true), ("Referer: r", .allExcept(["REFERER"]), false),
      ("Accept: a", .listed(["Accept"]), true), ("User-Agent: u", .listed(["User-Agent"]), true),
      ("Authorization: Basic eA==", .all, true), ("Authorization: Basic eA==", .none, false),
      ("X-Foo: 1", .none, true), ("X-Foo: 1", .listed(["Accept"]), true),
      ("X-Foo: 1", .allExcept(["x-foo"]), false), ("X-Foo: 1", .all, true),
      // Of one connection, of this exchange, or the edge's own: never.
      ("TE: gzip", .all, false), ("Proxy-Authorization: Basic eA==", .all, false),
      ("X-Real-IP: 192.0.2.1", .listed(["X-Real-IP"]), false), ("X-Edge-Id: 1", .all, false),
      ("CloudFront-Viewer-Country: XX", .all, false), ("Forwarded: for=a", .all, false),
      ("Keep-Alive: timeout=5", .listed(["Keep-Alive"]), false),
    ] as [(String, NameSelection, Bool)])
  func `headers of an origin request`(field: String, selection: NameSelection, isSent: Bool) {
    let policy = makePolicy(.static) { $0.settings.originRequest.headers = selection }
    let request = GivenRequest("GET /a", [field])
    #expect(lines(request, policy).contains(field) == isSent)
    #expect(key(request, policy) == key(GivenRequest(), policy))
    // Of a request with credentials the response is shared only if it says so (RFC 9111 §3.5).
    let caching = RequestCaching(request.head, request.base, behavior: policy.behavior())
    #expect(
      caching.flags.contains(.authorization) == (isSent && field.hasPrefix("Authorization")))
  }

  @Test func `a key beats the origin request's exceptions (CloudFront §14)`() {
    let policy = makePolicy(.static) {
      $0.settings.forwardedHeaders = .listed(["Accept", "X-Foo", "Host"])
      $0.settings.originRequest.headers = .allExcept(["accept", "x-foo", "host", "x-bar"])
    }
    let request = GivenRequest("GET /a", ["Accept: a", "X-Foo: 1", "X-Bar: 2", "Referer: r"])
    let sent = lines(request, policy)
    #expect(sent.contains("Accept: a") && sent.contains("X-Foo: 1") && sent.contains("Referer: r"))
    #expect(!sent.contains("X-Bar: 2"))
    #expect(values("Host", sent) == ["site.example"])
  }

  @Test(arguments: [Preset.origin, .dynamic])
  func `exceptions keep a header from an origin that gets everything else`(preset: Preset) {
    let policy = makePolicy(preset) {
      $0.settings.originRequest.headers = .allExcept(["Authorization", "X-Debug"])
    }
    let fields = ["Authorization: Basic eA==", "X-Debug: 1", "X-Foo: 1"]
    let sent = lines(GivenRequest("GET /a", fields), policy)
    #expect(sent.contains("X-Foo: 1"))
    #expect(values("Authorization", sent).isEmpty && values("X-Debug", sent).isEmpty)
    let post = lines(GivenRequest("POST /a", fields), policy, storing: false)
    #expect(values("Authorization", post).isEmpty)
  }

  @Test(
    arguments: [
      (.none, "origin.example"), (.all, "site.example"), (.listed(["Host"]), "site.example"),
      (.allExcept(["Accept"]), "site.example"),
      // AllViewerExceptHostHeader (CloudFront §23).
      (.allExcept(["Host"]), "origin.example"), (.listed(["Accept"]), "origin.example"),
    ] as [(NameSelection, String)])
  func `Host of an origin request`(selection: NameSelection, host: String) {
    let policy = makePolicy(.static) { $0.settings.originRequest.headers = selection }
    #expect(values("Host", lines(GivenRequest(), policy)) == [host])
    // Sent it is keyed, other than with CloudFront, which knows every host that it serves.
    #expect(
      (key(GivenRequest(host: "a.example"), policy) == key(GivenRequest(), policy))
        == (host == "origin.example"))
  }

  @Test(
    arguments: [
      ("X-HTTP-Method-Override: DELETE", .none, false), ("X-Original-URL: /admin", .none, false),
      ("X-Rewrite-URL: /admin", .none, false), ("X-Host: evil.example", .none, false),
      ("X-Forwarded-Scheme: http", .none, false), ("X-Forwarded-Port: 1", .none, false),
      ("X-Forwarded-Server: evil.example", .none, false), ("X-Forwarded-Prefix: /x", .none, false),
      ("Front-End-Https: on", .none, false), ("X-Original-Host: evil.example", .all, false),
      ("X-Original-URL: /admin", .listed(["x-original-url"]), true),
    ] as [(String, NameSelection, Bool)])
  func `what makes another request of it reaches no origin whose response may be stored`(
    field: String, selection: NameSelection, isSent: Bool
  ) {
    let request = GivenRequest("GET /a", [field])
    for preset in [Preset.origin, .static] {
      let policy = makePolicy(preset) { $0.settings.originRequest.headers = selection }
      #expect(lines(request, policy).contains(field) == isSent)
    }
    #expect(lines(request, makePolicy(.dynamic), storing: false).contains(field))
  }

  // MARK: Accept-Encoding

  @Test(
    arguments: [
      // CloudFront §7: gzip and brotli on.
      ([.gzip, .brotli], "gzip, deflate, br", "br, gzip"), ([.gzip, .brotli], "gzip", "gzip"),
      ([.gzip, .brotli], "br", "br"), ([.gzip, .brotli], "deflate", "identity"),
      ([.gzip, .brotli], "", "identity"), ([.gzip, .brotli], nil, nil),
      // One on.
      (.gzip, "gzip, br", "gzip"), (.gzip, "br", "identity"), (.gzip, nil, nil),
      (.brotli, "gzip, br", "br"), (.brotli, "gzip", "identity"),
      // Both off.
      ([], "gzip, br", nil), ([], nil, nil),
      // RFC 9110 §12.5.3.
      ([.gzip, .brotli], "gzip;q=0, br", "br"),
      ([.gzip, .brotli], "gzip;q=0.0, br;q=0", "identity"),
      ([.gzip, .brotli], "*", "br, gzip"), ([.gzip, .brotli], "*;q=0", "identity"),
      ([.gzip, .brotli], "*, gzip;q=0", "br"), ([.gzip, .brotli], "br;q=0.000, *;q=0.1", "gzip"),
      ([.gzip, .brotli], "identity;q=0, gzip", "gzip"), ([.gzip, .brotli], "x-gzip", "gzip"),
      ([.gzip, .brotli], "GZIP ; Q=0.001", "gzip"), ([.gzip, .brotli], "gzip;q=0.", "identity"),
      ([.gzip, .brotli], "gzip;q=1, *;q=0", "gzip"),
      ([.gzip, .brotli], "gzipped, brx", "identity"),
      (.gzip, "*", "gzip"), (.gzip, "identity", "identity"),
    ] as [(CodingSet, String?, String?)])
  func `Accept-Encoding is normalised`(codings: CodingSet, value: String?, sent: String?) {
    let policy = makePolicy(.static) { $0.settings.key.codings = codings }
    let fields = value.map { ["Accept-Encoding: \($0)"] } ?? []
    #expect(values("Accept-Encoding", lines(GivenRequest("GET /a", fields), policy)).first == sent)
    // HTTP/1.0: as if there were none.
    let old = GivenRequest("GET /a HTTP/1.0", fields)
    #expect(values("Accept-Encoding", lines(old, policy)).isEmpty)
  }

  @Test(
    arguments: [
      // With a format on, an origin request changes nothing (CloudFront §7).
      (.gzip, .none, .listed(["Accept-Encoding"]), "gzip"),
      ([], .none, .listed(["Accept-Encoding"]), "zstd, gzip"), ([], .none, .all, "zstd, gzip"),
      ([], .none, .allExcept(["Accept-Encoding"]), nil),
      // In the key: an ordinary header.
      (.gzip, .listed(["Accept-Encoding"]), .none, "zstd, gzip"),
      ([], .all, .none, "zstd, gzip"), ([.gzip, .brotli], .all, .none, "gzip"),
    ] as [(CodingSet, NameSelection, NameSelection, String?)])
  func `Accept-Encoding as an ordinary header`(
    codings: CodingSet, headers: NameSelection, request: NameSelection, sent: String?
  ) {
    let policy = makePolicy(.static) {
      $0.settings.key.codings = codings
      $0.settings.forwardedHeaders = headers
      $0.settings.originRequest.headers = request
    }
    let given = GivenRequest("GET /a", ["Accept-Encoding: zstd, gzip"])
    #expect(values("Accept-Encoding", lines(given, policy)).first == sent)
  }

  // MARK: The origin's own headers

  @Test func `an origin's headers replace the viewer's and the edge's`() {
    let policy = makePolicy {
      $0.origin.headers = [
        HeaderField(name: "X-Secret", value: "s3cret"), HeaderField(name: "Referer", value: "none"),
        HeaderField(name: "User-Agent", value: "edge"),
        HeaderField(name: "X-Forwarded-Proto", value: "https"),
        HeaderField(name: "Accept-Encoding", value: ""),
      ]
    }
    let request = GivenRequest(
      "GET /a",
      [
        "x-secret: guess", "Referer: http://evil.example", "User-Agent: curl",
        "Accept-Encoding: gzip", "X-Other: 1",
      ])
    let sent = lines(request, policy)
    #expect(values("X-Secret", sent) == ["s3cret"])
    #expect(values("Referer", sent) == ["none"])
    #expect(values("User-Agent", sent) == ["edge"])
    #expect(values("X-Forwarded-Proto", sent) == ["https"])
    // CloudFront §7.
    #expect(values("Accept-Encoding", sent).isEmpty)
    #expect(values("X-Other", sent) == ["1"])
    // Without an own User-Agent in the way of the presets'.
    let preset = makePolicy(.static) {
      $0.origin.headers = [HeaderField(name: "User-Agent", value: "edge")]
    }
    #expect(values("User-Agent", lines(request, preset)) == ["edge"])
  }

  @Test(arguments: [
    "Connection", "Content-Length", "Transfer-Encoding", "Host", "Cookie", "If-None-Match", "Range",
    "TE", "Trailer", "Upgrade", "Via", "X-Edge-Id", "X-Amz-Date", "X-Real-Ip", "Proxy-Connection",
    "Max-Forwards", "CDN-Loop", "Bad Name", "", "CloudFront-Viewer-Country",
  ])
  func `what an origin's headers cannot be (CloudFront §14)`(name: String) {
    let policy = makePolicy { $0.origin.headers = [HeaderField(name: name, value: "forged")] }
    #expect(!lines(GivenRequest(), policy).joined().contains("forged"))
  }

  @Test func `a value cannot bring a line of its own`() {
    let policy = makePolicy {
      $0.origin.headers = [HeaderField(name: "X-Foo", value: "a\r\nX-Bar: b")]
    }
    #expect(!lines(GivenRequest(), policy).joined().contains("X-Bar"))
  }

  @Test func `Host of an origin`() {
    let named = makePolicy(.static) { $0.origin.hostHeader = .name("www.example:8080") }
    #expect(values("Host", lines(GivenRequest(), named)) == ["www.example:8080"])
    // Forwarding Host counts more.
    let forwarded = makePolicy(.wordpress) {
      $0.origin.hostHeader = .name("www.example")
      $0.defaultBehavior = .cache
    }
    #expect(values("Host", lines(GivenRequest(), forwarded)) == ["site.example"])
  }

  @Test func `the viewer's Host is in the key where the origin gets it`() {
    let policy = makePolicy(.static) { $0.origin.hostHeader = .viewer }
    let sent = lines(GivenRequest(), policy)
    #expect(values("Host", sent) == ["site.example"])
    #expect(values("X-Forwarded-Host", sent) == ["site.example"])
    #expect(key(GivenRequest(host: "a.example"), policy) != key(GivenRequest(), policy))
    // One member of a group is enough.
    let group = makePolicy(.static) {
      var second = $0.origin
      second.hostHeader = .viewer
      $0.origins = [NamedOrigin(name: "second", origin: second)]
      $0.originGroups = [OriginGroup(name: "both", members: ["default", "second"])]
      $0.settings.origin = "both"
    }
    #expect(key(GivenRequest(host: "a.example"), group) != key(GivenRequest(), group))
    #expect(values("Host", lines(GivenRequest(), group)) == ["origin.example"])
  }
}
