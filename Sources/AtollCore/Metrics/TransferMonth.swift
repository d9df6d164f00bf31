// SPDX-License-Identifier: Apache-2.0

/// A calendar month, UTC: what plans count transfer by.
package struct TransferMonth: Hashable, Comparable, Sendable {
  package let year: Int
  package let month: Int

  /// - Parameter seconds: since 1970.
  package init(at seconds: Int64) {
    let date = CalendarDate(seconds: seconds)
    year = date.year
    month = date.month
  }

  /// From `2026-11`.
  package init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count == 7, bytes[4] == UInt8(ascii: "-"), let year = Int(text.prefix(4)),
      let month = Int(text.suffix(2)), year >= 0, (1...12).contains(month)
    else { return nil }
    self.year = year
    self.month = month
  }

  /// `2026-11`.
  package var text: String {
    let start = CalendarDate.seconds(year: year, month: month, day: 1, time: 0) ?? 0
    return String(RFC3339.format(seconds: start).prefix(7))
  }

  package static func < (a: TransferMonth, b: TransferMonth) -> Bool {
    (a.year, a.month) < (b.year, b.month)
  }
}

/// What a distribution has sent to viewers in one month, beside what its plan includes.
package struct TransferUse: Equatable, Sendable {
  package var month: TransferMonth
  /// Bytes that the store knows of, of all edges.
  package var stored: UInt64
  /// Bytes that the edges asked have counted since they last told the store.
  package var unstored: UInt64
  /// Bytes a month; nil for a plan without bound.
  package var quota: UInt64?

  package init(month: TransferMonth, stored: UInt64, unstored: UInt64 = 0, quota: UInt64?) {
    self.month = month
    self.stored = stored
    self.unstored = unstored
    self.quota = quota
  }

  package init(month: TransferMonth, stored: UInt64, unstored: UInt64 = 0, plan: Plan) {
    self.init(
      month: month, stored: stored, unstored: unstored,
      quota: plan.monthlyTransfer.map { UInt64($0) })
  }

  package var bytes: UInt64 { stored &+ unstored }

  /// Of the plan; nil for one without bound.
  package var percent: Double? {
    quota.map { $0 == 0 ? 100 : Double(bytes) * 100 / Double($0) }
  }

  /// Of the plan: 0, 80 or 100 percent have been reached.
  package var level: Int {
    guard let quota else { return 0 }
    if bytes >= quota { return 100 }
    return bytes * 5 >= quota * 4 ? 80 : 0
  }

  /// Of another edge on the same store: each may have read it at another time.
  static func merged(_ a: TransferUse?, _ b: TransferUse?) -> TransferUse? {
    guard var a, let b else { return a ?? b }
    // An edge whose clock is not over the month's end yet.
    if a.month != b.month { return a.month < b.month ? b : a }
    a.stored = max(a.stored, b.stored)
    a.unstored &+= b.unstored
    a.quota = a.quota ?? b.quota
    return a
  }
}
