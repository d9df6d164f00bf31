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

  /// Tells what became of them, and waits for the edges to take them over.
  /// - Parameter isAlone: one was asked for, and is the whole result.
  static func finish(
    _ reports: [IssueReport], isAlone: Bool, _ parsed: ParsedArguments, _ console: Console,
    in workspace: Workspace
  ) throws {
    if !parsed[CommonOptions.json] {
      for report in reports { console.confirm(report.text) }
    }
    let revision = reports.filter { $0.result != .unchanged }.map(\.certificate.revision).max()
    let wait = EdgeWait(parsed, console, certificates: reports.map(\.certificate.name))
    let confirmations = try wait.confirmations(of: revision, in: workspace)
    if parsed[CommonOptions.json] {
      let surroundings = try CertificateView.Surroundings(workspace)
      var members: [JSON.Member] = [.init(key: "schemaVersion", value: 1)]
      let parts = reports.map { $0.members(in: surroundings) }
      if isAlone {
        members += parts[0]
      } else {
        members.append(.init(key: "certificates", value: .array(parts.map(JSON.object))))
      }
      members.append(.init(key: "edges", value: wait.json(confirmations)))
      console.print(JSON.object(members))
    }
    try wait.demand(confirmations)
  }

  private func members(in surroundings: CertificateView.Surroundings) -> [JSON.Member] {
    [
      .init(key: "name", value: .string(certificate.name)),
      .init(key: "result", value: .string(result.rawValue)),
      .init(
        key: "certificate",
        value: CertificateView(certificate, in: surroundings).json(isFull: true)),
    ]
  }
}
