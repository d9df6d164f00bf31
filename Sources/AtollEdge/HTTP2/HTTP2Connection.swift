// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CHTTP2
import CSystem
import Glibc

/// One viewer's HTTP/2 connection (RFC 9113): bytes to frames and back, by an nghttp2 session; its
/// requests are streams, each a viewer of an exchange of its own.
///
/// ```
///        GOAWAY sent and no stream left,
///        or the session is over
///  open ─────────────────────────────▶ lingering ──▶ closed
///    └── the viewer has gone, or does not read ────────▲
/// ```
/// What comes is handed to the session as it was received, what is to be sent is gathered for a
/// whole turn and sent at once. The session's callbacks change nothing but this connection and its
/// streams; what would reach for origins, or for the loop's scratch memory, waits until the session
/// has returned.
final class HTTP2Connection: Channel {
  enum Phase { case open, lingering, closed }
  /// As for HTTP/1.1: one finds requests, the next that there are no more.
  private static let receivesPerTurn = 3
  /// Batches of output in one turn.
  private static let batchesPerTurn = 16
  /// Milliseconds that a viewer has to learn that the edge wants to end.
  private static let farewell = 1_000

  let services: LoopServices
  let http2: HTTP2Services
  let address: SocketAddress
  let tls: TLSSession?
  /// Among those of the loop, from 1.
  let number: UInt64
  private(set) var session: OpaquePointer!
  private(set) var phase = Phase.open
  private var isReadable = true
  private var isWritable = true
  private var peerEnded = false
  private var inputEnded = false
  var watch = FrameWatch()

  // Output that the kernel did not take.
  private var pending: ByteBuffer?
  private var pendingStart = 0
  private var sentSinceDeadline = 0

  // Streams with a request, the latest first.
  private var firstStream: Unmanaged<HTTP2Stream>?
  private(set) var streamCount = 0
  var requestCount = 0
  /// Have a request that is to go on when the session has returned.
  var begun: [HTTP2Stream] = []
  /// Have more of a body, or room for more of a tunnel.
  var stirred: [HTTP2Stream] = []

  // The head that is being read.
  var requestText: HTTP2RequestText {
    didSet { textReference = .passUnretained(requestText) }
  }
  /// The same, for who reads a field after the other.
  private(set) var textReference: Unmanaged<HTTP2RequestText>
  var isReadingHead = false
  var isReadingTrailers = false
  var trailerSize = 0
  /// The trailers of a request so far: field lines, each with CRLF.
  var trailerText: ByteBuffer?

  private var isInSession = false
  /// What is submitted is flushed before control goes back to the loop.
  private var isBusy = false
  /// A frame found no room in the output any more.
  private var isOutputFull = false
  private var isFlushScheduled = false
  /// Heads that nghttp2 has yet to write: they go before all data.
  var unwrittenHeads = 0
  private var usesArena = false
  private var isTerminated = false
  private var isHeadClockRunning = false
  /// Milliseconds of the loop's clock by which the head has to be whole.
  private var headDeadline: Int64 = 0
  private var hasYielded = false
  private var hasGreeted = false

  private enum Farewell { case none, announced, said }
  private var parting = Farewell.none

  /// Goes on with what `former` has opened: it is that channel's place on the loop from now on.
  /// - Parameter tls: nil in the clear.
  init(
    taking former: Channel, services: LoopServices, address: SocketAddress, tls: TLSSession?
  ) {
    self.services = services
    self.address = address
    self.tls = tls
    http2 = services.http2
    number = http2.nextNumber()
    requestText = http2.requestText
    textReference = .passUnretained(requestText)
    super.init(loop: services.loop, descriptor: former.descriptor)
    takePlace(of: former)
    services.budget.charge(HTTP2Services.sessionSize)
    http2.counters.countConnection()
    var session: OpaquePointer?
    nghttp2_session_server_new2(
      &session, http2.callbacks, Unmanaged.passUnretained(self).toOpaque(), http2.option)
    self.session = session
    submitSettings()
    // For preface and settings.
    setDeadline(after: services.headTimeout)
  }

  private func submitSettings() {
    let settings = [
      (NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, Limits.concurrentStreams),
      (NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, Limits.streamWindow),
      (NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, Limits.requestHead),
      (NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1),
      (NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1),
    ].map {
      nghttp2_settings_entry(settings_id: Int32($0.0.rawValue), value: UInt32($0.1))
    }
    nghttp2_submit_settings(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), settings, settings.count)
    nghttp2_session_set_local_window_size(
      session, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, Int32(Limits.connectionWindow))
  }

  var isOpen: Bool { phase == .open }

  // MARK: Events

  override func ready(_ events: UInt32) {
    if events & (Events.failed | Events.hungUp) != 0 {
      if phase != .open || events & Events.input == 0 { return close() }
    }
    if events & (Events.input | Events.peerEnded) != 0 { isReadable = true }
    if events & Events.peerEnded != 0 { peerEnded = true }
    if events & Events.output != 0 {
      isWritable = true
      if let tls, tls.isHeldBack { isReadable = true }
    }
    switch phase {
    case .open:
      receive()
    case .lingering:
      linger()
    case .closed:
      break
    }
  }

  override func deadlineReached() {
    switch phase {
    case .open:
      if pending != nil {
        http2.counters.count(.slowReader)
        // What is missing must not look like an end.
        return close()
      }
      if isHeadClockRunning || !hasGreeted { return end(for: .slowHead) }
      if parting == .announced { return sayFarewell() }
      if streamCount == 0 {
        nghttp2_session_terminate_session(session, NGHTTP2_NO_ERROR.rawValue)
        flush()
      }
    case .lingering:
      close()
    case .closed:
      break
    }
  }

  // MARK: The wire

  @inline(__always)
  private func receive(_ memory: UnsafeMutablePointer<UInt8>, _ count: Int) -> Transfer {
    guard let tls else { return SystemCall.receive(descriptor, memory, count) }
    return tls.receive(memory, count, peerEnded: &peerEnded)
  }

  @inline(__always)
  private func send(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Transfer {
    if let tls { return tls.send(bytes, count, scratch: services.recordBuffer) }
    return SystemCall.send(descriptor, bytes, count)
  }

  private func receive() {
    var count = 0
    isBusy = true
    while phase == .open && isReadable && !isClogged {
      if count == Self.receivesPerTurn {
        yield()
        break
      }
      count &+= 1
      let size = services.scratchSize
      switch receive(services.scratch, size) {
      case .moved(let got) where got > 0:
        if got < size { isReadable = peerEnded }
        process(services.scratch, got)
      case .wouldBlock:
        isReadable = false
      case .moved:
        isReadable = false
        inputEnded = true
      case .failed:
        return close()
      }
    }
    let wasClogged = isReadable && isClogged
    flush()
    if wasClogged && phase == .open && !isClogged { yield() }
  }

  /// The viewer makes frames faster than it reads them: what else it sends has to wait.
  private var isClogged: Bool {
    pending != nil && phase == .open
      && nghttp2_session_get_outbound_queue_size(session) > Limits.queuedFrames
  }

  /// No event will tell of what is unread.
  private func yield() {
    if hasYielded { return }
    hasYielded = true
    loop.afterwards { [self] in
      hasYielded = false
      if phase == .open { receive() }
    }
  }

  /// Goes through what the viewer has sent.
  /// - Parameter bytes: in scratch memory, unless this is the first call.
  func process(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
    if isTerminated { return }
    if let offence = watch.inspect(bytes, count, now: loop.now) { return end(for: offence) }
    isInSession = true
    let result = nghttp2_session_mem_recv(session, bytes, count)
    isInSession = false
    if result < 0 { sessionFailed(Int32(truncatingIfNeeded: result)) }
    if isReadingHead && requestText === http2.requestText {
      // The rest comes later, when others have used theirs.
      http2.requestText = HTTP2RequestText()
    }
    goOn()
  }

  /// Starts with what has come already, in memory of someone else's.
  func start(
    with bytes: UnsafePointer<UInt8>, _ count: Int, isReadable: Bool, peerEnded: Bool
  ) {
    self.isReadable = isReadable
    self.peerEnded = peerEnded
    isBusy = true
    process(bytes, count)
    receive()
  }

  /// Does what had to wait until the session has returned; false when that was nothing.
  @discardableResult
  private func goOn() -> Bool {
    if begun.isEmpty && stirred.isEmpty { return false }
    while phase == .open && !(begun.isEmpty && stirred.isEmpty) {
      let begun = self.begun
      let stirred = self.stirred
      self.begun.removeAll(keepingCapacity: true)
      self.stirred.removeAll(keepingCapacity: true)
      for stream in begun where stream.isBegun(on: self) { stream.proceed() }
      for stream in stirred where stream.isStirred(on: self) { stream.stir() }
    }
    return true
  }

  private func sessionFailed(_ error: Int32) {
    switch nghttp2_error(rawValue: error) {
    case NGHTTP2_ERR_FLOODED: end(for: .pingFlood)
    case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS: end(for: .continuationFlood)
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC: end(for: .protocolError)
    default: end(for: .protocolError)
    }
  }

  // MARK: Sending

  /// Has what was submitted sent at the end of this turn, or of what is under way.
  func scheduleFlush() {
    if isInSession || isBusy || isFlushScheduled || phase != .open { return }
    isFlushScheduled = true
    loop.afterwards { [self] in
      isFlushScheduled = false
      if phase == .open { flush() }
    }
  }

  /// Sends until everything is out or the viewer takes no more.
  func flush() {
    var batches = 0
    isBusy = true
    defer { isBusy = false }
    while phase == .open {
      if pending != nil && !sendPending() { return }
      let isWhole = gather()
      let count = http2.outputCount
      if count > 0 && !sendBatch(count) { return }
      let wentOn = goOn()
      if isWhole && !wentOn { break }
      batches &+= 1
      if batches == Self.batchesPerTurn {
        isBusy = false
        return scheduleFlush()
      }
    }
    if phase == .open { settle() }
  }

  /// Fills the output buffer with frames.
  /// - Returns: whether there are no more that could be sent now.
  private func gather() -> Bool {
    let http2 = self.http2
    http2.beginOutput()
    isOutputFull = false
    isInSession = true
    defer {
      isInSession = false
      if usesArena && unwrittenHeads == 0 {
        usesArena = false
        http2.fields.endUse()
      }
    }
    while http2.outputCount < Limits.outputBatch || usesArena && unwrittenHeads > 0 {
      var bytes: UnsafePointer<UInt8>?
      let count = nghttp2_session_mem_send(session, &bytes)
      guard count > 0, let bytes else {
        if count < 0 { failed() }
        if isOutputFull { return false }
        unwrittenHeads = 0
        return true
      }
      guard http2.outputCount &+ count <= Limits.outputHeads else {
        // Interim ones without end: they cannot be waited for.
        failed()
        return true
      }
      http2.makeRoom(count)
      memcpy(http2.output + http2.outputCount, bytes, count)
      http2.outputCount &+= count
    }
    return false
  }

  /// A frame with data: its header and bytes go straight into the output.
  /// - Returns: nil when there is no room now.
  @inline(__always)
  func makeRoom(_ count: Int) -> UnsafeMutablePointer<UInt8>? {
    let http2 = self.http2
    if http2.outputCount > 0 && http2.outputCount &+ count > Limits.outputBatch {
      isOutputFull = true
      return nil
    }
    http2.makeRoom(count)
    let place = http2.output + http2.outputCount
    http2.outputCount &+= count
    return place
  }

  private func failed() { loop.afterwards { [self] in close() } }

  /// - Returns: false when the kernel takes no more now, or the connection has gone.
  private func sendBatch(_ count: Int) -> Bool {
    let bytes = http2.output
    var sent = 0
    if isWritable {
      switch send(bytes, count) {
      case .moved(let moved): sent = moved
      case .wouldBlock: break
      case .failed:
        close()
        return false
      }
    }
    if sent == count { return true }
    isWritable = false
    let rest = ByteBuffer(capacity: count - sent)
    rest.append(bytes + sent, count - sent)
    pending = rest
    pendingStart = 0
    sentSinceDeadline = 0
    services.budget.charge(rest.count)
    setDeadline(after: services.bodyTimeout)
    return false
  }

  private func sendPending() -> Bool {
    guard isWritable, let pending else { return false }
    let count = pending.count - pendingStart
    switch send(pending.base + pendingStart, count) {
    case .moved(let moved):
      pendingStart += moved
      sentSinceDeadline += moved
      if moved == count {
        services.budget.release(pending.count)
        self.pending = nil
        resetClock()
        return true
      }
      isWritable = false
      if sentSinceDeadline >= Limits.streamProgress {
        sentSinceDeadline = 0
        setDeadline(after: services.bodyTimeout)
      }
      return false
    case .wouldBlock:
      isWritable = false
      return false
    case .failed:
      close()
      return false
    }
  }

  /// All is sent that can be: is the connection over, and for what does its clock run?
  private func settle() {
    if nghttp2_session_want_read(session) == 0 && nghttp2_session_want_write(session) == 0 {
      return beginLinger()
    }
    if streamCount == 0 && inputEnded { return close() }
    if watch.isInsideHead {
      if !isHeadClockRunning {
        isHeadClockRunning = true
        headDeadline = loop.now + Int64(services.headTimeout)
        resetClock()
      }
      return
    }
    if isHeadClockRunning {
      isHeadClockRunning = false
      resetClock()
    }
  }

  /// With streams their own clocks run.
  private func resetClock() {
    if isHeadClockRunning {
      // Whatever was waited for meanwhile.
      setDeadline(after: Int(max(0, headDeadline - loop.now)))
    } else if parting == .announced {
      setDeadline(after: Self.farewell)
    } else if streamCount == 0 {
      setDeadline(after: services.idleTimeout)
    } else {
      clearDeadline()
    }
  }

  /// The first frame of the viewer's, its settings, has come.
  func greeted() {
    if hasGreeted { return }
    hasGreeted = true
    if pending == nil { resetClock() }
  }

  // MARK: Heads

  /// A head is going to be submitted.
  /// - Returns: whether nghttp2 has to copy it, since it may have to wait.
  @inline(__always)
  func beginHead() -> Bool {
    countHead()
    if pending != nil { return true }
    if !usesArena {
      usesArena = true
      http2.fields.beginUse()
    }
    return false
  }

  /// One that is copied.
  func countHead() { unwrittenHeads &+= 1 }

  // MARK: Streams

  @inline(__always)
  func add(_ stream: HTTP2Stream) {
    let reference = Unmanaged.passUnretained(stream)
    stream.next = firstStream
    stream.previous = nil
    firstStream?._withUnsafeGuaranteedRef { $0.previous = reference }
    firstStream = reference
    streamCount &+= 1
    if streamCount == 1 && !isHeadClockRunning && pending == nil { clearDeadline() }
  }

  @inline(__always)
  func remove(_ stream: HTTP2Stream) {
    let previous = stream.previous
    let next = stream.next
    if let previous {
      previous._withUnsafeGuaranteedRef { $0.next = next }
    } else {
      firstStream = next
    }
    next?._withUnsafeGuaranteedRef { $0.previous = previous }
    streamCount &-= 1
    if streamCount == 0 && !isHeadClockRunning && pending == nil {
      setDeadline(after: parting == .announced ? Self.farewell : services.idleTimeout)
    }
  }

  // MARK: Ends

  /// Tells the viewer that it has gone too far, counts that, and ends.
  func end(for offence: HTTP2Offence) {
    http2.counters.count(offence)
    if isTerminated { return }
    isTerminated = true
    let code =
      switch offence {
      case .protocolError, .malformedRequest: NGHTTP2_PROTOCOL_ERROR
      case .flowControlError: NGHTTP2_FLOW_CONTROL_ERROR
      default: NGHTTP2_ENHANCE_YOUR_CALM
      }
    nghttp2_session_terminate_session(session, code.rawValue)
    scheduleFlush()
  }

  /// The edge ends, or this connection has had its share of requests: no new requests, by and by.
  /// RFC 9113 §6.8: what the viewer has sent until it hears of that is still answered.
  func drain() {
    guard phase == .open, parting == .none, !isTerminated else { return }
    parting = .announced
    var stream = firstStream
    while let present = stream?.takeUnretainedValue() {
      if services.isDraining { present.tunnel?.drain() }
      stream = present.next
    }
    nghttp2_submit_shutdown_notice(session)
    // Its acknowledgment comes behind whatever was sent before the notice arrived.
    nghttp2_submit_ping(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), nil)
    if pending == nil && !isHeadClockRunning { setDeadline(after: Self.farewell) }
    scheduleFlush()
  }

  func pingAnswered() { if parting == .announced { sayFarewell() } }

  private func sayFarewell() {
    parting = .said
    nghttp2_submit_goaway(
      session, UInt8(NGHTTP2_FLAG_NONE.rawValue), nghttp2_session_get_last_proc_stream_id(session),
      NGHTTP2_NO_ERROR.rawValue, nil, 0)
    scheduleFlush()
  }

  /// Everything is out; the viewer may still be sending.
  private func beginLinger() {
    if inputEnded { return close() }
    endStreams()
    phase = .lingering
    releaseSession()
    tls?.endOutput()
    shutdown(descriptor, Int32(SHUT_WR))
    setDeadline(after: 2000)
    if isReadable { linger() }
  }

  private var lingered = 0

  private func linger() {
    while isReadable && phase == .lingering {
      switch receive(services.scratch, services.scratchSize) {
      case .moved(let count) where count > 0:
        lingered += count
        if lingered > Limits.lingering { return close() }
      case .wouldBlock:
        isReadable = false
      case .moved, .failed:
        close()
      }
    }
  }

  func close() {
    guard phase != .closed else { return }
    if isInSession { return failed() }
    let wasOpen = phase == .open
    phase = .closed
    if wasOpen {
      endStreams()
      releaseSession()
    }
    closeChannel()
    services.viewerClosed()
  }

  private func endStreams() {
    while let stream = firstStream?.takeUnretainedValue() {
      stream.connectionEnded()
      remove(stream)
      http2.recycle(stream)
    }
    begun.removeAll()
    stirred.removeAll()
  }

  private func releaseSession() {
    nghttp2_session_del(session)
    session = nil
    services.budget.release(HTTP2Services.sessionSize)
    if let pending { services.budget.release(pending.count) }
    pending = nil
    if usesArena {
      usesArena = false
      http2.fields.endUse()
    }
  }
}
