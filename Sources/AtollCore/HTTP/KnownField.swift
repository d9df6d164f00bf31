// SPDX-License-Identifier: Apache-2.0
import CSystem

/// The header fields that some decision of the edge looks at, as one byte.
///
/// The parser tags each field line with its case, so that later steps compare
/// numbers, not names. `other` is every field not listed. At most 64 cases: tables keep
/// sets of them as bits. `csystem_fields` in CSystem/scan.c holds the names in this order.
package enum KnownField: UInt8, Sendable, CaseIterable {
  case other = 0
  case accept, acceptCharset, acceptEncoding, acceptLanguage, age, authorization
  case cacheControl, cacheStatus, cacheTag, cdnCacheControl, connection
  case contentEncoding, contentLength, contentLocation, contentRange, contentType, cookie
  case date, etag, expect, expires, forwarded, from, host
  case ifMatch, ifModifiedSince, ifNoneMatch, ifRange, ifUnmodifiedSince
  case keepAlive, lastModified, location, maxForwards, origin, pragma
  case proxyAuthenticate, proxyAuthorization, proxyConnection, range, referer, server
  case setCookie, surrogateKey, te, trailer, transferEncoding, upgrade, userAgent, vary, via
  case xCache, xForwardedFor, xForwardedHost, xForwardedProto, xRealIP, xRequestID
  case atollCDNCacheControl, proxyAuthenticationInfo

  /// The field of a name in any case of letters; `other` when no decision looks at it.
  @inline(__always)
  package static func of(_ name: UnsafePointer<UInt8>, length: Int) -> KnownField {
    KnownField(number: Int(csystem_known_field(name, length)))
  }

  /// The case with a raw value that comes from `csystem_fields`.
  @inline(__always)
  init(number: Int) {
    self = unsafeBitCast(UInt8(truncatingIfNeeded: number), to: KnownField.self)
  }

  /// This field as a member of a set.
  @inline(__always)
  package var bit: UInt64 { 1 &<< UInt64(rawValue) }
}
