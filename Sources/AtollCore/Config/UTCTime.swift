// SPDX-License-Identifier: Apache-2.0

/// RFC 3339 times in UTC, to the second, as configurations and the journal hold them.
package enum UTCTime {
  package static func format(_ seconds: Int64) -> String {
    let day = seconds.quotient(floor: 86_400)
    let second = seconds - day * 86_400
    // Days since 0000-03-01, so that a leap day ends its year.
    let shifted = day + 719_468
    let era = shifted.quotient(floor: 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthIndex = (5 * dayOfYear + 2) / 153
    let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    func digits(_ value: Int64, _ width: Int) -> String {
      let text = String(value)
      return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }
    return
      "\(digits(year, 4))-\(digits(month, 2))-\(digits(dayOfYear - (153 * monthIndex + 2) / 5 + 1, 2))"
      + "T\(digits(second / 3_600, 2)):\(digits(second / 60 % 60, 2)):\(digits(second % 60, 2))Z"
  }

  /// Exactly the form that `format` writes, or nil.
  static func parse(_ text: String) -> Int64? {
    let bytes = Array(text.utf8)
    guard bytes.count == 20 else { return nil }
    let form = Array("0000-00-00T00:00:00Z".utf8)
    for (byte, expected) in zip(bytes, form) {
      if expected == UInt8(ascii: "0") ? !isDigit(byte) : byte != expected { return nil }
    }
    func number(_ start: Int, _ length: Int) -> Int64 {
      bytes[start..<start + length].reduce(0) { $0 * 10 + Int64($1 - 48) }
    }
    let month = number(5, 2)
    let day = number(8, 2)
    let year = number(0, 4) - (month <= 2 ? 1 : 0)
    guard (1...12).contains(month), (1...31).contains(day) else { return nil }
    let era = year.quotient(floor: 400)
    let yearOfEra = year - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    let days = era * 146_097 + dayOfEra - 719_468
    let seconds =
      days * 86_400 + number(11, 2) * 3_600 + number(14, 2) * 60 + number(17, 2)
    // The 31st of a shorter month and 25 o'clock come out as another time.
    return format(seconds) == text ? seconds : nil
  }
}

extension Int64 {
  fileprivate func quotient(floor divisor: Int64) -> Int64 {
    self >= 0 ? self / divisor : (self - divisor + 1) / divisor
  }
}
