// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Per distribution: up to which number everything is purged, and how many entries it has.
struct SlotTable: @unchecked Sendable {
  static let capacity = 1 << 16
  private static let byteCount = capacity * MemoryLayout<Slot>.stride

  struct Slot: ~Copyable {
    /// Entries whose fill began under an older number are gone.
    let purgedBefore: Atomic<UInt64>
    /// Entries whose fill began under an older number are stale.
    let stalePurgedBefore: Atomic<UInt64>
    /// Entries in the index; under the gate, as is `dead`.
    var linked: Int
    /// How many of them are purged and have yet to be swept.
    var dead: Int
  }

  /// The kernel supplies the pages that are touched, so unused slots take nothing.
  private let slots: UnsafeMutablePointer<Slot>

  init() {
    // Zeroed pages are valid slots: an atomic is laid out as its value.
    slots = mapPages(Self.byteCount).assumingMemoryBound(to: Slot.self)
  }

  func deallocate() { unmapPages(slots, Self.byteCount) }

  @inline(__always)
  subscript(slot: Int) -> UnsafeMutablePointer<Slot> { slots + slot }

  @inline(__always)
  func isDead(_ entry: Entry) -> Bool {
    entry.purgeNumber < self[entry.slot].pointee.purgedBefore.load(ordering: .acquiring)
  }

  @inline(__always)
  func isStalePurged(_ entry: Entry) -> Bool {
    entry.purgeNumber < self[entry.slot].pointee.stalePurgedBefore.load(ordering: .acquiring)
  }
}
