// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// The certificates that viewers are shown: those of the store, as it says at any time.
extension Supervisor {
  /// Before the first viewer: HTTPS is to work on default domains from the beginning.
  func makeDefaultCertificate(_ store: any Store) {
    guard let names = defaultNames else { return }
    do {
      _ = try DefaultCertificate(store).ensure(names, now: SystemCall.wallSeconds())
    } catch {
      let reason =
        (error as? StoreError)?.message ?? (error as? CertificateError)?.message ?? "\(error)"
      options.report("\(reason); default domains get a certificate that nothing keeps")
      makeTemporaryCertificate()
    }
  }

  func makeTemporaryCertificate() {
    guard let names = defaultNames else { return }
    do throws(CertificateError) {
      temporaryCertificate = try DefaultCertificate.temporary(
        names, now: SystemCall.wallSeconds())
    } catch {
      options.report("\(error.message): no https on default domains")
    }
  }

  /// What the certificate for default domains has to cover; nil where no viewer speaks TLS.
  private var defaultNames: [String]? {
    if edge.secureAddresses.isEmpty { return nil }
    return DefaultCertificate.names(
      base: Distribution.standardBase,
      hosts: deployment.policies.flatMap { $0.distribution.ownDomains })
  }

  /// The domains that certificates were chosen for, by the certificate's name.
  private var chosenHosts: [String: [String]] {
    var hosts: [String: [String]] = [:]
    for policy in deployment.policies {
      for domain in policy.distribution.domains {
        for certificate in domain.certificates {
          hosts[certificate, default: []].append(domain.name)
        }
      }
    }
    return hosts
  }

  func readCertificates(_ store: any Store) throws(StoreError) {
    let all = try CertificateCatalog(store).all()
    storedCertificates = all.certificates
    invalidCertificates = all.invalid
    showCertificates()
    keeper?.wake()
  }

  /// Returns when every loop shows what was read last to who connects from then on.
  func showCertificates() {
    var surroundings = CertificateDeployment.Surroundings()
    surroundings.hosts = chosenHosts
    surroundings.challenges = servedChallenges()
    surroundings.staples = keeper?.staples(at: SystemCall.wallSeconds()) ?? [:]
    var stored = storedCertificates
    if let temporaryCertificate, !stored.contains(where: { $0.name == DefaultCertificate.name }) {
      stored.append(temporaryCertificate)
    }
    let change = certificates.update(to: stored, invalid: invalidCertificates, surroundings)
    // Where no viewer speaks TLS nobody wants to know what is in use.
    if !edge.secureAddresses.isEmpty {
      for line in change.lines { options.report(line) }
      if change.isNew { edge.apply(certificates: certificates.certificates) }
    }
    record.refusedCertificates = edge.secureAddresses.isEmpty ? [] : certificates.refused
    noteProblems()
    let expiries = edge.secureAddresses.isEmpty ? [] : certificates.shown.map(\.expiry)
    view.update { $0.certificates = expiries }
    keeper?.look(
      after: CertificateKeeper.Charge(
        defaultNames: defaultNames,
        chains: edge.secureAddresses.isEmpty ? [] : certificates.shown.map(\.chain)))
    expiryRound = 0
  }

  /// What CAs get to see that ask for their challenge by TLS (RFC 8737).
  private func servedChallenges() -> [ServedChallenge] {
    challenges.filter { $0.type == .tls }.compactMap { challenge in
      if let made = madeChallenges[challenge.keyAuthorization] { return made }
      let now = SystemCall.wallSeconds()
      guard let key = try? PrivateKey.generate(.p256),
        let certificate = try? CertificateTemplate(
          names: [challenge.domain], commonName: "atoll challenge", notBefore: now - 3_600,
          notAfter: now + 7 * 86_400,
          extensions: [.acmeIdentifier(Digest.sha256(Array(challenge.keyAuthorization.utf8)))]
        ).signed(for: key)
      else { return nil }
      let served = ServedChallenge(
        domain: challenge.domain, certificatePEM: certificate.pem, keyPEM: key.pem)
      if madeChallenges.count >= Limits.certificateNames * 2 { madeChallenges = [:] }
      madeChallenges[challenge.keyAuthorization] = served
      return served
    }
  }

  /// One list for the commands, of distributions and certificates alike.
  func noteProblems() {
    record.problems =
      distributionProblems + (edge.secureAddresses.isEmpty ? [] : certificates.problems)
  }

  func startKeeper() {
    guard let means = options.certificates, let store, keeper == nil else { return }
    let keeper = CertificateKeeper(store, edgeID: record.id, means: means, report: options.report) {
      [bell] in bell.ringStaples()
    }
    self.keeper = keeper
    showCertificates()
    keeper.start()
  }

  func warnOfExpiry(at now: Int64) {
    guard !edge.secureAddresses.isEmpty else { return }
    let lines = expiryWarnings.lines(
      certificates.shown.map { ($0.expiry, $0.stored.standstill) }, at: now)
    for line in lines { options.report(line) }
  }
}
