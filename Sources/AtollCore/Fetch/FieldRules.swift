// SPDX-License-Identifier: Apache-2.0

/// What becomes of the known fields of a message on its way through the edge.
enum FieldRules {
  /// Of one connection only (RFC 9110 §7.6.1, and the old Proxy-Connection and Keep-Alive), or
  /// between a proxy and its client (RFC 9110 §11.7), which no cache may store (RFC 9111 §3.1).
  static let hopByHop = set(
    .connection, .keepAlive, .proxyAuthenticate, .proxyAuthenticationInfo, .proxyAuthorization,
    .proxyConnection, .te, .trailer, .transferEncoding, .upgrade)

  /// Request fields that the edge writes itself, or drops as nobody but the edge could vouch for
  /// them: a viewer's Forwarded or X-Real-IP would be believed by the origin.
  static let replaced =
    hopByHop
    | set(
      .host, .contentLength, .expect, .maxForwards, .acceptEncoding, .cookie, .forwarded,
      .xForwardedFor, .xForwardedHost, .xForwardedProto, .xRealIP, .xRequestID)

  /// Request fields that Lightsail's presets forward only when chosen.
  static let leftOut = set(
    .accept, .acceptCharset, .acceptLanguage, .authorization, .referer, .userAgent)

  /// Fields that cannot be chosen for the key: they are about this connection, this body or this
  /// exchange, are made by the edge, or have a setting of their own.
  static let neverKeyed =
    hopByHop | conditional
    | set(
      .cacheControl, .contentLength, .cookie, .expect, .forwarded, .maxForwards, .pragma, .via,
      .xForwardedFor, .xForwardedHost, .xForwardedProto, .xRealIP, .xRequestID)

  /// A viewer's conditions and ranges: about its own copy, not about the cache's.
  static let conditional = set(
    .ifMatch, .ifModifiedSince, .ifNoneMatch, .ifRange, .ifUnmodifiedSince, .range)

  /// Those among them that only an origin evaluates (RFC 9111 §4.3.2).
  static let originConditions = set(.ifMatch, .ifUnmodifiedSince)

  /// Response fields that are not passed on: framing is the edge's, X-Cache and the request id are
  /// about this exchange.
  static let droppedOfResponses = hopByHop | set(.contentLength, .xCache, .xRequestID)

  /// What a 304 does not change in a stored response: they say how to read the stored body, which
  /// stays, and what others made of it (RFC 9111 §3.2).
  static let keptByUpdates =
    droppedOfResponses
    | set(.age, .contentEncoding, .contentRange, .contentType, .via)

  static func set(_ fields: KnownField...) -> UInt64 {
    fields.reduce(0) { $0 | $1.bit }
  }

  /// Request fields that an origin's own headers cannot replace (CloudFront §14): they frame the
  /// request, belong to its conditions, or say which way it went.
  static func mayBeSet(forOrigin name: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let start = name.baseAddress, !name.isEmpty else { return false }
    let fixed =
      hopByHop | conditional
      | set(
        .cacheControl, .contentLength, .cookie, .expect, .forwarded, .host, .maxForwards, .pragma,
        .via, .xRealIP, .xRequestID)
    return fixed & KnownField.of(start, length: name.count).bit == 0 && !isMadeByEdge(name)
      && !beginsIgnoringCase(name, "x-amz-") && !equalsIgnoringCase(name, "request-range")
      && !equalsIgnoringCase(name, "cdn-loop")
  }

  /// Fields that the edge makes, which a viewer must not be able to forge.
  static func isMadeByEdge(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
    beginsIgnoringCase(name, "x-edge-") || beginsIgnoringCase(name, "cloudfront-")
  }

  /// Fields that turn a request into another one in the eyes of some origins or frameworks: another
  /// method, another URL, another host or scheme for the links of the page. With them a response
  /// could be stored under the wrong key, so they go only where nothing is stored, or where a
  /// behavior names them.
  static func isOverride(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
    switch name.count {
    case 6: equalsIgnoringCase(name, "x-host")
    case 12: equalsIgnoringCase(name, "x-url-scheme")
    case 13: equalsIgnoringCase(name, "x-http-method") || equalsIgnoringCase(name, "x-rewrite-url")
    case 14:
      equalsIgnoringCase(name, "x-original-url") || equalsIgnoringCase(name, "x-original-uri")
    case 15:
      equalsIgnoringCase(name, "x-original-host") || equalsIgnoringCase(name, "x-forwarded-ssl")
        || equalsIgnoringCase(name, "x-forwarded-uri")
        || equalsIgnoringCase(name, "front-end-https")
    case 16:
      equalsIgnoringCase(name, "x-forwarded-port") || equalsIgnoringCase(name, "x-forwarded-path")
    case 17: equalsIgnoringCase(name, "x-method-override")
    case 18:
      equalsIgnoringCase(name, "x-forwarded-server")
        || equalsIgnoringCase(name, "x-forwarded-scheme")
        || equalsIgnoringCase(name, "x-forwarded-prefix")
    case 20: equalsIgnoringCase(name, "x-http-host-override")
    case 22: equalsIgnoringCase(name, "x-http-method-override")
    default: false
    }
  }
}

extension FieldTable {
  /// Whether Connection names this field, so that it ends at this hop (RFC 9110 §7.6.1).
  func connectionLists(_ name: UnsafeBufferPointer<UInt8>, _ base: UnsafePointer<UInt8>) -> Bool {
    var index = firstIndex(of: .connection)
    while let line = index {
      var members = ListMembers(value(at: line, in: base))
      while let member = members.next() {
        if sameName(member, name) { return true }
      }
      index = nextIndex(of: .connection, after: line)
    }
    return false
  }
}
