// SPDX-License-Identifier: Apache-2.0
import CHTTP2
import Glibc

/// Memory of the nghttp2 sessions of one loop: what a request leaves, the next one takes.
///
/// Blocks of a few sizes are kept in lists when they are freed, up to a limit. The heap's own lists
/// are too short for as many streams as a connection has.
struct SessionMemory {
  /// Bytes that are kept at most.
  static let limit = 131_072
  private static let step = 64
  private static let listCount = 16
  /// Before each block: which list it belongs to, 0 for none, and how many bytes it has.
  private static let header = 16

  private struct State {
    var kept = 0
    let lists = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: listCount + 1)
    let allocator = UnsafeMutablePointer<nghttp2_mem>.allocate(capacity: 1)
  }

  private let state: UnsafeMutablePointer<State>

  init() {
    state = .allocate(capacity: 1)
    state.initialize(to: State())
    state.pointee.lists.initialize(repeating: nil, count: Self.listCount + 1)
    state.pointee.allocator.initialize(
      to: nghttp2_mem(
        mem_user_data: state,
        malloc: { size, memory in SessionMemory(memory).allocate(size) },
        free: { block, memory in SessionMemory(memory).free(block) },
        calloc: { count, size, memory in
          let (bytes, overflow) = count.multipliedReportingOverflow(by: size)
          guard !overflow, let block = SessionMemory(memory).allocate(bytes) else { return nil }
          return memset(block, 0, bytes)
        },
        realloc: { block, size, memory in SessionMemory(memory).reallocate(block, size) }))
  }

  @inline(__always)
  private init(_ memory: UnsafeMutableRawPointer?) {
    state = memory!.assumingMemoryBound(to: State.self)
  }

  /// What a session is made with.
  var allocator: UnsafeMutablePointer<nghttp2_mem> { state.pointee.allocator }

  /// The owner's last call; no session is left.
  func deallocate() {
    for list in 1...Self.listCount {
      while let block = state.pointee.lists[list] {
        state.pointee.lists[list] = block.load(as: UnsafeMutableRawPointer?.self)
        Glibc.free(block - Self.header)
      }
    }
    state.pointee.lists.deallocate()
    state.pointee.allocator.deallocate()
    state.deallocate()
  }

  @inline(__always)
  private func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
    let list = (size &+ Self.step &- 1) / Self.step
    if list > 0 && list <= Self.listCount {
      if let block = state.pointee.lists[list] {
        state.pointee.lists[list] = block.load(as: UnsafeMutableRawPointer?.self)
        state.pointee.kept &-= list &* Self.step
        return block
      }
      return make(list &* Self.step, list: list)
    }
    return make(size, list: 0)
  }

  @inline(never)
  private func make(_ size: Int, list: Int) -> UnsafeMutableRawPointer? {
    let (total, overflow) = size.addingReportingOverflow(Self.header)
    guard !overflow, let memory = malloc(total) else { return nil }
    memory.storeBytes(of: list, as: Int.self)
    memory.storeBytes(of: size, toByteOffset: 8, as: Int.self)
    return memory + Self.header
  }

  @inline(__always)
  private func free(_ block: UnsafeMutableRawPointer?) {
    guard let block else { return }
    let list = (block - Self.header).load(as: Int.self)
    let size = list &* Self.step
    if list > 0 && state.pointee.kept &+ size <= Self.limit {
      block.storeBytes(of: state.pointee.lists[list], as: UnsafeMutableRawPointer?.self)
      state.pointee.lists[list] = block
      state.pointee.kept &+= size
    } else {
      Glibc.free(block - Self.header)
    }
  }

  private func reallocate(
    _ block: UnsafeMutableRawPointer?, _ size: Int
  ) -> UnsafeMutableRawPointer? {
    guard let block else { return allocate(size) }
    let room = (block - Self.header).load(fromByteOffset: 8, as: Int.self)
    if size <= room && size > 0 { return block }
    guard let other = allocate(size) else { return nil }
    memcpy(other, block, min(room, size))
    free(block)
    return other
  }
}
