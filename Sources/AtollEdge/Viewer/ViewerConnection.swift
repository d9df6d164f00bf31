// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// One viewer's HTTP/1.1 connection: finds the requests in what comes, and gets responses out.
///
/// ```
///            head complete              response sent, connection persists
/// reading ─────────────────▶ exchanging ─────────────────────────────────▶ reading
///    │ malformed                 │ response sent, connection ends
///    └──────────────▶ lingering ◀┘   reads on until the viewer has closed, so that
///                         │          no reset overtakes the response
///                         ▼
///                      closed
/// ```
/// A request that the origin answers with 101 makes the connection `upgraded`: a tunnel's, until it
/// closes.
///
/// A request that is answered at once never leaves the loop's scratch memory: an idle connection
/// holds no buffer.
final class ViewerConnection: Viewer, LingeringChannel {
  enum Phase { case reading, exchanging, upgraded, lingering, closed }
  /// One finds requests, the next that there are no more, or the end of the viewer.
  static let receivesPerTurn = 3

  /// Nil on a connection in the clear.
  let tls: TLSSession?
  /// Of the services, named here so that finding requests counts no reference.
  let requestHead: RequestHead
  var phase = Phase.reading
  var isReadable = true
  var isWritable = true
  /// The kernel said that the viewer has shut down its side. That is told once, perhaps together with
  /// the last bytes, so a short read is no reason to stop reading.
  var peerEnded = false
  /// The viewer's end has been read; what it asked for is still answered.
  var inputEnded = false
  var requestCount = 0
  var hasYielded = false
  /// The clock runs for a head of which a part has come.
  var hasPartialHead = false

  // What has come and is still needed: the present request's head first, while it is exchanged.
  var input: UnsafeMutablePointer<UInt8>?
  var inputCapacity = 0
  var inputStart = 0
  var inputEnd = 0
  var didFinishAtOnce = false

  // What is still to be sent.
  var pending: ByteBuffer?
  var pendingStart = 0
  var isChunked = false
  var chunkIsOpen = false
  var closesAfter = false
  var endsByClose = false
  var tunnel: UpgradeTunnel?
  var lingered = 0

  init(services: LoopServices, descriptor: Int32, address: SocketAddress) {
    tls = nil
    requestHead = services.requestHead
    super.init(services: services, descriptor: descriptor, address: address, isSecure: false)
    register()
    setDeadline(after: services.idleTimeout)
  }

  /// Goes on with what `former` has opened: it is that channel's place on the loop from now on.
  init(taking former: Channel, services: LoopServices, address: SocketAddress, tls: TLSSession?) {
    self.tls = tls
    requestHead = services.requestHead
    super.init(
      services: services, descriptor: former.descriptor, address: address,
      isSecure: tls != nil)
    takePlace(of: former)
    setDeadline(after: services.idleTimeout)
  }

  deinit { releaseInput() }

  // MARK: Events

  override func ready(_ events: UInt32) {
    if events & (Events.failed | Events.hungUp) != 0 {
      // What has come before is still passed on.
      if let tunnel { return tunnel.ready(.viewer, events) }
      // Both directions are gone: whatever is under way has lost its viewer.
      if phase != .reading || events & Events.input == 0 { return close() }
    }
    if events & (Events.input | Events.peerEnded) != 0 { isReadable = true }
    if events & Events.peerEnded != 0 { peerEnded = true }
    if events & Events.output != 0 && !isWritable { becomeWritable() }
    switch phase {
    case .reading:
      receive()
    case .exchanging:
      if let upload, isReadable { upload.pump() }
      if phase == .exchanging && isWritable && !isBeginning { flush() }
    case .upgraded:
      tunnel?.ready(.viewer, events)
    case .lingering:
      linger()
    case .closed:
      break
    }
  }

  override func deadlineReached() {
    switch phase {
    case .reading:
      if hasPartialHead {
        refuse(status: 408, reason: .requestTimeout, detail: "request-timeout")
      } else {
        close()
      }
    case .exchanging:
      if let upload, !upload.isEnded, !hasOutput {
        upload.viewerStalled()
      } else {
        exchange.bodyBroke(.slowReader)
        // What is missing must not look like an end, even where the body ends with the connection.
        resetOnClose()
        close()
      }
    case .upgraded, .lingering, .closed:
      close()
    }
  }

  override var security: ViewerSecurity? { tls?.security(isReused: requestCount > 1) }

  // MARK: The wire

  @inline(__always)
  func receive(_ memory: UnsafeMutablePointer<UInt8>, _ count: Int) -> Transfer {
    if isSecure { return receiveSecurely(memory, count) }
    return SystemCall.receive(descriptor, memory, count)
  }

  @inline(__always)
  func send(_ vectors: UnsafeMutablePointer<iovec>, _ count: Int) -> Transfer {
    if isSecure { return sendSecurely(vectors, count) }
    return SystemCall.send(descriptor, vectors, count)
  }

  // Calls of their own: a reference to the session would be counted before it is known to be nil.
  @inline(never)
  private func receiveSecurely(_ memory: UnsafeMutablePointer<UInt8>, _ count: Int) -> Transfer {
    let transfer = tls!.receive(memory, count, peerEnded: &peerEnded)
    if tls!.isHeldBack { isWritable = false }
    return transfer
  }

  @inline(never)
  private func becomeWritable() {
    isWritable = true
    if let tls, tls.isHeldBack { isReadable = true }
  }

  @inline(never)
  private func sendSecurely(_ vectors: UnsafeMutablePointer<iovec>, _ count: Int) -> Transfer {
    tls!.send(vectors, count, scratch: services.recordBuffer)
  }

  var hasOutput: Bool {
    (pending.map { $0.count > pendingStart } ?? false) || pieceRemaining > 0
  }

  /// Ends the connection when no request is under way, soon after otherwise.
  func drain() {
    if let tunnel { return tunnel.drain() }
    guard phase == .reading && !hasPartialHead && inputEnd == inputStart else { return }
    // A request that has arrived is answered, though no event has told of it yet.
    isReadable = true
    receive()
    if phase == .reading && !hasPartialHead && inputEnd == inputStart { close() }
  }

  var isLingering: Bool { phase == .lingering }
  var isIdle: Bool { phase == .reading && !hasPartialHead }

  override var ownHead: UnsafeMutablePointer<UInt8>? { input.map { $0 + inputStart } }

  // MARK: Request bodies

  /// The next bytes behind the head: what has come already, or from the kernel into scratch memory.
  /// Nil when nothing is there now.
  override func nextBodyBytes() -> (bytes: UnsafeMutablePointer<UInt8>, count: Int)? {
    let start = inputStart + ownHeadLength
    if let input, inputEnd > start { return (input + start, inputEnd - start) }
    guard isReadable else { return nil }
    let size = services.scratchSize
    switch receive(services.scratch, size) {
    case .moved(let count) where count > 0:
      if count < size { isReadable = peerEnded }
      return (services.scratch, count)
    case .wouldBlock:
      isReadable = false
      return nil
    case .moved, .failed:
      isReadable = false
      inputEnded = true
      upload?.viewerEnded()
      return nil
    }
  }

  /// `used` bytes of what `nextBodyBytes` gave belong to the body; the rest stays for later.
  override func consumedBody(
    _ used: Int, of piece: (bytes: UnsafeMutablePointer<UInt8>, count: Int)
  ) {
    let start = inputStart + ownHeadLength
    if let input, piece.bytes == input + start {
      // Closes the gap, so that the head stays in front.
      memmove(input + start, input + start + used, inputEnd - start - used)
      inputEnd -= used
    } else if used < piece.count {
      ensureInput(room: piece.count - used)
      memcpy(input! + inputEnd, piece.bytes + used, piece.count - used)
      inputEnd += piece.count - used
    }
  }

  override func sendContinue() {
    guard inputEnd == inputStart + ownHeadLength else { return }
    queue("HTTP/1.1 100 Continue\r\n\r\n")
    flush()
  }

  override func awaitBody() { setDeadline(after: services.bodyTimeout) }
  override func awaitOrigin() { if !hasOutput { clearDeadline() } }

  // MARK: Responses

  @inline(__always)
  override func respond(
    head: UnsafeBufferPointer<UInt8>, tail: ByteBuffer, entry: Entry?, position: Int, count: Int,
    closes: Bool
  ) -> Bool {
    sendWhole(
      head: head, tail: tail, entry: entry, position: position, count: count, closes: closes)
  }

  override func respond(
    head: UnsafeBufferPointer<UInt8>, tail: ByteBuffer, hasBody: Bool, chunked: Bool,
    endsByClose: Bool, closes: Bool
  ) {
    beginSending(
      head: head, tail: tail, hasBody: hasBody, chunked: chunked, endsByClose: endsByClose,
      closes: closes)
  }

  override func sendInterim(_ bytes: UnsafeBufferPointer<UInt8>) {
    pendingBuffer().append(bytes)
    flush()
    // Sending has set a deadline, but the viewer owes nothing: the final response is the origin's.
    if !hasUnreadBody { awaitOrigin() }
  }

  override func bodyText() -> ByteBuffer { pendingBuffer() }

  override func breakOff(_ reason: Reason) {
    exchange.bodyBroke(reason)
    // What is missing must not look like an end.
    if endsByClose { resetOnClose() }
    if (pending?.count ?? 0) > pendingStart { _ = sendSome(pending!.count - pendingStart) }
    close()
  }

  override func bodyProgressed() { if isWritable && phase == .exchanging { flush() } }

  // MARK: Other protocols

  override func upgrade(
    with origin: OriginConnection, of target: TargetUse?, timeout: Int, first: ByteBuffer
  ) {
    let tunnel = UpgradeTunnel(viewer: self, origin: origin, target: target, timeout: timeout)
    origin.upgrade(to: tunnel)
    self.tunnel = tunnel
    phase = .upgraded
    var first = first
    if let pending, pending.count > pendingStart {
      let all = ByteBuffer(capacity: pending.count - pendingStart + first.count)
      all.append(pending.base + pendingStart, pending.count - pendingStart)
      all.append(first.bytes)
      first = all
    }
    pending = nil
    pendingStart = 0
    let sent = inputStart + headLength
    tunnel.start(
      toViewer: first,
      toOrigin: UnsafeBufferPointer(start: input.map { $0 + sent }, count: inputEnd - sent))
  }

  // MARK: Ends of exchanges

  func responseSent() {
    dropEntry()
    source = .none
    pieceRemaining = 0
    if pending != nil { pending = nil }
    pendingStart = 0
    if let upload { exchange.countUpload(upload.byteCount) }
    exchange.finish()
    if let upload {
      if !upload.isEnded { closesAfter = true }
      upload.detach()
      self.upload = nil
    }
    if closesAfter || services.isDraining {
      beginLinger()
      if isBeginning { didFinishAtOnce = true }
      return
    }
    phase = .reading
    if isBeginning {
      didFinishAtOnce = true
      return
    }
    // A request answered later: drop its head, go on with what came behind it.
    inputStart += ownHeadLength
    setDeadline(after: services.idleTimeout)
    if inputEnd > inputStart {
      loop.afterwards { [self] in continueReading() }
    } else {
      releaseInput()
      if inputEnded { return close() }
      if isReadable { loop.afterwards { [self] in continueReading() } }
    }
  }

  func continueReading() {
    guard phase == .reading else { return }
    if inputEnd > inputStart && !hasPartialHead { processInput() }
    if phase == .reading { receive() }
  }

  /// The response is out; the viewer may still be sending (RFC 9112 §9.6).
  func beginLinger() {
    if isClosed { return close() }
    if inputEnded {
      tls?.endOutput()
      return close()
    }
    phase = .lingering
    releaseInput()
    tls?.endOutput()
    shutdown(descriptor, Int32(SHUT_WR))
    setDeadline(after: 2000)
    if isReadable { linger() }
  }

  override func resetOnClose() { SystemCall.resetOnClose(descriptor) }

  override func close() {
    guard phase != .closed else { return }
    let wasExchanging = phase == .exchanging || phase == .upgraded
    // What is broken off must not look finished, and who has left without a word expects none.
    if phase == .reading, let tls, !tls.wasCutOff { tls.endOutput() }
    phase = .closed
    dropEntry()
    source = .none
    let upload = upload
    self.upload = nil
    if let upload { exchange.countUpload(upload.byteCount) }
    tunnel?.ended()
    tunnel = nil
    // First, so that the origin is not blamed for what its request misses.
    if wasExchanging { exchange.viewerLeft() }
    upload?.viewerGone()
    closeChannel()
    services.viewerClosed()
  }
}
