// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Testing

/// Ranges of what is stored whole, or being filled: RFC 9110 §14, §15.3.7 and §15.5.17.
@Suite(.timeLimit(.minutes(20)))
struct RangeTests {
  /// A whole body that was asked for once.
  private func filled(size: Int = 100, _ fields: String...) throws -> EdgeUnderTest {
    var site = RangedSite(size: size)
    site.fields += fields
    let (edge, _) = try RangedSite.edge(Shared(site))
    #expect(try edge.get("/").status == 200)
    return edge
  }

  private let site = RangedSite(size: 100)

  @Test func `several ranges come as parts, in the order asked for (§15.3.7.2)`() throws {
    let edge = try filled()
    let response = try edge.get("/", "Range: bytes=90-99, 0-4,-1")
    // -1 lies within 90-99: they are one.
    #expect(response.status == 206)
    #expect(response.isHit)
    #expect(response["content-range"] == nil)
    #expect(response["etag"] == "\"v1\"")
    #expect(
      bodyParts(response) == [
        BodyPart(
          contentType: "application/x-test", contentRange: "bytes 90-99/100",
          bytes: site.bytes(90..<100)),
        BodyPart(
          contentType: "application/x-test", contentRange: "bytes 0-4/100",
          bytes: site.bytes(0..<5)),
      ])
    #expect(response["content-length"] == "\(response.body.count)")
  }

  @Test func `the boundary is another each time`() throws {
    let edge = try filled()
    let viewer = try edge.viewer()
    let types = try (0..<20).map { _ in
      try viewer.get("/", "Range: bytes=0-1,5-6")["content-type"] ?? ""
    }
    #expect(Set(types).count == 20)
  }

  @Test(arguments: [
    ("bytes=0-1,500-", "bytes 0-1/100"), ("bytes=0-9,5-14", "bytes 0-14/100"),
    ("bytes=500-,-3", "bytes 97-99/100"),
  ])
  func `one part that is left of several is no multipart`(range: String, part: String) throws {
    let response = try filled().get("/", "Range: \(range)")
    #expect(response.status == 206)
    #expect(response["content-range"] == part)
    #expect(response["content-type"] == "application/x-test")
  }

  @Test(arguments: [
    "bytes=0-1,1-2,2-3", "bytes=0-,0-,0-", "bytes=0-1,x", "bytes=5-4,0-1",
    "bytes=" + (0..<17).map { "\($0 * 2)-\($0 * 2)" }.joined(separator: ","),
  ])
  func `too many, overlapping or invalid ranges are the whole (§14.2)`(_ range: String) throws {
    let response = try filled().get("/", "Range: \(range)")
    #expect(response.status == 200)
    #expect(response.body.bytes == site.body)
  }

  @Test func `only when no range is satisfiable is it 416 (§15.5.17)`() throws {
    let edge = try filled()
    let response = try edge.get("/", "Range: bytes=100-,200-300,-0")
    #expect(response.status == 416)
    #expect(response["content-range"] == "bytes */100")
    #expect(response.body.count == 0)
  }

  @Test func `HEAD knows no ranges (§14.2)`() throws {
    let edge = try filled()
    for range in ["bytes=0-1", "bytes=0-1,5-6", "bytes=500-"] {
      let response = try edge.viewer().request("HEAD", "/", ["Range: \(range)"])
      #expect(response.status == 200)
      #expect(response["content-length"] == "100")
    }
  }

  @Test(arguments: ["301 Moved Permanently", "404 Not Found", "410 Gone"])
  func `other entries than 200 are served whole (§14.2)`(_ status: String) throws {
    let origin = try ScriptedOrigin {
      try $0.respond(status, "Cache-Control: max-age=60", "ETag: \"e\"", body: "0123456789")
    }
    let edge = try EdgeUnderTest(origin)
    _ = try edge.get("/")
    for range in ["bytes=0-1", "bytes=0-1,5-6", "bytes=500-"] {
      let response = try edge.get("/", "Range: \(range)")
      #expect("\(response.status)" == status.prefix(3))
      #expect(response.text == "0123456789")
      #expect(response.isHit)
    }
    #expect(origin.requestCount == 1)
  }

  @Test func `an empty body has no ranges`() throws {
    let edge = try filled(size: 0)
    #expect(try edge.get("/", "Range: bytes=0-0,5-6").status == 416)
    #expect(try edge.get("/", "Range: bytes=0-")["content-range"] == "bytes */0")
    #expect(try edge.get("/", "Range: bytes=-5").status == 200)
  }

  @Test func `what is stored says that it serves ranges (§14.3)`() throws {
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: max-age=9", body: "x")
    }
    let edge = try EdgeUnderTest(origin)
    for _ in 0..<2 { #expect(try edge.get("/").head.values(of: "accept-ranges") == ["bytes"]) }
    let plain = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: no-store", body: "x")
    }
    #expect(try EdgeUnderTest(plain).get("/")["accept-ranges"] == nil)
  }

  @Test(arguments: [
    // §13.2.2, steps 1 to 4 before step 5.
    (["If-None-Match: \"v1\""], 304), (["If-None-Match: \"x\""], 206),
    (["If-Match: \"v1\""], 206),
    (["If-Match: \"v1\"", "If-None-Match: \"v1\""], 304),
    (["If-Range: \"v1\""], 206), (["If-Range: \"x\""], 200), (["If-Range: W/\"v1\""], 200),
    (["If-None-Match: \"v1\"", "If-Range: \"x\""], 304),
  ])
  func `conditions come before ranges (§13.2.2)`(fields: [String], status: Int) throws {
    let edge = try filled()
    for range in ["bytes=0-1", "bytes=0-1,5-6"] {
      let response = try edge.viewer().request("GET", "/", fields + ["Range: \(range)"])
      #expect(response.status == status)
    }
  }

  // MARK: Fills under way

  /// An edge, a site of two parts, and the viewer that began a fill of which half has come.
  private func filling(
    size: Int = 20_000, _ more: Event, options: (inout EdgeOptions) -> Void = { _ in }
  ) throws -> (EdgeUnderTest, ScriptedOrigin, RangedSite, ScriptedViewer) {
    let site = RangedSite(size: size)
    let origin = try ScriptedOrigin { exchange in
      if let range = exchange.request["range"] {
        let ends = range.dropFirst(6).split(separator: "-").compactMap { Int($0) }
        let part = site.bytes(ends[0]..<min(ends[1] + 1, size))
        try exchange.sendHead(
          "206 Partial Content", "Cache-Control: max-age=60", "ETag: \"v1\"",
          "Content-Range: bytes \(ends[0])-\(ends[0] + part.count - 1)/\(size)",
          "Content-Length: \(part.count)")
        return try exchange.send(part)
      }
      try exchange.sendHead(
        "200 OK", "Cache-Control: max-age=60", "ETag: \"v1\"", "Content-Length: \(size)")
      try exchange.send(site.bytes(0..<10_000))
      more.wait()
      try exchange.send(site.bytes(10_000..<size))
    }
    let edge = try EdgeUnderTest(origin, { $0.origin.responseTimeout = 60 }, options: options)
    let first = try edge.viewer()
    try first.send(ScriptedViewer.head("GET", "/"))
    _ = try first.readResponseHead()
    return (edge, origin, site, first)
  }

  @Test func `a range of a fill is served as soon as its bytes are there, on any loop`() throws {
    let more = Event()
    let (edge, origin, site, first) = try filling(more, options: { $0.threads = 2 })
    for _ in 0..<8 {
      let part = try edge.get("/", "Range: bytes=100-199")
      #expect(part.status == 206)
      #expect(part["content-range"] == "bytes 100-199/20000")
      #expect(part.body.bytes == site.bytes(100..<200))
      #expect(part.cacheStatus.contains("collapsed"))
    }
    let several = try edge.get("/", "Range: bytes=500-599,0-9")
    #expect(bodyParts(several)?.map(\.bytes) == [site.bytes(500..<600), site.bytes(0..<10)])
    // Half of it is there: the rest comes with the fill.
    let late = try edge.viewer()
    try late.send(ScriptedViewer.head("GET", "/", ["Range: bytes=9000-10999"]))
    let head = try late.readResponseHead()
    #expect(head["content-range"] == "bytes 9000-10999/20000")
    #expect(try late.wire.read(1000) == site.bytes(9_000..<10_000))
    more.fire()
    #expect(try late.wire.read(1000) == site.bytes(10_000..<11_000))
    #expect(try first.wire.read(20_000) == site.body)
    #expect(origin.requestCount == 1)
    #expect(try edge.get("/", "Range: bytes=-1").isHit)
  }

  @Test func `416 and conditions are answered before the fill is over`() throws {
    let more = Event()
    let (edge, origin, _, _) = try filling(more)
    let beyond = try edge.get("/", "Range: bytes=20000-")
    #expect(beyond.status == 416)
    #expect(beyond["content-range"] == "bytes */20000")
    #expect(try edge.get("/", "Range: bytes=0-1", "If-None-Match: \"v1\"").status == 304)
    #expect(origin.requestCount == 1)
    more.fire()
  }

  @Test func `a range far ahead of a fill is fetched on its own`() throws {
    let more = Event()
    let size = Limits.fillReach + 3_000_000
    let (edge, origin, site, first) = try filling(
      size: size, more, options: { $0.memory = 64 << 20 })
    let far = try edge.get("/", "Range: bytes=\(size - 10)-")
    #expect(far.status == 206)
    #expect(far.body.bytes == site.bytes((size - 10)..<size))
    #expect(origin.requestCount == 2)
    #expect(origin.requests[1]["range"] != nil)
    more.fire()
    #expect(try first.wire.read(size).count == size)
  }

  @Test func `a range of a fill of unknown length is the whole`() throws {
    let more = Event()
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead("200 OK", "Cache-Control: max-age=60", "Transfer-Encoding: chunked")
      try exchange.send("5\r\n01234\r\n")
      more.wait()
      try exchange.send("5\r\n56789\r\n0\r\n\r\n")
    }
    let edge = try EdgeUnderTest(origin)
    let first = try edge.viewer()
    try first.send(ScriptedViewer.head("GET", "/"))
    _ = try first.readResponseHead()
    let second = try edge.viewer()
    try second.send(ScriptedViewer.head("GET", "/", ["Range: bytes=0-1"]))
    let response = try second.readResponseHead()
    #expect(response.status == 200)
    more.fire()
    #expect(try second.readBody(of: response).bytes == Array("0123456789".utf8))
    // Once it is stored, its length is known.
    #expect(eventually { (try? edge.get("/").isHit) == true })
    #expect(try edge.get("/", "Range: bytes=0-1").text == "01")
  }

  @Test func `a fill that breaks off ends its ranges visibly`() throws {
    let cut = Event()
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead("200 OK", "Cache-Control: max-age=60", "Content-Length: 100")
      try exchange.send(String(repeating: "x", count: 10))
      cut.wait()
      exchange.close()
    }
    let edge = try EdgeUnderTest(origin)
    let first = try edge.viewer()
    try first.send(ScriptedViewer.head("GET", "/"))
    _ = try first.readResponseHead()
    let second = try edge.viewer()
    try second.send(ScriptedViewer.head("GET", "/", ["Range: bytes=5-50"]))
    let head = try second.readResponseHead()
    #expect(head.status == 206)
    cut.fire()
    let body = try second.readBody(of: head)
    #expect(body.ending == .truncated)
    #expect(body.count == 5)
  }

  @Test func `parts of a large entry reach a slow viewer whole`() throws {
    let size = 3_000_000
    let site = RangedSite(size: size)
    let (edge, _) = try RangedSite.edge(Shared(site), slices: 0)
    _ = try edge.get("/")
    let slow = try edge.viewer(receiveBuffer: 4096)
    try slow.send(
      ScriptedViewer.head("GET", "/", ["Range: bytes=2000000-2999999,0-999999,1500000-1500000"]))
    let parts = bodyParts(try slow.readResponse())
    #expect(parts?.count == 3)
    #expect(parts?.first?.bytes == site.bytes(2_000_000..<size))
    #expect(parts?.dropFirst().first?.bytes == site.bytes(0..<1_000_000))
    // And the connection goes on.
    #expect(try slow.get("/", "Range: bytes=0-0").body.bytes == site.bytes(0..<1))
  }

  @Test func `requests behind one for several ranges are answered in turn`() throws {
    let edge = try filled()
    let viewer = try edge.viewer()
    let several = ScriptedViewer.head("GET", "/", ["Range: bytes=0-1,5-6"])
    let one = ScriptedViewer.head("GET", "/", ["Range: bytes=0-1"])
    try viewer.send(several + one + several + ScriptedViewer.head("GET", "/"))
    #expect(bodyParts(try viewer.readResponse())?.count == 2)
    #expect(try viewer.readResponse().body.bytes == site.bytes(0..<2))
    #expect(bodyParts(try viewer.readResponse())?.count == 2)
    #expect(try viewer.readResponse().body.bytes == site.body)
  }
}
