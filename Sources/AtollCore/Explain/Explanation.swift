// SPDX-License-Identifier: Apache-2.0

/// What the edge would do with a request, and why: a list of facts from which text and JSON are
/// both made.
package struct Explanation: Sendable, Equatable {
  package struct Fact: Sendable, Equatable {
    /// In JSON.
    package let key: String
    /// In text.
    package let label: String
    package let value: Value
    /// Why it is so; nothing for what is plain.
    package let reason: String?
  }

  package indirect enum Value: Sendable, Equatable {
    case nothing
    case flag(Bool)
    case number(Int)
    /// Seconds; nil where other rules decide, which the reason tells.
    case seconds(Int)
    case text(String)
    case list([String])
    /// Names with their values, in their order.
    case pairs([HeaderField])
    case facts([Fact])
  }

  package var facts: [Fact] = []

  mutating func add(_ key: String, _ label: String, _ value: Value, _ reason: String? = nil) {
    facts.append(Fact(key: key, label: label, value: value, reason: reason))
  }

  /// The value of a fact, or of one within another: "answer.status".
  package subscript(path: String) -> Value? { fact(path)?.value }

  package func fact(_ path: String) -> Fact? {
    var facts = facts
    var found: Fact?
    for key in path.split(separator: ".") {
      guard let fact = facts.first(where: { $0.key == key }) else { return nil }
      found = fact
      if case .facts(let inner) = fact.value { facts = inner } else { facts = [] }
    }
    return found
  }
}

/// A request as a viewer would send it.
package struct ExplainedRequest: Sendable, Equatable {
  package var method: String
  package var scheme: Scheme
  /// As in Host.
  package var authority: String
  /// Path and query.
  package var target: String
  package var headers: [HeaderField]
  /// Text of the viewer's address.
  package var address: String

  package init(
    method: String = "GET", scheme: Scheme = .http, authority: String, target: String,
    headers: [HeaderField] = [], address: String = "192.0.2.1"
  ) {
    self.method = method
    self.scheme = scheme
    self.authority = authority
    self.target = target
    self.headers = headers
    self.address = address
  }

  /// The head on the wire. A Host among the headers is the one that counts.
  fileprivate var bytes: [UInt8] {
    var text = "\(method) \(target) HTTP/1.1\r\n"
    if !headers.contains(where: { $0.name.lowercased() == "host" }) {
      text += "Host: \(authority)\r\n"
    }
    for header in headers { text += "\(header.name): \(header.value)\r\n" }
    return Array((text + "\r\n").utf8)
  }
}

/// The head of a response that has come.
package struct ExplainedResponse: Sendable, Equatable {
  package var status: Int
  package var headers: [HeaderField]

  package init(status: Int, headers: [HeaderField]) {
    self.status = status
    self.headers = headers
  }

  fileprivate var bytes: [UInt8] {
    var text = "HTTP/1.1 \(status) \r\n"
    for header in headers { text += "\(header.name): \(header.value)\r\n" }
    return Array((text + "\r\n").utf8)
  }
}

/// Asks the functions that the edge asks, in its order.
/// - Parameters:
///   - response: what the origin answered, if that is known: then the storage decision is told, too.
///   - now: seconds since 1970.
/// - Throws: the edge would refuse the request as malformed.
package func explain(
  _ request: ExplainedRequest, of distribution: Distribution,
  response: ExplainedResponse? = nil, now: Int64
) throws(HeadError) -> Explanation {
  let message = request.bytes
  let head = RequestHead()
  let buffer = ByteBuffer()
  buffer.append(message)
  let base = UnsafePointer(buffer.base)
  switch head.parse(base, count: buffer.count) {
  case .failure(let error): throw error
  case .incomplete: throw .badRequestLine
  case .complete(let length) where length < buffer.count: throw .badFieldValue
  case .complete: break
  }
  return withExtendedLifetime(buffer) {
    Explainer(request: request, head: head, base: base, distribution: distribution, now: now)
      .explain(response)
  }
}

private struct Explainer {
  let request: ExplainedRequest
  let head: RequestHead
  let base: UnsafePointer<UInt8>
  let distribution: Distribution
  let policy: DistributionPolicy
  let behavior: BehaviorPolicy
  let caching: RequestCaching
  let now: Int64

  init(
    request: ExplainedRequest, head: RequestHead, base: UnsafePointer<UInt8>,
    distribution: Distribution, now: Int64
  ) {
    self.request = request
    self.head = head
    self.base = base
    self.distribution = distribution
    self.now = now
    policy = DistributionPolicy(distribution, slot: 0)
    behavior = policy.behavior(forPath: head.path(in: base))
    caching = RequestCaching(head, base, behavior: behavior)
  }

  func explain(_ response: ExplainedResponse?) -> Explanation {
    var result = Explanation()
    result.add("request", "Request", .text("\(request.method) \(url)"))
    result.add("distribution", "Distribution", .text(distribution.name))
    addBehavior(to: &result)
    if let answer = ownAnswer {
      add(answer, to: &result)
      return result
    }
    result.add("answer", "Answered by", .text("cache or origin"), refusedCountries)
    addCaching(to: &result)
    addKey(to: &result)
    addOrigin(to: &result)
    addLifetime(to: &result)
    addResponseRules(to: &result)
    if let response { addStorage(of: response, to: &result) }
    return result
  }

  private var url: String { "\(request.scheme.rawValue)://\(authority)\(request.target)" }

  private var authority: String { text(head.authority(in: base)) }

  private func text(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
    String(decoding: bytes, as: UTF8.self)
  }

  // MARK: Behavior

  private func addBehavior(to result: inout Explanation) {
    let path = text(head.path(in: base))
    let isDefault = behavior.index == distribution.behaviors.count
    let count = distribution.behaviors.count
    let why =
      if !isDefault {
        "the first of \(count) whose path matches \(quoted(path))"
          + (behavior.index == 0 ? "" : ": number \(behavior.index + 1)")
      } else if count == 0 {
        "there is no other"
      } else {
        "no path of \(count) matches \(quoted(path))"
      }
    let kind: Caching = behavior.caches ? .cache : .dontCache
    result.add(
      "behavior", "Behavior",
      .facts([
        .init(key: "path", label: "path", value: .text(behavior.pattern), reason: why),
        .init(
          key: "index", label: "index, from 0",
          value: isDefault ? .nothing : .number(behavior.index),
          reason: nil),
        .init(key: "caching", label: "behavior", value: .text(kind.rawValue), reason: nil),
        .init(
          key: "allowedMethods", label: "methods",
          value: .list(behavior.settings.allowedMethods.names), reason: nil),
        .init(
          key: "viewerProtocol", label: "viewer protocol",
          value: .text(behavior.settings.viewerProtocol.rawValue), reason: nil),
      ]))
  }

  // MARK: Answer

  private func add(_ answer: (status: Int, why: String), to result: inout Explanation) {
    result.add(
      "answer", "Answered by",
      .facts([
        .init(
          key: "status", label: "edge, status", value: .number(answer.status), reason: answer.why)
      ]))
    result.add("usesCache", "Uses the cache", .flag(false), "the edge answers by itself")
    result.add("key", "Key", .nothing, "nothing is looked up")
    result.add("origin", "Origin", .nothing, "nothing is asked")
    result.add("lifetime", "Lifetime", .nothing, "nothing is stored")
    let rules = changedWords(behavior.settings.responseHeaders, ResponseHeaderSettings())
    if distribution.isEnabled && !rules.isEmpty {
      result.add("response", "Response", .list(rules))
    }
  }

  /// Where a viewer is, only an edge with its database can tell.
  private var refusedCountries: String? {
    switch distribution.geoRestriction {
    case .none: nil
    case .allow(let countries):
      "403 where the viewer's country is known and not \(listed(countries, "or"))"
    case .block(let countries): "403 for viewers from \(listed(countries, "or"))"
    }
  }

  /// What the edge answers without asking cache or origin, in the order in which it looks.
  private var ownAnswer: (status: Int, why: String)? {
    if !distribution.isEnabled { return (403, "the distribution is disabled") }
    // A preflight asks for the edge's permission, not for OPTIONS of the origin.
    guard isPreflight || behavior.allows(head.method) else {
      return (405, "the behavior does not allow \(request.method)")
    }
    switch behavior.settings.viewerProtocol.decision(
      for: head.method, minorVersion: head.minorVersion, scheme: request.scheme)
    {
    case .serve: break
    case .redirect(let status): return (Int(status), "the behavior redirects http to https")
    case .refuse: return (403, "the behavior is served over https only")
    }
    if isPreflight { return (204, "the edge answers CORS preflights itself") }
    if caching.bypass == .requestBody && behavior.cachesMethod(head.method) {
      return (403, "a \(request.method) with a body cannot be told apart from one without")
    }
    return nil
  }

  private var isPreflight: Bool {
    behavior.responses.cors?.appendPreflight(head, base, to: ByteBuffer()) ?? false
  }

  private func value(of name: String) -> String? {
    request.headers.first { $0.name.lowercased() == name }?.value
  }

  // MARK: Cache

  private func addCaching(to result: inout Explanation) {
    if caching.bypass == .none {
      var notes: [String] = []
      if let slice {
        notes.append(
          "of what is not stored, slices of \(slice.count) bytes that hold the range are fetched")
      } else if caching.passOnMiss != .none && !ignoresRange {
        notes.append("on a miss it is passed on (\(caching.passOnMiss.text))")
      }
      if caching.flags.contains(.noCache) { notes.append("only after validation: no-cache") }
      if caching.flags.contains(.onlyIfCached) { notes.append("only-if-cached: else 504") }
      if caching.flags.contains(.authorization) {
        notes.append("Authorization reaches the origin: only what it says may be shared")
      }
      if caching.flags.contains(.cookie) {
        notes.append("cookies reach the origin unkeyed: only with a lifetime of its own")
      }
      result.add(
        "usesCache", "Uses the cache", .flag(true),
        notes.isEmpty ? nil : notes.joined(separator: "; "))
    } else {
      result.add("usesCache", "Uses the cache", .flag(false), sentence(caching.bypass))
    }
  }

  private var rangeSpecs: [RangeSpec]? {
    guard head.fields.repeated & KnownField.range.bit == 0 else { return nil }
    return head.fields.value(of: .range, in: base).flatMap(parseRanges)
  }

  /// RFC 9110 §14.2: a Range that counts for nothing makes a request for the whole.
  private var ignoresRange: Bool { caching.passOnMiss == .requestRange && rangeSpecs == nil }

  /// What is asked for first when nothing of the URL is stored; nil when the range is passed on.
  private var slice: ByteRange? {
    let grid = SliceGrid(size: behavior.settings.sliceSize)
    guard caching.passOnMiss == .requestRange, grid.size > 0, let first = rangeSpecs?.first else {
      return nil
    }
    switch first {
    case .positions(let first, _): return grid.number(at: first).map { grid.range(of: $0) }
    case .suffix: return grid.range(of: 0)
    }
  }

  /// Whether the origin is asked for what may be stored, rather than for what the viewer wants.
  private var asksToStore: Bool {
    caching.bypass == .none && (caching.passOnMiss == .none || ignoresRange || slice != nil)
  }

  private func addKey(to result: inout Explanation) {
    guard caching.bypass == .none else {
      result.add("key", "Key", .nothing, "nothing is looked up")
      return
    }
    var parts = [HeaderField(name: "distribution", value: distribution.name)]
    if head.method == .options { parts.append(HeaderField(name: "method", value: "OPTIONS")) }
    if behavior.keysScheme {
      parts.append(HeaderField(name: "scheme", value: request.scheme.rawValue))
    }
    let key = ByteBuffer()
    let facts = ByteBuffer()
    appendViewerHeaders(
      behavior.comparedViewerHeaders, head, base, source: source, geo: NoGeoRecord(), to: facts)
    let viewer = ViewerFacts(scheme: request.scheme, headers: facts.bytes)
    appendCacheKey(
      head, base, distribution: policy, behavior: behavior, viewer: viewer, to: key)
    parts.append(HeaderField(name: "URL", value: text(keyURL(key.bytes))))
    if behavior.keysHost { parts.append(HeaderField(name: "host", value: authority)) }
    for index in 0..<behavior.keyedHeaders.count {
      let name = text(behavior.keyedHeaders[index])
      let sent =
        name == "host"
        ? authority
        : request.headers.filter { $0.name.lowercased() == name }.map(\.value)
          .joined(separator: ", ")
      let isThere = name == "host" || value(of: name) != nil
      parts.append(HeaderField(name: name, value: isThere ? sent : "(none)"))
    }
    var viewerParts = ViewerParts(viewer.headers)
    while let part = viewerParts.next() {
      if behavior.keyedViewerHeaders.isDisjoint(with: part.header.set) { continue }
      parts.append(
        HeaderField(
          name: "\(part.header.name)".lowercased(),
          value: part.value.map(text) ?? "(not known here)"))
    }
    if behavior.keysCookies {
      withCookies(head, base) {
        behavior.cookies.keys($0)
      } _: { cookies in
        for index in 0..<cookies.count {
          parts.append(HeaderField(name: "cookie", value: text(cookies[index])))
        }
      }
    }
    withExtendedLifetime(facts) {}
    result.add("key", "Key", .pairs(parts), "beside it the origin's Vary selects")
  }

  // MARK: Origin

  private var source: ViewerSource {
    // Static storage would be needed to point at the text of an address: none is told here.
    ViewerSource(
      text: UnsafeBufferPointer(start: nil, count: 0), port: 0, scheme: request.scheme)
  }

  private func addOrigin(to result: inout Explanation) {
    let members = behavior.route.members.map { policy.origins[$0] }
    let first = members[0]
    var facts: [Explanation.Fact] = [
      .init(
        key: "name", label: "name", value: .text(first.name),
        reason: behavior.settings.origin == nil
          ? "the distribution's own" : "the behavior names \(quoted(behavior.settings.origin!))"),
      .init(key: "url", label: "URL", value: .text(first.origin.url), reason: nil),
    ]
    if members.count > 1 {
      let statuses = behavior.route.statuses.map { String($0) }
      let isTried = [Method.get, .head, .options].contains(head.method)
      facts.append(
        .init(
          key: "group", label: "then", value: .list(members.dropFirst().map(\.name)),
          reason: isTried
            ? "when it cannot be reached, is silent"
              + (statuses.isEmpty ? "" : ", or answers \(listed(statuses, "or"))")
            : "not for \(request.method): only GET, HEAD and OPTIONS go to another origin"))
    }
    if !first.origin.targets.isEmpty {
      let choice =
        switch first.origin.balance {
        case .roundRobin: "each in turn"
        case .leastConnections: "the one with the fewest requests under way"
        case .hash: "by the hash of the key: the same URL asks the same target"
        }
      facts.append(
        .init(
          key: "targets", label: "targets", value: .list(first.origin.allTargets.map(\.text)),
          reason: choice + (first.origin.sticky == nil ? "" : "; a viewer stays by its cookie")))
    }
    let lines = ByteBuffer()
    let headers = ByteBuffer()
    var address = request.address
    address.withUTF8 { address in
      let source = ViewerSource(text: address, port: 0, scheme: request.scheme)
      appendViewerHeaders(
        behavior.sentViewerHeaders, head, base, source: source, geo: NoGeoRecord(), to: headers)
      appendOriginRequest(
        head, base, distribution: policy, behavior: behavior, origin: first,
        context: OriginRequestContext(
          peerAddress: address,
          viewer: ViewerFacts(scheme: request.scheme, headers: headers.bytes),
          requestID: (0, 0), storing: asksToStore,
          bodyFraming: head.framing), to: lines)
    }
    withExtendedLifetime(headers) {}
    var sent = String(decoding: lines.bytes, as: UTF8.self).split(separator: "\r\n")
      .map(String.init)
      // Made up anew for every request.
      .filter { !$0.lowercased().hasPrefix("x-request-id:") }
    if let slice { sent.append("Range: bytes=\(slice.start)-\(slice.end - 1)") }
    // HEAD fills the cache as GET does, and is answered from it.
    if head.method == .head && asksToStore { sent[0] = "GET" + sent[0].dropFirst(4) }
    facts.append(
      .init(
        key: "request", label: "gets", value: .list(sent),
        reason: behavior.caches
          ? nil : "what is not cached is forwarded whole"))
    result.add("origin", "Origin", .facts(facts))
  }

  // MARK: Lifetime

  private func addLifetime(to result: inout Explanation) {
    guard behavior.caches && caching.bypass == .none else {
      result.add("lifetime", "Lifetime", .nothing, "nothing is stored")
      return
    }
    let ttl = behavior.settings.ttl
    let errors = distribution.errors
    var facts: [Explanation.Fact] = [
      .init(
        key: "minimum", label: "at least", value: .seconds(ttl.minimum),
        reason: behavior.overridesOrigin && ttl.minimum > 0
          ? "also for what the origin forbids to store" : nil),
      .init(
        key: "default", label: "by default", value: ttl.default.map { .seconds($0) } ?? .nothing,
        reason: ttl.default == nil
          ? "a tenth of the time since Last-Modified, at most a day (RFC 9111 section 4.2.2)"
          : "where the origin gives none"),
      .init(key: "maximum", label: "at most", value: .seconds(ttl.maximum), reason: nil),
      .init(
        key: "error", label: "errors",
        value: errors.minimumTTL.map { .seconds($0) } ?? .nothing,
        reason: errors.minimumTTL == nil ? "as the origin says" : "at least"),
      .init(
        key: "staleIfError", label: "stale on errors",
        value: .seconds(behavior.settings.staleIfError),
        reason: "unless must-revalidate, proxy-revalidate, s-maxage or no-cache forbid it"),
    ]
    for response in errors.responses {
      facts.append(
        .init(
          key: "error\(response.status)", label: "error page",
          value: .text(response.words), reason: nil))
    }
    result.add("lifetime", "Lifetime", .facts(facts))
  }

  private func addResponseRules(to result: inout Explanation) {
    let settings = behavior.settings
    var rules = changedWords(settings.responseHeaders, ResponseHeaderSettings())
    let codings = behavior.compression.codings
    if !codings.isEmpty {
      rules.append("compressed with \(listed(codings.names, "or")) where the viewer takes it")
    }
    if !behavior.forwardsCookies { rules.append("Set-Cookie is removed: no cookie is forwarded") }
    if !rules.isEmpty { result.add("response", "Response", .list(rules)) }
  }

  private func changedWords(
    _ settings: ResponseHeaderSettings, _ usual: ResponseHeaderSettings
  ) -> [String] {
    ResponseHeaderSettings.form.members.flatMap { $0.parts(settings, usual) }
      .map { "\($0.noun): \($0.words)" }
  }

  // MARK: Storage

  private func addStorage(of response: ExplainedResponse, to result: inout Explanation) {
    let bytes = response.bytes
    let buffer = ByteBuffer()
    buffer.append(bytes)
    let base = UnsafePointer(buffer.base)
    let parsed = ResponseHead()
    guard case .complete = parsed.parse(base, count: buffer.count, requestMethod: head.method)
    else {
      result.add("storage", "Stored", .nothing, "the response's head cannot be read")
      return
    }
    let decision = decideStorage(
      request: caching, method: head.method, response: parsed, base: base, behavior: behavior,
      requestTime: now, responseTime: now)
    withExtendedLifetime(buffer) {}
    var facts: [Explanation.Fact] = [
      .init(key: "status", label: "status", value: .number(response.status), reason: nil)
    ]
    switch decision {
    case .refuse(let reason):
      facts.append(
        .init(key: "stored", label: "stored", value: .flag(false), reason: sentence(reason)))
      facts.append(
        .init(key: "reason", label: "reason", value: .text("\(reason.text)"), reason: nil))
      facts.append(.init(key: "rule", label: "by", value: .text(rule(of: reason)), reason: nil))
    case .store(let freshness):
      facts.append(.init(key: "stored", label: "stored", value: .flag(true), reason: nil))
      facts.append(
        .init(
          key: "lifetime", label: "fresh for", value: .seconds(Int(freshness.remaining(at: now))),
          reason: lifetimeWords(freshness)))
      facts.append(
        .init(
          key: "rule", label: "by",
          value: .text(lifetimeRule(freshness, status: parsed.status)), reason: nil))
      if freshness.flags.contains(.noCache) {
        facts.append(
          .init(
            key: "validated", label: "validated", value: .flag(true),
            reason: "before every use: no-cache (RFC 9111 section 5.2.2.4)"))
      }
      facts.append(
        .init(
          key: "staleIfError", label: "stale on errors",
          value: .seconds(Int(freshness.staleIfError)),
          reason: freshness.flags.isDisjoint(with: [.mustRevalidate, .noCache])
            ? nil : "forbidden by the response (RFC 9111 section 4.2.4)"))
      facts.append(
        .init(
          key: "staleWhileRevalidate", label: "stale meanwhile",
          value: .seconds(Int(freshness.staleWhileRevalidate)), reason: "RFC 5861 section 3"))
    }
    if let own = distribution.errors.responses.first(where: { $0.status == response.status }),
      own.page != nil || own.responseStatus != nil
    {
      facts.append(
        .init(
          key: "page", label: "viewers get", value: .text(own.words),
          reason: "the distribution's error pages"))
    }
    result.add("storage", "This response", .facts(facts))
  }

  private func lifetimeRule(_ freshness: Freshness, status: UInt16) -> String {
    if behavior.errors.minimumTTL(of: status) != nil {
      return "the distribution's error TTL, or what the origin says if that is longer"
    }
    return freshness.flags.contains(.explicit)
      ? "RFC 9111 section 4.2.1" : "RFC 9111 section 4.2.2 and the behavior's lifetimes"
  }

  private func lifetimeWords(_ freshness: Freshness) -> String {
    let origin =
      freshness.flags.contains(.explicit) ? "the origin's own lifetime" : "the origin gives none"
    return freshness.initialAge > 0
      ? "\(origin) of \(freshness.lifetime) seconds, \(freshness.initialAge) of them gone" : origin
  }

  private func sentence(_ reason: Reason) -> String {
    switch reason {
    case .behaviorDontCache: "the behavior is dont-cache"
    case .method: "\(request.method) is not cached"
    case .upgrade: "the request asks for another protocol"
    case .requestBody: "the request has a body"
    case .requestNoStore: "the request says no-store"
    case .responseNoStore: "the response says no-store"
    case .responsePrivate: "the response says private"
    case .responseNoCache: "the response says no-cache and has no validator"
    case .responseAuthorization:
      "the request carries Authorization, and the response says neither public, s-maxage nor "
        + "must-revalidate"
    case .responseStatus: "status without a lifetime of its own"
    case .responseSetCookie: "it sets a cookie and has no lifetime of its own"
    case .requestCookie: "the request carries cookies, and the response has no lifetime of its own"
    case .responsePartial: "it is a part"
    case .responseNoLifetime: "the origin gives no lifetime, and the behavior has no default"
    case .varyStar: "it says Vary: *"
    case .zeroLifetime: "its lifetime is over at once, and it has no validator"
    default: "\(reason.text)"
    }
  }

  private func rule(of reason: Reason) -> String {
    switch reason {
    case .behaviorDontCache: "the behavior"
    case .method: "RFC 9110 section 9.2.3"
    case .upgrade: "RFC 9110 section 7.8"
    case .requestBody: "RFC 9110 section 9.3.1"
    case .requestNoStore: "RFC 9111 section 5.2.1.5"
    case .responseNoStore: "RFC 9111 section 5.2.2.5"
    case .responsePrivate: "RFC 9111 section 5.2.2.7"
    case .responseNoCache: "RFC 9111 section 5.2.2.4"
    case .responseAuthorization: "RFC 9111 section 3.5"
    case .responseStatus: "RFC 9110 section 15.1"
    case .responseSetCookie, .requestCookie: "RFC 9111 section 7.3"
    case .responsePartial: "RFC 9111 section 3.3"
    case .responseNoLifetime: "RFC 9111 section 4.2.2"
    case .varyStar: "RFC 9111 section 4.1"
    case .zeroLifetime: "RFC 9111 section 4.2"
    default: "RFC 9111 section 3"
    }
  }
}
