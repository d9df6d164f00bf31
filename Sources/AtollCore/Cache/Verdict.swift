// SPDX-License-Identifier: Apache-2.0

/// How an exchange ended at the cache, and why: the one value behind Cache-Status, X-Cache, the
/// access log, the metrics and `atoll test`.
@usableFromInline
package struct Verdict: Equatable, Sendable {
  @usableFromInline package var outcome: Outcome
  @usableFromInline package var reason: Reason

  @inlinable
  package init(_ outcome: Outcome, _ reason: Reason = .none) {
    self.outcome = outcome
    self.reason = reason
  }
}

@usableFromInline
package enum Outcome: UInt8, Sendable, CaseIterable {
  /// Served from a fresh entry.
  case hit
  /// Served from an entry past its lifetime, as RFC 9111 §4.2.4 or RFC 5861 allows.
  case stale
  /// The origin confirmed the entry with 304.
  case revalidated
  /// Fetched for this exchange.
  case miss
  /// Fed by a fill that another exchange began.
  case coalesced
  /// The cache took no part.
  case pass
  /// Answered by the edge itself with an error.
  case error
  /// Answered by the edge itself as it was set up to: a redirect, a preflight.
  case local
}

/// Why an exchange was no hit, or what was wrong with it. Raw values are the words users see.
@usableFromInline
package enum Reason: UInt8, Sendable, CaseIterable {
  case none
  // Why nothing usable was stored.
  case absent, expired, varyMismatch, purged
  // Why the request kept away from the cache.
  case method, behaviorDontCache, requestAuthorization, requestNoStore, requestNoCache
  case requestMaxAge, requestRange, requestBody, upgrade
  // Why the response was not stored.
  case responseNoStore, responsePrivate, responseNoCache, responseStatus, responseSetCookie
  case responseAuthorization, responsePartial, responseNoLifetime, varyStar, varyLimit
  case zeroLifetime, tooLarge, truncated, memoryFull, purgedDuringFill, requestCookie
  // Why a stale entry was served.
  case originError, staleWhileRevalidate, originUnreachable
  // Why the origin was not asked.
  case originRecentlyFailed
  // Errors of the viewer.
  case badRequest, requestTimeout, methodNotAllowed, unknownHost, distributionDisabled
  case requestTooLarge, onlyIfCached
  // Errors of the origin.
  case originDns, originConnect, originTimeout, originBadResponse, originClosed, originTls
  case originUnhealthy, originRange
  // Errors of the edge.
  case overloaded, draining, loop
  // Why a part was fetched: others of the same response are stored.
  case partial
  // What the edge answered by itself.
  case redirect, corsPreflight, maxForwards, acmeChallenge
  // What the configuration refuses.
  case httpsRequired, countryBlocked
  // Why a request with conditions for the origin was passed on.
  case requestCondition
  // A domain that a distribution has given up.
  case domainDetached
  // A request on the wrong connection: its host is not on the certificate.
  case misdirected
  // What is wrong with the certificate of an origin.
  case originCertificateExpired, originCertificateName, originCertificateUntrusted
  // A response that its viewer did not take in time, and which was cut short.
  case slowReader

  /// As printed: `response-no-store`.
  package var text: StaticString {
    switch self {
    case .none: ""
    case .absent: "absent"
    case .expired: "expired"
    case .varyMismatch: "vary-mismatch"
    case .purged: "purged"
    case .method: "method"
    case .behaviorDontCache: "behavior-dont-cache"
    case .requestAuthorization: "request-authorization"
    case .requestNoStore: "request-no-store"
    case .requestNoCache: "request-no-cache"
    case .requestMaxAge: "request-max-age"
    case .requestRange: "request-range"
    case .requestBody: "request-body"
    case .upgrade: "upgrade"
    case .responseNoStore: "response-no-store"
    case .responsePrivate: "response-private"
    case .responseNoCache: "response-no-cache"
    case .responseStatus: "response-status"
    case .responseSetCookie: "response-set-cookie"
    case .responseAuthorization: "response-authorization"
    case .responsePartial: "response-partial"
    case .responseNoLifetime: "response-no-lifetime"
    case .varyStar: "vary-star"
    case .varyLimit: "vary-limit"
    case .zeroLifetime: "zero-lifetime"
    case .tooLarge: "too-large"
    case .truncated: "truncated"
    case .memoryFull: "memory-full"
    case .purgedDuringFill: "purged-during-fill"
    case .requestCookie: "request-cookie"
    case .originError: "origin-error"
    case .staleWhileRevalidate: "stale-while-revalidate"
    case .originUnreachable: "origin-unreachable"
    case .originRecentlyFailed: "origin-recently-failed"
    case .badRequest: "bad-request"
    case .requestTimeout: "request-timeout"
    case .methodNotAllowed: "method-not-allowed"
    case .unknownHost: "unknown-host"
    case .distributionDisabled: "distribution-disabled"
    case .requestTooLarge: "request-too-large"
    case .onlyIfCached: "only-if-cached"
    case .originDns: "origin-dns"
    case .originConnect: "origin-connect"
    case .originTimeout: "origin-timeout"
    case .originBadResponse: "origin-bad-response"
    case .originClosed: "origin-closed"
    case .originTls: "origin-tls"
    case .overloaded: "overloaded"
    case .draining: "draining"
    case .loop: "loop"
    case .originUnhealthy: "origin-unhealthy"
    case .originRange: "origin-range"
    case .partial: "partial"
    case .redirect: "redirect"
    case .corsPreflight: "cors-preflight"
    case .maxForwards: "max-forwards"
    case .acmeChallenge: "acme-challenge"
    case .httpsRequired: "https-required"
    case .countryBlocked: "country-blocked"
    case .requestCondition: "request-condition"
    case .domainDetached: "domain-detached"
    case .misdirected: "misdirected"
    case .originCertificateExpired: "origin-certificate-expired"
    case .originCertificateName: "origin-certificate-name"
    case .originCertificateUntrusted: "origin-certificate-untrusted"
    case .slowReader: "slow-reader"
    }
  }
}
