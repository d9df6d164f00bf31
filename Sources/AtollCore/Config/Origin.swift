// SPDX-License-Identifier: Apache-2.0

package struct Origin: Equatable, Sendable {
  package var scheme: Scheme
  /// Name or address, without brackets, lower case.
  package var host: String
  package var port: UInt16
  /// Set: the origin is asked by the scheme that the viewer came with (CloudFront's match-viewer),
  /// over http at `port`, over https at this one; `scheme` is http then. 1 to 65535.
  package var httpsPort: Int?
  /// Of connections over https.
  package var tls: OriginTLS
  /// Put before the viewer's path: empty, or with a leading and no trailing slash.
  package var path: String
  /// Seconds, 1 to 10.
  package var connectTimeout: Int
  /// 1 to 3.
  package var connectAttempts: Int
  /// Seconds to the first byte and between packets, 1 to 120.
  package var responseTimeout: Int
  /// Seconds an idle connection is kept, 1 to 120.
  package var keepAliveTimeout: Int
  /// Hosts that share the load with `host` and `port`: same scheme, same path.
  package var targets: [OriginTarget]
  package var balance: Balance
  /// Keeps a viewer at one target by a cookie; nil: requests go anywhere.
  package var sticky: StickySession?
  /// When a target that fails is left alone for a while.
  package var ejection: Ejection
  /// Nil: targets are judged by the requests they get alone.
  package var healthCheck: HealthCheck?
  package var hostHeader: HostHeader
  /// Sent with every request, in place of the viewer's fields of these names.
  package var headers: [HeaderField]
  /// CloudFormation's Origin.Name where the address stands in Source: a label for people.
  package var label: String?
  /// CloudFormation's RegionName: a label for people.
  package var region: String?

  package init(
    scheme: Scheme, host: String, port: UInt16, httpsPort: Int? = nil,
    tls: OriginTLS = OriginTLS(), path: String = "", connectTimeout: Int = 10,
    connectAttempts: Int = 3, responseTimeout: Int = 30, keepAliveTimeout: Int = 5,
    targets: [OriginTarget] = [], balance: Balance = .roundRobin, sticky: StickySession? = nil,
    ejection: Ejection = Ejection(), healthCheck: HealthCheck? = nil,
    hostHeader: HostHeader = .origin, headers: [HeaderField] = [],
    label: String? = nil, region: String? = nil
  ) {
    self.scheme = scheme
    self.host = host
    self.port = port
    self.httpsPort = httpsPort
    self.tls = tls
    self.path = path
    self.connectTimeout = connectTimeout
    self.connectAttempts = connectAttempts
    self.responseTimeout = responseTimeout
    self.keepAliveTimeout = keepAliveTimeout
    self.targets = targets
    self.balance = balance
    self.sticky = sticky
    self.ejection = ejection
    self.healthCheck = healthCheck
    self.hostHeader = hostHeader
    self.headers = headers
    self.label = label
    self.region = region
  }
}

@usableFromInline
package enum Scheme: String, Sendable {
  case http, https
}

/// How an origin is reached over https, and what its certificate has to be.
package struct OriginTLS: Hashable, Sendable {
  /// False: whatever certificate it shows is taken.
  package var verify: Bool
  /// A PEM file of the authorities to trust in place of the system's.
  package var ca: String?
  package var minimumVersion: TLSVersion
  /// Asked for (SNI) and expected in the certificate; nil: the name that Host is set to, else the
  /// target's own.
  package var serverName: String?
  /// PEM files of what proves to the origin who asks; both or none.
  package var certificate: String?
  package var key: String?

  package init(
    verify: Bool = true, ca: String? = nil, minimumVersion: TLSVersion = .tls12,
    serverName: String? = nil, certificate: String? = nil, key: String? = nil
  ) {
    self.verify = verify
    self.ca = ca
    self.minimumVersion = minimumVersion
    self.serverName = serverName
    self.certificate = certificate
    self.key = key
  }
}

/// One of several hosts that serve the same site.
package struct OriginTarget: Hashable, Sendable {
  /// Name or address, without brackets, lower case.
  package var host: String
  package var port: UInt16

  package init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }
}

extension Origin {
  /// `host` and `port`, and whoever shares the load with them.
  package var allTargets: [OriginTarget] { [OriginTarget(host: host, port: port)] + targets }

  /// Whether any request is made over https.
  package var usesTLS: Bool { scheme == .https || httpsPort != nil }

  /// How it is asked for a viewer that came by `viewer`.
  package func scheme(for viewer: Scheme) -> Scheme { httpsPort == nil ? scheme : viewer }

  /// The URL that is asked for a viewer that came by `viewer`.
  package func url(for viewer: Scheme) -> String {
    guard let httpsPort, viewer == .https else { return url }
    var secure = self
    secure.scheme = .https
    secure.port = UInt16(clamping: httpsPort)
    return secure.url
  }
}

/// Which target gets the next request.
package enum Balance: String, Sendable, CaseIterable {
  case roundRobin = "round-robin"
  case leastConnections = "least-connections"
  /// By the hash of the cache key: the same URL always asks the same target while it is healthy.
  case hash
}

package struct StickySession: Equatable, Sendable {
  package var cookie: String
  /// Seconds.
  package var duration: Int

  package init(cookie: String = "atoll-target", duration: Int = TTL.day) {
    self.cookie = cookie
    self.duration = duration
  }
}

/// Passive health: what a target's failed requests (refused, timed out, broken off, 502 to 504)
/// lead to.
package struct Ejection: Equatable, Sendable {
  /// Failures in a row, 1 to 100; 0 never ejects.
  package var failures: Int
  /// Seconds until one request tries it again, 1 to 3600.
  package var duration: Int

  package init(failures: Int = 5, duration: Int = 30) {
    self.failures = failures
    self.duration = duration
  }
}

/// Active health: a GET now and then.
package struct HealthCheck: Equatable, Sendable {
  package var path: String
  /// Seconds between two checks of one target, 1 to 3600.
  package var interval: Int
  /// Seconds until a check has failed, 1 to 60.
  package var timeout: Int
  /// Failed checks in a row until a target is unhealthy, 1 to 10.
  package var unhealthyThreshold: Int
  /// Successful checks in a row until it is healthy again, 1 to 10.
  package var healthyThreshold: Int
  /// Nil: any status from 200 to 399.
  package var status: Int?

  package init(
    path: String = "/", interval: Int = 10, timeout: Int = 5, unhealthyThreshold: Int = 2,
    healthyThreshold: Int = 2, status: Int? = nil
  ) {
    self.path = path
    self.interval = interval
    self.timeout = timeout
    self.unhealthyThreshold = unhealthyThreshold
    self.healthyThreshold = healthyThreshold
    self.status = status
  }
}

/// What Host tells the origin, where `Host` is not among the forwarded headers.
package enum HostHeader: Equatable, Sendable {
  /// The origin's own name: of its first target.
  case origin
  /// The viewer's, which then is part of the key.
  case viewer
  case name(String)
}

/// A header field that the configuration spells out.
package struct HeaderField: Equatable, Sendable {
  package var name: String
  package var value: String

  package init(name: String, value: String) {
    self.name = name
    self.value = value
  }
}

/// A further origin of a distribution.
package struct NamedOrigin: Equatable, Sendable {
  /// Letters, digits, `-`, `_` and `.`; not "default", which is the distribution's own.
  package var name: String
  package var origin: Origin

  package init(name: String, origin: Origin) {
    self.name = name
    self.origin = origin
  }
}

/// Origins to be asked one after the other (CloudFront's origin group), for GET, HEAD and OPTIONS:
/// on failing to connect, on a timeout and on the chosen statuses.
package struct OriginGroup: Equatable, Sendable {
  package var name: String
  /// Names of origins, "default" among them, in the order of asking.
  package var members: [String]
  /// Among 400, 403, 404, 416, 429, 500, 502, 503 and 504.
  package var statuses: [Int]

  package init(name: String, members: [String], statuses: [Int] = [500, 502, 503, 504]) {
    self.name = name
    self.members = members
    self.statuses = statuses
  }
}
