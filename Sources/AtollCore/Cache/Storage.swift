// SPDX-License-Identifier: Apache-2.0

/// Whether a response becomes an entry.
@usableFromInline
package enum StorageDecision: Equatable, Sendable {
  case store(Freshness)
  case refuse(Reason)
}

/// RFC 9111 §3 within the behavior's bounds.
/// - Parameters:
///   - method: of the request to the origin.
///   - requestTime: when that request was sent, in seconds since 1970.
///   - responseTime: when the response's head arrived.
///   - status: what the response counts as; a part is stored by the rules of the whole.
package func decideStorage(
  request: RequestCaching, method: Method, response: ResponseHead, base: UnsafePointer<UInt8>,
  behavior: BehaviorPolicy, requestTime: Int64, responseTime: Int64, status: UInt16? = nil
) -> StorageDecision {
  if request.bypass != .none { return .refuse(request.bypass) }
  // A HEAD brings no body to store.
  if method == .head || !behavior.cachesMethod(method) { return .refuse(.method) }
  let facts = ResponseFacts(response, base, now: responseTime)
  return decide(
    facts, status: status ?? response.status, request: request, behavior: behavior,
    requestTime: requestTime, responseTime: responseTime)
}

/// Whether an entry that the origin confirmed with 304 stays, and for how long (RFC 9111 §4.3.4).
/// - Parameters:
///   - status: of the stored response.
///   - stored: its head before the update.
///   - response: the 304.
package func decideUpdate(
  request: RequestCaching, status: UInt16, stored: UnsafeBufferPointer<UInt8>,
  response: ResponseHead, base: UnsafePointer<UInt8>, behavior: BehaviorPolicy,
  requestTime: Int64, responseTime: Int64
) -> StorageDecision {
  if request.bypass != .none { return .refuse(request.bypass) }
  let facts = ResponseFacts(stored: stored, updatedBy: response, base, now: responseTime)
  return decide(
    facts, status: status, request: request, behavior: behavior, requestTime: requestTime,
    responseTime: responseTime)
}

/// Whether a response to this method, with this status, invalidates what is stored for its URI
/// (RFC 9111 §4.4).
package func invalidates(_ method: Method, status: UInt16) -> Bool {
  !method.isSafe && status >= 200 && status < 400
}

/// Whether a status tells that the origin failed, so that a stale entry is better than the response
/// (RFC 5861 §4).
package func isOriginFailure(_ status: UInt16) -> Bool {
  status == 500 || (status >= 502 && status <= 504)
}

/// Longest lifetime that RFC 9111 §4.2.2's heuristic gives: a day.
private let heuristicLimit: Int64 = 86_400

private func decide(
  _ facts: ResponseFacts, status: UInt16, request: RequestCaching, behavior: BehaviorPolicy,
  requestTime: Int64, responseTime: Int64
) -> StorageDecision {
  let directives = facts.directives
  if let reason = refusalOfStatus(status, directives) { return .refuse(reason) }
  let errorTTL = behavior.errors.minimumTTL(of: status)
  let overridden =
    behavior.overridesOrigin
    && (errorTTL.map { $0 > 0 && isRememberedWithoutLifetime(status) } ?? (behavior.minimumTTL > 0))
    && !directives.flags.isDisjoint(with: [.noStore, .private, .noCache])
  if !overridden {
    // §5.2.2.3: must-understand takes no-store back for statuses that the edge understands.
    if directives.flags.contains(.noStore) && !directives.flags.contains(.mustUnderstand) {
      return .refuse(.responseNoStore)
    }
    if directives.flags.contains(.private) { return .refuse(.responsePrivate) }
  }
  if request.flags.contains(.authorization) && !directives.allowsAuthorization {
    return .refuse(.responseAuthorization)
  }
  if facts.variesOnEverything { return .refuse(.varyStar) }

  let mustValidate = directives.flags.contains(.noCache) && !overridden
  let lifetime: Int64
  var isExplicit = false
  if let errorTTL {
    let given = overridden ? nil : explicitLifetime(facts, responseTime: responseTime)
    guard
      let chosen = errorLifetime(
        status: status, minimum: Int64(errorTTL), explicit: given,
        maximum: Int64(behavior.maximumTTL),
        initialAge: initialAge(facts, requestTime, responseTime))
    else { return .refuse(.responseStatus) }
    isExplicit = given != nil
    lifetime = chosen
  } else if overridden {
    lifetime = Int64(behavior.minimumTTL)
  } else if let given = explicitLifetime(facts, responseTime: responseTime) {
    isExplicit = true
    lifetime = min(max(given, Int64(behavior.minimumTTL)), Int64(behavior.maximumTTL))
  } else if !isHeuristicallyCacheable(status) && !directives.flags.contains(.public) {
    return .refuse(.responseStatus)
  } else if mustValidate {
    lifetime = 0
  } else if let implicit = implicitLifetime(facts, behavior, responseTime: responseTime) {
    lifetime = implicit
  } else {
    return .refuse(.responseNoLifetime)
  }
  // Cookies make a response personal unless the origin itself says that it may be shared.
  if !isExplicit && facts.hasSetCookie && behavior.forwardsCookies {
    return .refuse(.responseSetCookie)
  }
  if !isExplicit && request.flags.contains(.cookie) { return .refuse(.requestCookie) }

  var freshness = makeFreshness(
    facts, lifetime: lifetime, isExplicit: isExplicit, mustValidate: mustValidate,
    overridden: overridden, behavior: behavior, requestTime: requestTime,
    responseTime: responseTime)
  if status >= 400 {
    freshness.flags.insert(.error)
    // An error that is remembered for a while must not come back a day later.
    if errorTTL != nil && directives.staleIfError < 0 { freshness.staleIfError = 0 }
  }
  // What can be neither used nor validated is a waste of memory.
  if !facts.hasValidator {
    if mustValidate { return .refuse(.responseNoCache) }
    if !freshness.isFresh(at: responseTime) && freshness.staleWhileRevalidate == 0
      && directives.staleIfError <= 0
    {
      return .refuse(.zeroLifetime)
    }
  }
  return .store(freshness)
}

private func makeFreshness(
  _ facts: ResponseFacts, lifetime: Int64, isExplicit: Bool, mustValidate: Bool,
  overridden: Bool, behavior: BehaviorPolicy, requestTime: Int64, responseTime: Int64
) -> Freshness {
  let directives = facts.directives
  var freshness = Freshness(
    responseTime: responseTime,
    initialAge: Int32(clamping: initialAge(facts, requestTime, responseTime)),
    lifetime: Int32(clamping: lifetime))
  if directives.sharedMaxAge >= 0
    || !directives.flags.isDisjoint(with: [.mustRevalidate, .proxyRevalidate])
  {
    freshness.flags.insert(.mustRevalidate)
  }
  if mustValidate { freshness.flags.insert(.noCache) }
  if isExplicit { freshness.flags.insert(.explicit) }
  if directives.flags.contains(.immutable) { freshness.flags.insert(.immutable) }
  if directives.allowsAuthorization { freshness.flags.insert(.sharedWithAuthorization) }
  if freshness.flags.isDisjoint(with: [.mustRevalidate, .noCache]) {
    freshness.staleIfError =
      directives.staleIfError >= 0 ? directives.staleIfError : behavior.staleIfError
    freshness.staleWhileRevalidate = max(directives.staleWhileRevalidate, 0)
  }
  return freshness
}

/// Statuses that are never stored, whatever their fields say.
private func refusalOfStatus(_ status: UInt16, _ directives: ResponseDirectives) -> Reason? {
  switch status {
  case 206: return .responsePartial
  case 0..<200, 304, 416: return .responseStatus
  default:
    // RFC 9111 §5.2.2.3.
    if directives.flags.contains(.mustUnderstand) && !isUnderstood(status) {
      return .responseStatus
    }
    return nil
  }
}

/// RFC 9110 §15.1, without 206.
package func isHeuristicallyCacheable(_ status: UInt16) -> Bool {
  switch status {
  case 200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501: true
  default: false
  }
}

/// The statuses whose requirements for caching this edge knows: those of RFC 9110 and RFC 6585.
private func isUnderstood(_ status: UInt16) -> Bool {
  switch status {
  case 200...205, 300...303, 305, 307, 308, 400...415, 417, 421, 422, 426, 428, 429, 431, 451,
    500...505, 511:
    true
  default: false
  }
}

/// RFC 9111 §4.2.1, for a shared cache: s-maxage, else max-age, else Expires less Date.
private func explicitLifetime(_ facts: ResponseFacts, responseTime: Int64) -> Int64? {
  if facts.directives.sharedMaxAge >= 0 { return Int64(facts.directives.sharedMaxAge) }
  if facts.directives.maxAge >= 0 { return Int64(facts.directives.maxAge) }
  switch facts.expires {
  case .absent: return nil
  case .invalid: return 0
  case .at(let time): return max(0, time &- (facts.date ?? responseTime))
  }
}

/// The lifetime of a response whose origin gives none: the behavior's default, else a tenth of the
/// time since the last change (RFC 9111 §4.2.2), else the minimum. Nil when there is nothing to go
/// by.
private func implicitLifetime(
  _ facts: ResponseFacts, _ behavior: BehaviorPolicy, responseTime: Int64
) -> Int64? {
  let minimum = Int64(behavior.minimumTTL)
  if behavior.defaultTTL >= 0 { return max(minimum, Int64(behavior.defaultTTL)) }
  if let lastModified = facts.lastModified {
    let unchanged = max(0, (facts.date ?? responseTime) &- lastModified)
    return min(max(min(unchanged / 10, heuristicLimit), minimum), Int64(behavior.maximumTTL))
  }
  return minimum > 0 ? minimum : nil
}

/// corrected_initial_age of RFC 9111 §4.2.3.
private func initialAge(
  _ facts: ResponseFacts, _ requestTime: Int64, _ responseTime: Int64
) -> Int64 {
  let apparent = max(0, responseTime &- (facts.date ?? responseTime))
  let corrected = facts.age &+ max(0, responseTime &- requestTime)
  return max(apparent, corrected)
}
