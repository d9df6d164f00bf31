// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CTLS
import Glibc

/// One connection's TLS (RFC 8446, RFC 5246) over its non-blocking descriptor, for either side.
///
/// `receive` and `send` mean what `SystemCall`'s mean, so that whoever moves bytes need not know
/// which of both it does: a receive that fills less than its room has drained the connection, and
/// bytes that could not be sent are to be offered again, more of them behind the same if need be.
///
/// Records leave together, several with one system call. What the kernel does not take of them stays
/// here, sealed; the plaintext of the last one then counts as not sent, so that whoever sends knows
/// to come back.
final class TLSSession {
  enum Progress: Equatable {
    case done
    /// For the descriptor.
    case waiting
    case failed
  }

  private enum Flush { case done, blocked, failed }
  /// A close_notify, or an end without one.
  private enum PeerEnd { case none, said, silent }

  /// What one record carries at most, in bytes (RFC 8446 §5.1).
  static let record = 16_384
  /// Records that leave with one system call.
  private static let batch = 4
  /// A record with its header, padding and tag (RFC 8446 §5.2), rounded.
  private static let sealedRecord = record + 512
  /// Kept bytes that leave with the records behind them, in one call.
  private static let shortRest = 4_096
  /// Bytes received in one call without anything for the application among them.
  private static let fruitless = 3 * sealedRecord
  /// Of the memory that the calls need as scratch: a record's plaintext, then sealed records.
  static let scratchSize = record + shortRest + (batch + 1) * sealedRecord

  // What a connection holds in memory: OpenSSL's part as it was measured with 3.0, and ours.
  /// Bytes until both sides have agreed, with a hello that fills a record.
  static let negotiatingSize = 61_440
  /// Bytes once they have.
  static let establishedSize = 16_384
  /// Bytes for a record of which a part has come.
  static let partialRecordSize = sealedRecord

  let ssl: OpaquePointer
  /// What the peer was shown: the hosts that it may ask for. Nil towards an origin.
  var identity: TLSIdentity?
  private let wire: UnsafeMutablePointer<ctls_wire>
  /// Counts what the connection holds.
  private let budget: MemoryBudget
  private var charged = 0
  private var holdsRecord = false
  /// What peers send beside data (`Limits.tlsMessages`).
  private var messages = Rate.Use()
  private var hasMessages = false
  /// Counts who sends too much of it.
  var counters: HandshakeCounters?
  /// Sealed bytes that the kernel has not taken; they come before everything else.
  private var kept: UnsafeMutableRawPointer?
  private var keptStart = 0
  private var keptEnd = 0
  /// Plaintext of what is kept that the sender has been told is not sent.
  private var owed = 0
  /// The authority that was covered last; most requests of a connection name the same.
  private var covered: ByteBuffer?
  /// OpenSSL's, of what failed for good; 0 when nothing did.
  private(set) var error: UInt = 0
  /// Nothing more is read before the answer to what was read can be sent, such as a new key
  /// (RFC 8446 §4.6.3): when the descriptor takes bytes again there is something to receive, and no
  /// event will tell of it.
  private(set) var isHeldBack = false
  /// What OpenSSL says is the same: viewers often end without a word, and are answered still.
  private var peerEnd = PeerEnd.none
  /// The descriptor has just been drained: an event will tell of more.
  private var isDrained = false

  /// - Parameter context: an SSL_CTX; the session keeps it. Nil without memory.
  init?(context: OpaquePointer, descriptor: Int32, budget: MemoryBudget) {
    guard let ssl = SSL_new(context) else { return nil }
    let wire = UnsafeMutablePointer<ctls_wire>.allocate(capacity: 1)
    wire.initialize(to: ctls_wire())
    wire.pointee.descriptor = descriptor
    wire.pointee.limit = Self.fruitless
    wire.pointee.allowed = UInt32(Limits.tlsMessages.burst)
    self.ssl = ssl
    self.wire = wire
    self.budget = budget
    if ctls_attach(ssl, wire) != 1 { return nil }
    hold(Self.negotiatingSize)
  }

  deinit {
    SSL_free(ssl)
    dropKept()
    wire.deallocate()
    hold(0)
  }

  private func hold(_ size: Int) {
    if size > charged { budget.charge(size - charged) } else { budget.release(charged - size) }
    charged = size
  }

  // MARK: Handshake

  /// Goes on with the handshake; the session's role was set with `SSL_set_accept_state` or
  /// `SSL_set_connect_state`. When it is done, its last bytes may wait for what is sent next:
  /// `flush` sends them by themselves.
  /// - Parameter scratch: `scratchSize` bytes.
  func handshake(scratch: UnsafeMutableRawPointer) -> Progress {
    switch flushKept() {
    case .done: break
    case .blocked: return .waiting
    case .failed: return .failed
    }
    prepareReceive()
    while true {
      gather(in: scratch)
      ERR_clear_error()
      let result = SSL_do_handshake(ssl)
      if result == 1 {
        keepGathered(from: 0)
        ctls_count_messages(ssl)
        hold(Self.establishedSize)
        return .done
      }
      let reason = SSL_get_error(ssl, result)
      switch sendGathered() {
      case .failed: return .failed
      // More than there was room for, of which no event will tell.
      case .done where reason == SSL_ERROR_WANT_WRITE: continue
      case .done, .blocked:
        return reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE ? .waiting : .failed
      }
    }
  }

  /// The next call is `receive`, in the same turn: what the handshake has found drained it does not
  /// ask again.
  func receivesAtOnce() { isDrained = wire.pointee.drained }

  /// What ALPN (RFC 7301) has settled on; empty when it was not used.
  var applicationProtocol: UnsafeBufferPointer<UInt8> {
    var name: UnsafePointer<UInt8>?
    var count: UInt32 = 0
    SSL_get0_alpn_selected(ssl, &name, &count)
    return UnsafeBufferPointer(start: name, count: Int(count))
  }

  /// The first byte that came; 0 before.
  var firstByte: UInt8 { wire.pointee.first }
  var peerHasEnded: Bool { wire.pointee.ended }

  /// Whether the peer may ask for this authority on the connection (RFC 9110 §7.4): the certificate
  /// that it was shown has to cover it.
  func covers(_ authority: UnsafeBufferPointer<UInt8>) -> Bool {
    if let covered, covered.count == authority.count,
      memcmp(covered.base, authority.baseAddress!, authority.count) == 0
    {
      return true
    }
    return coversAnother(authority)
  }

  @inline(never)
  private func coversAnother(_ authority: UnsafeBufferPointer<UInt8>) -> Bool {
    // HTTP/1.0 may name no host; the distribution that answers for every host is asked for then.
    guard let identity, !authority.isEmpty else { return true }
    guard identity.covers(serverName(ofAuthority: authority)) else { return false }
    let copy = covered ?? ByteBuffer(capacity: authority.count)
    copy.removeAll()
    copy.append(authority)
    covered = copy
    return true
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
    if isHeldBack {
      switch flushKept() {
      case .done: isHeldBack = false
      case .blocked: return .wouldBlock
      case .failed: return .failed(failure)
      }
    }
    prepareReceive()
    if hasMessages { allowMessages() }
    let transfer = read(memory, count)
    if wire.pointee.messages > 0 { countMessages() }
    if ctls_holds_record(ssl) != holdsRecord { recordChanged() }
    return transfer
  }

  @inline(__always)
  private func read(_ memory: UnsafeMutableRawPointer, _ count: Int) -> Transfer {
    var filled = 0
    while true {
      var got = 0
      let result = SSL_read_ex(ssl, memory + filled, count - filled, &got)
      if result != 1 {
        isHeldBack = SSL_get_error(ssl, result) == SSL_ERROR_WANT_WRITE
        if filled == 0 { return outcome(result) }
        // Whatever stopped it is told again by the next call, but an error's text must not linger.
        ERR_clear_error()
        return .moved(filled)
      }
      filled += got
      wire.pointee.received = 0
      if filled == count || (wire.pointee.drained && SSL_has_pending(ssl) == 0) {
        return .moved(filled)
      }
    }
  }

  /// The same for a caller whom events tell of the peer's end once, and who knows of it already or
  /// learns of it here: a close_notify that came with the last bytes is told by no event, nor is an
  /// end that came with what TLS kept for itself, such as tickets.
  func receive(
    _ memory: UnsafeMutableRawPointer, _ count: Int, peerEnded: inout Bool
  ) -> Transfer {
    var transfer = receive(memory, count)
    if peerEnded, case .wouldBlock = transfer { transfer = receive(memory, count) }
    if peerHasClosed { peerEnded = true }
    return transfer
  }

  /// Part of a record waits for its rest, or does so no more.
  @inline(never)
  private func recordChanged() {
    holdsRecord.toggle()
    hold(Self.establishedSize + (holdsRecord ? Self.partialRecordSize : 0))
  }

  @inline(never)
  private func allowMessages() {
    wire.pointee.allowed = UInt32(
      messages.left(of: Limits.tlsMessages, SystemCall.monotonicMilliseconds()))
  }

  @inline(never)
  private func countMessages() {
    hasMessages = true
    _ = messages.add(
      Int64(wire.pointee.messages), to: Limits.tlsMessages, SystemCall.monotonicMilliseconds())
    wire.pointee.messages = 0
    if wire.pointee.flooded, let counters {
      counters.count(.messageFlood)
      self.counters = nil
    }
  }

  private func prepareReceive() {
    wire.pointee.drained = isDrained
    isDrained = false
    wire.pointee.received = 0
  }

  /// The peer has said that it sends nothing more (close_notify).
  var peerHasClosed: Bool { SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN != 0 }

  /// The peer's side ended without a close_notify: what has come may lack its end.
  var wasCutOff: Bool {
    wire.pointee.ended && (peerEnd == .silent || !peerHasClosed)
  }

  /// - Parameter scratch: `scratchSize` bytes.
  func send(
    _ vectors: UnsafeMutablePointer<iovec>, _ count: Int, scratch: UnsafeMutableRawPointer
  ) -> Transfer {
    var source = Vectors(vectors, count)
    var sent = 0
    if owed > 0 || keptEnd - keptStart > Self.shortRest {
      switch flushKept() {
      case .done: break
      case .blocked: return .wouldBlock
      case .failed: return .failed(failure)
      }
      sent = owed
      source.skip(owed)
      owed = 0
    }
    while source.left > 0 {
      gather(in: scratch)
      var taken = 0
      var last = 0
      var records = 0
      repeat {
        let (bytes, part) = source.next(Self.record, scratch)
        var moved = 0
        let result = SSL_write_ex(ssl, bytes, part, &moved)
        if result != 1 {
          let outcome = outcome(result)
          if taken == 0 && sent == 0 {
            return sendGathered() == .failed ? .failed(failure) : outcome
          }
          // It is told again by the next call.
          break
        }
        last = moved
        taken += moved
        records += 1
      } while source.left > 0 && records < Self.batch
      switch sendGathered() {
      case .done:
        sent += taken
        if taken == 0 { return .moved(sent) }
      case .blocked:
        owed = last
        sent += taken - last
        return sent > 0 ? .moved(sent) : .wouldBlock
      case .failed:
        return sent > 0 ? .moved(sent) : .failed(failure)
      }
    }
    return .moved(sent)
  }

  func send(
    _ memory: UnsafeRawPointer, _ count: Int, scratch: UnsafeMutableRawPointer
  ) -> Transfer {
    var vector = iovec(iov_base: UnsafeMutableRawPointer(mutating: memory), iov_len: count)
    return withUnsafeMutablePointer(to: &vector) { send($0, 1, scratch: scratch) }
  }

  /// Sealed bytes wait for the kernel to take them.
  var hasUnsent: Bool { kept != nil }

  /// Sends what is kept. False when the kernel does not take it all.
  @discardableResult
  func flush() -> Bool { flushKept() == .done }

  /// Says that nothing follows (close_notify), as far as the kernel takes it now.
  func endOutput() {
    guard flushKept() == .done else { return }
    _ = SSL_shutdown(ssl)
    ERR_clear_error()
  }

  private func outcome(_ result: Int32) -> Transfer {
    if wire.pointee.flooded { return .failed(EPROTO) }
    switch SSL_get_error(ssl, result) {
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE:
      return .wouldBlock
    case SSL_ERROR_ZERO_RETURN:
      // A close_notify is found before the end behind it.
      if peerEnd == .none { peerEnd = wire.pointee.ended ? .silent : .said }
      return .moved(0)
    default:
      error = ERR_peek_error()
      ERR_clear_error()
      if wire.pointee.ended { return .moved(0) }
      return .failed(failure)
    }
  }

  private var failure: Int32 { wire.pointee.error != 0 ? wire.pointee.error : EPROTO }

  // MARK: Sealed bytes

  /// From here on sealed records are put together, behind what is kept.
  private func gather(in scratch: UnsafeMutableRawPointer) {
    let sealed = scratch + Self.record
    let rest = keptEnd - keptStart
    if rest > 0 {
      memcpy(sealed, kept! + keptStart, rest)
      dropKept()
    }
    wire.pointee.gather = sealed.assumingMemoryBound(to: UInt8.self)
    wire.pointee.gathered = rest
    wire.pointee.room = Self.scratchSize - Self.record
  }

  private func sendGathered() -> Flush {
    let count = wire.pointee.gathered
    guard count > 0 else {
      wire.pointee.gather = nil
      return .done
    }
    switch SystemCall.send(wire.pointee.descriptor, wire.pointee.gather, count) {
    case .moved(count):
      wire.pointee.gather = nil
      return .done
    case .moved(let sent):
      keepGathered(from: sent)
      return .blocked
    case .wouldBlock:
      keepGathered(from: 0)
      return .blocked
    case .failed(let error):
      wire.pointee.gather = nil
      wire.pointee.error = error
      return .failed
    }
  }

  private func keepGathered(from start: Int) {
    let count = wire.pointee.gathered - start
    if count > 0 {
      let memory = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 16)
      memcpy(memory, wire.pointee.gather + start, count)
      kept = memory
      keptStart = 0
      keptEnd = count
      budget.charge(count)
      wire.pointee.blocked = true
    }
    wire.pointee.gather = nil
  }

  private func flushKept() -> Flush {
    guard let kept else { return .done }
    let count = keptEnd - keptStart
    switch SystemCall.send(wire.pointee.descriptor, kept + keptStart, count) {
    case .moved(count):
      dropKept()
      return .done
    case .moved(let sent):
      keptStart += sent
      return .blocked
    case .wouldBlock:
      return .blocked
    case .failed(let error):
      wire.pointee.error = error
      return .failed
    }
  }

  private func dropKept() {
    guard let kept else { return }
    kept.deallocate()
    budget.release(keptEnd)
    self.kept = nil
    keptStart = 0
    keptEnd = 0
    wire.pointee.blocked = false
  }
}

/// Goes through pieces of memory a record at a time.
private struct Vectors {
  private let vectors: UnsafeMutablePointer<iovec>
  private let count: Int
  private var index = 0
  private var offset = 0
  private(set) var left: Int

  init(_ vectors: UnsafeMutablePointer<iovec>, _ count: Int) {
    self.vectors = vectors
    self.count = count
    left = 0
    for index in 0..<count { left += vectors[index].iov_len }
  }

  mutating func skip(_ bytes: Int) {
    left -= bytes
    offset += bytes
    while index < count, offset >= vectors[index].iov_len {
      offset -= vectors[index].iov_len
      index += 1
    }
  }

  /// The next bytes, at most `limit` of them: where they are, or put together in `scratch`.
  mutating func next(_ limit: Int, _ scratch: UnsafeMutableRawPointer)
    -> (UnsafeRawPointer, Int)
  {
    let part = min(limit, left)
    while vectors[index].iov_len == offset { skip(0) }
    if vectors[index].iov_len - offset >= part {
      let bytes = UnsafeRawPointer(vectors[index].iov_base + offset)
      skip(part)
      return (bytes, part)
    }
    var gathered = 0
    while gathered < part {
      let piece = min(vectors[index].iov_len - offset, part - gathered)
      if piece > 0 { memcpy(scratch + gathered, vectors[index].iov_base + offset, piece) }
      gathered += piece
      skip(piece)
    }
    return (UnsafeRawPointer(scratch), part)
  }
}
