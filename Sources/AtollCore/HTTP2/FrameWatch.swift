// SPDX-License-Identifier: Apache-2.0

/// Looks at the frame headers of what a peer of HTTP/2 sends (RFC 9113 §4.1), before they are acted
/// upon, and says when it sends more of what costs the edge and brings nobody anything than any
/// honest viewer would.
///
/// What a frame says is for the session to judge. This counts frames alone: a few instructions for
/// each, whatever its size.
package struct FrameWatch {
  private enum Kind {
    static let data: UInt8 = 0
    static let headers: UInt8 = 1
    static let reset: UInt8 = 3
    static let settings: UInt8 = 4
    static let ping: UInt8 = 6
    static let windowUpdate: UInt8 = 8
    static let continuation: UInt8 = 9
  }

  private static let endStream: UInt8 = 1
  private static let endHeaders: UInt8 = 4
  private static let padded: UInt8 = 8
  private static let headerLength = 9
  /// What a client sends first (RFC 9113 §3.4), before any frame.
  package static let prefaceLength = 24

  /// Bytes that belong to what has been looked at.
  private var skipped = FrameWatch.prefaceLength
  /// The first five bytes of a frame header of which a part has come, and how much of it.
  private var partial: UInt64 = 0
  private var partialCount = 0
  /// The pad length of a DATA frame of so many bytes comes next.
  private var paddedLength = 0
  private var continuations = 0
  private var isHeadOpen = false
  private var isHeadFrame = false

  private var resets = Rate.Use()
  private var settings = Rate.Use()
  private var pings = Rate.Use()
  private var priorities = Rate.Use()
  private var windowUpdates = Rate.Use()
  private var emptyFrames = Rate.Use()

  package init() {}

  /// Part of a head has come, and not all of it.
  package var isInsideHead: Bool { isHeadOpen || (isHeadFrame && skipped > 0) }

  /// Looks at the next bytes of the connection.
  /// - Parameter now: milliseconds of any clock.
  package mutating func inspect(
    _ base: UnsafePointer<UInt8>, _ count: Int, now: Int64
  ) -> HTTP2Offence? {
    var at = 0
    while at < count {
      if skipped > 0 {
        if paddedLength > 0, isEmpty(padding: base[at]), !emptyFrames.add(to: Self.emptyRate, now) {
          return .emptyFrameFlood
        }
        let part = min(skipped, count &- at)
        skipped &-= part
        at &+= part
        continue
      }
      while partialCount < Self.headerLength && at < count {
        if partialCount < 5 { partial = partial &<< 8 | UInt64(base[at]) }
        partialCount &+= 1
        at &+= 1
      }
      if partialCount < Self.headerLength { return nil }
      let length = Int(truncatingIfNeeded: partial &>> 16) & 0xff_ffff
      let kind = UInt8(truncatingIfNeeded: partial &>> 8)
      let flags = UInt8(truncatingIfNeeded: partial)
      partial = 0
      partialCount = 0
      skipped = length
      if let offence = judge(kind, flags: flags, length: length, now) { return offence }
    }
    return nil
  }

  private mutating func judge(
    _ kind: UInt8, flags: UInt8, length: Int, _ now: Int64
  ) -> HTTP2Offence? {
    isHeadFrame = kind == Kind.headers || kind == Kind.continuation
    switch kind {
    case Kind.headers:
      continuations = 0
      isHeadOpen = flags & Self.endHeaders == 0
      // A request may be followed by what changes its priority.
      priorities.giveBack(2)
      if length == 0 && isHeadOpen && !emptyFrames.add(to: Self.emptyRate, now) {
        return .emptyFrameFlood
      }
    case Kind.data:
      if flags & Self.endStream != 0 { return nil }
      if length == 0 { return emptyFrames.add(to: Self.emptyRate, now) ? nil : .emptyFrameFlood }
      if flags & Self.padded != 0 { paddedLength = length }
    case Kind.continuation:
      isHeadOpen = flags & Self.endHeaders == 0
      continuations &+= 1
      if continuations > Limits.continuations { return .continuationFlood }
      if length == 0 && isHeadOpen && !emptyFrames.add(to: Self.emptyRate, now) {
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

  /// Nothing but padding.
  private mutating func isEmpty(padding: UInt8) -> Bool {
    defer { paddedLength = 0 }
    return Int(padding) &+ 1 >= paddedLength
  }

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
