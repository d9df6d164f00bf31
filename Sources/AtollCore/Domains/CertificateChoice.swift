// SPDX-License-Identifier: Apache-2.0

/// Which certificate of a store a domain is served with.
package struct CertificateChoice: Sendable {
  package struct Candidate: Sendable {
    package var name: String
    package var source: CertificateSource
    /// Nil before it is issued, and where it can't be read.
    package var leaf: CertificateInfo?
    /// Why it can't be read.
    fileprivate var unreadable: CertificateError?
    fileprivate var stored: StoredCertificate?

    package init(name: String, source: CertificateSource, leaf: CertificateInfo?) {
      self.name = name
      self.source = source
      self.leaf = leaf
    }

    /// Looked for when it is asked: reading keys takes a while.
    fileprivate var damage: CertificateError? { unreadable ?? stored?.damage }

    /// What it is for, or is to be.
    package var domains: [String] { leaf?.names ?? stored?.domains ?? [] }

    /// nil before it is issued.
    package var expiry: CertificateExpiry? { leaf.map { CertificateExpiry(name, $0) } }
  }

  /// Why a certificate can't serve a domain.
  package enum Flaw: Error, Equatable, Sendable {
    case missing
    case notIssued
    /// The whole sentence, and what to do.
    case damaged(CertificateError)
    case expired(at: Int64)
    case notYetValid(from: Int64)
    /// These domains are not on it, but the second are.
    case uncovered([String], names: [String])
  }

  package let candidates: [Candidate]
  package let now: Int64

  package init(_ candidates: [Candidate], now: Int64) {
    self.candidates = candidates
    self.now = now
  }

  /// - Parameters:
  ///   - certificates: those that the store could read.
  ///   - invalid: the others.
  package init(
    _ certificates: [StoredCertificate], invalid: [(name: String, error: StoreError)] = [],
    now: Int64
  ) {
    var candidates: [Candidate] = []
    for certificate in certificates {
      var candidate = Candidate(
        name: certificate.name, source: certificate.source,
        leaf: (try? certificate.certificates())?.first)
      candidate.stored = certificate
      candidates.append(candidate)
    }
    for (name, error) in invalid {
      var candidate = Candidate(name: name, source: .imported, leaf: nil)
      candidate.unreadable = CertificateError(error.message, hint: error.hint)
      candidates.append(candidate)
    }
    self.init(candidates, now: now)
  }

  /// What is wrong with a certificate for these domains; nil when nothing is.
  package func flaw(of name: String, for domains: [String]) -> Flaw? {
    guard let candidate = candidates.first(where: { $0.name == name }) else { return .missing }
    guard let leaf = candidate.leaf else {
      return candidate.damage.map { .damaged($0) } ?? .notIssued
    }
    let uncovered = domains.filter { !CertificateNames.covers(leaf.domains, $0) }
    if !uncovered.isEmpty { return .uncovered(uncovered, names: leaf.domains) }
    if now > leaf.notAfter { return .expired(at: leaf.notAfter) }
    if now < leaf.notBefore { return .notYetValid(from: leaf.notBefore) }
    return candidate.damage.map { .damaged($0) }
  }

  /// Two certificates with keys of one family, of which a domain that names both is served with one
  /// only; nil where there is none.
  package func rivals(among names: [String]) -> (first: String, second: String, family: String)? {
    var families: [String: String] = [:]
    for name in names {
      guard let leaf = candidates.first(where: { $0.name == name })?.leaf else { continue }
      let family = leaf.publicKey.algorithm.family
      if let other = families[family], other != name { return (other, name, family) }
      families[family] = name
    }
    return nil
  }

  /// The best one for a domain among those that cover it: one that all of them can share, a public
  /// one before the local authority's, then the one that lasts longest.
  package func best(for domain: String, among domains: [String]) -> String? {
    let able = candidates.filter { flaw(of: $0.name, for: [domain]) == nil }
    return able.max { rank($0, domains) < rank($1, domains) }?.name
  }

  /// How one that has expired, or soon will have, is followed by another.
  package func renewal(of name: String) -> String {
    let isImported = candidates.contains { $0.name == name && $0.source == .imported }
    return isImported
      ? "import its successor with atoll cert import \(name) <file>..."
      : "renew it with atoll cert renew \(name)"
  }

  /// Where no certificate will do for a domain: the one that would if it were mended, of several the
  /// one that lasts longest; nil where none is for it.
  package func nearest(to domain: String) -> (name: String, flaw: Flaw)? {
    let meant = candidates.filter { CertificateNames.covers($0.domains, domain) }
    let last = meant.max { ($0.leaf?.notAfter ?? 0) < ($1.leaf?.notAfter ?? 0) }
    guard let last, let flaw = flaw(of: last.name, for: [domain]) else { return nil }
    return (last.name, flaw)
  }

  private func rank(_ candidate: Candidate, _ domains: [String]) -> (Int, Int, Int64) {
    let covered = domains.filter { CertificateNames.covers(candidate.leaf?.domains ?? [], $0) }
    return (
      covered.count, candidate.source == .local ? 0 : 1, candidate.leaf?.notAfter ?? 0
    )
  }
}
