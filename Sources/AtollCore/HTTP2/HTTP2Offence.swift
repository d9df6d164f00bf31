// SPDX-License-Identifier: Apache-2.0

/// What a peer of HTTP/2 may do for which its stream, or its whole connection, is ended; each is
/// counted.
package enum HTTP2Offence: UInt8, CaseIterable, Sendable {
  /// More requests at once than `Limits.concurrentStreams`: each of them is refused.
  case tooManyStreams
  /// A request's or trailers' fields beyond what a head may hold.
  case headerListTooLarge
  /// A head in more pieces than anybody needs (CVE-2024-27316).
  case continuationFlood
  /// Requests that are withdrawn, or made to fail, as fast as they come (CVE-2023-44487,
  /// CVE-2025-8671).
  case rapidReset
  case settingsFlood
  case pingFlood
  /// PRIORITY, PRIORITY_UPDATE and frames of unknown types.
  case priorityFlood
  case windowUpdateFlood
  /// Frames that carry nothing (CVE-2019-9518).
  case emptyFrameFlood
  /// A head that takes too long to come.
  case slowHead
  /// A request's body that does not move.
  case slowBody
  /// A response that its viewer does not take: no window, or no reading.
  case slowReader
  /// A request that is none (RFC 9113 §8.1.1).
  case malformedRequest
  /// Frames that break the protocol's rules.
  case protocolError
  /// Bytes beyond the window that was granted.
  case flowControlError
  /// A head that is no HPACK.
  case compressionError

  /// As metrics print it.
  package var text: StaticString {
    switch self {
    case .tooManyStreams: "too-many-streams"
    case .headerListTooLarge: "header-list-too-large"
    case .continuationFlood: "continuation-flood"
    case .rapidReset: "rapid-reset"
    case .settingsFlood: "settings-flood"
    case .pingFlood: "ping-flood"
    case .priorityFlood: "priority-flood"
    case .windowUpdateFlood: "window-update-flood"
    case .emptyFrameFlood: "empty-frame-flood"
    case .slowHead: "slow-head"
    case .slowBody: "slow-body"
    case .slowReader: "slow-reader"
    case .malformedRequest: "malformed-request"
    case .protocolError: "protocol-error"
    case .flowControlError: "flow-control-error"
    case .compressionError: "compression-error"
    }
  }
}
