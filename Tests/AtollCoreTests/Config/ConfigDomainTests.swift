// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

@Suite struct ConfigDomainTests {
  private let origin = #""name": "shop", "origin": "http://a.example""#

  private func make(_ domains: String, existing: Distribution? = nil) throws -> Distribution {
    try Sample.decode("{\(origin), \(domains)}")[0].make(existing: existing, now: 0)
  }

  @Test func `an object of certificates, and the briefer forms`() throws {
    let made = try make(
      #""domains": {"www.shop.example": ["a", "b"], "*.shop.example": [], "x.example": "a", "y.example": null}"#
    )
    #expect(
      made.domains == [
        AttachedDomain(name: "www.shop.example", certificates: ["a", "b"]),
        AttachedDomain(name: "*.shop.example"),
        AttachedDomain(name: "x.example", certificates: ["a"]), AttachedDomain(name: "y.example"),
      ])
    let bytes = DistributionFile.encode(made)
    #expect(try DistributionFile.decodeStored(bytes, source: "x") == made)
    #expect(
      try make(#""domains": ["a.example", "b.example"]"#).domains.map(\.name) == [
        "a.example", "b.example",
      ])
    #expect(try make(#""domains": {}"#).domains.isEmpty)
  }

  @Test(arguments: [
    (#""domains": {"Shop.example": []}"#, "domains", "holds capitals", "shop.example"),
    (#""domains": ["a.example", "a.example"]"#, "domains", "occurs twice", "one of the two"),
    (
      #""domains": {"a.example": ["../x"]}"#, "domains.a.example", "no name of a certificate",
      "cert list"
    ),
    (#""domains": {"a.example": ["x", "x"]}"#, "domains.a.example", "occurs twice", "keep one"),
    (#""detachedDomains": ["a b"]"#, "detachedDomains", "other than letters", "www.shop.example"),
  ])
  func `what is wrong is told with its place`(
    json: String, place: String, what: String, hint: String
  ) {
    let problems = Sample.problems { _ = try make(json) }
    #expect(problems.map(\.where) == ["site.json: \(place)"], "\(problems)")
    #expect(problems.first?.what.contains(what) == true, "\(problems)")
    #expect(problems.first?.hint.contains(hint) == true, "\(problems)")
  }

  @Test func `a file that does not speak of domains leaves them`() throws {
    var existing = try Sample.distribution()
    existing.domains = [AttachedDomain(name: "a.example", certificates: ["a"])]
    existing.detachedDomains = ["old.example"]
    let silent = try make(#""preset": "static""#, existing: existing)
    #expect(silent.domains == existing.domains)
    #expect(silent.detachedDomains == ["old.example"])
    #expect(silent.defaultDomain == existing.defaultDomain)
    // What a file drops is detached; what it takes back is not.
    let changed = try make(
      #""domains": {"old.example": [], "b.example": []}"#, existing: existing)
    #expect(changed.domains.map(\.name) == ["old.example", "b.example"])
    #expect(changed.detachedDomains == ["a.example"])
    let said = try make(
      #""domains": {}, "detachedDomains": ["a.example"]"#, existing: existing)
    #expect(said.domains.isEmpty && said.detachedDomains == ["a.example"])
  }

  @Test func `a copy under another name takes no domains along`() throws {
    var shop = try Sample.distribution()
    shop.domains = [AttachedDomain(name: "a.example")]
    shop.detachedDomains = ["b.example"]
    let json = String(decoding: DistributionFile.encode(shop), as: UTF8.self)
    let copy = try Sample.decode(json)[0].make(
      name: "stage", id: "dzzzzzzzzzzzzz", baseDomain: "cdn.example", now: 0)
    #expect(copy.domains.isEmpty && copy.detachedDomains.isEmpty)
    #expect(copy.defaultDomain == "dzzzzzzzzzzzzz.cdn.example")
    #expect(copy.ownDomains == ["stage.cdn.example", "dzzzzzzzzzzzzz.cdn.example"])
    #expect(try Sample.decode(json)[0].make(name: "shop", now: 0).domains == shop.domains)
  }

  @Test func `a file of an earlier version gets the default domain it had`() throws {
    let stored = try DistributionFile.decodeStored(
      Array(#"{"name": "shop", "id": "d0123456789abc", "origin": "http://a.example"}"#.utf8),
      source: "x")
    #expect(stored.defaultDomain == "d0123456789abc.atoll.localhost")
    #expect(stored.ownDomains == ["shop.atoll.localhost", "d0123456789abc.atoll.localhost"])
  }

  @Test func `changes in words`() throws {
    let old = try make(#""domains": {"a.example": ["x"], "b.example": []}"#)
    let new = try make(
      #""domains": {"b.example": ["x", "y"], "c.example": []}"#, existing: old)
    #expect(
      differences(from: old, to: new) == [
        "detach the domain \"a.example\"",
        "change the certificates of the domain \"b.example\" from whichever covers it to \"x\" and "
          + "\"y\"",
        "attach the domain \"c.example\"",
      ])
    var forgotten = new
    forgotten.detachedDomains = []
    #expect(
      differences(from: new, to: forgotten) == ["forget the detached domain \"a.example\""])
    #expect(differences(from: forgotten, to: new) == ["refuse the domain \"a.example\""])
    var reordered = new
    reordered.domains.reverse()
    #expect(differences(from: new, to: reordered) == ["reorder the domains"])
    #expect(
      differences(from: nil, to: old).last == "attach the domain \"b.example\"")
  }

  @Test func `CloudFormation names a certificate, whose domains a store knows`() throws {
    let json = """
      {"DistributionName": "shop", "CertificateName": "mine", "Origin": {"Name": "a.example"},
       "DefaultCacheBehavior": {"Behavior": "cache"}}
      """
    var draft = try Sample.decode(json)[0]
    #expect(draft.certificateName == "mine")
    let problems = Sample.problems { _ = try draft.make(now: 0) }
    #expect(problems.first?.where == "site.json: CertificateName")
    draft.attach([AttachedDomain(name: "www.shop.example", certificates: ["mine"])])
    #expect(
      try draft.make(now: 0).domains == [
        AttachedDomain(name: "www.shop.example", certificates: ["mine"])
      ])
  }

  @Test func `CloudFront's aliases want a certificate each`() throws {
    let json = """
      {"DistributionConfig": {"Aliases": {"Quantity": 2, "Items": ["WWW.shop.example", "*.eu.example"]},
        "ViewerCertificate": {"ACMCertificateArn": "arn:aws:acm:x", "SSLSupportMethod": "sni-only",
          "MinimumProtocolVersion": "TLSv1.2_2021", "CertificateSource": "acm"},
        "Origins": [{"Id": "a", "DomainName": "a.example"}],
        "DefaultCacheBehavior": {"TargetOriginId": "a"}}}
      """
    let draft = try Sample.decode(json)[0]
    #expect(draft.aliases == ["www.shop.example", "*.eu.example"])
    #expect(
      try draft.make(name: "shop", now: 0).domains.map(\.name) == [
        "www.shop.example", "*.eu.example",
      ])
  }
}
