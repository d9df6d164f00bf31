// SPDX-License-Identifier: Apache-2.0

/// Which distribution answers for a host: a table made once for a configuration, looked up for
/// every request without an allocation.
///
/// One pass from the host's last byte to its first gives the hash of every name that ends there; at
/// each dot the domains below what follows are looked for, so the last one found is the most
/// specific, and the whole name at the end wins over all of them.
package final class HostTable: @unchecked Sendable {
  /// No distribution answers for the host.
  package static let unknown: Int32 = -1
  /// A distribution did, and its viewers are to be told that it does no longer.
  package static let detached: Int32 = -2

  private struct Slot {
    var hash: UInt64 = 0
    /// Of the name's bytes.
    var start: UInt32 = 0
    /// 0 in a slot that is free.
    var length: UInt16 = 0
    /// What an exact name and the names below it have; `none` without that claim.
    var exact: Int32 = HostTable.none
    var below: Int32 = HostTable.none
  }

  private static let none: Int32 = -3
  /// RFC 1035 §2.3.4, in the form without lengths.
  private static let longestName = 253

  private let slots: UnsafeMutablePointer<Slot>
  private let mask: Int
  private let names: UnsafeMutablePointer<UInt8>
  /// Whether there are domains that stand for what is below them.
  private let hasWildcards: Bool
  /// Whether some names are to be refused.
  package let hasDetached: Bool

  /// - Parameter distributions: the table answers with their indices. Where two claim a name, their
  ///   own domains win over attached ones, and the first over the others.
  package init(_ distributions: [Distribution]) {
    var claims: [(name: String, owner: Int32)] = []
    for (index, distribution) in distributions.enumerated() {
      claims += distribution.ownDomains.map { ($0.lowercased(), Int32(index)) }
    }
    for (index, distribution) in distributions.enumerated() {
      claims += distribution.domains.map { ($0.name, Int32(index)) }
    }
    let detached = distributions.flatMap(\.detachedDomains)
    claims += detached.map { ($0, Self.detached) }
    hasDetached = !detached.isEmpty
    hasWildcards = claims.contains { $0.name.hasPrefix("*.") }
    var capacity = 8
    while capacity < claims.count * 2 { capacity *= 2 }
    mask = capacity - 1
    slots = .allocate(capacity: capacity)
    slots.initialize(repeating: Slot(), count: capacity)
    names = .allocate(capacity: claims.reduce(1) { $0 + $1.name.utf8.count })
    var used = 0
    for (name, owner) in claims {
      let isWildcard = name.hasPrefix("*.")
      let bytes = Array(isWildcard ? name.utf8.dropFirst(2) : name.utf8[...])
      guard !bytes.isEmpty, bytes.count <= Self.longestName else { continue }
      bytes.withUnsafeBufferPointer { bytes in
        var hash = Self.start
        for byte in bytes.reversed() { Self.mix(&hash, byte) }
        let slot = find(Self.finish(hash), bytes)
        if slots[slot].length == 0 {
          (names + used).initialize(from: bytes.baseAddress!, count: bytes.count)
          slots[slot] = Slot(
            hash: Self.finish(hash), start: UInt32(used), length: UInt16(bytes.count))
          used += bytes.count
        }
        if isWildcard {
          if slots[slot].below == Self.none { slots[slot].below = owner }
        } else if slots[slot].exact == Self.none {
          slots[slot].exact = owner
        }
      }
    }
  }

  deinit {
    slots.deallocate()
    names.deallocate()
  }

  /// The index of the distribution, `unknown` or `detached`.
  /// - Parameter authority: as received: with or without a port, in any case, perhaps with the
  ///   root's dot.
  package func owner(of authority: UnsafeBufferPointer<UInt8>) -> Int32 {
    var end = authority.count
    var at = end
    while at > 0, authority[at &- 1] >= 48, authority[at &- 1] <= 57 { at &-= 1 }
    if at > 0, authority[at &- 1] == 0x3a { end = at &- 1 }
    if end > 0, authority[end &- 1] == 0x2e { end &-= 1 }
    if end == 0 || end > Self.longestName { return Self.unknown }
    let host = UnsafeBufferPointer(rebasing: authority[..<end])
    var best = Self.unknown
    var hash = Self.start
    at = end
    while at > 0 {
      at &-= 1
      let byte = host[at]
      if byte == 0x2e, hasWildcards {
        let below = UnsafeBufferPointer(rebasing: host[(at &+ 1)...])
        let slot = find(Self.finish(hash), below)
        if slots[slot].length != 0, slots[slot].below != Self.none { best = slots[slot].below }
      }
      Self.mix(&hash, Self.lowercased(byte))
    }
    let slot = find(Self.finish(hash), host)
    if slots[slot].length != 0, slots[slot].exact != Self.none { return slots[slot].exact }
    return best
  }

  package func owner(of host: String) -> Int32 {
    var host = host
    return host.withUTF8 { owner(of: $0) }
  }

  /// The slot of the name, or the free one where it would stand.
  private func find(_ hash: UInt64, _ name: UnsafeBufferPointer<UInt8>) -> Int {
    var index = Int(truncatingIfNeeded: hash) & mask
    while true {
      let slot = slots + index
      if slot.pointee.length == 0 { return index }
      if slot.pointee.hash == hash, Int(slot.pointee.length) == name.count,
        equals(names + Int(slot.pointee.start), name)
      {
        return index
      }
      index = (index &+ 1) & mask
    }
  }

  private func equals(_ stored: UnsafePointer<UInt8>, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
    var at = 0
    while at < name.count {
      if stored[at] != Self.lowercased(name[at]) { return false }
      at &+= 1
    }
    return true
  }

  private static let start: UInt64 = 0x9e37_79b9_7f4a_7c15

  @inline(__always)
  private static func mix(_ hash: inout UInt64, _ byte: UInt8) {
    hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
  }

  /// The low bits, which choose the slot, depend on all of it. The names are the owner's own and
  /// strangers only ask, so no seed is needed.
  @inline(__always)
  private static func finish(_ hash: UInt64) -> UInt64 { hash ^ hash &>> 29 }

  @inline(__always)
  private static func lowercased(_ byte: UInt8) -> UInt8 {
    byte >= 65 && byte <= 90 ? byte | 0x20 : byte
  }
}
