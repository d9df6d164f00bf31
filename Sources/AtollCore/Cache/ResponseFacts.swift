// SPDX-License-Identifier: Apache-2.0

/// What the head of a response says about storing and using it, gathered in one pass.
struct ResponseFacts {
  var directives = ResponseDirectives()
  var expires = Expiry.absent
  /// Date, when valid.
  var date: Int64?
  var lastModified: Int64?
  var hasETag = false
  /// Age, when valid; nil before the first line of it, 0 when that is invalid (RFC 9111 §5.1).
  private var statedAge: Int64?
  var hasSetCookie = false
  var variesOnEverything = false

  enum Expiry {
    case absent
    /// Such as "0": already expired (RFC 9111 §5.3).
    case invalid
    case at(Int64)
  }

  /// The fields that are looked at here.
  private static let relevant = FieldRules.set(
    .atollCDNCacheControl, .cdnCacheControl, .cacheControl, .expires, .date, .lastModified, .etag,
    .age, .setCookie, .vary)

  init(_ response: ResponseHead, _ base: UnsafePointer<UInt8>, now: Int64) {
    let fields = response.fields
    if fields.present & Self.relevant == 0 { return }
    for index in 0..<fields.count {
      add(fields.lines[index].known, fields.value(at: index, in: base), now: now)
    }
    obeyTargets { fields.joined($0, base) }
  }

  /// The facts of a stored head after a 304 (RFC 9111 §4.3.4): what the 304 does not say, the stored
  /// head does, except for Date and Age, which are about the message.
  init(
    stored: UnsafeBufferPointer<UInt8>, updatedBy response: ResponseHead,
    _ base: UnsafePointer<UInt8>, now: Int64
  ) {
    let fields = response.fields
    for index in 0..<fields.count {
      add(fields.lines[index].known, fields.value(at: index, in: base), now: now)
    }
    let updated = fields.present | FieldRules.set(.date, .age)
    var lines = StoredLines(stored)
    while let line = lines.next() {
      let known = KnownField.of(line.name.baseAddress!, length: line.name.count)
      if known != .other && updated & known.bit == 0 { add(known, line.value, now: now) }
    }
    obeyTargets { fields.contains($0) ? fields.joined($0, base) : StoredLines.joined($0, stored) }
  }

  /// RFC 9213 §2.2: the first field of the target list that is valid and not empty decides alone;
  /// Cache-Control and Expires then are for others.
  private mutating func obeyTargets(_ joined: (KnownField) -> ByteBuffer?) {
    for target in ResponseDirectives.targets {
      guard let value = joined(target), let dictionary = StructuredDictionary(value.bytes),
        !dictionary.isEmpty
      else { continue }
      directives = ResponseDirectives(dictionary)
      expires = .absent
      break
    }
    // What is not stored does not make the rest personal.
    if hasSetCookie && !directives.unshared.isEmpty {
      hasSetCookie = !directives.unshared.contains(Array("set-cookie".utf8))
    }
  }

  private mutating func add(
    _ known: KnownField, _ value: UnsafeBufferPointer<UInt8>, now: Int64
  ) {
    switch known {
    case .cacheControl: directives.add(line: value)
    case .expires:
      // Of repeated fields the most restrictive counts.
      guard let time = HTTPDate.parse(value, now: now) else {
        expires = .invalid
        return
      }
      switch expires {
      case .absent: expires = .at(time)
      case .at(let earlier): expires = .at(min(earlier, time))
      case .invalid: break
      }
    case .date: date = date ?? HTTPDate.parse(value, now: now)
    case .lastModified: lastModified = lastModified ?? HTTPDate.parse(value, now: now)
    case .etag: hasETag = hasETag || EntityTag(value) != nil
    case .age:
      // RFC 9111 §5.1: the first member of a list, lines being one list (RFC 9110 §5.3); ignored
      // when invalid.
      var members = ListMembers(value)
      guard statedAge == nil, let member = members.next() else { return }
      statedAge = deltaSeconds(member).map(Int64.init) ?? 0
    case .setCookie: hasSetCookie = true
    case .vary:
      var members = ListMembers(value)
      while let member = members.next() {
        if member.count == 1 && member[0] == 0x2a { variesOnEverything = true }
      }
    default: break
    }
  }

  var hasValidator: Bool { hasETag || lastModified != nil }
  var age: Int64 { statedAge ?? 0 }
}

extension FieldTable {
  /// All lines of a field as one value (RFC 9110 §5.3); nil when there is none.
  func joined(_ field: KnownField, _ base: UnsafePointer<UInt8>) -> ByteBuffer? {
    guard var line = firstIndex(of: field) else { return nil }
    let result = ByteBuffer(capacity: 64)
    result.append(value(at: line, in: base))
    while let next = nextIndex(of: field, after: line) {
      result.append(", ")
      result.append(value(at: next, in: base))
      line = next
    }
    return result
  }
}

/// An entity tag (RFC 9110 §8.8.3).
struct EntityTag {
  let isWeak: Bool
  /// With the quotes, without `W/`.
  let opaque: UnsafeBufferPointer<UInt8>

  /// Nil when the bytes are no entity tag.
  init?(_ value: UnsafeBufferPointer<UInt8>) {
    isWeak = value.count > 2 && value[0] == 0x57 && value[1] == 0x2f
    opaque = isWeak ? UnsafeBufferPointer(rebasing: value[2...]) : value
    guard opaque.count >= 2, opaque[0] == 0x22, opaque[opaque.count &- 1] == 0x22 else {
      return nil
    }
    for index in 1..<(opaque.count &- 1) {
      let byte = opaque[index]
      // etagc: %x21 / %x23-7E / obs-text
      if byte <= 0x20 || byte == 0x22 || byte == 0x7f { return nil }
    }
  }
}
