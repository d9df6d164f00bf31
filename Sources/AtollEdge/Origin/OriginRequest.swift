// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// Asks the origin for one response and hands it to a `Fetch`: addresses, attempts, retries, and the
/// decision what becomes of the response. Lives on the fetch's owner loop.
final class OriginRequest {
  let fetch: Fetch
  let origin: Origin
  let method: Method
  /// The whole request head as it goes out, kept for another attempt.
  private(set) var head: ByteBuffer
  /// What the request allowed, for the storage decision.
  let caching: RequestCaching
  /// The viewer's head, whose fields the response's Vary selects.
  let viewerHead: ByteBuffer
  let viewerFacts: KeptViewerFacts
  /// Entry being revalidated, or kept to stand in for a failing origin. One reference.
  private var stale: Entry?
  /// The request asks whether the entry still holds; not any more when the answer was about another.
  private var validates: Bool
  /// The request goes out once more when this response has ended.
  private var repeats = false
  /// Feeds the request's body; the request can then not be repeated.
  weak var upload: Upload?
  private let hasBody: Bool
  /// The viewer asked for the head alone: a body that cannot be stored is not fetched.
  private let isForHead: Bool

  let services: LoopServices
  let loop: EventLoop
  private let pool: OriginPool
  private var connection: OriginConnection?
  private var addresses: [SocketAddress] = []
  private var attempt = 0
  private var attemptsLeft: Int
  /// How often the origin may still keep silent for too long.
  private var silencesLeft: Int
  private var lastConnectError: Int32 = 0
  /// Which rule a response broke, for the edge's log.
  var malformation: String?
  private(set) var requestTime: Int64
  private(set) var isBodySent: Bool
  private var isEnded = false
  private var isReleased = false
  private var drainsBody = false

  init(
    fetch: Fetch, services: LoopServices, method: Method, head: ByteBuffer, viewerHead: ByteBuffer,
    viewerFacts: KeptViewerFacts, caching: RequestCaching, stale: Entry?, upload: Upload?,
    isForHead: Bool
  ) {
    self.fetch = fetch
    self.services = services
    self.loop = services.loop
    let origin = fetch.distribution.origins[fetch.behavior.route.members[0]].origin
    self.origin = origin
    self.method = method
    self.head = head
    self.viewerHead = viewerHead
    self.viewerFacts = viewerFacts
    self.caching = caching
    self.stale = stale
    stale?.retain()
    validates = stale != nil
    self.upload = upload
    self.isForHead = isForHead
    hasBody = upload != nil
    isBodySent = upload == nil
    attemptsLeft = origin.connectAttempts
    silencesLeft = origin.connectAttempts - 1
    requestTime = services.loop.wallTime
    pool = services.pool(host: origin.host, port: origin.port)
  }

  deinit { stale?.release() }

  // MARK: Reaching the origin

  func start() {
    fetch.resume = { [weak self] in self?.connection?.resume() }
    fetch.abandon = { [weak self] in self?.abandon() }
    if origin.scheme == .https { return end(failing: .originTls) }
    pool.start(self, mayReuse: true)
  }

  /// The pool has an open connection for this request.
  func assigned(_ connection: OriginConnection) {
    guard !isEnded else { return pool.park(connection) }
    self.connection = connection
    requestTime = loop.wallTime
    connection.begin(self)
  }

  func openConnection() {
    if isEnded { return pool.endOpening() }
    if !addresses.isEmpty {
      pool.endOpening()
      return connectNext()
    }
    let loop = self.loop
    let me = Unmanaged.passRetained(self)
    let token = UInt(bitPattern: me.toOpaque())
    services.resolver.resolve(host: origin.host, port: origin.port) { result in
      loop.post {
        let request = Unmanaged<OriginRequest>.fromOpaque(
          UnsafeRawPointer(bitPattern: token)!
        ).takeRetainedValue()
        request.resolved(result)
      }
    }
  }

  private func resolved(_ result: Result<[SocketAddress], ResolveError>) {
    pool.endOpening()
    guard !isEnded else { return }
    switch result {
    case .success(let found) where !found.isEmpty:
      addresses = found
      // Every address is tried, and one address as often as the origin's setting says.
      attemptsLeft = max(attemptsLeft, min(found.count, 8))
      connectNext()
    case .success, .failure:
      end(failing: .originDns)
    }
  }

  private func connectNext() {
    while attemptsLeft > 0 {
      attemptsLeft -= 1
      let address = addresses[attempt % addresses.count]
      attempt += 1
      let (connection, error) = pool.connect(to: address, timeout: origin.connectTimeout)
      if let connection {
        self.connection = connection
        connection.begin(self)
        return
      }
      lastConnectError = error
    }
    end(failing: lastConnectError == ETIMEDOUT ? .originTimeout : .originConnect)
  }

  /// More wait for this origin than it can be asked for.
  func refusedByPool() { end(failing: .overloaded) }

  func connected() { requestTime = loop.wallTime }

  func connectFailed(_ error: Int32) {
    connection = nil
    lastConnectError = error
    guard !isEnded else { return }
    connectNext()
  }

  /// The connection broke, or kept silent for too long.
  func failed(_ reason: Reason, onReused: Bool, hadResponse: Bool) {
    connection = nil
    guard !isEnded else { return }
    let isRepeatable = method.isSafe && !hasBody && fetch.view.phase == .waiting
    if isRepeatable && !hadResponse && reason == .originClosed && onReused {
      // It was closed while it idled: no attempt of the origin's was spent.
      return pool.start(self, mayReuse: false)
    }
    if isRepeatable && !hadResponse && reason == .originTimeout && silencesLeft > 0
      && (method == .get || method == .head)
    {
      silencesLeft -= 1
      attemptsLeft = origin.connectAttempts
      return pool.start(self, mayReuse: false)
    }
    if fetch.view.phase == .waiting { end(failing: reason) } else { end(aborting: reason) }
  }

  // MARK: The request's body

  func readyForBody() {
    if hasBody && !isBodySent { upload?.pump() }
  }

  var takesBody: Bool { connection?.takesBody ?? false }

  func write(_ vectors: UnsafeMutablePointer<iovec>, _ count: Int) {
    connection?.write(vectors, count)
  }

  func bodyEnded() { isBodySent = true }

  /// The origin takes no more of the body; it may have answered.
  func bodyRefused() { upload?.refused() }

  /// The viewer broke off its own request.
  func uploadFailed() { abandon() }

  // MARK: The response

  func receivedInterim(_ response: ResponseHead, _ base: UnsafePointer<UInt8>) {
    if response.status != 100 { fetch.firstReader?.sendInterim(response, base) }
  }

  /// The final response's head.
  /// - Parameter following: bytes of body that have come with it.
  func received(_ response: ResponseHead, _ base: UnsafePointer<UInt8>, following: Int) {
    let now = loop.wallTime
    if let stale, validates, response.status == 304, fetch.key.count > 0 {
      if freshens(response, base, meta: stale.meta, storedHead: stale.head.baseAddress!) {
        return confirm(stale, response, base, now)
      }
      // It is about something else than what is stored: only the whole response will do.
      validates = false
      repeats = true
      head = withoutValidators(head)
      return
    }
    if let stale, isOriginFailure(response.status) {
      if mayStandIn(stale, now) {
        return substitute(stale, .originError, status: response.status)
      }
    }
    if let slice = fetch.slice {
      if receivedPart(of: slice, response, base, now) { return }
    } else if response.status == 206 && fetch.key.count > 0 {
      // The whole was asked for: to somebody who did not ask for a part, this would look like it.
      return end(failing: .originRange)
    }
    let out = services.headBuffer
    out.removeAll()
    var length: UInt64?
    if case .length(let count) = response.framing { length = count }
    if response.framing == .none { length = declaredLength(response, base) }
    var refusal = caching.bypass
    if fetch.key.count > 0 {
      switch decideStorage(
        request: caching, method: method, response: response, base: base, behavior: fetch.behavior,
        requestTime: requestTime, responseTime: now)
      {
      case .refuse(let reason): refusal = reason
      case .store(let freshness):
        let meta = appendResponseHead(
          response, base, behavior: fetch.behavior, storing: true, now: now, to: out)
        fetch.isCompressible = prepareForms(response, base, out, length: length)
        refusal = store(response, base, freshness, meta, out, length, following)
        if refusal == .none { return }
        out.removeAll()
      }
      stopSharing()
    }
    let meta = appendResponseHead(
      response, base, behavior: fetch.behavior, storing: false, now: now, to: out)
    fetch.beginRelaying(
      head: out.bytes, status: response.status, meta: meta, refusal: refusal, length: length)
    fetch.wakeReaders()
    // HEAD was asked as GET. A short body is read to its end, which spares the connection.
    drainsBody = isForHead && method == .get && (length ?? .max) <= UInt64(Limits.relayWindow)
    if !drainsBody && (isForHead && method == .get || !fetch.hasReaders) { abandon() }
  }

  /// Content-Length of a response without a body: what GET would have brought.
  private func declaredLength(_ response: ResponseHead, _ base: UnsafePointer<UInt8>) -> UInt64? {
    response.fields.value(of: .contentLength, in: base).flatMap { decimal($0) }
  }

  /// Puts the response on its way into the cache; else says why not.
  private func store(
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
    let viewer = services.requestHeadAgain
    guard case .complete = viewer.parse(viewerHead.base, count: viewerHead.count) else {
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
    guard
      let entry = services.cache.makeEntry(
        hash: fetch.storedHash, key: fetch.storedKey.bytes, vary: vary.bytes, tags: tags.bytes,
        head: out.bytes, bodyCapacity: capacity, slot: fetch.distribution.slot,
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

  /// 304: the entry stands, with the response's fields (RFC 9111 §4.3.4).
  private func confirm(
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
    if entry.vary.elementsEqual(stale.vary) {
      insertConfirmed(entry, of: stale, response, base)
    } else {
      // The 304 has brought another Vary: the entry is another variant now.
      services.cache.remove(stale)
      let viewer = services.requestHeadAgain
      _ = services.cache.insert(entry) {
        varyMatches(
          $0, request: viewer, requestBase: viewerHead.base, behavior: fetch.behavior,
          viewer: viewerFacts.facts)
      }
    }
    end(replacing: entry, Verdict(.revalidated), status: 304)
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
    let viewer = services.requestHeadAgain
    guard case .complete = viewer.parse(viewerHead.base, count: viewerHead.count) else {
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
      stale, head: head.bytes, vary: renewsVary ? vary.bytes : nil, tags: tags.bytes,
      freshness: freshness, meta: meta, purgeNumber: fetch.purgeNumber)
  }

  /// Whether the stale entry may answer for a failing origin. A soft purge ends its lifetime.
  private func mayStandIn(_ stale: Entry, _ now: Int64) -> Bool {
    var freshness = stale.freshness
    if stale.isSoftPurged && freshness.isFresh(at: now) {
      freshness.lifetime = Int32(clamping: freshness.age(at: now))
    }
    return mayServeStaleOnError(freshness, request: caching, now: now)
  }

  private func substitute(_ stale: Entry, _ reason: Reason, status: UInt16) {
    stale.retain()
    end(replacing: stale, Verdict(.stale, reason), status: status)
  }

  /// Later viewers of this key go on their own for a while.
  func stopSharing() {
    guard !isReleased else { return }
    isReleased = true
    services.registry.remove(fetch)
    services.registry.rememberUnstorable(fetch.hash, now: loop.now)
  }

  // MARK: The body

  func room() -> UnsafeMutableBufferPointer<UInt8> { fetch.room() }

  func received(_ count: Int) { fetch.received(count) }

  /// Body bytes that lie elsewhere. False when this request is over.
  func store(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    var at = 0
    while at < count {
      let room = fetch.room()
      guard let target = room.baseAddress, room.count > 0 else {
        // The caller never takes more from the kernel than there was room for.
        end(aborting: .tooLarge)
        return false
      }
      let piece = min(room.count, count - at)
      memcpy(target, bytes + at, piece)
      fetch.received(piece)
      at += piece
    }
    return true
  }

  func wakeReaders() {
    fetch.wakeReaders()
    if !fetch.isStoring && !fetch.hasReaders && !drainsBody { abandon() }
  }

  // MARK: Ends

  func finished() {
    connection = nil
    guard !isEnded else { return }
    if repeats {
      repeats = false
      return pool.start(self, mayReuse: true)
    }
    isEnded = true
    let phase = fetch.view.phase
    guard phase == .streaming else { return }
    let wasStoring = fetch.isStoring
    if insert() == .inserted {
      services.registry.forgetUnstorable(fetch.hash)
      compressStored()
    }
    services.registry.ended(fetch)
    if !wasStoring && fetch.key.count > 0 {
      services.registry.rememberUnstorable(fetch.hash, now: loop.now)
    }
    fetch.wakeReaders()
    cleanUp()
  }

  private func insert() -> CacheStore.InsertResult? {
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

  private func end(replacing entry: Entry, _ verdict: Verdict, status: UInt16) {
    isEnded = true
    fetch.replace(with: entry, verdict: verdict, originStatus: status)
    services.registry.ended(fetch)
    // A body that came with an error is not worth reading: the connection goes.
    if status != 304 { dropConnection() }
    fetch.wakeReaders()
    cleanUp()
  }

  private func end(failing reason: Reason) {
    if let stale, mayStandIn(stale, loop.wallTime) {
      return substitute(stale, .originUnreachable, status: 0)
    }
    isEnded = true
    fetch.fail(reason, forbidsStale: stale?.freshness.flags.contains(.mustRevalidate) ?? false)
    services.registry.ended(fetch)
    services.reportOriginFailure(
      fetch.distribution, reason,
      detail: reason == .originConnect ? SystemCall.errorText(lastConnectError) : malformation)
    dropConnection()
    fetch.wakeReaders()
    cleanUp()
  }

  private func end(aborting reason: Reason) {
    isEnded = true
    fetch.abort(reason)
    services.registry.ended(fetch)
    dropConnection()
    fetch.wakeReaders()
    cleanUp()
  }

  /// Nobody reads any more, and nothing is being stored.
  func abandon() {
    guard !isEnded && !drainsBody else { return }
    pool.cancelWaiting(self)
    end(aborting: .originClosed)
  }

  private func dropConnection() {
    let connection = self.connection
    self.connection = nil
    connection?.cancel()
  }

  private func cleanUp() {
    upload?.originEnded()
    fetch.resume = nil
    fetch.abandon = nil
  }
}
