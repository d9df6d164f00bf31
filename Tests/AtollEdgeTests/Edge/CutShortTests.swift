// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import FoundationEssentials
import Testing

/// What access log and metrics tell of responses of which the viewer does not get all.
@Suite(.timeLimit(.minutes(20)))
struct CutShortTests {
  struct Line: Decodable {
    var target: String?
    var status: Int
    var cache: String
    var reason: String?
    var bodyBytes: Int

    var verdict: String { reason.map { "\(status) \(cache) \($0)" } ?? "\(status) \(cache)" }
  }

  enum Reader: CaseIterable {
    case http1, http1Stored, http1TLS, http2, http2Window
  }

  static let length = 8 << 20

  /// Cacheable, and of more bytes than the kernel holds for a viewer with a small buffer.
  private func origin() throws -> ScriptedOrigin {
    try ScriptedOrigin {
      try $0.respond(
        "200 OK", "Cache-Control: max-age=60", body: String(repeating: "x", count: Self.length))
    }
  }

  private func lines(_ log: AccessLogTests.LogFile) throws -> [Line] {
    try log.lines.map { try JSONDecoder().decode(Line.self, from: Data($0)) }
  }

  private func count(_ edge: EdgeUnderTest, _ reason: Reason) -> UInt64 {
    edge.edge.counters()[0].count(reason)
  }

  @Test(arguments: Reader.allCases)
  func `a response that is not taken in time is logged with what was sent, and why it ended`(
    _ reader: Reader
  ) throws {
    let log = AccessLogTests.LogFile()
    let certificate = ServerCertificate("test.example")
    let edge = try EdgeUnderTest.secure(
      origin(), [certificate.served()],
      options: {
        // Of which one object may take an eighth.
        $0.memory = 128 << 20
        $0.bodyTimeout = 1
        $0.log(to: log.path)
      })
    if reader == .http1Stored { #expect(try edge.get("/").body.bytes.count == Self.length) }
    let isHTTP2 = reader == .http2 || reader == .http2Window
    if isHTTP2 {
      let peer = try HTTP2Peer(
        port: edge.port, settings: [(4, reader == .http2 ? 0x7fff_ffff : 0)], receiveBuffer: 4_096)
      try peer.updateWindow(0, 0x7fff_0000)
      try peer.sendRequest(1, "/slow")
      if reader == .http2Window {
        #expect(try peer.response(1).error == HTTP2Peer.Code.cancel)
      }
      #expect(eventually { count(edge, .slowReader) == 1 })
    } else {
      let viewer =
        reader == .http1TLS
        ? try edge.secureViewer(receiveBuffer: 4_096) : try edge.viewer(receiveBuffer: 4_096)
      try viewer.send(ScriptedViewer.head("GET", reader == .http1Stored ? "/" : "/slow"))
      #expect(try viewer.readResponseHead().status == 200)
      #expect(eventually { count(edge, .slowReader) == 1 })
    }
    _ = edge.edge.drain(timeout: 5)
    edge.stop()
    let line = try #require(try lines(log).last)
    #expect(line.verdict == "200 error slow-reader")
    #expect(line.bodyBytes < Self.length)
    #expect(edge.edge.http2Counts()[.slowReader] == (isHTTP2 ? 1 : 0))
  }

  @Test func `a body that ends with its connection does not look whole to a slow reader`() throws {
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead("200 OK", "Transfer-Encoding: chunked")
      try exchange.send(chunked(String(repeating: "x", count: Self.length)))
    }
    let edge = try EdgeUnderTest(origin, options: { $0.bodyTimeout = 1 })
    let viewer = try edge.viewer(receiveBuffer: 4_096)
    try viewer.send("GET / HTTP/1.0\r\nHost: test.example\r\n\r\n")
    let response = try viewer.readResponseHead()
    #expect(response.framing == .untilClose)
    #expect(eventually { count(edge, .slowReader) == 1 })
    #expect(try viewer.readBody(of: response).ending == .truncated)
  }

  @Test(arguments: [(false, false), (false, true), (true, false), (true, true)])
  func `a response whose request breaks off or stalls meanwhile is logged as that`(
    _ http2: Bool, stalls: Bool
  ) throws {
    let log = AccessLogTests.LogFile()
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead("200 OK", "Content-Length: 10")
      try exchange.send("begin")
      exchange.stall()
    }
    let edge = try EdgeUnderTest(
      origin,
      options: {
        $0.bodyTimeout = 2
        $0.log(to: log.path)
      })
    if http2 {
      let peer = try HTTP2Peer(port: edge.port)
      try peer.send(
        HTTP2Peer.headers(
          1, HTTP2Peer.fields("POST", "/", [("content-length", "4")]), endStream: false))
      try peer.read { $0.responses[1]?.text == "begin" }
      try peer.sendData(1, Array("ab".utf8), endStream: !stalls)
      #expect(
        try peer.response(1).error
          == (stalls ? HTTP2Peer.Code.internalError : HTTP2Peer.Code.protocolError))
    } else {
      let viewer = try edge.viewer()
      try viewer.send(ScriptedViewer.head("POST", "/", ["Content-Length: 4"]))
      let response = try viewer.readResponseHead()
      #expect(response.status == 200)
      #expect(try viewer.wire.read(3) == Array("beg".utf8))
      try viewer.send("ab")
      if !stalls { viewer.halfClose() }
      #expect(try viewer.readBody(of: response).ending != .complete)
    }
    let reason = stalls ? Reason.requestTimeout : .badRequest
    #expect(eventually { count(edge, reason) == 1 })
    _ = edge.edge.drain(timeout: 5)
    edge.stop()
    #expect(try lines(log).map(\.verdict) == ["200 error \(reason.text)"])
    #expect(edge.edge.http2Counts()[.slowBody] == (http2 && stalls ? 1 : 0))
  }

  @Test(arguments: [false, true])
  func `who leaves before the answer is logged without the status of an earlier one`(
    _ http2: Bool
  ) throws {
    let log = AccessLogTests.LogFile()
    let origin = try ScriptedOrigin {
      if $0.request.target == "/" { return try $0.respond("404 Not Found") }
      $0.stall()
    }
    let edge = try EdgeUnderTest(
      origin,
      options: {
        $0.log(to: log.path)
      })
    if http2 {
      let peer = try HTTP2Peer(port: edge.port)
      #expect(try peer.request(1, "/").status == 404)
      try peer.sendRequest(3, "/never")
      #expect(origin.waitFor(requests: 2))
      try peer.reset(3)
    } else {
      let viewer = try edge.viewer()
      #expect(try viewer.get("/").status == 404)
      try viewer.send(ScriptedViewer.head("GET", "/never"))
      #expect(origin.waitFor(requests: 2))
      viewer.reset()
    }
    #expect(eventually { edge.edge.counters()[0].responses(class: 0) == 1 })
    _ = edge.edge.drain(timeout: 5)
    edge.stop()
    #expect(try lines(log).map(\.verdict) == ["404 miss response-no-lifetime", "0 miss absent"])
  }
}
