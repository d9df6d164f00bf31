// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc
import Testing

/// When a target gets requests: passive ejection and active checks, step by step (Lightsail, "Load
/// balancer origins": only healthy instances get requests).
struct TargetHealthTests {
  private static let ejection = Ejection(failures: 3, duration: 30)
  private static let check = HealthCheck(unhealthyThreshold: 2, healthyThreshold: 3)

  enum Step: Sendable {
    case fail, failTrial, answer, finish, claim, abandon, checkFails, checkPasses
    case advance(Int64)
  }

  typealias Row = (
    why: String, steps: [Step], availability: TargetHealth.Availability
  )

  static let rows: [Row] = [
    ("a new target is up", [], .up(share: 100)),
    ("fewer failures than the setting", [.fail, .fail], .up(share: 100)),
    ("as many as the setting", [.fail, .fail, .fail], .down),
    (
      "a whole response between them starts the count anew", [.fail, .fail, .finish, .fail, .fail],
      .up(share: 100)
    ),
    (
      "the head of a response alone does not: its body may break off as ever",
      [.fail, .answer, .fail, .answer, .fail], .down
    ),
    ("until the duration is over", [.fail, .fail, .fail, .advance(29_999)], .down),
    ("then one request is due", [.fail, .fail, .fail, .advance(30_000)], .trialDue),
    (
      "while it is under way nobody follows",
      [.fail, .fail, .fail, .advance(30_000), .claim, .advance(600_000)], .down
    ),
    (
      "a trial that told nothing leaves it to the next",
      [.fail, .fail, .fail, .advance(30_000), .claim, .abandon], .trialDue
    ),
    (
      "a trial that fails ejects for twice as long",
      [.fail, .fail, .fail, .advance(30_000), .claim, .failTrial, .advance(59_999)], .down
    ),
    (
      "and no longer",
      [.fail, .fail, .fail, .advance(30_000), .claim, .failTrial, .advance(60_000)], .trialDue
    ),
    (
      "late failures of requests sent before prolong nothing",
      [.fail, .fail, .fail, .advance(20_000), .fail, .fail, .fail, .fail, .advance(10_000)],
      .trialDue
    ),
    (
      "a trial that is answered opens a tenth",
      [.fail, .fail, .fail, .advance(30_000), .claim, .answer], .up(share: 10)
    ),
    (
      "then more",
      [.fail, .fail, .fail, .advance(30_000), .claim, .answer, .advance(5_000)], .up(share: 55)
    ),
    (
      "then everything",
      [.fail, .fail, .fail, .advance(30_000), .claim, .answer, .advance(10_000)], .up(share: 100)
    ),
    (
      "after the trial the count starts anew",
      [.fail, .fail, .fail, .advance(30_000), .claim, .answer, .fail, .fail, .advance(10_000)],
      .up(share: 100)
    ),
    ("one failed check is none", [.checkFails], .up(share: 100)),
    ("failed checks up to the threshold", [.checkFails, .checkFails], .down),
    (
      "a good check between them starts the count anew", [.checkFails, .checkPasses, .checkFails],
      .up(share: 100)
    ),
    (
      "fewer good checks than the threshold bring it not back",
      [.checkFails, .checkFails, .checkPasses, .checkPasses], .down
    ),
    (
      "a failed check among them starts that count anew",
      [.checkFails, .checkFails, .checkPasses, .checkPasses, .checkFails, .checkPasses], .down
    ),
    (
      "good checks up to the threshold do, slowly",
      [.checkFails, .checkFails, .checkPasses, .checkPasses, .checkPasses], .up(share: 10)
    ),
    (
      "an unhealthy target is not tried by requests",
      [.fail, .fail, .fail, .checkFails, .checkFails, .advance(30_000)], .down
    ),
    (
      "a good check does not overrule what requests say",
      [
        .fail, .fail, .fail, .checkFails, .checkFails, .checkPasses, .checkPasses, .checkPasses,
      ], .down
    ),
    (
      "requests that are answered do not overrule the checks",
      [.checkFails, .checkFails, .answer, .finish], .down
    ),
  ]

  private static func run(_ steps: [Step]) -> (health: TargetHealth, now: Int64) {
    var health = TargetHealth()
    var now: Int64 = 1_000
    for step in steps {
      switch step {
      case .fail:
        _ = health.failed(.closed, isTrial: false, ejection: ejection, at: now)
      case .failTrial:
        _ = health.failed(.closed, isTrial: true, ejection: ejection, at: now)
      case .answer: _ = health.answered(provesRecovery: health.standing == .tried, at: now)
      case .finish: health.finished()
      case .claim:
        let isClaimed = health.claimTrial(at: now)
        #expect(isClaimed)
      case .abandon: health.trialAbandoned()
      case .checkFails: _ = health.checked(.timeout, by: check, at: now)
      case .checkPasses: _ = health.checked(nil, by: check, at: now)
      case .advance(let time): now += time
      }
    }
    return (health, now)
  }

  @Test(arguments: rows.indices)
  func `a target is`(row: Int) {
    let row = Self.rows[row]
    let (health, now) = Self.run(row.steps)
    #expect(health.availability(at: now) == row.availability, "\(row.why)")
  }

  @Test func `a setting of 0 never ejects`() {
    var health = TargetHealth()
    for _ in 1...1000 {
      let change = health.failed(
        .timeout, isTrial: false, ejection: Ejection(failures: 0), at: 0)
      #expect(change == nil)
    }
    #expect(health.availability(at: 0) == .up(share: 100))
  }

  @Test func `only one of all who ask claims the trial`() {
    var (health, now) = Self.run([.fail, .fail, .fail, .advance(30_000)])
    let claims = (1...5).map { _ in health.claimTrial(at: now) }
    #expect(claims == [true, false, false, false, false])
  }

  @Test func `ejections grow up to a bound`() {
    var (health, now) = Self.run([.fail, .fail, .fail])
    var durations: [Int64] = []
    for _ in 1...7 {
      guard case .ejected(let until) = health.standing else { break }
      durations.append((until - now) / 1000)
      now = until
      let isClaimed = health.claimTrial(at: now)
      #expect(isClaimed)
      _ = health.failed(.closed, isTrial: true, ejection: Self.ejection, at: now)
    }
    #expect(durations == [30, 60, 120, 240, 300, 300, 300])
  }

  @Test func `a setting above the bound stays as it is`() {
    var health = TargetHealth()
    let change = health.failed(
      .closed, isTrial: false, ejection: Ejection(failures: 1, duration: 3600), at: 0)
    #expect(change == .ejected(failures: 1, duration: 3_600_000))
  }

  @Test(arguments: [(60_000, 120), (60_001, 30)] as [(Int64, Int64)])
  func `a time of peace as long as the last ejection is forgiven`(peace: Int64, seconds: Int64) {
    // Ejected for 30 s, then for 60 s, then back.
    var (health, now) = Self.run([
      .fail, .fail, .fail, .advance(30_000), .claim, .failTrial, .advance(60_000), .claim, .answer,
      .finish,
    ])
    now += peace
    var change: TargetHealth.Change?
    for _ in 1...3 {
      change = health.failed(.closed, isTrial: false, ejection: Self.ejection, at: now)
    }
    #expect(change == .ejected(failures: 3, duration: seconds * 1000))
  }

  @Test func `each change is told once`() {
    var health = TargetHealth()
    var changes: [TargetHealth.Change?] = []
    for now in Int64(0)..<5 {
      changes.append(
        health.failed(.closed, isTrial: false, ejection: Self.ejection, at: now))
    }
    #expect(changes == [nil, nil, .ejected(failures: 3, duration: 30_000), nil, nil])
    changes = [health.claimTrial(at: 40_000) ? nil : .returned]
    changes.append(health.answered(provesRecovery: true, at: 40_000))
    changes.append(health.answered(provesRecovery: true, at: 40_001))
    #expect(changes == [nil, .returned, nil])
    changes = (0..<4).map { health.checked(.status(500), by: Self.check, at: 50_000 + $0) }
    #expect(changes == [nil, .unhealthy(checks: 2), nil, nil])
    changes = (0..<4).map { health.checked(nil, by: Self.check, at: 60_000 + $0) }
    #expect(changes == [nil, nil, .healthy, nil])
  }

  @Test func `it is known since when a target is down, and why`() {
    var (health, now) = Self.run([.fail, .fail, .fail, .advance(10_000), .checkFails, .checkFails])
    #expect(health.downSince == 1_000)
    #expect(health.lastFailure == .timeout)
    #expect(health.lastFailureAt == 11_000)
    for _ in 1...3 { _ = health.checked(nil, by: Self.check, at: now) }
    #expect(health.downSince == 1_000)
    now += 20_000
    let isClaimed = health.claimTrial(at: now)
    #expect(isClaimed)
    _ = health.answered(provesRecovery: true, at: now)
    #expect(health.downSince == nil)
  }

  @Test func `changed settings start anew`() {
    var (health, now) = Self.run([.fail, .fail, .fail, .checkFails, .checkFails])
    health.forgetRequests()
    #expect(health.availability(at: now) == .down)
    health.forgetChecks()
    #expect(health.availability(at: now) == .up(share: 100))
    #expect(health.downSince == nil)
  }

  /// What counts as a failure of the target: 502 to 504 say that it cannot do its work, 500 that it
  /// did it badly.
  @Test(
    arguments: [
      (200, false), (304, false), (404, false), (429, false), (500, false), (501, false),
      (502, true),
      (503, true), (504, true), (505, false),
    ] as [(UInt16, Bool)])
  func `a status counts as a failure`(status: UInt16, expected: Bool) {
    #expect((TargetFailure.of(status: status) != nil) == expected)
  }

  @Test func `what this machine lacks is no failure of the target`() {
    for error in [EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL] {
      #expect(TargetFailure.of(connectError: error) == nil)
    }
    #expect(TargetFailure.of(connectError: ECONNREFUSED) == .connect(ECONNREFUSED))
    #expect(TargetFailure.of(connectError: EHOSTUNREACH) == .connect(EHOSTUNREACH))
    #expect(TargetFailure.of(connectError: ETIMEDOUT) == .timeout)
  }

  /// Lightsail's load balancers accept what is below 400; a check may ask for one status.
  @Test(
    arguments: [
      (nil, 200, true), (nil, 204, true), (nil, 301, true), (nil, 399, true), (nil, 400, false),
      (nil, 503, false), (204, 204, true), (204, 200, false), (401, 401, true),
    ] as [(Int?, UInt16, Bool)])
  func `a check accepts`(wanted: Int?, status: UInt16, expected: Bool) {
    #expect(HealthCheck(status: wanted).accepts(status: status) == expected)
  }

  @Test func `checks keep their interval, but not in step`() {
    let check = HealthCheck(interval: 10)
    let pauses = (0..<5_000).map { check.pause(random: UInt64($0)) }
    #expect(pauses.min() == 9_000)
    #expect(pauses.max() == 10_999)
    #expect(Set(pauses).count == 2_000)
  }

  @Test func `a check asks the target with the origin's name`() {
    let policy = makePolicy {
      $0.origin.path = "/app"
      $0.origin.headers = [HeaderField(name: "X-Secret", value: "s")]
      $0.origin.healthCheck = HealthCheck(path: "/up?x=1")
    }
    let check = policy.distribution.origin.healthCheck!
    #expect(
      writtenText { policy.origins[0].appendHealthRequest(check, to: $0) }
        == "GET /up?x=1 HTTP/1.1\r\nHost: origin.example\r\nUser-Agent: atoll-health-check\r\n"
        + "Accept: */*\r\nX-Secret: s\r\nConnection: close\r\n\r\n")
  }

  @Test func `a check uses the name that requests bear`() {
    let policy = makePolicy { $0.origin.hostHeader = .name("shop.example") }
    let lines = writtenLines { policy.origins[0].appendHealthRequest(HealthCheck(), to: $0) }
    #expect(lines[0...1] == ["GET / HTTP/1.1", "Host: shop.example"])
  }
}
