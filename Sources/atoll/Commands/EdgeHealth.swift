// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge

/// How one edge sees the targets of a distribution's origins.
struct EdgeHealth {
  let edge: EdgeRecord
  /// Nil when the edge does not serve the distribution, or did not answer.
  let origins: [OriginHealth]?
  /// Why it did not.
  let problem: String?

  init(edge: EdgeRecord, origins: [OriginHealth]?, problem: String? = nil) {
    self.edge = edge
    self.origins = origins
    self.problem = problem
  }

  /// Asks the edge.
  init(_ edge: EdgeRecord, of distribution: Distribution) {
    // An edge of one URL may serve something else by the same name; one without a socket cannot say.
    if edge.unsaved != nil || edge.adminSocket.isEmpty {
      self.init(edge: edge, origins: nil)
      return
    }
    do throws(AdminError) {
      let client = AdminClient(path: edge.adminSocket)
      let health = try client.health(ofDistribution: distribution.name)
      self.init(edge: edge, origins: health?.origins)
    } catch {
      self.init(edge: edge, origins: nil, problem: error.reason)
    }
  }

  /// A line for each target, to stand below the edge's own.
  var lines: [String] {
    if let problem { return ["  its targets are not known: \(problem)"] }
    guard let origins else { return [] }
    return origins.flatMap { origin in
      origin.targets.map { "  \(origin.name) \($0.address): \(Self.sentence($0))" }
    }
  }

  private static func sentence(_ target: TargetReport) -> String {
    func time(_ seconds: Int64?) -> String { seconds.map(RFC3339.format(seconds:)) ?? "" }
    let why = target.lastFailure.map { ": \($0)" } ?? ""
    switch target.state {
    case .unhealthy: return "unhealthy since \(time(target.downSince))\(why)"
    case .ejected:
      return
        "ejected until \(time(target.ejectedUntil)), down since \(time(target.downSince))\(why)"
    case .tried: return "tried again, down since \(time(target.downSince))\(why)"
    case .up:
      var parts = ["up"]
      if target.connections > 0 {
        parts.append(Quantity.count(target.connections, "request under way", "requests under way"))
      }
      if target.failures > 0 {
        parts.append(
          "\(target.failures) of \(target.requests) requests failed, the last at "
            + "\(time(target.lastFailureAt))\(why)")
      } else if let failure = target.lastFailure {
        parts.append("the last failed check at \(time(target.lastFailureAt)): \(failure)")
      }
      return parts.joined(separator: ", ")
    }
  }

  /// The distribution's document with the edges as its last member.
  static func add(_ edges: [EdgeHealth], to document: [UInt8]) -> [UInt8] {
    let member = DocumentWriter.document { writer in
      writer.member("edges") { writer in
        writer.array { writer in
          for edge in edges { writer.element { edge.write(to: &$0) } }
        }
      }
    }
    // Both are objects of the same hand: `{\n … \n}\n`.
    return document.dropLast(3) + Array(",\n".utf8) + member.dropFirst(2)
  }

  private func write(to writer: inout DocumentWriter) {
    writer.object { writer in
      writer.member("id", edge.id)
      writer.member("addresses", edge.addresses)
      writer.member("revision", edge.revision)
      writer.member("origins") { writer in
        if let origins {
          DistributionHealth(name: "", id: "", origins: origins).writeOrigins(to: &writer)
        } else {
          writer.null()
        }
      }
    }
  }
}
