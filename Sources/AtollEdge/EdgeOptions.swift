// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// How one edge runs; what it serves is in `EdgeConfiguration`.
package struct EdgeOptions: Sendable {
  package var listeners: [ListenAddress] = [.tcp(host: nil, port: 8080)]
  /// Where viewers speak TLS.
  package var secureListeners: [ListenAddress] = []
  /// One more of these, where nobody asked for it: when it cannot be had the edge says so, and serves.
  package var defaultSecureListener: ListenAddress?
  package var tlsPolicy = TLSPolicy.intermediate
  /// Event loops.
  package var threads = Int(csystem_cpu_count())
  /// Bytes for entries, index, buffers and fills together.
  package var memory = 256 << 20
  package var accessLog: AccessLog.Target?
  package var logFormat = LogFormat.combined
  /// Viewer connections at once over all loops.
  package var maxConnections = EdgeOptions.defaultConnections
  /// Seconds, by default those of `Limits`.
  package var idleTimeout = Limits.idleTimeout
  package var headTimeout = Limits.headTimeout
  package var handshakeTimeout = Limits.handshakeTimeout
  package var bodyTimeout = Limits.bodyTimeout
  /// Takes a line of the edge's own log.
  package var report: @Sendable (String) -> Void = { _ in }
  package var resolver: Resolver?
  /// Where bodies are compressed; nil: on threads of the edge's own.
  package var compressionPool: WorkerPool?

  package init() {}

  /// Half of the descriptors that the process may have: an exchange may need one to the origin.
  package static var defaultConnections: Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 512 }
    return max(64, Int(clamping: limit.rlim_cur / 2))
  }

  /// Raises the soft limit of descriptors to the hard one.
  package static func raiseDescriptorLimit() {
    var limit = rlimit()
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard getrlimit(resource, &limit) == 0 else { return }
    limit.rlim_cur = min(limit.rlim_max, 1 << 20)
    setrlimit(resource, &limit)
  }
}

/// Where an edge accepts viewers.
package enum ListenAddress: Sendable, Equatable {
  /// Without a host: every address, IPv6 and IPv4.
  case tcp(host: String?, port: UInt16)
  case unix(path: String)

  /// `8080`, `127.0.0.1:8080`, `[::1]:8080`, `:8080` or `unix:/path`.
  package init(parsing text: String) throws(EdgeError) {
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst(5))
      if path.isEmpty || path.utf8.count > SocketAddress.longestUnixPath {
        throw .badListenAddress(text)
      }
      self = .unix(path: path)
      return
    }
    let digits = text.hasPrefix(":") ? String(text.dropFirst()) : text
    if let port = UInt16(digits), digits.utf8.allSatisfy(isDigit) {
      self = .tcp(host: nil, port: port)
      return
    }
    guard let address = SocketAddress(parsing: text), !address.isUnix else {
      throw .badListenAddress(text)
    }
    self = .tcp(host: address.host, port: address.port)
  }

  /// As it may be written.
  package var text: String {
    switch self {
    case .tcp(nil, let port): "\(port)"
    case .tcp(let host?, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    case .unix(let path): "unix:\(path)"
    }
  }

  /// Whether an edge that listens on one of them cannot listen on the other, too.
  package func overlaps(_ other: ListenAddress) -> Bool {
    switch (self, other) {
    case (.unix(let path), .unix(let otherPath)): path == otherPath
    case (.tcp(let host, let port), .tcp(let otherHost, let otherPort)):
      // Of port 0 each gets one of its own.
      port == otherPort && port != 0
        && (host == otherHost || Self.includes(host, otherHost) || Self.includes(otherHost, host))
    case (.unix, .tcp), (.tcp, .unix): false
    }
  }

  /// Whether a host stands for all addresses of which the other is one.
  private static func includes(_ host: String?, _ other: String?) -> Bool {
    guard let host, host != "::" else { return true }
    return host == "0.0.0.0" && other.map { !$0.contains(":") } ?? false
  }
}

/// Why an edge cannot start; everything later is an exchange's error, not the edge's.
package enum EdgeError: Error, Equatable, Sendable {
  case badListenAddress(String)
  case addressInUse(String)
  case addressNotPermitted(String)
  case cannotListen(String, reason: String)
  case memoryTooSmall(minimum: Int)
  case memoryRefused(Int)
  case accessLog(path: String, reason: String)
  case tls(String)
  case system(String, Int32)

  package var message: String {
    switch self {
    case .badListenAddress(let text): "cannot listen on \"\(text)\""
    case .addressInUse(let text): "address \(text) is in use"
    case .addressNotPermitted(let text): "not permitted to listen on \(text)"
    case .cannotListen(let text, let reason): "cannot listen on \(text): \(reason)"
    case .memoryTooSmall(let minimum): "memory must be at least \(minimum >> 20)M"
    case .memoryRefused(let bytes): "the kernel refuses the memory for a cache of \(bytes >> 20)M"
    case .accessLog(let path, let reason): "cannot write the access log \"\(path)\": \(reason)"
    case .tls(let message): message
    case .system(let call, let error): "\(call) failed: \(SystemCall.errorText(error))"
    }
  }

  package var hint: String {
    switch self {
    case .badListenAddress: "write a port, address:port, [ipv6]:port or unix:/path"
    case .addressInUse:
      "stop the process that listens there, or choose another with --http or --https"
    case .addressNotPermitted: "choose a port from 1024 on, or grant CAP_NET_BIND_SERVICE"
    case .cannotListen: "check the address given with --http or --https"
    case .memoryTooSmall: "give more with --memory"
    case .memoryRefused: "give less with --memory, or raise the process's limit (ulimit -v)"
    case .accessLog: "choose another file with --access-log"
    case .tls: "check the system's OpenSSL configuration (openssl.cnf)"
    case .system: "check the limits of this process"
    }
  }
}
