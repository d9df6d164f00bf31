// SPDX-License-Identifier: Apache-2.0

/// Where the fields of a stored head lie that conditional and range requests need; plain data,
/// found once when the head is written. Offsets count from the stored head's first byte.
package struct StoredMeta: Sendable, Equatable {
  /// The status line's length with its CRLF: where the fields begin.
  package var fieldsStart: UInt32 = 0
  /// The entity tag with its quotes and, when weak, its `W/`; length 0 when there is none.
  package var etagOffset: UInt32 = 0
  package var etagLength: UInt32 = 0
  package var isWeak = false
  /// The edge has made it weak: the origin knows it without `W/`.
  package var isWeakened = false
  /// Last-Modified is old enough beside Date to tell two versions apart (RFC 9110 §8.8.2.2).
  package var isLastModifiedStrong = false
  /// The Last-Modified value as received, for If-Modified-Since; length 0 when there is none.
  package var lastModifiedOffset: UInt32 = 0
  package var lastModifiedLength: UInt32 = 0
  /// Seconds since 1970; -1 without a valid Last-Modified.
  package var lastModified: Int64 = -1
  /// Seconds since 1970 of the Date field, which every stored head has.
  package var date: Int64 = -1

  package init() {}

  /// The entity tag, or nil.
  @inline(__always)
  package func etag(in head: UnsafePointer<UInt8>) -> UnsafeBufferPointer<UInt8>? {
    if etagLength == 0 { return nil }
    return UnsafeBufferPointer(start: head + Int(etagOffset), count: Int(etagLength))
  }

  /// The entity tag as the origin wrote it, or nil.
  package func originETag(in head: UnsafePointer<UInt8>) -> UnsafeBufferPointer<UInt8>? {
    guard isWeakened, let etag = etag(in: head) else { return etag(in: head) }
    return UnsafeBufferPointer(rebasing: etag.dropFirst(2))
  }

  /// The Last-Modified value as received, or nil.
  @inline(__always)
  package func lastModifiedValue(in head: UnsafePointer<UInt8>) -> UnsafeBufferPointer<UInt8>? {
    if lastModifiedLength == 0 { return nil }
    return UnsafeBufferPointer(
      start: head + Int(lastModifiedOffset), count: Int(lastModifiedLength))
  }

  /// Whether a stale entry can be validated (RFC 9111 §4.3.1).
  package var hasValidator: Bool { etagLength != 0 || lastModifiedLength != 0 }
}
