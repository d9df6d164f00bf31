// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CDecoders
import Testing

@testable import AtollEdge

/// What a body decodes to; nil when it is no whole stream of that coding.
func decoded(_ bytes: [UInt8], _ coding: ContentCoding, capacity: Int = 16 << 20) -> [UInt8]? {
  let output = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
  defer { output.deallocate() }
  let length = bytes.withUnsafeBufferPointer { input in
    coding == .gzip
      ? cdecoders_gzip(input.baseAddress, input.count, output, capacity)
      : cdecoders_brotli(input.baseAddress, input.count, output, capacity)
  }
  return length < 0 ? nil : Array(UnsafeBufferPointer(start: output, count: length))
}

/// Markup with so many bytes that compresses as pages do: words of a small vocabulary.
func markup(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
  var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
  var text: [UInt8] = Array("<!doctype html>".utf8)
  while text.count < count {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    let number = Int(state >> 33)
    text += "<p class=\"c\(number % 40)\">word\(number % 997) and more</p>\n".utf8
  }
  return Array(text.prefix(count))
}

/// Bytes that nothing makes smaller.
func noise(_ count: Int) -> [UInt8] {
  var generator = SystemRandomNumberGenerator()
  return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
}

struct EncoderTests {
  /// In pieces of output of so many bytes.
  private func encode(
    _ body: [UInt8], _ coding: ContentCoding, piece: Int
  ) -> (bytes: [UInt8], peak: Int)? {
    guard let encoder = Encoder(coding, length: body.count) else { return nil }
    // zlib adds five bytes to every 16 KiB that it cannot make smaller.
    let capacity = body.count + body.count / 1_000 + 1_000
    let output = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
    defer { output.deallocate() }
    var written = 0
    return body.withUnsafeBufferPointer { input in
      var start = input.baseAddress
      var left = input.count
      while true {
        let room = min(piece, capacity - written)
        switch encoder.run(&start, &left, output, &written, room: room) {
        case .done:
          return (Array(UnsafeBufferPointer(start: output, count: written)), encoder.peak)
        case .failed: return nil
        case .full: if written == capacity { return nil }
        }
      }
    }
  }

  @Test(arguments: ContentCoding.compressed, [1, 100, 4_096, 70_000, 700_000])
  func `what is encoded decodes to the same`(_ coding: ContentCoding, _ count: Int) throws {
    for body in [markup(count), noise(count), [UInt8](repeating: 0, count: count)] {
      for piece in [7, 1_000, .max] where piece > 7 || count < 100_000 {
        let encoded = try #require(encode(body, coding, piece: piece)?.bytes)
        #expect(decoded(encoded, coding) == body)
      }
    }
  }

  /// The budget is asked for what an encoder takes, so that must not be more.
  @Test(arguments: [1, 1_000, 15_000, 40_000, 90_000, 150_000, 300_000, 1_100_000, 10_000_000])
  func `no encoder takes more memory than it was granted`(_ count: Int) throws {
    for coding in ContentCoding.compressed {
      for body in [markup(count), noise(count)] {
        let peak = try #require(encode(body, coding, piece: .max)?.peak)
        #expect(peak <= Encoder.memory(coding, length: count), "\(coding)")
      }
    }
  }

  @Test func `markup becomes a fraction`() throws {
    let body = markup(50_000)
    let gzip = try #require(encode(body, .gzip, piece: .max)?.bytes)
    let brotli = try #require(encode(body, .brotli, piece: .max)?.bytes)
    #expect(gzip.count < body.count / 5)
    #expect(brotli.count < gzip.count)
  }
}
