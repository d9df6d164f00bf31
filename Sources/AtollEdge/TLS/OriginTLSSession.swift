// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CTLS

/// The TLS of one connection to an origin: verified against what the origin's settings trust, and
/// resumed where the endpoint has given a session before.
final class OriginTLSSession {
  let tls: TLSSession
  private let peer: UnsafeMutablePointer<ctls_peer>
  private let security: OriginSecurity
  private let host: String

  /// Nil without memory.
  init?(
    _ endpoint: OriginEndpoint, security: OriginSecurity, descriptor: Int32, budget: MemoryBudget,
    resuming session: OpaquePointer? = nil
  ) {
    guard
      let tls = TLSSession(
        context: security.context.context, descriptor: descriptor, budget: budget)
    else { return nil }
    self.tls = tls
    self.security = security
    host = endpoint.host
    peer = .allocate(capacity: 1)
    peer.initialize(to: ctls_peer())
    ctls_attach_peer(tls.ssl, peer)
    security.prepare(tls.ssl, for: endpoint.host)
    if let session { SSL_set_session(tls.ssl, session) }
    SSL_set_connect_state(tls.ssl)
  }

  deinit {
    ctls_attach_peer(tls.ssl, nil)
    ctls_clear_peer(peer)
    peer.deallocate()
  }

  var isResumed: Bool { SSL_session_reused(tls.ssl) == 1 }

  /// A session that the server has given since the last call: a reference, for the caller.
  func takeSession() -> OpaquePointer? {
    let session = peer.pointee.session
    peer.pointee.session = nil
    return session
  }

  /// Why the handshake failed: the reason for viewers, and the whole for the edge's log.
  func failure() -> (reason: Reason, detail: String) {
    if security.context.verifies, let fault = CertificateFault(peer.pointee) {
      ERR_clear_error()
      let name = security.serverName(of: host)
      return (fault.reason, "its certificate \(fault.text(host: name))")
    }
    return (.originTls, "it \(TLSClientContext.takeError())")
  }
}
