// SPDX-License-Identifier: Apache-2.0

/// "did you mean".
enum Suggestion {
  /// The candidate that a slip of the fingers most likely meant, if any is near enough.
  static func closest(to word: String, in candidates: [String]) -> String? {
    let wanted = Array(word.lowercased().utf8.prefix(64))
    // A third of the letters may be wrong: "shpo" finds "shop", "x" finds nothing.
    let limit = max(1, min(3, wanted.count / 3))
    var best: (candidate: String, distance: Int)?
    for candidate in candidates {
      let letters = Array(candidate.lowercased().utf8)
      let distance =
        wanted.count >= 3 && letters.starts(with: wanted) ? 1 : distance(wanted, letters)
      guard distance <= limit, distance < letters.count else { continue }
      if best == nil || distance < best!.distance { best = (candidate, distance) }
    }
    return best?.candidate
  }

  /// Damerau and Levenshtein's: insertions, deletions, substitutions, and swapped neighbors.
  static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    if abs(a.count - b.count) > 3 { return abs(a.count - b.count) }
    var older = [Int](repeating: 0, count: b.count + 1)
    var last = Array(0...b.count)
    for i in 0..<a.count {
      var row = [i + 1]
      row.reserveCapacity(b.count + 1)
      for j in 0..<b.count {
        var cost = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, older[j - 1] + 1) }
        row.append(cost)
      }
      older = last
      last = row
    }
    return last[b.count]
  }

  /// `a, b or c`.
  static func alternatives(_ words: [String]) -> String {
    guard let last = words.last, words.count > 1 else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " or " + last
  }
}
