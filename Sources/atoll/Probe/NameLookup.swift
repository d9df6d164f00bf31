// SPDX-License-Identifier: Apache-2.0
import AtollEdge
import CSystem
import Glibc
import Synchronization

/// The addresses of a host name, asked on a thread of its own: `getaddrinfo` knows no deadline.
final class NameLookup: Sendable {
  private struct State {
    var isDone = false
    var status: Int32 = 0
    var places: [SocketAddress] = []
  }

  private let host: String
  private let port: UInt16
  private let state = Mutex(State())
  private let finished: Int32

  private init(host: String, port: UInt16) {
    self.host = host
    self.port = port
    finished = eventfd(0, Int32(EFD_CLOEXEC))
  }

  deinit { close(finished) }

  static func places(host: String, port: UInt16, by deadline: Deadline) throws(ProbeError)
    -> [SocketAddress]
  {
    if let place = SocketAddress(host: host, port: port) { return [place] }
    // RFC 6761 §6.3: these names are the loopback's, whatever a resolver would say.
    if host == "localhost" || host.hasSuffix(".localhost") || host.hasSuffix(".localhost.") {
      return ["127.0.0.1", "::1"].compactMap { SocketAddress(host: $0, port: port) }
    }
    let lookup = NameLookup(host: host, port: port)
    lookup.start()
    return try lookup.wait(until: deadline)
  }

  private func start() {
    var thread = pthread_t()
    // The thread owns a reference, so that it may outlive a wait that gave up.
    let reference = Unmanaged.passRetained(self)
    let status = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<NameLookup>.fromOpaque(argument!).takeRetainedValue().run()
        return nil
      }, reference.toOpaque())
    if status == 0 {
      pthread_detach(thread)
    } else {
      reference.takeRetainedValue().run()
    }
  }

  private func run() {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_ADDRCONFIG
    var list: UnsafeMutablePointer<addrinfo>?
    let result = getaddrinfo(host, String(port), &hints, &list)
    var places: [SocketAddress] = []
    var next = list
    while let found = next {
      if let address = found.pointee.ai_addr {
        places.append(SocketAddress(address, length: found.pointee.ai_addrlen))
      }
      next = found.pointee.ai_next
    }
    if let list { freeaddrinfo(list) }
    state.withLock {
      $0.isDone = true
      $0.status = result
      $0.places = places
    }
    var one: UInt64 = 1
    _ = write(finished, &one, MemoryLayout.size(ofValue: one))
  }

  private func wait(until deadline: Deadline) throws(ProbeError) -> [SocketAddress] {
    var event = pollfd(fd: finished, events: Int16(POLLIN), revents: 0)
    while true {
      let left = deadline.millisecondsLeft
      if poll(&event, 1, left) > 0 || left == 0 { break }
    }
    let answer = state.withLock { $0 }
    guard answer.isDone else {
      throw .unreachable(
        "looking up \"\(host)\" took too long",
        hint: "check the resolver, or name the address with --resolve \(host):\(port):<address>")
    }
    if answer.status == EAI_AGAIN {
      throw .unreachable(
        "the name server did not answer for \"\(host)\"",
        hint: "check the resolver, or name the address with --resolve \(host):\(port):<address>")
    }
    guard answer.status == 0, !answer.places.isEmpty else {
      throw .unreachable(
        "no address known for \"\(host)\"",
        hint: "check the spelling, or name the address with --resolve \(host):\(port):<address>")
    }
    return answer.places
  }
}
