// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// The end of the commands that change a certificate: the edges' confirmation, then the result.
struct CertificateReport {
  private let parsed: ParsedArguments
  private let console: Console

  init(_ parsed: ParsedArguments, _ console: Console) {
    self.parsed = parsed
    self.console = console
  }

  /// - Parameters:
  ///   - revision: the one the edges have to reach; nil when nothing was written.
  ///   - certificate: what is stored now; nil when it is gone.
  ///   - verb: what people read of it; else the word of --json.
  func finish(
    _ change: Change, named name: String, revision: UInt64?,
    certificate: StoredCertificate? = nil, verb: String? = nil, notes: [String] = [],
    in workspace: Workspace
  ) throws {
    let surroundings = try CertificateView.Surroundings(workspace)
    let view = certificate.map { CertificateView($0, in: surroundings) }
    if !parsed[CommonOptions.json] { confirm(change, name, view, verb ?? change.rawValue) }
    for note in notes { console.note(note) }
    let wait = EdgeWait(parsed, console, certificates: [name])
    let answers = try wait.confirmations(of: revision, in: workspace)
    if parsed[CommonOptions.json] {
      var members: [JSON.Member] = [
        .init(key: "schemaVersion", value: 1), .init(key: "name", value: .string(name)),
        .init(key: "result", value: .string(change.rawValue)),
      ]
      if let view { members.append(.init(key: "certificate", value: view.json(isFull: true))) }
      members.append(.init(key: "notes", value: .strings(notes)))
      members.append(.init(key: "edges", value: wait.json(answers)))
      console.print(JSON.object(members))
    }
    try wait.demand(answers)
  }

  private func confirm(_ change: Change, _ name: String, _ view: CertificateView?, _ verb: String) {
    guard let view else {
      console.confirm(
        change == .deleted
          ? "deleted the certificate \"\(name)\"" : "there is no certificate named \"\(name)\"")
      return
    }
    if change == .unchanged {
      console.confirm("the certificate \"\(name)\" is unchanged")
      return
    }
    console.confirm("\(verb) the certificate \"\(name)\"")
    console.confirm("  domains  \(view.names.joined(separator: ", "))")
    if let leaf = view.chain.first {
      console.confirm("  expires  \(RFC3339.format(seconds: leaf.notAfter))")
    }
  }
}
