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
  /// Milliseconds after which a store that failed is tried again.
  private static let storeRetry: Int64 = 2_000

  package let edge: Edge
  private let source: Source
  let options: SupervisorOptions
  let bell = Bell()
  private let signals: SignalReader?
  let view: SupervisorView
  // Of the running thread alone:
  var deployment = Deployment()
  var distributionProblems: [String] = []
  private var geoDatabase: GeoDatabase?
  /// Whether every distribution of the store is served, if in an older revision.
  private var isComplete = true
  var record: EdgeRecord
  private var registration: EdgeRegistration?
  private var watches: [any StoreWatch] = []
  private var admin: AdminServer?
  private var minutes: MinuteRing
  private var transfer: TransferCount
  /// The interval in which the store was told last.
  private var transferRound: Int64
  private var transferTrouble: String?
  /// What keeps it from reading the store, and from telling the store what is in force.
  private var readTrouble: String?
  private var publishTrouble: String?
  private var retryAt: Int64?
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
  private var isDraining = false
  private var hasStickySecret = false

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
    Thread.startDetached("atoll-drain") { [edge, bell, options] in
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

  // MARK: The store

  /// Before anything is served: afterwards nothing is missed, since the watches stand first.
  private func load() throws {
    record.addresses = edge.addresses
    record.secureAddresses = edge.secureAddresses
    if let store {
      do {
        try watch(store)
        // An empty cache has nothing to fear from older purges.
        record.purge = try PurgeJournal(store).lastNumber()
        let revision = try readConfiguration()
        makeDefaultCertificate(store)
        try readCertificates(store)
        record.revision = revision
      } catch {
        // Without its store an edge of an unsaved distribution still does its work.
        guard case .unsaved(let distribution, _) = source else { throw error }
        noteReadTrouble(error)
        apply([distribution], invalid: [])
        makeTemporaryCertificate()
        showCertificates()
      }
    } else {
      record.revision = try readConfiguration()
      makeTemporaryCertificate()
      showCertificates()
    }
    if deployment.policies.isEmpty {
      options.report("no distribution to serve yet: every request is answered with 421")
    }
  }

  private func watch(_ store: any Store) throws(StoreError) {
    watches = [
      try store.watch(Catalog.prefix) { [bell] _ in bell.ringConfiguration() },
      try store.watch(PurgeJournal.prefix) { [bell] _ in bell.ringPurges() },
      try store.watch(PendingChallenges.prefix) { [bell] _ in bell.ringChallenges() },
      try store.watch(CertificateCatalog.prefix) { [bell] _ in bell.ringCertificates() },
    ]
  }

  /// Takes over what changed in the store, and then says so there.
  private func follow(_ rung: Bell.Rung) {
    guard rung.configuration || rung.purges || rung.challenges || rung.certificates, let store
    else { return }
    do throws(StoreError) {
      if watches.isEmpty { try watch(store) }
      if rung.configuration || rung.certificates {
        // What is read last holds every write up to the revision of what was read first.
        let revision = try readConfiguration()
        try readCertificates(store)
        record.revision = revision
      }
      if rung.purges { try applyPurges(store) }
      if rung.challenges { try readChallenges(store) }
      if readTrouble != nil { options.report("the store is readable again") }
      readTrouble = nil
    } catch {
      noteReadTrouble(error)
    }
    publish()
  }

  /// - Returns: the revision that every loop uses now.
  private func readConfiguration() throws(StoreError) -> UInt64 {
    switch source {
    case .unsaved(let distribution, let store):
      let revision = try store?.revision() ?? 0
      apply([distribution], invalid: [])
      return revision
    case .store(let store):
      let (revision, distributions, invalid) = try Catalog(store).all()
      // A store without distributions and without a history is no edit but a directory that is
      // gone, or not mounted.
      if revision == 0 && distributions.isEmpty && invalid.isEmpty && record.revision > 0 {
        throw .failed(action: "find anything in", place: store.place, why: "it is empty")
      }
      apply(distributions, invalid: invalid)
      return revision
    }
  }

  /// Returns when every loop uses the configuration.
  private func apply(
    _ distributions: [Distribution], invalid: [(name: String, error: ConfigError)]
  ) {
    let (servable, refused) = withinMeans(distributions)
    let change = deployment.update(to: servable, invalid: invalid + refused)
    for line in change.lines { options.report(line) }
    var problems = deployment.problems
    if let name = options.defaultDistribution,
      !deployment.policies.contains(where: { $0.distribution.name == name })
    {
      let problem = "the default distribution \"\(name)\" does not exist"
      if !record.problems.contains(problem) { options.report(problem) }
      problems.append(problem)
    }
    distributionProblems = problems
    record.refused = deployment.refused
    for policy in deployment.policies {
      transfer.know(id: policy.distribution.id, slot: policy.slot)
    }
    let isComplete = deployment.policies.count >= distributions.count + invalid.count
    defer { noteProblems() }
    guard change.isNew || isComplete != self.isComplete else { return }
    self.isComplete = isComplete
    shareStickySecret()
    install()
    for slot in change.retiredSlots {
      let number = edge.purgeNumber + 1
      edge.startPurges(at: number)
      _ = edge.cache.purgeAll(slot: slot, number: number, soft: false)
    }
    view.update { $0.policies = deployment.policies }
  }

  /// Once, before the first distribution with sticky sessions is served.
  private func shareStickySecret() {
    let usesIt = deployment.policies.contains { policy in
      policy.origins.contains { $0.origin.sticky != nil }
    }
    guard usesIt, !hasStickySecret, let store else { return }
    do throws(StoreError) {
      edge.stickySecret = try StickySecret(store).get()
      hasStickySecret = true
    } catch {
      options.report("\(error.message); sticky sessions of this edge mean nothing to others")
    }
  }

  /// Those that this edge is able to serve, and what keeps it from serving the others.
  private func withinMeans(_ distributions: [Distribution]) -> (
    [Distribution], [(name: String, error: ConfigError)]
  ) {
    var servable: [Distribution] = []
    var refused: [(name: String, error: ConfigError)] = []
    for distribution in distributions {
      if geoDatabase == nil, let need = distribution.geoDatabaseNeed {
        // Whoever reads the edge's log has no hints beside it.
        let problems = need.problems.map { problem in
          var problem = problem
          problem.what += "; \(problem.hint)"
          return problem
        }
        refused.append((distribution.name, ConfigError(problems: problems)))
      } else {
        servable.append(distribution)
      }
    }
    return (servable, refused)
  }

  /// Returns when every loop uses what is deployed.
  private func install() {
    edge.apply(
      EdgeConfiguration(
        distributions: deployment.policies, defaultName: options.defaultDistribution,
        isComplete: isComplete, geoDatabase: geoDatabase,
        challenges: ChallengeAnswers(challenges)))
  }

  /// Returns when they are answered.
  private func readChallenges(_ store: any Store) throws(StoreError) {
    let challenges = try PendingChallenges(store).all()
    guard challenges != self.challenges else { return }
    self.challenges = challenges
    install()
    showCertificates()
    record.challenges = challenges.map(\.token)
  }

  private func applyPurges(_ store: any Store) throws(StoreError) {
    let (records, complete) = try PurgeJournal(store).records(after: record.purge)
    if !complete {
      // Records that this edge never saw are gone, or the numbers have begun anew: whatever they
      // were about, an empty cache obeys them.
      options.report("purges are missing from the journal: purging everything")
      for policy in deployment.policies {
        purge(
          PurgeRecord(
            distribution: policy.distribution.name, id: policy.distribution.id,
            at: SystemCall.wallSeconds(), soft: false, selector: .all))
      }
      record.purge = 0
    }
    for purged in records {
      let count = purge(purged)
      record.apply(
        AppliedPurge(number: purged.number, count: count, at: SystemCall.wallSeconds()))
    }
  }

  /// The cache counts purges for itself: the journal's numbers may start over, these never.
  @discardableResult
  private func purge(_ record: PurgeRecord) -> Int {
    var record = record
    record.number = edge.purgeNumber + 1
    // An unsaved distribution is known to the commands by its name only.
    if case .unsaved(let distribution, _) = source, record.distribution == distribution.name {
      record.id = distribution.id
    }
    return edge.purge(record)
  }

  /// Tells the admin socket and the store, and so every command, what is in force.
  private func publish() {
    view.update { $0.record = record }
    guard let store, !isDraining else { return }
    do throws(StoreError) {
      if let registration {
        try registration.update(record)
      } else {
        registration = try EdgeRegistry(store).register(record)
      }
      if publishTrouble != nil { options.report("this edge is known to the commands again") }
      publishTrouble = nil
    } catch {
      let text = error.message
      if publishTrouble != text {
        options.report("\(text); commands cannot see what this edge has in force")
      }
      publishTrouble = text
      retry()
    }
  }

  private func noteReadTrouble(_ error: any Error) {
    let text = (error as? StoreError)?.message ?? "the store failed"
    if readTrouble != text { options.report("\(text); what was read before stays in use") }
    readTrouble = text
    retry()
  }

  private func retry() { retryAt = SystemCall.monotonicMilliseconds() + Self.storeRetry }
}
