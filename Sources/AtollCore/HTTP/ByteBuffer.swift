// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A growable run of raw bytes with one owner: what heads, keys and log lines are written into.
///
/// Kept and reused by its owner; `removeAll` keeps the memory. Its numbers lie outside the object as
/// `RequestHead`'s do.
package final class ByteBuffer {
  package let state: UnsafeMutablePointer<State>

  package struct State {
    package internal(set) var base: UnsafeMutablePointer<UInt8>
    package internal(set) var count = 0
    package internal(set) var capacity: Int
  }

  package init(capacity: Int = 512) {
    let capacity = max(capacity, 16)
    state = .allocate(capacity: 1)
    state.initialize(to: State(base: .allocate(capacity: capacity), capacity: capacity))
  }

  deinit {
    state.pointee.base.deallocate()
    state.deallocate()
  }

  @inline(__always)
  package private(set) var base: UnsafeMutablePointer<UInt8> {
    get { state.pointee.base }
    set { state.pointee.base = newValue }
  }

  @inline(__always)
  package private(set) var count: Int {
    get { state.pointee.count }
    set { state.pointee.count = newValue }
  }

  @inline(__always)
  package private(set) var capacity: Int {
    get { state.pointee.capacity }
    set { state.pointee.capacity = newValue }
  }

  package var bytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: base, count: count) }

  package func removeAll() { count = 0 }

  /// Forgets everything from `length` on.
  package func truncate(to length: Int) {
    precondition(length <= count)
    count = length
  }

  @inline(__always)
  package func reserve(_ additional: Int) {
    if capacity &- count < additional { grow(additional) }
  }

  @inline(never)
  private func grow(_ additional: Int) {
    let size = max(capacity * 2, count + additional)
    let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
    memcpy(memory, base, count)
    base.deallocate()
    base = memory
    capacity = size
  }

  /// Room for `additional` bytes at the end, to be written by the caller, who then calls `advance`.
  package func reserveTail(_ additional: Int) -> UnsafeMutablePointer<UInt8> {
    reserve(additional)
    return base + count
  }

  package func advance(by written: Int) {
    precondition(written <= capacity - count)
    count &+= written
  }

  @inline(__always)
  package func append(_ byte: UInt8) {
    reserve(1)
    base[count] = byte
    count &+= 1
  }

  @inline(__always)
  package func append(_ source: UnsafePointer<UInt8>, _ length: Int) {
    reserve(length)
    memcpy(base + count, source, length)
    count &+= length
  }

  package func append(_ source: UnsafeBufferPointer<UInt8>) {
    if let start = source.baseAddress { append(start, source.count) }
  }

  @inline(__always)
  package func append(_ text: StaticString) {
    append(text.utf8Start, text.utf8CodeUnitCount)
  }

  /// Not for the hot path.
  package func append(_ text: String) {
    var text = text
    text.withUTF8 { append($0) }
  }

  package func append(_ bytes: [UInt8]) {
    bytes.withUnsafeBufferPointer { append($0) }
  }

  package func appendDecimal(_ value: UInt64) {
    reserve(20)
    var digits: UInt64 = value
    var length = 1
    while digits >= 10 {
      digits /= 10
      length &+= 1
    }
    var at = count &+ length
    count = at
    digits = value
    repeat {
      at &-= 1
      base[at] = UInt8(truncatingIfNeeded: digits % 10 &+ 48)
      digits /= 10
    } while digits > 0
  }

  /// Lower-case hexadecimal, 16 digits.
  package func appendHex(_ value: UInt64) {
    reserve(16)
    for index in 0..<16 {
      let nibble = UInt8(truncatingIfNeeded: value &>> UInt64(60 &- index &* 4)) & 15
      base[count &+ index] = nibble < 10 ? nibble &+ 48 : nibble &+ 87
    }
    count &+= 16
  }
}
