// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc

/// One question to one server: over UDP, over TCP where the answer does not fit a datagram.
///
/// Each has a number and a port of its own at random (RFC 5452 §9), and a socket that takes
/// datagrams from the server alone; what answers another question is passed over.
struct DNSExchange {
  let server: DNSServer
  let question: DNSMessage.Question
  let wantsRecursion: Bool
  /// Seconds for each of the two ways.
  let timeout: Double

  func run() throws(DNSError) -> DNSMessage {
    var answer = try overUDP(announcesSize: true)
    // FORMERR or NOTIMP: an old server, to which the announcement is an error (RFC 6891 §7).
    if answer.responseCode == 1 || answer.responseCode == 4 {
      answer = try overUDP(announcesSize: false)
    }
    return answer.isTruncated ? try overTCP() : answer
  }

  private func makeQuery() -> DNSMessage {
    var query = DNSMessage(
      id: UInt16.random(in: .min ... .max), isResponse: false, question: question)
    query.wantsRecursion = wantsRecursion
    return query
  }

  /// Whether a message answers the query. Some servers leave the question out of an error.
  private func isAnswer(_ message: DNSMessage, to query: DNSMessage) -> Bool {
    message.isResponse && message.id == query.id && message.operation == 0
      && (message.question == query.question
        || message.question == nil && message.responseCode != 0)
  }

  private func overUDP(announcesSize: Bool) throws(DNSError) -> DNSMessage {
    let socket = try Connection(server, SOCK_DGRAM)
    let deadline = ContinuousClock.now + .seconds(timeout)
    let query = makeQuery()
    try socket.send(query.query(announcesSize: announcesSize), by: deadline)
    var room = [UInt8](repeating: 0, count: 65_535)
    while true {
      let count = try socket.receive(into: &room, from: 0, by: deadline)
      // What can't be read may be anyone's: the answer may still come.
      if let message = try? DNSMessage(Array(room[..<count])), isAnswer(message, to: query) {
        return message
      }
      // One that sends such things without end must not be waited for any longer than a silent one.
      if ContinuousClock.now >= deadline { throw .noAnswer([server]) }
    }
  }

  /// RFC 7766: each message behind its length.
  private func overTCP() throws(DNSError) -> DNSMessage {
    let socket = try Connection(server, SOCK_STREAM)
    let deadline = ContinuousClock.now + .seconds(timeout)
    let query = makeQuery()
    let bytes = query.query(announcesSize: true)
    try socket.send([UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes, by: deadline)
    var prefix: [UInt8] = [0, 0]
    try socket.fill(&prefix, by: deadline)
    var answer = [UInt8](repeating: 0, count: Int(prefix[0]) << 8 | Int(prefix[1]))
    try socket.fill(&answer, by: deadline)
    guard let message = try? DNSMessage(answer), isAnswer(message, to: query),
      !message.isTruncated
    else { throw .malformed(server) }
    return message
  }

  /// A socket that hears from the server alone; every wait ends.
  private struct Connection: ~Copyable {
    let descriptor: Int32
    let server: DNSServer

    deinit { close(descriptor) }

    init(_ server: DNSServer, _ type: __socket_type) throws(DNSError) {
      self.server = server
      let flags = type.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
      let place = server.place
      descriptor = socket(place?.family ?? AF_INET, Int32(flags), 0)
      if descriptor < 0 { throw .unreachable(server, reason: csystem_errno()) }
      guard let place else { throw .unreachable(server, reason: EAFNOSUPPORT) }
      let handle = descriptor
      if place.withUnsafeAddress({ connect(handle, $0, $1) }) != 0, csystem_errno() != EINPROGRESS {
        throw .unreachable(server, reason: csystem_errno())
      }
    }

    borrowing func send(_ bytes: [UInt8], by deadline: ContinuousClock.Instant) throws(DNSError) {
      var sent = 0
      while sent < bytes.count {
        let count = bytes.withUnsafeBytes {
          Glibc.send(
            descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
        }
        if count >= 0 {
          sent += count
        } else {
          try goOn(csystem_errno(), POLLOUT, by: deadline)
        }
      }
    }

    /// Bytes that arrived, of UDP a datagram; 0 at the end of a stream.
    borrowing func receive(
      into room: inout [UInt8], from start: Int, by deadline: ContinuousClock.Instant
    ) throws(DNSError) -> Int {
      while true {
        let space = room.count - start
        let count = room.withUnsafeMutableBytes {
          recv(descriptor, $0.baseAddress! + start, space, 0)
        }
        if count >= 0 { return count }
        try goOn(csystem_errno(), POLLIN, by: deadline)
      }
    }

    borrowing func fill(_ room: inout [UInt8], by deadline: ContinuousClock.Instant)
      throws(DNSError)
    {
      var got = 0
      while got < room.count {
        let count = try receive(into: &room, from: got, by: deadline)
        if count == 0 { throw .malformed(server) }
        got += count
      }
    }

    /// Waits where the call would have to.
    private borrowing func goOn(
      _ reason: Int32, _ events: Int32, by deadline: ContinuousClock.Instant
    ) throws(DNSError) {
      switch reason {
      case EINTR: return
      case EAGAIN, EINPROGRESS, ENOTCONN:
        var event = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        while true {
          let left = ContinuousClock.now.duration(to: deadline) / .milliseconds(1)
          if left <= 0 { throw .noAnswer([server]) }
          let ready = poll(&event, 1, Int32(left.rounded(.up)))
          if ready > 0 { return }
        }
      default: throw .unreachable(server, reason: reason)
      }
    }
  }
}
