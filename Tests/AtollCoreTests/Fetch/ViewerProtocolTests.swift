// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

/// CloudFront §5, viewer protocol policy.
struct ViewerProtocolTests {
  @Test(arguments: [
    (ViewerProtocol.allowAll, Method.get, UInt8(1), ViewerProtocolDecision.serve),
    (.allowAll, .post, 0, .serve),
    (.httpsOnly, .get, 1, .refuse),
    (.httpsOnly, .head, 0, .refuse),
    (.httpsOnly, .delete, 1, .refuse),
    (.redirectToHTTPS, .get, 1, .redirect(status: 301)),
    (.redirectToHTTPS, .get, 0, .redirect(status: 301)),
    (.redirectToHTTPS, .head, 1, .redirect(status: 301)),
    (.redirectToHTTPS, .post, 1, .redirect(status: 307)),
    (.redirectToHTTPS, .put, 1, .redirect(status: 307)),
    (.redirectToHTTPS, .patch, 1, .redirect(status: 307)),
    (.redirectToHTTPS, .delete, 1, .redirect(status: 307)),
    (.redirectToHTTPS, .options, 1, .redirect(status: 307)),
    (.redirectToHTTPS, .post, 0, .refuse),
    (.redirectToHTTPS, .delete, 0, .refuse),
  ])
  func `what a plain request gets`(
    policy: ViewerProtocol, method: Method, minorVersion: UInt8, decision: ViewerProtocolDecision
  ) {
    #expect(policy.decision(for: method, minorVersion: minorVersion, scheme: .http) == decision)
    #expect(policy.decision(for: method, minorVersion: minorVersion, scheme: .https) == .serve)
  }

  private func location(
    _ line: String, host: String?, ports: SecurePorts = SecurePorts()
  ) -> String? {
    let request = GivenRequest(line, [], host: host)
    var isWritten = false
    let text = writtenText {
      isWritten = appendSecureURL(request.head, request.base, ports: ports, to: $0)
    }
    if !isWritten { #expect(text.isEmpty) }
    return isWritten ? text : nil
  }

  @Test(arguments: [
    ("GET /a", "shop.example", "https://shop.example/a"),
    ("GET /a?b=c&d", "shop.example", "https://shop.example/a?b=c&d"),
    ("GET /a?", "shop.example", "https://shop.example/a?"),
    ("GET /%2e%2E/x?%0d", "shop.example", "https://shop.example/%2e%2E/x?%0d"),
    // https is on its own port.
    ("GET /a", "shop.example:80", "https://shop.example/a"),
    ("GET /a", "shop.example:8080", "https://shop.example/a"),
    ("GET /a", "shop.example:", "https://shop.example/a"),
    ("GET /a", "[2001:db8::1]:8080", "https://[2001:db8::1]/a"),
    ("GET /a", "[2001:db8::1]", "https://[2001:db8::1]/a"),
    ("GET /a", "Shop_1.example", "https://Shop_1.example/a"),
    // The target's authority counts (RFC 9112 §3.2.2).
    ("GET http://other.example:81/x?y", "shop.example", "https://other.example/x?y"),
    ("GET http://other.example?y", "shop.example", "https://other.example/?y"),
    ("GET http://other.example", "shop.example", "https://other.example/"),
    // Two slashes stay part of the path, behind the host.
    ("GET //evil.example/x", "shop.example", "https://shop.example//evil.example/x"),
  ])
  func `the same URL on https`(line: String, host: String, url: String) {
    #expect(location(line, host: host) == url)
  }

  @Test(
    arguments: [
      // On its own port, whoever came to one of its own.
      ([8080], [8443], "shop.example:8080", "https://shop.example:8443/a"),
      ([8080], [8443], "[2001:db8::1]:8080", "https://[2001:db8::1]:8443/a"),
      ([80], [8443], "shop.example", "https://shop.example:8443/a"),
      ([80], [8443], "shop.example:80", "https://shop.example:8443/a"),
      ([8080, 8081], [8443, 9443], "shop.example:8081", "https://shop.example:8443/a"),
      ([80, 8080], [8443, 443], "shop.example:8080", "https://shop.example/a"),
      ([80], [443], "shop.example", "https://shop.example/a"),
      // Something maps the ports.
      ([8080], [8443], "shop.example", "https://shop.example/a"),
      ([8080], [8443], "shop.example:80", "https://shop.example/a"),
      ([8080], [8443], "shop.example:18080", "https://shop.example/a"),
      ([8080], [8443], "shop.example:", "https://shop.example/a"),
      // TLS ends before the edge.
      ([8080], [], "shop.example:8080", "https://shop.example/a"),
      ([80], [], "shop.example", "https://shop.example/a"),
    ] as [([UInt16], [UInt16], String, String)])
  func `the edge's own port for TLS`(
    clear: [UInt16], secure: [UInt16], host: String, url: String
  ) {
    #expect(
      location("GET /a", host: host, ports: SecurePorts(clear: clear, secure: secure)) == url)
  }

  @Test(arguments: ["a'b.example", "a%41.example", "a;b", "a,b", "a(b)", "a!b", "a=b", "a$b", "*"])
  func `no URL is built from a host that no name has`(host: String) {
    #expect(location("GET /a", host: host) == nil)
  }

  @Test func `no URL is built without a host`() {
    #expect(location("GET /a HTTP/1.0", host: nil) == nil)
  }
}
