// SPDX-License-Identifier: Apache-2.0

// The form of CloudFormation's AWS::Lightsail::Distribution, with the other spellings that a
// published example uses. Nothing in it is dropped: what has no meaning here is refused.
extension DistributionFile {
  /// A template's resource: Type and Properties.
  static func readResource(
    _ node: JSONNode, _ path: String, _ draft: inout DistributionDraft,
    _ reader: inout FieldReader
  ) {
    let resourceType = "AWS::Lightsail::Distribution"
    func at(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
    let type = node["Type"]?.text
    if let type, type != resourceType, type != cloudFrontType {
      reader.add(
        at("Type"), "\(quoted(type)) is no distribution",
        hint: "keep only resources of the type \(resourceType) or \(cloudFrontType) in this file")
      return
    }
    guard let members = reader.object(node, path, keys: ["Type", "Properties"]) else { return }
    if members["Type"] == nil {
      reader.add(path, "\"Type\" is missing", hint: "write \"Type\": \"\(resourceType)\"")
    } else {
      _ = reader.string(members["Type"], at("Type"), example: resourceType)
    }
    guard let properties = members["Properties"] else {
      reader.add(path, "\"Properties\" is missing", hint: "add \"Properties\": { … }")
      return
    }
    if type == cloudFrontType {
      // What the template calls it is all the name there is.
      let name = path.hasPrefix("Resources.") ? String(path.dropFirst("Resources.".count)) : nil
      readCloudFront(properties, at("Properties"), name: name, &draft, &reader)
      return
    }
    draft.pathPrefix = "\(at("Properties"))."
    readProperties(properties, at("Properties"), &draft, &reader)
  }

  static func readProperties(
    _ node: JSONNode, _ path: String, _ draft: inout DistributionDraft,
    _ reader: inout FieldReader
  ) {
    draft.isCloudFormation = true
    let keys = [
      "DistributionName", "BundleId", "IsEnabled", "IpAddressType", "CertificateName", "Tags",
      "Origin", "DefaultCacheBehavior", "CacheBehaviors", "CacheBehaviorSettings",
    ]
    guard let members = reader.object(node, path, keys: keys) else { return }
    var form = CloudFormationForm(at: .init(path: path), draft: draft, reader: reader)
    form.read(members)
    draft = form.draft
    reader = form.reader
  }
}

private struct CloudFormationForm {
  /// Where a key stands in the file.
  let at: Place
  var draft: DistributionDraft
  var reader: FieldReader
  /// Of the distribution (no index), and of behaviors.
  private var ttls: [Int?: TTLs] = [:]

  init(at: Place, draft: DistributionDraft, reader: FieldReader) {
    self.at = at
    self.draft = draft
    self.reader = reader
  }

  private struct TTLs {
    var minimum: Int?
    var `default`: Int?
    var maximum: Int?
  }

  struct Place {
    let path: String

    func callAsFunction(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
  }

  mutating func read(_ members: Members) {
    draft.places = [
      "name": "DistributionName", "tags": "Tags", "origin.url": "Origin",
      "origin.responseTimeout": "Origin.ResponseTimeout", "behaviors": "CacheBehaviors",
      "settings": "CacheBehaviorSettings",
      "settings.allowedMethods": "CacheBehaviorSettings.AllowedHTTPMethods",
      "settings.cachedMethods": "CacheBehaviorSettings.CachedHTTPMethods",
      "settings.forwardedHeaders": "CacheBehaviorSettings.ForwardedHeaders",
      "settings.forwardedCookies": "CacheBehaviorSettings.ForwardedCookies",
      "settings.forwardedQueryStrings": "CacheBehaviorSettings.ForwardedQueryStrings",
    ]
    draft.name = reader.string(
      members["DistributionName"], at("DistributionName"), example: "shop")
    draft.set(\.isEnabled, reader.bool(members["IsEnabled"], at("IsEnabled")))
    draft.set(
      \.ipAddressType,
      reader.choice(members["IpAddressType"], at("IpAddressType"), IPAddressType.self))
    if let certificate = reader.string(
      members["CertificateName"], at("CertificateName"), example: "shop")
    {
      draft.certificateName = certificate
      draft.places["domains"] = "CertificateName"
    }
    readBundle(members["BundleId"])
    readTags(members["Tags"])
    if let origin = members["Origin"] { readOrigin(origin) }
    if let behavior = members["DefaultCacheBehavior"] { readDefault(behavior) }
    readBehaviors(members["CacheBehaviors"])
    if let settings = members["CacheBehaviorSettings"] { readSettings(settings) }
    for (index, ttls) in ttls {
      let setting = BehaviorSettings.table.first { $0.member.key == "ttl" }!
      let edit: Edit<BehaviorSettings> = { settings in
        settings.ttl.minimum = ttls.minimum ?? settings.ttl.minimum
        settings.ttl.default = ttls.default ?? settings.ttl.default
        settings.ttl.maximum = ttls.maximum ?? settings.ttl.maximum
      }
      if let index {
        draft.behaviors?[index].settings.add(setting, edit)
      } else {
        draft.settings.add(setting, edit)
      }
    }
  }

  /// Lightsail's bundle ids: `small_1_0`.
  private mutating func readBundle(_ node: JSONNode?) {
    guard let text = reader.string(node, at("BundleId"), example: "small_1_0") else { return }
    let word = text.prefix { $0 != "_" }
    let version = text[word.endIndex...]
    let isVersion =
      version.isEmpty
      || version.split(separator: "_", omittingEmptySubsequences: false).dropFirst()
        .allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy(isDigit) }
    if isVersion, let plan = Plan(rawValue: String(word)) {
      draft.set(\.plan, plan)
      return
    }
    reader.add(
      at("BundleId"), "unknown bundle \(quoted(text))",
      hint: "write \"small_1_0\", \"medium_1_0\" or \"large_1_0\", or remove it for no bound")
  }

  private mutating func readTags(_ node: JSONNode?) {
    guard let nodes = reader.array(node, at("Tags")) else { return }
    var tags: [Tag] = []
    for (index, node) in nodes.enumerated() {
      let place = "\(at("Tags"))[\(index)]"
      guard let members = reader.object(node, place, keys: ["Key", "Value"]) else { continue }
      if members["Key"] == nil {
        reader.add(
          place, "\"Key\" is missing", hint: "write {\"Key\": \"team\", \"Value\": \"web\"}")
      }
      let value = reader.string(members["Value"], "\(place).Value", example: "web")
      if let key = reader.string(members["Key"], "\(place).Key", example: "team") {
        tags.append(Tag(key: key, value: value ?? ""))
      }
    }
    draft.set(\.tags, tags)
  }

  private mutating func readOrigin(_ node: JSONNode) {
    let place = at("Origin")
    let keys = ["Name", "ProtocolPolicy", "RegionName", "Source", "ResponseTimeout"]
    guard let members = reader.object(node, place, keys: keys) else { return }
    let name = reader.string(members["Name"], "\(place).Name", example: "shop.example")
    let source = reader.string(members["Source"], "\(place).Source", example: "http://shop.example")
    let region = reader.string(
      members["RegionName"], "\(place).RegionName", example: "us-east-1")
    let timeout = reader.seconds(members["ResponseTimeout"], "\(place).ResponseTimeout")
    let policy = reader.choice(
      members["ProtocolPolicy"], "\(place).ProtocolPolicy", ProtocolPolicy.self)
    if members["Name"] == nil && members["Source"] == nil {
      reader.add(place, "\"Name\" is missing", hint: "write the origin's host name there")
    }
    // With a Source, the name is only what Lightsail calls the instance.
    let label = source != nil ? name : nil
    draft.originEdit = { origin in
      origin.region = region ?? origin.region
      origin.responseTimeout = timeout ?? origin.responseTimeout
      origin.label = label ?? origin.label
    }
    guard let address = source ?? name else { return }
    let addressPlace = "\(place).\(source != nil ? "Source" : "Name")"
    draft.places["origin.url"] =
      "Origin.\(source != nil ? "Source" : "Name")"
    var url = address
    if address.range(ofText: "://") == nil {
      url = "\(policy?.scheme.rawValue ?? Scheme.http.rawValue)://\(address)"
    }
    do {
      let origin = try Origin(url: url, place: reader.place(addressPlace))
      if let policy, policy.scheme != origin.scheme {
        reader.add(
          "\(place).ProtocolPolicy",
          "\(quoted(policy.rawValue)) contradicts \(quoted(address))",
          hint: "write \(quoted("\(origin.scheme.rawValue)-only")), or change the URL")
      }
      draft.origin = origin
    } catch {
      reader.problems.add(error)
    }
  }

  private enum ProtocolPolicy: String, CaseIterable {
    case httpOnly = "http-only"
    case httpsOnly = "https-only"

    var scheme: Scheme { self == .httpOnly ? .http : .https }
  }

  /// `allow` is the other spelling of `cache`.
  private mutating func caching(_ node: JSONNode?, _ place: String) -> Caching? {
    if case .string("allow")? = node?.value { return .cache }
    return reader.choice(node, place, Caching.self)
  }

  private mutating func readDefault(_ node: JSONNode) {
    let place = at("DefaultCacheBehavior")
    guard
      let members = reader.object(node, place, keys: ["Behavior", "CacheBehavior", "Caching"])
    else { return }
    draft.defaultBehavior = caching(members["Behavior"], "\(place).Behavior")
    readCaching(members, place, relative: "DefaultCacheBehavior", into: nil)
  }

  private mutating func readBehaviors(_ node: JSONNode?) {
    guard let nodes = reader.array(node, at("CacheBehaviors")) else { return }
    draft.behaviors = []
    for (index, node) in nodes.enumerated() {
      let relative = "CacheBehaviors[\(index)]"
      let place = at(relative)
      let keys = ["Path", "Behavior", "CacheBehavior", "Caching"]
      guard let members = reader.object(node, place, keys: keys) else { continue }
      for key in ["Path", "Behavior"] where members[key] == nil {
        reader.add(
          place, "\(quoted(key)) is missing",
          hint: "write {\"Path\": \"img/*\", \"Behavior\": \"cache\"}")
      }
      let pattern = reader.string(members["Path"], "\(place).Path", example: "img/*")
      let behavior = caching(members["Behavior"], "\(place).Behavior")
      draft.behaviors?.append(.init(path: pattern ?? "", caching: behavior ?? .cache))
      let own = "behaviors[\(index)]"
      draft.places[own] = relative
      draft.places["\(own).path"] = "\(relative).Path"
      readCaching(members, place, relative: relative, into: index)
    }
  }

  /// `Caching{DefaultTtl, MinTtl, MaxTtl}`, or the same inside `CacheBehavior`.
  private mutating func readCaching(
    _ members: Members, _ place: String, relative: String, into index: Int?
  ) {
    if let node = members["Caching"] { readTTLs(node, place, relative: relative, into: index) }
    guard let node = members["CacheBehavior"] else { return }
    let inner = "\(place).CacheBehavior"
    guard let members = reader.object(node, inner, keys: ["Caching"]) else { return }
    if let node = members["Caching"] {
      readTTLs(node, inner, relative: "\(relative).CacheBehavior", into: index)
    }
  }

  private mutating func readTTLs(
    _ node: JSONNode, _ outer: String, relative: String, into index: Int?
  ) {
    let place = "\(outer).Caching"
    guard let members = reader.object(node, place, keys: ["DefaultTtl", "MinTtl", "MaxTtl"]) else {
      return
    }
    let names = [("default", "DefaultTtl"), ("minimum", "MinTtl"), ("maximum", "MaxTtl")]
    for (name, key) in names {
      setTTL(name, members[key], "\(place).\(key)", "\(relative).Caching.\(key)", into: index)
    }
  }

  /// The distribution's TTL (no index) may stand in three places: they must agree.
  private mutating func setTTL(
    _ name: String, _ node: JSONNode?, _ place: String, _ relative: String, into index: Int?
  ) {
    guard let seconds = reader.seconds(node, place) else { return }
    var ttl = ttls[index] ?? TTLs()
    let own = "\(index.map { "behaviors[\($0)]" } ?? "settings").ttl.\(name)"
    let earlier: Int? =
      switch name {
      case "default": ttl.default
      case "minimum": ttl.minimum
      default: ttl.maximum
      }
    if let earlier, earlier != seconds {
      reader.add(
        place, "\(seconds) contradicts \(earlier) in \(at(draft.places[own] ?? own))",
        hint: "keep one of the two")
      return
    }
    switch name {
    case "default": ttl.default = seconds
    case "minimum": ttl.minimum = seconds
    default: ttl.maximum = seconds
    }
    draft.places[own] = relative
    ttls[index] = ttl
  }

  private mutating func readSettings(_ node: JSONNode) {
    let relative = "CacheBehaviorSettings"
    let place = at(relative)
    let keys = [
      "DefaultTTL", "MinimumTTL", "MaximumTTL", "AllowedHTTPMethods", "CachedHTTPMethods",
      "ForwardedCookies", "ForwardedHeaders", "ForwardedQueryStrings", "Caching",
    ]
    guard let members = reader.object(node, place, keys: keys) else { return }
    let names = [("default", "DefaultTTL"), ("minimum", "MinimumTTL"), ("maximum", "MaximumTTL")]
    for (name, key) in names {
      setTTL(name, members[key], "\(place).\(key)", "\(relative).\(key)", into: nil)
    }
    if let caching = members["Caching"] {
      readTTLs(caching, place, relative: relative, into: nil)
    }
    draft.settings.set(
      "allowedMethods", \.allowedMethods,
      reader.methods(
        members["AllowedHTTPMethods"], "\(place).AllowedHTTPMethods",
        choices: MethodSet.allCases.map(\.rawValue)
      ).flatMap(MethodSet.init))
    let cached = [
      DistributionFile.cachedMethods(false).rawValue, DistributionFile.cachedMethods(true).rawValue,
    ]
    draft.settings.set(
      "cachedMethods", \.cachesOptions,
      reader.methods(
        members["CachedHTTPMethods"], "\(place).CachedHTTPMethods", choices: cached
      ).map { $0 == cached[1] })
    draft.settings.set(
      "forwardedCookies", \.forwardedCookies,
      selection(
        members["ForwardedCookies"], "\(place).ForwardedCookies", list: "CookiesAllowList"))
    draft.settings.set(
      "forwardedHeaders", \.forwardedHeaders,
      selection(
        members["ForwardedHeaders"], "\(place).ForwardedHeaders", list: "HeadersAllowList"))
    draft.settings.set(
      "forwardedQueryStrings", \.forwardedQueryStrings,
      selection(
        members["ForwardedQueryStrings"], "\(place).ForwardedQueryStrings",
        list: "QueryStringsAllowList"))
  }

  /// `Option` and its list. For query strings CloudFormation's Option is true or false, where true
  /// means those listed, or all when none is.
  private mutating func selection(_ node: JSONNode?, _ place: String, list: String)
    -> NameSelection?
  {
    guard let node, let members = reader.object(node, place, keys: ["Option", list]) else {
      return nil
    }
    let isQuery = list == "QueryStringsAllowList"
    let names = reader.strings(members[list], "\(place).\(list)", example: "name") ?? []
    switch members["Option"]?.value {
    case .bool(true) where isQuery: return names.isEmpty ? .all : .listed(names)
    case .bool(false) where isQuery, .string("none"):
      return refuseList(names, place, list) ?? NameSelection.none
    case .string("all"): return refuseList(names, place, list) ?? .all
    case .string("allow-list"), nil:
      if !names.isEmpty { return .listed(names) }
      reader.add(
        place, "\(quoted(list)) names nothing",
        hint: "fill the list, or write \"Option\": \(isQuery ? "false" : "\"none\"")")
      return nil
    case let other?:
      reader.add(
        "\(place).Option", "unknown value \(describe(JSONNode(value: other, offset: 0)))",
        hint: isQuery ? "write true or false" : "write \"none\", \"all\" or \"allow-list\"")
      return nil
    }
  }

  /// A list beside an option that ignores it would be dropped without a word.
  private mutating func refuseList(_ names: [String], _ place: String, _ list: String)
    -> NameSelection?
  {
    if names.isEmpty { return nil }
    reader.add(
      "\(place).\(list)", "the list has no effect with this Option",
      hint: "write \"Option\": \"allow-list\", or remove the list")
    return NameSelection.none
  }
}
