// SPDX-License-Identifier: Apache-2.0

/// The encoding of JOSE and ACME (RFC 4648 §5, without padding).
package enum Base64URL {
  package static func encode(_ bytes: [UInt8]) -> String {
    let digits = Base64.encode(bytes).utf8.prefix { $0 != UInt8(ascii: "=") }
    return String(decoding: digits.map(exchanged), as: UTF8.self)
  }

  package static func encode(_ text: String) -> String { encode(Array(text.utf8)) }

  /// nil for anything else than the one encoding of some bytes; padding at the end is let pass,
  /// since CAs hand out keys with it.
  package static func decode(_ text: some StringProtocol) -> [UInt8]? {
    var digits = Array(text.utf8)
    while digits.last == UInt8(ascii: "=") { digits.removeLast() }
    return digits.contains(where: "=+/".utf8.contains)
      ? nil : Base64.decode(digits.map(exchanged))
  }

  /// The two digits in which this differs from RFC 4648 §4, in both directions.
  private static func exchanged(_ digit: UInt8) -> UInt8 {
    switch digit {
    case UInt8(ascii: "+"): UInt8(ascii: "-")
    case UInt8(ascii: "/"): UInt8(ascii: "_")
    case UInt8(ascii: "-"): UInt8(ascii: "+")
    case UInt8(ascii: "_"): UInt8(ascii: "/")
    default: digit
    }
  }
}
