// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What several requests for one URL tell together: whether it is cached, for how long, and else
/// why not and what to change.
struct Diagnosis: Equatable {
  var isCached = false
  /// One line.
  var verdict: String
  /// What to change; nil when nothing need be.
  var advice: String?
  /// A hit brought another body than the request before it.
  var hasBodyChanged = false

  /// - Parameter exchanges: at least one.
  init(_ exchanges: [(response: ClientResponse, reading: CacheReading)], request: ClientRequest) {
    let (response, reading) = exchanges[exchanges.count - 1]
    let by = reading.cache.map { " by \($0)" } ?? ""
    let cause = Cause.of(response, reading, request: request)
    switch reading.verdict {
    case .hit:
      isCached = true
      verdict = "cached\(by)" + Self.remaining(reading.ttl)
      if reading.ttl.map({ $0 <= 1 }) ?? false {
        advice = "let the origin send a longer Cache-Control: max-age"
      }
    case .stale:
      isCached = true
      verdict = "cached\(by), but stale: \(cause?.why ?? "its lifetime is over")"
      advice = cause?.change
    case .revalidated:
      isCached = true
      verdict = "cached\(by), but the origin was asked whether it has changed"
      advice = "let the origin send a longer Cache-Control: max-age, without no-cache"
    case .miss, .coalesced:
      if exchanges.count == 1 {
        verdict = "not cached before this request"
        if reading.isStored == true {
          verdict +=
            ", which stored it" + (reading.ttl.map { " for \(Quantity.duration($0))" } ?? "")
        } else {
          advice = "make more requests (--count) to see whether it was stored"
        }
      } else if exchanges.dropLast().contains(where: { $0.reading.isStored == true }), cause == nil
      {
        verdict = "not cached\(by): stored by one request, yet missed by the next"
        advice = "look for several caches behind one address, or for memory that is full"
      } else {
        let why =
          cause?.why ?? "the cache\(by.isEmpty ? "" : " (\(reading.cache ?? ""))") gives no reason"
        verdict = "not cached: \(why)"
        advice = cause?.change ?? "let the origin send Cache-Control: max-age=3600"
      }
    case .pass:
      verdict = "not cached: " + (cause?.why ?? "the cache let the request pass")
      advice = cause?.change ?? "look at the cache's rules for this path"
    case .error:
      verdict = "not cached: " + (cause?.why ?? "the cache answered with an error")
      advice = cause?.change
    case .unknown:
      verdict = "not known: no cache says anything about this response"
      advice = "is an edge in front of this address? --connect-to names one to ask"
    }
    hasBodyChanged = zip(exchanges, exchanges.dropFirst()).contains { before, after in
      after.reading.verdict == .hit && before.response.status == after.response.status
        && (before.response.bodyHash != after.response.bodyHash
          || before.response.bodyLength != after.response.bodyLength)
    }
  }

  /// What the responses say of the cache means nothing beside this.
  mutating func replace(by error: ClientError) {
    isCached = false
    verdict = "not cached: \(error.message)"
    advice = error.hint
  }

  private static func remaining(_ ttl: Int?) -> String {
    guard let ttl else { return ", it does not say for how long" }
    return ttl > 0 ? " for another \(Quantity.duration(ttl))" : ", its lifetime ends now"
  }
}

/// Why a response did not come from the cache, and the way out.
struct Cause: Equatable {
  var why: String
  var change: String?

  private init(_ why: String, _ change: String? = nil) {
    self.why = why
    self.change = change
  }

  /// Nil when neither the cache nor the headers give a reason.
  static func of(_ response: ClientResponse, _ reading: CacheReading, request: ClientRequest)
    -> Cause?
  {
    let stated = reading.reason.flatMap(Reason.init(text:))
    // That nothing was stored is no reason while the headers tell why.
    if let stated, stated != .absent, stated != .none {
      return Cause(stated, response, request)
    }
    if let guess = guess(response, request: request) { return Cause(guess, response, request) }
    // Another cache's word, for want of better.
    if let word = reading.reason, stated == nil, !CacheStatusMember.forwardWords.contains(word) {
      return Cause("the cache says \"\(word)\"")
    }
    return nil
  }

  /// What RFC 9111 §3 says about a response from its headers alone.
  private static func guess(_ response: ClientResponse, request: ClientRequest) -> Reason? {
    let control = response.directives("Cache-Control")
    if !["GET", "HEAD"].contains(request.method) { return .method }
    if response.status == 206 { return .responsePartial }
    if control.flags.contains(.noStore) { return .responseNoStore }
    if control.flags.contains(.private) { return .responsePrivate }
    if control.flags.contains(.noCache) { return .responseNoCache }
    if (response.combined("Vary") ?? "").split(separator: ",").contains(where: { $0.trimmed == "*" }
    ) {
      return .varyStar
    }
    let sent = Set(request.headers.filter { !$0.value.isEmpty }.map { $0.name.lowercased() })
    if sent.contains("authorization"), !control.allowsAuthorization { return .requestAuthorization }
    if sent.contains("range") { return .requestRange }
    if sent.contains("cache-control") || sent.contains("pragma") { return .requestNoCache }
    let lifetime = Lifetime.remaining(response, age: 0, now: 0)
    if let lifetime { return lifetime <= 0 ? .zeroLifetime : nil }
    if !response.values("Set-Cookie").isEmpty { return .responseSetCookie }
    if !isHeuristicallyCacheable(UInt16(clamping: response.status)) {
      return .responseStatus
    }
    return response.values("Last-Modified").isEmpty ? .responseNoLifetime : nil
  }

  private init(_ reason: Reason, _ response: ClientResponse, _ request: ClientRequest) {
    let control = response.combined("Cache-Control") ?? ""
    let lifetime = "let the origin send Cache-Control: max-age=3600 or the like"
    switch reason {
    case .none, .absent: self.init("nothing was stored by the request before")
    case .expired:
      self.init("the stored copy's lifetime is over", "let the origin send a longer max-age")
    case .varyMismatch:
      self.init(
        "the stored copies were made for other request headers"
          + (response.combined("Vary").map { " (Vary: \($0))" } ?? ""),
        "let the origin name fewer headers in Vary")
    case .purged: self.init("it was purged", "ask again")
    case .method:
      self.init("\(request.method) is no method that is cached", "test with GET or HEAD")
    case .behaviorDontCache:
      self.init(
        "the distribution's behavior for this path is dont-cache",
        Self.remedy(path: Self.path(request.url.target)))
    case .requestAuthorization, .responseAuthorization:
      self.init(
        "the request carries Authorization, and the response may not be shared",
        "let the origin send Cache-Control: public if everybody may see it")
    case .requestNoStore, .requestNoCache, .requestMaxAge:
      self.init(
        "the request itself asks to go past the cache", "leave Cache-Control and Pragma out")
    case .requestRange:
      self.init("a part was asked for of what is not stored", "ask once without Range")
    case .requestCondition:
      self.init("its condition is for the origin to judge", "ask without If-Match")
    case .requestBody: self.init("the request has a body", "send none")
    case .requestCookie: self.init("the request carries cookies", "send none, or forward none")
    case .upgrade: self.init("the request asks for another protocol")
    case .responseNoStore, .responsePrivate, .responseNoCache:
      self.init(
        control.isEmpty
          ? "the origin forbids it (\(reason.text))"
          : "the origin sends Cache-Control: \(control)",
        lifetime)
    case .responseStatus:
      self.init(
        "a response with status \(response.status) is kept only when told for how long", lifetime)
    case .responseSetCookie:
      self.init(
        "the origin sets a cookie and gives no lifetime",
        "let it set none here, or send Cache-Control: max-age=3600 or the like")
    case .responsePartial: self.init("only a part came", "ask without Range")
    case .responseNoLifetime:
      self.init(
        "the origin does not say for how long",
        lifetime + ", or set atoll update <name> --default-ttl 1h")
    case .varyStar:
      self.init("the origin sends Vary: *", "let it name the headers that matter, or none")
    case .varyLimit:
      self.init(
        "too many variants of it are stored", "let the origin name fewer headers in Vary")
    case .zeroLifetime:
      self.init(
        "its lifetime is zero" + (control.isEmpty ? "" : " (Cache-Control: \(control))"),
        "let the origin send a longer Cache-Control: max-age")
    case .tooLarge:
      self.init("it is too large for the edge's memory", "give atoll serve more --memory")
    case .memoryFull:
      self.init("the edge's memory is full", "give atoll serve more --memory")
    case .truncated: self.init("the origin's response was cut short", "look at the origin")
    case .purgedDuringFill: self.init("it was purged while it was fetched", "ask again")
    case .originError, .originUnreachable:
      self.init("the origin fails, a stored copy stands in", "look at the origin")
    case .originRecentlyFailed:
      self.init(
        "the origin failed a moment ago and is left alone for a while", "look at the origin")
    case .staleWhileRevalidate:
      self.init("a new copy is being fetched meanwhile", "ask again")
    case .badRequest: self.init("the edge takes the request for malformed")
    case .requestTimeout: self.init("the request took too long to arrive")
    case .slowReader: self.init("the response was not read in time")
    case .methodNotAllowed:
      self.init(
        "the distribution does not allow \(request.method)",
        "allow it with atoll update <name> --allowed-methods all")
    case .unknownHost:
      self.init(
        "no distribution answers for the host \"\(request.url.host)\"",
        "ask for <name>.atoll.localhost, see atoll list")
    case .domainDetached:
      self.init(
        "the domain \"\(request.url.host)\" was detached from its distribution",
        "attach it again with atoll domain attach <name> \(request.url.host)")
    case .misdirected:
      self.init(
        "the edge's certificate is not for the host \"\(request.url.host)\"",
        "ask for a name that is on it, or attach the domain with a certificate that covers it")
    case .distributionDisabled:
      self.init("the distribution is disabled", "enable it with atoll update <name> --enabled")
    case .requestTooLarge: self.init("the request is too large")
    case .onlyIfCached: self.init("nothing is stored, and only-if-cached forbids asking")
    case .originDns:
      self.init("the origin's name has no address", "check the origin with atoll show")
    case .originConnect:
      self.init("the origin cannot be reached", "start it, or check it with atoll show")
    case .originTimeout: self.init("the origin did not answer in time", "look at the origin")
    case .originBadResponse: self.init("the origin's response is malformed", "look at the origin")
    case .originClosed: self.init("the origin closed the connection", "look at the origin")
    case .originTls:
      self.init(
        "there is no secure connection to the origin",
        "see the edge's log, and test the origin with atoll test https://…")
    case .originCertificateExpired:
      self.init(
        "the origin's certificate has expired or is not valid yet",
        "renew it at the origin, or check the edge's clock")
    case .originCertificateName:
      self.init(
        "the origin's certificate is for another name",
        "name that one with atoll update <name> --origin-server-name")
    case .originCertificateUntrusted:
      self.init(
        "the origin's certificate comes from nobody whom the edge trusts",
        "name its authority's file with atoll update <name> --origin-ca")
    case .overloaded: self.init("the edge is overloaded", "ask again later")
    case .loop:
      self.init(
        "the origin leads back to the edge itself",
        "give the distribution the origin's own address")
    case .draining: self.init("the edge is shutting down", "ask again")
    case .originUnhealthy:
      self.init("no target of the origin is healthy", "look at the targets with atoll show")
    case .originRange:
      self.init("the origin answers ranges inconsistently", "look at the origin's Content-Range")
    case .partial: self.init("only other parts of it were stored", "ask again")
    case .redirect:
      self.init("the edge redirects to another URL", "test the URL that it redirects to")
    case .corsPreflight: self.init("the edge answers preflights itself")
    case .maxForwards:
      self.init("Max-Forwards ends the request at the edge", "leave Max-Forwards out")
    case .acmeChallenge:
      self.init("the edge answers the challenge of a certificate authority itself")
    case .httpsRequired:
      self.init("the distribution answers over HTTPS only", "test the https URL")
    case .countryBlocked:
      self.init("the distribution is not served in this country", "see atoll show")
    }
  }
}

extension Cause {
  /// "/" as an override means everything below, which is the default behavior's part.
  private static func remedy(path: String) -> String {
    path == "/"
      ? "cache by default with atoll update <name> --default-behavior cache"
      : "cache it with atoll update <name> --cache-path '\(path)'"
  }

  /// Without the query, which no override looks at.
  private static func path(_ target: String) -> String { String(target.prefix { $0 != "?" }) }
}

extension Reason {
  /// Of a word in a header.
  init?(text: String) {
    guard let reason = Reason.allCases.first(where: { "\($0.text)" == text }) else { return nil }
    self = reason
  }
}

extension Reason {
  /// The edge answered by itself, with an error.
  var isError: Bool {
    switch self {
    case .badRequest, .requestTimeout, .methodNotAllowed, .unknownHost, .distributionDisabled,
      .requestTooLarge, .onlyIfCached, .originDns, .originConnect, .originTimeout,
      .originBadResponse, .originClosed, .originTls, .originCertificateExpired,
      .originCertificateName, .originCertificateUntrusted, .overloaded, .draining,
      .originUnhealthy, .originRange, .httpsRequired, .countryBlocked, .domainDetached:
      true
    default: false
    }
  }
}

extension CacheStatusMember {
  /// The values of fwd (RFC 9211 §2.2): how a request went on, not why.
  static let forwardWords = [
    "bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial",
  ]
}
