// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

@Suite struct HTTPDateTests {
  private func parse(_ text: String, now: Int64 = 1_700_000_000) -> Int64? {
    withExactCopy(Array(text.utf8)) {
      HTTPDate.parse(UnsafeBufferPointer(start: $0, count: $1), now: now)
    }
  }

  private func write(_ seconds: Int64) -> String {
    let buffer = ByteBuffer(capacity: 16)
    HTTPDate.append(seconds, to: buffer)
    return String(decoding: buffer.bytes, as: UTF8.self)
  }

  @Test(arguments: [
    ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
    ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
    ("Sun Nov  6 08:49:37 1994", 784_111_777),
    ("Wed Nov 16 08:49:37 1994", 784_975_777),
    ("Wed Nov 06 08:49:37 1994", 784_111_777),
    ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ("Wed, 31 Dec 1969 23:59:59 GMT", -1),
    ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199),
    ("Tue, 29 Feb 2000 00:00:00 GMT", 951_782_400),
    ("Sat, 31 Dec 2016 23:59:60 GMT", 1_483_228_800),
    ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
    ("Sat, 01 Jan 0000 00:00:00 GMT", -62_167_219_200),
    ("Mon, 18 Jan 2038 03:14:08 GMT", 2_147_397_248),
    // RFC 9111 §4.2: a cache matches the case-sensitive parts in any case.
    ("sUN, 06 nOV 1994 08:49:37 gmt", 784_111_777),
    ("SUNDAY, 06-NOV-94 08:49:37 Gmt", 784_111_777),
    ("sun nov  6 08:49:37 1994", 784_111_777),
    // A name of the wrong day is no reason to lose the date.
    ("Mon, 06 Nov 1994 08:49:37 GMT", 784_111_777),
  ])
  func `each of the three formats is read`(text: String, seconds: Int64) {
    // RFC 9110 §5.6.7
    #expect(parse(text) == seconds)
  }

  @Test(arguments: [
    "", "0", "-1", "784111777", "Sun", "Sun, 06 Nov 1994", "Sun, 06 Nov 1994 08:49:37",
    "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 utc",
    "Sun, 06 Nov 1994 08:49:37 GMT ",
    " Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 +0000",
    "Sun\u{0C} 06 Nov 1994 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT",
    "Sun,06 Nov 1994 08:49:37  GMT",
    "Sun; 06 Nov 1994 08:49:37 GMT", "Xyz, 06 Nov 1994 08:49:37 GMT",
    "Sun, 06 Xyz 1994 08:49:37 GMT",
    "Sun, 06-Nov-1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
    "Sun, 31 Nov 1994 08:49:37 GMT",
    "Sun, 32 Dec 1994 08:49:37 GMT", "Sun, 29 Feb 1994 08:49:37 GMT",
    "Thu, 29 Feb 1900 00:00:00 GMT",
    "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
    "Sun, 06 Nov 1994 08:49:61 GMT",
    "Sun, 06 Nov 1994 8:49:37 GMT ", "Sun, 06 Nov 1994 08-49-37 GMT",
    "Sun, 0x Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 199x 08:49:37 GMT", "Sun, +6 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov -994 08:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:37GMTT", "Sunday, 06-Nov-1994 08:49:37 GMT",
    "Sunday, 06 Nov 94 08:49:37 GMT",
    "Sunday 06-Nov-94 08:49:37 GMT", "Sun, 06-Nov-94 08:49:37 GMT",
    "Someday, 06-Nov-94 08:49:37 GMT",
    "Sunday, 6-Nov-94 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 EST", "Sunday, 06-Nov-94 08:49:37",
    "Sunday, 06-Nov-94 25:49:37 GMT", "Sunday,06-Nov-94 08:49:37 GMT",
    "Sunday, 30-Feb-94 08:49:37 GMT", "Sun Nov 6 08:49:37 1994", "Sun Nov  6 08:49:37 94",
    "Sun Nov  6 08:49:37 1994 ", "Sun Nov  x 08:49:37 1994", "Sun Nov  0 08:49:37 1994",
    "Sun  Nov 6 08:49:37 1994", "Sun Nov 31 08:49:37 1994", "Sun Nov  6 08:49:37 199x",
    "Sun Nov  6 08.49.37 1994", "1994-11-06T08:49:37Z", "Nov 06 Sun 1994 08:49:37 GMT",
  ])
  func `anything else is no date`(text: String) {
    #expect(parse(text) == nil)
  }

  @Test func `an RFC 850 year is the nearest that is not 50 years ahead`() {
    let in2026: Int64 = 1_772_366_400
    #expect(parse("Sunday, 01-Mar-76 12:00:00 GMT", now: in2026) == 3_350_289_600)
    // One second more than 50 years: 1976.
    #expect(parse("Sunday, 01-Mar-76 12:00:01 GMT", now: in2026) == 194_529_601)
    #expect(parse("Sunday, 01-Mar-26 12:00:00 GMT", now: in2026) == in2026)
    #expect(parse("Sunday, 01-Mar-99 12:00:00 GMT", now: in2026) == 920_289_600)
    // Near the end of a century the next one counts.
    let in2099: Int64 = 4_070_908_800
    #expect(parse("Sunday, 01-Mar-01 00:00:00 GMT", now: in2099) == 4_139_078_400)
    // 2100 has no February 29, 2000 had.
    #expect(parse("Tuesday, 29-Feb-00 00:00:00 GMT", now: in2099) == 951_782_400)
    // From a February 29 on.
    #expect(parse("Sunday, 01-Mar-74 00:00:00 GMT", now: 1_709_164_800) == 3_287_088_000)
    #expect(parse("Sunday, 02-Mar-74 00:00:00 GMT", now: 1_709_164_800) == 131_414_400)
  }

  @Test(arguments: [
    (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
    (-1, "Wed, 31 Dec 1969 23:59:59 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
    (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
    (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
    (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
    (Int64.max, "Fri, 31 Dec 9999 23:59:59 GMT"),
    (-62_167_219_200, "Sat, 01 Jan 0000 00:00:00 GMT"),
    (Int64.min, "Sat, 01 Jan 0000 00:00:00 GMT"),
  ])
  func `the fixed format is written`(seconds: Int64, text: String) {
    #expect(write(seconds) == text)
  }

  @Test func `what is written is read again`() {
    var random = SeededGenerator(state: 7)
    for _ in 0..<20_000 {
      let seconds = Int64.random(in: -62_167_219_200...253_402_300_799, using: &random)
      let text = write(seconds)
      #expect(parse(text) == seconds)
      let other = RFC3339.format(seconds: seconds)
      #expect(RFC3339.parse(other) == seconds)
      // Both from the same calendar, but with the fields apart.
      #expect(other.dropFirst(11).prefix(8) == text.dropFirst(17).prefix(8))
    }
  }

  @Test(arguments: [
    ("2026-03-01T12:00:00Z", 1_772_366_400), ("1970-01-01T00:00:00Z", 0),
    ("2026-03-01t12:00:00z", 1_772_366_400), ("2026-03-01T12:00:00.123Z", 1_772_366_400),
    ("2026-03-01T13:30:00+01:30", 1_772_366_400), ("2026-03-01T04:00:00-08:00", 1_772_366_400),
    ("2026-03-01T12:00:00-00:00", 1_772_366_400), ("2016-12-31T23:59:60Z", 1_483_228_800),
  ])
  func `RFC 3339 is read`(text: String, seconds: Int64) {
    #expect(RFC3339.parse(text) == seconds)
  }

  @Test(arguments: [
    "", "2026-03-01", "2026-03-01T12:00:00", "2026-03-01 12:00:00Z", "2026-03-01T12:00Z",
    "2026-13-01T12:00:00Z", "2026-02-29T12:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01T12:00:00.Z",
    "2026-03-01T12:00:00Zx", "2026-03-01T12:00:00+1:00", "2026-03-01T12:00:00+24:00",
    "2026-03-01T12:00:00+0100", "2026-03-01T12:00:00.123", "+026-03-01T12:00:00Z",
    "2026-3-01T12:00:000Z", "2026-03-01T12:00:00+", "2026-03-01T12:00:61Z",
  ])
  func `anything else is no RFC 3339 time`(text: String) {
    #expect(RFC3339.parse(text) == nil)
  }

  @Test func `RFC 3339 is written`() {
    #expect(RFC3339.format(seconds: 1_772_366_400) == "2026-03-01T12:00:00Z")
    #expect(RFC3339.format(seconds: -1) == "1969-12-31T23:59:59Z")
  }
}
