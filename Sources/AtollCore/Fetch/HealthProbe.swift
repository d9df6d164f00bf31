// SPDX-License-Identifier: Apache-2.0

extension HealthCheck {
  /// Whether a response with this status is what the check wants.
  package func accepts(status: UInt16) -> Bool {
    if let wanted = self.status { return Int(status) == wanted }
    return status >= 200 && status < 400
  }

  /// Milliseconds from one check to the next: within a tenth of the interval, so that edges that
  /// were started together do not ask together.
  /// - Parameter random: anything.
  package func pause(random: UInt64) -> Int {
    let interval = self.interval * 1000
    return interval - interval / 10 + Int(random % UInt64(max(interval / 5, 1)))
  }

  /// Milliseconds before the first check: soon, but not all targets at once.
  package func firstPause(random: UInt64) -> Int { Int(random % 500) }
}

extension OriginPolicy {
  /// Appends the request of a health check. It carries what the configuration adds to every request,
  /// since the origin may insist on it; the path stands for itself, not below the origin's.
  package func appendHealthRequest(_ check: HealthCheck, to request: ByteBuffer) {
    request.append("GET ")
    request.append(check.path)
    request.append(" HTTP/1.1\r\nHost: ")
    request.append(host(for: .http))
    request.append("\r\n")
    if headers.replaced & KnownField.userAgent.bit == 0 {
      request.append("User-Agent: atoll-health-check\r\n")
    }
    if headers.replaced & KnownField.accept.bit == 0 { request.append("Accept: */*\r\n") }
    request.append(headers.lines.bytes)
    request.append("Connection: close\r\n\r\n")
  }
}
