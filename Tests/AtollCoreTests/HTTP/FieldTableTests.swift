// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

@Suite struct FieldTableTests {
  /// `ifNoneMatch` is `if-none-match`.
  private func fieldName(_ field: KnownField) -> String {
    var name = ""
    let words = ["IP": "Ip", "ID": "Id", "CDN": "Cdn"]
    for character in words.reduce("\(field)", { $0.replacing($1.key, with: $1.value) }) {
      name += character.isUppercase ? "-" + character.lowercased() : String(character)
    }
    return name
  }

  /// `If-None-Match`
  private func capitalized(_ name: String) -> String {
    name.split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }
      .joined(separator: "-")
  }

  private func known(_ name: String) -> KnownField {
    withExactCopy(Array(name.utf8)) { KnownField.of($0, length: $1) }
  }

  @Test(arguments: KnownField.allCases.filter { $0 != .other })
  func `each known field is found by its name in any case`(field: KnownField) {
    let name = fieldName(field)
    #expect(known(name) == field)
    #expect(known(name.uppercased()) == field)
    #expect(known(capitalized(name)) == field)
    // By the parser, in the middle of a head and at its end.
    for rest in ["", "Rest: \(String(repeating: "x", count: 64))\r\n"] {
      for spelling in [name, name.uppercased(), capitalized(name)] {
        let text = "HTTP/1.1 204 \r\n\(spelling): 1\r\n\(rest)\r\n"
        let response = ParsedResponse(text)
        #expect(response.result == .complete(length: text.utf8.count))
        #expect(response.head.fields.contains(field), "\(spelling)")
        #expect(response.head.fields.lines[0].known == field)
      }
    }
  }

  @Test func `names that resemble a known one are not known`() {
    for field in KnownField.allCases where field != .other {
      let name = Array(fieldName(field).utf8)
      for index in name.indices {
        for byte in [name[index] ^ 1, name[index] ^ 0x40, name[index] | 0x80, 0x5f, 0x0d, 0x40] {
          var other = name
          other[index] = byte
          let text = String(decoding: other, as: UTF8.self)
          let isKnown = KnownField.allCases.contains { fieldName($0) == text.lowercased() }
          let found = withExactCopy(other) { KnownField.of($0, length: $1) }
          #expect((found != .other) == isKnown, "\(text.debugDescription)")
        }
      }
      #expect(known(fieldName(field) + "x") == .other)
      #expect(known("x" + fieldName(field)) == .other)
      #expect(known(String(fieldName(field).dropLast())) == .other)
    }
    #expect(known("A-Name-Of-More-Than-Thirty-Bytes-Altogether") == .other)
    #expect(known(String(repeating: "a", count: 256 + 6)) == .other)
  }

  @Test func `known fields fit into a set of 64`() {
    #expect(KnownField.allCases.map(\.rawValue).max()! < 64)
  }

  private let response = """
    HTTP/1.1 200 OK\r
    Vary: a\r
    Set-Cookie: 1\r
    X-Own: A\r
    set-cookie: 2\r
    x-own: b\r
    VARY: c\r
    Set-Cookie: 3\r
    Age: 5\r
    \r

    """

  @Test func `all lines of a known field are found in order`() {
    withExactCopy(Array(response.utf8)) { base, count in
      let head = ResponseHead()
      #expect(head.parse(base, count: count, requestMethod: .get) == .complete(length: count))
      let fields = head.fields
      func lines(_ field: KnownField) -> [String] {
        var found: [String] = []
        var index = fields.firstIndex(of: field)
        while let line = index {
          found.append(String(decoding: fields.value(at: line, in: base), as: UTF8.self))
          index = fields.nextIndex(of: field, after: line)
        }
        return found
      }
      #expect(lines(.setCookie) == ["1", "2", "3"])
      #expect(lines(.vary) == ["a", "c"])
      #expect(lines(.age) == ["5"])
      #expect(lines(.etag) == [])
      #expect(lines(.other) == [])
      #expect(fields.contains(.age) && !fields.contains(.etag))
      #expect(
        fields.value(of: .setCookie, in: base).map { String(decoding: $0, as: UTF8.self) } == "1")
      #expect(fields.value(of: .etag, in: base) == nil)
      func index(_ name: String) -> Int? {
        withExactCopy(Array(name.utf8)) {
          fields.firstIndex(ofName: UnsafeBufferPointer(start: $0, count: $1), in: base)
        }
      }
      #expect(index("x-own") == 2)
      #expect(index("set-cookie") == 1)
      #expect(index("x-owm") == nil)
      #expect(index("x-ow") == nil)
      withExactCopy(Array("x-own".utf8)) { name, length in
        let name = UnsafeBufferPointer(start: name, count: length)
        #expect(fields.nextIndex(ofName: name, in: base, after: 2) == 4)
        #expect(fields.nextIndex(ofName: name, in: base, after: 4) == nil)
      }
    }
  }

  @Test func `a table filled by hand answers like one that was parsed`() {
    let table = FieldTable(capacity: 3)
    func line(_ field: KnownField) -> FieldLine {
      FieldLine(nameStart: 0, nameLength: 1, valueStart: 2, valueLength: 0, known: field)
    }
    #expect(table.append(line(.other)) && table.append(line(.vary)) && table.append(line(.vary)))
    #expect(!table.append(line(.age)))
    #expect(table.count == 3)
    #expect(table.firstIndex(of: .vary) == 1)
    #expect(table.nextIndex(of: .vary, after: 1) == 2)
    #expect(!table.contains(.age) && !table.contains(.other))
    table.removeAll()
    #expect(table.count == 0 && !table.contains(.vary) && table.firstIndex(of: .vary) == nil)
  }
}
