// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

@testable import atoll

@Suite struct ValidationRecordTests {
  private func certificate(_ challenge: ChallengeType, _ domains: String...) -> StoredCertificate {
    StoredCertificate(
      name: "shop", created: 0, modified: 0, source: .acme, domains: domains,
      acme: ACMESettings(directory: "https://ca.example/dir", challenge: challenge))
  }

  @Test func `a wildcard shares the record of the domain it stands below`() {
    let records = ValidationRecord.all(
      of: certificate(.dns, "shop.example", "*.shop.example", "www.shop.example"), [])
    #expect(
      records.map(\.text) == [
        "dns-01: _acme-challenge.shop.example TXT", "dns-01: _acme-challenge.www.shop.example TXT",
      ])
  }

  @Test func `what is pending is told with its value`() {
    let pending = [
      PendingChallenge(
        type: .http, domain: "shop.example", token: "tok", keyAuthorization: "tok.print"),
      PendingChallenge(
        type: .http, domain: "other.example", token: "no", keyAuthorization: "no.print"),
    ]
    let records = ValidationRecord.all(of: certificate(.http, "shop.example"), pending)
    #expect(
      records.map(\.text) == [
        "http-01: http://shop.example/.well-known/acme-challenge/tok tok.print"
      ])
    let dns = ValidationRecord.all(
      of: certificate(.dns, "shop.example"),
      [
        PendingChallenge(
          type: .dns, domain: "shop.example", token: "tok", keyAuthorization: "tok.print")
      ])
    // SHA-256 of it, base64url (RFC 8555 §8.4).
    #expect(
      dns.map(\.value) == [Base64URL.encode(Digest.sha256(Array("tok.print".utf8)))])
    #expect(
      ValidationRecord.all(of: certificate(.tls, "shop.example"), []).map(\.text) == [
        "tls-alpn-01: shop.example:443, acme-tls/1"
      ])
  }

  @Test func `certificates of other kinds have none`() {
    var imported = certificate(.dns, "shop.example")
    imported.source = .imported
    imported.acme = nil
    #expect(ValidationRecord.all(of: imported, []) == [])
  }
}
