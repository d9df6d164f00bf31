// SPDX-License-Identifier: Apache-2.0

/// What a configuration file says about one distribution: only what it says is set.
package struct DistributionDraft: Equatable, Sendable {
  /// The file, for messages.
  package var source: String
  /// What supplies everything that neither the file nor a preset named in it says.
  package var base: Distribution?

  package var name: String?
  package var id: String?
  package var revision: UInt64?
  package var created: Int64?
  package var modified: Int64?
  package var isEnabled: Bool?
  package var preset: Preset?
  package var plan: Plan?
  package var tags: [Tag]?
  package var ipAddressType: IPAddressType?

  /// Scheme, host, port and path; its other parts are the defaults.
  package var origin: Origin?
  package var connectTimeout: Int?
  package var connectAttempts: Int?
  package var responseTimeout: Int?
  package var keepAliveTimeout: Int?
  package var originLabel: String?
  package var originRegion: String?

  package var defaultBehavior: Caching?
  package var behaviors: [BehaviorDraft]?
  package var ttl = TTLDraft()
  package var overridesOrigin: Bool?
  package var staleIfError: Int?
  package var allowedMethods: MethodSet?
  package var cachesOptions: Bool?
  package var forwardedHeaders: NameSelection?
  package var forwardedCookies: NameSelection?
  package var forwardedQueryStrings: NameSelection?

  /// The file's form: which preset fills the gaps, and how its keys are called in messages.
  var isCloudFormation = false
  /// For a CloudFormation file: our JSON path → the file's.
  var places: [String: String] = [:]
  /// Before every path: `[1].` in a file with several.
  var pathPrefix = ""

  package struct BehaviorDraft: Equatable, Sendable {
    package var path: String
    package var caching: Caching
    package var ttl: TTLDraft?
  }

  package struct TTLDraft: Equatable, Sendable {
    package var minimum: Int?
    /// `.some(nil)`: by the origin's headers alone.
    package var `default`: Int??
    package var maximum: Int?

    package init(minimum: Int? = nil, default: Int?? = nil, maximum: Int? = nil) {
      self.minimum = minimum
      self.default = `default`
      self.maximum = maximum
    }

    func filled(from base: TTL) -> TTL {
      TTL(
        minimum: minimum ?? base.minimum, default: `default` ?? base.default,
        maximum: maximum ?? base.maximum)
    }
  }

  package init(source: String, base: Distribution? = nil) {
    self.source = source
    self.base = base
  }

  /// The distribution that the draft describes, validated.
  ///
  /// - Parameters:
  ///   - name: wins over the file's.
  ///   - existing: the stored distribution that this one replaces: it keeps its id and dates.
  ///   - id: for a new one; made up when missing.
  package func make(
    name: String? = nil, existing: Distribution? = nil, id: String? = nil, now: Int64
  ) throws(ConfigError) -> Distribution {
    var problems = ProblemList()
    let chosenName = name ?? self.name ?? base?.name
    if chosenName == nil {
      problems.add(
        ownPlace, "the distribution has no name",
        hint: "add \"\(isCloudFormation ? "DistributionName" : "name")\": \"shop\"")
    }
    var origin = base?.origin
    if let written = self.origin {
      origin?.scheme = written.scheme
      origin?.host = written.host
      origin?.port = written.port
      origin?.path = written.path
      origin = origin ?? written
    }
    if origin == nil {
      problems.add(
        ownPlace, "the distribution has no origin",
        hint: isCloudFormation
          ? "add \"Origin\": {\"Name\": \"shop.example\"}"
          : "add \"origin\": {\"url\": \"http://shop.example\"}")
    }
    try problems.check()
    var result = Distribution.make(
      name: chosenName!, origin: origin!, preset: .origin, id: "", now: now)
    fillGaps(of: &result)
    applySettings(to: &result)
    result.id = existing?.id ?? id ?? Distribution.makeID()
    result.created = existing?.created ?? now
    result.revision = existing?.revision ?? 0
    result.modified = existing?.modified ?? now
    if let existing, existing != result { result.modified = now }
    result.settlePreset()
    do {
      try validate(result)
    } catch {
      throw located(error)
    }
    return result
  }

  /// The base's values, or a preset's.
  private func fillGaps(of result: inout Distribution) {
    if let base {
      result.isEnabled = base.isEnabled
      result.plan = base.plan
      result.tags = base.tags
      result.ipAddressType = base.ipAddressType
      result.preset = base.preset
      result.defaultBehavior = base.defaultBehavior
      result.behaviors = base.behaviors
      result.settings = base.settings
    }
    if let preset, preset != .custom {
      result.apply(preset)
    } else if let preset, base == nil {
      result.apply(preset)
    } else if base == nil, isCloudFormation {
      // Lightsail's own defaults: no header, cookie or query string forwarded, one day.
      result.apply(defaultBehavior == .dontCache ? .dynamic : .static)
    }
  }

  private func applySettings(to result: inout Distribution) {
    result.isEnabled = isEnabled ?? result.isEnabled
    result.plan = plan ?? result.plan
    result.tags = tags ?? result.tags
    result.ipAddressType = ipAddressType ?? result.ipAddressType
    result.origin.connectTimeout = connectTimeout ?? result.origin.connectTimeout
    result.origin.connectAttempts = connectAttempts ?? result.origin.connectAttempts
    result.origin.responseTimeout = responseTimeout ?? result.origin.responseTimeout
    result.origin.keepAliveTimeout = keepAliveTimeout ?? result.origin.keepAliveTimeout
    result.origin.label = originLabel ?? result.origin.label
    result.origin.region = originRegion ?? result.origin.region
    result.defaultBehavior = defaultBehavior ?? result.defaultBehavior
    result.settings.ttl = ttl.filled(from: result.settings.ttl)
    result.settings.overridesOrigin = overridesOrigin ?? result.settings.overridesOrigin
    result.settings.staleIfError = staleIfError ?? result.settings.staleIfError
    result.settings.allowedMethods = allowedMethods ?? result.settings.allowedMethods
    result.settings.cachesOptions = cachesOptions ?? result.settings.cachesOptions
    result.settings.forwardedHeaders = forwardedHeaders ?? result.settings.forwardedHeaders
    result.settings.forwardedCookies = forwardedCookies ?? result.settings.forwardedCookies
    result.settings.forwardedQueryStrings =
      forwardedQueryStrings ?? result.settings.forwardedQueryStrings
    if let behaviors {
      let inherited = result.settings.ttl
      result.behaviors = behaviors.map {
        PathBehavior(path: $0.path, caching: $0.caching, ttl: $0.ttl?.filled(from: inherited))
      }
    }
  }

  private var ownPlace: String {
    pathPrefix.isEmpty ? source : "\(source): \(pathPrefix.dropLast())"
  }

  /// Puts the source before each place, and calls the place what the file calls it.
  private func located(_ error: ConfigError) -> ConfigError {
    ConfigError(
      problems: error.problems.map { problem in
        var problem = problem
        problem.where = "\(source): \(pathPrefix)\(placeInFile(problem.where))"
        return problem
      })
  }

  private func placeInFile(_ path: String) -> String {
    if let place = places[path] { return place }
    // The nearest enclosing thing that the file has.
    var enclosing = path[...]
    while let dot = enclosing.lastIndex(where: { $0 == "." }) {
      enclosing = enclosing[..<dot]
      if let place = places[String(enclosing)] { return place }
    }
    return path
  }
}
