// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Says where a setting stands in the words of the command line: validation knows files only.
enum OptionPlaces {
  private static let options = [
    "origin.url": "--origin",
    "settings.ttl.minimum": "--min-ttl",
    "settings.ttl.default": "--default-ttl",
    "settings.ttl.maximum": "--max-ttl",
    "settings.staleIfError": "--stale-if-error",
    "settings.cachedMethods": "--cache-options",
    "settings.allowedMethods": "--allowed-methods",
    "settings.forwardedHeaders": "--forward-headers",
    "settings.forwardedCookies": "--forward-cookies",
    "settings.forwardedQueryStrings": "--forward-query-strings",
    "tags": "--tag",
  ]

  static func translated(_ error: ConfigError, of distribution: Distribution) -> ConfigError {
    ConfigError(problems: error.problems.map { translated($0, distribution) })
  }

  private static func translated(_ problem: ConfigError.Problem, _ distribution: Distribution)
    -> ConfigError.Problem
  {
    var problem = problem
    if let option = options[problem.where] {
      problem.where = option
    } else if problem.where.hasPrefix("tags.") {
      problem.where = "--tag"
    } else if let override = override(at: problem.where, distribution) {
      problem.where = override.caching == .cache ? "--cache-path" : "--dont-cache-path"
      if problem.what.contains("is never reached") && distribution.revision > 0 {
        problem.hint += "; --clear-paths and all paths in their order set them anew"
      }
    }
    return problem
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
