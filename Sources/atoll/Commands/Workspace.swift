// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc

/// The store a command works on, and the edges that watch it.
struct Workspace {
  let catalog: Catalog
  let certificates: CertificateCatalog
  let registry: EdgeRegistry

  init(_ store: any Store) {
    catalog = Catalog(store)
    certificates = CertificateCatalog(store)
    registry = EdgeRegistry(store)
  }

  static func open(_ parsed: ParsedArguments) throws -> Workspace {
    var environment = parsed.environment
    if let home = parsed[CommonOptions.home] { environment["ATOLL_HOME"] = home }
    return Workspace(try openStore(environment: environment))
  }

  /// What the edges have sent this month.
  var transfer: TransferView {
    get throws(StoreError) { try TransferView(catalog.store, now: Clock.now()) }
  }

  /// Nil when there is none of that name.
  func find(_ name: String) throws -> Distribution? {
    try catalog.get(name)
  }

  /// One that has to be there.
  func get(_ name: String) throws -> Distribution {
    guard let distribution = try find(name) else { throw try missing(name) }
    return distribution
  }

  func missing(_ name: String) throws -> CommandError {
    let near = Suggestion.closest(to: name, in: try catalog.names())
    return .failed(
      "no distribution named \"\(name)\"",
      hint: near.map { "did you mean \"\($0)\"?" } ?? "see atoll list")
  }

  /// A certificate that has to be there.
  func certificate(_ name: String) throws -> StoredCertificate {
    guard let certificate = try certificates.get(name) else { throw try missingCertificate(name) }
    return certificate
  }

  func missingCertificate(_ name: String) throws -> CommandError {
    let near = Suggestion.closest(to: name, in: try certificates.names())
    return .failed(
      "no certificate named \"\(name)\"",
      hint: near.map { "did you mean \"\($0)\"?" } ?? "see atoll cert list")
  }

  /// A name for a certificate that a command makes.
  static func checkCertificateName(_ name: String) throws(CommandError) {
    if let flaw = CertificateCatalog.flaw(inName: name) {
      throw .usage("the name \"\(name)\" \(flaw)", hint: "choose another name")
    }
    if name == DefaultCertificate.name {
      throw .usage(
        "the name \"\(name)\" is kept for the certificate of default domains, which the edges make",
        hint: "choose another name")
    }
  }

  /// A successor has to cover what the certificate of that name is used for.
  func checkUses(
    of name: String, coveredBy names: [String], hint: String
  ) throws {
    let lost = try certificateUses().filter {
      $0.certificate == name && $0.isNamed && !CertificateNames.covers(names, $0.domain)
    }
    if lost.isEmpty { return }
    throw CommandError(
      lost.map { use in
        CommandError.Problem(
          message: "the certificate is not for \(use.domain), for which the distribution "
            + "\"\(use.distribution)\" uses \"\(name)\"", hint: hint)
      }, code: .usage)
  }

  /// What the distributions use certificates for.
  func certificateUses() throws(StoreError) -> [CertificateUse] {
    CertificateUse.all(in: try catalog.all().distributions, try certificates.all().certificates)
  }

  /// A new name that another differs from only in case would share that one's host names.
  func checkNew(_ name: String) throws {
    let same = try catalog.names().first { $0 != name && $0.lowercased() == name.lowercased() }
    if let same {
      throw CommandError.usage(
        "the name \"\(name)\" differs from \"\(same)\" only in case, which host names don't tell apart",
        hint: "choose another name, or change \"\(same)\" with atoll update \(same)")
    }
  }

  /// What was stored, with its new revision; nil when another command was faster, which may have
  /// deleted one of the certificates, too.
  func put(
    _ distribution: Distribution, ifRevision revision: UInt64, with certificates: [String] = []
  ) throws -> Distribution? {
    var stored = distribution
    do {
      stored.revision = try catalog.put(
        distribution, ifRevision: revision,
        demanding: certificates.map { CertificateCatalog.prefix + $0 })
    } catch StoreError.conflict {
      return nil
    } catch let claim as DomainClaim {
      throw CommandError.failed(
        claim.isOwn
          ? "\"\(claim.domain)\" is a domain of \"\(claim.holder)\"'s own"
          : "\"\(claim.domain)\" is attached to \"\(claim.holder)\"",
        hint: claim.isOwn
          ? "choose another domain"
          : "detach it first with atoll domain detach \(claim.holder) "
            + (claim.domain.hasPrefix("*") ? "'\(claim.domain)'" : claim.domain))
    }
    return stored
  }

  /// What the own domains of a new distribution end in.
  func baseDomain() throws -> String { try BaseDomain(catalog.store).get() }

  /// Validity, and what only this version, not the configuration's form, forbids.
  /// - Parameter parsed: the command line that the settings came from; without one, or with a file
  ///   on it, problems stand where the file has them.
  /// - Parameter source: the file, where there is one.
  static func check(
    _ distribution: Distribution, from parsed: ParsedArguments? = nil, source: String? = nil
  ) throws {
    do {
      try validate(distribution)
    } catch {
      guard let parsed, parsed[DistributionOptions.file] == nil else { throw error }
      throw OptionPlaces.translated(error, of: distribution)
    }
    try checkTLSFiles(of: distribution, source ?? parsed.flatMap(Self.file))
    try checkPages(of: distribution, source ?? parsed.flatMap(Self.file))
  }

  /// The file that settings are read from, for messages.
  static func file(_ parsed: ParsedArguments) -> String? {
    parsed[DistributionOptions.file].map { $0 == "-" ? "stdin" : $0 }
  }

  /// What the TLS settings of its origins name. That this machine trusts nobody is for the edges to
  /// say.
  private static func checkTLSFiles(
    of distribution: Distribution, _ source: String?
  ) throws(CommandError) {
    var problems: [CommandError.Problem] = []
    var origins = [("origin", distribution.origin)]
    for named in distribution.origins { origins.append(("origins.\(named.name)", named.origin)) }
    for (place, origin) in origins {
      var files = OriginTLSFiles()
      do throws(OriginTLSTrouble) {
        try files.add(origin.tls, system: false)
      } catch {
        problems.append(
          .init(
            message: (source.map { "\($0): \(place).tls.\(error.key)" }
              ?? (place == "origin" ? "--origin-\(error.key)" : "--named-origin: \(error.key)"))
              + ": \(error.what)", hint: error.trouble.hint))
      }
    }
    if !problems.isEmpty { throw CommandError(problems, code: .usage) }
  }

  /// The edges run beside the store, so what cannot be read here cannot be read there.
  private static func checkPages(
    of distribution: Distribution, _ source: String?
  ) throws(CommandError) {
    var problems: [CommandError.Problem] = []
    for (index, response) in distribution.errors.responses.enumerated() {
      guard case .file(let file) = response.page else { continue }
      var status = stat()
      let isFile = stat(file, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
      let flaw: String? =
        access(file, R_OK) != 0 ? errorText(errno) : isFile ? nil : "it is not a file"
      if let flaw {
        problems.append(
          .init(
            message: (source.map { "\($0): errors.responses[\(index)].page.file" } ?? "--error-page")
              + ": the page of \(response.status), \"\(file)\", cannot be read: \(flaw)",
            hint: "put it there, or name another page for \(response.status)"))
      }
    }
    if !problems.isEmpty { throw CommandError(problems, code: .usage) }
  }
}
