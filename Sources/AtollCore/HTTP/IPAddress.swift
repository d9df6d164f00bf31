// SPDX-License-Identifier: Apache-2.0
import Glibc

/// An IPv4 or IPv6 address; IPv4 as `::ffff:a.b.c.d`, so that one comparison serves both families.
package struct IPAddress: Equatable, Hashable, Sendable {
  package let high: UInt64
  package let low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  package init(ipv4: UInt32) {
    self.init(high: 0, low: 0xffff_0000_0000 | UInt64(ipv4))
  }

  package var isIPv4: Bool { high == 0 && low &>> 32 == 0xffff }

  /// An address literal without brackets, port and zone; nil for anything else.
  package init?(_ text: UnsafeBufferPointer<UInt8>) {
    // The longest literal has 45 characters, and inet_pton wants its end marked.
    guard text.count >= 2, text.count <= 45, let start = text.baseAddress,
      text.allSatisfy({ $0 != 0 })
    else { return nil }
    let parsed: IPAddress? = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 64) { room in
      let bytes = room.baseAddress!
      memcpy(bytes, start, text.count)
      bytes[text.count] = 0
      let copy = UnsafeRawPointer(bytes).assumingMemoryBound(to: CChar.self)
      let result = UnsafeMutableRawPointer(bytes + 48)
      if inet_pton(AF_INET, copy, result) == 1 {
        return IPAddress(ipv4: UInt32(bigEndian: result.loadUnaligned(as: UInt32.self)))
      }
      if inet_pton(AF_INET6, copy, result) == 1 {
        return IPAddress(
          high: UInt64(bigEndian: result.loadUnaligned(as: UInt64.self)),
          low: UInt64(bigEndian: result.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
      }
      return nil
    }
    guard let parsed else { return nil }
    self = parsed
  }

  package init?(_ text: String) {
    var text = text
    guard let parsed = text.withUTF8({ IPAddress($0) }) else { return nil }
    self = parsed
  }
}

extension IPAddress: CustomStringConvertible {
  /// As RFC 5952 has it, IPv4 with dots.
  package var description: String {
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    if isIPv4 {
      var address = in_addr(s_addr: UInt32(truncatingIfNeeded: low).bigEndian)
      inet_ntop(AF_INET, &address, &text, socklen_t(text.count))
    } else {
      var address = (high.bigEndian, low.bigEndian)
      inet_ntop(AF_INET6, &address, &text, socklen_t(text.count))
    }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// Addresses with the same first bits (RFC 4632, RFC 4291 §2.3).
package struct IPNetwork: Equatable, Sendable {
  package let address: IPAddress
  /// Of 128, of an IPv4 network 96 more than written.
  package let bits: Int

  /// `192.0.2.0/24`, `2001:db8::/32`, or an address alone; nil for anything else. Bits behind the
  /// prefix do not count.
  package init?(_ text: String) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let address = IPAddress(String(parts[0])) else { return nil }
    let isIPv4 = address.isIPv4 && !parts[0].contains(":")
    var length = isIPv4 ? 32 : 128
    if parts.count == 2 {
      guard parts[1].utf8.count <= 3, parts[1].utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
        let written = Int(parts[1]), written <= length
      else { return nil }
      length = written
    }
    bits = isIPv4 ? length + 96 : length
    self.address = address
  }

  package func contains(_ other: IPAddress) -> Bool {
    if bits <= 64 { return Self.agree(address.high, other.high, bits) }
    return address.high == other.high && Self.agree(address.low, other.low, bits - 64)
  }

  private static func agree(_ a: UInt64, _ b: UInt64, _ bits: Int) -> Bool {
    // Shifting by the whole width is what `>>` defines and `&>>` does not.
    (a ^ b) >> (64 - bits) == 0
  }
}
