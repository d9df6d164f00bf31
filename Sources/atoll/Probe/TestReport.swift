// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// The test of one URL: what both the text and the JSON document are written from.
struct TestReport {
  let request: ClientRequest
  private(set) var exchanges: [(response: ClientResponse, reading: CacheReading)] = []
  /// Why the requests ended early.
  private(set) var error: ClientError?
  /// The response only says that TLS is spoken here.
  private(set) var misdirection: ClientError?
  private(set) var findings: [Expectation.Finding] = []
  private(set) var diagnosis: Diagnosis?
  var explanation: Explanation?

  /// - Parameter now: seconds since 1970.
  static func make(
    _ request: ClientRequest, client: HTTPClient, count: Int, expectations: [Expectation],
    now: Int64
  ) -> TestReport {
    var report = TestReport(request: request)
    do throws(ClientError) {
      for _ in 0..<count {
        let response = try client.send(request)
        report.exchanges.append((response, CacheReading(response, now: now)))
      }
    } catch {
      report.error = error
    }
    let tlsPeer = report.mayHaveMetTLS ? client.peerSpeakingTLS(at: request.url) : nil
    guard let last = report.exchanges.last else {
      if let tlsPeer { report.error = .onlyTLS(tlsPeer, request.url) }
      return report
    }
    report.misdirection = tlsPeer.map { .onlyTLS($0, request.url) }
    report.diagnosis = Diagnosis(report.exchanges, request: request)
    if let misdirection = report.misdirection { report.diagnosis?.replace(by: misdirection) }
    // A test cut short has not seen the response that the expectations are about.
    if report.error == nil {
      report.findings = expectations.map { $0.check(last.response, last.reading) }
    }
    return report
  }

  private init(request: ClientRequest) { self.request = request }

  /// Asked in the clear, servers that speak TLS answer with 400 or close the connection.
  private var mayHaveMetTLS: Bool {
    guard request.url.scheme == .http else { return false }
    return exchanges.last?.response.status == 400 || exchanges.isEmpty && error?.fault == .noAnswer
  }

  func print(to console: Console) {
    guard !exchanges.isEmpty else { return }
    console.print("\(request.method) \(request.url.text)")
    for (index, exchange) in exchanges.enumerated() {
      let (response, reading) = exchange
      var parts = ["\(response.status)", console.styled(reading.verdict.rawValue, reading.style)]
      // That nothing was stored before is what a miss means; that it is now is news.
      if reading.verdict == .miss, reading.isStored == true {
        parts[1] += ", stored"
      } else if let reason = reading.reason {
        parts[1] += " (\(reason))"
      }
      if let age = reading.age { parts.append("age \(Quantity.duration(age))") }
      if let ttl = reading.ttl { parts.append("ttl \(Quantity.duration(ttl))") }
      parts.append(Quantity.size(Int(clamping: response.bodyLength)))
      console.print("  \(index + 1)  " + parts.joined(separator: "  "))
      let phases = response.phases
      console.print(
        console.styled(
          "     dns \(Self.milliseconds(phases.dns)), connect "
            + "\(Self.milliseconds(phases.connect)), "
            + (response.tls == nil ? "" : "tls \(Self.milliseconds(phases.tls)), ")
            + "wait \(Self.milliseconds(phases.wait)), "
            + "transfer \(Self.milliseconds(phases.transfer))", .dim))
      if let tls = response.tls, index == 0 || exchanges[index - 1].response.tls != tls {
        console.print(console.styled("     " + Self.text(tls), .dim))
      }
    }
    guard let diagnosis else { return }
    console.print(
      "  " + console.styled(diagnosis.verdict, diagnosis.isCached ? .green : .yellow)
        + (diagnosis.advice.map { "; \($0)" } ?? ""))
  }

  /// `TLSv1.3, certificate for www.example.com until 2026-12-31T23:59:59Z by "An Authority"`.
  private static func text(_ tls: ClientTLSFacts) -> String {
    guard let certificate = tls.certificate else { return tls.version }
    var names = certificate.names.prefix(3).joined(separator: ", ")
    if certificate.names.count > 3 { names += " and \(certificate.names.count - 3) more" }
    if names.isEmpty { names = "no host" }
    return "\(tls.version), certificate for \(names) until "
      + "\(RFC3339.format(seconds: certificate.notAfter)) by \"\(certificate.issuer)\""
  }

  private static func milliseconds(_ seconds: Double) -> String {
    // Half a tenth more than the clock said is no lie that anyone can measure.
    "\(Quantity.decimal(Int((seconds * 10_000).rounded()))) ms"
  }

  /// Seconds and bytes as numbers, nothing to read aloud.
  var json: JSON {
    let last = exchanges.last?.reading
    let members: [JSON.Member] = [
      .init(key: "url", value: .string(request.url.text)),
      .init(key: "method", value: .string(request.method)),
      .init(key: "cached", value: .bool(diagnosis?.isCached ?? false)),
      .init(key: "verdict", value: .optional(last?.verdict.rawValue)),
      .init(key: "reason", value: .optional(last?.reason)),
      .init(key: "ttl", value: .optional(last?.ttl)),
      .init(key: "bodyChanged", value: .bool(diagnosis?.hasBodyChanged ?? false)),
      .init(
        key: "requests", value: .array(exchanges.map { Self.json($0, host: request.url.host) })),
      .init(
        key: "expectations",
        value: .array(
          findings.map { finding in
            .object([
              .init(key: "expected", value: .string(finding.expectation.text)),
              .init(key: "actual", value: .string(finding.actual)),
              .init(key: "met", value: .bool(finding.isMet)),
            ])
          })),
      .init(key: "error", value: .optional(error?.message)),
    ]
    return .object(
      members + (explanation.map { [.init(key: "explanation", value: $0.json)] } ?? []))
  }

  private static func json(
    _ exchange: (response: ClientResponse, reading: CacheReading), host: String
  ) -> JSON {
    let (response, reading) = exchange
    let phases = response.phases
    return .object([
      .init(key: "status", value: .integer(response.status)),
      .init(key: "verdict", value: .string(reading.verdict.rawValue)),
      .init(key: "reason", value: .optional(reading.reason)),
      .init(key: "cache", value: .optional(reading.cache)),
      .init(key: "source", value: .optional(reading.source)),
      .init(key: "stored", value: reading.isStored.map(JSON.bool) ?? .null),
      .init(key: "age", value: .optional(reading.age)),
      .init(key: "ttl", value: .optional(reading.ttl)),
      .init(key: "bytes", value: .integer(Int(clamping: response.bodyLength))),
      .init(key: "bodyHash", value: .string(hexadecimal(response.bodyHash))),
      .init(key: "address", value: .string(response.peer)),
      .init(
        key: "phases",
        value: .object([
          .init(key: "dns", value: .number(phases.dns)),
          .init(key: "connect", value: .number(phases.connect)),
          .init(key: "tls", value: .number(phases.tls)),
          .init(key: "wait", value: .number(phases.wait)),
          .init(key: "transfer", value: .number(phases.transfer)),
          .init(key: "total", value: .number(phases.total)),
        ])),
      .init(key: "tls", value: response.tls.map { json($0, host: host) } ?? .null),
      .init(
        key: "headers",
        value: .array(
          response.fields.map { field in
            .object([
              .init(key: "name", value: .string(field.name)),
              .init(key: "value", value: .string(field.value)),
            ])
          })),
    ])
  }

  private static func json(_ tls: ClientTLSFacts, host: String) -> JSON {
    var certificate = JSON.null
    if let shown = tls.certificate {
      certificate = .object([
        .init(key: "subject", value: .string(shown.subject)),
        .init(key: "names", value: .array(shown.names.map { .string($0) })),
        .init(key: "issuer", value: .string(shown.issuer)),
        .init(key: "notBefore", value: .string(RFC3339.format(seconds: shown.notBefore))),
        .init(key: "notAfter", value: .string(RFC3339.format(seconds: shown.notAfter))),
      ])
    }
    return .object([
      .init(key: "version", value: .string(tls.version)),
      .init(key: "cipher", value: .string(tls.cipher)),
      .init(key: "verified", value: .bool(tls.fault == nil && tls.certificate != nil)),
      .init(key: "fault", value: .optional(tls.fault?.text(host: host))),
      .init(key: "certificate", value: certificate),
    ])
  }

  private static func hexadecimal(_ value: UInt64) -> String {
    let digits = ByteBuffer(capacity: 16)
    digits.appendHex(value)
    return String(decoding: digits.bytes, as: UTF8.self)
  }
}

extension CacheReading {
  /// Its color at a terminal.
  var style: Console.Style {
    switch verdict {
    case .hit: .green
    case .stale, .revalidated, .coalesced, .miss: .yellow
    case .pass, .unknown: .blue
    case .error: .red
    }
  }
}
