// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// One request and its response, step by step:
///
/// read head → choose distribution → choose behavior → methods → key → lookup →
/// {hit | revalidate | wait for a fill | fetch | pass} → respond → account.
///
/// Made once per connection and used for each of its requests in turn. A hit runs through `begin` in
/// one go; everything else continues in `proceed` and `fetchProgressed`.
final class Exchange {
  private enum Step { case idle, waiting, responding }

  /// The connection that owns this exchange; set once, by it.
  unowned(unsafe) var viewer: ViewerConnection!
  let services: LoopServices
  private var step = Step.idle

  // The request.
  private var method = Method.get
  private(set) var minorVersion: UInt8 = 1
  private var framing = BodyFraming.none
  private var expectsContinue = false
  private var persists = true
  private var caching = RequestCaching()
  private var isConditional = false
  private(set) var beganAt: Int64 = 0
  private(set) var requestID = RequestID()
  // A hit counts no references: what these point to lives as long as the configuration, and one that
  // is not done within its turn of the loop keeps that.
  private var policyReference: Unmanaged<DistributionPolicy>?
  private var behaviorReference: Unmanaged<BehaviorPolicy>?
  private var configuration: EdgeConfiguration?
  var policy: DistributionPolicy? { policyReference?.takeUnretainedValue() }
  private var behavior: BehaviorPolicy? { behaviorReference?.takeUnretainedValue() }

  // The response.
  private(set) var fetch: Fetch?
  /// How far this reader of the fetch is; guarded by the fetch's lock.
  var fetchPosition = 0
  /// Where this reader stands among those of its loop; guarded by the fetch's lock.
  var readerIndex = -1
  private(set) var verdict = Verdict(.pass)
  private(set) var status: UInt16 = 0
  var bytesDown = 0
  private(set) var bytesUp = 0
  private(set) var hasResponded = false
  // For the access log alone.
  private(set) var headBytes = 0
  private(set) var firstByteAt: Int64 = 0
  private(set) var age: Int64 = -1
  private(set) var originStatus: UInt16 = 0
  private var missReason = Reason.absent
  private var mustNotShare = false

  private static let conditionFields =
    KnownField.ifMatch.bit | KnownField.ifNoneMatch.bit | KnownField.ifModifiedSince.bit
    | KnownField.ifUnmodifiedSince.bit

  init(services: LoopServices) { self.services = services }

  // MARK: Reading the head

  /// - Parameter base: valid during this call; afterwards the connection keeps the head.
  func begin(_ head: RequestHead, _ base: UnsafePointer<UInt8>, canPersist: Bool) {
    step = .idle
    hasResponded = false
    bytesDown = 0
    bytesUp = 0
    headBytes = 0
    firstByteAt = 0
    age = -1
    originStatus = 0
    mustNotShare = false
    method = head.method
    minorVersion = head.minorVersion
    framing = head.framing
    expectsContinue = head.expectsContinue
    persists = head.keepsAlive && canPersist && !services.isDraining
    isConditional = head.fields.present & Self.conditionFields != 0
    beganAt = services.log == nil ? 0 : SystemCall.monotonicMicroseconds()
    requestID = services.nextRequestID()

    let authority = UnsafeBufferPointer(
      start: base + Int(head.authorityStart), count: Int(head.authorityLength))
    policyReference = services.currentConfiguration._withUnsafeGuaranteedRef {
      $0.distribution(forHost: authority)
    }
    guard let policyReference else {
      behaviorReference = nil
      return answer(head, base, status: 421, reason: .unknownHost)
    }
    policyReference._withUnsafeGuaranteedRef { policy in
      let path = UnsafeBufferPointer(
        start: base + Int(head.pathStart), count: Int(head.pathLength))
      let behavior = policy.unretainedBehavior(forPath: path)
      behaviorReference = behavior
      behavior._withUnsafeGuaranteedRef { admit(head, base, policy, $0) }
    }
    if step != .idle { configuration = services.configuration }
  }

  // MARK: Methods

  @inline(__always)
  private func admit(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ policy: DistributionPolicy,
    _ behavior: BehaviorPolicy
  ) {
    if !policy.distribution.isEnabled {
      return answer(head, base, status: 403, reason: .distributionDisabled)
    }
    guard behavior.allows(method) else {
      return answer(head, base, status: 405, reason: .methodNotAllowed)
    }
    caching = RequestCaching(head, base, behavior: behavior)
    if case .none = caching.bypass {
      lookUp(head, base, policy, behavior)
    } else {
      if caching.bypass == .requestBody && behavior.cachesMethod(method) {
        return answer(head, base, status: 403, reason: .requestBody)
      }
      verdict = Verdict(.pass, caching.bypass)
      step = .waiting
    }
  }

  // MARK: Lookup

  @inline(__always)
  private func lookUp(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ policy: DistributionPolicy,
    _ behavior: BehaviorPolicy
  ) {
    let key = services.keyBuffer
    key.removeAll()
    appendCacheKey(head, base, distribution: policy, behavior: behavior, to: key)
    let hash = keyHash(key.bytes, seed: services.seed)
    let found = services.cache.lookup(hash: hash, key: key.bytes) {
      varyMatches($0, request: head, requestBase: base, behavior: behavior)
    }
    guard let entry = found.entry else {
      missReason =
        found.sawPurged ? .purged : found.sawOtherVariant ? .varyMismatch : .absent
      if caching.flags.contains(.onlyIfCached) {
        return answer(head, base, status: 504, reason: .onlyIfCached)
      }
      step = .waiting
      return
    }
    defer { entry.release() }
    let now = services.loop.wallTime
    switch decideUse(
      entry.freshness, softPurged: entry.isSoftPurged, request: caching, now: now)
    {
    case .fresh:
      verdict = Verdict(.hit)
      respond(from: entry, head, base)
    case .staleWhileRevalidate:
      verdict = Verdict(.stale, .staleWhileRevalidate)
      revalidateBehind(entry, head, base, policy, behavior, hash)
      respond(from: entry, head, base)
    case .revalidate(let reason):
      missReason = reason
      if caching.flags.contains(.onlyIfCached) {
        return answer(head, base, status: 504, reason: .onlyIfCached)
      }
      step = .waiting
    }
  }

  /// Serves a stored entry: whole, in part, or as 304 or 412.
  @inline(__always)
  private func respond(from entry: Entry, _ head: RequestHead, _ base: UnsafePointer<UInt8>) {
    let selection = select(
      request: head, base: base, meta: entry.meta, storedHead: entry.head.baseAddress!,
      status: entry.status, bodyLength: entry.bodyLength)
    if case .full = selection {
      let tail = beginTail(entry)
      status = entry.status
      // RFC 9110 §8.6: none with 204.
      if status != 204 {
        tail.append("Content-Length: ")
        tail.appendDecimal(UInt64(truncatingIfNeeded: entry.bodyLength))
        tail.append("\r\n")
      }
      endTail(tail)
      send(
        entry.head, tail, entry, position: 0,
        count: method == .head ? 0 : entry.bodyLength)
      return
    }
    respondInPart(from: entry, selection)
  }

  @inline(never)
  private func respondInPart(from entry: Entry, _ selection: Selection) {
    let out = services.headBuffer
    out.removeAll()
    let tail = beginTail(entry)
    var position = 0
    var count = 0
    switch selection {
    case .full:
      return
    case .notModified:
      status = 304
      appendNotModifiedHead(stored: entry.head, to: out)
    case .preconditionFailed:
      status = 412
      appendStatusLine(412, to: out)
      tail.append("Content-Length: 0\r\n")
    case .unsatisfiable:
      status = 416
      appendStatusLine(416, to: out)
      tail.append("Content-Range: bytes */")
      tail.appendDecimal(UInt64(entry.bodyLength))
      tail.append("\r\nContent-Length: 0\r\n")
    case .range(let start, let length):
      status = 206
      position = start
      count = method == .head ? 0 : length
      appendStatusLine(206, to: out)
      let fieldsStart = Int(entry.meta.fieldsStart)
      out.append(entry.head.baseAddress! + fieldsStart, entry.head.count - fieldsStart)
      tail.append("Content-Range: bytes ")
      tail.appendDecimal(UInt64(start))
      tail.append("-")
      tail.appendDecimal(UInt64(start + length - 1))
      tail.append("/")
      tail.appendDecimal(UInt64(entry.bodyLength))
      tail.append("\r\nContent-Length: ")
      tail.appendDecimal(UInt64(length))
      tail.append("\r\n")
    }
    endTail(tail)
    send(out.bytes, tail, entry, position: position, count: count)
  }

  @inline(__always)
  private func send(
    _ head: UnsafeBufferPointer<UInt8>, _ tail: ByteBuffer, _ entry: Entry?, position: Int,
    count: Int, bodyInTail: Int = 0
  ) {
    hasResponded = true
    step = .responding
    headBytes = head.count &+ tail.count &- bodyInTail
    if beganAt != 0 { firstByteAt = SystemCall.monotonicMicroseconds() }
    viewer.respond(
      head: head, tail: tail, entry: entry, position: position, count: count, closes: !persists)
  }

  /// Verdict, age and request id of a response from a stored entry.
  @inline(__always)
  private func beginTail(_ entry: Entry) -> ByteBuffer {
    let now = services.loop.wallTime
    let tail = services.tailBuffer
    tail.removeAll()
    age = entry.freshness.age(at: now)
    appendVerdict(
      verdict, age: age, ttl: entry.freshness.remaining(at: now),
      originStatus: isRevalidated ? 304 : 0, stored: false, to: tail)
    return tail
  }

  @inline(__always)
  private var isRevalidated: Bool { if case .revalidated = verdict.outcome { true } else { false } }

  /// Request id, persistence and the empty line.
  @inline(__always)
  private func endTail(_ tail: ByteBuffer) {
    tail.append("X-Request-Id: ")
    tail.appendHex(requestID.high)
    tail.appendHex(requestID.low)
    if !persists {
      tail.append("\r\nConnection: close\r\n\r\n")
    } else if minorVersion == 0 {
      tail.append("\r\nConnection: keep-alive\r\n\r\n")
    } else {
      tail.append("\r\n\r\n")
    }
  }

  // MARK: Fetching

  /// The head is in the connection's own memory now: goes to the origin, or joins who does.
  func proceed() {
    guard step == .waiting, fetch == nil, let policy, let behavior,
      let base = viewer.keptHead.map({ UnsafePointer($0) })
    else { return }
    let head = services.requestHead
    guard case .complete = head.parse(base, count: viewer.headLength) else { return }
    if isLooping(head, base) { return answer(head, base, status: 508, reason: .loop) }
    if caching.bypass == .none { caching.bypass = caching.passOnMiss }
    if caching.bypass != .none {
      return fetchAlone(
        head, base, policy, behavior, key: UnsafeBufferPointer(start: nil, count: 0))
    }
    let key = services.keyBuffer
    key.removeAll()
    appendCacheKey(head, base, distribution: policy, behavior: behavior, to: key)
    let hash = keyHash(key.bytes, seed: services.seed)
    if mustNotShare || caching.flags.contains(.noCache) {
      return fetchAlone(head, base, policy, behavior, key: key.bytes)
    }
    let answer = services.registry.enter(hash: hash, key: key.bytes, now: services.loop.now) {
      makeFetch(policy, behavior, key.bytes, hash)
    }
    switch answer {
    case .lead(let fetch):
      lead(fetch, head, base, policy, behavior)
    case .join(let fetch):
      // Before joining: from then on the fetch's loop reads it.
      fetchPosition = 0
      if fetch.behavior !== behavior || !fetch.join(self, loop: services.loop) {
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
  private func isLooping(_ head: RequestHead, _ base: UnsafePointer<UInt8>) -> Bool {
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

  private func makeFetch(
    _ policy: DistributionPolicy, _ behavior: BehaviorPolicy, _ key: UnsafeBufferPointer<UInt8>,
    _ hash: KeyHash
  ) -> Fetch {
    Fetch(
      owner: services.loop, distribution: policy, behavior: behavior, key: key, hash: hash,
      purgeNumber: services.edge.purgeNumber, cache: services.cache, budget: services.budget)
  }

  /// First of its key: looks once more, since a fill may have ended since the lookup.
  private func lead(
    _ fetch: Fetch, _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ policy: DistributionPolicy,
    _ behavior: BehaviorPolicy
  ) {
    let found = services.cache.lookup(hash: fetch.hash, key: fetch.key.bytes) {
      varyMatches($0, request: head, requestBase: base, behavior: behavior)
    }
    if let entry = found.entry {
      if case .fresh = decideUse(
        entry.freshness, softPurged: entry.isSoftPurged, request: caching,
        now: services.loop.wallTime)
      {
        // Who joined meanwhile is served from the same entry.
        entry.retain()
        fetch.replace(with: entry, verdict: Verdict(.hit), originStatus: 0)
        services.registry.ended(fetch)
        fetch.wakeReaders()
        verdict = Verdict(.hit)
        respond(from: entry, head, base)
        entry.release()
        return
      }
    }
    verdict = Verdict(.miss, missReason)
    start(fetch, head, base, policy, behavior, stale: found.entry)
    found.entry?.release()
  }

  /// A fetch that nobody joins; with a key its response may still be stored.
  private func fetchAlone(
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
    let found = services.cache.lookup(hash: hash, key: key) {
      varyMatches($0, request: head, requestBase: base, behavior: behavior)
    }
    verdict = Verdict(.miss, missReason)
    start(fetch, head, base, policy, behavior, stale: found.entry)
    found.entry?.release()
  }

  private func start(
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

  private func makeOriginRequest(
    _ fetch: Fetch, _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ policy: DistributionPolicy,
    _ behavior: BehaviorPolicy, stale: Entry?, isBehind: Bool
  ) -> OriginRequest {
    let isCacheable = !fetch.key.bytes.isEmpty
    // HEAD fills the cache as GET does, and is answered from it.
    let asGet = isCacheable && method == .head
    let written = services.headBuffer
    written.removeAll()
    var context = OriginRequestContext(
      viewerAddress: viewer.addressText, scheme: .http,
      requestID: (requestID.high, requestID.low), storing: isCacheable)
    context.bodyFraming = isCacheable ? .none : framing
    if let stale, let stored = stale.head.baseAddress {
      context.etag = stale.meta.etag(in: stored)
      context.lastModified = stale.meta.lastModifiedValue(in: stored)
    }
    appendOriginRequest(
      head, base, distribution: policy, behavior: behavior, context: context, to: written)
    written.truncate(to: written.count - 2)
    written.append("CDN-Loop: ")
    written.append(services.edge.loopID)
    written.append("\r\n\r\n")
    let out = ByteBuffer(capacity: written.count)
    if asGet {
      out.append("GET")
      out.append(written.base + 4, written.count - 4)
    } else {
      out.append(written.bytes)
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
      fetch: fetch, services: services, method: asGet ? .get : method, head: out,
      viewerHead: viewerHead, caching: caching, stale: stale, upload: upload,
      isForHead: method == .head && !isBehind)
    upload?.request = request
    return request
  }

  /// RFC 5861 §3: the stale entry answers now, one request behind it brings the fresh one.
  private func revalidateBehind(
    _ entry: Entry, _ head: RequestHead, _ base: UnsafePointer<UInt8>,
    _ policy: DistributionPolicy, _ behavior: BehaviorPolicy, _ hash: KeyHash
  ) {
    let key = services.keyBuffer.bytes
    let answer = services.registry.enter(hash: hash, key: key, now: services.loop.now) {
      makeFetch(policy, behavior, key, hash)
    }
    guard case .lead(let fetch) = answer else { return }
    let request = makeOriginRequest(
      fetch, head, base, policy, behavior, stale: entry, isBehind: true)
    services.loop.afterwards { request.start() }
  }

  // MARK: What the fetch tells

  func fetchProgressed(_ fetch: Fetch) {
    guard self.fetch === fetch else { return }
    if step == .responding { return viewer.bodyProgressed() }
    guard step == .waiting else { return }
    let view = fetch.view
    switch view.phase {
    case .waiting:
      return
    case .streaming, .complete:
      respond(from: fetch)
    case .replaced:
      respondFromReplacement(fetch)
    case .aborted, .failed:
      fail(view.failure)
    case .released:
      released(by: fetch, view.failure)
    }
  }

  /// The response may not be shared: this exchange asks for its own. It may have found that out by
  /// itself before a loop brought the news, and wait for its own by now.
  func released(by fetch: Fetch, _ reason: Reason) {
    guard step == .waiting, self.fetch === fetch else { return }
    fetch.leave(self, loop: services.loop)
    self.fetch = nil
    mustNotShare = true
    missReason = reason == .none ? .absent : reason
    proceed()
  }

  private func respond(from fetch: Fetch) {
    if case .coalesced = verdict.outcome, let obstacle = obstacleToSharing(fetch) {
      return released(by: fetch, obstacle)
    }
    if viewer.hasUnreadBody { persists = false }
    if invalidates(method, status: fetch.status) { invalidateTarget() }
    let isBodyless = method == .head || fetch.status == 204 || fetch.status == 304
    status = fetch.status
    if verdict.outcome == .miss, fetch.refusal != .none { verdict.reason = fetch.refusal }
    if let freshness = fetch.freshness, isConditional, respondConditionally(fetch, freshness) {
      return
    }
    let tail = services.tailBuffer
    tail.removeAll()
    let now = services.loop.wallTime
    appendVerdict(
      verdict, age: fetch.freshness.flatMap { $0.initialAge > 0 ? $0.age(at: now) : nil },
      ttl: fetch.freshness.map { $0.remaining(at: now) }, originStatus: fetch.originStatus,
      stored: fetch.freshness != nil, to: tail)
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
      } else {
        endsByClose = true
        persists = false
      }
    }
    endTail(tail)
    hasResponded = true
    step = .responding
    originStatus = fetch.originStatus
    headBytes = fetch.head.count + tail.count
    if beganAt != 0 { firstByteAt = SystemCall.monotonicMicroseconds() }
    viewer.respond(
      head: fetch.head.bytes, tail: tail, hasBody: !isBodyless, chunked: isChunked,
      endsByClose: endsByClose, closes: !persists)
  }

  /// The viewer's own validators against a response that is being stored.
  private func respondConditionally(_ fetch: Fetch, _ freshness: Freshness) -> Bool {
    guard let base = viewer.keptHead.map({ UnsafePointer($0) }) else { return false }
    let head = services.requestHead
    guard case .complete = head.parse(base, count: viewer.headLength) else { return false }
    let selection = select(
      request: head, base: base, meta: fetch.meta, storedHead: UnsafePointer(fetch.head.base),
      status: fetch.status, bodyLength: Int.max)
    let out = services.headBuffer
    out.removeAll()
    let tail = services.tailBuffer
    tail.removeAll()
    switch selection {
    case .notModified:
      status = 304
      appendNotModifiedHead(stored: fetch.head.bytes, to: out)
    case .preconditionFailed:
      status = 412
      appendStatusLine(412, to: out)
    case .full, .range, .unsatisfiable:
      return false
    }
    appendVerdict(
      verdict, age: nil, ttl: freshness.remaining(at: services.loop.wallTime),
      originStatus: fetch.originStatus, stored: true, to: tail)
    if status == 412 { tail.append("Content-Length: 0\r\n") }
    endTail(tail)
    leaveFetch()
    send(out.bytes, tail, nil, position: 0, count: 0)
    return true
  }

  /// What is stored for the target of a successful unsafe request has probably changed
  /// (RFC 9111 §4.4).
  private func invalidateTarget() {
    guard let policy, let behavior, behavior.caches,
      let base = viewer.keptHead.map({ UnsafePointer($0) })
    else { return }
    let head = services.requestHead
    guard case .complete = head.parse(base, count: viewer.headLength) else { return }
    let key = services.keyBuffer
    key.removeAll()
    appendCacheKey(head, base, distribution: policy, behavior: behavior, to: key)
    let hash = keyHash(key.bytes, seed: services.seed)
    services.registry.overtake(hash)
    _ = services.cache.invalidate(hash: hash, key: key.bytes)
  }

  /// Why a response that another request brought does not answer this one; nil when it does.
  private func obstacleToSharing(_ fetch: Fetch) -> Reason? {
    guard let freshness = fetch.freshness else { return fetch.refusal }
    switch decideUse(
      freshness, softPurged: false, request: caching, now: services.loop.wallTime)
    {
    case .fresh, .staleWhileRevalidate: break
    case .revalidate(let reason): return reason
    }
    if fetch.vary.count > 0 && !isSelected(by: fetch.vary.bytes) { return .varyMismatch }
    return nil
  }

  /// Whether a response with this vary section answers this exchange's request too.
  private func isSelected(by section: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let behavior, let base = viewer.keptHead.map({ UnsafePointer($0) }) else { return false }
    let head = services.requestHead
    guard case .complete = head.parse(base, count: viewer.headLength) else { return false }
    return varyMatches(section, request: head, requestBase: base, behavior: behavior)
  }

  private func respondFromReplacement(_ fetch: Fetch) {
    guard let entry = fetch.replacement, let base = viewer.keptHead.map({ UnsafePointer($0) })
    else { return fail(.originClosed) }
    let head = services.requestHead
    guard case .complete = head.parse(base, count: viewer.headLength) else { return }
    // The entry answers this request only if it is one of its variants.
    if !entry.vary.isEmpty && !isSelected(by: entry.vary) {
      return released(by: fetch, .varyMismatch)
    }
    if case .coalesced = verdict.outcome, caching.flags.contains(.authorization),
      !entry.freshness.flags.contains(.sharedWithAuthorization)
    {
      return released(by: fetch, .requestAuthorization)
    }
    verdict =
      verdict.outcome == .coalesced && fetch.replacementVerdict.outcome != .stale
      ? Verdict(.coalesced) : fetch.replacementVerdict
    entry.retain()
    leaveFetch()
    respond(from: entry, head, base)
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
    guard step == .waiting else { return viewer.close() }
    leaveFetch()
    refuseOrClose(status: status, reason: reason)
  }

  private func fail(_ reason: Reason) {
    leaveFetch()
    let status: UInt16 =
      switch reason {
      case .originTimeout: 504
      case .overloaded: 503
      default: 502
      }
    refuseOrClose(status: status, reason: reason)
  }

  private func refuseOrClose(status: UInt16, reason: Reason) {
    guard let base = viewer.keptHead.map({ UnsafePointer($0) }) else { return viewer.close() }
    let head = services.requestHead
    guard case .complete = head.parse(base, count: viewer.headLength) else {
      return viewer.close()
    }
    answer(head, base, status: status, reason: reason)
  }

  private func leaveFetch() {
    guard let fetch else { return }
    self.fetch = nil
    fetch.leave(self, loop: services.loop)
  }

  // MARK: Answers of the edge's own

  /// A request whose head could not be read.
  func refuse(status: UInt16, reason: Reason, detail: String) {
    method = .get
    minorVersion = 1
    policyReference = nil
    behaviorReference = nil
    framing = .none
    persists = false
    bytesDown = 0
    bytesUp = 0
    headBytes = 0
    age = -1
    originStatus = 0
    beganAt = services.log == nil ? 0 : SystemCall.monotonicMicroseconds()
    requestID = services.nextRequestID()
    let page = ErrorPage(
      status: status, reason: reason, detail: detail, distribution: nil, requestID: requestID)
    sendPage(page, format: .text, allow: nil)
  }

  private func answer(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, status: UInt16, reason: Reason
  ) {
    // What follows the head is a body that nobody reads.
    if framing != .none && framing != .length(0) { persists = false }
    let page = ErrorPage(
      status: status, reason: reason, detail: nil, distribution: policy?.distribution.name,
      requestID: requestID)
    sendPage(
      page, format: ErrorPage.Format(accept: head.fields.value(of: .accept, in: base)),
      allow: status == 405 ? policy?.distribution.settings.allowedMethods.listing : nil)
  }

  private func sendPage(_ page: ErrorPage, format: ErrorPage.Format, allow: String?) {
    status = page.status
    verdict = Verdict(.error, page.reason)
    let out = services.headBuffer
    out.removeAll()
    let body = page.body(format)
    appendStatusLine(page.status, to: out)
    out.append("Date: ")
    HTTPDate.append(services.loop.wallTime, to: out)
    out.append("\r\nContent-Type: ")
    out.append(format.contentType)
    out.append("\r\nCache-Control: no-store\r\n")
    if let allow {
      out.append("Allow: ")
      out.append(allow)
      out.append("\r\n")
    }
    if page.status == 503 { out.append("Retry-After: 1\r\n") }
    let tail = services.tailBuffer
    tail.removeAll()
    appendVerdict(verdict, age: nil, ttl: nil, originStatus: 0, stored: false, to: tail)
    tail.append("Content-Length: ")
    tail.appendDecimal(UInt64(body.utf8.count))
    tail.append("\r\n")
    endTail(tail)
    if method != .head { tail.append(body) }
    send(
      out.bytes, tail, nil, position: 0, count: 0,
      bodyInTail: method == .head ? 0 : body.utf8.count)
  }

  // MARK: Ends

  /// The body broke off: what the viewer got is visibly incomplete.
  func bodyBroke(_ reason: Reason) {
    verdict = Verdict(.error, reason)
  }

  /// The last byte has been handed to the kernel.
  func finish() {
    account()
    if fetch != nil { leaveFetch() }
    step = .idle
    if configuration != nil { configuration = nil }
  }

  /// The viewer has gone before that.
  func viewerLeft() {
    if step != .idle { account() }
    leaveFetch()
    step = .idle
    configuration = nil
  }

  func countUpload(_ bytes: Int) { bytesUp += bytes }

  @inline(__always)
  private func account() {
    let slot = policyReference?._withUnsafeGuaranteedRef { $0.slot } ?? LoopCounters.unclaimed
    services.counters.account(
      slot: slot, verdict: verdict, method: method,
      status: status, bytesDown: bytesDown,
      bytesUp: bytesUp)
    if let log = services.log { writeLog(log) }
  }
}
