// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

/// Requests of HTTP/2 as heads of HTTP/1.1.
struct HTTP2RequestTextTests {
  typealias Fields = [(String, String)]
  private static let get: Fields = [
    (":method", "GET"), (":scheme", "https"), (":authority", "a.example"), (":path", "/x?y"),
  ]

  private func write(_ fields: Fields, hasBody: Bool = false) -> (String, HTTP2RequestFault?) {
    let text = HTTP2RequestText(head: RequestHead())
    text.begin()
    for (name, value) in fields { #expect(Self.add(name, value, to: text)) }
    let fault = text.finish(hasBody: hasBody)
    return (String(decoding: text.text.bytes, as: UTF8.self), fault)
  }

  private static func add(_ name: String, _ value: String, to text: HTTP2RequestText) -> Bool {
    let line = Array("\(name): \(value)\r\n".utf8)
    return line.withUnsafeBufferPointer {
      text.add(
        HeaderLine(
          text: $0.baseAddress!, nameCount: name.utf8.count, valueCount: value.utf8.count))
    }
  }

  @Test(arguments: [
    (get, false, "GET /x?y HTTP/1.1\r\nhost: a.example\r\n\r\n"),
    (
      get + [("accept", "*/*"), ("x", "")], false,
      "GET /x?y HTTP/1.1\r\nhost: a.example\r\naccept: */*\r\nx: \r\n\r\n"
    ),
    (
      get + [("cookie", "a=1"), ("x", "1"), ("cookie", "b=2")], false,
      "GET /x?y HTTP/1.1\r\nhost: a.example\r\nx: 1\r\ncookie: a=1; b=2\r\n\r\n"
    ),
    (get + [("host", "A.example")], false, "GET /x?y HTTP/1.1\r\nhost: a.example\r\n\r\n"),
    (
      [(":path", "*"), (":method", "OPTIONS"), (":scheme", "http"), ("host", "b")], false,
      "OPTIONS * HTTP/1.1\r\nhost: b\r\n\r\n"
    ),
    (
      get, true, "GET /x?y HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n"
    ),
    (
      get + [("content-length", "3")], true,
      "GET /x?y HTTP/1.1\r\nhost: a.example\r\ncontent-length: 3\r\n\r\n"
    ),
    (
      [(":method", "CONNECT"), (":authority", "b:443")], true,
      "CONNECT b:443 HTTP/1.1\r\nhost: b:443\r\ntransfer-encoding: chunked\r\n\r\n"
    ),
  ])
  func `a request has one text`(_ fields: Fields, hasBody: Bool, text: String) {
    let (written, fault) = write(fields, hasBody: hasBody)
    #expect(fault == nil)
    #expect(written == text)
  }

  @Test(arguments: [
    get + [(":path", "/")], [("x", "1")] + get, get.filter { $0.0 != ":path" },
    get + [("host", "b.example")], get + [("x", "1\r\ny: 2")], get + [("x\r\ny", "1")],
    [(":method", "GET /z HTTP/1.1\r\nx:")] + get.dropFirst(),
    [(":path", "/ HTTP/1.1\r\nx: 1")] + get.dropLast(), [(":other", "1")] + get,
    get + [("", "1")], get + [("x", "\0")],
    [(":method", "CONNECT"), (":authority", "b")],
    [(":method", "GET"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/")],
    [(":method", "CONNECT"), (":protocol", "websocket"), (":authority", "a")],
  ])
  func `what would be no request over HTTP/1.1 is none`(_ fields: Fields) {
    #expect(write(fields).1 == .malformed)
  }

  @Test func `limits are those of any head`() {
    let long = String(repeating: "a", count: 9_000)
    #expect(write(Self.get.dropLast() + [(":path", "/" + long)]).1 == .refused(.targetTooLong))
    #expect(write(Self.get + [("x", long), ("y", long), ("z", long)]).1 == .refused(.headTooLarge))
    #expect(
      write(Self.get + (0..<200).map { ("x-\($0)", "1") }).1 == .refused(.tooManyFields))
    #expect(
      write(Self.get + (0..<8).map { _ in ("cookie", String(long.prefix(4_000))) }).1
        == .refused(.headTooLarge))
  }

  @Test func `a list that grows without end is noticed`() {
    let text = HTTP2RequestText(head: RequestHead())
    text.begin()
    let value = String(repeating: "a", count: 4_000)
    var count = 0
    while Self.add("x", value, to: text) { count += 1 }
    #expect(count == 20)
    text.begin()
    #expect(Self.add("x", value, to: text))
  }

  @Test func `WebSocket is asked for as in HTTP/1.1`() {
    let connect: Fields = [
      (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"),
      (":path", "/chat"), (":authority", "a"), ("sec-websocket-version", "13"),
    ]
    let (text, fault) = write(connect, hasBody: true)
    #expect(fault == nil)
    #expect(text.hasPrefix("GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\n"))
    #expect(text.contains("upgrade: websocket\r\nsec-websocket-key: "))
    #expect(!text.contains("transfer-encoding"))
    let other = connect.map { $0.0 == ":protocol" ? ($0.0, "connect-udp") : $0 }
    #expect(write(other, hasBody: true).1 == .unknownProtocol)
    // RFC 6455 §1.3.
    #expect(webSocketAccept(for: "dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
  }
}
