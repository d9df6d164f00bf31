// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc
import Synchronization

/// Stands before a server and passes bytes on, but for the connections that it breaks: of five the
/// fifth at once, and the third once the request has gone through, so that the answer is lost.
final class FlakyProxy: Sendable {
  let port: UInt16
  private let listener: Int32
  private let target: UInt16
  private let count = Atomic(0)
  private let losses = Atomic(0)

  /// Bytes from the client that are more than a handshake's.
  private static let request = 1_000

  init(to target: UInt16) {
    self.target = target
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    self.listener = listener
    let address = SocketAddress(host: "127.0.0.1", port: 0)!
    let bound = address.withUnsafeAddress { bind(listener, $0, $1) }
    precondition(bound == 0 && listen(listener, 16) == 0, "a proxy cannot listen")
    port = SocketAddress.local(of: listener)?.port ?? 0
    AtollCore.Thread.startDetached("proxy") { [weak self] in
      while true {
        let client = csystem_accept4(listener, nil, nil, Int32(SOCK_CLOEXEC.rawValue))
        if client < 0 { break }
        guard let self else {
          close(client)
          break
        }
        AtollCore.Thread.startDetached("proxied") { self.serve(client) }
      }
      close(listener)
    }
  }

  deinit { shutdown(listener, Int32(SHUT_RDWR)) }

  /// Connections that were broken.
  var broken: Int { losses.load(ordering: .relaxed) }

  private func serve(_ client: Int32) {
    defer { close(client) }
    let number = count.add(1, ordering: .relaxed).newValue % 5
    if number == 0 {
      losses.add(1, ordering: .relaxed)
      return
    }
    let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(server) }
    let address = SocketAddress(host: "127.0.0.1", port: target)!
    guard address.withUnsafeAddress({ connect(server, $0, $1) }) == 0 else { return }
    var sent = 0
    var buffer = [UInt8](repeating: 0, count: 16_384)
    while true {
      var events = [
        pollfd(fd: client, events: Int16(POLLIN), revents: 0),
        pollfd(fd: server, events: Int16(POLLIN), revents: 0),
      ]
      guard poll(&events, 2, 60_000) > 0 else { return }
      if events[1].revents != 0 {
        if number == 3, sent >= Self.request {
          losses.add(1, ordering: .relaxed)
          return
        }
        guard pass(from: server, to: client, &buffer) > 0 else { return }
      }
      if events[0].revents != 0 {
        let count = pass(from: client, to: server, &buffer)
        guard count > 0 else { return }
        sent += count
      }
    }
  }

  private func pass(from: Int32, to: Int32, _ buffer: inout [UInt8]) -> Int {
    let count = recv(from, &buffer, buffer.count, 0)
    guard count > 0 else { return 0 }
    return send(to, buffer, count, Int32(MSG_NOSIGNAL)) == count ? count : 0
  }
}
