// SPDX-License-Identifier: Apache-2.0
import Testing

/// What RFC 9112 has a server refuse, over the wire: told, closed, and never shown to the origin.
@Suite(.timeLimit(.minutes(20)))
struct RefusalTests {
  struct Refused: Sendable, CustomTestStringConvertible {
    var name: String
    var head: String
    var status: Int
    init(_ name: String, _ head: String, _ status: Int = 400) {
      self.name = name
      self.head = head
      self.status = status
    }
    var testDescription: String { name }
  }

  static let requestLines: [Refused] = [
    Refused("no version", "GET /\r\nHost: a\r\n\r\n"),
    Refused("two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    Refused("space at the start", " GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    Refused("space at the end", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
    Refused("tab instead of space", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    Refused("method that is no token", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    Refused("space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    Refused("control character in the target", "GET /a\u{1}b HTTP/1.1\r\nHost: a\r\n\r\n"),
    Refused("target without a slash", "GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
    Refused("asterisk with GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    Refused("lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n"),
    Refused("version without minor", "GET / HTTP/1\r\nHost: a\r\n\r\n"),
    Refused("version with two digits", "GET / HTTP/1.11\r\nHost: a\r\n\r\n"),
    Refused("HTTP/2 on the wire of HTTP/1", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    Refused("a version of the future", "GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
    Refused("bare line feed after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n"),
    Refused("bytes of another protocol", "\u{16}\u{3}\u{1}\u{2}\r\n\r\n"),
  ]

  static let fieldLines: [Refused] = [
    Refused("bare line feed", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
    Refused("bare line feed at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n"),
    Refused("bare carriage return in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n"),
    Refused("space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
    Refused("space before the first name", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    Refused("folded line", "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n"),
    Refused("line folded by a tab", "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n"),
    Refused("no colon", "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n"),
    Refused("empty name", "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"),
    Refused("name that is no token", "GET / HTTP/1.1\r\nHost: a\r\nX[]: b\r\n\r\n"),
    Refused("NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\u{0}c\r\n\r\n"),
    Refused("control character in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\u{7}c\r\n\r\n"),
    Refused("DEL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\u{7f}c\r\n\r\n"),
    Refused("no Host", "GET / HTTP/1.1\r\nX: b\r\n\r\n"),
    Refused("two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    Refused("space in the Host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    Refused("slash in the Host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    Refused("user in the Host", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    Refused("port that is no number", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"),
    Refused("two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
    Refused(
      "an expectation nobody knows", "GET / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n", 417),
  ]

  static func post(_ name: String, _ fields: String, _ status: Int = 400, version: String = "1.1")
    -> Refused
  {
    Refused(name, "POST / HTTP/\(version)\r\nHost: a\r\n\(fields)\r\n\r\n0\r\n\r\n", status)
  }

  static let framings: [Refused] = [
    post("signed length", "Content-Length: +5"),
    post("negative length", "Content-Length: -5"),
    post("hexadecimal length", "Content-Length: 0x5"),
    post("empty length", "Content-Length:"),
    post("length of words", "Content-Length: five"),
    post("length with a space inside", "Content-Length: 5 5"),
    post("length that overflows", "Content-Length: 18446744073709551616"),
    post("list of lengths", "Content-Length: 5, 5"),
    post("two lengths that agree", "Content-Length: 5\r\nContent-Length: 5"),
    post("two lengths that differ", "Content-Length: 5\r\nContent-Length: 6"),
    post("length and coding", "Content-Length: 5\r\nTransfer-Encoding: chunked"),
    post("coding and length", "Transfer-Encoding: chunked\r\nContent-Length: 5"),
    post("coding in HTTP/1.0", "Transfer-Encoding: chunked", version: "1.0"),
    post("chunked twice", "Transfer-Encoding: chunked, chunked"),
    post("chunked on two lines", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
    post("chunked not last", "Transfer-Encoding: chunked, gzip"),
    post("a coding that is not known", "Transfer-Encoding: gzip, chunked", 501),
    post("a coding that looks like chunked", "Transfer-Encoding: xchunked", 501),
  ]

  @Test(arguments: requestLines + fieldLines + framings)
  func `a malformed head is refused and the connection closed`(_ refused: Refused) throws {
    let origin = try ScriptedOrigin { try $0.respond(body: "reached") }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    // What follows on the connection must not be taken for a request.
    try viewer.send(refused.head + "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
    let response = try viewer.readResponse()
    #expect(response.status == refused.status)
    #expect(
      response["cache-status"]?.contains("request-too-large")
        == [414, 431].contains(refused.status))
    #expect(response["connection"]?.lowercased() == "close")
    #expect(viewer.isClosed())
    #expect(origin.requestCount == 0)
  }

  @Test(arguments: [
    "x\r\nabc\r\n0\r\n\r\n", "-1\r\nabc\r\n0\r\n\r\n", "3\nabc\n0\n\n", "3\r\nabcd\r\n0\r\n\r\n",
    "3 \r\nabc0\r\n\r\n", "fffffffffffffffff\r\nabc", "0x3\r\nabc\r\n0\r\n\r\n",
    "\r\nabc\r\n0\r\n\r\n",
  ])
  func `a malformed chunked upload is refused and never completed`(_ body: String) throws {
    let completed = Shared(false)
    let origin = try ScriptedOrigin {
      let body = try $0.readBody()
      completed.withLock { $0 = body.ending == .complete }
      try $0.respond()
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    try viewer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    let response = try viewer.readResponse(to: "POST")
    #expect(response.status == 400)
    #expect(viewer.isClosed())
    #expect(!completed.value)
  }

  @Test func `empty lines before a request are forgiven`() throws {
    let origin = try ScriptedOrigin { try $0.respond(body: "here") }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    try viewer.send("\r\n" + ScriptedViewer.head("GET", "/"))
    #expect(try viewer.readResponse().text == "here")
  }

  @Test func `a head may come byte by byte`() throws {
    let origin = try ScriptedOrigin { try $0.respond(body: $0.request.target) }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    for byte in ScriptedViewer.head("GET", "/slow", ["X-A: b"]).utf8 { try viewer.send([byte]) }
    #expect(try viewer.readResponse().text == "/slow")
  }

  @Test func `a refusal says which request it was`() throws {
    let origin = try ScriptedOrigin { try $0.respond() }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    try viewer.send("GET / HTTP/1.1\r\n\r\n")
    let response = try viewer.readResponse()
    let id = try #require(response["x-request-id"])
    #expect(response.text.contains(id))
  }
}
