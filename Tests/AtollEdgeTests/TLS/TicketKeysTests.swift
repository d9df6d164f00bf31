// SPDX-License-Identifier: Apache-2.0
import CTLS
import Testing

@testable import AtollEdge

struct TicketKeysTests {
  private static let start: Int64 = 1_800_000_000

  private func name(_ keys: TicketKeys, at now: Int64) -> [UInt8] {
    var name: [UInt8] = []
    #expect(
      keys.seal(at: now) { key in
        name = withUnsafeBytes(of: key.pointee.name) { Array($0) }
        return true
      })
    return name
  }

  @Test func `tickets are sealed with a key for half a day, and opened for a day more`() {
    let keys = TicketKeys()
    let first = name(keys, at: Self.start)
    #expect(first.count == 16)
    #expect(name(keys, at: Self.start + TicketKeys.period - 1) == first)
    let second = name(keys, at: Self.start + TicketKeys.period)
    #expect(second != first)
    #expect(keys.open(first, at: Self.start + TicketKeys.period) { _ in true } == .former)
    #expect(keys.open(second, at: Self.start + TicketKeys.period) { _ in true } == .current)
    let last = Self.start + TicketKeys.period + TicketKeys.lifetime
    #expect(keys.open(first, at: last - 1) { _ in true } == .former)
    #expect(keys.open(first, at: last) { _ in true } == nil)
  }

  @Test func `an unknown key opens nothing`() {
    let keys = TicketKeys()
    let known = name(keys, at: Self.start)
    #expect(keys.open([UInt8](repeating: 0, count: 16), at: Self.start) { _ in true } == nil)
    #expect(keys.open(known, at: Self.start) { _ in false } == nil)
    #expect(TicketKeys().open(known, at: Self.start) { _ in true } == nil)
  }

  @Test func `loops whose clocks are a moment apart share their keys`() {
    let keys = TicketKeys()
    let first = name(keys, at: Self.start)
    #expect(name(keys, at: Self.start - 1) == first)
    #expect(keys.open(first, at: Self.start - 1) { _ in true } == .current)
    let second = name(keys, at: Self.start + TicketKeys.period)
    #expect(keys.open(first, at: Self.start + TicketKeys.period - 1) { _ in true } == .former)
    #expect(keys.open(second, at: Self.start + TicketKeys.period) { _ in true } == .current)
  }

  @Test func `a clock that is set back begins with new keys`() {
    let keys = TicketKeys()
    let first = name(keys, at: Self.start)
    let earlier = name(keys, at: Self.start - 86_400)
    #expect(earlier != first)
    #expect(keys.open(first, at: Self.start - 86_400) { _ in true } == nil)
  }
}
