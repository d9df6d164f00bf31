// SPDX-License-Identifier: Apache-2.0
import AtollCore

extension Selection {
  /// Whether a Range field, and not the whole, is answered.
  var selectsRanges: Bool {
    switch self {
    case .range, .ranges, .unsatisfiable: true
    case .full, .notModified, .preconditionFailed: false
    }
  }

  /// The parts selected of a body of so many bytes; empty when there are none.
  func ranges(
    of total: Int, _ head: RequestHead, _ base: UnsafePointer<UInt8>
  ) -> [ByteRange] {
    switch self {
    case .range(let start, let length): return [ByteRange(start, start + length)]
    case .ranges:
      guard let value = head.fields.value(of: .range, in: base),
        case .parts(let parts) = selectRanges(value, bodyLength: total)
      else { return [] }
      return parts
    case .full: return total == 0 ? [] : [ByteRange(0, total)]
    case .notModified, .preconditionFailed, .unsatisfiable: return []
    }
  }
}

/// Responses with parts of a body (RFC 9110 §14 and §15.3.7).
extension Exchange {
  /// Several parts of a stored entry.
  func respondInParts(from entry: Entry, _ head: RequestHead, _ base: UnsafePointer<UInt8>) {
    let ranges = Selection.ranges.ranges(of: entry.bodyLength, head, base)
    guard !ranges.isEmpty else {
      return respondInPart(from: entry, .unsatisfiable, length: entry.bodyLength)
    }
    let tail = beginTail(entry)
    let multipart = appendPartialHead(
      ranges, of: entry.bodyLength, stored: sentHead(of: entry), to: tail)
    entry.retain()
    send(
      PartialBody(.entry(entry), ranges, multipart: multipart), head: services.headBuffer.bytes,
      tail)
  }

  /// What a Range field selects of a response that is being filled, as soon as its bytes are there.
  /// - Returns: false when the whole answers.
  func respondInPart(
    of fetch: Fetch, _ selection: Selection, _ head: RequestHead, _ base: UnsafePointer<UInt8>
  ) -> Bool {
    // Of a response that does not say how long it is no part can be described: like CloudFront's,
    // the answer is the whole.
    guard let length = fetch.length.flatMap({ Int(exactly: $0) }), let freshness = fetch.freshness
    else { return false }
    let ranges = selection.ranges(of: length, head, base)
    if let first = ranges.first, case .coalesced = verdict.outcome, !mustNotShare,
      isOutOfReach(first.start, fetch)
    {
      leaveFetch()
      proceed()
      return true
    }
    let tail = services.tailBuffer
    tail.removeAll()
    let now = services.loop.wallTime
    appendVerdict(
      verdict, age: freshness.initialAge > 0 ? freshness.age(at: now) : nil,
      ttl: freshness.remaining(at: now), originStatus: fetch.originStatus, stored: true, to: tail)
    originStatus = fetch.originStatus
    noteUpstream(fetch)
    if ranges.isEmpty {
      status = 416
      let out = services.headBuffer
      out.removeAll()
      appendStatusLine(416, to: out)
      tail.append("Content-Range: bytes */")
      tail.appendDecimal(UInt64(length))
      tail.append("\r\nContent-Length: 0\r\n")
      let answer = sentHead(making: out.bytes)
      endTail(tail)
      leaveFetch()
      send(answer, tail, nil, position: 0, count: 0)
      return true
    }
    let multipart = appendPartialHead(
      ranges, of: length, stored: sentHead(of: fetch), to: tail)
    send(
      PartialBody(.fetch(from: 0), ranges, multipart: multipart), head: services.headBuffer.bytes,
      tail)
    return true
  }

  /// Whether a range is better asked for on its own than awaited from this fill.
  func isOutOfReach(_ start: Int, _ fetch: Fetch) -> Bool {
    guard let behavior, behavior.settings.sliceSize > 0, !fetch.isWhole, fetch.length != nil,
      fetch.meta.hasStrongValidator
    else { return false }
    return !isWithinReach(start, available: fetch.view.available)
  }

  /// Writes status line and fields of a 206 into the head buffer, and what is left of its head into
  /// the tail.
  func appendPartialHead(
    _ ranges: [ByteRange], of total: Int, stored: UnsafeBufferPointer<UInt8>, to tail: ByteBuffer
  ) -> MultipartRanges? {
    status = 206
    let out = services.headBuffer
    out.removeAll()
    var multipart: MultipartRanges?
    if ranges.count == 1 {
      appendPartHead(stored: stored, to: out)
      tail.appendContentRange(ranges[0], of: total)
    } else {
      var generator = SystemRandomNumberGenerator()
      multipart = MultipartRanges(
        ranges, of: total, stored: stored, nonce: (generator.next(), generator.next()))
      multipart?.appendHead(stored: stored, to: out)
    }
    tail.append("Content-Length: ")
    tail.appendDecimal(UInt64(multipart?.contentLength ?? ranges[0].count))
    tail.append("\r\n")
    endTail(tail)
    return multipart
  }

  /// A response whose body, if any, comes in parts.
  func send(_ parts: PartialBody?, head: UnsafeBufferPointer<UInt8>, _ tail: ByteBuffer) {
    hasResponded = true
    step = .responding
    headBytes = head.count + tail.count
    if beganAt != 0 { firstByteAt = SystemCall.monotonicMicroseconds() }
    self.parts = parts
    viewer.respond(
      head: head, tail: tail, hasBody: parts != nil, chunked: false, endsByClose: false,
      closes: !persists)
  }
}
