// SPDX-License-Identifier: Apache-2.0

/// How one edge sees the targets of its origins at one moment: what `atoll show` tells.
package struct HealthReport: Equatable, Sendable {
  package var distributions: [DistributionHealth]

  package init(distributions: [DistributionHealth]) { self.distributions = distributions }
}

package struct DistributionHealth: Equatable, Sendable {
  package var name: String
  package var id: String
  package var origins: [OriginHealth]

  package init(name: String, id: String, origins: [OriginHealth]) {
    self.name = name
    self.id = id
    self.origins = origins
  }
}

package struct OriginHealth: Equatable, Sendable {
  package var name: String
  package var targets: [TargetReport]

  package init(name: String, targets: [TargetReport]) {
    self.name = name
    self.targets = targets
  }
}

package struct TargetReport: Equatable, Sendable {
  package enum State: String, Sendable, CaseIterable {
    case up
    /// Failed too many requests in a row, and is left alone until `ejectedUntil`.
    case ejected
    /// One request tries it again.
    case tried
    /// By the health checks.
    case unhealthy
  }

  /// `host:port`.
  package var address: String
  package var state: State
  /// Whether a health check has told anything yet.
  package var isChecked: Bool
  /// Since when it is down, and until when nobody tries it: seconds since 1970.
  package var downSince: Int64?
  package var ejectedUntil: Int64?
  /// What was wrong last, even if that is over.
  package var lastFailure: String?
  package var lastFailureAt: Int64?
  /// Requests under way.
  package var connections: Int
  /// Since the edge knows it.
  package var requests: UInt64
  package var failures: UInt64

  package init(
    address: String, state: State, isChecked: Bool = false, downSince: Int64? = nil,
    ejectedUntil: Int64? = nil, lastFailure: String? = nil, lastFailureAt: Int64? = nil,
    connections: Int = 0, requests: UInt64 = 0, failures: UInt64 = 0
  ) {
    self.address = address
    self.state = state
    self.isChecked = isChecked
    self.downSince = downSince
    self.ejectedUntil = ejectedUntil
    self.lastFailure = lastFailure
    self.lastFailureAt = lastFailureAt
    self.connections = connections
    self.requests = requests
    self.failures = failures
  }

  /// - Parameters:
  ///   - now: milliseconds of the monotonic clock, which health counts in.
  ///   - wallTime: the same moment in seconds since 1970.
  package init(_ target: TargetState, now: Int64, wallTime: Int64) {
    let health = target.currentHealth
    func wall(_ moment: Int64) -> Int64 { wallTime + (moment - now) / 1000 }
    var until: Int64?
    switch health.standing {
    case .serving: state = health.isUnhealthy ? .unhealthy : .up
    case .tried: state = health.isUnhealthy ? .unhealthy : .tried
    case .ejected(let end):
      state = health.isUnhealthy ? .unhealthy : .ejected
      until = wall(max(end, now))
    }
    address = target.address
    isChecked = health.isChecked
    downSince = health.downSince.map(wall)
    ejectedUntil = until
    lastFailure = health.lastFailure?.text
    lastFailureAt = health.lastFailure == nil ? nil : wall(health.lastFailureAt)
    connections = target.connections
    requests = target.requests
    failures = target.failures
  }
}

extension DistributionHealth {
  /// - Parameters: as of `TargetReport`.
  package init(_ policy: DistributionPolicy, now: Int64, wallTime: Int64) {
    self.init(
      name: policy.distribution.name, id: policy.distribution.id,
      origins: policy.origins.map { origin in
        OriginHealth(
          name: origin.name,
          targets: origin.targets.all.map { TargetReport($0, now: now, wallTime: wallTime) })
      })
  }
}

// MARK: JSON

extension HealthReport {
  /// The document of the admin socket.
  package func json() -> [UInt8] {
    DocumentWriter.document { writer in
      writer.member("schemaVersion", 1)
      writer.member("distributions") { DistributionHealth.write(distributions, to: &$0) }
    }
  }

  /// Reads what `json` wrote; nil when it is something else. Unknown keys are left alone: the edge
  /// that answers may be of a later version.
  package init?(json: [UInt8]) {
    guard let root = try? JSONReader.read(json), root["schemaVersion"]?.unsigned == 1,
      let distributions = root["distributions"].flatMap(DistributionHealth.read)
    else { return nil }
    self.init(distributions: distributions)
  }
}

extension DistributionHealth {
  static func write(_ distributions: [DistributionHealth], to writer: inout DocumentWriter) {
    writer.array { writer in
      for distribution in distributions {
        writer.element { writer in
          writer.object { writer in
            writer.member("name", distribution.name)
            writer.member("id", distribution.id)
            writer.member("origins") { distribution.writeOrigins(to: &$0) }
          }
        }
      }
    }
  }

  /// Nil for anything but what `write` wrote.
  static func read(_ node: JSONNode) -> [DistributionHealth]? {
    guard let nodes = node.elements else { return nil }
    let distributions = nodes.compactMap { node -> DistributionHealth? in
      guard let name = node["name"]?.text, let id = node["id"]?.text,
        let origins = node["origins"]?.elements
      else { return nil }
      let read = origins.compactMap { origin -> OriginHealth? in
        guard let name = origin["name"]?.text, let targets = origin["targets"]?.elements else {
          return nil
        }
        let reports = targets.compactMap(TargetReport.init(node:))
        return reports.count == targets.count ? OriginHealth(name: name, targets: reports) : nil
      }
      if read.count != origins.count { return nil }
      return DistributionHealth(name: name, id: id, origins: read)
    }
    return distributions.count == nodes.count ? distributions : nil
  }

  /// An array of origins with their targets.
  package func writeOrigins(to writer: inout DocumentWriter) {
    writer.array { writer in
      for origin in origins {
        writer.element { writer in
          writer.object { writer in
            writer.member("name", origin.name)
            writer.member("targets") { writer in
              writer.array { writer in
                for target in origin.targets { writer.element { target.write(to: &$0) } }
              }
            }
          }
        }
      }
    }
  }
}

extension TargetReport {
  fileprivate func write(to writer: inout DocumentWriter) {
    func time(_ seconds: Int64?, _ writer: inout DocumentWriter) {
      if let seconds { writer.string(RFC3339.format(seconds: seconds)) } else { writer.null() }
    }
    writer.object { writer in
      writer.member("address", address)
      writer.member("state", state.rawValue)
      writer.member("checked", isChecked)
      writer.member("downSince") { time(downSince, &$0) }
      writer.member("ejectedUntil") { time(ejectedUntil, &$0) }
      writer.member("lastFailure") { writer in
        if let lastFailure { writer.string(lastFailure) } else { writer.null() }
      }
      writer.member("lastFailureAt") { time(lastFailureAt, &$0) }
      writer.member("connections", connections)
      writer.member("requests", requests)
      writer.member("failures", failures)
    }
  }

  fileprivate init?(node: JSONNode) {
    guard let address = node["address"]?.text,
      let state = node["state"]?.text.flatMap(State.init(rawValue:))
    else { return nil }
    self.init(
      address: address, state: state, isChecked: node["checked"]?.bool ?? false,
      downSince: node["downSince"]?.time,
      ejectedUntil: node["ejectedUntil"]?.time, lastFailure: node["lastFailure"]?.text,
      lastFailureAt: node["lastFailureAt"]?.time,
      connections: Int(clamping: node["connections"]?.unsigned ?? 0),
      requests: node["requests"]?.unsigned ?? 0, failures: node["failures"]?.unsigned ?? 0)
  }
}
