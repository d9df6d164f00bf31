// SPDX-License-Identifier: Apache-2.0

/// A distribution compiled for the edge: immutable, read by every loop without locks.
package final class DistributionPolicy: @unchecked Sendable {
  package let distribution: Distribution
  /// Small number of this distribution in this edge, stable while the edge runs.
  package let slot: Int
  package let origin: Origin
  /// One for each path override in the order of matching, the default last.
  package let behaviors: [BehaviorPolicy]
  /// Names that it answers for without any further set-up, lower case.
  package let hostNames: [String]
  /// The origin's authority, as Host carries it (RFC 9110 §7.2): the port only when it is not the
  /// scheme's.
  let originHost: FixedBytes
  let originPath: FixedBytes

  private let overrideCount: Int
  private let patterns: UnsafeMutablePointer<CompiledPattern>
  private let table: UnsafeMutablePointer<Unmanaged<BehaviorPolicy>>

  package init(_ distribution: Distribution, slot: Int) {
    precondition(slot >= 0 && slot <= Int(UInt16.max))
    self.distribution = distribution
    self.slot = slot
    origin = distribution.origin
    hostNames = distribution.ownDomains.map { $0.lowercased() }
    originHost = FixedBytes(Self.authority(of: distribution.origin))
    originPath = FixedBytes(distribution.origin.path)
    let settings = distribution.settings
    var behaviors = distribution.behaviors.enumerated().map { index, override in
      BehaviorPolicy(
        pattern: override.path, caching: override.caching, ttl: override.ttl ?? settings.ttl,
        settings: settings, slot: slot, index: index)
    }
    overrideCount = behaviors.count
    behaviors.append(
      BehaviorPolicy(
        pattern: "*", caching: distribution.defaultBehavior, ttl: settings.ttl, settings: settings,
        slot: slot, index: overrideCount))
    self.behaviors = behaviors
    patterns = .allocate(capacity: max(overrideCount, 1))
    table = .allocate(capacity: behaviors.count)
    for index in 0..<overrideCount {
      (patterns + index).initialize(
        to: CompiledPattern(PathPattern(distribution.behaviors[index].path)))
    }
    for (index, behavior) in behaviors.enumerated() {
      // `behaviors` keeps it.
      (table + index).initialize(to: .passUnretained(behavior))
    }
  }

  deinit {
    for index in 0..<overrideCount { patterns[index].deallocate() }
    patterns.deallocate()
    table.deallocate()
    originHost.deallocate()
    originPath.deallocate()
  }

  /// The first behavior whose pattern matches, else the default; an empty path counts as "/".
  package func behavior(forPath path: UnsafeBufferPointer<UInt8>) -> BehaviorPolicy {
    unretainedBehavior(forPath: path).takeUnretainedValue()
  }

  /// The same without counting a reference, for the hot path: valid while `self` is.
  @inline(__always)
  package func unretainedBehavior(forPath path: UnsafeBufferPointer<UInt8>)
    -> Unmanaged<BehaviorPolicy>
  {
    overrideCount == 0 ? table[0] : firstMatch(path)
  }

  @inline(never)
  private func firstMatch(_ path: UnsafeBufferPointer<UInt8>) -> Unmanaged<BehaviorPolicy> {
    let slash: StaticString = "/"
    let path = path.isEmpty ? UnsafeBufferPointer(start: slash.utf8Start, count: 1) : path
    for index in 0..<overrideCount where patterns[index].matches(path) { return table[index] }
    return table[overrideCount]
  }

  /// The URL, as keys hold it, of a path with or without a query.
  package func keyedURL(of url: String) -> [UInt8] {
    let buffer = ByteBuffer()
    var url = url
    url.withUTF8 { bytes in
      let mark = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.count
      let path = UnsafeBufferPointer(rebasing: bytes[..<mark])
      buffer.append(path)
      if mark < bytes.count {
        appendSelectedQuery(
          UnsafeBufferPointer(rebasing: bytes[(mark + 1)...]),
          behavior: behavior(forPath: path), to: buffer)
      }
    }
    return Array(buffer.bytes)
  }

  private static func authority(of origin: Origin) -> String {
    let host = origin.host.utf8.contains(UInt8(ascii: ":")) ? "[\(origin.host)]" : origin.host
    let usual: UInt16 = origin.scheme == .http ? 80 : 443
    return origin.port == usual ? host : "\(host):\(origin.port)"
  }
}
