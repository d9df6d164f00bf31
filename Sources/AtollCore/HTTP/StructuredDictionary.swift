// SPDX-License-Identifier: Apache-2.0

/// A Dictionary of Structured Fields (RFC 8941 §3.2), read as strictly as §4.2 demands: what breaks
/// its grammar anywhere is no dictionary at all.
///
/// The types are those of RFC 8941, which defines the fields read here. Date and Display String of
/// RFC 9651 break it: "a field whose definition references RFC 8941 cannot" use them (§1.2 there).
package struct StructuredDictionary: Equatable, Sendable {
  package enum Value: Equatable, Sendable {
    case item(BareItem)
    /// Parameters of the items are checked and dropped.
    case innerList([BareItem])
  }

  /// By key; parameters of the members are checked and dropped, as whoever reads these fields
  /// ignores them (RFC 9213 §2.1).
  package private(set) var members: [String: Value] = [:]

  /// Nil when the bytes, all lines of the field joined by commas, are no dictionary.
  package init?(_ bytes: UnsafeBufferPointer<UInt8>) {
    var parser = StructuredParser(bytes)
    guard let members = parser.dictionary() else { return nil }
    self.members = members
  }

  package var isEmpty: Bool { members.isEmpty }

  package subscript(key: String) -> Value? { members[key] }
}
