// SPDX-License-Identifier: Apache-2.0

/// A moment in the proleptic Gregorian calendar, UTC, of the years 0 to 9999.
struct CalendarDate {
  var year: Int
  var month: Int
  var day: Int
  var hour: Int
  var minute: Int
  var second: Int
  /// 0 is Sunday.
  var weekday: Int

  /// Moments outside the years 0 to 9999 become the nearest that lies inside.
  init(seconds: Int64) {
    let seconds = Int(min(max(seconds, -62_167_219_200), 253_402_300_799))
    let days = (seconds - (seconds % 86_400 + 86_400) % 86_400) / 86_400
    let time = seconds - days * 86_400
    hour = time / 3600
    minute = time / 60 % 60
    second = time % 60
    weekday = ((days + 4) % 7 + 7) % 7
    // Years that begin in March put the leap day last; an era has 400 of them.
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  /// Seconds since 1970; nil when there is no such day.
  static func seconds(year: Int, month: Int, day: Int, time: Int) -> Int64? {
    guard (1...12).contains(month), day >= 1, day <= length(ofMonth: month, year: year) else {
      return nil
    }
    let marchYear = month <= 2 ? year - 1 : year
    let era = (marchYear >= 0 ? marchYear : marchYear - 399) / 400
    let yearOfEra = marchYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return Int64((era * 146_097 + dayOfEra - 719_468) * 86_400 + time)
  }

  /// The same moment so many years later; of February 29 perhaps March 1.
  func addingYears(_ years: Int) -> Int64 {
    let time = hour * 3600 + minute * 60 + second
    return Self.seconds(year: year + years, month: month, day: day, time: time)
      ?? Self.seconds(year: year + years, month: 3, day: 1, time: time)!
  }

  static func length(ofMonth month: Int, year: Int) -> Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }
}
