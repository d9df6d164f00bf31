// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

@Suite struct TrailerSectionTests {
  private func section(_ text: String) -> TrailerSection? {
    let lines = ByteBuffer()
    lines.append(text)
    return TrailerSection(lines)
  }

  private func written(_ section: TrailerSection) -> String {
    writtenText { for index in 0..<section.fields.count { section.append(index, to: $0) } }
  }

  @Test(arguments: [
    ("", ""), ("A: b\r\n", "A: b\r\n"), ("a:b\r\nA:\r\n", "a: b\r\nA: \r\n"),
    ("Grpc-Status: 0\r\nX: \t\u{e9}, \"x\" \r\n", "Grpc-Status: 0\r\nX: \u{e9}, \"x\"\r\n"),
  ])
  func `field lines are taken apart`(text: String, expected: String) throws {
    #expect(written(try #require(section(text))) == expected)
  }

  @Test(arguments: [
    "A\r\n", ": b\r\n", "A : b\r\n", " A: b\r\n", "A: b\r\n c\r\n", "A: b\n", "A: b\r",
    "A: b\rc\r\n", "A: b\0c\r\n", "A: b\nX: c\r\n", "A: b\r\n\r\nX: c\r\n", "\r\n", "A: b",
    ":status: 200\r\n", "A(: b\r\n", "\u{e9}: b\r\n", "A: \u{7f}\r\n",
  ])
  func `nothing else passes for them`(text: String) {
    #expect(section(text) == nil)
  }

  @Test func `there is a limit to their number`() {
    let line = "A: b\r\n"
    #expect(section(String(repeating: line, count: Limits.headerCount)) != nil)
    #expect(section(String(repeating: line, count: Limits.headerCount + 1)) == nil)
  }
}
