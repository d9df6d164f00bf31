// SPDX-License-Identifier: Apache-2.0

/// Which certificate of a store a domain is served with.
package struct CertificateChoice: Sendable {
  package struct Candidate: Sendable {
    package var name: String
    package var source: CertificateSource
    /// Nil before it is issued.
    package var leaf: CertificateInfo?

    package init(name: String, source: CertificateSource, leaf: CertificateInfo?) {
      self.name = name
      self.source = source
      self.leaf = leaf
    }

    /// nil before it is issued.
    package var expiry: CertificateExpiry? { leaf.map { CertificateExpiry(name, $0) } }
  }

  /// Why a certificate can't serve a domain.
  package enum Flaw: Error, Equatable, Sendable {
    case missing
    case notIssued
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

  /// - Parameter certificates: those that can be read; what is damaged counts as not issued.
  package init(_ certificates: [StoredCertificate], now: Int64) {
    self.init(
      certificates.map {
        Candidate(name: $0.name, source: $0.source, leaf: (try? $0.certificates())?.first)
      }, now: now)
  }

  /// What is wrong with a certificate for these domains; nil when nothing is.
  package func flaw(of name: String, for domains: [String]) -> Flaw? {
    guard let candidate = candidates.first(where: { $0.name == name }) else { return .missing }
    guard let leaf = candidate.leaf else { return .notIssued }
    let uncovered = domains.filter { !CertificateNames.covers(leaf.domains, $0) }
    if !uncovered.isEmpty { return .uncovered(uncovered, names: leaf.domains) }
    if now > leaf.notAfter { return .expired(at: leaf.notAfter) }
    if now < leaf.notBefore { return .notYetValid(from: leaf.notBefore) }
    return nil
  }

  /// The best one for a domain among those that cover it: one that all of them can share, a public
  /// one before the local authority's, then the one that lasts longest.
  package func best(for domain: String, among domains: [String]) -> String? {
    let able = candidates.filter { flaw(of: $0.name, for: [domain]) == nil }
    return able.max { rank($0, domains) < rank($1, domains) }?.name
  }

  private func rank(_ candidate: Candidate, _ domains: [String]) -> (Int, Int, Int64) {
    let covered = domains.filter { CertificateNames.covers(candidate.leaf?.domains ?? [], $0) }
    return (
      covered.count, candidate.source == .local ? 0 : 1, candidate.leaf?.notAfter ?? 0
    )
  }
}
