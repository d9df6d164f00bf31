// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Where entries are: 32 bits name one, counted in units from a base.
struct EntryAddresses: @unchecked Sendable {
  let base: UnsafeMutableRawPointer
  /// log2 of a unit's bytes.
  let shift: UInt32

  @inline(__always)
  func offset(_ index: UInt32) -> Int { Int(index) &<< Int(shift) }

  @inline(__always)
  func pointer(_ index: UInt32) -> UnsafeMutableRawPointer { base + offset(index) }

  @inline(__always)
  func entry(_ index: UInt32) -> Entry {
    Entry(pointer(index).assumingMemoryBound(to: EntryHeader.self))
  }

  @inline(__always)
  func index(_ entry: Entry) -> UInt32 {
    UInt32(truncatingIfNeeded: (UnsafeMutableRawPointer(entry.pointer) - base) &>> Int(shift))
  }

  func units(_ bytes: Int) -> UInt32 {
    UInt32((bytes + (1 << Int(shift)) - 1) >> Int(shift))
  }
}

/// The memory of all entries. It is ours rather than malloc's for what only the owner of the
/// addresses can do: count exactly the pages that the kernel supplies, cut a finished entry to its
/// size in place, and have room for a large body without throwing out whatever small entries
/// happen to lie around a gap.
///
/// Small and large entries have a heap each. Among small ones a gap is soon filled by the next;
/// the gaps that large ones leave give their pages back and are had again in one piece elsewhere.
struct EntryMemory: ~Copyable {
  let addresses: EntryAddresses
  let small: UnsafeMutablePointer<EntryHeap>
  let large: UnsafeMutablePointer<EntryHeap>
  private let budget: MemoryBudget
  let byteCount: Int

  /// The largest entry for the small heap, in bytes.
  private static let smallLimit = 4 << 10
  /// Addresses for large entries, as a multiple of the memory that they may take.
  private static let spread = 4
  private static let page = 4096
  private static let binPages = 3 * page

  init(budget: MemoryBudget) {
    self.budget = budget
    let limit = (max(budget.limit, 64 << 10) + Self.page - 1) & ~(Self.page - 1)
    byteCount = Self.binPages + limit * (1 + Self.spread)
    var shift: UInt32 = 4
    while byteCount >> Int(shift) >= 1 << 32 { shift += 1 }
    let base = mapPages(byteCount)
    // Large pages would be supplied whole, past what the budget granted.
    madvise(base, byteCount, MADV_NOHUGEPAGE)
    addresses = EntryAddresses(base: base, shift: shift)
    // The bins come first, so no entry has the index 0.
    let binBytes = EntryHeap.Bins.byteCount * 2
    precondition(binBytes * 2 <= Self.binPages)
    budget.charge(Self.binPages)
    let start = addresses.units(Self.binPages)
    let middle = addresses.units(Self.binPages + limit)
    let end = UInt32(byteCount >> Int(shift))
    small = .allocate(capacity: 2)
    small.initialize(
      to: EntryHeap(addresses, range: start..<middle, step: 64 << 10, bins: base, budget: budget))
    large = small + 1
    large.initialize(
      to: EntryHeap(addresses, range: middle..<end, step: 0, bins: base + binBytes, budget: budget))
  }

  deinit {
    budget.release(small.pointee.grantedBytes + large.pointee.grantedBytes + Self.binPages)
    small.deinitialize(count: 2)
    small.deallocate()
    munmap(addresses.base, byteCount)
  }

  func heap(of index: UInt32) -> UnsafeMutablePointer<EntryHeap> {
    index < large.pointee.first ? small : large
  }

  /// A block for so many bytes, or 0.
  func allocate(_ bytes: Int) -> UInt32 {
    (bytes <= Self.smallLimit ? small : large).pointee.allocate(addresses.units(bytes))
  }

  func free(_ entry: Entry) {
    let index = addresses.index(entry)
    heap(of: index).pointee.free(index)
  }

  /// Gives back what an entry does not need.
  func cut(_ entry: Entry, to bytes: Int) {
    let index = addresses.index(entry)
    heap(of: index).pointee.cut(index, to: addresses.units(bytes))
  }

  /// Enlarges an entry in place, if that is possible.
  func expand(_ entry: Entry, to bytes: Int) -> Bool {
    let index = addresses.index(entry)
    let heap = heap(of: index)
    // A large entry among small ones would leave a gap that takes long to fill.
    if heap == small && bytes > Self.smallLimit { return false }
    return heap.pointee.expand(index, to: addresses.units(bytes))
  }

  /// Returns unused pages to the kernel and the budget; how many bytes.
  func giveBack(_ wanted: Int) -> Int {
    let given = large.pointee.giveBack(wanted)
    return given < wanted ? given + small.pointee.giveBack(wanted - given) : given
  }
}
