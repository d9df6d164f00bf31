// SPDX-License-Identifier: Apache-2.0

/// The target URI of a request (RFC 9110 §7.1), against which references in its response are
/// resolved.
package struct TargetURI {
  private let scheme: Scheme
  private let authorities: [[UInt8]]
  private let path: [UInt8]
  private let query: [UInt8]?

  /// - Parameter origin: it may have been asked under its own name, which its references then have.
  package init(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, scheme: Scheme, origin: OriginPolicy
  ) {
    self.init(
      scheme: scheme,
      authorities: [Array(head.authority(in: base)), Array(origin.headers.host.bytes)],
      path: Array(head.path(in: base)),
      query: head.hasQuery
        ? Array(
          UnsafeBufferPointer(start: base + Int(head.queryStart), count: Int(head.queryLength)))
        : nil)
  }

  init(scheme: Scheme, authorities: [[UInt8]], path: [UInt8], query: [UInt8]?) {
    self.scheme = scheme
    self.authorities = authorities.map { Self.normalized($0, scheme) }
    self.path = path
    self.query = query
  }

  /// Path and query of a URI reference (RFC 3986 §5.2); nil when it has another origin
  /// (RFC 9110 §4.3.1) or is no reference of HTTP's.
  package func resolve(_ reference: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
    if reference.contains(where: { $0 <= 0x20 || $0 == 0x7f }) { return nil }
    var rest = Array(reference.prefix { $0 != UInt8(ascii: "#") })
    if let colon = Self.schemeEnd(rest) {
      let wanted = scheme == .https ? "https" : "http"
      if rest[..<colon].map(lowercased) != Array(wanted.utf8) { return nil }
      rest.removeSubrange(...colon)
      // "http:/a" names no host.
      if !rest.starts(with: Self.slashes) { return nil }
    }
    let hasAuthority = rest.starts(with: Self.slashes)
    if hasAuthority {
      rest.removeSubrange(..<2)
      let end = rest.firstIndex { $0 == 0x2f || $0 == 0x3f } ?? rest.count
      let authority = Self.normalized(Array(rest[..<end]), scheme)
      if authority.isEmpty || !authorities.contains(authority) { return nil }
      rest.removeSubrange(..<end)
    }
    let mark = rest.firstIndex(of: 0x3f)
    let givenPath = Array(rest[..<(mark ?? rest.count)])
    var resultQuery = mark.map { Array(rest[($0 + 1)...]) }
    var result: [UInt8]
    if givenPath.isEmpty && !hasAuthority {
      result = path
      if mark == nil { resultQuery = query }
    } else if givenPath.first == 0x2f || hasAuthority {
      result = Self.withoutDots(givenPath)
    } else {
      let directory = path.lastIndex(of: 0x2f).map { path[...$0] } ?? [0x2f]
      result = Self.withoutDots(Array(directory) + givenPath)
    }
    if result.isEmpty { result = [0x2f] }
    if let resultQuery { result += [0x3f] + resultQuery }
    return result
  }

  private static let slashes = Array("//".utf8)

  /// Where the scheme's colon is; nil in a relative reference.
  private static func schemeEnd(_ reference: [UInt8]) -> Int? {
    guard let first = reference.first, isAlphanumeric(first), !isDigit(first),
      let end = reference.firstIndex(where: {
        !isAlphanumeric($0) && $0 != 0x2b && $0 != 0x2d && $0 != 0x2e
      }), reference[end] == 0x3a
    else { return nil }
    return end
  }

  /// In lower case and without the port that the scheme implies (RFC 9110 §4.2.3).
  private static func normalized(_ authority: [UInt8], _ scheme: Scheme) -> [UInt8] {
    var result = authority.map(lowercased)
    for port in [scheme == .https ? ":443" : ":80", ":"] where result.ends(with: port) {
      result.removeLast(port.utf8.count)
    }
    return result
  }

  /// RFC 3986 §5.2.4, for a path that begins with a slash.
  private static func withoutDots(_ path: [UInt8]) -> [UInt8] {
    var kept: [ArraySlice<UInt8>] = []
    let segments = path.split(separator: 0x2f, omittingEmptySubsequences: false).dropFirst()
    for (index, segment) in zip(segments.indices, segments) {
      let isLast = index == segments.endIndex - 1
      if segment.elementsEqual(".".utf8) {
        if isLast { kept.append([]) }
      } else if segment.elementsEqual("..".utf8) {
        _ = kept.popLast()
        if isLast { kept.append([]) }
      } else {
        kept.append(segment)
      }
    }
    return kept.flatMap { [0x2f] + $0 }
  }
}

extension Array where Element == UInt8 {
  fileprivate func ends(with text: String) -> Bool {
    count >= text.utf8.count && suffix(text.utf8.count).elementsEqual(text.utf8)
  }
}

/// Appends the head of a GET for another path of the same host, with the fields of `head`.
package func appendRequest(
  for path: [UInt8], like head: RequestHead, _ base: UnsafePointer<UInt8>,
  to request: ByteBuffer
) {
  var lineEnd = 0
  while lineEnd < head.length, base[lineEnd] != 0x0a { lineEnd &+= 1 }
  let authority = head.authority(in: base)
  request.append("GET ")
  if !authority.isEmpty {
    request.append("http://")
    request.append(authority)
  }
  path.withUnsafeBufferPointer { request.append($0) }
  // Without Host it can only be the older version (RFC 9112 §3.2).
  request.append(authority.isEmpty ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n")
  request.append(base + lineEnd + 1, head.length &- lineEnd &- 1)
}
