// SPDX-License-Identifier: Apache-2.0

/// A JSON document whose keys keep their order.
enum JSON: Sendable, Equatable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSON])
  case object([Member])
  /// A document that is ready: indented anew, otherwise as it is.
  case encoded([UInt8])

  struct Member: Sendable, Equatable {
    let key: String
    let value: JSON
  }

  /// A document's outermost object, which begins with its schema's version.
  static func result(_ members: KeyValuePairs<String, JSON>) -> JSON {
    .object([Member(key: "schemaVersion", value: 1)] + members.map(Member.init))
  }

  /// Null when there is nothing.
  static func optional(_ text: String?) -> JSON { text.map(JSON.string) ?? .null }
  static func optional(_ number: Int?) -> JSON { number.map(JSON.integer) ?? .null }

  static func strings(_ texts: [String]) -> JSON { .array(texts.map(JSON.string)) }

  /// Indented by two spaces, with a newline at the end.
  var document: String {
    var text = ""
    write(into: &text, indent: 0)
    return text + "\n"
  }

  /// One line, with a newline at the end: for streams of documents.
  var line: String {
    var text = ""
    write(into: &text, indent: nil)
    return text + "\n"
  }

  private func write(into text: inout String, indent: Int?) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let value): text += String(value)
    case .number(let value): text += JSON.number(value)
    case .string(let value): JSON.quote(value, into: &text)
    case .array(let elements):
      JSON.list(elements, "[", "]", into: &text, indent: indent) { element, text, indent in
        element.write(into: &text, indent: indent)
      }
    case .object(let members):
      JSON.list(members, "{", "}", into: &text, indent: indent) { member, text, indent in
        JSON.quote(member.key, into: &text)
        text += indent == nil ? ":" : ": "
        member.value.write(into: &text, indent: indent)
      }
    case .encoded(let bytes):
      let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
      if let indent {
        text += lines.joined(separator: "\n" + String(repeating: " ", count: indent))
      } else {
        text += lines.map { $0.drop { $0 == " " } }.joined()
      }
    }
  }

  private static func list<Element>(
    _ elements: [Element], _ open: String, _ close: String, into text: inout String, indent: Int?,
    _ write: (Element, inout String, Int?) -> Void
  ) {
    text += open
    for (index, element) in elements.enumerated() {
      if index > 0 { text += "," }
      if let indent { text += "\n" + String(repeating: " ", count: indent + 2) }
      write(element, &text, indent.map { $0 + 2 })
    }
    if let indent, !elements.isEmpty { text += "\n" + String(repeating: " ", count: indent) }
    text += close
  }

  /// JSON has no infinity and no NaN; whole numbers are written without a fraction.
  private static func number(_ value: Double) -> String {
    guard value.isFinite else { return "null" }
    return Int(exactly: value).map { String($0) } ?? "\(value)"
  }

  private static func quote(_ value: String, into text: inout String) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\u{0}"..."\u{1F}", "\u{7F}":
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByBooleanLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  init(stringLiteral value: String) { self = .string(value) }
  init(integerLiteral value: Int) { self = .integer(value) }
  init(booleanLiteral value: Bool) { self = .bool(value) }
  init(arrayLiteral elements: JSON...) { self = .array(elements) }
  init(dictionaryLiteral elements: (String, JSON)...) {
    self = .object(elements.map(Member.init))
  }
}
