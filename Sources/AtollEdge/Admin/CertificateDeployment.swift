// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// The certificates that an edge shows: each reading of the store's, turned into what its loops use.
///
/// One that can't be used, now or any more, leaves its former version in use.
package struct CertificateDeployment {
  package struct Shown: Sendable {
    package var stored: StoredCertificate
    /// The leaf first.
    package var chain: [CertificateInfo]

    package var leaf: CertificateInfo { chain[0] }
    package var domains: [String] { leaf.names }
    package var expiry: CertificateExpiry { CertificateExpiry(stored.name, leaf) }
  }

  /// What an update changed.
  package struct Change {
    /// The loops need other certificates.
    package var isNew = false
    /// Lines for the edge's log.
    package var lines: [String] = []
  }

  /// What else matters to what is shown.
  package struct Surroundings: Equatable {
    /// By name of a certificate, the hosts that get it though others bear their names too.
    package var hosts: [String: [String]] = [:]
    package var challenges: [ServedChallenge] = []
    /// OCSP responses by the fingerprint of the certificate.
    package var staples: [[UInt8]: [UInt8]] = [:]

    package init() {}
  }

  /// In the order of the names, the one for default domains before all.
  package private(set) var shown: [Shown] = []
  package private(set) var certificates: TLSCertificates
  /// What is wrong at the moment.
  package private(set) var problems: [String] = []
  package private(set) var refused: [RefusedDocument] = []
  private let policy: TLSPolicy
  private var surroundings = Surroundings()

  package init(policy: TLSPolicy) throws(TLSError) {
    self.policy = policy
    certificates = try TLSCertificates([], policy: policy)
  }

  package mutating func update(
    to stored: [StoredCertificate], invalid: [(name: String, error: StoreError)] = [],
    _ surroundings: Surroundings = Surroundings()
  ) -> Change {
    var change = Change()
    var next: [Shown] = []
    var reasons: [(name: String, why: String)] = invalid.map { ($0.name, $0.error.message) }
    let former = shown
    func before(_ name: String) -> Shown? { former.first { $0.stored.name == name } }
    for (name, _) in invalid {
      if let kept = before(name) { next.append(kept) }
    }
    for certificate in stored {
      if certificate.chain == nil {
        // Still to be issued; but what was once there must not vanish by somebody's mistake.
        guard let kept = before(certificate.name) else { continue }
        reasons.append((certificate.name, "the store has lost it"))
        next.append(kept)
        continue
      }
      if var same = before(certificate.name), same.stored.chain == certificate.chain,
        same.stored.key == certificate.key
      {
        same.stored = certificate
        next.append(same)
        continue
      }
      do throws(CertificateError) {
        next.append(try Self.read(certificate))
      } catch {
        reasons.append((certificate.name, error.message))
        if let kept = before(certificate.name) { next.append(kept) }
      }
    }
    sort(&next)
    let isSame =
      surroundings == self.surroundings && next.map(\.stored.chain) == former.map(\.stored.chain)
    var built = isSame ? certificates : build(next, surroundings)
    if !isSame, let refusals = built?.refused, !refusals.isEmpty {
      // OpenSSL has the last word: a key too weak, a digest too old.
      for refusal in refusals {
        reasons.append((refusal.name, refusal.reason))
        guard let index = next.firstIndex(where: { $0.stored.name == refusal.name }) else {
          continue
        }
        if let kept = before(refusal.name), kept.leaf != next[index].leaf {
          next[index] = kept
        } else {
          next.remove(at: index)
        }
      }
      built = build(next, surroundings)
    }
    let names = Set(next.map(\.stored.name))
    var problems: [String] = []
    var refused: [RefusedDocument] = []
    for (name, why) in reasons {
      let kept = names.contains(name) ? before(name)?.stored.revision : nil
      let standing = kept.map { "revision \($0) of it stays in use" } ?? "it is not shown"
      problems.append("certificate \"\(name)\": \(why); \(standing)")
      refused.append(RefusedDocument(name: name, kept: kept))
    }
    if let built {
      change.isNew =
        surroundings != self.surroundings
        || next.map(\.stored.chain) != former.map(\.stored.chain)
      change.lines += Self.lines(from: former, to: next)
      certificates = built
      shown = next
      self.surroundings = surroundings
    } else {
      problems.append("the certificates could not be put to use: those before stay")
    }
    change.lines += problems.filter { !self.problems.contains($0) }
    self.problems = problems
    self.refused = refused.sorted { $0.name < $1.name }
    return change
  }

  private static func read(_ certificate: StoredCertificate) throws(CertificateError) -> Shown {
    let chain = try CertificateInfo.chain(pem: certificate.chain ?? "")
    guard let leaf = chain.first else {
      throw CertificateError("there is no certificate in it", hint: "import it again")
    }
    guard let key = certificate.key else {
      throw CertificateError("its private key is missing", hint: "import it again")
    }
    guard try PrivateKey(pem: key).fits(leaf) else {
      throw CertificateError("its key is another certificate's", hint: "import it again")
    }
    return Shown(stored: certificate, chain: chain)
  }

  /// The first one is for viewers that name no host: they know an address.
  private func sort(_ certificates: inout [Shown]) {
    certificates.sort { one, other in
      let isDefault = one.stored.name == DefaultCertificate.name
      if isDefault != (other.stored.name == DefaultCertificate.name) { return isDefault }
      return one.stored.name < other.stored.name
    }
  }

  private func build(_ shown: [Shown], _ surroundings: Surroundings) -> TLSCertificates? {
    let chosen = Set(surroundings.hosts.values.joined())
    let served = shown.map { certificate in
      var hosts = surroundings.hosts[certificate.stored.name] ?? []
      // What a public authority has issued comes before the local one's for default domains.
      if certificate.stored.source != .local {
        hosts += certificate.domains.filter { !chosen.contains($0) }
      }
      return ServedCertificate(
        name: certificate.stored.name, chainPEM: certificate.stored.chain ?? "",
        keyPEM: certificate.stored.key ?? "", preferredHosts: hosts,
        ocsp: surroundings.staples[certificate.leaf.fingerprint])
    }
    return try? TLSCertificates(served, challenges: surroundings.challenges, policy: policy)
  }

  private static func lines(from former: [Shown], to next: [Shown]) -> [String] {
    var lines: [String] = []
    for certificate in next {
      let name = certificate.stored.name
      let old = former.first { $0.stored.name == name }
      if old?.leaf == certificate.leaf { continue }
      let names = certificate.domains.prefix(4).joined(separator: ", ")
      lines.append(
        "certificate \"\(name)\" for \(names)\(certificate.domains.count > 4 ? ", …" : "") is "
          + (old == nil ? "in use" : "renewed")
          + ", until \(RFC3339.format(seconds: certificate.leaf.notAfter))")
    }
    for old in former where !next.contains(where: { $0.stored.name == old.stored.name }) {
      lines.append("certificate \"\(old.stored.name)\" is no longer in use")
    }
    return lines
  }
}
