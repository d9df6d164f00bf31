// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Every setting of a distribution as an option: what create and update share.
enum DistributionOptions {
  private static let originGroup = "Origin"
  private static let cachingGroup = "Caching"
  private static let forwardingGroup = "Forwarding"
  private static let distributionGroup = "Distribution"

  // MARK: Origin

  static let origin = Option.text(
    "origin", value: "url", group: originGroup,
    "where responses come from: http://host[:port][/path]")
  static let originProtocol = Option<ProtocolPolicy>.choice(
    "origin-protocol", group: originGroup,
    "how the origin is spoken to; needed only for an origin written without scheme")
  static let connectTimeout = Option.duration(
    "origin-connect-timeout", default: "10s", in: 1...10, group: originGroup,
    "how long one attempt to connect may take, 1s to 10s")
  static let connectAttempts = Option.integer(
    "origin-connect-attempts", default: "3", in: 1...3, group: originGroup,
    "how often a connection is tried, 1 to 3")
  static let responseTimeout = Option.duration(
    "origin-response-timeout", default: "30s", in: 1...120, group: originGroup,
    "how long the origin may be silent, 1s to 2m")
  static let keepAliveTimeout = Option.duration(
    "origin-keep-alive-timeout", default: "5s", in: 1...120, group: originGroup,
    "how long an idle connection is kept, 1s to 2m")

  // MARK: Caching

  static let preset = Option<Preset>.choice(
    "preset", among: [.origin, .static, .dynamic, .wordpress], default: "origin",
    group: cachingGroup, "settings to start from")
  static let defaultBehavior = Option<Caching>.choice(
    "default-behavior", among: [.cache, .dontCache], group: cachingGroup,
    "what happens to paths that no override names")
  static let cachePath = Option<PathSetting>(
    "cache-path", value: "path", repeatable: true, group: cachingGroup,
    "cache what this path matches: '/img/*' or '/img/* default=1h max=1d'",
    read: PathSetting.read)
  static let dontCachePath = Option<PathSetting>(
    "dont-cache-path", value: "path", repeatable: true, group: cachingGroup,
    "pass what this path matches on uncached"
  ) { (text) throws(ValueError) in
    let setting = try PathSetting.read(text)
    guard setting == PathSetting(path: setting.path) else {
      throw ValueError(
        "has a lifetime, but is not cached", hint: "use --cache-path, or the path alone")
    }
    return setting
  }
  static let defaultTTL = Option<DefaultTTL>(
    "default-ttl", value: "duration|none", group: cachingGroup,
    "lifetime when the origin gives none; none leaves it to RFC 9111's heuristics"
  ) { (text) throws(ValueError) in
    if text == "none" { return DefaultTTL(seconds: nil) }
    return DefaultTTL(seconds: try minTTL.read(text))
  }
  static let minTTL = Option.duration(
    "min-ttl", in: 0...TTL.longest, group: cachingGroup, "shortest lifetime")
  static let maxTTL = Option.duration(
    "max-ttl", in: 0...TTL.longest, group: cachingGroup, "longest lifetime")
  static let overrideOrigin = Option.flag(
    "override-origin", excludes: ["no-override-origin"], group: cachingGroup,
    "let the minimum lifetime store even no-store and private responses")
  static let noOverrideOrigin = Option.flag(
    "no-override-origin", excludes: ["override-origin"], group: cachingGroup,
    "never store what the origin forbids")
  static let staleIfError = Option.duration(
    "stale-if-error", in: 0...TTL.longest, group: cachingGroup,
    "how long an expired response may stand in for a failing origin")
  static let allowedMethods = Option<MethodSet>(
    "allowed-methods", value: "methods", choices: MethodSet.allCases.map(\.rawValue),
    group: cachingGroup, "methods that viewers may use: GET,HEAD or GET,HEAD,OPTIONS or all"
  ) { (text) throws(ValueError) in
    let wanted = Set(text.uppercased().split(separator: ","))
    if wanted == ["ALL"] { return .all }
    for methods in MethodSet.allCases where Set(methods.rawValue.split(separator: ",")) == wanted {
      return methods
    }
    throw ValueError(
      "is not one of the sets there are", hint: "write GET,HEAD or GET,HEAD,OPTIONS or all")
  }
  static let cacheOptions = Option.flag(
    "cache-options", excludes: ["no-cache-options"], group: cachingGroup,
    "cache responses to OPTIONS as well")
  static let noCacheOptions = Option.flag(
    "no-cache-options", excludes: ["cache-options"], group: cachingGroup,
    "cache responses to GET and HEAD only")

  // MARK: Forwarding

  static let forwardHeaders = selection(
    "headers", "request headers that reach the origin and tell entries apart")
  static let forwardCookies = selection(
    "cookies", "cookies that do so; * and ? in a name stand for characters")
  static let forwardQueryStrings = selection(
    "query-strings", "query parameters that do so")

  // MARK: Distribution

  static let plan = Option<Plan>.choice(
    "plan", default: "unlimited", group: distributionGroup, "monthly transfer: 50, 200 or 500 GB")
  static let enabled = Option.flag(
    "enabled", excludes: ["disabled"], group: distributionGroup, "serve it, as is the default")
  static let disabled = Option.flag(
    "disabled", excludes: ["enabled"], group: distributionGroup, "keep it, but refuse its viewers")
  static let tag = Option<Tag>(
    "tag", value: "key=value", repeatable: true, group: distributionGroup,
    "label it"
  ) { (text) throws(ValueError) in
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard let key = parts.first, !key.isEmpty else {
      throw ValueError("has no key", hint: "write key=value")
    }
    return Tag(key: String(key), value: parts.count == 2 ? String(parts[1]) : "")
  }
  static let file = Option.text(
    "file", value: "file", completes: .file, group: distributionGroup,
    "read the settings from a JSON file, - for stdin; options win over it")

  // MARK: Removals, for update

  static let removePath = Option.text(
    "remove-path", value: "path", repeatable: true, group: cachingGroup,
    "drop the override of this path")
  static let clearPaths = Option.flag(
    "clear-paths", group: cachingGroup, "drop every override, before those given here are added")
  static let removeTag = Option.text(
    "remove-tag", value: "key", repeatable: true, group: distributionGroup, "drop a label")

  /// For create, which also reads `file`.
  static let settings: [OptionDefinition] = [
    origin.definition, originProtocol.definition, connectTimeout.definition,
    connectAttempts.definition, responseTimeout.definition, keepAliveTimeout.definition,
    preset.definition, defaultBehavior.definition, cachePath.definition,
    dontCachePath.definition, defaultTTL.definition, minTTL.definition, maxTTL.definition,
    overrideOrigin.definition, noOverrideOrigin.definition, staleIfError.definition,
    allowedMethods.definition, cacheOptions.definition, noCacheOptions.definition,
    forwardHeaders.definition, forwardCookies.definition, forwardQueryStrings.definition,
    plan.definition, enabled.definition, disabled.definition, tag.definition, file.definition,
  ]

  static let removals: [OptionDefinition] = [
    removePath.definition, clearPaths.definition, removeTag.definition,
  ]

  private static func selection(_ what: String, _ summary: String) -> Option<NameSelection> {
    Option(
      "forward-\(what)", value: "none|all|names", group: forwardingGroup,
      summary
    ) { (text) throws(ValueError) in
      switch text {
      case "none": return .none
      case "all": return .all
      default:
        let names = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard !names.contains("") else {
          throw ValueError("has an empty name", hint: "write none, all, or names with commas")
        }
        return .listed(names)
      }
    }
  }
}

enum ProtocolPolicy: String, CaseIterable, Sendable {
  case httpOnly = "http-only"
  case httpsOnly = "https-only"

  var scheme: Scheme { self == .httpOnly ? .http : .https }
}

struct DefaultTTL: Sendable, Equatable {
  /// Nil: none.
  let seconds: Int?
}

/// The value of --cache-path: a path, and lifetimes after spaces, which no path holds.
struct PathSetting: Sendable, Equatable {
  var path: String
  var minimum: Int?
  var standard: DefaultTTL?
  var maximum: Int?

  static func read(_ text: String) throws(ValueError) -> PathSetting {
    let words = text.split(separator: " ").map(String.init)
    guard let path = words.first else {
      throw ValueError("names no path", hint: "write it like /img/*")
    }
    var setting = PathSetting(path: path)
    for word in words.dropFirst() {
      let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2, ["default", "min", "max"].contains(parts[0]) else {
        throw ValueError(
          "has \"\(word)\" after its path", hint: "write it like '/img/* default=1h max=1d'")
      }
      let isNone = parts[0] == "default" && parts[1] == "none"
      let seconds = Quantity.seconds(parts[1])
      guard isNone || seconds != nil else {
        throw ValueError(
          "has a lifetime \"\(parts[1])\" that is no duration",
          hint: "write it as 90s, 15m, 1h or 7d")
      }
      switch parts[0] {
      case "min": setting.minimum = seconds
      case "max": setting.maximum = seconds
      default: setting.standard = DefaultTTL(seconds: isNone ? nil : seconds)
      }
    }
    return setting
  }

  /// Nil when it names no lifetime; what it leaves out is the distribution's.
  func ttl(within ttl: TTL) -> TTL? {
    guard minimum != nil || standard != nil || maximum != nil else { return nil }
    return TTL(
      minimum: minimum ?? ttl.minimum, default: standard.map(\.seconds) ?? ttl.default,
      maximum: maximum ?? ttl.maximum)
  }
}
