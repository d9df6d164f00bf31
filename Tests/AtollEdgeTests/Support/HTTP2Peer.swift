// SPDX-License-Identifier: Apache-2.0
import TestSupport

struct HTTP2Frame: Sendable {
  enum Kind {
    static let data: UInt8 = 0
    static let headers: UInt8 = 1
    static let priority: UInt8 = 2
    static let reset: UInt8 = 3
    static let settings: UInt8 = 4
    static let ping: UInt8 = 6
    static let goAway: UInt8 = 7
    static let windowUpdate: UInt8 = 8
    static let continuation: UInt8 = 9
    static let priorityUpdate: UInt8 = 16
  }
  enum Flag {
    static let acknowledgment: UInt8 = 1
    static let endStream: UInt8 = 1
    static let endHeaders: UInt8 = 4
    static let padded: UInt8 = 8
  }

  var kind: UInt8
  var flags: UInt8 = 0
  var stream: Int = 0
  var payload: [UInt8] = []

  func has(_ flag: UInt8) -> Bool { flags & flag != 0 }

  /// The 32 bits at an offset of the payload.
  func number(at offset: Int) -> Int {
    payload[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) }
  }

  var bytes: [UInt8] {
    let length = payload.count
    return [
      UInt8(length >> 16 & 255), UInt8(length >> 8 & 255), UInt8(length & 255), kind, flags,
    ] + HTTP2Frame.bytes(stream) + payload
  }

  static func bytes(_ number: Int) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
  }
}

struct HTTP2Response: Sendable {
  var interim: [Int] = []
  var status = 0
  var head = MessageHead(startLine: "", fields: [])
  var body: [UInt8] = []
  var trailers: [(name: String, value: String)] = []
  /// The error of RST_STREAM, when that ended it.
  var error: Int?
  var isComplete = false

  subscript(_ name: String) -> String? { head[name] }
  var text: String { String(decoding: body, as: UTF8.self) }
  var isHit: Bool { self["cache-status"]?.contains("hit") ?? false }
}

/// A viewer of HTTP/2 that sends exactly the frames of a test, and reads what comes back: frames by
/// hand, so that it may be wrong; only heads are decoded by nghttp2.
final class HTTP2Peer: @unchecked Sendable {
  static let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
  enum Code {
    static let none = 0
    static let protocolError = 1
    static let internalError = 2
    static let flowControl = 3
    static let refused = 7
    static let cancel = 8
    static let calm = 11
  }

  let wire: Wire
  private let inflater = HeaderInflater()
  private(set) var settings: [Int: Int] = [:]
  private(set) var responses: [Int: HTTP2Response] = [:]
  private(set) var goAway: (lastStream: Int, error: Int)?
  private(set) var isEnded = false
  private var headStream = 0
  private var headFlags: UInt8 = 0
  private var headBytes: [UInt8] = []
  /// Of settings that the edge has yet to acknowledge.
  private var tableSizes: [[Int]] = []
  /// Gives the window back that data has used.
  var updatesWindows = true
  var answersPings = true

  /// - Parameters:
  ///   - settings: identifiers and values.
  ///   - tls: its handshake; nil: in the clear.
  init(
    port: UInt16, settings: [(Int, Int)] = [], receiveBuffer: Int32? = nil, tls: ClientTLS? = nil
  ) throws {
    wire = try Wire(port: port, receiveBuffer: receiveBuffer)
    if let tls { try wire.secure(tls) }
    try wire.send(Self.preface)
    try send(frame(settings: settings))
  }

  // MARK: Sending

  func send(_ frames: HTTP2Frame...) throws { try wire.send(frames.flatMap(\.bytes)) }

  /// Settings, which have to be sent: what they say about the table holds for what follows their
  /// acknowledgment.
  func frame(settings: [(Int, Int)]) -> HTTP2Frame {
    tableSizes.append(settings.filter { $0.0 == 1 }.map(\.1))
    return HTTP2Frame(
      kind: HTTP2Frame.Kind.settings,
      payload: settings.flatMap { id, value in
        [UInt8(id >> 8), UInt8(id & 255)] + HTTP2Frame.bytes(value)
      })
  }

  /// A literal field that no table keeps (RFC 7541 §6.2.2), without Huffman.
  static func literal(_ name: String, _ value: String) -> [UInt8] {
    [0] + string(name) + string(value)
  }

  private static func string(_ text: String) -> [UInt8] {
    hpackInteger(text.utf8.count, bits: 7) + text.utf8
  }

  static func fields(
    _ path: String, _ fields: [(String, String)] = [], authority: String = "test.example",
    scheme: String = "http"
  ) -> [(String, String)] {
    self.fields("GET", path, fields, authority: authority, scheme: scheme)
  }

  static func fields(
    _ method: String, _ path: String, _ fields: [(String, String)] = [],
    authority: String = "test.example", scheme: String = "http"
  ) -> [(String, String)] {
    [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path)] + fields
  }

  static func block(_ fields: [(String, String)]) -> [UInt8] {
    fields.flatMap { literal($0.0, $0.1) }
  }

  static func headers(
    _ stream: Int, _ fields: [(String, String)], endStream: Bool = true
  ) -> HTTP2Frame {
    HTTP2Frame(
      kind: HTTP2Frame.Kind.headers,
      flags: HTTP2Frame.Flag.endHeaders | (endStream ? HTTP2Frame.Flag.endStream : 0),
      stream: stream, payload: block(fields))
  }

  func sendRequest(_ stream: Int, _ path: String, _ fields: [(String, String)] = []) throws {
    try sendRequest(stream, "GET", path, fields)
  }

  func sendRequest(
    _ stream: Int, _ method: String, _ path: String, _ fields: [(String, String)] = [],
    endStream: Bool = true
  ) throws {
    try send(Self.headers(stream, Self.fields(method, path, fields), endStream: endStream))
  }

  func sendData(_ stream: Int, _ bytes: [UInt8], endStream: Bool = false) throws {
    var at = 0
    repeat {
      let part = Array(bytes[at..<min(at + 16_384, bytes.count)])
      at += part.count
      try send(
        HTTP2Frame(
          kind: HTTP2Frame.Kind.data,
          flags: endStream && at == bytes.count ? HTTP2Frame.Flag.endStream : 0, stream: stream,
          payload: part))
    } while at < bytes.count
  }

  func updateWindow(_ stream: Int, _ count: Int) throws {
    try send(
      HTTP2Frame(
        kind: HTTP2Frame.Kind.windowUpdate, stream: stream, payload: HTTP2Frame.bytes(count)))
  }

  func reset(_ stream: Int, _ error: Int = Code.cancel) throws {
    try send(
      HTTP2Frame(kind: HTTP2Frame.Kind.reset, stream: stream, payload: HTTP2Frame.bytes(error)))
  }

  /// Reads and acknowledges the edge's settings: its windows and limits hold from then on.
  func greet() throws { try read { !$0.settings.isEmpty } }

  // MARK: Receiving

  /// The next frame; nil at the end of the connection.
  func readFrame() throws -> HTTP2Frame? {
    let header: [UInt8]
    do {
      header = try wire.read(9)
    } catch WireError.closed {
      isEnded = true
      return nil
    } catch WireError.reset {
      isEnded = true
      return nil
    }
    let length = Int(header[0]) << 16 | Int(header[1]) << 8 | Int(header[2])
    var frame = HTTP2Frame(kind: header[3], flags: header[4])
    frame.stream = header[5...8].reduce(0) { $0 << 8 | Int($1) } & 0x7fff_ffff
    frame.payload = try wire.read(length)
    try note(frame)
    return frame
  }

  private func note(_ frame: HTTP2Frame) throws {
    switch frame.kind {
    case HTTP2Frame.Kind.settings where !frame.has(HTTP2Frame.Flag.acknowledgment):
      for at in stride(from: 0, to: frame.payload.count, by: 6) {
        settings[Int(frame.payload[at]) << 8 | Int(frame.payload[at + 1])] = frame.number(
          at: at + 2)
      }
      try send(
        HTTP2Frame(kind: HTTP2Frame.Kind.settings, flags: HTTP2Frame.Flag.acknowledgment))
    case HTTP2Frame.Kind.settings where !tableSizes.isEmpty:
      for size in tableSizes.removeFirst() {
        inflater.setTableSize(size)
      }
    case HTTP2Frame.Kind.ping where !frame.has(HTTP2Frame.Flag.acknowledgment) && answersPings:
      try send(
        HTTP2Frame(
          kind: HTTP2Frame.Kind.ping, flags: HTTP2Frame.Flag.acknowledgment,
          payload: frame.payload))
    case HTTP2Frame.Kind.goAway:
      goAway = (frame.number(at: 0), frame.number(at: 4))
    case HTTP2Frame.Kind.reset:
      responses[frame.stream, default: HTTP2Response()].error = frame.number(at: 0)
    case HTTP2Frame.Kind.headers, HTTP2Frame.Kind.continuation:
      if frame.kind == HTTP2Frame.Kind.headers {
        headStream = frame.stream
        headFlags = frame.flags
        headBytes = []
      }
      headBytes += frame.payload
      if frame.has(HTTP2Frame.Flag.endHeaders) { try noteHead() }
    case HTTP2Frame.Kind.data:
      responses[frame.stream, default: HTTP2Response()].body += frame.payload
      if frame.has(HTTP2Frame.Flag.endStream) { responses[frame.stream]!.isComplete = true }
      if updatesWindows && !frame.payload.isEmpty {
        try updateWindow(0, frame.payload.count)
        if !frame.has(HTTP2Frame.Flag.endStream) {
          try updateWindow(frame.stream, frame.payload.count)
        }
      }
    default: break
    }
  }

  private func noteHead() throws {
    let fields = try decode(headBytes)
    var response = responses[headStream] ?? HTTP2Response()
    if let text = fields.first(where: { $0.name == ":status" })?.value, let status = Int(text) {
      if status < 200 {
        response.interim.append(status)
      } else {
        response.status = status
        response.head = MessageHead(startLine: "", fields: fields)
      }
    } else {
      response.trailers = fields
    }
    if headFlags & HTTP2Frame.Flag.endStream != 0 { response.isComplete = true }
    responses[headStream] = response
  }

  private func decode(_ block: [UInt8]) throws -> [(name: String, value: String)] {
    guard let fields = inflater.fields(block) else { throw WireError.malformed("header block") }
    return fields.map {
      (String(decoding: $0.name, as: UTF8.self), String(decoding: $0.value, as: UTF8.self))
    }
  }

  /// Reads on until the condition holds, or the connection ends.
  func read(until condition: (HTTP2Peer) -> Bool) throws {
    while !condition(self), try readFrame() != nil {}
  }

  /// The response on a stream, whole or reset.
  func response(_ stream: Int) throws -> HTTP2Response {
    try read { peer in
      peer.responses[stream].map { $0.isComplete || $0.error != nil } ?? false
    }
    guard let response = responses[stream] else { throw WireError.closed }
    return response
  }

  /// One request and its response.
  func request(_ stream: Int, _ path: String, _ fields: [(String, String)] = []) throws
    -> HTTP2Response
  {
    try request(stream, "GET", path, fields)
  }

  func request(
    _ stream: Int, _ method: String, _ path: String, _ fields: [(String, String)] = []
  ) throws -> HTTP2Response {
    try sendRequest(stream, method, path, fields)
    return try response(stream)
  }

  /// The error that the edge ends the connection with; nil when it ends without GOAWAY.
  func readEnd() throws -> Int? {
    try read { _ in false }
    return goAway?.error
  }
}
