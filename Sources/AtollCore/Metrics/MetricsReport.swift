// SPDX-License-Identifier: Apache-2.0

/// What one edge, or several together, tell about their traffic.
package struct MetricsReport: Equatable, Sendable {
  /// Seconds since 1970.
  package var time: Int64
  package var edges: [EdgeFacts]
  /// All requests, those of deleted distributions and those that none claimed included.
  package var total: TrafficHistory
  package var distributions: [DistributionTraffic]
  /// Requests for hosts that no distribution answers for, and unreadable ones.
  package var unclaimed: TrafficHistory

  package init(
    time: Int64, edges: [EdgeFacts], total: TrafficHistory, distributions: [DistributionTraffic],
    unclaimed: TrafficHistory
  ) {
    self.time = time
    self.edges = edges
    self.total = total
    self.distributions = distributions
    self.unclaimed = unclaimed
  }

  /// - Parameter distributions: what the edge serves now, with their slots.
  package init(
    time: Int64, edge: EdgeFacts, distributions: [(name: String, id: String, slot: Int)],
    snapshot: CounterSnapshot, minutes: MinuteRing
  ) {
    let view = HistoryView(
      snapshot: snapshot, minutes: minutes.minutes(snapshot),
      last5: minutes.window(minutes: 5, snapshot), last60: minutes.window(minutes: 60, snapshot),
      seconds: (
        max(time - edge.started, 0), minutes.windowSeconds(minutes: 5, at: time),
        minutes.windowSeconds(minutes: 60, at: time)
      ))
    var edge = edge
    edge.handshakes.sinceStart = snapshot.handshakes
    edge.handshakes.last5Minutes = view.last5.handshakes
    edge.handshakes.seconds = view.seconds.1
    self.init(
      time: time, edges: [edge], total: view.history { $0.total },
      distributions: distributions.map { distribution in
        DistributionTraffic(
          name: distribution.name, id: distribution.id,
          history: view.history { $0[distribution.slot] })
      },
      unclaimed: view.history { $0[LoopCounters.unclaimed] })
  }

  private struct HistoryView {
    let snapshot: CounterSnapshot
    let minutes: [MinuteRing.Minute]
    let last5: CounterSnapshot
    let last60: CounterSnapshot
    let seconds: (Int64, Int64, Int64)

    func history(_ counts: (CounterSnapshot) -> TrafficCounts) -> TrafficHistory {
      TrafficHistory(
        sinceStart: TrafficWindow(seconds: seconds.0, counts: counts(snapshot)),
        last5Minutes: TrafficWindow(seconds: seconds.1, counts: counts(last5)),
        last60Minutes: TrafficWindow(seconds: seconds.2, counts: counts(last60)),
        minutes: minutes.compactMap { minute in
          let minuteCounts = counts(minute.counts)
          return minuteCounts.isZero
            ? nil : MinuteTraffic(start: minute.number * 60, counts: minuteCounts)
        })
    }
  }

  /// The edges' traffic together.
  package static func merged(_ reports: [MetricsReport]) -> MetricsReport {
    var sum = MetricsReport(
      time: 0, edges: [], total: TrafficHistory(), distributions: [], unclaimed: TrafficHistory())
    var places: [String: Int] = [:]
    for report in reports {
      sum.time = max(sum.time, report.time)
      sum.edges += report.edges
      sum.total += report.total
      sum.unclaimed += report.unclaimed
      for distribution in report.distributions {
        if let place = places[distribution.id] {
          sum.distributions[place].history += distribution.history
          sum.distributions[place].transfer = .merged(
            sum.distributions[place].transfer, distribution.transfer)
        } else {
          places[distribution.id] = sum.distributions.count
          sum.distributions.append(distribution)
        }
      }
    }
    sum.distributions.sort { $0.name < $1.name }
    return sum
  }

  /// By name; where edges show different ones, the one that ends first.
  package var certificates: [CertificateExpiry] {
    var first: [String: CertificateExpiry] = [:]
    for certificate in edges.flatMap(\.certificates) {
      if let other = first[certificate.name], other.notAfter <= certificate.notAfter { continue }
      first[certificate.name] = certificate
    }
    return first.values.sorted { $0.name < $1.name }
  }
}

/// One edge and what it holds at the moment.
package struct EdgeFacts: Equatable, Sendable {
  package var id: String
  /// Seconds since 1970.
  package var started: Int64
  package var gauges: EdgeGauges
  package var handshakes = HandshakeTraffic()
  /// The targets of the origins as this edge sees them.
  package var health: [DistributionHealth]
  /// Those that it shows to viewers.
  package var certificates: [CertificateExpiry]
  package var http2 = HTTP2Counts()

  package init(
    id: String, started: Int64, gauges: EdgeGauges, health: [DistributionHealth] = [],
    certificates: [CertificateExpiry] = []
  ) {
    self.id = id
    self.started = started
    self.gauges = gauges
    self.health = health
    self.certificates = certificates
  }
}

/// Figures that go up and down, and what the log lost.
package struct EdgeGauges: Equatable, Sendable {
  /// Open connections of viewers.
  package var connections = 0
  package var cacheEntries = 0
  package var cacheBytes = 0
  /// Everything that counts against `--memory`.
  package var memoryUsed = 0
  package var memoryLimit = 0
  package var logLinesLost: UInt64 = 0
  /// Compressed forms that the edge has made.
  package var compressions: UInt64 = 0
  /// Those that it did not begin, as too many waited or memory was short.
  package var compressionsSkipped: UInt64 = 0

  package init() {}
}

package struct DistributionTraffic: Equatable, Sendable {
  package var name: String
  package var id: String
  package var history: TrafficHistory
  /// Of this month; nil where no store keeps it.
  package var transfer: TransferUse?

  package init(name: String, id: String, history: TrafficHistory) {
    self.name = name
    self.id = id
    self.history = history
  }
}

package struct TrafficHistory: Equatable, Sendable {
  package var sinceStart = TrafficWindow()
  package var last5Minutes = TrafficWindow()
  package var last60Minutes = TrafficWindow()
  /// Those of the last 60 that had traffic, oldest first.
  package var minutes: [MinuteTraffic] = []

  package init() {}

  package init(
    sinceStart: TrafficWindow, last5Minutes: TrafficWindow, last60Minutes: TrafficWindow,
    minutes: [MinuteTraffic]
  ) {
    self.sinceStart = sinceStart
    self.last5Minutes = last5Minutes
    self.last60Minutes = last60Minutes
    self.minutes = minutes
  }

  static func += (sum: inout TrafficHistory, other: TrafficHistory) {
    sum.sinceStart += other.sinceStart
    sum.last5Minutes += other.last5Minutes
    sum.last60Minutes += other.last60Minutes
    for minute in other.minutes {
      if let place = sum.minutes.firstIndex(where: { $0.start >= minute.start }) {
        if sum.minutes[place].start == minute.start {
          sum.minutes[place].counts += minute.counts
        } else {
          sum.minutes.insert(minute, at: place)
        }
      } else {
        sum.minutes.append(minute)
      }
    }
  }
}

/// Traffic over a stretch of time.
package struct TrafficWindow: Equatable, Sendable {
  /// What it covers; of several edges, the longest.
  package var seconds: Int64 = 0
  package var counts = TrafficCounts()

  package init() {}

  package init(seconds: Int64, counts: TrafficCounts) {
    self.seconds = seconds
    self.counts = counts
  }

  static func += (sum: inout TrafficWindow, other: TrafficWindow) {
    sum.seconds = max(sum.seconds, other.seconds)
    sum.counts += other.counts
  }
}

package struct MinuteTraffic: Equatable, Sendable {
  /// Seconds since 1970, a whole minute.
  package var start: Int64
  package var counts: TrafficCounts

  package init(start: Int64, counts: TrafficCounts) {
    self.start = start
    self.counts = counts
  }
}
