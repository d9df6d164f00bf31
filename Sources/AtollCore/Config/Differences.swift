// SPDX-License-Identifier: Apache-2.0

/// What turns one distribution into another, in words, one change each; empty when nothing does.
/// Ids, revisions and dates are no settings, so they don't count.
package func differences(from old: Distribution?, to new: Distribution) -> [String] {
  guard let old else { return ["create \(quoted(new.name)) for \(new.origin.url)"] + extras(new) }
  var list = DifferenceList()
  list.compare("the name", old.name, new.name) { quoted($0) }
  if old.isEnabled != new.isEnabled {
    list.lines.append(new.isEnabled ? "enable it" : "disable it")
  }
  list.compare("the preset", old.preset, new.preset) { $0.rawValue }
  list.compare("the plan", old.plan, new.plan) { $0.rawValue }
  list.compareTags(old.tags, new.tags)
  list.compare("the address type", old.ipAddressType, new.ipAddressType) { $0?.rawValue ?? "none" }
  list.compareOrigin(old.origin, new.origin)
  list.compare("the default behavior", old.defaultBehavior, new.defaultBehavior) { $0.rawValue }
  list.compareBehaviors(old.behaviors, new.behaviors)
  list.compareSettings(old.settings, new.settings)
  return list.lines
}

/// What a new distribution has beside its preset.
private func extras(_ new: Distribution) -> [String] {
  var plain = Distribution.make(
    name: new.name, origin: new.origin, preset: new.preset, id: new.id, now: new.created)
  plain.preset = new.preset
  var lines = ["use the preset \(new.preset.rawValue)"]
  lines += differences(from: plain, to: new)
  return lines
}

private struct DifferenceList {
  var lines: [String] = []

  mutating func compare<Value: Equatable>(
    _ what: String, _ old: Value, _ new: Value, _ describe: (Value) -> String
  ) {
    if old == new { return }
    lines.append("change \(what) from \(describe(old)) to \(describe(new))")
  }

  mutating func compareTags(_ old: [Tag], _ new: [Tag]) {
    func value(_ tag: Tag) -> String { tag.value.isEmpty ? "" : " = \(quoted(tag.value))" }
    for tag in old where !new.contains(where: { $0.key == tag.key }) {
      lines.append("remove the tag \(quoted(tag.key))")
    }
    for tag in new {
      guard let before = old.first(where: { $0.key == tag.key }) else {
        lines.append("add the tag \(quoted(tag.key))\(value(tag))")
        continue
      }
      compare("the tag \(quoted(tag.key))", before.value, tag.value) { quoted($0) }
    }
    if old != new, Set(old.map(\.key)) == Set(new.map(\.key)), old.map(\.key) != new.map(\.key) {
      lines.append("reorder the tags")
    }
  }

  mutating func compareOrigin(_ old: Origin, _ new: Origin) {
    compare("the origin", old.url, new.url) { $0 }
    compare("the origin's connect timeout", old.connectTimeout, new.connectTimeout, duration)
    compare("the origin's connect attempts", old.connectAttempts, new.connectAttempts) {
      String($0)
    }
    compare("the origin's response timeout", old.responseTimeout, new.responseTimeout, duration)
    compare(
      "the origin's keep-alive timeout", old.keepAliveTimeout, new.keepAliveTimeout, duration)
    compare("the origin's label", old.label, new.label) { $0.map { quoted($0) } ?? "none" }
    compare("the origin's region", old.region, new.region) { $0.map { quoted($0) } ?? "none" }
  }

  mutating func compareBehaviors(_ old: [PathBehavior], _ new: [PathBehavior]) {
    for behavior in old where !new.contains(where: { $0.path == behavior.path }) {
      lines.append("remove the override \(quoted(behavior.path))")
    }
    for behavior in new {
      guard let before = old.first(where: { $0.path == behavior.path }) else {
        let ttl = behavior.ttl.map { " with \(describe($0))" } ?? ""
        lines.append(
          "add the override \(quoted(behavior.path)): \(behavior.caching.rawValue)\(ttl)")
        continue
      }
      compare("the override \(quoted(behavior.path))", before.caching, behavior.caching) {
        $0.rawValue
      }
      compare("the TTL of the override \(quoted(behavior.path))", before.ttl, behavior.ttl) {
        $0.map(describe) ?? "the distribution's"
      }
    }
    // The order decides which override matches first.
    let oldOrder = old.map(\.path).filter { path in new.contains { $0.path == path } }
    let newOrder = new.map(\.path).filter { path in old.contains { $0.path == path } }
    if oldOrder != newOrder {
      lines.append("reorder the overrides: \(newOrder.map { quoted($0) }.joined(separator: ", "))")
    } else if oldOrder.count < new.count, !new.map(\.path).starts(with: oldOrder) {
      lines.append("the overrides are then: \(new.map { quoted($0.path) }.joined(separator: ", "))")
    }
  }

  mutating func compareSettings(_ old: BehaviorSettings, _ new: BehaviorSettings) {
    compare("the minimum TTL", old.ttl.minimum, new.ttl.minimum, duration)
    compare("the default TTL", old.ttl.default, new.ttl.default) {
      $0.map(duration) ?? "the origin's headers"
    }
    compare("the maximum TTL", old.ttl.maximum, new.ttl.maximum, duration)
    if old.overridesOrigin != new.overridesOrigin {
      lines.append(
        new.overridesOrigin
          ? "let the minimum TTL override the origin" : "stop overriding the origin")
    }
    compare("how long stale may stand in for errors", old.staleIfError, new.staleIfError, duration)
    compare("the allowed methods", old.allowedMethods, new.allowedMethods) { $0.rawValue }
    compare("the cached methods", old.cachesOptions, new.cachesOptions) {
      DistributionFile.cachedMethods($0).rawValue
    }
    compare("the forwarded headers", old.forwardedHeaders, new.forwardedHeaders, describe)
    compare("the forwarded cookies", old.forwardedCookies, new.forwardedCookies, describe)
    compare(
      "the forwarded query strings", old.forwardedQueryStrings, new.forwardedQueryStrings, describe)
  }
}

private func describe(_ selection: NameSelection) -> String {
  switch selection {
  case .none: "none"
  case .all: "all"
  case .listed(let names): names.joined(separator: ", ")
  case .allExcept(let names): "all except " + names.joined(separator: ", ")
  }
}

private func describe(_ ttl: TTL) -> String {
  "a TTL of \(duration(ttl.minimum)) to \(duration(ttl.maximum))"
    + (ttl.default.map { ", by default \(duration($0))" } ?? "")
}

/// The largest unit that divides it: 86400 is `1d`, 90 is `90s`.
private func duration(_ seconds: Int) -> String {
  for (unit, length) in [("d", 86_400), ("h", 3_600), ("m", 60)]
  where seconds != 0 && seconds.isMultiple(of: length) {
    return "\(seconds / length)\(unit)"
  }
  return "\(seconds)s"
}
