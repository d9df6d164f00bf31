// SPDX-License-Identifier: Apache-2.0

/// When a certificate that an edge shows ends.
package struct CertificateExpiry: Equatable, Sendable {
  package var name: String
  /// Hosts that it is for, wildcards among them.
  package var domains: [String]
  /// Seconds since 1970 of the beginning and the end.
  package var notBefore: Int64
  package var notAfter: Int64

  package init(name: String, domains: [String], notBefore: Int64, notAfter: Int64) {
    self.name = name
    self.domains = domains
    self.notBefore = notBefore
    self.notAfter = notAfter
  }

  package init(_ name: String, _ leaf: CertificateInfo) {
    self.init(
      name: name, domains: leaf.names, notBefore: leaf.notBefore, notAfter: leaf.notAfter)
  }

  /// Seconds before the end from which on its nearness is told.
  package static let warning: Int64 = 14 * 86_400

  /// One that lives for days only is renewed with days to go: that is no cause for alarm.
  package func isNear(at now: Int64) -> Bool {
    notAfter - now <= min(Self.warning, (notAfter - notBefore) / 4)
  }

  package func isOver(at now: Int64) -> Bool { now > notAfter }

  /// `in 13 days`, `in 5 hours`, `2 days ago`.
  package func distance(at now: Int64) -> String {
    let seconds = notAfter - now
    let (count, unit) =
      seconds.magnitude >= 2 * 86_400
      ? (seconds.magnitude / 86_400, "day")
      : seconds.magnitude >= 2 * 3_600
        ? (seconds.magnitude / 3_600, "hour") : (seconds.magnitude / 60, "minute")
    let text = "\(count) \(unit)\(count == 1 ? "" : "s")"
    return seconds < 0 ? "\(text) ago" : "in \(text)"
  }
}

extension CertificateExpiry {
  static func write(_ certificates: [CertificateExpiry], to writer: inout DocumentWriter) {
    writer.array { writer in
      for certificate in certificates {
        writer.element { writer in
          writer.object { writer in
            writer.member("name", certificate.name)
            writer.member("domains", certificate.domains)
            writer.member("notBefore", RFC3339.format(seconds: certificate.notBefore))
            writer.member("notAfter", RFC3339.format(seconds: certificate.notAfter))
          }
        }
      }
    }
  }

  static func read(_ node: JSONNode) -> [CertificateExpiry] {
    (node.elements ?? []).compactMap { node in
      guard let name = node["name"]?.text, let notBefore = node["notBefore"]?.time,
        let notAfter = node["notAfter"]?.time
      else { return nil }
      return CertificateExpiry(
        name: name, domains: (node["domains"]?.elements ?? []).compactMap(\.text),
        notBefore: notBefore, notAfter: notAfter)
    }
  }
}
