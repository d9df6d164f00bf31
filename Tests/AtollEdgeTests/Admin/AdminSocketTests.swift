// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import CSystem
import Glibc
import Synchronization
import TestSupport
import Testing

struct AdminSocketTests {
  private func withServer(
    answering handler: @escaping AdminServer.Handler,
    _ body: (String, TemporaryDirectory) throws -> Void
  ) throws {
    let directory = TemporaryDirectory()
    let path = directory.file("edge.sock")
    let server = try AdminServer(path: path, handler: handler)
    server.start()
    defer { server.stop() }
    try body(path, directory)
  }

  private func connect(_ path: String) throws -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    let address = try #require(SocketAddress(unixPath: path))
    #expect(address.withUnsafeAddress { Glibc.connect(descriptor, $0, $1) } == 0)
    return descriptor
  }

  private func exchange(_ path: String, _ request: [UInt8]) throws -> String {
    let descriptor = try connect(path)
    defer { close(descriptor) }
    _ = send(descriptor, request, request.count, Int32(MSG_NOSIGNAL))
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = recv(descriptor, &chunk, chunk.count, 0)
      if count <= 0 { return String(decoding: bytes, as: UTF8.self) }
      bytes += chunk[..<count]
    }
  }

  @Test func `a request gets its answer and the connection ends`() throws {
    try withServer(answering: { request in
      .json(Array("{\"path\": \"\(request.path)\", \"a\": \"\(request.value("a") ?? "-")\"}".utf8))
    }) { path, _ throws in
      let answer = try exchange(path, Array("GET /x%20y?b&a=%2F HTTP/1.1\r\n\r\n".utf8))
      #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
      #expect(answer.hasSuffix("\r\n\r\n{\"path\": \"/x y\", \"a\": \"/\"}"))
      #expect(
        try AdminClient(path: path).get("/q") == Array("{\"path\": \"/q\", \"a\": \"-\"}".utf8))
    }
  }

  @Test(arguments: [
    "\r\n\r\n", "GET\r\n\r\n", "POST / HTTP/1.1\r\n\r\n", "GET x HTTP/1.1\r\n\r\n",
    "GET / FTP/1.1\r\n\r\n", "GET /%zz HTTP/1.1\r\n\r\n", "GET /%f HTTP/1.1\r\n\r\n",
    "GET /%ff HTTP/1.1\r\n\r\n", "GET /?a=%80 HTTP/1.1\r\n\r\n",
  ])
  func `what is no request is refused`(request: String) throws {
    try withServer(answering: { _ in .json([]) }) { path, _ throws in
      #expect(try exchange(path, Array(request.utf8)).hasPrefix("HTTP/1.1 400 "))
    }
  }

  @Test func `a request without an end is refused`() throws {
    try withServer(answering: { _ in .json([]) }) { path, _ throws in
      let request = Array(repeating: UInt8(ascii: "a"), count: 20_000)
      #expect(try exchange(path, request).hasPrefix("HTTP/1.1 431 "))
    }
  }

  @Test func `only this user may connect`() throws {
    try withServer(answering: { _ in .json([]) }) { path, _ throws in
      var status = stat()
      #expect(lstat(path, &status) == 0)
      #expect(status.st_mode & 0o777 == 0o600)
      #expect(status.st_mode & S_IFMT == S_IFSOCK)
    }
  }

  @Test func `clients that are stuck keep nobody else waiting`() throws {
    try withServer(answering: { _ in .json(Array(repeating: 0x20, count: 4 << 20)) }) {
      path, _ throws in
      // Half of them send nothing, half read nothing; more than the server keeps.
      var stuck: [Int32] = []
      defer { for descriptor in stuck { close(descriptor) } }
      for number in 0..<80 {
        let descriptor = try connect(path)
        stuck.append(descriptor)
        if number % 2 == 0 { _ = send(descriptor, "GET / HTTP/1.1\r\n\r\n", 18, 0) }
      }
      #expect(try AdminClient(path: path).get("/").count == 4 << 20)
    }
  }

  @Test func `a client that leaves early hurts nobody`() throws {
    try withServer(answering: { _ in .json(Array(repeating: 0x20, count: 4 << 20)) }) {
      path, _ throws in
      for _ in 0..<50 {
        let descriptor = try connect(path)
        _ = send(descriptor, "GET / HTTP/1.1\r\n\r\n", 18, 0)
        close(descriptor)
      }
      #expect(try AdminClient(path: path).get("/").count == 4 << 20)
    }
  }

  @Test func `a path longer than the kernel takes works`() throws {
    let name = String(repeating: "n", count: 100)
    let directory = TemporaryDirectory()
    let deep = directory.file(name)
    mkdir(deep, 0o700)
    let server = try AdminServer(path: "\(deep)/edge.sock") { _ in .json([0x31]) }
    server.start()
    defer { server.stop() }
    #expect(try AdminClient(path: "\(deep)/edge.sock").get("/") == [0x31])
  }

  @Test func `a socket left over by a killed edge is replaced`() throws {
    let directory = TemporaryDirectory()
    let path = directory.file("edge.sock")
    let dead = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    let address = try #require(SocketAddress(unixPath: path))
    #expect(address.withUnsafeAddress { bind(dead, $0, $1) } == 0)
    close(dead)
    #expect(throws: AdminError(path: path, reason: "connection refused")) {
      try AdminClient(path: path).get("/")
    }
    let server = try AdminServer(path: path) { _ in .json([0x31]) }
    server.start()
    #expect(try AdminClient(path: path).get("/") == [0x31])
    server.stop()
    #expect(access(path, F_OK) != 0)
  }

  @Test func `a socket that is not there is named with its reason`() throws {
    let path = "/nonexistent/edge.sock"
    #expect(throws: AdminError(path: path, reason: "no such file or directory")) {
      try AdminClient(path: path).get("/")
    }
  }

  @Test func `an edge that does not answer is given up`() throws {
    let gate = Monitor()
    let opened = Flag()
    try withServer(answering: { _ in
      gate.withLock { while !opened.value { gate.wait() } }
      return .json([])
    }) { path, _ throws in
      #expect(throws: AdminError(path: path, reason: "no answer in time")) {
        try AdminClient(path: path, timeout: 100).get("/")
      }
      gate.withLock { opened.value = true }
      gate.broadcast()
    }
  }

  @Test func `an edge's refusal to count is the error's reason`() throws {
    try withServer(answering: { _ in .failure(404, "no distribution named \"x\"") }) {
      path, _ throws in
      #expect(throws: AdminError(path: path, reason: "no distribution named \"x\"")) {
        try AdminClient(path: path).count(id: "x", .all)
      }
    }
  }

  @Test func `an edge's refusal is the error's reason`() throws {
    try withServer(answering: { _ in .failure(404, "no distribution named \"x\"") }) {
      path, _ throws in
      #expect(throws: AdminError(path: path, reason: "no distribution named \"x\"")) {
        try AdminClient(path: path).get("/metrics?distribution=x")
      }
    }
  }

  @Test func `what a purge would match is asked for in a query`() throws {
    let asked = Mutex<[AdminRequest]>([])
    let box = Requests(asked)
    try withServer(answering: { request in
      box.list.withLock { $0.append(request) }
      return .json(Array("{\"schemaVersion\": 1, \"count\": 7}".utf8))
    }) { path, _ throws in
      let client = AdminClient(path: path)
      #expect(try client.count(id: "d1", .all) == 7)
      #expect(try client.count(id: "d1", .prefix("/a?x=1&y=ä")) == 7)
      #expect(box.list.withLock { $0[0].query.map(\.name) } == ["id", "all"])
      #expect(box.list.withLock { $0[1].value("prefix") } == "/a?x=1&y=ä")
    }
  }
}

private final class Flag: @unchecked Sendable {
  /// Under the test's monitor.
  var value = false
}

private final class Requests: Sendable {
  let list: Mutex<[AdminRequest]>
  init(_ list: consuming sending Mutex<[AdminRequest]>) { self.list = list }
}
