// SPDX-License-Identifier: Apache-2.0

/// A target of an origin at the moment of choosing.
package struct TargetCandidate: Equatable, Sendable {
  package var availability: TargetHealth.Availability
  /// Whether it is down because requests failed: not for its health checks alone.
  package var failsRequests: Bool
  /// Requests of all loops that it has now.
  package var load: Int
  /// Of its host and port, the same in every edge.
  package var seed: UInt64

  package init(
    availability: TargetHealth.Availability, failsRequests: Bool = false, load: Int = 0,
    seed: UInt64 = 0
  ) {
    self.availability = availability
    self.failsRequests = failsRequests
    self.load = load
    self.seed = seed
  }
}

/// Which target a request goes to, and in what capacity.
package struct TargetChoice: Equatable, Sendable {
  package enum Kind: Equatable, Sendable {
    case usual
    /// The one request that tries an ejected target; to be claimed before it is sent.
    case trial
    /// Every target counts as down, and asking one of them beats asking none.
    case lastResort
  }

  package var index: Int
  package var kind: Kind

  package init(index: Int, kind: Kind) {
    self.index = index
    self.kind = kind
  }
}

/// What a request asks of the choice.
package struct TargetWish: Equatable, Sendable {
  package var balance: Balance
  /// Counts the origin's requests.
  package var ticket: UInt64
  /// Of the cache key, for `Balance.hash`.
  package var hash: UInt64
  /// The target that the viewer's cookie names.
  package var preferred: Int?
  /// Those that have failed this request.
  package var tried: [Int]
  /// The request can be repeated: it may try a target that was ejected.
  package var mayTry: Bool
  /// There is nobody else to ask: targets that are down are better than none.
  package var isLastResort: Bool

  package init(
    balance: Balance, ticket: UInt64 = 0, hash: UInt64 = 0, preferred: Int? = nil,
    tried: [Int] = [], mayTry: Bool = true, isLastResort: Bool = true
  ) {
    self.balance = balance
    self.ticket = ticket
    self.hash = hash
    self.preferred = preferred
    self.tried = tried
    self.mayTry = mayTry
    self.isLastResort = isLastResort
  }
}

/// Picks among targets; nil when none may be asked.
///
/// Those that are up come first, then those on their way back, and only when every target of the
/// origin is down one of these, as AWS's load balancers do: a health check that is wrong about all
/// of them must not take the site away. Where requests have failed it is no mistake: then a few at a
/// time look whether that is over, and the rest neither queue for the timeout nor fall upon the
/// origin in the moment that it is back.
package func chooseTarget(_ candidates: [TargetCandidate], _ wish: TargetWish) -> TargetChoice? {
  var admitted: [Int] = []
  var returning: [Int] = []
  for (index, candidate) in candidates.enumerated() where !wish.tried.contains(index) {
    switch candidate.availability {
    case .up(let share):
      if index == wish.preferred { return TargetChoice(index: index, kind: .usual) }
      if share >= 100 || mixed(wish.ticket ^ candidate.seed) % 100 < UInt64(share) {
        admitted.append(index)
      } else {
        returning.append(index)
      }
    case .trialDue:
      if wish.mayTry { admitted.append(index) }
    case .down: break
    }
  }
  if admitted.isEmpty { admitted = returning }
  if !admitted.isEmpty {
    let index = pick(admitted, of: candidates, wish)
    let isTrial = candidates[index].availability == .trialDue
    return TargetChoice(index: index, kind: isTrial ? .trial : .usual)
  }
  // An origin of which one target still stands is not at its end, even if that one failed this
  // request.
  let hasUp = candidates.contains { if case .up = $0.availability { true } else { false } }
  guard wish.isLastResort, !hasUp else { return nil }
  let rest = candidates.indices.filter { index in
    let candidate = candidates[index]
    return !wish.tried.contains(index)
      && (!candidate.failsRequests || candidate.load < Limits.lastResortRequests)
  }
  guard !rest.isEmpty else { return nil }
  if let preferred = wish.preferred, rest.contains(preferred) {
    return TargetChoice(index: preferred, kind: .lastResort)
  }
  return TargetChoice(index: pick(rest, of: candidates, wish), kind: .lastResort)
}

private func pick(_ indices: [Int], of candidates: [TargetCandidate], _ wish: TargetWish) -> Int {
  let first = Int(wish.ticket % UInt64(indices.count))
  switch wish.balance {
  case .roundRobin:
    return indices[first]
  case .leastConnections:
    // Equals take turns.
    var best = indices[first]
    for step in 1..<max(indices.count, 1) {
      let index = indices[(first + step) % indices.count]
      if candidates[index].load < candidates[best].load { best = index }
    }
    return best
  case .hash:
    // Rendezvous hashing: when a target leaves, only its own keys move.
    return indices.max { a, b in
      mixed(wish.hash ^ candidates[a].seed) < mixed(wish.hash ^ candidates[b].seed)
    }!
  }
}

/// SplitMix64's finalizer.
private func mixed(_ value: UInt64) -> UInt64 {
  var mixed = value &+ 0x9e37_79b9_7f4a_7c15
  mixed = (mixed ^ (mixed &>> 30)) &* 0xbf58_476d_1ce4_e5b9
  mixed = (mixed ^ (mixed &>> 27)) &* 0x94d0_49bb_1331_11eb
  return mixed ^ (mixed &>> 31)
}

/// The same in every process: what decides on targets for all edges alike.
package func publicHash(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
  keyHash(bytes, seed: HashSeed(0x6174_6f6c_6c2d_7461, 0x7267_6574_732d_3031)).low
}

/// What `Balance.hash` goes by: the cache key from its URL on, since slots differ between edges and
/// the other methods of a URL should find the same target.
package func targetHash(ofKey key: UnsafeBufferPointer<UInt8>) -> UInt64 {
  publicHash(UnsafeBufferPointer(rebasing: key.dropFirst(KeyLayout.urlOffset)))
}
