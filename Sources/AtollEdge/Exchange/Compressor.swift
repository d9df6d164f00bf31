// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CCompression
import Glibc

/// Makes compressed forms of stored entries, on threads of its own and at their leisure: a viewer is
/// never made to wait for one.
///
/// Each form is made once however many ask for it. What would exceed the queue or the memory is
/// skipped: the source goes on answering.
package final class Compressor: @unchecked Sendable {
  /// What came of it since the start.
  package struct Counts: Equatable, Sendable {
    /// Forms that were stored.
    package var made: UInt64 = 0
    /// Not begun, as too many waited or memory was short.
    package var skipped: UInt64 = 0
    /// Done in vain: no smaller, or of an entry that was gone by then.
    package var dropped: UInt64 = 0
  }

  private struct Job: Hashable {
    let address: UInt
    let coding: ContentCoding
  }

  private enum Outcome { case made, dropped, useless, noMemory }

  private let cache: CacheStore
  private let threads: Int
  private let lock = Lock()
  // Under the lock.
  private var pool: WorkerPool?
  private var jobs: Set<Job> = []
  /// Bytes of the bodies that the jobs hold.
  private var heldBytes = 0
  private var stored = Counts()
  private var isStopped = false
  /// Encoders at work, and the memory that the budget has granted them: as much as they ever needed
  /// at once, so that the cache does not give way to each anew.
  private var encoderBytes = 0
  private var grantedBytes = 0

  /// - Parameter pool: nil for one of its own, made when there is work for it.
  init(cache: CacheStore, pool: WorkerPool?, threads: Int) {
    self.cache = cache
    self.pool = pool
    self.threads = threads
  }

  deinit { cache.budget.release(grantedBytes) }

  package var counts: Counts { lock.locked { stored } }

  /// Nothing more is begun.
  func stop() {
    lock.locked {
      isStopped = true
      pool = nil
    }
  }

  /// Has a form made of an entry that is in the cache. From any thread.
  func schedule(_ entry: Entry, _ coding: ContentCoding) {
    if entry.isUseless(coding) { return }
    let job = Job(address: entry.address, coding: coding)
    let size = entry.bodyLength
    let pool: WorkerPool? = lock.locked {
      if isStopped || jobs.contains(job) { return nil }
      if jobs.count >= Limits.compressions
        || (!jobs.isEmpty && heldBytes + size > share)
      {
        stored.skipped += 1
        return nil
      }
      // The reference keeps the address from becoming another entry's while the job stands here.
      entry.retain()
      jobs.insert(job)
      heldBytes += size
      if self.pool == nil { self.pool = WorkerPool(threads: threads) }
      return self.pool
    }
    pool?.submit { self.run(job, entry, coding) }
  }

  private var share: Int { cache.budget.limit / Limits.compressionShare }

  private func run(_ job: Job, _ entry: Entry, _ coding: ContentCoding) {
    // Loops come first. The call lowers the calling thread alone, and never raises it.
    setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
    let outcome = lock.locked { isStopped } ? .dropped : compress(entry, coding)
    switch outcome {
    case .made, .dropped: break
    case .useless, .noMemory: entry.markUseless(coding)
    }
    lock.locked {
      jobs.remove(job)
      heldBytes -= entry.bodyLength
      switch outcome {
      case .made: stored.made += 1
      case .dropped, .useless: stored.dropped += 1
      case .noMemory: stored.skipped += 1
      }
    }
    entry.release()
  }

  // MARK: Compressing

  private func compress(_ entry: Entry, _ coding: ContentCoding) -> Outcome {
    if !cache.holds(entry) { return .dropped }
    let length = entry.bodyLength
    let memory = Encoder.memory(coding, length: length)
    guard beginEncoder(memory) else { return .noMemory }
    defer { endEncoder(memory) }
    guard let encoder = Encoder(coding, length: length),
      var form = makeForm(of: entry, coding, capacity: min(length, length / 2 + 64))
    else { return .noMemory }
    defer { form.release() }
    var written = 0
    var input = (start: UnsafePointer?(entry.body), left: length)
    while true {
      // A form that is not smaller is of no use.
      let room = min(form.bodyCapacity, length - 1) - written
      switch encoder.run(&input.start, &input.left, form.mutableBody, &written, room: room) {
      case .done:
        form.bodyLength = written
        switch cache.insert(form, madeOf: entry) {
        case .inserted: return .made
        case .purged: return .dropped
        // Nor would the next one find a place.
        case .variantLimit: return .useless
        }
      case .failed: return .useless
      case .full:
        if form.bodyCapacity >= length - 1 { return .useless }
        form.bodyLength = written
        guard let larger = cache.grow(form, bodyCapacity: length - 1) else { return .noMemory }
        form.release()
        form = larger
      }
    }
  }

  /// The form without its body.
  private func makeForm(of entry: Entry, _ coding: ContentCoding, capacity: Int) -> Entry? {
    let key = ByteBuffer(capacity: entry.key.count)
    key.append(entry.key)
    setKeyKind(coding, in: key)
    let head = ByteBuffer(capacity: entry.head.count + 64)
    let freshness = entry.freshness
    let meta = appendCompressedHead(
      stored: entry.head, coding: coding, now: freshness.responseTime, to: head)
    let sent = ByteBuffer(capacity: 16)
    SentHead.append(stored: entry.sent, to: sent) {
      _ = appendCompressedHead(stored: $0, coding: coding, now: freshness.responseTime, to: sent)
    }
    guard
      let form = cache.makeEntry(
        hash: entry.hash, key: key.bytes, vary: entry.vary, tags: entry.tags, head: head.bytes,
        sent: sent.bytes, bodyCapacity: capacity, slot: entry.slot, purgeNumber: entry.purgeNumber)
    else { return nil }
    form.status = entry.status
    form.freshness = freshness
    form.meta = meta
    return form
  }

  private func beginEncoder(_ bytes: Int) -> Bool {
    lock.locked {
      let wanted = encoderBytes + bytes
      if wanted > share { return false }
      if wanted > grantedBytes {
        guard cache.budget.tryReserve(wanted - grantedBytes) else { return false }
        grantedBytes = wanted
      }
      encoderBytes = wanted
      return true
    }
  }

  private func endEncoder(_ bytes: Int) { lock.locked { encoderBytes -= bytes } }
}

/// One run of zlib or Brotli.
struct Encoder: ~Copyable {
  enum Progress { case done, full, failed }

  // Measured on pages, scripts and JSON of 1 KB to 6 MB. Higher levels take several times the time
  // for 1 to 3 % (gzip 9: 4 to 6 times; Brotli 7: 1.5 times and three times the memory).
  // Level 5 of Brotli is as fast as gzip's 6, about 80 MB/s, and 2 to 11 % smaller.
  static let gzipLevel: Int32 = 6
  static let brotliLevel: Int32 = 5

  private let state: OpaquePointer

  /// Nil without memory.
  init?(_ coding: ContentCoding, length: Int) {
    let isGzip = coding == .gzip
    guard
      let state = ccompression_make(
        Int32(isGzip ? ccompression_gzip : ccompression_brotli),
        isGzip ? Self.gzipLevel : Self.brotliLevel, length)
    else { return nil }
    self.state = state
  }

  deinit { ccompression_free(state) }

  /// The most that an encoder takes for a body, in bytes.
  static func memory(_ coding: ContentCoding, length: Int) -> Int {
    if coding == .gzip { return 272 << 10 }
    return min((640 << 10) + length * 24, 9 << 20)
  }

  /// What it has taken at most.
  var peak: Int { ccompression_peak(state) }

  /// Writes from `written` on, `room` bytes at most.
  borrowing func run(
    _ input: inout UnsafePointer<UInt8>?, _ left: inout Int, _ output: UnsafeMutablePointer<UInt8>,
    _ written: inout Int, room: Int
  ) -> Progress {
    var end: UnsafeMutablePointer<UInt8>? = output + written
    var rest = room
    let result = ccompression_run(state, &input, &left, &end, &rest)
    written += room - rest
    switch Int(result) {
    case ccompression_done: return .done
    case ccompression_full: return .full
    default: return .failed
    }
  }
}
