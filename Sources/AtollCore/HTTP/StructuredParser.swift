// SPDX-License-Identifier: Apache-2.0

/// RFC 8941 §3.3.
package enum BareItem: Equatable, Sendable {
  case integer(Int64)
  /// In thousandths, the most precise that there is.
  case decimal(thousandths: Int64)
  case string(String)
  case token(String)
  case bytes([UInt8])
  case boolean(Bool)
}

/// RFC 8941 §3.3 with its parameters (§3.1.2).
package struct StructuredItem: Equatable, Sendable {
  package let value: BareItem
  package let parameters: [String: BareItem]

  /// The members of a List of Items (§3.1); nil when the text, all lines of the field joined by
  /// commas, is none.
  package static func list(_ text: String) -> [StructuredItem]? {
    var text = text
    return text.withUTF8 {
      var parser = StructuredParser($0)
      return parser.list()
    }
  }
}

/// The algorithms of RFC 8941 §4.2; nil is "fail parsing".
struct StructuredParser {
  private let bytes: UnsafeBufferPointer<UInt8>
  private var at = 0

  init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

  private mutating func skip(_ wanted: UInt8) -> Bool {
    guard next == wanted else { return false }
    at += 1
    return true
  }

  private mutating func skipSpaces(andTabs: Bool = false) {
    while let byte = next, byte == 0x20 || (andTabs && byte == 0x09) { at += 1 }
  }

  /// §4.2 and §4.2.1, of items alone.
  mutating func list() -> [StructuredItem]? {
    var members: [StructuredItem] = []
    skipSpaces()
    while next != nil {
      guard let value = bareItem(), let parameters = parameters() else { return nil }
      members.append(StructuredItem(value: value, parameters: parameters))
      guard let goesOn = separator() else { return nil }
      if !goesOn { break }
    }
    return members
  }

  /// §4.2 and §4.2.2.
  mutating func dictionary() -> [String: StructuredDictionary.Value]? {
    var members: [String: StructuredDictionary.Value] = [:]
    skipSpaces()
    while next != nil {
      guard let key = key() else { return nil }
      if skip(UInt8(ascii: "=")) {
        guard let value = value() else { return nil }
        members[key] = value
      } else {
        guard parameters() != nil else { return nil }
        members[key] = .item(.boolean(true))
      }
      guard let goesOn = separator() else { return nil }
      if !goesOn { break }
    }
    return members
  }

  /// Whether another member follows; nil when there is anything else than a comma, or nothing
  /// behind that.
  private mutating func separator() -> Bool? {
    skipSpaces(andTabs: true)
    if next == nil { return false }
    guard skip(UInt8(ascii: ",")) else { return nil }
    skipSpaces(andTabs: true)
    return next == nil ? nil : true
  }

  /// §4.2.1.1.
  private mutating func value() -> StructuredDictionary.Value? {
    if next == UInt8(ascii: "(") { return innerList() }
    guard let item = bareItem(), parameters() != nil else { return nil }
    return .item(item)
  }

  /// §4.2.1.2.
  private mutating func innerList() -> StructuredDictionary.Value? {
    guard skip(UInt8(ascii: "(")) else { return nil }
    var items: [BareItem] = []
    while next != nil {
      skipSpaces()
      if skip(UInt8(ascii: ")")) { return parameters() == nil ? nil : .innerList(items) }
      guard let item = bareItem(), parameters() != nil else { return nil }
      items.append(item)
      guard next == 0x20 || next == UInt8(ascii: ")") else { return nil }
    }
    return nil
  }

  /// §4.2.3.2: of a name that comes twice, the last value counts.
  private mutating func parameters() -> [String: BareItem]? {
    var parameters: [String: BareItem] = [:]
    while skip(UInt8(ascii: ";")) {
      skipSpaces()
      guard let key = key() else { return nil }
      var value = BareItem.boolean(true)
      if skip(UInt8(ascii: "=")) {
        guard let item = bareItem() else { return nil }
        value = item
      }
      parameters[key] = value
    }
    return parameters
  }

  /// §4.2.3.3: lower-case letters only.
  private mutating func key() -> String? {
    guard let first = next, isLower(first) || first == UInt8(ascii: "*") else { return nil }
    let start = at
    while let byte = next,
      isLower(byte) || isDigit(byte) || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
        || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "*")
    {
      at += 1
    }
    return text(from: start)
  }

  /// §4.2.3.1.
  private mutating func bareItem() -> BareItem? {
    switch next {
    case nil: return nil
    case UInt8(ascii: "\"")?: return string()
    case UInt8(ascii: ":")?: return byteSequence()
    case UInt8(ascii: "?")?: return boolean()
    case let byte? where byte == UInt8(ascii: "-") || isDigit(byte): return number()
    case let byte? where byte == UInt8(ascii: "*") || isLower(byte | 0x20): return token()
    default: return nil
    }
  }

  /// §4.2.4: fifteen digits, or twelve before a point and three behind it.
  private mutating func number() -> BareItem? {
    let isNegative = skip(UInt8(ascii: "-"))
    var digits: Int64 = 0
    var whole = 0
    while let byte = next, isDigit(byte) {
      whole += 1
      if whole > 15 { return nil }
      digits = digits * 10 + Int64(byte - 0x30)
      at += 1
    }
    if whole == 0 { return nil }
    guard skip(UInt8(ascii: ".")) else { return .integer(isNegative ? -digits : digits) }
    if whole > 12 { return nil }
    var fraction = 0
    while let byte = next, isDigit(byte) {
      fraction += 1
      if fraction > 3 { return nil }
      digits = digits * 10 + Int64(byte - 0x30)
      at += 1
    }
    if fraction == 0 { return nil }
    for _ in fraction..<3 { digits *= 10 }
    return .decimal(thousandths: isNegative ? -digits : digits)
  }

  /// §4.2.5.
  private mutating func string() -> BareItem? {
    at += 1
    var content: [UInt8] = []
    while let byte = next {
      at += 1
      switch byte {
      case UInt8(ascii: "\\"):
        guard let escaped = next, escaped == UInt8(ascii: "\"") || escaped == UInt8(ascii: "\\")
        else { return nil }
        content.append(escaped)
        at += 1
      case UInt8(ascii: "\""): return .string(String(decoding: content, as: UTF8.self))
      case 0x20...0x7e: content.append(byte)
      default: return nil
      }
    }
    return nil
  }

  /// §4.2.6.
  private mutating func token() -> BareItem? {
    let start = at
    while let byte = next, isTokenByte(byte) || byte == 0x3a || byte == 0x2f { at += 1 }
    return .token(text(from: start))
  }

  /// §4.2.7: padding may be missing, but bits that make no byte are an error.
  private mutating func byteSequence() -> BareItem? {
    at += 1
    var content: [UInt8] = []
    var bits: UInt32 = 0
    var count = 0
    var digits = 0
    var padding = 0
    while let byte = next {
      at += 1
      if byte == UInt8(ascii: ":") {
        if digits % 4 == 1 || padding > 2 { return nil }
        if padding > 0 && (digits + padding) % 4 != 0 { return nil }
        return .bytes(content)
      }
      if byte == UInt8(ascii: "=") {
        padding += 1
        continue
      }
      guard padding == 0, let value = base64Value(byte) else { return nil }
      digits += 1
      bits = bits << 6 | UInt32(value)
      count += 6
      if count >= 8 {
        count -= 8
        content.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
      }
    }
    return nil
  }

  /// §4.2.8.
  private mutating func boolean() -> BareItem? {
    at += 1
    if skip(UInt8(ascii: "1")) { return .boolean(true) }
    return skip(UInt8(ascii: "0")) ? .boolean(false) : nil
  }

  private func text(from start: Int) -> String {
    String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<at]), as: UTF8.self)
  }
}

private func isLower(_ byte: UInt8) -> Bool { byte >= 0x61 && byte <= 0x7a }

private func base64Value(_ byte: UInt8) -> UInt8? {
  switch byte {
  case 0x41...0x5a: byte - 0x41
  case 0x61...0x7a: byte - 0x61 + 26
  case 0x30...0x39: byte - 0x30 + 52
  case 0x2b: 62
  case 0x2f: 63
  default: nil
  }
}
