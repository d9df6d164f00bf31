// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc

/// One request as an origin received it.
struct OriginRequest: Sendable {
  /// Counts the requests of this origin, from 1, in the order of their heads.
  var number: Int
  /// Counts its connections, from 1.
  var connection: Int
  var method: String
  var target: String
  var version: String
  var head: MessageHead

  subscript(_ name: String) -> String? { head[name] }

  var framing: MessageFraming {
    if head["transfer-encoding"] != nil { return .chunked }
    if let length = head["content-length"].flatMap({ Int($0) }) { return .length(length) }
    return .none
  }
}

/// One request at the origin, to be answered as the test likes.
final class OriginExchange {
  let request: OriginRequest
  let wire: Wire
  fileprivate(set) var isOpen = true

  fileprivate init(request: OriginRequest, wire: Wire) {
    self.request = request
    self.wire = wire
  }

  func readBody(keeping: Bool = true) throws -> MessageBody {
    try wire.readBody(request.framing, keeping: keeping)
  }

  func send(_ text: String) throws { try wire.send(text) }
  func send(_ bytes: [UInt8]) throws { try wire.send(bytes) }

  /// A whole response framed by Content-Length.
  func respond(_ status: String = "200 OK", _ fields: String..., body: String = "") throws {
    let lines = ["HTTP/1.1 \(status)"] + fields + ["Content-Length: \(body.utf8.count)"]
    let head = lines.joined(separator: "\r\n") + "\r\n\r\n"
    try send(request.method == "HEAD" ? head : head + body)
  }

  /// A head without framing fields but those given.
  func sendHead(_ status: String = "200 OK", _ fields: String...) throws {
    try send((["HTTP/1.1 \(status)"] + fields).joined(separator: "\r\n") + "\r\n\r\n")
  }

  func close() {
    isOpen = false
    wire.close()
  }

  func halfClose() { wire.halfClose() }

  func reset() {
    isOpen = false
    wire.reset()
  }

  /// Nothing more is sent; waits until the edge gives up the connection.
  func stall() {
    isOpen = false
    wire.patience = 30
    while (try? wire.receive()) == true {}
  }
}

/// An origin on a port of its own that does exactly what a test says, one thread per connection.
final class ScriptedOrigin: @unchecked Sendable {
  let port: UInt16
  private let listener: Int32
  private let state = Shared(State())
  private let arrived = Event()
  private let connected = Event()

  private struct State {
    var requests: [OriginRequest] = []
    var wires: [Wire] = []
    var connections = 0
    var isStopped = false
  }

  /// Answers request after request on every connection until the handler ends the connection.
  convenience init(_ handler: @escaping @Sendable (OriginExchange) throws -> Void) throws {
    try self.init { origin, wire, connection in
      while let head = try wire.readHead() {
        let request = try origin.record(head, connection: connection)
        let exchange = OriginExchange(request: request, wire: wire)
        try handler(exchange)
        guard exchange.isOpen else { return }
      }
    }
  }

  /// Hands every connection over as it is, from its first byte.
  convenience init(connections: @escaping @Sendable (Wire, Int) throws -> Void) throws {
    try self.init { _, wire, connection in try connections(wire, connection) }
  }

  private init(serve: @escaping @Sendable (ScriptedOrigin, Wire, Int) throws -> Void) throws {
    (listener, port) = try listen(backlog: 1024)
    let listener = self.listener
    _ = TestThread { [weak self] in
      while true {
        let descriptor = csystem_accept4(listener, nil, nil, Int32(SOCK_CLOEXEC.rawValue))
        guard descriptor >= 0 else {
          if errno == EINTR || errno == ECONNABORTED { continue }
          break
        }
        guard let origin = self else {
          close(descriptor)
          break
        }
        origin.take(Wire(descriptor: descriptor), serve: serve)
      }
      close(listener)
    }
  }

  deinit { stop() }

  private func take(
    _ wire: Wire, serve: @escaping @Sendable (ScriptedOrigin, Wire, Int) throws -> Void
  ) {
    let number: Int? = state.withLock {
      if $0.isStopped { return nil }
      $0.connections += 1
      $0.wires.append(wire)
      return $0.connections
    }
    guard let number else { return wire.close() }
    connected.fire()
    _ = TestThread {
      wire.patience = 60
      // A script that is cut off by the edge or by the end of the test just ends.
      try? serve(self, wire, number)
      // The state owns the wires: a descriptor is closed here and nowhere else at the same time.
      self.state.withLock { state in
        state.wires.removeAll { $0 === wire }
        wire.close()
      }
    }
  }

  private func record(_ head: MessageHead, connection: Int) throws -> OriginRequest {
    let parts = head.startLine.split(separator: " ")
    guard parts.count == 3 else { throw WireError.malformed(head.startLine) }
    let request = state.withLock { state in
      let request = OriginRequest(
        number: state.requests.count + 1, connection: connection, method: String(parts[0]),
        target: String(parts[1]), version: String(parts[2]), head: head)
      state.requests.append(request)
      return request
    }
    arrived.fire()
    return request
  }

  var url: String { "http://127.0.0.1:\(port)" }
  var requests: [OriginRequest] { state.value.requests }
  var requestCount: Int { arrived.count }
  var connectionCount: Int { state.withLock { $0.connections } }

  /// Whether so many requests had come in time.
  @discardableResult
  func waitFor(requests count: Int, within seconds: Double = 10) -> Bool {
    arrived.wait(times: count, within: seconds)
  }

  @discardableResult
  func waitFor(connections count: Int, within seconds: Double = 10) -> Bool {
    connected.wait(times: count, within: seconds)
  }

  /// Closes the port and every connection.
  func stop() {
    state.withLock { state in
      if state.isStopped { return }
      state.isStopped = true
      shutdown(listener, Int32(SHUT_RDWR))
      for wire in state.wires { wire.shutDown() }
    }
  }
}

/// A port that is taken but on which nobody listens: connecting is refused.
final class RefusingOrigin: @unchecked Sendable {
  let port: UInt16
  private let descriptor: Int32

  init() throws { (descriptor, port) = try bound() }
  deinit { close(descriptor) }
}

/// A port whose queue is full: connecting neither succeeds nor fails.
final class SilentOrigin: @unchecked Sendable {
  let port: UInt16
  private let descriptor: Int32
  private var fillers: [Int32] = []

  init() throws {
    (descriptor, port) = try listen(backlog: 0)
    // Linux queues one more than the backlog; the rest fill the queue of half-open ones.
    for _ in 0..<4 {
      let filler = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
      _ = fcntl(filler, F_SETFL, O_NONBLOCK)
      _ = withLoopback(port: port) { connect(filler, $0, $1) }
      fillers.append(filler)
    }
  }

  deinit {
    for filler in fillers { close(filler) }
    close(descriptor)
  }
}

/// A socket bound to a free port of 127.0.0.1.
private func bound() throws -> (descriptor: Int32, port: UInt16) {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
  guard descriptor >= 0 else { throw WireError.system(errno) }
  guard withLoopback(port: 0, { bind(descriptor, $0, $1) }) == 0 else {
    throw WireError.system(errno)
  }
  var address = sockaddr_in()
  var length = socklen_t(MemoryLayout<sockaddr_in>.size)
  let named = withUnsafeMutablePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      getsockname(descriptor, $0, &length)
    }
  }
  guard named == 0 else { throw WireError.system(errno) }
  return (descriptor, UInt16(bigEndian: address.sin_port))
}

private func listen(backlog: Int32) throws -> (descriptor: Int32, port: UInt16) {
  let (descriptor, port) = try bound()
  guard Glibc.listen(descriptor, backlog) == 0 else { throw WireError.system(errno) }
  return (descriptor, port)
}
