// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc

/// Turns the text of a response's head into frames of HTTP/2 (RFC 9113 §6.2, §8.3.2).
///
/// Made once per loop. The fields of heads that are sent again and again, those of entries, are kept;
/// the rest is read each time.
final class ResponseHeads {
  /// Where frames of one stream go to.
  struct Destination {
    let stream: Int32
    let endsStream: Bool
    let encoder: HeaderEncoder
    let buffer: Unmanaged<ByteBuffer>
  }

  private struct Slot {
    /// The text it was made of, names and values, and the fields.
    var memory: UnsafeMutableRawPointer?
    var size = 0
    var textCount = 0
    var fields: UnsafeMutablePointer<HTTP2Field>?
    var fieldCount = 0
    // The tail that came with it last, whose fields follow.
    var tail: UnsafeMutablePointer<UInt8>?
    var tailCount = 0
    /// Before the value of its last field, which is another in each response.
    var tailStart = 0
    /// With those of the tail.
    var allCount = 0
    /// Says which fields they are.
    var identity: UInt64 = 0
  }

  private static let slotCount = 128
  /// Larger heads are gone through each time.
  private static let largestKept = 4_096
  private static let largestTail = 384
  private static let mostTailFields = 16
  /// Behind the value of the last field the line ends, and the head.
  private static let tailEnd = 4

  private let reader: HeaderReader
  private let slots: UnsafeMutablePointer<Slot>
  private let budget: MemoryBudget
  private var lastIdentity: UInt64 = 0
  // Of the head that is being read.
  private var bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: 4_096)
  private var bytesCapacity = 4_096
  private var fields = UnsafeMutablePointer<HTTP2Field>.allocate(capacity: 512)
  private var fieldsCapacity = 512

  init(seed: HashSeed, budget: MemoryBudget) {
    self.budget = budget
    reader = HeaderReader(seed: seed)
    slots = .allocate(capacity: Self.slotCount)
    slots.initialize(repeating: Slot(), count: Self.slotCount)
  }

  deinit {
    for index in 0..<Self.slotCount { empty(slots + index) }
    slots.deallocate()
    fields.deallocate()
    bytes.deallocate()
  }

  // MARK: Writing

  /// A head whose text is its status line and field lines, without the empty line.
  /// - Parameter tail: more field lines.
  /// - Returns: bytes that the frames take.
  @inline(__always)
  func append(
    _ head: UnsafeBufferPointer<UInt8>, _ tail: UnsafeBufferPointer<UInt8>, to place: Destination
  ) -> Int {
    let start = reserve(head.count &+ tail.count, place)
    var at = place.encoder.begin(start + FrameHeader.size)
    if let slot = slot(of: head), knows(tail, slot) || learn(tail, slot) {
      at = place.encoder.encode(
        slot.pointee.fields!, slot.pointee.allCount, identity: slot.pointee.identity, to: at)
    } else {
      at = encode(head.baseAddress! + 9, Self.fieldLines(of: head), place.encoder, to: at)
      at = encode(tail, place.encoder, to: at)
    }
    return end(at, of: start, place)
  }

  /// A head with its empty line, of which there is only one.
  /// - Parameter status: instead of its own.
  @inline(never)
  func append(
    single head: UnsafeBufferPointer<UInt8>, status: StaticString? = nil, to place: Destination
  ) -> Int {
    let start = reserve(head.count, place)
    let digits = status?.utf8Start ?? head.baseAddress! + 9
    let at = encode(
      digits, Self.fieldLines(of: head), place.encoder,
      to: place.encoder.begin(start + FrameHeader.size))
    return end(at, of: start, place)
  }

  /// - Parameter lines: field lines.
  @inline(never)
  func append(trailers lines: UnsafeBufferPointer<UInt8>, to place: Destination) -> Int {
    let start = reserve(lines.count, place)
    let at = encode(lines, place.encoder, to: place.encoder.begin(start + FrameHeader.size))
    return end(at, of: start, place)
  }

  private func encode(
    _ status: UnsafePointer<UInt8>, _ lines: UnsafeBufferPointer<UInt8>, _ encoder: HeaderEncoder,
    to start: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    var field = reader.readStatus(status, to: bytes)
    return encode(lines, encoder, to: encoder.encode(&field, 1, to: start))
  }

  @inline(__always)
  private func encode(
    _ lines: UnsafeBufferPointer<UInt8>, _ encoder: HeaderEncoder,
    to start: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    let room = HeaderReader.room(for: lines.count)
    if room.bytes > bytesCapacity || room.fields > fieldsCapacity { grow(room) }
    return encoder.encode(fields, reader.read(lines, to: bytes, fields), to: start)
  }

  @inline(never)
  private func grow(_ room: (bytes: Int, fields: Int)) {
    bytes.deallocate()
    bytesCapacity = max(room.bytes, bytesCapacity)
    bytes = .allocate(capacity: bytesCapacity)
    fields.deallocate()
    fieldsCapacity = max(room.fields, fieldsCapacity)
    fields = .allocate(capacity: fieldsCapacity)
  }

  private static func fieldLines(of head: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8>
  {
    guard let base = head.baseAddress, let end = memchr(base, 0x0a, head.count) else {
      return UnsafeBufferPointer(start: nil, count: 0)
    }
    let start = UnsafeRawPointer(base).distance(to: UnsafeRawPointer(end)) + 1
    return UnsafeBufferPointer(rebasing: head[start...])
  }

  // MARK: Frames

  @inline(__always)
  private func reserve(_ count: Int, _ place: Destination) -> UnsafeMutablePointer<UInt8> {
    place.buffer._withUnsafeGuaranteedRef {
      $0.reserveTail(FrameHeader.size &+ HeaderEncoder.room(for: count))
    }
  }

  @inline(__always)
  private func end(
    _ end: UnsafeMutablePointer<UInt8>, of start: UnsafeMutablePointer<UInt8>, _ place: Destination
  ) -> Int {
    let size = end - start - FrameHeader.size
    let endStream = place.endsStream ? FrameHeader.Flag.endStream : 0
    var count = end - start
    if size <= FrameHeader.largestPayload {
      FrameHeader(
        length: size, kind: FrameHeader.Kind.headers,
        flags: endStream | FrameHeader.Flag.endHeaders, stream: place.stream
      ).write(to: start)
    } else {
      count = Self.split(start, size, flags: endStream, place.stream)
    }
    place.buffer._withUnsafeGuaranteedRef { $0.advance(by: count) }
    return count
  }

  /// Makes room for the headers of CONTINUATION.
  /// - Returns: bytes that the frames take.
  @inline(never)
  private static func split(
    _ start: UnsafeMutablePointer<UInt8>, _ size: Int, flags: UInt8, _ stream: Int32
  ) -> Int {
    let most = FrameHeader.largestPayload
    let count = (size + most - 1) / most
    for number in (0..<count).reversed() {
      let offset = number * most
      let header = FrameHeader(
        length: min(most, size - offset),
        kind: number == 0 ? FrameHeader.Kind.headers : FrameHeader.Kind.continuation,
        flags: (number == 0 ? flags : 0) | (number == count - 1 ? FrameHeader.Flag.endHeaders : 0),
        stream: stream)
      let place = start + offset + number * FrameHeader.size
      memmove(place + FrameHeader.size, start + FrameHeader.size + offset, header.length)
      header.write(to: place)
    }
    return size + count * FrameHeader.size
  }

  // MARK: Heads that come again

  /// Where the fields of a head lie that is known, or is from now on; nil when it is none to be kept.
  @inline(__always)
  private func slot(of head: UnsafeBufferPointer<UInt8>) -> UnsafeMutablePointer<Slot>? {
    let base = head.baseAddress!
    let address = UInt(bitPattern: base)
    let slot = slots + Int(((address &>> 6) ^ (address &>> 13)) & UInt(Self.slotCount &- 1))
    // The text says whether it is the same head: what lies at an address may have become another.
    if slot.pointee.textCount != head.count
      || memcmp(slot.pointee.memory!, base, head.count) != 0
    {
      if !fill(slot, head) { return nil }
    }
    return slot
  }

  /// Whether this tail came with the head the last time, too; but for the value of its last field,
  /// which becomes this one's.
  @inline(__always)
  private func knows(
    _ tail: UnsafeBufferPointer<UInt8>, _ slot: UnsafeMutablePointer<Slot>
  ) -> Bool {
    guard tail.count == slot.pointee.tailCount, tail.count > 0, let known = slot.pointee.tail,
      let base = tail.baseAddress
    else { return false }
    let start = slot.pointee.tailStart
    let last = slot.pointee.fields! + (slot.pointee.allCount &- 1)
    let count = Int(last.pointee.valueCount)
    let rest = start &+ count
    guard memcmp(known, base, start) == 0,
      memcmp(known + rest, base + rest, Self.tailEnd) == 0
    else { return false }
    memcpy(
      UnsafeMutablePointer(mutating: last.pointee.bytes) + Int(last.pointee.nameCount),
      base + start, count)
    return true
  }

  /// Reads a tail behind its head. False when it is none to be kept.
  @inline(never)
  private func learn(
    _ tail: UnsafeBufferPointer<UInt8>, _ slot: UnsafeMutablePointer<Slot>
  ) -> Bool {
    guard let known = slot.pointee.tail, tail.count <= Self.largestTail,
      let base = tail.baseAddress
    else { return false }
    slot.pointee.tailCount = 0
    let bytes = known + Self.largestTail
    let count = reader.read(tail, to: bytes, fields)
    guard count > 0, count <= Self.mostTailFields, fields[count - 1].habit == .changing else {
      return false
    }
    let last = fields[count - 1]
    let start = tail.count - Self.tailEnd - Int(last.valueCount)
    guard start > 0,
      memcmp(base + start, last.bytes + Int(last.nameCount), Int(last.valueCount)) == 0
    else { return false }
    memcpy(known, base, tail.count)
    (slot.pointee.fields! + slot.pointee.fieldCount).update(from: fields, count: count)
    slot.pointee.allCount = slot.pointee.fieldCount + count
    slot.pointee.tailStart = start
    slot.pointee.tailCount = tail.count
    lastIdentity += 1
    slot.pointee.identity = lastIdentity
    return true
  }

  private func empty(_ slot: UnsafeMutablePointer<Slot>) {
    guard let memory = slot.pointee.memory else { return }
    memory.deallocate()
    budget.release(slot.pointee.size)
    slot.pointee = Slot()
  }

  @inline(never)
  private func fill(
    _ slot: UnsafeMutablePointer<Slot>, _ head: UnsafeBufferPointer<UInt8>
  ) -> Bool {
    guard head.count > 0, head.count <= Self.largestKept else { return false }
    empty(slot)
    let room = HeaderReader.room(for: head.count)
    let text = (head.count + 7) & ~7
    // The status is read to a place of its own.
    let lowered = (room.bytes + 32 + 7) & ~7
    let stride = MemoryLayout<HTTP2Field>.stride
    let fieldRoom = room.fields + Self.mostTailFields
    // Text of the tail, names and values.
    let tailRoom = Self.largestTail + HeaderReader.room(for: Self.largestTail).bytes
    let size = text + lowered + fieldRoom * stride + tailRoom
    let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 8)
    budget.charge(size)
    memcpy(memory, head.baseAddress!, head.count)
    let bytes = (memory + text).assumingMemoryBound(to: UInt8.self)
    let fields = (memory + text + lowered).bindMemory(to: HTTP2Field.self, capacity: fieldRoom)
    fields.initialize(to: reader.readStatus(head.baseAddress! + 9, to: bytes))
    let count = reader.read(Self.fieldLines(of: head), to: bytes + 32, fields + 1)
    slot.pointee = Slot(
      memory: memory, size: size, textCount: head.count, fields: fields, fieldCount: count + 1,
      tail: (memory + size - tailRoom).assumingMemoryBound(to: UInt8.self))
    return true
  }
}
