// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

struct TrustedProxiesTests {
  private func read(
    _ fields: [String], peer: String?, trusted: [String]
  ) -> (viewer: String?, port: UInt16?, scheme: Scheme?) {
    let request = GivenRequest("GET /a", fields)
    let found = ForwardedRequest(
      request.head, request.base, peer: peer.flatMap { IPAddress($0) },
      trusted: TrustedProxies(trusted))
    return (
      found.viewer.map { String(decoding: $0.text, as: UTF8.self) }, found.viewer?.port,
      found.scheme
    )
  }

  private static let proxies = ["10.0.0.0/8", "2001:db8::/32"]

  @Test(
    arguments: [
      // The rightmost address that is no proxy's.
      (["192.0.2.1"], "10.0.0.1", "192.0.2.1"),
      (["192.0.2.1, 10.0.0.2"], "10.0.0.1", "192.0.2.1"),
      (["192.0.2.1, 10.0.0.3, 10.0.0.2"], "10.0.0.1", "192.0.2.1"),
      // What a viewer invents stands before it.
      (["203.0.113.9, 192.0.2.1, 10.0.0.2"], "10.0.0.1", "192.0.2.1"),
      (["10.0.0.9, 192.0.2.1"], "10.0.0.1", "192.0.2.1"),
      (["203.0.113.9", "192.0.2.1", "10.0.0.2"], "10.0.0.1", "192.0.2.1"),
      // Proxies all the way: the one that is farthest away.
      (["10.0.0.3, 10.0.0.2"], "10.0.0.1", "10.0.0.3"),
      // Nothing to believe beyond what is no address.
      (["192.0.2.1, unknown, 10.0.0.2"], "10.0.0.1", "10.0.0.2"),
      (["192.0.2.1, unknown"], "10.0.0.1", nil), (["unknown"], "10.0.0.1", nil),
      (["_hidden"], "10.0.0.1", nil), ([""], "10.0.0.1", nil), ([], "10.0.0.1", nil),
      ([", ,"], "10.0.0.1", nil), ([" 192.0.2.1 ,"], "10.0.0.1", "192.0.2.1"),
      // Both families, with ports and brackets.
      (["192.0.2.1:4711"], "10.0.0.1", "192.0.2.1"), (["2001:db9::1"], "10.0.0.1", "2001:db9::1"),
      (["[2001:db9::1]"], "10.0.0.1", "2001:db9::1"),
      (["[2001:db9::1]:4711"], "10.0.0.1", "2001:db9::1"), (["[2001:db9::1"], "10.0.0.1", nil),
      (["[2001:db9::1]4711"], "10.0.0.1", nil), (["192.0.2.1"], "2001:db8::5", "192.0.2.1"),
      (["192.0.2.1, ::ffff:10.0.0.7"], "::ffff:10.0.0.1", "192.0.2.1"),
      // A peer that is not trusted says nothing.
      (["192.0.2.1"], "203.0.113.1", nil), (["192.0.2.1"], nil, nil),
    ] as [([String], String?, String?)])
  func `the viewer is the rightmost address that is not trusted`(
    forwardedFor: [String], peer: String?, expected: String?
  ) {
    let fields = forwardedFor.map { "X-Forwarded-For: \($0)" }
    #expect(read(fields, peer: peer, trusted: Self.proxies).viewer == expected)
  }

  @Test func `a port is told where the proxy tells it`() {
    let fields = ["X-Forwarded-For: 192.0.2.1:4711"]
    #expect(read(fields, peer: "10.0.0.1", trusted: Self.proxies).port == 4711)
    #expect(read(["X-Forwarded-For: 192.0.2.1"], peer: "10.0.0.1", trusted: Self.proxies).port == 0)
  }

  @Test(
    arguments: [
      (["https"], "192.0.2.1", .https), (["HTTPS"], "192.0.2.1", .https),
      (["http"], "192.0.2.1", .http), (["ftp"], "192.0.2.1", nil), ([], "192.0.2.1", nil),
      // Written by each proxy: the one that the viewer asked counts.
      (["https, http"], "192.0.2.1, 10.0.0.2", .https),
      (["http, https"], "192.0.2.1", .https), (["http", "https"], "192.0.2.1", .https),
      // Replaced by each proxy: there is one.
      (["https"], "192.0.2.1, 10.0.0.3, 10.0.0.2", .https), (["https"], nil, .https),
    ] as [([String], String?, Scheme?)])
  func `the scheme is the one in which the viewer came`(
    proto: [String], forwardedFor: String?, expected: Scheme?
  ) {
    let fields =
      proto.map { "X-Forwarded-Proto: \($0)" }
      + (forwardedFor.map { ["X-Forwarded-For: \($0)"] } ?? [])
    #expect(read(fields, peer: "10.0.0.1", trusted: Self.proxies).scheme == expected)
    #expect(read(fields, peer: "203.0.113.1", trusted: Self.proxies).scheme == nil)
  }

  @Test func `peers of a Unix socket have to be named`() {
    let fields = ["X-Forwarded-For: 192.0.2.1"]
    #expect(read(fields, peer: nil, trusted: ["unix:"]).viewer == "192.0.2.1")
    #expect(read(fields, peer: nil, trusted: ["0.0.0.0/0", "::/0"]).viewer == nil)
  }
}
