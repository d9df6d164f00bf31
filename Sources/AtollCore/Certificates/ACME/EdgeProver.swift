// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Has the running edges answer: a request for a path of theirs (http-01), or a handshake with a
/// protocol of its own (tls-alpn-01, RFC 8737). The proofs go with the process in any case.
package final class EdgeProver: ChallengeProver {
  package let challenge: ChallengeType
  private let store: any Store
  /// How long an edge may take until it answers.
  private let patience: Duration
  private let holds = Mutex<[any StoreHold]>([])

  package init(_ store: any Store, _ challenge: ChallengeType, patience: Duration = .seconds(15)) {
    self.store = store
    self.challenge = challenge
    self.patience = patience
  }

  package func present(_ proofs: [ChallengeProof]) throws(ACMEError) {
    let answers: [EdgeConfirmation]
    do throws(StoreError) {
      for proof in proofs {
        let hold = try PendingChallenges(store).post(proof.pending(challenge))
        holds.withLock { $0.append(hold) }
      }
      answers = try EdgeRegistry(store).waitUntilAnswered(
        tokens: proofs.map(\.token), timeout: patience)
    } catch {
      throw ACMEError(.preparation, error.message, hint: error.hint)
    }
    guard !answers.isEmpty else {
      throw ACMEError(
        .preparation, "no edge runs on this store that could answer the CA",
        hint: "start one with atoll serve")
    }
    for late in answers where !late.isConfirmed {
      throw ACMEError(
        .preparation,
        "edge \"\(late.edge.id)\" (process \(late.edge.pid)) does not answer challenges",
        hint: "look at that edge's log, and whether it is of this version")
    }
  }

  package func withdraw() {
    for hold in holds.withLock({ holds in
      defer { holds = [] }
      return holds
    }) { hold.release() }
  }
}
