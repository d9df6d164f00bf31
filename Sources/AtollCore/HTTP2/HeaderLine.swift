// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc

/// One field of a request as a line of text, `name: value` with CRLF, and what is known of it: a
/// field that a connection's table holds is looked at once, however often it comes.
package struct HeaderLine {
  /// What a request's field is to the edge.
  package enum Role: UInt8, Sendable {
    /// A field like any other.
    case plain
    // Pseudo-header fields (RFC 9113 §8.3.1, RFC 8441 §4).
    case method, scheme, path, authority, `protocol`
    // Those that become something else, or say more than their line.
    case host, cookie, contentLength, te, priority, webSocketKey
    /// No name, or one that no request of HTTP/2 has (RFC 9113 §8.2.1, §8.2.2).
    case malformed
  }

  /// Valid as long as the decoder says.
  package var text: UnsafePointer<UInt8>
  package var nameCount: UInt32
  package var valueCount: UInt32
  package var role: Role
  package var known: KnownField
  /// The value is one (RFC 9113 §8.2.1), of an authority a host (RFC 9110 §7.2). What becomes part
  /// of the request line is looked at there.
  package var hasValidValue: Bool

  /// Between name and value, and behind that.
  static let punctuation = 4

  @inline(__always)
  package var name: UnsafePointer<UInt8> { text }
  @inline(__always)
  package var value: UnsafePointer<UInt8> { text + (Int(nameCount) &+ 2) }
  /// Bytes of the line.
  @inline(__always)
  var count: Int { Int(nameCount) &+ Int(valueCount) &+ Self.punctuation }

  /// A line whose name is looked at.
  package init(text: UnsafePointer<UInt8>, nameCount: Int, valueCount: Int) {
    let (role, known) = Self.find(text, nameCount)
    self.init(
      text: text, nameCount: nameCount, valueCount: valueCount, role: role, known: known)
  }

  /// A line with a name that has been looked at.
  @inline(__always)
  init(
    text: UnsafePointer<UInt8>, nameCount: Int, valueCount: Int, role: Role, known: KnownField
  ) {
    self.text = text
    self.nameCount = UInt32(truncatingIfNeeded: nameCount)
    self.valueCount = UInt32(truncatingIfNeeded: valueCount)
    self.role = role
    self.known = known
    let value = text + (nameCount &+ 2)
    switch role {
    case .path, .method: hasValidValue = true
    case .authority, .host: hasValidValue = Authority.isValid(value, valueCount, needsPort: false)
    default: hasValidValue = Self.isValue(value, valueCount)
    }
  }

  /// No control characters, and no white space around it.
  @inline(__always)
  private static func isValue(_ value: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    if count == 0 { return true }
    return !isBlank(value[0]) && !isBlank(value[count &- 1])
      && csystem_scan_value(value, value + count) == value + count
  }

  @inline(__always)
  private static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == horizontalTab }

  @inline(never)
  private static func find(_ name: UnsafePointer<UInt8>, _ count: Int) -> (Role, KnownField) {
    if count == 0 { return (.malformed, .other) }
    if name[0] == 0x3a { return (pseudo(name, count), .other) }
    for index in 0..<count
    where csystem_is_token_character(name[index]) == 0 || name[index] &- 0x41 < 26 {
      return (.malformed, .other)
    }
    let known = KnownField.of(name, length: count)
    switch known {
    case .host: return (.host, known)
    case .cookie: return (.cookie, known)
    case .contentLength: return (.contentLength, known)
    case .te: return (.te, known)
    case .connection, .keepAlive, .proxyConnection, .transferEncoding, .upgrade:
      return (.malformed, known)
    case .other:
      if equals(name, count, "priority") { return (.priority, known) }
      if equals(name, count, "sec-websocket-key") { return (.webSocketKey, known) }
      return (.plain, known)
    default: return (.plain, known)
    }
  }

  private static func pseudo(_ name: UnsafePointer<UInt8>, _ count: Int) -> Role {
    if equals(name, count, ":method") { return .method }
    if equals(name, count, ":path") { return .path }
    if equals(name, count, ":scheme") { return .scheme }
    if equals(name, count, ":authority") { return .authority }
    if equals(name, count, ":protocol") { return .protocol }
    return .malformed
  }

  private static func equals(
    _ name: UnsafePointer<UInt8>, _ count: Int, _ other: StaticString
  ) -> Bool {
    count == other.utf8CodeUnitCount && memcmp(name, other.utf8Start, count) == 0
  }

  /// Writes the line of a name and a value.
  /// - Returns: the value's place.
  @discardableResult
  static func write(
    _ name: UnsafePointer<UInt8>, _ nameCount: Int, _ value: UnsafePointer<UInt8>,
    _ valueCount: Int, to place: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    memcpy(place, name, nameCount)
    let start = writeColon(place + nameCount)
    memcpy(start, value, valueCount)
    writeEnd(start + valueCount)
    return start
  }

  @inline(__always)
  static func writeColon(
    _ place: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    place[0] = 0x3a
    place[1] = space
    return place + 2
  }

  @inline(__always)
  static func writeEnd(_ place: UnsafeMutablePointer<UInt8>) {
    place[0] = carriageReturn
    place[1] = lineFeed
  }
}
