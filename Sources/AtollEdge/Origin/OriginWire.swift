// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// What carries the bytes of one connection to an origin, in the clear or over TLS, and what the
/// kernel has told of it.
struct OriginWire {
  private let descriptor: Int32
  private unowned(unsafe) let loop: EventLoop
  /// Nil in the clear, and before the connection stands.
  private var session: OriginTLSSession?
  var isReadable = false
  var isWritable = false
  /// The origin has closed its side: told once, perhaps together with the last bytes, so a short
  /// read is no reason to stop reading.
  private(set) var peerEnded = false

  init(descriptor: Int32, loop: EventLoop) {
    self.descriptor = descriptor
    self.loop = loop
  }

  mutating func note(_ events: UInt32) {
    if events & (Events.input | Events.peerEnded | Events.hungUp | Events.failed) != 0 {
      isReadable = true
    }
    if events & (Events.peerEnded | Events.hungUp | Events.failed) != 0 { peerEnded = true }
    if events & Events.output != 0 {
      isWritable = true
      if let tls, tls.isHeldBack { isReadable = true }
    }
  }

  // MARK: TLS

  var isSecure: Bool { session != nil }
  var isResumed: Bool { session?.isResumed ?? false }
  var tls: TLSSession? { session?.tls }

  /// Speaks TLS from here on; false without memory.
  mutating func secure(
    _ endpoint: OriginEndpoint, _ security: OriginSecurity, resuming previous: OpaquePointer?
  ) -> Bool {
    session = OriginTLSSession(
      endpoint, security: security, descriptor: descriptor, budget: loop.services.budget,
      resuming: previous)
    return session != nil
  }

  /// Of the loop, for TLS alone.
  private var scratch: UnsafeMutableRawPointer { loop.services.recordBuffer }

  /// Goes on with the handshake.
  func handshake() -> TLSSession.Progress {
    let tls = session!.tls
    let progress = tls.handshake(scratch: scratch)
    // No event will tell of the end again that came with the last bytes.
    return progress == .waiting && peerEnded ? tls.handshake(scratch: scratch) : progress
  }

  /// Why the handshake failed: the reason for viewers, and the whole for the edge's log.
  func failure() -> (reason: Reason, detail: String) {
    session!.failure()
  }

  /// What the origin's TLS said when it ended the connection; nil when that was not it.
  var alert: String? {
    guard let error = tls?.error, error != 0 else { return nil }
    return "it \(TLSClientContext.text(ofError: error))"
  }

  /// Anyone on the way can end a connection; only the origin can say by TLS that it meant to.
  var wasCutOff: Bool { tls?.wasCutOff ?? false }

  /// A session that the origin has given since the last call: a reference, for the caller.
  func takeSession() -> OpaquePointer? { session?.takeSession() }

  // MARK: Between responses

  /// Reads what TLS may say between responses, such as a session (RFC 8446 §4.6.1). False when there
  /// is more: the end, or what nobody asked for.
  mutating func isQuiet(_ tls: TLSSession) -> Bool {
    var byte: UInt8 = 0
    guard case .wouldBlock = tls.receive(&byte, 1) else { return false }
    isReadable = false
    return true
  }

  /// Whether the peer has closed, or sent what nobody asked for: then it is not to be used again.
  mutating func isStale() -> Bool {
    if let tls { return !isQuiet(tls) }
    var byte: UInt8 = 0
    let got = recv(
      descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
    return !(got < 0 && csystem_errno() == EAGAIN)
  }

  // MARK: Bytes

  func send(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Transfer {
    guard let tls else { return SystemCall.send(descriptor, bytes, count) }
    return tls.send(bytes, count, scratch: scratch)
  }

  func send(_ vectors: UnsafeMutablePointer<iovec>, _ count: Int) -> Transfer {
    guard let tls else { return SystemCall.send(descriptor, vectors, count) }
    return tls.send(vectors, count, scratch: scratch)
  }

  mutating func receive(_ memory: UnsafeMutablePointer<UInt8>, _ count: Int) -> Transfer {
    guard let tls else { return SystemCall.receive(descriptor, memory, count) }
    return tls.receive(memory, count, peerEnded: &peerEnded)
  }

  /// So many bytes came into a place with room for `room`.
  mutating func received(_ count: Int, of room: Int) {
    if count < room { isReadable = peerEnded }
  }

  /// Says by TLS that nothing more is sent, unless who has taken the connection over says so itself.
  mutating func end(quietly: Bool) {
    if let tls, !quietly { tls.endOutput() }
    session = nil
  }
}
