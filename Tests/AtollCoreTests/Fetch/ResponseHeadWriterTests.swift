// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

struct ResponseHeadWriterTests {
  private func head(
    _ response: GivenResponse, _ policy: DistributionPolicy = makePolicy(), storing: Bool = true
  ) -> (bytes: [UInt8], meta: StoredMeta) {
    var meta = StoredMeta()
    let bytes = writtenBytes {
      meta = appendResponseHead(
        response.head, response.base, behavior: policy.behavior(), storing: storing, now: testTime,
        to: $0)
    }
    return (bytes, meta)
  }

  private func lines(_ bytes: [UInt8]) -> [String] {
    let text = String(decoding: bytes, as: UTF8.self)
    #expect(text.hasSuffix("\r\n"))
    return text.split(separator: "\r\n").map(String.init)
  }

  private func text(_ offset: UInt32, _ length: UInt32, _ bytes: [UInt8]) -> String {
    String(decoding: bytes[Int(offset)..<Int(offset + length)], as: UTF8.self)
  }

  @Test func `a stored head keeps the origin's fields in their order`() {
    let response = GivenResponse(
      200,
      [
        "Date: \(httpDate(-5))", "Server: x", "content-type: text/html", "ETag: \"a\"",
        "Cache-Control: max-age=60", "Vary: Accept", "Set-Cookie: a=1", "Set-Cookie: b=2",
      ])
    #expect(
      lines(head(response).bytes) == [
        "HTTP/1.1 200 OK", "Date: \(httpDate(-5))", "Server: x", "content-type: text/html",
        "ETag: \"a\"", "Cache-Control: max-age=60", "Vary: Accept", "Set-Cookie: a=1",
        "Set-Cookie: b=2", "Via: 1.1 atoll",
      ])
  }

  @Test(arguments: [
    "Connection: close", "Keep-Alive: timeout=5", "Proxy-Connection: x", "Trailer: x",
    "TE: x", "Upgrade: h2c", "Proxy-Authenticate: Basic", "Proxy-Authorization: x",
    "Proxy-Authentication-Info: x=1", "Content-Length: 5", "X-Cache: HIT", "X-Request-Id: x",
    "Age: 5",
  ])
  func `fields that are not stored`(field: String) {
    #expect(!lines(head(GivenResponse(200, [field])).bytes).contains(field))
  }

  @Test(arguments: [
    "Cache-Status: upstream; hit", "Via: 1.1 fred", "Alt-Svc: x", "X-Foo: 1", "Surrogate-Key: a",
    "Warning: 199 - x", "Content-Encoding: gzip", "Expires: 0", "Pragma: no-cache",
  ])
  func `fields that are stored`(field: String) {
    #expect(lines(head(GivenResponse(200, [field])).bytes).contains(field))
  }

  @Test func `Age of a response that is not stored is passed on`() {
    #expect(
      lines(head(GivenResponse(200, ["Age: 5"]), storing: false).bytes).contains("Age: 5"))
  }

  @Test func `what Connection lists ends here`() {
    let response = GivenResponse(200, ["X-Foo: 1", "X-Bar: 2", "Connection: X-FOO"])
    let sent = lines(head(response).bytes)
    #expect(!sent.contains("X-Foo: 1"))
    #expect(sent.contains("X-Bar: 2"))
  }

  @Test func `Via is appended, with the origin's version (RFC 9110 §7.6.3)`() {
    let sent = lines(head(GivenResponse(200, ["Via: 1.1 fred"], minor: 0)).bytes)
    #expect(sent.filter { $0.hasPrefix("Via") } == ["Via: 1.1 fred", "Via: 1.0 atoll"])
  }

  @Test(arguments: [[], ["Date: nonsense"]])
  func `a missing Date is added (RFC 9110 §6.6.1)`(fields: [String]) {
    let (bytes, meta) = head(GivenResponse(200, fields))
    #expect(lines(bytes).filter { $0.hasPrefix("Date") } == ["Date: \(httpDate())"])
    #expect(meta.date == testTime)
  }

  @Test func `of several Dates one is kept`() {
    let response = GivenResponse(200, ["Date: \(httpDate(-5))", "Date: \(httpDate(-9))"])
    let (bytes, meta) = head(response)
    #expect(lines(bytes).filter { $0.hasPrefix("Date") } == ["Date: \(httpDate(-5))"])
    #expect(meta.date == testTime - 5)
  }

  @Test func `Set-Cookie is stripped where cookies are not forwarded`() {
    let response = GivenResponse(200, ["Set-Cookie: a=1"])
    #expect(!lines(head(response, makePolicy(.static)).bytes).contains("Set-Cookie: a=1"))
    #expect(lines(head(response, makePolicy(.dynamic)).bytes).contains("Set-Cookie: a=1"))
    let some = makePolicy(.static) { $0.settings.forwardedCookies = .listed(["b"]) }
    #expect(lines(head(response, some).bytes).contains("Set-Cookie: a=1"))
  }

  @Test func `the reason phrase is the origin's, even an empty one`() {
    #expect(
      lines(head(GivenResponse(404, reason: "Gone fishing")).bytes)[0]
        == "HTTP/1.1 404 Gone fishing")
    #expect(lines(head(GivenResponse(200, reason: "", minor: 0)).bytes)[0] == "HTTP/1.1 200 ")
  }

  @Test func `101 keeps what makes the upgrade`() {
    let response = GivenResponse(101, ["Upgrade: websocket", "Connection: Upgrade"])
    let sent = lines(head(response, storing: false).bytes)
    #expect(sent.contains("Upgrade: websocket"))
    #expect(sent.filter { $0.hasPrefix("Connection") } == ["Connection: upgrade"])
  }

  @Test func `validators are found where they lie`() {
    let response = GivenResponse(
      200, ["X-Foo: 1", "ETag:  W/\"a b\" ", "Last-Modified: \(httpDate(-9))", "ETag: \"b\""])
    let (bytes, meta) = head(response)
    // A space is no etagc (RFC 9110 §8.8.3).
    #expect(text(meta.etagOffset, meta.etagLength, bytes) == "\"b\"")
    #expect(!meta.isWeak)
    #expect(text(meta.lastModifiedOffset, meta.lastModifiedLength, bytes) == httpDate(-9))
    #expect(meta.lastModified == testTime - 9)
    #expect(text(0, meta.fieldsStart, bytes) == "HTTP/1.1 200 OK\r\n")
    let weak = head(GivenResponse(200, ["ETag: W/\"a\""]))
    #expect(weak.meta.isWeak)
    #expect(text(weak.meta.etagOffset, weak.meta.etagLength, weak.bytes) == "W/\"a\"")
  }

  @Test func `offsets count from where the head begins`() {
    let response = GivenResponse(200, ["ETag: \"a\""])
    let policy = makePolicy()
    let buffer = ByteBuffer()
    buffer.append("something before")
    let before = buffer.count
    let meta = appendResponseHead(
      response.head, response.base, behavior: policy.behavior(), storing: true, now: testTime,
      to: buffer)
    let bytes = Array(buffer.bytes[before...])
    #expect(text(meta.etagOffset, meta.etagLength, bytes) == "\"a\"")
  }

  @Test(arguments: ["ETag: a", "ETag: \"a", "ETag: w/\"a\"", "ETag: \"a\"b\"", "ETag:"])
  func `what is no entity tag is no validator`(field: String) {
    #expect(head(GivenResponse(200, [field])).meta.etagLength == 0)
  }

  // MARK: 304 from the origin

  private func updated(
    _ stored: [String], _ fields: [String], _ policy: DistributionPolicy = makePolicy()
  ) -> (lines: [String], bytes: [UInt8], meta: StoredMeta) {
    let old = head(GivenResponse(200, stored), policy).bytes
    let response = GivenResponse(304, fields, reason: "Not Modified")
    var meta = StoredMeta()
    let bytes = withBytes(old) { old in
      writtenBytes {
        meta = appendUpdatedHead(
          stored: old, response: response.head, base: response.base,
          behavior: policy.behavior(), now: testTime, to: $0)
      }
    }
    return (lines(bytes), bytes, meta)
  }

  @Test func `a 304 replaces fields of the same name, all lines of them (RFC 9111 §3.2)`() {
    let result = updated(
      [
        "Date: \(httpDate(-99))", "X-Foo: 1", "x-foo: 2", "X-Bar: 3", "ETag: \"a\"",
        "Cache-Control: max-age=1",
      ],
      ["Date: \(httpDate())", "X-FOO: 9", "X-New: 1", "Cache-Control: max-age=60"])
    #expect(
      result.lines == [
        "HTTP/1.1 200 OK", "X-Bar: 3", "ETag: \"a\"", "Via: 1.1 atoll", "Date: \(httpDate())",
        "X-FOO: 9", "X-New: 1", "Cache-Control: max-age=60",
      ])
    #expect(text(result.meta.etagOffset, result.meta.etagLength, result.bytes) == "\"a\"")
    #expect(result.meta.date == testTime)
  }

  @Test(arguments: [
    "Content-Length", "Content-Encoding", "Content-Type", "Content-Range", "Via", "Connection",
    "Age", "Transfer-Encoding",
  ])
  func `what describes the stored body or the connection stays`(name: String) {
    let isStored = !["Content-Length", "Connection", "Age", "Transfer-Encoding"].contains(name)
    let stored = isStored ? ["\(name): old"] : []
    let fields = name == "Transfer-Encoding" ? ["\(name): chunked"] : ["\(name): 9"]
    let result = updated(stored, fields)
    #expect(result.lines.contains("\(name): old") == isStored)
    #expect(!result.lines.contains(fields[0]))
  }

  @Test func `a 304 without Date makes the entry as new as its arrival`() {
    let result = updated(["Date: \(httpDate(-99))"], [])
    #expect(result.lines.filter { $0.hasPrefix("Date") } == ["Date: \(httpDate())"])
  }

  @Test func `a 304 of a preset without cookies sets none`() {
    let result = updated([], ["Set-Cookie: a=1"], makePolicy(.static))
    #expect(!result.lines.contains("Set-Cookie: a=1"))
    #expect(updated([], ["Set-Cookie: a=1"]).lines.contains("Set-Cookie: a=1"))
  }

  @Test func `validators may change with a 304`() {
    let result = updated(
      ["ETag: \"a\"", "Last-Modified: \(httpDate(-50))"],
      ["ETag: W/\"b\"", "Last-Modified: \(httpDate(-40))"])
    #expect(text(result.meta.etagOffset, result.meta.etagLength, result.bytes) == "W/\"b\"")
    #expect(result.meta.isWeak)
    #expect(result.meta.lastModified == testTime - 40)
  }

  // MARK: 304 to the viewer

  @Test func `a 304 to the viewer has the fields of RFC 9110 §15.4.5`() {
    let stored = head(
      GivenResponse(
        200,
        [
          "Date: \(httpDate())", "Content-Type: a", "ETag: \"a\"", "Vary: Accept", "X-Foo: 1",
          "Last-Modified: \(httpDate(-9))", "Cache-Control: max-age=60", "Expires: 0",
          "Content-Location: /b", "Set-Cookie: a=1", "Content-Encoding: gzip",
        ])
    ).bytes
    let sent = withBytes(stored) { stored in
      writtenLines { appendNotModifiedHead(stored: stored, to: $0) }
    }
    #expect(
      sent == [
        "HTTP/1.1 304 Not Modified", "Date: \(httpDate())", "ETag: \"a\"", "Vary: Accept",
        "Cache-Control: max-age=60", "Expires: 0", "Content-Location: /b", "Via: 1.1 atoll",
      ])
  }

  @Test func `a 304 to the viewer tells Last-Modified when there is no entity tag`() {
    let stored = head(GivenResponse(200, ["Last-Modified: \(httpDate(-9))"])).bytes
    let sent = withBytes(stored) { stored in
      writtenLines { appendNotModifiedHead(stored: stored, to: $0) }
    }
    #expect(sent.contains("Last-Modified: \(httpDate(-9))"))
  }
}
