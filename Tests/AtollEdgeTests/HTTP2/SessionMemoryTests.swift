// SPDX-License-Identifier: Apache-2.0
import CHTTP2
import Glibc
import Testing

@testable import AtollEdge

/// Memory as nghttp2 asks for it.
struct SessionMemoryTests {
  private func withMemory(_ body: (nghttp2_mem) -> Void) {
    let memory = SessionMemory()
    body(memory.allocator.pointee)
    memory.deallocate()
  }

  @Test func `what is given back is given out again`() {
    withMemory { memory in
      for size in [1, 63, 64, 65, 200, 1_024] {
        let first = memory.malloc(size, memory.mem_user_data)!
        memset(first, 1, size)
        let second = memory.malloc(size, memory.mem_user_data)!
        #expect(first != second)
        memory.free(first, memory.mem_user_data)
        #expect(memory.malloc(size, memory.mem_user_data) == first)
        memory.free(first, memory.mem_user_data)
        memory.free(second, memory.mem_user_data)
      }
      memory.free(nil, memory.mem_user_data)
    }
  }

  @Test func `cleared memory is clear, and none is given for an impossible size`() throws {
    withMemory { memory in
      let used = memory.malloc(300, memory.mem_user_data)!
      memset(used, 0xff, 300)
      memory.free(used, memory.mem_user_data)
      let cleared = memory.calloc(3, 100, memory.mem_user_data)!
      #expect(cleared == used)
      #expect((0..<300).allSatisfy { cleared.load(fromByteOffset: $0, as: UInt8.self) == 0 })
      #expect(memory.calloc(Int.max, 3, memory.mem_user_data) == nil)
      memory.free(cleared, memory.mem_user_data)
    }
  }

  @Test func `a block keeps its bytes as it grows`() {
    withMemory { memory in
      var block = memory.realloc(nil, 10, memory.mem_user_data)!
      for index in 0..<10 {
        block.storeBytes(of: UInt8(index), toByteOffset: index, as: UInt8.self)
      }
      for size in [64, 65, 500, 5_000, 100_000, 20] {
        block = memory.realloc(block, size, memory.mem_user_data)!
        #expect((0..<10).allSatisfy { block.load(fromByteOffset: $0, as: UInt8.self) == $0 })
      }
      memory.free(block, memory.mem_user_data)
    }
  }

  @Test func `large blocks and many are given back to the heap`() {
    withMemory { memory in
      let blocks = (0..<1_000).map { memory.malloc($0 * 4 + 1, memory.mem_user_data)! }
      for (index, block) in blocks.enumerated() { memset(block, 1, index * 4 + 1) }
      for block in blocks { memory.free(block, memory.mem_user_data) }
    }
  }
}
