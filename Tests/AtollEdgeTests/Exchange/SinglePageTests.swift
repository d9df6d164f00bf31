// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc
import Testing

/// A single-page application: the preset's index.html for every path that the origin lacks
/// (CloudFront §20 with status 200).
@Suite(.timeLimit(.minutes(20)))
struct SinglePageTests {
  let origin: ScriptedOrigin
  let edge: EdgeUnderTest

  init() throws {
    origin = try ScriptedOrigin {
      switch $0.request.target {
      case "/index.html":
        try $0.respond(
          "200 OK", "Content-Type: text/html", "ETag: \"i\"", body: "<app \($0.request.number)>")
      case "/app.js":
        try $0.respond("200 OK", "Content-Type: text/javascript", body: "run()")
      case let target where target.hasPrefix("/private"):
        try $0.respond("403 Forbidden", body: "no")
      default:
        try $0.respond("404 Not Found", body: "nothing here")
      }
    }
    edge = try EdgeUnderTest(origin, preset: .spa)
  }

  @Test func `deep links are the application, which is fetched once`() throws {
    for path in ["/users/1", "/users/2?tab=x", "/private", "/users/1", "/a/b/c.d", "/"] {
      let response = try edge.get(path)
      #expect(response.status == 200)
      #expect(response.text == "<app 2>")
      #expect(response["content-type"] == "text/html")
    }
    #expect(origin.requests.filter { $0.target == "/index.html" }.count == 1)
    // A link that was followed before needs no origin at all.
    let before = origin.requestCount
    let again = try edge.get("/users/1")
    #expect(again.isHit)
    #expect(again["x-cache"] == "Hit from atoll")
    #expect(try edge.get("/index.html").isHit)
    #expect(origin.requestCount == before)
  }

  @Test func `assets are themselves, cached`() throws {
    #expect(try edge.get("/app.js").text == "run()")
    #expect(try edge.get("/app.js").isHit)
    #expect(try edge.get("/index.html").status == 200)
  }

  @Test func `HEAD of a deep link tells of the application`() throws {
    let response = try edge.viewer().request("HEAD", "/users/1")
    #expect(response.status == 200)
    #expect(response["content-length"] == "7")
    #expect(response["content-type"] == "text/html")
    #expect(try edge.get("/users/1").text == "<app 2>")
  }

  @Test func `a browser that has the application learns that it may keep it`() throws {
    let first = try edge.get("/users/1")
    let again = try edge.get("/users/1", "If-None-Match: \(first["etag"]!)")
    #expect(again.status == 304)
    #expect(again["etag"] == "\"i\"")
    // Also on its first visit to another link, once the application is stored.
    #expect(try edge.get("/users/9", "If-None-Match: \"i\"").status == 304)
  }

  @Test func `many first visitors of different links fetch the application once`() throws {
    let viewers = try (0..<50).map { _ in try edge.viewer() }
    for (number, viewer) in viewers.enumerated() {
      try viewer.send(ScriptedViewer.head("GET", "/users/\(number)"))
    }
    var bodies: Set<String> = []
    for viewer in viewers { bodies.insert(try viewer.readResponse().text) }
    #expect(bodies.count == 1)
    #expect(origin.requests.filter { $0.target == "/index.html" }.count == 1)
  }

  @Test func `without an index the deep link is what its origin says of it`() throws {
    let empty = try ScriptedOrigin { try $0.respond("404 Not Found", body: "empty") }
    let edge = try EdgeUnderTest(empty, preset: .spa)
    let response = try edge.get("/users/1")
    #expect(response.status == 404)
    #expect(response.text == "empty")
  }

  @Test func `the application has changed for every link as soon as it is purged`() throws {
    #expect(try edge.get("/users/1").text == "<app 2>")
    edge.purge(.path("/index.html"))
    #expect(try edge.get("/users/1").text == "<app 3>")
  }
}
