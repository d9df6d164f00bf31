// SPDX-License-Identifier: Apache-2.0
import AtollCore
import TestSupport
import Testing

/// What is the session's and what are heads, wherever the bytes are cut.
struct FrameReaderTests {
  private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  private enum Kind {
    static let data: UInt8 = 0
    static let headers: UInt8 = 1
    static let settings: UInt8 = 4
    static let ping: UInt8 = 6
    static let windowUpdate: UInt8 = 8
    static let continuation: UInt8 = 9
  }

  private enum Flag {
    static let endStream: UInt8 = 1
    static let endHeaders: UInt8 = 4
    static let padded: UInt8 = 8
    static let priority: UInt8 = 32
  }

  private static func frame(
    _ kind: UInt8, _ flags: UInt8 = 0, _ stream: UInt32 = 1, _ payload: [UInt8] = []
  ) -> [UInt8] {
    let length = payload.count
    return [UInt8(length >> 16), UInt8(length >> 8 & 255), UInt8(length & 255), kind, flags]
      + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: stream >> $0) } + payload
  }

  private static let weight: [UInt8] = [0x80, 0, 0, 3, 200]

  private enum Piece: Equatable {
    case session([UInt8])
    /// Its block, and the frame that stands for it.
    case head(stream: Int32, block: [UInt8], frame: [UInt8])
  }

  /// Does with what is found as a connection does.
  private struct Reading {
    var reader = FrameReader()
    var pieces: [Piece] = []
    var offence: HTTP2Offence?

    mutating func take(_ bytes: [UInt8]) {
      if offence != nil { return }
      // Memory that ends with the bytes.
      let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes.count)
      defer { memory.deallocate() }
      memory.initialize(from: bytes, count: bytes.count)
      var at = UnsafePointer(memory)
      let end = at + bytes.count
      while true {
        let start = at
        switch reader.next(&at, end, now: 0) {
        case .frames:
          #expect(at > start)
          hand(Array(UnsafeBufferPointer(start: start, count: at - start)))
        case .header:
          hand(
            [UInt8](unsafeUninitializedCapacity: 9) { place, count in
              reader.writeHeader(to: place.baseAddress!)
              count = 9
            })
        case .head:
          let head = reader.head
          let frame = [UInt8](unsafeUninitializedCapacity: FrameReader.Head.frameSize) {
            $1 = head.writeFrame(to: $0.baseAddress!)
          }
          pieces.append(.head(stream: head.stream, block: Array(head.block), frame: frame))
          reader.release()
        case .end:
          #expect(at == end)
          return
        case .offence(let offence):
          self.offence = offence
          return
        }
      }
    }

    private mutating func hand(_ bytes: [UInt8]) {
      if case .session(let before) = pieces.last {
        pieces[pieces.count - 1] = .session(before + bytes)
      } else {
        pieces.append(.session(bytes))
      }
    }

    /// Without the preface.
    var rest: [Piece] {
      guard case .session(let bytes) = pieces.first else { return pieces }
      let rest = Array(bytes.dropFirst(FrameReader.prefaceLength))
      return (rest.isEmpty ? [] : [.session(rest)]) + pieces.dropFirst()
    }
  }

  /// What becomes of frames behind a preface, in one piece.
  private static func read(_ frames: [UInt8]...) -> Reading {
    var reading = Reading()
    reading.take(preface + frames.flatMap { $0 })
    return reading
  }

  // MARK: One head

  private static let block: [UInt8] = [0x82, 0x86, 0x84]

  private static func head(_ flags: UInt8, _ weight: [UInt8] = []) -> Piece {
    .head(
      stream: 1, block: block, frame: frame(Kind.headers, flags | Flag.endHeaders, 1, weight))
  }

  @Test func `a head is taken out of its frames`() {
    let ends = Flag.endHeaders | Flag.endStream
    let padding = [UInt8](repeating: 0, count: 4)
    let plain = Self.read(Self.frame(Kind.headers, ends, 1, Self.block))
    #expect(plain.rest == [Self.head(Flag.endStream)])
    let padded = Self.read(
      Self.frame(Kind.headers, ends | Flag.padded, 1, [4] + Self.block + padding))
    #expect(padded.rest == [Self.head(Flag.endStream)])
    let weighted = Self.read(
      Self.frame(Kind.headers, Flag.endHeaders | Flag.priority, 1, Self.weight + Self.block))
    #expect(weighted.rest == [Self.head(Flag.priority, Self.weight)])
    let both = Self.read(
      Self.frame(
        Kind.headers, ends | Flag.padded | Flag.priority, 1,
        [4] + Self.weight + Self.block + padding))
    #expect(both.rest == [Self.head(Flag.endStream | Flag.priority, Self.weight)])
    // The bit that is reserved is nobody's.
    let reserved = Self.read(Self.frame(Kind.headers, ends, 0x8000_0001, Self.block))
    #expect(reserved.rest == [Self.head(Flag.endStream)])
    let last = Self.read(Self.frame(Kind.headers, ends, 0x7fff_ffff))
    #expect(
      last.rest
        == [
          .head(
            stream: .max, block: [], frame: Self.frame(Kind.headers, ends, 0x7fff_ffff))
        ])
  }

  @Test func `a head goes on in other frames`() {
    let flags = Flag.endStream | Flag.padded | Flag.priority
    for first in 0...3 {
      for second in first...3 {
        let parts = [
          Array(Self.block[..<first]), Array(Self.block[first..<second]),
          Array(Self.block[second...]),
        ]
        let reading = Self.read(
          Self.frame(Kind.settings),
          Self.frame(Kind.headers, flags, 1, [2] + Self.weight + parts[0] + [0, 0]),
          // What is no flag of theirs says nothing.
          Self.frame(Kind.continuation, Flag.padded | Flag.endStream, 1, parts[1]),
          Self.frame(Kind.continuation, Flag.endHeaders, 1, parts[2]),
          Self.frame(Kind.ping, 0, 0, [UInt8](repeating: 1, count: 8)))
        #expect(
          reading.rest
            == [
              .session(Self.frame(Kind.settings)),
              Self.head(Flag.endStream | Flag.priority, Self.weight),
              .session(Self.frame(Kind.ping, 0, 0, [UInt8](repeating: 1, count: 8))),
            ])
        #expect(!reading.reader.isInsideHead)
      }
    }
  }

  /// Frames, and how much of their last may be padding.
  @Test(arguments: [false, true], [false, true])
  func `padding has an end`(hasPriority: Bool, isLast: Bool) {
    let flags =
      Flag.padded | (hasPriority ? Flag.priority : 0) | (isLast ? Flag.endHeaders : 0)
    for length in 0...4 {
      let fields = (hasPriority ? Self.weight : []) + [UInt8](repeating: 0x82, count: length)
      for padding in [0, 1, 2, 3, 4, 5, 6, 100, 255] {
        let frame = Self.frame(Kind.headers, flags, 1, [UInt8(padding)] + fields)
        let reading = Self.read(frame)
        if padding > length {
          #expect(reading.offence == .protocolError && reading.rest == [])
        } else {
          #expect(reading.offence == nil && reading.reader.isInsideHead != isLast)
          #expect(reading.rest.count == (isLast ? 1 : 0))
        }
        // In pieces it is the same.
        var other = Reading()
        other.take(Self.preface)
        for byte in frame { other.take([byte]) }
        #expect(other.offence == reading.offence && other.rest == reading.rest)
      }
    }
  }

  // MARK: What is not as it should be

  @Test(arguments: [
    // Too short for its flags.
    frame(Kind.headers, Flag.padded), frame(Kind.headers, Flag.priority | Flag.endHeaders),
    frame(Kind.headers, Flag.priority, 1, [1, 2, 3, 4]),
    frame(Kind.headers, Flag.priority | Flag.padded | Flag.endHeaders, 1, [0, 1, 2, 3, 4]),
    // Longer than any frame may be.
    frame(Kind.headers, Flag.endHeaders, 1, [UInt8](repeating: 0x82, count: 16_385)),
    frame(Kind.headers, 0, 1, [UInt8](repeating: 0x82, count: 70_000)),
    // Nothing is open.
    frame(Kind.continuation, Flag.endHeaders, 1, [0x82]),
    frame(Kind.data, Flag.padded, 1, [9, 0]), frame(200, 255, 0xffff_ffff, [1, 2, 3]),
  ])
  func `what is the session's to refuse reaches it as it is`(_ frame: [UInt8]) {
    let reading = Self.read(frame, Self.frame(Kind.settings))
    #expect(reading.offence == nil)
    #expect(reading.rest == [.session(frame + Self.frame(Kind.settings))])
  }

  @Test func `a frame of the greatest length is read`() {
    let block = [UInt8](repeating: 0x82, count: 16_384)
    let reading = Self.read(Self.frame(Kind.headers, Flag.endHeaders, 1, block))
    #expect(
      reading.rest
        == [.head(stream: 1, block: block, frame: Self.frame(Kind.headers, Flag.endHeaders, 1))])
  }

  @Test(arguments: [
    frame(Kind.data, 0, 1, [1]), frame(Kind.settings), frame(Kind.headers, Flag.endHeaders, 1),
    frame(Kind.headers, 0, 3), frame(Kind.continuation, Flag.endHeaders, 3), frame(200, 0, 1),
    frame(Kind.continuation, 0, 0), frame(Kind.headers, Flag.padded, 1),
    frame(Kind.windowUpdate, 0, 1, [0, 0, 0, 1]),
  ])
  func `nothing comes between a head's frames`(_ frame: [UInt8]) {
    let open = Self.frame(Kind.headers, 0, 1, [0x82])
    let reading = Self.read(open, frame)
    #expect(reading.offence == .protocolError && reading.rest == [])
    // Nor behind a frame that continues it.
    let other = Self.read(open, Self.frame(Kind.continuation, 0, 1, [0x82]), frame)
    #expect(other.offence == .protocolError && other.rest == [])
    // It is none of theirs to refuse what comes when it is whole.
    let end = Self.frame(Kind.continuation, Flag.endHeaders, 1)
    #expect(Self.read(open, end, Self.frame(Kind.settings)).offence == nil)
  }

  @Test func `a frame too long that would continue a head reaches the session`() {
    let long = Self.frame(
      Kind.continuation, Flag.endHeaders, 1, [UInt8](repeating: 0x82, count: 16_385))
    let reading = Self.read(Self.frame(Kind.headers, 0, 1, [0x82]), long)
    #expect(reading.offence == nil && reading.rest == [.session(long)])
    // And nothing that follows is taken for a head.
    let after = Self.read(
      Self.frame(Kind.headers, 0, 1, [0x82]), long, Self.frame(Kind.headers, Flag.endHeaders, 3))
    #expect(after.offence == .protocolError)
  }

  // MARK: Memory

  @Test func `a block has a limit, and what it took is given back`() {
    var reading = Reading()
    reading.take(Self.preface)
    #expect(reading.reader.heldSize == 0)
    let part = [UInt8](repeating: 0x82, count: 16_384)
    reading.take(Self.frame(Kind.headers, 0, 1, part))
    for _ in 0..<3 { reading.take(Self.frame(Kind.continuation, 0, 1, part)) }
    #expect(reading.reader.heldSize >= 65_536 && reading.reader.heldSize <= 131_072)
    // 81,920 bytes, and one more.
    var other = reading
    other.reader = FrameReader()
    reading.take(Self.frame(Kind.continuation, Flag.endHeaders, 1, part))
    #expect(reading.offence == nil && reading.rest.count == 1)
    #expect(reading.reader.heldSize == 0 && !reading.reader.isInsideHead)
    other.take(Self.preface + Self.frame(Kind.headers, 0, 1, part))
    for _ in 0..<4 { other.take(Self.frame(Kind.continuation, 0, 1, part)) }
    #expect(other.offence == nil)
    other.take(Self.frame(Kind.continuation, Flag.endHeaders, 1, [0x82]))
    #expect(other.offence == .headerListTooLarge)
    #expect(other.reader.heldSize <= 262_144)
    other.reader.release()
    #expect(other.reader.heldSize == 0)
  }

  @Test func `a head in one piece takes no memory`() {
    var reading = Reading()
    reading.take(Self.preface)
    let frame = Self.frame(Kind.headers, Flag.endHeaders, 1, Self.block)
    reading.take(frame + frame + frame.dropLast())
    #expect(reading.rest.count == 2)
    #expect(reading.reader.isInsideHead && reading.reader.heldSize > 0)
    #expect(reading.reader.heldSize < 64)
    reading.take([frame.last!])
    #expect(reading.rest.count == 3 && reading.reader.heldSize == 0)
    #expect(!reading.reader.isInsideHead)
    // Of a header nothing is known yet.
    reading.take(Array(frame.prefix(8)))
    #expect(!reading.reader.isInsideHead && reading.reader.heldSize == 0)
    reading.take([frame[8]])
    #expect(reading.reader.isInsideHead)
  }

  // MARK: Cuts

  private static func bytes(_ count: Int, _ numbers: inout SeededNumbers) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: 0...255, using: &numbers) }
  }

  /// HEADERS and what continues it.
  private static func head(_ numbers: inout SeededNumbers) -> [UInt8] {
    let stream = UInt32.random(in: 0...9, using: &numbers)
    let isPadded = Bool.random(using: &numbers)
    let hasPriority = Bool.random(using: &numbers)
    var parts = max(1, Int.random(in: -3...4, using: &numbers))
    var flags = UInt8.random(in: 0...1, using: &numbers) * Flag.endStream
    if isPadded { flags |= Flag.padded }
    if hasPriority { flags |= Flag.priority }
    if parts == 1 { flags |= Flag.endHeaders }
    let block = bytes(Int.random(in: 0...30, using: &numbers), &numbers)
    let padding =
      isPadded ? bytes(Int.random(in: 0...20, using: &numbers), &numbers) : []
    var frames = frame(
      Kind.headers, flags, stream,
      (isPadded ? [UInt8(padding.count)] : []) + (hasPriority ? bytes(5, &numbers) : []) + block
        + padding)
    while parts > 1 {
      parts -= 1
      frames += frame(
        Kind.continuation, parts == 1 ? Flag.endHeaders : 0, stream,
        bytes(Int.random(in: 0...30, using: &numbers), &numbers))
    }
    return frames
  }

  private static func frames(_ numbers: inout SeededNumbers, faulty: Bool) -> [UInt8] {
    var frames: [UInt8] = []
    for _ in 0..<Int.random(in: 1...12, using: &numbers) {
      switch Int.random(in: 0..<(faulty ? 13 : 8), using: &numbers) {
      case 0..<4: frames += head(&numbers)
      case 4, 5:
        let payload = bytes(Int.random(in: 0...60, using: &numbers), &numbers)
        frames += frame(Kind.data, UInt8.random(in: 0...15, using: &numbers), 1, payload)
      case 6: frames += frame(Kind.ping, 0, 0, bytes(8, &numbers))
      case 7:
        frames += frame(
          UInt8.random(in: 10...255, using: &numbers), UInt8.random(in: 0...255, using: &numbers),
          UInt32.random(in: 0...UInt32.max, using: &numbers),
          bytes(Int.random(in: 0...40, using: &numbers), &numbers))
      case 8:
        frames += frame(
          Kind.headers, UInt8.random(in: 0...255, using: &numbers), 1,
          bytes(Int.random(in: 0...12, using: &numbers), &numbers))
      case 9:
        frames += frame(
          Kind.continuation, UInt8.random(in: 0...255, using: &numbers),
          UInt32.random(in: 0...2, using: &numbers),
          bytes(Int.random(in: 0...4, using: &numbers), &numbers))
      case 10: frames += bytes(Int.random(in: 1...20, using: &numbers), &numbers)
      case 11:
        frames += frame(Kind.headers, 0, 1, [1])
        frames += frame(
          Kind.continuation, Flag.endHeaders, 1, [UInt8](repeating: 1, count: 16_385))
      default:
        frames += frame(
          Kind.headers, Flag.endHeaders, 1, [UInt8](repeating: 1, count: 16_385))
      }
    }
    return frames
  }

  private static func check(_ bytes: [UInt8], _ pieces: [[UInt8]]) {
    var whole = Reading()
    whole.take(bytes)
    var other = Reading()
    for piece in pieces { other.take(piece) }
    #expect(other.offence == whole.offence)
    #expect(other.reader.isInsideHead == whole.reader.isInsideHead)
    if whole.offence == nil {
      #expect(other.pieces == whole.pieces)
    } else {
      // What stands before that is all dropped when it comes at once.
      #expect(other.pieces.starts(with: whole.pieces.dropLast()))
    }
  }

  @Test(arguments: 0..<12)
  func `wherever the bytes are cut, they are the same`(_ seed: UInt64) {
    var numbers = SeededNumbers(seed)
    for _ in 0..<60 {
      let bytes = Self.preface + Self.frames(&numbers, faulty: seed % 3 == 0)
      var pieces: [[UInt8]] = []
      var at = 0
      let longest = [1, 3, 12, 100].randomElement(using: &numbers)!
      while at < bytes.count {
        let count = min(Int.random(in: 1...longest, using: &numbers), bytes.count - at)
        pieces.append(Array(bytes[at..<at + count]))
        at += count
      }
      Self.check(bytes, pieces)
    }
  }

  @Test func `at each place there may be a cut`() {
    var numbers = SeededNumbers(7)
    for _ in 0..<6 {
      let bytes = Self.preface + Self.frames(&numbers, faulty: false)
      for cut in 0...bytes.count {
        Self.check(bytes, [Array(bytes[..<cut]), Array(bytes[cut...])])
      }
    }
  }

  /// What is no head is the session's, byte for byte, and a head is what it was made of.
  @Test(arguments: 0..<6)
  func `nothing is lost, and nothing added`(_ seed: UInt64) {
    var numbers = SeededNumbers(1_000 + seed)
    for _ in 0..<60 {
      var reading = Reading()
      reading.take(Self.preface)
      var expected: [Piece] = []
      var session: [UInt8] = []
      for _ in 0..<8 {
        if Bool.random(using: &numbers) {
          let block = Self.bytes(Int.random(in: 0...40, using: &numbers), &numbers)
          let cut = Int.random(in: 0...block.count, using: &numbers)
          let stream = UInt32.random(in: 1...99, using: &numbers)
          if !session.isEmpty { expected.append(.session(session)) }
          session = []
          expected.append(
            .head(
              stream: Int32(stream), block: block,
              frame: Self.frame(Kind.headers, Flag.endHeaders, stream)))
          reading.take(
            Self.frame(Kind.headers, 0, stream, Array(block[..<cut]))
              + Self.frame(Kind.continuation, Flag.endHeaders, stream, Array(block[cut...])))
        } else {
          let frame = Self.frame(
            Kind.data, 0, 1, Self.bytes(Int.random(in: 1...50, using: &numbers), &numbers))
          session += frame
          let cut = Int.random(in: 0...frame.count, using: &numbers)
          reading.take(Array(frame[..<cut]))
          reading.take(Array(frame[cut...]))
        }
      }
      if !session.isEmpty { expected.append(.session(session)) }
      #expect(reading.rest == expected)
    }
  }
}
