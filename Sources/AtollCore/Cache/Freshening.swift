// SPDX-License-Identifier: Apache-2.0

/// Whether a 304 is about the stored response that the request named (RFC 9111 §4.3.4): by a strong
/// validator that both have, else by a weak one.
///
/// A 304 without validators is about the one response that was asked after. A different entity tag
/// always means a different response, whatever Last-Modified says. Where servers weaken the tag of a
/// compressed response, not that of its 304, Last-Modified tells that they are the same.
/// - Parameter meta: of the stored head.
package func freshens(
  _ response: ResponseHead, _ base: UnsafePointer<UInt8>, meta: StoredMeta,
  storedHead: UnsafePointer<UInt8>
) -> Bool {
  let fields = response.fields
  let stored = meta.etag(in: storedHead).flatMap { EntityTag($0) }
  let etag = fields.value(of: .etag, in: base).flatMap { EntityTag($0) }
  let lastModified = fields.value(of: .lastModified, in: base)
    .flatMap { HTTPDate.parse($0, now: meta.date) }
  let isSameTime = lastModified != nil && lastModified == meta.lastModified
  guard let etag else { return lastModified == nil || isSameTime }
  guard let stored else {
    return isSameTime && (etag.isWeak || meta.isLastModifiedStrong)
  }
  if !sameBytes(etag.opaque, stored.opaque) { return false }
  return etag.isWeak || !stored.isWeak || (isSameTime && meta.isLastModifiedStrong)
}

/// Of a head whose entity tag was weakened here, what it was before.
package func strengthened(_ meta: StoredMeta) -> StoredMeta {
  var result = meta
  if meta.isWeak && meta.etagLength > 2 {
    result.etagOffset += 2
    result.etagLength -= 2
    result.isWeak = false
  }
  return result
}

/// Whether the head of a 200 to HEAD speaks of the stored response to GET (RFC 9111 §4.3.5): what it
/// tells of tag, time and length is what is stored.
/// - Parameters:
///   - length: what its Content-Length says; nil without one.
///   - bodyLength: bytes of the stored body.
package func describes(
  _ meta: StoredMeta, in head: UnsafePointer<UInt8>, length: UInt64?,
  stored: StoredMeta, in storedHead: UnsafePointer<UInt8>, bodyLength: Int
) -> Bool {
  if let length, length != UInt64(bodyLength) { return false }
  if let tag = meta.originETag(in: head) {
    guard let other = stored.originETag(in: storedHead), tag.elementsEqual(other) else {
      return false
    }
  }
  return meta.lastModified < 0 || meta.lastModified == stored.lastModified
}
