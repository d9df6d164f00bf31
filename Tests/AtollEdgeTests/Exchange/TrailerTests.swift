// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc
import Testing

/// Field lines behind a body (RFC 9110 §6.5), in both directions and over both protocols.
@Suite(.timeLimit(.minutes(20)))
struct TrailerTests {
  private static let asking = ["TE: trailers", "Connection: TE"]
  private static let asking2 = [("te", "trailers")]

  /// An origin whose responses have trailers, stored unless the path says otherwise.
  private static func site(_ trailers: [String] = ["X-Sum: 1"], announces: String = "X-Sum") throws
    -> ScriptedOrigin
  {
    try ScriptedOrigin { exchange in
      let control = exchange.request.target.hasPrefix("/pass") ? "no-store" : "max-age=60"
      try exchange.sendHead(
        "200 OK", "Cache-Control: \(control)", "Trailer: \(announces)",
        "Transfer-Encoding: chunked")
      try exchange.send(chunked("some ", "body", trailers: trailers))
    }
  }

  private static func names(_ trailers: [(name: String, value: String)]) -> [String] {
    trailers.map(\.name)
  }

  // MARK: Responses

  @Test(arguments: ["/a", "/pass"])
  func `trailers reach a viewer that keeps them`(path: String) throws {
    let origin = try Self.site()
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    let response = try viewer.request("GET", path, Self.asking)
    #expect(response.text == "some body" && response.isComplete)
    #expect(response["trailer"] == "X-Sum" && response["x-sum"] == nil)
    #expect(response.body.trailers.map { "\($0.name): \($0.value)" } == ["X-Sum: 1"])
    #expect(origin.requests[0]["te"] == "trailers")
    #expect(origin.requests[0].head.list("connection") == ["keep-alive", "TE"])
    // The connection goes on, and so does the one to the origin.
    let next = try viewer.request("GET", path + "2", Self.asking)
    #expect(next.body.trailers.count == 1)
    #expect(origin.connectionCount == 1)
  }

  @Test(arguments: ["/a", "/pass"])
  func `trailers are a frame of their own over HTTP 2`(path: String) throws {
    let origin = try Self.site(["X-Sum: 1", "Grpc-Status: 0"])
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port)
    for stream in [1, 3] {
      let response = try peer.request(stream, path + "\(stream)", Self.asking2)
      #expect(response.text == "some body" && response.isComplete && response.error == nil)
      #expect(response["trailer"] == "X-Sum" && response["x-sum"] == nil)
      #expect(
        response.trailers.map { "\($0.name): \($0.value)" } == ["x-sum: 1", "grpc-status: 0"])
    }
    #expect(origin.requests[0]["te"] == "trailers")
  }

  @Test func `who does not ask for trailers gets none`() throws {
    let origin = try Self.site()
    let edge = try EdgeUnderTest(origin)
    let plain = try edge.get("/a")
    #expect(plain.text == "some body" && plain["trailer"] == nil && plain.body.trailers.isEmpty)
    let peer = try HTTP2Peer(port: edge.port)
    let plain2 = try peer.request(1, "/b")
    #expect(plain2.isComplete && plain2["trailer"] == nil && plain2.trailers.isEmpty)
    #expect(origin.requests.allSatisfy { $0["te"] == nil })
    // HTTP/1.0 has no place for them.
    let viewer = try edge.viewer()
    try viewer.send("GET /c HTTP/1.0\r\nHost: a\r\nTE: trailers\r\n\r\n")
    #expect(try viewer.readResponse().text == "some body")
    #expect(origin.requests.last?["te"] == nil)
  }

  @Test func `a stored response has none, whoever asks`() throws {
    let edge = try EdgeUnderTest(try Self.site())
    _ = try edge.viewer().request("GET", "/a", Self.asking)
    let hit = try edge.viewer().request("GET", "/a", Self.asking)
    #expect(hit.isHit && hit["trailer"] == nil && hit["content-length"] == "9")
    let peer = try HTTP2Peer(port: edge.port)
    let hit2 = try peer.request(1, "/a", Self.asking2)
    #expect(hit2.isHit && hit2["trailer"] == nil && hit2.trailers.isEmpty && hit2.isComplete)
  }

  @Test func `everybody who reads along gets them, over either protocol`() throws {
    let more = Event()
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead(
        "200 OK", "Cache-Control: max-age=60", "Trailer: X-Sum", "Transfer-Encoding: chunked")
      try exchange.send("5\r\nfirst\r\n")
      more.wait()
      try exchange.send(chunked("second", trailers: ["X-Sum: 2"]))
    }
    let edge = try EdgeUnderTest(origin, options: { $0.threads = 2 })
    let viewers = try (0..<8).map { _ in try edge.viewer() }
    for (index, viewer) in viewers.enumerated() {
      try viewer.send(ScriptedViewer.head("GET", "/", index == 3 ? [] : Self.asking))
    }
    let peers = try (0..<4).map { _ in try HTTP2Peer(port: edge.port) }
    for peer in peers { try peer.sendRequest(1, "/", Self.asking2) }
    let heads = try viewers.map { try $0.readResponseHead() }
    for peer in peers { try peer.read { $0.responses[1]?.text == "first" } }
    #expect(origin.requestCount == 1)
    more.fire()
    for (index, viewer) in viewers.enumerated() {
      let body = try viewer.readBody(of: heads[index])
      #expect(body.ending == .complete && body.count == 11)
      #expect(body.trailers.map(\.value) == (index == 3 ? [] : ["2"]))
    }
    for peer in peers {
      let response = try peer.response(1)
      #expect(response.text == "firstsecond" && response.trailers.map(\.value) == ["2"])
    }
  }

  @Test func `an empty body can have trailers, a large one does`() throws {
    let origin = try ScriptedOrigin { exchange in
      let count = Int(exchange.request.target.dropFirst()) ?? 0
      try exchange.sendHead("200 OK", "Cache-Control: no-store", "Transfer-Encoding: chunked")
      let body = String(repeating: "x", count: count)
      try exchange.send(
        count == 0
          ? chunked(trailers: ["X-Sum: \(count)"]) : chunked(body, trailers: ["X-Sum: \(count)"]))
    }
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    let peer = try HTTP2Peer(port: edge.port)
    var stream = 1
    for count in [0, 1, 16_384, 65_535, 65_536, 1_000_000] {
      let response = try viewer.request("GET", "/\(count)", Self.asking)
      #expect(response.body.count == count && response.body.trailers.map(\.value) == ["\(count)"])
      let response2 = try peer.request(stream, "/\(count)", Self.asking2)
      #expect(response2.body.count == count && response2.error == nil && response2.isComplete)
      #expect(response2.trailers.map(\.value) == ["\(count)"])
      stream += 2
    }
  }

  @Test func `a viewer that reads slowly gets the trailers last`() throws {
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead("200 OK", "Cache-Control: no-store", "Transfer-Encoding: chunked")
      try exchange.send(chunked(String(repeating: "x", count: 3_000), trailers: ["X-Sum: 1"]))
    }
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port, settings: [(4, 1_000)])
    peer.updatesWindows = false
    try peer.sendRequest(1, "/", Self.asking2)
    for count in [1_000, 2_000] {
      try peer.read { ($0.responses[1]?.body.count ?? 0) >= count }
      #expect(peer.responses[1]?.trailers.isEmpty == true)
      try peer.updateWindow(1, 1_000)
    }
    let response = try peer.response(1)
    #expect(response.body.count == 3_000 && Self.names(response.trailers) == ["x-sum"])
  }

  @Test func `what must not come behind a body does not`() throws {
    let fields = [
      "Content-Length: 3", "Transfer-Encoding: chunked", "Set-Cookie: a=b", "X-Sum: 1",
      "Cache-Control: no-store", "Host: evil.example", "Location: /", "x-hop: 1", "X-Sum: 2",
    ]
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead(
        "200 OK", "Cache-Control: max-age=60", "Trailer: X-Hop, Set-Cookie, X-Sum",
        "Connection: keep-alive, X-Hop", "Transfer-Encoding: chunked")
      try exchange.send(chunked("body", trailers: fields))
    }
    let edge = try EdgeUnderTest(origin)
    let response = try edge.viewer().request("GET", "/a", Self.asking)
    #expect(response["trailer"] == "X-Sum")
    #expect(
      response.body.trailers.map { "\($0.name): \($0.value)" } == ["X-Sum: 1", "X-Sum: 2"])
    let response2 = try HTTP2Peer(port: edge.port).request(1, "/b", Self.asking2)
    #expect(response2.trailers.map(\.value) == ["1", "2"])
    // Nor does a stored response have anything of them.
    let hit = try edge.get("/a")
    #expect(hit.isHit && hit["set-cookie"] == nil && hit["x-sum"] == nil)
  }

  @Test func `when no trailer may go on, none comes`() throws {
    let edge = try EdgeUnderTest(try Self.site(["Set-Cookie: a=b"], announces: "Set-Cookie"))
    let response = try edge.viewer().request("GET", "/a", Self.asking)
    #expect(response["trailer"] == nil && response.body.trailers.isEmpty && response.isComplete)
    let response2 = try HTTP2Peer(port: edge.port).request(1, "/b", Self.asking2)
    #expect(response2.isComplete && response2.trailers.isEmpty && response2.text == "some body")
  }

  @Test func `a response without the whole body has none`() throws {
    let origin = try ScriptedOrigin { exchange in
      if exchange.request.target == "/none" {
        return try exchange.respond("404 Not Found", "Cache-Control: no-store")
      }
      try exchange.sendHead(
        "200 OK", "Cache-Control: max-age=60", "ETag: \"v1\"", "Trailer: X-Sum",
        "Transfer-Encoding: chunked")
      try exchange.send(chunked("body", trailers: ["X-Sum: 1"]))
    }
    let edge = try EdgeUnderTest(origin) {
      $0.errors = ErrorSettings(
        responses: [ErrorResponse(status: 404, page: .path("/page"))])
    }
    let viewer = try edge.viewer()
    let head = try viewer.request("HEAD", "/a", Self.asking)
    #expect(head.status == 200 && head["trailer"] == nil)
    let part = try edge.viewer().request("GET", "/b", Self.asking + ["Range: bytes=0-1"])
    #expect([200, 206].contains(part.status))
    if part.status == 206 { #expect(part["trailer"] == nil && part.body.trailers.isEmpty) }
    let known = try edge.viewer().request("GET", "/c", Self.asking + ["If-None-Match: \"v1\""])
    #expect(known.status == 304 && known["trailer"] == nil)
    let page = try edge.viewer().request("GET", "/none", Self.asking)
    #expect(page.status == 404 && page.text == "body")
    #expect(page["trailer"] == nil && page.body.trailers.isEmpty)
    // After one whose response had some, the same connection has none to come.
    let peer = try HTTP2Peer(port: edge.port)
    #expect(try peer.request(1, "/d", Self.asking2).trailers.count == 1)
    let head2 = try peer.request(3, "HEAD", "/e", Self.asking2)
    #expect(head2.isComplete && head2.trailers.isEmpty && head2["trailer"] == nil)
    let part2 = try peer.request(5, "/d", Self.asking2 + [("range", "bytes=0-1")])
    #expect(part2.status == 206 && part2.text == "bo" && part2.trailers.isEmpty)
  }

  @Test(arguments: [
    // Broken off, malformed, too large, too many.
    "X-Sum: 1\r\n", "X-Sum: 1", "X-Sum 1\r\n\r\n", "X-Sum: 1\n\r\n", "X-Sum: \0\r\n\r\n",
    "X-Sum: 1\r\n folded\r\n\r\n", "X-Sum: 1\rX: 2\r\n\r\n",
    "X-Sum: " + String(repeating: "x", count: Limits.trailers) + "\r\n\r\n",
    String(repeating: "A:b\r\n", count: Limits.headerCount + 1) + "\r\n",
  ])
  func `a response with a bad trailer section is as one that breaks off`(section: String) throws {
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead("200 OK", "Cache-Control: max-age=60", "Transfer-Encoding: chunked")
      try exchange.send("4\r\nbody\r\n0\r\n" + section)
      exchange.close()
    }
    let edge = try EdgeUnderTest(origin)
    for fields in [Self.asking, []] {
      let response = try edge.viewer().request("GET", "/a", fields)
      #expect(response.body.ending == .truncated && response.body.trailers.isEmpty)
    }
    let response2 = try HTTP2Peer(port: edge.port).request(1, "/a", Self.asking2)
    #expect(response2.error == HTTP2Peer.Code.internalError && !response2.isComplete)
    #expect(origin.requestCount == 3)
  }

  @Test func `Vary may name TE`() throws {
    let origin = try ScriptedOrigin { exchange in
      try exchange.respond(
        "200 OK", "Cache-Control: max-age=60", "Vary: TE", body: exchange.request["te"] ?? "none")
    }
    let edge = try EdgeUnderTest(origin)
    for _ in 0..<2 {
      #expect(try edge.viewer().request("GET", "/", Self.asking).text == "trailers")
      #expect(try edge.get("/").text == "none")
    }
    #expect(origin.requestCount == 2)
  }

  // MARK: Requests

  /// An origin that answers with what came behind the body, and with what was announced.
  private static func echo() throws -> ScriptedOrigin {
    try ScriptedOrigin { exchange in
      let body = try exchange.readBody()
      guard body.ending == .complete else { return exchange.close() }
      let trailers = body.trailers.map { "\($0.name)=\($0.value)" }.joined(separator: ",")
      try exchange.respond(
        body: "\(String(decoding: body.bytes, as: UTF8.self));"
          + "\(exchange.request["trailer"] ?? "");\(trailers)")
    }
  }

  @Test func `the trailers of an upload reach the origin`() throws {
    let origin = try Self.echo()
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    let head = ScriptedViewer.head(
      "POST", "/", ["Transfer-Encoding: chunked", "Trailer: X-Sum, Host"])
    let body = chunked("up", "load", trailers: ["X-Sum: 1", "Host: evil", "X-Other:"])
    try viewer.send(head + body)
    #expect(try viewer.readResponse(to: "POST").text == "upload;X-Sum;X-Sum=1,X-Other=")
    // However it arrives.
    for byte in (head + body).utf8 { try viewer.send([byte]) }
    #expect(try viewer.readResponse(to: "POST").text == "upload;X-Sum;X-Sum=1,X-Other=")
    #expect(origin.connectionCount == 1)
  }

  @Test func `the trailers of an upload over HTTP 2 do so, too`() throws {
    let origin = try Self.echo()
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port)
    try peer.greet()
    let trailers = [("x-sum", "1"), ("host", "evil"), ("x-other", "")]
    var stream = 1
    for parts in [["upload"], ["up", "load"], []] {
      for atOnce in [true, false] {
        let fields = HTTP2Peer.fields("POST", "/", [("trailer", "x-sum, host")])
        var frames = [HTTP2Peer.headers(stream, fields, endStream: false)]
        for part in parts {
          frames.append(
            HTTP2Frame(kind: HTTP2Frame.Kind.data, stream: stream, payload: Array(part.utf8)))
        }
        frames.append(HTTP2Peer.headers(stream, trailers))
        if atOnce {
          try peer.wire.send(frames.flatMap(\.bytes))
        } else {
          for frame in frames {
            try peer.send(frame)
            usleep(20_000)
          }
        }
        let response = try peer.response(stream)
        #expect(response.text == "\(parts.joined());x-sum;x-sum=1,x-other=")
        stream += 2
      }
    }
    // Where the length is known there is no place for them.
    let fields = HTTP2Peer.fields(
      "POST", "/", [("trailer", "x-sum"), ("content-length", "6")])
    try peer.send(HTTP2Peer.headers(stream, fields, endStream: false))
    try peer.sendData(stream, Array("upload".utf8))
    try peer.send(HTTP2Peer.headers(stream, [("x-sum", "1")]))
    #expect(try peer.response(stream).text == "upload;;")
    // The next one has none of them.
    try peer.sendRequest(stream + 2, "POST", "/", endStream: false)
    try peer.sendData(stream + 2, Array("more".utf8), endStream: true)
    #expect(try peer.response(stream + 2).text == "more;;")
  }

  @Test(arguments: [
    "X-Sum 1\r\n\r\n", "X-Sum: 1\n\r\n", "X-Sum: \0\r\n\r\n", "X-Sum: 1\r\n folded\r\n\r\n",
    "X-Sum: " + String(repeating: "x", count: Limits.trailers) + "\r\n\r\n",
    String(repeating: "A:b\r\n", count: Limits.headerCount + 1) + "\r\n",
  ])
  func `an upload with a bad trailer section is refused`(section: String) throws {
    let origin = try Self.echo()
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    try viewer.send(ScriptedViewer.head("POST", "/", ["Transfer-Encoding: chunked"]))
    try viewer.send("6\r\nupload\r\n0\r\n" + section)
    #expect(try viewer.readResponse(to: "POST").status == 400)
    #expect(viewer.isClosed())
  }

  @Test func `too many trailers of an upload over HTTP 2 are refused`() throws {
    let edge = try EdgeUnderTest(try Self.echo())
    let peer = try HTTP2Peer(port: edge.port)
    try peer.greet()
    try peer.sendRequest(1, "POST", "/", endStream: false)
    try peer.send(
      HTTP2Peer.headers(1, Array(repeating: ("a", "b"), count: Limits.headerCount + 1)))
    #expect(try peer.response(1).status == 400)
    // The connection is as good as before.
    try peer.sendRequest(3, "POST", "/", endStream: false)
    try peer.send(HTTP2Peer.headers(3, Array(repeating: ("a", "b"), count: Limits.headerCount)))
    #expect(try peer.response(3).status == 200)
  }

  // MARK: Both

  @Test func `a call in the manner of gRPC goes both ways at once`() throws {
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead(
        "200 OK", "Content-Type: application/grpc", "Transfer-Encoding: chunked")
      // Answers each message as it comes.
      while true {
        guard let line = try exchange.wire.readLine() else { return exchange.close() }
        let size = Int(String(decoding: line.dropLast(2), as: UTF8.self), radix: 16) ?? 0
        if size == 0 { break }
        let message = try exchange.wire.read(size)
        _ = try exchange.wire.read(2)
        try exchange.send("\(String(size, radix: 16))\r\n")
        try exchange.send(message.reversed() + Array("\r\n".utf8))
      }
      var sum = "none"
      while let line = try exchange.wire.readLine(), line.count > 2 {
        sum = String(decoding: line.dropLast(2), as: UTF8.self)
      }
      try exchange.send(chunked(trailers: ["grpc-status: 0", "grpc-message: \(sum)"]))
    }
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port)
    try peer.greet()
    try peer.sendRequest(
      1, "POST", "/service/Method", [("content-type", "application/grpc"), ("te", "trailers")],
      endStream: false)
    var expected = ""
    for message in ["one", "two", "three"] {
      try peer.sendData(1, Array(message.utf8))
      expected += String(message.reversed())
      try peer.read { $0.responses[1]?.text == expected || $0.responses[1]?.error != nil }
    }
    try peer.send(HTTP2Peer.headers(1, [("x-sum", "11")]))
    let response = try peer.response(1)
    #expect(response.status == 200 && response.text == expected && response.error == nil)
    #expect(
      response.trailers.map { "\($0.name): \($0.value)" }
        == ["grpc-status: 0", "grpc-message: x-sum: 11"])
  }
}
