// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollEdge

/// What a loop holds for reading heads of HTTP/2.
@Suite(.timeLimit(.minutes(20)))
struct HeadMemoryTests {
  private func readingSize(_ edge: EdgeUnderTest) -> Int {
    let size = Shared(0)
    let loop = edge.edge.loops[0]
    loop.run { size.withLock { $0 = loop.services.http2.readingSize } }
    return size.value
  }

  private func send(_ peer: HTTP2Peer, _ stream: Int, _ fields: [(String, String)]) throws {
    var rest = HTTP2Peer.block(HTTP2Peer.fields("/", fields))[...]
    var kind = HTTP2Frame.Kind.headers
    while !rest.isEmpty {
      let part = rest.prefix(16_384)
      rest = rest.dropFirst(part.count)
      let end = rest.isEmpty ? HTTP2Frame.Flag.endHeaders : 0
      let endStream = kind == HTTP2Frame.Kind.headers ? HTTP2Frame.Flag.endStream : 0
      try peer.send(
        HTTP2Frame(kind: kind, flags: end | endStream, stream: stream, payload: Array(part)))
      kind = HTTP2Frame.Kind.continuation
    }
  }

  @Test func `a large head's memory is given back, that of ordinary ones is kept`() throws {
    let origin = try ScriptedOrigin { try $0.respond(body: "ok") }
    let edge = try EdgeUnderTest(origin)
    let peer = try HTTP2Peer(port: edge.port)
    #expect(try peer.request(1, "/").status == 200)
    let usual = readingSize(edge)
    #expect(usual < 16_384)
    try send(peer, 3, [("cookie", String(repeating: "c", count: 10_000))])
    #expect(try peer.response(3).status == 200)
    let kept = readingSize(edge)
    #expect(kept > usual + 20_000 && kept <= HTTP2Services.keptForReading)
    for fields in [
      [("x-large", String(repeating: "x", count: 70_000))],
      [("cookie", String(repeating: "c", count: 70_000))],
    ] {
      let stream = peer.responses.keys.max()! + 2
      try send(peer, stream, fields)
      #expect(try peer.response(stream).status == 431)
      #expect(readingSize(edge) == usual)
      #expect(try peer.request(stream + 2, "/").status == 200)
    }
    // What the head leads to is sent before, but not what it was read with.
    try send(
      peer, 99, [("cookie", String(repeating: "c", count: 10_000)), ("x-kept", "1")])
    #expect(try peer.response(99).status == 200)
    #expect(origin.requests.last?["cookie"]?.count == 10_000)
  }
}
