// SPDX-License-Identifier: Apache-2.0

extension Distribution {
  /// What a file says beside name, dates, preset, origin, behaviors and settings, in its order;
  /// `defaultBehavior` stands between these.
  static let table: [Member<Distribution>] = [
    Member(
      "enabled", \.isEnabled, .bool, noun: "state", isQuiet: false, default: "true",
      example: "false", sentence: { $0 ? "enable it" : "disable it" },
      "Whether it is served; else its viewers get 403."),
    Member(
      "plan", \.plan, .choice(Plan.self), noun: "plan", isQuiet: false, default: "unlimited",
      example: #""small""#,
      "Monthly transfer, 50, 200 or 500 GB: the edge warns at 80 and 100 percent."),
    Member(
      "tags", \.tags, .tags, noun: "tags", isQuiet: false, default: "none",
      example: #"{"team": "web"}"#, "Labels for people."),
    Member(
      "ipAddressType", \.ipAddressType,
      .optional(.choice(IPAddressType.self), from: .dualstack), noun: "address type",
      default: "null", example: #""dualstack""#,
      "Kept for those who read it: what an edge listens on is its own option."),
    Member(
      "domains", \.domains, .domains, noun: "domains", default: "none",
      example: #"{"www.shop.example": ["shop"], "*.shop.example": []}"#,
      "Domains that it answers for beside its own, each with the certificates that are meant for "
        + "it, none for any that covers it; what is named anew has to be there and to cover it. A "
        + "domain belongs to one distribution; *. at its start stands for all below, and the most "
        + "specific wins. A file that leaves this key out leaves the domains attached; what a file "
        + "drops answers 403 from then on."),
    Member(
      "detachedDomains", \.detachedDomains,
      .texts(
        "list of domains", example: "old.shop.example", most: ConfigLimits.detachedDomains,
        range: "at most \(ConfigLimits.detachedDomains)", flaw: domainFlaw),
      noun: "detached domains", default: "none", example: #"["old.shop.example"]"#,
      "Domains that were detached, whose viewers get 403 unless another distribution has them."),
    Member(
      "origins", \.origins, .origins, noun: "origins", default: "none",
      example: #"{"images": "http://10.0.0.9:9000"}"#,
      "Further origins by name, each a URL or an object as origin is."),
    Member(
      "originGroups", \.originGroups,
      .originGroups.listing([
        ManualEntry(
          key: ManualEntry.anyName, kind: "object", default: "none",
          example: #"{"members": ["default", "spare"], "statuses": [404, 503]}"#,
          summary: "A group; its name is none of an origin.",
          members: [
            ManualEntry(
              key: "members", kind: "list of names",
              range: "2 to \(ConfigLimits.groupMembers)", default: "required",
              example: #"["default", "spare"]"#,
              summary: "Origins in the order of asking, default among them."),
            ManualEntry(
              key: "statuses", kind: "list of numbers",
              range: listed(OriginGroup.statuses.map { String($0) }, "and"),
              default: "[500, 502, 503, 504]", example: "[404, 503]",
              summary: "Statuses on which the next one is asked."),
          ])
      ]), noun: "origin groups", default: "none",
      example: #"{"both": {"members": ["default", "spare"]}}"#,
      "Origins that are asked one after the other, for GET, HEAD and OPTIONS: on failing to connect, "
        + "on a timeout and on the statuses listed."),
    Member(
      "rootObject", \.rootObject,
      .optional(.text("path", example: "index.html", flaw: rootObjectFlaw), from: ""),
      noun: "root object", default: "null; index.html in preset spa", example: #""index.html""#,
      "Served for / alone."),
    Member(
      "indexDocument", \.indexDocument,
      .optional(.text("name", example: "index.html", flaw: indexDocumentFlaw), from: ""),
      noun: "index document", default: "null", example: #""index.html""#,
      "Appended to paths below the root that end in /."),
    Member(
      "errors", \.errors, ErrorSettings.form, noun: "errors", default: "by preset",
      example: #"{"minimumTTL": 10}"#, "What becomes of errors."),
    Member(
      "trustedProxies", \.trustedProxies,
      .texts(
        "list of addresses", example: "10.0.0.0/8", most: 256, range: "at most 256",
        flaw: networkFlaw),
      noun: "trusted proxies", default: "none", example: #"["10.0.0.0/8"]"#,
      "Addresses and networks whose X-Forwarded-For and X-Forwarded-Proto are believed."),
    Member(
      "geoRestriction", \.geoRestriction,
      .geoRestriction.listing([
        ManualEntry(
          key: "allow", kind: "list of countries", default: "none", example: #"["DE", "AT"]"#,
          summary: "These alone are served."),
        ManualEntry(
          key: "block", kind: "list of countries", default: "none", example: #"["KP"]"#,
          summary: "These are refused."),
      ]), noun: "countries", default: "none",
      example: #"{"block": ["KP"]}"#,
      "Who may see it, by the country of the viewer's address (ISO 3166-1); others get 403. A "
        + "country that is not known is served."),
  ]
}

extension ValueForm where Value == [Tag] {
  static let tags = ValueForm(
    kind: "object of texts", range: "at most \(ConfigLimits.tags)",
    value: { node, path, reader in
      guard let list = reader.object(node, path, example: "{\"team\": \"web\"}")
      else { return nil }
      return list.compactMap { member in
        reader.string(member.node, "\(path).\(member.key)", example: "web")
          .map { Tag(key: member.key, value: $0) }
      }
    },
    write: { tags, writer in
      writer.object { writer in for tag in tags { writer.member(tag.key, tag.value) } }
    }, check: { checkTags($0, &$2) },
    words: { tags in
      tags.isEmpty ? "none" : tags.map { "\($0.key)=\($0.value)" }.joined(separator: ", ")
    })
}

extension ValueForm where Value == [NamedOrigin] {
  static let origins = ValueForm(
    kind: "object of origins", range: "at most \(ConfigLimits.origins)",
    value: { node, path, reader in
      guard let list = reader.object(node, path, example: "{\"images\": \"http://10.0.0.9:9000\"}")
      else { return nil }
      var origins: [NamedOrigin] = []
      for member in list {
        let place = "\(path).\(member.key)"
        let count = reader.problems.problems.count
        let (address, edit) = DistributionFile.readOrigin(member.node, place, &reader)
        guard var origin = address else {
          if reader.problems.problems.count == count {
            reader.add(
              place, "\"url\" is missing", hint: "write {\"url\": \"http://10.0.0.9:9000\"}")
          }
          continue
        }
        edit(&origin)
        origins.append(NamedOrigin(name: member.key, origin: origin))
      }
      return origins
    },
    write: { origins, writer in
      writer.object { writer in
        for named in origins {
          writer.member(named.name) {
            DistributionFile.write(named.origin, isBrief: true, to: &$0)
          }
        }
      }
    },
    check: { origins, path, problems in
      if origins.count > ConfigLimits.origins {
        problems.add(
          path, "there are \(origins.count) origins",
          hint: "keep at most \(ConfigLimits.origins)")
      }
      for (index, named) in origins.enumerated() {
        if let flaw = originNameFlaw(named.name) {
          problems.add(path, "\(quoted(named.name)) \(flaw.what)", hint: flaw.hint)
        } else if origins[..<index].contains(where: { $0.name == named.name }) {
          problems.add(
            path, "\(quoted(named.name)) occurs twice", hint: "give each origin its own name")
        }
        checkOrigin(named.origin, "\(path).\(named.name)", &problems)
      }
    },
    words: { origins in
      origins.isEmpty
        ? "none" : origins.map { "\($0.name) \($0.origin.url)" }.joined(separator: ", ")
    })
}

extension OriginGroup {
  /// CloudFront's, and 429.
  package static let statuses = [400, 403, 404, 416, 429, 500, 502, 503, 504]
}

extension ValueForm where Value == [OriginGroup] {
  static let originGroups = ValueForm(
    kind: "object of {members, statuses}", range: "at most \(ConfigLimits.originGroups)",
    value: { node, path, reader in
      guard
        let list = reader.object(
          node, path, example: "{\"both\": {\"members\": [\"default\", \"spare\"]}}")
      else { return nil }
      var groups: [OriginGroup] = []
      for member in list {
        let place = "\(path).\(member.key)"
        guard let members = reader.object(member.node, place, keys: ["members", "statuses"]) else {
          continue
        }
        if members["members"] == nil {
          reader.add(
            place, "\"members\" is missing", hint: "write {\"members\": [\"default\", \"spare\"]}")
        }
        let names = reader.strings(members["members"], "\(place).members", example: "spare")
        var group = OriginGroup(name: member.key, members: names ?? [])
        if let nodes = reader.array(members["statuses"], "\(place).statuses") {
          group.statuses = []
          for (index, node) in nodes.enumerated() {
            let status = reader.integer(
              node, "\(place).statuses[\(index)]", what: "a status", hint: "write it like 503")
            if let status { group.statuses.append(status) }
          }
        }
        groups.append(group)
      }
      return groups
    },
    write: { groups, writer in
      writer.object { writer in
        for group in groups {
          writer.member(group.name) { writer in
            writer.object { writer in
              writer.member("members", group.members)
              writer.member("statuses") { writer in
                writer.array { writer in
                  for status in group.statuses { writer.element { $0.integer(status) } }
                }
              }
            }
          }
        }
      }
    },
    words: { groups in
      groups.isEmpty
        ? "none"
        : groups.map { "\($0.name) (\($0.words))" }.joined(separator: ", ")
    })
}

extension OriginGroup {
  /// `default, spare on 500, 502`.
  package var words: String {
    let list = members.joined(separator: ", ")
    if statuses.isEmpty { return list }
    return "\(list) on \(statuses.map { String($0) }.joined(separator: ", "))"
  }
}

extension ValueForm where Value == GeoRestriction {
  static let geoRestriction = ValueForm(
    kind: "\"none\", {\"allow\": [ … ]} or {\"block\": [ … ]}",
    value: { node, path, reader in
      if node.value == .string("none") || node.value == .null { return GeoRestriction.none }
      guard let members = reader.object(node, path, keys: ["allow", "block"]) else { return nil }
      if members["allow"] != nil && members["block"] != nil {
        reader.add(path, "\"allow\" and \"block\" stand together", hint: "keep one of the two")
        return nil
      }
      if let list = reader.strings(members["allow"], "\(path).allow", example: "DE") {
        return .allow(list)
      }
      guard let list = reader.strings(members["block"], "\(path).block", example: "KP") else {
        return members.list.isEmpty ? GeoRestriction.none : nil
      }
      return .block(list)
    },
    write: { value, writer in
      switch value {
      case .none: writer.string("none")
      case .allow(let list): writer.object { $0.member("allow", list) }
      case .block(let list): writer.object { $0.member("block", list) }
      }
    },
    check: { value, path, problems in
      switch value {
      case .none: return
      case .allow(let list), .block(let list):
        if list.isEmpty {
          problems.add(path, "the list is empty", hint: "name a country, or write \"none\"")
        }
        checkList(list, path, most: 300, fold: { $0 }, flaw: countryFlaw, &problems)
      }
    },
    words: { value in
      switch value {
      case .none: "all"
      case .allow(let list): "only " + list.joined(separator: ", ")
      case .block(let list): "all but " + list.joined(separator: ", ")
      }
    })
}
