// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// Reading a response: its head, those of interim ones before, its body. What of it the request does
/// not want any more is read for the connection's sake.
extension OriginConnection {
  /// What has come of the response to the present request.
  struct Response {
    /// Any byte of it.
    var hasBegun = false
    var interimCount = 0
    /// The part of a head that has come so far.
    var head: ByteBuffer?
    var body = OriginBody()
    /// The connection can be used again behind it.
    var keepsAlive = true
    /// It has ended with its head: whoever gives it up now has all of it.
    var isWhole = false
    /// The request has gone elsewhere; the rest is read for the connection's sake.
    var isDraining = false
    var drained = 0
  }

  func receive() {
    while wire.isReadable && !isPaused {
      switch state {
      case .sending, .receivingHead:
        if !receiveHead() { return }
      case .receivingBody:
        if !receiveBody() { return }
      case .idle:
        return close()
      case .connecting, .securing, .upgraded, .closed:
        return
      }
    }
  }

  // MARK: Heads

  /// False when the connection has gone or has to wait.
  private func receiveHead() -> Bool {
    let services = loop.services!
    let scratch = services.scratch
    let kept = response.head?.count ?? 0
    if let head = response.head { memcpy(scratch, head.base, kept) }
    switch wire.receive(scratch + kept, services.scratchSize - kept) {
    case .wouldBlock:
      wire.isReadable = false
      return false
    case .failed:
      if let alert = wire.alert, !isReused {
        // Such as that the origin wants to know who asks, which is told behind the handshake.
        request?.malformation = alert
        fail(.originTls)
        return false
      }
      fail(.originClosed)
      return false
    case .moved(0):
      fail(.originClosed)
      return false
    case .moved(let count):
      response.hasBegun = true
      setDeadline(after: responseTimeout)
      let total = kept + count
      wire.received(total, of: services.scratchSize)
      return parseHead(scratch, total)
    }
  }

  private func parseHead(_ bytes: UnsafeMutablePointer<UInt8>, _ total: Int) -> Bool {
    guard let request else { return false }
    let head = loop.services.responseHead
    switch head.parse(bytes, count: total, requestMethod: request.method) {
    case .incomplete:
      let kept = response.head ?? ByteBuffer(capacity: total)
      kept.removeAll()
      kept.append(bytes, total)
      response.head = kept
      // Bytes may still be waiting: an edge is told once.
      wire.isReadable = true
      return true
    case .failure(let error):
      request.malformation = error.rawValue
      fail(.originBadResponse)
      return false
    case .complete(let length):
      if head.status < 200 { return interim(head, bytes, length, total) }
      response.head = nil
      response.body = OriginBody(head.framing)
      response.keepsAlive = head.keepsAlive
      state = .receivingBody
      if response.body.isEmpty {
        if total > length { response.keepsAlive = false }
        response.isWhole = true
        request.received(head, bytes, following: 0)
        finish()
        return false
      }
      // The head lies in the loop's scratch memory: what follows it is kept while readers run.
      let rest = total - length
      let surplus = rest > 0 ? ByteBuffer(capacity: rest) : nil
      surplus?.append(bytes + length, rest)
      request.received(head, bytes, following: rest)
      if state != .receivingBody { return false }
      if let surplus { return deliver(surplus.base, surplus.count) }
      return true
    }
  }

  /// A 1xx response; the final one, or another, may follow in the same segment.
  private func interim(
    _ head: ResponseHead, _ bytes: UnsafeMutablePointer<UInt8>, _ length: Int, _ total: Int
  ) -> Bool {
    response.interimCount += 1
    if head.status == 101, let request {
      let following = UnsafeBufferPointer(
        start: UnsafePointer(bytes + length), count: total - length)
      if request.switched(head, bytes, following: following, on: self) { return false }
    }
    // A switch that nobody asked for has no meaning.
    if response.interimCount > Limits.interimResponses || head.status == 101 {
      fail(.originBadResponse)
      return false
    }
    request?.receivedInterim(head, bytes)
    guard state == .sending || state == .receivingHead else { return false }
    let rest = ByteBuffer(capacity: max(total - length, 16))
    rest.append(bytes + length, total - length)
    response.head = nil
    if rest.count == 0 { return true }
    let scratch = loop.services.scratch
    memcpy(scratch, rest.base, rest.count)
    return parseHead(scratch, rest.count)
  }

  // MARK: Bodies

  /// One receive into the place where the body belongs.
  private func receiveBody() -> Bool {
    if response.isDraining { return drainBody() }
    guard let request else { return false }
    let room = request.room()
    guard let target = room.baseAddress, room.count > 0 else {
      pause()
      return false
    }
    switch response.body.framing {
    case .length, .untilClose:
      let (limit, isLast) = response.body.due(room.count)
      let count =
        wire.isSecure
        ? receiveSecured(into: target, limit) : receivePlain(into: target, limit, isLast: isLast)
      guard let count else { return false }
      request.received(count)
      if response.body.take(count) {
        if let tls, !wire.isQuiet(tls) { response.keepsAlive = false }
        finish()
        return false
      }
      request.wakeReaders()
      return state == .receivingBody
    case .chunked:
      // Never more framing than there is room for payload.
      let scratch = loop.services.scratch
      let limit = min(room.count, loop.services.scratchSize)
      guard let count = moved(wire.receive(scratch, limit)) else { return false }
      wire.received(count, of: limit)
      return deliver(scratch, count)
    case .none:
      return false
    }
  }

  /// Bytes of the body; nil when there is nothing to go on with.
  private func receivePlain(
    into target: UnsafeMutablePointer<UInt8>, _ limit: Int, isLast: Bool
  ) -> Int? {
    var spare: UInt8 = 0
    let outcome = withUnsafeMutablePointer(to: &spare) { spare in
      withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { vectors in
        vectors[0] = iovec(iov_base: target, iov_len: limit)
        // One byte more than is due shows a surplus, without a call of its own.
        vectors[1] = iovec(iov_base: spare, iov_len: 1)
        return SystemCall.receive(descriptor, vectors.baseAddress!, isLast ? 2 : 1)
      }
    }
    guard let count = moved(outcome) else { return nil }
    wire.received(count, of: limit + (isLast ? 1 : 0))
    if count > limit {
      response.keepsAlive = false
      wire.isReadable = true
    }
    return min(count, limit)
  }

  /// The same over TLS, of which no part lands in two places.
  private func receiveSecured(into target: UnsafeMutablePointer<UInt8>, _ limit: Int) -> Int? {
    guard let count = moved(wire.receive(target, limit)) else { return nil }
    wire.received(count, of: limit)
    return count
  }

  private func drainBody() -> Bool {
    // One byte more than is due shows a surplus.
    let room = loop.services.scratchSize
    let limit = min(response.body.due(room).count + 1, room)
    let scratch = loop.services.scratch
    guard let count = moved(wire.receive(scratch, limit)) else { return false }
    wire.received(count, of: limit)
    return deliver(scratch, count)
  }

  /// What a receive came to; nil when the caller has nothing to go on with.
  private func moved(_ outcome: Transfer) -> Int? {
    switch outcome {
    case .wouldBlock:
      wire.isReadable = false
      return nil
    case .failed:
      fail(.truncated)
      return nil
    case .moved(0):
      if response.body.framing == .untilClose && !wire.wasCutOff {
        response.keepsAlive = false
        finish()
      } else {
        fail(.truncated)
      }
      return nil
    case .moved(let count):
      setDeadline(after: responseTimeout)
      return count
    }
  }

  /// Body bytes that came with a head or are still chunked.
  private func deliver(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int) -> Bool {
    let request = self.request
    if response.isDraining {
      response.drained += count
      if response.drained > Limits.drainedResponse {
        close()
        return false
      }
    } else if request == nil {
      return false
    }
    var at = 0
    while true {
      switch response.body.next(bytes + at, count: count - at) {
      case .data(let consumed, let length):
        if let request, !request.store(bytes + at + consumed, length) { return false }
        at += consumed + length
      case .needsMore:
        request?.wakeReaders()
        return state == .receivingBody
      case .end(let consumed):
        if at + consumed < count { response.keepsAlive = false }
        if let lines = response.body.trailers, let request, !request.receivedTrailers(lines) {
          fail(.truncated)
        } else {
          finish()
        }
        return false
      case .malformed:
        fail(.truncated)
        return false
      }
    }
  }

  // MARK: Back-pressure

  private func pause() {
    isPaused = true
    clearDeadline()
  }

  /// Readers have caught up.
  func resume() {
    guard isPaused else { return }
    isPaused = false
    setDeadline(after: responseTimeout)
    if state == .receivingBody {
      wire.isReadable = true
      receive()
    }
  }
}
