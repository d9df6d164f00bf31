// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

/// Fetch standard §3.3 (HTTP extensions of CORS) and CloudFront §22.
struct CORSPolicyTests {
  @Test(arguments: [
    ("https://shop.example", "https://shop.example", true),
    ("https://shop.example", "http://shop.example", false),
    ("https://shop.example", "https://shop.example:8443", false),
    ("https://shop.example", "https://shop.example.evil", false),
    ("https://shop.example", "https://evil-shop.example", false),
    ("https://shop.example", "null", false),
    ("HTTPS://Shop.Example", "https://shop.example", true),
    ("https://shop.example:443", "https://shop.example", true),
    ("http://shop.example:80", "http://shop.example", true),
    ("http://shop.example:443", "http://shop.example", false),
    ("https://shop.example:8443", "https://shop.example:8443", true),
    ("https://shop.example:8443", "https://shop.example:8444", false),
    // Any sub-domain of any depth, and not the name itself.
    ("https://*.shop.example", "https://a.shop.example", true),
    ("https://*.shop.example", "https://a.b.shop.example", true),
    ("https://*.shop.example", "https://shop.example", false),
    ("https://*.shop.example", "https://.shop.example", false),
    ("https://*.shop.example", "https://evilshop.example", false),
    ("https://*.shop.example", "https://evil/.shop.example", false),
    ("https://*.shop.example", "https://evil:80.shop.example", false),
    ("https://*.shop.example", "https://user@a.shop.example", false),
    ("https://*.shop.example", "https://a.shop.example:8443", false),
    ("https://*.shop.example:*", "https://a.shop.example:8443", true),
    // Ports.
    ("http://localhost:*", "http://localhost:3000", true),
    ("http://localhost:*", "http://localhost", true),
    ("http://localhost:*", "http://localhost:x", false),
    ("http://localhost:*", "http://localhost:99999", false),
    ("http://localhost:*", "http://localhost:80:90", false),
    ("http://[::1]:3000", "http://[::1]:3000", true),
    ("http://[::1]", "http://[::1]", true),
    ("http://[::1]", "http://[::1]:3000", false),
    // Without a scheme: either.
    ("shop.example", "https://shop.example", true),
    ("*.shop.example", "http://a.shop.example", true),
    ("shop.example", "ftp://shop.example", false),
    ("null", "null", true),
    ("null", "https://null", false),
  ])
  func `which origins a pattern admits`(pattern: String, origin: String, isAllowed: Bool) {
    let policy = CORSPolicy(CORSSettings(origins: [pattern]))
    #expect(withBytes(Array(origin.utf8)) { policy.allows($0) } == isAllowed)
  }

  @Test(arguments: [
    "", "https://", "https://ex*ample.com", "https://test.*.x", "https://a/b", "*.",
  ])
  func `what is no pattern admits nobody (CloudFront §22)`(pattern: String) {
    let policy = CORSPolicy(CORSSettings(origins: [pattern]))
    for origin in ["https://test.b.x", "https://", "null", "", pattern] {
      #expect(!withBytes(Array(origin.utf8)) { policy.allows($0) })
    }
  }

  private func answer(_ settings: CORSSettings, _ fields: [String]) -> [String] {
    let request = GivenRequest("GET /a", fields)
    return writtenLines {
      CORSPolicy(settings).appendAnswer(to: request.head, request.base, to: $0)
    }
  }

  private func common(_ settings: CORSSettings, _ lines: [String] = []) -> [String] {
    let head = Array((["HTTP/1.1 200 OK"] + lines).map { $0 + "\r\n" }.joined().utf8)
    let policy = ResponsePolicy(ResponseHeaderSettings(cors: settings))
    return withBytes(head) { head in
      Array(writtenLines { policy.appendHead(of: head, now: testTime, to: $0) }.dropFirst())
    }
  }

  @Test func `everybody's permission is the same for all and never varies`() {
    let settings = CORSSettings(exposedHeaders: ["X-A", "X-B"])
    #expect(
      common(settings)
        == ["Access-Control-Allow-Origin: *", "Access-Control-Expose-Headers: X-A, X-B"])
    #expect(answer(settings, ["Origin: https://a"]) == [])
  }

  @Test func `chosen origins are told one by one, and Vary says so to everybody`() {
    let settings = CORSSettings(
      origins: ["https://a", "https://*.b"], allowsCredentials: true, exposedHeaders: ["X-A"])
    #expect(common(settings) == ["Vary: Origin"])
    #expect(
      answer(settings, ["Origin: https://x.b"]) == [
        "Access-Control-Allow-Origin: https://x.b", "Access-Control-Allow-Credentials: true",
        "Access-Control-Expose-Headers: X-A",
      ])
    #expect(answer(settings, ["Origin: https://evil"]) == [])
    #expect(answer(settings, []) == [])
    // Two origins are none.
    #expect(answer(settings, ["Origin: https://a", "Origin: https://a"]) == [])
  }

  @Test(arguments: [
    ("Vary: Origin", 1), ("Vary: accept, ORIGIN", 1), ("Vary: *", 1), ("Vary: Accept", 2),
    ("X-A: Origin", 1),
  ])
  func `Vary names Origin once`(line: String, count: Int) {
    let lines = common(CORSSettings(origins: ["https://a"]), [line])
    #expect(lines.filter { $0.hasPrefix("Vary") }.count == count)
  }

  @Test func `the origin's fields give way, or silence the policy as a whole`() {
    let origins = [
      "access-control-allow-origin: https://old", "Access-Control-Expose-Headers: X-Old", "A: 1",
    ]
    #expect(common(CORSSettings(), origins) == ["A: 1", "Access-Control-Allow-Origin: *"])
    let yielding = CORSSettings(overridesOrigin: false)
    #expect(common(yielding, origins) == origins)
    #expect(common(yielding, ["A: 1"]) == ["A: 1", "Access-Control-Allow-Origin: *"])
    let head = Array("HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\n".utf8)
    for (settings, says) in [
      (yielding, OriginStatements.cors), (CORSSettings(), OriginStatements()),
    ] {
      let policy = ResponsePolicy(ResponseHeaderSettings(cors: settings))
      #expect(
        withBytes(head) { policy.appendHead(of: $0, now: testTime, to: ByteBuffer()) } == says)
    }
  }

  // MARK: Preflights (Fetch §3.3.3)

  private func preflight(
    _ settings: CORSSettings, method: String? = "PUT", headers: String? = nil,
    origin: String? = "https://a", request: String = "OPTIONS /a"
  ) -> [String]? {
    var fields: [String] = []
    if let origin { fields.append("Origin: \(origin)") }
    if let method { fields.append("Access-Control-Request-Method: \(method)") }
    if let headers { fields.append("Access-Control-Request-Headers: \(headers)") }
    let given = GivenRequest(request, fields)
    var fits = false
    let lines = writtenLines {
      fits = CORSPolicy(settings).appendPreflight(given.head, given.base, to: $0)
    }
    if !fits { #expect(lines == []) }
    return fits ? lines : nil
  }

  private static let settings = CORSSettings(
    origins: ["https://a"], methods: ["GET", "PUT"], headers: ["X-Token", "content-type"],
    maxAge: 600)

  @Test func `a preflight that fits gets methods, headers and how long it holds`() {
    let expected = [
      "Access-Control-Allow-Methods: GET, PUT",
      "Access-Control-Allow-Headers: x-token, content-type", "Access-Control-Max-Age: 600",
    ]
    #expect(preflight(Self.settings) == expected)
    #expect(preflight(Self.settings, headers: "content-type,X-TOKEN") == expected)
  }

  @Test(
    arguments: [
      ("DELETE", nil, "https://a", "OPTIONS /a"),
      // Methods are case-sensitive (RFC 9110 §9.1).
      ("put", nil, "https://a", "OPTIONS /a"),
      ("PUT", "x-other", "https://a", "OPTIONS /a"),
      ("PUT", "x-token, x-other", "https://a", "OPTIONS /a"),
      ("PUT", "x-token x", "https://a", "OPTIONS /a"),
      ("PUT", nil, "https://b", "OPTIONS /a"),
      ("PUT", nil, nil, "OPTIONS /a"),
      (nil, nil, "https://a", "OPTIONS /a"),
      ("PUT", nil, "https://a", "GET /a"),
    ] as [(String?, String?, String?, String)])
  func `what is no preflight, or is not granted, is not answered`(
    method: String?, headers: String?, origin: String?, request: String
  ) {
    #expect(
      preflight(
        Self.settings, method: method, headers: headers, origin: origin, request: request) == nil)
  }

  @Test func `wildcards grant what is asked for by name`() {
    // "*" means nothing to a request with credentials, and never covers Authorization.
    let all = CORSSettings(
      origins: ["https://a"], allowsCredentials: true, methods: ["ALL"], headers: ["*"])
    #expect(
      preflight(all, method: "PURGE", headers: "authorization, x-a") == [
        "Access-Control-Allow-Methods: PURGE", "Access-Control-Allow-Headers: authorization, x-a",
      ])
    #expect(preflight(all, method: "PUT, X") == nil)
    #expect(preflight(all, headers: "a b") == nil)
    #expect(preflight(all) == ["Access-Control-Allow-Methods: PUT"])
  }
}
