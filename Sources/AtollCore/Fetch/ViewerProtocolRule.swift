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

/// Appends the URL of a request on https: the host that the viewer named, without the port that
/// http was reached on, and path and query as received.
/// - Returns: false, with nothing appended, when the host could not stand in a URL: what a viewer
///   sends as Host must not become part of a header field unseen.
package func appendSecureURL(
  _ head: RequestHead, _ base: UnsafePointer<UInt8>, to buffer: ByteBuffer
) -> Bool {
  var host = head.authority(in: base)
  if let colon = host.lastIndex(of: UInt8(ascii: ":")),
    !host[colon...].contains(UInt8(ascii: "]"))
  {
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
  buffer.append(head.path(in: base))
  if head.hasQuery {
    buffer.append("?")
    buffer.append(base + Int(head.queryStart), Int(head.queryLength))
  }
  return true
}
