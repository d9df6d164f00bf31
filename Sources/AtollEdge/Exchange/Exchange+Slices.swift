// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Ranges of what is not stored whole, and wholes of which slices are stored: see `SliceReader`.
extension Exchange {
  /// The head of the request under way; only once `begin` has returned.
  var keptRequest: (head: RequestHead, base: UnsafePointer<UInt8>)? {
    guard let base = viewer.keptHead.map({ UnsafePointer($0) }) else { return nil }
    let head = services.requestHead
    guard case .complete = head.parse(base, count: viewer.headLength) else { return nil }
    return (head, base)
  }

  private var hasRange: Bool { caching.passOnMiss == .requestRange }

  // MARK: Choosing

  /// What slices answer, or are fetched to answer.
  /// - Returns: false when the request goes on as one for the whole, or, with `caching.bypass` set,
  ///   is passed on as it is.
  func answersFromSlices(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ policy: DistributionPolicy,
    _ behavior: BehaviorPolicy
  ) -> Bool {
    // An error's page is sent with another status: it comes whole.
    guard method == .get || method == .head, errorPage == nil else { return false }
    let size = behavior.settings.sliceSize
    if mustNotShare || size <= 0 || size > services.cache.objectLimit {
      if hasRange {
        caching.bypass =
          releaseReason == .none || releaseReason == .absent ? .requestRange : releaseReason
      }
      return false
    }
    // What is stored whole is asked about whole, and answers ranges afterwards.
    guard missReason == .absent || missReason == .purged || missReason == .varyMismatch else {
      return false
    }
    var specs: [RangeSpec] = []
    if hasRange {
      // RFC 9110 §14.2: one that counts for nothing makes a request for the whole.
      guard head.fields.repeated & KnownField.range.bit == 0,
        let value = head.fields.value(of: .range, in: base), let parsed = parseRanges(value)
      else {
        caching.passOnMiss = .none
        return false
      }
      specs = parsed
    }
    let hash = writeKey(head, base, policy, behavior, viewerFacts(head, base))
    let key = services.keyBuffer
    if let fill = services.registry.fetch(hash: hash, key: key.bytes), awaits(fill, specs) {
      return false
    }
    let outline = lookUpSlice(SliceKey.outline, of: key.bytes)
    if outline == nil && !hasRange { return false }
    let reader = SliceReader(
      grid: SliceGrid(size: size), wholeKey: key.bytes, wholeHash: hash,
      isAlone: caching.flags.contains(.noCache))
    if let outline {
      defer { outline.release() }
      return answer(from: outline, reader, specs, head, base, behavior)
    }
    if answerFromFailure(head, base, policy, behavior) { return true }
    if caching.flags.contains(.onlyIfCached) { return false }
    switch services.registry.habits.habit(of: hash, now: services.loop.now) {
    case .whole:
      return false
    case .pass:
      caching.bypass = .requestRange
      return false
    case nil:
      break
    }
    guard let number = firstSlice(specs, reader.grid, total: nil) else {
      caching.bypass = .requestRange
      return false
    }
    slices = reader
    awaitSlice(number, reader, stale: nil)
    return true
  }

  /// Whether a fill of the whole serves this request.
  private func awaits(_ fill: Fetch, _ specs: [RangeSpec]) -> Bool {
    guard let first = specs.first else { return true }
    if fill.view.phase == .waiting { return true }
    guard fill.freshness != nil else { return false }
    guard let length = fill.length.flatMap({ Int(exactly: $0) }),
      let range = first.range(of: length)
    else { return true }
    return !isOutOfReach(range.start, fill)
  }

  /// The slice that the first of the ranges begins in. Of a suffix of what nobody knows the length
  /// of, the first slice: it tells.
  private func firstSlice(_ specs: [RangeSpec], _ grid: SliceGrid, total: Int?) -> UInt32? {
    switch specs.first {
    case .positions(let first, _): return grid.number(at: first)
    case .suffix: return grid.number(at: total.flatMap { specs[0].range(of: $0)?.start } ?? 0)
    case nil: return 0
    }
  }

  /// Something is known of the whole.
  private func answer(
    from outline: Entry, _ reader: SliceReader, _ specs: [RangeSpec], _ head: RequestHead,
    _ base: UnsafePointer<UInt8>, _ behavior: BehaviorPolicy
  ) -> Bool {
    let total = outline.outlinedLength
    reader.take(outline: outline)
    if specs.isEmpty && method == .get {
      let stored = reader.countStored([ByteRange(0, total)], self).stored
      if !takesWholeFromSlices(
        total: total, stored: stored, objectLimit: services.cache.objectLimit)
      {
        return false
      }
    }
    switch decideUse(
      outline.freshness, softPurged: outline.isSoftPurged, request: caching,
      now: services.loop.wallTime)
    {
    case .fresh, .freshError:
      verdict = Verdict(.hit)
    case .staleWhileRevalidate:
      verdict = Verdict(.stale, .staleWhileRevalidate)
      if let number = firstSlice(specs, reader.grid, total: total), reader.hold(number, self) {
        _ = fetchBehind(number, reader, stale: outline)
      }
    case .revalidate(let reason):
      if method == .head || caching.flags.contains(.onlyIfCached) { return false }
      guard let number = firstSlice(specs, reader.grid, total: total) else {
        caching.bypass = .requestRange
        return false
      }
      missReason = reason
      if answerFromFailure(
        head, base, behavior, stale: outline,
        standIn: { [self] in
          slices = reader
          planSlices(reader, head, base)
        })
      {
        return true
      }
      // A 304 is of use only where the slice is there.
      let isStored = reader.hold(number, self)
      reader.forgetOutline()
      slices = reader
      awaitSlice(number, reader, stale: isStored ? outline : nil)
      return true
    }
    slices = reader
    planSlices(reader, head, base)
    return true
  }

  // MARK: Waiting

  /// Before the response has begun.
  private func awaitSlice(_ number: UInt32, _ reader: SliceReader, stale: Entry?) {
    verdict = Verdict(.miss, reader.outline == nil ? missReason : .partial)
    switch fetchSlice(number, reader, stale: stale) {
    case .began, .answered:
      break
    case .joined:
      verdict = Verdict(.coalesced)
      if let fetch { fetchProgressed(fetch) }
    case .found:
      if let (head, base) = keptRequest { planSlices(reader, head, base) }
    case .impossible:
      abandonSlices(.originRange)
    }
  }

  /// Asks for the whole instead, or passes the viewer's own range on.
  private func abandonSlices(_ reason: Reason) {
    leaveFetch()
    slices = nil
    releaseReason = reason == .none ? .absent : reason
    proceed()
  }

  // MARK: Before the response

  /// The fetch of the first slice has something to tell.
  func slicesProgressed(_ reader: SliceReader, _ fetch: Fetch) {
    switch fetch.view.phase {
    case .waiting: return
    case .failed: return fail(fetch.view.failure)
    case .aborted:
      if case .coalesced = verdict.outcome { return released(by: fetch, fetch.view.failure) }
      return fail(fetch.view.failure)
    case .replaced: return takeReplacement(reader, fetch)
    case .streaming, .complete: break
    }
    if fetch.isWhole || fetch.slice == nil {
      slices = nil
      return respond(from: fetch)
    }
    guard let (head, base) = keptRequest else { return }
    guard fetch.freshness != nil else {
      // Another's response, of which the news that it may not be shared is still under way.
      if case .coalesced = verdict.outcome { return released(by: fetch, fetch.refusal) }
      if !answerOnce(fetch, head, base) { abandonSlices(fetch.refusal) }
      return
    }
    if case .coalesced = verdict.outcome, let obstacle = obstacleToSharing(fetch) {
      return released(by: fetch, obstacle)
    }
    guard let outline = fetch.outline else { return abandonSlices(.originRange) }
    reader.take(outline: outline)
    planSlices(reader, head, base)
  }

  /// What was stored stands, or stands in for a failing origin.
  private func takeReplacement(_ reader: SliceReader, _ fetch: Fetch) {
    guard let entry = fetch.replacement, let (head, base) = keptRequest else {
      return fail(.originClosed)
    }
    guard keyKind(entry.key) == .slice else {
      slices = nil
      return respondFromReplacement(fetch)
    }
    if !entry.vary.isEmpty && !isSelected(by: entry.vary) {
      return released(by: fetch, .varyMismatch)
    }
    if case .coalesced = verdict.outcome, caching.flags.contains(.authorization),
      !entry.freshness.flags.contains(.sharedWithAuthorization)
    {
      return released(by: fetch, .requestAuthorization)
    }
    if verdict.outcome != .coalesced || fetch.replacementVerdict.outcome == .stale {
      verdict = fetch.replacementVerdict
    }
    originStatus = fetch.originStatus
    reader.take(outline: entry)
    reader.leaveFetch(self)
    planSlices(reader, head, base)
  }

  /// A part that is not stored, or a refusal of the range, to the viewer who asked for no more.
  private func answerOnce(
    _ fetch: Fetch, _ head: RequestHead, _ base: UnsafePointer<UInt8>
  ) -> Bool {
    guard let value = head.fields.value(of: .range, in: base),
      let specs = parseRanges(value), specs.count == 1
    else { return false }
    if fetch.status == 416 {
      let conditions =
        conditionFields & ~KnownField.range.bit | KnownField.ifRange.bit
      guard case .positions = specs[0], head.fields.present & conditions == 0 else {
        return false
      }
      slices = nil
      respond(from: fetch)
      return true
    }
    guard let outline = fetch.outline, let part = fetch.part else { return false }
    let total = outline.outlinedLength
    let selection = select(
      request: head, base: base, meta: outline.meta, storedHead: outline.head.baseAddress!,
      status: 200, bodyLength: total)
    guard case .range = selection else { return false }
    let ranges = selection.ranges(of: total, head, base)
    guard ranges.count == 1, part.contains(ranges[0]) else { return false }
    slices = nil
    verdict = Verdict(.miss, fetch.refusal)
    originStatus = fetch.originStatus
    let tail = services.tailBuffer
    tail.removeAll()
    appendVerdict(
      verdict, age: nil, ttl: nil, originStatus: fetch.originStatus, stored: false, to: tail)
    noteUpstream(fetch)
    _ = appendPartialHead(
      ranges, of: total, stored: sentHead(of: outline), to: tail)
    send(
      PartialBody(.fetch(from: part.start), ranges), head: services.headBuffer.bytes, tail)
    return true
  }

  /// The outline is known: conditions and ranges can be decided, and the response begins when its
  /// first slice is there.
  private func planSlices(
    _ reader: SliceReader, _ head: RequestHead, _ base: UnsafePointer<UInt8>
  ) {
    reader.attempts += 1
    guard let outline = reader.outline, reader.attempts <= SliceReader.attemptLimit else {
      return abandonSlices(.originRange)
    }
    let total = reader.total
    let selection = select(
      request: head, base: base, meta: outline.meta, storedHead: outline.head.baseAddress!,
      status: outline.status, bodyLength: total)
    switch selection {
    case .notModified, .preconditionFailed, .unsatisfiable:
      slices = nil
      leaveFetch()
      return respondInPart(from: outline, selection, length: total)
    case .full, .range, .ranges:
      break
    }
    let ranges = selection.ranges(of: total, head, base)
    guard let first = ranges.first, let number = reader.grid.number(at: first.start) else {
      return abandonSlices(.originRange)
    }
    if method != .head && !(fetch != nil && reader.isFetching(number)) {
      if fetch != nil { reader.leaveFetch(self) }
      let isAllStored = reader.countStored(ranges, self).isAll
      if !isAllStored && caching.flags.contains(.onlyIfCached) {
        slices = nil
        return answer(head, base, status: 504, reason: .onlyIfCached)
      }
      if verdict.outcome == .hit && !isAllStored {
        missReason = .partial
        verdict = Verdict(.miss, .partial)
      }
      guard reader.hold(number, self) else {
        return awaitMissing(number, reader, head, base)
      }
    }
    respond(from: reader, outline, ranges, isWhole: selection == .full)
  }

  /// Known is what the slice is a slice of, and verdict what came of asking for that.
  private func awaitMissing(
    _ number: UInt32, _ reader: SliceReader, _ head: RequestHead, _ base: UnsafePointer<UInt8>
  ) {
    let key = services.keyBuffer
    key.removeAll()
    key.append(reader.wholeKey.bytes)
    slices = nil
    if let behavior, answerFromFailure(head, base, behavior, stale: nil) { return }
    slices = reader
    let known = verdict
    awaitSlice(number, reader, stale: nil)
    if case .miss = known.outcome, case .miss = verdict.outcome { verdict = known }
  }

  private func respond(
    from reader: SliceReader, _ outline: Entry, _ ranges: [ByteRange], isWhole: Bool
  ) {
    slices = nil
    let tail: ByteBuffer
    if let fetch {
      tail = services.tailBuffer
      tail.removeAll()
      let now = services.loop.wallTime
      let freshness = outline.freshness
      originStatus = fetch.originStatus
      noteUpstream(fetch)
      appendVerdict(
        verdict, age: freshness.initialAge > 0 ? freshness.age(at: now) : nil,
        ttl: freshness.remaining(at: now), originStatus: fetch.originStatus, stored: true, to: tail)
    } else {
      tail = beginTail(outline)
    }
    if isWhole {
      status = outline.status
      tail.append("Content-Length: ")
      tail.appendDecimal(UInt64(reader.total))
      tail.append("\r\n")
      let sent = sentHead(of: outline)
      endTail(tail)
      let body = method == .head ? nil : PartialBody(.slices(reader), ranges)
      return send(body, head: sent, tail)
    }
    let multipart = appendPartialHead(
      ranges, of: reader.total, stored: sentHead(of: outline), to: tail)
    send(
      PartialBody(.slices(reader), ranges, multipart: multipart), head: services.headBuffer.bytes,
      tail)
  }

  // MARK: Invalidation

  /// Slices count for nothing without their outline.
  func invalidateOutline(of wholeKey: UnsafeBufferPointer<UInt8>) {
    let key = ByteBuffer(capacity: wholeKey.count + 4)
    SliceKey.append(SliceKey.outline, of: wholeKey, to: key)
    _ = services.cache.invalidate(hash: keyHash(key.bytes, seed: services.seed), key: key.bytes)
  }
}
