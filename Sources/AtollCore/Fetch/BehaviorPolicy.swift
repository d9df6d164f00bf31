// SPDX-License-Identifier: Apache-2.0

/// One behavior compiled for the edge: what it caches, for how long, what of a request it forwards
/// and what of that is part of the key.
///
/// Two ways of forwarding, never mixed:
/// - *Selected* (Lightsail's presets): headers, cookies and query parameters that are chosen are
///   forwarded and keyed, the rest is left out or the same for every viewer.
/// - *Everything* (preset `origin`, and whatever a behavior does not cache): nothing is left out;
///   the key holds URL and host, Vary selects among the rest (RFC 9111 §4.1).
@usableFromInline
package final class BehaviorPolicy: @unchecked Sendable {
  /// The path override's pattern, "*" for the default.
  package let pattern: String
  /// Its place in the distribution's `behaviors`.
  package let index: Int
  /// As configured, what the distribution says included; not for the hot path.
  package let settings: BehaviorSettings
  /// Where misses go.
  package let route: OriginRoute
  package let caches: Bool
  /// Whether Cache-Control of a request counts (RFC 9111 §5.2.1); not in Lightsail's presets, where
  /// viewers cannot force a fetch.
  package let honorsRequestDirectives: Bool
  package let overridesOrigin: Bool
  /// Seconds; Int32 holds every lifetime that RFC 9111 §1.2.2 asks for.
  package let minimumTTL: Int32
  /// -1 when the origin's headers and heuristics alone decide.
  package let defaultTTL: Int32
  package let maximumTTL: Int32
  package let staleIfError: Int32

  let forwardsEverything: Bool
  let cookies: SelectionMode
  let keysCookies: Bool
  let queries: SelectionMode
  let listedCookies: NameList
  let listedQueries: NameList
  /// Headers that are forwarded and keyed, lower case, in the order of the settings.
  let keyedHeaders: NameList
  /// The known ones of them.
  let keyedFields: UInt64
  /// Whether Host of the viewer reaches the origin as Host.
  let forwardsHost: Bool
  /// Whether the viewer's Host is in the key: it reaches the origin as Host or X-Forwarded-Host.
  let keysHost: Bool
  /// Known fields that go to the origin as received, on GET and HEAD (and OPTIONS when cached).
  let copiedFields: UInt64
  /// The same for other methods.
  let copiedFieldsOfUncachedMethods: UInt64
  /// Fields without any of which a GET needs no closer look.
  let fieldsOfInterest: UInt64
  /// Slot and shape, the beginning of every key of this behavior.
  let keyPrefix: UInt64
  @usableFromInline let allowedMethods: UInt16
  @usableFromInline let cachedMethods: UInt16

  enum SelectionMode: UInt8 {
    case none, all, listed

    init(_ selection: NameSelection) {
      switch selection {
      case .none: self = .none
      case .all: self = .all
      case .listed: self = .listed
      case .allExcept: self = .all
      }
    }
  }

  init(
    pattern: String, caching: Caching, settings: BehaviorSettings, route: OriginRoute, slot: Int,
    index: Int
  ) {
    self.pattern = pattern
    self.index = index
    self.settings = settings
    self.route = route
    let ttl = settings.ttl
    caches = caching == .cache
    minimumTTL = Self.seconds(ttl.minimum)
    defaultTTL = ttl.default.map(Self.seconds) ?? -1
    maximumTTL = max(Self.seconds(ttl.maximum), minimumTTL)
    overridesOrigin = settings.overridesOrigin
    staleIfError = Self.seconds(settings.staleIfError)

    let forwardsAllHeaders = settings.forwardedHeaders == .all
    // What nobody else will be served needs no key, so nothing of it is withheld: a site whose
    // pages are not cached gets its cookies, queries and credentials.
    forwardsEverything = forwardsAllHeaders || !caches
    honorsRequestDirectives = settings.honorsRequestDirectives
    let listed = Self.listedHeaders(settings.forwardedHeaders)
    keyedHeaders = NameList(listed)
    var keyedFields: UInt64 = 0
    for position in 0..<listed.count { keyedFields |= keyedHeaders.known(position).bit }
    keyedFields &= ~KnownField.other.bit
    self.keyedFields = keyedFields
    cookies = caches ? SelectionMode(settings.forwardedCookies) : .all
    keysCookies = caches && (cookies == .listed || (cookies == .all && !forwardsAllHeaders))
    queries = caches ? SelectionMode(settings.forwardedQueryStrings) : .all
    listedCookies = NameList(Self.names(settings.forwardedCookies))
    listedQueries = NameList(Self.names(settings.forwardedQueryStrings))
    forwardsHost = keyedFields & KnownField.host.bit != 0
    keysHost = (settings.key.host || !caches) && !forwardsHost

    var copied = ~FieldRules.replaced
    if !forwardsEverything { copied &= ~FieldRules.leftOut | keyedFields }
    copiedFieldsOfUncachedMethods =
      copied | (forwardsEverything ? 0 : KnownField.authorization.bit)
    copiedFields = copied

    let allowed: [Method]
    switch settings.allowedMethods {
    case .getHead: allowed = [.get, .head]
    case .getHeadOptions: allowed = [.get, .head, .options]
    case .all: allowed = [.get, .head, .options, .put, .patch, .post, .delete]
    }
    allowedMethods = allowed.reduce(0) { $0 | 1 << UInt16($1.rawValue) }
    let cached: [Method] =
      !caches ? [] : settings.cachesOptions ? [.get, .head, .options] : [.get, .head]
    cachedMethods = cached.reduce(0) { $0 | 1 << UInt16($1.rawValue) }

    var interest =
      KnownField.range.bit | KnownField.upgrade.bit | FieldRules.originConditions
    if honorsRequestDirectives {
      interest |= KnownField.cacheControl.bit | KnownField.pragma.bit
    }
    if copied & ~keyedFields & KnownField.authorization.bit != 0 {
      interest |= KnownField.authorization.bit
    }
    if cookies != .none && !keysCookies { interest |= KnownField.cookie.bit }
    fieldsOfInterest = interest

    let shape = Self.shape(
      headers: listed, keysHost: keysHost,
      cookies: keysCookies ? settings.forwardedCookies : .none)
    keyPrefix = UInt64(slot) | UInt64(shape) << 16
  }

  deinit {
    keyedHeaders.deallocate()
    listedCookies.deallocate()
    listedQueries.deallocate()
  }

  /// Whether the method is among those that viewers may use (else 405).
  @inlinable
  package func allows(_ method: Method) -> Bool {
    allowedMethods &>> UInt16(method.rawValue) & 1 != 0
  }

  /// Whether responses to the method may come from the cache.
  @inlinable
  package func cachesMethod(_ method: Method) -> Bool {
    cachedMethods &>> UInt16(method.rawValue) & 1 != 0
  }

  /// Whether Set-Cookie reaches viewers.
  package var forwardsCookies: Bool { cookies != .none }

  private static func seconds(_ value: Int) -> Int32 { Int32(clamping: max(value, 0)) }

  private static func names(_ selection: NameSelection) -> [String] {
    guard case .listed(let names) = selection else { return [] }
    return names
  }

  /// The chosen headers that can be forwarded and keyed: lower case, each once.
  private static func listedHeaders(_ selection: NameSelection) -> [String] {
    var result: [String] = []
    for name in names(selection) {
      let name = name.lowercased()
      let isUsable = Array(name.utf8).withUnsafeBufferPointer {
        $0.count > 0 && !FieldRules.isMadeByEdge($0)
          && FieldRules.neverKeyed & KnownField.of($0.baseAddress!, length: $0.count).bit == 0
      }
      if isUsable && !result.contains(name) {
        result.append(name)
      }
    }
    return result
  }

  /// 24 bits that differ when the keyed parts of a request do (FNV-1a).
  private static func shape(headers: [String], keysHost: Bool, cookies: NameSelection) -> UInt32 {
    var text = headers.joined(separator: "\n") + (keysHost ? "\n\nhost\n" : "\n\n\n")
    switch cookies {
    case .none: text += "-"
    case .all: text += "*"
    case .listed(let names): text += "=" + names.joined(separator: "\n")
    case .allExcept(let names): text += "!" + names.joined(separator: "\n")
    }
    var hash: UInt32 = 0x811c_9dc5
    for byte in text.utf8 { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
    return (hash ^ hash &>> 24) & 0xff_ffff
  }
}
