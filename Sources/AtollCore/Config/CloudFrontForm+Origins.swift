// SPDX-License-Identifier: Apache-2.0

extension CloudFrontForm {
  mutating func readOrigins(_ node: JSONNode?) {
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

  mutating func readOrigin(_ node: JSONNode, _ place: String) {
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

  mutating func readCustom(_ members: Members, _ place: String) -> (
    scheme: Scheme, port: Int?, edit: Edit<Origin>
  ) {
    // A bucket is always reached over TLS.
    guard let node = members["CustomOriginConfig"] else {
      return (members["S3OriginConfig"] == nil ? .http : .https, nil, { _ in })
    }
    let place = "\(place).CustomOriginConfig"
    let keys = [
      "HTTPPort", "HTTPSPort", "OriginProtocolPolicy", "OriginReadTimeout",
      "OriginKeepaliveTimeout", "OriginSSLProtocols", "OriginSslProtocols",
    ]
    guard let members = reader.object(node, place, keys: keys) else {
      return (.http, nil, { _ in })
    }
    var scheme = Scheme.http
    var matchesViewer = false
    switch reader.string(
      members["OriginProtocolPolicy"], "\(place).OriginProtocolPolicy", example: "http-only")
    {
    case nil, "http-only": break
    case "https-only": scheme = .https
    case "match-viewer": matchesViewer = true
    case let other?:
      reader.add(
        "\(place).OriginProtocolPolicy", "unknown value \(quoted(other))",
        hint: "write \"http-only\", \"https-only\" or \"match-viewer\"")
    }
    // CloudFormation's spelling, and the API's.
    for key in ["OriginSSLProtocols", "OriginSslProtocols"] {
      readProtocols(members[key], "\(place).\(key)")
    }
    var otherPort: Int?
    if matchesViewer {
      otherPort =
        reader.integer(
          members["HTTPSPort"], "\(place).HTTPSPort", what: "a port", hint: "write 1 to 65535")
        ?? 443
    }
    let httpsPort = otherPort
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
        origin.httpsPort = httpsPort
      }
    )
  }

  /// CloudFront's list of versions: the newest of them is what counts, since older ones than 1.2 are
  /// spoken by nobody here.
  private mutating func readProtocols(_ node: JSONNode?, _ place: String) {
    guard node != nil else { return }
    var versions: [String] = []
    for (index, node) in items(node, place).enumerated() {
      guard let version = reader.string(node, "\(place)[\(index)]", example: "TLSv1.2") else {
        continue
      }
      if !["SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2"].contains(version) {
        reader.add(
          "\(place)[\(index)]", "unknown value \(quoted(version))", hint: "write \"TLSv1.2\"")
      }
      versions.append(version)
    }
    if !versions.isEmpty && !versions.contains("TLSv1.2") {
      reader.add(
        place, "only versions of TLS before 1.2, which atoll does not speak",
        hint: "add \"TLSv1.2\", and let the origin speak it")
    }
  }

  mutating func readGroups(_ node: JSONNode?) {
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
  mutating func chooseDefault(_ behavior: JSONNode) {
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
}
