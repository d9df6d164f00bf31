// SPDX-License-Identifier: Apache-2.0

/// Appends the stored head of a compressed form, out of that of its source or of an older form.
///
/// A strong entity tag becomes a weak one, as the bytes differ from form to form (RFC 9110
/// §8.8.3.3), and what is no entity tag goes. Digests of the plain bytes go, and so does
/// Accept-Ranges: ranges are answered from the plain bytes.
/// - Parameter now: in seconds since 1970.
/// - Returns: where the validators lie, counted from what was the end of `buffer`.
package func appendCompressedHead(
  stored: UnsafeBufferPointer<UInt8>, coding: ContentCoding, now: Int64, to buffer: ByteBuffer
) -> StoredMeta {
  let start = buffer.count
  var writer = HeadWriter(buffer, now: now)
  var isWeakened = false
  var lines = StoredLines(stored)
  buffer.append(lines.statusLine)
  writer.endStatusLine()
  while let line = lines.next() {
    let known = KnownField.of(line.name.baseAddress!, length: line.name.count)
    if known == .contentEncoding || describesPlainBytes(known, line.name) { continue }
    if known == .etag {
      guard let etag = EntityTag(line.value) else { continue }
      if !etag.isWeak {
        buffer.append("ETag: W/")
        let valueStart = buffer.count &- 2
        buffer.append(line.value)
        writer.note(
          .etag, valueStart: valueStart,
          UnsafeBufferPointer(start: buffer.base + valueStart, count: line.value.count &+ 2))
        buffer.append("\r\n")
        isWeakened = true
        continue
      }
    }
    writer.note(known, lineStart: buffer.count, line)
    buffer.append(line.whole)
  }
  buffer.append("Content-Encoding: ")
  buffer.append(coding.name)
  buffer.append("\r\n")
  appendVaryOnCoding(to: buffer, from: start)
  writer.endDate()
  var meta = writer.finish()
  meta.isWeakened = isWeakened
  return meta
}

/// Appends `Vary: Accept-Encoding` to the stored head that begins at `start`, unless its Vary says so
/// already: caches behind this one must not serve one form to everybody (RFC 9110 §12.5.5).
package func appendVaryOnCoding(to buffer: ByteBuffer, from start: Int = 0) {
  var lines = StoredLines(UnsafeBufferPointer(rebasing: buffer.bytes[start...]))
  while let line = lines.next() {
    if KnownField.of(line.name.baseAddress!, length: line.name.count) != .vary { continue }
    var members = ListMembers(line.value)
    while let member = members.next() {
      if equalsIgnoringCase(member, "accept-encoding") || (member.count == 1 && member[0] == 0x2a) {
        return
      }
    }
  }
  buffer.append("Vary: Accept-Encoding\r\n")
}

/// Fields about the bytes of the identity form: Content-MD5, RFC 3230's and RFC 9530's digests, and
/// Accept-Ranges.
private func describesPlainBytes(_ known: KnownField, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
  if known != .other { return false }
  switch name.count {
  case 6: return equalsIgnoringCase(name, "digest")
  case 11:
    return equalsIgnoringCase(name, "content-md5") || equalsIgnoringCase(name, "repr-digest")
  case 13: return equalsIgnoringCase(name, "accept-ranges")
  case 14: return equalsIgnoringCase(name, "content-digest")
  default: return false
  }
}
