// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CHTTP2
import Glibc

/// The connection's clocks, and how it ends.
extension HTTP2Connection {
  /// Milliseconds that a viewer has to learn that the edge wants to end.
  static let farewell = 1_000

  // MARK: Clocks

  /// All is sent that can be: is the connection over, and for what does its clock run?
  func settle() {
    if nghttp2_session_want_read(session) == 0 && nghttp2_session_want_write(session) == 0 {
      return beginLinger()
    }
    if streamCount == 0 && inputEnded { return close() }
    if frames.isInsideHead {
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
  func resetClock() {
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

  // MARK: Ends

  /// Tells the viewer that it has gone too far, counts that, and ends.
  func end(for offence: HTTP2Offence) {
    counters.count(offence)
    if isTerminated { return }
    isTerminated = true
    let code =
      switch offence {
      case .protocolError, .malformedRequest: NGHTTP2_PROTOCOL_ERROR
      case .flowControlError: NGHTTP2_FLOW_CONTROL_ERROR
      case .compressionError: NGHTTP2_COMPRESSION_ERROR
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

  func sayFarewell() {
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
    services.budget.release(HTTP2Services.connectionSize)
    if let pending { services.budget.release(pending.count) }
    pending = nil
    dropHeads()
    encoder.deallocate()
    decoder.deallocate()
    frames.release()
    holdHead()
  }
}
