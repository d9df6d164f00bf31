// SPDX-License-Identifier: Apache-2.0

/// Finds the frames in what a viewer of HTTP/2 sends (RFC 9113 §4.1): the blocks of heads, which the
/// edge reads itself, and everything else, which is the session's. `FrameWatch` sees each of them
/// before it is acted upon.
package struct FrameReader {
  package enum Step: Equatable, Sendable {
    /// What lies between where the call began and where it ended is the session's, as it came.
    case frames
    /// The nine bytes that `writeHeader` writes are, whatever the call has gone through.
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
    package static let frameSize = FrameHeader.size + 5

    /// Writes HEADERS with the same meaning and an empty block.
    /// - Returns: how many bytes.
    package func writeFrame(to place: UnsafeMutablePointer<UInt8>) -> Int {
      let length = flags & Flag.priority != 0 ? 5 : 0
      FrameHeader(
        length: length, kind: Kind.headers, flags: flags & ~Flag.padded | Flag.endHeaders,
        stream: stream
      ).write(to: place)
      if length == 0 { return FrameHeader.size }
      for index in 0..<length {
        place[FrameHeader.size + index] = UInt8(
          truncatingIfNeeded: priority >> UInt64(32 - index * 8))
      }
      return FrameHeader.size + length
    }
  }

  private typealias Kind = FrameHeader.Kind
  private typealias Flag = FrameHeader.Flag

  /// What a client sends first (RFC 9113 §3.4), before any frame.
  package static let prefaceLength = 24

  package var watch = FrameWatch()
  package private(set) var head = Head()
  /// Of the present frame: what is left of it for the session.
  private var skipped = FrameReader.prefaceLength
  /// A frame header of which a part has come, its first byte lowest, and how much of it.
  private var partial: (UInt64, UInt8) = (0, 0)
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

  /// The frame header of which `next` has just told.
  /// - Parameter place: room for nine bytes.
  package func writeHeader(to place: UnsafeMutablePointer<UInt8>) {
    withUnsafeBytes(of: partial) {
      place.update(
        from: $0.baseAddress!.assumingMemoryBound(to: UInt8.self), count: FrameHeader.size)
    }
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
      let isWhole = partialCount == 0 && end - at >= FrameHeader.size
      if !isWhole {
        // It is held back until it is known whose frame it begins.
        if at > start { return .frames }
        if !gatherHeader(&at, end) { return .end }
      }
      let header = isWhole ? FrameHeader(at) : partialHeader
      let isHead =
        header.kind == Kind.headers && Self.isReadable(header)
        || header.kind == Kind.continuation && isHeadOpen
          && header.length <= FrameHeader.largestPayload
      if isHead && isWhole && at > start { return .frames }
      partialCount = 0
      if let offence = watch.judge(header, now) { return .offence(offence) }
      // RFC 9113 §6.10.
      if isHeadOpen && (header.kind != Kind.continuation || header.stream != head.stream) {
        return .offence(.protocolError)
      }
      if isWhole { at += FrameHeader.size }
      if isHead {
        begin(header)
        if isHeadersFrame && header.flags & Flag.endHeaders != 0 && end - at >= header.length {
          // All of it lies here.
          let payload = at
          at += header.length
          guard let block = strip(payload, header.length) else { return .offence(.protocolError) }
          head.block = block
          isGathering = false
          isHeadOpen = false
          return .head
        }
        missing = header.length
        if header.length == 0, let step = endFrame() { return step }
        start = at
        continue
      }
      skipped = header.length
      if header.kind == Kind.data, header.length > 0,
        header.flags & (Flag.padded | Flag.endStream) == Flag.padded
      {
        paddedLength = header.length
      }
      // Of a head, which never goes on like this, the session learns nothing.
      if isHeadOpen && isWhole {
        var from = at - FrameHeader.size
        _ = gatherHeader(&from, at)
        partialCount = 0
      }
      if !isWhole || isHeadOpen { return .header }
    }
  }

  /// HEADERS that is as long as the protocol demands; others are the session's to refuse.
  @inline(__always)
  private static func isReadable(_ header: FrameHeader) -> Bool {
    let least =
      (header.flags & Flag.padded != 0 ? 1 : 0) &+ (header.flags & Flag.priority != 0 ? 5 : 0)
    return header.length >= least && header.length <= FrameHeader.largestPayload
  }

  /// - Returns: whether a frame header is whole.
  private mutating func gatherHeader(
    _ at: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>
  ) -> Bool {
    let part = min(FrameHeader.size - partialCount, end - at)
    withUnsafeMutableBytes(of: &partial) {
      $0.baseAddress!.advanced(by: partialCount).copyMemory(from: at, byteCount: part)
    }
    partialCount += part
    at += part
    return partialCount == FrameHeader.size
  }

  private var partialHeader: FrameHeader {
    withUnsafeBytes(of: partial) {
      FrameHeader($0.baseAddress!.assumingMemoryBound(to: UInt8.self))
    }
  }

  /// Nothing but padding.
  private mutating func isEmpty(padding: UInt8) -> Bool {
    defer { paddedLength = 0 }
    return Int(padding) &+ 1 >= paddedLength
  }

  // MARK: Heads

  @inline(__always)
  private mutating func begin(_ header: FrameHeader) {
    isHeadersFrame = header.kind == Kind.headers
    if isHeadersFrame {
      head.stream = header.stream
      head.flags = header.flags
      gathered?.removeAll()
    }
    frameFlags = header.flags
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
