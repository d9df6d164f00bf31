// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc

/// Puts the fields of an HTTP/2 request (RFC 9113 §8.3) together as a head of HTTP/1.1's text, which
/// is what the rest of the edge reads, and notes where in it they lie.
///
/// Made once per loop; `begin` starts over. What would not be a request over HTTP/1.1 is none here.
package final class HTTP2RequestText: HeaderLineReceiver {
  private static let textSize = 2_048
  private static let pseudoSize = 512
  private static let cookieSize = 256

  /// The head so far; whole after `finish`.
  package let text = ByteBuffer(capacity: HTTP2RequestText.textSize)
  /// What `finish` fills.
  package let head: RequestHead
  private let fields: FieldTable
  private let pseudo = ByteBuffer(capacity: HTTP2RequestText.pseudoSize)
  private let cookies = ByteBuffer(capacity: HTTP2RequestText.cookieSize)
  private let state: UnsafeMutablePointer<State>
  /// Of an extended CONNECT for WebSocket (RFC 8441): what the origin is to answer to.
  package private(set) var webSocketKey: String?

  /// Outside the object, as `RequestHead`'s is.
  private struct State {
    var method = Piece()
    var path = Piece()
    var authority = Piece()
    var scheme = Piece()
    var wantedProtocol = Piece()
    var hasBegunFields = false
    var hasHost = false
    var hasLength = false
    var isMalformed = false
    var lineCount = 0
    var listSize = 0
    var priority = RequestPriority()
  }

  private struct Piece {
    var start = 0
    var count = -1
    var isPresent: Bool { count >= 0 }
  }

  package init(head: RequestHead) {
    self.head = head
    fields = head.fields
    state = .allocate(capacity: 1)
    state.initialize(to: State())
  }

  deinit { state.deallocate() }

  /// What the field Priority says (RFC 9218 §5); nil without one that can be read.
  package var priority: RequestPriority? {
    state.pointee.priority.isSet ? state.pointee.priority : nil
  }

  package func begin() {
    text.removeAll()
    pseudo.removeAll()
    cookies.removeAll()
    fields.removeAll()
    state.pointee = State()
    if webSocketKey != nil { webSocketKey = nil }
  }

  /// Bytes of memory that the last heads have made it take.
  @inline(__always)
  package var size: Int { text.capacity &+ pseudo.capacity &+ cookies.capacity }

  /// Gives back what the last heads took beyond what most need; no head is being read.
  package func shrink() {
    text.shrink(to: Self.textSize)
    pseudo.shrink(to: Self.pseudoSize)
    cookies.shrink(to: Self.cookieSize)
  }

  // MARK: Fields

  /// One field, pseudo-header fields first.
  /// - Returns: false when the list has become so long that it is an attack: small heads may decode
  ///   to large ones.
  @inline(__always)
  package func add(_ line: HeaderLine) -> Bool {
    let state = self.state
    // RFC 9113 §6.5.2: so much each field counts.
    state.pointee.listSize &+= Int(line.nameCount) &+ Int(line.valueCount) &+ 32
    if state.pointee.listSize > Limits.decodedHeaderList { return false }
    if !line.hasValidValue { state.pointee.isMalformed = true }
    if line.role == .plain {
      if !state.pointee.hasBegunFields { beginFields() }
      addLine(line)
    } else {
      addOther(line)
    }
    return true
  }

  @inline(__always)
  private func addLine(_ line: HeaderLine) {
    // What is too large already is refused, however large it becomes.
    let start = text.count
    if start > Limits.requestHead { return }
    text.append(line.text, line.count)
    note(
      start, nameCount: Int(line.nameCount), valueCount: Int(line.valueCount), known: line.known)
  }

  /// A line lies at `start` of the text.
  @inline(__always)
  private func note(_ start: Int, nameCount: Int, valueCount: Int, known: KnownField) {
    state.pointee.lineCount &+= 1
    // When there are too many, the count says so.
    _ = fields.append(
      FieldLine(
        nameStart: UInt16(truncatingIfNeeded: start),
        nameLength: UInt16(truncatingIfNeeded: nameCount),
        valueStart: UInt16(truncatingIfNeeded: start &+ nameCount &+ 2),
        valueLength: UInt16(truncatingIfNeeded: valueCount), known: known))
  }

  private func addOther(_ line: HeaderLine) {
    switch line.role {
    case .method: return set(&state.pointee.method, line)
    case .path: return set(&state.pointee.path, line)
    case .authority: return set(&state.pointee.authority, line)
    case .scheme: return set(&state.pointee.scheme, line)
    case .protocol: return set(&state.pointee.wantedProtocol, line)
    case .malformed:
      state.pointee.isMalformed = true
      return
    default: break
    }
    if !state.pointee.hasBegunFields { beginFields() }
    let value = UnsafeBufferPointer(start: line.value, count: Int(line.valueCount))
    switch line.role {
    case .host:
      // Once, and not empty.
      if state.pointee.hasHost || value.isEmpty { state.pointee.isMalformed = true }
      state.pointee.hasHost = true
      if state.pointee.authority.isPresent { return checkHost(value) }
    case .cookie:
      // RFC 9113 §8.2.3: pieces of one field.
      if text.count &+ cookies.count > Limits.requestHead { return }
      if value.isEmpty { return }
      if cookies.count > 0 { cookies.append("; ") }
      cookies.append(value)
      return
    case .contentLength:
      state.pointee.hasLength = true
    case .te:
      // RFC 9113 §8.2.2.
      if !equalsIgnoringCase(value, "trailers") { state.pointee.isMalformed = true }
    case .priority:
      state.pointee.priority.add(value)
    case .webSocketKey:
      if webSocketKey != nil { return }
    default: break
    }
    addLine(line)
  }

  @inline(__always)
  private func set(_ piece: inout Piece, _ line: HeaderLine) {
    let count = Int(line.valueCount)
    // RFC 9113 §8.3: once each, before all others; none of them may be empty (§8.3.1).
    if piece.isPresent || state.pointee.hasBegunFields || count == 0 {
      state.pointee.isMalformed = true
      return
    }
    piece = Piece(start: pseudo.count, count: count)
    pseudo.append(line.value, count)
  }

  /// RFC 9113 §8.3.1: both name the same, or the request is malformed.
  private func checkHost(_ value: UnsafeBufferPointer<UInt8>) {
    if !sameName(bytes(state.pointee.authority), value) { state.pointee.isMalformed = true }
  }

  @inline(__always)
  private func bytes(_ piece: Piece) -> UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(start: pseudo.base + piece.start, count: max(piece.count, 0))
  }

  // MARK: Request line and Host

  private func beginFields() {
    state.pointee.hasBegunFields = true
    if state.pointee.wantedProtocol.isPresent { return beginTunnel() }
    appendStart(method: bytes(state.pointee.method), target: bytes(target))
  }

  /// What stands in the request line. Of CONNECT it is the authority (RFC 9113 §8.5).
  @inline(__always)
  private var target: Piece {
    let path = state.pointee.path
    return !path.isPresent && isConnect ? state.pointee.authority : path
  }

  private func appendStart(
    method: UnsafeBufferPointer<UInt8>, target: UnsafeBufferPointer<UInt8>
  ) {
    let version: StaticString = " HTTP/1.1\r\n"
    let host: StaticString = "host: "
    let authority = bytes(state.pointee.authority)
    let start = text.reserveTail(method.count &+ target.count &+ authority.count &+ 32)
    var at = start
    memcpy(at, method.baseAddress!, method.count)
    at += method.count
    at.pointee = space
    at += 1
    memcpy(at, target.baseAddress!, target.count)
    at += target.count
    memcpy(at, version.utf8Start, 11)
    at += 11
    if state.pointee.authority.isPresent {
      let line = at
      memcpy(at, host.utf8Start, 6)
      at += 6
      memcpy(at, authority.baseAddress!, authority.count)
      at += authority.count
      HeaderLine.writeEnd(at)
      at += 2
      note(
        text.count &+ (line - start), nameCount: 4, valueCount: authority.count, known: .host)
    }
    text.advance(by: at - start)
  }

  /// RFC 8441: what asks for WebSocket in HTTP/2 is told as what asks for it in HTTP/1.1.
  private func beginTunnel() {
    let get: StaticString = "GET"
    appendStart(
      method: UnsafeBufferPointer(start: get.utf8Start, count: get.utf8CodeUnitCount),
      target: bytes(state.pointee.path))
    guard equalsIgnoringCase(bytes(state.pointee.wantedProtocol), "websocket") else { return }
    var generator = SystemRandomNumberGenerator()
    let random = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    let key = Base64.encode(random)
    webSocketKey = key
    text.append("connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ")
    text.append(key)
    text.append("\r\n")
    state.pointee.lineCount &+= 3
  }

  // MARK: The whole

  /// Ends the head.
  /// - Parameter hasBody: whether more than the head belongs to the request.
  /// - Returns: why there is no request; nil when `head` holds it.
  package func finish(hasBody: Bool) -> HTTP2RequestFault? {
    if !state.pointee.hasBegunFields { beginFields() }
    if cookies.count > 0 { addCookies() }
    if hasBody && !state.pointee.hasLength && webSocketKey == nil { addFraming() }
    text.append("\r\n")
    let isTunnel = state.pointee.wantedProtocol.isPresent
    if isTunnel && !isWellFormedTunnel { return .malformed }
    if state.pointee.isMalformed || !hasKnownScheme { return .malformed }
    if state.pointee.lineCount > Limits.headerCount { return .refused(.tooManyFields) }
    if let error = isTunnel ? parse() : adopt() {
      let isMalformed = error == .unsupportedExpectation && !hasBody && announcesBody
      return isMalformed || error.status == 400 ? .malformed : .refused(error)
    }
    if !hasBody && announcesBody { return .malformed }
    return isTunnel && webSocketKey == nil ? .unknownProtocol : nil
  }

  /// RFC 9113 §8.1.1.
  @inline(__always)
  private var announcesBody: Bool {
    if state.pointee.hasLength, case .length(let count) = head.framing { return count > 0 }
    return false
  }

  private func addCookies() {
    let start = text.count
    text.append("cookie: ")
    text.append(cookies.bytes)
    text.append("\r\n")
    note(start, nameCount: 6, valueCount: cookies.count, known: .cookie)
  }

  private func addFraming() {
    let start = text.count
    text.append("transfer-encoding: chunked\r\n")
    note(start, nameCount: 17, valueCount: 7, known: .transferEncoding)
  }

  @inline(__always)
  private func adopt() -> HeadError? {
    if !hasFittingPath && !isPlainConnect { return .badTarget }
    return head.adopt(
      text.base, count: text.count, methodLength: max(state.pointee.method.count, 0),
      targetLength: max(target.count, 0))
  }

  /// It has neither path nor scheme (RFC 9113 §8.5).
  private var isPlainConnect: Bool {
    isConnect && !state.pointee.path.isPresent && !state.pointee.scheme.isPresent
  }

  /// RFC 9113 §8.3.1.
  @inline(__always)
  private var hasFittingPath: Bool {
    let path = state.pointee.path
    if !path.isPresent { return false }
    if pseudo.base[path.start] == 0x2f { return true }
    return path.count == 1 && pseudo.base[path.start] == 0x2a
  }

  /// Of what was written as text alone.
  private func parse() -> HeadError? {
    switch head.parse(text.base, count: text.count) {
    case .complete(let length):
      // Nothing that came as a part of one field may have become more than that.
      let isWhole =
        length == text.count && fields.count == state.pointee.lineCount
        && head.methodLength == 3
      return isWhole ? nil : .badFieldValue
    case .incomplete: return .badFieldValue
    case .failure(let error): return error
    }
  }

  @inline(__always)
  private var isConnect: Bool {
    let method = state.pointee.method
    guard method.count == 7 else { return false }
    let connect: StaticString = "CONNECT"
    return memcmp(pseudo.base + method.start, connect.utf8Start, 7) == 0
  }

  @inline(__always)
  private var hasKnownScheme: Bool {
    let scheme = bytes(state.pointee.scheme)
    if scheme.count == 4 || scheme.count == 5 {
      let http: StaticString = "https"
      return csystem_equals_lowercased(scheme.baseAddress, http.utf8Start, scheme.count) != 0
    }
    return !state.pointee.scheme.isPresent && isConnect
  }

  /// RFC 8441 §4: CONNECT with all that another request has, and an authority. The path is one
  /// before it becomes a part of text that is parsed.
  private var isWellFormedTunnel: Bool {
    guard isConnect, state.pointee.scheme.isPresent, state.pointee.authority.isPresent,
      hasFittingPath
    else { return false }
    let start = UnsafePointer(pseudo.base) + state.pointee.path.start
    let end = start + state.pointee.path.count
    return csystem_scan_target(start, end, 0x23, 0x23) == end
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
