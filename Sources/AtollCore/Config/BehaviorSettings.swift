// SPDX-License-Identifier: Apache-2.0

/// Seconds. A missing default means: by the origin's headers and RFC 9111's heuristics alone.
package struct TTL: Equatable, Sendable {
  package var minimum: Int
  package var `default`: Int?
  package var maximum: Int

  package init(minimum: Int = 0, default: Int? = nil, maximum: Int = Self.year) {
    self.minimum = minimum
    self.default = `default`
    self.maximum = maximum
  }
}

/// How the requests of one behavior are treated.
package struct BehaviorSettings: Equatable, Sendable {
  package var ttl: TTL
  /// Amazon's rule: the minimum TTL stores what no-store, private and no-cache forbid.
  package var overridesOrigin: Bool
  /// Seconds an expired entry may stand in for a failing origin.
  package var staleIfError: Int
  /// Whether viewers' Cache-Control and Pragma count (RFC 9111 §5.2.1). Amazon ignores them: no
  /// viewer can force a fetch.
  package var honorsRequestDirectives: Bool
  package var allowedMethods: MethodSet
  /// GET and HEAD always, OPTIONS when chosen.
  package var cachesOptions: Bool
  /// Sent to the origin and part of the key; `all` is sent without being keyed, and Vary selects.
  package var forwardedHeaders: NameSelection
  package var forwardedCookies: NameSelection
  package var forwardedQueryStrings: NameSelection
  package var key: KeySettings
  package var originRequest: OriginRequestSettings
  /// The name of an origin or origin group; nil: the distribution's own origin.
  package var origin: String?
  /// Bytes of the slices in which ranges of what is not stored are fetched, a power of two from 64
  /// KiB to 16 MiB; 0 passes such requests on.
  package var sliceSize: Int
  package var compression: CompressionSettings
  package var viewerProtocol: ViewerProtocol
  package var responseHeaders: ResponseHeaderSettings
  /// Seconds an upgraded connection (WebSocket) may stay silent.
  package var upgradeTimeout: Int

  package init(
    ttl: TTL, overridesOrigin: Bool = false, staleIfError: Int = TTL.day,
    honorsRequestDirectives:
      Bool = false, allowedMethods: MethodSet = .all, cachesOptions: Bool = false,
    forwardedHeaders:
      NameSelection = .none, forwardedCookies: NameSelection = .none,
    forwardedQueryStrings:
      NameSelection = .none, key: KeySettings = KeySettings(),
    originRequest: OriginRequestSettings = OriginRequestSettings(), origin: String? = nil,
    sliceSize: Int = 1 << 20,
    compression:
      CompressionSettings = CompressionSettings(), viewerProtocol: ViewerProtocol = .allowAll,
    responseHeaders: ResponseHeaderSettings = ResponseHeaderSettings(), upgradeTimeout: Int = 600
  ) {
    self.ttl = ttl
    self.overridesOrigin = overridesOrigin
    self.staleIfError = staleIfError
    self.honorsRequestDirectives = honorsRequestDirectives
    self.allowedMethods = allowedMethods
    self.cachesOptions = cachesOptions
    self.forwardedHeaders = forwardedHeaders
    self.forwardedCookies = forwardedCookies
    self.forwardedQueryStrings = forwardedQueryStrings
    self.key = key
    self.originRequest = originRequest
    self.origin = origin
    self.sliceSize = sliceSize
    self.compression = compression
    self.viewerProtocol = viewerProtocol
    self.responseHeaders = responseHeaders
    self.upgradeTimeout = upgradeTimeout
  }
}

/// What one behavior has of its own; nil: as the distribution's settings say.
package struct SettingsOverride: Equatable, Sendable {
  package var ttl: TTL?
  package var overridesOrigin: Bool?
  package var staleIfError: Int?
  package var honorsRequestDirectives: Bool?
  package var allowedMethods: MethodSet?
  package var cachesOptions: Bool?
  package var forwardedHeaders: NameSelection?
  package var forwardedCookies: NameSelection?
  package var forwardedQueryStrings: NameSelection?
  package var key: KeySettings?
  package var originRequest: OriginRequestSettings?
  package var origin: String?
  package var sliceSize: Int?
  package var compression: CompressionSettings?
  package var viewerProtocol: ViewerProtocol?
  package var responseHeaders: ResponseHeaderSettings?
  package var upgradeTimeout: Int?

  package init(ttl: TTL? = nil) { self.ttl = ttl }

  package var isEmpty: Bool { self == SettingsOverride() }

  package func applied(to settings: BehaviorSettings) -> BehaviorSettings {
    var result = settings
    result.ttl = ttl ?? result.ttl
    result.overridesOrigin = overridesOrigin ?? result.overridesOrigin
    result.staleIfError = staleIfError ?? result.staleIfError
    result.honorsRequestDirectives = honorsRequestDirectives ?? result.honorsRequestDirectives
    result.allowedMethods = allowedMethods ?? result.allowedMethods
    result.cachesOptions = cachesOptions ?? result.cachesOptions
    result.forwardedHeaders = forwardedHeaders ?? result.forwardedHeaders
    result.forwardedCookies = forwardedCookies ?? result.forwardedCookies
    result.forwardedQueryStrings = forwardedQueryStrings ?? result.forwardedQueryStrings
    result.key = key ?? result.key
    result.originRequest = originRequest ?? result.originRequest
    result.origin = origin ?? result.origin
    result.sliceSize = sliceSize ?? result.sliceSize
    result.compression = compression ?? result.compression
    result.viewerProtocol = viewerProtocol ?? result.viewerProtocol
    result.responseHeaders = responseHeaders ?? result.responseHeaders
    result.upgradeTimeout = upgradeTimeout ?? result.upgradeTimeout
    return result
  }
}

/// Parts of the cache key beside URL and what is forwarded (CloudFront's cache policy).
package struct KeySettings: Equatable, Sendable {
  /// The viewer's Host. Where the origin does not get it (as Host or X-Forwarded-Host) it only
  /// splits the cache.
  package var host: Bool
  /// http or https, as the viewer came.
  package var scheme: Bool
  /// Desktop, mobile, tablet or television, by User-Agent; the origin gets the CloudFront-Is-…-Viewer
  /// headers.
  package var device: Bool
  /// By the viewer's address; the origin gets CloudFront-Viewer-Country.
  package var country: Bool
  /// Query parameters in the order of their names, then of their values; the origin gets them so.
  package var sortsQuery: Bool
  /// Names of query parameters, `*` and `?` for characters, that are not keyed whatever else is
  /// chosen, and that the origin gets only where the origin request sends them; "tracking" stands
  /// for the well-known ones (`TrackingParameters`).
  package var droppedQueryStrings: [String]
  /// The content codings that Accept-Encoding is reduced to; empty: a header like any other.
  package var codings: CodingSet

  package init(
    host: Bool = false, scheme: Bool = false, device: Bool = false, country: Bool = false,
    sortsQuery: Bool = false, droppedQueryStrings: [String] = [], codings: CodingSet = .gzip
  ) {
    self.host = host
    self.scheme = scheme
    self.device = device
    self.country = country
    self.sortsQuery = sortsQuery
    self.droppedQueryStrings = droppedQueryStrings
    self.codings = codings
  }
}

package struct CodingSet: OptionSet, Equatable, Sendable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  package static let gzip = CodingSet(rawValue: 1)
  package static let brotli = CodingSet(rawValue: 2)
}

/// What the origin gets although it is not in the key (CloudFront's origin request policy).
package struct OriginRequestSettings: Equatable, Sendable {
  /// All but Host, which is keyed wherever it is sent; the headers about the viewer
  /// (`ViewerHeader`) only when they are listed.
  package var headers: NameSelection
  package var cookies: NameSelection
  package var queryStrings: NameSelection

  package init(
    headers: NameSelection = .none, cookies: NameSelection = .none,
    queryStrings: NameSelection = .none
  ) {
    self.headers = headers
    self.cookies = cookies
    self.queryStrings = queryStrings
  }
}

/// Compression at the edge.
package struct CompressionSettings: Equatable, Sendable {
  /// Empty: off.
  package var codings: CodingSet
  /// Bytes.
  package var minimumSize: Int
  package var maximumSize: Int
  /// Media types, `text/*` among them; nil: CloudFront's list.
  package var types: [String]?

  package init(
    codings: CodingSet = [], minimumSize: Int = 1_000, maximumSize: Int = 10_000_000,
    types: [String]? = nil
  ) {
    self.codings = codings
    self.minimumSize = minimumSize
    self.maximumSize = maximumSize
    self.types = types
  }
}

/// CloudFront's viewer protocol policy.
package enum ViewerProtocol: String, Sendable, CaseIterable {
  case allowAll = "allow-all"
  case redirectToHTTPS = "redirect-to-https"
  case httpsOnly = "https-only"
}

/// What the edge changes in the header of every response (CloudFront's response headers policy):
/// first it removes, then it sets.
package struct ResponseHeaderSettings: Equatable, Sendable {
  package var removed: [String]
  package var set: [ResponseHeader]
  package var cors: CORSSettings?
  package var security: SecurityHeaders?
  /// Share of responses with Server-Timing, 0 to 100 percent; nil: none, also when asked for.
  package var serverTiming: Double?

  package init(
    removed: [String] = [], set: [ResponseHeader] = [], cors: CORSSettings? = nil,
    security: SecurityHeaders? = nil, serverTiming: Double? = nil
  ) {
    self.removed = removed
    self.set = set
    self.cors = cors
    self.security = security
    self.serverTiming = serverTiming
  }
}

package struct ResponseHeader: Equatable, Sendable {
  package enum Mode: String, Sendable, CaseIterable {
    /// In place of the origin's.
    case override
    /// Where the origin has none.
    case ifAbsent = "if-absent"
    /// Beside the origin's, as a line of its own.
    case append
  }

  package var name: String
  package var value: String
  package var mode: Mode

  package init(name: String, value: String, mode: Mode = .ifAbsent) {
    self.name = name
    self.value = value
    self.mode = mode
  }
}

/// Cross-origin resource sharing (Fetch standard) answered by the edge; the origin is not asked for
/// preflights.
package struct CORSSettings: Equatable, Sendable {
  /// `*`, `https://shop.example`, `https://*.shop.example`.
  package var origins: [String]
  package var allowsCredentials: Bool
  /// Of preflights; "*" for any.
  package var methods: [String]
  package var headers: [String]
  package var exposedHeaders: [String]
  /// Seconds that a browser keeps a preflight's answer.
  package var maxAge: Int?
  /// The origin's own Access-Control fields give way.
  package var overridesOrigin: Bool

  package init(
    origins: [String] = ["*"], allowsCredentials: Bool = false,
    methods: [String] = ["GET", "HEAD", "OPTIONS"], headers: [String] = [],
    exposedHeaders: [String] = [], maxAge: Int? = nil, overridesOrigin: Bool = true
  ) {
    self.origins = origins
    self.allowsCredentials = allowsCredentials
    self.methods = methods
    self.headers = headers
    self.exposedHeaders = exposedHeaders
    self.maxAge = maxAge
    self.overridesOrigin = overridesOrigin
  }
}

/// The browser's safeguards; nil: not sent. The origin's own fields win unless `overridesOrigin`.
package struct SecurityHeaders: Equatable, Sendable {
  package var strictTransportSecurity: String?
  package var contentTypeOptions: String?
  package var frameOptions: String?
  package var referrerPolicy: String?
  package var xssProtection: String?
  package var contentSecurityPolicy: String?
  package var overridesOrigin: Bool

  package init(
    strictTransportSecurity: String? = nil, contentTypeOptions: String? = nil,
    frameOptions: String? = nil, referrerPolicy: String? = nil, xssProtection: String? = nil,
    contentSecurityPolicy: String? = nil, overridesOrigin: Bool = false
  ) {
    self.strictTransportSecurity = strictTransportSecurity
    self.contentTypeOptions = contentTypeOptions
    self.frameOptions = frameOptions
    self.referrerPolicy = referrerPolicy
    self.xssProtection = xssProtection
    self.contentSecurityPolicy = contentSecurityPolicy
    self.overridesOrigin = overridesOrigin
  }

  /// CloudFront's managed SecurityHeadersPolicy.
  package static let standard = SecurityHeaders(
    strictTransportSecurity: "max-age=31536000", contentTypeOptions: "nosniff",
    frameOptions: "SAMEORIGIN", referrerPolicy: "strict-origin-when-cross-origin",
    xssProtection: "1; mode=block")
}

/// Lightsail's three choices of methods.
package enum MethodSet: String, Sendable, CaseIterable {
  case getHead = "GET,HEAD"
  case getHeadOptions = "GET,HEAD,OPTIONS"
  case all = "GET,HEAD,OPTIONS,PUT,PATCH,POST,DELETE"
}

/// Names of headers, cookies or query parameters; `*` and `?` stand for characters in names of cookies
/// and query parameters.
package enum NameSelection: Equatable, Sendable {
  case none
  case all
  case listed([String])
  /// Not for headers that are part of the key.
  case allExcept([String])
}
