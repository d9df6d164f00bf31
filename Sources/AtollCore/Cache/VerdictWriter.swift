// SPDX-License-Identifier: Apache-2.0

/// Appends what the edge says about an exchange, one line each: Age (RFC 9111 §5.1), X-Cache and
/// Cache-Status (RFC 9211).
/// - Parameters:
///   - age: of the response; nil for no Age line.
///   - ttl: seconds until it is stale, negative afterwards; nil when it has no lifetime.
///   - originStatus: of the response that this exchange got from the origin; 0 when it got none.
///   - stored: the response is being stored.
package func appendVerdict(
  _ verdict: Verdict, age: Int64?, ttl: Int64?, originStatus: UInt16, stored: Bool,
  to buffer: ByteBuffer
) {
  buffer.reserve(256)
  if let age {
    buffer.append("Age: ")
    buffer.appendDecimal(UInt64(max(age, 0)))
    buffer.append("\r\n")
  }
  if verdict.outcome == .hit {
    buffer.append("X-Cache: Hit from atoll\r\nCache-Status: atoll; hit")
  } else {
    appendOutcome(verdict, originStatus: originStatus, stored: stored, to: buffer)
  }
  if let ttl {
    buffer.append(ttl < 0 ? "; ttl=-" : "; ttl=")
    buffer.appendDecimal(ttl.magnitude)
  }
  if verdict.reason != .none {
    buffer.append("; detail=")
    buffer.append(verdict.reason.text)
  }
  buffer.append("\r\n")
}

@inline(never)
private func appendOutcome(
  _ verdict: Verdict, originStatus: UInt16, stored: Bool, to buffer: ByteBuffer
) {
  buffer.append(xCacheLine(verdict.outcome))
  buffer.append("Cache-Status: atoll")
  // A stale entry is a hit unless the origin was asked first (RFC 9211 §2.1).
  if verdict.outcome == .stale && verdict.reason == .staleWhileRevalidate {
    buffer.append("; hit")
  } else if let forward = forwardReason(verdict) {
    buffer.append("; fwd=")
    buffer.append(forward)
    if originStatus != 0 {
      buffer.append("; fwd-status=")
      buffer.appendDecimal(UInt64(originStatus))
    }
    if verdict.outcome == .coalesced { buffer.append("; collapsed") }
    if stored { buffer.append("; stored") }
  }
}

/// CloudFront's words, which scripts look for; it counts followers of a fill as hits.
private func xCacheLine(_ outcome: Outcome) -> StaticString {
  switch outcome {
  case .hit, .stale, .coalesced: "X-Cache: Hit from atoll\r\n"
  case .revalidated: "X-Cache: RefreshHit from atoll\r\n"
  case .miss, .pass: "X-Cache: Miss from atoll\r\n"
  case .error: "X-Cache: Error from atoll\r\n"
  }
}

/// The fwd parameter of RFC 9211 §2.2; nil when the request did not go forward.
private func forwardReason(_ verdict: Verdict) -> StaticString? {
  switch verdict.outcome {
  case .hit: return nil
  case .stale: return "stale"
  case .pass: return verdict.reason == .method ? "method" : "bypass"
  case .miss, .coalesced, .revalidated:
    switch verdict.reason {
    case .notStored: return "uri-miss"
    case .varyMismatch: return "vary-miss"
    case .expired: return "stale"
    case .requestNoCache, .requestMaxAge, .requestAuthorization: return "request"
    default: return verdict.outcome == .revalidated ? "stale" : "miss"
    }
  case .error:
    switch verdict.reason {
    case .originDns, .originConnect, .originTimeout, .originBadResponse, .originClosed,
      .originTls, .originError, .originUnreachable:
      return "miss"
    default: return nil
    }
  }
}
