// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// One cache's part of a Cache-Status field (RFC 9211 §2).
struct CacheStatusMember: Equatable {
  /// The cache's name for itself.
  var cache: String
  var isHit = false
  /// Why the request went on: `bypass`, `method`, `uri-miss`, `vary-miss`, `miss`, `request`,
  /// `stale`, `partial`.
  var forward: String?
  var forwardStatus: Int?
  /// Seconds left, negative once stale.
  var ttl: Int?
  var isStored: Bool?
  var isCollapsed: Bool?
  var key: String?
  /// Words of the cache's own.
  var detail: String?
}

/// Cache-Status: the caches a response passed, the one nearest to the origin first.
enum CacheStatusField {
  /// Parses a List of Structured Fields (RFC 8941 §4.2.1), as far as RFC 9211 uses it. Nil when the
  /// field is malformed: it is then to be ignored as a whole (RFC 9211 §2, RFC 8941 §4.2).
  static func parse(_ value: String) -> [CacheStatusMember]? {
    var scanner = StructuredFieldScanner(value)
    var members: [CacheStatusMember] = []
    scanner.skipSpaces()
    if scanner.isAtEnd { return [] }
    while true {
      guard let member = parseMember(&scanner) else { return nil }
      members.append(member)
      scanner.skipWhitespace()
      if scanner.isAtEnd { return members }
      guard scanner.skip(UInt8(ascii: ",")) else { return nil }
      scanner.skipWhitespace()
      // A comma must be followed by a member.
      if scanner.isAtEnd { return nil }
    }
  }

  private static func parseMember(_ scanner: inout StructuredFieldScanner) -> CacheStatusMember? {
    switch scanner.item() {
    case .text(let name): return parseParameters(&scanner, of: name)
    case .integer, .boolean, nil: return nil
    }
  }

  private static func parseParameters(_ scanner: inout StructuredFieldScanner, of name: String)
    -> CacheStatusMember?
  {
    var member = CacheStatusMember(cache: name)
    while scanner.skip(UInt8(ascii: ";")) {
      scanner.skipSpaces()
      guard let key = scanner.key() else { return nil }
      var value = StructuredFieldScanner.Item.boolean(true)
      if scanner.skip(UInt8(ascii: "=")) {
        guard let item = scanner.item() else { return nil }
        value = item
      }
      switch (key, value) {
      case ("hit", .boolean(let flag)): member.isHit = flag
      case ("fwd", .text(let reason)): member.forward = reason
      case ("fwd-status", .integer(let status)): member.forwardStatus = status
      case ("ttl", .integer(let seconds)): member.ttl = seconds
      case ("stored", .boolean(let flag)): member.isStored = flag
      case ("collapsed", .boolean(let flag)): member.isCollapsed = flag
      case ("key", .text(let key)): member.key = key
      case ("detail", .text(let words)): member.detail = words
      case ("detail", .integer(let number)): member.detail = String(number)
      // Parameters of the wrong type and unknown ones are ignored (RFC 9211 §2).
      default: break
      }
    }
    return member
  }
}

/// Reads the items of RFC 8941 that Cache-Status is made of.
struct StructuredFieldScanner {
  enum Item: Equatable {
    /// A token or a string.
    case text(String)
    case integer(Int)
    case boolean(Bool)
  }

  private let bytes: [UInt8]
  private var at = 0

  init(_ value: String) { bytes = Array(value.utf8) }

  var isAtEnd: Bool { at == bytes.count }

  private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

  mutating func skipSpaces() {
    while next == 0x20 { at += 1 }
  }

  mutating func skipWhitespace() {
    while next == 0x20 || next == 0x09 { at += 1 }
  }

  mutating func skip(_ byte: UInt8) -> Bool {
    guard next == byte else { return false }
    at += 1
    return true
  }

  /// RFC 8941 §4.2.3.3.
  mutating func key() -> String? {
    let start = at
    guard let first = next, isLower(first) || first == UInt8(ascii: "*") else { return nil }
    while let byte = next, isLower(byte) || isDigit(byte) || "_-.*".utf8.contains(byte) { at += 1 }
    return text(from: start)
  }

  mutating func item() -> Item? {
    guard let first = next else { return nil }
    switch first {
    case UInt8(ascii: "\""): return string()
    case UInt8(ascii: "?"): return boolean()
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return number()
    default: return token()
    }
  }

  private mutating func string() -> Item? {
    at += 1
    var content: [UInt8] = []
    while let byte = next {
      at += 1
      switch byte {
      case UInt8(ascii: "\\"):
        guard let escaped = next, escaped == 0x22 || escaped == 0x5c else { return nil }
        content.append(escaped)
        at += 1
      case UInt8(ascii: "\""): return .text(String(decoding: content, as: UTF8.self))
      case 0x20...0x7e: content.append(byte)
      default: return nil
      }
    }
    return nil
  }

  private mutating func boolean() -> Item? {
    at += 1
    if skip(UInt8(ascii: "1")) { return .boolean(true) }
    if skip(UInt8(ascii: "0")) { return .boolean(false) }
    return nil
  }

  /// A decimal is read and its fraction forgotten: no parameter of RFC 9211 has one.
  private mutating func number() -> Item? {
    let start = at
    if next == UInt8(ascii: "-") { at += 1 }
    let digits = at
    while let byte = next, isDigit(byte) { at += 1 }
    guard at > digits, at - digits <= 15, let value = Int(text(from: start)) else { return nil }
    if skip(UInt8(ascii: ".")) {
      let fraction = at
      while let byte = next, isDigit(byte) { at += 1 }
      guard at > fraction else { return nil }
    }
    return .integer(value)
  }

  private mutating func token() -> Item? {
    let start = at
    guard let first = next, isLower(first | 0x20) || first == UInt8(ascii: "*") else { return nil }
    while let byte = next,
      isTokenByte(byte) || byte == UInt8(ascii: ":") || byte == UInt8(ascii: "/")
    { at += 1 }
    return .text(text(from: start))
  }

  private func text(from start: Int) -> String {
    String(decoding: bytes[start..<at], as: UTF8.self)
  }

  private func isLower(_ byte: UInt8) -> Bool { byte >= 0x61 && byte <= 0x7a }
}
