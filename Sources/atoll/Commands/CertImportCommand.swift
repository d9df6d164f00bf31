// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

enum CertImportCommand: Command {
  private static let passphraseFile = Option.text(
    "passphrase-file", value: "file", completes: .file,
    "file with the passphrase of an encrypted key; its first line counts")
  private static let allowIncomplete = Option.flag(
    "allow-incomplete", "take a chain that does not reach a root which this system trusts")

  static let definition = CommandDefinition(
    name: "cert import", summary: "take over a certificate from PEM files",
    description: [
      """
      The files hold the certificate, the intermediates that issued it, and its private key, \
      together or apart and in any order: the command finds what belongs together, puts the chain \
      in order and leaves the root out. It refuses what viewers would refuse: a key that is \
      another certificate's, a chain with a gap, what has expired or is too weak, a certificate \
      without names.
      """,
      """
      A certificate that was imported under the name before is replaced, which is how it is \
      renewed: every edge takes the new one over without losing a connection.
      """,
    ],
    arguments: [
      ArgumentDefinition(
        "name", "what the certificate is called in this store", completes: .certificate),
      ArgumentDefinition(
        "file", "PEM files with certificate, intermediates and key; - for stdin",
        repeatable: true, completes: .file),
    ],
    options: [
      passphraseFile.definition, allowIncomplete.definition, CommonOptions.dryRun.definition,
      CommonOptions.json.definition, CommonOptions.noWait.definition,
      CommonOptions.timeout.definition,
    ],
    examples: [
      Example("atoll cert import shop fullchain.pem privkey.pem", "certificate, chain and key"),
      Example(
        "atoll cert import shop shop.crt ca-bundle.crt shop.key --passphrase-file secret",
        "with an encrypted key"),
      Example(
        "openssl pkcs12 -in shop.p12 -nodes | atoll cert import shop -",
        "from PKCS #12, without a file of the open key"),
    ],
    exitCodes: [.done, .failed, .usage, .unconfirmed, .interrupted],
    seeAlso: ["cert show", "cert delete"])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    let name = parsed.arguments[0]
    try Workspace.checkCertificateName(name)
    let workspace = try Workspace.open(parsed)
    let place = try workspace.certificates.place(name)
    let existing = place.certificate
    if let existing, existing.source != .imported {
      let what = existing.source == .local ? "made by the store's own authority" : "had by ACME"
      throw CommandError.failed(
        "the certificate \"\(name)\" is \(what) and renews itself",
        hint: "import this one under another name, or delete that one first")
    }
    let imported = try read(parsed)
    let isSame = existing?.chain == imported.chainPEM && existing?.damage == nil
    if !isSame {
      try workspace.checkUses(
        of: name, coveredBy: imported.leaf.names,
        hint: "give one that names it, or import it under another name")
    }
    for warning in imported.warnings { console.warn(warning.message, hint: warning.hint) }
    let report = CertificateReport(parsed, console)
    let now = Clock.now()
    if isSame, let existing {
      try report.finish(
        .unchanged, named: name, revision: nil, certificate: existing, notes: imported.notes,
        in: workspace)
      return
    }
    var certificate = StoredCertificate(
      name: name, created: existing?.created ?? now, modified: now, source: .imported,
      domains: imported.leaf.names,
      keyType: imported.key.algorithm.keyType ?? .p256, chain: imported.chainPEM,
      key: imported.key.pem)
    let isNew = place.revision == 0
    let change: Change = isNew ? .created : .updated
    let notes = imported.notes + (place.note.map { [$0] } ?? [])
    if parsed[CommonOptions.dryRun] {
      try report.finish(
        change, named: name, revision: nil, certificate: certificate, verb: "would import",
        notes: notes, in: workspace)
      return
    }
    do {
      certificate.revision = try workspace.certificates.put(
        certificate, ifRevision: place.revision)
    } catch let error as StoreError {
      guard case .conflict = error else { throw error }
      throw CommandError.failed(
        "the certificate \"\(name)\" was changed meanwhile", hint: "look at it, and repeat")
    }
    try report.finish(
      change, named: name, revision: certificate.revision, certificate: certificate,
      verb: isNew ? "imported" : "replaced", notes: notes, in: workspace)
  }

  private static func read(_ parsed: ParsedArguments) throws -> CertificateImport {
    var files: [CertificateFile] = []
    var problems: [CommandError.Problem] = []
    for path in parsed.arguments.dropFirst() {
      let bytes = try InputFile.read(path, limit: CertificateFile.limit, hint: "name a PEM file")
      do {
        files.append(try CertificateFile(name: path == "-" ? "stdin" : path, bytes))
      } catch {
        problems.append(.init(message: error.message, hint: error.hint))
      }
    }
    if !problems.isEmpty { throw CommandError(problems, code: .usage) }
    do {
      return try CertificateImport(
        files, passphrase: try passphrase(parsed), allowsIncomplete: parsed[allowIncomplete],
        now: Clock.now(), isIssuedByTrusted: SystemRoots.haveIssued)
    } catch let refusal as CertificateImport.Refusal {
      throw CommandError(
        refusal.problems.map { .init(message: $0.message, hint: $0.hint) }, code: .usage)
    }
  }

  /// Its first line, without the line's end.
  private static func passphrase(_ parsed: ParsedArguments) throws -> [UInt8]? {
    guard let path = parsed[passphraseFile] else { return nil }
    let bytes = try InputFile.read(path, limit: 4_096, hint: "name a file of one line")
    var line = bytes.prefix { $0 != UInt8(ascii: "\n") }
    if line.last == UInt8(ascii: "\r") { line.removeLast() }
    return Array(line)
  }
}
