// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

/// Which of an origin's targets a request goes to (Lightsail, "Load balancer origins").
struct TargetChoiceTests {
  private static let up = TargetHealth.Availability.up(share: 100)

  private static func candidates(
    _ availabilities: [TargetHealth.Availability], loads: [Int] = []
  ) -> [TargetCandidate] {
    availabilities.enumerated().map { index, availability in
      TargetCandidate(
        availability: availability, load: index < loads.count ? loads[index] : 0,
        seed: UInt64(index + 1) &* 0x1234_5678_9abc_def1)
    }
  }

  private static func choose(
    _ availabilities: [TargetHealth.Availability], loads: [Int] = [],
    _ wish: TargetWish = TargetWish(balance: .roundRobin)
  ) -> TargetChoice? {
    chooseTarget(candidates(availabilities, loads: loads), wish)
  }

  @Test func `requests go round`() {
    let chosen = (0..<7).map {
      Self.choose(
        [Self.up, Self.up, Self.up], TargetWish(balance: .roundRobin, ticket: $0))!.index
    }
    #expect(chosen == [0, 1, 2, 0, 1, 2, 0])
  }

  @Test func `those that are down are left out`() {
    let chosen = (0..<6).map {
      Self.choose([Self.up, .down, Self.up], TargetWish(balance: .roundRobin, ticket: $0))!.index
    }
    #expect(chosen == [0, 2, 0, 2, 0, 2])
  }

  @Test(
    arguments: [
      ([3, 1, 2], 0, 1), ([3, 1, 1], 0, 1), ([3, 1, 1], 2, 2), ([0, 0, 0], 4, 1),
      ([5, 5, 4], 1, 2),
    ] as [([Int], UInt64, Int)])
  func `the fewest requests win, equals take turns`(loads: [Int], ticket: UInt64, expected: Int) {
    let choice = Self.choose(
      [Self.up, Self.up, Self.up], loads: loads,
      TargetWish(balance: .leastConnections, ticket: ticket))
    #expect(choice == TargetChoice(index: expected, kind: .usual))
  }

  @Test func `a key keeps its target, and moves only when that one leaves`() {
    var moved = 0
    var counts = [0, 0, 0, 0]
    for hash in UInt64(0)..<4_000 {
      let wish = TargetWish(balance: .hash, ticket: hash, hash: hash &* 0x9e37_79b9_7f4a_7c15)
      let all = Self.choose([Self.up, Self.up, Self.up, Self.up], wish)!.index
      counts[all] += 1
      let without = Self.choose([Self.up, .down, Self.up, Self.up], wish)!.index
      #expect(without != 1)
      if all != 1 { #expect(without == all) } else { moved += 1 }
    }
    #expect(moved == counts[1])
    // A quarter each, give or take.
    #expect(counts.allSatisfy { $0 > 850 && $0 < 1150 })
  }

  @Test func `the cookie's target comes first while it is up`() {
    for ticket in UInt64(0)..<5 {
      let wish = TargetWish(balance: .roundRobin, ticket: ticket, preferred: 2)
      #expect(Self.choose([Self.up, Self.up, Self.up], wish)?.index == 2)
      #expect(Self.choose([Self.up, Self.up, .down], wish)?.index != 2)
      #expect(Self.choose([Self.up, Self.up, .up(share: 10)], wish)?.index == 2)
    }
  }

  @Test func `a target that failed this request is not asked again`() {
    let wish = TargetWish(balance: .roundRobin, preferred: 0, tried: [0, 1])
    #expect(Self.choose([Self.up, Self.up, Self.up], wish)?.index == 2)
    let all = TargetWish(balance: .roundRobin, tried: [0, 1, 2])
    #expect(Self.choose([Self.up, Self.up, Self.up], all) == nil)
  }

  @Test func `a target on its way back gets its share and no more`() {
    let chosen = (0..<1_000).map {
      Self.choose([Self.up, .up(share: 10)], TargetWish(balance: .roundRobin, ticket: $0))!.index
    }
    let count = chosen.filter { $0 == 1 }.count
    // A tenth of its half.
    #expect(count > 20 && count < 90, "\(count)")
  }

  @Test func `a target on its way back gets everything when it is alone`() {
    for ticket in UInt64(0)..<100 {
      let wish = TargetWish(balance: .roundRobin, ticket: ticket)
      #expect(
        Self.choose([.down, .up(share: 10)], wish) == TargetChoice(index: 1, kind: .usual))
    }
  }

  @Test func `an ejected target is tried by a request that can be repeated`() {
    var wish = TargetWish(balance: .roundRobin, ticket: 1)
    #expect(
      Self.choose([Self.up, .trialDue], wish) == TargetChoice(index: 1, kind: .trial))
    wish.mayTry = false
    #expect(Self.choose([Self.up, .trialDue], wish) == TargetChoice(index: 0, kind: .usual))
    #expect(
      Self.choose([.down, .trialDue], TargetWish(balance: .roundRobin))
        == TargetChoice(index: 1, kind: .trial))
  }

  @Test func `when all are down one is asked all the same`() {
    for ticket in UInt64(0)..<4 {
      let wish = TargetWish(balance: .roundRobin, ticket: ticket)
      #expect(
        Self.choose([.down, .down], wish)
          == TargetChoice(index: Int(ticket % 2), kind: .lastResort))
    }
    #expect(
      Self.choose([.down, .down], TargetWish(balance: .roundRobin, isLastResort: false)) == nil)
    #expect(
      Self.choose([.down, .down], TargetWish(balance: .roundRobin, tried: [0]))
        == TargetChoice(index: 1, kind: .lastResort))
  }

  @Test func `as a last resort a target that fails requests gets a few at once`() {
    let limit = Limits.lastResortRequests
    func choose(_ targets: [(fails: Bool, load: Int)]) -> Int? {
      let candidates = targets.map {
        TargetCandidate(availability: .down, failsRequests: $0.fails, load: $0.load)
      }
      return chooseTarget(candidates, TargetWish(balance: .roundRobin))?.index
    }
    #expect(choose([(true, limit - 1)]) == 0)
    #expect(choose([(true, limit)]) == nil)
    // Its checks may be wrong.
    #expect(choose([(false, limit)]) == 0)
    #expect(choose([(true, limit), (true, 3)]) == 1)
  }

  @Test func `one that is down is not asked because the one that is up failed this request`() {
    #expect(Self.choose([Self.up, .down], TargetWish(balance: .roundRobin, tried: [0])) == nil)
  }

  @Test func `the hash of a key is that of its URL, whatever the slot and the method`() {
    func hash(_ line: String, slot: Int) -> UInt64 {
      let policy = makePolicy(slot: slot)
      let request = GivenRequest(line)
      let key = writtenBytes {
        appendCacheKey(
          request.head, request.base, distribution: policy, behavior: policy.behavior(),
          viewer: ViewerFacts(), to: $0)
      }
      return withBytes(key) { targetHash(ofKey: $0) }
    }
    #expect(hash("GET /a?b", slot: 3) == hash("GET /a?b", slot: 4))
    #expect(hash("GET /a?b", slot: 3) == hash("OPTIONS /a?b", slot: 3))
    #expect(hash("GET /a?b", slot: 3) != hash("GET /a?c", slot: 3))
  }
}

/// Targets as requests use them.
struct OriginTargetsTests {
  private static func policy(
    _ ports: [UInt16] = [81], name: String = "shop", _ edit: (inout Origin) -> Void = { _ in }
  ) -> DistributionPolicy {
    makePolicy {
      $0.origin.targets = ports.map { OriginTarget(host: "origin.example", port: $0) }
      $0.origin.ejection = Ejection(failures: 1, duration: 30)
      edit(&$0.origin)
    }
  }

  private static func choose(
    _ targets: OriginTargets, _ tried: [Int] = [], at now: Int64 = 0
  ) -> TargetUse? {
    targets.choose(TargetWish(balance: .leastConnections, tried: tried), at: now)
  }

  @Test func `requests under way count, and no longer when they end in any way`() throws {
    let policy = Self.policy()
    let targets = policy.origins[0].targets
    let uses = try (0..<4).map { _ in try #require(Self.choose(targets)) }
    #expect(targets.all.map(\.connections) == [2, 2])
    _ = uses[0].answered(status: 200, at: 0)
    uses[0].finished()
    uses[0].finished()
    _ = uses[1].failed(.timeout, at: 0)
    uses[1].abandon()
    uses[2].abandon()
    #expect(targets.all.map(\.connections).reduce(0, +) == 1)
    #expect(targets.all.map(\.requests) == [2, 2])
    #expect(targets.all.map(\.failures).reduce(0, +) == 1)
    withExtendedLifetime(uses) {}
  }

  @Test func `a use that is dropped is abandoned, a trial too`() throws {
    let policy = Self.policy([])
    let targets = policy.origins[0].targets
    _ = try #require(Self.choose(targets)).failed(.closed, at: 0)
    do {
      let trial = try #require(Self.choose(targets, at: 30_000))
      #expect(trial.kind == .trial)
      #expect(Self.choose(targets, at: 30_000)?.kind == .lastResort)
      withExtendedLifetime(trial) {}
    }
    #expect(targets.all[0].connections == 0)
    #expect(Self.choose(targets, at: 30_000)?.kind == .trial)
  }

  @Test func `a failing status and what comes after it are one failure`() throws {
    let policy = Self.policy([]) { $0.ejection = Ejection(failures: 2, duration: 30) }
    let targets = policy.origins[0].targets
    let use = try #require(Self.choose(targets))
    #expect(use.answered(status: 503, at: 0) == nil)
    #expect(use.failed(.closed, at: 0) == nil)
    #expect(targets.all[0].failures == 1)
    let next = try #require(Self.choose(targets))
    #expect(next.answered(status: 503, at: 0) == .ejected(failures: 2, duration: 30_000))
    // Its body ends as it should; that makes it no success.
    next.finished()
    #expect(targets.all[0].currentHealth.failuresInRow == 2)
  }

  @Test func `targets that a new configuration has too keep their state`() throws {
    let old = Self.policy([81, 82])
    _ = try #require(Self.choose(old.origins[0].targets)).failed(.closed, at: 0)
    let new = Self.policy([82, 83]) { $0.responseTimeout = 5 }
    new.adoptTargets(of: old)
    let targets = new.origins[0].targets.all
    #expect(targets.map(\.target.port) == [80, 82, 83])
    #expect(targets[0] === old.origins[0].targets.all[0])
    #expect(targets[0].currentHealth.availability(at: 1) == .down)
    #expect(targets[1] === old.origins[0].targets.all[2])
  }

  @Test func `other settings of the ejection forget what was ejected`() throws {
    let old = Self.policy([])
    _ = try #require(Self.choose(old.origins[0].targets)).failed(.closed, at: 0)
    let new = Self.policy([]) { $0.ejection = Ejection(failures: 9, duration: 30) }
    new.adoptTargets(of: old)
    #expect(new.origins[0].targets.all[0].currentHealth.availability(at: 1) == .up(share: 100))
  }

  @Test func `a check that ends under other settings tells nothing`() {
    let check = HealthCheck(unhealthyThreshold: 1)
    let old = Self.policy([]) { $0.healthCheck = check }
    let new = Self.policy([])
    new.adoptTargets(of: old)
    let target = new.origins[0].targets.all[0]
    #expect(target === old.origins[0].targets.all[0])
    #expect(target.checked(.timeout, by: check, at: 0) == nil)
    #expect(target.currentHealth.availability(at: 0) == .up(share: 100))
    #expect(!target.currentHealth.isChecked)
  }

  @Test func `threads that choose at once claim one trial`() async throws {
    let policy = Self.policy([])
    let targets = policy.origins[0].targets
    _ = try #require(Self.choose(targets)).failed(.closed, at: 0)
    let kinds = await withTaskGroup(of: TargetChoice.Kind?.self) { group in
      for _ in 0..<64 {
        group.addTask {
          let use = Self.choose(targets, at: 30_000)
          defer { _ = use?.failed(.timeout, at: 30_000) }
          return use?.kind
        }
      }
      return await group.reduce(into: [TargetChoice.Kind?]()) { $0.append($1) }
    }
    #expect(kinds.filter { $0 == .trial }.count == 1)
    #expect(targets.all[0].connections == 0)
  }

  @Test func `a line tells what changed and why`() throws {
    let policy = Self.policy([])
    let target = policy.origins[0].targets.all[0]
    let use = try #require(Self.choose(policy.origins[0].targets))
    let change = try #require(use.failed(.timeout, at: 0))
    #expect(
      target.line(change, distribution: "shop", origin: "default")
        == "distribution \"shop\": target origin.example:80 of origin \"default\" counts as down "
        + "for 30 s: 1 failure, the last one: no answer in time")
    #expect(
      target.line(.healthy, distribution: "shop", origin: "default")
        == "distribution \"shop\": target origin.example:80 of origin \"default\" is healthy again")
  }
}

/// Sticky sessions: the cookie that keeps a viewer at a target.
struct StickyCookieTests {
  private static let secret = HashSeed(1, 2)
  private static let session = StickySession(cookie: "lb", duration: 3600)

  private static func policy() -> DistributionPolicy {
    makePolicy {
      $0.origin.targets = [OriginTarget(host: "10.0.0.2", port: 80)]
      $0.origin.sticky = session
    }
  }

  private static func value(_ policy: DistributionPolicy, _ index: Int) -> String {
    let target = policy.origins[0].targets.all[index]
    let text = writtenText { $0.appendHex(stickyToken(target, secret: secret)) }
    return text
  }

  @Test(arguments: [
    (Scheme.http, ""), (.https, "; Secure"),
  ])
  func `the cookie is for this site alone and for no script`(scheme: Scheme, ending: String) {
    let policy = Self.policy()
    let target = policy.origins[0].targets.all[1]
    let text = writtenText {
      appendStickyCookie(Self.session, target: target, secret: Self.secret, scheme: scheme, to: $0)
    }
    #expect(
      text == "Set-Cookie: lb=\(Self.value(policy, 1)); Path=/; Max-Age=3600; HttpOnly; "
        + "SameSite=Lax\(ending)\r\n")
  }

  @Test func `the value tells no address, and another secret gives another value`() {
    let policy = Self.policy()
    let target = policy.origins[0].targets.all[1]
    #expect(Self.value(policy, 1) != Self.value(policy, 0))
    #expect(stickyToken(target, secret: Self.secret) != stickyToken(target, secret: HashSeed(1, 3)))
    #expect(!Self.value(policy, 1).contains("10.0.0.2"))
  }

  @Test func `the viewer's cookie names a target`() {
    let policy = Self.policy()
    let value = Self.value(policy, 1)
    let rows: [([String], Int?)] = [
      (["Cookie: lb=\(value)"], 1), (["Cookie: a=b; lb=\(value); c=d"], 1),
      (["Cookie: a=b", "Cookie: lb=\(value)"], 1), (["Cookie: lb=\(Self.value(policy, 0))"], 0),
      (["Cookie: xlb=\(value)"], nil), (["Cookie: lb=\(value)0"], nil), (["Cookie: lb="], nil),
      (["Cookie: lb"], nil), (["Cookie: LB=\(value)"], nil), ([], nil),
      (["Cookie: lb=nonsense; lb=\(value)"], 1),
    ]
    for (fields, expected) in rows {
      let request = GivenRequest("GET /", fields)
      let found = stickyTarget(
        request.head, request.base, session: Self.session, targets: policy.origins[0].targets,
        secret: Self.secret)
      #expect(found == expected, "\(fields)")
    }
  }
}
