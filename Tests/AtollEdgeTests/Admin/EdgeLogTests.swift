// SPDX-License-Identifier: Apache-2.0
import AtollEdge
import Glibc
import Testing

struct EdgeLogTests {
  private func written(_ body: (EdgeLog) -> Void) -> [UInt8] {
    var ends: [Int32] = [0, 0]
    pipe(&ends)
    defer { close(ends[0]) }
    body(EdgeLog(descriptor: ends[1]))
    close(ends[1])
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = read(ends[0], &chunk, chunk.count)
      if count <= 0 { return bytes }
      bytes += chunk[..<count]
    }
  }

  @Test func `an event is one line whatever it quotes`() {
    let bytes = written { $0.write("distribution \"a\nb\u{7}\" is served") }
    #expect(
      String(decoding: bytes, as: UTF8.self) == "atoll: distribution \"a b \" is served\n")
  }

  @Test(arguments: 0..<8)
  func `a long line is cut between two characters`(shift: Int) throws {
    let text = String(repeating: "x", count: shift) + String(repeating: "ä€😀", count: 1000)
    let bytes = written { $0.write(text) }
    #expect(bytes.count <= EdgeLog.lineLimit)
    let line = try #require(String(validating: bytes, as: UTF8.self))
    #expect(line.hasSuffix(" …\n"))
  }

  @Test func `a reader who sleeps holds nobody up`() {
    let bytes = written { log in
      // More than a pipe holds.
      for _ in 0..<50 { log.write(String(repeating: "x", count: 4000)) }
    }
    #expect(bytes.count <= 65_536)
    #expect(bytes.count >= 40_000)
    #expect(bytes.last == 0x0a)
  }
}
