// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What a fetch tells its readers, and the responses that come of it.
extension Exchange {
  func fetchProgressed(_ fetch: Fetch) {
    guard self.fetch === fetch else { return }
    if step == .responding { return viewer.bodyProgressed() }
    guard step == .waiting else { return }
    if let slices { return slicesProgressed(slices, fetch) }
    let view = fetch.view
    switch view.phase {
    case .waiting:
      return
    case .streaming, .complete:
      respond(from: fetch)
    case .replaced:
      respondFromReplacement(fetch)
    case .aborted:
      // Who has seen nothing of it need not suffer from another's broken response.
      if case .coalesced = verdict.outcome {
        released(by: fetch, view.failure)
      } else {
        fail(view.failure)
      }
    case .failed:
      fail(view.failure, forbidsStale: fetch.forbidsStale)
    }
  }

  /// The response may not be shared: this exchange asks for its own. It may have found that out by
  /// itself before a loop brought the news, and wait for its own by now.
  func released(by fetch: Fetch, _ reason: Reason) {
    if step == .responding, self.fetch === fetch { parts?.released(self, by: fetch) }
    guard step == .waiting, self.fetch === fetch else { return }
    fetch.leave(self, loop: services.loop)
    self.fetch = nil
    slices = nil
    releaseReason = reason == .none ? .absent : reason
    proceed()
  }

  func respond(from fetch: Fetch) {
    if case .coalesced = verdict.outcome, let obstacle = obstacleToSharing(fetch) {
      return released(by: fetch, obstacle)
    }
    if viewer.hasUnreadBody { persists = false }
    if invalidates(method, status: fetch.status) { invalidate(after: fetch) }
    if method == .head && fetch.status == 200 && fetch.key.bytes.isEmpty {
      invalidate(contradictedBy: fetch)
    }
    noteUpstream(fetch)
    let isBodyless = method == .head || fetch.status == 204 || fetch.status == 304
    status = fetch.status
    originStatus = fetch.originStatus
    if verdict.outcome == .miss, fetch.refusal != .none { verdict.reason = fetch.refusal }
    if status >= 400,
      substitutePage(
        for: status, originStatus: originStatus,
        remaining: fetch.freshness?.remaining(at: services.loop.wallTime))
    {
      return
    }
    if let freshness = fetch.freshness, isConditional, respondConditionally(fetch, freshness) {
      return
    }
    // The viewer that it was fetched for gets the origin's own Age, others what RFC 9111 §4 says.
    let isReused = verdict.outcome == .coalesced
    let head =
      pageHead(fetch) ?? (isReused ? nil : fetch.wholeHead.map { sentHead(making: $0.bytes) })
      ?? sentHead(of: fetch)
    let tail = services.tailBuffer
    tail.removeAll()
    let now = services.loop.wallTime
    appendPageVerdict(
      age: isReused ? fetch.freshness.map { $0.age(at: now) } : nil,
      ttl: fetch.freshness.map { $0.remaining(at: now) }, stored: fetch.freshness != nil, to: tail)
    if showsKey && !fetch.key.bytes.isEmpty { appendKeyParameter(fetch.key.bytes, to: tail) }
    // Not with what is stored: others on its way to the viewer might store both.
    if let cookie = fetch.stickyCookie, fetch.freshness == nil, verdict.outcome != .coalesced {
      tail.append(cookie.bytes)
    }
    var isChunked = false
    var endsByClose = false
    if let length = fetch.length {
      if fetch.status != 204 {
        tail.append("Content-Length: ")
        tail.appendDecimal(length)
        tail.append("\r\n")
      }
    } else if !isBodyless {
      if minorVersion >= 1 {
        isChunked = true
        tail.append("Transfer-Encoding: chunked\r\n")
        announceTrailers(of: fetch, to: tail)
      } else {
        endsByClose = true
        persists = false
      }
    }
    endTail(tail)
    hasResponded = true
    step = .responding
    headBytes = head.count + tail.count
    if beganAt != 0 { firstByteAt = SystemCall.monotonicMicroseconds() }
    viewer.respond(
      head: head, tail: tail, hasBody: !isBodyless, chunked: isChunked,
      endsByClose: endsByClose, closes: !persists)
  }

  /// The viewer's own validators against a response that is being stored.
  func respondConditionally(_ fetch: Fetch, _ freshness: Freshness) -> Bool {
    guard let base = viewer.keptHead.map({ UnsafePointer($0) }) else { return false }
    let head = services.requestHead
    guard case .complete = head.parse(base, count: viewer.headLength) else { return false }
    let selection = select(
      request: head, base: base, meta: fetch.meta, storedHead: UnsafePointer(fetch.head.base),
      status: fetch.status, bodyLength: Int(clamping: fetch.length ?? UInt64.max))
    if selection.selectsRanges {
      return respondInPart(of: fetch, selection, head, base)
    }
    let out = services.headBuffer
    out.removeAll()
    let tail = services.tailBuffer
    tail.removeAll()
    switch selection {
    case .notModified:
      status = 304
      appendNotModifiedHead(
        stored: sentHead(of: fetch), policy: behavior?.responses, to: out)
    case .full, .range, .ranges, .unsatisfiable, .preconditionFailed:
      return false
    }
    appendVerdict(
      verdict, age: nil, ttl: freshness.remaining(at: services.loop.wallTime),
      originStatus: fetch.originStatus, stored: true, lookup: missReason,
      wasReleased: mustNotShare, to: tail)
    endTail(tail)
    leaveFetch()
    send(out.bytes, tail, nil, position: 0, count: 0)
    return true
  }

  /// Why a response that another request brought does not answer this one; nil when it does.
  func obstacleToSharing(_ fetch: Fetch) -> Reason? {
    guard let freshness = fetch.freshness else { return fetch.refusal }
    switch decideUse(
      freshness, softPurged: false, request: caching, now: services.loop.wallTime)
    {
    case .fresh, .freshError, .staleWhileRevalidate: break
    case .revalidate(let reason): return reason
    }
    if fetch.vary.count > 0 && !isSelected(by: fetch.vary.bytes) { return .varyMismatch }
    return nil
  }

  /// Why a stored response that another request had confirmed, or that stands in for its failed
  /// one, does not answer this one; nil when it does.
  func obstacleToReuse(_ entry: Entry, _ fetch: Fetch) -> Reason? {
    let now = services.loop.wallTime
    if fetch.replacementVerdict.outcome == .stale {
      return mayStandIn(
        entry.freshness, softPurged: entry.isSoftPurged, request: caching, now: now)
        ? nil : fetch.replacementVerdict.reason
    }
    switch decideUse(
      entry.freshness, softPurged: entry.isSoftPurged, request: caching, now: now)
    {
    case .fresh, .freshError, .staleWhileRevalidate: return nil
    case .revalidate(let reason): return reason
    }
  }

  /// Whether a response with this vary section answers this exchange's request too.
  func isSelected(by section: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let behavior, let base = viewer.keptHead.map({ UnsafePointer($0) }) else { return false }
    let head = services.requestHead
    guard case .complete = head.parse(base, count: viewer.headLength) else { return false }
    return varyMatches(
      section, request: head, requestBase: base, behavior: behavior,
      viewer: viewerFacts(head, base))
  }

  func respondFromReplacement(_ fetch: Fetch) {
    guard let entry = fetch.replacement, let base = viewer.keptHead.map({ UnsafePointer($0) })
    else { return fail(.originClosed) }
    let head = services.requestHead
    guard case .complete = head.parse(base, count: viewer.headLength) else { return }
    // The entry answers this request only if it is one of its variants.
    if !accepts(entry) || (!entry.vary.isEmpty && !isSelected(by: entry.vary)) {
      return released(by: fetch, .varyMismatch)
    }
    if case .coalesced = verdict.outcome, let obstacle = obstacleToReuse(entry, fetch) {
      return released(by: fetch, obstacle)
    }
    verdict =
      verdict.outcome == .coalesced && fetch.replacementVerdict.outcome != .stale
      ? Verdict(.coalesced) : fetch.replacementVerdict
    originStatus = fetch.originStatus
    noteUpstream(fetch)
    entry.retain()
    leaveFetch()
    respondClosely(from: entry, head, base)
    entry.release()
  }

  func sendInterim(_ response: ResponseHead, _ base: UnsafePointer<UInt8>) {
    guard step == .waiting, minorVersion >= 1 else { return }
    let out = services.headBuffer
    out.removeAll()
    appendInterimHead(response, base, to: out)
    out.append("\r\n")
    viewer.sendInterim(out.bytes)
  }

  /// The request's body broke off, was malformed or stalled.
  func uploadFailed(status: UInt16, reason: Reason) {
    guard step == .waiting else {
      bodyBroke(reason)
      return viewer.close()
    }
    leaveFetch()
    refuseOrClose(status: status, reason: reason)
  }

  /// - Parameter forbidsStale: a stored response would do but for its directives, so that the status
  ///   is the one of RFC 9111 §5.2.2.2.
  func fail(_ reason: Reason, forbidsStale: Bool = false) {
    leaveFetch()
    slices = nil
    refuseOrClose(status: failureStatus(reason, forbidsStale: forbidsStale), reason: reason)
  }

  func refuseOrClose(status: UInt16, reason: Reason) {
    guard let base = viewer.keptHead.map({ UnsafePointer($0) }) else { return viewer.close() }
    let head = services.requestHead
    guard case .complete = head.parse(base, count: viewer.headLength) else {
      return viewer.close()
    }
    answer(head, base, status: status, reason: reason)
  }

  func leaveFetch() {
    guard let fetch else { return }
    self.fetch = nil
    passesTrailers = false
    fetch.leave(self, loop: services.loop)
  }

  // MARK: Trailers

  /// Whether trailers go to this viewer, and which are announced, is said before its body. Not with a
  /// page in place of an error: they are about what it replaces.
  private func announceTrailers(of fetch: Fetch, to tail: ByteBuffer) {
    guard errorPage == nil, let base = viewer.keptHead.map({ UnsafePointer($0) }) else { return }
    let head = services.requestHead
    guard case .complete = head.parse(base, count: viewer.headLength), head.acceptsTrailers(base)
    else { return }
    passesTrailers = true
    guard let names = fetch.announcedTrailers else { return }
    tail.append("Trailer: ")
    tail.append(names.bytes)
    tail.append("\r\n")
  }

  /// The field lines for this viewer behind the body of its fetch, once all of it has come.
  var trailers: ByteBuffer? { passesTrailers ? fetch?.trailers : nil }
}
