// SPDX-License-Identifier: Apache-2.0
import Glibc
import Testing

@testable import AtollCore

/// Every byte value at every kind of position, and random heads against a slow parser that is
/// written from the grammar.
@Suite struct HeadByteTests {
  /// Positions around the width of the vectors that the scanners use.
  static let lengths = [0, 1, 2, 7, 14, 15, 16, 17, 30, 31, 32, 33, 47, 48, 49, 64]

  private func isToken(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
    default: Array("!#$%&'*+-.^_`|~".utf8).contains(byte)
    }
  }

  private func parse(_ parts: [UInt8]...) -> HeadParse {
    ParsedRequest(Array(parts.joined())).result
  }

  private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  @Test(arguments: lengths)
  func `each byte in a method`(length: Int) {
    for byte in UInt8.min...255 {
      let before = [UInt8](repeating: 0x41, count: length)
      let result = parse(before, [byte], bytes("B / HTTP/1.1\r\nHost: a\r\n\r\n"))
      switch byte {
      case _ where isToken(byte): #expect(result == .complete(length: length + 26))
      case 0x20: #expect(result == .failure(length == 0 ? .badRequestLine : .badVersion))
      case 0x0a: #expect(result == .failure(.bareLineFeed))
      case 0x0d: #expect(result == .failure(.badRequestLine))
      default: #expect(result == .failure(.badMethod), "byte \(byte)")
      }
    }
  }

  @Test(arguments: lengths, ["", "?"])
  func `each byte in a target`(length: Int, mark: String) {
    for byte in UInt8.min...255 {
      let before = [UInt8](repeating: 0x61, count: length)
      let result = parse(
        bytes("GET /\(mark)"), before, [byte], bytes("b HTTP/1.1\r\nHost: a\r\n\r\n"))
      switch byte {
      case 0x23: #expect(result == .failure(.badTarget))
      case 0x21...0x7e:
        #expect(result == .complete(length: length + 29 + mark.utf8.count))
      case 0x20: #expect(result == .failure(.badVersion))
      case 0x0a: #expect(result == .failure(.bareLineFeed))
      case 0x0d: #expect(result == .failure(.badRequestLine))
      default: #expect(result == .failure(.badTarget), "byte \(byte)")
      }
    }
  }

  @Test(arguments: lengths, [0, 64])
  func `each byte in a field name`(length: Int, padding: Int) {
    // With and without bytes behind it: the scanners take the last lines another way.
    let rest = bytes("n: v\r\nHost: a\r\nP: \(String(repeating: "p", count: padding))\r\n\r\n")
    for byte in UInt8.min...255 {
      let before = [UInt8](repeating: 0x4e, count: length)
      let request = ParsedRequest(bytes("GET / HTTP/1.1\r\n") + before + [byte] + rest)
      switch byte {
      case _ where isToken(byte):
        #expect(
          request.fields.first
            == String(decoding: before + [byte], as: UTF8.self) + "n|v", "byte \(byte)")
      case 0x3a where length > 0:
        #expect(request.fields.first == String(decoding: before, as: UTF8.self) + "|n: v")
      case 0x0a: #expect(request.error == .bareLineFeed)
      default: #expect(request.error == .badFieldName, "byte \(byte)")
      }
    }
  }

  @Test(arguments: lengths, [0, 64])
  func `each byte in a field value`(length: Int, padding: Int) {
    let rest = bytes("w\r\nP: \(String(repeating: "p", count: padding))\r\n\r\n")
    for byte in UInt8.min...255 {
      let before = [UInt8](repeating: 0x76, count: length)
      let request = ParsedRequest(
        bytes("GET / HTTP/1.1\r\nHost: a\r\nN: ") + before + [byte] + rest)
      switch byte {
      case 0x09, 0x20:
        let value = length == 0 ? [0x77] : before + [byte, 0x77]
        #expect(request.fields[1] == "N|" + String(decoding: value, as: UTF8.self))
      case 0x21...0x7e, 0x80...0xff:
        #expect(
          request.fields[1]
            == "N|" + String(decoding: before + [byte, 0x77], as: UTF8.self), "byte \(byte)")
      case 0x0a: #expect(request.error == .bareLineFeed)
      default: #expect(request.error == .badFieldValue, "byte \(byte)")
      }
    }
  }

  @Test func `each byte in a host`() {
    for byte in UInt8.min...255 {
      let request = ParsedRequest(bytes("GET / HTTP/1.1\r\nHost: a") + [byte] + bytes("\r\n\r\n"))
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x3a: #expect(request.error == nil)
      case 0x09, 0x20: #expect(request.authority == "a")
      case _ where Array("-._~!$&'()*+,;=".utf8).contains(byte): #expect(request.error == nil)
      default: #expect(request.error != nil, "byte \(byte)")
      }
    }
  }

  // MARK: Random heads

  /// Field lines as the grammar of RFC 9112 §5 has them, byte by byte.
  private func readSlowly(_ bytes: [UInt8], from start: Int) -> (HeadParse, [String]) {
    var fields: [String] = []
    var at = start
    func peek(_ offset: Int = 0) -> UInt8? { at + offset < bytes.count ? bytes[at + offset] : nil }
    while true {
      guard let first = peek() else { return (.incomplete, []) }
      if first == 0x0d {
        guard let second = peek(1) else { return (.incomplete, []) }
        return second == 0x0a
          ? (.complete(length: at + 2), fields) : (.failure(.badFieldName), [])
      }
      var name: [UInt8] = []
      while let byte = peek(), isToken(byte) {
        name.append(byte)
        at += 1
      }
      guard let colon = peek() else { return (.incomplete, []) }
      if colon == 0x0a { return (.failure(.bareLineFeed), []) }
      if name.isEmpty && !fields.isEmpty && (colon == 0x20 || colon == 0x09) {
        return (.failure(.obsoleteFolding), [])
      }
      if colon != 0x3a || name.isEmpty { return (.failure(.badFieldName), []) }
      at += 1
      var value: [UInt8] = []
      while let byte = peek(), byte == 0x09 || (byte >= 0x20 && byte != 0x7f) {
        value.append(byte)
        at += 1
      }
      guard let end = peek() else { return (.incomplete, []) }
      if end == 0x0a { return (.failure(.bareLineFeed), []) }
      if end != 0x0d { return (.failure(.badFieldValue), []) }
      guard let feed = peek(1) else { return (.incomplete, []) }
      if feed != 0x0a { return (.failure(.badFieldValue), []) }
      at += 2
      if fields.count == Limits.headerCount { return (.failure(.tooManyFields), []) }
      let isBlank: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 }
      value = Array(value.drop(while: isBlank))
      while let last = value.last, isBlank(last) { value.removeLast() }
      fields.append(
        String(decoding: name, as: UTF8.self) + "|" + String(decoding: value, as: UTF8.self))
    }
  }

  static let pieces: [String] = [
    "Accept", "accept-language", "X", "Sec-Fetch-Site", "sec-ch-ua-platform", "X_1", "Cookie",
    "If-None-Match", "A-Name-Of-Quite-Some-Length-To-Cross-Vectors", "User-Agent",
  ]
  static let values: [String] = [
    "", "a", " a", "a ", "\t", "text/html, */*;q=0.8",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit",
    "tab\tinside", "caf\u{e9} and more bytes after it", "exactly-16-bytes", "exactly 15 byte",
    "a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n o p q r s",
  ]

  @Test(arguments: [1, 2, 3, 4])
  func `random heads are read as the grammar says and never beyond their end`(seed: UInt64) {
    var random = SeededGenerator(state: seed)
    let guarded = GuardedMemory(size: 16_384)
    let head = RequestHead()
    let line = bytes("GET / HTTP/1.1\r\nHost: a\r\n")
    for _ in 0..<2_500 {
      var text = ""
      for _ in 0..<Int.random(in: 0...12, using: &random) {
        text += Self.pieces.randomElement(using: &random)! + ":"
        text += [" ", "", "  ", "\t"].randomElement(using: &random)!
        text += Self.values.randomElement(using: &random)! + "\r\n"
      }
      var input = line + bytes(text + "\r\n")
      for _ in 0..<[0, 0, 1, 2, 5].randomElement(using: &random)! {
        let at = Int.random(in: line.count..<input.count, using: &random)
        let byte =
          Bool.random(using: &random)
          ? UInt8.random(in: 0...255, using: &random)
          : bytes("\r\n :\t\0-a\u{7f}").randomElement(using: &random)!
        switch Int.random(in: 0..<3, using: &random) {
        case 0: input[at] = byte
        case 1: input.insert(byte, at: at)
        default: if input.count > line.count + 1 { input.remove(at: at) }
        }
      }
      if Bool.random(using: &random) {
        input.removeLast(Int.random(in: 0..<input.count - line.count, using: &random))
      }
      let (expected, expectedFields) = readSlowly(input, from: 16)
      for atEnd in [true, false] {
        let base = guarded.place(input, atEnd: atEnd)
        let result = head.parse(base, count: input.count)
        #expect(result == expected, "\(String(decoding: input, as: UTF8.self).debugDescription)")
        guard case .complete = result, result == expected else { continue }
        let fields = (0..<head.fields.count).map {
          String(decoding: head.fields.name(at: $0, in: base), as: UTF8.self) + "|"
            + String(decoding: head.fields.value(at: $0, in: base), as: UTF8.self)
        }
        #expect(fields == expectedFields)
        for index in 0..<head.fields.count {
          let name = head.fields.name(at: index, in: base)
          #expect(
            head.fields.lines[index].known
              == KnownField.of(name.baseAddress!, length: name.count))
        }
      }
    }
  }

  @Test(arguments: [5, 6])
  func `damaged messages of all kinds never make a parser read outside`(seed: UInt64) {
    var random = SeededGenerator(state: seed)
    let guarded = GuardedMemory(size: 16_384)
    let request = RequestHead()
    let response = ResponseHead()
    let seeds =
      RequestHeadTests.heads + RequestHeadTests.heads.map { "HTTP/1.1 200 OK\r\n" + $0 }
      + [
        "HTTP/1.1 200\r\nContent-Length: 5, 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET http://[::1.2.3.4]:80/?a HTTP/1.1\r\nHost: [::1]:80\r\nConnection: a, close\r\n\r\n",
        "5;a=\"b\"\r\nhello\r\n0\r\nTrailer: x\r\n\r\n",
        "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "a, \"b\\\"c,\", d",
      ]
    for _ in 0..<5_000 {
      var input = bytes(seeds.randomElement(using: &random)!)
      for _ in 0..<Int.random(in: 0...6, using: &random) where !input.isEmpty {
        let at = Int.random(in: 0..<input.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: input[at] = UInt8.random(in: 0...255, using: &random)
        case 1: input.insert(bytes("\r\n :,\"[]%-0").randomElement(using: &random)!, at: at)
        default: input.remove(at: at)
        }
      }
      input.removeLast(Int.random(in: 0...min(input.count, 40), using: &random))
      for atEnd in [true, false] {
        let base = guarded.place(input, atEnd: atEnd)
        let all = UnsafeBufferPointer(start: base, count: input.count)
        _ = request.parse(base, count: input.count)
        _ = response.parse(base, count: input.count, requestMethod: .get)
        _ = RequestHead.findHeadEnd(base, input.count, from: 0)
        var decoder = ChunkedDecoder()
        _ = decoder.next(base, count: input.count)
        _ = HTTPDate.parse(all, now: 0)
        var members = ListMembers(all)
        while let member = members.next() { #expect(!member.isEmpty) }
        _ = decimal(all)
        _ = equalsIgnoringCase(all, "keep-alive")
      }
    }
  }
}

/// Memory between two pages that fault on any access.
final class GuardedMemory {
  private let mapping: UnsafeMutableRawPointer
  private let size: Int
  private let page = Int(getpagesize())

  init(size: Int) {
    self.size = (size + page - 1) / page * page
    mapping = mmap(
      nil, self.size + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    mprotect(mapping, page, PROT_NONE)
    mprotect(mapping + page + self.size, page, PROT_NONE)
  }

  deinit { munmap(mapping, size + 2 * page) }

  /// A copy that ends right before, or begins right behind, such a page.
  func place(_ bytes: [UInt8], atEnd: Bool) -> UnsafePointer<UInt8> {
    let start = mapping + page + (atEnd ? size - bytes.count : 0)
    let target = start.assumingMemoryBound(to: UInt8.self)
    for (index, byte) in bytes.enumerated() { target[index] = byte }
    return UnsafePointer(target)
  }
}
