// SPDX-License-Identifier: Apache-2.0
import Glibc

package struct JSONError: Error, Equatable, Sendable {
  /// From 1.
  package var line: Int
  /// From 1, in characters.
  package var column: Int
  package var what: String
  package var hint: String
}

/// A strict reader of RFC 8259 for files that people write: it says where something is wrong, and
/// refuses a key that occurs twice. Depth and size are bounded, since a file may come from anyone.
package struct JSONReader {
  package static let depthLimit = 32

  private let base: UnsafePointer<UInt8>
  private let count: Int
  private var at = 0

  package static func read(_ bytes: [UInt8]) throws(JSONError) -> JSONNode {
    // One more byte gives an empty text an address.
    let result: Result<JSONNode, JSONError> = bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress, !buffer.isEmpty else {
        return .failure(
          JSONError(line: 1, column: 1, what: "the text is empty", hint: "write a JSON object"))
      }
      var reader = JSONReader(base: base, count: buffer.count)
      do throws(JSONError) {
        return .success(try reader.document())
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  private init(base: UnsafePointer<UInt8>, count: Int) {
    self.base = base
    self.count = count
  }

  private mutating func document() throws(JSONError) -> JSONNode {
    // Some editors put a byte order mark first, which a reader may ignore (RFC 8259 §8.1).
    if count >= 3, base[0] == 0xEF, base[1] == 0xBB, base[2] == 0xBF { at = 3 }
    skipSpace()
    if at == count { throw error(at, "the text is empty", "write a JSON object") }
    let node = try value(depth: 0)
    skipSpace()
    if at < count {
      throw error(at, "something follows the end of the value", "remove it, or check the brackets")
    }
    return node
  }

  private mutating func value(depth: Int) throws(JSONError) -> JSONNode {
    let start = at
    guard at < count else { throw ended() }
    switch base[at] {
    case UInt8(ascii: "{"):
      return JSONNode(value: try object(depth: depth), offset: start)
    case UInt8(ascii: "["):
      return JSONNode(value: try array(depth: depth), offset: start)
    case UInt8(ascii: "\""):
      return JSONNode(value: .string(try string()), offset: start)
    case UInt8(ascii: "t"):
      try word("true")
      return JSONNode(value: .bool(true), offset: start)
    case UInt8(ascii: "f"):
      try word("false")
      return JSONNode(value: .bool(false), offset: start)
    case UInt8(ascii: "n"):
      try word("null")
      return JSONNode(value: .null, offset: start)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      return JSONNode(value: try number(), offset: start)
    case UInt8(ascii: "'"):
      throw error(at, "a string in single quotes", "use double quotes")
    case UInt8(ascii: "/"), UInt8(ascii: "#"):
      throw error(at, "a comment", "remove it: JSON has none")
    default:
      throw error(at, "this is no JSON value", "quote text, and check the commas and brackets")
    }
  }

  private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
    try checkDepth(depth)
    at += 1
    var members: [JSONMember] = []
    var seen: Set<String> = []
    skipSpace()
    if at < count, base[at] == UInt8(ascii: "}") {
      at += 1
      return .object([])
    }
    while true {
      skipSpace()
      guard at < count else { throw ended() }
      guard base[at] == UInt8(ascii: "\"") else {
        if base[at] == UInt8(ascii: "}") {
          throw error(at, "a comma before the closing brace", "remove the comma")
        }
        throw error(at, "a key is expected here", "write keys in double quotes")
      }
      let keyOffset = at
      let key = try string()
      // Few keys are compared one by one; many go through a set, so that a long object costs no
      // quadratic time.
      let isNew: Bool
      if members.count < 16 {
        isNew = !members.contains { $0.key == key }
      } else {
        if members.count == 16 { seen.formUnion(members.map(\.key)) }
        isNew = seen.insert(key).inserted
      }
      if !isNew {
        throw error(keyOffset, "the key \(quoted(key)) occurs twice", "keep one of the two")
      }
      skipSpace()
      guard at < count else { throw ended() }
      guard base[at] == UInt8(ascii: ":") else {
        throw error(at, "a colon is expected after the key \(quoted(key))", "write \"key\": value")
      }
      at += 1
      skipSpace()
      members.append(
        JSONMember(key: key, keyOffset: keyOffset, node: try value(depth: depth + 1)))
      skipSpace()
      guard at < count else { throw ended() }
      switch base[at] {
      case UInt8(ascii: ","): at += 1
      case UInt8(ascii: "}"):
        at += 1
        return .object(members)
      default:
        throw error(
          at, "a comma or a closing brace is expected here", "put a comma between two members")
      }
    }
  }

  private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
    try checkDepth(depth)
    at += 1
    var nodes: [JSONNode] = []
    skipSpace()
    if at < count, base[at] == UInt8(ascii: "]") {
      at += 1
      return .array([])
    }
    while true {
      skipSpace()
      if at < count, base[at] == UInt8(ascii: "]") {
        throw error(at, "a comma before the closing bracket", "remove the comma")
      }
      nodes.append(try value(depth: depth + 1))
      skipSpace()
      guard at < count else { throw ended() }
      switch base[at] {
      case UInt8(ascii: ","): at += 1
      case UInt8(ascii: "]"):
        at += 1
        return .array(nodes)
      default:
        throw error(
          at, "a comma or a closing bracket is expected here", "put a comma between two values")
      }
    }
  }

  /// At the opening quote.
  private mutating func string() throws(JSONError) -> String {
    let start = at
    at += 1
    let textStart = at
    var isPlain = true
    while at < count {
      let byte = base[at]
      if byte == UInt8(ascii: "\"") { break }
      if byte < 0x20 {
        throw error(at, "a control character inside a string", "escape it, as in \\n")
      }
      if byte == UInt8(ascii: "\\") {
        isPlain = false
        at += 1
      }
      at += 1
    }
    guard at < count else { throw error(start, "a string without an end", "close it with \"") }
    let raw = UnsafeBufferPointer(start: base + textStart, count: at - textStart)
    at += 1
    if isPlain {
      guard let text = String(validating: raw, as: UTF8.self) else {
        throw error(start, "a string that is not UTF-8", "save the file as UTF-8")
      }
      return text
    }
    return try unescape(textStart, raw)
  }

  private func unescape(_ start: Int, _ raw: UnsafeBufferPointer<UInt8>)
    throws(JSONError) -> String
  {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(raw.count)
    var index = 0
    while index < raw.count {
      let byte = raw[index]
      if byte != UInt8(ascii: "\\") {
        bytes.append(byte)
        index += 1
        continue
      }
      let escape = start + index
      // The scan above never ends inside an escape.
      let kind = raw[index + 1]
      index += 2
      switch kind {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(kind)
      case UInt8(ascii: "b"): bytes.append(0x08)
      case UInt8(ascii: "f"): bytes.append(0x0c)
      case UInt8(ascii: "n"): bytes.append(0x0a)
      case UInt8(ascii: "r"): bytes.append(0x0d)
      case UInt8(ascii: "t"): bytes.append(0x09)
      case UInt8(ascii: "u"):
        guard var scalar = hexUnit(raw, index) else {
          throw error(escape, "\\u without four hexadecimal digits", "write it like \\u00e9")
        }
        index += 4
        if scalar >= 0xd800 && scalar < 0xdc00, index + 1 < raw.count,
          raw[index] == UInt8(ascii: "\\"), raw[index + 1] == UInt8(ascii: "u"),
          let low = hexUnit(raw, index + 2), low >= 0xdc00 && low < 0xe000
        {
          scalar = 0x10000 + (scalar - 0xd800) << 10 + (low - 0xdc00)
          index += 6
        }
        guard let unicode = Unicode.Scalar(scalar) else {
          throw error(
            escape, "half of a surrogate pair", "write both halves, or the character itself")
        }
        bytes += Array(String(Character(unicode)).utf8)
      default:
        throw error(escape, "an unknown escape", "write \\\\ for a backslash")
      }
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw error(start, "a string that is not UTF-8", "save the file as UTF-8")
    }
    return text
  }

  private func hexUnit(_ raw: UnsafeBufferPointer<UInt8>, _ index: Int) -> UInt32? {
    if index + 4 > raw.count { return nil }
    var value: UInt32 = 0
    for byte in raw[index..<index + 4] {
      guard isHex(byte) else { return nil }
      value = value << 4 | UInt32(isDigit(byte) ? byte - 48 : (byte | 0x20) - 87)
    }
    return value
  }

  private mutating func number() throws(JSONError) -> JSONValue {
    let start = at
    let isNegative = base[at] == UInt8(ascii: "-")
    if isNegative { at += 1 }
    let digits = skipDigits()
    if digits == 0 { throw error(start, "a number without digits", "write digits after the -") }
    if digits > 1 && base[at - digits] == UInt8(ascii: "0") {
      throw error(start, "a number with a leading zero", "remove the zero")
    }
    var isInteger = true
    if at < count, base[at] == UInt8(ascii: ".") {
      isInteger = false
      at += 1
      if skipDigits() == 0 {
        throw error(start, "a number that ends with its point", "write a digit after the point")
      }
    }
    if at < count, base[at] | 0x20 == UInt8(ascii: "e") {
      isInteger = false
      at += 1
      if at < count, base[at] == UInt8(ascii: "+") || base[at] == UInt8(ascii: "-") { at += 1 }
      if skipDigits() == 0 {
        throw error(start, "a number without an exponent", "write a digit after the e")
      }
    }
    if isInteger && digits <= 18 {
      var value: Int64 = 0
      for index in at - digits..<at { value = value &* 10 &+ Int64(base[index] &- 48) }
      return .integer(isNegative ? -value : value)
    }
    let text = String(
      decoding: UnsafeBufferPointer(start: base + start, count: at - start), as: UTF8.self)
    if isInteger, let value = Int64(text) { return .integer(value) }
    guard let value = Double(text), value.isFinite else {
      throw error(start, "a number too large to hold", "write a smaller one")
    }
    return .number(value)
  }

  private mutating func skipDigits() -> Int {
    let start = at
    while at < count, isDigit(base[at]) { at += 1 }
    return at - start
  }

  private mutating func word(_ text: StaticString) throws(JSONError) {
    let length = text.utf8CodeUnitCount
    if count - at >= length, memcmp(base + at, text.utf8Start, length) == 0,
      at + length == count || !isAlphanumeric(base[at + length])
    {
      at += length
      return
    }
    throw error(at, "this is no JSON value", "write true, false or null, or quote the text")
  }

  private mutating func skipSpace() {
    while at < count {
      switch base[at] {
      case 0x20, 0x0a, 0x0d, 0x09: at += 1
      default: return
      }
    }
  }

  private func checkDepth(_ depth: Int) throws(JSONError) {
    if depth >= Self.depthLimit {
      throw error(at, "more than \(Self.depthLimit) levels of brackets", "flatten the file")
    }
  }

  private func ended() -> JSONError {
    error(count, "the text ends too early", "check that every bracket is closed")
  }

  private func error(_ offset: Int, _ what: String, _ hint: String) -> JSONError {
    var line = 1
    var column = 1
    for index in 0..<min(offset, count) {
      if base[index] == 0x0a {
        line += 1
        column = 1
      } else if base[index] & 0xc0 != 0x80 {
        column += 1
      }
    }
    return JSONError(line: line, column: column, what: what, hint: hint)
  }
}
