// SPDX-License-Identifier: Apache-2.0
import CSystem

/// Syntax of `host [":" port]` (RFC 9110 §7.2, RFC 3986 §3.2.2).
enum Authority {
  /// Whether the bytes are a host that is not empty, with a port up to 65535 or none.
  ///
  /// - Parameter readable: where the readable memory ends, at or after the last byte.
  @inline(__always)
  static func isValid(
    _ start: UnsafePointer<UInt8>, _ count: Int, readable: UnsafePointer<UInt8>
  ) -> Bool {
    let plain = csystem_scan_host(start, readable)! - start
    if count > 0 && plain >= count { return true }
    return isValid(start, count, plain: plain, needsPort: false)
  }

  /// - Parameter plain: how many bytes, perhaps beyond `count`, are known to be valid in a name.
  @inline(never)
  static func isValid(
    _ start: UnsafePointer<UInt8>, _ count: Int, plain: Int = 0, needsPort: Bool
  ) -> Bool {
    if count == 0 { return false }
    var at = min(plain, count)
    if start[0] == 0x5b {
      at = 1
      while at < count, start[at] != 0x5d { at &+= 1 }
      if at == count || !isIPv6(start + 1, at &- 1) { return false }
      at &+= 1
    } else {
      let table = hostCharacters
      while at < count {
        let byte = start[at]
        if table.contains(byte) {
          at &+= 1
        } else if byte == 0x25 {
          if count &- at < 3 || !isHex(start[at &+ 1]) || !isHex(start[at &+ 2]) { return false }
          at &+= 3
        } else {
          break
        }
      }
      if at == 0 { return false }
    }
    if at == count { return !needsPort }
    if start[at] != 0x3a { return false }
    at &+= 1
    if at == count { return !needsPort }
    var port = 0
    while at < count {
      let digit = start[at] &- 0x30
      if digit > 9 { return false }
      port = port &* 10 &+ Int(digit)
      if port > 65535 { return false }
      at &+= 1
    }
    return true
  }

  /// unreserved and sub-delims of RFC 3986 §2, as bits of the 128 ASCII characters.
  private struct CharacterSet {
    let low: UInt64
    let high: UInt64

    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
      let bits = byte < 64 ? low : high
      return byte < 128 && (bits &>> UInt64(byte & 63)) & 1 != 0
    }
  }

  private static var hostCharacters: CharacterSet {
    // ! $ & ' ( ) * + , - . 0-9 ; =   and   A-Z _ a-z ~
    CharacterSet(low: 0x2bff_7fd2_0000_0000, high: 0x47ff_fffe_87ff_fffe)
  }

  /// IPv6address of RFC 3986 §3.2.2: eight groups, "::" once, the last two perhaps as IPv4.
  private static func isIPv6(_ start: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    var groups = 0
    var compressed = false
    var at = 0
    if count >= 2, start[0] == 0x3a {
      if start[1] != 0x3a { return false }
      compressed = true
      at = 2
    }
    while at < count {
      var length = 0
      while at &+ length < count, length < 5, isHex(start[at &+ length]) { length &+= 1 }
      if at &+ length < count, start[at &+ length] == 0x2e {
        groups &+= 2
        return isIPv4(start + at, count &- at) && (compressed ? groups < 8 : groups == 8)
      }
      if length == 0 || length > 4 { return false }
      groups &+= 1
      at &+= length
      if at == count { break }
      if start[at] != 0x3a { return false }
      at &+= 1
      if at == count { return false }
      if start[at] == 0x3a {
        if compressed { return false }
        compressed = true
        at &+= 1
      }
    }
    return compressed ? groups < 8 : groups == 8
  }

  private static func isIPv4(_ start: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    var at = 0
    for part in 0..<4 {
      var value = 0
      var length = 0
      while at < count, start[at] &- 0x30 < 10 {
        // dec-octet has no leading zero.
        if length > 0 && value == 0 { return false }
        value = value &* 10 &+ Int(start[at] &- 0x30)
        if value > 255 { return false }
        length &+= 1
        at &+= 1
      }
      if length == 0 { return false }
      if part < 3 {
        if at == count || start[at] != 0x2e { return false }
        at &+= 1
      }
    }
    return at == count
  }
}
