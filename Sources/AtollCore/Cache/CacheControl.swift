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
    guard let value else { return nil }
    if value.first != 0x22 { return deltaSeconds(value) }
    return quoted?.withUnsafeBufferPointer { deltaSeconds($0) }
  }

  /// The field names of a qualified directive (§5.2.2.4, §5.2.2.7), in lower case. Empty when there
  /// is no argument or a malformed one: the directive then is about the whole response.
  var fieldNames: [[UInt8]] {
    guard let value else { return [] }
    // §5.2: recipients ought to accept token and quoted-string alike.
    if value.first != 0x22 { return parseFieldNames(value) }
    return quoted?.withUnsafeBufferPointer { parseFieldNames($0) } ?? []
  }

  /// What a value that is one quoted-string says (RFC 9110 §5.6.4); nil when it is none.
  private var quoted: [UInt8]? {
    guard let value, value.count >= 2, value[0] == 0x22 else { return nil }
    var content: [UInt8] = []
    var at = 1
    while at < value.count {
      switch value[at] {
      case 0x22: return at == value.count &- 1 ? content : nil
      case 0x5c:
        at &+= 1
        if at < value.count { content.append(value[at]) }
      case let byte: content.append(byte)
      }
      at &+= 1
    }
    return nil
  }
}

/// The members of `#field-name` (RFC 9111 §5.2.2.4) in lower case; none when there is anything else
/// among them.
func parseFieldNames(_ list: UnsafeBufferPointer<UInt8>) -> [[UInt8]] {
  var names: [[UInt8]] = []
  var members = ListMembers(list)
  while let member = members.next() {
    if !member.allSatisfy(isTokenByte) { return [] }
    names.append(member.map(lowercased))
  }
  return names
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

/// What the response directives of one source, Cache-Control or a targeted field, say together
/// (RFC 9111 §5.2.2); of repeated ones the most restrictive counts.
package struct ResponseDirectives: Equatable, Sendable {
  package var flags: Flags = []
  /// Each -1 without the directive. An invalid lifetime counts as 0: stale (RFC 9111 §4.2.1).
  package var maxAge: Int32 = -1
  package var sharedMaxAge: Int32 = -1
  package var staleWhileRevalidate: Int32 = -1
  package var staleIfError: Int32 = -1
  /// Fields for nobody but the viewer that the response was made for, in lower case: those that
  /// `private` names must not be stored, and those that `no-cache` names must not be reused
  /// without validation, which leaving them out satisfies (§5.2.2.4, §5.2.2.7).
  package var unshared: [[UInt8]] = []

  package struct Flags: OptionSet, Sendable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package static let noStore = Flags(rawValue: 1)
    /// About the whole response; limited to some fields it is in `unshared`.
    package static let noCache = Flags(rawValue: 2)
    /// As `noCache`.
    package static let `private` = Flags(rawValue: 4)
    package static let `public` = Flags(rawValue: 8)
    package static let mustRevalidate = Flags(rawValue: 16)
    package static let proxyRevalidate = Flags(rawValue: 32)
    package static let mustUnderstand = Flags(rawValue: 64)
    package static let immutable = Flags(rawValue: 128)
  }

  package init() {}

  /// One line of Cache-Control.
  package mutating func add(line: UnsafeBufferPointer<UInt8>) {
    var directives = Directives(line)
    while let directive = directives.next() { add(directive) }
  }

  private mutating func add(_ directive: Directive) {
    let name = directive.name
    switch name.count {
    // An argument makes no sense with these (§5.2.2): what allows more is then not believed, what
    // allows less is.
    case 6 where equalsIgnoringCase(name, "public"):
      if directive.value == nil { flags.insert(.public) }
    case 7 where equalsIgnoringCase(name, "private"): limit(.private, directive.fieldNames)
    case 7 where equalsIgnoringCase(name, "max-age"): restrict(\.maxAge, directive.seconds)
    case 8 where equalsIgnoringCase(name, "no-store"): flags.insert(.noStore)
    case 8 where equalsIgnoringCase(name, "no-cache"): limit(.noCache, directive.fieldNames)
    case 8 where equalsIgnoringCase(name, "s-maxage"): restrict(\.sharedMaxAge, directive.seconds)
    // RFC 8246 §2: an argument means nothing.
    case 9 where equalsIgnoringCase(name, "immutable"): flags.insert(.immutable)
    case 14 where equalsIgnoringCase(name, "stale-if-error"):
      restrict(\.staleIfError, directive.seconds)
    case 15 where equalsIgnoringCase(name, "must-revalidate"): flags.insert(.mustRevalidate)
    case 15 where equalsIgnoringCase(name, "must-understand"):
      if directive.value == nil { flags.insert(.mustUnderstand) }
    case 16 where equalsIgnoringCase(name, "proxy-revalidate"): flags.insert(.proxyRevalidate)
    case 22 where equalsIgnoringCase(name, "stale-while-revalidate"):
      restrict(\.staleWhileRevalidate, directive.seconds)
    default: break
    }
  }

  /// - Parameter seconds: nil when invalid.
  private mutating func restrict(
    _ lifetime: WritableKeyPath<ResponseDirectives, Int32>, _ seconds: Int32?
  ) {
    let value = self[keyPath: lifetime]
    let seconds = seconds ?? 0
    self[keyPath: lifetime] = value < 0 ? seconds : min(value, seconds)
  }

  /// - Parameter names: empty when the directive is about the whole response.
  private mutating func limit(_ flag: Flags, _ names: [[UInt8]]) {
    if names.isEmpty { flags.insert(flag) } else { unshared += names }
  }

  /// Whether a response to a request with credentials may be shared (RFC 9111 §3.5).
  package var allowsAuthorization: Bool {
    sharedMaxAge >= 0 || !flags.isDisjoint(with: [.public, .mustRevalidate])
  }

  /// Whether a field must be in no response but the first.
  package func withholds(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
    unshared.contains { $0.withUnsafeBufferPointer { sameName($0, name) } }
  }
}

/// Targeted fields (RFC 9213), whose directives come as members of a dictionary.
extension ResponseDirectives {
  /// The target list of RFC 9213 §2.2, the most specific first.
  static let targets: [KnownField] = [.atollCDNCacheControl, .cdnCacheControl]

  /// The directives of a targeted field. Values of another type than §2.1 infers for a directive are
  /// not consumed: a lifetime then is none (RFC 9111 §4.2.1), what allows more is not believed,
  /// what allows less is.
  package init(_ dictionary: StructuredDictionary) {
    for (key, value) in dictionary.members {
      switch key {
      case "public": if value == .item(.boolean(true)) { flags.insert(.public) }
      case "must-understand":
        if value == .item(.boolean(true)) { flags.insert(.mustUnderstand) }
      case "no-store": add(.noStore, value)
      case "must-revalidate": add(.mustRevalidate, value)
      case "proxy-revalidate": add(.proxyRevalidate, value)
      case "immutable": add(.immutable, value)
      case "private": limit(.private, value)
      case "no-cache": limit(.noCache, value)
      case "max-age": maxAge = Self.seconds(value)
      case "s-maxage": sharedMaxAge = Self.seconds(value)
      case "stale-if-error": staleIfError = Self.seconds(value)
      case "stale-while-revalidate": staleWhileRevalidate = Self.seconds(value)
      default: break
      }
    }
  }

  private mutating func add(_ flag: Flags, _ value: StructuredDictionary.Value) {
    if value != .item(.boolean(false)) { flags.insert(flag) }
  }

  private mutating func limit(_ flag: Flags, _ value: StructuredDictionary.Value) {
    if case .item(.string(var text)) = value {
      return limit(flag, text.withUTF8 { parseFieldNames($0) })
    }
    add(flag, value)
  }

  private static func seconds(_ value: StructuredDictionary.Value) -> Int32 {
    guard case .item(.integer(let seconds)) = value, seconds >= 0 else { return 0 }
    return Int32(clamping: seconds)
  }
}
