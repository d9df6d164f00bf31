// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import atoll

/// Runs `atoll test` on a server that answers with the script, once for each request.
private func test(_ script: [ScriptedServer.Answer], _ words: [String] = [], path: String = "/a")
  -> (finished: Finished, requests: [String], origin: String)
{
  let server = ScriptedServer(script)
  defer { server.stop() }
  let origin = "http://127.0.0.1:\(server.port)"
  return (runAtoll(["test"] + words + [origin + path]), server.requests, origin)
}

private let miss = ScriptedServer.Answer(
  response("Cache-Status: atoll; fwd=uri-miss; fwd-status=200; stored; ttl=60"))
private let hit = ScriptedServer.Answer(response("Age: 2", "Cache-Status: atoll; hit; ttl=58"))

@Suite struct TestCommandTests {
  @Test func `a miss that becomes a hit is told`() {
    let (finished, requests, origin) = test([miss, hit])
    let lines = finished.stdout.split(separator: "\n").map(String.init)
    #expect(finished.exitCode == 0)
    #expect(finished.stderr == "")
    #expect(lines.count == 6)
    #expect(lines[0] == "GET \(origin)/a")
    #expect(lines[1] == "  1  200  miss, stored  ttl 1m  6 B")
    #expect(lines[2].hasPrefix("     dns "))
    #expect(lines[3] == "  2  200  hit  age 2s  ttl 58s  6 B")
    #expect(lines[5] == "  cached by atoll for another 58s")
    #expect(requests.count == 2)
    #expect(requests.allSatisfy { $0.hasPrefix("GET /a HTTP/1.1\r\nHost: 127.0.0.1:") })
  }

  @Test func `met expectations end with 0`() {
    let (finished, _, _) = test(
      [miss, hit],
      [
        "--expect", "hit", "--expect-status", "200", "--expect-header", "age: ?", "--expect-ttl",
        ">=30s",
      ])
    #expect(finished.exitCode == 0)
    #expect(finished.stderr == "")
  }

  @Test func `each unmet expectation is named and ends with 3`() {
    let (finished, _, origin) = test(
      [miss, hit],
      [
        "--expect", "miss", "--expect-status", "404", "--expect-header", "etag: *", "--expect-ttl",
        ">=10m",
      ])
    #expect(finished.exitCode == 3)
    #expect(
      finished.stderr == """
        atoll: error: \(origin)/a: expected miss, found hit
        atoll: error: \(origin)/a: expected status 404, found 200
        atoll: error: \(origin)/a: expected etag: *, found no such header
        atoll: error: \(origin)/a: expected ttl >= 10m, found 58s

        """)
  }

  @Test func `JSON is one document with what was measured`() {
    let (finished, _, origin) = test([miss, hit], ["--json", "--expect", "hit"])
    #expect(finished.exitCode == 0)
    #expect(finished.stderr == "")
    #expect(finished.stdout.hasPrefix("{\n  \"schemaVersion\": 1,\n  \"results\": [\n"))
    for part in [
      "\"url\": \"\(origin)/a\"", "\"cached\": true", "\"verdict\": \"hit\"", "\"ttl\": 58",
      "\"bytes\": 6", "\"met\": true", "\"dns\": ",
    ] {
      #expect(finished.stdout.contains(part), "\(part)")
    }
  }

  @Test func `the method and the headers are sent`() {
    let (_, requests, _) = test(
      [miss], ["--count", "1", "-X", "HEAD", "-H", "Host: www.example.com", "-H", "X-A: 1"])
    #expect(requests.count == 1)
    #expect(requests[0].hasPrefix("HEAD /a HTTP/1.1\r\n"))
    #expect(requests[0].contains("\r\nHost: www.example.com\r\n"))
    #expect(requests[0].contains("\r\nX-A: 1\r\n"))
  }

  @Test func `a chunked body is counted without its frame`() {
    let chunked =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      + "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nX: y\r\n\r\n"
    let (finished, _, _) = test([.init(chunked, staysOpen: true)], ["--json", "--count", "1"])
    #expect(finished.stdout.contains("\"bytes\": 13"))
  }

  @Test func `interim responses are passed over`() {
    let (finished, _, _) = test(
      [.init("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + response("X-Cache: HIT"))],
      ["--expect", "hit", "--expect-status", "200"])
    #expect(finished.exitCode == 0)
  }

  @Test func `a body until the end of the connection is read to its end`() {
    let (finished, _, _) = test([.init("HTTP/1.1 200 OK\r\n\r\nabc")], ["--json", "--count", "1"])
    #expect(finished.stdout.contains("\"bytes\": 3"))
  }

  @Test func `a hit with another body is warned of`() {
    let (finished, _, _) = test([miss, .init(response("Cache-Status: atoll; hit", body: "other"))])
    #expect(finished.exitCode == 0)
    #expect(finished.stderr.contains("warning:"))
    #expect(finished.stderr.contains("another body"))
  }

  @Test(arguments: [
    ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "after 3 of 9 bytes of the body"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "after 2 bytes of the body"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "malformed chunk"),
    ("HTTP/1.1 200", "in the middle of its answer"), ("", "without an answer"),
    ("SSH-2.0-OpenSSH_9\r\n\r\n", "does not answer in HTTP/1.1"),
  ])
  func `a broken answer is a failure`(script: String, words: String) {
    let (finished, _, _) = test([.init(script)], ["--json"])
    #expect(finished.exitCode == 1)
    #expect(finished.stdout == "")
    #expect(finished.stderr.contains(words), "\(finished.stderr)")
  }

  @Test func `a server that says nothing is given up in time`() {
    let (finished, _, _) = test([.init("", staysOpen: true)], ["--max-time", "1s"])
    #expect(finished.exitCode == 1)
    #expect(finished.stderr.contains("did not answer within 1 s"))
  }

  @Test func `a port without a server is named`() {
    let finished = runAtoll(["test", "http://127.0.0.1:1/"])
    #expect(finished.exitCode == 1)
    #expect(finished.stdout == "")
    #expect(
      finished.stderr == """
        atoll: error: http://127.0.0.1:1/: 127.0.0.1:1 refused the connection
        atoll: hint: is a server running there?

        """)
  }

  @Test func `the results of other URLs survive one that cannot be reached`() {
    let server = ScriptedServer(response("X-Cache: HIT"))
    defer { server.stop() }
    let finished = runAtoll([
      "test", "--json", "http://127.0.0.1:1/", "http://127.0.0.1:\(server.port)/",
    ])
    #expect(finished.exitCode == 1)
    #expect(finished.stdout.contains("refused the connection"))
    #expect(finished.stdout.contains("\"cached\": true"))
  }

  @Test func `a Unix socket can be asked for any host`() {
    let directory = TemporaryDirectory()
    let server = ScriptedServer(response("X-Cache: HIT"), path: directory.path + "/e.sock")
    defer { server.stop() }
    let finished = runAtoll([
      "test", "--expect", "hit", "--connect-to", "unix:\(directory.path)/e.sock",
      "http://www.example.com/",
    ])
    #expect(finished.exitCode == 0)
    #expect(server.requests.first?.contains("\r\nHost: www.example.com\r\n") == true)
  }

  @Test func `resolve and localhost names need no resolver`() {
    let server = ScriptedServer(response("X-Cache: HIT"))
    defer { server.stop() }
    for words in [
      [
        "--resolve", "www.example.com:\(server.port):127.0.0.1",
        "http://www.example.com:\(server.port)/",
      ],
      ["http://shop.atoll.localhost:\(server.port)/"],
    ] {
      #expect(runAtoll(["test", "--expect", "hit"] + words).exitCode == 0)
    }
  }

  @Test(arguments: [
    ["ftp://127.0.0.1/"], [], ["--expect", "unknown", "http://h/"],
    ["--expect-ttl", "10m", "http://h/"], ["--count", "0", "http://h/"],
    ["--method", "CONNECT", "http://h/"],
  ])
  func `a wrong command line ends with 2`(words: [String]) {
    let finished = runAtoll(["test"] + words)
    #expect(finished.exitCode == 2)
    #expect(finished.stdout == "")
    #expect(finished.stderr.hasPrefix("atoll: error: "))
  }

  // MARK: TLS

  /// Tests a server behind TLS, at `www.example.com`.
  private func testSecure(
    _ certificate: TestCertificate, _ words: [String] = []
  ) -> (finished: Finished, port: UInt16, requests: [String]) {
    let server = ScriptedServer([miss, hit])
    defer { server.stop() }
    let front = TLSFront(certificate, to: server.port)
    defer { front.stop() }
    let finished = runAtoll(
      ["test", "--resolve", "www.example.com:\(front.port):127.0.0.1"] + words
        + ["https://www.example.com:\(front.port)/a"])
    return (finished, front.port, server.requests)
  }

  @Test func `a certificate that verifies is told with version, names and end`() {
    let authority = TestAuthority()
    let directory = TemporaryDirectory()
    let file = directory.write("ca.pem", authority.certificate)
    let (finished, _, requests) = testSecure(
      authority.issue("DNS:www.example.com"), ["--ca", file, "--expect", "hit"])
    #expect(finished.exitCode == 0)
    #expect(finished.stderr == "")
    let lines = finished.stdout.split(separator: "\n")
    #expect(lines.count == 7)
    #expect(lines[2].contains(", tls "))
    #expect(lines[3].hasPrefix("     TLSv1.3, certificate for www.example.com until 20"))
    #expect(lines[3].hasSuffix("Z by \"Test Authority\""))
    #expect(requests.count == 2)
  }

  @Test func `a certificate that does not verify fails and says why`() {
    let (finished, port, requests) = testSecure(TestAuthority.selfSigned("DNS:www.example.com"))
    #expect(finished.exitCode == 1)
    #expect(finished.stdout == "")
    #expect(
      finished.stderr == """
        atoll: error: https://www.example.com:\(port)/a: the certificate of 127.0.0.1:\(port) \
        is self-signed
        atoll: hint: trust its authority with --ca <file>, or look at it with --insecure

        """)
    #expect(requests.isEmpty)
  }

  @Test func `insecure goes on, with a warning and in the JSON document`() {
    let certificate = TestAuthority().issue("DNS:other.example", until: -60)
    let (finished, port, _) = testSecure(certificate, ["--insecure", "--json"])
    #expect(finished.exitCode == 0)
    #expect(
      finished.stderr.hasPrefix(
        "atoll: warning: https://www.example.com:\(port)/a: the certificate "))
    for part in [
      "\"version\": \"TLSv1.3\"", "\"verified\": false", "\"names\": [\n", "\"other.example\"",
      "\"issuer\": \"Test Authority\"", "\"notAfter\": \"20", "\"fault\": \"",
    ] {
      #expect(finished.stdout.contains(part), "\(part)")
    }
  }

  @Test func `a file of trust that is not there is a usage error`() {
    let (finished, _, _) = testSecure(
      TestAuthority.selfSigned("DNS:www.example.com"), ["--ca", "/nonexistent.pem"])
    #expect(finished.exitCode == 2)
    #expect(finished.stderr.contains("the file \"/nonexistent.pem\" does not exist"))
  }

  @Test func `SSL_CERT_FILE replaces what the system trusts`() {
    let authority = TestAuthority()
    let directory = TemporaryDirectory()
    let file = directory.write("ca.pem", authority.certificate)
    let server = ScriptedServer([miss, hit])
    defer { server.stop() }
    let front = TLSFront(authority.issue("IP:127.0.0.1"), to: server.port)
    defer { front.stop() }
    let finished = runAtoll(
      ["test", "https://127.0.0.1:\(front.port)/a"], env: ["SSL_CERT_FILE": file])
    #expect(finished.exitCode == 0, "\(finished.stderr)")
  }
}
