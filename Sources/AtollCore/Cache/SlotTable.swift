// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Per distribution: up to which number everything is purged, and how many entries it has.
struct SlotTable: @unchecked Sendable {
  static let capacity = 1 << 16

  /// What lookups compare with.
  struct Generation: ~Copyable {
    /// Entries whose fill began under an older number are gone.
    let purged: Atomic<UInt64>
    /// Entries whose fill began under an older number are stale.
    let softPurged: Atomic<UInt64>
  }

  /// Kept under the gate.
  struct Counts {
    /// Entries in the index.
    var linked: Int
    /// How many of them are purged and have yet to be swept.
    var dead: Int
  }

  // The kernel supplies the pages that are touched, so unused slots take nothing.
  let generations: UnsafeMutablePointer<Generation>
  let counts: UnsafeMutablePointer<Counts>

  private static let generationBytes = capacity * MemoryLayout<Generation>.stride
  private static let byteCount = generationBytes + capacity * MemoryLayout<Counts>.stride

  init() {
    let memory = mapPages(Self.byteCount)
    // Zeroed pages are valid: an atomic is laid out as its value.
    generations = memory.assumingMemoryBound(to: Generation.self)
    counts = (memory + Self.generationBytes).assumingMemoryBound(to: Counts.self)
  }

  func deallocate() { unmapPages(generations, Self.byteCount) }

  @inline(__always)
  func isPurged(_ slot: Int, since number: UInt64) -> Bool {
    number < generations[slot].purged.load(ordering: .acquiring)
  }

  @inline(__always)
  func isSoftPurged(_ slot: Int, since number: UInt64) -> Bool {
    number < generations[slot].softPurged.load(ordering: .acquiring)
  }

  /// Still in the index, yet purged with its whole distribution.
  @inline(__always)
  func isDead(_ entry: Entry) -> Bool { isPurged(entry.slot, since: entry.purgeNumber) }
}
