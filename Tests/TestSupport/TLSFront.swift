// SPDX-License-Identifier: Apache-2.0
import CSystem
import CTLS
import Glibc
import Synchronization

/// TLS before a server of a test that speaks in the clear: a port whose connections are decrypted
/// and handed on, one thread each.
package final class TLSFront: Sendable {
  package struct Settings: Sendable {
    package var certificate: TestCertificate
    /// Of the authority whose client certificates are asked for; nil: none are.
    package var clients: String?
    package var newest = TLS1_3_VERSION
    package var oldest = TLS1_2_VERSION
    /// Ends connections without a close_notify, as someone between would.
    package var cutsOff = false
    /// Sends its close_notify together with the last bytes, and leaves the connection open until
    /// the client closes it.
    package var lingers = false
    /// What ends the handshake, such as tickets, goes out together with what comes next, be it the
    /// end of the connection.
    package var corksTickets = false
    /// Nothing is said at all: a handshake without end.
    package var isMute = false

    package init(_ certificate: TestCertificate) { self.certificate = certificate }
  }

  package struct Handshake: Sendable, Equatable {
    /// The name asked for (SNI).
    package let name: String?
    package let isResumed: Bool
    package let version: String
    /// Common name of the client's certificate.
    package let client: String?
    package let application: String

    package init(
      name: String?, isResumed: Bool, version: String, client: String?, application: String
    ) {
      self.name = name
      self.isResumed = isResumed
      self.version = version
      self.client = client
      self.application = application
    }
  }

  package let port: UInt16
  private let listener: Int32
  private let upstream: UInt16
  private let settings: Settings
  private let state = Mutex<(handshakes: [Handshake], failures: Int)>(([], 0))

  // A pointer is not Sendable; this one is OpenSSL's to lock.
  private struct Context: @unchecked Sendable { let pointer: OpaquePointer }
  private let context: Context

  package convenience init(_ certificate: TestCertificate, to upstream: UInt16) {
    self.init(Settings(certificate), to: upstream)
  }

  package init(_ settings: Settings, to upstream: UInt16) {
    self.settings = settings
    self.upstream = upstream
    let context = SSL_CTX_new(TLS_server_method())!
    self.context = Context(pointer: context)
    let chain = Array(settings.certificate.chain.utf8)
    let key = Array(settings.certificate.key.utf8)
    let used = ctls_use_certificate(context, chain, chain.count, key, key.count)
    precondition(used == Int32(CTLS_USE_OK.rawValue), "the test's certificate does not fit its key")
    ctls_set_minimum_version(context, settings.oldest)
    ctls_set_maximum_version(context, settings.newest)
    let id = Array("front".utf8)
    SSL_CTX_set_session_id_context(context, id, UInt32(id.count))
    SSL_CTX_set_alpn_select_cb(
      context,
      { _, out, length, offered, count, _ in
        guard let offered, count > 0 else { return SSL_TLSEXT_ERR_NOACK }
        // The first that the client names.
        out!.pointee = offered + 1
        length!.pointee = offered.pointee
        return SSL_TLSEXT_ERR_OK
      }, nil)
    if let clients = settings.clients {
      let store = X509_STORE_new()!
      var unreadable: Int32 = 0
      let text = Array(clients.utf8)
      precondition(ctls_trust_pem(store, text, text.count, &unreadable) > 0, "no authority")
      SSL_CTX_set_cert_store(context, store)
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
    }
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    self.listener = listener
    var address = loopback(0)
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    var length = size
    withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        precondition(bind(listener, $0, size) == 0, "a test's port cannot be bound")
        getsockname(listener, $0, &length)
      }
    }
    port = UInt16(bigEndian: address.sin_port)
    precondition(listen(listener, 128) == 0, "a test's port cannot be listened on")
    spawn { self.run() }
  }

  deinit {
    close(listener)
    SSL_CTX_free(context.pointer)
  }

  /// Ends the thread, which owns the last reference.
  package func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

  private func run() {
    while true {
      let viewer = csystem_accept4(
        listener, nil, nil, Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue))
      if viewer < 0 {
        if errno == EINTR || errno == ECONNABORTED { continue }
        return
      }
      spawn { self.serve(viewer) }
    }
  }

  /// Those that succeeded, in order.
  package var handshakes: [Handshake] { state.withLock { $0.handshakes } }
  package var failures: Int { state.withLock { $0.failures } }

  private func serve(_ viewer: Int32) {
    defer { close(viewer) }
    if settings.isMute {
      wait(viewer, POLLIN)
      var byte: UInt8 = 0
      while recv(viewer, &byte, 1, 0) != 0 { wait(viewer, POLLIN) }
      return
    }
    let wire = UnsafeMutablePointer<ctls_wire>.allocate(capacity: 1)
    wire.initialize(to: ctls_wire())
    wire.pointee.descriptor = viewer
    let ssl = SSL_new(context.pointer)!
    defer {
      SSL_free(ssl)
      wire.deallocate()
    }
    _ = ctls_attach(ssl, wire)
    SSL_set_accept_state(ssl)
    var cork: Int32 = settings.lingers || settings.corksTickets ? 1 : 0
    let corkSize = socklen_t(MemoryLayout<Int32>.size)
    setsockopt(viewer, Int32(IPPROTO_TCP), TCP_CORK, &cork, corkSize)
    guard repeated(ssl, wire, { SSL_do_handshake(ssl) }) else {
      state.withLock { $0.failures += 1 }
      return
    }
    record(ssl)
    let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(server) }
    var address = loopback(upstream)
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(server, $0, size) }
    }
    if result == 0 { relay(ssl, wire, server) }
    if !settings.cutsOff { SSL_shutdown(ssl) }
    if settings.lingers {
      cork = 0
      setsockopt(viewer, Int32(IPPROTO_TCP), TCP_CORK, &cork, corkSize)
      repeat { wait(viewer, POLLIN) } while recv(viewer, &cork, 4, 0) > 0
    }
  }

  private func record(_ ssl: OpaquePointer) {
    var client: String?
    if let certificate = SSL_get1_peer_certificate(ssl) {
      var name = [CChar](repeating: 0, count: 256)
      let count = Int(ctls_certificate_subject(certificate, &name, 256))
      client = String(decoding: name[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
      X509_free(certificate)
    }
    var chosen: UnsafePointer<UInt8>?
    var count: UInt32 = 0
    SSL_get0_alpn_selected(ssl, &chosen, &count)
    let application = UnsafeBufferPointer(start: chosen, count: Int(count))
    let handshake = Handshake(
      name: SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name).map { String(cString: $0) },
      isResumed: SSL_session_reused(ssl) == 1, version: String(cString: SSL_get_version(ssl)),
      client: client, application: String(decoding: application, as: UTF8.self))
    state.withLock { $0.handshakes.append(handshake) }
  }

  private func relay(_ ssl: OpaquePointer, _ wire: UnsafeMutablePointer<ctls_wire>, _ server: Int32)
  {
    var buffer = [UInt8](repeating: 0, count: 16_384)
    while true {
      var events = [
        pollfd(fd: wire.pointee.descriptor, events: Int16(POLLIN), revents: 0),
        pollfd(fd: server, events: Int16(POLLIN), revents: 0),
      ]
      if SSL_pending(ssl) == 0, poll(&events, 2, 60_000) <= 0 { return }
      if SSL_pending(ssl) > 0 || events[0].revents != 0 {
        wire.pointee.drained = false
        var moved = 0
        ERR_clear_error()
        let result = SSL_read_ex(ssl, &buffer, buffer.count, &moved)
        if result == 1 {
          if !sendAll(server, buffer, moved) { return }
        } else if SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ {
          return
        }
      }
      if events[1].revents != 0 {
        let count = recv(server, &buffer, buffer.count, 0)
        if count <= 0 { return }
        var moved = 0
        if !repeated(ssl, wire, { SSL_write_ex(ssl, buffer, count, &moved) }) { return }
      }
    }
  }

  /// Until it has succeeded; false when it never will.
  private func repeated(
    _ ssl: OpaquePointer, _ wire: UnsafeMutablePointer<ctls_wire>, _ body: () -> Int32
  ) -> Bool {
    while true {
      wire.pointee.drained = false
      ERR_clear_error()
      let result = body()
      if result == 1 { return true }
      switch SSL_get_error(ssl, result) {
      case SSL_ERROR_WANT_READ: wait(wire.pointee.descriptor, POLLIN)
      case SSL_ERROR_WANT_WRITE: wait(wire.pointee.descriptor, POLLOUT)
      default: return false
      }
    }
  }

  private func sendAll(_ descriptor: Int32, _ bytes: [UInt8], _ count: Int) -> Bool {
    var sent = 0
    while sent < count {
      let moved = bytes.withUnsafeBytes {
        send(descriptor, $0.baseAddress! + sent, count - sent, Int32(MSG_NOSIGNAL))
      }
      if moved <= 0 { return false }
      sent += moved
    }
    return true
  }
}

private func wait(_ descriptor: Int32, _ events: Int32) {
  var event = pollfd(fd: descriptor, events: Int16(events), revents: 0)
  poll(&event, 1, 60_000)
}

private func loopback(_ port: UInt16) -> sockaddr_in {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
  address.sin_port = port.bigEndian
  return address
}

private func spawn(_ body: @escaping @Sendable () -> Void) {
  final class Box: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  var thread = pthread_t()
  pthread_create(
    &thread, nil,
    {
      Unmanaged<Box>.fromOpaque($0!).takeRetainedValue().body()
      return nil
    }, Unmanaged.passRetained(Box(body)).toOpaque())
  pthread_detach(thread)
}
