// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

/// RFC 9111 §4.2 and §5.2.1.
struct UseTests {
  private func caching(_ fields: [String], _ line: String = "GET /a", _ preset: Preset = .origin)
    -> RequestCaching
  {
    let policy = makePolicy(preset)
    let request = GivenRequest(line, fields)
    return RequestCaching(request.head, request.base, behavior: policy.behavior())
  }

  private func entry(
    lifetime: Int32 = 60, staleIfError: Int32 = 0, staleWhileRevalidate: Int32 = 0,
    flags: Freshness.Flags = []
  ) -> Freshness {
    Freshness(
      responseTime: testTime, initialAge: 10, lifetime: lifetime, staleIfError: staleIfError,
      staleWhileRevalidate: staleWhileRevalidate, flags: flags)
  }

  private func use(
    _ freshness: Freshness, _ fields: [String] = [], after seconds: Int64, softPurged: Bool = false,
    _ preset: Preset = .origin
  ) -> UseDecision {
    decideUse(
      freshness, softPurged: softPurged, request: caching(fields, "GET /a", preset),
      now: testTime + seconds)
  }

  // MARK: The request

  @Test(
    arguments: [
      ("GET /a", [], Reason.none), ("HEAD /a", [], .none), ("POST /a", [], .method),
      ("PUT /a", ["Content-Length: 1"], .method), ("OPTIONS /a", [], .method),
      ("DELETE /a", [], .method), ("PROPFIND /a", [], .method),
      ("GET /a", ["Content-Length: 0"], .none), ("GET /a", ["Content-Length: 1"], .requestBody),
      ("GET /a", ["Transfer-Encoding: chunked"], .requestBody),
      ("GET /a", ["Upgrade: websocket", "Connection: upgrade"], .upgrade),
      ("GET /a", ["Upgrade: websocket"], .none),
      ("GET /a", ["Cache-Control: no-store"], .requestNoStore),
      ("GET /a", ["Cache-Control: x, No-Store"], .requestNoStore),
      ("GET /a", ["Cache-Control: x=\"no-store\""], .none),
      ("GET /a", ["Cache-Control: no-cache"], .none), ("GET /a", ["Range: bytes=0-1"], .none),
      ("GET /a", ["Authorization: Basic eA=="], .none), ("GET /a", ["Cookie: a=1"], .none),
    ] as [(String, [String], Reason)])
  func `what keeps a request away from the cache`(line: String, fields: [String], reason: Reason) {
    #expect(caching(fields, line).bypass == reason)
  }

  @Test func `a behavior that does not cache is passed whatever the request`() {
    #expect(caching([], "GET /a", .dynamic).bypass == .behaviorDontCache)
    #expect(caching([], "POST /a", .dynamic).bypass == .behaviorDontCache)
  }

  @Test func `a range that is not stored is not filled (RFC 9110 §14.2)`() {
    #expect(caching(["Range: bytes=0-1"]).passOnMiss == .requestRange)
    #expect(caching(["Range: bytes=0-1"], "HEAD /a").passOnMiss == .none)
    #expect(caching(["If-Range: \"a\""]).passOnMiss == .none)
  }

  @Test func `request directives count where the preset obeys the RFC, not in Lightsail's`() {
    let all = "max-age=5, min-fresh=6, max-stale=7, no-cache, only-if-cached, stale-if-error=8"
    let obeyed = caching(["Cache-Control: \(all)"])
    #expect(obeyed.maxAge == 5)
    #expect(obeyed.minFresh == 6)
    #expect(obeyed.maxStale == 7)
    #expect(obeyed.staleIfError == 8)
    #expect(obeyed.flags == [.noCache, .onlyIfCached, .limits])
    #expect(caching(["Cache-Control: \(all), no-store"], "GET /a", .static) == RequestCaching())
    #expect(caching(["Pragma: no-cache"], "GET /a", .static) == RequestCaching())
  }

  @Test(
    arguments: [
      (["Cache-Control: max-age=5", "Cache-Control: max-age=3"], Int32(3), Int32(0), Int32(-1)),
      (["Cache-Control: max-age=x"], 0, 0, -1), (["Cache-Control: max-age=\"5\""], 5, 0, -1),
      (["Cache-Control: max-stale"], -1, 0, .max), (["Cache-Control: max-stale=x"], -1, 0, -1),
      (["Cache-Control: min-fresh=1, min-fresh=2"], -1, 2, -1),
      (["Cache-Control: max-stale, max-stale=4"], -1, 0, 4),
      (["Cache-Control: max-age=99999999999"], .max, 0, -1),
    ] as [([String], Int32, Int32, Int32)])
  func `limits of a request`(fields: [String], maxAge: Int32, minFresh: Int32, maxStale: Int32) {
    let request = caching(fields)
    #expect(request.maxAge == maxAge)
    #expect(request.minFresh == minFresh)
    #expect(request.maxStale == maxStale)
  }

  @Test func `Pragma counts when Cache-Control is absent (§5.4)`() {
    #expect(caching(["Pragma: x, no-cache"]).flags.contains(.noCache))
    #expect(!caching(["Pragma: no-cache", "Cache-Control: x"]).flags.contains(.noCache))
  }

  @Test func `credentials and cookies are noted only where they reach the origin un-keyed`() {
    let fields = ["Authorization: Basic eA==", "Cookie: a=1"]
    #expect(caching(fields).flags == [.authorization, .cookie])
    #expect(caching(fields, "GET /a", .static).flags == [])
  }

  // MARK: The entry

  @Test(
    arguments: [
      // It arrived 10 seconds old.
      (0, UseDecision.fresh), (49, .fresh), (50, .revalidate(.expired)),
      (500, .revalidate(.expired)), (-100, .fresh),
    ] as [(Int64, UseDecision)])
  func `fresh while the lifetime exceeds the age (§4.2)`(seconds: Int64, expected: UseDecision) {
    #expect(use(entry(), after: seconds) == expected)
  }

  @Test(
    arguments: [
      ("max-age=30", 20, UseDecision.fresh), ("max-age=30", 21, .revalidate(.requestMaxAge)),
      ("max-age=0", 0, .revalidate(.requestMaxAge)), ("max-age=600", 50, .revalidate(.expired)),
      ("min-fresh=20", 30, .fresh), ("min-fresh=20", 31, .revalidate(.requestMaxAge)),
      ("min-fresh=20", 60, .revalidate(.expired)),
      ("no-cache", 0, .revalidate(.requestNoCache)), ("only-if-cached", 0, .fresh),
      ("max-stale", 5000, .staleWhileRevalidate), ("max-stale=10", 59, .staleWhileRevalidate),
      ("max-stale=10", 61, .revalidate(.expired)), ("max-stale=10", 0, .fresh),
      ("max-stale, max-age=30", 40, .revalidate(.requestMaxAge)), ("unknown=1", 49, .fresh),
    ] as [(String, Int64, UseDecision)])
  func `a request asks for more or less than freshness`(
    directives: String, seconds: Int64, expected: UseDecision
  ) {
    #expect(use(entry(), ["Cache-Control: \(directives)"], after: seconds) == expected)
  }

  @Test func `max-stale does not reach what must be revalidated (§5.2.2.2)`() {
    for flags in [Freshness.Flags.mustRevalidate, .noCache] {
      let decision = use(entry(flags: flags), ["Cache-Control: max-stale"], after: 60)
      #expect(decision == .revalidate(flags == .noCache ? .responseNoCache : .expired))
    }
  }

  @Test func `no-cache is stored, and validated every time (§5.2.2.4)`() {
    #expect(use(entry(flags: .noCache), after: 0) == .revalidate(.responseNoCache))
  }

  @Test func `stale-while-revalidate covers the time after the lifetime (RFC 5861 §3)`() {
    let entry = entry(staleWhileRevalidate: 30)
    #expect(use(entry, after: 49) == .fresh)
    #expect(use(entry, after: 50) == .staleWhileRevalidate)
    #expect(use(entry, after: 79) == .staleWhileRevalidate)
    #expect(use(entry, after: 80) == .revalidate(.expired))
  }

  @Test func `a soft purge makes an entry stale at once`() {
    #expect(use(entry(), after: 0, softPurged: true) == .revalidate(.purged))
  }

  @Test func `requests with credentials take only what the origin says may be shared (§3.5)`() {
    let fields = ["Authorization: Basic eA=="]
    #expect(use(entry(), fields, after: 0) == .revalidate(.requestAuthorization))
    #expect(use(entry(flags: .sharedWithAuthorization), fields, after: 0) == .fresh)
    #expect(use(entry(), fields, after: 0, .static) == .fresh)
    #expect(use(entry(), ["Cookie: a=1"], after: 0) == .fresh)
  }

  @Test(
    arguments: [
      (30, [], 79, true), (30, [], 80, false), (0, [], 50, false), (0, [], 49, true),
      (30, ["Cache-Control: stale-if-error=10"], 59, true),
      (30, ["Cache-Control: stale-if-error=10"], 60, false),
      (30, ["Cache-Control: stale-if-error=100"], 80, false),
      (30, ["Cache-Control: no-cache"], 79, true),
      (30, ["Authorization: Basic eA=="], 0, false),
    ] as [(Int32, [String], Int64, Bool)])
  func `an entry may stand in for a failing origin`(
    allowance: Int32, fields: [String], seconds: Int64, expected: Bool
  ) {
    let may = mayServeStaleOnError(
      entry(staleIfError: allowance), request: caching(fields), now: testTime + seconds)
    #expect(may == expected)
  }

  @Test func `an entry that has to be validated never stands in`() {
    let entry = entry(staleIfError: 0, flags: .noCache)
    #expect(!mayServeStaleOnError(entry, request: RequestCaching(), now: testTime))
  }

  @Test func `remaining time falls below zero`() {
    #expect(entry().remaining(at: testTime) == 50)
    #expect(entry().remaining(at: testTime + 70) == -20)
  }

  @Test func `only failures of the origin call for a stale entry`() {
    let failures = (100...599).filter { isOriginFailure(UInt16($0)) }
    #expect(failures == [500, 502, 503, 504])
  }
}
