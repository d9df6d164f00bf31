// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// What a call on a non-blocking descriptor came to.
enum Transfer {
  /// Bytes moved; 0 on a read means that the peer has ended its side.
  case moved(Int)
  case wouldBlock
  case failed(Int32)
}

/// The one door to the kernel for bytes: EINTR is repeated, would-block is a value.
enum SystemCall {
  @inline(__always)
  static func receive(_ descriptor: Int32, _ memory: UnsafeMutableRawPointer, _ count: Int)
    -> Transfer
  {
    while true {
      let got = recv(descriptor, memory, count, 0)
      if got >= 0 { return .moved(got) }
      let error = csystem_errno()
      if error == EINTR { continue }
      return error == EAGAIN ? .wouldBlock : .failed(error)
    }
  }

  @inline(__always)
  static func send(_ descriptor: Int32, _ vectors: UnsafeMutablePointer<iovec>, _ count: Int)
    -> Transfer
  {
    var message = msghdr()
    message.msg_iov = vectors
    message.msg_iovlen = count
    while true {
      let sent = sendmsg(descriptor, &message, Int32(MSG_NOSIGNAL))
      if sent >= 0 { return .moved(sent) }
      let error = csystem_errno()
      if error == EINTR { continue }
      return error == EAGAIN ? .wouldBlock : .failed(error)
    }
  }

  @inline(__always)
  static func send(_ descriptor: Int32, _ memory: UnsafeRawPointer, _ count: Int) -> Transfer {
    while true {
      let sent = Glibc.send(descriptor, memory, count, Int32(MSG_NOSIGNAL))
      if sent >= 0 { return .moved(sent) }
      let error = csystem_errno()
      if error == EINTR { continue }
      return error == EAGAIN ? .wouldBlock : .failed(error)
    }
  }

  /// Reads into two places at once: the second tells whether more came than the first may take.
  static func receive(_ descriptor: Int32, _ vectors: UnsafeMutablePointer<iovec>, _ count: Int)
    -> Transfer
  {
    while true {
      let got = readv(descriptor, vectors, Int32(count))
      if got >= 0 { return .moved(got) }
      let error = csystem_errno()
      if error == EINTR { continue }
      return error == EAGAIN ? .wouldBlock : .failed(error)
    }
  }

  static func setOption(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
    var value = value
    setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Small writes leave at once: each response is one write already.
  static func disableDelay(_ descriptor: Int32) {
    setOption(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
  }

  /// Its close says that something is missing, and drops what the kernel holds for the peer.
  static func resetOnClose(_ descriptor: Int32) {
    var setting = CSystem.linger(l_onoff: 1, l_linger: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_LINGER, &setting,
      socklen_t(MemoryLayout<CSystem.linger>.size))
  }

  /// The error that a non-blocking connect ended with; 0 when it succeeded.
  static func pendingError(_ descriptor: Int32) -> Int32 {
    var error: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    if getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) != 0 {
      return csystem_errno()
    }
    return error
  }

  static func monotonicMilliseconds() -> Int64 {
    let time = read(CLOCK_MONOTONIC)
    return Int64(time.tv_sec) &* 1000 &+ Int64(time.tv_nsec) / 1_000_000
  }

  static func monotonicMicroseconds() -> Int64 { microseconds(read(CLOCK_MONOTONIC)) }

  /// Microseconds since 1970.
  static func wallMicroseconds() -> Int64 { microseconds(read(CLOCK_REALTIME)) }

  /// Seconds since 1970.
  static func wallSeconds() -> Int64 { wallMicroseconds() / 1_000_000 }

  @inline(__always)
  private static func read(_ clock: clockid_t) -> timespec {
    var time = timespec()
    clock_gettime(clock, &time)
    return time
  }

  @inline(__always)
  private static func microseconds(_ time: timespec) -> Int64 {
    Int64(time.tv_sec) &* 1_000_000 &+ Int64(time.tv_nsec) / 1000
  }

  static func errorText(_ error: Int32) -> String { AtollCore.errorText(error) }
}
