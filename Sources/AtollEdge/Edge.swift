// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc
import Synchronization

/// A caching edge: loops that accept viewers, and what they share.
///
/// It knows nothing of the store: the supervisor hands it configurations and purges.
package final class Edge: @unchecked Sendable {
  let options: EdgeOptions
  package let cache: CacheStore
  package let budget: MemoryBudget
  let registry = FetchRegistry()
  let invalidations: InvalidationScan
  let resolver: Resolver
  package let compressor: Compressor
  let seed = HashSeed.random()
  /// Names this edge in CDN-Loop: edges may stand behind each other, but none behind itself.
  let loopID = "atoll-\(String(UInt64.random(in: .min ... .max), radix: 36))"
  package let accessLog: AccessLog?
  /// Bound addresses, ports resolved: "127.0.0.1:8080", "[::]:8080", "unix:/path".
  package private(set) var addresses: [String] = []
  /// Those where viewers speak TLS.
  package private(set) var secureAddresses: [String] = []
  /// Sealed tickets stay good whatever certificates come and go.
  let ticketKeys = TicketKeys()
  /// Where viewers who came in the clear are sent; as it was bound.
  private(set) var securePorts = SecurePorts()

  private(set) var loops: [EventLoop] = []
  private var listeners: [(descriptor: Int32, isUnix: Bool, isSecure: Bool, loop: Int)] = []
  private var unixPaths: [String] = []
  /// Before `start` the loops have no threads: their owner may still touch them.
  private var isStarted = false
  private let connections = Atomic<Int>(0)
  private let currentPurge = Atomic<UInt64>(0)
  private let configurationLock = Lock()
  private var configuration: EdgeConfiguration
  private var sticky = HashSeed.random()
  private var checker: HealthChecker!

  package static let smallestMemory = 8 << 20

  /// Binds its addresses; serves from `start` on.
  package init(options: EdgeOptions, configuration: EdgeConfiguration) throws(EdgeError) {
    self.options = options
    self.configuration = configuration
    if options.memory < Self.smallestMemory {
      throw .memoryTooSmall(minimum: Self.smallestMemory)
    }
    if !CacheStore.canLayOut(bytes: options.memory) { throw .memoryRefused(options.memory) }
    csystem_tune_malloc()
    csystem_ignore_sigpipe()
    budget = MemoryBudget(limit: options.memory)
    cache = CacheStore(budget: budget, seed: seed)
    invalidations = InvalidationScan(cache: cache, registry: registry)
    resolver = options.resolver ?? Resolver(pool: WorkerPool(threads: 4))
    compressor = Compressor(
      cache: cache, pool: options.compressionPool, threads: max(1, min(4, options.threads / 2)))
    if let target = options.accessLog {
      do {
        accessLog = try AccessLog(target: target, format: options.logFormat, report: options.report)
      } catch {
        throw .accessLog(path: error.path, reason: error.reason)
      }
    } else {
      accessLog = nil
    }
    let certificates: TLSCertificates
    do throws(TLSError) {
      certificates = try TLSCertificates([], policy: options.tlsPolicy)
    } catch {
      throw .tls(error.message)
    }
    for index in 0..<max(1, options.threads) {
      let loop = try EventLoop(index: index)
      loop.services = LoopServices(
        loop: loop, edge: self, configuration: configuration, certificates: certificates)
      loops.append(loop)
    }
    checker = HealthChecker(loop: loops[0], resolver: resolver, report: options.report)
    do {
      for listener in options.listeners { try bind(listener, isSecure: false) }
      for listener in options.secureListeners { try bind(listener, isSecure: true) }
    } catch {
      closeListeners()
      throw error
    }
    if let listener = options.defaultSecureListener {
      do throws(EdgeError) {
        try bind(listener, isSecure: true)
      } catch {
        options.report("\(error.message): no https; choose another address with --https")
      }
    }
    securePorts = SecurePorts(
      clear: addresses.compactMap(Self.port), secure: secureAddresses.compactMap(Self.port))
  }

  private func bind(_ listener: ListenAddress, isSecure: Bool) throws(EdgeError) {
    switch listener {
    case .unix(let path):
      guard let address = SocketAddress(unixPath: path) else { throw .badListenAddress(path) }
      let descriptor = try ListeningSocket.open(address, shares: false)
      unixPaths.append(path)
      note("unix:\(path)", isSecure: isSecure)
      listeners.append((descriptor, true, isSecure, 0))
      for loop in loops.indices.dropFirst() {
        listeners.append((dup(descriptor), true, isSecure, loop))
      }
    case .tcp(let host, let port):
      if let host {
        guard let address = SocketAddress(host: host, port: port) else {
          throw .badListenAddress(host)
        }
        try bind(address, isSecure: isSecure)
      } else if hasIPv6 {
        try bind(SocketAddress(host: "::", port: port)!, isSecure: isSecure)
      } else {
        try bind(SocketAddress(host: "0.0.0.0", port: port)!, isSecure: isSecure)
      }
    }
  }

  private var hasIPv6: Bool {
    let probe = socket(AF_INET6, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard probe >= 0 else { return false }
    defer { close(probe) }
    let any = SocketAddress(host: "::", port: 0)!
    return any.withUnsafeAddress { pointer, length in Glibc.bind(probe, pointer, length) } == 0
  }

  /// Of an address as it is printed, `[::]:8080`; nil of a Unix socket's.
  private static func port(of address: String) -> UInt16? {
    address.hasPrefix("unix:") ? nil : address.split(separator: ":").last.flatMap { UInt16($0) }
  }

  private func note(_ address: String, isSecure: Bool) {
    if isSecure { secureAddresses.append(address) } else { addresses.append(address) }
  }

  private func bind(_ address: SocketAddress, isSecure: Bool) throws(EdgeError) {
    // The first one alone: another process on this address must be an error, not a share. It is kept,
    // since closing it would reset whoever has connected to it.
    let first = try ListeningSocket.open(address, shares: false)
    let bound = SocketAddress.local(of: first) ?? address
    note(bound.description, isSecure: isSecure)
    listeners.append((first, false, isSecure, 0))
    if loops.count > 1 { ListeningSocket.share(first) }
    for loop in loops.indices.dropFirst() {
      listeners.append((try ListeningSocket.open(bound, shares: true), false, isSecure, loop))
    }
  }

  private func closeListeners() {
    for listener in listeners { close(listener.descriptor) }
    for path in unixPaths { unlink(path) }
    listeners = []
    unixPaths = []
  }

  /// Begins to accept.
  package func start() {
    isStarted = true
    for loop in loops { loop.start() }
    checkHealth(of: currentConfiguration)
    for listener in listeners {
      let loop = loops[listener.loop]
      loop.post {
        _ = Listener(
          services: loop.services, descriptor: listener.descriptor, isUnix: listener.isUnix,
          isSecure: listener.isSecure)
      }
    }
    listeners = []
  }

  // MARK: Connections

  func connectionOpened() -> Bool {
    let count = connections.add(1, ordering: .relaxed).newValue
    if count <= options.maxConnections { return true }
    connections.subtract(1, ordering: .relaxed)
    return false
  }

  func connectionClosed() { connections.subtract(1, ordering: .relaxed) }

  package var connectionCount: Int { connections.load(ordering: .relaxed) }

  // MARK: Configuration and purges

  package var currentConfiguration: EdgeConfiguration {
    configurationLock.locked { configuration }
  }

  /// Returns when every loop uses the configuration; each takes it between two requests.
  package func apply(_ configuration: EdgeConfiguration) {
    configuration.adoptTargets(of: currentConfiguration)
    configurationLock.locked { self.configuration = configuration }
    onEveryLoop { $0.services.configuration = configuration }
    if isStarted { checkHealth(of: configuration) }
  }

  /// Returns when every loop shows these certificates to who connects from then on.
  package func apply(certificates: TLSCertificates) {
    onEveryLoop { $0.services.certificates = certificates }
  }

  /// The health checks run on the first loop.
  private func checkHealth(of configuration: EdgeConfiguration) {
    loops[0].post { [checker] in checker?.use(configuration) }
  }

  /// What sticky sessions' cookies are made with. Edges that share it know each other's sessions;
  /// an edge without a store makes its own.
  package var stickySecret: HashSeed {
    get { configurationLock.locked { sticky } }
    set { configurationLock.locked { sticky = newValue } }
  }

  /// The number of the last purge in force.
  package var purgeNumber: UInt64 { currentPurge.load(ordering: .acquiring) }

  /// Starts counting from a journal that this edge's empty cache has nothing to fear from.
  package func startPurges(at number: UInt64) {
    currentPurge.store(number, ordering: .releasing)
  }

  /// Returns the number of entries that were purged, when the purge is in force on every loop.
  package func purge(_ record: PurgeRecord) -> Int {
    guard
      let policy = currentConfiguration.distributions.first(where: {
        $0.distribution.id == record.id
      })
    else {
      currentPurge.store(max(record.number, purgeNumber), ordering: .releasing)
      return 0
    }
    // Fills that begin from here on ask the origin after the purge: they may be stored.
    currentPurge.store(max(record.number, purgeNumber), ordering: .releasing)
    let matcher = PurgeMatcher(record, slot: policy.slot, policy: policy)
    let count: Int
    switch record.selector {
    case .all:
      count = cache.purgeAll(slot: policy.slot, number: record.number, soft: record.soft)
    case .path, .prefix, .tag:
      count = cache.purge(matcher, number: record.number, soft: record.soft)
    }
    registry.detach { fetch in
      fetch.purgeNumber < record.number && fetch.distribution.slot == policy.slot
        && matcher.mayMatch(key: fetch.key.bytes)
    }
    return count
  }

  /// Entries that a purge would match now.
  package func count(matching record: PurgeRecord) -> Int {
    guard
      let policy = currentConfiguration.distributions.first(where: {
        $0.distribution.id == record.id
      })
    else { return 0 }
    return cache.count(matching: PurgeMatcher(record, slot: policy.slot, policy: policy))
  }

  /// Called now and then: bounds the heap, forgets purges that nothing can collide with any more.
  package func maintain() {
    cache.maintain()
    // Read before looking at the fetches: one that begins meanwhile carries this number or a later.
    let number = purgeNumber
    cache.retirePurges(before: min(registry.oldestPurgeNumber ?? number, number))
  }

  // MARK: Services

  package func counters() -> CounterSnapshot {
    var snapshot = CounterSnapshot(loops.map { $0.services.counters })
    snapshot.handshakes = handshakes()
    return snapshot
  }

  package func http2Counts() -> HTTP2Counts {
    loops.reduce(into: HTTP2Counts()) { $1.services.http2Counters.add(to: &$0) }
  }

  /// Of the targets of the distributions served now.
  package func health() -> [DistributionHealth] {
    let now = SystemCall.monotonicMilliseconds()
    let wallTime = SystemCall.wallSeconds()
    return currentConfiguration.distributions.map {
      DistributionHealth($0, now: now, wallTime: wallTime)
    }
  }

  package func handshakes() -> HandshakeCounts {
    var counts = HandshakeCounts()
    for loop in loops { loop.services.handshakeCounters.add(to: &counts) }
    return counts
  }

  package func reopenLogs() { accessLog?.reopen() }

  private func onEveryLoop(_ work: @escaping @Sendable (EventLoop) -> Void) {
    if !isStarted {
      for loop in loops { work(loop) }
      return
    }
    let done = Semaphore()
    for loop in loops {
      loop.post {
        work(loop)
        done.signal()
      }
    }
    for _ in loops { done.wait() }
  }

  // MARK: Ends

  /// Stops accepting, lets exchanges finish for at most `timeout` seconds. True when all did.
  package func drain(timeout: Int) -> Bool {
    removeUnixPaths()
    onEveryLoop { loop in
      loop.services.isDraining = true
      loop.forEachChannel { channel in (channel as? Listener)?.drain() }
      loop.services.closeIdleViewers()
    }
    let deadline = SystemCall.monotonicMilliseconds() + Int64(timeout) * 1000
    while connectionCount > 0 && SystemCall.monotonicMilliseconds() < deadline {
      usleep(5_000)
      onEveryLoop { $0.services.closeIdleViewers() }
    }
    return connectionCount == 0
  }

  /// Ends at once: open connections are closed.
  package func stop() {
    removeUnixPaths()
    onEveryLoop { loop in
      loop.forEachChannel { channel in
        switch channel {
        case let viewer as ViewerConnection: viewer.close()
        case let viewer as HTTP2Connection: viewer.close()
        case let origin as OriginConnection: origin.cancel()
        case let handshake as TLSHandshake: handshake.close()
        default: channel.closeChannel()
        }
      }
    }
    for loop in loops { loop.stop() }
    compressor.stop()
    accessLog?.close()
  }

  /// Before the sockets close: then an edge that starts may put its own in their place. A drain may
  /// still be under way on another thread when `stop` cuts it short.
  private func removeUnixPaths() {
    let paths = configurationLock.locked {
      defer { unixPaths = [] }
      return unixPaths
    }
    for path in paths { unlink(path) }
  }
}
