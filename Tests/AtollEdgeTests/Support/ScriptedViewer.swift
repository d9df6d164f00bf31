// SPDX-License-Identifier: Apache-2.0

struct ViewerResponse: Sendable, CustomStringConvertible {
  var status: Int
  var version: String
  var head: MessageHead
  var framing: MessageFraming
  var body: MessageBody
  /// The interim responses that came before it.
  var interim: [Int] = []

  var description: String {
    let fields = head.fields.map { "\($0.name): \($0.value)" }.joined(separator: " | ")
    return "\(status) \(fields) (\(body))"
  }

  var text: String { String(decoding: body.bytes, as: UTF8.self) }
  var isComplete: Bool { body.ending == .complete }
  subscript(_ name: String) -> String? { head[name] }

  /// Whether the edge's own member of Cache-Status (RFC 9211) says that it was a hit.
  var isHit: Bool { cacheStatus.contains("hit") }

  /// The parameters of the edge's member of Cache-Status, its last one.
  var cacheStatus: [String] {
    guard let member = head.list("cache-status").last else { return [] }
    return member.split(separator: ";").dropFirst().map { trimmed(String($0)) }
  }
}

/// A viewer that sends exactly the bytes of a test and reads what comes back.
final class ScriptedViewer: @unchecked Sendable {
  let wire: Wire

  /// - Parameter tls: nil speaks in the clear.
  init(port: UInt16, receiveBuffer: Int32? = nil, tls: ClientTLS? = nil) throws {
    wire = try Wire(port: port, receiveBuffer: receiveBuffer)
    if let tls { try wire.secure(tls) }
  }

  func send(_ text: String) throws { try wire.send(text) }
  func send(_ bytes: [UInt8]) throws { try wire.send(bytes) }

  /// One request with a Host field and what else is given, then its response.
  func request(
    _ method: String = "GET", _ target: String, _ fields: [String] = [], body: String? = nil
  ) throws -> ViewerResponse {
    try send(Self.head(method, target, fields, body: body) + (body ?? ""))
    return try readResponse(to: method)
  }

  func get(_ target: String, _ fields: String...) throws -> ViewerResponse {
    try request("GET", target, fields)
  }

  static func head(
    _ method: String = "GET", _ target: String, _ fields: [String] = [], body: String? = nil
  ) -> String {
    var lines = ["\(method) \(target) HTTP/1.1", "Host: test.example"] + fields
    if let body { lines.append("Content-Length: \(body.utf8.count)") }
    return lines.joined(separator: "\r\n") + "\r\n\r\n"
  }

  /// The next final response, its body included.
  func readResponse(to method: String = "GET", keeping: Bool = true) throws -> ViewerResponse {
    var response = try readResponseHead(to: method)
    response.body = try wire.readBody(response.framing, keeping: keeping)
    return response
  }

  /// The next final response up to its empty line.
  func readResponseHead(to method: String = "GET") throws -> ViewerResponse {
    var interim: [Int] = []
    while true {
      guard let head = try wire.readHead() else { throw WireError.closed }
      let response = try Self.response(head, to: method)
      if response.status >= 200 || response.status == 101 {
        var response = response
        response.interim = interim
        return response
      }
      interim.append(response.status)
    }
  }

  /// The next response, be it interim.
  func readAnyHead() throws -> ViewerResponse {
    guard let head = try wire.readHead() else { throw WireError.closed }
    return try Self.response(head, to: "GET")
  }

  func readBody(of response: ViewerResponse) throws -> MessageBody {
    try wire.readBody(response.framing)
  }

  func isClosed(within seconds: Double = 10) -> Bool { wire.isClosedByPeer(within: seconds) }
  func halfClose() { wire.halfClose() }
  func reset() { wire.reset() }
  func close() { wire.close() }

  /// Framing by RFC 9112 §6.3.
  private static func response(_ head: MessageHead, to method: String) throws -> ViewerResponse {
    let parts = head.startLine.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0].hasPrefix("HTTP/1."), let status = Int(parts[1]),
      parts[1].count == 3
    else { throw WireError.malformed(head.startLine) }
    let framing: MessageFraming
    if method == "HEAD" || status < 200 || status == 204 || status == 304 {
      framing = .none
    } else if let coding = head["transfer-encoding"] {
      guard coding.lowercased() == "chunked", head["content-length"] == nil else {
        throw WireError.malformed("framing of a response")
      }
      framing = .chunked
    } else if let value = head["content-length"] {
      guard let length = Int(value), head.values(of: "content-length").count == 1 else {
        throw WireError.malformed("content-length \(value)")
      }
      framing = .length(length)
    } else {
      framing = .untilClose
    }
    return ViewerResponse(
      status: status, version: String(parts[0]), head: head, framing: framing, body: MessageBody())
  }
}
