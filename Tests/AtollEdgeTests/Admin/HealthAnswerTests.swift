// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Testing

/// What a supervised edge tells of its origins' targets.
@Suite(.timeLimit(.minutes(20)))
struct HealthAnswerTests {
  @Test func `the admin socket tells each target's health`() throws {
    let refusing = try RefusingOrigin()
    let origin = try ScriptedOrigin { try $0.respond("200 OK", "Cache-Control: no-store") }
    let shop = try site(origin, name: "shop") {
      $0.origin.ejection = Ejection(failures: 1, duration: 600)
      $0.origin.targets = [OriginTarget(host: "127.0.0.1", port: refusing.port)]
    }
    let edge = try SupervisedEdge(unsaved: shop)
    for index in 0..<4 { #expect(try edge.get("/\(index)").status == 200) }
    let health = try #require(try edge.admin.health(ofDistribution: "shop"))
    #expect(health.origins.map(\.name) == ["default"])
    let targets = health.origins[0].targets
    #expect(targets.map(\.state) == [.up, .ejected])
    #expect(targets[1].address == "127.0.0.1:\(refusing.port)")
    #expect(targets[1].lastFailure == "connection refused")
    #expect(targets[1].failures == 1)
    #expect(try edge.admin.health(ofDistribution: "other") == nil)
    // The metrics tell it too, of the distributions that were asked for.
    let report = try edge.admin.metrics(distribution: "shop")
    #expect(report.edges[0].health.map(\.name) == ["shop"])
    #expect(report.edges[0].health[0].origins[0].targets.map(\.state) == [.up, .ejected])
  }

  @Test func `edges on one store know each other's sticky sessions`() throws {
    func target(_ name: String) throws -> ScriptedOrigin {
      try ScriptedOrigin { try $0.respond("200 OK", "Cache-Control: no-store", body: name) }
    }
    let (a, b) = (try target("a"), try target("b"))
    let shop = try site(a, name: "shop") {
      $0.origin.targets = [OriginTarget(host: "127.0.0.1", port: b.port)]
      $0.origin.sticky = StickySession(cookie: "lb", duration: 600)
    }
    let first = try SupervisedEdge(unsaved: shop)
    let second = try SupervisedEdge(in: first.directory, unsaved: shop)
    let response = try first.get("/")
    let cookie = try #require(response["set-cookie"]).prefix { $0 != ";" }
    for index in 0..<4 {
      let viewer = try ScriptedViewer(port: second.port)
      let again = try viewer.get("/\(index)", "Cookie: \(cookie)")
      #expect(again.text == response.text)
      #expect(again["set-cookie"] == nil)
    }
  }
}
