// SPDX-License-Identifier: Apache-2.0
import CSystem

let carriageReturn: UInt8 = 0x0d
let lineFeed: UInt8 = 0x0a
let horizontalTab: UInt8 = 0x09
let space: UInt8 = 0x20

extension FieldTable {
  /// Fills the table with the field lines from `start`, where a line begins, to the empty line
  /// (RFC 9112 §5).
  @inline(never)
  func parse(
    _ base: UnsafePointer<UInt8>, from start: UnsafePointer<UInt8>, to end: UnsafePointer<UInt8>,
    allowsSpaceBeforeColon: Bool
  ) -> HeadParse {
    let lines = self.lines
    let capacity = self.capacity
    var index = 0
    var present: UInt64 = 0
    var repeated: UInt64 = 0
    var at = start
    while true {
      var line = csystem_line()
      if !csystem_scan_line(at, end, &line) {
        // Its own variable, so that the usual one can stay in registers.
        var unusual = csystem_line()
        let result = Self.scanLine(
          base, at, end, &unusual, index: index, allowsSpaceBeforeColon: allowsSpaceBeforeColon)
        if case .complete(let length) = result, length > 0 {
          state.pointee = State(count: index, present: present & ~1, repeated: repeated & ~1)
        }
        if result != .complete(length: 0) { return result }
        line = unusual
      }
      if index == capacity { return .failure(.tooManyFields) }
      (lines + index).initialize(
        to: FieldLine(
          nameStart: UInt16(truncatingIfNeeded: at - base),
          nameLength: UInt16(truncatingIfNeeded: line.nameLength),
          valueStart: UInt16(truncatingIfNeeded: (at - base) &+ line.value),
          valueLength: UInt16(truncatingIfNeeded: line.valueEnd &- line.value),
          known: KnownField(number: line.known)))
      let bit: UInt64 = 1 &<< UInt64(truncatingIfNeeded: line.known)
      Self.last(lines)[line.known] = UInt8(truncatingIfNeeded: index)
      repeated |= present & bit
      present |= bit
      index &+= 1
      at += line.next
    }
  }

  /// The line at `at`, whatever it holds: `.complete` with 0 when it is a field line,
  /// with the length of the head when it is the empty line.
  @inline(never)
  private static func scanLine(
    _ base: UnsafePointer<UInt8>, _ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>,
    _ line: inout csystem_line, index: Int, allowsSpaceBeforeColon: Bool
  ) -> HeadParse {
    var colon = UnsafePointer<UInt8>(csystem_scan_token(start, end)!)
    if colon == end { return .incomplete }
    let nameLength = colon - start
    if nameLength == 0 && colon.pointee == carriageReturn {
      if colon + 1 == end { return .incomplete }
      return colon[1] == lineFeed ? .complete(length: colon + 2 - base) : .failure(.badFieldName)
    }
    if nameLength == 0 || colon.pointee != 0x3a {
      // RFC 9112 §5.1: a server refuses white space before the colon, a proxy removes it from
      // responses.
      guard
        allowsSpaceBeforeColon && nameLength > 0
          && (colon.pointee == space || colon.pointee == horizontalTab)
      else {
        return .failure(nameError(colon.pointee, atLineStart: nameLength == 0, index: index))
      }
      while colon < end, colon.pointee == space || colon.pointee == horizontalTab { colon += 1 }
      if colon == end { return .incomplete }
      if colon.pointee != 0x3a { return .failure(.badFieldName) }
    }
    var value = colon + 1
    while value < end, value.pointee == space || value.pointee == horizontalTab { value += 1 }
    var valueEnd = UnsafePointer<UInt8>(csystem_scan_value(value, end)!)
    if valueEnd == end { return .incomplete }
    if valueEnd.pointee != carriageReturn {
      return .failure(valueEnd.pointee == lineFeed ? .bareLineFeed : .badFieldValue)
    }
    if valueEnd + 1 == end { return .incomplete }
    if valueEnd[1] != lineFeed { return .failure(.badFieldValue) }
    line.next = valueEnd + 2 - start
    while valueEnd > value, valueEnd[-1] == space || valueEnd[-1] == horizontalTab { valueEnd -= 1 }
    line.nameLength = nameLength
    line.value = value - start
    line.valueEnd = valueEnd - start
    line.known = Int(KnownField.of(start, length: nameLength).rawValue)
    return .complete(length: 0)
  }

  @inline(never)
  private static func nameError(_ byte: UInt8, atLineStart: Bool, index: Int) -> HeadError {
    if byte == lineFeed { return .bareLineFeed }
    // RFC 9112 §5.2; before the first field line it is white space of §2.2.
    if atLineStart && index > 0 && (byte == space || byte == horizontalTab) {
      return .obsoleteFolding
    }
    return .badFieldName
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

  /// Whether there is one Connection line and it says keep-alive.
  @inline(__always)
  func hasOnlyKeepAlive(_ base: UnsafePointer<UInt8>) -> Bool {
    if repeated & KnownField.connection.bit != 0 { return false }
    let line = lines + Int(Self.last(lines)[Int(KnownField.connection.rawValue)])
    if line.pointee.valueLength != 10 { return false }
    let lower: StaticString = "keep-alive"
    return csystem_equals_lowercased(
      base + Int(line.pointee.valueStart), lower.utf8Start, 10) != 0
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
