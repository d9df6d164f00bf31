// SPDX-License-Identifier: Apache-2.0
import CSystem
import CTLS
import Glibc

/// A connected stream socket, with or without TLS, of which every wait ends by a deadline.
struct ClientSocket: ~Copyable {
  private let descriptor: Int32
  /// What it is connected to, for messages.
  let peer: String
  private var tls: ClientTLS?

  deinit { close(descriptor) }

  /// Connects to the first of the addresses that answers; each gets an equal share of the time left.
  static func connect(
    to places: [SocketAddress], by deadline: Deadline
  ) throws(ClientError) -> ClientSocket {
    var failure: ClientError?
    for (index, place) in places.enumerated() {
      let left = Double(deadline.millisecondsLeft) / 1000
      let share = Deadline(seconds: left / Double(places.count - index))
      do {
        return try open(place, by: share)
      } catch {
        failure = failure ?? error
      }
    }
    throw failure ?? ClientError(.connect, "no address to connect to")
  }

  private init(descriptor: Int32, peer: String) {
    self.descriptor = descriptor
    self.peer = peer
  }

  private static func open(
    _ place: SocketAddress, by deadline: Deadline
  ) throws(ClientError) -> ClientSocket {
    let peer = place.description
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let descriptor = socket(place.family, type, 0)
    guard descriptor >= 0 else { throw connectFailure(peer, csystem_errno()) }
    let opened = ClientSocket(descriptor: descriptor, peer: peer)
    let result = place.withUnsafeAddress { Glibc.connect(descriptor, $0, $1) }
    if result == 0 { return opened }
    let reason = csystem_errno()
    // A full backlog of a Unix socket says EAGAIN, and there is nothing to poll for.
    guard reason == EINPROGRESS else { throw connectFailure(peer, reason) }
    guard wait(descriptor, for: POLLOUT, until: deadline) else {
      throw ClientError(
        .timeout(connecting: true), "connecting to \(peer) took too long",
        hint: "check the address and the firewall, or allow more time")
    }
    var error: Int32 = 0
    var length = socklen_t(MemoryLayout.size(ofValue: error))
    getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length)
    if error != 0 { throw connectFailure(peer, error) }
    return opened
  }

  // MARK: TLS

  /// Does the handshake of TLS, as a client that expects a certificate for `host`.
  mutating func secure(
    _ context: TLSClientContext, host: String, by deadline: Deadline
  ) throws(ClientError) {
    let tls = ClientTLS(context, host: host, descriptor: descriptor)
    while true {
      ERR_clear_error()
      tls.wire.pointee.drained = false
      switch tls.step(SSL_do_handshake(tls.ssl), moved: 0) {
      case .moved:
        self.tls = tls
        return
      case .wantsInput: try hold(POLLIN, connecting: true, deadline)
      case .wantsOutput: try hold(POLLOUT, connecting: true, deadline)
      case .ended, .failed: throw tls.failure(peer: peer)
      }
    }
  }

  private borrowing func hold(
    _ events: Int32, connecting: Bool, _ deadline: Deadline
  ) throws(ClientError) {
    if Self.wait(descriptor, for: events, until: deadline) { return }
    throw ClientError(
      .timeout(connecting: connecting),
      connecting
        ? "the TLS handshake with \(peer) took too long"
        : "\(peer) did not take the request in time",
      hint: "allow more time")
  }

  /// Nil in the clear.
  var tlsFacts: ClientTLSFacts? { tls?.facts }

  // MARK: Bytes

  borrowing func send(_ bytes: [UInt8], by deadline: Deadline) throws(ClientError) {
    var sent = 0
    while sent < bytes.count {
      switch push(bytes, from: sent) {
      case .moved(let count): sent += count
      case .wantsInput: try hold(POLLIN, connecting: false, deadline)
      case .wantsOutput: try hold(POLLOUT, connecting: false, deadline)
      // The answer may be on its way before the request was read: let reading tell.
      case .ended, .failed: return
      }
    }
  }

  private borrowing func push(_ bytes: [UInt8], from start: Int) -> ClientTLS.Step {
    bytes.withUnsafeBytes { bytes in
      let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
      if let tls {
        var moved = 0
        ERR_clear_error()
        return tls.step(SSL_write_ex(tls.ssl, rest.baseAddress, rest.count, &moved), moved: moved)
      }
      while true {
        let count = Glibc.send(descriptor, rest.baseAddress!, rest.count, Int32(MSG_NOSIGNAL))
        if count >= 0 { return .moved(count) }
        let reason = csystem_errno()
        if reason == EINTR { continue }
        return reason == EAGAIN ? .wantsOutput : .failed
      }
    }
  }

  enum Received: Equatable {
    case bytes(Int)
    case end
    case timeout
    /// The peer broke the connection off, or anyone did between.
    case reset
  }

  /// Fills the buffer from `start` on.
  borrowing func receive(into buffer: inout [UInt8], from start: Int = 0, by deadline: Deadline)
    throws(ClientError) -> Received
  {
    while true {
      switch pull(into: &buffer, from: start) {
      case .moved(let count): return .bytes(count)
      case .wantsInput:
        if !Self.wait(descriptor, for: POLLIN, until: deadline) { return .timeout }
      case .wantsOutput:
        if !Self.wait(descriptor, for: POLLOUT, until: deadline) { return .timeout }
      case .ended:
        ERR_clear_error()
        return tls?.wasCutOff ?? false ? .reset : .end
      case .failed:
        guard let tls, tls.wire.pointee.error == 0 else {
          ERR_clear_error()
          return .reset
        }
        throw ClientError(.tls, "\(peer) \(TLSClientContext.takeError())")
      }
    }
  }

  private borrowing func pull(into buffer: inout [UInt8], from start: Int) -> ClientTLS.Step {
    buffer.withUnsafeMutableBytes { buffer in
      let room = UnsafeMutableRawBufferPointer(rebasing: buffer[start...])
      if let tls {
        var moved = 0
        ERR_clear_error()
        tls.wire.pointee.drained = false
        return tls.step(SSL_read_ex(tls.ssl, room.baseAddress, room.count, &moved), moved: moved)
      }
      while true {
        let count = recv(descriptor, room.baseAddress!, room.count, 0)
        if count > 0 { return .moved(count) }
        if count == 0 { return .ended }
        let reason = csystem_errno()
        if reason == EINTR { continue }
        return reason == EAGAIN ? .wantsInput : .failed
      }
    }
  }

  /// False when the deadline passed first.
  private static func wait(_ descriptor: Int32, for events: Int32, until deadline: Deadline) -> Bool
  {
    var event = pollfd(fd: descriptor, events: Int16(events), revents: 0)
    while true {
      let left = deadline.millisecondsLeft
      if left == 0 { return false }
      if poll(&event, 1, left) > 0 { return true }
    }
  }

  private static func connectFailure(_ peer: String, _ reason: Int32) -> ClientError {
    switch reason {
    case ECONNREFUSED:
      ClientError(.connect, "\(peer) refused the connection", hint: "is a server running there?")
    case ENOENT:
      ClientError(.connect, "\(peer) does not exist", hint: "is a server running there?")
    case EACCES, EPERM: ClientError(.connect, "no permission to connect to \(peer)")
    case ENETUNREACH, EHOSTUNREACH: ClientError(.connect, "no route to \(peer)")
    case ETIMEDOUT: ClientError(.connect, "\(peer) did not answer")
    default: ClientError(.connect, "connecting to \(peer) failed: \(errorText(reason))")
    }
  }
}
