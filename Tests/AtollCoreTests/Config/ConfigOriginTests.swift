// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

@Suite struct ConfigOriginTests {
  @Test(arguments: [
    ("http://shop.example", "shop.example", 80, "", "http://shop.example"),
    ("http://shop.example/", "shop.example", 80, "", "http://shop.example"),
    ("HTTP://Shop.Example:8080", "shop.example", 8080, "", "http://shop.example:8080"),
    ("http://shop.example:80", "shop.example", 80, "", "http://shop.example"),
    ("https://shop.example", "shop.example", 443, "", "https://shop.example"),
    ("https://shop.example:80", "shop.example", 80, "", "https://shop.example:80"),
    ("http://10.0.0.1:3000/app/", "10.0.0.1", 3000, "/app", "http://10.0.0.1:3000/app"),
    ("http://[::1]:8080/a/b", "::1", 8080, "/a/b", "http://[::1]:8080/a/b"),
    ("http://[2001:DB8::1]", "2001:db8::1", 80, "", "http://[2001:db8::1]"),
    ("http://localhost:1", "localhost", 1, "", "http://localhost:1"),
    ("http://my_app", "my_app", 80, "", "http://my_app"),
    ("http://shop.example/%20a", "shop.example", 80, "/%20a", "http://shop.example/%20a"),
  ])
  func `an origin URL is taken apart and put together`(
    url: String, host: String, port: Int, path: String, printed: String
  ) throws {
    let origin = try Origin(url: url)
    #expect(origin.host == host)
    #expect(Int(origin.port) == port)
    #expect(origin.path == path)
    #expect(origin.url == printed)
    #expect(try Origin(url: origin.url) == origin)
  }

  @Test(arguments: [
    ("shop.example", "has no scheme", "write http://shop.example"),
    ("localhost:3000/app", "has no scheme", "write http://localhost:3000/app"),
    ("", "has no scheme", "write a URL such as"),
    ("http:/shop.example", "has no scheme", "write a URL such as"),
    ("unix:/run/app.sock", "has no scheme", "write a URL such as"),
    ("ftp://shop.example", "has the scheme \"ftp\"", "http:// or https://"),
    ("http://", "names no host", "write a URL"),
    ("http://:8080", "names no host", "write a URL"),
    ("http://shop.example:0", "port", "from 1 to 65535"),
    ("http://shop.example:65536", "port", "from 1 to 65535"),
    ("http://shop.example:+80", "port", "from 1 to 65535"),
    ("http://shop.example:", "port", "from 1 to 65535"),
    ("http://me:secret@shop.example", "carries a user name", "remove"),
    ("http://shop.example/?a=1", "query", "end the URL with its path"),
    ("http://shop.example#top", "query or a fragment", "end the URL with its path"),
    ("http://::1:8080", "IPv6 address without brackets", "http://[2001:db8::1]:8080"),
    ("http://[shop.example]", "no valid address between the brackets", "http://["),
    ("http://shop..example", "empty part", "write a URL"),
    ("http://-shop.example", "starts or ends with -", "write a URL"),
    ("http://sh op.example", "other than letters", "write a URL"),
    ("http://1.2.3", "neither a name nor an IPv4 address", "write a URL"),
    ("http://256.1.1.1", "neither a name nor an IPv4 address", "write a URL"),
    ("http://shop.example/a b", "no URL path may hold", "percent-encode"),
    ("http://shop.example/%zz", "hexadecimal digits", "%25"),
  ])
  func `a wrong origin URL is refused with the fix`(url: String, what: String, hint: String) {
    let problems = Sample.problems { _ = try Origin(url: url) }
    #expect(problems.count == 1)
    #expect(problems.first?.where == "origin")
    #expect(problems.first?.what.contains(what) == true, "\(problems)")
    #expect(problems.first?.hint.contains(hint) == true, "\(problems)")
  }

  @Test func `an id is d and 13 lower-case letters or digits, and never the same`() {
    let ids = (0..<1_000).map { _ in Distribution.makeID() }
    #expect(Set(ids).count == 1_000)
    for id in ids {
      #expect(id.utf8.count == 14)
      #expect(id.first == "d")
      #expect(id.allSatisfy { $0.isASCII && ($0.isNumber || $0.isLowercase) })
    }
  }
}
