// SPDX-License-Identifier: Apache-2.0

/// Appends "." and the fraction's digits without trailing zeros; nothing for 0.
func appendFraction(_ fraction: UInt64, digits: Int, to buffer: ByteBuffer) {
  if fraction == 0 { return }
  buffer.append(UInt8(ascii: "."))
  var unit: UInt64 = 1
  for _ in 1..<digits { unit *= 10 }
  var rest = fraction
  while rest > 0 {
    buffer.append(UInt8(truncatingIfNeeded: rest / unit) &+ 48)
    rest %= unit
    unit /= 10
  }
}

/// Appends a JSON string with its quotes. Whatever the bytes are, the result is valid: controls are
/// escaped, and bytes that are no UTF-8 become U+FFFD.
package func appendJSONString(_ bytes: UnsafeBufferPointer<UInt8>, to buffer: ByteBuffer) {
  buffer.append(UInt8(ascii: "\""))
  if let start = bytes.baseAddress {
    let end = start + bytes.count
    var at = start
    while at < end {
      // Runs that need nothing are copied whole: nearly every byte of nearly every request.
      var plain = at
      while plain < end && isPlainJSON(plain.pointee) { plain += 1 }
      buffer.append(at, plain - at)
      at = plain
      if at < end { at += appendJSONEscape(at, end, to: buffer) }
    }
  }
  buffer.append(UInt8(ascii: "\""))
}

@inline(__always)
private func isPlainJSON(_ byte: UInt8) -> Bool {
  byte >= 0x20 && byte < 0x7f && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
}

/// Appends what stands for the byte or the UTF-8 sequence at `at`; returns the bytes consumed.
private func appendJSONEscape(
  _ at: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, to buffer: ByteBuffer
) -> Int {
  let byte = at.pointee
  switch byte {
  case UInt8(ascii: "\""): buffer.append("\\\"")
  case UInt8(ascii: "\\"): buffer.append("\\\\")
  case 0x09: buffer.append("\\t")
  case 0x0a: buffer.append("\\n")
  case 0x0d: buffer.append("\\r")
  case 0..<0x20, 0x7f:
    buffer.append("\\u00")
    appendHexByte(byte, to: buffer)
  default:
    let length = utf8SequenceLength(at, end)
    if length == 0 {
      buffer.append("\\ufffd")
      return 1
    }
    buffer.append(at, length)
    return length
  }
  return 1
}

/// Length of the well-formed multi-byte sequence at `at` (Unicode 15, table 3-7), or 0.
private func utf8SequenceLength(_ at: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> Int {
  let first = at[0]
  let length: Int
  var second: ClosedRange<UInt8> = 0x80...0xbf
  switch first {
  case 0xc2...0xdf: length = 2
  case 0xe0...0xef:
    length = 3
    if first == 0xe0 { second = 0xa0...0xbf }  // no overlong forms
    if first == 0xed { second = 0x80...0x9f }  // no surrogates
  case 0xf0...0xf4:
    length = 4
    if first == 0xf0 { second = 0x90...0xbf }
    if first == 0xf4 { second = 0x80...0x8f }  // nothing above U+10FFFF
  default: return 0
  }
  guard end - at >= length, second.contains(at[1]) else { return 0 }
  for index in 2..<max(length, 2) where at[index] & 0xc0 != 0x80 { return 0 }
  return length
}

/// - Parameter letters: the digit that stands for 10.
package func appendHexByte(
  _ byte: UInt8, letters: UInt8 = UInt8(ascii: "a"), to buffer: ByteBuffer
) {
  for shift: UInt8 in stride(from: 4, through: 0, by: -4) {
    let digit = byte >> shift & 15
    buffer.append(digit < 10 ? digit &+ 48 : digit &- 10 &+ letters)
  }
}
