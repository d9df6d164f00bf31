// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc

/// Finding requests in what comes: in the loop's scratch memory, or in memory of the connection's own
/// when a part has to wait.
extension ViewerConnection {
  func receive() {
    var count = 0
    while phase == .reading && isReadable {
      if count == Self.receivesPerTurn { return yield() }
      count &+= 1
      if inputEnd == inputStart {
        receiveFresh()
      } else if hasPartialHead {
        receiveMore()
      } else {
        // Requests that came behind one that took its time.
        processInput()
      }
    }
  }

  /// Others have their turn: a viewer that sends as fast as it is read must not hold up the loop.
  /// No event will tell of what is unread.
  @inline(never)
  func yield() {
    // Once: with one more for each event its turns would grow and grow.
    if hasYielded { return }
    hasYielded = true
    loop.afterwards { [self] in
      hasYielded = false
      continueReading()
    }
  }

  /// Nothing kept: into the loop's scratch memory.
  func receiveFresh() {
    let scratch = services.scratch
    let size = services.scratchSize
    switch receive(scratch, size) {
    case .moved(let count) where count > 0:
      if count < size { isReadable = peerEnded }
      process(scratch, count)
    case .wouldBlock:
      isReadable = false
    case .moved, .failed:
      inputEnded = true
      close()
    }
  }

  /// Part of a head is kept: behind it.
  func receiveMore() {
    ensureInput(room: 4096)
    let room = inputCapacity - inputEnd
    switch receive(input! + inputEnd, room) {
    case .moved(let count) where count > 0:
      if count < room { isReadable = peerEnded }
      let seen = inputEnd - inputStart
      inputEnd += count
      // Bytes that trickle in are looked at once each, not all of them again with every one.
      if hasPartialHead, seen + count < Limits.requestHead,
        RequestHead.findHeadEnd(input! + inputStart, seen + count, from: seen) == nil
      {
        return
      }
      processInput()
    case .wouldBlock:
      isReadable = false
    case .moved:
      // The viewer will never complete this head.
      inputEnded = true
      refuse(status: 400, reason: .badRequest, detail: "incomplete-head")
    case .failed:
      close()
    }
  }

  func processInput() {
    let start = inputStart
    let count = inputEnd - inputStart
    process(input! + start, count)
  }

  /// Goes through complete requests; keeps what is left.
  func process(_ base: UnsafeMutablePointer<UInt8>, _ count: Int) {
    let head = requestHead
    var at = RequestHead.leadingEmptyLines(base, count)
    while at < count {
      switch head.parse(base + at, count: count - at) {
      case .complete(let length):
        hasPartialHead = false
        requestCount &+= 1
        ownHeadLength = length
        phase = .exchanging
        isBeginning = true
        didFinishAtOnce = false
        presentHeadBase = UnsafePointer(base + at)
        let canPersist = requestCount < Limits.requestsPerConnection
        if isSecure, !tls!.covers(head.authority(in: base + at)) {
          exchange.beginMisdirected(head, base + at, canPersist: canPersist)
        } else {
          exchange.begin(head, base + at, canPersist: canPersist)
        }
        isBeginning = false
        presentHeadBase = nil
        if phase == .closed { return }
        if !didFinishAtOnce {
          keep(base + at, count - at)
          if !hasOutput {
            // Until the response comes, the origin's clock counts.
            clearDeadline()
            exchange.proceed()
          }
          return
        }
        at += length
        if phase != .reading {
          releaseInput()
          return
        }
        at += RequestHead.leadingEmptyLines(base + at, count - at)
      case .incomplete:
        if !hasPartialHead {
          hasPartialHead = true
          setDeadline(after: services.headTimeout)
        }
        keep(base + at, count - at)
        return
      case .failure(let error):
        if error == .unsupportedVersion && switchesToHTTP2(base + at, count - at) { return }
        refuse(
          status: error.status, reason: error.isTooLarge ? .requestTooLarge : .badRequest,
          detail: error.rawValue)
        return
      }
    }
    releaseInput()
    setDeadline(after: services.idleTimeout)
    if inputEnded { close() }
  }

  /// A connection in the clear that begins with HTTP/2's preface (RFC 9113 §3.3): the viewer knows
  /// that it is spoken here. Whether the preface is whole, its session sees.
  private func switchesToHTTP2(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int) -> Bool {
    let preface: StaticString = "PRI * HTTP/2.0"
    guard tls == nil, requestCount == 0, count >= preface.utf8CodeUnitCount,
      memcmp(bytes, preface.utf8Start, preface.utf8CodeUnitCount) == 0
    else { return false }
    // What was received may lie in memory of this connection's.
    phase = .closed
    let connection = HTTP2Connection(
      taking: self, services: services, address: address, tls: nil)
    connection.start(with: bytes, count, isReadable: isReadable, peerEnded: peerEnded)
    releaseInput()
    return true
  }

  /// Answers what is no request, and ends the connection.
  func refuse(status: UInt16, reason: Reason, detail: String) {
    hasPartialHead = false
    ownHeadLength = 0
    releaseInput()
    phase = .exchanging
    exchange.refuse(status: status, reason: reason, detail: detail)
  }

  // MARK: What is kept

  func keep(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int) {
    if let input, bytes >= input, bytes <= input + inputCapacity {
      inputStart = bytes - input
      inputEnd = inputStart + count
      return
    }
    inputStart = 0
    inputEnd = 0
    ensureInput(room: count)
    memcpy(input!, bytes, count)
    inputEnd = count
  }

  func ensureInput(room: Int) {
    if inputCapacity - inputEnd >= room { return }
    let used = inputEnd - inputStart
    if inputStart > 0, let input {
      memmove(input, input + inputStart, used)
      inputStart = 0
      inputEnd = used
      if inputCapacity - inputEnd >= room { return }
    }
    let size = max(4096, inputCapacity * 2, used + room)
    let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
    if let input { memcpy(larger, input + inputStart, used) }
    let previous = inputCapacity
    input?.deallocate()
    input = larger
    inputCapacity = size
    inputStart = 0
    inputEnd = used
    services.budget.charge(size - previous)
  }

  func releaseInput() {
    guard let input else { return }
    input.deallocate()
    services.budget.release(inputCapacity)
    self.input = nil
    inputCapacity = 0
    inputStart = 0
    inputEnd = 0
  }
}
