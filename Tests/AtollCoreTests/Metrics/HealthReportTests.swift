// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

struct HealthReportTests {
  private static let full = TargetReport(
    address: "[::1]:8080", state: .ejected, isChecked: true, downSince: 1_772_366_400,
    ejectedUntil: 1_772_366_460, lastFailure: "a \"quoted\" failure", lastFailureAt: 1_772_366_430,
    connections: 3, requests: 120, failures: 7)

  @Test func `reading what was written changes nothing`() {
    let report = HealthReport(distributions: [
      DistributionHealth(
        name: "shop", id: "d0123456789abc",
        origins: [
          OriginHealth(
            name: "default",
            targets: [Self.full, TargetReport(address: "a:80", state: .up)]
              + TargetReport.State.allCases.map { TargetReport(address: "b:80", state: $0) }),
          OriginHealth(name: "images", targets: []),
        ]),
      DistributionHealth(name: "blog", id: "d0123456789abd", origins: []),
    ])
    #expect(HealthReport(json: report.json()) == report)
  }

  @Test(arguments: [
    "", "[]", "{\"schemaVersion\": 2, \"distributions\": []}", "{\"schemaVersion\": 1}",
    "{\"schemaVersion\": 1, \"distributions\": [{}]}",
    """
    {"schemaVersion": 1, "distributions": [{"name": "a", "id": "b", "origins":
    [{"name": "c", "targets": [{"address": "d", "state": "asleep"}]}]}]}
    """,
  ])
  func `something else is no report`(text: String) {
    #expect(HealthReport(json: Array(text.utf8)) == nil)
  }

  @Test func `moments of the monotonic clock become times`() throws {
    let policy = makePolicy { $0.origin.ejection = Ejection(failures: 1, duration: 30) }
    let targets = policy.origins[0].targets
    let use = try #require(targets.choose(TargetWish(balance: .roundRobin), at: 500_000))
    _ = use.failed(.timeout, at: 500_000)
    let health = DistributionHealth(policy, now: 510_000, wallTime: testTime)
    #expect(
      health.origins[0].targets == [
        TargetReport(
          address: "origin.example:80", state: .ejected, downSince: testTime - 10,
          ejectedUntil: testTime + 20, lastFailure: "no answer in time",
          lastFailureAt: testTime - 10, requests: 1, failures: 1)
      ])
    // The time is over, and nobody has tried it yet.
    let later = DistributionHealth(policy, now: 600_000, wallTime: testTime)
    #expect(later.origins[0].targets[0].ejectedUntil == testTime)
  }
}
