// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// One kept-alive connection to an origin: writes a request, reads its response, waits in the pool.
///
/// ```
/// connecting ──▶ securing ──▶ idle ──▶ sending ──▶ receivingHead ──▶ receivingBody ──▶ idle
///       └── in the clear ──────▲                        └── 101 ──▶ upgraded
/// ```
/// Any of them may become `closed`. `OriginConnection+Response` reads.
final class OriginConnection: Channel {
  enum State {
    case connecting, securing, idle, sending, receivingHead, receivingBody, upgraded, closed
  }

  unowned(unsafe) let pool: OriginPool
  /// Strong while a request is under way on this connection.
  private(set) var request: OriginRequest?
  var state = State.connecting
  var wire: OriginWire
  var response = Response()
  /// Readers of the response have to catch up first.
  var isPaused = false
  /// Milliseconds that the origin may keep silent.
  private(set) var responseTimeout = 30_000
  /// It has carried a response before: a failure now may only mean that the origin closed it.
  private(set) var isReused = false
  /// Milliseconds of the loop's clock when it went idle.
  private(set) var idleSince: Int64 = 0
  private let output = ByteBuffer(capacity: 1024)
  private var outputStart = 0
  /// What the connection carries after a 101.
  private var tunnel: UpgradeTunnel?

  init(pool: OriginPool, descriptor: Int32, connectTimeout: Int) {
    self.pool = pool
    wire = OriginWire(descriptor: descriptor, loop: pool.loop)
    super.init(loop: pool.loop, descriptor: descriptor)
    register()
    setDeadline(after: connectTimeout * 1000)
  }

  /// Begins a request on a connection that is open or opening.
  func begin(_ request: OriginRequest) {
    self.request = request
    responseTimeout = request.origin.responseTimeout * 1000
    response = Response()
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
  var isStale: Bool { wire.isStale() }

  /// For a tunnel, which speaks for itself.
  var tls: TLSSession? { wire.tls }
  var peerEnded: Bool { wire.peerEnded }

  // MARK: Events

  override func ready(_ events: UInt32) {
    wire.note(events)
    switch state {
    case .connecting:
      if events & (Events.output | Events.failed | Events.hungUp) != 0 { connectEnded() }
    case .securing: secure()
    case .idle:
      if wire.isReadable { readIdle() }
    case .sending, .receivingHead, .receivingBody:
      if wire.isWritable { flush() }
      if wire.isReadable && !isPaused { receive() }
    case .upgraded:
      tunnel?.ready(.origin, events)
    case .closed:
      break
    }
  }

  override func deadlineReached() {
    switch state {
    case .connecting, .securing: failConnect(ETIMEDOUT)
    case .idle: close()
    case .sending, .receivingHead, .receivingBody: fail(.originTimeout)
    case .upgraded, .closed: break
    }
  }

  // MARK: Connecting

  private func connectEnded() {
    let error = SystemCall.pendingError(descriptor)
    guard error == 0 else { return failConnect(error) }
    guard let security = pool.endpoint.security else { return connected() }
    if !wire.secure(pool.endpoint, security, resuming: pool.resumableSession) {
      return failConnect(ENOMEM)
    }
    state = .securing
    secure()
  }

  /// Goes on with the handshake, for which there is no more time than for connecting.
  private func secure() {
    switch wire.handshake() {
    case .waiting: return
    case .done:
      if !wire.isResumed { pool.verified() }
      connected()
    case .failed:
      let (reason, detail) = wire.failure()
      let request = detach()
      close()
      request?.securingFailed(reason, detail)
    }
  }

  private func connected() {
    clearDeadline()
    // What came behind the handshake is told by no further event.
    if wire.isSecure { wire.isReadable = true }
    if request == nil {
      becomeIdle()
    } else {
      request?.connected()
      send()
      if state == .receivingHead && wire.isSecure { receive() }
    }
  }

  private func failConnect(_ error: Int32) {
    let request = detach()
    close()
    request?.connectFailed(error)
  }

  // MARK: Sending

  private func flush() {
    while outputStart < output.count {
      switch wire.send(output.base + outputStart, output.count - outputStart) {
      case .moved(let count):
        outputStart += count
        setDeadline(after: responseTimeout)
      case .wouldBlock:
        wire.isWritable = false
        return
      case .failed:
        // The origin may have answered before it closed: read first.
        wire.isWritable = false
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
      switch wire.send(vectors, count) {
      case .moved(let moved): sent = moved
      case .wouldBlock: break
      case .failed:
        wire.isWritable = false
        request?.bodyRefused()
        return
      }
    }
    if sent == total { return }
    wire.isWritable = false
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

  // MARK: Between requests

  /// Something happened to a connection that waits in the pool.
  private func readIdle() {
    if let tls, !peerEnded, wire.isQuiet(tls) { return takeSession() }
    close()
  }

  private func takeSession() {
    if let session = wire.takeSession() { pool.keep(session) }
  }

  private func becomeIdle() {
    state = .idle
    isPaused = false
    idleSince = loop.now
    pool.park(self)
  }

  // MARK: Ends

  /// Its request has become a tunnel: no place among the connections for requests any more.
  func upgrade(to tunnel: UpgradeTunnel) {
    _ = detach()
    self.tunnel = tunnel
    state = .upgraded
    response.head = nil
    clearDeadline()
    pool.closed(self)
  }

  private func detach() -> OriginRequest? {
    let request = self.request
    self.request = nil
    return request
  }

  /// The response is whole. Back to the pool before the readers hear of it: they may ask again.
  func finish() {
    let isSent = request?.isBodySent ?? response.isDraining
    let isClean = response.keepsAlive && !peerEnded && output.count == 0 && isSent
    let request = detach()
    response.head = nil
    takeSession()
    if isClean { becomeIdle() } else { close() }
    request?.finished()
  }

  func fail(_ reason: Reason) {
    let request = detach()
    let wasReused = isReused
    let hadResponse = response.hasBegun
    close()
    request?.failed(reason, onReused: wasReused, hadResponse: hadResponse)
  }

  /// The request goes elsewhere after this response's head. A short rest of it is read, so that the
  /// connection can be used again.
  func letGo() {
    request = nil
    if response.isWhole {
      response.isDraining = true
      return
    }
    let isShort =
      switch response.body.framing {
      case .length(let length): length <= UInt64(Limits.drainedResponse)
      case .chunked: true
      case .none, .untilClose: false
      }
    guard isShort && response.keepsAlive && output.count == 0 else { return close() }
    response.isDraining = true
    setDeadline(after: min(responseTimeout, 5_000))
  }

  /// The request is given up: what comes now would have no reader.
  func cancel() {
    if response.isWhole && request != nil { return }
    _ = detach()
    close()
  }

  func close() {
    guard state != .closed else { return }
    let wasUpgraded = state == .upgraded
    state = .closed
    tunnel = nil
    wire.end(quietly: wasUpgraded)
    closeChannel()
    if !wasUpgraded { pool.closed(self) }
  }
}
