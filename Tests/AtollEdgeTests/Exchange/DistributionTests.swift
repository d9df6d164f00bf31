// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

/// Which distribution answers a request.
@Suite(.timeLimit(.minutes(20)))
struct DistributionTests {
  private func get(_ host: String, _ edge: EdgeUnderTest, target: String = "/") throws
    -> ViewerResponse
  {
    let viewer = try edge.viewer()
    try viewer.send("GET \(target) HTTP/1.1\r\nHost: \(host)\r\n\r\n")
    return try viewer.readResponse()
  }

  private func named(_ name: String) throws -> ScriptedOrigin {
    try ScriptedOrigin { try $0.respond("200 OK", "Cache-Control: max-age=60", body: name) }
  }

  @Test func `one distribution answers every host`() throws {
    let edge = try EdgeUnderTest(named("only"))
    for host in ["a.example", "127.0.0.1:8080", "[::1]", "site.atoll.localhost", "A.EXAMPLE:1"] {
      #expect(try get(host, edge).text == "only")
    }
  }

  @Test func `several answer their own hosts and 421 for the rest`() throws {
    let origins = try ["one", "two"].map { try named($0) }
    let sites = try zip(["one", "two"], origins).map {
      try EdgeUnderTest.distribution($0, originPort: $1.port)
    }
    let edge = try EdgeUnderTest(sites)
    #expect(try get("one.atoll.localhost", edge).text == "one")
    #expect(try get("TWO.atoll.LOCALHOST:8080", edge).text == "two")
    #expect(try get("\(sites[1].id).atoll.localhost", edge).text == "two")
    #expect(try get("three.atoll.localhost", edge).status == 421)
    #expect(try get("a.example", edge).status == 421)
    // The authority of an absolute-form target is the one that counts (RFC 9112 §3.2.2).
    #expect(
      try get("one.atoll.localhost", edge, target: "http://two.atoll.localhost/").text == "two")
  }

  @Test func `the same URL of two distributions is two entries`() throws {
    let origins = try ["one", "two"].map { try named($0) }
    let edge = try EdgeUnderTest(
      zip(["one", "two"], origins).map {
        try EdgeUnderTest.distribution($0, originPort: $1.port)
      })
    for _ in 1...2 {
      for name in ["one", "two"] { #expect(try get("\(name).atoll.localhost", edge).text == name) }
    }
    #expect(origins.map(\.requestCount) == [1, 1])
  }

  @Test func `a disabled distribution serves nothing`() throws {
    let origin = try named("off")
    let edge = try EdgeUnderTest(origin) { $0.isEnabled = false }
    #expect(try get("site.atoll.localhost", edge).status >= 400)
    #expect(origin.requestCount == 0)
  }

  @Test func `attached domains answer, the most specific first, detached ones with 403`() throws {
    let origins = try ["one", "two"].map { try named($0) }
    let sites = try zip(["one", "two"], origins).map {
      try EdgeUnderTest.distribution($0, originPort: $1.port)
    }
    let edge = try EdgeUnderTest(sites)
    #expect(try get("www.shop.example", edge).status == 421)
    try edge.reload { sites in
      sites[0].setDomains(["www.shop.example", "*.shop.example"].map { AttachedDomain(name: $0) })
      sites[1].setDomains([AttachedDomain(name: "api.shop.example")])
    }
    #expect(try get("www.shop.example", edge).text == "one")
    #expect(try get("WWW.SHOP.EXAMPLE.:8443", edge).text == "one")
    #expect(try get("x.shop.example", edge).text == "one")
    #expect(try get("api.shop.example", edge).text == "two")
    #expect(try get("shop.example", edge).status == 421)
    try edge.reload { sites in
      sites[0].setDomains([AttachedDomain(name: "*.shop.example")])
      sites[1].setDomains([])
    }
    let refused = try get("www.shop.example", edge)
    #expect(refused.status == 403)
    #expect(refused.cacheStatus.contains("detail=domain-detached"))
    #expect(try get("api.shop.example", edge).status == 403)
    #expect(try get("x.shop.example", edge).text == "one")
    // Another takes it over.
    try edge.reload { $0[1].setDomains([AttachedDomain(name: "www.shop.example")]) }
    #expect(try get("www.shop.example", edge).text == "two")
  }

  @Test func `the only distribution answers every host but those it has given up`() throws {
    let edge = try EdgeUnderTest(named("only")) { $0.detachedDomains = ["old.example"] }
    #expect(try get("a.example", edge).text == "only")
    #expect(try get("OLD.example:80", edge).status == 403)
  }
}
