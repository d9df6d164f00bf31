// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Failures of the origin that the cache remembers: while they last the origin is left alone
/// (CloudFront §19).
///
/// They lie beside the response of their URL, under its key with the failure's mark: a whole 5xx of
/// the origin's, or a note that it did not answer or that a stale entry stood in for it. A purge of
/// the URL finds them too.
extension Exchange {
  /// Answers the request from a remembered failure, or from the stale entry in its place. False
  /// when the origin is to be asked.
  /// - Parameters:
  ///   - stale: what the request found, and may not use.
  ///   - standIn: answers from that; when nil, from the entry as such.
  @inline(never)
  func answerFromFailure(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ behavior: BehaviorPolicy, stale: Entry?,
    standIn: (() -> Void)? = nil
  ) -> Bool {
    guard let failure = findFailure(head, base, behavior) else { return false }
    defer { failure.release() }
    let now = services.loop.wallTime
    let note = FailureNote(failure)
    switch decideFailureUse(
      failure.freshness, softPurged: failure.isSoftPurged, failureStatus: failure.status,
      hasResponse: note?.isWholeAnswer ?? true,
      stale: stale.map { ($0.freshness, $0.isSoftPurged) }, request: caching, now: now)
    {
    case .ignore:
      return false
    case .standIn:
      verdict = Verdict(.stale, .originRecentlyFailed)
      if let standIn { standIn() } else { respondClosely(from: stale!, head, base) }
    case .answer:
      if let note {
        answer(
          head, base, status: failure.status, reason: .originRecentlyFailed,
          detail: "\(note.reason.text)")
      } else {
        verdict = Verdict(.hit)
        respondClosely(from: failure, head, base)
      }
    }
    return true
  }

  /// The same for a request that found nothing; what it found else was looked at with it.
  func answerFromFailure(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ policy: DistributionPolicy,
    _ behavior: BehaviorPolicy
  ) -> Bool {
    guard missReason == .absent || missReason == .purged || missReason == .varyMismatch else {
      return false
    }
    let key = services.keyBuffer
    key.removeAll()
    appendCacheKey(
      head, base, distribution: policy, behavior: behavior, viewer: viewerFacts(head, base), to: key
    )
    return answerFromFailure(head, base, behavior, stale: nil)
  }

  /// Whether the origin failed so recently that it is not asked on the side either.
  func hasFailedRecently(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ behavior: BehaviorPolicy
  ) -> Bool {
    guard let failure = findFailure(head, base, behavior) else { return false }
    defer { failure.release() }
    return !failure.isSoftPurged && failure.freshness.isFresh(at: services.loop.wallTime)
  }

  /// Under the key that the key buffer holds. Retained for the caller.
  private func findFailure(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ behavior: BehaviorPolicy
  ) -> Entry? {
    let facts = viewerFacts(head, base)
    let key = services.keyBuffer
    toggleFailureMark(key.base)
    defer { toggleFailureMark(key.base) }
    return services.cache.lookup(
      hash: keyHash(key.bytes, seed: services.seed), key: key.bytes
    ) {
      varyMatches($0, request: head, requestBase: base, behavior: behavior, viewer: facts)
    }.entry
  }

  /// What failed before an unsafe request may work after it. The key is in the key buffer.
  func forgetFailure() {
    let key = services.keyBuffer
    toggleFailureMark(key.base)
    _ = services.cache.invalidate(
      hash: keyHash(key.bytes, seed: services.seed), key: key.bytes)
    toggleFailureMark(key.base)
  }

  /// Serves an entry outside of the hot path, where it may be an error or an error's page.
  @inline(never)
  func respondClosely(
    from entry: Entry, _ head: RequestHead, _ base: UnsafePointer<UInt8>
  ) {
    let entry = form(of: entry)
    if errorPage?.isAnswered(with: entry.status) == true {
      respondWithPage(from: entry)
    } else if entry.status >= 400 {
      respondWithError(from: entry)
    } else {
      respond(from: entry, head, base)
    }
    entry.release()
  }

  /// Neither conditions nor ranges count here (RFC 9110 §13.2.1 and §14.2).
  private func respondWithError(from entry: Entry) {
    let now = services.loop.wallTime
    let remaining = entry.freshness.remaining(at: now)
    if substitutePage(for: entry.status, remaining: remaining) { return }
    if errorPage?.isAnswered(with: entry.status) == true { return respondWithPage(from: entry) }
    status = entry.status
    age = entry.freshness.age(at: now)
    let tail = services.tailBuffer
    tail.removeAll()
    appendErrorVerdict(
      verdict, age: age, ttl: remaining,
      originStatus: originStatus, stored: false, lookup: missReason, to: tail)
    tail.append("Content-Length: ")
    tail.appendDecimal(UInt64(entry.bodyLength))
    tail.append("\r\n")
    let sent = sentHead(of: entry)
    endTail(tail)
    send(
      sent, tail, entry, position: 0, count: method == .head ? 0 : entry.bodyLength)
  }
}

/// An entry without a response: the origin gave none, or none that was wanted.
struct FailureNote {
  let reason: Reason

  /// Nil when the entry has a response.
  init?(_ entry: Entry) {
    // A stored head begins with its status line.
    guard entry.meta.fieldsStart == 0, let byte = entry.head.first,
      let reason = Reason(rawValue: byte)
    else { return nil }
    self.reason = reason
  }

  /// What the origin answered when a stale entry stood in for it is not known any more.
  var isWholeAnswer: Bool { reason != .originError }

  /// Notes the failure of a fetch for as long as its distribution says.
  /// - Parameters:
  ///   - status: the origin's, or the one that tells viewers of the failure.
  ///   - vary: of the entry that stands in; empty when the failure is every variant's.
  static func remember(
    _ reason: Reason, status: UInt16, of fetch: Fetch, vary: UnsafeBufferPointer<UInt8>,
    services: LoopServices
  ) {
    guard fetch.key.count > 0, reason == .originError || isFailureOfOrigin(reason),
      let seconds = fetch.behavior.errors.minimumTTL(of: status), seconds > 0
    else { return }
    let key = fetch.failureKey
    let none = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    let entry = withUnsafePointer(to: reason.rawValue) { byte in
      services.cache.makeEntry(
        hash: keyHash(key.bytes, seed: services.seed), key: key.bytes, vary: vary, tags: none,
        head: UnsafeBufferPointer(start: byte, count: 1), bodyCapacity: 0,
        slot: fetch.distribution.slot, purgeNumber: fetch.purgeNumber)
    }
    guard let entry else { return }
    entry.status = status
    entry.freshness = Freshness(
      responseTime: services.loop.wallTime, lifetime: seconds,
      flags: [.error, .sharedWithAuthorization])
    _ = services.cache.insert(entry)
    entry.release()
  }
}

extension Fetch {
  /// Where a failure of this fetch is remembered.
  var failureKey: ByteBuffer {
    // Where a part is not to be had, the whole is not either.
    let key = slice?.wholeKey ?? key
    let copy = ByteBuffer(capacity: key.count)
    copy.append(key.bytes)
    toggleFailureMark(copy.base)
    return copy
  }
}
