// SPDX-License-Identifier: Apache-2.0

/// Where entries are found by their hash: buckets of chains, sized once and never rehashed.
///
/// Every stripe of neighboring buckets has a lock, which a lookup holds for some nanoseconds.
/// Chains change only under both the store's gate and the stripe's lock, so whoever holds the gate
/// may walk them without the latter.
struct EntryIndex: @unchecked Sendable {
  /// Memory per bucket: about what one small entry takes, so chains stay near one entry long.
  static let bytesPerBucket = 1024

  let bucketCount: Int
  let byteCount: Int
  private let buckets: UnsafeMutablePointer<UInt32>
  private let locks: UnsafeMutableRawPointer
  private let stripeShift: Int
  private let stripeCount: Int

  init(memory: Int, stripes: Int) {
    var stripeCount = 1
    while stripeCount < stripes { stripeCount *= 2 }
    var bucketCount = max(stripeCount, 1024)
    while bucketCount * Self.bytesPerBucket < memory { bucketCount *= 2 }
    self.bucketCount = bucketCount
    self.stripeCount = stripeCount
    stripeShift = (bucketCount / stripeCount).trailingZeroBitCount
    let bucketBytes = bucketCount * MemoryLayout<UInt32>.stride
    byteCount = bucketBytes + stripeCount * Lock.stride
    locks = mapPages(byteCount)
    buckets = (locks + stripeCount * Lock.stride).bindMemory(
      to: UInt32.self, capacity: bucketCount)
    for stripe in 0..<stripeCount { Lock.initialize(at: locks + stripe * Lock.stride) }
  }

  func deallocate() {
    for stripe in 0..<stripeCount { Lock(at: locks + stripe * Lock.stride).destroy() }
    unmapPages(locks, byteCount)
  }

  @inline(__always)
  func bucket(of hash: KeyHash) -> Int { Int(truncatingIfNeeded: hash.low) & (bucketCount &- 1) }

  @inline(__always)
  func lock(ofBucket bucket: Int) -> Lock {
    Lock(at: locks + (bucket &>> stripeShift) &* Lock.stride)
  }

  /// The chain's first entry, or 0.
  @inline(__always)
  func first(_ bucket: Int) -> UInt32 { buckets[bucket] }

  /// Puts an entry first, before older variants of its key, or behind the one given. The gate is
  /// held.
  func link(_ entry: Entry, at index: UInt32, behind other: Entry? = nil) {
    let bucket = bucket(of: entry.hash)
    let lock = lock(ofBucket: bucket)
    lock.lock()
    if let other {
      entry.chain = other.chain
      other.chain = index
    } else {
      entry.chain = buckets[bucket]
      buckets[bucket] = index
    }
    lock.unlock()
  }

  /// The gate is held.
  func unlink(_ entry: Entry, at index: UInt32, in addresses: EntryAddresses) {
    let bucket = bucket(of: entry.hash)
    let lock = lock(ofBucket: bucket)
    var at = buckets[bucket]
    if at == index {
      lock.lock()
      buckets[bucket] = entry.chain
      lock.unlock()
      return
    }
    while true {
      precondition(at != 0, "a linked entry stands in its chain")
      let other = addresses.entry(at)
      at = other.chain
      if at == index {
        lock.lock()
        other.chain = entry.chain
        lock.unlock()
        return
      }
    }
  }
}
