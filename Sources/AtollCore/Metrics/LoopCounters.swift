// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// One loop's counters, a row per distribution: written by that loop alone, read by anyone.
///
/// The atomics are only ever loaded and stored, relaxed, which costs what plain memory does; rows
/// start on cache lines of their own, so that loops never write to each other's.
package final class LoopCounters: @unchecked Sendable {
  /// The row of requests that no distribution claimed.
  package static let unclaimed = -1
  /// Slots that get rows of their own; more count as unclaimed.
  package static let slotLimit = 65_536

  private typealias Row = UnsafeMutablePointer<Atomic<UInt64>>
  private static let rowsPerChunk = 64
  /// Addresses of chunks of rows, 0 before the first request of one of them. Row 0 is the unclaimed
  /// one, so slot s has row s + 1.
  private let chunks: UnsafeMutablePointer<Atomic<UInt>>
  private let chunkCount = LoopCounters.slotLimit / LoopCounters.rowsPerChunk + 1
  private let rowSize = TrafficCounts.Layout.size

  package init() {
    chunks = .allocate(capacity: chunkCount)
    for index in 0..<chunkCount { (chunks + index).initialize(to: Atomic(0)) }
  }

  deinit {
    for index in 0..<chunkCount {
      UnsafeMutableRawPointer(bitPattern: chunks[index].load(ordering: .acquiring))?.deallocate()
    }
    chunks.deallocate()
  }

  /// Counts one exchange that ended. On the loop's thread only; the hot path.
  /// - Parameters:
  ///   - slot: of the distribution, or `unclaimed`.
  ///   - status: 0 when no response was sent.
  ///   - bytesDown: everything sent for it, head included; `bytesUp`: everything received.
  @inline(__always)
  package func account(
    slot: Int, verdict: Verdict, method: Method, status: UInt16, bytesDown: Int, bytesUp: Int
  ) {
    let row = self.row(of: slot)
    let outcome = Int(verdict.outcome.rawValue)
    switch method {
    case .get, .head, .options:
      Self.add(1, to: row + (TrafficCounts.Layout.requests &+ outcome))
      Self.add(bytesDown, to: row + (TrafficCounts.Layout.bytes &+ outcome))
    case .post, .put, .patch, .delete, .trace, .connect, .other:
      Self.add(1, to: row + (TrafficCounts.Layout.otherRequests &+ outcome))
      Self.add(bytesDown, to: row + TrafficCounts.Layout.otherBytes)
      Self.add(bytesUp, to: row + TrafficCounts.Layout.bytesUp)
    }
    let digit = status < 600 ? Int(status / 100) : 0
    Self.add(1, to: row + (TrafficCounts.Layout.statuses &+ digit))
    if verdict.reason != .none {
      Self.add(1, to: row + (TrafficCounts.Layout.reasons &+ Int(verdict.reason.rawValue)))
    }
  }

  @inline(__always)
  private static func add(_ count: Int, to counter: Row) {
    let sum = counter.pointee.load(ordering: .relaxed) &+ UInt64(truncatingIfNeeded: count)
    counter.pointee.store(sum, ordering: .relaxed)
  }

  @inline(__always)
  private func row(of slot: Int) -> Row {
    let index = slot >= 0 && slot < Self.slotLimit ? slot &+ 1 : 0
    let chunk = index / Self.rowsPerChunk
    let address = chunks[chunk].load(ordering: .relaxed)
    let rows = address == 0 ? makeChunk(chunk) : Row(bitPattern: address)!
    return rows + (index % Self.rowsPerChunk) &* rowSize
  }

  @inline(never)
  private func makeChunk(_ chunk: Int) -> Row {
    let count = Self.rowsPerChunk * rowSize
    let memory = UnsafeMutableRawPointer.allocate(
      byteCount: count * MemoryLayout<UInt64>.stride, alignment: 128)
    let rows = memory.bindMemory(to: Atomic<UInt64>.self, capacity: count)
    for index in 0..<count { (rows + index).initialize(to: Atomic(0)) }
    chunks[chunk].store(UInt(bitPattern: memory), ordering: .releasing)
    return rows
  }

  /// Adds this loop's counts to a sum over loops.
  package func add(to snapshot: inout CounterSnapshot) {
    for chunk in 0..<chunkCount {
      guard let rows = Row(bitPattern: chunks[chunk].load(ordering: .acquiring)) else { continue }
      for index in 0..<Self.rowsPerChunk {
        let row = rows + index * rowSize
        var counts: TrafficCounts?
        for word in 0..<rowSize {
          let count = row[word].load(ordering: .relaxed)
          if count != 0 {
            if counts == nil { counts = TrafficCounts() }
            counts!.add(count, at: word)
          }
        }
        if let counts { snapshot.add(counts, slot: chunk * Self.rowsPerChunk + index - 1) }
      }
    }
  }
}

/// The counters of all loops at one moment, by slot; slots without traffic are left out.
package struct CounterSnapshot: Equatable, Sendable {
  package private(set) var slots: [Int: TrafficCounts] = [:]
  package var handshakes = HandshakeCounts()

  package init() {}

  package init(_ loops: [LoopCounters]) {
    for loop in loops { loop.add(to: &self) }
  }

  package mutating func add(_ counts: TrafficCounts, slot: Int) {
    slots[slot, default: TrafficCounts()] += counts
  }

  package subscript(slot: Int) -> TrafficCounts { slots[slot] ?? TrafficCounts() }

  package var total: TrafficCounts { slots.values.reduce(into: TrafficCounts()) { $0 += $1 } }

  /// What was added since `earlier`.
  package func since(_ earlier: CounterSnapshot) -> CounterSnapshot {
    var difference = CounterSnapshot()
    for (slot, counts) in slots where counts != earlier.slots[slot] {
      difference.slots[slot] = counts - earlier[slot]
    }
    difference.handshakes = handshakes - earlier.handshakes
    return difference
  }
}
