// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CHTTP2

/// What the viewer sends: heads, whose fields the edge reads itself, and all other frames, which are
/// the session's.
extension HTTP2Connection {
  /// Parts what the viewer has sent, and hands it on in its order.
  func read(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
    var at = bytes
    let end = bytes + count
    while !isTerminated {
      let start = at
      switch frames.next(&at, end, now: loop.now) {
      case .frames: hand(start, at - start)
      case .header: handHeader()
      case .head: readHead()
      case .end: return holdHead()
      case .offence(let offence): return self.end(for: offence)
      }
    }
  }

  /// Hands frames to the session.
  @inline(__always)
  private func hand(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
    let result = nghttp2_session_mem_recv(session, bytes, count)
    if result < 0 { sessionFailed(Int32(truncatingIfNeeded: result)) }
  }

  @inline(never)
  private func handHeader() {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 9) {
      frames.writeHeader(to: $0.baseAddress!)
      hand($0.baseAddress!, 9)
    }
  }

  /// A head is whole. Its fields are read first: the session calls for them.
  @inline(__always)
  private func readHead() {
    let isRequest = frames.head.stream > lastStream
    let outcome = isRequest ? readRequest() : readTrailers()
    frames.release()
    guard outcome == .complete else {
      return end(for: outcome == .broken ? .compressionError : .headerListTooLarge)
    }
    isTellingHead = true
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: FrameReader.Head.frameSize) {
      hand($0.baseAddress!, frames.head.writeFrame(to: $0.baseAddress!))
    }
    isTellingHead = false
    if !isRequest { trailers = nil }
  }

  @inline(__always)
  private func readRequest() -> HeaderDecoder.Outcome {
    lastStream = frames.head.stream
    let block = frames.head.block
    return text._withUnsafeGuaranteedRef {
      $0.begin()
      return decoder.decode(block.baseAddress!, block.count, to: $0, scratch: http2.headerScratch)
    }
  }

  @inline(never)
  private func readTrailers() -> HeaderDecoder.Outcome {
    let trailers = HTTP2TrailerText()
    self.trailers = trailers
    let block = frames.head.block
    return decoder.decode(
      block.baseAddress!, block.count, to: trailers, scratch: http2.headerScratch)
  }

  /// The rest of a head comes later.
  @inline(__always)
  func holdHead() {
    if frames.heldSize != headCharge {
      services.budget.charge(frames.heldSize - headCharge)
      headCharge = frames.heldSize
    }
  }

  private func sessionFailed(_ error: Int32) {
    let isFlood = error == NGHTTP2_ERR_FLOODED.rawValue
    end(for: isFlood ? .pingFlood : .protocolError)
  }
}
