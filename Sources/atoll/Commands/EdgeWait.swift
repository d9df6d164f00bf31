// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Waits for the running edges after a change, as `--no-wait` and `--timeout` say.
struct EdgeWait {
  private static let standard = 30

  private let waits: Bool
  private let timeout: Int
  private let names: [String]
  private let certificates: [String]
  private let console: Console

  /// - Parameters:
  ///   - names: the distributions that the change is about.
  ///   - certificates: those that it is about.
  init(
    _ parsed: ParsedArguments, _ console: Console, for names: [String] = [],
    certificates: [String] = []
  ) {
    self.names = names
    self.certificates = certificates
    waits = !parsed[CommonOptions.noWait]
    timeout = parsed[CommonOptions.timeout] ?? Self.standard
    self.console = console
  }

  /// How each live edge stands to the revision; none when nothing was written or nobody waits.
  func confirmations(
    of revision: UInt64?, in workspace: Workspace
  ) throws -> [EdgeConfirmation] {
    guard waits, let revision else { return [] }
    return try workspace.registry.waitUntilApplied(
      revision: revision, timeout: .seconds(timeout))
  }

  /// Tells what edges complain about, and fails when one has not taken the change over.
  func demand(_ confirmations: [EdgeConfirmation]) throws(CommandError) {
    for edge in confirmations.map(\.edge) {
      for problem in edge.problems { console.warn("edge \"\(edge.id)\": \(problem)") }
    }
    let late = confirmations.filter { !$0.isConfirmed }
    guard late.isEmpty else {
      throw CommandError(
        late.map { confirmation in
          CommandError.Problem(
            message: "edge \"\(confirmation.edge.id)\" (process \(confirmation.edge.pid)) has not "
              + "confirmed the change within \(Quantity.duration(timeout))",
            hint: "the change is stored; look at that edge's log, or wait longer with --timeout")
        }, code: .unconfirmed)
    }
    let refusals = confirmations.flatMap { confirmation in
      refused(by: confirmation.edge).map { refused in
        CommandError.Problem(
          message: "\"\(refused.name)\": edge \"\(confirmation.edge.id)\" cannot take the change "
            + "over and \(refused.standing)",
          hint: "the change is stored; the warning above says what that edge lacks")
      }
    }
    if !refusals.isEmpty { throw CommandError(refusals, code: .failed) }
  }

  private func refused(by edge: EdgeRecord) -> [(name: String, standing: String)] {
    edge.refused.filter { names.contains($0.name) }.map {
      ($0.name, $0.text(otherwise: "does not serve it"))
    }
      + edge.refusedCertificates.filter { certificates.contains($0.name) }.map {
        ($0.name, $0.text(otherwise: "does not show it"))
      }
  }

  func json(_ confirmations: [EdgeConfirmation]) -> JSON {
    .array(
      confirmations.map { confirmation in
        [
          "id": .string(confirmation.edge.id),
          "addresses": .strings(confirmation.edge.addresses),
          "confirmed": .bool(
            confirmation.isConfirmed && refused(by: confirmation.edge).isEmpty),
        ]
      })
  }
}
