// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

@Suite struct ChunkedDecoderTests {
  enum Outcome: Equatable, Sendable {
    /// The body, and how many bytes of the input were used up.
    case body(String, used: Int)
    case unfinished(String)
    case malformed
  }

  /// Decodes pieces as they would arrive.
  private func decode(_ pieces: [[UInt8]]) -> Outcome {
    var decoder = ChunkedDecoder()
    var body: [UInt8] = []
    var used = 0
    for piece in pieces {
      var rest = piece[...]
      reading: while true {
        let step = withExactCopy(rest) { base, count in
          let step = decoder.next(base, count: count)
          if case .data(let consumed, let length) = step {
            body += UnsafeBufferPointer(start: base + consumed, count: length)
          }
          return step
        }
        switch step {
        case .data(let consumed, let length):
          #expect(length > 0)
          rest = rest.dropFirst(consumed + length)
          used += consumed + length
        case .needsMore(let consumed):
          #expect(consumed == rest.count)
          used += consumed
          break reading
        case .end(let consumed):
          used += consumed
          // Asking once more says the same.
          #expect(withExactCopy(rest) { decoder.next($0, count: $1) } == .end(consumed: 0))
          return .body(String(decoding: body, as: UTF8.self), used: used)
        case .malformed:
          #expect(withExactCopy(rest) { decoder.next($0, count: $1) } == .malformed)
          return .malformed
        }
      }
    }
    return .unfinished(String(decoding: body, as: UTF8.self))
  }

  static let valid: [(String, String)] = [
    ("0\r\n\r\n", ""),
    ("5\r\nhello\r\n0\r\n\r\n", "hello"),
    ("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"),
    ("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"),
    ("0005\r\nhello\r\n0000\r\n\r\n", "hello"),
    ("4;name=value\r\n\r\n\r\n\r\n0;last\r\n\r\n", "\r\n\r\n"),
    ("3 ; a=\"b;c\" ; d\r\nabc\r\n0\t;x\r\n\r\n", "abc"),
    ("1;\r\nx\r\n0\r\n\r\n", "x"),
    ("2\r\n\r\n\r\n0\r\nTrailer: a\r\nOther:\r\n\r\n", "\r\n"),
    ("1\r\n0\r\n0\r\nExpires: Sun, 06 Nov 1994 08:49:37 GMT\r\nX: \t\u{e9} \r\n\r\n", "0"),
  ]

  @Test(arguments: valid)
  func `a body is decoded however it is split`(text: String, body: String) {
    let bytes = Array(text.utf8)
    let expected = Outcome.body(body, used: bytes.count)
    #expect(decode([bytes]) == expected)
    #expect(decode(bytes.map { [$0] }) == expected)
    for first in 0...bytes.count {
      for second in first...bytes.count {
        #expect(
          decode([Array(bytes[..<first]), Array(bytes[first..<second]), Array(bytes[second...])])
            == expected)
      }
      // Never an end or a fault before the last byte.
      if first < bytes.count {
        guard case .unfinished(let part) = decode([Array(bytes[..<first])]) else {
          Issue.record("ended after \(first) bytes")
          continue
        }
        #expect(body.utf8.starts(with: part.utf8))
      }
    }
    // What follows belongs to the next message.
    #expect(decode([bytes + Array("GET / HTTP/1.1\r\n".utf8)]) == expected)
  }

  @Test(arguments: [
    // RFC 9112 §7.1: chunk-size = 1*HEXDIG
    "\r\n", "\n", " 5\r\nhello\r\n", "-5\r\n", "+5\r\n", "0x5\r\nhello\r\n", "g\r\n", ";a\r\n",
    "5h\r\n",
    "5 \r\nhello\r\n0\r\n\r\n", "5\t\r\nhello\r\n", "5 5\r\nhello\r\n", "5,\r\nhello\r\n",
    "5\0\r\n",
    "5_0\r\n", "\u{ff15}\r\n",
    // Sizes that would overflow
    "8000000000000000\r\n", "ffffffffffffffff\r\n", "10000000000000000\r\n",
    "100000000000000000000005\r\nhello\r\n", "fffffffffffffffffffffffffffffffffff\r\n",
    // Line ends: §2.2 and §7.1
    "5\nhello\n0\n\n", "5\nhello\r\n0\r\n\r\n", "5\rhello\r\n", "5\r\rhello",
    "5\r\nhello\n0\r\n\r\n",
    "5\r\nhello\r0\r\n\r\n", "5\r\nhello0\r\n\r\n", "5\r\nhelloo\r\n0\r\n\r\n",
    "5\r\nhello\r\r\n0\r\n\r\n",
    "5\r\nhello \r\n0\r\n\r\n", "0\n\r\n", "0\r\n\n", "0\r\n\r\r", "0\n\n",
    // §7.1.1
    "5;a\nhello\r\n", "5;a\rb\r\nhello\r\n", "5;a\0\r\nhello\r\n", "5;\u{7f}\r\nhello\r\n",
    "5 ; \u{1}\r\n",
    "5 a=b\r\nhello\r\n",
    // §7.1.2: a trailer section has field lines
    "0\r\n: a\r\n\r\n", "0\r\nA\r\n\r\n", "0\r\nA : b\r\n\r\n", "0\r\n A: b\r\n\r\n",
    "0\r\nA: b\n\r\n", "0\r\nA: b\r\n c\r\n\r\n", "0\r\nA: b\0\r\n\r\n", "0\r\nA: b\rc\r\n\r\n",
    "0\r\nA\n",
    "0\r\nA: b\r\n\n", "0\r\n\0\r\n",
  ])
  func `a malformed body is refused however it is split`(text: String) {
    let bytes = Array(text.utf8)
    #expect(decode([bytes]) == .malformed)
    #expect(decode(bytes.map { [$0] }) == .malformed)
    for first in 0...bytes.count {
      #expect(decode([Array(bytes[..<first]), Array(bytes[first...])]) == .malformed)
    }
  }

  @Test(arguments: ["7fffffffffffffff", "00000000000000007fffffffffffffff"])
  func `the largest size is accepted`(size: String) {
    var decoder = ChunkedDecoder()
    withExactCopy(Array("\(size)\r\nabc".utf8)) { base, count in
      #expect(decoder.next(base, count: count) == .data(consumed: size.count + 2, length: 3))
    }
  }

  @Test func `a size line has a limit`() {
    func decoded(_ length: Int, _ fill: String) -> Outcome {
      let line = "1" + fill + String(repeating: "x", count: length - 1 - fill.count)
      return decode([Array("\(line)\r\na\r\n0\r\n\r\n".utf8)])
    }
    #expect(decoded(Limits.chunkLine - 1, ";") != .malformed)
    #expect(decoded(Limits.chunkLine, ";") == .malformed)
    let zeros = String(repeating: "0", count: Limits.chunkLine)
    #expect(decode([Array((zeros + "0\r\n\r\n").utf8)]) == .malformed)
    // It begins anew with each chunk.
    let chunk = "1;" + String(repeating: "x", count: 1000) + "\r\na\r\n"
    let body = decode([Array((String(repeating: chunk, count: 50) + "0\r\n\r\n").utf8)])
    #expect(body == .body(String(repeating: "a", count: 50), used: 50 * chunk.utf8.count + 5))
  }

  @Test(arguments: [
    ("0\r\n\r\n", nil), ("1\r\nx\r\n0;e\r\n\r\n", nil),
    ("0\r\nA: b\r\n\r\n", "A: b\r\n"),
    ("1\r\nx\r\n0\r\nA:\r\nLong-Name: \t\u{e9} \r\n\r\n", "A:\r\nLong-Name: \t\u{e9} \r\n"),
  ])
  func `the trailer section is kept for who wants it`(text: String, lines: String?) {
    let bytes = Array(text.utf8)
    for first in 0...bytes.count {
      var keeping = ChunkedDecoder(keepsTrailers: true)
      var dropping = ChunkedDecoder()
      for piece in [bytes[..<first], bytes[first...]] {
        for index in piece.indices {
          _ = withExactCopy(piece[index...index]) { keeping.next($0, count: $1) }
          _ = withExactCopy(piece[index...index]) { dropping.next($0, count: $1) }
        }
      }
      #expect(keeping.trailers.map { String(decoding: $0.bytes, as: UTF8.self) } == lines)
      #expect(dropping.trailers == nil)
    }
  }

  @Test func `the trailer section has a limit`() {
    func decoded(_ bytes: Int) -> Outcome {
      decode([Array(("0\r\nA: " + String(repeating: "x", count: bytes - 5) + "\r\n\r\n").utf8)])
    }
    #expect(decoded(Limits.trailers) != .malformed)
    #expect(decoded(Limits.trailers + 1) == .malformed)
    let many = String(repeating: "A: b\r\n", count: Limits.trailers / 6 + 1)
    #expect(decode([Array(("0\r\n" + many + "\r\n").utf8)]) == .malformed)
    #expect(decode([Array(("0\r\n" + many).utf8)]) == .malformed)
  }
}
