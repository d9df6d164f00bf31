// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

/// What is counted of frames, byte by byte and by the clock.
struct FrameWatchTests {
  private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  static func frame(_ kind: UInt8, _ flags: UInt8 = 0, _ payload: [UInt8] = []) -> [UInt8] {
    [0, UInt8(payload.count >> 8), UInt8(payload.count & 255), kind, flags, 0, 0, 0, 1] + payload
  }

  private static func inspect(_ reader: inout FrameReader, _ bytes: [UInt8], now: Int64 = 0)
    -> HTTP2Offence?
  {
    bytes.withUnsafeBufferPointer { bytes in
      guard var at = bytes.baseAddress else { return nil }
      while true {
        switch reader.next(&at, bytes.baseAddress! + bytes.count, now: now) {
        case .frames, .header: continue
        case .head: reader.release()
        case .end: return nil
        case .offence(let offence): return offence
        }
      }
    }
  }

  private static func begun() -> FrameReader {
    var reader = FrameReader()
    _ = inspect(&reader, preface)
    return reader
  }

  /// How many of these in a row it takes.
  private static func endurance(_ bytes: [UInt8], _ offence: HTTP2Offence) -> Int? {
    var reader = begun()
    for count in 1...10_000 {
      if let found = inspect(&reader, bytes) { return found == offence ? count : nil }
    }
    return nil
  }

  @Test(arguments: [
    (frame(4), HTTP2Offence.settingsFlood, 33),
    (frame(6, 0, [UInt8](repeating: 0, count: 8)), .pingFlood, 257),
    (frame(2, 0, [0, 0, 0, 0, 1]), .priorityFlood, 513),
    (frame(16, 0, [0, 0, 0, 1]), .priorityFlood, 513),
    (frame(99), .priorityFlood, 513), (frame(8, 0, [0, 0, 0, 1]), .windowUpdateFlood, 4_097),
    (frame(3, 0, [0, 0, 0, 8]), .rapidReset, 501), (frame(0), .emptyFrameFlood, 129),
    (frame(0, 8, [3, 0, 0, 0]), .emptyFrameFlood, 129), (frame(9, 0, [0]), .continuationFlood, 9),
    (frame(1), .protocolError, 2),
  ])
  func `each flood has its measure`(_ frame: [UInt8], _ offence: HTTP2Offence, count: Int) {
    #expect(Self.endurance(frame, offence) == count)
  }

  @Test(arguments: [
    frame(0, 1), frame(0, 0, [1]), frame(0, 8, [2, 1, 0, 0]), frame(1, 4, [0]), frame(1, 5),
  ])
  func `what carries something is never too much`(_ frame: [UInt8]) {
    #expect(Self.endurance(frame, .emptyFrameFlood) == nil)
  }

  @Test func `time makes up for what was used`() {
    var reader = Self.begun()
    let ping = Self.frame(6, 0, [UInt8](repeating: 0, count: 8))
    for _ in 0..<256 { #expect(Self.inspect(&reader, ping, now: 1_000) == nil) }
    // 50 a second.
    #expect(Self.inspect(&reader, ping, now: 1_020) == nil)
    #expect(Self.inspect(&reader, ping, now: 1_030) == .pingFlood)
    reader = Self.begun()
    for second in 0..<100 {
      for _ in 0..<50 { #expect(Self.inspect(&reader, ping, now: Int64(second) * 1_000) == nil) }
    }
  }

  @Test func `requests and data make up for what follows them`() {
    var reader = Self.begun()
    for _ in 0..<5_000 {
      #expect(Self.inspect(&reader, Self.frame(1, 5, [0])) == nil)
      #expect(Self.inspect(&reader, Self.frame(16, 0, [0, 0, 0, 1])) == nil)
      reader.watch.sentData()
      #expect(Self.inspect(&reader, Self.frame(8, 0, [0, 0, 0, 1])) == nil)
      #expect(Self.inspect(&reader, Self.frame(8, 0, [0, 0, 0, 1])) == nil)
    }
  }

  @Test func `frames may be cut anywhere`() {
    let frames =
      Self.preface + Self.frame(4) + Self.frame(1, 4, [1, 2, 3]) + Self.frame(0, 8, [1, 2, 0])
    for cut in 0...frames.count {
      var reader = FrameReader()
      #expect(Self.inspect(&reader, Array(frames[..<cut])) == nil)
      #expect(Self.inspect(&reader, Array(frames[cut...])) == nil)
      #expect(!reader.isInsideHead)
      // What was counted is the same: 33 settings are one too many, and one has been.
      for _ in 0..<31 { #expect(Self.inspect(&reader, Self.frame(4)) == nil) }
      #expect(Self.inspect(&reader, Self.frame(4)) == .settingsFlood)
    }
    var reader = FrameReader()
    for byte in frames { #expect(Self.inspect(&reader, [byte]) == nil) }
  }

  @Test func `a head is open until its last frame has come`() {
    var reader = Self.begun()
    #expect(!reader.isInsideHead)
    _ = Self.inspect(&reader, Array(Self.frame(1, 4, [1, 2, 3]).dropLast()))
    #expect(reader.isInsideHead)
    _ = Self.inspect(&reader, [3])
    #expect(!reader.isInsideHead)
    _ = Self.inspect(&reader, Self.frame(1, 1, [1, 2, 3]))
    #expect(reader.isInsideHead)
    _ = Self.inspect(&reader, Self.frame(9, 0, [4]))
    #expect(reader.isInsideHead)
    _ = Self.inspect(&reader, Self.frame(9, 4, [5]))
    #expect(!reader.isInsideHead)
  }
}
