// SPDX-License-Identifier: Apache-2.0

/// Writes reports in Prometheus' text exposition format, version 0.0.4.
///
/// Each edge keeps its own series, under the label `edge`: sums over edges are a query away, and an
/// edge that restarts resets only its own counters.
package struct PrometheusText {
  package static let contentType: StaticString = "text/plain; version=0.0.4; charset=utf-8"

  private let buffer = ByteBuffer(capacity: 16_384)
  private let reports: [MetricsReport]

  /// - Parameter reports: one per edge.
  package static func write(_ reports: [MetricsReport]) -> [UInt8] {
    let text = PrometheusText(reports: reports)
    text.writeTraffic()
    text.writeTransfer()
    text.writeGauges()
    text.writeHandshakes()
    text.writeHTTP2()
    text.writeTargets()
    text.writeCertificates()
    return Array(text.buffer.bytes)
  }

  private init(reports: [MetricsReport]) { self.reports = reports }

  private func writeTraffic() {
    family("atoll_requests_total", "counter", "Requests, by how the cache took part.")
    forEachDistribution { labels, counts in
      for outcome in Outcome.allCases {
        for (methods, count) in [
          ("cacheable", counts.requests(outcome)), ("other", counts.otherRequests(outcome)),
        ] where count > 0 {
          series(
            "atoll_requests_total",
            labels + [("methods", methods), ("outcome", outcome.text.description)], count)
        }
      }
    }
    family("atoll_responses_total", "counter", "Responses, by class of their status.")
    forEachDistribution { labels, counts in
      for (digit, name) in TrafficCounts.statusClasses.enumerated()
      where counts.responses(class: digit) > 0 {
        series("atoll_responses_total", labels + [("class", name)], counts.responses(class: digit))
      }
    }
    family(
      "atoll_reasons_total", "counter", "Why requests were no hits or were answered with an error.")
    forEachDistribution { labels, counts in
      for reason in Reason.allCases where counts.count(reason) > 0 {
        series(
          "atoll_reasons_total", labels + [("reason", reason.text.description)],
          counts.count(reason))
      }
    }
    family(
      "atoll_sent_bytes_total", "counter", "Bytes sent in answer to GET, HEAD and OPTIONS requests."
    )
    forEachDistribution { labels, counts in
      for outcome in Outcome.allCases where counts.bytes(outcome) > 0 {
        series(
          "atoll_sent_bytes_total", labels + [("outcome", outcome.text.description)],
          counts.bytes(outcome))
      }
    }
    family(
      "atoll_sent_other_bytes_total", "counter",
      "Bytes sent in answer to requests of other methods.")
    forEachDistribution { labels, counts in
      series("atoll_sent_other_bytes_total", labels, counts.otherBytes)
    }
    family(
      "atoll_received_bytes_total", "counter", "Bytes received with requests of other methods.")
    forEachDistribution { labels, counts in
      series("atoll_received_bytes_total", labels, counts.bytesUp)
    }
  }

  /// Every edge tells the whole of its store: the largest counts, not the sum.
  private func writeTransfer() {
    let gauges: [(StaticString, StaticString, (TransferUse) -> UInt64?)] = [
      (
        "atoll_transfer_month_bytes",
        "Bytes sent to viewers in this calendar month (UTC) by all edges of the store.",
        { $0.bytes }
      ),
      (
        "atoll_transfer_quota_bytes", "Bytes a month that the plan includes.", { $0.quota }
      ),
    ]
    for (name, help, value) in gauges {
      family(name, "gauge", help)
      for report in reports {
        for distribution in report.distributions {
          guard let bytes = distribution.transfer.flatMap(value) else { continue }
          series(
            name,
            [
              ("edge", report.edges.first?.id ?? ""), ("distribution", distribution.name),
            ], bytes)
        }
      }
    }
  }

  private func writeGauges() {
    gauge("atoll_start_time_seconds", "When the edge started, since 1970.") {
      UInt64(clamping: $0.started)
    }
    gauge("atoll_connections", "Open connections of viewers.") {
      UInt64(clamping: $0.gauges.connections)
    }
    gauge("atoll_cache_entries", "Entries in the cache.") {
      UInt64(clamping: $0.gauges.cacheEntries)
    }
    gauge("atoll_cache_bytes", "Bytes of the entries in the cache.") {
      UInt64(clamping: $0.gauges.cacheBytes)
    }
    gauge("atoll_memory_bytes", "Memory in use that counts against the limit.") {
      UInt64(clamping: $0.gauges.memoryUsed)
    }
    gauge("atoll_memory_limit_bytes", "Limit of the memory in use.") {
      UInt64(clamping: $0.gauges.memoryLimit)
    }
    family("atoll_log_lines_lost_total", "counter", "Access log lines that could not be written.")
    for edge in reports.flatMap(\.edges) {
      series("atoll_log_lines_lost_total", [("edge", edge.id)], edge.gauges.logLinesLost)
    }
    family("atoll_compressions_total", "counter", "Compressed forms of entries that were made.")
    for edge in reports.flatMap(\.edges) {
      series("atoll_compressions_total", [("edge", edge.id)], edge.gauges.compressions)
    }
    family(
      "atoll_compressions_skipped_total", "counter",
      "Compressions not begun, as too many waited or memory was short.")
    for edge in reports.flatMap(\.edges) {
      series(
        "atoll_compressions_skipped_total", [("edge", edge.id)], edge.gauges.compressionsSkipped)
    }
  }

  private func writeHandshakes() {
    family("atoll_tls_handshakes_total", "counter", "TLS handshakes of viewers that succeeded.")
    for edge in reports.flatMap(\.edges) {
      for end in [HandshakeEnd.full, .resumed, .challenge] {
        series(
          "atoll_tls_handshakes_total", [("edge", edge.id), ("kind", end.text.description)],
          edge.handshakes.sinceStart[end])
      }
    }
    family(
      "atoll_tls_handshake_failures_total", "counter", "TLS handshakes of viewers that failed.")
    for edge in reports.flatMap(\.edges) {
      for end in HandshakeEnd.failures {
        series(
          "atoll_tls_handshake_failures_total",
          [("edge", edge.id), ("reason", end.text.description)], edge.handshakes.sinceStart[end])
      }
    }
  }

  private func writeHTTP2() {
    family("atoll_http2_connections_total", "counter", "Connections of HTTP/2 that were accepted.")
    for edge in reports.flatMap(\.edges) {
      series("atoll_http2_connections_total", [("edge", edge.id)], edge.http2.connections)
    }
    family("atoll_http2_requests_total", "counter", "Requests over HTTP/2.")
    for edge in reports.flatMap(\.edges) {
      series("atoll_http2_requests_total", [("edge", edge.id)], edge.http2.requests)
    }
    family(
      "atoll_http2_ended_total", "counter",
      "Streams and connections of HTTP/2 that were ended for what their viewers did.")
    for edge in reports.flatMap(\.edges) {
      for offence in HTTP2Offence.allCases where edge.http2[offence] > 0 {
        series(
          "atoll_http2_ended_total", [("edge", edge.id), ("reason", offence.text.description)],
          edge.http2[offence])
      }
    }
  }

  private func writeTargets() {
    family("atoll_target_up", "gauge", "Whether a target of an origin gets requests as usual.")
    forEachTarget { series("atoll_target_up", $0, $1.state == .up ? 1 : 0) }
    family("atoll_target_connections", "gauge", "Requests that a target has now.")
    forEachTarget { series("atoll_target_connections", $0, UInt64(clamping: $1.connections)) }
    family("atoll_target_requests_total", "counter", "Requests sent to a target.")
    forEachTarget { series("atoll_target_requests_total", $0, $1.requests) }
    family(
      "atoll_target_failures_total", "counter",
      "Requests that a target refused, left without a whole answer, or answered with 502 to 504.")
    forEachTarget { series("atoll_target_failures_total", $0, $1.failures) }
  }

  private func writeCertificates() {
    family(
      "atoll_certificate_expiry_seconds", "gauge",
      "When a certificate that the edge shows expires, since 1970.")
    for edge in reports.flatMap(\.edges) {
      for certificate in edge.certificates {
        series(
          "atoll_certificate_expiry_seconds",
          [("edge", edge.id), ("certificate", certificate.name)],
          UInt64(clamping: certificate.notAfter))
      }
    }
  }

  private func forEachTarget(_ body: (Labels, TargetReport) -> Void) {
    for edge in reports.flatMap(\.edges) {
      for distribution in edge.health {
        for origin in distribution.origins {
          for target in origin.targets {
            body(
              [
                ("edge", edge.id), ("distribution", distribution.name), ("origin", origin.name),
                ("target", target.address),
              ], target)
          }
        }
      }
    }
  }

  private typealias Labels = [(name: String, value: String)]

  /// Every distribution of every edge; requests that none claimed bear an empty name.
  private func forEachDistribution(_ body: (Labels, TrafficCounts) -> Void) {
    for report in reports {
      let edge = report.edges.first?.id ?? ""
      for distribution in report.distributions {
        body(
          [("edge", edge), ("distribution", distribution.name)],
          distribution.history.sinceStart.counts)
      }
      body([("edge", edge), ("distribution", "")], report.unclaimed.sinceStart.counts)
    }
  }

  private func gauge(_ name: StaticString, _ help: StaticString, _ value: (EdgeFacts) -> UInt64) {
    family(name, "gauge", help)
    for edge in reports.flatMap(\.edges) { series(name, [("edge", edge.id)], value(edge)) }
  }

  private func family(_ name: StaticString, _ type: StaticString, _ help: StaticString) {
    buffer.append("# HELP ")
    buffer.append(name)
    buffer.append(UInt8(ascii: " "))
    buffer.append(help)
    buffer.append("\n# TYPE ")
    buffer.append(name)
    buffer.append(UInt8(ascii: " "))
    buffer.append(type)
    buffer.append(UInt8(ascii: "\n"))
  }

  private func series(_ name: StaticString, _ labels: Labels, _ value: UInt64) {
    buffer.append(name)
    buffer.append(UInt8(ascii: "{"))
    for (index, label) in labels.enumerated() {
      if index > 0 { buffer.append(UInt8(ascii: ",")) }
      buffer.append(label.name)
      buffer.append("=\"")
      appendLabelValue(label.value)
      buffer.append(UInt8(ascii: "\""))
    }
    buffer.append("} ")
    buffer.appendDecimal(value)
    buffer.append(UInt8(ascii: "\n"))
  }

  /// Backslash, quote and line feed are what the format escapes.
  private func appendLabelValue(_ value: String) {
    for byte in value.utf8 {
      switch byte {
      case UInt8(ascii: "\\"): buffer.append("\\\\")
      case UInt8(ascii: "\""): buffer.append("\\\"")
      case 0x0a: buffer.append("\\n")
      default: buffer.append(byte)
      }
    }
  }
}
