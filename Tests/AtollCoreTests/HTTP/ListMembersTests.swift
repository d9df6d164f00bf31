// SPDX-License-Identifier: Apache-2.0
import CSystem
import Testing

@testable import AtollCore

@Suite struct ListMembersTests {
  @Test(arguments: [
    ("", []), (" ", []), (",", []), (" , ,\t,", []), ("a", ["a"]), (" a ", ["a"]),
    ("a,b", ["a", "b"]), ("a , b", ["a", "b"]), ("a,,b,", ["a", "b"]),
    (",\t a b ,c", ["a b", "c"]),
    ("a=\"b,c\", d", ["a=\"b,c\"", "d"]), ("\"a\\\",b\",c", ["\"a\\\",b\"", "c"]),
    ("\"a\\\\\",b", ["\"a\\\\\"", "b"]), ("\"a, b", ["\"a, b"]), ("\"a\\", ["\"a\\"]),
    ("a\\,b", ["a\\", "b"]), ("W/\"1\", \"2\"", ["W/\"1\"", "\"2\""]),
    (
      "max-age=5, no-cache=\"set-cookie, x\" ,public",
      ["max-age=5", "no-cache=\"set-cookie, x\"", "public"]
    ),
  ])
  func `members are split at commas outside of quotes`(text: String, members: [String]) {
    // RFC 9110 §5.6.1 and §5.6.4
    withExactCopy(Array(text.utf8)) {
      var list = ListMembers(UnsafeBufferPointer(start: $0, count: $1))
      var found: [String] = []
      while let member = list.next() { found.append(String(decoding: member, as: UTF8.self)) }
      #expect(found == members)
      #expect(list.next() == nil)
    }
    var none = ListMembers(UnsafeBufferPointer(start: nil, count: 0))
    #expect(none.next() == nil)
  }

  @Test(arguments: [
    ("close", "close", true), ("CLOSE", "close", true), ("clos", "close", false),
    ("closed", "close", false), ("", "", true), ("Keep-Alive", "keep-alive", true),
    ("keep\ralive", "keep-alive", false), ("keep-aliv\u{5}", "keep-alive", false),
    ("A", "a", true), ("@", "`", false), ("[", "{", false), ("\u{c1}", "\u{e1}", false),
    ("TRANSFER-ENCODING", "transfer-encoding", true),
    ("transfer-encodinG", "transfer-encoding", true),
    ("transfer-_ncoding", "transfer-encoding", false), ("no-Store", "no-store", true),
    ("S-MAXAGE", "s-maxage", true),
  ])
  func `text is compared without regard to the case of ASCII letters`(
    text: String, lower: String, equal: Bool
  ) {
    withExactCopy(Array(text.utf8)) { base, count in
      let bytes = UnsafeBufferPointer(start: base, count: count)
      switch lower {
      case "close": #expect(equalsIgnoringCase(bytes, "close") == equal)
      case "": #expect(equalsIgnoringCase(bytes, "") == equal)
      case "keep-alive": #expect(equalsIgnoringCase(bytes, "keep-alive") == equal)
      case "a": #expect(equalsIgnoringCase(bytes, "a") == equal)
      case "`": #expect(equalsIgnoringCase(bytes, "`") == equal)
      case "{": #expect(equalsIgnoringCase(bytes, "{") == equal)
      case "no-store": #expect(equalsIgnoringCase(bytes, "no-store") == equal)
      case "s-maxage": #expect(equalsIgnoringCase(bytes, "s-maxage") == equal)
      case "transfer-encoding": #expect(equalsIgnoringCase(bytes, "transfer-encoding") == equal)
      default: #expect(equalsIgnoringCase(bytes, "\u{e1}") == equal)
      }
    }
  }

  @Test func `every byte is lowered as ASCII does at every length`() {
    for length in 1...20 {
      for byte in UInt8.min...255 {
        for position in [0, length / 2, length - 1] {
          var upper = [UInt8](repeating: 0x58, count: length)
          upper[position] = byte
          let lowered = upper.map { 0x41...0x5a ~= $0 ? $0 | 0x20 : $0 }
          let equal: (([UInt8]) -> Bool) = { other in
            withExactCopy(upper) { a, count in
              withExactCopy(other) { b, _ in csystem_equals_lowercased(a, b, count) != 0 }
            }
          }
          #expect(equal(lowered))
          var wrong = lowered
          wrong[position] ^= 0x20
          #expect(!equal(wrong))
        }
      }
    }
  }

  @Test(arguments: [
    ("0", 0 as UInt64?), ("007", 7), ("18446744073709551615", UInt64.max),
    ("18446744073709551616", nil), ("99999999999999999999", nil), ("", nil), ("-1", nil),
    ("+1", nil), ("1 ", nil), ("0x1", nil), ("1.0", nil), ("1/", nil), ("1:", nil),
  ])
  func `decimal takes digits only`(text: String, value: UInt64?) {
    withExactCopy(Array(text.utf8)) {
      #expect(decimal(UnsafeBufferPointer(start: $0, count: $1)) == value)
    }
  }
}
