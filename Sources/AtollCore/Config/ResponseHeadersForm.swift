// SPDX-License-Identifier: Apache-2.0

extension ResponseHeaderSettings {
  static let form = ValueForm<ResponseHeaderSettings>.object(
    usual: ResponseHeaderSettings(),
    [
      Member(
        "remove", \.removed,
        .texts(
          "list of names", example: "X-Powered-By", most: ConfigLimits.headers,
          fold: { $0.lowercased() }, range: "at most \(ConfigLimits.headers)",
          flaw: responseHeaderFlaw),
        noun: "removed response headers", default: "none", example: #"["X-Powered-By"]"#,
        "Response headers that viewers do not get. Of Server and Date they get the edge's own."),
      Member(
        "set", \.set,
        .responseHeaders.listing([
          ManualEntry(
            key: "name", kind: "name", default: "required", example: #""X-Site""#,
            summary: "The header's."),
          ManualEntry(
            key: "value", kind: "text", default: "empty", example: #""shop""#,
            summary: "On one line."),
          ManualEntry(
            key: "mode", kind: ValueForm.choice(ResponseHeader.Mode.self).kind,
            default: "if-absent", example: #""override""#,
            summary: "Where the origin sends none, in its place, or beside it."),
        ]), noun: "set response headers", default: "none",
        example: #"[{"name": "X-Site", "value": "shop", "mode": "override"}]"#,
        "Response headers that viewers get: mode if-absent (the default) where the origin sends none, "
          + "override instead of the origin's, append beside it."),
      Member(
        "cors", \.cors, .optional(CORSSettings.form, from: CORSSettings()), noun: "CORS",
        default: "as the origin answers", example: #"{"origins": ["https://*.shop.example"]}"#,
        "Cross-origin requests: the edge answers preflights itself and adds the Access-Control fields."
      ),
      Member(
        "security", \.security, .optional(SecurityHeaders.form, from: SecurityHeaders()),
        noun: "security headers", default: "as the origin sends them", example: #""standard""#,
        "The browser's safeguards; \"standard\" is CloudFront's SecurityHeadersPolicy."),
      Member(
        "serverTiming", \.serverTiming, .optional(.percent, from: 100), noun: "Server-Timing",
        default: "null", example: "5",
        "Share of responses that carry Server-Timing; with a number, 0 too, a request with Pragma: "
          + "server-timing gets it always. null for never."),
    ])
}

extension ValueForm where Value == [ResponseHeader] {
  static let responseHeaders = ValueForm(
    kind: "list of {name, value, mode}",
    range: "at most \(ConfigLimits.headers); values of \(ConfigLimits.headerValue) characters",
    value: { node, path, reader in
      guard let nodes = reader.array(node, path) else { return nil }
      var headers: [ResponseHeader] = []
      for (index, node) in nodes.enumerated() {
        let place = "\(path)[\(index)]"
        guard let members = reader.object(node, place, keys: ["name", "value", "mode"]) else {
          continue
        }
        if members["name"] == nil {
          reader.add(
            place, "\"name\" is missing", hint: "write {\"name\": \"X-Site\", \"value\": \"shop\"}")
        }
        let name = reader.string(members["name"], "\(place).name", example: "X-Site")
        let value = reader.string(members["value"], "\(place).value", example: "shop")
        let mode = reader.choice(members["mode"], "\(place).mode", ResponseHeader.Mode.self)
        guard let name else { continue }
        headers.append(
          ResponseHeader(name: name, value: value ?? "", mode: mode ?? .ifAbsent))
      }
      return headers
    },
    write: { headers, writer in
      writer.array { writer in
        for header in headers {
          writer.element { writer in
            writer.object { writer in
              writer.member("name", header.name)
              writer.member("value", header.value)
              writer.member("mode", header.mode.rawValue)
            }
          }
        }
      }
    },
    check: { headers, path, problems in
      if headers.count > ConfigLimits.headers {
        problems.add(
          path, "there are \(headers.count) headers",
          hint: "keep at most \(ConfigLimits.headers)")
      }
      for (index, header) in headers.enumerated() {
        if let flaw = setResponseHeaderFlaw(header.name) {
          problems.add(
            "\(path)[\(index)].name", "\(quoted(header.name)) \(flaw.what)", hint: flaw.hint)
        }
        if let flaw = headerValueFlaw(header.value) {
          problems.add(
            "\(path)[\(index)].value", "\(quoted(header.value)) \(flaw.what)", hint: flaw.hint)
        }
        let twin = headers[..<index].contains {
          $0.name.lowercased() == header.name.lowercased()
            && ($0.mode != .append || header.mode != .append)
        }
        if twin {
          problems.add(
            "\(path)[\(index)].name", "\(quoted(header.name)) occurs twice",
            hint: "keep one of the two, or append both")
        }
      }
    },
    words: { headers in
      headers.isEmpty
        ? "none"
        : headers.map { "\($0.name): \($0.value) (\($0.mode.rawValue))" }.joined(separator: ", ")
    })
}

extension CORSSettings {
  static let form = ValueForm<CORSSettings>.object(
    usual: CORSSettings(),
    [
      Member(
        "origins", \.origins,
        .texts(
          "list of origins", example: "https://shop.example", most: 100,
          fold: { $0.lowercased() }, range: "1 to 100", flaw: corsOriginFlaw),
        noun: "CORS origins", default: #"["*"]"#, example: #"["https://*.shop.example"]"#,
        "Sites that may read the responses: *, https://shop.example, https://*.shop.example, with a "
          + "port or :* after it where it is not the usual one."),
      Member(
        "credentials", \.allowsCredentials, .bool, noun: "CORS with credentials", default: "false",
        example: "true", "Whether they may send cookies and credentials; not with the origin *."),
      Member(
        "methods", \.methods,
        .texts(
          "list of methods", example: "GET", most: 20, range: "\"*\" for any", flaw: corsTokenFlaw),
        noun: "CORS methods", default: #"["GET", "HEAD", "OPTIONS"]"#,
        example: #"["GET", "PUT"]"#, "What preflights allow."),
      Member(
        "headers", \.headers,
        .texts(
          "list of names", example: "X-Token", most: 100, fold: { $0.lowercased() },
          range: "\"*\" for any", flaw: corsTokenFlaw),
        noun: "CORS request headers", default: "none", example: #"["X-Token"]"#,
        "Request headers that preflights allow."),
      Member(
        "exposedHeaders", \.exposedHeaders,
        .texts(
          "list of names", example: "ETag", most: 100, fold: { $0.lowercased() },
          range: "\"*\" for any", flaw: corsTokenFlaw),
        noun: "CORS exposed headers", default: "none", example: #"["ETag"]"#,
        "Response headers that scripts may read."),
      Member(
        "maxAge", \.maxAge, .optional(.seconds(0...TTL.longest), from: 600, none: "not said"),
        noun: "CORS preflight lifetime", default: "null", example: "600",
        "How long a browser keeps a preflight's answer; null leaves it to the browser."),
      Member(
        "override", \.overridesOrigin, .bool, noun: "CORS override of the origin", default: "true",
        example: "false", "Whether the origin's own Access-Control fields give way."),
    ],
    check: { cors, place, problems in
      if cors.origins.isEmpty {
        problems.add("\(place).origins", "the list is empty", hint: "write [\"*\"], or name sites")
      }
      if cors.allowsCredentials && cors.origins.contains("*") {
        problems.add(
          "\(place).credentials", "credentials for every site",
          hint: "name the origins: no browser takes * together with credentials")
      }
      if cors.origins.count > 1 && cors.origins.contains("*") {
        problems.add(
          "\(place).origins", "\"*\" stands beside other origins", hint: "remove the others, or it")
      }
    })
}

extension SecurityHeaders {
  static let form = ValueForm<SecurityHeaders>(
    kind: "\"standard\" or object",
    read: { node, path, reader in
      if node.value == .string("standard") { return { $0 = .standard } }
      if case .string(let text) = node.value {
        reader.add(
          path, "unknown value \(quoted(text))",
          hint: "write \"standard\", or an object with the fields")
        return nil
      }
      return object.read(node, path, &reader)
    },
    write: { value, reference, writer in
      if value == .standard {
        writer.string("standard")
      } else {
        object.write(value, reference, &writer)
      }
    }, check: object.check,
    words: { value in
      if value == .standard { return "standard" }
      let set = object.members.filter { !$0.isSame(value, SecurityHeaders()) }
      return set.isEmpty
        ? "none" : set.map { "\($0.noun) \($0.words(value))" }.joined(separator: ", ")
    }, members: object.members)

  private static let object = ValueForm<SecurityHeaders>.object([
    field(
      "strictTransportSecurity", \.strictTransportSecurity, "Strict-Transport-Security",
      "max-age=31536000", strictTransportSecurityFlaw,
      note: "only over TLS; "),
    field(
      "contentTypeOptions", \.contentTypeOptions, "X-Content-Type-Options", "nosniff",
      oneOf(["nosniff"])),
    field(
      "frameOptions", \.frameOptions, "X-Frame-Options", "SAMEORIGIN",
      oneOf(["DENY", "SAMEORIGIN"])),
    field(
      "referrerPolicy", \.referrerPolicy, "Referrer-Policy", "strict-origin-when-cross-origin",
      oneOf([
        "no-referrer", "no-referrer-when-downgrade", "origin", "origin-when-cross-origin",
        "same-origin", "strict-origin", "strict-origin-when-cross-origin", "unsafe-url",
      ])),
    field(
      "xssProtection", \.xssProtection, "X-XSS-Protection", "1; mode=block", xssProtectionFlaw),
    field(
      "contentSecurityPolicy", \.contentSecurityPolicy, "Content-Security-Policy",
      "default-src 'self'", headerValueFlaw),
    Member(
      "override", \.overridesOrigin, .bool, noun: "override of the origin's security headers",
      default: "false", example: "true",
      "Whether the origin's own fields give way, as its X-Content-Type-Options always does."),
  ])

  private static func field(
    _ key: String, _ path: WritableKeyPath<SecurityHeaders, String?> & Sendable, _ name: String,
    _ example: String, _ flaw: @escaping @Sendable (String) -> Flaw?, note: String = ""
  ) -> Member<SecurityHeaders> {
    Member(
      key, path, .optional(.text("text", example: example, flaw: flaw), from: ""), noun: name,
      default: "null", example: quoted(example), "\(name); \(note)null: not sent.")
  }

  private static func oneOf(_ values: [String]) -> @Sendable (String) -> Flaw? {
    { value in
      values.contains(value)
        ? nil : ("is not one of its values", "write \(listed(values.map { quoted($0) }, "or"))")
    }
  }
}
