// SPDX-License-Identifier: Apache-2.0

/// Where a client connects instead of where the URL's host name leads.
package struct ClientRoute: Equatable, Sendable {
  package enum Place: Equatable, Sendable {
    /// A name or address and a port.
    case tcp(host: String, port: UInt16)
    /// A path in the file system.
    case unix(String)
  }

  /// `--resolve host:port:address[,address]…`, as curl reads it; the host may be `*`.
  package struct Resolution: Equatable, Sendable {
    package var host: String
    package var port: UInt16
    package var addresses: [String]

    package init(host: String, port: UInt16, addresses: [String]) {
      self.host = host
      self.port = port
      self.addresses = addresses
    }
  }

  /// `--connect-to unix:/path`, `address:port`, or curl's `host:port:address:port`, whose first two
  /// parts say which requests it is for and may be empty.
  package struct Redirection: Equatable, Sendable {
    package var host: String?
    package var port: UInt16?
    /// An empty host or a missing port means: that of the URL.
    package var toHost: String = ""
    package var toPort: UInt16?
    package var unixPath: String?

    package init() {}
  }

  package var resolutions: [Resolution] = []
  package var redirections: [Redirection] = []

  package init() {}

  /// Where to connect for this URL; `addresses` are those of `--resolve` and need no look-up.
  package func place(for url: ClientURL) -> (place: Place, addresses: [String]) {
    var host = url.host
    var port = url.port
    let redirection = redirections.first {
      ($0.host == nil || $0.host == url.host) && ($0.port == nil || $0.port == url.port)
    }
    if let redirection {
      if let path = redirection.unixPath { return (.unix(path), []) }
      if !redirection.toHost.isEmpty { host = redirection.toHost }
      port = redirection.toPort ?? port
    }
    let resolution = resolutions.first { ($0.host == host || $0.host == "*") && $0.port == port }
    return (.tcp(host: host, port: port), resolution?.addresses ?? [])
  }
}
