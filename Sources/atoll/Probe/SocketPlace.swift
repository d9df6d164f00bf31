// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A socket address ready for `connect`.
struct SocketPlace: Equatable {
  let family: Int32
  /// A sockaddr of that family.
  let bytes: [UInt8]
  /// Without the port: `127.0.0.1`, `::1` or a path.
  let text: String

  static func isNumeric(_ text: String) -> Bool {
    var v4 = in_addr()
    var v6 = in6_addr()
    return inet_pton(AF_INET, text, &v4) == 1 || inet_pton(AF_INET6, text, &v6) == 1
  }

  /// Of a numeric IPv4 or IPv6 address; nil when it is none.
  init?(address: String, port: UInt16) {
    var v4 = sockaddr_in()
    var v6 = sockaddr_in6()
    if inet_pton(AF_INET, address, &v4.sin_addr) == 1 {
      v4.sin_family = sa_family_t(AF_INET)
      v4.sin_port = port.bigEndian
      family = AF_INET
      bytes = withUnsafeBytes(of: &v4) { Array($0) }
    } else if inet_pton(AF_INET6, address, &v6.sin6_addr) == 1 {
      v6.sin6_family = sa_family_t(AF_INET6)
      v6.sin6_port = port.bigEndian
      family = AF_INET6
      bytes = withUnsafeBytes(of: &v6) { Array($0) }
    } else {
      return nil
    }
    text = address
  }

  /// Of a Unix socket; nil when the path does not fit.
  init?(path: String) {
    var place = sockaddr_un()
    let name = Array(path.utf8)
    guard !name.isEmpty, name.count < MemoryLayout.size(ofValue: place.sun_path) else { return nil }
    place.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &place.sun_path) { $0.copyBytes(from: name) }
    family = AF_UNIX
    bytes = withUnsafeBytes(of: &place) { Array($0) }
    text = path
  }

  /// What `getaddrinfo` returned.
  init?(_ found: addrinfo) {
    guard let address = found.ai_addr, found.ai_family == AF_INET || found.ai_family == AF_INET6
    else { return nil }
    var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    guard
      getnameinfo(
        address, found.ai_addrlen, &name, socklen_t(name.count), nil, 0, NI_NUMERICHOST) == 0
    else { return nil }
    family = found.ai_family
    bytes = Array(UnsafeRawBufferPointer(start: address, count: Int(found.ai_addrlen)))
    text = name.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }
}
