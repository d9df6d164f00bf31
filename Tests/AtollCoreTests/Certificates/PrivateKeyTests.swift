// SPDX-License-Identifier: Apache-2.0
import CTLS
import Testing

@testable import AtollCore

@Suite struct PrivateKeyTests {
  @Test(arguments: KeyType.allCases)
  func `a key of each kind is made, written and read again`(type: KeyType) throws {
    let key = try PrivateKey.generate(type)
    #expect(key.algorithm.keyType == type)
    let text = key.pem
    #expect(text.hasPrefix("-----BEGIN PRIVATE KEY-----\n"))
    let again = try PrivateKey(pem: text)
    #expect(again.publicKey == key.publicKey)
    #expect(again.pem == text)
    // It makes certificates that its own public key verifies.
    let certificate = try CertificateTemplate(
      names: ["a.example"], commonName: "a.example", notBefore: 0, notAfter: 4_000_000_000
    ).signed(for: again)
    #expect(certificate.isIssued(by: certificate))
    #expect(key.fits(certificate))
  }

  @Test(arguments: [KeyType.p256, .p384])
  func `signatures for JOSE have the width of the curve`(type: KeyType) throws {
    let key = try PrivateKey.generate(type)
    let width = type == .p256 ? 64 : 96
    // A number with leading zeros comes up every 256 times.
    for round in 0..<600 {
      #expect(try key.joseSignature(of: [UInt8(round & 255)]).count == width)
    }
  }

  @Test func `the numbers of a key are those of its encoding`() throws {
    let key = try PrivateKey(pem: CertificateSamples.key)
    guard case .point(let x, let y)? = key.publicKey.numbers else {
      Issue.record("no point")
      return
    }
    #expect(Digest.hex(x) == "2471cfd8faa079ec312801384c98456d42ddce2a7e515e01c7d76675b881922a")
    #expect(Digest.hex(y) == "d39d46828276f1b4e9123a45f27e8e8ed775cd19d1279853c6fde5a38eb5f1e1")
    guard
      case .rsa(let modulus, let exponent)? = try PrivateKey.generate(.rsa2048).publicKey.numbers
    else {
      Issue.record("no modulus")
      return
    }
    #expect(modulus.count == 256 && modulus[0] >= 0x80)
    #expect(exponent == [1, 0, 1])
  }

  @Test func `encrypted keys of both forms open with their passphrase`() throws {
    let leaf = try CertificateInfo(pem: CertificateSamples.leaf)
    #expect(try PrivateKey(pem: CertificateSamples.key).fits(leaf))
    for text in [CertificateSamples.encryptedKey, CertificateSamples.oldEncryptedKey] {
      #expect(try PrivateKey(pem: text, passphrase: Array("sesame".utf8)).fits(leaf))
      let wrong = #expect(throws: CertificateError.self) {
        try PrivateKey(pem: text, passphrase: Array("simsim".utf8))
      }
      #expect(wrong?.message == "the passphrase does not open the private key")
      let none = #expect(throws: CertificateError.self) { try PrivateKey(pem: text) }
      #expect(none?.message == "the private key is encrypted")
      #expect(throws: CertificateError.self) {
        try PrivateKey(pem: text, passphrase: [UInt8](repeating: 65, count: 5_000))
      }
    }
  }

  @Test(arguments: [
    CertificateSamples.leaf, "", "nothing",
    "-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----",
  ])
  func `what is no key is refused`(text: String) {
    #expect(throws: CertificateError.self) { try PrivateKey(pem: text) }
  }

  @Test func `a key fits its own certificate alone`() throws {
    let key = try PrivateKey.generate(.p256)
    #expect(!key.fits(try CertificateInfo(pem: CertificateSamples.leaf)))
  }

  @Test(arguments: [KeyType.p256, .p384, .rsa2048])
  func `openssl takes the request for a certificate`(type: KeyType) throws {
    let key = try PrivateKey.generate(type)
    let der = try makeCSR(domains: ["shop.example", "*.shop.example", "192.0.2.7"], key: key)
    try der.withUnsafeBufferPointer { buffer in
      var start = buffer.baseAddress
      let request = try #require(d2i_X509_REQ(nil, &start, buffer.count))
      defer { X509_REQ_free(request) }
      #expect(X509_REQ_verify(request, X509_REQ_get0_pubkey(request)) == 1)
      #expect(X509_NAME_entry_count(X509_REQ_get_subject_name(request)) == 1)
      let extensions = X509_REQ_get_extensions(request)
      #expect(OPENSSL_sk_num(extensions) == 1)
      OPENSSL_sk_free(extensions)
    }
  }

  @Test func `a name that does not fit the subject stands among the names alone`() throws {
    let long = String(repeating: "a", count: 60) + ".example"
    #expect(try !makeCSR(domains: [long], key: .generate(.p256)).isEmpty)
    #expect(commonName(long) == nil)
    let certificate = try CertificateTemplate(names: [long], notBefore: 0, notAfter: 1).signed(
      for: .generate(.p256))
    #expect(certificate.subject.text.isEmpty)
    #expect(certificate.domains == [long])
  }

  @Test func `the proof of tls-alpn-01 is a critical extension`() throws {
    let digest = Digest.sha256(Array("token.thumbprint".utf8))
    let certificate = try CertificateTemplate(
      names: ["shop.example"], notBefore: 0, notAfter: 100,
      extensions: [.acmeIdentifier(digest)]
    ).signed(for: .generate(.p256))
    #expect(certificate.unknownCritical == ["1.3.6.1.5.5.7.1.31"])
    let proof = DER.sequence(
      DER.object("1.3.6.1.5.5.7.1.31"), DER.boolean(true), DER.octets(DER.octets(digest)))
    #expect(contains(certificate.der, proof))
  }

  @Test func `names that no certificate can have are refused`() throws {
    let key = try PrivateKey.generate(.p256)
    for name in ["bücher.example", "", "a b"] {
      #expect(throws: CertificateError.self) { try makeCSR(domains: [name], key: key) }
    }
  }
}

private func contains(_ bytes: [UInt8], _ part: [UInt8]) -> Bool {
  bytes.indices.contains { bytes[$0...].starts(with: part) }
}
