// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc

/// What a head's fields are handed to, one after the other.
protocol HeaderLineReceiver {
  /// - Parameter line: its text is valid during the call.
  /// - Returns: false when it is too much.
  func add(_ line: HeaderLine) -> Bool
}

/// HPACK's receiving side (RFC 7541) for the requests of one connection.
///
/// The table keeps its fields as the lines of text that they become, and what is known of them: for
/// a field that is in the table a request costs a copy of its line.
///
/// The entries lie one behind the other in a ring of memory twice as large as the table may become,
/// so that each lies in one piece and none is written over while it is there.
package struct HeaderDecoder {
  package enum Outcome: Equatable, Sendable {
    case complete
    /// A receiver wants no more.
    case tooLarge
    /// No HPACK: what comes after it cannot be read, either (RFC 9113 §4.3).
    case broken
  }

  /// What peers may use, the protocol's initial value.
  package static let tableSize = 4_096
  /// Each entry counts so much more than its bytes (§4.1).
  private static let overhead = 32
  private static let entryCount = tableSize / overhead
  private static let ringSize = 2 * tableSize

  private struct State {
    /// Numbers: of the latest entry, and how many there are.
    var latest = 0
    var count = 0
    /// Of the table (§4.1), and what the peer allows itself.
    var size = 0
    var limit = tableSize
    /// In the ring: where the next entry goes to.
    var place = 0
    let known = StaticLines.shared.lines
    let huffman = HuffmanDecoder.shared
    let entries = UnsafeMutablePointer<HeaderLine>.allocate(capacity: entryCount)
    let ring = UnsafeMutablePointer<UInt8>.allocate(capacity: ringSize)
  }

  /// Bytes that a decoder takes.
  package static let memory =
    MemoryLayout<State>.size + entryCount * MemoryLayout<HeaderLine>.stride + ringSize

  private let state: UnsafeMutablePointer<State>

  package init() {
    state = .allocate(capacity: 1)
    state.initialize(to: State())
  }

  /// The owner's last call.
  package func deallocate() {
    state.pointee.entries.deallocate()
    state.pointee.ring.deallocate()
    state.deallocate()
  }

  // MARK: Reading

  /// Reads the whole block of a request.
  /// - Parameter scratch: for lines that are not in the table.
  package func decode(
    _ block: UnsafePointer<UInt8>, _ count: Int, to request: HTTP2RequestText, scratch: ByteBuffer
  ) -> Outcome {
    read(block, count, to: request, scratch: scratch)
  }

  /// The same for what comes behind a body.
  package func decode(
    _ block: UnsafePointer<UInt8>, _ count: Int, to trailers: HTTP2TrailerText, scratch: ByteBuffer
  ) -> Outcome {
    read(block, count, to: trailers, scratch: scratch)
  }

  @inline(__always)
  func read<Receiver: HeaderLineReceiver>(
    _ block: UnsafePointer<UInt8>, _ count: Int, to receiver: Receiver, scratch: ByteBuffer
  ) -> Outcome {
    var at = block
    let end = block + count
    var maySetSize = true
    while at < end {
      let byte = at.pointee
      if byte & 0x80 != 0 {
        // §6.1
        guard let index = Self.integer(&at, end, mask: 0x7f), let line = line(index) else {
          return .broken
        }
        maySetSize = false
        if !receiver.add(line.pointee) { return .tooLarge }
      } else if byte & 0x60 == 0x20 {
        // §6.3, at the beginning of a block (§4.2).
        guard maySetSize, let size = Self.integer(&at, end, mask: 0x1f), size <= Self.tableSize
        else { return .broken }
        state.pointee.limit = size
        evict(to: size)
      } else {
        // §6.2: 01 to be kept; 0000 and 0001 not.
        let isKept = byte & 0x40 != 0
        maySetSize = false
        guard let index = Self.integer(&at, end, mask: isKept ? 0x3f : 0x0f),
          let line = literal(nameAt: index, &at, end, scratch)
        else { return .broken }
        if !receiver.add(isKept ? keep(line) : line) { return .tooLarge }
      }
    }
    return .complete
  }

  /// The field at an index (§2.3.3).
  @inline(__always)
  private func line(_ index: Int) -> UnsafePointer<HeaderLine>? {
    if index <= StaticTable.count {
      return index > 0 ? UnsafePointer(state.pointee.known + index) : nil
    }
    let age = index &- StaticTable.count &- 1
    if age >= state.pointee.count { return nil }
    return UnsafePointer(
      state.pointee.entries + ((state.pointee.latest &- age) & (Self.entryCount &- 1)))
  }

  /// An integer (§5.1), whose first byte has a prefix.
  /// - Returns: nil when it does not end, or is larger than anything here may be.
  @inline(__always)
  private static func integer(
    _ at: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, mask: UInt8
  ) -> Int? {
    let value = Int(at.pointee & mask)
    at += 1
    if value < Int(mask) { return value }
    return longInteger(&at, end, value)
  }

  @inline(never)
  private static func longInteger(
    _ at: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ prefix: Int
  ) -> Int? {
    var value = prefix
    var shift = 0
    while at < end && shift <= 28 {
      let byte = at.pointee
      at += 1
      value += Int(byte & 0x7f) << shift
      if byte & 0x80 == 0 { return value }
      shift += 7
    }
    return nil
  }

  /// A field that comes in full, or but for its name, which is in a table.
  private func literal(
    nameAt index: Int, _ at: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>,
    _ scratch: ByteBuffer
  ) -> HeaderLine? {
    var name = StringLiteral(bytes: at, count: 0, isCoded: false)
    var known: UnsafePointer<HeaderLine>?
    if index > 0 {
      guard let line = line(index) else { return nil }
      known = line
      name.bytes = line.pointee.text
      name.count = Int(line.pointee.nameCount)
    } else {
      guard let found = Self.string(&at, end) else { return nil }
      name = found
    }
    guard let value = Self.string(&at, end) else { return nil }
    scratch.removeAll()
    let start = scratch.reserveTail(name.room &+ value.room &+ HeaderLine.punctuation)
    guard let nameEnd = put(name, to: start) else { return nil }
    let valueStart = HeaderLine.writeColon(nameEnd)
    guard let valueEnd = put(value, to: valueStart) else { return nil }
    HeaderLine.writeEnd(valueEnd)
    let text = UnsafePointer(start)
    guard let known else {
      return HeaderLine(text: text, nameCount: nameEnd - start, valueCount: valueEnd - valueStart)
    }
    return HeaderLine(
      text: text, nameCount: name.count, valueCount: valueEnd - valueStart,
      role: known.pointee.role, known: known.pointee.known)
  }

  /// A string as it came (§5.2).
  private struct StringLiteral {
    var bytes: UnsafePointer<UInt8>
    var count: Int
    var isCoded: Bool

    /// Bytes that it takes at most.
    @inline(__always)
    var room: Int { isCoded ? HuffmanDecoder.room(for: count) : count }
  }

  @inline(__always)
  private static func string(
    _ at: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>
  ) -> StringLiteral? {
    if at == end { return nil }
    let isCoded = at.pointee & 0x80 != 0
    guard let count = integer(&at, end, mask: 0x7f), count <= end - at else { return nil }
    defer { at += count }
    return StringLiteral(bytes: at, count: count, isCoded: isCoded)
  }

  /// - Returns: where it ends.
  @inline(__always)
  private func put(
    _ string: StringLiteral, to place: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8>? {
    if string.isCoded {
      return state.pointee.huffman.decode(string.bytes, string.count, to: place)
    }
    memcpy(place, string.bytes, string.count)
    return place + string.count
  }

  // MARK: The table

  /// Puts a line into the table, whose earliest entries make room for it (§4.4).
  /// - Returns: the same.
  private func keep(_ line: HeaderLine) -> HeaderLine {
    let size = Int(line.nameCount) + Int(line.valueCount) + Self.overhead
    evict(to: state.pointee.limit - size)
    // What is larger than the table leaves it empty.
    if size > state.pointee.limit { return line }
    if state.pointee.place + line.count > Self.ringSize { state.pointee.place = 0 }
    let place = state.pointee.ring + state.pointee.place
    memcpy(place, line.text, line.count)
    state.pointee.place += line.count
    state.pointee.size += size
    state.pointee.count += 1
    state.pointee.latest += 1
    let entry = state.pointee.entries + (state.pointee.latest & (Self.entryCount - 1))
    entry.initialize(to: line)
    entry.pointee.text = UnsafePointer(place)
    return line
  }

  private func evict(to size: Int) {
    while state.pointee.size > max(size, 0) {
      let earliest = state.pointee.latest - state.pointee.count + 1
      let entry = state.pointee.entries + (earliest & (Self.entryCount - 1))
      state.pointee.size -=
        Int(entry.pointee.nameCount) + Int(entry.pointee.valueCount) + Self.overhead
      state.pointee.count -= 1
    }
  }
}

/// The static table (RFC 7541 Appendix A) as lines, from 1.
private struct StaticLines: @unchecked Sendable {
  static let shared = StaticLines()

  let lines: UnsafeMutablePointer<HeaderLine>

  private init() {
    lines = .allocate(capacity: StaticTable.count + 1)
    for (index, name) in StaticTable.names.enumerated() {
      let name = Array(name.utf8)
      let value = Array((StaticTable.values[index + 1] ?? "").utf8)
      let text = UnsafeMutablePointer<UInt8>.allocate(
        capacity: name.count + value.count + HeaderLine.punctuation)
      HeaderLine.write(name, name.count, value, value.count, to: text)
      (lines + index + 1).initialize(
        to: HeaderLine(
          text: UnsafePointer(text), nameCount: name.count, valueCount: value.count))
    }
    lines.initialize(to: lines[1])
  }
}
