// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Looks at what the CA will look at, before it is asked: a fault found here costs nothing and can
/// be named better than a CA can.
package struct Preflight: Sendable {
  package var dns: DNSClient
  /// False: these name servers are all that is asked, and may know nothing of zones.
  package var asksZones: Bool
  package var userAgent: String
  /// The port of a domain that the CA connects to; nil: 80 for http-01, 443 for tls-alpn-01.
  package var port: UInt16?
  /// Seconds for one connection.
  package var patience: Double

  package init(
    dns: DNSClient, asksZones: Bool, userAgent: String, port: UInt16? = nil,
    patience: Double = 5
  ) {
    self.dns = dns
    self.asksZones = asksZones
    self.userAgent = userAgent
    self.port = port
    self.patience = patience
  }

  /// - Parameter caaIdentities: what the CA's directory says that CAA records have to name.
  package func check(
    _ names: [CertifiedName], by prover: any ChallengeProver, caaIdentities: [String], ca: String
  ) throws(ACMEError) {
    var places: [Place] = []
    for name in names {
      if name.kind == .address {
        if let address = IPAddress(name.text) {
          places.append(Place(host: name.text, address: address))
        }
        continue
      }
      guard let domain = DNSName(name.base) else { continue }
      if prover.challenge == .dns {
        try checkZone(domain)
      } else {
        for address in try addresses(of: domain) {
          places.append(Place(host: name.base, address: address))
        }
      }
      try checkAuthorities(domain, name, caaIdentities, ca)
    }
    switch prover.challenge {
    case .dns: break
    case .http: try checkAnswers(places, prover)
    case .tls: try checkPorts(places)
    }
  }

  private struct Place {
    var host: String
    var address: IPAddress
  }

  // MARK: DNS

  private func addresses(of domain: DNSName) throws(ACMEError) -> [IPAddress] {
    let reply: DNSReply
    do throws(DNSError) {
      reply = try dns.addresses(of: domain)
    } catch {
      throw RecordWatch.failure(error, "look up \(domain)")
    }
    let addresses = reply.addresses
    if !addresses.isEmpty { return addresses }
    let alias =
      reply.chain.count > 1 ? ", which is an alias of \(reply.canonicalName)," : ""
    throw ACMEError(
      .preparation,
      reply.outcome == .noName
        ? "DNS knows no name \(domain)\(alias)".trimmingComma
        : "\(domain)\(alias) has neither an A nor an AAAA record",
      hint: "create the records that lead to this edge (atoll domain records prints them), and "
        + "wait until they are known; or prove the domain by --challenge dns-01")
  }

  private func checkZone(_ domain: DNSName) throws(ACMEError) {
    if !asksZones { return }
    do throws(DNSError) {
      _ = try dns.zone(of: domain)
    } catch {
      throw RecordWatch.failure(error, "find the zone of \(domain)")
    }
  }

  /// RFC 8659: the records of the closest name that has any.
  private func checkAuthorities(
    _ domain: DNSName, _ name: CertifiedName, _ identities: [String], _ ca: String
  ) throws(ACMEError) {
    if identities.isEmpty { return }
    var next: DNSName? = domain
    while let asked = next, !asked.labels.isEmpty {
      // What can't be looked up here, the CA may be able to: it decides.
      guard let reply = try? dns.query(asked, .caa) else { return }
      let records = reply.records.map(\.data)
      if !records.isEmpty {
        let allowed = CAARule.allowed(records, isWildcard: name.kind == .wildcard)
        guard let allowed, !allowed.contains(where: identities.contains) else { return }
        throw ACMEError(
          .preparation,
          "the CAA records of \(asked) do not let \(ca) issue for \(name.text): they name "
            + (allowed.isEmpty ? "nobody" : listed(allowed, "and")),
          hint: "add a record CAA 0 \(name.kind == .wildcard ? "issuewild" : "issue") "
            + "\"\(identities[0])\" there, or ask another CA with --acme")
      }
      next = asked.parent
    }
  }

  // MARK: Reachability

  /// Presents a proof of its own, and looks for it as the CA will.
  private func checkAnswers(_ places: [Place], _ prover: any ChallengeProver) throws(ACMEError) {
    if places.isEmpty { return }
    var generator = SystemRandomNumberGenerator()
    let random = (0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) }
    let proof = ChallengeProof(
      domain: places[0].host, token: Base64URL.encode(random), thumbprint: "preflight")
    try prover.present([proof])
    defer { prover.withdraw() }
    for place in places where hasRoute(to: place.address) {
      guard let fault = fault(at: place, proof) else { continue }
      throw ACMEError(
        .preparation, fault,
        hint: "have port \(port ?? 80) of every address of \(place.host) lead to this machine; if "
          + "others can reach it and only this machine can't, give --skip-preflight")
    }
  }

  /// nil where the proof is found.
  private func fault(at place: Place, _ proof: ChallengeProof) -> String? {
    let host = place.host.contains(":") ? "[\(place.host)]" : place.host
    let suffix = port.map { $0 == 80 ? "" : ":\($0)" } ?? ""
    var url = "http://\(host)\(suffix)\(ChallengeProof.path)\(proof.token)"
    let first = url
    let at = "\(place.host) at \(place.address)"
    for hop in 0..<6 {
      var client = HTTPClient(
        userAgent: userAgent, verifies: false, bodyUse: .keep(limit: 65_536),
        connectTimeout: patience, timeout: patience * 2)
      let response: ClientResponse
      do throws(ClientError) {
        let parsed = try ClientURL(parsing: url)
        if parsed.host == place.host {
          client.route.resolutions = [
            ClientRoute.Resolution(
              host: parsed.host, port: parsed.port, addresses: ["\(place.address)"])
          ]
        }
        response = try client.send(ClientRequest(url: parsed))
      } catch {
        return hop == 0 ? "\(at): \(error.message)" : "\(at) redirects to \(url): \(error.message)"
      }
      switch response.status {
      case 200:
        let text = String(decoding: response.body, as: UTF8.self)
        if text.split(whereSeparator: \.isWhitespace).joined() == proof.keyAuthorization {
          return nil
        }
        return "\(at) answers \(url), but not with what this edge would: it is another server"
      case 301, 302, 303, 307, 308:
        guard let location = response.values("Location").first else {
          return "\(at) redirects \(url) to nowhere"
        }
        if location.hasPrefix("/") {
          guard let parsed = try? ClientURL(parsing: url) else { return "\(at) redirects wrongly" }
          url = "\(parsed.scheme.rawValue)://\(parsed.authority)\(location)"
        } else {
          url = location
        }
      default:
        let server = response.values("Server").first.map { " (\($0.prefix(60)))" } ?? ""
        return "\(at) answers \(url) with \(response.status)\(server): it is another server, or "
          + "something before the edge takes that path"
      }
    }
    return "\(at) redirects \(first) on and on"
  }

  private func checkPorts(_ places: [Place]) throws(ACMEError) {
    for place in places where hasRoute(to: place.address) {
      guard let address = SocketAddress(host: "\(place.address)", port: port ?? 443) else {
        continue
      }
      do throws(ClientError) {
        _ = try ClientSocket.connect(to: [address], by: Deadline(seconds: patience))
      } catch {
        throw ACMEError(
          .preparation, "\(place.host): \(error.message)",
          hint: "have port \(port ?? 443) of every address of \(place.host) lead to this edge; if "
            + "others can reach it and only this machine can't, give --skip-preflight")
      }
    }
  }

  /// Whether this machine can send there at all: many have no way to IPv6, while the CA has.
  private func hasRoute(to address: IPAddress) -> Bool {
    guard let place = SocketAddress(host: "\(address)", port: port ?? 80) else { return false }
    let descriptor = socket(place.family, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { _ = close(descriptor) }
    return place.withUnsafeAddress { connect(descriptor, $0, $1) } == 0
  }
}

/// Who may issue certificates for a domain (RFC 8659 §4).
package enum CAARule {
  /// The issuers that a set of records names; nil where it restricts nobody.
  package static func allowed(_ records: [DNSData], isWildcard: Bool) -> [String]? {
    func issuers(_ wanted: String) -> [String]? {
      var found: [String]?
      for record in records {
        guard case .caa(_, let tag, let value) = record, tag.lowercased() == wanted else {
          continue
        }
        let issuer = String(decoding: value, as: UTF8.self).prefix { $0 != ";" }.trimmed
        found = (found ?? []) + (issuer.isEmpty ? [] : [issuer.lowercased()])
      }
      return found
    }
    return isWildcard ? issuers("issuewild") ?? issuers("issue") : issuers("issue")
  }
}

extension String {
  /// Without the comma that a left-out clause leaves at the end.
  fileprivate var trimmingComma: String { hasSuffix(",") ? String(dropLast()) : self }
}
