// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

struct MetricsReportTests {
  private static let start: Int64 = 1_772_366_400

  private func report(edge: String = "e1", name: String = "shop", scale: Int = 1) -> MetricsReport {
    let loop = LoopCounters()
    func account(
      _ outcome: Outcome, _ reason: Reason = .none, slot: Int = 3, method: Method = .get,
      status: UInt16 = 200, times: Int
    ) {
      for _ in 0..<times * scale {
        loop.account(
          slot: slot, verdict: Verdict(outcome, reason), method: method, status: status,
          bytesDown: 100, bytesUp: 10)
      }
    }
    var ring = MinuteRing(startedAt: Self.start)
    account(.hit, times: 5)
    let handshakes = HandshakeCounters()
    func snapshot() -> CounterSnapshot {
      var snapshot = CounterSnapshot([loop])
      handshakes.add(to: &snapshot.handshakes)
      return snapshot
    }
    handshakes.count(.full)
    handshakes.count(.unknownName)
    ring.advance(to: Self.start + 600, snapshot())
    for _ in 1...54 { handshakes.count(.resumed) }
    handshakes.count(.plainHTTP)
    account(.miss, .absent, times: 1)
    account(.pass, .method, method: .post, status: 503, times: 2)
    account(.error, .unknownHost, slot: LoopCounters.unclaimed, status: 421, times: 1)
    var gauges = EdgeGauges()
    gauges.connections = 7
    gauges.cacheEntries = 1
    gauges.cacheBytes = 400
    gauges.memoryUsed = 1000
    gauges.memoryLimit = 64 << 20
    gauges.logLinesLost = 2
    gauges.compressions = 5
    gauges.compressionsSkipped = 3
    return MetricsReport(
      time: Self.start + 630,
      edge: EdgeFacts(
        id: edge, started: Self.start, gauges: gauges,
        health: [
          DistributionHealth(
            name: name, id: "d\(name)",
            origins: [
              OriginHealth(
                name: "default",
                targets: [
                  TargetReport(
                    address: "a:80", state: .up, connections: 3, requests: 50, failures: 4),
                  TargetReport(
                    address: "b:80", state: .unhealthy, isChecked: true, downSince: Self.start),
                ])
            ])
        ],
        certificates: [
          CertificateExpiry(
            name: name, domains: ["*.\(name).example", "\(name).example"],
            notBefore: Self.start - 3_600, notAfter: Self.start + Int64(scale) * 3_600)
        ]),
      distributions: [(name, "d\(name)", 3), ("idle", "didle", 4)],
      snapshot: snapshot(), minutes: ring)
  }

  @Test func `windows tell the last minutes apart from everything since the start`() {
    let shop = report().distributions[0].history
    #expect(shop.sinceStart.seconds == 630)
    #expect(shop.sinceStart.counts.requests == 8)
    #expect(shop.last5Minutes.seconds == 270)
    #expect(shop.last5Minutes.counts.requests == 3)
    #expect(shop.last5Minutes.counts.hitRatio == 0)
    #expect(shop.last60Minutes.counts.requests == 8)
    #expect(shop.minutes.map(\.start) == [Self.start, Self.start + 600])
  }

  @Test func `handshakes have a rate`() {
    let handshakes = report().edges[0].handshakes
    #expect(handshakes.sinceStart[.full] == 1 && handshakes.sinceStart[.resumed] == 54)
    #expect(handshakes.sinceStart.failed == 2)
    #expect(handshakes.last5Minutes[.full] == 0 && handshakes.last5Minutes[.resumed] == 54)
    #expect(handshakes.last5Minutes.failed == 1)
    #expect(handshakes.rate == 54.0 / 270)
    #expect(HandshakeTraffic().rate == nil)
  }

  @Test func `the total counts what no distribution claimed`() {
    let report = report()
    #expect(report.total.sinceStart.counts.requests == 9)
    #expect(report.unclaimed.sinceStart.counts.requests == 1)
  }

  @Test func `the JSON document reads back as it was`() throws {
    let report = report(name: "a\"b\\c\n")
    #expect(MetricsReport(json: report.json()) == report)
  }

  @Test(arguments: [
    "", "{}", "[]", "{\"schemaVersion\": 2}", "{\"schemaVersion\": 1, \"time\": \"now\"}",
  ])
  func `another document is no report`(text: String) {
    #expect(MetricsReport(json: Array(text.utf8)) == nil)
  }

  @Test func `every truncation of a document is no report`() {
    let whole = report().json()
    for length in 0..<whole.count - 1 {
      #expect(MetricsReport(json: Array(whole[..<length])) == nil)
    }
  }

  @Test func `rates are percent and null without requests`() {
    let text = String(decoding: report().json(), as: UTF8.self)
    #expect(text.contains("\"errorRate5xx\": 25,"))
    #expect(text.contains("\"hitRatio\": 83.333,"))
    #expect(text.contains("\"hitRatio\": null,"))
    #expect(text.contains("\"started\": \"2026-03-01T12:00:00Z\""))
  }

  @Test func `edges add up by distribution`() {
    let sum = MetricsReport.merged([report(edge: "e1"), report(edge: "e2", scale: 2)])
    #expect(sum.edges.map(\.id) == ["e1", "e2"])
    #expect(sum.distributions.map(\.name) == ["idle", "shop"])
    let shop = sum.distributions[1].history
    // The same certificate on both: the end that comes first.
    #expect(sum.certificates.map(\.notAfter) == [Self.start + 3_600])
    #expect(shop.sinceStart.counts.requests == 24)
    #expect(shop.sinceStart.seconds == 630)
    #expect(shop.minutes.map { $0.counts.requests } == [15, 9])
    #expect(sum.total.sinceStart.counts.requests == 27)
  }

  @Test func `minutes of several edges keep their order`() {
    var early = report()
    var late = report()
    early.total.minutes = [0, 120].map { MinuteTraffic(start: $0, counts: TrafficCounts()) }
    late.total.minutes = [60, 120, 180].map { MinuteTraffic(start: $0, counts: TrafficCounts()) }
    #expect(
      MetricsReport.merged([late, early]).total.minutes.map(\.start) == [0, 60, 120, 180])
  }

  @Test func `Prometheus gets every edge's counters under its own label`() {
    let text = String(
      decoding: PrometheusText.write([report(edge: "e1"), report(edge: "e2", scale: 2)]),
      as: UTF8.self)
    let lines = Set(text.split(separator: "\n"))
    for line in [
      "atoll_requests_total{edge=\"e1\",distribution=\"shop\",methods=\"cacheable\",outcome=\"hit\"} 5",
      "atoll_requests_total{edge=\"e2\",distribution=\"shop\",methods=\"other\",outcome=\"pass\"} 4",
      "atoll_responses_total{edge=\"e1\",distribution=\"\",class=\"4xx\"} 1",
      "atoll_reasons_total{edge=\"e1\",distribution=\"shop\",reason=\"absent\"} 1",
      "atoll_sent_bytes_total{edge=\"e1\",distribution=\"shop\",outcome=\"hit\"} 500",
      "atoll_received_bytes_total{edge=\"e1\",distribution=\"shop\"} 20",
      "atoll_received_bytes_total{edge=\"e1\",distribution=\"idle\"} 0",
      "atoll_connections{edge=\"e2\"} 7",
      "atoll_log_lines_lost_total{edge=\"e1\"} 2",
      "atoll_compressions_total{edge=\"e1\"} 5",
      "atoll_compressions_skipped_total{edge=\"e1\"} 3",
      "atoll_tls_handshakes_total{edge=\"e1\",kind=\"resumed\"} 54",
      "atoll_tls_handshake_failures_total{edge=\"e1\",reason=\"plain-http\"} 1",
      "atoll_start_time_seconds{edge=\"e1\"} 1772366400",
      target("up", "e1", "a:80") + "1",
      target("up", "e2", "b:80") + "0",
      target("connections", "e1", "a:80") + "3",
      target("requests_total", "e1", "a:80") + "50",
      target("failures_total", "e1", "a:80") + "4",
      "atoll_certificate_expiry_seconds{edge=\"e2\",certificate=\"shop\"} 1772373600",
    ] {
      #expect(lines.contains(Substring(line)), "\(line)")
    }
    #expect(text.hasSuffix("\n"))
  }

  private func target(_ name: String, _ edge: String, _ address: String) -> String {
    "atoll_target_\(name){edge=\"\(edge)\",distribution=\"shop\",origin=\"default\","
      + "target=\"\(address)\"} "
  }

  @Test func `each Prometheus family is described once, before its samples`() {
    let text = String(
      decoding: PrometheusText.write([report(edge: "e1"), report(edge: "e2")]), as: UTF8.self)
    var described: [Substring] = []
    for line in text.split(separator: "\n") {
      if line.hasPrefix("# TYPE ") {
        described.append(line.split(separator: " ")[2])
      } else if !line.hasPrefix("#") {
        #expect(line.prefix { $0 != "{" } == described.last)
      }
    }
    #expect(Set(described).count == described.count)
  }

  @Test func `label values cannot break out of their quotes`() {
    let text = String(
      decoding: PrometheusText.write([report(name: "a\"} 1\nb\\")]), as: UTF8.self)
    #expect(text.contains("distribution=\"a\\\"} 1\\nb\\\\\""))
    #expect(text.split(separator: "\n").allSatisfy { $0.hasPrefix("atoll_") || $0.hasPrefix("# ") })
  }
}
