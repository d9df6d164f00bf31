// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CHTTP2
import Glibc

/// Getting a response out as frames: its head is submitted at once, its body as nghttp2 asks for it.
extension HTTP2Stream {
  // MARK: Heads

  /// - Returns: whether the entry was kept.
  @inline(__always)
  func sendWhole(
    head: UnsafeBufferPointer<UInt8>, tail: ByteBuffer, entry: Entry?, position: Int, count: Int
  ) -> Bool {
    // Behind the tail's empty line there may be a body, of the edge's own making.
    let fields = exchange.headBytes &- head.count
    let isKept = keep(entry, position: position, count: count)
    if !isKept && tail.count > fields {
      text = ByteBuffer(capacity: tail.count - fields)
      text!.append(tail.base + fields, tail.count - fields)
    }
    submit(head, UnsafeBufferPointer(start: tail.base, count: fields))
    return isKept
  }

  func beginSending(head: UnsafeBufferPointer<UInt8>, tail: ByteBuffer, hasBody: Bool) {
    source = hasBody ? .fetch : .none
    bodyEnded = !hasBody
    bodyPosition = 0
    submit(head, tail.bytes)
  }

  @inline(__always)
  private func submit(_ head: UnsafeBufferPointer<UInt8>, _ tail: UnsafeBufferPointer<UInt8>) {
    if submit({ $0.append(head, tail, to: $1) }) { runClock() }
  }

  /// - Returns: false when the connection is over.
  @discardableResult
  @inline(__always)
  private func submit(_ encode: (ResponseHeads, ResponseHeads.Destination) -> Int) -> Bool {
    // What the frames take counts, not the text.
    exchange.headBytes = 0
    return connectionReference!._withUnsafeGuaranteedRef { connection in
      // What the session has closed is not answered any more.
      guard connection.isOpen, phase == .exchanging || phase == .tunneling else { return false }
      let hasBody = !bodyEnded || available > 0
      if let count = connection.writeHead(id, endsStream: !hasBody, encode) {
        sentHead(count)
        connection.submitHead(id, hasBody ? provider : nil)
      }
      return true
    }
  }

  func submitInterim(_ bytes: UnsafeBufferPointer<UInt8>) {
    guard phase == .exchanging, connection.isOpen,
      let count = connection.writeHead(
        id, endsStream: false, { $0.append(single: bytes, to: $1) })
    else { return }
    sentHead(count)
    connection.scheduleFlush()
  }

  // MARK: Bodies

  func noteProgress() {
    if isReadingBody {
      hasProgressed = true
    } else if isDeferred {
      resume()
    }
  }

  /// There is something to send again.
  func resume() {
    guard isDeferred, connection.isOpen else { return }
    isDeferred = false
    if phase == .exchanging { runClock() }
    nghttp2_session_resume_data(connection.session, id)
    connection.scheduleFlush()
  }

  private var textRemaining: Int { text.map { $0.count - textStart } ?? 0 }

  /// Bytes that can be sent without asking for more.
  private var available: Int { textRemaining &+ pieceRemaining }

  /// What nghttp2 may put into its next frame with data.
  @inline(__always)
  func offer(_ limit: Int, _ flags: UnsafeMutablePointer<UInt32>) -> Int {
    if available == 0 && !bodyEnded && !nextPiece() {
      return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
    }
    let available = self.available
    if available == 0 && !bodyEnded && !areTrailersDue {
      isDeferred = true
      // It is for others to go on: the origin, or the tunnel. But the viewer may owe them something.
      if phase == .exchanging && !(upload?.awaitsViewer ?? false) { clearDeadline() }
      return Int(NGHTTP2_ERR_DEFERRED.rawValue)
    }
    let count = min(limit, available)
    var chosen = count > 0 ? NGHTTP2_DATA_FLAG_NO_COPY.rawValue : 0
    if count == available && bodyEnded {
      chosen |= NGHTTP2_DATA_FLAG_EOF.rawValue
      if count == 0 { sentLast() }
    } else if count == available && areTrailersDue {
      chosen |= NGHTTP2_DATA_FLAG_EOF.rawValue | NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
      submitTrailers()
    }
    flags.pointee = chosen
    return count
  }

  /// Their frame goes behind the last data, which is being offered, and ends the stream (RFC 9113
  /// §8.1).
  @inline(never)
  private func submitTrailers() {
    areTrailersDue = false
    bodyEnded = true
    trailers = exchange.trailers
    if trailers != nil { connection.submitTrailers(id) }
  }

  /// Their turn has come.
  func writeTrailers() {
    guard let trailers else { return }
    self.trailers = nil
    let count = connection.writeHead(id, endsStream: true) {
      $0.append(trailers: trailers.bytes, to: $1)
    }
    if let count { sentHead(count) }
  }

  /// Whether so many bytes that were offered are still there.
  @inline(__always)
  func holds(_ count: Int) -> Bool {
    available >= count && (source != .fetch || exchange.fetch != nil || pieceRemaining == 0)
  }

  /// Writes bytes that were offered.
  @inline(__always)
  func write(_ count: Int, to place: UnsafeMutablePointer<UInt8>, endsStream: Bool) {
    var left = count
    var at = place
    if text != nil {
      let part = writeText(count, to: at)
      at += part
      left &-= part
    }
    if left > 0 { writePiece(left, to: at) }
    sentBody(count)
    if endsStream { sentLast() }
  }

  @inline(never)
  private func writeText(_ count: Int, to place: UnsafeMutablePointer<UInt8>) -> Int {
    guard let text else { return 0 }
    let part = min(count, text.count - textStart)
    memcpy(place, text.base + textStart, part)
    textStart += part
    if textStart == text.count {
      text.removeAll()
      textStart = 0
      if phase == .tunneling { stirLater() }
    }
    return part
  }

  @inline(__always)
  private func writePiece(_ count: Int, to place: UnsafeMutablePointer<UInt8>) {
    if source == .entry {
      memcpy(place, bodyEntry!.body + bodyPosition, count)
      bodyPosition &+= count
      pieceRemaining &-= count
      return
    }
    writeFetched(count, to: place)
  }

  @inline(never)
  private func writeFetched(_ count: Int, to place: UnsafeMutablePointer<UInt8>) {
    guard let fetch = exchange.fetch else { return }
    let piece = fetch.body(from: bodyPosition)
    precondition(piece.count >= count)
    memcpy(place, piece.bytes!, count)
    piece.entry?.release()
    bodyPosition += count
    pieceRemaining -= count
    fetch.consumed(exchange, upTo: bodyPosition)
  }

  /// Looks for the body's next piece. False when the rest will not come.
  @inline(never)
  private func nextPiece() -> Bool {
    if phase == .tunneling { return true }
    if phase != .exchanging { return false }
    isReadingBody = true
    defer { isReadingBody = false }
    repeat {
      hasProgressed = false
      if let parts = exchange.parts {
        if !nextPart(parts) { return false }
      } else if !nextFetched() {
        return false
      }
      // Who is asked may find more on the way; it is not told again.
    } while available == 0 && !bodyEnded && !areTrailersDue && hasProgressed
      && phase == .exchanging
    return phase == .exchanging
  }

  private func nextFetched() -> Bool {
    guard let fetch = exchange.fetch else {
      bodyEnded = true
      return true
    }
    let view = fetch.view
    pieceRemaining = max(0, view.available - bodyPosition)
    switch view.phase {
    case .complete:
      exchange.bodyCompleted(view.refusal)
      if exchange.trailers != nil { areTrailersDue = true } else { bodyEnded = true }
    case .aborted, .failed:
      if pieceRemaining == 0 {
        breakOff(view.failure)
        return false
      }
    case .waiting, .streaming, .replaced:
      break
    }
    return true
  }
}

/// A tunnel's viewer (RFC 8441): the stream's data is what WebSocket's connection would carry.
extension HTTP2Stream {
  /// Bytes that wait for the viewer at most.
  private static let tunnelBytes = 65_536

  func tunnel(
    with origin: OriginConnection, of target: TargetUse?, timeout: Int, first: ByteBuffer
  ) {
    let head = UnsafeBufferPointer(start: first.base, count: exchange.headBytes)
    guard phase == .exchanging, connection.isOpen, let webSocketKey,
      answers(webSocketKey, head)
    else {
      origin.close()
      target?.finished()
      return end(with: NGHTTP2_INTERNAL_ERROR)
    }
    let following = ByteBuffer(capacity: first.count - head.count)
    following.append(first.base + head.count, first.count - head.count)
    exchange.status = 200
    beginTunneling()
    bodyEnded = false
    submit { $0.append(single: head, status: "200", to: $1) }
    let tunnel = UpgradeTunnel(stream: self, origin: origin, target: target, timeout: timeout)
    origin.upgrade(to: tunnel)
    self.tunnel = tunnel
    tunnel.start(toViewer: following, toOrigin: UnsafeBufferPointer(start: nil, count: 0))
    stirLater()
    connection.scheduleFlush()
  }

  /// RFC 6455 §4.1: else it is not WebSocket that the origin speaks.
  private func answers(_ key: String, _ head: UnsafeBufferPointer<UInt8>) -> Bool {
    let response = services.responseHead
    guard
      case .complete = response.parse(
        head.baseAddress!, count: head.count, requestMethod: .get)
    else {
      return false
    }
    let name: StaticString = "sec-websocket-accept"
    let lowercased = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    guard let line = response.fields.firstIndex(ofName: lowercased, in: head.baseAddress!) else {
      return false
    }
    return response.fields.value(at: line, in: head.baseAddress!)
      .elementsEqual(webSocketAccept(for: key).utf8)
  }

  /// As a system call would: bytes of the request's data.
  func takeData(_ memory: UnsafeMutablePointer<UInt8>, _ room: Int) -> Transfer {
    guard let piece = nextBodyBytes() else { return isRequestEnded ? .moved(0) : .wouldBlock }
    let count = min(room, piece.count)
    memcpy(memory, piece.bytes, count)
    consumedBody(count, of: piece)
    return .moved(count)
  }

  /// As a system call would: takes as many bytes as there is room for.
  func giveData(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Transfer {
    guard phase == .tunneling, connection.isOpen else { return .failed(EPIPE) }
    if count == 0 { return .moved(0) }
    let text = bodyText()
    let part = min(count, Self.tunnelBytes - text.count)
    if part <= 0 { return .wouldBlock }
    text.append(bytes, part)
    chargeText(text.capacity)
    resume()
    return .moved(part)
  }

  /// Nothing follows what was given.
  func endData() {
    bodyEnded = true
    resume()
  }
}
