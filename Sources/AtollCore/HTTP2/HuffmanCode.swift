// SPDX-License-Identifier: Apache-2.0

/// The Huffman code of HPACK (RFC 7541 §5.2, Appendix B).
package struct HuffmanCode: @unchecked Sendable {
  package static let shared = HuffmanCode()

  /// Of each byte: its code, and how many bits that has.
  let codes: UnsafeMutablePointer<UInt64>
  let lengths: UnsafeMutablePointer<UInt8>

  /// The code is canonical: the lengths determine it. Shorter codes come first, among those of one
  /// length the smaller byte.
  private init() {
    codes = .allocate(capacity: 256)
    lengths = .allocate(capacity: 256)
    var next: UInt64 = 0
    for length in UInt8(5)...30 {
      next &<<= 1
      for byte in 0..<256 where Self.lengths[byte] == length {
        codes[byte] = next
        lengths[byte] = length
        next &+= 1
      }
    }
  }

  /// Bytes that the code of `text` takes.
  func size(of text: UnsafePointer<UInt8>, _ count: Int) -> Int {
    var bits: UInt64 = 0
    for index in 0..<count { bits &+= UInt64(lengths[Int(text[index])]) }
    return Int(truncatingIfNeeded: (bits &+ 7) &>> 3)
  }

  /// Writes the code of `text`, with the padding of §5.2.
  /// - Parameter start: room for the code and eight bytes more.
  /// - Returns: where the code ends.
  @inline(__always)
  func encode(
    _ text: UnsafePointer<UInt8>, _ count: Int, to start: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    let codes = self.codes
    let lengths = self.lengths
    var at = start
    var gathered: UInt64 = 0
    // Of which so many bits are yet to be written, fewer than eight.
    var waiting: UInt64 = 0
    var next = text
    let end = text + count
    // Eight at once, whose codes take fewer than 64 bits if they are usual characters. Whether they
    // all were is asked in the end.
    var most: UInt64 = 0
    while end - next >= 8 {
      for index in 0..<8 {
        let byte = Int(next[index])
        let length = UInt64(lengths[byte])
        gathered = gathered &<< length | codes[byte]
        waiting &+= length
      }
      most |= waiting
      at = write(gathered, &waiting, to: at)
      next += 8
    }
    if most >= 64 { return encodeLong(text, count, to: start) }
    return encodeRest(next, end, gathered, waiting, to: at)
  }

  @inline(never)
  private func encodeLong(
    _ text: UnsafePointer<UInt8>, _ count: Int, to start: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    encodeRest(text, text + count, 0, 0, to: start)
  }

  @inline(__always)
  private func encodeRest(
    _ text: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ former: UInt64, _ left: UInt64,
    to start: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    var at = start
    var gathered = former
    var waiting = left
    var next = text
    while next < end {
      let byte = Int(next.pointee)
      let length = UInt64(lengths[byte])
      gathered = gathered &<< length | codes[byte]
      waiting &+= length
      at = write(gathered, &waiting, to: at)
      next += 1
    }
    at.pointee = UInt8(
      truncatingIfNeeded: gathered &<< (8 &- waiting) | 0xff &>> waiting)
    return at + Int(truncatingIfNeeded: (waiting &+ 7) &>> 3)
  }

  /// Writes the whole bytes of so many bits.
  @inline(__always)
  private func write(
    _ bits: UInt64, _ count: inout UInt64, to place: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    UnsafeMutableRawPointer(place).storeBytes(
      of: (bits &<< (64 &- count)).bigEndian, as: UInt64.self)
    let whole = Int(truncatingIfNeeded: count &>> 3)
    count &= 7
    return place + whole
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
