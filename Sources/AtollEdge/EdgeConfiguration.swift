// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What an edge serves, immutable: every loop uses one until it is handed the next.
package final class EdgeConfiguration: @unchecked Sendable {
  package let distributions: [DistributionPolicy]
  /// Tells where viewers are; nil when nobody wants to know.
  package let geoDatabase: GeoDatabase?
  /// Answers for hosts that no distribution claims.
  private let fallback: Unmanaged<DistributionPolicy>?
  /// The fallback when there is no other: no host needs to be looked at.
  private let only: Unmanaged<DistributionPolicy>?
  private let hosts: HostTable
  /// In the order of `distributions`, which keeps them: an array's element would be counted.
  private let policies: UnsafeMutablePointer<Unmanaged<DistributionPolicy>>
  /// Of certificate authorities: they come before every distribution's own rules.
  let challenges: ChallengeAnswers
  /// Of all origins.
  let targets: Set<OriginTarget>

  /// - Parameter defaultName: of the distribution for unclaimed hosts; without one it is the only
  ///   distribution, when there is just one.
  /// - Parameter isComplete: whether no distribution is missing. Where one is, its viewers must not
  ///   get what the only other one serves.
  package init(
    distributions: [DistributionPolicy], defaultName: String? = nil, isComplete: Bool = true,
    geoDatabase: GeoDatabase? = nil, challenges: ChallengeAnswers = ChallengeAnswers()
  ) {
    self.challenges = challenges
    self.distributions = distributions
    self.geoDatabase = geoDatabase
    let hosts = HostTable(distributions.map(\.distribution))
    self.hosts = hosts
    policies = .allocate(capacity: max(distributions.count, 1))
    for (index, policy) in distributions.enumerated() {
      (policies + index).initialize(to: .passUnretained(policy))
    }
    targets = Set(distributions.flatMap { $0.origins.flatMap { $0.origin.allTargets } })
    let chosen =
      if let defaultName {
        distributions.first { $0.distribution.name == defaultName }
      } else {
        distributions.count == 1 && isComplete ? distributions[0] : nil
      }
    fallback = chosen.map { .passUnretained($0) }
    // A challenge makes a difference to every request, as long as it is pending.
    only =
      distributions.count == 1 && !hosts.hasDetached && challenges.isEmpty ? fallback : nil
  }

  deinit { policies.deallocate() }

  /// Goes on from what is known about the targets of the former configuration, before any loop uses
  /// this one. A distribution that has not changed brings its policy, and so its targets, along.
  func adoptTargets(of former: EdgeConfiguration) {
    for policy in distributions {
      let old = former.distributions.first { $0.distribution.id == policy.distribution.id }
      if let old, old !== policy { policy.adoptTargets(of: old) }
    }
  }

  /// Valid as long as the configuration. Nil when no distribution answers, as for the challenges of
  /// certificate authorities.
  @inline(__always)
  func distribution(for head: RequestHead, _ base: UnsafePointer<UInt8>)
    -> Unmanaged<DistributionPolicy>?
  {
    if let only { return only }
    return search(head, base)
  }

  /// Whether a distribution has answered for the host once and is to answer no more.
  func isDetached(_ authority: UnsafeBufferPointer<UInt8>) -> Bool {
    hosts.owner(of: authority) == HostTable.detached
  }

  @inline(never)
  private func search(_ head: RequestHead, _ base: UnsafePointer<UInt8>)
    -> Unmanaged<DistributionPolicy>?
  {
    if !challenges.isEmpty, challengeAnswer(to: head, base) != nil { return nil }
    // No reference is counted for the table, which lives as long as this.
    let owner = Unmanaged.passUnretained(hosts)._withUnsafeGuaranteedRef {
      $0.owner(of: head.authority(in: base))
    }
    if owner >= 0 { return policies[Int(owner)] }
    return owner == HostTable.unknown ? fallback : nil
  }

  /// Nil for every other request.
  func challengeAnswer(to head: RequestHead, _ base: UnsafePointer<UInt8>) -> String? {
    guard head.method == .get || head.method == .head else { return nil }
    return challenges.answer(toPath: head.path(in: base))
  }
}
