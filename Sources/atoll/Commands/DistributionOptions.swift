// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc

/// Every setting of a distribution as an option: what create and update share.
enum DistributionOptions {
  private static let cachingGroup = "Caching"
  private static let pathGroup = "Paths"
  private static let errorGroup = "Documents and errors"
  private static let viewerGroup = "Viewers"
  private static let distributionGroup = "Distribution"

  // MARK: Caching and paths

  static let preset = Option<Preset>.choice(
    "preset", among: [.origin, .static, .dynamic, .wordpress, .spa], default: "origin",
    group: cachingGroup, "settings to start from")
  static let defaultBehavior = Option<Caching>.choice(
    "default-behavior", among: [.cache, .dontCache], group: cachingGroup,
    "what happens to paths that no override names")
  static let cachePath = Option<PathSetting>(
    "cache-path", value: "path", repeatable: true, separator: ";", group: pathGroup,
    "cache what this path matches: '/img/*' or '/img/* default=1h origin=images'",
    read: PathSetting.read)
  static let dontCachePath = Option<PathSetting>(
    "dont-cache-path", value: "path", repeatable: true, separator: ";", group: pathGroup,
    "pass what this path matches on uncached"
  ) { (text) throws(ValueError) in
    let setting = try PathSetting.read(text)
    guard !setting.hasLifetime else {
      throw ValueError(
        "has a lifetime, but is not cached", hint: "use --cache-path, or leave the lifetime out")
    }
    return setting
  }

  // MARK: Documents and errors

  static let rootObject = document(
    "root-object", "path|none", "served for / alone, such as index.html")
  static let indexDocument = document(
    "index-document", "name|none", "appended to paths below / that end in a slash")
  static let errorPage = Option<ErrorResponse>(
    "error-page", value: "status=page[:status]", repeatable: true, separator: ";",
    group: errorGroup,
    "page for an error, and its new status: 404=/404.html, 404=/index.html:200, "
      + "404=file:/srv/404.html, '503 ttl=5s'",
    read: ErrorPageSetting.read)
  static let errorTTL = Option<OptionalSeconds>(
    "error-ttl", value: "duration|none", group: errorGroup,
    "how long errors that give no lifetime are served again; none leaves it to RFC 9111"
  ) { (text) throws(ValueError) in try OptionalSeconds.read(text) }

  private static func document(
    _ name: String, _ value: String, _ summary: String
  ) -> Option<OptionalText> {
    Option(name, value: value, group: errorGroup, summary) { (text) throws(ValueError) in
      OptionalText(text: text == "none" ? nil : text)
    }
  }

  // MARK: Viewers

  static let trustedProxy = Option.text(
    "trusted-proxy", value: "address", repeatable: true, group: viewerGroup,
    "believe X-Forwarded-For and X-Forwarded-Proto from here: 10.0.0.7 or 10.0.0.0/8")
  static let geoAllow = countries(
    "geo-allow", excludes: "geo-block", "serve these countries alone: DE,AT; none for no bound")
  static let geoBlock = countries(
    "geo-block", excludes: "geo-allow", "refuse these countries; none for no bound")

  private static func countries(
    _ name: String, excludes other: String, _ summary: String
  ) -> Option<[String]> {
    Option(name, value: "none|countries", excludes: [other], group: viewerGroup, summary) {
      (text) throws(ValueError) in
      text == "none" ? [] : try BehaviorOptions.names(text.uppercased())
    }
  }

  // MARK: Distribution

  static let plan = Option<Plan>.choice(
    "plan", default: "unlimited", group: distributionGroup, "monthly transfer: 50, 200 or 500 GB")
  static let enabled = Option.flag(
    "enabled", excludes: ["disabled"], group: distributionGroup, "serve it, as is the default")
  static let disabled = Option.flag(
    "disabled", excludes: ["enabled"], group: distributionGroup, "keep it, but refuse its viewers")
  static let tag = Option<Tag>(
    "tag", value: "key=value", repeatable: true, group: distributionGroup,
    "label it"
  ) { (text) throws(ValueError) in
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard let key = parts.first, !key.isEmpty else {
      throw ValueError("has no key", hint: "write key=value")
    }
    return Tag(key: String(key), value: parts.count == 2 ? String(parts[1]) : "")
  }
  static let file = Option.text(
    "file", value: "file", completes: .file, group: distributionGroup,
    "read the settings from a JSON file, - for stdin; options win over it")

  // MARK: Removals, for update

  static let removePath = Option.text(
    "remove-path", value: "path", repeatable: true, group: pathGroup,
    "drop the override of this path")
  static let clearPaths = Option.flag(
    "clear-paths", group: pathGroup, "drop every override, before those given here are added")
  static let clearResponseHeaders = Option.flag(
    "clear-response-headers", group: "Responses",
    "drop what is set and removed, before what is given here is added")
  static let removeErrorPage = Option<Int>.integer(
    "remove-error-page", value: "status", in: 100...599, group: errorGroup,
    "drop what an error has of its own")
  static let removeTrustedProxy = Option.text(
    "remove-trusted-proxy", value: "address", repeatable: true, group: viewerGroup,
    "believe it no longer")
  static let removeTag = Option.text(
    "remove-tag", value: "key", repeatable: true, group: distributionGroup, "drop a label")

  /// For create, which also reads `file`.
  static let settings: [OptionDefinition] =
    [OriginOptions.origin.definition, OriginOptions.originProtocol.definition]
    + OriginOptions.all.map(\.definition) + [OriginOptions.insecure.definition]
    + [OriginOptions.namedOrigin.definition, OriginOptions.originGroup.definition]
    + [preset.definition, defaultBehavior.definition]
    + [cachePath.definition, dontCachePath.definition]
    + BehaviorOptions.all.compactMap(\.definition)
    + [
      rootObject.definition, indexDocument.definition, errorPage.definition, errorTTL.definition,
      trustedProxy.definition, geoAllow.definition, geoBlock.definition, plan.definition,
      enabled.definition, disabled.definition, tag.definition, file.definition,
    ]

  static let removals: [OptionDefinition] = [
    OriginOptions.removeOriginHeader.definition, OriginOptions.removeOrigin.definition,
    OriginOptions.removeOriginGroup.definition, removePath.definition, clearPaths.definition,
    clearResponseHeaders.definition, removeErrorPage.definition, removeTrustedProxy.definition,
    removeTag.definition,
  ]
}

struct OptionalText: Sendable, Equatable {
  let text: String?
}

/// The value of --error-page: `404=/404.html`, `404=/index.html:200`, `404=file:/srv/404.html`, or a
/// status alone, each with a lifetime after a space: `503 ttl=5s`.
enum ErrorPageSetting {
  static func read(_ text: String) throws(ValueError) -> ErrorResponse {
    let hint =
      "write it like 404=/404.html, 404=/index.html:200, 404=file:/srv/404.html or '503 ttl=5s'"
    var words = text.split(separator: " ").map(String.init)
    let parts = (words.first ?? "").split(
      separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard let status = parts.first.flatMap({ Int($0) }) else {
      throw ValueError("names no status", hint: hint)
    }
    words.removeFirst()
    var response = ErrorResponse(status: status)
    if parts.count == 2 {
      var page = String(parts[1])
      // A status after the last colon; a path may hold colons of its own.
      if let colon = page.lastIndex(of: ":"), page[colon...].utf8.count == 4,
        let status = Int(page[page.index(after: colon)...])
      {
        response.responseStatus = status
        page = String(page[..<colon])
      }
      guard !page.isEmpty else { throw ValueError("names no page", hint: hint) }
      response.page =
        page.hasPrefix("file:") ? .file(FilePath.absolute(String(page.dropFirst(5)))) : .path(page)
    }
    for word in words {
      guard word.hasPrefix("ttl="), let seconds = Quantity.seconds(String(word.dropFirst(4)))
      else { throw ValueError("has \"\(word)\" after its page", hint: hint) }
      response.minimumTTL = seconds
    }
    return response
  }
}
