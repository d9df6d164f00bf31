// SPDX-License-Identifier: Apache-2.0
import Testing

/// Bounds on what an edge holds, measured on the binary: no test's own memory counts.
@Suite(.timeLimit(.minutes(20)))
struct MemoryTests {
  @Test func `many URLs stay within the memory given`() throws {
    let size = 20_000
    let body = String(repeating: "x", count: size)
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: max-age=600", body: body)
    }
    let edge = try EdgeProcess(origin, "--memory", "16M", "--threads", "1")
    let viewer = try edge.viewer()
    #expect(try viewer.get("/first").body.count == size)
    let before = edge.residentBytes
    // Ten times what fits.
    for index in 0..<8_000 { #expect(try viewer.get("/\(index)").body.count == size) }
    #expect(edge.residentBytes - before < (16 + 8) << 20)
    // What is asked for again is kept, rather than nothing at all.
    _ = try viewer.get("/again")
    #expect(try viewer.get("/again").isHit)
  }

  @Test func `large bodies to slow viewers cost little`() throws {
    let block = [UInt8](repeating: 120, count: 65_536)
    let origin = try ScriptedOrigin { exchange in
      try exchange.sendHead("200 OK", "Cache-Control: no-store", "Content-Length: \(10 << 30)")
      while true { try exchange.send(block) }
    }
    let edge = try EdgeProcess(origin, "--threads", "1")
    let first = try edge.viewer()
    try first.send(ScriptedViewer.head("GET", "/"))
    _ = try first.wire.discard(1 << 20)
    let before = edge.residentBytes
    let viewers = try (0..<32).map { _ in try edge.viewer(receiveBuffer: 16_384) }
    for viewer in viewers { try viewer.send(ScriptedViewer.head("GET", "/")) }
    for _ in 0..<4 {
      for viewer in viewers { #expect(try viewer.wire.discard(1 << 18) == 1 << 18) }
    }
    #expect(edge.residentBytes - before < 32 * 131_072)
  }

  @Test func `large uploads to a slow origin cost little`() throws {
    let release = Event()
    let origin = try ScriptedOrigin { exchange in
      release.wait(within: 30)
      exchange.reset()
    }
    let edge = try EdgeProcess(origin, "--threads", "1")
    let before = edge.residentBytes
    let viewers = try (0..<4).map { _ in try edge.viewer() }
    for viewer in viewers {
      try viewer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(10 << 30)\r\n\r\n")
    }
    origin.waitFor(requests: 4)
    for viewer in viewers {
      #expect(UploadTests.sendUntilBlocked(viewer.wire, atMost: 256 << 20) < 64 << 20)
    }
    #expect(edge.residentBytes - before < 4 << 20)
    release.fire()
  }

  @Test func `idle connections cost little`() throws {
    raiseDescriptorLimit()
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: max-age=600", body: "x")
    }
    let edge = try EdgeProcess(origin, "--threads", "1", "--max-connections", "4000")
    _ = try edge.get("/")
    let before = edge.residentBytes
    let viewers = try (0..<2000).map { _ in try edge.viewer() }
    for viewer in viewers { #expect(try viewer.get("/").status == 200) }
    #expect(edge.residentBytes - before < 2000 * 8192)
  }

  @Test func `an edge out of descriptors recovers`() throws {
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: max-age=600", body: "x")
    }
    let edge = try EdgeProcess(
      origin, descriptors: 64, "--threads", "1", "--max-connections", "1000")
    let early = try edge.viewer()
    #expect(try early.get("/").status == 200)
    // More than it can accept: the kernel completes these connections, the edge cannot take them.
    var viewers = try (0..<100).map { _ in try edge.viewer() }
    for viewer in viewers { try viewer.send(ScriptedViewer.head("GET", "/")) }
    // Who was there before is served all the while; who waits is served when others leave.
    #expect(try early.get("/").status == 200)
    while let viewer = viewers.popLast() { viewer.close() }
    #expect(try early.get("/").status == 200)
    #expect(try edge.get("/").status == 200)
  }
}
