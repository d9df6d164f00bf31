// SPDX-License-Identifier: Apache-2.0
import AtollCore

enum DomainAttachCommand: Command {
  private static let cert = Option.text(
    "cert", value: "name", completes: .certificate, repeatable: true,
    "the certificate to serve them with; again for one with another kind of key, RSA or ECDSA")
  private static let noCert = Option.flag(
    "no-cert", excludes: ["cert"],
    "attach without one: for TLS that ends before the edge, or for none")

  static let definition = CommandDefinition(
    name: "domain attach", summary: "have a distribution answer for domains",
    description: [
      """
      The certificate must be valid and cover every domain named; without --cert it is chosen \
      among those that do: one for all where there is one, a public one before the local \
      authority's. With --no-cert none is named: edges show whichever covers the domain, if any. A \
      domain that another distribution has is refused: detach it there first.
      """,
      """
      Attached again, a domain stays as it is, with a certificate or without one, unless --cert \
      names another or its own will no longer do and another does; that its own has expired is a \
      warning then. The command returns when every running edge answers for the domains.
      """,
    ],
    arguments: [
      DomainCommand.distribution,
      ArgumentDefinition(
        "domain", "such as www.shop.example or *.shop.example", repeatable: true),
    ],
    options: [
      cert.definition, noCert.definition, CommonOptions.json.definition,
      CommonOptions.noWait.definition, CommonOptions.timeout.definition,
    ],
    examples: [
      Example(
        "atoll domain attach shop shop.example www.shop.example",
        "serve both with the certificate that covers them"),
      Example(
        "atoll domain attach shop '*.shop.example' --cert shop-wildcard",
        "serve all below with this certificate"),
    ],
    exitCodes: [.done, .failed, .usage, .unconfirmed, .interrupted],
    seeAlso: ["domain detach", "domain records", "domain check", "cert"])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    let name = parsed.arguments[0]
    let domains = try DomainCommand.domains(parsed.arguments.dropFirst())
    let workspace = try Workspace.open(parsed)
    var given: [String] = []
    for certificate in parsed.values(cert) where !given.contains(certificate) {
      given.append(certificate)
    }
    while true {
      let current = try workspace.get(name)
      let choice = try DomainCertificates(in: workspace)
      var wanted = current.domains
      for domain in domains {
        let index = wanted.firstIndex { $0.name == domain } ?? wanted.count
        if index == wanted.count { wanted.append(AttachedDomain(name: domain)) }
        if parsed[noCert] {
          wanted[index].certificates = []
        } else if parsed.has(cert) {
          // Their order means nothing: the kind of key tells which one a viewer gets.
          if Set(wanted[index].certificates) != Set(given) { wanted[index].certificates = given }
        } else {
          wanted[index].certificates = try choice.certificates(
            for: wanted[index], among: domains, attached: current.domains, of: name)
        }
      }
      var changed = current
      changed.setDomains(wanted)
      let changes = differences(from: current, to: changed)
      let added = try choice.demand(of: changed, over: current)
      func finish(_ change: Change, _ distribution: Distribution) throws {
        for problem in choice.problems(of: wanted.filter { domains.contains($0.name) }) {
          console.warn(problem.message, hint: problem.hint)
        }
        try ChangeReport(parsed, console).finish(
          change, distribution, changes: changes, in: workspace)
      }
      // What was detached and is attached again is a change even where no line tells it.
      guard !changes.isEmpty || changed != current else {
        try finish(.unchanged, current)
        return
      }
      changed.modified = Clock.now()
      do {
        try validate(changed)
      } catch {
        throw CommandError(
          error.problems.map { .init(message: $0.message, hint: $0.hint) }, code: .usage)
      }
      if let stored = try workspace.put(changed, ifRevision: current.revision, with: added) {
        try finish(.updated, stored)
        return
      }
    }
  }
}

/// Which certificates domains are served with, and what to do where there is none.
struct DomainCertificates {
  private let choice: CertificateChoice

  init(in workspace: Workspace) throws(StoreError) {
    let (_, certificates, invalid) = try workspace.certificates.all()
    choice = CertificateChoice(certificates, invalid: invalid, now: Clock.now())
  }

  /// Those that the domain has while they fit, else the best there is, else those that it has all the
  /// same. A domain that is attached without any stays so.
  /// - Parameters:
  ///   - domains: what is attached together, and so best shares one.
  ///   - attached: what is already.
  ///   - distribution: for the hint.
  func certificates(
    for domain: AttachedDomain, among domains: [String], attached: [AttachedDomain],
    of distribution: String
  ) throws(CommandError) -> [String] {
    let isAttached = attached.contains { $0.name == domain.name }
    if isAttached, domain.certificates.isEmpty { return [] }
    let fitting = domain.certificates.filter { choice.flaw(of: $0, for: [domain.name]) == nil }
    if !fitting.isEmpty { return fitting }
    if let best = choice.best(for: domain.name, among: domains) { return [best] }
    if !domain.certificates.isEmpty { return domain.certificates }
    var problems: [CommandError.Problem] = []
    var uncovered: [String] = []
    for domain in domains where choice.best(for: domain, among: domains) == nil {
      if attached.contains(where: { $0.name == domain }) { continue }
      if let (name, flaw) = choice.nearest(to: domain) {
        let problem = problem(flaw, of: name, for: [domain])
        problems.append(
          .init(message: "\"\(domain)\": \(problem.message)", hint: problem.hint))
      } else {
        uncovered.append("\"\(domain)\"")
      }
    }
    if !uncovered.isEmpty {
      problems.append(
        .init(
          message: "no certificate of the store covers \(listed(uncovered, "and"))",
          hint:
            "get one with \(ensure(distribution, domains)), or attach it in the clear with "
            + "--no-cert"))
    }
    throw CommandError(problems, code: .failed)
  }

  /// A certificate that is named for a domain anew has to be able to serve it; what was named before
  /// may stay, whatever has become of it.
  /// - Parameter source: the file that names them.
  /// - Returns: those named anew, which have to be there still when this is written.
  func demand(
    of distribution: Distribution, over current: Distribution?, source: String? = nil
  ) throws(CommandError) -> [String] {
    var named: [(certificate: String, domains: [String])] = []
    for domain in distribution.domains {
      let former = current?.domains.first { $0.name == domain.name }?.certificates ?? []
      for certificate in domain.certificates where !former.contains(certificate) {
        let index = named.firstIndex { $0.certificate == certificate } ?? named.count
        if index == named.count { named.append((certificate, [])) }
        named[index].domains.append(domain.name)
      }
    }
    var problems: [CommandError.Problem] = []
    for (certificate, domains) in named {
      guard let problem = problem(with: certificate, for: domains) else { continue }
      let place = source.map { "\($0): " } ?? ""
      problems.append(.init(message: place + problem.message, hint: problem.hint))
    }
    if problems.isEmpty { problems = rivals(among: distribution, over: current, source) }
    if !problems.isEmpty { throw CommandError(problems, code: .failed) }
    return named.map(\.certificate)
  }

  private func rivals(
    among distribution: Distribution, over current: Distribution?, _ source: String?
  ) -> [CommandError.Problem] {
    var problems: [CommandError.Problem] = []
    var told: Set<[String]> = []
    for domain in distribution.domains where !(current?.domains.contains(domain) ?? false) {
      guard let (first, second, family) = choice.rivals(among: domain.certificates),
        told.insert([first, second]).inserted
      else { continue }
      problems.append(
        .init(
          message: (source.map { "\($0): " } ?? "")
            + "\"\(first)\" and \"\(second)\" both have \(family) keys, and \"\(domain.name)\" is "
            + "served with one certificate of each kind",
          hint:
            "name one of them, and beside it one with \(family == "RSA" ? "an ECDSA" : "an RSA") "
            + "key if you have it"))
    }
    return problems
  }

  /// What keeps domains from being served with the certificates that they have.
  func problems(of domains: [AttachedDomain]) -> [CommandError.Problem] {
    var problems: [CommandError.Problem] = []
    var told: Set<String> = []
    for certificate in domains.flatMap(\.certificates) where told.insert(certificate).inserted {
      let served = domains.filter { $0.certificates.contains(certificate) }.map(\.name)
      if let problem = problem(with: certificate, for: served) { problems.append(problem) }
    }
    return problems
  }

  /// nil where the certificate is able to serve the domains.
  func problem(with certificate: String, for domains: [String]) -> CommandError.Problem? {
    choice.flaw(of: certificate, for: domains)
      .map { problem($0, of: certificate, for: domains) }
  }

  private func problem(
    _ flaw: CertificateChoice.Flaw, of certificate: String, for domains: [String]
  ) -> CommandError.Problem {
    switch flaw {
    case .missing:
      let near = Suggestion.closest(to: certificate, in: choice.candidates.map(\.name))
      return .init(
        message: "no certificate named \"\(certificate)\"",
        hint: near.map { "did you mean \"\($0)\"?" }
          ?? (domains.isEmpty ? "" : "get one with \(ensure(certificate, domains)), ")
          + "see atoll cert list")
    case .notIssued:
      return .init(
        message: "the certificate \"\(certificate)\" is not issued yet",
        hint: "see atoll cert show \(certificate) for what it waits for")
    case .damaged(let damage): return .init(message: damage.message, hint: damage.hint)
    case .expired(let time):
      return .init(
        message:
          "the certificate \"\(certificate)\" has expired on \(RFC3339.format(seconds: time))",
        hint: choice.renewal(of: certificate))
    case .notYetValid(let time):
      return .init(
        message:
          "the certificate \"\(certificate)\" is valid only from \(RFC3339.format(seconds: time)) on",
        hint: "wait, or name another with --cert")
    case .uncovered(let missing, let names):
      return .init(
        message: "the certificate \"\(certificate)\" does not cover "
          + "\(listed(missing.map { "\"\($0)\"" }, "and")); it is for "
          + (names.isEmpty ? "no domain" : listed(names, "and")),
        hint: extending(certificate, names + missing))
    }
  }

  /// How a certificate is had that is for more; the CA's alone can grow.
  private func extending(_ certificate: String, _ domains: [String]) -> String {
    switch choice.candidates.first(where: { $0.name == certificate })?.source {
    case .local:
      "make one that does with atoll cert create <name> --local \(Self.options(domains)), or name "
        + "another with --cert"
    case .imported: "import one that does, or name another with --cert"
    default: "get one that does with \(ensure(certificate, domains)), or name another with --cert"
    }
  }

  /// The command that gets a certificate for domains, which works as it stands: what there is by that
  /// name keeps the domains that it is for, and goes on where it is not the CA's.
  private func ensure(_ name: String, _ domains: [String]) -> String {
    func isFree(_ name: String) -> Bool {
      guard CertificateCatalog.flaw(inName: name) == nil, name != DefaultCertificate.name else {
        return false
      }
      return choice.candidates.first { $0.name == name }.map { $0.source == .acme } ?? true
    }
    var candidates = [name]
    if let first = domains.first {
      candidates.append(first.hasPrefix("*.") ? String(first.dropFirst(2)) : first)
    }
    let base = CertificateCatalog.flaw(inName: name) == nil ? name : "domains"
    var free = candidates.first(where: isFree)
    var number = 2
    while free == nil {
      let next = "\(base.prefix(CertificateCatalog.nameLimit - 10))-\(number)"
      if isFree(next) { free = next }
      number += 1
    }
    var all = choice.candidates.first { $0.name == free }?.domains ?? []
    for domain in domains where !all.contains(domain) { all.append(domain) }
    return "atoll cert ensure \(free ?? name) \(Self.options(all))"
  }

  private static func options(_ domains: [String]) -> String {
    domains.map { $0.hasPrefix("*") ? "--domain '\($0)'" : "--domain \($0)" }
      .joined(separator: " ")
  }
}

extension Workspace {
  /// What `demand` of `DomainCertificates` says.
  func checkCertificates(
    of distribution: Distribution, over current: Distribution?, source: String?
  ) throws -> [String] {
    let isNew = distribution.domains.contains { domain in
      let former = current?.domains.first { $0.name == domain.name }?.certificates ?? []
      return domain.certificates.contains { !former.contains($0) }
    }
    // Most files name none: then none is read.
    if !isNew { return [] }
    return try DomainCertificates(in: self).demand(of: distribution, over: current, source: source)
  }

  /// What a file says of certificates and aliases, which the store alone can tell the meaning of.
  /// - Parameter name: the distribution's, where the command line says it.
  func resolveDomains(of draft: inout DistributionDraft, named name: String? = nil) throws {
    guard draft.certificateName != nil || draft.aliases != nil else { return }
    let certificates = try certificates.all().certificates
    let choice = try DomainCertificates(in: self)
    if let certificate = draft.certificateName {
      let names = certificates.first { $0.name == certificate }?.leaf?.domains ?? []
      // Whether it is good is asked of what it is attached to.
      if names.isEmpty, let problem = choice.problem(with: certificate, for: []) {
        throw CommandError([problem], code: .failed)
      }
      draft.attach(
        names.map { AttachedDomain(name: normalizedDomain($0), certificates: [certificate]) })
    } else if let aliases = draft.aliases {
      let name = name ?? draft.name
      let current = name.flatMap { try? find($0) }?.domains ?? []
      var domains: [AttachedDomain] = []
      for alias in aliases {
        var domain = current.first { $0.name == alias } ?? AttachedDomain(name: alias)
        domain.certificates = try choice.certificates(
          for: domain, among: aliases, attached: current, of: name ?? "<name>")
        domains.append(domain)
      }
      draft.attach(domains)
    }
  }
}
