// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import CSystem
import Glibc

/// A connected stream socket of which every wait ends by a deadline.
struct ProbeSocket: ~Copyable {
  private let descriptor: Int32
  /// What it is connected to, for messages.
  let peer: String

  deinit { close(descriptor) }

  /// Connects to the first of the addresses that answers; each gets an equal share of the time left.
  static func connect(
    to places: [SocketAddress], by deadline: Deadline
  ) throws(ProbeError) -> ProbeSocket {
    var failure: ProbeError?
    for (index, place) in places.enumerated() {
      let left = Double(deadline.millisecondsLeft) / 1000
      let share = Deadline(seconds: left / Double(places.count - index))
      do {
        return try open(place, by: share)
      } catch {
        failure = failure ?? error
      }
    }
    throw failure ?? .unreachable("no address to connect to")
  }

  private init(descriptor: Int32, peer: String) {
    self.descriptor = descriptor
    self.peer = peer
  }

  private static func open(
    _ place: SocketAddress, by deadline: Deadline
  ) throws(ProbeError) -> ProbeSocket {
    let peer = place.description
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let descriptor = socket(place.family, type, 0)
    guard descriptor >= 0 else { throw connectFailure(peer, csystem_errno()) }
    let opened = ProbeSocket(descriptor: descriptor, peer: peer)
    let result = place.withUnsafeAddress { Glibc.connect(descriptor, $0, $1) }
    if result == 0 { return opened }
    let reason = csystem_errno()
    // A full backlog of a Unix socket says EAGAIN, and there is nothing to poll for.
    guard reason == EINPROGRESS else { throw connectFailure(peer, reason) }
    guard wait(descriptor, for: POLLOUT, until: deadline) else {
      throw .unreachable(
        "connecting to \(peer) took too long",
        hint: "check the address and the firewall, or give --connect-timeout more")
    }
    var error: Int32 = 0
    var length = socklen_t(MemoryLayout.size(ofValue: error))
    getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length)
    if error != 0 { throw connectFailure(peer, error) }
    return opened
  }

  borrowing func send(_ bytes: [UInt8], by deadline: Deadline) throws(ProbeError) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count > 0 {
        sent += count
        continue
      }
      let reason = csystem_errno()
      switch reason {
      case EINTR: continue
      case EAGAIN:
        if !Self.wait(descriptor, for: POLLOUT, until: deadline) {
          throw .unreachable("\(peer) did not take the request in time")
        }
      // The answer may be on its way before the request was read: let reading tell.
      case EPIPE, ECONNRESET: return
      default: throw .unreachable("sending to \(peer) failed: \(errorText(reason))")
      }
    }
  }

  enum Received: Equatable {
    case bytes(Int)
    case end
    case timeout
    /// The peer broke the connection off.
    case reset
  }

  /// Fills the front of `buffer`.
  borrowing func receive(into buffer: inout [UInt8], from start: Int = 0, by deadline: Deadline)
    throws(ProbeError) -> Received
  {
    while true {
      let room = buffer.count - start
      let count = buffer.withUnsafeMutableBytes {
        recv(descriptor, $0.baseAddress! + start, room, 0)
      }
      if count > 0 { return .bytes(count) }
      if count == 0 { return .end }
      let reason = csystem_errno()
      switch reason {
      case EINTR: continue
      case EAGAIN:
        if !Self.wait(descriptor, for: POLLIN, until: deadline) { return .timeout }
      case ECONNRESET, EPIPE: return .reset
      default: throw .unreachable("reading from \(peer) failed: \(errorText(reason))")
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

  private static func connectFailure(_ peer: String, _ reason: Int32) -> ProbeError {
    switch reason {
    case ECONNREFUSED:
      .unreachable("\(peer) refused the connection", hint: "is a server running there?")
    case ENOENT: .unreachable("\(peer) does not exist", hint: "is a server running there?")
    case EACCES, EPERM: .unreachable("no permission to connect to \(peer)")
    case ENETUNREACH, EHOSTUNREACH: .unreachable("no route to \(peer)")
    case ETIMEDOUT: .unreachable("\(peer) did not answer")
    default: .unreachable("connecting to \(peer) failed: \(errorText(reason))")
    }
  }
}
