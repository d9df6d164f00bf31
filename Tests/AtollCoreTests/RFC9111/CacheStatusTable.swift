// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

/// RFC 9211: how the edge says what it did.
struct CacheStatusTable {
  private func member(
    _ outcome: Outcome, _ reason: Reason = .none, lookup: Reason = .none, ttl: Int64? = nil,
    status: UInt16 = 0, stored: Bool = false, wasReleased: Bool = false
  ) -> String {
    let lines = writtenLines {
      appendVerdict(
        Verdict(outcome, reason), age: nil, ttl: ttl, originStatus: status, stored: stored,
        lookup: lookup, wasReleased: wasReleased, to: $0)
    }
    return String(lines.last!.dropFirst("Cache-Status: ".count))
  }

  @Test func `what went forward, and why (§2.2)`() {
    let rows: [(Reason, String)] = [
      (.absent, "uri-miss"), (.purged, "uri-miss"), (.varyMismatch, "vary-miss"),
      (.expired, "stale"), (.responseNoCache, "stale"), (.requestNoCache, "request"),
      (.requestMaxAge, "request"), (.requestAuthorization, "request"), (.partial, "partial"),
    ]
    for (lookup, word) in rows {
      #expect(
        member(.miss, lookup, lookup: lookup, status: 200, stored: true)
          == "atoll; fwd=\(word); fwd-status=200; stored; detail=\(lookup.text)")
      // Why it is not stored is the detail, why it went forward stays.
      #expect(
        member(.miss, .responseNoStore, lookup: lookup, status: 200)
          == "atoll; fwd=\(word); fwd-status=200; detail=response-no-store")
      #expect(
        member(.coalesced, lookup: lookup, status: 200, stored: true)
          == "atoll; fwd=\(word); fwd-status=200; collapsed; stored")
    }
  }

  @Test func `the rest of the parameters`() {
    #expect(member(.hit, ttl: 9) == "atoll; hit; ttl=9")
    #expect(
      member(.stale, .staleWhileRevalidate, ttl: -9)
        == "atoll; hit; ttl=-9; detail=stale-while-revalidate")
    #expect(
      member(.stale, .originError, ttl: -9, status: 503)
        == "atoll; fwd=stale; fwd-status=503; ttl=-9; detail=origin-error")
    // Fresh, but the request asked for more.
    #expect(
      member(.stale, .originError, lookup: .requestNoCache, ttl: 9, status: 503)
        == "atoll; fwd=request; fwd-status=503; ttl=9; detail=origin-error")
    #expect(
      member(.revalidated, lookup: .expired, ttl: 60, status: 304)
        == "atoll; fwd=stale; fwd-status=304; ttl=60")
    #expect(
      member(.revalidated, lookup: .requestNoCache, ttl: 60, status: 304)
        == "atoll; fwd=request; fwd-status=304; ttl=60")
    #expect(
      member(.pass, .method, status: 201) == "atoll; fwd=method; fwd-status=201; detail=method")
    #expect(member(.pass, .behaviorDontCache).hasPrefix("atoll; fwd=bypass;"))
    #expect(member(.pass, .requestNoStore).hasPrefix("atoll; fwd=request;"))
    #expect(member(.pass, .requestCondition, lookup: .absent).hasPrefix("atoll; fwd=uri-miss;"))
    #expect(
      member(.pass, .requestCondition, lookup: .requestCondition).hasPrefix("atoll; fwd=request;"))
    // §2.6: collapsed in vain.
    #expect(
      member(.miss, .varyMismatch, lookup: .absent, status: 200, stored: true, wasReleased: true)
        == "atoll; fwd=uri-miss; fwd-status=200; collapsed=?0; stored; detail=vary-mismatch")
  }

  @Test func `the key (§2.7) is a String`() {
    func line(_ target: String, _ policy: DistributionPolicy, _ fields: [String] = []) -> String {
      let request = GivenRequest("GET \(target)", fields)
      let key = ByteBuffer()
      appendCacheKey(
        request.head, request.base, distribution: policy, behavior: policy.behavior(),
        viewer: ViewerFacts(), to: key)
      return writtenText {
        $0.append("Cache-Status: atoll; hit\r\n")
        appendKeyParameter(key.bytes, to: $0)
      }
    }
    let plain = makePolicy(.static)
    #expect(line("/a?b=c", plain) == "Cache-Status: atoll; hit; key=\"/a\"\r\n")
    #expect(line("/%22\"", plain) == "Cache-Status: atoll; hit; key=\"/%22\\\"\"\r\n")
    let everything = makePolicy()
    #expect(
      line("/a?b=c", everything) == "Cache-Status: atoll; hit; key=\"/a?b=c site.example\"\r\n")
    let keyed = makePolicy(.static) { $0.settings.forwardedHeaders = .listed(["X-A", "X-B"]) }
    #expect(
      line("/a", keyed, ["X-B: \\"]) == "Cache-Status: atoll; hit; key=\"/a - \\\\\"\r\n")
  }
}
