// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import atoll

@Suite struct JSONTests {
  private func text(_ json: JSON) -> String { String(decoding: json.document, as: UTF8.self) }

  @Test func `a document keeps the order of its keys`() {
    let document = JSON.result(["name": "shop", "list": [1, true, .null], "none": [], "no": [:]])
    #expect(
      text(document) == """
        {
          "schemaVersion": 1,
          "name": "shop",
          "list": [
            1,
            true,
            null
          ],
          "none": [],
          "no": {}
        }

        """)
  }

  @Test(arguments: [
    ("plain", "\"plain\""), ("a\"b\\c", "\"a\\\"b\\\\c\""), ("\n\r\t", "\"\\n\\r\\t\""),
    ("\u{1}\u{7F}", "\"\\u0001\\u007f\""), ("æ😀", "\"æ😀\""), ("\r\n", "\"\\r\\n\""),
  ])
  func `strings are escaped`(value: String, text: String) {
    #expect(self.text(.string(value)) == text + "\n")
  }

  @Test(arguments: [
    (0.5, "0.5"), (2.0, "2"), (-1.25, "-1.25"), (0.000012, "0.000012"), (0.1234567, "0.123457"),
    (Double.nan, "null"), (Double.infinity, "null"),
  ])
  func `numbers are what JSON knows`(value: Double, text: String) {
    #expect(self.text(.number(value)) == text + "\n")
  }

  @Test func `a ready document is indented to its place`() {
    let ready = JSON.encoded(Array("{\n  \"a\": 1\n}\n".utf8))
    #expect(
      text(.object([.init(key: "d", value: ready)])) == """
        {
          "d": {
            "a": 1
          }
        }

        """)
    #expect(text([ready]) == "[\n  {\n    \"a\": 1\n  }\n]\n")
  }
}

@Suite struct TableTests {
  @Test func `columns line up and lines end without spaces`() {
    var table = Table([.left("NAME"), .right("HITS"), .left("ORIGIN")])
    table.add(["shop", "12", "http://a"])
    table.add(["a-longer-name", "3", ""])
    #expect(
      table.text(Console(color: .never)) == """
        NAME           HITS  ORIGIN
        shop             12  http://a
        a-longer-name     3\u{20}\u{20}

        """)
  }
}
