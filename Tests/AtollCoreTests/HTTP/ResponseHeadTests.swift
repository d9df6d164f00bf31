// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

@Suite struct ResponseHeadTests {
  @Test func `a response head is taken apart`() {
    let text =
      "HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 12\r\n"
      + "ETag: \"x\"\r\n\r\n"
    let response = ParsedResponse(text + "<html></html>")
    #expect(response.result == .complete(length: text.utf8.count))
    #expect(response.head.status == 404)
    #expect(response.head.minorVersion == 1)
    #expect(response.reason == "Not Found")
    #expect(response.head.framing == .length(12))
    #expect(response.head.keepsAlive)
    #expect(response.fields == ["Content-Type|text/html", "Content-Length|12", "ETag|\"x\""])
  }

  static let heads: [String] = [
    "HTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.1 200 \r\nA: b\r\n\r\n",
    "HTTP/1.1 200\r\nA: b\r\n\r\n",
    "HTTP/1.0 599 caf\u{e9} and\ttab\r\nTransfer-Encodin: chunked\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\nConnection: close\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding \t : chunked\r\nSet-Cookie \t: a=b\r\n\r\n",
  ]

  @Test(arguments: heads)
  func `every truncation is incomplete, the whole is complete`(text: String) {
    let bytes = Array(text.utf8)
    for count in 0..<bytes.count {
      #expect(ParsedResponse(Array(bytes[..<count])).result == .incomplete, "\(count) bytes")
    }
    #expect(ParsedResponse(bytes).result == .complete(length: bytes.count))
    #expect(ParsedResponse(bytes + Array("\nrest".utf8)).result == .complete(length: bytes.count))
  }

  @Test(arguments: [
    ("HTTP/1.1 200", 200, ""), ("HTTP/1.1 200 ", 200, ""),
    ("HTTP/1.1 100 Continue", 100, "Continue"),
    ("HTTP/1.0 599 Odd", 599, "Odd"), ("HTTP/1.2 301  Two spaces", 301, " Two spaces"),
    ("HTTP/1.1 200 caf\u{e9}\t!", 200, "caf\u{e9}\t!"),
  ])
  func `status and reason are read, the reason may be missing`(
    line: String, status: Int, reason: String
  ) {
    // RFC 9112 §4
    let response = ParsedResponse("\(line)\r\n\r\n")
    #expect(response.head.status == UInt16(status))
    #expect(response.reason == reason)
  }

  @Test func `white space before a colon is removed from responses`() {
    // RFC 9112 §5.1: what a proxy must do, where a server must refuse.
    let response = ParsedResponse(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\nA\t: b\r\n\r\n")
    #expect(response.head.framing == .chunked)
    #expect(response.fields == ["Transfer-Encoding|chunked", "A|b"])
  }

  struct Framing: Sendable {
    var fields: String
    var framing: BodyFraming
    var keepsAlive: Bool
    init(_ fields: String, _ framing: BodyFraming, _ keepsAlive: Bool) {
      (self.fields, self.framing, self.keepsAlive) = (fields, framing, keepsAlive)
    }
  }

  // RFC 9112 §6.3
  @Test(arguments: [
    Framing("", .untilClose, false),
    Framing("Connection: keep-alive\r\n", .untilClose, false),
    Framing("Content-Length: 0\r\n", .length(0), true),
    Framing("Content-Length: 7\r\nConnection: close\r\n", .length(7), false),
    Framing("Content-Length: 7\r\ncontent-length: 7\r\n", .length(7), true),
    Framing("Content-Length: 7, 7\r\n", .length(7), true),
    Framing("Content-Length: 07, 7\r\n", .length(7), true),
    Framing("Transfer-Encoding: chunked\r\n", .chunked, true),
    Framing("Transfer-Encoding: Chunked\r\nConnection: a, Close\r\n", .chunked, false),
  ])
  func `framing fields say how long the body is`(case: Framing) {
    let response = ParsedResponse("HTTP/1.1 200 OK\r\n\(`case`.fields)\r\n")
    #expect(response.error == nil)
    #expect(response.head.framing == `case`.framing)
    #expect(response.head.keepsAlive == `case`.keepsAlive)
  }

  @Test(arguments: [
    (AtollCore.Method.head, 200), (.get, 100), (.get, 103), (.get, 101), (.get, 204), (.get, 304),
  ])
  func `some responses have no body whatever their fields say`(
    method: AtollCore.Method, status: Int
  ) {
    for fields in [
      "", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip\r\n",
      "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ] {
      let response = ParsedResponse("HTTP/1.1 \(status) x\r\n\(fields)\r\n", to: method)
      #expect(response.error == nil)
      #expect(response.head.framing == .none)
      #expect(response.head.keepsAlive)
    }
  }

  @Test func `HTTP 1_0 persists only when asked to`() {
    func keepsAlive(_ fields: String) -> Bool {
      ParsedResponse("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\(fields)\r\n").head.keepsAlive
    }
    #expect(!keepsAlive(""))
    #expect(keepsAlive("Connection: Keep-Alive\r\n"))
    #expect(!keepsAlive("Connection: keep-alive, close\r\n"))
  }

  @Test func `Connection that names other fields is marked`() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: "
    #expect(!ParsedResponse(head + "keep-alive\r\n\r\n").head.connectionListsFields)
    #expect(ParsedResponse(head + "keep-alive, x-hop\r\n\r\n").head.connectionListsFields)
  }

  static func ok(_ fields: String, _ error: HeadError, _ section: String) -> Malformed {
    Malformed("HTTP/1.1 200 OK\r\n\(fields)\r\n\r\n", error, section)
  }

  static let malformed: [Malformed] = [
    Malformed("\r\nHTTP/1.1 200 OK\r\n\r\n", .badStatusLine, "RFC 9112 §4"),
    Malformed("\n", .badStatusLine, "RFC 9112 §4"),
    Malformed(" HTTP/1.1 200 OK\r\n\r\n", .badStatusLine, "RFC 9112 §4"),
    Malformed("<html>", .badStatusLine, "RFC 9112 §4"),
    Malformed("SSH-2.0-OpenSSH\r\n", .badStatusLine, "RFC 9112 §4"),
    Malformed("ICY 200 OK\r\n\r\n", .badStatusLine, "RFC 9112 §4"),
    Malformed("http/1.1 200 OK\r\n\r\n", .badStatusLine, "RFC 9112 §2.3"),
    Malformed("HTTP/1.10 200 OK\r\n\r\n", .badStatusLine, "RFC 9112 §2.3"),
    Malformed("HTTP/1 200 OK\r\n\r\n", .badStatusLine, "RFC 9112 §2.3"),
    Malformed("HTTP/2.0 200 OK\r\n\r\n", .unsupportedVersion, "RFC 9110 §2.5"),
    Malformed("HTTP/0.9 200 OK\r\n\r\n", .unsupportedVersion, "RFC 9110 §2.5"),
    Malformed("HTTP/1.1\t200 OK\r\n\r\n", .badStatusLine, "RFC 9112 §4"),
    Malformed("HTTP/1.1  200 OK\r\n\r\n", .badStatusLine, "RFC 9112 §4"),
    Malformed("HTTP/1.1\r\n\r\n", .badStatusLine, "RFC 9112 §4"),
    Malformed("HTTP/1.1 \r\n\r\n", .badStatusLine, "RFC 9112 §4"),
    Malformed("HTTP/1.1 20 OK\r\n\r\n", .badStatusLine, "RFC 9110 §15"),
    Malformed("HTTP/1.1 2000 OK\r\n\r\n", .badStatusLine, "RFC 9110 §15"),
    Malformed("HTTP/1.1 099 OK\r\n\r\n", .badStatusLine, "RFC 9110 §15"),
    Malformed("HTTP/1.1 600 OK\r\n\r\n", .badStatusLine, "RFC 9110 §15"),
    Malformed("HTTP/1.1 -20 OK\r\n\r\n", .badStatusLine, "RFC 9110 §15"),
    Malformed("HTTP/1.1 2x0 OK\r\n\r\n", .badStatusLine, "RFC 9110 §15"),
    Malformed("HTTP/1.1 20x OK\r\n\r\n", .badStatusLine, "RFC 9110 §15"),
    Malformed("HTTP/1.1 200\tOK\r\n\r\n", .badStatusLine, "RFC 9112 §4"),
    Malformed("HTTP/1.1 200OK\r\n\r\n", .badStatusLine, "RFC 9112 §4"),
    Malformed("HTTP/1.1 200 O\0K\r\n\r\n", .badStatusLine, "RFC 9112 §4"),
    Malformed("HTTP/1.1 200 OK\rX\r\n\r\n", .badStatusLine, "RFC 9112 §2.2"),
    Malformed("HTTP/1.1 200 OK\n\n", .bareLineFeed, "RFC 9112 §2.2"),
    Malformed("HTTP/1.1 200\n\n", .bareLineFeed, "RFC 9112 §2.2"),
    Malformed("HTTP/1.1 200 OK\r\nA: b\n\r\n", .bareLineFeed, "RFC 9112 §2.2"),
    ok("A: b\r\n c", .obsoleteFolding, "RFC 9112 §5.2"),
    ok(" A: b", .badFieldName, "RFC 9112 §2.2"),
    ok("A b: c", .badFieldName, "RFC 9112 §5.1"),
    ok("A", .badFieldName, "RFC 9112 §5"),
    ok("A ", .badFieldName, "RFC 9112 §5"),
    ok(": b", .badFieldName, "RFC 9112 §5"),
    ok(" : b", .badFieldName, "RFC 9112 §2.2"),
    ok("A: b\0c", .badFieldValue, "RFC 9110 §5.5"),
    ok("A: b\rc", .badFieldValue, "RFC 9110 §5.5"),
    ok("Content-Length: 5\r\nTransfer-Encoding: chunked", .ambiguousFraming, "RFC 9112 §6.3"),
    ok("Content-Length: 5\r\nContent-Length: 6", .ambiguousFraming, "RFC 9112 §6.3"),
    ok("Content-Length: 5, 6", .ambiguousFraming, "RFC 9112 §6.3"),
    ok("Content-Length: five", .badContentLength, "RFC 9110 §8.6"),
    ok("Content-Length: -5", .badContentLength, "RFC 9110 §8.6"),
    ok("Content-Length:", .badContentLength, "RFC 9110 §8.6"),
    ok("Content-Length: ,", .badContentLength, "RFC 9110 §8.6"),
    ok("Content-Length: 5\r\nContent-Length:", .badContentLength, "RFC 9110 §8.6"),
    ok("Content-Length: 9223372036854775808", .badContentLength, "RFC 9110 §8.6"),
    ok("Transfer-Encoding: gzip", .unsupportedTransferCoding, "RFC 9112 §6.1"),
    ok("Transfer-Encoding: gzip, chunked", .unsupportedTransferCoding, "RFC 9112 §6.1"),
    ok("Transfer-Encoding: chunked, chunked", .badTransferEncoding, "RFC 9112 §6.1"),
    ok("Transfer-Encoding:", .badTransferEncoding, "RFC 9112 §6.1"),
    Malformed(
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .badTransferEncoding,
      "RFC 9112 §6.1"),
  ]

  @Test(arguments: malformed)
  func `a malformed response head is refused`(head: Malformed) {
    #expect(ParsedResponse(head.text).error == head.error)
    let bytes = Array(head.text.utf8)
    for count in 0..<bytes.count {
      let result = ParsedResponse(Array(bytes[..<count])).result
      #expect(result == .incomplete || result == .failure(head.error), "\(count) bytes")
    }
  }

  @Test func `a head of the limit passes, one byte more does not`() {
    let start = "HTTP/1.1 200 OK\r\nX: "
    let padding = Limits.responseHead - start.utf8.count - 4
    let fits = start + String(repeating: "x", count: padding) + "\r\n\r\n"
    #expect(ParsedResponse(fits).result == .complete(length: Limits.responseHead))
    let tooLong = start + String(repeating: "x", count: padding + 1) + "\r\n\r\n"
    #expect(ParsedResponse(tooLong).error == .headTooLarge)
    #expect(ParsedResponse(Array(tooLong.utf8.prefix(Limits.responseHead))).error == .headTooLarge)
    let fields = (0..<Limits.headerCount).map { "X-\($0): y\r\n" }.joined()
    #expect(ParsedResponse("HTTP/1.1 200 OK\r\n\(fields)\r\n").error == nil)
    #expect(ParsedResponse("HTTP/1.1 200 OK\r\n\(fields)X: y\r\n").error == .tooManyFields)
  }
}
