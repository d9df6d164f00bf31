// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// A TXT record that proves a domain (RFC 8555 §8.4).
package struct ChallengeRecord: Equatable, Sendable {
  package var domain: String
  /// Where it has to be: CNAMEs are followed.
  package var name: DNSName
  package var value: String
  /// The zone that holds it, and the server that changes of the zone are made at, if they were
  /// found.
  package var zone: DNSName?
  package var primary: DNSName?
}

/// Who creates the records of dns-01, and removes them.
package protocol RecordKeeper: Sendable {
  func create(_ records: [ChallengeRecord]) throws(ACMEError)
  func remove(_ records: [ChallengeRecord])
}

/// Has records created, and waits until everyone can see them.
package final class DNSProver: ChallengeProver {
  package let challenge = ChallengeType.dns
  private let keeper: any RecordKeeper
  private let watch: RecordWatch
  /// Where what is awaited is posted meanwhile, for commands that show it.
  private let board: PendingChallenges
  private let state = Mutex(State())

  private struct State: ~Copyable {
    var records: [ChallengeRecord] = []
    var holds: [any StoreHold] = []
    var isOver = false
  }

  package init(_ keeper: any RecordKeeper, _ watch: RecordWatch, in store: any Store) {
    self.keeper = keeper
    self.watch = watch
    board = PendingChallenges(store)
  }

  package func present(_ proofs: [ChallengeProof]) throws(ACMEError) {
    var records: [ChallengeRecord] = []
    for proof in proofs { records.append(try watch.record(of: proof)) }
    let made = records
    // Held while the records are made, so that who takes them away takes all.
    let outcome: Result<Void, ACMEError> = state.withLock { state in
      if state.isOver {
        return .failure(
          ACMEError(.preparation, "interrupted before the records were created", hint: "repeat it"))
      }
      state.records += made
      // Nobody answers these: without a place on the store they are proven all the same.
      for proof in proofs {
        if let hold = try? board.post(proof.pending(challenge)) { state.holds.append(hold) }
      }
      do throws(ACMEError) {
        try keeper.create(made)
        return .success(())
      } catch {
        return .failure(error)
      }
    }
    try outcome.get()
    try watch.await(records)
  }

  package func withdraw() {
    state.withLock { state in
      if !state.records.isEmpty { keeper.remove(state.records) }
      state.records = []
      for hold in state.holds { hold.release() }
      state.holds = []
    }
  }

  /// The same, for good.
  package func end() {
    withdraw()
    state.withLock { $0.isOver = true }
  }
}

/// Looks for records in DNS, past every cache where it can.
package struct RecordWatch: Sendable {
  private let dns: DNSClient
  /// False: the name servers that were chosen are asked, and no others.
  private let asksZones: Bool
  /// Seconds until the records are seen by all.
  private let limit: Int
  private let time: ACMETime
  private let report: @Sendable (String) -> Void

  package init(
    dns: DNSClient, asksZones: Bool, limit: Int, time: ACMETime = .real,
    report: @escaping @Sendable (String) -> Void
  ) {
    self.dns = dns
    self.asksZones = asksZones
    self.limit = limit
    self.time = time
    self.report = report
  }

  func record(of proof: ChallengeProof) throws(ACMEError) -> ChallengeRecord {
    guard let name = DNSName(proof.recordName) else {
      throw ACMEError(
        .settings, "\(quoted(proof.recordName)) is too long for a name in DNS",
        hint: "prove that domain by http-01")
    }
    var place = name
    do throws(DNSError) {
      // A delegation (RFC 8555 §8.4 has the CA follow it); the record itself need not exist yet.
      place = try dns.query(name, .txt).canonicalName
    } catch {
      throw Self.failure(error, "look up \(name)")
    }
    let zone = asksZones ? try? dns.zone(of: place) : nil
    return ChallengeRecord(
      domain: proof.domain, name: place, value: proof.recordValue, zone: zone?.apex,
      primary: zone?.primary)
  }

  func await(_ records: [ChallengeRecord]) throws(ACMEError) {
    let end = time.now() + Int64(limit)
    var missing = records
    var pause = 200
    var isTold = false
    while true {
      var late: [String] = []
      var still: [ChallengeRecord] = []
      for record in missing {
        let servers = lacking(record)
        if servers.isEmpty { continue }
        still.append(record)
        late.append("\(record.name) at \(listed(servers, "and"))")
      }
      missing = still
      if missing.isEmpty { return }
      if time.now() >= end {
        throw ACMEError(
          .preparation,
          "the TXT record \(late[0]) was not found within \(limit) s",
          hint: "check that it was created with the value that was given, or give it more time "
            + "with --dns-timeout", details: Array(late.dropFirst()))
      }
      if !isTold {
        report(
          "waiting until the name servers have \(listed(missing.map(\.name.description), "and"))")
        isTold = true
      }
      time.pause(pause)
      pause = min(pause * 2, 5_000)
    }
  }

  /// The servers that do not have the record.
  private func lacking(_ record: ChallengeRecord) -> [String] {
    if asksZones, let answers = try? dns.authoritative(record.name, .txt), !answers.isEmpty {
      var lacking: [String] = []
      var silent: [String] = []
      for (server, result) in answers {
        switch result {
        case .success(let reply):
          if !reply.texts.contains(record.value) { lacking.append("\(server)") }
        // A server that this machine can't talk to must not hold up what the others have.
        case .failure: silent.append("\(server)")
        }
      }
      return silent.count == answers.count ? silent : lacking
    }
    guard let reply = try? dns.query(record.name, .txt) else {
      return [listed(dns.servers.map(\.description), "and")]
    }
    return reply.texts.contains(record.value) ? [] : ["\(reply.server)"]
  }

  static func failure(_ error: DNSError, _ doing: String) -> ACMEError {
    ACMEError(
      .preparation, "could not \(doing): \(error)",
      hint: "check the name servers of the domain and of this machine, or name others with "
        + "--dns-server")
  }
}
