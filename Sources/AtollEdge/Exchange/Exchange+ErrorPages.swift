// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// An error in whose place something else is sent.
final class ErrorPageRequest {
  let rule: ErrorPolicy.Rule
  /// Of the error: how it came about, for headers and log.
  let verdict: Verdict
  let originStatus: UInt16
  /// Seconds for which it is remembered; nil when it is not.
  let remaining: Int64?
  let detail: String?
  /// The methods that a 405 names.
  let allow: String?
  /// The viewer's own.
  let method: Method
  /// The request for the page, once it is on its way.
  fileprivate(set) var head: ByteBuffer?
  /// No page after this one: whatever comes now is the answer.
  fileprivate(set) var isTried = false

  init(
    rule: ErrorPolicy.Rule, verdict: Verdict, originStatus: UInt16, remaining: Int64?,
    detail: String?, allow: String?, method: Method
  ) {
    self.rule = rule
    self.verdict = verdict
    self.originStatus = originStatus
    self.remaining = remaining
    self.detail = detail
    self.allow = allow
    self.method = method
  }

  /// Whether a response with this status is what is to be sent.
  func isAnswered(with status: UInt16) -> Bool {
    rule.page == nil || (head != nil && isErrorPage(status))
  }

  /// Why the edge answers with the error itself after all.
  var reason: Reason { verdict.outcome == .error ? verdict.reason : .originError }
}

/// Custom error responses (CloudFront §20).
///
/// The page of a path is a second request within the exchange: the exchange goes on with another
/// head, whose behavior and origin are chosen anew, and what comes is sent with the replaced
/// status. Only once: an error on that way is the answer.
extension Exchange {
  /// Sets out for the page that replaces an error of the origin's. False when the response goes
  /// on its way.
  /// - Parameters:
  ///   - status: of the response, as `verdict` tells how it came.
  ///   - remaining: seconds for which the error is remembered; nil when it is not.
  func substitutePage(
    for status: UInt16, originStatus: UInt16 = 0, remaining: Int64?
  ) -> Bool {
    guard errorPage == nil, let rule = policy?.errors.rule(for: status, madeBecause: nil) else {
      return false
    }
    return setOut(
      for: ErrorPageRequest(
        rule: rule, verdict: verdict, originStatus: originStatus, remaining: remaining,
        detail: nil, allow: nil, method: method))
  }

  /// The same for an error that the edge makes itself.
  func substitutePage(for page: ErrorPage, allow: String?) -> Bool {
    guard errorPage == nil,
      let rule = policy?.errors.rule(for: page.status, madeBecause: page.reason)
    else { return false }
    return setOut(
      for: ErrorPageRequest(
        rule: rule, verdict: Verdict(.error, page.reason), originStatus: 0, remaining: nil,
        detail: page.detail, allow: allow, method: method))
  }

  /// False when there is nothing to set out for: the error itself is sent with another status.
  private func setOut(for page: ErrorPageRequest) -> Bool {
    errorPage = page
    // Kept until the exchange ends; one that has waited keeps that under which it began.
    if configuration == nil { keepConfiguration() }
    // A plain behavior keeps neither, and the page's may ask for both.
    if behavior?.isPlain != false {
      originStatements = []
      upstream = nil
    }
    if page.rule.page == nil {
      page.isTried = true
      return false
    }
    leaveFetch()
    parts = nil
    slices = nil
    // What the viewer still sends of its body has no reader any more.
    if viewer.hasUnreadBody { persists = false }
    step = .waiting
    // While the head is being read it lies in scratch memory; the connection keeps it and goes on.
    if !viewer.isBeginning { fetchErrorPage() }
    return true
  }

  func fetchErrorPage() {
    guard let page = errorPage, let policy, let base = viewer.keptHead.map({ UnsafePointer($0) })
    else { return }
    let head = services.requestHead
    guard case .complete = head.parse(base, count: viewer.headLength) else {
      return viewer.close()
    }
    page.isTried = true
    switch page.rule.page {
    case nil:
      return
    case .file(let file):
      send(file, page)
    case .path(let path):
      let request = ByteBuffer(capacity: head.length + path.count + 16)
      appendPageRequest(head, base, path: path, to: request)
      guard case .complete = head.parse(request.base, count: request.count) else {
        return refuseOrClose(status: page.rule.status, reason: page.reason)
      }
      page.head = request
      fetchPage(head, UnsafePointer(request.base), policy)
    }
  }

  private func fetchPage(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ policy: DistributionPolicy
  ) {
    let path = UnsafeBufferPointer(start: base + Int(head.pathStart), count: Int(head.pathLength))
    let chosen = policy.unretainedBehavior(forPath: path)
    behaviorReference = chosen
    let behavior = chosen.takeUnretainedValue()
    // The behavior left may have been one that measures nothing.
    if beganAt == 0 && behavior.responses.timing != nil {
      beganAt = SystemCall.monotonicMicroseconds()
    }
    method = head.method
    framing = .none
    expectsContinue = false
    isConditional = false
    releaseReason = .none
    missReason = .absent
    caching = RequestCaching(head, base, behavior: behavior)
    verdict = Verdict(.pass, caching.bypass)
    if caching.bypass == .none && answerPageFromCache(head, base, policy, behavior) { return }
    proceed()
  }

  private func answerPageFromCache(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ policy: DistributionPolicy,
    _ behavior: BehaviorPolicy
  ) -> Bool {
    let (hash, found) = findForm(head, base, policy, behavior, viewerFacts(head, base))
    guard let entry = found.entry else {
      missReason = found.missReason
      return false
    }
    defer { entry.release() }
    switch decideUse(
      entry.freshness, softPurged: entry.isSoftPurged, request: caching,
      now: services.loop.wallTime)
    {
    case .fresh, .freshError:
      verdict = Verdict(.hit)
      respondClosely(from: entry, head, base)
      return true
    case .staleWhileRevalidate:
      verdict = Verdict(.stale, .staleWhileRevalidate)
      revalidateBehind(entry, head, base, policy, behavior, hash)
      respondClosely(from: entry, head, base)
      return true
    case .revalidate(let reason):
      missReason = reason
      return answerFromFailure(head, base, behavior, stale: entry)
    }
  }

  // MARK: Sending

  /// From a stored page.
  func respondWithPage(from entry: Entry) {
    guard let page = errorPage else { return }
    let out = services.headBuffer
    out.removeAll()
    let now = services.loop.wallTime
    let tail = services.tailBuffer
    tail.removeAll()
    age = entry.freshness.age(at: now)
    let isKnown = page.rule.responseStatus == 200 && viewerKnows(entry)
    beginPage(page, originStatus: isRevalidated ? 304 : 0)
    if isKnown {
      status = 304
      appendNotModifiedHead(stored: sentHead(of: entry), policy: behavior?.responses, to: out)
    } else {
      appendReplacedHead(
        sentHead(of: entry), fieldsStart: entry.meta.fieldsStart, status: status, to: out)
    }
    appendPageVerdict(
      age: age, ttl: entry.freshness.remaining(at: now), stored: false, to: tail)
    appendAllow(page, to: tail)
    if !isKnown && status != 204 {
      tail.append("Content-Length: ")
      tail.appendDecimal(UInt64(entry.bodyLength))
      tail.append("\r\n")
    }
    endTail(tail)
    send(
      out.bytes, tail, entry, position: 0,
      count: isKnown || method == .head ? 0 : entry.bodyLength)
  }

  /// With status 200 the page is the representation that the viewer asked for, as far as it can
  /// tell, and so its conditions count; an error's body is no such thing (RFC 9110 §13.2.1).
  private func viewerKnows(_ entry: Entry) -> Bool {
    guard !viewer.isBeginning, let base = viewer.ownHead.map({ UnsafePointer($0) }) else {
      return false
    }
    let head = services.requestHeadAgain
    guard case .complete = head.parse(base, count: viewer.ownHeadLength) else { return false }
    return select(
      request: head, base: base, meta: entry.meta, storedHead: entry.head.baseAddress!,
      status: 200, bodyLength: entry.bodyLength) == .notModified
  }

  /// The head of a page that its origin is sending; nil when this is none.
  func pageHead(_ fetch: Fetch) -> UnsafeBufferPointer<UInt8>? {
    guard let page = errorPage, page.isAnswered(with: fetch.status) else { return nil }
    beginPage(page, originStatus: fetch.originStatus)
    let out = services.headBuffer
    out.removeAll()
    appendReplacedHead(
      sentHead(of: fetch), fieldsStart: fetch.meta.fieldsStart, status: status, to: out)
    if page.allow != nil { appendAllow(page, to: out) }
    return out.bytes
  }

  /// From a file beside the edge.
  private func send(_ file: ErrorPageFile, _ page: ErrorPageRequest) {
    let out = services.headBuffer
    out.removeAll()
    beginPage(page, originStatus: page.originStatus)
    appendStatusLine(status, to: out)
    out.append("Date: ")
    HTTPDate.append(services.loop.wallTime, to: out)
    out.append("\r\nContent-Type: ")
    out.append(file.contentType)
    out.append("\r\nCache-Control: no-store\r\n")
    if status == 503 { out.append("Retry-After: 1\r\n") }
    let head = sentHead(making: out.bytes, keepsCacheControl: true)
    let tail = services.tailBuffer
    tail.removeAll()
    appendPageVerdict(age: nil, ttl: nil, stored: false, to: tail)
    appendAllow(page, to: tail)
    tail.append("Content-Length: ")
    tail.appendDecimal(UInt64(file.bytes.count))
    tail.append("\r\n")
    endTail(tail)
    let hasBody = method != .head
    send(
      hasBody ? PartialBody(.file(file), [ByteRange(0, file.bytes.count)]) : nil, head: head, tail)
  }

  /// Settles what the exchange tells of itself: one request, the viewer's.
  private func beginPage(_ page: ErrorPageRequest, originStatus: UInt16) {
    if tellsOfPage(after: page.verdict) {
      self.originStatus = originStatus
    } else {
      verdict = page.verdict
      self.originStatus = page.originStatus
    }
    status = page.rule.responseStatus
    method = page.method
  }

  /// The lines of `appendVerdict` for a response that may be an error.
  func appendPageVerdict(age: Int64?, ttl: Int64?, stored: Bool, to tail: ByteBuffer) {
    var (ttl, stored) = (ttl, stored)
    if let page = errorPage {
      ttl = jointLifetime(error: page.remaining, page: ttl)
      stored = stored && tellsOfPage(after: page.verdict)
    }
    if status >= 400 {
      appendErrorVerdict(
        verdict, age: age, ttl: ttl, originStatus: originStatus, stored: stored,
        lookup: missReason, wasReleased: mustNotShare, to: tail)
    } else {
      appendVerdict(
        verdict, age: age, ttl: ttl, originStatus: originStatus, stored: stored,
        lookup: missReason, wasReleased: mustNotShare, to: tail)
    }
  }

  /// RFC 9110 §15.5.6: a 405 names the methods that are allowed.
  private func appendAllow(_ page: ErrorPageRequest, to buffer: ByteBuffer) {
    guard status == 405, let allow = page.allow else { return }
    buffer.append("Allow: ")
    buffer.append(allow)
    buffer.append("\r\n")
  }
}
