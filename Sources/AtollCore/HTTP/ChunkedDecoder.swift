// SPDX-License-Identifier: Apache-2.0
import CSystem

/// Takes the chunked transfer coding off a body as it arrives (RFC 9112 §7.1), without allocation.
///
/// Used both for viewer uploads and origin responses, and as strict with either: a size that two
/// recipients could read differently is malformed. Extensions are dropped (§7.1.1), trailers kept for
/// whoever wants them (§7.1.2), within limits.
package struct ChunkedDecoder {
  package enum Step: Equatable, Sendable {
    /// `consumed` bytes of framing were used, then payload lies at
    /// `consumed ..< consumed + length` of the input.
    case data(consumed: Int, length: Int)
    /// All that can be used was consumed; the next call needs the bytes after it.
    case needsMore(consumed: Int)
    /// The last chunk and the trailer section have been read.
    case end(consumed: Int)
    case malformed
  }

  /// What the next byte belongs to.
  private enum Position: UInt8 {
    case firstDigit, digits, spaceAfterSize, extensions, sizeLineFeed
    case data, dataReturn, dataLineFeed
    case trailerStart, trailerName, trailerValue, trailerLineFeed, lastLineFeed
    case ended, malformed
  }

  private var position = Position.firstDigit
  /// The size while it is read, then what is left of the chunk.
  private var remaining = 0
  /// Bytes of the size line, then of the trailer section.
  private var counted = 0
  private let keepsTrailers: Bool
  /// The field lines of the trailer section, each with CRLF; nil when there is none, or none is kept.
  package private(set) var trailers: ByteBuffer?

  package init(keepsTrailers: Bool = false) { self.keepsTrailers = keepsTrailers }

  /// Reads on; after `.data` call it again with what follows that data.
  package mutating func next(_ base: UnsafePointer<UInt8>, count: Int) -> Step {
    var at = 0
    while true {
      if position == .data {
        if remaining > 0 {
          if at == count { return .needsMore(consumed: at) }
          let length = min(remaining, count &- at)
          remaining &-= length
          return .data(consumed: at, length: length)
        }
        position = .dataReturn
      }
      if position == .ended { return .end(consumed: at) }
      if position == .malformed { return .malformed }
      if at == count { return .needsMore(consumed: at) }
      take(base[at])
      at &+= 1
    }
  }

  /// One byte of framing.
  private mutating func take(_ byte: UInt8) {
    counted &+= 1
    switch position {
    case .firstDigit, .digits:
      let digit = Self.hexadecimal(byte)
      if digit < 16 {
        // Four bits more would not fit a signed number.
        if remaining > Int.max >> 4 { return position = .malformed }
        remaining = remaining &<< 4 | Int(digit)
        position = .digits
        limit(to: Limits.chunkLine)
      } else if position == .firstDigit {
        position = .malformed
      } else {
        takeAfterSize(byte)
      }
    case .spaceAfterSize, .extensions:
      takeAfterSize(byte)
    case .sizeLineFeed:
      if byte != lineFeed { return position = .malformed }
      counted = 0
      position = remaining == 0 ? .trailerStart : .data
    case .dataReturn:
      position = byte == carriageReturn ? .dataLineFeed : .malformed
    case .dataLineFeed:
      counted = 0
      position = byte == lineFeed ? .firstDigit : .malformed
    case .trailerStart:
      if byte == carriageReturn {
        position = .lastLineFeed
      } else {
        position = isTokenByte(byte) ? .trailerName : .malformed
        takeTrailer(byte)
      }
    case .trailerName:
      if byte == 0x3a {
        position = .trailerValue
      } else if !isTokenByte(byte) {
        position = .malformed
      }
      takeTrailer(byte)
    case .trailerValue:
      if byte == carriageReturn {
        position = .trailerLineFeed
      } else if Self.isControl(byte) {
        position = .malformed
      }
      takeTrailer(byte)
    case .trailerLineFeed:
      position = byte == lineFeed ? .trailerStart : .malformed
      takeTrailer(byte)
    case .lastLineFeed:
      position = byte == lineFeed ? .ended : .malformed
    case .data, .ended, .malformed:
      break
    }
  }

  /// `*( BWS ";" … ) CRLF` (RFC 9112 §7.1.1); what an extension says is of no interest.
  private mutating func takeAfterSize(_ byte: UInt8) {
    if byte == carriageReturn {
      // White space that no extension follows is no part of the grammar.
      position = position == .spaceAfterSize ? .malformed : .sizeLineFeed
    } else if position == .extensions {
      if Self.isControl(byte) { position = .malformed }
    } else if byte == 0x3b {
      position = .extensions
    } else if byte == space || byte == horizontalTab {
      position = .spaceAfterSize
    } else {
      position = .malformed
    }
    limit(to: Limits.chunkLine)
  }

  /// One byte of a field line of the trailer section.
  private mutating func takeTrailer(_ byte: UInt8) {
    limit(to: Limits.trailers)
    guard keepsTrailers, position != .malformed else { return }
    let lines = trailers ?? ByteBuffer(capacity: 256)
    lines.append(byte)
    trailers = lines
  }

  private mutating func limit(to limit: Int) {
    if counted > limit { position = .malformed }
  }

  private static func hexadecimal(_ byte: UInt8) -> UInt8 {
    let digit = byte &- 0x30
    if digit < 10 { return digit }
    let letter = (byte | 0x20) &- 0x61
    return letter < 6 ? letter &+ 10 : 16
  }

  private static func isControl(_ byte: UInt8) -> Bool {
    (byte < 0x20 && byte != horizontalTab) || byte == 0x7f
  }
}
