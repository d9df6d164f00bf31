// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import atoll

@Suite struct ProbeRequestTests {
  @Test(arguments: [
    ("http://www.example.com/a/b?x=1#top", "www.example.com", 80, "/a/b?x=1", "www.example.com"),
    ("http://WWW.Example.com:8080", "www.example.com", 8080, "/", "www.example.com:8080"),
    ("localhost:8080/a", "localhost", 8080, "/a", "localhost:8080"),
    ("HTTP://h?q", "h", 80, "/?q", "h"),
    ("http://[::1]:81/", "::1", 81, "/", "[::1]:81"),
    ("http://[2001:db8::1]/a", "2001:db8::1", 80, "/a", "[2001:db8::1]"),
    ("http://h/a b/é", "h", 80, "/a%20b/%C3%A9", "h"),
    ("http://h/%20%zz", "h", 80, "/%20%zz", "h"),
  ])
  func `a URL comes apart`(
    source: String, host: String, port: Int, target: String, authority: String
  ) throws {
    let url = try ProbeURL(parsing: source)
    #expect(url.host == host)
    #expect(url.port == UInt16(port))
    #expect(url.target == target)
    #expect(url.authority == authority)
  }

  @Test(arguments: [
    "", "http://", "http:///a", "http://h:0/", "http://h:99999/", "http://h:x/", "ftp://h/",
    "https://h/", "http://user:secret@h/", "http://[::1/", "http://a b/", "http://::1/",
  ])
  func `what is no http URL is refused with a usage error`(source: String) {
    #expect {
      try ProbeURL(parsing: source)
    } throws: { ($0 as? ProbeError)?.fault == .usage }
  }

  @Test func `an https URL is refused for being https`() throws {
    let error = try #require(throws: ProbeError.self) { try ProbeURL(parsing: "https://h/a") }
    #expect(error.message == "\"https://h/a\": this version tests http only")
    #expect(error.hint?.hasSuffix("http://h/a") == true)
  }

  @Test func `resolve names an address for one host and port`() throws {
    var route = ProbeRoute()
    route.resolutions = [
      try .init(parsing: "a.example:80:192.0.2.1,[2001:db8::1]"),
      try .init(parsing: "*:81:192.0.2.2"),
    ]
    #expect(
      route.place(for: try ProbeURL(parsing: "http://a.example/")).addresses
        == ["192.0.2.1", "2001:db8::1"])
    #expect(
      route.place(for: try ProbeURL(parsing: "http://b.example:81/")).addresses == ["192.0.2.2"])
    #expect(route.place(for: try ProbeURL(parsing: "http://b.example/")).addresses.isEmpty)
  }

  @Test(arguments: ["", "a", "a:80", "a:80:", "a:x:192.0.2.1", ":80:192.0.2.1", "a:80:b.example"])
  func `a resolve that is none is refused`(text: String) {
    #expect(throws: ValueError.self) { try ProbeRoute.Resolution(parsing: text) }
  }

  @Test(arguments: [
    ("127.0.0.1:8080", ProbeRoute.Place.tcp(host: "127.0.0.1", port: 8080)),
    ("[::1]:8080", .tcp(host: "::1", port: 8080)),
    ("a.example:80:b.example:81", .tcp(host: "b.example", port: 81)),
    ("::b.example:81", .tcp(host: "b.example", port: 81)),
    ("a.example::b.example:", .tcp(host: "b.example", port: 80)),
    ("other.example:80:b.example:81", .tcp(host: "a.example", port: 80)),
    (":81:b.example:81", .tcp(host: "a.example", port: 80)),
    ("unix:/run/e.sock", .unix("/run/e.sock")),
  ])
  func `connect-to leads elsewhere`(text: String, place: ProbeRoute.Place) throws {
    var route = ProbeRoute()
    route.redirections = [try .init(parsing: text)]
    #expect(route.place(for: try ProbeURL(parsing: "http://a.example/")).place == place)
  }

  @Test(arguments: ["", "a", "a:b", ":80", "a:80:b", "a:80:b:c", "unix:", "[::1:80"])
  func `a connect-to that is none is refused`(text: String) {
    #expect(throws: ValueError.self) { try ProbeRoute.Redirection(parsing: text) }
  }

  @Test func `the head carries the defaults and what was added`() throws {
    var request = ProbeRequest(url: try ProbeURL(parsing: "http://h:81/a"))
    request.headers = [
      try .init(parsing: "accept:"), try .init(parsing: "X-A: 1"), try .init(parsing: "X-A:  2 "),
      try .init(parsing: "Host: other"),
    ]
    #expect(
      String(decoding: request.head(userAgent: "atoll/1"), as: UTF8.self)
        == "GET /a HTTP/1.1\r\nUser-Agent: atoll/1\r\nConnection: close\r\n"
        + "X-A: 1\r\nX-A: 2\r\nHost: other\r\n\r\n")
  }

  @Test(arguments: ["", "a", ": b", "a b: c", "a: b\r\nc: d", "a: \u{0}"])
  func `a header that could break the head is refused`(text: String) {
    #expect(throws: ValueError.self) { try ProbeRequest.Header(parsing: text) }
  }
}
