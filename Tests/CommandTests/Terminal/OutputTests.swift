// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import atoll

@Suite struct JSONTests {
  @Test func `a document keeps the order of its keys`() {
    let document = JSON.result(["name": "shop", "list": [1, true, .null], "none": [], "no": [:]])
    #expect(
      document.document == """
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
    #expect(
      document.line == """
        {"schemaVersion":1,"name":"shop","list":[1,true,null],"none":[],"no":{}}

        """)
  }

  @Test(arguments: [
    ("plain", "\"plain\""), ("a\"b\\c", "\"a\\\"b\\\\c\""), ("\n\r\t", "\"\\n\\r\\t\""),
    ("\u{1}\u{7F}", "\"\\u0001\\u007f\""), ("æ😀", "\"æ😀\""), ("\r\n", "\"\\r\\n\""),
  ])
  func `strings are escaped`(value: String, text: String) {
    #expect(JSON.string(value).line == text + "\n")
  }

  @Test(arguments: [(0.5, "0.5"), (2.0, "2"), (Double.nan, "null"), (Double.infinity, "null")])
  func `numbers are what JSON knows`(value: Double, text: String) {
    #expect(JSON.number(value).line == text + "\n")
  }

  @Test func `a ready document is indented to its place`() {
    let ready = JSON.encoded(Array("{\n  \"a\": 1\n}\n".utf8))
    #expect(
      JSON.object([.init(key: "d", value: ready)]).document == """
        {
          "d": {
            "a": 1
          }
        }

        """)
    #expect(JSON.array([ready]).line == "[{\"a\": 1}]\n")
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
