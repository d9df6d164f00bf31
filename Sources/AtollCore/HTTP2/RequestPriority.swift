// SPDX-License-Identifier: Apache-2.0

/// What the field Priority says of a request (RFC 9218 §4, §5), line by line.
package struct RequestPriority: Equatable, Sendable {
  /// From 0, the most urgent, to 7.
  package private(set) var urgency: UInt8 = 3
  package private(set) var isIncremental = false
  /// A line has come, and all could be read.
  package var isSet: Bool { hasLine && !isBroken }
  private var hasLine = false
  private var isBroken = false

  package init() {}

  package mutating func add(_ line: UnsafeBufferPointer<UInt8>) {
    hasLine = true
    if !addUsual(line) { addAny(line) }
  }

  /// What browsers send: `u=1`, `i` or `u=1, i`.
  private mutating func addUsual(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
    var rest = line[...]
    if rest.count >= 3, rest[0] == UInt8(ascii: "u"), rest[1] == UInt8(ascii: "="),
      rest[2] &- 0x30 < 8
    {
      rest = rest[3...]
      if rest.isEmpty || rest.elementsEqual(", i".utf8) {
        urgency = line[2] &- 0x30
        if !rest.isEmpty { isIncremental = true }
        return true
      }
      return false
    }
    guard rest.elementsEqual("i".utf8) else { return false }
    isIncremental = true
    return true
  }

  /// RFC 9218 §4: values out of range and unknown parameters are ignored. Of a parameter that comes
  /// again, the last value counts (RFC 8941 §4.2.2), even if only to be ignored.
  private mutating func addAny(_ line: UnsafeBufferPointer<UInt8>) {
    guard let members = StructuredDictionary(line) else {
      isBroken = true
      return
    }
    if let member = members["u"] {
      urgency = 3
      if case .item(.integer(let value)) = member, (0...7).contains(value) {
        urgency = UInt8(value)
      }
    }
    if let member = members["i"] { isIncremental = member == .item(.boolean(true)) }
  }
}
