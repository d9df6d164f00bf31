// SPDX-License-Identifier: Apache-2.0
import Glibc

/// The cache in memory, shared by all loops.
///
/// A hit takes one lock of many for some nanoseconds, allocates nothing and moves nothing. All else
/// goes through one gate: see `StoreState`. Memory comes from one heap that never grows past the
/// budget: when it is full, making an entry evicts others, and when that does not help there is no
/// entry. Entries that exchanges still hold stay where they are until they are released.
package final class CacheStore: @unchecked Sendable {
  package let budget: MemoryBudget
  /// Largest body that is stored, in bytes.
  package let objectLimit: Int
  /// To be touched only by who holds the gate.
  let state: UnsafeMutablePointer<StoreState>
  private let anchor: UnsafeMutablePointer<StoreAnchor>
  let gate: Lock
  private let gateMemory: UnsafeMutableRawPointer
  // Copies for lookups, which never touch the rest of the state.
  let index: EntryIndex
  let slots: SlotTable
  let addresses: EntryAddresses

  /// Larger bodies are shared between an entry and its updated successor rather than copied.
  private static let copiedBody = 32 << 10
  /// Buckets that a purge looks at between two chances for others to enter the gate.
  static let purgeBatch = 256

  /// Whether the kernel gives this process the address space that a store of this many bytes lays
  /// itself out in, several times as much as it will ever fill.
  package static func canLayOut(bytes limit: Int) -> Bool {
    let (wanted, overflows) = limit.multipliedReportingOverflow(by: 6)
    if overflows { return false }
    guard let probe = probePages(wanted) else { return false }
    unmapPages(probe, wanted)
    return true
  }

  package init(budget: MemoryBudget, seed: HashSeed, shards: Int = 64) {
    self.budget = budget
    objectLimit = budget.limit / Limits.objectShare
    state = .allocate(capacity: 1)
    state.initialize(to: StoreState(budget: budget, stripes: shards))
    index = state.pointee.index
    slots = state.pointee.slots
    addresses = state.pointee.memory.addresses
    gateMemory = .allocate(byteCount: Lock.stride, alignment: Lock.stride)
    Lock.initialize(at: gateMemory)
    gate = Lock(at: gateMemory)
    anchor = .allocate(capacity: 1)
    anchor.initialize(to: StoreAnchor(gate: gate, state: state, shift: addresses.shift))
    budget.attach(self)
  }

  deinit {
    budget.detach()
    state.deinitialize(count: 1)
    state.deallocate()
    anchor.deallocate()
    gate.destroy()
    gateMemory.deallocate()
  }

  // MARK: Making entries

  /// An entry to be filled, of which the caller owns one reference; nil when it is too large or
  /// memory cannot be had. Status, freshness and meta are the caller's to set before `insert`.
  /// - Parameter sent: a `SentHead` of the head, when viewers get another.
  package func makeEntry(
    hash: KeyHash, key: UnsafeBufferPointer<UInt8>, vary: UnsafeBufferPointer<UInt8>,
    tags: UnsafeBufferPointer<UInt8>, head: UnsafeBufferPointer<UInt8>,
    sent: UnsafeBufferPointer<UInt8> = UnsafeBufferPointer(start: nil, count: 0),
    bodyCapacity: Int, slot: Int, purgeNumber: UInt64
  ) -> Entry? {
    precondition(slot >= 0 && slot < SlotTable.capacity)
    let longest = Int(UInt16.max)
    guard bodyCapacity <= objectLimit, key.count <= longest, vary.count <= longest,
      tags.count <= longest, head.count <= longest, sent.count <= longest
    else { return nil }
    let size =
      EntryHeader.byteCount + key.count + vary.count + tags.count + head.count + sent.count
      + max(bodyCapacity, 0)
    gate.lock()
    let block = state.pointee.allocate(bytes: size)
    if block == 0 {
      gate.unlock()
      return nil
    }
    let entry = addresses.entry(block)
    entry.pointer.initialize(
      to: EntryHeader(
        block: entry.pointer.pointee.block.load(ordering: .relaxed), hash: hash,
        keyLength: key.count,
        varyLength: vary.count, tagsLength: tags.count, headLength: head.count,
        sentLength: sent.count, slot: slot, purgeNumber: purgeNumber, anchor: anchor))
    entry.details.initialize(to: EntryDetails())
    gate.unlock()
    var at = entry.parts
    for part in [key, vary, tags, head, sent] {
      if let bytes = part.baseAddress { memcpy(at, bytes, part.count) }
      at += part.count
    }
    return entry
  }

  /// For bodies of unknown length: an entry with room for `bodyCapacity` bytes of body and the
  /// bytes so far; nil when it would be too large or memory cannot be had. It may be the same
  /// entry, enlarged and retained; either way the caller owns one reference more, and releases the
  /// old one.
  package func grow(_ entry: Entry, bodyCapacity: Int) -> Entry? {
    precondition(!entry.isLinked && !entry.sharesBody)
    if bodyCapacity > objectLimit { return nil }
    if bodyCapacity <= entry.bodyCapacity {
      entry.retain()
      return entry
    }
    gate.lock()
    let size =
      EntryHeader.byteCount + entry.partsLength + bodyCapacity
    let expanded = state.pointee.memory.expand(entry, to: size)
    gate.unlock()
    if expanded {
      entry.retain()
      return entry
    }
    guard
      let grown = makeEntry(
        hash: entry.hash, key: entry.key, vary: entry.vary, tags: entry.tags, head: entry.head,
        sent: entry.sent, bodyCapacity: bodyCapacity, slot: entry.slot,
        purgeNumber: entry.purgeNumber)
    else { return nil }
    let length = entry.bodyLength
    memcpy(grown.mutableBody, entry.body, length)
    grown.bodyLength = length
    grown.status = entry.status
    grown.freshness = entry.freshness
    grown.meta = entry.meta
    return grown
  }

  /// After a 304: the same key, status and body with a new head, which comes with freshness and meta
  /// of its own. The old entry stays as it is until `insert` replaces it.
  /// - Parameters:
  ///   - vary: the old entry's section when nil.
  ///   - tags: the old entry's when nil.
  package func makeUpdated(
    _ entry: Entry, head: UnsafeBufferPointer<UInt8>,
    sent: UnsafeBufferPointer<UInt8> = UnsafeBufferPointer(start: nil, count: 0),
    vary: UnsafeBufferPointer<UInt8>? = nil, tags: UnsafeBufferPointer<UInt8>? = nil,
    freshness: Freshness, meta: StoredMeta,
    purgeNumber: UInt64
  ) -> Entry? {
    let length = entry.bodyLength
    let shares = length > Self.copiedBody
    guard
      let updated = makeEntry(
        hash: entry.hash, key: entry.key, vary: vary ?? entry.vary, tags: tags ?? entry.tags,
        head: head,
        sent: sent, bodyCapacity: shares ? MemoryLayout<UInt>.size : length, slot: entry.slot,
        purgeNumber: purgeNumber)
    else { return nil }
    if shares {
      let donor = entry.sharesBody ? entry.donor : entry
      donor.retain()
      updated.setDonor(donor)
      updated.pointer.pointee.bodyLength.store(length, ordering: .releasing)
    } else {
      memcpy(updated.mutableBody, entry.body, length)
      updated.bodyLength = length
    }
    updated.status = entry.status
    updated.freshness = freshness
    updated.meta = meta
    return updated
  }

  // MARK: Using entries

  package struct LookupResult: Sendable {
    /// Retained for the caller.
    package var entry: Entry?
    /// There are entries of this key, for other requests.
    package var sawOtherVariant = false
    /// There was an entry, which a purge had reached.
    package var sawPurged = false

    /// Why there is no entry.
    package var missReason: Reason {
      sawPurged ? .purged : sawOtherVariant ? .varyMismatch : .absent
    }
  }

  /// - Parameter varyMatches: whether a vary section fits the request; called under a lock, so it
  ///   must not turn to the store.
  @inline(__always)
  package func lookup(
    hash: KeyHash, key: UnsafeBufferPointer<UInt8>,
    varyMatches: (UnsafeBufferPointer<UInt8>) -> Bool
  ) -> LookupResult {
    var result = LookupResult()
    var dead: Entry?
    let bucket = index.bucket(of: hash)
    let lock = index.lock(ofBucket: bucket)
    lock.lock()
    var at = index.first(bucket)
    while at != 0 {
      let entry = addresses.entry(at)
      at = entry.chain
      if !entry.has(hash, key) { continue }
      if slots.isDead(entry) {
        result.sawPurged = true
        if dead == nil {
          entry.retain()
          dead = entry
        }
        continue
      }
      // Variants stand in the chain as RFC 9111 §4.1 would have them chosen: the most recent first,
      // what has no Vary last.
      if entry.pointer.pointee.varyLength != 0 && !varyMatches(entry.vary) {
        result.sawOtherVariant = true
        continue
      }
      entry.retain()
      if slots.isSoftPurged(entry.slot, since: entry.purgeNumber) { entry.mark(.softPurged) }
      let frequency = entry.frequency
      if frequency < EvictionQueues.frequencyLimit { entry.frequency = frequency &+ 1 }
      result.entry = entry
      break
    }
    lock.unlock()
    if let dead { drop(dead) }
    return result
  }

  package enum InsertResult: Sendable { case inserted, variantLimit, purged }

  /// Makes a finished entry available, in place of the entry of the same key and vary section. The
  /// store keeps a reference of its own; room for body that was not used is given back.
  /// - Parameter varyMatches: whether a vary section fits the request that the entry was fetched
  ///   for; such older variants go, as the origin has just answered that request anew. Called under
  ///   a lock, so it must not turn to the store.
  package func insert(
    _ entry: Entry, varyMatches: (UnsafeBufferPointer<UInt8>) -> Bool = { _ in false }
  ) -> InsertResult {
    gate.lock()
    defer { gate.unlock() }
    return insertHoldingGate(entry, varyMatches: varyMatches)
  }

  func insertHoldingGate(
    _ entry: Entry, varyMatches: (UnsafeBufferPointer<UInt8>) -> Bool
  ) -> InsertResult {
    precondition(!entry.isLinked)
    let standing = state.pointee.standing(
      key: entry.key, tags: entry.tags, slot: entry.slot, purgeNumber: entry.purgeNumber)
    if standing == .purged { return .purged }
    if !entry.sharesBody {
      state.pointee.memory.cut(
        entry,
        to: EntryHeader.byteCount + entry.partsLength + entry.bodyLength)
    }
    var variants = 0
    var frequency: UInt8 = 0
    var intoMain = false
    var at = index.first(index.bucket(of: entry.hash))
    while at != 0 {
      let other = addresses.entry(at)
      at = other.chain
      if !other.has(entry.hash, entry.key) { continue }
      let isSame = entry.hasVary(other.vary)
      if slots.isDead(other) {
        state.pointee.unlink(other)
      } else if isSame || varyMatches(other.vary) {
        // What is older than a soft purge never replaces what came after it.
        if standing == .stale && other.purgeNumber > entry.purgeNumber { return .purged }
        frequency = max(frequency, other.frequency)
        if other.marks.contains(.main) { intoMain = true }
        state.pointee.unlink(other)
      } else {
        variants += 1
      }
    }
    if variants >= Limits.variantsPerKey {
      guard let victim = leastValuableVariant(of: entry.hash, entry.key, entry.freshness) else {
        return .variantLimit
      }
      state.pointee.unlink(victim)
    }
    if standing == .stale { entry.mark(.softPurged) }
    unlinkForms(replacedBy: entry, varyMatches: varyMatches)
    state.pointee.link(
      entry, frequency: frequency, intoMain: intoMain, behind: lastPreferred(to: entry))
    return .inserted
  }

  /// The last entry of the chain, in whatever form, that has the key and is chosen before a new one
  /// where both match: of two responses with a Vary the one with the later Date, which need not have
  /// come later (RFC 9111 §4); and one with a Vary before one without, which would match every
  /// request and hide it (§4.1). Under the gate.
  private func lastPreferred(to entry: Entry) -> Entry? {
    var last: Entry?
    var at = index.first(index.bucket(of: entry.hash))
    while at != 0 {
      let other = addresses.entry(at)
      at = other.chain
      if other.hasButForKind(entry.hash, entry.key) && !other.vary.isEmpty
        && (entry.vary.isEmpty || other.meta.date > entry.meta.date)
      {
        last = other
      }
    }
    return last
  }

  /// Whether one more variant of a key may be stored, at the cost of another if need be.
  /// - Parameter varyMatches: as for `insert`; what goes anyway takes no room.
  package func hasRoomForVariant(
    of hash: KeyHash, _ key: UnsafeBufferPointer<UInt8>, _ freshness: Freshness,
    varyMatches: (UnsafeBufferPointer<UInt8>) -> Bool
  ) -> Bool {
    gate.lock()
    defer { gate.unlock() }
    var variants = 0
    var at = index.first(index.bucket(of: hash))
    while at != 0 {
      let entry = addresses.entry(at)
      at = entry.chain
      if entry.has(hash, key) && !slots.isDead(entry) && !varyMatches(entry.vary) {
        variants += 1
      }
    }
    return variants < Limits.variantsPerKey
      || leastValuableVariant(of: hash, key, freshness) != nil
  }

  /// The variant to give up when a key has too many: the oldest that is stale when the new one
  /// comes, else the oldest that nobody has asked for again. Under the gate.
  private func leastValuableVariant(
    of hash: KeyHash, _ key: UnsafeBufferPointer<UInt8>, _ new: Freshness
  ) -> Entry? {
    var stale: Entry?
    var unused: Entry?
    var at = index.first(index.bucket(of: hash))
    while at != 0 {
      let entry = addresses.entry(at)
      at = entry.chain
      if !entry.has(hash, key) || entry.vary.isEmpty { continue }
      if !entry.freshness.isFresh(at: new.responseTime) { stale = entry }
      if entry.frequency == 0 { unused = entry }
    }
    return stale ?? unused
  }

  /// Takes an entry out, if it still is in.
  package func remove(_ entry: Entry) {
    gate.lock()
    if entry.isLinked {
      state.pointee.unlink(entry)
      if entry.kind == .response {
        unlinkForms(hash: entry.hash, key: entry.key) { entry.hasVary($0) }
      }
    }
    gate.unlock()
  }

  /// Takes out every variant of a key (RFC 9111 §4.4); how many there were.
  package func invalidate(hash: KeyHash, key: UnsafeBufferPointer<UInt8>) -> Int {
    let state = state
    gate.lock()
    defer { gate.unlock() }
    var count = 0
    var at = index.first(index.bucket(of: hash))
    while at != 0 {
      let entry = state.pointee.memory.addresses.entry(at)
      at = entry.chain
      if !entry.has(hash, key) { continue }
      state.pointee.unlink(entry)
      count += 1
    }
    unlinkForms(hash: hash, key: key) { _ in true }
    return count
  }

  @inline(never)
  private func drop(_ dead: Entry) {
    remove(dead)
    dead.release()
  }

  // MARK: Housekeeping

  /// To be called about ten times a second: removes what purges of whole distributions left, and
  /// gives memory back that others need.
  package func maintain() {
    for _ in 0..<256 {
      gate.lock()
      _ = state.pointee.sweep(buckets: Self.purgeBatch)
      let isClean = state.pointee.deadCount == 0
      gate.unlock()
      if isClean { break }
    }
    if budget.used > budget.limit { giveBack(0) }
  }

  /// Makes room for `wanted` bytes that are not the cache's.
  func giveBack(_ wanted: Int) {
    gate.lock()
    state.pointee.shrink(to: budget.cacheLimit - wanted)
    gate.unlock()
  }

  package func count(slot: Int) -> Int {
    gate.lock()
    defer { gate.unlock() }
    return slots.counts[slot].linked - slots.counts[slot].dead
  }

  /// Entries that can be found, purged ones not yet swept included.
  package var entryCount: Int {
    gate.lock()
    defer { gate.unlock() }
    return state.pointee.queues.count
  }

  /// The memory that they take.
  package var entryBytes: Int {
    gate.lock()
    defer { gate.unlock() }
    return state.pointee.queues.bytes
  }
}
