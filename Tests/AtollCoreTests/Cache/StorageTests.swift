// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

/// RFC 9111 §3 and §4.2.
struct StorageTests {
  private func lifetime(
    _ fields: [String], status: Int = 200, _ policy: DistributionPolicy = makePolicy()
  ) -> Int32? {
    guard case .store(let freshness) = decision(fields, status: status, policy) else { return nil }
    return freshness.lifetime
  }

  private func refusal(_ decision: StorageDecision) -> Reason? {
    guard case .refuse(let reason) = decision else { return nil }
    return reason
  }

  private static let largest = "Cache-Control: max-age=31536000"

  @Test(
    arguments: [
      // §4.2.1: s-maxage, then max-age, then Expires less Date.
      (["Cache-Control: max-age=60"], 60),
      (["Cache-Control: MAX-AGE=60, Public"], 60),
      (["Cache-Control: s-maxage=30, max-age=60"], 30),
      (["Cache-Control: max-age=60", "Cache-Control: s-maxage=30"], 30),
      (["Cache-Control: max-age=60", "Expires: \(httpDate(900))"], 60),
      (["Expires: \(httpDate(900))", "Date: \(httpDate())"], 900),
      (["Expires: \(httpDate(900))", "Date: \(httpDate(-100))"], 1000),
      (["Expires: \(httpDate(900))"], 900),
      // §5.2: quoted, with white space and unknown directives around.
      (["Cache-Control: max-age=\"60\""], 60),
      (["Cache-Control: ,, foo=\"max-age=5, no-store\" ,\tmax-age=60 ,"], 60),
      (["Cache-Control: xmax-age=1, max-age=60, max-agex=1"], 60),
      // §1.2.2: too large to hold is the largest number, which the maximum TTL bounds.
      (["Cache-Control: max-age=99999999999999999999"], 31_536_000),
      (["Cache-Control: max-age=2147483648"], 31_536_000),
      (["Cache-Control: max-age=0060"], 60),
      // Of repeated directives the most restrictive.
      (["Cache-Control: max-age=60, max-age=30"], 30),
      (["Cache-Control: max-age=30", "Cache-Control: max-age=60"], 30),
      (["Expires: \(httpDate(900))", "Expires: \(httpDate(300))", "Date: \(httpDate())"], 300),
      // §4.2.2: a tenth of the time since the last change, at most a day.
      (["Last-Modified: \(httpDate(-1000))", "Date: \(httpDate())"], 100),
      (["Last-Modified: \(httpDate(-1000))"], 100),
      (["Last-Modified: \(httpDate(-100_000_000))"], 86_400),
      (["Cache-Control: public", "Last-Modified: \(httpDate(-1000))"], 100),
    ] as [([String], Int32)])
  func `a lifetime`(fields: [String], expected: Int32) {
    #expect(lifetime(fields) == expected)
  }

  @Test(
    arguments: [
      // §4.2.1: invalid freshness information counts as stale; here something can be validated.
      ["Cache-Control: max-age=x"], ["Cache-Control: max-age"], ["Cache-Control: max-age="],
      ["Cache-Control: max-age=-1"], ["Cache-Control: max-age=1.5"], ["Cache-Control: max-age=+5"],
      ["Cache-Control: max-age = 60"], ["Cache-Control: max-age =60"],
      ["Cache-Control: max-age=60, max-age=x"], ["Cache-Control: max-age='60'"],
      ["Cache-Control: s-maxage=x, max-age=60"], ["Cache-Control: max-age=0"],
      // §5.3.
      ["Expires: 0"], ["Expires: -1"], ["Expires: \(httpDate(-10))"], ["Expires: never"],
      ["Expires: \(httpDate(900))", "Expires: 0"],
    ] as [[String]])
  func `no lifetime, so validated before every use`(fields: [String]) {
    #expect(lifetime(fields + ["ETag: \"a\""]) == 0)
    #expect(refusal(decision(fields)) == .zeroLifetime)
  }

  @Test(
    arguments: [
      (["Cache-Control: no-store"], Reason.responseNoStore),
      (["Cache-Control: max-age=60, no-store"], .responseNoStore),
      (["Cache-Control: max-age=60", "Cache-Control: no-store"], .responseNoStore),
      (["Cache-Control: NO-STORE"], .responseNoStore),
      (["Cache-Control: no-store=x"], .responseNoStore),
      // A quotation mark that is never closed must not hide the rest.
      (["Cache-Control: foo=\", max-age=60, no-store"], .responseNoStore),
      (["Cache-Control: private, max-age=60"], .responsePrivate),
      (["Cache-Control: private=\"x foo\", max-age=60"], .responsePrivate),
      (["Cache-Control: public, private, max-age=60"], .responsePrivate),
      (["Vary: *", largest], .varyStar),
      (["Vary: accept, *", largest], .varyStar),
      (["Vary: accept", "Vary: *", largest], .varyStar),
      ([], .responseNoLifetime),
      (["ETag: \"a\""], .responseNoLifetime),
      (["Cache-Control: public"], .responseNoLifetime),
      (["Cache-Control: no-cache"], .responseNoCache),
      (["Cache-Control: no-cache, max-age=60"], .responseNoCache),
      (["Last-Modified: yesterday"], .responseNoLifetime),
    ] as [([String], Reason)])
  func `a response that is not stored`(fields: [String], reason: Reason) {
    #expect(refusal(decision(fields)) == reason)
  }

  @Test(arguments: [
    "Cache-Control: no-storex, max-age=60", "Cache-Control: foo=\"no-store\", max-age=60",
    "Cache-Control: foo=\"a\\\", no-store\", max-age=60", "Cache-Control: max-age=60, x=private",
    "Cache-Control: no-store, must-understand, max-age=60",
  ])
  func `what only looks like a prohibition`(field: String) {
    #expect(lifetime([field]) == 60)
  }

  @Test(arguments: [
    // RFC 9110 §15.1: without a lifetime only these.
    (200, true), (203, true), (204, true), (300, true), (301, true), (308, true), (404, true),
    (405, true), (410, true), (414, true), (501, true), (201, false), (302, false), (303, false),
    (307, false), (400, false), (401, false), (403, false), (429, false), (500, false),
    (502, false), (503, false), (504, false), (299, false),
  ])
  func `statuses that heuristics and defaults store`(status: Int, stores: Bool) {
    let aged = decision(["Last-Modified: \(httpDate(-1000))"], status: status)
    #expect(refusal(aged) == (stores ? nil : .responseStatus))
    // What errors have of their own is in ErrorPolicyTests.
    let byDefault = decision(
      [], status: status, makePolicy(.static) { $0.errors = ErrorSettings() })
    #expect(refusal(byDefault) == (stores ? nil : .responseStatus))
  }

  @Test(arguments: [201, 302, 303, 307, 400, 403, 429, 500, 502, 503, 504, 299])
  func `any other final status with an explicit lifetime is stored`(status: Int) {
    #expect(lifetime(["Cache-Control: max-age=60"], status: status) == 60)
    #expect(lifetime(["Expires: \(httpDate(60))"], status: status) == 60)
    // §3: marked as explicitly cacheable.
    let marked = ["Cache-Control: public", "Last-Modified: \(httpDate(-1000))"]
    #expect(lifetime(marked, status: status) == 100)
  }

  @Test(arguments: [(206, Reason.responsePartial), (304, .responseStatus), (416, .responseStatus)])
  func `statuses that are never stored`(status: Int, reason: Reason) {
    #expect(refusal(decision(["Cache-Control: max-age=60"], status: status)) == reason)
  }

  @Test func `must-understand keeps statuses out that the edge does not know (§5.2.2.3)`() {
    let fields = ["Cache-Control: must-understand, max-age=60"]
    #expect(lifetime(fields, status: 200) == 60)
    #expect(refusal(decision(fields, status: 299)) == .responseStatus)
  }

  @Test(arguments: [
    // (§3.5) what allows to store a response to a request with credentials.
    ("max-age=60", Reason.responseAuthorization), ("public, max-age=60", .none),
    ("s-maxage=60", .none), ("must-revalidate, max-age=60", .none),
    ("proxy-revalidate, max-age=60", .responseAuthorization),
    ("public, no-store", .responseNoStore), ("public, private, max-age=60", .responsePrivate),
  ])
  func `a request with Authorization`(directives: String, reason: Reason) {
    let request = GivenRequest("GET /a", ["Authorization: Basic eA=="])
    let decision = decision(["Cache-Control: \(directives)"], request: request)
    #expect(refusal(decision) ?? .none == reason)
  }

  @Test func `Authorization that is left out or keyed is no obstacle`() {
    let request = GivenRequest("GET /a", ["Authorization: Basic eA=="])
    let fields = ["Cache-Control: max-age=60"]
    #expect(refusal(decision(fields, request: request, makePolicy(.static))) == nil)
    let keyed = makePolicy(.static) {
      $0.settings.forwardedHeaders = .listed(["Authorization"])
    }
    #expect(refusal(decision(fields, request: request, keyed)) == nil)
  }

  @Test func `a Cookie that is not in the key asks for an explicit lifetime`() {
    let request = GivenRequest("GET /a", ["Cookie: id=1"])
    let aged = ["Last-Modified: \(httpDate(-1000))"]
    #expect(refusal(decision(aged, request: request)) == .requestCookie)
    #expect(refusal(decision(["Cache-Control: max-age=60"], request: request)) == nil)
    #expect(refusal(decision(["Expires: \(httpDate(60))"], request: request)) == nil)
    // Neither left out nor keyed cookies.
    #expect(refusal(decision(aged, request: request, makePolicy(.static))) == nil)
    let keyed = makePolicy(.static) { $0.settings.forwardedCookies = .all }
    #expect(refusal(decision(aged, request: request, keyed)) == nil)
    let byDefault = makePolicy { $0.settings.ttl.default = 60 }
    #expect(refusal(decision([], request: request, byDefault)) == .requestCookie)
  }

  @Test func `Set-Cookie asks for an explicit lifetime`() {
    let cookie = "Set-Cookie: id=1"
    #expect(
      refusal(decision([cookie, "Last-Modified: \(httpDate(-1000))"])) == .responseSetCookie)
    #expect(lifetime([cookie, "Cache-Control: max-age=60"]) == 60)
    #expect(lifetime([cookie, "Expires: \(httpDate(60))"]) == 60)
    #expect(
      refusal(decision([cookie, "ETag: \"a\"", "Cache-Control: no-cache"])) == .responseSetCookie)
    // A preset that forwards no cookies strips it, so the default lifetime is fine.
    #expect(lifetime([cookie], makePolicy(.static)) == 86_400)
    let cookies = makePolicy(.static) { $0.settings.forwardedCookies = .all }
    #expect(refusal(decision([cookie], cookies)) == .responseSetCookie)
  }

  @Test(
    arguments: [
      // CloudFront's worked example: Min 60, Default 300, Max 3600.
      (["Cache-Control: max-age=30"], 60), (["Cache-Control: max-age=7200"], 3600),
      (["Cache-Control: s-maxage=600, max-age=5"], 600), ([], 300),
      (["Expires: \(httpDate(-100))"], 60), (["Cache-Control: max-age=0"], 60),
      (["Last-Modified: \(httpDate(-36_000_000))"], 300),
    ] as [([String], Int32)])
  func `a behavior bounds lifetimes`(fields: [String], expected: Int32) {
    let policy = makePolicy(.static) {
      $0.settings.ttl = TTL(minimum: 60, default: 300, maximum: 3600)
    }
    #expect(lifetime(fields, policy) == expected)
  }

  @Test func `a minimum stretches heuristics, and stands in for them`() {
    let policy = makePolicy { $0.settings.ttl = TTL(minimum: 60, maximum: 120) }
    #expect(lifetime(["Last-Modified: \(httpDate(-100))"], policy) == 60)
    #expect(lifetime(["Last-Modified: \(httpDate(-100_000))"], policy) == 120)
    #expect(lifetime([], policy) == 60)
  }

  @Test(arguments: ["no-store", "private", "no-cache", "no-store, max-age=600"])
  func `a minimum stores what is forbidden only when it overrides the origin`(directives: String) {
    let fields = ["Cache-Control: \(directives)"]
    let ttl = TTL(minimum: 60, default: 300, maximum: 3600)
    #expect(refusal(decision(fields, makePolicy { $0.settings.ttl = ttl })) != nil)
    let overriding = makePolicy {
      $0.settings.ttl = ttl
      $0.settings.overridesOrigin = true
    }
    #expect(lifetime(fields, overriding) == 60)
    guard case .store(let freshness) = decision(fields, overriding) else { return }
    #expect(!freshness.flags.contains(.noCache))
    // Without a minimum there is nothing to override with.
    #expect(refusal(decision(fields, makePolicy { $0.settings.overridesOrigin = true })) != nil)
  }

  @Test func `a path override may have TTLs of its own`() {
    let policy = makePolicy(.static) {
      $0.behaviors = [PathBehavior(path: "a", caching: .cache, ttl: TTL(default: 5))]
    }
    #expect(lifetime([], policy) == 5)
  }

  @Test(
    arguments: [
      // (§4.2.3) Age, Date offset, delay in transit, corrected_initial_age.
      ("Age: 0", 0, 0, 0), ("Age: 10", 0, 0, 10), ("Age: 10", 0, 3, 13), ("X: y", -20, 0, 20),
      ("Age: 10", -20, 0, 20), ("Age: 30", -20, 0, 30), ("X: y", 20, 0, 0), ("X: y", 0, 2, 2),
      // §5.1: the first member of a list; what is no number is ignored.
      ("Age: 10, 500", 0, 0, 10), ("Age: x", 0, 0, 0), ("Age: -5", 0, 0, 0), ("Age: 1.5", 0, 0, 0),
      ("Age: 99999999999", 0, 0, Int32.max), ("Age: \"10\"", 0, 0, 0),
    ] as [(String, Int64, Int64, Int32)])
  func `an age on arrival`(field: String, dateOffset: Int64, delay: Int64, expected: Int32) {
    let decision = decision(
      ["Cache-Control: max-age=60", "ETag: \"a\"", field, "Date: \(httpDate(dateOffset))"],
      delay: delay)
    guard case .store(let freshness) = decision else {
      Issue.record("\(decision)")
      return
    }
    #expect(freshness.initialAge == expected)
    #expect(freshness.age(at: testTime + 5) == Int64(expected) + 5)
  }

  @Test func `without a valid Date the message counts as made on arrival`() {
    for date in ["Date: nonsense", "X: y"] {
      guard case .store(let freshness) = decision(["Cache-Control: max-age=60", date]) else {
        Issue.record("not stored")
        continue
      }
      #expect(freshness.initialAge == 0)
    }
  }

  @Test func `a response that is stale on arrival is stored only to be validated`() {
    let old = ["Cache-Control: max-age=60", "Age: 60"]
    #expect(refusal(decision(old)) == .zeroLifetime)
    #expect(lifetime(old + ["ETag: W/\"a\""]) == 60)
    #expect(lifetime(old + ["Last-Modified: \(httpDate(-5))"]) == 60)
    // What is no entity tag validates nothing.
    #expect(refusal(decision(old + ["ETag: a"])) == .zeroLifetime)
    #expect(lifetime(["Cache-Control: max-age=60, stale-while-revalidate=30", "Age: 60"]) == 60)
  }

  @Test(
    arguments: [
      // RFC 5861, and the behavior's day when the origin says nothing.
      ("max-age=60", 86_400, 0, false),
      ("max-age=60, stale-if-error=5", 5, 0, false),
      ("max-age=60, stale-if-error=0", 0, 0, false),
      ("max-age=60, stale-if-error=5, stale-if-error=3", 3, 0, false),
      ("max-age=60, stale-while-revalidate=30", 86_400, 30, false),
      ("max-age=60, stale-while-revalidate=x", 86_400, 0, false),
      // RFC 9111 §4.2.4: directives that forbid it.
      ("max-age=60, must-revalidate, stale-if-error=5, stale-while-revalidate=5", 0, 0, true),
      ("max-age=60, proxy-revalidate", 0, 0, true),
      ("s-maxage=60, stale-while-revalidate=5", 0, 0, true),
      ("max-age=60, no-cache, stale-if-error=5", 0, 0, false),
    ] as [(String, Int32, Int32, Bool)])
  func `how long after its lifetime an entry may be served`(
    directives: String, staleIfError: Int32, staleWhileRevalidate: Int32, mustRevalidate: Bool
  ) {
    let decision = decision(["Cache-Control: \(directives)", "ETag: \"a\""])
    guard case .store(let freshness) = decision else {
      Issue.record("\(decision)")
      return
    }
    #expect(freshness.staleIfError == staleIfError)
    #expect(freshness.staleWhileRevalidate == staleWhileRevalidate)
    #expect(freshness.flags.contains(.mustRevalidate) == mustRevalidate)
  }

  @Test func `flags tell what the origin said`() {
    guard
      case .store(let freshness) = decision([
        "Cache-Control: public, max-age=60, immutable, no-cache", "ETag: \"a\"",
      ])
    else {
      Issue.record("not stored")
      return
    }
    #expect(freshness.flags == [.explicit, .immutable, .noCache, .sharedWithAuthorization])
    guard case .store(let aged) = decision(["Last-Modified: \(httpDate(-1000))"]) else {
      Issue.record("not stored")
      return
    }
    #expect(aged.flags == [])
  }

  @Test func `only GET, and OPTIONS when chosen, become entries`() {
    let fields = ["Cache-Control: max-age=60"]
    #expect(refusal(decision(fields, request: GivenRequest("HEAD /a"))) == .method)
    #expect(refusal(decision(fields, request: GivenRequest("POST /a"))) == .method)
    #expect(refusal(decision(fields, request: GivenRequest("OPTIONS /a"))) == .method)
    let options = makePolicy { $0.settings.cachesOptions = true }
    #expect(refusal(decision(fields, request: GivenRequest("OPTIONS /a"), options)) == nil)
    #expect(refusal(decision(fields, request: GivenRequest("OPTIONS *"), options)) == .method)
  }

  @Test func `what the request forbids wins`() {
    let fields = ["Cache-Control: max-age=60"]
    let noStore = GivenRequest("GET /a", ["Cache-Control: no-store"])
    #expect(refusal(decision(fields, request: noStore)) == .requestNoStore)
    #expect(refusal(decision(fields, request: noStore, makePolicy(.static))) == nil)
    let body = GivenRequest("GET /a", ["Content-Length: 5"])
    #expect(refusal(decision(fields, request: body)) == .requestBody)
    #expect(refusal(decision(fields, makePolicy(.dynamic))) == .behaviorDontCache)
  }

  // MARK: 304

  private func update(stored: [String], _ fields: [String], status: UInt16 = 200)
    -> StorageDecision
  {
    let policy = makePolicy()
    let behavior = policy.behavior()
    let request = GivenRequest()
    let response = GivenResponse(304, fields)
    let head = Array((["HTTP/1.1 200 OK"] + stored).map { $0 + "\r\n" }.joined().utf8)
    return withBytes(head) {
      decideUpdate(
        request: RequestCaching(request.head, request.base, behavior: behavior), status: status,
        stored: $0, response: response.head, base: response.base, behavior: behavior,
        requestTime: testTime - 1, responseTime: testTime)
    }
  }

  @Test func `a 304 renews the stored lifetime (§4.3.4)`() {
    let stored = [
      "Cache-Control: max-age=60", "Date: \(httpDate(-500))", "ETag: \"a\"",
    ]
    guard case .store(let freshness) = update(stored: stored, []) else {
      Issue.record("refused")
      return
    }
    #expect(freshness.lifetime == 60)
    #expect(freshness.initialAge == 1)
    #expect(freshness.responseTime == testTime)
  }

  @Test func `what a 304 says replaces what is stored`() {
    let stored = ["Cache-Control: max-age=60", "ETag: \"a\"", "Expires: \(httpDate(9))"]
    guard
      case .store(let freshness) = update(
        stored: stored, ["Cache-Control: max-age=90", "Age: 20", "Date: \(httpDate(-5))"])
    else {
      Issue.record("refused")
      return
    }
    #expect(freshness.lifetime == 90)
    #expect(freshness.initialAge == 21)
    #expect(refusal(update(stored: stored, ["Cache-Control: no-store"])) == .responseNoStore)
    #expect(refusal(update(stored: ["ETag: \"a\""], [])) == .responseNoLifetime)
  }

  @Test(arguments: [
    (Method.post, UInt16(200), true), (.put, 204, true), (.delete, 303, true), (.post, 404, false),
    (.post, 500, false), (.get, 200, false), (.head, 200, false), (.options, 200, false),
    (.other, 200, true),
  ])
  func `unsafe methods that succeed invalidate (§4.4)`(
    method: Method, status: UInt16, expected: Bool
  ) {
    #expect(invalidates(method, status: status) == expected)
  }
}
