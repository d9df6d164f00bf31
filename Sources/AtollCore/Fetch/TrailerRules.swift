// SPDX-License-Identifier: Apache-2.0

/// What of a trailer section goes on (RFC 9110 §6.5.1, §6.5.2), and what is said about it before:
/// TE and Trailer.
///
/// A field that somebody acts on before the content, or that says how to read it, comes too late
/// behind it: a recipient that took it for one of the header section would be misled. So of the
/// fields that the edge itself looks at only ETag goes on (§8.8.3), and of the others none that
/// frames, routes, authenticates, controls a cache or changes the meaning of a message.
extension FieldRules {
  private static let comesTooLate: [StaticString] = [
    "allow", "alt-svc", "cdn-loop", "cookie2", "http2-settings", "priority", "refresh",
    "retry-after", "set-cookie2", "strict-transport-security", "surrogate-control", "warning",
    "www-authenticate",
  ]
  private static let comeTooLate: [StaticString] = [
    "access-control-", "content-", "if-", "proxy-", "sec-", "x-accel-", "x-amz-cf-",
    "x-forwarded-",
  ]

  static func mayTrail(_ known: KnownField, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
    if known != .other { return known == .etag }
    if isMadeByEdge(name) || isOverride(name) { return false }
    // RFC 9530 §2; the other is its predecessor.
    if equalsIgnoringCase(name, "content-digest") || equalsIgnoringCase(name, "content-md5") {
      return true
    }
    for prefix in comeTooLate where beginsIgnoringCase(name, prefix) { return false }
    for field in comesTooLate where equalsIgnoringCase(name, field) { return false }
    // Those of RFC 9213.
    let target: StaticString = "-cache-control"
    let length = target.utf8CodeUnitCount
    return name.count < length
      || !equalsIgnoringCase(UnsafeBufferPointer(rebasing: name.suffix(length)), target)
  }
}

extension RequestHead {
  /// Whether its sender keeps what comes behind a body (RFC 9110 §10.1.4). HTTP/1.0 has no such thing.
  package func acceptsTrailers(_ base: UnsafePointer<UInt8>) -> Bool {
    if minorVersion == 0 { return false }
    var line = fields.firstIndex(of: .te)
    while let index = line {
      var members = ListMembers(fields.value(at: index, in: base))
      while let member = members.next() {
        if equalsIgnoringCase(member, "trailers") { return true }
      }
      line = fields.nextIndex(of: .te, after: index)
    }
    return false
  }
}

// MARK: Responses

/// Which trailer fields of a response go to viewers, as far as its head decides that.
package struct ResponseTrailers {
  private let policy: ResponsePolicy
  /// Fields that Connection names end here (RFC 9110 §7.6.1): its values.
  private var connection: [ByteBuffer] = []
  /// The fields that the origin has announced, and that go on: the value of Trailer (§6.6.2). Nil
  /// without any.
  package private(set) var announcement: ByteBuffer?

  package init(_ response: ResponseHead, _ base: UnsafePointer<UInt8>, behavior: BehaviorPolicy) {
    policy = behavior.responses
    let fields = response.fields
    if response.connectionListsFields {
      var line = fields.firstIndex(of: .connection)
      while let index = line {
        let value = ByteBuffer(capacity: 64)
        value.append(fields.value(at: index, in: base))
        connection.append(value)
        line = fields.nextIndex(of: .connection, after: index)
      }
    }
    announcement = announcedTrailers(fields, base, passes)
  }

  private func passes(_ known: KnownField, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
    FieldRules.mayTrail(known, name) && !policy.names(name) && !isListed(name)
  }

  private func isListed(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
    for value in connection {
      var members = ListMembers(value.bytes)
      while let member = members.next() {
        if sameName(member, name) { return true }
      }
    }
    return false
  }

  /// The lines that go on; nil when there are none.
  package func lines(of section: TrailerSection) -> ByteBuffer? {
    trailerLines(section, passes)
  }
}

// MARK: Requests

/// The same for a request on its way to an origin: what its head could not say to the origin, its
/// trailers cannot either.
struct RequestTrailers {
  let head: RequestHead
  let base: UnsafePointer<UInt8>
  let behavior: BehaviorPolicy
  let origin: OriginHeaders

  private func passes(_ known: KnownField, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
    FieldRules.mayTrail(known, name) && !origin.replaces(known, name)
      && (known != .other || behavior.forwards(unknown: name, isStorable: false))
      && !head.withholds(name, base)
  }

  /// Writes Trailer, when the viewer has announced something that goes on.
  func appendAnnouncement(to request: ByteBuffer) {
    guard let names = announcedTrailers(head.fields, base, passes) else { return }
    request.append("Trailer: ")
    request.append(names.bytes)
    request.append("\r\n")
  }

  func lines(of section: TrailerSection) -> ByteBuffer? { trailerLines(section, passes) }
}

/// The lines of a request's trailers that go to an origin; nil when there are none.
package func trailerLines(
  of section: TrailerSection, _ head: RequestHead, _ base: UnsafePointer<UInt8>,
  behavior: BehaviorPolicy, origin: OriginPolicy
) -> ByteBuffer? {
  RequestTrailers(head: head, base: base, behavior: behavior, origin: origin.headers)
    .lines(of: section)
}

private typealias TrailerRule = (KnownField, UnsafeBufferPointer<UInt8>) -> Bool

private func trailerLines(_ section: TrailerSection, _ passes: TrailerRule) -> ByteBuffer? {
  let fields = section.fields
  var lines: ByteBuffer?
  for index in 0..<fields.count
  where passes(fields.lines[index].known, fields.name(at: index, in: section.base)) {
    let buffer = lines ?? ByteBuffer(capacity: 256)
    section.append(index, to: buffer)
    lines = buffer
  }
  return lines
}

private func announcedTrailers(
  _ fields: FieldTable, _ base: UnsafePointer<UInt8>, _ passes: TrailerRule
) -> ByteBuffer? {
  var names: ByteBuffer?
  var line = fields.firstIndex(of: .trailer)
  while let index = line {
    var members = ListMembers(fields.value(at: index, in: base))
    while let name = members.next() {
      guard name.allSatisfy(isTokenByte),
        passes(KnownField.of(name.baseAddress!, length: name.count), name)
      else { continue }
      if let names { names.append(", ") }
      let buffer = names ?? ByteBuffer(capacity: 64)
      buffer.append(name)
      names = buffer
    }
    line = fields.nextIndex(of: .trailer, after: index)
  }
  return names
}
