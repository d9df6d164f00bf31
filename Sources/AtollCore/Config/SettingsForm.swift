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
