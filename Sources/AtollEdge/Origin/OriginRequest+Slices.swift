// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Responses to requests for slices, and what else makes one.
extension OriginRequest {
  /// The final response to a request for a slice.
  /// - Returns: false when it is one that needs no range: then it is treated as any other response
  ///   to a GET for the whole (RFC 9110 §14.2), and stored as that.
  func receivedPart(
    of slice: SliceTarget, _ response: ResponseHead, _ base: UnsafePointer<UInt8>, _ now: Int64
  ) -> Bool {
    switch response.status {
    case 206:
      receivedPartial(of: slice, response, base, now)
      return true
    case 416:
      relayPart(nil, total: nil, response, base, .responseStatus, now)
      return true
    default:
      if response.status == 200 {
        services.registry.habits.remember(.whole, of: slice.wholeHash, now: loop.now)
      }
      fetch.becomeWhole()
      services.registry.becameWhole(fetch)
      return false
    }
  }

  private func receivedPartial(
    of slice: SliceTarget, _ response: ResponseHead, _ base: UnsafePointer<UInt8>, _ now: Int64
  ) {
    let out = services.headBuffer
    out.removeAll()
    let meta = appendResponseHead(
      response, base, behavior: fetch.behavior, storing: true, now: now, to: out)
    switch judgePart(response, base, asked: slice.range, meta: meta) {
    case .unusable(let reason):
      return relayPart(nil, total: nil, response, base, reason, now)
    case .passing(let range, let total, let reason):
      return relayPart(range, total: total, response, base, reason, now)
    case .whole(let total):
      let range = ByteRange(0, total)
      let reason = storePart(range, total, asWhole: slice, response, base, out, meta, now)
      if reason != .none { relayPart(range, total: total, response, base, reason, now) }
    case .slice(let range, let total):
      let reason = storePart(range, total, asWhole: nil, response, base, out, meta, now)
      if reason != .none { relayPart(range, total: total, response, base, reason, now) }
    }
  }

  /// Puts a part on its way into the cache; else says why not.
  /// - Parameter slice: given when the part is all of the whole, as which it is stored then.
  private func storePart(
    _ range: ByteRange, _ total: Int, asWhole slice: SliceTarget?, _ response: ResponseHead,
    _ base: UnsafePointer<UInt8>, _ out: ByteBuffer, _ meta: StoredMeta, _ now: Int64
  ) -> Reason {
    let freshness: Freshness
    switch decideStorage(
      request: caching, method: method, response: response, base: base, behavior: fetch.behavior,
      requestTime: requestTime, responseTime: now, status: 200)
    {
    case .refuse(let reason): return reason
    case .store(let decided): freshness = decided
    }
    guard appendSelection(response, base) else { return .varyStar }
    let whole = ByteBuffer(capacity: out.count + 32)
    let wholeMeta = appendWholeHead(ofPart: out.bytes, meta: meta, to: whole)
    appendAcceptRanges(response, base, to: whole)
    if let slice {
      guard total <= services.cache.objectLimit else { return .tooLarge }
      fetch.isCompressible = prepareForms(
        response, base, whole, status: 200, length: UInt64(total))
      guard let entry = makeEntry(whole: slice, head: whole.bytes, capacity: total) else {
        return .memoryFull
      }
      fetch.becomeWhole()
      services.registry.becameWhole(fetch)
      fetch.beginStoring(
        entry: entry, head: whole.bytes, status: 200, meta: wholeMeta, freshness: freshness,
        length: UInt64(total))
    } else {
      guard let outline = makeOutline(head: whole.bytes, wholeMeta, freshness, total: total) else {
        return .memoryFull
      }
      guard let entry = makeEntry(whole: nil, head: out.bytes, capacity: range.count) else {
        outline.release()
        return .memoryFull
      }
      if !fetch.wasOvertaken { insert(outline: outline) }
      fetch.describePart(range, of: outline)
      fetch.beginStoring(
        entry: entry, head: out.bytes, status: 206, meta: meta, freshness: freshness,
        length: UInt64(range.count))
    }
    fetch.wakeReaders()
    return .none
  }

  /// A part for the viewer alone who made this request, if it answers that; others ask themselves.
  private func relayPart(
    _ range: ByteRange?, total: Int?, _ response: ResponseHead, _ base: UnsafePointer<UInt8>,
    _ reason: Reason, _ now: Int64
  ) {
    if response.status == 206, let slice = fetch.slice {
      services.registry.habits.remember(.pass, of: slice.wholeHash, now: loop.now)
    }
    stopSharing()
    let out = services.headBuffer
    out.removeAll()
    let meta = appendResponseHead(
      response, base, behavior: fetch.behavior, storing: false, now: now, to: out)
    if let range {
      var outline: Entry?
      if let total {
        services.varyBuffer.removeAll()
        services.tagBuffer.removeAll()
        let whole = ByteBuffer(capacity: out.count + 32)
        let wholeMeta = appendWholeHead(ofPart: out.bytes, meta: meta, to: whole)
        outline = makeOutline(
          head: whole.bytes, wholeMeta, Freshness(responseTime: now, lifetime: 0), total: total)
      }
      fetch.describePart(range, of: outline)
    }
    var length: UInt64?
    if case .length(let count) = response.framing { length = count }
    fetch.beginRelaying(
      head: out.bytes, status: response.status, meta: meta, refusal: reason, length: length)
    fetch.wakeReaders()
    if !fetch.hasReaders { abandon() }
  }

  /// The 200 is too large to be stored as one: if its origin serves ranges, the next viewers find
  /// an outline and fetch it slice by slice.
  func outlineTooLarge(
    _ response: ResponseHead, _ base: UnsafePointer<UInt8>, _ freshness: Freshness,
    _ meta: StoredMeta, head: UnsafeBufferPointer<UInt8>, length: UInt64
  ) {
    let size = fetch.behavior.settings.sliceSize
    guard response.status == 200, method == .get, size > 0, size <= services.cache.objectLimit,
      length < UInt64(Int.max), AcceptedRanges(response, base) == .bytes, meta.hasStrongValidator,
      !fetch.wasOvertaken, appendSelection(response, base),
      let outline = makeOutline(head: head, meta, freshness, total: Int(length))
    else { return }
    insert(outline: outline)
    outline.release()
  }

  /// Fills the buffers with the response's vary section and tags. False when it matches no other
  /// request.
  private func appendSelection(_ response: ResponseHead, _ base: UnsafePointer<UInt8>) -> Bool {
    services.varyBuffer.removeAll()
    services.tagBuffer.removeAll()
    guard let viewer = parseViewerHead(),
      appendVarySection(
        response: response, responseBase: base, request: viewer, requestBase: viewerHead.base,
        behavior: fetch.behavior, viewer: viewerFacts.facts, to: services.varyBuffer)
    else { return false }
    appendTags(response, base, to: services.tagBuffer)
    return true
  }

  /// Of what this fetch stores, with the buffers' vary section and tags.
  private func makeEntry(
    whole slice: SliceTarget?, head: UnsafeBufferPointer<UInt8>, capacity: Int
  ) -> Entry? {
    services.cache.makeEntry(
      hash: slice?.wholeHash ?? fetch.hash, key: (slice?.wholeKey ?? fetch.key).bytes,
      vary: services.varyBuffer.bytes, tags: services.tagBuffer.bytes, head: head,
      sent: preparedHead(of: head), bodyCapacity: capacity,
      slot: fetch.distribution.slot, purgeNumber: fetch.purgeNumber)
  }

  private func makeOutline(
    head: UnsafeBufferPointer<UInt8>, _ meta: StoredMeta, _ freshness: Freshness, total: Int
  ) -> Entry? {
    let whole = fetch.slice?.wholeKey ?? fetch.key
    let key = ByteBuffer(capacity: whole.count + 4)
    SliceKey.append(SliceKey.outline, of: whole.bytes, to: key)
    guard
      let outline = services.cache.makeEntry(
        hash: keyHash(key.bytes, seed: services.seed), key: key.bytes,
        vary: services.varyBuffer.bytes, tags: services.tagBuffer.bytes, head: head,
        sent: preparedHead(of: head), bodyCapacity: Entry.outlineCapacity,
        slot: fetch.distribution.slot,
        purgeNumber: fetch.purgeNumber)
    else { return nil }
    outline.setOutlinedLength(total)
    outline.status = 200
    outline.meta = meta
    outline.freshness = freshness
    return outline
  }

  private func insert(outline: Entry) {
    let viewer = services.requestHeadAgain
    let isKnown =
      viewer.parse(viewerHead.base, count: viewerHead.count)
      == .complete(length: viewerHead.count)
    _ = services.cache.insert(outline) { section in
      isKnown
        && varyMatches(
          section, request: viewer, requestBase: viewerHead.base, behavior: fetch.behavior,
          viewer: viewerFacts.facts)
    }
  }
}
