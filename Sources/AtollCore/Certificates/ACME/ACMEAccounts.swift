// SPDX-License-Identifier: Apache-2.0

/// An account with a CA, as the store keeps it.
package struct ACMEAccount: Equatable, Sendable {
  /// Of the CA.
  package var directory: String
  /// What the CA knows it by; nil until it is registered.
  package var url: String?
  /// PEM. Never printed.
  package var key: String
  /// Addresses, "mailto:" left out.
  package var contacts: [String]
  /// Seconds since 1970.
  package var created: Int64

  package init(
    directory: String, url: String? = nil, key: String, contacts: [String] = [], created: Int64
  ) {
    self.directory = directory
    self.url = url
    self.key = key
    self.contacts = contacts
    self.created = created
  }
}

/// An account that one has with the CA outside of ACME (RFC 8555 §7.3.4).
package struct ExternalAccount: Equatable, Sendable {
  package var keyID: String
  /// The shared secret.
  package var key: [UInt8]

  package init(keyID: String, key: [UInt8]) {
    self.keyID = keyID
    self.key = key
  }
}

/// The accounts of a store: one for each CA, shared by its certificates. Their files are their
/// owner's alone, like every file of the store.
package struct ACMEAccounts: Sendable {
  package static let prefix = "accounts/"

  package let store: any Store

  package init(_ store: any Store) { self.store = store }

  /// nil where there is none; the revision is for `put`.
  package func get(_ directory: String) throws(StoreError) -> (ACMEAccount, UInt64)? {
    let key = Self.storeKey(directory)
    guard let stored = try store.read(key) else { return nil }
    guard let node = try? JSONReader.read(stored.value), let pem = node["key"]?.text,
      node["directory"]?.text == directory
    else { throw .damaged(key: key, why: "it holds no account of \(directory)") }
    let account = ACMEAccount(
      directory: directory, url: node["url"]?.text, key: pem,
      contacts: (node["contacts"]?.elements ?? []).compactMap(\.text),
      created: node["created"]?.time ?? 0)
    return (account, stored.revision)
  }

  @discardableResult
  package func put(_ account: ACMEAccount, ifRevision: UInt64?) throws(StoreError) -> UInt64 {
    let value = DocumentWriter.document { writer in
      writer.member("schemaVersion", 1)
      writer.member("directory", account.directory)
      if let url = account.url { writer.member("url", url) }
      writer.member("contacts", account.contacts)
      writer.member("created", RFC3339.format(seconds: account.created))
      writer.member("key", account.key)
    }
    return try store.write(Self.storeKey(account.directory), value, ifRevision: ifRevision)
  }

  /// The directory's host for people, a digest for the rest of the URL.
  static func storeKey(_ directory: String) -> String {
    var host = ACMEClient.host(directory).lowercased().map { character in
      character.isASCII && (character.isLetter || character.isNumber || character == ".")
        ? character : "-"
    }
    while host.first == "." { host.removeFirst() }
    let digest = Digest.hex(Digest.sha256(Array(directory.utf8)).prefix(5))
    return "\(prefix)\(String(host.prefix(100)))-\(digest)"
  }
}
