// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Says where a setting stands in the words of the command line: validation knows files only.
enum OptionPlaces {
  /// A place of the file, or what encloses it.
  private static let options = [
    "origin": "--origin",
    "origin.balance": "--balance",
    "origin.connectAttempts": "--origin-connect-attempts",
    "origin.connectTimeout": "--origin-connect-timeout",
    "origin.ejection": "--eject",
    "origin.headers": "--origin-header",
    "origin.healthCheck": "--health-check",
    "origin.hostHeader": "--host-header",
    "origin.httpsPort": "--origin-https-port",
    "origin.sticky": "--sticky",
    "origin.tls.ca": "--origin-ca",
    "origin.tls.certificate": "--origin-certificate",
    "origin.tls": "--origin-certificate and --origin-key",
    "origin.tls.key": "--origin-key",
    "origin.tls.serverName": "--origin-server-name",
    "origins": "--named-origin",
    "originGroups": "--origin-group",
    "errors.minimumTTL": "--error-ttl",
    "errors.responses": "--error-page",
    "geoRestriction": "--geo-allow or --geo-block",
    "indexDocument": "--index-document",
    "rootObject": "--root-object",
    "settings.allowedMethods": "--allowed-methods",
    "settings.cachedMethods": "--cache-options",
    "settings.compression.maximumSize": "--compress-max-size",
    "settings.compression.minimumSize": "--compress-min-size",
    "settings.compression.types": "--compress-types",
    "settings.forwardedCookies": "--forward-cookies",
    "settings.forwardedHeaders": "--forward-headers",
    "settings.forwardedQueryStrings": "--forward-query-strings",
    "settings.key.dropQueryStrings": "--drop-query-strings",
    "settings.origin": "--use-origin",
    "settings.originRequest.cookies": "--origin-request-cookies",
    "settings.originRequest.headers": "--origin-request-headers",
    "settings.originRequest.queryStrings": "--origin-request-query-strings",
    "settings.responseHeaders.cors": "--cors",
    "settings.responseHeaders.cors.credentials": "--cors-credentials",
    "settings.responseHeaders.cors.exposedHeaders": "--cors-expose",
    "settings.responseHeaders.cors.headers": "--cors-headers",
    "settings.responseHeaders.cors.maxAge": "--cors-max-age",
    "settings.responseHeaders.cors.methods": "--cors-methods",
    "settings.responseHeaders.remove": "--remove-response-header",
    "settings.responseHeaders.set": "--response-header",
    "settings.sliceSize": "--slice-size",
    "settings.staleIfError": "--stale-if-error",
    "settings.ttl.default": "--default-ttl",
    "settings.ttl.maximum": "--max-ttl",
    "settings.ttl.minimum": "--min-ttl",
    "tags": "--tag",
    "trustedProxies": "--trusted-proxy",
  ]

  static func translated(_ error: ConfigError, of distribution: Distribution) -> ConfigError {
    ConfigError(problems: error.problems.map { translated($0, distribution) })
  }

  /// What hints of files say, and what does the same here.
  private static let remedies = [
    "add it to \"origins\"": "add it with --named-origin",
    "list cookies under forwardedCookies": "name cookies with --forward-cookies",
    "write it as hostHeader": "give it with --host-header",
  ]

  private static func translated(_ problem: ConfigError.Problem, _ distribution: Distribution)
    -> ConfigError.Problem
  {
    var problem = problem
    problem.hint = remedies[problem.hint] ?? problem.hint
    if let option = option(at: problem.where) {
      problem.where = option
    } else if let override = override(at: problem.where, distribution) {
      problem.where = override.caching == .cache ? "--cache-path" : "--dont-cache-path"
      if problem.what.contains("is never reached") && distribution.revision > 0 {
        problem.hint += "; --clear-paths and all paths in their order set them anew"
      }
    }
    return problem
  }

  private static func option(at place: String) -> String? {
    var enclosing = place[...]
    while true {
      if let option = options[String(enclosing)] { return option }
      // An index may stand at the end: `set[0]`.
      guard let end = enclosing.lastIndex(where: { $0 == "." || $0 == "[" }) else { return nil }
      enclosing = enclosing[..<end]
    }
  }

  /// Of "behaviors[2].path" the third.
  private static func override(at place: String, _ distribution: Distribution) -> PathBehavior? {
    guard place.hasPrefix("behaviors["), let end = place.firstIndex(of: "]"),
      let index = Int(place[place.index(place.startIndex, offsetBy: 10)..<end]),
      distribution.behaviors.indices.contains(index)
    else { return nil }
    return distribution.behaviors[index]
  }
}
