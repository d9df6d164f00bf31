// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Names out of a behavior's settings as raw bytes, so that comparing a request with them touches
/// neither strings nor arrays. Its owner frees it.
struct NameList {
  struct Name {
    var start: Int
    var length: Int
    /// The header of that name; `other` in lists of cookies and query parameters, too.
    var known: KnownField
    /// Its first byte; 0 where that may be any, or there is none.
    var first: UInt8
  }

  let count: Int
  private let names: UnsafeMutablePointer<Name>
  private let bytes: UnsafeMutablePointer<UInt8>

  init(_ texts: [String] = []) {
    count = texts.count
    names = .allocate(capacity: max(count, 1))
    let joined = texts.flatMap { Array($0.utf8) }
    bytes = .allocate(capacity: max(joined.count, 1))
    bytes.initialize(from: joined, count: joined.count)
    var start = 0
    for (index, text) in texts.enumerated() {
      let length = text.utf8.count
      (names + index).initialize(
        to: Name(
          start: start, length: length, known: KnownField.of(bytes + start, length: length),
          first: text.utf8.first.map { $0 == 0x2a || $0 == 0x3f ? 0 : $0 } ?? 0))
      start += length
    }
  }

  func deallocate() {
    names.deallocate()
    bytes.deallocate()
  }

  @inline(__always)
  subscript(index: Int) -> UnsafeBufferPointer<UInt8> {
    let name = names + index
    return UnsafeBufferPointer(start: bytes + name.pointee.start, count: name.pointee.length)
  }

  @inline(__always)
  func known(_ index: Int) -> KnownField { names[index].known }

  /// Whether one of the names is exactly this one.
  func contains(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
    for index in 0..<count where sameBytes(self[index], name) { return true }
    return false
  }

  /// Whether one of the lower-case names is this one in any case of letters.
  func containsIgnoringCase(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
    for index in 0..<count where sameName(self[index], name) { return true }
    return false
  }

  /// Whether one of the names, as a pattern, matches this one.
  func matches(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
    let first = name.first ?? 0
    for index in 0..<count {
      // Lists are long and names short: most differ in their first byte.
      let demanded = names[index].first
      if demanded != 0 && demanded != first { continue }
      if wildcardMatches(self[index], name) { return true }
    }
    return false
  }
}

/// Bytes that stay where they are until their owner frees them.
struct FixedBytes {
  let bytes: UnsafeBufferPointer<UInt8>

  init(_ text: String) {
    let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(text.utf8.count, 1))
    _ = copy.initialize(from: text.utf8)
    bytes = UnsafeBufferPointer(start: copy.baseAddress, count: text.utf8.count)
  }

  func deallocate() { bytes.deallocate() }
}

@inline(__always)
func sameBytes(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Bool {
  if a.count != b.count { return false }
  guard let left = a.baseAddress, let right = b.baseAddress else { return true }
  return memcmp(left, right, a.count) == 0
}

/// Equal but for the case of ASCII letters, as field names are compared (RFC 9110 §5.1).
func sameName(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Bool {
  if a.count != b.count { return false }
  for index in 0..<a.count where lowercased(a[index]) != lowercased(b[index]) { return false }
  return true
}

/// Whether `name`, in any case of letters, begins with the lower-case text.
func beginsIgnoringCase(_ name: UnsafeBufferPointer<UInt8>, _ lower: StaticString) -> Bool {
  let length = lower.utf8CodeUnitCount
  guard name.count >= length else { return false }
  return equalsIgnoringCase(UnsafeBufferPointer(rebasing: name[..<length]), lower)
}

@inline(__always)
func lowercased(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
