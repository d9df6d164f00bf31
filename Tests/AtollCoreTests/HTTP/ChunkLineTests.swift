// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

struct ChunkLineTests {
  @Test(arguments: [(1, "1"), (9, "9"), (10, "a"), (15, "f"), (16, "10"), (65_536, "10000")])
  func `a chunk's line is its size in hexadecimal`(size: Int, digits: String) {
    let buffer = ByteBuffer(capacity: 16)
    buffer.appendChunkLine(size)
    #expect(String(decoding: buffer.bytes, as: UTF8.self) == digits + "\r\n")
  }

  @Test func `the largest size has sixteen digits at most`() {
    let buffer = ByteBuffer(capacity: 16)
    buffer.appendChunkLine(Int.max)
    #expect(String(decoding: buffer.bytes, as: UTF8.self) == "7fffffffffffffff\r\n")
  }
}
