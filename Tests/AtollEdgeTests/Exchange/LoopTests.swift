// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Testing

/// CDN-Loop (RFC 8586): an origin that leads back to the edge is found out on the first round.
@Suite(.timeLimit(.minutes(20)))
struct LoopTests {
  @Test func `a request that comes back through its own origin is 508`() throws {
    let origin = try ScriptedOrigin { try $0.respond("200 OK", body: "never") }
    let edge = try EdgeUnderTest(origin)
    // From now on the edge is its own origin.
    try edge.reload { $0[0].origin.port = edge.port }
    for method in ["GET", "POST"] {
      let response = try edge.viewer().request(method, "/")
      #expect(response.status == 508)
      #expect(
        response.cacheStatus.contains("loop") || response.cacheStatus.contains("fwd-status=508"))
    }
    #expect(origin.requestCount == 0)
  }

  @Test func `an edge may stand behind another one`() throws {
    let origin = try ScriptedOrigin { try $0.respond("200 OK", body: "deep") }
    let inner = try EdgeUnderTest(origin)
    let outer = try EdgeUnderTest(origin)
    try outer.reload { $0[0].origin.port = inner.port }
    #expect(try outer.get("/").text == "deep")
    #expect(origin.requests.first?["cdn-loop"]?.contains("atoll-") == true)
  }
}
