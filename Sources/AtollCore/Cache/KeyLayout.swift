// SPDX-License-Identifier: Apache-2.0

/// How a cache key is laid out; numbers are little-endian.
///
/// | bytes | what |
/// |---|---|
/// | 0 ..< 2 | slot of the distribution |
/// | 2 ..< 5 | shape: what of a request the behavior adds to the key; its highest bit for https |
/// | 5 | kind: 0 for what GET and HEAD fetch, else see `KeyKind`; its highest bit: see `failureMark` |
/// | 6 ..< 8 | length of the URL |
/// | 8 ... | the URL: path with its document, "?" and the selected query |
/// | then | the host, where it is keyed |
/// | then | the value of every keyed header, in the behavior's order |
/// | then | the value of every keyed header about the viewer, in the order of their numbers |
/// | then | the keyed cookies in the order of their names |
/// | then | of a slice: its number in four bytes |
///
/// Every part is preceded by its length, so no two requests that differ in a part share a key. The
/// shape keeps an entry stored before a change of settings from answering for other headers.
enum KeyLayout {
  static let kindOffset = 5
  static let urlLengthOffset = 6
  static let urlOffset = 8

  /// Set in the kind of what an origin's failure left instead of the response: it must not take the
  /// place of an entry that is still good for something.
  static let failureMark: UInt8 = 0x80

  /// Preceding a part of `length` bytes. One more than the length, as 0 says that the request has
  /// no such header, which is not the same as an empty one.
  @inline(__always)
  static func prefix(ofLength length: Int) -> UInt16 { UInt16(truncatingIfNeeded: length &+ 1) }
}

/// What an entry is of what its URL names. Entries derived from another have its key but for this:
/// purges, which look at the URL, find them all.
package enum KeyKind: UInt8, Sendable {
  case response = 0
  /// The response to OPTIONS.
  case options = 1
  /// The response, compressed by the edge.
  case gzip = 2
  case brotli = 3
  /// An aligned part of the response.
  case slice = 4
}

/// Makes a key that of another entry derived from the same response.
package func setKeyKind(_ kind: KeyKind, of key: ByteBuffer) {
  key.base[KeyLayout.kindOffset] = kind.rawValue
}

/// Turns a key into that of the failure to fetch what it names, and back.
package func toggleFailureMark(_ key: UnsafeMutablePointer<UInt8>) {
  key[KeyLayout.kindOffset] ^= KeyLayout.failureMark
}

/// Makes a response's key that of a form of it.
package func setKeyKind(_ coding: ContentCoding, in key: ByteBuffer) {
  key.base[KeyLayout.kindOffset] = coding.rawValue
}

/// Path and selected query of a key: what purges and listings speak of.
package func keyURL(_ key: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
  guard let base = key.baseAddress, key.count >= KeyLayout.urlOffset else {
    return UnsafeBufferPointer(start: nil, count: 0)
  }
  let length = UnsafeRawPointer(base).loadUnaligned(
    fromByteOffset: KeyLayout.urlLengthOffset, as: UInt16.self)
  return UnsafeBufferPointer(
    start: base + KeyLayout.urlOffset,
    count: min(Int(UInt16(littleEndian: length)), key.count - KeyLayout.urlOffset))
}

/// The slot of the distribution that a key belongs to.
package func keySlot(_ key: UnsafeBufferPointer<UInt8>) -> Int {
  guard let base = key.baseAddress, key.count >= KeyLayout.urlOffset else { return -1 }
  return Int(UInt16(littleEndian: UnsafeRawPointer(base).loadUnaligned(as: UInt16.self)))
}

/// What an entry of this key is of what its URL names.
package func keyKind(_ key: UnsafeBufferPointer<UInt8>) -> KeyKind? {
  key.count > KeyLayout.kindOffset ? KeyKind(rawValue: key[KeyLayout.kindOffset]) : nil
}
