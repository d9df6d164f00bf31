// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import AtollCore

/// The certificate for default domains, and when those of the local authority are renewed.
struct DefaultCertificateTests {
  private static let day: Int64 = 86_400
  private static let now: Int64 = 1_800_000_000
  private let directory = TemporaryDirectory()
  private var store: DirectoryStore { directory.store }
  private var certificate: DefaultCertificate { DefaultCertificate(store) }
  private static let names = DefaultCertificate.names(base: "atoll.localhost", hosts: [])

  @Test(arguments: [
    (["shop.atoll.localhost", "d1.atoll.localhost"], [String]()),
    (["my.site.atoll.localhost", "d1.cdn.example"], ["*.site.atoll.localhost", "*.cdn.example"]),
    // No viewer takes a wildcard below a top-level domain.
    (["shop.test", "d1.test"], ["d1.test", "shop.test"]),
  ])
  func `every default domain is covered, by a wildcard of its own level`(
    hosts: [String], further: [String]
  ) throws {
    let names = DefaultCertificate.names(base: "atoll.localhost", hosts: hosts)
    #expect(names.prefix(2) == ["*.atoll.localhost", "atoll.localhost"])
    #expect(Set(names.dropFirst(2).dropLast(3)) == Set(further))
    #expect(names.suffix(3) == ["localhost", "127.0.0.1", "::1"])
    let issued = try LocalAuthority(store).issue(names, now: Self.now).certificate
    for host in hosts + ["localhost", "127.0.0.1", "::1"] { #expect(issued.covers(host)) }
  }

  @Test func `so many names are left out as no certificate has`() {
    let hosts = (0..<200).map { "d\($0).c\($0).example" }
    #expect(
      DefaultCertificate.names(base: "atoll.localhost", hosts: hosts).count
        == Limits.certificateNames)
  }

  @Test func `it is made once, and kept for 60 of its 90 days`() throws {
    let first = try certificate.ensure(Self.names, now: Self.now)
    #expect(first.source == .local && first.name == "default-domains" && first.revision > 0)
    let leaf = try CertificateInfo(pem: try #require(first.chain))
    #expect(leaf.notAfter == Self.now + 90 * Self.day)
    #expect(try certificate.ensure(Self.names, now: Self.now + 59 * Self.day) == first)
    let next = try certificate.ensure(Self.names, now: Self.now + 60 * Self.day + 3_600)
    #expect(next.revision > first.revision && next.key != first.key)
    #expect(next.created == first.created)
    #expect(try CertificateCatalog(store).names() == ["default-domains"])
  }

  @Test func `a new default domain and another authority have it made anew`() throws {
    let first = try certificate.ensure(Self.names, now: Self.now)
    let wider = Self.names + ["*.site.atoll.localhost"]
    let second = try certificate.ensure(wider, now: Self.now)
    #expect(second.revision > first.revision && second.domains == wider)
    // What it covers beyond that stays.
    #expect(try certificate.ensure(Self.names, now: Self.now) == second)
    try store.delete(LocalAuthority.key, ifRevision: nil)
    let third = try certificate.ensure(Self.names, now: Self.now)
    let root = try #require(try LocalAuthority(store).existing()?.certificate)
    #expect(try CertificateInfo(pem: try #require(third.chain)).isIssued(by: root))
  }

  @Test func `a damaged one is left for somebody to look at, one without sense is replaced`() throws
  {
    var stored = try certificate.ensure(Self.names, now: Self.now)
    stored.chain = nil
    stored.key = nil
    try CertificateCatalog(store).put(stored, ifRevision: nil)
    let mended = try certificate.ensure(Self.names, now: Self.now)
    #expect(try CertificateCatalog(store).get("default-domains") == mended)
    #expect(mended.chain != nil)
    directory.write("home/certificates/default-domains/key.pem", "none\n")
    let whole = try certificate.ensure(Self.names, now: Self.now)
    #expect(whole.damage == nil && whole.revision > mended.revision)
    directory.write("home/certificates/default-domains/certificate.json", "{ not")
    #expect(throws: StoreError.self) { try certificate.ensure(Self.names, now: Self.now) }
  }

  @Test func `edges that begin together end up with one certificate`() throws {
    let made = Collected<StoredCertificate>()
    let certificate = certificate
    runThreads(8) { _ in
      if let one = try? certificate.ensure(Self.names, now: Self.now) { made.append(one) }
    }
    #expect(made.all.count == 8)
    let stored = try #require(try CertificateCatalog(store).get("default-domains"))
    #expect(Set(made.all.compactMap(\.chain)) == [stored.chain])
    #expect(try !certificate.isDue(stored, Self.names, now: Self.now))
  }

  @Test func `one that nothing keeps is signed by itself`() throws {
    let made = try DefaultCertificate.temporary(Self.names, now: Self.now)
    let leaf = try CertificateInfo(pem: try #require(made.chain))
    #expect(leaf.isSelfIssued && leaf.covers("x.atoll.localhost") && leaf.covers("127.0.0.1"))
    #expect(directory.files().isEmpty)
  }

  @Test func `a leaf of the local authority is renewed with its names and kind of key`() throws {
    let issued = try LocalAuthority(store).issue(["a.example"], .p384, now: Self.now)
    var stored = StoredCertificate(
      name: "a", created: 1, modified: 1, source: .local, domains: ["a.example"], keyType: .p384,
      chain: issued.certificate.pem, key: issued.key.pem)
    stored.revision = try CertificateCatalog(store).put(stored, ifRevision: 0)
    let now = Self.now + 61 * Self.day
    let next = try #require(try LocalRenewal.renew(stored, in: store, now: now))
    let leaf = try CertificateInfo(pem: try #require(next.chain))
    #expect(leaf.domains == ["a.example"] && leaf.publicKey.algorithm == .p384)
    #expect(leaf.notAfter == now + 90 * Self.day && next.modified == now && next.created == 1)
    #expect(try CertificateCatalog(store).get("a") == next)
    // Somebody has changed it since `stored` was read: theirs counts.
    #expect(try LocalRenewal.renew(stored, in: store, now: now) == nil)
    #expect(try CertificateCatalog(store).get("a") == next)
  }
}

/// What is due when.
struct CertificateCareTests {
  private static let day: Int64 = 86_400
  private static let now: Int64 = 1_800_000_000
  private static let names = DefaultCertificate.names(base: "atoll.localhost", hosts: [])
  private let directory = TemporaryDirectory()
  private let root: CertificateInfo

  init() throws {
    root = try LocalAuthority(directory.store).root(now: Self.now).certificate
  }

  private func certificate(
    _ name: String, _ source: CertificateSource, domains: [String] = ["a.example"],
    _ change: (inout StoredCertificate) -> Void = { _ in }
  ) throws -> StoredCertificate {
    let issued = try LocalAuthority(directory.store).issue(domains, now: Self.now)
    var stored = StoredCertificate(
      name: name, created: Self.now, modified: Self.now, source: source, domains: domains,
      chain: issued.certificate.pem, key: issued.key.pem)
    if source == .acme {
      stored.acme = ACMESettings(directory: "https://ca.example/dir")
      stored.renewal.askAgain = Self.now + Self.day
    }
    change(&stored)
    return stored
  }

  private func plan(
    _ certificates: [StoredCertificate], after seconds: Int64 = 0, defaultNames: [String]? = nil,
    pauses: [String: Int64] = [:]
  ) -> CertificateCare {
    CertificateCare.plan(
      certificates, defaultNames: defaultNames, root: root, pauses: pauses, now: Self.now + seconds)
  }

  @Test func `nothing is due for what is fresh, imported or was never issued`() throws {
    let all = [
      try certificate("imported", .imported), try certificate("local", .local),
      try certificate("acme", .acme),
      try certificate("pending", .acme) {
        $0.chain = nil; $0.key = nil
      },
      try certificate("broken", .local) { $0.chain = "not PEM" },
    ]
    #expect(plan(all) == CertificateCare(tasks: [], next: Self.now + CertificateCare.longest))
    #expect(plan([]).tasks.isEmpty)
    // The imported one is nobody's to renew, however old.
    #expect(
      plan([all[0], all[3], all[4]], after: 200 * Self.day).tasks.isEmpty)
  }

  @Test func `local ones are due at 60 of 90 days, and look is had in time`() throws {
    let local = [try certificate("local", .local)]
    // Its validity begins an hour before.
    let due = LocalRenewal.due(try CertificateInfo(pem: local[0].chain ?? ""))
    #expect(abs(due - Self.now - 60 * Self.day) <= 3_600)
    let before = plan(local, after: due - Self.now - 100)
    #expect(before == CertificateCare(tasks: [], next: due))
    #expect(plan(local, after: due - Self.now).tasks == [.renewLocal("local")])
    // An authority that is another signs everything anew.
    let other = TemporaryDirectory()
    let stranger = try LocalAuthority(other.store).root(now: Self.now).certificate
    #expect(
      CertificateCare.plan(local, defaultNames: nil, root: stranger, now: Self.now).tasks == [
        .renewLocal("local")
      ])
  }

  @Test func `the one for default domains is made where viewers speak TLS`() throws {
    #expect(plan([], defaultNames: Self.names).tasks == [.makeDefault])
    let made = try certificate(DefaultCertificate.name, .local, domains: Self.names)
    #expect(plan([made], defaultNames: Self.names).tasks.isEmpty)
    #expect(plan([made], defaultNames: Self.names + ["*.x.example"]).tasks == [.makeDefault])
    var damaged = made
    damaged.key = nil
    #expect(plan([damaged], defaultNames: Self.names).tasks == [.makeDefault])
    #expect(
      plan([made], after: 61 * Self.day, defaultNames: Self.names).tasks == [.makeDefault])
    // An edge without TLS renews it as any other.
    #expect(plan([made], after: 61 * Self.day).tasks == [.renewLocal(DefaultCertificate.name)])
  }

  @Test func `a CA's is due as its schedule says, and the CA is asked before`() throws {
    let acme = try certificate("acme", .acme)
    let schedule = acme.schedule(try CertificateInfo(pem: acme.chain ?? ""))
    #expect(plan([acme]).tasks.isEmpty)
    #expect(
      plan([acme], after: Self.day - 60) == CertificateCare(tasks: [], next: Self.now + Self.day))
    #expect(plan([acme], after: Self.day).tasks == [.renew("acme")])
    let asked = try certificate("acme", .acme) { $0.renewal.askAgain = Self.now + 100 * Self.day }
    #expect(plan([asked], after: 59 * Self.day).tasks.isEmpty)
    #expect(plan([asked], after: schedule.due - Self.now).tasks.count <= 1)
    #expect(plan([asked], after: 62 * Self.day).tasks == [.renew("acme")])
    // After failures it waits as long as is noted.
    let failed = try certificate("acme", .acme) {
      $0.renewal.askAgain = Self.now + 100 * Self.day
      $0.renewal.failures = 3
      $0.renewal.notBefore = Self.now + 62 * Self.day + 300
    }
    #expect(
      plan([failed], after: 62 * Self.day)
        == CertificateCare(tasks: [], next: Self.now + 62 * Self.day + 300))
    #expect(plan([failed], after: 62 * Self.day + 300).tasks == [.renew("acme")])
  }

  @Test func `what has just gone wrong is left alone for a while`() throws {
    let local = [try certificate("local", .local)]
    let now = 61 * Self.day
    #expect(
      plan(local, after: now, pauses: ["local": Self.now + now + 60])
        == CertificateCare(tasks: [], next: Self.now + now + 60))
    #expect(plan(local, after: now, pauses: ["other": Self.now + now + 60]).tasks.count == 1)
    #expect(plan(local, after: now, pauses: ["local": Self.now + now]).tasks.count == 1)
  }
}
