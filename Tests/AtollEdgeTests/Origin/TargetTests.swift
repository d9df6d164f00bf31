// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Glibc
import Testing

/// Several targets of an origin: how requests are shared out, who is left alone for a while, and how
/// it comes back (Lightsail, "Load balancer origins").
@Suite(.timeLimit(.minutes(20)))
struct TargetTests {
  /// Answers with its own name; nothing is stored.
  private static func target(_ name: String) throws -> ScriptedOrigin {
    try ScriptedOrigin { try $0.respond("200 OK", "Cache-Control: no-store", body: name) }
  }

  private static func edge(
    _ ports: [UInt16], _ change: (inout Distribution) -> Void = { _ in },
    options: (inout EdgeOptions) -> Void = { _ in }
  ) throws -> EdgeUnderTest {
    try EdgeUnderTest(
      originPort: ports[0],
      {
        $0.origin.targets = ports.dropFirst().map { OriginTarget(host: "127.0.0.1", port: $0) }
        change(&$0)
      }, options: options)
  }

  @Test func `targets take turns, and all are addressed by the origin's name`() throws {
    let targets = try ["a", "b", "c"].map(Self.target)
    let edge = try Self.edge(targets.map(\.port))
    let viewer = try edge.viewer()
    let answers = try (0..<9).map { try viewer.get("/\($0)").text }
    #expect(answers == ["a", "b", "c", "a", "b", "c", "a", "b", "c"])
    #expect(targets[2].requests[0]["host"] == "127.0.0.1:\(targets[0].port)")
    // Each keeps a connection of its own.
    #expect(targets.map(\.connectionCount) == [1, 1, 1])
  }

  @Test func `the target with the fewest requests is asked`() throws {
    let go = Event()
    let slow = try ScriptedOrigin {
      if $0.request.target == "/slow" { go.wait() }
      try $0.respond("200 OK", "Cache-Control: no-store", body: "slow")
    }
    let quick = try Self.target("quick")
    let edge = try Self.edge([slow.port, quick.port], { $0.origin.balance = .leastConnections })
    let waiting = try edge.viewer()
    try waiting.send(ScriptedViewer.head("GET", "/slow"))
    #expect(slow.waitFor(requests: 1))
    for index in 1...6 { #expect(try edge.get("/\(index)").text == "quick") }
    go.fire()
    #expect(try waiting.readResponse().text == "slow")
  }

  @Test func `a URL keeps its target, whatever the method`() throws {
    let targets = try ["a", "b", "c"].map(Self.target)
    let edge = try Self.edge(targets.map(\.port), { $0.origin.balance = .hash })
    var seen: Set<String> = []
    for index in 0..<24 {
      let first = try edge.get("/\(index)").text
      seen.insert(first)
      #expect(try edge.get("/\(index)").text == first)
      #expect(try edge.viewer().request("POST", "/\(index)", body: "x").text == first)
    }
    #expect(seen == ["a", "b", "c"])
  }

  @Test(arguments: ["GET", "POST"])
  func `a target that refuses is followed by the next one`(method: String) throws {
    let refusing = try RefusingOrigin()
    let well = try ScriptedOrigin { exchange in
      let body = try exchange.readBody()
      try exchange.respond("200 OK", "Cache-Control: no-store", body: "\(body.count)")
    }
    let edge = try Self.edge([refusing.port, well.port], { $0.origin.ejection.failures = 0 })
    for index in 0..<6 {
      let body = method == "POST" ? "abc" : nil
      let response = try edge.viewer().request(method, "/\(index)", body: body)
      #expect(response.status == 200)
      #expect(response.text == (method == "POST" ? "3" : "0"))
    }
    #expect(well.requestCount == 6)
  }

  @Test func `a target that closes without a response is followed by the next one, for GET`() throws
  {
    let closing = try ScriptedOrigin { exchange in
      _ = try exchange.readBody()
      exchange.close()
    }
    let well = try Self.target("well")
    let edge = try Self.edge([closing.port, well.port], { $0.origin.ejection.failures = 0 })
    for index in 0..<4 { #expect(try edge.get("/\(index)").text == "well") }
    var statuses: Set<Int> = []
    for _ in 0..<2 { statuses.insert(try edge.viewer().request("POST", "/", body: "a").status) }
    #expect(statuses == [200, 502])
  }

  @Test func `silence is followed by the next target as the attempts say`() throws {
    let silent = try ScriptedOrigin { $0.stall() }
    let well = try Self.target("well")
    for (attempts, status) in [(1, 504), (2, 200)] {
      let edge = try Self.edge([silent.port, well.port]) {
        $0.origin.responseTimeout = 1
        $0.origin.connectAttempts = attempts
        $0.origin.ejection.failures = 0
      }
      #expect(try edge.get("/").status == status)
    }
  }

  @Test func `all targets are tried, and again up to the attempts, and then it is 502`() throws {
    let refusing = try (0..<3).map { _ in try RefusingOrigin() }
    let lines = Shared<[String]>([])
    let edge = try Self.edge(refusing.map(\.port), { $0.origin.connectAttempts = 3 }) {
      $0.report = { line in lines.withLock { $0.append(line) } }
    }
    #expect(try edge.get("/").status == 502)
    let health = edge.edge.health()[0].origins[0].targets
    #expect(health.map(\.requests) == [1, 1, 1])
    #expect(health.map(\.failures) == [1, 1, 1])
  }

  // MARK: Ejection

  /// Fails as long as it is told to.
  private final class Patient: @unchecked Sendable {
    let isWell = Shared(false)
    let hold = Shared<Event?>(nil)
    private(set) var origin: ScriptedOrigin!

    init() throws {
      origin = try ScriptedOrigin { [isWell, hold] exchange in
        hold.value?.wait()
        if isWell.value {
          try exchange.respond("200 OK", "Cache-Control: no-store", body: "patient")
        } else {
          try exchange.respond("503 Busy", "Cache-Control: no-store", body: "ill")
        }
      }
    }
  }

  @Test func `a target that fails is left alone, and the log says so once`() throws {
    let patient = try Patient()
    let well = try Self.target("well")
    let lines = Shared<[String]>([])
    let edge = try Self.edge(
      [patient.origin.port, well.port],
      { $0.origin.ejection = Ejection(failures: 3, duration: 3600) },
      options: { $0.report = { line in lines.withLock { $0.append(line) } } })
    var statuses: [Int] = []
    for index in 0..<20 { statuses.append(try edge.get("/\(index)").status) }
    #expect(statuses.filter { $0 == 503 }.count == 3)
    #expect(patient.origin.requestCount == 3)
    let about = lines.value.filter { $0.contains("counts as down") }
    #expect(
      about == [
        "distribution \"site\": target 127.0.0.1:\(patient.origin.port) of origin \"default\" "
          + "counts as down for 3600 s: 3 failures in a row, the last one: status 503"
      ])
    let health = edge.edge.health()[0].origins[0].targets
    #expect(health.map(\.state) == [.ejected, .up])
    #expect(health[0].lastFailure == "status 503")
    #expect(try #require(health[0].ejectedUntil) - EdgeUnderTest.now() > 3500)
  }

  @Test func `one request tries it again, and the others stay away until it succeeded`() throws {
    let patient = try Patient()
    let well = try Self.target("well")
    let lines = Shared<[String]>([])
    let edge = try Self.edge(
      [patient.origin.port, well.port],
      { $0.origin.ejection = Ejection(failures: 1, duration: 1) },
      options: { $0.report = { line in lines.withLock { $0.append(line) } } })
    #expect(try edge.get("/").status == 503)
    #expect(patient.origin.requestCount == 1)
    // From now on it answers, when the test says so.
    let go = Event()
    patient.isWell.withLock { $0 = true }
    patient.hold.withLock { $0 = go }
    // Until the second is over all go to the other one; then a single one comes to the patient.
    let trial = Shared<ViewerResponse?>(nil)
    let viewers = Shared(0)
    let thread = TestThread {
      while patient.origin.requestCount < 2, viewers.value < 5_000 {
        viewers.withLock { $0 += 1 }
        let response = try? edge.get("/")
        if response?.text == "patient" { trial.withLock { $0 = response } }
      }
    }
    #expect(patient.origin.waitFor(requests: 2))
    for index in 0..<30 { #expect(try edge.get("/\(index)").text == "well") }
    #expect(patient.origin.requestCount == 2)
    #expect(edge.edge.health()[0].origins[0].targets[0].state == .tried)
    go.fire()
    #expect(thread.join())
    #expect(trial.value != nil)
    #expect(edge.edge.health()[0].origins[0].targets[0].state == .up)
    #expect(lines.value.filter { $0.contains("answers again") }.count == 1)
    // A tenth of its share at first.
    for index in 0..<40 { _ = try edge.get("/\(index)") }
    #expect(patient.origin.requestCount < 2 + 15)
  }

  @Test func `a trial whose viewer leaves is left to the next`() throws {
    let patient = try Patient()
    let well = try Self.target("well")
    let edge = try Self.edge([patient.origin.port, well.port]) {
      $0.origin.ejection = Ejection(failures: 1, duration: 1)
      $0.defaultBehavior = .dontCache
    }
    #expect(try edge.get("/").status == 503)
    patient.isWell.withLock { $0 = true }
    let never = Event()
    patient.hold.withLock { $0 = never }
    var viewers: [ScriptedViewer] = []
    #expect(
      eventually {
        if let viewer = try? edge.viewer() {
          try? viewer.send(ScriptedViewer.head("GET", "/"))
          viewers.append(viewer)
          usleep(20_000)
        }
        return patient.origin.requestCount == 2
      })
    patient.hold.withLock { $0 = nil }
    for viewer in viewers { viewer.close() }
    #expect(eventually { (try? edge.get("/").text) == "patient" })
    never.fire()
  }

  @Test func `when every target is down they are asked all the same`() throws {
    let patients = try (0..<2).map { _ in try Patient() }
    let edge = try Self.edge(patients.map(\.origin.port)) {
      $0.origin.ejection = Ejection(failures: 1, duration: 3600)
    }
    for index in 0..<4 { #expect(try edge.get("/\(index)").status == 503) }
    #expect(patients.map(\.origin.requestCount).reduce(0, +) == 4)
    patients[1].isWell.withLock { $0 = true }
    // Asked in turn; the one that answers is up again, and gets everything.
    #expect(eventually { (try? edge.get("/").text) == "patient" })
    for index in 0..<5 { #expect(try edge.get("/\(index)").text == "patient") }
  }

  @Test func `a failing origin is looked after by a few, the rest hear of it at once`() throws {
    let limit = Limits.lastResortRequests
    let go = Event()
    let isWell = Shared(false)
    let origin = try ScriptedOrigin { exchange in
      if exchange.request.target != "/first" { go.wait(within: 30) }
      let status = isWell.value ? "200 OK" : "503 Busy"
      try exchange.respond(status, "Cache-Control: no-store")
    }
    let edge = try EdgeUnderTest(
      origin, { $0.origin.ejection = Ejection(failures: 1, duration: 3600) },
      options: { $0.threads = 2 })
    #expect(try edge.get("/first").status == 503)
    let viewers = try (0..<limit).map { _ in try edge.viewer() }
    for (index, viewer) in viewers.enumerated() {
      try viewer.send(ScriptedViewer.head("GET", "/\(index)"))
    }
    #expect(origin.waitFor(requests: 1 + limit, within: 30))
    let response = try edge.get("/more")
    #expect(response.status == 503)
    #expect(response.cacheStatus.contains { $0.contains("origin-unhealthy") })
    #expect(response["retry-after"] != nil)
    isWell.withLock { $0 = true }
    go.fire()
    for viewer in viewers { #expect(try viewer.readResponse().status == 200) }
    // It has answered: everybody is served again.
    #expect(try edge.get("/last").status == 200)
    #expect(origin.requestCount == 2 + limit)
  }

  @Test func `a body that breaks off counts as a failure`() throws {
    let breaking = try ScriptedOrigin { exchange in
      try exchange.sendHead("200 OK", "Content-Length: 10")
      try exchange.send("abc")
      exchange.close()
    }
    let edge = try Self.edge([breaking.port])
    _ = try edge.get("/")
    let target = edge.edge.health()[0].origins[0].targets[0]
    #expect(target.failures == 1)
    #expect(target.lastFailure == "closed the connection")
    #expect(target.connections == 0)
  }

  @Test func `what is known survives a change of the distribution, and leaves with the origin`()
    throws
  {
    let patient = try Patient()
    let well = try Self.target("well")
    let edge = try Self.edge([patient.origin.port, well.port]) {
      $0.origin.ejection = Ejection(failures: 1, duration: 3600)
    }
    _ = try edge.get("/1")
    _ = try edge.get("/2")
    try edge.reload { $0[0].settings.ttl.minimum = 1 }
    #expect(edge.edge.health()[0].origins[0].targets.map(\.state) == [.ejected, .up])
    try edge.reload { $0[0].origin.host = "localhost" }
    #expect(edge.edge.health()[0].origins[0].targets.map(\.state) == [.up, .up])
  }

  // MARK: Pools

  @Test func `connections to a target that left the configuration are closed`() throws {
    let closed = Event()
    let go = Event()
    let old = try ScriptedOrigin { exchange in
      if exchange.request.target == "/slow" { go.wait() }
      try exchange.respond("200 OK", "Cache-Control: no-store", body: "old")
      if exchange.wire.isClosedByPeer() { closed.fire() }
    }
    let new = try Self.target("new")
    let edge = try Self.edge([old.port])
    #expect(try edge.get("/").text == "old")
    let slow = try edge.viewer()
    try slow.send(ScriptedViewer.head("GET", "/slow"))
    #expect(old.waitFor(requests: 2))
    let second = try edge.get("/2").text
    #expect(second == "old")
    try edge.reload { $0[0].origin.port = new.port }
    // The idle one goes at once, the busy one when its response is whole.
    #expect(closed.wait(times: 1))
    go.fire()
    #expect(try slow.readResponse().text == "old")
    #expect(closed.wait(times: 2))
    #expect(try edge.get("/").text == "new")
  }

  @Test func `targets are looked up each by its own name, IPv6 literals as they are`() throws {
    let here = try Self.target("here")
    let asked = Shared<[String]>([])
    let source = Resolver.Source(
      addresses: { host in
        asked.withLock { $0.append(host) }
        return .success([SocketAddress(host: "127.0.0.1", port: 0)!])
      },
      lifetime: { _, _ in nil })
    let resolver = Resolver(pool: WorkerPool(threads: 1), source: source)
    let edge = try Self.edge(
      [here.port],
      {
        $0.origin.host = "one.example"
        $0.origin.targets = [
          OriginTarget(host: "two.example", port: here.port),
          // Nobody listens there: the request goes on to the next.
          OriginTarget(host: "::1", port: here.port),
        ]
      }, options: { $0.resolver = resolver })
    for index in 0..<6 { #expect(try edge.get("/\(index)").text == "here") }
    #expect(Set(asked.value) == ["one.example", "two.example"])
    #expect(
      edge.edge.health()[0].origins[0].targets.map(\.address) == [
        "one.example:\(here.port)", "two.example:\(here.port)", "[::1]:\(here.port)",
      ])
  }

  // MARK: Sticky sessions

  private static func sticky(_ distribution: inout Distribution) {
    distribution.origin.sticky = StickySession(cookie: "lb", duration: 600)
  }

  private static func cookie(_ response: ViewerResponse) -> String? {
    response.head.values(of: "set-cookie").first { $0.hasPrefix("lb=") }
      .map { String($0.prefix { $0 != ";" }) }
  }

  @Test func `a cookie keeps a viewer at its target`() throws {
    let targets = try ["a", "b", "c"].map(Self.target)
    let edge = try Self.edge(targets.map(\.port), Self.sticky)
    let first = try edge.get("/")
    let field = try #require(first["set-cookie"])
    #expect(field.contains("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"))
    #expect(!field.contains("127"))
    let cookie = try #require(Self.cookie(first))
    for index in 0..<6 {
      let response = try edge.get("/\(index)", "Cookie: x=y; \(cookie)")
      #expect(response.text == first.text)
      // It says so already.
      #expect(Self.cookie(response) == nil)
    }
    // Others go round.
    #expect(Set(try (0..<3).map { try edge.get("/x\($0)").text }) == ["a", "b", "c"])
  }

  @Test func `a viewer whose target is down moves to another and stays there`() throws {
    let patient = try Patient()
    patient.isWell.withLock { $0 = true }
    let well = try Self.target("well")
    let edge = try Self.edge([patient.origin.port, well.port]) {
      Self.sticky(&$0)
      $0.origin.ejection = Ejection(failures: 1, duration: 3600)
    }
    let first = try edge.get("/")
    #expect(first.text == "patient")
    let cookie = try #require(Self.cookie(first))
    patient.isWell.withLock { $0 = false }
    #expect(try edge.get("/", "Cookie: \(cookie)").status == 503)
    let moved = try edge.get("/", "Cookie: \(cookie)")
    #expect(moved.text == "well")
    #expect(Self.cookie(moved) != nil)
    #expect(Self.cookie(moved) != cookie)
  }

  @Test func `the cookie is never stored, nor given with what is shared`() throws {
    let target = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: max-age=60", body: "shared")
    }
    let other = try Self.target("other")
    let edge = try Self.edge([target.port, other.port], Self.sticky)
    // What is stored may be stored by others on the way to the viewer, the cookie with it.
    let first = try edge.get("/")
    #expect(first.text == "shared")
    #expect(first["set-cookie"] == nil)
    let hit = try edge.get("/")
    #expect(hit.isHit)
    #expect(hit["set-cookie"] == nil)
  }

  @Test func `an origin with a single target sets no cookie`() throws {
    let only = try Self.target("only")
    let edge = try Self.edge([only.port], Self.sticky)
    #expect(try edge.get("/")["set-cookie"] == nil)
  }

  // MARK: Several loops

  /// Targets that fail now and then, a configuration that changes all the while, viewers that leave.
  @Test func `nothing is lost in a long mess`() throws {
    let origins = try (0..<3).map { place in
      try ScriptedOrigin { exchange in
        let number = exchange.request.number
        if number % 11 == place { return exchange.close() }
        if number % 13 == place { return exchange.reset() }
        if number % 7 == place { return try exchange.respond("503 Busy", body: "no") }
        if number % 17 == place {
          try exchange.sendHead("200 OK", "Content-Length: 100")
          try exchange.send("short")
          return exchange.close()
        }
        try exchange.respond("200 OK", "Cache-Control: no-store", body: "\(place)")
      }
    }
    let ports = origins.map(\.port)
    let edge = try Self.edge(
      ports,
      {
        $0.origin.ejection = Ejection(failures: 2, duration: 1)
        $0.origin.connectAttempts = 2
        $0.origin.healthCheck = HealthCheck(path: "/up", interval: 1, timeout: 1)
        $0.origin.sticky = StickySession(cookie: "lb")
      }, options: { $0.threads = 4 })
    let end = Clock.now() + 3
    let counts = Shared<[Int: Int]>([:])
    let threads = (0..<6).map { thread in
      TestThread {
        var index = 0
        while Clock.now() < end {
          index += 1
          guard let viewer = try? edge.viewer() else { continue }
          let method = index % 5 == 0 ? "POST" : "GET"
          let body = method == "POST" ? "abc" : nil
          if index % 9 == 0 {
            try? viewer.send(ScriptedViewer.head("GET", "/\(thread)-\(index)"))
            viewer.reset()
            continue
          }
          guard let response = try? viewer.request(method, "/\(thread)-\(index)", body: body)
          else { continue }
          counts.withLock { $0[response.status, default: 0] += 1 }
        }
      }
    }
    var round = 0
    while Clock.now() < end {
      round += 1
      let balance = Balance.allCases[round % Balance.allCases.count]
      try edge.reload {
        $0[0].origin.balance = balance
        $0[0].origin.targets = ports[1...(round % 2 + 1)].map {
          OriginTarget(host: "127.0.0.1", port: $0)
        }
        $0[0].origin.healthCheck = round % 3 == 0 ? nil : HealthCheck(path: "/up", interval: 1)
      }
      usleep(20_000)
    }
    for thread in threads { #expect(thread.join()) }
    let statuses = counts.value
    #expect(Set(statuses.keys).isSubset(of: [200, 502, 503]), "\(statuses)")
    #expect(statuses[200, default: 0] > 100, "\(statuses)")
    // No use of a target is left behind, and no viewer.
    #expect(eventually { edge.edge.connectionCount == 0 })
    #expect(
      eventually {
        edge.edge.health()[0].origins[0].targets.allSatisfy { $0.connections == 0 }
      })
  }

  @Test func `loops share what they know of a target`() throws {
    let patient = try Patient()
    let well = try Self.target("well")
    let edge = try Self.edge(
      [patient.origin.port, well.port],
      { $0.origin.ejection = Ejection(failures: 2, duration: 3600) }, options: { $0.threads = 4 })
    var failed = 0
    for index in 0..<60 where try edge.get("/\(index)").status == 503 { failed += 1 }
    #expect(failed == 2)
    #expect(patient.origin.requestCount == 2)
  }
}
