// SPDX-License-Identifier: Apache-2.0
import Glibc

/// How a response is cut into slices: aligned parts that are fetched and stored one by one
/// (RFC 9111 §3.3).
///
/// Beside its slices a response has an outline: an entry with the head that the whole would have,
/// its freshness, and its length as the body. What the outline says holds for the whole; a slice
/// counts only while its strong validator and length are those of the outline (§3.4), so that one
/// confirmation, purge or invalidation of the outline is one of them all.
package struct SliceGrid: Equatable, Sendable {
  /// Bytes of every slice but the last.
  package let size: Int

  package init(size: Int) { self.size = size }

  /// The slice that holds a byte; nil when no number can name it.
  package func number(at position: Int) -> UInt32? {
    let number = position / size
    return number < Int(SliceKey.outline) ? UInt32(number) : nil
  }

  /// What is asked of the origin for a slice. Of the last one it is more than there is.
  package func range(of number: UInt32) -> ByteRange {
    let (start, overflows) = Int(number).multipliedReportingOverflow(by: size)
    if overflows || start > Int.max &- size { return ByteRange(Int.max &- 1, Int.max) }
    return ByteRange(start, start &+ size)
  }

  /// How many slices a body has.
  package func count(of total: Int) -> Int { total == 0 ? 0 : (total &- 1) / size &+ 1 }
}

/// Keys of slices: the whole's, with another kind and a number behind.
package enum SliceKey {
  /// In place of a number.
  package static let outline = UInt32.max

  package static func append(
    _ number: UInt32, of whole: UnsafeBufferPointer<UInt8>, to key: ByteBuffer
  ) {
    precondition(whole.count >= KeyLayout.urlOffset)
    let start = key.count
    key.append(whole)
    key.base[start &+ KeyLayout.kindOffset] = KeyKind.slice.rawValue
    for shift in stride(from: UInt32(0), to: 32, by: 8) {
      key.append(UInt8(truncatingIfNeeded: number &>> shift))
    }
  }
}

/// What the 206 to a request for a slice is good for.
package enum PartJudgement: Equatable, Sendable {
  /// It has all bytes of the whole, which is as good as a 200 (RFC 9111 §3.4).
  case whole(total: Int)
  /// The slice asked for, bound to a strong validator.
  case slice(ByteRange, total: Int)
  /// A part that may answer a viewer who asked for no more, but not to be stored.
  case passing(ByteRange, total: Int, Reason)
  /// Nobody can rely on it.
  case unusable(Reason)
}

/// - Parameters:
///   - asked: as `SliceGrid.range` says.
///   - meta: of the response.
package func judgePart(
  _ response: ResponseHead, _ base: UnsafePointer<UInt8>, asked: ByteRange, meta: StoredMeta
) -> PartJudgement {
  if let type = response.fields.value(of: .contentType, in: base),
    beginsIgnoringCase(type, "multipart/byteranges")
  {
    // One range was asked for (RFC 9110 §15.3.7.2).
    return .unusable(.originRange)
  }
  guard let field = ContentRange(response.fields, base), let range = field.range else {
    return .unusable(.originRange)
  }
  if case .length(let length) = response.framing, length != UInt64(range.count) {
    return .unusable(.originRange)
  }
  guard let total = field.total else { return .unusable(.responsePartial) }
  // Only what says how long it is can be checked before it is given away as a part.
  guard case .length = response.framing else {
    return .passing(range, total: total, .responsePartial)
  }
  if range.start == 0 && range.end == total { return .whole(total: total) }
  if range.start != asked.start || range.end != min(asked.end, total) {
    return .passing(range, total: total, .originRange)
  }
  if !meta.hasStrongValidator { return .passing(range, total: total, .responsePartial) }
  return .slice(range, total: total)
}

extension StoredMeta {
  /// Whether two parts with the same validator are parts of the same bytes (RFC 9110 §8.8.1). A
  /// weak entity tag says that they may not be, whatever Last-Modified says.
  package var hasStrongValidator: Bool {
    etagLength != 0 ? !isWeak : isLastModifiedStrong
  }

  /// Whether both have strong validators, and equal ones.
  package func sharesStrongValidator(
    _ head: UnsafePointer<UInt8>, with other: StoredMeta, _ otherHead: UnsafePointer<UInt8>
  ) -> Bool {
    guard hasStrongValidator, other.hasStrongValidator else { return false }
    switch (etag(in: head), other.etag(in: otherHead)) {
    case (let own?, let its?): return sameBytes(own, its)
    case (nil, nil): return lastModified == other.lastModified
    default: return false
    }
  }
}

extension Entry {
  /// Of an outline: the length of the whole.
  package var outlinedLength: Int {
    guard bodyLength == MemoryLayout<Int64>.size else { return 0 }
    return Int(Int64(littleEndian: UnsafeRawPointer(body).loadUnaligned(as: Int64.self)))
  }

  /// Before the outline is inserted.
  package func setOutlinedLength(_ total: Int) {
    UnsafeMutableRawPointer(mutableBody).storeBytes(of: Int64(total).littleEndian, as: Int64.self)
    bodyLength = MemoryLayout<Int64>.size
  }

  /// Bytes of body that an outline takes.
  package static var outlineCapacity: Int { MemoryLayout<Int64>.size }

  /// Whether this stored slice is the numbered part of what an outline describes.
  package func isSlice(_ number: UInt32, _ grid: SliceGrid, of outline: Entry) -> Bool {
    let total = outline.outlinedLength
    let asked = grid.range(of: number)
    guard asked.start < total, let head = self.head.baseAddress,
      let range = contentRange(inStored: self.head),
      range.total == total, range.range == ByteRange(asked.start, min(asked.end, total)),
      bodyLength == range.range?.count
    else { return false }
    return meta.sharesStrongValidator(head, with: outline.meta, outline.head.baseAddress!)
  }
}

/// Content-Range of a stored 206.
package func contentRange(inStored head: UnsafeBufferPointer<UInt8>) -> ContentRange? {
  var lines = StoredLines(head)
  while let line = lines.next() {
    if KnownField.of(line.name.baseAddress!, length: line.name.count) == .contentRange {
      return ContentRange(line.value)
    }
  }
  return nil
}

/// Appends the head that the whole would have, from the written head of a part of it: with status 200
/// and without Content-Range (RFC 9111 §3.4).
/// - Returns: where the validators lie in it.
package func appendWholeHead(
  ofPart part: UnsafeBufferPointer<UInt8>, meta: StoredMeta, to buffer: ByteBuffer
) -> StoredMeta {
  let start = buffer.count
  appendStatusLine(200, to: buffer)
  var result = meta
  result.fieldsStart = UInt32(truncatingIfNeeded: buffer.count &- start)
  var lines = StoredLines(part)
  while let line = lines.next() {
    let known = KnownField.of(line.name.baseAddress!, length: line.name.count)
    if known == .contentRange { continue }
    let offset = UInt32(truncatingIfNeeded: line.value.baseAddress! - part.baseAddress!)
    let inLine = line.value.baseAddress! - line.whole.baseAddress!
    let moved = UInt32(truncatingIfNeeded: buffer.count &- start &+ inLine)
    if known == .etag && meta.etagLength != 0 && offset == meta.etagOffset {
      result.etagOffset = moved
    }
    if known == .lastModified && meta.lastModifiedLength != 0
      && offset == meta.lastModifiedOffset
    {
      result.lastModifiedOffset = moved
    }
    buffer.append(line.whole)
  }
  return result
}

/// What an origin says of ranges of a response (RFC 9110 §14.3).
package enum AcceptedRanges: Equatable, Sendable {
  case unstated, none, bytes

  package init(_ response: ResponseHead, _ base: UnsafePointer<UInt8>) {
    let name: StaticString = "accept-ranges"
    let lowercased = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    self = .unstated
    var line = response.fields.firstIndex(ofName: lowercased, in: base)
    while let index = line {
      if self == .unstated { self = .none }
      var members = ListMembers(response.fields.value(at: index, in: base))
      while let member = members.next() {
        if equalsIgnoringCase(member, "bytes") { self = .bytes }
      }
      line = response.fields.nextIndex(ofName: lowercased, in: base, after: index)
    }
  }
}

/// Appends `Accept-Ranges: bytes` to the head of a 200 that is being stored: whatever its origin can
/// do, ranges of what is stored are served (RFC 9110 §14.3).
package func appendAcceptRanges(
  _ response: ResponseHead, _ base: UnsafePointer<UInt8>, to buffer: ByteBuffer
) {
  if AcceptedRanges(response, base) == .unstated { buffer.append("Accept-Ranges: bytes\r\n") }
}

/// Whether a GET for the whole is put together of slices rather than fetched as one.
/// - Parameters:
///   - stored: how many of the slices are stored.
///   - objectLimit: the largest body that is stored as one.
package func takesWholeFromSlices(total: Int, stored: Int, objectLimit: Int) -> Bool {
  stored > 0 || total > objectLimit
}
