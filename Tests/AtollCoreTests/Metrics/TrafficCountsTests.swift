// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

private func account(
  _ loop: LoopCounters, _ outcome: Outcome, slot: Int = 0, method: Method = .get,
  status: UInt16 = 200, down: Int = 100, up: Int = 10, reason: Reason = .none, times: Int = 1
) {
  for _ in 0..<times {
    loop.account(
      slot: slot, verdict: Verdict(outcome, reason), method: method, status: status,
      bytesDown: down, bytesUp: up)
  }
}

struct TrafficCountsTests {
  @Test func `bytes down are of GET, HEAD and OPTIONS, bytes up of all other methods`() {
    let loop = LoopCounters()
    for method in [Method.get, .head, .options] { account(loop, .miss, method: method) }
    for method in [Method.post, .put, .patch, .delete, .trace, .other] {
      account(loop, .pass, method: method, down: 1000, up: 7)
    }
    let counts = CounterSnapshot([loop])[0]
    #expect(counts.requests == 9)
    #expect(counts.bytesDown == 300)
    #expect(counts.bytesUp == 42)
    #expect(counts.otherBytes == 6000)
  }

  @Test func `error rates are percent of all requests`() {
    let loop = LoopCounters()
    account(loop, .hit, times: 5)
    account(loop, .pass, method: .post, status: 404, times: 3)
    account(loop, .error, status: 502, times: 2)
    let counts = CounterSnapshot([loop])[0]
    #expect(counts.errorRate4xx == 30)
    #expect(counts.errorRate5xx == 20)
    #expect(counts.errorRate == 50)
  }

  @Test func `the hit ratio leaves out uploads and the edge's own errors`() {
    let loop = LoopCounters()
    account(loop, .hit, down: 300, times: 3)
    account(loop, .miss, down: 100, reason: .absent)
    account(loop, .pass, method: .post, times: 10)
    account(loop, .error, status: 400, times: 10)
    let counts = CounterSnapshot([loop])[0]
    #expect(counts.hitRatio == 75)
    #expect(counts.byteHitRatio == 90)
    #expect(counts.count(.absent) == 1)
  }

  @Test(arguments: [
    (Outcome.hit, true), (.stale, true), (.revalidated, true), (.coalesced, true), (.miss, false),
    (.pass, false),
  ])
  func `what spares the origin a body is a hit`(outcome: Outcome, isHit: Bool) {
    let loop = LoopCounters()
    account(loop, outcome)
    #expect(CounterSnapshot([loop])[0].hitRatio == (isHit ? 100 : 0))
  }

  @Test func `without requests there are no rates`() {
    let counts = TrafficCounts()
    #expect(counts.errorRate == nil)
    #expect(counts.hitRatio == nil)
    #expect(counts.byteHitRatio == nil)
  }

  @Test func `an exchange without a response has no status class`() {
    let loop = LoopCounters()
    account(loop, .miss, status: 0)
    account(loop, .miss, status: 999)
    let counts = CounterSnapshot([loop])[0]
    #expect(counts.responses(class: 0) == 2)
    #expect(counts.requests == 2)
  }

  @Test func `loops add up and slots stay apart`() {
    let loops = [LoopCounters(), LoopCounters()]
    account(loops[0], .hit, slot: 0)
    account(loops[1], .hit, slot: 0)
    account(loops[1], .hit, slot: 700)
    account(loops[0], .error, slot: LoopCounters.unclaimed, status: 421)
    account(loops[0], .hit, slot: LoopCounters.slotLimit)
    let snapshot = CounterSnapshot(loops)
    #expect(snapshot[0].requests == 2)
    #expect(snapshot[700].requests == 1)
    #expect(snapshot[LoopCounters.unclaimed].requests == 2)
    #expect(snapshot.slots.count == 3)
    #expect(snapshot.total.requests == 5)
  }
}

struct MinuteRingTests {
  private static let start: Int64 = 1_772_366_400  // a full minute

  private func snapshot(_ hits: Int, slot: Int = 0) -> CounterSnapshot {
    let loop = LoopCounters()
    account(loop, .hit, slot: slot, times: hits)
    return CounterSnapshot([loop])
  }

  @Test func `the window holds the current minute and those before it`() {
    var ring = MinuteRing(startedAt: Self.start)
    // Ten requests in each of ten minutes.
    for minute in 1...10 {
      ring.advance(to: Self.start + Int64(minute) * 60, snapshot(minute * 10))
    }
    let now = snapshot(103)
    #expect(ring.window(minutes: 1, now)[0].requests == 3)
    #expect(ring.window(minutes: 5, now)[0].requests == 43)
    #expect(ring.window(minutes: 60, now)[0].requests == 103)
    #expect(ring.windowSeconds(minutes: 5, at: Self.start + 615) == 255)
    #expect(ring.windowSeconds(minutes: 60, at: Self.start + 615) == 615)
  }

  @Test func `minutes older than an hour are forgotten`() {
    var ring = MinuteRing(startedAt: Self.start)
    for minute in 1...200 {
      ring.advance(to: Self.start + Int64(minute) * 60, snapshot(minute))
    }
    #expect(ring.minutes(snapshot(200)).count == MinuteRing.length)
    #expect(ring.window(minutes: 60, snapshot(200))[0].requests == 59)
  }

  @Test func `a pause longer than the hour leaves nothing of it`() {
    var ring = MinuteRing(startedAt: Self.start)
    ring.advance(to: Self.start + 60, snapshot(5))
    ring.advance(to: Self.start + 7200, snapshot(9))
    #expect(ring.window(minutes: 60, snapshot(9))[0].requests == 0)
  }

  @Test func `a clock set back loses nothing`() {
    var ring = MinuteRing(startedAt: Self.start)
    ring.advance(to: Self.start - 3600, snapshot(5))
    #expect(ring.window(minutes: 5, snapshot(7))[0].requests == 7)
    ring.advance(to: Self.start + 60, snapshot(8))
    #expect(ring.window(minutes: 5, snapshot(9))[0].requests == 9)
    #expect(ring.minutes(snapshot(9)).map { $0.counts[0].requests } == [8, 1])
  }

  @Test func `idle distributions take no room in a minute`() {
    var ring = MinuteRing(startedAt: Self.start)
    var now = snapshot(5, slot: 1)
    ring.advance(to: Self.start + 60, now)
    now.add(snapshot(2, slot: 9)[9], slot: 9)
    #expect(ring.minutes(now).map { Set($0.counts.slots.keys) } == [[1], [9]])
  }
}
