// SPDX-License-Identifier: Apache-2.0

/// Bounds of a configuration: what the edge compiles and matches per request stays small.
package enum ConfigLimits {
  package static let behaviors = 100
  /// CloudFront's.
  package static let pathLength = 255
  /// Names in one list of headers, cookies or query strings: each lengthens every cache key.
  package static let listedNames = 64
  package static let nameLength = 128
  /// CloudFront's.
  package static let tags = 50
  package static let tagKey = 128
  package static let tagValue = 256
  /// Of a distribution.
  package static let origins = 100
  /// CloudFront's.
  package static let domains = 100
  /// Of one domain: several are for several kinds of keys.
  package static let domainCertificates = 4
  /// Names that answer 403.
  package static let detachedDomains = 1_000
  package static let originGroups = 50
  /// Of a group: each one that fails adds its timeouts to what the viewer waits.
  package static let groupMembers = 5
  /// Of an origin, beside its own host.
  package static let targets = 63
  /// CloudFront's, of an origin and of a behavior.
  package static let headers = 10
  package static let headerName = 256
  package static let headerValue = 1_783
  package static let headerBytes = 10_240
  /// Bytes of one configuration file.
  package static let file = 4 * 1_024 * 1_024
}

/// Checks what no type can: throws everything that is wrong, each with its place and its fix.
package func validate(_ distribution: Distribution) throws(ConfigError) {
  var problems = ProblemList()
  if let problem = nameProblem(distribution.name) { problems.add(problem) }
  checkOrigin(distribution.origin, "origin", &problems)
  if let flaw = defaultDomainFlaw(distribution.defaultDomain) {
    problems.add(
      "defaultDomain", "\(quoted(distribution.defaultDomain)) \(flaw.what)", hint: flaw.hint)
  }
  for member in Distribution.table { member.check(distribution, "", &problems) }
  checkGroups(distribution, &problems)
  checkBehaviors(distribution, &problems)
  BehaviorSettings.form.check(distribution.settings, "settings", &problems)
  checkOriginName(distribution.settings.origin, "settings.origin", distribution, &problems)
  try problems.check()
}

/// For a name alone, such as one given on the command line.
package func validate(name: String) throws(ConfigError) {
  if let problem = nameProblem(name) { throw problem }
}

private func nameProblem(_ name: String) -> ConfigError? {
  let bytes = name.utf8
  func refusal(_ what: String, _ hint: String) -> ConfigError {
    ConfigError(where: "name", what: what, hint: hint)
  }
  if bytes.count < 2 || bytes.count > 255 {
    return refusal(
      "\(quoted(name)) has \(bytes.count) character\(bytes.count == 1 ? "" : "s")",
      "choose a name of 2 to 255 characters")
  }
  if !bytes.allSatisfy({ isAlphanumeric($0) || ".-_".utf8.contains($0) }) {
    return refusal(
      "\(quoted(name)) holds a character that a name can't have",
      "use letters, digits, \".\", \"-\" and \"_\" only")
  }
  if !isAlphanumeric(bytes.first!) || !isAlphanumeric(bytes.last!) {
    return refusal(
      "\(quoted(name)) starts or ends with a character that is neither letter nor digit",
      "start and end the name with a letter or a digit")
  }
  return nil
}

func checkOrigin(_ origin: Origin, _ place: String, _ problems: inout ProblemList) {
  if let flaw = hostFlaw(origin.host) {
    problems.add(
      "\(place).url", "\(quoted(origin.host)) \(flaw)",
      hint: "write a URL such as http://shop.example:8080")
  }
  if origin.port == 0 {
    problems.add("\(place).url", "the port is 0", hint: "write a port from 1 to 65535")
  }
  if let flaw = originPathFlaw(origin.path) {
    problems.add("\(place).url", "\(quoted(origin.path)) \(flaw.what)", hint: flaw.hint)
  }
  Origin.form.check(origin, place, &problems)
}

private func checkGroups(_ distribution: Distribution, _ problems: inout ProblemList) {
  let groups = distribution.originGroups
  if groups.count > ConfigLimits.originGroups {
    problems.add(
      "originGroups", "there are \(groups.count) groups",
      hint: "keep at most \(ConfigLimits.originGroups)")
  }
  let origins = ["default"] + distribution.origins.map(\.name)
  for (index, group) in groups.enumerated() {
    let place = "originGroups.\(group.name)"
    if let flaw = originNameFlaw(group.name) {
      problems.add("originGroups", "\(quoted(group.name)) \(flaw.what)", hint: flaw.hint)
    } else if origins.contains(group.name) {
      problems.add(
        "originGroups", "\(quoted(group.name)) is the name of an origin, too",
        hint: "choose another name")
    } else if groups[..<index].contains(where: { $0.name == group.name }) {
      problems.add(
        "originGroups", "\(quoted(group.name)) occurs twice", hint: "give each group its own name")
    }
    if !(2...ConfigLimits.groupMembers).contains(group.members.count) {
      problems.add(
        "\(place).members",
        "there \(group.members.count == 1 ? "is 1 member" : "are \(group.members.count) members")",
        hint: "name 2 to \(ConfigLimits.groupMembers) origins")
    }
    for (index, member) in group.members.enumerated() {
      if !origins.contains(member) {
        problems.add(
          "\(place).members", "there is no origin \(quoted(member))",
          hint: originHint(member, among: origins))
      } else if group.members[..<index].contains(member) {
        problems.add(
          "\(place).members", "\(quoted(member)) occurs twice", hint: "remove one of the two")
      }
    }
    for (index, status) in group.statuses.enumerated() {
      if !OriginGroup.statuses.contains(status) {
        problems.add(
          "\(place).statuses", "\(status) is not one of the statuses",
          hint: "choose among \(listed(OriginGroup.statuses.map { String($0) }, "and"))")
      } else if group.statuses[..<index].contains(status) {
        problems.add("\(place).statuses", "\(status) occurs twice", hint: "remove one of the two")
      }
    }
  }
}

private func checkOriginName(
  _ name: String?, _ place: String, _ distribution: Distribution, _ problems: inout ProblemList
) {
  guard let name else { return }
  let names =
    ["default"] + distribution.origins.map(\.name) + distribution.originGroups.map(\.name)
  if names.contains(name) { return }
  problems.add(
    place, "there is no origin or group \(quoted(name))", hint: originHint(name, among: names))
}

private func originHint(_ name: String, among names: [String]) -> String {
  if let near = nearestName(to: name, among: names) { return "did you mean \(quoted(near))?" }
  return names.count == 1
    ? "add it to \"origins\"" : "name one of \(names.joined(separator: ", "))"
}

func checkTags(_ tags: [Tag], _ problems: inout ProblemList) {
  if tags.count > ConfigLimits.tags {
    problems.add(
      "tags", "there are \(tags.count)", hint: "keep at most \(ConfigLimits.tags) tags")
  }
  var seen: Set<String> = []
  for tag in tags {
    let length = tag.key.unicodeScalars.count
    if length == 0 || length > ConfigLimits.tagKey {
      problems.add(
        "tags", "the key \(quoted(tag.key)) has \(length) characters",
        hint: "choose a key of 1 to \(ConfigLimits.tagKey) characters")
    }
    if tag.value.unicodeScalars.count > ConfigLimits.tagValue {
      problems.add(
        "tags.\(tag.key)", "the value is longer than \(ConfigLimits.tagValue) characters",
        hint: "shorten it")
    }
    if (tag.key + tag.value).unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f })
    {
      problems.add(
        "tags", "the tag \(quoted(tag.key)) holds a control character", hint: "remove it")
    }
    if !seen.insert(tag.key).inserted {
      problems.add(
        "tags", "the key \(quoted(tag.key)) occurs twice", hint: "keep one of the two")
    }
  }
}

private func checkBehaviors(_ distribution: Distribution, _ problems: inout ProblemList) {
  let behaviors = distribution.behaviors
  if behaviors.count > ConfigLimits.behaviors {
    problems.add(
      "behaviors", "there are \(behaviors.count) path overrides",
      hint: "keep at most \(ConfigLimits.behaviors): one pattern with * replaces many paths")
    return
  }
  let patterns = behaviors.map { PathPattern($0.path) }
  let everything = PathPattern("/*")
  for (index, behavior) in behaviors.enumerated() {
    let place = "behaviors[\(index)]"
    checkOverrides(behavior.overrides, place, distribution, &problems)
    if let flaw = pathFlaw(behavior.path) {
      problems.add("\(place).path", "\(quoted(behavior.path)) \(flaw.what)", hint: flaw.hint)
      continue
    }
    if let twin = patterns[..<index].firstIndex(of: patterns[index]) {
      problems.add(
        "\(place).path",
        behaviors[twin].path == behavior.path
          ? "\(quoted(behavior.path)) occurs twice"
          : "\(quoted(behavior.path)) means the same as \(quoted(behaviors[twin].path)) before it",
        hint: "remove one of the two")
    } else if patterns[index].covers(everything) {
      problems.add(
        "\(place).path", "\(quoted(behavior.path)) matches every path",
        hint: "remove it and set the default behavior to \(behavior.caching.rawValue)")
    } else if let hiding = patterns[..<index].firstIndex(where: { $0.covers(patterns[index]) }) {
      // Reported once already where it stands, if it hides all that follow.
      if patterns[hiding].covers(everything) { continue }
      problems.add(
        "\(place).path",
        "\(quoted(behavior.path)) is never reached: \(quoted(behaviors[hiding].path)) before it "
          + "matches the same paths",
        hint: "move it before \(quoted(behaviors[hiding].path)), or remove it")
    }
  }
}

private func pathFlaw(_ path: String) -> (what: String, hint: String)? {
  if path.isEmpty { return ("is empty", "write a path such as /images/*") }
  if path.utf8.count > ConfigLimits.pathLength {
    return (
      "is longer than \(ConfigLimits.pathLength) characters", "shorten it, with * where it may vary"
    )
  }
  for byte in path.utf8
  where !isAlphanumeric(byte) && !"_-.*$/~\"'@:+&?".utf8.contains(byte) {
    return (
      "holds a character that a path pattern can't have",
      "use letters, digits and _ - . $ / ~ \" ' @ : + &, with * for any characters and ? for one"
    )
  }
  return nil
}

/// What a behavior has of its own; the rest is told where it stands.
private func checkOverrides(
  _ overrides: SettingsOverride, _ place: String, _ distribution: Distribution,
  _ problems: inout ProblemList
) {
  if overrides.isEmpty { return }
  let settings = overrides.applied(to: distribution.settings)
  for setting in BehaviorSettings.table where setting.isSet(overrides) {
    setting.member.check(settings, place, &problems)
  }
  if overrides.allowedMethods != nil || overrides.cachesOptions != nil {
    checkMethods(settings, place, &problems)
  }
  checkOriginName(overrides.origin, "\(place).origin", distribution, &problems)
}
