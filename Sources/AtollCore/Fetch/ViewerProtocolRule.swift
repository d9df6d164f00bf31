// SPDX-License-Identifier: Apache-2.0

/// What a behavior's viewer protocol policy makes of a request (CloudFront §5).
package enum ViewerProtocolDecision: Equatable, Sendable {
  case serve
  /// Answered with 301 or 307 and the same URL on https.
  case redirect(status: UInt16)
  /// 403.
  case refuse
}

extension ViewerProtocol {
  /// 301 lets a client turn the method into GET, 307 does not (RFC 9110 §15.4.2, §15.4.8); HTTP/1.0
  /// has no 307.
  package func decision(for method: Method, minorVersion: UInt8, scheme: Scheme)
    -> ViewerProtocolDecision
  {
    if scheme == .https { return .serve }
    switch self {
    case .allowAll: return .serve
    case .httpsOnly: return .refuse
    case .redirectToHTTPS:
      if method == .get || method == .head { return .redirect(status: 301) }
      return minorVersion >= 1 ? .redirect(status: 307) : .refuse
    }
  }
}

/// On which port an edge is reached over TLS by who knows a port where it is reached in the clear.
///
/// Who came to one of the edge's own ports is sent to the edge's own port for TLS. Whoever named
/// another came through something that maps ports, or ends TLS itself: there https is most likely on
/// its usual port.
package struct SecurePorts: Equatable, Sendable {
  package static let usual: UInt16 = 443

  private let clear: [UInt16]
  private let secure: UInt16

  /// - Parameters:
  ///   - clear: ports that the edge listens on in the clear.
  ///   - secure: those for TLS; of several the usual one, else the first.
  package init(clear: [UInt16] = [], secure: [UInt16] = []) {
    self.clear = secure.isEmpty ? [] : clear
    self.secure = secure.contains(Self.usual) ? Self.usual : secure.first ?? Self.usual
  }

  /// - Parameter port: that of the request's authority; nil when it names none.
  package func port(forClear port: UInt16?) -> UInt16 {
    clear.contains(port ?? 80) ? secure : Self.usual
  }
}

/// Appends the URL of a request on https: the host that the viewer named, https's port instead of
/// http's, and path and query as received.
/// - Parameter ports: of the edge; for whoever came through a proxy, none.
/// - Returns: false, with nothing appended, when the host could not stand in a URL: what a viewer
///   sends as Host must not become part of a header field unseen.
package func appendSecureURL(
  _ head: RequestHead, _ base: UnsafePointer<UInt8>, ports: SecurePorts = SecurePorts(),
  to buffer: ByteBuffer
) -> Bool {
  var host = head.authority(in: base)
  var clearPort: UInt16?
  if let colon = host.lastIndex(of: UInt8(ascii: ":")),
    !host[colon...].contains(UInt8(ascii: "]"))
  {
    clearPort = UInt16(String(decoding: host[(colon + 1)...], as: UTF8.self))
    host = UnsafeBufferPointer(rebasing: host[..<colon])
  }
  guard let first = host.first else { return false }
  let isAddress = first == UInt8(ascii: "[")
  // An IPv6 address has passed the parser; of names, only what DNS and its users have.
  let isValid = host.allSatisfy { byte in
    isAlphanumeric(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
      || byte == UInt8(ascii: "_")
      || (isAddress && (byte == UInt8(ascii: "[") || byte == UInt8(ascii: "]") || byte == 0x3a))
  }
  if !isValid { return false }
  buffer.append("https://")
  buffer.append(host)
  let port = ports.port(forClear: clearPort)
  if port != SecurePorts.usual {
    buffer.append(0x3a)
    buffer.appendDecimal(UInt64(port))
  }
  buffer.append(head.path(in: base))
  if head.hasQuery {
    buffer.append("?")
    buffer.append(base + Int(head.queryStart), Int(head.queryLength))
  }
  return true
}
