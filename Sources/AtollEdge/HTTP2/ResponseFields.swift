// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CHTTP2
import CSystem
import Glibc

/// Turns the text of a response's head into the fields that nghttp2 takes (RFC 9113 §8.3.2): names in
/// lower case, without those that are a connection's own (§8.2.2).
///
/// nghttp2 reads fields when it writes their frame, at the end of a connection's turn. Until then
/// they lie here: heads that are sent again and again, those of entries, once and for all, the rest in
/// an arena that starts over when no connection has unwritten heads in it.
final class ResponseFields {
  private struct Slot {
    /// The text it was made of, the same with names in lower case, and the fields.
    var memory: UnsafeMutableRawPointer?
    var size = 0
    var textCount = 0
    var fields: UnsafeMutablePointer<nghttp2_nv>?
    var fieldCount = 0
  }

  private static let slotCount = 128
  /// Larger heads are gone through each time.
  private static let largestKept = 4_096
  private static let arenaSize = 32_768
  private static let byReference = UInt8(
    NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue | NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue)
  private static let neverIndexed = UInt8(NGHTTP2_NV_FLAG_NO_INDEX.rawValue)

  /// The fields of the last call to `make`.
  private(set) var fields: UnsafeMutablePointer<nghttp2_nv>
  private(set) var count = 0
  private var capacity = 256
  private let slots: UnsafeMutablePointer<Slot>
  private let arena: UnsafeMutablePointer<UInt8>
  private var arenaUsed = 0
  /// Connections with heads that nghttp2 has yet to write.
  private var users = 0
  private var retired: [(memory: UnsafeMutableRawPointer, size: Int)] = []
  private let statusName: UnsafeMutablePointer<UInt8>
  private let budget: MemoryBudget

  init(budget: MemoryBudget) {
    self.budget = budget
    fields = .allocate(capacity: capacity)
    slots = .allocate(capacity: Self.slotCount)
    slots.initialize(repeating: Slot(), count: Self.slotCount)
    arena = .allocate(capacity: Self.arenaSize)
    let name: StaticString = ":status"
    statusName = .allocate(capacity: name.utf8CodeUnitCount)
    statusName.update(from: name.utf8Start, count: name.utf8CodeUnitCount)
  }

  deinit {
    for index in 0..<Self.slotCount {
      if let memory = slots[index].memory { drop(memory, slots[index].size) }
    }
    dropRetired()
    slots.deallocate()
    fields.deallocate()
    arena.deallocate()
    statusName.deallocate()
  }

  // MARK: Who uses the arena

  func beginUse() { users &+= 1 }

  func endUse() {
    users &-= 1
    if users > 0 { return }
    arenaUsed = 0
    if !retired.isEmpty { dropRetired() }
  }

  private func dropRetired() {
    for (memory, size) in retired { drop(memory, size) }
    retired.removeAll(keepingCapacity: true)
  }

  private func drop(_ memory: UnsafeMutableRawPointer, _ size: Int) {
    memory.deallocate()
    budget.release(size)
  }

  // MARK: Making

  /// Fields of a head whose text is its status line and field lines, without the empty line.
  /// - Parameters:
  ///   - tail: more field lines.
  ///   - copies: nghttp2 is to copy everything: the connection is none of the arena's users.
  @inline(__always)
  func make(
    _ head: UnsafeBufferPointer<UInt8>, _ tail: UnsafeBufferPointer<UInt8>, copies: Bool
  ) {
    if copies || !useSlot(of: head) {
      count = 0
      addStatus(head.baseAddress! + 9, copies: copies)
      add(fieldLines(of: head), copies: copies)
    }
    add(tail, copies: copies)
  }

  /// The same of a head with its empty line, to be copied, and with another status.
  func make(_ head: UnsafeBufferPointer<UInt8>, status: StaticString) {
    count = 0
    addStatus(status.utf8Start, copies: true)
    add(fieldLines(of: head), copies: true)
  }

  /// The same for an interim response.
  func make(interim head: UnsafeBufferPointer<UInt8>) {
    count = 0
    addStatus(head.baseAddress! + 9, copies: true)
    add(fieldLines(of: head), copies: true)
  }

  /// The same for trailers: field lines, to be copied.
  func make(trailers lines: UnsafeBufferPointer<UInt8>) {
    count = 0
    add(lines, copies: true)
  }

  private func fieldLines(of head: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
    guard let base = head.baseAddress,
      let end = memchr(base, Int32(lineFeedByte), head.count)
    else { return UnsafeBufferPointer(start: nil, count: 0) }
    let start = UnsafeRawPointer(base).distance(to: UnsafeRawPointer(end)) + 1
    return UnsafeBufferPointer(rebasing: head[start...])
  }

  /// - Parameter digits: three, which stay until nghttp2 has copied them or the arena starts over.
  private func addStatus(_ digits: UnsafePointer<UInt8>, copies: Bool) {
    var flags = Self.byReference
    var value = UnsafeMutablePointer(mutating: digits)
    if copies || arenaUsed &+ 3 > Self.arenaSize {
      flags = UInt8(NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue)
    } else {
      value = arena + arenaUsed
      value.update(from: digits, count: 3)
      arenaUsed &+= 3
    }
    append(
      nghttp2_nv(name: statusName, value: value, namelen: 7, valuelen: 3, flags: flags))
  }

  @inline(__always)
  private func append(_ field: nghttp2_nv) {
    if count == capacity { grow() }
    fields[count] = field
    count &+= 1
  }

  @inline(never)
  private func grow() {
    let larger = UnsafeMutablePointer<nghttp2_nv>.allocate(capacity: capacity * 2)
    larger.update(from: fields, count: count)
    fields.deallocate()
    fields = larger
    capacity *= 2
  }

  /// - Parameter lines: field lines, perhaps with the empty line.
  private func add(_ lines: UnsafeBufferPointer<UInt8>, copies: Bool) {
    guard var at = lines.baseAddress.map({ UnsafeMutablePointer(mutating: $0) }) else { return }
    var isOwn = false
    let size = lines.count
    if !copies && arenaUsed &+ size <= Self.arenaSize {
      let place = arena + arenaUsed
      place.update(from: at, count: size)
      arenaUsed &+= size
      at = place
      isOwn = true
    }
    addLines(at, size, isOwn: isOwn)
  }

  /// - Parameter isOwn: the text stays, and may be changed.
  private func addLines(_ start: UnsafeMutablePointer<UInt8>, _ size: Int, isOwn: Bool) {
    var at = start
    let end = start + size
    let flags = isOwn ? Self.byReference : 0
    while at < end {
      guard let colon = memchr(at, 0x3a, end - at)?.assumingMemoryBound(to: UInt8.self),
        let lineEnd = memchr(colon, 0x0d, end - colon)?.assumingMemoryBound(to: UInt8.self)
      else { return }
      let nameCount = colon - at
      var value = colon + 1
      while value < lineEnd && value.pointee == 0x20 { value += 1 }
      if isOwn { Self.lowercase(at, nameCount) }
      let kind = Self.kind(of: at, nameCount)
      if kind != .connection {
        append(
          nghttp2_nv(
            name: at, value: value, namelen: nameCount, valuelen: lineEnd - value,
            flags: kind == .changing ? flags | Self.neverIndexed : flags))
      }
      at = lineEnd + 2
    }
  }

  @inline(__always)
  private static func lowercase(_ name: UnsafeMutablePointer<UInt8>, _ count: Int) {
    var index = 0
    while index < count {
      let byte = name[index]
      name[index] = byte &- 0x41 < 26 ? byte | 0x20 : byte
      index &+= 1
    }
  }

  private enum Kind {
    case usual
    /// Never sent in HTTP/2.
    case connection
    /// Another value with each response: not worth a place in the peer's table.
    case changing
  }

  @inline(__always)
  private static func kind(of name: UnsafePointer<UInt8>, _ count: Int) -> Kind {
    func equals(_ text: StaticString) -> Bool {
      csystem_equals_lowercased(name, text.utf8Start, count) != 0
    }
    switch count {
    case 7: return equals("upgrade") ? .connection : .usual
    case 10: return equals("connection") || equals("keep-alive") ? .connection : .usual
    case 12: return equals("x-request-id") || equals("cache-status") ? .changing : .usual
    case 13: return equals("server-timing") ? .changing : .usual
    case 16: return equals("proxy-connection") ? .connection : .usual
    case 17: return equals("transfer-encoding") ? .connection : .usual
    // The answer to a key that the viewer has not sent (RFC 8441 §5).
    case 20: return equals("sec-websocket-accept") ? .connection : .usual
    default: return .usual
    }
  }

  // MARK: Heads that come again

  /// Starts with the fields of a head that is known, or is from now on. False when it is none to be
  /// kept.
  @inline(__always)
  private func useSlot(of head: UnsafeBufferPointer<UInt8>) -> Bool {
    let base = head.baseAddress!
    let address = UInt(bitPattern: base)
    let slot = slots + Int(((address &>> 6) ^ (address &>> 13)) & UInt(Self.slotCount &- 1))
    // The text says whether it is the same head: what lies at an address may have become another.
    if slot.pointee.textCount != head.count
      || memcmp(slot.pointee.memory!, base, head.count) != 0
    {
      if !fill(slot, head) { return false }
    }
    count = slot.pointee.fieldCount
    fields.update(from: slot.pointee.fields!, count: count)
    return true
  }

  @inline(never)
  private func fill(
    _ slot: UnsafeMutablePointer<Slot>, _ head: UnsafeBufferPointer<UInt8>
  ) -> Bool {
    guard head.count > 0, head.count <= Self.largestKept else { return false }
    if let memory = slot.pointee.memory {
      // Unwritten heads may point into it.
      retired.append((memory, slot.pointee.size))
      slot.pointee = Slot()
      if users == 0 { dropRetired() }
    }
    let text = (head.count + 7) & ~7
    // A field line has four bytes at least; the status is another field.
    let lines = head.reduce(into: 0) { $0 += $1 == 0x0a ? 1 : 0 } + 1
    if lines > capacity { return false }
    let size = text * 2 + lines * MemoryLayout<nghttp2_nv>.stride
    let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 8)
    budget.charge(size)
    memcpy(memory, head.baseAddress!, head.count)
    let lowered = (memory + text).assumingMemoryBound(to: UInt8.self)
    memcpy(lowered, head.baseAddress!, head.count)
    count = 0
    append(
      nghttp2_nv(
        name: statusName, value: lowered + 9, namelen: 7, valuelen: 3, flags: Self.byReference))
    let rest = fieldLines(of: UnsafeBufferPointer(start: lowered, count: head.count))
    if let start = rest.baseAddress {
      addLines(UnsafeMutablePointer(mutating: start), rest.count, isOwn: true)
    }
    let kept = (memory + text * 2).bindMemory(to: nghttp2_nv.self, capacity: count)
    kept.initialize(from: fields, count: count)
    slot.pointee = Slot(
      memory: memory, size: size, textCount: head.count, fields: kept, fieldCount: count)
    return true
  }
}

private let lineFeedByte: UInt8 = 0x0a
