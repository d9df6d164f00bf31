// SPDX-License-Identifier: Apache-2.0

/// One Cache-Control directive (RFC 9111 §5.2) as it stands in the field.
struct Directive {
  var name: UnsafeBufferPointer<UInt8>
  /// Nil without "=".
  var value: UnsafeBufferPointer<UInt8>?

  init(_ member: UnsafeBufferPointer<UInt8>) {
    var equals = 0
    while equals < member.count, member[equals] != 0x3d { equals &+= 1 }
    value =
      equals == member.count
      ? nil : UnsafeBufferPointer(rebasing: member[(equals &+ 1)...])
    // White space before "=" is no syntax, but whoever wrote it meant this directive: it is
    // recognized, and its value, when a number is due, counts as invalid.
    var end = equals
    while end > 0, member[end &- 1] == 0x20 || member[end &- 1] == 0x09 { end &-= 1 }
    name = UnsafeBufferPointer(rebasing: member[..<end])
    if end < equals { value = UnsafeBufferPointer(start: member.baseAddress, count: 0) }
  }

  /// delta-seconds (RFC 9111 §1.2.2), as a token or quoted (§5.2); a number too large to hold is
  /// the largest one; nil when it is none.
  var seconds: Int32? {
    guard var digits = value else { return nil }
    if digits.count >= 2, digits[0] == 0x22, digits[digits.count &- 1] == 0x22 {
      digits = UnsafeBufferPointer(rebasing: digits[1..<(digits.count &- 1)])
    }
    return deltaSeconds(digits)
  }
}

/// delta-seconds (RFC 9111 §1.2.2); a number too large to hold is the largest one.
package func deltaSeconds(_ digits: UnsafeBufferPointer<UInt8>) -> Int32? {
  if digits.isEmpty { return nil }
  var result: Int64 = 0
  for byte in digits {
    let digit = byte &- 0x30
    if digit > 9 { return nil }
    result = min(result &* 10 &+ Int64(digit), Int64(Int32.max))
  }
  return Int32(truncatingIfNeeded: result)
}

/// Iterates over the directives of one Cache-Control line.
struct Directives {
  private var members: ListMembers
  /// What is left of a member whose quoted string never ends.
  private var rest = UnsafeBufferPointer<UInt8>(start: nil, count: 0)

  init(_ value: UnsafeBufferPointer<UInt8>) { members = ListMembers(value) }

  mutating func next() -> Directive? {
    while true {
      if rest.isEmpty {
        guard let member = members.next() else { return nil }
        if !Self.hasOpenQuote(member) { return Directive(member) }
        // A lost quotation mark must not hide a no-store behind it.
        rest = member
      }
      let comma = rest.firstIndex(of: 0x2c) ?? rest.count
      var piece = UnsafeBufferPointer(rebasing: rest[..<comma])
      rest = UnsafeBufferPointer(rebasing: rest[min(comma &+ 1, rest.count)...])
      while let first = piece.first, first == 0x20 || first == 0x09 {
        piece = UnsafeBufferPointer(rebasing: piece.dropFirst())
      }
      while let last = piece.last, last == 0x20 || last == 0x09 {
        piece = UnsafeBufferPointer(rebasing: piece.dropLast())
      }
      if !piece.isEmpty { return Directive(piece) }
    }
  }

  private static func hasOpenQuote(_ member: UnsafeBufferPointer<UInt8>) -> Bool {
    var isOpen = false
    var at = 0
    while at < member.count {
      if member[at] == 0x22 {
        isOpen.toggle()
      } else if isOpen && member[at] == 0x5c {
        at &+= 1
      }
      at &+= 1
    }
    return isOpen
  }
}

/// The response directives of all Cache-Control lines taken together (RFC 9111 §5.2.2); of repeated
/// ones the most restrictive counts.
package struct ResponseDirectives {
  package var flags: Flags = []
  /// Each -1 without the directive. An invalid lifetime counts as 0: stale (RFC 9111 §4.2.1).
  package var maxAge: Int32 = -1
  package var sharedMaxAge: Int32 = -1
  package var staleWhileRevalidate: Int32 = -1
  package var staleIfError: Int32 = -1

  package struct Flags: OptionSet, Sendable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package static let noStore = Flags(rawValue: 1)
    /// Also when limited to some fields, as §5.2.2.4 and §5.2.2.7 allow.
    package static let noCache = Flags(rawValue: 2)
    package static let `private` = Flags(rawValue: 4)
    package static let `public` = Flags(rawValue: 8)
    package static let mustRevalidate = Flags(rawValue: 16)
    package static let proxyRevalidate = Flags(rawValue: 32)
    package static let mustUnderstand = Flags(rawValue: 64)
    package static let immutable = Flags(rawValue: 128)
  }

  package init() {}

  package mutating func add(line: UnsafeBufferPointer<UInt8>) {
    var directives = Directives(line)
    while let directive = directives.next() { add(directive) }
  }

  private mutating func add(_ directive: Directive) {
    let name = directive.name
    switch name.count {
    case 6 where equalsIgnoringCase(name, "public"): flags.insert(.public)
    case 7 where equalsIgnoringCase(name, "private"): flags.insert(.private)
    case 7 where equalsIgnoringCase(name, "max-age"): Self.restrict(&maxAge, directive)
    case 8 where equalsIgnoringCase(name, "no-store"): flags.insert(.noStore)
    case 8 where equalsIgnoringCase(name, "no-cache"): flags.insert(.noCache)
    case 8 where equalsIgnoringCase(name, "s-maxage"): Self.restrict(&sharedMaxAge, directive)
    case 9 where equalsIgnoringCase(name, "immutable"): flags.insert(.immutable)
    case 14 where equalsIgnoringCase(name, "stale-if-error"):
      Self.restrict(&staleIfError, directive)
    case 15 where equalsIgnoringCase(name, "must-revalidate"): flags.insert(.mustRevalidate)
    case 15 where equalsIgnoringCase(name, "must-understand"): flags.insert(.mustUnderstand)
    case 16 where equalsIgnoringCase(name, "proxy-revalidate"): flags.insert(.proxyRevalidate)
    case 22 where equalsIgnoringCase(name, "stale-while-revalidate"):
      Self.restrict(&staleWhileRevalidate, directive)
    default: break
    }
  }

  private static func restrict(_ value: inout Int32, _ directive: Directive) {
    let seconds = directive.seconds ?? 0
    value = value < 0 ? seconds : min(value, seconds)
  }

  /// Whether a response to a request with credentials may be shared (RFC 9111 §3.5).
  package var allowsAuthorization: Bool {
    sharedMaxAge >= 0 || !flags.isDisjoint(with: [.public, .mustRevalidate])
  }
}
