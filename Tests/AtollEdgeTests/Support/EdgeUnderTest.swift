// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import CSystem
import Glibc

/// An edge in this process, on a port of its own, before a scripted origin.
final class EdgeUnderTest: @unchecked Sendable {
  let edge: Edge
  let port: UInt16
  /// Where it speaks TLS; 0 when it does not.
  let securePort: UInt16
  private let distributions: Shared<[Distribution]>
  private let purges = Shared<UInt64>(0)
  private let isStopped = Shared(false)
  private let geoDatabase: GeoDatabase?
  /// Kept for as long as the edge may ask it.
  private var origin: ScriptedOrigin?

  /// - Parameters:
  ///   - originPort: of the one distribution "site".
  ///   - options: changes to the edge's options: one loop and 32 MiB unless said otherwise.
  ///   - change: changes to the distribution that the preset gives.
  convenience init(
    originPort: UInt16, preset: Preset = .origin,
    _ change: (inout Distribution) -> Void = { _ in },
    options: (inout EdgeOptions) -> Void = { _ in }, geoDatabase: GeoDatabase? = nil
  ) throws {
    try self.init(
      [try Self.distribution("site", originPort: originPort, preset: preset, change)],
      options: options, geoDatabase: geoDatabase)
  }

  convenience init(
    _ origin: ScriptedOrigin, preset: Preset = .origin,
    _ change: (inout Distribution) -> Void = { _ in },
    options: (inout EdgeOptions) -> Void = { _ in }, geoDatabase: GeoDatabase? = nil
  ) throws {
    try self.init(
      originPort: origin.port, preset: preset, change, options: options, geoDatabase: geoDatabase)
    self.origin = origin
  }

  /// - Parameter starts: if not, viewers can connect, and wait until `edge.start()`.
  init(
    _ distributions: [Distribution], options: (inout EdgeOptions) -> Void = { _ in },
    geoDatabase: GeoDatabase? = nil, starts: Bool = true
  ) throws {
    self.geoDatabase = geoDatabase
    var settings = EdgeOptions()
    settings.listeners = [.tcp(host: "127.0.0.1", port: 0)]
    settings.threads = 1
    settings.memory = 32 << 20
    options(&settings)
    self.distributions = Shared(distributions)
    edge = try Edge(
      options: settings, configuration: Self.configuration(distributions, geoDatabase))
    if starts { edge.start() }
    port = Self.port(of: edge.addresses.first)
    securePort = Self.port(of: edge.secureAddresses.first)
  }

  deinit { stop() }

  func stop() {
    let isFirst = isStopped.withLock { stopped in
      defer { stopped = true }
      return !stopped
    }
    if isFirst { edge.stop() }
  }

  private static func port(of address: String?) -> UInt16 {
    UInt16(address?.split(separator: ":").last ?? "") ?? 0
  }

  static func distribution(
    _ name: String, originPort: UInt16, preset: Preset = .origin,
    _ change: (inout Distribution) -> Void = { _ in }
  ) throws -> Distribution {
    let letters = name.filter { $0 != "." }
    var distribution = Distribution.make(
      name: name, origin: try Origin(url: "http://127.0.0.1:\(originPort)"), preset: preset,
      id: "d" + String(repeating: "0", count: 13 - letters.utf8.count) + letters, now: now())
    // Tests that want more attempts or patience say so.
    distribution.origin.connectAttempts = 1
    distribution.origin.responseTimeout = 10
    change(&distribution)
    return distribution
  }

  private static func configuration(
    _ distributions: [Distribution], _ geoDatabase: GeoDatabase?
  ) -> EdgeConfiguration {
    EdgeConfiguration(
      distributions: distributions.enumerated().map {
        // Without the files of its TLS settings an origin is not reached over TLS.
        DistributionPolicy($1, slot: $0, tlsFiles: try? originTLSFiles(of: $1))
      },
      defaultName: nil, geoDatabase: geoDatabase)
  }

  func viewer(receiveBuffer: Int32? = nil) throws -> ScriptedViewer {
    try ScriptedViewer(port: port, receiveBuffer: receiveBuffer)
  }

  /// An edge before `origin` that speaks TLS with these certificates.
  static func secure(
    _ origin: ScriptedOrigin, _ certificates: [ServedCertificate],
    challenges: [ServedChallenge] = [], policy: TLSPolicy = .intermediate,
    options: (inout EdgeOptions) -> Void = { _ in }
  ) throws -> EdgeUnderTest {
    let edge = try EdgeUnderTest(
      origin,
      options: { settings in
        settings.secureListeners = [.tcp(host: "127.0.0.1", port: 0)]
        settings.tlsPolicy = policy
        options(&settings)
      })
    edge.edge.apply(
      certificates: try TLSCertificates(certificates, challenges: challenges, policy: policy))
    return edge
  }

  func secureViewer(_ tls: ClientTLS = ClientTLS(), receiveBuffer: Int32? = nil) throws
    -> ScriptedViewer
  {
    try ScriptedViewer(port: securePort, receiveBuffer: receiveBuffer, tls: tls)
  }

  /// A viewer that agrees on HTTP/2 in its handshake.
  func securePeer(
    _ tls: ClientTLS = ClientTLS(protocols: ["h2", "http/1.1"]), settings: [(Int, Int)] = [],
    receiveBuffer: Int32? = nil
  ) throws -> HTTP2Peer {
    try HTTP2Peer(port: securePort, settings: settings, receiveBuffer: receiveBuffer, tls: tls)
  }

  /// One request on a connection of its own.
  func get(_ target: String, _ fields: String...) throws -> ViewerResponse {
    try viewer().request("GET", target, fields)
  }

  /// Returns when every loop uses the changed distributions.
  func reload(_ change: (inout [Distribution]) throws -> Void) throws {
    let changed = try distributions.withLock { stored in
      try change(&stored)
      return stored
    }
    edge.apply(Self.configuration(changed, geoDatabase))
  }

  /// Returns when the purge is in force.
  @discardableResult
  func purge(_ selector: PurgeSelector, soft: Bool = false, of index: Int = 0) -> Int {
    let distribution = distributions.value[index]
    let number = purges.withLock { number in
      number += 1
      return number
    }
    return edge.purge(
      PurgeRecord(
        number: number, distribution: distribution.name, id: distribution.id, at: Self.now(),
        soft: soft, selector: selector))
  }

  static func now() -> Int64 { Int64(time(nil)) }
}

/// Lets this process open as many descriptors as the system grants.
func raiseDescriptorLimit() {
  var limit = rlimit()
  getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  limit.rlim_cur = limit.rlim_max
  setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}

extension EdgeOptions {
  /// A line of JSON for every exchange.
  mutating func log(to path: String) {
    accessLog = .file(path)
    logFormat = .json
  }
}
