// SPDX-License-Identifier: Apache-2.0

/// Which responses tell viewers how the edge got them (Server-Timing; CloudFront §22).
package struct ServerTimingPolicy: Sendable {
  /// Of 2^64 evenly spread numbers, those below get it.
  private let threshold: UInt64
  private let isAlways: Bool

  /// - Parameter percent: the share of responses; 0 leaves those that ask for it.
  package init(percent: Double) {
    isAlways = percent >= 100
    threshold = isAlways ? .max : UInt64(max(percent, 0) / 100 * 0x1p64)
  }

  /// - Parameter number: of the request, evenly spread.
  package func selects(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, number: UInt64
  ) -> Bool {
    isAlways || number < threshold || Self.isAsked(head, base)
  }

  /// `Pragma: server-timing` always gets it.
  private static func isAsked(_ head: RequestHead, _ base: UnsafePointer<UInt8>) -> Bool {
    var line = head.fields.firstIndex(of: .pragma)
    while let index = line {
      var members = ListMembers(head.fields.value(at: index, in: base))
      while let member = members.next() {
        if equalsIgnoringCase(member, "server-timing") { return true }
      }
      line = head.fields.nextIndex(of: .pragma, after: index)
    }
    return false
  }
}

/// What getting a response from the origin took, in microseconds; -1 for what was not measured.
package struct UpstreamTiming: Equatable, Sendable {
  /// Looking up the name; 0 on a connection that was open.
  package var resolve: Int64 = -1
  /// Connecting; 0 on a connection that was open.
  package var connect: Int64 = -1
  /// From the request to the first byte of its response.
  package var firstByte: Int64 = -1
  /// When the step under way began, on the monotonic clock.
  private var mark: Int64 = 0

  package init() {}

  /// The name is being looked up; addresses known already take no time.
  package mutating func beginResolving(at now: Int64) { mark = now }

  package mutating func beginConnecting(at now: Int64) {
    if resolve < 0 { resolve = mark == 0 ? 0 : now - mark }
    mark = now
  }

  /// The request is on its way.
  /// - Parameter reused: on a connection that was open already.
  package mutating func beginWaiting(at now: Int64, reused: Bool) {
    connect = reused ? 0 : now - mark
    if reused { resolve = 0 }
    mark = now
  }

  package mutating func received(at now: Int64) { firstByte = now - mark }
}

/// Appends a Server-Timing line (W3C Server Timing §3.1): what the origin said, then the edge's own.
/// - Parameters:
///   - origins: the values of the origin's lines, of a response that it has just sent.
///   - upstream: of the fetch that this exchange made; nil when it made none.
///   - elapsed: microseconds since the request arrived.
package func appendServerTiming(
  _ verdict: Verdict, requestID: (high: UInt64, low: UInt64), origins: [UnsafeBufferPointer<UInt8>],
  upstream: UpstreamTiming?, elapsed: Int64, to buffer: ByteBuffer
) {
  buffer.append("Server-Timing: ")
  appendOrigins(origins, to: buffer)
  switch verdict.outcome {
  case .hit, .stale, .coalesced:
    buffer.append("cdn-cache-hit, cdn-hit-layer;desc=\"EDGE\", ")
  case .revalidated: buffer.append("cdn-cache-refresh, ")
  case .miss, .pass: buffer.append("cdn-cache-miss, ")
  case .error, .local: break
  }
  buffer.append("cdn-rid;desc=\"")
  buffer.appendHex(requestID.high)
  buffer.appendHex(requestID.low)
  buffer.append("\"")
  if let upstream {
    buffer.append(", cdn-upstream-layer;desc=\"EDGE\"")
    appendDuration("cdn-upstream-dns", upstream.resolve, to: buffer)
    appendDuration("cdn-upstream-connect", upstream.connect, to: buffer)
    appendDuration("cdn-upstream-fbl", upstream.firstByte, to: buffer)
  }
  appendDuration("cdn-downstream-fbl", elapsed, to: buffer)
  buffer.append("\r\n")
}

/// Appends the origin's Server-Timing alone; nothing when it sent none.
package func appendServerTiming(
  origins: [UnsafeBufferPointer<UInt8>], to buffer: ByteBuffer
) {
  for origin in origins {
    buffer.append("Server-Timing: ")
    buffer.append(origin)
    buffer.append("\r\n")
  }
}

/// The values of the Server-Timing lines of a head as the origin sent it.
package func serverTimings(_ head: UnsafeBufferPointer<UInt8>) -> [UnsafeBufferPointer<UInt8>] {
  var lines = StoredLines(head)
  var values: [UnsafeBufferPointer<UInt8>] = []
  while let line = lines.next() {
    if !line.value.isEmpty, equalsIgnoringCase(line.name, "server-timing") {
      values.append(line.value)
    }
  }
  return values
}

private func appendOrigins(_ origins: [UnsafeBufferPointer<UInt8>], to buffer: ByteBuffer) {
  for origin in origins {
    buffer.append(origin)
    buffer.append(", ")
  }
}

/// Milliseconds, with three digits after the point.
private func appendDuration(_ name: StaticString, _ time: Int64, to buffer: ByteBuffer) {
  if time < 0 { return }
  buffer.append(", ")
  buffer.append(name)
  buffer.append(";dur=")
  buffer.appendDecimal(UInt64(time / 1000))
  let rest = time % 1000
  if rest == 0 { return }
  buffer.append(".")
  for unit: Int64 in [100, 10, 1] {
    buffer.append(UInt8(truncatingIfNeeded: 48 + rest / unit % 10))
  }
}
