// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// One target of an origin with everything that an edge keeps about it. Shared by its loops and its
/// health checks, and handed on from one configuration to the next.
package final class TargetState: @unchecked Sendable {
  package let target: OriginTarget
  /// As in a Host field, the port always written: `[::1]:8080`.
  package let address: String
  let seed: UInt64
  private let lock: Lock
  private let lockMemory = UnsafeMutableRawPointer.allocate(
    byteCount: Lock.stride, alignment: Lock.stride)
  // Under the lock:
  private var health = TargetHealth()
  /// The checks that count: one that began under other settings may still end.
  private var check: HealthCheck?
  private let load = Atomic<Int>(0)
  private let requestCount = Atomic<UInt64>(0)
  private let failureCount = Atomic<UInt64>(0)

  init(_ target: OriginTarget, check: HealthCheck?) {
    self.target = target
    self.check = check
    Lock.initialize(at: lockMemory)
    lock = Lock(at: lockMemory)
    let host = target.host.utf8.contains(UInt8(ascii: ":")) ? "[\(target.host)]" : target.host
    address = "\(host):\(target.port)"
    seed = Array(address.utf8).withUnsafeBufferPointer { publicHash($0) }
  }

  deinit {
    lock.destroy()
    lockMemory.deallocate()
  }

  package var currentHealth: TargetHealth { locked { health } }
  /// Requests that it has now, waiting ones included.
  package var connections: Int { load.load(ordering: .relaxed) }
  package var requests: UInt64 { requestCount.load(ordering: .relaxed) }
  package var failures: UInt64 { failureCount.load(ordering: .relaxed) }

  func candidate(at now: Int64) -> TargetCandidate {
    let (availability, standing) = locked { (health.availability(at: now), health.standing) }
    return TargetCandidate(
      availability: availability, failsRequests: standing != .serving, load: connections,
      seed: seed)
  }

  func claimTrial(at now: Int64) -> Bool { locked { health.claimTrial(at: now) } }

  fileprivate func began() {
    load.add(1, ordering: .relaxed)
    requestCount.add(1, ordering: .relaxed)
  }

  fileprivate func ended() { load.subtract(1, ordering: .relaxed) }

  fileprivate func countFailure() { failureCount.add(1, ordering: .relaxed) }

  fileprivate func update<Result>(_ change: (inout TargetHealth) -> Result) -> Result {
    locked { change(&health) }
  }

  private func locked<Result>(_ body: () -> Result) -> Result {
    lock.lock()
    defer { lock.unlock() }
    return body()
  }

  /// A health check has ended.
  /// - Parameter failure: nil when it succeeded.
  package func checked(
    _ failure: TargetFailure?, by check: HealthCheck, at now: Int64
  ) -> TargetHealth.Change? {
    locked {
      check == self.check ? health.checked(failure, by: check, at: now) : nil
    }
  }

  /// What a change means, for the edge's log.
  package func line(
    _ change: TargetHealth.Change, distribution: String, origin: String
  ) -> String {
    let subject = "distribution \"\(distribution)\": target \(address) of origin \"\(origin)\""
    let last = currentHealth.lastFailure.map { ", the last one: \($0.text)" } ?? ""
    switch change {
    case .ejected(let failures, let duration):
      return "\(subject) counts as down for \(duration / 1000) s:"
        + " \(failures) \(failures == 1 ? "failure" : "failures in a row")\(last)"
    case .returned: return "\(subject) answers again"
    case .unhealthy(let checks):
      return "\(subject) is unhealthy:"
        + " \(checks) failed \(checks == 1 ? "check" : "checks in a row")\(last)"
    case .healthy: return "\(subject) is healthy again"
    }
  }

  /// Takes no notice of what was learned under settings that are no more.
  fileprivate func adapt(from old: Origin, to new: Origin) {
    locked {
      if old.ejection != new.ejection { health.forgetRequests() }
      if old.healthCheck != new.healthCheck {
        check = new.healthCheck
        health.forgetChecks()
      }
    }
  }
}

/// One request's use of a target, from the choice to its end; whoever drops it without a word has
/// abandoned it. Times are milliseconds of the monotonic clock.
package final class TargetUse {
  private enum Progress { case sent, answered, failed }

  package let state: TargetState
  package let index: Int
  package let kind: TargetChoice.Kind
  private let ejection: Ejection
  private var progress = Progress.sent
  private var isOver = false

  init(_ state: TargetState, index: Int, kind: TargetChoice.Kind, ejection: Ejection) {
    self.state = state
    self.index = index
    self.kind = kind
    self.ejection = ejection
    state.began()
  }

  deinit { abandon() }

  /// The head of the response has come.
  package func answered(status: UInt16, at now: Int64) -> TargetHealth.Change? {
    if let failure = TargetFailure.of(status: status) { return note(failure, at: now) }
    guard progress == .sent, !isOver else { return nil }
    progress = .answered
    return state.update { $0.answered(provesRecovery: kind != .usual, at: now) }
  }

  /// The request did not get what it asked for.
  package func failed(_ failure: TargetFailure, at now: Int64) -> TargetHealth.Change? {
    let change = note(failure, at: now)
    end()
    return change
  }

  /// The response is whole.
  package func finished() {
    if progress == .answered && !isOver { state.update { $0.finished() } }
    end()
  }

  /// Ended by something that is not the target's doing.
  package func abandon() {
    if kind == .trial && progress == .sent && !isOver { state.update { $0.trialAbandoned() } }
    end()
  }

  private func note(_ failure: TargetFailure, at now: Int64) -> TargetHealth.Change? {
    // A failure is told once, be it by a status or by what came after it.
    if isOver || progress == .failed { return nil }
    let isTrial = kind == .trial && progress == .sent
    progress = .failed
    state.countFailure()
    return state.update { $0.failed(failure, isTrial: isTrial, ejection: ejection, at: now) }
  }

  private func end() {
    if isOver { return }
    isOver = true
    state.ended()
  }
}

/// The targets of one origin, in the order of the configuration.
package final class OriginTargets: Sendable {
  package let all: [TargetState]
  private let ejection: Ejection
  private let tickets = Atomic<UInt64>(0)

  init(_ origin: Origin) {
    all = origin.allTargets.map { TargetState($0, check: origin.healthCheck) }
    ejection = origin.ejection
  }

  /// With the state of those that the former configuration had too.
  init(_ origin: Origin, from former: OriginTargets, of old: Origin) {
    all = origin.allTargets.map { target in
      guard old.scheme == origin.scheme,
        let kept = former.all.first(where: { $0.target == target })
      else { return TargetState(target, check: origin.healthCheck) }
      kept.adapt(from: old, to: origin)
      return kept
    }
    ejection = origin.ejection
  }

  package func nextTicket() -> UInt64 { tickets.add(1, ordering: .relaxed).oldValue }

  /// Whether any may be asked, other than as a last resort.
  package func isDown(at now: Int64) -> Bool {
    all.allSatisfy { $0.candidate(at: now).availability == .down }
  }

  /// Chooses, and counts the request as the target's.
  package func choose(_ wish: TargetWish, at now: Int64) -> TargetUse? {
    while let choice = chooseTarget(all.map { $0.candidate(at: now) }, wish) {
      // Another loop may have been faster to claim the trial.
      if choice.kind == .trial && !all[choice.index].claimTrial(at: now) { continue }
      return TargetUse(
        all[choice.index], index: choice.index, kind: choice.kind, ejection: ejection)
    }
    return nil
  }
}
