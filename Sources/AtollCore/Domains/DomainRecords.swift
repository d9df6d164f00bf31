// SPDX-License-Identifier: Apache-2.0

/// A record to be created in DNS.
package struct PlannedRecord: Equatable, Sendable {
  package enum Kind: String, Sendable {
    case a = "A"
    case aaaa = "AAAA"
    case cname = "CNAME"
    /// No type of DNS but of many who host it: answered with the target's addresses.
    case alias = "ALIAS"
    case txt = "TXT"
  }

  package var name: DNSName
  package var kind: Kind
  /// As a zone file has it, without quotes: an address, a name without the root's dot, a text.
  package var value: String
  /// The zone that it belongs into.
  package var zone: DNSName

  package init(name: DNSName, kind: Kind, value: String, zone: DNSName) {
    self.name = name
    self.kind = kind
    self.value = value
    self.zone = zone
  }

  /// As the right side of a record (RFC 1035 §5.1).
  package var data: String {
    switch kind {
    case .a, .aaaa: value
    case .cname, .alias: value + "."
    case .txt: "\"\(value)\""
    }
  }
}

/// The records that lead a distribution's domains to it.
package struct DomainRecords: Equatable, Sendable {
  package var records: [PlannedRecord] = []
  /// Domains that stay without a record, since neither an address nor a name was given.
  package var unplaced: [String] = []

  /// What belongs into a zone that is not known stays without a record, too.
  /// - Parameters:
  ///   - target: the name that sub-domains lead to; nil where it means nothing to other machines.
  ///   - addresses: where the edges are reached.
  ///   - challenges: what a CA looks for, by domain.
  ///   - zone: the apex of the zone that holds a name; nil where that is not known.
  package init(
    of domains: [String], target: DNSName?, addresses: [IPAddress],
    challenges: [(domain: String, text: String)] = [], zone: (DNSName) -> DNSName?
  ) {
    for domain in domains {
      guard let name = DNSName(domain), let apex = zone(name) else { continue }
      // The name that the others lead to can't lead to itself, nor can all below its base; and
      // beside an apex's own records no CNAME may stand (RFC 1912 §2.4).
      let isLoop =
        target.map { name == $0 || domain.hasPrefix("*.") && name.parent!.contains($0) } ?? false
      if let target, !isLoop, name != apex {
        records.append(
          PlannedRecord(name: name, kind: .cname, value: "\(target)", zone: apex))
      } else if !addresses.isEmpty {
        records += addresses.map {
          PlannedRecord(name: name, kind: $0.isIPv4 ? .a : .aaaa, value: "\($0)", zone: apex)
        }
      } else if let target, !isLoop {
        records.append(
          PlannedRecord(name: name, kind: .alias, value: "\(target)", zone: apex))
      } else {
        unplaced.append(domain)
      }
    }
    for challenge in challenges {
      // RFC 8555 §8.4: a wildcard is validated at the name below which it stands.
      let plain =
        challenge.domain.hasPrefix("*.") ? challenge.domain.dropFirst(2) : challenge.domain[...]
      guard let name = DNSName(plain)?.prefixed(by: "_acme-challenge"), let apex = zone(name) else {
        continue
      }
      records.append(PlannedRecord(name: name, kind: .txt, value: challenge.text, zone: apex))
    }
  }

  private var zones: [DNSName] {
    var zones: [DNSName] = []
    for record in records where !zones.contains(record.zone) { zones.append(record.zone) }
    return zones
  }

  /// A snippet for each zone's file.
  package func zoneFile(lifetime: Int) -> [String] {
    var lines: [String] = []
    for zone in zones {
      if !lines.isEmpty { lines.append("") }
      lines.append("$ORIGIN \(zone.absolute)")
      let own = records.filter { $0.zone == zone }
      let width = own.map { $0.name.relative(to: zone).utf8.count }.max() ?? 0
      for record in own {
        let name = record.name.relative(to: zone)
        let padding = String(repeating: " ", count: width - name.utf8.count)
        let kind = record.kind.rawValue
        let space = String(repeating: " ", count: 5 - kind.utf8.count)
        lines.append("\(name)\(padding)  \(lifetime)  IN  \(kind)\(space)  \(record.data)")
      }
    }
    return lines
  }

  /// What nsupdate(1) reads. What stands under the same name and type is replaced. It knows no
  /// ALIAS: those are the second.
  package func nsupdate(lifetime: Int) -> (lines: [String], left: [PlannedRecord]) {
    var lines: [String] = []
    for zone in zones {
      var deleted: [String] = []
      lines.append("zone \(zone.absolute)")
      for record in records where record.zone == zone && record.kind != .alias {
        let what = "\(record.name.absolute) \(record.kind.rawValue)"
        // Challenges of a name and of the wildcard below it stand side by side.
        if !deleted.contains(what), record.kind != .txt {
          deleted.append(what)
          lines.append("update delete \(what)")
        }
        lines.append(
          "update add \(record.name.absolute) \(lifetime) \(record.kind.rawValue) \(record.data)")
      }
      lines.append("send")
    }
    return (lines, records.filter { $0.kind == .alias })
  }
}
