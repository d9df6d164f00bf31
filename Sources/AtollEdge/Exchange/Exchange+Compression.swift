// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Requests that take a compressed form.
extension Exchange {
  /// As `lookUp`: the form, else its source, which is compressed on the side.
  @inline(never)
  func lookUpForm(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ policy: DistributionPolicy,
    _ behavior: BehaviorPolicy, _ facts: ViewerFacts
  ) {
    let (hash, found) = findForm(head, base, policy, behavior, facts)
    guard let entry = found.entry else { return miss(found, head, base) }
    if entry.coding == .identity { compress(entry) }
    use(taking: entry, hash, head, base, policy, behavior, plain: behavior.isPlain)
  }

  /// The form that the viewer takes, or else its source; retained for the caller.
  func findForm(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ policy: DistributionPolicy,
    _ behavior: BehaviorPolicy, _ facts: ViewerFacts
  ) -> (hash: KeyHash, found: CacheStore.LookupResult) {
    let hash = writeKey(head, base, policy, behavior, facts)
    let found = services.cache.lookup(
      hash: hash, key: services.keyBuffer.bytes, coding: caching.coding
    ) {
      varyMatches($0, request: head, requestBase: base, behavior: behavior, viewer: facts)
    }
    return (hash, found)
  }

  /// The form of an entry that the viewer takes, or else the entry; retained for the caller.
  func form(of entry: Entry) -> Entry {
    if caching.coding != .identity && entry.coding == .identity {
      if let form = services.cache.form(of: entry, caching.coding) { return form }
      compress(entry)
    }
    entry.retain()
    return entry
  }

  /// Whether the viewer takes the form that this entry is.
  func accepts(_ entry: Entry) -> Bool {
    let coding = entry.coding
    return coding == .identity || coding == caching.coding
  }

  /// What the origin is asked about instead of a form: the source if that is still stored, else the
  /// form stands for it. Retained for the caller.
  func source(
    of entry: Entry, _ fetch: Fetch, _ head: RequestHead, _ base: UnsafePointer<UInt8>,
    _ behavior: BehaviorPolicy
  ) -> Entry {
    if entry.coding != .identity {
      let facts = viewerFacts(head, base)
      let found = services.cache.lookup(hash: fetch.hash, key: fetch.key.bytes) {
        varyMatches($0, request: head, requestBase: base, behavior: behavior, viewer: facts)
      }
      if let source = found.entry { return source }
    }
    entry.retain()
    return entry
  }

  /// Has a stored entry compressed for those who come later.
  private func compress(_ entry: Entry) {
    if entry.isCompressible { services.edge.compressor.schedule(entry, caching.coding) }
  }
}
