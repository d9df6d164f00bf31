// SPDX-License-Identifier: Apache-2.0

/// The local authority's certificate for the default domains of a store, and for the machine itself:
/// with it HTTPS works from the first minute.
package struct DefaultCertificate: Sendable {
  package static let name = "default-domains"
  /// Beside default domains: whoever tries an edge out asks for these.
  private static let ofTheMachine = ["localhost", "127.0.0.1", "::1"]

  package let store: any Store

  package init(_ store: any Store) { self.store = store }

  /// The names that it is for.
  /// - Parameters:
  ///   - base: the store's base domain.
  ///   - hosts: the default domains of its distributions. A wildcard stands for one label only, and
  ///     one below a top-level domain for none.
  package static func names(base: String, hosts: [String]) -> [String] {
    var names: [String] = base.contains(".") ? ["*.\(base)", base] : [base]
    for host in hosts.sorted() {
      let parent = host.drop { $0 != "." }.dropFirst()
      let name = parent.contains(".") ? "*.\(parent)" : host
      if names.count < Limits.certificateNames - ofTheMachine.count, !names.contains(name) {
        names.append(name)
      }
    }
    return names + ofTheMachine
  }

  /// What is stored, if need be made or made anew. One that can't be read stays for somebody to look
  /// at.
  package func ensure(_ names: [String], now: Int64) throws -> StoredCertificate {
    let catalog = CertificateCatalog(store)
    while true {
      let stored = try catalog.get(Self.name)
      if let stored, try !isDue(stored, names, now: now) { return stored }
      let issued = try LocalAuthority(store).issue(names, now: now)
      var next =
        stored
        ?? StoredCertificate(
          name: Self.name, created: now, modified: now, source: .local, domains: names)
      next.source = .local
      next.domains = names
      next.chain = issued.certificate.pem
      next.key = issued.key.pem
      next.modified = now
      next.renewal = RenewalState(lastAttempt: now)
      do {
        next.revision = try catalog.put(next, ifRevision: stored?.revision ?? 0)
        return next
      } catch StoreError.conflict {
        // Another edge was faster: its certificate will do.
      }
    }
  }

  /// Whether another is to take its place.
  package func isDue(_ stored: StoredCertificate, _ names: [String], now: Int64) throws -> Bool {
    guard let leaf = stored.leaf, stored.damage == nil else { return true }
    if !Set(names).isSubset(of: stored.domains) { return true }
    return LocalRenewal.isDue(
      leaf, root: try LocalAuthority(store).existing()?.certificate, now: now)
  }

  /// One that no store keeps, signed by itself: better than none.
  package static func temporary(_ names: [String], now: Int64) throws(CertificateError)
    -> StoredCertificate
  {
    let key = try PrivateKey.generate(.p256)
    let certificate = try CertificateTemplate(
      names: names, organization: "atoll temporary certificate", commonName: names.first,
      notBefore: now - 3_600, notAfter: now + LocalAuthority.leafLifetime
    ).signed(for: key)
    return StoredCertificate(
      name: name, created: now, modified: now, source: .local, domains: names,
      chain: certificate.pem, key: key.pem)
  }
}

/// When certificates of the local authority are renewed: at two thirds of their time, and when the
/// authority is another.
package enum LocalRenewal {
  /// Seconds since 1970.
  package static func due(_ leaf: CertificateInfo) -> Int64 {
    leaf.notBefore + (leaf.notAfter - leaf.notBefore) / 3 * 2
  }

  /// - Parameter root: the store's present authority; nil where it is gone.
  package static func isDue(_ leaf: CertificateInfo, root: CertificateInfo?, now: Int64) -> Bool {
    if now >= due(leaf) { return true }
    guard let root else { return true }
    return !leaf.isIssued(by: root)
  }

  /// Makes the next certificate with a key of its own.
  /// - Returns: what was written; nil where somebody has changed or deleted it meanwhile.
  package static func renew(_ stored: StoredCertificate, in store: any Store, now: Int64) throws
    -> StoredCertificate?
  {
    let issued = try LocalAuthority(store).issue(stored.domains, stored.keyType, now: now)
    var next = stored
    next.chain = issued.certificate.pem
    next.key = issued.key.pem
    next.modified = now
    next.renewal = RenewalState(lastAttempt: now)
    do {
      next.revision = try CertificateCatalog(store).put(next, ifRevision: stored.revision)
      return next
    } catch StoreError.conflict {
      return nil
    }
  }
}
