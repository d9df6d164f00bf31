// SPDX-License-Identifier: Apache-2.0

/// What all edges of a store have sent to viewers, by month and distribution.
///
/// One key holds a month, to which every edge adds: so the sum outlives edges that end, and two that
/// add at once want the same revision, of which one finds it taken and adds to the other's.
package struct TransferLedger: Sendable {
  package static let prefix = "transfer/"
  /// Months that are kept.
  package static let monthsKept = 13

  package let store: any Store

  package init(_ store: any Store) { self.store = store }

  /// Bytes of a month by id of the distribution.
  package func totals(_ month: TransferMonth) throws(StoreError) -> [String: UInt64] {
    try store.read(Self.prefix + month.text).map(Self.decode) ?? [:]
  }

  /// Adds bytes by id of the distribution; durable when it returns.
  /// - Returns: the totals.
  @discardableResult
  package func add(_ amounts: [String: UInt64], to month: TransferMonth) throws(StoreError)
    -> [String: UInt64]
  {
    if amounts.isEmpty { return try totals(month) }
    let key = Self.prefix + month.text
    while true {
      let value = try store.read(key)
      var totals = value.map(Self.decode) ?? [:]
      for (id, bytes) in amounts { totals[id, default: 0] &+= bytes }
      do {
        try store.write(key, Self.encode(totals, month), ifRevision: value?.revision ?? 0)
      } catch .conflict {
        continue
      }
      // The month is written; if dropping old ones fails, the next month's first write does it.
      if value == nil { try? trim() }
      return totals
    }
  }

  private func trim() throws(StoreError) {
    let months = try store.keys(Self.prefix).filter {
      TransferMonth(String($0.dropFirst(Self.prefix.utf8.count))) != nil
    }
    for key in months.sorted().dropLast(Self.monthsKept) {
      try store.delete(key, ifRevision: nil)
    }
  }

  // MARK: Values

  static func encode(_ totals: [String: UInt64], _ month: TransferMonth) -> [UInt8] {
    DocumentWriter.document { writer in
      writer.member("schemaVersion", 1)
      writer.member("month", month.text)
      writer.member("bytes") { writer in
        writer.object { writer in
          for (id, bytes) in totals.sorted(by: { $0.key < $1.key }) { writer.member(id, bytes) }
        }
      }
    }
  }

  /// What can't be read counts as nothing: better a month that begins anew than one that never
  /// counts again.
  static func decode(_ value: StoredValue) -> [String: UInt64] {
    guard case .object(let members) = (try? JSONReader.read(value.value))?["bytes"]?.value else {
      return [:]
    }
    var totals: [String: UInt64] = [:]
    for member in members { totals[member.key] = member.node.unsigned ?? 0 }
    return totals
  }
}
