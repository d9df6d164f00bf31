// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import CSystem
import Glibc
import Testing

/// Starting, changing and ending an edge while viewers are there.
@Suite(.timeLimit(.minutes(20)))
struct LifecycleTests {
  @Test func `a reload drops no connection and loses no request`() throws {
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: no-store", body: $0.request.target)
    }
    let edge = try EdgeUnderTest(origin, options: { $0.threads = 2 })
    let stop = Shared(false)
    let served = Event()
    let wrong = Shared<[String]>([])
    let threads = (0..<4).map { thread in
      TestThread {
        do {
          let viewer = try edge.viewer()
          var index = 0
          while !stop.value {
            index += 1
            let target = "/\(thread)/\(index)"
            let response = try viewer.get(target)
            guard response.text == target else {
              return wrong.withLock { $0.append("\(response.status) \(response.text)") }
            }
            served.fire()
          }
        } catch {
          wrong.withLock { $0.append("\(error)") }
        }
      }
    }
    for round in 1...50 {
      served.wait(times: round * 4)
      try edge.reload { $0[0].settings.ttl.maximum = 1000 + round }
    }
    stop.withLock { $0 = true }
    for thread in threads { #expect(thread.join()) }
    #expect(wrong.value == [])
  }

  @Test func `a changed setting holds for the next request of an open connection`() throws {
    let origins = try ["old", "new"].map { name in
      try ScriptedOrigin {
        try $0.respond("200 OK", "Cache-Control: no-store", body: name)
      }
    }
    let edge = try EdgeUnderTest(origins[0], options: { $0.threads = 2 })
    let viewer = try edge.viewer()
    #expect(try viewer.get("/").text == "old")
    try edge.reload { $0[0].origin.port = origins[1].port }
    #expect(try viewer.get("/").text == "new")
  }

  @Test func `an exchange under way ends with the configuration it began with`() throws {
    let go = Event()
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead("200 OK", "Content-Length: 6", "Cache-Control: max-age=60")
      try exchange.send("abc")
      go.wait()
      try exchange.send("def")
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    try viewer.send(ScriptedViewer.head("GET", "/"))
    let response = try viewer.readResponseHead()
    try edge.reload { $0[0].isEnabled = false }
    go.fire()
    #expect(try viewer.readBody(of: response).count == 6)
  }

  @Test func `entries outlive a reload`() throws {
    let origin = try CachingTests.counting(["Cache-Control: max-age=60"])
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/")
    try edge.reload { $0[0].settings.staleIfError = 5 }
    #expect(try edge.get("/").isHit)
  }

  @Test func `draining finishes what is under way and takes nothing new`() throws {
    let go = Event()
    let origin = try ScriptedOrigin { exchange in
      if exchange.request.target == "/quick" { return try exchange.respond(body: "quick") }
      try exchange.sendHead("200 OK", "Content-Length: 6", "Cache-Control: no-store")
      try exchange.send("abc")
      go.wait()
      try exchange.send("def")
    }
    let edge = try EdgeUnderTest(origin, options: { $0.threads = 2 })
    let idle = try edge.viewer()
    #expect(try idle.get("/quick").text == "quick")
    let busy = try edge.viewer()
    try busy.send(ScriptedViewer.head("GET", "/slow"))
    let response = try busy.readResponseHead()
    let drained = Event()
    let thread = TestThread {
      if edge.edge.drain(timeout: 20) { drained.fire() }
    }
    // The idle connection ends, which shows that draining has begun on its loop; the other follows.
    #expect(idle.isClosed())
    #expect(eventually { (try? edge.get("/quick")) == nil })
    #expect(drained.count == 0)
    go.fire()
    #expect(try busy.readBody(of: response).bytes == Array("abcdef".utf8))
    #expect(busy.isClosed())
    #expect(thread.join())
    #expect(drained.count == 1)
  }

  @Test func `draining ends when its time is over`() throws {
    let origin = try ScriptedOrigin { $0.stall() }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    try viewer.send(ScriptedViewer.head("GET", "/"))
    origin.waitFor(requests: 1)
    let started = Clock.now()
    #expect(!edge.edge.drain(timeout: 1))
    #expect(Clock.now() - started < 5)
    edge.stop()
    #expect(viewer.isClosed())
  }

  @Test func `an edge serves IPv4, IPv6 and Unix sockets at once`() throws {
    let path = "/tmp/atoll-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).sock"
    defer { unlink(path) }
    let origin = try CachingTests.counting(["Cache-Control: max-age=60"])
    let edge = try EdgeUnderTest(
      origin,
      options: {
        $0.listeners = [
          .tcp(host: "127.0.0.1", port: 0), .tcp(host: "::1", port: 0), .unix(path: path),
        ]
      })
    #expect(edge.edge.addresses.count == 3)
    #expect(try edge.get("/").text == "1")
    let port = try #require(
      edge.edge.addresses.first { $0.hasPrefix("[::1]:") }?.split(separator: ":").last)
    let six = try connected(ipv6Port: try #require(UInt16(port)))
    try six.send(ScriptedViewer.head("GET", "/"))
    #expect(try #require(try six.readHead()).startLine == "HTTP/1.1 200 OK")
    let local = try connected(unixPath: path)
    try local.send(ScriptedViewer.head("GET", "/"))
    #expect(try #require(try local.readHead()).startLine == "HTTP/1.1 200 OK")
    #expect(origin.requestCount == 1)
  }

  @Test func `a port that is taken is an error, not a crash`() throws {
    let refusing = try RefusingOrigin()
    #expect(throws: (any Error).self) {
      _ = try EdgeUnderTest(
        originPort: 1, options: { $0.listeners = [.tcp(host: "127.0.0.1", port: refusing.port)] })
    }
  }

  @Test func `who connects while an edge starts is answered`() throws {
    let origin = try CachingTests.counting(["Cache-Control: max-age=60"])
    // Not the address that viewers come from: a socket may connect to itself when nobody listens.
    let host = "127.0.0.2"
    let failures = Shared<[String]>([])
    for _ in 0..<60 {
      let first = try EdgeUnderTest(
        origin, options: { $0.listeners = [.tcp(host: host, port: 0)] })
      let port = first.port
      first.stop()
      let threads = (0..<3).map { _ in
        TestThread {
          do {
            let viewer = try connectedOnceListening(host, port)
            try viewer.send(ScriptedViewer.head("GET", "/"))
            let head = try viewer.readHead()
            if head?.startLine != "HTTP/1.1 200 OK" { throw WireError.system(ECONNRESET) }
          } catch {
            failures.withLock { $0.append("\(error)") }
          }
        }
      }
      let edge = try EdgeUnderTest(
        origin,
        options: {
          $0.listeners = [.tcp(host: host, port: port)]
          $0.threads = 2
        })
      for thread in threads { #expect(thread.join()) }
      edge.stop()
    }
    #expect(failures.value == [])
  }

  @Test func `who connected before the edge began to accept is answered without delay`() throws {
    // In two parts, as the edge sends it on: without TCP_NODELAY the second one waits until the viewer
    // has acknowledged the first, which it does after 40 ms, but for a few times at the beginning.
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: no-store", body: "a")
    }
    let edge = try EdgeUnderTest(
      [EdgeUnderTest.distribution("site", originPort: origin.port)], starts: false)
    let viewer = try edge.viewer()
    edge.edge.start()
    var times: [Duration] = []
    for _ in 0..<60 {
      let began = ContinuousClock.now
      #expect(try viewer.get("/").text == "a")
      times.append(ContinuousClock.now - began)
    }
    #expect(try #require(times[30...].min()) < .milliseconds(30))
  }

  /// Tries until somebody listens.
  private func connectedOnceListening(_ host: String, _ port: UInt16) throws -> Wire {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = inet_addr(host)
    let deadline = ContinuousClock.now + .seconds(10)
    while true {
      do {
        return try connected(AF_INET, &address, MemoryLayout<sockaddr_in>.size)
      } catch WireError.system(ECONNREFUSED) where ContinuousClock.now < deadline {
        continue
      }
    }
  }

  @Test func `an edge starts although its origin cannot be reached`() throws {
    let edge = try EdgeUnderTest(originPort: 1) { $0.origin.host = "no-such-host.invalid" }
    #expect(try edge.get("/").status == 502)
  }

  private func connected(ipv6Port port: UInt16) throws -> Wire {
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_port = port.bigEndian
    address.sin6_addr = in6addr_loopback
    return try connected(AF_INET6, &address, MemoryLayout<sockaddr_in6>.size)
  }

  private func connected(unixPath path: String) throws -> Wire {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return try connected(AF_UNIX, &address, MemoryLayout<sockaddr_un>.size)
  }

  private func connected(_ family: Int32, _ address: UnsafeRawPointer, _ length: Int) throws -> Wire
  {
    let descriptor = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    let result = connect(
      descriptor, address.assumingMemoryBound(to: sockaddr.self), socklen_t(length))
    guard result == 0 else {
      let error = errno
      close(descriptor)
      throw WireError.system(error)
    }
    return Wire(descriptor: descriptor)
  }

  @Test func `a drain answers what has arrived before it`() throws {
    let origin = try CachingTests.counting(["Cache-Control: max-age=60"])
    let halted = try HaltedEdge(origin)
    let edge = halted.edge
    let request = "GET / HTTP/1.1\r\nHost: site.atoll.localhost\r\n\r\n"
    let open = try edge.viewer()
    try open.send(request)
    #expect(try open.readResponse().status == 200)
    #expect(try halted.halt())
    // The drain is the first thing that the loop hears of, the requests come after it.
    let drained = Event()
    let thread = TestThread { if edge.edge.drain(timeout: 10) { drained.fire() } }
    usleep(100_000)
    try open.send(request)
    let fresh = try (0..<100).map { _ in try edge.viewer() }
    for viewer in fresh { try viewer.send(request) }
    usleep(100_000)
    halted.goOn()
    for viewer in [open] + fresh {
      let response = try viewer.readResponse()
      #expect(response.status == 200)
      #expect(response["connection"] == "close")
      viewer.close()
    }
    #expect(thread.join())
    #expect(drained.count == 1)
  }
}
