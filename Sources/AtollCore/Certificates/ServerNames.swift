// SPDX-License-Identifier: Apache-2.0

/// Values by host name: of names as certificates bear them, the most specific one counts.
///
/// A wildcard stands for exactly one label, the leftmost (RFC 6125 §6.4.3): `*.example.com` is
/// `www.example.com`, but neither `example.com` nor `a.b.example.com`. Addresses are names too, as
/// `IPAddress` knows them.
package struct ServerNames<Value> {
  private var exact: [String: Value] = [:]
  /// By what follows the `*`.
  private var wildcards: [String: Value] = [:]

  package init() {}

  package var isEmpty: Bool { exact.isEmpty && wildcards.isEmpty }

  /// Of a name as such, `*.example.com` included.
  package subscript(name: String) -> Value? {
    get { name.hasPrefix("*.") ? wildcards[String(name.dropFirst())] : exact[name] }
    set {
      if name.hasPrefix("*.") {
        wildcards[String(name.dropFirst())] = newValue
      } else {
        exact[name] = newValue
      }
    }
  }

  /// - Parameter host: as `serverName` writes it.
  package func value(for host: String) -> Value? {
    if let value = exact[host] { return value }
    if wildcards.isEmpty { return nil }
    // No wildcard stands for the top level, nor for a part of an address.
    guard let dot = host.utf8.firstIndex(of: UInt8(ascii: ".")), dot > host.startIndex else {
      return nil
    }
    return wildcards[String(host[dot...])]
  }
}

extension ServerNames: Sendable where Value: Sendable {}

/// A host in the one way that `ServerNames` compares: in lower case and without the root's dot; an
/// address in brackets, so that no wildcard is ever a part of it.
package func serverName(_ host: UnsafeBufferPointer<UInt8>) -> String {
  var host = host
  if host.first == UInt8(ascii: "["), host.last == UInt8(ascii: "]") {
    host = UnsafeBufferPointer(rebasing: host[1..<(host.count - 1)])
  }
  if let address = IPAddress(host) { return serverName(address) }
  if host.count > 1, host.last == UInt8(ascii: ".") {
    host = UnsafeBufferPointer(rebasing: host.dropLast())
  }
  return String(unsafeUninitializedCapacity: host.count) { text in
    for index in host.indices {
      let byte = host[index]
      text[index] = byte >= 65 && byte <= 90 ? byte | 0x20 : byte
    }
    return host.count
  }
}

package func serverName(_ host: String) -> String {
  var host = host
  return host.withUTF8 { serverName($0) }
}

package func serverName(_ address: IPAddress) -> String {
  "[\(String(address.high, radix: 16)):\(String(address.low, radix: 16))]"
}

/// The same of `host [":" port]` as requests have it.
package func serverName(ofAuthority authority: UnsafeBufferPointer<UInt8>) -> String {
  var end = authority.count
  while end > 0, authority[end - 1] >= 48, authority[end - 1] <= 57 { end -= 1 }
  if end > 0, authority[end - 1] == 0x3a {
    return serverName(UnsafeBufferPointer(rebasing: authority[..<(end - 1)]))
  }
  return serverName(authority)
}
