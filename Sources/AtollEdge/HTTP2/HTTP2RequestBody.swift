// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CHTTP2
import Glibc

/// The body of one request, from the frames that bring it to the origin that takes it.
///
/// What has come and waits for the origin keeps that much of the stream's window shut, and of the
/// connection's when the bodies of all streams take too much memory (RFC 9113 §5.2). Of a tunnel, it
/// is what the viewer says.
final class HTTP2RequestBody {
  enum Arrival {
    case kept
    /// Nobody takes it.
    case dropped
    /// It is more than Content-Length has announced.
    case tooLong
  }

  /// Whose stream it is; that outlives it.
  private unowned(unsafe) let connection: HTTP2Connection
  private let stream: Int32
  private let announcedCount: UInt64?
  private var receivedCount: UInt64 = 0
  /// What waits, from `start`; nil when that is nothing.
  private var buffer: ByteBuffer?
  private var start = 0
  private var charge = 0
  /// What came behind it: field lines, each with CRLF.
  private var trailers: ByteBuffer?
  /// Nothing more comes.
  private(set) var isEnded = false

  init(on connection: HTTP2Connection, stream: Int32, framing: BodyFraming) {
    self.connection = connection
    self.stream = stream
    announcedCount = if case .length(let count) = framing { count } else { nil }
  }

  private var http2: HTTP2Services { connection.http2 }
  private var budget: MemoryBudget { connection.services.budget }

  // MARK: From the viewer

  func receive(_ bytes: UnsafePointer<UInt8>, _ count: Int, isWanted: Bool) -> Arrival {
    receivedCount &+= UInt64(count)
    let isTooLong = announcedCount.map { receivedCount > $0 } ?? false
    if isTooLong || !isWanted {
      // The window of the stream stays shut: who sends on is not read any more.
      nghttp2_session_consume_connection(connection.session, count)
      return isTooLong ? .tooLong : .dropped
    }
    append(bytes, count)
    connection.bodyArrived(count)
    return .kept
  }

  private func append(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
    let buffer = self.buffer ?? ByteBuffer(capacity: max(count, 4_096))
    self.buffer = buffer
    if start > 0 && buffer.capacity - buffer.count < count {
      // What was taken makes room.
      let left = buffer.count - start
      memmove(buffer.base, buffer.base + start, left)
      buffer.truncate(to: left)
      start = 0
    }
    buffer.append(bytes, count)
    budget.charge(buffer.capacity - charge)
    charge = buffer.capacity
  }

  /// - Returns: false when it is shorter than Content-Length has announced.
  func end(trailers: ByteBuffer?) -> Bool {
    if let announcedCount, receivedCount != announcedCount { return false }
    isEnded = true
    self.trailers = trailers
    return true
  }

  // MARK: To the origin

  /// Nothing waits and nothing more comes.
  var hasBeenTaken: Bool { isEnded && buffer == nil }

  /// What has come and was not taken; nil when that is nothing now.
  var waiting: (bytes: UnsafeMutablePointer<UInt8>, count: Int)? {
    buffer.map { ($0.base + start, $0.count - start) }
  }

  /// So many bytes of what waits have gone on: the viewer may send as many more.
  func take(_ count: Int) {
    guard count > 0, let buffer else { return }
    start += count
    http2.bodyLeft(count)
    if start == buffer.count { drop() }
    guard connection.isOpen else { return }
    nghttp2_session_consume_stream(connection.session, stream, count)
    connection.bodyLeft(count)
    connection.scheduleFlush()
  }

  /// Its trailers, once.
  func takeTrailers() -> ByteBuffer? {
    defer { trailers = nil }
    return trailers
  }

  // MARK: Ends

  /// What waits is not wanted any more, and is in the way of no other stream.
  func giveUp() {
    let left = waiting?.count ?? 0
    drop()
    connection.bodyLeft(left)
  }

  /// Frees what waits. The windows stay as they are.
  func drop() {
    guard let buffer else { return }
    budget.release(charge)
    http2.bodyLeft(buffer.count - start)
    self.buffer = nil
    start = 0
    charge = 0
  }
}
