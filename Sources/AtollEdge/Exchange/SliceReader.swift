// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Puts one response together of stored slices, and of such as are fetched when their turn comes.
///
/// ```
/// outline known and usable? ──yes──▶ select ranges ──▶ first slice there ──▶ head, then slice after
///        │ no                              ▲            │ no                 slice, the next one
///        ▼                                 │            ▼                    fetched meanwhile
/// fetch the first slice ──206──────────────┴────── fetch that slice
///        ├──200, an error──▶ an ordinary response, stored as one
///        └──a part not to be stored──▶ for this viewer, or its own request is passed on
/// ```
/// It holds one entry and reads one fetch at a time. Once the head is out, a slice of anything but
/// the same bytes ends the response visibly.
final class SliceReader {
  let grid: SliceGrid
  let wholeKey: ByteBuffer
  let wholeHash: KeyHash
  /// What the slices are slices of, once known. One reference.
  private(set) var outline: Entry?
  /// Asks for itself: a request with no-cache, or one whose fetch may not be shared.
  var isAlone: Bool
  /// How often the outline has been found out anew.
  var attempts = 0

  /// The slice in hand. One reference.
  private var held: Entry?
  private var heldNumber: UInt32?
  /// The slice that the exchange's fetch brings.
  private var fetchedNumber: UInt32?
  private var isFetchChecked = false
  private var ownsFetch = false
  /// The slice whose fetch was last begun ahead of its turn.
  private var aheadNumber: UInt32?
  private var ownsAhead = false

  /// Outlines that may follow one another before a response begins.
  static let attemptLimit = 4

  init(
    grid: SliceGrid, wholeKey: UnsafeBufferPointer<UInt8>, wholeHash: KeyHash, isAlone: Bool
  ) {
    self.grid = grid
    self.wholeKey = ByteBuffer(capacity: wholeKey.count)
    self.wholeKey.append(wholeKey)
    self.wholeHash = wholeHash
    self.isAlone = isAlone
  }

  deinit {
    outline?.release()
    held?.release()
  }

  var total: Int { outline?.outlinedLength ?? 0 }

  func take(outline: Entry) {
    outline.retain()
    self.outline?.release()
    self.outline = outline
    dropHeld()
    aheadNumber = nil
  }

  /// It has to be confirmed before anything of it is used.
  func forgetOutline() {
    outline?.release()
    outline = nil
    dropHeld()
  }

  // MARK: Stored slices

  /// Looks for a slice that belongs to the outline, and holds it. An older one that does not is
  /// dropped.
  func hold(_ number: UInt32, _ exchange: Exchange) -> Bool {
    if heldNumber == number { return true }
    guard let entry = stored(number, exchange) else { return false }
    held?.release()
    held = entry
    heldNumber = number
    return true
  }

  /// How many of the slices that ranges need are stored, of the first `Limits.slicesCounted`, and
  /// whether those are all.
  func countStored(_ ranges: [ByteRange], _ exchange: Exchange) -> (stored: Int, isAll: Bool) {
    var counted = 0
    var stored = 0
    for range in ranges {
      guard range.count > 0, var number = grid.number(at: range.start),
        let last = grid.number(at: range.end - 1)
      else { return (stored, false) }
      while number <= last {
        if counted == Limits.slicesCounted { return (stored, false) }
        counted += 1
        if let entry = self.stored(number, exchange) {
          entry.release()
          stored += 1
        }
        number += 1
      }
    }
    return (stored, stored == counted)
  }

  /// One reference.
  private func stored(_ number: UInt32, _ exchange: Exchange) -> Entry? {
    guard let outline, let entry = exchange.lookUpSlice(number, of: wholeKey.bytes) else {
      return nil
    }
    if entry.isSlice(number, grid, of: outline) { return entry }
    // One that came after the outline belongs to another, which this response does not know yet.
    if entry.freshness.responseTime < outline.freshness.responseTime {
      exchange.services.cache.remove(entry)
    }
    entry.release()
    return nil
  }

  private func dropHeld() {
    held?.release()
    held = nil
    heldNumber = nil
  }

  // MARK: Slices on their way

  func isFetching(_ number: UInt32) -> Bool { fetchedNumber == number }

  /// The exchange's fetch brings this slice from now on.
  /// - Parameter isOwn: begun for this exchange's request, and no other's.
  func beganFetch(_ number: UInt32, isOwn: Bool) {
    fetchedNumber = number
    isFetchChecked = false
    ownsFetch = isOwn || (ownsAhead && aheadNumber == number)
  }

  func leaveFetch(_ exchange: Exchange) {
    fetchedNumber = nil
    exchange.leaveFetch()
  }

  /// Whether the response of a fetch is a slice of what the outline describes.
  private func belongs(_ fetch: Fetch, _ number: UInt32) -> Bool {
    guard let outline, let other = fetch.outline, let part = fetch.part else { return false }
    let asked = grid.range(of: number)
    return other.outlinedLength == total && part == ByteRange(asked.start, min(asked.end, total))
      && other.meta.sharesStrongValidator(
        other.head.baseAddress!, with: outline.meta, outline.head.baseAddress!)
  }

  // MARK: Reading

  func piece(_ exchange: Exchange, at position: Int, upTo end: Int) -> PartialBody.Piece {
    guard let number = grid.number(at: position) else { return .broken(.originRange) }
    let start = grid.range(of: number).start
    let within = position - start
    let sliceEnd = min(grid.size, end - start)
    if end - start > grid.size { readAhead(number + 1, exchange) }
    if fetchedNumber == number, let fetch = exchange.fetch {
      switch fetch.view.phase {
      case .waiting:
        return .wait
      case .replaced:
        // Somebody else has stored it meanwhile.
        leaveFetch(exchange)
      case .streaming, .complete, .aborted, .failed:
        return piece(of: fetch, number, at: within, upTo: sliceEnd, exchange)
      }
    }
    if fetchedNumber != nil { leaveFetch(exchange) }
    if hold(number, exchange), let held {
      held.retain()
      return .entry(held, position: within, count: sliceEnd - within)
    }
    dropHeld()
    switch exchange.fetchSlice(number, self, stale: nil) {
    case .began: return .wait
    case .joined, .found: return piece(exchange, at: position, upTo: end)
    case .answered, .impossible: return .broken(.originRange)
    }
  }

  private func piece(
    of fetch: Fetch, _ number: UInt32, at position: Int, upTo end: Int, _ exchange: Exchange
  ) -> PartialBody.Piece {
    if !isFetchChecked {
      let phase = fetch.view.phase
      if phase == .failed { return .broken(fetch.view.failure) }
      if phase != .aborted || fetch.part != nil {
        // First of all: the news that it may not be shared may still be under way.
        if !ownsFetch, exchange.obstacleToSharing(fetch) != nil {
          released(exchange, by: fetch)
          return .wait
        }
        if !belongs(fetch, number) { return .broken(.originRange) }
      }
      isFetchChecked = true
    }
    return fetch.piece(at: position, upTo: end, for: exchange)
  }

  /// The fetch of the slice that is read may not be shared: this exchange asks for its own.
  func released(_ exchange: Exchange, by fetch: Fetch) {
    guard let number = fetchedNumber else { return }
    leaveFetch(exchange)
    isAlone = true
    _ = exchange.fetchSlice(number, self, stale: nil)
  }

  /// Has the origin asked for the slice after the present one: one, and no more, so that a viewer
  /// that leaves has caused little in vain.
  private func readAhead(_ number: UInt32, _ exchange: Exchange) {
    if aheadNumber == number || isAlone { return }
    aheadNumber = number
    ownsAhead = false
    if let entry = stored(number, exchange) {
      entry.release()
    } else {
      ownsAhead = exchange.fetchBehind(number, self, stale: nil)
    }
  }
}
