// SPDX-License-Identifier: Apache-2.0
import CTLS
import Glibc

/// The oldest version of TLS that a connection may have.
package enum TLSVersion: String, CaseIterable, Sendable {
  case tls12 = "TLSv1.2"
  case tls13 = "TLSv1.3"

  package var number: Int32 { self == .tls12 ? TLS1_2_VERSION : TLS1_3_VERSION }
}

/// How connections to servers are secured: one SSL_CTX, shared by all of them.
package final class TLSClientContext: @unchecked Sendable {
  // OpenSSL locks it by itself, and nothing changes it after `init`.
  package let context: OpaquePointer
  package let verifies: Bool
  /// It outlives the context, which refers to what is in it.
  private let trust: TrustStore?

  /// - Parameter verifies: false: a certificate is looked at, and taken whatever it is.
  package init(
    trust: TrustStore?, verifies: Bool = true, minimumVersion: TLSVersion = .tls12
  ) {
    let context = SSL_CTX_new(TLS_client_method())
    precondition(context != nil, "no memory for a TLS context")
    self.context = context!
    self.verifies = verifies
    self.trust = trust
    if let trust { SSL_CTX_set1_cert_store(self.context, trust.store) }
    ctls_set_minimum_version(self.context, minimumVersion.number)
    ctls_set_verifies(self.context, verifies)
    ctls_watch_peers(self.context)
    // A server that renegotiates could make its clients work for nothing.
    ctls_set_plain_options(self.context)
    ctls_set_mode(
      self.context,
      Int(SSL_MODE_ENABLE_PARTIAL_WRITE) | Int(SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER)
        | Int(SSL_MODE_RELEASE_BUFFERS))
    ctls_set_read_ahead(self.context, 1)
    let parameters = SSL_CTX_get0_param(self.context)
    // An authority below the root, or the server's own certificate, may be what is trusted.
    X509_VERIFY_PARAM_set_flags(parameters, UInt(X509_V_FLAG_PARTIAL_CHAIN))
    // Common names are for people (RFC 9525 §2): only subjectAltName names hosts.
    X509_VERIFY_PARAM_set_hostflags(
      parameters,
      UInt32(X509_CHECK_FLAG_NEVER_CHECK_SUBJECT) | UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
    let protocols = Array("\u{8}http/1.1".utf8)
    SSL_CTX_set_alpn_protos(self.context, protocols, UInt32(protocols.count))
  }

  deinit { SSL_CTX_free(context) }

  /// Proves to servers that ask who this is.
  /// - Parameters: PEM; the chain begins with the leaf.
  package func use(chain: [UInt8], key: [UInt8]) throws(ClientCertificateError) {
    switch Int(ctls_use_certificate(context, chain, chain.count, key, key.count)) {
    case Int(CTLS_USE_OK.rawValue): return
    case Int(CTLS_USE_NO_CERTIFICATE.rawValue): throw .noCertificate
    case Int(CTLS_USE_NO_KEY.rawValue): throw .noKey
    case Int(CTLS_USE_ENCRYPTED_KEY.rawValue): throw .encryptedKey
    default: throw .mismatch
    }
  }

  /// Has a connection ask for `host` (SNI, RFC 6066 §3) and accept no certificate for another; an
  /// address is checked, but not asked for.
  /// - Parameter other: a name whose certificate will do as well.
  package static func expect(
    _ host: String, orElse other: String? = nil, on ssl: OpaquePointer
  ) {
    // A final dot means the root of the DNS; certificates have none.
    let name = host.last == "." ? String(host.dropLast()) : host
    let parameters = SSL_get0_param(ssl)
    if isIPv4(name) || isIPv6(name) {
      // Checked against the text, nothing fits: never against nothing at all.
      if X509_VERIFY_PARAM_set1_ip_asc(parameters, name) != 1 {
        X509_VERIFY_PARAM_set1_host(parameters, name, 0)
      }
    } else {
      X509_VERIFY_PARAM_set1_host(parameters, name, 0)
      if let other, !isIPv4(other), !isIPv6(other) {
        X509_VERIFY_PARAM_add1_host(parameters, other, 0)
      }
      ctls_set_server_name(ssl, name)
    }
  }

  /// What the oldest error in OpenSSL's queue says of a handshake or a connection that failed, and
  /// empties the queue: the end of a sentence that begins with the server.
  package static func takeError() -> String {
    let code = ERR_get_error()
    ERR_clear_error()
    return text(ofError: code)
  }

  /// The same of an error that was taken from the queue before.
  package static func text(ofError code: UInt) -> String {
    if code == 0 { return "closed the connection during the TLS handshake" }
    // ERR_GET_REASON: a reason's number lies in the lower 23 bits.
    switch Int32(truncatingIfNeeded: code & 0x7f_ffff) {
    case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_PACKET_LENGTH_TOO_LONG:
      return "does not speak TLS on this port"
    case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION,
      SSL_R_VERSION_TOO_LOW:
      return "speaks no version of TLS that is accepted here"
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return "asks for a client certificate"
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return "closed the connection during the TLS handshake"
    case SSL_R_TLSV1_UNRECOGNIZED_NAME: return "has no certificate for this name"
    default:
      let text = ERR_reason_error_string(code).map { String(cString: $0) } ?? "an unknown error"
      return "failed the TLS handshake: \(text)"
    }
  }
}

/// Why a client certificate cannot be used.
package enum ClientCertificateError: Error, Equatable {
  case noCertificate, noKey, encryptedKey, mismatch
}
