// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// One kept-alive connection to an origin: writes a request, reads its response, waits in the pool.
final class OriginConnection: Channel {
  private enum State {
    case connecting, securing, idle, sending, receivingHead, receivingBody, upgraded, closed
  }

  unowned(unsafe) let pool: OriginPool
  /// Strong while a request is under way on this connection.
  private(set) var request: OriginRequest?
  private var state: State
  /// It has carried a response before: a failure now may only mean that the origin closed it.
  private(set) var isReused = false
  /// Milliseconds of the loop's clock when it went idle.
  private(set) var idleSince: Int64 = 0

  private var isReadable = false
  private var isWritable = false
  /// The origin has closed its side: told once, perhaps together with the last bytes, so a short
  /// read is no reason to stop reading.
  private(set) var peerEnded = false
  /// Whether any byte of a response to the present request has come.
  private(set) var hasResponse = false
  /// Nil in the clear, and before the connection stands.
  private var secured: OriginTLSSession?
  private let output = ByteBuffer(capacity: 1024)
  private var outputStart = 0
  /// The part of a response head that has come so far.
  private var input: ByteBuffer?
  private var framing = BodyFraming.none
  private var remaining: UInt64 = 0
  private var decoder = ChunkedDecoder()
  private var keepsAlive = true
  private var interimCount = 0
  /// The response has ended with its head: whoever gives it up now has all of it.
  private var isWhole = false
  private var isPaused = false
  /// What the connection carries after a 101.
  private var tunnel: UpgradeTunnel?
  /// The request has gone elsewhere; the rest of the response is read for the connection's sake.
  private var isDraining = false
  private var drained = 0
  private var responseTimeout: Int

  init(pool: OriginPool, descriptor: Int32, connectTimeout: Int) {
    self.pool = pool
    state = .connecting
    responseTimeout = 30_000
    super.init(loop: pool.loop, descriptor: descriptor)
    register()
    setDeadline(after: connectTimeout * 1000)
  }

  /// Begins a request on a connection that is open or opening.
  func begin(_ request: OriginRequest) {
    self.request = request
    responseTimeout = request.origin.responseTimeout * 1000
    hasResponse = false
    interimCount = 0
    isWhole = false
    isDraining = false
    drained = 0
    if state == .idle {
      isReused = true
      send()
    }
  }

  private func send() {
    guard let request else { return }
    state = .sending
    output.removeAll()
    outputStart = 0
    output.append(request.head.bytes)
    setDeadline(after: responseTimeout)
    flush()
  }

  /// Whether the peer has closed, or sent what nobody asked for: then it is not to be used again.
  var isStale: Bool {
    if let tls = secured?.tls { return !isQuiet(tls) }
    var byte: UInt8 = 0
    let got = recv(
      descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
    return !(got < 0 && csystem_errno() == EAGAIN)
  }

  /// Reads what may come between responses, such as a session (RFC 8446 §4.6.1). False when there
  /// is more: the end, or what nobody asked for.
  private func isQuiet(_ tls: TLSSession) -> Bool {
    var byte: UInt8 = 0
    guard case .wouldBlock = tls.receive(&byte, 1) else { return false }
    isReadable = false
    return true
  }

  /// For a tunnel, which speaks for itself.
  var tls: TLSSession? { secured?.tls }

  // MARK: Events

  override func ready(_ events: UInt32) {
    if events & (Events.input | Events.peerEnded | Events.hungUp | Events.failed) != 0 {
      isReadable = true
    }
    if events & (Events.peerEnded | Events.hungUp | Events.failed) != 0 { peerEnded = true }
    if events & Events.output != 0 {
      isWritable = true
      if let tls = secured?.tls, tls.isHeldBack { isReadable = true }
    }
    switch state {
    case .connecting:
      if events & (Events.output | Events.failed | Events.hungUp) != 0 { connectEnded() }
    case .securing: secure()
    case .idle:
      if isReadable { readIdle() }
    case .sending, .receivingHead, .receivingBody:
      if isWritable { flush() }
      if isReadable && !isPaused { receive() }
    case .upgraded:
      tunnel?.ready(.origin, events)
    case .closed:
      break
    }
  }

  private func connectEnded() {
    let error = SystemCall.pendingError(descriptor)
    guard error == 0 else { return failConnect(error) }
    guard let security = pool.endpoint.security else { return connected() }
    secured = OriginTLSSession(
      pool.endpoint, security: security, descriptor: descriptor, budget: loop.services.budget,
      resuming: pool.resumableSession)
    if secured == nil { return failConnect(ENOMEM) }
    state = .securing
    secure()
  }

  /// Goes on with the handshake, for which there is no more time than for connecting.
  private func secure() {
    guard let secured else { return }
    var progress = secured.tls.handshake(scratch: loop.services.recordBuffer)
    // No event will tell of the end again that came with the last bytes.
    if progress == .waiting && peerEnded {
      progress = secured.tls.handshake(scratch: loop.services.recordBuffer)
    }
    switch progress {
    case .waiting: return
    case .done:
      if !secured.isResumed { pool.verified() }
      connected()
    case .failed:
      let (reason, detail) = secured.failure()
      let request = detach()
      close()
      request?.securingFailed(reason, detail)
    }
  }

  private func connected() {
    clearDeadline()
    // What came behind the handshake is told by no further event.
    if secured != nil { isReadable = true }
    if request == nil {
      becomeIdle()
    } else {
      request?.connected()
      send()
      if state == .receivingHead && secured != nil { receive() }
    }
  }

  /// Something happened to a connection that waits in the pool.
  private func readIdle() {
    if let tls = secured?.tls, !peerEnded, isQuiet(tls) { return takeSession() }
    close()
  }

  private func takeSession() {
    if let session = secured?.takeSession() { pool.keep(session) }
  }

  private func failConnect(_ error: Int32) {
    let request = detach()
    close()
    request?.connectFailed(error)
  }

  override func deadlineReached() {
    switch state {
    case .connecting, .securing: failConnect(ETIMEDOUT)
    case .idle: close()
    case .sending, .receivingHead, .receivingBody: fail(.originTimeout)
    case .upgraded, .closed: break
    }
  }

  // MARK: Sending

  private func flush() {
    while outputStart < output.count {
      switch transmit(output.base + outputStart, output.count - outputStart) {
      case .moved(let count):
        outputStart += count
        setDeadline(after: responseTimeout)
      case .wouldBlock:
        isWritable = false
        return
      case .failed:
        // The origin may have answered before it closed: read first.
        isWritable = false
        outputStart = output.count
        if state == .sending { state = .receivingHead }
        return
      }
    }
    output.removeAll()
    outputStart = 0
    if state == .sending {
      state = .receivingHead
    }
    request?.readyForBody()
  }

  /// Whether more of a request's body may be given now.
  var takesBody: Bool {
    output.count == 0 && (state == .receivingHead || state == .receivingBody)
  }

  /// A piece of the request's body, framed already; what the kernel does not take is kept.
  func write(_ vectors: UnsafeMutablePointer<iovec>, _ count: Int) {
    setDeadline(after: responseTimeout)
    var total = 0
    for index in 0..<count { total += vectors[index].iov_len }
    var sent = 0
    // What is kept goes first, even if the kernel would take more by now.
    if output.count == 0 {
      switch transmit(vectors, count) {
      case .moved(let moved): sent = moved
      case .wouldBlock: break
      case .failed:
        isWritable = false
        request?.bodyRefused()
        return
      }
    }
    if sent == total { return }
    isWritable = false
    for index in 0..<count {
      let vector = vectors[index]
      if sent >= vector.iov_len {
        sent -= vector.iov_len
        continue
      }
      output.append(
        vector.iov_base.assumingMemoryBound(to: UInt8.self) + sent, vector.iov_len - sent)
      sent = 0
    }
  }

  private func transmit(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Transfer {
    secured?.tls.send(bytes, count, scratch: loop.services.recordBuffer)
      ?? SystemCall.send(descriptor, bytes, count)
  }

  private func transmit(_ vectors: UnsafeMutablePointer<iovec>, _ count: Int) -> Transfer {
    secured?.tls.send(vectors, count, scratch: loop.services.recordBuffer)
      ?? SystemCall.send(descriptor, vectors, count)
  }

  // MARK: Receiving

  private func read(_ memory: UnsafeMutablePointer<UInt8>, _ count: Int) -> Transfer {
    guard let tls = secured?.tls else { return SystemCall.receive(descriptor, memory, count) }
    return tls.receive(memory, count, peerEnded: &peerEnded)
  }

  private func receive() {
    while isReadable && !isPaused {
      switch state {
      case .sending, .receivingHead:
        if !receiveHead() { return }
      case .receivingBody:
        if !receiveBody() { return }
      case .idle:
        return close()
      case .connecting, .securing, .upgraded, .closed:
        return
      }
    }
  }

  /// False when the connection has gone or has to wait.
  private func receiveHead() -> Bool {
    let services = loop.services!
    let scratch = services.scratch
    let kept = input?.count ?? 0
    if let input { memcpy(scratch, input.base, kept) }
    switch read(scratch + kept, services.scratchSize - kept) {
    case .wouldBlock:
      isReadable = false
      return false
    case .failed:
      if let error = secured?.tls.error, error != 0, !isReused {
        // Such as that the origin wants to know who asks, which is told behind the handshake.
        request?.malformation = "it \(TLSClientContext.text(ofError: error))"
        fail(.originTls)
        return false
      }
      fail(.originClosed)
      return false
    case .moved(0):
      fail(.originClosed)
      return false
    case .moved(let count):
      hasResponse = true
      setDeadline(after: responseTimeout)
      let total = kept + count
      if total < services.scratchSize { isReadable = peerEnded }
      return parseHead(scratch, total)
    }
  }

  private func parseHead(_ bytes: UnsafeMutablePointer<UInt8>, _ total: Int) -> Bool {
    guard let request else { return false }
    let head = loop.services.responseHead
    switch head.parse(bytes, count: total, requestMethod: request.method) {
    case .incomplete:
      let input = self.input ?? ByteBuffer(capacity: total)
      input.removeAll()
      input.append(bytes, total)
      self.input = input
      // Bytes may still be waiting: an edge is told once.
      isReadable = true
      return true
    case .failure(let error):
      request.malformation = error.rawValue
      fail(.originBadResponse)
      return false
    case .complete(let length):
      if head.status < 200 { return interim(head, bytes, length, total) }
      input = nil
      framing = head.framing
      keepsAlive = head.keepsAlive
      state = .receivingBody
      remaining = if case .length(let count) = framing { count } else { 0 }
      decoder = ChunkedDecoder(keepsTrailers: true)
      if framing == .none || framing == .length(0) {
        if total > length { keepsAlive = false }
        isWhole = true
        request.received(head, bytes, following: 0)
        finish()
        return false
      }
      // The head lies in the loop's scratch memory: what follows it is kept while readers run.
      let rest = total - length
      let surplus = rest > 0 ? ByteBuffer(capacity: rest) : nil
      surplus?.append(bytes + length, rest)
      request.received(head, bytes, following: rest)
      if state != .receivingBody { return false }
      if let surplus { return deliver(surplus.base, surplus.count) }
      return true
    }
  }

  /// A 1xx response; the final one, or another, may follow in the same segment.
  private func interim(
    _ head: ResponseHead, _ bytes: UnsafeMutablePointer<UInt8>, _ length: Int, _ total: Int
  ) -> Bool {
    interimCount += 1
    if head.status == 101, let request {
      let following = UnsafeBufferPointer(
        start: UnsafePointer(bytes + length), count: total - length)
      if request.switched(head, bytes, following: following, on: self) { return false }
    }
    // A switch that nobody asked for has no meaning.
    if interimCount > Limits.interimResponses || head.status == 101 {
      fail(.originBadResponse)
      return false
    }
    request?.receivedInterim(head, bytes)
    guard state == .sending || state == .receivingHead else { return false }
    let rest = ByteBuffer(capacity: max(total - length, 16))
    rest.append(bytes + length, total - length)
    input = nil
    if rest.count == 0 { return true }
    let scratch = loop.services.scratch
    memcpy(scratch, rest.base, rest.count)
    return parseHead(scratch, rest.count)
  }

  /// One receive into the place where the body belongs.
  private func receiveBody() -> Bool {
    if isDraining { return drainBody() }
    guard let request else { return false }
    let room = request.room()
    guard let target = room.baseAddress, room.count > 0 else {
      pause()
      return false
    }
    switch framing {
    case .length, .untilClose:
      var spare: UInt8 = 0
      var limit = room.count
      if case .length = framing { limit = Int(min(UInt64(limit), remaining)) }
      let isLast = framing != .untilClose && UInt64(limit) == remaining
      if secured != nil { return receiveSecured(into: target, limit, isLast: isLast) }
      let outcome = withUnsafeMutablePointer(to: &spare) { spare in
        withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { vectors in
          vectors[0] = iovec(iov_base: target, iov_len: limit)
          // One byte more than is due shows a surplus, without a call of its own.
          vectors[1] = iovec(iov_base: spare, iov_len: 1)
          return SystemCall.receive(descriptor, vectors.baseAddress!, isLast ? 2 : 1)
        }
      }
      guard let count = moved(outcome) else { return false }
      if count < limit + (isLast ? 1 : 0) { isReadable = peerEnded }
      if count > limit {
        keepsAlive = false
        isReadable = true
      }
      let due = min(count, limit)
      request.received(due)
      if case .length = framing {
        remaining -= UInt64(due)
        if remaining == 0 {
          finish()
          return false
        }
      }
      request.wakeReaders()
      return state == .receivingBody
    case .chunked:
      // Never more framing than there is room for payload.
      let scratch = loop.services.scratch
      let limit = min(room.count, loop.services.scratchSize)
      guard let count = moved(read(scratch, limit)) else { return false }
      if count < limit { isReadable = peerEnded }
      return deliver(scratch, count)
    case .none:
      return false
    }
  }

  /// The same over TLS, of which no part lands in two places.
  private func receiveSecured(
    into target: UnsafeMutablePointer<UInt8>, _ limit: Int, isLast: Bool
  ) -> Bool {
    guard let count = moved(read(target, limit)) else { return false }
    if count < limit { isReadable = peerEnded }
    request?.received(count)
    if case .length = framing {
      remaining -= UInt64(count)
      if remaining == 0 {
        if let tls = secured?.tls, !isQuiet(tls) { keepsAlive = false }
        finish()
        return false
      }
    }
    request?.wakeReaders()
    return state == .receivingBody
  }

  private func drainBody() -> Bool {
    var limit = loop.services.scratchSize
    // One byte more than is due shows a surplus.
    if case .length = framing { limit = Int(min(UInt64(limit), remaining + 1)) }
    let scratch = loop.services.scratch
    guard let count = moved(read(scratch, limit)) else { return false }
    if count < limit { isReadable = peerEnded }
    return deliver(scratch, count)
  }

  /// What a receive came to; nil when the caller has nothing to go on with.
  private func moved(_ outcome: Transfer) -> Int? {
    switch outcome {
    case .wouldBlock:
      isReadable = false
      return nil
    case .failed:
      fail(.truncated)
      return nil
    case .moved(0):
      // Anyone on the way can end a connection; only the origin can say by TLS that it meant to.
      if framing == .untilClose && !(secured?.tls.wasCutOff ?? false) {
        keepsAlive = false
        finish()
      } else {
        fail(.truncated)
      }
      return nil
    case .moved(let count):
      setDeadline(after: responseTimeout)
      return count
    }
  }

  /// Body bytes that came with a head or are still chunked.
  private func deliver(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int) -> Bool {
    let request = self.request
    if isDraining {
      drained += count
      if drained > Limits.drainedResponse {
        close()
        return false
      }
    } else if request == nil {
      return false
    }
    switch framing {
    case .none:
      return false
    case .length, .untilClose:
      var due = count
      if case .length = framing, UInt64(count) > remaining {
        due = Int(remaining)
        keepsAlive = false
      }
      if let request, !request.store(bytes, due) { return false }
      if case .length = framing {
        remaining -= UInt64(due)
        if remaining == 0 {
          finish()
          return false
        }
      }
    case .chunked:
      var at = 0
      while true {
        switch decoder.next(bytes + at, count: count - at) {
        case .data(let consumed, let length):
          if let request, !request.store(bytes + at + consumed, length) { return false }
          at += consumed + length
          continue
        case .needsMore:
          break
        case .end(let consumed):
          if at + consumed < count { keepsAlive = false }
          if let lines = decoder.trailers, let request, !request.receivedTrailers(lines) {
            fail(.truncated)
            return false
          }
          finish()
          return false
        case .malformed:
          fail(.truncated)
          return false
        }
        break
      }
    }
    request?.wakeReaders()
    return state == .receivingBody
  }

  private func pause() {
    isPaused = true
    clearDeadline()
  }

  /// Readers have caught up.
  func resume() {
    guard isPaused else { return }
    isPaused = false
    setDeadline(after: responseTimeout)
    if state == .receivingBody {
      isReadable = true
      receive()
    }
  }

  // MARK: Ends

  /// Its request has become a tunnel: no place among the connections for requests any more.
  func upgrade(to tunnel: UpgradeTunnel) {
    _ = detach()
    self.tunnel = tunnel
    state = .upgraded
    input = nil
    clearDeadline()
    pool.closed(self)
  }

  private func detach() -> OriginRequest? {
    let request = self.request
    self.request = nil
    return request
  }

  /// The response is whole. Back to the pool before the readers hear of it: they may ask again.
  private func finish() {
    let isClean =
      keepsAlive && !peerEnded && output.count == 0 && (request?.isBodySent ?? isDraining)
    let request = detach()
    input = nil
    takeSession()
    if isClean { becomeIdle() } else { close() }
    request?.finished()
  }

  private func becomeIdle() {
    state = .idle
    isPaused = false
    idleSince = loop.now
    pool.park(self)
  }

  private func fail(_ reason: Reason) {
    let request = detach()
    let wasReused = isReused
    let hadResponse = hasResponse
    close()
    request?.failed(reason, onReused: wasReused, hadResponse: hadResponse)
  }

  /// The request goes elsewhere after this response's head. A short rest of it is read, so that the
  /// connection can be used again.
  func letGo() {
    request = nil
    if isWhole {
      isDraining = true
      return
    }
    let isShort =
      switch framing {
      case .length(let length): length <= UInt64(Limits.drainedResponse)
      case .chunked: true
      case .none, .untilClose: false
      }
    guard isShort && keepsAlive && output.count == 0 else { return close() }
    isDraining = true
    setDeadline(after: min(responseTimeout, 5_000))
  }

  /// The request is given up: what comes now would have no reader.
  func cancel() {
    if isWhole && request != nil { return }
    _ = detach()
    close()
  }

  func close() {
    guard state != .closed else { return }
    let wasUpgraded = state == .upgraded
    state = .closed
    tunnel = nil
    if let tls = secured?.tls, !wasUpgraded { tls.endOutput() }
    secured = nil
    closeChannel()
    if !wasUpgraded { pool.closed(self) }
  }
}
