// SPDX-License-Identifier: Apache-2.0

/// What turns one distribution into another, in words, one change each; empty when nothing does.
/// Ids, revisions and dates are no settings, so they don't count.
package func differences(from old: Distribution?, to new: Distribution) -> [String] {
  guard let old else { return ["create \(quoted(new.name)) for \(new.origin.url)"] + extras(new) }
  var list = DifferenceList()
  list.compare("the name", old.name, new.name) { quoted($0) }
  list.compare("the preset", old.preset, new.preset) { $0.rawValue }
  for member in Distribution.table {
    switch member.key {
    case "tags": list.compareTags(old.tags, new.tags)
    case "domains": list.compareDomains(old, new)
    case "detachedDomains": continue
    case "origins", "originGroups": continue  // told one by one, after the distribution's own
    default: list.lines += member.differences(old, new) { "the \($0)" }
    }
  }
  list.compareOrigin(old.origin, new.origin, "the origin") { "the origin's \($0)" }
  list.compareOrigins(old.origins, new.origins)
  list.compareGroups(old.originGroups, new.originGroups)
  list.compare("the default behavior", old.defaultBehavior, new.defaultBehavior) { $0.rawValue }
  list.compareBehaviors(old, new)
  for setting in BehaviorSettings.table {
    list.lines += setting.member.differences(old.settings, new.settings) { "the \($0)" }
  }
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

  mutating func compareDomains(_ old: Distribution, _ new: Distribution) {
    for domain in old.domains where !new.domains.contains(where: { $0.name == domain.name }) {
      lines.append("detach the domain \(quoted(domain.name))")
    }
    for domain in new.domains {
      let what = "the domain \(quoted(domain.name))"
      guard let before = old.domains.first(where: { $0.name == domain.name }) else {
        lines.append(
          "attach \(what)"
            + (domain.certificates.isEmpty ? "" : " with the \(domain.certificateWords)"))
        continue
      }
      let isOne = max(before.certificates.count, domain.certificates.count) == 1
      compare(
        "the \(isOne ? "certificate" : "certificates") of \(what)", before.certificates,
        domain.certificates
      ) { names in
        // Without the name of one it is served with any that covers it, and in the clear without.
        names.isEmpty ? "whichever covers it" : listed(names.map { quoted($0) }, "and")
      }
    }
    let attached = Set((old.domains + new.domains).map(\.name))
    for name in old.detachedDomains where !new.detachedDomains.contains(name) {
      if !attached.contains(name) { lines.append("forget the detached domain \(quoted(name))") }
    }
    for name in new.detachedDomains where !old.detachedDomains.contains(name) {
      if !attached.contains(name) { lines.append("refuse the domain \(quoted(name))") }
    }
    if lines.isEmpty { compareOrder(old.domains.map(\.name), new.domains.map(\.name), "domains") }
  }

  mutating func compareOrigin(
    _ old: Origin, _ new: Origin, _ what: String, _ name: (String) -> String
  ) {
    compare(what, old.url, new.url) { $0 }
    for member in Origin.form.members { lines += member.differences(old, new, name) }
  }

  mutating func compareOrigins(_ old: [NamedOrigin], _ new: [NamedOrigin]) {
    for named in old where !new.contains(where: { $0.name == named.name }) {
      lines.append("remove the origin \(quoted(named.name))")
    }
    for named in new {
      let what = "the origin \(quoted(named.name))"
      if let before = old.first(where: { $0.name == named.name }) {
        compareOrigin(before.origin, named.origin, what) { "the \($0) of \(what)" }
        continue
      }
      lines.append("add \(what): \(named.origin.url)")
      var plain = Origin.plain
      plain.scheme = named.origin.scheme
      for member in Origin.form.members {
        lines += member.differences(plain, named.origin) { "the \($0) of \(what)" }
      }
    }
    compareOrder(old.map(\.name), new.map(\.name), "origins")
  }

  mutating func compareGroups(_ old: [OriginGroup], _ new: [OriginGroup]) {
    for group in old where !new.contains(where: { $0.name == group.name }) {
      lines.append("remove the origin group \(quoted(group.name))")
    }
    for group in new {
      if let before = old.first(where: { $0.name == group.name }) {
        compare("the origin group \(quoted(group.name))", before.words, group.words) { $0 }
      } else {
        lines.append("add the origin group \(quoted(group.name)): \(group.words)")
      }
    }
    compareOrder(old.map(\.name), new.map(\.name), "origin groups")
  }

  private mutating func compareOrder(_ old: [String], _ new: [String], _ what: String) {
    if old != new, Set(old) == Set(new) { lines.append("reorder the \(what)") }
  }

  mutating func compareBehaviors(_ oldDistribution: Distribution, _ newDistribution: Distribution) {
    let old = oldDistribution.behaviors
    let new = newDistribution.behaviors
    for behavior in old where !new.contains(where: { $0.path == behavior.path }) {
      lines.append("remove the override \(quoted(behavior.path))")
    }
    for behavior in new {
      let what = "the override \(quoted(behavior.path))"
      guard let before = old.first(where: { $0.path == behavior.path }) else {
        let own = describe(behavior.overrides, over: newDistribution.settings)
        lines.append(
          "add \(what): \(behavior.caching.rawValue)\(own.isEmpty ? "" : " with \(own)")")
        continue
      }
      compare(what, before.caching, behavior.caching) { $0.rawValue }
      compareOverrides(
        before.overrides, oldDistribution.settings, behavior.overrides, newDistribution.settings,
        of: what)
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

  /// Settings of a behavior's own; what it inherits is told once, of the distribution.
  private mutating func compareOverrides(
    _ old: SettingsOverride, _ oldBase: BehaviorSettings, _ new: SettingsOverride,
    _ newBase: BehaviorSettings, of what: String
  ) {
    if old == new { return }
    let before = old.applied(to: oldBase)
    let after = new.applied(to: newBase)
    for setting in BehaviorSettings.table {
      let member = setting.member
      let name = "the \(member.noun) of \(what)"
      switch (setting.isSet(old), setting.isSet(new)) {
      case (true, true):
        lines += member.differences(before, after) { "the \($0) of \(what)" }
      case (false, true):
        lines.append("change \(name) from the distribution's to \(member.words(after))")
      case (true, false):
        lines.append("change \(name) from \(member.words(before)) to the distribution's")
      case (false, false): continue
      }
    }
  }
}

/// What a behavior has of its own: `TTL …, origin "images"`; empty when it has nothing.
package func describe(_ overrides: SettingsOverride, over inherited: BehaviorSettings) -> String {
  let own = overrides.applied(to: inherited)
  return BehaviorSettings.table.filter { $0.isSet(overrides) }
    .map { "\($0.member.noun) \($0.member.words(own))" }.joined(separator: ", ")
}

/// A setting in words: what it is called, without article, and what it is.
package typealias DescribedSetting = (noun: String, words: String)

/// What an origin has beside its address and timeouts.
package func describeExtras(of origin: Origin) -> [DescribedSetting] {
  describeAll(of: origin).filter { !$0.noun.hasSuffix("timeout") && $0.noun != "connect attempts" }
}

/// What an origin has that differs from the defaults.
package func describeAll(of origin: Origin) -> [DescribedSetting] {
  changed(Origin.form.members, origin, .plain)
}

/// The settings of a distribution beside lifetimes, methods and what is forwarded, where they differ
/// from its preset's.
package func describeSettings(of distribution: Distribution) -> [DescribedSetting] {
  let members = BehaviorSettings.table.map(\.member).filter { $0.isQuiet }
  return changed(members, distribution.settings, distribution.preset.caching.settings)
}

/// What a distribution has beside origins, settings and what stands in every one.
package func describeExtras(of distribution: Distribution) -> [DescribedSetting] {
  let plain = Distribution.make(
    name: distribution.name, origin: distribution.origin, preset: .origin, id: distribution.id,
    now: distribution.created)
  let members = Distribution.table.filter {
    $0.isQuiet && !["origins", "originGroups", "domains", "detachedDomains"].contains($0.key)
  }
  return changed(members, distribution, plain)
}

/// The parts of an object that differ, one by one.
private func changed<Root>(_ members: [Member<Root>], _ value: Root, _ usual: Root)
  -> [DescribedSetting]
{
  members.flatMap { $0.parts(value, usual) }
}
