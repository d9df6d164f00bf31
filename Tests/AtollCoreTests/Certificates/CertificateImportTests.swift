// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

/// A root, two intermediates and what they issued.
private struct Issuers: Sendable {
  static let shared = try! Issuers()
  static let now: Int64 = 1_800_000_000
  static let day: Int64 = 86_400

  let root: CertificateInfo
  let upper: CertificateInfo
  let lower: CertificateInfo
  let lowerKey: PrivateKey
  let key: PrivateKey
  let leaf: CertificateInfo

  private init() throws {
    func authority(
      _ name: String, _ key: PrivateKey, by issuer: (CertificateInfo, PrivateKey)? = nil
    ) throws -> CertificateInfo {
      try CertificateTemplate(
        organization: "Test", commonName: name, notBefore: Self.now - 400 * Self.day,
        notAfter: Self.now + 4_000 * Self.day, isAuthority: true
      ).signed(for: key, by: issuer)
    }
    let rootKey = try PrivateKey.generate(.p256)
    root = try authority("Root", rootKey)
    let upperKey = try PrivateKey.generate(.p256)
    upper = try authority("Upper", upperKey, by: (root, rootKey))
    lowerKey = try PrivateKey.generate(.p256)
    lower = try authority("Lower", lowerKey, by: (upper, upperKey))
    key = try PrivateKey.generate(.p256)
    leaf = try CertificateTemplate(
      names: ["shop.example"], commonName: "shop.example", notBefore: Self.now - Self.day,
      notAfter: Self.now + 60 * Self.day
    ).signed(for: key, by: (lower, lowerKey))
  }

  /// Another leaf of the lower intermediate.
  func issue(
    _ names: [String], from: Int64 = -1, until: Int64 = 60, for key: PrivateKey? = nil,
    extensions: [CertificateExtension] = [], isAuthority: Bool = false
  ) throws -> CertificateInfo {
    try CertificateTemplate(
      names: names, commonName: names.first ?? "nobody", notBefore: Self.now + from * Self.day,
      notAfter: Self.now + until * Self.day, isAuthority: isAuthority, extensions: extensions
    ).signed(for: key ?? self.key, by: (lower, lowerKey))
  }
}

private let issuers = Issuers.shared

private func file(_ name: String, _ text: String...) throws -> CertificateFile {
  try CertificateFile(name: name, Array(text.joined().utf8))
}

private func take(
  _ files: [CertificateFile], passphrase: String? = nil, allowsIncomplete: Bool = false,
  now: Int64 = Issuers.now, trusts: Bool = false
) throws(CertificateImport.Refusal) -> CertificateImport {
  try CertificateImport(
    files, passphrase: passphrase.map { Array($0.utf8) }, allowsIncomplete: allowsIncomplete,
    now: now, isIssuedByTrusted: { trusts && $0.issuer == issuers.root.subject })
}

private func problems(_ files: [CertificateFile], passphrase: String? = nil) -> [String] {
  do {
    _ = try take(files, passphrase: passphrase, trusts: true)
    return []
  } catch {
    return error.problems.map(\.message)
  }
}

@Suite struct CertificateImportTests {
  private let whole = issuers.leaf.pem + issuers.lower.pem + issuers.upper.pem

  @Test func `a chain in order is taken as it is`() throws {
    let result = try take(
      [try file("chain.pem", whole), try file("key.pem", issuers.key.pem)], trusts: true)
    #expect(result.chain == [issuers.leaf, issuers.lower, issuers.upper])
    #expect(result.key.publicKey == issuers.key.publicKey)
    #expect(result.warnings == [] && result.notes == [])
    #expect(result.chainPEM == whole)
  }

  @Test func `any order and any files will do`() throws {
    let certificates = [issuers.upper, issuers.leaf, issuers.root, issuers.lower]
    let one = try file(
      "all.pem", issuers.key.pem, certificates.map(\.pem).joined(), issuers.leaf.pem)
    let result = try take([one], trusts: true)
    #expect(result.chain == [issuers.leaf, issuers.lower, issuers.upper])
    #expect(
      result.notes == [
        "the chain's order was mended", "the root was left out: viewers have it",
      ])
    let apart =
      try certificates.map { try file("x.pem", $0.pem) } + [
        try file("key.pem", issuers.key.pem)
      ]
    #expect(try take(apart, trusts: true).chain == result.chain)
  }

  @Test func `a root that only some trust is told, not refused`() throws {
    let files = [try file("all.pem", whole, issuers.root.pem, issuers.key.pem)]
    let result = try take(files)
    #expect(result.chain.count == 3)
    #expect(result.notes.first == "only viewers that trust \"Root\" accept it")
  }

  @Test func `a missing intermediate is named`() throws {
    let files = [try file("pair.pem", issuers.leaf.pem, issuers.upper.pem, issuers.key.pem)]
    #expect(
      problems(files) == [
        "the certificate of \"Lower\", which issued \"shop.example\", is missing"
      ])
    let result = try take(files, allowsIncomplete: true)
    #expect(result.chain == [issuers.leaf])
    #expect(result.warnings.count == 1)
    #expect(result.notes == ["left out, since no part of the chain: \"Upper\""])
    // Where the CA says where to get it, that is said.
    let access = CertificateExtension(
      ObjectID.authorityAccess,
      DER.sequence(
        DER.sequence(
          DER.object(ObjectID.issuers),
          DER.element(DERTag.implicit(6), Array("http://ca.example/lower.crt".utf8)))))
    let leaf = try issuers.issue(["shop.example"], extensions: [access])
    let refusal = #expect(throws: CertificateImport.Refusal.self) {
      try take([try file("pair.pem", leaf.pem, issuers.key.pem)])
    }
    #expect(refusal?.problems.first?.hint.contains("http://ca.example/lower.crt") == true)
  }

  @Test func `an expired link to an older root is left out`() throws {
    // The lower intermediate is trusted here, and was signed by the upper one until yesterday.
    let late = issuers.upper.notAfter + Issuers.day
    let key = try PrivateKey.generate(.p256)
    let own = try PrivateKey.generate(.p256)
    let old = try CertificateTemplate(
      commonName: "Cross", notBefore: 0, notAfter: late - 1, isAuthority: true
    ).signed(for: key, by: (issuers.lower, issuers.lowerKey))
    let leaf = try CertificateTemplate(
      names: ["shop.example"], commonName: "shop.example", notBefore: late - 1,
      notAfter: late + 60 * Issuers.day
    ).signed(for: own, by: (old, key))
    let files = [try file("all.pem", leaf.pem, old.pem, own.pem)]
    let result = try CertificateImport(files, now: late) { $0.issuer == old.subject }
    #expect(result.chain == [leaf])
    #expect(result.notes == ["left out, since no part of the chain: \"Cross\""])
    let refusal = #expect(throws: CertificateImport.Refusal.self) {
      try CertificateImport(files, now: late) { _ in false }
    }
    #expect(refusal?.problems.contains { $0.message.hasPrefix("\"Cross\" expired on") } == true)
  }

  @Test func `a certificate signed by itself is taken with a warning`() throws {
    let own = try CertificateTemplate(
      names: ["a.example"], commonName: "a.example", notBefore: Issuers.now - 10,
      notAfter: Issuers.now + 90 * Issuers.day
    ).signed(for: issuers.key)
    let result = try take([try file("own.pem", own.pem, issuers.key.pem)])
    #expect(result.chain == [own])
    #expect(result.warnings.first?.message.contains("signed by itself") == true)
    #expect(result.notes == [])
  }

  @Test func `the key has to be the certificate's`() throws {
    let other = try PrivateKey.generate(.p256)
    #expect(
      problems([try file("a.pem", whole), try file("b.pem", other.pem)]) == [
        "the private key is not that of the certificate \"shop.example\""
      ])
    #expect(
      problems([try file("a.pem", whole, issuers.lowerKey.pem)]) == [
        "the private key is that of the authority \"Lower\", which is for signing certificates"
      ])
    #expect(problems([try file("a.pem", whole)]) == ["a.pem: no private key there"])
    #expect(problems([try file("k.pem", other.pem)]) == ["k.pem: no certificate there"])
    // Of several keys the right one is found.
    let several = [try file("a.pem", other.pem, issuers.lowerKey.pem, issuers.key.pem, whole)]
    #expect(try take(several, trusts: true).key.publicKey == issuers.key.publicKey)
  }

  @Test func `two certificates with their keys are not told apart by guessing`() throws {
    let key = try PrivateKey.generate(.p256)
    let other = try issuers.issue(["blog.example"], for: key)
    #expect(
      problems([try file("a.pem", whole, issuers.key.pem, other.pem, key.pem)]) == [
        "several certificates have their keys there: \"shop.example\", \"blog.example\""
      ])
    // But of two for the same key and names the one that lasts longer is meant.
    let newer = try issuers.issue(["shop.example"], until: 80)
    let result = try take([try file("a.pem", whole, newer.pem, issuers.key.pem)], trusts: true)
    #expect(result.leaf == newer)
  }

  @Test func `encrypted keys need their passphrase`() throws {
    let files = [
      try file("leaf.pem", CertificateSamples.leaf, CertificateSamples.intermediate),
      try file("root.pem", CertificateSamples.root),
      try file("key.pem", CertificateSamples.encryptedKey),
    ]
    let now: Int64 = 1_900_000_000
    #expect(try take(files, passphrase: "sesame", now: now).chain.count == 2)
    #expect(problems(files) == ["key.pem:1: the private key is encrypted"])
    #expect(
      problems(files, passphrase: "wrong") == [
        "key.pem:1: the passphrase does not open the private key"
      ])
  }

  @Test func `dates, names, uses and strength are checked at once`() throws {
    let weak = try issuers.issue([], from: -10, until: -1)
    #expect(
      problems([try file("a.pem", weak.pem, issuers.lower.pem, issuers.upper.pem, issuers.key.pem)])
        == [
          "the certificate names no domain (\"nobody\" stands only in its subject)",
          "the certificate expired on \(RFC3339.format(seconds: weak.notAfter))",
        ])
    let early = try issuers.issue(["a.example"], from: 3)
    #expect(
      problems([try file("a.pem", early.pem, issuers.lower.pem, issuers.upper.pem, issuers.key.pem)]
      )
        == [
          "the certificate is not valid before \(RFC3339.format(seconds: early.notBefore))"
        ])
    let ended = try take(
      [try file("a.pem", whole, issuers.key.pem)], now: issuers.leaf.notAfter - 5 * Issuers.day,
      trusts: true)
    #expect(ended.warnings.first?.message.hasPrefix("the certificate expires on ") == true)
  }

  @Test(arguments: [
    (512, "its key has only 512 bits"), (1024, "its key has only 1024 bits"), (2048, nil),
    (4096, nil),
  ])
  func `short RSA keys are weak`(bits: Int, weakness: String?) {
    #expect(KeyAlgorithm.rsa(bits: bits).weakness == weakness)
  }

  @Test(arguments: ObjectID.signatures.values.map { ($0.name, $0.isWeak) })
  func `signatures with old digests are weak`(name: String, isWeak: Bool) {
    let isOld = ["SHA-1", "MD", "SHA-224", "DSA with SHA-256"].contains { name.contains($0) }
    // ECDSA with SHA-256 contains what DSA's name does.
    #expect(isWeak == (isOld && name != "ECDSA with SHA-256"))
  }

  @Test(
    arguments: [
      (Array(""), "f: is empty"), (Array("hello"), "f: holds neither certificates nor keys"),
      (Array("\u{30}\u{03}\u{02}\u{01}\u{03}"), "f: is PKCS #12, not PEM"),
      (Array("\u{30}\u{03}\u{02}\u{01}\u{00}"), "f: is a private key in DER, not PEM"),
      (Array("-----BEGIN CERTIFICATE-----\nAQID\n"), "f:1: the block that begins there has no end"),
      (
        Array("-----BEGIN CERTIFICATE REQUEST-----\nAQID\n-----END CERTIFICATE REQUEST-----\n"),
        "f: is a request for a certificate, not the certificate"
      ),
      (
        Array("-----BEGIN PKCS7-----\nAQID\n-----END PKCS7-----\n"), "f: is a PKCS #7 bundle"
      ),
      (
        Array("-----BEGIN OPENSSH PRIVATE KEY-----\nAQID\n-----END OPENSSH PRIVATE KEY-----\n"),
        "f:1: is a key for SSH"
      ),
      (
        Array("-----BEGIN DH PARAMETERS-----\nAQID\n-----END DH PARAMETERS-----\n"),
        "f: holds \"DH PARAMETERS\", but neither a certificate nor a private key"
      ),
      (
        Array("\n-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n"),
        "f:2: the certificate cannot be read: it ends too early"
      ),
    ] as [([Character], String)])
  func `what is given by mistake is named`(text: [Character], message: String) {
    let error = #expect(throws: CertificateError.self) {
      try CertificateFile(name: "f", Array(String(text).utf8))
    }
    #expect(error?.message == message)
    #expect(error?.hint.isEmpty == false)
  }

  @Test func `a byte order mark and carriage returns before PEM change nothing`() throws {
    let text = issuers.leaf.pem.replacing("\n", with: "\r\n")
    let file = try CertificateFile(name: "f", [0xEF, 0xBB, 0xBF] + Array(text.utf8))
    #expect(file.certificates == [issuers.leaf])
  }

  @Test func `DER is named with the command that makes PEM of it`() throws {
    let error = #expect(throws: CertificateError.self) {
      try CertificateFile(name: "shop.crt", issuers.leaf.der)
    }
    #expect(error?.message == "shop.crt: is a certificate in DER, not PEM")
    #expect(error?.hint.contains("openssl x509 -inform der -in shop.crt") == true)
  }
}

@Suite struct CertificateStatusTests {
  @Test(
    arguments: [
      (nil, 100, CertificateStatus.pendingValidation), (nil, 72 * 3_600 + 101, .validationTimedOut),
      (200, 100, .notYetValid), (200, 200, .valid), (200, 300, .valid), (200, 301, .expired),
    ] as [(Int64?, Int64, CertificateStatus)])
  func `the status follows from the dates`(
    from: Int64?, now: Int64, status: CertificateStatus
  ) throws {
    let leaf = try from.map {
      try CertificateTemplate(names: ["a.example"], notBefore: $0, notAfter: $0 + 100).signed(
        for: issuers.key)
    }
    let stored = StoredCertificate(
      name: "a", created: 100, modified: 100, source: .acme, domains: ["a.example"])
    #expect(CertificateStatus(stored, leaf: leaf, now: now) == status)
    #expect(CertificateStatus(stored, leaf: leaf, isDamaged: true, now: now) == .damaged)
  }
}
