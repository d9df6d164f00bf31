// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// The body of a response that is not one run of bytes of an entry: ranges of one, of a fill under
/// way, or of slices, or the page of a file. The viewer's connection asks for piece after piece.
final class PartialBody {
  enum Supply {
    /// One reference.
    case entry(Entry)
    /// The exchange's fetch, whose body begins at this byte of the whole.
    case fetch(from: Int)
    case slices(SliceReader)
    /// Copied bit by bit: a viewer that does not read must not hold a whole page for itself.
    case file(ErrorPageFile)
  }

  /// Bytes of a file that wait for the viewer before more are copied.
  private static let copiedBytes = 16_384

  /// What to send next.
  enum Piece {
    /// Has been written where the caller said.
    case text
    /// Bytes of an entry's body. One reference.
    case entry(Entry, position: Int, count: Int)
    /// Bytes of the body of the exchange's fetch.
    case fetch(position: Int, count: Int)
    /// So many bytes of the body have been written where the caller said.
    case copied(count: Int)
    /// Not before the origin has sent more.
    case wait
    case end
    case broken(Reason)
  }

  private let supply: Supply
  private let ranges: [ByteRange]
  private let multipart: MultipartRanges?
  private var index = 0
  private var position: Int
  private var isDelimiterDue: Bool
  private var isEnded = false

  /// - Parameter ranges: at least one.
  init(_ supply: Supply, _ ranges: [ByteRange], multipart: MultipartRanges? = nil) {
    self.supply = supply
    self.ranges = ranges
    self.multipart = multipart
    position = ranges[0].start
    isDelimiterDue = multipart != nil
  }

  deinit { if case .entry(let entry) = supply { entry.release() } }

  /// - Parameter text: where delimiters go.
  func next(_ exchange: Exchange, text: () -> ByteBuffer) -> Piece {
    while index < ranges.count {
      let range = ranges[index]
      if isDelimiterDue, let multipart {
        multipart.appendDelimiter(before: index, to: text())
        isDelimiterDue = false
        return .text
      }
      if position == range.end {
        index += 1
        isDelimiterDue = multipart != nil
        if index < ranges.count { position = ranges[index].start }
        continue
      }
      let piece = bytes(exchange, upTo: range.end, text)
      switch piece {
      case .entry(_, _, let count), .fetch(_, let count), .copied(let count): position += count
      case .text, .wait, .end, .broken: break
      }
      return piece
    }
    if let multipart, !isEnded {
      isEnded = true
      multipart.appendEnd(to: text())
      return .text
    }
    return .end
  }

  private func bytes(_ exchange: Exchange, upTo end: Int, _ text: () -> ByteBuffer) -> Piece {
    switch supply {
    case .entry(let entry):
      entry.retain()
      return .entry(entry, position: position, count: end - position)
    case .fetch(let start):
      guard let fetch = exchange.fetch else { return .broken(.originClosed) }
      return fetch.piece(at: position - start, upTo: end - start, for: exchange)
    case .slices(let reader):
      return reader.piece(exchange, at: position, upTo: end)
    case .file(let file):
      let out = text()
      // The rest goes on when this has been sent.
      if out.count >= Self.copiedBytes { return .wait }
      let count = min(end - position, Self.copiedBytes)
      file.bytes[position..<(position + count)].withUnsafeBufferPointer { out.append($0) }
      return .copied(count: count)
    }
  }

  /// A fetch that supplied slices may not be shared after all.
  func released(_ exchange: Exchange, by fetch: Fetch) {
    if case .slices(let reader) = supply { reader.released(exchange, by: fetch) }
  }
}

extension Fetch {
  /// Bytes of the body from `position`, as far as they are there. What passes through a window and
  /// lies before that is let go.
  func piece(at position: Int, upTo end: Int, for exchange: Exchange) -> PartialBody.Piece {
    let view = self.view
    if view.available > position {
      return .fetch(position: position, count: min(end, view.available) - position)
    }
    switch view.phase {
    case .waiting, .replaced, .streaming:
      if view.available > exchange.fetchPosition {
        consumed(exchange, upTo: view.available)
      }
      return .wait
    case .complete: return .broken(.truncated)
    case .aborted, .failed: return .broken(view.failure)
    }
  }
}

extension Viewer {
  /// The next piece of a body that comes in parts. False when the rest will not come.
  final func nextPart(_ parts: PartialBody) -> Bool {
    dropEntry()
    while true {
      switch parts.next(exchange, text: bodyText) {
      case .text:
        // Goes out together with what follows.
        continue
      case .entry(let entry, let position, let count):
        bodyEntry = entry
        source = .entry
        bodyPosition = position
        pieceRemaining = count
      case .fetch(let position, let count):
        source = .fetch
        bodyPosition = position
        pieceRemaining = count
      case .wait, .copied:
        break
      case .end:
        exchange.parts = nil
        bodyEnded = true
      case .broken(let reason):
        breakOff(reason)
        return false
      }
      return true
    }
  }
}
