// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Carries the options of create and update over to a distribution.
struct DistributionEdit {
  let parsed: ParsedArguments

  /// Everything but the origin's address, which create needs before there is a distribution.
  func apply(to distribution: inout Distribution) throws(CommandError) {
    if let preset = parsed[DistributionOptions.preset], preset != distribution.preset {
      distribution.apply(preset)
    }
    editOrigin(&distribution.origin)
    editSettings(&distribution.settings)
    if let behavior = parsed[DistributionOptions.defaultBehavior] {
      distribution.defaultBehavior = behavior
    }
    try editPaths(&distribution)
    if let plan = parsed[DistributionOptions.plan] { distribution.plan = plan }
    if parsed[DistributionOptions.enabled] { distribution.isEnabled = true }
    if parsed[DistributionOptions.disabled] { distribution.isEnabled = false }
    try editTags(&distribution.tags)
    distribution.settlePreset()
  }

  /// The origin that the options name, nil when they name none; timeouts are `current`'s.
  func origin(current: Origin?) throws(CommandError) -> Origin? {
    let policy = parsed[DistributionOptions.originProtocol]
    guard var url = parsed[DistributionOptions.origin] else {
      guard let policy, var origin = current else { return nil }
      // A default port follows the scheme.
      if origin.port == origin.scheme.defaultPort { origin.port = policy.scheme.defaultPort }
      origin.scheme = policy.scheme
      return origin
    }
    if let policy, !url.contains("://") { url = "\(policy.scheme.rawValue)://\(url)" }
    var origin: Origin
    do throws(ConfigError) {
      origin = try Origin(url: url)
    } catch {
      throw CommandError(
        error.problems.map { .init(message: "--origin: \($0.what)", hint: $0.hint) },
        code: .usage)
    }
    if let policy, policy.scheme != origin.scheme {
      throw .usage(
        "--origin \"\(url)\" contradicts --origin-protocol \(policy.rawValue)",
        hint: "leave one of them out")
    }
    if let current {
      origin.connectTimeout = current.connectTimeout
      origin.connectAttempts = current.connectAttempts
      origin.responseTimeout = current.responseTimeout
      origin.keepAliveTimeout = current.keepAliveTimeout
    }
    return origin
  }

  private func editOrigin(_ origin: inout Origin) {
    if let seconds = parsed[DistributionOptions.connectTimeout] { origin.connectTimeout = seconds }
    if let number = parsed[DistributionOptions.connectAttempts] { origin.connectAttempts = number }
    if let seconds = parsed[DistributionOptions.responseTimeout] {
      origin.responseTimeout = seconds
    }
    if let seconds = parsed[DistributionOptions.keepAliveTimeout] {
      origin.keepAliveTimeout = seconds
    }
  }

  private func editSettings(_ settings: inout BehaviorSettings) {
    if let ttl = parsed[DistributionOptions.defaultTTL] { settings.ttl.default = ttl.seconds }
    if let seconds = parsed[DistributionOptions.minTTL] { settings.ttl.minimum = seconds }
    if let seconds = parsed[DistributionOptions.maxTTL] { settings.ttl.maximum = seconds }
    if parsed[DistributionOptions.overrideOrigin] { settings.overridesOrigin = true }
    if parsed[DistributionOptions.noOverrideOrigin] { settings.overridesOrigin = false }
    if let seconds = parsed[DistributionOptions.staleIfError] { settings.staleIfError = seconds }
    if let methods = parsed[DistributionOptions.allowedMethods] {
      settings.allowedMethods = methods
    }
    if parsed[DistributionOptions.cacheOptions] { settings.cachesOptions = true }
    if parsed[DistributionOptions.noCacheOptions] { settings.cachesOptions = false }
    if let names = parsed[DistributionOptions.forwardHeaders] { settings.forwardedHeaders = names }
    if let names = parsed[DistributionOptions.forwardCookies] { settings.forwardedCookies = names }
    if let names = parsed[DistributionOptions.forwardQueryStrings] {
      settings.forwardedQueryStrings = names
    }
  }

  /// In the order of the command line, which is the order of matching.
  private func editPaths(_ distribution: inout Distribution) throws(CommandError) {
    if parsed[DistributionOptions.clearPaths] { distribution.behaviors = [] }
    for use in parsed.occurrences {
      switch use.name {
      case DistributionOptions.cachePath.definition.name:
        set(use.text, .cache, in: &distribution)
      case DistributionOptions.dontCachePath.definition.name:
        set(use.text, .dontCache, in: &distribution)
      case DistributionOptions.removePath.definition.name:
        try removePath(use.text, from: &distribution)
      default: continue
      }
    }
  }

  /// A path that is there already keeps its place.
  private func set(_ text: String, _ caching: Caching, in distribution: inout Distribution) {
    guard let setting = try? PathSetting.read(text) else {
      preconditionFailure("the parser has read it")
    }
    let ttl = setting.ttl(within: distribution.settings.ttl)
    if let index = index(of: setting.path, in: distribution) {
      distribution.behaviors[index].caching = caching
      if caching == .dontCache {
        distribution.behaviors[index].ttl = nil
      } else if let ttl {
        distribution.behaviors[index].ttl = ttl
      }
    } else {
      distribution.behaviors.append(
        PathBehavior(path: setting.path, caching: caching, ttl: ttl))
    }
  }

  private func removePath(
    _ path: String, from distribution: inout Distribution
  ) throws(CommandError) {
    guard let index = index(of: path, in: distribution) else {
      let near = Suggestion.closest(to: path, in: distribution.behaviors.map(\.path))
      throw .usage(
        "\"\(distribution.name)\" has no override of the path \"\(path)\"",
        hint: near.map { "did you mean \"\($0)\"?" }
          ?? "see atoll show \(distribution.name) for its overrides")
    }
    distribution.behaviors.remove(at: index)
  }

  private func index(of path: String, in distribution: Distribution) -> Int? {
    let wanted = PathPattern(path)
    return distribution.behaviors.firstIndex { PathPattern($0.path) == wanted }
  }

  private func editTags(_ tags: inout [Tag]) throws(CommandError) {
    for key in parsed.values(DistributionOptions.removeTag) {
      guard let index = tags.firstIndex(where: { $0.key == key }) else {
        throw .usage(
          "there is no tag \"\(key)\"",
          hint: Suggestion.closest(to: key, in: tags.map(\.key)).map { "did you mean \"\($0)\"?" })
      }
      tags.remove(at: index)
    }
    for tag in parsed.values(DistributionOptions.tag) {
      if let index = tags.firstIndex(where: { $0.key == tag.key }) {
        tags[index] = tag
      } else {
        tags.append(tag)
      }
    }
  }
}
