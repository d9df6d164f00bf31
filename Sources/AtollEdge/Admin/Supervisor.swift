// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CTLS
import Glibc

/// Runs an edge: reads what it serves from the store and follows every change, applies purges,
/// tells the store what is in force, keeps house, and ends it in good order.
///
/// Everything happens on the thread that calls `run`; watches, signals and the admin socket only
/// wake it or read what it has published.
package final class Supervisor: @unchecked Sendable {
  package enum Source: Sendable {
    case store(any Store)
    /// One distribution that no store keeps. With a store the edge is known to the commands and
    /// obeys purges all the same.
    case unsaved(Distribution, (any Store)?)
  }

  package enum Ending: Equatable, Sendable {
    /// Every exchange was finished, or the time for it was over.
    case drained
    /// A second signal cut the drain short.
    case cutShort(signal: Int32)
  }

  /// Milliseconds between two rounds of housekeeping.
  private static let interval: Int64 = 100

  package let edge: Edge
  let source: Source
  let options: SupervisorOptions
  let bell = Bell()
  private let signals: SignalReader?
  let view: SupervisorView
  // Of the running thread alone:
  var deployment = Deployment()
  var distributionProblems: [String] = []
  var geoDatabase: GeoDatabase?
  /// Whether every distribution of the store is served, if in an older revision.
  var isComplete = true
  var record: EdgeRecord
  var registration: EdgeRegistration?
  var watches: [any StoreWatch] = []
  private var admin: AdminServer?
  private var minutes: MinuteRing
  var transfer: TransferCount
  /// The interval in which the store was told last.
  private var transferRound: Int64
  private var transferTrouble: String?
  /// What keeps it from reading the store, and from telling the store what is in force.
  var readTrouble: String?
  var publishTrouble: String?
  var retryAt: Int64?
  var challenges: [PendingChallenge] = []
  var certificates: CertificateDeployment
  /// What the store held at the last reading.
  var storedCertificates: [StoredCertificate] = []
  var invalidCertificates: [(name: String, error: StoreError)] = []
  /// Made for challenges, by the key authorization.
  var madeChallenges: [String: ServedChallenge] = [:]
  /// For default domains, where the store can't keep one.
  var temporaryCertificate: StoredCertificate?
  var keeper: CertificateKeeper?
  var expiryWarnings = ExpiryWarnings()
  /// The minute in which it was looked last whether one ends soon.
  var expiryRound: Int64 = 0
  var isDraining = false
  var hasStickySecret = false

  /// Reads the store and binds the listeners; serves from `run` on. The first thing that a process
  /// does: its later threads inherit the blocked signals.
  package init(source: Source, options: SupervisorOptions) throws {
    self.source = source
    self.options = options
    // Before anything of OpenSSL: at the process's end it must not be cleaned up under a thread that
    // is still about a certificate.
    OPENSSL_init_ssl(UInt64(OPENSSL_INIT_NO_ATEXIT), nil)
    signals = options.takesSignals ? SignalReader([SIGTERM, SIGINT, SIGHUP]) : nil
    let now = SystemCall.wallSeconds()
    record = EdgeRecord(id: Self.makeID(), pid: getpid(), started: now)
    if case .unsaved(let distribution, _) = source { record.unsaved = distribution.name }
    minutes = MinuteRing(startedAt: now)
    transfer = TransferCount(startedAt: now)
    transferRound = now / max(options.transferInterval, 1)
    if let path = options.geoDatabase { geoDatabase = try GeoDatabase(path: path) }
    if case .unsaved(let distribution, _) = source, geoDatabase == nil,
      let need = distribution.geoDatabaseNeed
    {
      throw need
    }
    var edgeOptions = options.edge
    edgeOptions.report = options.report
    edge = try Edge(options: edgeOptions, configuration: EdgeConfiguration(distributions: []))
    do throws(TLSError) {
      certificates = try CertificateDeployment(policy: edgeOptions.tlsPolicy)
    } catch {
      throw EdgeError.tls(error.message)
    }
    view = SupervisorView(edge: edge, started: now)
    try load()
  }

  private static func makeID() -> String {
    "e" + String(UInt64.random(in: 1 << 60...(.max)), radix: 16)
  }

  /// `127.0.0.1:8080`, ports resolved.
  package var addresses: [String] { edge.addresses }

  package var id: String { record.id }

  var store: (any Store)? {
    switch source {
    case .store(let store): store
    case .unsaved(_, let store): store
    }
  }

  /// Acts as on a signal: SIGTERM, SIGINT or SIGHUP.
  package func post(signal: Int32) { bell.ring(signal: signal) }

  // MARK: Running

  /// Serves until a signal ends it.
  package func run() -> Ending {
    startAdmin()
    publish()
    // A command that found no edge has changed the store before this edge was known: look again
    // before the first request.
    follow(Bell.Rung.everything)
    keepTransfer(at: SystemCall.wallSeconds())
    edge.start()
    startKeeper()
    for address in edge.addresses { options.report("listening on \(address)") }
    for address in edge.secureAddresses { options.report("listening on \(address), https") }
    var nextRound = SystemCall.monotonicMilliseconds()
    while true {
      var events = [
        pollfd(fd: bell.descriptor, events: Int16(POLLIN), revents: 0),
        pollfd(fd: signals?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
      ]
      let wait = max(nextRound - SystemCall.monotonicMilliseconds(), 0)
      _ = poll(&events, 2, Int32(wait))
      let rung = bell.take()
      var arrived = rung.signals
      while let signal = signals?.next() { arrived.append(signal) }
      for signal in arrived {
        if let ending = handle(signal) { return ending }
      }
      if rung.isDrained {
        end()
        return .drained
      }
      if !isDraining {
        follow(rung)
        if rung.staples { showCertificates() }
      }
      let now = SystemCall.monotonicMilliseconds()
      if now >= nextRound {
        keepHouse(at: now)
        nextRound = now + Self.interval
      }
    }
  }

  private func handle(_ signal: Int32) -> Ending? {
    switch signal {
    case SIGHUP:
      options.report("hangup: reading the store again and reopening logs")
      edge.reopenLogs()
      reopenGeoDatabase()
      if !isDraining { follow(Bell.Rung.everything) }
      return nil
    default:
      if isDraining {
        options.report("second signal: ending at once")
        end()
        return .cutShort(signal: signal)
      }
      drain()
      return nil
    }
  }

  /// The file may have been replaced by a newer one.
  private func reopenGeoDatabase() {
    guard let path = options.geoDatabase else { return }
    do throws(GeoDatabaseError) {
      geoDatabase = try GeoDatabase(path: path)
      install()
    } catch {
      options.report("\(error.message); the one opened before stays in use")
    }
  }

  private func drain() {
    isDraining = true
    options.report("draining, for at most \(options.drainTimeout) s")
    keeper?.stop()
    // No command should wait for the confirmation of an edge that takes no new requests.
    for watch in watches { watch.cancel() }
    watches = []
    registration?.release()
    registration = nil
    Thread.runDetached("atoll-drain") { [edge, bell, options] in
      if !edge.drain(timeout: options.drainTimeout) {
        options.report("some connections were still open after \(options.drainTimeout) s")
      }
      bell.ringDrained()
    }
  }

  private func end() {
    keeper?.stop()
    admin?.stop()
    edge.stop()
    keepTransfer(at: SystemCall.wallSeconds())
    options.report("ended")
  }

  private func keepHouse(at now: Int64) {
    edge.maintain()
    let seconds = SystemCall.wallSeconds()
    if minutes.isDue(at: seconds) {
      minutes.advance(to: seconds, edge.counters())
      view.update { $0.minutes = minutes }
    }
    let round = seconds / max(options.transferInterval, 1)
    if round != transferRound {
      transferRound = round
      keepTransfer(at: seconds)
    }
    if expiryRound != seconds / 60 {
      expiryRound = seconds / 60
      warnOfExpiry(at: seconds)
    }
    if let retryAt, now >= retryAt, !isDraining {
      self.retryAt = nil
      follow(Bell.Rung.everything)
    }
  }

  /// Tells the store what was sent to viewers since the last time, and warns where a plan ends.
  private func keepTransfer(at seconds: Int64) {
    // An unsaved distribution has no plan, and a store that is gone must not be begun anew.
    guard case .store(let store) = source, readTrouble == nil else { return }
    transfer.count(edge.counters(), at: seconds)
    let ledger = TransferLedger(store)
    do throws(StoreError) {
      for (month, amounts) in transfer.pending {
        transfer.told(month, totals: try ledger.add(amounts, to: month))
      }
      // The other edges' part.
      transfer.told(transfer.month, totals: try ledger.totals(transfer.month))
      transferTrouble = nil
    } catch {
      // What was counted is kept for the next time.
      if transferTrouble != error.message {
        options.report("\(error.message); the monthly transfer is not kept meanwhile")
      }
      transferTrouble = error.message
    }
    let lines = transfer.warnings(
      deployment.policies.map { ($0.distribution.name, $0.distribution.id, $0.distribution.plan) })
    for line in lines { options.report(line) }
    view.update { $0.transfer = transfer }
  }

  private func startAdmin() {
    guard let directory = options.runDirectory else { return }
    let turn = AdminSocket.takeTurn(in: directory)
    defer { close(turn) }
    AdminSocket.removeDead(in: directory)
    let path = "\(directory)/\(record.id).sock"
    do {
      let server = try AdminServer(path: path) { [view] in view.answer($0) }
      server.start()
      admin = server
      record.adminSocket = path
    } catch {
      options.report("no admin socket, so no metrics: \"\(path)\": \(error.reason)")
    }
  }
}
