// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

struct DomainRecordsTests {
  private static let apexes = [DNSName("shop.example")!, DNSName("cdn.test")!]

  private static func zone(_ name: DNSName) -> DNSName { apexes.first { $0.contains(name) }! }

  private static func plan(
    _ domains: [String], target: String? = "d1.cdn.test", _ addresses: [String] = [],
    challenges: [(String, String)] = []
  ) -> DomainRecords {
    DomainRecords(
      of: domains, target: target.flatMap { DNSName($0) },
      addresses: addresses.map { IPAddress($0)! },
      challenges: challenges.map { (domain: $0.0, text: $0.1) }, zone: zone)
  }

  @Test func `a zone file: aliases below the apex, addresses on it, the base domain, challenges`() {
    let plan = Self.plan(
      ["*.cdn.test", "shop.example", "www.shop.example", "*.shop.example"],
      ["203.0.113.5", "2001:db8::5"],
      challenges: [("shop.example", "aBc"), ("*.shop.example", "dEf")])
    #expect(plan.unplaced.isEmpty)
    #expect(
      plan.zoneFile(lifetime: 300) == [
        "$ORIGIN cdn.test.", "*  300  IN  A      203.0.113.5", "*  300  IN  AAAA   2001:db8::5", "",
        "$ORIGIN shop.example.",
        "@                300  IN  A      203.0.113.5",
        "@                300  IN  AAAA   2001:db8::5",
        "www              300  IN  CNAME  d1.cdn.test.",
        "*                300  IN  CNAME  d1.cdn.test.",
        "_acme-challenge  300  IN  TXT    \"aBc\"", "_acme-challenge  300  IN  TXT    \"dEf\"",
      ])
  }

  @Test func `without a name to lead to every domain gets the addresses`() {
    let plan = Self.plan(["shop.example", "www.shop.example"], target: nil, ["203.0.113.5"])
    #expect(plan.records.map(\.kind) == [.a, .a])
    #expect(Self.plan(["www.shop.example"], target: nil).unplaced == ["www.shop.example"])
  }

  @Test func `names of unknown zones leave the others their records`() {
    let plan = DomainRecords(
      of: ["www.shop.example", "a.other.example"], target: DNSName("d1.cdn.test"), addresses: [],
      challenges: [("a.other.example", "x"), ("www.shop.example", "y")]
    ) { name in Self.apexes.first { $0.contains(name) } }
    #expect(plan.records.map(\.kind) == [.cname, .txt])
    #expect(plan.records.allSatisfy { $0.zone == DNSName("shop.example") })
  }

  @Test func `without addresses an apex gets an alias, which nsupdate can't`() {
    let plan = Self.plan(["shop.example", "www.shop.example"])
    #expect(
      plan.zoneFile(lifetime: 60) == [
        "$ORIGIN shop.example.", "@    60  IN  ALIAS  d1.cdn.test.",
        "www  60  IN  CNAME  d1.cdn.test.",
      ])
    let (lines, left) = plan.nsupdate(lifetime: 60)
    #expect(left.map(\.name) == [DNSName("shop.example")])
    #expect(
      lines == [
        "zone shop.example.", "update delete www.shop.example. CNAME",
        "update add www.shop.example. 60 CNAME d1.cdn.test.", "send",
      ])
  }

  @Test func `nsupdate replaces what stands there once, and adds challenges beside others`() {
    let plan = Self.plan(
      ["shop.example"], ["203.0.113.5", "203.0.113.6"],
      challenges: [("shop.example", "a"), ("*.shop.example", "b")])
    #expect(
      plan.nsupdate(lifetime: 60).lines == [
        "zone shop.example.", "update delete shop.example. A",
        "update add shop.example. 60 A 203.0.113.5", "update add shop.example. 60 A 203.0.113.6",
        "update add _acme-challenge.shop.example. 60 TXT \"a\"",
        "update add _acme-challenge.shop.example. 60 TXT \"b\"", "send",
      ])
  }

  private static func candidate(
    _ name: String, _ domains: [String], days: Int64 = 30, source: CertificateSource = .acme
  ) throws -> CertificateChoice.Candidate {
    let key = try PrivateKey.generate(.p256)
    let leaf = try CertificateTemplate(
      names: domains, organization: "test", commonName: domains[0], notBefore: 0,
      notAfter: days * 86_400
    ).signed(for: key)
    return .init(name: name, source: source, leaf: leaf)
  }

  @Test func `the certificate for a domain`() throws {
    let choice = CertificateChoice(
      [
        try Self.candidate("www", ["www.shop.example"], days: 90),
        try Self.candidate("both", ["shop.example", "www.shop.example"]),
        try Self.candidate("local", ["shop.example", "x.example"], days: 90, source: .local),
        try Self.candidate("wild", ["*.eu.example"]),
        try Self.candidate("old", ["a.example"], days: 1),
        .init(name: "pending", source: .acme, leaf: nil),
      ], now: 2 * 86_400)
    // One for all first, then a public one, then the one that lasts longest.
    #expect(choice.best(for: "www.shop.example", among: ["www.shop.example"]) == "www")
    let both = ["shop.example", "www.shop.example"]
    for domain in both { #expect(choice.best(for: domain, among: both) == "both") }
    #expect(choice.best(for: "shop.example", among: ["shop.example"]) == "both")
    #expect(choice.best(for: "x.example", among: ["x.example"]) == "local")
    // On certificates a wildcard is for one label.
    #expect(choice.best(for: "w.eu.example", among: []) == "wild")
    #expect(choice.best(for: "*.eu.example", among: []) == "wild")
    #expect(choice.best(for: "a.b.eu.example", among: []) == nil)
    #expect(choice.best(for: "a.example", among: []) == nil)
    #expect(choice.flaw(of: "old", for: ["a.example"]) == .expired(at: 86_400))
    #expect(choice.flaw(of: "pending", for: []) == .notIssued)
    #expect(choice.flaw(of: "none", for: []) == .missing)
    #expect(
      choice.flaw(of: "www", for: both)
        == .uncovered(["shop.example"], names: ["www.shop.example"]))
    #expect(choice.flaw(of: "both", for: both) == nil)
  }
}
