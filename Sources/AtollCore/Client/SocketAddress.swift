// SPDX-License-Identifier: Apache-2.0
import Glibc

/// An IPv4, IPv6 or Unix socket address as the kernel takes it.
///
/// A plain value without references: copied into connections and sent between threads freely.
package struct SocketAddress: Sendable {
  private var storage = sockaddr_storage()
  /// Bytes of the address that count; what `bind` and `connect` are told.
  package private(set) var length: socklen_t = 0

  /// Longest path of a Unix socket, in bytes: `sun_path` less its terminator.
  package static let longestUnixPath = 107

  // Where the kernel's structures keep things; fixed by Linux's ABI.
  private static let portOffset = 2
  private static let ipv4Offset = 4
  private static let ipv6Offset = 8
  private static let scopeOffset = 24
  private static let pathOffset = 2

  /// Copies an address that the kernel or the resolver wrote.
  package init(_ address: UnsafePointer<sockaddr>, length: socklen_t) {
    let count = min(Int(length), MemoryLayout<sockaddr_storage>.size)
    withUnsafeMutableBytes(of: &storage) { bytes in
      bytes.copyMemory(from: UnsafeRawBufferPointer(start: address, count: count))
    }
    self.length = socklen_t(count)
  }

  /// An address literal without brackets, such as `127.0.0.1`, `::1` or `fe80::1%eth0`; nil for a
  /// name.
  package init?(host: String, port: UInt16) {
    if let address = Self(ipv4: host, port: port) ?? Self(ipv6: host, port: port) {
      self = address
    } else {
      return nil
    }
  }

  /// Nil when the path is empty or too long for the kernel.
  package init?(unixPath path: String) {
    var path = path
    let fits = path.withUTF8 { text -> Bool in
      guard !text.isEmpty, text.count <= Self.longestUnixPath, !text.contains(0) else {
        return false
      }
      withUnsafeMutableBytes(of: &storage) { bytes in
        bytes.storeBytes(of: sa_family_t(AF_UNIX), as: sa_family_t.self)
        bytes[Self.pathOffset...].copyBytes(from: text)
      }
      length = socklen_t(Self.pathOffset + text.count + 1)
      return true
    }
    if !fits { return nil }
  }

  /// As printed: `127.0.0.1:80`, `[::1]:80`, `unix:/run/atoll.sock`; nil for anything else, names
  /// included.
  package init?(parsing text: String) {
    if text.hasPrefix("unix:") {
      self.init(unixPath: String(text.dropFirst(5)))
      return
    }
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let digits = text[text.index(after: colon)...]
    guard !digits.isEmpty, digits.utf8.allSatisfy(isDigit),
      let port = UInt16(digits)
    else { return nil }
    var host = text[..<colon]
    if host.first == "[" && host.last == "]" {
      host = host.dropFirst().dropLast()
      self.init(ipv6: String(host), port: port)
    } else {
      self.init(ipv4: String(host), port: port)
    }
  }

  private init?(ipv4 host: String, port: UInt16) {
    let parsed = withUnsafeMutableBytes(of: &storage) { bytes in
      inet_pton(AF_INET, host, bytes.baseAddress! + Self.ipv4Offset) == 1
    }
    if !parsed { return nil }
    store(family: AF_INET, port: port)
    length = socklen_t(MemoryLayout<sockaddr_in>.size)
  }

  private init?(ipv6 host: String, port: UInt16) {
    var address = host
    var scope: UInt32 = 0
    // A link-local address needs its interface: fe80::1%eth0, or its number (RFC 4007 §11).
    if let percent = host.lastIndex(of: "%") {
      let zone = String(host[host.index(after: percent)...])
      scope = UInt32(zone) ?? if_nametoindex(zone)
      if scope == 0 { return nil }
      address = String(host[..<percent])
    }
    let parsed = withUnsafeMutableBytes(of: &storage) { bytes in
      bytes.storeBytes(of: scope, toByteOffset: Self.scopeOffset, as: UInt32.self)
      return inet_pton(AF_INET6, address, bytes.baseAddress! + Self.ipv6Offset) == 1
    }
    if !parsed { return nil }
    store(family: AF_INET6, port: port)
    length = socklen_t(MemoryLayout<sockaddr_in6>.size)
  }

  private mutating func store(family: Int32, port: UInt16) {
    withUnsafeMutableBytes(of: &storage) { bytes in
      bytes.storeBytes(of: sa_family_t(family), as: sa_family_t.self)
      bytes.storeBytes(of: port.bigEndian, toByteOffset: Self.portOffset, as: UInt16.self)
    }
  }

  /// AF_INET, AF_INET6 or AF_UNIX.
  package var family: Int32 { Int32(storage.ss_family) }

  package var isUnix: Bool { family == AF_UNIX }

  /// 0 for a Unix socket.
  package var port: UInt16 {
    get {
      if isUnix { return 0 }
      return withUnsafeBytes(of: storage) {
        UInt16(bigEndian: $0.load(fromByteOffset: Self.portOffset, as: UInt16.self))
      }
    }
    set {
      if !isUnix { store(family: family, port: newValue) }
    }
  }

  package func withPort(_ port: UInt16) -> SocketAddress {
    var address = self
    address.port = port
    return address
  }

  /// The path of a Unix socket; empty for an unnamed one.
  package var unixPath: String? {
    guard isUnix else { return nil }
    return withUnsafeBytes(of: storage) { bytes in
      let path = bytes[Self.pathOffset..<max(Int(length), Self.pathOffset)]
      return String(decoding: path.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  /// For `bind`, `connect` and `sendto`.
  package func withUnsafeAddress<Result, Failure: Error>(
    _ body: (UnsafePointer<sockaddr>, socklen_t) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let count = length
    return try withUnsafePointer(to: storage) { pointer throws(Failure) in
      try body(UnsafeRawPointer(pointer).assumingMemoryBound(to: sockaddr.self), count)
    }
  }

  /// Has the kernel fill in an address, as `accept`, `getsockname` and `getpeername` do; nil when
  /// `body` returns a negative number.
  package static func filled(
    by body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
  ) -> (address: SocketAddress, result: Int32)? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = withUnsafeMutablePointer(to: &storage) { pointer in
      body(UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: sockaddr.self), &length)
    }
    if result < 0 { return nil }
    let address = withUnsafePointer(to: storage) { pointer in
      SocketAddress(
        UnsafeRawPointer(pointer).assumingMemoryBound(to: sockaddr.self), length: length)
    }
    return (address, result)
  }

  package static func local(of descriptor: Int32) -> SocketAddress? {
    filled { getsockname(descriptor, $0, $1) }?.address
  }

  package static func peer(of descriptor: Int32) -> SocketAddress? {
    filled { getpeername(descriptor, $0, $1) }?.address
  }

  /// The IPv4 address inside `::ffff:a.b.c.d`, which is how a dual-stack listener sees IPv4 viewers.
  private var isMappedIPv4: Bool {
    guard family == AF_INET6 else { return false }
    return withUnsafeBytes(of: storage) { bytes in
      bytes.loadUnaligned(fromByteOffset: Self.ipv6Offset, as: UInt64.self) == 0
        && bytes.loadUnaligned(fromByteOffset: Self.ipv6Offset + 8, as: UInt32.self).bigEndian
          == 0xffff
    }
  }

  /// Nil for a Unix socket.
  package var ipAddress: IPAddress? {
    withUnsafeBytes(of: storage) { bytes in
      switch family {
      case AF_INET:
        IPAddress(
          ipv4: UInt32(
            bigEndian: bytes.loadUnaligned(fromByteOffset: Self.ipv4Offset, as: UInt32.self))
        )
      case AF_INET6:
        IPAddress(
          high: UInt64(
            bigEndian: bytes.loadUnaligned(fromByteOffset: Self.ipv6Offset, as: UInt64.self)),
          low: UInt64(
            bigEndian: bytes.loadUnaligned(fromByteOffset: Self.ipv6Offset + 8, as: UInt64.self)))
      default: nil
      }
    }
  }

  /// Appends the address alone, without brackets and port: what X-Forwarded-For and the access log
  /// carry. Nothing for an unnamed Unix socket.
  package func appendHost(to buffer: ByteBuffer) {
    switch family {
    case AF_INET: appendIPv4(at: Self.ipv4Offset, to: buffer)
    case AF_INET6:
      if isMappedIPv4 {
        appendIPv4(at: Self.ipv6Offset + 12, to: buffer)
      } else {
        let tail = buffer.reserveTail(Int(INET6_ADDRSTRLEN))
        let text = UnsafeMutableRawPointer(tail).assumingMemoryBound(to: CChar.self)
        withUnsafeBytes(of: storage) { bytes in
          _ = inet_ntop(
            AF_INET6, bytes.baseAddress! + Self.ipv6Offset, text, socklen_t(INET6_ADDRSTRLEN))
        }
        buffer.advance(by: strlen(text))
      }
    case AF_UNIX: buffer.append(unixPath ?? "")
    default: break
    }
  }

  private func appendIPv4(at offset: Int, to buffer: ByteBuffer) {
    withUnsafeBytes(of: storage) { bytes in
      for index in 0..<4 {
        if index > 0 { buffer.append(UInt8(ascii: ".")) }
        buffer.appendDecimal(UInt64(bytes[offset + index]))
      }
    }
  }

  /// The address alone, without brackets and port.
  package var host: String {
    let buffer = ByteBuffer(capacity: 64)
    appendHost(to: buffer)
    return String(decoding: buffer.bytes, as: UTF8.self)
  }
}

extension SocketAddress: Hashable {
  package static func == (a: SocketAddress, b: SocketAddress) -> Bool {
    a.length == b.length
      && withUnsafeBytes(of: a.storage) { left in
        withUnsafeBytes(of: b.storage) { right in
          memcmp(left.baseAddress!, right.baseAddress!, Int(a.length)) == 0
        }
      }
  }

  package func hash(into hasher: inout Hasher) {
    withUnsafeBytes(of: storage) { bytes in
      hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: bytes[..<Int(length)]))
    }
  }
}

extension SocketAddress: CustomStringConvertible {
  /// `127.0.0.1:80`, `[::1]:80` or `unix:/run/atoll.sock`.
  package var description: String {
    switch family {
    case AF_UNIX: "unix:\(unixPath ?? "")"
    case AF_INET6 where !isMappedIPv4:
      scope == 0 ? "[\(host)]:\(port)" : "[\(host)%\(scope)]:\(port)"
    default: "\(host):\(port)"
    }
  }

  private var scope: UInt32 {
    withUnsafeBytes(of: storage) { $0.load(fromByteOffset: Self.scopeOffset, as: UInt32.self) }
  }
}
