// SPDX-License-Identifier: Apache-2.0

/// The header fields that some decision of the edge looks at, as one byte.
///
/// The parser tags each field line with its case, so that later steps compare
/// numbers, not names. `other` is every field not listed.
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
}
