// SPDX-License-Identifier: Apache-2.0

/// Labels with their values below each other, for one thing shown in full.
struct Details {
  private var rows: [(label: String, lines: [String])] = []

  mutating func add(_ label: String, _ value: String) {
    rows.append((label, [value]))
  }

  /// Nothing when there are no lines.
  mutating func add(_ label: String, lines: [String]) {
    if !lines.isEmpty { rows.append((label, lines)) }
  }

  func text(_ console: Console) -> String {
    let width = rows.map(\.label.count).max() ?? 0
    let margin = String(repeating: " ", count: width + 2)
    var text = ""
    for (label, lines) in rows {
      let padding = String(repeating: " ", count: width + 2 - label.count)
      text += console.styled(label, .bold)
      // A heading of what stands below it.
      if lines != [""] { text += padding }
      text += lines.joined(separator: "\n" + margin) + "\n"
    }
    return text
  }
}
