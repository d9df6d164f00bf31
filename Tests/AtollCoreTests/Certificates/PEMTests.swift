// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

private func blocks(_ text: String) throws -> [PEM.Block] { try PEM.blocks(Array(text.utf8)) }

private func flaw(_ text: String) -> PEM.Flaw? {
  do {
    _ = try PEM.blocks(Array(text.utf8))
    return nil
  } catch {
    return error
  }
}

@Suite struct PEMTests {
  @Test func `blocks are found among other text, with their lines`() throws {
    let text = """
      Bag Attributes
          friendlyName: shop
      -----BEGIN CERTIFICATE-----
      AQID
      -----END CERTIFICATE-----
      subject=CN = shop
      -----BEGIN PRIVATE KEY-----
      BAU=
      -----END PRIVATE KEY-----
      """
    let found = try blocks(text)
    #expect(found.map(\.label) == ["CERTIFICATE", "PRIVATE KEY"])
    #expect(found.map(\.bytes) == [[1, 2, 3], [4, 5]])
    #expect(found.map(\.line) == [3, 7])
    #expect(found[0].isCertificate && !found[0].isPrivateKey)
    #expect(found[1].isPrivateKey && !found[1].isEncrypted)
    #expect(found[1].text == "-----BEGIN PRIVATE KEY-----\nBAU=\n-----END PRIVATE KEY-----\n")
  }

  @Test(arguments: [
    "-----BEGIN X-----\r\nAQID\r\n-----END X-----\r\n",
    "-----BEGIN X-----\nAQ\nID\n-----END X-----",
    "  -----BEGIN X-----  \n\tA Q ID \n\n-----END X-----\n".replacing("A Q ID", with: "AQID"),
    "\u{FEFF}\n-----BEGIN X-----\nAQID\n-----END X-----\n",
  ])
  func `line ends and margins don't matter`(text: String) throws {
    #expect(try blocks(text).map(\.bytes) == [[1, 2, 3]])
  }

  @Test func `headers tell of encryption`() throws {
    let old = try #require(try blocks(CertificateSamples.oldEncryptedKey).first)
    #expect(old.isEncrypted)
    #expect(old.headers.count == 2)
    let new = try #require(try blocks(CertificateSamples.encryptedKey).first)
    #expect(new.isEncrypted)
    #expect(try blocks(CertificateSamples.key).first?.isEncrypted == false)
  }

  @Test(arguments: [
    ("-----BEGIN A-----\nAQID\n", 1, "the block that begins there has no end"),
    ("\n-----END A-----\n", 2, "a block ends that has not begun"),
    ("-----BEGIN A-----\nAQID\n-----END B-----\n", 3, "\"A\" of line 1 ends as \"B\""),
    (
      "-----BEGIN A-----\nAQID\n-----BEGIN A-----\n", 3,
      "the block of line 1 has no end before it"
    ),
    (
      "-----BEGIN A-----\nAQ!D\n-----END A-----\n", 1,
      "the block that begins there is not Base64"
    ),
    ("-----BEGIN A-----\n-----END A-----\n", 1, "the block that begins there is not Base64"),
  ])
  func `what is no block is told with its line`(text: String, line: Int, what: String) {
    #expect(flaw(text) == PEM.Flaw(line: line, what: what))
  }

  @Test func `every truncation is either no block or a flaw`() throws {
    let bytes = Array(CertificateSamples.leaf.utf8)
    // The last newline may be missing.
    for count in 0..<bytes.count - 1 {
      guard let found = try? PEM.blocks(Array(bytes.prefix(count))) else { continue }
      #expect(found.isEmpty, "\(count)")
    }
  }

  @Test func `what is encoded is read again`() throws {
    for count in [1, 47, 48, 49, 200] {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37) }
      let text = PEM.encode("X", bytes)
      #expect(try blocks(text).map(\.bytes) == [bytes])
      #expect(text.split(separator: "\n").allSatisfy { $0.count <= 64 })
    }
    let leaf = try #require(try blocks(CertificateSamples.leaf).first)
    #expect(PEM.encode("CERTIFICATE", leaf.bytes) == CertificateSamples.leaf)
  }

  @Test(arguments: [
    ("", []), ("Zg==", Array("f".utf8)), ("Zg", Array("f".utf8)), ("Zm8=", Array("fo".utf8)),
    ("Zm9v", Array("foo".utf8)), ("Zm9vYg==", Array("foob".utf8)), ("+/8=", [0xfb, 0xff]),
  ])
  func `base64 is read with padding and without`(text: String, bytes: [UInt8]) {
    #expect(Base64.decode(Array(text.utf8)) == bytes)
    if text.count % 4 == 0 { #expect(Base64.encode(bytes) == text) }
  }

  @Test(arguments: ["Z", "Zg=", "Zg===", "Z=g=", "Zh==", "Zm9=", "Z g=", "====", "-_8="])
  func `what is no base64 is refused`(text: String) {
    #expect(Base64.decode(Array(text.utf8)) == nil)
  }
}
