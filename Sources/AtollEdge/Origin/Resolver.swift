// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc
import Synchronization

/// Turns origin names into addresses: cached for the records' time to live, looked up once for all
/// who ask at the same time, refreshed before the answer runs out.
///
/// When a later lookup fails the old addresses stay in use: a dead name server must not take down
/// origins that are well.
package final class Resolver: Sendable {
  package typealias Answer = NameService.Answer
  package typealias Reply = @Sendable (Answer) -> Void

  /// How names are looked up; tests stand in for it.
  package struct Source: Sendable {
    /// Blocks. Ports are 0.
    package var addresses: @Sendable (_ host: String) -> Answer
    /// Blocks. Seconds that the records hold, nil when unknown.
    package var lifetime: @Sendable (_ host: String, _ addresses: [SocketAddress]) -> Int64?

    package init(
      addresses: @escaping @Sendable (String) -> Answer,
      lifetime: @escaping @Sendable (String, [SocketAddress]) -> Int64?
    ) {
      self.addresses = addresses
      self.lifetime = lifetime
    }
  }

  /// Longest and shortest use of an answer in milliseconds, whatever the records say.
  package static let longestLifetime: Int64 = 30_000
  package static let shortestLifetime: Int64 = 1_000
  /// How long a failure is believed.
  package static let failureLifetime: Int64 = 1_000
  /// How long a lookup may keep callers waiting when old addresses are at hand.
  package static let patience: Int64 = 2_000
  /// After a lookup that found no time to live: no second one for this long.
  package static let lifetimeRetry: Int64 = 300_000

  fileprivate struct Waiter {
    let port: UInt16
    let reply: Reply
  }

  fileprivate struct Name {
    var addresses: [SocketAddress] = []
    var error: ResolveError?
    /// All times in milliseconds of the monotonic clock.
    var freshUntil: Int64 = 0
    var refreshAfter: Int64 = 0
    var lookupSince: Int64?
    var waiters: [Waiter] = []
    /// Of the record, when it is known.
    var lifetime: Int64?
    var lifetimeAfter: Int64 = 0
  }

  private let pool: WorkerPool
  private let source: Source
  private let clock: @Sendable () -> Int64
  private let names = Mutex<[String: Name]>([:])

  package init(
    pool: WorkerPool, source: Source = .system,
    clock: @escaping @Sendable () -> Int64 = { SystemCall.monotonicMilliseconds() }
  ) {
    self.pool = pool
    self.source = source
    self.clock = clock
  }

  /// Calls `reply` once: before returning when the answer is at hand, else on a worker thread.
  package func resolve(host: String, port: UInt16, reply: @escaping Reply) {
    if let literal = SocketAddress(host: host, port: port) {
      reply(.success([literal]))
      return
    }
    if NameService.isLocal(host) {
      reply(.success(NameService.loopback.map { $0.withPort(port) }))
      return
    }
    let now = clock()
    var answer: Answer?
    var startsLookup = false
    names.withLock { names in
      var name = names.removeValue(forKey: host) ?? Name()
      let isFresh = now < name.freshUntil
      answer = name.answer(at: now)
      startsLookup = name.lookupSince == nil && (!isFresh || now >= name.refreshAfter)
      if startsLookup { name.lookupSince = now }
      if answer == nil { name.waiters.append(Waiter(port: port, reply: reply)) }
      names[host] = name
    }
    if startsLookup {
      pool.submit { [weak self] in self?.lookUp(host) }
    }
    if let answer { reply(answer.map { $0.map { $0.withPort(port) } }) }
  }

  /// Runs on a worker.
  private func lookUp(_ host: String) {
    let result = source.addresses(host)
    let now = clock()
    var waiters: [Waiter] = []
    var answer = result
    var asksLifetime = false
    names.withLock { names in
      var name = names.removeValue(forKey: host) ?? Name()
      name.lookupSince = nil
      name.record(result, at: now)
      waiters = name.waiters
      name.waiters = []
      if !name.addresses.isEmpty { answer = .success(name.addresses) }
      asksLifetime = name.error == nil && now >= name.lifetimeAfter
      names[host] = name
    }
    for waiter in waiters {
      waiter.reply(answer.map { $0.map { $0.withPort(waiter.port) } })
    }
    // Only now: nobody should wait for what merely shortens the answer's life.
    guard asksLifetime, case .success(let addresses) = result else { return }
    let seconds = source.lifetime(host, addresses)
    names.withLock { names in
      names[host]?.recordLifetime(seconds, of: addresses, lookedUp: now)
    }
  }
}

extension Resolver.Name {
  /// Nil when the caller has to wait for a lookup.
  func answer(at now: Int64) -> Resolver.Answer? {
    if addresses.isEmpty {
      if let error, now < freshUntil { return .failure(error) }
      return nil
    }
    // Old addresses do while lookups fail or take long.
    let isSlow = lookupSince.map { now - $0 >= Resolver.patience } ?? false
    return now < freshUntil || error != nil || isSlow ? .success(addresses) : nil
  }

  mutating func record(_ result: Resolver.Answer, at now: Int64) {
    switch result {
    case .success(let found):
      addresses = Array(found.prefix(Limits.addresses))
      error = nil
      setLifetime(lifetime ?? Resolver.longestLifetime, from: now)
    case .failure(let failure):
      error = failure
      freshUntil = now + Resolver.failureLifetime
      refreshAfter = freshUntil
    }
  }

  mutating func recordLifetime(
    _ seconds: Int64?, of resolved: [SocketAddress], lookedUp: Int64
  ) {
    guard let seconds else {
      lifetime = nil
      lifetimeAfter = lookedUp + Resolver.lifetimeRetry
      return
    }
    lifetime = seconds > 30 ? Resolver.longestLifetime : seconds * 1000
    if error == nil { setLifetime(lifetime!, from: lookedUp) }
  }

  /// The last quarter of its life is for the refresh in the background.
  private mutating func setLifetime(_ milliseconds: Int64, from start: Int64) {
    let life = min(max(milliseconds, Resolver.shortestLifetime), Resolver.longestLifetime)
    freshUntil = start + life
    refreshAfter = start + life * 3 / 4
  }
}

extension Resolver.Source {
  /// The system's resolver: /etc/hosts, DNS and whatever nsswitch.conf names.
  package static let system = Resolver.Source(
    addresses: { host in NameService.lookUp(host) },
    lifetime: { host, addresses in
      let hasIPv4 = addresses.contains { $0.family == AF_INET }
      let seconds = csystem_record_ttl(host, hasIPv4 ? 0 : 1)
      return seconds < 0 ? nil : seconds
    })
}
