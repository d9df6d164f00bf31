// SPDX-License-Identifier: Apache-2.0

extension ACMEIssuer {
  /// Who proves domains where nobody can be asked: the running edges, or a command.
  package static func unattendedProver(
    _ settings: ACMESettings, in store: any Store, report: @escaping @Sendable (String) -> Void
  ) throws(ACMEError) -> any ChallengeProver {
    switch settings.challenge {
    case .http, .tls: return EdgeProver(store, settings.challenge)
    case .dns:
      guard let hook = settings.dnsHook else {
        throw ACMEError(
          .settings, "a person has to create the DNS records that prove its domains",
          hint: "give it a command that does it: atoll cert ensure with --dns-hook")
      }
      return DNSProver(
        DNSHook(hook, report: report),
        RecordWatch(
          dns: try dns(settings), asksZones: settings.dnsServer == nil,
          limit: settings.dnsTimeout ?? standardDNSTimeout, report: report), in: store)
    }
  }

  /// Seconds that name servers have to get a record.
  package static let standardDNSTimeout = 180

  package static func dns(_ settings: ACMESettings) throws(ACMEError) -> DNSClient {
    guard let text = settings.dnsServer else { return .system }
    guard let server = DNSServer(text) else {
      throw ACMEError(
        .settings, "\(quoted(text)) is no address of a name server",
        hint: "write --dns-server 192.0.2.53 or 192.0.2.53:5353")
    }
    return DNSClient(servers: [server])
  }
}
