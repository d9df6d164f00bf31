// SPDX-License-Identifier: Apache-2.0

/// Fingerprints of entries that left the small queue unasked for: about as many as there are
/// entries, in a table of fixed size.
struct Ghosts {
  /// Eight fingerprints, so one bucket is half a cache line.
  private static let ways = 8
  private static let bytesPerGhost = 2048
  private static let epochs: UInt16 = 16

  let byteCount: Int
  private let table: UnsafeMutablePointer<UInt32>
  private let bucketMask: Int
  /// Counts sixteenths of a cache's turnover; the age of a ghost without a queue of them.
  private var epoch: UInt16 = 1
  private var untilNext = 64

  init(memory: Int) {
    var count = 1024
    while count * Self.bytesPerGhost < memory { count *= 2 }
    byteCount = count * MemoryLayout<UInt32>.stride
    table = mapPages(byteCount).bindMemory(to: UInt32.self, capacity: count)
    bucketMask = count / Self.ways - 1
  }

  func deallocate() { unmapPages(table, byteCount) }

  /// - Parameter entryCount: how many entries the cache holds.
  mutating func remember(_ hash: KeyHash, entryCount: Int) {
    untilNext -= 1
    if untilNext <= 0 {
      epoch &+= 1
      untilNext = max(entryCount / Int(Self.epochs), 16)
    }
    let bucket = bucket(of: hash)
    let fingerprint = Self.fingerprint(hash)
    var oldest = 0
    var oldestAge: UInt16 = 0
    for way in 0..<Self.ways {
      let ghost = bucket[way]
      // A zero is an empty place.
      let age = ghost == 0 ? UInt16.max : epoch &- UInt16(truncatingIfNeeded: ghost)
      if UInt16(ghost >> 16) == fingerprint || age >= oldestAge {
        oldest = way
        oldestAge = age
        if UInt16(ghost >> 16) == fingerprint { break }
      }
    }
    bucket[oldest] = UInt32(fingerprint) << 16 | UInt32(epoch)
  }

  /// Whether it was remembered; it is not afterwards.
  mutating func recall(_ hash: KeyHash) -> Bool {
    let bucket = bucket(of: hash)
    let fingerprint = Self.fingerprint(hash)
    for way in 0..<Self.ways where UInt16(bucket[way] >> 16) == fingerprint {
      let age = epoch &- UInt16(truncatingIfNeeded: bucket[way])
      bucket[way] = 0
      return age <= Self.epochs
    }
    return false
  }

  private func bucket(of hash: KeyHash) -> UnsafeMutablePointer<UInt32> {
    table + (Int(truncatingIfNeeded: hash.high) & bucketMask) &* Self.ways
  }

  /// Never 0.
  private static func fingerprint(_ hash: KeyHash) -> UInt16 {
    UInt16(truncatingIfNeeded: hash.high &>> 48) | 1
  }
}
