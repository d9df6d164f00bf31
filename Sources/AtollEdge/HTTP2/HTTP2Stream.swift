// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CHTTP2
import Glibc

/// One request of an HTTP/2 connection and its response (RFC 9113 §5, §8.1).
///
/// ```
/// idle ──request──▶ exchanging ──response sent, or broken off──▶ ended ──closed──▶ idle
///                       └── 200 to an extended CONNECT ──▶ tunneling ──┘
/// ```
/// Streams are used again, on whatever connection of their loop: a hit makes no object.
final class HTTP2Stream: Viewer {
  enum Phase { case idle, exchanging, tunneling, ended }

  /// Nil while idle.
  private(set) var connectionReference: Unmanaged<HTTP2Connection>?
  var connection: HTTP2Connection! { connectionReference?.takeUnretainedValue() }
  /// Of the connection it was on last: nothing lies at one address for ever.
  private var connectionNumber: UInt64 = 0
  private(set) var id: Int32 = 0
  private(set) var phase = Phase.idle
  // Among the streams of the connection.
  var next: Unmanaged<HTTP2Stream>?
  var previous: Unmanaged<HTTP2Stream>?

  // The request.
  private var head: ByteBuffer?
  private var isHeadKept = false
  /// Nil when its head is all of it.
  private var body: HTTP2RequestBody?
  private var hasRequestFailed = false
  private(set) var webSocketKey: String?
  private var isBegun = false
  private var isStirred = false

  // The response.
  /// Where nghttp2 asks for the body.
  let provider: UnsafeMutablePointer<nghttp2_data_provider>
  /// Goes before the piece of the body.
  var text: ByteBuffer?
  var textStart = 0
  /// Of a tunnel's text.
  private var textCharge = 0
  /// The body is all there; its end is theirs to tell.
  var areTrailersDue = false
  /// Field lines, which are written when the session hands out their frame.
  var trailers: ByteBuffer?
  /// nghttp2 is asking for the body.
  var isReadingBody = false
  /// More came while it was asking.
  var hasProgressed = false
  /// nghttp2 waits to be told that there is more.
  var isDeferred = false
  /// Its last frame has been written.
  private var hasEnded = false
  private var sentSinceDeadline = 0
  var tunnel: UpgradeTunnel?
  private var resetsTunnel = false
  /// The edge has ended it with RST_STREAM.
  private(set) var isReset = false

  init(services: LoopServices, address: SocketAddress) {
    provider = .allocate(capacity: 1)
    super.init(services: services, descriptor: -1, address: address, isSecure: false)
    provider.initialize(
      to: nghttp2_data_provider(
        source: nghttp2_data_source(ptr: Unmanaged.passUnretained(self).toOpaque()),
        read_callback: { _, _, _, limit, flags, source, _ in
          Unmanaged<HTTP2Stream>.fromOpaque(source!.pointee.ptr)._withUnsafeGuaranteedRef {
            $0.offer(limit, flags!)
          }
        }))
    registerForTime()
  }

  deinit { provider.deallocate() }

  func open(on connection: HTTP2Connection, id: Int32) {
    connectionReference = .passUnretained(connection)
    if connectionNumber != connection.number {
      connectionNumber = connection.number
      move(to: connection.address, isSecure: connection.tls != nil)
    }
    self.id = id
  }

  override var isHTTP2: Bool { true }
  override var security: ViewerSecurity? { connection.tls?.security(isReused: id > 1) }

  // MARK: The request

  /// - Parameter text: the connection's, or the loop's: valid during this call.
  @inline(__always)
  func begin(_ text: HTTP2RequestText, on connection: HTTP2Connection, endsStream: Bool) {
    phase = .exchanging
    let head = text.head
    let fault = text.finish(hasBody: !endsStream)
    if !endsStream { expectBody(fault == nil ? head.framing : .none) }
    if let fault { return refuse(fault) }
    if text.webSocketKey != nil { webSocketKey = text.webSocketKey }
    let base = UnsafePointer(text.text.base)
    ownHeadLength = text.text.count
    isBeginning = true
    presentHeadBase = base
    if connection.tls?.covers(head.authority(in: base)) == false {
      exchange.beginMisdirected(head, base, canPersist: true)
    } else {
      exchange.begin(head, base, canPersist: true)
    }
    isBeginning = false
    presentHeadBase = nil
    if phase != .exchanging { return }
    if exchange.hasResponded && source != .fetch && services.log == nil { return }
    keep(text.text)
    if !exchange.hasResponded {
      isBegun = true
      connection.begun.append(self)
    }
  }

  private func keep(_ text: ByteBuffer) {
    let head = self.head ?? ByteBuffer(capacity: text.count)
    head.removeAll()
    head.append(text.bytes)
    self.head = head
    isHeadKept = true
    if head.capacity > Self.keptHead { services.budget.charge(head.capacity) }
  }

  override var ownHead: UnsafeMutablePointer<UInt8>? { isHeadKept ? head?.base : nil }

  private func refuse(_ fault: HTTP2RequestFault) {
    ownHeadLength = 0
    switch fault {
    case .malformed:
      phase = .ended
      requestFailed()
    case .refused(let error):
      if error.status == 431 { connection.counters.count(.headerListTooLarge) }
      exchange.refuse(
        status: error.status, reason: error.isTooLarge ? .requestTooLarge : .badRequest,
        detail: error.rawValue)
    case .unknownProtocol:
      exchange.refuse(status: 501, reason: .badRequest, detail: "unknown-protocol")
    }
  }

  /// RFC 9113 §8.1.1. What was received so far is not taken for the whole.
  func requestFailed() {
    // More of the same frame may come.
    if hasRequestFailed { return }
    hasRequestFailed = true
    if phase == .exchanging {
      if !exchange.hasResponded {
        exchange.status = 400
        // No origin has to hear of it.
        isBegun = false
      }
      exchange.bodyBroke(.badRequest)
    }
    connection.counters.count(.malformedRequest)
    submitReset(NGHTTP2_PROTOCOL_ERROR)
    // It counts as one that the viewer has made fail.
    isReset = false
  }

  func isBegun(on connection: HTTP2Connection) -> Bool {
    isBegun && phase == .exchanging && self.connection === connection
  }

  func beginTunneling() { phase = .tunneling }

  /// The session has returned: on to the origin, or to who asks it.
  func proceed() {
    isBegun = false
    // Until the response comes, the origin's clock counts.
    clearDeadline()
    exchange.proceed()
  }

  // MARK: The request's body

  override var delimitsBody: Bool { true }
  override var bodyHasEnded: Bool { body?.hasBeenTaken ?? true }
  override var hasUnreadBody: Bool { false }

  /// The viewer has sent all of it.
  var isRequestEnded: Bool { body?.isEnded ?? true }

  @inline(never)
  private func expectBody(_ framing: BodyFraming) {
    body = HTTP2RequestBody(on: connection, stream: id, framing: framing)
  }

  /// More of the body; the session holds further frames back when the window is full.
  func received(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
    // The session takes no data behind the end of a request.
    guard let body else { return }
    switch body.receive(bytes, count, isWanted: wantsBody) {
    case .kept: stirLater()
    case .dropped: break
    case .tooLong: requestFailed()
    }
  }

  /// It is a tunnel's, or nobody has answered yet, or the origin still takes what comes.
  private var wantsBody: Bool {
    switch phase {
    case .exchanging: isBegun || !exchange.hasResponded || upload != nil
    case .tunneling: true
    case .idle, .ended: false
    }
  }

  func requestEnded(trailers: ByteBuffer? = nil) {
    guard let body else { return }
    guard body.end(trailers: wantsBody ? trailers : nil) else { return requestFailed() }
    stirLater()
  }

  override func takeTrailers() -> ByteBuffer? { body?.takeTrailers() }

  override func nextBodyBytes() -> (bytes: UnsafeMutablePointer<UInt8>, count: Int)? {
    body?.waiting
  }

  override func consumedBody(
    _ used: Int, of piece: (bytes: UnsafeMutablePointer<UInt8>, count: Int)
  ) {
    body?.take(used)
  }

  func stirLater() {
    if isStirred || phase == .idle || phase == .ended { return }
    isStirred = true
    connection.stirred.append(self)
  }

  func isStirred(on connection: HTTP2Connection) -> Bool {
    isStirred && self.connection === connection
  }

  /// The session has returned: there is more of the body, or room for more of a tunnel.
  func stir() {
    isStirred = false
    switch phase {
    case .exchanging: upload?.pump()
    case .tunneling:
      tunnel?.ready(
        .viewer, Events.input | Events.output | (isRequestEnded ? Events.peerEnded : 0))
    case .idle, .ended: break
    }
  }

  override func sendContinue() {
    if isRequestEnded || body?.waiting != nil { return }
    let line: StaticString = "HTTP/1.1 100 Continue\r\n\r\n"
    sendInterim(UnsafeBufferPointer(start: line.utf8Start, count: line.utf8CodeUnitCount))
  }

  override func awaitBody() { setDeadline(after: services.bodyTimeout) }
  override func awaitOrigin() { if !exchange.hasResponded { clearDeadline() } }

  // MARK: The response

  @inline(__always)
  override func respond(
    head: UnsafeBufferPointer<UInt8>, tail: ByteBuffer, entry: Entry?, position: Int, count: Int,
    closes: Bool
  ) -> Bool {
    sendWhole(head: head, tail: tail, entry: entry, position: position, count: count)
  }

  override func respond(
    head: UnsafeBufferPointer<UInt8>, tail: ByteBuffer, hasBody: Bool, chunked: Bool,
    endsByClose: Bool, closes: Bool
  ) {
    beginSending(head: head, tail: tail, hasBody: hasBody)
  }

  override func sendInterim(_ bytes: UnsafeBufferPointer<UInt8>) { submitInterim(bytes) }

  override func bodyText() -> ByteBuffer {
    if let text { return text }
    let text = ByteBuffer(capacity: 512)
    self.text = text
    return text
  }

  override func breakOff(_ reason: Reason) {
    exchange.bodyBroke(reason)
    end(with: NGHTTP2_INTERNAL_ERROR)
  }

  override func bodyProgressed() { noteProgress() }

  override func upgrade(
    with origin: OriginConnection, of target: TargetUse?, timeout: Int, first: ByteBuffer
  ) {
    tunnel(with: origin, of: target, timeout: timeout, first: first)
  }

  // MARK: Ends

  override func deadlineReached() {
    switch phase {
    case .exchanging:
      guard let upload, !upload.isEnded, !exchange.hasResponded || isDeferred else {
        connection.counters.count(.slowReader)
        exchange.bodyBroke(.slowReader)
        return end(with: NGHTTP2_CANCEL)
      }
      // It is the origin that has nothing to send, or not yet.
      connection.counters.count(.slowBody)
      upload.viewerStalled()
    case .tunneling: close()
    case .ended:
      if isReset { break }
      if hasEnded { return submitReset(NGHTTP2_NO_ERROR) }
      connection.counters.count(.slowReader)
      submitReset(NGHTTP2_CANCEL)
    case .idle: break
    }
  }

  override func resetOnClose() { resetsTunnel = true }

  override func close() {
    if phase == .tunneling && !resetsTunnel && bodyEnded {
      // What is on its way still arrives; when both have ended, so has the stream.
      if isRequestEnded {
        leave()
        // If the viewer takes it.
        return runClock()
      }
      return end(with: NGHTTP2_NO_ERROR)
    }
    end(with: phase == .tunneling ? NGHTTP2_CANCEL : NGHTTP2_INTERNAL_ERROR)
  }

  /// Ends without a response, or in the middle of one.
  func end(with error: nghttp2_error_code) {
    guard phase == .exchanging || phase == .tunneling else { return }
    leave()
    submitReset(error)
  }

  private func submitReset(_ error: nghttp2_error_code) {
    guard connection.isOpen else { return }
    isReset = true
    nghttp2_submit_rst_stream(
      connection.session, UInt8(NGHTTP2_FLAG_NONE.rawValue), id, error.rawValue)
    connection.scheduleFlush()
  }

  /// Settles the exchange. What is on its way still goes out, unless the stream is reset.
  private func leave() {
    guard phase == .exchanging || phase == .tunneling else { return }
    phase = .ended
    clearDeadline()
    let upload = upload
    self.upload = nil
    if let upload { exchange.countUpload(upload.byteCount) }
    if let tunnel {
      self.tunnel = nil
      tunnel.ended()
    }
    if hasEnded {
      upload?.detach()
      exchange.finish()
    } else {
      // First, so that the origin is not blamed for what its request misses.
      exchange.viewerLeft()
      upload?.viewerGone()
    }
  }

  /// The session has closed the stream.
  @inline(__always)
  func closed() {
    leave()
    if body != nil { giveUpBody() }
    reset()
  }

  /// Its connection is over.
  func connectionEnded() {
    leave()
    reset()
  }

  /// Ready for another request.
  @inline(__always)
  private func reset() {
    phase = .idle
    connectionReference = nil
    clearDeadline()
    if bodyEntry != nil { dropEntry() }
    source = .none
    pieceRemaining = 0
    if text != nil { text = nil }
    if textCharge > 0 { chargeText(0) }
    textStart = 0
    bodyEnded = true
    areTrailersDue = false
    if trailers != nil { trailers = nil }
    isDeferred = false
    hasEnded = false
    isReset = false
    isBegun = false
    isStirred = false
    isHeadKept = false
    resetsTunnel = false
    if webSocketKey != nil { webSocketKey = nil }
    if body != nil { dropBody() }
    hasRequestFailed = false
    if let head, head.capacity > Self.keptHead {
      services.budget.release(head.capacity)
      self.head = nil
    }
  }

  private static let keptHead = 4_096

  @inline(never)
  private func giveUpBody() { body?.giveUp() }

  @inline(never)
  private func dropBody() {
    body?.drop()
    body = nil
  }

  // MARK: Frames that have been written

  /// - Parameter count: bytes of its frames.
  @inline(__always)
  func sentHead(_ count: Int) {
    exchange.headBytes &+= count
    exchange.bytesDown &+= count
  }

  @inline(__always)
  func sentLast() {
    hasEnded = true
    if body != nil { endBeforeRequest() }
  }

  /// RFC 9113 §8.1: the rest of the request is not wanted. But there are viewers that take the reset
  /// for a failure when it overtakes what they are about to send: they have a moment to end it
  /// themselves, in which no more comes than fits into the window.
  @inline(never)
  private func endBeforeRequest() {
    if isRequestEnded { return }
    guard phase == .exchanging else { return submitReset(NGHTTP2_NO_ERROR) }
    leave()
    body?.giveUp()
    setDeadline(after: Self.lingering)
  }

  /// Milliseconds that a viewer has to end a request that was answered before.
  private static let lingering = 2_000

  @inline(__always)
  func sentBody(_ count: Int) {
    exchange.headBytes &+= 9
    exchange.bytesDown &+= count &+ 9
    sentSinceDeadline &+= count
    if sentSinceDeadline >= Limits.streamProgress && phase != .tunneling { runClock() }
  }

  func chargeText(_ size: Int) {
    services.budget.charge(size - textCharge)
    textCharge = size
  }

  /// The viewer is to take what there is of the response.
  @inline(__always)
  func runClock() {
    sentSinceDeadline = 0
    setDeadline(after: services.bodyTimeout)
  }
}
