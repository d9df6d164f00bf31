// SPDX-License-Identifier: Apache-2.0

/// How a stored response answers a request's conditions and range.
@usableFromInline
package enum Selection: Equatable, Sendable {
  case full
  case notModified
  case preconditionFailed
  /// 206 with these bytes of the body.
  case range(start: Int, length: Int)
  /// 206 with several parts: those that `selectRanges` tells.
  case ranges
  /// 416.
  case unsatisfiable
}

/// Fields that state a condition, or ask for a part.
package var conditionFields: UInt64 {
  KnownField.ifMatch.bit | KnownField.ifNoneMatch.bit | KnownField.ifModifiedSince.bit
    | KnownField.ifUnmodifiedSince.bit | KnownField.range.bit
}

/// Whether a request has one of them.
package func isConditional(_ request: RequestHead) -> Bool {
  request.fields.present & conditionFields != 0
}

/// Evaluates the conditional and range fields of a GET or HEAD in the order of RFC 9110 §13.2.2.
/// - Parameters:
///   - status: of the stored response.
///   - bodyLength: of its whole body.
@inline(__always)
package func select(
  request: RequestHead, base: UnsafePointer<UInt8>, meta: StoredMeta,
  storedHead: UnsafePointer<UInt8>, status: UInt16, bodyLength: Int
) -> Selection {
  if request.fields.present & conditionalFields == 0 { return .full }
  return selectClosely(
    request: request, base: base, meta: meta, storedHead: storedHead, status: status,
    bodyLength: bodyLength)
}

/// Written out so that it is a constant to the optimizer: every hit tests it.
@inline(__always)
private var conditionalFields: UInt64 {
  KnownField.ifMatch.bit | KnownField.ifModifiedSince.bit | KnownField.ifNoneMatch.bit
    | KnownField.ifRange.bit | KnownField.ifUnmodifiedSince.bit | KnownField.range.bit
}

@inline(never)
private func selectClosely(
  request: RequestHead, base: UnsafePointer<UInt8>, meta: StoredMeta,
  storedHead: UnsafePointer<UInt8>, status: UInt16, bodyLength: Int
) -> Selection {
  // §13.2.1: conditions count only where the answer would otherwise be a success.
  guard status >= 200 && status < 300, request.method == .get || request.method == .head else {
    return .full
  }
  let fields = request.fields
  let etag = meta.etag(in: storedHead).flatMap { EntityTag($0) }
  if fields.contains(.ifMatch) {
    if !matches(fields, .ifMatch, base, etag, weakly: false) { return .preconditionFailed }
  } else if let time = date(fields, .ifUnmodifiedSince, base, meta), meta.lastModified >= 0 {
    if meta.lastModified > time { return .preconditionFailed }
  }
  if fields.contains(.ifNoneMatch) {
    if matches(fields, .ifNoneMatch, base, etag, weakly: true) { return .notModified }
  } else if let time = date(fields, .ifModifiedSince, base, meta) {
    // RFC 9111 §4.3.2: without Last-Modified, Date stands in.
    let modified = meta.lastModified >= 0 ? meta.lastModified : meta.date
    if modified >= 0 && modified <= time { return .notModified }
  }
  guard fields.contains(.range), request.method == .get, status == 200 else { return .full }
  if fields.contains(.ifRange) && !ifRangeHolds(fields, base, etag, meta, storedHead) {
    return .full
  }
  if fields.repeated & KnownField.range.bit != 0 { return .full }
  return range(fields.value(of: .range, in: base)!, bodyLength: bodyLength)
}

/// If-Match compares strongly, If-None-Match weakly (RFC 9110 §8.8.3.2); "*" matches whatever is
/// stored.
private func matches(
  _ fields: FieldTable, _ field: KnownField, _ base: UnsafePointer<UInt8>, _ etag: EntityTag?,
  weakly: Bool
) -> Bool {
  var line = fields.firstIndex(of: field)
  while let index = line {
    var members = ListMembers(fields.value(at: index, in: base))
    while let member = members.next() {
      if member.count == 1 && member[0] == 0x2a { return true }
      guard let etag, let other = EntityTag(member) else { continue }
      if !weakly && (etag.isWeak || other.isWeak) { continue }
      if sameBytes(etag.opaque, other.opaque) { return true }
    }
    line = fields.nextIndex(of: field, after: index)
  }
  return false
}

/// The time of a condition; nil, and so without effect, when it is no single valid date.
private func date(
  _ fields: FieldTable, _ field: KnownField, _ base: UnsafePointer<UInt8>, _ meta: StoredMeta
) -> Int64? {
  guard fields.repeated & field.bit == 0, let value = fields.value(of: field, in: base) else {
    return nil
  }
  return HTTPDate.parse(value, now: meta.date)
}

/// RFC 9110 §13.1.5: an exact match with a strong validator.
private func ifRangeHolds(
  _ fields: FieldTable, _ base: UnsafePointer<UInt8>, _ etag: EntityTag?, _ meta: StoredMeta,
  _ storedHead: UnsafePointer<UInt8>
) -> Bool {
  guard fields.repeated & KnownField.ifRange.bit == 0,
    let value = fields.value(of: .ifRange, in: base)
  else { return false }
  if let other = EntityTag(value) {
    guard let etag, !etag.isWeak, !other.isWeak else { return false }
    return sameBytes(etag.opaque, other.opaque)
  }
  guard meta.isLastModifiedStrong, let time = HTTPDate.parse(value, now: meta.date) else {
    return false
  }
  return time == meta.lastModified
}

/// RFC 9110 §14.2. One range, which nearly every request has, costs no allocation.
private func range(_ value: UnsafeBufferPointer<UInt8>, bodyLength: Int) -> Selection {
  guard value.count > 6, beginsIgnoringCase(value, "bytes=") else { return .full }
  var members = ListMembers(UnsafeBufferPointer(rebasing: value[6...]))
  guard let member = members.next(), let spec = RangeSpec(member) else { return .full }
  if members.next() != nil { return severalRanges(value, bodyLength: bodyLength) }
  guard let range = spec.range(of: bodyLength) else { return .unsatisfiable }
  // No Content-Range can describe a part of nothing.
  return range.count == 0 ? .full : .range(start: range.start, length: range.count)
}

private func severalRanges(_ value: UnsafeBufferPointer<UInt8>, bodyLength: Int) -> Selection {
  switch selectRanges(value, bodyLength: bodyLength) {
  case .whole: return .full
  case .unsatisfiable: return .unsatisfiable
  // RFC 9110 §15.3.7.2: what one part answers is no multipart.
  case .parts(let parts) where parts.count == 1:
    return .range(start: parts[0].start, length: parts[0].count)
  case .parts: return .ranges
  }
}
