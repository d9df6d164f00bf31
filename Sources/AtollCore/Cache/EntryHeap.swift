// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization

/// A range of addresses, split into blocks; a two-level segregated fit. Blocks hang in bins by
/// size, neighbors merge at once, every operation takes constant time.
///
///     first                                                      top
///     | block | block | free | block | hole ~ ~ ~ ~ | block | end |   not yet used
///
/// A block begins with a word: its size in units and its state. A free block also holds its
/// neighbors in the bin, and its size again in its last four bytes. A hole is a free block whose
/// whole pages went back to the kernel, and whose bytes are not the cache's any more: the range
/// may be far longer than what the budget grants, so that scattered pages can be had together
/// again at other addresses.
struct EntryHeap: ~Copyable {
  private let addresses: EntryAddresses
  private let budget: MemoryBudget
  /// What a refill takes at once when the budget allows.
  private let step: UInt32
  let first: UInt32
  private let end: UInt32
  /// The end marker: a block of size 0.
  private(set) var top: UInt32
  /// A place that its owner moves along the blocks; always at the start of one.
  var hand: UInt32
  /// Where the pages end that were granted, holes aside.
  private var extent: Int
  private var holeBytes = 0
  private let freeBlocks: Bins
  private let holes: Bins

  private static let page = 4096
  /// A longer block could not be written into a word.
  private static let longest: UInt32 = (1 << 29) - 1
  /// Shorter free blocks are not worth a system call.
  private static let holeMinimum = 3 * page
  /// Bytes at the start of a hole that stay.
  private static let holeHeader = 64

  private struct State {
    static let free: UInt32 = 1
    static let previousFree: UInt32 = 2
    static let hole: UInt32 = 4
    static let all: UInt32 = 7
  }

  /// - Parameter memory: of `Bins.byteCount` twice, zeroed.
  init(
    _ addresses: EntryAddresses, range: Range<UInt32>, step: Int, bins: UnsafeMutableRawPointer,
    budget: MemoryBudget
  ) {
    self.addresses = addresses
    self.budget = budget
    self.step = addresses.units(step)
    freeBlocks = Bins(at: bins)
    holes = Bins(at: bins + Bins.byteCount)
    first = range.lowerBound
    end = range.upperBound
    top = first
    hand = first
    extent = Self.roundUp(addresses.offset(first + 1))
    budget.charge(extent - addresses.offset(first))
    setWord(top, 0)
  }

  /// Bytes that were taken from the budget.
  var grantedBytes: Int { extent - addresses.offset(first) - holeBytes }

  func size(_ index: UInt32) -> UInt32 { word(index) >> 3 }
  /// Free, pages or no pages.
  func isFree(_ index: UInt32) -> Bool { word(index) & State.free != 0 }
  func isHole(_ index: UInt32) -> Bool { word(index) & State.hole != 0 }
  static func size(fromWord word: UInt32) -> Int { Int(word &>> 3) }
  func word(_ index: UInt32) -> UInt32 { wordAddress(index).pointee.load(ordering: .relaxed) }

  // MARK: Allocation

  /// A block of at least `units`, or 0. Takes from the budget what the cache may have.
  mutating func allocate(_ units: UInt32) -> UInt32 {
    var index = find(units, in: freeBlocks)
    if index == 0 && (refill(units) || extend(units)) { index = find(units, in: freeBlocks) }
    if index == 0 { return 0 }
    unbin(index, from: freeBlocks)
    setWord(index, size(index) << 3 | word(index) & State.previousFree)
    setPreviousFree(index + size(index), false)
    cut(index, to: units)
    return index
  }

  mutating func free(_ block: UInt32) {
    var index = block
    var length = size(block)
    let next = block + length
    if isFree(next) && !isHole(next) && length + size(next) <= Self.longest {
      unbin(next, from: freeBlocks)
      length += size(next)
    }
    if let before = previousFree(block), !isHole(before), size(before) + length <= Self.longest {
      unbin(before, from: freeBlocks)
      length += size(before)
      index = before
    }
    keepHand(outOf: index, length)
    makeFree(index, length, State.free)
  }

  /// Gives the end of a block back.
  mutating func cut(_ index: UInt32, to units: UInt32) {
    let rest = size(index) - units
    // Less is not worth a block of its own.
    if rest < 2 { return }
    setWord(index, units << 3 | word(index) & State.previousFree)
    setWord(index + units, rest << 3)
    free(index + units)
  }

  /// Enlarges a block in place when what follows it is free and long enough.
  mutating func expand(_ index: UInt32, to units: UInt32) -> Bool {
    let length = size(index)
    if length >= units { return true }
    var next = index + length
    // The last block grows with the heap.
    if isFree(next) && !isHole(next) { next += size(next) }
    if next == top && next - index < units && !extend(units - (next - index)) { return false }
    next = index + length
    guard isFree(next), !isHole(next), length + size(next) >= units,
      length + size(next) <= Self.longest
    else { return false }
    let whole = length + size(next)
    unbin(next, from: freeBlocks)
    keepHand(outOf: index, whole)
    setWord(index, whole << 3 | word(index) & State.previousFree)
    setPreviousFree(index + whole, false)
    cut(index, to: units)
    return true
  }

  // MARK: The kernel's pages

  /// Returns pages of free blocks to the kernel and the budget, longest blocks first; how many
  /// bytes.
  mutating func giveBack(_ wanted: Int) -> Int {
    var given = trimTop()
    var bin = Bins.count - 1
    let least = Bins.bin(addresses.units(Self.holeMinimum))
    while given < wanted && bin > least {
      while given < wanted && freeBlocks.first[bin] != 0 {
        given += makeHole(freeBlocks.first[bin])
      }
      bin -= 1
    }
    return given
  }

  /// Moves the end down over a free last block.
  private mutating func trimTop() -> Int {
    guard let last = previousFree(top) else { return 0 }
    let bytes = Self.roundUp(addresses.offset(last + 1))
    // A hole's pages are gone already, but not those that it shares with others.
    let gone = isHole(last) ? pages(last).count : 0
    if extent - bytes - gone <= 0 { return 0 }
    unbin(last, from: isHole(last) ? holes : freeBlocks)
    setWord(last, word(last) & State.previousFree)
    if hand > last { hand = last }
    top = last
    madvise(addresses.base + bytes, extent - bytes, MADV_DONTNEED)
    let given = extent - bytes - gone
    extent = bytes
    holeBytes -= gone
    budget.release(given)
    return given
  }

  /// Gives the pages of a free block back; holes merge with holes.
  private mutating func makeHole(_ free: UInt32) -> Int {
    unbin(free, from: freeBlocks)
    var index = free
    var length = size(free)
    var gone = 0
    let next = free + length
    if isHole(next) && length + size(next) <= Self.longest {
      gone += pages(next).count
      unbin(next, from: holes)
      length += size(next)
    }
    if let before = previousFree(free), isHole(before),
      size(before) + length <= Self.longest
    {
      gone += pages(before).count
      unbin(before, from: holes)
      length += size(before)
      index = before
    }
    keepHand(outOf: index, length)
    makeFree(index, length, State.free | State.hole)
    let pages = pages(index)
    madvise(addresses.base + pages.lowerBound, pages.count, MADV_DONTNEED)
    holeBytes += pages.count - gone
    budget.release(pages.count - gone)
    return pages.count - gone
  }

  /// Makes the start of a hole a free block of at least `units`, if the budget allows.
  private mutating func refill(_ units: UInt32) -> Bool {
    if step > units && refill(exactly: step) { return true }
    return refill(exactly: units)
  }

  private mutating func refill(exactly units: UInt32) -> Bool {
    let index = find(units, in: holes)
    if index == 0 { return false }
    let length = size(index)
    let before = pages(index).count
    let rest = length - units
    let after = rest < 2 ? 0 : pages(index + units, rest).count
    guard budget.take(before - after, below: budget.cacheLimit) else { return false }
    holeBytes -= before - after
    unbin(index, from: holes)
    let used = after == 0 ? length : units
    // As if it were in use, for `free` to merge it with what stands around it.
    setWord(index, used << 3 | word(index) & State.previousFree)
    if after > 0 {
      setWord(index + used, rest << 3)
      makeFree(index + used, rest, State.free | State.hole)
    }
    free(index)
    return true
  }

  /// Appends at least `units` of free memory.
  private mutating func extend(_ units: UInt32) -> Bool {
    if step > units && extend(exactly: step) { return true }
    return extend(exactly: units)
  }

  private mutating func extend(exactly units: UInt32) -> Bool {
    // Not even the end marker may reach the end.
    if units >= end - top { return false }
    let newExtent = Self.roundUp(addresses.offset(top + units + 1))
    let more = max(0, newExtent - extent)
    guard budget.take(more, below: budget.cacheLimit) else { return false }
    extent += more
    let block = top
    top += units
    setWord(top, 0)
    setWord(block, units << 3 | word(block) & State.previousFree)
    free(block)
    return true
  }

  private func pages(_ index: UInt32) -> Range<Int> { pages(index, size(index)) }

  /// The whole pages inside of a block that a hole need not keep: its header and its last four
  /// bytes stay.
  private func pages(_ index: UInt32, _ length: UInt32) -> Range<Int> {
    let from = Self.roundUp(addresses.offset(index) + Self.holeHeader)
    let end = (addresses.offset(index + length) - 4) & ~(Self.page - 1)
    return from..<max(from, end)
  }

  private static func roundUp(_ bytes: Int) -> Int { (bytes + page - 1) & ~(page - 1) }

  // MARK: Bins

  /// First blocks by size, with a bit per bin that is not empty.
  struct Bins {
    static let count = 512
    static let byteCount = count * 4 + count / 8

    let first: UnsafeMutablePointer<UInt32>
    let occupied: UnsafeMutablePointer<UInt64>

    init(at memory: UnsafeMutableRawPointer) {
      first = memory.bindMemory(to: UInt32.self, capacity: Self.count)
      occupied = (memory + Self.count * 4).bindMemory(to: UInt64.self, capacity: Self.count / 64)
    }

    /// Sizes below 16 have a bin each; above, every doubling has 16.
    static func bin(_ units: UInt32) -> Int {
      if units < 16 { return Int(units) }
      let log = 31 - units.leadingZeroBitCount
      return (log - 3) << 4 + Int(units >> UInt32(log - 4) & 15)
    }

    /// The first bin from `bin` on that is not empty.
    func next(from bin: Int) -> Int? {
      var at = bin >> 6
      if at >= Self.count / 64 { return nil }
      var bits = occupied[at] & (UInt64.max << UInt64(bin & 63))
      while bits == 0 {
        at += 1
        if at == Self.count / 64 { return nil }
        bits = occupied[at]
      }
      return at << 6 + bits.trailingZeroBitCount
    }
  }

  private func find(_ units: UInt32, in bins: Bins) -> UInt32 {
    let own = Bins.bin(units)
    // Blocks of the same bin may be too short; a few are worth looking at.
    var candidate = bins.first[own]
    var left = 8
    while candidate != 0 && left > 0 {
      if size(candidate) >= units { return candidate }
      candidate = link(candidate).pointee
      left -= 1
    }
    guard let bin = bins.next(from: own + 1) else { return 0 }
    return bins.first[bin]
  }

  private func makeFree(_ index: UInt32, _ length: UInt32, _ state: UInt32) {
    setWord(index, length << 3 | state | word(index) & State.previousFree)
    let next = index + length
    addresses.pointer(next).storeBytes(of: length, toByteOffset: -4, as: UInt32.self)
    setPreviousFree(next, true)
    let bins = state & State.hole != 0 ? holes : freeBlocks
    let bin = Bins.bin(length)
    let head = bins.first[bin]
    link(index).pointee = head
    (link(index) + 1).pointee = 0
    if head != 0 { (link(head) + 1).pointee = index }
    bins.first[bin] = index
    bins.occupied[bin >> 6] |= 1 << UInt64(bin & 63)
  }

  private func unbin(_ index: UInt32, from bins: Bins) {
    let next = link(index).pointee
    let previous = (link(index) + 1).pointee
    if next != 0 { (link(next) + 1).pointee = previous }
    if previous != 0 {
      link(previous).pointee = next
    } else {
      let bin = Bins.bin(size(index))
      bins.first[bin] = next
      if next == 0 { bins.occupied[bin >> 6] &= ~(1 << UInt64(bin & 63)) }
    }
  }

  /// Two blocks become one.
  private mutating func keepHand(outOf index: UInt32, _ length: UInt32) {
    if hand > index && hand < index + length { hand = index }
  }

  // MARK: Words

  private func previousFree(_ index: UInt32) -> UInt32? {
    if word(index) & State.previousFree == 0 { return nil }
    return index - addresses.pointer(index).load(fromByteOffset: -4, as: UInt32.self)
  }

  /// Atomic, as fills read the size of their block without the gate.
  private func wordAddress(_ index: UInt32) -> UnsafeMutablePointer<Atomic<UInt32>> {
    addresses.pointer(index).assumingMemoryBound(to: Atomic<UInt32>.self)
  }

  private func setWord(_ index: UInt32, _ value: UInt32) {
    wordAddress(index).pointee.store(value, ordering: .relaxed)
  }

  private func setPreviousFree(_ index: UInt32, _ free: Bool) {
    let word = word(index)
    setWord(index, free ? word | State.previousFree : word & ~State.previousFree)
  }

  /// The next block of the bin; the previous one stands behind it.
  private func link(_ index: UInt32) -> UnsafeMutablePointer<UInt32> {
    (addresses.pointer(index) + 4).assumingMemoryBound(to: UInt32.self)
  }
}
