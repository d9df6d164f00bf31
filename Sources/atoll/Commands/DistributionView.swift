// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// A distribution in words, for people.
enum DistributionView {
  static func details(of distribution: Distribution) -> Details {
    let settings = distribution.settings
    let origin = distribution.origin
    var details = Details()
    details.add("Name", distribution.name)
    details.add("Id", distribution.id)
    details.add("State", state(distribution))
    details.add("Domains", lines: distribution.ownDomains + distribution.domains.map(\.words))
    details.add("Detached domains", lines: distribution.detachedDomains)
    details.add("Origin", origin.url)
    details.add(
      "  connect",
      "\(Quantity.count(origin.connectAttempts, "attempt", "attempts")) of "
        + Quantity.duration(origin.connectTimeout))
    details.add("  silence", "at most \(Quantity.duration(origin.responseTimeout))")
    details.add("  keep-alive", Quantity.duration(origin.keepAliveTimeout))
    for line in describeExtras(of: origin) { details.add("  " + line.noun, line.words) }
    for named in distribution.origins {
      details.add("Origin \(named.name)", named.origin.url)
      for line in describeAll(of: named.origin) { details.add("  " + line.noun, line.words) }
    }
    for group in distribution.originGroups { details.add("Group \(group.name)", group.words) }
    details.add("Preset", distribution.preset.rawValue)
    details.add("Default behavior", distribution.defaultBehavior.rawValue)
    details.add("Overrides", lines: overrides(of: distribution))
    details.add("Default TTL", defaultTTL(settings.ttl))
    details.add("Minimum TTL", Quantity.duration(settings.ttl.minimum))
    details.add("Maximum TTL", Quantity.duration(settings.ttl.maximum))
    details.add("Override origin", settings.overridesOrigin ? "yes" : "no")
    details.add("Stale if error", Quantity.duration(settings.staleIfError))
    details.add("Allowed methods", spaced(settings.allowedMethods.rawValue))
    details.add("Cached methods", settings.cachesOptions ? "GET, HEAD, OPTIONS" : "GET, HEAD")
    details.add("Headers", selection(settings.forwardedHeaders))
    details.add("Cookies", selection(settings.forwardedCookies))
    details.add("Query strings", selection(settings.forwardedQueryStrings))
    for line in describeSettings(of: distribution) + describeExtras(of: distribution) {
      details.add(line.noun.capitalizedFirst, line.words)
    }
    details.add("Plan", plan(distribution.plan))
    details.add("Tags", lines: distribution.tags.map { "\($0.key)=\($0.value)" })
    details.add("Created", RFC3339.format(seconds: distribution.created))
    details.add("Modified", RFC3339.format(seconds: distribution.modified))
    details.add("Revision", "\(distribution.revision)")
    return details
  }

  static func state(_ distribution: Distribution) -> String {
    distribution.isEnabled ? "enabled" : "disabled"
  }

  /// In the order of matching.
  private static func overrides(of distribution: Distribution) -> [String] {
    let behaviors = distribution.behaviors
    let settings = distribution.settings
    let width = behaviors.map(\.path.count).max() ?? 0
    return behaviors.map { behavior in
      let padding = String(repeating: " ", count: width - behavior.path.count)
      let own = describe(behavior.overrides, over: settings)
      return "\(behavior.path)\(padding)  \(behavior.caching.rawValue)"
        + (own.isEmpty ? "" : ", \(own)")
    }
  }

  private static func defaultTTL(_ ttl: TTL) -> String {
    ttl.default.map(Quantity.duration) ?? "what the origin says, else heuristics"
  }

  private static func selection(_ selection: NameSelection) -> String {
    switch selection {
    case .none: "none"
    case .all: "all"
    case .listed(let names): names.joined(separator: ", ")
    case .allExcept(let names): "all except " + names.joined(separator: ", ")
    }
  }

  private static func plan(_ plan: Plan) -> String {
    guard let bytes = plan.monthlyTransfer else { return plan.rawValue }
    return "\(plan.rawValue) (\(bytes / 1_000_000_000) GB a month)"
  }

  private static func spaced(_ list: String) -> String {
    list.split(separator: ",").joined(separator: ", ")
  }
}
