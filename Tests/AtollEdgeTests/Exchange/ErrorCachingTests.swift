// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc
import Testing

/// CloudFront §19 through the running edge: errors are remembered, and an origin that fails is left
/// alone for a while.
@Suite(.timeLimit(.minutes(20)))
struct ErrorCachingTests {
  /// An edge of Lightsail's preset that remembers errors for so many seconds.
  static func edge(
    _ origin: ScriptedOrigin, remembering seconds: Int? = 10, preset: Preset = .static,
    threads: Int = 1, _ change: (inout Distribution) -> Void = { _ in }
  ) throws -> EdgeUnderTest {
    try EdgeUnderTest(
      origin, preset: preset,
      {
        $0.errors.minimumTTL = seconds
        change(&$0)
      }, options: { $0.threads = threads })
  }

  /// Until the wall clock has moved on by so many whole seconds.
  static func wait(seconds: Int64) {
    let end = EdgeUnderTest.now() + seconds + 1
    while EdgeUnderTest.now() < end { usleep(20_000) }
  }

  @Test(arguments: [
    "404 Not Found", "414 URI Too Long", "500 Internal Server Error", "501 Not Implemented",
    "502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout",
  ])
  func `these are remembered although nothing says for how long`(_ status: String) throws {
    let origin = try CachingTests.counting(["X-Own: 1"], status: status)
    let edge = try Self.edge(origin)
    let first = try edge.get("/")
    #expect(first.status == Int(status.prefix(3)))
    #expect(first["x-cache"] == "Error from atoll")
    #expect(first.cacheStatus.contains("stored"))
    let second = try edge.get("/")
    #expect(second.status == first.status)
    #expect(second.text == "1")
    #expect(second["x-own"] == "1")
    #expect(second["age"] != nil)
    #expect(second.isHit)
    #expect(second["x-cache"] == "Error from atoll")
    #expect(try edge.viewer().request("HEAD", "/")["content-length"] == "1")
    #expect(origin.requestCount == 1)
  }

  @Test(arguments: [
    ("400 Bad Request", true), ("403 Forbidden", true), ("405 Method Not Allowed", true),
    ("412 Precondition Failed", true), ("415 Unsupported Media Type", true),
    ("416 Range Not Satisfiable", false), ("401 Unauthorized", true), ("410 Gone", true),
    ("429 Too Many Requests", true),
  ])
  func `these only with a lifetime, 416 never`(status: String, storable: Bool) throws {
    let silent = try CachingTests.counting([], status: status)
    let edge = try Self.edge(silent)
    #expect(try edge.get("/").text == "1")
    #expect(try edge.get("/").text == "2")
    let telling = try CachingTests.counting(["Cache-Control: max-age=60"], status: status)
    let other = try Self.edge(telling)
    #expect(try other.get("/").text == "1")
    let second = try other.get("/")
    #expect(second.text == (storable ? "1" : "2"))
    #expect(second.isHit == storable)
  }

  @Test(arguments: ["no-store", "private", "no-cache"])
  func `what the origin forbids to store is not remembered (RFC 9111 §5.2.2)`(_ control: String)
    throws
  {
    let origin = try CachingTests.counting(
      ["Cache-Control: \(control)"], status: "500 Internal Server Error")
    let edge = try Self.edge(origin)
    #expect(try edge.get("/").text == "1")
    #expect(try edge.get("/").text == "2")
  }

  @Test func `without a minimum RFC 9111 alone counts`() throws {
    let origin = try ScriptedOrigin {
      switch $0.request.target {
      case "/told":
        try $0.respond(
          "500 Internal Server Error", "Cache-Control: max-age=60", body: "\($0.request.number)")
      default: try $0.respond("500 Internal Server Error", body: "\($0.request.number)")
      }
    }
    let edge = try Self.edge(origin, remembering: nil, preset: .origin)
    #expect(try edge.get("/").text == "1")
    #expect(try edge.get("/").text == "2")
    #expect(try edge.get("/told").text == "3")
    #expect(try edge.get("/told").isHit)
  }

  @Test func `the longer of minimum and lifetime counts, then the origin is asked again`() throws {
    let origin = try ScriptedOrigin {
      let control = $0.request.target == "/short" ? "max-age=1" : "max-age=60"
      try $0.respond("404 Not Found", "Cache-Control: \(control)", body: "\($0.request.number)")
    }
    let edge = try Self.edge(origin, remembering: 2) {
      $0.errors.responses = [ErrorResponse(status: 500, minimumTTL: 60)]
    }
    _ = try edge.get("/short")
    _ = try edge.get("/long")
    // The minimum has not passed yet, the origin's second has.
    let past = EdgeUnderTest.now() + 1
    while EdgeUnderTest.now() < past { usleep(10_000) }
    #expect(try edge.get("/short").text == "1")
    Self.wait(seconds: 2)
    #expect(try edge.get("/short").text == "3")
    #expect(try edge.get("/long").text == "2")
  }

  @Test func `an origin that is back serves again after the minimum`() throws {
    let origin = try ScriptedOrigin {
      if $0.request.number == 1 { return try $0.respond("503 Service Unavailable") }
      try $0.respond("200 OK", "Cache-Control: max-age=600", body: "back")
    }
    let edge = try Self.edge(origin, remembering: 1)
    #expect(try edge.get("/").status == 503)
    #expect(try edge.get("/").status == 503)
    Self.wait(seconds: 1)
    #expect(try edge.get("/").text == "back")
    #expect(try edge.get("/").isHit)
    #expect(origin.requestCount == 2)
  }

  // MARK: No answer at all

  @Test func `an origin that closes is asked once, with a reason afterwards`() throws {
    let origin = try ScriptedOrigin { $0.close() }
    let edge = try Self.edge(origin)
    let first = try edge.get("/")
    #expect(first.status == 502)
    #expect(first.cacheStatus.contains("detail=origin-closed"))
    for _ in 0..<3 {
      let again = try edge.get("/")
      #expect(again.status == 502)
      #expect(again["x-cache"] == "Error from atoll")
      #expect(again.cacheStatus == ["detail=origin-recently-failed"])
      #expect(again.text.contains("origin-closed"))
    }
    #expect(try edge.viewer().request("HEAD", "/").status == 502)
    #expect(origin.requestCount == 1)
    // Another URL is another matter.
    #expect(try edge.get("/other").status == 502)
    #expect(origin.requestCount == 2)
  }

  @Test func `a silent origin is 504 for the minimum`() throws {
    let origin = try ScriptedOrigin { $0.stall() }
    let edge = try Self.edge(origin) { $0.origin.responseTimeout = 1 }
    #expect(try edge.get("/").status == 504)
    let started = Clock.now()
    #expect(try edge.get("/").status == 504)
    #expect(Clock.now() - started < 0.9)
    #expect(origin.requestCount == 1)
  }

  @Test(arguments: [true, false])
  func `ranges leave a failing origin alone, too`(answers: Bool) throws {
    let origin = try ScriptedOrigin {
      if !answers { return $0.close() }
      try $0.respond("503 Service Unavailable", "Connection: close", body: "busy")
    }
    let edge = try Self.edge(origin)
    for range in ["bytes=0-1", "bytes=5-", "bytes=0-0,4-5", "bytes=0-1"] {
      let response = try edge.get("/", "Range: \(range)")
      #expect(response.status == (answers ? 503 : 502))
    }
    #expect(try edge.get("/").status == (answers ? 503 : 502))
    #expect(origin.requestCount == 1)
  }

  @Test func `stored slices are served although the origin fails for the rest`() throws {
    let body = String(repeating: "0123456789abcdef", count: 8192)
    let origin = try ScriptedOrigin { exchange in
      guard exchange.request.number == 1 else { return exchange.close() }
      let part = body.prefix(65_536)
      try exchange.respond(
        "206 Partial Content", "Content-Range: bytes 0-65535/\(body.utf8.count)", "ETag: \"1\"",
        "Cache-Control: max-age=600", "Connection: close", body: String(part))
    }
    let edge = try Self.edge(origin) { $0.settings.sliceSize = 65_536 }
    #expect(try edge.get("/", "Range: bytes=0-15").text == "0123456789abcdef")
    #expect(try edge.get("/", "Range: bytes=70000-70001").status == 502)
    let again = try edge.get("/", "Range: bytes=16-17")
    #expect(again.status == 206)
    #expect(again.text == "01")
  }

  @Test func `without a minimum a failure is forgotten at once`() throws {
    for seconds in [nil, 0] {
      let origin = try ScriptedOrigin {
        if $0.request.number == 1 { return $0.close() }
        try $0.respond(body: "back")
      }
      let edge = try Self.edge(origin, remembering: seconds)
      #expect(try edge.get("/").status == 502)
      #expect(try edge.get("/").text == "back")
    }
  }

  @Test(arguments: [PurgeSelector.path("/a"), .prefix("/"), .all], [false, true])
  func `a purge ends the memory (§19)`(_ selector: PurgeSelector, soft: Bool) throws {
    let origin = try ScriptedOrigin { exchange in
      switch (exchange.request.target, exchange.request.number) {
      case ("/a", 1): exchange.close()
      case ("/a", 2): try exchange.respond("500 Internal Server Error", body: "no")
      default: try exchange.respond("200 OK", body: "back")
      }
    }
    let edge = try Self.edge(origin)
    #expect(try edge.get("/a").status == 502)
    edge.purge(selector, soft: soft)
    #expect(try edge.get("/a").status == 500)
    #expect(try edge.get("/a").status == 500)
    edge.purge(selector, soft: soft)
    #expect(try edge.get("/a").text == "back")
    #expect(origin.requestCount == 3)
  }

  @Test func `a successful unsafe request ends it, too (RFC 9111 §4.4)`() throws {
    let origin = try ScriptedOrigin { exchange in
      if exchange.request.method == "PUT" {
        _ = try exchange.readBody()
        return try exchange.respond("201 Created")
      }
      if exchange.request.number == 1 {
        return try exchange.respond("500 Internal Server Error", body: "no")
      }
      try exchange.respond("200 OK", body: "there")
    }
    let edge = try Self.edge(origin)
    #expect(try edge.get("/a").status == 500)
    #expect(try edge.get("/a").status == 500)
    #expect(try edge.viewer().request("PUT", "/a", body: "x").status == 201)
    #expect(try edge.get("/a").text == "there")
  }

  @Test func `many viewers of a failing origin make one request`() throws {
    let go = Event()
    let origin = try ScriptedOrigin { exchange in
      go.wait()
      if exchange.request.target == "/closes" { return exchange.close() }
      try exchange.respond("503 Service Unavailable", body: "busy")
    }
    let edge = try Self.edge(origin, threads: 2)
    for target in ["/closes", "/answers"] {
      let before = origin.requestCount
      let viewers = try (0..<40).map { _ in try edge.viewer() }
      for viewer in viewers { try viewer.send(ScriptedViewer.head("GET", target)) }
      #expect(origin.waitFor(requests: before + 1))
      usleep(200_000)
      go.fire()
      for viewer in viewers {
        #expect(try viewer.readResponse().status == (target == "/closes" ? 502 : 503))
      }
    }
    #expect(origin.requestCount == 2)
  }

  @Test func `credentials get no remembered error of the origin's, but its silence`() throws {
    let origin = try ScriptedOrigin {
      if $0.request.target == "/closes" { return $0.close() }
      try $0.respond(
        "500 Internal Server Error", "Connection: close", body: "\($0.request.number)")
    }
    let edge = try Self.edge(origin, preset: .origin)
    #expect(try edge.get("/").text == "1")
    #expect(try edge.get("/").text == "1")
    // RFC 9111 §3.5.
    #expect(try edge.get("/", "Authorization: Basic eA==").text == "2")
    #expect(try edge.get("/closes").status == 502)
    #expect(try edge.get("/closes", "Authorization: Basic eA==").status == 502)
    #expect(origin.requestCount == 3)
  }

  @Test func `a request that wants the origin's word gets it, one that must not ask does not`()
    throws
  {
    let origin = try CachingTests.counting([], status: "500 Internal Server Error")
    let edge = try Self.edge(origin, preset: .origin)
    #expect(try edge.get("/").text == "1")
    #expect(try edge.get("/", "Cache-Control: no-cache").text == "2")
    #expect(try edge.get("/", "Cache-Control: only-if-cached").text == "2")
    #expect(try edge.get("/other", "Cache-Control: only-if-cached").status == 504)
    #expect(origin.requestCount == 2)
  }

  // MARK: Beside a good entry

  /// Serves "good" with these directives once, then does what a test says. No connection is used
  /// again: one that closes would be taken for having idled too long, and the request repeated.
  static func failing(
    control: String = "max-age=600",
    _ then: @escaping @Sendable (OriginExchange) throws -> Void
  ) throws -> ScriptedOrigin {
    try ScriptedOrigin {
      if $0.request.number > 1 { return try then($0) }
      try $0.respond(
        "200 OK", "Cache-Control: \(control)", "ETag: \"1\"", "Connection: close", body: "good")
    }
  }

  @Test(arguments: [500, 502, 503, 504, nil])
  func `the expired copy is served for the minimum before the origin is asked again`(
    _ status: Int?
  ) throws {
    let origin = try Self.failing { exchange in
      guard let status else { return exchange.close() }
      try exchange.respond("\(status) Failing", "Cache-Control: max-age=60", body: "no")
    }
    let edge = try Self.edge(origin, remembering: 1)
    _ = try edge.get("/")
    edge.purge(.path("/"), soft: true)
    let first = try edge.get("/")
    #expect(first.text == "good")
    #expect(first.cacheStatus.contains("fwd=stale"))
    for _ in 0..<3 {
      let stale = try edge.get("/")
      #expect(stale.status == 200)
      #expect(stale.text == "good")
      #expect(stale["x-cache"] == "Hit from atoll")
      #expect(stale.isHit)
      #expect(stale.cacheStatus.contains("detail=origin-recently-failed"))
    }
    #expect(origin.requestCount == 2)
    Self.wait(seconds: 1)
    #expect(try edge.get("/").text == "good")
    #expect(origin.requestCount == 3)
  }

  @Test func `a 4xx is the answer although there is an expired copy`() throws {
    let origin = try Self.failing { try $0.respond("404 Not Found", body: "gone") }
    let edge = try Self.edge(origin)
    _ = try edge.get("/")
    edge.purge(.path("/"), soft: true)
    #expect(try edge.get("/").status == 404)
    #expect(try edge.get("/").text == "gone")
    #expect(origin.requestCount == 2)
  }

  @Test(arguments: ["must-revalidate", "proxy-revalidate", "s-maxage=600", "no-cache"])
  func `where stale is forbidden the error is the answer, and the entry stays for the origin`(
    _ directive: String
  ) throws {
    let origin = try Self.failing(control: "max-age=600, \(directive)") { exchange in
      if exchange.request.number == 2 {
        return try exchange.respond("500 Internal Server Error", body: "no")
      }
      if exchange.request["if-none-match"] == "\"1\"" {
        return try exchange.sendHead("304 Not Modified", "ETag: \"1\"")
      }
      try exchange.respond(body: "fetched anew")
    }
    let edge = try Self.edge(origin, remembering: 1)
    _ = try edge.get("/")
    edge.purge(.path("/"), soft: true)
    for _ in 0..<3 { #expect(try edge.get("/").status == 500) }
    #expect(origin.requestCount == 2)
    Self.wait(seconds: 1)
    // The 5xx has not taken the entry's place: it is confirmed, not fetched.
    #expect(try edge.get("/").text == "good")
    #expect(origin.requestCount == 3)
  }

  @Test func `a 5xx without Vary leaves the variants of its URL alone`() throws {
    let origin = try ScriptedOrigin {
      if $0.request["accept-language"] == "fr" {
        return try $0.respond("500 Internal Server Error", body: "non")
      }
      try $0.respond(
        "200 OK", "Cache-Control: max-age=600", "Vary: Accept-Language", body: "good")
    }
    let edge = try Self.edge(origin, preset: .origin)
    #expect(try edge.get("/", "Accept-Language: en").text == "good")
    #expect(try edge.get("/", "Accept-Language: fr").status == 500)
    #expect(try edge.get("/", "Accept-Language: fr").isHit)
    #expect(try edge.get("/", "Accept-Language: en").isHit)
    #expect(origin.requestCount == 2)
  }

  @Test func `stale-while-revalidate does not ask a failing origin behind every answer`() throws {
    let origin = try Self.failing(control: "max-age=1, stale-while-revalidate=600") { $0.close() }
    let edge = try Self.edge(origin)
    _ = try edge.get("/")
    Self.wait(seconds: 1)
    #expect(try edge.get("/").text == "good")
    #expect(origin.waitFor(requests: 2))
    // Until what the background request found out is remembered.
    usleep(200_000)
    for _ in 0..<5 {
      let response = try edge.get("/")
      #expect(response.text == "good")
      #expect(response.cacheStatus.contains("detail=stale-while-revalidate"))
    }
    usleep(100_000)
    #expect(origin.requestCount == 2)
  }
}
