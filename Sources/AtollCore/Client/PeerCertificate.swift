// SPDX-License-Identifier: Apache-2.0
import CTLS

/// What a server's certificate says, as far as people have to know it.
package struct PeerCertificate: Equatable, Sendable {
  /// Common name or organization; empty when it has neither.
  package var subject: String
  /// Names and addresses that it is for (subjectAltName).
  package var names: [String]
  package var issuer: String
  /// Seconds since 1970.
  package var notBefore: Int64
  package var notAfter: Int64

  package init(
    subject: String, names: [String], issuer: String, notBefore: Int64, notAfter: Int64
  ) {
    self.subject = subject
    self.names = names
    self.issuer = issuer
    self.notBefore = notBefore
    self.notAfter = notAfter
  }

  package init(_ certificate: OpaquePointer) {
    subject = Self.text(256) { ctls_certificate_subject(certificate, $0, $1) }
    issuer = Self.text(256) { ctls_certificate_issuer(certificate, $0, $1) }
    names = Self.text(8_192) { ctls_certificate_names(certificate, $0, $1) }
      .split(separator: "\n").map(String.init)
    notBefore = ctls_certificate_not_before(certificate)
    notAfter = ctls_certificate_not_after(certificate)
  }

  private static func text(
    _ size: Int, _ fill: (UnsafeMutablePointer<CChar>, Int32) -> Int32
  ) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: size) { buffer in
      let count = Int(fill(buffer.baseAddress!, Int32(size)))
      let text = UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: buffer[..<count]))
      return String(decoding: text, as: UTF8.self)
    }
  }
}

/// Why a server's certificate is not believed.
package enum CertificateFault: Error, Equatable, Sendable {
  /// `issuer` names the certificate of the chain that it is about; nil: the server's own.
  case expired(at: Int64, issuer: String?)
  case notYetValid(from: Int64, issuer: String?)
  case wrongName([String])
  case selfSigned
  /// Signed by a root that came with it and that nobody knows.
  case unknownRoot(String)
  case unknownIssuer(String)
  case revoked
  case weak
  case wrongPurpose
  /// In OpenSSL's words.
  case other(String)

  /// - Parameter peer: what the handshake has left.
  package init?(_ peer: ctls_peer) {
    let leaf = peer.leaf.map { PeerCertificate($0) }
    let fault = peer.fault.map { PeerCertificate($0) }
    let isLeaf = peer.fault == nil || peer.fault == peer.leaf
    let about = isLeaf ? nil : fault.map { $0.subject }
    switch peer.error {
    case X509_V_OK: return nil
    case X509_V_ERR_CERT_HAS_EXPIRED:
      self = .expired(at: (fault ?? leaf)?.notAfter ?? 0, issuer: about)
    case X509_V_ERR_CERT_NOT_YET_VALID:
      self = .notYetValid(from: (fault ?? leaf)?.notBefore ?? 0, issuer: about)
    case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
      self = .wrongName(leaf?.names ?? [])
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: self = .selfSigned
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: self = .unknownRoot(fault?.subject ?? "")
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
      X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_CERT_UNTRUSTED:
      self = .unknownIssuer((fault ?? leaf)?.issuer ?? "")
    case X509_V_ERR_CERT_REVOKED: self = .revoked
    case X509_V_ERR_EE_KEY_TOO_SMALL, X509_V_ERR_CA_KEY_TOO_SMALL, X509_V_ERR_CA_MD_TOO_WEAK:
      self = .weak
    case X509_V_ERR_INVALID_PURPOSE, X509_V_ERR_INVALID_CA: self = .wrongPurpose
    default:
      self = .other(String(cString: X509_verify_cert_error_string(Int(peer.error))))
    }
  }

  /// The end of a sentence that begins with "the certificate".
  /// - Parameter host: what the server was asked as.
  package func text(host: String) -> String {
    switch self {
    case .expired(let date, nil): "has expired on \(RFC3339.format(seconds: date))"
    case .expired(let date, let issuer?):
      "has an issuer, \(quoted(issuer)), whose own has expired on \(RFC3339.format(seconds: date))"
    case .notYetValid(let date, nil): "is not valid before \(RFC3339.format(seconds: date))"
    case .notYetValid(let date, let issuer?):
      "has an issuer, \(quoted(issuer)), whose own is not valid before "
        + RFC3339.format(seconds: date)
    case .wrongName(let names):
      names.isEmpty
        ? "names no host (subjectAltName), so it is not for \(host)"
        : "is for \(Self.list(names)), not for \(host)"
    case .selfSigned: "is self-signed"
    case .unknownRoot(let name): "comes from an unknown root, \(quoted(name))"
    case .unknownIssuer(let name):
      "has an unknown issuer, \(quoted(name)), or its chain is incomplete"
    case .revoked: "was revoked"
    case .weak: "has a key or signature that is too weak"
    case .wrongPurpose: "is not one for servers, or its issuer is no authority"
    case .other(let text): "does not verify: \(text)"
    }
  }

  /// What whoever runs the server can do about it.
  package var remedy: String {
    switch self {
    case .expired, .notYetValid: "renew it, or check the clock of this machine"
    case .wrongName: "ask by a name that it is for, or get one for this name"
    case .selfSigned, .unknownRoot:
      "trust it by a file of its authority, or get one that is trusted"
    case .unknownIssuer:
      "have the server send its whole chain, or trust its authority by a file"
    case .revoked, .weak, .wrongPurpose, .other: "get another certificate for the server"
    }
  }

  private static func list(_ names: [String]) -> String {
    names.count <= 4
      ? names.joined(separator: ", ")
      : names[..<3].joined(separator: ", ") + " and \(names.count - 3) more"
  }
}
