// SPDX-License-Identifier: Apache-2.0

/// Which entry goes when memory is needed: S3-FIFO (Yang et al., SOSP 2023), made aware of sizes.
///
/// New entries enter a small tier with a tenth of the bytes. Those that were asked for again by the
/// time it is their turn move to the main tier, the others leave and are remembered as ghosts; a
/// ghost that comes back enters the main tier directly. So a scan, or the long tail of URLs asked
/// for once, passes through the small tier and leaves the main one alone. A hit only counts: it
/// moves nothing.
///
/// A tier is a queue per doubling of size. Whose turn it is, is decided between the oldest of each
/// by its age and, more gently, its size: the place of a large one keeps many small ones.
struct EvictionQueues {
  private var small: Tier
  private var main: Tier
  private let addresses: EntryAddresses
  /// Entries inserted so far: what age is measured in.
  private var clock: UInt32 = 0

  /// Counting further would only keep yesterday's favorites longer.
  static let frequencyLimit: UInt8 = 3
  /// Entries that one eviction may look at and keep, which bounds the time under the gate.
  private static let patience = 128
  private static let smallShare = 10
  /// Queues of a tier; the last one takes all larger entries.
  private static let sizes = 24

  private struct Queue {
    var newest: UInt32 = 0
    var oldest: UInt32 = 0
    /// The clock when the oldest entered.
    var since: UInt32 = 0
  }

  private struct Tier {
    let queues: UnsafeMutablePointer<Queue>
    /// A bit per queue that is not empty.
    var occupied: UInt32 = 0
    var count = 0
    var bytes = 0
  }

  init(_ addresses: EntryAddresses) {
    self.addresses = addresses
    let queues = UnsafeMutablePointer<Queue>.allocate(capacity: Self.sizes * 2)
    queues.initialize(repeating: Queue(), count: Self.sizes * 2)
    small = Tier(queues: queues)
    main = Tier(queues: queues + Self.sizes)
  }

  func deallocate() { small.queues.deallocate() }

  var count: Int { small.count + main.count }
  var bytes: Int { small.bytes + main.bytes }

  mutating func insert(_ entry: Entry, intoMain: Bool) {
    clock &+= 1
    if intoMain {
      entry.mark(.main)
      add(entry, to: &main)
    } else {
      entry.unmark(.main)
      add(entry, to: &small)
    }
  }

  mutating func remove(_ entry: Entry) {
    if entry.marks.contains(.main) { take(entry, from: &main) } else { take(entry, from: &small) }
  }

  /// The entry to evict, still in its queue; `isSmall` tells whether to remember it.
  /// - Parameter incoming: bytes of what needs the memory and will enter the small tier, so that a
  ///   large body replaces what is in the small tier before it touches the main one.
  mutating func victim(
    incoming: Int, isDead: (Entry) -> Bool
  ) -> (entry: Entry, isSmall: Bool)? {
    var patience = Self.patience
    while true {
      let smallIsFull = (small.bytes + incoming) * Self.smallShare > bytes + incoming
      let fromSmall = small.count > 0 && (smallIsFull || main.count == 0)
      let index = candidate(fromSmall ? small : main)
      if index == 0 { return nil }
      let entry = addresses.entry(index)
      if isDead(entry) { return (entry, fromSmall) }
      if patience == 0 { return entry.isIdle ? (entry, fromSmall) : nil }
      patience -= 1
      let frequency = entry.frequency
      // Evicting what a viewer is being sent would free nothing yet.
      if frequency == 0 && entry.isIdle { return (entry, fromSmall) }
      if !fromSmall {
        take(entry, from: &main)
        entry.frequency = frequency > 0 ? frequency - 1 : 0
        add(entry, to: &main)
      } else {
        take(entry, from: &small)
        if frequency > 0 {
          entry.frequency = 0
          entry.mark(.main)
          add(entry, to: &main)
        } else {
          add(entry, to: &small)
        }
      }
    }
  }

  private func candidate(_ tier: Tier) -> UInt32 {
    var most: UInt64 = 0
    var found: UInt32 = 0
    var left = tier.occupied
    while left != 0 {
      let size = left.trailingZeroBitCount
      left &= left &- 1
      let queue = tier.queues + size
      let score = UInt64(clock &- queue.pointee.since &+ 1) &* Self.factor(size)
      if score > most {
        most = score
        found = queue.pointee.oldest
      }
    }
    return found
  }

  /// The square root of an entry's size, in units that do not matter. By size itself the cache
  /// would have most hits of all, with large bodies hardly ever among them; by age alone it would
  /// have most bytes.
  private static func factor(_ size: Int) -> UInt64 {
    (size & 1 == 0 ? 64 : 91) << UInt64(size >> 1)
  }

  /// The number of an entry's queue.
  private static func size(_ entry: Entry) -> Int {
    min(max(0, Int.bitWidth - 8 - entry.weight.leadingZeroBitCount), sizes - 1)
  }

  private func add(_ entry: Entry, to tier: inout Tier) {
    let index = addresses.index(entry)
    let size = Self.size(entry)
    let queue = tier.queues + size
    let newest = queue.pointee.newest
    entry.entered = clock
    entry.newer = 0
    entry.older = newest
    if newest != 0 {
      addresses.entry(newest).newer = index
    } else {
      queue.pointee.oldest = index
      queue.pointee.since = clock
      tier.occupied |= 1 << UInt32(size)
    }
    queue.pointee.newest = index
    tier.count += 1
    tier.bytes += entry.weight
  }

  private func take(_ entry: Entry, from tier: inout Tier) {
    let size = Self.size(entry)
    let queue = tier.queues + size
    let newer = entry.newer
    let older = entry.older
    if newer != 0 {
      addresses.entry(newer).older = older
    } else {
      queue.pointee.newest = older
    }
    if older != 0 {
      addresses.entry(older).newer = newer
    } else {
      queue.pointee.oldest = newer
      if newer != 0 {
        queue.pointee.since = addresses.entry(newer).entered
      } else {
        tier.occupied &= ~(1 << UInt32(size))
      }
    }
    tier.count -= 1
    tier.bytes -= entry.weight
  }
}

extension Entry {
  /// The bytes that go when it goes, a body held for it by another allocation included.
  var weight: Int { sharesBody ? allocatedBytes + donor.allocatedBytes : allocatedBytes }
}
