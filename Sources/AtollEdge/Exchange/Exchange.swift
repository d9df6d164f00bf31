// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// One request and its response, step by step:
///
/// read head → choose distribution → choose behavior → viewer policy → key → lookup →
/// {hit | revalidate | wait for a fill | fetch | pass} → respond → account.
///
/// Made once per connection and used for each of its requests in turn. A hit runs through `begin` in
/// one go; everything else continues in `proceed` and `fetchProgressed`.
final class Exchange {
  enum Step { case idle, waiting, responding }

  /// Who owns this exchange; set once, by it.
  var viewerReference: Unmanaged<Viewer>!
  var viewer: Viewer { viewerReference._withUnsafeGuaranteedRef { $0 } }
  let services: LoopServices
  // Of the services: what an object names itself is used without counting a reference.
  private let cache: CacheStore
  private let counters: LoopCounters
  private let keyBuffer: ByteBuffer
  private let tailBuffer: ByteBuffer
  var step = Step.idle

  // The request.
  var method = Method.get
  var minorVersion: UInt8 = 1
  var framing = BodyFraming.none
  var expectsContinue = false
  var persists = true
  var caching = RequestCaching()
  var isConditional = false
  var beganAt: Int64 = 0
  var requestID = RequestID()
  // A hit counts no references: what these point to lives as long as the configuration, and one that
  // is not done within its turn of the loop keeps that.
  var policyReference: Unmanaged<DistributionPolicy>?
  var behaviorReference: Unmanaged<BehaviorPolicy>?
  private(set) var configuration: HeldConfiguration?
  var policy: DistributionPolicy? { policyReference?.takeUnretainedValue() }
  var behavior: BehaviorPolicy? { behaviorReference?.takeUnretainedValue() }

  // The response.
  var fetch: Fetch?
  /// How far this reader of the fetch is; guarded by the fetch's lock.
  var fetchPosition = 0
  /// Where this reader stands among those of its loop; guarded by the fetch's lock.
  var readerIndex = -1
  /// The body, when it comes in parts.
  var parts: PartialBody?
  /// The viewer gets the trailers of the fetch, too.
  var passesTrailers = false
  /// What puts a response together of slices, until its head is out.
  var slices: SliceReader?
  var verdict = Verdict(.pass)
  var status: UInt16 = 0
  var bytesDown = 0
  var bytesUp = 0
  var hasResponded = false
  // For the access log alone.
  var headBytes = 0
  var firstByteAt: Int64 = 0
  var age: Int64 = -1
  var originStatus: UInt16 = 0
  /// Why the lookup found nothing usable.
  var missReason = Reason.absent
  /// Why another's response, which this exchange waited for, did not answer it.
  var releaseReason = Reason.none
  /// The peer is one of the distribution's own proxies, which may know how its cache is laid out.
  var showsKey = false
  var mustNotShare: Bool { releaseReason != .none }
  /// The error whose page this exchange is after; `configuration` is kept meanwhile.
  var errorPage: ErrorPageRequest?
  // Of behaviors that are not plain.
  /// What of the policy's the origin has said itself.
  var originStatements = OriginStatements(rawValue: 0)
  /// What this exchange's own fetch took.
  var upstream: UpstreamTiming?

  /// The version in which the viewer speaks.
  var version: HTTPVersion {
    viewer.isHTTP2 ? .http2 : minorVersion == 0 ? .http10 : .http11
  }

  init(services: LoopServices) {
    self.services = services
    cache = services.cache
    counters = services.counters
    keyBuffer = services.keyBuffer
    tailBuffer = services.tailBuffer
  }

  deinit { dropConfiguration() }

  // MARK: Read head, choose distribution and behavior

  /// - Parameter base: valid during this call; afterwards the connection keeps the head.
  func begin(_ head: RequestHead, _ base: UnsafePointer<UInt8>, canPersist: Bool) {
    prepare(head, canPersist: canPersist)
    policyReference = services.currentConfiguration._withUnsafeGuaranteedRef {
      $0.distribution(for: head, base)
    }
    guard let policyReference else {
      behaviorReference = nil
      return answerUnclaimed(head, base)
    }
    policyReference._withUnsafeGuaranteedRef { policy in
      let path = UnsafeBufferPointer(
        start: base + Int(head.pathStart), count: Int(head.pathLength))
      let behavior = policy.unretainedBehavior(forPath: path)
      behaviorReference = behavior
      behavior._withUnsafeGuaranteedRef { admit(head, base, policy, $0) }
    }
    if step != .idle { keepConfiguration() }
  }

  @inline(__always)
  private func prepare(_ head: RequestHead, canPersist: Bool) {
    step = .idle
    hasResponded = false
    bytesDown = 0
    bytesUp = 0
    headBytes = 0
    firstByteAt = 0
    age = -1
    originStatus = 0
    releaseReason = .none
    showsKey = false
    let state = head.state
    method = state.pointee.method
    minorVersion = state.pointee.minorVersion
    framing = state.pointee.framing
    expectsContinue = state.pointee.expectsContinue
    persists = state.pointee.keepsAlive && canPersist && !services.isDraining
    isConditional = AtollCore.isConditional(head)
    beganAt = services.log == nil ? 0 : SystemCall.monotonicMicroseconds()
    requestID = services.nextRequestID()
  }

  /// Keeps the present configuration until the exchange ends.
  @inline(__always)
  func keepConfiguration() {
    dropConfiguration()
    let held = services.heldConfiguration
    held.retain()
    configuration = held
  }

  @inline(__always)
  private func dropConfiguration() {
    if let configuration {
      self.configuration = nil
      configuration.release()
    }
  }

  /// Instead of `begin`, for a request that belongs on another connection (RFC 9110 §15.5.20).
  @inline(never)
  func beginMisdirected(_ head: RequestHead, _ base: UnsafePointer<UInt8>, canPersist: Bool) {
    prepare(head, canPersist: canPersist)
    policyReference = nil
    behaviorReference = nil
    answer(head, base, status: 421, reason: .misdirected)
  }

  // MARK: Viewer policy

  @inline(__always)
  func admit(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ policy: DistributionPolicy,
    _ behavior: BehaviorPolicy
  ) {
    guard behavior.isPlain else { return admitClosely(head, base, policy, behavior) }
    guard behavior.allows(method) else {
      return answer(head, base, status: 405, reason: .methodNotAllowed)
    }
    goOn(head, base, policy, behavior, ViewerFacts(scheme: peerScheme), plain: true)
  }

  /// - Parameter plain: a constant wherever this is inlined, so that hits of plain behaviors test
  ///   for nothing else.
  @inline(__always)
  func goOn(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ policy: DistributionPolicy,
    _ behavior: BehaviorPolicy, _ facts: ViewerFacts, plain: Bool
  ) {
    caching = RequestCaching(head, base, behavior: behavior)
    if caching.isPlain {
      lookUp(head, base, policy, behavior, facts, plain: plain)
    } else if caching.bypass == .none {
      lookUpForm(head, base, policy, behavior, facts)
    } else {
      if caching.bypass == .requestBody && behavior.cachesMethod(method) {
        return answer(head, base, status: 403, reason: .requestBody)
      }
      // It would be cut off soon after its beginning.
      if head.asksUpgrade && services.isDraining {
        return answer(head, base, status: 503, reason: .draining)
      }
      if answerAsRecipient(head, base) { return }
      wait(Verdict(.pass, caching.bypass))
    }
  }

  /// It is the origin's turn. Until it answers no status has been sent.
  @inline(never)
  private func wait(_ verdict: Verdict) {
    self.verdict = verdict
    status = 0
    step = .waiting
  }

  // MARK: Key

  /// Leaves the request's cache key in the services' buffer.
  @discardableResult
  @inline(__always)
  func writeKey(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ policy: DistributionPolicy,
    _ behavior: BehaviorPolicy, _ facts: ViewerFacts
  ) -> KeyHash {
    keyBuffer.removeAll()
    appendCacheKey(
      head, base, distribution: policy, behavior: behavior, viewer: facts, to: keyBuffer)
    return keyHash(keyBuffer.bytes, seed: services.seed)
  }

  // MARK: Lookup

  @inline(__always)
  func lookUp(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ policy: DistributionPolicy,
    _ behavior: BehaviorPolicy, _ facts: ViewerFacts, plain: Bool
  ) {
    let hash = writeKey(head, base, policy, behavior, facts)
    let found = cache.lookup(hash: hash, key: keyBuffer.bytes) {
      varyMatches($0, request: head, requestBase: base, behavior: behavior, viewer: facts)
    }
    guard let entry = found.entry else { return miss(found, head, base) }
    use(taking: entry, hash, head, base, policy, behavior, plain: plain)
  }

  /// Nothing stored answers the request.
  @inline(never)
  func miss(
    _ found: CacheStore.LookupResult, _ head: RequestHead, _ base: UnsafePointer<UInt8>
  ) {
    missReason = found.missReason
    wait(Verdict(.miss, missReason))
  }

  /// Serves a stored entry that matches, or asks the origin first. The caller's reference to it is
  /// given up.
  @inline(__always)
  func use(
    taking entry: Entry, _ hash: KeyHash, _ head: RequestHead, _ base: UnsafePointer<UInt8>,
    _ policy: DistributionPolicy, _ behavior: BehaviorPolicy, plain: Bool
  ) {
    if plain && !isConditional
      && isFresh(entry, for: caching.flags, at: services.loop.wallTime)
    {
      respond(taking: entry)
    } else {
      use(entry, hash, head, base, policy, behavior)
      entry.release()
    }
  }

  @inline(never)
  private func use(
    _ entry: Entry, _ hash: KeyHash, _ head: RequestHead, _ base: UnsafePointer<UInt8>,
    _ policy: DistributionPolicy, _ behavior: BehaviorPolicy
  ) {
    switch decideUse(
      entry.freshness, softPurged: entry.isSoftPurged, request: caching,
      now: services.loop.wallTime)
    {
    case .fresh:
      verdict = Verdict(.hit)
      respond(from: entry, head, base)
    case .freshError:
      verdict = Verdict(.hit)
      respondClosely(from: entry, head, base)
    case .staleWhileRevalidate:
      verdict = Verdict(.stale, .staleWhileRevalidate)
      revalidateBehind(entry, head, base, policy, behavior, hash)
      respondClosely(from: entry, head, base)
    case .revalidate(let reason):
      missReason = reason
      if answerFromFailure(head, base, behavior, stale: entry) { return }
      if caching.flags.contains(.onlyIfCached) {
        return answer(head, base, status: 504, reason: .onlyIfCached)
      }
      wait(Verdict(.miss, reason))
    }
  }

  // MARK: Respond

  /// Serves a stored entry: whole, in part, or as 304.
  func respond(from entry: Entry, _ head: RequestHead, _ base: UnsafePointer<UInt8>) {
    let selection = select(
      request: head, base: base, meta: entry.meta, storedHead: entry.head.baseAddress!,
      status: entry.status, bodyLength: entry.bodyLength)
    if case .ranges = selection { return respondInParts(from: entry, head, base) }
    respondInPart(from: entry, selection, length: entry.bodyLength)
  }

  /// Serves a stored entry whole and as it is, which nearly every hit is.
  @inline(__always)
  private func respond(taking entry: Entry) {
    verdict = Verdict(.hit)
    tailBuffer.removeAll()
    let facts = appendHit(
      entry, at: services.loop.wallTime, requestID: (requestID.high, requestID.low),
      persists: persists, minorVersion: minorVersion, to: tailBuffer)
    age = facts.age
    status = facts.status
    let isKept = hand(
      entry.head, tailBuffer, entry, position: 0, count: method == .head ? 0 : facts.bodyLength)
    if !isKept { entry.release() }
  }

  /// - Parameter length: of the body that the entry describes.
  func respondInPart(from entry: Entry, _ selection: Selection, length bodyLength: Int) {
    let out = services.headBuffer
    out.removeAll()
    let tail = beginTail(entry)
    var position = 0
    var count = 0
    let stored = sentHead(of: entry)
    var answer = stored
    switch selection {
    case .ranges:
      return
    case .full:
      status = entry.status
      count = method == .head ? 0 : entry.bodyLength
      if status != 204 {
        tail.append("Content-Length: ")
        tail.appendDecimal(UInt64(entry.bodyLength))
        tail.append("\r\n")
      }
    case .notModified:
      status = 304
      appendNotModifiedHead(stored: stored, policy: behavior?.responses, to: out)
      answer = out.bytes
    case .preconditionFailed:
      // RFC 9111 §4.3.2: not a cache's to say. Only `lookUp` comes here: what asks for such a
      // condition is passed on, see `RequestCaching.passOnMiss`.
      missReason = .requestCondition
      wait(Verdict(.miss, missReason))
      return
    case .unsatisfiable:
      status = 416
      appendStatusLine(416, to: out)
      answer = sentHead(making: out.bytes)
      tail.append("Content-Range: bytes */")
      tail.appendDecimal(UInt64(bodyLength))
      tail.append("\r\nContent-Length: 0\r\n")
    case .range(let start, let length):
      status = 206
      position = start
      count = method == .head ? 0 : length
      appendPartHead(stored: stored, to: out)
      answer = out.bytes
      tail.appendContentRange(ByteRange(start, start + length), of: bodyLength)
      tail.append("Content-Length: ")
      tail.appendDecimal(UInt64(length))
      tail.append("\r\n")
    }
    endTail(tail)
    send(answer, tail, entry, position: position, count: count)
  }

  func send(
    _ head: UnsafeBufferPointer<UInt8>, _ tail: ByteBuffer, _ entry: Entry?, position: Int,
    count: Int, bodyInTail: Int = 0
  ) {
    entry?.retain()
    let isKept = hand(
      head, tail, entry, position: position, count: count, bodyInTail: bodyInTail)
    if !isKept { entry?.release() }
  }

  /// - Returns: whether the viewer has kept the entry, and with it the caller's reference.
  @inline(__always)
  private func hand(
    _ head: UnsafeBufferPointer<UInt8>, _ tail: ByteBuffer, _ entry: Entry?, position: Int,
    count: Int, bodyInTail: Int = 0
  ) -> Bool {
    hasResponded = true
    step = .responding
    headBytes = head.count &+ tail.count &- bodyInTail
    if beganAt != 0 { firstByteAt = SystemCall.monotonicMicroseconds() }
    return viewerReference._withUnsafeGuaranteedRef {
      $0.respond(
        head: head, tail: tail, entry: entry, position: position, count: count, closes: !persists)
    }
  }

  /// Verdict, age and request id of a response from a stored entry.
  func beginTail(_ entry: Entry) -> ByteBuffer {
    let now = services.loop.wallTime
    let tail = tailBuffer
    tail.removeAll()
    age = entry.freshness.age(at: now)
    appendVerdict(
      verdict, age: age, ttl: entry.freshness.remaining(at: now),
      originStatus: originStatus, stored: false, lookup: missReason,
      wasReleased: mustNotShare, to: tail)
    if showsKey { appendKeyParameter(entry.key, to: tail) }
    return tail
  }

  var isRevalidated: Bool { verdict.outcome == .revalidated }

  /// Request id, persistence and the empty line.
  func endTail(_ tail: ByteBuffer) {
    appendPolicyFields(tail)
    tail.append("X-Request-Id: ")
    tail.appendHex(requestID.high)
    tail.appendHex(requestID.low)
    tail.append(headEnd(persists: persists, minorVersion: minorVersion))
  }

  // MARK: End and account

  /// The whole body has come, and has perhaps not been stored after all: too late for the headers,
  /// but not for the log.
  func bodyCompleted(_ refusal: Reason) {
    if refusal != .none && verdict.outcome == .miss { verdict.reason = refusal }
  }

  /// The body broke off: what the viewer got is visibly incomplete. The status stays the one that
  /// was sent.
  func bodyBroke(_ reason: Reason) {
    verdict = Verdict(.error, reason)
  }

  /// The last byte has been handed to the kernel.
  func finish() {
    account()
    if fetch != nil { leaveFetch() }
    step = .idle
    dropConfiguration()
    if errorPage != nil { errorPage = nil }
  }

  /// The viewer has gone before that.
  func viewerLeft() {
    if step != .idle { account() }
    leaveFetch()
    parts = nil
    slices = nil
    step = .idle
    dropConfiguration()
    errorPage = nil
  }

  func countUpload(_ bytes: Int) { bytesUp += bytes }

  @inline(__always)
  func account() {
    let slot = policyReference?._withUnsafeGuaranteedRef { $0.slot } ?? LoopCounters.unclaimed
    counters.account(
      slot: slot, verdict: verdict, method: method,
      status: status, bytesDown: bytesDown,
      bytesUp: bytesUp)
    if let log = services.log { writeLog(log) }
  }
}
