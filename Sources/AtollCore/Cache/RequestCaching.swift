// SPDX-License-Identifier: Apache-2.0

/// What a request allows the cache to do: computed from the head before the lookup. Plain data.
@usableFromInline
package struct RequestCaching: Sendable, Equatable {
  /// `.none` when the cache may be used, else why not.
  package var bypass: Reason = .none
  /// `.none` when a miss may become a fill, else why it is passed to the origin as it is.
  package var passOnMiss: Reason = .none
  package var flags: Flags = []
  /// Nothing but a lookup is to be done.
  package var isPlain = true
  /// The form that the viewer likes best, where the behavior compresses and the request allows it.
  package var coding = ContentCoding.identity
  /// max-age of the request; -1 without.
  package var maxAge: Int32 = -1
  package var minFresh: Int32 = 0
  /// max-stale of the request, the largest number when it names no limit; -1 without.
  package var maxStale: Int32 = -1
  /// stale-if-error of the request (RFC 5861 §4); -1 without.
  package var staleIfError: Int32 = -1

  @usableFromInline
  package struct Flags: OptionSet, Sendable {
    @usableFromInline package let rawValue: UInt8
    @inlinable
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Credentials reach the origin and are not in the key (RFC 9111 §3.5).
    @inlinable package static var authorization: Flags { Flags(rawValue: 1) }
    /// Cookies reach the origin and are not in the key.
    @inlinable package static var cookie: Flags { Flags(rawValue: 2) }
    /// no-cache: nothing without validation (RFC 9111 §5.2.1.4).
    @inlinable package static var noCache: Flags { Flags(rawValue: 4) }
    /// only-if-cached: a stored response or 504 (RFC 9111 §5.2.1.7).
    @inlinable package static var onlyIfCached: Flags { Flags(rawValue: 8) }
    /// One of max-age, min-fresh and max-stale.
    @inlinable package static var limits: Flags { Flags(rawValue: 16) }
  }

  package init() {}

  @inline(__always)
  package init(
    _ head: borrowing RequestHead, _ base: UnsafePointer<UInt8>, behavior: borrowing BehaviorPolicy
  ) {
    guard head.fields.present & behavior.fieldsOfInterest == 0, behavior.caches,
      head.method == .get || head.method == .head, case .none = head.framing
    else {
      examine(head, base, behavior)
      return
    }
  }

  @inline(never)
  private mutating func examine(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ behavior: BehaviorPolicy
  ) {
    defer { isPlain = bypass == .none && coding == .identity }
    bypass = Self.bypass(head, base, behavior)
    let present = head.fields.present & behavior.fieldsOfInterest
    if present & KnownField.authorization.bit != 0 { flags.insert(.authorization) }
    if present & KnownField.cookie.bit != 0 { flags.insert(.cookie) }
    // RFC 9110 §14.2: Range means nothing but for GET.
    if head.method == .get && present & KnownField.range.bit != 0 { passOnMiss = .requestRange }
    // RFC 9111 §4.3.2: these ask the origin, not a cache. A stored response that meets them may
    // answer (RFC 9110 §13.1.1); whether nothing does is the origin's to say.
    if present & FieldRules.originConditions != 0 { passOnMiss = .requestCondition }
    // Ranges are answered from the plain bytes; the compressed form has no strong entity tag, which
    // If-Match asks for.
    if present & KnownField.acceptEncoding.bit != 0, head.method == .get || head.method == .head,
      !head.fields.contains(.range), !head.fields.contains(.ifMatch)
    {
      coding = ContentCoding(head, base, offered: behavior.compression.codings)
    }
    if !behavior.honorsRequestDirectives { return }
    if present & KnownField.cacheControl.bit != 0 {
      var line = head.fields.firstIndex(of: .cacheControl)
      while let index = line {
        var directives = Directives(head.fields.value(at: index, in: base))
        while let directive = directives.next() { apply(directive) }
        line = head.fields.nextIndex(of: .cacheControl, after: index)
      }
    } else if let pragma = head.fields.value(of: .pragma, in: base) {
      // RFC 9111 §5.4: HTTP/1.0's word for no-cache, which counts when Cache-Control is absent.
      var members = ListMembers(pragma)
      while let member = members.next() {
        if equalsIgnoringCase(member, "no-cache") { flags.insert(.noCache) }
      }
    }
  }

  private static func bypass(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ behavior: BehaviorPolicy
  ) -> Reason {
    if !behavior.caches { return .behaviorDontCache }
    if !behavior.cachesMethod(head.method) { return .method }
    if head.method == .options,
      head.isAboutServer(base) || head.fields.contains(.maxForwards)
    {
      return .method
    }
    if head.asksPassedUpgrade(base) { return .upgrade }
    switch head.framing {
    case .none, .length(0): return .none
    case .length, .chunked, .untilClose: return .requestBody
    }
  }

  /// RFC 9111 §5.2.1; of repeated limits the most demanding counts.
  private mutating func apply(_ directive: Directive) {
    let name = directive.name
    switch name.count {
    case 7 where equalsIgnoringCase(name, "max-age"):
      let seconds = directive.seconds ?? 0
      maxAge = maxAge < 0 ? seconds : min(maxAge, seconds)
      flags.insert(.limits)
    case 8 where equalsIgnoringCase(name, "no-store"):
      if bypass == .none { bypass = .requestNoStore }
    case 8 where equalsIgnoringCase(name, "no-cache"):
      flags.insert(.noCache)
    case 9 where equalsIgnoringCase(name, "min-fresh"):
      minFresh = max(minFresh, directive.seconds ?? 0)
      flags.insert(.limits)
    case 9 where equalsIgnoringCase(name, "max-stale"):
      guard let seconds = directive.value == nil ? Int32.max : directive.seconds else { return }
      maxStale = maxStale < 0 ? seconds : min(maxStale, seconds)
      flags.insert(.limits)
    // RFC 9111 §5.2.1.6.
    case 12 where equalsIgnoringCase(name, "no-transform"):
      coding = .identity
    case 14 where equalsIgnoringCase(name, "only-if-cached"):
      flags.insert(.onlyIfCached)
    case 14 where equalsIgnoringCase(name, "stale-if-error"):
      let seconds = directive.seconds ?? 0
      staleIfError = staleIfError < 0 ? seconds : min(staleIfError, seconds)
    default: break
    }
  }
}
