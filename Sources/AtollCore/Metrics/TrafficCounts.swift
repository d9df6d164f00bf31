// SPDX-License-Identifier: Apache-2.0

/// What one distribution's exchanges add up to: a row of counters and what follows from them.
///
/// The same layout serves the loops' live counters, the sums over loops and the minutes of the
/// last hour.
package struct TrafficCounts: Equatable, Sendable {
  /// In the order of `Layout`; always `Layout.size` long.
  package private(set) var words: [UInt64]

  /// Places of the counters. GET, HEAD and OPTIONS are the methods a cache can answer; all others
  /// are kept apart so that they do not dilute the hit ratio.
  package enum Layout {
    static let outcomes = 8
    /// Requests by outcome, then bytes sent by outcome.
    static let requests = 0
    static let bytes = 8
    /// Responses by the first digit of their status; 0 when none was sent.
    static let statuses = 16
    static let statusClasses = 6
    /// Of the other methods: requests by outcome, bytes sent, and bytes received.
    static let otherRequests = 22
    static let otherBytes = 30
    static let bytesUp = 31
    static let reasons = 32
    /// A multiple of 16: a row ends where a pair of cache lines does.
    package static let size = (reasons + Reason.allCases.count + 15) & ~15
  }

  package init() { words = Array(repeating: 0, count: Layout.size) }

  package mutating func add(_ count: UInt64, at index: Int) { words[index] &+= count }

  package static func += (sum: inout TrafficCounts, other: TrafficCounts) {
    for index in sum.words.indices { sum.words[index] &+= other.words[index] }
  }

  /// What was added since `earlier`, which must be of the same counters.
  package static func - (now: TrafficCounts, earlier: TrafficCounts) -> TrafficCounts {
    var difference = now
    for index in difference.words.indices { difference.words[index] &-= earlier.words[index] }
    return difference
  }

  package var isZero: Bool { words.allSatisfy { $0 == 0 } }

  private func sum(_ start: Int, _ count: Int) -> UInt64 {
    words[start..<start + count].reduce(0, &+)
  }

  package var requests: UInt64 {
    sum(Layout.requests, Layout.outcomes) &+ sum(Layout.otherRequests, Layout.outcomes)
  }

  /// Of GET, HEAD and OPTIONS.
  package func requests(_ outcome: Outcome) -> UInt64 {
    words[Layout.requests + Int(outcome.rawValue)]
  }

  /// Bytes sent in answer to GET, HEAD and OPTIONS.
  package func bytes(_ outcome: Outcome) -> UInt64 { words[Layout.bytes + Int(outcome.rawValue)] }

  /// Of all other methods.
  package func otherRequests(_ outcome: Outcome) -> UInt64 {
    words[Layout.otherRequests + Int(outcome.rawValue)]
  }

  /// Bytes sent in answer to GET, HEAD and OPTIONS: Lightsail's BytesDownloaded.
  package var bytesDown: UInt64 { sum(Layout.bytes, Layout.outcomes) }

  /// Bytes that viewers sent with all other methods: Lightsail's BytesUploaded.
  package var bytesUp: UInt64 { words[Layout.bytesUp] }

  /// Bytes sent in answer to all other methods; no metric of Lightsail's, but part of the transfer.
  package var otherBytes: UInt64 { words[Layout.otherBytes] }

  /// - Parameter digit: 1 to 5; 0 for exchanges that ended without a response.
  package func responses(class digit: Int) -> UInt64 { words[Layout.statuses + digit] }

  package func count(_ reason: Reason) -> UInt64 { words[Layout.reasons + Int(reason.rawValue)] }

  /// Percent of the requests; nil without any.
  package var errorRate4xx: Double? { percent(responses(class: 4), of: requests) }
  package var errorRate5xx: Double? { percent(responses(class: 5), of: requests) }
  package var errorRate: Double? {
    percent(responses(class: 4) &+ responses(class: 5), of: requests)
  }

  /// Percent of the GET, HEAD and OPTIONS requests, the edge's own errors aside, that needed no
  /// body from the origin of their own: answered from an entry (fresh, stale or confirmed) or fed by
  /// another's fill.
  package var hitRatio: Double? {
    percent(
      Self.hits.reduce(0) { $0 &+ requests($1) },
      of: sum(Layout.requests, Layout.outcomes) &- requests(.error))
  }

  /// As `hitRatio`, of the bytes sent.
  package var byteHitRatio: Double? {
    percent(Self.hits.reduce(0) { $0 &+ bytes($1) }, of: bytesDown &- bytes(.error))
  }

  private static let hits: [Outcome] = [.hit, .stale, .revalidated, .coalesced]

  private func percent(_ part: UInt64, of whole: UInt64) -> Double? {
    whole == 0 ? nil : Double(part) * 100 / Double(whole)
  }
}
