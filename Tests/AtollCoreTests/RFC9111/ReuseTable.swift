// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

/// RFC 9111 §4, §4.2.4 and §5.2.1: what a request may do with a stored response.
struct ReuseTable {
  struct Row: Sendable, CustomTestStringConvertible {
    var section: String
    /// The stored response's directives; it arrived at `testTime` with an age of 0.
    var stored: String
    /// Seconds since then.
    var after: Int64
    var request: [String] = []
    var expected: UseDecision
    var testDescription: String { "§\(section): \(stored) after \(after) s, \(request)" }
  }

  @Test(arguments: [
    Row(section: "4.2", stored: "max-age=60", after: 0, expected: .fresh),
    Row(section: "4.2", stored: "max-age=60", after: 59, expected: .fresh),
    Row(section: "4.2", stored: "max-age=60", after: 60, expected: .revalidate(.expired)),
    Row(section: "4.2", stored: "max-age=60", after: 99_999, expected: .revalidate(.expired)),
    Row(section: "4.2", stored: "max-age=60", after: -9, expected: .fresh),
    Row(
      section: "5.2.2.4", stored: "max-age=60, no-cache", after: 0,
      expected: .revalidate(.responseNoCache)),
    Row(
      section: "5.2.2.4", stored: "max-age=60, no-cache", after: 0,
      request: ["Cache-Control: max-stale"], expected: .revalidate(.responseNoCache)),
    Row(section: "5.2.2.2", stored: "max-age=60, must-revalidate", after: 59, expected: .fresh),
    Row(
      section: "5.2.2.2", stored: "max-age=60, must-revalidate", after: 60,
      request: ["Cache-Control: max-stale"], expected: .revalidate(.expired)),
    Row(
      section: "5.2.2.8", stored: "max-age=60, proxy-revalidate", after: 60,
      request: ["Cache-Control: max-stale"], expected: .revalidate(.expired)),
    Row(
      section: "5.2.2.10", stored: "s-maxage=60", after: 60,
      request: ["Cache-Control: max-stale"], expected: .revalidate(.expired)),
    // Request directives.
    Row(
      section: "5.2.1.1", stored: "max-age=60", after: 10,
      request: ["Cache-Control: max-age=10"], expected: .fresh),
    Row(
      section: "5.2.1.1", stored: "max-age=60", after: 11,
      request: ["Cache-Control: max-age=10"], expected: .revalidate(.requestMaxAge)),
    Row(
      section: "5.2.1.1", stored: "max-age=60", after: 1,
      request: ["Cache-Control: MAX-AGE=0"], expected: .revalidate(.requestMaxAge)),
    Row(
      section: "5.2.1.1: within its first second", stored: "max-age=60", after: 0,
      request: ["Cache-Control: max-age=0"], expected: .revalidate(.requestMaxAge)),
    Row(
      section: "5.2.1.1", stored: "max-age=60", after: 1,
      request: ["Cache-Control: max-age=x"], expected: .revalidate(.requestMaxAge)),
    Row(
      section: "5.2.1.1", stored: "max-age=60", after: 5,
      request: ["Cache-Control: max-age=99999999999999999999"], expected: .fresh),
    Row(
      section: "5.2.1.1: no stale one", stored: "max-age=60, stale-while-revalidate=60", after: 70,
      request: ["Cache-Control: max-age=100"], expected: .revalidate(.expired)),
    Row(
      section: "5.2.1.1: unless max-stale", stored: "max-age=60", after: 70,
      request: ["Cache-Control: max-age=100, max-stale=10"], expected: .staleWhileRevalidate),
    Row(
      section: "5.2.1.2", stored: "max-age=60", after: 70,
      request: ["Cache-Control: max-stale=10"], expected: .staleWhileRevalidate),
    Row(
      section: "5.2.1.2", stored: "max-age=60", after: 71,
      request: ["Cache-Control: max-stale=10"], expected: .revalidate(.expired)),
    Row(
      section: "5.2.1.2: of any age", stored: "max-age=60", after: 99_999,
      request: ["Cache-Control: max-stale"], expected: .staleWhileRevalidate),
    Row(
      section: "5.2.1.2: invalid", stored: "max-age=60", after: 61,
      request: ["Cache-Control: max-stale=x"], expected: .revalidate(.expired)),
    Row(
      section: "5.2.1.3", stored: "max-age=60", after: 10,
      request: ["Cache-Control: min-fresh=50"], expected: .fresh),
    Row(
      section: "5.2.1.3", stored: "max-age=60", after: 11,
      request: ["Cache-Control: min-fresh=50"], expected: .revalidate(.requestMaxAge)),
    Row(
      section: "5.2.1.3", stored: "max-age=60, stale-while-revalidate=60", after: 61,
      request: ["Cache-Control: min-fresh=1"], expected: .revalidate(.expired)),
    Row(
      section: "5.2.1.4", stored: "max-age=60", after: 0, request: ["Cache-Control: no-cache"],
      expected: .revalidate(.requestNoCache)),
    Row(
      section: "5.2.1.4", stored: "max-age=60", after: 0, request: ["Cache-Control: No-Cache"],
      expected: .revalidate(.requestNoCache)),
    Row(
      section: "5.2.1.4: in a string", stored: "max-age=60", after: 0,
      request: ["Cache-Control: a=\"no-cache\""], expected: .fresh),
    Row(
      section: "5.2.1.7", stored: "max-age=60", after: 0,
      request: ["Cache-Control: only-if-cached"], expected: .fresh),
    Row(
      section: "5.2.3: unrecognized", stored: "max-age=60", after: 0,
      request: ["Cache-Control: nothing-to-see-here"], expected: .fresh),
    Row(
      section: "5.4", stored: "max-age=60", after: 0, request: ["Pragma: no-cache"],
      expected: .revalidate(.requestNoCache)),
    Row(
      section: "5.4: another value", stored: "max-age=60", after: 0, request: ["Pragma: foo"],
      expected: .fresh),
    Row(
      section: "5.4: beside Cache-Control", stored: "max-age=60", after: 0,
      request: ["Pragma: no-cache", "Cache-Control: foo"], expected: .fresh),
    // §3.5.
    Row(
      section: "3.5", stored: "max-age=60", after: 0, request: ["Authorization: Basic eA=="],
      expected: .revalidate(.requestAuthorization)),
    Row(
      section: "3.5", stored: "max-age=60, public", after: 0,
      request: ["Authorization: Basic eA=="], expected: .fresh),
    Row(
      section: "3.5", stored: "max-age=60, must-revalidate", after: 0,
      request: ["Authorization: Basic eA=="], expected: .fresh),
    Row(
      section: "3.5: on its condition", stored: "max-age=60, must-revalidate", after: 61,
      request: ["Authorization: Basic eA=="], expected: .revalidate(.expired)),
    // RFC 5861 §3.
    Row(
      section: "5861 3", stored: "max-age=60, stale-while-revalidate=30", after: 60,
      expected: .staleWhileRevalidate),
    Row(
      section: "5861 3", stored: "max-age=60, stale-while-revalidate=30", after: 89,
      expected: .staleWhileRevalidate),
    Row(
      section: "5861 3", stored: "max-age=60, stale-while-revalidate=30", after: 91,
      expected: .revalidate(.expired)),
    Row(
      section: "5861 3: forbidden", stored: "s-maxage=60, stale-while-revalidate=30", after: 61,
      expected: .revalidate(.expired)),
    // RFC 8246 §2.1: a reload of what never changes is no reason to validate, a forced one is.
    Row(
      section: "8246 2.1", stored: "max-age=60, immutable", after: 10,
      request: ["Cache-Control: max-age=0"], expected: .fresh),
    Row(
      section: "8246 2.1", stored: "max-age=60, immutable", after: 10,
      request: ["Cache-Control: no-cache"], expected: .revalidate(.requestNoCache)),
    Row(
      section: "8246 2: during its lifetime", stored: "max-age=60, immutable", after: 60,
      request: ["Cache-Control: max-age=0"], expected: .revalidate(.requestMaxAge)),
    Row(
      section: "8246 2: arguments are ignored", stored: "max-age=60, immutable=no", after: 10,
      request: ["Cache-Control: max-age=0"], expected: .fresh),
    Row(
      section: "8246 2: means nothing in requests", stored: "max-age=60", after: 10,
      request: ["Cache-Control: max-age=0, immutable"], expected: .revalidate(.requestMaxAge)),
  ])
  func `a stored response`(_ row: Row) {
    guard case .store(let freshness) = decision(["Cache-Control: \(row.stored)", "ETag: \"a\""])
    else {
      Issue.record("not stored")
      return
    }
    let policy = makePolicy()
    let request = GivenRequest("GET /a", row.request)
    let caching = RequestCaching(request.head, request.base, behavior: policy.behavior())
    let use = decideUse(
      freshness, softPurged: false, request: caching, now: testTime + row.after)
    #expect(use == row.expected)
  }

  @Test(
    arguments: [
      ("max-age=60", 61, [], true), ("max-age=60", 86_459, [], true),
      ("max-age=60", 86_461, [], false), ("max-age=60, stale-if-error=10", 69, [], true),
      ("max-age=60, stale-if-error=10", 71, [], false),
      ("max-age=60, stale-if-error=0", 61, [], false),
      ("max-age=60, must-revalidate", 61, [], false),
      ("max-age=60, proxy-revalidate", 61, [], false), ("s-maxage=60", 61, [], false),
      ("max-age=60, no-cache", 1, [], false),
      // While it is fresh it may answer for any origin.
      ("max-age=60, must-revalidate", 59, [], true), ("s-maxage=60", 59, [], true),
      // RFC 5861 §4: the request's own limit.
      ("max-age=60", 69, ["Cache-Control: stale-if-error=10"], true),
      ("max-age=60", 71, ["Cache-Control: stale-if-error=10"], false),
      ("max-age=60, stale-if-error=10", 71, ["Cache-Control: stale-if-error=99"], false),
      // RFC 9111 §3.5.
      ("max-age=60", 61, ["Authorization: Basic eA=="], false),
      ("max-age=60, public", 61, ["Authorization: Basic eA=="], true),
    ] as [(String, Int64, [String], Bool)])
  func `a stale response when the origin fails (§4.2.4, RFC 5861 §4)`(
    stored: String, after: Int64, fields: [String], expected: Bool
  ) {
    guard case .store(let freshness) = decision(["Cache-Control: \(stored)", "ETag: \"a\""]) else {
      Issue.record("not stored")
      return
    }
    let policy = makePolicy()
    let request = GivenRequest("GET /a", fields)
    let caching = RequestCaching(request.head, request.base, behavior: policy.behavior())
    #expect(
      mayServeStaleOnError(freshness, request: caching, now: testTime + after) == expected)
  }
}
