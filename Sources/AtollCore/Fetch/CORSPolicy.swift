// SPDX-License-Identifier: Apache-2.0

/// Cross-origin resource sharing as a behavior's settings want it (Fetch standard §3.3), answered by
/// the edge alone.
///
/// A site that lets everybody read has the same fields for all; otherwise the fields depend on the
/// request's Origin, are added behind the stored head, and Vary says so on every response, also to
/// requests without Origin: else a browser's cache would take one for the other.
package struct CORSPolicy: Sendable {
  package let overridesOrigin: Bool
  /// `Access-Control-Allow-Origin: *` for everybody.
  let allowsAll: Bool
  private let patterns: [OriginPattern]
  private let allowsCredentials: Bool
  private let methods: [String]
  private let allowsAllMethods: Bool
  /// Lower case.
  private let headers: [String]
  private let allowsAllHeaders: Bool
  private let exposedHeaders: [String]
  private let maxAge: Int?

  package init(_ settings: CORSSettings) {
    overridesOrigin = settings.overridesOrigin
    allowsAll = settings.origins.contains("*")
    patterns = settings.origins.compactMap(OriginPattern.init)
    allowsCredentials = settings.allowsCredentials
    // CloudFront writes ALL for any method.
    allowsAllMethods = settings.methods.contains { $0 == "*" || $0 == "ALL" }
    methods = settings.methods.filter { $0 != "*" && $0 != "ALL" }
    allowsAllHeaders = settings.headers.contains("*")
    headers = settings.headers.filter { $0 != "*" }.map { $0.lowercased() }
    exposedHeaders = settings.exposedHeaders
    maxAge = settings.maxAge
  }

  func add(to hash: inout Fingerprint) {
    hash.add([overridesOrigin ? 1 : 0, allowsAll ? 1 : 0, allowsCredentials ? 1 : 0])
    hash.add(exposedHeaders)
  }

  /// What every response has, whoever asks.
  func appendCommon(variesAlready: Bool, to buffer: ByteBuffer) {
    if allowsAll {
      buffer.append("Access-Control-Allow-Origin: *\r\n")
      appendPermissions(to: buffer)
    } else if !variesAlready {
      buffer.append("Vary: Origin\r\n")
    }
  }

  private func appendPermissions(to buffer: ByteBuffer) {
    if allowsCredentials { buffer.append("Access-Control-Allow-Credentials: true\r\n") }
    if !exposedHeaders.isEmpty {
      buffer.append("Access-Control-Expose-Headers: ")
      buffer.append(exposedHeaders.joined(separator: ", "))
      buffer.append("\r\n")
    }
  }

  /// What a response to this request has besides.
  package func appendAnswer(
    to head: RequestHead, _ base: UnsafePointer<UInt8>, to buffer: ByteBuffer
  ) {
    guard !allowsAll, let origin = Self.origin(head, base), allows(origin) else { return }
    buffer.append("Access-Control-Allow-Origin: ")
    buffer.append(origin)
    buffer.append("\r\n")
    appendPermissions(to: buffer)
  }

  /// The request's Origin; nil without, and when there are several.
  private static func origin(_ head: RequestHead, _ base: UnsafePointer<UInt8>)
    -> UnsafeBufferPointer<UInt8>?
  {
    if head.fields.repeated & KnownField.origin.bit != 0 { return nil }
    return head.fields.value(of: .origin, in: base)
  }

  package func allows(_ origin: UnsafeBufferPointer<UInt8>) -> Bool {
    allowsAll || patterns.contains { $0.matches(origin) }
  }

  // MARK: Preflights

  /// Appends the fields that answer a preflight; false when the request is none, or asks for what the
  /// settings do not grant.
  package func appendPreflight(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, to buffer: ByteBuffer
  ) -> Bool {
    guard head.method == .options, let origin = Self.origin(head, base), allows(origin),
      let wanted = Self.single("access-control-request-method", head, base),
      grants(method: wanted)
    else { return false }
    let start = buffer.count
    buffer.append("Access-Control-Allow-Methods: ")
    if allowsAllMethods {
      // "*" would mean nothing to a browser that sends credentials.
      buffer.append(wanted)
    } else {
      buffer.append(methods.joined(separator: ", "))
    }
    buffer.append("\r\n")
    if !appendHeaders(head, base, to: buffer) {
      buffer.truncate(to: start)
      return false
    }
    if let maxAge {
      buffer.append("Access-Control-Max-Age: ")
      buffer.appendDecimal(UInt64(max(maxAge, 0)))
      buffer.append("\r\n")
    }
    return true
  }

  private func grants(method: UnsafeBufferPointer<UInt8>) -> Bool {
    isToken(method) && (allowsAllMethods || methods.contains { $0.utf8.elementsEqual(method) })
  }

  /// False when a header is wanted that is not granted.
  private func appendHeaders(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, to buffer: ByteBuffer
  ) -> Bool {
    var separator: StaticString = "Access-Control-Allow-Headers: "
    let name: StaticString = "access-control-request-headers"
    let lowercased = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    if !allowsAllHeaders && !headers.isEmpty {
      buffer.append(separator)
      buffer.append(headers.joined(separator: ", "))
      buffer.append("\r\n")
    }
    var line = head.fields.firstIndex(ofName: lowercased, in: base)
    while let index = line {
      var members = ListMembers(head.fields.value(at: index, in: base))
      while let member = members.next() {
        if !isToken(member) { return false }
        if allowsAllHeaders {
          buffer.append(separator)
          buffer.append(member)
          separator = ", "
        } else if !headers.contains(where: { sameText($0, member) }) {
          return false
        }
      }
      line = head.fields.nextIndex(ofName: lowercased, in: base, after: index)
    }
    if separator.utf8CodeUnitCount == 2 { buffer.append("\r\n") }
    return true
  }

  private func sameText(_ lower: String, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
    lower.utf8.elementsEqual(name.lazy.map { lowercased($0) })
  }

  private static func single(
    _ name: StaticString, _ head: RequestHead, _ base: UnsafePointer<UInt8>
  ) -> UnsafeBufferPointer<UInt8>? {
    let name = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    guard let index = head.fields.firstIndex(ofName: name, in: base),
      head.fields.nextIndex(ofName: name, in: base, after: index) == nil
    else { return nil }
    return head.fields.value(at: index, in: base)
  }
}

/// An origin that may read (RFC 6454): `https://shop.example`, `https://*.shop.example` for its
/// sub-domains of any depth, `http://localhost:*` for any port; without a scheme either one.
struct OriginPattern: Sendable {
  /// Nil for both http and https.
  private let scheme: String?
  /// Without the "*" that it may start with; a dot comes first then.
  private let host: String
  private let isWildcard: Bool
  private let port: Port

  private enum Port: Equatable {
    /// Of the scheme.
    case usual
    case any
    case number(Int)
  }

  /// Nil for "*" and for what is no pattern.
  init?(_ text: String) {
    var rest = Substring(text.lowercased())
    if rest == "null" {
      (scheme, host, isWildcard, port) = ("null", "", false, .usual)
      return
    }
    var scheme: String?
    if let range = rest.firstRange(of: "://") {
      scheme = String(rest[..<range.lowerBound])
      rest = rest[range.upperBound...]
    }
    var port = Port.usual
    // A colon inside of brackets is part of an IPv6 address.
    if let colon = rest.lastIndex(of: ":"), !rest[colon...].contains("]") {
      let digits = rest[rest.index(after: colon)...]
      rest = rest[..<colon]
      if digits == "*" {
        port = .any
      } else if let number = Int(digits), (1...65_535).contains(number) {
        let isUsual = (scheme == "http" && number == 80) || (scheme == "https" && number == 443)
        if !isUsual { port = .number(number) }
      } else {
        return nil
      }
    }
    isWildcard = rest.hasPrefix("*.")
    if isWildcard { rest = rest.dropFirst() }
    guard !rest.isEmpty, rest != ".", !rest.contains("*"), !rest.contains("/") else { return nil }
    host = String(rest)
    self.scheme = scheme
    self.port = port
  }

  func matches(_ origin: UnsafeBufferPointer<UInt8>) -> Bool {
    // Browsers write both in lower case; anything else is not theirs.
    let text = String(decoding: origin, as: UTF8.self)
    if scheme == "null" { return text == "null" }
    guard let range = text.firstRange(of: "://") else { return false }
    let itsScheme = text[..<range.lowerBound]
    if let scheme {
      if itsScheme != scheme { return false }
    } else if itsScheme != "http" && itsScheme != "https" {
      return false
    }
    var itsHost = text[range.upperBound...]
    var itsPort = Port.usual
    if let colon = itsHost.lastIndex(of: ":"), !itsHost[colon...].contains("]") {
      guard let number = Int(itsHost[itsHost.index(after: colon)...]),
        (1...65_535).contains(number)
      else { return false }
      itsPort = .number(number)
      itsHost = itsHost[..<colon]
    }
    if port != .any && itsPort != port { return false }
    if !isWildcard { return itsHost == host }
    guard itsHost.count > host.count, itsHost.hasSuffix(host) else { return false }
    // Labels only: nothing that could end the host before the suffix.
    return itsHost.dropLast(host.count).utf8.allSatisfy {
      isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".")
        || $0 == UInt8(ascii: "_")
    }
  }
}
