// SPDX-License-Identifier: Apache-2.0

/// Columns that line up, two spaces between them.
struct Table {
  enum Alignment { case left, right }

  struct Column {
    let title: String
    var alignment = Alignment.left

    static func left(_ title: String) -> Column { Column(title: title) }
    static func right(_ title: String) -> Column { Column(title: title, alignment: .right) }
  }

  private let columns: [Column]
  private var rows: [[String]] = []

  init(_ columns: [Column]) {
    self.columns = columns
  }

  /// As many cells as there are columns.
  mutating func add(_ cells: [String]) {
    precondition(cells.count == columns.count, "a row has a cell for each column")
    rows.append(cells)
  }

  /// The titles are styled after the widths are known, so color moves nothing.
  func text(_ console: Console) -> String {
    let widths = columns.indices.map { index in
      max(width(columns[index].title), rows.map { width($0[index]) }.max() ?? 0)
    }
    let titles = line(columns.map(\.title), widths)
    return ([console.styled(titles, .bold)] + rows.map { line($0, widths) })
      .map { $0 + "\n" }.joined()
  }

  private func line(_ cells: [String], _ widths: [Int]) -> String {
    var text = ""
    for (index, cell) in cells.enumerated() {
      if index > 0 { text += "  " }
      let padding = String(repeating: " ", count: widths[index] - width(cell))
      switch columns[index].alignment {
      case .right: text += padding + cell
      // No spaces at the end of a line.
      case .left: text += index == cells.count - 1 ? cell : cell + padding
      }
    }
    return text
  }

  /// Nearly all cells are ASCII, where bytes need no search for grapheme boundaries.
  private func width(_ cell: String) -> Int {
    cell.utf8.allSatisfy { $0 < 0x80 } ? cell.utf8.count : cell.count
  }
}

/// A list in a cell: of many the first two.
func firstOf(_ names: [String]) -> String {
  if names.isEmpty { return "-" }
  let more = names.count > 2 ? " and \(names.count - 2) more" : ""
  return names.prefix(2).joined(separator: ", ") + more
}
