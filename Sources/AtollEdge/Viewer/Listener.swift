// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// One loop's share of a listening address.
final class Listener: Channel {
  private let services: LoopServices
  private let isUnix: Bool
  private let isSecure: Bool
  /// Accepted per turn, so that a burst does not starve the connections that are open.
  private static let batch = 64

  init(services: LoopServices, descriptor: Int32, isUnix: Bool, isSecure: Bool) {
    self.services = services
    self.isUnix = isUnix
    self.isSecure = isSecure
    super.init(loop: services.loop, descriptor: descriptor)
    // Level-triggered: what a batch leaves is told again. A Unix socket is shared by all loops.
    register(events: events)
  }

  private var events: UInt32 { Events.input | (isUnix ? Events.exclusive : 0) }

  override func ready(_ events: UInt32) { _ = acceptBatch() }

  /// Takes in who has connected already, then ends.
  func drain() {
    while acceptBatch() {}
    closeChannel()
  }

  /// False when nobody waits any more, or nobody can be taken in now.
  private func acceptBatch() -> Bool {
    for _ in 0..<Self.batch {
      let result = SocketAddress.filled { address, length in
        csystem_accept4(
          descriptor, address, length, Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue))
      }
      guard let (address, accepted) = result else {
        let error = csystem_errno()
        if error == EINTR || error == ECONNABORTED { continue }
        if error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS { pause() }
        return false
      }
      guard services.edge.connectionOpened() else {
        refuse(accepted)
        continue
      }
      services.viewerOpened()
      if isSecure {
        // The loop tells of the hello.
        _ = TLSHandshake(services: services, descriptor: accepted, address: address)
        continue
      }
      let connection = ViewerConnection(
        services: services, descriptor: accepted, address: address)
      // Most viewers have sent their request by now.
      connection.ready(Events.input)
    }
    return true
  }

  /// Out of descriptors: those who wait in the backlog are served when some are free again.
  private func pause() {
    loop.silence(self)
    setDeadline(after: 100)
  }

  override func deadlineReached() {
    loop.listen(to: self, events: events)
  }

  /// Too many connections: says so rather than letting the viewer wait.
  private func refuse(_ accepted: Int32) {
    // In the clear there is nothing to say to whom expects TLS.
    if isSecure {
      close(accepted)
      return
    }
    let text: StaticString =
      "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\nCache-Status: atoll; detail=overloaded\r\n\r\n"
    _ = SystemCall.send(accepted, text.utf8Start, text.utf8CodeUnitCount)
    shutdown(accepted, Int32(SHUT_WR))
    close(accepted)
  }
}

/// Binds and listens; what several loops share.
enum ListeningSocket {
  /// - Parameter shares: joins those who listen on the address and let others in.
  static func open(_ address: SocketAddress, shares: Bool) throws(EdgeError) -> Int32 {
    let text = address.description
    if let path = address.unixPath {
      if isOccupied(path) { throw .cannotListen(text, reason: "a file that is no socket is there") }
      removeStale(path, address)
    }
    let descriptor = socket(
      address.family,
      Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    if descriptor < 0 { throw .cannotListen(text, reason: SystemCall.errorText(csystem_errno())) }
    if !address.isUnix {
      SystemCall.setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
      if shares { share(descriptor) }
      // Those who connect have it from the socket that listened then.
      SystemCall.disableDelay(descriptor)
      if address.family == AF_INET6 {
        SystemCall.setOption(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0)
      }
    }
    var result = address.withUnsafeAddress { pointer, length in bind(descriptor, pointer, length) }
    if result == 0 { result = listen(descriptor, 4096) }
    if result != 0 {
      let error = csystem_errno()
      close(descriptor)
      switch error {
      case EADDRINUSE: throw .addressInUse(text)
      case EACCES, EPERM: throw .addressNotPermitted(text)
      default: throw .cannotListen(text, reason: SystemCall.errorText(error))
      }
    }
    return descriptor
  }

  /// Lets further sockets of this user listen on the same address, which was this one's alone.
  static func share(_ descriptor: Int32) {
    SystemCall.setOption(descriptor, SOL_SOCKET, SO_REUSEPORT, 1)
  }

  private static func isOccupied(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFSOCK
  }

  /// A socket file that nobody listens on is left over from a process that was killed.
  private static func removeStale(_ path: String, _ address: SocketAddress) {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return }
    let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard probe >= 0 else { return }
    let result = address.withUnsafeAddress { pointer, length in connect(probe, pointer, length) }
    if result != 0 && csystem_errno() == ECONNREFUSED { unlink(path) }
    close(probe)
  }
}
