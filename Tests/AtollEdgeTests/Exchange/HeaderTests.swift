// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

/// Which fields pass in each direction: RFC 9110 §7.6 and the header rules of a distribution.
@Suite(.timeLimit(.minutes(20)))
struct HeaderTests {
  /// What the origin receives for a request with these fields.
  private func received(
    _ fields: [String], method: String = "GET", preset: Preset = .origin,
    _ change: (inout Distribution) -> Void = { _ in }
  ) throws -> OriginRequest {
    let origin = try ScriptedOrigin {
      _ = try $0.readBody()
      try $0.respond()
    }
    let edge = try EdgeUnderTest(origin, preset: preset, change)
    let body = method == "POST" ? "abc" : nil
    _ = try edge.viewer().request(method, "/p?q=1", fields, body: body)
    return try #require(origin.requests.first)
  }

  @Test(arguments: [
    "Connection: X-Listed, close", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive",
    "Proxy-Authorization: Basic eA==", "TE: gzip", "Trailer: X-T", "Upgrade: h2c",
    "X-Real-IP: 192.0.2.1",
  ])
  func `a field that ends at the edge does not reach the origin`(_ field: String) throws {
    let request = try received([field, "X-Listed: 1", "X-Kept: 2"])
    let name = String(field.prefix { $0 != ":" })
    if name == "Connection" {
      #expect(request["x-listed"] == nil)
      #expect(request["connection"].map { !$0.lowercased().contains("x-listed") } ?? true)
    } else {
      #expect(request[name] == nil)
    }
    #expect(request["x-kept"] == "2")
  }

  @Test func `a field cannot be hidden from the origin by naming it in Connection`() throws {
    // RFC 9110 §7.6.1: end-to-end fields that the edge itself writes stay.
    let request = try received(["Connection: Host, X-Forwarded-For, Via"])
    #expect(request["host"] != nil)
    #expect(request["x-forwarded-for"] != nil)
    #expect(request["via"] != nil)
  }

  @Test func `the viewer's address is appended to X-Forwarded-For`() throws {
    #expect(try received([])["x-forwarded-for"] == "127.0.0.1")
    #expect(
      try received(["X-Forwarded-For: 192.0.2.1, 198.51.100.7"]).head.list("x-forwarded-for")
        == ["192.0.2.1", "198.51.100.7", "127.0.0.1"])
  }

  @Test func `Via is appended to in both directions`() throws {
    let origin = try ScriptedOrigin { try $0.respond("200 OK", "Via: 1.1 inner") }
    let edge = try EdgeUnderTest(origin)
    let response = try edge.get("/", "Via: 1.0 outer")
    #expect(response.head.list("via") == ["1.1 inner", "1.1 atoll"])
    #expect(try #require(origin.requests.first).head.list("via") == ["1.0 outer", "1.1 atoll"])
  }

  @Test func `the request id of the origin's request is the one of the response`() throws {
    let origin = try ScriptedOrigin { try $0.respond("200 OK", "Cache-Control: max-age=60") }
    let edge = try EdgeUnderTest(origin)
    let first = try edge.get("/")
    let second = try edge.get("/")
    let id = try #require(first["x-request-id"])
    #expect(id.count == 32 && id.allSatisfy { $0.isHexDigit })
    #expect(try #require(origin.requests.first)["x-request-id"] == id)
    #expect(second["x-request-id"] != nil)
    #expect(second["x-request-id"] != id)
    #expect(second.head.values(of: "x-request-id").count == 1)
  }

  @Test func `the origin gets its own name as Host, or the viewer's when that is forwarded`() throws
  {
    let own = try received([], preset: .static)
    #expect(try #require(own["host"]).hasPrefix("127.0.0.1"))
    #expect(own.head.values(of: "host").count == 1)
    let viewers = try received([], preset: .wordpress)
    #expect(viewers["host"] == "test.example")
  }

  @Test(arguments: [
    "Accept: text/html", "Accept-Language: de", "Referer: http://a/", "Cookie: a=b",
    "Authorization: Basic eA==", "Accept-Charset: utf-8",
  ])
  func `a static distribution keeps personal fields from the origin`(_ field: String) throws {
    let name = String(field.prefix { $0 != ":" })
    let value = String(field.dropFirst(name.count + 2))
    #expect(try received([field], preset: .static)[name] == nil)
    // The default obeys the origin, which may need them.
    #expect(try received([field], preset: .origin)[name] == value)
  }

  @Test func `a field nobody knows passes`() throws {
    let request = try received(["X-Unknown: one", "x-unknown: two"], preset: .static)
    #expect(request.head.values(of: "x-unknown") == ["one", "two"])
  }

  @Test func `a static distribution sends its own User-Agent`() throws {
    let request = try received(["User-Agent: Mozilla/5.0"], preset: .static)
    #expect(try #require(request["user-agent"]).lowercased().contains("atoll"))
    #expect(try received(["User-Agent: x/1"], preset: .origin)["user-agent"] == "x/1")
  }

  @Test func `only the listed cookies pass`() throws {
    let request = try received(["Cookie: a=1; session=2; wp-x=3"]) {
      $0.settings.forwardedCookies = .listed(["session", "wp-*"])
    }
    #expect(request["cookie"] == "session=2; wp-x=3")
  }

  @Test func `only the listed query strings pass`() throws {
    #expect(try received([]) { $0.settings.forwardedQueryStrings = .none }.target == "/p")
    #expect(try received([]) { $0.settings.forwardedQueryStrings = .all }.target == "/p?q=1")
    #expect(
      try received([]) { $0.settings.forwardedQueryStrings = .listed(["z"]) }.target == "/p")
    #expect(
      try received([]) { $0.settings.forwardedQueryStrings = .listed(["q"]) }.target == "/p?q=1")
  }

  @Test func `the origin's path stands before the viewer's`() throws {
    #expect(try received([]) { $0.origin.path = "/base" }.target == "/base/p?q=1")
  }

  @Test func `the length of an upload is passed on once`() throws {
    let request = try received(["Content-Type: text/plain"], method: "POST")
    #expect(request.head.values(of: "content-length") == ["3"])
    #expect(request["content-type"] == "text/plain")
  }

  /// What the viewer gets for an origin's response with these fields.
  private func answered(_ fields: String..., preset: Preset = .origin) throws -> ViewerResponse {
    let head = (["HTTP/1.1 200 OK"] + fields + ["Content-Length: 2"]).joined(separator: "\r\n")
    let origin = try ScriptedOrigin { try $0.send(head + "\r\n\r\nok") }
    let edge = try EdgeUnderTest(origin, preset: preset)
    return try edge.get("/")
  }

  @Test(arguments: [
    "Keep-Alive: timeout=5", "Proxy-Authenticate: Basic", "Proxy-Connection: close",
    "Proxy-Authentication-Info: x=1", "Trailer: X-T", "Upgrade: h2c", "Connection: X-Listed, close",
  ])
  func `a field that ends at the edge does not reach the viewer`(_ field: String) throws {
    let response = try answered(field, "X-Listed: 1", "X-Kept: 2")
    let name = String(field.prefix { $0 != ":" })
    if name == "Connection" {
      #expect(response["x-listed"] == nil)
    } else {
      #expect(response[name] == nil)
    }
    #expect(response["x-kept"] == "2")
  }

  @Test func `Set-Cookie is removed where cookies are not forwarded`() throws {
    let cookie = "Set-Cookie: a=b; Path=/"
    #expect(try answered(cookie, preset: .static)["set-cookie"] == nil)
    #expect(try answered(cookie, preset: .origin)["set-cookie"] == "a=b; Path=/")
  }

  @Test func `every Set-Cookie line passes on its own`() throws {
    let response = try answered("Set-Cookie: a=1", "Set-Cookie: b=2")
    #expect(response.head.values(of: "set-cookie") == ["a=1", "b=2"])
  }

  @Test func `Date and Server are the origin's, and a missing Date is added`() throws {
    let date = "Thu, 01 Jan 2026 00:00:00 GMT"
    let response = try answered("Date: \(date)", "Server: origin/1")
    #expect(response["date"] == date)
    #expect(response["server"] == "origin/1")
    let added = try #require(try answered()["date"])
    #expect(added.count == 29 && added.hasSuffix(" GMT"))
  }

  @Test func `an origin cannot forge the edge's own fields`() throws {
    let response = try answered(
      "X-Cache: Hit from atoll", "X-Request-Id: forged", "Age: 0", "Cache-Control: no-store")
    #expect(response.head.values(of: "x-cache") == ["Miss from atoll"])
    #expect(response.head.values(of: "x-request-id").count == 1)
    #expect(response["x-request-id"] != "forged")
    #expect(response.head.values(of: "age").count <= 1)
  }

  @Test func `Cache-Status names the caches from the origin to the viewer`() throws {
    // RFC 9211 §2: the one closest to the origin comes first.
    let response = try answered("Cache-Status: inner; hit")
    let members = response.head.list("cache-status")
    #expect(members.first == "inner; hit")
    #expect(try #require(members.last).hasPrefix("atoll"))
    #expect(members.count == 2)
  }

  @Test func `a reason phrase and odd field values pass unchanged`() throws {
    let response = try answered("X-Odd: \"a,b\";c=d  e\tf", "X-Empty:")
    #expect(response["x-odd"] == "\"a,b\";c=d  e\tf")
    #expect(response["x-empty"] == "")
  }
}
