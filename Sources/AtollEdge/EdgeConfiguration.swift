// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What an edge serves, immutable: every loop uses one until it is handed the next.
package final class EdgeConfiguration: Sendable {
  package let distributions: [DistributionPolicy]
  /// Tells where viewers are; nil when nobody wants to know.
  package let geoDatabase: GeoDatabase?
  /// Answers for hosts that no distribution claims.
  private let fallback: DistributionPolicy?
  /// The fallback when there is no other: no host needs to be looked at.
  private let only: Unmanaged<DistributionPolicy>?
  private let byHost: [String: DistributionPolicy]
  /// Of certificate authorities: they come before every distribution's own rules.
  let challenges: ChallengeAnswers
  /// Of all origins.
  let endpoints: Set<OriginEndpoint>

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
    var byHost: [String: DistributionPolicy] = [:]
    for policy in distributions {
      for host in policy.hostNames where byHost[host] == nil { byHost[host] = policy }
    }
    self.byHost = byHost
    endpoints = Set(distributions.flatMap { $0.origins.flatMap(\.endpoints) })
    if let defaultName {
      fallback = distributions.first { $0.distribution.name == defaultName }
    } else {
      fallback = distributions.count == 1 && isComplete ? distributions[0] : nil
    }
    // A challenge makes a difference to every request, as long as it is pending.
    only =
      distributions.count == 1 && challenges.isEmpty
      ? fallback.map { .passUnretained($0) } : nil
  }

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

  @inline(never)
  private func search(_ head: RequestHead, _ base: UnsafePointer<UInt8>)
    -> Unmanaged<DistributionPolicy>?
  {
    if !challenges.isEmpty, challengeAnswer(to: head, base) != nil { return nil }
    return search(head.authority(in: base)).map { .passUnretained($0) }
  }

  /// Nil for every other request.
  func challengeAnswer(to head: RequestHead, _ base: UnsafePointer<UInt8>) -> String? {
    guard head.method == .get || head.method == .head else { return nil }
    return challenges.answer(toPath: head.path(in: base))
  }

  /// - Parameter authority: as received, with or without a port.

  private func search(_ authority: UnsafeBufferPointer<UInt8>) -> DistributionPolicy? {
    var end = authority.count
    var at = end
    while at > 0, authority[at - 1] >= 48, authority[at - 1] <= 57 { at -= 1 }
    if at > 0, authority[at - 1] == 0x3a { end = at - 1 }
    // A name may be written with its root's dot.
    if end > 0, authority[end - 1] == 0x2e { end -= 1 }
    let host = String(
      decoding: authority[..<end].lazy.map { $0 >= 65 && $0 <= 90 ? $0 | 0x20 : $0 },
      as: UTF8.self)
    return byHost[host] ?? fallback
  }
}
