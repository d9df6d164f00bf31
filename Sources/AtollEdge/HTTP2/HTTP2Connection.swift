// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CHTTP2
import CSystem
import Glibc

/// One viewer's HTTP/2 connection (RFC 9113): its streams, windows and frames are kept by an nghttp2
/// session, its heads are read and written here; each request is a viewer of an exchange of its own.
///
/// ```
///        GOAWAY sent and no stream left,
///        or the session is over
///  open ─────────────────────────────▶ lingering ──▶ closed
///    └── the viewer has gone, or does not read ────────▲
/// ```
/// What comes is handed to the session as it was received, but for heads, of which it is told without
/// their fields; what is to be sent is gathered for a whole turn and sent at once. The session's
/// callbacks change nothing but this connection and its streams; what would reach for origins, or for
/// the loop's scratch memory, waits until the session has returned.
final class HTTP2Connection: Channel, LingeringChannel {
  enum Phase { case open, lingering, closed }
  /// As for HTTP/1.1: one finds requests, the next that there are no more.
  private static let receivesPerTurn = 3

  let services: LoopServices
  let http2: HTTP2Services
  let counters: HTTP2Counters
  let address: SocketAddress
  let tls: TLSSession?
  /// Among those of the loop, from 1.
  let number: UInt64
  var session: OpaquePointer!
  var phase = Phase.open
  var isReadable = true
  var isWritable = true
  private var peerEnded = false
  var inputEnded = false
  var frames = FrameReader()

  // Output that the kernel did not take.
  var pending: ByteBuffer?
  var pendingStart = 0
  var sentSinceDeadline = 0

  // Streams with a request, the latest first.
  var firstStream: Unmanaged<HTTP2Stream>?
  var streamCount = 0
  var requestCount = 0
  /// Have a request that is to go on when the session has returned.
  var begun: [HTTP2Stream] = []
  /// Have more of a body, or room for more of a tunnel.
  var stirred: [HTTP2Stream] = []

  // The head that is being read: the edge decodes it, and tells the session of a frame without
  // fields.
  let decoder = HeaderDecoder()
  let text: Unmanaged<HTTP2RequestText>
  /// What comes behind the body of a request.
  var trailers: HTTP2TrailerText?
  /// What the session is told of is the head that has just been read.
  var isTellingHead = false
  /// The highest stream that was begun.
  var lastStream: Int32 = 0
  var headCharge = 0

  /// Bytes of bodies for which the connection's window opens when they have left.
  private var withheldWindow = 0

  var isInSession = false
  /// What is submitted is flushed before control goes back to the loop.
  var isBusy = false
  /// A frame found no room in the output any more.
  var isOutputFull = false
  var isFlushScheduled = false

  // Heads. They are encoded as they come, and go into the output before any frame of the session's
  // that follows: what the peer's table becomes depends on their order.
  let encoder = HeaderEncoder()
  /// Encoded, and not in the output yet.
  var heads: Unmanaged<ByteBuffer>?
  let writer: Unmanaged<ResponseHeads>
  var headsCharge = 0
  /// Heads that the session has yet to hear of.
  var unheardHeads = 0
  /// What settings of the viewer's say about its table, until they are acknowledged.
  var unacknowledged: [TableSizes] = []
  struct TableSizes {
    var smallest: Int?
    var last: Int?
  }

  var isTerminated = false
  var isHeadClockRunning = false
  /// Milliseconds of the loop's clock by which the head has to be whole.
  var headDeadline: Int64 = 0
  private var hasYielded = false
  var hasGreeted = false

  /// Bytes that came after the end.
  var lingered = 0

  enum Farewell { case none, announced, said }
  var parting = Farewell.none

  /// Goes on with what `former` has opened: it is that channel's place on the loop from now on.
  /// - Parameter tls: nil in the clear.
  init(
    taking former: Channel, services: LoopServices, address: SocketAddress, tls: TLSSession?
  ) {
    self.services = services
    self.address = address
    self.tls = tls
    http2 = services.http2
    counters = http2.counters
    number = http2.nextNumber()
    writer = .passUnretained(http2.heads)
    text = .passUnretained(http2.requestText)
    super.init(loop: services.loop, descriptor: former.descriptor)
    takePlace(of: former)
    services.budget.charge(HTTP2Services.connectionSize)
    counters.countConnection()
    var session: OpaquePointer?
    nghttp2_session_server_new3(
      &session, http2.callbacks, Unmanaged.passUnretained(self).toOpaque(), http2.option,
      http2.memory.allocator)
    self.session = session
    submitSettings()
    // For preface and settings.
    setDeadline(after: services.headTimeout)
  }

  private func submitSettings() {
    // Of this one the session does not know: it would end the connection of a viewer that goes beyond
    // it, where one request is refused.
    let limit = nghttp2_settings_entry(
      settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue),
      value: UInt32(Limits.concurrentStreams))
    let settings = [
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
    // RFC 9113 §3.4: they come first.
    var bytes: UnsafePointer<UInt8>?
    let buffer = headBuffer.takeUnretainedValue()
    write([limit] + settings, to: buffer)
    while case let count = nghttp2_session_mem_send(session, &bytes), count > 0, let bytes {
      // Its settings are what has just been written.
      if bytes[3] != UInt8(NGHTTP2_SETTINGS.rawValue) { buffer.append(bytes, count) }
    }
  }

  /// A frame (RFC 9113 §6.5).
  private func write(_ settings: [nghttp2_settings_entry], to buffer: ByteBuffer) {
    let header = FrameHeader(
      length: settings.count * 6, kind: FrameHeader.Kind.settings, flags: 0, stream: 0)
    header.write(to: buffer.reserveTail(FrameHeader.size))
    buffer.advance(by: FrameHeader.size)
    for entry in settings {
      for shift in [8, 0] {
        buffer.append(UInt8(truncatingIfNeeded: entry.settings_id >> Int32(shift)))
      }
      for shift in [24, 16, 8, 0] {
        buffer.append(UInt8(truncatingIfNeeded: entry.value >> UInt32(shift)))
      }
    }
  }

  var isOpen: Bool { phase == .open }
  var isLingering: Bool { phase == .lingering }

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
        counters.count(.slowReader)
        var stream = firstStream
        while let present = stream?.takeUnretainedValue() {
          if present.phase == .exchanging { present.exchange.bodyBroke(.slowReader) }
          stream = present.next
        }
        // What is missing must not look like an end.
        SystemCall.resetOnClose(descriptor)
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
  func receive(_ memory: UnsafeMutablePointer<UInt8>, _ count: Int) -> Transfer {
    guard let tls else { return SystemCall.receive(descriptor, memory, count) }
    return tls.receive(memory, count, peerEnded: &peerEnded)
  }

  @inline(__always)
  func send(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Transfer {
    if let tls { return tls.send(bytes, count, scratch: services.recordBuffer) }
    return SystemCall.send(descriptor, bytes, count)
  }

  func receive() {
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
      && (nghttp2_session_get_outbound_queue_size(session) > Limits.queuedFrames
        || heads.map { $0.takeUnretainedValue().count > Limits.outputBatch } ?? false)
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
    isInSession = true
    read(bytes, count)
    isInSession = false
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
  func goOn() -> Bool {
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

  // MARK: The connection's window

  /// So many bytes of a body have come. An origin that takes none of them does not hold back the
  /// other requests of the connection, unless the bodies of all take too much memory.
  func bodyArrived(_ count: Int) {
    if http2.bodyArrived(count) {
      nghttp2_session_consume_connection(session, count)
    } else {
      withheldWindow += count
    }
  }

  /// They have left again.
  func bodyLeft(_ count: Int) {
    let due = min(count, withheldWindow)
    if due == 0 { return }
    withheldWindow -= due
    nghttp2_session_consume_connection(session, due)
  }
}
