// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Appends what the edge says about an exchange, one line each: Age (RFC 9111 §5.1), X-Cache and
/// Cache-Status (RFC 9211).
/// - Parameters:
///   - age: of the response; nil for no Age line.
///   - ttl: seconds until it is stale, negative afterwards; nil when it has no lifetime.
///   - originStatus: of the response that this exchange got from the origin; 0 when it got none.
///   - stored: the response is being stored.
///   - lookup: why the lookup found nothing usable, when the verdict tells another reason.
///   - wasReleased: it waited for another's response, which did not answer it.
package func appendVerdict(
  _ verdict: Verdict, age: Int64?, ttl: Int64?, originStatus: UInt16, stored: Bool,
  lookup: Reason = .none, wasReleased: Bool = false, to buffer: ByteBuffer
) {
  if verdict.outcome == .hit, verdict.reason == .none, let age, let ttl, ttl >= 0 {
    return appendHit(age: UInt64(max(age, 0)), ttl: UInt64(ttl), to: buffer)
  }
  appendVerdictOfAny(
    verdict, age: age, ttl: ttl, originStatus: originStatus, stored: stored, isError: false,
    lookup: lookup, wasReleased: wasReleased, to: buffer)
}

/// The same about a response whose status is 400 or more.
package func appendErrorVerdict(
  _ verdict: Verdict, age: Int64?, ttl: Int64?, originStatus: UInt16, stored: Bool,
  lookup: Reason = .none, wasReleased: Bool = false, to buffer: ByteBuffer
) {
  appendVerdictOfAny(
    verdict, age: age, ttl: ttl, originStatus: originStatus, stored: stored, isError: true,
    lookup: lookup, wasReleased: wasReleased, to: buffer)
}

private func appendVerdictOfAny(
  _ verdict: Verdict, age: Int64?, ttl: Int64?, originStatus: UInt16, stored: Bool, isError: Bool,
  lookup: Reason, wasReleased: Bool, to buffer: ByteBuffer
) {
  if let age {
    buffer.append("Age: ")
    buffer.appendDecimal(UInt64(max(age, 0)))
    buffer.append("\r\n")
  }
  buffer.append(xCacheLine(isError ? Verdict(.error) : verdict))
  appendOutcome(
    verdict, originStatus: originStatus, stored: stored, lookup: lookup, wasReleased: wasReleased,
    to: buffer)
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

/// Appends the key parameter (RFC 9211 §2.7) to the Cache-Status line that ends the buffer: URL and
/// what else the behavior keys, separated by spaces. Only for those who may know.
package func appendKeyParameter(_ key: UnsafeBufferPointer<UInt8>, to buffer: ByteBuffer) {
  buffer.truncate(to: buffer.count - 2)
  buffer.append("; key=\"")
  let url = keyURL(key)
  appendQuoted(url, to: buffer)
  let parts = UnsafeBufferPointer(
    rebasing: key.dropFirst(min(KeyLayout.urlOffset + url.count, key.count)))
  var at = 0
  while at + 2 <= parts.count {
    let prefix = Int(parts[at]) | Int(parts[at + 1]) << 8
    let end = min(at + 2 + max(prefix - 1, 0), parts.count)
    buffer.append(" ")
    if prefix == 0 { buffer.append("-") }
    appendQuoted(UnsafeBufferPointer(rebasing: parts[(at + 2)..<end]), to: buffer)
    at = end
  }
  buffer.append("\"\r\n")
}

/// As a String of Structured Fields takes it (RFC 8941 §3.3.3); other bytes percent-encoded.
private func appendQuoted(_ bytes: UnsafeBufferPointer<UInt8>, to buffer: ByteBuffer) {
  for byte in bytes {
    switch byte {
    case 0x22, 0x5c:
      buffer.append(0x5c)
      buffer.append(byte)
    case 0x20...0x7e: buffer.append(byte)
    default:
      buffer.append(UInt8(ascii: "%"))
      appendHexByte(byte, letters: UInt8(ascii: "A"), to: buffer)
    }
  }
}

/// The same for the usual hit, with one look at the room in the buffer: the copies become a few
/// moves of constants.
private func appendHit(age: UInt64, ttl: UInt64, to buffer: ByteBuffer) {
  let start = buffer.reserveTail(128)
  buffer.advance(by: writeHit(age: age, ttl: ttl, to: start) - start)
}

@inline(__always)
private func writeHit(age: UInt64, ttl: UInt64, to start: UnsafeMutablePointer<UInt8>)
  -> UnsafeMutablePointer<UInt8>
{
  var at = write("Age: ", to: start)
  at = ByteBuffer.writeDecimal(age, to: at)
  at = write("\r\nX-Cache: Hit from atoll\r\nCache-Status: atoll; hit; ttl=", to: at)
  at = ByteBuffer.writeDecimal(ttl, to: at)
  return write("\r\n", to: at)
}

/// What a response takes over from its entry.
package struct HitFacts {
  package var status: UInt16
  package var bodyLength: Int
  package var age: Int64
}

/// What ends a head behind its last line: whether the connection persists, where HTTP/1.1 or HTTP/1.0
/// needs a word about it, and the empty line.
package func headEnd(persists: Bool, minorVersion: UInt8) -> StaticString {
  if !persists { return "\r\nConnection: close\r\n\r\n" }
  return minorVersion == 0 ? "\r\nConnection: keep-alive\r\n\r\n" : "\r\n\r\n"
}

/// Appends the lines of a usual hit that is sent whole, beside its head, and what ends them: the
/// above, Content-Length and X-Request-Id.
/// - Parameters:
///   - entry: is fresh at `now`.
///   - persists, minorVersion: see `headEnd`.
package func appendHit(
  _ entry: Entry, at now: Int64, requestID: (high: UInt64, low: UInt64), persists: Bool,
  minorVersion: UInt8, to buffer: ByteBuffer
) -> HitFacts {
  let freshness = entry.freshness
  let facts = HitFacts(
    status: entry.status, bodyLength: entry.bodyLength, age: freshness.age(at: now))
  let start = buffer.reserveTail(256)
  var at = writeHit(
    age: UInt64(max(facts.age, 0)), ttl: UInt64(max(freshness.remaining(at: now), 0)), to: start)
  // RFC 9110 §8.6: none with 204.
  if facts.status != 204 {
    at = write("Content-Length: ", to: at)
    at = ByteBuffer.writeDecimal(UInt64(facts.bodyLength), to: at)
    at = write("\r\n", to: at)
  }
  at = write("X-Request-Id: ", to: at)
  ByteBuffer.writeHex(requestID.high, to: at)
  ByteBuffer.writeHex(requestID.low, to: at + 16)
  at += 32
  if persists && minorVersion > 0 {
    at = write("\r\n\r\n", to: at)
  } else {
    at = write(headEnd(persists: persists, minorVersion: minorVersion), to: at)
  }
  buffer.advance(by: at - start)
  return facts
}

@inline(__always)
private func write(_ text: StaticString, to start: UnsafeMutablePointer<UInt8>)
  -> UnsafeMutablePointer<UInt8>
{
  memcpy(start, text.utf8Start, text.utf8CodeUnitCount)
  return start + text.utf8CodeUnitCount
}

@inline(never)
private func appendOutcome(
  _ verdict: Verdict, originStatus: UInt16, stored: Bool, lookup: Reason, wasReleased: Bool,
  to buffer: ByteBuffer
) {
  buffer.append("Cache-Status: atoll")
  // A stale entry is a hit unless the origin was asked first (RFC 9211 §2.1).
  if verdict.outcome == .hit
    || (verdict.outcome == .stale
      && (verdict.reason == .staleWhileRevalidate || verdict.reason == .originRecentlyFailed))
  {
    buffer.append("; hit")
  } else if let forward = forwardReason(verdict, lookup) {
    buffer.append("; fwd=")
    buffer.append(forward)
    if originStatus != 0 {
      buffer.append("; fwd-status=")
      buffer.appendDecimal(UInt64(originStatus))
    }
    if verdict.outcome == .coalesced {
      buffer.append("; collapsed")
    } else if wasReleased {
      buffer.append("; collapsed=?0")
    }
    if stored { buffer.append("; stored") }
  }
}

/// CloudFront's words, which scripts look for; it counts followers of a fill as hits.
private func xCacheLine(_ verdict: Verdict) -> StaticString {
  switch verdict.outcome {
  case .hit, .stale, .coalesced: "X-Cache: Hit from atoll\r\n"
  case .revalidated: "X-Cache: RefreshHit from atoll\r\n"
  case .miss, .pass: "X-Cache: Miss from atoll\r\n"
  case .error: "X-Cache: Error from atoll\r\n"
  case .local:
    verdict.reason == .redirect
      ? "X-Cache: Redirect from atoll\r\n" : "X-Cache: GeneratedResponse from atoll\r\n"
  }
}

/// The fwd parameter of RFC 9211 §2.2; nil when the request did not go forward.
private func forwardReason(_ verdict: Verdict, _ lookup: Reason) -> StaticString? {
  switch verdict.outcome {
  case .hit, .local: return nil
  case .stale:
    // What stood in for a failed origin may be fresh, when the request wanted it validated.
    return lookup == .requestNoCache || lookup == .requestMaxAge ? "request" : "stale"
  case .pass:
    switch verdict.reason {
    case .method: return "method"
    case .requestNoStore: return "request"
    // These were looked up before.
    case .requestRange, .requestCondition: return forwardReason(of: lookup) ?? "request"
    default: return "bypass"
    }
  case .miss, .coalesced, .revalidated:
    return forwardReason(of: lookup == .none ? verdict.reason : lookup)
      ?? (verdict.outcome == .revalidated ? "stale" : "miss")
  case .error:
    switch verdict.reason {
    case .originDns, .originConnect, .originTimeout, .originBadResponse, .originClosed,
      .originTls, .originCertificateExpired, .originCertificateName, .originCertificateUntrusted,
      .originError, .originUnreachable, .originRange:
      return "miss"
    default: return nil
    }
  }
}

/// What the lookup found.
private func forwardReason(of lookup: Reason) -> StaticString? {
  switch lookup {
  // What was purged is not there any more.
  case .absent, .purged: "uri-miss"
  case .partial: "partial"
  case .varyMismatch: "vary-miss"
  case .expired, .responseNoCache: "stale"
  case .requestNoCache, .requestMaxAge, .requestAuthorization, .requestCondition: "request"
  default: nil
  }
}
