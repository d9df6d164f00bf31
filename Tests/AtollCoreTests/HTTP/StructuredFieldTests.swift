// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

/// RFC 8941 §3 and §4.2: what is a Dictionary or a List of Items, and what is none.
struct StructuredFieldTests {
  private func parse(_ text: String) -> StructuredDictionary? {
    withExactCopy(Array(text.utf8)) {
      StructuredDictionary(UnsafeBufferPointer(start: $0, count: $1))
    }
  }

  private func item(_ text: String) -> BareItem? {
    guard case .item(let item) = parse("a=\(text)")?["a"] else { return nil }
    return item
  }

  @Test(
    arguments: [
      // §3.3.1.
      ("0", .integer(0)), ("42", .integer(42)), ("-42", .integer(-42)), ("-0", .integer(0)),
      ("007", .integer(7)), ("999999999999999", .integer(999_999_999_999_999)),
      ("-999999999999999", .integer(-999_999_999_999_999)),
      // §3.3.2.
      ("1.5", .decimal(thousandths: 1500)), ("1.0", .decimal(thousandths: 1000)),
      ("-1.25", .decimal(thousandths: -1250)), ("0.001", .decimal(thousandths: 1)),
      ("00.5", .decimal(thousandths: 500)),
      ("999999999999.999", .decimal(thousandths: 999_999_999_999_999)),
      // §3.3.3.
      ("\"\"", .string("")), ("\"a b\"", .string("a b")), ("\"a, b;c=d\"", .string("a, b;c=d")),
      ("\"a\\\"b\"", .string("a\"b")), ("\"a\\\\b\"", .string("a\\b")),
      // §3.3.4.
      ("b", .token("b")), ("B", .token("B")), ("*", .token("*")), ("*b", .token("*b")),
      ("a/b:c", .token("a/b:c")), ("a!#$%&'*+-.^_`|~9", .token("a!#$%&'*+-.^_`|~9")),
      // §3.3.5.
      ("::", .bytes([])), (":YQ==:", .bytes([0x61])), (":YWI=:", .bytes([0x61, 0x62])),
      (":YWJj:", .bytes([0x61, 0x62, 0x63])), (":YQ:", .bytes([0x61])),
      (":+/8=:", .bytes([251, 255])),
      // §3.3.6.
      ("?1", .boolean(true)), ("?0", .boolean(false)),
    ] as [(String, BareItem)])
  func `a bare item`(text: String, expected: BareItem) {
    #expect(item(text) == expected)
    // Parameters are passed over.
    #expect(item(text + ";x") == expected)
    #expect(item(text + "; x=1;y=\"2\"") == expected)
  }

  @Test(arguments: [
    "", " ", "1000000000000000", "-1000000000000000", "-", "--1", "+1", "1.", ".5", "1.2345",
    "1.2.3", "1e3", "1000000000000.1", "0x1", "1_000", "\"", "\"a", "\"a\\\"", "\"\\a\"",
    "\"\u{e9}\"", "\"\u{7f}\"", "\"\u{1}\"", "'a'", "\"a\"b", "a b", "a=b", "a,", "&", "?", "?2",
    "?true", ":", ":YQ==", ":Y:", ":YQ=:", ":YQ===:", ":Y=Q=:", ":Y-Q_:", ":Y Q:", "(", ")",
    "a;", "a;=1", "a;X=1", "a;x=", "a ;x", "1;x=(1)", "[1]", "{a}", "\\", "@1659578233",
    "%\"a\"", "\u{e9}",
  ])
  func `no bare item, so no dictionary`(text: String) {
    #expect(parse("a=\(text)") == nil)
    #expect(parse("max-age=1, a=\(text)") == nil)
  }

  @Test(
    arguments: [
      ("a", ["a": .item(.boolean(true))]), ("a;x=1", ["a": .item(.boolean(true))]),
      ("a, b", ["a": .item(.boolean(true)), "b": .item(.boolean(true))]),
      ("a=1,b=2", ["a": .item(.integer(1)), "b": .item(.integer(2))]),
      ("a=1 \t,\t b=2", ["a": .item(.integer(1)), "b": .item(.integer(2))]),
      (" a=1 ", ["a": .item(.integer(1))]),
      // §3.2: of a repeated key the last member.
      ("a=1, a=2", ["a": .item(.integer(2))]), ("a=1, a", ["a": .item(.boolean(true))]),
      // §4.2.3.3: keys.
      ("*a=1", ["*a": .item(.integer(1))]), ("a_-.*9=1", ["a_-.*9": .item(.integer(1))]),
      // §3.1.1: inner lists.
      ("a=()", ["a": .innerList([])]), ("a=(1)", ["a": .innerList([.integer(1)])]),
      ("a=( 1  \"b\" c;x=1 );y", ["a": .innerList([.integer(1), .string("b"), .token("c")])]),
    ] as [(String, [String: StructuredDictionary.Value])])
  func `a dictionary`(text: String, expected: [String: StructuredDictionary.Value]) {
    #expect(parse(text)?.members == expected)
  }

  @Test(arguments: ["", " ", "   "])
  func `an empty dictionary`(text: String) {
    #expect(parse(text)?.isEmpty == true)
  }

  @Test(arguments: [
    ",", "a,", "a, ", ",a", "a,,b", "a b", "a;;x", "A", "A=1", "aB=1", "1=a", "-a=1", "_a", "=1",
    "a =1", "a= 1", "a=1;", "a=1, B=2", "a=1\u{b}", "\ta", "a=(1", "a=(1 2", "a=(1,2)", "a=(1)b",
    "a=((1))", "a=1, b=(", "a=\"b", "a\u{0}", "max-age =100", "max-age= 100", "MaX-aGe=3600",
    "max-age=10000, &&&&&", "max-age=60, no-store,", "max-age=1;", "\"max-age\"=1", "a=1\n",
  ])
  func `what breaks the grammar anywhere is no dictionary`(text: String) {
    #expect(parse(text) == nil)
  }

  @Test(
    arguments: [
      // §3.1 and §3.1.2.
      ("", []), (" a ", [.init(value: .token("a"), parameters: [:])]),
      (
        "a;x;y=1;x=2, \"b\"; z=?0",
        [
          .init(value: .token("a"), parameters: ["x": .integer(2), "y": .integer(1)]),
          .init(value: .string("b"), parameters: ["z": .boolean(false)]),
        ]
      ),
      // §4.2.1: inner lists are no items.
      ("a,", nil), (",a", nil), ("a b", nil), ("a;X", nil), ("(a b)", nil), ("a; x= 1", nil),
    ] as [(String, [StructuredItem]?)])
  func `a list of items`(text: String, expected: [StructuredItem]?) {
    #expect(StructuredItem.list(text) == expected)
  }

  @Test func `every truncation of a dictionary is read without harm`() {
    let text = Array("a=1.5;b=:YQ==:, c=\"d\\\"\", e=(1 ?0 *t);f, g".utf8)
    for count in 0...text.count {
      _ = withExactCopy(text.prefix(count)) {
        StructuredDictionary(UnsafeBufferPointer(start: $0, count: $1))
      }
    }
    #expect(parse(String(decoding: text, as: UTF8.self))?.members.count == 4)
  }
}
