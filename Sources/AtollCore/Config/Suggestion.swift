// SPDX-License-Identifier: Apache-2.0

/// The candidate that a mistyped word most likely meant, for "did you mean"; nil when none is near.
package func nearestName(to word: String, among candidates: some Sequence<String>) -> String? {
  let typed = Array(word.lowercased().utf8.prefix(64))
  var best: (name: String, distance: Int)?
  for candidate in candidates {
    let other = Array(candidate.lowercased().utf8.prefix(64))
    // A third of the letters may be wrong: more is another word.
    let allowed = max(1, min(typed.count, other.count) / 3)
    let distance = editDistance(typed, other)
    if distance <= allowed && distance < other.count && distance < best?.distance ?? .max {
      best = (candidate, distance)
    }
  }
  return best?.name
}

/// Insertions, deletions, replacements and swaps of neighbors that turn `a` into `b`.
private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
  if a == b { return 0 }
  var beforeLast: [Int] = []
  var last = Array(0...b.count)
  for i in a.indices {
    var row = [i + 1]
    row.reserveCapacity(b.count + 1)
    for j in b.indices {
      var cost = min(row[j] + 1, last[j + 1] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
        cost = min(cost, beforeLast[j - 1] + 1)
      }
      row.append(cost)
    }
    beforeLast = last
    last = row
  }
  return last[b.count]
}
