// SPDX-License-Identifier: Apache-2.0

extension CacheStore {
  /// Purges a distribution in constant time; how many entries it had.
  package func purgeAll(slot: Int, number: UInt64, soft: Bool) -> Int {
    gate.lock()
    defer { gate.unlock() }
    return state.pointee.purgeAll(slot: slot, number: number, soft: soft)
  }

  /// Purges what matches; how many entries it found. From its return on no lookup returns an older
  /// entry that matches, and none is inserted by a fill that began before.
  package func purge(_ matcher: PurgeMatcher, number: UInt64, soft: Bool) -> Int {
    precondition(matcher.number == number && matcher.soft == soft)
    gate.lock()
    state.pointee.publish(matcher)
    gate.unlock()
    var count = 0
    var bucket = 0
    while bucket < index.bucketCount {
      let end = min(bucket + Self.purgeBatch, index.bucketCount)
      gate.lock()
      count += state.pointee.apply(matcher, toBuckets: bucket..<end)
      gate.unlock()
      bucket = end
    }
    return count
  }

  /// How many entries a purge would find.
  package func count(matching matcher: PurgeMatcher) -> Int {
    let state = state
    var count = 0
    for bucket in 0..<index.bucketCount {
      gate.lock()
      var at = index.first(bucket)
      while at != 0 {
        let entry = state.pointee.memory.addresses.entry(at)
        at = entry.chain
        if !slots.isDead(entry) && matcher.matches(key: entry.key, tags: entry.tags) { count += 1 }
      }
      gate.unlock()
    }
    return count
  }

  /// Forgets purges up to `number`: no fill that began under an older one is under way.
  package func retirePurges(before number: UInt64) {
    gate.lock()
    state.pointee.matchers.removeAll { $0.number <= number }
    gate.unlock()
  }

  /// Whether a purge, hard or soft, has come since the fill of this entry began.
  package func isPurged(_ entry: Entry) -> Bool {
    entry.isSoftPurged
      || isPurged(
        key: entry.key, tags: entry.tags, slot: entry.slot, purgeNumber: entry.purgeNumber)
  }

  package func isPurged(
    key: UnsafeBufferPointer<UInt8>, tags: UnsafeBufferPointer<UInt8>, slot: Int,
    purgeNumber: UInt64
  ) -> Bool {
    gate.lock()
    defer { gate.unlock() }
    return state.pointee.standing(key: key, tags: tags, slot: slot, purgeNumber: purgeNumber)
      != .valid
  }
}
