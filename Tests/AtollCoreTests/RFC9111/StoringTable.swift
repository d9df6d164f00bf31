// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

/// What becomes of a response, as the tables of this directory write it.
enum Fate: Equatable, Sendable {
  /// Stored, and fresh for so many seconds of age.
  case fresh(Int32)
  /// Stored, and validated before every use.
  case validated
  case refused(Reason)
}

/// What the preset `origin`, which obeys RFC 9111 alone, makes of a response that arrives at
/// `testTime`.
func fate(
  _ fields: [String], status: Int = 200, request: GivenRequest = GivenRequest(), delay: Int64 = 0,
  _ policy: DistributionPolicy = makePolicy()
) -> Fate {
  switch decision(fields, status: status, request: request, delay: delay, policy) {
  case .refuse(let reason): .refused(reason)
  case .store(let freshness):
    freshness.flags.contains(.noCache) || !freshness.isFresh(at: testTime)
      ? .validated : .fresh(freshness.lifetime)
  }
}

func decision(
  _ fields: [String], status: Int = 200, request: GivenRequest = GivenRequest(), delay: Int64 = 0,
  _ policy: DistributionPolicy = makePolicy()
) -> StorageDecision {
  let response = GivenResponse(status, fields)
  let behavior = policy.behavior()
  return decideStorage(
    request: RequestCaching(request.head, request.base, behavior: behavior),
    method: request.head.method, response: response.head, base: response.base,
    behavior: behavior, requestTime: testTime - delay, responseTime: testTime)
}

/// RFC 9111 §3: which responses a shared cache may store. Each row names the section that decides it.
struct StoringTable {
  private static let minute = "Cache-Control: max-age=60"
  private static let aged = "Last-Modified: \(httpDate(-1000))"

  @Test(
    arguments: [
      ("3: a max-age response directive", [minute], .fresh(60)),
      ("3: an s-maxage response directive", ["Cache-Control: s-maxage=60"], .fresh(60)),
      ("3: an Expires header field", ["Expires: \(httpDate(60))"], .fresh(60)),
      ("3: a heuristically cacheable status", [aged], .fresh(100)),
      ("3: a public directive", ["Cache-Control: public", aged], .fresh(100)),
      ("3: nothing of these", [], .refused(.responseNoLifetime)),
      ("3: a validator alone is no lifetime", ["ETag: \"a\""], .refused(.responseNoLifetime)),
      ("5.2.2.5", ["Cache-Control: no-store"], .refused(.responseNoStore)),
      ("5.2.2.5", ["Cache-Control: no-store, max-age=60"], .refused(.responseNoStore)),
      (
        "5.2.2.5", ["Cache-Control: max-age=60", "Cache-Control: no-store"],
        .refused(.responseNoStore)
      ),
      ("5.2.2.5", ["Cache-Control: public, no-store"], .refused(.responseNoStore)),
      (
        "5.2.2.5", ["Cache-Control: no-store", "Expires: \(httpDate(60))"],
        .refused(.responseNoStore)
      ),
      (
        "5.2.2.5: no argument is defined", ["Cache-Control: no-store=\"a\", max-age=60"],
        .refused(.responseNoStore)
      ),
      ("5.2.2.7", ["Cache-Control: private"], .refused(.responsePrivate)),
      ("5.2.2.7", ["Cache-Control: private, max-age=60"], .refused(.responsePrivate)),
      ("5.2.2.7", ["Cache-Control: s-maxage=60, private"], .refused(.responsePrivate)),
      ("5.2.2.7", ["Cache-Control: public, private", aged], .refused(.responsePrivate)),
      ("5.2.2.4", ["Cache-Control: no-cache", "ETag: \"a\""], .validated),
      ("5.2.2.4", ["Cache-Control: no-cache, max-age=60", "ETag: \"a\""], .validated),
      ("5.2.2.4", ["Cache-Control: no-cache", aged], .validated),
      (
        "5.2.2.4: nothing to validate with", ["Cache-Control: no-cache, max-age=60"],
        .refused(.responseNoCache)
      ),
      (
        "5.2.2.8: does not imply that it is cacheable", ["Cache-Control: proxy-revalidate"],
        .refused(.responseNoLifetime)
      ),
      (
        "5.2.2.2: nor does this", ["Cache-Control: must-revalidate"],
        .refused(.responseNoLifetime)
      ),
      ("5.2.2.2", ["Cache-Control: must-revalidate, max-age=60"], .fresh(60)),
      ("5.2.2.6: is about the content", ["Cache-Control: no-transform, max-age=60"], .fresh(60)),
      (
        "5.2.3: unrecognized directives are ignored",
        ["Cache-Control: max-age=60, unheard-of, x=y, z=\"no-store\""], .fresh(60)
      ),
      (
        "5.2.3: and allow nothing", ["Cache-Control: private, community=\"UCI\", max-age=60"],
        .refused(.responsePrivate)
      ),
      ("4.1: \"*\" always fails to match", ["Vary: *", minute], .refused(.varyStar)),
      ("4.1", ["Vary: Accept, *", minute], .refused(.varyStar)),
      ("4.1", ["Vary: *, Accept", minute], .refused(.varyStar)),
      ("4.1", ["Vary: , *", minute], .refused(.varyStar)),
      ("4.1", ["Vary: *,*", minute], .refused(.varyStar)),
      ("4.1", ["Vary: Accept", "Vary: *", minute], .refused(.varyStar)),
      ("4.1", ["Vary: *", "Vary: Accept", minute], .refused(.varyStar)),
      ("4.1: a name is no wildcard", ["Vary: *a", minute], .fresh(60)),
      ("5.4: meaningless in responses", ["Pragma: no-cache", minute], .fresh(60)),
      ("5.4: heuristics included", ["Pragma: no-cache", aged], .fresh(100)),
      ("5.5: obsolete", ["Warning: 110 - \"Response is Stale\"", minute], .fresh(60)),
      ("7.3: a cookie is the origin's to allow", ["Set-Cookie: a=b", minute], .fresh(60)),
      ("7.3", ["Set-Cookie: a=b", aged], .refused(.responseSetCookie)),
    ] as [(String, [String], Fate)])
  func `a response to a plain GET`(section: String, fields: [String], expected: Fate) {
    #expect(fate(fields) == expected, "RFC 9111 §\(section)")
  }

  // MARK: Statuses

  /// RFC 9110 §15.1, which heuristics may use.
  private static let heuristic: Set = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]

  @Test(arguments: [
    200, 201, 202, 203, 204, 205, 207, 208, 226, 299, 300, 301, 302, 303, 305, 307, 308, 399, 400,
    401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 417, 418, 421, 422,
    423, 424, 425, 426, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 506, 507, 508, 510,
    511, 599,
  ])
  func `a final status with an explicit lifetime is stored, whatever it means (§3)`(status: Int) {
    #expect(fate([Self.minute], status: status) == .fresh(60))
    #expect(fate(["Cache-Control: s-maxage=60"], status: status) == .fresh(60))
    #expect(fate(["Expires: \(httpDate(60))"], status: status) == .fresh(60))
    // §5.2.2.9: public makes it heuristically cacheable.
    #expect(fate(["Cache-Control: public", Self.aged], status: status) == .fresh(100))
    // RFC 9110 §15.1: without a word from the origin only some.
    #expect(
      fate([Self.aged], status: status)
        == (Self.heuristic.contains(status) ? .fresh(100) : .refused(.responseStatus)))
    #expect(
      fate(["Cache-Control: no-store, max-age=60"], status: status) == .refused(.responseNoStore))
  }

  @Test(arguments: [
    // Not of GET for the whole: partial responses come by a way of their own.
    ("3: final", 101), ("3: a 304 is about another response", 304), ("15.5.17", 416),
  ])
  func `a status that is never stored`(section: String, status: Int) {
    #expect(fate([Self.minute], status: status) == .refused(.responseStatus))
    #expect(
      fate(["Cache-Control: public", Self.aged], status: status) == .refused(.responseStatus))
  }

  @Test(arguments: [
    // §5.2.2.3: a cache that knows the status's rules ignores no-store, any other stores nothing.
    (200, true), (203, true), (204, true), (301, true), (404, true), (410, true), (500, true),
    (207, false), (226, false), (299, false), (399, false), (418, false), (425, false),
    (499, false), (506, false), (599, false),
  ])
  func `must-understand takes no-store back for statuses that are understood`(
    status: Int, isUnderstood: Bool
  ) {
    let kept = isUnderstood ? Fate.fresh(60) : .refused(.responseStatus)
    #expect(fate(["Cache-Control: must-understand, max-age=60"], status: status) == kept)
    #expect(fate(["Cache-Control: no-store, must-understand, max-age=60"], status: status) == kept)
    // Only as it is defined.
    #expect(
      fate(["Cache-Control: no-store, must-understand=1, max-age=60"], status: status)
        == .refused(.responseNoStore))
  }

  // MARK: Requests

  @Test(
    arguments: [
      ("3: the method is understood", "GET /a", [], .fresh(60)),
      ("4: HEAD may be answered from GET, brings none", "HEAD /a", [], .refused(.method)),
      ("9110 9.3.3: POST is not", "POST /a", [], .refused(.method)),
      ("9110 9.3.4", "PUT /a", [], .refused(.method)),
      ("9110 9.3.7", "OPTIONS /a", [], .refused(.method)),
      ("9110 9.1: unknown", "PROPFIND /a", [], .refused(.method)),
      ("5.2.1.5", "GET /a", ["Cache-Control: no-store"], .refused(.requestNoStore)),
      ("5.2.1.5", "GET /a", ["Cache-Control: max-age=5, NO-STORE"], .refused(.requestNoStore)),
      ("5.2.1.5: in a string", "GET /a", ["Cache-Control: a=\"no-store\""], .fresh(60)),
      ("5.2.1.4: forbids reuse, not storing", "GET /a", ["Cache-Control: no-cache"], .fresh(60)),
      ("3.5", "GET /a", ["Authorization: Basic eA=="], .refused(.responseAuthorization)),
      ("3: a cookie is no obstacle to the origin's word", "GET /a", ["Cookie: a=b"], .fresh(60)),
    ] as [(String, String, [String], Fate)])
  func `a response to a request like this`(
    section: String, line: String, fields: [String], expected: Fate
  ) {
    #expect(fate([Self.minute], request: GivenRequest(line, fields)) == expected, "§\(section)")
  }

  @Test(
    arguments: [
      ("public, max-age=60", .fresh(60)), ("s-maxage=60", .fresh(60)),
      ("must-revalidate, max-age=60", .fresh(60)), ("s-maxage=60, max-age=0", .fresh(60)),
      ("PUBLIC, max-age=60", .fresh(60)),
      // Not among the three.
      ("max-age=60", .refused(.responseAuthorization)),
      ("proxy-revalidate, max-age=60", .refused(.responseAuthorization)),
      ("immutable, max-age=60", .refused(.responseAuthorization)),
      ("no-cache, max-age=60", .refused(.responseAuthorization)),
      // No argument is defined for it (§5.2.2).
      ("public=\"a\", max-age=60", .refused(.responseAuthorization)),
      // And what forbids still forbids.
      ("public, no-store", .refused(.responseNoStore)),
      ("s-maxage=60, private", .refused(.responsePrivate)),
    ] as [(String, Fate)])
  func `a request with credentials needs a directive that allows sharing (§3.5)`(
    directives: String, expected: Fate
  ) {
    let request = GivenRequest("GET /a", ["Authorization: Bearer x"])
    #expect(fate(["Cache-Control: \(directives)"], request: request) == expected)
  }

  // MARK: Qualified directives

  private func written(_ fields: [String]) -> [String] {
    let response = GivenResponse(200, fields + ["Date: \(httpDate())"])
    let behavior = makePolicy().behavior()
    return writtenLines {
      appendResponseHead(
        response.head, response.base, behavior: behavior, storing: true, now: testTime, to: $0)
    }
  }

  @Test(
    arguments: [
      ("private=\"x-a\"", ["X-A"]), ("private=\"X-A\"", ["X-A"]), ("PRIVATE=\"x-a\"", ["X-A"]),
      ("private=\"x-a, x-b\"", ["X-A", "X-B"]), ("private=\" x-a ,x-b \"", ["X-A", "X-B"]),
      ("private=\"x-a\", private=\"x-b\"", ["X-A", "X-B"]),
      ("private=\"x-none\"", []), ("no-cache=\"x-a\"", ["X-A"]),
      ("no-cache=\"x-a, x-b\"", ["X-A", "X-B"]),
      ("no-cache=\"x-a\", private=\"x-b\"", ["X-A", "X-B"]),
      // The token form ought to be accepted, a sender should not make it.
      ("private=x-a", ["X-A"]), ("no-cache=x-a", ["X-A"]),
      // A quoted pair stands for what is quoted (RFC 9110 §5.6.4).
      ("private=\"x\\-a\"", ["X-A"]),
      // §5.2.2.4: "not limited to the set of header fields defined by this specification".
      ("private=\"set-cookie\"", ["Set-Cookie"]), ("no-cache=\"Set-Cookie\"", ["Set-Cookie"]),
      ("private=\"etag\"", ["ETag"]),
    ] as [(String, [String])])
  func `a qualified directive keeps fields out and lets the rest be stored (§5.2.2.4, §5.2.2.7)`(
    directive: String, dropped: [String]
  ) {
    let all = ["X-A: 1", "X-B: 2", "X-C: 3", "ETag: \"e\"", "Set-Cookie: a=b"]
    let fields = ["Cache-Control: \(directive)", Self.minute] + all
    #expect(fate(fields) == .fresh(60))
    let lines = written(fields)
    for field in all {
      let isDropped = dropped.contains { field.hasPrefix($0 + ":") }
      #expect(lines.contains(field) == !isDropped, "\(field)")
    }
    #expect(lines.contains("Cache-Control: \(directive)"))
    // The viewer that it was fetched for gets all of it.
    let response = GivenResponse(200, fields)
    #expect(!storedHeadIsWhole(response.head, response.base))
  }

  @Test(
    arguments: [
      // Nothing named, or nothing that can be a name: then it is about all of it.
      ("private=\"\"", .refused(.responsePrivate)), ("private=", .refused(.responsePrivate)),
      ("private=\",\"", .refused(.responsePrivate)),
      ("private=\"x a\"", .refused(.responsePrivate)),
      ("private=\"x-a, x(b\"", .refused(.responsePrivate)),
      ("private=\"x-a\"y", .refused(.responsePrivate)),
      ("private =\"x-a\"", .refused(.responsePrivate)),
      ("private=\"x-a", .refused(.responsePrivate)),
      ("private, private=\"x-a\"", .refused(.responsePrivate)),
      ("no-cache=\"\"", .refused(.responseNoCache)),
      ("no-cache=\"a b\"", .refused(.responseNoCache)),
      ("no-cache=\"x-a\", no-cache", .refused(.responseNoCache)),
    ] as [(String, Fate)])
  func `a malformed one counts as unqualified`(directive: String, expected: Fate) {
    #expect(fate([Self.minute, "Cache-Control: \(directive)"]) == expected)
  }

  @Test func `a cookie that is not stored does not make the rest personal`() {
    let aged = ["Set-Cookie: a=b", Self.aged]
    #expect(fate(aged + ["Cache-Control: no-cache=\"set-cookie\""]) == .fresh(100))
    #expect(fate(aged + ["Cache-Control: no-cache=\"x-a\""]) == .refused(.responseSetCookie))
  }
}
