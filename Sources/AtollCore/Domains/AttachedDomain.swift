// SPDX-License-Identifier: Apache-2.0

/// A domain that a distribution answers for beside its own.
package struct AttachedDomain: Equatable, Sendable {
  /// As in DNS, lower case, without the root's dot; `*.` at its start stands for everything below.
  package var name: String
  /// Names of the store's certificates that are meant for it; none: any that covers it.
  package var certificates: [String]

  package init(name: String, certificates: [String] = []) {
    self.name = name
    self.certificates = certificates
  }

  package var isWildcard: Bool { name.hasPrefix("*.") }

  /// Whether who asks for the host is answered by this domain.
  package func matches(_ host: String) -> Bool {
    isWildcard
      ? host.hasSuffix(name.dropFirst()) && host.utf8.count >= name.utf8.count : host == name
  }
}

extension Distribution {
  /// What distributions' own domains end in where the store has no other base domain. RFC 6761
  /// §6.3: this machine, wherever it is asked for.
  package static let standardBase = "atoll.localhost"

  /// What its own domains end in.
  package var baseDomain: String {
    defaultDomain.hasPrefix("\(id).")
      ? String(defaultDomain.dropFirst(id.utf8.count + 1)) : Self.standardBase
  }

  /// Names that viewers reach it by without a domain attached: by its name, and the default domain.
  package var ownDomains: [String] { ["\(name).\(baseDomain)", defaultDomain] }

  /// Every name that it answers for, in lower case.
  package var hosts: [String] { ownDomains.map { $0.lowercased() } + domains.map(\.name) }

  /// Attaches or detaches: what is no longer attached answers 403 until it is forgotten.
  package mutating func setDomains(_ wanted: [AttachedDomain]) {
    for domain in domains where !wanted.contains(where: { $0.name == domain.name }) {
      detachedDomains.append(domain.name)
    }
    domains = wanted
    detachedDomains.removeAll { name in wanted.contains { $0.name == name } }
  }
}

/// A domain that two distributions would answer for.
package struct DomainClaim: Error, Equatable, Sendable {
  package let domain: String
  /// The distribution that has it.
  package let holder: String
  /// It is the holder's own, which no command detaches.
  package let isOwn: Bool
}

extension Distribution {
  /// The first domain of this one that another has. Wildcards take nothing from the names below
  /// them, nor from each other.
  package func claim(among others: [Distribution]) -> DomainClaim? {
    let own = Set(ownDomains.map { $0.lowercased() })
    let attached = Set(domains.map(\.name))
    for other in others where other.name != name {
      for domain in other.domains where own.contains(domain.name) || attached.contains(domain.name)
      {
        return DomainClaim(domain: domain.name, holder: other.name, isOwn: false)
      }
      for domain in other.ownDomains.map({ $0.lowercased() }) where attached.contains(domain) {
        return DomainClaim(domain: domain, holder: other.name, isOwn: true)
      }
    }
    return nil
  }
}
