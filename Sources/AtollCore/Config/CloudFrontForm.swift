// SPDX-License-Identifier: Apache-2.0

struct CloudFrontForm {
  let path: String
  var draft: DistributionDraft
  var reader: FieldReader
  var tags: [Tag] = []
  /// Ids of origins, the default behavior's first, and of groups.
  var origins: [(id: String, origin: Origin)] = []
  var groups: [OriginGroup] = []
  /// The id of the origin that becomes the distribution's own.
  var defaultID = ""

  init(path: String, draft: DistributionDraft, reader: FieldReader) {
    self.path = path
    self.draft = draft
    self.reader = reader
  }

  // MARK: Lists and refusals

  /// An array, or the command line's `{"Quantity": 1, "Items": […]}`.
  mutating func items(_ node: JSONNode?, _ place: String) -> [JSONNode] {
    guard let node else { return [] }
    if case .object = node.value {
      guard let members = reader.object(node, place, keys: ["Quantity", "Items"]) else { return [] }
      return reader.array(members["Items"], "\(place).Items") ?? []
    }
    return reader.array(node, place) ?? []
  }

  mutating func texts(_ node: JSONNode?, _ place: String) -> [String] {
    items(node, place).enumerated().compactMap { index, item in
      reader.string(item, "\(place)[\(index)]", example: "name")
    }
  }

  /// Refuses what is more than nothing: an empty text, list or object, false and null are.
  mutating func refuse(_ node: JSONNode?, _ place: String, _ why: String, hint: String) {
    guard let node, !isNothing(node) else { return }
    reader.add(place, why, hint: hint)
  }

  func isNothing(_ node: JSONNode) -> Bool {
    switch node.value {
    case .null, .bool(false), .string(""): true
    case .array(let nodes): nodes.isEmpty
    case .object(let members):
      members.allSatisfy { isNothing($0.node) || $0.key == "Quantity" && $0.node.integer == 0 }
    default: false
    }
  }

  // MARK: The whole

  mutating func readTags(_ node: JSONNode?, _ place: String) {
    for (index, node) in items(node, place).enumerated() {
      let place = "\(place)[\(index)]"
      guard let members = reader.object(node, place, keys: ["Key", "Value"]) else { continue }
      let value = reader.string(members["Value"], "\(place).Value", example: "web")
      if let key = reader.string(members["Key"], "\(place).Key", example: "team") {
        tags.append(Tag(key: key, value: value ?? ""))
      }
    }
  }

  mutating func read(_ config: JSONNode) {
    let keys = [
      "Aliases", "CNAMEs", "CacheBehaviors", "CallerReference", "Comment", "CustomErrorResponses",
      "DefaultCacheBehavior", "DefaultRootObject", "Enabled", "HttpVersion", "IPV6Enabled",
      "Logging", "OriginGroups", "Origins", "PriceClass", "Restrictions", "Staging",
      "ContinuousDeploymentPolicyId", "ViewerCertificate", "WebACLId",
    ]
    guard let members = reader.object(config, path, keys: keys) else { return }
    draft.set(\.isEnabled, reader.bool(members["Enabled"], "\(path).Enabled"))
    if let root = reader.string(
      members["DefaultRootObject"], "\(path).DefaultRootObject", example: "index.html")
    {
      draft.set(\.rootObject, .some(root.isEmpty ? nil : root))
    }
    if let comment = reader.string(members["Comment"], "\(path).Comment", example: "a shop"),
      !comment.isEmpty
    {
      tags.append(Tag(key: "comment", value: comment))
    }
    if !tags.isEmpty { draft.set(\.tags, tags) }
    if let isDual = reader.bool(members["IPV6Enabled"], "\(path).IPV6Enabled") {
      draft.set(\.ipAddressType, .some(isDual ? .dualstack : .ipv4))
    }
    readAliases(members)
    refuseForeign(members)
    readOrigins(members["Origins"])
    readGroups(members["OriginGroups"])
    guard let behavior = members["DefaultCacheBehavior"] else {
      reader.add(
        path, "\"DefaultCacheBehavior\" is missing",
        hint: "add \"DefaultCacheBehavior\": {\"TargetOriginId\": …}")
      return
    }
    chooseDefault(behavior)
    if let (caching, settings) = readBehavior(
      behavior, "\(path).DefaultCacheBehavior", isDefault: true)
    {
      draft.defaultBehavior = caching
      draft.settings = settings
    }
    readBehaviors(members["CacheBehaviors"])
    readErrors(members["CustomErrorResponses"])
    readRestrictions(members["Restrictions"])
    let named = origins.filter { $0.id != defaultID }.map {
      NamedOrigin(name: $0.id, origin: $0.origin)
    }
    draft.set(\.origins, named)
    draft.set(\.originGroups, groups)
  }

  /// What belongs to Amazon's network, or to a later version of ours.
  mutating func refuseForeign(_ members: Members) {
    refuse(
      members["Logging"], "\(path).Logging", "access logs are no setting of a distribution",
      hint: "remove it, and see --access-log of atoll serve")
    refuse(
      members["WebACLId"], "\(path).WebACLId", "there is no web application firewall",
      hint: "remove it")
    for key in ["Staging", "ContinuousDeploymentPolicyId"] {
      refuse(
        members[key], "\(path).\(key)", "there is no continuous deployment",
        hint: "remove it, and make a second distribution to try")
    }
  }

  // MARK: Domains

  /// The certificate itself stays with Amazon: each alias wants one of the store that covers it.
  mutating func readAliases(_ members: Members) {
    var aliases: [String] = []
    for key in ["Aliases", "CNAMEs"] {
      for alias in texts(members[key], "\(path).\(key)") {
        let domain = normalizedDomain(alias)
        if !aliases.contains(domain) { aliases.append(domain) }
      }
    }
    if members["Aliases"] != nil || members["CNAMEs"] != nil { draft.aliases = aliases }
    if let node = members["ViewerCertificate"] { readCertificate(node) }
  }

  private mutating func readCertificate(_ node: JSONNode) {
    let place = "\(path).ViewerCertificate"
    let keys = [
      "ACMCertificateArn", "AcmCertificateArn", "Certificate", "CertificateSource",
      "CloudFrontDefaultCertificate", "IAMCertificateId", "IamCertificateId",
      "MinimumProtocolVersion", "SSLSupportMethod", "SslSupportMethod",
    ]
    guard let members = reader.object(node, place, keys: keys) else { return }
    if reader.bool(
      members["CloudFrontDefaultCertificate"], "\(place).CloudFrontDefaultCertificate") ?? false
    {
      return
    }
    for key in ["SSLSupportMethod", "SslSupportMethod"] {
      let method = reader.string(members[key], "\(place).\(key)", example: "sni-only")
      if let method, method != "sni-only" {
        reader.add(
          "\(place).\(key)", "\(quoted(method)) gives a distribution addresses of its own",
          hint: "write \"sni-only\"")
      }
    }
    let version = reader.string(
      members["MinimumProtocolVersion"], "\(place).MinimumProtocolVersion", example: "TLSv1.2_2021")
    if let version, !version.hasPrefix("TLSv1.2") {
      reader.add(
        "\(place).MinimumProtocolVersion", "\(quoted(version)) is no choice of a distribution's",
        hint: "write \"TLSv1.2_2021\": edges speak TLS 1.2 and 1.3, see --tls-policy of atoll serve"
      )
    }
  }

  // MARK: Errors and countries

  mutating func readErrors(_ node: JSONNode?) {
    let place = "\(path).CustomErrorResponses"
    var responses: [ErrorResponse] = []
    for (index, node) in items(node, place).enumerated() {
      let place = "\(place)[\(index)]"
      let keys = ["ErrorCode", "ResponseCode", "ResponsePagePath", "ErrorCachingMinTTL"]
      guard let members = reader.object(node, place, keys: keys) else { continue }
      let hint = "write it like 404"
      guard
        let status = reader.integer(
          members["ErrorCode"], "\(place).ErrorCode", what: "a status", hint: hint)
      else { continue }
      var response = ErrorResponse(status: status)
      if let page = reader.string(
        members["ResponsePagePath"], "\(place).ResponsePagePath", example: "/404.html"),
        !page.isEmpty
      {
        response.page = .path(page)
      }
      // The command line prints it as text, which may be empty.
      if let text = members["ResponseCode"]?.text {
        response.responseStatus = Int(text)
      } else {
        response.responseStatus = reader.integer(
          members["ResponseCode"], "\(place).ResponseCode", what: "a status", hint: hint)
      }
      response.minimumTTL = reader.seconds(
        members["ErrorCachingMinTTL"], "\(place).ErrorCachingMinTTL")
      responses.append(response)
    }
    draft.set(\.errors.responses, responses)
  }

  mutating func readRestrictions(_ node: JSONNode?) {
    let place = "\(path).Restrictions"
    guard let node, let members = reader.object(node, place, keys: ["GeoRestriction"]),
      let geo = members["GeoRestriction"],
      let inner = reader.object(
        geo, "\(place).GeoRestriction", keys: ["RestrictionType", "Locations", "Quantity", "Items"])
    else { return }
    let key = inner["Locations"] == nil ? "Items" : "Locations"
    let list = texts(inner[key], "\(place).GeoRestriction.\(key)")
    switch reader.string(
      inner["RestrictionType"], "\(place).GeoRestriction.RestrictionType", example: "none")
    {
    case nil, "none": break
    case "whitelist": draft.set(\.geoRestriction, .allow(list))
    case "blacklist": draft.set(\.geoRestriction, .block(list))
    case let other?:
      reader.add(
        "\(place).GeoRestriction.RestrictionType", "unknown value \(quoted(other))",
        hint: "write \"none\", \"whitelist\" or \"blacklist\"")
    }
  }
}
