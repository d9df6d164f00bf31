// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

struct DNSMessageTests {
  /// Number 0x1234, response, one question: `www.example.com A`.
  static let question: [UInt8] =
    [3] + Array("www".utf8) + [7] + Array("example".utf8) + [3] + Array("com".utf8) + [
      0, 0, 1, 0, 1,
    ]

  static func message(
    flags: UInt16 = 0x8180, answers: [[UInt8]] = [], authorities: [[UInt8]] = []
  ) -> [UInt8] {
    [0x12, 0x34, UInt8(flags >> 8), UInt8(flags & 255), 0, 1, 0, UInt8(answers.count), 0]
      + [UInt8(authorities.count), 0, 0] + question + answers.joined() + authorities.joined()
  }

  /// The name as bytes, then a record of it that lives for a minute.
  static func record(name: [UInt8] = [0xc0, 12], type: UInt16, data: [UInt8]) -> [UInt8] {
    name + [UInt8(type >> 8), UInt8(type & 255), 0, 1, 0, 0, 0, 60]
      + [UInt8(data.count >> 8), UInt8(data.count & 255)] + data
  }

  @Test func `a query`() {
    var query = DNSMessage(
      id: 0xabcd, isResponse: false, question: .init(name: DNSName("WWW.example.com.")!, type: 257))
    query.wantsRecursion = true
    let head: [UInt8] = [0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0]
    let name = Self.question.dropLast(4)
    #expect(query.query(announcesSize: false) == head + [0] + name + [1, 1, 0, 1])
    #expect(
      query.query(announcesSize: true)
        == head + [1] + name + [1, 1, 0, 1] + [0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 0])
  }

  @Test func `an answer of every type`() throws {
    let name = try #require(DNSName("www.example.com"))
    let domain = try #require(DNSName("example.com"))
    let table: [(UInt16, [UInt8], DNSData)] = [
      (1, [192, 0, 2, 1], .a(IPAddress("192.0.2.1")!)),
      (
        28, [0x20, 1, 0xd, 0xb8] + [UInt8](repeating: 0, count: 11) + [1],
        .aaaa(IPAddress("2001:db8::1")!)
      ),
      (2, [2, 0x6e, 0x73, 0xc0, 16], .ns(DNSName("ns.example.com")!)),
      (5, [0xc0, 16], .cname(domain)),
      (
        6,
        [0xc0, 16, 1, 0x68, 0xc0, 16] + [0, 0, 0, 9] + [UInt8](repeating: 0, count: 12) + [
          0, 0, 1, 0,
        ],
        .soa(primary: domain, mailbox: DNSName("h.example.com")!, serial: 9, minimum: 256)
      ),
      (15, [0, 10, 0xc0, 16], .mx(preference: 10, domain)),
      (16, [2, 0x61, 0x62, 0, 1, 0x63], .txt(Array("abc".utf8))), (16, [], .txt([])),
      (
        257, [128, 5] + Array("Issueca.example".utf8),
        .caa(isCritical: true, tag: "issue", value: Array("ca.example".utf8))
      ),
      (99, [1, 2, 3], .other(type: 99, [1, 2, 3])),
    ]
    for (type, bytes, data) in table {
      let message = try DNSMessage(
        Self.message(answers: [Self.record(type: type, data: bytes)]))
      #expect(message.id == 0x1234 && message.isResponse && message.offersRecursion)
      #expect(message.question == .init(name: name, type: 1))
      #expect(message.answers == [DNSRecord(name: name, lifetime: 60, data: data)])
      #expect(data.type == type)
    }
  }

  @Test func `names compress by pointers to pointers`() throws {
    // "mail" + pointer to "example.com", then a name that is a pointer to that.
    let first = Self.record(
      name: [4] + Array("mail".utf8) + [0xc0, 16], type: 1, data: [1, 2, 3, 4])
    let place = UInt8(Self.message().count)
    let message = try DNSMessage(
      Self.message(
        answers: [first, Self.record(name: [0xc0, place], type: 1, data: [5, 6, 7, 8])]))
    #expect(message.answers.map(\.name.description) == ["mail.example.com", "mail.example.com"])
  }

  @Test func `no loop, and nothing ahead, is followed`() {
    let place = UInt8(Self.message().count)
    for (name, error) in [
      // To itself, ahead, to each other, into the header.
      ([0xc0, place], DNSFormatError.pointer), ([0xc0, place + 1], .pointer),
      ([0xff, 0xff], .pointer), ([1, 0x61, 0xc0, place], .pointer), ([0xc0, 0], .pointer),
      // Label kinds that nobody uses.
      ([0x40, 1], .pointer), ([0x80, 1], .pointer),
    ] as [([UInt8], DNSFormatError)] {
      let bytes = Self.message(answers: [Self.record(name: name, type: 1, data: [1, 2, 3, 4])])
      #expect(throws: error) { try DNSMessage(bytes) }
    }
    // A name may lead back over its own first label once, not again and again.
    let twice: [UInt8] = [1, 0x61, 0xc0, place + 2]
    #expect(throws: DNSFormatError.pointer) {
      try DNSMessage(
        Self.message(answers: [Self.record(name: twice, type: 1, data: [1, 2, 3, 4])]))
    }
  }

  @Test func `a name of more than 255 bytes is refused`() throws {
    let label = [UInt8](repeating: 0x61, count: 63)
    let long = ([63] + label) + ([63] + label) + ([63] + label)
    let data: [UInt8] = [1, 2, 3, 4]
    let rest = [UInt8](repeating: 0x61, count: 61)
    let fits = Self.record(name: long + [61] + rest + [0], type: 1, data: data)
    #expect(try DNSMessage(Self.message(answers: [fits])).answers.count == 1)
    let over = Self.record(name: long + [62] + rest + [0x61, 0], type: 1, data: data)
    #expect(throws: DNSFormatError.name) { try DNSMessage(Self.message(answers: [over])) }
  }

  @Test(
    arguments: [
      (1, [1, 2, 3]), (1, [1, 2, 3, 4, 5]), (28, [1, 2, 3, 4]), (16, [4, 0x61]), (257, [0]),
      (257, [0, 9, 0x61]), (5, [0xc0, 16, 0]), (15, [0, 1, 0]), (6, [0xc0, 16, 0xc0, 16, 1]),
    ] as [(UInt16, [UInt8])])
  func `data that does not fit its type is refused`(type: UInt16, data: [UInt8]) {
    // A preference and the root are a whole record of mail.
    if type == 15 {
      #expect(throws: Never.self) {
        try DNSMessage(Self.message(answers: [Self.record(type: type, data: data)]))
      }
      return
    }
    #expect(throws: DNSFormatError.self) {
      try DNSMessage(Self.message(answers: [Self.record(type: type, data: data)]))
    }
  }

  @Test func `every truncation is refused, and none goes wrong`() throws {
    let whole = Self.message(
      answers: [
        Self.record(type: 5, data: [0xc0, 16]), Self.record(type: 16, data: [1, 0x61]),
        Self.record(type: 257, data: [0, 1, 0x61, 0x62]),
      ],
      authorities: [Self.record(name: [0xc0, 16], type: 2, data: [1, 0x6e, 0xc0, 16])])
    _ = try DNSMessage(whole)
    for count in 0..<whole.count {
      #expect(throws: DNSFormatError.self) { try DNSMessage(Array(whole[..<count])) }
    }
    // Any byte may be any other: it is read or refused.
    for place in 0..<whole.count {
      for value: UInt8 in [0, 1, 0x3f, 0x40, 0xc0, 0xff] {
        var bytes = whole
        bytes[place] = value
        _ = try? DNSMessage(bytes)
      }
    }
  }

  @Test func `what others put there does no harm`() throws {
    // An OPT record, and one of another class.
    var chaos = Self.record(type: 16, data: [9, 9])
    chaos[5] = 3
    let option: [UInt8] = [0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 1, 7]
    #expect(try DNSMessage(Self.message(answers: [option, chaos])).answers.isEmpty)
    var bytes = Self.message()
    bytes[5] = 2
    #expect(throws: DNSFormatError.question) { try DNSMessage(bytes) }
    bytes[5] = 0
    #expect(try DNSMessage(Array(bytes[..<12])).question == nil)
    // Nothing behind the cut of a truncated one is looked at.
    let cut = Self.message(flags: 0x8380, answers: [[0xff]])
    #expect(try DNSMessage(cut).isTruncated)
  }

  @Test func `names`() throws {
    #expect(DNSName("WWW.Example.COM.") == DNSName("www.example.com"))
    #expect(DNSName(".")?.absolute == ".")
    for text in [
      "", "..", "a..b", ".a", "a b", "bücher.example", String(repeating: "a", count: 64),
    ] {
      #expect(DNSName(text) == nil)
    }
    let label = String(repeating: "a", count: 63)
    let long = "\(label).\(label).\(label)."
    #expect(DNSName(long + String(repeating: "b", count: 61)) != nil)
    #expect(DNSName(long + String(repeating: "b", count: 62)) == nil)
    let name = try #require(DNSName("_acme-challenge.www.example.com"))
    let zone = try #require(DNSName("example.com"))
    #expect(name.relative(to: zone) == "_acme-challenge.www")
    #expect(zone.relative(to: zone) == "@")
    #expect(name.relative(to: DNSName("other.com")!) == "_acme-challenge.www.example.com.")
    #expect(zone.contains(name) && zone.contains(zone) && !name.contains(zone))
    #expect(!zone.contains(DNSName("badexample.com")!))
    // A label may hold anything, a dot included (RFC 1035 §5.1).
    let odd = try DNSMessage(
      Self.message(
        answers: [
          Self.record(name: [4, 0x61, 0x2e, 0, 0x5c, 0xc0, 16], type: 1, data: [1, 2, 3, 4])
        ]
      ))
    #expect(odd.answers[0].name.absolute == #"a\.\000\\.example.com."#)
  }
}
