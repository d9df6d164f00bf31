// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

/// The binary before an nginx that speaks TLS, as a user runs both.
@Suite(.timeLimit(.minutes(20)))
struct OriginTLSServeTests {
  private static let authority = TestAuthority(name: "Shop CA")
  private static let directory = TemporaryDirectory()
  private static let ca = directory.write("ca.pem", authority.certificate)

  @Test(.enabled(if: RealOrigin.hasNginx))
  func `a verified nginx is cached, with a file of trust named from here`() throws {
    let origin = try RealOrigin.nginx(
      "expires 1h;", certificate: Self.authority.issue("DNS:localhost"))
    origin.site.write("a.txt", "over TLS")
    let edge = try RunningEdge(["https://localhost:\(origin.port)", "--origin-ca", Self.ca])
    #expect(edge.verdict("/a.txt").contains("miss, stored"))
    #expect(edge.verdict("/a.txt").contains("hit"))
    let straight = runAtoll([
      "test", "--ca", Self.ca, "--json", "https://localhost:\(origin.port)/a.txt",
    ])
    #expect(straight.exitCode == 0, "\(straight.stderr)")
    #expect(straight.stdout.contains("\"verified\": true"))
    #expect(straight.stdout.contains("\"issuer\": \"Shop CA\""))
    #expect(!edge.process.complained.contains("not verified"))
  }

  @Test(
    .enabled(if: RealOrigin.hasNginx),
    arguments: [
      (authority.issue("DNS:localhost", from: -7_200, until: -3_600), "expired", "renew it"),
      (authority.issue("DNS:shop.example"), "name", "--origin-server-name"),
      (TestAuthority.selfSigned("DNS:localhost"), "untrusted", "--origin-ca"),
    ])
  func `an nginx whose certificate does not verify is 502 with the reason`(
    certificate: TestCertificate, reason: String, advice: String
  ) throws {
    let origin = try RealOrigin.nginx("expires 1h;", certificate: certificate)
    origin.site.write("a.txt", "over TLS")
    let edge = try RunningEdge(["https://localhost:\(origin.port)", "--origin-ca", Self.ca])
    let result = runAtoll(["test", "--count", "1", edge.url + "/a.txt"])
    #expect(result.stdout.contains("502  error (origin-certificate-\(reason))"), "\(result.stdout)")
    #expect(result.stdout.contains(advice), "\(result.stdout)")
    #expect(edge.process.complained.contains("(origin-certificate-\(reason)): its certificate "))
    #expect(!origin.log.contains("a.txt"))
  }

  @Test(.enabled(if: RealOrigin.hasNginx))
  func `insecure serves it, and warns at the start and in show`() throws {
    let origin = try RealOrigin.nginx(
      "expires 1h;", certificate: TestAuthority.selfSigned("DNS:other.example"))
    origin.site.write("a.txt", "over TLS")
    let home = TemporaryDirectory()
    let store = home.path + "/store"
    let created = runAtoll(
      ["create", "shop", "--origin", "https://127.0.0.1:\(origin.port)", "--origin-insecure"],
      env: ["ATOLL_HOME": store])
    #expect(created.exitCode == 0, "\(created.stderr)")
    #expect(created.stderr.contains("warning: distribution \"shop\": "), "\(created.stderr)")
    let edge = try RunningEdge([], home: home)
    #expect(edge.verdict("/a.txt").contains("miss, stored"))
    #expect(
      edge.process.complained.contains(
        "warning: distribution \"shop\": the certificate of its origin, "
          + "https://127.0.0.1:\(origin.port), is not verified"))
    let shown = edge.atoll("show", "shop")
    #expect(shown.stdout.contains("verification of the certificate"), "\(shown.stdout)")
    #expect(shown.stderr.contains("is not verified"), "\(shown.stderr)")
    let explained = edge.atoll(
      "test", "--explain", "--count", "1", "http://shop.atoll.localhost/a.txt", "--connect-to",
      edge.address)
    #expect(explained.stderr.contains("is not verified"), "\(explained.stderr)")
    // What is about another says nothing of it.
    let other = edge.atoll("create", "blog", "--origin", "http://127.0.0.1:9")
    #expect(other.exitCode == 0 && other.stderr.isEmpty, "\(other.stderr)")
    #expect(!edge.atoll("show", "blog").stderr.contains("is not verified"))
    #expect(edge.atoll("delete", "blog", "--yes").exitCode == 0)
    // Back on its feet.
    #expect(edge.atoll("update", "shop", "--origin-verify", "on").stderr.isEmpty)
    #expect(edge.verdict("/b.txt").contains("origin-certificate-untrusted"))
  }
}
