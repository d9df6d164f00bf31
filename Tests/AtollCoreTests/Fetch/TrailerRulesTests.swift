// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

@Suite struct TrailerRulesTests {
  private func section(_ names: [String]) throws -> TrailerSection {
    let lines = ByteBuffer()
    for name in names { lines.append("\(name): 1\r\n") }
    return try #require(TrailerSection(lines))
  }

  private func names(_ lines: ByteBuffer?) -> [String] {
    guard let lines else { return [] }
    return String(decoding: lines.bytes, as: UTF8.self).split(separator: "\r\n").map {
      String($0.prefix { $0 != ":" })
    }
  }

  /// Which of these fields a viewer gets, and which of them are announced.
  private func sent(
    _ fields: [String], head: [String] = [], _ policy: DistributionPolicy = makePolicy()
  ) throws -> (names: [String], announced: String?) {
    let response = GivenResponse(
      200, ["Transfer-Encoding: chunked", "Trailer: \(fields.joined(separator: ", "))"] + head)
    let trailers = ResponseTrailers(response.head, response.base, behavior: policy.behavior())
    return (
      names(trailers.lines(of: try section(fields))),
      trailers.announcement.map { String(decoding: $0.bytes, as: UTF8.self) }
    )
  }

  /// Which of these an origin gets.
  private func forwarded(
    _ fields: [String], head: [String] = [], _ policy: DistributionPolicy = makePolicy()
  ) throws -> [String] {
    let request = GivenRequest("POST /a", ["Transfer-Encoding: chunked"] + head)
    return names(
      trailerLines(
        of: try section(fields), request.head, request.base, behavior: policy.behavior(),
        origin: policy.origins[0]))
  }

  static let passed = [
    "Grpc-Status", "grpc-message", "Server-Timing", "ETag", "Content-Digest", "Repr-Digest",
    "Digest", "Content-MD5", "Authentication-Info", "X-Checksum", "Signature", "Iffy", "Allowed",
    "X-Cache-Controls",
  ]

  @Test func `fields that may come behind a body go on`() throws {
    let response = try sent(Self.passed)
    #expect(response.names == Self.passed)
    #expect(response.announced == Self.passed.joined(separator: ", "))
    #expect(try forwarded(Self.passed) == Self.passed)
  }

  // RFC 9110 §6.5.1: framing, routing, request modifiers, authentication, response controls, and
  // how to read the content.
  @Test(arguments: [
    "Content-Length", "transfer-encoding", "Host", "Via", "Forwarded", "X-Forwarded-For",
    "X-Forwarded-Anything", "X-Real-IP", "Max-Forwards", "CDN-Loop", "Cache-Control",
    "Surrogate-Control", "CDN-Cache-Control", "Other-CDN-Cache-Control", "Pragma", "Expect",
    "Range", "TE", "If-Match", "If-None-Match", "If-Range", "If-Anything", "Authorization",
    "WWW-Authenticate", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Anything", "Cookie",
    "Set-Cookie", "Age", "Expires", "Date", "Location", "Retry-After", "Vary", "Warning", "Allow",
    "Content-Encoding", "Content-Type", "Content-Range", "Content-Language",
    "Content-Disposition", "Content-Security-Policy", "Trailer", "Connection", "Keep-Alive",
    "Upgrade", "HTTP2-Settings", "Access-Control-Allow-Origin", "Strict-Transport-Security",
    "Cache-Status", "X-Cache", "X-Request-Id", "Surrogate-Key", "Cache-Tag", "Last-Modified",
    "X-HTTP-Method-Override", "X-Original-URL", "X-Edge-Thing", "CloudFront-Viewer-Country",
    "Sec-WebSocket-Accept", "Alt-Svc", "Refresh", "X-Accel-Redirect",
  ])
  func `what has to be known before the body never does`(name: String) throws {
    for name in [name, name.uppercased(), name.lowercased()] {
      let response = try sent(["A", name, "B"])
      #expect(response.names == ["A", "B"] && response.announced == "A, B")
      #expect(try forwarded(["A", name, "B"]) == ["A", "B"])
    }
  }

  @Test func `what Connection names ends here`() throws {
    let connection = ["Connection: X-Hop, close", "Connection: x-other"]
    #expect(try sent(["X-Hop", "A", "X-Other"], head: connection).names == ["A"])
    #expect(try sent(["X-Hop", "A", "X-Other"], head: connection).announced == "A")
    #expect(try forwarded(["X-Hop", "A", "X-Other"], head: connection) == ["A"])
  }

  @Test func `what the settings take out of heads stays out`() throws {
    let policy = makePolicy { distribution in
      distribution.settings.responseHeaders.removed = ["X-Secret"]
      distribution.settings.responseHeaders.set = [
        ResponseHeader(name: "X-Set", value: "1", mode: .override)
      ]
      distribution.settings.forwardedHeaders = .allExcept(["X-Withheld"])
      distribution.origin.headers = [HeaderField(name: "X-Own", value: "1")]
    }
    let fields = ["X-Secret", "X-Set", "X-Withheld", "X-Own", "A"]
    #expect(try sent(fields, policy).names == ["X-Withheld", "X-Own", "A"])
    #expect(try forwarded(fields, policy) == ["X-Secret", "X-Set", "A"])
  }

  @Test func `nothing is announced but names`() throws {
    let odd = GivenResponse(
      200, ["Transfer-Encoding: chunked", "Trailer: A, \"B, C\", D E, , F", "Trailer: G"])
    let trailers = ResponseTrailers(odd.head, odd.base, behavior: makePolicy().behavior())
    #expect(
      trailers.announcement.map { String(decoding: $0.bytes, as: UTF8.self) } == "A, F, G")
    let none = GivenResponse(200, ["Transfer-Encoding: chunked", "Trailer: Host"])
    #expect(
      ResponseTrailers(none.head, none.base, behavior: makePolicy().behavior()).announcement == nil)
  }

  @Test(arguments: [
    ("GET /", ["TE: trailers"], true), ("GET /", ["TE: Trailers"], true),
    ("GET /", ["TE: gzip;q=0.5, trailers"], true), ("GET /", ["TE: gzip", "TE: trailers"], true),
    ("GET /", [], false), ("GET /", ["TE: "], false), ("GET /", ["TE: gzip"], false),
    ("GET /", ["TE: trailers;q=0.5"], false), ("GET /", ["TE: \"trailers\""], false),
    ("GET / HTTP/1.0", ["TE: trailers"], false),
  ])
  func `TE says who keeps trailers`(line: String, fields: [String], expected: Bool) {
    let request = GivenRequest(line, fields)
    #expect(request.head.acceptsTrailers(request.base) == expected)
  }
}
