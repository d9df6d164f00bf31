// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

/// A head that must be refused, why, and where the RFC says so.
struct Malformed: Sendable, CustomTestStringConvertible {
  var text: String
  var error: HeadError
  var section: String

  init(_ text: String, _ error: HeadError, _ section: String) {
    (self.text, self.error, self.section) = (text, error, section)
  }

  /// One field after a valid request line and Host.
  static func field(_ lines: String, _ error: HeadError, _ section: String) -> Malformed {
    Malformed("GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n\r\n", error, section)
  }

  static func target(_ target: String, _ error: HeadError, _ section: String) -> Malformed {
    Malformed("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n", error, section)
  }

  static func host(_ host: String, _ section: String = "RFC 9110 §7.2") -> Malformed {
    Malformed("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n", .badHost, section)
  }

  var testDescription: String { "\(text.debugDescription) (\(section))" }
}

@Suite struct MalformedRequestTests {
  static let requestLines: [Malformed] = [
    Malformed("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", .badRequestLine, "RFC 9112 §2.2"),
    Malformed("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", .bareLineFeed, "RFC 9112 §2.2"),
    Malformed(" GET / HTTP/1.1\r\nHost: a\r\n\r\n", .badRequestLine, "RFC 9112 §3"),
    Malformed("\tGET / HTTP/1.1\r\nHost: a\r\n\r\n", .badMethod, "RFC 9112 §3"),
    Malformed("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", .badMethod, "RFC 9112 §3"),
    Malformed("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", .badRequestLine, "RFC 9112 §3"),
    Malformed("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", .badVersion, "RFC 9112 §3"),
    Malformed("GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", .badTarget, "RFC 9112 §3"),
    Malformed("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", .badRequestLine, "RFC 9112 §3"),
    Malformed("GET / HTTP/1.1\t\r\nHost: a\r\n\r\n", .badRequestLine, "RFC 9112 §3"),
    Malformed("GET / HTTP/1.1\nHost: a\r\n\r\n", .bareLineFeed, "RFC 9112 §2.2"),
    Malformed("GET / HTTP/1.1\rHost: a\r\n\r\n", .badRequestLine, "RFC 9112 §2.2"),
    Malformed("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", .badRequestLine, "RFC 9112 §2.2"),
    Malformed("GET\r\n\r\n", .badRequestLine, "RFC 9112 §3"),
    Malformed("GET\n", .bareLineFeed, "RFC 9112 §2.2"),
    Malformed("GET \r\n\r\n", .badRequestLine, "RFC 9112 §3"),
    Malformed("GET \n", .bareLineFeed, "RFC 9112 §2.2"),
    Malformed("GET /\r\n\r\n", .badRequestLine, "RFC 9112 §3"),
    Malformed("GET /\n", .bareLineFeed, "RFC 9112 §2.2"),
    Malformed("GET / \r\n\r\n", .badVersion, "RFC 9112 §3"),
    Malformed("GET / \n", .bareLineFeed, "RFC 9112 §2.2"),
    Malformed("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", .badVersion, "RFC 9112 §3"),
    Malformed("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", .badMethod, "RFC 9110 §5.6.2"),
    Malformed("G\u{e9}T / HTTP/1.1\r\nHost: a\r\n\r\n", .badMethod, "RFC 9110 §5.6.2"),
    Malformed("GET: / HTTP/1.1\r\nHost: a\r\n\r\n", .badMethod, "RFC 9110 §5.6.2"),
    Malformed("/ HTTP/1.1\r\nHost: a\r\n\r\n", .badMethod, "RFC 9112 §3"),
    Malformed("\u{16}\u{3}\u{1}\0", .badMethod, "RFC 9110 §5.6.2"),
    Malformed("{\"a\": 1}", .badMethod, "RFC 9110 §5.6.2"),
    Malformed("GET / http/1.1\r\nHost: a\r\n\r\n", .badVersion, "RFC 9112 §2.3"),
    Malformed("GET / HTTP/1\r\nHost: a\r\n\r\n", .badVersion, "RFC 9112 §2.3"),
    Malformed("GET / HTTP/1.\r\nHost: a\r\n\r\n", .badVersion, "RFC 9112 §2.3"),
    Malformed("GET / HTTP/.1\r\nHost: a\r\n\r\n", .badVersion, "RFC 9112 §2.3"),
    Malformed("GET / HTTP/1.10\r\nHost: a\r\n\r\n", .badVersion, "RFC 9112 §2.3"),
    Malformed("GET / HTTP/11.1\r\nHost: a\r\n\r\n", .badVersion, "RFC 9112 §2.3"),
    Malformed("GET / HTTP/1,1\r\nHost: a\r\n\r\n", .badVersion, "RFC 9112 §2.3"),
    Malformed("GET / HTTP/a.1\r\nHost: a\r\n\r\n", .badVersion, "RFC 9112 §2.3"),
    Malformed("GET / HTTP/1.a\r\nHost: a\r\n\r\n", .badVersion, "RFC 9112 §2.3"),
    Malformed("GET / HTTPS/1.1\r\nHost: a\r\n\r\n", .badVersion, "RFC 9112 §2.3"),
    Malformed("GET / ICY\r\n\r\n", .badVersion, "RFC 9112 §2.3"),
    Malformed("GET / HTTP/2.0\r\n\r\n", .unsupportedVersion, "RFC 9110 §2.5"),
    Malformed("GET / HTTP/0.9\r\n\r\n", .unsupportedVersion, "RFC 9110 §2.5"),
    Malformed("GET / HTTP/3.0\r\nHost: a\r\n\r\n", .unsupportedVersion, "RFC 9110 §2.5"),
    Malformed("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .unsupportedVersion, "RFC 9110 §2.5"),
  ]

  static let targets: [Malformed] = [
    .target("a", .badTarget, "RFC 9112 §3.2"),
    .target("?a", .badTarget, "RFC 9112 §3.2.1"),
    .target("*", .badTarget, "RFC 9112 §3.2.4"),
    .target("*/", .badTarget, "RFC 9112 §3.2.4"),
    .target("www.example.com", .badTarget, "RFC 9112 §3.2.3"),
    .target("www.example.com:80", .badTarget, "RFC 9112 §3.2.3"),
    .target("/a#b", .badTarget, "RFC 9112 §3.2"),
    .target("/a?b#c", .badTarget, "RFC 9112 §3.2"),
    .target("#", .badTarget, "RFC 9112 §3.2"),
    .target("/a\u{7f}", .badTarget, "RFC 3986 §2"),
    .target("/a\0b", .badTarget, "RFC 3986 §2"),
    .target("/a\u{1}", .badTarget, "RFC 3986 §2"),
    .target("/caf\u{e9}", .badTarget, "RFC 3986 §2"),
    .target("/a?caf\u{e9}", .badTarget, "RFC 3986 §2"),
    .target("http:", .badTarget, "RFC 9112 §3.2.2"),
    .target("http:/", .badTarget, "RFC 9112 §3.2.2"),
    .target("http:/a", .badTarget, "RFC 9112 §3.2.2"),
    .target("http://", .badTarget, "RFC 9110 §4.2.1"),
    .target("http:///a", .badTarget, "RFC 9110 §4.2.1"),
    .target("http://?a", .badTarget, "RFC 9110 §4.2.1"),
    .target("http://:80/", .badTarget, "RFC 9110 §4.2.1"),
    .target("http://user@a/", .badTarget, "RFC 9110 §4.2.4"),
    .target("http://user:password@a/", .badTarget, "RFC 9110 §4.2.4"),
    .target("http://a:b/", .badTarget, "RFC 3986 §3.2.3"),
    .target("http://a:65536/", .badTarget, "RFC 3986 §3.2.3"),
    .target("http://[::1/", .badTarget, "RFC 3986 §3.2.2"),
    .target("https:///", .badTarget, "RFC 9110 §4.2.2"),
    .target("ftp://a/", .badTarget, "RFC 9112 §3.2.2"),
    .target("httpx://a/", .badTarget, "RFC 9112 §3.2.2"),
    .target("ws://a/", .badTarget, "RFC 9112 §3.2.2"),
    .target("mailto:a@b", .badTarget, "RFC 9112 §3.2.2"),
    Malformed("POST * HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget, "RFC 9112 §3.2.4"),
    Malformed("OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget, "RFC 9112 §3.2.4"),
    Malformed("OPTIONS *?a HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget, "RFC 9112 §3.2.4"),
    Malformed("CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget, "RFC 9112 §3.2.3"),
    Malformed("CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget, "RFC 9110 §9.3.6"),
    Malformed("CONNECT a: HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget, "RFC 9110 §9.3.6"),
    Malformed("CONNECT :80 HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget, "RFC 9110 §9.3.6"),
    Malformed("CONNECT a:80/x HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget, "RFC 9112 §3.2.3"),
    Malformed("CONNECT a:80?x HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget, "RFC 9112 §3.2.3"),
    Malformed("CONNECT http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget, "RFC 9112 §3.2.3"),
    Malformed("CONNECT u@a:80 HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget, "RFC 9112 §3.2.3"),
  ]

  static let fields: [Malformed] = [
    .field("Name : a", .badFieldName, "RFC 9112 §5.1"),
    .field("Name\t: a", .badFieldName, "RFC 9112 §5.1"),
    .field("Transfer-Encoding : chunked", .badFieldName, "RFC 9112 §5.1"),
    .field("Content-Length : 5", .badFieldName, "RFC 9112 §5.1"),
    .field(": a", .badFieldName, "RFC 9112 §5"),
    .field(":", .badFieldName, "RFC 9112 §5"),
    .field("Name", .badFieldName, "RFC 9112 §5"),
    .field("Name a", .badFieldName, "RFC 9112 §5"),
    .field("Na me: a", .badFieldName, "RFC 9110 §5.1"),
    .field("Na(me: a", .badFieldName, "RFC 9110 §5.1"),
    .field("Na\"me: a", .badFieldName, "RFC 9110 §5.1"),
    .field("Na\u{e9}me: a", .badFieldName, "RFC 9110 §5.1"),
    .field("Na\0me: a", .badFieldName, "RFC 9110 §5.1"),
    .field("Name\u{7f}: a", .badFieldName, "RFC 9110 §5.1"),
    .field("@: a", .badFieldName, "RFC 9110 §5.1"),
    .field("[Host]: a", .badFieldName, "RFC 9110 §5.1"),
    .field("A-Name-Of-More-Than-Two-Vectors-And-Then@: a", .badFieldName, "RFC 9110 §5.1"),
    .field(" folded", .obsoleteFolding, "RFC 9112 §5.2"),
    .field("\tfolded", .obsoleteFolding, "RFC 9112 §5.2"),
    .field("Name: a\r\n b", .obsoleteFolding, "RFC 9112 §5.2"),
    .field("Name: a\r\n\tb", .obsoleteFolding, "RFC 9112 §5.2"),
    .field("Name: a\r\n \r\nOther: b", .obsoleteFolding, "RFC 9112 §5.2"),
    .field("Name:\r\n a", .obsoleteFolding, "RFC 9112 §5.2"),
    Malformed("GET / HTTP/1.1\r\n Host: a\r\n\r\n", .badFieldName, "RFC 9112 §2.2"),
    Malformed("GET / HTTP/1.1\r\n\tHost: a\r\n\r\n", .badFieldName, "RFC 9112 §2.2"),
    .field("Name: a\nOther: b", .bareLineFeed, "RFC 9112 §2.2"),
    .field("Name: a\n", .bareLineFeed, "RFC 9112 §2.2"),
    .field("Name:\n", .bareLineFeed, "RFC 9112 §2.2"),
    .field("Name\n", .bareLineFeed, "RFC 9112 §2.2"),
    .field("\n", .bareLineFeed, "RFC 9112 §2.2"),
    Malformed("GET / HTTP/1.1\r\nHost: a\r\n\n", .bareLineFeed, "RFC 9112 §2.2"),
    Malformed("GET / HTTP/1.1\r\nHost: a\n\n", .bareLineFeed, "RFC 9112 §2.2"),
    Malformed("GET / HTTP/1.1\r\nHost: a\n\r\n", .bareLineFeed, "RFC 9112 §2.2"),
    Malformed("GET / HTTP/1.1\r\nHost: a\r\n\r\r\n", .badFieldName, "RFC 9112 §2.2"),
    Malformed("GET / HTTP/1.1\r\nHost: a\r\n\rX", .badFieldName, "RFC 9112 §2.2"),
    .field("Name: a\rb", .badFieldValue, "RFC 9110 §5.5"),
    .field("Name: a\r", .badFieldValue, "RFC 9110 §5.5"),
    .field("Name: a\r\r\nOther: b", .badFieldValue, "RFC 9110 §5.5"),
    .field("Name: a\0b", .badFieldValue, "RFC 9110 §5.5"),
    .field("Name: \0", .badFieldValue, "RFC 9110 §5.5"),
    .field("Name: a\u{1}", .badFieldValue, "RFC 9110 §5.5"),
    .field("Name: a\u{b}b", .badFieldValue, "RFC 9110 §5.5"),
    .field("Name: a\u{c}b", .badFieldValue, "RFC 9110 §5.5"),
    .field("Name: a\u{1b}[2J", .badFieldValue, "RFC 9110 §5.5"),
    .field("Name: a\u{7f}", .badFieldValue, "RFC 9110 §5.5"),
    .field("Name: a value of some length with a null \0 in it", .badFieldValue, "RFC 9110 §5.5"),
  ]

  static let hosts: [Malformed] = [
    Malformed("GET / HTTP/1.1\r\n\r\n", .missingHost, "RFC 9112 §3.2"),
    Malformed("GET http://a/ HTTP/1.1\r\n\r\n", .missingHost, "RFC 9112 §3.2"),
    Malformed("GET / HTTP/1.1\r\nHost2: a\r\n\r\n", .missingHost, "RFC 9112 §3.2"),
    Malformed("GET / HTTP/1.9\r\n\r\n", .missingHost, "RFC 9112 §3.2"),
    .field("Host: b", .repeatedHost, "RFC 9112 §3.2"),
    .field("Host: a", .repeatedHost, "RFC 9112 §3.2"),
    .field("host:", .repeatedHost, "RFC 9112 §3.2"),
    Malformed("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", .repeatedHost, "RFC 9112 §3.2"),
    Malformed(
      "GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", .repeatedHost, "RFC 9112 §3.2"),
    .host("", "RFC 9110 §4.2.1"), .host(" "), .host("\t"),
    Malformed("GET / HTTP/1.0\r\nHost:\r\n\r\n", .badHost, "RFC 9110 §4.2.1"),
    .host("a b"), .host("a, b"), .host("a/b"), .host("a/"), .host("/"), .host("http://a"),
    .host("a?b"), .host("a#b"), .host("user@a"), .host("a\\b"), .host("a\"b"), .host("<a>"),
    .host("a|b"), .host("a^b"), .host("{a}"), .host("`a`"), .host("\u{e9}"), .host("a\tb"),
    .host(":80"), .host(":"), .host("a:b"), .host("a:80b"), .host("a:-1"), .host("a:65536"),
    .host("a:99999999999999999999"), .host("a:80:80"), .host("a::"), .host("::1"),
    .host("%"), .host("a%2"), .host("a%zz"), .host("[]"), .host("["), .host("[::1"), .host("]"),
    .host("[::1]x"), .host("[::1]80"), .host("[::1]:x"), .host("[1]"), .host("[1:2:3:4:5:6:7]"),
    .host("[1:2:3:4:5:6:7:8:9]"), .host("[1::2::3]"), .host("[::12345]"), .host("[:1:2:3:4:5:6:7]"),
    .host("[1:2:3:4:5:6:7:]"), .host("[1:2:3:4:5:6:7:8::]"), .host("[:::]"), .host("[::g]"),
    .host("[::1.2.3]"), .host("[::1.2.3.256]"), .host("[::1.2.3.04]"), .host("[1.2.3.4]"),
    .host("[1:2:3:4:5:6:7:1.2.3.4]"), .host("[::1%25eth0]"), .host("[v1.a]"),
    .host("a.name.that.is.longer.than.sixteen.bytes/"),
  ]

  static let framings: [Malformed] = [
    .field("Content-Length:", .badContentLength, "RFC 9110 §8.6"),
    .field("Content-Length: -1", .badContentLength, "RFC 9110 §8.6"),
    .field("Content-Length: +1", .badContentLength, "RFC 9110 §8.6"),
    .field("Content-Length: 1 1", .badContentLength, "RFC 9110 §8.6"),
    .field("Content-Length: 0x10", .badContentLength, "RFC 9110 §8.6"),
    .field("Content-Length: 1.0", .badContentLength, "RFC 9110 §8.6"),
    .field("Content-Length: 1e3", .badContentLength, "RFC 9110 §8.6"),
    .field("Content-Length: 1_000", .badContentLength, "RFC 9110 §8.6"),
    .field("Content-Length: five", .badContentLength, "RFC 9110 §8.6"),
    .field("Content-Length: \"5\"", .badContentLength, "RFC 9110 §8.6"),
    .field("Content-Length: 5;", .badContentLength, "RFC 9110 §8.6"),
    .field("Content-Length: ,5", .badContentLength, "RFC 9110 §8.6"),
    .field("Content-Length: 5, 5", .badContentLength, "RFC 9110 §8.6"),
    .field("Content-Length: 5, 6", .badContentLength, "RFC 9112 §6.3"),
    .field("Content-Length: 9223372036854775808", .badContentLength, "RFC 9110 §8.6"),
    .field("Content-Length: 18446744073709551615", .badContentLength, "RFC 9110 §8.6"),
    .field("Content-Length: 18446744073709551616", .badContentLength, "RFC 9110 §8.6"),
    .field("Content-Length: 99999999999999999999999999", .badContentLength, "RFC 9110 §8.6"),
    .field("Content-Length: 5\r\nContent-Length: 6", .ambiguousFraming, "RFC 9112 §6.3"),
    .field("Content-Length: 5\r\nContent-Length: 5", .ambiguousFraming, "RFC 9112 §6.3"),
    .field("Content-Length: 5\r\ncontent-length: 0", .ambiguousFraming, "RFC 9112 §6.3"),
    .field("Content-Length: 5\r\nTransfer-Encoding: chunked", .ambiguousFraming, "RFC 9112 §6.3"),
    .field("Transfer-Encoding: chunked\r\nContent-Length: 0", .ambiguousFraming, "RFC 9112 §6.3"),
    .field("Transfer-Encoding: x\r\nContent-Length: 0", .ambiguousFraming, "RFC 9112 §6.3"),
    .field("Transfer-Encoding:", .badTransferEncoding, "RFC 9112 §6.1"),
    .field("Transfer-Encoding: ,", .badTransferEncoding, "RFC 9112 §6.1"),
    .field("Transfer-Encoding: ,chunked", .badTransferEncoding, "RFC 9112 §6.1"),
    .field("Transfer-Encoding: chunked,", .badTransferEncoding, "RFC 9112 §6.1"),
    .field("Transfer-Encoding: chunked, chunked", .badTransferEncoding, "RFC 9112 §6.1"),
    .field(
      "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", .badTransferEncoding,
      "RFC 9112 §6.1"),
    .field(
      "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", .badTransferEncoding,
      "RFC 9112 §6.3"),
    .field("Transfer-Encoding: chunked, gzip", .badTransferEncoding, "RFC 9112 §6.3"),
    .field("Transfer-Encoding: chunked;a=b", .badTransferEncoding, "RFC 9112 §7.1"),
    .field("Transfer-Encoding: chunked foo", .badTransferEncoding, "RFC 9112 §7"),
    .field("Transfer-Encoding: \"chunked\"", .badTransferEncoding, "RFC 9112 §7"),
    .field("Transfer-Encoding: gzip, chunked", .unsupportedTransferCoding, "RFC 9112 §6.1"),
    .field(
      "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", .unsupportedTransferCoding,
      "RFC 9112 §6.1"),
    .field("Transfer-Encoding: gzip", .unsupportedTransferCoding, "RFC 9112 §6.1"),
    .field("Transfer-Encoding: identity", .unsupportedTransferCoding, "RFC 9112 §6.1"),
    .field("Transfer-Encoding: xchunked", .unsupportedTransferCoding, "RFC 9112 §6.1"),
    .field("Transfer-Encoding: chunkedx", .unsupportedTransferCoding, "RFC 9112 §6.1"),
    .field("Transfer-Encoding: x;a=\"chunked\"", .unsupportedTransferCoding, "RFC 9112 §6.1"),
    Malformed(
      "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", .badTransferEncoding,
      "RFC 9112 §6.1"),
    .field("Expect: 200-ok", .unsupportedExpectation, "RFC 9110 §10.1.1"),
    .field("Expect: 100-continue, x", .unsupportedExpectation, "RFC 9110 §10.1.1"),
    .field("Expect: 100-continue;a", .unsupportedExpectation, "RFC 9110 §10.1.1"),
    .field("Expect: 100-continue\r\nExpect: x", .unsupportedExpectation, "RFC 9110 §10.1.1"),
  ]

  @Test(arguments: requestLines)
  func `a malformed request line is refused`(head: Malformed) { refuse(head) }

  @Test(arguments: targets)
  func `a malformed target is refused`(head: Malformed) { refuse(head) }

  @Test(arguments: fields)
  func `a malformed field line is refused`(head: Malformed) { refuse(head) }

  @Test(arguments: hosts)
  func `a missing, repeated or malformed Host is refused`(head: Malformed) { refuse(head) }

  @Test(arguments: framings)
  func `ambiguous or unknown framing is refused`(head: Malformed) { refuse(head) }

  private func refuse(_ head: Malformed) {
    #expect(ParsedRequest(head.text).error == head.error, "\(head.section)")
    // Whatever part of it has arrived, it is never taken for a whole head or another fault.
    let bytes = Array(head.text.utf8)
    for count in 1..<bytes.count {
      let result = ParsedRequest(Array(bytes[..<count])).result
      #expect(result == .incomplete || result == .failure(head.error), "\(count) bytes")
    }
    // Behind many bytes the vector scanners see it at other positions.
    for length in 0..<36 where head.text.contains("HTTP/1.1\r\nHost: ") {
      let moved = head.text.replacing(
        "HTTP/1.1\r\n", with: "HTTP/1.1\r\nX: " + String(repeating: "x", count: length) + "\r\n",
        maxReplacements: 1)
      #expect(ParsedRequest(moved).error == head.error)
    }
  }

  @Test func `each error has the status that a viewer is told`() {
    #expect(HeadError.targetTooLong.status == 414)
    #expect(HeadError.unsupportedExpectation.status == 417)
    #expect(HeadError.headTooLarge.status == 431)
    #expect(HeadError.tooManyFields.status == 431)
    #expect(HeadError.unsupportedTransferCoding.status == 501)
    #expect(HeadError.unsupportedVersion.status == 505)
    #expect(HeadError.ambiguousFraming.status == 400)
  }

  @Test(arguments: [
    "a", "A.example", "a.example:80", "a:0", "a:65535", "a:", "127.0.0.1", "127.0.0.1:8080",
    "a_b~c", "a!$&'()*+,;=b", "%41b", "xn--caf-dma.example", "a.", "-", "[::1]", "[::]:443",
    "[::1]:",
    "[1:2:3:4:5:6:7:8]", "[1::8]", "[1:2:3:4:5:6:7::]", "[::2:3:4:5:6:7:8]", "[fe80::ABcd]",
    "[::ffff:192.0.2.1]", "[1:2:3:4:5:6:192.0.2.1]", "[::0.0.0.0]",
    "a.name.that.is.longer.than.sixteen.bytes.example:8080",
  ])
  func `a valid Host passes`(host: String) {
    // RFC 9110 §7.2, RFC 3986 §3.2.2
    let request = ParsedRequest("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
    #expect(request.error == nil)
    #expect(request.authority == host)
  }
}
