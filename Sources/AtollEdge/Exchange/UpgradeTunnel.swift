// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc

/// A viewer and an origin that speak another protocol by now (RFC 9110 §7.8): bytes pass in both
/// directions as fast as the slower end takes them, until both have ended.
///
/// ```
///  open ──one end has sent its last──▶ half-closed ──the other too──▶ ended
///    └── an error, silence, or the grace of a drain is over ──────────▶ ended
/// ```
/// Each direction holds one receive's worth of bytes at most, and reads on when they are out; a
/// silent connection holds none.
final class UpgradeTunnel {
  enum Place { case viewer, origin }

  /// What bytes come from and go to.
  private enum Wire {
    /// With a session when it is not in the clear.
    case socket(Int32, TLSSession?)
    case stream(HTTP2Stream)
  }

  private struct End {
    let wire: Wire
    var isReadable = true
    var isWritable = true
    /// The kernel said that the peer has shut down its side: a short read is no reason to stop.
    var peerEnded: Bool
    /// Its last byte has been read.
    var inputEnded = false
    /// The other end's last byte has been sent to it.
    var outputEnded = false
    /// Bytes for it that its kernel did not take.
    var pending: ByteBuffer?
    var pendingStart = 0

    mutating func receive(_ memory: UnsafeMutablePointer<UInt8>, _ count: Int) -> Transfer {
      switch wire {
      case .socket(let descriptor, let tls):
        guard let tls else { return SystemCall.receive(descriptor, memory, count) }
        return tls.receive(memory, count, peerEnded: &peerEnded)
      case .stream(let stream): return stream.takeData(memory, count)
      }
    }

    func send(
      _ bytes: UnsafePointer<UInt8>, _ count: Int, scratch: UnsafeMutableRawPointer
    ) -> Transfer {
      switch wire {
      case .socket(let descriptor, let tls):
        tls?.send(bytes, count, scratch: scratch) ?? SystemCall.send(descriptor, bytes, count)
      case .stream(let stream): stream.giveData(bytes, count)
      }
    }

    func endOutput() {
      switch wire {
      case .socket(let descriptor, let tls):
        tls?.endOutput()
        shutdown(descriptor, Int32(SHUT_WR))
      case .stream(let stream): stream.endData()
      }
    }
  }

  private enum Pause {
    /// For an event.
    case waiting
    /// For other channels' sake: there is more to do.
    case yielding
    case broken
  }

  /// Receives of one direction in a row.
  private static let receivesPerTurn = 8

  private unowned(unsafe) let viewer: Viewer
  private let origin: OriginConnection
  /// Counts the connection as the target's.
  private let target: TargetUse?
  private let services: LoopServices
  /// Milliseconds without a byte in either direction.
  private let timeout: Int
  private var viewerEnd: End
  private var originEnd: End
  private var isDraining = false
  private var isEnded = false

  /// - Parameter timeout: seconds of silence.
  convenience init(
    viewer: ViewerConnection, origin: OriginConnection, target: TargetUse?, timeout: Int
  ) {
    self.init(
      viewer,
      End(wire: .socket(viewer.descriptor, viewer.tls), peerEnded: viewer.peerEnded),
      origin: origin, target: target, timeout: timeout)
  }

  /// A viewer whose tunnel is one of several things on its connection (RFC 8441).
  convenience init(
    stream: HTTP2Stream, origin: OriginConnection, target: TargetUse?, timeout: Int
  ) {
    self.init(
      stream, End(wire: .stream(stream), peerEnded: stream.isRequestEnded), origin: origin,
      target: target, timeout: timeout)
  }

  private init(
    _ viewer: Viewer, _ viewerEnd: End, origin: OriginConnection, target: TargetUse?, timeout: Int
  ) {
    self.viewer = viewer
    self.origin = origin
    self.target = target
    services = viewer.services
    self.timeout = timeout * 1000
    self.viewerEnd = viewerEnd
    originEnd = End(wire: .socket(origin.descriptor, origin.tls), peerEnded: origin.peerEnded)
  }

  /// - Parameters:
  ///   - toViewer: the 101 and what came behind it.
  ///   - toOrigin: what the viewer has sent behind its request.
  func start(toViewer: ByteBuffer, toOrigin: UnsafeBufferPointer<UInt8>) {
    viewer.setDeadline(after: timeout)
    hold(toViewer, for: &viewerEnd)
    if !toOrigin.isEmpty {
      let bytes = ByteBuffer(capacity: toOrigin.count)
      bytes.append(toOrigin)
      hold(bytes, for: &originEnd)
    }
    pump()
  }

  private func hold(_ bytes: ByteBuffer, for end: inout End) {
    services.budget.charge(bytes.count)
    end.pending = bytes
    end.pendingStart = 0
  }

  func ready(_ place: Place, _ events: UInt32) {
    switch place {
    case .viewer: Self.note(events, &viewerEnd)
    case .origin: Self.note(events, &originEnd)
    }
    pump()
  }

  private static func note(_ events: UInt32, _ end: inout End) {
    let ending = Events.peerEnded | Events.hungUp | Events.failed
    if events & (Events.input | ending) != 0 { end.isReadable = true }
    if events & ending != 0 { end.peerEnded = true }
    if events & (Events.output | Events.failed) != 0 { end.isWritable = true }
  }

  private func pump() {
    if isEnded { return }
    let up = move(from: &viewerEnd, to: &originEnd)
    viewer.exchange.bytesUp += up.count
    let down = move(from: &originEnd, to: &viewerEnd)
    viewer.exchange.bytesDown += down.count
    if up.pause == .broken || down.pause == .broken {
      // What the other end misses must not look like an orderly end.
      viewer.resetOnClose()
      return viewer.close()
    }
    if viewerEnd.outputEnded && originEnd.outputEnded { return viewer.close() }
    if !isDraining && up.count + down.count > 0 { viewer.setDeadline(after: timeout) }
    if up.pause == .yielding || down.pause == .yielding {
      services.loop.afterwards { [self] in pump() }
    }
  }

  /// - Returns: the bytes that the receiving end's kernel has taken.
  private func move(from source: inout End, to sink: inout End) -> (count: Int, pause: Pause) {
    let scratch = services.scratch
    var count = 0
    var receives = 0
    while true {
      if let pending = sink.pending {
        guard sink.isWritable else { return (count, .waiting) }
        let left = pending.count - sink.pendingStart
        switch sink.send(
          pending.base + sink.pendingStart, left, scratch: services.recordBuffer)
        {
        case .moved(let sent):
          count += sent
          sink.pendingStart += sent
          if sent < left {
            sink.isWritable = false
          } else {
            services.budget.release(pending.count)
            sink.pending = nil
          }
          continue
        case .wouldBlock:
          sink.isWritable = false
          return (count, .waiting)
        case .failed: return (count, .broken)
        }
      }
      if source.inputEnded {
        if !sink.outputEnded { sink.endOutput() }
        sink.outputEnded = true
        return (count, .waiting)
      }
      guard source.isReadable else { return (count, .waiting) }
      if receives == Self.receivesPerTurn { return (count, .yielding) }
      receives += 1
      switch source.receive(scratch, services.scratchSize) {
      case .moved(0): source.inputEnded = true
      case .moved(let received):
        if received < services.scratchSize { source.isReadable = source.peerEnded }
        switch sink.send(scratch, received, scratch: services.recordBuffer) {
        case .moved(let sent):
          count += sent
          if sent < received { keep(scratch + sent, received - sent, for: &sink) }
        case .wouldBlock: keep(scratch, received, for: &sink)
        case .failed: return (count, .broken)
        }
      case .wouldBlock:
        source.isReadable = false
        return (count, .waiting)
      case .failed: return (count, .broken)
      }
    }
  }

  private func keep(_ bytes: UnsafePointer<UInt8>, _ count: Int, for sink: inout End) {
    let rest = ByteBuffer(capacity: count)
    rest.append(bytes, count)
    hold(rest, for: &sink)
    sink.isWritable = false
  }

  /// The edge ends: who speaks on has a little time left.
  func drain() {
    if isDraining { return }
    isDraining = true
    viewer.setDeadline(after: Limits.upgradeGrace * 1000)
  }

  /// The viewer's connection is closing, whatever the reason.
  func ended() {
    if isEnded { return }
    isEnded = true
    for pending in [viewerEnd.pending, originEnd.pending] {
      if let pending { services.budget.release(pending.count) }
    }
    viewerEnd.pending = nil
    originEnd.pending = nil
    origin.close()
    target?.finished()
  }
}
