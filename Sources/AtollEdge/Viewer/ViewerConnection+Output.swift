// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// Getting responses out: whole ones from memory in one system call, others as their bodies come.
extension ViewerConnection {
  func queue(_ text: StaticString) { pendingBuffer().append(text) }

  func pendingBuffer() -> ByteBuffer {
    if let pending { return pending }
    let buffer = ByteBuffer(capacity: 512)
    pending = buffer
    return buffer
  }

  /// A whole response from memory: head, per-request tail and `count` bytes of `entry`'s body from
  /// `position`. The hot path: one system call when the kernel takes it all.
  /// - Returns: whether the entry was kept for the rest.
  @inline(__always)
  func sendWhole(
    head: UnsafeBufferPointer<UInt8>, tail: ByteBuffer, entry: Entry?, position: Int, count: Int,
    closes: Bool
  ) -> Bool {
    closesAfter = closes
    if hasOutput {
      pendingBuffer().append(head)
      pendingBuffer().append(tail.bytes)
    } else {
      let body = count > 0 ? entry!.body + position : nil
      let headCount = head.count
      let tailCount = tail.count
      let total = headCount + tailCount + count
      let outcome = withUnsafeTemporaryAllocation(of: iovec.self, capacity: 3) { vectors in
        vectors[0] = iovec(
          iov_base: UnsafeMutableRawPointer(mutating: head.baseAddress), iov_len: headCount)
        vectors[1] = iovec(iov_base: tail.base, iov_len: tailCount)
        vectors[2] = iovec(iov_base: UnsafeMutableRawPointer(mutating: body), iov_len: count)
        return send(vectors.baseAddress!, count > 0 ? 3 : 2)
      }
      var sent = 0
      switch outcome {
      case .moved(let moved):
        sent = moved
        exchange.bytesDown &+= moved
      case .wouldBlock: break
      case .failed:
        close()
        return false
      }
      if sent == total {
        responseSent()
        return false
      }
      isWritable = false
      if sent < headCount {
        pendingBuffer().append(head.baseAddress! + sent, headCount - sent)
        pendingBuffer().append(tail.bytes)
        sent = 0
      } else if sent < headCount + tailCount {
        let part = sent - headCount
        pendingBuffer().append(tail.base + part, tailCount - part)
        sent = 0
      } else {
        sent -= headCount + tailCount
      }
      let isKept = keep(entry, position: position + sent, count: count - sent)
      setDeadline(after: services.bodyTimeout)
      return isKept
    }
    let isKept = keep(entry, position: position, count: count)
    flush()
    return isKept
  }

  /// The head of a response whose body the exchange's fetch brings.
  func beginSending(
    head: UnsafeBufferPointer<UInt8>, tail: ByteBuffer, hasBody: Bool, chunked: Bool,
    endsByClose: Bool, closes: Bool
  ) {
    pendingBuffer().append(head)
    pendingBuffer().append(tail.bytes)
    source = hasBody ? .fetch : .none
    bodyEnded = !hasBody
    isChunked = chunked
    self.endsByClose = endsByClose
    closesAfter = closes || endsByClose
    bodyPosition = 0
    pieceRemaining = 0
    chunkIsOpen = false
    flush()
  }

  /// Sends until everything is out, the kernel takes no more, or the body has to come first.
  func flush() {
    while phase != .closed {
      if pieceRemaining == 0 && !bodyEnded && !nextPiece() { return }
      let pendingCount = (pending?.count ?? 0) - pendingStart
      if pendingCount == 0 && pieceRemaining == 0 {
        if bodyEnded {
          if phase == .exchanging && exchange.hasResponded { responseSent() }
        } else if !(upload?.awaitsViewer ?? false) {
          // The origin has to send more.
          awaitOrigin()
        }
        return
      }
      if !isWritable { return }
      if !sendSome(pendingCount) { return }
    }
  }

  /// Looks for the body's next piece. False when the connection has gone.
  func nextPiece() -> Bool {
    if let parts = exchange.parts { return nextPart(parts) }
    guard let fetch = exchange.fetch else {
      bodyEnded = true
      return true
    }
    let view = fetch.view
    let available = view.available - bodyPosition
    if available > 0 {
      if isChunked {
        pendingBuffer().appendChunkLine(available)
        chunkIsOpen = true
      }
      pieceRemaining = available
      return true
    }
    switch view.phase {
    case .complete:
      if isChunked { queueLastChunk() }
      exchange.bodyCompleted(view.refusal)
      bodyEnded = true
    case .aborted, .failed:
      breakOff(view.failure)
      return false
    case .waiting, .streaming, .replaced:
      break
    }
    return true
  }

  private func queueLastChunk() {
    queue("0\r\n")
    if let trailers = exchange.trailers { pendingBuffer().append(trailers.bytes) }
    queue("\r\n")
  }

  /// One system call. False when the kernel takes no more now, or the connection has gone.
  func sendSome(_ pendingCount: Int) -> Bool {
    var body: UnsafePointer<UInt8>?
    var bodyCount = 0
    var held: Entry?
    if pieceRemaining > 0 {
      switch source {
      case .entry:
        body = bodyEntry!.body + bodyPosition
        bodyCount = pieceRemaining
      case .fetch:
        let piece = exchange.fetch!.body(from: bodyPosition)
        body = piece.bytes
        bodyCount = min(piece.count, pieceRemaining)
        held = piece.entry
      case .none:
        break
      }
    }
    defer { held?.release() }
    let outcome = withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { vectors in
      var used = 0
      if pendingCount > 0 {
        vectors[used] = iovec(iov_base: pending!.base + pendingStart, iov_len: pendingCount)
        used += 1
      }
      if bodyCount > 0 {
        vectors[used] = iovec(iov_base: UnsafeMutableRawPointer(mutating: body), iov_len: bodyCount)
        used += 1
      }
      return send(vectors.baseAddress!, used)
    }
    switch outcome {
    case .failed:
      close()
      return false
    case .wouldBlock:
      isWritable = false
      setDeadline(after: services.bodyTimeout)
      return false
    case .moved(let count):
      advance(count, pendingCount)
      setDeadline(after: services.bodyTimeout)
      if count < pendingCount + bodyCount {
        isWritable = false
        return false
      }
      return true
    }
  }

  func advance(_ sent: Int, _ pendingCount: Int) {
    exchange.bytesDown += sent
    let ofPending = min(sent, pendingCount)
    if ofPending > 0 {
      pendingStart += ofPending
      if pendingStart == pending!.count {
        pending!.removeAll()
        pendingStart = 0
      }
    }
    let ofBody = sent - ofPending
    if ofBody == 0 { return }
    bodyPosition += ofBody
    pieceRemaining -= ofBody
    if source == .fetch { exchange.fetch?.consumed(exchange, upTo: bodyPosition) }
    if pieceRemaining == 0 && chunkIsOpen {
      chunkIsOpen = false
      queue("\r\n")
    }
  }
}
