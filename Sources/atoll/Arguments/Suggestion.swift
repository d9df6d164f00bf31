// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// "did you mean".
enum Suggestion {
  /// The candidate that a slip of the fingers or an abbreviation most likely meant, if any.
  static func closest(to word: String, in candidates: [String]) -> String? {
    let dashes = word.prefix { $0 == "-" }.count
    let completions = candidates.filter { $0.hasPrefix(word) }
    if word.count - dashes >= 3, completions.count == 1 { return completions[0] }
    return nearestName(to: word, among: candidates)
  }
}
