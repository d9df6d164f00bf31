// SPDX-License-Identifier: Apache-2.0
import Glibc

/// What one edge knows about one target of an origin: from the requests that it gets (passive) and
/// from the health checks, where the origin has them (active). The two are kept apart; a target gets
/// requests when neither speaks against it.
///
/// ```
///            failures in a row                the time is over: one request
/// serving ──────────────────────▶ ejected ──────────────────────────────────▶ tried
///    ▲                               ▲                                        │  │
///    │                               └───────── it fails: for longer ─────────┘  │
///    └────────────────────────── it is answered: a growing share ────────────────┘
/// ```
/// Times are milliseconds of the monotonic clock.
package struct TargetHealth: Equatable, Sendable {
  package enum Standing: Equatable, Sendable {
    case serving
    /// Gets no requests until then; from then on, one.
    case ejected(until: Int64)
    /// That one is under way: nobody else follows before it is answered.
    case tried
  }

  /// Whether a request may go there.
  package enum Availability: Equatable, Sendable {
    /// - Parameter share: of its usual share of the requests, in percent: a target that is back is
    ///   not handed everything at once.
    case up(share: Int)
    /// For one request, which has to be claimed.
    case trialDue
    case down
  }

  /// Something worth a line in the edge's log.
  package enum Change: Equatable, Sendable {
    /// - Parameter duration: milliseconds.
    case ejected(failures: Int, duration: Int64)
    case returned
    case unhealthy(checks: Int)
    case healthy
  }

  /// Milliseconds over which a target that is back gets its full share.
  package static let ramp: Int64 = 10_000
  /// Percent at the beginning of that.
  package static let firstShare = 10
  /// Milliseconds that repeated ejections grow to, unless the setting itself is longer.
  package static let longestEjection: Int64 = 300_000

  package private(set) var standing = Standing.serving
  /// Requests that failed, the last one included.
  package private(set) var failuresInRow = 0
  /// Ejections without a time of peace between them.
  package private(set) var ejectionsInRow = 0
  /// By the health checks.
  package private(set) var isUnhealthy = false
  /// Checks in a row that came out other than `isUnhealthy` says.
  package private(set) var checksAgainst = 0
  /// Whether any check has ended yet.
  package private(set) var isChecked = false
  /// When it stopped being served, for either reason; nil while it is.
  package private(set) var downSince: Int64?
  package private(set) var lastFailure: TargetFailure?
  package private(set) var lastFailureAt: Int64 = 0
  private var returnedAt: Int64?

  package init() {}

  package func availability(at now: Int64) -> Availability {
    if isUnhealthy { return .down }
    switch standing {
    case .serving: return .up(share: share(at: now))
    case .ejected(let until): return now >= until ? .trialDue : .down
    case .tried: return .down
    }
  }

  private func share(at now: Int64) -> Int {
    guard let returnedAt else { return 100 }
    let passed = max(now - returnedAt, 0)
    if passed >= Self.ramp { return 100 }
    return Self.firstShare + Int(passed * Int64(100 - Self.firstShare) / Self.ramp)
  }

  // MARK: Requests

  /// Whether the caller's request is the one that tries an ejected target.
  package mutating func claimTrial(at now: Int64) -> Bool {
    guard availability(at: now) == .trialDue else { return false }
    standing = .tried
    return true
  }

  /// The trial ended without telling anything, such as by its viewer's leaving: the next may try.
  package mutating func trialAbandoned() {
    if case .tried = standing { standing = .ejected(until: .min) }
  }

  /// A response that counts as none of the target's failures has begun.
  /// - Parameter provesRecovery: the request was sent while the target was ejected.
  package mutating func answered(provesRecovery: Bool, at now: Int64) -> Change? {
    guard provesRecovery, standing != .serving else { return nil }
    standing = .serving
    failuresInRow = 0
    returnedAt = now
    if isUnhealthy { return nil }
    downSince = nil
    return .returned
  }

  /// A response has come to its end as it should.
  package mutating func finished() { failuresInRow = 0 }

  /// - Parameter isTrial: of the request that claimed the trial.
  package mutating func failed(
    _ failure: TargetFailure, isTrial: Bool, ejection: Ejection, at now: Int64
  ) -> Change? {
    lastFailure = failure
    lastFailureAt = now
    failuresInRow += 1
    switch standing {
    case .tried where isTrial:
      _ = eject(ejection, at: now)
      // It was down and is: nothing new.
      return nil
    case .serving where ejection.failures > 0 && failuresInRow >= ejection.failures:
      return .ejected(failures: failuresInRow, duration: eject(ejection, at: now))
    case .serving, .ejected, .tried:
      // Requests sent before it was ejected, or for want of any other target, prolong nothing.
      return nil
    }
  }

  /// Returns for how many milliseconds: twice as long each time, unless it was well for as long as
  /// the last time took.
  private mutating func eject(_ ejection: Ejection, at now: Int64) -> Int64 {
    let base = Int64(ejection.duration) * 1000
    let bound = max(Self.longestEjection, base)
    func duration(_ times: Int) -> Int64 { min(base << Int64(min(max(times - 1, 0), 12)), bound) }
    if let returnedAt, standing == .serving, now - returnedAt > duration(ejectionsInRow) {
      ejectionsInRow = 0
    }
    ejectionsInRow = min(ejectionsInRow + 1, 100)
    let length = duration(ejectionsInRow)
    standing = .ejected(until: now + length)
    if downSince == nil { downSince = now }
    return length
  }

  // MARK: Checks

  /// - Parameter failure: nil when the check succeeded.
  package mutating func checked(
    _ failure: TargetFailure?, by check: HealthCheck, at now: Int64
  ) -> Change? {
    isChecked = true
    if let failure {
      lastFailure = failure
      lastFailureAt = now
    }
    if (failure != nil) == isUnhealthy {
      checksAgainst = 0
      return nil
    }
    checksAgainst += 1
    let threshold = isUnhealthy ? check.healthyThreshold : check.unhealthyThreshold
    guard checksAgainst >= threshold else { return nil }
    let checks = checksAgainst
    checksAgainst = 0
    isUnhealthy.toggle()
    if isUnhealthy {
      if downSince == nil { downSince = now }
      return .unhealthy(checks: checks)
    }
    // While it is ejected the requests have the last word.
    guard standing == .serving else { return nil }
    downSince = nil
    returnedAt = now
    return .healthy
  }

  // MARK: Changes of the configuration

  /// What requests told does not count under other settings.
  package mutating func forgetRequests() {
    standing = .serving
    failuresInRow = 0
    ejectionsInRow = 0
    if !isUnhealthy { downSince = nil }
  }

  /// The same for the checks.
  package mutating func forgetChecks() {
    isUnhealthy = false
    checksAgainst = 0
    isChecked = false
    if standing == .serving { downSince = nil }
  }
}

/// What was wrong with a target's last failed request or check.
package enum TargetFailure: Equatable, Sendable {
  /// With the system's error number.
  case connect(Int32)
  case dns
  /// Neither connected nor answered in time.
  case timeout
  /// Closed before the response was whole.
  case closed
  case malformed
  /// No secure connection, and why.
  case tls(String)
  case status(UInt16)

  package var text: String {
    switch self {
    case .connect(let error): errorText(error)
    case .dns: "its name has no address"
    case .timeout: "no answer in time"
    case .closed: "closed the connection"
    case .malformed: "malformed response"
    case .tls(let why): why
    case .status(let status): "status \(status)"
    }
  }

  /// Statuses by which a target says that it cannot do its work: a gateway's or its own.
  package static func of(status: UInt16) -> TargetFailure? {
    status >= 502 && status <= 504 ? .status(status) : nil
  }

  /// Nil when the failure is this machine's: out of descriptors, memory or ports, which says
  /// nothing about the target.
  package static func of(connectError error: Int32) -> TargetFailure? {
    switch error {
    case EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL, EAGAIN: nil
    case ETIMEDOUT: .timeout
    default: .connect(error)
    }
  }
}
