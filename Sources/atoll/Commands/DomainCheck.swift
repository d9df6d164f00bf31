// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc

/// What one look at a domain has come to.
struct DomainFinding {
  enum State: String { case ok, warning, fault }

  /// "dns", "certificate", "https", "http".
  let subject: String
  let state: State
  let detail: String
  /// The next step; nil where all is well.
  var fix: String?
}

/// Looks at one domain as a viewer would: does DNS lead here, does the certificate fit, does an
/// edge answer.
struct DomainCheck {
  /// Where the edges that run on the store are reached from this machine.
  struct Listeners {
    var http: [SocketAddress] = []
    var https: [SocketAddress] = []
  }

  let domain: String
  let distribution: Distribution
  let choice: CertificateChoice
  /// To be believed beside the system's authorities: the store's own, or a file's.
  let trust: Trust
  let dns: DNSClient
  /// Where the edges are, as far as anybody has said.
  let expected: [IPAddress]
  /// Asked where DNS knows no address, and for names of this machine where no port was given.
  let local: Listeners
  let hasGivenPort: Bool
  let httpPort: UInt16
  let httpsPort: UInt16
  let timeout: Double

  /// Addresses of one name that are asked.
  private static let places = 4

  func run() -> [DomainFinding] {
    let (finding, addresses) = checkDNS()
    let certificate = checkCertificate()
    var findings = [finding]
    if let certificate { findings.append(certificate) }
    findings += checkAnswers(addresses, expectsTLS: certificate != nil)
    return findings
  }

  /// A host that the domain stands for.
  private var host: String {
    domain.hasPrefix("*.") ? "atoll-check.\(domain.dropFirst(2))" : domain
  }

  private var recordsHint: String {
    "create what atoll domain records \(distribution.name)"
      + (NameService.isLocal(distribution.baseDomain) ? " --ip <address>" : "") + " prints"
  }

  // MARK: DNS

  private func checkDNS() -> (DomainFinding, [IPAddress]) {
    func finding(_ state: DomainFinding.State, _ detail: String, _ fix: String? = nil)
      -> DomainFinding
    {
      DomainFinding(subject: "dns", state: state, detail: detail, fix: fix)
    }
    if NameService.isLocal(host) {
      return (
        finding(.ok, "every machine takes it for itself (RFC 6761)"),
        hasGivenPort ? [IPAddress(ipv4: 0x7f00_0001)] : []
      )
    }
    guard let name = DNSName(host) else { return (finding(.fault, "is no name"), []) }
    let reply: DNSReply
    do throws(DNSError) {
      reply = try dns.addresses(of: name)
    } catch {
      let fix = "check the name server, or ask another with --dns-server"
      return (finding(.fault, "\(error)", fix), [])
    }
    switch reply.outcome {
    case .noName:
      let what = reply.chain.count > 1 ? "leads to \(reply.canonicalName), which" : "\(name)"
      return (finding(.fault, "\(what) does not exist in DNS", recordsHint), [])
    case .noData, .elsewhere:
      return (finding(.fault, "\(reply.canonicalName) has no address", recordsHint), [])
    case .records: break
    }
    let addresses = reply.addresses
    let path =
      (reply.chain.dropFirst().map(\.description)
      + [addresses.map(\.description).joined(separator: ", ")]).joined(separator: " → ")
    let strays = expected.isEmpty ? [] : addresses.filter { !expected.contains($0) }
    if !strays.isEmpty {
      return (
        finding(
          .fault,
          "\(path): \(listed(strays.map(\.description), "and")) is none of "
            + expected.map(\.description).joined(separator: ", "),
          "take it out of DNS, or name it with --ip, too"), addresses
      )
    }
    return (finding(.ok, path), addresses)
  }

  // MARK: Certificate

  /// Nil where the domain is attached without one, and none fits: it is served in the clear.
  private func checkCertificate() -> DomainFinding? {
    func finding(_ state: DomainFinding.State, _ detail: String, _ fix: String? = nil)
      -> DomainFinding
    {
      DomainFinding(subject: "certificate", state: state, detail: detail, fix: fix)
    }
    if distribution.ownDomains.contains(domain) {
      if !NameService.isLocal(domain) { return nil }
      if case .damaged(let damage)? = choice.flaw(of: DefaultCertificate.name, for: []) {
        return finding(.fault, damage.message, damage.hint)
      }
      return finding(.ok, "of the store's own authority")
    }
    let attached = distribution.domains.first { $0.name == domain }
    var names = attached?.certificates ?? []
    if names.isEmpty { names = [choice.best(for: domain, among: [domain])].compactMap { $0 } }
    if names.isEmpty { return nil }
    let attach = "attach it with another: atoll domain attach \(distribution.name) \(domain)"
    for name in names {
      switch choice.flaw(of: name, for: [domain]) {
      case nil: continue
      case .missing?: return finding(.fault, "\"\(name)\" is not in the store", attach)
      case .notIssued?:
        return finding(
          .fault, "\"\(name)\" is not issued yet", "see atoll cert show \(name)")
      case .damaged(let damage)?: return finding(.fault, damage.message, damage.hint)
      case .expired(let time)?:
        return finding(
          .fault, "\"\(name)\" has expired on \(RFC3339.format(seconds: time))",
          choice.renewal(of: name))
      case .notYetValid(let time)?:
        return finding(
          .fault, "\"\(name)\" is valid only from \(RFC3339.format(seconds: time)) on",
          "check the clock, or wait")
      case .uncovered(_, let others)?:
        return finding(
          .fault, "\"\(name)\" is for \(others.joined(separator: ", "))", attach)
      }
    }
    let expiries = choice.candidates.filter { names.contains($0.name) }.compactMap(\.expiry)
    let first = expiries.min { $0.notAfter < $1.notAfter }
    let detail =
      "\(names.map { "\"\($0)\"" }.joined(separator: ", ")) covers it, until "
      + RFC3339.format(seconds: first?.notAfter ?? 0).prefix(10)
    if let first, first.isNear(at: choice.now) {
      return finding(.warning, detail, choice.renewal(of: first.name))
    }
    return finding(.ok, detail)
  }

  // MARK: The edge

  private func checkAnswers(_ addresses: [IPAddress], expectsTLS: Bool) -> [DomainFinding] {
    if addresses.isEmpty { return checkLocalAnswers(expectsTLS: expectsTLS) }
    var findings: [DomainFinding] = []
    for place in addresses.prefix(Self.places).map(\.description) {
      if expectsTLS { findings.append(ask("https", place, port: httpsPort, isNeeded: true)) }
      findings.append(ask("http", place, port: httpPort, isNeeded: !expectsTLS))
    }
    return findings
  }

  /// Without an address from DNS the edges of this store tell whether the rest is ready.
  private func checkLocalAnswers(expectsTLS: Bool) -> [DomainFinding] {
    var findings: [DomainFinding] = []
    if local.http.isEmpty && local.https.isEmpty {
      findings.append(
        DomainFinding(
          subject: "edge", state: .fault, detail: "no address to ask, and no edge runs here",
          fix: "start one with atoll serve"))
    } else if expectsTLS && local.https.isEmpty {
      findings.append(
        DomainFinding(
          subject: "https", state: .fault, detail: "no edge here listens for it",
          fix: "start one with atoll serve --https :443"))
    }
    if expectsTLS {
      findings += local.https.map { ask("https", $0.description, port: nil, isNeeded: true) }
    }
    findings += local.http.map {
      ask("http", $0.description, port: nil, isNeeded: !expectsTLS)
    }
    return findings
  }

  /// - Parameter port: nil where the place has it.
  private func ask(_ scheme: String, _ place: String, port: UInt16?, isNeeded: Bool)
    -> DomainFinding
  {
    func finding(_ state: DomainFinding.State, _ detail: String, _ fix: String? = nil)
      -> DomainFinding
    {
      let from = port.map { place.contains(":") ? "[\(place)]:\($0)" : "\(place):\($0)" } ?? place
      return DomainFinding(subject: scheme, state: state, detail: "\(from): \(detail)", fix: fix)
    }
    let trouble: DomainFinding.State = isNeeded ? .fault : .warning
    var client = HTTPClient(
      userAgent: "atoll/\(Atoll.version)", trust: trust, bodyUse: .count,
      connectTimeout: min(timeout, 5), timeout: timeout)
    let usual: UInt16 = scheme == "https" ? 443 : 80
    let asked = "\(scheme)://\(host)\(port.map { $0 == usual ? "" : ":\($0)" } ?? "")/"
    let response: ClientResponse
    do throws(ClientError) {
      let url = try ClientURL(parsing: asked)
      if let port {
        client.route.resolutions = [
          .init(host: host, port: port, addresses: [place])
        ]
      } else if let address = SocketAddress(parsing: place) {
        var redirection = ClientRoute.Redirection()
        redirection.toHost = address.host
        redirection.toPort = address.port
        client.route.redirections = [redirection]
      }
      response = try client.send(ClientRequest(url: url))
    } catch {
      // The client's own words name the place.
      return DomainFinding(
        subject: scheme, state: trouble, detail: error.message,
        fix: fix(for: error, scheme, port: port))
    }
    let status = response.combined("Cache-Status") ?? ""
    let suffix = response.tls.map { " over \($0.version)" } ?? ""
    // atoll's own words (RFC 9211); a cache before it may have added its own.
    guard status.contains("atoll") else {
      return finding(
        .fault, "\(response.status)\(suffix) from something other than atoll",
        "lead the name to the edges: \(recordsHint)")
    }
    switch response.status {
    case 421:
      return finding(
        .fault, "421: no distribution of that edge answers for \(host)",
        "attach it with atoll domain attach \(distribution.name) \(domain), or look at the edge: "
          + "does it serve this store?")
    case 403 where status.contains("domain-detached"):
      return finding(
        .fault, "403: it is detached",
        "attach it with atoll domain attach \(distribution.name) \(domain)")
    case 403 where status.contains("distribution-disabled"):
      return finding(
        .fault, "403: the distribution is disabled",
        "enable it with atoll update \(distribution.name) --enabled")
    case 500...:
      return finding(
        .fault, "\(response.status)\(suffix)",
        "the domain is well, the origin is not: see atoll test \(asked)"
          + (port == nil ? " --connect-to \(place)" : ""))
    default: return finding(.ok, "\(response.status)\(suffix)")
    }
  }

  private func fix(for error: ClientError, _ scheme: String, port: UInt16?) -> String {
    switch error.fault {
    case .connect, .timeout(connecting: true):
      return port.map {
        "serve there with --\(scheme) :\($0), forward port \($0) to the edge, or open the firewall"
      } ?? "start an edge with atoll serve"
    case .certificate(.unknownRoot), .certificate(.unknownIssuer), .certificate(.selfSigned):
      return "name its authority with --ca, or get a public one with atoll cert ensure"
    case .certificate(.wrongName):
      return "attach the domain with a certificate that covers it: atoll domain attach "
        + "\(distribution.name) \(domain)"
    case .tls, .noTLS:
      return
        "does the edge speak TLS there, and has it a certificate for \(host)? See atoll cert list"
    default: return error.hint ?? "look at the edge's log"
    }
  }
}
