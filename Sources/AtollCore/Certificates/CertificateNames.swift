// SPDX-License-Identifier: Apache-2.0

/// Which hosts the names on certificates stand for (RFC 9525 §6.3).
package enum CertificateNames {
  /// Whether a name on a certificate stands for a host: the same name, whatever its case and
  /// whether or not a dot ends it; `*.example.com` for exactly one more label. A wildcard right
  /// below a top-level domain stands for nothing, as with every TLS library.
  package static func matches(_ name: String, host: String) -> Bool {
    let name = bytes(name)
    let host = bytes(host)
    if host.isEmpty { return false }
    guard name.starts(with: "*.".utf8) else { return isSame(name, host) }
    let parent = name.dropFirst(2)
    guard let dot = host.firstIndex(of: UInt8(ascii: ".")), dot > host.startIndex else {
      return false
    }
    return parent.contains(UInt8(ascii: ".")) && isSame(parent, host[(dot + 1)...])
  }

  /// Whether whatever a wanted name stands for is covered: a wildcard only by itself.
  package static func covers(_ names: [String], _ wanted: String) -> Bool {
    names.contains { name in
      wanted.hasPrefix("*.")
        ? isSame(bytes(name), bytes(wanted)) : matches(name, host: wanted)
    }
  }

  private static func bytes(_ name: String) -> ArraySlice<UInt8> {
    let bytes = Array(name.utf8)[...]
    return bytes.last == UInt8(ascii: ".") ? bytes.dropLast() : bytes
  }

  private static func isSame(_ a: ArraySlice<UInt8>, _ b: ArraySlice<UInt8>) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { lowercased($0) == lowercased($1) }
  }

  private static func lowercased(_ byte: UInt8) -> UInt8 {
    byte >= 65 && byte <= 90 ? byte | 0x20 : byte
  }
}
