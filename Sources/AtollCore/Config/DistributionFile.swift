// SPDX-License-Identifier: Apache-2.0

/// A distribution as JSON: our own form, which `show --json` prints and the store keeps, and the
/// form of CloudFormation templates, which is read only.
package enum DistributionFile {
  package static let schemaVersion = 1

  /// The distributions that a file describes: one, or an array of them, in either form, or a
  /// CloudFormation template.
  ///
  /// - Parameters:
  ///   - source: the file's name, for messages.
  ///   - base: supplies what the file does not say; a preset's values do when missing.
  package static func decode(_ json: [UInt8], source: String, base: Distribution? = nil)
    throws(ConfigError) -> [DistributionDraft]
  {
    let root = try read(json, source: source)
    var items: [(path: String, node: JSONNode, form: Form)] = []
    var reader = FieldReader(source: source)
    switch root.value {
    case .array(let nodes):
      for (index, node) in nodes.enumerated() { items.append(("[\(index)]", node, form(of: node))) }
    case .object:
      if root["Resources"] != nil {
        items = templateResources(root, &reader)
      } else if let list = root["distributions"] {
        _ = reader.object(root, "", keys: ["schemaVersion", "distributions"])
        checkVersion(root["schemaVersion"], "", &reader)
        for (index, node) in (reader.array(list, "distributions") ?? []).enumerated() {
          items.append(("distributions[\(index)]", node, form(of: node)))
        }
      } else {
        items.append(("", root, form(of: root)))
      }
    default:
      reader.add(
        "", "\(describe(root)) stands where a distribution belongs",
        hint: "write an object, or a list of objects")
    }
    try reader.problems.check()
    var drafts: [DistributionDraft] = []
    for item in items {
      var draft = DistributionDraft(source: source, base: base)
      if !item.path.isEmpty { draft.pathPrefix = "\(item.path)." }
      switch item.form {
      case .own: readOwnForm(item.node, item.path, &draft, &reader)
      case .properties: readProperties(item.node, item.path, &draft, &reader)
      case .cloudFront: readCloudFront(item.node, item.path, name: nil, &draft, &reader)
      case .resource: readResource(item.node, item.path, &draft, &reader)
      }
      if let name = draft.name, drafts.contains(where: { $0.name == name }) {
        reader.add(
          item.path, "a second distribution is named \(quoted(name))",
          hint: "give each its own name")
      }
      drafts.append(draft)
    }
    try reader.problems.check()
    if drafts.isEmpty {
      throw ConfigError(
        where: source, what: "the file holds no distribution", hint: "write at least one")
    }
    return drafts
  }

  /// A distribution as the store keeps it: our own form, whole, with id and dates.
  package static func decodeStored(_ json: [UInt8], source: String) throws(ConfigError)
    -> Distribution
  {
    let root = try read(json, source: source)
    var reader = FieldReader(source: source)
    var draft = DistributionDraft(source: source)
    readOwnForm(root, "", &draft, &reader)
    try reader.problems.check()
    // A file that a person put there may lack what `create` would have assigned. The id must then
    // be the same at every reading, so it is made from the name.
    let now = draft.created ?? 0
    var distribution = try draft.make(
      id: draft.id ?? stableID(of: draft.name ?? ""), now: now)
    distribution.defaultDomain = draft.defaultDomain ?? distribution.defaultDomain
    distribution.modified = draft.modified ?? now
    distribution.revision = draft.revision ?? 0
    return distribution
  }

  /// Our own form, whole; decoding it gives the same distribution, encoding that the same bytes.
  package static func encode(_ distribution: Distribution) -> [UInt8] {
    DocumentWriter.document { write(distribution, to: &$0, revision: true) }
  }

  /// Without the revision, which the store adds.
  static func encodeStored(_ distribution: Distribution) -> [UInt8] {
    DocumentWriter.document { write(distribution, to: &$0, revision: false) }
  }

  /// The members of our own form, for a larger document.
  package static func write(
    _ distribution: Distribution, to writer: inout DocumentWriter, revision: Bool = true
  ) {
    writer.member("schemaVersion", schemaVersion)
    writer.member("name", distribution.name)
    writer.member("id", distribution.id)
    writer.member("defaultDomain", distribution.defaultDomain)
    if revision { writer.member("revision", distribution.revision) }
    writer.member("created", RFC3339.format(seconds: distribution.created))
    writer.member("modified", RFC3339.format(seconds: distribution.modified))
    // What a reader would take for what is left out.
    let plain = Distribution.make(
      name: distribution.name, origin: distribution.origin, preset: distribution.preset,
      id: distribution.id, now: distribution.created)
    func add(_ members: some Sequence<Member<Distribution>>) {
      for member in members { member.write(distribution, plain, &writer) }
    }
    let table = Distribution.table
    add(table.prefix(1))
    writer.member("preset", distribution.preset.rawValue)
    add(table[1..<4])
    writer.member("origin") { write(distribution.origin, isBrief: false, to: &$0) }
    add(table[4...])
    writer.member("defaultBehavior", distribution.defaultBehavior.rawValue)
    let settings = distribution.settings
    writer.member("behaviors") { writer in
      writer.array { writer in
        for behavior in distribution.behaviors {
          writer.element { writer in
            writer.object { write(behavior, inherited: settings, to: &$0) }
          }
        }
      }
    }
    writer.member("settings") { BehaviorSettings.form.write(settings, plain.settings, &$0) }
  }

  private static func write(
    _ behavior: PathBehavior, inherited: BehaviorSettings, to writer: inout DocumentWriter
  ) {
    writer.member("path", behavior.path)
    writer.member("behavior", behavior.caching.rawValue)
    let own = behavior.overrides.applied(to: inherited)
    for setting in BehaviorSettings.table where setting.isSet(behavior.overrides) {
      setting.member.writeAlways(own, inherited, &writer)
    }
  }

  static func cachedMethods(_ cachesOptions: Bool) -> MethodSet {
    cachesOptions ? .getHeadOptions : .getHead
  }

  private static func read(_ json: [UInt8], source: String) throws(ConfigError) -> JSONNode {
    if json.count > ConfigLimits.file {
      throw ConfigError(
        where: source, what: "the file has \(json.count) bytes",
        hint: "keep it below \(ConfigLimits.file) bytes, or split it")
    }
    do {
      return try JSONReader.read(json)
    } catch {
      throw ConfigError(
        where: "\(source):\(error.line):\(error.column)", what: error.what, hint: error.hint)
    }
  }

  private enum Form { case own, properties, resource, cloudFront }

  /// CloudFormation's keys begin with capitals, ours never do.
  private static func form(of node: JSONNode) -> Form {
    guard case .object(let members) = node.value else { return .own }
    if members.contains(where: { $0.key == "Properties" || $0.key == "Type" }) { return .resource }
    if members.contains(where: { $0.key == "DistributionConfig" }) { return .cloudFront }
    return members.contains { $0.key.first?.isUppercase ?? false } ? .properties : .own
  }

  private static func templateResources(_ root: JSONNode, _ reader: inout FieldReader)
    -> [(path: String, node: JSONNode, form: Form)]
  {
    let keys = ["AWSTemplateFormatVersion", "Description", "Resources"]
    guard let members = reader.object(root, "", keys: keys),
      let resources = members["Resources"]
    else { return [] }
    guard let list = reader.object(resources, "Resources", example: "{ … } here") else { return [] }
    return list.map { ("Resources.\($0.key)", $0.node, .resource) }
  }

  /// 13 characters of the name's fingerprint.
  private static func stableID(of name: String) -> String {
    var name = name
    var hash = Fingerprint()
    name.withUTF8 { hash.mix($0) }
    let digits = String(hash.value, radix: 36)
    return "d" + String(repeating: "0", count: 13 - digits.utf8.count) + digits
  }
}

extension MethodSet {
  package var names: [String] { rawValue.split(separator: ",").map(String.init) }
}
