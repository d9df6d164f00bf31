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
  /// Bytes of one configuration file.
  package static let file = 4 * 1_024 * 1_024
}

/// Checks what no type can: throws everything that is wrong, each with its place and its fix.
package func validate(_ distribution: Distribution) throws(ConfigError) {
  var problems = ProblemList()
  if let problem = nameProblem(distribution.name) { problems.add(problem) }
  checkOrigin(distribution.origin, &problems)
  checkTags(distribution.tags, &problems)
  checkBehaviors(distribution.behaviors, &problems)
  checkTTL(distribution.settings.ttl, "settings.ttl", &problems)
  checkSettings(distribution.settings, &problems)
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

private func checkOrigin(_ origin: Origin, _ problems: inout ProblemList) {
  if let flaw = hostFlaw(origin.host) {
    problems.add(
      "origin.url", "\(quoted(origin.host)) \(flaw)",
      hint: "write a URL such as http://shop.example:8080")
  }
  if origin.port == 0 {
    problems.add("origin.url", "the port is 0", hint: "write a port from 1 to 65535")
  }
  if let flaw = originPathFlaw(origin.path) {
    problems.add("origin.url", "\(quoted(origin.path)) \(flaw.what)", hint: flaw.hint)
  }
  func range(_ name: String, _ value: Int, _ allowed: ClosedRange<Int>, _ unit: String) {
    if allowed.contains(value) { return }
    problems.add(
      "origin.\(name)", "\(value) is out of range",
      hint: "write \(allowed.lowerBound) to \(allowed.upperBound) \(unit)")
  }
  range("connectTimeout", origin.connectTimeout, 1...10, "seconds")
  range("connectAttempts", origin.connectAttempts, 1...3, "attempts")
  range("responseTimeout", origin.responseTimeout, 1...120, "seconds")
  range("keepAliveTimeout", origin.keepAliveTimeout, 1...120, "seconds")
}

private func checkTags(_ tags: [Tag], _ problems: inout ProblemList) {
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

private func checkBehaviors(_ behaviors: [PathBehavior], _ problems: inout ProblemList) {
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
    if let ttl = behavior.ttl { checkTTL(ttl, "\(place).ttl", &problems) }
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

private func checkTTL(_ ttl: TTL, _ place: String, _ problems: inout ProblemList) {
  func range(_ name: String, _ value: Int?) -> Bool {
    guard let value else { return true }
    if (0...TTL.longest).contains(value) { return true }
    problems.add(
      "\(place).\(name)", "\(value) is out of range",
      hint: "write seconds from 0 to \(TTL.longest)")
    return false
  }
  let inRange = [
    range("minimum", ttl.minimum), range("default", ttl.default), range("maximum", ttl.maximum),
  ]
  if inRange.contains(false) { return }
  if ttl.minimum > ttl.maximum {
    problems.add(
      "\(place).minimum", "\(ttl.minimum) is greater than the maximum, \(ttl.maximum)",
      hint: "lower the minimum TTL or raise the maximum")
  } else if let value = ttl.default, value < ttl.minimum {
    problems.add(
      "\(place).default", "\(value) is less than the minimum, \(ttl.minimum)",
      hint: "raise the default TTL or lower the minimum")
  } else if let value = ttl.default, value > ttl.maximum {
    problems.add(
      "\(place).default", "\(value) is greater than the maximum, \(ttl.maximum)",
      hint: "lower the default TTL or raise the maximum")
  }
}

private func checkSettings(_ settings: BehaviorSettings, _ problems: inout ProblemList) {
  if !(0...TTL.longest).contains(settings.staleIfError) {
    problems.add(
      "settings.staleIfError", "\(settings.staleIfError) is out of range",
      hint: "write seconds from 0 to \(TTL.longest)")
  }
  if settings.cachesOptions && settings.allowedMethods == .getHead {
    problems.add(
      "settings.cachedMethods", "OPTIONS is cached but not allowed",
      hint: "add OPTIONS to the allowed methods, or take it out of the cached ones")
  }
  checkNames(
    settings.forwardedHeaders, "settings.forwardedHeaders", kind: "header", &problems,
    folding: { $0.lowercased() }, flaw: headerFlaw)
  checkNames(
    settings.forwardedCookies, "settings.forwardedCookies", kind: "cookie", &problems,
    folding: { $0 }, flaw: cookieFlaw)
  checkNames(
    settings.forwardedQueryStrings, "settings.forwardedQueryStrings", kind: "query string",
    &problems, folding: { $0 }, flaw: queryFlaw)
}

private func checkNames(
  _ selection: NameSelection, _ place: String, kind: String, _ problems: inout ProblemList,
  folding fold: (String) -> String, flaw: (String) -> (what: String, hint: String)?
) {
  guard case .listed(let names) = selection else { return }
  if names.isEmpty {
    problems.add(place, "the list is empty", hint: "name one, or forward none")
  }
  if names.count > ConfigLimits.listedNames {
    problems.add(
      place, "there are \(names.count) names",
      hint: "list at most \(ConfigLimits.listedNames), or forward all")
  }
  var seen: Set<String> = []
  for name in names {
    if name.isEmpty {
      problems.add(place, "a \(kind) name is empty", hint: "remove it")
    } else if name.utf8.count > ConfigLimits.nameLength {
      problems.add(
        place, "\(quoted(name)) is longer than \(ConfigLimits.nameLength) characters",
        hint: "check the name")
    } else if let flaw = flaw(name) {
      problems.add(place, "\(quoted(name)) \(flaw.what)", hint: flaw.hint)
    }
    if !seen.insert(fold(name)).inserted {
      problems.add(place, "\(quoted(name)) occurs twice", hint: "keep one of the two")
    }
  }
}

private func headerFlaw(_ name: String) -> (what: String, hint: String)? {
  if name == "*" {
    return ("is no header name", "to forward every header, write all instead of a list")
  }
  if !name.utf8.allSatisfy(isTokenByte) {
    return ("is no header name", "write the name alone, such as Accept-Language")
  }
  let lower = name.lowercased()
  if unkeyableHeaders.contains(lower) || unkeyablePrefixes.contains(where: lower.hasPrefix) {
    return (
      "can't be part of a cache key",
      lower == "cookie" ? "list cookies under forwardedCookies" : "take it off the list"
    )
  }
  return nil
}

/// What CloudFront never keys either: fields about the connection or the message, and fields whose
/// value differs for every viewer.
private let unkeyableHeaders: Set<String> = [
  "cache-control", "connection", "content-length", "cookie", "max-forwards", "pragma",
  "request-range", "te", "trailer", "transfer-encoding", "upgrade", "x-amz-cf-id",
  "x-forwarded-proto", "x-real-ip", "cloudfront-viewer-address", "cloudfront-viewer-asn",
  "cloudfront-viewer-tls", "cloudfront-viewer-ja3-fingerprint",
]
private let unkeyablePrefixes = ["proxy-", "x-edge-"]

private func cookieFlaw(_ name: String) -> (what: String, hint: String)? {
  // A cookie's name is a token (RFC 6265 §4.1.1); * is one of its characters, ? is not.
  if name.utf8.allSatisfy({ isTokenByte($0) || $0 == UInt8(ascii: "?") }) { return nil }
  return (
    "is no cookie name",
    "write the name alone, such as session_id, with * for any characters and ? for one"
  )
}

private func queryFlaw(_ name: String) -> (what: String, hint: String)? {
  if name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && !"&=#".utf8.contains($0) }) { return nil }
  return (
    "is no query string name",
    "write the name alone and as it stands in the URL, percent-encoded where the URL is"
  )
}
