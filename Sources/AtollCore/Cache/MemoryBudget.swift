// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Everything that the process holds for cache and connections, as one number with a limit.
///
/// The cache takes what nobody else needs, up to `cacheLimit`, and gives it back when a charge
/// would pass the limit. What it takes is counted in pages that the kernel really has to supply,
/// so `used` bounds the resident memory, the unused parts of the cache's heap included.
package final class MemoryBudget: Sendable {
  package let limit: Int
  /// The cache stops growing here. The rest lets connections come and go without the cache giving
  /// and taking pages for each of them.
  let cacheLimit: Int
  private let total = Atomic<Int>(0)
  /// What gives memory back: an unretained `CacheStore`, or 0.
  private let cache = Atomic<UInt>(0)

  package init(limit: Int) {
    precondition(limit >= 0)
    self.limit = limit
    cacheLimit = limit - min(limit / 64, 4 << 20)
  }

  package var used: Int { total.load(ordering: .relaxed) }

  /// Takes `n` bytes if they fit under the limit, at the cache's cost when necessary.
  package func tryReserve(_ n: Int) -> Bool {
    if take(n, below: limit) { return true }
    giveBack(n)
    return take(n, below: limit)
  }

  /// Takes `n` bytes whether they fit or not, and makes the cache give back what is over.
  package func charge(_ n: Int) {
    let now = total.wrappingAdd(n, ordering: .relaxed).newValue
    if now > limit { giveBack(0) }
  }

  package func release(_ n: Int) {
    let now = total.wrappingSubtract(n, ordering: .relaxed).newValue
    assert(now >= 0)
  }

  /// Never turns to the cache, whose lock the caller may hold.
  func take(_ n: Int, below bound: Int) -> Bool {
    var current = total.load(ordering: .relaxed)
    while current <= bound - n {
      let (done, seen) = total.weakCompareExchange(
        expected: current, desired: current + n, ordering: .relaxed)
      if done { return true }
      current = seen
    }
    return false
  }

  func attach(_ store: CacheStore) {
    cache.store(
      UInt(bitPattern: Unmanaged.passUnretained(store).toOpaque()), ordering: .releasing)
  }

  func detach() { cache.store(0, ordering: .releasing) }

  private func giveBack(_ wanted: Int) {
    let address = cache.load(ordering: .acquiring)
    guard let pointer = UnsafeRawPointer(bitPattern: address) else { return }
    Unmanaged<CacheStore>.fromOpaque(pointer)._withUnsafeGuaranteedRef { $0.giveBack(wanted) }
  }
}
