// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc
import Testing

@testable import AtollEdge

struct OriginConnectionTests {
  @Test func `what the kernel did not take goes before what comes after it`() throws {
    var ends: [Int32] = [-1, -1]
    let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    try #require(socketpair(AF_UNIX, type, 0, &ends) == 0)
    defer { close(ends[1]) }
    let loop = try EventLoop(index: 0)
    let pool = OriginPool(
      loop: loop, endpoint: OriginEndpoint(host: "origin.test", port: 80), isRetired: false)
    let connection = OriginConnection(pool: pool, descriptor: ends[0], connectTimeout: 1)
    defer { connection.close() }
    write(connection, [UInt8](repeating: 97, count: 4 << 20))
    // The origin has read on by the time that the next piece comes.
    #expect(!read(ends[1]).isEmpty)
    write(connection, [98])
    #expect(read(ends[1]).isEmpty)
  }

  private func write(_ connection: OriginConnection, _ bytes: [UInt8]) {
    var bytes = bytes
    bytes.withUnsafeMutableBytes { memory in
      var vector = iovec(iov_base: memory.baseAddress, iov_len: memory.count)
      connection.write(&vector, 1)
    }
  }

  /// What is there now.
  private func read(_ descriptor: Int32) -> [UInt8] {
    var all: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = recv(descriptor, &piece, piece.count, 0)
      if count <= 0 { return all }
      all += piece[..<count]
    }
  }
}
