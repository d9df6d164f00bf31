// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

/// Ranges of bodies that change, break off, are purged and evicted while they are put together: no
/// response ever mixes two versions or looks complete when it is not (RFC 9111 §3.4).
@Suite(.timeLimit(.minutes(20)))
struct RangeTortureTests {
  private typealias Dice = TortureTests.Dice

  private struct Wrong: Error, CustomStringConvertible {
    let description: String
  }

  private static let bodies = Shared<[String: [UInt8]]>([:])

  private static func site(_ target: String, version: Int) -> RangedSite {
    let number = Int(target.drop { !$0.isNumber }) ?? 0
    let sizes = [0, 1, 5_000, 16_384, 16_385, 70_001, 400_000]
    let size = sizes[number % sizes.count]
    let seed = version % 5 * 31 + number
    var site = RangedSite(size: 0)
    site.body = bodies.withLock {
      let name = "\(size) \(seed)"
      if let body = $0[name] { return body }
      let body = RangedSite(size: size, seed: UInt8(truncatingIfNeeded: seed)).body
      $0[name] = body
      return body
    }
    site.etag = "\"\(version)\""
    return site
  }

  @Test(arguments: [1, 2] as [UInt64])
  func `whatever happens, every whole response is of one version`(seed: UInt64) throws {
    let version = Shared(0)
    let originDice = Shared(Dice(state: seed))
    let origin = try ScriptedOrigin { exchange in
      var dice = originDice.withLock { Dice(state: $0.next()) }
      var site = Self.site(exchange.request.target, version: version.value)
      if exchange.request.target.hasPrefix("/whole") { site.servesRanges = false }
      if dice.oneIn(3) { site.fields[0] = "Cache-Control: max-age=0" }
      if dice.oneIn(20) { site.fields[0] = "Cache-Control: private" }
      try site.answer(exchange) { body in
        if dice.oneIn(12) {
          try exchange.send(Array(body.prefix(body.count / 2)))
          exchange.close()
          return false
        }
        if dice.oneIn(30) { exchange.reset() }
        return exchange.isOpen
      }
    }
    let edge = try EdgeUnderTest(
      origin, { $0.settings.sliceSize = 16_384 },
      options: {
        $0.threads = 2
        // Too little for all of it.
        $0.memory = 8 << 20
      })
    let wrong = Shared<[String]>([])
    let served = Shared(0)
    let viewers = (1...10).map { number in
      TestThread {
        var dice = Dice(state: seed &* 1000 &+ UInt64(number))
        for _ in 1...30 {
          if number == 1 && dice.oneIn(3) { version.withLock { $0 += 1 } }
          if number == 2 && dice.oneIn(6) {
            edge.purge(dice.pick([.all, .prefix("/film"), .path("/film3")]), soft: dice.oneIn(2))
          }
          do {
            if try Self.ask(try edge.viewer(), &dice) { served.withLock { $0 += 1 } }
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
    for viewer in viewers { #expect(viewer.join(within: 120)) }
    #expect(wrong.value == [])
    #expect(served.value > 80)
    #expect(try edge.get("/film2", "Range: bytes=0-9").status < 600)
  }

  /// Whether a complete and successful response came.
  private static func ask(_ viewer: ScriptedViewer, _ dice: inout Dice) throws -> Bool {
    let target = "/\(dice.pick(["film", "film", "whole"]))\(Int.random(in: 0..<35, using: &dice))"
    func range() -> String {
      let first = Int.random(in: 0..<80_000, using: &dice)
      switch Int.random(in: 0..<4, using: &dice) {
      case 0: return "-\(first)"
      case 1: return "\(first)-"
      default: return "\(first)-\(first + Int.random(in: 0..<40_000, using: &dice))"
      }
    }
    var fields: [String] = []
    if !dice.oneIn(6) {
      let ranges = (0..<(dice.oneIn(4) ? 3 : 1)).map { _ in range() }
      fields.append("Range: bytes=" + ranges.joined(separator: ","))
    }
    if dice.oneIn(10) { fields.append("Cache-Control: no-cache") }
    try viewer.send(ScriptedViewer.head("GET", target, fields))
    if dice.oneIn(15) {
      _ = try viewer.readResponseHead()
      viewer.reset()
      return false
    }
    let response = try viewer.readResponse()
    if !response.isComplete { return false }
    switch response.status {
    case 200, 206: break
    case 416, 502, 504: return false
    default: throw Wrong(description: "\(response.status) for \(target) \(fields)")
    }
    let tag = response["etag"] ?? ""
    guard let version = Int(tag.dropFirst().dropLast()) else {
      throw Wrong(description: "no version in \(response)")
    }
    let site = site(target, version: version)
    let parts =
      response.status == 200
      ? [BodyPart(bytes: response.body.bytes)]
      : bodyParts(response)
        ?? [BodyPart(contentRange: response["content-range"], bytes: response.body.bytes)]
    for part in parts {
      var expected = site.body
      if response.status == 206 {
        guard let given = part.contentRange else { throw Wrong(description: "\(response)") }
        let numbers = given.split { !$0.isNumber }.compactMap { Int($0) }
        guard numbers.count == 3, numbers[2] == site.body.count else {
          throw Wrong(description: "\(given) of \(target)")
        }
        expected = site.bytes(numbers[0]..<(numbers[1] + 1))
      }
      if part.bytes != expected {
        throw Wrong(description: "wrong bytes: \(target) \(fields) \(response)")
      }
    }
    return true
  }
}
