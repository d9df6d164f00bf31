// SPDX-License-Identifier: Apache-2.0

/// One purge as the journal keeps it: what every edge applies once, in the order of the numbers.
package struct PurgeRecord: Equatable, Sendable {
  /// Given by the journal, rising without gaps; 0 before the record is appended.
  package var number: UInt64
  /// The distribution's name when the purge was asked for.
  package var distribution: String
  /// The distribution's id: a name may be used again by another distribution, an id never.
  package var id: String
  /// Seconds since 1970.
  package var at: Int64
  /// Marks entries stale instead of removing them.
  package var soft: Bool
  package var selector: PurgeSelector

  package init(
    number: UInt64 = 0, distribution: String, id: String, at: Int64, soft: Bool,
    selector: PurgeSelector
  ) {
    self.number = number
    self.distribution = distribution
    self.id = id
    self.at = at
    self.soft = soft
    self.selector = selector
  }
}

/// Which entries of a distribution a purge means.
package enum PurgeSelector: Equatable, Sendable {
  case all
  /// Exactly this path, or path and query: `/a` means `/a` without a query.
  case path(String)
  /// Every URL that begins so, queries included; without the trailing `*`.
  case prefix(String)
  case tag(String)
}
