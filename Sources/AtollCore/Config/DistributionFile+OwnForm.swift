// SPDX-License-Identifier: Apache-2.0

extension DistributionFile {
  static func readOwnForm(
    _ node: JSONNode, _ path: String, _ draft: inout DistributionDraft,
    _ reader: inout FieldReader
  ) {
    let keys = DistributionManual.entries.map(\.key)
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
    if let domain = reader.string(
      members["defaultDomain"], at("defaultDomain"), example: "d1a2b3c4d5e6f7.atoll.localhost")
    {
      draft.defaultDomain = domain
    }
    draft.saysDomains = members["domains"] != nil
    draft.saysDetachedDomains = members["detachedDomains"] != nil
    if let revision = reader.integer(
      members["revision"], at("revision"), what: "a revision",
      hint: "remove it: revisions are assigned")
    {
      draft.revision = UInt64(max(0, revision))
    }
    draft.created = time(members["created"], at("created"), &reader)
    draft.modified = time(members["modified"], at("modified"), &reader)
    draft.preset = reader.choice(members["preset"], at("preset"), Preset.self)
    draft.edits.append(readMembers(Distribution.table, of: members, path, &reader))
    if let origin = members["origin"] {
      (draft.origin, draft.originEdit) = readOrigin(origin, at("origin"), &reader)
    }
    draft.defaultBehavior = reader.choice(
      members["defaultBehavior"], at("defaultBehavior"), Caching.self)
    if let behaviors = reader.array(members["behaviors"], at("behaviors")) {
      draft.behaviors = []
      for (index, behavior) in behaviors.enumerated() {
        readBehavior(behavior, "\(at("behaviors"))[\(index)]", &draft, &reader)
      }
    }
    if let settings = members["settings"],
      let members = reader.object(
        settings, at("settings"), keys: BehaviorSettings.table.map(\.member.key))
    {
      draft.settings = readSettings(members, at("settings"), &reader)
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

  private static func readBehavior(
    _ node: JSONNode, _ path: String, _ draft: inout DistributionDraft,
    _ reader: inout FieldReader
  ) {
    let keys = ["path", "behavior"] + BehaviorSettings.table.map(\.member.key)
    guard let members = reader.object(node, path, keys: keys) else { return }
    for key in ["path", "behavior"] where members[key] == nil {
      reader.add(
        path, "\(quoted(key)) is missing",
        hint: "write {\"path\": \"/img/*\", \"behavior\": \"cache\"}")
    }
    let pattern = reader.string(members["path"], "\(path).path", example: "/img/*")
    let caching = reader.choice(members["behavior"], "\(path).behavior", Caching.self)
    let settings = readSettings(members, path, &reader)
    guard let pattern, let caching else { return }
    draft.behaviors?.append(.init(path: pattern, caching: caching, settings: settings))
  }

  private static func readSettings(
    _ members: Members, _ path: String, _ reader: inout FieldReader
  ) -> SettingsDraft {
    var draft = SettingsDraft()
    for setting in BehaviorSettings.table {
      guard let node = members[setting.member.key],
        let edit = setting.member.read(node, "\(path).\(setting.member.key)", &reader)
      else { continue }
      draft.add(setting, edit)
    }
    return draft
  }
}
