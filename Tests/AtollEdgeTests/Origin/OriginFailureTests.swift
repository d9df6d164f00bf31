// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import FoundationEssentials
import Glibc
import Testing

/// Origins that do not answer: which status, how soon, and what the page says.
@Suite(.timeLimit(.minutes(20)))
struct OriginFailureTests {
  @Test func `a refused connection is 502`() throws {
    let refusing = try RefusingOrigin()
    let edge = try EdgeUnderTest(originPort: refusing.port)
    let viewer = try edge.viewer()
    let response = try viewer.get("/")
    #expect(response.status == 502)
    #expect(response["x-cache"] == "Error from atoll")
    #expect(response.cacheStatus.contains { $0.contains("origin-connect") })
    // An error is no reason to close.
    #expect(try viewer.get("/").status == 502)
  }

  @Test func `a connection that is never made is 504`() throws {
    let silent = try SilentOrigin()
    let edge = try EdgeUnderTest(originPort: silent.port) {
      $0.origin.connectTimeout = 1
      $0.origin.connectAttempts = 1
    }
    #expect(try edge.get("/").status == 504)
  }

  @Test func `a name that does not exist is 502`() throws {
    let edge = try EdgeUnderTest(originPort: 80) { $0.origin.host = "no-such-host.invalid" }
    let response = try edge.get("/")
    #expect(response.status == 502)
    #expect(response.cacheStatus.contains { $0.contains("origin-dns") })
  }

  @Test func `every address of a name is tried`() throws {
    let origin = try ScriptedOrigin { try $0.respond(body: "here") }
    // The origin listens on the second one only; the first refuses.
    let resolver = Resolver.finding("127.0.0.2", "127.0.0.1")
    let edge = try EdgeUnderTest(
      origin, { $0.origin.host = "two.example" }, options: { $0.resolver = resolver })
    #expect(try edge.get("/").text == "here")
  }

  @Test func `an origin that says nothing is 504 after its attempts`() throws {
    let origin = try ScriptedOrigin { $0.stall() }
    let edge = try EdgeUnderTest(origin) {
      $0.origin.responseTimeout = 1
      $0.origin.connectAttempts = 2
    }
    #expect(try edge.get("/").status == 504)
    #expect(origin.requestCount == 2)
  }

  @Test func `an unsafe request to an origin that says nothing is sent once`() throws {
    let origin = try ScriptedOrigin { exchange in
      _ = try exchange.readBody()
      exchange.stall()
    }
    let edge = try EdgeUnderTest(origin) {
      $0.origin.responseTimeout = 1
      $0.origin.connectAttempts = 3
    }
    #expect(try edge.viewer().request("POST", "/", body: "a").status == 504)
    #expect(origin.requestCount == 1)
  }

  @Test func `an origin that stops in the middle is cut off`() throws {
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead("200 OK", "Content-Length: 10", "Cache-Control: max-age=60")
      try exchange.send("abc")
      exchange.stall()
    }
    let edge = try EdgeUnderTest(origin) { $0.origin.responseTimeout = 1 }
    let response = try edge.get("/")
    #expect(response.text == "abc")
    #expect(!response.isComplete)
  }

  @Test func `the page names the distribution and the request`() throws {
    let refusing = try RefusingOrigin()
    let edge = try EdgeUnderTest(originPort: refusing.port)
    let response = try edge.get("/", "Accept: text/html,*/*;q=0.8")
    #expect(try #require(response["content-type"]).hasPrefix("text/html"))
    let id = try #require(response["x-request-id"])
    #expect(response.text.contains("site"))
    #expect(response.text.contains(id))
    #expect(response["cache-control"]?.contains("no-store") == true)
  }

  @Test func `the page is JSON for who accepts JSON`() throws {
    struct Page: Decodable {
      var status: Int
      var distribution: String
      var requestId: String
    }
    let refusing = try RefusingOrigin()
    let edge = try EdgeUnderTest(originPort: refusing.port)
    let response = try edge.get("/", "Accept: application/json")
    #expect(try #require(response["content-type"]).hasPrefix("application/json"))
    let page = try JSONDecoder().decode(Page.self, from: Data(response.body.bytes))
    #expect(page.status == 502)
    #expect(page.distribution == "site")
    #expect(page.requestId == response["x-request-id"])
  }

  @Test func `HEAD gets the error without its page`() throws {
    let refusing = try RefusingOrigin()
    let edge = try EdgeUnderTest(originPort: refusing.port)
    let viewer = try edge.viewer()
    #expect(try viewer.request("HEAD", "/").status == 502)
    #expect(try viewer.get("/").status == 502)
  }

  @Test func `an error is not kept: the origin that is back answers`() throws {
    let origin = try ScriptedOrigin {
      if $0.request.number == 1 { return $0.close() }
      try $0.respond(body: "back")
    }
    let edge = try EdgeUnderTest(origin)
    #expect(try edge.get("/").status == 502)
    #expect(try edge.get("/").text == "back")
  }

  /// Stores "/", which lives for a second more, and has the origin fail from then on.
  private func staleEntry(
    control: String, failing: @escaping @Sendable (OriginExchange) throws -> Void,
    _ change: (inout Distribution) -> Void = { _ in }
  ) throws -> ViewerResponse {
    let origin = try ScriptedOrigin {
      if $0.request.number > 1 { return try failing($0) }
      try $0.respond(
        "200 OK", "Cache-Control: \(control)", "Age: 599", "ETag: \"1\"", body: "kept")
    }
    let edge = try EdgeUnderTest(origin, change)
    #expect(try edge.get("/").status == 200)
    // It expires by the wall clock; ages are whole seconds.
    let expired = EdgeUnderTest.now() + 2
    while EdgeUnderTest.now() < expired { usleep(20_000) }
    return try edge.get("/")
  }

  @Test(arguments: ["max-age=600", "max-age=600, stale-if-error=60"])
  func `a stale entry stands in for an origin that drops the connection`(_ control: String) throws {
    let response = try staleEntry(control: control) { $0.close() }
    #expect(response.status == 200)
    #expect(response.text == "kept")
    #expect(response["age"] != nil)
  }

  @Test(arguments: ["500 Internal Server Error", "503 Service Unavailable"])
  func `a stale entry stands in for a failing origin`(_ status: String) throws {
    let response = try staleEntry(control: "max-age=600") { try $0.respond(status, body: "no") }
    #expect(response.text == "kept")
  }

  @Test func `a soft purge lets an entry stand in, a hard one does not`() throws {
    for (soft, status) in [(true, 200), (false, 502)] {
      let origin = try ScriptedOrigin {
        if $0.request.number > 1 { return $0.close() }
        try $0.respond("200 OK", "Cache-Control: max-age=600", body: "kept")
      }
      let edge = try EdgeUnderTest(origin)
      _ = try edge.get("/")
      edge.purge(.path("/"), soft: soft)
      #expect(try edge.get("/").status == status)
      #expect(origin.requestCount >= 2)
    }
  }

  @Test func `a stale entry does not stand in for a plain 404`() throws {
    let response = try staleEntry(control: "max-age=600") {
      try $0.respond("404 Not Found", body: "gone")
    }
    #expect(response.status == 404)
  }

  @Test(arguments: [
    "max-age=600, must-revalidate", "max-age=600, proxy-revalidate", "s-maxage=600",
  ])
  func `a response that forbids it never stands in (RFC 9111 §5.2.2.2)`(_ control: String) throws {
    let response = try staleEntry(control: control) { $0.close() }
    #expect(response.status == 504)
  }

  @Test func `a response that allows no time for it does not stand in`() throws {
    let response = try staleEntry(control: "max-age=600, stale-if-error=0") { $0.close() }
    #expect(response.status == 502)
  }

  @Test func `a distribution that allows no stale answers gives none`() throws {
    let response = try staleEntry(control: "max-age=600", failing: { $0.close() }) {
      $0.settings.staleIfError = 0
    }
    #expect(response.status == 502)
  }
}
