// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc

/// The options of where responses come from.
enum OriginOptions {
  static let group = "Origin"
  static let furtherGroup = "Further origins"

  static let origin = Option.text(
    "origin", value: "url", repeatable: true, group: group,
    "where responses come from: http[s]://host[:port][/path]; further ones share its load")
  static let originProtocol = Option<ProtocolPolicy>.choice(
    "origin-protocol", group: group,
    "how the origin is spoken to: match-viewer asks an http:// origin over https for viewers that "
      + "came by https; the others are for an origin written without scheme")

  /// Of the distribution's own origin; as words, of a named one.
  static let all: [OriginOption] = [
    OriginOption(
      .integer(
        "origin-https-port", default: "443", in: 1...65_535, group: group,
        "with match-viewer: the port for https; the URL's is for http"), word: "https-port"
    ) { $1.httpsPort = $0 },
    OriginOption(
      .text(
        "origin-ca", value: "file|system", completes: .file, default: "system", group: group,
        "PEM file of the authorities to trust for the origin's certificate, or of that itself"),
      word: "ca"
    ) { $1.tls.ca = $0 == "system" ? nil : FilePath.absolute($0) },
    OriginOption(
      Option<OnOff>.choice(
        "origin-verify", default: "on", group: group,
        "whether the origin's certificate has to verify"), word: "verify"
    ) { $1.tls.verify = $0 == .on },
    OriginOption(
      Option<TLSVersion>.choice(
        "origin-tls-min", default: "TLSv1.2", group: group, "oldest TLS version to the origin"),
      word: "tls-min"
    ) { $1.tls.minimumVersion = $0 },
    OriginOption(
      .text(
        "origin-server-name", value: "name|none", group: group,
        "ask the origin for this name (SNI) and expect its certificate; else Host or its own name"),
      word: "server-name"
    ) { $1.tls.serverName = $0 == "none" ? nil : $0.lowercased() },
    OriginOption(
      .text(
        "origin-certificate", value: "file|none", completes: .file, group: group,
        "PEM file of a certificate that proves to the origin who asks"), word: "certificate"
    ) { $1.tls.certificate = $0 == "none" ? nil : FilePath.absolute($0) },
    OriginOption(
      .text(
        "origin-key", value: "file|none", completes: .file, group: group,
        "PEM file of its key, not encrypted"), word: "key"
    ) { $1.tls.key = $0 == "none" ? nil : FilePath.absolute($0) },
    OriginOption(
      .duration(
        "origin-connect-timeout", default: "10s", in: 1...10, group: group,
        "how long one attempt to connect may take, 1s to 10s"), word: "connect-timeout"
    ) { $1.connectTimeout = $0 },
    OriginOption(
      .integer(
        "origin-connect-attempts", default: "3", in: 1...3, group: group,
        "how often a connection is tried, 1 to 3"), word: "connect-attempts"
    ) { $1.connectAttempts = $0 },
    OriginOption(
      .duration(
        "origin-response-timeout", default: "30s", in: 1...120, group: group,
        "how long the origin may be silent, 1s to 2m"), word: "response-timeout"
    ) { $1.responseTimeout = $0 },
    OriginOption(
      .duration(
        "origin-keep-alive-timeout", default: "5s", in: 1...120, group: group,
        "how long an idle connection is kept, 1s to 2m"), word: "keep-alive-timeout"
    ) { $1.keepAliveTimeout = $0 },
    OriginOption(
      Option<HostHeader>(
        "host-header", value: "origin|viewer|name", default: "origin", group: group,
        "what Host tells the origin: its own name, the viewer's, or a name"
      ) { (text) throws(ValueError) in HostHeader(text) }
    ) { $1.hostHeader = $0 },
    OriginOption(
      Option<HeaderField>(
        "origin-header", value: "name: value", repeatable: true, separator: "\n", group: group,
        "send this header with every request"
      ) { (text) throws(ValueError) in try BehaviorOptions.headerField(text) }, word: "header"
    ) { field, origin in
      if let index = origin.headers.firstIndex(where: {
        $0.name.lowercased() == field.name.lowercased()
      }) {
        origin.headers[index] = field
      } else {
        origin.headers.append(field)
      }
    },
    OriginOption(
      Option<Balance>.choice(
        "balance", default: "round-robin", group: group, "which of several targets is asked next")
    ) { $1.balance = $0 },
    OriginOption(
      Option<OptionalSticky>(
        "sticky", value: "cookie[:duration]|none", group: group,
        "keep a viewer at one target by a cookie, for a day unless said otherwise"
      ) { (text) throws(ValueError) in
        if text == "none" { return OptionalSticky(session: nil) }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        var session = StickySession(cookie: String(parts[0]))
        if parts.count == 2 { session.duration = try seconds(parts[1]) }
        return OptionalSticky(session: session)
      }
    ) { $1.sticky = $0.session },
    OriginOption(
      Option<Ejection>(
        "eject", value: "failures[:duration]|off", default: "5:30s", group: group,
        "leave a target alone after so many failures in a row, for this long"
      ) { (text) throws(ValueError) in
        if text == "off" { return Ejection(failures: 0) }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let failures = Int(parts[0]), (0...100).contains(failures) else {
          throw ValueError("is no number of failures", hint: "write it like 5:30s, or off")
        }
        var ejection = Ejection(failures: failures)
        if parts.count == 2 { ejection.duration = try seconds(parts[1]) }
        return ejection
      }
    ) { $1.ejection = $0 },
    OriginOption(
      .text(
        "health-check", value: "path|none", group: group,
        "ask every target for this path now and then, and leave alone what fails")
    ) { path, origin in
      if path == "none" {
        origin.healthCheck = nil
      } else {
        var check = origin.healthCheck ?? HealthCheck()
        check.path = path
        origin.healthCheck = check
      }
    },
    check(
      .duration(
        "health-check-interval", default: "10s", in: 1...3_600, group: group,
        "time between two checks of one target")
    ) { $1.interval = $0 },
    check(
      .duration(
        "health-check-timeout", default: "5s", in: 1...60, group: group,
        "after which a check has failed")
    ) { $1.timeout = $0 },
    check(
      .integer(
        "health-check-unhealthy", default: "2", in: 1...10, group: group,
        "failed checks in a row until a target is left alone")
    ) { $1.unhealthyThreshold = $0 },
    check(
      .integer(
        "health-check-healthy", default: "2", in: 1...10, group: group,
        "successful checks in a row until it is asked again")
    ) { $1.healthyThreshold = $0 },
    check(
      Option<OptionalStatus>(
        "health-check-status", value: "status|any", default: "any", group: group,
        "the status that counts as success; any is 200 to 399"
      ) { (text) throws(ValueError) in
        if text == "any" { return OptionalStatus(status: nil) }
        guard let status = Int(text), (200...599).contains(status) else {
          throw ValueError("is no status", hint: "write it like 200, or any")
        }
        return OptionalStatus(status: status)
      }
    ) { $1.status = $0.status },
  ]

  static let namedOrigin = Option<NamedOriginSetting>(
    "named-origin", value: "name=url", repeatable: true, separator: ";", group: furtherGroup,
    "a further origin, for paths and groups; after it settings of its own: 'img=http://b balance=hash'",
    read: NamedOriginSetting.read)
  static let originGroup = Option<OriginGroup>(
    "origin-group", value: "name=origins[:statuses]", repeatable: true, separator: ";",
    group: furtherGroup,
    "origins asked one after the other: both=default,spare:500,502; else on 500, 502, 503 and 504"
  ) { (text) throws(ValueError) in
    let hint = "write it like both=default,spare or both=default,spare:500,502"
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty else { throw ValueError("has no name", hint: hint) }
    let lists = parts[1].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    var group = OriginGroup(
      name: String(parts[0]), members: try BehaviorOptions.names(String(lists[0])))
    guard lists.count == 2 else { return group }
    group.statuses = []
    for text in lists[1].split(separator: ",") {
      guard let status = Int(text) else {
        throw ValueError("has the status \"\(text)\"", hint: hint)
      }
      group.statuses.append(status)
    }
    return group
  }

  static let insecure = Option.flag(
    "origin-insecure", group: group,
    "take whatever certificate the origin shows: whoever stands between can read and change what "
      + "passes; the same as --origin-verify off")

  // For update.

  static let removeOrigin = Option.text(
    "remove-origin", value: "name", repeatable: true, group: furtherGroup, "drop a named origin")
  static let removeOriginGroup = Option.text(
    "remove-origin-group", value: "name", repeatable: true, group: furtherGroup,
    "drop an origin group")
  static let removeOriginHeader = Option.text(
    "remove-origin-header", value: "name", repeatable: true, group: group,
    "stop sending a header to the origin")

  struct OptionalSticky: Sendable { let session: StickySession? }
  struct OptionalStatus: Sendable { let status: Int? }

  private static func check<Value>(
    _ option: Option<Value>, _ change: @escaping @Sendable (Value, inout HealthCheck) -> Void
  ) -> OriginOption {
    OriginOption(option) { value, origin in
      var check = origin.healthCheck ?? HealthCheck()
      change(value, &check)
      origin.healthCheck = check
    }
  }

  private static func seconds(_ text: Substring) throws(ValueError) -> Int {
    guard let seconds = Quantity.seconds(String(text)) else {
      throw ValueError("has \"\(text)\", which is no duration", hint: "write it like 30s or 1h")
    }
    return seconds
  }
}

enum ProtocolPolicy: String, CaseIterable, Sendable {
  case httpOnly = "http-only"
  case httpsOnly = "https-only"
  case matchViewer = "match-viewer"

  /// Of the origin's URL.
  var scheme: Scheme { self == .httpsOnly ? .https : .http }
}

enum FilePath {
  /// As edges need it, which run in other directories: relative ones are the caller's.
  static func absolute(_ path: String) -> String {
    if path.hasPrefix("/") || path.isEmpty { return path }
    guard let directory = getcwd(nil, 0) else { return path }
    defer { free(directory) }
    return "\(String(cString: directory))/\(path)"
  }
}

/// The value of --named-origin: `name=url[,url…]`, and settings after spaces.
struct NamedOriginSetting: Sendable {
  var name: String
  var origin: Origin
  var words: [(option: OriginOption, text: String)] = []

  static func read(_ text: String) throws(ValueError) -> NamedOriginSetting {
    let hint = "write it like images=http://10.0.0.9:9000"
    var words = text.split(separator: " ").map(String.init)
    let parts = (words.first ?? "").split(
      separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty else { throw ValueError("has no name", hint: hint) }
    words.removeFirst()
    let urls = try BehaviorOptions.names(String(parts[1]))
    var setting = NamedOriginSetting(
      name: String(parts[0]), origin: try OriginURLs.read(urls))
    for word in words {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, let option = OriginOptions.all.first(where: { $0.word == parts[0] })
      else {
        let near = Suggestion.closest(
          to: String(parts[0]), in: OriginOptions.all.map(\.word))
        throw ValueError(
          "has \"\(word)\" after its URL",
          hint: near.map { "did you mean \($0)=…?" } ?? "\(hint), or with balance=hash after it")
      }
      do {
        _ = try option.edit(String(parts[1]))
      } catch {
        throw ValueError("has \"\(word)\", which \(error.problem)", hint: error.hint)
      }
      setting.words.append((option, String(parts[1])))
    }
    return setting
  }
}

enum OriginURLs {
  /// The first is the origin's address, the others are its targets.
  static func read(_ urls: [String]) throws(ValueError) -> Origin {
    var origin: Origin?
    for url in urls {
      let read: Origin
      do throws(ConfigError) {
        read = try Origin(url: url)
      } catch {
        throw ValueError(
          "has an address that cannot be used: \(error.problems[0].what)",
          hint: error.problems[0].hint)
      }
      guard let first = origin else {
        origin = read
        continue
      }
      if read.scheme != first.scheme || !(read.path.isEmpty || read.path == first.path) {
        throw ValueError(
          "has targets of different kinds", hint: "give all one scheme, and the first the path")
      }
      origin?.targets.append(OriginTarget(host: read.host, port: read.port))
    }
    return origin!
  }
}
