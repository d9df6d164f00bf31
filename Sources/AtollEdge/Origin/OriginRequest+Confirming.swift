// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What was stored is asked about, and the origin says that it holds (RFC 9111 §4.3).
extension OriginRequest {
  /// 304: the entry stands, with the response's fields (RFC 9111 §4.3.4).
  func confirm(
    _ stale: Entry, _ response: ResponseHead, _ base: UnsafePointer<UInt8>, _ now: Int64
  ) {
    let out = services.headBuffer
    out.removeAll()
    var meta = appendUpdatedHead(
      stored: stale.head, response: response, base: base, behavior: fetch.behavior, now: now,
      to: out)
    adaptUpdatedHead(of: stale, response, base, out, &meta, now: now)
    let decision = decideUpdate(
      request: caching, status: stale.status, stored: stale.head, response: response, base: base,
      behavior: fetch.behavior, requestTime: requestTime, responseTime: now)
    var updated: Entry?
    switch decision {
    case .store(let freshness):
      updated = renewed(stale, response, base, out, freshness, meta)
    case .refuse(.requestCookie), .refuse(.responseAuthorization):
      // That concerns this request, not the entry: it may serve others as before.
      break
    case .refuse:
      services.cache.remove(stale)
    }
    guard let entry = updated else {
      // The origin has confirmed it: this once it is used all the same.
      stale.retain()
      return end(replacing: stale, Verdict(.revalidated), status: 304)
    }
    if fetch.wasOvertaken {
      return end(replacing: entry, Verdict(.revalidated), status: 304)
    }
    if entry.vary.elementsEqual(stale.vary) || stale.coding != .identity {
      insertConfirmed(entry, of: stale, response, base)
    } else {
      // The 304 has brought another Vary: the entry is another variant now, and made anew of it are
      // its forms.
      services.cache.remove(stale)
      entry.isCompressible =
        stale.isCompressible
        && !fetch.behavior.compression.forbidsTransformation(response, base)
      let viewer = services.requestHeadAgain
      _ = services.cache.insert(entry) {
        varyMatches(
          $0, request: viewer, requestBase: viewerHead.base, behavior: fetch.behavior,
          viewer: viewerFacts.facts)
      }
    }
    end(replacing: entry, Verdict(.revalidated), status: 304)
  }

  /// A form has the weak one of its source's entity tags, which the origin was asked about.
  func freshens(
    _ response: ResponseHead, _ base: UnsafePointer<UInt8>, _ stale: Entry
  ) -> Bool {
    var meta = stale.meta
    if stale.coding != .identity { meta = strengthened(meta) }
    return AtollCore.freshens(
      response, base, meta: meta, storedHead: stale.head.baseAddress!)
  }

  /// The confirmed entry with what the 304 says of tags and of Vary; nil when it is not to be kept.
  private func renewed(
    _ stale: Entry, _ response: ResponseHead, _ base: UnsafePointer<UInt8>, _ head: ByteBuffer,
    _ freshness: Freshness, _ meta: StoredMeta
  ) -> Entry? {
    let vary = services.varyBuffer
    let tags = services.tagBuffer
    vary.removeAll()
    tags.removeAll()
    guard let viewer = parseViewerHead() else {
      return nil
    }
    let renewsVary = response.fields.contains(.vary)
    if renewsVary
      && !appendVarySection(
        response: response, responseBase: base, request: viewer, requestBase: viewerHead.base,
        behavior: fetch.behavior, viewer: viewerFacts.facts, to: vary)
    {
      return nil
    }
    appendTags(storedHead: head.bytes, to: tags)
    return services.cache.makeUpdated(
      stale, head: head.bytes, sent: preparedHead(of: head.bytes),
      vary: renewsVary ? vary.bytes : nil, tags: tags.bytes, freshness: freshness, meta: meta,
      purgeNumber: fetch.purgeNumber)
  }
}
