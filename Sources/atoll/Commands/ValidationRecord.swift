// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Where a CA looks for the proof that a domain is its owner's (RFC 8555 §8), and what it has to find
/// there just now.
struct ValidationRecord: Equatable {
  let domain: String
  let type: ChallengeType
  /// The name of a TXT record, a URL, or a name with the protocol that is spoken on port 443.
  let place: String
  /// nil while nobody asks.
  let value: String?

  static func all(
    of certificate: StoredCertificate, _ pending: [PendingChallenge]
  ) -> [ValidationRecord] {
    guard let type = certificate.acme?.challenge else { return [] }
    var records: [ValidationRecord] = []
    for name in certificate.domains {
      // A wildcard is proven by the domain that it stands below.
      let domain = name.hasPrefix("*.") ? String(name.dropFirst(2)) : name
      let challenges = pending.filter { $0.type == type && $0.domain == domain }
      let posted: [PendingChallenge?] = challenges.isEmpty ? [nil] : challenges
      for challenge in posted {
        let record = ValidationRecord(domain, type, challenge)
        if !records.contains(record) { records.append(record) }
      }
    }
    return records
  }

  private init(_ domain: String, _ type: ChallengeType, _ challenge: PendingChallenge?) {
    self.domain = domain
    self.type = type
    switch type {
    case .http:
      place = "http://\(domain)\(ChallengeProof.path)\(challenge?.token ?? "")"
      value = challenge?.keyAuthorization
    case .dns:
      place = ChallengeProof.recordName(of: domain)
      value = challenge?.recordValue
    case .tls:
      place = "\(domain):443, acme-tls/1"
      value = challenge.map { Digest.hex(Digest.sha256(Array($0.keyAuthorization.utf8))) }
    }
  }

  var text: String {
    let kind = type == .dns ? " TXT" : ""
    return "\(type.rawValue): \(place)\(kind)\(value.map { " \($0)" } ?? "")"
  }

  var json: JSON {
    [
      "domain": .string(domain), "type": .string(type.rawValue), "place": .string(place),
      "value": .optional(value),
    ]
  }
}
