// SPDX-License-Identifier: Apache-2.0

/// The proxies whose X-Forwarded-For and X-Forwarded-Proto a distribution believes.
package struct TrustedProxies: Sendable {
  private let networks: [IPNetwork]
  private let trustsUnixSockets: Bool

  /// Names every peer of a Unix socket among the networks.
  package static let unixSockets = "unix:"

  /// What is no network was refused when the configuration was validated.
  package init(_ texts: [String]) {
    networks = texts.compactMap { IPNetwork($0) }
    trustsUnixSockets = texts.contains(Self.unixSockets)
  }

  package var isEmpty: Bool { networks.isEmpty && !trustsUnixSockets }

  /// - Parameter address: nil for the peer of a Unix socket.
  package func contains(_ address: IPAddress?) -> Bool {
    guard let address else { return trustsUnixSockets }
    return networks.contains { $0.contains(address) }
  }
}

/// Whom a request is from, seen through the proxies that are believed.
package struct ForwardedViewer {
  /// As X-Forwarded-For writes it, without port.
  package var text: UnsafeBufferPointer<UInt8>
  package var address: IPAddress
  /// 0 when the proxy does not tell.
  package var port: UInt16
}

/// What the proxies in front of the edge say about the viewer.
package struct ForwardedRequest {
  /// Nil when the peer itself is the viewer, or nothing usable is told.
  package var viewer: ForwardedViewer?
  package var scheme: Scheme?

  package init() {}

  /// Nothing is believed of a peer that is not trusted.
  ///
  /// X-Forwarded-For is read from its end, where each proxy has appended whom it was asked by: the
  /// first address that is not itself a trusted proxy's is the viewer's, and whatever stands before
  /// it may be the viewer's own invention.
  package init(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, peer: IPAddress?, trusted: TrustedProxies
  ) {
    guard trusted.contains(peer) else { return }
    var hops = 0
    var members = MembersFromEnd(head.fields, base, .xForwardedFor)
    while let member = members.next() {
      guard let next = Self.address(member) else { break }
      hops &+= 1
      viewer = next
      if !trusted.contains(next.address) { break }
    }
    // The proxy that was asked by the viewer wrote the member as far from the end, where each
    // appends; where each replaces, there is one.
    var protos = MembersFromEnd(head.fields, base, .xForwardedProto)
    var position = 0
    while let member = protos.next() {
      position &+= 1
      scheme = Self.scheme(member)
      if position >= hops { break }
    }
  }

  private static func scheme(_ text: UnsafeBufferPointer<UInt8>) -> Scheme? {
    if equalsIgnoringCase(text, "https") { return .https }
    return equalsIgnoringCase(text, "http") ? .http : nil
  }

  /// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
  private static func address(_ member: UnsafeBufferPointer<UInt8>) -> ForwardedViewer? {
    var host = member
    var port = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    if member.first == 0x5b {
      guard let end = member.firstIndex(of: 0x5d) else { return nil }
      host = UnsafeBufferPointer(rebasing: member[1..<end])
      let rest = UnsafeBufferPointer(rebasing: member[(end + 1)...])
      if !rest.isEmpty {
        if rest[0] != 0x3a { return nil }
        port = UnsafeBufferPointer(rebasing: rest[1...])
      }
    } else if let colon = member.firstIndex(of: 0x3a), member.lastIndex(of: 0x3a) == colon {
      host = UnsafeBufferPointer(rebasing: member[..<colon])
      port = UnsafeBufferPointer(rebasing: member[(colon + 1)...])
    }
    guard let address = IPAddress(host) else { return nil }
    return ForwardedViewer(
      text: host, address: address, port: decimal(port).flatMap { UInt16(exactly: $0) } ?? 0)
  }
}

/// The members of a list field from the last to the first, over all its lines; for fields whose
/// members hold no quoted strings.
private struct MembersFromEnd {
  private let fields: FieldTable
  private let base: UnsafePointer<UInt8>
  private let field: KnownField
  private var line: Int
  /// What is left of the line's value; nil before the first.
  private var rest: UnsafeBufferPointer<UInt8>?

  init(_ fields: FieldTable, _ base: UnsafePointer<UInt8>, _ field: KnownField) {
    self.fields = fields
    self.base = base
    self.field = field
    line = fields.contains(field) ? fields.count : 0
  }

  mutating func next() -> UnsafeBufferPointer<UInt8>? {
    while true {
      guard let value = rest else {
        repeat {
          if line == 0 { return nil }
          line &-= 1
        } while fields.lines[line].known != field
        rest = fields.value(at: line, in: base)
        continue
      }
      var end = value.count
      while end > 0, value[end &- 1] <= space || value[end &- 1] == 0x2c { end &-= 1 }
      if end == 0 {
        rest = nil
        continue
      }
      var start = end
      while start > 0, value[start &- 1] != 0x2c { start &-= 1 }
      rest = UnsafeBufferPointer(rebasing: value[..<start])
      while value[start] <= space { start &+= 1 }
      return UnsafeBufferPointer(rebasing: value[start..<end])
    }
  }
}
