// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

/// CloudFront §20.
struct ErrorPagesTests {
  private static let file = ErrorPageFile(path: "/srv/down.html", bytes: Array("down".utf8))

  private func policy(_ responses: [ErrorResponse]) -> ErrorPolicy {
    ErrorPolicy(ErrorSettings(responses: responses), files: ["/srv/down.html": Self.file])
  }

  @Test func `a rule has a page and a status`() throws {
    let policy = policy([
      ErrorResponse(status: 404, page: .path("/404.html")),
      ErrorResponse(status: 403, page: .path("/index.html?from=403"), responseStatus: 200),
      ErrorResponse(status: 503, page: .file("/srv/down.html")),
      ErrorResponse(status: 500, minimumTTL: 5),
      ErrorResponse(status: 502, page: .file("/srv/missing.html")),
      ErrorResponse(status: 400, responseStatus: 404),
      ErrorResponse(status: 405, responseStatus: 405),
    ])
    let plain = try #require(policy.rule(for: 404, madeBecause: nil))
    #expect(plain.responseStatus == 404)
    guard case .path(let path) = plain.page else {
      Issue.record("no path")
      return
    }
    #expect(path == Array("/404.html".utf8))
    #expect(policy.rule(for: 403, madeBecause: nil)?.responseStatus == 200)
    guard case .file(let file)? = policy.rule(for: 503, madeBecause: nil)?.page else {
      Issue.record("no file")
      return
    }
    #expect(file == Self.file)
    // A lifetime without a page, and a page whose file is not there.
    #expect(policy.rule(for: 500, madeBecause: nil) == nil)
    #expect(policy.rule(for: 502, madeBecause: nil) == nil)
    #expect(policy.rule(for: 200, madeBecause: nil) == nil)
    // Another status for the same body; the same status for it is no rule.
    let renamed = try #require(policy.rule(for: 400, madeBecause: nil))
    #expect(renamed.page == nil && renamed.responseStatus == 404)
    #expect(policy.rule(for: 405, madeBecause: nil) == nil)
  }

  @Test(arguments: Reason.allCases)
  func `which of the edge's own errors have pages`(_ reason: Reason) {
    let status = failureStatus(reason)
    let policy = policy([ErrorResponse(status: Int(status), page: .path("/e"))])
    let expected =
      isFailureOfOrigin(reason)
      || [.countryBlocked, .methodNotAllowed, .requestBody, .originRange, .originRecentlyFailed]
        .contains(reason)
    #expect((policy.rule(for: status, madeBecause: reason) != nil) == expected)
    // §20: the page is not used for 503 Limit or Capacity Exceeded.
    if reason == .overloaded || reason == .draining { #expect(!expected) }
  }

  @Test func `the page is asked for by who asked, without what was about the resource`() {
    let given = GivenRequest(
      "GET /deep/link?x=1",
      [
        "Accept: text/html", "If-None-Match: \"a\"", "If-Modified-Since: \(httpDate())",
        "If-Match: *", "If-Unmodified-Since: \(httpDate())", "Range: bytes=0-1",
        "If-Range: \"a\"", "User-Agent: test", "Cookie: a=1", "X-Own: 1", "X-Hop: 2",
        "Connection: X-Hop", "Accept-Encoding: br", "Upgrade: h2c", "TE: trailers",
      ])
    #expect(
      writtenLines {
        appendPageRequest(given.head, given.base, path: Array("/index.html".utf8), to: $0)
      } == [
        "GET /index.html HTTP/1.1", "Host: site.example", "Accept: text/html", "User-Agent: test",
        "Cookie: a=1", "X-Own: 1", "Accept-Encoding: br",
      ])
  }

  @Test func `whatever the method, the page is got; HEAD wants its head`() {
    func lines(_ line: String, _ fields: [String], host: String? = "site.example") -> [String] {
      let given = GivenRequest(line, fields, host: host)
      return writtenLines {
        appendPageRequest(given.head, given.base, path: Array("/e?p".utf8), to: $0)
      }
    }
    #expect(
      lines("POST /a", ["Content-Type: text/plain", "Content-Length: 3", "Expect: 100-continue"])
        == ["GET /e?p HTTP/1.1", "Host: site.example"])
    #expect(
      lines("PUT /a", ["Transfer-Encoding: chunked", "Content-Encoding: gzip", "Accept: */*"])
        == ["GET /e?p HTTP/1.1", "Host: site.example", "Accept: */*"])
    #expect(lines("HEAD /a", []) == ["HEAD /e?p HTTP/1.1", "Host: site.example"])
    #expect(lines("GET /a HTTP/1.0", [], host: nil) == ["GET /e?p HTTP/1.0"])
    #expect(
      lines("GET http://other.example/a", []) == ["GET /e?p HTTP/1.1", "Host: other.example"])
  }

  @Test func `what is written is a head that is read again`() {
    let given = GivenRequest("DELETE /a", ["Content-Length: 0", "Accept: */*"])
    let request = ByteBuffer()
    appendPageRequest(given.head, given.base, path: Array("/e".utf8), to: request)
    let head = RequestHead()
    #expect(head.parse(request.base, count: request.count) == .complete(length: request.count))
    #expect(head.method == .get)
    #expect(head.framing == .none)
  }

  @Test func `only a success is the page`() {
    let pages = (100...599).filter { isErrorPage(UInt16($0)) }
    #expect(pages == Array(200...299))
  }

  @Test func `the status line is replaced, the fields stay`() {
    let head = Array("HTTP/1.1 200 Fine\r\nContent-Type: text/html\r\nETag: \"a\"\r\n".utf8)
    let lines = withBytes(head) { head in
      writtenLines { appendReplacedHead(head, fieldsStart: 19, status: 404, to: $0) }
    }
    #expect(lines == ["HTTP/1.1 404 Not Found", "Content-Type: text/html", "ETag: \"a\""])
  }

  @Test(arguments: Outcome.allCases)
  func `a hit is what has forwarded neither error nor page (RFC 9211 §2.1)`(_ outcome: Outcome) {
    #expect(tellsOfPage(after: Verdict(outcome)) == (outcome == .hit))
  }

  @Test func `error and page live as long as the shorter`() {
    #expect(jointLifetime(error: 10, page: 60) == 10)
    #expect(jointLifetime(error: 90, page: 60) == 60)
    #expect(jointLifetime(error: nil, page: 60) == nil)
    #expect(jointLifetime(error: 10, page: nil) == nil)
    #expect(jointLifetime(error: 10, page: -5) == -5)
  }

  @Test(arguments: [
    ("/srv/a.html", "text/html; charset=utf-8"), ("/srv/a.HTM", "text/html; charset=utf-8"),
    ("/a.txt", "text/plain; charset=utf-8"), ("/a.json", "application/json"),
    ("/a.svg", "image/svg+xml"), ("/a.b.png", "image/png"), ("/a.jpeg", "image/jpeg"),
    ("/a.unknown", "application/octet-stream"), ("/a", "application/octet-stream"),
    ("/html", "application/octet-stream"), ("/x.html/page", "application/octet-stream"),
  ])
  func `the media type goes by the ending`(path: String, expected: String) {
    #expect(ErrorPageFile(path: path, bytes: []).contentType == expected)
  }
}
