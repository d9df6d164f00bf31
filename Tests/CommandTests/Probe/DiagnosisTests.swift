// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

@testable import atoll

private func diagnose(_ exchanges: [[String]], status: Int = 200, headers: [String] = []) throws
  -> Diagnosis
{
  var request = ClientRequest(url: try ClientURL(parsing: "http://h/"))
  request.headers = try headers.map { try .init(parsing: $0) }
  return Diagnosis(
    exchanges.map { fields in
      let response = made(fields, status: status)
      return (response, CacheReading(response, now: 0))
    }, request: request)
}

@Suite struct DiagnosisTests {
  @Test func `a hit tells for how long`() throws {
    let diagnosis = try diagnose([
      ["Cache-Status: atoll; fwd=uri-miss; stored"], ["Cache-Status: atoll; hit; ttl=3599"],
    ])
    #expect(diagnosis.isCached)
    #expect(diagnosis.verdict == "cached by atoll for another 59m 59s")
    #expect(diagnosis.advice == nil)
  }

  @Test func `one miss that was stored is told so`() throws {
    let diagnosis = try diagnose([["Cache-Status: atoll; fwd=uri-miss; stored; ttl=60"]])
    #expect(!diagnosis.isCached)
    #expect(diagnosis.verdict == "not cached before this request, which stored it for 1m")
    #expect(diagnosis.advice == nil)
  }

  @Test func `one miss proves nothing`() throws {
    let diagnosis = try diagnose([["X-Cache: MISS"]])
    #expect(!diagnosis.isCached)
    #expect(diagnosis.verdict == "not cached before this request")
  }

  @Test(arguments: [
    (["Cache-Control: no-store"], 200, [], "the origin sends Cache-Control: no-store"),
    (["Cache-Control: private, max-age=9"], 200, [], "the origin sends Cache-Control: private"),
    (["Vary: *"], 200, [], "the origin sends Vary: *"),
    (["Set-Cookie: a=b"], 200, [], "the origin sets a cookie and gives no lifetime"),
    (["Cache-Control: max-age=0"], 200, [], "its lifetime is zero (Cache-Control: max-age=0)"),
    ([], 200, [], "the origin does not say for how long"),
    ([], 302, [], "a response with status 302 is kept only when told for how long"),
    (["Cache-Control: max-age=9"], 200, ["Authorization: x"], "the request carries Authorization"),
    (["Cache-Control: max-age=9"], 200, ["Range: bytes=0-1"], "a part was asked for"),
    (["Cache-Control: max-age=9"], 200, ["Cache-Control: no-cache"], "the request itself asks"),
  ])
  func `a second miss is explained by the headers`(
    fields: [String], status: Int, headers: [String], why: String
  ) throws {
    let miss = fields + ["X-Cache: MISS"]
    let diagnosis = try diagnose([miss, miss], status: status, headers: headers)
    #expect(!diagnosis.isCached)
    #expect(diagnosis.verdict.hasPrefix("not cached: \(why)"), "\(diagnosis.verdict)")
    #expect(diagnosis.advice != nil)
  }

  @Test func `the reason that atoll gives goes before a guess`() throws {
    let miss = ["Cache-Status: atoll; fwd=uri-miss; detail=too-large", "Cache-Control: no-store"]
    #expect(
      try diagnose([miss, miss]).verdict == "not cached: it is too large for the edge's memory")
  }

  @Test(arguments: Reason.allCases.filter { $0 != .none })
  func `every reason of the edge is explained in a line`(reason: Reason) throws {
    let miss = ["Cache-Status: atoll; fwd=bypass; detail=\(reason.text)"]
    let diagnosis = try diagnose([miss, miss])
    #expect(diagnosis.verdict.hasPrefix("not cached: "))
    #expect(diagnosis.verdict.utf8.count < 100)
    #expect(!diagnosis.verdict.hasSuffix("."))
  }

  @Test func `another cache's word is repeated when nothing better is known`() throws {
    let pass = ["CF-Cache-Status: DYNAMIC", "Cache-Control: max-age=60"]
    #expect(try diagnose([pass, pass]).verdict == "not cached: the cache says \"dynamic\"")
  }

  @Test func `silence is no verdict`() throws {
    let diagnosis = try diagnose([[], []])
    #expect(!diagnosis.isCached)
    #expect(diagnosis.verdict == "not known: no cache says anything about this response")
  }

  @Test func `a hit with another body is noticed`() throws {
    var first = made(["X-Cache: MISS"])
    var second = made(["X-Cache: HIT"])
    first.bodyHash = 1
    second.bodyHash = 2
    let request = ClientRequest(url: try ClientURL(parsing: "http://h/"))
    let exchanges = [first, second].map { ($0, CacheReading($0, now: 0)) }
    #expect(Diagnosis(exchanges, request: request).hasBodyChanged)
    #expect(!Diagnosis([exchanges[1], exchanges[0]], request: request).hasBodyChanged)
  }
}
