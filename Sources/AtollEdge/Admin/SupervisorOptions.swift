// SPDX-License-Identifier: Apache-2.0

package struct SupervisorOptions: Sendable {
  package var edge = EdgeOptions()
  /// Name of the distribution that answers for hosts which none claims.
  package var defaultDistribution: String?
  /// Where the admin socket is made; nil makes none.
  package var runDirectory: String?
  /// File that tells where viewers are.
  package var geoDatabase: String?
  /// Seconds that a drain may take.
  package var drainTimeout = 30
  /// SIGTERM, SIGINT and SIGHUP come here; tests send theirs by `post`.
  package var takesSignals = true
  /// Seconds between two times of telling the store what was sent; a minute's end is one.
  package var transferInterval: Int64 = 60
  /// How the certificates of the store are looked after; nil leaves that to other edges.
  package var certificates: CertificateMeans?
  /// Takes a line of the edge's own log.
  package var report: @Sendable (String) -> Void = { EdgeLog().write($0) }

  package init() {}
}
