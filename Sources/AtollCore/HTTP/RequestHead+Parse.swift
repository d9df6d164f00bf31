// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc

extension RequestHead {
  /// Bytes of empty lines before a request line, which a server should ignore (RFC 9112 §2.2):
  /// at most two.
  package static func leadingEmptyLines(_ base: UnsafePointer<UInt8>, _ count: Int) -> Int {
    var at = 0
    while at < 4, count &- at >= 2, base[at] == carriageReturn, base[at &+ 1] == lineFeed {
      at &+= 2
    }
    return at
  }

  /// Where a head ends, or where `parse` will refuse it for a line feed without carriage return:
  /// the offset behind that byte, nil while neither has arrived.
  ///
  /// For a head that `parse` found incomplete. Parsing again on every arrival costs quadratic time
  /// when bytes come one by one; this looks at each byte once.
  /// - Parameter from: how many bytes an earlier call (or parse) has seen, 0 at first.
  package static func findHeadEnd(_ base: UnsafePointer<UInt8>, _ count: Int, from: Int) -> Int? {
    var at = from
    while at < count, let found = memchr(base + at, Int32(lineFeed), count &- at) {
      let index = base.distance(to: UnsafePointer(found.assumingMemoryBound(to: UInt8.self)))
      if index == 0 || base[index &- 1] != carriageReturn { return index &+ 1 }
      if index == 1 || base[index &- 2] == lineFeed { return index &+ 1 }
      at = index &+ 1
    }
    return nil
  }

  /// Fills self from `count` bytes at `base` (RFC 9112 §3), which may go on after the head.
  ///
  /// Everything but `fields`, whose count tells, is meaningful after `.complete` only. The limits
  /// hold while the head is incomplete, too.
  package func parse(_ base: UnsafePointer<UInt8>, count: Int) -> HeadParse {
    let result = parseWithinLimit(base, min(count, Limits.requestHead))
    if result == .incomplete && count >= Limits.requestHead { return .failure(.headTooLarge) }
    return result
  }

  @inline(__always)
  private func parseWithinLimit(_ base: UnsafePointer<UInt8>, _ count: Int) -> HeadParse {
    let end = base + count
    // Method (§3.1).
    var target: UnsafePointer<UInt8>
    let method: Method
    if count >= 4, UnsafeRawPointer(base).loadUnaligned(as: UInt32.self) == fourBytes("GET ") {
      method = .get
      target = base + 4
    } else {
      target = csystem_scan_token(base, end)
      if target == end { return .incomplete }
      if target == base || target.pointee != space {
        return .failure(Self.methodError(target.pointee, isEmpty: target == base))
      }
      method = Self.method(base, target - base)
      target += 1
    }
    let methodLength = (target - base) &- 1

    guard let (targetEnd, query) = Self.scanTarget(target, end) else {
      return .failure(.targetTooLong)
    }
    if targetEnd == end { return .incomplete }
    if targetEnd.pointee != space || targetEnd == target {
      return .failure(Self.targetError(targetEnd.pointee))
    }

    // Version (§2.3).
    let version = targetEnd + 1
    let minorVersion: UInt8
    if end - version >= 10,
      UnsafeRawPointer(version).loadUnaligned(as: UInt64.self) == eightBytes("HTTP/1.1"),
      version[8] == carriageReturn, version[9] == lineFeed
    {
      minorVersion = 1
    } else {
      switch Self.version(version, end - version) {
      case .failure(let error): return .failure(error)
      case .incomplete: return .incomplete
      case .complete(let minor): minorVersion = UInt8(truncatingIfNeeded: minor)
      }
    }

    let parsed = fields.parse(
      base, from: version + 10, to: end, allowsSpaceBeforeColon: false)
    guard case .complete(let length) = parsed else { return parsed }

    if let error = settle(
      base, end, method, methodLength: methodLength, targetEnd, query: query, minorVersion,
      length: length, checksHost: true)
    {
      return .failure(error)
    }
    return .complete(length: length)
  }

  /// Fills self from a head that was put together here, with `HTTP/1.1` in its request line, and
  /// whose field lines are in `fields` already: each with a name that is a token and a value without
  /// control characters and white space around it, that of Host a valid one.
  func adopt(
    _ base: UnsafePointer<UInt8>, count: Int, methodLength: Int, targetLength: Int
  ) -> HeadError? {
    let end = base + count
    let method: Method
    if methodLength == 3, UnsafeRawPointer(base).loadUnaligned(as: UInt32.self) == fourBytes("GET ")
    {
      method = .get
    } else {
      if methodLength == 0 || csystem_scan_token(base, base + methodLength) != base + methodLength {
        return .badMethod
      }
      method = Self.method(base, methodLength)
    }
    let target = base + (methodLength &+ 1)
    guard let (targetEnd, query) = Self.scanTarget(target, end) else { return .targetTooLong }
    if targetLength == 0 || targetEnd != target + targetLength { return .badTarget }
    if count > Limits.requestHead { return .headTooLarge }
    return settle(
      base, end, method, methodLength: methodLength, targetEnd, query: query, 1, length: count,
      checksHost: false)
  }

  /// Target (§3.2), its query found on the way.
  /// - Returns: where it ends, and where its query begins, nil without one; nil when it is too long.
  @inline(__always)
  private static func scanTarget(
    _ target: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>
  ) -> (end: UnsafePointer<UInt8>, query: UnsafePointer<UInt8>?)? {
    var targetEnd = UnsafePointer<UInt8>(csystem_scan_target(target, end, 0x3f, 0x23)!)
    var query: UnsafePointer<UInt8>?
    if targetEnd < end, targetEnd.pointee == 0x3f {
      query = targetEnd + 1
      targetEnd = csystem_scan_target(targetEnd + 1, end, 0x23, 0x23)
    }
    return targetEnd - target > Limits.target ? nil : (targetEnd, query)
  }

  /// What follows from request line and fields.
  @inline(__always)
  private func settle(
    _ base: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ method: Method, methodLength: Int,
    _ targetEnd: UnsafePointer<UInt8>, query: UnsafePointer<UInt8>?, _ minorVersion: UInt8,
    length: Int, checksHost: Bool
  ) -> HeadError? {
    let target = base + (methodLength &+ 1)
    var found = State()
    found.method = method
    found.methodLength = UInt16(truncatingIfNeeded: methodLength)
    found.minorVersion = minorVersion
    found.targetStart = UInt16(truncatingIfNeeded: target - base)
    found.targetLength = UInt16(truncatingIfNeeded: targetEnd - target)
    found.length = length
    found.pathStart = found.targetStart
    let pathEnd = query.map { $0 - 1 } ?? targetEnd
    found.pathLength = UInt16(truncatingIfNeeded: pathEnd - target)
    found.hasQuery = query != nil
    let queryStart = query ?? targetEnd
    found.queryStart = UInt16(truncatingIfNeeded: queryStart - base)
    found.queryLength = UInt16(truncatingIfNeeded: targetEnd - queryStart)
    found.keepsAlive = minorVersion > 0

    // Host (§3.2): exactly one, even when the target says which authority counts.
    let fields = self.fields
    let present = fields.present
    if present & KnownField.host.bit != 0 {
      if fields.repeated & KnownField.host.bit != 0 { return .repeatedHost }
      let lines = fields.lines
      let line = lines + Int(FieldTable.last(lines)[Int(KnownField.host.rawValue)])
      found.authorityStart = line.pointee.valueStart
      found.authorityLength = line.pointee.valueLength
      if checksHost && found.authorityLength > 0,
        !Authority.isValid(
          base + Int(found.authorityStart), Int(found.authorityLength), readable: end)
      {
        return .badHost
      }
    } else if minorVersion > 0 {
      return .missingHost
    }
    state.pointee = found
    if target.pointee != 0x2f || method == .connect {
      if let error = resolveTargetForm(base) { return error }
    } else if found.authorityLength == 0 && present & KnownField.host.bit != 0 {
      // An http URI without a host is invalid (RFC 9110 §4.2.1).
      return .badHost
    }

    let rare =
      KnownField.connection.bit | KnownField.contentLength.bit
      | KnownField.transferEncoding.bit | KnownField.expect.bit
    if present & rare == 0 { return nil }
    // What nearly all browsers send, and what HTTP/1.1 means anyway.
    if present & rare == KnownField.connection.bit, minorVersion > 0,
      fields.hasOnlyKeepAlive(base)
    {
      return nil
    }
    return applyRareFields(base)
  }

  /// Framing, persistence and expectations, for heads with a field that bears on them.
  @inline(never)
  private func applyRareFields(_ base: UnsafePointer<UInt8>) -> HeadError? {
    let fields = self.fields
    let state = self.state
    let isHTTP11 = minorVersion > 0
    if fields.contains(.connection) {
      let options = fields.connectionOptions(base)
      // §9.3
      state.pointee.keepsAlive = !options.closes && (isHTTP11 || options.keepsAlive)
      state.pointee.connectionListsFields = options.listsFields
      // An HTTP/1.0 Upgrade is to be ignored (RFC 9110 §7.8).
      state.pointee.asksUpgrade = options.upgrades && isHTTP11 && fields.contains(.upgrade)
    }
    if fields.contains(.transferEncoding) {
      // §6.3: the mark of request smuggling.
      if fields.contains(.contentLength) { return .ambiguousFraming }
      if let error = fields.transferEncoding(base, minorVersion: minorVersion) { return error }
      state.pointee.framing = .chunked
    } else if let line = fields.firstIndex(of: .contentLength) {
      if fields.repeated & KnownField.contentLength.bit != 0 { return .ambiguousFraming }
      // Not beyond what a signed number holds, so that no later sum can overflow.
      guard let length = decimal(fields.value(at: line, in: base)), length <= Int64.max else {
        return .badContentLength
      }
      state.pointee.framing = .length(length)
    }
    // RFC 9110 §10.1.1: no other expectation exists, and HTTP/1.0 has none.
    if isHTTP11, var line = fields.firstIndex(of: .expect) {
      while true {
        var members = ListMembers(fields.value(at: line, in: base))
        while let member = members.next() {
          if !equalsIgnoringCase(member, "100-continue") { return .unsupportedExpectation }
          state.pointee.expectsContinue = true
        }
        guard let next = fields.nextIndex(of: .expect, after: line) else { break }
        line = next
      }
    }
    return nil
  }

  /// Target forms other than origin-form (§3.2.2 to §3.2.4).
  @inline(never)
  private func resolveTargetForm(_ base: UnsafePointer<UInt8>) -> HeadError? {
    let state = self.state
    let target = base + Int(targetStart)
    let length = Int(targetLength)
    if method == .connect {
      if !Authority.isValid(target, length, needsPort: true) { return .badTarget }
      state.pointee.authorityStart = targetStart
      state.pointee.authorityLength = targetLength
      state.pointee.pathStart = targetStart &+ targetLength
      state.pointee.pathLength = 0
      return nil
    }
    if length == 1, target.pointee == 0x2a {
      return method == .options ? nil : .badTarget
    }
    let http: StaticString = "http://"
    let https: StaticString = "https://"
    let scheme: Int
    if length >= 7, csystem_equals_lowercased(target, http.utf8Start, 7) != 0 {
      scheme = 7
    } else if length >= 8, csystem_equals_lowercased(target, https.utf8Start, 8) != 0 {
      scheme = 8
    } else {
      return .badTarget
    }
    let authority = target + scheme
    let pathEnd = target + Int(pathLength)
    var path = authority
    while path < pathEnd, path.pointee != 0x2f { path += 1 }
    if !Authority.isValid(authority, path - authority, needsPort: false) { return .badTarget }
    state.pointee.authorityStart = UInt16(truncatingIfNeeded: authority - base)
    state.pointee.authorityLength = UInt16(truncatingIfNeeded: path - authority)
    state.pointee.pathStart = UInt16(truncatingIfNeeded: path - base)
    state.pointee.pathLength = UInt16(truncatingIfNeeded: pathEnd - path)
    return nil
  }

  @inline(never)
  private static func methodError(_ byte: UInt8, isEmpty: Bool) -> HeadError {
    switch byte {
    case lineFeed: .bareLineFeed
    case carriageReturn: .badRequestLine
    case space where isEmpty: .badRequestLine
    default: .badMethod
    }
  }

  @inline(never)
  private static func targetError(_ byte: UInt8) -> HeadError {
    switch byte {
    case lineFeed: .bareLineFeed
    case space, carriageReturn: .badRequestLine
    default: .badTarget
    }
  }

  @inline(never)
  package static func method(_ start: UnsafePointer<UInt8>, _ length: Int) -> Method {
    // Methods are case-sensitive (RFC 9110 §9.1).
    func equals(_ text: StaticString) -> Bool { memcmp(start, text.utf8Start, length) == 0 }
    switch length {
    case 3:
      if equals("GET") { return .get }
      if equals("PUT") { return .put }
    case 4:
      if equals("HEAD") { return .head }
      if equals("POST") { return .post }
    case 5:
      if equals("PATCH") { return .patch }
      if equals("TRACE") { return .trace }
    case 6: if equals("DELETE") { return .delete }
    case 7:
      if equals("OPTIONS") { return .options }
      if equals("CONNECT") { return .connect }
    default: break
    }
    return .other
  }

  /// The rest of the request line, for all but the usual one; `.complete` holds the minor version.
  @inline(never)
  private static func version(_ start: UnsafePointer<UInt8>, _ count: Int) -> HeadParse {
    let result = parseVersion(start, count)
    guard case .complete(let minor) = result else { return result }
    if count < 9 { return .incomplete }
    switch start[8] {
    case carriageReturn: break
    case lineFeed: return .failure(.bareLineFeed)
    case space, horizontalTab: return .failure(.badRequestLine)
    default: return .failure(.badVersion)
    }
    if count < 10 { return .incomplete }
    return start[9] == lineFeed ? .complete(length: minor) : .failure(.badRequestLine)
  }
}

/// HTTP-version (RFC 9112 §2.3) at `start`; `.complete` holds the minor version that counts, at
/// most 1 (RFC 9110 §2.5).
func parseVersion(_ start: UnsafePointer<UInt8>, _ count: Int) -> HeadParse {
  let name: StaticString = "HTTP/"
  for index in 0..<min(count, 5) where start[index] != name.utf8Start[index] {
    return .failure(start[index] == lineFeed && index == 0 ? .bareLineFeed : .badVersion)
  }
  if count > 5, start[5] &- 0x30 > 9 { return .failure(.badVersion) }
  if count > 6, start[6] != 0x2e { return .failure(.badVersion) }
  if count > 7, start[7] &- 0x30 > 9 { return .failure(.badVersion) }
  if count < 8 { return .incomplete }
  if start[5] != 0x31 { return .failure(.unsupportedVersion) }
  return .complete(length: start[7] == 0x30 ? 0 : 1)
}

@inline(__always)
func fourBytes(_ text: StaticString) -> UInt32 {
  UnsafeRawPointer(text.utf8Start).loadUnaligned(as: UInt32.self)
}

@inline(__always)
func eightBytes(_ text: StaticString) -> UInt64 {
  UnsafeRawPointer(text.utf8Start).loadUnaligned(as: UInt64.self)
}
