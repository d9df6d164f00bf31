// SPDX-License-Identifier: Apache-2.0

/// The certificates in a store.
package struct CertificateCatalog: Sendable {
  package static let prefix = "certificates/"
  /// Characters of a name.
  package static let nameLimit = 200

  package let store: any Store

  package init(_ store: any Store) { self.store = store }

  /// Everything there is, by name; one that can't be read hides no other. All writes up to the
  /// revision are contained.
  package func all() throws(StoreError) -> (
    revision: UInt64, certificates: [StoredCertificate],
    invalid: [(name: String, error: StoreError)]
  ) {
    let listing = try store.list(Self.prefix)
    var certificates: [StoredCertificate] = []
    var invalid = listing.unreadable.map { (name: Self.name($0), error: $1) }
    for value in listing.values {
      do {
        certificates.append(try Self.decode(value))
      } catch {
        invalid.append((Self.name(value.key), error))
      }
    }
    return (listing.revision, certificates, invalid.sorted { $0.name < $1.name })
  }

  package func names() throws(StoreError) -> [String] {
    try store.keys(Self.prefix).map(Self.name)
  }

  /// nil when there is none.
  package func get(_ name: String) throws(StoreError) -> StoredCertificate? {
    // What can't be a name can't be stored under it either.
    guard Self.flaw(inName: name) == nil, let value = try store.read(Self.prefix + name) else {
      return nil
    }
    return try Self.decode(value)
  }

  /// What a command finds that puts a certificate under a name.
  package struct Place: Sendable {
    /// nil where there is none, and where it can't be read.
    package var certificate: StoredCertificate?
    /// Why what is stored can't be read, though it may be written over.
    package var damage: StoreError?
    /// Of what is stored, damaged or not; 0 where nothing is.
    package var revision: UInt64

    /// For people who write over it; nil where nothing is damaged.
    package var note: String? {
      damage.map { "\($0.message); another takes its place" }
    }
  }

  /// The same for who is about to write there. A record that is damaged is no obstacle then: while
  /// a distribution uses it, it can't be deleted.
  package func place(_ name: String) throws(StoreError) -> Place {
    guard Self.flaw(inName: name) == nil, let value = try store.read(Self.prefix + name) else {
      return Place(revision: 0)
    }
    do {
      return Place(certificate: try Self.decode(value), revision: value.revision)
    } catch {
      guard case .damaged = error else { throw error }
      return Place(damage: error, revision: value.revision)
    }
  }

  /// Writes a certificate whose key, when there is one, is its chain's: no mistake may put a pair
  /// there that no edge can use.
  ///
  /// - Parameter ifRevision: 0 creates, a revision replaces exactly that one, nil writes in any
  ///   case.
  /// - Returns: the revision of the write.
  @discardableResult
  package func put(_ certificate: StoredCertificate, ifRevision: UInt64?) throws -> UInt64 {
    if let flaw = Self.flaw(inName: certificate.name) {
      throw CertificateError(
        "the name \(quoted(certificate.name)) \(flaw)", hint: "choose another name")
    }
    switch (certificate.chain, certificate.key) {
    case (let chain?, let key?):
      guard try PrivateKey(pem: key).fits(CertificateInfo(pem: chain)) else {
        throw CertificateError(
          "the private key is not the certificate's", hint: "give the key it was made with")
      }
    case (nil, nil): break
    default:
      throw CertificateError(
        "a certificate without its key, or a key alone", hint: "store both together")
    }
    return try store.write(
      Self.prefix + certificate.name, Self.encode(certificate), ifRevision: ifRevision)
  }

  /// - Returns: the revision of the deletion, nil when there was no such certificate.
  @discardableResult
  package func delete(_ name: String, ifRevision: UInt64?) throws(StoreError) -> UInt64? {
    if Self.flaw(inName: name) != nil { return nil }
    return try store.delete(Self.prefix + name, ifRevision: ifRevision)
  }

  /// The same, while no distribution has been written since a revision; else a conflict.
  @discardableResult
  package func delete(_ name: String, unusedSince revision: UInt64) throws(StoreError) -> UInt64? {
    if Self.flaw(inName: name) != nil { return nil }
    return try store.delete(Self.prefix + name, unchanged: Catalog.prefix, since: revision)
  }

  /// What is wrong with a name for a certificate, continuing it; nil for a good one.
  package static func flaw(inName name: String) -> String? {
    if name.isEmpty { return "is empty" }
    if name.utf8.count > nameLimit { return "is longer than \(nameLimit) characters" }
    guard name.utf8.allSatisfy({ isAlphanumeric($0) || ".-_".utf8.contains($0) }) else {
      return "has other characters than letters, digits, dots, dashes and underscores"
    }
    guard isAlphanumeric(name.utf8.first!), isAlphanumeric(name.utf8.last!) else {
      return "does not begin and end with a letter or digit"
    }
    return nil
  }

  private static func name(_ key: String) -> String {
    String(key.dropFirst(prefix.utf8.count))
  }

  // MARK: Values

  static func encode(_ certificate: StoredCertificate) -> [UInt8] {
    DocumentWriter.document { writer in
      writer.member("schemaVersion", 1)
      writer.member("source", certificate.source.rawValue)
      writer.member("domains", certificate.domains)
      if let chain = certificate.chain { writer.member("certificate", chain) }
      if let key = certificate.key { writer.member("key", key) }
      writer.member("keyType", certificate.keyType.rawValue)
      writer.member("created", RFC3339.format(seconds: certificate.created))
      writer.member("modified", RFC3339.format(seconds: certificate.modified))
      if let acme = certificate.acme {
        writer.member("acme") { $0.object { encode(acme, to: &$0) } }
      }
      if certificate.renewal != RenewalState() {
        writer.member("renewal") { $0.object { encode(certificate.renewal, to: &$0) } }
      }
    }
  }

  private static func encode(_ acme: ACMESettings, to writer: inout DocumentWriter) {
    writer.member("directory", acme.directory)
    writer.member("challenge", acme.challenge.rawValue)
    if let hook = acme.dnsHook { writer.member("dnsHook", hook) }
    if let server = acme.dnsServer { writer.member("dnsServer", server) }
    if let time = acme.dnsTimeout { writer.member("dnsTimeout", time) }
    if let port = acme.validationPort { writer.member("validationPort", port) }
    if let address = acme.httpAddress { writer.member("httpAddress", address) }
    writer.member("contacts", acme.contacts)
    if let trust = acme.trust { writer.member("trust", trust) }
    if let chain = acme.preferredChain { writer.member("preferredChain", chain) }
    if let profile = acme.profile { writer.member("profile", profile) }
  }

  private static func encode(_ renewal: RenewalState, to writer: inout DocumentWriter) {
    func time(_ key: String, _ seconds: Int64?) {
      if let seconds { writer.member(key, RFC3339.format(seconds: seconds)) }
    }
    time("lastAttempt", renewal.lastAttempt)
    if let error = renewal.lastError { writer.member("lastError", error) }
    if renewal.failures > 0 { writer.member("failures", renewal.failures) }
    time("notBefore", renewal.notBefore)
    time("windowStart", renewal.window?.lowerBound)
    time("windowEnd", renewal.window?.upperBound)
    time("askAgain", renewal.askAgain)
  }

  static func decode(_ value: StoredValue) throws(StoreError) -> StoredCertificate {
    let node: JSONNode
    do {
      node = try JSONReader.read(value.value)
    } catch {
      throw .damaged(key: value.key, why: "line \(error.line): \(error.what)")
    }
    guard let source = node["source"]?.text.flatMap(CertificateSource.init) else {
      throw .damaged(key: value.key, why: "it does not say where the certificate is from")
    }
    let created = node["created"]?.time ?? 0
    let chain = node["certificate"]?.text
    let key = node["key"]?.text
    // Without its key it can still be told what it is, and be had anew.
    if chain == nil, key != nil {
      throw .damaged(key: value.key, why: "its certificate is missing")
    }
    return StoredCertificate(
      name: name(value.key), revision: value.revision, created: created,
      modified: node["modified"]?.time ?? created, source: source,
      domains: (node["domains"]?.elements ?? []).compactMap(\.text),
      keyType: node["keyType"]?.text.flatMap(KeyType.init) ?? .p256, chain: chain, key: key,
      acme: node["acme"].flatMap(decodeACME),
      renewal: node["renewal"].map(decodeRenewal) ?? RenewalState())
  }

  private static func decodeACME(_ node: JSONNode) -> ACMESettings? {
    guard let directory = node["directory"]?.text else { return nil }
    return ACMESettings(
      directory: directory,
      challenge: node["challenge"]?.text.flatMap(ChallengeType.init) ?? .http,
      dnsHook: node["dnsHook"]?.text, dnsServer: node["dnsServer"]?.text,
      dnsTimeout: node["dnsTimeout"]?.unsigned.map { Int(clamping: $0) },
      validationPort: node["validationPort"]?.unsigned.map { Int(clamping: $0) },
      httpAddress: node["httpAddress"]?.text,
      contacts: (node["contacts"]?.elements ?? []).compactMap(\.text),
      trust: node["trust"]?.text, preferredChain: node["preferredChain"]?.text,
      profile: node["profile"]?.text)
  }

  private static func decodeRenewal(_ node: JSONNode) -> RenewalState {
    var window: ClosedRange<Int64>?
    if let start = node["windowStart"]?.time, let end = node["windowEnd"]?.time, start <= end {
      window = start...end
    }
    return RenewalState(
      lastAttempt: node["lastAttempt"]?.time, lastError: node["lastError"]?.text,
      failures: Int(clamping: node["failures"]?.unsigned ?? 0),
      notBefore: node["notBefore"]?.time, window: window, askAgain: node["askAgain"]?.time)
  }
}
