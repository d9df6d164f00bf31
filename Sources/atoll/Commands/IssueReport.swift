// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What became of a certificate that was to be there.
struct IssueReport {
  enum Result: String { case obtained, renewed, unchanged }

  let certificate: StoredCertificate
  let result: Result
  private let leaf: CertificateInfo?

  init(_ outcome: ACMEIssuer.Outcome) {
    switch outcome {
    case .unchanged(let certificate, _):
      self.init(certificate, .unchanged)
    case .issued(let certificate, let isFirst):
      self.init(certificate, isFirst ? .obtained : .renewed)
    }
  }

  init(_ certificate: StoredCertificate, _ result: Result) {
    self.certificate = certificate
    self.result = result
    leaf = certificate.leaf
  }

  private var next: Int64? { leaf.map { certificate.schedule($0).next } }

  var text: String {
    let name = "\"\(certificate.name)\""
    let end = leaf.map { RFC3339.format(seconds: $0.notAfter) } ?? "now"
    let next = next.map { RFC3339.format(seconds: $0) } ?? "now"
    switch result {
    case .unchanged:
      return "\(name) is good until \(end): nothing to do before \(next)"
    case .obtained, .renewed:
      return "\(result.rawValue) \(name) for \(listed(certificate.domains, "and")): good until "
        + "\(end), to be renewed from \(next) on"
    }
  }

  var json: JSON {
    func time(_ seconds: Int64?) -> JSON { .optional(seconds.map { RFC3339.format(seconds: $0) }) }
    return [
      "name": .string(certificate.name), "result": .string(result.rawValue),
      "domains": .strings(certificate.domains), "keyType": .string(certificate.keyType.rawValue),
      "directory": .optional(certificate.acme?.directory),
      "challenge": .optional(certificate.acme?.challenge.rawValue),
      "serial": .optional(leaf.map { Digest.hex($0.serial) }), "notBefore": time(leaf?.notBefore),
      "notAfter": time(leaf?.notAfter), "renewFrom": time(next),
      "revision": .integer(Int(clamping: certificate.revision)),
    ]
  }

  /// Tells it, and waits for the edges to take it over.
  func finish(
    _ parsed: ParsedArguments, _ console: Console, in workspace: Workspace
  ) throws {
    try Self.finish([self], parsed, console, in: workspace) { reports in
      guard case .object(let members) = reports[0].json else { return .null }
      return .object([.init(key: "schemaVersion", value: 1)] + members)
    }
  }

  static func finish(
    _ reports: [IssueReport], _ parsed: ParsedArguments, _ console: Console,
    in workspace: Workspace, json: ([IssueReport]) -> JSON
  ) throws {
    let revision = reports.filter { $0.result != .unchanged }.map(\.certificate.revision).max()
    let wait = EdgeWait(parsed, console, for: [])
    let confirmations = try wait.confirmations(of: revision, in: workspace)
    if parsed[CommonOptions.json] {
      console.print(json(reports))
    } else {
      for report in reports { console.confirm(report.text) }
    }
    try wait.demand(confirmations)
  }
}
