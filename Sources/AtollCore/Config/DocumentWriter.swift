// SPDX-License-Identifier: Apache-2.0

/// Writes JSON with the keys in the order of the calls, one member a line: the same value gives
/// the same bytes, and a changed one changes few lines.
package struct DocumentWriter {
  package private(set) var bytes: [UInt8] = []
  private var depth = 0
  private var isFirst = true

  package init() {}

  /// A whole document: one object, with a newline at its end.
  package static func document(_ body: (inout DocumentWriter) -> Void) -> [UInt8] {
    var writer = DocumentWriter()
    writer.bytes.reserveCapacity(1_024)
    writer.object(body)
    writer.bytes.append(0x0a)
    return writer.bytes
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
    bytes.append(UInt8(ascii: ":"))
    bytes.append(0x20)
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
    bytes += Array(String(value).utf8)
  }

  /// Rounded to thousandths; null without a value.
  package mutating func number(_ value: Double?) {
    guard let value, value.isFinite, value.magnitude < 1e15 else { return null() }
    let thousandths = Int64((value * 1000).rounded())
    if thousandths < 0 { bytes.append(UInt8(ascii: "-")) }
    integer(thousandths.magnitude / 1000)
    let fraction = thousandths.magnitude % 1000
    if fraction == 0 { return }
    bytes.append(UInt8(ascii: "."))
    bytes += Array(String(1000 + fraction).utf8.dropFirst())
    while bytes.last == UInt8(ascii: "0") { bytes.removeLast() }
  }

  package mutating func bool(_ value: Bool) { bytes += Array((value ? "true" : "false").utf8) }

  package mutating func null() { bytes += Array("null".utf8) }

  package mutating func string(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(byte)
      case 0x0a: bytes += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
      case 0x09: bytes += [UInt8(ascii: "\\"), UInt8(ascii: "t")]
      case 0x0d: bytes += [UInt8(ascii: "\\"), UInt8(ascii: "r")]
      case 0..<0x20, 0x7f:
        let digits = Array("0123456789abcdef".utf8)
        bytes += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  private mutating func nest(_ open: UInt8, _ close: UInt8, _ body: (inout DocumentWriter) -> Void)
  {
    bytes.append(open)
    depth += 1
    isFirst = true
    body(&self)
    depth -= 1
    if !isFirst { newLine() }
    isFirst = false
    bytes.append(close)
  }

  private mutating func separate() {
    if !isFirst { bytes.append(UInt8(ascii: ",")) }
    isFirst = false
    newLine()
  }

  private mutating func newLine() {
    bytes.append(0x0a)
    for _ in 0..<depth * 2 { bytes.append(0x20) }
  }
}
