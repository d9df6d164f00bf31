// SPDX-License-Identifier: Apache-2.0

/// Times as the commands and logs write them: `2026-03-01T12:00:00Z`.
package enum RFC3339 {
  package static func format(seconds: Int64) -> String {
    String(unsafeUninitializedCapacity: 20) { buffer in
      write(seconds, to: buffer.baseAddress!)
      return 20
    }
  }

  /// The same, 20 bytes.
  package static func write(_ seconds: Int64, to buffer: UnsafeMutablePointer<UInt8>) {
    let date = CalendarDate(seconds: seconds)
    func put(_ value: Int, _ at: Int, then separator: UInt8) {
      buffer[at] = UInt8(truncatingIfNeeded: value / 10 &+ 48)
      buffer[at &+ 1] = UInt8(truncatingIfNeeded: value % 10 &+ 48)
      buffer[at &+ 2] = separator
    }
    put(date.year / 100, 0, then: 0)
    put(date.year % 100, 2, then: 0x2d)
    put(date.month, 5, then: 0x2d)
    put(date.day, 8, then: 0x54)
    put(date.hour, 11, then: 0x3a)
    put(date.minute, 14, then: 0x3a)
    put(date.second, 17, then: 0x5a)
  }

  /// Reads RFC 3339 §5.6 with any offset; a fraction of a second is dropped.
  package static func parse(_ text: String) -> Int64? {
    var text = text
    return text.withUTF8 { bytes -> Int64? in
      func number(_ at: Int, _ length: Int) -> Int? {
        guard at + length <= bytes.count else { return nil }
        var value = 0
        for byte in bytes[at..<at + length] {
          guard byte &- 0x30 < 10 else { return nil }
          value = value * 10 + Int(byte &- 0x30)
        }
        return value
      }
      guard bytes.count >= 20, bytes[4] == 0x2d, bytes[7] == 0x2d,
        bytes[10] | 0x20 == 0x74, bytes[13] == 0x3a, bytes[16] == 0x3a,
        let year = number(0, 4), let month = number(5, 2), let day = number(8, 2),
        let hour = number(11, 2), let minute = number(14, 2), let second = number(17, 2),
        hour < 24, minute < 60, second <= 60
      else { return nil }
      var at = 19
      if bytes[at] == 0x2e {
        at += 1
        let digits = at
        while at < bytes.count, bytes[at] &- 0x30 < 10 { at += 1 }
        if at == digits || at == bytes.count { return nil }
      }
      var offset = 0
      switch bytes[at] {
      case 0x5a, 0x7a:
        guard bytes.count == at + 1 else { return nil }
      case 0x2b, 0x2d:
        guard bytes.count == at + 6, bytes[at + 3] == 0x3a, let hours = number(at + 1, 2),
          let minutes = number(at + 4, 2), hours < 24, minutes < 60
        else { return nil }
        offset = (hours * 3600 + minutes * 60) * (bytes[at] == 0x2b ? 1 : -1)
      default: return nil
      }
      return CalendarDate.seconds(
        year: year, month: month, day: day, time: hour * 3600 + minute * 60 + second - offset)
    }
  }
}
