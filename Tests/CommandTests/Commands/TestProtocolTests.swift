// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

/// `atoll test` at a port that speaks TLS when asked in the clear, and the other way round.
@Suite(.timeLimit(.minutes(20)))
struct TestProtocolTests {
  private static let certificate = TestAuthority.selfSigned("DNS:www.example.com")

  private func expect(
    _ finished: Finished, says what: String, at port: UInt16, sourceLocation: SourceLocation
  ) {
    #expect(
      finished.stderr == """
        atoll: error: http://127.0.0.1:\(port)/a: 127.0.0.1:\(port) \(what)
        atoll: hint: ask for https://127.0.0.1:\(port)/a

        """, sourceLocation: sourceLocation)
  }

  private func expectOnlyTLS(
    at port: UInt16, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let finished = runAtoll(["test", "http://127.0.0.1:\(port)/a"])
    #expect(finished.exitCode == 1, sourceLocation: sourceLocation)
    #expect(finished.stdout == "", sourceLocation: sourceLocation)
    expect(
      finished, says: "speaks TLS on this port, and was asked in the clear", at: port,
      sourceLocation: sourceLocation)
  }

  /// What a server says that has a response for those who ask in the clear.
  private func expectExplained(
    at port: some CustomStringConvertible, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let finished = runAtoll(["test", "http://127.0.0.1:\(port)/a"])
    #expect(finished.exitCode == 0, sourceLocation: sourceLocation)
    #expect(finished.stderr == "", sourceLocation: sourceLocation)
    #expect(finished.stdout.contains("  400  "), sourceLocation: sourceLocation)
    #expect(
      finished.stdout.hasSuffix(
        "  not cached: 127.0.0.1:\(port) speaks TLS on this port, and was asked in the clear; "
          + "ask for https://127.0.0.1:\(port)/a\n"),
      "\(finished.stdout)", sourceLocation: sourceLocation)
    let json = runAtoll(["test", "--json", "http://127.0.0.1:\(port)/a"])
    #expect(json.exitCode == 0, sourceLocation: sourceLocation)
    #expect(
      json.stderr == """
        atoll: warning: http://127.0.0.1:\(port)/a: 127.0.0.1:\(port) speaks TLS on this port, and \
        was asked in the clear
        atoll: hint: ask for https://127.0.0.1:\(port)/a

        """, sourceLocation: sourceLocation)
  }

  @Test func `the edge's own port for TLS is told`() throws {
    let origin = ScriptedServer(response())
    defer { origin.stop() }
    let edge = try RunningEdge(
      ["http://127.0.0.1:\(origin.port)", "--https", "127.0.0.1:0", "--access-log", "off"])
    expectExplained(at: edge.securePort)
  }

  @Test(.enabled(if: RealOrigin.hasNginx))
  func `nginx's port for TLS is told`() throws {
    let origin = try RealOrigin.nginx("expires 1h;", certificate: Self.certificate)
    expectExplained(at: origin.port)
  }

  @Test func `so is a server that closes the connection`() {
    let server = ScriptedServer(response())
    defer { server.stop() }
    let front = TLSFront(Self.certificate, to: server.port)
    defer { front.stop() }
    expectOnlyTLS(at: front.port)
  }

  @Test(arguments: ["\u{15}\u{3}\u{1}\0\u{2}\u{2}\u{46}", "\u{15}"])
  func `so is one that sends an alert`(alert: String) {
    let server = ScriptedServer(alert)
    defer { server.stop() }
    expectOnlyTLS(at: server.port)
    #expect(server.requests.count == 1)
  }

  @Test func `another 400 is as any response`() {
    let server = ScriptedServer([
      .init(response(status: "400 Bad Request")), .init(response(status: "400 Bad Request")),
      .init(response(status: "400 Bad Request"), speaksFirst: true),
    ])
    defer { server.stop() }
    let finished = runAtoll(["test", "http://127.0.0.1:\(server.port)/a"])
    #expect(finished.exitCode == 0)
    #expect(finished.stdout.contains("  400  "))
    #expect(!finished.stdout.contains("TLS"), "\(finished.stdout)")
  }

  @Test func `another server that closes the connection is told as that`() {
    let server = ScriptedServer([.init(""), .init("", speaksFirst: true)])
    defer { server.stop() }
    let finished = runAtoll(["test", "http://127.0.0.1:\(server.port)/a"])
    #expect(finished.exitCode == 1)
    #expect(finished.stderr.contains("closed the connection without an answer"))
  }

  // MARK: TLS where there is none

  private func expectNoTLS(
    at port: some CustomStringConvertible, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let finished = runAtoll(["test", "https://127.0.0.1:\(port)/a"])
    #expect(finished.exitCode == 1, sourceLocation: sourceLocation)
    #expect(finished.stdout == "", sourceLocation: sourceLocation)
    #expect(
      finished.stderr == """
        atoll: error: https://127.0.0.1:\(port)/a: 127.0.0.1:\(port) does not speak TLS on this port
        atoll: hint: ask for http://127.0.0.1:\(port)/a, or name a port that speaks TLS

        """, sourceLocation: sourceLocation)
  }

  @Test func `the edge's port in the clear is told`() throws {
    let origin = ScriptedServer(response())
    defer { origin.stop() }
    let edge = try RunningEdge(["http://127.0.0.1:\(origin.port)", "--access-log", "off"])
    expectNoTLS(at: edge.address.split(separator: ":").last!)
  }

  @Test(.enabled(if: RealOrigin.hasNginx))
  func `nginx's port in the clear is told`() throws {
    let origin = try RealOrigin.nginx("expires 1h;")
    expectNoTLS(at: origin.port)
  }

  @Test func `a server that says nothing but closes may be in the clear`() {
    let server = ScriptedServer([.init("", speaksFirst: true)])
    defer { server.stop() }
    let finished = runAtoll(["test", "https://127.0.0.1:\(server.port)/a"])
    #expect(finished.exitCode == 1)
    #expect(finished.stderr.contains("closed the connection during the TLS handshake"))
    #expect(
      finished.stderr.hasSuffix(
        "hint: ask for http://127.0.0.1:\(server.port)/a, or name a port that speaks TLS\n"))
  }
}
