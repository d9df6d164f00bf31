// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import CSystem
import Glibc
import TestSupport
import Testing

/// Bounds on what the process holds, each in a process of its own: no other test's memory counts.
@Suite(.timeLimit(.minutes(10)), .serialized)
struct MemoryTests {
  @Test func `many URLs stay within the memory given`() async {
    await #expect(processExitsWith: .success) {
      let size = 20_000
      let body = String(repeating: "x", count: size)
      let origin = try ScriptedOrigin {
        try $0.respond("200 OK", "Cache-Control: max-age=600", body: body)
      }
      let edge = try EdgeUnderTest(origin, options: { $0.memory = 16 << 20 })
      let viewer = try edge.viewer()
      #expect(try viewer.get("/warm").body.count == size)
      let before = residentBytes()
      // Ten times what fits.
      for index in 0..<8_000 {
        guard try viewer.get("/\(index)").body.count == size else { exit(1) }
      }
      let grown = residentBytes() - before
      guard grown < (16 + 16) << 20 else {
        print("grew by \(grown >> 20) MiB")
        exit(1)
      }
      // What is asked for again is there, and the newest were kept rather than nothing at all.
      _ = try viewer.get("/again")
      guard try viewer.get("/again").isHit else { exit(1) }
    }
  }

  @Test func `large bodies to slow viewers cost little`() async {
    await #expect(processExitsWith: .success) {
      let block = [UInt8](repeating: 120, count: 65_536)
      let origin = try ScriptedOrigin { exchange in
        try exchange.sendHead("200 OK", "Cache-Control: no-store", "Content-Length: \(10 << 30)")
        while true { try exchange.send(block) }
      }
      let edge = try EdgeUnderTest(origin)
      let first = try edge.viewer()
      try first.send(ScriptedViewer.head("GET", "/"))
      _ = try first.wire.discard(1 << 20)
      first.close()
      let before = residentBytes()
      let viewers = try (0..<16).map { _ in try edge.viewer(receiveBuffer: 16_384) }
      for viewer in viewers { try viewer.send(ScriptedViewer.head("GET", "/")) }
      for _ in 0..<4 {
        for viewer in viewers {
          guard try viewer.wire.discard(1 << 20) == 1 << 20 else { exit(1) }
        }
      }
      let grown = residentBytes() - before
      guard grown < 32 << 20 else {
        print("grew by \(grown >> 20) MiB")
        exit(1)
      }
    }
  }

  @Test func `idle connections cost little`() async {
    await #expect(processExitsWith: .success) {
      raiseDescriptorLimit()
      let origin = try ScriptedOrigin {
        try $0.respond("200 OK", "Cache-Control: max-age=600", body: "x")
      }
      let edge = try EdgeUnderTest(origin, options: { $0.maxConnections = 4000 })
      _ = try edge.get("/")
      let before = residentBytes()
      let viewers = try (0..<2000).map { _ in try edge.viewer() }
      for viewer in viewers { _ = try viewer.get("/") }
      let grown = residentBytes() - before
      // Both ends are in this process: a few kilobytes for each pair.
      guard grown < 2000 * 24_576 else {
        print("grew by \(grown >> 10) KiB")
        exit(1)
      }
      _ = viewers.count
    }
  }

  @Test func `an edge out of descriptors recovers`() async {
    await #expect(processExitsWith: .success) {
      let origin = try ScriptedOrigin {
        try $0.respond("200 OK", "Cache-Control: max-age=600", body: "x")
      }
      let edge = try EdgeUnderTest(origin, options: { $0.maxConnections = 1000 })
      _ = try edge.get("/")
      var limit = rlimit(rlim_cur: 96, rlim_max: 96)
      setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      var viewers: [ScriptedViewer] = []
      while let viewer = try? edge.viewer() { viewers.append(viewer) }
      guard viewers.count > 8 else { exit(1) }
      viewers.removeLast(viewers.count / 2)
      // A connection accepted before is served; one is accepted again.
      guard try viewers[0].get("/").status == 200 else { exit(1) }
      viewers.removeAll()
      guard try edge.get("/").status == 200 else { exit(1) }
    }
  }
}
