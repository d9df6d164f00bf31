// SPDX-License-Identifier: Apache-2.0

extension Origin {
  /// An origin's defaults, whatever its address.
  static let plain = Origin(scheme: .http, host: "", port: 80)

  /// All but the address, which `readOrigin` takes.
  static let form = ValueForm<Origin>.object(
    [
      Member(
        "targets", \.targets, .targets, noun: "targets", default: "none",
        example: #"["http://10.0.0.8:3000"]"#,
        "Further hosts that share the load with the URL's, as URLs of the same scheme without a path."
      ),
      Member(
        "httpsPort", \.httpsPort, .optional(.integer(1...65_535, "port"), from: 443, none: "none"),
        noun: "HTTPS port", default: "null", example: "443",
        "With it an http:// origin is asked the way its viewer came (match-viewer): over HTTP at the "
          + "URL's port, over HTTPS at this one; null asks it as the URL says."),
      Member(
        "tls", \.tls, OriginTLS.form, noun: "TLS", default: "as below",
        example: #"{"ca": "/etc/atoll/origin-ca.pem"}"#,
        "How the origin is reached over HTTPS; its certificate has to be valid, from an authority "
          + "that this system trusts, and for the host that is asked."),
      Member(
        "balance", \.balance, .choice(Balance.self), noun: "balance", default: "round-robin",
        example: #""least-connections""#,
        "Which target gets the next request: each in turn, the one with the fewest requests under "
          + "way, or by the hash of the cache key always the same one for a URL."),
      Member(
        "sticky", \.sticky, .optional(StickySession.form, from: StickySession()),
        noun: "sticky sessions", default: "null", example: #"{"cookie": "target"}"#,
        "Keeps a viewer at one target by a cookie."),
      Member(
        "ejection", \.ejection, Ejection.form, noun: "ejection", default: "as below",
        example: #"{"failures": 3, "duration": 60}"#,
        "When a target that fails (refused, timed out, broken off, 502 to 504) is left alone."),
      Member(
        "healthCheck", \.healthCheck, .optional(HealthCheck.form, from: HealthCheck()),
        noun: "health check", default: "null", example: #"{"path": "/healthz"}"#,
        "A GET to each target now and then; null judges targets by the requests they get alone."),
      Member(
        "hostHeader", \.hostHeader, .hostHeader, noun: "Host header", default: #""origin""#,
        example: #""www.shop.example""#,
        "What Host tells the origin: its own name, the viewer's (which is then part of the key), or "
          + "a name."),
      Member(
        "headers", \.headers, .originHeaders, noun: "headers", default: "none",
        example: #"{"X-Secret": "…"}"#,
        "Header fields that every request carries, in place of the viewer's of these names."),
      Member(
        "connectTimeout", \.connectTimeout, .seconds(1...10), noun: "connect timeout",
        isQuiet: false, default: "10", example: "3", "How long one attempt to connect may take."),
      Member(
        "connectAttempts", \.connectAttempts, .integer(1...3, "attempts"),
        noun: "connect attempts", isQuiet: false, default: "3", example: "2",
        "How often a connection is tried, and a GET or HEAD that got no answer."),
      Member(
        "responseTimeout", \.responseTimeout, .seconds(1...120), noun: "response timeout",
        isQuiet: false, default: "30", example: "60",
        "How long the origin may be silent, before its response and within it."),
      Member(
        "keepAliveTimeout", \.keepAliveTimeout, .seconds(1...120), noun: "keep-alive timeout",
        isQuiet: false, default: "5", example: "60", "How long an idle connection is kept."),
      Member(
        "label", \.label, .optional(.text("text", example: "my-instance"), from: ""),
        noun: "label", default: "null", example: #""my-instance""#, "For people."),
      Member(
        "region", \.region, .optional(.text("text", example: "us-east-1"), from: ""),
        noun: "region", default: "null", example: #""us-east-1""#, "For people."),
    ], check: checkHeaders)

  @Sendable private static func checkHeaders(
    _ origin: Origin, _ place: String, _ problems: inout ProblemList
  ) {
    let all = origin.allTargets
    if origin.httpsPort != nil && origin.scheme == .https {
      problems.add(
        "\(place).httpsPort", "the origin's URL is https already",
        hint: "write an http:// URL with the port for HTTP, or remove \"httpsPort\"")
    }
    for (index, target) in all.enumerated() where all[..<index].contains(target) {
      problems.add(
        "\(place).targets", "\(quoted(origin.url(of: target))) occurs twice",
        hint: "remove one of the two")
    }
  }

  /// The URL of a target, without the origin's path.
  package func url(of target: OriginTarget) -> String {
    Origin(scheme: scheme, host: target.host, port: target.port).url
  }
}

extension ValueForm where Value == [OriginTarget] {
  static let targets = ValueForm(
    kind: "list of URLs", range: "at most \(ConfigLimits.targets)",
    value: { node, path, reader in
      guard let urls = reader.strings(node, path, example: "http://10.0.0.8:3000") else {
        return nil
      }
      var targets: [OriginTarget] = []
      for (index, url) in urls.enumerated() {
        do throws(ConfigError) {
          let origin = try Origin(url: url, place: reader.place("\(path)[\(index)]"))
          if !origin.path.isEmpty {
            reader.add(
              "\(path)[\(index)]", "\(quoted(url)) has a path",
              hint: "end it with the host or its port: the path of \"url\" is put before all")
          }
          targets.append(OriginTarget(host: origin.host, port: origin.port))
        } catch {
          reader.problems.add(error)
        }
      }
      return targets
    },
    // `writeOrigin` knows the scheme.
    write: { targets, writer in
      writeTexts(targets.map { Origin.plain.url(of: $0) }, &writer)
    },
    check: { targets, path, problems in
      if targets.count > ConfigLimits.targets {
        problems.add(
          path, "there are \(targets.count) targets",
          hint: "keep at most \(ConfigLimits.targets)")
      }
      for target in targets {
        if let flaw = hostFlaw(target.host) {
          problems.add(
            path, "\(quoted(target.host)) \(flaw)", hint: "write a URL such as http://10.0.0.8:3000"
          )
        }
        if target.port == 0 {
          problems.add(path, "the port is 0", hint: "write a port from 1 to 65535")
        }
      }
    },
    words: { targets in
      targets.isEmpty ? "none" : targets.map(\.text).joined(separator: ", ")
    })
}

extension OriginTarget {
  /// `host:port`, an IPv6 address in brackets.
  package var text: String {
    host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
  }
}

extension OriginTLS {
  static let form = ValueForm<OriginTLS>.object(
    usual: OriginTLS(),
    [
      Member(
        "verify", \.verify, .bool, noun: "verification of the certificate", default: "true",
        example: "false",
        "Whether the origin's certificate is verified; false takes any, and anyone on the way can "
          + "read and change what passes: the edge warns at every start."),
      Member(
        "ca", \.ca,
        .optional(
          .text("path", example: "/etc/atoll/origin-ca.pem", flaw: namedFileFlaw), from: "",
          none: "the system's"),
        noun: "trusted authorities", default: "null", example: #""/etc/atoll/origin-ca.pem""#,
        "A PEM file of the authorities to trust, or of the origin's own certificate, on each edge; "
          + "null trusts those of the system."),
      Member(
        "minimumVersion", \.minimumVersion, .choice(TLSVersion.self), noun: "oldest TLS version",
        default: #""TLSv1.2""#, example: #""TLSv1.3""#, "The oldest version of TLS that will do."),
      Member(
        "serverName", \.serverName,
        .optional(
          .text("name", example: "www.shop.example") { name in
            hostFlaw(name).map { ($0, "write a name such as www.shop.example") }
          }, from: "", none: "the origin's own"),
        noun: "server name", default: "null", example: #""www.shop.example""#,
        "The name that is asked for (SNI) and that the certificate has to be for; null is what "
          + "\"hostHeader\" names, else the host of the URL or target."),
      Member(
        "certificate", \.certificate,
        .optional(.text("path", example: "/etc/atoll/client.pem", flaw: namedFileFlaw), from: ""),
        noun: "client certificate", default: "null", example: #""/etc/atoll/client.pem""#,
        "A PEM file, the leaf first, that proves to the origin who asks; with \"key\"."),
      Member(
        "key", \.key,
        .optional(.text("path", example: "/etc/atoll/client.key", flaw: namedFileFlaw), from: ""),
        noun: "key of the client certificate", default: "null",
        example: #""/etc/atoll/client.key""#,
        "The PEM file of its key, not encrypted and readable by the edge alone."),
    ],
    check: { tls, place, problems in
      if (tls.certificate == nil) != (tls.key == nil) {
        let missing = tls.key == nil ? "key" : "certificate"
        problems.add(
          place, "\"\(missing)\" is missing beside \"\(tls.key == nil ? "certificate" : "key")\"",
          hint: "name the files of both, or of none")
      }
    })
}

extension StickySession {
  static let form = ValueForm<StickySession>.object(
    usual: StickySession(),
    [
      Member(
        "cookie", \.cookie,
        .text("name", example: "atoll-target") { name in
          isToken(name.utf8)
            ? nil : ("is no cookie name", "write a name such as atoll-target")
        }, noun: "cookie of sticky sessions", default: #""atoll-target""#, example: #""target""#,
        "The name of the cookie."),
      Member(
        "duration", \.duration, .seconds(1...TTL.year), noun: "duration of sticky sessions",
        default: "86400", example: "3600", "How long the cookie lasts."),
    ])
}

extension Ejection {
  static let form = ValueForm<Ejection>.object(
    usual: Ejection(),
    [
      Member(
        "failures", \.failures, .integer(0...100, "failures"), noun: "failures until ejection",
        default: "5", example: "3", "Failures in a row that eject a target; 0 never does."),
      Member(
        "duration", \.duration, .seconds(1...3_600), noun: "duration of ejection", default: "30",
        example: "60", "How long until one request tries it again."),
    ])
}

extension HealthCheck {
  static let form = ValueForm<HealthCheck>.object(
    usual: HealthCheck(),
    [
      Member(
        "path", \.path, .text("path", example: "/healthz", flaw: pagePathFlaw),
        noun: "path of the health check", default: #""/""#, example: #""/healthz""#,
        "What is asked for; the origin's own path is not put before it."),
      Member(
        "interval", \.interval, .seconds(1...3_600), noun: "interval of the health check",
        default: "10", example: "30", "Time between two checks of one target."),
      Member(
        "timeout", \.timeout, .seconds(1...60), noun: "timeout of the health check", default: "5",
        example: "2", "After which a check has failed."),
      Member(
        "unhealthyThreshold", \.unhealthyThreshold, .integer(1...10, "checks"),
        noun: "unhealthy threshold", default: "2", example: "3",
        "Failed checks in a row until a target is unhealthy."),
      Member(
        "healthyThreshold", \.healthyThreshold, .integer(1...10, "checks"),
        noun: "healthy threshold", default: "2", example: "3",
        "Successful checks in a row until it is healthy again."),
      Member(
        "status", \.status,
        .optional(.integer(200...599, "status"), from: 200, none: "200 to 399"),
        noun: "status of the health check", default: "null", example: "204",
        "The status that counts as success; null for any from 200 to 399."),
    ])
}

extension ValueForm where Value == HostHeader {
  static let hostHeader = ValueForm(
    kind: "\"origin\", \"viewer\" or a name",
    value: { node, path, reader in
      guard let text = reader.string(node, path, example: "www.shop.example") else { return nil }
      return HostHeader(text)
    },
    write: { $1.string($0.text) },
    check: { value, path, problems in
      guard case .name(let name) = value, let flaw = authorityFlaw(name) else { return }
      problems.add(path, "\(quoted(name)) \(flaw.what)", hint: flaw.hint)
    }, words: { $0.text })
}

extension HostHeader {
  package init(_ text: String) {
    switch text {
    case "origin": self = .origin
    case "viewer": self = .viewer
    default: self = .name(text)
    }
  }

  package var text: String {
    switch self {
    case .origin: "origin"
    case .viewer: "viewer"
    case .name(let name): name
    }
  }
}

extension ValueForm where Value == [HeaderField] {
  static let originHeaders = ValueForm(
    kind: "object of names and values",
    range: "at most \(ConfigLimits.headers), \(ConfigLimits.headerBytes) characters in all",
    value: { node, path, reader in
      guard let members = reader.object(node, path, example: "{\"X-Secret\": \"…\"}")
      else { return nil }
      return members.compactMap { member in
        reader.string(member.node, "\(path).\(member.key)", example: "value")
          .map { HeaderField(name: member.key, value: $0) }
      }
    },
    write: { fields, writer in
      writer.object { writer in for field in fields { writer.member(field.name, field.value) } }
    },
    check: { fields, path, problems in
      if fields.count > ConfigLimits.headers {
        problems.add(
          path, "there are \(fields.count) headers", hint: "keep at most \(ConfigLimits.headers)")
      }
      if fields.reduce(0, { $0 + $1.name.utf8.count + $1.value.utf8.count })
        > ConfigLimits.headerBytes
      {
        problems.add(
          path, "names and values are longer than \(ConfigLimits.headerBytes) characters in all",
          hint: "shorten them")
      }
      var seen: Set<String> = []
      for field in fields {
        if let flaw = originHeaderFlaw(field.name) {
          problems.add(path, "\(quoted(field.name)) \(flaw.what)", hint: flaw.hint)
        }
        if let flaw = headerValueFlaw(field.value) {
          problems.add("\(path).\(field.name)", "the value \(flaw.what)", hint: flaw.hint)
        }
        if !seen.insert(field.name.lowercased()).inserted {
          problems.add(path, "\(quoted(field.name)) occurs twice", hint: "keep one of the two")
        }
      }
    },
    // Values may be secrets: names are enough.
    words: { $0.isEmpty ? "none" : $0.map(\.name).joined(separator: ", ") })
}

extension DistributionFile {
  /// A URL, or an object with a `url`.
  /// - Returns: the address, nil when none is given, and what else there is to change.
  static func readOrigin(_ node: JSONNode, _ path: String, _ reader: inout FieldReader) -> (
    address: Origin?, edit: Edit<Origin>
  ) {
    let urlNode: JSONNode
    let urlPath: String
    var edit: Edit<Origin> = { _ in }
    if case .string = node.value {
      urlNode = node
      urlPath = path
    } else {
      let form = Origin.form
      guard
        let members = reader.object(node, path, keys: ["url"] + form.members.map(\.key))
      else { return (nil, edit) }
      edit = readMembers(form.members, of: members, path, &reader)
      guard let url = members["url"] else { return (nil, edit) }
      urlNode = url
      urlPath = "\(path).url"
      checkSchemes(of: members["targets"], url, "\(path).targets", &reader)
    }
    guard let url = reader.string(urlNode, urlPath, example: "http://shop.example") else {
      return (nil, edit)
    }
    do {
      return (try Origin(url: url, place: reader.place(urlPath)), edit)
    } catch {
      reader.problems.add(error)
      return (nil, edit)
    }
  }

  /// Only host and port of a target are kept.
  private static func checkSchemes(
    of targets: JSONNode?, _ url: JSONNode, _ path: String, _ reader: inout FieldReader
  ) {
    guard let mark = url.text?.range(ofText: "://"), let scheme = url.text?[..<mark.lowerBound]
    else { return }
    for (index, target) in (targets?.elements ?? []).enumerated() {
      guard let text = target.text, let mark = text.range(ofText: "://") else { continue }
      if text[..<mark.lowerBound].lowercased() != scheme.lowercased() {
        reader.add(
          "\(path)[\(index)]", "\(quoted(text)) has another scheme than \"url\"",
          hint: "write \(scheme)://\(text[mark.upperBound...])")
      }
    }
  }

  /// - Parameter isBrief: as a URL alone where nothing else is set.
  static func write(_ origin: Origin, isBrief: Bool, to writer: inout DocumentWriter) {
    let members = Origin.form.members
    let timeouts = ["connectTimeout", "connectAttempts", "responseTimeout", "keepAliveTimeout"]
    if isBrief, members.allSatisfy({ $0.isSame(origin, .plain) }) {
      return writer.string(origin.url)
    }
    writer.object { writer in
      writer.member("url", origin.url)
      for member in members {
        if member.key == "targets" {
          if !origin.targets.isEmpty {
            writer.member("targets", origin.targets.map { origin.url(of: $0) })
          }
        } else if !isBrief || !timeouts.contains(member.key) || !member.isSame(origin, .plain) {
          member.write(origin, .plain, &writer)
        }
      }
    }
  }
}
