// SPDX-License-Identifier: Apache-2.0

/// What a behavior changes in the headers of its responses, compiled (CloudFront's response headers
/// policy): fields are removed first, then set, so that one that is both removed and set appears.
///
/// The head that the origin gave stays what the edge decides by and revalidates. What viewers get is
/// made of it once, when it is stored or relayed, and kept beside it as `SentHead`; whatever depends
/// on the request (CORS, Strict-Transport-Security, Server-Timing) goes behind it with each response.
package final class ResponsePolicy: Sendable {
  /// Nothing is changed and nothing added.
  package let isEmpty: Bool
  /// Two policies that make the same head of the same head have the same.
  package let fingerprint: UInt64
  package let cors: CORSPolicy?
  package let timing: ServerTimingPolicy?
  /// Strict-Transport-Security: whole lines with CRLF, for responses over TLS alone (RFC 6797 §7.2).
  private let transportSecurity: (lines: [UInt8], ifAbsent: [UInt8])?
  /// Some head may leave with other fields than it came with.
  private let rewrites: Bool
  private let rules: [Rule]
  /// The known fields among the rules' names.
  private let ruledFields: UInt64
  private let rulesUnknownFields: Bool

  /// What happens to one field.
  private struct Rule {
    /// Lower case.
    let name: [UInt8]
    let known: KnownField
    var dropsOrigins = false
    /// Whole lines with CRLF.
    var lines: [[UInt8]] = []
    /// A further line, for heads that have none of the origin's.
    var lineIfAbsent: [UInt8]?

    init(_ name: String) {
      self.name = Array(name.lowercased().utf8)
      known = KnownField.of(self.name)
    }

    mutating func add(_ header: ResponseHeader) {
      let line = Array("\(header.name): \(header.value)\r\n".utf8)
      switch header.mode {
      case .override:
        dropsOrigins = true
        lines = [line]
        lineIfAbsent = nil
      case .append: lines.append(line)
      case .ifAbsent:
        if !lines.isEmpty || lineIfAbsent != nil { return }
        if dropsOrigins { lines = [line] } else { lineIfAbsent = line }
      }
    }
  }

  package init(_ settings: ResponseHeaderSettings = ResponseHeaderSettings()) {
    var rules: [Rule] = []
    func change(_ name: String, _ change: (inout Rule) -> Void) {
      if Self.isProtected(name) { return }
      let new = Rule(name)
      let index = rules.firstIndex { $0.name == new.name } ?? rules.endIndex
      if index == rules.endIndex { rules.append(new) }
      change(&rules[index])
    }
    for name in settings.removed { change(name) { $0.dropsOrigins = true } }
    for header in settings.security?.headers ?? [] { change(header.name) { $0.add(header) } }
    for header in settings.set where !Self.isUnsettable(header.name) {
      change(header.name) { $0.add(header) }
    }
    // A server that hides the origin's name gives its own.
    if let index = rules.firstIndex(where: { $0.known == .server && $0.dropsOrigins }),
      rules[index].lines.isEmpty
    {
      rules[index].lines = [Array("Server: atoll\r\n".utf8)]
    }
    if let index = rules.firstIndex(where: { $0.name == Self.transportSecurityName }),
      !rules[index].lines.isEmpty || rules[index].lineIfAbsent != nil
    {
      transportSecurity = (
        rules[index].lines.flatMap { $0 }, rules[index].lineIfAbsent ?? []
      )
      rules[index].lines = []
      rules[index].lineIfAbsent = nil
      // What is left of the rule notes whether the origin has sent the field itself.
    } else {
      transportSecurity = nil
    }
    self.rules = rules
    ruledFields = rules.reduce(0) { $0 | $1.known.bit } & ~KnownField.other.bit
    rulesUnknownFields = rules.contains { $0.known == .other }
    cors = settings.cors.map(CORSPolicy.init)
    timing = settings.serverTiming.map(ServerTimingPolicy.init(percent:))
    rewrites = !rules.isEmpty || cors != nil || timing != nil
    isEmpty = !rewrites
    var hash = Fingerprint()
    for rule in rules {
      hash.add(rule.name)
      hash.add([rule.dropsOrigins ? 1 : 0, UInt8(truncatingIfNeeded: rule.lines.count)])
      for line in rule.lines { hash.add(line) }
      hash.add(rule.lineIfAbsent ?? [])
    }
    cors?.add(to: &hash)
    hash.add([timing == nil ? 0 : 1])
    fingerprint = hash.value
  }

  /// Fields that are about the connection, the framing or the coding of the body, or that the edge
  /// writes itself: a policy can neither remove nor set them (CloudFront §22's list).
  package static func isProtected(_ name: String) -> Bool {
    let name = Array(name.lowercased().utf8)
    return name.withUnsafeBufferPointer { bytes in
      protectedFields & KnownField.of(name).bit != 0 || beginsIgnoringCase(bytes, "x-edge-")
        || beginsIgnoringCase(bytes, "x-accel-") || beginsIgnoringCase(bytes, "x-amz-cf-")
        || equalsIgnoringCase(bytes, "warning")
    }
  }

  private static let protectedFields =
    FieldRules.hopByHop
    | FieldRules.set(
      .age, .contentEncoding, .contentLength, .contentRange, .expect, .host, .via, .xCache,
      .xForwardedProto, .xRealIP, .xRequestID)

  /// Fields that can be removed but not written by a policy.
  package static func isUnsettable(_ name: String) -> Bool {
    let known = KnownField.of(Array(name.lowercased().utf8))
    return known == .date || known == .cacheStatus || isProtected(name)
  }

  // MARK: Heads

  /// Whether the policy has to do with a field.
  func names(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
    if rule(for: name) != nil { return true }
    return cors != nil && beginsIgnoringCase(name, "access-control-")
  }

  private func rule(for name: UnsafeBufferPointer<UInt8>) -> Int? {
    guard let start = name.baseAddress else { return nil }
    let known = KnownField.of(start, length: name.count)
    if known != .other {
      return ruledFields & known.bit == 0 ? nil : rules.firstIndex { $0.known == known }
    }
    if !rulesUnknownFields { return nil }
    return rules.firstIndex { rule in
      rule.known == .other && rule.name.withUnsafeBufferPointer { sameName($0, name) }
    }
  }

  /// Appends what viewers get of a head: status line and field lines, without the empty line.
  /// - Parameters:
  ///   - keepsCacheControl: for errors of the edge itself, which no policy makes lasting.
  ///   - now: for the Date that replaces a removed one.
  /// - Returns: on what the origin speaks for itself, so that the policy keeps silent.
  @discardableResult
  package func appendHead(
    of head: UnsafeBufferPointer<UInt8>, keepsCacheControl: Bool = false, now: Int64,
    to buffer: ByteBuffer
  ) -> OriginStatements {
    if !rewrites {
      buffer.append(head)
      return []
    }
    var statements: OriginStatements = []
    if let cors, !cors.overridesOrigin, Self.hasCORS(head) { statements.insert(.cors) }
    var present: Set<Int> = []
    var variesByOrigin = false
    var lines = StoredLines(head)
    buffer.append(lines.statusLine)
    while let line = lines.next() {
      if let index = rule(for: line.name),
        !(keepsCacheControl && rules[index].known == .cacheControl)
      {
        if rules[index].dropsOrigins { continue }
        present.insert(index)
        if rules[index].name == Self.transportSecurityName { statements.insert(.transportSecurity) }
      }
      if cors?.overridesOrigin == true, beginsIgnoringCase(line.name, "access-control-") {
        continue
      }
      if timing != nil, equalsIgnoringCase(line.name, "server-timing") { continue }
      if equalsIgnoringCase(line.name, "vary") {
        var members = ListMembers(line.value)
        while let member = members.next() {
          if equalsIgnoringCase(member, "origin") || equalsIgnoringCase(member, "*") {
            variesByOrigin = true
          }
        }
      }
      buffer.append(line.whole)
    }
    for (index, rule) in rules.enumerated() {
      if keepsCacheControl && rule.known == .cacheControl { continue }
      if rule.known == .date && rule.dropsOrigins {
        buffer.append("Date: ")
        HTTPDate.append(now, to: buffer)
        buffer.append("\r\n")
      }
      if let line = rule.lineIfAbsent, !present.contains(index) { buffer.append(line) }
      for line in rule.lines { buffer.append(line) }
    }
    if let cors, !statements.contains(.cors) {
      cors.appendCommon(variesAlready: variesByOrigin, to: buffer)
    }
    return statements
  }

  private static let transportSecurityName = Array("strict-transport-security".utf8)

  /// Something goes behind the head that depends on the request.
  package var followsRequest: Bool {
    cors != nil || timing != nil || transportSecurity != nil
  }

  package var securesTransport: Bool { transportSecurity != nil }

  /// Appends what a response over TLS has besides its head.
  package func appendTransportSecurity(_ statements: OriginStatements, to buffer: ByteBuffer) {
    guard let transportSecurity else { return }
    if !statements.contains(.transportSecurity) { buffer.append(transportSecurity.ifAbsent) }
    buffer.append(transportSecurity.lines)
  }

  private static func hasCORS(_ head: UnsafeBufferPointer<UInt8>) -> Bool {
    var lines = StoredLines(head)
    while let line = lines.next() {
      if beginsIgnoringCase(line.name, "access-control-") { return true }
    }
    return false
  }
}

/// What an origin's head says itself of what a policy would add.
package struct OriginStatements: OptionSet, Equatable, Sendable {
  package let rawValue: UInt8

  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// It allows or denies other sites the response.
  package static let cors = OriginStatements(rawValue: 1)
  package static let transportSecurity = OriginStatements(rawValue: 2)
}

/// The head that a policy made of a stored or relayed one, with the number of that policy before it:
/// after a change of settings it is known to be another's, and is made anew.
package struct SentHead {
  package let bytes: UnsafeBufferPointer<UInt8>
  package let statements: OriginStatements

  private static let prefixLength = 9

  /// What `append` wrote; nil when that was for another policy, or nothing.
  package init?(stored: UnsafeBufferPointer<UInt8>, policy: ResponsePolicy) {
    guard stored.count > Self.prefixLength, let base = stored.baseAddress,
      UInt64(
        littleEndian: UnsafeRawPointer(base).loadUnaligned(as: UInt64.self)) == policy.fingerprint
    else { return nil }
    statements = OriginStatements(rawValue: base[8])
    bytes = UnsafeBufferPointer(rebasing: stored[Self.prefixLength...])
  }

  /// Appends the head with its prefix; nothing for a policy that changes nothing.
  package static func append(
    of head: UnsafeBufferPointer<UInt8>, policy: ResponsePolicy, now: Int64, to buffer: ByteBuffer
  ) {
    if policy.isEmpty { return }
    let start = buffer.count
    for shift in stride(from: 0, to: 64, by: 8) {
      buffer.append(UInt8(truncatingIfNeeded: policy.fingerprint &>> UInt64(shift)))
    }
    buffer.append(0)
    let statements = policy.appendHead(of: head, now: now, to: buffer)
    // The buffer may have moved meanwhile.
    buffer.base[start + 8] = statements.rawValue
  }

  /// Appends what `append` wrote for one form of a response, turned into that of another; nothing of
  /// nothing.
  package static func append(
    stored: UnsafeBufferPointer<UInt8>, to buffer: ByteBuffer,
    turning turn: (UnsafeBufferPointer<UInt8>) -> Void
  ) {
    if stored.count <= prefixLength { return }
    buffer.append(UnsafeBufferPointer(rebasing: stored[..<prefixLength]))
    turn(UnsafeBufferPointer(rebasing: stored[prefixLength...]))
  }
}

extension SecurityHeaders {
  /// The fields that are sent, with their names as usually written.
  var headers: [ResponseHeader] {
    let fields: [(String, String?)] = [
      ("Strict-Transport-Security", strictTransportSecurity),
      ("X-Content-Type-Options", contentTypeOptions),
      ("X-Frame-Options", frameOptions),
      ("Referrer-Policy", referrerPolicy),
      ("X-XSS-Protection", xssProtection),
      ("Content-Security-Policy", contentSecurityPolicy),
    ]
    return fields.compactMap { name, value in
      // As in CloudFront's managed policy (§23), nosniff gives no way: nothing else means anything.
      let overrides = overridesOrigin || name == "X-Content-Type-Options"
      return value.map {
        ResponseHeader(name: name, value: $0, mode: overrides ? .override : .ifAbsent)
      }
    }
  }
}

extension KnownField {
  static func of(_ name: [UInt8]) -> KnownField {
    name.withUnsafeBufferPointer { bytes in
      bytes.baseAddress.map { of($0, length: bytes.count) } ?? .other
    }
  }
}
