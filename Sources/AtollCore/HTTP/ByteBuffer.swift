// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A growable run of raw bytes with one owner: what heads, keys and log lines are written into.
///
/// Kept and reused by its owner; `removeAll` keeps the memory. Its numbers lie outside the object as
/// `RequestHead`'s do.
@usableFromInline
package final class ByteBuffer {
  @usableFromInline package let state: UnsafeMutablePointer<State>

  @usableFromInline
  package struct State {
    @usableFromInline package internal(set) var base: UnsafeMutablePointer<UInt8>
    @usableFromInline package internal(set) var count = 0
    @usableFromInline package internal(set) var capacity: Int
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

  @inlinable @inline(__always)
  package var base: UnsafeMutablePointer<UInt8> { state.pointee.base }

  @inlinable @inline(__always)
  package var count: Int { state.pointee.count }

  @inlinable @inline(__always)
  package var capacity: Int { state.pointee.capacity }

  @inlinable @inline(__always)
  package var bytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: base, count: count) }

  @inlinable @inline(__always)
  package func removeAll() { state.pointee.count = 0 }

  /// Forgets everything from `length` on.
  package func truncate(to length: Int) {
    precondition(length <= count)
    state.pointee.count = length
  }

  @inlinable @inline(__always)
  package func reserve(_ additional: Int) {
    if capacity &- count < additional { grow(additional) }
  }

  @usableFromInline @inline(never)
  func grow(_ additional: Int) {
    let size = max(capacity * 2, count + additional)
    let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
    memcpy(memory, base, count)
    base.deallocate()
    state.pointee.base = memory
    state.pointee.capacity = size
  }

  /// Forgets everything, and gives back what is more than so many bytes of memory.
  package func shrink(to capacity: Int) {
    removeAll()
    let capacity = max(capacity, 16)
    if self.capacity <= capacity { return }
    base.deallocate()
    state.pointee.base = .allocate(capacity: capacity)
    state.pointee.capacity = capacity
  }

  /// Room for `additional` bytes at the end, to be written by the caller, who then calls `advance`.
  @inlinable @inline(__always)
  package func reserveTail(_ additional: Int) -> UnsafeMutablePointer<UInt8> {
    reserve(additional)
    return base + count
  }

  @inlinable @inline(__always)
  package func advance(by written: Int) {
    precondition(written <= capacity - count)
    state.pointee.count &+= written
  }

  @inline(__always)
  package func append(_ byte: UInt8) {
    reserve(1)
    base[count] = byte
    state.pointee.count &+= 1
  }

  @inline(__always)
  package func append(_ source: UnsafePointer<UInt8>, _ length: Int) {
    reserve(length)
    memcpy(base + count, source, length)
    state.pointee.count &+= length
  }

  package func append(_ source: UnsafeBufferPointer<UInt8>) {
    if let start = source.baseAddress { append(start, source.count) }
  }

  @inline(__always)
  package func append(_ text: StaticString) {
    append(text.utf8Start, text.utf8CodeUnitCount)
  }

  /// Not for the hot path: literals are better off with the one above, which counts as the nearer.
  @_disfavoredOverload
  package func append(_ text: String) {
    var text = text
    text.withUTF8 { append($0) }
  }

  package func append(_ bytes: [UInt8]) {
    bytes.withUnsafeBufferPointer { append($0) }
  }

  package func appendDecimal(_ value: UInt64) {
    reserve(20)
    let start = base + count
    state.pointee.count &+= Self.writeDecimal(value, to: start) - start
  }

  /// - Parameter start: room for 20 bytes.
  /// - Returns: where the number ends.
  @inline(__always)
  static func writeDecimal(_ value: UInt64, to start: UnsafeMutablePointer<UInt8>)
    -> UnsafeMutablePointer<UInt8>
  {
    if value >= 100_000_000 { return writeLongDecimal(value, to: start) }
    let digits = decimalDigits(value)
    let zeros = min(digits.trailingZeroBitCount &>> 3, 7)
    let text = (digits | 0x3030_3030_3030_3030) &>> UInt64(truncatingIfNeeded: zeros &* 8)
    UnsafeMutableRawPointer(start).storeBytes(of: text.littleEndian, as: UInt64.self)
    return start + (8 &- zeros)
  }

  /// The eight digits of a number below 10^8 as bytes, the first one lowest: halves, then quarters,
  /// then digits, all at once. Multiplied and shifted, as none is large, they are divided by 100 and
  /// by 10.
  @inline(__always)
  private static func decimalDigits(_ value: UInt64) -> UInt64 {
    let upper = value / 10_000
    let halves = upper | (value &- upper &* 10_000) &<< 32
    let hundreds = (halves &* 10_486) &>> 20 & 0x0000_007f_0000_007f
    let quarters = hundreds | (halves &- hundreds &* 100) &<< 16
    let tens = (quarters &* 103) &>> 10 & 0x000f_000f_000f_000f
    return tens | (quarters &- tens &* 10) &<< 8
  }

  @inline(never)
  private static func writeLongDecimal(_ value: UInt64, to start: UnsafeMutablePointer<UInt8>)
    -> UnsafeMutablePointer<UInt8>
  {
    var length = 1
    var bound: UInt64 = 10
    while length < 20 && value >= bound {
      length &+= 1
      bound &*= 10
    }
    var left = value
    var at = length
    while at > 0 {
      at &-= 1
      start[at] = UInt8(truncatingIfNeeded: left % 10 &+ 48)
      left /= 10
    }
    return start + length
  }

  /// The line before a chunk of so many bytes (RFC 9112 §7.1): hexadecimal without leading zeros.
  package func appendChunkLine(_ size: Int) {
    var shift = 60
    while shift > 0 && size >> shift == 0 { shift -= 4 }
    while shift >= 0 {
      let nibble = UInt8(truncatingIfNeeded: size >> shift) & 15
      append(nibble < 10 ? nibble + 48 : nibble + 87)
      shift -= 4
    }
    append("\r\n")
  }

  /// Lower-case hexadecimal, 16 digits.
  package func appendHex(_ value: UInt64) {
    reserve(16)
    Self.writeHex(value, to: base + count)
    state.pointee.count &+= 16
  }

  @inline(__always)
  static func writeHex(_ value: UInt64, to start: UnsafeMutablePointer<UInt8>) {
    let start = UnsafeMutableRawPointer(start)
    start.storeBytes(of: hexDigits(value &>> 32).littleEndian, as: UInt64.self)
    start.storeBytes(
      of: hexDigits(value & 0xffff_ffff).littleEndian, toByteOffset: 8, as: UInt64.self)
  }

  /// The eight digits of 32 bits, the first in the lowest byte: nibbles are spread over bytes, then
  /// all turned into letters at once.
  @inline(__always)
  private static func hexDigits(_ value: UInt64) -> UInt64 {
    var spread = (value &>> 16) | ((value & 0xffff) &<< 32)
    spread = ((spread &>> 8) & 0x0000_00ff_0000_00ff) | ((spread & 0x0000_00ff_0000_00ff) &<< 16)
    spread = ((spread &>> 4) & 0x000f_000f_000f_000f) | ((spread & 0x000f_000f_000f_000f) &<< 8)
    let letters = ((spread &+ 0x0606_0606_0606_0606) &>> 4) & 0x0101_0101_0101_0101
    return spread &+ 0x3030_3030_3030_3030 &+ letters &* 0x27
  }
}
