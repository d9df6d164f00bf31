// SPDX-License-Identifier: Apache-2.0

/// The trailer section of a message (RFC 9110 §6.5), whatever the protocol that brought it: field
/// lines as text, taken apart as strictly as those of a head.
///
/// Few messages have one: it is made when one has come, not kept ready.
package struct TrailerSection {
  private let text: ByteBuffer
  let fields = FieldTable(capacity: Limits.headerCount)
  /// Where the text begins that the fields' offsets count from.
  var base: UnsafePointer<UInt8> { UnsafePointer(text.base) }

  /// - Parameter lines: each with CRLF, without the empty line.
  /// - Returns: nil when they are no field lines, or too many.
  package init?(_ lines: ByteBuffer) {
    // A byte lies before the first line, as in a head.
    text = ByteBuffer(capacity: lines.count + 3)
    text.append(lineFeed)
    text.append(lines.bytes)
    text.append("\r\n")
    let end = text.base + text.count
    let parsed = fields.parse(
      UnsafePointer(text.base), from: text.base + 1, to: end, allowsSpaceBeforeColon: false)
    guard parsed == .complete(length: text.count) else { return nil }
  }

  func append(_ index: Int, to buffer: ByteBuffer) {
    buffer.append(fields.name(at: index, in: base))
    buffer.append(": ")
    buffer.append(fields.value(at: index, in: base))
    buffer.append("\r\n")
  }
}
