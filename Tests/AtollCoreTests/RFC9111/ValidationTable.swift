// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

/// RFC 9111 §3.2 and §4.3: what a 304 makes of the stored response that was asked after.
struct ValidationTable {
  private static let time = "Last-Modified: \(httpDate(-1000))"
  private static let otherTime = "Last-Modified: \(httpDate(-500))"
  private let behavior = makePolicy()

  private func stored(_ fields: [String]) -> (head: [UInt8], meta: StoredMeta) {
    let response = GivenResponse(200, fields + ["Date: \(httpDate(-100))"])
    var meta = StoredMeta()
    let head = writtenBytes {
      meta = appendResponseHead(
        response.head, response.base, behavior: behavior.behavior(), storing: true, now: testTime,
        to: $0)
    }
    return (head, meta)
  }

  @Test(
    arguments: [
      // §4.3.4: by the same strong validator.
      (["ETag: \"a\""], ["ETag: \"a\""], true), (["ETag: \"a\""], ["ETag: \"b\""], false),
      (["ETag: \"a\""], ["ETag: \"A\""], false),
      (["ETag: \"a\"", time], ["ETag: \"a\"", time], true),
      (["ETag: \"a\"", time], ["ETag: \"b\"", time], false),
      (["ETag: \"a\"", time], ["ETag: \"a\""], true), (["ETag: \"a\"", time], [time], true),
      ([time], [time], true), ([time], [otherTime], false),
      ([time], ["ETag: \"a\"", time], true), ([time], ["ETag: \"a\"", otherTime], false),
      ([time], ["ETag: \"a\""], false), (["ETag: \"a\""], [time], false),
      // Of a time that may have been two versions' (RFC 9110 §8.8.2.2) nothing strong follows.
      (
        ["Last-Modified: \(httpDate(-100))"],
        ["ETag: \"a\"", "Last-Modified: \(httpDate(-100))"], false
      ),
      // Else by a weak one.
      (["ETag: W/\"a\""], ["ETag: W/\"a\""], true), (["ETag: W/\"a\""], ["ETag: W/\"b\""], false),
      (["ETag: \"a\""], ["ETag: W/\"a\""], true), ([time], ["ETag: W/\"a\"", time], true),
      // A strong tag is not the weak one, unless the time says so: as from servers that weaken the
      // tag of what they compress.
      (["ETag: W/\"a\""], ["ETag: \"a\""], false),
      (["ETag: W/\"a\"", time], ["ETag: \"a\"", time], true),
      (["ETag: W/\"a\"", time], ["ETag: \"a\"", otherTime], false),
      // Without any, the only one that was asked after.
      (["ETag: \"a\""], [], true), ([time], [], true), (["ETag: \"a\"", time], [], true),
      // What is none is as good as missing.
      (["ETag: \"a\""], ["ETag: a"], true), ([time], ["Last-Modified: yesterday"], true),
    ] as [([String], [String], Bool)])
  func `which 304 is about the stored response (§4.3.4)`(
    fields: [String], update: [String], expected: Bool
  ) {
    let (head, meta) = stored(fields)
    let response = GivenResponse(304, update)
    let result = withBytes(head) {
      freshens(response.head, response.base, meta: meta, storedHead: $0.baseAddress!)
    }
    #expect(result == expected)
  }

  @Test(
    arguments: [
      (["ETag: \"a\""], ["ETag: \"a\""], true), (["ETag: \"a\""], ["ETag: \"b\""], false),
      (["ETag: \"a\""], ["ETag: W/\"a\""], false), ([], ["ETag: \"a\""], false),
      (["ETag: \"a\""], [], true), ([time], [time], true), ([time], [otherTime], false),
      ([], [time], false), (["ETag: \"a\"", time], ["ETag: \"a\"", otherTime], false),
      ([], ["Content-Length: 4"], true), ([], ["Content-Length: 5"], false),
      (["ETag: \"a\""], ["ETag: \"a\"", "Content-Length: 5"], false),
    ] as [([String], [String], Bool)])
  func `whether a response to HEAD speaks of what GET stored (§4.3.5)`(
    fields: [String], update: [String], expected: Bool
  ) {
    let (head, meta) = stored(fields)
    let (other, otherMeta) = stored(update)
    let length = update.contains { $0.hasPrefix("Content-Length") } ? update.last?.last : nil
    let result = withBytes(head) { head in
      withBytes(other) {
        describes(
          otherMeta, in: $0.baseAddress!, length: length.flatMap { UInt64(String($0)) },
          stored: meta, in: head.baseAddress!, bodyLength: 4)
      }
    }
    #expect(result == expected)
  }

  private func updated(_ fields: [String], _ update: [String]) -> [String] {
    let (head, _) = stored(fields)
    let response = GivenResponse(304, update)
    return writtenLines { out in
      withBytes(head) {
        _ = appendUpdatedHead(
          stored: $0, response: response.head, base: response.base,
          behavior: behavior.behavior(), now: testTime, to: out)
      }
    }
  }

  @Test(
    arguments: [
      // "MUST add each header field in the provided response ... replacing field values".
      (["X-A: 1"], ["X-A: 2"], ["X-A: 2"], ["X-A: 1"]),
      (["X-A: 1"], ["x-a: 2"], ["x-a: 2"], ["X-A: 1"]),
      (["X-A: 1", "X-A: 2"], ["X-A: 3"], ["X-A: 3"], ["X-A: 1", "X-A: 2"]),
      (["X-A: 1"], ["X-A: 2", "X-A: 3"], ["X-A: 2", "X-A: 3"], ["X-A: 1"]),
      (["X-A: 1"], ["X-B: 2"], ["X-A: 1", "X-B: 2"], []), (["X-A: 1"], [], ["X-A: 1"], []),
      (
        ["Cache-Control: max-age=1"], ["Cache-Control: max-age=9"], ["Cache-Control: max-age=9"],
        ["Cache-Control: max-age=1"]
      ),
      (["Expires: 0"], ["Expires: \(httpDate(9))"], ["Expires: \(httpDate(9))"], ["Expires: 0"]),
      (
        ["Content-Location: /a"], ["Content-Location: /b"], ["Content-Location: /b"],
        ["Content-Location: /a"]
      ),
      (["Content-Foo: a"], ["Content-Foo: b"], ["Content-Foo: b"], ["Content-Foo: a"]),
      (
        ["Content-Security-Policy: a"], ["Content-Security-Policy: b"],
        ["Content-Security-Policy: b"], ["Content-Security-Policy: a"]
      ),
      (
        ["Content-Language: de"], ["Content-Language: en"], ["Content-Language: en"],
        ["Content-Language: de"]
      ),
      (["Vary: a"], ["Vary: b"], ["Vary: b"], ["Vary: a"]),
      (["Cache-Tag: a"], ["Cache-Tag: b"], ["Cache-Tag: b"], ["Cache-Tag: a"]),
      (["Set-Cookie: a=1"], ["Set-Cookie: a=2"], ["Set-Cookie: a=2"], ["Set-Cookie: a=1"]),
      (
        ["CDN-Cache-Control: max-age=1"], ["CDN-Cache-Control: max-age=9"],
        ["CDN-Cache-Control: max-age=9"], ["CDN-Cache-Control: max-age=1"]
      ),
      // With the exceptions: Content-Length, what says how to read the stored bytes, and what
      // belongs to the connection (§3.1).
      (["X: y"], ["Content-Length: 9"], ["X: y"], ["Content-Length: 9"]),
      (
        ["Content-Encoding: gzip"], ["Content-Encoding: br"], ["Content-Encoding: gzip"],
        ["Content-Encoding: br"]
      ),
      (["Content-Type: a/b"], ["Content-Type: c/d"], ["Content-Type: a/b"], ["Content-Type: c/d"]),
      (["Content-Range: a"], ["Content-Range: b"], ["Content-Range: a"], ["Content-Range: b"]),
      (["X: y"], ["Connection: x-a", "X-A: 1"], ["X: y"], ["X-A: 1", "Connection: x-a"]),
      (["X-A: 1"], ["Connection: x-a", "X-A: 2"], ["X-A: 1"], ["X-A: 2"]),
      (["ETag: \"a\""], ["Connection: etag", "ETag: \"b\""], ["ETag: \"a\""], ["ETag: \"b\""]),
      (["X: y"], ["Keep-Alive: timeout=5"], ["X: y"], ["Keep-Alive: timeout=5"]),
      (["X: y"], ["Proxy-Authenticate: Basic"], ["X: y"], ["Proxy-Authenticate: Basic"]),
      (
        ["X: y"], ["Proxy-Authentication-Info: x=1"], ["X: y"], ["Proxy-Authentication-Info: x=1"]
      ),
      (["X: y"], ["Age: 9"], ["X: y"], ["Age: 9"]),
      // §5.2.2.7: what the update keeps for one viewer is not stored either.
      (
        ["X-A: 1"], ["Cache-Control: private=\"x-a\"", "X-A: 2"],
        ["Cache-Control: private=\"x-a\""],
        ["X-A: 1", "X-A: 2"]
      ),
      (
        ["Cache-Control: no-cache=\"x-a\""], ["X-A: 2"], ["Cache-Control: no-cache=\"x-a\""],
        ["X-A: 2"]
      ),
    ] as [([String], [String], [String], [String])])
  func `what a 304 makes of the stored fields (§3.2)`(
    fields: [String], update: [String], present: [String], absent: [String]
  ) {
    let lines = updated(fields, update)
    for field in present { #expect(lines.filter { $0 == field }.count == 1, "\(field)") }
    for field in absent { #expect(!lines.contains(field), "\(field)") }
    #expect(lines.filter { $0.hasPrefix("Date: ") } == ["Date: \(httpDate())"])
  }

  @Test(
    arguments: [
      // §4.3.4: the lifetime is what the fields say after the update, the age that of the 304.
      (["Cache-Control: max-age=60"], [], .fresh(60)),
      (["Cache-Control: max-age=60"], ["Cache-Control: max-age=9"], .fresh(9)),
      (["Cache-Control: max-age=60"], ["Cache-Control: no-store"], .refused(.responseNoStore)),
      (["Cache-Control: max-age=60"], ["Cache-Control: private"], .refused(.responsePrivate)),
      (["Cache-Control: max-age=60"], ["Cache-Control: no-cache"], .validated),
      (["Cache-Control: no-cache"], ["Cache-Control: max-age=60"], .fresh(60)),
      (["Cache-Control: max-age=60"], ["Vary: *"], .refused(.varyStar)),
      (["Cache-Control: max-age=60"], ["Age: 70"], .validated),
      (["Cache-Control: max-age=60", "Age: 50"], [], .fresh(60)),
      (["Expires: \(httpDate(60))"], [], .fresh(60)),
      (["Expires: \(httpDate(60))"], ["Date: \(httpDate(-10))"], .fresh(70)),
      (["Expires: \(httpDate(60))"], ["Expires: 0"], .validated),
      (["Last-Modified: \(httpDate(-600))"], [], .fresh(60)),
      (["CDN-Cache-Control: max-age=60"], ["Cache-Control: max-age=9"], .fresh(60)),
      (["CDN-Cache-Control: max-age=60"], ["CDN-Cache-Control: max-age=9"], .fresh(9)),
      (["Cache-Control: max-age=60"], ["Atoll-CDN-Cache-Control: max-age=9"], .fresh(9)),
      (
        ["CDN-Cache-Control: max-age=60", "Cache-Control: max-age=9"],
        ["CDN-Cache-Control: &"], .fresh(9)
      ),
    ] as [([String], [String], Fate)])
  func `for how long a confirmed response is fresh`(
    fields: [String], update: [String], expected: Fate
  ) {
    let (head, _) = stored(fields + ["ETag: \"a\""])
    let response = GivenResponse(304, update)
    let request = GivenRequest()
    let decision = withBytes(head) {
      decideUpdate(
        request: RequestCaching(request.head, request.base, behavior: behavior.behavior()),
        status: 200, stored: $0, response: response.head, base: response.base,
        behavior: behavior.behavior(), requestTime: testTime, responseTime: testTime)
    }
    let result: Fate =
      switch decision {
      case .refuse(let reason): .refused(reason)
      case .store(let freshness):
        freshness.flags.contains(.noCache) || !freshness.isFresh(at: testTime)
          ? .validated : .fresh(freshness.lifetime)
      }
    #expect(result == expected)
  }

  @Test func `tags are those of the updated head`() {
    let lines = updated(["Cache-Tag: a, b", "Surrogate-Key: c d"], ["Cache-Tag: e"])
    let head = Array((lines.joined(separator: "\r\n") + "\r\n").utf8)
    let tags = writtenBytes { out in withBytes(head) { appendTags(storedHead: $0, to: out) } }
    func has(_ tag: String) -> Bool {
      withBytes(tags) { section in withBytes(Array(tag.utf8)) { tagsContain(section, $0) } }
    }
    #expect(has("e") && has("c") && has("d"))
    #expect(!has("a") && !has("b"))
  }

  @Test(
    arguments: [
      // RFC 9110 §15.4.5.
      (["ETag: \"a\""], "ETag: \"a\"", true), (["Vary: a"], "Vary: a", true),
      (["Cache-Control: max-age=9"], "Cache-Control: max-age=9", true),
      (["Content-Location: /b"], "Content-Location: /b", true),
      (["Expires: \(httpDate())"], "Expires: \(httpDate())", true),
      ([time], time, true), (["ETag: \"a\"", time], time, false),
      (["Content-Type: a/b"], "Content-Type: a/b", false), (["X-A: 1"], "X-A: 1", false),
      (["Content-Encoding: gzip"], "Content-Encoding: gzip", false),
      (["Last-Modified: \(httpDate(-9))", "Set-Cookie: a=b"], "Set-Cookie: a=b", false),
    ] as [([String], String, Bool)])
  func `what a 304 from the cache says`(fields: [String], line: String, expected: Bool) {
    let (head, _) = stored(fields)
    let lines = writtenLines { out in
      withBytes(head) { appendNotModifiedHead(stored: $0, to: out) }
    }
    #expect(lines.first == "HTTP/1.1 304 Not Modified")
    #expect(lines.contains("Date: \(httpDate(-100))"))
    #expect(lines.contains(line) == expected)
  }
}
