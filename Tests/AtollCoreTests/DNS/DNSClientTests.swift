// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import TestSupport
import Testing

struct DNSClientTests {
  private static let zone: [String: [String]] = [
    "example.com SOA": ["ns1.example.com"],
    "example.com NS": ["ns1.example.com", "ns2.example.net", "gone.example.com"],
    "ns1.example.com A": ["127.0.0.1"],
    "example.net SOA": ["ns2.example.net"],
    "ns2.example.net A": ["127.0.0.1"],
    "www.example.com CNAME": ["web.example.com"],
    "web.example.com A": ["192.0.2.1", "192.0.2.2"],
    "web.example.com AAAA": ["2001:db8::1"],
    "away.example.com CNAME": ["host.example.net"],
    "host.example.net A": ["192.0.2.9"],
    "lost.example.com CNAME": ["nothing.example.net"],
    "round.example.com CNAME": ["again.example.com"],
    "again.example.com CNAME": ["round.example.com"],
    "_acme-challenge.example.com TXT": ["first", String(repeating: "x", count: 300)],
    "example.com CAA": ["0 issue ca.example", "128 iodef mailto:a@example.com"],
    "example.com MX": ["10 mail.example.com"],
  ]

  private func withServer(
    _ faults: [ScriptedNameServer.Fault] = [],
    _ body: (ScriptedNameServer, DNSClient) throws -> Void
  ) throws {
    let server = ScriptedNameServer(Self.zone, faults: faults)
    defer { server.end() }
    let place = try #require(DNSServer(server.address))
    try body(
      server, DNSClient(servers: [place], timeout: 5, attempts: 2, zonePort: server.port))
  }

  private func name(_ text: String) -> DNSName { DNSName(text)! }

  @Test func `addresses behind an alias`() throws {
    try withServer { server, client in
      let reply = try client.addresses(of: name("WWW.example.com"))
      #expect(reply.addresses.map(\.description) == ["192.0.2.1", "192.0.2.2", "2001:db8::1"])
      #expect(reply.chain.map(\.description) == ["www.example.com", "web.example.com"])
      #expect(reply.isAuthoritative)
      #expect(server.queries == ["udp www.example.com A", "udp www.example.com AAAA"])
    }
  }

  @Test func `a name that is not there, and one without the type`() throws {
    try withServer { _, client in
      let missing = try client.query(name("no.example.com"), .a)
      #expect(missing.outcome == .noName && missing.zone == name("example.com"))
      let empty = try client.query(name("web.example.com"), .txt)
      #expect(empty.outcome == .noData && empty.texts.isEmpty)
      let lost = try client.query(name("lost.example.com"), .a)
      #expect(lost.outcome == .noName && lost.canonicalName == name("nothing.example.net"))
      #expect(try client.addresses(of: name("no.example.com")).outcome == .noName)
    }
  }

  @Test func `text, authorization and mail`() throws {
    try withServer { _, client in
      let text = try client.query(name("_acme-challenge.example.com"), .txt)
      #expect(text.texts == ["first", String(repeating: "x", count: 300)])
      #expect(
        try client.query(name("example.com"), .caa).records.map(\.data) == [
          .caa(isCritical: false, tag: "issue", value: Array("ca.example".utf8)),
          .caa(isCritical: true, tag: "iodef", value: Array("mailto:a@example.com".utf8)),
        ])
      #expect(
        try client.query(name("example.com"), .mx).records.map(\.data) == [
          .mx(preference: 10, name("mail.example.com"))
        ])
      #expect(
        try client.query(name("www.example.com"), .cname).records.map(\.data) == [
          .cname(name("web.example.com"))
        ])
    }
  }

  @Test func `a circle of aliases is an error`() throws {
    try withServer { _, client in
      #expect(throws: DNSError.aliases(name("round.example.com"))) {
        try client.query(name("round.example.com"), .a)
      }
    }
  }

  @Test func `where a server stops at an alias the rest is asked for`() throws {
    try withServer([.stopsAtAlias]) { server, client in
      let reply = try client.query(name("away.example.com"), .a)
      #expect(reply.addresses.map(\.description) == ["192.0.2.9"])
      #expect(reply.canonicalName == name("host.example.net"))
      #expect(server.queries == ["udp away.example.com A", "udp host.example.net A"])
    }
    try withServer([.stopsAtAlias]) { _, client in
      let reply = try client.asking(client.servers).query(name("away.example.com"), .a)
      #expect(reply.outcome == .elsewhere && reply.canonicalName == name("host.example.net"))
    }
  }

  @Test func `an answer too long for a datagram comes over TCP`() throws {
    try withServer([.truncated]) { server, client in
      let reply = try client.query(name("web.example.com"), .a)
      #expect(reply.addresses.count == 2)
      #expect(server.queries == ["udp web.example.com A", "tcp web.example.com A"])
    }
  }

  @Test func `what answers another question is passed over`() throws {
    try withServer([.forgeries]) { _, client in
      let reply = try client.query(name("web.example.com"), .a)
      #expect(reply.addresses.map(\.description) == ["192.0.2.1", "192.0.2.2"])
    }
  }

  @Test func `an old server is asked without an announcement`() throws {
    try withServer([.refusesOptions]) { server, client in
      let reply = try client.query(name("web.example.com"), .a)
      #expect(reply.addresses.count == 2)
      #expect(server.queries.count == 2)
    }
  }

  @Test func `a failing server is asked again, a refusing one is not`() throws {
    try withServer([.code(2)]) { server, client in
      let reply = try client.query(name("web.example.com"), .a)
      #expect(reply.addresses.count == 2)
      #expect(server.queries.count == 2)
    }
    try withServer([.code(2), .code(2)]) { _, client in
      #expect(throws: DNSError.failure(client.servers[0], code: 2)) {
        try client.query(name("web.example.com"), .a)
      }
    }
    try withServer([.code(5)]) { server, client in
      #expect(throws: DNSError.failure(client.servers[0], code: 5)) {
        try client.query(name("web.example.com"), .a)
      }
      #expect(server.queries.count == 1)
    }
  }

  @Test func `a silent server is asked twice, then the next`() throws {
    let silent = ScriptedNameServer([:], faults: [.silent, .silent])
    let other = ScriptedNameServer(Self.zone)
    defer {
      silent.end()
      other.end()
    }
    let servers = try [silent, other].map { try #require(DNSServer($0.address)) }
    let client = DNSClient(servers: servers, timeout: 0.05, attempts: 2)
    #expect(try client.query(name("web.example.com"), .a).server == servers[1])
    let alone = DNSClient(servers: [servers[0]], timeout: 0.05, attempts: 1)
    #expect(throws: DNSError.noAnswer([servers[0]])) {
      try alone.query(name("web.example.com"), .a)
    }
    #expect(silent.queries.count == 2)
  }

  @Test func `a port where nobody listens is told at once`() throws {
    let server = ScriptedNameServer([:])
    let place = try #require(DNSServer(server.address))
    server.end()
    // The port is free as soon as its thread has closed it.
    let client = DNSClient(servers: [place], timeout: 0.1, attempts: 1)
    var seen: DNSError?
    for _ in 0..<100 {
      do throws(DNSError) { _ = try client.query(name("web.example.com"), .a) } catch {
        seen = error
        if case .unreachable = error { break }
      }
    }
    #expect(seen?.description == "the name server \(place) can't be reached: connection refused")
  }

  @Test(arguments: [
    ("example.com", "example.com"), ("www.example.com", "example.com"),
    ("a.b.c.example.com", "example.com"), ("no.such.example.net", "example.net"),
  ])
  func `the zone of a name`(text: String, apex: String) throws {
    try withServer { _, client in
      let zone = try client.zone(of: name(text))
      #expect(zone.apex == name(apex))
      if apex == "example.com" {
        #expect(zone.primary == name("ns1.example.com"))
        #expect(
          zone.servers.map(\.name.description) == [
            "ns1.example.com", "ns2.example.net", "gone.example.com",
          ])
        #expect(zone.servers.map(\.addresses.count) == [1, 1, 0])
      }
    }
  }

  @Test func `a zone nobody knows`() throws {
    try withServer { _, client in
      #expect(throws: DNSError.self) { try client.zone(of: name("example.org")) }
    }
  }

  @Test func `every server of the zone is asked by itself`() throws {
    try withServer { server, client in
      let results = try client.authoritative(name("_acme-challenge.example.com"), .txt)
      // Both names are of one address.
      #expect(results.map(\.server) == client.servers)
      #expect(try results[0].result.get().texts.first == "first")
    }
  }

  @Test(arguments: [
    ("192.0.2.1", "192.0.2.1"), ("192.0.2.1:5353", "192.0.2.1:5353"), ("::1", "::1"),
    ("[::1]", "::1"), ("[2001:db8::1]:8053", "[2001:db8::1]:8053"), ("127.0.0.1:53", "127.0.0.1"),
    ("fe80::1%1", "fe80::1%1"),
  ])
  func `a server's place`(text: String, shown: String) {
    #expect(DNSServer(text)?.description == shown)
  }

  @Test(arguments: [
    "", "ns.example.com", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "[::1", "[::1]5",
    "[192.0.2.1]:53", "::1%nothere0", "192.0.2.1:x",
  ])
  func `no server's place`(text: String) { #expect(DNSServer(text) == nil) }

  @Test func `the system's configuration`() {
    let text = """
      # made by hand
      nameserver 192.0.2.1
      nameserver\t2001:db8::53
      nameserver none
      nameserver 192.0.2.2
      nameserver 192.0.2.3
      search example.com
      options ndots:2 timeout:99 attempts:3 rotate
      """
    let configuration = ResolverConfiguration(text)
    #expect(configuration.servers.map(\.description) == ["192.0.2.1", "2001:db8::53", "192.0.2.2"])
    #expect(configuration.timeout == 30 && configuration.attempts == 3)
    let empty = ResolverConfiguration("; nothing\n")
    #expect(empty.servers.map(\.description) == ["127.0.0.1"])
    #expect(empty.timeout == 5 && empty.attempts == 2)
  }
}
