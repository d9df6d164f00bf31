// SPDX-License-Identifier: Apache-2.0

/// Looks at the frame headers of what a peer of HTTP/2 sends (RFC 9113 §4.1), before they are acted
/// upon, and says when it sends more of what costs the edge and brings nobody anything than any
/// honest viewer would.
///
/// What a frame says is for the session to judge. This counts frames alone: a few instructions for
/// each, whatever its size.
package struct FrameWatch {
  private typealias Kind = FrameHeader.Kind
  private typealias Flag = FrameHeader.Flag

  private var continuations = 0
  private var resets = Rate.Use()
  private var settings = Rate.Use()
  private var pings = Rate.Use()
  private var priorities = Rate.Use()
  private var windowUpdates = Rate.Use()
  private var emptyFrames = Rate.Use()

  package init() {}

  /// A frame begins.
  /// - Parameter now: milliseconds of any clock.
  mutating func judge(_ header: FrameHeader, _ now: Int64) -> HTTP2Offence? {
    let isEmpty = header.length == 0
    switch header.kind {
    case Kind.headers:
      continuations = 0
      // A request may be followed by what changes its priority.
      priorities.giveBack(2)
      if isEmpty && header.flags & Flag.endHeaders == 0 && !addEmptyFrame(now) {
        return .emptyFrameFlood
      }
    case Kind.data:
      if isEmpty && header.flags & Flag.endStream == 0 && !addEmptyFrame(now) {
        return .emptyFrameFlood
      }
    case Kind.continuation:
      continuations &+= 1
      if continuations > Limits.continuations { return .continuationFlood }
      if isEmpty && header.flags & Flag.endHeaders == 0 && !addEmptyFrame(now) {
        return .emptyFrameFlood
      }
    case Kind.windowUpdate:
      return windowUpdates.add(to: Self.windowUpdateRate, now) ? nil : .windowUpdateFlood
    case Kind.reset:
      return requestFailed(now)
    case Kind.settings:
      return settings.add(to: Self.settingsRate, now) ? nil : .settingsFlood
    case Kind.ping:
      return pings.add(to: Self.pingRate, now) ? nil : .pingFlood
    default:
      return priorities.add(to: Self.priorityRate, now) ? nil : .priorityFlood
    }
    return nil
  }

  /// A frame carries nothing.
  /// - Returns: whether that may still be.
  mutating func addEmptyFrame(_ now: Int64) -> Bool { emptyFrames.add(to: Self.emptyRate, now) }

  /// A request was withdrawn, or ended by an error of its viewer's making.
  package mutating func requestFailed(_ now: Int64) -> HTTP2Offence? {
    resets.add(to: Self.resetRate, now) ? nil : .rapidReset
  }

  /// Who is sent data answers with window updates, one for the stream and one for the connection at
  /// most.
  @inline(__always)
  package mutating func sentData() { windowUpdates.giveBack(2) }

  // What honest viewers do stays far below. A browser that leaves a page withdraws up to 128
  // requests at once; one that measures a connection pings with every round trip.
  static let resetRate = Rate(burst: 500, perSecond: 50)
  static let settingsRate = Rate(burst: 32, perSecond: 1)
  static let pingRate = Rate(burst: 256, perSecond: 50)
  static let priorityRate = Rate(burst: 512, perSecond: 100)
  static let windowUpdateRate = Rate(burst: 4_096, perSecond: 1_000)
  static let emptyRate = Rate(burst: 128, perSecond: 10)
}
