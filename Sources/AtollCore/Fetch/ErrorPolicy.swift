// SPDX-License-Identifier: Apache-2.0

/// What a distribution does about errors, compiled: for how long they are remembered and which page
/// stands in for them (CloudFront §19 and §20). Not for the hot path.
package final class ErrorPolicy: Sendable {
  /// What viewers get instead of the errors of one status.
  package struct Rule: Sendable {
    package let status: UInt16
    package let responseStatus: UInt16
    /// Nil: the error's own body.
    package let page: Page?
  }

  package enum Page: Sendable {
    /// Path and query in the distribution.
    case path([UInt8])
    case file(ErrorPageFile)
  }

  /// Seconds; nil: as RFC 9111 has it.
  private let minimumTTL: Int32?
  private let minimumTTLs: [UInt16: Int32]
  private let rules: [UInt16: Rule]

  /// - Parameter files: those that the settings name, by path; a page whose file is not among them
  ///   is left out.
  package init(_ settings: ErrorSettings, files: [String: ErrorPageFile] = [:]) {
    minimumTTL = settings.minimumTTL.map { Int32(clamping: max($0, 0)) }
    var lifetimes: [UInt16: Int32] = [:]
    var rules: [UInt16: Rule] = [:]
    for response in settings.responses {
      let status = UInt16(clamping: response.status)
      lifetimes[status] = response.minimumTTL.map { Int32(clamping: max($0, 0)) }
      let page: Page?
      switch response.page {
      case nil:
        if response.responseStatus ?? response.status == response.status { continue }
        page = nil
      case .path(let path): page = .path(Array(path.utf8))
      case .file(let path):
        guard let file = files[path] else { continue }
        page = .file(file)
      }
      rules[status] = Rule(
        status: status,
        responseStatus: UInt16(clamping: response.responseStatus ?? response.status), page: page)
    }
    minimumTTLs = lifetimes
    self.rules = rules
  }

  /// Seconds for which errors of this status are remembered at least; nil: as RFC 9111 has it, or
  /// because the status is no error's.
  package func minimumTTL(of status: UInt16) -> Int32? {
    if status < 400 { return nil }
    return minimumTTLs[status] ?? minimumTTL
  }

  /// The rule for this status.
  /// - Parameter reason: why the edge itself answers so; nil when the origin did.
  package func rule(for status: UInt16, madeBecause reason: Reason?) -> Rule? {
    guard let rule = rules[status] else { return nil }
    if let reason, !mayHavePage(reason) { return nil }
    return rule
  }
}

/// Whether a rule is for errors that the edge makes for this reason: for what the
/// distribution's origins or settings brought about. Not where fetching a page would make matters
/// worse (CloudFront §20 names 503 Limit or Capacity Exceeded), nor where the request asked for
/// nothing to be fetched or may see nothing of the distribution.
private func mayHavePage(_ reason: Reason) -> Bool {
  switch reason {
  case .countryBlocked, .methodNotAllowed, .requestBody, .originRange, .originRecentlyFailed: true
  default: isFailureOfOrigin(reason)
  }
}

/// Whether the edge got no usable response from the origin at all: such a failure may be remembered
/// for all that ask the same.
package func isFailureOfOrigin(_ reason: Reason) -> Bool {
  switch reason {
  case .originDns, .originConnect, .originTimeout, .originBadResponse, .originClosed, .originTls,
    .originCertificateExpired, .originCertificateName, .originCertificateUntrusted,
    .originUnhealthy:
    true
  default: false
  }
}

/// The status that tells of an exchange that failed for this reason (RFC 9110 §15.6, CloudFront
/// §21).
/// - Parameter forbidsStale: a stored response would do but for a directive that forbids it without
///   validation (RFC 9111 §5.2.2.2).
package func failureStatus(_ reason: Reason, forbidsStale: Bool = false) -> UInt16 {
  switch reason {
  case .originTimeout: 504
  case .overloaded, .draining, .originUnhealthy: 503
  case .originDns, .originConnect, .originClosed: forbidsStale ? 504 : 502
  default: 502
  }
}

// MARK: Lifetimes

/// Whether a distribution that remembers errors keeps those of this status although nothing gives
/// them a lifetime (CloudFront §19). The others need an explicit one.
package func isRememberedWithoutLifetime(_ status: UInt16) -> Bool {
  switch status {
  case 404, 414, 500...504: true
  default: false
  }
}

/// CloudFront's lifetime of an error that may be stored: the minimum from its arrival on, or what
/// the origin says if that is longer; nil when it is not stored.
/// - Parameters:
///   - minimum: the error caching minimum TTL, in seconds.
///   - explicit: the lifetime that the origin gives.
///   - maximum: the behavior's, which bounds what the origin says and not the minimum.
///   - initialAge: that it arrived with.
package func errorLifetime(
  status: UInt16, minimum: Int64, explicit: Int64?, maximum: Int64, initialAge: Int64
) -> Int64? {
  guard let explicit else {
    return isRememberedWithoutLifetime(status) ? minimum &+ initialAge : nil
  }
  // A minimum of 0 leaves a response that arrives expired expired.
  return max(minimum > 0 ? minimum &+ initialAge : 0, min(explicit, maximum))
}

/// Whether a response tells of a failure only, so that it is stored beside the entry of its URL and
/// never in its place.
package func isStoredApart(_ status: UInt16) -> Bool { status >= 500 }

/// Whether a stale entry may answer for an origin that failed (RFC 9111 §4.2.4). A soft purge ends
/// its lifetime, but does not forbid that.
package func mayStandIn(
  _ freshness: Freshness, softPurged: Bool, request: RequestCaching, now: Int64
) -> Bool {
  var freshness = freshness
  if softPurged && freshness.isFresh(at: now) {
    freshness.lifetime = Int32(clamping: freshness.age(at: now))
  }
  return mayServeStaleOnError(freshness, request: request, now: now)
}

/// What to do with a failure that is remembered for a request.
package enum FailureUse: Equatable, Sendable {
  /// Ask the origin.
  case ignore
  /// The stale entry answers, and the origin is not asked.
  case standIn
  case answer
}

/// CloudFront §19: the origin is left alone for as long as a failure is remembered.
/// - Parameters:
///   - failure: of the stored failure, as is `failureStatus`.
///   - hasResponse: the failure is a whole response of the origin's, or the edge's own error: it can
///     answer alone.
///   - stale: of the entry that the request found, if any.
package func decideFailureUse(
  _ failure: Freshness, softPurged: Bool, failureStatus: UInt16, hasResponse: Bool,
  stale: (freshness: Freshness, softPurged: Bool)?, request: RequestCaching, now: Int64
) -> FailureUse {
  switch decideUse(failure, softPurged: softPurged, request: request, now: now) {
  case .fresh, .freshError: break
  case .revalidate, .staleWhileRevalidate: return .ignore
  }
  if let stale {
    // The origin has answered since.
    if failure.responseTime < stale.freshness.responseTime { return .ignore }
    if isOriginFailure(failureStatus)
      && mayStandIn(stale.freshness, softPurged: stale.softPurged, request: request, now: now)
    {
      return .standIn
    }
  }
  return hasResponse ? .answer : .ignore
}
