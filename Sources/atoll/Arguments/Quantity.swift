// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Durations and sizes as people write and read them.
enum Quantity {
  private static let seconds: [(unit: String, factor: Int)] = [
    ("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1),
  ]

  /// `90`, `90s`, `15m`, `1h`, `1h30m`, `7d`, `2w`: units descending, each at most once.
  static func seconds(_ text: String) -> Int? {
    if let plain = digits(text[...]) { return plain }
    var total = 0
    var rest = text[...]
    var units = seconds[...]
    guard !rest.isEmpty else { return nil }
    while !rest.isEmpty {
      let number = rest.prefix { $0.isASCII && $0.isNumber }
      guard let count = digits(number) else { return nil }
      rest = rest.dropFirst(number.count)
      guard let letter = rest.popFirst()?.lowercased(),
        let index = units.firstIndex(where: { $0.unit == letter })
      else { return nil }
      let (product, tooLarge) = count.multipliedReportingOverflow(by: units[index].factor)
      let (sum, overflow) = total.addingReportingOverflow(product)
      guard !tooLarge, !overflow else { return nil }
      total = sum
      units = units[(index + 1)...]
    }
    return total
  }

  /// `4096`, `512K`, `64M`, `20G`, `1T` and the same with `iB`: powers of 1024; `MB`: of 1000.
  static func bytes(_ text: String) -> Int? {
    let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    var unit = text.dropFirst(number.count).lowercased()
    guard !number.isEmpty else { return nil }
    var base = 1024
    if unit.hasSuffix("ib") {
      unit.removeLast(2)
      guard !unit.isEmpty else { return nil }
    } else if unit.hasSuffix("b") {
      unit.removeLast()
      base = 1000
    }
    guard let power = ["", "k", "m", "g", "t"].firstIndex(of: unit) else { return nil }
    var factor = 1
    for _ in 0..<power { factor *= base }
    if let whole = digits(number) {
      let (product, overflow) = whole.multipliedReportingOverflow(by: factor)
      return overflow ? nil : product
    }
    guard power > 0, let fraction = Double(number) else { return nil }
    return Int(exactly: (fraction * Double(factor)).rounded())
  }

  /// `1d`, `1h 30m`, `90s` as `1m 30s`.
  static func duration(_ total: Int) -> String {
    if total == 0 { return "0s" }
    var rest = total.magnitude
    var parts: [String] = []
    // Weeks read worse than days: `14d`.
    for (unit, factor) in seconds.dropFirst() where rest >= UInt(factor) {
      parts.append("\(rest / UInt(factor))\(unit)")
      rest %= UInt(factor)
    }
    return (total < 0 ? "-" : "") + parts.joined(separator: " ")
  }

  /// `512 B`, `1.5 KiB`, `64 MiB`.
  static func size(_ bytes: Int) -> String {
    var value = Double(bytes)
    var unit = 0
    while value >= 1023.95, unit < 4 {
      value /= 1024
      unit += 1
    }
    if unit == 0 { return "\(bytes) B" }
    let tenths = Int((value * 10).rounded())
    let number = tenths % 10 == 0 || tenths >= 1000 ? "\((tenths + 5) / 10)" : decimal(tenths)
    return "\(number) \(["B", "KiB", "MiB", "GiB", "TiB"][unit])"
  }

  /// `12.3` of 123 tenths.
  static func decimal(_ tenths: Int) -> String {
    "\(tenths / 10).\(abs(tenths % 10))"
  }

  /// `1 entry`, `14 entries`.
  static func count(_ number: Int, _ one: String, _ many: String) -> String {
    "\(number) \(number == 1 ? one : many)"
  }

  private static func digits(_ text: Substring) -> Int? {
    guard !text.isEmpty, text.utf8.allSatisfy(isDigit) else { return nil }
    return Int(text)
  }
}
