// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// How a TLS handshake ended, or a connection after it that TLS is to blame for. Raw values are places among the counters; `text` is what users see.
package enum HandshakeEnd: Int, CaseIterable, Sendable {
  /// With a certificate, over TLS 1.2 or 1.3.
  case full
  /// With a ticket of an earlier connection.
  case resumed
  /// For a CA that looks for its challenge (RFC 8737).
  case challenge
  // Failures.
  /// There is no certificate for the name that was asked for.
  case unknownName
  /// Version, cipher, group or application protocol.
  case noAgreement
  /// The viewer did not like what it got: its alert said so.
  case viewerRefused
  /// A request in the clear.
  case plainHTTP
  case malformed
  case viewerLeft
  case timeout
  /// After the handshake: key updates or alerts, more than anybody needs.
  case messageFlood

  package static let failures: [HandshakeEnd] = [
    .unknownName, .noAgreement, .viewerRefused, .plainHTTP, .malformed, .viewerLeft, .timeout,
    .messageFlood,
  ]

  package var text: StaticString {
    switch self {
    case .full: "full"
    case .resumed: "resumed"
    case .challenge: "challenge"
    case .unknownName: "unknown-name"
    case .noAgreement: "no-agreement"
    case .viewerRefused: "viewer-refused"
    case .plainHTTP: "plain-http"
    case .malformed: "malformed"
    case .viewerLeft: "viewer-left"
    case .timeout: "timeout"
    case .messageFlood: "message-flood"
    }
  }
}

/// One loop's count of handshakes: written by that loop alone, read by anyone.
package final class HandshakeCounters: @unchecked Sendable {
  private let counters: UnsafeMutablePointer<Atomic<UInt64>>

  package init() {
    counters = .allocate(capacity: HandshakeEnd.allCases.count)
    for end in HandshakeEnd.allCases { (counters + end.rawValue).initialize(to: Atomic(0)) }
  }

  deinit { counters.deallocate() }

  /// On the loop's thread only.
  package func count(_ end: HandshakeEnd) {
    let counter = counters + end.rawValue
    counter.pointee.store(
      counter.pointee.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
  }

  package func add(to counts: inout HandshakeCounts) {
    for end in HandshakeEnd.allCases {
      counts[end] &+= (counters + end.rawValue).pointee.load(ordering: .relaxed)
    }
  }
}

/// How many handshakes ended in which way.
package struct HandshakeCounts: Equatable, Sendable {
  private var counts = [UInt64](repeating: 0, count: HandshakeEnd.allCases.count)

  package init() {}

  package subscript(end: HandshakeEnd) -> UInt64 {
    get { counts[end.rawValue] }
    set { counts[end.rawValue] = newValue }
  }

  package var failed: UInt64 { HandshakeEnd.failures.reduce(0) { $0 &+ self[$1] } }
  package var isZero: Bool { counts.allSatisfy { $0 == 0 } }

  package static func += (sum: inout HandshakeCounts, other: HandshakeCounts) {
    for end in HandshakeEnd.allCases { sum[end] &+= other[end] }
  }

  static func - (now: HandshakeCounts, earlier: HandshakeCounts) -> HandshakeCounts {
    var difference = now
    for end in HandshakeEnd.allCases { difference[end] &-= earlier[end] }
    return difference
  }
}

/// The handshakes of one edge.
package struct HandshakeTraffic: Equatable, Sendable {
  package var sinceStart = HandshakeCounts()
  package var last5Minutes = HandshakeCounts()
  /// Seconds that `last5Minutes` covers.
  package var seconds: Int64 = 0

  package init() {}

  /// Handshakes with a certificate or a ticket each second of the last 5 minutes.
  package var rate: Double? {
    seconds > 0 ? Double(last5Minutes[.full] &+ last5Minutes[.resumed]) / Double(seconds) : nil
  }
}
