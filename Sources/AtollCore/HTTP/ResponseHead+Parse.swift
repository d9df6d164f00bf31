// SPDX-License-Identifier: Apache-2.0
import CSystem

extension ResponseHead {
  /// Fills self from `count` bytes at `base` (RFC 9112 §4), which may go on after the head.
  /// - Parameter requestMethod: decides framing; a response to HEAD has no body.
  package func parse(_ base: UnsafePointer<UInt8>, count: Int, requestMethod: Method) -> HeadParse {
    let result = parseWithinLimit(base, min(count, Limits.responseHead), requestMethod)
    if result == .incomplete && count >= Limits.responseHead { return .failure(.headTooLarge) }
    return result
  }

  private func parseWithinLimit(
    _ base: UnsafePointer<UInt8>, _ count: Int, _ requestMethod: Method
  ) -> HeadParse {
    let end = base + count
    let minorVersion: UInt8
    switch parseVersion(base, count) {
    case .failure(let error):
      return .failure(error == .unsupportedVersion ? error : .badStatusLine)
    case .incomplete: return .incomplete
    case .complete(let minor): minorVersion = UInt8(truncatingIfNeeded: minor)
    }
    if count > 8, base[8] != space { return .failure(.badStatusLine) }
    if count > 9, base[9] < 0x31 || base[9] > 0x35 { return .failure(.badStatusLine) }
    if count > 10, base[10] &- 0x30 > 9 { return .failure(.badStatusLine) }
    if count > 11, base[11] &- 0x30 > 9 { return .failure(.badStatusLine) }
    if count < 13 { return .incomplete }
    let status =
      UInt16(base[9] &- 0x30) * 100 + UInt16(base[10] &- 0x30) * 10 + UInt16(base[11] &- 0x30)
    // The space before an empty reason is often left out, which a client may forgive (§4).
    var reason = base + 12
    if reason.pointee == space {
      reason += 1
    } else if reason.pointee != carriageReturn {
      return .failure(reason.pointee == lineFeed ? .bareLineFeed : .badStatusLine)
    }
    let reasonEnd = UnsafePointer<UInt8>(csystem_scan_value(reason, end)!)
    if reasonEnd == end { return .incomplete }
    if reasonEnd.pointee != carriageReturn {
      return .failure(reasonEnd.pointee == lineFeed ? .bareLineFeed : .badStatusLine)
    }
    if reasonEnd + 1 == end { return .incomplete }
    if reasonEnd[1] != lineFeed { return .failure(.badStatusLine) }

    let parsed = fields.parse(
      base, from: reasonEnd + 2, to: end, allowsSpaceBeforeColon: true)
    guard case .complete(let length) = parsed else { return parsed }
    var found = State()
    found.length = length
    found.status = status
    found.minorVersion = minorVersion
    found.reasonStart = UInt16(truncatingIfNeeded: reason - base)
    found.reasonLength = UInt16(truncatingIfNeeded: reasonEnd - reason)
    found.keepsAlive = minorVersion > 0
    if fields.contains(.connection) {
      let options = fields.connectionOptions(base)
      found.keepsAlive = !options.closes && (minorVersion > 0 || options.keepsAlive)
      found.connectionListsFields = options.listsFields
    }
    switch bodyFraming(base, status: status, minorVersion: minorVersion, requestMethod) {
    case .success(let framing): found.framing = framing
    case .failure(let error): return .failure(error)
    }
    if found.framing == .untilClose { found.keepsAlive = false }
    state.pointee = found
    return .complete(length: length)
  }

  /// RFC 9112 §6.3.
  private func bodyFraming(
    _ base: UnsafePointer<UInt8>, status: UInt16, minorVersion: UInt8, _ requestMethod: Method
  ) -> Result<BodyFraming, HeadError> {
    var framing = BodyFraming.untilClose
    if fields.contains(.contentLength) {
      switch contentLength(base) {
      case .success(let length): framing = .length(length)
      case .failure(let error): return .failure(error)
      }
    }
    // These end with the head, whatever the fields say.
    if requestMethod == .head || status < 200 || status == 204 || status == 304 {
      return .success(.none)
    }
    if fields.contains(.transferEncoding) {
      if framing != .untilClose { return .failure(.ambiguousFraming) }
      if let error = fields.transferEncoding(base, minorVersion: minorVersion) {
        return .failure(error)
      }
      framing = .chunked
    }
    return .success(framing)
  }

  /// One value, however often repeated (RFC 9110 §8.6).
  private func contentLength(_ base: UnsafePointer<UInt8>) -> Result<UInt64, HeadError> {
    var length: UInt64?
    var index = fields.firstIndex(of: .contentLength)
    while let line = index {
      var members = ListMembers(fields.value(at: line, in: base))
      var found = false
      while let member = members.next() {
        guard let value = decimal(member), value <= Int64.max else {
          return .failure(.badContentLength)
        }
        if let length, length != value { return .failure(.ambiguousFraming) }
        length = value
        found = true
      }
      if !found { return .failure(.badContentLength) }
      index = fields.nextIndex(of: .contentLength, after: line)
    }
    guard let length else { return .failure(.badContentLength) }
    return .success(length)
  }
}
