// SPDX-License-Identifier: Apache-2.0

/// Writes JSON with the keys in the order of the calls, one member a line: the same value gives
/// the same bytes, and a changed one changes few lines.
package struct DocumentWriter {
  private let buffer = ByteBuffer(capacity: 1_024)
  private var depth = 0
  private var isFirst = true

  private init() {}

  /// A whole document: one object, with a newline at its end.
  package static func document(_ body: (inout DocumentWriter) -> Void) -> [UInt8] {
    value { $0.object(body) }
  }

  /// One value of any kind, with a newline at its end.
  package static func value(_ write: (inout DocumentWriter) -> Void) -> [UInt8] {
    var writer = DocumentWriter()
    write(&writer)
    writer.buffer.append(UInt8(ascii: "\n"))
    return Array(writer.buffer.bytes)
  }

  package mutating func object(_ body: (inout DocumentWriter) -> Void) {
    nest(UInt8(ascii: "{"), UInt8(ascii: "}"), body)
  }

  package mutating func array(_ body: (inout DocumentWriter) -> Void) {
    nest(UInt8(ascii: "["), UInt8(ascii: "]"), body)
  }

  /// A value of the enclosing array.
  package mutating func element(_ write: (inout DocumentWriter) -> Void) {
    separate()
    write(&self)
  }

  package mutating func member(_ key: String, _ write: (inout DocumentWriter) -> Void) {
    separate()
    string(key)
    buffer.append(": " as StaticString)
    write(&self)
  }

  package mutating func member(_ key: String, _ value: String) {
    member(key) { $0.string(value) }
  }

  package mutating func member(_ key: String, _ value: some FixedWidthInteger) {
    member(key) { $0.integer(value) }
  }

  package mutating func member(_ key: String, _ value: Bool) {
    member(key) { $0.bool(value) }
  }

  package mutating func member(_ key: String, _ values: [String]) {
    member(key) { writer in
      writer.array { writer in
        for value in values { writer.element { $0.string(value) } }
      }
    }
  }

  package mutating func integer(_ value: some FixedWidthInteger) {
    if value < 0 { buffer.append(UInt8(ascii: "-")) }
    buffer.appendDecimal(UInt64(value.magnitude))
  }

  /// Rounded to so many digits after the point; null without a value.
  package mutating func number(_ value: Double?, digits: Int = 3) {
    var unit = 1.0
    for _ in 0..<digits { unit *= 10 }
    guard let value, (value * unit).magnitude < 1e18 else { return null() }
    let units = Int64((value * unit).rounded())
    if units < 0 { buffer.append(UInt8(ascii: "-")) }
    buffer.appendDecimal(units.magnitude / UInt64(unit))
    appendFraction(units.magnitude % UInt64(unit), digits: digits, to: buffer)
  }

  package mutating func bool(_ value: Bool) {
    buffer.append(value ? "true" as StaticString : "false")
  }

  package mutating func null() { buffer.append("null" as StaticString) }

  package mutating func string(_ text: String) {
    var text = text
    text.withUTF8 { appendJSONString($0, to: buffer) }
  }

  /// A document that is ready: indented to its place, otherwise as it is.
  package mutating func encoded(_ document: [UInt8]) {
    let lines = document.split(separator: UInt8(ascii: "\n"))
    for (index, line) in lines.enumerated() {
      if index > 0 { newLine() }
      line.withUnsafeBufferPointer { buffer.append($0) }
    }
  }

  private mutating func nest(_ open: UInt8, _ close: UInt8, _ body: (inout DocumentWriter) -> Void)
  {
    buffer.append(open)
    depth += 1
    isFirst = true
    body(&self)
    depth -= 1
    if !isFirst { newLine() }
    isFirst = false
    buffer.append(close)
  }

  private mutating func separate() {
    if !isFirst { buffer.append(UInt8(ascii: ",")) }
    isFirst = false
    newLine()
  }

  private mutating func newLine() {
    buffer.append(UInt8(ascii: "\n"))
    for _ in 0..<depth * 2 { buffer.append(UInt8(ascii: " ")) }
  }
}
