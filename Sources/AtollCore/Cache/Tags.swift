// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Appends the cache tags of a response: the members of Cache-Tag, separated by commas, and of
/// Surrogate-Key, separated by white space. Each is preceded by its length, two bytes,
/// little-endian.
package func appendTags(
  _ response: ResponseHead, _ base: UnsafePointer<UInt8>, to section: ByteBuffer
) {
  let fields = response.fields
  if fields.present & (KnownField.cacheTag.bit | KnownField.surrogateKey.bit) == 0 { return }
  for index in 0..<fields.count {
    let known = fields.lines[index].known
    appendTags(of: known, fields.value(at: index, in: base), to: section)
  }
}

/// The same of a stored head.
package func appendTags(storedHead: UnsafeBufferPointer<UInt8>, to section: ByteBuffer) {
  var lines = StoredLines(storedHead)
  while let line = lines.next() {
    let known = KnownField.of(line.name.baseAddress!, length: line.name.count)
    appendTags(of: known, line.value, to: section)
  }
}

private func appendTags(
  of known: KnownField, _ value: UnsafeBufferPointer<UInt8>, to section: ByteBuffer
) {
  guard known == .cacheTag || known == .surrogateKey else { return }
  var at = 0
  while at < value.count {
    var end = at
    while end < value.count, !isSeparator(value[end], known) { end &+= 1 }
    appendTag(trimmed(value, at, end), to: section)
    at = end &+ 1
  }
}

@inline(__always)
private func isSeparator(_ byte: UInt8, _ known: KnownField) -> Bool {
  known == .cacheTag ? byte == 0x2c : byte == 0x20 || byte == 0x09
}

private func trimmed(_ value: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int)
  -> UnsafeBufferPointer<UInt8>
{
  var start = start
  var end = end
  while start < end, value[start] == 0x20 || value[start] == 0x09 { start &+= 1 }
  while end > start, value[end &- 1] == 0x20 || value[end &- 1] == 0x09 { end &-= 1 }
  return UnsafeBufferPointer(rebasing: value[start..<end])
}

private func appendTag(_ tag: UnsafeBufferPointer<UInt8>, to section: ByteBuffer) {
  if tag.isEmpty { return }
  section.appendLittleEndian(UInt16(truncatingIfNeeded: tag.count))
  section.append(tag)
}

/// Whether a tag section, as `appendTags` writes it, holds exactly this tag. Tags are compared byte
/// by byte: `Post-1` and `post-1` differ.
package func tagsContain(
  _ section: UnsafeBufferPointer<UInt8>, _ tag: UnsafeBufferPointer<UInt8>
) -> Bool {
  guard let base = section.baseAddress, let wanted = tag.baseAddress, tag.count > 0 else {
    return false
  }
  var at = 0
  while at &+ 2 <= section.count {
    let length = Int(base[at]) | Int(base[at &+ 1]) &<< 8
    at &+= 2
    if length > section.count &- at { return false }
    if length == tag.count && memcmp(base + at, wanted, length) == 0 { return true }
    at &+= length
  }
  return false
}
