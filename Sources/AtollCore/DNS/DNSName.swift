// SPDX-License-Identifier: Apache-2.0

/// A domain name as DNS has it (RFC 1035 §3.1): labels of bytes, in lower case, since no server
/// tells the cases apart.
package struct DNSName: Hashable, Sendable {
  /// From the leaf to below the root, which has none.
  package let labels: [[UInt8]]

  package static let longestLabel = 63
  /// Bytes on the wire, lengths and the root included.
  package static let longest = 255
  package static let root = DNSName(unchecked: [])

  /// ASCII with dots, perhaps with the root's at the end; nil where a label is empty, or it or the
  /// name too long.
  package init?(_ text: some StringProtocol) {
    if text == "." {
      self = .root
      return
    }
    var bytes = Array(text.utf8)
    if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
    if bytes.isEmpty || bytes.contains(where: { $0 >= 0x80 || $0 <= 0x20 || $0 == 0x7f }) {
      return nil
    }
    let labels = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    self.init(labels: labels.map { Array($0) })
  }

  /// Nil where a label is empty, or it or the name too long.
  init?(labels: [[UInt8]]) {
    var length = 1
    for label in labels {
      if label.isEmpty || label.count > Self.longestLabel { return nil }
      length += label.count + 1
    }
    if length > Self.longest { return nil }
    self.init(unchecked: labels.map { $0.map(Self.lowercased) })
  }

  private init(unchecked labels: [[UInt8]]) { self.labels = labels }

  private static func lowercased(_ byte: UInt8) -> UInt8 {
    byte >= 65 && byte <= 90 ? byte | 0x20 : byte
  }

  /// The name without its first label; nil of the root.
  package var parent: DNSName? {
    labels.isEmpty ? nil : DNSName(unchecked: Array(labels.dropFirst()))
  }

  /// The name itself, and everything below it.
  package func contains(_ other: DNSName) -> Bool {
    other.labels.count >= labels.count && other.labels.suffix(labels.count) == labels[...]
  }

  /// The labels before those of a zone that holds it: `www` of `www.example.com` in `example.com`,
  /// `@` for the zone's own name, all of it with the root's dot outside of the zone.
  package func relative(to zone: DNSName) -> String {
    if self == zone { return "@" }
    if !zone.contains(self) || zone.labels.isEmpty { return absolute }
    return Self.text(labels.dropLast(zone.labels.count))
  }

  package func prefixed(by label: String) -> DNSName? {
    DNSName(labels: [Array(label.utf8)] + labels)
  }

  /// As zone files want it: with the root's dot.
  package var absolute: String { labels.isEmpty ? "." : description + "." }

  /// RFC 1035 §5.1: what can't be printed, and dots in a label, as `\DDD` and `\.`.
  private static func text(_ labels: some Sequence<[UInt8]>) -> String {
    var parts: [String] = []
    for label in labels {
      var part = ""
      for byte in label {
        switch byte {
        case UInt8(ascii: "."), UInt8(ascii: "\\"):
          part += "\\" + String(UnicodeScalar(byte))
        case 0x21...0x7e: part.unicodeScalars.append(UnicodeScalar(byte))
        default:
          let digits = String(byte)
          part += "\\" + String(repeating: "0", count: 3 - digits.count) + digits
        }
      }
      parts.append(part)
    }
    return parts.joined(separator: ".")
  }
}

extension DNSName: CustomStringConvertible {
  /// Without the root's dot; the root is ".".
  package var description: String { labels.isEmpty ? "." : Self.text(labels) }
}
