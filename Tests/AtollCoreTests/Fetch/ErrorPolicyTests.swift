// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

/// CloudFront §19, §20 and §36 within RFC 9111 (RFC 5861 §4 for stale entries).
struct ErrorPolicyTests {
  // MARK: Lifetimes

  @Test(
    arguments: [
      // §19: always.
      (404, nil, 10), (414, nil, 10), (500, nil, 10), (501, nil, 10), (502, nil, 10),
      (503, nil, 10), (504, nil, 10),
      // Only with a lifetime.
      (400, nil, nil), (403, nil, nil), (405, nil, nil), (412, nil, nil), (415, nil, nil),
      (400, 60, 60), (403, 60, 60), (405, 60, 60), (412, 60, 60), (415, 60, 60),
      // On no list: what RFC 9111 §3 stores all the same, with an explicit lifetime.
      (401, nil, nil), (410, nil, nil), (429, nil, nil), (505, nil, nil), (410, 60, 60),
      // The longer of the two, the origin's within the maximum.
      (404, 5, 10), (404, 0, 10), (404, 60, 60), (404, 1000, 500), (403, 5, 10),
    ] as [(UInt16, Int64?, Int64?)])
  func `an error lives for the minimum or what the origin says (§19)`(
    status: UInt16, explicit: Int64?, expected: Int64?
  ) {
    #expect(
      errorLifetime(
        status: status, minimum: 10, explicit: explicit, maximum: 500, initialAge: 0) == expected)
  }

  @Test func `the minimum counts from the arrival, the origin's lifetime from the origin`() {
    func lifetime(_ minimum: Int64, _ explicit: Int64?) -> Int64? {
      errorLifetime(
        status: 404, minimum: minimum, explicit: explicit, maximum: 500, initialAge: 100)
    }
    #expect(lifetime(10, nil) == 110)
    #expect(lifetime(10, 105) == 110)
    #expect(lifetime(10, 300) == 300)
    #expect(lifetime(0, 50) == 50)
  }

  @Test func `the maximum bounds what the origin says, not the minimum (§19)`() {
    #expect(
      errorLifetime(status: 404, minimum: 60, explicit: 90, maximum: 5, initialAge: 0) == 60)
  }

  private static let remembering = ErrorSettings(
    minimumTTL: 10,
    responses: [
      ErrorResponse(status: 404, minimumTTL: 0), ErrorResponse(status: 500, minimumTTL: 300),
      ErrorResponse(status: 403, page: .path("/denied.html"), responseStatus: 404),
    ])

  @Test func `a status may have a minimum of its own`() {
    let policy = ErrorPolicy(Self.remembering)
    #expect(policy.minimumTTL(of: 404) == 0)
    #expect(policy.minimumTTL(of: 500) == 300)
    #expect(policy.minimumTTL(of: 403) == 10)
    #expect(policy.minimumTTL(of: 503) == 10)
    for status in [200, 206, 301, 304, 399] as [UInt16] {
      #expect(policy.minimumTTL(of: status) == nil)
    }
    #expect(ErrorPolicy(ErrorSettings()).minimumTTL(of: 404) == nil)
    let one = ErrorPolicy(ErrorSettings(responses: [ErrorResponse(status: 500, minimumTTL: 5)]))
    #expect(one.minimumTTL(of: 500) == 5)
    #expect(one.minimumTTL(of: 404) == nil)
  }

  private func decide(
    _ status: Int, _ fields: [String], _ edit: (inout Distribution) -> Void = { _ in },
    request: GivenRequest = GivenRequest(), preset: Preset = .static
  ) -> StorageDecision {
    let policy = makePolicy(preset) {
      $0.errors = ErrorSettings(minimumTTL: 10)
      edit(&$0)
    }
    let response = GivenResponse(status, fields)
    let behavior = policy.behavior()
    return decideStorage(
      request: RequestCaching(request.head, request.base, behavior: behavior),
      method: request.head.method, response: response.head, base: response.base,
      behavior: behavior, requestTime: testTime, responseTime: testTime)
  }

  private func lifetime(_ decision: StorageDecision) -> Int32? {
    guard case .store(let freshness) = decision else { return nil }
    return freshness.lifetime
  }

  @Test(
    arguments: [
      (404, [], Int32(10)), (500, [], 10), (503, ["Retry-After: 60"], 10),
      (404, ["Cache-Control: max-age=60"], 60), (404, ["Cache-Control: max-age=3"], 10),
      (404, ["Cache-Control: s-maxage=90, max-age=3"], 90),
      // §36: Expires counts, too.
      (403, ["Expires: \(httpDate(90))"], 90), (403, ["Expires: 0"], 10), (403, [], nil),
      (404, ["Expires: \(httpDate(-9))"], 10), (400, ["Cache-Control: max-age=0"], 10),
      // The default TTL is for responses that are no errors, minimum and heuristics alike.
      (404, ["Last-Modified: \(httpDate(-1000))"], 10), (410, [], nil),
      // RFC 9111 §5.2.2.5 and §5.2.2.7 come first.
      (500, ["Cache-Control: no-store"], nil), (404, ["Cache-Control: private"], nil),
      (404, ["Cache-Control: private, max-age=60"], nil), (404, ["Cache-Control: no-cache"], nil),
      (404, ["Vary: *"], nil), (416, ["Cache-Control: max-age=60"], nil),
      // Not an error.
      (200, [], 86_400),
    ] as [(Int, [String], Int32?)])
  func `how long errors are stored`(status: Int, fields: [String], expected: Int32?) {
    #expect(lifetime(decide(status, fields)) == expected)
  }

  @Test func `a minimum TTL is not an error's`() {
    #expect(
      lifetime(decide(404, ["Cache-Control: max-age=1"]) { $0.settings.ttl.minimum = 99 }) == 10)
    #expect(lifetime(decide(404, []) { $0.settings.ttl.maximum = 5 }) == 10)
    #expect(
      lifetime(decide(404, ["Cache-Control: max-age=99"]) { $0.settings.ttl.maximum = 50 }) == 50)
  }

  @Test func `overriding the origin covers errors for their own minimum (§19, §37)`() {
    func overridden(_ status: Int, _ fields: [String], minimum: Int = 10) -> Int32? {
      lifetime(
        decide(status, fields) {
          $0.settings.overridesOrigin = true
          $0.settings.ttl.minimum = 60
          $0.errors.minimumTTL = minimum
        })
    }
    #expect(overridden(500, ["Cache-Control: no-store"]) == 10)
    #expect(overridden(404, ["Cache-Control: private, max-age=600"]) == 10)
    #expect(overridden(403, ["Cache-Control: no-store"]) == nil)
    #expect(overridden(500, ["Cache-Control: no-store"], minimum: 0) == nil)
    #expect(overridden(200, ["Cache-Control: no-store"]) == 60)
  }

  @Test func `errors are nobody's alone (RFC 9111 §3.5, §7.3)`() {
    let credentials = GivenRequest("GET /a", ["Authorization: Basic eA=="])
    let cookie = GivenRequest("GET /a", ["Cookie: a=1"])
    #expect(
      decide(404, [], request: credentials, preset: .origin) == .refuse(.responseAuthorization))
    #expect(decide(404, [], request: cookie, preset: .origin) == .refuse(.requestCookie))
    #expect(
      decide(404, ["Set-Cookie: a=1"], preset: .origin) == .refuse(.responseSetCookie))
  }

  @Test func `an error that was only remembered does not stand in for later ones`() {
    guard case .store(let remembered) = decide(404, []) else {
      Issue.record("not stored")
      return
    }
    #expect(remembered.staleIfError == 0)
    #expect(remembered.flags == .error)
    guard case .store(let asked) = decide(404, ["Cache-Control: max-age=60, stale-if-error=30"])
    else {
      Issue.record("not stored")
      return
    }
    #expect(asked.staleIfError == 30)
    #expect(asked.flags == [.error, .explicit])
  }

  @Test func `without a minimum RFC 9111 alone counts`() {
    func plain(_ status: Int, _ fields: [String]) -> Int32? {
      lifetime(decide(status, fields, { $0.errors.minimumTTL = nil }, preset: .origin))
    }
    #expect(plain(404, []) == nil)
    #expect(plain(404, ["Last-Modified: \(httpDate(-1000))"]) == 100)
    #expect(plain(500, ["Cache-Control: max-age=5"]) == 5)
  }

  // MARK: Failures

  @Test func `5xx lie beside the response of their URL, 4xx take its place`() {
    let apart = (100...599).filter { isStoredApart(UInt16($0)) }
    #expect(apart == Array(500...599))
  }

  @Test func `a failure has the key of its URL but for one bit`() {
    let policy = makePolicy()
    let request = GivenRequest("GET /a?b=1")
    func key(_ isFailure: Bool) -> [UInt8] {
      writtenBytes {
        appendCacheKey(
          request.head, request.base, distribution: policy, behavior: policy.behavior(),
          viewer: ViewerFacts(), to: $0)
        if isFailure { toggleFailureMark($0.base) }
      }
    }
    let (plain, failure) = (key(false), key(true))
    #expect(plain != failure)
    #expect(withBytes(failure) { Array(keyURL($0)) } == Array("/a?b=1".utf8))
    #expect(withBytes(failure) { keySlot($0) } == 3)
    let purge = PurgeMatcher(
      PurgeRecord(
        number: 1, distribution: "shop", id: policy.distribution.id, at: 0, soft: false,
        selector: .path("/a?b=1")), slot: 3, policy: policy)
    #expect(withBytes(failure) { purge.matches(key: $0, tags: .init(start: nil, count: 0)) })
  }

  struct Failure: Sendable, CustomTestStringConvertible {
    var failureAge: Int64 = 1
    var status: UInt16 = 503
    var hasResponse = true
    var softPurged = false
    /// Age of the stale entry, of a lifetime of 10.
    var staleAge: Int64?
    var flags: Freshness.Flags = []
    var request: [String] = []
    var expected: FailureUse
    var testDescription: String { "\(expected): \(failureAge) \(status) \(staleAge ?? -1)" }
  }

  @Test(arguments: [
    // No copy: that error, for its lifetime.
    Failure(expected: .answer), Failure(failureAge: 10, expected: .ignore),
    Failure(hasResponse: false, expected: .ignore), Failure(softPurged: true, expected: .ignore),
    // Expired copy: it is served meanwhile.
    Failure(staleAge: 50, expected: .standIn),
    Failure(hasResponse: false, staleAge: 50, expected: .standIn),
    Failure(failureAge: 10, staleAge: 50, expected: .ignore),
    // RFC 5861 §4 names 500, 502, 503 and 504.
    Failure(status: 501, staleAge: 50, expected: .answer),
    Failure(status: 500, staleAge: 50, expected: .standIn),
    // RFC 9111 §4.2.4: not where the origin forbids it, or for longer than it may.
    Failure(staleAge: 50, flags: .mustRevalidate, expected: .answer),
    Failure(staleAge: 50, flags: .noCache, expected: .answer),
    Failure(staleAge: 200, expected: .answer),
    Failure(hasResponse: false, staleAge: 200, expected: .ignore),
    // The origin has answered since.
    Failure(failureAge: 9, staleAge: 5, expected: .ignore),
    // RFC 9111 §5.2.1: the request wants it from the origin, or no older.
    Failure(request: ["Cache-Control: no-cache"], expected: .ignore),
    Failure(failureAge: 4, request: ["Cache-Control: max-age=3"], expected: .ignore),
    Failure(request: ["Cache-Control: max-age=3"], expected: .answer),
    // RFC 5861 §4 in a request.
    Failure(staleAge: 50, request: ["Cache-Control: stale-if-error=5"], expected: .answer),
    Failure(staleAge: 50, request: ["Cache-Control: stale-if-error=99"], expected: .standIn),
  ])
  func `what a remembered failure does for a request (§19)`(_ failure: Failure) {
    let policy = makePolicy()
    let request = GivenRequest("GET /a", failure.request)
    let stale = failure.staleAge.map {
      Freshness(
        responseTime: testTime - $0, lifetime: 10,
        staleIfError: failure.flags.isEmpty ? 100 : 0, flags: failure.flags)
    }
    let use = decideFailureUse(
      Freshness(responseTime: testTime - failure.failureAge, lifetime: 10, flags: .error),
      softPurged: failure.softPurged, failureStatus: failure.status,
      hasResponse: failure.hasResponse, stale: stale.map { ($0, false) },
      request: RequestCaching(request.head, request.base, behavior: policy.behavior()),
      now: testTime)
    #expect(use == failure.expected)
  }

  @Test func `a soft purge ends the lifetime of what may stand in`() {
    let fresh = Freshness(responseTime: testTime - 5, lifetime: 10, staleIfError: 0)
    let request = RequestCaching()
    #expect(mayStandIn(fresh, softPurged: false, request: request, now: testTime))
    #expect(!mayStandIn(fresh, softPurged: true, request: request, now: testTime))
    var allowed = fresh
    allowed.staleIfError = 30
    #expect(mayStandIn(allowed, softPurged: true, request: request, now: testTime))
  }

  @Test(arguments: Reason.allCases)
  func `which reasons are the origin's failure, with which status (§21)`(_ reason: Reason) {
    let failures: [Reason] = [
      .originDns, .originConnect, .originTimeout, .originBadResponse, .originClosed, .originTls,
      .originCertificateExpired, .originCertificateName, .originCertificateUntrusted,
      .originUnhealthy,
    ]
    #expect(isFailureOfOrigin(reason) == failures.contains(reason))
    let expected: UInt16 =
      switch reason {
      case .originTimeout: 504
      case .overloaded, .draining, .originUnhealthy: 503
      default: 502
      }
    #expect(failureStatus(reason) == expected)
  }

  @Test func `a fresh error is told from another fresh response`() {
    let request = RequestCaching()
    func use(_ flags: Freshness.Flags, at time: Int64 = testTime) -> UseDecision {
      decideUse(
        Freshness(responseTime: testTime, lifetime: 10, flags: flags), softPurged: false,
        request: request, now: time)
    }
    #expect(use([]) == .fresh)
    #expect(use(.error) == .freshError)
    #expect(use(.error, at: testTime + 10) == .revalidate(.expired))
    #expect(use([.error, .noCache]) == .revalidate(.responseNoCache))
  }
}
