// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

/// RFC 9111 §4.2: for how long a stored response may be used.
struct FreshnessTable {
  private static let date = "Date: \(httpDate())"
  private static let tag = "ETag: \"a\""

  @Test(
    arguments: [
      ("4.2.1: s-maxage goes first", ["Cache-Control: max-age=60, s-maxage=30"], .fresh(30)),
      ("4.2.1", ["Cache-Control: s-maxage=30", "Cache-Control: max-age=60"], .fresh(30)),
      ("4.2.1", ["Cache-Control: s-maxage=90, max-age=0"], .fresh(90)),
      ("4.2.1", ["Cache-Control: s-maxage=0, max-age=90", tag], .validated),
      ("5.3: ignored beside max-age", ["Cache-Control: max-age=60", "Expires: 0"], .fresh(60)),
      ("5.3", ["Cache-Control: max-age=60", "Expires: \(httpDate(9))"], .fresh(60)),
      ("5.3", ["Cache-Control: max-age=0", "Expires: \(httpDate(9))", tag], .validated),
      ("5.3: ignored beside s-maxage", ["Cache-Control: s-maxage=60", "Expires: 0"], .fresh(60)),
      ("4.2.1: less the value of Date", ["Expires: \(httpDate(90))", date], .fresh(90)),
      ("4.2.1", ["Expires: \(httpDate(90))", "Date: \(httpDate(-10))"], .fresh(100)),
      (
        "4.2.1: a clock ahead", ["Expires: \(httpDate(3690))", "Date: \(httpDate(3600))"],
        .fresh(90)
      ),
      (
        "4.2.1: a clock behind", ["Expires: \(httpDate(-10))", "Date: \(httpDate(-20))", tag],
        .validated
      ),
      ("4.2.1: received when Date is missing", ["Expires: \(httpDate(90))"], .fresh(90)),
      ("4.2.1: or invalid", ["Expires: \(httpDate(90))", "Date: today"], .fresh(90)),
      ("5.3: in the past", ["Expires: \(httpDate(-1))", date, tag], .validated),
      (
        "4.2: fresh as long as the lifetime exceeds the age",
        ["Expires: \(httpDate())", date, tag],
        .validated
      ),
      (
        "4.2.2: explicit time rules heuristics out",
        ["Expires: \(httpDate(-1))", "Last-Modified: \(httpDate(-90_000))"], .validated
      ),
      ("4.2.2", ["Cache-Control: max-age=x", "Last-Modified: \(httpDate(-90_000))"], .validated),
      // §4.2.1: "either the first occurrence should be used or the response should be considered
      // stale", and of conflicting ones the most restrictive counts.
      ("4.2.1", ["Cache-Control: max-age=60, max-age=60"], .fresh(60)),
      ("4.2.1", ["Cache-Control: max-age=60, max-age=0", tag], .validated),
      ("4.2.1", ["Cache-Control: max-age=0, max-age=60", tag], .validated),
      ("4.2.1", ["Cache-Control: s-maxage=60", "Cache-Control: s-maxage=0", tag], .validated),
      ("4.2.1", ["Expires: \(httpDate(60))", "Expires: 0", date, tag], .validated),
      ("4.2.1", ["Expires: \(httpDate(-9))", "Expires: \(httpDate(60))", date, tag], .validated),
      ("4.2.1", ["Cache-Control: max-age=60, no-cache", tag], .validated),
      ("4.2.1", ["Cache-Control: max-age=60, max-age=x", tag], .validated),
    ] as [(String, [String], Fate)])
  func `a lifetime`(section: String, fields: [String], expected: Fate) {
    #expect(fate(fields) == expected, "RFC 9111 §\(section)")
  }

  @Test(
    arguments: [
      // §1.2.2: 1*DIGIT, too large to represent is as large as can be; the longest lifetime of this
      // preset is a year.
      ("max-age=1", .fresh(1)), ("max-age=0001", .fresh(1)),
      ("max-age=31536000", .fresh(31_536_000)),
      ("max-age=31536001", .fresh(31_536_000)), ("max-age=2147483647", .fresh(31_536_000)),
      ("max-age=2147483648", .fresh(31_536_000)), ("max-age=4294967296", .fresh(31_536_000)),
      ("max-age=4294967297", .fresh(31_536_000)),
      ("max-age=9223372036854775807", .fresh(31_536_000)),
      ("max-age=9223372036854775808", .fresh(31_536_000)),
      ("max-age=18446744073709551617", .fresh(31_536_000)),
      ("max-age=1" + String(repeating: "0", count: 100), .fresh(31_536_000)),
      ("s-maxage=99999999999", .fresh(31_536_000)),
      // §5.2: names in any case, token and quoted-string accepted.
      ("MAX-AGE=60", .fresh(60)), ("Max-Age=60", .fresh(60)), ("max-age=\"60\"", .fresh(60)),
      ("max-age=\"6\\0\"", .fresh(60)), ("S-MaxAge=\"60\"", .fresh(60)),
      // A list (RFC 9110 §5.6.1): empty members, white space around.
      (",max-age=60", .fresh(60)), (" , ,\tmax-age=60\t, ", .fresh(60)),
      ("a, max-age=60", .fresh(60)), ("a=b,max-age=60,c", .fresh(60)),
      // What only contains the name.
      ("xmax-age=60", .refused(.responseNoLifetime)),
      ("max-agex=60", .refused(.responseNoLifetime)),
      ("max-age60", .refused(.responseNoLifetime)), ("maxage=60", .refused(.responseNoLifetime)),
      ("a=\"max-age=60\"", .refused(.responseNoLifetime)),
      ("a=\"\\\", max-age=60\"", .refused(.responseNoLifetime)),
      ("a=\"b, max-age=9\", max-age=60", .fresh(60)), ("max-age=60, a=\"max-age=9\"", .fresh(60)),
      ("a=\"s-maxage=9\", max-age=60", .fresh(60)),
    ] as [(String, Fate)])
  func `how a lifetime is written`(directives: String, expected: Fate) {
    #expect(fate(["Cache-Control: \(directives)"]) == expected)
  }

  @Test(arguments: [
    "max-age", "max-age=", "max-age=x", "max-age=-1", "max-age=+60", "max-age=1.5", "max-age=60.0",
    "max-age=6 0", "max-age = 60", "max-age =60", "max-age= 60", "max-age='60'", "max-age=60s",
    "max-age=a60", "max-age=0x3c", "max-age=\"60", "max-age=\"\"", "max-age=60;x", "max-age=\"6\"0",
    "max-age=\"-1\"", "s-maxage", "s-maxage=x", "s-maxage =60", "s-maxage=1.5",
  ])
  func `an invalid lifetime is none (§4.2.1)`(directives: String) {
    #expect(fate(["Cache-Control: \(directives)", Self.tag]) == .validated)
    // No other source stands in.
    #expect(
      fate(["Cache-Control: \(directives)", Self.tag, "Expires: \(httpDate(60))"]) == .validated)
    #expect(
      fate(["Cache-Control: \(directives)", "Last-Modified: \(httpDate(-90_000))"]) == .validated)
  }

  // MARK: Expires

  /// 2026-03-01T13:00:00Z, an hour after `testTime`, in every way.
  @Test(arguments: [
    // RFC 9110 §5.6.7: the three formats.
    "Sun, 01 Mar 2026 13:00:00 GMT", "Sunday, 01-Mar-26 13:00:00 GMT", "Sun Mar  1 13:00:00 2026",
    // RFC 9111 §4.2: in any case of letters.
    "sun, 01 mar 2026 13:00:00 gmt", "SUN, 01 MAR 2026 13:00:00 GMT",
    "sUnDaY, 01-mAr-26 13:00:00 gMt", "SUN MAR  1 13:00:00 2026",
  ])
  func `Expires in each format (§5.3)`(date: String) {
    #expect(fate(["Expires: \(date)", Self.date]) == .fresh(3600))
  }

  @Test(arguments: [
    "0", "-1", "", "60", "now", "Sun, 01 Mar 2026 13:00:00", "Sun, 01 Mar 2026 13:00:00 UTC",
    // §4.2: any zone but GMT is invalid.
    "Sun, 01 Mar 2026 13:00:00 EST", "Sun, 01 Mar 2026 13:00:00 +0000",
    "Sun, 01 Mar 2026 13:00:00 GMT+1", "Sun, 1 Mar 2026 13:00:00 GMT",
    "Sun,  1 Mar 2026 13:00:00 GMT", "Sun, 01 Mar 26 13:00:00 GMT", "Sun 01 Mar 2026 13:00:00 GMT",
    "Sun, 01-Mar-2026 13:00:00 GMT", "Sun, 01 March 2026 13:00:00 GMT",
    "01 Mar 2026 13:00:00 GMT", "Sun, 01 Mar 2026 1:00 PM", "Sun, 01 Mar 2026 13:00 GMT",
    "Sun, 01 Mar 2026 13.00.00 GMT", "Sun, 01 Mar 2026 25:00:00 GMT",
    "Sun, 01 Mar 2026 13:61:00 GMT", "Sun, 32 Mar 2026 13:00:00 GMT",
    "Sun, 30 Feb 2026 13:00:00 GMT", "Sun, 01 Foo 2026 13:00:00 GMT",
    "Son, 01 Mar 2026 13:00:00 GMT", "Sunday, 01 Mar 26 13:00:00 GMT", "Sun Mar 1 13:00:00 2026",
    "Sun Mar 01 13:00:00 GMT 2026", "2026-03-01T13:00:00Z", "\"Sun, 01 Mar 2026 13:00:00 GMT\"",
    "Sun, 01 Mar 2026 13:00:00 GMT, Sun, 01 Mar 2026 13:00:00 GMT",
  ])
  func `an invalid Expires is already expired (§5.3)`(date: String) {
    #expect(fate(["Expires: \(date)", Self.date, Self.tag]) == .validated)
    #expect(fate(["Expires: \(date)", Self.date]) == .refused(.zeroLifetime))
    // Nor do heuristics stand in.
    #expect(
      fate(["Expires: \(date)", Self.date, "Last-Modified: \(httpDate(-90_000))"]) == .validated)
  }

  @Test func `two digits of a year are the most recent that are not 50 years ahead (9110 §5.6.7)`()
  {
    // 2075 is within 50 years of 2026, '77 is 1977.
    #expect(fate(["Expires: Friday, 01-Mar-75 12:00:00 GMT", Self.date]) == .fresh(31_536_000))
    #expect(fate(["Expires: Tuesday, 01-Mar-77 12:00:01 GMT", Self.date, Self.tag]) == .validated)
  }

  // MARK: Heuristics

  @Test(
    arguments: [
      // §4.2.2: a tenth of the interval since the last change; at most a day here.
      (["Last-Modified: \(httpDate(-600))", date], .fresh(60)),
      (["Last-Modified: \(httpDate(-600))"], .fresh(60)),
      (["Last-Modified: \(httpDate(-600))", "Date: x"], .fresh(60)),
      // By the origin's clock where there is one; the message is 600 s old by ours.
      (["Last-Modified: \(httpDate(-9600))", "Date: \(httpDate(-600))"], .fresh(900)),
      (["Last-Modified: \(httpDate(-99_999_999))", date], .fresh(86_400)),
      (["Last-Modified: \(httpDate(-5))", date], .validated),
      (["Last-Modified: \(httpDate(60))", date], .validated),
      (["Last-Modified: 0", date], .refused(.responseNoLifetime)),
      (["Last-Modified: last week", date], .refused(.responseNoLifetime)),
      // §5.2.2.4: no lifetime makes it usable without validation.
      (["Last-Modified: \(httpDate(-600))", "Cache-Control: no-cache"], .validated),
      // RFC 9110 §8.8.2: in any of the formats.
      (["Last-Modified: Sun Mar  1 11:50:00 2026", date], .fresh(60)),
      (["Last-Modified: Sunday, 01-Mar-26 11:50:00 GMT", date], .fresh(60)),
    ] as [([String], Fate)])
  func `a heuristic lifetime`(fields: [String], expected: Fate) {
    #expect(fate(fields) == expected)
  }

  // MARK: Age

  @Test(
    arguments: [
      // §5.1: 1*DIGIT; of a list the first member, of lines the first; else ignored.
      (["Age: 0"], 0), (["Age: 10"], 10), (["Age: 0010"], 10), (["Age: 10, 90"], 10),
      (["Age: 90, 10"], 90), (["Age: 10", "Age: 90"], 10), (["Age: 90", "Age: 10"], 90),
      (["Age: 0", "Age: 90"], 0), (["Age: , 10"], 10), (["Age: x"], 0), (["Age: x, 10"], 0),
      (["Age: x", "Age: 10"], 0), (["Age:"], 0), (["Age: -10"], 0), (["Age: +10"], 0),
      (["Age: 10.5"], 0), (["Age: 1 0"], 0), (["Age: \"10\""], 0), (["Age: 10;a=b"], 0),
      (["Age: 10s"], 0), (["Age: 0x10"], 0),
      // §1.2.2.
      (["Age: 2147483647"], Int32.max), (["Age: 2147483648"], Int32.max),
      (["Age: 99999999999999999999"], Int32.max),
    ] as [([String], Int32)])
  func `an Age on arrival`(fields: [String], expected: Int32) {
    guard
      case .store(let freshness) = decision(
        ["Cache-Control: max-age=60", Self.tag, Self.date] + fields)
    else {
      Issue.record("not stored")
      return
    }
    #expect(freshness.initialAge == expected)
    #expect(freshness.isFresh(at: testTime) == (expected < 60))
  }

  @Test(
    arguments: [
      // (§4.2.3) Age, Date, seconds between request and response, corrected_initial_age.
      (0, 0, 0, 0), (10, 0, 0, 10), (10, 0, 3, 13), (0, 0, 3, 3),
      // apparent_age: a message that says nothing of its age may still be old.
      (0, -30, 0, 30), (10, -30, 0, 30), (40, -30, 0, 40), (40, -30, 5, 45), (28, -30, 5, 33),
      // A clock ahead makes no negative age.
      (0, 30, 0, 0), (10, 30, 2, 12),
    ] as [(Int, Int64, Int64, Int32)])
  func `corrected_initial_age (§4.2.3)`(
    age: Int, date: Int64, delay: Int64, expected: Int32
  ) {
    guard
      case .store(let freshness) = decision(
        ["Cache-Control: max-age=60", "Age: \(age)", "Date: \(httpDate(date))"], delay: delay)
    else {
      Issue.record("not stored")
      return
    }
    #expect(freshness.initialAge == expected)
    // current_age adds the time in the cache; a clock set back takes nothing away.
    #expect(freshness.age(at: testTime + 7) == Int64(expected) + 7)
    #expect(freshness.age(at: testTime - 7) == Int64(expected))
    // §4.2: fresh while the lifetime exceeds the age.
    let last = testTime + 60 - Int64(expected)
    #expect(freshness.isFresh(at: last - 1))
    #expect(!freshness.isFresh(at: last))
  }

  // MARK: Stale

  @Test(
    arguments: [
      ("max-age=60", 86_400, 0), ("max-age=60, stale-if-error=10", 10, 0),
      ("max-age=60, stale-while-revalidate=10", 86_400, 10),
      ("max-age=60, Stale-While-Revalidate=\"10\"", 86_400, 10),
      ("max-age=60, stale-while-revalidate", 86_400, 0),
      ("max-age=60, stale-if-error=x", 0, 0),
      // §4.2.4: prohibited by must-revalidate, proxy-revalidate, s-maxage and no-cache, whatever
      // RFC 5861's directives say.
      ("max-age=60, must-revalidate, stale-if-error=10, stale-while-revalidate=10", 0, 0),
      ("max-age=60, proxy-revalidate, stale-if-error=10, stale-while-revalidate=10", 0, 0),
      ("s-maxage=60, stale-if-error=10, stale-while-revalidate=10", 0, 0),
      ("max-age=60, no-cache, stale-if-error=10, stale-while-revalidate=10", 0, 0),
      ("max-age=60, must-revalidate=x, stale-if-error=10", 0, 0),
    ] as [(String, Int32, Int32)])
  func `for how long a stale response may answer (RFC 5861 §3, §4)`(
    directives: String, onError: Int32, whileRevalidating: Int32
  ) {
    guard case .store(let freshness) = decision(["Cache-Control: \(directives)", Self.tag]) else {
      Issue.record("not stored")
      return
    }
    #expect(freshness.staleIfError == onError)
    #expect(freshness.staleWhileRevalidate == whileRevalidating)
  }
}
