// SPDX-License-Identifier: Apache-2.0

/// Which entry goes when memory is needed: S3-FIFO (Yang et al., SOSP 2023), made aware of sizes.
///
/// New entries enter a small queue with a tenth of the bytes. At its end those that were asked for
/// again move to the main queue, the others leave and are remembered as ghosts; a ghost that comes
/// back enters the main queue directly. So a scan, or the long tail of URLs asked for once, passes
/// through the small queue and leaves the main one alone. A hit only counts: it moves nothing.
///
/// Large entries must be asked for more often than small ones to stay, as every one of them takes
/// the place of many.
struct EvictionQueues {
  private(set) var small = Queue()
  private(set) var main = Queue()

  /// Counting further would only keep yesterday's favorites longer.
  static let frequencyLimit: UInt8 = 3
  /// Entries that one eviction may look at and keep, which bounds the time under the gate.
  private static let patience = 128
  private static let smallShare = 10

  struct Queue {
    var newest: UInt32 = 0
    var oldest: UInt32 = 0
    var count = 0
    var bytes = 0
  }

  var count: Int { small.count + main.count }
  var bytes: Int { small.bytes + main.bytes }

  mutating func insert(_ entry: Entry, intoMain: Bool, in heap: borrowing EntryHeap) {
    if intoMain {
      entry.mark(.main)
      Self.add(entry, to: &main, in: heap)
    } else {
      entry.unmark(.main)
      Self.add(entry, to: &small, in: heap)
    }
  }

  mutating func remove(_ entry: Entry, in heap: borrowing EntryHeap) {
    if entry.marks.contains(.main) {
      Self.take(entry, from: &main, in: heap)
    } else {
      Self.take(entry, from: &small, in: heap)
    }
  }

  /// The entry to evict, still in its queue; `isSmall` tells whether to remember it.
  /// - Parameter incoming: bytes of what needs the memory and will enter the small queue, so that
  ///   a large body replaces the small queue before it touches the main one.
  mutating func victim(
    incoming: Int, in heap: borrowing EntryHeap, isDead: (Entry) -> Bool
  ) -> (entry: Entry, isSmall: Bool)? {
    var patience = Self.patience
    while true {
      let smallIsFull = (small.bytes + incoming) * Self.smallShare > bytes + incoming
      let fromSmall = small.count > 0 && (smallIsFull || main.count == 0)
      let index = fromSmall ? small.oldest : main.oldest
      if index == 0 { return nil }
      let entry = heap.entry(at: index)
      if patience == 0 || isDead(entry) { return (entry, fromSmall) }
      patience -= 1
      if fromSmall {
        if entry.frequency < price(entry) {
          if entry.isIdle { return (entry, true) }
          // Evicting what a viewer is being sent would free nothing yet.
          Self.take(entry, from: &small, in: heap)
          Self.add(entry, to: &small, in: heap)
        } else {
          Self.take(entry, from: &small, in: heap)
          entry.frequency = 0
          entry.mark(.main)
          Self.add(entry, to: &main, in: heap)
        }
      } else {
        let frequency = entry.frequency
        if frequency == 0 && entry.isIdle { return (entry, false) }
        let price = price(entry)
        entry.frequency = frequency > price ? frequency - price : 0
        Self.take(entry, from: &main, in: heap)
        Self.add(entry, to: &main, in: heap)
      }
    }
  }

  /// Requests that an entry must have had to stay for another round.
  private func price(_ entry: Entry) -> UInt8 {
    let mean = bytes / max(count, 1)
    let own = entry.weight
    if own <= mean &* 4 { return 1 }
    return own <= mean &* 32 ? 2 : 3
  }

  private static func add(_ entry: Entry, to queue: inout Queue, in heap: borrowing EntryHeap) {
    let index = heap.index(of: entry)
    entry.newer = 0
    entry.older = queue.newest
    if queue.newest != 0 {
      heap.entry(at: queue.newest).newer = index
    } else {
      queue.oldest = index
    }
    queue.newest = index
    queue.count += 1
    queue.bytes += entry.weight
  }

  private static func take(_ entry: Entry, from queue: inout Queue, in heap: borrowing EntryHeap) {
    let newer = entry.newer
    let older = entry.older
    if newer != 0 {
      heap.entry(at: newer).older = older
    } else {
      queue.newest = older
    }
    if older != 0 {
      heap.entry(at: older).newer = newer
    } else {
      queue.oldest = newer
    }
    queue.count -= 1
    queue.bytes -= entry.weight
  }
}

extension Entry {
  /// The bytes that go when it goes, a body held for it by another allocation included.
  var weight: Int { sharesBody ? allocatedBytes + donor.allocatedBytes : allocatedBytes }
}
