// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// A JSON document whose keys keep their order.
enum JSON: Sendable, Equatable {
  case null
  case bool(Bool)
  case integer(Int)
  /// To six digits after the point; null when it is not finite.
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
  var document: [UInt8] { DocumentWriter.value { write(to: &$0) } }

  private func write(to writer: inout DocumentWriter) {
    switch self {
    case .null: writer.null()
    case .bool(let value): writer.bool(value)
    case .integer(let value): writer.integer(value)
    case .number(let value): writer.number(value, digits: 6)
    case .string(let value): writer.string(value)
    case .array(let elements):
      writer.array { writer in
        for element in elements { writer.element { element.write(to: &$0) } }
      }
    case .object(let members):
      writer.object { writer in
        for member in members { writer.member(member.key) { member.value.write(to: &$0) } }
      }
    case .encoded(let document): writer.encoded(document)
    }
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
