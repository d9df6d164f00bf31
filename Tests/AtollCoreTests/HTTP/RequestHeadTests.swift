// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

@Suite struct RequestHeadTests {
  @Test func `a browser's head is taken apart`() {
    let request = ParsedRequest(browserHead)
    #expect(request.result == .complete(length: browserHead.utf8.count))
    #expect(request.head.method == .get)
    #expect(request.method == "GET")
    #expect(request.path == "/assets/images/gallery/header-photo-large.jpg")
    #expect(request.query == "v=20240117")
    #expect(request.authority == "www.example.com")
    #expect(request.head.minorVersion == 1)
    #expect(request.head.keepsAlive)
    #expect(request.head.framing == .none)
    let lines = browserHead.split(separator: "\r\n", omittingEmptySubsequences: true).dropFirst()
    #expect(
      request.fields
        == lines.map { line in
          let colon = line.firstIndex(of: ":")!
          return line[..<colon] + "|" + line[line.index(colon, offsetBy: 2)...]
        })
    #expect(request.head.fields.contains(.userAgent))
    #expect(!request.head.fields.contains(.range))
    #expect(!request.head.fields.contains(.other))
  }

  static let heads: [String] = [
    browserHead,
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "A / HTTP/1.0\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a:1\r\n\r\n",
    "GET http://a.example/x?y HTTP/1.1\r\nhost:\r\n\r\n",
    "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
    "POST /u HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n",
    "POST /u HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX: \t y\tz\u{e9} \t \r\nE:\r\n\r\n",
    "M-SEARCH /u?? HTTP/1.1\r\nX_Underscored.Name1: a\r\n"
      + "A-Very-Long-Name-That-Is-Beyond-Two-Vectors-In-Length: b\r\nHost: [::1]:80\r\n\r\n",
    "GET / HTTP/1.0\r\nConnection: keep-alive\r\n"
      + "Proxy-Authorization: a value that is longer than sixteen bytes, by far  \r\n\r\n",
  ]

  @Test(arguments: heads)
  func `every truncation is incomplete, the whole is complete`(text: String) {
    let bytes = Array(text.utf8)
    for count in 1..<bytes.count {
      let result = ParsedRequest(Array(bytes[..<count])).result
      #expect(result == .incomplete, "\(count) bytes")
    }
    let whole = ParsedRequest(bytes)
    #expect(whole.result == .complete(length: bytes.count))
    // What follows a head changes nothing about it.
    for rest in ["\r\n", "\n", "G", "GET / HTTP/1.1\r\nHost: b\r\n\r\n", "\0\0\0\0"] {
      #expect(ParsedRequest(bytes + Array(rest.utf8)) == whole)
    }
  }

  @Test(arguments: heads)
  func `the end of a head is found once all of it has arrived`(text: String) {
    withExactCopy(Array(text.utf8)) { base, count in
      for arrived in 0..<count {
        #expect(RequestHead.findHeadEnd(base, arrived, from: 0) == nil)
        #expect(RequestHead.findHeadEnd(base, count, from: arrived) == count)
      }
    }
  }

  @Test func `a bare line feed ends the search for the end of a head`() {
    withExactCopy(Array("GET / HTTP/1.1\r\nHost: a\n\n".utf8)) { base, count in
      #expect(RequestHead.findHeadEnd(base, count - 2, from: 0) == nil)
      #expect(RequestHead.findHeadEnd(base, count, from: count - 2) == count - 1)
    }
    withExactCopy(Array("\n".utf8)) { #expect(RequestHead.findHeadEnd($0, $1, from: 0) == 1) }
    withExactCopy(Array("\r\n".utf8)) { #expect(RequestHead.findHeadEnd($0, $1, from: 1) == 2) }
  }

  @Test(arguments: [
    ("", 0), ("\r", 0), ("\r\n", 2), ("\r\n\r", 2), ("\r\n\r\n", 4), ("\r\n\r\n\r\n", 4),
    ("GET", 0), ("\n\r\n", 0), ("\r\nGET", 2),
  ])
  func `at most two empty lines may precede a request line`(text: String, skipped: Int) {
    withExactCopy(Array(text.utf8)) {
      #expect(RequestHead.leadingEmptyLines($0, $1) == skipped)
    }
  }

  @Test(arguments: [
    ("GET", AtollCore.Method.get), ("HEAD", .head), ("OPTIONS", .options), ("POST", .post),
    ("PUT", .put), ("PATCH", .patch), ("DELETE", .delete), ("TRACE", .trace),
    ("get", .other), ("GETS", .other), ("PURGE", .other), ("G", .other),
    ("!#$%&'*+-.^_`|~", .other),
  ])
  func `methods are known by their exact name`(name: String, method: AtollCore.Method) {
    let request = ParsedRequest("\(name) / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(request.head.method == method)
    #expect(request.method == name)
  }

  struct Form: Sendable {
    var line: String
    var path: String
    var query: String?
    var authority: String
    init(_ line: String, _ path: String, _ query: String?, _ authority: String) {
      (self.line, self.path, self.query, self.authority) = (line, path, query, authority)
    }
  }

  // RFC 9112 §3.2
  @Test(arguments: [
    Form("GET /", "/", nil, "host.example:8080"),
    Form("GET /a/b", "/a/b", nil, "host.example:8080"),
    Form("GET //a", "//a", nil, "host.example:8080"),
    Form("GET /?", "/", "", "host.example:8080"),
    Form("GET /a?b=c&d", "/a", "b=c&d", "host.example:8080"),
    Form("GET /a?b?c", "/a", "b?c", "host.example:8080"),
    Form(
      "GET /" + String(repeating: "a", count: 60) + "?x", "/" + String(repeating: "a", count: 60),
      "x", "host.example:8080"),
    Form("GET /%00%zz\"<>\\^`{|}", "/%00%zz\"<>\\^`{|}", nil, "host.example:8080"),
    Form("GET http://other.example", "", nil, "other.example"),
    Form("GET http://other.example/", "/", nil, "other.example"),
    Form("GET HTTP://other.example:81/a?b", "/a", "b", "other.example:81"),
    Form("GET hTTps://other.example?b", "", "b", "other.example"),
    Form("GET http://[::1]:80/a", "/a", nil, "[::1]:80"),
    Form("GET http://h?a/b", "", "a/b", "h"),
    Form("OPTIONS *", "*", nil, "host.example:8080"),
    Form("CONNECT other.example:443", "", nil, "other.example:443"),
    Form("CONNECT [::1]:443", "", nil, "[::1]:443"),
  ])
  func `each form of target gives path, query and authority`(form: Form) {
    let request = ParsedRequest("\(form.line) HTTP/1.1\r\nHost: host.example:8080\r\n\r\n")
    #expect(request.result != .incomplete)
    #expect(request.error == nil)
    #expect(request.path == form.path)
    #expect(request.query == form.query)
    #expect(request.authority == form.authority)
  }

  @Test(arguments: [
    ("1.0", "", false), ("1.1", "", true), ("1.9", "", true),
    ("1.1", "Connection: close", false), ("1.1", "Connection: CLOSE", false),
    ("1.0", "Connection: keep-alive", true), ("1.0", "Connection: Keep-Alive", true),
    ("1.0", "Connection: keep-alive, close", false), ("1.1", "Connection: x, close", false),
    ("1.1", "Connection: keep-alive\r\nConnection: close", false),
    ("1.1", "Connection: closed", true), ("1.0", "Connection: keep-alive2", false),
    ("1.1", "Connection:", true), ("1.0", "Proxy-Connection: keep-alive", false),
  ])
  func `persistence follows version and Connection`(
    version: String, field: String, keepsAlive: Bool
  ) {
    // RFC 9112 §9.3
    let line = field.isEmpty ? "" : field + "\r\n"
    let request = ParsedRequest("GET / HTTP/\(version)\r\nHost: a\r\n\(line)\r\n")
    #expect(request.error == nil)
    #expect(request.head.keepsAlive == keepsAlive)
    #expect(request.head.minorVersion == (version == "1.0" ? 0 : 1))
  }

  @Test(arguments: [
    ("keep-alive", false), ("close, TE, Trailer, Upgrade, Transfer-Encoding", false),
    ("X-Custom", true), ("keep-alive, x-custom", true), ("Proxy-Connection", false),
  ])
  func `Connection that names other fields is marked`(options: String, lists: Bool) {
    let request = ParsedRequest("GET / HTTP/1.1\r\nHost: a\r\nConnection: \(options)\r\n\r\n")
    #expect(request.head.connectionListsFields == lists)
  }

  @Test func `an upgrade needs both fields and HTTP 1_1`() {
    func asks(_ version: String, _ fields: String) -> Bool {
      ParsedRequest("GET / HTTP/\(version)\r\nHost: a\r\n\(fields)\r\n").head.asksUpgrade
    }
    #expect(asks("1.1", "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"))
    #expect(!asks("1.1", "Connection: Upgrade\r\n"))
    #expect(!asks("1.1", "Upgrade: websocket\r\n"))
    #expect(!asks("1.0", "Connection: Upgrade\r\nUpgrade: websocket\r\n"))
  }

  @Test(arguments: [
    ("", BodyFraming.none), ("Content-Length: 0\r\n", .length(0)),
    ("Content-Length: 0012\r\n", .length(12)),
    ("Content-Length:\t9223372036854775807 \r\n", .length(9_223_372_036_854_775_807)),
    ("Transfer-Encoding: chunked\r\n", .chunked), ("transfer-encoding:ChunKed\r\n", .chunked),
  ])
  func `framing fields say how long the body is`(fields: String, framing: BodyFraming) {
    // RFC 9112 §6.3
    let request = ParsedRequest("POST / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
    #expect(request.error == nil)
    #expect(request.head.framing == framing)
  }

  @Test(arguments: [
    ("1.1", "Expect: 100-continue\r\n", true), ("1.1", "Expect: 100-Continue\r\n", true),
    ("1.1", "Expect: \r\n", false), ("1.0", "Expect: 100-continue\r\n", false),
    ("1.0", "Expect: nothing\r\n", false), ("1.1", "", false),
  ])
  func `only HTTP 1_1 can expect 100-continue`(version: String, field: String, expects: Bool) {
    // RFC 9110 §10.1.1
    let request = ParsedRequest("POST / HTTP/\(version)\r\nHost: a\r\n\(field)\r\n")
    #expect(request.error == nil)
    #expect(request.head.expectsContinue == expects)
  }

  @Test func `nothing of the request before is left`() {
    let head = RequestHead()
    let rich =
      "POST /a?b HTTP/1.1\r\nHost: a\r\nHost2: b\r\nConnection: close, x, upgrade\r\nUpgrade: w\r\n"
      + "Content-Length: 5\r\nExpect: 100-continue\r\nCookie: a\r\nCookie: b\r\n\r\n"
    withExactCopy(Array(rich.utf8)) { #expect(head.parse($0, count: $1) == .complete(length: $1)) }
    withExactCopy(Array("GET / HTTP/1.0\r\n\r\n".utf8)) {
      #expect(head.parse($0, count: $1) == .complete(length: $1))
    }
    #expect(head.framing == .none)
    #expect(!head.hasQuery && !head.expectsContinue && !head.asksUpgrade)
    #expect(!head.connectionListsFields && !head.keepsAlive)
    #expect(head.authorityLength == 0)
    #expect(head.fields.count == 0)
    #expect(!head.fields.contains(.cookie) && head.fields.repeated == 0)
    #expect(head.fields.firstIndex(of: .cookie) == nil)
  }

  // MARK: Limits

  @Test func `a head of the limit passes, one byte more does not`() {
    let start = "GET / HTTP/1.1\r\nHost: a\r\nX: "
    let padding = Limits.requestHead - start.utf8.count - 4
    let fits = start + String(repeating: "x", count: padding) + "\r\n\r\n"
    #expect(ParsedRequest(fits).result == .complete(length: Limits.requestHead))
    #expect(ParsedRequest(fits + "GET / HTTP/1.1\r\n").error == nil)
    let tooLong = start + String(repeating: "x", count: padding + 1) + "\r\n\r\n"
    #expect(ParsedRequest(tooLong).error == .headTooLarge)
    // While it is incomplete, too: what has arrived cannot become a head within the limit.
    #expect(ParsedRequest(Array(tooLong.utf8.prefix(Limits.requestHead))).error == .headTooLarge)
    #expect(ParsedRequest(Array(tooLong.utf8.prefix(Limits.requestHead - 1))).error == nil)
    #expect(
      ParsedRequest(String(repeating: "A", count: Limits.requestHead)).error == .headTooLarge)
  }

  @Test func `a target of the limit passes, one byte more does not`() {
    let fits = "/" + String(repeating: "a", count: Limits.target - 1)
    #expect(ParsedRequest("GET \(fits) HTTP/1.1\r\nHost: a\r\n\r\n").target == fits)
    #expect(ParsedRequest("GET \(fits)").result == .incomplete)
    #expect(ParsedRequest("GET \(fits)b").error == .targetTooLong)
    #expect(ParsedRequest("GET \(fits)?").error == .targetTooLong)
    #expect(ParsedRequest("GET \(fits)b HTTP/1.1\r\nHost: a\r\n\r\n").error == .targetTooLong)
    let query = "/?" + String(repeating: "a", count: Limits.target - 2)
    #expect(ParsedRequest("GET \(query) HTTP/1.1\r\nHost: a\r\n\r\n").target == query)
    #expect(ParsedRequest("GET \(query)b").error == .targetTooLong)
  }

  @Test func `as many fields as the limit pass, one more does not`() {
    let fields = (1..<Limits.headerCount).map { "X-\($0): y\r\n" }.joined()
    let fits = ParsedRequest("GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
    #expect(fits.fields.count == Limits.headerCount)
    #expect(
      ParsedRequest("GET / HTTP/1.1\r\nHost: a\r\n\(fields)X: y\r\n\r\n").error == .tooManyFields)
    // Before the end arrives.
    #expect(ParsedRequest("GET / HTTP/1.1\r\nHost: a\r\n\(fields)X: y\r\n").error == .tooManyFields)
  }
}
