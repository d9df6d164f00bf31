// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CHTTP2
import Glibc

/// What nghttp2 tells of the viewer's frames, and asks for its own.
extension HTTP2Connection {
  static func makeCallbacks() -> OpaquePointer {
    var made: OpaquePointer?
    nghttp2_session_callbacks_new(&made)
    let callbacks = made!
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, context in
      HTTP2Connection.at(context)._withUnsafeGuaranteedRef { $0.received(frame!) }
    }
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) {
      _, _, id, bytes, count, context in
      HTTP2Connection.at(context)._withUnsafeGuaranteedRef { $0.received(id, bytes!, count) }
    }
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, id, error, context in
      HTTP2Connection.at(context)._withUnsafeGuaranteedRef { $0.streamClosed(id, error) }
    }
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks) {
      _, _, error, context in
      HTTP2Connection.at(context)._withUnsafeGuaranteedRef { $0.refused(error) }
    }
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, context in
      HTTP2Connection.at(context)._withUnsafeGuaranteedRef { $0.sent(frame!) }
    }
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks) { _, frame, _, context in
      HTTP2Connection.at(context)._withUnsafeGuaranteedRef { $0.dropped(frame!) }
    }
    nghttp2_session_callbacks_set_send_data_callback(callbacks) {
      _, _, header, count, source, context in
      HTTP2Connection.at(context)._withUnsafeGuaranteedRef {
        $0.write(header!, count, source!.pointee.ptr)
      }
    }
    return callbacks
  }

  @inline(__always)
  private static func at(_ context: UnsafeMutableRawPointer?) -> Unmanaged<HTTP2Connection> {
    Unmanaged.fromOpaque(context!)
  }

  /// The stream of a request that the session knows.
  @inline(__always)
  private func stream(_ id: Int32) -> Unmanaged<HTTP2Stream>? {
    nghttp2_session_get_stream_user_data(session, id).map { Unmanaged.fromOpaque($0) }
  }

  // MARK: Frames

  @inline(__always)
  private func received(_ frame: UnsafePointer<nghttp2_frame>) -> Int32 {
    let header = frame.pointee.hd
    let endsStream = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
    switch nghttp2_frame_type(rawValue: UInt32(header.type)) {
    case NGHTTP2_HEADERS:
      // The text is the loop's: never is a request taken for one that it has not read.
      guard isTellingHead else {
        end(for: .protocolError)
        break
      }
      if frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST {
        begin(header.stream_id, endsStream: endsStream)
      } else if let trailers {
        stream(header.stream_id)?._withUnsafeGuaranteedRef {
          // RFC 9113 §8.1.
          if trailers.isMalformed || !endsStream { return $0.requestFailed() }
          $0.requestEnded(trailers: trailers.lines)
        }
      }
    case NGHTTP2_DATA:
      if endsStream {
        stream(header.stream_id)?._withUnsafeGuaranteedRef { $0.requestEnded() }
      }
    case NGHTTP2_SETTINGS:
      greeted()
      if header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) == 0 { received(frame.pointee.settings) }
    case NGHTTP2_PING:
      if header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0 { pingAnswered() }
    default:
      break
    }
    return 0
  }

  @inline(__always)
  private func begin(_ id: Int32, endsStream: Bool) {
    if streamCount >= Limits.concurrentStreams { return refuse(id) }
    counters.countRequest()
    requestCount &+= 1
    if requestCount == Limits.requestsPerConnection { drain() }
    let stream = http2.makeStream(on: self, id: id)
    nghttp2_session_set_stream_user_data(session, id, stream.toOpaque())
    text._withUnsafeGuaranteedRef { text in
      if let priority = text.priority { prioritize(id, priority) }
      stream._withUnsafeGuaranteedRef {
        add($0)
        $0.begin(text, on: self, endsStream: endsStream)
      }
    }
  }

  /// One request too many at once. Its viewer may not have heard of the limit, and may ask again (RFC
  /// 9113 §5.1.2, §8.7); one that goes on like that has its connection ended.
  @inline(never)
  private func refuse(_ id: Int32) {
    counters.count(.tooManyStreams)
    nghttp2_submit_rst_stream(
      session, UInt8(NGHTTP2_FLAG_NONE.rawValue), id, NGHTTP2_REFUSED_STREAM.rawValue)
    if let offence = frames.watch.requestFailed(loop.now) { end(for: offence) }
  }

  /// RFC 9218 §5.
  @inline(never)
  private func prioritize(_ id: Int32, _ priority: RequestPriority) {
    var value = nghttp2_extpri(
      urgency: UInt32(priority.urgency), inc: priority.isIncremental ? 1 : 0)
    nghttp2_session_change_extpri_stream_priority(session, id, &value, 0)
  }

  private func received(_ id: Int32, _ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
    if let stream = stream(id) {
      stream._withUnsafeGuaranteedRef { $0.received(bytes, count) }
    } else {
      nghttp2_session_consume_connection(session, count)
    }
    return 0
  }

  @inline(__always)
  private func streamClosed(_ id: Int32, _ error: UInt32) -> Int32 {
    // A request that never came to be has none.
    guard let held = stream(id) else { return 0 }
    held._withUnsafeGuaranteedRef { stream in
      stream.closed()
      remove(stream)
      http2.recycle(stream)
    }
    return 0
  }

  /// A frame that is against the rules; nghttp2 answers it.
  private func refused(_ error: Int32) -> Int32 {
    // Those against flow control are counted when they are answered, as all of their kind are.
    if error != NGHTTP2_ERR_FLOW_CONTROL.rawValue { counters.count(.protocolError) }
    return 0
  }

  // MARK: Output

  @inline(__always)
  private func sent(_ frame: UnsafePointer<nghttp2_frame>) -> Int32 {
    let header = frame.pointee.hd
    switch nghttp2_frame_type(rawValue: UInt32(header.type)) {
    case NGHTTP2_HEADERS:
      heardOfHead()
      if header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0 {
        stream(header.stream_id)?._withUnsafeGuaranteedRef {
          if $0.trailers != nil { $0.writeTrailers() }
          $0.sentLast()
        }
      }
    case NGHTTP2_RST_STREAM:
      // What the edge ends for reasons of its own is no fault of the viewer's.
      var isOwn = stream(header.stream_id)?._withUnsafeGuaranteedRef { $0.isReset } ?? false
      switch nghttp2_error_code(rawValue: frame.pointee.rst_stream.error_code) {
      case NGHTTP2_FLOW_CONTROL_ERROR: counters.count(.flowControlError)
      // Counted when it was refused.
      case NGHTTP2_REFUSED_STREAM: isOwn = true
      default: break
      }
      if !isOwn, let offence = frames.watch.requestFailed(loop.now) { end(for: offence) }
    case NGHTTP2_GOAWAY:
      if frame.pointee.goaway.error_code == NGHTTP2_FLOW_CONTROL_ERROR.rawValue {
        counters.count(.flowControlError)
      }
    default:
      break
    }
    return 0
  }

  /// The stream of a frame has closed before it was sent.
  private func dropped(_ frame: UnsafePointer<nghttp2_frame>) -> Int32 {
    if frame.pointee.hd.type == UInt8(NGHTTP2_HEADERS.rawValue) { heardOfHead() }
    return 0
  }

  /// A frame with data (RFC 9113 §6.1), straight into the output.
  @inline(__always)
  private func write(
    _ header: UnsafePointer<UInt8>, _ count: Int, _ source: UnsafeMutableRawPointer?
  ) -> Int32 {
    let stream = Unmanaged<HTTP2Stream>.fromOpaque(source!)
    guard stream._withUnsafeGuaranteedRef({ $0.holds(count) }) else {
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
    }
    guard let place = makeRoom(count &+ 9) else { return NGHTTP2_ERR_WOULDBLOCK.rawValue }
    memcpy(place, header, 9)
    frames.watch.sentData()
    let endsStream = header[4] & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
    stream._withUnsafeGuaranteedRef { $0.write(count, to: place + 9, endsStream: endsStream) }
    return 0
  }
}
