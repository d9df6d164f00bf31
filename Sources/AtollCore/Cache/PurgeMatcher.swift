// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A purge ready to be held against entries.
package struct PurgeMatcher: Sendable {
  package let number: UInt64
  package let slot: Int
  package let soft: Bool
  private let kind: Kind
  private let bytes: [UInt8]

  private enum Kind { case all, path, prefix, tag }

  /// - Parameter policy: the distribution's, by which the query of an exact path is reduced as it is
  ///   in keys: `/a?utm=1` means `/a` where queries are not forwarded.
  package init(_ record: PurgeRecord, slot: Int, policy: DistributionPolicy? = nil) {
    number = record.number
    soft = record.soft
    self.slot = slot
    switch record.selector {
    case .all: (kind, bytes) = (.all, [])
    case .path(let path):
      (kind, bytes) = (.path, policy?.keyedURL(of: path) ?? Array(path.utf8))
    case .prefix(let prefix): (kind, bytes) = (.prefix, Array(prefix.utf8))
    case .tag(let tag): (kind, bytes) = (.tag, Array(tag.utf8))
    }
  }

  /// - Parameters:
  ///   - key: as `appendCacheKey` wrote it.
  ///   - tags: as `appendTags` wrote them.
  package func matches(key: UnsafeBufferPointer<UInt8>, tags: UnsafeBufferPointer<UInt8>) -> Bool {
    guard keySlot(key) == slot else { return false }
    switch kind {
    case .all: return true
    case .path:
      let url = keyURL(key)
      return url.count == bytes.count && begins(url)
    case .prefix:
      let url = keyURL(key)
      return url.count >= bytes.count && begins(url)
    case .tag:
      return bytes.withUnsafeBufferPointer { tagsContain(tags, $0) }
    }
  }

  /// Whether a response to be stored under this key could match, whatever its tags.
  package func mayMatch(key: UnsafeBufferPointer<UInt8>) -> Bool {
    if kind == .tag { return keySlot(key) == slot }
    return matches(key: key, tags: UnsafeBufferPointer(start: nil, count: 0))
  }

  /// Whether a URL at least as long as `bytes` begins with them.
  private func begins(_ url: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let start = url.baseAddress else { return bytes.isEmpty }
    return bytes.withUnsafeBufferPointer { expected in
      guard let expectedStart = expected.baseAddress else { return true }
      return memcmp(start, expectedStart, expected.count) == 0
    }
  }
}
