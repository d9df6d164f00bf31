// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A path override's pattern in the form in which paths are held against it. Its owner frees it.
///
/// `*` is any run of characters, slashes included, `?` exactly one; a trailing slash means
/// everything below; the leading slash is optional; case counts.
struct PathPattern {
  private enum Kind {
    case everything, exact, prefix, suffix, wildcard
  }

  private let kind: Kind
  /// Without the `*` of a prefix or suffix.
  private let text: FixedBytes

  init(_ pattern: String) {
    var pattern = pattern
    if !pattern.hasPrefix("/") && !pattern.hasPrefix("*") { pattern = "/" + pattern }
    if pattern.hasSuffix("/") { pattern += "*" }
    let wildcards = pattern.utf8.filter { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") }.count
    if pattern == "*" || pattern == "/*" {
      kind = .everything
      text = FixedBytes("")
    } else if wildcards == 0 {
      kind = .exact
      text = FixedBytes(pattern)
    } else if wildcards == 1 && pattern.hasSuffix("*") {
      kind = .prefix
      text = FixedBytes(String(pattern.dropLast()))
    } else if wildcards == 1 && pattern.hasPrefix("*") {
      kind = .suffix
      text = FixedBytes(String(pattern.dropFirst()))
    } else {
      kind = .wildcard
      text = FixedBytes(pattern)
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
      guard path.count >= count, let start = path.baseAddress else { return false }
      return memcmp(start + (path.count &- count), text.bytes.baseAddress!, count) == 0
    case .wildcard: return wildcardMatches(text.bytes, path)
    }
  }
}
