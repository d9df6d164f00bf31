// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

@Suite struct CertificateInfoTests {
  private let leaf = try! CertificateInfo(pem: CertificateSamples.leaf)
  private let intermediate = try! CertificateInfo(pem: CertificateSamples.intermediate)
  private let root = try! CertificateInfo(pem: CertificateSamples.root)

  @Test func `what a certificate says is read`() {
    #expect(leaf.subject.text == "CN=shop.example")
    #expect(leaf.issuer.text == "CN=Fixture Intermediate, O=Fixture")
    #expect(Digest.hex(leaf.serial) == "f1e2d3c4b5a697")
    #expect(RFC3339.format(seconds: leaf.notBefore) == "2026-11-20T11:18:28Z")
    #expect(RFC3339.format(seconds: leaf.notAfter) == "2125-06-14T11:18:28Z")
    #expect(leaf.domains == ["shop.example", "*.shop.example"])
    #expect(leaf.addresses == [IPAddress("192.0.2.7")!, IPAddress("2001:db8::1")!])
    #expect(leaf.publicKey.algorithm == .p256)
    #expect(leaf.signatureName == "ECDSA with SHA-256")
    #expect(leaf.ocspURLs == ["http://ocsp.fixture.example/"])
    #expect(leaf.issuerURLs == ["http://ca.fixture.example/inter.der"])
    #expect(leaf.mustStaple && leaf.isForServers && !leaf.isAuthority)
    #expect(leaf.authorityKeyID == intermediate.subjectKeyID)
    #expect(leaf.unknownCritical == [])
    #expect(
      Digest.hex(leaf.fingerprint, separator: ":").hasPrefix("72:D4:DA:F0:3A:12:91:45:4D:2A"))
    #expect(intermediate.isAuthority && intermediate.pathLength == 0)
    #expect(root.isAuthority && root.pathLength == nil && root.isSelfIssued)
    #expect(root.publicKey.algorithm == .p384)
    #expect(
      root.subject.text == #"CN=Fixture Root, O=Muschel & Söhne\, Test, C=DE"#)
    #expect(leaf.pem == CertificateSamples.leaf)
  }

  @Test func `issuers are known by name, key and signature`() throws {
    #expect(leaf.isIssued(by: intermediate))
    #expect(intermediate.isIssued(by: root))
    #expect(root.isIssued(by: root))
    #expect(!leaf.isIssued(by: root))
    #expect(!leaf.isIssued(by: leaf))
    #expect(!root.isIssued(by: intermediate))
    // The same name and key id, but another key.
    let forger = try PrivateKey.generate(.p256)
    var template = CertificateTemplate(
      organization: "Fixture", commonName: "Fixture Intermediate", notBefore: 0,
      notAfter: 4_000_000_000, isAuthority: true)
    template.extensions = [
      CertificateExtension(ObjectID.subjectKeyID, DER.octets(intermediate.subjectKeyID!))
    ]
    let forged = try template.signed(for: forger)
    #expect(forged.subject == intermediate.subject)
    #expect(!leaf.isIssued(by: forged))
  }

  @Test func `every truncation, and anything behind it, is refused`() {
    for count in leaf.der.indices {
      #expect(throws: CertificateError.self) {
        try CertificateInfo(der: Array(leaf.der.prefix(count)))
      }
    }
    #expect(throws: CertificateError.self) { try CertificateInfo(der: leaf.der + [0]) }
  }

  @Test func `no changed byte crashes the reader`() {
    for index in leaf.der.indices {
      for change: UInt8 in [0x01, 0x80, 0xff] {
        var der = leaf.der
        der[index] ^= change
        if let info = try? CertificateInfo(der: der) { #expect(info.der == der) }
      }
    }
  }

  @Test func `validity includes both ends`() {
    #expect(!leaf.isValid(at: leaf.notBefore - 1))
    #expect(leaf.isValid(at: leaf.notBefore))
    #expect(leaf.isValid(at: leaf.notAfter))
    #expect(!leaf.isValid(at: leaf.notAfter + 1))
  }

  @Test(arguments: [
    ("shop.example", true), ("SHOP.Example.", true), ("www.shop.example", true),
    ("a.b.shop.example", false), ("example", false), ("shop.example.com", false),
    ("192.0.2.7", true), ("192.0.2.8", false), ("2001:DB8::1", true), ("::ffff:192.0.2.7", true),
    ("", false), (".shop.example", false),
  ])
  func `hosts are matched by names and addresses`(host: String, isCovered: Bool) {
    #expect(leaf.covers(host) == isCovered)
  }

  @Test(arguments: [
    ("*.example.com", "a.example.com", true), ("*.example.com", "A.EXAMPLE.COM", true),
    ("*.example.com", "example.com", false), ("*.example.com", "a.b.example.com", false),
    ("*.example.com", ".example.com", false), ("*.example.com.", "a.example.com", true),
    ("*.com", "example.com", false), ("*", "localhost", false), ("*.", "a.", false),
    ("f*.example.com", "foo.example.com", false), ("*.*.com", "a.b.com", false),
    ("*.atoll.localhost", "d1.atoll.localhost", true), ("localhost", "localhost", true),
    ("a.example.com", "b.example.com", false),
    ("xn--bcher-kva.example", "xn--bcher-kva.example", true),
    ("*.example.com", "*.example.com", true), ("", "", false), ("example.com", "", false),
  ])
  func `a wildcard stands for one label`(name: String, host: String, matches: Bool) {
    #expect(CertificateNames.matches(name, host: host) == matches)
  }

  @Test(arguments: [
    (["a.example", "*.b.example"], "a.example", true), (["*.b.example"], "x.b.example", true),
    (["*.b.example"], "*.b.example", true), (["x.b.example"], "*.b.example", false),
    (["*.b.example"], "b.example", false), ([], "a.example", false),
  ])
  func `a wanted wildcard is covered only by itself`(
    names: [String], wanted: String, isCovered: Bool
  ) {
    #expect(CertificateNames.covers(names, wanted) == isCovered)
  }

  @Test func `a certificate of version 1 has no extensions`() throws {
    // What is signed here is version 3: the version and the extensions are left out by hand.
    let key = try PrivateKey.generate(.p256)
    let algorithm = DER.sequence(DER.object(ObjectID.ecdsaSHA256))
    let name = DistinguishedName.encode(commonName: "old")
    let body = DER.sequence(
      DER.integer([9]), algorithm, name, DER.sequence(DER.time(0), DER.time(10)), name,
      key.publicKey.encoding)
    let info = try CertificateInfo(
      der: DER.sequence(body, algorithm, DER.bits(try key.signature(of: body))))
    #expect(!info.hasNames && !info.isAuthority && info.isForServers)
    #expect(!info.covers("old"))
    #expect(info.isIssued(by: info))
  }
}
