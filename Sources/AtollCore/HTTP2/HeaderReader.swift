// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc

/// Reads the text of a response's head into the fields of HTTP/2 (RFC 9113 §8.2): names in lower
/// case, without those that are a connection's own (§8.2.2).
///
/// Made once per loop. Goes through the text once, eight bytes at a time: finds where name and value
/// end, copies both, and hashes them. The hashes have a secret of the process, so that no origin can
/// choose fields that collide.
package final class HeaderReader {
  /// A name that is known, in a table that is looked up by hash.
  private struct Name {
    var hash: UInt32
    var count: UInt32
    var bytes: UnsafePointer<UInt8>
    var staticName: UInt8
    var habit: HTTP2Field.Habit
    /// Never sent in HTTP/2.
    var isDropped: Bool
  }

  private static let bucketCount = 256
  private let names: UnsafeMutablePointer<Name>
  /// Numbers of names, from 1.
  private let buckets: UnsafeMutablePointer<UInt8>
  private let text: UnsafeMutablePointer<UInt8>
  private let first: UInt64
  private let factor: UInt64
  private let statusHash: UInt64

  package init(seed: HashSeed) {
    first = seed.first
    factor = seed.second | 1
    let known = Self.knownNames
    names = .allocate(capacity: known.count)
    buckets = .allocate(capacity: Self.bucketCount)
    buckets.initialize(repeating: 0, count: Self.bucketCount)
    text = .allocate(capacity: known.reduce(8) { $0 + $1.name.utf8.count })
    let scratch = UnsafeMutablePointer<UInt8>.allocate(capacity: 128)
    defer { scratch.deallocate() }
    func hashed(_ name: String) -> UInt64 {
      let line = Array((name + ":").utf8)
      return line.withUnsafeBufferPointer {
        Self.hash(
          $0.baseAddress!, upTo: colonByte, end: $0.baseAddress! + line.count, lowercases: true,
          to: scratch, first: seed.first, factor: seed.second | 1)!.hash
      }
    }
    statusHash = hashed("status")
    let hashes = known.map { hashed($0.name) }
    var at = text
    for (number, name) in known.enumerated() {
      let count = name.name.utf8.count
      names[number] = Name(
        hash: UInt32(truncatingIfNeeded: hashes[number]), count: UInt32(count), bytes: at,
        staticName: UInt8((StaticTable.names.firstIndex(of: name.name) ?? -1) + 1),
        habit: name.habit, isDropped: name.isDropped)
      for byte in name.name.utf8 {
        at.pointee = byte
        at += 1
      }
      var bucket = Int(names[number].hash) & (Self.bucketCount - 1)
      while buckets[bucket] != 0 { bucket = (bucket + 1) & (Self.bucketCount - 1) }
      buckets[bucket] = UInt8(number + 1)
    }
  }

  deinit {
    names.deallocate()
    buckets.deallocate()
    text.deallocate()
  }

  /// What a head of so many bytes may take: bytes for names and values, and fields.
  package static func room(for count: Int) -> (bytes: Int, fields: Int) {
    // A line has four bytes at least; the status is another field.
    (count + 16, count / 4 + 2)
  }

  // MARK: Reading

  /// The field `:status`.
  /// - Parameters:
  ///   - digits: three.
  ///   - bytes: room for ten.
  package func readStatus(
    _ digits: UnsafePointer<UInt8>, to bytes: UnsafeMutablePointer<UInt8>
  ) -> HTTP2Field {
    let name: StaticString = ":status"
    bytes.update(from: name.utf8Start, count: 7)
    (bytes + 7).update(from: digits, count: 3)
    let value = UInt64(digits[0]) | UInt64(digits[1]) &<< 8 | UInt64(digits[2]) &<< 16
    return HTTP2Field(
      bytes: UnsafePointer(bytes), nameCount: 7, valueCount: 3,
      hash: UInt32(truncatingIfNeeded: Self.mix(statusHash, value, factor)),
      nameHash: UInt32(truncatingIfNeeded: statusHash), staticName: StaticTable.status,
      staticField: StaticTable.index(ofStatus: digits), habit: .settled)
  }

  /// Reads field lines, perhaps with the empty line behind them.
  /// - Parameters:
  ///   - bytes: where names and values go to; as much room as `room` says.
  ///   - fields: the same.
  /// - Returns: how many fields there are.
  @inline(__always)
  package func read(
    _ lines: UnsafeBufferPointer<UInt8>, to bytes: UnsafeMutablePointer<UInt8>,
    _ fields: UnsafeMutablePointer<HTTP2Field>
  ) -> Int {
    guard var at = lines.baseAddress else { return 0 }
    let end = at + lines.count
    let factor = self.factor
    var place = bytes
    var count = 0
    while at < end && at.pointee != carriageReturn {
      guard
        let name = Self.hash(
          at, upTo: colonByte, end: end, lowercases: true, to: place, first: first, factor: factor),
        name.count > 0
      else { break }
      at += name.count &+ 1
      while at < end && at.pointee == space { at += 1 }
      guard
        let value = Self.hash(
          at, upTo: carriageReturn, end: end, lowercases: false, to: place + name.count,
          first: name.hash, factor: factor)
      else { break }
      at += value.count &+ 2
      var valueCount = value.count
      // RFC 9113 §8.2.1.
      while valueCount > 0 && Self.isBlank(place[name.count &+ valueCount &- 1]) {
        valueCount &-= 1
      }
      var field = HTTP2Field(
        bytes: UnsafePointer(place), nameCount: UInt32(truncatingIfNeeded: name.count),
        valueCount: UInt32(truncatingIfNeeded: valueCount),
        hash: UInt32(truncatingIfNeeded: value.hash),
        nameHash: UInt32(truncatingIfNeeded: name.hash), staticName: 0, staticField: 0,
        habit: .settled)
      if let known = find(field) {
        if known.pointee.isDropped { continue }
        field.staticName = known.pointee.staticName
        field.habit = known.pointee.habit
      }
      fields[count] = field
      count &+= 1
      place += name.count &+ valueCount
    }
    return count
  }

  @inline(__always)
  private func find(_ field: HTTP2Field) -> UnsafeMutablePointer<Name>? {
    var bucket = Int(field.nameHash) & (Self.bucketCount &- 1)
    while buckets[bucket] != 0 {
      let name = names + (Int(buckets[bucket]) &- 1)
      if name.pointee.hash == field.nameHash && name.pointee.count == field.nameCount
        && memcmp(name.pointee.bytes, field.bytes, Int(field.nameCount)) == 0
      {
        return name
      }
      bucket = (bucket &+ 1) & (Self.bucketCount &- 1)
    }
    return nil
  }

  @inline(__always)
  private static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == 0x09 }

  // MARK: Eight bytes at a time

  @inline(__always)
  private static func mix(_ hash: UInt64, _ word: UInt64, _ factor: UInt64) -> UInt64 {
    let product = (hash ^ word).multipliedFullWidth(by: factor)
    return (product.high ^ product.low) &+ word
  }

  /// Copies and hashes what stands before a delimiter; nil when there is none.
  /// - Parameter lowercases: a constant wherever this is inlined.
  @inline(__always)
  private static func hash(
    _ start: UnsafePointer<UInt8>, upTo delimiter: UInt8, end: UnsafePointer<UInt8>,
    lowercases: Bool, to place: UnsafeMutablePointer<UInt8>, first: UInt64, factor: UInt64
  ) -> (hash: UInt64, count: Int)? {
    var hash = first
    var count = 0
    while start + count < end {
      let loaded = load(start + count, end: end)
      let word = lowercases ? csystem_lowercased(loaded) : loaded
      UnsafeMutableRawPointer(place + count).storeBytes(of: word.littleEndian, as: UInt64.self)
      let length = lengthBefore(delimiter, in: word)
      if length < 8 {
        return (mix(hash, word & ~(UInt64.max &<< UInt64(length &* 8)), factor), count &+ length)
      }
      hash = mix(hash, word, factor)
      count &+= 8
    }
    return nil
  }

  /// The next eight bytes, the first in the lowest; zeros from `end` on.
  @inline(__always)
  private static func load(_ from: UnsafePointer<UInt8>, end: UnsafePointer<UInt8>) -> UInt64 {
    if end - from >= 8 { return UInt64(littleEndian: csystem_load8(from)) }
    var word: UInt64 = 0
    var at = end
    while at > from {
      at -= 1
      word = word &<< 8 | UInt64(at.pointee)
    }
    return word
  }

  /// How many bytes stand before the first `byte`; 8 when it is not there.
  @inline(__always)
  private static func lengthBefore(_ byte: UInt8, in word: UInt64) -> Int {
    let each: UInt64 = 0x0101_0101_0101_0101
    let differences = word ^ (each &* UInt64(byte))
    // The lowest bit that is set belongs to the first byte that is zero.
    let zeros = (differences &- each) & ~differences & (each &* 0x80)
    return zeros.trailingZeroBitCount &>> 3
  }

  // MARK: Known names

  private static let knownNames: [(name: String, habit: HTTP2Field.Habit, isDropped: Bool)] = {
    let dropped = [
      "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
      // The answer to a key that the viewer has not sent (RFC 8441 §5).
      "sec-websocket-accept",
    ]
    let habits: [String: HTTP2Field.Habit] = [
      "age": .varying, "cache-status": .varying, "content-disposition": .varying,
      "content-length": .varying, "content-location": .varying, "content-range": .varying,
      "date": .varying, "etag": .varying, "expires": .varying, "last-modified": .varying,
      "location": .varying, "retry-after": .varying, "server-timing": .changing,
      "set-cookie": .secret, "x-request-id": .changing,
    ]
    var known: [String] = []
    for name in StaticTable.names + habits.keys.sorted() + dropped
    where !name.hasPrefix(":") && !known.contains(name) {
      known.append(name)
    }
    return known.map { ($0, habits[$0] ?? .settled, dropped.contains($0)) }
  }()
}

private let colonByte = UInt8(ascii: ":")
