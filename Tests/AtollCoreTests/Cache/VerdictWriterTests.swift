// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

/// RFC 9211.
struct VerdictWriterTests {
  private func lines(
    _ outcome: Outcome, _ reason: Reason = .none, age: Int64? = nil, ttl: Int64? = nil,
    status: UInt16 = 0, stored: Bool = false
  ) -> [String] {
    writtenLines {
      appendVerdict(
        Verdict(outcome, reason), age: age, ttl: ttl, originStatus: status, stored: stored, to: $0)
    }
  }

  @Test func `a hit`() {
    #expect(
      lines(.hit, age: 7, ttl: 123) == [
        "Age: 7", "X-Cache: Hit from atoll", "Cache-Status: atoll; hit; ttl=123",
      ])
  }

  @Test func `numbers are whole and never below zero but for ttl`() {
    #expect(lines(.hit, age: 0, ttl: 0)[0] == "Age: 0")
    #expect(lines(.hit, age: -3)[0] == "Age: 0")
    let large = lines(.hit, age: 4_294_967_296, ttl: 2_147_483_647)
    #expect(large[0] == "Age: 4294967296")
    #expect(large[2] == "Cache-Status: atoll; hit; ttl=2147483647")
  }

  @Test(
    arguments: [
      (
        Outcome.miss, Reason.absent, UInt16(200), true, "fwd=uri-miss; fwd-status=200; stored",
        "Miss"
      ),
      (.miss, .varyMismatch, 200, true, "fwd=vary-miss; fwd-status=200; stored", "Miss"),
      (.miss, .expired, 200, true, "fwd=stale; fwd-status=200; stored", "Miss"),
      (.miss, .purged, 200, true, "fwd=uri-miss; fwd-status=200; stored", "Miss"),
      (.miss, .requestNoCache, 200, true, "fwd=request; fwd-status=200; stored", "Miss"),
      (.miss, .responseNoStore, 200, false, "fwd=miss; fwd-status=200", "Miss"),
      (.coalesced, .absent, 200, true, "fwd=uri-miss; fwd-status=200; collapsed; stored", "Hit"),
      (.revalidated, .expired, 304, true, "fwd=stale; fwd-status=304; stored", "RefreshHit"),
      (
        .revalidated, .requestMaxAge, 304, true, "fwd=request; fwd-status=304; stored", "RefreshHit"
      ),
      (.stale, .originError, 503, false, "fwd=stale; fwd-status=503", "Hit"),
      (.stale, .originUnreachable, 0, false, "fwd=stale", "Hit"),
      (.stale, .staleWhileRevalidate, 0, false, "hit", "Hit"),
      (.stale, .originRecentlyFailed, 0, false, "hit", "Hit"),
      (.pass, .behaviorDontCache, 200, false, "fwd=bypass; fwd-status=200", "Miss"),
      (.pass, .method, 201, false, "fwd=method; fwd-status=201", "Miss"),
      (.error, .originTimeout, 0, false, "fwd=miss", "Error"),
    ] as [(Outcome, Reason, UInt16, Bool, String, String)])
  func `every exchange that is no hit says why`(
    outcome: Outcome, reason: Reason, status: UInt16, stored: Bool, middle: String, word: String
  ) {
    #expect(
      lines(outcome, reason, status: status, stored: stored) == [
        "X-Cache: \(word) from atoll", "Cache-Status: atoll; \(middle); detail=\(reason.text)",
      ])
  }

  @Test func `an error of the viewer's went nowhere`() {
    #expect(
      lines(.error, .badRequest) == [
        "X-Cache: Error from atoll", "Cache-Status: atoll; detail=bad-request",
      ])
  }

  @Test(arguments: [
    (Outcome.hit, Reason.none, "atoll; hit; ttl=5"),
    (.miss, .absent, "atoll; fwd=uri-miss; fwd-status=404; ttl=5; detail=absent"),
    (.coalesced, .none, "atoll; fwd=miss; fwd-status=404; collapsed; ttl=5"),
  ])
  func `an error is one in X-Cache wherever it comes from (CloudFront §22)`(
    outcome: Outcome, reason: Reason, status: String
  ) {
    let lines = writtenLines {
      appendErrorVerdict(
        Verdict(outcome, reason), age: 7, ttl: 5, originStatus: 404, stored: false, to: $0)
    }
    #expect(lines == ["Age: 7", "X-Cache: Error from atoll", "Cache-Status: \(status)"])
  }

  @Test func `a stale entry has a ttl below zero`() {
    #expect(
      lines(.stale, .staleWhileRevalidate, age: 70, ttl: -10)[2]
        == "Cache-Status: atoll; hit; ttl=-10; detail=stale-while-revalidate")
  }

  @Test(arguments: Outcome.allCases, Reason.allCases)
  func `whatever the verdict, the value is a list of parameters`(outcome: Outcome, reason: Reason) {
    let line = lines(outcome, reason, ttl: 1, status: 200, stored: true).last!
    let parts = line.dropFirst("Cache-Status: ".count).split(separator: "; ")
    #expect(parts.first == "atoll")
    for part in parts {
      #expect(part.allSatisfy { $0.isLetter || $0.isNumber || "-=".contains($0) })
    }
  }
}
