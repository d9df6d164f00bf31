// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import AtollCore

/// What HPACK blocks consist of (RFC 7541 §5, §6), byte by byte.
enum HeaderBlock {
  static func string(_ text: [UInt8], huffman: Bool = false) -> [UInt8] {
    if !huffman { return hpackInteger(text.count, bits: 7) + text }
    let code = code(text)
    return hpackInteger(code.count, bits: 7, 0x80) + code
  }

  /// The Huffman code of a text.
  static func code(_ text: [UInt8]) -> [UInt8] {
    let count = text.withUnsafeBufferPointer {
      HuffmanCode.shared.size(of: $0.baseAddress ?? emptyText, text.count)
    }
    return Array(unsafeUninitializedCapacity: count + 8) { code, initialized in
      let end = text.withUnsafeBufferPointer {
        HuffmanCode.shared.encode(
          $0.baseAddress ?? emptyText, text.count, to: code.baseAddress!)
      }
      initialized = end - code.baseAddress!
    }
  }

  private static var emptyText: UnsafePointer<UInt8> {
    let empty: StaticString = ""
    return empty.utf8Start
  }

  static func indexed(_ index: Int) -> [UInt8] { hpackInteger(index, bits: 7, 0x80) }

  enum Keeping: CaseIterable { case kept, notKept, never }

  /// - Parameter index: of the name; nil: it comes in full.
  static func literal(
    _ field: BlockField, nameAt index: Int? = nil, _ keeping: Keeping, huffman: Bool = false
  ) -> [UInt8] {
    let first =
      switch keeping {
      case .kept: hpackInteger(index ?? 0, bits: 6, 0x40)
      case .notKept: hpackInteger(index ?? 0, bits: 4)
      case .never: hpackInteger(index ?? 0, bits: 4, 0x10)
      }
    return first + (index == nil ? string(field.name, huffman: huffman) : [])
      + string(field.value, huffman: huffman)
  }

  static func tableSize(_ size: Int) -> [UInt8] { hpackInteger(size, bits: 5, 0x20) }

  static func bytes(_ hex: String) -> [UInt8] {
    let digits = hex.filter { !$0.isWhitespace }.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }
}

/// A decoder, and what it hands out.
final class HeaderReading {
  private final class Receiver: HeaderLineReceiver {
    var fields: [BlockField] = []
    /// How many it takes.
    var limit = Int.max

    func add(_ line: HeaderLine) -> Bool {
      if fields.count == limit { return false }
      let text = Array(UnsafeBufferPointer(start: line.text, count: line.count))
      let field = BlockField(
        Array(text.prefix(Int(line.nameCount))),
        Array(UnsafeBufferPointer(start: line.value, count: Int(line.valueCount))))
      #expect(text == field.name + [0x3a, 0x20] + field.value + [0x0d, 0x0a])
      // What is known of it is what a look at it tells.
      text.withUnsafeBufferPointer {
        let other = HeaderLine(
          text: $0.baseAddress!, nameCount: field.name.count, valueCount: field.value.count)
        #expect(line.role == other.role && line.known == other.known)
        #expect(line.hasValidValue == other.hasValidValue)
      }
      fields.append(field)
      return true
    }
  }

  private let decoder = HeaderDecoder()
  private let scratch = ByteBuffer(capacity: 16)

  deinit { decoder.deallocate() }

  /// Fields of a whole block; nil when it is broken.
  func fields(_ block: [UInt8]) -> [BlockField]? {
    let (outcome, fields) = decode(block)
    return outcome == .complete ? fields : nil
  }

  func decode(
    _ block: [UInt8], limit: Int = .max
  ) -> (outcome: HeaderDecoder.Outcome, fields: [BlockField]) {
    let receiver = Receiver()
    receiver.limit = limit
    // Memory that ends with the block: what is read beyond that is noticed where memory is watched.
    let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: block.count)
    defer { memory.deallocate() }
    memory.initialize(from: block, count: block.count)
    let outcome = decoder.read(memory, block.count, to: receiver, scratch: scratch)
    return (outcome, receiver.fields)
  }

  /// What the table holds, the latest first.
  var table: [BlockField] {
    var entries: [BlockField] = []
    while let field = fields(HeaderBlock.indexed(62 + entries.count)) { entries += field }
    return entries
  }

  /// RFC 7541 §4.1.
  var tableSize: Int { table.reduce(0) { $0 + $1.name.count + $1.value.count + 32 } }
}
