// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

/// RFC 9111 §4.4: what a response to an unsafe request invalidates.
struct InvalidationTable {
  @Test(arguments: [
    // "a 2xx (Successful) or 3xx (Redirection) status code", to a method that is not safe or of
    // unknown safety.
    (Method.post, 200, true), (.post, 201, true), (.post, 204, true), (.post, 299, true),
    (.post, 301, true), (.post, 303, true), (.post, 399, true), (.put, 200, true),
    (.delete, 204, true), (.patch, 200, true), (.other, 200, true), (.post, 100, false),
    (.post, 199, false), (.post, 400, false), (.post, 404, false), (.post, 409, false),
    (.post, 500, false), (.post, 503, false), (.put, 412, false), (.delete, 404, false),
    (.other, 500, false), (.get, 200, false), (.head, 200, false), (.options, 200, false),
    (.trace, 200, false),
  ])
  func `which responses invalidate their target`(
    method: AtollCore.Method, status: UInt16, expected: Bool
  ) {
    #expect(invalidates(method, status: status) == expected)
  }

  private func resolve(
    _ reference: String, path: String = "/b/c/d;p", query: String? = "q", scheme: Scheme = .http,
    host: String = "site.example", origin: String = "origin.example:3000"
  ) -> String? {
    let target = TargetURI(
      scheme: scheme, authorities: [Array(host.utf8), Array(origin.utf8)], path: Array(path.utf8),
      query: query.map { Array($0.utf8) })
    return withBytes(Array(reference.utf8)) { target.resolve($0) }
      .map { String(decoding: $0, as: UTF8.self) }
  }

  @Test(
    arguments: [
      // The normal and abnormal examples of RFC 3986 §5.4, as far as they have a path.
      ("g", "/b/c/g"), ("./g", "/b/c/g"), ("g/", "/b/c/g/"), ("/g", "/g"), ("?y", "/b/c/d;p?y"),
      ("g?y", "/b/c/g?y"), ("#s", "/b/c/d;p?q"), ("g#s", "/b/c/g"), ("g?y#s", "/b/c/g?y"),
      (";x", "/b/c/;x"), ("g;x", "/b/c/g;x"), ("g;x?y#s", "/b/c/g;x?y"), ("", "/b/c/d;p?q"),
      (".", "/b/c/"), ("./", "/b/c/"), ("..", "/b/"), ("../", "/b/"), ("../g", "/b/g"),
      ("../..", "/"), ("../../", "/"), ("../../g", "/g"), ("../../../g", "/g"),
      ("../../../../g", "/g"), ("/./g", "/g"), ("/../g", "/g"), ("g.", "/b/c/g."),
      (".g", "/b/c/.g"),
      ("g..", "/b/c/g.."), ("..g", "/b/c/..g"), ("./../g", "/b/g"), ("./g/.", "/b/c/g/"),
      ("g/./h", "/b/c/g/h"), ("g/../h", "/b/c/h"), ("g;x=1/./y", "/b/c/g;x=1/y"),
      ("g;x=1/../y", "/b/c/y"), ("g?y/./x", "/b/c/g?y/./x"), ("g?y/../x", "/b/c/g?y/../x"),
      ("g#s/../x", "/b/c/g"), ("?", "/b/c/d;p?"), ("//site.example", "/"),
      // RFC 9110 §4.3.1: the same scheme, host and port.
      ("http://site.example/a", "/a"), ("HTTP://SITE.EXAMPLE/A", "/A"),
      ("http://site.example:80/a", "/a"), ("http://site.example:/a", "/a"),
      ("http://site.example", "/"), ("http://site.example?x", "/?x"),
      ("//site.example/a?b", "/a?b"),
      ("http://site.example/a/../b", "/b"), ("http://site.example/a b", nil),
      // The origin's own name for itself.
      ("http://origin.example:3000/a", "/a"),
      ("https://site.example/a", nil), ("http://site.example:81/a", nil),
      ("http://www.site.example/a", nil), ("http://site.example.evil/a", nil),
      ("//other.example/a", nil), ("http://origin.example/a", nil), ("http://", nil),
      ("http:///a", nil), ("http:/a", nil), ("http:a", nil), ("http://user@site.example/a", nil),
      ("http://site.example@other.example/a", nil), ("mailto:a@site.example", nil),
      ("urn:a:b", nil), ("javascript:alert(1)", nil), ("/a b", nil), ("/a\r\nX: y", nil),
      ("/a\u{0}", nil), ("http://site.example\\@other.example/", nil),
    ] as [(String, String?)])
  func `what a reference names of the same origin`(reference: String, expected: String?) {
    #expect(resolve(reference) == expected)
  }

  @Test func `relative to what was asked for`() {
    #expect(resolve("x", path: "/", query: nil) == "/x")
    #expect(resolve("", path: "/", query: nil) == "/")
    #expect(resolve("?a", path: "/", query: nil) == "/?a")
    #expect(resolve("x", path: "/a/b/", query: "c") == "/a/b/x")
    #expect(resolve("https://site.example/a", scheme: .https) == "/a")
    #expect(resolve("https://site.example:443/a", scheme: .https) == "/a")
    #expect(resolve("http://site.example/a", scheme: .https) == nil)
    #expect(resolve("http://[::1]:8080/a", host: "[::1]:8080") == "/a")
    #expect(resolve("http://127.0.0.1:8080/a", host: "127.0.0.1:8080") == "/a")
    #expect(resolve("/a", host: "") == "/a")
  }

  @Test(arguments: [
    "POST /a HTTP/1.1\nHost: site.example\nX-A: 1", "POST http://site.example/a HTTP/1.1\nHost: b",
    "DELETE /a HTTP/1.0\nX-A: 1",
  ])
  func `another path is asked for as the same viewer would`(text: String) {
    let message = Message(text)
    let head = RequestHead()
    _ = head.parse(message.base, count: message.bytes.count)
    let request = ByteBuffer()
    appendRequest(for: Array("/x?y".utf8), like: head, message.base, to: request)
    let other = RequestHead()
    let base = UnsafePointer(request.base)
    #expect(other.parse(base, count: request.count) == .complete(length: request.count))
    #expect(other.method == .get)
    #expect(String(decoding: other.path(in: base), as: UTF8.self) == "/x")
    #expect(other.hasQuery)
    #expect(
      Array(other.authority(in: base)) == Array(head.authority(in: message.base)))
    #expect(other.fields.count == head.fields.count)
  }
}
