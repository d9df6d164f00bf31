// SPDX-License-Identifier: Apache-2.0

/// One site: where it comes from and how its responses are cached.
package struct Distribution: Equatable, Sendable {
  package var name: String
  /// Assigned at creation, kept for life: "d" and 13 characters of a-z0-9.
  package var id: String
  /// `<id>.<base domain>`, assigned at creation from the store's base domain, kept for life.
  package var defaultDomain: String
  /// The store's revision of the last write; 0 before the first.
  package var revision: UInt64
  /// Seconds since 1970.
  package var created: Int64
  package var modified: Int64
  package var preset: Preset
  package var isEnabled: Bool
  package var plan: Plan
  package var tags: [Tag]
  /// CloudFormation's IpAddressType, kept for those who read the configuration: what an edge listens
  /// on is its own option.
  package var ipAddressType: IPAddressType?
  /// What it answers for beside its own domains.
  package var domains: [AttachedDomain]
  /// What it answered for once: whoever asks for these is told so with 403.
  package var detachedDomains: [String]
  /// The origin of every behavior that names no other.
  package var origin: Origin
  /// Further origins, for behaviors and groups to name.
  package var origins: [NamedOrigin]
  package var originGroups: [OriginGroup]
  package var defaultBehavior: Caching
  /// In the order of matching.
  package var behaviors: [PathBehavior]
  /// Of the default behavior; the others start from it.
  package var settings: BehaviorSettings
  /// Served for "/" alone (CloudFront's default root object): a path below the root without its
  /// leading slash; nil: "/" goes to the origin.
  package var rootObject: String?
  /// Appended to paths below the root that end in "/"; nil: they go to the origin as they are.
  package var indexDocument: String?
  package var errors: ErrorSettings
  /// Addresses or networks (CIDR) whose X-Forwarded-For and X-Forwarded-Proto are believed, "unix:"
  /// for the peers of Unix sockets.
  package var trustedProxies: [String]
  package var geoRestriction: GeoRestriction

  package init(
    name: String, id: String, defaultDomain: String? = nil, revision: UInt64 = 0, created: Int64,
    modified: Int64,
    preset: Preset, isEnabled: Bool = true, plan: Plan = .unlimited, tags: [Tag] = [],
    ipAddressType: IPAddressType? = nil, domains: [AttachedDomain] = [],
    detachedDomains: [String] = [], origin: Origin, origins: [NamedOrigin] = [],
    originGroups: [OriginGroup] = [], defaultBehavior: Caching,
    behaviors: [PathBehavior] = [], settings: BehaviorSettings, rootObject: String? = nil,
    indexDocument: String? = nil, errors: ErrorSettings = ErrorSettings(),
    trustedProxies: [String] = [], geoRestriction: GeoRestriction = .none
  ) {
    self.name = name
    self.id = id
    self.defaultDomain = defaultDomain ?? "\(id).\(Self.standardBase)"
    self.revision = revision
    self.created = created
    self.modified = modified
    self.preset = preset
    self.isEnabled = isEnabled
    self.plan = plan
    self.tags = tags
    self.ipAddressType = ipAddressType
    self.domains = domains
    self.detachedDomains = detachedDomains
    self.origin = origin
    self.origins = origins
    self.originGroups = originGroups
    self.defaultBehavior = defaultBehavior
    self.behaviors = behaviors
    self.settings = settings
    self.rootObject = rootObject
    self.indexDocument = indexDocument
    self.errors = errors
    self.trustedProxies = trustedProxies
    self.geoRestriction = geoRestriction
  }
}

package struct Tag: Equatable, Sendable {
  package var key: String
  package var value: String

  package init(key: String, value: String = "") {
    self.key = key
    self.value = value
  }
}

package enum Preset: String, Sendable, CaseIterable {
  /// Obeys the origin's headers (RFC 9111), forwards what the origin may need.
  case origin
  case `static`, dynamic, wordpress
  /// A single-page application: `static`, with index.html for every path that the origin lacks.
  case spa
  /// A preset with a setting changed by hand.
  case custom
}

/// Monthly transfer (Lightsail's bundles).
package enum Plan: String, Sendable, CaseIterable {
  case unlimited, small, medium, large
}

package enum Caching: String, Sendable, CaseIterable {
  case cache
  case dontCache = "dont-cache"
}

/// Lightsail's choice of address families.
package enum IPAddressType: String, Sendable, CaseIterable {
  case ipv4, ipv6, dualstack
}

/// A path override: Lightsail's "directory and file override", CloudFront's path pattern.
package struct PathBehavior: Equatable, Sendable {
  /// `*` any characters, `?` one, a trailing slash everything below; case-sensitive.
  package var path: String
  package var caching: Caching
  /// What differs from the distribution's settings.
  package var overrides: SettingsOverride

  package init(path: String, caching: Caching, overrides: SettingsOverride) {
    self.path = path
    self.caching = caching
    self.overrides = overrides
  }

  package init(path: String, caching: Caching, ttl: TTL? = nil) {
    self.init(path: path, caching: caching, overrides: SettingsOverride(ttl: ttl))
  }

  /// Instead of the distribution's.
  package var ttl: TTL? {
    get { overrides.ttl }
    set { overrides.ttl = newValue }
  }
}

/// Who may see a distribution, by the country of the viewer's address (ISO 3166-1 alpha-2, upper
/// case). A country that is not known is served.
package enum GeoRestriction: Equatable, Sendable {
  case none
  case allow([String])
  case block([String])
}
