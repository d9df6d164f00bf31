// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Where a name server listens.
package struct DNSServer: Hashable, Sendable {
  package var address: IPAddress
  package var port: UInt16
  /// Number of the interface of a link-local address (RFC 4007 §11), else 0.
  package var scope: UInt32

  package static let port: UInt16 = 53

  package init(address: IPAddress, port: UInt16 = DNSServer.port, scope: UInt32 = 0) {
    self.address = address
    self.port = port
    self.scope = scope
  }

  /// `192.0.2.1`, `192.0.2.1:5353`, `::1`, `[::1]:5353`, `fe80::1%eth0`; nil for anything else,
  /// names included.
  package init?(_ text: some StringProtocol) {
    var host = Substring(text)
    var port = Self.port
    if host.first == "[" {
      guard let bracket = host.firstIndex(of: "]") else { return nil }
      let rest = host[host.index(after: bracket)...]
      if !rest.isEmpty {
        guard rest.first == ":", let number = Self.port(rest.dropFirst()) else { return nil }
        port = number
      }
      host = host[..<bracket].dropFirst()
      guard host.contains(":") else { return nil }
    } else if let colon = host.lastIndex(of: ":"), host.firstIndex(of: ":") == colon {
      guard let number = Self.port(host[host.index(after: colon)...]) else { return nil }
      port = number
      host = host[..<colon]
    }
    var scope: UInt32 = 0
    if let percent = host.firstIndex(of: "%") {
      let zone = String(host[host.index(after: percent)...])
      scope = if_nametoindex(zone)
      if scope == 0 { scope = UInt32(zone) ?? 0 }
      if scope == 0 { return nil }
      host = host[..<percent]
    }
    guard let address = IPAddress(String(host)) else { return nil }
    self.init(address: address, port: port, scope: scope)
  }

  private static func port(_ digits: Substring) -> UInt16? {
    guard !digits.isEmpty, digits.utf8.allSatisfy(isDigit), let port = UInt16(digits), port > 0
    else { return nil }
    return port
  }

  private var host: String { scope == 0 ? "\(address)" : "\(address)%\(scope)" }

  /// For the kernel.
  var place: SocketAddress? { SocketAddress(host: host, port: port) }
}

extension DNSServer: CustomStringConvertible {
  /// Without the port where it is the usual one.
  package var description: String {
    if port == Self.port { return host }
    return address.isIPv4 ? "\(host):\(port)" : "[\(host)]:\(port)"
  }
}

/// What a system's resolv.conf(5) says.
package struct ResolverConfiguration: Equatable, Sendable {
  package var servers: [DNSServer] = []
  /// Seconds that a server gets for an answer.
  package var timeout = 5
  /// How often each server is asked.
  package var attempts = 2

  /// glibc's bounds.
  private static let mostServers = 3
  private static let longestTimeout = 30
  private static let mostAttempts = 5

  package init(_ text: String) {
    for line in text.split(whereSeparator: \.isNewline) {
      let words = line.split { $0 == " " || $0 == "\t" }
      guard words.count > 1 else { continue }
      switch words[0] {
      case "nameserver":
        // A colon in it would be an IPv6 address: ports are not known there.
        if servers.count < Self.mostServers, let server = DNSServer(words[1]) {
          servers.append(server)
        }
      case "options":
        for option in words.dropFirst() {
          let parts = option.split(separator: ":", maxSplits: 1)
          guard parts.count == 2, let number = Int(parts[1]), number > 0 else { continue }
          if parts[0] == "timeout" { timeout = min(number, Self.longestTimeout) }
          if parts[0] == "attempts" { attempts = min(number, Self.mostAttempts) }
        }
      default: continue
      }
    }
    // resolv.conf(5): without any, the one of this machine.
    if servers.isEmpty { servers = [DNSServer(address: IPAddress(ipv4: 0x7f00_0001))] }
  }

  package static let path = "/etc/resolv.conf"

  /// Of this machine.
  package static var system: ResolverConfiguration {
    guard let file = try? StoreFile.open(path, O_RDONLY),
      let bytes = try? file.readAll(limit: 65_536)
    else { return ResolverConfiguration("") }
    return ResolverConfiguration(String(decoding: bytes, as: UTF8.self))
  }
}
