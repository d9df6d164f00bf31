// SPDX-License-Identifier: Apache-2.0

/// Appends the part of a response's head that is stored and passed on: status line and field lines,
/// each with CRLF, without the empty line.
///
/// Left out are what belongs to one connection, the framing (the edge's own business) and what the
/// edge says about the exchange itself; Date is there afterwards (RFC 9110 §6.6.1) and Via has one
/// more member (§7.6.3). A 101 keeps Upgrade, as it means nothing without.
/// - Parameters:
///   - storing: the lines become an entry: Age is left out, as it is written anew for each use.
///   - now: in seconds since 1970.
/// - Returns: where the validators lie, counted from what was the end of `buffer`.
@discardableResult
package func appendResponseHead(
  _ response: ResponseHead, _ base: UnsafePointer<UInt8>, behavior: BehaviorPolicy, storing: Bool,
  now: Int64, to buffer: ByteBuffer
) -> StoredMeta {
  var writer = HeadWriter(buffer, now: now)
  buffer.append("HTTP/1.1 ")
  buffer.appendDecimal(UInt64(response.status))
  buffer.append(0x20)
  buffer.append(base + Int(response.reasonStart), Int(response.reasonLength))
  buffer.append("\r\n")
  writer.endStatusLine()

  var dropped = FieldRules.droppedOfResponses
  if storing { dropped |= KnownField.age.bit }
  if !behavior.forwardsCookies { dropped |= KnownField.setCookie.bit }
  if response.status == 101 { dropped &= ~KnownField.upgrade.bit }
  writer.copy(response, base, except: dropped)
  if response.status == 101 { buffer.append("Connection: upgrade\r\n") }
  writer.endDate()
  buffer.append(response.minorVersion == 0 ? "Via: 1.0 atoll\r\n" : "Via: 1.1 atoll\r\n")
  return writer.finish()
}

/// Appends the head of a stored response after a 304: the 304's fields replace those of the same
/// name (RFC 9111 §3.2), except for those that describe the stored body or the connection.
package func appendUpdatedHead(
  stored: UnsafeBufferPointer<UInt8>, response: ResponseHead, base: UnsafePointer<UInt8>,
  behavior: BehaviorPolicy, now: Int64, to buffer: ByteBuffer
) -> StoredMeta {
  var writer = HeadWriter(buffer, now: now)
  var kept = FieldRules.keptByUpdates
  if !behavior.forwardsCookies { kept |= KnownField.setCookie.bit }
  let fields = response.fields
  // A new Date is written below when the 304 has none.
  let replaced = (fields.present | KnownField.date.bit) & ~kept & ~KnownField.other.bit
  var lines = StoredLines(stored)
  buffer.append(lines.statusLine)
  writer.endStatusLine()
  while let line = lines.next() {
    let known = KnownField.of(line.name.baseAddress!, length: line.name.count)
    if known == .other {
      if hasField(named: line.name, in: fields, base) { continue }
    } else if replaced & known.bit != 0 {
      continue
    }
    writer.note(known, lineStart: buffer.count, line)
    buffer.append(line.whole)
  }
  writer.copy(response, base, except: kept)
  writer.endDate()
  return writer.finish()
}

/// Appends a 304 to a viewer from a stored head: the fields of RFC 9110 §15.4.5, Last-Modified
/// when there is no entity tag, and Via; besides what the response header policy has to do with.
package func appendNotModifiedHead(
  stored: UnsafeBufferPointer<UInt8>, policy: ResponsePolicy? = nil, to buffer: ByteBuffer
) {
  buffer.append("HTTP/1.1 304 Not Modified\r\n")
  let wanted =
    FieldRules.set(.cacheControl, .contentLocation, .date, .etag, .expires, .vary, .via)
  var lastModified: UnsafeBufferPointer<UInt8>?
  var hasETag = false
  var lines = StoredLines(stored)
  while let line = lines.next() {
    let known = KnownField.of(line.name.baseAddress!, length: line.name.count)
    if known == .lastModified { lastModified = line.whole }
    if known == .etag { hasETag = true }
    if wanted & known.bit != 0 || policy?.names(line.name) == true { buffer.append(line.whole) }
  }
  if let lastModified, !hasETag { buffer.append(lastModified) }
}

/// A field of the 304 that Connection does not list, whatever the case of its name.
private func hasField(
  named name: UnsafeBufferPointer<UInt8>, in fields: FieldTable, _ base: UnsafePointer<UInt8>
) -> Bool {
  for index in 0..<fields.count
  where fields.lines[index].known == .other && sameName(fields.name(at: index, in: base), name) {
    return true
  }
  return false
}

/// Writes field lines and remembers where those lie that `StoredMeta` wants.
struct HeadWriter {
  private let buffer: ByteBuffer
  private let start: Int
  private var meta = StoredMeta()
  private var hasDate = false
  private let now: Int64

  init(_ buffer: ByteBuffer, now: Int64) {
    self.buffer = buffer
    self.now = now
    start = buffer.count
  }

  mutating func endStatusLine() {
    meta.fieldsStart = UInt32(truncatingIfNeeded: buffer.count &- start)
  }

  mutating func copy(
    _ response: ResponseHead, _ base: UnsafePointer<UInt8>, except dropped: UInt64
  ) {
    let fields = response.fields
    for index in 0..<fields.count {
      let known = fields.lines[index].known
      if dropped & known.bit != 0 { continue }
      let name = fields.name(at: index, in: base)
      if response.connectionListsFields && fields.connectionLists(name, base) { continue }
      let value = fields.value(at: index, in: base)
      if known == .date {
        // One Date, a valid one: what conditions and ages count from.
        if hasDate || HTTPDate.parse(value, now: now) == nil { continue }
        hasDate = true
      }
      buffer.append(name)
      buffer.append(": ")
      let valueStart = buffer.count
      buffer.append(value)
      buffer.append("\r\n")
      note(known, valueStart: valueStart, value)
    }
  }

  /// A line of a stored head that is about to be appended at `lineStart`.
  mutating func note(_ known: KnownField, lineStart: Int, _ line: StoredLines.Line) {
    let offset = line.whole.baseAddress!.distance(to: line.value.baseAddress!)
    if known == .date { hasDate = true }
    note(known, valueStart: lineStart &+ offset, line.value)
  }

  mutating func note(
    _ known: KnownField, valueStart: Int, _ value: UnsafeBufferPointer<UInt8>
  ) {
    let offset = UInt32(truncatingIfNeeded: valueStart &- start)
    let length = UInt32(truncatingIfNeeded: value.count)
    switch known {
    case .etag:
      guard meta.etagLength == 0, let etag = EntityTag(value) else { return }
      meta.etagOffset = offset
      meta.etagLength = length
      meta.isWeak = etag.isWeak
    case .lastModified:
      guard meta.lastModified < 0, let time = HTTPDate.parse(value, now: now) else { return }
      meta.lastModifiedOffset = offset
      meta.lastModifiedLength = length
      meta.lastModified = time
    case .date: meta.date = HTTPDate.parse(value, now: now) ?? -1
    default: break
    }
  }

  /// Writes Date when the fields had none.
  mutating func endDate() {
    if hasDate { return }
    buffer.append("Date: ")
    HTTPDate.append(now, to: buffer)
    buffer.append("\r\n")
    meta.date = now
  }

  func finish() -> StoredMeta {
    var result = meta
    // RFC 9110 §8.8.2.2: at least a second lies between the two, by the origin's own clock.
    result.isLastModifiedStrong = meta.lastModified >= 0 && meta.lastModified < meta.date
    return result
  }
}
