// SPDX-License-Identifier: Apache-2.0
import CTLS
import Glibc
import Synchronization

/// Whom to believe when a server shows its certificate.
package enum Trust: Hashable, Sendable {
  /// The certificate authorities that this system trusts.
  case system
  /// Those in a PEM file, and no others.
  case file(String)
  /// The same, read already.
  case pem([UInt8])
}

/// The certificate authorities behind a `Trust`, in OpenSSL's form: shared by all connections.
package final class TrustStore: @unchecked Sendable {
  // OpenSSL locks it by itself.
  package let store: OpaquePointer
  /// Certificates in it; nil where they are looked up in a directory when they are needed.
  package let count: Int?

  private init(store: OpaquePointer, count: Int?) {
    self.store = store
    self.count = count
  }

  deinit { X509_STORE_free(store) }

  /// Bytes of a file of certificates.
  private static let limit = 8 << 20

  /// Where distributions keep the authorities that they trust, all in one file.
  package static let systemFiles = [
    "/etc/ssl/certs/ca-certificates.crt",  // Debian, Ubuntu, Gentoo, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  // Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // CentOS, RHEL 7 and later
    "/etc/ssl/ca-bundle.pem",  // openSUSE
    "/var/lib/ca-certificates/ca-bundle.pem",  // SUSE
    "/etc/pki/tls/cacert.pem",  // OpenELEC
    "/etc/ssl/cert.pem",  // Alpine, FreeBSD's habit
  ]

  /// The same as files named by hash (`openssl rehash`).
  package static let systemDirectories = ["/etc/ssl/certs", "/etc/pki/tls/certs"]

  private struct Stamp: Equatable {
    let path: String
    let inode: UInt
    let size: Int
    let modified: Int

    init?(_ path: String) {
      var status = stat()
      guard stat(path, &status) == 0 else { return nil }
      self.path = path
      inode = UInt(status.st_ino)
      size = Int(status.st_size)
      modified = status.st_mtim.tv_sec
    }
  }

  private static let system = Mutex<(stamp: Stamp, store: TrustStore)?>(nil)

  /// Reads what `trust` names. The system's is kept until its file changes: it takes some
  /// milliseconds to read.
  package static func open(_ trust: Trust) throws(FileTrouble) -> TrustStore {
    switch trust {
    case .system: try openSystem()
    case .file(let path): try read(path)
    case .pem(let text): try make(text)
    }
  }

  /// SSL_CERT_FILE and SSL_CERT_DIR replace what the system has, as everywhere.
  private static func openSystem() throws(FileTrouble) -> TrustStore {
    let named = variable("SSL_CERT_FILE")
    let directories = variable("SSL_CERT_DIR")
    if let directories, named == nil {
      return try make(directories: directories.split(separator: ":").map(String.init))
    }
    if let path = named ?? systemFiles.first(where: { access($0, R_OK) == 0 }) {
      let stamp = Stamp(path)
      if let stamp, let kept = system.withLock({ $0?.stamp == stamp ? $0?.store : nil }) {
        return kept
      }
      let store: TrustStore
      do throws(FileTrouble) {
        store = try read(path, isSystem: true)
      } catch {
        throw FileTrouble(
          "of trusted certificate authorities, \"\(path)\", \(error.what)",
          hint: named == nil
            ? "install the package ca-certificates anew"
            : "set SSL_CERT_FILE to a file of certificates in PEM")
      }
      if let directories {
        for path in directories.split(separator: ":") {
          _ = X509_STORE_load_path(store.store, String(path))
        }
        ERR_clear_error()
      }
      if let stamp { system.withLock { $0 = (stamp, store) } }
      return store
    }
    let present = systemDirectories.filter { access($0, R_OK) == 0 }
    if present.isEmpty {
      throw FileTrouble(
        "of trusted certificate authorities was not found on this system",
        hint: "install the package ca-certificates, or name one in SSL_CERT_FILE")
    }
    return try make(directories: present)
  }

  private static func variable(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }

  private static func make(directories: [String]) throws(FileTrouble) -> TrustStore {
    let store = try makeEmpty()
    for path in directories { _ = X509_STORE_load_path(store, path) }
    ERR_clear_error()
    return TrustStore(store: store, count: nil)
  }

  private static func read(_ path: String, isSystem: Bool = false) throws(FileTrouble)
    -> TrustStore
  {
    try make(try NamedFile.read(path, limit: limit), isSystem: isSystem)
  }

  /// - Parameter isSystem: one unreadable certificate among many is no reason to trust nobody.
  private static func make(_ text: [UInt8], isSystem: Bool = false) throws(FileTrouble)
    -> TrustStore
  {
    let store = try makeEmpty()
    var unreadable: Int32 = 0
    let added = text.withUnsafeBufferPointer {
      ctls_trust_pem(store, $0.baseAddress, $0.count, &unreadable)
    }
    let result = TrustStore(store: store, count: Int(added))
    if added == 0 && unreadable == 0 {
      throw FileTrouble(
        "holds no certificate", hint: "name a PEM file, with -----BEGIN CERTIFICATE----- in it")
    }
    if unreadable > 0 && (added == 0 || !isSystem) {
      throw FileTrouble(
        "holds a certificate that cannot be read", hint: "export it anew, in PEM")
    }
    return result
  }

  private static func makeEmpty() throws(FileTrouble) -> OpaquePointer {
    guard let store = X509_STORE_new() else {
      throw FileTrouble("was not read: there is no memory", hint: "free some memory")
    }
    return store
  }
}
