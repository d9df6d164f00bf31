// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Testing

/// Who serves an entry holds it, and gives it back.
@Suite(.timeLimit(.minutes(20)))
struct EntryReferenceTests {
  /// An entry that somebody holds stays in memory; of so many there would soon be no room for more.
  @Test func `what has been served can be evicted`() throws {
    let body = String(repeating: "b", count: 128 << 10)
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: max-age=60", "ETag: \"v1\"", body: body)
    }
    let edge = try EdgeUnderTest(origin, options: { $0.memory = 16 << 20 })
    let viewer = try edge.viewer()
    let peer = try HTTP2Peer(port: edge.port)
    let leaving = try HTTP2Peer(port: edge.port, settings: [(4, 1_000)])
    leaving.updatesWindows = false
    var stream = 1
    for number in 0..<300 {
      let path = "/\(number)"
      #expect(try !viewer.get(path).isHit)
      #expect(try viewer.get(path).isHit)
      let hit = try peer.request(stream, path)
      #expect(hit.isHit && hit.body.count == body.utf8.count)
      #expect(try peer.request(stream + 2, path, [("if-none-match", "\"v1\"")]).status == 304)
      #expect(try peer.request(stream + 4, path, [("range", "bytes=1-2")]).body.count == 2)
      try leaving.sendRequest(stream, path)
      try leaving.read { $0.responses[stream]?.body.count == 1_000 }
      try leaving.reset(stream)
      try leaving.updateWindow(0, 1_000)
      let slow = try edge.viewer(receiveBuffer: 2_048)
      try slow.send(ScriptedViewer.head("GET", path))
      #expect(try slow.readResponseHead().isHit)
      slow.close()
      stream += 6
    }
  }
}
