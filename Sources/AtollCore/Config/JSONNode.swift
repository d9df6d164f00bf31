// SPDX-License-Identifier: Apache-2.0

/// A value of a JSON text, with the place where it stands.
package struct JSONNode: Equatable, Sendable {
  package var value: JSONValue
  /// Bytes before it.
  package var offset: Int
}

package enum JSONValue: Equatable, Sendable {
  case null
  case bool(Bool)
  /// A number written without fraction or exponent that fits.
  case integer(Int64)
  case number(Double)
  case string(String)
  case array([JSONNode])
  /// In the order written; keys are unique.
  case object([JSONMember])
}

package struct JSONMember: Equatable, Sendable {
  package var key: String
  package var keyOffset: Int
  package var node: JSONNode
}

extension JSONNode {
  /// An object's member, or nil.
  package subscript(key: String) -> JSONNode? {
    guard case .object(let members) = value else { return nil }
    return members.first { $0.key == key }?.node
  }

  // Each nil for a value of another kind.

  package var text: String? {
    if case .string(let text) = value { text } else { nil }
  }

  package var integer: Int64? {
    if case .integer(let number) = value { number } else { nil }
  }

  package var unsigned: UInt64? { integer.flatMap { UInt64(exactly: $0) } }

  package var bool: Bool? {
    if case .bool(let flag) = value { flag } else { nil }
  }

  /// Seconds since 1970.
  package var time: Int64? { text.flatMap(RFC3339.parse) }

  package var elements: [JSONNode]? {
    if case .array(let nodes) = value { nodes } else { nil }
  }
}
