// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// Asks the origins of a route for one response and hands it to a `Fetch`: whom to ask, how often,
/// and the decision what becomes of the response. Lives on the fetch's owner loop.
///
/// `OriginRequest+Reaching` goes from the route's members to their targets, addresses and attempts.
final class OriginRequest {
  let fetch: Fetch
  let method: Method
  /// The whole request head for the origin that is asked now, kept for another attempt.
  let head = ByteBuffer(capacity: 1024)
  /// What the request allowed, for the storage decision.
  let caching: RequestCaching
  /// The viewer's head, of which each origin's is made, and whose fields the response's Vary selects.
  let viewerHead: ByteBuffer
  /// What each origin's head takes from elsewhere; points into memory of this request.
  private(set) var context: OriginRequestContext
  let viewerFacts: KeptViewerFacts
  private let peerAddress: ByteBuffer
  /// Entry being revalidated, or kept to stand in for a failing origin. One reference.
  private var stale: Entry?
  /// The request asks whether the entry still holds; not any more when the answer was about another.
  private var validates: Bool
  /// The request goes out once more when this response has ended.
  private var repeats = false
  /// Feeds the request's body; the request can then not be repeated.
  weak var upload: Upload?
  let hasBody: Bool
  /// The viewer asked for the head alone: a body that cannot be stored is not fetched.
  private let isForHead: Bool

  let services: LoopServices
  let loop: EventLoop
  var connection: OriginConnection?
  /// Which rule a response broke, for the edge's log.
  var malformation: String?
  var requestTime: Int64
  private(set) var isBodySent: Bool
  private(set) var isEnded = false
  private var isReleased = false
  private var drainsBody = false
  /// What becomes of the trailers that a chunked response may have.
  var responseTrailers: ResponseTrailers?

  // Of `OriginRequest+Reaching`.
  /// The member of the route that is asked now, and its place there.
  var policy: OriginPolicy
  var member = 0
  /// No member has a target that is up: each is asked all the same.
  var asksAllDown = false
  /// The target that is asked now, the ones asked before it, and how often one was chosen.
  var target: TargetUse?
  var tried: [Int] = []
  var choices = 0
  /// What the viewer's cookie says, once it was looked at.
  var preferred: Int?
  var pool: OriginPool?
  var addresses: [SocketAddress] = []
  var attempt = 0
  var attemptsLeft = 0
  /// How often the origin may still keep silent for too long.
  var silencesLeft = 0
  var lastConnectError: Int32 = 0

  /// - Parameter context: valid during this call.
  init(
    fetch: Fetch, services: LoopServices, method: Method, viewerHead: ByteBuffer,
    context: OriginRequestContext, caching: RequestCaching, stale: Entry?, upload: Upload?,
    isForHead: Bool
  ) {
    self.fetch = fetch
    self.services = services
    self.loop = services.loop
    self.method = method
    self.viewerHead = viewerHead
    viewerFacts = KeptViewerFacts(context.viewer)
    peerAddress = ByteBuffer(capacity: context.peerAddress.count)
    peerAddress.append(context.peerAddress)
    var context = context
    context.viewer = viewerFacts.facts
    context.peerAddress = peerAddress.bytes
    // The validators lie in the stale entry, which this request holds.
    self.context = context
    self.caching = caching
    self.stale = stale
    stale?.retain()
    validates = stale != nil
    self.upload = upload
    self.isForHead = isForHead
    hasBody = upload != nil
    isBodySent = upload == nil
    requestTime = services.loop.wallTime
    policy = fetch.distribution.origins[fetch.behavior.route.members[0]]
  }

  deinit { stale?.release() }

  var origin: Origin { policy.origin }

  func start() {
    fetch.resume = { [weak self] in self?.connection?.resume() }
    fetch.abandon = { [weak self] in self?.abandon() }
    askMembers(from: 0, after: .originConnect)
  }

  // MARK: The request's body

  func readyForBody() {
    if hasBody && !isBodySent { upload?.pump() }
  }

  var takesBody: Bool { connection?.takesBody ?? false }

  func write(_ vectors: UnsafeMutablePointer<iovec>, _ count: Int) {
    connection?.write(vectors, count)
  }

  func write(_ buffer: ByteBuffer) {
    withUnsafeTemporaryAllocation(of: iovec.self, capacity: 1) { vectors in
      vectors[0] = iovec(iov_base: buffer.base, iov_len: buffer.count)
      write(vectors.baseAddress!, 1)
    }
  }

  func bodyEnded() { isBodySent = true }

  /// The origin takes no more of the body; it may have answered.
  func bodyRefused() { upload?.refused() }

  /// The viewer broke off its own request.
  func uploadFailed() { abandon() }

  /// The viewer's head once more; valid until the next is parsed.
  func parseViewerHead() -> RequestHead? {
    let head = services.requestHeadAgain
    guard case .complete = head.parse(viewerHead.base, count: viewerHead.count) else { return nil }
    return head
  }

  // MARK: The response

  func receivedInterim(_ response: ResponseHead, _ base: UnsafePointer<UInt8>) {
    if response.status != 100 { fetch.firstReader?.sendInterim(response, base) }
  }

  /// The origin's 101. False when it switches to what the viewer has not asked for.
  /// - Parameter following: what has come behind it.
  func switched(
    _ response: ResponseHead, _ base: UnsafePointer<UInt8>,
    following: UnsafeBufferPointer<UInt8>, on connection: OriginConnection
  ) -> Bool {
    guard !isEnded, isBodySent, fetch.key.count == 0, let exchange = fetch.firstReader,
      let viewer = parseViewerHead(),
      response.acceptsUpgrade(base, of: viewer, viewerHead.base)
    else { return false }
    // No chosen status of a group is one below 400.
    _ = goesElsewhere(after: response.status)
    isEnded = true
    self.connection = nil
    // The target has this request until the tunnel ends.
    let target = self.target
    self.target = nil
    services.registry.ended(fetch)
    cleanUp()
    exchange.upgrade(response, base, following: following, on: connection, of: target)
    return true
  }

  /// The final response's head.
  /// - Parameter following: bytes of body that have come with it.
  func received(_ response: ResponseHead, _ base: UnsafePointer<UInt8>, following: Int) {
    let now = loop.wallTime
    if goesElsewhere(after: response.status) { return }
    fetch.timing.received(at: SystemCall.monotonicMicroseconds())
    if let stale, validates, response.status == 304, fetch.key.count > 0 {
      if freshens(response, base, stale) {
        return confirm(stale, response, base, now)
      }
      // It is about something else than what is stored: only the whole response will do.
      validates = false
      repeats = true
      return
    }
    if let stale, isOriginFailure(response.status) {
      if mayStandIn(stale, now) {
        FailureNote.remember(
          .originError, status: response.status, of: fetch, vary: stale.vary, services: services)
        return substitute(stale, .originError, status: response.status)
      }
    }
    if let slice = fetch.slice, receivedPart(of: slice, response, base, now) { return }
    awaitTrailers(of: response, base)
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
        fetch.isCompressible = prepareForms(
          response, base, out, status: response.status, length: length)
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

  /// Whether the stale entry may answer for a failing origin.
  private func mayStandIn(_ stale: Entry, _ now: Int64) -> Bool {
    AtollCore.mayStandIn(
      stale.freshness, softPurged: stale.isSoftPurged, request: caching, now: now)
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
    target?.finished()
    guard !isEnded else { return }
    if repeats {
      repeats = false
      target = nil
      context.etag = nil
      context.lastModified = nil
      return askMembers(from: member, after: .originBadResponse)
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

  func end(replacing entry: Entry, _ verdict: Verdict, status: UInt16) {
    isEnded = true
    fetch.replace(with: entry, verdict: verdict, originStatus: status)
    services.registry.ended(fetch)
    // A body that came with an error is not worth reading: the connection goes.
    if status == 304 { target?.finished() } else { dropConnection() }
    fetch.wakeReaders()
    cleanUp()
  }

  func end(failing reason: Reason) {
    let forbidsStale = stale?.freshness.flags.contains(.mustRevalidate) ?? false
    FailureNote.remember(
      reason, status: failureStatus(reason, forbidsStale: forbidsStale), of: fetch,
      vary: UnsafeBufferPointer(start: nil, count: 0), services: services)
    if let stale, mayStandIn(stale, loop.wallTime) {
      return substitute(stale, .originUnreachable, status: 0)
    }
    isEnded = true
    fetch.fail(reason, forbidsStale: forbidsStale)
    services.registry.ended(fetch)
    reportFailure(reason)
    dropConnection()
    fetch.wakeReaders()
    cleanUp()
  }

  func end(aborting reason: Reason) {
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
    pool?.cancelWaiting(self)
    end(aborting: .originClosed)
  }

  private func dropConnection() {
    let connection = self.connection
    self.connection = nil
    connection?.cancel()
  }

  private func cleanUp() {
    target?.abandon()
    upload?.originEnded()
    fetch.resume = nil
    fetch.abandon = nil
  }
}
