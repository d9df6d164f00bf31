// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Iterates over the field lines of a stored head: a status line and field lines, each with CRLF, as
/// the edge itself has written them.
package struct StoredLines {
  package struct Line {
    package var name: UnsafeBufferPointer<UInt8>
    package var value: UnsafeBufferPointer<UInt8>
    /// With its CRLF.
    package var whole: UnsafeBufferPointer<UInt8>
  }

  private var rest: UnsafeBufferPointer<UInt8>
  package let statusLine: UnsafeBufferPointer<UInt8>

  package init(_ head: UnsafeBufferPointer<UInt8>) {
    let end = Self.lineLength(head)
    statusLine = UnsafeBufferPointer(rebasing: head[..<end])
    rest = UnsafeBufferPointer(rebasing: head[end...])
  }

  package mutating func next() -> Line? {
    if rest.isEmpty { return nil }
    let length = Self.lineLength(rest)
    let whole = UnsafeBufferPointer(rebasing: rest[..<length])
    rest = UnsafeBufferPointer(rebasing: rest[length...])
    var colon = 0
    while colon < length, whole[colon] != 0x3a { colon &+= 1 }
    var start = min(colon &+ 1, length)
    var end = length
    while start < end, whole[start] == 0x20 || whole[start] == 0x09 { start &+= 1 }
    while end > start, whole[end &- 1] <= 0x20 { end &-= 1 }
    return Line(
      name: UnsafeBufferPointer(rebasing: whole[..<colon]),
      value: UnsafeBufferPointer(rebasing: whole[start..<end]), whole: whole)
  }

  /// All lines of a field in a stored head as one value; nil when there is none.
  package static func joined(_ field: KnownField, _ head: UnsafeBufferPointer<UInt8>) -> ByteBuffer?
  {
    var result: ByteBuffer?
    var lines = StoredLines(head)
    while let line = lines.next() {
      if KnownField.of(line.name.baseAddress!, length: line.name.count) != field { continue }
      if let result {
        result.append(", ")
        result.append(line.value)
      } else {
        result = ByteBuffer(capacity: 64)
        result!.append(line.value)
      }
    }
    return result
  }

  /// With the line feed.
  private static func lineLength(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
    guard let start = bytes.baseAddress, let found = memchr(start, 0x0a, bytes.count) else {
      return bytes.count
    }
    return UnsafeRawPointer(start).distance(to: found) &+ 1
  }
}
