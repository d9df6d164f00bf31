// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// One certificate as list and show tell it, for people and for scripts. The key stays where it is.
struct CertificateView {
  let certificate: StoredCertificate
  /// The leaf first; empty before it is issued.
  let chain: [CertificateInfo]
  /// Why no edge can use it.
  let flaw: CertificateError?
  let status: CertificateStatus
  let uses: [CertificateUse]
  /// Of the certificate's file and of the key's.
  let paths: [String]
  /// What a CA looks for, domain by domain; empty but for ACME.
  let records: [ValidationRecord]
  private let now: Int64

  /// What a certificate is seen beside.
  struct Surroundings {
    let store: any Store
    let uses: [CertificateUse]
    let pending: [PendingChallenge]

    init(_ workspace: Workspace) throws(StoreError) {
      store = workspace.certificates.store
      uses = try workspace.certificateUses()
      pending = try PendingChallenges(store).all()
    }
  }

  init(_ certificate: StoredCertificate, in surroundings: Surroundings) {
    self.certificate = certificate
    uses = surroundings.uses.filter { $0.certificate == certificate.name }
    now = Clock.now()
    chain = (try? certificate.certificates()) ?? []
    flaw = certificate.damage
    status = CertificateStatus(
      certificate, leaf: chain.first, isDamaged: flaw != nil, now: now)
    let store = surroundings.store
    let key = CertificateCatalog.prefix + certificate.name
    paths =
      certificate.chain == nil
      ? []
      : [store.path(of: "certificate", in: key), store.path(of: "key", in: key)].compactMap { $0 }
    records = ValidationRecord.all(of: certificate, surroundings.pending)
  }

  private var leaf: CertificateInfo? { chain.first }

  /// The names on it, or those it is asked for.
  var names: [String] { leaf?.names ?? certificate.domains }

  var sourceText: String {
    switch certificate.source {
    case .acme: "ACME"
    case .local: "local"
    case .imported: "imported"
    }
  }

  // MARK: For people

  static let columns: [Table.Column] = [
    .left("NAME"), .left("STATUS"), .left("SOURCE"), .left("EXPIRES"), .left("USED BY"),
    .left("DOMAINS"),
  ]

  var row: [String] {
    [
      certificate.name, status.text, sourceText,
      leaf.map { "\(day($0.notAfter)) \(distance($0))" } ?? "-",
      firstOf(users), names.joined(separator: ", "),
    ]
  }

  private var users: [String] {
    var result: [String] = []
    for use in uses where !result.contains(use.distribution) { result.append(use.distribution) }
    return result
  }

  func details() -> Details {
    var details = Details()
    details.add("Name", certificate.name)
    details.add("Status", status.text)
    details.add("Domains", lines: names)
    if let leaf {
      details.add("Subject", leaf.subject.text.isEmpty ? "none" : leaf.subject.text)
      details.add("Issuer", leaf.issuer.text.isEmpty ? "none" : leaf.issuer.text)
      details.add("Serial", Digest.hex(leaf.serial, separator: ":"))
      details.add("Key", leaf.publicKey.algorithm.text)
      details.add("Signature", leaf.signatureName)
      details.add("Created", RFC3339.format(seconds: certificate.created))
      details.add("Issued", RFC3339.format(seconds: leaf.notBefore))
      details.add(
        "Expires", "\(RFC3339.format(seconds: leaf.notAfter)) \(distance(leaf))")
      details.add("SHA-256", Digest.hex(leaf.fingerprint, separator: ":"))
      details.add(
        "Chain",
        lines: chain.dropFirst().map {
          "\($0.subject.shortText), until \(day($0.notAfter)), issued by \($0.issuer.shortText)"
        })
      details.add("OCSP", lines: leaf.ocspURLs + (leaf.mustStaple ? ["must be stapled"] : []))
    } else {
      details.add("Key", certificate.keyType.rawValue)
      details.add("Created", RFC3339.format(seconds: certificate.created))
    }
    details.add("Source", lines: [sourceText] + acmeLines)
    details.add("Validation", lines: records.map(\.text))
    details.add("Renewal", lines: renewalLines)
    details.add(
      "Used by",
      lines: uses.isEmpty ? ["no distribution"] : uses.map { "\($0.distribution): \($0.domain)" })
    details.add("Files", lines: paths)
    return details
  }

  private var acmeLines: [String] {
    guard let acme = certificate.acme else { return [] }
    return [acme.directory, "validated by \(acme.challenge.rawValue)"]
  }

  private var renewalLines: [String] {
    var lines: [String] = []
    switch certificate.source {
    case .imported: lines.append("none: import its successor under the same name")
    case .local, .acme:
      if let due = certificate.renewalDue {
        lines.append("by the running edge from \(RFC3339.format(seconds: due)) on")
      }
    }
    let state = certificate.renewal
    if let error = state.lastError {
      let tries = state.failures > 1 ? " (\(state.failures) times)" : ""
      lines.append(
        "last try at \(RFC3339.format(seconds: state.lastAttempt ?? 0)) failed\(tries): "
          + Console.printable(error))
      if let next = state.notBefore {
        lines.append("next try not before \(RFC3339.format(seconds: next))")
      }
    }
    return lines
  }

  private func day(_ seconds: Int64) -> String {
    String(RFC3339.format(seconds: seconds).prefix(10))
  }

  /// `(in 89 days)`, `(3 hours ago)`.
  private func distance(_ leaf: CertificateInfo) -> String {
    "(\(CertificateExpiry(certificate.name, leaf).distance(at: now)))"
  }

  // MARK: For scripts

  /// - Parameter isFull: with the chain and what belongs to it.
  func json(isFull: Bool) -> JSON {
    var members: [JSON.Member] = []
    func add(_ key: String, _ value: JSON) { members.append(.init(key: key, value: value)) }
    func time(_ seconds: Int64?) -> JSON {
      seconds.map { .string(RFC3339.format(seconds: $0)) } ?? .null
    }
    add("name", .string(certificate.name))
    add("revision", .integer(Int(clamping: certificate.revision)))
    add("status", .string(status.rawValue))
    add("source", .string(certificate.source.rawValue))
    add("domains", .strings(names))
    add("created", time(certificate.created))
    add("modified", time(certificate.modified))
    add("issued", time(leaf?.notBefore))
    add("expires", time(leaf?.notAfter))
    add("renewalDue", time(certificate.renewalDue))
    add("keyAlgorithm", .string(leaf?.publicKey.algorithm.text ?? certificate.keyType.rawValue))
    add("signatureAlgorithm", .optional(leaf?.signatureName))
    add("subject", .optional(leaf?.subject.text))
    add("issuer", .optional(leaf?.issuer.text))
    add("serial", .optional(leaf.map { Digest.hex($0.serial) }))
    add("fingerprint", .optional(leaf.map { Digest.hex($0.fingerprint) }))
    add(
      "usedBy",
      .array(
        uses.map { ["distribution": .string($0.distribution), "domain": .string($0.domain)] }))
    if let flaw {
      add("problem", .string(flaw.message))
      add("hint", .string(flaw.hint))
    }
    guard isFull else { return .object(members) }
    add("ocsp", .strings(leaf?.ocspURLs ?? []))
    add("mustStaple", .bool(leaf?.mustStaple ?? false))
    if let acme = certificate.acme {
      add(
        "acme",
        [
          "directory": .string(acme.directory), "challenge": .string(acme.challenge.rawValue),
          "contacts": .strings(acme.contacts),
        ])
    }
    add("validationRecords", .array(records.map(\.json)))
    let state = certificate.renewal
    add(
      "renewal",
      [
        "lastAttempt": time(state.lastAttempt), "lastError": .optional(state.lastError),
        "failures": .integer(state.failures), "notBefore": time(state.notBefore),
      ])
    add(
      "chain",
      .array(
        chain.map {
          [
            "subject": .string($0.subject.text), "issuer": .string($0.issuer.text),
            "serial": .string(Digest.hex($0.serial)), "issued": time($0.notBefore),
            "expires": time($0.notAfter), "keyAlgorithm": .string($0.publicKey.algorithm.text),
            "signatureAlgorithm": .string($0.signatureName),
            "fingerprint": .string(Digest.hex($0.fingerprint)),
          ]
        }))
    add("pem", .optional(certificate.chain))
    add("files", .strings(paths))
    return .object(members)
  }
}
