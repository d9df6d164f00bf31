// SPDX-License-Identifier: Apache-2.0

/// How an entry finds its store: what never changes, so that it may be read without the gate.
struct StoreAnchor {
  let gate: Lock
  let state: UnsafeMutablePointer<StoreState>
  /// log2 of the bytes of the heap's unit.
  let shift: UInt32
}

/// What changes when entries come and go. Everything here happens under the gate; lookups take part
/// only through the index, whose stripes have locks of their own, taken after the gate or alone.
///
/// Only misses, evictions and purges come here, each for well under a microsecond beside the tens
/// that fetching takes, so one lock serves all loops and the policy sees the whole cache.
struct StoreState: ~Copyable {
  let memory: EntryMemory
  let index: EntryIndex
  let slots: SlotTable
  var queues: EvictionQueues
  private var ghosts: Ghosts
  /// Purges that a fill under way may have begun before.
  var matchers: [PurgeMatcher] = []
  /// Entries whose fill began under an older number are refused: the matchers that would know
  /// better were too many to keep.
  private var refusedBefore: UInt64 = 0
  /// Entries of `SlotTable.Slot.dead` over all slots.
  private(set) var deadCount = 0
  private var sweepBucket = 0
  /// Where the last victim stood.
  private var lastHeap: UnsafeMutablePointer<EntryHeap>
  private let budget: MemoryBudget
  private let fixedBytes: Int

  private static let matcherLimit = 1024
  /// Bytes that are evicted before looking for whole pages among them.
  private static let evictionLimit = 128 << 10

  init(budget: MemoryBudget, stripes: Int) {
    self.budget = budget
    memory = EntryMemory(budget: budget)
    queues = EvictionQueues(memory.addresses)
    lastHeap = memory.large
    index = EntryIndex(memory: budget.limit, stripes: stripes)
    slots = SlotTable()
    ghosts = Ghosts(memory: budget.limit)
    fixedBytes = index.byteCount + ghosts.byteCount
    budget.charge(fixedBytes)
  }

  deinit {
    index.deallocate()
    slots.deallocate()
    ghosts.deallocate()
    queues.deallocate()
    budget.release(fixedBytes)
  }

  // MARK: Memory

  /// A block for a new entry, at the cost of others; 0 when memory cannot be had.
  mutating func allocate(bytes: Int) -> UInt32 {
    var block = memory.allocate(bytes)
    if block != 0 { return block }
    // What goes frees blocks, not always where they are needed: more than `bytes` may have to go
    // before whole pages are free.
    var evicted = 0
    var sinceGiven = 0
    while evicted < Self.evictionLimit + bytes * 2 {
      let freed = evict(incoming: bytes)
      if freed == 0 { break }
      evicted += freed
      sinceGiven += freed
      block = memory.allocate(bytes)
      if block != 0 { return block }
      if sinceGiven < min(bytes, Self.evictionLimit) { continue }
      sinceGiven = 0
      if memory.giveBack(bytes) == 0 { continue }
      block = memory.allocate(bytes)
      if block != 0 { return block }
    }
    // Enough was evicted, in too many places.
    if !clearRun(max(bytes, Self.evictionLimit)) { return 0 }
    _ = memory.giveBack(bytes)
    return memory.allocate(bytes)
  }

  /// Evicts one entry, or all those found purged; the bytes they took, 0 when there is none.
  private mutating func evict(incoming: Int) -> Int {
    if deadCount > 0 {
      let freed = sweep(buckets: 64)
      if freed > 0 { return freed }
    }
    let slots = slots
    guard let victim = queues.victim(incoming: incoming, isDead: { slots.isDead($0) })
    else { return 0 }
    let entry = victim.entry
    if victim.isSmall { ghosts.remember(entry.hash, entryCount: queues.count) }
    let index = memory.addresses.index(entry)
    lastHeap = memory.heap(of: index)
    lastHeap.pointee.hand = index
    let bytes = entry.weight
    unlink(entry)
    return bytes
  }

  /// Makes so many bytes free in one piece.
  private mutating func clearRun(_ bytes: Int) -> Bool {
    if clearRun(bytes, in: lastHeap) { return true }
    return clearRun(bytes, in: lastHeap == memory.small ? memory.large : memory.small)
  }

  /// Evicts neighbors, from the hand on, until so many bytes lie free in one piece. Age and address
  /// go together in such a cache, so next to the last victim they are mostly due soon anyway.
  private mutating func clearRun(_ bytes: Int, in heap: UnsafeMutablePointer<EntryHeap>) -> Bool {
    let addresses = memory.addresses
    let units = addresses.units(bytes)
    let most = max(units &* 8, addresses.units(4 << 20))
    var walked: UInt32 = 0
    var at = heap.pointee.hand
    var start = at
    while walked < most {
      if at == heap.pointee.top {
        walked += units
        at = heap.pointee.first
        start = at
        continue
      }
      let size = heap.pointee.size(at)
      let block = at
      at += size
      walked += heap.pointee.isHole(block) ? 1 : size
      let isUsable =
        heap.pointee.isFree(block)
        ? !heap.pointee.isHole(block) : isEvictable(addresses.entry(block))
      if !isUsable {
        start = at
      } else if at - start >= units {
        if clear(from: start, units, in: heap) { return true }
        // A viewer took one of them meanwhile.
        at = heap.pointee.hand
        start = at
      }
    }
    heap.pointee.hand = at
    return false
  }

  /// Evicts what stands in a run found by `clearRun`; on failure the hand is where it ended.
  private mutating func clear(
    from start: UInt32, _ units: UInt32, in heap: UnsafeMutablePointer<EntryHeap>
  ) -> Bool {
    heap.pointee.hand = start
    while true {
      // The heap moves its hand to the block that swallows the one it pointed to.
      var next = heap.pointee.hand
      if heap.pointee.isFree(next) && !heap.pointee.isHole(next) {
        if heap.pointee.size(next) >= units { return true }
        next += heap.pointee.size(next)
      }
      guard next != heap.pointee.top, !heap.pointee.isFree(next),
        isEvictable(memory.addresses.entry(next))
      else {
        heap.pointee.hand = next
        return false
      }
      unlink(memory.addresses.entry(next))
    }
  }

  private func isEvictable(_ entry: Entry) -> Bool { entry.isLinked && entry.isIdle }

  /// Gives memory back until the budget's use is `target` or nothing more can go.
  mutating func shrink(to target: Int) {
    while budget.used > target {
      let over = budget.used - target
      if memory.giveBack(over) > 0 { continue }
      var evicted = 0
      while evicted < max(over, Self.evictionLimit) {
        let freed = evict(incoming: 0)
        if freed == 0 { break }
        evicted += freed
      }
      if memory.giveBack(over) > 0 { continue }
      if !clearRun(max(min(over, 1 << 20), Self.evictionLimit)) { return }
      if memory.giveBack(over) == 0 { return }
    }
  }

  mutating func free(_ entry: Entry) {
    var entry = entry
    while true {
      let donor = entry.sharesBody ? entry.donor : nil
      memory.free(entry)
      guard let donor, donor.dropReference() else { return }
      entry = donor
    }
  }

  // MARK: Entries

  mutating func link(
    _ entry: Entry, frequency: UInt8, intoMain: Bool, behind other: Entry? = nil
  ) {
    let isGhost = ghosts.recall(entry.hash)
    entry.frequency = frequency
    entry.retain()
    entry.mark(.linked)
    queues.insert(entry, intoMain: intoMain || isGhost)
    slots.counts[entry.slot].linked += 1
    index.link(entry, at: memory.addresses.index(entry), behind: other)
  }

  mutating func unlink(_ entry: Entry) {
    index.unlink(entry, at: memory.addresses.index(entry), in: memory.addresses)
    queues.remove(entry)
    entry.unmark([.linked, .main])
    let counts = slots.counts + entry.slot
    counts.pointee.linked -= 1
    if counts.pointee.dead > 0
      && (slots.isDead(entry) || counts.pointee.dead > counts.pointee.linked)
    {
      counts.pointee.dead -= 1
      deadCount -= 1
    }
    if entry.dropReference() { free(entry) }
  }

  // MARK: Purges

  enum Standing { case valid, stale, purged }

  /// What the purges since an entry's fill began say about it.
  func standing(
    key: UnsafeBufferPointer<UInt8>, tags: UnsafeBufferPointer<UInt8>, slot: Int,
    purgeNumber: UInt64
  ) -> Standing {
    if slots.isPurged(slot, since: purgeNumber) || purgeNumber < refusedBefore { return .purged }
    var standing = slots.isSoftPurged(slot, since: purgeNumber) ? Standing.stale : .valid
    for matcher in matchers
    where purgeNumber < matcher.number && matcher.slot == slot
      && matcher.matches(key: key, tags: tags)
    {
      if !matcher.soft { return .purged }
      standing = .stale
    }
    return standing
  }

  mutating func publish(_ matcher: PurgeMatcher) {
    if matchers.count == Self.matcherLimit {
      refusedBefore = max(refusedBefore, matchers.removeFirst().number)
    }
    matchers.append(matcher)
  }

  /// Applies a purge of a whole distribution; how many entries it met.
  mutating func purgeAll(slot: Int, number: UInt64, soft: Bool) -> Int {
    let counts = slots.counts + slot
    let count = counts.pointee.linked - counts.pointee.dead
    if soft {
      let current = slots.generations[slot].softPurged.load(ordering: .relaxed)
      slots.generations[slot].softPurged.store(
        max(current, number), ordering: .sequentiallyConsistent)
      return count
    }
    let current = slots.generations[slot].purged.load(ordering: .relaxed)
    slots.generations[slot].purged.store(max(current, number), ordering: .sequentiallyConsistent)
    counts.pointee.dead += count
    deadCount += count
    return count
  }

  /// Removes entries that a purge of their whole distribution left behind, from the next `buckets`
  /// buckets; the bytes they took.
  mutating func sweep(buckets: Int) -> Int {
    if deadCount == 0 { return 0 }
    var freed = 0
    for _ in 0..<min(buckets, index.bucketCount) {
      var at = index.first(sweepBucket)
      while at != 0 {
        let entry = memory.addresses.entry(at)
        at = entry.chain
        if slots.isDead(entry) {
          freed += entry.weight
          unlink(entry)
        }
      }
      sweepBucket = (sweepBucket + 1) & (index.bucketCount - 1)
    }
    return freed
  }

  /// Applies a purge to the entries of some buckets; how many it met.
  mutating func apply(_ matcher: PurgeMatcher, toBuckets buckets: Range<Int>) -> Int {
    var count = 0
    for bucket in buckets {
      var at = index.first(bucket)
      while at != 0 {
        let entry = memory.addresses.entry(at)
        at = entry.chain
        guard entry.purgeNumber < matcher.number, entry.slot == matcher.slot,
          !slots.isDead(entry), matcher.matches(key: entry.key, tags: entry.tags)
        else { continue }
        count += 1
        if matcher.soft { entry.mark(.softPurged) } else { unlink(entry) }
      }
    }
    return count
  }
}
