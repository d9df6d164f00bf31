// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What a behavior's response header policy makes of the heads that leave.
extension Exchange {
  /// An entry's head as viewers get it: as it was prepared when it was stored, made anew when the
  /// settings have changed since.
  func sentHead(of entry: Entry) -> UnsafeBufferPointer<UInt8> {
    sentHead(entry.head, prepared: entry.sent)
  }

  func sentHead(of fetch: Fetch) -> UnsafeBufferPointer<UInt8> {
    sentHead(fetch.head.bytes, prepared: fetch.sent.bytes)
  }

  private func sentHead(
    _ head: UnsafeBufferPointer<UInt8>, prepared: UnsafeBufferPointer<UInt8>
  ) -> UnsafeBufferPointer<UInt8> {
    guard let policy = behavior?.responses, !policy.isEmpty else { return head }
    if let sent = SentHead(stored: prepared, policy: policy) {
      originStatements = sent.statements
      return sent.bytes
    }
    return sentHead(making: head)
  }

  /// The head of an answer that was made just now. Valid until the next one.
  func sentHead(
    making head: UnsafeBufferPointer<UInt8>, keepsCacheControl: Bool = false
  ) -> UnsafeBufferPointer<UInt8> {
    guard let policy = behavior?.responses, !policy.isEmpty else { return head }
    let out = services.sentBuffer
    out.removeAll()
    originStatements = policy.appendHead(
      of: head, keepsCacheControl: keepsCacheControl, now: services.loop.wallTime, to: out)
    return out.bytes
  }

  /// Who began a fetch knows what it took.
  func noteUpstream(_ fetch: Fetch) {
    if verdict.outcome != .coalesced { upstream = fetch.timing }
  }

  /// What depends on the request: CORS for its origin, Strict-Transport-Security, Server-Timing.
  @inline(never)
  func appendPolicyFields(_ tail: ByteBuffer) {
    guard let policy = behavior?.responses, policy.followsRequest,
      let head = viewer.presentHead, let base = viewer.presentHeadBase
    else { return }
    if let cors = policy.cors, !originStatements.contains(.cors) {
      cors.appendAnswer(to: head, base, to: tail)
    }
    if policy.securesTransport, viewerScheme(head, base) == .https {
      policy.appendTransportSecurity(originStatements, to: tail)
    }
    guard let timing = policy.timing else { return }
    // What the origin measured is about this exchange alone: it is not told again with a hit.
    var origins: [UnsafeBufferPointer<UInt8>] = []
    if let fetch, verdict.outcome == .miss || verdict.outcome == .pass {
      origins = serverTimings(fetch.head.bytes)
    }
    if timing.selects(head, base, number: requestID.low) {
      appendServerTiming(
        verdict, requestID: (requestID.high, requestID.low), origins: origins, upstream: upstream,
        elapsed: SystemCall.monotonicMicroseconds() - beganAt, to: tail)
    } else {
      appendServerTiming(origins: origins, to: tail)
    }
  }
}
