// SPDX-License-Identifier: Apache-2.0

/// The store's own certificate authority, for names that no public one certifies, or not yet: who
/// trusts its root sees HTTPS without a warning.
///
/// The root lives ten years and signs nothing but certificates of servers. It has no constraints on
/// names: it is made before the names are known. So whoever can read the store can make a
/// certificate that its believers accept, which is why the key is its owner's alone to read.
package struct LocalAuthority: Sendable {
  package static let prefix = "authority/"
  package static let key = "authority/root"
  /// Seconds.
  package static let rootLifetime: Int64 = 3_652 * 86_400
  package static let leafLifetime: Int64 = 90 * 86_400
  /// A root that ends within this many seconds makes way for a new one.
  private static let rest: Int64 = 86_400
  /// Seconds before now from which a certificate holds: viewers' clocks may be slow.
  private static let slack: Int64 = 3_600

  package let store: any Store

  package init(_ store: any Store) { self.store = store }

  package struct Root: Sendable {
    package let certificate: CertificateInfo
    /// The store's revision of its write.
    package let revision: UInt64
    fileprivate let key: PrivateKey
  }

  /// nil before the first use.
  package func existing() throws -> Root? {
    guard let value = try store.read(Self.key) else { return nil }
    let node = try? JSONReader.read(value.value)
    guard let certificate = node?["certificate"]?.text, let key = node?["key"]?.text else {
      throw StoreError.damaged(key: Self.key, why: "its certificate or key is missing")
    }
    do throws(CertificateError) {
      let root = Root(
        certificate: try CertificateInfo(pem: certificate), revision: value.revision,
        key: try PrivateKey(pem: key))
      guard root.key.fits(root.certificate) else {
        throw CertificateError("the key is not the certificate's", hint: "")
      }
      return root
    } catch {
      throw StoreError.damaged(key: Self.key, why: error.message)
    }
  }

  /// Made on the first use, and anew when its time is up.
  package func root(now: Int64) throws -> Root {
    while true {
      let old = try existing()
      if let old, old.certificate.notAfter > now + Self.rest { return old }
      let key = try PrivateKey.generate(.p256)
      let id = Digest.hex(key.publicKey.keyID.prefix(4))
      let certificate = try CertificateTemplate(
        organization: "atoll", commonName: "atoll local authority \(id)",
        notBefore: now - Self.slack, notAfter: now + Self.rootLifetime, isAuthority: true
      ).signed(for: key)
      let document = Self.encode(certificate, key, now)
      // When another process was faster, its root is everyone's.
      if let revision = try write(document, over: old?.revision ?? 0) {
        return Root(certificate: certificate, revision: revision, key: key)
      }
    }
  }

  /// nil when the root is no longer of that revision.
  private func write(_ document: [UInt8], over revision: UInt64) throws(StoreError) -> UInt64? {
    do {
      return try store.write(Self.key, document, ifRevision: revision)
    } catch {
      if case .conflict = error { return nil }
      throw error
    }
  }

  /// A certificate of 90 days for these names, with its key.
  package func issue(
    _ names: [String], _ type: KeyType = .p256, now: Int64
  ) throws -> (certificate: CertificateInfo, key: PrivateKey) {
    let root = try root(now: now)
    let key = try PrivateKey.generate(type)
    let certificate = try CertificateTemplate(
      names: names, organization: "atoll local certificate", commonName: commonName(names.first),
      notBefore: max(now - Self.slack, root.certificate.notBefore),
      notAfter: min(now + Self.leafLifetime, root.certificate.notAfter)
    ).signed(for: key, by: (root.certificate, root.key))
    return (certificate, key)
  }

  private static func encode(
    _ certificate: CertificateInfo, _ key: PrivateKey, _ now: Int64
  ) -> [UInt8] {
    DocumentWriter.document { writer in
      writer.member("schemaVersion", 1)
      writer.member("certificate", certificate.pem)
      writer.member("key", key.pem)
      writer.member("created", RFC3339.format(seconds: now))
    }
  }
}
