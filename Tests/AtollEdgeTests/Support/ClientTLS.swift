// SPDX-License-Identifier: Apache-2.0
import CTLS

/// What a test's viewer asks for in its handshake.
struct ClientTLS: Sendable {
  var name: String? = "test.example"
  var protocols = ["http/1.1"]
  /// TLS1_2_VERSION or TLS1_3_VERSION; nil: whatever the edge likes best.
  var version: Int32?
  /// Of TLS 1.2.
  var ciphers: String?
  /// Of TLS 1.3.
  var suites: String?
  var groups: String?
  /// `ECDSA+SHA256`: which keys it can verify.
  var signatures: String?
  var asksStatus = false
  /// Of an earlier connection, to be resumed.
  var session: ClientSession?
}

/// A session that a client may resume.
final class ClientSession: @unchecked Sendable {
  let session: OpaquePointer

  init(_ session: OpaquePointer) { self.session = session }
  deinit { SSL_SESSION_free(session) }
}

enum ClientTLSError: Error, Equatable {
  /// The edge's alert, by OpenSSL's name: `tlsv1 unrecognized name`.
  case alert(String)
  case failed(String)
}

/// The client's side of TLS over a wire's descriptor. Used by one thread at a time.
final class ClientTLSSession: @unchecked Sendable {
  let ssl: OpaquePointer
  private let context: OpaquePointer
  /// The last one that came.
  fileprivate(set) var session: ClientSession?
  fileprivate(set) var sessionCount = 0

  init(_ settings: ClientTLS, descriptor: Int32) {
    context = SSL_CTX_new(TLS_client_method())!
    // Sessions that OpenSSL keeps itself end with their context.
    _ = ctls_set_session_cache_mode(
      context, Int(SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL))
    if let version = settings.version {
      _ = ctls_set_minimum_version(context, version)
      _ = ctls_set_maximum_version(context, version)
    }
    if let ciphers = settings.ciphers { SSL_CTX_set_cipher_list(context, ciphers) }
    if let suites = settings.suites { SSL_CTX_set_ciphersuites(context, suites) }
    if let groups = settings.groups { _ = ctls_set_groups(context, groups) }
    if let signatures = settings.signatures { _ = ctls_set_signatures(context, signatures) }
    if !settings.protocols.isEmpty {
      let list = settings.protocols.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
      SSL_CTX_set_alpn_protos(context, list, UInt32(list.count))
    }
    ssl = SSL_new(context)!
    SSL_set_fd(ssl, descriptor)
    if let name = settings.name { _ = ctls_set_server_name(ssl, name) }
    if settings.asksStatus { _ = ctls_ask_status(ssl) }
    if let session = settings.session { SSL_set_session(ssl, session.session) }
    SSL_set_ex_data(ssl, 0, Unmanaged.passUnretained(self).toOpaque())
    SSL_CTX_sess_set_new_cb(context) { ssl, session in
      let owner = Unmanaged<ClientTLSSession>.fromOpaque(SSL_get_ex_data(ssl, 0)!)
        .takeUnretainedValue()
      owner.session = ClientSession(session!)
      owner.sessionCount += 1
      return 1
    }
    SSL_set_connect_state(ssl)
  }

  deinit {
    // Else OpenSSL takes the session for a broken one, which is not to be resumed.
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
    SSL_free(ssl)
    SSL_CTX_free(context)
  }

  var isResumed: Bool { SSL_session_reused(ssl) == 1 }
  var version: Int32 { SSL_version(ssl) }
  var cipher: String { String(cString: SSL_CIPHER_get_name(SSL_get_current_cipher(ssl))) }

  var applicationProtocol: String {
    var name: UnsafePointer<UInt8>?
    var count: UInt32 = 0
    SSL_get0_alpn_selected(ssl, &name, &count)
    return String(
      decoding: UnsafeBufferPointer(start: name, count: Int(count)), as: UTF8.self)
  }

  /// The edge's certificate, as PEM.
  var peerCertificate: String? {
    guard let certificate = SSL_get1_peer_certificate(ssl) else { return nil }
    defer { X509_free(certificate) }
    let bio = BIO_new(BIO_s_mem())!
    defer { BIO_free(bio) }
    PEM_write_bio_X509(bio, certificate)
    var bytes = [UInt8](repeating: 0, count: 16_384)
    let count = BIO_read(bio, &bytes, Int32(bytes.count))
    return String(decoding: bytes[..<Int(count)], as: UTF8.self)
  }

  /// The OCSP response that came with the certificate.
  var status: [UInt8]? {
    var bytes: UnsafePointer<UInt8>?
    let count = ctls_status_response(ssl, &bytes)
    return count > 0 ? Array(UnsafeBufferPointer(start: bytes, count: count)) : nil
  }

  /// The group of the key exchange, by OpenSSL's number.
  var group: Int { ctls_negotiated_group(ssl) }

  func error() -> ClientTLSError {
    let error = ERR_peek_error()
    ERR_clear_error()
    let text = ERR_reason_error_string(error).map { String(cString: $0) } ?? "closed"
    return ctls_error_reason(error) >= SSL_AD_REASON_OFFSET ? .alert(text) : .failed(text)
  }
}
