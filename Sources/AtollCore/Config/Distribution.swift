// SPDX-License-Identifier: Apache-2.0

/// One site: where it comes from and how its responses are cached.
package struct Distribution: Equatable, Sendable {
  package var name: String
  /// Assigned at creation, kept for life: "d" and 13 characters of a-z0-9.
  package var id: String
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
  package var origin: Origin
  package var defaultBehavior: Caching
  /// In the order of matching.
  package var behaviors: [PathBehavior]
  package var settings: CacheSettings

  package init(
    name: String, id: String, revision: UInt64 = 0, created: Int64, modified: Int64,
    preset: Preset, isEnabled: Bool = true, plan: Plan = .unlimited, tags: [Tag] = [],
    ipAddressType: IPAddressType? = nil, origin: Origin, defaultBehavior: Caching,
    behaviors: [PathBehavior] = [], settings: CacheSettings
  ) {
    self.name = name
    self.id = id
    self.revision = revision
    self.created = created
    self.modified = modified
    self.preset = preset
    self.isEnabled = isEnabled
    self.plan = plan
    self.tags = tags
    self.ipAddressType = ipAddressType
    self.origin = origin
    self.defaultBehavior = defaultBehavior
    self.behaviors = behaviors
    self.settings = settings
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

package struct Origin: Equatable, Sendable {
  package var scheme: Scheme
  /// Name or address, without brackets, lower case.
  package var host: String
  package var port: UInt16
  /// Put before the viewer's path: empty, or with a leading and no trailing slash.
  package var path: String
  /// Seconds, 1 to 10.
  package var connectTimeout: Int
  /// 1 to 3.
  package var connectAttempts: Int
  /// Seconds to the first byte and between packets, 1 to 120.
  package var responseTimeout: Int
  /// Seconds an idle connection is kept, 1 to 120.
  package var keepAliveTimeout: Int
  /// CloudFormation's Origin.Name where the address stands in Source: a label for people.
  package var label: String?
  /// CloudFormation's RegionName: a label for people.
  package var region: String?

  package init(
    scheme: Scheme, host: String, port: UInt16, path: String = "", connectTimeout: Int = 10,
    connectAttempts: Int = 3, responseTimeout: Int = 30, keepAliveTimeout: Int = 5,
    label: String? = nil, region: String? = nil
  ) {
    self.scheme = scheme
    self.host = host
    self.port = port
    self.path = path
    self.connectTimeout = connectTimeout
    self.connectAttempts = connectAttempts
    self.responseTimeout = responseTimeout
    self.keepAliveTimeout = keepAliveTimeout
    self.label = label
    self.region = region
  }
}

/// Lightsail's choice of address families.
package enum IPAddressType: String, Sendable, CaseIterable {
  case ipv4, ipv6, dualstack
}

package enum Scheme: String, Sendable {
  case http, https
}

/// A path override: Lightsail's "directory and file override", CloudFront's path pattern.
package struct PathBehavior: Equatable, Sendable {
  /// `*` any characters, `?` one, a trailing slash everything below; case-sensitive.
  package var path: String
  package var caching: Caching
  /// Instead of the distribution's.
  package var ttl: TTL?

  package init(path: String, caching: Caching, ttl: TTL? = nil) {
    self.path = path
    self.caching = caching
    self.ttl = ttl
  }
}

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

package struct CacheSettings: Equatable, Sendable {
  package var ttl: TTL
  /// Amazon's rule: the minimum TTL stores what no-store, private and no-cache forbid.
  package var overridesOrigin: Bool
  /// Seconds an expired entry may stand in for a failing origin.
  package var staleIfError: Int
  package var allowedMethods: MethodSet
  /// GET and HEAD always, OPTIONS when chosen.
  package var cachesOptions: Bool
  package var forwardedHeaders: NameSelection
  package var forwardedCookies: NameSelection
  package var forwardedQueryStrings: NameSelection

  package init(
    ttl: TTL, overridesOrigin: Bool = false, staleIfError: Int = TTL.day,
    allowedMethods: MethodSet = .all, cachesOptions: Bool = false,
    forwardedHeaders: NameSelection = .none, forwardedCookies: NameSelection = .none,
    forwardedQueryStrings: NameSelection = .none
  ) {
    self.ttl = ttl
    self.overridesOrigin = overridesOrigin
    self.staleIfError = staleIfError
    self.allowedMethods = allowedMethods
    self.cachesOptions = cachesOptions
    self.forwardedHeaders = forwardedHeaders
    self.forwardedCookies = forwardedCookies
    self.forwardedQueryStrings = forwardedQueryStrings
  }
}

/// Lightsail's three choices of methods.
package enum MethodSet: String, Sendable, CaseIterable {
  case getHead = "GET,HEAD"
  case getHeadOptions = "GET,HEAD,OPTIONS"
  case all = "GET,HEAD,OPTIONS,PUT,PATCH,POST,DELETE"
}

package enum NameSelection: Equatable, Sendable {
  case none
  case all
  case listed([String])
}
