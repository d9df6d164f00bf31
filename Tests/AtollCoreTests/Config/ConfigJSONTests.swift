// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

@Suite struct ConfigJSONTests {
  private func read(_ text: String) throws -> JSONValue {
    try JSONReader.read(Array(text.utf8)).value
  }

  @Test(arguments: [
    ("0", 0), ("-0", 0), ("12", 12), ("9223372036854775807", Int64.max),
    ("-9223372036854775808", Int64.min), (" 7\n", 7),
  ])
  func `whole numbers are exact`(text: String, value: Int64) throws {
    #expect(try read(text) == .integer(value))
  }

  @Test func `a byte order mark is skipped, but nowhere else than first`() throws {
    #expect(try read("\u{FEFF}[]") == .array([]))
    #expect(throws: JSONError.self) { try read(" \u{FEFF}[]") }
    #expect(throws: JSONError.self) { try read("\u{FEFF}") }
  }

  @Test func `other numbers are doubles`() throws {
    #expect(try read("1.5") == .number(1.5))
    #expect(try read("1e3") == .number(1_000))
    #expect(try read("-2.5E-1") == .number(-0.25))
    #expect(try read("92233720368547758070") == .number(9.223372036854776e19))
  }

  @Test(arguments: [
    (#""a\"\\\/\b\f\n\r\t""#, "a\"\\/\u{8}\u{c}\n\r\t"), (#""\u00e9""#, "é"),
    (#""\ud83c\udfdd""#, "🏝"), ("\"é🏝\"", "é🏝"), (#""""#, ""),
  ])
  func `strings are unescaped`(text: String, value: String) throws {
    #expect(try read(text) == .string(value))
  }

  @Test(arguments: [
    ("", 1, 1), ("  ", 1, 3), ("{", 1, 2), ("{\"a\"", 1, 5), ("{\"a\":", 1, 6), ("[1,", 1, 4),
    ("[1,]", 1, 4), ("{\"a\":1,}", 1, 8), ("{a:1}", 1, 2), ("[1 2]", 1, 4), ("01", 1, 1),
    ("-", 1, 1), ("1.", 1, 1), ("1e", 1, 1), ("tru", 1, 1), ("truex", 1, 1), ("nul", 1, 1),
    ("'a'", 1, 1), ("\"a", 1, 1), ("\"a\nb\"", 1, 3), ("\"\\x\"", 1, 2), ("\"\\u12g4\"", 1, 2),
    ("\"\\ud800\"", 1, 2), ("\"\\udc00\"", 1, 2), ("1 1", 1, 3), ("// a", 1, 1), ("1e999", 1, 1),
    ("{\n  \"a\": 1\n  \"b\": 2\n}", 3, 3), ("{\n  \"é\": 1, x", 2, 11),
    ("{\n  \"a\": 1,\n  \"a\": 2\n}", 3, 3), ("\"\\\"", 1, 1), ("\u{feff}", 1, 2),
  ])
  func `bad JSON is refused at its line and column`(text: String, line: Int, column: Int) {
    do {
      _ = try read(text)
      Issue.record("accepted \(text)")
    } catch let error as JSONError {
      #expect(error.line == line, "\(error)")
      #expect(error.column == column, "\(error)")
      #expect(!error.hint.isEmpty)
    } catch {
      Issue.record(error)
    }
  }

  @Test func `bytes that are not UTF-8 are refused`() {
    #expect(throws: JSONError.self) { try JSONReader.read([0x22, 0xff, 0x22]) }
    #expect(throws: JSONError.self) { try JSONReader.read([0x22, 0xff, 0x5c, 0x6e, 0x22]) }
  }

  @Test func `a repeated key is refused in long objects too`() {
    let members = (0..<100).map { "\"k\($0)\": 1" } + ["\"k57\": 2"]
    #expect(throws: JSONError.self) { try read("{\(members.joined(separator: ","))}") }
  }

  @Test func `brackets nest 32 deep and no deeper`() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    _ = try read(nested(32))
    #expect(throws: JSONError.self) { try read(nested(33)) }
    #expect(throws: JSONError.self) { try read(String(repeating: "[", count: 1_000_000)) }
  }

  @Test func `every truncation of a file is refused`() throws {
    var distribution = try Sample.distribution(preset: .wordpress)
    distribution.tags = [Tag(key: "é\n", value: "\"🏝\"")]
    let bytes = DistributionFile.encode(distribution)
    // The last byte is the newline after the end.
    for count in 0..<bytes.count - 1 {
      #expect(throws: JSONError.self) { try JSONReader.read(Array(bytes.prefix(count))) }
    }
  }

  @Test func `what is written is read back`() throws {
    let strings = ["", "a\"b\\c", "\u{0}\u{1f}\u{7f}\n\r\t", "é🏝", "</script>"]
    let bytes = DocumentWriter.document { writer in
      writer.member("list", strings)
      writer.member("empty") { $0.object { _ in } }
      writer.member("none", [String]())
      writer.member("number", Int64.min)
    }
    let root = try JSONReader.read(bytes)
    #expect(root["number"]?.value == .integer(.min))
    #expect(root["empty"]?.value == .object([]))
    #expect(root["none"]?.value == .array([]))
    guard case .array(let nodes)? = root["list"]?.value else {
      Issue.record("no list")
      return
    }
    #expect(nodes.map(\.value) == strings.map { .string($0) })
  }

  @Test(arguments: [
    ("--jsn", "--json"), ("DefaultTtl", "DefaultTTL"), ("shpo", "shop"), ("ttls", "ttl"),
  ])
  func `the nearest name is suggested`(word: String, name: String) {
    #expect(nearestName(to: word, among: ["--json", "DefaultTTL", "shop", "ttl"]) == name)
    #expect(nearestName(to: "something-else", among: ["shop", "ttl"]) == nil)
  }
}
