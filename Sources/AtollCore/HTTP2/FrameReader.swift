// SPDX-License-Identifier: Apache-2.0

/// Finds the frames in what a viewer of HTTP/2 sends (RFC 9113 §4.1): the blocks of heads, which the
/// edge reads itself, and everything else, which is the session's. `FrameWatch` sees each of them
/// before it is acted upon.
package struct FrameReader {
  package enum Step: Equatable, Sendable {
    /// What lies between where the call began and where it ended is the session's, as it came.
    case frames
    /// The nine bytes of `header` are, which came in pieces.
    case header
    /// `head` is whole.
    case head
    /// All has been gone through.
    case end
    case offence(HTTP2Offence)
  }

  /// HEADERS with what continues it.
  package struct Head {
    package fileprivate(set) var stream: Int32 = 0
    fileprivate var flags: UInt8 = 0
    /// What the viewer said of its priority (RFC 9113 §6.2), in the lower 40 bits.
    fileprivate var priority: UInt64 = 0
    /// Valid until the next call, without padding.
    package fileprivate(set) var block = UnsafeBufferPointer<UInt8>(start: nil, count: 0)

    /// Bytes of a frame that stands for it, at most.
    package static let frameSize = 14

    /// Writes HEADERS with the same meaning and an empty block.
    /// - Returns: how many bytes.
    package func writeFrame(to place: UnsafeMutablePointer<UInt8>) -> Int {
      let hasPriority = flags & Flag.priority != 0
      FrameReader.write(
        header(length: hasPriority ? 5 : 0, Kind.headers, flags & ~Flag.padded | Flag.endHeaders),
        stream, to: place)
      if !hasPriority { return 9 }
      for index in 0..<5 {
        place[9 + index] = UInt8(truncatingIfNeeded: priority >> UInt64(32 - index * 8))
      }
      return 14
    }
  }

  enum Kind {
    static let data: UInt8 = 0
    static let headers: UInt8 = 1
    static let reset: UInt8 = 3
    static let settings: UInt8 = 4
    static let ping: UInt8 = 6
    static let windowUpdate: UInt8 = 8
    static let continuation: UInt8 = 9
  }

  enum Flag {
    static let endStream: UInt8 = 1
    static let endHeaders: UInt8 = 4
    static let padded: UInt8 = 8
    static let priority: UInt8 = 32
  }

  private static let headerLength = 9
  /// What a client sends first (RFC 9113 §3.4), before any frame.
  package static let prefaceLength = 24
  /// What every peer takes (RFC 9113 §4.2), and the edge asks for no more.
  private static let frameSize = 16_384

  package var watch = FrameWatch()
  package private(set) var head = Head()
  /// Of the present frame: what is left of it for the session.
  private var skipped = FrameReader.prefaceLength
  /// A frame header of which a part has come, first byte highest, its last byte apart.
  private var partial: UInt64 = 0
  private var partialLast: UInt8 = 0
  private var partialCount = 0
  /// The pad length of a DATA frame of so many bytes comes next.
  private var paddedLength = 0
  /// HEADERS has come, and not the last of what continues it.
  private var isHeadOpen = false
  /// Of the present frame of a head: the flags, and what is missing.
  private var frameFlags: UInt8 = 0
  private var missing = 0
  private var isHeadersFrame = false
  /// The block so far, and behind it what has come of the present frame.
  private var gathered: ByteBuffer?
  private var isGathering = false
  /// Bytes of memory that a head takes until it is whole.
  package private(set) var heldSize = 0

  package init() {}

  /// Part of a head has come, and not all of it.
  package var isInsideHead: Bool { isGathering }

  /// A frame header that came in pieces.
  /// - Parameter place: room for nine bytes.
  package func writeHeader(to place: UnsafeMutablePointer<UInt8>) {
    let bytes = UnsafeMutableRawPointer(place)
    bytes.storeBytes(of: partial.bigEndian, as: UInt64.self)
    place[8] = partialLast
  }

  @inline(__always)
  private static func header(length: Int, _ kind: UInt8, _ flags: UInt8) -> UInt64 {
    UInt64(truncatingIfNeeded: length) &<< 40 | UInt64(kind) &<< 32 | UInt64(flags) &<< 24
  }

  @inline(__always)
  private static func write(
    _ header: UInt64, _ stream: Int32, to place: UnsafeMutablePointer<UInt8>
  ) {
    let stream = UInt64(UInt32(bitPattern: stream))
    let bytes = UnsafeMutableRawPointer(place)
    bytes.storeBytes(of: (header | stream &>> 8).bigEndian, as: UInt64.self)
    place[8] = UInt8(truncatingIfNeeded: stream)
  }

  // MARK: Reading

  /// Goes on from `at`.
  /// - Parameter now: milliseconds of any clock.
  package mutating func next(
    _ at: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, now: Int64
  ) -> Step {
    // Where what is the session's begins.
    var start = at
    while true {
      if missing > 0 {
        if at == end { return .end }
        gather(&at, end)
        if missing > 0 { return .end }
        if let step = endFrame() { return step }
        start = at
        continue
      }
      if skipped > 0 && at < end {
        if paddedLength > 0, isEmpty(padding: at.pointee), !watch.addEmptyFrame(now) {
          return .offence(.emptyFrameFlood)
        }
        let part = min(skipped, end - at)
        skipped &-= part
        at += part
        continue
      }
      if at == end { return at > start ? .frames : .end }
      // A header that is whole, as nearly all are.
      let isWhole = partialCount == 0 && end - at >= Self.headerLength
      if !isWhole {
        // It is held back until it is known whose frame it begins.
        if at > start { return .frames }
        if !gatherHeader(&at, end) { return .end }
      }
      let word =
        isWhole
        ? UInt64(bigEndian: UnsafeRawPointer(at).loadUnaligned(as: UInt64.self)) : partial
      let last = isWhole ? at[8] : partialLast
      let length = Int(truncatingIfNeeded: word &>> 40)
      let kind = UInt8(truncatingIfNeeded: word &>> 32)
      let flags = UInt8(truncatingIfNeeded: word &>> 24)
      let isHead =
        kind == Kind.headers && Self.isReadable(length, flags)
        || kind == Kind.continuation && isHeadOpen && length <= Self.frameSize
      if isHead && isWhole && at > start { return .frames }
      partialCount = 0
      if let offence = watch.judge(kind, flags: flags, length: length, now) {
        return .offence(offence)
      }
      let stream = Int32(truncatingIfNeeded: (word & 0x7f_ffff) &<< 8 | UInt64(last))
      // RFC 9113 §6.10.
      if isHeadOpen && (kind != Kind.continuation || stream != head.stream) {
        return .offence(.protocolError)
      }
      if isWhole { at += Self.headerLength }
      if isHead {
        begin(kind, flags, stream)
        if kind == Kind.headers && flags & Flag.endHeaders != 0 && end - at >= length {
          // All of it lies here.
          let payload = at
          at += length
          guard let block = strip(payload, length) else { return .offence(.protocolError) }
          head.block = block
          isGathering = false
          isHeadOpen = false
          return .head
        }
        missing = length
        if length == 0, let step = endFrame() { return step }
        start = at
        continue
      }
      skipped = length
      if kind == Kind.data && flags & Flag.padded != 0 && length > 0
        && flags & Flag.endStream == 0
      {
        paddedLength = length
      }
      if !isWhole { return .header }
    }
  }

  /// HEADERS that is as long as the protocol demands; others are the session's to refuse.
  @inline(__always)
  private static func isReadable(_ length: Int, _ flags: UInt8) -> Bool {
    let least = (flags & Flag.padded != 0 ? 1 : 0) &+ (flags & Flag.priority != 0 ? 5 : 0)
    return length >= least && length <= frameSize
  }

  private mutating func gatherHeader(
    _ at: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>
  ) -> Bool {
    if partialCount == 0 { partial = 0 }
    while partialCount < Self.headerLength && at < end {
      if partialCount < 8 {
        partial = partial | UInt64(at.pointee) << UInt64(56 - partialCount * 8)
      } else {
        partialLast = at.pointee
      }
      partialCount += 1
      at += 1
    }
    return partialCount == Self.headerLength
  }

  /// Nothing but padding.
  private mutating func isEmpty(padding: UInt8) -> Bool {
    defer { paddedLength = 0 }
    return Int(padding) &+ 1 >= paddedLength
  }

  // MARK: Heads

  @inline(__always)
  private mutating func begin(_ kind: UInt8, _ flags: UInt8, _ stream: Int32) {
    isHeadersFrame = kind == Kind.headers
    if isHeadersFrame {
      head.stream = stream
      head.flags = flags
      gathered?.removeAll()
    }
    frameFlags = flags
    isHeadOpen = true
    isGathering = true
  }

  /// Takes what is there of a frame.
  private mutating func gather(_ at: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) {
    let buffer = gathered ?? ByteBuffer(capacity: missing)
    gathered = buffer
    let part = min(missing, end - at)
    buffer.append(at, part)
    heldSize = buffer.capacity
    missing -= part
    at += part
  }

  /// A frame of a head has come.
  /// - Returns: nil when others follow.
  private mutating func endFrame() -> Step? {
    let buffer = gathered ?? ByteBuffer()
    gathered = buffer
    if isHeadersFrame {
      guard let block = strip(buffer.base, buffer.count) else { return .offence(.protocolError) }
      // To the beginning.
      let count = block.count
      if let base = block.baseAddress { buffer.base.update(from: base, count: count) }
      buffer.truncate(to: count)
    }
    if buffer.count > Limits.decodedHeaderList { return .offence(.headerListTooLarge) }
    if frameFlags & Flag.endHeaders == 0 { return nil }
    head.block = buffer.bytes
    isGathering = false
    isHeadOpen = false
    return .head
  }

  /// The block of HEADERS (RFC 9113 §6.2).
  /// - Returns: nil when there is more padding than frame.
  @inline(__always)
  private mutating func strip(
    _ payload: UnsafePointer<UInt8>, _ count: Int
  ) -> UnsafeBufferPointer<UInt8>? {
    let flags = head.flags
    if flags & (Flag.padded | Flag.priority) == 0 {
      return UnsafeBufferPointer(start: payload, count: count)
    }
    var start = payload
    var padding = 0
    if flags & Flag.padded != 0 {
      padding = Int(start.pointee)
      start += 1
    }
    if flags & Flag.priority != 0 {
      head.priority = (0..<5).reduce(0) { $0 << 8 | UInt64(start[$1]) }
      start += 5
    }
    let left = payload + count - start
    return padding > left ? nil : UnsafeBufferPointer(start: start, count: left - padding)
  }

  /// The head has been read: what it took is given back.
  package mutating func release() {
    if gathered == nil { return }
    gathered = nil
    heldSize = 0
  }
}
