// SPDX-License-Identifier: Apache-2.0
import Glibc
import TestSupport
import Testing

@testable import AtollCore

/// The status of certificates (RFC 6960), with openssl as the responder.
@Suite(.enabled(if: findProgram("openssl") != nil))
struct RevocationTests {
  private let directory = TemporaryDirectory()
  private let issuer: CertificateInfo
  private let issuerKey: PrivateKey
  private let leaf: CertificateInfo
  private static let now = Int64(time(nil))

  init() throws {
    issuerKey = try PrivateKey.generate(.p256)
    issuer = try CertificateTemplate(
      commonName: "test authority", notBefore: Self.now - 3_600, notAfter: Self.now + 864_000,
      isAuthority: true
    ).signed(for: issuerKey)
    // id-pe-authorityInfoAccess with one OCSP responder (RFC 5280 §4.2.2.1).
    let access = DER.sequence(
      DER.sequence(
        DER.object(ObjectID.ocsp),
        DER.element(DERTag.implicit(6), Array("http://ocsp.example/x".utf8))))
    leaf = try CertificateTemplate(
      names: ["a.example"], notBefore: Self.now - 3_600, notAfter: Self.now + 86_400,
      extensions: [CertificateExtension(ObjectID.authorityAccess, access)]
    ).signed(for: try PrivateKey.generate(.p256), by: (issuer, issuerKey))
  }

  private var query: RevocationQuery {
    get throws { try #require(RevocationQuery([leaf, issuer])) }
  }

  /// - Parameter entry: what openssl's index says of the leaf; nil: nothing.
  private func respond(
    _ entry: String?, signer: (CertificateInfo, PrivateKey)? = nil
  ) throws -> [UInt8] {
    let request = try #require(try query.request)
    writeBytes("request.der", request)
    directory.write("ca.pem", issuer.pem)
    directory.write("signer.pem", (signer?.0 ?? issuer).pem)
    directory.write("signer.key", (signer?.1 ?? issuerKey).pem)
    let serial = Digest.hex(leaf.serial).uppercased().filter { $0 != ":" }
    directory.write("index.txt", entry.map { "\($0)\t\(serial)\tunknown\t/CN=a\n" } ?? "")
    let result = RunningAtoll(
      [
        "ocsp", "-index", directory.file("index.txt"), "-CA", directory.file("ca.pem"), "-rsigner",
        directory.file("signer.pem"), "-rkey", directory.file("signer.key"), "-reqin",
        directory.file("request.der"), "-respout", directory.file("response.der"), "-ndays", "4",
      ], program: try #require(findProgram("openssl"))
    ).wait()
    #expect(result.exitCode == 0, "\(result.stderr)")
    return try readBytes("response.der")
  }

  private func writeBytes(_ name: String, _ bytes: [UInt8]) {
    let file = fopen(directory.file(name), "w")
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
  }

  private func readBytes(_ name: String) throws -> [UInt8] {
    let file = try #require(fopen(directory.file(name), "r"))
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 65_536)
    let count = fread(&bytes, 1, bytes.count, file)
    return Array(bytes.prefix(count))
  }

  private static let good = "V\t301231000000Z\t"
  private static let revoked = "R\t301231000000Z\t250101000000Z"

  @Test func `a responder says good, revoked, or that it does not know`() throws {
    let good = try query.read(try respond(Self.good))
    #expect(!good.isRevoked && good.nextUpdate - good.thisUpdate == 4 * 86_400)
    #expect(abs(good.thisUpdate - Self.now) < 60)
    #expect(try query.read(try respond(Self.revoked)).isRevoked)
    #expect(throws: RevocationError.self) { try query.read(try respond(nil)) }
  }

  @Test func `a responder of its own is believed when the CA has named it`() throws {
    let key = try PrivateKey.generate(.p256)
    func signer(_ extensions: [CertificateExtension]) throws -> (CertificateInfo, PrivateKey) {
      let certificate = try CertificateTemplate(
        commonName: "responder", notBefore: Self.now - 60, notAfter: Self.now + 3_600,
        extensions: extensions
      ).signed(for: key, by: (issuer, issuerKey))
      return (certificate, key)
    }
    // An ordinary certificate of the same CA may not speak for it (RFC 6960 §4.2.2.2).
    let response = try respond(Self.good, signer: try signer([]))
    #expect(throws: RevocationError("its answer is not signed by the certificate's CA")) {
      try query.read(response)
    }
    let stranger = try LocalAuthority(directory.store).issue(["x.example"], now: Self.now)
    let other = try respond(Self.good, signer: (stranger.certificate, stranger.key))
    #expect(throws: RevocationError.self) { try query.read(other) }
  }

  @Test func `whatever is no answer is refused`() throws {
    let good = try respond(Self.good)
    for response in [[], [0x30], Array("<html>".utf8), Array(good.dropLast(9))] {
      #expect(throws: RevocationError("its answer can't be read")) { try query.read(response) }
    }
    for index in stride(from: 0, to: good.count, by: 7) {
      var bent = good
      bent[index] ^= 0x11
      // Whatever is made of it, nothing good for another time or certificate.
      if let read = try? query.read(bent) {
        #expect(!read.isRevoked && abs(read.thisUpdate - Self.now) < 60)
      }
    }
    // OCSPResponseStatus tryLater.
    #expect(throws: RevocationError("it gives no answer")) {
      try query.read([0x30, 0x03, 0x0a, 0x01, 0x03])
    }
  }

  @Test func `nobody is asked without a responder or without the issuer`() throws {
    #expect(RevocationQuery([leaf]) == nil && RevocationQuery([]) == nil)
    #expect(RevocationQuery([issuer, issuer]) == nil)
    #expect(try query.url == "http://ocsp.example/x")
  }
}

/// When a responder is asked again.
struct StapleTests {
  /// The macro of an expectation calls nothing that mutates.
  private final class Kept {
    private var staple = Staple(fingerprint: [])

    var askAt: Int64 { staple.askAt }
    var isNewTrouble: Bool { staple.isNewTrouble }
    func response(at now: Int64) -> [UInt8]? { staple.response(at: now) }
    func take(_ status: RevocationStatus, at now: Int64) -> Bool { staple.take(status, at: now) }
    func fail(at now: Int64) { staple.fail(at: now) }
  }

  private static let day: Int64 = 86_400

  private func status(_ from: Int64, _ until: Int64, isRevoked: Bool = false) -> RevocationStatus {
    RevocationStatus(response: [1], isRevoked: isRevoked, thisUpdate: from, nextUpdate: until)
  }

  @Test func `an answer is shown until its end and renewed in its middle`() {
    let staple = Kept()
    #expect(staple.askAt == 0 && staple.response(at: 10) == nil)
    #expect(staple.take(status(0, 4 * Self.day), at: 100))
    #expect(staple.askAt == 2 * Self.day)
    #expect(staple.response(at: 4 * Self.day - 1) == [1])
    #expect(staple.response(at: 4 * Self.day) == nil)
    // Late already: soon, but not at once again.
    #expect(staple.take(status(0, 4 * Self.day), at: 3 * Self.day))
    #expect(staple.askAt == 3 * Self.day + 3_600)
    // A response for minutes only.
    #expect(staple.take(status(0, 600), at: 10))
    #expect(staple.askAt == 300)
    // Without an end.
    #expect(staple.take(status(0, 0), at: 10))
    #expect(staple.askAt == Self.day && staple.response(at: 2 * Self.day) == nil)
  }

  @Test func `an answer of another time is not taken`() {
    let staple = Kept()
    #expect(!staple.take(status(0, 100), at: 100))
    #expect(!staple.take(status(1_000, 2_000), at: 600))
    #expect(staple.response(at: 50) == nil)
    #expect(staple.take(status(800, 2_000), at: 600))
  }

  @Test func `a revoked certificate is no good word to show`() {
    let staple = Kept()
    #expect(staple.take(status(0, 1_000, isRevoked: true), at: 1))
    #expect(staple.response(at: 1) == nil)
  }

  @Test func `a responder that is down is asked less and less, and what it said still stands`() {
    let staple = Kept()
    #expect(staple.take(status(0, 4 * Self.day), at: 0))
    var waits: [Int64] = []
    var now = staple.askAt
    for _ in 0..<5 {
      staple.fail(at: now)
      waits.append(staple.askAt - now)
      now = staple.askAt
    }
    #expect(waits == [60, 300, 1_800, 3_600, 3_600])
    #expect(staple.response(at: now) == [1])
    #expect(staple.take(status(now, now + Self.day), at: now))
    staple.fail(at: now)
    #expect(staple.askAt == now + 60 && staple.isNewTrouble)
  }
}
