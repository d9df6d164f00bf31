// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import AtollCore

/// HPACK's receiving side, by the examples of RFC 7541 and at its limits.
struct HeaderDecoderTests {
  private typealias Block = HeaderBlock

  private static func fields(_ pairs: (String, String)...) -> [BlockField] {
    pairs.map { BlockField($0.0, $0.1) }
  }

  // MARK: The RFC's examples

  @Test(arguments: [
    // §C.2
    (
      "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
      BlockField("custom-key", "custom-header"), true
    ),
    ("040c 2f73 616d 706c 652f 7061 7468", BlockField(":path", "/sample/path"), false),
    ("1008 7061 7373 776f 7264 0673 6563 7265 74", BlockField("password", "secret"), false),
    ("82", BlockField(":method", "GET"), false),
  ])
  func `a field has several representations`(_ hex: String, _ field: BlockField, isKept: Bool) {
    let reading = HeaderReading()
    #expect(reading.fields(Block.bytes(hex)) == [field])
    #expect(reading.table == (isKept ? [field] : []))
  }

  private static let requests: [[BlockField]] = [
    fields(
      (":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")),
    fields(
      (":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com"),
      ("cache-control", "no-cache")),
    fields(
      (":method", "GET"), (":scheme", "https"), (":path", "/index.html"),
      (":authority", "www.example.com"), ("custom-key", "custom-value")),
  ]

  @Test(arguments: [
    // §C.3
    [
      "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
      "8286 84be 5808 6e6f 2d63 6163 6865",
      "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ],
    // §C.4
    [
      "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", "8286 84be 5886 a8eb 1064 9cbf",
      "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ],
  ])
  func `requests in a row share their table`(_ blocks: [String]) {
    let reading = HeaderReading()
    let kept = Self.fields(
      ("custom-key", "custom-value"), ("cache-control", "no-cache"),
      (":authority", "www.example.com"))
    for (index, block) in blocks.enumerated() {
      #expect(reading.fields(Block.bytes(block)) == Self.requests[index])
      #expect(reading.table == Array(kept.suffix(index + 1)))
      #expect(reading.tableSize == [57, 110, 164][index])
    }
  }

  /// §C.5, whose table holds 256 bytes: entries leave it.
  @Test func `entries make room for others`() {
    let reading = HeaderReading()
    let first = Self.fields(
      (":status", "302"), ("cache-control", "private"), ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
      ("location", "https://www.example.com"))
    #expect(
      reading.fields(
        Block.tableSize(256)
          + Block.bytes(
            """
            4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
            2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70
            6c65 2e63 6f6d
            """)) == first)
    #expect(reading.table == first.reversed() && reading.tableSize == 222)
    let status = BlockField(":status", "307")
    #expect(reading.fields(Block.bytes("4803 3330 37c1 c0bf")) == [status] + first.dropFirst())
    #expect(reading.table == [status] + first.dropFirst().reversed())
    #expect(reading.tableSize == 222)
    let last = Self.fields(
      (":status", "200"), ("cache-control", "private"), ("date", "Mon, 21 Oct 2013 20:13:22 GMT"),
      ("location", "https://www.example.com"), ("content-encoding", "gzip"),
      ("set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"))
    #expect(
      reading.fields(
        Block.bytes(
          """
          88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d
          54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049
          5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e
          3d31
          """)) == last)
    #expect(reading.table == [last[5], last[4], last[2]] && reading.tableSize == 215)
  }

  // MARK: What is broken

  @Test(
    arguments: [
      ("index 0", [0x80]), ("an index beyond the table", [0x80 | 62]),
      ("a name beyond the table", [0x40 | 62, 0]),
      ("a name beyond the table that is not kept", hpackInteger(62, bits: 4) + [0]),
      ("a name far beyond", hpackInteger(1 << 20, bits: 6, 0x40) + [0]),
      ("an index of 28 bits", Block.indexed((1 << 28) - 1)),
      ("an index that overflows", [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
      ("an index that never ends", [UInt8](repeating: 0xff, count: 40)),
      ("an index of zeros that never ends", [0xff] + [UInt8](repeating: 0x80, count: 40) + [0]),
      ("a length that overflows", [0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
      ("a length of 2^32", [0, 0x7f, 0x81, 0xff, 0xff, 0xff, 0x0f]),
      ("a name longer than the block", [0x40, 5, 0x61, 0x61]),
      ("a value longer than the block", [0x40, 1, 0x61, 2, 0x61]),
      ("a coded value longer than the block", [0x40, 1, 0x61, 0x82, 0xff]),
      ("a code that is none", [0x40, 1, 0x61, 0x81, 0xff]),
      ("a table larger than allowed", Block.tableSize(4_097)),
      ("a table far larger", Block.tableSize(1 << 27)),
      ("a table size behind a field", [0x82] + Block.tableSize(100)),
      ("a table size behind a literal", [0x40, 0, 0] + Block.tableSize(100)),
    ] as [(String, [UInt8])])
  func `a broken block is noticed`(_ name: String, _ block: [UInt8]) {
    #expect(HeaderReading().decode(block).outcome == .broken, "\(name)")
  }

  @Test func `an integer may be longer than it has to be`() {
    let reading = HeaderReading()
    // 31 in one, two and five bytes more.
    for rest in [[0], [0x80, 0], [0x80, 0x80, 0x80, 0x80, 0]] as [[UInt8]] {
      #expect(reading.fields([0x3f] + rest) == [])
    }
    #expect(reading.fields([0x3f, 0x80, 0x80, 0x80, 0x80, 0x80, 0]) == nil)
  }

  @Test func `a block that is cut off is broken, unless a field ends there`() {
    let long = BlockField(
      "x-" + String(repeating: "n", count: 150), String(repeating: "v", count: 300))
    let pieces = [
      Block.tableSize(4_000), Block.indexed(2),
      Block.literal(BlockField("x-one", "1"), .kept),
      Block.literal(BlockField("x-two", "2, and more"), .never, huffman: true),
      Block.literal(BlockField(":path", "/somewhere"), nameAt: 4, .kept, huffman: true),
      Block.literal(long, .kept), Block.literal(long, .notKept, huffman: true),
      Block.literal(BlockField(long.name, [0, 1, 255]), nameAt: 62, .notKept, huffman: true),
      Block.literal(BlockField("", ""), .kept), Block.indexed(62), Block.indexed(65),
    ]
    let block = pieces.flatMap { $0 }
    let fields = HeaderReading().fields(block)
    #expect(fields?.count == pieces.count - 1)
    var ends: [Int: Int] = [0: 0]
    var end = 0
    for (index, piece) in pieces.enumerated() {
      end += piece.count
      ends[end] = index
    }
    for cut in 0...block.count {
      let found = HeaderReading().decode(Array(block[..<cut]))
      if let count = ends[cut] {
        #expect(found.outcome == .complete && found.fields == Array(fields!.prefix(count)))
      } else {
        #expect(found.outcome == .broken)
        #expect(found.fields == Array(fields!.prefix(found.fields.count)))
      }
    }
  }

  @Test func `who has enough is asked no more`() {
    let reading = HeaderReading()
    let block = Block.indexed(2) + Block.literal(BlockField("a", "b"), .kept) + [0x80]
    #expect(reading.decode(block, limit: 0) == (.tooLarge, []))
    #expect(reading.decode(block, limit: 1) == (.tooLarge, [BlockField(":method", "GET")]))
    #expect(reading.decode(block, limit: 2).outcome == .broken)
  }

  // MARK: The table

  @Test func `the table shrinks and grows as the viewer says, in front of a block's fields`() {
    let reading = HeaderReading()
    let all = (0..<10).map { BlockField("name-\($0)", "value-\($0)") }
    for field in all { #expect(reading.fields(Block.literal(field, .kept)) == [field]) }
    // 45 bytes each.
    #expect(reading.tableSize == 450)
    #expect(reading.fields(Block.tableSize(450)) == [] && reading.table.count == 10)
    #expect(reading.fields(Block.tableSize(449) + [0x82])?.count == 1)
    #expect(reading.table == all.dropFirst().reversed())
    #expect(reading.fields(Block.tableSize(90) + Block.tableSize(4_096)) == [])
    #expect(reading.table == [all[9], all[8]])
    #expect(reading.fields(Block.literal(all[0], .kept)) == [all[0]])
    #expect(reading.table == [all[0], all[9], all[8]])
    #expect(reading.fields(Block.tableSize(0)) == [] && reading.table.isEmpty)
    // Nothing stays in a table without room.
    #expect(reading.fields(Block.literal(all[0], .kept)) == [all[0]] && reading.table.isEmpty)
    #expect(reading.fields(Block.tableSize(31) + Block.literal(BlockField("", ""), .kept)) != nil)
    #expect(reading.table.isEmpty)
    #expect(reading.fields(Block.tableSize(32) + Block.literal(BlockField("", ""), .kept)) != nil)
    #expect(reading.table == [BlockField("", "")])
  }

  @Test func `an entry larger than the table empties it`() {
    let reading = HeaderReading()
    let small = BlockField("a", "b")
    // With the overhead: as large as the table, and a byte more.
    let whole = BlockField("x", String(repeating: "v", count: 4_096 - 32 - 1))
    let larger = BlockField("xy", String(repeating: "v", count: 4_096 - 32 - 1))
    #expect(reading.fields(Block.literal(small, .kept)) == [small])
    #expect(reading.fields(Block.literal(whole, .kept)) == [whole])
    #expect(reading.table == [whole])
    #expect(reading.fields(Block.literal(larger, .kept)) == [larger])
    #expect(reading.table.isEmpty)
    #expect(reading.fields(Block.literal(small, .kept)) == [small])
    #expect(reading.table == [small])
    let huge = BlockField("x", String(repeating: "v", count: 80_000))
    #expect(reading.fields(Block.literal(huge, .kept, huffman: true)) == [huge])
    #expect(reading.table.isEmpty)
  }

  @Test(arguments: [1, 1_000, 2_000, 3_900])
  func `an entry may take its name from the one that makes room for it`(_ length: Int) {
    let reading = HeaderReading()
    let name = "x-" + String(repeating: "n", count: length)
    for turn in 0..<20 {
      let first = BlockField(name, "\(turn)")
      let value = String(repeating: "\(turn % 10)", count: 4_096 - 32 - name.utf8.count)
      let second = BlockField(name, value)
      let block =
        Block.literal(first, .kept) + Block.literal(second, nameAt: 62, .kept) + Block.indexed(62)
      #expect(reading.fields(block) == [first, second, second])
      #expect(reading.table == [second])
      // And of one that is larger than the table.
      let third = BlockField(name, value + "+")
      #expect(
        reading.fields(Block.literal(third, nameAt: 62, .kept, huffman: turn % 2 == 0)) == [third])
      #expect(reading.table.isEmpty)
    }
  }

  @Test func `as many entries as there may be are all found`() {
    let reading = HeaderReading()
    let empty = BlockField("", "")
    for count in 1...300 {
      #expect(reading.fields(Block.literal(empty, .kept)) == [empty])
      #expect(reading.fields(Block.indexed(61 + min(count, 128))) == [empty])
      #expect(reading.fields(Block.indexed(62 + min(count, 128))) == nil)
    }
    // 33 bytes each: 124 of them.
    for number in 0..<500 {
      let field = BlockField([UInt8(0x61 + number % 26)], [])
      #expect(reading.fields(Block.literal(field, .kept)) == [field])
    }
    let latest: [BlockField] = (0..<124).map { age in
      let letter = UInt8(0x61 + (499 - age) % 26)
      return BlockField([letter], [])
    }
    #expect(reading.table == latest)
  }

  // MARK: Against a table that is as simple as can be

  private struct Model {
    var entries: [BlockField] = []
    var limit = 4_096

    mutating func shrink(to size: Int) {
      while entries.reduce(0, { $0 + $1.name.count + $1.value.count + 32 }) > max(size, 0) {
        entries.removeLast()
      }
    }

    mutating func keep(_ field: BlockField) {
      let size = field.name.count + field.value.count + 32
      shrink(to: limit - size)
      if size <= limit { entries.insert(field, at: 0) }
    }
  }

  @Test(arguments: 0..<24)
  func `whatever comes, the table is what the RFC says`(_ seed: UInt64) {
    var numbers = SeededNumbers(seed)
    let reading = HeaderReading()
    var model = Model()
    // Some with few large entries, some with many small ones.
    let longest = [3, 40, 300, 1_500, 5_000][Int(seed) % 5]
    func text(_ numbers: inout SeededNumbers, _ length: Int) -> [UInt8] {
      (0..<length).map { _ in UInt8.random(in: 0...255, using: &numbers) }
    }
    for _ in 0..<(longest > 1_000 ? 60 : 150) {
      var block: [UInt8] = []
      var expected: [BlockField] = []
      for _ in 0..<max(0, Int.random(in: -8...2, using: &numbers)) {
        model.limit = [0, 31, 64, 1_000, 4_095, 4_096].randomElement(using: &numbers)!
        model.shrink(to: model.limit)
        block += Block.tableSize(model.limit)
      }
      for _ in 0..<Int.random(in: 1...6, using: &numbers) {
        if !model.entries.isEmpty && Int.random(in: 0..<3, using: &numbers) == 0 {
          let index = model.entries.indices.randomElement(using: &numbers)!
          block += Block.indexed(62 + index)
          expected.append(model.entries[index])
          continue
        }
        var field = BlockField(
          text(&numbers, Int.random(in: 0...min(longest, 100), using: &numbers)),
          text(&numbers, Int.random(in: 0...longest, using: &numbers)))
        var index: Int?
        if !model.entries.isEmpty && Bool.random(using: &numbers) {
          let named = model.entries.indices.randomElement(using: &numbers)!
          field.name = model.entries[named].name
          index = 62 + named
        }
        let keeping =
          Bool.random(using: &numbers)
          ? .kept : Block.Keeping.allCases.randomElement(using: &numbers)!
        block += Block.literal(
          field, nameAt: index, keeping, huffman: Bool.random(using: &numbers))
        if keeping == .kept { model.keep(field) }
        expected.append(field)
      }
      #expect(reading.fields(block) == expected)
      #expect(reading.table == model.entries)
    }
  }
}
