// SPDX-License-Identifier: Apache-2.0
import CSystem

/// Members of a comma-separated list field without surrounding white space, empty ones skipped
/// (RFC 9110 §5.6.1.2); a comma inside a quoted string separates nothing (§5.6.4).
package struct ListMembers {
  private var at: UnsafePointer<UInt8>?
  private var remaining: Int

  package init(_ bytes: UnsafeBufferPointer<UInt8>) {
    at = bytes.baseAddress
    remaining = bytes.count
  }

  package mutating func next() -> UnsafeBufferPointer<UInt8>? {
    guard var from = at else { return nil }
    var left = remaining
    while left > 0, from.pointee == 0x2c || from.pointee == space || from.pointee == horizontalTab {
      from += 1
      left &-= 1
    }
    if left == 0 {
      remaining = 0
      at = from
      return nil
    }
    var length = 0
    var quoted = false
    while length < left {
      let byte = from[length]
      if quoted {
        if byte == 0x5c {
          length &+= 1
        } else if byte == 0x22 {
          quoted = false
        }
      } else if byte == 0x2c {
        break
      } else if byte == 0x22 {
        quoted = true
      }
      length &+= 1
    }
    // A quoted pair cut off by the end of the value.
    if length > left { length = left }
    at = from + length
    remaining = left &- length
    while from[length &- 1] == space || from[length &- 1] == horizontalTab { length &-= 1 }
    return UnsafeBufferPointer(start: from, count: length)
  }
}

/// Whether `bytes` equal the lower-case text but for the case of ASCII letters.
@inline(__always)
package func equalsIgnoringCase(_ bytes: UnsafeBufferPointer<UInt8>, _ lower: StaticString) -> Bool
{
  let length = lower.utf8CodeUnitCount
  if bytes.count != length { return false }
  guard let start = bytes.baseAddress else { return true }
  return csystem_equals_lowercased(start, lower.utf8Start, length) != 0
}

/// The number that 1*DIGIT writes; nil for anything else and beyond 64 bits.
package func decimal(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64? {
  guard let start = bytes.baseAddress, bytes.count > 0 else { return nil }
  var value: UInt64 = 0
  for index in 0..<bytes.count {
    let digit = start[index] &- 0x30
    if digit > 9 { return nil }
    let (tenfold, overflow) = value.multipliedReportingOverflow(by: 10)
    let (sum, carry) = tenfold.addingReportingOverflow(UInt64(digit))
    if overflow || carry { return nil }
    value = sum
  }
  return value
}
