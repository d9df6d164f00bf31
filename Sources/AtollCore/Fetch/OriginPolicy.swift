// SPDX-License-Identifier: Apache-2.0

/// One origin of a distribution compiled for the edge.
package final class OriginPolicy: @unchecked Sendable {
  /// "default" for the distribution's own.
  package let name: String
  /// Its place in the distribution policy's `origins`.
  package let index: Int
  package let origin: Origin
  let path: FixedBytes
  let headers: OriginHeaders
  /// Who serves it, and how they are. Set for the last time before the loops see this policy.
  package private(set) var targets: OriginTargets
  /// Of connections over https; nil where none are made, and in policies that only explain.
  package let security: OriginSecurity?

  /// - Parameter files: what its TLS settings name.
  init(name: String, index: Int, origin: Origin, files: OriginTLSFiles? = nil) {
    self.name = name
    self.index = index
    self.origin = origin
    path = FixedBytes(origin.path)
    targets = OriginTargets(origin)
    var secure = origin
    if let port = origin.httpsPort {
      secure.scheme = .https
      secure.port = UInt16(clamping: port)
    }
    headers = OriginHeaders(
      origin, authority: Self.authority(of: origin), secureAuthority: Self.authority(of: secure))
    security = files.flatMap { origin.usesTLS ? OriginSecurity(origin, files: $0) : nil }
  }

  deinit {
    path.deallocate()
    headers.deallocate()
  }

  /// What Host says unless the viewer's is sent.
  func host(for viewer: Scheme) -> UnsafeBufferPointer<UInt8> {
    origin.scheme(for: viewer) == .https ? headers.secureHost.bytes : headers.host.bytes
  }

  /// Where a request goes, and how, for a viewer that came by `viewer`; nil when it would have to
  /// be secured and cannot be.
  package func endpoint(of target: OriginTarget, for viewer: Scheme) -> OriginEndpoint? {
    if origin.scheme(for: viewer) == .http {
      return OriginEndpoint(host: target.host, port: target.port)
    }
    guard let security else { return nil }
    return OriginEndpoint(
      host: target.host, port: origin.httpsPort.map { UInt16(clamping: $0) } ?? target.port,
      security: security)
  }

  /// All that requests may go to.
  package var endpoints: [OriginEndpoint] {
    let schemes: [Scheme] = origin.httpsPort == nil ? [origin.scheme] : [.http, .https]
    var found: [OriginEndpoint] = []
    for target in origin.allTargets {
      for scheme in schemes {
        if let endpoint = endpoint(of: target, for: scheme) { found.append(endpoint) }
      }
    }
    return found
  }

  /// Goes on from what is known under the former configuration.
  func adoptTargets(of former: OriginPolicy) {
    targets = OriginTargets(origin, from: former.targets, of: former.origin)
  }

  /// With the port only when it is not the scheme's.
  private static func authority(of origin: Origin) -> String {
    let host = origin.host.utf8.contains(UInt8(ascii: ":")) ? "[\(origin.host)]" : origin.host
    let usual: UInt16 = origin.scheme == .http ? 80 : 443
    return origin.port == usual ? host : "\(host):\(origin.port)"
  }
}

/// The origins that a behavior's misses may ask, one after the other.
package struct OriginRoute: Sendable, Equatable {
  /// Places in the distribution policy's `origins`; at least one.
  package var members: [Int]
  /// Statuses on which the next member is asked; empty without a group.
  package var statuses: [UInt16] = []

  package init(members: [Int], statuses: [UInt16] = []) {
    self.members = members
    self.statuses = statuses
  }
}

extension DistributionPolicy {
  /// Goes on from what is known about the targets of the origins that the former configuration had
  /// too. Before any loop uses this policy.
  package func adoptTargets(of former: DistributionPolicy) {
    for policy in origins {
      if let old = former.origins.first(where: { $0.name == policy.name }) {
        policy.adoptTargets(of: old)
      }
    }
  }
}
