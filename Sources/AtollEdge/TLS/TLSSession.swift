// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CTLS
import Glibc

/// One connection's TLS (RFC 8446, RFC 5246) over its non-blocking descriptor, for either side.
///
/// `receive` and `send` mean what `SystemCall`'s mean, so that whoever moves bytes need not know
/// which of both it does: a receive that fills less than its room has drained the connection, and
/// bytes that could not be sent are to be offered again, more of them behind the same if need be.
final class TLSSession {
  enum Progress: Equatable {
    case done
    /// For the descriptor.
    case waiting
    case failed
  }

  /// What one record carries at most, in bytes (RFC 8446 §5.1).
  static let record = 16_384

  let ssl: OpaquePointer
  private let wire: UnsafeMutablePointer<ctls_wire>
  /// OpenSSL's, of what failed for good; 0 when nothing did.
  private(set) var error: UInt = 0

  /// - Parameter context: an SSL_CTX; the session keeps it. Nil without memory.
  init?(context: OpaquePointer, descriptor: Int32) {
    guard let ssl = SSL_new(context) else { return nil }
    let wire = UnsafeMutablePointer<ctls_wire>.allocate(capacity: 1)
    wire.initialize(to: ctls_wire())
    wire.pointee.descriptor = descriptor
    self.ssl = ssl
    self.wire = wire
    if ctls_attach(ssl, wire) != 1 { return nil }
  }

  deinit {
    SSL_free(ssl)
    wire.deallocate()
  }

  // MARK: Handshake

  /// Goes on with the handshake; the session's role was set with `SSL_set_accept_state` or
  /// `SSL_set_connect_state`.
  func handshake() -> Progress {
    wire.pointee.drained = false
    ERR_clear_error()
    let result = SSL_do_handshake(ssl)
    if result == 1 { return .done }
    switch SSL_get_error(ssl, result) {
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .waiting
    default: return .failed
    }
  }

  /// What ALPN (RFC 7301) has settled on; empty when it was not used.
  var applicationProtocol: UnsafeBufferPointer<UInt8> {
    var name: UnsafePointer<UInt8>?
    var count: UInt32 = 0
    SSL_get0_alpn_selected(ssl, &name, &count)
    return UnsafeBufferPointer(start: name, count: Int(count))
  }

  /// What was agreed on; the texts are OpenSSL's own and stay.
  /// - Parameter isReused: a request has been answered on this connection.
  func security(isReused: Bool) -> ViewerSecurity {
    func bytes(_ text: UnsafePointer<CChar>?) -> UnsafeBufferPointer<UInt8> {
      guard let text else { return UnsafeBufferPointer(start: nil, count: 0) }
      return UnsafeBufferPointer(
        start: UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self), count: strlen(text))
    }
    return ViewerSecurity(
      version: bytes(SSL_get_version(ssl)),
      cipher: bytes(SSL_CIPHER_get_name(SSL_get_current_cipher(ssl))),
      handshake: isReused ? .reused : SSL_session_reused(ssl) == 1 ? .resumed : .full)
  }

  // MARK: Bytes

  /// Fills the memory as far as what has come goes. 0 bytes: the peer has ended its side, by a
  /// close_notify or, which viewers often do, without one; `wasCutOff` tells.
  func receive(_ memory: UnsafeMutableRawPointer, _ count: Int) -> Transfer {
    wire.pointee.drained = false
    var filled = 0
    while filled < count {
      var got = 0
      let result = SSL_read_ex(ssl, memory + filled, count - filled, &got)
      if result == 1 {
        filled += got
        continue
      }
      if filled > 0 {
        // Whatever stopped it is told again by the next call, but an error's text must not linger.
        ERR_clear_error()
        return .moved(filled)
      }
      return outcome(result)
    }
    return .moved(filled)
  }

  /// The peer's side ended without a close_notify: what has come may lack its end.
  var wasCutOff: Bool {
    wire.pointee.ended && SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN == 0
  }

  /// - Parameter scratch: room for a record, where small pieces are put together.
  func send(
    _ vectors: UnsafeMutablePointer<iovec>, _ count: Int, scratch: UnsafeMutableRawPointer
  ) -> Transfer {
    var gathered = 0
    var index = 0
    var offset = 0
    var sent = 0
    while true {
      gathered = 0
      while index < count && gathered < Self.record {
        let vector = vectors[index]
        let part = min(vector.iov_len - offset, Self.record - gathered)
        if part > 0 { memcpy(scratch + gathered, vector.iov_base + offset, part) }
        gathered += part
        offset += part
        if offset == vector.iov_len {
          index += 1
          offset = 0
        }
      }
      if gathered == 0 { return .moved(sent) }
      var moved = 0
      let result = SSL_write_ex(ssl, scratch, gathered, &moved)
      if result != 1 {
        if sent > 0 {
          ERR_clear_error()
          return .moved(sent)
        }
        return outcome(result)
      }
      sent += moved
      // Only ever whole records: a part that was taken has been encrypted.
      if moved < gathered { return .moved(sent) }
    }
  }

  func send(_ memory: UnsafeRawPointer, _ count: Int) -> Transfer {
    var sent = 0
    while sent < count {
      var moved = 0
      let result = SSL_write_ex(ssl, memory + sent, min(count - sent, Self.record), &moved)
      if result != 1 {
        if sent > 0 {
          ERR_clear_error()
          return .moved(sent)
        }
        return outcome(result)
      }
      sent += moved
    }
    return .moved(sent)
  }

  /// Says that nothing follows (close_notify), as far as the kernel takes it now.
  func endOutput() {
    _ = SSL_shutdown(ssl)
    ERR_clear_error()
  }

  private func outcome(_ result: Int32) -> Transfer {
    switch SSL_get_error(ssl, result) {
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE:
      return .wouldBlock
    case SSL_ERROR_ZERO_RETURN:
      return .moved(0)
    default:
      error = ERR_peek_error()
      ERR_clear_error()
      if wire.pointee.ended { return .moved(0) }
      return .failed(wire.pointee.error != 0 ? wire.pointee.error : EPROTO)
    }
  }
}
