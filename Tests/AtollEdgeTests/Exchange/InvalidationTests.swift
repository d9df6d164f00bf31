// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Testing

/// Unsafe methods invalidate what is stored for their target (RFC 9111 §4.4).
@Suite(.timeLimit(.minutes(5)))
struct InvalidationTests {
  @Test(arguments: ["POST", "PUT", "DELETE", "PATCH"])
  func `a successful unsafe request invalidates its target`(_ method: String) throws {
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: max-age=600", "Vary: X-A", body: $0.request.method)
    }
    let edge = try EdgeUnderTest(origin)
    for variant in ["1", "2"] {
      _ = try edge.get("/a", "X-A: \(variant)")
      #expect(try edge.get("/a", "X-A: \(variant)").isHit)
    }
    _ = try edge.get("/b")
    #expect(try edge.viewer().request(method, "/a", body: "x").status == 200)
    #expect(try !edge.get("/a", "X-A: 1").isHit)
    #expect(try !edge.get("/a", "X-A: 2").isHit)
    #expect(try edge.get("/b").isHit)
  }

  @Test(arguments: ["404 Not Found", "500 Internal Server Error"])
  func `a failed unsafe request invalidates nothing`(_ status: String) throws {
    let origin = try ScriptedOrigin {
      if $0.request.method == "POST" { return try $0.respond(status, body: "no") }
      try $0.respond("200 OK", "Cache-Control: max-age=600", body: "kept")
    }
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/a")
    _ = try edge.viewer().request("POST", "/a", body: "x")
    #expect(try edge.get("/a").isHit)
  }

  @Test func `a safe request invalidates nothing`() throws {
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: max-age=600", body: "kept")
    }
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/a")
    _ = try edge.viewer().request("OPTIONS", "/a")
    #expect(try edge.get("/a").isHit)
  }

  @Test func `a fill that began before is not stored after`() throws {
    let more = Event()
    let origin = try ScriptedOrigin { exchange in
      if exchange.request.number == 1 {
        try exchange.send(
          "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 6\r\n\r\nold")
        more.wait()
        return try exchange.send("old")
      }
      try exchange.respond("200 OK", "Cache-Control: max-age=600", body: "new")
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    try viewer.send(ScriptedViewer.head("GET", "/a"))
    let response = try viewer.readResponseHead()
    #expect(try edge.viewer().request("POST", "/a", body: "x").status == 200)
    more.fire()
    #expect(try viewer.readBody(of: response).bytes == Array("oldold".utf8))
    #expect(try edge.get("/a").text == "new")
  }
}
