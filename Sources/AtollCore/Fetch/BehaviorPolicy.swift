// SPDX-License-Identifier: Apache-2.0

/// One behavior compiled for the edge: what it caches, for how long, what of a request it forwards
/// and what of that is part of the key.
///
/// Two ways of forwarding, never mixed:
/// - *Selected* (Lightsail's presets): headers, cookies and query parameters that are chosen are
///   forwarded and keyed, the rest is left out or the same for every viewer.
/// - *Everything* (preset `origin`, and whatever a behavior does not cache): nothing is left out;
///   the key holds URL, scheme and host, Vary selects among the rest (RFC 9111 §4.1).
///
/// What `OriginRequestSettings` names is sent beside that without being keyed: Vary selects there,
/// too, and the rest is what the configuration says in so many words.
@usableFromInline
package final class BehaviorPolicy: @unchecked Sendable {
  /// The path override's pattern, "*" for the default.
  package let pattern: String
  /// Its place in the distribution's `behaviors`.
  package let index: Int
  /// As configured, what the distribution says included; not for the hot path.
  package let settings: BehaviorSettings
  /// What viewers get of the header of a response.
  package let responses: ResponsePolicy
  /// Where misses go.
  package let route: OriginRoute
  /// The distribution's.
  package let errors: ErrorPolicy
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
  package let compression: CompressionPolicy
  /// Nothing stands between a request and its lookup: no viewer policy of the distribution or the
  /// behavior has to be looked at, nothing of the viewer but its request is in the key, and responses
  /// leave as they are stored.
  package let isPlain: Bool

  /// Every header of the viewer goes to the origin, but for those that are withheld.
  let sendsAllHeaders: Bool
  let cookies: SelectedNames
  let keysCookies: Bool
  let queries: SelectedNames
  let sortsQuery: Bool
  let documents: DocumentNames
  /// How the URL of a key is made.
  let keyURL: URLMode
  /// How the URL of a request to the origin is made.
  let originURL: URLMode
  /// Headers that are forwarded and keyed, lower case, in the order of the settings.
  let keyedHeaders: NameList
  /// The known ones of them.
  let keyedFields: UInt64
  /// Unknown headers that the origin request names, lower case.
  private let requestedHeaders: NameList
  /// Unknown headers that are not forwarded, lower case.
  private let withheldHeaders: NameList
  /// Whether Host of the viewer reaches the origin as Host, whichever origin that is.
  let forwardsHost: Bool
  /// Whether the viewer's Host is in the key beside `keyedHeaders`: it reaches the origin as Host
  /// or X-Forwarded-Host.
  let keysHost: Bool
  /// Whether entries of http and https differ.
  package let keysScheme: Bool
  /// Whether the origin is told the viewer's scheme: only where its response serves no other.
  let sendsScheme: Bool
  /// How Accept-Encoding goes to the origin.
  let negotiation: Negotiation
  /// Headers about the viewer that are in the key.
  let keyedViewerHeaders: ViewerHeaders
  /// Those that the origin gets.
  package let sentViewerHeaders: ViewerHeaders
  /// Those whose values a lookup needs, for the key or for Vary.
  package let comparedViewerHeaders: ViewerHeaders
  /// Known fields that go to the origin as received, on GET and HEAD (and OPTIONS when cached).
  let copiedFields: UInt64
  /// The same for other methods.
  let copiedFieldsOfUncachedMethods: UInt64
  /// Known fields that every origin of the route replaces by its own.
  let replacedFields: UInt64
  /// Fields without any of which a GET needs no closer look.
  let fieldsOfInterest: UInt64
  /// Slot and shape, the beginning of every key of this behavior.
  let keyPrefix: UInt64
  @usableFromInline let allowedMethods: UInt16
  @usableFromInline let cachedMethods: UInt16

  enum URLMode: UInt8 {
    /// Path and query as received.
    case asReceived
    /// The path as received.
    case pathOnly
    /// Documents are added, parameters chosen or sorted.
    case composed
  }

  enum Negotiation: UInt8 {
    /// The origin gets no Accept-Encoding.
    case withheld
    case asReceived
    /// Reduced to `CodingSet` where the response may be stored.
    case reduced
  }

  init(
    pattern: String, caching: Caching, settings: BehaviorSettings, route: OriginRoute, slot: Int,
    index: Int, distribution: Distribution, origins: [OriginPolicy],
    errors: ErrorPolicy
  ) {
    self.pattern = pattern
    self.index = index
    self.settings = settings
    self.route = route
    self.errors = errors
    responses = ResponsePolicy(settings.responseHeaders)
    let ttl = settings.ttl
    let caches = caching == .cache
    self.caches = caches
    minimumTTL = Self.seconds(ttl.minimum)
    defaultTTL = ttl.default.map(Self.seconds) ?? -1
    maximumTTL = max(Self.seconds(ttl.maximum), minimumTTL)
    overridesOrigin = settings.overridesOrigin
    staleIfError = Self.seconds(settings.staleIfError)
    honorsRequestDirectives = settings.honorsRequestDirectives

    // What nobody else will be served needs no key, so nothing of it is withheld: a site whose
    // pages are not cached gets its cookies, queries and credentials.
    let headers = HeaderSelection(settings, caches: caches)
    compression = CompressionPolicy(
      settings.compression,
      isPossible: caches && headers.keyedFields & KnownField.acceptEncoding.bit == 0)
    sendsAllHeaders = headers.sendsAll
    keyedHeaders = NameList(headers.keyed)
    keyedFields = headers.keyedFields
    requestedHeaders = NameList(headers.requested)
    withheldHeaders = NameList(headers.withheld)
    let members = route.members.map { origins[$0] }
    let keysListedHost = headers.keyedFields & KnownField.host.bit != 0
    forwardsHost = keysListedHost || headers.requestsHost
    // Whatever sends it: viewers write into Host what they like, and origins make links of it.
    keysHost =
      !keysListedHost
      && (settings.key.host || !caches || headers.requestsHost
        || members.contains { $0.headers.sendsViewerHost })
    // The scheme is part of the target URI (RFC 9111 §2), and in the key where the origin is told.
    keysScheme = caches && (settings.key.scheme || headers.forwardsAll || headers.namesScheme)
    sendsScheme = keysScheme || !caches || settings.viewerProtocol != .allowAll

    let viewer = ViewerHeaderSelection(settings, caches: caches, keysScheme: keysScheme)
    keyedViewerHeaders = viewer.keyed
    sentViewerHeaders = viewer.sent
    comparedViewerHeaders = viewer.compared

    let request = settings.originRequest
    cookies = SelectedNames(
      key: caches ? settings.forwardedCookies : .all, request: request.cookies,
      isUnkeyed: !caches || (headers.forwardsAll && settings.forwardedCookies == .all))
    keysCookies = cookies.keyed != .none
    sortsQuery = caches && settings.key.sortsQuery
    queries = SelectedNames(
      key: caches ? settings.forwardedQueryStrings : .all, request: request.queryStrings,
      isUnkeyed: !caches,
      dropped: caches ? TrackingParameters.expanding(settings.key.droppedQueryStrings) : [],
      ordered: sortsQuery)
    documents = DocumentNames(distribution)
    keyURL = Self.urlMode(caches ? queries.keyed : queries.sent, documents)
    originURL = Self.urlMode(queries.sent, documents)

    if settings.key.codings.isEmpty || headers.keyedFields & KnownField.acceptEncoding.bit != 0 {
      negotiation = headers.sends(.acceptEncoding) ? .asReceived : .withheld
    } else {
      negotiation = .reduced
    }

    copiedFields = headers.copied
    copiedFieldsOfUncachedMethods =
      headers.copied | (KnownField.authorization.bit & ~headers.withheldFields)
    replacedFields = members.reduce(~0) { $0 & $1.headers.replaced }

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

    var interest = KnownField.range.bit | KnownField.upgrade.bit
    if honorsRequestDirectives {
      interest |= KnownField.cacheControl.bit | KnownField.pragma.bit
    }
    if headers.copied & ~headers.keyedFields & KnownField.authorization.bit != 0 {
      interest |= KnownField.authorization.bit
    }
    if !compression.codings.isEmpty { interest |= KnownField.acceptEncoding.bit }
    // Not for cookies that the origin request names: that is said in so many words.
    if !keysCookies && cookies.sent != .none && settings.forwardedCookies != .none {
      interest |= KnownField.cookie.bit
    }
    fieldsOfInterest = interest

    isPlain =
      distribution.isEnabled && distribution.geoRestriction == .none
      && distribution.trustedProxies.isEmpty && settings.viewerProtocol == .allowAll
      && comparedViewerHeaders.isEmpty && responses.isEmpty

    let shape = KeyShape(
      headers: headers.keyed, keysHost: keysHost, keysScheme: keysScheme,
      viewerHeaders: viewer.keyed, settings: settings)
    keyPrefix = UInt64(slot) | UInt64(shape.bits) << 16
  }

  deinit {
    keyedHeaders.deallocate()
    requestedHeaders.deallocate()
    withheldHeaders.deallocate()
    cookies.deallocate()
    queries.deallocate()
    documents.deallocate()
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
  package var forwardsCookies: Bool { cookies.sent != .none }

  /// Whether a header that no decision looks at goes to the origin.
  /// - Parameter isStorable: the response to this method may be stored.
  func forwards(unknown name: UnsafeBufferPointer<UInt8>, isStorable: Bool) -> Bool {
    if FieldRules.isMadeByEdge(name) { return false }
    if keyedHeaders.containsIgnoringCase(name) { return true }
    if withheldHeaders.containsIgnoringCase(name) { return false }
    if !FieldRules.isOverride(name) { return true }
    return (sendsAllHeaders && !isStorable) || requestedHeaders.containsIgnoringCase(name)
  }

  private static func seconds(_ value: Int) -> Int32 { Int32(clamping: max(value, 0)) }

  private static func urlMode(_ queries: SelectedNames.Mode, _ documents: DocumentNames) -> URLMode
  {
    if !documents.isEmpty { return .composed }
    switch queries {
    case .none: return .pathOnly
    case .all: return .asReceived
    case .chosen: return .composed
    }
  }
}

/// The documents that stand for directories (CloudFront §2). Its owner frees it.
struct DocumentNames {
  let root: FixedBytes
  let index: FixedBytes
  let isEmpty: Bool

  init(_ distribution: Distribution) {
    root = FixedBytes(distribution.rootObject ?? "")
    index = FixedBytes(distribution.indexDocument ?? "")
    isEmpty = root.bytes.isEmpty && index.bytes.isEmpty
  }

  func deallocate() {
    root.deallocate()
    index.deallocate()
  }

  /// What is added to a path; empty for nothing.
  func document(for path: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
    if path.last != 0x2f { return UnsafeBufferPointer(start: nil, count: 0) }
    return path.count == 1 ? root.bytes : index.bytes
  }
}
