// SPDX-License-Identifier: Apache-2.0
import CSystem

let carriageReturn: UInt8 = 0x0d
let lineFeed: UInt8 = 0x0a
let horizontalTab: UInt8 = 0x09
let space: UInt8 = 0x20

extension FieldTable {
  /// Fills the table with the field lines from `start` to the empty line (RFC 9112 §5).
  ///
  /// At least 14 bytes of a start line must lie before `start`: the value scanner reads up to 16
  /// bytes before `end`, and the shortest name with its colon makes up the rest.
  @inline(__always)
  func parse(
    _ base: UnsafePointer<UInt8>, from start: UnsafePointer<UInt8>, to end: UnsafePointer<UInt8>,
    allowsSpaceBeforeColon: Bool
  ) -> HeadParse {
    let lines = self.lines
    let first = self.first
    let capacity = self.capacity
    var count = 0
    var present: UInt64 = 0
    var repeated: UInt64 = 0
    var at = start
    while true {
      let name = csystem_scan_name(at, end)
      var colon = at + Int(name.length)
      if colon >= end { return .incomplete }
      var known = name.known
      if name.length == 0 || colon.pointee != 0x3a {
        if name.length == 0 && colon.pointee == carriageReturn {
          if colon + 1 == end { return .incomplete }
          if colon[1] != lineFeed { return .failure(.badFieldName) }
          state.pointee = State(count: count, present: present, repeated: repeated)
          return .complete(length: colon + 2 - base)
        }
        // RFC 9112 §5.1: a server refuses white space before the colon, a proxy removes it from
        // responses.
        guard
          allowsSpaceBeforeColon && name.length > 0
            && (colon.pointee == space || colon.pointee == horizontalTab)
        else {
          return .failure(Self.nameError(colon.pointee, atLineStart: name.length == 0, line: count))
        }
        while colon < end, colon.pointee == space || colon.pointee == horizontalTab { colon += 1 }
        if colon == end { return .incomplete }
        if colon.pointee != 0x3a { return .failure(.badFieldName) }
        known = UInt32(KnownField.of(at, length: Int(name.length)).rawValue)
      }
      var value = colon + 1
      while value < end, value.pointee == space || value.pointee == horizontalTab { value += 1 }
      let lineEnd = UnsafePointer<UInt8>(csystem_scan_value(value, end)!)
      if end - lineEnd < 2 {
        if lineEnd == end || lineEnd.pointee == carriageReturn { return .incomplete }
        return .failure(Self.valueError(lineEnd.pointee))
      }
      if lineEnd.pointee != carriageReturn || lineEnd[1] != lineFeed {
        return .failure(Self.valueError(lineEnd.pointee))
      }
      if count == capacity { return .failure(.tooManyFields) }
      var valueEnd = lineEnd
      while valueEnd > value,
        valueEnd[-1] == space || valueEnd[-1] == horizontalTab
      {
        valueEnd -= 1
      }
      let field = KnownField(number: known)
      (lines + count).initialize(
        to: FieldLine(
          nameStart: UInt16(truncatingIfNeeded: at - base),
          nameLength: UInt16(truncatingIfNeeded: name.length),
          valueStart: UInt16(truncatingIfNeeded: value - base),
          valueLength: UInt16(truncatingIfNeeded: valueEnd - value),
          known: field))
      let bit = field.bit
      if present & bit == 0 {
        first[Int(truncatingIfNeeded: known)] = UInt8(truncatingIfNeeded: count)
      }
      repeated |= present & bit
      present |= bit
      count &+= 1
      at = lineEnd + 2
    }
  }

  @inline(never)
  private static func nameError(_ byte: UInt8, atLineStart: Bool, line: Int) -> HeadError {
    if byte == lineFeed { return .bareLineFeed }
    // RFC 9112 §5.2; before the first field line it is white space of §2.2.
    if atLineStart && line > 0 && (byte == space || byte == horizontalTab) {
      return .obsoleteFolding
    }
    return .badFieldName
  }

  @inline(never)
  private static func valueError(_ byte: UInt8) -> HeadError {
    byte == lineFeed ? .bareLineFeed : .badFieldValue
  }
}

/// How a message ends, as its framing fields say (RFC 9112 §6).
extension FieldTable {
  /// The body length by Transfer-Encoding: exactly one `chunked` and nothing else.
  func transferEncoding(_ base: UnsafePointer<UInt8>, minorVersion: UInt8) -> HeadError? {
    // RFC 9112 §6.1: HTTP/1.0 knows no transfer codings, the framing is faulty.
    if minorVersion == 0 { return .badTransferEncoding }
    var index = firstIndex(of: .transferEncoding)
    var codings = 0
    var chunked = 0
    var endsChunked = false
    while let line = index {
      let value = value(at: line, in: base)
      // Empty list members are legal to ignore, but a coding hidden among commas is what one
      // recipient sees and another does not.
      if value.isEmpty || value[0] == 0x2c || value[value.count - 1] == 0x2c {
        return .badTransferEncoding
      }
      var members = ListMembers(value)
      while let member = members.next() {
        let token = csystem_scan_token(member.baseAddress, member.baseAddress! + member.count)!
        let length = UnsafePointer<UInt8>(token) - member.baseAddress!
        if length == 0 { return .badTransferEncoding }
        let isChunked = equalsIgnoringCase(
          UnsafeBufferPointer(rebasing: member[..<length]), "chunked")
        if length != member.count {
          // Parameters: chunked has none (§7.1), others are unknown here anyway.
          guard !isChunked, member[length] == 0x3b || member[length] == space else {
            return .badTransferEncoding
          }
        }
        codings += 1
        chunked += isChunked ? 1 : 0
        endsChunked = isChunked
      }
      index = nextIndex(of: .transferEncoding, after: line)
    }
    if chunked > 1 || (chunked == 1 && !endsChunked) { return .badTransferEncoding }
    return codings == 1 && chunked == 1 ? nil : .unsupportedTransferCoding
  }

  /// What the Connection lines say (RFC 9110 §7.6.1).
  func connectionOptions(_ base: UnsafePointer<UInt8>) -> ConnectionOptions {
    var options = ConnectionOptions()
    var index = firstIndex(of: .connection)
    while let line = index {
      var members = ListMembers(value(at: line, in: base))
      while let member = members.next() { options.add(member) }
      index = nextIndex(of: .connection, after: line)
    }
    return options
  }
}

struct ConnectionOptions {
  var closes = false
  var keepsAlive = false
  var upgrades = false
  /// Some option names a field that is not removed anyway.
  var listsFields = false

  mutating func add(_ option: UnsafeBufferPointer<UInt8>) {
    switch option.count {
    case 5 where equalsIgnoringCase(option, "close"): closes = true
    case 10 where equalsIgnoringCase(option, "keep-alive"): keepsAlive = true
    case 7 where equalsIgnoringCase(option, "upgrade"): upgrades = true
    case 2 where equalsIgnoringCase(option, "te"): break
    case 7 where equalsIgnoringCase(option, "trailer"): break
    case 17 where equalsIgnoringCase(option, "transfer-encoding"): break
    case 16 where equalsIgnoringCase(option, "proxy-connection"): break
    default: listsFields = true
    }
  }
}
