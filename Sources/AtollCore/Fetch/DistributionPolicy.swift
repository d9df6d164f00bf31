// SPDX-License-Identifier: Apache-2.0

/// A distribution compiled for the edge: immutable, read by every loop without locks.
package final class DistributionPolicy: @unchecked Sendable {
  package let distribution: Distribution
  /// Small number of this distribution in this edge, stable while the edge runs.
  package let slot: Int
  /// The distribution's own first, then the named ones.
  package let origins: [OriginPolicy]
  /// One for each path override in the order of matching, the default last.
  package let behaviors: [BehaviorPolicy]
  package let errors: ErrorPolicy
  /// What its error pages were read from, by path.
  package let errorFiles: [String: ErrorPageFile]
  /// The proxies that are believed about their viewers.
  package let trustedProxies: TrustedProxies
  package let countries: CountryRestriction
  private let overrideCount: Int
  private let patterns: UnsafeMutablePointer<CompiledPattern>
  private let table: UnsafeMutablePointer<Unmanaged<BehaviorPolicy>>

  /// - Parameter errorFiles: the files that its error pages name, by path.
  package init(
    _ distribution: Distribution, slot: Int, errorFiles: [String: ErrorPageFile] = [:]
  ) {
    precondition(slot >= 0 && slot <= Int(UInt16.max))
    self.distribution = distribution
    self.slot = slot
    let origins =
      [OriginPolicy(name: "default", index: 0, origin: distribution.origin)]
      + distribution.origins.enumerated().map { index, named in
        OriginPolicy(name: named.name, index: index + 1, origin: named.origin)
      }
    self.origins = origins
    trustedProxies = TrustedProxies(distribution.trustedProxies)
    countries = CountryRestriction(distribution.geoRestriction)
    let settings = distribution.settings
    let errors = ErrorPolicy(distribution.errors, files: errorFiles)
    self.errors = errors
    self.errorFiles = errorFiles
    var behaviors = distribution.behaviors.enumerated().map { index, override in
      let settings = override.overrides.applied(to: settings)
      return BehaviorPolicy(
        pattern: override.path, caching: override.caching, settings: settings,
        route: Self.route(settings.origin, distribution, origins), slot: slot, index: index,
        distribution: distribution, origins: origins, errors: errors)
    }
    overrideCount = behaviors.count
    behaviors.append(
      BehaviorPolicy(
        pattern: "*", caching: distribution.defaultBehavior, settings: settings,
        route: Self.route(settings.origin, distribution, origins), slot: slot,
        index: overrideCount, distribution: distribution, origins: origins, errors: errors))
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
    let ends = PathEnds(path)
    let count = overrideCount
    var pattern = patterns
    var index = 0
    while index < count {
      if pattern.pointee.matches(path, ends: ends) { return table[index] }
      pattern += 1
      index &+= 1
    }
    return table[count]
  }

  /// The URL, as keys hold it, of a path with or without a query.
  package func keyedURL(of url: String) -> [UInt8] {
    let buffer = ByteBuffer()
    var url = url
    url.withUTF8 { bytes in
      let mark = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.count
      let path = UnsafeBufferPointer(rebasing: bytes[..<mark])
      let query =
        mark < bytes.count ? UnsafeBufferPointer(rebasing: bytes[(mark + 1)...]) : nil
      let behavior = behavior(forPath: path)
      behavior.appendURL(path: path, query: query, forOrigin: !behavior.caches, to: buffer)
    }
    return Array(buffer.bytes)
  }

  /// What is not there was refused when the configuration was validated.
  private static func route(
    _ name: String?, _ distribution: Distribution, _ origins: [OriginPolicy]
  ) -> OriginRoute {
    guard let name else { return OriginRoute(members: [0]) }
    func index(_ name: String) -> Int? { origins.firstIndex { $0.name == name } }
    if let group = distribution.originGroups.first(where: { $0.name == name }) {
      let members = group.members.compactMap(index)
      if members.isEmpty { return OriginRoute(members: [0]) }
      return OriginRoute(members: members, statuses: group.statuses.map { UInt16(clamping: $0) })
    }
    return OriginRoute(members: [index(name) ?? 0])
  }
}
