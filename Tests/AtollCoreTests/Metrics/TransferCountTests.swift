// SPDX-License-Identifier: Apache-2.0
import Synchronization
import TestSupport
import Testing

@testable import AtollCore

/// Plans count monthly transfer (Lightsail: 50, 200 and 500 GB) and never stop traffic.
struct TransferCountTests {
  /// 2026-11-30T23:59:00Z.
  private static let late: Int64 = 1_796_083_140
  private static let november = TransferMonth("2026-11")!
  private static let december = TransferMonth("2026-12")!

  private static func snapshot(_ bytes: [Int: Int]) -> CounterSnapshot {
    let loop = LoopCounters()
    for (slot, count) in bytes {
      // Half of it in answer to uploads: plans count what is sent, whatever the method.
      loop.account(
        slot: slot, verdict: Verdict(.hit), method: .get, status: 200, bytesDown: count / 2,
        bytesUp: 0)
      loop.account(
        slot: slot, verdict: Verdict(.pass, .method), method: .post, status: 200,
        bytesDown: count - count / 2, bytesUp: 999)
    }
    return CounterSnapshot([loop])
  }

  @Test(
    arguments: [
      (0, "1970-01"), (late, "2026-11"), (late + 59, "2026-11"), (late + 60, "2026-12"),
      (951_782_400, "2000-02"),
    ] as [(Int64, String)])
  func `months are calendar months, UTC`(seconds: Int64, text: String) {
    #expect(TransferMonth(at: seconds).text == text)
    #expect(TransferMonth(text) == TransferMonth(at: seconds))
  }

  @Test(arguments: ["", "2026", "2026-13", "2026-00", "2026-1", "26-11", "2026-11-01", "2026-xx"])
  func `other texts are no month`(text: String) { #expect(TransferMonth(text) == nil) }

  @Test func `what was sent since the last time is pending until the store has it`() {
    var count = TransferCount(startedAt: Self.late)
    count.know(id: "d1", slot: 1)
    count.know(id: "d2", slot: 2)
    count.count(Self.snapshot([1: 100, 2: 30, 3: 7]), at: Self.late + 1)
    // A slot that nobody knows is nobody's.
    #expect(count.pending == [Self.november: ["d1": 100, "d2": 30]])
    count.count(Self.snapshot([1: 150, 2: 30]), at: Self.late + 2)
    #expect(count.pending == [Self.november: ["d1": 150, "d2": 30]])
    count.told(Self.november, totals: ["d1": 1150, "d2": 30])
    #expect(count.pending.isEmpty)
    count.count(Self.snapshot([1: 160, 2: 30]), at: Self.late + 3)
    #expect(count.pending == [Self.november: ["d1": 10]])
    let use = count.use(id: "d1", slot: 1, plan: .small, Self.snapshot([1: 165]))
    #expect(
      use == TransferUse(month: Self.november, stored: 1150, unstored: 15, quota: 50_000_000_000))
    #expect(use.bytes == 1165)
  }

  @Test func `what was sent before a month's end belongs to it`() {
    var count = TransferCount(startedAt: Self.late)
    count.know(id: "d1", slot: 1)
    count.count(Self.snapshot([1: 100]), at: Self.late + 60)
    #expect(count.month == Self.december)
    #expect(count.pending == [Self.november: ["d1": 100]])
    count.count(Self.snapshot([1: 110]), at: Self.late + 61)
    // The store was away over the month's end: both months are told later.
    #expect(count.pending == [Self.november: ["d1": 100], Self.december: ["d1": 10]])
    count.told(Self.november, totals: ["d1": 5000])
    #expect(count.use(id: "d1", slot: 1, plan: .small, Self.snapshot([1: 110])).bytes == 10)
    // A clock that is set back does not reopen it.
    count.count(Self.snapshot([1: 115]), at: Self.late)
    #expect(count.month == Self.december)
  }

  @Test(arguments: [
    (Plan.small, 50, 40), (.medium, 200, 160), (.large, 500, 400),
  ])
  func `plans are warned about once at 80 and once at 100 percent`(
    plan: Plan, gigabytes: UInt64, warning: UInt64
  ) {
    let giga: UInt64 = 1_000_000_000
    var count = TransferCount(startedAt: Self.late)
    func lines(_ bytes: UInt64) -> [String] {
      count.told(Self.november, totals: ["d1": bytes])
      return count.warnings([("shop", "d1", plan)])
    }
    #expect(lines(warning * giga - 1) == [])
    #expect(
      lines(warning * giga) == [
        "distribution \"shop\" has used 80 % of its plan \"\(plan.rawValue)\" for 2026-11: "
          + "\(warning) GB of \(gigabytes) GB"
      ])
    #expect(lines(warning * giga + 1) == [])
    #expect(lines(gigabytes * giga - 1) == [])
    #expect(
      lines(gigabytes * giga) == [
        "distribution \"shop\" has used up its plan \"\(plan.rawValue)\" for 2026-11: "
          + "\(gigabytes) GB of \(gigabytes) GB; it is served on"
      ])
    #expect(lines(gigabytes * giga * 3) == [])
    // The next month begins anew.
    count.count(CounterSnapshot(), at: Self.late + 60)
    count.told(Self.december, totals: ["d1": warning * giga])
    #expect(count.warnings([("shop", "d1", plan)]).count == 1)
  }

  @Test func `a plan without bound warns never, a larger plan anew`() {
    var count = TransferCount(startedAt: Self.late)
    count.told(Self.november, totals: ["d1": .max])
    #expect(count.warnings([("shop", "d1", .unlimited)]) == [])
    count.told(Self.november, totals: ["d1": 45_000_000_000])
    #expect(count.warnings([("shop", "d1", .small)]).count == 1)
    #expect(count.warnings([("shop", "d1", .medium)]) == [])
    count.told(Self.november, totals: ["d1": 165_000_000_000])
    #expect(count.warnings([("shop", "d1", .medium)]).count == 1)
  }

  @Test(
    arguments: [
      (0, "0 B"), (999, "999 B"), (1_000, "1 kB"), (1_550, "1.5 kB"), (999_999, "999.9 kB"),
      (1_000_000, "1 MB"), (999_999_999, "999.9 MB"), (41_250_000_000, "41.2 GB"),
      (49_999_999_999, "49.9 GB"), (50_000_000_000, "50 GB"), (1_234_000_000_000, "1234 GB"),
    ] as [(UInt64, String)])
  func `amounts are written as plans are sold`(bytes: UInt64, text: String) {
    #expect(gigabytes(bytes) == text)
  }

  @Test func `edges of one store agree on what it knows and add what it does not`() {
    func report(_ edge: String, _ use: TransferUse?) -> MetricsReport {
      var report = MetricsReport(
        time: 0, edge: EdgeFacts(id: edge, started: 0, gauges: EdgeGauges()),
        distributions: [("shop", "d1", 1)], snapshot: CounterSnapshot(),
        minutes: MinuteRing(startedAt: 0))
      report.distributions[0].transfer = use
      return report
    }
    let a = TransferUse(month: Self.november, stored: 100, unstored: 5, plan: .small)
    let b = TransferUse(month: Self.november, stored: 90, unstored: 7, plan: .small)
    let merged = MetricsReport.merged([report("a", a), report("b", b), report("c", nil)])
    #expect(
      merged.distributions[0].transfer
        == TransferUse(month: Self.november, stored: 100, unstored: 12, plan: .small))
    #expect(MetricsReport(json: merged.json()) == merged)
    let next = TransferUse(month: Self.december, stored: 1, plan: .unlimited)
    let later = MetricsReport.merged([report("a", a), report("b", next)])
    #expect(later.distributions[0].transfer == next)
    #expect(MetricsReport(json: later.json()) == later)
    let text = String(decoding: PrometheusText.write([report("a", a)]), as: UTF8.self)
    #expect(
      text.contains("atoll_transfer_month_bytes{edge=\"a\",distribution=\"shop\"} 105\n"))
    #expect(
      text.contains("atoll_transfer_quota_bytes{edge=\"a\",distribution=\"shop\"} 50000000000\n"))
  }

  // MARK: The store's part

  @Test func `edges add to one sum, which outlives them`() throws {
    let store = MemoryStore()
    #expect(try TransferLedger(store).totals(Self.november) == [:])
    #expect(try TransferLedger(store).add(["d1": 5], to: Self.november) == ["d1": 5])
    #expect(
      try TransferLedger(store).add(["d1": 6, "d2": 1], to: Self.november) == ["d1": 11, "d2": 1])
    try TransferLedger(store).add(["d1": 1], to: Self.december)
    #expect(try TransferLedger(store).totals(Self.november) == ["d1": 11, "d2": 1])
    #expect(try TransferLedger(store).totals(Self.december) == ["d1": 1])
    // Nothing to add writes nothing.
    let revision = store.revision()
    #expect(try TransferLedger(store).add([:], to: Self.december) == ["d1": 1])
    #expect(store.revision() == revision)
  }

  @Test func `of two that add at once none is lost`() throws {
    let store = MemoryStore()
    let ledger = TransferLedger(store)
    let failures = Atomic<Int>(0)
    runThreads(4) { _ in
      for _ in 0..<50 {
        do {
          try ledger.add(["d1": 3], to: Self.november)
        } catch {
          failures.add(1, ordering: .relaxed)
        }
      }
    }
    #expect(failures.load(ordering: .relaxed) == 0)
    #expect(try ledger.totals(Self.november) == ["d1": 600])
  }

  @Test func `old months are dropped, and a damaged one begins anew`() throws {
    let store = MemoryStore()
    let ledger = TransferLedger(store)
    for year in 2024...2026 {
      for month in 1...12 {
        let month = try #require(TransferMonth("\(year)-\(month < 10 ? "0" : "")\(month)"))
        try ledger.add(["d1": 1], to: month)
      }
    }
    let keys = store.keys(TransferLedger.prefix)
    #expect(keys.count == TransferLedger.monthsKept)
    #expect(keys.first == "transfer/2025-12" && keys.last == "transfer/2026-12")
    _ = try store.write("transfer/2026-11", Array("{\"bytes\": 7}".utf8), ifRevision: nil)
    #expect(try ledger.totals(Self.november) == [:])
    #expect(try ledger.add(["d1": 2], to: Self.november) == ["d1": 2])
  }
}
