// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What compression adds to storing and confirming.
extension OriginRequest {
  /// Makes the head of a response that is about to be stored fit for several forms; whether it is.
  /// - Parameters:
  ///   - out: the head to be stored.
  ///   - status: as which it is stored.
  func prepareForms(
    _ response: ResponseHead, _ base: UnsafePointer<UInt8>, _ out: ByteBuffer, status: UInt16,
    length: UInt64?
  ) -> Bool {
    guard fetch.behavior.compression.covers(response, base, status: status, length: length) else {
      return false
    }
    appendVaryOnCoding(to: out)
    return true
  }

  /// Schedules the forms that the fill's viewers would have taken.
  func compressStored() {
    guard let entry = fetch.entry, entry.isCompressible else { return }
    let wanted = fetch.codingsOfReaders.union(caching.coding.set)
    for coding in ContentCoding.compressed where wanted.contains(coding.set) {
      services.edge.compressor.schedule(entry, coding)
    }
  }

  /// The head after a 304: of a form it is a form's again, of a source it still tells caches behind
  /// this one that there are forms.
  func adaptUpdatedHead(
    of stale: Entry, _ response: ResponseHead, _ base: UnsafePointer<UInt8>, _ out: ByteBuffer,
    _ meta: inout StoredMeta, now: Int64
  ) {
    if stale.coding != .identity {
      let updated = ByteBuffer(capacity: out.count)
      updated.append(out.bytes)
      out.removeAll()
      meta = appendCompressedHead(stored: updated.bytes, coding: stale.coding, now: now, to: out)
      // The tag that the edge made weak stays unless the origin has sent another.
      if !response.fields.contains(.etag) { meta.isWeakened = stale.meta.isWeakened }
    } else if stale.isCompressible {
      appendVaryOnCoding(to: out)
    }
  }

  /// Stores what the origin has confirmed. The forms of a source are kept under the new head: their
  /// bytes are as good as before.
  func insertConfirmed(
    _ entry: Entry, of stale: Entry, _ response: ResponseHead, _ base: UnsafePointer<UInt8>
  ) {
    let cache = services.cache
    let forbids = fetch.behavior.compression.forbidsTransformation(response, base)
    if entry.coding != .identity {
      if forbids { cache.remove(stale) } else { _ = cache.insert(entry, madeOf: stale) }
      return
    }
    entry.isCompressible = stale.isCompressible && !forbids
    guard entry.isCompressible else {
      _ = cache.insert(entry)
      return
    }
    // Inserting the entry takes the old forms out.
    let forms = ContentCoding.compressed.compactMap { cache.form(of: stale, $0) }
    let isInserted = cache.insert(entry) == .inserted
    for form in forms {
      if isInserted { insert(form, updatedBy: entry) }
      form.release()
    }
    for coding in ContentCoding.compressed where stale.isUseless(coding) {
      entry.markUseless(coding)
    }
  }

  private func insert(_ form: Entry, updatedBy source: Entry) {
    let head = ByteBuffer(capacity: source.head.count + 64)
    let meta = appendCompressedHead(
      stored: source.head, coding: form.coding, now: source.freshness.responseTime, to: head)
    guard
      let updated = services.cache.makeUpdated(
        form, head: head.bytes, sent: preparedHead(of: head.bytes), freshness: source.freshness,
        meta: meta, purgeNumber: source.purgeNumber)
    else { return }
    _ = services.cache.insert(updated, madeOf: source)
    updated.release()
  }
}
