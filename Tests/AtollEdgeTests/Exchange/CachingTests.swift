// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc
import Testing

/// What is answered from the cache and what is not: RFC 9111 seen from both ends of the edge.
@Suite(.timeLimit(.minutes(20)))
struct CachingTests {
  /// An origin that answers everything with these fields and a body that counts its requests.
  static func counting(_ fields: [String], status: String = "200 OK") throws -> ScriptedOrigin {
    try ScriptedOrigin { exchange in
      let body = "\(exchange.request.number)"
      let lines = ["HTTP/1.1 \(status)"] + fields + ["Content-Length: \(body.utf8.count)"]
      let head = lines.joined(separator: "\r\n") + "\r\n\r\n"
      try exchange.send(exchange.request.method == "HEAD" ? head : head + body)
    }
  }

  /// A date that many seconds from now, as HTTP writes it (RFC 9110 §5.6.7).
  static func date(_ offset: Int) -> String {
    var seconds = time(nil) + offset
    var parts = tm()
    gmtime_r(&seconds, &parts)
    var text = [CChar](repeating: 0, count: 64)
    let count = strftime(&text, 64, "%a, %d %b %Y %H:%M:%S GMT", &parts)
    return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var fields: [String]
    var stored: Bool
    var request: [String] = []
    var testDescription: String {
      (fields + request.map { "request " + $0 }).joined(separator: " | ")
    }
  }

  static let lifetimes: [Case] = [
    Case(fields: ["Cache-Control: max-age=60"], stored: true),
    Case(fields: ["Cache-Control: MAX-AGE=60"], stored: true),
    Case(fields: ["Cache-Control: public, max-age=60"], stored: true),
    Case(fields: ["Cache-Control: foo", "Cache-Control: max-age=60"], stored: true),
    Case(fields: ["Cache-Control: max-age=0"], stored: false),
    Case(fields: ["Cache-Control: s-maxage=60"], stored: true),
    Case(fields: ["Cache-Control: max-age=0, s-maxage=60"], stored: true),
    Case(fields: ["Cache-Control: max-age=60, s-maxage=0"], stored: false),
    Case(fields: ["Cache-Control: no-store, max-age=60"], stored: false),
    Case(fields: ["Cache-Control: private, max-age=60"], stored: false),
    Case(fields: ["Cache-Control: no-cache, max-age=60"], stored: false),
    Case(fields: ["Cache-Control: max-age=60", "Cache-Control: no-store"], stored: false),
    Case(fields: ["Expires: " + date(86_400)], stored: true),
    Case(fields: ["Expires: " + date(-86_400)], stored: false),
    Case(fields: ["Expires: 0"], stored: false),
    Case(fields: ["Cache-Control: max-age=0", "Expires: " + date(86_400)], stored: false),
    Case(fields: ["Cache-Control: max-age=60", "Expires: " + date(-86_400)], stored: true),
    Case(fields: ["Cache-Control: max-age=60", "Age: 30"], stored: true),
    Case(fields: ["Cache-Control: max-age=60", "Age: 61"], stored: false),
    Case(fields: ["Last-Modified: " + date(-100_000)], stored: true),
    Case(fields: [], stored: false),
    Case(fields: ["Cache-Control: max-age=60", "Vary: *"], stored: false),
    Case(fields: ["Cache-Control: max-age=60", "Set-Cookie: a=b"], stored: true),
    Case(fields: ["Last-Modified: " + date(-100_000), "Set-Cookie: a=b"], stored: false),
  ]

  @Test(arguments: lifetimes)
  func `a response is used again as its fields say`(_ table: Case) throws {
    let origin = try Self.counting(table.fields)
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    #expect(try viewer.get("/").text == "1")
    let second = try viewer.get("/")
    #expect(second.isHit == table.stored)
    #expect(second["x-cache"] == (table.stored ? "Hit from atoll" : "Miss from atoll"))
    #expect(origin.requestCount == (table.stored ? 1 : 2))
  }

  static let personal: [Case] = [
    Case(fields: ["Cache-Control: max-age=60"], stored: false),
    Case(fields: ["Cache-Control: public, max-age=60"], stored: true),
    Case(fields: ["Cache-Control: s-maxage=60"], stored: true),
    Case(fields: ["Cache-Control: max-age=60, must-revalidate"], stored: true),
  ]

  @Test(arguments: personal)
  func `an authorized response is shared only when the origin says so`(_ table: Case) throws {
    let origin = try Self.counting(table.fields)
    let edge = try EdgeUnderTest(origin)
    #expect(try edge.get("/", "Authorization: Basic YTpi").text == "1")
    let other = try edge.get("/")
    #expect(other.text == (table.stored ? "1" : "2"))
    #expect(other.isHit == table.stored)
  }

  @Test(arguments: [
    ("200 OK", true), ("203 Non-Authoritative Information", true), ("300 Multiple Choices", true),
    ("301 Moved Permanently", true), ("302 Found", true), ("307 Temporary Redirect", true),
    ("308 Permanent Redirect", true), ("404 Not Found", true), ("405 Method Not Allowed", true),
    ("410 Gone", true),
  ])
  func `a status with an explicit lifetime is stored when it may be`(
    status: String, stored: Bool
  ) throws {
    let origin = try Self.counting(["Cache-Control: max-age=60"], status: status)
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/")
    let second = try edge.get("/")
    #expect(second.status == Int(status.prefix(3)))
    #expect(second.isHit == stored)
  }

  @Test(arguments: [
    ("200 OK", true), ("404 Not Found", true), ("302 Found", false), ("500 Server Error", false),
  ])
  func `a default lifetime is for statuses that are cacheable by default`(
    status: String, stored: Bool
  ) throws {
    let origin = try Self.counting([], status: status)
    let edge = try EdgeUnderTest(origin, preset: .static) { $0.errors = ErrorSettings() }
    _ = try edge.get("/")
    #expect(try edge.get("/").isHit == stored)
  }

  @Test func `a hit has an age, a remaining lifetime, and the whole response`() throws {
    let origin = try Self.counting(["Cache-Control: max-age=600", "Age: 100", "X-Kept: yes"])
    let edge = try EdgeUnderTest(origin)
    let first = try edge.get("/")
    #expect(first.cacheStatus.contains { $0.hasPrefix("fwd=") })
    #expect(first.cacheStatus.contains("stored"))
    let second = try edge.get("/")
    let age = try #require(second["age"].flatMap { Int($0) })
    #expect((100...110).contains(age))
    let ttl = try #require(second.cacheStatus.first { $0.hasPrefix("ttl=") })
    #expect((490...500).contains(Int(ttl.dropFirst(4)) ?? 0))
    #expect(second["x-kept"] == "yes")
    #expect(second["date"] == first["date"])
    #expect(second["content-length"] == "1")
  }

  @Test func `HEAD is answered from what GET stored`() throws {
    let origin = try Self.counting(["Cache-Control: max-age=60"])
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    _ = try viewer.get("/")
    let head = try viewer.request("HEAD", "/")
    #expect(head.isHit)
    #expect(head["content-length"] == "1")
    #expect(try viewer.get("/").text == "1")
    #expect(origin.requestCount == 1)
  }

  @Test func `GET is never answered from what HEAD fetched`() throws {
    let origin = try Self.counting(["Cache-Control: max-age=60"])
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    _ = try viewer.request("HEAD", "/")
    #expect(try viewer.get("/").body.count == 1)
  }

  @Test(arguments: ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"])
  func `no other method touches the cache`(_ method: String) throws {
    let origin = try Self.counting(["Cache-Control: max-age=60"])
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    for number in 1...2 {
      let response = try viewer.request(method, "/")
      if response.status == 405 { return }
      #expect(response.text == "\(number)")
    }
  }

  @Test(arguments: ["POST", "PUT", "PATCH", "DELETE"])
  func `an unsafe method that succeeds invalidates what is stored`(_ method: String) throws {
    // RFC 9111 §4.4.
    let origin = try ScriptedOrigin {
      let failed = $0.request["x-fail"] != nil
      try $0.respond(
        failed ? "403 Forbidden" : "200 OK", "Cache-Control: max-age=60",
        body: "\($0.request.number)")
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    _ = try viewer.get("/a")
    _ = try viewer.get("/b")
    _ = try viewer.request(method, "/a", ["X-Fail: yes"])
    #expect(try viewer.get("/a").isHit)
    _ = try viewer.request(method, "/a")
    #expect(try !viewer.get("/a").isHit)
    #expect(try viewer.get("/b").isHit)
  }

  @Test func `GET with a body is refused where it would be cached`() throws {
    let origin = try Self.counting(["Cache-Control: max-age=60"])
    let edge = try EdgeUnderTest(origin)
    #expect(try edge.viewer().request("GET", "/", body: "a").status == 403)
    #expect(origin.requestCount == 0)
  }

  @Test func `OPTIONS is cached when the distribution says so, apart from GET`() throws {
    let origin = try Self.counting(["Cache-Control: max-age=60"])
    let edge = try EdgeUnderTest(origin) { $0.settings.cachesOptions = true }
    let viewer = try edge.viewer()
    #expect(try viewer.request("OPTIONS", "/").text == "1")
    #expect(try viewer.request("OPTIONS", "/").text == "1")
    #expect(try viewer.get("/").text == "2")
  }

  @Test func `a method that the distribution does not allow is 405`() throws {
    let origin = try Self.counting([])
    let edge = try EdgeUnderTest(origin) { $0.settings.allowedMethods = .getHead }
    let viewer = try edge.viewer()
    let response = try viewer.request("POST", "/", body: "a")
    #expect(response.status == 405)
    #expect(response.head.list("allow").sorted() == ["GET", "HEAD"])
    #expect(origin.requestCount == 0)
  }

  @Test func `different URLs are different entries`() throws {
    let origin = try Self.counting(["Cache-Control: max-age=60"])
    let edge = try EdgeUnderTest(origin)
    let targets = ["/", "/?", "/a", "/A", "/a/", "/a?x=1", "/a?x=2", "/a?", "/%61", "//a"]
    let bodies = try targets.map { try edge.get($0).text }
    #expect(Set(bodies).count >= targets.count - 2)
    #expect(try targets.map { try edge.get($0).text } == bodies)
    #expect(Set(["/a", "/A", "/a/", "/a?x=1", "/a?x=2"].map { try? edge.get($0).text }).count == 5)
  }

  @Test func `a static distribution ignores the query`() throws {
    let origin = try Self.counting([])
    let edge = try EdgeUnderTest(origin, preset: .static)
    #expect(try edge.get("/a?x=1").text == "1")
    #expect(try edge.get("/a?x=2").text == "1")
    #expect(try #require(origin.requests.first).target == "/a")
  }

  @Test func `a minimum lifetime stretches what may be stored and nothing else`() throws {
    let stretched = try EdgeUnderTest(Self.counting(["Cache-Control: max-age=0"])) {
      $0.settings.ttl = TTL(minimum: 60, default: 60, maximum: 600)
    }
    _ = try stretched.get("/")
    #expect(try stretched.get("/").isHit)
    for control in ["no-store", "private", "no-cache"] {
      let kept = try EdgeUnderTest(Self.counting(["Cache-Control: \(control)"])) {
        $0.settings.ttl = TTL(minimum: 60, default: 60, maximum: 600)
      }
      _ = try kept.get("/")
      #expect(try !kept.get("/").isHit)
    }
  }

  @Test func `Amazon's rule stores them when asked to`() throws {
    let edge = try EdgeUnderTest(Self.counting(["Cache-Control: no-store"])) {
      $0.settings.ttl = TTL(minimum: 60, default: 60, maximum: 600)
      $0.settings.overridesOrigin = true
    }
    _ = try edge.get("/")
    #expect(try edge.get("/").isHit)
  }

  @Test func `a maximum lifetime bounds what the origin says`() throws {
    let edge = try EdgeUnderTest(Self.counting(["Cache-Control: max-age=6000"])) {
      $0.settings.ttl = TTL(minimum: 0, default: 10, maximum: 30)
    }
    _ = try edge.get("/")
    let ttl = try #require(try edge.get("/").cacheStatus.first { $0.hasPrefix("ttl=") })
    #expect((20...30).contains(Int(ttl.dropFirst(4)) ?? 0))
  }

  @Test func `a path override decides before the default`() throws {
    let edge = try EdgeUnderTest(Self.counting(["Cache-Control: max-age=60"])) {
      $0.defaultBehavior = .dontCache
      $0.behaviors = [PathBehavior(path: "/static/*", caching: .cache, ttl: nil)]
    }
    for path in ["/page", "/static/a.css"] { _ = try edge.get(path) }
    #expect(try edge.get("/static/a.css").isHit)
    let page = try edge.get("/page")
    #expect(!page.isHit)
    #expect(page.cacheStatus.contains("fwd=bypass"))
  }

  @Test func `an entry expires when its time is over`() throws {
    let origin = try Self.counting(["Cache-Control: max-age=1"])
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    #expect(try viewer.get("/").text == "1")
    // The lifetime is a second, so this ends by the clock and by nothing else.
    let started = Clock.now()
    var answer = "1"
    while answer == "1" && Clock.now() - started < 5 {
      answer = try viewer.get("/").text
    }
    #expect(answer == "2")
    #expect(Clock.now() - started < 4)
  }

  @Test(arguments: ["no-store", "no-cache"])
  func `a viewer that insists gets the origin's answer`(_ control: String) throws {
    let origin = try Self.counting(["Cache-Control: max-age=60"])
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/")
    let insisted = try edge.get("/", "Cache-Control: \(control)")
    #expect(insisted.text == "2")
    #expect(!insisted.isHit)
  }

  @Test func `only-if-cached never asks the origin`() throws {
    let origin = try Self.counting(["Cache-Control: max-age=60"])
    let edge = try EdgeUnderTest(origin)
    #expect(try edge.get("/", "Cache-Control: only-if-cached").status == 504)
    #expect(origin.requestCount == 0)
    _ = try edge.get("/")
    #expect(try edge.get("/", "Cache-Control: only-if-cached").isHit)
  }

  @Test func `a body larger than the share of one object streams uncached`() throws {
    let size = 8 << 20
    let block = String(repeating: "x", count: 1 << 16)
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead("200 OK", "Cache-Control: max-age=60", "Content-Length: \(size)")
      for _ in 0..<(size >> 16) { try exchange.send(block) }
    }
    let edge = try EdgeUnderTest(origin)
    for _ in 1...2 {
      let response = try edge.get("/")
      #expect(response.body.count == size)
      #expect(!response.isHit)
    }
    #expect(origin.requestCount == 2)
  }

  @Test func `entries are shared by the loops`() throws {
    let origin = try Self.counting(["Cache-Control: max-age=60"])
    let edge = try EdgeUnderTest(origin, options: { $0.threads = 2 })
    _ = try edge.get("/")
    for _ in 1...32 { #expect(try edge.get("/").isHit) }
    #expect(origin.requestCount == 1)
  }

  @Test func `204 has no Content-Length, stored or not`() throws {
    let origin = try ScriptedOrigin {
      try $0.sendHead("204 No Content", "Cache-Control: max-age=60")
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    for isHit in [false, true] {
      let response = try viewer.get("/")
      #expect(response.status == 204)
      #expect(response.isHit == isHit)
      #expect(response["content-length"] == nil)
    }
  }
}
