// SPDX-License-Identifier: Apache-2.0

/// What stands before the payload of a frame (RFC 9113 §4.1).
package struct FrameHeader: Equatable, Sendable {
  package static let size = 9
  /// What every peer takes as payload (RFC 9113 §4.2); the edge asks for no more.
  package static let largestPayload = 16_384

  package enum Kind {
    package static let data: UInt8 = 0
    package static let headers: UInt8 = 1
    package static let reset: UInt8 = 3
    package static let settings: UInt8 = 4
    package static let ping: UInt8 = 6
    package static let windowUpdate: UInt8 = 8
    package static let continuation: UInt8 = 9
  }

  package enum Flag {
    package static let endStream: UInt8 = 1
    package static let endHeaders: UInt8 = 4
    package static let padded: UInt8 = 8
    package static let priority: UInt8 = 32
  }

  /// Bytes of the payload.
  package var length: Int
  package var kind: UInt8
  package var flags: UInt8
  package var stream: Int32

  @inline(__always)
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
  @inline(__always)
  package func write(to place: UnsafeMutablePointer<UInt8>) {
    let stream = UInt64(UInt32(bitPattern: stream))
    let word =
      UInt64(truncatingIfNeeded: length) &<< 40 | UInt64(kind) &<< 32 | UInt64(flags) &<< 24
      | stream &>> 8
    UnsafeMutableRawPointer(place).storeBytes(of: word.bigEndian, as: UInt64.self)
    place[8] = UInt8(truncatingIfNeeded: stream)
  }
}
