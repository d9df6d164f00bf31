// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Puts the fields of an HTTP/2 request (RFC 9113 §8.3) together as a head of HTTP/1.1's text, which
/// is what the rest of the edge reads.
///
/// Made once per loop; `begin` starts over. The head is parsed like any other: what would not be a
/// request over HTTP/1.1 is none here.
package final class HTTP2RequestText {
  /// The head so far; whole after `finish`.
  package let text = ByteBuffer(capacity: 2_048)
  private let pseudo = ByteBuffer(capacity: 512)
  private let cookies = ByteBuffer(capacity: 256)
  private var method = Piece()
  private var path = Piece()
  private var authority = Piece()
  private var scheme = Piece()
  private var wantedProtocol = Piece()
  private var hasBegunFields = false
  private var hasLength = false
  private var isMalformed = false
  private var lineCount = 0
  private var listSize = 0
  /// Of an extended CONNECT for WebSocket (RFC 8441): what the origin is to answer to.
  package private(set) var webSocketKey: String?

  private struct Piece {
    var start = 0
    var count = -1
    var isPresent: Bool { count >= 0 }
  }

  package init() {}

  package func begin() {
    text.removeAll()
    pseudo.removeAll()
    cookies.removeAll()
    method.count = -1
    path.count = -1
    authority.count = -1
    scheme.count = -1
    wantedProtocol.count = -1
    hasBegunFields = false
    hasLength = false
    isMalformed = false
    lineCount = 0
    listSize = 0
    webSocketKey = nil
  }

  /// One field, its name in lower case, pseudo-header fields first.
  /// - Returns: false when the list has become so long that it is an attack: small heads may decode
  ///   to large ones.
  @inline(__always)
  package func add(
    _ name: UnsafePointer<UInt8>, _ nameCount: Int, _ value: UnsafePointer<UInt8>, _ valueCount: Int
  ) -> Bool {
    // RFC 9113 §6.5.2: so much each field counts.
    listSize &+= nameCount &+ valueCount &+ 32
    if listSize > Limits.decodedHeaderList { return false }
    if nameCount > 0 && name[0] == 0x3a {
      addPseudo(name, nameCount, value, valueCount)
      return true
    }
    if !hasBegunFields { beginFields() }
    switch nameCount {
    case 4 where equals(name, "host"):
      if authority.isPresent { return checkHost(value, valueCount) }
    case 6 where equals(name, "cookie"):
      // RFC 9113 §8.2.3: pieces of one field.
      if text.count &+ cookies.count > Limits.requestHead { return true }
      if cookies.count > 0 { cookies.append("; ") }
      cookies.append(value, valueCount)
      return true
    case 14 where equals(name, "content-length"): hasLength = true
    case 17 where webSocketKey != nil && equals(name, "sec-websocket-key"): return true
    default: break
    }
    addLine(name, nameCount, value, valueCount)
    return true
  }

  @inline(__always)
  private func equals(_ name: UnsafePointer<UInt8>, _ other: StaticString) -> Bool {
    memcmp(name, other.utf8Start, other.utf8CodeUnitCount) == 0
  }

  @inline(__always)
  private func addLine(
    _ name: UnsafePointer<UInt8>, _ nameCount: Int, _ value: UnsafePointer<UInt8>, _ valueCount: Int
  ) {
    // What is too large already is refused, however large it becomes.
    if text.count > Limits.requestHead { return }
    lineCount &+= 1
    let size = nameCount &+ valueCount &+ 4
    let start = text.reserveTail(size)
    memcpy(start, name, nameCount)
    start[nameCount] = 0x3a
    start[nameCount &+ 1] = space
    memcpy(start + (nameCount &+ 2), value, valueCount)
    start[size &- 2] = carriageReturn
    start[size &- 1] = lineFeed
    text.advance(by: size)
  }

  private func addPseudo(
    _ name: UnsafePointer<UInt8>, _ nameCount: Int, _ value: UnsafePointer<UInt8>, _ valueCount: Int
  ) {
    if hasBegunFields || valueCount > Limits.requestHead {
      if hasBegunFields { isMalformed = true } else { lineCount = Limits.headerCount &+ 1 }
      return
    }
    let piece = Piece(start: pseudo.count, count: valueCount)
    switch nameCount {
    case 5 where equals(name, ":path"): set(&path, piece)
    case 7 where equals(name, ":method"): set(&method, piece)
    case 7 where equals(name, ":scheme"): set(&scheme, piece)
    case 9 where equals(name, ":protocol"): set(&wantedProtocol, piece)
    case 10 where equals(name, ":authority"): set(&authority, piece)
    default: isMalformed = true
    }
    pseudo.append(value, valueCount)
  }

  @inline(__always)
  private func set(_ present: inout Piece, _ piece: Piece) {
    // RFC 9113 §8.3: once each.
    if present.isPresent { isMalformed = true }
    present = piece
  }

  /// RFC 9113 §8.3.1: both name the same, or the request is malformed.
  private func checkHost(_ value: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    if !sameName(bytes(authority), UnsafeBufferPointer(start: value, count: count)) {
      isMalformed = true
    }
    return true
  }

  private func bytes(_ piece: Piece) -> UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(start: pseudo.base + piece.start, count: max(piece.count, 0))
  }

  /// Request line and Host.
  private func beginFields() {
    hasBegunFields = true
    let method = bytes(method)
    if wantedProtocol.isPresent {
      beginTunnel()
      return
    }
    if isConnect && !path.isPresent {
      // As it stands in HTTP/1.1 (RFC 9113 §8.5): the authority is the target.
      appendRequestLine(method, bytes(authority))
    } else {
      appendRequestLine(method, bytes(path))
    }
    appendHost()
  }

  private func appendRequestLine(
    _ method: UnsafeBufferPointer<UInt8>, _ target: UnsafeBufferPointer<UInt8>
  ) {
    text.append(method)
    text.append(space)
    text.append(target)
    text.append(" HTTP/1.1\r\n")
  }

  private func appendHost() {
    guard authority.isPresent else { return }
    text.append("host: ")
    text.append(bytes(authority))
    text.append("\r\n")
    lineCount &+= 1
  }

  /// RFC 8441: what asks for WebSocket in HTTP/2 is told as what asks for it in HTTP/1.1.
  private func beginTunnel() {
    let get: StaticString = "GET"
    appendRequestLine(
      UnsafeBufferPointer(start: get.utf8Start, count: get.utf8CodeUnitCount), bytes(path))
    appendHost()
    guard equalsIgnoringCase(bytes(wantedProtocol), "websocket") else { return }
    var generator = SystemRandomNumberGenerator()
    let random = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    let key = Base64.encode(random)
    webSocketKey = key
    text.append("connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ")
    text.append(key)
    text.append("\r\n")
    lineCount &+= 3
  }

  /// Ends the head.
  /// - Parameter hasBody: whether more than the head belongs to the request.
  /// - Returns: why there is no request; nil when `head` holds it.
  @inline(__always)
  package func finish(hasBody: Bool, _ head: RequestHead) -> HTTP2RequestFault? {
    if !hasBegunFields { beginFields() }
    if cookies.count > 0 {
      let cookie: StaticString = "cookie"
      addLine(cookie.utf8Start, cookie.utf8CodeUnitCount, cookies.base, cookies.count)
    }
    if hasBody && !hasLength && webSocketKey == nil {
      text.append("transfer-encoding: chunked\r\n")
      lineCount &+= 1
    }
    text.append("\r\n")
    if wantedProtocol.isPresent, let fault = faultOfTunnel() { return fault }
    if isMalformed || !hasKnownScheme { return .malformed }
    if lineCount > Limits.headerCount { return .refused(.tooManyFields) }
    switch head.parse(text.base, count: text.count) {
    case .complete(let length):
      // Nothing that came as a part of one field may have become more than that.
      guard length == text.count, head.fields.count == lineCount,
        Int(head.methodLength) == (wantedProtocol.isPresent ? 3 : method.count)
      else { return .malformed }
      return nil
    case .incomplete: return .malformed
    case .failure(let error): return error.status == 400 ? .malformed : .refused(error)
    }
  }

  private var isConnect: Bool {
    method.count == 7 && equals(pseudo.base + method.start, "CONNECT")
  }

  private var hasKnownScheme: Bool {
    if !scheme.isPresent { return isConnect }
    let scheme = bytes(scheme)
    return equalsIgnoringCase(scheme, "https") || equalsIgnoringCase(scheme, "http")
  }

  private func faultOfTunnel() -> HTTP2RequestFault? {
    guard isConnect, scheme.isPresent, path.isPresent else { return .malformed }
    return webSocketKey == nil ? .unknownProtocol : nil
  }
}

/// Why the fields of an HTTP/2 request make none.
package enum HTTP2RequestFault: Equatable, Sendable {
  /// An error of the stream (RFC 9113 §8.1.1).
  case malformed
  /// The viewer gets an answer that says why.
  case refused(HeadError)
  /// An extended CONNECT for something else than WebSocket: 501 (RFC 9220 §3).
  case unknownProtocol
}
