// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Glibc
import Testing

/// Active health checks through the running edge (Lightsail, "Load balancer origins": a check on a
/// path, only healthy instances get requests).
@Suite(.timeLimit(.minutes(20)))
struct HealthCheckTests {
  /// An origin whose health and traffic a test sees apart.
  private final class Target: @unchecked Sendable {
    let status = Shared("200 OK")
    let checks = Event()
    let requests = Event()
    private(set) var origin: ScriptedOrigin!
    var port: UInt16 { origin.port }

    init(_ name: String) throws {
      origin = try ScriptedOrigin { [status, checks, requests] exchange in
        if exchange.request.target == "/up" {
          checks.fire()
          try exchange.respond(status.value)
        } else {
          requests.fire()
          try exchange.respond("200 OK", "Cache-Control: no-store", body: name)
        }
      }
    }

    var check: ScriptedRequest? { origin.requests.first { $0.target == "/up" } }
  }
  private typealias ScriptedRequest = OriginRequest

  private static let check = HealthCheck(
    path: "/up", interval: 1, timeout: 1, unhealthyThreshold: 1, healthyThreshold: 1)

  private static func edge(
    _ ports: [UInt16], check: HealthCheck? = check, lines: Shared<[String]> = Shared([]),
    threads: Int = 2, _ change: (inout Distribution) -> Void = { _ in }
  ) throws -> EdgeUnderTest {
    try EdgeUnderTest(
      originPort: ports[0],
      {
        $0.origin.targets = ports.dropFirst().map { OriginTarget(host: "127.0.0.1", port: $0) }
        $0.origin.healthCheck = check
        change(&$0)
      },
      options: {
        $0.threads = threads
        $0.report = { line in lines.withLock { $0.append(line) } }
      })
  }

  private static func states(_ edge: EdgeUnderTest) -> [TargetReport.State] {
    edge.edge.health()[0].origins[0].targets.map(\.state)
  }

  @Test func `an unhealthy target gets no requests until it is healthy again`() throws {
    let a = try Target("a")
    let b = try Target("b")
    a.status.withLock { $0 = "500 Broken" }
    let lines = Shared<[String]>([])
    let edge = try Self.edge([a.port, b.port], lines: lines)
    #expect(eventually { Self.states(edge) == [.unhealthy, .up] })
    for index in 0..<6 { #expect(try edge.get("/\(index)").text == "b") }
    #expect(a.requests.count == 0)
    a.status.withLock { $0 = "200 OK" }
    #expect(eventually { Self.states(edge) == [.up, .up] })
    #expect(eventually { (try? edge.get("/").text) == "a" })
    let name = "distribution \"site\": target 127.0.0.1:\(a.port) of origin \"default\""
    #expect(
      lines.value == [
        "\(name) is unhealthy: 1 failed check, the last one: status 500",
        "\(name) is healthy again",
      ])
  }

  @Test func `a check is a GET by the edge's name, once per interval for all loops`() throws {
    let target = try Target("a")
    let edge = try Self.edge([target.port], threads: 4)
    #expect(target.checks.wait(times: 3, within: 10))
    #expect(target.origin.requestCount == target.checks.count)
    let check = try #require(target.check)
    #expect(check.method == "GET")
    #expect(check["host"] == "127.0.0.1:\(target.port)")
    #expect(check["user-agent"] == "atoll-health-check")
    #expect(check["connection"] == "close")
    withExtendedLifetime(edge) {}
  }

  @Test func `checks begin and end with the configuration`() throws {
    let target = try Target("a")
    let edge = try Self.edge([target.port], check: nil)
    #expect(!target.checks.wait(within: 1.5))
    try edge.reload { $0[0].origin.healthCheck = Self.check }
    #expect(target.checks.wait(times: 2))
    try edge.reload { $0[0].origin.healthCheck = nil }
    // One may have been under way.
    usleep(100_000)
    let count = target.checks.count
    usleep(1_500_000)
    #expect(target.checks.count == count)
  }

  @Test func `a disabled distribution checks nothing`() throws {
    let target = try Target("a")
    let edge = try Self.edge([target.port]) { $0.isEnabled = false }
    #expect(!target.checks.wait(within: 1.5))
    withExtendedLifetime(edge) {}
  }

  @Test func `what the checks found survives a change that does not concern them`() throws {
    let a = try Target("a")
    let b = try Target("b")
    a.status.withLock { $0 = "404 No" }
    let lines = Shared<[String]>([])
    let edge = try Self.edge([a.port, b.port], lines: lines)
    #expect(eventually { Self.states(edge) == [.unhealthy, .up] })
    try edge.reload { $0[0].settings.ttl.minimum = 1 }
    #expect(Self.states(edge) == [.unhealthy, .up])
    #expect(try edge.get("/").text == "b")
    let count = a.checks.count
    #expect(a.checks.wait(times: count + 2))
    #expect(lines.value.count == 1)
    // Without a check nobody says so any more.
    try edge.reload { $0[0].origin.healthCheck = nil }
    #expect(Self.states(edge) == [.up, .up])
  }

  @Test func `a check that gets no answer in time has failed`() throws {
    let silent = try ScriptedOrigin { $0.stall() }
    let edge = try Self.edge([silent.port])
    #expect(eventually { Self.states(edge) == [.unhealthy] })
    #expect(edge.edge.health()[0].origins[0].targets[0].lastFailure == "no answer in time")
  }

  @Test func `a check that is refused has failed, and the requests go on all the same`() throws {
    let refusing = try RefusingOrigin()
    let edge = try Self.edge([refusing.port])
    #expect(eventually { Self.states(edge) == [.unhealthy] })
    // The only target: better asked in vain than not at all.
    #expect(try edge.get("/").cacheStatus.contains { $0.contains("origin-connect") })
  }

  @Test(arguments: ["garbage\r\n\r\n", "", "HTTP/1.1 200 OK\r\nX: "])
  func `a check that gets nonsense has failed`(answer: String) throws {
    let origin = try ScriptedOrigin { exchange in
      try exchange.send(answer)
      exchange.close()
    }
    let edge = try Self.edge([origin.port])
    #expect(eventually { Self.states(edge) == [.unhealthy] })
  }

  @Test func `interim responses and heads in pieces are understood`() throws {
    let checks = Event()
    let origin = try ScriptedOrigin { exchange in
      for piece in ["HTTP/1.1 103 Early Hints\r\nLi", "nk: a\r\n\r\nHTTP/1.1 20", "4 Fine\r\n\r\n"]
      {
        try exchange.send(piece)
        usleep(20_000)
      }
      checks.fire()
      exchange.close()
    }
    var check = Self.check
    check.status = 204
    let edge = try Self.edge([origin.port], check: check)
    #expect(checks.wait(times: 2))
    let target = edge.edge.health()[0].origins[0].targets[0]
    #expect(target.isChecked)
    #expect(target.state == .up)
  }

  @Test func `every address of a name is asked before a check has failed`() throws {
    let target = try Target("a")
    let resolver = Resolver.finding("127.0.0.2", "127.0.0.1")
    let edge = try EdgeUnderTest(
      originPort: target.port,
      {
        $0.origin.host = "two.example"
        $0.origin.healthCheck = Self.check
      }, options: { $0.resolver = resolver })
    #expect(target.checks.wait(times: 2))
    #expect(Self.states(edge) == [.up])
  }

  @Test func `a member whose targets are all unhealthy is passed over`() throws {
    let a = try Target("a")
    let b = try Target("b")
    a.status.withLock { $0 = "503 Busy" }
    let edge = try Self.edge([a.port]) {
      $0.origins = [
        NamedOrigin(
          name: "second", origin: Origin(scheme: .http, host: "127.0.0.1", port: b.port))
      ]
      $0.originGroups = [OriginGroup(name: "both", members: ["default", "second"])]
      $0.settings.origin = "both"
    }
    #expect(eventually { Self.states(edge) == [.unhealthy] })
    #expect(try edge.get("/").text == "b")
    #expect(a.requests.count == 0)
    a.status.withLock { $0 = "200 OK" }
    #expect(eventually { Self.states(edge) == [.up] })
    #expect(try edge.get("/").text == "a")
  }
}
