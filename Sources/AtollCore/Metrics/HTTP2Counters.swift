// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// What one loop counts of HTTP/2: written by that loop alone, read by anyone.
package final class HTTP2Counters: @unchecked Sendable {
  /// Connections, requests, then offences in their order.
  private let words: UnsafeMutablePointer<Atomic<UInt64>>
  private static let offences = 2
  private static let count = offences + HTTP2Offence.allCases.count

  package init() {
    words = .allocate(capacity: Self.count)
    for index in 0..<Self.count { (words + index).initialize(to: Atomic(0)) }
  }

  deinit { words.deallocate() }

  package func countConnection() { Self.add(to: words) }

  @inline(__always)
  package func countRequest() { Self.add(to: words + 1) }

  package func count(_ offence: HTTP2Offence) {
    Self.add(to: words + (Self.offences + Int(offence.rawValue)))
  }

  @inline(__always)
  private static func add(_ count: UInt64 = 1, to word: UnsafeMutablePointer<Atomic<UInt64>>) {
    word.pointee.store(word.pointee.load(ordering: .relaxed) &+ count, ordering: .relaxed)
  }

  /// Adds this loop's counts to a sum over loops.
  package func add(to sum: inout HTTP2Counts) {
    sum.connections &+= words[0].load(ordering: .relaxed)
    sum.requests &+= words[1].load(ordering: .relaxed)
    for offence in HTTP2Offence.allCases {
      sum.add(
        words[Self.offences + Int(offence.rawValue)].load(ordering: .relaxed), to: offence)
    }
  }
}

/// What an edge has counted of HTTP/2 since its start.
package struct HTTP2Counts: Equatable, Sendable {
  package var connections: UInt64 = 0
  package var requests: UInt64 = 0
  /// Streams and connections that were ended, by why.
  private var offences = [UInt64](repeating: 0, count: HTTP2Offence.allCases.count)

  package init() {}

  package subscript(offence: HTTP2Offence) -> UInt64 { offences[Int(offence.rawValue)] }

  package mutating func add(_ count: UInt64, to offence: HTTP2Offence) {
    offences[Int(offence.rawValue)] &+= count
  }

  package static func += (sum: inout HTTP2Counts, other: HTTP2Counts) {
    sum.connections &+= other.connections
    sum.requests &+= other.requests
    for offence in HTTP2Offence.allCases { sum.add(other[offence], to: offence) }
  }
}
