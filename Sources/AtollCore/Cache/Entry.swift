// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization

/// A stored response, or one that is being filled: one allocation that holds header, key, vary
/// section, tags, head, the head that viewers get when it differs, and body.
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

  /// What viewers get instead of the head, as `SentHead` reads it; empty when it is the same.
  package var sent: UnsafeBufferPointer<UInt8> {
    let start =
      Int(pointer.pointee.keyLength) &+ Int(pointer.pointee.varyLength)
      &+ Int(pointer.pointee.tagsLength) &+ Int(pointer.pointee.headLength)
    return UnsafeBufferPointer(start: parts + start, count: partsLength &- start)
  }

  package var body: UnsafePointer<UInt8> { UnsafePointer(mutableBody) }

  /// Where the fill writes: from `bodyLength` up to `bodyCapacity`.
  package var mutableBody: UnsafeMutablePointer<UInt8> {
    if sharesBody { return donor.mutableBody }
    return parts + partsLength
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
    return allocatedBytes &- EntryHeader.byteCount &- partsLength
  }

  /// The bytes of all parts before the body.
  @inline(__always)
  var partsLength: Int { Int(pointer.pointee.partsLength) }

  // MARK: What goes with it

  package var hash: KeyHash { pointer.pointee.hash }
  package var slot: Int { Int(pointer.pointee.slot) }
  /// Number of the last purge in force when the fill began.
  package var purgeNumber: UInt64 { pointer.pointee.purgeNumber }

  package var status: UInt16 {
    get { details.pointee.status }
    nonmutating set { details.pointee.status = newValue }
  }

  package var freshness: Freshness {
    get { details.pointee.freshness }
    nonmutating set { details.pointee.freshness = newValue }
  }

  package var meta: StoredMeta {
    get { details.pointee.meta }
    nonmutating set { details.pointee.meta = newValue }
  }

  /// What it is of what its URL names.
  package var kind: KeyKind { KeyKind(rawValue: parts[KeyLayout.kindOffset]) ?? .response }

  /// The coding that the edge has given it.
  package var coding: ContentCoding { ContentCoding(rawValue: kind.rawValue) ?? .identity }

  /// Where it lies: no two entries have one address at a time.
  package var address: UInt { UInt(bitPattern: pointer) }

  /// The edge may compress it; set before `insert`.
  package var isCompressible: Bool {
    get { marks.contains(.compressible) }
    nonmutating set { if newValue { mark(.compressible) } else { unmark(.compressible) } }
  }

  /// Compressing it in this way is not worth another try.
  package func isUseless(_ coding: ContentCoding) -> Bool {
    marks.contains(coding == .gzip ? .uselessGzip : .uselessBrotli)
  }

  package func markUseless(_ coding: ContentCoding) {
    mark(coding == .gzip ? .uselessGzip : .uselessBrotli)
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
    static let compressible = Marks(rawValue: 16)
    static let uselessGzip = Marks(rawValue: 32)
    static let uselessBrotli = Marks(rawValue: 64)
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
    let address = UnsafeRawPointer(parts + partsLength)
    return Entry(address.loadUnaligned(as: UnsafeMutablePointer<EntryHeader>.self))
  }

  func setDonor(_ donor: Entry) {
    let address = UnsafeMutableRawPointer(parts + partsLength)
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

  var entered: UInt32 {
    get { pointer.pointee.entered.load(ordering: .relaxed) }
    nonmutating set { pointer.pointee.entered.store(newValue, ordering: .relaxed) }
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

  /// As `has`, for a form of what the key names as well as for that itself.
  @inline(__always)
  func hasButForKind(_ hash: KeyHash, _ key: UnsafeBufferPointer<UInt8>) -> Bool {
    let header = pointer
    guard header.pointee.hash.low == hash.low, header.pointee.hash.high == hash.high,
      Int(header.pointee.keyLength) == key.count, key.count >= KeyLayout.urlOffset
    else { return false }
    let own = UnsafeRawPointer(parts)
    let other = UnsafeRawPointer(key.baseAddress!)
    let difference = own.loadUnaligned(as: UInt64.self) ^ other.loadUnaligned(as: UInt64.self)
    let kind = UInt64(0xff) &<< UInt64(KeyLayout.kindOffset &* 8)
    return difference & ~kind.littleEndian == 0
      && memcmp(
        own + KeyLayout.urlOffset, other + KeyLayout.urlOffset, key.count &- KeyLayout.urlOffset)
        == 0
  }

  func hasVary(_ other: UnsafeBufferPointer<UInt8>) -> Bool {
    let own = vary
    return own.count == other.count
      && (own.isEmpty || memcmp(own.baseAddress!, other.baseAddress!, own.count) == 0)
  }

  @inline(__always)
  var parts: UnsafeMutablePointer<UInt8> {
    (UnsafeMutableRawPointer(pointer) + EntryHeader.byteCount)
      .assumingMemoryBound(to: UInt8.self)
  }

  var details: UnsafeMutablePointer<EntryDetails> {
    UnsafeMutableRawPointer(pointer + 1).assumingMemoryBound(to: EntryDetails.self)
  }

  @inline(__always)
  private func part(_ offset: Int, _ length: UInt16) -> UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(start: parts + offset, count: Int(length))
  }
}

/// What stands before an entry's bytes, and what lookups and the gate's holder read of it. Nothing
/// here is stored to but through atomics, as others read it at the same time.
struct EntryHeader: ~Copyable {
  /// With the details behind it.
  static let byteCount = MemoryLayout<EntryHeader>.stride + MemoryLayout<EntryDetails>.stride

  /// The heap's: size and state of this block.
  let block: Atomic<UInt32>
  let references = Atomic<UInt32>(1)
  /// The next entry of the same bucket.
  let chain = Atomic<UInt32>(0)
  let frequency = Atomic<UInt8>(0)
  let marks = Atomic<UInt8>(0)
  let slot: UInt16
  let hash: KeyHash
  let keyLength: UInt16
  let varyLength: UInt16
  let tagsLength: UInt16
  let headLength: UInt16
  let purgeNumber: UInt64
  /// Neighbors in the queue.
  let newer = Atomic<UInt32>(0)
  let older = Atomic<UInt32>(0)
  /// The queues' clock when it entered.
  let entered = Atomic<UInt32>(0)
  /// Of key, vary section, tags, head and sent head.
  let partsLength: UInt32
  let bodyLength = Atomic<Int>(0)
  /// Of the store that owns the memory.
  let anchor: UnsafeMutablePointer<StoreAnchor>

  init(
    block: UInt32, hash: KeyHash, keyLength: Int, varyLength: Int, tagsLength: Int,
    headLength: Int, sentLength: Int, slot: Int, purgeNumber: UInt64,
    anchor: UnsafeMutablePointer<StoreAnchor>
  ) {
    self.block = Atomic(block)
    self.hash = hash
    self.keyLength = UInt16(keyLength)
    self.varyLength = UInt16(varyLength)
    self.tagsLength = UInt16(tagsLength)
    self.headLength = UInt16(headLength)
    partsLength = UInt32(keyLength + varyLength + tagsLength + headLength + sentLength)
    self.slot = UInt16(slot)
    self.purgeNumber = purgeNumber
    self.anchor = anchor
  }
}

/// What a fill sets before it inserts its entry: `Freshness`, `StoredMeta` and status, packed.
struct EntryDetails {
  private var responseTime: Int64 = 0
  private var lastModified: Int64 = -1
  private var date: Int64 = -1
  private var initialAge: Int32 = 0
  private var lifetime: Int32 = 0
  private var staleIfError: Int32 = 0
  private var staleWhileRevalidate: Int32 = 0
  // A head has at most 65,535 bytes.
  private var fieldsStart: UInt16 = 0
  private var etagOffset: UInt16 = 0
  private var etagLength: UInt16 = 0
  private var lastModifiedOffset: UInt16 = 0
  private var lastModifiedLength: UInt16 = 0
  var status: UInt16 = 0
  private var freshnessFlags: UInt8 = 0
  private var metaFlags: UInt8 = 0

  private static let isWeak: UInt8 = 1
  private static let isLastModifiedStrong: UInt8 = 2
  private static let isWeakened: UInt8 = 4

  var freshness: Freshness {
    get {
      Freshness(
        responseTime: responseTime, initialAge: initialAge, lifetime: lifetime,
        staleIfError: staleIfError, staleWhileRevalidate: staleWhileRevalidate,
        flags: Freshness.Flags(rawValue: freshnessFlags))
    }
    set {
      responseTime = newValue.responseTime
      initialAge = newValue.initialAge
      lifetime = newValue.lifetime
      staleIfError = newValue.staleIfError
      staleWhileRevalidate = newValue.staleWhileRevalidate
      freshnessFlags = newValue.flags.rawValue
    }
  }

  var meta: StoredMeta {
    get {
      var meta = StoredMeta()
      meta.fieldsStart = UInt32(fieldsStart)
      meta.etagOffset = UInt32(etagOffset)
      meta.etagLength = UInt32(etagLength)
      meta.isWeak = metaFlags & Self.isWeak != 0
      meta.isWeakened = metaFlags & Self.isWeakened != 0
      meta.isLastModifiedStrong = metaFlags & Self.isLastModifiedStrong != 0
      meta.lastModifiedOffset = UInt32(lastModifiedOffset)
      meta.lastModifiedLength = UInt32(lastModifiedLength)
      meta.lastModified = lastModified
      meta.date = date
      return meta
    }
    set {
      fieldsStart = UInt16(newValue.fieldsStart)
      etagOffset = UInt16(newValue.etagOffset)
      etagLength = UInt16(newValue.etagLength)
      metaFlags =
        (newValue.isWeak ? Self.isWeak : 0)
        | (newValue.isLastModifiedStrong ? Self.isLastModifiedStrong : 0)
        | (newValue.isWeakened ? Self.isWeakened : 0)
      lastModifiedOffset = UInt16(newValue.lastModifiedOffset)
      lastModifiedLength = UInt16(newValue.lastModifiedLength)
      lastModified = newValue.lastModified
      date = newValue.date
    }
  }
}
