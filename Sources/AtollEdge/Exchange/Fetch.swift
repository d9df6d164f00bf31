// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc

/// One origin response on its way to its readers and, when it may be stored, into the cache.
///
/// The owner loop writes; exchanges on any loop read at their own pace. While it is being stored the
/// body grows in its future entry, and readers never hold the origin back. Otherwise the body passes
/// through a window of `Limits.relayWindow` bytes that moves on when the slowest reader has.
///
/// ```
/// waiting ──head──▶ streaming ──▶ complete
///    │                  └───────▶ aborted      the origin broke off: never stored
///    ├──▶ replaced                             304, or a stale entry stands in
///    └──▶ failed                               no response at all
/// ```
/// A response that may not be shared releases every reader but the first: they go on their own.
final class Fetch: @unchecked Sendable {
  enum Phase { case waiting, streaming, complete, aborted, failed, replaced }

  /// The exchanges of one loop that read; told together, once per change.
  private struct Group {
    let loop: EventLoop
    var isScheduled = false
    /// Each knows its index here, so that thousands may leave without a search.
    private(set) var readers: [Exchange] = []

    init(loop: EventLoop) { self.loop = loop }

    mutating func append(_ exchange: Exchange) {
      exchange.readerIndex = readers.count
      readers.append(exchange)
    }

    mutating func remove(_ exchange: Exchange) {
      let index = exchange.readerIndex
      guard index >= 0, index < readers.count, readers[index] === exchange else { return }
      let last = readers.removeLast()
      if last !== exchange {
        readers[index] = last
        last.readerIndex = index
      }
      exchange.readerIndex = -1
    }

    /// Keeps one reader at most; the others.
    mutating func removeAll(but kept: Exchange?) -> [Exchange] {
      let leaving = readers.filter { $0 !== kept }
      let staying = readers.filter { $0 === kept }
      readers = []
      for exchange in leaving { exchange.readerIndex = -1 }
      for exchange in staying { append(exchange) }
      return leaving
    }
  }

  /// Exchanges on their way back to the loop that they belong to.
  private struct ReleasedReaders: @unchecked Sendable {
    let exchanges: [Exchange]
  }

  /// What a reader sees at one moment.
  struct View {
    var phase: Phase
    /// End of the body received so far, as an offset from its beginning.
    var available: Int
    var failure: Reason
    /// Why the whole response was not stored although it was to be.
    var refusal: Reason
  }

  let owner: EventLoop
  let distribution: DistributionPolicy
  let behavior: BehaviorPolicy
  /// The journal's number when this began: a later purge keeps it out of the cache.
  let purgeNumber: UInt64
  let hash: KeyHash
  /// Empty for a fetch that never touches the cache.
  let key: ByteBuffer
  /// For a fetch that asks for a slice.
  let slice: SliceTarget?

  private let lock = Lock()
  private var phase = Phase.waiting
  private var failure = Reason.none
  private var lateRefusal = Reason.none
  private var groups: [Group] = []
  private var available = 0
  /// The compressed forms that its readers would have taken; guarded by the lock.
  private var wantedCodings: CodingSet = []
  /// Whether the entry may be compressed once its length is known; the owner loop's.
  var isCompressible = false
  /// An unsafe request has changed what this fetch brings.
  private var isOvertaken = false
  /// What is stored would do but for a directive that forbids it without validation.
  private(set) var forbidsStale = false

  // Written once before the phase leaves `waiting`, read-only afterwards.
  private(set) var head = ByteBuffer(capacity: 64)
  /// With what is for the primary reader alone, when there is any such field.
  private(set) var wholeHead: ByteBuffer?
  /// What the behavior's policy makes of it, as `SentHead` reads it.
  let sent = ByteBuffer(capacity: 16)
  private(set) var status: UInt16 = 0
  private(set) var meta = StoredMeta()
  /// Of the entry to be; empty when the response has no Vary.
  let vary = ByteBuffer(capacity: 16)
  private(set) var freshness: Freshness?
  private(set) var refusal = Reason.none
  /// Of the body when the origin said so.
  private(set) var length: UInt64?
  private(set) var replacement: Entry?
  private(set) var replacementVerdict = Verdict(.revalidated)
  /// Keeps the viewer of the primary reader at a target: a whole field line. Never part of an entry.
  var stickyCookie: ByteBuffer?
  /// The names of trailer fields that the origin has announced: the value of Trailer. Never part of
  /// an entry, which has no trailers (RFC 9111 §3.1).
  var announcedTrailers: ByteBuffer?
  /// The field lines that came behind the body; written once before the phase becomes `complete`.
  var trailers: ByteBuffer?
  /// The origin's status, also when a stored entry answers.
  private(set) var originStatus: UInt16 = 0
  /// How long the steps of getting the response took. Owner loop's, as is who began the fetch.
  var timing = UpstreamTiming()

  /// The origin answered the request for a slice with something whole, which is stored as such.
  private(set) var isWhole = false
  /// The part that the response is, when it is one.
  private(set) var part: ByteRange?
  /// What the whole is like of which the response is a part. One reference.
  private(set) var outline: Entry?

  // Owner loop's; readers take the pointers under the lock.
  private(set) var entry: Entry?
  private var window: UnsafeMutablePointer<UInt8>?
  /// Offset in the body of the window's first byte.
  private var windowStart = 0
  private var isPaused = false
  /// The exchange whose viewer began it, on the owner loop; the only one to read what may not be
  /// shared. Until it leaves.
  private var primary: Exchange?
  private let cache: CacheStore
  private let budget: MemoryBudget
  /// Asked to read on from the origin after a pause; runs on the owner loop.
  var resume: (() -> Void)?
  /// Told when nobody reads any more and nothing is being stored.
  var abandon: (() -> Void)?

  init(
    owner: EventLoop, distribution: DistributionPolicy, behavior: BehaviorPolicy,
    key: UnsafeBufferPointer<UInt8>, hash: KeyHash, slice: SliceTarget? = nil,
    purgeNumber: UInt64, cache: CacheStore, budget: MemoryBudget
  ) {
    self.owner = owner
    self.distribution = distribution
    self.behavior = behavior
    self.purgeNumber = purgeNumber
    self.hash = hash
    self.slice = slice
    self.key = ByteBuffer(capacity: key.count)
    self.key.append(key)
    self.cache = cache
    self.budget = budget
  }

  deinit {
    entry?.release()
    replacement?.release()
    outline?.release()
    dropWindow()
  }

  private func dropWindow() {
    guard let window else { return }
    window.deallocate()
    budget.release(Limits.relayWindow)
    self.window = nil
  }

  /// Under which key the response is stored.
  var storedKey: ByteBuffer { isWhole ? slice?.wholeKey ?? key : key }
  var storedHash: KeyHash { isWhole ? slice?.wholeHash ?? hash : hash }

  // MARK: Readers

  /// False when the fetch can take no more readers: it has ended or been released.
  func join(_ exchange: Exchange, loop: EventLoop, isPrimary: Bool = false) -> Bool {
    lock.locked {
      switch phase {
      case .failed, .aborted: return false
      case .waiting, .replaced: break
      // What passes through a window cannot be read from its beginning any more.
      case .streaming, .complete: if entry == nil && !isPrimary { return false }
      }
      if isPrimary { primary = exchange }
      wantedCodings.formUnion(exchange.caching.coding.set)
      if let index = groups.firstIndex(where: { $0.loop === loop }) {
        if groups[index].readers.count >= Limits.waitersPerFill { return false }
        groups[index].append(exchange)
      } else {
        var group = Group(loop: loop)
        group.append(exchange)
        groups.append(group)
      }
      return true
    }
  }

  func leave(_ exchange: Exchange, loop: EventLoop) {
    let isDeserted = lock.locked {
      if let index = groups.firstIndex(where: { $0.loop === loop }) {
        groups[index].remove(exchange)
      }
      if primary === exchange { primary = nil }
      let empty = groups.allSatisfy { $0.readers.isEmpty }
      // A response that is being stored is finished: the next viewer profits.
      let isUseful = entry != nil || (phase == .waiting && key.count > 0)
      return empty && !isUseful && (phase == .waiting || phase == .streaming)
    }
    if isDeserted {
      onOwner { fetch in fetch.abandon?() }
    } else {
      roomMayHaveGrown()
    }
  }

  var view: View {
    lock.locked {
      View(phase: phase, available: available, failure: failure, refusal: lateRefusal)
    }
  }

  /// Who gets the origin's interim responses.
  var firstReader: Exchange? { lock.locked { primary } }

  /// The body from `position` on, as far as it is there. The entry, when there is one, is retained
  /// and the caller's to release; without one the bytes stay until `consumed`.
  func body(from position: Int) -> (bytes: UnsafePointer<UInt8>?, count: Int, entry: Entry?) {
    lock.locked {
      let count = available - position
      if count <= 0 { return (nil, 0, nil) }
      if let entry {
        entry.retain()
        return (entry.body + position, count, entry)
      }
      guard let window, position >= windowStart else { return (nil, 0, nil) }
      return (UnsafePointer(window) + (position - windowStart), count, nil)
    }
  }

  /// The exchange has sent the body up to `position`.
  func consumed(_ exchange: Exchange, upTo position: Int) {
    lock.locked { exchange.fetchPosition = position }
    roomMayHaveGrown()
  }

  private func roomMayHaveGrown() {
    let mustResume = lock.locked {
      if !isPaused || slowest() < available { return false }
      isPaused = false
      return true
    }
    if mustResume { onOwner { fetch in fetch.resume?() } }
  }

  /// Where the slowest reader stands. Under the lock.
  private func slowest() -> Int {
    var position = available
    for group in groups {
      for reader in group.readers { position = min(position, reader.fetchPosition) }
    }
    return position
  }

  private func onOwner(_ work: @escaping @Sendable (Fetch) -> Void) {
    if owner.isCurrent {
      owner.afterwards { work(self) }
    } else {
      owner.post { work(self) }
    }
  }

  func overtake() { lock.locked { isOvertaken = true } }

  /// Tells every reader that something has changed. Owner loop.
  func wakeReaders() {
    var here: [Exchange] = []
    lock.locked {
      for index in groups.indices where !groups[index].readers.isEmpty {
        if groups[index].loop === owner {
          here = groups[index].readers
        } else if !groups[index].isScheduled {
          groups[index].isScheduled = true
          let loop = groups[index].loop
          loop.post { self.deliver(on: loop) }
        }
      }
    }
    for exchange in here { exchange.fetchProgressed(self) }
  }

  private func deliver(on loop: EventLoop) {
    let readers = lock.locked {
      guard let index = groups.firstIndex(where: { $0.loop === loop }) else { return [Exchange]() }
      groups[index].isScheduled = false
      return groups[index].readers
    }
    for exchange in readers { exchange.fetchProgressed(self) }
  }

  // MARK: The origin's side; owner loop

  /// The response to a request for a slice turned out to be whole.
  func becomeWhole() { lock.locked { isWhole = true } }

  /// The response is a part of what `outline`, whose one reference passes on, describes.
  func describePart(_ part: ByteRange, of outline: Entry?) {
    lock.locked {
      self.part = part
      self.outline = outline
    }
  }

  var wasOvertaken: Bool { lock.locked { isOvertaken } }

  /// The response head has come and may be stored in `entry`, whose one reference passes on.
  /// - Parameter whole: the head for the primary reader, when it differs from what is stored.
  func beginStoring(
    entry: Entry, head: UnsafeBufferPointer<UInt8>, whole: ByteBuffer? = nil, status: UInt16,
    meta: StoredMeta, freshness: Freshness, length: UInt64?
  ) {
    lock.locked {
      self.head.append(head)
      wholeHead = whole
      sent.append(entry.sent)
      self.status = status
      originStatus = status
      self.meta = meta
      self.freshness = freshness
      self.length = length
      self.entry = entry
      vary.append(entry.vary)
      phase = .streaming
    }
  }

  /// The response head has come and is for the primary reader alone.
  func beginRelaying(
    head: UnsafeBufferPointer<UInt8>, status: UInt16, meta: StoredMeta, refusal: Reason,
    length: UInt64?
  ) {
    let others = lock.locked {
      self.head.append(head)
      SentHead.append(of: head, policy: behavior.responses, now: owner.wallTime, to: sent)
      self.status = status
      originStatus = status
      self.meta = meta
      self.refusal = refusal
      self.length = length
      phase = .streaming
      var others: [(loop: EventLoop, readers: ReleasedReaders)] = []
      for index in groups.indices {
        let leaving = groups[index].removeAll(but: primary)
        if !leaving.isEmpty {
          others.append((groups[index].loop, ReleasedReaders(exchanges: leaving)))
        }
      }
      return others
    }
    for (loop, readers) in others {
      if loop === owner {
        for exchange in readers.exchanges { exchange.released(by: self, refusal) }
      } else {
        loop.post { for exchange in readers.exchanges { exchange.released(by: self, refusal) } }
      }
    }
  }

  /// The compressed forms that those who have joined so far would have taken.
  var codingsOfReaders: CodingSet { lock.locked { wantedCodings } }

  var hasReaders: Bool { lock.locked { groups.contains { !$0.readers.isEmpty } } }
  var isStoring: Bool { entry != nil }

  /// Where the next body bytes go, and how many may; count 0 means: wait until readers caught up.
  func room() -> UnsafeMutableBufferPointer<UInt8> {
    if let entry {
      if available < entry.bodyCapacity {
        return UnsafeMutableBufferPointer(
          start: UnsafeMutablePointer(mutating: entry.body) + available,
          count: entry.bodyCapacity - available)
      }
      if let larger = grown(entry) {
        lock.locked { self.entry = larger }
        entry.release()
        return room()
      }
      // Too large after all: what is there is read to its end, then the window takes over.
      return lock.locked {
        if slowest() < available {
          isPaused = true
          return UnsafeMutableBufferPointer(start: nil, count: 0)
        }
        self.entry = nil
        entry.release()
        return windowRoom()
      }
    }
    return lock.locked { windowRoom() }
  }

  private func grown(_ entry: Entry) -> Entry? {
    let wanted = min(max(entry.bodyCapacity * 2, 16_384), cache.objectLimit)
    if wanted <= entry.bodyCapacity || length != nil { return nil }
    entry.bodyLength = available
    return cache.grow(entry, bodyCapacity: wanted)
  }

  /// Under the lock.
  private func windowRoom() -> UnsafeMutableBufferPointer<UInt8> {
    if window == nil {
      window = .allocate(capacity: Limits.relayWindow)
      budget.charge(Limits.relayWindow)
      windowStart = available
    }
    if slowest() >= available { windowStart = available }
    let used = available - windowStart
    let count = Limits.relayWindow - used
    if count == 0 { isPaused = true }
    return UnsafeMutableBufferPointer(start: window! + used, count: count)
  }

  /// `count` bytes have been written where `room` said.
  func received(_ count: Int) { lock.locked { available += count } }

  /// The body has ended as it should. Stores the entry when there is one.
  /// - Parameter varyMatches: whether a vary section fits this fetch's request.
  func complete(varyMatches: (UnsafeBufferPointer<UInt8>) -> Bool) -> CacheStore.InsertResult? {
    var result: CacheStore.InsertResult?
    if let entry, let freshness, !wasOvertaken {
      entry.bodyLength = available
      entry.freshness = freshness
      entry.meta = meta
      entry.status = status
      entry.isCompressible =
        isCompressible && behavior.compression.covers(length: available)
      result = cache.insert(entry, varyMatches: varyMatches)
    }
    lock.locked {
      phase = .complete
      if case .purged = result { lateRefusal = .purgedDuringFill }
    }
    return result
  }

  /// The body broke off after the head had been passed on.
  func abort(_ reason: Reason) {
    lock.locked {
      phase = .aborted
      failure = reason
    }
  }

  /// No response, and nothing stored that may stand in.
  func fail(_ reason: Reason, forbidsStale: Bool) {
    lock.locked {
      phase = .failed
      failure = reason
      self.forbidsStale = forbidsStale
    }
  }

  /// A stored entry answers: the origin confirmed it, or it stands in for a failing origin. Takes
  /// over one reference.
  func replace(with entry: Entry, verdict: Verdict, originStatus: UInt16) {
    lock.locked {
      replacement = entry
      replacementVerdict = verdict
      self.originStatus = originStatus
      phase = .replaced
    }
  }
}
