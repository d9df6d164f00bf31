// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// A metrics report as tables for people.
struct MetricsView {
  let report: MetricsReport
  let console: Console

  /// A row for each distribution, once for each window.
  func printAll() {
    let windows: [(String, KeyPath<TrafficHistory, TrafficWindow>)] = [
      ("since start", \.sinceStart), ("last hour", \.last60Minutes),
      ("last 5 minutes", \.last5Minutes),
    ]
    for (index, (title, window)) in windows.enumerated() {
      if index > 0 { console.print() }
      var table = Self.table(title)
      for distribution in report.distributions {
        table.add([distribution.name] + Self.cells(distribution.history[keyPath: window].counts))
      }
      let unclaimed = report.unclaimed[keyPath: window].counts
      if unclaimed.requests > 0 { table.add(["(no distribution)"] + Self.cells(unclaimed)) }
      if report.distributions.count != 1 || unclaimed.requests > 0 {
        table.add(["total"] + Self.cells(report.total[keyPath: window].counts))
      }
      console.write(table.text(console))
    }
    printTransfer(report.distributions)
    printCertificates()
    printHTTP2()
    console.print()
    printEdges()
  }

  /// A row for each window, then how the cache took part and why not more.
  func printOne(_ distribution: DistributionTraffic) {
    let history = distribution.history
    var table = Self.table(distribution.name)
    table.add(["since start"] + Self.cells(history.sinceStart.counts))
    table.add(["last hour"] + Self.cells(history.last60Minutes.counts))
    table.add(["last 5 minutes"] + Self.cells(history.last5Minutes.counts))
    console.write(table.text(console))
    printTransfer([distribution])

    let counts = history.sinceStart.counts
    guard counts.requests > 0 else { return }
    var outcomes = Table([.left("outcome"), .right("requests"), .right("down")])
    for outcome in Outcome.allCases {
      let requests = counts.requests(outcome) &+ counts.otherRequests(outcome)
      if requests == 0 { continue }
      outcomes.add([
        outcome.text.description, Self.number(requests),
        // As above, bytes of GET, HEAD and OPTIONS alone.
        counts.requests(outcome) == 0 ? "-" : Quantity.size(Int(clamping: counts.bytes(outcome))),
      ])
    }
    console.print()
    console.write(outcomes.text(console))

    let reasons = Reason.allCases.filter { $0 != .none && counts.count($0) > 0 }
      .sorted { counts.count($0) > counts.count($1) }
    guard !reasons.isEmpty else { return }
    var table2 = Table([.left("reason"), .right("requests")])
    for reason in reasons {
      table2.add([reason.text.description, Self.number(counts.count(reason))])
    }
    console.print()
    console.write(table2.text(console))
  }

  private func printTransfer(_ distributions: [DistributionTraffic]) {
    let uses = distributions.compactMap { distribution in
      distribution.transfer.map { (distribution.name, $0) }
    }
    guard let month = uses.map(\.1.month).max() else { return }
    var table = Table([
      .left("transfer in \(month.text)"), .right("sent"), .right("plan"), .right("used"),
    ])
    for (name, use) in uses {
      table.add([
        name, gigabytes(use.bytes), use.quota.map { gigabytes($0) } ?? "-",
        Self.percent(use.percent),
      ])
    }
    console.print()
    console.write(table.text(console))
  }

  private func printCertificates() {
    let certificates = report.certificates
    guard !certificates.isEmpty else { return }
    var table = Table([.left("certificate"), .left("expires"), .left("domains")])
    for certificate in certificates {
      let distance = certificate.distance(at: report.time)
      let end = RFC3339.format(seconds: certificate.notAfter)
      table.add([
        certificate.name,
        certificate.isOver(at: report.time) ? "\(end), \(distance)!" : "\(end), \(distance)",
        certificate.domains.prefix(3).joined(separator: " ")
          + (certificate.domains.count > 3 ? " …" : ""),
      ])
    }
    console.print()
    console.write(table.text(console))
  }

  /// Only when some viewer has done what it should not.
  private func printHTTP2() {
    let counts = report.edges.reduce(into: HTTP2Counts()) { $0 += $1.http2 }
    let offences = HTTP2Offence.allCases.filter { counts[$0] > 0 }
    if offences.isEmpty { return }
    var table = Table([.left("ended over HTTP/2"), .right("times")])
    for offence in offences {
      table.add([offence.text.description, Self.number(counts[offence])])
    }
    console.print()
    console.write(table.text(console))
  }

  private func printEdges() {
    var table = Table([
      .left("edge"), .left("started"), .right("connections"), .right("entries"), .right("cached"),
      .right("memory"), .right("limit"),
    ])
    for edge in report.edges {
      let gauges = edge.gauges
      table.add([
        edge.id, RFC3339.format(seconds: edge.started),
        Self.number(UInt64(clamping: gauges.connections)),
        Self.number(UInt64(clamping: gauges.cacheEntries)), Quantity.size(gauges.cacheBytes),
        Quantity.size(gauges.memoryUsed), Quantity.size(gauges.memoryLimit),
      ])
    }
    console.write(table.text(console))
    printHandshakes()
  }

  /// Only where viewers speak TLS.
  private func printHandshakes() {
    let edges = report.edges.filter { !$0.handshakes.sinceStart.isZero }
    if edges.isEmpty { return }
    var table = Table([
      .left("tls handshakes"), .right("full"), .right("resumed"), .right("failed"),
      .right("per second"), .left("failures"),
    ])
    for edge in edges {
      let counts = edge.handshakes.sinceStart
      let failures = HandshakeEnd.failures.filter { counts[$0] > 0 }
        .sorted { counts[$0] > counts[$1] }
        .map { "\($0.text.description) \(Self.number(counts[$0]))" }
      table.add([
        edge.id, Self.number(counts[.full]), Self.number(counts[.resumed]),
        Self.number(counts.failed),
        edge.handshakes.rate.map { Quantity.decimal(Int(($0 * 10).rounded())) } ?? "-",
        failures.isEmpty ? "-" : failures.joined(separator: ", "),
      ])
    }
    console.print()
    console.write(table.text(console))
  }

  private static func table(_ title: String) -> Table {
    Table([
      .left(title), .right("requests"), .right("down"), .right("up"), .right("4xx"),
      .right("5xx"), .right("errors"), .right("hits"), .right("bytes hit"),
    ])
  }

  private static func cells(_ counts: TrafficCounts) -> [String] {
    [
      number(counts.requests), Quantity.size(Int(clamping: counts.bytesDown)),
      Quantity.size(Int(clamping: counts.bytesUp)), percent(counts.errorRate4xx),
      percent(counts.errorRate5xx), percent(counts.errorRate), percent(counts.hitRatio),
      percent(counts.byteHitRatio),
    ]
  }

  /// `12,345`.
  static func number(_ value: UInt64) -> String {
    let digits = Array(String(value))
    var text = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return text
  }

  /// `97.1%`, `-` where nothing was asked.
  static func percent(_ value: Double?) -> String {
    guard let value else { return "-" }
    let tenths = Int((value * 10).rounded())
    // Neither all nor nothing is claimed when it is not so.
    if tenths == 1000, value < 100 { return "99.9%" }
    if tenths == 0, value > 0 { return "0.1%" }
    return Quantity.decimal(tenths) + "%"
  }
}
