// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc
import TestSupport
import Testing

/// What the encoder of heads writes, read by nghttp2's decoder.
struct HeaderDecodingTests {
  private typealias Field = BlockField

  private final class Pair {
    let reader = HeaderReader(seed: .random())
    let encoder = HeaderEncoder()
    private let inflater = HeaderInflater()

    deinit { encoder.deallocate() }

    /// As the acknowledgment of settings does on both sides.
    func setTableSize(_ size: Int) {
      encoder.allow(size)
      #expect(inflater.setTableSize(size))
    }

    /// - Parameter identity: of the fields, but for the value of the last.
    func block(_ fields: [Field], identity: UInt64? = nil) -> [UInt8] {
      var text: [UInt8] = []
      for field in fields { text += field.name + [0x3a] + field.value + [0x0d, 0x0a] }
      let room = HeaderReader.room(for: text.count)
      let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: room.bytes)
      let read = UnsafeMutablePointer<HTTP2Field>.allocate(capacity: room.fields)
      let out = UnsafeMutablePointer<UInt8>.allocate(
        capacity: HeaderEncoder.room(for: text.count))
      defer {
        bytes.deallocate()
        read.deallocate()
        out.deallocate()
      }
      let count = text.withUnsafeBufferPointer { reader.read($0, to: bytes, read) }
      let start = encoder.begin(out)
      let end =
        identity.map { encoder.encode(read, count, identity: $0, to: start) }
        ?? encoder.encode(read, count, to: start)
      return Array(UnsafeBufferPointer(start: out, count: end - out))
    }

    func decode(_ block: [UInt8]) -> [Field]? { inflater.fields(block) }
  }

  private static let names = [
    "age", "cache-status", "content-type", "etag", "server", "set-cookie", "vary", "x-a", "x-b",
    "x-cache", "x-request-id", "x-with-a-name-of-some-length",
  ]

  private static func field(_ numbers: inout SeededNumbers) -> Field {
    let name = names.randomElement(using: &numbers)!
    let length =
      switch Int.random(in: 0..<20, using: &numbers) {
      case 0: Int.random(in: 60...70, using: &numbers)
      case 1: Int.random(in: 120...135, using: &numbers)
      case 2: Int.random(in: 0...3_000, using: &numbers)
      default: Int.random(in: 0...20, using: &numbers)
      }
    // Often the same.
    var value = [UInt8](repeating: UInt8.random(in: 0x61...0x66, using: &numbers), count: length)
    if Bool.random(using: &numbers) {
      for index in value.indices {
        value[index] = UInt8.random(in: 0x21...0xff, using: &numbers)
      }
    }
    return Field(Array(name.utf8), value)
  }

  @Test func `a rare character arrives in any place`() {
    let pair = Pair()
    for byte in UInt8(0x21)...0xff {
      for place in 0..<20 {
        var value = [UInt8](repeating: 0x61, count: 20)
        value[place] = byte
        let fields: [Field] = [Field(Array("x-request-id".utf8), value)]
        #expect(pair.decode(pair.block(fields))?.first?.value == value)
      }
    }
  }

  @Test(arguments: 0..<16)
  func `whatever is sent arrives, whatever size the table has`(_ seed: UInt64) {
    var numbers = SeededNumbers(seed)
    let pair = Pair()
    let known = (0..<2).map { _ in (0..<8).map { _ in Self.field(&numbers) } }
    for _ in 0..<400 {
      if Int.random(in: 0..<15, using: &numbers) == 0 {
        for _ in 0...Int.random(in: 0...2, using: &numbers) {
          pair.setTableSize(
            [0, 1, 32, 33, 100, 256, 1_000, 4_095, 4_096, 65_536, Int(UInt32.max)]
              .randomElement(using: &numbers)!)
        }
      }
      var fields = (0..<Int.random(in: 0...12, using: &numbers)).map { _ in
        Self.field(&numbers)
      }
      var identity: UInt64?
      if Int.random(in: 0..<3, using: &numbers) > 0 {
        // Mostly the same one.
        identity = UInt64(Int.random(in: 0..<4, using: &numbers) / 3 + 1)
        let value = (0..<32).map { _ in UInt8.random(in: 0x30...0x39, using: &numbers) }
        fields = known[Int(identity!) - 1] + [Field(Array("x-request-id".utf8), value)]
      }
      guard let decoded = pair.decode(pair.block(fields, identity: identity)) else {
        Issue.record("a block that cannot be read")
        return
      }
      #expect(decoded.map(\.name) == fields.map(\.name))
      #expect(decoded.map(\.value) == fields.map(\.value))
    }
  }

  /// All 256 codes but those of line ends, in texts of each length up to where the length takes two
  /// bytes.
  @Test func `every byte has its code`() {
    let pair = Pair()
    let all = (0...255).map { UInt8($0) }.filter { ![0x09, 0x0a, 0x0d, 0x20].contains($0) }
    for length in 1...140 {
      for start in stride(from: 0, to: all.count, by: 9) {
        let value = (0..<length).map { all[(start + $0) % all.count] }
        let decoded = pair.decode(pair.block([Field(Array("etag".utf8), value)]))
        #expect(decoded?.first?.value == value)
      }
    }
  }
}
