// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Testing

/// Ranges of what is not stored: fetched, stored and put together in slices (RFC 9111 §3.3, §3.4).
@Suite(.timeLimit(.minutes(20)))
struct SliceTests {
  private let site = Shared(RangedSite(size: 3_500))
  private var body: [UInt8] { site.value.body }

  private func make(
    hold: @escaping @Sendable (OriginRequest) -> Void = { _ in },
    _ change: (inout Distribution) -> Void = { _ in },
    options: (inout EdgeOptions) -> Void = { _ in }
  ) throws -> (EdgeUnderTest, ScriptedOrigin) {
    try RangedSite.edge(site, hold: hold, change, options: options)
  }

  private func ranges(_ origin: ScriptedOrigin) -> [String?] { origin.requests.map { $0["range"] } }

  // MARK: Fetching

  @Test func `a range is fetched as its slice, and the next one hits`() throws {
    let (edge, origin) = try make()
    let first = try edge.get("/", "Range: bytes=1100-1199")
    #expect(first.status == 206)
    #expect(first["content-range"] == "bytes 1100-1199/3500")
    #expect(first["content-length"] == "100")
    #expect(first["content-type"] == "application/x-test")
    #expect(first.body.bytes == Array(body[1100..<1200]))
    #expect(first.cacheStatus.contains("fwd=uri-miss"))
    #expect(first.cacheStatus.contains("stored"))
    let again = try edge.get("/", "Range: bytes=1900-1999")
    #expect(again.isHit)
    #expect(again.body.bytes == Array(body[1900..<2000]))
    #expect(again["age"] != nil)
    #expect(ranges(origin) == ["bytes=1000-1999"])
  }

  @Test func `a range over several slices streams them one after the other`() throws {
    let (edge, origin) = try make()
    let response = try edge.get("/", "Range: bytes=500-3400")
    #expect(response.body.bytes == Array(body[500..<3401]))
    #expect(
      Set(ranges(origin)) == [
        "bytes=0-999", "bytes=1000-1999", "bytes=2000-2999", "bytes=3000-3999",
      ])
    #expect(try edge.get("/", "Range: bytes=0-3499").isHit)
    #expect(origin.requestCount == 4)
  }

  @Test func `what is missing is fetched, what is stored is not`() throws {
    let (edge, origin) = try make()
    _ = try edge.get("/", "Range: bytes=1000-1000")
    let response = try edge.get("/", "Range: bytes=0-2999")
    #expect(response.body.bytes == Array(body[0..<3000]))
    #expect(response.cacheStatus.contains("fwd=partial"))
    #expect(ranges(origin).count == 3)
    #expect(Set(ranges(origin)).count == 3)
  }

  @Test
  func `several ranges of which the first is stored are no miss of the whole (RFC 9211 §2.2)`()
    throws
  {
    let (edge, origin) = try make()
    _ = try edge.get("/", "Range: bytes=0-9")
    let response = try edge.get("/", "Range: bytes=0-9,3000-3009")
    #expect(response.status == 206)
    #expect(response.cacheStatus.contains("fwd=partial"))
    #expect(ranges(origin) == ["bytes=0-999", "bytes=3000-3999"])
  }

  @Test func `open ends and ends beyond the end`() throws {
    let (edge, _) = try make()
    for range in ["bytes=3200-", "bytes=3200-99999"] {
      let response = try edge.get("/", "Range: \(range)")
      #expect(response["content-range"] == "bytes 3200-3499/3500")
      #expect(response.body.bytes == Array(body[3200...]))
    }
  }

  @Test func `a suffix of an unknown length finds it out with the first slice`() throws {
    let (edge, origin) = try make()
    let response = try edge.get("/", "Range: bytes=-700")
    #expect(response["content-range"] == "bytes 2800-3499/3500")
    #expect(response.body.bytes == Array(body[2800...]))
    #expect(ranges(origin).first == "bytes=0-999")
    #expect(try edge.get("/", "Range: bytes=-1").isHit)
  }

  @Test func `several ranges come from slices`() throws {
    let (edge, _) = try make()
    let response = try edge.get("/", "Range: bytes=3400-3499,0-9,900-1100")
    #expect(
      bodyParts(response)?.map(\.bytes) == [
        Array(body[3400...]), Array(body[0..<10]), Array(body[900..<1101]),
      ])
    #expect(try edge.get("/", "Range: bytes=3400-3499,0-9,900-1100").isHit)
  }

  @Test func `a small object is stored whole from its only slice (RFC 9111 §3.4)`() throws {
    site.withLock { $0 = RangedSite(size: 300) }
    let (edge, origin) = try make()
    let part = try edge.get("/", "Range: bytes=100-")
    #expect(part.status == 206)
    #expect(part.body.bytes == Array(body[100...]))
    let whole = try edge.get("/")
    #expect(whole.isHit)
    #expect(whole.status == 200)
    #expect(whole["content-range"] == nil)
    #expect(whole.body.bytes == body)
    #expect(origin.requestCount == 1)
  }

  @Test func `viewers at once make one request for each slice, over two loops`() throws {
    let go = Event()
    let (edge, origin) = try make(hold: { _ in go.wait() }, options: { $0.threads = 2 })
    let viewers = try (0..<40).map { _ in try edge.viewer() }
    for viewer in viewers {
      try viewer.send(ScriptedViewer.head("GET", "/", ["Range: bytes=1500-2500"]))
    }
    origin.waitFor(requests: 1)
    go.fire()
    for viewer in viewers {
      let response = try viewer.readResponse()
      #expect(response.status == 206)
      #expect(response.body.bytes == Array(body[1500..<2501]))
    }
    #expect(ranges(origin).count == 2)
  }

  @Test func `bytes of a slice flow before it is complete`() throws {
    let more = Event()
    let body = self.body
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead(
        "206 Partial Content", "Cache-Control: max-age=60", "ETag: \"v1\"",
        "Content-Range: bytes 0-999/3500", "Content-Length: 1000")
      try exchange.send(Array(body[0..<500]))
      more.wait()
      try exchange.send(Array(body[500..<1000]))
    }
    let edge = try EdgeUnderTest(origin, { $0.settings.sliceSize = 1000 })
    let viewer = try edge.viewer()
    try viewer.send(ScriptedViewer.head("GET", "/", ["Range: bytes=400-599"]))
    _ = try viewer.readResponseHead()
    #expect(try viewer.wire.read(100) == Array(body[400..<500]))
    more.fire()
    #expect(try viewer.wire.read(100) == Array(body[500..<600]))
  }

  @Test func `a viewer that leaves: the slice under way is finished, no more is fetched`() throws {
    site.withLock { $0 = RangedSite(size: 100_000) }
    let more = Event()
    let (edge, origin) = try make(hold: { _ in more.wait() })
    let viewer = try edge.viewer()
    try viewer.send(ScriptedViewer.head("GET", "/", ["Range: bytes=0-"]))
    #expect(try viewer.readResponseHead().status == 206)
    viewer.reset()
    // The read-ahead may have begun; nothing after it does.
    _ = origin.waitFor(requests: 2)
    more.fire()
    #expect(eventually { (try? edge.get("/", "Range: bytes=0-9").isHit) == true })
    #expect(origin.requestCount <= 2)
  }

  @Test func `a slow viewer does not make the edge fetch more than one slice ahead`() throws {
    site.withLock { $0 = RangedSite(size: 20 << 20) }
    let (edge, origin) = try make({ $0.settings.sliceSize = 1 << 20 })
    let slow = try edge.viewer(receiveBuffer: 4096)
    try slow.send(ScriptedViewer.head("GET", "/", ["Range: bytes=0-"]))
    let head = try slow.readResponseHead()
    #expect(head["content-length"] == "\(20 << 20)")
    _ = origin.waitFor(requests: 2)
    // What the kernel holds for the viewer is less than some slices.
    #expect(!origin.waitFor(requests: 12, within: 0.5))
    slow.reset()
  }

  // MARK: The whole of slices

  @Test func `a GET for the whole uses stored slices and fetches the missing ones`() throws {
    let (edge, origin) = try make()
    _ = try edge.get("/", "Range: bytes=1000-1000")
    let whole = try edge.get("/")
    #expect(whole.status == 200)
    #expect(whole["content-length"] == "3500")
    #expect(whole["content-range"] == nil)
    #expect(whole.body.bytes == body)
    #expect(whole.cacheStatus.contains("fwd=partial"))
    #expect(!ranges(origin).contains(nil))
    let again = try edge.get("/")
    #expect(again.isHit)
    #expect(again.body.bytes == body)
    #expect(origin.requestCount == 4)
    let head = try edge.viewer().request("HEAD", "/")
    #expect(head.isHit)
    #expect(head["content-length"] == "3500")
  }

  @Test func `an object too large to be stored is stored in slices`() throws {
    site.withLock { $0 = RangedSite(size: 6 << 20) }
    let (edge, origin) = try make({ $0.settings.sliceSize = 1 << 20 })
    // A memory of 32 MiB stores up to 4 MiB in one piece.
    let first = try edge.get("/")
    #expect(first.body.bytes == body)
    #expect(first.cacheStatus.contains("detail=too-large"))
    #expect(try edge.get("/").body.bytes == body)
    let third = try edge.get("/")
    #expect(third.isHit)
    #expect(third.body.bytes == body)
    #expect(ranges(origin).filter { $0 == nil }.count == 1)
    #expect(ranges(origin).count == 7)
  }

  @Test func `conditions are answered from what is known of the whole (§13.2.2)`() throws {
    let (edge, origin) = try make()
    _ = try edge.get("/", "Range: bytes=0-0")
    #expect(try edge.get("/", "Range: bytes=0-1", "If-None-Match: \"v1\"").status == 304)
    #expect(try edge.get("/", "If-None-Match: \"v1\"").status == 304)
    #expect(try edge.get("/", "Range: bytes=0-1", "If-Range: \"v1\"").status == 206)
    let beyond = try edge.get("/", "Range: bytes=3500-")
    #expect(beyond.status == 416)
    #expect(beyond["content-range"] == "bytes */3500")
    #expect(origin.requestCount == 1)
    let whole = try edge.get("/", "Range: bytes=0-1", "If-Range: \"x\"")
    #expect(whole.status == 200)
    #expect(whole.body.bytes == body)
  }

  @Test(arguments: [
    (["If-None-Match: \"v1\""], 304), (["If-Range: \"v1\""], 206),
    (["If-Range: \"x\""], 200), (["If-Range: W/\"v1\""], 200), (["If-None-Match: \"x\""], 206),
  ])
  func `conditions with a range of what is not stored`(fields: [String], status: Int) throws {
    let (edge, _) = try make()
    let response = try edge.viewer().request("GET", "/", fields + ["Range: bytes=1500-1599"])
    #expect(response.status == status)
    if status == 206 { #expect(response.body.bytes == Array(body[1500..<1600])) }
    if status == 200 { #expect(response.body.bytes == body) }
  }

  @Test func `only-if-cached is answered from slices, or 504 (RFC 9111 §5.2.1.7)`() throws {
    let (edge, origin) = try make()
    let only = "Cache-Control: only-if-cached"
    #expect(try edge.get("/", "Range: bytes=0-9", only).status == 504)
    _ = try edge.get("/", "Range: bytes=0-9")
    #expect(try edge.get("/", "Range: bytes=0-9", only).status == 206)
    #expect(try edge.get("/", "Range: bytes=0-1500", only).status == 504)
    #expect(try edge.get("/", only).status == 504)
    #expect(origin.requestCount == 1)
  }

  // MARK: Freshness

  /// Lets what is stored expire at once.
  private func expire() {
    site.withLock { $0.fields = ["Cache-Control: max-age=0, stale-if-error=600"] }
  }

  @Test func `stale slices are confirmed by one 304 for all of them (RFC 9111 §4.3.4)`() throws {
    expire()
    let (edge, origin) = try make()
    _ = try edge.get("/", "Range: bytes=0-1999")
    #expect(origin.requestCount == 2)
    let response = try edge.get("/", "Range: bytes=500-1500")
    #expect(response.status == 206)
    #expect(response.body.bytes == Array(body[500..<1501]))
    #expect(response["x-cache"] == "RefreshHit from atoll")
    #expect(origin.requestCount == 3)
    #expect(origin.requests[2]["if-none-match"] == "\"v1\"")
    #expect(origin.requests[2]["range"] == "bytes=0-999")
    // The 304 said max-age=60: both slices are fresh.
    #expect(try edge.get("/", "Range: bytes=0-1999").isHit)
    #expect(origin.requestCount == 3)
  }

  @Test func `slices of different validators are never combined`() throws {
    expire()
    let (edge, origin) = try make()
    _ = try edge.get("/", "Range: bytes=0-1999")
    site.withLock {
      $0 = RangedSite(size: 3_500, seed: 9)
      $0.etag = "\"v2\""
    }
    let response = try edge.get("/", "Range: bytes=500-1500")
    #expect(response.body.bytes == Array(body[500..<1501]))
    #expect(response["etag"] == "\"v2\"")
    #expect(try edge.get("/", "Range: bytes=0-2999").body.bytes == Array(body[0..<3000]))
    #expect(origin.requests.filter { $0["range"] == "bytes=1000-1999" }.count == 2)
  }

  @Test func `a change in the middle of a response ends it visibly`() throws {
    let second = Event()
    let go = Event()
    let (edge, origin) = try make(hold: { request in
      if request["range"] == "bytes=0-999" {
        second.fire()
        go.wait()
      }
    })
    let viewer = try edge.viewer()
    try viewer.send(ScriptedViewer.head("GET", "/", ["Range: bytes=0-3499"]))
    second.wait()
    site.withLock {
      $0 = RangedSite(size: 3_500, seed: 9)
      $0.etag = "\"v2\""
    }
    go.fire()
    let head = try viewer.readResponseHead()
    #expect(head["etag"] == "\"v1\"")
    let broken = try viewer.readBody(of: head)
    #expect(broken.ending == .truncated)
    // The second slice may have been asked for before the change, no later one.
    #expect(broken.count <= 2000)
    // The old slices are of no use to anybody any more.
    let fresh = try edge.get("/", "Range: bytes=0-3499")
    #expect(fresh.body.bytes == body)
    #expect(fresh["etag"] == "\"v2\"")
    #expect(origin.requestCount >= 5)
  }

  @Test(arguments: ["503 Service Unavailable", "500 Internal Server Error"])
  func `stale slices stand in for a failing origin (RFC 5861 §4)`(_ status: String) throws {
    expire()
    let fails = Shared(false)
    let site = self.site
    let origin = try ScriptedOrigin { exchange in
      if fails.value { return try exchange.respond(status, body: "sorry") }
      let site = site.value
      try exchange.sendHead(
        "206 Partial Content", site.fields[0], "ETag: \"v1\"", "Content-Range: bytes 0-999/3500",
        "Content-Length: 1000")
      try exchange.send(site.bytes(0..<1000))
    }
    let edge = try EdgeUnderTest(origin, { $0.settings.sliceSize = 1000 })
    _ = try edge.get("/", "Range: bytes=0-9")
    fails.withLock { $0 = true }
    let response = try edge.get("/", "Range: bytes=0-9")
    #expect(response.status == 206)
    #expect(response.cacheStatus.contains("fwd=stale"))
    #expect(response.body.bytes == Array(body[0..<10]))
    origin.stop()
    #expect(try edge.get("/", "Range: bytes=0-9").status == 206)
  }

  @Test func `stale-while-revalidate holds for slices (RFC 5861 §3)`() throws {
    site.withLock { $0.fields = ["Cache-Control: max-age=0, stale-while-revalidate=60"] }
    let (edge, origin) = try make()
    _ = try edge.get("/", "Range: bytes=0-9")
    let stale = try edge.get("/", "Range: bytes=0-9")
    #expect(stale.status == 206)
    #expect(stale.cacheStatus.contains("detail=stale-while-revalidate"))
    #expect(origin.waitFor(requests: 2))
    #expect(
      eventually { (try? edge.get("/", "Range: bytes=0-9").cacheStatus.contains("hit")) == true })
    #expect(origin.requests[1]["if-none-match"] == "\"v1\"")
  }

  @Test func `a request with no-cache asks the origin (RFC 9111 §5.2.1.4)`() throws {
    let (edge, origin) = try make()
    _ = try edge.get("/", "Range: bytes=0-9")
    let response = try edge.get("/", "Range: bytes=0-9", "Cache-Control: no-cache")
    #expect(response.status == 206)
    #expect(response.body.bytes == Array(body[0..<10]))
    #expect(origin.requestCount == 2)
    #expect(origin.requests[1]["if-none-match"] == "\"v1\"")
  }

  // MARK: Purges and invalidation

  @Test(arguments: [PurgeSelector.path("/film"), .prefix("/f"), .all, .tag("films")])
  func `purges reach slices`(_ selector: PurgeSelector) throws {
    site.withLock { $0.fields.append("Cache-Tag: films") }
    let (edge, origin) = try make()
    _ = try edge.get("/film", "Range: bytes=0-1999")
    edge.purge(selector)
    let response = try edge.get("/film", "Range: bytes=0-9")
    #expect(!response.isHit)
    #expect(origin.requestCount == 3)
    #expect(origin.requests[2]["if-none-match"] == nil)
  }

  @Test func `after a soft purge slices are confirmed`() throws {
    let (edge, origin) = try make()
    _ = try edge.get("/", "Range: bytes=0-9")
    edge.purge(.path("/"), soft: true)
    #expect(try edge.get("/", "Range: bytes=0-9")["x-cache"] == "RefreshHit from atoll")
    #expect(origin.requests[1]["if-none-match"] == "\"v1\"")
    #expect(try edge.get("/", "Range: bytes=0-9").isHit)
  }

  @Test func `an unsafe request invalidates slices, those on their way too (RFC 9111 §4.4)`() throws
  {
    let go = Event()
    let (edge, origin) = try make(hold: { if $0["range"] == "bytes=1000-1999" { go.wait() } })
    _ = try edge.get("/", "Range: bytes=0-9")
    #expect(try edge.viewer().request("POST", "/", ["Content-Length: 0"]).status == 200)
    #expect(!(try edge.get("/", "Range: bytes=0-9").isHit))
    let viewer = try edge.viewer()
    try viewer.send(ScriptedViewer.head("GET", "/", ["Range: bytes=1000-1009"]))
    _ = try viewer.readResponseHead()
    #expect(try edge.viewer().request("POST", "/", ["Content-Length: 0"]).status == 200)
    go.fire()
    #expect(try viewer.wire.read(10) == Array(body[1000..<1010]))
    #expect(!(try edge.get("/", "Range: bytes=1000-1009").isHit))
    #expect(origin.requests.filter { $0.method == "GET" }.count == 4)
  }

  // MARK: Who may share

  @Test func `Vary selects slices (RFC 9111 §4.1)`() throws {
    let site = self.site
    let origin = try ScriptedOrigin { exchange in
      let language = exchange.request["accept-language"] ?? ""
      let body = RangedSite(size: 3_500, seed: UInt8(language.utf8.count)).bytes(0..<1000)
      try exchange.sendHead(
        "206 Partial Content", site.value.fields[0], "ETag: \"\(language)\"",
        "Vary: Accept-Language",
        "Content-Range: bytes 0-999/3500", "Content-Length: 1000")
      try exchange.send(body)
    }
    let edge = try EdgeUnderTest(origin, { $0.settings.sliceSize = 1000 })
    for isSecond in [false, true] {
      for language in ["de", "en-US"] {
        let response = try edge.get("/", "Range: bytes=0-9", "Accept-Language: \(language)")
        #expect(response["etag"] == "\"\(language)\"")
        let expected = RangedSite(size: 3_500, seed: UInt8(language.utf8.count)).bytes(0..<10)
        #expect(response.body.bytes == expected)
        #expect(response.isHit == isSecond)
      }
    }
    #expect(origin.requestCount == 2)
  }

  @Test func `credentials keep slices out, unless the origin says otherwise (RFC 9111 §3.5)`()
    throws
  {
    let (edge, origin) = try make()
    let user = "Authorization: Basic eDp5"
    let own = try edge.get("/", "Range: bytes=0-9", user)
    #expect(own.status == 206)
    #expect(own.body.bytes == Array(body[0..<10]))
    #expect(own.cacheStatus.contains("detail=response-authorization"))
    #expect(!(try edge.get("/", "Range: bytes=0-9").isHit))
    site.withLock { $0.fields = ["Cache-Control: public, max-age=60"] }
    _ = try edge.get("/public", "Range: bytes=0-9", user)
    #expect(try edge.get("/public", "Range: bytes=0-9").isHit)
    #expect(try edge.get("/public", "Range: bytes=0-9", user).isHit)
    #expect(origin.requests.contains { $0["authorization"] != nil })
  }

  @Test(arguments: ["no-store", "private", "max-age=0"])
  func `a part that may not be stored answers its viewer, and later ranges are passed on`(
    _ control: String
  ) throws {
    site.withLock {
      $0.fields = ["Cache-Control: \(control)"]
      $0.etag = nil
    }
    let (edge, origin) = try make()
    let first = try edge.get("/", "Range: bytes=1500-1599")
    #expect(first.status == 206)
    #expect(first["content-range"] == "bytes 1500-1599/3500")
    #expect(first.body.bytes == Array(body[1500..<1600]))
    #expect(!first.cacheStatus.contains("stored"))
    let second = try edge.get("/", "Range: bytes=1500-1599")
    #expect(second.body.bytes == Array(body[1500..<1600]))
    #expect(!second.isHit)
    #expect(ranges(origin) == ["bytes=1000-1999", "bytes=1500-1599"])
  }

  @Test func `a range longer than a part that may not be stored is asked for as it is`() throws {
    site.withLock { $0.fields = ["Cache-Control: no-store"] }
    let (edge, origin) = try make()
    let response = try edge.get("/", "Range: bytes=500-2500", "X-Mine: 1")
    #expect(response.status == 206)
    #expect(response.body.bytes == Array(body[500..<2501]))
    #expect(ranges(origin) == ["bytes=0-999", "bytes=500-2500"])
  }

  @Test func `waiters for a slice that may not be shared ask for themselves`() throws {
    site.withLock { $0.fields = ["Cache-Control: private"] }
    let go = Event()
    let (edge, origin) = try make(hold: { _ in go.wait() }, options: { $0.threads = 2 })
    let viewers = try (0..<10).map { _ in try edge.viewer() }
    for viewer in viewers {
      try viewer.send(ScriptedViewer.head("GET", "/", ["Range: bytes=0-9"]))
    }
    #expect(origin.waitFor(requests: 10))
    go.fire()
    for viewer in viewers {
      let response = try viewer.readResponse()
      #expect(response.status == 206)
      #expect(response.body.bytes == Array(body[0..<10]))
    }
    #expect(origin.requestCount == 10)
  }

  // MARK: Origins that answer otherwise

  @Test func `an origin without ranges fills the whole, and the viewer gets its part of it`() throws
  {
    site.withLock { $0.servesRanges = false }
    let (edge, origin) = try make()
    let part = try edge.get("/", "Range: bytes=1500-1599")
    #expect(part.status == 206)
    #expect(part["content-range"] == "bytes 1500-1599/3500")
    #expect(part.body.bytes == Array(body[1500..<1600]))
    #expect(eventually { (try? edge.get("/").isHit) == true })
    #expect(try edge.get("/", "Range: bytes=-9").isHit)
    #expect(origin.requestCount == 1)
  }

  @Test func `who comes while an origin without ranges sends the whole joins it`() throws {
    site.withLock { $0.servesRanges = false }
    let go = Event()
    let (edge, origin) = try make(hold: { _ in go.wait() }, options: { $0.threads = 2 })
    let first = try edge.viewer()
    try first.send(ScriptedViewer.head("GET", "/", ["Range: bytes=1500-1599"]))
    #expect(try first.readResponseHead().status == 206)
    let others = try (0..<10).map { _ in try edge.viewer() }
    for (index, viewer) in others.enumerated() {
      try viewer.send(
        ScriptedViewer.head("GET", "/", index % 2 == 0 ? [] : ["Range: bytes=\(index * 300)-"]))
    }
    let heads = try others.map { try $0.readResponseHead() }
    go.fire()
    for (index, viewer) in others.enumerated() {
      let expected = index % 2 == 0 ? body : Array(body[(index * 300)...])
      #expect(try viewer.readBody(of: heads[index]).bytes == expected)
    }
    #expect(origin.requestCount == 1)
  }

  @Test func `an origin without ranges or lengths is the whole (CloudFront §12)`() throws {
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead("200 OK", "Cache-Control: max-age=60", "Transfer-Encoding: chunked")
      try exchange.send(chunked("01234", "56789"))
    }
    let edge = try EdgeUnderTest(origin)
    let response = try edge.get("/", "Range: bytes=0-1")
    #expect(response.status == 200)
    #expect(response.text == "0123456789")
    #expect(try edge.get("/", "Range: bytes=0-1").text == "01")
    #expect(origin.requestCount == 1)
  }

  @Test func `416 of the origin is passed on and not stored`() throws {
    let (edge, origin) = try make()
    let response = try edge.get("/", "Range: bytes=9000-")
    #expect(response.status == 416)
    #expect(response["content-range"] == "bytes */3500")
    #expect(try edge.get("/", "Range: bytes=0-9").status == 206)
    // From now on the length is known.
    #expect(try edge.get("/", "Range: bytes=9000-").status == 416)
    #expect(origin.requestCount == 2)
    // Another range may be satisfiable: the origin has to say.
    let several = try edge.get("/other", "Range: bytes=9000-,0-9")
    #expect(several.status == 416 || several.status == 206)
  }

  @Test(arguments: ["404 Not Found", "301 Moved Permanently"])
  func `an error or a redirect is stored as for any request`(_ status: String) throws {
    let origin = try ScriptedOrigin {
      try $0.respond(status, "Cache-Control: max-age=60", body: "no")
    }
    let edge = try EdgeUnderTest(origin)
    for _ in 0..<2 {
      let response = try edge.get("/", "Range: bytes=0-9")
      #expect("\(response.status)" == status.prefix(3))
      #expect(response.text == "no")
    }
    #expect(try edge.get("/").isHit)
    #expect(origin.requestCount == 1)
  }

  @Test func `a failing origin is 502 or 504, as for any request`() throws {
    let origin = try ScriptedOrigin { $0.close() }
    let edge = try EdgeUnderTest(origin)
    #expect(try edge.get("/", "Range: bytes=0-9").status == 502)
    let refusing = try RefusingOrigin()
    #expect(try EdgeUnderTest(originPort: refusing.port).get("/", "Range: bytes=0-9").status == 502)
  }

  private static let whole = "0123456789"

  @Test(
    arguments: [
      // Content-Range, whether a later range may be answered with it.
      ["Content-Range: bytes 0-4/10"], ["Content-Range: bytes 0-4/*", "ETag: \"a\""],
      ["Content-Range: bytes 0-4/10", "ETag: W/\"a\""],
      ["Content-Range: bytes 0-4/3", "ETag: \"a\""],
      ["Content-Range: bytes 0-9/10", "ETag: \"a\""],
      ["Content-Range: bytes 5-9/10", "ETag: \"a\""], ["ETag: \"a\""],
      ["Content-Range: bytes 0-4/10", "Content-Range: bytes 0-4/10", "ETag: \"a\""],
      ["Content-Type: multipart/byteranges; boundary=x", "ETag: \"a\""],
    ])
  func `an inconsistent or unbound part is never stored`(_ fields: [String]) throws {
    let origin = try ScriptedOrigin { exchange in
      if exchange.request["range"] == nil {
        return try exchange.respond(
          "200 OK", "Cache-Control: max-age=60", "ETag: \"a\"", body: Self.whole)
      }
      let lines =
        ["HTTP/1.1 206 Partial Content", "Cache-Control: max-age=60"] + fields
        + ["Content-Length: 5"]
      try exchange.send(lines.joined(separator: "\r\n") + "\r\n\r\nxxxxx")
    }
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/", "Range: bytes=0-4")
    let again = try edge.get("/", "Range: bytes=0-4")
    #expect(!again.isHit)
    let whole = try edge.get("/")
    #expect(!whole.isHit)
    #expect(whole.text == Self.whole)
  }

  @Test func `a part that does not answer the viewer is not given to it`() throws {
    let origin = try ScriptedOrigin { exchange in
      // Whatever is asked for, it sends these.
      if exchange.request.number == 1 {
        return try exchange.respond(
          "206 Partial Content", "Content-Range: bytes 5-9/10", "ETag: \"a\"", body: "56789")
      }
      try exchange.respond(
        "206 Partial Content", "Content-Range: bytes 0-1/10", "ETag: \"a\"", body: "01")
    }
    let edge = try EdgeUnderTest(origin)
    let response = try edge.get("/", "Range: bytes=0-1")
    #expect(response.text == "01")
    #expect(ranges(origin)[1] == "bytes=0-1")
  }

  @Test func `a slice that breaks off ends the response visibly and is not stored`() throws {
    let body = self.body
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead(
        "206 Partial Content", "Cache-Control: max-age=60", "ETag: \"v1\"",
        "Content-Range: bytes 0-999/3500", "Content-Length: 1000")
      try exchange.send(Array(body[0..<(exchange.request.number == 1 ? 100 : 1000)]))
      if exchange.request.number == 1 { exchange.close() }
    }
    let edge = try EdgeUnderTest(origin, { $0.settings.sliceSize = 1000 })
    let broken = try edge.get("/", "Range: bytes=0-199")
    #expect(!broken.isComplete)
    #expect(broken.body.count == 100)
    #expect(try edge.get("/", "Range: bytes=0-199").body.bytes == Array(body[0..<200]))
  }

  @Test func `a part that nobody asked for is passed on and never stored (RFC 9111 §3.3)`() throws {
    let origin = try ScriptedOrigin { exchange in
      if exchange.request.number > 1 {
        return try exchange.respond("200 OK", "Cache-Control: max-age=60", body: Self.whole)
      }
      try exchange.respond(
        "206 Partial Content", "Cache-Control: max-age=60", "Content-Range: bytes 0-4/10",
        "ETag: \"a\"", body: "01234")
    }
    let edge = try EdgeUnderTest(origin)
    let first = try edge.get("/")
    #expect(first.status == 206)
    #expect(first["content-range"] == "bytes 0-4/10")
    #expect(first.cacheStatus.contains("detail=response-partial"))
    let second = try edge.get("/")
    #expect(!second.isHit)
    #expect(second.text == Self.whole)
  }

  @Test func `a method that is not cached keeps its range, and its part is not stored`() throws {
    let (edge, origin) = try make({ $0.defaultBehavior = .dontCache })
    for _ in 0..<2 {
      let part = try edge.get("/", "Range: bytes=0-9")
      #expect(part.status == 206)
      #expect(!part.isHit)
    }
    #expect(ranges(origin) == ["bytes=0-9", "bytes=0-9"])
  }

  @Test func `without slices ranges are passed on as they are`() throws {
    let (edge, origin) = try make({ $0.settings.sliceSize = 0 })
    for _ in 0..<2 {
      let part = try edge.get("/", "Range: bytes=0-9,20-29", "If-Range: \"v1\"")
      #expect(!part.isHit)
    }
    #expect(origin.requests.allSatisfy { $0["range"] == "bytes=0-9,20-29" })
    #expect(origin.requests.allSatisfy { $0["if-range"] == "\"v1\"" })
  }

  @Test func `a stale whole is confirmed whole, and answers the range (RFC 9111 §4.3)`() throws {
    expire()
    let (edge, origin) = try make()
    _ = try edge.get("/")
    let part = try edge.get("/", "Range: bytes=0-9")
    #expect(part.status == 206)
    #expect(part["x-cache"] == "RefreshHit from atoll")
    #expect(origin.requests[1]["range"] == nil)
    #expect(origin.requests[1]["if-none-match"] == "\"v1\"")
  }
}
