// SPDX-License-Identifier: Apache-2.0

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

struct Explainer {
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

  var url: String { "\(request.scheme.rawValue)://\(authority)\(request.target)" }

  var authority: String { text(head.authority(in: base)) }

  func text(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
    String(decoding: bytes, as: UTF8.self)
  }

  // MARK: Behavior

  func addBehavior(to result: inout Explanation) {
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

  func add(_ answer: (status: Int, why: String), to result: inout Explanation) {
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
  var refusedCountries: String? {
    switch distribution.geoRestriction {
    case .none: nil
    case .allow(let countries):
      "403 where the viewer's country is known and not \(listed(countries, "or"))"
    case .block(let countries): "403 for viewers from \(listed(countries, "or"))"
    }
  }

  /// What the edge answers without asking cache or origin, in the order in which it looks.
  var ownAnswer: (status: Int, why: String)? {
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

  var isPreflight: Bool {
    behavior.responses.cors?.appendPreflight(head, base, to: ByteBuffer()) ?? false
  }

  func value(of name: String) -> String? {
    request.headers.first { $0.name.lowercased() == name }?.value
  }

  // MARK: Cache

  func addCaching(to result: inout Explanation) {
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

  var rangeSpecs: [RangeSpec]? {
    guard head.fields.repeated & KnownField.range.bit == 0 else { return nil }
    return head.fields.value(of: .range, in: base).flatMap(parseRanges)
  }

  /// RFC 9110 §14.2: a Range that counts for nothing makes a request for the whole.
  var ignoresRange: Bool { caching.passOnMiss == .requestRange && rangeSpecs == nil }

  /// What is asked for first when nothing of the URL is stored; nil when the range is passed on.
  var slice: ByteRange? {
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
  var asksToStore: Bool {
    caching.bypass == .none && (caching.passOnMiss == .none || ignoresRange || slice != nil)
  }

  func addKey(to result: inout Explanation) {
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

  var source: ViewerSource {
    // Static storage would be needed to point at the text of an address: none is told here.
    ViewerSource(
      text: UnsafeBufferPointer(start: nil, count: 0), port: 0, scheme: request.scheme)
  }

  func addOrigin(to result: inout Explanation) {
    let members = behavior.route.members.map { policy.origins[$0] }
    let first = members[0]
    var facts: [Explanation.Fact] = [
      .init(
        key: "name", label: "name", value: .text(first.name),
        reason: behavior.settings.origin == nil
          ? "the distribution's own" : "the behavior names \(quoted(behavior.settings.origin!))"),
      .init(
        key: "url", label: "URL", value: .text(first.origin.url(for: request.scheme)), reason: nil),
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

  func addLifetime(to result: inout Explanation) {
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

  func addResponseRules(to result: inout Explanation) {
    let settings = behavior.settings
    var rules = changedWords(settings.responseHeaders, ResponseHeaderSettings())
    let codings = behavior.compression.codings
    if !codings.isEmpty {
      rules.append("compressed with \(listed(codings.names, "or")) where the viewer takes it")
    }
    if !behavior.forwardsCookies { rules.append("Set-Cookie is removed: no cookie is forwarded") }
    if !rules.isEmpty { result.add("response", "Response", .list(rules)) }
  }

  func changedWords(
    _ settings: ResponseHeaderSettings, _ usual: ResponseHeaderSettings
  ) -> [String] {
    ResponseHeaderSettings.form.members.flatMap { $0.parts(settings, usual) }
      .map { "\($0.noun): \($0.words)" }
  }
}
