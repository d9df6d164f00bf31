// SPDX-License-Identifier: Apache-2.0

/// One field line of a head, as offsets into the head's bytes.
package struct FieldLine: Sendable {
  package var nameStart: UInt16
  package var nameLength: UInt16
  package var valueStart: UInt16
  /// Without leading and trailing white space (RFC 9112 §5.1).
  package var valueLength: UInt16
  package var known: KnownField

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
  package private(set) var count = 0
  /// Index of the first line with that field, or 0xff.
  private let first: UnsafeMutablePointer<UInt8>
  private static let knownCount = KnownField.allCases.count

  /// - Parameter capacity: the header count limit, at most 254.
  package init(capacity: Int) {
    precondition(capacity > 0 && capacity < 255)
    self.capacity = capacity
    lines = .allocate(capacity: capacity)
    first = .allocate(capacity: Self.knownCount)
    first.initialize(repeating: 0xff, count: Self.knownCount)
  }

  deinit {
    lines.deallocate()
    first.deallocate()
  }

  package func removeAll() {
    count = 0
    first.update(repeating: 0xff, count: Self.knownCount)
  }

  /// False when the table is full.
  package func append(_ line: FieldLine) -> Bool {
    if count == capacity { return false }
    (lines + count).initialize(to: line)
    let slot = first + Int(line.known.rawValue)
    if slot.pointee == 0xff { slot.pointee = UInt8(truncatingIfNeeded: count) }
    count &+= 1
    return true
  }

  package func contains(_ field: KnownField) -> Bool { first[Int(field.rawValue)] != 0xff }

  /// Index of the first line of a known field, or nil.
  package func firstIndex(of field: KnownField) -> Int? {
    let index = first[Int(field.rawValue)]
    return index == 0xff ? nil : Int(index)
  }

  /// The first line's value.
  package func value(of field: KnownField, in base: UnsafePointer<UInt8>)
    -> UnsafeBufferPointer<UInt8>?
  {
    guard let index = firstIndex(of: field) else { return nil }
    return value(at: index, in: base)
  }

  package func value(at index: Int, in base: UnsafePointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
    let line = lines[index]
    return UnsafeBufferPointer(start: base + Int(line.valueStart), count: Int(line.valueLength))
  }

  package func name(at index: Int, in base: UnsafePointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
    let line = lines[index]
    return UnsafeBufferPointer(start: base + Int(line.nameStart), count: Int(line.nameLength))
  }
}
