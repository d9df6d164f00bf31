// SPDX-License-Identifier: Apache-2.0

/// The numbered purges that edges have to apply, durable before `append` returns.
///
/// One key holds the records of one `append`, and is named by the number of its first: so two
/// processes that append at once want the same key, one of them finds it taken and goes on to the
/// next numbers, and whoever sees a number sees all below it.
package struct PurgeJournal: Sendable {
  package static let prefix = "purges/"
  /// Older ones matter to no edge: what it may have stored before has expired or is revalidated.
  package static let age: Int64 = 7 * 86_400
  /// So many records stay at most, whether or not each edge has applied them.
  package static let limit: UInt64 = 10_000
  /// So many stay for edges that are down, though every live edge has applied them.
  package static let kept: UInt64 = 1_000
  /// Keys of one trim.
  private static let trimLimit = 1_000

  package let store: any Store

  package init(_ store: any Store) { self.store = store }

  /// The number of the newest record; 0 when there has been none.
  package func lastNumber() throws(StoreError) -> UInt64 {
    // Another process may trim between the two reads, though never the newest.
    while let key = try store.keys(Self.prefix).last(where: { Self.number(of: $0) != nil }) {
      if let records = try batch(key) { return records.last?.number ?? Self.number(of: key)! }
    }
    return 0
  }

  /// Numbers the records and stores them, all or none. Records that nobody needs are dropped.
  @discardableResult
  package func append(_ records: [PurgeRecord]) throws(StoreError) -> [UInt64] {
    if records.isEmpty { return [] }
    while true {
      let first = try lastNumber() + 1
      var numbered = records
      for index in numbered.indices { numbered[index].number = first + UInt64(index) }
      do {
        try store.write(Self.key(first), Self.encode(numbered), ifRevision: 0)
      } catch .conflict {
        continue
      }
      // The purge is in force; if trimming fails, the next one does it.
      if let now = records.map(\.at).max() { try? trim(now: now) }
      return numbered.map(\.number)
    }
  }

  /// What an edge that has applied everything up to `number` is missing, in order.
  ///
  /// `complete` is false when records between them have been dropped, or when the numbers have
  /// started over: then only discarding everything stored is safe.
  package func records(after number: UInt64) throws(StoreError) -> (
    records: [PurgeRecord], complete: Bool
  ) {
    while true {
      let firsts = try store.keys(Self.prefix).compactMap { Self.number(of: $0) }
      guard let oldest = firsts.first else { return ([], number == 0) }
      // The batch that holds number + 1 is the last that starts at or before it.
      let start = firsts.lastIndex { $0 <= number + 1 } ?? 0
      var records: [PurgeRecord] = []
      var isTrimmed = false
      for first in firsts[start...] {
        guard let batch = try batch(Self.key(first)) else {
          isTrimmed = true
          break
        }
        records += batch
      }
      // Dropped between listing and reading: list again.
      if isTrimmed { continue }
      let last = records.last?.number ?? 0
      if number > last { return (records, false) }
      return (records.filter { $0.number > number }, oldest <= number + 1)
    }
  }

  /// Drops whole batches, oldest first and never the newest: those of more than 7 days, those
  /// beyond 10,000 records, and those beyond 1,000 that every live edge has applied.
  package func trim(now: Int64) throws(StoreError) {
    let firsts = try store.keys(Self.prefix).compactMap { Self.number(of: $0) }
    guard firsts.count > 1, let newest = try batch(Self.key(firsts.last!))?.last?.number else {
      return
    }
    let applied = try EdgeRegistry(store).edges().map(\.purge).min() ?? .max
    for (index, first) in firsts.dropLast().prefix(Self.trimLimit).enumerated() {
      // The numbers are dense, so a batch ends where the next begins.
      let last = firsts[index + 1] - 1
      let following = newest - last
      var drops = following >= Self.limit || (following >= Self.kept && last <= applied)
      if !drops {
        guard let records = try batch(Self.key(first)) else { continue }
        drops = records.allSatisfy { $0.at < now - Self.age }
      }
      if !drops { return }
      try store.delete(Self.key(first), ifRevision: nil)
    }
  }

  // MARK: Keys and values

  private static func key(_ number: UInt64) -> String { prefix + twentyDigits(number) }

  private static func number(of key: String) -> UInt64? {
    let digits = key.dropFirst(prefix.utf8.count)
    return digits.utf8.count == 20 ? UInt64(digits) : nil
  }

  private func batch(_ key: String) throws(StoreError) -> [PurgeRecord]? {
    guard let value = try store.read(key) else { return nil }
    guard let root = try? JSONReader.read(value.value),
      case .array(let nodes)? = root["records"]?.value
    else { throw .damaged(key: key, why: "it is no list of records") }
    var records: [PurgeRecord] = []
    for node in nodes {
      guard let record = Self.record(node) else {
        throw .damaged(key: key, why: "a record misses something")
      }
      records.append(record)
    }
    return records
  }

  private static func encode(_ records: [PurgeRecord]) -> [UInt8] {
    DocumentWriter.document { writer in
      writer.member("schemaVersion", 1)
      writer.member("records") { writer in
        writer.array { writer in
          for record in records { writer.element { write(record, to: &$0) } }
        }
      }
    }
  }

  private static func write(_ record: PurgeRecord, to writer: inout DocumentWriter) {
    writer.object { writer in
      writer.member("number", record.number)
      writer.member("distribution", record.distribution)
      writer.member("id", record.id)
      writer.member("at", RFC3339.format(seconds: record.at))
      writer.member("soft", record.soft)
      switch record.selector {
      case .all: writer.member("all", true)
      case .path(let path): writer.member("path", path)
      case .prefix(let prefix): writer.member("prefix", prefix)
      case .tag(let tag): writer.member("tag", tag)
      }
    }
  }

  private static func record(_ node: JSONNode) -> PurgeRecord? {
    guard let number = node["number"]?.integer, number > 0,
      let distribution = node["distribution"]?.text, let id = node["id"]?.text,
      let seconds = node["at"]?.time, let soft = node["soft"]?.bool
    else { return nil }
    let selector: PurgeSelector
    if let path = node["path"]?.text {
      selector = .path(path)
    } else if let prefix = node["prefix"]?.text {
      selector = .prefix(prefix)
    } else if let tag = node["tag"]?.text {
      selector = .tag(tag)
    } else if node["all"]?.bool == true {
      selector = .all
    } else {
      return nil
    }
    return PurgeRecord(
      number: UInt64(number), distribution: distribution, id: id, at: seconds, soft: soft,
      selector: selector)
  }
}
