// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Finds what else is stored for URLs that unsafe requests have changed (RFC 9111 §4.4): behaviors
/// with cookies or headers in their keys have many keys for one URL, of which the request names one.
///
/// One thread looks through the cache for all URLs that have come since it last did: however many
/// requests come, it is never more work than one look after the other.
final class InvalidationScan: @unchecked Sendable {
  private let cache: CacheStore
  private let registry: FetchRegistry
  private let lock = Lock()
  // Under the lock.
  private var pool: WorkerPool?
  private var pending: Set<InvalidatedURL> = []
  private var isRunning = false

  init(cache: CacheStore, registry: FetchRegistry) {
    self.cache = cache
    self.registry = registry
  }

  /// From any thread.
  func add(_ url: InvalidatedURL) {
    registry.overtake(where: url.matches)
    let pool: WorkerPool? = lock.locked {
      // Who changes so many at once waits for the time to live of the rest.
      if pending.count < Limits.invalidations { pending.insert(url) }
      if isRunning { return nil }
      isRunning = true
      if self.pool == nil { self.pool = WorkerPool(threads: 1) }
      return self.pool
    }
    pool?.submit { self.run() }
  }

  private func run() {
    while true {
      let urls: Set<InvalidatedURL> = lock.locked {
        let urls = pending
        pending = []
        isRunning = !urls.isEmpty
        return urls
      }
      if urls.isEmpty { return }
      _ = cache.invalidate(urls)
    }
  }
}
