// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

@testable import atoll

private func read(_ fields: [String], status: Int = 200) -> CacheReading {
  CacheReading(made(fields, status: status), now: 1_700_000_000)
}

func made(_ fields: [String], status: Int = 200) -> ClientResponse {
  var response = ClientResponse()
  response.status = status
  response.fields = fields.map { line in
    let colon = line.firstIndex(of: ":")!
    return .init(
      name: String(line[..<colon]), value: String(line[line.index(after: colon)...].trimmed))
  }
  return response
}

@Suite struct CacheReadingTests {
  // The examples of RFC 9211 §2 to §4 among them.
  @Test(arguments: [
    ("ExampleCache; hit; ttl=376", CacheVerdict.hit, nil),
    ("ExampleCache; hit; ttl=-412", .stale, nil),
    ("ExampleCache; fwd=uri-miss", .miss, "uri-miss"),
    ("ExampleCache; fwd=stale; fwd-status=304", .revalidated, "stale"),
    ("ExampleCache; fwd=stale; fwd-status=200; stored", .miss, "stale"),
    ("ExampleCache; fwd=uri-miss; collapsed", .coalesced, "uri-miss"),
    ("ExampleCache; fwd=uri-miss; collapsed=?0", .miss, "uri-miss"),
    ("ExampleCache; fwd=bypass; detail=response-no-store", .pass, "response-no-store"),
    ("ExampleCache; fwd=method", .pass, "method"),
    // Answered by the edge itself, as it was set up to.
    ("atoll; detail=redirect", .pass, "redirect"),
    ("atoll; detail=cors-preflight", .pass, "cors-preflight"),
    ("atoll; detail=max-forwards", .pass, "max-forwards"),
    ("atoll; detail=something-else", .unknown, "something-else"),
    ("ExampleCache; hit=?0; fwd=miss; detail=\"said \\\"no\\\"\"", .miss, "said \"no\""),
    ("OriginCache; hit; ttl=1100, \"CDN Company Here\"; fwd=uri-miss", .miss, "uri-miss"),
    ("OriginCache; fwd=miss,  \"CDN Company Here\"; hit; ttl=545", .hit, nil),
  ])
  func `Cache-Status tells the verdict of its last cache`(
    value: String, verdict: CacheVerdict, reason: String?
  ) {
    let reading = read(["Cache-Status: \(value)"])
    #expect(reading.verdict == verdict)
    #expect(reading.reason == reason)
    #expect(reading.source == "Cache-Status")
  }

  @Test(
    arguments: [
      (Verdict(.hit), 60, 0, 200, CacheVerdict.hit),
      (Verdict(.stale, .staleWhileRevalidate), -5, 0, 200, .stale),
      (Verdict(.stale, .originError), -5, 500, 200, .stale),
      (Verdict(.stale, .originUnreachable), -5, 0, 200, .stale),
      (Verdict(.revalidated, .expired), 60, 304, 200, .revalidated),
      (Verdict(.revalidated, .expired), 60, 304, 304, .revalidated),
      (Verdict(.revalidated, .requestNoCache), 60, 304, 200, .revalidated),
      (Verdict(.miss, .absent), 60, 200, 200, .miss),
      (Verdict(.miss, .expired), 60, 200, 200, .miss),
      (Verdict(.miss, .varyMismatch), 60, 200, 200, .miss),
      (Verdict(.miss, .responseNoStore), nil, 200, 200, .miss),
      (Verdict(.coalesced), 60, 0, 200, .coalesced),
      (Verdict(.pass, .behaviorDontCache), nil, 200, 200, .pass),
      (Verdict(.pass, .method), nil, 200, 200, .pass),
      (Verdict(.error, .unknownHost), nil, 0, 421, .error),
      (Verdict(.error, .originTimeout), nil, 0, 504, .error),
      (Verdict(.error, .onlyIfCached), nil, 0, 504, .error),
    ] as [(Verdict, Int64?, UInt16, Int, CacheVerdict)])
  func `what the edge writes is read back`(
    written: Verdict, ttl: Int64?, originStatus: UInt16, status: Int, verdict: CacheVerdict
  ) {
    let buffer = ByteBuffer()
    appendVerdict(
      written, age: 1, ttl: ttl, originStatus: originStatus, stored: written.outcome == .miss,
      to: buffer)
    let lines = String(decoding: buffer.bytes, as: UTF8.self).split(separator: "\r\n")
    let reading = read(lines.map(String.init), status: status)
    #expect(reading.verdict == verdict)
    #expect(reading.cache == "atoll")
    #expect(reading.ttl == ttl.map(Int.init))
    if written.reason != .none { #expect(reading.reason == "\(written.reason.text)") }
  }

  @Test func `Cache-Status lines make one list`() {
    let reading = read(["Cache-Status: a; fwd=miss", "Cache-Status: b; hit; ttl=9; key=\"k\""])
    #expect(reading.members.map(\.cache) == ["a", "b"])
    #expect(reading.members.last?.key == "k")
    #expect(reading.ttl == 9)
  }

  @Test(arguments: [
    ";hit", "a; hit,", "a hit", "a; hit=?2", "a; ttl=", "a; detail=\"open", "a; TTL=1", "12; hit",
    "a; detail=\"\\x\"", ",a",
  ])
  func `a malformed Cache-Status is ignored as a whole`(value: String) {
    #expect(CacheStatusField.parse(value) == nil)
    #expect(read(["Cache-Status: \(value)", "X-Cache: HIT"]).source == "X-Cache")
  }

  @Test func `every truncation of a Cache-Status is read without harm`() {
    let value = "a; fwd=uri-miss; fwd-status=200; ttl=-10; stored; detail=\"x \\\" y\", b;hit=?1"
    for end in value.indices { _ = CacheStatusField.parse(String(value[..<end])) }
    #expect(CacheStatusField.parse(value)?.count == 2)
  }

  @Test(
    arguments: [
      ("Hit from cloudfront", CacheVerdict.hit, nil, "cloudfront"),
      ("Miss from cloudfront", .miss, nil, "cloudfront"),
      ("RefreshHit from cloudfront", .revalidated, "refreshhit", "cloudfront"),
      ("Error from cloudfront", .error, nil, "cloudfront"),
      ("Redirect from atoll", .pass, "redirect", "atoll"),
      ("GeneratedResponse from atoll", .pass, "generatedresponse", "atoll"),
      ("LambdaGeneratedResponse from cloudfront", .pass, "lambdageneratedresponse", "cloudfront"),
      ("HIT", .hit, nil, nil),
      ("MISS, HIT", .hit, nil, nil),
      ("HIT, MISS", .miss, nil, nil),
      ("PASS", .pass, nil, nil),
      (
        "TCP_HIT from a23-1.deploy.akamaitechnologies.com (AkamaiGHost/9) (-)", .hit, nil,
        "a23-1.deploy.akamaitechnologies.com"
      ),
      ("TCP_MEM_HIT from a23", .hit, "mem-hit", "a23"),
      ("TCP_REFRESH_HIT from a23", .revalidated, "refresh-hit", "a23"),
      ("TCP_REFRESH_FAIL_HIT from a23", .stale, "refresh-fail-hit", "a23"),
      ("TCP_REFRESH_MISS from a23", .miss, "refresh-miss", "a23"),
      ("TCP_DENIED from a23", .error, "denied", "a23"),
      ("EXPIRED", .miss, "expired", nil),
      ("UPDATING", .stale, "updating", nil),
      ("CONFIG_NOCACHE", .pass, "config-nocache", nil),
      ("Hit from atoll", .hit, nil, "atoll"),
    ] as [(String, CacheVerdict, String?, String?)])
  func `X-Cache is read as its makers mean it`(
    value: String, verdict: CacheVerdict, reason: String?, cache: String?
  ) {
    let reading = read(["X-Cache: \(value)"])
    #expect(reading.verdict == verdict)
    #expect(reading.reason == reason)
    #expect(reading.cache == cache)
  }

  @Test(
    arguments: [
      (["CF-Cache-Status: DYNAMIC", "Server: cloudflare"], CacheVerdict.pass, "CF-Cache-Status"),
      (["CF-Cache-Status: REVALIDATED"], .revalidated, "CF-Cache-Status"),
      (["X-Vercel-Cache: PRERENDER"], .hit, "X-Vercel-Cache"),
      (["X-Vercel-Cache: STALE"], .stale, "X-Vercel-Cache"),
      (["CDN-Cache: BYPASS"], .pass, "CDN-Cache"),
      (["X-Cache-Status: SCARCE"], .miss, "X-Cache-Status"),
      (["X-LiteSpeed-Cache: hit"], .hit, "X-LiteSpeed-Cache"),
      (["X-Varnish: 32770 3", "Age: 4"], .hit, "X-Varnish"),
      (["X-Varnish: 32770", "Age: 0"], .miss, "X-Varnish"),
      (["Via: http/1.1 ats (ApacheTrafficServer/9.1.1 [cHs f ])"], .hit, "Via"),
      (["Server-Timing: cdn-cache; desc=HIT, edge; dur=1"], .hit, "Server-Timing"),
      (["Server-Timing: edge; dur=1, cdn-cache;desc=\"MISS\""], .miss, "Server-Timing"),
      (["Age: 12"], .hit, "Age"),
      (["Age: 0"], .unknown, nil),
      ([], .unknown, nil),
      (["X-Cache: whatever"], .unknown, nil),
    ] as [([String], CacheVerdict, String?)])
  func `other fields are understood too`(
    fields: [String], verdict: CacheVerdict, source: String?
  ) {
    let reading = read(fields)
    #expect(reading.verdict == verdict)
    #expect(reading.source == source)
  }

  @Test func `the cache nearest to the viewer speaks`() {
    let passedOn = ["Server: cloudflare", "CF-Cache-Status: HIT"]
    #expect(
      read(passedOn + ["Cache-Status: atoll; fwd=uri-miss", "Via: 1.1 atoll"]).verdict == .miss)
    #expect(read(passedOn + ["Cache-Status: atoll; fwd=uri-miss"]).verdict == .hit)
    #expect(
      read([
        "Cache-Status: atoll; hit", "X-Cache: Miss from cloudfront",
        "Via: 1.1 atoll, 1.1 abc.cloudfront.net (CloudFront)",
      ]).verdict == .miss)
  }

  @Test(
    arguments: [
      (["Cache-Status: c; hit; ttl=90", "Cache-Control: max-age=5"], 90),
      (["X-Cache: HIT", "Cache-Control: max-age=600", "Age: 100"], 500),
      (["X-Cache: HIT", "Cache-Control: max-age=60, s-maxage=\"600\"", "Age: 700"], -100),
      (["X-Cache: MISS", "Cache-Control: max-age=60", "CDN-Cache-Control: max-age=5"], 5),
      // As the edge reads them: the most restrictive counts, a malformed one as zero.
      (["X-Cache: HIT", "Cache-Control: max-age=60", "Cache-Control: max-age=5"], 5),
      (["X-Cache: HIT", "Cache-Control: max-age=soon"], 0),
      (["X-Cache: MISS", "Cache-Control: no-cache, max-age=60"], nil),
      (["X-Cache: MISS", "Cache-Control: private=\"a, max-age=9\""], nil),
      (
        [
          "X-Cache: MISS", "Date: Sun, 06 Nov 1994 08:49:37 GMT",
          "Expires: Sun, 06 Nov 1994 08:50:37 GMT", "Age: 10",
        ], 50
      ),
      (["X-Cache: MISS", "Expires: 0"], 0),
      (["X-Cache: PASS", "Cache-Control: max-age=60"], nil),
      (["X-Cache: HIT"], nil),
    ] as [([String], Int?)])
  func `the remaining lifetime is stated, or computed`(fields: [String], ttl: Int?) {
    #expect(read(fields).ttl == ttl)
  }
}
