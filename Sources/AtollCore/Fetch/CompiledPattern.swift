// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A path override's pattern in the form in which paths are held against it: what most patterns are
/// (a directory, an extension, a file) is one comparison. Its owner frees it.
struct CompiledPattern {
  private enum Kind {
    case everything, exact, prefix, suffix, wildcard
  }

  private let kind: Kind
  /// Without the `*` of a prefix, without the `/*` of a suffix.
  private let text: FixedBytes

  init(_ pattern: PathPattern) {
    let bytes = pattern.text
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

  func matches(_ path: UnsafeBufferPointer<UInt8>) -> Bool {
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
