// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Synchronization

/// What the supervisor has published, for the admin socket's thread to answer from.
final class SupervisorView: @unchecked Sendable {
  struct State {
    var policies: [DistributionPolicy] = []
    var minutes: MinuteRing
    var record: EdgeRecord?
    var certificates: [CertificateExpiry] = []
    /// Nil where no store keeps it.
    var transfer: TransferCount?
  }

  private let edge: Edge
  private let started: Int64
  private let lock = Lock()
  private var state: State

  init(edge: Edge, started: Int64) {
    self.edge = edge
    self.started = started
    state = State(minutes: MinuteRing(startedAt: started))
  }

  func update(_ change: (inout State) -> Void) { lock.locked { change(&state) } }

  func answer(_ request: AdminRequest) -> AdminAnswer {
    let state = lock.locked { self.state }
    switch request.path {
    case "/metrics": return metrics(state, request.value("distribution"))
    case "/metrics/prometheus":
      return .text(
        PrometheusText.write([report(state, state.policies)]),
        contentType: PrometheusText.contentType)
    case "/status": return .json(status(state))
    case "/health": return health(request.value("distribution"))
    case "/count": return count(state, request)
    default:
      return .failure(404, "there is /metrics, /metrics/prometheus, /status, /health and /count")
    }
  }

  /// The targets of all distributions, or of the one with that name.
  private func health(_ name: String?) -> AdminAnswer {
    let chosen = edge.health().filter { name == nil || $0.name == name }
    return .json(HealthReport(distributions: chosen).json())
  }

  private func metrics(_ state: State, _ name: String?) -> AdminAnswer {
    var policies = state.policies
    if let name {
      policies.removeAll { $0.distribution.name != name }
      if policies.isEmpty { return .failure(404, "no distribution named \"\(name)\"") }
    }
    return .json(report(state, policies).json())
  }

  private func report(_ state: State, _ policies: [DistributionPolicy]) -> MetricsReport {
    var gauges = EdgeGauges()
    gauges.connections = edge.connectionCount
    gauges.cacheEntries = edge.cache.entryCount
    gauges.cacheBytes = edge.cache.entryBytes
    gauges.memoryUsed = edge.budget.used
    gauges.memoryLimit = edge.budget.limit
    gauges.logLinesLost = edge.accessLog?.lostLines ?? 0
    let compressions = edge.compressor.counts
    gauges.compressions = compressions.made
    gauges.compressionsSkipped = compressions.skipped
    let snapshot = edge.counters()
    var report = MetricsReport(
      time: SystemCall.wallSeconds(),
      edge: EdgeFacts(
        id: state.record?.id ?? "", started: started, gauges: gauges,
        health: edge.health().filter { health in
          policies.contains { $0.distribution.id == health.id }
        }, certificates: state.certificates),
      distributions: policies.map { ($0.distribution.name, $0.distribution.id, $0.slot) },
      snapshot: snapshot, minutes: state.minutes)
    report.edges[0].http2 = edge.http2Counts()
    if let transfer = state.transfer {
      for (index, policy) in policies.enumerated() {
        report.distributions[index].transfer = transfer.use(
          id: policy.distribution.id, slot: policy.slot, plan: policy.distribution.plan, snapshot)
      }
    }
    return report
  }

  private func status(_ state: State) -> [UInt8] {
    DocumentWriter.document { writer in
      writer.member("schemaVersion", 1)
      if let record = state.record {
        writer.member("id", record.id)
        writer.member("pid", record.pid)
        writer.member("addresses", record.addresses)
        writer.member("secureAddresses", record.secureAddresses)
        writer.member("appliedRevision", record.revision)
        writer.member("appliedPurge", record.purge)
        writer.member("problems", record.problems)
      }
      writer.member("distributions") { writer in
        writer.array { writer in
          for policy in state.policies {
            writer.element { writer in
              writer.object { writer in
                writer.member("name", policy.distribution.name)
                writer.member("id", policy.distribution.id)
                writer.member("revision", policy.distribution.revision)
                writer.member("isEnabled", policy.distribution.isEnabled)
                writer.member("entries", edge.cache.count(slot: policy.slot))
              }
            }
          }
        }
      }
    }
  }

  /// What a purge would match now.
  private func count(_ state: State, _ request: AdminRequest) -> AdminAnswer {
    guard let id = request.value("id"),
      let policy = state.policies.first(where: { $0.distribution.id == id })
    else { return .failure(404, "no distribution with this id") }
    let selector: PurgeSelector
    if request.value("all") != nil {
      selector = .all
    } else if let path = request.value("path") {
      selector = .path(path)
    } else if let prefix = request.value("prefix") {
      selector = .prefix(prefix)
    } else if let tag = request.value("tag") {
      selector = .tag(tag)
    } else {
      return .failure(400, "the query needs all, path, prefix or tag")
    }
    let record = PurgeRecord(
      distribution: policy.distribution.name, id: id, at: SystemCall.wallSeconds(), soft: false,
      selector: selector)
    return .json(
      DocumentWriter.document { writer in
        writer.member("schemaVersion", 1)
        writer.member("count", edge.count(matching: record))
      })
  }
}
