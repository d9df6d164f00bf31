// SPDX-License-Identifier: Apache-2.0

/// What stands before the payload of a frame (RFC 9113 §4.1).
package struct FrameHeader: Equatable, Sendable {
  @inlinable package static var size: Int { 9 }
  /// What every peer takes as payload (RFC 9113 §4.2); the edge asks for no more.
  @inlinable package static var largestPayload: Int { 16_384 }

  package enum Kind {
    @inlinable package static var data: UInt8 { 0 }
    @inlinable package static var headers: UInt8 { 1 }
    @inlinable package static var reset: UInt8 { 3 }
    @inlinable package static var settings: UInt8 { 4 }
    @inlinable package static var ping: UInt8 { 6 }
    @inlinable package static var windowUpdate: UInt8 { 8 }
    @inlinable package static var continuation: UInt8 { 9 }
  }

  package enum Flag {
    @inlinable package static var endStream: UInt8 { 1 }
    @inlinable package static var endHeaders: UInt8 { 4 }
    @inlinable package static var padded: UInt8 { 8 }
    @inlinable package static var priority: UInt8 { 32 }
  }

  /// Bytes of the payload.
  package var length: Int
  package var kind: UInt8
  package var flags: UInt8
  package var stream: Int32

  @inlinable
  package init(length: Int, kind: UInt8, flags: UInt8, stream: Int32) {
    self.length = length
    self.kind = kind
    self.flags = flags
    self.stream = stream
  }

  /// - Parameter bytes: nine.
  @inline(__always)
  init(_ bytes: UnsafePointer<UInt8>) {
    let word = UInt64(bigEndian: UnsafeRawPointer(bytes).loadUnaligned(as: UInt64.self))
    length = Int(truncatingIfNeeded: word &>> 40)
    kind = UInt8(truncatingIfNeeded: word &>> 32)
    flags = UInt8(truncatingIfNeeded: word &>> 24)
    // Without the reserved bit.
    stream = Int32(truncatingIfNeeded: (word & 0x7f_ffff) &<< 8 | UInt64(bytes[8]))
  }

  /// - Parameter place: room for nine bytes.
  @inlinable
  package func write(to place: UnsafeMutablePointer<UInt8>) {
    let stream = UInt64(UInt32(bitPattern: stream))
    let word =
      UInt64(truncatingIfNeeded: length) &<< 40 | UInt64(kind) &<< 32 | UInt64(flags) &<< 24
      | stream &>> 8
    UnsafeMutableRawPointer(place).storeBytes(of: word.bigEndian, as: UInt64.self)
    place[8] = UInt8(truncatingIfNeeded: stream)
  }
}
