// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// The fills under way, by cache key: what makes concurrent misses one origin request.
///
/// Sharded like the cache. Beside the fills it remembers for a while which keys turned out not to be
/// storable, so that their viewers do not queue for each other in vain.
final class FetchRegistry: @unchecked Sendable {
  /// What a viewer that found nothing usable stored should do.
  enum Answer {
    /// Fetch, as the one that others may join.
    case lead(Fetch)
    /// Read from a fetch under way.
    case join(Fetch)
    /// Fetch alone: the key is known not to be storable.
    case alone
  }

  private final class Shard {
    let lock = Lock()
    /// By hash; a fetch tells its key, and equal hashes of different keys go on alone.
    var fetches: [KeyHash: Fetch] = [:]
    /// Every fetch that may still be stored, joinable or not.
    var active: [ObjectIdentifier: Fetch] = [:]
    /// Milliseconds of the monotonic clock until which a key counts as not storable.
    var unstorable: [KeyHash: Int64] = [:]

    /// Under the lock.
    func drop(_ fetch: Fetch) {
      if fetches[fetch.hash] === fetch { fetches[fetch.hash] = nil }
      if let whole = fetch.slice?.wholeHash, fetches[whole] === fetch { fetches[whole] = nil }
    }
  }

  private static let shardCount = 64
  /// Milliseconds that a key is remembered as not storable.
  private static let memory: Int64 = 10_000
  /// Remembered keys per shard; above it the oldest knowledge is dropped whole.
  private static let memoryLimit = 1_024
  private let shards: [Shard]

  /// How origins answer requests for ranges.
  let habits = RangeHabits()

  init() { shards = (0..<Self.shardCount).map { _ in Shard() } }

  private func shard(_ hash: KeyHash) -> Shard {
    shards[Int(truncatingIfNeeded: hash.low & UInt64(Self.shardCount - 1))]
  }

  /// The slices of a response stand in the shard of the whole.
  private func shard(of fetch: Fetch) -> Shard { shard(fetch.slice?.wholeHash ?? fetch.hash) }

  /// - Parameters:
  ///   - home: the hash of the whole, for a slice of it.
  ///   - behavior: of the viewer's configuration. A fetch under a former one goes on for who reads
  ///     it; the first viewer of the next configuration takes its place.
  ///   - make: called under a lock, when this viewer is to lead.
  func enter(
    hash: KeyHash, key: UnsafeBufferPointer<UInt8>, home: KeyHash? = nil,
    behavior: BehaviorPolicy, now: Int64, make: () -> Fetch
  ) -> Answer {
    let shard = shard(home ?? hash)
    return shard.lock.locked {
      if let fetch = shard.fetches[hash], fetch.behavior === behavior {
        return fetch.isNamed(hash, key) ? .join(fetch) : .alone
      }
      if let until = shard.unstorable[hash] {
        if now < until { return .alone }
        shard.unstorable[hash] = nil
      }
      let fetch = make()
      shard.fetches[hash] = fetch
      shard.active[ObjectIdentifier(fetch)] = fetch
      return .lead(fetch)
    }
  }

  /// A fetch that nobody may join, but whose response may be stored. Made under the lock, so that no
  /// purge is forgotten between its reading the purge number and its standing here.
  func beginAlone(hash: KeyHash, home: KeyHash? = nil, make: () -> Fetch) -> Fetch {
    let shard = shard(home ?? hash)
    return shard.lock.locked {
      let fetch = make()
      shard.active[ObjectIdentifier(fetch)] = fetch
      return fetch
    }
  }

  /// The fill of a key that is under way, if any.
  func fetch(hash: KeyHash, key: UnsafeBufferPointer<UInt8>) -> Fetch? {
    let shard = shard(hash)
    return shard.lock.locked {
      guard let fetch = shard.fetches[hash], fetch.isNamed(hash, key) else { return nil }
      return fetch
    }
  }

  /// A fetch of a slice brings the whole: whoever wants that may join from now on.
  func becameWhole(_ fetch: Fetch) {
    guard let slice = fetch.slice else { return }
    let shard = shard(of: fetch)
    shard.lock.locked {
      // One that has been overtaken or purged is joined by nobody.
      guard shard.fetches[fetch.hash] === fetch, shard.fetches[slice.wholeHash] == nil else {
        return
      }
      shard.fetches[slice.wholeHash] = fetch
    }
  }

  /// The fetch takes no more readers: it may not be shared.
  func remove(_ fetch: Fetch) {
    let shard = shard(of: fetch)
    shard.lock.locked { shard.drop(fetch) }
  }

  /// The fetch is stored, or never will be.
  func ended(_ fetch: Fetch) {
    let shard = shard(of: fetch)
    shard.lock.locked {
      shard.drop(fetch)
      shard.active[ObjectIdentifier(fetch)] = nil
    }
  }

  func rememberUnstorable(_ hash: KeyHash, now: Int64) {
    let shard = shard(hash)
    shard.lock.locked {
      if shard.unstorable.count >= Self.memoryLimit { shard.unstorable.removeAll() }
      shard.unstorable[hash] = now &+ Self.memory
    }
  }

  func forgetUnstorable(_ hash: KeyHash) {
    let shard = shard(hash)
    shard.lock.locked { _ = shard.unstorable.removeValue(forKey: hash) }
  }

  /// What is being fetched under this key, or as a slice of it, was asked for before an unsafe
  /// request changed it: nobody joins it any more, and it is not stored.
  func overtake(_ hash: KeyHash) {
    let shard = shard(hash)
    shard.lock.locked {
      for fetch in shard.active.values
      where fetch.hash == hash || fetch.slice?.wholeHash == hash {
        fetch.overtake()
        shard.drop(fetch)
      }
    }
  }

  /// The same for every key that matches.
  func overtake(where matches: (UnsafeBufferPointer<UInt8>) -> Bool) {
    for shard in shards {
      shard.lock.locked {
        for fetch in shard.active.values where matches(fetch.key.bytes) {
          fetch.overtake()
          shard.drop(fetch)
        }
      }
    }
  }

  /// Viewers that come from now on do not join the fetches that match: a purge has overtaken them.
  func detach(where matches: (Fetch) -> Bool) {
    for shard in shards {
      shard.lock.locked {
        shard.fetches = shard.fetches.filter { !matches($0.value) }
      }
    }
  }

  /// The smallest purge number among the fetches that may still be stored: what was purged before
  /// that needs no watching any more.
  var oldestPurgeNumber: UInt64? {
    var oldest: UInt64?
    for shard in shards {
      shard.lock.locked {
        for fetch in shard.active.values { oldest = min(oldest ?? .max, fetch.purgeNumber) }
      }
    }
    return oldest
  }
}
