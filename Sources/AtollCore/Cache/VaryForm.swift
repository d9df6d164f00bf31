// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Which differences between two values of a header mean nothing (RFC 9111 §4.1), so that they select
/// the same variant. How a list is split into lines never means anything (RFC 9110 §5.3).
enum VaryForm {
  /// Values with a syntax of their own, in which a comma may stand for itself.
  case exact
  /// White space around commas and empty members (RFC 9110 §5.6.1). Of unknown fields, too: whoever
  /// joins lines on the way adds such white space, so no field can give it a meaning.
  case list
  /// A list with parameters, around whose semicolons there may be white space (RFC 9110 §5.6.6).
  case parameters
  /// Accept-Language (RFC 9110 §12.5.4): neither order nor case means anything, nor do the ways in
  /// which a weight can be written (§12.4.2).
  case languages
}

extension KnownField {
  var varyForm: VaryForm {
    switch self {
    case .acceptLanguage: .languages
    case .accept, .acceptCharset, .te: .parameters
    case .authorization, .cookie, .from, .host, .ifModifiedSince, .ifUnmodifiedSince, .ifRange,
      .origin, .proxyAuthorization, .referer, .userAgent:
      .exact
    default: .list
    }
  }
}

/// Members of Accept-Language beyond which their order counts: nobody lists so many, and sorting
/// must not become work.
private let sortedMembers = 32

/// Calls `body` with the value of all lines together in the form that equal values share. Allocates
/// nothing for values of usual length.
func withNormalized<Result>(
  _ values: inout FieldValues, _ form: VaryForm, _ body: (UnsafeBufferPointer<UInt8>) -> Result
) -> Result {
  var lines = values
  var length = 0
  // A comma becomes two bytes at most.
  while let value = lines.next() { length &+= value.count &* 2 &+ 2 }
  return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: max(length, 1)) { memory in
    var writer = NormalWriter(memory.baseAddress!)
    while let value = values.next() { writer.append(value, form) }
    return body(UnsafeBufferPointer(start: memory.baseAddress!, count: writer.count))
  }
}

private struct NormalWriter {
  private let start: UnsafeMutablePointer<UInt8>
  private(set) var count = 0
  /// How many members stand there; of languages, sorted.
  private var members = 0
  private var hasLines = false

  init(_ start: UnsafeMutablePointer<UInt8>) { self.start = start }

  mutating func append(_ value: UnsafeBufferPointer<UInt8>, _ form: VaryForm) {
    if case .exact = form {
      if hasLines { separate() }
      hasLines = true
      put(value)
      return
    }
    var list = ListMembers(value)
    while let member = list.next() {
      if members > 0 { separate() }
      let memberStart = count
      switch form {
      case .exact, .list: put(member)
      case .parameters: put(parameterized: member)
      case .languages:
        put(language: member)
        if members < sortedMembers { sort(from: memberStart) }
      }
      members &+= 1
    }
  }

  private mutating func separate() {
    put(0x2c)
    put(0x20)
  }

  private mutating func put(_ byte: UInt8) {
    start[count] = byte
    count &+= 1
  }

  private mutating func put(_ bytes: UnsafeBufferPointer<UInt8>) {
    for byte in bytes { put(byte) }
  }

  /// Without white space around semicolons and "=", outside of quoted strings.
  private mutating func put(parameterized member: UnsafeBufferPointer<UInt8>) {
    var isQuoted = false
    for (index, byte) in member.enumerated() {
      if byte == 0x22 && (index == 0 || member[index &- 1] != 0x5c) { isQuoted.toggle() }
      if !isQuoted && (byte == 0x20 || byte == 0x09) { continue }
      put(byte)
    }
  }

  private mutating func put(language member: UnsafeBufferPointer<UInt8>) {
    for byte in member where byte != 0x20 && byte != 0x09 {
      if byte == 0x3b { break }
      put(lowercased(byte))
    }
    guard let semicolon = member.firstIndex(of: 0x3b) else { return }
    let memberEnd = count
    for byte in member[semicolon...] where byte != 0x20 && byte != 0x09 { put(lowercased(byte)) }
    // ";q=1.000" is what no weight means, and "0.50" is "0.5".
    let weight = memberEnd &+ 3
    guard count > weight, start[memberEnd &+ 1] == 0x71, start[memberEnd &+ 2] == 0x3d,
      start[weight] == 0x30 || start[weight] == 0x31
    else { return }
    if count > weight &+ 1 {
      for at in (weight &+ 1)..<count where start[at] != 0x2e && start[at] &- 0x30 > 9 { return }
      while start[count &- 1] == 0x30 && count > weight &+ 1 { count &-= 1 }
      if start[count &- 1] == 0x2e { count &-= 1 }
    }
    if count == weight &+ 1 && start[weight] == 0x31 { count = memberEnd }
  }

  /// Moves the member that begins at `memberStart`, the last one, to where it belongs among those
  /// before it.
  private mutating func sort(from memberStart: Int) {
    var at = 0
    while at &+ 2 <= memberStart {
      var end = at
      while end < memberStart, start[end] != 0x2c { end &+= 1 }
      if isOrdered(memberStart, count, before: at, end) {
        rotate(at, memberStart)
        return
      }
      at = end &+ 2
    }
  }

  private func isOrdered(_ a: Int, _ aEnd: Int, before b: Int, _ bEnd: Int) -> Bool {
    let order = memcmp(start + a, start + b, min(aEnd &- a, bEnd &- b))
    return order == 0 ? aEnd &- a < bEnd &- b : order < 0
  }

  /// `x, y, NEW` becomes `NEW, x, y`.
  private mutating func rotate(_ at: Int, _ memberStart: Int) {
    let length = count &- memberStart
    let before = memberStart &- 2 &- at
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: max(length, 1)) { copy in
      memcpy(copy.baseAddress!, start + memberStart, length)
      memmove(start + (at &+ length &+ 2), start + at, before)
      memcpy(start + at, copy.baseAddress!, length)
    }
    start[at &+ length] = 0x2c
    start[at &+ length &+ 1] = 0x20
  }
}
