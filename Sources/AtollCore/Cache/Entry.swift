// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization

/// A stored response, or one that is being filled: one allocation that holds header, key, vary
/// section, tags, head and body.
///
/// The handle is a pointer; whoever keeps one owns a reference and gives it back with `release`.
/// Until `insert` the entry belongs to its fill, which alone writes; afterwards it never changes.
/// Every reference must be released before the store goes away.
package struct Entry: Equatable, @unchecked Sendable {
  let pointer: UnsafeMutablePointer<EntryHeader>

  @inline(__always)
  init(_ pointer: UnsafeMutablePointer<EntryHeader>) { self.pointer = pointer }

  @inline(__always)
  package static func == (a: Entry, b: Entry) -> Bool { a.pointer == b.pointer }

  // MARK: Parts

  @inline(__always)
  package var key: UnsafeBufferPointer<UInt8> { part(0, pointer.pointee.keyLength) }

  @inline(__always)
  package var vary: UnsafeBufferPointer<UInt8> {
    part(Int(pointer.pointee.keyLength), pointer.pointee.varyLength)
  }

  package var tags: UnsafeBufferPointer<UInt8> {
    part(
      Int(pointer.pointee.keyLength) &+ Int(pointer.pointee.varyLength), pointer.pointee.tagsLength)
  }

  package var head: UnsafeBufferPointer<UInt8> {
    part(
      Int(pointer.pointee.keyLength) &+ Int(pointer.pointee.varyLength)
        &+ Int(pointer.pointee.tagsLength), pointer.pointee.headLength)
  }

  package var body: UnsafePointer<UInt8> { UnsafePointer(mutableBody) }

  /// Where the fill writes: from `bodyLength` up to `bodyCapacity`.
  package var mutableBody: UnsafeMutablePointer<UInt8> {
    if sharesBody { return donor.mutableBody }
    return parts + pointer.pointee.partsLength
  }

  /// Bytes of body present. Written by the fill after the bytes, so whoever reads a length may
  /// read that many bytes.
  package var bodyLength: Int {
    get { pointer.pointee.bodyLength.load(ordering: .acquiring) }
    nonmutating set {
      assert(newValue <= bodyCapacity)
      pointer.pointee.bodyLength.store(newValue, ordering: .releasing)
    }
  }

  package var bodyCapacity: Int {
    if sharesBody { return bodyLength }
    return allocatedBytes &- MemoryLayout<EntryHeader>.size &- pointer.pointee.partsLength
  }

  // MARK: What goes with it

  package var hash: KeyHash { pointer.pointee.hash }
  package var slot: Int { Int(pointer.pointee.slot) }
  /// Number of the last purge in force when the fill began.
  package var purgeNumber: UInt64 { pointer.pointee.purgeNumber }

  package var status: UInt16 {
    get { pointer.pointee.status }
    nonmutating set { pointer.pointee.status = newValue }
  }

  package var freshness: Freshness {
    get { pointer.pointee.freshness }
    nonmutating set { pointer.pointee.freshness = newValue }
  }

  package var meta: StoredMeta {
    get { pointer.pointee.meta.unpacked }
    nonmutating set { pointer.pointee.meta = PackedMeta(newValue) }
  }

  /// A soft purge came after the fill began.
  package var isSoftPurged: Bool { marks.contains(.softPurged) }

  /// The bytes of memory that it takes, without a body that another allocation holds.
  package var allocatedBytes: Int {
    let word = pointer.pointee.block.load(ordering: .relaxed)
    return EntryHeap.size(fromWord: word) &<< Int(pointer.pointee.anchor.pointee.shift)
  }

  // MARK: References

  @inline(__always)
  package func retain() {
    pointer.pointee.references.wrappingAdd(1, ordering: .relaxed)
  }

  @inline(__always)
  package func release() {
    if dropReference() { free() }
  }

  @inline(never)
  private func free() {
    let anchor = pointer.pointee.anchor
    anchor.pointee.gate.lock()
    anchor.pointee.state.pointee.free(self)
    anchor.pointee.gate.unlock()
  }

  /// True for the last one.
  @inline(__always)
  func dropReference() -> Bool {
    let left = pointer.pointee.references.wrappingSubtract(1, ordering: .acquiringAndReleasing)
      .newValue
    assert(left != UInt32.max, "an entry was released more often than retained")
    return left == 0
  }

  /// Only the index holds it; may change at any time unless a stripe's lock is held.
  var isIdle: Bool { pointer.pointee.references.load(ordering: .relaxed) == 1 }

  // MARK: Inside of the store

  struct Marks: OptionSet {
    let rawValue: UInt8
    /// In the index and in a queue.
    static let linked = Marks(rawValue: 1)
    /// In the main queue rather than the small one.
    static let main = Marks(rawValue: 2)
    static let softPurged = Marks(rawValue: 4)
    /// The body lies in another allocation, whose address stands where the body would.
    static let sharesBody = Marks(rawValue: 8)
    static let all = Marks(rawValue: 255)
  }

  var marks: Marks { Marks(rawValue: pointer.pointee.marks.load(ordering: .relaxed)) }

  func mark(_ added: Marks) {
    pointer.pointee.marks.bitwiseOr(added.rawValue, ordering: .relaxed)
  }

  func unmark(_ removed: Marks) {
    pointer.pointee.marks.bitwiseAnd(~removed.rawValue, ordering: .relaxed)
  }

  var isLinked: Bool { marks.contains(.linked) }
  var sharesBody: Bool { marks.contains(.sharesBody) }

  var donor: Entry {
    let address = UnsafeRawPointer(parts + pointer.pointee.partsLength)
    return Entry(address.loadUnaligned(as: UnsafeMutablePointer<EntryHeader>.self))
  }

  func setDonor(_ donor: Entry) {
    let address = UnsafeMutableRawPointer(parts + pointer.pointee.partsLength)
    address.storeBytes(of: UInt(bitPattern: donor.pointer), as: UInt.self)
    mark(.sharesBody)
  }

  // Links are atomic for the language's sake alone: to store into a plain field would be to modify
  // the header that others read.

  /// The next entry of the bucket.
  @inline(__always)
  var chain: UInt32 {
    get { pointer.pointee.chain.load(ordering: .relaxed) }
    nonmutating set { pointer.pointee.chain.store(newValue, ordering: .relaxed) }
  }

  var newer: UInt32 {
    get { pointer.pointee.newer.load(ordering: .relaxed) }
    nonmutating set { pointer.pointee.newer.store(newValue, ordering: .relaxed) }
  }

  var older: UInt32 {
    get { pointer.pointee.older.load(ordering: .relaxed) }
    nonmutating set { pointer.pointee.older.store(newValue, ordering: .relaxed) }
  }

  /// How often it was asked for since it entered its queue, up to `frequencyLimit`.
  var frequency: UInt8 {
    get { pointer.pointee.frequency.load(ordering: .relaxed) }
    nonmutating set { pointer.pointee.frequency.store(newValue, ordering: .relaxed) }
  }

  @inline(__always)
  func has(_ hash: KeyHash, _ key: UnsafeBufferPointer<UInt8>) -> Bool {
    let header = pointer
    return header.pointee.hash.low == hash.low && header.pointee.hash.high == hash.high
      && Int(header.pointee.keyLength) == key.count
      && (key.isEmpty || memcmp(UnsafeRawPointer(parts), key.baseAddress!, key.count) == 0)
  }

  func hasVary(_ other: UnsafeBufferPointer<UInt8>) -> Bool {
    let own = vary
    return own.count == other.count
      && (own.isEmpty || memcmp(own.baseAddress!, other.baseAddress!, own.count) == 0)
  }

  @inline(__always)
  var parts: UnsafeMutablePointer<UInt8> {
    UnsafeMutableRawPointer(pointer + 1).assumingMemoryBound(to: UInt8.self)
  }

  @inline(__always)
  private func part(_ offset: Int, _ length: UInt16) -> UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(start: parts + offset, count: Int(length))
  }
}

/// What stands before an entry's bytes. Fields are ordered so that a lookup reads the first half
/// alone, and so that nothing is lost to alignment.
struct EntryHeader: ~Copyable {
  /// The heap's: size and state of this block.
  let block: Atomic<UInt32>
  let references: Atomic<UInt32>
  let frequency: Atomic<UInt8>
  let marks: Atomic<UInt8>
  var status: UInt16 = 0
  /// The next entry of the same bucket.
  let chain = Atomic<UInt32>(0)
  let hash: KeyHash
  /// Neighbors in the queue.
  let newer = Atomic<UInt32>(0)
  let older = Atomic<UInt32>(0)
  let keyLength: UInt16
  let varyLength: UInt16
  let tagsLength: UInt16
  let headLength: UInt16
  let purgeNumber: UInt64
  let bodyLength = Atomic<Int>(0)
  /// Of the store that owns the memory.
  let anchor: UnsafeMutablePointer<StoreAnchor>
  var freshness = Freshness(responseTime: 0, lifetime: 0)
  let slot: UInt16
  var meta = PackedMeta(StoredMeta())

  init(
    block: UInt32, references: UInt32, hash: KeyHash, keyLength: Int, varyLength: Int,
    tagsLength: Int, headLength: Int, slot: Int, purgeNumber: UInt64,
    anchor: UnsafeMutablePointer<StoreAnchor>
  ) {
    self.block = Atomic(block)
    self.references = Atomic(references)
    frequency = Atomic(0)
    marks = Atomic(0)
    self.hash = hash
    self.keyLength = UInt16(keyLength)
    self.varyLength = UInt16(varyLength)
    self.tagsLength = UInt16(tagsLength)
    self.headLength = UInt16(headLength)
    self.slot = UInt16(slot)
    self.purgeNumber = purgeNumber
    self.anchor = anchor
  }

  var partsLength: Int {
    Int(keyLength) &+ Int(varyLength) &+ Int(tagsLength) &+ Int(headLength)
  }
}

/// `StoredMeta` in the space that a head of at most 65,535 bytes needs.
struct PackedMeta {
  private var fieldsStart: UInt16
  private var etagOffset: UInt16
  private var etagLength: UInt16
  private var lastModifiedOffset: UInt16
  private var lastModifiedLength: UInt16
  private var isWeak: Bool
  private var isLastModifiedStrong: Bool
  private var lastModified: Int64
  private var date: Int64

  init(_ meta: StoredMeta) {
    fieldsStart = UInt16(meta.fieldsStart)
    etagOffset = UInt16(meta.etagOffset)
    etagLength = UInt16(meta.etagLength)
    lastModifiedOffset = UInt16(meta.lastModifiedOffset)
    lastModifiedLength = UInt16(meta.lastModifiedLength)
    isWeak = meta.isWeak
    isLastModifiedStrong = meta.isLastModifiedStrong
    lastModified = meta.lastModified
    date = meta.date
  }

  var unpacked: StoredMeta {
    var meta = StoredMeta()
    meta.fieldsStart = UInt32(fieldsStart)
    meta.etagOffset = UInt32(etagOffset)
    meta.etagLength = UInt32(etagLength)
    meta.lastModifiedOffset = UInt32(lastModifiedOffset)
    meta.lastModifiedLength = UInt32(lastModifiedLength)
    meta.isWeak = isWeak
    meta.isLastModifiedStrong = isLastModifiedStrong
    meta.lastModified = lastModified
    meta.date = date
    return meta
  }
}
