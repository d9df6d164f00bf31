// SPDX-License-Identifier: Apache-2.0

/// What a request may do with an entry that matches it.
@usableFromInline
package enum UseDecision: Equatable, Sendable {
  case fresh
  /// As fresh, but an error: its distribution may have a page instead.
  case freshError
  /// Not before the origin has confirmed it.
  case revalidate(Reason)
  /// At once, while the origin is asked on the side (RFC 5861 §3); a request's max-stale is
  /// answered the same way.
  case staleWhileRevalidate
}

/// RFC 9111 §4.
@inline(__always)
package func decideUse(
  _ freshness: Freshness, softPurged: Bool, request: RequestCaching, now: Int64
) -> UseDecision {
  if !softPurged && freshness.flags.isDisjoint(with: [.noCache, .error])
    && request.flags.isSubset(of: .cookie) && freshness.isFresh(at: now)
  {
    return .fresh
  }
  return decideUseClosely(freshness, softPurged: softPurged, request: request, now: now)
}

/// Whether that is `fresh`, as it nearly always is, for who has a stored entry.
package func isFresh(_ entry: Entry, for request: RequestCaching.Flags, at now: Int64) -> Bool {
  let freshness = entry.freshness
  return !entry.isSoftPurged && freshness.flags.isDisjoint(with: [.noCache, .error])
    && request.isSubset(of: .cookie) && freshness.isFresh(at: now)
}

@inline(never)
private func decideUseClosely(
  _ freshness: Freshness, softPurged: Bool, request: RequestCaching, now: Int64
) -> UseDecision {
  if softPurged { return .revalidate(.purged) }
  if freshness.flags.contains(.noCache) { return .revalidate(.responseNoCache) }
  if !mayShare(freshness, request) { return .revalidate(.requestAuthorization) }
  if request.flags.contains(.noCache) { return .revalidate(.requestNoCache) }
  let age = freshness.age(at: now)
  let remaining = Int64(freshness.lifetime) &- age
  // RFC 9111 §5.2.1.1. A fresh response that its origin calls immutable is not validated for that,
  // which is what a reload asks for (RFC 8246 §2.1); no-cache, a forced reload, was heeded above.
  let isImmutable = freshness.flags.contains(.immutable) && remaining > 0
  // A stored response is always older than 0 seconds, though its age, in whole ones, may say 0.
  if request.maxAge >= 0 && (age > Int64(request.maxAge) || request.maxAge == 0) && !isImmutable {
    return .revalidate(.requestMaxAge)
  }
  // §5.2.1.3.
  if request.minFresh > 0 && remaining < Int64(request.minFresh) {
    return .revalidate(remaining > 0 ? .requestMaxAge : .expired)
  }
  if remaining > 0 { return freshness.flags.contains(.error) ? .freshError : .fresh }
  let staleness = -remaining
  // §5.2.1.2, unless the origin forbids it.
  if request.maxStale >= 0 && staleness <= Int64(request.maxStale)
    && !freshness.flags.contains(.mustRevalidate)
  {
    return .staleWhileRevalidate
  }
  // §5.2.1.1: with max-age and no max-stale, "the client does not wish to receive a stale response".
  // What forbids serving stale has set the allowance to 0.
  if request.maxAge >= 0 || staleness >= Int64(freshness.staleWhileRevalidate) {
    return .revalidate(.expired)
  }
  return .staleWhileRevalidate
}

/// Whether the entry may stand in for an origin that failed or cannot be reached (RFC 9111 §4.2.4,
/// RFC 5861 §4). A soft purge does not forbid that.
package func mayServeStaleOnError(
  _ freshness: Freshness, request: RequestCaching, now: Int64
) -> Bool {
  if freshness.flags.contains(.noCache) || !mayShare(freshness, request) { return false }
  let remaining = freshness.remaining(at: now)
  if remaining > 0 { return true }
  var allowance = freshness.staleIfError
  if request.staleIfError >= 0 { allowance = min(allowance, request.staleIfError) }
  return -remaining < Int64(allowance)
}

/// RFC 9111 §3.5 speaks of responses to requests with credentials. Going further is careful: who
/// sends credentials may be due another response than the one made for somebody without, so it
/// takes the origin's word that they are the same.
private func mayShare(_ freshness: Freshness, _ request: RequestCaching) -> Bool {
  !request.flags.contains(.authorization) || freshness.flags.contains(.sharedWithAuthorization)
}
