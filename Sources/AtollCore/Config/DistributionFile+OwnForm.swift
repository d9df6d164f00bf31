// SPDX-License-Identifier: Apache-2.0

extension DistributionFile {
  static func readOwnForm(
    _ node: JSONNode, _ path: String, _ draft: inout DistributionDraft,
    _ reader: inout FieldReader
  ) {
    let keys = [
      "schemaVersion", "name", "id", "revision", "created", "modified", "enabled", "preset",
      "plan", "tags", "ipAddressType", "origin", "defaultBehavior", "behaviors", "settings",
      // What show --json adds about the moment.
      "edges",
    ]
    guard let members = reader.object(node, path, keys: keys) else { return }
    func at(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
    checkVersion(members["schemaVersion"], path, &reader)
    draft.name = reader.string(members["name"], at("name"), example: "shop")
    if let id = reader.string(members["id"], at("id"), example: "d1a2b3c4d5e6f7") {
      let bytes = id.utf8
      if bytes.count == 14, bytes.first == UInt8(ascii: "d"),
        bytes.allSatisfy({ isDigit($0) || ($0 >= 97 && $0 <= 122) })
      {
        draft.id = id
      } else {
        reader.add(
          at("id"), "\(quoted(id)) is no id",
          hint: "remove it: ids are assigned, \"d\" and 13 lower-case letters or digits")
      }
    }
    if let revision = reader.integer(
      members["revision"], at("revision"), what: "a revision",
      hint: "remove it: revisions are assigned")
    {
      draft.revision = UInt64(max(0, revision))
    }
    draft.created = time(members["created"], at("created"), &reader)
    draft.modified = time(members["modified"], at("modified"), &reader)
    draft.isEnabled = reader.bool(members["enabled"], at("enabled"))
    draft.preset = reader.choice(members["preset"], at("preset"), Preset.self)
    draft.plan = reader.choice(members["plan"], at("plan"), Plan.self)
    draft.ipAddressType = reader.choice(
      members["ipAddressType"], at("ipAddressType"), IPAddressType.self)
    if let tags = members["tags"] {
      if case .object(let list) = tags.value {
        draft.tags = list.compactMap { member in
          reader.string(member.node, "\(at("tags")).\(member.key)", example: "web")
            .map { Tag(key: member.key, value: $0) }
        }
      } else {
        reader.add(
          at("tags"), "\(describe(tags)) stands where an object belongs",
          hint: "write {\"team\": \"web\"}")
      }
    }
    if let origin = members["origin"] { readOrigin(origin, at("origin"), &draft, &reader) }
    draft.defaultBehavior = reader.choice(
      members["defaultBehavior"], at("defaultBehavior"), Caching.self)
    if let behaviors = reader.array(members["behaviors"], at("behaviors")) {
      draft.behaviors = []
      for (index, behavior) in behaviors.enumerated() {
        readBehavior(behavior, "\(at("behaviors"))[\(index)]", &draft, &reader)
      }
    }
    if let settings = members["settings"] {
      readSettings(settings, at("settings"), &draft, &reader)
    }
  }

  static func checkVersion(_ node: JSONNode?, _ path: String, _ reader: inout FieldReader) {
    let place = path.isEmpty ? "schemaVersion" : "\(path).schemaVersion"
    guard
      let version = reader.integer(node, place, what: "a schema version", hint: "write 1"),
      version != schemaVersion
    else { return }
    reader.add(
      place, "this version of atoll does not know schema \(version)",
      hint: version > schemaVersion ? "use a newer atoll" : "write \(schemaVersion)")
  }

  private static func time(_ node: JSONNode?, _ path: String, _ reader: inout FieldReader)
    -> Int64?
  {
    let example = "2026-03-01T12:00:00Z"
    guard let text = reader.string(node, path, example: example) else { return nil }
    if let seconds = RFC3339.parse(text) { return seconds }
    reader.add(path, "\(quoted(text)) is no time", hint: "write it like \(example)")
    return nil
  }

  private static func readOrigin(
    _ node: JSONNode, _ path: String, _ draft: inout DistributionDraft,
    _ reader: inout FieldReader
  ) {
    let urlNode: JSONNode
    let urlPath: String
    if case .string = node.value {
      urlNode = node
      urlPath = path
    } else {
      let keys = [
        "url", "connectTimeout", "connectAttempts", "responseTimeout", "keepAliveTimeout", "label",
        "region",
      ]
      guard let members = reader.object(node, path, keys: keys) else { return }
      draft.connectTimeout = reader.seconds(members["connectTimeout"], "\(path).connectTimeout")
      draft.connectAttempts = reader.integer(
        members["connectAttempts"], "\(path).connectAttempts", what: "a number of attempts",
        hint: "write 1, 2 or 3")
      draft.responseTimeout = reader.seconds(members["responseTimeout"], "\(path).responseTimeout")
      draft.keepAliveTimeout = reader.seconds(
        members["keepAliveTimeout"], "\(path).keepAliveTimeout")
      draft.originLabel = reader.string(members["label"], "\(path).label", example: "my-instance")
      draft.originRegion = reader.string(members["region"], "\(path).region", example: "us-east-1")
      guard let url = members["url"] else { return }
      urlNode = url
      urlPath = "\(path).url"
    }
    guard let url = reader.string(urlNode, urlPath, example: "http://shop.example") else { return }
    do {
      draft.origin = try Origin(url: url, place: reader.place(urlPath))
    } catch {
      reader.problems.add(error)
    }
  }

  private static func readBehavior(
    _ node: JSONNode, _ path: String, _ draft: inout DistributionDraft,
    _ reader: inout FieldReader
  ) {
    guard let members = reader.object(node, path, keys: ["path", "behavior", "ttl"]) else { return }
    for key in ["path", "behavior"] where members[key] == nil {
      reader.add(
        path, "\(quoted(key)) is missing",
        hint: "write {\"path\": \"/img/*\", \"behavior\": \"cache\"}")
    }
    let pattern = reader.string(members["path"], "\(path).path", example: "/img/*")
    let caching = reader.choice(members["behavior"], "\(path).behavior", Caching.self)
    let ttl = members["ttl"].map { readTTL($0, "\(path).ttl", &reader) }
    guard let pattern, let caching else { return }
    draft.behaviors?.append(.init(path: pattern, caching: caching, ttl: ttl))
  }

  private static func readTTL(_ node: JSONNode, _ path: String, _ reader: inout FieldReader)
    -> DistributionDraft.TTLDraft
  {
    var ttl = DistributionDraft.TTLDraft()
    guard let members = reader.object(node, path, keys: ["minimum", "default", "maximum"]) else {
      return ttl
    }
    ttl.minimum = reader.seconds(members["minimum"], "\(path).minimum")
    ttl.maximum = reader.seconds(members["maximum"], "\(path).maximum")
    if let node = members["default"] {
      // null: the origin's headers and the RFC's heuristics alone decide.
      if node.value == .null {
        ttl.default = .some(nil)
      } else if let seconds = reader.seconds(node, "\(path).default") {
        ttl.default = seconds
      }
    }
    return ttl
  }

  private static func readSettings(
    _ node: JSONNode, _ path: String, _ draft: inout DistributionDraft,
    _ reader: inout FieldReader
  ) {
    let keys = [
      "ttl", "overridesOrigin", "staleIfError", "allowedMethods", "cachedMethods",
      "forwardedHeaders", "forwardedCookies", "forwardedQueryStrings",
    ]
    guard let members = reader.object(node, path, keys: keys) else { return }
    if let ttl = members["ttl"] { draft.ttl = readTTL(ttl, "\(path).ttl", &reader) }
    draft.overridesOrigin = reader.bool(members["overridesOrigin"], "\(path).overridesOrigin")
    draft.staleIfError = reader.seconds(members["staleIfError"], "\(path).staleIfError")
    draft.allowedMethods = reader.methods(
      members["allowedMethods"], "\(path).allowedMethods",
      choices: MethodSet.allCases.map(\.rawValue)
    ).flatMap(MethodSet.init)
    draft.cachesOptions = reader.methods(
      members["cachedMethods"], "\(path).cachedMethods",
      choices: [cachedMethods(false).rawValue, cachedMethods(true).rawValue]
    ).map { $0 == cachedMethods(true).rawValue }
    draft.forwardedHeaders = selection(
      members["forwardedHeaders"], "\(path).forwardedHeaders", "Accept-Language", &reader)
    draft.forwardedCookies = selection(
      members["forwardedCookies"], "\(path).forwardedCookies", "session_*", &reader)
    draft.forwardedQueryStrings = selection(
      members["forwardedQueryStrings"], "\(path).forwardedQueryStrings", "page", &reader)
  }

  private static func selection(
    _ node: JSONNode?, _ path: String, _ example: String, _ reader: inout FieldReader
  ) -> NameSelection? {
    guard let node else { return nil }
    switch node.value {
    case .string("none"): return NameSelection.none
    case .string("all"): return .all
    case .array:
      guard let names = reader.strings(node, path, example: example) else { return nil }
      return names.isEmpty ? NameSelection.none : .listed(names)
    default:
      reader.add(
        path, "\(describe(node)) is no choice of names",
        hint: "write \"none\", \"all\" or a list such as [\"\(example)\"]")
      return nil
    }
  }
}
