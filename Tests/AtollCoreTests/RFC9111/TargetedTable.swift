// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

/// RFC 9213: CDN-Cache-Control and Atoll-CDN-Cache-Control beside Cache-Control.
struct TargetedTable {
  private static let tag = "ETag: \"a\""
  private static let aged = "Last-Modified: \(httpDate(-1000))"

  @Test(
    arguments: [
      ("2.2: decides", ["CDN-Cache-Control: max-age=60"], .fresh(60)),
      (
        "2.2: over Cache-Control", ["CDN-Cache-Control: max-age=60", "Cache-Control: max-age=9"],
        .fresh(60)
      ),
      ("2.2", ["Cache-Control: max-age=9", "CDN-Cache-Control: max-age=60"], .fresh(60)),
      ("2.2", ["CDN-Cache-Control: max-age=9", "Cache-Control: s-maxage=60"], .fresh(9)),
      ("2.2", ["CDN-Cache-Control: max-age=60", "Cache-Control: no-store"], .fresh(60)),
      ("2.2", ["CDN-Cache-Control: max-age=60", "Cache-Control: private, no-cache"], .fresh(60)),
      ("2.2: over Expires", ["CDN-Cache-Control: max-age=60", "Expires: 0"], .fresh(60)),
      ("2.2", ["CDN-Cache-Control: max-age=0", "Expires: \(httpDate(60))", tag], .validated),
      (
        "2.2: Expires is ignored even without a lifetime",
        ["CDN-Cache-Control: must-revalidate", "Expires: \(httpDate(60))"],
        .refused(.responseNoLifetime)
      ),
      (
        "2.2: and so is Cache-Control",
        ["CDN-Cache-Control: foo", "Cache-Control: max-age=60"], .refused(.responseNoLifetime)
      ),
      (
        "2.2: heuristics are not", ["CDN-Cache-Control: foo", "Cache-Control: max-age=60", aged],
        .fresh(100)
      ),
      (
        "2.2: in the order of the target list",
        ["CDN-Cache-Control: max-age=9", "Atoll-CDN-Cache-Control: max-age=60"], .fresh(60)
      ),
      (
        "2.2", ["Atoll-CDN-Cache-Control: no-store", "CDN-Cache-Control: max-age=60"],
        .refused(.responseNoStore)
      ),
      (
        "2.2: the next when the first is empty",
        ["Atoll-CDN-Cache-Control:", "CDN-Cache-Control: max-age=60"], .fresh(60)
      ),
      (
        "2.2: or invalid",
        ["Atoll-CDN-Cache-Control: max-age=", "CDN-Cache-Control: max-age=60"], .fresh(60)
      ),
      (
        "2.2: Cache-Control when none is valid",
        [
          "Atoll-CDN-Cache-Control: Max-Age=9", "CDN-Cache-Control: ,",
          "Cache-Control: max-age=60",
        ], .fresh(60)
      ),
      (
        "2.2: other targets are not on the list",
        ["Example-CDN-Cache-Control: max-age=9", "Cache-Control: max-age=60"], .fresh(60)
      ),
      ("2.1: empty", ["CDN-Cache-Control:", "Cache-Control: max-age=60"], .fresh(60)),
      (
        "2.1: a parsing error", ["CDN-Cache-Control: max-age=9, &&&", "Cache-Control: max-age=60"],
        .fresh(60)
      ),
      ("2.1", ["CDN-Cache-Control: max-age =9", "Cache-Control: max-age=60"], .fresh(60)),
      ("2.1", ["CDN-Cache-Control: MAX-AGE=9", "Cache-Control: max-age=60"], .fresh(60)),
      ("2.1", ["CDN-Cache-Control: no-store,", "Cache-Control: max-age=60"], .fresh(60)),
      (
        "2.1: on either line",
        ["CDN-Cache-Control: max-age=9", "CDN-Cache-Control: %", "Cache-Control: max-age=60"],
        .fresh(60)
      ),
      (
        "2.1: lines are one dictionary",
        ["CDN-Cache-Control: max-age=60", "CDN-Cache-Control: must-revalidate"], .fresh(60)
      ),
      ("2.1: the last of equal keys", ["CDN-Cache-Control: max-age=9, max-age=60"], .fresh(60)),
      (
        "2.1: parameters are ignored", ["CDN-Cache-Control: max-age=60;foo=\"no-store\""],
        .fresh(60)
      ),
      // §2.1: values of another type are not consumed.
      ("2.1: a String", ["CDN-Cache-Control: max-age=\"60\"", tag], .validated),
      ("2.1: a Decimal", ["CDN-Cache-Control: max-age=60.0", tag], .validated),
      ("2.1: a Boolean", ["CDN-Cache-Control: max-age", tag], .validated),
      ("2.1: a Token", ["CDN-Cache-Control: max-age=a60", tag], .validated),
      ("2.1: an inner list", ["CDN-Cache-Control: max-age=(60)", tag], .validated),
      ("2.1: below zero", ["CDN-Cache-Control: max-age=-60", tag], .validated),
      (
        "2.1: not stored by Cache-Control then",
        ["CDN-Cache-Control: max-age=\"60\"", "Cache-Control: max-age=60"],
        .refused(.zeroLifetime)
      ),
      ("2.1: flags", ["CDN-Cache-Control: no-store=?1"], .refused(.responseNoStore)),
      ("2.1", ["CDN-Cache-Control: no-store=?0, max-age=60"], .fresh(60)),
      (
        "2.1: what forbids needs no right type", ["CDN-Cache-Control: no-store=1, max-age=60"],
        .refused(.responseNoStore)
      ),
      (
        "2.1: what allows does", ["CDN-Cache-Control: public=1", aged, "Set-Cookie: a=b"],
        .refused(.responseSetCookie)
      ),
      // The five that must be implemented, and the rest.
      ("2.2", ["CDN-Cache-Control: no-store, max-age=60"], .refused(.responseNoStore)),
      ("2.2", ["CDN-Cache-Control: private, max-age=60"], .refused(.responsePrivate)),
      ("2.2", ["CDN-Cache-Control: no-cache, max-age=60", tag], .validated),
      ("2.2", ["CDN-Cache-Control: no-cache, max-age=60"], .refused(.responseNoCache)),
      ("2.2", ["CDN-Cache-Control: s-maxage=60, max-age=9"], .fresh(60)),
      ("2.2", ["CDN-Cache-Control: no-store, must-understand, max-age=60"], .fresh(60)),
      ("2.2", ["CDN-Cache-Control: private=\"x-a\", max-age=60"], .fresh(60)),
      ("2.2", ["CDN-Cache-Control: private=\"x a\", max-age=60"], .refused(.responsePrivate)),
      ("2.2", ["CDN-Cache-Control: private=x-a, max-age=60"], .refused(.responsePrivate)),
      ("2.2", ["CDN-Cache-Control: no-cache=\"x-a\", max-age=60"], .fresh(60)),
      (
        "2.2: an explicit lifetime, also for cookies",
        ["CDN-Cache-Control: max-age=60", "Set-Cookie: a=b"], .fresh(60)
      ),
      ("9111 1.2.2", ["CDN-Cache-Control: max-age=2147483648"], .fresh(31_536_000)),
      ("9111 1.2.2", ["CDN-Cache-Control: max-age=999999999999999"], .fresh(31_536_000)),
      (
        "8941 3.3.1: no Integer any more",
        ["CDN-Cache-Control: max-age=1000000000000000", "Cache-Control: max-age=60"], .fresh(60)
      ),
      (
        "2.3: with the Age of all caches", ["CDN-Cache-Control: max-age=60", "Age: 61", tag],
        .validated
      ),
    ] as [(String, [String], Fate)])
  func `a response with a targeted field`(section: String, fields: [String], expected: Fate) {
    #expect(fate(fields) == expected, "RFC 9213 §\(section)")
  }

  @Test func `stale and shared as the targeted field says`() {
    let fields = [
      "CDN-Cache-Control: max-age=60, stale-while-revalidate=7, stale-if-error=8",
      "Cache-Control: must-revalidate, max-age=9",
    ]
    guard case .store(let freshness) = decision(fields) else {
      Issue.record("not stored")
      return
    }
    #expect(freshness.staleWhileRevalidate == 7)
    #expect(freshness.staleIfError == 8)
    #expect(!freshness.flags.contains(.mustRevalidate))
    let request = GivenRequest("GET /a", ["Authorization: Basic eA=="])
    #expect(fate(fields, request: request) == .refused(.responseAuthorization))
    let shared = ["CDN-Cache-Control: max-age=60, must-revalidate", "Cache-Control: max-age=9"]
    #expect(fate(shared, request: request) == .fresh(60))
  }

  @Test func `targeted fields are passed on (§2.2)`() {
    let fields = [
      "CDN-Cache-Control: max-age=60", "Atoll-CDN-Cache-Control: max-age=9",
      "X-CDN-Cache-Control: a",
    ]
    let response = GivenResponse(200, fields)
    let behavior = makePolicy().behavior()
    for storing in [true, false] {
      let lines = writtenLines {
        appendResponseHead(
          response.head, response.base, behavior: behavior, storing: storing, now: testTime, to: $0)
      }
      for field in fields { #expect(lines.contains(field)) }
    }
  }
}
