// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Glibc
import TestSupport
import Testing

/// Where several rules meet in one exchange.
@Suite(.timeLimit(.minutes(20)))
struct CombinationTests {
  // MARK: Error pages

  @Test(arguments: ["GET", "HEAD"])
  func `a page of which slices are stored has the error's status (CloudFront §20)`(
    method: String
  ) throws {
    let site = Shared(RangedSite(size: 2_500))
    let origin = try ScriptedOrigin { exchange in
      if exchange.request.target.hasPrefix("/missing") {
        return try exchange.respond("404 Not Found", body: "gone")
      }
      try site.value.answer(exchange) { _ in true }
    }
    let edge = try EdgeUnderTest(origin) {
      $0.settings.sliceSize = 1000
      $0.errors.responses = [ErrorResponse(status: 404, page: .path("/page"), responseStatus: 503)]
    }
    #expect(try edge.get("/page", "Range: bytes=0-2499").status == 206)
    #expect(try edge.get("/page").isHit)
    let viewer = try edge.viewer()
    for number in 1...2 {
      let response = try viewer.request(method, "/missing/\(number)", [])
      #expect(response.status == 503)
      #expect(response["content-length"] == "2500")
      #expect(response.body.bytes == (method == "HEAD" ? [] : site.value.body))
    }
  }

  /// A distribution whose origin refuses, with a file as its page.
  private static func edge(
    _ origin: RefusingOrigin, withPage bytes: Int, in directory: TemporaryDirectory,
    _ change: (inout Distribution) -> Void = { _ in }
  ) throws -> SupervisedEdge {
    let path = directory.write("down.html", String(repeating: "p", count: bytes))
    return try SupervisedEdge(
      in: directory,
      unsaved: try makeDistribution("site", origin: "http://127.0.0.1:\(origin.port)") {
        $0.origin.connectAttempts = 1
        $0.errors.responses = [ErrorResponse(status: 502, page: .file(path))]
        change(&$0)
      })
  }

  @Test func `a page from a file gets the behavior's response headers`() throws {
    let directory = TemporaryDirectory()
    let origin = try RefusingOrigin()
    let edge = try Self.edge(origin, withPage: 9, in: directory) {
      $0.settings.responseHeaders.set = [
        ResponseHeader(name: "X-Frame-Options", value: "DENY"),
        ResponseHeader(name: "Cache-Control", value: "max-age=9", mode: .override),
      ]
    }
    let response = try ScriptedViewer(port: edge.port).get("/")
    #expect(response.status == 502)
    #expect(response["x-frame-options"] == "DENY")
    // No policy makes an error of the edge itself last.
    #expect(response["cache-control"] == "no-store")
    #expect(response.text == "ppppppppp")
  }

  @Test func `a large page from a file reaches slow viewers whole, and is not held for each`()
    throws
  {
    let directory = TemporaryDirectory()
    let size = Limits.errorPageFile
    let path = directory.write("gone.html", String(repeating: "p", count: size))
    let origin = try ScriptedOrigin { try $0.respond("404 Not Found", body: "gone") }
    let edge = try EdgeProcess(origin, "--threads", "1", "--error-page", "404=file:\(path)")
    _ = try edge.get("/")
    let before = edge.residentBytes
    let viewers = try (0..<200).map { _ in try edge.viewer(receiveBuffer: 4096) }
    for viewer in viewers {
      try viewer.send(ScriptedViewer.head("GET", "/"))
      #expect(try viewer.readResponseHead()["content-length"] == "\(size)")
    }
    // A copy for each would be 50 MiB.
    #expect(edge.residentBytes - before < 16 << 20)
    for viewer in viewers.prefix(8) {
      #expect(try viewer.wire.read(size) == [UInt8](repeating: UInt8(ascii: "p"), count: size))
    }
  }

  @Test func `a page's Server-Timing counts from the request for what failed`() throws {
    let origin = try ScriptedOrigin { exchange in
      if exchange.request.target == "/page" {
        return try exchange.respond("200 OK", "Cache-Control: max-age=60", body: "page")
      }
      try exchange.respond("404 Not Found", body: "gone")
    }
    let edge = try EdgeUnderTest(origin) {
      var behavior = PathBehavior(path: "/page", caching: .cache)
      behavior.overrides.responseHeaders = ResponseHeaderSettings(serverTiming: 100)
      $0.behaviors = [behavior]
      $0.errors.responses = [ErrorResponse(status: 404, page: .path("/page"))]
    }
    for number in 1...2 {
      let response = try edge.get("/\(number)")
      #expect(response.text == "page")
      let metrics = response.head.list("server-timing")
      let durations = metrics.flatMap { $0.split(separator: ";") }.compactMap {
        $0.hasPrefix("dur=") ? Double($0.dropFirst(4)) : nil
      }
      #expect(!metrics.isEmpty)
      #expect(durations.allSatisfy { $0 < 10_000 }, "\(metrics)")
    }
  }

  // MARK: Slices and failures

  @Test func `slices leave an origin alone whose failure is remembered (CloudFront §19)`() throws {
    let site = Shared(RangedSite(size: 2_500))
    site.withLock { $0.fields = ["Cache-Control: max-age=1"] }
    let fails = Shared(false)
    let origin = try ScriptedOrigin { exchange in
      if fails.value { return exchange.close() }
      try site.value.answer(exchange) { _ in true }
    }
    let edge = try EdgeUnderTest(origin) {
      $0.settings.sliceSize = 1000
      $0.settings.staleIfError = 600
      $0.errors.minimumTTL = 60
    }
    #expect(try edge.get("/", "Range: bytes=0-99").status == 206)
    fails.withLock { $0 = true }
    sleep(3)
    let first = try edge.get("/", "Range: bytes=0-99")
    #expect(first.status == 206)
    let asked = origin.requestCount
    for _ in 1...3 {
      let response = try edge.get("/", "Range: bytes=100-199")
      #expect(response.status == 206)
      #expect(response.body.bytes == Array(site.value.body[100..<200]))
      #expect(response.cacheStatus.contains("detail=origin-recently-failed"))
    }
    // Of this nothing is stored.
    let missing = try edge.get("/", "Range: bytes=1000-1099")
    #expect(missing.status == 502)
    #expect(missing.cacheStatus.contains("detail=origin-recently-failed"))
    #expect(origin.requestCount == asked)
  }

  // MARK: Reloads

  @Test func `viewers after a reload share one fetch, though an older one is under way`() throws {
    let more = Event()
    let origin = try CoalescingTests.inTwoParts(more)
    let edge = try EdgeUnderTest(origin, { $0.origin.responseTimeout = 60 })
    let early = try edge.viewer()
    try early.send(ScriptedViewer.head("GET", "/"))
    _ = try early.readResponseHead()
    try edge.reload { $0[0].settings.ttl.minimum = 1 }
    let viewers = try (0..<5).map { _ in try edge.viewer() }
    for viewer in viewers {
      try viewer.send(ScriptedViewer.head("GET", "/"))
      _ = try viewer.readResponseHead()
    }
    #expect(origin.requestCount == 2)
    more.fire()
    for viewer in viewers + [early] {
      #expect(try viewer.wire.read(12) == Array("first second".utf8))
    }
    #expect(try edge.get("/").isHit)
  }

  // MARK: Upgrades

  @Test func `an upgraded connection counts as its target's until it ends`() throws {
    let origin = try ScriptedOrigin { exchange in
      try exchange.send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: Upgrade\r\n\r\n")
      while try exchange.wire.receive() {
        try exchange.send(exchange.wire.take(exchange.wire.pendingCount))
      }
      exchange.close()
    }
    let edge = try EdgeUnderTest(origin)
    func load() -> Int { edge.edge.health()[0].origins[0].targets[0].connections }
    let viewer = try edge.viewer()
    try viewer.send(ScriptedViewer.head("GET", "/", ["Connection: Upgrade", "Upgrade: chat"]))
    #expect(try viewer.readResponseHead().status == 101)
    try viewer.send("x")
    #expect(try viewer.wire.read(1) == [0x78])
    #expect(load() == 1)
    viewer.close()
    for _ in 0..<200 where load() != 0 { usleep(20_000) }
    #expect(load() == 0)
  }
}
