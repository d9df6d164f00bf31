// SPDX-License-Identifier: Apache-2.0
import CTLS

/// Where requests to an origin go, and how they are secured. Connections of different endpoints are
/// never mixed.
package struct OriginEndpoint: Hashable, Sendable {
  package let host: String
  package let port: UInt16
  /// Nil in the clear.
  package let security: OriginSecurity?

  package init(host: String, port: UInt16, security: OriginSecurity? = nil) {
    self.host = host
    self.port = port
    self.security = security
  }

  package var target: OriginTarget { OriginTarget(host: host, port: port) }
}

/// What the TLS settings of a distribution's origins name, read.
package struct OriginTLSFiles: Equatable, Sendable {
  /// By path.
  package var files: [String: [UInt8]] = [:]
  /// Nil where no origin needs it.
  package var system: TrustStore?

  package init() {}

  package static func == (a: OriginTLSFiles, b: OriginTLSFiles) -> Bool {
    a.system === b.system && a.files == b.files
  }

  /// Reads what one origin names, besides what others have named.
  /// - Parameter system: whether the system's authorities are read where they are wanted.
  package mutating func add(_ tls: OriginTLS, system wantsSystem: Bool = true)
    throws(OriginTLSTrouble)
  {
    for (key, path) in [("ca", tls.ca), ("certificate", tls.certificate), ("key", tls.key)] {
      guard let path, files[path] == nil else { continue }
      do throws(FileTrouble) {
        files[path] = try NamedFile.read(path, limit: Limits.originTLSFile)
      } catch {
        throw OriginTLSTrouble(key: key, path: path, trouble: error)
      }
    }
    if tls.verify {
      do throws(FileTrouble) {
        if let path = tls.ca {
          _ = try TrustStore.open(.pem(files[path] ?? []))
        } else if wantsSystem && system == nil {
          system = try TrustStore.open(.system)
        }
      } catch {
        throw OriginTLSTrouble(key: "ca", path: tls.ca, trouble: error)
      }
    }
    if let certificate = tls.certificate, let key = tls.key {
      let context = TLSClientContext(trust: nil)
      do throws(ClientCertificateError) {
        try context.use(chain: files[certificate] ?? [], key: files[key] ?? [])
      } catch {
        let isKey = error != .noCertificate
        throw OriginTLSTrouble(
          key: isKey ? "key" : "certificate", path: isKey ? key : certificate,
          trouble: error.trouble)
      }
    }
  }
}

/// What is wrong with a file of an origin's TLS settings.
package struct OriginTLSTrouble: Error {
  /// Of the settings: "ca".
  package let key: String
  /// Nil: the system's.
  package let path: String?
  package let trouble: FileTrouble

  /// `the file "/etc/ca.pem" does not exist`
  package var what: String {
    "the file \(path.map { "\(quoted($0)) " } ?? "")\(trouble.what)"
  }
}

extension ClientCertificateError {
  var trouble: FileTrouble {
    switch self {
    case .noCertificate:
      FileTrouble(
        "holds no certificate", hint: "name a PEM file, with -----BEGIN CERTIFICATE----- in it")
    case .noKey:
      FileTrouble("holds no key", hint: "name a PEM file, with -----BEGIN PRIVATE KEY----- in it")
    case .encryptedKey:
      FileTrouble(
        "holds an encrypted key, which no edge can ask a passphrase for",
        hint: "decrypt it with openssl pkey, and let nobody else read the file")
    case .mismatch:
      FileTrouble(
        "holds another certificate's key", hint: "name the key that the certificate was made for")
    }
  }
}

/// How the connections of one origin are secured. Two are equal when their connections are
/// interchangeable, so that a configuration that changes something else leaves them open.
package final class OriginSecurity: Hashable, Sendable {
  package let context: TLSClientContext
  private let settings: OriginTLS
  /// The name that Host is set to; an address is none.
  private let hostName: String?
  /// Of the contents of the files.
  private let fingerprint: UInt64
  private let system: ObjectIdentifier?

  init(_ origin: Origin, files: OriginTLSFiles) {
    let tls = origin.tls
    settings = tls
    if case .name(let authority) = origin.hostHeader,
      let (name, _) = HostPort.split(authority[...]),
      !isIPv4(name), !isIPv6(name)
    {
      hostName = name.lowercased()
    } else {
      hostName = nil
    }
    var hash = Fingerprint()
    for path in [tls.ca, tls.certificate, tls.key] {
      hash.add(path.flatMap { files.files[$0] } ?? [])
    }
    fingerprint = hash.value
    var trust: TrustStore?
    if let path = tls.ca, let text = files.files[path] {
      // It was read and found good.
      trust = try? TrustStore.open(.pem(text))
    } else {
      trust = files.system
    }
    system = tls.ca == nil ? files.system.map { ObjectIdentifier($0) } : nil
    context = TLSClientContext(
      trust: trust, verifies: tls.verify, minimumVersion: tls.minimumVersion)
    if let certificate = tls.certificate, let key = tls.key,
      let chain = files.files[certificate], let secret = files.files[key]
    {
      try? context.use(chain: chain, key: secret)
    }
  }

  package static func == (a: OriginSecurity, b: OriginSecurity) -> Bool {
    a === b
      || a.settings == b.settings && a.hostName == b.hostName && a.fingerprint == b.fingerprint
        && a.system == b.system
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(settings)
    hasher.combine(hostName)
    hasher.combine(fingerprint)
  }

  /// The name that a target is asked for and whose certificate it has to show.
  package func serverName(of host: String) -> String { settings.serverName ?? hostName ?? host }

  /// Has a connection to a target ask for its name and accept no certificate for another. Where
  /// Host is set to a name, that or the target's own will do (CloudFront §15).
  package func prepare(_ ssl: OpaquePointer, for host: String) {
    let name = serverName(of: host)
    let isOther = settings.serverName == nil && name != host
    TLSClientContext.expect(name, orElse: isOther ? host : nil, on: ssl)
  }
}

extension Distribution {
  /// What is served, and should not be as it is: one line each, for the edge's log and `show`.
  package var warnings: [String] {
    var warnings: [String] = []
    var origins = [("its origin", origin)]
    for named in self.origins { origins.append(("its origin \"\(named.name)\"", named.origin)) }
    for (what, origin) in origins where origin.usesTLS && !origin.tls.verify {
      warnings.append(
        "distribution \"\(name)\": the certificate of \(what), \(origin.url), is not "
          + "verified: whoever stands between can read and change what passes")
    }
    return warnings
  }
}
