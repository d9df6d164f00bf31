// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

struct OriginRequestTests {
  /// The lines of the request to the origin, the request line first.
  private func lines(
    _ request: GivenRequest, _ policy: DistributionPolicy = makePolicy(), path: String = "/a",
    storing: Bool = false, viewer: String = "192.0.2.1", scheme: Scheme = .http,
    etag: String? = nil, lastModified: String? = nil, framing: BodyFraming = .none
  ) -> [String] {
    let text = writtenText { buffer in
      func bytes(_ text: String) -> ByteBuffer {
        let buffer = ByteBuffer()
        buffer.append(text)
        return buffer
      }
      let (address, tag, time) = (bytes(viewer), etag.map(bytes), lastModified.map(bytes))
      let context = OriginRequestContext(
        peerAddress: address.bytes, viewer: ViewerFacts(scheme: scheme), requestID: (0x1, 0xab),
        storing: storing,
        etag: tag?.bytes, lastModified: time?.bytes, bodyFraming: framing)
      appendOriginRequest(
        request.head, request.base, distribution: policy, behavior: policy.behavior(path),
        origin: policy.origins[policy.behavior(path).route.members[0]], context: context, to: buffer
      )
      withExtendedLifetime((address, tag, time)) {}
    }
    #expect(text.hasSuffix("\r\n\r\n"))
    return text.split(separator: "\r\n").map(String.init)
  }

  /// The values of one field.
  private func values(_ name: String, _ lines: [String]) -> [String] {
    lines.dropFirst().compactMap { line in
      let colon = line.firstIndex(of: ":")!
      guard line[..<colon].lowercased() == name.lowercased() else { return nil }
      return String(line[colon...].dropFirst(2))
    }
  }

  @Test func `a whole request of preset origin`() {
    let request = GivenRequest(
      "GET /a?b=1",
      ["Accept: */*", "User-Agent: curl", "Cookie: a=1", "Accept-Encoding: gzip, br, zstd"])
    #expect(
      lines(request, storing: true) == [
        "GET /a?b=1 HTTP/1.1", "Host: origin.example", "Accept: */*", "User-Agent: curl",
        "Accept-Encoding: br, gzip", "Cookie: a=1", "X-Forwarded-For: 192.0.2.1",
        "X-Forwarded-Proto: http", "X-Forwarded-Host: site.example", "Via: 1.1 atoll",
        "X-Request-Id: 000000000000000100000000000000ab", "Connection: keep-alive",
      ])
  }

  @Test(arguments: [true, false])
  func `who keeps trailers lets the origin know`(storing: Bool) {
    let asked = lines(
      GivenRequest("GET /a", ["TE: gzip, trailers", "Connection: TE"]), storing: storing)
    #expect(values("te", asked) == ["trailers"])
    #expect(values("connection", asked) == ["keep-alive, TE"])
    let other = lines(GivenRequest("GET /a", ["TE: gzip", "Connection: TE"]), storing: storing)
    #expect(values("te", other) == [] && values("connection", other) == ["keep-alive"])
    // Beyond the switch there are no messages.
    let upgrade = lines(
      GivenRequest("GET /a", ["TE: trailers", "Connection: TE, upgrade", "Upgrade: websocket"]))
    #expect(values("te", upgrade) == [] && values("connection", upgrade) == ["upgrade"])
  }

  @Test func `trailers of a request are announced where they can follow`() {
    let request = GivenRequest("POST /a", ["Trailer: X-Sum, Content-Length", "Trailer: ETag"])
    #expect(values("trailer", lines(request, framing: .chunked)) == ["X-Sum, ETag"])
    #expect(values("trailer", lines(request, framing: .length(5))) == [])
    let forbidden = GivenRequest("POST /a", ["Trailer: Host"])
    #expect(values("trailer", lines(forbidden, framing: .chunked)) == [])
  }

  @Test func `a whole request of a Lightsail preset`() {
    let request = GivenRequest(
      "GET /a?b=1",
      ["Accept: */*", "User-Agent: curl", "Cookie: a=1", "Accept-Encoding: gzip, br", "X-Foo: 1"])
    #expect(
      lines(request, makePolicy(.static), storing: true) == [
        "GET /a HTTP/1.1", "Host: origin.example", "X-Foo: 1", "User-Agent: atoll",
        "Accept-Encoding: gzip", "X-Forwarded-For: 192.0.2.1",
        "Via: 1.1 atoll", "X-Request-Id: 000000000000000100000000000000ab",
        "Connection: keep-alive",
      ])
  }

  @Test(arguments: [
    ("GET /a", "", "GET /a HTTP/1.1"), ("GET /a?", "", "GET /a? HTTP/1.1"),
    ("GET /a?x", "/app", "GET /app/a?x HTTP/1.1"),
    ("HEAD http://other.example", "/app", "HEAD /app/ HTTP/1.1"),
    ("GET http://other.example?x=1", "", "GET /?x=1 HTTP/1.1"),
    ("OPTIONS *", "/app", "OPTIONS * HTTP/1.1"),
    // RFC 9112 §3.2.4.
    ("OPTIONS http://other.example", "/app", "OPTIONS * HTTP/1.1"),
    ("OPTIONS http://other.example/", "", "OPTIONS / HTTP/1.1"),
    ("PROPFIND /a", "", "PROPFIND /a HTTP/1.1"), ("GET /a HTTP/1.0", "", "GET /a HTTP/1.1"),
  ])
  func `a request line`(line: String, prefix: String, expected: String) {
    let policy = makePolicy { $0.origin.path = prefix }
    #expect(lines(GivenRequest(line), policy)[0] == expected)
  }

  @Test(arguments: [
    (Scheme.http, "origin.example", UInt16(80), "origin.example"),
    (.http, "origin.example", 8080, "origin.example:8080"),
    (.https, "origin.example", 443, "origin.example"),
    (.http, "origin.example", 443, "origin.example:443"), (.http, "::1", 80, "[::1]"),
    (.http, "2001:db8::1", 8080, "[2001:db8::1]:8080"),
  ])
  func `Host is the origin's`(scheme: Scheme, host: String, port: UInt16, expected: String) {
    let policy = makePolicy { $0.origin = Origin(scheme: scheme, host: host, port: port) }
    #expect(values("Host", lines(GivenRequest(), policy)) == [expected])
  }

  @Test func `Host is the viewer's when chosen, and then X-Forwarded-Host tells it, too`() {
    let policy = makePolicy(.static) { $0.settings.forwardedHeaders = .listed(["Host"]) }
    let sent = lines(GivenRequest(), policy)
    #expect(values("Host", sent) == ["site.example"])
    #expect(values("X-Forwarded-Host", sent) == ["site.example"])
    #expect(
      values("Host", lines(GivenRequest("GET http://a.example/a"), policy)) == ["a.example"])
    // HTTP/1.0 without one.
    let none = GivenRequest("GET /a HTTP/1.0", host: nil)
    #expect(values("Host", lines(none, policy)) == ["origin.example"])
    #expect(values("X-Forwarded-Host", lines(none, policy)).isEmpty)
  }

  @Test func `a host that is not keyed is not told to the origin`() {
    let request = GivenRequest("GET /a", ["X-Forwarded-Host: evil.example"], host: "evil.example")
    #expect(!lines(request, makePolicy(.static)).joined().contains("evil"))
    #expect(
      values("X-Forwarded-Host", lines(request)) == ["evil.example"],
      "preset origin has it in the key")
  }

  @Test(arguments: [
    "Connection: close", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive",
    "Proxy-Authenticate: Basic", "Proxy-Authorization: Basic eA==", "TE: gzip",
    "Trailer: x", "Upgrade: h2c", "X-Forwarded-Proto: https", "X-Real-IP: 10.0.0.1",
    "X-Edge-Location: x", "CloudFront-Forwarded-Proto: https", "Forwarded: for=10.0.0.1",
    "X-Request-Id: x", "Expect: 100-continue",
  ])
  func `fields that no preset forwards`(field: String) {
    let name = String(field[..<field.firstIndex(of: ":")!])
    let value = String(field[field.firstIndex(of: ":")!...].dropFirst(2))
    for preset in [Preset.origin, .static, .dynamic] {
      for storing in [true, false] {
        let sent = lines(GivenRequest("GET /a", [field]), makePolicy(preset), storing: storing)
        #expect(!values(name, sent).contains(value))
      }
    }
  }

  @Test(arguments: [
    "Accept: a", "Accept-Charset: a", "Accept-Language: a", "Referer: a",
    "Authorization: Basic eA==", "User-Agent: a",
  ])
  func `fields that Lightsail's presets forward when chosen`(field: String) {
    let request = GivenRequest("GET /a", [field])
    let name = String(field[..<field.firstIndex(of: ":")!])
    #expect(lines(request).contains(field))
    #expect(!lines(request, makePolicy(.static)).contains(field))
    let chosen = makePolicy(.static) {
      $0.settings.forwardedHeaders = .listed([name.uppercased()])
    }
    #expect(lines(request, chosen).contains(field))
  }

  @Test(arguments: [
    "X-Foo: 1", "Cache-Control: no-cache", "Pragma: no-cache", "Content-Type: a", "Date: x",
    "From: a", "Origin: http://a.example", "Via: 1.0 fred", "If-None-Match: \"a\"",
    "If-Modified-Since: x", "If-Match: \"a\"", "If-Range: \"a\"", "Range: bytes=0-1",
    "If-Unmodified-Since: x", "Warning: x", "Content-MD5: x",
  ])
  func `fields that every preset forwards`(field: String) {
    let request = GivenRequest("GET /a", [field])
    #expect(lines(request).contains(field))
    #expect(lines(request, makePolicy(.static)).contains(field))
  }

  @Test(arguments: [
    "If-None-Match: \"a\"", "If-Modified-Since: x", "If-Match: \"a\"", "If-Unmodified-Since: x",
    "If-Range: \"a\"", "Range: bytes=0-1",
  ])
  func `a fill carries no conditions or ranges of its viewer`(field: String) {
    let request = GivenRequest("GET /a", [field])
    #expect(!lines(request, storing: true).contains(field))
    #expect(!lines(request, etag: "\"s\"").contains(field))
  }

  @Test func `a stale entry is validated with what it has (RFC 9111 §4.3.1)`() {
    let request = GivenRequest("GET /a", ["If-None-Match: \"viewer\""])
    let both = lines(request, storing: true, etag: "W/\"s\"", lastModified: httpDate(-9))
    #expect(values("If-None-Match", both) == ["W/\"s\""])
    #expect(values("If-Modified-Since", both) == [httpDate(-9)])
    let time = lines(request, storing: true, lastModified: httpDate(-9))
    #expect(values("If-None-Match", time).isEmpty)
  }

  @Test func `Connection takes fields away (RFC 9110 §7.6.1)`() {
    let request = GivenRequest(
      "GET /a", ["X-Foo: 1", "X-Bar: 2", "Cookie: a=1", "Connection: x-FOO, cookie, close"])
    let sent = lines(request)
    #expect(values("X-Foo", sent).isEmpty)
    #expect(values("Cookie", sent).isEmpty)
    #expect(values("X-Bar", sent) == ["2"])
    #expect(values("Connection", sent) == ["keep-alive"])
    // Never what the edge says itself.
    let hidden = GivenRequest("GET /a", ["Connection: x-forwarded-for, host, via"])
    #expect(values("Host", lines(hidden)) == ["origin.example"])
    #expect(values("X-Forwarded-For", lines(hidden)) == ["192.0.2.1"])
  }

  @Test(
    arguments: [
      ([], "192.0.2.1", ["192.0.2.1"]), (["10.0.0.1"], "192.0.2.1", ["10.0.0.1, 192.0.2.1"]),
      (["a, b", "c"], "2001:db8::1", ["a, b, c, 2001:db8::1"]), (["a"], "", ["a"]), ([], "", []),
    ] as [([String], String, [String])])
  func `X-Forwarded-For grows by the viewer`(came: [String], viewer: String, sent: [String]) {
    let request = GivenRequest("GET /a", came.map { "X-Forwarded-For: \($0)" })
    for preset in [Preset.origin, .static] {
      #expect(
        values("X-Forwarded-For", lines(request, makePolicy(preset), viewer: viewer)) == sent)
    }
  }

  @Test func `Via says which protocol the viewer spoke (RFC 9110 §7.6.3)`() {
    #expect(values("Via", lines(GivenRequest("GET /a HTTP/1.0"))) == ["1.0 atoll"])
    let sent = lines(GivenRequest("GET /a", ["Via: 1.0 fred"]))
    #expect(values("Via", sent) == ["1.0 fred", "1.1 atoll"])
  }

  @Test func `the scheme is the viewer's`() {
    let sent = lines(GivenRequest(), scheme: .https)
    #expect(values("X-Forwarded-Proto", sent) == ["https"])
    // Not where one entry serves both (CloudFront §5): its origin must not tell them apart.
    #expect(values("X-Forwarded-Proto", lines(GivenRequest(), makePolicy(.static))).isEmpty)
    // Nobody else gets the response to a POST.
    let post = lines(GivenRequest("POST /a"), makePolicy(.static), scheme: .https)
    #expect(values("X-Forwarded-Proto", post) == ["https"])
  }

  @Test(
    arguments: [
      ("gzip, deflate, br", "br, gzip", "gzip"), ("gzip;q=0, br", "br", "identity"),
      ("gzip", "gzip", "gzip"), ("identity", "identity", "identity"), ("", "identity", "identity"),
      ("br;q=1.0;x", "br", "identity"),
    ] as [(String, String, String)])
  func `Accept-Encoding of a fill is reduced`(value: String, full: String, gzipOnly: String) {
    let request = GivenRequest("GET /a", ["Accept-Encoding: \(value)"])
    #expect(values("Accept-Encoding", lines(request, storing: true)) == [full])
    let sent = lines(request, makePolicy(.static), storing: true)
    #expect(values("Accept-Encoding", sent) == [gzipOnly])
  }

  @Test func `Accept-Encoding is sent as it is where nothing is stored, and where it is chosen`() {
    let request = GivenRequest("GET /a", ["Accept-Encoding: zstd, gzip"])
    #expect(values("Accept-Encoding", lines(request)) == ["zstd, gzip"])
    let chosen = makePolicy(.static) {
      $0.settings.forwardedHeaders = .listed(["Accept-Encoding"])
    }
    #expect(values("Accept-Encoding", lines(request, chosen, storing: true)) == ["zstd, gzip"])
    #expect(values("Accept-Encoding", lines(GivenRequest(), storing: true)).isEmpty)
  }

  @Test(
    arguments: [
      (["a=1; b=2; c=3"], NameSelection.listed(["a", "c"]), ["a=1; c=3"]),
      (["a=1;b=2", "c=3"], .listed(["*"]), ["a=1; b=2; c=3"]),
      (["A=1; b"], .listed(["a", "b"]), []),
      (["wp_x=1; wp=2; other=3"], .listed(["wp_*"]), ["wp_x=1"]),
      (["s1=1; s12=2"], .listed(["s?"]), ["s1=1"]), (["a=1; b=2"], .all, ["a=1; b=2"]),
      (["a=1"], .none, []), (["a=x=y; a=2"], .listed(["a"]), ["a=x=y; a=2"]),
      ([], .listed(["a"]), []),
    ] as [([String], NameSelection, [String])])
  func `cookies as chosen`(came: [String], selection: NameSelection, sent: [String]) {
    let policy = makePolicy(.static) { $0.settings.forwardedCookies = selection }
    let request = GivenRequest("GET /a", came.map { "Cookie: \($0)" })
    #expect(values("Cookie", lines(request, policy)) == sent)
  }

  @Test func `what is not cached is forwarded whole, since nobody else is served with it`() {
    let fields = ["Cookie: id=1", "Authorization: Basic eA==", "User-Agent: a", "Referer: b"]
    let request = GivenRequest("GET /wp-admin/?x=1", fields)
    for preset in [Preset.dynamic, .wordpress] {
      let sent = lines(request, makePolicy(preset), path: "/wp-admin/")
      #expect(sent[0] == "GET /wp-admin/?x=1 HTTP/1.1")
      for field in fields { #expect(sent.contains(field)) }
    }
    let cached = GivenRequest("GET /wp-content/a?x=1", fields)
    let sent = lines(cached, makePolicy(.wordpress), path: "/wp-content/a")
    #expect(sent[0] == "GET /wp-content/a?x=1 HTTP/1.1")
    for field in fields { #expect(!sent.contains(field)) }
    #expect(values("Host", sent) == ["site.example"])
  }

  @Test(arguments: [
    ("GET", false, false), ("HEAD", false, false), ("OPTIONS", false, true),
    ("OPTIONS", true, false), ("POST", false, true), ("DELETE", true, true),
  ])
  func `Lightsail's presets forward Authorization of uncached methods`(
    method: String, cachesOptions: Bool, forwards: Bool
  ) {
    let policy = makePolicy(.static) { $0.settings.cachesOptions = cachesOptions }
    let sent = lines(GivenRequest("\(method) /a", ["Authorization: Basic eA=="]), policy)
    #expect(values("Authorization", sent).isEmpty != forwards)
  }

  @Test(arguments: ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
  func `a method override cannot change what a GET stores`(name: String) {
    let field = "\(name): DELETE"
    #expect(!lines(GivenRequest("GET /a", [field]), storing: true).contains(field))
    #expect(lines(GivenRequest("POST /a", [field])).contains(field))
    #expect(lines(GivenRequest("GET /a", [field]), makePolicy(.dynamic)).contains(field))
    #expect(!lines(GivenRequest("POST /a", [field]), makePolicy(.static)).contains(field))
  }

  @Test(
    arguments: [
      ("GET", BodyFraming.none, []), ("POST", .none, ["Content-Length: 0"]),
      ("PUT", .none, ["Content-Length: 0"]), ("DELETE", .none, []),
      ("POST", .length(7), ["Content-Length: 7"]),
      ("POST", .length(.max), ["Content-Length: 18446744073709551615"]),
      ("PATCH", .chunked, ["Transfer-Encoding: chunked"]),
      ("DELETE", .length(0), ["Content-Length: 0"]),
    ] as [(String, BodyFraming, [String])])
  func `the edge frames the body`(method: String, framing: BodyFraming, expected: [String]) {
    // Whatever the viewer's own framing was.
    let sent = lines(GivenRequest("\(method) /a", ["Content-Length: 9"]), framing: framing)
    let framed = sent.filter { $0.hasPrefix("Content-L") || $0.hasPrefix("Transfer") }
    #expect(framed == expected)
  }

  @Test func `an upgrade passes where nothing is stored`() {
    let request = GivenRequest(
      "GET /a", ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x"])
    let sent = lines(request)
    #expect(values("Connection", sent) == ["upgrade"])
    #expect(values("Upgrade", sent) == ["websocket"])
    #expect(values("Sec-WebSocket-Key", sent) == ["x"])
    #expect(values("Upgrade", lines(request, storing: true)).isEmpty)
  }

  @Test func `Max-Forwards counts down for OPTIONS (RFC 9110 §7.6.2)`() {
    let field = ["Max-Forwards: 3"]
    #expect(values("Max-Forwards", lines(GivenRequest("OPTIONS /a", field))) == ["2"])
    #expect(values("Max-Forwards", lines(GivenRequest("GET /a", field))).isEmpty)
  }
}
