// SPDX-License-Identifier: Apache-2.0
import CSystem

/// One field line of a head, as offsets into the head's bytes.
package struct FieldLine: Sendable {
  package var nameStart: UInt16
  package var nameLength: UInt16
  package var valueStart: UInt16
  /// Without leading and trailing white space (RFC 9112 §5.1).
  package var valueLength: UInt16
  package var known: KnownField

  @inline(__always)
  package init(
    nameStart: UInt16, nameLength: UInt16, valueStart: UInt16, valueLength: UInt16,
    known: KnownField
  ) {
    self.nameStart = nameStart
    self.nameLength = nameLength
    self.valueStart = valueStart
    self.valueLength = valueLength
    self.known = known
  }
}

/// The field lines of one head in their order, with the first line of every known field at hand.
///
/// Made once per loop and reused for every head: no allocation per request. It holds offsets only;
/// the bytes belong to the caller, who passes their base address to each accessor.
package final class FieldTable {
  package let capacity: Int
  package let lines: UnsafeMutablePointer<FieldLine>
  package let state: UnsafeMutablePointer<State>

  package struct State {
    package internal(set) var count = 0
    package internal(set) var present: UInt64 = 0
    package internal(set) var repeated: UInt64 = 0
  }

  /// Index of the last line with each known field, meaningful for those in `present`. It stands
  /// before the lines, so that the parser's loop needs one address for both.
  @inline(__always)
  static func last(_ lines: UnsafeMutablePointer<FieldLine>) -> UnsafeMutablePointer<UInt8> {
    (UnsafeMutableRawPointer(lines) - lastSize).assumingMemoryBound(to: UInt8.self)
  }

  private static var lastSize: Int { 64 }

  /// - Parameter capacity: the header count limit, at most 254.
  package init(capacity: Int) {
    precondition(capacity > 0 && capacity < 255)
    self.capacity = capacity
    let memory = UnsafeMutableRawPointer.allocate(
      byteCount: Self.lastSize + capacity * MemoryLayout<FieldLine>.stride, alignment: 16)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: Self.lastSize)
    lines = (memory + Self.lastSize).bindMemory(to: FieldLine.self, capacity: capacity)
    state = .allocate(capacity: 1)
    state.initialize(to: State())
  }

  deinit {
    UnsafeMutableRawPointer(Self.last(lines)).deallocate()
    state.deallocate()
  }

  package var count: Int { state.pointee.count }
  /// The known fields that occur, as a set of `KnownField.bit`; never with `other`.
  package var present: UInt64 { state.pointee.present }
  /// Those that occur on more than one line.
  package var repeated: UInt64 { state.pointee.repeated }

  package func removeAll() { state.pointee = State() }

  /// False when the table is full.
  package func append(_ line: FieldLine) -> Bool {
    let count = state.pointee.count
    if count == capacity { return false }
    (lines + count).initialize(to: line)
    let bit = line.known.bit
    let present = state.pointee.present
    if line.known != .other {
      Self.last(lines)[Int(line.known.rawValue)] = UInt8(truncatingIfNeeded: count)
      state.pointee.repeated |= present & bit
      state.pointee.present = present | bit
    }
    state.pointee.count = count &+ 1
    return true
  }

  @inline(__always)
  package func contains(_ field: KnownField) -> Bool { present & field.bit != 0 }

  /// Index of the first line of a known field, or nil.
  @inline(__always)
  package func firstIndex(of field: KnownField) -> Int? {
    if present & field.bit == 0 { return nil }
    if repeated & field.bit != 0 { return nextIndex(of: field, after: -1) }
    return Int(Self.last(lines)[Int(field.rawValue)])
  }

  /// Index of the next line of a known field after the line `index`, or nil.
  package func nextIndex(of field: KnownField, after index: Int) -> Int? {
    if repeated & field.bit == 0 { return nil }
    let lines = self.lines
    let count = self.count
    var at = index &+ 1
    while at < count {
      if lines[at].known == field { return at }
      at &+= 1
    }
    return nil
  }

  /// Index of the first line whose name is `lowercased`, whatever its own case; a linear search.
  package func firstIndex(
    ofName lowercased: UnsafeBufferPointer<UInt8>, in base: UnsafePointer<UInt8>
  ) -> Int? {
    nextIndex(ofName: lowercased, in: base, after: -1)
  }

  /// Index of the next such line after the line `index`.
  package func nextIndex(
    ofName lowercased: UnsafeBufferPointer<UInt8>, in base: UnsafePointer<UInt8>, after index: Int
  ) -> Int? {
    guard let wanted = lowercased.baseAddress else { return nil }
    let lines = self.lines
    let count = self.count
    var at = index &+ 1
    while at < count {
      let length = Int(lines[at].nameLength)
      if length == lowercased.count,
        csystem_equals_lowercased(base + Int(lines[at].nameStart), wanted, length) != 0
      {
        return at
      }
      at &+= 1
    }
    return nil
  }

  /// The first line's value.
  @inline(__always)
  package func value(of field: KnownField, in base: UnsafePointer<UInt8>)
    -> UnsafeBufferPointer<UInt8>?
  {
    guard let index = firstIndex(of: field) else { return nil }
    return value(at: index, in: base)
  }

  @inline(__always)
  package func value(at index: Int, in base: UnsafePointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
    let line = lines + index
    return UnsafeBufferPointer(
      start: base + Int(line.pointee.valueStart), count: Int(line.pointee.valueLength))
  }

  @inline(__always)
  package func name(at index: Int, in base: UnsafePointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
    let line = lines + index
    return UnsafeBufferPointer(
      start: base + Int(line.pointee.nameStart), count: Int(line.pointee.nameLength))
  }
}
