// SPDX-License-Identifier: Apache-2.0

/// The Huffman code of HPACK (RFC 7541 §5.2, Appendix B).
package struct HuffmanCode: @unchecked Sendable {
  package static let shared = HuffmanCode()

  /// Of each byte: its code, and in the lowest eight bits how long that is.
  let codes: UnsafeMutablePointer<UInt64>

  /// The code is canonical: the lengths determine it. Shorter codes come first, among those of one
  /// length the smaller byte.
  private init() {
    codes = .allocate(capacity: 256)
    var next: UInt64 = 0
    for length in UInt8(5)...30 {
      next &<<= 1
      for byte in 0..<256 where Self.lengths[byte] == length {
        codes[byte] = next &<< 8 | UInt64(length)
        next &+= 1
      }
    }
  }

  /// Bytes that the code of `text` takes.
  func size(of text: UnsafePointer<UInt8>, _ count: Int) -> Int {
    var bits: UInt64 = 0
    for index in 0..<count { bits &+= codes[Int(text[index])] & 0xff }
    return Int(truncatingIfNeeded: (bits &+ 7) &>> 3)
  }

  /// Writes the code of `text`, with the padding of §5.2.
  /// - Parameter start: room for the code and four bytes more.
  /// - Returns: where the code ends.
  @inline(__always)
  func encode(
    _ text: UnsafePointer<UInt8>, _ count: Int, to start: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    let codes = self.codes
    var at = UnsafeMutableRawPointer(start)
    var gathered: UInt64 = 0
    // Of which so many bits are yet to be written, fewer than 32.
    var waiting: UInt64 = 0
    var index = 0
    // Two at once, as long as their codes are short: those of all usual characters are.
    while index &+ 2 <= count {
      let first = codes[Int(text[index])]
      let second = codes[Int(text[index &+ 1])]
      let length = (first &+ second) & 0xff
      if length > 32 { break }
      let both = (first &>> 8) &<< (second & 0xff) | second &>> 8
      gathered = gathered &<< length | both
      waiting &+= length
      if waiting >= 32 {
        waiting &-= 32
        at.storeBytes(
          of: UInt32(truncatingIfNeeded: gathered &>> waiting).bigEndian, as: UInt32.self)
        at += 4
      }
      index &+= 2
    }
    while index < count {
      let code = codes[Int(text[index])]
      gathered = gathered &<< (code & 0xff) | code &>> 8
      waiting &+= code & 0xff
      if waiting >= 32 {
        waiting &-= 32
        at.storeBytes(
          of: UInt32(truncatingIfNeeded: gathered &>> waiting).bigEndian, as: UInt32.self)
        at += 4
      }
      index &+= 1
    }
    let missing = 32 &- waiting
    let last = gathered &<< missing | (1 &<< missing &- 1)
    at.storeBytes(of: UInt32(truncatingIfNeeded: last).bigEndian, as: UInt32.self)
    at += Int(truncatingIfNeeded: (waiting &+ 7) &>> 3)
    return at.assumingMemoryBound(to: UInt8.self)
  }

  /// Bits of the code of each byte.
  private static let lengths: [UInt8] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  ]
}
