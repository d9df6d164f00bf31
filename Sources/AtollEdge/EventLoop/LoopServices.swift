// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// A request's number, unique with high probability over all edges: 32 hexadecimal digits.
struct RequestID: Equatable {
  var high: UInt64 = 0
  var low: UInt64 = 0

  var text: String {
    let buffer = ByteBuffer(capacity: 32)
    buffer.appendHex(high)
    buffer.appendHex(low)
    return String(decoding: buffer.bytes, as: UTF8.self)
  }
}

/// What the exchanges of one loop use: the loop's own scratch memory, and the edge's shared parts.
final class LoopServices {
  unowned(unsafe) let loop: EventLoop
  unowned(unsafe) let edge: Edge
  var configuration: EdgeConfiguration {
    get { heldConfiguration.configuration }
    set {
      heldConfiguration.release()
      heldConfiguration = HeldConfiguration(newValue)
      currentConfiguration = .passUnretained(newValue)
      retirePools()
    }
  }
  /// The same for exchanges that keep it.
  private(set) var heldConfiguration: HeldConfiguration
  /// The same for the hot path, which counts no references.
  private(set) var currentConfiguration: Unmanaged<EdgeConfiguration>
  let cache: CacheStore
  let registry: FetchRegistry
  let budget: MemoryBudget
  let resolver: Resolver
  let seed: HashSeed
  /// What viewers are shown from the next handshake on.
  var certificates: TLSCertificates
  let handshakes: HandshakeTurns
  let counters = LoopCounters()
  let handshakeCounters = HandshakeCounters()
  let http2Counters = HTTP2Counters()
  /// Once there is a connection that needs it.
  private(set) lazy var http2 = HTTP2Services(services: self)
  let log: LogBuffer?
  // Milliseconds.
  let idleTimeout: Int
  let headTimeout: Int
  let handshakeTimeout: Int
  let bodyTimeout: Int
  var isDraining = false
  /// Viewer connections of this loop.
  private(set) var viewerCount = 0

  // Scratch memory: valid until the next use, never across a return to the loop.
  let scratchSize = 65_536
  let scratch: UnsafeMutablePointer<UInt8>
  /// Where TLS records are put together.
  let recordBuffer = UnsafeMutableRawPointer.allocate(
    byteCount: TLSSession.scratchSize, alignment: 16)
  let requestHead = RequestHead()
  let responseHead = ResponseHead()
  /// For a second head while the first is in use.
  let requestHeadAgain = RequestHead()
  let keyBuffer = ByteBuffer(capacity: 1024)
  let viewerBuffer = ByteBuffer(capacity: 256)
  let tailBuffer = ByteBuffer(capacity: 1024)
  let headBuffer = ByteBuffer(capacity: 4096)
  let varyBuffer = ByteBuffer(capacity: 512)
  let tagBuffer = ByteBuffer(capacity: 512)
  /// For the head that a response header policy makes.
  let sentBuffer = ByteBuffer(capacity: 512)

  private var pools: [OriginEndpoint: OriginPool] = [:]
  private var idState: UInt64
  private let idHigh: UInt64
  /// Milliseconds of the loop's clock until which a failing origin is not reported again.
  private var reportedUntil: [Int: Int64] = [:]

  init(
    loop: EventLoop, edge: Edge, configuration: EdgeConfiguration, certificates: TLSCertificates
  ) {
    self.loop = loop
    self.edge = edge
    heldConfiguration = HeldConfiguration(configuration)
    self.certificates = certificates
    handshakes = HandshakeTurns(loop: loop)
    currentConfiguration = .passUnretained(configuration)
    cache = edge.cache
    registry = edge.registry
    budget = edge.budget
    resolver = edge.resolver
    seed = edge.seed
    log = edge.accessLog?.makeBuffer()
    idleTimeout = edge.options.idleTimeout * 1000
    headTimeout = edge.options.headTimeout * 1000
    handshakeTimeout = edge.options.handshakeTimeout * 1000
    bodyTimeout = edge.options.bodyTimeout * 1000
    scratch = .allocate(capacity: scratchSize)
    var generator = SystemRandomNumberGenerator()
    idState = generator.next()
    idHigh = generator.next()
  }

  deinit {
    heldConfiguration.release()
    scratch.deallocate()
    recordBuffer.deallocate()
  }

  /// SplitMix64 over a random start: unique on this loop for 2^64 requests.
  @inline(__always)
  func nextRequestID() -> RequestID {
    idState &+= 0x9e37_79b9_7f4a_7c15
    var mixed = idState
    mixed = (mixed ^ (mixed &>> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed &>> 27)) &* 0x94d0_49bb_1331_11eb
    return RequestID(high: idHigh, low: mixed ^ (mixed &>> 31))
  }

  func pool(for endpoint: OriginEndpoint) -> OriginPool {
    if let pool = pools[endpoint] { return pool }
    // Asked for by a request of a configuration that has been replaced, it keeps nothing.
    let pool = OriginPool(
      loop: loop, endpoint: endpoint, isRetired: !configuration.endpoints.contains(endpoint))
    pools[endpoint] = pool
    return pool
  }

  private func retirePools() {
    for (endpoint, pool) in pools {
      pool.setRetired(!configuration.endpoints.contains(endpoint))
    }
    dropRetiredPools()
  }

  /// Forgets the retired pools whose last connection is closed. Not at once: who closed it may still
  /// be on its way out of the pool.
  func dropRetiredPools() {
    loop.afterwards { [self] in
      pools = pools.filter { !($0.value.isRetired && $0.value.isEmpty) }
    }
  }

  /// Tells the edge's log, at most once in ten seconds per distribution.
  func reportOriginFailure(
    _ policy: DistributionPolicy, _ endpoint: OriginEndpoint, _ reason: Reason, detail: String?
  ) {
    if let until = reportedUntil[policy.slot], loop.now < until { return }
    reportedUntil[policy.slot] = loop.now + 10_000
    let scheme = endpoint.security == nil ? "http" : "https"
    let address = "\(scheme)://\(endpoint.host):\(endpoint.port)"
    let why = detail.map { ": \($0)" } ?? ""
    edge.options.report(
      "distribution \"\(policy.distribution.name)\": origin \(address) failed"
        + " (\(reason.text))\(why)")
  }

  func viewerOpened() { viewerCount += 1 }

  func viewerClosed() {
    viewerCount -= 1
    edge.connectionClosed()
  }

  @inline(__always)
  func endOfTurn() {
    if isDraining { closeIdleViewers() }
  }

  func closeIdleViewers() {
    loop.forEachChannel { channel in
      switch channel {
      case let connection as ViewerConnection: connection.drain()
      case let connection as HTTP2Connection: connection.drain()
      default: break
      }
    }
  }
}
