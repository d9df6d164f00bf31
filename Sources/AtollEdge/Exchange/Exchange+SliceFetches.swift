// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Having slices fetched: by one exchange for all that want them.
extension Exchange {
  enum SliceAnswer {
    /// This exchange reads a fetch that has just begun.
    case began
    /// It reads one that may have brought something.
    case joined
    /// The slice, or what it is a slice of, is stored by now.
    case found
    /// The whole is stored by now, and has answered.
    case answered
    case impossible
  }

  func lookUpSlice(_ number: UInt32, of wholeKey: UnsafeBufferPointer<UInt8>) -> Entry? {
    let key = ByteBuffer(capacity: wholeKey.count + 4)
    SliceKey.append(number, of: wholeKey, to: key)
    return lookUp(keyHash(key.bytes, seed: services.seed), key.bytes)
  }

  private func lookUp(_ hash: KeyHash, _ key: UnsafeBufferPointer<UInt8>) -> Entry? {
    services.cache.lookup(hash: hash, key: key) { isSelected(by: $0) }.entry
  }

  /// Makes this exchange a reader of a fetch of the slice.
  /// - Parameter stale: what a 304 would confirm.
  func fetchSlice(_ number: UInt32, _ reader: SliceReader, stale: Entry?) -> SliceAnswer {
    guard let policy, let behavior, let (head, base) = keptRequest else { return .impossible }
    let (target, key, hash) = makeTarget(number, reader)
    func lead(_ fetch: Fetch) -> SliceAnswer {
      let request = makeOriginRequest(
        fetch, head, base, policy, behavior, stale: stale, isBehind: false)
      self.fetch = fetch
      fetchPosition = 0
      _ = fetch.join(self, loop: services.loop, isPrimary: true)
      reader.beganFetch(number, isOwn: true)
      // Not now: a connection that fails at once would tell of it in the middle of this.
      services.loop.afterwards { request.start() }
      return .began
    }
    func leadAlone() -> SliceAnswer {
      lead(
        services.registry.beginAlone(hash: hash, home: target.wholeHash) {
          makeFetch(policy, behavior, key.bytes, hash, slice: target)
        })
    }
    if reader.isAlone { return leadAlone() }
    let answer = services.registry.enter(
      hash: hash, key: key.bytes, home: target.wholeHash, behavior: behavior,
      now: services.loop.now
    ) {
      makeFetch(policy, behavior, key.bytes, hash, slice: target)
    }
    switch answer {
    case .lead(let fetch):
      // A fetch of it may have ended since the lookup.
      return answerFound(number, reader, fetch, head, base) ?? lead(fetch)
    case .join(let fetch):
      fetchPosition = 0
      if !fetch.join(self, loop: services.loop) { return leadAlone() }
      self.fetch = fetch
      reader.beganFetch(number, isOwn: false)
      return .joined
    case .alone:
      return leadAlone()
    }
  }

  /// Looks once more before `fetch` asks. Who has joined it meanwhile gets what is found.
  private func answerFound(
    _ number: UInt32, _ reader: SliceReader, _ fetch: Fetch, _ head: RequestHead,
    _ base: UnsafePointer<UInt8>
  ) -> SliceAnswer? {
    func give(_ entry: Entry) {
      entry.retain()
      fetch.replace(with: entry, verdict: Verdict(.hit), originStatus: 0)
      services.registry.ended(fetch)
      fetch.wakeReaders()
    }
    if let outline = reader.outline {
      guard reader.hold(number, self) else { return nil }
      give(outline)
      return .found
    }
    if let entry = lookUp(reader.wholeHash, reader.wholeKey.bytes) {
      defer { entry.release() }
      guard isFresh(entry) else { return nil }
      give(entry)
      slices = nil
      verdict = Verdict(.hit)
      respondClosely(from: entry, head, base)
      return .answered
    }
    guard let outline = lookUpSlice(SliceKey.outline, of: reader.wholeKey.bytes) else { return nil }
    defer { outline.release() }
    guard isFresh(outline) else { return nil }
    reader.take(outline: outline)
    guard reader.hold(number, self) else {
      reader.forgetOutline()
      return nil
    }
    verdict = Verdict(.hit)
    give(outline)
    return .found
  }

  private func isFresh(_ entry: Entry) -> Bool {
    let use = decideUse(
      entry.freshness, softPurged: entry.isSoftPurged, request: caching,
      now: services.loop.wallTime)
    return use == .fresh || use == .freshError
  }

  /// Has a slice fetched that nobody waits for yet; false when somebody else does already.
  func fetchBehind(_ number: UInt32, _ reader: SliceReader, stale: Entry?) -> Bool {
    guard let policy, let behavior, let (head, base) = keptRequest else { return false }
    let (target, key, hash) = makeTarget(number, reader)
    let answer = services.registry.enter(
      hash: hash, key: key.bytes, home: target.wholeHash, behavior: behavior,
      now: services.loop.now
    ) {
      makeFetch(policy, behavior, key.bytes, hash, slice: target)
    }
    guard case .lead(let fetch) = answer else { return false }
    let request = makeOriginRequest(
      fetch, head, base, policy, behavior, stale: stale, isBehind: true)
    services.loop.afterwards { request.start() }
    return true
  }

  private func makeTarget(
    _ number: UInt32, _ reader: SliceReader
  ) -> (SliceTarget, key: ByteBuffer, KeyHash) {
    let key = ByteBuffer(capacity: reader.wholeKey.count + 4)
    SliceKey.append(number, of: reader.wholeKey.bytes, to: key)
    let target = SliceTarget(
      number: number, range: reader.grid.range(of: number), wholeKey: reader.wholeKey,
      wholeHash: reader.wholeHash)
    return (target, key, keyHash(key.bytes, seed: services.seed))
  }
}
