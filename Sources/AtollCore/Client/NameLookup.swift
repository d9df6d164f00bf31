// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc
import Synchronization

/// The addresses of a host name, asked on a thread of its own: `getaddrinfo` knows no deadline.
final class NameLookup: Sendable {
  private let host: String
  /// Nil until the lookup has ended.
  private let answer = Mutex<NameService.Answer?>(nil)
  private let finished: Int32

  private init(host: String) {
    self.host = host
    finished = eventfd(0, Int32(EFD_CLOEXEC))
  }

  deinit { close(finished) }

  static func places(host: String, port: UInt16, by deadline: Deadline) throws(ClientError)
    -> [SocketAddress]
  {
    if let place = SocketAddress(host: host, port: port) { return [place] }
    if NameService.isLocal(host.hasSuffix(".") ? String(host.dropLast()) : host) {
      return NameService.loopback.map { $0.withPort(port) }
    }
    let lookup = NameLookup(host: host)
    // The thread has a reference of its own: it may outlive a wait that gave up.
    Thread.runDetached("atoll-lookup") { lookup.run() }
    return try lookup.wait(until: deadline, port: port).map { $0.withPort(port) }
  }

  private func run() {
    let found = NameService.lookUp(host, flags: AI_ADDRCONFIG)
    answer.withLock { $0 = found }
    eventfd_write(finished, 1)
  }

  private func wait(until deadline: Deadline, port: UInt16) throws(ClientError)
    -> [SocketAddress]
  {
    var event = pollfd(fd: finished, events: Int16(POLLIN), revents: 0)
    while true {
      let left = deadline.millisecondsLeft
      if poll(&event, 1, left) > 0 || left == 0 { break }
    }
    switch answer.withLock({ $0 }) {
    case nil:
      throw ClientError(
        .lookup, "looking up \"\(host)\" took too long", hint: "check the resolver")
    case .failure(.noAnswer)?:
      throw ClientError(
        .lookup, "the name server did not answer for \"\(host)\"", hint: "check the resolver")
    case .failure?:
      throw ClientError(.lookup, "no address known for \"\(host)\"", hint: "check the spelling")
    case .success(let places)?: return places
    }
  }
}
