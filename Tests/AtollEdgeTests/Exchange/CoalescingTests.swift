// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Testing

/// Fills: many viewers of one cold URL, one request to the origin.
@Suite(.timeLimit(.minutes(20)))
struct CoalescingTests {
  /// An origin that sends a head and "first ", then waits before "second".
  static func inTwoParts(_ more: Event, _ fields: String...) throws -> ScriptedOrigin {
    let fields = fields.isEmpty ? ["Cache-Control: max-age=60"] : fields
    return try ScriptedOrigin { exchange in
      let head = ["HTTP/1.1 200 OK", "Content-Length: 12"] + fields
      try exchange.send(head.joined(separator: "\r\n") + "\r\n\r\nfirst ")
      more.wait()
      try exchange.send("second")
    }
  }

  @Test func `a thousand viewers over two loops make one request and get bytes as they arrive`()
    throws
  {
    raiseDescriptorLimit()
    let more = Event()
    let origin = try Self.inTwoParts(more)
    let edge = try EdgeUnderTest(
      origin, { $0.origin.responseTimeout = 60 },
      options: {
        $0.threads = 2
        $0.maxConnections = 4000
      })
    let viewers = try (0..<1000).map { _ in try edge.viewer() }
    for viewer in viewers { try viewer.send(ScriptedViewer.head("GET", "/")) }
    // The origin still holds back the second part while every viewer reads the first.
    var responses: [ViewerResponse] = []
    for viewer in viewers {
      responses.append(try viewer.readResponseHead())
      #expect(try viewer.wire.read(6) == Array("first ".utf8))
    }
    #expect(origin.requestCount == 1)
    more.fire()
    for viewer in viewers { #expect(try viewer.wire.read(6) == Array("second".utf8)) }
    #expect(responses.allSatisfy { $0.status == 200 })
    #expect(responses.filter { $0.cacheStatus.contains("collapsed") }.count == 999)
    #expect(origin.requestCount == 1)
    #expect(try edge.get("/").isHit)
  }

  @Test(arguments: ["no-store", "private", "max-age=0"])
  func `an unstorable response releases the waiters at once`(_ control: String) throws {
    let more = Event()
    let origin = try ScriptedOrigin { exchange in
      if exchange.request.number == 1 {
        try exchange.sendHead("200 OK", "Cache-Control: \(control)", "Content-Length: 5")
        more.wait()
        try exchange.send("first")
      } else {
        try exchange.respond(
          "200 OK", "Cache-Control: \(control)", body: "\(exchange.request.number)")
      }
    }
    let edge = try EdgeUnderTest(origin, options: { $0.threads = 2 })
    let viewers = try (0..<20).map { _ in try edge.viewer() }
    for viewer in viewers { try viewer.send(ScriptedViewer.head("GET", "/")) }
    // The first response is not over, yet all others are answered, each with its own.
    #expect(origin.waitFor(requests: 20))
    var bodies: Set<String> = []
    var first: (ScriptedViewer, ViewerResponse)?
    for viewer in viewers {
      let response = try viewer.readResponseHead()
      if response.framing == .length(5) {
        first = (viewer, response)
      } else {
        bodies.insert(
          String(decoding: try viewer.readBody(of: response).bytes, as: UTF8.self))
      }
    }
    #expect(bodies == Set((2...20).map(String.init)))
    more.fire()
    let (viewer, response) = try #require(first)
    #expect(try viewer.readBody(of: response).bytes == Array("first".utf8))
  }

  @Test func `after an unstorable response later requests do not queue`() throws {
    let held = Event()
    let origin = try ScriptedOrigin { exchange in
      if exchange.request.number == 2 { held.wait() }
      try exchange.respond("200 OK", "Cache-Control: no-store", body: "\(exchange.request.number)")
    }
    let edge = try EdgeUnderTest(origin)
    #expect(try edge.get("/").text == "1")
    let slow = try edge.viewer()
    try slow.send(ScriptedViewer.head("GET", "/"))
    origin.waitFor(requests: 2)
    #expect(try edge.get("/").text == "3")
    held.fire()
    #expect(try slow.readResponse().text == "2")
  }

  @Test func `requests of different keys do not wait for each other`() throws {
    let held = Event()
    let origin = try ScriptedOrigin {
      if $0.request.target == "/slow" { held.wait() }
      try $0.respond("200 OK", "Cache-Control: max-age=60", body: $0.request.target)
    }
    let edge = try EdgeUnderTest(origin)
    let slow = try edge.viewer()
    try slow.send(ScriptedViewer.head("GET", "/slow"))
    origin.waitFor(requests: 1)
    #expect(try edge.get("/fast").text == "/fast")
    held.fire()
    #expect(try slow.readResponse().text == "/slow")
  }

  @Test func `variants are not mixed up while they are filled`() throws {
    let go = Event()
    let origin = try ScriptedOrigin {
      go.wait()
      try $0.respond(
        "200 OK", "Cache-Control: max-age=60", "Vary: Accept-Language",
        body: $0.request["accept-language"] ?? "none")
    }
    let edge = try EdgeUnderTest(origin, options: { $0.threads = 2 })
    let languages = ["de", "en", "fr", "it"]
    let viewers = try (0..<40).map { _ in try edge.viewer() }
    for (index, viewer) in viewers.enumerated() {
      try viewer.send(
        ScriptedViewer.head("GET", "/", ["Accept-Language: \(languages[index % 4])"]))
    }
    origin.waitFor(requests: 1)
    go.fire()
    for (index, viewer) in viewers.enumerated() {
      #expect(try viewer.readResponse().text == languages[index % 4])
    }
  }

  @Test func `a viewer that leaves does not hurt the others`() throws {
    let more = Event()
    let origin = try Self.inTwoParts(more)
    let edge = try EdgeUnderTest(origin)
    let leaver = try edge.viewer()
    try leaver.send(ScriptedViewer.head("GET", "/"))
    _ = try leaver.readResponseHead()
    let stayer = try edge.viewer()
    try stayer.send(ScriptedViewer.head("GET", "/"))
    let response = try stayer.readResponseHead()
    #expect(try stayer.wire.read(6) == Array("first ".utf8))
    leaver.reset()
    more.fire()
    #expect(response.framing == .length(12))
    #expect(try stayer.wire.read(6) == Array("second".utf8))
    #expect(try edge.get("/").isHit)
    #expect(origin.requestCount == 1)
  }

  @Test func `a fill that fails in the middle is incomplete for every waiter`() throws {
    let cut = Event()
    let origin = try ScriptedOrigin { exchange in
      if exchange.request.number > 1 { return try exchange.respond(body: "whole") }
      try exchange.sendHead("200 OK", "Cache-Control: max-age=60", "Transfer-Encoding: chunked")
      try exchange.send("6\r\nfirst \r\n")
      cut.wait()
      exchange.reset()
    }
    let edge = try EdgeUnderTest(origin, options: { $0.threads = 2 })
    let viewers = try (0..<20).map { _ in try edge.viewer() }
    for viewer in viewers { try viewer.send(ScriptedViewer.head("GET", "/")) }
    var heads: [ViewerResponse] = []
    for viewer in viewers {
      heads.append(try viewer.readResponseHead())
      while viewer.wire.pendingCount == 0 { guard try viewer.wire.receive() else { break } }
    }
    cut.fire()
    for (viewer, head) in zip(viewers, heads) {
      let body = try viewer.readBody(of: head)
      #expect(body.ending == .truncated)
      #expect(String(decoding: body.bytes, as: UTF8.self) == "first ")
    }
    #expect(try edge.get("/").text == "whole")
  }

  @Test func `a fill whose origin never answers is an error for every waiter`() throws {
    let go = Event()
    let origin = try ScriptedOrigin { exchange in
      go.wait()
      exchange.close()
    }
    let edge = try EdgeUnderTest(origin)
    let viewers = try (0..<10).map { _ in try edge.viewer() }
    for viewer in viewers { try viewer.send(ScriptedViewer.head("GET", "/")) }
    origin.waitFor(requests: 1)
    go.fire()
    for viewer in viewers { #expect(try viewer.readResponse().status == 502) }
  }

  @Test func `a slow viewer of a fill does not slow the others`() throws {
    let size = 2 << 20
    let block = String(repeating: "x", count: 1 << 16)
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead("200 OK", "Cache-Control: max-age=60", "Content-Length: \(size)")
      for _ in 0..<(size >> 16) { try exchange.send(block) }
    }
    let edge = try EdgeUnderTest(origin)
    let slow = try edge.viewer(receiveBuffer: 4096)
    try slow.send(ScriptedViewer.head("GET", "/"))
    let head = try slow.readResponseHead()
    #expect(try edge.get("/").body.count == size)
    #expect(try edge.get("/").isHit)
    #expect(try slow.wire.readBody(head.framing, keeping: false).count == size)
    #expect(origin.requestCount == 1)
  }

  @Test func `HEAD and ranges do not disturb a fill`() throws {
    let more = Event()
    let origin = try ScriptedOrigin { exchange in
      if exchange.request.method == "HEAD" {
        return try exchange.sendHead("200 OK", "Content-Length: 12")
      }
      try exchange.sendHead("200 OK", "Cache-Control: max-age=60", "Content-Length: 12")
      try exchange.send("first ")
      more.wait()
      try exchange.send("second")
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    try viewer.send(ScriptedViewer.head("GET", "/"))
    let response = try viewer.readResponseHead()
    let head = try edge.viewer()
    try head.send(ScriptedViewer.head("HEAD", "/"))
    #expect(try head.readResponse(to: "HEAD").status == 200)
    more.fire()
    #expect(try viewer.readBody(of: response).count == 12)
    #expect(try edge.get("/").isHit)
  }

  @Test func `a fill that breaks off fails nobody who has seen nothing of it`() throws {
    let go = Event()
    let origin = try ScriptedOrigin { exchange in
      if exchange.request.number == 1 {
        go.wait()
        try exchange.send(
          "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 9\r\n\r\npart")
        return exchange.close()
      }
      try exchange.respond("200 OK", "Cache-Control: max-age=60", body: "the whole")
    }
    let edge = try EdgeUnderTest(origin, options: { $0.threads = 2 })
    let viewers = try (0..<60).map { _ in try edge.viewer() }
    for viewer in viewers { try viewer.send(ScriptedViewer.head("GET", "/")) }
    #expect(origin.waitFor(requests: 1))
    go.fire()
    for viewer in viewers {
      let response = try viewer.readResponse()
      #expect(response.status == 200)
      #expect(!response.isComplete || response.text == "the whole")
    }
  }
}
