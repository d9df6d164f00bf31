// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import AtollCore

/// HPACK's Huffman code, read.
struct HuffmanDecoderTests {
  private static func decode(_ code: [UInt8]) -> [UInt8]? {
    // Memory that ends where it has to, on both sides.
    let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: code.count)
    let place = UnsafeMutablePointer<UInt8>.allocate(
      capacity: HuffmanDecoder.room(for: code.count))
    defer {
      memory.deallocate()
      place.deallocate()
    }
    memory.initialize(from: code, count: code.count)
    guard let end = HuffmanDecoder.shared.decode(memory, code.count, to: place) else { return nil }
    return Array(UnsafeBufferPointer(start: place, count: end - place))
  }

  /// Bit by bit, as RFC 7541 §5.2 and Appendix B say it.
  private struct Reference {
    private var bytes: [UInt64: UInt8] = [:]

    init() {
      let code = HuffmanCode.shared
      for byte in 0..<256 {
        bytes[code.codes[byte] << 8 | UInt64(code.lengths[byte])] = UInt8(byte)
      }
    }

    func decode(_ code: [UInt8]) -> [UInt8]? {
      var text: [UInt8] = []
      var bits: UInt64 = 0
      var count: UInt64 = 0
      for byte in code {
        for bit in (0..<8).reversed() {
          bits = bits << 1 | UInt64(byte >> UInt8(bit) & 1)
          count += 1
          if let found = bytes[bits << 8 | count] {
            text.append(found)
            bits = 0
            count = 0
          } else if count >= 30 {
            return nil
          }
        }
      }
      return count < 8 && bits == 1 << count - 1 ? text : nil
    }
  }

  private static let reference = Reference()

  /// For many: an expectation takes far longer than what it is about.
  private static func check(_ code: [UInt8], _ expected: [UInt8]?) {
    let text = decode(code)
    if text != expected { #expect(text == expected, "\(code)") }
  }

  /// Bits as text, filled up with ones.
  private static func bytes(_ bits: String) -> [UInt8] {
    var bits = bits.filter { $0 != " " }
    while bits.count % 8 != 0 { bits += "1" }
    var bytes: [UInt8] = []
    for (index, bit) in bits.enumerated() {
      if index % 8 == 0 { bytes.append(0) }
      bytes[bytes.count - 1] = bytes[bytes.count - 1] << 1 | (bit == "1" ? 1 : 0)
    }
    return bytes
  }

  private static func code(_ byte: UInt8) -> String {
    let bits = String(HuffmanCode.shared.codes[Int(byte)], radix: 2)
    let length = Int(HuffmanCode.shared.lengths[Int(byte)])
    return String(repeating: "0", count: length - bits.count) + bits
  }

  @Test func `every byte is read as it was written`() {
    #expect(Self.decode([]) == [])
    for byte in UInt8.min...UInt8.max {
      for count in 1...40 {
        let text = [UInt8](repeating: byte, count: count)
        Self.check(HeaderBlock.code(text), text)
      }
      // Each behind each.
      for other in UInt8.min...UInt8.max {
        let text = [byte, other, byte]
        Self.check(HeaderBlock.code(text), text)
      }
    }
  }

  @Test(arguments: 0..<8)
  func `text of any length is read as it was written`(_ seed: UInt64) {
    var numbers = SeededNumbers(seed)
    let usual = Array("0123456789abcdefghijklmnopqrstuvwxyz-./:=;, %ACDEGX&*".utf8)
    for length in 0...300 {
      let text = (0..<length).map { _ in
        Int.random(in: 0..<8, using: &numbers) < seed
          ? UInt8.random(in: 0...255, using: &numbers) : usual.randomElement(using: &numbers)!
      }
      #expect(Self.decode(HeaderBlock.code(text)) == text)
    }
  }

  @Test func `the shortest codes take the most room`() {
    for count in 1...64 {
      // Five bits each.
      let text = [UInt8](repeating: 0x30, count: count * 8 / 5)
      let code = HeaderBlock.code(text)
      #expect(code.count <= count && Self.decode(code) == text)
      #expect(HuffmanDecoder.room(for: code.count) >= text.count)
    }
  }

  @Test func `all that is short is read bit by bit`() {
    for first in UInt8.min...UInt8.max {
      #expect(Self.decode([first]) == Self.reference.decode([first]))
      for second in UInt8.min...UInt8.max {
        let code = [first, second]
        Self.check(code, Self.reference.decode(code))
      }
    }
  }

  @Test(arguments: 0..<8)
  func `all that is longer is read bit by bit`(_ seed: UInt64) {
    var numbers = SeededNumbers(100 + seed)
    for _ in 0..<4_000 {
      var code: [UInt8]
      let length = Int.random(in: 1...40, using: &numbers)
      switch Int.random(in: 0..<4, using: &numbers) {
      case 0:
        code = (0..<length).map { _ in UInt8.random(in: 0...255, using: &numbers) }
      case 1:
        // Long codes.
        code = (0..<length).map { _ in UInt8.random(in: 0xfc...0xff, using: &numbers) }
      default:
        code = HeaderBlock.code(
          (0..<length).map { _ in UInt8.random(in: 0...255, using: &numbers) })
        let at = Bool.random(using: &numbers) ? code.indices.last! : code.indices.randomElement()!
        code[at] ^= 1 << UInt8.random(in: 0..<8, using: &numbers)
      }
      Self.check(code, Self.reference.decode(code))
    }
  }

  @Test func `a code that is cut off is read bit by bit`() {
    for start in stride(from: UInt8.min, to: 255, by: 5) {
      let text = (0..<24).map { start &+ UInt8($0) &* 11 }
      let code = HeaderBlock.code(text)
      for cut in 0...code.count {
        let part = Array(code[..<cut])
        let decoded = Self.decode(part)
        #expect(decoded == Self.reference.decode(part))
        if let decoded { #expect(Array(text.prefix(decoded.count)) == decoded) }
      }
    }
  }

  @Test func `what fills the last byte are the first bits of the end's code`() {
    for byte in UInt8.min...UInt8.max {
      let bits = Self.code(byte)
      let fill = (8 - bits.count % 8) % 8
      #expect(Self.decode(Self.bytes(bits)) == [byte])
      // A whole byte of it is too much, whatever is in front of it.
      #expect(Self.decode(Self.bytes(bits) + [0xff]) == nil)
      #expect(Self.decode(Self.bytes(bits) + [0xff, 0xff, 0xff]) == nil)
      // So is anything else.
      for other in 0..<(1 << fill) - 1 {
        let padding = String(other, radix: 2)
        let code = Self.bytes(
          bits + String(repeating: "0", count: fill - padding.count) + padding)
        let text = Self.decode(code)
        #expect(text == Self.reference.decode(code))
        // Unless it is a code itself.
        #expect(text == nil || (fill >= 5 && text!.count == 2))
      }
    }
  }

  @Test func `the code of the end has no place anywhere`() {
    let end = String(repeating: "1", count: 30)
    #expect(Self.decode(Self.bytes(end)) == nil)
    for byte in UInt8.min...UInt8.max {
      let bits = Self.code(byte)
      #expect(Self.decode(Self.bytes(end + bits)) == nil)
      #expect(Self.decode(Self.bytes(bits + end)) == nil)
      #expect(Self.decode(Self.bytes(bits + bits + end + bits)) == nil)
    }
  }
}
