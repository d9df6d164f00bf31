// SPDX-License-Identifier: Apache-2.0

/// One of the settings of behaviors: a member of `settings` in a file, and of each behavior there.
struct Setting: Sendable {
  let member: Member<BehaviorSettings>
  /// Whether a behavior has one of its own.
  let isSet: @Sendable (SettingsOverride) -> Bool
  /// Makes what the settings say the behavior's own.
  let take: @Sendable (BehaviorSettings, inout SettingsOverride) -> Void
  let drop: @Sendable (inout SettingsOverride) -> Void

  init<Value>(
    _ key: String, _ path: WritableKeyPath<BehaviorSettings, Value> & Sendable,
    _ own: WritableKeyPath<SettingsOverride, Value?> & Sendable, _ form: ValueForm<Value>,
    noun: String, isQuiet: Bool = true, default defaultText: String, example: String,
    sentence: (@Sendable (Value) -> String)? = nil, _ summary: String
  ) {
    member = Member(
      key, path, form, noun: noun, isQuiet: isQuiet, default: defaultText, example: example,
      sentence: sentence, summary)
    isSet = { $0[keyPath: own] != nil }
    take = { $1[keyPath: own] = $0[keyPath: path] }
    drop = { $0[keyPath: own] = nil }
  }

  /// `origin`, which is optional in both: a behavior's own is what it names.
  init(
    _ key: String, origin path: WritableKeyPath<BehaviorSettings, String?> & Sendable,
    _ own: WritableKeyPath<SettingsOverride, String?> & Sendable, _ form: ValueForm<String?>,
    noun: String, default defaultText: String, example: String, _ summary: String
  ) {
    member = Member(
      key, path, form, noun: noun, default: defaultText, example: example, summary)
    isSet = { $0[keyPath: own] != nil }
    take = { $1[keyPath: own] = $0[keyPath: path] }
    drop = { $0[keyPath: own] = nil }
  }
}

extension SettingsOverride {
  /// Makes what the settings say under a key of the file the behavior's own.
  package mutating func take(_ key: String, from settings: BehaviorSettings) {
    Self.setting(key).take(settings, &self)
  }

  /// Leaves it to the distribution.
  package mutating func drop(_ key: String) { Self.setting(key).drop(&self) }

  private static func setting(_ key: String) -> Setting {
    BehaviorSettings.table.first { $0.member.key == key }!
  }
}

extension BehaviorSettings {
  /// Every setting, in the order of files.
  static let table: [Setting] = [
    Setting(
      "ttl", \.ttl, \.ttl, TTL.form, noun: "TTL", isQuiet: false, default: "by preset",
      example: #"{"minimum": 0, "default": 3600, "maximum": 86400}"#,
      "How long responses are kept, in seconds."),
    Setting(
      "overridesOrigin", \.overridesOrigin, \.overridesOrigin, .bool,
      noun: "override of the origin",
      isQuiet: false, default: "false", example: "true",
      sentence: {
        $0 ? "let the minimum TTL override the origin" : "stop overriding the origin"
      },
      "Whether the minimum TTL stores even what the origin's no-store, private and no-cache forbid, "
        + "as Amazon's does. Only for a site without anything personal."),
    Setting(
      "staleIfError", \.staleIfError, \.staleIfError, .seconds(0...TTL.longest),
      noun: "time that stale may stand in for errors", isQuiet: false, default: "86400",
      example: "3600",
      "How long after its end of life a response may stand in for a failing origin (RFC 5861 §4), "
        + "unless the origin forbids it."),
    Setting(
      "requestDirectives", \.honorsRequestDirectives, \.honorsRequestDirectives, .bool,
      noun: "request directives", default: "true in preset origin, else false",
      example: "false",
      sentence: {
        $0
          ? "heed Cache-Control and Pragma of requests"
          : "ignore Cache-Control and Pragma of requests"
      },
      "Whether Cache-Control and Pragma of requests count (RFC 9111 §5.2.1), so that viewers can ask "
        + "for a fresh copy."),
    Setting(
      "allowedMethods", \.allowedMethods, \.allowedMethods, .methods, noun: "allowed methods",
      isQuiet: false, default: "all seven", example: #"["GET", "HEAD"]"#,
      "Methods that viewers may use; others get 405."),
    Setting(
      "cachedMethods", \.cachesOptions, \.cachesOptions, .cachedMethods, noun: "cached methods",
      isQuiet: false, default: "GET,HEAD", example: #"["GET", "HEAD", "OPTIONS"]"#,
      "Methods whose responses are cached; OPTIONS under a key of its own."),
    Setting(
      "forwardedHeaders", \.forwardedHeaders, \.forwardedHeaders, .names(.keyedHeader),
      noun: "forwarded headers", isQuiet: false, default: "by preset",
      example: #"["Accept-Language"]"#,
      "Request headers that reach the origin and are part of the cache key. \"all\" forwards every "
        + "header without making it part of the key: then the origin's Vary selects."),
    Setting(
      "forwardedCookies", \.forwardedCookies, \.forwardedCookies, .names(.cookie),
      noun: "forwarded cookies", isQuiet: false, default: "by preset", example: #"["session_*"]"#,
      "Cookies that reach the origin and are part of the key; in a name * stands for any characters "
        + "and ? for one. Without any, Set-Cookie does not reach viewers."),
    Setting(
      "forwardedQueryStrings", \.forwardedQueryStrings, \.forwardedQueryStrings, .names(.query),
      noun: "forwarded query strings", isQuiet: false, default: "by preset",
      example: #"{"allExcept": ["utm_*"]}"#,
      "Query parameters that reach the origin and are part of the key; * and ? as for cookies."),
    Setting(
      "key", \.key, \.key, KeySettings.form, noun: "key", default: "by preset",
      example: #"{"device": true}"#, "Further parts of the cache key."),
    Setting(
      "originRequest", \.originRequest, \.originRequest, OriginRequestSettings.form,
      noun: "origin request", default: "nothing", example: #"{"headers": ["Referer"]}"#,
      "What the origin gets although it is not part of the key: it must not change the response."),
    Setting(
      "origin", origin: \.origin, \.origin,
      .optional(.text("name", example: "images"), from: "", none: "the distribution's own"),
      noun: "choice of origin", default: "default", example: #""images""#,
      "The name of an origin or origin group; default is the distribution's own origin."),
    Setting(
      "sliceSize", \.sliceSize, \.sliceSize, .sliceSize, noun: "slice size", default: "1048576",
      example: "4194304",
      "How much a range of what is not stored fetches at once, in bytes; 0 passes such requests on."
    ),
    Setting(
      "compression", \.compression, \.compression, CompressionSettings.form, noun: "compression",
      default: "off", example: #"{"codings": ["gzip", "br"]}"#, "Compression at the edge."),
    Setting(
      "viewerProtocol", \.viewerProtocol, \.viewerProtocol, .choice(ViewerProtocol.self),
      noun: "viewer protocol", default: "allow-all", example: #""redirect-to-https""#,
      "What becomes of requests over plain HTTP: served, redirected (301, or 307 for methods other "
        + "than GET and HEAD), or refused with 403."),
    Setting(
      "responseHeaders", \.responseHeaders, \.responseHeaders, ResponseHeaderSettings.form,
      noun: "response headers", default: "as the origin sends them",
      example: #"{"security": "standard"}"#,
      "What is changed in the header of responses, stored ones included: first fields are removed, "
        + "then set."),
    Setting(
      "upgradeTimeout", \.upgradeTimeout, \.upgradeTimeout, .seconds(1...TTL.day),
      noun: "upgrade timeout", default: "600", example: "60",
      "How long an upgraded connection (WebSocket) may stay silent."),
  ]

  static let form = ValueForm<BehaviorSettings>.object(
    table.map(\.member), check: { checkMethods($0, $1, &$2) })
}

/// What two settings may not be together.
func checkMethods(
  _ settings: BehaviorSettings, _ place: String, _ problems: inout ProblemList
) {
  if settings.cachesOptions && settings.allowedMethods == .getHead {
    problems.add(
      "\(place).cachedMethods", "OPTIONS is cached but not allowed",
      hint: "add OPTIONS to the allowed methods, or take it out of the cached ones")
  }
}

extension TTL {
  static let form = ValueForm<TTL>.object(
    [
      Member(
        "minimum", \.minimum, .ttl, noun: "minimum TTL", isQuiet: false, default: "0",
        example: "60",
        "Shortest lifetime: it stretches what the origin gives, but stores nothing that may not be."
      ),
      Member(
        "default", \.default, .optional(.ttl, from: TTL.day, none: "the origin's headers"),
        noun: "default TTL", isQuiet: false, default: "by preset", example: "86400",
        "Lifetime where the origin gives none; null leaves it to RFC 9111's heuristics."),
      Member(
        "maximum", \.maximum, .ttl, noun: "maximum TTL", isQuiet: false, default: "31536000",
        example: "604800", "Longest lifetime, whatever the origin says."),
    ], check: checkOrder,
    words: { ttl in
      "\(ttl.default.map(duration) ?? "by the origin's headers"), at least \(duration(ttl.minimum)), "
        + "at most \(duration(ttl.maximum))"
    })

  @Sendable private static func checkOrder(
    _ ttl: TTL, _ place: String, _ problems: inout ProblemList
  ) {
    let values = [ttl.minimum, ttl.default ?? 0, ttl.maximum]
    guard values.allSatisfy((0...TTL.longest).contains) else { return }
    if ttl.minimum > ttl.maximum {
      problems.add(
        "\(place).minimum", "\(ttl.minimum) is greater than the maximum, \(ttl.maximum)",
        hint: "lower the minimum TTL or raise the maximum")
    } else if let value = ttl.default, value < ttl.minimum {
      problems.add(
        "\(place).default", "\(value) is less than the minimum, \(ttl.minimum)",
        hint: "raise the default TTL or lower the minimum")
    } else if let value = ttl.default, value > ttl.maximum {
      problems.add(
        "\(place).default", "\(value) is greater than the maximum, \(ttl.maximum)",
        hint: "lower the default TTL or raise the maximum")
    }
  }
}

extension ValueForm where Value == Int {
  static let ttl = seconds(0...TTL.longest)

  static let sliceSize = ValueForm(
    kind: "bytes", range: "a power of two from 65536 to 16777216, or 0",
    value: { node, path, reader in
      reader.integer(node, path, what: "a number of bytes", hint: "write bytes, such as 1048576")
    }, write: { $1.integer($0) },
    check: { value, path, problems in
      if value == 0 || (65_536...16_777_216).contains(value) && value & (value - 1) == 0 { return }
      problems.add(
        path, "\(value) is no size of slices",
        hint: "write a power of two from 65536 (64K) to 16777216 (16M), or 0")
    }, words: bytesText)

  static func bytes(_ allowed: ClosedRange<Int>) -> ValueForm {
    ValueForm(
      kind: "bytes", range: "\(allowed.lowerBound) to \(allowed.upperBound)",
      value: { node, path, reader in
        reader.integer(node, path, what: "a number of bytes", hint: "write bytes, such as 1000")
      }, write: { $1.integer($0) },
      check: { value, path, problems in
        if allowed.contains(value) { return }
        problems.add(
          path, "\(value) is out of range",
          hint: "write \(allowed.lowerBound) to \(allowed.upperBound) bytes")
      }, words: bytesText)
  }
}

/// `1 MiB`, `10000000 bytes`.
@Sendable func bytesText(_ bytes: Int) -> String {
  for (unit, size) in [("MiB", 1 << 20), ("KiB", 1 << 10)]
  where bytes != 0 && bytes.isMultiple(of: size) {
    return "\(bytes / size) \(unit)"
  }
  return "\(bytes) bytes"
}

extension KeySettings {
  static let form = ValueForm<KeySettings>.object(
    usual: KeySettings(),
    [
      Member(
        "host", \.host, .bool, noun: "host in the key",
        default: "true in preset origin, else false",
        example: "true",
        "The viewer's Host. Where the origin gets its own name alone it only splits the cache."),
      Member(
        "scheme", \.scheme, .bool, noun: "scheme in the key", default: "false", example: "true",
        "http or https, as the viewer came; the origin gets CloudFront-Forwarded-Proto."),
      Member(
        "device", \.device, .bool, noun: "device in the key", default: "false", example: "true",
        "Desktop, mobile, tablet or television, by User-Agent; the origin gets the "
          + "CloudFront-Is-…-Viewer headers."),
      Member(
        "country", \.country, .bool, noun: "country in the key", default: "false", example: "true",
        "By the viewer's address, when the edge has a database of them; the origin gets "
          + "CloudFront-Viewer-Country."),
      Member(
        "sortQuery", \.sortsQuery, .bool, noun: "sorting of query parameters", default: "false",
        example: "true",
        "Query parameters in the order of their names, then of their values, in key and request."),
      Member(
        "dropQueryStrings", \.droppedQueryStrings,
        .texts(
          "list of names", example: "utm_*", most: ConfigLimits.listedNames,
          range: "at most \(ConfigLimits.listedNames)", flaw: queryFlaw),
        noun: "dropped query strings", default: "none", example: #"["tracking", "sid_*"]"#,
        "Query parameters that neither key nor origin gets, unless originRequest sends them; * and ? "
          + "stand for characters, \"tracking\" for the well-known parameters of campaigns (utm_*, gclid, "
          + "fbclid and others)."),
      Member(
        "codings", \.codings, .codings, noun: "codings in the key",
        default: #"["gzip", "br"] in preset origin, else ["gzip"]"#, example: #"["gzip", "br"]"#,
        "What Accept-Encoding is reduced to, in key and request; with an empty list it is a "
          + "header like any other, sent where it is forwarded."),
    ])
}

extension OriginRequestSettings {
  static let form = ValueForm<OriginRequestSettings>.object(
    usual: OriginRequestSettings(),
    [
      Member(
        "headers", \.headers, .names(.sentHeader), noun: "headers for the origin alone",
        default: "none", example: #"["Referer", "User-Agent"]"#,
        "Request headers that are sent besides those of the key."),
      Member(
        "cookies", \.cookies, .names(.cookie), noun: "cookies for the origin alone",
        default: "none",
        example: #"["consent"]"#, "Cookies that are sent besides those of the key."),
      Member(
        "queryStrings", \.queryStrings, .names(.query), noun: "query strings for the origin alone",
        default: "none", example: #""all""#,
        "Query parameters that are sent besides those of the key."),
    ])
}

extension CompressionSettings {
  /// CloudFront compresses up to 10,000,000 bytes; more than this would hold a worker for seconds.
  static let largest = 104_857_600

  static let form = ValueForm<CompressionSettings>.object(
    usual: CompressionSettings(),
    [
      Member(
        "codings", \.codings, .codings, noun: "codings of compression", default: "none",
        example: #"["gzip", "br"]"#,
        "What the edge compresses into where viewers take it; Brotli where both are equal to them."),
      Member(
        "minimumSize", \.minimumSize, .bytes(0...largest), noun: "minimum size of compression",
        default: "1000", example: "512", "Smaller bodies stay as they are."),
      Member(
        "maximumSize", \.maximumSize, .bytes(0...largest), noun: "maximum size of compression",
        default: "10000000", example: "1000000", "Larger bodies stay as they are."),
      Member(
        "types", \.types,
        .optional(
          .texts(
            "list of media types", example: "text/*", most: 100, fold: { $0.lowercased() },
            range: "at most 100", flaw: mediaTypeFlaw), from: [], none: "CloudFront's list"),
        noun: "types of compression", default: "CloudFront's list",
        example: #"["text/*", "application/json"]"#,
        "Media types that are compressed, text/* among them; null for CloudFront's list."),
    ],
    check: { value, place, problems in
      if value.minimumSize > value.maximumSize {
        problems.add(
          "\(place).minimumSize",
          "\(value.minimumSize) is greater than the maximum, \(value.maximumSize)",
          hint: "lower the minimum size or raise the maximum")
      }
    })
}

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
      "max-age=31536000", strictTransportSecurityFlaw),
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
    _ example: String, _ flaw: @escaping @Sendable (String) -> Flaw?
  ) -> Member<SecurityHeaders> {
    Member(
      key, path, .optional(.text("text", example: example, flaw: flaw), from: ""), noun: name,
      default: "null", example: quoted(example), "\(name); null: not sent.")
  }

  private static func oneOf(_ values: [String]) -> @Sendable (String) -> Flaw? {
    { value in
      values.contains(value)
        ? nil : ("is not one of its values", "write \(listed(values.map { quoted($0) }, "or"))")
    }
  }
}
