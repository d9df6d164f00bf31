// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Testing

/// Unsafe methods invalidate what is stored for their target (RFC 9111 §4.4).
@Suite(.timeLimit(.minutes(20)))
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

  @Test(arguments: [("ETag: \"a\"", true), ("ETag: \"b\"", false)])
  func `HEAD that may not be stored tells what is out of date (§4.3.5)`(
    _ tag: String, _ stays: Bool
  ) throws {
    let origin = try ScriptedOrigin {
      let isHead = $0.request.method == "HEAD"
      let head = ["HTTP/1.1 200 OK", "Cache-Control: max-age=600", isHead ? tag : "ETag: \"a\""]
      try $0.send(
        head.joined(separator: "\r\n") + "\r\nContent-Length: 4\r\n\r\n"
          + (isHead ? "" : "kept"))
    }
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/a")
    let head = try edge.viewer().request("HEAD", "/a", ["Cache-Control: no-store"])
    #expect(head.status == 200)
    #expect(origin.requests.last?.method == "HEAD")
    #expect(try edge.get("/a").isHit == stays)
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

  @Test func `every key of the URL is found, whatever the behavior puts into it`() throws {
    let origin = try ScriptedOrigin {
      _ = try $0.readBody()
      try $0.respond("200 OK", "Cache-Control: max-age=600", "Location: /b")
    }
    let edge = try EdgeUnderTest(origin, preset: .static) {
      $0.settings.allowedMethods = .all
      $0.settings.honorsRequestDirectives = true
      $0.settings.forwardedCookies = .listed(["id"])
      $0.settings.forwardedHeaders = .listed(["X-A", "Host"])
    }
    let viewers = [
      [], ["Cookie: id=1"], ["Cookie: id=2"], ["X-A: 1"], ["X-A: 2", "Cookie: id=1"],
    ]
    for path in ["/a", "/b", "/c"] {
      for fields in viewers {
        _ = try edge.viewer().request("GET", path, fields)
        #expect(try edge.viewer().request("GET", path, fields).isHit)
      }
    }
    _ = try edge.viewer().request("POST", "/a", ["Cookie: id=1"], body: "x")
    // The keys that the request does not name are looked for on the side.
    let end = Clock.now() + 10
    for fields in viewers {
      for path in ["/a", "/b"] {
        func isStored() throws -> Bool {
          let only = fields + ["Cache-Control: only-if-cached"]
          return try edge.viewer().request("GET", path, only).isHit
        }
        while Clock.now() < end, try isStored() {}
        #expect(try !isStored())
      }
      #expect(try edge.viewer().request("GET", "/c", fields).isHit)
    }
  }
}
