// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// What a client of the admin socket asks for.
package struct AdminRequest: Equatable, Sendable {
  package var path: String
  /// Decoded, in the order written.
  package var query: [(name: String, value: String)]

  package func value(_ name: String) -> String? { query.first { $0.name == name }?.value }

  package static func == (a: AdminRequest, b: AdminRequest) -> Bool {
    a.path == b.path && a.query.elementsEqual(b.query) { $0 == $1 }
  }

  /// From a request line; nil when it is none, or no GET.
  init?(line: String) {
    let words = line.split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 3, words[0] == "GET", words[1].hasPrefix("/"),
      words[2].hasPrefix("HTTP/1.")
    else { return nil }
    let target = words[1].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    guard let path = Self.decode(target[0]) else { return nil }
    self.path = path
    query = []
    guard target.count == 2 else { return }
    for pair in target[1].split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = Self.decode(parts[0]),
        let value = parts.count == 2 ? Self.decode(parts[1]) : ""
      else { return nil }
      query.append((name, value))
    }
  }

  /// Percent-decoding (RFC 3986 §2.1); nil for broken triplets and what is no UTF-8.
  private static func decode(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      if byte != UInt8(ascii: "%") {
        bytes.append(byte)
        continue
      }
      guard rest.count >= 2,
        let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      else { return nil }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return String(validating: bytes, as: UTF8.self)
  }
}

package struct AdminAnswer: Sendable {
  package var status: Int
  package var contentType: StaticString
  package var body: [UInt8]

  package static func json(_ body: [UInt8]) -> AdminAnswer {
    AdminAnswer(status: 200, contentType: "application/json", body: body)
  }

  package static func text(_ body: [UInt8], contentType: StaticString) -> AdminAnswer {
    AdminAnswer(status: 200, contentType: contentType, body: body)
  }

  package static func failure(_ status: Int, _ text: String) -> AdminAnswer {
    AdminAnswer(status: status, contentType: "text/plain", body: Array("\(text)\n".utf8))
  }

  /// HTTP, so that curl can read it; one answer per connection.
  fileprivate func bytes() -> [UInt8] {
    let head =
      "HTTP/1.1 \(status) \(status == 200 ? "OK" : "Error")\r\nContent-Type: \(contentType)\r\n"
      + "Content-Length: \(body.count)\r\nConnection: close\r\n\r\n"
    return Array(head.utf8) + body
  }
}

/// Answers on the edge's admin socket, on a thread of its own: no client, however slow or many,
/// reaches the traffic.
package final class AdminServer: @unchecked Sendable {
  package typealias Handler = @Sendable (AdminRequest) -> AdminAnswer

  /// Connections at once; one more closes the oldest.
  static let clientLimit = 32
  /// Bytes of a request.
  static let requestLimit = 16_384
  /// Milliseconds from accepting a client to having answered it.
  static let patience: Int64 = 5_000

  fileprivate struct Client {
    let descriptor: Int32
    let deadline: Int64
    var input: [UInt8] = []
    /// Empty while the request is being read.
    var output: [UInt8] = []
    var written = 0
  }

  package let path: String
  private let listener: Int32
  private let stopper: Int32
  private let handler: Handler
  private var clients: [Client] = []
  private var thread: pthread_t?

  /// Binds; answers from `start` on.
  package init(path: String, handler: @escaping Handler) throws(AdminError) {
    self.path = path
    self.handler = handler
    listener = try AdminSocket.listen(path)
    stopper = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
  }

  deinit {
    close(listener)
    close(stopper)
  }

  package func start() {
    thread = Thread.start("atoll-admin") { [self] in run() }
  }

  /// Removes the socket; returns when the thread has ended.
  package func stop() {
    guard let thread else { return }
    eventfd_write(stopper, 1)
    pthread_join(thread, nil)
    self.thread = nil
    unlink(path)
  }

  private func run() {
    while true {
      var events = [
        pollfd(fd: stopper, events: Int16(POLLIN), revents: 0),
        pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
      ]
      for client in clients {
        let interest = client.output.isEmpty ? POLLIN : POLLOUT
        events.append(pollfd(fd: client.descriptor, events: Int16(interest), revents: 0))
      }
      let now = SystemCall.monotonicMilliseconds()
      let next = clients.first.map { max($0.deadline - now, 0) } ?? -1
      _ = poll(&events, nfds_t(events.count), Int32(next))
      if events[0].revents != 0 { break }
      for index in clients.indices where events[index + 2].revents != 0 {
        clients[index].proceed(handler)
      }
      let then = SystemCall.monotonicMilliseconds()
      clients.removeAll { client in
        let isDone = client.isDone || client.deadline <= then
        if isDone { close(client.descriptor) }
        return isDone
      }
      if events[1].revents != 0 { accept(at: then) }
    }
    for client in clients { close(client.descriptor) }
    clients = []
  }

  private func accept(at now: Int64) {
    let flags = Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = csystem_accept4(listener, nil, nil, flags)
    if descriptor < 0 {
      // Without descriptors the listener stays readable: do not spin until one is free.
      if csystem_errno() == EMFILE || csystem_errno() == ENFILE { usleep(50_000) }
      return
    }
    if clients.count == Self.clientLimit { close(clients.removeFirst().descriptor) }
    clients.append(Client(descriptor: descriptor, deadline: now + Self.patience))
  }
}

extension AdminServer.Client {
  var isDone: Bool { !output.isEmpty && written == output.count }

  mutating func proceed(_ handler: AdminServer.Handler) {
    if output.isEmpty { receive(handler) }
    if !output.isEmpty { send() }
  }

  private mutating func receive(_ handler: AdminServer.Handler) {
    var chunk = [UInt8](repeating: 0, count: 4096)
    switch SystemCall.receive(descriptor, &chunk, chunk.count) {
    case .wouldBlock: return
    case .moved(0), .failed: return end()
    case .moved(let count): input += chunk[..<count]
    }
    // The empty line ends the head; what stands between it and the first line has no meaning here.
    guard input.suffix(4) == [13, 10, 13, 10] || input.suffix(2) == [10, 10] else {
      if input.count > AdminServer.requestLimit {
        output = AdminAnswer.failure(431, "the request is too long").bytes()
      }
      return
    }
    let line = String(decoding: input.prefix { $0 != 13 && $0 != 10 }, as: UTF8.self)
    if let request = AdminRequest(line: line) {
      output = handler(request).bytes()
    } else {
      output = AdminAnswer.failure(400, "the request is not understood").bytes()
    }
  }

  private mutating func send() {
    let rest = output[written...]
    let transfer = rest.withUnsafeBytes {
      SystemCall.send(descriptor, $0.baseAddress!, $0.count)
    }
    switch transfer {
    case .moved(let count): written += count
    case .wouldBlock: return
    case .failed: end()
    }
  }

  /// Nothing more can be said to this client.
  private mutating func end() {
    output = [0]
    written = 1
  }
}
