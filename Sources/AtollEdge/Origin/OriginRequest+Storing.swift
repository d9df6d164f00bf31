// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// On its way into the cache: the entry that a response becomes while it is read.
extension OriginRequest {
  /// Puts the response on its way into the cache; else says why not.
  func store(
    _ response: ResponseHead, _ base: UnsafePointer<UInt8>, _ freshness: Freshness,
    _ meta: StoredMeta, _ out: ByteBuffer, _ length: UInt64?, _ following: Int
  ) -> Reason {
    if response.status == 200 { appendAcceptRanges(response, base, to: out) }
    if let length, length > UInt64(services.cache.objectLimit) {
      outlineTooLarge(response, base, freshness, meta, head: out.bytes, length: length)
      return .tooLarge
    }
    let vary = services.varyBuffer
    let tags = services.tagBuffer
    vary.removeAll()
    tags.removeAll()
    guard let viewer = parseViewerHead() else {
      return .responseStatus
    }
    if !appendVarySection(
      response: response, responseBase: base, request: viewer, requestBase: viewerHead.base,
      behavior: fetch.behavior, viewer: viewerFacts.facts, to: vary)
    {
      return .varyStar
    }
    let hasRoom = services.cache.hasRoomForVariant(of: fetch.hash, fetch.key.bytes, freshness) {
      varyMatches(
        $0, request: viewer, requestBase: viewerHead.base, behavior: fetch.behavior,
        viewer: viewerFacts.facts)
    }
    if vary.count > 0 && !hasRoom { return .varyLimit }
    appendTags(response, base, to: tags)
    let capacity: Int
    if response.framing == .none {
      capacity = 0
    } else {
      capacity = length.map { Int($0) } ?? max(4096, following)
    }
    let isApart = isStoredApart(response.status)
    let key = isApart ? fetch.failureKey : fetch.storedKey
    guard
      let entry = services.cache.makeEntry(
        hash: isApart ? keyHash(key.bytes, seed: services.seed) : fetch.storedHash, key: key.bytes,
        vary: vary.bytes, tags: tags.bytes, head: out.bytes, sent: preparedHead(of: out.bytes),
        bodyCapacity: capacity, slot: fetch.distribution.slot,
        purgeNumber: fetch.purgeNumber)
    else { return .memoryFull }
    var whole: ByteBuffer?
    if !storedHeadIsWhole(response, base) {
      whole = ByteBuffer(capacity: out.count + 64)
      appendResponseHead(
        response, base, behavior: fetch.behavior, storing: false, now: loop.wallTime, to: whole!)
    }
    fetch.beginStoring(
      entry: entry, head: out.bytes, whole: whole, status: response.status, meta: meta,
      freshness: freshness, length: response.framing == .none ? 0 : length)
    fetch.wakeReaders()
    return .none
  }

  /// What viewers get of a head that is about to be stored, as `SentHead` reads it; valid until the
  /// next.
  func preparedHead(of head: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
    let sent = services.sentBuffer
    sent.removeAll()
    SentHead.append(of: head, policy: fetch.behavior.responses, now: loop.wallTime, to: sent)
    return sent.bytes
  }

  /// The body is whole: so is the entry.
  func insert() -> CacheStore.InsertResult? {
    let viewer = services.requestHeadAgain
    let isKnown =
      viewer.parse(viewerHead.base, count: viewerHead.count)
      == .complete(
        length: viewerHead.count)
    return fetch.complete { section in
      isKnown
        && varyMatches(
          section, request: viewer, requestBase: viewerHead.base, behavior: fetch.behavior,
          viewer: viewerFacts.facts)
    }
  }
}
