// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// The body of one response as it comes, and where it ends (RFC 9112 §6.3).
struct OriginBody {
  let framing: BodyFraming
  private var remaining: UInt64
  private var decoder = ChunkedDecoder(keepsTrailers: true)

  init(_ framing: BodyFraming = .none) {
    self.framing = framing
    remaining = if case .length(let count) = framing { count } else { 0 }
  }

  /// There is none: the response ends with its head.
  var isEmpty: Bool { framing == .none || framing == .length(0) }

  /// The field lines that came behind it.
  var trailers: ByteBuffer? { decoder.trailers }

  /// How many bytes of an unchunked body may come, when there is room for `room`, and whether these
  /// would be the last ones.
  func due(_ room: Int) -> (count: Int, isLast: Bool) {
    guard case .length = framing else { return (room, false) }
    let count = Int(min(UInt64(room), remaining))
    return (count, UInt64(count) == remaining)
  }

  /// So many bytes of it, without any framing among them, have come. True when it is whole.
  mutating func take(_ count: Int) -> Bool {
    guard case .length = framing else { return false }
    remaining -= UInt64(count)
    return remaining == 0
  }

  /// The next piece of what has come, as `ChunkedDecoder` tells it.
  mutating func next(_ bytes: UnsafePointer<UInt8>, count: Int) -> ChunkedDecoder.Step {
    switch framing {
    case .none: return .end(consumed: 0)
    case .chunked: return decoder.next(bytes, count: count)
    case .untilClose:
      return count == 0 ? .needsMore(consumed: 0) : .data(consumed: 0, length: count)
    case .length:
      if remaining == 0 { return .end(consumed: 0) }
      if count == 0 { return .needsMore(consumed: 0) }
      let due = due(count).count
      remaining -= UInt64(due)
      return .data(consumed: 0, length: due)
    }
  }
}
