// SPDX-License-Identifier: Apache-2.0

// CloudFront's own form: CloudFormation's AWS::CloudFront::Distribution, and what
// `aws cloudfront get-distribution-config` prints. Read only; what cannot be reproduced is refused.
extension DistributionFile {
  static let cloudFrontType = "AWS::CloudFront::Distribution"

  /// - Parameter name: what the template calls the resource, for a form without names.
  static func readCloudFront(
    _ node: JSONNode, _ path: String, name: String?, _ draft: inout DistributionDraft,
    _ reader: inout FieldReader
  ) {
    func at(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
    // The ETag is what the command line prints beside.
    guard let members = reader.object(node, path, keys: ["DistributionConfig", "Tags", "ETag"])
    else { return }
    guard let config = members["DistributionConfig"] else {
      reader.add(
        path, "\"DistributionConfig\" is missing", hint: "add \"DistributionConfig\": { … }")
      return
    }
    draft.isCloudFormation = true
    draft.isCloudFront = true
    draft.name = name
    draft.places = [
      "origin": "Origins", "origins": "Origins", "originGroups": "OriginGroups",
      "settings": "DefaultCacheBehavior", "errors": "CustomErrorResponses",
      "rootObject": "DefaultRootObject", "geoRestriction": "Restrictions.GeoRestriction",
    ]
    // Validation knows our places only: the nearest thing of the file is the whole.
    draft.pathPrefix = at("DistributionConfig") + "."
    var form = CloudFrontForm(path: at("DistributionConfig"), draft: draft, reader: reader)
    form.readTags(members["Tags"], at("Tags"))
    form.read(config)
    draft = form.draft
    reader = form.reader
  }
}

private struct CloudFrontForm {
  let path: String
  var draft: DistributionDraft
  var reader: FieldReader
  private var tags: [Tag] = []
  /// Ids of origins, the default behavior's first, and of groups.
  private var origins: [(id: String, origin: Origin)] = []
  private var groups: [OriginGroup] = []
  /// The id of the origin that becomes the distribution's own.
  private var defaultID = ""

  init(path: String, draft: DistributionDraft, reader: FieldReader) {
    self.path = path
    self.draft = draft
    self.reader = reader
  }

  // MARK: Lists and refusals

  /// An array, or the command line's `{"Quantity": 1, "Items": […]}`.
  private mutating func items(_ node: JSONNode?, _ place: String) -> [JSONNode] {
    guard let node else { return [] }
    if case .object = node.value {
      guard let members = reader.object(node, place, keys: ["Quantity", "Items"]) else { return [] }
      return reader.array(members["Items"], "\(place).Items") ?? []
    }
    return reader.array(node, place) ?? []
  }

  private mutating func texts(_ node: JSONNode?, _ place: String) -> [String] {
    items(node, place).enumerated().compactMap { index, item in
      reader.string(item, "\(place)[\(index)]", example: "name")
    }
  }

  /// Refuses what is more than nothing: an empty text, list or object, false and null are.
  private mutating func refuse(_ node: JSONNode?, _ place: String, _ why: String, hint: String) {
    guard let node, !isNothing(node) else { return }
    reader.add(place, why, hint: hint)
  }

  private func isNothing(_ node: JSONNode) -> Bool {
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
  private mutating func refuseForeign(_ members: Members) {
    for key in ["Aliases", "CNAMEs"] {
      refuse(
        members[key], "\(path).\(key)", "this version serves no domains of your own",
        hint: "remove it, and let a proxy before the edge send Host: <name>.atoll.localhost")
    }
    if let certificate = members["ViewerCertificate"] {
      let isDefault = certificate["CloudFrontDefaultCertificate"]?.bool ?? false
      if !isDefault {
        refuse(
          certificate, "\(path).ViewerCertificate", "this version of atoll serves no certificates",
          hint: "remove ViewerCertificate, and end TLS before the edge")
      }
    }
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

  // MARK: Origins

  private mutating func readOrigins(_ node: JSONNode?) {
    let place = "\(path).Origins"
    if node == nil {
      reader.add(
        path, "\"Origins\" is missing",
        hint: "add \"Origins\": [{\"Id\": \"shop\", \"DomainName\": \"shop.example\"}]")
    }
    for (index, node) in items(node, place).enumerated() {
      readOrigin(node, "\(place)[\(index)]")
    }
  }

  private mutating func readOrigin(_ node: JSONNode, _ place: String) {
    let keys = [
      "Id", "DomainName", "OriginPath", "ConnectionAttempts", "ConnectionTimeout",
      "OriginCustomHeaders", "CustomHeaders", "CustomOriginConfig", "S3OriginConfig",
      "OriginShield", "OriginAccessControlId",
    ]
    guard let members = reader.object(node, place, keys: keys) else { return }
    for key in ["Id", "DomainName"] where members[key] == nil {
      reader.add(
        place, "\(quoted(key)) is missing",
        hint: "write {\"Id\": \"shop\", \"DomainName\": \"shop.example\"}")
    }
    refuse(
      members["OriginAccessControlId"], "\(place).OriginAccessControlId",
      "atoll signs no requests to buckets", hint: "remove it, and let the bucket be read openly")
    if let bucket = members["S3OriginConfig"] {
      refuse(
        bucket, "\(place).S3OriginConfig", "atoll signs no requests to buckets",
        hint: "leave OriginAccessIdentity empty, and let the bucket be read openly")
    }
    refuse(
      members["OriginShield"], "\(place).OriginShield",
      "there is no origin shield: edges ask the "
        + "origin themselves", hint: "remove it")
    let custom = readCustom(members, place)
    guard let id = reader.string(members["Id"], "\(place).Id", example: "shop"),
      let domain = reader.string(members["DomainName"], "\(place).DomainName", example: "a.example")
    else { return }
    let prefix =
      reader.string(members["OriginPath"], "\(place).OriginPath", example: "/app") ?? ""
    var url = "\(custom.scheme.rawValue)://\(domain)"
    if let port = custom.port, port != Int(custom.scheme.defaultPort) { url += ":\(port)" }
    do throws(ConfigError) {
      var origin = try Origin(url: url + prefix, place: reader.place("\(place).DomainName"))
      custom.edit(&origin)
      if let attempts = reader.integer(
        members["ConnectionAttempts"], "\(place).ConnectionAttempts", what: "a number of attempts",
        hint: "write 1, 2 or 3")
      {
        origin.connectAttempts = attempts
      }
      if let seconds = reader.seconds(
        members["ConnectionTimeout"], "\(place).ConnectionTimeout")
      {
        origin.connectTimeout = seconds
      }
      for key in ["OriginCustomHeaders", "CustomHeaders"] {
        for (index, node) in items(members[key], "\(place).\(key)").enumerated() {
          let place = "\(place).\(key)[\(index)]"
          guard let field = reader.object(node, place, keys: ["HeaderName", "HeaderValue"]) else {
            continue
          }
          let value = reader.string(field["HeaderValue"], "\(place).HeaderValue", example: "a")
          if let name = reader.string(field["HeaderName"], "\(place).HeaderName", example: "X-A") {
            origin.headers.append(HeaderField(name: name, value: value ?? ""))
          }
        }
      }
      origins.append((id, origin))
    } catch {
      reader.problems.add(error)
    }
  }

  private mutating func readCustom(_ members: Members, _ place: String) -> (
    scheme: Scheme, port: Int?, edit: Edit<Origin>
  ) {
    // A bucket is always reached over TLS.
    guard let node = members["CustomOriginConfig"] else {
      return (members["S3OriginConfig"] == nil ? .http : .https, nil, { _ in })
    }
    let place = "\(place).CustomOriginConfig"
    let keys = [
      "HTTPPort", "HTTPSPort", "OriginProtocolPolicy", "OriginReadTimeout",
      "OriginKeepaliveTimeout", "OriginSSLProtocols",
    ]
    guard let members = reader.object(node, place, keys: keys) else {
      return (.http, nil, { _ in })
    }
    var scheme = Scheme.http
    switch reader.string(
      members["OriginProtocolPolicy"], "\(place).OriginProtocolPolicy", example: "http-only")
    {
    case nil, "http-only": break
    case "https-only": scheme = .https
    case "match-viewer":
      reader.add(
        "\(place).OriginProtocolPolicy", "\"match-viewer\": an origin has one scheme",
        hint: "write \"http-only\" or \"https-only\"")
    case let other?:
      reader.add(
        "\(place).OriginProtocolPolicy", "unknown value \(quoted(other))",
        hint: "write \"http-only\" or \"https-only\"")
    }
    let key = scheme == .http ? "HTTPPort" : "HTTPSPort"
    let port = reader.integer(
      members[key], "\(place).\(key)", what: "a port", hint: "write 1 to 65535")
    let silence = reader.seconds(members["OriginReadTimeout"], "\(place).OriginReadTimeout")
    let idle = reader.seconds(
      members["OriginKeepaliveTimeout"], "\(place).OriginKeepaliveTimeout")
    return (
      scheme, port,
      { origin in
        origin.responseTimeout = silence ?? origin.responseTimeout
        origin.keepAliveTimeout = idle ?? origin.keepAliveTimeout
      }
    )
  }

  private mutating func readGroups(_ node: JSONNode?) {
    let place = "\(path).OriginGroups"
    for (index, node) in items(node, place).enumerated() {
      let place = "\(place)[\(index)]"
      let keys = ["Id", "FailoverCriteria", "Members"]
      guard let members = reader.object(node, place, keys: keys) else { continue }
      guard let id = reader.string(members["Id"], "\(place).Id", example: "both") else { continue }
      var group = OriginGroup(name: id, members: [], statuses: [])
      for (index, node) in items(members["Members"], "\(place).Members").enumerated() {
        let place = "\(place).Members[\(index)]"
        guard let member = reader.object(node, place, keys: ["OriginId"]),
          let id = reader.string(member["OriginId"], "\(place).OriginId", example: "shop")
        else { continue }
        group.members.append(id)
      }
      if let criteria = members["FailoverCriteria"],
        let inner = reader.object(criteria, "\(place).FailoverCriteria", keys: ["StatusCodes"])
      {
        let place = "\(place).FailoverCriteria.StatusCodes"
        for (index, node) in items(inner["StatusCodes"], place).enumerated() {
          let status = reader.integer(
            node, "\(place)[\(index)]", what: "a status", hint: "write it like 503")
          if let status { group.statuses.append(status) }
        }
      }
      groups.append(group)
    }
  }

  /// The default behavior's origin, or the first of its group, becomes the distribution's own.
  private mutating func chooseDefault(_ behavior: JSONNode) {
    guard let target = behavior["TargetOriginId"]?.text else { return }
    defaultID = groups.first { $0.name == target }?.members.first ?? target
    if let own = origins.first(where: { $0.id == defaultID })?.origin {
      draft.origin = own
      draft.originEdit = { origin in origin = own }
    }
    for index in groups.indices {
      groups[index].members = groups[index].members.map { $0 == defaultID ? "default" : $0 }
    }
  }

  // MARK: Behaviors

  private mutating func readBehaviors(_ node: JSONNode?) {
    let place = "\(path).CacheBehaviors"
    draft.behaviors = []
    for (index, node) in items(node, place).enumerated() {
      let place = "\(place)[\(index)]"
      guard let (caching, settings) = readBehavior(node, place, isDefault: false) else { continue }
      guard
        let pattern = reader.string(node["PathPattern"], "\(place).PathPattern", example: "/img/*")
      else {
        if node["PathPattern"] == nil {
          reader.add(place, "\"PathPattern\" is missing", hint: "write \"PathPattern\": \"/img/*\"")
        }
        continue
      }
      draft.behaviors?.append(.init(path: pattern, caching: caching, settings: settings))
      draft.places["behaviors[\(draft.behaviors!.count - 1)]"] = "CacheBehaviors[\(index)]"
    }
  }

  /// Every setting is given: behaviors of CloudFront's inherit nothing.
  private mutating func readBehavior(
    _ node: JSONNode, _ place: String, isDefault: Bool
  ) -> (Caching, SettingsDraft)? {
    let keys =
      [
        "TargetOriginId", "ViewerProtocolPolicy", "AllowedMethods", "CachedMethods", "Compress",
        "CachePolicyId", "OriginRequestPolicyId", "ResponseHeadersPolicyId", "ForwardedValues",
        "MinTTL", "DefaultTTL", "MaxTTL", "SmoothStreaming", "FieldLevelEncryptionId",
        "TrustedSigners", "TrustedKeyGroups", "LambdaFunctionAssociations",
        "FunctionAssociations", "RealtimeLogConfigArn",
      ] + (isDefault ? [] : ["PathPattern"])
    guard let members = reader.object(node, place, keys: keys) else { return nil }
    refuseUnknown(members, place)
    var policy = CachePolicy()
    if let id = reader.string(
      members["CachePolicyId"], "\(place).CachePolicyId", example: CachePolicy.optimizedID)
    {
      guard let managed = CachePolicy.managed(id) else {
        unknownPolicy(
          "\(place).CachePolicyId", id, hint: "ForwardedValues, MinTTL, DefaultTTL and MaxTTL")
        return nil
      }
      policy = managed
    } else {
      readForwarded(members["ForwardedValues"], "\(place).ForwardedValues", &policy)
      policy.minimum = reader.seconds(members["MinTTL"], "\(place).MinTTL") ?? 0
      policy.standard = reader.seconds(members["DefaultTTL"], "\(place).DefaultTTL") ?? TTL.day
      policy.maximum = reader.seconds(members["MaxTTL"], "\(place).MaxTTL") ?? TTL.year
    }
    if let id = reader.string(
      members["OriginRequestPolicyId"], "\(place).OriginRequestPolicyId",
      example: "216adef6-5c7f-47e4-b989-5492eafa07d3")
    {
      guard let managed = OriginRequestSettings(managed: id) else {
        unknownPolicy("\(place).OriginRequestPolicyId", id, hint: "a managed policy")
        return nil
      }
      policy.request = managed
    }
    var headers = ResponseHeaderSettings()
    if let id = reader.string(
      members["ResponseHeadersPolicyId"], "\(place).ResponseHeadersPolicyId",
      example: "67f7725c-6f97-4210-82d7-5512b31e9d03")
    {
      guard let managed = ResponseHeaderSettings(managed: id) else {
        unknownPolicy("\(place).ResponseHeadersPolicyId", id, hint: "a managed policy")
        return nil
      }
      headers = managed
    }
    let compresses = reader.bool(members["Compress"], "\(place).Compress") ?? false
    var settings = SettingsDraft()
    let ttl = TTL(
      minimum: policy.minimum, default: max(policy.minimum, policy.standard),
      maximum: max(policy.maximum, policy.standard, policy.minimum))
    settings.set("ttl", \.ttl, ttl)
    readMethods(members, place, &settings)
    settings.set("forwardedHeaders", \.forwardedHeaders, policy.headers)
    settings.set("forwardedCookies", \.forwardedCookies, policy.cookies)
    settings.set("forwardedQueryStrings", \.forwardedQueryStrings, policy.queries)
    settings.set("key", \.key, KeySettings(codings: policy.codings))
    settings.set("originRequest", \.originRequest, policy.request)
    if let target = origin(members["TargetOriginId"], place, isDefault: isDefault) {
      settings.set("origin", \.origin, .some(target))
    }
    settings.set(
      "compression", \.compression,
      CompressionSettings(codings: compresses ? policy.codings : []))
    settings.set(
      "viewerProtocol", \.viewerProtocol,
      reader.choice(
        members["ViewerProtocolPolicy"], "\(place).ViewerProtocolPolicy", ViewerProtocol.self))
    settings.set("responseHeaders", \.responseHeaders, headers)
    return (policy.isDisabled ? .dontCache : .cache, settings)
  }

  private mutating func refuseUnknown(_ members: Members, _ place: String) {
    let reasons = [
      "SmoothStreaming": "there is no Smooth Streaming",
      "FieldLevelEncryptionId": "there is no field-level encryption",
      "TrustedSigners": "there are no signed URLs", "TrustedKeyGroups": "there are no signed URLs",
      "LambdaFunctionAssociations": "there are no functions at the edge",
      "FunctionAssociations": "there are no functions at the edge",
      "RealtimeLogConfigArn": "there are no real-time logs: see --access-log of atoll serve",
    ]
    for (key, reason) in reasons.sorted(by: { $0.key < $1.key }) {
      refuse(members[key], "\(place).\(key)", reason, hint: "remove it")
    }
  }

  private mutating func unknownPolicy(_ place: String, _ id: String, hint: String) {
    reader.add(
      place, "\(quoted(id)) is no managed policy",
      hint: "write \(hint): policies of an account are not in the file")
  }

  private mutating func origin(
    _ node: JSONNode?, _ place: String, isDefault: Bool
  ) -> String? {
    guard let node else {
      reader.add(
        place, "\"TargetOriginId\" is missing", hint: "write the \"Id\" of an origin or group there"
      )
      return nil
    }
    guard let id = reader.string(node, "\(place).TargetOriginId", example: "shop") else {
      return nil
    }
    if !origins.contains(where: { $0.id == id }) && !groups.contains(where: { $0.name == id }) {
      let names = origins.map(\.id) + groups.map(\.name)
      reader.add(
        "\(place).TargetOriginId", "there is no origin or group \(quoted(id))",
        hint: nearestName(to: id, among: names).map { "did you mean \(quoted($0))?" }
          ?? "add it to Origins")
      return nil
    }
    // The distribution's own goes without saying.
    return id == defaultID ? (isDefault ? nil : "default") : id
  }

  private mutating func readMethods(
    _ members: Members, _ place: String, _ settings: inout SettingsDraft
  ) {
    var allowed = members["AllowedMethods"]
    var cached = members["CachedMethods"]
    // The command line nests one in the other.
    if let node = allowed, case .object = node.value {
      cached = node["CachedMethods"]?["Items"] ?? cached
      allowed = node["Items"]
    }
    settings.set(
      "allowedMethods", \.allowedMethods,
      allowed == nil
        ? .getHead
        : reader.methods(
          allowed, "\(place).AllowedMethods", choices: MethodSet.allCases.map(\.rawValue)
        ).flatMap(MethodSet.init))
    let choices = [
      DistributionFile.cachedMethods(false).rawValue, DistributionFile.cachedMethods(true).rawValue,
    ]
    settings.set(
      "cachedMethods", \.cachesOptions,
      cached == nil
        ? false
        : reader.methods(cached, "\(place).CachedMethods", choices: choices).map {
          $0 == choices[1]
        })
  }

  private mutating func readForwarded(
    _ node: JSONNode?, _ place: String, _ policy: inout CachePolicy
  ) {
    guard let node else { return }
    let keys = ["QueryString", "QueryStringCacheKeys", "Cookies", "Headers"]
    guard let members = reader.object(node, place, keys: keys) else { return }
    let keyed = texts(members["QueryStringCacheKeys"], "\(place).QueryStringCacheKeys")
    if reader.bool(members["QueryString"], "\(place).QueryString") ?? false {
      policy.queries = keyed.isEmpty ? .all : .listed(keyed)
      // All are forwarded, those listed are keyed.
      if !keyed.isEmpty { policy.request.queryStrings = .all }
    }
    let headers = texts(members["Headers"], "\(place).Headers")
    if headers == ["*"] {
      policy.headers = .all
      policy.isDisabled = true
    } else if !headers.isEmpty {
      policy.headers = .listed(headers)
    }
    guard let cookies = members["Cookies"],
      let inner = reader.object(cookies, "\(place).Cookies", keys: ["Forward", "WhitelistedNames"])
    else { return }
    let names = texts(inner["WhitelistedNames"], "\(place).Cookies.WhitelistedNames")
    switch reader.string(inner["Forward"], "\(place).Cookies.Forward", example: "none") {
    case nil, "none": break
    case "all": policy.cookies = .all
    case "whitelist": policy.cookies = .listed(names)
    case let other?:
      reader.add(
        "\(place).Cookies.Forward", "unknown value \(quoted(other))",
        hint: "write \"none\", \"whitelist\" or \"all\"")
    }
  }

  // MARK: Errors and countries

  private mutating func readErrors(_ node: JSONNode?) {
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

  private mutating func readRestrictions(_ node: JSONNode?) {
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

/// What a cache policy, or ForwardedValues with the lifetimes beside it, decides (CloudFront §6, §23).
private struct CachePolicy {
  var minimum = 0
  var standard = TTL.day
  var maximum = TTL.year
  var headers = NameSelection.none
  var cookies = NameSelection.none
  var queries = NameSelection.none
  var codings: CodingSet = .gzip
  var request = OriginRequestSettings()
  var isDisabled = false

  static let optimizedID = "658327ea-f89d-4fab-a63d-7e88639e58f6"

  static func managed(_ id: String) -> CachePolicy? {
    switch id {
    case optimizedID: CachePolicy(minimum: 1, codings: [.gzip, .brotli])
    case "b2884449-e4de-46a7-ac36-70bc7f1ddd6d": CachePolicy(minimum: 1, codings: [])
    case "4135ea2d-6df8-44a3-9df3-4b5a84be39ad": CachePolicy(codings: [], isDisabled: true)
    case "2e54312d-136d-493c-8eb9-b001f22f67d2":
      CachePolicy(
        minimum: 2, standard: 2, maximum: 600,
        headers: .listed(["Authorization", "CloudFront-Viewer-Country", "Host"]), cookies: .all,
        queries: .all, codings: [.gzip, .brotli])
    case "08627262-05a9-4f76-9ded-b50ca2e3a84f":
      CachePolicy(
        headers: .listed(["Origin"]),
        queries: .listed(["aws.manifestfilter", "start", "end", "m"]), codings: .gzip)
    default: nil
    }
  }
}

extension OriginRequestSettings {
  /// CloudFront §23.
  fileprivate init?(managed id: String) {
    let cors = ["Origin", "Access-Control-Request-Headers", "Access-Control-Request-Method"]
    switch id {
    case "216adef6-5c7f-47e4-b989-5492eafa07d3":
      self.init(headers: .all, cookies: .all, queryStrings: .all)
    case "b689b0a8-53d0-40ab-baf2-68738e2966ac":
      self.init(headers: .allExcept(["Host"]), cookies: .all, queryStrings: .all)
    case "59781a5b-3903-41f3-afcb-af62929ccde1": self.init(headers: .listed(["Origin"]))
    case "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf": self.init(headers: .listed(cors))
    case "775133bc-15f2-49f9-abea-afb2e0bf67d2":
      self.init(
        headers: .listed(cors + ["User-Agent", "X-Forwarded-For"]), queryStrings: .all)
    case "acba4595-bd28-49b8-b9fe-13317c0390fa":
      self.init(headers: .listed(["User-Agent", "Referer"]))
    default: return nil
    }
  }
}

extension ResponseHeaderSettings {
  /// CloudFront §23.
  fileprivate init?(managed id: String) {
    let simple = CORSSettings(overridesOrigin: false)
    let preflight = CORSSettings(
      methods: ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"],
      exposedHeaders: ["*"], overridesOrigin: false)
    switch id {
    case "60669652-455b-4ae9-85a4-c4c02393f86c": self.init(cors: simple)
    case "5cc3b908-e619-4b99-88e5-2cf7f45965bd": self.init(cors: preflight)
    case "67f7725c-6f97-4210-82d7-5512b31e9d03": self.init(security: .standard)
    case "e61eb60c-9c35-4d20-a928-2b84e02af89c": self.init(cors: simple, security: .standard)
    case "eaab4381-ed33-4a86-88ca-d9558dc6cd63": self.init(cors: preflight, security: .standard)
    default: return nil
    }
  }
}
