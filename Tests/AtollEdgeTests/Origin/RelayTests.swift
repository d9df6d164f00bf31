// SPDX-License-Identifier: Apache-2.0
import Glibc
import Testing

/// Responses on their way from origins to viewers, whole or not.
@Suite(.timeLimit(.minutes(20)))
struct RelayTests {
  enum Framing: String, CaseIterable, Sendable {
    case length, chunked, untilClose
  }

  static let storable = "Cache-Control: max-age=600"

  /// Sends `whole`, or only its start, in that framing.
  static func send(
    _ exchange: OriginExchange, _ framing: Framing, _ parts: [String], whole: Bool = true
  ) throws {
    let body = parts.joined()
    switch framing {
    case .length:
      try exchange.sendHead(
        "200 OK", storable, "Content-Length: \(body.utf8.count + (whole ? 0 : 5))")
      for part in parts { try exchange.send(part) }
      if !whole { exchange.close() }
    case .chunked:
      try exchange.sendHead("200 OK", storable, "Transfer-Encoding: chunked")
      for part in parts {
        try exchange.send("\(String(part.utf8.count, radix: 16))\r\n\(part)\r\n")
      }
      if whole { try exchange.send("0\r\n\r\n") } else { exchange.close() }
    case .untilClose:
      try exchange.sendHead("200 OK", storable, "Connection: close")
      for part in parts { try exchange.send(part) }
      if whole { exchange.close() } else { exchange.reset() }
    }
  }

  @Test(arguments: Framing.allCases)
  func `a body of every framing arrives whole and is stored`(_ framing: Framing) throws {
    let long = String(repeating: "0123456789", count: 30_000)
    let origin = try ScriptedOrigin { try Self.send($0, framing, ["start ", long, " end"]) }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    for round in 1...2 {
      let response = try viewer.get("/")
      #expect(response.isComplete)
      #expect(response.text == "start " + long + " end")
      #expect(response.isHit == (round == 2))
    }
    #expect(origin.requestCount == 1)
  }

  @Test(arguments: Framing.allCases)
  func `a truncated body is visibly so and never stored`(_ framing: Framing) throws {
    let origin = try ScriptedOrigin {
      try Self.send($0, framing, ["start"], whole: $0.request.number > 1)
    }
    let edge = try EdgeUnderTest(origin)
    let cut = try edge.viewer()
    try cut.send(ScriptedViewer.head("GET", "/"))
    // Either an error instead of the response, when nothing was passed on yet, or a body that its
    // own framing shows to be incomplete.
    if let response = try? cut.readResponse() {
      #expect(!response.isComplete || response.status == 502)
    }
    let next = try edge.get("/")
    #expect(next.text == "start")
    #expect(next.isComplete)
    #expect(!next.isHit)
    #expect(origin.requestCount == 2)
  }

  @Test(arguments: [Framing.length, .chunked])
  func `a reset in the middle is visible and never stored`(_ framing: Framing) throws {
    let passedOn = Event()
    let origin = try ScriptedOrigin { exchange in
      if exchange.request.number > 1 { return try Self.send(exchange, framing, ["whole"]) }
      if framing == .length {
        try exchange.sendHead("200 OK", Self.storable, "Content-Length: 10")
        try exchange.send("start")
      } else {
        try exchange.sendHead("200 OK", Self.storable, "Transfer-Encoding: chunked")
        try exchange.send("5\r\nstart\r\n")
      }
      passedOn.wait()
      exchange.reset()
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    try viewer.send(ScriptedViewer.head("GET", "/"))
    let head = try viewer.readResponseHead()
    #expect(head.status == 200)
    // The first bytes are here before the reset.
    while viewer.wire.pendingCount == 0 { _ = try viewer.wire.receive() }
    passedOn.fire()
    let body = try viewer.readBody(of: head)
    #expect(body.ending == .truncated)
    #expect(String(decoding: body.bytes, as: UTF8.self) == "start")
    #expect(try edge.get("/").text == "whole")
  }

  @Test func `bytes are passed on as they arrive`() throws {
    let step = (0..<3).map { _ in Event() }
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead("200 OK", Self.storable, "Transfer-Encoding: chunked")
      for (index, event) in step.enumerated() {
        try exchange.send("1\r\n\(index)\r\n")
        event.wait()
      }
      try exchange.send("0\r\n\r\n")
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    try viewer.send(ScriptedViewer.head("GET", "/"))
    #expect(try viewer.readResponseHead().framing == .chunked)
    for (index, event) in step.enumerated() {
      #expect(try viewer.wire.read(6) == Array("1\r\n\(index)\r\n".utf8))
      event.fire()
    }
    #expect(try viewer.wire.read(5) == Array("0\r\n\r\n".utf8))
  }

  @Test(arguments: ["", "no-store"])
  func `the head is passed on before the body`(_ control: String) throws {
    let go = Event()
    let origin = try ScriptedOrigin {
      try $0.sendHead("200 OK", "Content-Length: 2", "Cache-Control: \(control)")
      go.wait()
      try $0.send("ok")
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    try viewer.send(ScriptedViewer.head("GET", "/"))
    let response = try viewer.readResponseHead()
    #expect(response.framing == .length(2))
    go.fire()
    #expect(try viewer.readBody(of: response).count == 2)
  }

  @Test func `interim responses are passed on`() throws {
    let origin = try ScriptedOrigin {
      try $0.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
      try $0.send("HTTP/1.1 102 Processing\r\n\r\n")
      try $0.respond(body: "final")
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    try viewer.send(ScriptedViewer.head("GET", "/"))
    let early = try viewer.readAnyHead()
    #expect(early.status == 103)
    #expect(early["link"] == "</a.css>; rel=preload")
    #expect(try viewer.readAnyHead().status == 102)
    #expect(try viewer.readResponse().text == "final")
    let old = try edge.viewer()
    try old.send("GET / HTTP/1.0\r\n\r\n")
    let response = try old.readResponse()
    #expect(response.interim.isEmpty)
    #expect(response.text == "final")
  }

  @Test func `interim responses without end are a bad origin`() throws {
    let origin = try ScriptedOrigin { exchange in
      for _ in 0..<1000 { try exchange.send("HTTP/1.1 102 Processing\r\n\r\n") }
      exchange.stall()
    }
    let edge = try EdgeUnderTest(origin)
    #expect(try edge.get("/").status == 502)
  }

  @Test(arguments: [
    "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 999999 OK\r\nContent-Length: 0\r\n\r\n", "garbage\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA: b\u{0}c\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 100_000),
  ])
  func `a malformed response is 502 and its connection is not used again`(_ bytes: String) throws {
    let origin = try ScriptedOrigin { exchange in
      if exchange.request.target == "/bad" {
        try exchange.send(bytes)
        exchange.stall()
      } else {
        try exchange.respond(body: "good")
      }
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    let response = try viewer.get("/bad")
    #expect(response.status == 502)
    #expect(response["x-cache"] == "Error from atoll")
    #expect(try viewer.get("/good").text == "good")
    #expect(try #require(origin.requests.last).connection > 1)
  }

  @Test func `a large body to a viewer that does not read is held back`() throws {
    let taken = Shared(0)
    let blocked = Event()
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead("200 OK", "Content-Length: \(10 << 30)")
      let sent = UploadTests.sendUntilBlocked(exchange.wire, atMost: 256 << 20)
      taken.withLock { $0 = sent }
      blocked.fire()
      exchange.close()
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer(receiveBuffer: 8192)
    try viewer.send(ScriptedViewer.head("GET", "/"))
    #expect(blocked.wait(within: 20))
    #expect(taken.value < 64 << 20)
    let response = try viewer.readResponse(keeping: false)
    #expect(response.body.ending == .truncated)
    #expect(response.body.count == taken.value)
  }

  @Test func `a viewer that leaves frees the origin`() throws {
    let gone = Event()
    let origin = try ScriptedOrigin { exchange in
      defer { gone.fire() }
      try exchange.sendHead("200 OK", "Content-Length: \(10 << 30)", "Cache-Control: no-store")
      let block = [UInt8](repeating: 120, count: 65_536)
      while true { try exchange.send(block) }
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    try viewer.send(ScriptedViewer.head("GET", "/"))
    _ = try viewer.readResponseHead()
    viewer.reset()
    #expect(gone.wait())
  }

  @Test func `an interim response leaves the origin its time`() throws {
    let origin = try ScriptedOrigin {
      try $0.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
      usleep(1_500_000)
      try $0.respond(body: "late")
    }
    let edge = try EdgeUnderTest(origin, options: { $0.bodyTimeout = 1 })
    let response = try edge.get("/")
    #expect(response.interim == [103])
    #expect(response.text == "late")
  }
}
