// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization

/// The memory of all entries: one range of addresses, split into blocks and never larger than what
/// the budget granted. A two-level segregated fit: free blocks hang in bins by size, neighbors
/// merge at once, every operation takes constant time.
///
/// It is ours rather than malloc's for what only the owner of the addresses can do: count exactly
/// the pages that the kernel has supplied, cut a finished entry to its size in place, enlarge one
/// in place, and find an entry's neighbors when memory has become too scattered for a large body.
///
///     0       first                                                     top
///     | bins  | block | block | free | block | hole ~ ~ ~ | free | block | end |   not yet used
///
/// A block begins with a word: its size in units, and whether it and the block before it are free.
/// A free block also holds its neighbors in the bin, and its size again in its last four bytes. A
/// hole is a block whose pages went back to the kernel.
struct EntryHeap: ~Copyable {
  let base: UnsafeMutableRawPointer
  /// log2 of a unit's bytes; sizes must fit into 30 bits.
  let shift: UInt32
  private let budget: MemoryBudget
  private let capacity: Int
  private let bins: UnsafeMutablePointer<UInt32>
  /// One bit per bin that is not empty.
  private let occupied: UnsafeMutablePointer<UInt64>
  let first: UInt32
  /// The end marker: a block of size 0.
  private(set) var top: UInt32
  /// Bytes from `base` that were granted, holes included.
  private var extent: Int
  /// A place that its owner moves along the blocks; always at the start of one.
  var hand: UInt32
  private var firstHole: UInt32 = 0
  /// Bytes of pages that holes gave back.
  private(set) var holeBytes = 0

  private static let page = 4096
  private static let binCount = 512
  /// Free blocks from here on are worth a system call when memory has to go back.
  private static let holeMinimum = 64 << 10
  /// Longer ones would be too much to ask of the budget at once, to have them back.
  private static let holeMaximum = 1 << 20
  /// Bytes at the start of a hole that stay.
  private static let holeHeader = 64
  private static let isFree: UInt32 = 1
  private static let isPreviousFree: UInt32 = 2

  init(budget: MemoryBudget) {
    self.budget = budget
    capacity = Self.roundUp(max(budget.limit, 64 << 10))
    var shift: UInt32 = 4
    while capacity >> Int(shift) >= 1 << 30 { shift += 1 }
    self.shift = shift
    base = mapPages(capacity)
    // Large pages would be supplied whole, past what the budget granted.
    madvise(base, capacity, MADV_NOHUGEPAGE)
    bins = base.bindMemory(to: UInt32.self, capacity: Self.binCount)
    occupied = (base + Self.binCount * 4).bindMemory(to: UInt64.self, capacity: Self.binCount / 64)
    let unit = 1 << Int(shift)
    let reserved = (Self.binCount * 4 + Self.binCount / 8 + unit - 1) & ~(unit - 1)
    first = UInt32(reserved >> Int(shift))
    top = first
    hand = first
    extent = Self.roundUp(reserved + unit)
    budget.charge(extent)
    setWord(top, 0)
  }

  deinit {
    budget.release(extent - holeBytes)
    munmap(base, capacity)
  }

  // MARK: Addresses

  @inline(__always)
  func entry(at index: UInt32) -> Entry {
    Entry(address(index).assumingMemoryBound(to: EntryHeader.self))
  }

  @inline(__always)
  func index(of entry: Entry) -> UInt32 {
    UInt32(truncatingIfNeeded: (UnsafeMutableRawPointer(entry.pointer) - base) &>> Int(shift))
  }

  static func size(fromWord word: UInt32) -> Int { Int(word &>> 2) }

  func units(_ bytes: Int) -> UInt32 {
    UInt32((bytes + (1 << Int(shift)) - 1) >> Int(shift))
  }

  func size(_ index: UInt32) -> UInt32 { word(index) >> 2 }
  func isFree(_ index: UInt32) -> Bool { word(index) & Self.isFree != 0 }
  func word(_ index: UInt32) -> UInt32 { wordAddress(index).pointee.load(ordering: .relaxed) }

  // MARK: Allocation

  /// A block of at least `units`, or 0. Grows within what the budget lets the cache take.
  mutating func allocate(_ units: UInt32) -> UInt32 {
    var index = find(units)
    while index == 0 && refillHole() { index = find(units) }
    if index == 0 && extend(units) { index = find(units) }
    if index == 0 { return 0 }
    unbin(index)
    setWord(index, size(index) << 2 | word(index) & Self.isPreviousFree)
    setPreviousFree(index + size(index), false)
    cut(index, to: units)
    return index
  }

  mutating func free(_ block: UInt32) {
    var index = block
    var length = size(block)
    let next = block + length
    if isFree(next) {
      unbin(next)
      length += size(next)
    }
    if word(block) & Self.isPreviousFree != 0 {
      let before = address(block).load(fromByteOffset: -4, as: UInt32.self)
      index -= before
      length += before
      unbin(index)
    }
    keepHand(outOf: index, length)
    makeFree(index, length)
  }

  /// Two blocks became one.
  private mutating func keepHand(outOf index: UInt32, _ length: UInt32) {
    if hand > index && hand < index + length { hand = index }
  }

  /// Gives the end of a block back.
  mutating func cut(_ index: UInt32, to units: UInt32) {
    let rest = size(index) - units
    // Less is not worth a block of its own.
    if rest < 2 { return }
    setWord(index, units << 2 | word(index) & Self.isPreviousFree)
    setWord(index + units, rest << 2)
    free(index + units)
  }

  /// Enlarges a block in place when what follows it is free and long enough.
  mutating func expand(_ index: UInt32, to units: UInt32) -> Bool {
    let length = size(index)
    if length >= units { return true }
    let next = index + length
    // The last block grows with the heap.
    if next == top || isFree(next) && next + size(next) == top {
      let have = next == top ? length : length + size(next)
      if have < units && !extend(units - have) { return false }
    }
    guard isFree(next), length + size(next) >= units else { return false }
    let whole = length + size(next)
    unbin(next)
    keepHand(outOf: index, whole)
    setWord(index, whole << 2 | word(index) & Self.isPreviousFree)
    setPreviousFree(index + whole, false)
    cut(index, to: units)
    return true
  }

  // MARK: Giving memory back

  /// Returns pages of free blocks to the kernel and the budget; how many bytes.
  mutating func giveBack(_ wanted: Int) -> Int {
    var given = trimTop()
    var bin = Self.binCount - 1
    let least = Self.bin(UInt32(Self.holeMinimum >> Int(shift)))
    while given < wanted && bin > least {
      while given < wanted && bins[bin] != 0 { given += makeHole(bins[bin]) }
      bin -= 1
    }
    return given
  }

  /// Moves the end down over a free last block.
  private mutating func trimTop() -> Int {
    guard word(top) & Self.isPreviousFree != 0 else { return 0 }
    let last = top - address(top).load(fromByteOffset: -4, as: UInt32.self)
    let bytes = Self.roundUp(Int(last + 1) << Int(shift))
    if bytes >= extent { return 0 }
    unbin(last)
    setWord(last, 0)
    top = last
    madvise(base + bytes, extent - bytes, MADV_DONTNEED)
    let given = extent - bytes
    extent = bytes
    budget.release(given)
    return given
  }

  private mutating func makeHole(_ index: UInt32) -> Int {
    unbin(index)
    var length = size(index)
    let most = UInt32(Self.holeMaximum >> Int(shift))
    if length > most {
      setWord(index + most, (length - most) << 2)
      makeFree(index + most, length - most)
      length = most
    }
    setWord(index, length << 2 | word(index) & Self.isPreviousFree)
    setPreviousFree(index + length, false)
    // Anyone walking over the blocks reads the marks: none, so not an entry to evict.
    entry(at: index).unmark(.all)
    entry(at: index).chain = firstHole
    firstHole = index
    let pages = holePages(index)
    madvise(base + pages.lowerBound, pages.count, MADV_DONTNEED)
    holeBytes += pages.count
    budget.release(pages.count)
    return pages.count
  }

  /// Makes a hole a free block again, if the budget allows.
  private mutating func refillHole() -> Bool {
    if firstHole == 0 { return false }
    let index = firstHole
    let pages = holePages(index)
    guard budget.take(pages.count, below: budget.cacheLimit) else { return false }
    holeBytes -= pages.count
    firstHole = entry(at: index).chain
    free(index)
    return true
  }

  /// The whole pages inside of a hole, its header excepted.
  private func holePages(_ index: UInt32) -> Range<Int> {
    let start = Int(index) << Int(shift)
    let from = Self.roundUp(start + Self.holeHeader)
    let end = (start + Int(size(index)) << Int(shift)) & ~(Self.page - 1)
    return from..<max(from, end)
  }

  private static func roundUp(_ bytes: Int) -> Int { (bytes + page - 1) & ~(page - 1) }

  /// Appends at least `units` of free memory.
  private mutating func extend(_ units: UInt32) -> Bool {
    // By more than is needed, to save steps, unless the end is near.
    let generous = max(units, UInt32((1 << 18) >> Int(shift)))
    return extend(exactly: generous) || extend(exactly: units)
  }

  private mutating func extend(exactly units: UInt32) -> Bool {
    let newExtent = Self.roundUp((Int(top) + Int(units) + 1) << Int(shift))
    if newExtent > capacity { return false }
    let more = max(0, newExtent - extent)
    guard budget.take(more, below: budget.cacheLimit) else { return false }
    extent = max(extent, newExtent)
    let block = top
    top += units
    setWord(top, 0)
    setWord(block, units << 2 | word(block) & Self.isPreviousFree)
    free(block)
    return true
  }

  // MARK: Bins

  /// Sizes below 16 have a bin each; above, every doubling has 16.
  private static func bin(_ units: UInt32) -> Int {
    if units < 16 { return Int(units) }
    let log = 31 - units.leadingZeroBitCount
    return (log - 3) << 4 + Int(units >> UInt32(log - 4) & 15)
  }

  private func find(_ units: UInt32) -> UInt32 {
    let own = Self.bin(units)
    // Blocks of the same bin may be too short; a few are worth looking at.
    var candidate = bins[own]
    var left = 8
    while candidate != 0 && left > 0 {
      if size(candidate) >= units { return candidate }
      candidate = link(candidate).pointee
      left -= 1
    }
    var at = (own + 1) >> 6
    if at >= Self.binCount / 64 { return 0 }
    var bits = occupied[at] & (UInt64.max << UInt64((own + 1) & 63))
    while bits == 0 {
      at += 1
      if at == Self.binCount / 64 { return 0 }
      bits = occupied[at]
    }
    return bins[at << 6 + bits.trailingZeroBitCount]
  }

  private mutating func makeFree(_ index: UInt32, _ length: UInt32) {
    setWord(index, length << 2 | Self.isFree | word(index) & Self.isPreviousFree)
    let next = index + length
    address(next).storeBytes(of: length, toByteOffset: -4, as: UInt32.self)
    setPreviousFree(next, true)
    let bin = Self.bin(length)
    let head = bins[bin]
    link(index).pointee = head
    (link(index) + 1).pointee = 0
    if head != 0 { (link(head) + 1).pointee = index }
    bins[bin] = index
    occupied[bin >> 6] |= 1 << UInt64(bin & 63)
  }

  private mutating func unbin(_ index: UInt32) {
    let next = link(index).pointee
    let previous = (link(index) + 1).pointee
    if next != 0 { (link(next) + 1).pointee = previous }
    if previous != 0 {
      link(previous).pointee = next
    } else {
      let bin = Self.bin(size(index))
      bins[bin] = next
      if next == 0 { occupied[bin >> 6] &= ~(1 << UInt64(bin & 63)) }
    }
  }

  // MARK: Words

  private func address(_ index: UInt32) -> UnsafeMutableRawPointer {
    base + Int(index) &<< Int(shift)
  }

  /// Atomic, as fills read the size of their block without the lock.
  private func wordAddress(_ index: UInt32) -> UnsafeMutablePointer<Atomic<UInt32>> {
    address(index).assumingMemoryBound(to: Atomic<UInt32>.self)
  }

  private func setWord(_ index: UInt32, _ value: UInt32) {
    wordAddress(index).pointee.store(value, ordering: .relaxed)
  }

  private func setPreviousFree(_ index: UInt32, _ free: Bool) {
    let word = word(index)
    setWord(index, free ? word | Self.isPreviousFree : word & ~Self.isPreviousFree)
  }

  /// The next block of the bin; the previous one stands behind it.
  private func link(_ index: UInt32) -> UnsafeMutablePointer<UInt32> {
    (address(index) + 4).assumingMemoryBound(to: UInt32.self)
  }
}
