// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// An explanation for people and for programs: both from the same facts.
extension Explanation {
  var details: Details {
    var details = Details()
    for fact in facts { Self.add(fact, to: &details, margin: "") }
    return details
  }

  private static func add(_ fact: Fact, to details: inout Details, margin: String) {
    if case .facts(let facts) = fact.value {
      details.add(margin + fact.label, fact.reason ?? "")
      for inner in facts { add(inner, to: &details, margin: margin + "  ") }
      return
    }
    var lines = lines(of: fact.value)
    if let reason = fact.reason {
      if lines.isEmpty {
        lines = [reason]
      } else if lines.count == 1 {
        lines[0] += ": \(reason)"
      } else {
        lines.append("(\(reason))")
      }
    }
    if !lines.isEmpty { details.add(margin + fact.label, lines: lines) }
  }

  private static func lines(of value: Value) -> [String] {
    switch value {
    case .nothing, .facts: []
    case .flag(let flag): [flag ? "yes" : "no"]
    case .number(let number): [String(number)]
    case .seconds(let seconds): [Quantity.duration(seconds)]
    case .text(let text): [text]
    case .list(let texts): texts
    case .pairs(let pairs): pairs.map { "\($0.name): \($0.value)" }
    }
  }

  var json: JSON { Self.object(facts) }

  /// A reason stands beside what it is about.
  private static func object(_ facts: [Fact]) -> JSON {
    var members: [JSON.Member] = []
    for fact in facts {
      members.append(.init(key: fact.key, value: json(of: fact.value)))
      if let reason = fact.reason {
        members.append(.init(key: "\(fact.key)Reason", value: .string(reason)))
      }
    }
    return .object(members)
  }

  private static func json(of value: Value) -> JSON {
    switch value {
    case .nothing: .null
    case .flag(let flag): .bool(flag)
    case .number(let number), .seconds(let number): .integer(number)
    case .text(let text): .string(text)
    case .list(let texts): .strings(texts)
    case .pairs(let pairs):
      .array(
        pairs.map {
          .object([
            .init(key: "name", value: .string($0.name)),
            .init(key: "value", value: .string($0.value)),
          ])
        })
    case .facts(let facts): object(facts)
    }
  }
}
