// SPDX-License-Identifier: Apache-2.0
import Glibc
import Testing

/// Connections towards viewers: RFC 9112 §9.
@Suite(.timeLimit(.minutes(20)))
struct PersistenceTests {
  let origin: ScriptedOrigin
  let edge: EdgeUnderTest

  init() throws {
    origin = try ScriptedOrigin { exchange in
      let body = try exchange.readBody()
      let sent = String(decoding: body.bytes, as: UTF8.self)
      try exchange.respond(body: "\(exchange.request.method) \(exchange.request.target) \(sent)")
    }
    edge = try EdgeUnderTest(origin)
  }

  @Test func `a connection serves request after request`() throws {
    let viewer = try edge.viewer()
    for index in 1...20 { #expect(try viewer.get("/\(index)").text == "GET /\(index) ") }
  }

  @Test func `pipelined requests are answered in their order`() throws {
    let viewer = try edge.viewer()
    var text = ""
    for index in 1...50 {
      text +=
        index % 5 == 0
        ? ScriptedViewer.head("POST", "/\(index)", body: "b\(index)") + "b\(index)"
        : ScriptedViewer.head("GET", "/\(index)")
    }
    try viewer.send(text)
    for index in 1...50 {
      let expected = index % 5 == 0 ? "POST /\(index) b\(index)" : "GET /\(index) "
      #expect(try viewer.readResponse().text == expected)
    }
  }

  @Test func `a pipelined hit does not overtake a slow miss`() throws {
    let go = Event()
    let origin = try ScriptedOrigin {
      if $0.request.target == "/slow" { go.wait() }
      try $0.respond("200 OK", "Cache-Control: max-age=60", body: $0.request.target)
    }
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/fast")
    let viewer = try edge.viewer()
    try viewer.send(ScriptedViewer.head("GET", "/slow") + ScriptedViewer.head("GET", "/fast"))
    origin.waitFor(requests: 2)
    #expect(viewer.wire.isQuiet(for: 0.1))
    go.fire()
    #expect(try viewer.readResponse().text == "/slow")
    let second = try viewer.readResponse()
    #expect(second.text == "/fast")
    #expect(second.isHit)
  }

  @Test func `Connection close is honored and said`() throws {
    let viewer = try edge.viewer()
    let response = try viewer.get("/", "Connection: close")
    #expect(response["connection"]?.lowercased() == "close")
    #expect(viewer.isClosed())
  }

  @Test func `nothing after a request with Connection close is answered`() throws {
    let viewer = try edge.viewer()
    try viewer.send(
      ScriptedViewer.head("GET", "/1", ["Connection: close"]) + ScriptedViewer.head("GET", "/2"))
    #expect(try viewer.readResponse().text == "GET /1 ")
    #expect(viewer.isClosed())
    #expect(origin.requests.map(\.target) == ["/1"])
  }

  @Test func `HTTP 1.0 closes unless it asks to stay`() throws {
    let closes = try edge.viewer()
    try closes.send("GET /a HTTP/1.0\r\nHost: a\r\n\r\n")
    let response = try closes.readResponse()
    #expect(response.text == "GET /a ")
    #expect(response.version == "HTTP/1.1")
    #expect(closes.isClosed())
    let stays = try edge.viewer()
    for _ in 1...2 {
      try stays.send("GET /b HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
      let response = try stays.readResponse()
      #expect(response.text == "GET /b ")
      #expect(response["connection"]?.lowercased() == "keep-alive")
    }
  }

  @Test func `HTTP 1.0 needs no Host`() throws {
    let viewer = try edge.viewer()
    try viewer.send("GET /a HTTP/1.0\r\n\r\n")
    #expect(try viewer.readResponse().text == "GET /a ")
  }

  @Test func `HTTP 1.0 never gets a chunked body`() throws {
    let origin = try ScriptedOrigin {
      try $0.sendHead("200 OK", "Transfer-Encoding: chunked")
      try $0.send(chunked("one ", "two"))
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    try viewer.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    let response = try viewer.readResponse()
    #expect(response["transfer-encoding"] == nil)
    #expect(response.text == "one two")
    #expect(viewer.isClosed())
  }

  @Test func `absolute-form names the same resource, and its authority counts`() throws {
    let viewer = try edge.viewer()
    try viewer.send("GET http://other.example/x?y HTTP/1.1\r\nHost: test.example\r\n\r\n")
    #expect(try viewer.readResponse().text == "GET /x?y ")
    #expect(try #require(origin.requests.first).target == "/x?y")
    try viewer.send("GET http://other.example HTTP/1.1\r\nHost: test.example\r\n\r\n")
    #expect(try viewer.readResponse().text == "GET / ")
  }

  @Test func `OPTIONS asterisk is answered`() throws {
    let viewer = try edge.viewer()
    try viewer.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(try viewer.readResponse(to: "OPTIONS").status < 500)
    #expect(try viewer.get("/next").text == "GET /next ")
  }

  @Test func `a viewer that ends its side still gets its answers`() throws {
    let go = Event()
    let origin = try ScriptedOrigin {
      go.wait()
      try $0.respond(body: $0.request.target)
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    try viewer.send(ScriptedViewer.head("GET", "/1") + ScriptedViewer.head("GET", "/2"))
    viewer.halfClose()
    origin.waitFor(requests: 1)
    go.fire()
    #expect(try viewer.readResponse().text == "/1")
    #expect(try viewer.readResponse().text == "/2")
    #expect(viewer.isClosed())
  }

  @Test func `a head cut off by the viewer's end is dropped`() throws {
    let viewer = try edge.viewer()
    try viewer.send("GET /cut HTTP/1.1\r\nHost: a\r\n")
    viewer.halfClose()
    _ = try? viewer.readResponse()
    #expect(viewer.isClosed())
    #expect(origin.requestCount == 0)
  }

  @Test func `HEAD has the fields of GET and no body`() throws {
    let origin = try ScriptedOrigin { try $0.respond("200 OK", "X-Kept: yes", body: "12345678") }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    let head = try viewer.request("HEAD", "/a")
    #expect(head.status == 200)
    #expect(head["content-length"] == "8")
    #expect(head["x-kept"] == "yes")
    #expect(head.body.count == 0)
    #expect(try viewer.get("/a").text == "12345678")
  }

  @Test(arguments: ["204 No Content", "304 Not Modified"])
  func `a status without body ends with its head`(_ status: String) throws {
    let origin = try ScriptedOrigin { try $0.sendHead(status, "X-Number: \($0.request.number)") }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    #expect(try viewer.get("/1", "If-None-Match: \"x\"").status == Int(status.prefix(3)))
    #expect(try viewer.get("/2", "If-None-Match: \"x\"").status == Int(status.prefix(3)))
  }

  @Test func `an end that is told together with the first answer does not cost the second request`()
    throws
  {
    let answered = Event()
    let origin = try ScriptedOrigin { exchange in
      if exchange.request.target == "/first" { answered.wait() }
      try exchange.respond("200 OK", "Cache-Control: no-store", body: exchange.request.target)
    }
    let halted = try HaltedEdge(origin)
    let edge = halted.edge
    let viewer = try edge.viewer()
    let host = "Host: site.atoll.localhost\r\n\r\n"
    try viewer.send("GET /first HTTP/1.1\r\n\(host)GET /second HTTP/1.1\r\n\(host)")
    #expect(origin.waitFor(requests: 1))
    #expect(try halted.halt())
    answered.fire()
    usleep(100_000)
    viewer.halfClose()
    usleep(100_000)
    halted.goOn()
    #expect(try viewer.readResponse().text == "/first")
    #expect(try viewer.readResponse().text == "/second")
    #expect(viewer.isClosed())
  }
}
