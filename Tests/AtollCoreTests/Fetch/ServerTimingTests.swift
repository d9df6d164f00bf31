// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

/// CloudFront §22, Server-Timing.
struct ServerTimingTests {
  @Test(arguments: [
    (0.0, UInt64.min, false), (0.0, UInt64.max, false),
    (100.0, UInt64.min, true), (100.0, UInt64.max, true),
    (50.0, UInt64.max / 2 - 9999, true), (50.0, UInt64.max / 2 + 9999, false),
    (0.0001, UInt64.max / 1_000_000 - 1, true), (0.0001, UInt64.max / 1_000_000 + 9999, false),
  ])
  func `a share of the requests gets it`(percent: Double, number: UInt64, isSelected: Bool) {
    let request = GivenRequest()
    #expect(
      ServerTimingPolicy(percent: percent).selects(request.head, request.base, number: number)
        == isSelected)
  }

  @Test(arguments: [
    ("Pragma: server-timing", true), ("Pragma: no-cache, Server-Timing", true),
    ("Pragma: no-cache", false), ("X-Pragma: server-timing", false),
  ])
  func `who asks for it always gets it, even at 0 percent`(field: String, isSelected: Bool) {
    let request = GivenRequest("GET /a", [field])
    #expect(
      ServerTimingPolicy(percent: 0).selects(request.head, request.base, number: .max)
        == isSelected)
  }

  private func line(
    _ outcome: Outcome, origins: [String] = [], upstream: UpstreamTiming? = nil,
    elapsed: Int64 = 1_500
  ) -> String {
    let values = origins.map { origin in
      let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: origin.utf8.count)
      _ = copy.initialize(from: origin.utf8)
      return UnsafeBufferPointer(copy)
    }
    defer { for value in values { value.deallocate() } }
    let lines = writtenLines {
      appendServerTiming(
        Verdict(outcome), requestID: (1, 2), origins: values, upstream: upstream,
        elapsed: elapsed, to: $0)
    }
    #expect(lines.count == 1)
    return String(lines[0].dropFirst("Server-Timing: ".count))
  }

  private static let id = "cdn-rid;desc=\"00000000000000010000000000000002\""

  @Test(arguments: [
    (Outcome.hit, "cdn-cache-hit, cdn-hit-layer;desc=\"EDGE\", "),
    (.stale, "cdn-cache-hit, cdn-hit-layer;desc=\"EDGE\", "),
    (.coalesced, "cdn-cache-hit, cdn-hit-layer;desc=\"EDGE\", "),
    (.revalidated, "cdn-cache-refresh, "),
    (.miss, "cdn-cache-miss, "),
    (.pass, "cdn-cache-miss, "),
    (.error, ""),
    (.local, ""),
  ])
  func `each outcome has its metric`(outcome: Outcome, metric: String) {
    #expect(line(outcome) == metric + Self.id + ", cdn-downstream-fbl;dur=1.500")
  }

  @Test func `a miss is merged with what the origin measured`() {
    #expect(
      line(.miss, origins: ["db;dur=5", "app;desc=\"x, y\""], elapsed: 0)
        == "db;dur=5, app;desc=\"x, y\", cdn-cache-miss, \(Self.id), cdn-downstream-fbl;dur=0")
  }

  @Test func `only what was measured is told`() {
    var timing = UpstreamTiming()
    timing.beginWaiting(at: 100, reused: true)
    #expect(
      line(.miss, upstream: timing, elapsed: 0)
        == "cdn-cache-miss, \(Self.id), cdn-upstream-layer;desc=\"EDGE\", cdn-upstream-dns;dur=0, "
        + "cdn-upstream-connect;dur=0, cdn-downstream-fbl;dur=0")
    timing.received(at: 12_345_100)
    #expect(line(.miss, upstream: timing).contains("cdn-upstream-fbl;dur=12345,"))
  }

  @Test func `the steps to the origin are measured apart`() {
    var timing = UpstreamTiming()
    timing.beginResolving(at: 1_000)
    timing.beginConnecting(at: 3_000)
    timing.beginWaiting(at: 6_500, reused: false)
    timing.received(at: 16_501)
    #expect(timing.resolve == 2_000 && timing.connect == 3_500 && timing.firstByte == 10_001)
    #expect(
      line(.miss, upstream: timing).contains(
        "cdn-upstream-dns;dur=2, cdn-upstream-connect;dur=3.500, cdn-upstream-fbl;dur=10.001"))
    // A second address: the name was looked up once, and its connecting alone counts.
    var again = UpstreamTiming()
    again.beginResolving(at: 1)
    again.beginConnecting(at: 11)
    again.beginConnecting(at: 500)
    again.beginWaiting(at: 600, reused: false)
    #expect(again.resolve == 10 && again.connect == 100)
  }
}
