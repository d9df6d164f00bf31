// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc
import Testing

/// RFC 9111 §4.2.4 and RFC 5861 through the running edge, in the preset that obeys both.
@Suite(.timeLimit(.minutes(20)))
struct StaleTests {
  enum Failing: String, Sendable, CaseIterable {
    case closes, resets, silent, truncatedHead, malformed
    case status500, status502, status503, status504

    func answer(_ exchange: OriginExchange) throws {
      switch self {
      case .closes: exchange.close()
      case .resets: exchange.reset()
      case .silent: exchange.stall()
      case .truncatedHead:
        try exchange.send("HTTP/1.1 200 OK\r\nContent-")
        exchange.close()
      case .malformed:
        try exchange.send("HTTP/9 nonsense\r\n\r\n")
        exchange.close()
      default: try exchange.respond("\(rawValue.suffix(3)) Failing", body: "no")
      }
    }
  }

  /// What a distribution answers whose entry, with these directives, has just been purged softly.
  private func answer(
    _ control: String, _ failing: Failing, _ fields: [String] = [],
    _ change: (inout Distribution) -> Void = { _ in }
  ) throws -> ViewerResponse {
    let origin = try ScriptedOrigin {
      if $0.request.number > 1 { return try failing.answer($0) }
      try $0.respond("200 OK", "Cache-Control: \(control)", "ETag: \"1\"", body: "good")
    }
    let edge = try EdgeUnderTest(origin) {
      $0.origin.responseTimeout = 1
      change(&$0)
    }
    #expect(try edge.get("/").text == "good")
    edge.purge(.path("/"), soft: true)
    return try edge.viewer().request("GET", "/", fields)
  }

  @Test(arguments: Failing.allCases)
  func `a stale entry stands in whatever the failure`(_ failing: Failing) throws {
    let response = try answer("max-age=600", failing)
    #expect(response.status == 200)
    #expect(response.text == "good")
    let isStatus = failing.rawValue.hasPrefix("status")
    #expect(
      response.cacheStatus.contains("detail=\(isStatus ? "origin-error" : "origin-unreachable")"))
  }

  @Test(
    arguments: [
      "max-age=600, must-revalidate", "max-age=600, proxy-revalidate", "s-maxage=600",
      "max-age=600, no-cache", "max-age=600, stale-if-error=0",
    ], [Failing.closes, .silent, .status500, .status503])
  func `never where the origin forbids it (§5.2.2)`(control: String, failing: Failing) throws {
    let response = try answer(control, failing)
    let expected: Int =
      switch failing {
      case .silent: 504
      // §5.2.2.2: where it is validation that is missing.
      case .closes where control.contains("revalidate") || control.contains("s-maxage"): 504
      case .status500: 500
      case .status503: 503
      default: 502
      }
    #expect(response.status == expected)
    #expect(response.text != "good")
  }

  @Test(arguments: [
    // RFC 5861 §4: the request may shorten it; the time counts from the end of the lifetime.
    ("Cache-Control: stale-if-error=0", 502), ("Cache-Control: stale-if-error=600", 200),
    ("Cache-Control: stale-if-error=x", 502),
  ])
  func `a request's stale-if-error`(field: String, status: Int) throws {
    #expect(try answer("max-age=600", .closes, [field]).status == status)
  }

  @Test func `a request's stale-if-error is nothing to Lightsail's presets`() throws {
    let origin = try ErrorCachingTests.failing { $0.close() }
    let edge = try EdgeUnderTest(origin, preset: .static)
    _ = try edge.get("/")
    edge.purge(.path("/"), soft: true)
    #expect(try edge.get("/", "Cache-Control: stale-if-error=0").text == "good")
  }

  @Test func `501 is no failure that a stale entry stands in for (RFC 5861 §4)`() throws {
    let origin = try ErrorCachingTests.failing { try $0.respond("501 Not Implemented") }
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/")
    edge.purge(.path("/"), soft: true)
    #expect(try edge.get("/").status == 501)
  }

  @Test func `an entry may stand in only as long as its behavior says`() throws {
    let response = try answer("max-age=600", .closes) { $0.settings.staleIfError = 0 }
    #expect(response.status == 502)
    // What the origin allows goes before.
    let allowed = try answer("max-age=600, stale-if-error=60", .closes) {
      $0.settings.staleIfError = 0
    }
    #expect(allowed.text == "good")
  }

  @Test func `many viewers over two loops: one request behind stale answers (RFC 5861 §3)`() throws
  {
    let go = Event()
    let origin = try ScriptedOrigin { exchange in
      let number = exchange.request.number
      if number > 1 { go.wait() }
      try exchange.respond(
        "200 OK", "Cache-Control: max-age=1, stale-while-revalidate=600", body: "v\(number)")
    }
    let edge = try EdgeUnderTest(origin, options: { $0.threads = 2 })
    _ = try edge.get("/")
    ErrorCachingTests.wait(seconds: 1)
    for _ in 0..<20 {
      let response = try edge.get("/")
      #expect(response.text == "v1")
      #expect(response.cacheStatus.contains("detail=stale-while-revalidate"))
      // RFC 9111 §5.1.
      #expect(Int(response["age"] ?? "")! >= 1)
    }
    #expect(origin.waitFor(requests: 2))
    usleep(100_000)
    #expect(origin.requestCount == 2)
    go.fire()
    #expect(eventually { (try? edge.get("/").text) != "v1" })
  }

  @Test func `stale while revalidating is not served where the origin forbids stale`() throws {
    let origin = try ScriptedOrigin {
      try $0.respond(
        "200 OK", "Cache-Control: max-age=1, must-revalidate, stale-while-revalidate=600",
        body: "v\($0.request.number)")
    }
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/")
    ErrorCachingTests.wait(seconds: 1)
    #expect(try edge.get("/").text == "v2")
  }

  @Test func `only-if-cached is 504 when the entry may not be used, and never asks`() throws {
    let origin = try CachingTests.counting(["Cache-Control: max-age=600", "ETag: \"1\""])
    let edge = try EdgeUnderTest(origin)
    #expect(try edge.get("/", "Cache-Control: only-if-cached").status == 504)
    _ = try edge.get("/")
    #expect(try edge.get("/", "Cache-Control: only-if-cached").text == "1")
    edge.purge(.path("/"), soft: true)
    let refused = try edge.get("/", "Cache-Control: only-if-cached")
    #expect(refused.status == 504)
    #expect(refused.cacheStatus == ["detail=only-if-cached"])
    #expect(origin.requestCount == 1)
  }

  @Test func `the log tells that a purge overtook a fill`() throws {
    let log = AccessLogTests.LogFile()
    let more = Event()
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead(
        "200 OK", "Cache-Control: max-age=600", "Transfer-Encoding: chunked")
      more.wait()
      try exchange.send(chunked("body"))
    }
    let edge = try EdgeUnderTest(
      origin,
      options: {
        $0.log(to: log.path)
      })
    let viewer = try edge.viewer()
    try viewer.send(ScriptedViewer.head("GET", "/"))
    let response = try viewer.readResponseHead()
    edge.purge(.path("/"))
    more.fire()
    #expect(try viewer.readBody(of: response).bytes == Array("body".utf8))
    viewer.close()
    edge.stop()
    let line = String(decoding: log.bytes, as: UTF8.self)
    #expect(line.contains("purged-during-fill"))
  }

  @Test func `an upgrade that comes during a drain is refused with the reason`() throws {
    let origin = try CachingTests.counting(["Cache-Control: max-age=60"])
    let halted = try HaltedEdge(origin)
    let edge = halted.edge
    let open = try edge.viewer()
    try open.send("GET / HTTP/1.1\r\nHost: site.atoll.localhost\r\n\r\n")
    #expect(try open.readResponse().status == 200)
    // The drain is the next thing that the loop hears of.
    #expect(try halted.halt())
    let thread = TestThread { _ = edge.edge.drain(timeout: 10) }
    usleep(100_000)
    try open.send(
      "GET /chat HTTP/1.1\r\nHost: site.atoll.localhost\r\n"
        + "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n")
    usleep(100_000)
    halted.goOn()
    let response = try open.readResponse()
    #expect(response.status == 503)
    #expect(response.cacheStatus == ["detail=draining"])
    #expect(response["retry-after"] == "1")
    #expect(response["connection"] == "close")
    open.close()
    #expect(thread.join())
    #expect(origin.requestCount == 1)
  }
}
