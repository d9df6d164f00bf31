// SPDX-License-Identifier: Apache-2.0

extension Distribution {
  /// A distribution with nothing set by hand: the preset's caching and the defaults for the rest.
  package static func make(
    name: String, origin: Origin, preset: Preset, id: String,
    baseDomain: String = standardBase, now: Int64
  ) -> Distribution {
    let caching = preset.caching
    return Distribution(
      name: name, id: id, defaultDomain: "\(id).\(baseDomain)", created: now, modified: now,
      preset: preset, origin: origin,
      defaultBehavior: caching.defaultBehavior, behaviors: caching.behaviors,
      settings: caching.settings, rootObject: preset.rootObject, errors: preset.errors)
  }

  /// Starts the caching settings over from a preset.
  package mutating func apply(_ preset: Preset) {
    let caching = preset.caching
    self.preset = preset
    defaultBehavior = caching.defaultBehavior
    behaviors = caching.behaviors
    settings = caching.settings
    rootObject = preset.rootObject
    errors = preset.errors
  }

  /// Names the preset `custom` once a setting differs from what the preset says.
  ///
  /// Overrides are the user's part of `dynamic`, so they don't count there.
  package mutating func settlePreset() {
    let caching = preset.caching
    let keeps =
      defaultBehavior == caching.defaultBehavior && settings == caching.settings
      && (preset == .dynamic || behaviors == caching.behaviors)
      && rootObject == preset.rootObject && errors == preset.errors
    if !keeps { preset = .custom }
  }
}

extension Preset {
  package var rootObject: String? { self == .spa ? "index.html" : nil }

  package var errors: ErrorSettings {
    switch self {
    case .origin, .custom: ErrorSettings()
    // CloudFront's default, which Lightsail has too.
    case .static, .dynamic, .wordpress: ErrorSettings(minimumTTL: 10)
    case .spa:
      ErrorSettings(
        minimumTTL: 10,
        responses: [403, 404].map {
          ErrorResponse(status: $0, page: .path("/index.html"), responseStatus: 200)
        })
    }
  }

  /// What a preset decides about caching.
  package var caching:
    (defaultBehavior: Caching, behaviors: [PathBehavior], settings: BehaviorSettings)
  {
    switch self {
    case .origin, .custom:
      return (
        .cache, [],
        BehaviorSettings(
          ttl: TTL(), honorsRequestDirectives: true, forwardedHeaders: .all, forwardedCookies: .all,
          forwardedQueryStrings: .all, key: KeySettings(host: true, codings: [.gzip, .brotli]))
      )
    case .static, .spa:
      return (.cache, [], BehaviorSettings(ttl: TTL(default: TTL.day)))
    case .dynamic:
      return (.dontCache, [], BehaviorSettings(ttl: TTL(default: TTL.day)))
    case .wordpress:
      return (
        .dontCache,
        [
          PathBehavior(path: "wp-includes/*", caching: .cache),
          PathBehavior(path: "wp-content/*", caching: .cache),
        ],
        BehaviorSettings(
          ttl: TTL(default: TTL.day), forwardedHeaders: .listed(["Host"]),
          forwardedQueryStrings: .all)
      )
    }
  }
}
