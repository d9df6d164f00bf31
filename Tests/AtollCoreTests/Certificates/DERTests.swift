// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

private func element(_ bytes: [UInt8]) throws -> DERElement {
  var reader = DERReader(bytes[...])
  let element = try reader.next()
  try reader.end()
  return element
}

@Suite struct DERTests {
  @Test(arguments: [0, 1, 127, 128, 255, 256, 65_535, 65_536, 70_000])
  func `lengths of every form are read as written`(count: Int) throws {
    let content = [UInt8](repeating: 7, count: count)
    let bytes = DER.octets(content)
    #expect(try Array(element(bytes).content) == content)
    #expect(try Array(element(bytes).encoding) == bytes)
  }

  @Test(
    arguments: [
      [], [0x30], [0x04, 0x01], [0x04, 0x02, 0x00], [0x04, 0x81], [0x04, 0x82, 0x01],
      // Indefinite, too long, not the shortest form, a tag of two bytes.
      [0x30, 0x80, 0x00, 0x00], [0x04, 0x85, 1, 0, 0, 0, 0], [0x04, 0x84, 0xff, 0xff, 0xff, 0xff],
      [0x04, 0x81, 0x01, 0x00], [0x04, 0x82, 0x00, 0x80] + [UInt8](repeating: 0, count: 128),
      [0x1f, 0x81, 0x01, 0x00], [0x04, 0x00, 0x00],
    ] as [[UInt8]])
  func `what is not DER is refused`(bytes: [UInt8]) {
    #expect(throws: DERError.self) { try element(bytes) }
  }

  @Test(arguments: [
    ("170d3236313132303131313832385a", 1_795_173_508),
    ("170d3439313233313233353935395a", 2_524_607_999),
    ("170d3530303130313030303030305a", -631_152_000),
    ("180f32303530303130313030303030305a", 2_524_608_000),
    ("180f39393939313233313233353935395a", 253_402_300_799),
    ("170d3030303232393030303030305a", 951_782_400),
  ])
  func `times are read and written`(hex: String, seconds: Int64) throws {
    let bytes = unhex(hex)
    #expect(try element(bytes).time() == seconds)
    if hex.hasPrefix("17") || seconds >= 2_524_608_000 { #expect(DER.time(seconds) == bytes) }
  }

  @Test(
    arguments: [
      // Without seconds, with an offset, with a fraction, no such day, no such hour, letters.
      "261120111828", "2611201118+0100", "2611201118Z", "261120111828.5Z", "260229000000Z",
      "261120240000Z", "26112011182aZ", "", "Z",
    ])
  func `other times are refused`(text: String) {
    #expect(throws: DERError.self) {
      try element(DER.element(DERTag.utcTime, Array(text.utf8))).time()
    }
  }

  @Test(arguments: [
    ("06092a864886f70d01010b", "1.2.840.113549.1.1.11"), ("0603550403", "2.5.4.3"),
    ("06032b6570", "1.3.101.112"), ("0602883703".replacing("02", with: "03"), "2.999.3"),
  ])
  func `object identifiers are read and written`(hex: String, text: String) throws {
    #expect(try element(unhex(hex)).object() == text)
    if !text.hasPrefix("2.999") { #expect(DER.object(text) == unhex(hex)) }
  }

  @Test(arguments: [
    "0600", "060180", "060281", "06022a80", "06032a8001", "060b2affffffffffffffffff7f",
  ])
  func `broken object identifiers are refused`(hex: String) {
    #expect(throws: DERError.self) { try element(unhex(hex)).object() }
  }

  @Test func `numbers keep their sign bit clear`() throws {
    #expect(DER.integer([]) == [2, 1, 0])
    #expect(DER.integer([0x7f]) == [2, 1, 0x7f])
    #expect(DER.integer([0x80]) == [2, 2, 0, 0x80])
    #expect(DER.integer([0, 0, 1]) == [2, 1, 1])
    #expect(try element([2, 2, 0, 0x80]).unsigned() == [0x80])
    #expect(throws: DERError.self) { try element([2, 1, 0x80]).unsigned() }
    #expect(throws: DERError.self) { try element([2, 0]).unsigned() }
    #expect(throws: DERError.self) { try element([2, 5, 1, 0, 0, 0, 0]).small() }
  }

  @Test(
    arguments: [
      (DERTag.bmp, [0, 0x41, 0x20, 0xac], "A€"), (DERTag.teletex, [0x53, 0xf6], "Sö"),
      (DERTag.universal, [0, 1, 0xf4, 0x1a], "\u{1f41a}"),
      (DERTag.universal, [0, 0x11, 0, 0], "\u{fffd}"),
      (DERTag.utf8, [0xc3, 0xb6], "ö"), (DERTag.utf8, [0xff], "\u{fffd}"), (DERTag.bmp, [0x41], ""),
    ] as [(UInt8, [UInt8], String)])
  func `strings of all kinds become text`(tag: UInt8, bytes: [UInt8], text: String) throws {
    #expect(try element(DER.element(tag, bytes)).text() == text)
  }
}

func unhex(_ text: String) -> [UInt8] {
  let digits = Array(text.utf8)
  return stride(from: 0, to: digits.count, by: 2).map {
    UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)!
  }
}
