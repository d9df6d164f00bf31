// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import CTLS
import Glibc
import TestSupport
import Testing

/// Origins over TLS: verified, resumed, never mixed with others, never believed when cut off.
@Suite(.timeLimit(.minutes(20)))
struct OriginTLSTests {
  private static let authority = TestAuthority()
  private static let good = authority.issue("IP:127.0.0.1", "DNS:localhost")
  private static let directory = TemporaryDirectory()
  private static let ca = directory.write("ca.pem", authority.certificate)

  /// An edge whose one distribution asks `port` of `host` over TLS and trusts the test's authority.
  private func edge(
    _ port: UInt16, host: String = "127.0.0.1", lines: Shared<[String]> = Shared([]),
    _ change: (inout Distribution) -> Void = { _ in }
  ) throws -> EdgeUnderTest {
    try EdgeUnderTest(
      originPort: port,
      {
        $0.origin.scheme = .https
        $0.origin.host = host
        $0.origin.tls.ca = Self.ca
        change(&$0)
      }, options: { $0.report = { line in lines.withLock { $0.append(line) } } })
  }

  private func plainOrigin(_ body: String = "body", _ fields: String = "max-age=60") throws
    -> ScriptedOrigin
  {
    try ScriptedOrigin { try $0.respond("200 OK", "Cache-Control: \(fields)", body: body) }
  }

  // MARK: Responses

  @Test func `a verified origin is asked, stored and asked again on the same connection`() throws {
    let origin = try plainOrigin()
    let front = TLSFront(Self.good, to: origin.port)
    defer { front.stop() }
    let edge = try edge(front.port, host: "localhost")
    for path in ["/a", "/b", "/c"] {
      #expect(try edge.get(path).text == "body")
      #expect(try edge.get(path).isHit)
    }
    #expect(
      front.handshakes == [
        .init(
          name: "localhost", isResumed: false, version: "TLSv1.3", client: nil,
          application: "http/1.1")
      ])
    #expect(origin.requests.first?["host"] == "localhost:\(front.port)")
    #expect(origin.connectionCount == 1)
  }

  @Test(arguments: [0, 1, 16_384, 16_385, 1_500_000])
  func `bodies of any length pass, each with its end`(length: Int) throws {
    let body = String(repeating: "x", count: length)
    let origin = try ScriptedOrigin { exchange in
      if exchange.request.method == "POST" {
        let sent = try exchange.readBody()
        return try exchange.respond(body: "\(sent.bytes.count)")
      }
      switch exchange.request.target {
      case "/chunked":
        try exchange.sendHead("200 OK", "Cache-Control: max-age=60", "Transfer-Encoding: chunked")
        for start in stride(from: 0, to: length, by: 70_000) {
          let count = min(70_000, length - start)
          try exchange.send("\(String(count, radix: 16))\r\n\(body.prefix(count))\r\n")
        }
        try exchange.send("0\r\n\r\n")
      case "/close":
        try exchange.sendHead("200 OK", "Cache-Control: max-age=60")
        try exchange.send(body)
        exchange.close()
      default: try exchange.respond("200 OK", "Cache-Control: max-age=60", body: body)
      }
    }
    let front = TLSFront(Self.good, to: origin.port)
    defer { front.stop() }
    let edge = try edge(front.port)
    for path in ["/length", "/chunked", "/close", "/uncached?a"] {
      let response = try edge.get(path)
      #expect(response.isComplete)
      #expect(response.body.bytes.count == length, "\(path)")
      if path != "/uncached?a" { #expect(try edge.get(path).isHit, "\(path)") }
    }
    let posted = try edge.viewer().request("POST", "/", body: body)
    #expect(posted.text == "\(length)")
  }

  @Test(arguments: [true, false])
  func `a body without length that is cut off is never taken for whole`(cutsOff: Bool) throws {
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead("200 OK", "Cache-Control: max-age=60")
      try exchange.send("half")
      exchange.close()
    }
    var settings = TLSFront.Settings(Self.good)
    settings.cutsOff = cutsOff
    let front = TLSFront(settings, to: origin.port)
    defer { front.stop() }
    let edge = try edge(front.port)
    let first = try edge.get("/")
    #expect(first.text == "half")
    #expect(first.isComplete == !cutsOff)
    #expect(try edge.get("/").isHit == !cutsOff)
  }

  @Test func `a close_notify ends a body, though the connection stays open`() throws {
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead("200 OK", "Cache-Control: max-age=60")
      try exchange.send("whole")
      exchange.close()
    }
    var settings = TLSFront.Settings(Self.good)
    settings.lingers = true
    let front = TLSFront(settings, to: origin.port)
    defer { front.stop() }
    let edge = try edge(front.port)
    for isHit in [false, true] {
      let response = try edge.get("/")
      #expect(response.text == "whole" && response.isComplete && response.isHit == isHit)
    }
  }

  @Test func `an origin that closes without an answer is 502 at once`() throws {
    let origin = try ScriptedOrigin { $0.close() }
    for (cutsOff, corks) in [(true, false), (false, false), (true, true), (false, true)] {
      var settings = TLSFront.Settings(Self.good)
      settings.cutsOff = cutsOff
      settings.corksTickets = corks
      let front = TLSFront(settings, to: origin.port)
      defer { front.stop() }
      let edge = try edge(front.port)
      #expect(try edge.get("/").status == 502)
    }
  }

  @Test func `an origin that leaves in the middle of the handshake is not waited for`() throws {
    let origin = try ScriptedOrigin(connections: { wire, _ in
      _ = try wire.receive()
      try wire.send([22, 3, 3, 0, 90, 2, 0])
    })
    let edge = try edge(origin.port)
    for index in 0..<3 {
      let viewer = try edge.viewer()
      viewer.wire.patience = 5
      #expect(try viewer.request("GET", "/\(index)").status == 502)
    }
  }

  @Test func `an upgrade passes through TLS`() throws {
    let origin = try ScriptedOrigin { exchange in
      try exchange.send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nearly")
      while try exchange.wire.receive() {
        try exchange.send(exchange.wire.take(exchange.wire.pendingCount))
      }
      exchange.close()
    }
    let front = TLSFront(Self.good, to: origin.port)
    defer { front.stop() }
    let edge = try edge(front.port)
    let viewer = try edge.viewer()
    try viewer.send(
      ScriptedViewer.head(
        "GET", "/chat",
        [
          "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ]))
    #expect(try viewer.readResponseHead().status == 101)
    #expect(try viewer.wire.read(5) == Array("early".utf8))
    let long = String(repeating: "y", count: 100_000)
    try viewer.send(long)
    #expect(try viewer.wire.read(100_000) == Array(long.utf8))
  }

  // MARK: Refusals

  /// What keeps an edge from asking.
  struct Refusal: Sendable, CustomTestStringConvertible {
    let certificate: TestCertificate
    let host: String
    let reason: String
    let detail: String

    var testDescription: String { detail }
  }

  private static let stranger = TestAuthority(name: "Somebody")
  private static let refusals = [
    Refusal(
      certificate: authority.issue("IP:127.0.0.1", from: -7_200, until: -3_600), host: "127.0.0.1",
      reason: "origin-certificate-expired", detail: "its certificate has expired on 2"),
    Refusal(
      certificate: authority.issue("IP:127.0.0.1", from: 3_600, until: 7_200), host: "127.0.0.1",
      reason: "origin-certificate-expired", detail: "its certificate is not valid before 2"),
    Refusal(
      certificate: authority.issue("DNS:shop.example", "IP:127.0.0.2"), host: "localhost",
      reason: "origin-certificate-name",
      detail: "its certificate is for shop.example, 127.0.0.2, not for localhost"),
    Refusal(
      certificate: authority.issue("DNS:shop.example", "IP:127.0.0.2"), host: "127.0.0.1",
      reason: "origin-certificate-name",
      detail: "its certificate is for shop.example, 127.0.0.2, not for 127.0.0.1"),
    Refusal(
      certificate: TestAuthority.selfSigned("IP:127.0.0.1"), host: "127.0.0.1",
      reason: "origin-certificate-untrusted", detail: "its certificate is self-signed"),
    Refusal(
      certificate: stranger.issue("IP:127.0.0.1"), host: "127.0.0.1",
      reason: "origin-certificate-untrusted",
      detail: "its certificate has an unknown issuer, \"Somebody\""),
  ]

  @Test(arguments: refusals)
  func `a certificate that does not verify is 502 with its reason`(refusal: Refusal) throws {
    let origin = try plainOrigin()
    let front = TLSFront(refusal.certificate, to: origin.port)
    defer { front.stop() }
    let lines = Shared<[String]>([])
    let edge = try edge(front.port, host: refusal.host, lines: lines)
    let response = try edge.get("/")
    #expect(response.status == 502)
    #expect(response.text.contains("reason: \(refusal.reason)\n"))
    #expect(response.cacheStatus.contains("detail=\(refusal.reason)"))
    #expect(origin.requestCount == 0)
    #expect(eventually { front.failures == 1 })
    let line = try #require(lines.value.first)
    #expect(
      line.hasPrefix(
        "distribution \"site\": origin https://\(refusal.host):\(front.port) failed "
          + "(\(refusal.reason)): \(refusal.detail)"))
    // Only whoever says so takes it.
    try edge.reload { $0[0].origin.tls.verify = false }
    #expect(try edge.get("/").text == "body")
  }

  @Test func `a target with a bad certificate is passed over for the next`() throws {
    let origin = try plainOrigin()
    let bad = TLSFront(TestAuthority.selfSigned("IP:127.0.0.1"), to: origin.port)
    defer { bad.stop() }
    let good = TLSFront(Self.good, to: origin.port)
    defer { good.stop() }
    let edge = try edge(bad.port) {
      $0.origin.targets = [OriginTarget(host: "127.0.0.1", port: good.port)]
      $0.origin.connectAttempts = 2
    }
    #expect(try edge.get("/").status == 200)
    #expect(try edge.viewer().request("POST", "/", body: "x").status == 200)
  }

  @Test func `an origin without TLS is told apart`() throws {
    let origin = try ScriptedOrigin(connections: { wire, _ in
      try wire.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
      _ = try wire.receive()
    })
    let lines = Shared<[String]>([])
    let edge = try edge(origin.port, lines: lines)
    let response = try edge.get("/")
    #expect(response.status == 502)
    #expect(response.text.contains("reason: origin-tls\n"))
    #expect(
      lines.value.first?.hasSuffix("(origin-tls): it does not speak TLS on this port") == true)
  }

  @Test func `the oldest version that will do can be raised`() throws {
    let origin = try plainOrigin()
    var settings = TLSFront.Settings(Self.good)
    settings.newest = TLS1_2_VERSION
    let front = TLSFront(settings, to: origin.port)
    defer { front.stop() }
    let edge = try edge(front.port)
    #expect(try edge.get("/a").status == 200)
    #expect(front.handshakes.map(\.version) == ["TLSv1.2"])
    try edge.reload { $0[0].origin.tls.minimumVersion = .tls13 }
    let response = try edge.get("/b")
    #expect(response.status == 502)
    #expect(response.text.contains("reason: origin-tls\n"))
  }

  @Test func `a handshake without end takes the time for connecting`() throws {
    let origin = try plainOrigin()
    var settings = TLSFront.Settings(Self.good)
    settings.isMute = true
    let front = TLSFront(settings, to: origin.port)
    defer { front.stop() }
    let edge = try edge(front.port) { $0.origin.connectTimeout = 1 }
    let response = try edge.get("/")
    #expect(response.status == 504)
    #expect(response.text.contains("reason: origin-timeout\n"))
  }

  // MARK: Names

  @Test func `where Host is set to a name, that is asked for and expected`() throws {
    let origin = try plainOrigin()
    let front = TLSFront(Self.authority.issue("DNS:www.shop.example"), to: origin.port)
    defer { front.stop() }
    let edge = try edge(front.port) { $0.origin.hostHeader = .name("www.shop.example:8443") }
    #expect(try edge.get("/").status == 200)
    #expect(front.handshakes.map(\.name) == ["www.shop.example"])
    #expect(origin.requests.first?["host"] == "www.shop.example:8443")
    // The target's own will do as well.
    let other = TLSFront(Self.authority.issue("DNS:localhost"), to: origin.port)
    defer { other.stop() }
    try edge.reload {
      $0[0].origin.host = "localhost"
      $0[0].origin.port = other.port
    }
    #expect(try edge.get("/b").status == 200)
  }

  @Test func `a server name replaces every other`() throws {
    let origin = try plainOrigin()
    let front = TLSFront(Self.authority.issue("DNS:inner.example"), to: origin.port)
    defer { front.stop() }
    let edge = try edge(front.port, host: "localhost") {
      $0.origin.hostHeader = .name("www.shop.example")
      $0.origin.tls.serverName = "inner.example"
    }
    #expect(try edge.get("/").status == 200)
    #expect(front.handshakes.map(\.name) == ["inner.example"])
    try edge.reload { $0[0].origin.tls.serverName = "other.example" }
    #expect(try edge.get("/b").text.contains("reason: origin-certificate-name\n"))
  }

  // MARK: Sessions and pools

  @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
  func `a new connection resumes the session of an earlier one`(version: Int32) throws {
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: no-store", "Connection: close")
      $0.close()
    }
    var settings = TLSFront.Settings(Self.good)
    settings.newest = version
    let front = TLSFront(settings, to: origin.port)
    defer { front.stop() }
    let edge = try edge(front.port)
    for _ in 0..<4 { #expect(try edge.get("/").status == 200) }
    #expect(front.handshakes.map(\.isResumed) == [false, true, true, true])
  }

  @Test func `connections and sessions of other settings are never used`() throws {
    let origin = try plainOrigin("body", "no-store")
    let front = TLSFront(TestAuthority.selfSigned("IP:127.0.0.1"), to: origin.port)
    defer { front.stop() }
    func distribution(_ name: String, verify: Bool) throws -> Distribution {
      try EdgeUnderTest.distribution(name, originPort: front.port) {
        $0.origin.scheme = .https
        $0.origin.tls.verify = verify
        $0.origin.tls.ca = Self.ca
      }
    }
    let edge = try EdgeUnderTest([
      try distribution("careless", verify: false), try distribution("careful", verify: true),
    ])
    for _ in 0..<3 {
      let viewer = try edge.viewer()
      try viewer.send("GET / HTTP/1.1\r\nHost: careless.atoll.localhost\r\n\r\n")
      #expect(try viewer.readResponse().status == 200)
      try viewer.send("GET / HTTP/1.1\r\nHost: careful.atoll.localhost\r\n\r\n")
      let response = try viewer.readResponse()
      #expect(response.status == 502)
      #expect(response.text.contains("reason: origin-certificate-untrusted\n"))
    }
    #expect(front.handshakes.count == 1)
    #expect(origin.connectionCount == 1)
  }

  @Test func `a change of something else leaves connections open`() throws {
    let origin = try plainOrigin()
    let front = TLSFront(Self.good, to: origin.port)
    defer { front.stop() }
    let edge = try edge(front.port)
    #expect(try edge.get("/a").status == 200)
    try edge.reload { $0[0].settings.ttl.maximum = 10 }
    #expect(try edge.get("/b").status == 200)
    #expect(front.handshakes.count == 1)
  }

  // MARK: Client certificates

  @Test func `an origin that asks who asks is told`() throws {
    let origin = try plainOrigin()
    var settings = TLSFront.Settings(Self.good)
    settings.clients = Self.authority.certificate
    let front = TLSFront(settings, to: origin.port)
    defer { front.stop() }
    let client = Self.authority.issue(common: "edge-7")
    let chain = Self.directory.write("client.pem", client.chain)
    let key = Self.directory.write("client.key", client.key)
    let lines = Shared<[String]>([])
    let edge = try edge(front.port, lines: lines)
    let refused = try edge.get("/a")
    #expect(refused.status == 502)
    #expect(refused.text.contains("reason: origin-tls\n"))
    #expect(lines.value.first?.hasSuffix(": it asks for a client certificate") == true)
    try edge.reload {
      $0[0].origin.tls.certificate = chain
      $0[0].origin.tls.key = key
    }
    #expect(try edge.get("/b").status == 200)
    #expect(front.handshakes.map(\.client) == ["edge-7"])
  }

  // MARK: match-viewer

  @Test func `an origin that matches viewers is asked as they came`() throws {
    let origin = try plainOrigin("body", "no-store")
    let front = TLSFront(Self.good, to: origin.port)
    defer { front.stop() }
    let edge = try EdgeUnderTest(origin) {
      $0.origin.httpsPort = Int(front.port)
      $0.origin.tls.ca = Self.ca
      $0.trustedProxies = ["127.0.0.1"]
    }
    #expect(try edge.get("/", "X-Forwarded-Proto: http").status == 200)
    #expect(front.handshakes.isEmpty)
    #expect(try edge.get("/", "X-Forwarded-Proto: https").status == 200)
    #expect(front.handshakes.count == 1)
    #expect(try edge.get("/").status == 200)
    #expect(
      origin.requests.map { $0["host"] } == [
        "127.0.0.1:\(origin.port)", "127.0.0.1:\(front.port)", "127.0.0.1:\(origin.port)",
      ])
    #expect(origin.connectionCount == 2)
  }

  // MARK: Health checks

  @Test func `health checks are made over TLS and verify`() throws {
    let origin = try plainOrigin()
    let good = TLSFront(Self.good, to: origin.port)
    defer { good.stop() }
    let bad = TLSFront(TestAuthority.selfSigned("IP:127.0.0.1"), to: origin.port)
    defer { bad.stop() }
    let lines = Shared<[String]>([])
    let edge = try edge(good.port, lines: lines) {
      $0.origin.targets = [OriginTarget(host: "127.0.0.1", port: bad.port)]
      $0.origin.healthCheck = HealthCheck(
        path: "/up", interval: 1, timeout: 1, unhealthyThreshold: 1, healthyThreshold: 1)
    }
    #expect(
      eventually {
        edge.edge.health()[0].origins[0].targets.map(\.state) == [.up, .unhealthy]
      })
    #expect(
      lines.value.first
        == "distribution \"site\": target 127.0.0.1:\(bad.port) of origin \"default\" is unhealthy: "
        + "1 failed check, the last one: its certificate is self-signed")
    #expect(eventually { origin.requests.contains { $0.target == "/up" } })
  }
}
