// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What the edges of a store have sent this month, as they last told it: at most a minute ago.
struct TransferView {
  private let month: TransferMonth
  private let totals: [String: UInt64]

  init(_ store: any Store, now: Int64) throws(StoreError) {
    month = TransferMonth(at: now)
    totals = try TransferLedger(store).totals(month)
  }

  private func use(of distribution: Distribution) -> TransferUse {
    TransferUse(month: month, stored: totals[distribution.id] ?? 0, plan: distribution.plan)
  }

  /// `41.2 GB of 50 GB in 2026-11 (82.4%)`.
  func text(of distribution: Distribution) -> String {
    let use = use(of: distribution)
    guard let quota = use.quota else { return "\(gigabytes(use.bytes)) in \(month.text)" }
    return "\(gigabytes(use.bytes)) of \(gigabytes(quota)) in \(month.text) "
      + "(\(MetricsView.percent(use.percent)))"
  }

  /// `41.2 GB (82.4%)`.
  func shortText(of distribution: Distribution) -> String {
    let use = use(of: distribution)
    return gigabytes(use.bytes)
      + (use.quota == nil ? "" : " (\(MetricsView.percent(use.percent)))")
  }

  func json(of distributions: [Distribution]) -> JSON {
    [
      "month": .string(month.text),
      "distributions": .array(
        distributions.map { distribution in
          let use = use(of: distribution)
          return [
            "name": .string(distribution.name), "bytes": .integer(Int(clamping: use.bytes)),
            "quota": use.quota.map { .integer(Int(clamping: $0)) } ?? .null,
          ]
        }),
    ]
  }
}
