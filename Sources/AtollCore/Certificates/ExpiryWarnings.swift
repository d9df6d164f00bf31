// SPDX-License-Identifier: Apache-2.0

/// What an edge's log says of certificates whose end is near: of each once a day, and at once when
/// it is over.
package struct ExpiryWarnings: Sendable {
  /// Seconds since 1970 of the last word, and about which end.
  private var told: [String: (at: Int64, notAfter: Int64, wasOver: Bool)] = [:]

  package init() {}

  /// - Parameter reason: why it is not renewed yet, for people; nil when nothing is known.
  package mutating func lines(
    _ certificates: [(expiry: CertificateExpiry, reason: String?)], at now: Int64
  ) -> [String] {
    var lines: [String] = []
    var next: [String: (at: Int64, notAfter: Int64, wasOver: Bool)] = [:]
    for (expiry, reason) in certificates where expiry.isNear(at: now) {
      let isOver = expiry.isOver(at: now)
      if let told = told[expiry.name], told.notAfter == expiry.notAfter, told.wasOver == isOver,
        now - told.at < 86_400
      {
        next[expiry.name] = told
        continue
      }
      next[expiry.name] = (now, expiry.notAfter, isOver)
      lines.append(
        "certificate \(quoted(expiry.name)) \(isOver ? "expired" : "expires") "
          + "\(expiry.distance(at: now)), on \(RFC3339.format(seconds: expiry.notAfter))"
          + (reason.map { ": \($0)" } ?? ""))
    }
    told = next
    return lines
  }
}

extension StoredCertificate {
  /// Why it has not been renewed, where its end is near.
  package var standstill: String? {
    if let error = renewal.lastError { return "its renewal failed: \(error)" }
    switch source {
    case .imported: return "import its successor with atoll cert import \(name)"
    case .acme, .local: return nil
    }
  }
}
