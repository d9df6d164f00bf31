// SPDX-License-Identifier: Apache-2.0

extension CloudFrontForm {
  mutating func readBehaviors(_ node: JSONNode?) {
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
  mutating func readBehavior(
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

  mutating func refuseUnknown(_ members: Members, _ place: String) {
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

  mutating func unknownPolicy(_ place: String, _ id: String, hint: String) {
    reader.add(
      place, "\(quoted(id)) is no managed policy",
      hint: "write \(hint): policies of an account are not in the file")
  }

  mutating func origin(
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

  mutating func readMethods(
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

  mutating func readForwarded(
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
}
