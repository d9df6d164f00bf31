// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

/// RFC 9110 §7.8, RFC 6455 §4.
struct UpgradeTests {
  @Test(
    arguments: [
      (["Connection: Upgrade", "Upgrade: websocket"], "websocket"),
      (["Connection: keep-alive, upgrade", "Upgrade: WebSocket"], "WebSocket"),
      (["Connection: upgrade", "Upgrade: foo/2, websocket"], "foo/2, websocket"),
      (["Connection: upgrade", "Upgrade: foo", "Upgrade: bar"], "foo, bar"),
      // What would carry requests past the edge stays out.
      (["Connection: upgrade", "Upgrade: h2c, websocket"], "websocket"),
      (["Connection: upgrade", "Upgrade: h2c"], nil),
      (["Connection: upgrade, HTTP2-Settings", "Upgrade: H2C", "HTTP2-Settings: AA"], nil),
      (["Connection: upgrade", "Upgrade: HTTP/2.0"], nil),
      (["Connection: upgrade", "Upgrade: TLS/1.0, HTTP/1.1"], nil),
      // Both fields or none.
      (["Upgrade: websocket"], nil),
      (["Connection: upgrade"], nil),
      (["Connection: upgrade", "Upgrade: "], nil),
    ] as [([String], String?)])
  func `which upgrades the origin is asked for`(fields: [String], asked: String?) {
    let request = GivenRequest("GET /chat", fields)
    let policy = makePolicy()
    let context = OriginRequestContext(
      peerAddress: UnsafeBufferPointer(start: nil, count: 0), requestID: (0, 0), storing: false)
    let lines = writtenLines {
      appendOriginRequest(
        request.head, request.base, distribution: policy, behavior: policy.behavior(),
        origin: policy.origins[0], context: context, to: $0)
    }
    #expect(lines.filter { $0.hasPrefix("Upgrade") } == (asked.map { ["Upgrade: \($0)"] } ?? []))
    #expect(
      lines.filter { $0.hasPrefix("Connection") }
        == [asked == nil ? "Connection: keep-alive" : "Connection: upgrade"])
    #expect(request.head.asksPassedUpgrade(request.base) == (asked != nil))
    let caching = RequestCaching(request.head, request.base, behavior: policy.behavior())
    #expect((caching.bypass == .upgrade) == (asked != nil))
  }

  @Test func `HTTP 1.0 knows no upgrades`() {
    let request = GivenRequest(
      "GET /chat HTTP/1.0", ["Connection: upgrade", "Upgrade: websocket"])
    #expect(!request.head.asksPassedUpgrade(request.base))
  }

  @Test(arguments: [
    (["Connection: Upgrade", "Upgrade: websocket"], 1, true),
    (["Connection: upgrade", "Upgrade: WEBSOCKET"], 1, true),
    (["Connection: upgrade", "Upgrade: foo/2"], 1, true),
    // Not what was asked for.
    (["Connection: upgrade", "Upgrade: foo"], 1, false),
    (["Connection: upgrade", "Upgrade: h2c"], 1, false),
    (["Connection: upgrade", "Upgrade: websocket, h2c"], 1, false),
    // Not said.
    (["Connection: upgrade"], 1, false),
    (["Connection: upgrade", "Upgrade: "], 1, false),
    (["Upgrade: websocket"], 1, false),
    (["Connection: close", "Upgrade: websocket"], 1, false),
    // HTTP/1.0 has no 1xx (RFC 9110 §15.2).
    (["Connection: Upgrade", "Upgrade: websocket"], 0, false),
  ])
  func `which 101 is an answer`(fields: [String], minor: Int, isAnswer: Bool) {
    let request = GivenRequest(
      "GET /chat", ["Connection: upgrade", "Upgrade: websocket, foo/2, h2c"])
    let response = GivenResponse(101, fields, reason: "Switching Protocols", minor: minor)
    #expect(
      response.head.acceptsUpgrade(response.base, of: request.head, request.base) == isAnswer)
  }

  @Test func `no 101 answers who did not ask, and no other status is a switch`() {
    let accepted = GivenResponse(101, ["Connection: upgrade", "Upgrade: websocket"])
    let plain = GivenRequest()
    #expect(!accepted.head.acceptsUpgrade(accepted.base, of: plain.head, plain.base))
    let asking = GivenRequest("GET /", ["Connection: upgrade", "Upgrade: websocket"])
    let other = GivenResponse(200, ["Connection: upgrade", "Upgrade: websocket"])
    #expect(!other.head.acceptsUpgrade(other.base, of: asking.head, asking.base))
  }
}
