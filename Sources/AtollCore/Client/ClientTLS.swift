// SPDX-License-Identifier: Apache-2.0
import CTLS

/// What TLS has come to on one connection.
package struct ClientTLSFacts: Equatable, Sendable {
  /// Such as `TLSv1.3`.
  package var version: String
  package var cipher: String
  /// Nil when the server has shown none.
  package var certificate: PeerCertificate?
  /// Why the certificate would not be believed, when nobody insisted; nil when it is.
  package var fault: CertificateFault?

  package init(
    version: String, cipher: String, certificate: PeerCertificate?, fault: CertificateFault?
  ) {
    self.version = version
    self.cipher = cipher
    self.certificate = certificate
    self.fault = fault
  }
}

/// Whether what begins with this byte may be a record of TLS (RFC 8446 §5.1): no text does.
func isTLSRecord(_ firstByte: UInt8) -> Bool { (20...24).contains(firstByte) }

/// One blocking connection's TLS: OpenSSL's state and what it refers to.
final class ClientTLS {
  let ssl: OpaquePointer
  let wire: UnsafeMutablePointer<ctls_wire>
  private let peer: UnsafeMutablePointer<ctls_peer>
  private let context: TLSClientContext
  private let host: String

  init(_ context: TLSClientContext, host: String, descriptor: Int32) {
    let ssl = SSL_new(context.context)
    precondition(ssl != nil, "no memory for a TLS connection")
    self.ssl = ssl!
    self.context = context
    self.host = host
    wire = .allocate(capacity: 1)
    wire.initialize(to: ctls_wire())
    wire.pointee.descriptor = descriptor
    peer = .allocate(capacity: 1)
    peer.initialize(to: ctls_peer())
    ctls_attach_peer(self.ssl, peer)
    precondition(ctls_attach(self.ssl, wire) == 1, "no memory for a TLS connection")
    TLSClientContext.expect(host, on: self.ssl)
    SSL_set_connect_state(self.ssl)
  }

  deinit {
    SSL_free(ssl)
    ctls_clear_peer(peer)
    peer.deallocate()
    wire.deallocate()
  }

  enum Step {
    case moved(Int)
    case wantsInput
    case wantsOutput
    /// With or without the peer saying so; `wasCutOff` tells.
    case ended
    case failed
  }

  /// - Parameter result: of the call that has just returned.
  func step(_ result: Int32, moved: Int) -> Step {
    if result == 1 { return .moved(moved) }
    switch SSL_get_error(ssl, result) {
    case SSL_ERROR_WANT_READ: return .wantsInput
    case SSL_ERROR_WANT_WRITE: return .wantsOutput
    case SSL_ERROR_ZERO_RETURN: return .ended
    default: return wire.pointee.ended ? .ended : .failed
    }
  }

  /// The connection ended without a close_notify: anyone may have cut it.
  var wasCutOff: Bool { SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN == 0 }

  /// Why the handshake failed.
  func failure(peer name: String) -> ClientError {
    if context.verifies, let fault = CertificateFault(peer.pointee) {
      ERR_clear_error()
      return ClientError(
        .certificate(fault), "the certificate of \(name) \(fault.text(host: host))",
        hint: fault.remedy)
    }
    let hint = wire.pointee.error != 0 ? errorText(wire.pointee.error) : nil
    let text = TLSClientContext.takeError()
    let first = wire.pointee.first
    if isTLSRecord(first) { return ClientError(.tls, "\(name) \(text)", hint: hint) }
    return ClientError(
      .noTLS, first == 0 ? "\(name) \(text)" : "\(name) does not speak TLS on this port",
      hint: hint ?? "does it speak HTTP in the clear there?")
  }

  var facts: ClientTLSFacts {
    ClientTLSFacts(
      version: String(cString: SSL_get_version(ssl)),
      cipher: SSL_get_current_cipher(ssl).flatMap { SSL_CIPHER_get_name($0) }
        .map { String(cString: $0) } ?? "",
      certificate: peer.pointee.leaf.map { PeerCertificate($0) },
      fault: CertificateFault(peer.pointee))
  }
}
