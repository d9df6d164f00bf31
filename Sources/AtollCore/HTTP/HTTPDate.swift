// SPDX-License-Identifier: Apache-2.0

/// Dates of HTTP fields (RFC 9110 §5.6.7), as seconds since 1970 in UTC.
package enum HTTPDate {
  /// Reads any of the three formats exactly, but for the case of letters, as RFC 9111 §4.2 asks of
  /// caches; the day of the week must be a name, not the right one.
  ///
  /// - Parameter now: decides the century of an RFC 850 date: one that seems to lie more than 50
  ///   years ahead is the last year in the past with the same two digits.
  package static func parse(_ bytes: UnsafeBufferPointer<UInt8>, now: Int64) -> Int64? {
    guard let start = bytes.baseAddress, bytes.count >= 24 else { return nil }
    if start[3] == 0x2c { return bytes.count == 29 ? parseFixed(start) : nil }
    if start[3] == space { return bytes.count == 24 ? parseAsctime(start) : nil }
    return parseRFC850(start, bytes.count, now: now)
  }

  /// IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`, 29 bytes.
  package static func write(_ seconds: Int64, to buffer: UnsafeMutablePointer<UInt8>) {
    let date = CalendarDate(seconds: seconds)
    put(dayNames.utf8Start + 3 * date.weekday, 3, buffer)
    buffer[3] = 0x2c
    buffer[4] = space
    putTwo(date.day, buffer + 5)
    buffer[7] = space
    put(monthNames.utf8Start + 3 * (date.month - 1), 3, buffer + 8)
    buffer[11] = space
    putTwo(date.year / 100, buffer + 12)
    putTwo(date.year % 100, buffer + 14)
    buffer[16] = space
    putTwo(date.hour, buffer + 17)
    buffer[19] = 0x3a
    putTwo(date.minute, buffer + 20)
    buffer[22] = 0x3a
    putTwo(date.second, buffer + 23)
    put((" GMT" as StaticString).utf8Start, 4, buffer + 25)
  }

  package static func append(_ seconds: Int64, to buffer: ByteBuffer) {
    write(seconds, to: buffer.reserveTail(29))
    buffer.advance(by: 29)
  }

  // MARK: Formats

  /// `Sun, 06 Nov 1994 08:49:37 GMT`
  private static func parseFixed(_ at: UnsafePointer<UInt8>) -> Int64? {
    guard isDayName(at), at[4] == space, at[7] == space, at[11] == space, at[16] == space,
      endsInGMT(at + 25), let day = two(at + 5), let month = month(at + 8),
      let century = two(at + 12), let year = two(at + 14), let time = time(at + 17)
    else { return nil }
    return seconds(century * 100 + year, month, day, time)
  }

  /// `Sunday, 06-Nov-94 08:49:37 GMT`
  private static func parseRFC850(
    _ start: UnsafePointer<UInt8>, _ count: Int, now: Int64
  ) -> Int64? {
    let names: StaticString = "Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday,"
    var name = names.utf8Start
    let namesEnd = name + names.utf8CodeUnitCount
    var prefix = 0
    while name < namesEnd {
      var length = 0
      while name[length] != 0x2c { length += 1 }
      // The comma is compared, too.
      if length < count, (0...length).allSatisfy({ isSame(start[$0], name[$0]) }) {
        prefix = length + 1
      }
      name += length + 1
    }
    guard prefix > 0, count == prefix + 23 else { return nil }
    let at = start + prefix
    guard at[0] == space, at[3] == 0x2d, at[7] == 0x2d, at[10] == space, endsInGMT(at + 19),
      let day = two(at + 1), let month = month(at + 4), let year = two(at + 8),
      let time = time(at + 11)
    else { return nil }
    let current = CalendarDate(seconds: now).year
    let limit = CalendarDate(seconds: now).addingYears(50)
    // February 29 exists in some centuries only, so each candidate is checked by itself.
    var century = current - current % 100 + 100
    for _ in 0..<3 {
      if let date = seconds(century + year, month, day, time), date <= limit { return date }
      century -= 100
    }
    return nil
  }

  /// `Sun Nov  6 08:49:37 1994`
  private static func parseAsctime(_ at: UnsafePointer<UInt8>) -> Int64? {
    guard isDayName(at), at[7] == space, at[10] == space, at[19] == space,
      let month = month(at + 4), let time = time(at + 11), let century = two(at + 20),
      let year = two(at + 22)
    else { return nil }
    let day: Int
    if at[8] == space {
      guard let digit = digit(at[9]) else { return nil }
      day = digit
    } else {
      guard let number = two(at + 8) else { return nil }
      day = number
    }
    return seconds(century * 100 + year, month, day, time)
  }

  // MARK: Parts

  private static var dayNames: StaticString { "SunMonTueWedThuFriSat" }
  static var monthNames: StaticString { "JanFebMarAprMayJunJulAugSepOctNovDec" }

  private static func isDayName(_ at: UnsafePointer<UInt8>) -> Bool {
    index(of: at, in: dayNames, count: 7) != nil
  }

  private static func month(_ at: UnsafePointer<UInt8>) -> Int? {
    index(of: at, in: monthNames, count: 12).map { $0 + 1 }
  }

  private static func index(
    of at: UnsafePointer<UInt8>, in names: StaticString, count: Int
  ) -> Int? {
    for index in 0..<count {
      let name = names.utf8Start + 3 * index
      if isSame(at[0], name[0]), isSame(at[1], name[1]), isSame(at[2], name[2]) { return index }
    }
    return nil
  }

  /// But for the case of ASCII letters; `expected` may be another character, too.
  private static func isSame(_ byte: UInt8, _ expected: UInt8) -> Bool {
    byte == expected || (byte ^ 0x20 == expected && expected | 0x20 >= 0x61)
  }

  private static func endsInGMT(_ at: UnsafePointer<UInt8>) -> Bool {
    at[0] == space && isSame(at[1], 0x47) && isSame(at[2], 0x4d) && isSame(at[3], 0x54)
  }

  private static func digit(_ byte: UInt8) -> Int? {
    let digit = byte &- 0x30
    return digit < 10 ? Int(digit) : nil
  }

  private static func two(_ at: UnsafePointer<UInt8>) -> Int? {
    guard let tens = digit(at[0]), let ones = digit(at[1]) else { return nil }
    return tens * 10 + ones
  }

  /// Seconds of the day from `08:49:37`; 60 is a leap second.
  private static func time(_ at: UnsafePointer<UInt8>) -> Int? {
    guard at[2] == 0x3a, at[5] == 0x3a, let hour = two(at), let minute = two(at + 3),
      let second = two(at + 6), hour < 24, minute < 60, second <= 60
    else { return nil }
    return hour * 3600 + minute * 60 + second
  }

  private static func seconds(_ year: Int, _ month: Int, _ day: Int, _ time: Int) -> Int64? {
    CalendarDate.seconds(year: year, month: month, day: day, time: time)
  }

  private static func put(
    _ source: UnsafePointer<UInt8>, _ length: Int, _ target: UnsafeMutablePointer<UInt8>
  ) {
    target.update(from: source, count: length)
  }

  private static func putTwo(_ value: Int, _ target: UnsafeMutablePointer<UInt8>) {
    target[0] = UInt8(truncatingIfNeeded: value / 10 &+ 48)
    target[1] = UInt8(truncatingIfNeeded: value % 10 &+ 48)
  }
}
