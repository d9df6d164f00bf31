// SPDX-License-Identifier: Apache-2.0

/// What the reader of DER refuses.
struct DERError: Error, Equatable {
  let what: String

  init(_ what: String) { self.what = what }
}

/// Tags of X.690 §8 that certificates use.
enum DERTag {
  static let boolean: UInt8 = 0x01
  static let integer: UInt8 = 0x02
  static let bits: UInt8 = 0x03
  static let octets: UInt8 = 0x04
  static let null: UInt8 = 0x05
  static let object: UInt8 = 0x06
  static let utf8: UInt8 = 0x0c
  static let printable: UInt8 = 0x13
  static let teletex: UInt8 = 0x14
  static let utcTime: UInt8 = 0x17
  static let generalizedTime: UInt8 = 0x18
  static let universal: UInt8 = 0x1c
  static let bmp: UInt8 = 0x1e
  static let sequence: UInt8 = 0x30
  static let set: UInt8 = 0x31

  /// A context-specific tag of an explicit or constructed element.
  static func explicit(_ number: UInt8) -> UInt8 { 0xa0 | number }
  /// A context-specific tag of a primitive element.
  static func implicit(_ number: UInt8) -> UInt8 { 0x80 | number }
}

/// One element of a DER encoding.
struct DERElement {
  let tag: UInt8
  let content: ArraySlice<UInt8>
  /// Tag and length included.
  let encoding: ArraySlice<UInt8>
}

/// Takes the elements of a DER encoding one after the other (X.690 §8 and §10): definite lengths in
/// their shortest form, tags of one byte. Nothing is trusted: every length is held against what is
/// left.
struct DERReader {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  /// Of an element's content, which must be a sequence, a set or an explicit tag.
  init(_ element: DERElement) { rest = element.content }

  var isAtEnd: Bool { rest.isEmpty }

  /// The tag of the next element; nil at the end.
  var nextTag: UInt8? { rest.first }

  mutating func next() throws(DERError) -> DERElement {
    let start = rest
    guard let tag = rest.popFirst() else { throw DERError("it ends too early") }
    if tag & 0x1f == 0x1f { throw DERError("a tag of several bytes") }
    guard let first = rest.popFirst() else { throw DERError("it ends too early") }
    var length = Int(first)
    if first >= 0x80 {
      let count = Int(first & 0x7f)
      if count == 0 { throw DERError("an indefinite length") }
      // Four bytes are 4 GB, more than anything here may be.
      if count > 4 { throw DERError("a length beyond all limits") }
      length = 0
      for _ in 0..<count {
        guard let byte = rest.popFirst() else { throw DERError("it ends too early") }
        length = length << 8 | Int(byte)
      }
      if length < 0x80 || length >> (8 * (count - 1)) == 0 {
        throw DERError("a length that is not in its shortest form")
      }
    }
    guard length <= rest.count else { throw DERError("it ends too early") }
    let content = rest.prefix(length)
    rest = rest.dropFirst(length)
    return DERElement(
      tag: tag, content: content, encoding: start[start.startIndex..<content.endIndex])
  }

  mutating func next(_ tag: UInt8) throws(DERError) -> DERElement {
    let element = try next()
    if element.tag != tag { throw DERError("an element of another kind") }
    return element
  }

  /// The next element when it has this tag.
  mutating func optional(_ tag: UInt8) throws(DERError) -> DERElement? {
    nextTag == tag ? try next() : nil
  }

  /// Nothing may follow.
  func end() throws(DERError) {
    if !isAtEnd { throw DERError("something follows its end") }
  }
}

extension DERElement {
  /// An integer's bytes without the leading zero that keeps it positive.
  func unsigned() throws(DERError) -> [UInt8] {
    guard let first = content.first, first < 0x80 else { throw DERError("a negative number") }
    return Array(first == 0 && content.count > 1 ? content.dropFirst() : content)
  }

  /// A small integer that is not negative.
  func small() throws(DERError) -> Int {
    let bytes = try unsigned()
    if bytes.count > 4 { throw DERError("a number that is too large") }
    return bytes.reduce(0) { $0 << 8 | Int($1) }
  }

  func boolean() throws(DERError) -> Bool {
    guard content.count == 1, let byte = content.first else { throw DERError("no truth value") }
    return byte != 0
  }

  /// An object identifier in dots.
  func object() throws(DERError) -> String {
    var arcs: [UInt64] = []
    var value: UInt64 = 0
    var isOpen = false
    for byte in content {
      if !isOpen && byte == 0x80 { throw DERError("an object identifier with padding") }
      if value >> 57 != 0 { throw DERError("an object identifier that is too large") }
      value = value << 7 | UInt64(byte & 0x7f)
      isOpen = byte >= 0x80
      if isOpen { continue }
      if arcs.isEmpty {
        let first = min(value / 40, 2)
        arcs = [first, value - first * 40]
      } else {
        arcs.append(value)
      }
      value = 0
    }
    if isOpen || arcs.isEmpty { throw DERError("an object identifier that ends too early") }
    return arcs.map { String($0) }.joined(separator: ".")
  }

  /// The bytes of a bit string that uses all bits of them.
  func bits() throws(DERError) -> ArraySlice<UInt8> {
    guard content.first == 0 else { throw DERError("a bit string with a part of a byte") }
    return content.dropFirst()
  }

  /// Seconds since 1970 of a UTCTime or GeneralizedTime in the form of RFC 5280 §4.1.2.5.
  func time() throws(DERError) -> Int64 {
    var digits: [Int] = []
    for byte in content.dropLast() {
      guard isDigit(byte) else { throw DERError("a time that is none") }
      digits.append(Int(byte) - 48)
    }
    let isLong = tag == DERTag.generalizedTime
    guard isLong || tag == DERTag.utcTime, content.last == UInt8(ascii: "Z"),
      digits.count == (isLong ? 14 : 12)
    else { throw DERError("a time that is none") }
    var pairs = stride(from: 0, to: digits.count, by: 2).map { digits[$0] * 10 + digits[$0 + 1] }
    let year: Int
    if isLong {
      year = pairs[0] * 100 + pairs[1]
      pairs.removeFirst(2)
    } else {
      year = pairs[0] + (pairs[0] < 50 ? 2000 : 1900)
      pairs.removeFirst()
    }
    guard pairs[2] < 24, pairs[3] < 60, pairs[4] < 60,
      let seconds = CalendarDate.seconds(
        year: year, month: pairs[0], day: pairs[1],
        time: pairs[2] * 3600 + pairs[3] * 60 + pairs[4])
    else { throw DERError("a time that is none") }
    return seconds
  }

  /// A string of any of ASN.1's kinds; what is not valid becomes U+FFFD.
  func text() -> String {
    switch tag {
    case DERTag.bmp:
      var units: [UInt16] = []
      var bytes = content
      while let high = bytes.popFirst(), let low = bytes.popFirst() {
        units.append(UInt16(high) << 8 | UInt16(low))
      }
      return String(decoding: units, as: UTF16.self)
    case DERTag.universal:
      var text = String.UnicodeScalarView()
      var bytes = content
      while bytes.count >= 4 {
        let value = bytes.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        text.append(Unicode.Scalar(value) ?? "\u{fffd}")
        bytes = bytes.dropFirst(4)
      }
      return String(text)
    case DERTag.teletex:
      // Nearly everybody who used it meant Latin 1.
      return String(String.UnicodeScalarView(content.map { Unicode.Scalar($0) }))
    default: return String(decoding: content, as: UTF8.self)
    }
  }
}

/// Writes DER.
enum DER {
  static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
    var length: [UInt8] = []
    if content.count < 0x80 {
      length = [UInt8(content.count)]
    } else {
      var rest = content.count
      while rest > 0 {
        length.insert(UInt8(truncatingIfNeeded: rest), at: 0)
        rest >>= 8
      }
      length.insert(0x80 | UInt8(length.count), at: 0)
    }
    return [tag] + length + content
  }

  static func sequence(_ parts: [UInt8]...) -> [UInt8] { sequence(parts) }
  static func sequence(_ parts: [[UInt8]]) -> [UInt8] {
    element(DERTag.sequence, Array(parts.joined()))
  }
  static func set(_ part: [UInt8]) -> [UInt8] { element(DERTag.set, part) }

  /// A number given by the bytes of its magnitude, the highest first.
  static func integer(_ magnitude: [UInt8]) -> [UInt8] {
    var bytes = magnitude.drop { $0 == 0 }
    if (bytes.first ?? 0x80) >= 0x80 { bytes = [0] + bytes }
    return element(DERTag.integer, Array(bytes))
  }

  static func boolean(_ value: Bool) -> [UInt8] { element(DERTag.boolean, [value ? 0xff : 0]) }
  static func octets(_ bytes: [UInt8]) -> [UInt8] { element(DERTag.octets, bytes) }
  static func bits(_ bytes: [UInt8], unused: UInt8 = 0) -> [UInt8] {
    element(DERTag.bits, [unused] + bytes)
  }
  static func utf8(_ text: String) -> [UInt8] { element(DERTag.utf8, Array(text.utf8)) }
  static let null: [UInt8] = [DERTag.null, 0]

  /// An object identifier of at least two numbers, the first two below 3 and 40.
  static func object(_ dots: String) -> [UInt8] {
    let arcs = dots.split(separator: ".").compactMap { UInt64($0) }
    precondition(arcs.count >= 2, "an object identifier of one number")
    var bytes: [UInt8] = []
    for arc in [arcs[0] * 40 + arcs[1]] + arcs.dropFirst(2) {
      var groups = [UInt8(arc & 0x7f)]
      var rest = arc >> 7
      while rest > 0 {
        groups.insert(UInt8(rest & 0x7f) | 0x80, at: 0)
        rest >>= 7
      }
      bytes += groups
    }
    return element(DERTag.object, bytes)
  }

  /// UTCTime until 2049, GeneralizedTime from 2050 on (RFC 5280 §4.1.2.5).
  static func time(_ seconds: Int64) -> [UInt8] {
    let date = CalendarDate(seconds: seconds)
    func pair(_ number: Int) -> [UInt8] { [UInt8(number / 10 + 48), UInt8(number % 10 + 48)] }
    let rest =
      pair(date.month) + pair(date.day) + pair(date.hour) + pair(date.minute)
      + pair(date.second) + [UInt8(ascii: "Z")]
    return (1950..<2050).contains(date.year)
      ? element(DERTag.utcTime, pair(date.year % 100) + rest)
      : element(DERTag.generalizedTime, pair(date.year / 100) + pair(date.year % 100) + rest)
  }
}
