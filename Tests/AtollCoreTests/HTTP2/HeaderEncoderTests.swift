// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

/// HPACK's sending side; what its blocks decode to is tested with a decoder, beside the edge.
struct HeaderEncoderTests {
  /// One connection's encoder, and what makes fields for it.
  private final class Sender {
    let reader = HeaderReader(seed: .random())
    let encoder = HeaderEncoder()

    deinit { encoder.deallocate() }

    /// - Parameters:
    ///   - habit: of all fields, instead of their own.
    ///   - identity: of the fields, but for the value of the last.
    func block(
      status: String? = nil, _ lines: [String], habit: HTTP2Field.Habit? = nil,
      identity: UInt64? = nil
    ) -> [UInt8] {
      let text = Array(lines.map { $0 + "\r\n" }.joined().utf8)
      let room = HeaderReader.room(for: text.count)
      let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: room.bytes + 10)
      let fields = UnsafeMutablePointer<HTTP2Field>.allocate(capacity: room.fields)
      let size = HeaderEncoder.room(for: text.count)
      let out = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
      defer {
        bytes.deallocate()
        fields.deallocate()
        out.deallocate()
      }
      var end = encoder.begin(out)
      if let status {
        var field = reader.readStatus(Array(status.utf8), to: bytes)
        end = encoder.encode(&field, 1, to: end)
      }
      let count = text.withUnsafeBufferPointer { reader.read($0, to: bytes, fields) }
      if let habit { for index in 0..<count { fields[index].habit = habit } }
      end =
        identity.map { encoder.encode(fields, count, identity: $0, to: end) }
        ?? encoder.encode(fields, count, to: end)
      return Array(UnsafeBufferPointer(start: out, count: end - out))
    }
  }

  private static func bytes(_ hexadecimal: String) -> [UInt8] {
    let digits = hexadecimal.filter { $0 != " " }.map { UInt8($0.hexDigitValue!) }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }

  /// RFC 7541 Appendix C.6, where the table has 256 bytes: what comes evicts what was there.
  @Test func `responses are encoded as in the RFC's examples`() {
    let sender = Sender()
    sender.encoder.allow(256)
    let fields = [
      "Cache-Control: private", "Date: Mon, 21 Oct 2013 20:13:21 GMT",
      "Location: https://www.example.com",
    ]
    #expect(
      sender.block(status: "302", fields, habit: .settled)
        == Self.bytes(
          """
          3fe101 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 \
          2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3
          """))
    #expect(
      sender.block(status: "307", fields, habit: .settled) == Self.bytes("4883 640e ffc1 c0bf"))
    let others = [
      fields[0], "Date: Mon, 21 Oct 2013 20:13:22 GMT", fields[2], "Content-Encoding: gzip",
      "Set-Cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
    ]
    #expect(
      sender.block(status: "200", others, habit: .settled)
        == Self.bytes(
          """
          88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad \
          94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 \
          65c0 03ed 4ee5 b106 3d50 07
          """))
  }

  @Test(arguments: [
    ("200", "88"), ("204", "89"), ("206", "8a"), ("304", "8b"), ("400", "8c"), ("404", "8d"),
    ("500", "8e"),
  ])
  func `a usual status is one byte`(_ status: String, _ byte: String) {
    #expect(Sender().block(status: status, []) == Self.bytes(byte))
  }

  @Test func `a settled field is a byte from its second time on`() {
    let sender = Sender()
    #expect(sender.block(["Vary: Accept"])[0] == 0x40 | 59)
    #expect(sender.block(["vary: Accept"]) == [0xbe])
    #expect(sender.block(["x-name: 1"])[0] == 0x40)
    #expect(sender.block(["X-Name: 1", "Vary: Accept"]) == [0xbe, 0xbf])
    // The name alone is known.
    #expect(sender.block(["X-Name: 2"]).prefix(1) == [0x40 | 62])
  }

  @Test func `a varying field gets its place the second time`() {
    let sender = Sender()
    #expect(sender.block(["ETag: \"1\""]).prefix(2) == [0x0f, 34 - 15])
    #expect(sender.block(["ETag: \"2\""]).prefix(2) == [0x0f, 34 - 15])
    #expect(sender.block(["ETag: \"1\""])[0] == 0x40 | 34)
    #expect(sender.block(["ETag: \"1\""]) == [0xbe])
  }

  @Test func `of a changing field the name gets a place`() {
    let sender = Sender()
    #expect(sender.block(["X-Request-Id: 0123"])[0] == 0x40)
    for value in ["4567", "89ab", "cdef", "abcd"] {
      let block = sender.block(["X-Request-Id: \(value)"])
      // Index 62, and a value of three bytes in its code.
      #expect(block.prefix(2) == [0x0f, 62 - 15] && block.count <= 7)
    }
  }

  @Test func `fields that are known are a byte each, but for the last`() {
    let sender = Sender()
    func block(_ value: String, identity: UInt64 = 1) -> [UInt8] {
      sender.block(
        ["Vary: Accept", "ETag: \"1\"", "Age: 5", "X-Request-Id: \(value)"], identity: identity)
    }
    for value in ["0000", "0001"] { #expect(block(value).count > 8) }
    for value in ["0002", "0003", "0004"] {
      #expect(block(value).prefix(5) == [0xc1, 0xbf, 0xbe, 0x0f, 64 - 15])
    }
    // Another field gets its place, and theirs are others.
    _ = sender.block(["X-New: 1"])
    #expect(block("0005").prefix(3) == [0xc2, 0xc0, 0xbf])
    #expect(block("0006").prefix(3) == [0xc2, 0xc0, 0xbf])
    // They are others themselves.
    #expect(sender.block(["Vary: *", "X-Request-Id: 0"], identity: 2).count > 2)
    #expect(block("0007").prefix(3) == [0xc3, 0xc1, 0xc0])
    sender.encoder.allow(0)
    #expect(block("0008").first == 0x20)
    #expect(block("0009").count > 20)
  }

  @Test func `a secret field is never indexed`() {
    let sender = Sender()
    for _ in 0..<3 {
      #expect(sender.block(["Set-Cookie: a=1"]).prefix(2) == [0x1f, 55 - 15])
    }
  }

  @Test(arguments: [
    ([], ""), ([4_096], ""), ([65_536], ""), ([0], "20"), ([1], "21"), ([30], "3e"),
    ([31], "3f00"), ([4_095], "3fe01f"), ([0, 4_096], "20 3fe11f"), ([0, 65_536], "20 3fe11f"),
    ([100, 50, 200], "3f13 3fa901"), ([50, 100], "3f13 3f45"), ([100, 50], "3f13"),
    // Lower than what was allowed, though not than what is used.
    ([65_536, 8_192], "3fe11f"),
  ])
  func `a change of the table's size is announced`(_ sizes: [Int], _ announced: String) {
    let sender = Sender()
    for size in sizes { sender.encoder.allow(size) }
    #expect(sender.block(status: "200", []) == Self.bytes(announced + "88"))
    #expect(sender.block(status: "200", []) == [0x88])
  }

  @Test func `nothing goes into a table without room`() {
    let sender = Sender()
    sender.encoder.allow(33)
    #expect(sender.block(["Vary: Accept"]).prefix(4) == [0x3f, 2, 0x0f, 59 - 15])
    #expect(sender.block(["Vary: Accept"]).prefix(2) == [0x0f, 59 - 15])
    // The smallest entry there is: another does not fit beside it.
    _ = sender.block(["x:"])
    #expect(sender.block(["x:"]) == [0xbe])
    _ = sender.block(["y:"])
    #expect(sender.block(["y:"]) == [0xbe])
    #expect(sender.block(["x:"]).count > 1)
  }

  @Test func `what would take half of the table is sent in full`() {
    let sender = Sender()
    let long = "X-Long: " + String(repeating: "1", count: 2_100)
    #expect(sender.block([long]).count > 1_000)
    #expect(sender.block([long]).count > 1_000)
    _ = sender.block(["Vary: Accept"])
    #expect(sender.block(["Vary: Accept"]) == [0xbe])
  }
}

/// Field lines as the fields of HTTP/2.
struct HeaderReaderTests {
  private func read(_ text: String) -> [String] {
    let reader = HeaderReader(seed: .random())
    let source = Array(text.utf8)
    let room = HeaderReader.room(for: source.count)
    let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: room.bytes)
    let fields = UnsafeMutablePointer<HTTP2Field>.allocate(capacity: room.fields)
    defer {
      bytes.deallocate()
      fields.deallocate()
    }
    let count = source.withUnsafeBufferPointer { reader.read($0, to: bytes, fields) }
    return (0..<count).map { index in
      let field = fields[index]
      func text(_ start: UnsafePointer<UInt8>, _ count: UInt32) -> String {
        String(decoding: UnsafeBufferPointer(start: start, count: Int(count)), as: UTF8.self)
      }
      return text(field.bytes, field.nameCount) + "="
        + text(field.bytes + Int(field.nameCount), field.valueCount)
    }
  }

  @Test(arguments: [
    ("", []), ("\r\n", []), ("A: b\r\n", ["a=b"]), ("A:b\r\n\r\n", ["a=b"]),
    ("A: b \t\r\nCD:  \r\n", ["a=b", "cd="]),
    ("Content-Type: Text/HTML\r\nX_Y-Z[]: `@[{\r\n", ["content-type=Text/HTML", "x_y-z[]=`@[{"]),
    (
      "Connection: close\r\nA: 1\r\nKeep-Alive: 1\r\nTransfer-Encoding: x\r\nB: 2\r\n",
      ["a=1", "b=2"]
    ),
    ("Upgrade: x\r\nProxy-Connection: y\r\nSec-WebSocket-Accept: z\r\n", []),
    ("A: 1\r\nnothing\r\n", ["a=1"]), ("A: 1\r\n: 2\r\n", ["a=1"]), ("A: 1\r\nB: 2", ["a=1"]),
    ("A: \u{e9}\r\n", ["a=\u{e9}"]),
  ])
  func `lines become fields`(_ text: String, _ fields: [String]) {
    #expect(read(text) == fields)
  }

  @Test func `names and values of any length arrive whole`() {
    for count in 1...40 {
      let name = String(repeating: "N", count: count)
      let value = String(repeating: "v", count: 41 - count)
      #expect(
        read("\(name): \(value)\r\n\(value):\(name)\r\n")
          == ["\(name.lowercased())=\(value)", "\(value)=\(name)"])
    }
  }

  @Test func `of a text that breaks off the whole lines count`() {
    let text = "Cache-Control: max-age=60\r\nAge: 12\r\nX-Request-Id: 0123456789\r\n\r\n"
    for count in 0...text.count {
      let part = String(text.prefix(count))
      let whole = part.split(separator: "\r\n", omittingEmptySubsequences: true).count
      #expect([whole, whole - 1].contains(read(part).count))
    }
  }
}
