// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// The options of how requests are treated.
enum BehaviorOptions {
  private static let cachingGroup = "Caching"
  private static let keyGroup = "Cache key"
  private static let forwardingGroup = "Forwarding"
  private static let responseGroup = "Responses"

  /// In the order of help.
  static let all: [BehaviorOption] = caching + forwarding + key + originRequest + responses

  // MARK: Caching

  static let minTTL = Option.duration(
    "min-ttl", in: 0...TTL.longest, group: cachingGroup, "shortest lifetime")
  static let defaultTTL = Option<OptionalSeconds>(
    "default-ttl", value: "duration|none", group: cachingGroup,
    "lifetime when the origin gives none; none leaves it to RFC 9111's heuristics"
  ) { (text) throws(ValueError) in try OptionalSeconds.read(text) }
  static let maxTTL = Option.duration(
    "max-ttl", in: 0...TTL.longest, group: cachingGroup, "longest lifetime")

  private static let caching: [BehaviorOption] = [
    BehaviorOption(defaultTTL, word: "default", setting: "ttl") { $1.ttl.default = $0.seconds },
    BehaviorOption(minTTL, word: "min", setting: "ttl") { $1.ttl.minimum = $0 },
    BehaviorOption(maxTTL, word: "max", setting: "ttl") { $1.ttl.maximum = $0 },
    BehaviorOption(
      .flag(
        "override-origin", excludes: ["no-override-origin"], group: cachingGroup,
        "let the minimum lifetime store even no-store and private responses"),
      setting: "overridesOrigin"
    ) { if $0 { $1.overridesOrigin = true } },
    BehaviorOption(
      .flag(
        "no-override-origin", excludes: ["override-origin"], group: cachingGroup,
        "never store what the origin forbids"), setting: "overridesOrigin"
    ) { if $0 { $1.overridesOrigin = false } },
    BehaviorOption(
      Option<OnOff>.choice("override-origin", ""), setting: "overridesOrigin", isWordOnly: true
    ) { $1.overridesOrigin = $0 == .on },
    BehaviorOption(
      .duration(
        "stale-if-error", in: 0...TTL.longest, group: cachingGroup,
        "how long an expired response may stand in for a failing origin"),
      setting: "staleIfError"
    ) { $1.staleIfError = $0 },
    BehaviorOption(
      Option<OnOff>.choice(
        "request-directives", group: cachingGroup,
        "heed Cache-Control and Pragma of requests, so that viewers can ask for a fresh copy"),
      setting: "requestDirectives"
    ) { $1.honorsRequestDirectives = $0 == .on },
    BehaviorOption(allowedMethods, setting: "allowedMethods") { $1.allowedMethods = $0 },
    BehaviorOption(
      .flag(
        "cache-options", excludes: ["no-cache-options"], group: cachingGroup,
        "cache responses to OPTIONS as well"), setting: "cachedMethods"
    ) { if $0 { $1.cachesOptions = true } },
    BehaviorOption(
      .flag(
        "no-cache-options", excludes: ["cache-options"], group: cachingGroup,
        "cache responses to GET and HEAD only"), setting: "cachedMethods"
    ) { if $0 { $1.cachesOptions = false } },
    BehaviorOption(
      Option<OnOff>.choice("cache-options", ""), setting: "cachedMethods", isWordOnly: true
    ) { $1.cachesOptions = $0 == .on },
    BehaviorOption(
      Option<Int>(
        "slice-size", value: "size|off", group: cachingGroup,
        "how much a range of what is not stored fetches at once; off passes it on (default 1M)"
      ) { (text) throws(ValueError) in
        if text == "off" { return 0 }
        guard let bytes = Quantity.bytes(text) else {
          throw ValueError("is not a size", hint: "write it as 512K or 1M, or off")
        }
        return bytes
      }, setting: "sliceSize"
    ) { $1.sliceSize = $0 },
  ]

  private static let allowedMethods = Option<MethodSet>(
    "allowed-methods", value: "methods", choices: MethodSet.allCases.map(\.rawValue),
    group: cachingGroup, "methods that viewers may use: GET,HEAD or GET,HEAD,OPTIONS or all"
  ) { (text) throws(ValueError) in
    let wanted = Set(text.uppercased().split(separator: ","))
    if wanted == ["ALL"] { return .all }
    for methods in MethodSet.allCases where Set(methods.rawValue.split(separator: ",")) == wanted {
      return methods
    }
    throw ValueError(
      "is not one of the sets there are", hint: "write GET,HEAD or GET,HEAD,OPTIONS or all")
  }

  // MARK: What the origin gets

  private static let forwarding: [BehaviorOption] = [
    BehaviorOption(
      selection(
        "forward-headers", except: false,
        "request headers that reach the origin and tell entries apart"),
      setting: "forwardedHeaders"
    ) { $1.forwardedHeaders = $0 },
    BehaviorOption(
      selection(
        "forward-cookies", "cookies that do so; * and ? in a name stand for characters"),
      setting: "forwardedCookies"
    ) { $1.forwardedCookies = $0 },
    BehaviorOption(
      selection("forward-query-strings", "query parameters that do so"),
      setting: "forwardedQueryStrings"
    ) { $1.forwardedQueryStrings = $0 },
  ]

  private static let originRequest: [BehaviorOption] = [
    BehaviorOption(
      selection(
        "origin-request-headers", "request headers that reach the origin, but tell nothing apart"),
      setting: "originRequest"
    ) { $1.originRequest.headers = $0 },
    BehaviorOption(
      selection("origin-request-cookies", "cookies that do so"), setting: "originRequest"
    ) { $1.originRequest.cookies = $0 },
    BehaviorOption(
      selection("origin-request-query-strings", "query parameters that do so"),
      setting: "originRequest"
    ) { $1.originRequest.queryStrings = $0 },
    BehaviorOption(
      .text(
        "use-origin", value: "name", group: OriginOptions.furtherGroup,
        "the named origin or origin group to ask; default is that of --origin"),
      word: "origin", setting: "origin"
    ) { $1.origin = $0 },
    BehaviorOption(
      .duration(
        "upgrade-timeout", default: "10m", in: 1...TTL.day, group: forwardingGroup,
        "how long an upgraded connection (WebSocket) may stay silent"), setting: "upgradeTimeout"
    ) { $1.upgradeTimeout = $0 },
  ]

  private static func selection(
    _ name: String, except: Bool = true, _ summary: String
  ) -> Option<NameSelection> {
    Option(
      name, value: except ? "none|all|names|all-except:names" : "none|all|names",
      group: forwardingGroup, summary
    ) { (text) throws(ValueError) in
      switch text {
      case "none": return .none
      case "all": return .all
      default:
        if except, text.hasPrefix("all-except:") {
          return .allExcept(try names(String(text.dropFirst(11))))
        }
        return .listed(try names(text))
      }
    }
  }

  // MARK: Cache key

  private static let key: [BehaviorOption] = [
    BehaviorOption(
      Option<Set<KeyPart>>(
        "key", value: "none|parts", group: keyGroup,
        "further parts of the cache key: host, scheme, device, country"
      ) { (text) throws(ValueError) in
        if text == "none" { return [] }
        var parts: Set<KeyPart> = []
        for word in try names(text) {
          guard let part = KeyPart(rawValue: word) else {
            throw ValueError(
              "has the part \"\(word)\"",
              hint: "choose among \(listed(KeyPart.allCases.map(\.rawValue), "and")), or none")
          }
          parts.insert(part)
        }
        return parts
      }, setting: "key"
    ) { parts, settings in
      settings.key.host = parts.contains(.host)
      settings.key.scheme = parts.contains(.scheme)
      settings.key.device = parts.contains(.device)
      settings.key.country = parts.contains(.country)
    },
    BehaviorOption(
      Option<OnOff>.choice(
        "sort-query", group: keyGroup, "put query parameters in order, for key and origin"),
      setting: "key"
    ) { $1.key.sortsQuery = $0 == .on },
    BehaviorOption(
      Option<[String]>(
        "drop-query-strings", value: "none|names", group: keyGroup,
        "query parameters that neither key nor origin gets; tracking names those of campaigns"
      ) { (text) throws(ValueError) in text == "none" ? [] : try names(text) }, setting: "key"
    ) { $1.key.droppedQueryStrings = $0 },
    BehaviorOption(
      codings(
        "accept-encoding", group: keyGroup,
        "what Accept-Encoding is reduced to, for key and origin: gzip, br or both"),
      setting: "key"
    ) { $1.key.codings = $0 },
  ]

  private enum KeyPart: String, CaseIterable, Sendable {
    case host, scheme, device, country
  }

  private static func codings(
    _ name: String, group: String, _ summary: String
  ) -> Option<CodingSet> {
    Option(
      name, value: "none|codings", choices: ["none", "gzip", "br", "gzip,br"], group: group, summary
    ) { (text) throws(ValueError) in
      if text == "none" { return [] }
      var set: CodingSet = []
      for name in try names(text) {
        guard let coding = CodingSet(name: name) else {
          throw ValueError("has the coding \"\(name)\"", hint: "write gzip, br, gzip,br or none")
        }
        set.insert(coding)
      }
      return set
    }
  }

  // MARK: Responses

  private static let responses: [BehaviorOption] = [
    BehaviorOption(
      codings(
        "compress", group: responseGroup, "compress responses where viewers take it: gzip, br"),
      setting: "compression"
    ) { $1.compression.codings = $0 },
    BehaviorOption(
      .size(
        "compress-min-size", default: "1000", group: responseGroup,
        "leave smaller responses as they are"), setting: "compression"
    ) { $1.compression.minimumSize = $0 },
    BehaviorOption(
      .size(
        "compress-max-size", default: "10MB", group: responseGroup,
        "leave larger responses as they are"), setting: "compression"
    ) { $1.compression.maximumSize = $0 },
    BehaviorOption(
      Option<OptionalList>(
        "compress-types", value: "default|types", group: responseGroup,
        "media types to compress, text/* among them; default is CloudFront's list"
      ) { (text) throws(ValueError) in
        OptionalList(values: text == "default" ? nil : try names(text))
      }, setting: "compression"
    ) { $1.compression.types = $0.values },
    BehaviorOption(
      Option<ViewerProtocol>.choice(
        "viewer-protocol", default: "allow-all", group: responseGroup,
        "what becomes of requests over plain HTTP"), setting: "viewerProtocol"
    ) { $1.viewerProtocol = $0 },
    BehaviorOption(responseHeader, setting: "responseHeaders") { header, settings in
      var set = settings.responseHeaders.set
      if set.contains(header) { return }
      if header.mode != .append {
        set.removeAll { $0.name.lowercased() == header.name.lowercased() }
      }
      settings.responseHeaders.set = set + [header]
    },
    BehaviorOption(
      .text(
        "remove-response-header", value: "name", repeatable: true, group: responseGroup,
        "take a header off responses"), setting: "responseHeaders"
    ) { name, settings in
      let isThere = settings.responseHeaders.removed.contains {
        $0.lowercased() == name.lowercased()
      }
      if !isThere { settings.responseHeaders.removed.append(name) }
    },
    BehaviorOption(
      Option<Bool>(
        "security-headers", value: "standard|none", choices: ["standard", "none"],
        group: responseGroup, "add the browser's safeguards where the origin sends none"
      ) { (text) throws(ValueError) in
        switch text {
        case "standard": return true
        case "none": return false
        default:
          throw ValueError(
            "is not one of its values", hint: "write standard or none; a file has single headers")
        }
      }, setting: "responseHeaders"
    ) { $1.responseHeaders.security = $0 ? .standard : nil },
    BehaviorOption(hsts, setting: "responseHeaders") { field, settings in
      var security = settings.responseHeaders.security ?? SecurityHeaders()
      security.strictTransportSecurity = field.value
      settings.responseHeaders.security = security == SecurityHeaders() ? nil : security
    },
    BehaviorOption(
      Option<OptionalList>(
        "cors", value: "none|origins", group: responseGroup,
        "sites that may read responses: * or https://*.shop.example; preflights are answered here"
      ) { (text) throws(ValueError) in
        OptionalList(values: text == "none" ? nil : try names(text))
      }, setting: "responseHeaders"
    ) { list, settings in
      settings.responseHeaders.cors = list.values.map { origins in
        var cors = settings.responseHeaders.cors ?? CORSSettings()
        cors.origins = origins
        return cors
      }
    },
    cors(
      Option<OnOff>.choice(
        "cors-credentials", group: responseGroup, "whether they may send cookies")
    ) { $1.allowsCredentials = $0 == .on },
    cors(corsList("cors-methods", "methods that preflights allow")) { $1.methods = $0 },
    cors(corsList("cors-headers", "request headers that preflights allow")) { $1.headers = $0 },
    cors(corsList("cors-expose", "response headers that scripts may read")) {
      $1.exposedHeaders = $0
    },
    cors(
      Option<OptionalSeconds>(
        "cors-max-age", value: "duration|none", group: responseGroup,
        "how long a browser keeps a preflight's answer"
      ) { (text) throws(ValueError) in try OptionalSeconds.read(text) }
    ) { $1.maxAge = $0.seconds },
    cors(
      Option<OnOff>.choice(
        "cors-override", group: responseGroup,
        "whether the origin's own Access-Control fields give way (default on)")
    ) { $1.overridesOrigin = $0 == .on },
    BehaviorOption(
      Option<OptionalPercent>(
        "server-timing", value: "percent|off", group: responseGroup,
        "share of responses with Server-Timing"
      ) { (text) throws(ValueError) in
        if text == "off" { return OptionalPercent(value: nil) }
        let number = text.hasSuffix("%") ? String(text.dropLast()) : text
        guard let value = Double(number), (0...100).contains(value) else {
          throw ValueError("is no percentage", hint: "write 0 to 100, or off")
        }
        return OptionalPercent(value: value)
      }, setting: "responseHeaders"
    ) { $1.responseHeaders.serverTiming = $0.value },
  ]

  private static let responseHeader = Option<ResponseHeader>(
    "response-header", value: "[mode ]name: value", repeatable: true, separator: "\n",
    group: responseGroup,
    "set a header of responses; mode is override (the default), if-absent or append"
  ) { (text) throws(ValueError) in
    var rest = text[...]
    var mode = ResponseHeader.Mode.override
    if let word = rest.split(separator: " ", maxSplits: 1).first,
      let named = ResponseHeader.Mode(rawValue: String(word))
    {
      mode = named
      rest = rest.dropFirst(word.count)
    }
    let field = try headerField(String(rest))
    return ResponseHeader(name: field.name, value: field.value, mode: mode)
  }

  private static let hsts = Option<OptionalField>(
    "hsts", value: "none|duration[,subdomains][,preload]", group: responseGroup,
    "have browsers come over HTTPS only for so long (Strict-Transport-Security, over TLS alone)"
  ) { (text) throws(ValueError) in
    if text == "none" { return OptionalField(value: nil) }
    let words = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard let seconds = words.first.flatMap(Quantity.seconds) else {
      throw ValueError("has no duration", hint: "write it like 365d,subdomains, or none")
    }
    var value = "max-age=\(seconds)"
    let names = ["subdomains": "includeSubDomains", "preload": "preload"]
    for word in words.dropFirst() {
      guard let name = names[word.lowercased()] else {
        throw ValueError(
          "has the word \"\(word)\"", hint: "write it like 365d,subdomains,preload")
      }
      value += "; \(name)"
    }
    return OptionalField(value: value)
  }

  private static func corsList(_ name: String, _ summary: String) -> Option<[String]> {
    Option(name, value: "none|*|names", group: responseGroup, summary) {
      (text) throws(ValueError) in
      text == "none" ? [] : try names(text)
    }
  }

  private static func cors<Value>(
    _ option: Option<Value>, _ change: @escaping @Sendable (Value, inout CORSSettings) -> Void
  ) -> BehaviorOption {
    BehaviorOption(option, setting: "responseHeaders") { value, settings in
      var cors = settings.responseHeaders.cors ?? CORSSettings()
      change(value, &cors)
      settings.responseHeaders.cors = cors
    }
  }

  struct OptionalField: Sendable { let value: String? }
  struct OptionalList: Sendable { let values: [String]? }
  struct OptionalPercent: Sendable { let value: Double? }

  // MARK: Words

  /// Names with commas.
  static func names(_ text: String) throws(ValueError) -> [String] {
    let names = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard !names.contains("") else {
      throw ValueError("has an empty name", hint: "write names with commas, or none")
    }
    return names
  }

  /// `Name: value`, as curl takes it.
  static func headerField(_ text: String) throws(ValueError) -> HeaderField {
    guard let colon = text.firstIndex(of: ":"), colon != text.startIndex else {
      throw ValueError("is no header", hint: "write it like 'X-Site: shop'")
    }
    return HeaderField(
      name: String(text[..<colon].trimmed),
      value: String(text[text.index(after: colon)...].trimmed))
  }
}
