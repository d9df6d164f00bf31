// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// A request's body on its way from the viewer to the origin, as fast as the slower of both.
///
/// At most one receive's worth of bytes is held between them.
final class Upload {
  private unowned(unsafe) let viewer: Viewer
  private var framing: BodyFraming
  private var remaining: UInt64
  private var decoder = ChunkedDecoder(keepsTrailers: true)
  private var awaitsContinue: Bool
  weak var request: OriginRequest?
  /// All of the body has been read from the viewer.
  private(set) var isEnded = false
  private var isBroken = false
  private var isStarved = false
  private(set) var byteCount = 0

  init(viewer: Viewer, framing: BodyFraming, expectsContinue: Bool) {
    self.viewer = viewer
    self.framing = framing
    awaitsContinue = expectsContinue
    remaining = if case .length(let count) = framing { count } else { 0 }
  }

  /// It is the viewer's turn: the origin takes more than has come.
  var awaitsViewer: Bool { isStarved && !isEnded && !isBroken && request != nil }

  /// Moves what can be moved now.
  func pump() {
    isStarved = false
    guard !isEnded && !isBroken, let request, request.takesBody else { return }
    if awaitsContinue {
      awaitsContinue = false
      viewer.sendContinue()
    }
    while !isEnded && !isBroken && request.takesBody {
      guard let piece = viewer.nextBodyBytes() else {
        if isBroken || isEnded { return }
        if !viewer.bodyHasEnded {
          isStarved = true
          return viewer.awaitBody()
        }
        if !endChunks(request, trailers: viewer.takeTrailers()) { return }
        break
      }
      if !forward(piece, to: request) { return }
    }
    // Ended, or held back by the origin: either way its clock counts, not the viewer's.
    if !isBroken { viewer.awaitOrigin() }
  }

  private func forward(
    _ piece: (bytes: UnsafeMutablePointer<UInt8>, count: Int), to request: OriginRequest
  ) -> Bool {
    switch framing {
    case .length:
      let used = Int(min(UInt64(piece.count), remaining))
      remaining -= UInt64(used)
      byteCount += used
      withUnsafeTemporaryAllocation(of: iovec.self, capacity: 1) { vectors in
        vectors[0] = iovec(iov_base: piece.bytes, iov_len: used)
        request.write(vectors.baseAddress!, 1)
      }
      viewer.consumedBody(used, of: piece)
      if remaining == 0 { end(request) }
      return true
    case .chunked where viewer.delimitsBody:
      writeChunk(piece.bytes, piece.count, to: request)
      byteCount += piece.count
      viewer.consumedBody(piece.count, of: piece)
      return true
    case .chunked:
      return forwardChunks(piece, to: request)
    case .none, .untilClose:
      end(request)
      return true
    }
  }

  private func forwardChunks(
    _ piece: (bytes: UnsafeMutablePointer<UInt8>, count: Int), to request: OriginRequest
  ) -> Bool {
    var at = 0
    while true {
      switch decoder.next(piece.bytes + at, count: piece.count - at) {
      case .data(let consumed, let length):
        writeChunk(piece.bytes + at + consumed, length, to: request)
        byteCount += length
        at += consumed + length
      case .needsMore:
        viewer.consumedBody(piece.count, of: piece)
        return true
      case .end(let consumed):
        at += consumed
        viewer.consumedBody(at, of: piece)
        return endChunks(request, trailers: decoder.trailers)
      case .malformed:
        malformed(request)
        return false
      }
    }
  }

  private func writeChunk(
    _ bytes: UnsafeMutablePointer<UInt8>, _ count: Int, to request: OriginRequest
  ) {
    let line = ByteBuffer(capacity: 24)
    line.appendChunkLine(count)
    withUnsafeTemporaryAllocation(of: iovec.self, capacity: 3) { vectors in
      vectors[0] = iovec(iov_base: line.base, iov_len: line.count)
      vectors[1] = iovec(iov_base: bytes, iov_len: count)
      vectors[2] = iovec(iov_base: line.base + (line.count - 2), iov_len: 2)
      request.write(vectors.baseAddress!, 3)
    }
  }

  /// False when the trailers are malformed.
  private func endChunks(_ request: OriginRequest, trailers: ByteBuffer?) -> Bool {
    guard request.writeLastChunk(trailers: trailers) else {
      malformed(request)
      return false
    }
    end(request)
    return true
  }

  private func malformed(_ request: OriginRequest) {
    isBroken = true
    viewer.exchange.uploadFailed(status: 400, reason: .badRequest)
    request.uploadFailed()
  }

  private func end(_ request: OriginRequest) {
    isEnded = true
    request.bodyEnded()
  }

  // MARK: When something breaks

  /// The origin takes no more; its answer may still come.
  func refused() { isBroken = true }

  /// The origin's part is over: what the viewer still sends is not wanted.
  func originEnded() { request = nil }

  /// The viewer ended its side before the body was whole.
  func viewerEnded() {
    isBroken = true
    viewer.exchange.uploadFailed(status: 400, reason: .badRequest)
    request?.uploadFailed()
  }

  func viewerStalled() {
    isBroken = true
    viewer.exchange.uploadFailed(status: 408, reason: .requestTimeout)
    request?.uploadFailed()
  }

  func viewerGone() {
    if !isEnded { request?.uploadFailed() }
    request = nil
  }

  func detach() { request = nil }
}
