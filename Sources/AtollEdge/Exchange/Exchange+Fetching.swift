// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Misses: going to the origin, joining who does, asking behind a stale answer.
extension Exchange {
  /// The head is in the connection's own memory now: goes to the origin, or joins who does.
  func proceed() {
    if let errorPage, !errorPage.isTried { return fetchErrorPage() }
    guard step == .waiting, fetch == nil, let policy, let behavior,
      let base = viewer.keptHead.map({ UnsafePointer($0) })
    else { return }
    let head = services.requestHead
    guard case .complete = head.parse(base, count: viewer.headLength) else { return }
    if isLooping(head, base) { return answer(head, base, status: 508, reason: .loop) }
    if caching.bypass == .none {
      let isForOrigin = caching.passOnMiss == .requestCondition
      if !isForOrigin && answersFromSlices(head, base, policy, behavior) { return }
      if !isForOrigin && answerFromFailure(head, base, policy, behavior) { return }
      if caching.flags.contains(.onlyIfCached) {
        return answer(head, base, status: 504, reason: .onlyIfCached)
      }
      if isForOrigin { caching.bypass = .requestCondition }
    }
    if caching.bypass != .none {
      return fetchAlone(
        head, base, policy, behavior, key: UnsafeBufferPointer(start: nil, count: 0))
    }
    let hash = writeKey(head, base, policy, behavior, viewerFacts(head, base))
    let key = services.keyBuffer
    if mustNotShare || caching.flags.contains(.noCache) {
      return fetchAlone(head, base, policy, behavior, key: key.bytes)
    }
    let answer = services.registry.enter(
      hash: hash, key: key.bytes, behavior: behavior, now: services.loop.now
    ) {
      makeFetch(policy, behavior, key.bytes, hash)
    }
    switch answer {
    case .lead(let fetch):
      lead(fetch, head, base, policy, behavior)
    case .join(let fetch):
      // Before joining: from then on the fetch's loop reads it.
      fetchPosition = 0
      if !fetch.join(self, loop: services.loop) {
        return fetchAlone(head, base, policy, behavior, key: key.bytes)
      }
      verdict = Verdict(.coalesced)
      self.fetch = fetch
      fetchProgressed(fetch)
    case .alone:
      fetchAlone(head, base, policy, behavior, key: key.bytes)
    }
  }

  /// Whether this edge has sent this request itself: its origin leads back to it (RFC 8586).
  func isLooping(_ head: RequestHead, _ base: UnsafePointer<UInt8>) -> Bool {
    let name: StaticString = "cdn-loop"
    let lowercased = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    var line = head.fields.firstIndex(ofName: lowercased, in: base)
    while let index = line {
      var members = ListMembers(head.fields.value(at: index, in: base))
      while let member = members.next() {
        // Parameters may follow the identifier.
        let id = member.prefix { $0 != 0x3b && $0 != 0x20 && $0 != 0x09 }
        if id.elementsEqual(services.edge.loopID.utf8) { return true }
      }
      line = head.fields.nextIndex(ofName: lowercased, in: base, after: index)
    }
    return false
  }

  func makeFetch(
    _ policy: DistributionPolicy, _ behavior: BehaviorPolicy, _ key: UnsafeBufferPointer<UInt8>,
    _ hash: KeyHash, slice: SliceTarget? = nil
  ) -> Fetch {
    Fetch(
      owner: services.loop, distribution: policy, behavior: behavior, key: key, hash: hash,
      slice: slice, purgeNumber: services.edge.purgeNumber, cache: services.cache,
      budget: services.budget)
  }

  /// First of its key: looks once more, since a fill may have ended since the lookup.
  func lead(
    _ fetch: Fetch, _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ policy: DistributionPolicy,
    _ behavior: BehaviorPolicy
  ) {
    let facts = viewerFacts(head, base)
    let found = services.cache.lookup(
      hash: fetch.hash, key: fetch.key.bytes, coding: caching.coding, prefersForm: false
    ) {
      varyMatches($0, request: head, requestBase: base, behavior: behavior, viewer: facts)
    }
    if let entry = found.entry {
      switch decideUse(
        entry.freshness, softPurged: entry.isSoftPurged, request: caching,
        now: services.loop.wallTime)
      {
      case .revalidate, .staleWhileRevalidate: break
      case .fresh, .freshError:
        // Who joined meanwhile is served from the same entry.
        entry.retain()
        fetch.replace(with: entry, verdict: Verdict(.hit), originStatus: 0)
        services.registry.ended(fetch)
        fetch.wakeReaders()
        verdict = Verdict(.hit)
        respondClosely(from: entry, head, base)
        entry.release()
        return
      }
    }
    verdict = Verdict(.miss, releaseReason == .none ? missReason : releaseReason)
    start(fetch, head, base, policy, behavior, stale: found.entry)
    found.entry?.release()
  }

  /// A fetch that nobody joins; with a key its response may still be stored.
  func fetchAlone(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ policy: DistributionPolicy,
    _ behavior: BehaviorPolicy, key: UnsafeBufferPointer<UInt8>
  ) {
    let hash = key.isEmpty ? KeyHash(high: 0, low: 0) : keyHash(key, seed: services.seed)
    if key.isEmpty {
      verdict = Verdict(.pass, caching.bypass)
      let fetch = makeFetch(policy, behavior, key, hash)
      start(fetch, head, base, policy, behavior, stale: nil)
      return
    }
    let fetch = services.registry.beginAlone(hash: hash) {
      makeFetch(policy, behavior, key, hash)
    }
    let facts = viewerFacts(head, base)
    let found = services.cache.lookup(
      hash: hash, key: key, coding: caching.coding, prefersForm: false
    ) {
      varyMatches($0, request: head, requestBase: base, behavior: behavior, viewer: facts)
    }
    verdict = Verdict(.miss, releaseReason == .none ? missReason : releaseReason)
    start(fetch, head, base, policy, behavior, stale: found.entry)
    found.entry?.release()
  }

  func start(
    _ fetch: Fetch, _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ policy: DistributionPolicy,
    _ behavior: BehaviorPolicy, stale: Entry?
  ) {
    let request = makeOriginRequest(
      fetch, head, base, policy, behavior, stale: stale, isBehind: false)
    self.fetch = fetch
    fetchPosition = 0
    _ = fetch.join(self, loop: services.loop, isPrimary: true)
    request.start()
  }

  func makeOriginRequest(
    _ fetch: Fetch, _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ policy: DistributionPolicy,
    _ behavior: BehaviorPolicy, stale: Entry?, isBehind: Bool
  ) -> OriginRequest {
    let isCacheable = !fetch.key.bytes.isEmpty
    // HEAD fills the cache as GET does, and is answered from it.
    let asGet = isCacheable && method == .head
    let facts = viewerFacts(head, base, behavior.sentViewerHeaders)
    var context = OriginRequestContext(
      peerAddress: viewer.addressText, viewer: facts,
      requestID: (requestID.high, requestID.low), version: version, storing: isCacheable)
    context.bodyFraming = isCacheable ? .none : framing
    if let stale, let stored = stale.head.baseAddress {
      context.etag = stale.meta.originETag(in: stored)
      context.lastModified = stale.meta.lastModifiedValue(in: stored)
    }
    let viewerHead = ByteBuffer(capacity: head.length)
    viewerHead.append(base, head.length)
    var upload: Upload?
    if !isCacheable, !isBehind, framing != .none, framing != .length(0) {
      let body = Upload(viewer: viewer, framing: framing, expectsContinue: expectsContinue)
      viewer.beginUpload(body)
      upload = body
    }
    let request = OriginRequest(
      fetch: fetch, services: services, method: asGet ? .get : method, viewerHead: viewerHead,
      context: context, caching: caching, stale: stale, upload: upload,
      isForHead: method == .head && !isBehind)
    upload?.request = request
    return request
  }

  /// RFC 5861 §3: the stale entry answers now, one request behind it brings the fresh one.
  func revalidateBehind(
    _ entry: Entry, _ head: RequestHead, _ base: UnsafePointer<UInt8>,
    _ policy: DistributionPolicy, _ behavior: BehaviorPolicy, _ hash: KeyHash
  ) {
    if hasFailedRecently(head, base, behavior) { return }
    let key = services.keyBuffer.bytes
    let answer = services.registry.enter(
      hash: hash, key: key, behavior: behavior, now: services.loop.now
    ) {
      makeFetch(policy, behavior, key, hash)
    }
    guard case .lead(let fetch) = answer else { return }
    let source = source(of: entry, fetch, head, base, behavior)
    defer { source.release() }
    let request = makeOriginRequest(
      fetch, head, base, policy, behavior, stale: source, isBehind: true)
    services.loop.afterwards { request.start() }
  }
}
