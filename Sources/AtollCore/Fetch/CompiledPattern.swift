// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A path override's pattern in the form in which paths are held against it: what most patterns are
/// (a directory, an extension, a file) is one comparison. Its owner frees it.
struct CompiledPattern {
  private enum Kind {
    case everything, exact, prefix, suffix, wildcard
  }

  /// What the ends of a path must be for a closer look: most patterns are ruled out by them.
  private let ends: PathEnds
  private let masks: PathEnds
  private let kind: Kind
  /// Without the `*` of a prefix, without the `/*` of a suffix.
  private let text: FixedBytes

  init(_ pattern: PathPattern) {
    let bytes = pattern.text
    (ends, masks) = PathEnds.required(by: Array(bytes.utf8))
    let star = UInt8(ascii: "*")
    let wildcards = bytes.utf8.filter { $0 == star || $0 == UInt8(ascii: "?") }.count
    if bytes == "/*" {
      kind = .everything
      text = FixedBytes("")
    } else if wildcards == 0 {
      kind = .exact
      text = FixedBytes(bytes)
    } else if wildcards == 1 && bytes.utf8.last == star {
      kind = .prefix
      text = FixedBytes(String(bytes.dropLast()))
    } else if wildcards == 1 && bytes.hasPrefix("/*") {
      kind = .suffix
      text = FixedBytes(String(bytes.dropFirst(2)))
    } else {
      kind = .wildcard
      text = FixedBytes(bytes)
    }
  }

  func deallocate() { text.deallocate() }

  /// - Parameter ends: the path's.
  @inline(__always)
  func matches(_ path: UnsafeBufferPointer<UInt8>, ends: PathEnds) -> Bool {
    let differences =
      (ends.first ^ self.ends.first) & masks.first | (ends.last ^ self.ends.last) & masks.last
    return differences == 0 && matches(path)
  }

  @inline(never)
  private func matches(_ path: UnsafeBufferPointer<UInt8>) -> Bool {
    let count = text.bytes.count
    switch kind {
    case .everything: return true
    case .exact: return sameBytes(path, text.bytes)
    case .prefix:
      guard path.count >= count, let start = path.baseAddress else { return false }
      return memcmp(start, text.bytes.baseAddress!, count) == 0
    case .suffix:
      // The pattern's slash is a byte of its own: `/*/a` does not match `/a`.
      guard path.count > count, let start = path.baseAddress else { return false }
      return memcmp(start + (path.count &- count), text.bytes.baseAddress!, count) == 0
    case .wildcard: return wildcardMatches(text.bytes, path)
    }
  }
}

/// The first and the last eight bytes of a path, zeros where it is shorter.
struct PathEnds {
  /// The first byte is the lowest.
  var first: UInt64 = 0
  /// The last byte is the highest.
  var last: UInt64 = 0

  @inline(__always)
  init(_ path: UnsafeBufferPointer<UInt8>) {
    if path.count >= 8, let start = path.baseAddress {
      let raw = UnsafeRawPointer(start)
      first = UInt64(littleEndian: raw.loadUnaligned(as: UInt64.self))
      last = UInt64(
        littleEndian: raw.loadUnaligned(fromByteOffset: path.count &- 8, as: UInt64.self))
    } else {
      for index in 0..<path.count { first |= UInt64(path[index]) &<< UInt64(index &* 8) }
      last = first &<< UInt64((8 &- path.count) &* 8)
    }
  }

  private init(first: UInt64, last: UInt64) {
    self.first = first
    self.last = last
  }

  /// The bytes that a pattern demands before its first and behind its last wildcard, and masks of
  /// where they stand.
  static func required(by pattern: [UInt8]) -> (ends: PathEnds, masks: PathEnds) {
    func isWildcard(_ byte: UInt8) -> Bool { byte == 0x2a || byte == 0x3f }
    let beginning = pattern.prefix { !isWildcard($0) }.prefix(8)
    var ends = PathEnds(first: 0, last: 0)
    var masks = PathEnds(first: 0, last: 0)
    for (index, byte) in beginning.enumerated() {
      ends.first |= UInt64(byte) << UInt64(index * 8)
      masks.first |= 0xff << UInt64(index * 8)
    }
    for (index, byte) in pattern.reversed().prefix(8).enumerated() {
      if isWildcard(byte) { break }
      ends.last |= UInt64(byte) << UInt64(56 - index * 8)
      masks.last |= 0xff << UInt64(56 - index * 8)
    }
    return (ends, masks)
  }
}
