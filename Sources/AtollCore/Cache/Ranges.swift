// SPDX-License-Identifier: Apache-2.0

/// Bytes of a body from `start` up to, but not including, `end`.
package struct ByteRange: Equatable, Sendable {
  package var start: Int
  package var end: Int

  package init(_ start: Int, _ end: Int) {
    self.start = start
    self.end = end
  }

  package var count: Int { end &- start }

  package func contains(_ other: ByteRange) -> Bool { start <= other.start && other.end <= end }

  package func overlaps(_ other: ByteRange) -> Bool { start < other.end && other.start < end }
}

/// One range-spec of a Range field (RFC 9110 §14.1.2). Numbers too large to hold count as the largest
/// number, which lies behind every body.
package enum RangeSpec: Equatable, Sendable {
  /// `first-last`; an open end is the largest number.
  case positions(first: Int, last: Int)
  /// `-length`.
  case suffix(Int)

  /// Nil when the bytes are no range-spec, or one whose last position lies before the first.
  init?(_ spec: UnsafeBufferPointer<UInt8>) {
    guard let dash = spec.firstIndex(of: 0x2d),
      let first = Self.number(UnsafeBufferPointer(rebasing: spec[..<dash])),
      let last = Self.number(UnsafeBufferPointer(rebasing: spec[(dash &+ 1)...]))
    else { return nil }
    switch (first, last) {
    case (nil, nil): return nil
    case (nil, let length?): self = .suffix(length)
    case (let first?, let last):
      if let last, last < first { return nil }
      self = .positions(first: first, last: last ?? Int.max)
    }
  }

  /// Nil inside when there are no digits, nil outside when there is something else.
  private static func number(_ digits: UnsafeBufferPointer<UInt8>) -> Int?? {
    if digits.isEmpty { return .some(nil) }
    for byte in digits where byte &- 0x30 > 9 { return nil }
    guard let value = decimal(digits) else { return .some(Int.max) }
    return .some(Int(clamping: value))
  }

  /// The bytes that it selects of a body; nil when it is not satisfiable.
  package func range(of bodyLength: Int) -> ByteRange? {
    switch self {
    case .positions(let first, let last):
      if first >= bodyLength { return nil }
      return ByteRange(first, min(last, bodyLength &- 1) &+ 1)
    case .suffix(let length):
      if length == 0 { return nil }
      return ByteRange(bodyLength &- min(length, bodyLength), bodyLength)
    }
  }
}

/// The range-specs of a Range field in `bytes`, in their order; nil when the field counts for
/// nothing: another unit, no valid set, or more ranges than `Limits.ranges` (RFC 9110 §14.2).
package func parseRanges(_ value: UnsafeBufferPointer<UInt8>) -> [RangeSpec]? {
  guard value.count > 6, beginsIgnoringCase(value, "bytes=") else { return nil }
  var members = ListMembers(UnsafeBufferPointer(rebasing: value[6...]))
  var specs: [RangeSpec] = []
  while let member = members.next() {
    guard specs.count < Limits.ranges, let spec = RangeSpec(member) else { return nil }
    specs.append(spec)
  }
  return specs.isEmpty ? nil : specs
}

/// What a Range field selects of a body.
package enum RangeSelection: Equatable, Sendable {
  /// The field is ignored.
  case whole
  case unsatisfiable
  /// In the order asked for, no two overlapping; at least one.
  case parts([ByteRange])
}

/// RFC 9110 §14.2: of several ranges the unsatisfiable ones are left out; two that overlap become
/// one (§15.3.7.2), and a request with more overlapping than that wants the same bytes again and
/// again: it gets the whole.
package func selectRanges(_ specs: [RangeSpec], bodyLength: Int) -> RangeSelection {
  var parts: [ByteRange] = []
  var overlaps = 0
  for spec in specs {
    guard var part = spec.range(of: bodyLength) else { continue }
    // No Content-Range can describe a part of nothing.
    if part.count == 0 { return .whole }
    var place = parts.count
    for index in parts.indices where parts[index].overlaps(part) {
      overlaps += 1
      place = index
      part = ByteRange(min(part.start, parts[index].start), max(part.end, parts[index].end))
    }
    if overlaps > 1 { return .whole }
    if place == parts.count { parts.append(part) } else { parts[place] = part }
  }
  // A part that grew may have come to touch others.
  for (index, part) in parts.enumerated() {
    if parts[..<index].contains(where: { $0.overlaps(part) }) { return .whole }
  }
  return parts.isEmpty ? .unsatisfiable : .parts(parts)
}

/// The same from the field's value, for callers that know it to be valid.
package func selectRanges(
  _ value: UnsafeBufferPointer<UInt8>, bodyLength: Int
) -> RangeSelection {
  guard let specs = parseRanges(value) else { return .whole }
  return selectRanges(specs, bodyLength: bodyLength)
}

/// The value of a Content-Range field in `bytes` (RFC 9110 §14.4).
package struct ContentRange: Equatable, Sendable {
  /// Nil in a 416: `bytes */1000`.
  package var range: ByteRange?
  /// Of the whole representation; nil when unknown: `bytes 0-1/*`.
  package var total: Int?

  package init(range: ByteRange?, total: Int?) {
    self.range = range
    self.total = total
  }

  /// Nil when it is not valid, or not in bytes.
  package init?(_ value: UnsafeBufferPointer<UInt8>) {
    guard value.count > 6, beginsIgnoringCase(value, "bytes "),
      let slash = value.firstIndex(of: 0x2f)
    else { return nil }
    let totalText = UnsafeBufferPointer(rebasing: value[(slash &+ 1)...])
    let rangeText = UnsafeBufferPointer(rebasing: value[6..<max(slash, 6)])
    if totalText.count == 1 && totalText[0] == 0x2a {
      total = nil
    } else {
      guard let number = Self.number(totalText) else { return nil }
      total = number
    }
    if rangeText.count == 1 && rangeText[0] == 0x2a {
      if total == nil { return nil }
      return
    }
    guard let dash = rangeText.firstIndex(of: 0x2d),
      let first = Self.number(UnsafeBufferPointer(rebasing: rangeText[..<dash])),
      let last = Self.number(UnsafeBufferPointer(rebasing: rangeText[(dash &+ 1)...])),
      last >= first
    else { return nil }
    if let total, last >= total { return nil }
    range = ByteRange(first, last &+ 1)
  }

  /// The only one of a response; nil when it has none or several.
  package init?(_ fields: FieldTable, _ base: UnsafePointer<UInt8>) {
    guard fields.repeated & KnownField.contentRange.bit == 0,
      let value = fields.value(of: .contentRange, in: base)
    else { return nil }
    self.init(value)
  }

  /// Less than the largest number, so that an end can be computed.
  private static func number(_ digits: UnsafeBufferPointer<UInt8>) -> Int? {
    guard let value = decimal(digits), value < UInt64(Int.max) else { return nil }
    return Int(value)
  }
}

extension ByteBuffer {
  /// `Content-Range: bytes 0-1/10`, with its CRLF.
  package func appendContentRange(_ range: ByteRange, of total: Int) {
    append("Content-Range: bytes ")
    appendDecimal(UInt64(range.start))
    append("-")
    appendDecimal(UInt64(range.end &- 1))
    append("/")
    appendDecimal(UInt64(total))
    append("\r\n")
  }
}

/// Whether a range is worth waiting for until a fill reaches it, rather than being asked for on its
/// own.
/// - Parameters:
///   - start: first byte wanted.
///   - available: bytes that the fill has brought.
package func isWithinReach(_ start: Int, available: Int) -> Bool {
  start <= available || start &- available <= Limits.fillReach
}

/// Appends status line and fields of a 206 for one part of a stored response. A Content-Range that
/// stands there without meaning (RFC 9110 §14.4) must not stand beside the edge's own.
package func appendPartHead(stored: UnsafeBufferPointer<UInt8>, to buffer: ByteBuffer) {
  appendPartHead(stored: stored, without: KnownField.contentRange.bit, to: buffer)
}

private func appendPartHead(
  stored: UnsafeBufferPointer<UInt8>, without dropped: UInt64, to buffer: ByteBuffer
) {
  appendStatusLine(206, to: buffer)
  var lines = StoredLines(stored)
  while let line = lines.next() {
    if dropped & KnownField.of(line.name.baseAddress!, length: line.name.count).bit == 0 {
      buffer.append(line.whole)
    }
  }
}

/// Several parts of a stored response as multipart/byteranges (RFC 9110 §15.3.7.2 and §14.6).
package struct MultipartRanges: Sendable {
  package let ranges: [ByteRange]
  package let total: Int
  private let boundary: [UInt8]
  /// The field line of the whole, with its CRLF; empty without one.
  private let contentType: [UInt8]
  /// Of the whole multipart body.
  package let contentLength: Int

  /// - Parameters:
  ///   - stored: the head of the whole response.
  ///   - nonce: makes the boundary one that no author of content can foresee.
  package init(
    _ ranges: [ByteRange], of total: Int, stored: UnsafeBufferPointer<UInt8>,
    nonce: (UInt64, UInt64)
  ) {
    self.ranges = ranges
    self.total = total
    let text = ByteBuffer(capacity: 48)
    text.append("atoll-")
    text.appendHex(nonce.0)
    text.appendHex(nonce.1)
    boundary = Array(text.bytes)
    var type: [UInt8] = []
    var lines = StoredLines(stored)
    while let line = lines.next() {
      if type.isEmpty,
        KnownField.of(line.name.baseAddress!, length: line.name.count) == .contentType
      {
        type = Array(line.whole)
      }
    }
    contentType = type
    let sample = ByteBuffer(capacity: 256)
    for index in ranges.indices {
      Self.appendDelimiter(index, ranges, total, boundary, type, to: sample)
    }
    Self.appendEnd(boundary, to: sample)
    contentLength = ranges.reduce(sample.count) { $0 + $1.count }
  }

  /// What stands before the bytes of a part.
  package func appendDelimiter(before index: Int, to buffer: ByteBuffer) {
    Self.appendDelimiter(index, ranges, total, boundary, contentType, to: buffer)
  }

  /// What stands behind the last part.
  package func appendEnd(to buffer: ByteBuffer) { Self.appendEnd(boundary, to: buffer) }

  /// Status line and fields of the 206, but for what depends on the exchange.
  package func appendHead(stored: UnsafeBufferPointer<UInt8>, to buffer: ByteBuffer) {
    let dropped = FieldRules.set(.contentType, .contentRange)
    appendPartHead(stored: stored, without: dropped, to: buffer)
    buffer.append("Content-Type: multipart/byteranges; boundary=")
    buffer.append(boundary)
    buffer.append("\r\n")
  }

  private static func appendDelimiter(
    _ index: Int, _ ranges: [ByteRange], _ total: Int, _ boundary: [UInt8], _ contentType: [UInt8],
    to buffer: ByteBuffer
  ) {
    buffer.append(index == 0 ? "--" : "\r\n--")
    buffer.append(boundary)
    buffer.append("\r\n")
    buffer.append(contentType)
    buffer.appendContentRange(ranges[index], of: total)
    buffer.append("\r\n")
  }

  private static func appendEnd(_ boundary: [UInt8], to buffer: ByteBuffer) {
    buffer.append("\r\n--")
    buffer.append(boundary)
    buffer.append("--\r\n")
  }
}
