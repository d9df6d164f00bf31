// SPDX-License-Identifier: Apache-2.0

/// A URL whose stored responses have probably changed (RFC 9111 §4.4), whatever else their keys hold.
package struct InvalidatedURL: Hashable, Sendable {
  private let slot: UInt16
  /// As `keyURL` has it.
  private let url: [UInt8]
  /// The part of the key that holds the host, where one does: other hosts are other origins.
  private let hostPart: Int?
  private let host: [UInt8]

  /// Nil for a behavior whose keys hold nothing but URL and host: there one key is all of them.
  package init?(key: UnsafeBufferPointer<UInt8>, behavior: BehaviorPolicy) {
    guard behavior.keysMoreThanHost else { return nil }
    slot = UInt16(keySlot(key))
    url = Array(keyURL(key))
    hostPart = behavior.hostPartOfKeys
    host = hostPart.flatMap { Self.part($0, of: key) } ?? []
  }

  package func matches(_ key: UnsafeBufferPointer<UInt8>) -> Bool {
    guard keySlot(key) == Int(slot), keyURL(key).elementsEqual(url) else { return false }
    guard let hostPart else { return true }
    return Self.part(hostPart, of: key) == host
  }

  /// A part behind the URL; nil when there is no such part.
  private static func part(_ index: Int, of key: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
    var at = KeyLayout.urlOffset + keyURL(key).count
    var left = index
    while at + 2 <= key.count {
      let length = max(Int(key[at]) | Int(key[at + 1]) << 8, 1) - 1
      let end = min(at + 2 + length, key.count)
      if left == 0 { return Array(key[(at + 2)..<end]) }
      left -= 1
      at = end
    }
    return nil
  }
}

extension BehaviorPolicy {
  /// Whether one URL of one host may have entries under several keys.
  var keysMoreThanHost: Bool {
    keysCookies || !keyedViewerHeaders.isEmpty
      || keyedHeaders.count > (keyedFields & KnownField.host.bit == 0 ? 0 : 1)
  }

  /// Which part of a key behind the URL is the host.
  var hostPartOfKeys: Int? {
    if keysHost { return 0 }
    return (0..<keyedHeaders.count).first { keyedHeaders.known($0) == .host }
  }
}

extension CacheStore {
  /// Takes out every entry of one of these URLs; how many there were. Looks at every entry, a few at
  /// a time.
  package func invalidate(_ urls: Set<InvalidatedURL>) -> Int {
    var count = 0
    var bucket = 0
    while bucket < index.bucketCount {
      let end = min(bucket + Self.purgeBatch, index.bucketCount)
      count += invalidate(urls, in: bucket..<end)
      bucket = end
    }
    return count
  }

  private func invalidate(_ urls: Set<InvalidatedURL>, in buckets: Range<Int>) -> Int {
    let state = state
    var count = 0
    gate.lock()
    for bucket in buckets {
      var at = index.first(bucket)
      while at != 0 {
        let entry = addresses.entry(at)
        at = entry.chain
        guard urls.contains(where: { $0.matches(entry.key) }) else { continue }
        state.pointee.unlink(entry)
        count += 1
      }
    }
    gate.unlock()
    return count
  }
}
