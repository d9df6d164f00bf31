// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

@testable import atoll

@Suite struct ClientRequestTests {
  @Test(arguments: [
    ("http://www.example.com/a/b?x=1#top", "www.example.com", 80, "/a/b?x=1", "www.example.com"),
    ("http://WWW.Example.com:8080", "www.example.com", 8080, "/", "www.example.com:8080"),
    ("localhost:8080/a", "localhost", 8080, "/a", "localhost:8080"),
    ("HTTP://h?q", "h", 80, "/?q", "h"),
    ("http://h:443/", "h", 443, "/", "h:443"),
    ("http://[::1]:81/", "::1", 81, "/", "[::1]:81"),
    ("http://[2001:db8::1]/a", "2001:db8::1", 80, "/a", "[2001:db8::1]"),
    ("http://h/a b/é", "h", 80, "/a%20b/%C3%A9", "h"),
    ("http://h/%20%zz", "h", 80, "/%20%zz", "h"),
  ])
  func `a URL comes apart`(
    source: String, host: String, port: Int, target: String, authority: String
  ) throws {
    let url = try ClientURL(parsing: source)
    #expect(url.host == host)
    #expect(url.port == UInt16(port))
    #expect(url.target == target)
    #expect(url.authority == authority)
  }

  @Test(arguments: [
    "", "http://", "http:///a", "http://h:0/", "http://h:99999/", "http://h:x/", "ftp://h/",
    "http://user:secret@h/", "http://[::1/", "http://a b/", "http://::1/",
  ])
  func `what is no URL of a server is refused with a usage error`(source: String) {
    #expect {
      try ClientURL(parsing: source)
    } throws: { ($0 as? ClientError)?.fault == .usage }
  }

  @Test func `an https URL has the port of https`() throws {
    let url = try ClientURL(parsing: "HTTPS://Shop.example/a")
    #expect(url.scheme == .https)
    #expect(url.port == 443)
    #expect(url.authority == "shop.example")
    #expect(url.text == "https://shop.example/a")
    let other = try ClientURL(parsing: "https://shop.example:80/")
    #expect(other.authority == "shop.example:80")
  }

  @Test func `resolve names an address for one host and port`() throws {
    var route = ClientRoute()
    route.resolutions = [
      try .init(parsing: "a.example:80:192.0.2.1,[2001:db8::1]"),
      try .init(parsing: "*:81:192.0.2.2"),
    ]
    #expect(
      route.place(for: try ClientURL(parsing: "http://a.example/")).addresses
        == ["192.0.2.1", "2001:db8::1"])
    #expect(
      route.place(for: try ClientURL(parsing: "http://b.example:81/")).addresses == ["192.0.2.2"])
    #expect(route.place(for: try ClientURL(parsing: "http://b.example/")).addresses.isEmpty)
  }

  @Test(arguments: ["", "a", "a:80", "a:80:", "a:x:192.0.2.1", ":80:192.0.2.1", "a:80:b.example"])
  func `a resolve that is none is refused`(text: String) {
    #expect(throws: ValueError.self) { try ClientRoute.Resolution(parsing: text) }
  }

  @Test(arguments: [
    ("127.0.0.1:8080", ClientRoute.Place.tcp(host: "127.0.0.1", port: 8080)),
    ("[::1]:8080", .tcp(host: "::1", port: 8080)),
    ("a.example:80:b.example:81", .tcp(host: "b.example", port: 81)),
    ("::b.example:81", .tcp(host: "b.example", port: 81)),
    ("a.example::b.example:", .tcp(host: "b.example", port: 80)),
    ("other.example:80:b.example:81", .tcp(host: "a.example", port: 80)),
    (":81:b.example:81", .tcp(host: "a.example", port: 80)),
    ("unix:/run/e.sock", .unix("/run/e.sock")),
  ])
  func `connect-to leads elsewhere`(text: String, place: ClientRoute.Place) throws {
    var route = ClientRoute()
    route.redirections = [try .init(parsing: text)]
    #expect(route.place(for: try ClientURL(parsing: "http://a.example/")).place == place)
  }

  @Test(arguments: ["", "a", "a:b", ":80", "a:80:b", "a:80:b:c", "unix:", "[::1:80"])
  func `a connect-to that is none is refused`(text: String) {
    #expect(throws: ValueError.self) { try ClientRoute.Redirection(parsing: text) }
  }

  @Test func `the head carries the defaults and what was added`() throws {
    var request = ClientRequest(url: try ClientURL(parsing: "http://h:81/a"))
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
    #expect(throws: ValueError.self) { try HeaderField(parsing: text) }
  }
}
