// SPDX-License-Identifier: Apache-2.0
import CSystem
import CTLS
import Glibc

enum WireError: Error, Equatable {
  case timedOut
  /// The peer closed where more was expected.
  case closed
  case reset
  case malformed(String)
  case system(Int32)
}

/// One TCP or Unix connection of a test. It blocks, and every call ends by a deadline.
///
/// Used by one thread at a time, except `shutDown`, which wakes that thread.
final class Wire: @unchecked Sendable {
  let descriptor: Int32
  /// Guards the descriptor's number: once closed, it may belong to another test.
  private let isClosed = Shared(false)
  private(set) var bytesReceived = 0
  private(set) var bytesSent = 0
  var patience = 10.0

  /// Takes over a connected descriptor.
  init(descriptor: Int32) {
    self.descriptor = descriptor
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    var one: Int32 = 1
    setsockopt(
      descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Connects to a port of 127.0.0.1.
  ///
  /// Like every socket of a test it is not inherited: a process that another test starts would keep
  /// it open after its test has closed it.
  /// - Parameter receiveBuffer: bytes the kernel may hold for a reader that is slow.
  convenience init(port: UInt16, receiveBuffer: Int32? = nil) throws {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw WireError.system(errno) }
    if var size = receiveBuffer {
      setsockopt(
        descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }
    let connected = withLoopback(port: port) { connect(descriptor, $0, $1) }
    guard connected == 0 else {
      let error = errno
      Glibc.close(descriptor)
      throw WireError.system(error)
    }
    self.init(descriptor: descriptor)
  }

  deinit {
    close()
    memory.deallocate()
  }

  // MARK: TLS

  private(set) var tls: ClientTLSSession?

  /// Speaks TLS from here on.
  func secure(_ settings: ClientTLS) throws {
    let tls = ClientTLSSession(settings, descriptor: descriptor)
    try untilDone(tls) { SSL_do_handshake(tls.ssl) }
    self.tls = tls
  }

  /// Repeats a call of OpenSSL until it is done or the peer has said that it sends no more.
  private func untilDone(_ tls: ClientTLSSession, _ call: () -> Int32) throws {
    while true {
      ERR_clear_error()
      let result = call()
      if result == 1 { return }
      switch SSL_get_error(tls.ssl, result) {
      case SSL_ERROR_WANT_READ: try wait(forEvents: Int16(POLLIN))
      case SSL_ERROR_WANT_WRITE: try wait(forEvents: Int16(POLLOUT))
      case SSL_ERROR_ZERO_RETURN: return
      case SSL_ERROR_SYSCALL where ERR_peek_error() == 0: throw WireError.reset
      default: throw tls.error()
      }
    }
  }

  // MARK: Sending

  func send(_ text: String) throws { try send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      sent += try sendSome(bytes, from: sent)
    }
  }

  /// Sends what the peer and the kernel take before `patience` is over.
  func sendSome(_ bytes: [UInt8], from offset: Int = 0) throws -> Int {
    if let tls {
      var sent = 0
      try untilDone(tls) {
        SSL_write_ex(tls.ssl, Array(bytes[offset...]), bytes.count - offset, &sent)
      }
      bytesSent += sent
      return sent
    }
    while true {
      let sent = bytes.withUnsafeBytes {
        Glibc.send(
          descriptor, $0.baseAddress! + offset, bytes.count - offset, Int32(MSG_NOSIGNAL))
      }
      if sent >= 0 {
        bytesSent += sent
        return sent
      }
      switch errno {
      case EAGAIN: try wait(forEvents: Int16(POLLOUT))
      case EINTR: continue
      case EPIPE, ECONNRESET: throw WireError.reset
      default: throw WireError.system(errno)
      }
    }
  }

  // MARK: Receiving

  // Raw memory: arrays cost a debug build more than the edge under test.
  private let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: Wire.capacity)
  private var start = 0
  private var end = 0
  private static let capacity = 65_536

  /// Bytes that have arrived and were not consumed.
  var pendingCount: Int { end - start }

  /// Waits for more bytes; false at the peer's end of stream.
  func receive() throws -> Bool {
    if start == end {
      start = 0
      end = 0
    } else if end == Self.capacity {
      precondition(start > 0, "a test reads its bytes before it asks for more than fits")
      memmove(memory, memory + start, end - start)
      end -= start
      start = 0
    }
    if let tls {
      var received = 0
      do {
        try untilDone(tls) { SSL_read_ex(tls.ssl, memory + end, Self.capacity - end, &received) }
      } catch ClientTLSError.failed("unexpected eof while reading") {
        throw WireError.closed
      }
      end += received
      bytesReceived += received
      return received > 0
    }
    while true {
      let received = recv(descriptor, memory + end, Self.capacity - end, 0)
      if received > 0 {
        end += received
        bytesReceived += received
        return true
      }
      if received == 0 { return false }
      switch errno {
      case EAGAIN: try wait(forEvents: Int16(POLLIN))
      case EINTR: continue
      case ECONNRESET: throw WireError.reset
      default: throw WireError.system(errno)
      }
    }
  }

  /// Consumes bytes that have arrived.
  func take(_ count: Int) -> [UInt8] {
    precondition(count <= pendingCount)
    defer { start += count }
    return Array(UnsafeBufferPointer(start: memory + start, count: count))
  }

  /// Exactly so many bytes.
  func read(_ count: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    while bytes.count < count {
      if pendingCount == 0, try !receive() { throw WireError.closed }
      bytes += take(min(pendingCount, count - bytes.count))
    }
    return bytes
  }

  /// As many as arrive before `count` or the end of the stream, not kept.
  func discard(_ count: Int) throws -> Int {
    var left = count
    while left > 0 {
      if pendingCount == 0, try !receive() { break }
      let some = min(left, pendingCount)
      start += some
      left -= some
    }
    return count - left
  }

  /// Up to and with the line feed; nil when the stream ended before any byte.
  func readLine() throws -> [UInt8]? {
    var scanned = 0
    while true {
      let from = memory + start + scanned
      if let found = memchr(from, 0x0a, pendingCount - scanned) {
        return take(scanned + (found - UnsafeMutableRawPointer(from)) + 1)
      }
      scanned = pendingCount
      guard scanned < Self.capacity else { throw WireError.malformed("line without end") }
      guard try receive() else {
        if scanned == 0 { return nil }
        throw WireError.closed
      }
    }
  }

  /// Whether the peer closes, orderly or by reset, without another byte.
  func isClosedByPeer(within seconds: Double = 10) -> Bool {
    let before = patience
    patience = seconds
    defer { patience = before }
    guard pendingCount == 0 else { return false }
    do {
      return try !receive()
    } catch WireError.reset {
      return true
    } catch {
      return false
    }
  }

  /// Whether nothing arrives for a moment: neither bytes nor an end.
  func isQuiet(for seconds: Double) -> Bool {
    guard pendingCount == 0 else { return false }
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, Int32(seconds * 1000)) == 0
  }

  // MARK: Ending

  /// Says by TLS alone that nothing more is sent.
  func closeNotify() { SSL_shutdown(tls!.ssl) }

  /// Ends our direction only.
  func halfClose() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// Ends both directions but keeps the descriptor, so that another thread may call it.
  func shutDown() {
    isClosed.withLock { isClosed in
      if !isClosed { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }
  }

  func close() {
    isClosed.withLock { isClosed in
      if !isClosed { Glibc.close(descriptor) }
      isClosed = true
    }
  }

  /// Closes with a reset instead of an orderly end.
  func reset() {
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    close()
  }

  private func wait(forEvents events: Int16) throws {
    var entry = pollfd(fd: descriptor, events: events, revents: 0)
    let end = Clock.now() + patience
    while true {
      let left = end - Clock.now()
      guard left > 0 else { throw WireError.timedOut }
      let ready = poll(&entry, 1, Int32(left * 1000) + 1)
      if ready > 0 { return }
      if ready < 0 && errno != EINTR { throw WireError.system(errno) }
    }
  }
}

/// Calls `body` with the address of a port of 127.0.0.1.
func withLoopback<Result>(
  port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
) -> Result {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
  return withUnsafePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
}
