// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc
import Testing

/// Exchanges that break off anywhere, on either side: whoever gets a whole response gets the right
/// one, and nothing is left behind.
@Suite(.timeLimit(.minutes(20)))
struct TortureTests {
  /// SplitMix64: the same run for the same seed, as far as the kernel plays along.
  struct Dice: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var mixed = state
      mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
      mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
      return mixed ^ (mixed >> 31)
    }

    /// True once in so many throws.
    mutating func oneIn(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &self) == 0 }

    mutating func pick<Value>(_ values: [Value]) -> Value { values.randomElement(using: &self)! }
  }

  /// What the path alone decides, so that every whole response can be told right from wrong.
  static func body(of target: String) -> [UInt8] {
    let number = Int(target.drop { !$0.isNumber }.prefix { $0.isNumber }) ?? 0
    let sizes = [0, 1, 700, 4096, 65_536, 70_001, 250_000]
    var bytes = [UInt8](
      repeating: UInt8(97 + number % 26), count: sizes[number % sizes.count])
    // Bytes that are lost, doubled or moved show.
    for mark in stride(from: 0, to: bytes.count, by: 499) {
      bytes[mark] = UInt8(truncatingIfNeeded: mark / 499)
    }
    return bytes
  }

  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func `cuts, pauses and resets on both sides leave nothing wrong and nothing behind`(
    seed: UInt64
  ) throws {
    let originDice = Shared(Dice(state: seed))
    let origin = try ScriptedOrigin { exchange in
      var dice = originDice.withLock { Dice(state: $0.next()) }
      try Self.answer(exchange, &dice)
    }
    let edge = try EdgeUnderTest(
      origin,
      options: {
        $0.threads = 2
        $0.bodyTimeout = 5
        $0.headTimeout = 2
      })
    let wrong = Shared<[String]>([])
    let served = Shared(0)
    let viewers = (1...12).map { number in
      TestThread {
        var dice = Dice(state: seed &* 1000 &+ UInt64(number))
        for _ in 1...40 {
          do {
            let viewer = try edge.viewer()
            let whole = try Self.ask(viewer, &dice)
            served.withLock { $0 += whole }
          } catch let error as Wrong {
            wrong.withLock { $0.append(error.description) }
          } catch WireError.timedOut {
            wrong.withLock { $0.append("no answer in time") }
          } catch {
            // Cut off, and visibly so.
          }
        }
      }
    }
    for viewer in viewers { #expect(viewer.join(within: 60)) }
    #expect(wrong.value == [])
    #expect(served.value > 400)
    // Every viewer has gone, and the edge has noticed.
    var waits = 0
    while edge.edge.connectionCount > 0 && waits < 600 {
      usleep(10_000)
      waits += 1
    }
    #expect(edge.edge.connectionCount == 0)
    #expect(edge.edge.drain(timeout: 5))
  }

  private static func answer(_ exchange: OriginExchange, _ dice: inout Dice) throws {
    if dice.oneIn(25) { return exchange.reset() }
    if dice.oneIn(25) { return exchange.close() }
    if dice.oneIn(10) { usleep(UInt32.random(in: 1...20_000, using: &dice)) }
    if exchange.request.method == "POST" {
      if dice.oneIn(6) {
        try exchange.respond("413 Content Too Large", "Connection: close", body: "early")
        return dice.oneIn(3) ? exchange.reset() : exchange.close()
      }
      let body = try exchange.readBody()
      guard body.ending == .complete else { return exchange.close() }
      return try exchange.respond("200 OK", body: String(decoding: body.bytes, as: UTF8.self))
    }
    if dice.oneIn(15) { try exchange.sendHead("103 Early Hints", "Link: </a>") }
    if dice.oneIn(12) { return try exchange.respond("503 Service Unavailable", body: "busy") }
    if exchange.request["if-none-match"] != nil && dice.oneIn(2) {
      return try exchange.sendHead("304 Not Modified", "ETag: \"1\"", "Cache-Control: max-age=1")
    }
    let control = dice.pick(["max-age=60", "max-age=0", "no-store", "private", "no-cache"])
    let body = body(of: exchange.request.target)
    let head = "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nCache-Control: \(control)\r\n"
    var message: [UInt8]
    if dice.oneIn(2) {
      message = Array("\(head)Content-Length: \(body.count)\r\n\r\n".utf8) + body
    } else {
      message = Array("\(head)Transfer-Encoding: chunked\r\n\r\n".utf8)
      var at = 0
      while at < body.count {
        let piece = body[at..<min(body.count, at + dice.pick([900, 5000, 60_000]))]
        at = piece.endIndex
        message += Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + [13, 10]
      }
      message += Array("0\r\n\r\n".utf8)
    }
    let isCut = dice.oneIn(6)
    if isCut { message.removeLast(Int.random(in: 1...message.count, using: &dice)) }
    var sent = 0
    while sent < message.count {
      let piece = Array(
        message[sent..<min(message.count, sent + dice.pick([10, 30_000, 1 << 20]))])
      try exchange.send(piece)
      sent += piece.count
      if dice.oneIn(8) { usleep(UInt32.random(in: 1...3_000, using: &dice)) }
    }
    if isCut { dice.oneIn(2) ? exchange.reset() : exchange.close() }
  }

  private struct Wrong: Error, CustomStringConvertible {
    let description: String
  }

  /// A few requests on one connection; returns how many whole responses came.
  private static func ask(_ viewer: ScriptedViewer, _ dice: inout Dice) throws -> Int {
    var whole = 0
    for _ in 0..<dice.pick([1, 2, 4]) {
      let requests = (0..<dice.pick([1, 1, 3])).map { _ in
        (
          method: dice.pick(["GET", "GET", "GET", "HEAD", "POST"]),
          target: "/\(Int.random(in: 0..<(dice.oneIn(2) ? 8 : 100_000), using: &dice))"
        )
      }
      var message: [UInt8] = []
      for request in requests {
        let body = request.method == "POST" ? upload(of: request.target) : nil
        message += Array(ScriptedViewer.head(request.method, request.target, body: body).utf8)
        message += Array((body ?? "").utf8)
      }
      switch Int.random(in: 0..<20, using: &dice) {
      case 0:
        try viewer.send(Array(message.prefix(Int.random(in: 0..<message.count, using: &dice))))
        viewer.reset()
        return whole
      case 1:
        try viewer.send(Array(message.prefix(Int.random(in: 0..<message.count, using: &dice))))
        viewer.halfClose()
        while try viewer.wire.receive() { _ = viewer.wire.take(viewer.wire.pendingCount) }
        return whole
      case 2:
        try viewer.send(message)
        _ = try viewer.wire.receive()
        viewer.reset()
        return whole
      case 3:
        try viewer.send(message)
        viewer.halfClose()
      default:
        try viewer.send(message)
      }
      for request in requests {
        let response = try viewer.readResponse(to: request.method)
        guard response.isComplete else { return whole }
        try check(response, to: request.method, request.target)
        whole += 1
        if response["connection"] == "close" { return whole }
      }
    }
    viewer.close()
    return whole
  }

  private static func upload(of target: String) -> String {
    String(repeating: target, count: 10_000)
  }

  private static func check(_ response: ViewerResponse, to method: String, _ target: String) throws
  {
    switch (response.status, method) {
    case (200, "GET"):
      if response.body.bytes != body(of: target) {
        throw Wrong(description: "\(target) \(response)")
      }
    case (200, "POST"):
      if response.text != upload(of: target) { throw Wrong(description: "POST \(response)") }
    case (200, "HEAD"), (413, "POST"), (502, _), (503, _), (504, _):
      break
    default:
      throw Wrong(description: "\(method) \(target) \(response)")
    }
  }
}
