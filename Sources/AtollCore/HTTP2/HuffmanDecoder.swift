// SPDX-License-Identifier: Apache-2.0
import CSystem

/// The Huffman code of HPACK, read (RFC 7541 §5.2).
///
/// Codes of up to eight bits, those of all usual characters, are found by one look into a table; the
/// others, whose code is canonical, by their length.
struct HuffmanDecoder: @unchecked Sendable {
  static let shared = HuffmanDecoder()

  private static let longest = 30
  /// For each eight bits that may come: the byte whose code they begin with, and in the upper half
  /// how long that is; 0 when it is longer.
  private let short: UnsafeMutablePointer<UInt16>
  /// The bytes by their codes, in the order of these.
  private let bytes: UnsafeMutablePointer<UInt8>
  /// For each length: the first code behind those of this length, as the upper bits of 32, and what
  /// is to be added to a code of this length for its place in `bytes`.
  private let ends: UnsafeMutablePointer<UInt64>
  private let offsets: UnsafeMutablePointer<Int>

  private init() {
    short = .allocate(capacity: 256)
    short.initialize(repeating: 0, count: 256)
    bytes = .allocate(capacity: 256)
    ends = .allocate(capacity: Self.longest + 1)
    ends.initialize(repeating: 0, count: Self.longest + 1)
    offsets = .allocate(capacity: Self.longest + 1)
    offsets.initialize(repeating: 0, count: Self.longest + 1)
    let code = HuffmanCode.shared
    var place = 0
    for length in 5...Self.longest {
      var isFirst = true
      ends[length] = ends[length - 1]
      for byte in 0..<256 where Int(code.lengths[byte]) == length {
        let code = code.codes[byte]
        if isFirst { offsets[length] = place - Int(code) }
        isFirst = false
        bytes[place] = UInt8(byte)
        place += 1
        ends[length] = (code + 1) << UInt64(32 - length)
        if length <= 8 {
          let first = Int(code) << (8 - length)
          for bits in first..<first + (1 << (8 - length)) {
            short[bits] = UInt16(length) << 8 | UInt16(byte)
          }
        }
      }
    }
  }

  /// Bytes that so many bytes of code stand for at most.
  @inline(__always)
  static func room(for count: Int) -> Int { count &* 8 / 5 &+ 1 }

  /// - Parameter place: as much room as `room` says.
  /// - Returns: where the text ends; nil when this is no such code (§5.2).
  func decode(
    _ code: UnsafePointer<UInt8>, _ count: Int, to place: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8>? {
    let short = self.short
    var at = place
    var next = code
    let end = code + count
    // The bits that are yet to be read, the next one highest, and how many of them count.
    var bits: UInt64 = 0
    var left = 0
    while true {
      if end - next >= 8 {
        // As many whole bytes as there is room for; the rest comes again.
        bits |= UInt64(bigEndian: csystem_load8(next)) &>> UInt64(truncatingIfNeeded: left)
        let taken = (63 &- left) &>> 3
        next += taken
        left &+= taken &* 8
      } else if next < end {
        let taken = min((63 &- left) &>> 3, end - next)
        bits |= Self.load(next, end - next) &>> UInt64(truncatingIfNeeded: left)
        next += taken
        left &+= taken &* 8
      } else {
        break
      }
      // No code is longer.
      while left >= Self.longest {
        let found = short[Int(truncatingIfNeeded: bits &>> 56)]
        var length = UInt64(found &>> 8)
        at.pointee = UInt8(truncatingIfNeeded: found)
        if found == 0 {
          guard let long = longCode(bits) else { return nil }
          length = long.length
          at.pointee = long.byte
        }
        at += 1
        bits &<<= length
        left &-= Int(truncatingIfNeeded: length)
      }
    }
    // What is behind the end is no part of a code.
    while left >= 5 {
      let found = short[Int(truncatingIfNeeded: bits &>> 56)]
      var length = UInt64(found &>> 8)
      at.pointee = UInt8(truncatingIfNeeded: found)
      if found == 0, let long = longCode(bits) {
        length = long.length
        at.pointee = long.byte
      }
      if length == 0 || length > UInt64(left) { break }
      at += 1
      bits &<<= length
      left &-= Int(truncatingIfNeeded: length)
    }
    // The first bits of EOS, fewer than a byte.
    let isPadded = left < 8 && (~bits &>> 1) &>> UInt64(truncatingIfNeeded: 63 &- left) == 0
    return isPadded ? at : nil
  }

  /// The next bytes, fewer than eight, the first one highest.
  @inline(__always)
  private static func load(_ from: UnsafePointer<UInt8>, _ count: Int) -> UInt64 {
    let bytes = UnsafeRawPointer(from)
    if count >= 4 {
      let first = UInt64(UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)))
      let last = UInt64(
        UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)))
      return first &<< 32 | last &<< UInt64(truncatingIfNeeded: 64 &- count &* 8)
    }
    let first = UInt64(from[0])
    let middle = UInt64(from[count &>> 1])
    let last = UInt64(from[count &- 1])
    return first &<< 56 | middle &<< UInt64(truncatingIfNeeded: 56 &- (count &>> 1) &* 8)
      | last &<< UInt64(truncatingIfNeeded: 64 &- count &* 8)
  }

  @inline(never)
  private func longCode(_ bits: UInt64) -> (byte: UInt8, length: UInt64)? {
    let upper = bits &>> 32
    for length in 9...Self.longest where upper < ends[length] {
      let code = Int(upper &>> UInt64(32 - length))
      return (bytes[code + offsets[length]], UInt64(length))
    }
    return nil
  }
}
