// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import CTLS
import Glibc

/// A viewer's connection until both sides have agreed on TLS; then its place is taken by that of the
/// protocol which ALPN (RFC 7301) chose.
///
/// ```
/// negotiating ──────▶ HTTP, in another channel
///      │ refused, or a request in the clear
///      └───▶ lingering ───▶ closed   reads on, so that no reset overtakes the alert
/// ```
final class TLSHandshake: Channel {
  private enum Phase { case negotiating, lingering, closed }
  private enum ApplicationProtocol { case http1, http2, challenge }

  /// By ALPN's names; the first one is preferred.
  private static let protocols: [(StaticString, ApplicationProtocol)] = [
    ("h2", .http2), ("http/1.1", .http1), ("http/1.0", .http1),
  ]
  private static let challengeProtocols: [(StaticString, ApplicationProtocol)] = [
    ("acme-tls/1", .challenge)
  ]

  private let services: LoopServices
  private let address: SocketAddress
  private let certificates: TLSCertificates
  /// From the first bytes on: who connects and says nothing costs next to nothing.
  private var tls: TLSSession?
  private var phase = Phase.negotiating
  private var peerEnded = false
  private var applicationProtocol = ApplicationProtocol.http1
  /// The name that the viewer asked for, as `serverName` writes it; nil when it named none.
  private var name: String?
  private var failure: HandshakeEnd?
  /// Its turn comes with others'.
  var isQueued = false
  private var lingered = 0

  init(services: LoopServices, descriptor: Int32, address: SocketAddress) {
    self.services = services
    self.address = address
    certificates = services.certificates
    super.init(loop: services.loop, descriptor: descriptor)
    register()
    setDeadline(after: services.handshakeTimeout)
  }

  /// Nil without memory.
  private func begin() -> TLSSession? {
    guard
      let tls = TLSSession(
        context: certificates.front.context, descriptor: descriptor, budget: services.budget)
    else { return nil }
    SSL_set_accept_state(tls.ssl)
    SSL_set_ex_data(tls.ssl, 0, Unmanaged.passUnretained(self).toOpaque())
    tls.counters = services.handshakeCounters
    self.tls = tls
    return tls
  }

  // MARK: Events

  override func ready(_ events: UInt32) {
    if events & (Events.peerEnded | Events.hungUp | Events.failed) != 0 { peerEnded = true }
    switch phase {
    case .negotiating:
      // That a new socket takes bytes is no news.
      if events & ~Events.output != 0 || tls?.hasUnsent ?? false {
        services.handshakes.admit(self)
      }
    case .lingering: linger()
    case .closed: break
    }
  }

  /// One step: as far as what has come goes. The costly part of a connection.
  func proceed() {
    guard phase == .negotiating else { return }
    if tls == nil && peerEnded && hasSaidNothing {
      services.handshakeCounters.count(.viewerLeft)
      return close()
    }
    guard let tls = tls ?? begin() else { return close() }
    var progress = tls.handshake(scratch: services.recordBuffer)
    // No event will tell of the end again that came with the last bytes.
    if progress == .waiting && peerEnded {
      progress = tls.handshake(scratch: services.recordBuffer)
    }
    switch progress {
    case .waiting: break
    case .done: finish(tls)
    case .failed: fail(tls)
    }
  }

  /// Only looks whether the viewer can be reached, as monitors do.
  private var hasSaidNothing: Bool {
    var byte: UInt8 = 0
    return recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) <= 0
  }

  override func deadlineReached() {
    if phase == .negotiating { services.handshakeCounters.count(.timeout) }
    close()
  }

  private func finish(_ tls: TLSSession) {
    SSL_set_ex_data(tls.ssl, 0, nil)
    let isResumed = SSL_session_reused(tls.ssl) == 1
    if applicationProtocol == .challenge {
      // The certificate was all that the CA came for (RFC 8737 §3).
      services.handshakeCounters.count(.challenge)
      return end(tls)
    }
    services.handshakeCounters.count(isResumed ? .resumed : .full)
    phase = .closed
    let connection: Channel =
      applicationProtocol == .http2
      ? HTTP2Connection(taking: self, services: services, address: address, tls: tls)
      : ViewerConnection(taking: self, services: services, address: address, tls: tls)
    // Most viewers have sent their request with the end of the handshake.
    tls.receivesAtOnce()
    connection.ready(Events.input | (peerEnded ? Events.peerEnded : 0))
    // The ticket leaves with the response, or by itself.
    if !connection.isClosed { tls.flush() }
  }

  // MARK: Failures

  private func fail(_ tls: TLSSession) {
    let end = failure ?? reason(tls)
    ERR_clear_error()
    services.handshakeCounters.count(end)
    if end == .plainHTTP { explain() }
    if end == .viewerLeft { return close() }
    self.end(tls)
  }

  private func reason(_ tls: TLSSession) -> HandshakeEnd {
    // No TLS record begins with a letter, every method does.
    let first = tls.firstByte
    if first >= UInt8(ascii: "A"), first <= UInt8(ascii: "Z") { return .plainHTTP }
    let error = ERR_peek_error()
    if error == 0 { return .viewerLeft }
    let reason = ctls_error_reason(error)
    if reason >= SSL_AD_REASON_OFFSET { return .viewerRefused }
    switch reason {
    case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_NO_PROTOCOLS_AVAILABLE,
      SSL_R_NO_SHARED_CIPHER, SSL_R_NO_SUITABLE_KEY_SHARE, SSL_R_NO_SHARED_GROUPS,
      SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM,
      SSL_R_NO_APPLICATION_PROTOCOL, SSL_R_INAPPROPRIATE_FALLBACK:
      return .noAgreement
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return .viewerLeft
    default:
      return tls.peerHasEnded ? .viewerLeft : .malformed
    }
  }

  /// To whom speaks HTTP in the clear here.
  private func explain() {
    let text: StaticString =
      "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 69\r\nConnection: close\r\nCache-Status: atoll; detail=plain-http\r\n\r\nThis port speaks HTTPS: ask again with https:// in place of http://.\n"
    _ = SystemCall.send(descriptor, text.utf8Start, text.utf8CodeUnitCount)
  }

  /// What has been said is said to the end.
  private func end(_ tls: TLSSession) {
    phase = .lingering
    tls.endOutput()
    shutdown(descriptor, Int32(SHUT_WR))
    setDeadline(after: 2000)
    linger()
  }

  private func linger() {
    while true {
      switch SystemCall.receive(descriptor, services.scratch, services.scratchSize) {
      case .moved(let count) where count > 0:
        lingered += count
        if lingered > Limits.lingering { return close() }
      case .wouldBlock:
        return
      case .moved, .failed:
        return close()
      }
    }
  }

  func close() {
    guard !isClosed else { return }
    phase = .closed
    if let tls { SSL_set_ex_data(tls.ssl, 0, nil) }
    closeChannel()
    services.viewerClosed()
  }

  // MARK: What OpenSSL asks

  /// Sets the context up that every connection begins with. Tickets are this one's matter, whatever
  /// certificate is chosen later.
  static func prepare(_ front: TLSContext) {
    SSL_CTX_set_client_hello_cb(
      front.context,
      { ssl, alert, _ in TLSHandshake.of(ssl)?.chooseCertificate(ssl!, alert!) ?? 0 }, nil)
    SSL_CTX_set_tlsext_ticket_key_evp_cb(front.context) { ssl, name, iv, cipher, mac, seals in
      TLSHandshake.of(ssl)?.useTicketKey(ssl!, name!, iv!, cipher!, mac!, seals: seals == 1) ?? -1
    }
    SSL_CTX_set_session_ticket_cb(
      front.context, nil,
      { ssl, session, _, _, status, _ in
        TLSHandshake.of(ssl)?.judgeTicket(session, status) ?? SSL_TICKET_RETURN_IGNORE_RENEW
      }, nil)
  }

  /// What is asked of the context that the certificate was chosen with.
  static func prepareChosen(_ context: OpaquePointer) {
    SSL_CTX_set_alpn_select_cb(
      context,
      { ssl, chosen, chosenCount, offered, count, _ in
        TLSHandshake.of(ssl)?.chooseProtocol(
          UnsafeBufferPointer(start: offered, count: Int(count)), chosen!, chosenCount!)
          ?? SSL_TLSEXT_ERR_ALERT_FATAL
      }, nil)
    // The name was used, and that is said (RFC 6066 §3); OpenSSL then keeps it in the ticket.
    _ = ctls_set_servername_callback(context) { _, _, _ in SSL_TLSEXT_ERR_OK }
  }

  private static func of(_ ssl: OpaquePointer?) -> TLSHandshake? {
    guard let ssl, let owner = SSL_get_ex_data(ssl, 0) else { return nil }
    return Unmanaged<TLSHandshake>.fromOpaque(owner).takeUnretainedValue()
  }

  private func chooseCertificate(_ ssl: OpaquePointer, _ alert: UnsafeMutablePointer<Int32>)
    -> Int32
  {
    name = helloExtension(ssl, UInt32(TLSEXT_TYPE_server_name)).flatMap(serverName(inExtension:))
    let protocols = helloExtension(
      ssl, UInt32(TLSEXT_TYPE_application_layer_protocol_negotiation))
    let chosen: CertificateContext?
    if let protocols, isChallenge(protocolList: protocols) {
      applicationProtocol = .challenge
      chosen = name.flatMap { certificates.challenge(for: $0) }
    } else if let name {
      chosen = certificates.context(for: name)
    } else {
      chosen = certificates.fallback
    }
    guard let chosen, SSL_set_SSL_CTX(ssl, chosen.context.context) != nil else {
      failure = .unknownName
      alert.pointee = name == nil ? SSL_AD_HANDSHAKE_FAILURE : SSL_AD_UNRECOGNIZED_NAME
      return SSL_CLIENT_HELLO_ERROR
    }
    tls?.identity = chosen.identity
    if let versions = helloExtension(ssl, UInt32(TLSEXT_TYPE_supported_versions)),
      offersTLS13(versionList: versions)
    {
      ctls_set_own_order(ssl)
    }
    return SSL_CLIENT_HELLO_SUCCESS
  }

  private func helloExtension(_ ssl: OpaquePointer, _ type: UInt32)
    -> UnsafeBufferPointer<UInt8>?
  {
    var bytes: UnsafePointer<UInt8>?
    var count = 0
    guard SSL_client_hello_get0_ext(ssl, type, &bytes, &count) == 1 else { return nil }
    return UnsafeBufferPointer(start: bytes, count: count)
  }

  private func chooseProtocol(
    _ offered: UnsafeBufferPointer<UInt8>,
    _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>,
    _ chosenCount: UnsafeMutablePointer<UInt8>
  ) -> Int32 {
    let isChallenge = applicationProtocol == .challenge
    for (id, meaning) in isChallenge ? Self.challengeProtocols : Self.protocols {
      guard let place = find(id, inProtocolList: offered) else { continue }
      chosen.pointee = offered.baseAddress! + place
      chosenCount.pointee = UInt8(id.utf8CodeUnitCount)
      applicationProtocol = meaning
      return SSL_TLSEXT_ERR_OK
    }
    // No protocol in common: no_application_protocol (RFC 7301 §3.2).
    return SSL_TLSEXT_ERR_ALERT_FATAL
  }

  private func useTicketKey(
    _ ssl: OpaquePointer, _ name: UnsafeMutablePointer<UInt8>, _ iv: UnsafeMutablePointer<UInt8>,
    _ cipher: OpaquePointer, _ mac: OpaquePointer, seals: Bool
  ) -> Int32 {
    let now = services.loop.wallTime
    let keys = services.edge.ticketKeys
    if seals {
      return keys.seal(at: now) { ctls_use_ticket_key($0, name, iv, cipher, mac, 1) == 1 } ? 1 : -1
    }
    switch keys.open(name, at: now, { ctls_use_ticket_key($0, name, iv, cipher, mac, 0) == 1 }) {
    // With TLS 1.3 each connection gets another: observers cannot tell one viewer's connections by
    // their ticket (RFC 8446 §C.4).
    case .current: return SSL_version(ssl) == TLS1_3_VERSION ? 2 : 1
    case .former: return 2
    case nil: return 0
    }
  }

  /// A session goes on under the name that it began with (RFC 6066 §3, RFC 8446 §4.2.11): what the
  /// viewer verified then was that name's certificate.
  private func judgeTicket(_ session: OpaquePointer?, _ status: SSL_TICKET_STATUS)
    -> SSL_TICKET_RETURN
  {
    guard let session, status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW else {
      return SSL_TICKET_RETURN_IGNORE_RENEW
    }
    let former = SSL_SESSION_get0_hostname(session).map { serverName(String(cString: $0)) }
    if former != name { return SSL_TICKET_RETURN_IGNORE_RENEW }
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW
  }
}

/// Handshakes take turns with everything else that a loop does: in one turn no more of them begin
/// when they have taken `Limits.handshakeTurn` together; the others wait in line.
final class HandshakeTurns {
  private unowned(unsafe) let loop: EventLoop
  private var waiting: [TLSHandshake] = []
  private var first = 0
  private var isScheduled = false
  /// Microseconds taken in the turn that began at `turn`.
  private var spent: Int64 = 0
  private var turn: Int64 = .min

  init(loop: EventLoop) { self.loop = loop }

  var waitingCount: Int { waiting.count - first }

  func admit(_ handshake: TLSHandshake) {
    if handshake.isQueued { return }
    if waitingCount == 0 && hasTime { return run(handshake) }
    handshake.isQueued = true
    waiting.append(handshake)
    schedule()
  }

  private var hasTime: Bool {
    if turn != loop.now {
      turn = loop.now
      spent = 0
    }
    return spent < Limits.handshakeTurn
  }

  private func run(_ handshake: TLSHandshake) {
    let began = SystemCall.monotonicMicroseconds()
    handshake.proceed()
    spent += SystemCall.monotonicMicroseconds() - began
  }

  private func schedule() {
    if isScheduled { return }
    isScheduled = true
    loop.afterwards { [self] in
      isScheduled = false
      while waitingCount > 0 && hasTime {
        let handshake = waiting[first]
        first += 1
        if first == waiting.count || first == 1024 {
          waiting.removeFirst(first)
          first = 0
        }
        handshake.isQueued = false
        run(handshake)
      }
      if waitingCount > 0 { schedule() }
    }
  }
}
