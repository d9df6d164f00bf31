// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CHTTP2
import Glibc

/// Getting frames out: what is to be sent is gathered for a whole turn and sent at once.
extension HTTP2Connection {
  /// Batches of output in one turn.
  private static let batchesPerTurn = 16

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
    defer { isInSession = false }
    if heads != nil { putHeads() }
    // What has ended with its head has ended for the session too before the viewer can know.
    while http2.outputCount < Limits.outputBatch || unheardHeads > 0 {
      var bytes: UnsafePointer<UInt8>?
      let count = nghttp2_session_mem_send(session, &bytes)
      if heads != nil { putHeads() }
      guard count > 0, let bytes else {
        if count < 0 { failed() }
        if isOutputFull { return false }
        unheardHeads = 0
        return true
      }
      switch nghttp2_frame_type(rawValue: UInt32(bytes[3])) {
      case NGHTTP2_HEADERS:
        // It only told the session what has been written.
        continue
      case NGHTTP2_SETTINGS where bytes[4] & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0:
        acknowledged()
      default:
        break
      }
      http2.makeRoom(count)
      memcpy(http2.output + http2.outputCount, bytes, count)
      http2.outputCount &+= count
    }
    return false
  }

  @inline(__always)
  private func putHeads() {
    guard let heads = heads?.takeUnretainedValue() else { return }
    http2.makeRoom(heads.count)
    memcpy(http2.output + http2.outputCount, heads.base, heads.count)
    http2.outputCount &+= heads.count
    dropHeads()
  }

  func dropHeads() {
    guard let heads else { return }
    self.heads = nil
    http2.recycle(heads.takeRetainedValue())
    if headsCharge > 0 {
      services.budget.release(headsCharge)
      headsCharge = 0
    }
  }

  /// A frame with data: its header and bytes go straight into the output.
  /// - Returns: nil when there is no room now.
  @inline(__always)
  func makeRoom(_ count: Int) -> UnsafeMutablePointer<UInt8>? {
    if heads != nil { putHeads() }
    let http2 = self.http2
    if http2.outputCount > 0 && http2.outputCount &+ count > Limits.outputBatch && unheardHeads == 0
    {
      isOutputFull = true
      return nil
    }
    http2.makeRoom(count)
    let place = http2.output + http2.outputCount
    http2.outputCount &+= count
    return place
  }

  func failed() { loop.afterwards { [self] in close() } }

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
}
