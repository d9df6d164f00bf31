// SPDX-License-Identifier: Apache-2.0
import Glibc
import Testing

/// Conditional requests in both directions: RFC 9110 §13, RFC 9111 §4.3.
@Suite(.timeLimit(.minutes(20)))
struct RevalidationTests {
  static let modified = "Sat, 01 Jan 2022 00:00:00 GMT"

  /// An origin with one resource, that it confirms to whoever has it.
  static func origin(etag: String? = "\"v1\"") throws -> ScriptedOrigin {
    try ScriptedOrigin { exchange in
      let number = exchange.request.number
      let fields = [
        "Cache-Control: max-age=600", "Last-Modified: \(modified)", "X-Number: \(number)",
      ]
      let validators = fields + (etag.map { ["ETag: \($0)"] } ?? [])
      let knows =
        etag != nil
        ? exchange.request.head.list("if-none-match").contains(etag!)
        : exchange.request["if-modified-since"] == modified
      let body = knows ? "" : "body \(number)"
      let head =
        ["HTTP/1.1 \(knows ? "304 Not Modified" : "200 OK")"] + validators
        + (knows ? [] : ["Content-Length: \(body.utf8.count)"])
      try exchange.send(head.joined(separator: "\r\n") + "\r\n\r\n" + body)
    }
  }

  @Test(arguments: ["\"v1\"", "W/\"v1\"", nil])
  func `a stale entry is confirmed by 304 and used`(_ etag: String?) throws {
    let origin = try Self.origin(etag: etag)
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/")
    edge.purge(.path("/"), soft: true)
    let response = try edge.get("/")
    #expect(response.status == 200)
    #expect(response.text == "body 1")
    #expect(response["x-cache"] == "RefreshHit from atoll")
    // RFC 9111 §3.2: the entry takes the fields of the 304.
    #expect(response["x-number"] == "2")
    let asked = try #require(origin.requests.last)
    #expect(asked["if-none-match"] == etag)
    #expect(asked["if-modified-since"] == Self.modified || etag != nil)
    // It is fresh again.
    let hit = try edge.get("/")
    #expect(hit.isHit)
    #expect(hit["x-number"] == "2")
    #expect(hit["content-length"] == "6")
    #expect(origin.requestCount == 2)
  }

  @Test func `a changed resource replaces the entry`() throws {
    let origin = try ScriptedOrigin {
      let number = $0.request.number
      try $0.respond(
        "200 OK", "Cache-Control: max-age=600", "ETag: \"\(number)\"", body: "v\(number)")
    }
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/")
    edge.purge(.path("/"), soft: true)
    #expect(try edge.get("/").text == "v2")
    #expect(try edge.get("/").text == "v2")
    #expect(try #require(origin.requests.last)["if-none-match"] == "\"1\"")
  }

  @Test func `an entry without validators is fetched anew`() throws {
    let origin = try CachingTests.counting(["Cache-Control: max-age=600"])
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/")
    edge.purge(.path("/"), soft: true)
    #expect(try edge.get("/").text == "2")
    let asked = try #require(origin.requests.last)
    #expect(asked["if-none-match"] == nil && asked["if-modified-since"] == nil)
  }

  @Test func `a stale entry is served while it is revalidated, where the origin allows it`() throws
  {
    let go = Event()
    let origin = try ScriptedOrigin { exchange in
      let number = exchange.request.number
      if number > 1 { go.wait() }
      try exchange.respond(
        "200 OK", "Cache-Control: max-age=600, stale-while-revalidate=60",
        number == 1 ? "Age: 599" : "Age: 0", body: "v\(number)")
    }
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/")
    let expired = EdgeUnderTest.now() + 2
    while EdgeUnderTest.now() < expired { usleep(20_000) }
    // The origin has not answered yet, so this can only be the old one.
    let stale = try edge.get("/")
    #expect(stale.text == "v1")
    #expect(origin.waitFor(requests: 2))
    go.fire()
    let started = Clock.now()
    while try edge.get("/").text == "v1", Clock.now() - started < 5 {}
    #expect(try edge.get("/").text == "v2")
    #expect(origin.requestCount == 2)
  }

  @Test func `no-cache in a request revalidates a fresh entry`() throws {
    let origin = try Self.origin()
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/")
    let response = try edge.get("/", "Cache-Control: no-cache")
    #expect(response.text == "body 1")
    #expect(try #require(origin.requests.last)["if-none-match"] == "\"v1\"")
  }

  struct Conditional: Sendable, CustomTestStringConvertible {
    var field: String
    var status: Int
    var testDescription: String { field }
  }

  @Test(arguments: [
    Conditional(field: "If-None-Match: \"v1\"", status: 304),
    Conditional(field: "If-None-Match: W/\"v1\"", status: 304),
    Conditional(field: "If-None-Match: \"v0\", \"v1\"", status: 304),
    Conditional(field: "If-None-Match: *", status: 304),
    Conditional(field: "If-None-Match: \"v2\"", status: 200),
    Conditional(field: "If-None-Match: \"v\"", status: 200),
    Conditional(field: "If-Modified-Since: \(modified)", status: 304),
    Conditional(field: "If-Modified-Since: Sun, 02 Jan 2022 00:00:00 GMT", status: 304),
    Conditional(field: "If-Modified-Since: Fri, 31 Dec 2021 00:00:00 GMT", status: 200),
    Conditional(field: "If-Modified-Since: yesterday", status: 200),
    Conditional(field: "If-Match: \"v1\"", status: 200),
    Conditional(field: "If-Match: *", status: 200),
    Conditional(field: "If-Unmodified-Since: \(modified)", status: 200),
  ])
  func `a viewer's condition is answered from the entry`(_ conditional: Conditional) throws {
    let origin = try Self.origin()
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    _ = try viewer.get("/")
    let response = try viewer.get("/", conditional.field)
    #expect(response.status == conditional.status)
    if response.status == 304 {
      // RFC 9110 §15.4.5: what a 200 would have said of validators and caching.
      #expect(response["etag"] == "\"v1\"")
      #expect(response["cache-control"] == "max-age=600")
      #expect(response["date"] != nil)
      #expect(response["content-length"] == nil)
    }
    #expect(try viewer.get("/").text == "body 1")
    #expect(origin.requestCount == 1)
  }

  @Test(arguments: [
    "If-Match: \"v2\"", "If-Match: W/\"v1\"",
    "If-Unmodified-Since: Fri, 31 Dec 2021 00:00:00 GMT",
  ])
  func `what only an origin may refuse is asked of the origin (RFC 9111 §4.3.2)`(
    _ condition: String
  ) throws {
    let name = condition.prefix { $0 != ":" }.lowercased()
    let origin = try ScriptedOrigin {
      if $0.request[name] != nil { return try $0.respond("412 Precondition Failed") }
      try $0.respond(
        "200 OK", "Cache-Control: max-age=600", "ETag: \"v1\"",
        "Last-Modified: \(Self.modified)", body: "kept")
    }
    let edge = try EdgeUnderTest(origin)
    // With nothing stored, and beside a fresh entry.
    #expect(try edge.get("/", condition).status == 412)
    _ = try edge.get("/")
    let response = try edge.get("/", condition)
    #expect(response.status == 412)
    #expect(response.cacheStatus.contains("fwd=request"))
    #expect(try #require(origin.requests.last)["if-none-match"] == nil)
    let after = try edge.get("/")
    #expect(after.isHit)
    #expect(after.text == "kept")
  }

  @Test func `If-None-Match wins over If-Modified-Since`() throws {
    let origin = try Self.origin()
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/")
    let response = try edge.get("/", "If-None-Match: \"x\"", "If-Modified-Since: \(Self.modified)")
    #expect(response.status == 200)
  }

  @Test func `a viewer's condition never reaches the origin when the answer may be stored`() throws
  {
    let origin = try Self.origin()
    let edge = try EdgeUnderTest(origin)
    let response = try edge.get("/", "If-None-Match: \"v1\"")
    #expect([200, 304].contains(response.status))
    let asked = try #require(origin.requests.first)
    #expect(asked["if-none-match"] == nil)
    let whole = try edge.get("/")
    #expect(whole.isHit)
    #expect(whole.text == "body 1")
  }

  @Test func `a condition passes where nothing is cached`() throws {
    let origin = try Self.origin()
    let edge = try EdgeUnderTest(origin) { $0.defaultBehavior = .dontCache }
    #expect(try edge.get("/", "If-None-Match: \"v1\"").status == 304)
  }

  @Test func `a 304 nobody asked for is not an answer`() throws {
    let origin = try ScriptedOrigin {
      try $0.sendHead("304 Not Modified", "ETag: \"v1\"", "Cache-Control: max-age=60")
    }
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/")
    let again = try edge.get("/")
    #expect(!again.isHit)
  }

  // MARK: Ranges

  static let digits = "0123456789"

  static func ranged() throws -> ScriptedOrigin {
    try ScriptedOrigin { exchange in
      if let range = exchange.request["range"], exchange.request.number == 1 {
        try exchange.respond(
          "206 Partial Content", "Content-Range: bytes 0-1/10", "X-Range: \(range)", body: "01")
      } else {
        try exchange.respond(
          "200 OK", "Cache-Control: max-age=60", "ETag: \"r\"", "Last-Modified: \(modified)",
          body: digits)
      }
    }
  }

  @Test(arguments: [
    ("bytes=0-3", "0123", "bytes 0-3/10"), ("bytes=4-", "456789", "bytes 4-9/10"),
    ("bytes=-3", "789", "bytes 7-9/10"), ("bytes=8-100", "89", "bytes 8-9/10"),
    ("bytes=-100", "0123456789", "bytes 0-9/10"), ("bytes=9-9", "9", "bytes 9-9/10"),
  ])
  func `a range of an entry is 206`(range: String, body: String, contentRange: String) throws {
    let origin = try Self.ranged()
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/")
    let response = try edge.get("/", "Range: \(range)")
    #expect(response.status == 206)
    #expect(response.text == body)
    #expect(response["content-range"] == contentRange)
    #expect(response["content-length"] == "\(body.utf8.count)")
    #expect(response["etag"] == "\"r\"")
    #expect(origin.requestCount == 1)
  }

  @Test(arguments: ["bytes=10-", "bytes=100-200", "bytes=-0"])
  func `a range beyond the end is 416`(_ range: String) throws {
    let edge = try EdgeUnderTest(Self.ranged())
    let viewer = try edge.viewer()
    _ = try viewer.get("/")
    let response = try viewer.get("/", "Range: \(range)")
    #expect(response.status == 416)
    #expect(response["content-range"] == "bytes */10")
    #expect(try viewer.get("/").text == Self.digits)
  }

  @Test(arguments: ["bytes=3-1", "lines=1-2", "bytes=", "bytes=a-b", "bytes 1-2", "bytes=0-0,2-1"])
  func `a range that is invalid is the whole`(_ range: String) throws {
    let edge = try EdgeUnderTest(Self.ranged())
    _ = try edge.get("/")
    let response = try edge.get("/", "Range: \(range)")
    #expect(response.status == 200)
    #expect(response.text == Self.digits)
  }

  @Test(arguments: [
    ("If-Range: \"r\"", 206), ("If-Range: \"other\"", 200), ("If-Range: W/\"r\"", 200),
    ("If-Range: \(modified)", 206), ("If-Range: Fri, 31 Dec 2021 00:00:00 GMT", 200),
  ])
  func `If-Range decides between the part and the whole`(field: String, status: Int) throws {
    let edge = try EdgeUnderTest(Self.ranged())
    _ = try edge.get("/")
    #expect(try edge.get("/", "Range: bytes=0-1", field).status == status)
  }
}
