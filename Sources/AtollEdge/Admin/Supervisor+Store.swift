// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Following the store: what is read of it is put in force on every loop, and what is in force is
/// told to the commands.
extension Supervisor {
  /// Milliseconds after which a store that failed is tried again.
  private static let storeRetry: Int64 = 2_000

  /// Before anything is served: afterwards nothing is missed, since the watches stand first.
  func load() throws {
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

  func watch(_ store: any Store) throws(StoreError) {
    watches = [
      try store.watch(Catalog.prefix) { [bell] _ in bell.ringConfiguration() },
      try store.watch(PurgeJournal.prefix) { [bell] _ in bell.ringPurges() },
      try store.watch(PendingChallenges.prefix) { [bell] _ in bell.ringChallenges() },
      try store.watch(CertificateCatalog.prefix) { [bell] _ in bell.ringCertificates() },
    ]
  }

  /// Takes over what changed in the store, and then says so there.
  func follow(_ rung: Bell.Rung) {
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
  func install() {
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
  func publish() {
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
