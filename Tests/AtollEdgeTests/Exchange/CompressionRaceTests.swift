// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

@testable import AtollEdge

/// Compression under way while things change, and its limits. The pool is the test's own, so that a
/// compression begins when the test says so.
@Suite(.timeLimit(.minutes(20)))
struct CompressionRaceTests {
  private let pool = WorkerPool(threads: 1)
  private let go = Event()
  private let accepts = "Accept-Encoding: gzip, br"

  /// Nothing is compressed until `go`.
  private func hold() {
    pool.submit { [go] in _ = go.wait(within: 60) }
  }

  private func edge(
    _ origin: ScriptedOrigin, memory: Int = 32 << 20, threads: Int = 2
  ) throws -> EdgeUnderTest {
    try EdgeUnderTest(
      origin, { $0.settings.compression = CompressionSettings(codings: [.gzip, .brotli]) },
      options: {
        $0.compressionPool = pool
        $0.memory = memory
        $0.threads = threads
      })
  }

  /// Every response is another page; one that is asked about is as it was.
  private func pages(
    _ count: Int = 20_000, _ fields: [String] = []
  ) throws -> ScriptedOrigin {
    try ScriptedOrigin { exchange in
      let number = exchange.request.number
      let body = markup(count, seed: UInt64(number))
      let lines =
        [
          "HTTP/1.1 200 OK", "Content-Type: text/html", "Cache-Control: max-age=600",
          "Cache-Tag: t", "ETag: \"\(number)\"", "Content-Length: \(body.count)",
        ] + fields
      try exchange.send(lines.joined(separator: "\r\n") + "\r\n\r\n")
      if exchange.request.method != "HEAD" { try exchange.send(body) }
    }
  }

  private func counts(_ edge: EdgeUnderTest) -> Compressor.Counts { edge.edge.compressor.counts }

  @Test(arguments: [PurgeSelector.path("/"), .prefix("/"), .tag("t"), .all])
  func `what was purged during its compression is not stored`(_ selector: PurgeSelector) throws {
    let origin = try pages()
    let edge = try edge(origin)
    hold()
    _ = try edge.get("/", accepts)
    edge.purge(selector)
    edge.edge.maintain()
    go.fire()
    #expect(eventually { counts(edge).dropped == 1 })
    #expect(edge.edge.cache.entryCount == 0)
    let next = try edge.get("/", accepts)
    #expect(!next.isHit && next.body.bytes == markup(20_000, seed: 2))
    #expect(eventually { counts(edge).made == 1 })
    let form = try edge.get("/", accepts)
    #expect(decoded(form.body.bytes, .brotli) == markup(20_000, seed: 2))
  }

  @Test func `what was softly purged during its compression is not fresh`() throws {
    let origin = try pages()
    let edge = try edge(origin)
    hold()
    _ = try edge.get("/", accepts)
    edge.purge(.path("/"), soft: true)
    go.fire()
    #expect(eventually { counts(edge).made + counts(edge).dropped == 1 })
    let next = try edge.get("/", accepts)
    #expect(!next.isHit && next.body.bytes == markup(20_000, seed: 2))
  }

  @Test func `what was replaced during its compression is not stored`() throws {
    let origin = try pages()
    let edge = try edge(origin)
    hold()
    _ = try edge.get("/", accepts)
    _ = try edge.get("/", "Cache-Control: no-cache")
    #expect(origin.requestCount == 2)
    go.fire()
    #expect(eventually { counts(edge).dropped == 1 })
    let response = try edge.get("/", accepts)
    #expect(response.isHit && response.body.bytes == markup(20_000, seed: 2))
    #expect(eventually { counts(edge).made == 1 })
    let form = try edge.get("/", accepts)
    #expect(decoded(form.body.bytes, .brotli) == markup(20_000, seed: 2))
  }

  @Test func `however many ask, one form is made`() throws {
    let origin = try pages()
    let edge = try edge(origin)
    hold()
    for _ in 0..<20 { _ = try edge.get("/", accepts) }
    go.fire()
    #expect(eventually { counts(edge).made == 1 })
    for _ in 0..<5 { #expect(try edge.get("/", accepts)["content-encoding"] == "br") }
    #expect(counts(edge) == Compressor.Counts(made: 1))
  }

  @Test func `what the queue does not take is skipped and counted`() throws {
    let origin = try pages(1_000)
    let edge = try edge(origin)
    hold()
    let viewer = try edge.viewer()
    for number in 0..<(Limits.compressions + 10) {
      #expect(try viewer.get("/\(number)", accepts).status == 200)
    }
    #expect(counts(edge) == Compressor.Counts(skipped: 10))
    go.fire()
    #expect(eventually { counts(edge).made == UInt64(Limits.compressions) })
    // Its next viewer has it made.
    #expect(try viewer.get("/\(Limits.compressions)", accepts)["content-encoding"] == nil)
    #expect(eventually { counts(edge).made == UInt64(Limits.compressions) + 1 })
    #expect(try viewer.get("/\(Limits.compressions)", accepts)["content-encoding"] == "br")
  }

  @Test func `bodies that wait hold a bounded share of the memory`() throws {
    let origin = try pages(900_000)
    let edge = try edge(origin, memory: 16 << 20)
    hold()
    for number in 0..<6 { _ = try edge.get("/\(number)", "Accept-Encoding: gzip") }
    // Two bodies fit into an eighth.
    #expect(counts(edge).skipped == 4)
    go.fire()
    #expect(eventually { counts(edge).made == 2 })
    #expect(edge.edge.budget.used <= edge.edge.budget.limit)
  }

  @Test func `where memory is short, the plain bytes answer`() throws {
    let origin = try pages(900_000)
    let edge = try edge(origin, memory: 8 << 20)
    // Brotli's encoder would take more than its share.
    for _ in 0..<3 {
      #expect(try edge.get("/", accepts).body.bytes == markup(900_000, seed: 1))
      #expect(eventually { counts(edge).skipped == 1 })
    }
    #expect(counts(edge) == Compressor.Counts(skipped: 1))
    _ = try edge.get("/", "Accept-Encoding: gzip")
    #expect(eventually { counts(edge).made == 1 })
    let form = try edge.get("/", "Accept-Encoding: gzip")
    #expect(decoded(form.body.bytes, .gzip) == markup(900_000, seed: 1))
  }

  @Test func `what does not become smaller is not tried again`() throws {
    let body = noise(5_000)
    let origin = try ScriptedOrigin { exchange in
      let fields = "Content-Type: text/plain\r\nCache-Control: max-age=600\r\nETag: \"1\"\r\n"
      if exchange.request["if-none-match"] != nil {
        return try exchange.send("HTTP/1.1 304 Not Modified\r\n\(fields)\r\n")
      }
      try exchange.send("HTTP/1.1 200 OK\r\n\(fields)Content-Length: 5000\r\n\r\n")
      try exchange.send(body)
    }
    let edge = try edge(origin)
    for (count, field) in [(UInt64(1), accepts), (2, "Accept-Encoding: gzip")] {
      for _ in 0..<3 {
        let response = try edge.get("/", field)
        #expect(response["content-encoding"] == nil && response.body.bytes == body)
        #expect(eventually { counts(edge).dropped == count })
      }
    }
    // Nor after the origin has confirmed it.
    edge.purge(.path("/"), soft: true)
    for _ in 0..<3 { _ = try edge.get("/", accepts) }
    #expect(counts(edge) == Compressor.Counts(dropped: 2))
    #expect(edge.edge.cache.entryCount == 1)
  }

  @Test func `an edge that stops leaves no compression behind`() throws {
    let origin = try pages()
    let edge = try edge(origin)
    hold()
    _ = try edge.get("/", accepts)
    edge.stop()
    go.fire()
    #expect(eventually { counts(edge).dropped == 1 })
  }

  /// Everything at once on two loops: whatever comes is whole and of one of the versions, and never
  /// older than what the viewer has seen purged.
  @Test func `viewers, purges and compressions together`() throws {
    let origin = try pages(3_000)
    let edge = try edge(origin)
    let stop = Shared(false)
    let wrong = Shared<[String]>([])
    let floor = Shared(0)
    let forms = Shared(0)
    let threads = (0..<3).map { thread in
      TestThread {
        guard let viewer = try? edge.viewer() else { return }
        let fields = ["Accept-Encoding: br", "Accept-Encoding: gzip", "X-Plain: 1"][thread]
        while !stop.value {
          let atLeast = floor.value
          guard let response = try? viewer.get("/", fields) else {
            return wrong.withLock { $0.append("no response") }
          }
          let tag = response["etag"] ?? ""
          let number = Int(tag.filter(\.isNumber)) ?? -1
          let bytes: [UInt8]? =
            switch response["content-encoding"] {
            case "br": decoded(response.body.bytes, .brotli)
            case "gzip": decoded(response.body.bytes, .gzip)
            default: response.body.bytes
            }
          if response["content-encoding"] != nil { forms.withLock { $0 += 1 } }
          if number <= atLeast || bytes != markup(3_000, seed: UInt64(max(number, 0))) {
            return wrong.withLock { $0.append("\(number) after \(atLeast)") }
          }
        }
      }
    }
    for round in 0..<60 {
      let seen = origin.requestCount
      edge.purge(round % 3 == 0 ? .all : round % 3 == 1 ? .path("/") : .tag("t"))
      // What was fetched before the purge must not come any more.
      floor.withLock { $0 = seen }
      if round % 10 == 0 { edge.edge.maintain() }
      let made = counts(edge).made
      _ = eventually(seconds: 1) { counts(edge).made > made || !wrong.value.isEmpty }
    }
    stop.withLock { $0 = true }
    for thread in threads { #expect(thread.join()) }
    #expect(wrong.value == [])
    #expect(forms.value > 0)
  }
}
