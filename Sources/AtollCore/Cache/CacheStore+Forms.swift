// SPDX-License-Identifier: Apache-2.0

/// Forms: entries derived from another of the same URL, its source.
///
/// A form has its source's key but for the kind, its hash and its Vary section. So it stands in the
/// same chain, where whatever replaces or removes the source finds it. It may outlive its source
/// only when that was evicted: what the store holds of one key and Vary section is always of one
/// version.
extension CacheStore {
  /// As `lookup`, for a request that takes a form.
  /// - Parameters:
  ///   - key: the source's.
  ///   - prefersForm: whether the form or its source is returned when there are both.
  package func lookup(
    hash: KeyHash, key: UnsafeBufferPointer<UInt8>, coding: ContentCoding,
    prefersForm: Bool = true, varyMatches: (UnsafeBufferPointer<UInt8>) -> Bool
  ) -> LookupResult {
    if coding == .identity { return lookup(hash: hash, key: key, varyMatches: varyMatches) }
    var result = LookupResult()
    var other: Entry?
    var dead: Entry?
    let bucket = index.bucket(of: hash)
    let lock = index.lock(ofBucket: bucket)
    lock.lock()
    var at = index.first(bucket)
    while at != 0 {
      let entry = addresses.entry(at)
      at = entry.chain
      if !entry.hasButForKind(hash, key) { continue }
      let isForm = entry.kind.rawValue == coding.rawValue
      if !isForm && entry.kind != .response { continue }
      if slots.isDead(entry) {
        if !isForm { result.sawPurged = true }
        if dead == nil {
          entry.retain()
          dead = entry
        }
        continue
      }
      if isForm != prefersForm && other != nil { continue }
      if entry.pointer.pointee.varyLength != 0 && !varyMatches(entry.vary) {
        if !isForm { result.sawOtherVariant = true }
        continue
      }
      // What has no Vary does not hide what has it, see `lookup`.
      if let other, !entry.hasVary(other.vary) { continue }
      if isForm == prefersForm {
        result.entry = entry
        break
      }
      other = entry
    }
    result.entry = result.entry ?? other
    if let entry = result.entry { touch(entry) }
    lock.unlock()
    if let dead {
      remove(dead)
      dead.release()
    }
    return result
  }

  /// The stored form of a stored entry, retained for the caller.
  package func form(of source: Entry, _ coding: ContentCoding) -> Entry? {
    guard source.kind == .response else { return nil }
    var found: Entry?
    let bucket = index.bucket(of: source.hash)
    let lock = index.lock(ofBucket: bucket)
    lock.lock()
    var at = source.isLinked ? index.first(bucket) : 0
    while at != 0 {
      let entry = addresses.entry(at)
      at = entry.chain
      guard entry.hasButForKind(source.hash, source.key), entry.kind.rawValue == coding.rawValue,
        entry.hasVary(source.vary), !slots.isDead(entry)
      else { continue }
      touch(entry)
      found = entry
      break
    }
    lock.unlock()
    return found
  }

  /// Makes a finished form available, if the entry that it was made of still is: its source, or the
  /// form whose successor it is. Otherwise it is of a version that is gone, or of one that a purge
  /// has reached meanwhile.
  package func insert(_ form: Entry, madeOf source: Entry) -> InsertResult {
    gate.lock()
    defer { gate.unlock() }
    precondition(form.coding != .identity && form.hasButForKind(source.hash, source.key))
    guard source.isLinked, !slots.isDead(source),
      // Only the origin's word, after the purge, makes a new form of one that it has reached.
      !source.isSoftPurged || form.purgeNumber > source.purgeNumber
    else { return .purged }
    return insertHoldingGate(form) { _ in false }
  }

  /// Whether an entry still stands; it may be gone a moment later.
  package func holds(_ entry: Entry) -> Bool { entry.isLinked && !slots.isDead(entry) }

  /// Takes out the forms of what an entry replaces. The gate is held.
  /// - Parameter varyMatches: as for `insert`.
  func unlinkForms(replacedBy entry: Entry, varyMatches: (UnsafeBufferPointer<UInt8>) -> Bool) {
    if entry.kind != .response { return }
    unlinkForms(hash: entry.hash, key: entry.key) { vary in
      // Of variants over other fields both could match one request, and the newer has to be chosen
      // (RFC 9111 §4).
      entry.vary.isEmpty || entry.hasVary(vary) || varyMatches(vary)
        || !haveSameVaryNames(entry.vary, vary)
    }
  }

  /// Takes out the forms of a key whose Vary section is chosen. The gate is held.
  func unlinkForms(
    hash: KeyHash, key: UnsafeBufferPointer<UInt8>,
    where isChosen: (UnsafeBufferPointer<UInt8>) -> Bool
  ) {
    let state = state
    var at = index.first(index.bucket(of: hash))
    while at != 0 {
      let other = addresses.entry(at)
      at = other.chain
      if other.hasButForKind(hash, key), other.coding != .identity, isChosen(other.vary) {
        state.pointee.unlink(other)
      }
    }
  }

  /// What a lookup does to what it found. The stripe's lock is held.
  private func touch(_ entry: Entry) {
    entry.retain()
    if slots.isSoftPurged(entry.slot, since: entry.purgeNumber) { entry.mark(.softPurged) }
    let frequency = entry.frequency
    if frequency < EvictionQueues.frequencyLimit { entry.frequency = frequency &+ 1 }
  }
}
