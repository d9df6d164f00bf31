// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CHTTP2
import Glibc

/// What the HTTP/2 connections of one loop use in turn, and what they count.
final class HTTP2Services {
  /// What is put together before it is sent, and what may come behind that before it is looked at:
  /// a frame, and the heads of one turn, unless they are large.
  private static let outputCapacity = Limits.outputBatch + 65_536
  /// What a session of nghttp2 takes for itself, the encoder and the decoder of heads, in
  /// bytes.
  static let connectionSize = 32_768 + HeaderEncoder.memory + HeaderDecoder.memory
  private static let headBuffer = 8_192
  private static let scratchSize = 4_096
  /// What reading heads may have taken when a turn ends, in bytes: more than any honest one needs.
  static let keptForReading = 65_536
  private static let keptHeadBuffers = 16
  /// Streams that are kept for later requests.
  private static let keptStreams = 512

  let callbacks: OpaquePointer
  let option: OpaquePointer
  let memory = SessionMemory()
  private let budget: MemoryBudget
  let counters: HTTP2Counters
  let heads: ResponseHeads
  /// Valid within one turn of one connection.
  private(set) var output = UnsafeMutablePointer<UInt8>.allocate(
    capacity: HTTP2Services.outputCapacity)
  private var capacity = HTTP2Services.outputCapacity
  var outputCount = 0
  /// The head that is being read.
  let requestText: HTTP2RequestText
  let headerScratch = ByteBuffer(capacity: HTTP2Services.scratchSize)
  /// Bytes of bodies that wait for their origins, and the share of them for which the windows of
  /// their connections open as they come.
  private var waitingBodies = 0
  private let bodyShare: Int
  private unowned(unsafe) let services: LoopServices
  /// Streams without a request. The loop keeps them, as it does all channels, until they are closed.
  private let idle = UnsafeMutablePointer<Unmanaged<HTTP2Stream>>.allocate(
    capacity: HTTP2Services.keptStreams)
  private var idleCount = 0

  init(services: LoopServices) {
    self.services = services
    counters = services.http2Counters
    budget = services.budget
    budget.charge(SessionMemory.limit)
    bodyShare = budget.limit / Limits.bodyShare / max(1, services.edge.options.threads)
    requestText = HTTP2RequestText(head: services.requestHead)
    heads = ResponseHeads(seed: services.seed, budget: services.budget)
    callbacks = HTTP2Connection.makeCallbacks()
    var option: OpaquePointer?
    nghttp2_option_new(&option)
    self.option = option!
    // Windows open as the origin takes a body, not as it comes.
    nghttp2_option_set_no_auto_window_update(option, 1)
    nghttp2_option_set_no_closed_streams(option, 1)
    nghttp2_option_set_max_outbound_ack(option, Limits.acknowledgments)
    nghttp2_option_set_builtin_recv_extension_type(
      option, UInt8(NGHTTP2_PRIORITY_UPDATE.rawValue))
    // The frame watch counts these, and says ENHANCE_YOUR_CALM.
    nghttp2_option_set_stream_reset_rate_limit(option, 1 << 40, 1 << 40)
    // The edge reads the fields of requests itself, and says what it thinks of them.
    nghttp2_option_set_no_http_messaging(option, 1)
  }

  deinit {
    nghttp2_option_del(option)
    nghttp2_session_callbacks_del(callbacks)
    memory.deallocate()
    budget.release(SessionMemory.limit)
    output.deallocate()
    idle.deallocate()
  }

  // MARK: Output

  /// Begins a batch.
  @inline(__always)
  func beginOutput() {
    outputCount = 0
    if capacity > Self.outputCapacity { resizeOutput(Self.outputCapacity) }
    if readingSize > Self.keptForReading { shrinkReading() }
  }

  /// Bytes of memory for the head that is being read. One that is as large as may be takes some
  /// hundred KiB, until what it leads to is sent.
  @inline(__always)
  var readingSize: Int { requestText.size &+ headerScratch.capacity }

  @inline(never)
  private func shrinkReading() {
    requestText.shrink()
    headerScratch.shrink(to: Self.scratchSize)
  }

  /// Has room for so many bytes behind the batch. What has to leave together are the heads of one
  /// turn, of as many streams as there may be at once.
  @inline(__always)
  func makeRoom(_ count: Int) {
    if outputCount &+ count > capacity { resizeOutput(max(capacity * 2, outputCount + count)) }
  }

  @inline(never)
  private func resizeOutput(_ size: Int) {
    let other = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
    other.update(from: output, count: outputCount)
    output.deallocate()
    output = other
    capacity = size
  }

  private var headBuffers: [ByteBuffer] = []

  /// For heads that wait for the output.
  func makeHeadBuffer() -> ByteBuffer {
    headBuffers.popLast() ?? ByteBuffer(capacity: Self.headBuffer)
  }

  func recycle(_ buffer: ByteBuffer) {
    guard headBuffers.count < Self.keptHeadBuffers, buffer.capacity <= Limits.outputBatch else {
      return
    }
    buffer.removeAll()
    headBuffers.append(buffer)
  }

  private var lastNumber: UInt64 = 0

  func nextNumber() -> UInt64 {
    lastNumber += 1
    return lastNumber
  }

  // MARK: Bodies of requests

  /// So many bytes of a body have come. True while all of them take no more than their share.
  func bodyArrived(_ count: Int) -> Bool {
    waitingBodies += count
    return waitingBodies <= bodyShare
  }

  /// They are not waiting any more.
  func bodyLeft(_ count: Int) { waitingBodies -= count }

  // MARK: Streams

  /// Valid until `recycle`.
  @inline(__always)
  func makeStream(on connection: HTTP2Connection, id: Int32) -> Unmanaged<HTTP2Stream> {
    if idleCount == 0 { idle[0] = newStream(on: connection) } else { idleCount &-= 1 }
    let stream = idle[idleCount]
    stream._withUnsafeGuaranteedRef { $0.open(on: connection, id: id) }
    return stream
  }

  @inline(never)
  private func newStream(on connection: HTTP2Connection) -> Unmanaged<HTTP2Stream> {
    .passUnretained(HTTP2Stream(services: services, address: connection.address))
  }

  func recycle(_ stream: HTTP2Stream) {
    if idleCount < Self.keptStreams {
      (idle + idleCount).initialize(to: .passUnretained(stream))
      idleCount &+= 1
    } else {
      stream.closeChannel()
    }
  }
}
