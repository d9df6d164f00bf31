// SPDX-License-Identifier: Apache-2.0

/// Accept-Encoding reduced to what makes a difference to the cache, so that the many ways in which
/// viewers write it do not become as many variants (CloudFront §7, with the weights of RFC 9110
/// §12.5.3).
package struct AcceptedCodings: Equatable, Sendable {
  /// Of the codings in question those that the viewer takes.
  package let codings: CodingSet
  /// The viewer says something: without the field the origin gets none either.
  package let isStated: Bool

  package init(codings: CodingSet, isStated: Bool) {
    self.codings = codings
    self.isStated = isStated
  }

  /// - Parameter known: the codings in question.
  package init(_ head: RequestHead, _ base: UnsafePointer<UInt8>, among known: CodingSet) {
    let name: StaticString = "accept-encoding"
    // HTTP/1.0 viewers are not known to understand what they ask for.
    guard head.minorVersion > 0, let first = head.fields.firstIndex(of: .acceptEncoding),
      !head.withholds(
        UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount), base)
    else {
      self.init(codings: [], isStated: false)
      return
    }
    var accepted: CodingSet = []
    var refused: CodingSet = []
    var acceptsOthers = false
    var line: Int? = first
    while let index = line {
      var members = ListMembers(head.fields.value(at: index, in: base))
      while let member = members.next() {
        var end = 0
        while end < member.count, member[end] != 0x3b, member[end] > space { end &+= 1 }
        let isTaken = !Self.isRefused(UnsafeBufferPointer(rebasing: member[end...]))
        let name = UnsafeBufferPointer(rebasing: member[..<end])
        if end == 1 && name[0] == 0x2a {
          acceptsOthers = isTaken
        } else if isTaken {
          accepted.formUnion(Self.coding(name))
        } else {
          refused.formUnion(Self.coding(name))
        }
      }
      line = head.fields.nextIndex(of: .acceptEncoding, after: index)
    }
    // "*" stands for those that are not named.
    if acceptsOthers { accepted.formUnion(CodingSet([.gzip, .brotli]).subtracting(refused)) }
    self.init(codings: accepted.intersection(known), isStated: true)
  }

  private static func coding(_ name: UnsafeBufferPointer<UInt8>) -> CodingSet {
    if equalsIgnoringCase(name, "gzip") || equalsIgnoringCase(name, "x-gzip") { return .gzip }
    return equalsIgnoringCase(name, "br") ? .brotli : []
  }

  /// Whether parameters hold a weight of zero (RFC 9110 §12.4.2).
  private static func isRefused(_ parameters: UnsafeBufferPointer<UInt8>) -> Bool {
    var at = 0
    while at < parameters.count {
      while at < parameters.count, parameters[at] == 0x3b || parameters[at] <= space { at &+= 1 }
      let start = at
      while at < parameters.count, parameters[at] != 0x3b { at &+= 1 }
      var end = at
      while end > start, parameters[end &- 1] <= space { end &-= 1 }
      if end &- start >= 3, parameters[start] | 0x20 == 0x71, parameters[start &+ 1] == 0x3d {
        return isZero(UnsafeBufferPointer(rebasing: parameters[(start &+ 2)..<end]))
      }
    }
    return false
  }

  /// "0" with up to three decimals, all of them zeros.
  private static func isZero(_ weight: UnsafeBufferPointer<UInt8>) -> Bool {
    if weight.count > 5 || weight[0] != 0x30 { return false }
    if weight.count == 1 { return true }
    return weight[1] == 0x2e && weight.dropFirst(2).allSatisfy { $0 == 0x30 }
  }

  /// What the origin gets; empty for nothing.
  package var text: StaticString {
    if !isStated { return "" }
    if codings == [.gzip, .brotli] { return "br, gzip" }
    if codings == .gzip { return "gzip" }
    return codings == .brotli ? "br" : "identity"
  }
}
