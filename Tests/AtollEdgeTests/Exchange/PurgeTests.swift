// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

/// Purges, in force when they return.
@Suite(.timeLimit(.minutes(20)))
struct PurgeTests {
  let origin: ScriptedOrigin
  let edge: EdgeUnderTest

  /// Every response bears the tags of its first path segment.
  init() throws {
    origin = try ScriptedOrigin {
      let segment = $0.request.target.split(separator: "/").first ?? "root"
      try $0.respond(
        "200 OK", "Cache-Control: max-age=600", "Cache-Tag: all, \(segment)",
        "Surrogate-Key: every-\(segment) second", body: "\($0.request.number)")
    }
    edge = try EdgeUnderTest(origin, options: { $0.threads = 2 })
  }

  static let urls = [
    "/", "/a", "/a?x=1", "/a?x=2", "/ab", "/a/b", "/a/c/d", "/img/1.png", "/img/2.png?w=3", "/im",
  ]

  struct Purge: Sendable, CustomTestStringConvertible {
    var selector: PurgeSelector
    var purged: [String]
    var testDescription: String { "\(selector)" }
  }

  @Test(arguments: [
    Purge(selector: .all, purged: urls),
    Purge(selector: .path("/a"), purged: ["/a"]),
    Purge(selector: .path("/a?x=1"), purged: ["/a?x=1"]),
    Purge(selector: .path("/A"), purged: []),
    Purge(selector: .path("/nothing"), purged: []),
    Purge(selector: .prefix("/a"), purged: ["/a", "/a?x=1", "/a?x=2", "/ab", "/a/b", "/a/c/d"]),
    Purge(selector: .prefix("/a/"), purged: ["/a/b", "/a/c/d"]),
    Purge(selector: .prefix("/a?"), purged: ["/a?x=1", "/a?x=2"]),
    Purge(selector: .prefix("/img/"), purged: ["/img/1.png", "/img/2.png?w=3"]),
    Purge(selector: .prefix("/"), purged: urls),
    Purge(selector: .tag("img"), purged: ["/img/1.png", "/img/2.png?w=3"]),
    Purge(selector: .tag("every-img"), purged: ["/img/1.png", "/img/2.png?w=3"]),
    Purge(selector: .tag("all"), purged: urls),
    Purge(selector: .tag("al"), purged: []),
  ])
  func `exactly what was meant is forgotten`(_ purge: Purge) throws {
    for url in Self.urls { #expect(try !edge.get(url).isHit) }
    #expect(edge.purge(purge.selector) == purge.purged.count)
    for url in Self.urls { #expect(try edge.get(url).isHit == !purge.purged.contains(url)) }
    #expect(origin.requestCount == Self.urls.count + purge.purged.count)
  }

  @Test func `a soft purge keeps the entry for the origin to confirm`() throws {
    let origin = try ScriptedOrigin { exchange in
      if exchange.request["if-none-match"] == "\"1\"" {
        try exchange.sendHead("304 Not Modified", "ETag: \"1\"", "Cache-Control: max-age=600")
      } else {
        try exchange.respond("200 OK", "Cache-Control: max-age=600", "ETag: \"1\"", body: "kept")
      }
    }
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/")
    for selector in [PurgeSelector.path("/"), .prefix("/"), .all] {
      edge.purge(selector, soft: true)
      let response = try edge.get("/")
      #expect(response.text == "kept")
      #expect(response["x-cache"] == "RefreshHit from atoll")
      #expect(try edge.get("/").isHit)
    }
    #expect(origin.requestCount == 4)
  }

  @Test(arguments: [PurgeSelector.path("/"), .prefix("/"), .tag("t"), .all])
  func `a fill that began before a purge is not stored after it`(_ selector: PurgeSelector) throws {
    let more = Event()
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead(
        "200 OK", "Cache-Control: max-age=600", "Cache-Tag: t", "Content-Length: 4")
      try exchange.send("\(exchange.request.number)...".prefix(2).description)
      if exchange.request.number == 1 { more.wait() }
      try exchange.send("..")
    }
    let edge = try EdgeUnderTest(origin, options: { $0.threads = 2 })
    let viewer = try edge.viewer()
    try viewer.send(ScriptedViewer.head("GET", "/"))
    let response = try viewer.readResponseHead()
    edge.purge(selector)
    more.fire()
    // Who was being served gets the whole response.
    #expect(try viewer.readBody(of: response).bytes == Array("1...".utf8))
    let next = try edge.get("/")
    #expect(!next.isHit)
    #expect(next.text == "2...")
    #expect(try edge.get("/").isHit)
  }

  @Test func `who comes after a purge does not join a fill from before it`() throws {
    let more = Event()
    let origin = try ScriptedOrigin { exchange in
      if exchange.request.number == 1 { more.wait() }
      try exchange.respond(
        "200 OK", "Cache-Control: max-age=600", body: "\(exchange.request.number)")
    }
    let edge = try EdgeUnderTest(origin)
    let early = try edge.viewer()
    try early.send(ScriptedViewer.head("GET", "/"))
    origin.waitFor(requests: 1)
    edge.purge(.path("/"))
    #expect(try edge.get("/").text == "2")
    more.fire()
    #expect(try early.readResponse().text == "1")
    #expect(try edge.get("/").text == "2")
  }

  @Test func `a purge of one distribution leaves the others alone`() throws {
    let sites = try ["one", "two"].map {
      try EdgeUnderTest.distribution($0, originPort: origin.port)
    }
    let edge = try EdgeUnderTest(sites)
    func get(_ name: String) throws -> ViewerResponse {
      let viewer = try edge.viewer()
      try viewer.send("GET /x HTTP/1.1\r\nHost: \(name).atoll.localhost\r\n\r\n")
      return try viewer.readResponse()
    }
    for name in ["one", "two"] { _ = try get(name) }
    #expect(edge.purge(.all, of: 0) == 1)
    #expect(try !get("one").isHit)
    #expect(try get("two").isHit)
  }

  @Test func `purges are safe while requests fly`() throws {
    let stop = Shared(false)
    let wrong = Shared(0)
    let threads = (0..<2).map { _ in
      TestThread {
        guard let viewer = try? edge.viewer() else { return wrong.withLock { $0 += 1 } }
        while !stop.value {
          for url in Self.urls where (try? viewer.get(url).status) != 200 {
            return wrong.withLock { $0 += 1 }
          }
        }
      }
    }
    for round in 0..<100 {
      edge.purge(round % 3 == 0 ? .all : round % 3 == 1 ? .prefix("/a") : .tag("img"))
    }
    stop.withLock { $0 = true }
    for thread in threads { #expect(thread.join()) }
    #expect(wrong.value == 0)
    edge.purge(.all)
    for url in Self.urls { #expect(try !edge.get(url).isHit) }
  }
}
