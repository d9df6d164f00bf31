// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc
import Synchronization

/// Looks after the certificates of a store while an edge runs: renews them, makes those of the local
/// authority, and asks for their status.
///
/// All of it waits for disks and for others' servers, so it has a thread of its own, and tells the
/// supervisor only by what it writes to the store, and by `changed`. Of the edges on a store one at a
/// time renews; each asks for the status of what it shows.
final class CertificateKeeper: @unchecked Sendable {
  /// What the supervisor wants looked after.
  struct Charge: Equatable, Sendable {
    /// Nil where no viewer speaks TLS.
    var defaultNames: [String]?
    /// Chains of what is shown, for their status.
    var chains: [[CertificateInfo]] = []
  }

  static let leaseKey = "keeping/certificates"
  /// Seconds after which an edge that does not renew looks whether the one that does is gone.
  private static let leaseCheck: Int64 = 20

  private let store: any Store
  private let edgeID: String
  private let means: CertificateMeans
  private let report: @Sendable (String) -> Void
  private let changed: @Sendable () -> Void
  private let bell = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
  private let state = Mutex(State())
  // Of its thread alone:
  private var lease: (any StoreHold)?
  private var pauses: [String: Int64] = [:]
  private var failures: [String: Int] = [:]
  private var leaseTrouble: String?

  private struct State {
    var charge = Charge()
    var staples: [[UInt8]: Staple] = [:]
    var ends = false
  }

  /// - Parameter changed: called on the keeper's thread when `staples` has changed.
  init(
    _ store: any Store, edgeID: String, means: CertificateMeans,
    report: @escaping @Sendable (String) -> Void,
    changed: @escaping @Sendable () -> Void
  ) {
    self.store = store
    self.edgeID = edgeID
    self.means = means
    self.report = report
    self.changed = changed
  }

  deinit { _ = close(bell) }

  func start() {
    Thread.startDetached("atoll-certs") { [self] in run() }
  }

  /// Returns at once; what is under way is given up at the next step.
  func stop() {
    state.withLock { $0.ends = true }
    eventfd_write(bell, 1)
  }

  func look(after charge: Charge) {
    let isNew = state.withLock { state in
      let isNew = state.charge != charge
      state.charge = charge
      return isNew
    }
    if isNew { wake() }
  }

  /// What is stored has changed.
  func wake() { eventfd_write(bell, 1) }

  /// OCSP responses to show now, by the certificate's fingerprint.
  func staples(at now: Int64) -> [[UInt8]: [UInt8]] {
    state.withLock { state in state.staples.compactMapValues { $0.response(at: now) } }
  }

  private var ends: Bool { state.withLock { $0.ends } }

  // MARK: The thread

  private func run() {
    while !ends {
      let next = round()
      wait(max(next - means.now(), 1))
    }
    lease?.release()
    lease = nil
  }

  /// Does what is due.
  /// - Returns: seconds since 1970 of the next time.
  func round() -> Int64 {
    let next = askStatus()
    guard !ends, holdsLease() else { return min(next, means.now() + Self.leaseCheck) }
    return min(next, renew())
  }

  private func wait(_ seconds: Int64) {
    var event = pollfd(fd: bell, events: Int16(POLLIN), revents: 0)
    _ = poll(&event, 1, Int32(clamping: seconds * 1_000))
    var count: UInt64 = 0
    eventfd_read(bell, &count)
  }

  // MARK: Renewal

  private func holdsLease() -> Bool {
    if lease != nil { return true }
    do throws(StoreError) {
      lease = try StoreTurn.takeIfFree(Self.leaseKey, saying: ("edge", edgeID), in: store)
      if lease != nil { leaseTrouble = nil }
      return lease != nil
    } catch {
      if leaseTrouble != error.message {
        report("\(error.message); no certificate is renewed by this edge")
      }
      leaseTrouble = error.message
      return false
    }
  }

  private func renew() -> Int64 {
    let charge = state.withLock { $0.charge }
    // Twice at most: what was done may make something else due, but nothing goes round in circles.
    var care = CertificateCare(tasks: [], next: means.now() + CertificateCare.longest)
    for _ in 0..<2 {
      do {
        care = try plan(charge)
      } catch {
        // Who reads the store for the edge says so.
        return means.now() + 60
      }
      if care.tasks.isEmpty { return care.next }
      for task in care.tasks {
        if ends { return care.next }
        carryOut(task, charge)
      }
    }
    return min(care.next, pauses.values.filter { $0 > means.now() }.min() ?? care.next)
  }

  private func plan(_ charge: Charge) throws -> CertificateCare {
    let all = try CertificateCatalog(store).all()
    let names = Set(all.certificates.map(\.name))
    pauses = pauses.filter { names.contains($0.key) || $0.key == DefaultCertificate.name }
    let root = try? LocalAuthority(store).existing()?.certificate
    return CertificateCare.plan(
      all.certificates, defaultNames: charge.defaultNames, root: root, pauses: pauses,
      now: means.now())
  }

  private func carryOut(_ task: CertificateCare.Task, _ charge: Charge) {
    var pause = Self.shortPause
    do {
      switch task {
      case .makeDefault:
        if let names = charge.defaultNames {
          _ = try DefaultCertificate(store).ensure(names, now: means.now())
        }
      case .renewLocal(let name):
        if let stored = try CertificateCatalog(store).get(name) {
          _ = try LocalRenewal.renew(stored, in: store, now: means.now())
        }
      case .renew(let name):
        let before = try CertificateCatalog(store).get(name)?.revision
        try means.renew(name) { [weak self] in self?.ends ?? true }
        if try CertificateCatalog(store).get(name)?.revision == before { pause = Self.longPause }
      }
      failures[task.name] = nil
      pauses[task.name] = means.now() + pause
    } catch {
      if ends { return }
      note(error, about: task)
    }
  }

  /// Seconds: what the store says of a certificate decides afterwards. Where nothing new stands
  /// there, as when it can't be written, a CA must not be asked all the time.
  private static let shortPause: Int64 = 2
  private static let longPause: Int64 = 600
  private static let pausesAfterFailure: [Int64] = [60, 300, 1_800, 7_200, 21_600]

  private func note(_ error: any Error, about task: CertificateCare.Task) {
    let count = failures[task.name, default: 0]
    failures[task.name] = count + 1
    let pauses = Self.pausesAfterFailure
    self.pauses[task.name] = means.now() + pauses[min(count, pauses.count - 1)]
    let reason: String
    switch error {
    case let error as ACMEError:
      // Another process is about it, or it is not yet time.
      if error.fault == .busy { return }
      reason = "\(error.line); \(error.hint)"
    case let error as StoreError: reason = error.message
    case let error as CertificateError: reason = error.message
    default: reason = "\(error)"
    }
    report("certificate \"\(task.name)\" could not be renewed: \(reason)")
  }

  // MARK: Status

  private func askStatus() -> Int64 {
    let chains = state.withLock { state in
      let fingerprints = Set(state.charge.chains.compactMap { $0.first?.fingerprint })
      state.staples = state.staples.filter { fingerprints.contains($0.key) }
      return state.charge.chains
    }
    var next = means.now() + CertificateCare.longest
    var isNew = false
    for chain in chains {
      guard let leaf = chain.first, let query = RevocationQuery(chain) else { continue }
      let fingerprint = leaf.fingerprint
      var staple =
        state.withLock { $0.staples[fingerprint] } ?? Staple(fingerprint: fingerprint)
      let before = staple.response(at: means.now())
      if staple.askAt <= means.now(), leaf.isValid(at: means.now()) {
        if ends { return next }
        ask(query, &staple, leaf)
      }
      state.withLock { $0.staples[fingerprint] = staple }
      isNew = isNew || staple.response(at: means.now()) != before
      next = min(next, staple.askAt)
    }
    if isNew { changed() }
    return next
  }

  private func ask(_ query: RevocationQuery, _ staple: inout Staple, _ leaf: CertificateInfo) {
    let name = leaf.domains.first ?? "?"
    do {
      guard let request = query.request else { throw RevocationError("it can't be asked") }
      let status = try query.read(try means.ask(query.url, request))
      let wasRevoked = staple.status?.isRevoked ?? false
      guard staple.take(status, at: means.now()) else {
        throw RevocationError("its answer is out of date")
      }
      if status.isRevoked, !wasRevoked {
        report("the certificate for \(name) has been revoked by its CA: replace it")
      }
    } catch {
      let reason =
        (error as? RevocationError)?.message ?? (error as? ClientError)?.message ?? "\(error)"
      staple.fail(at: means.now())
      if staple.isNewTrouble {
        report(
          "the status of the certificate for \(name) is not to be had from \(query.url): \(reason)")
      }
    }
  }
}
