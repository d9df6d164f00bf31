// SPDX-License-Identifier: Apache-2.0
import Glibc

/// HPACK's sending side (RFC 7541) for the responses of one connection.
///
/// The table lies in one piece of memory, its entries numbered as they come, from 1. Entries that
/// share a bucket of the hash are linked from the later to the earlier, so that a link to a number
/// that has been evicted ends the search: eviction moves one number and touches nothing else.
///
/// What is written has to be sent, in the order of the calls: the peer's table follows.
package struct HeaderEncoder {
  /// The edge's choice, however much more the peer would allow.
  package static let tableSize = 4_096
  /// Larger fields, in bytes of the table, are not put into it.
  private static let largestKept = tableSize / 2
  /// Each entry counts so much more than its bytes (§4.1).
  private static let overhead = 32
  private static let entryCount = tableSize / overhead
  private static let bucketCount = 256
  private static let nameBucketCount = 64
  private static let seenCount = 128
  /// An entry lies in one piece, even if that leaves a gap before the end.
  private static let ringSize = tableSize + largestKept

  private struct Entry {
    /// The number of an earlier entry in the same bucket.
    var next: UInt32
    var nextOfName: UInt32
    var hash: UInt32
    var nameHash: UInt32
    var nameCount: UInt32
    var valueCount: UInt32
    var start: Int
    var size: Int { Int(nameCount) + Int(valueCount) + overhead }
  }

  private struct State {
    /// Numbers: of the latest entry, and of the earliest that is still there.
    var latest: UInt32 = 0
    var earliest: UInt32 = 1
    /// Of the table (§4.1).
    var size = 0
    var limit = tableSize
    /// Of the ring: where the next entry goes to.
    var place = 0
    /// What the peer allows.
    var allowed = tableSize
    /// The next block begins with this size, and the smallest before it (§4.2).
    var announcesLimit = false
    var nextLimit = tableSize
    var smallestLimit = tableSize

    /// Fields that were written in full.
    var literalCount: UInt64 = 0
    /// What was written last of fields that are known, and when: the number of the latest entry.
    var known: UInt64 = 0
    var knownAt: UInt32 = 0
    var knownCount = 0
    let knownBytes = UnsafeMutableRawPointer.allocate(byteCount: knownSize, alignment: 8)

    let codes = HuffmanCode.shared
    let entries = UnsafeMutablePointer<Entry>.allocate(capacity: entryCount)
    let buckets = UnsafeMutablePointer<UInt32>.allocate(capacity: bucketCount)
    /// Of entries whose name is not in the static table.
    let nameBuckets = UnsafeMutablePointer<UInt32>.allocate(capacity: nameBucketCount)
    /// Hashes of fields that have been sent without a place in the table.
    let seen = UnsafeMutablePointer<UInt32>.allocate(capacity: seenCount)
    let ring = UnsafeMutablePointer<UInt8>.allocate(capacity: ringSize)
  }

  /// Of what is kept of fields that are known.
  private static let knownSize = 48

  /// Bytes that an encoder takes.
  package static let memory =
    MemoryLayout<State>.size + entryCount * MemoryLayout<Entry>.stride
    + (bucketCount + nameBucketCount + seenCount) * 4 + ringSize + knownSize

  private let state: UnsafeMutablePointer<State>

  package init() {
    state = .allocate(capacity: 1)
    state.initialize(to: State())
    state.pointee.buckets.initialize(repeating: 0, count: Self.bucketCount)
    state.pointee.nameBuckets.initialize(repeating: 0, count: Self.nameBucketCount)
    state.pointee.seen.initialize(repeating: 0, count: Self.seenCount)
    memset(state.pointee.knownBytes, 0, Self.knownSize)
  }

  /// The owner's last call.
  package func deallocate() {
    state.pointee.entries.deallocate()
    state.pointee.buckets.deallocate()
    state.pointee.nameBuckets.deallocate()
    state.pointee.seen.deallocate()
    state.pointee.ring.deallocate()
    state.pointee.knownBytes.deallocate()
    state.deallocate()
  }

  // MARK: The table's size

  /// The peer has set SETTINGS_HEADER_TABLE_SIZE, and what is encoded from now on is sent behind the
  /// acknowledgment. Once for each value in turn.
  package func allow(_ size: Int) {
    let limit = min(size, Self.tableSize)
    let isPending = state.pointee.announcesLimit
    if isPending || limit != state.pointee.limit || size < state.pointee.allowed {
      state.pointee.smallestLimit = isPending ? min(limit, state.pointee.smallestLimit) : limit
      state.pointee.nextLimit = limit
      state.pointee.announcesLimit = true
    }
    state.pointee.allowed = size
  }

  @inline(never)
  private func announceLimit(_ start: UnsafeMutablePointer<UInt8>) -> UnsafeMutablePointer<UInt8> {
    var at = start
    state.pointee.announcesLimit = false
    state.pointee.known = 0
    let limit = state.pointee.nextLimit
    if state.pointee.smallestLimit < limit {
      at = Self.write(state.pointee.smallestLimit, bits: 5, 0x20, to: at)
      shrink(to: state.pointee.smallestLimit)
    }
    shrink(to: limit)
    state.pointee.limit = limit
    return Self.write(limit, bits: 5, 0x20, to: at)
  }

  private func shrink(to size: Int) {
    while state.pointee.size > size { evict() }
  }

  @inline(__always)
  private func evict() {
    let number = state.pointee.earliest
    state.pointee.size &-= entry(number).pointee.size
    state.pointee.earliest = number &+ 1
  }

  @inline(__always)
  private func entry(_ number: UInt32) -> UnsafeMutablePointer<Entry> {
    state.pointee.entries + Int(number & UInt32(Self.entryCount &- 1))
  }

  // MARK: Encoding

  /// Room that a block may take whose fields have so many bytes in all, as text.
  package static func room(for count: Int) -> Int { 3 * count + 512 }

  /// Begins a block.
  /// - Returns: where its fields go to.
  @inline(__always)
  package func begin(_ start: UnsafeMutablePointer<UInt8>) -> UnsafeMutablePointer<UInt8> {
    state.pointee.announcesLimit ? announceLimit(start) : start
  }

  /// Writes fields.
  /// - Returns: where they end.
  @inline(__always)
  package func encode(
    _ fields: UnsafePointer<HTTP2Field>, _ count: Int, to start: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    var at = start
    var field = fields
    let end = fields + count
    while field < end {
      if field.pointee.staticField != 0 {
        at.pointee = 0x80 | field.pointee.staticField
        at += 1
      } else if let number = find(field) {
        at = Self.write(index(of: number), bits: 7, 0x80, to: at)
      } else {
        at = encodeLiteral(field, to: at)
      }
      field += 1
    }
    return at
  }

  /// Writes fields that may come again as they are, but for the value of the last: while the table
  /// has not changed, so are their bytes.
  /// - Parameter identity: says which fields they are; not 0.
  /// - Returns: where they end.
  @inline(__always)
  package func encode(
    _ fields: UnsafePointer<HTTP2Field>, _ count: Int, identity: UInt64,
    to start: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    guard state.pointee.known == identity && state.pointee.knownAt == state.pointee.latest else {
      return encodeUnknown(fields, count, identity: identity, to: start)
    }
    memcpy(start, state.pointee.knownBytes, Self.knownSize)
    let last = fields + (count &- 1)
    return encode(
      last.pointee.bytes + Int(last.pointee.nameCount), Int(last.pointee.valueCount),
      to: start + state.pointee.knownCount)
  }

  @inline(never)
  private func encodeUnknown(
    _ fields: UnsafePointer<HTTP2Field>, _ count: Int, identity: UInt64,
    to start: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    let literalCount = state.pointee.literalCount
    let at = encode(fields, count - 1, to: start)
    let last = fields + (count - 1)
    let name = last.pointee.staticName != 0 ? Int(last.pointee.staticName) : findName(last)
    guard last.pointee.habit == .changing, name != 0 else { return encode(last, 1, to: at) }
    let value = Self.write(name, bits: 4, 0, to: at)
    let size = value - start
    // Others may get their place in the table the next time.
    if literalCount == state.pointee.literalCount && size <= Self.knownSize {
      state.pointee.known = identity
      state.pointee.knownAt = state.pointee.latest
      state.pointee.knownCount = size
      memcpy(state.pointee.knownBytes, start, size)
    }
    return encode(
      last.pointee.bytes + Int(last.pointee.nameCount), Int(last.pointee.valueCount), to: value)
  }

  /// §2.3.3: what was inserted last comes right behind the static table.
  @inline(__always)
  private func index(of number: UInt32) -> Int {
    StaticTable.count &+ 1 &+ Int(state.pointee.latest &- number)
  }

  @inline(__always)
  private func find(_ field: UnsafePointer<HTTP2Field>) -> UInt32? {
    var number = state.pointee.buckets[Int(field.pointee.hash) & (Self.bucketCount &- 1)]
    let earliest = state.pointee.earliest
    while number >= earliest {
      let entry = self.entry(number)
      if entry.pointee.hash == field.pointee.hash
        && entry.pointee.nameCount == field.pointee.nameCount
        && entry.pointee.valueCount == field.pointee.valueCount
        && memcmp(
          state.pointee.ring + entry.pointee.start, field.pointee.bytes, field.pointee.size) == 0
      {
        return number
      }
      number = entry.pointee.next
    }
    return nil
  }

  /// The index of a name that only this connection's table has; 0 when that has not.
  @inline(__always)
  private func findName(_ field: UnsafePointer<HTTP2Field>) -> Int {
    var number = state.pointee.nameBuckets[
      Int(field.pointee.nameHash) & (Self.nameBucketCount &- 1)]
    let earliest = state.pointee.earliest
    while number >= earliest {
      let entry = self.entry(number)
      if entry.pointee.nameHash == field.pointee.nameHash
        && entry.pointee.nameCount == field.pointee.nameCount
        && memcmp(
          state.pointee.ring + entry.pointee.start, field.pointee.bytes,
          Int(field.pointee.nameCount)) == 0
      {
        return index(of: number)
      }
      number = entry.pointee.nextOfName
    }
    return 0
  }

  /// §6.2.
  @inline(never)
  private func encodeLiteral(
    _ field: UnsafePointer<HTTP2Field>, to start: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    state.pointee.literalCount &+= 1
    let name =
      field.pointee.staticName != 0 ? Int(field.pointee.staticName) : findName(field)
    let inserts = deservesPlace(field, hasName: name != 0)
    var at = start
    if inserts {
      at = Self.write(name, bits: 6, 0x40, to: at)
    } else {
      at = Self.write(name, bits: 4, field.pointee.habit == .secret ? 0x10 : 0, to: at)
    }
    let nameCount = Int(field.pointee.nameCount)
    if name == 0 { at = encode(field.pointee.bytes, nameCount, to: at) }
    at = encode(field.pointee.bytes + nameCount, Int(field.pointee.valueCount), to: at)
    if inserts { insert(field) }
    return at
  }

  @inline(__always)
  private func deservesPlace(_ field: UnsafePointer<HTTP2Field>, hasName: Bool) -> Bool {
    let size = field.pointee.size &+ Self.overhead
    if size > Self.largestKept || size > state.pointee.limit { return false }
    switch field.pointee.habit {
    case .settled: return true
    case .varying: return !hasName || hasSeen(field.pointee.hash)
    case .changing: return !hasName
    case .secret: return false
    }
  }

  /// Remembers the hash; the table is a guess, in pairs: the later one first.
  @inline(__always)
  private func hasSeen(_ hash: UInt32) -> Bool {
    let pair = state.pointee.seen + Int(hash &>> 8 & UInt32(Self.seenCount / 2 &- 1)) &* 2
    if pair[0] == hash || pair[1] == hash { return true }
    pair[1] = pair[0]
    pair[0] = hash
    return false
  }

  private func insert(_ field: UnsafePointer<HTTP2Field>) {
    let size = field.pointee.size
    shrink(to: state.pointee.limit - size - Self.overhead)
    state.pointee.size += size + Self.overhead
    if state.pointee.place + size > Self.ringSize { state.pointee.place = 0 }
    let start = state.pointee.place
    memcpy(state.pointee.ring + start, field.pointee.bytes, size)
    state.pointee.place += size
    let number = state.pointee.latest + 1
    state.pointee.latest = number
    let bucket = state.pointee.buckets + Int(field.pointee.hash) & (Self.bucketCount - 1)
    var nextOfName: UInt32 = 0
    if field.pointee.staticName == 0 {
      let bucket =
        state.pointee.nameBuckets + Int(field.pointee.nameHash) & (Self.nameBucketCount - 1)
      nextOfName = bucket.pointee
      bucket.pointee = number
    }
    entry(number).initialize(
      to: Entry(
        next: bucket.pointee, nextOfName: nextOfName, hash: field.pointee.hash,
        nameHash: field.pointee.nameHash, nameCount: field.pointee.nameCount,
        valueCount: field.pointee.valueCount, start: start))
    bucket.pointee = number
  }

  // MARK: Integers and strings

  /// §5.1: behind `pattern`, in the lowest `bits` of a byte and as many bytes more as it takes.
  @inline(__always)
  private static func write(
    _ value: Int, bits: Int, _ pattern: UInt8, to start: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    let most = 1 &<< bits &- 1
    if value < most {
      start.pointee = pattern | UInt8(truncatingIfNeeded: value)
      return start + 1
    }
    start.pointee = pattern | UInt8(truncatingIfNeeded: most)
    return writeRest(value &- most, to: start + 1)
  }

  @inline(never)
  private static func writeRest(
    _ value: Int, to start: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    var left = value
    var at = start
    while left >= 128 {
      at.pointee = 0x80 | UInt8(truncatingIfNeeded: left)
      left &>>= 7
      at += 1
    }
    at.pointee = UInt8(truncatingIfNeeded: left)
    return at + 1
  }

  /// §5.2: in the code, unless that is longer.
  private func encode(
    _ text: UnsafePointer<UInt8>, _ count: Int, to start: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    let codes = state.pointee.codes
    if count <= 64 {
      // Such a code rarely needs a longer length, nor the text instead.
      let end = codes.encode(text, count, to: start + 1)
      let size = end - start - 1
      if size <= count {
        start.pointee = 0x80 | UInt8(truncatingIfNeeded: size)
        return end
      }
    } else {
      let size = codes.size(of: text, count)
      if size <= count {
        return codes.encode(text, count, to: Self.write(size, bits: 7, 0x80, to: start))
      }
    }
    let at = Self.write(count, bits: 7, 0, to: start)
    memcpy(at, text, count)
    return at + count
  }
}
