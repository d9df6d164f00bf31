// SPDX-License-Identifier: Apache-2.0
import CHTTP2
import Glibc
import TestSupport
import Testing

@testable import AtollCore

/// What the edge reads of requests' heads, with nghttp2 as the judge of it.
struct RequestDecodingTests {
  typealias Field = BlockField

  // MARK: HPACK

  private final class Receiver: HeaderLineReceiver {
    var fields: [Field] = []

    func add(_ line: HeaderLine) -> Bool {
      fields.append(
        Field(
          Array(UnsafeBufferPointer(start: line.name, count: Int(line.nameCount))),
          Array(UnsafeBufferPointer(start: line.value, count: Int(line.valueCount)))))
      return true
    }
  }

  /// The edge's decoder and nghttp2's, which have seen the same blocks.
  private final class Pair {
    private let decoder = HeaderDecoder()
    private let scratch = ByteBuffer()
    private let inflater = HeaderInflater()

    deinit { decoder.deallocate() }

    /// Both tables' fields.
    var entryCount: Int { inflater.entryCount }

    func own(_ block: [UInt8]) -> [Field]? {
      let receiver = Receiver()
      // Memory that ends with the block.
      let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: block.count)
      defer { memory.deallocate() }
      memory.initialize(from: block, count: block.count)
      let outcome = decoder.read(memory, block.count, to: receiver, scratch: scratch)
      return outcome == .complete ? receiver.fields : nil
    }

    func other(_ block: [UInt8]) -> [Field]? { inflater.fields(block) }
  }

  private final class Deflater {
    private let deflater: OpaquePointer

    init(size: Int = 4_096) {
      var deflater: OpaquePointer?
      nghttp2_hd_deflate_new(&deflater, size)
      self.deflater = deflater!
    }

    deinit { nghttp2_hd_deflate_del(deflater) }

    func setTableSize(_ size: Int) { nghttp2_hd_deflate_change_table_size(deflater, size) }

    /// - Parameter secrets: numbers of fields that no table may keep.
    func block(_ fields: [Field], secrets: Set<Int> = []) -> [UInt8] {
      var memory: [UnsafeMutablePointer<UInt8>] = []
      defer { for piece in memory { piece.deallocate() } }
      func copy(_ bytes: [UInt8]) -> UnsafeMutablePointer<UInt8> {
        let piece = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes.count)
        piece.initialize(from: bytes, count: bytes.count)
        memory.append(piece)
        return piece
      }
      let pairs = fields.enumerated().map { index, field in
        nghttp2_nv(
          name: copy(field.name), value: copy(field.value), namelen: field.name.count,
          valuelen: field.value.count,
          flags: UInt8(
            (secrets.contains(index) ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE).rawValue))
      }
      let room = nghttp2_hd_deflate_bound(deflater, pairs, pairs.count)
      return [UInt8](unsafeUninitializedCapacity: room) {
        $1 = nghttp2_hd_deflate_hd(deflater, $0.baseAddress, room, pairs, pairs.count)
      }
    }
  }

  private static let names = [
    ":authority", ":method", ":path", ":scheme", "accept", "accept-language", "cookie", "referer",
    "user-agent", "x-a", "x-b", "x-with-a-name-of-some-length", "authorization",
  ]

  private static func field(_ numbers: inout SeededNumbers) -> Field {
    let length =
      switch Int.random(in: 0..<24, using: &numbers) {
      case 0: Int.random(in: 60...70, using: &numbers)
      case 1: Int.random(in: 120...135, using: &numbers)
      case 2: Int.random(in: 0...5_000, using: &numbers)
      default: Int.random(in: 0...20, using: &numbers)
      }
    // Often the same.
    var value = [UInt8](repeating: UInt8.random(in: 0x61...0x66, using: &numbers), count: length)
    if Bool.random(using: &numbers) {
      for index in value.indices { value[index] = UInt8.random(in: 0...255, using: &numbers) }
    }
    return Field(Array(names.randomElement(using: &numbers)!.utf8), value)
  }

  @Test(arguments: 0..<16)
  func `what nghttp2 writes is read as it was meant`(_ seed: UInt64) {
    var numbers = SeededNumbers(seed)
    let deflater = Deflater()
    let pair = Pair()
    for _ in 0..<300 {
      if Int.random(in: 0..<10, using: &numbers) == 0 {
        for _ in 0...Int.random(in: 0...2, using: &numbers) {
          deflater.setTableSize(
            [0, 1, 31, 32, 64, 100, 1_000, 4_095, 4_096].randomElement(using: &numbers)!)
        }
      }
      let fields = (0..<Int.random(in: 0...12, using: &numbers)).map { _ in
        Self.field(&numbers)
      }
      let secrets = Set(fields.indices.filter { _ in Bool.random(using: &numbers) })
      #expect(pair.own(deflater.block(fields, secrets: secrets)) == fields)
    }
  }

  @Test func `each entry of the static table is nghttp2's`() {
    for index in 1...61 {
      let block = hpackInteger(index, bits: 7, 0x80)
      let pair = Pair()
      let own = pair.own(block)
      #expect(own?.count == 1 && own == pair.other(block))
      // As a name, too.
      let named = hpackInteger(index, bits: 4) + [1, 0x61]
      #expect(pair.own(named) == pair.other(named) && pair.other(named)?.count == 1)
    }
  }

  private static func string(_ numbers: inout SeededNumbers, _ length: Int) -> [UInt8] {
    let text = (0..<length).map { _ in
      Bool.random(using: &numbers)
        ? UInt8.random(in: 0x61...0x66, using: &numbers)
        : UInt8.random(in: 0...255, using: &numbers)
    }
    if Bool.random(using: &numbers) { return hpackInteger(length, bits: 7) + text }
    let code = [UInt8](unsafeUninitializedCapacity: length * 4 + 8) { place, count in
      let end = text.withUnsafeBufferPointer {
        HuffmanCode.shared.encode($0.baseAddress!, length, to: place.baseAddress!)
      }
      count = end - place.baseAddress!
    }
    return hpackInteger(code.count, bits: 7, 0x80) + code
  }

  /// Representations of RFC 7541 §6, in any order that it allows.
  private static func block(_ numbers: inout SeededNumbers, entries: Int) -> [UInt8] {
    var block: [UInt8] = []
    for _ in 0..<max(0, Int.random(in: -12...3, using: &numbers)) {
      let size = [0, 30, 31, 32, 100, 300, 4_095, 4_096].randomElement(using: &numbers)!
      block += hpackInteger(size, bits: 5, 0x20)
    }
    for _ in 0..<Int.random(in: 0...6, using: &numbers) {
      let index = Int.random(in: 1...entries, using: &numbers)
      let isNamed = Bool.random(using: &numbers)
      let bits = [(4, 0), (4, 0x10), (6, 0x40), (6, 0x40), (7, 0x80)].randomElement(
        using: &numbers)!
      if bits.0 == 7 {
        block += hpackInteger(index, bits: 7, 0x80)
        continue
      }
      block += hpackInteger(isNamed ? index : 0, bits: bits.0, UInt8(bits.1))
      if !isNamed {
        block += string(&numbers, Int.random(in: 1...12, using: &numbers))
      }
      let longest = [5, 30, 200, 2_000].randomElement(using: &numbers)!
      block += string(&numbers, Int.random(in: 1...longest, using: &numbers))
    }
    return block
  }

  private static func damage(_ block: inout [UInt8], _ numbers: inout SeededNumbers) {
    for _ in 0..<Int.random(in: 1...3, using: &numbers) {
      guard let at = block.indices.randomElement(using: &numbers) else { return }
      switch Int.random(in: 0..<6, using: &numbers) {
      case 0: block[at] ^= 1 << UInt8.random(in: 0..<8, using: &numbers)
      case 1: block[at] = UInt8.random(in: 0...255, using: &numbers)
      case 2: block.insert(UInt8.random(in: 0...255, using: &numbers), at: at)
      case 3: block.remove(at: at)
      case 4: block.removeSubrange(at...)
      default: block[at] = [0, 0x7f, 0x80, 0xff, 0x3f, 0x1f].randomElement(using: &numbers)!
      }
    }
  }

  /// Whatever the block, both read the same or both refuse it.
  @Test(arguments: 0..<12)
  func `no block is read in another way than by nghttp2`(_ seed: UInt64) {
    var numbers = SeededNumbers(500 + seed)
    var pair = Pair()
    var accepted = 0
    var refused = 0
    for _ in 0..<1_500 {
      var block = Self.block(&numbers, entries: pair.entryCount)
      switch Int.random(in: 0..<8, using: &numbers) {
      case 0..<3: Self.damage(&block, &numbers)
      case 3 where seed % 2 == 0:
        block = (0..<Int.random(in: 1...8, using: &numbers)).map { _ in
          UInt8.random(in: 0...255, using: &numbers)
        }
      default: break
      }
      let own = pair.own(block)
      let other = pair.other(block)
      #expect(own == other, "\(block)")
      if own == nil || other == nil {
        pair = Pair()
        refused += 1
      } else {
        accepted += 1
      }
    }
    #expect(accepted > 300 && refused > 100)
  }

  /// The one difference: nghttp2 takes a string above 64 KiB for broken, the edge for too large.
  @Test func `a long string is no broken one`() {
    for (length, isRead) in [(65_536, true), (65_537, false), (70_000, false)] {
      let pair = Pair()
      let value = [UInt8](repeating: 0x61, count: length)
      let block = [0x40, 1, 0x78] + hpackInteger(length, bits: 7) + value
      #expect(pair.own(block) == [Field([0x78], value)])
      #expect((pair.other(block) != nil) == isRead)
    }
  }

  // MARK: Requests

  /// nghttp2 as a server, as strict as it is by itself, and with fields that it would leave out.
  private final class Judge {
    private let callbacks: OpaquePointer
    private var acceptedHeads = 0
    private var isRefused = false

    init() {
      var callbacks: OpaquePointer?
      nghttp2_session_callbacks_new(&callbacks)
      self.callbacks = callbacks!
      nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, context in
        if frame!.pointee.hd.type == UInt8(NGHTTP2_HEADERS.rawValue) {
          Unmanaged<Judge>.fromOpaque(context!).takeUnretainedValue().acceptedHeads += 1
        }
        return 0
      }
      nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks) { _, _, _, context in
        Unmanaged<Judge>.fromOpaque(context!).takeUnretainedValue().isRefused = true
        return 0
      }
      nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks) {
        _, _, _, _, _, _, _, _ in NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
      }
    }

    deinit { nghttp2_session_callbacks_del(callbacks) }

    func accepts(_ fields: [Field], hasBody: Bool, trailers: [Field]? = nil) -> Bool {
      var session: OpaquePointer?
      nghttp2_session_server_new(&session, callbacks, Unmanaged.passUnretained(self).toOpaque())
      defer { nghttp2_session_del(session) }
      let settings = [
        NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES,
      ].map { nghttp2_settings_entry(settings_id: Int32($0.rawValue), value: 1) }
      nghttp2_submit_settings(session, 0, settings, settings.count)
      acceptedHeads = 0
      isRefused = false
      let deflater = Deflater()
      var bytes = Array(HTTP2Peer.preface.utf8)
      bytes += HTTP2Frame(kind: HTTP2Frame.Kind.settings).bytes
      bytes += Self.headers(deflater.block(fields), endStream: !hasBody)
      if let trailers { bytes += Self.headers(deflater.block(trailers), endStream: true) }
      let result = nghttp2_session_mem_recv(session, bytes, bytes.count)
      return result == bytes.count && !isRefused && acceptedHeads == (trailers == nil ? 1 : 2)
    }

    private static func headers(_ block: [UInt8], endStream: Bool) -> [UInt8] {
      HTTP2Frame(
        kind: HTTP2Frame.Kind.headers,
        flags: HTTP2Frame.Flag.endHeaders | (endStream ? HTTP2Frame.Flag.endStream : 0), stream: 1,
        payload: block
      ).bytes
    }
  }

  private static let nastyNames: [[UInt8]] =
    [
      "", "X-Up", "a b", "a:", ":", ":foo", ":status", ":Path", ":method", ":path", ":scheme",
      ":authority", ":protocol", "connection", "keep-alive", "proxy-connection",
      "transfer-encoding", "upgrade", "te", "host", "content-length", "cookie", "priority",
      "sec-websocket-key", "expect", "trailer", "http2-settings", "x\0", "x\r\ny", "(x)", "x-a",
    ].map { Array($0.utf8) } + [[0x78, 0xff], [0x7f], [0x80]]
  private static let nastyValues: [[UInt8]] =
    [
      "", " ", " x", "x ", "\t", "x\ty", "x\0", "x\r\ny: z", "x\n", "a b", "*", "/", "/#", "#",
      "http://a/", "https://a.example/x", "a:443", "a:", ":443", "a:99999", "user@a", "[::1]",
      "[::1]:80", "[::1", "a%20b", "a%2", "a_b", "a/b", "a?b", "a,b", "websocket", "WebSocket",
      "connect-udp", "trailers", "Trailers", "trailers, gzip", "gzip", "0", "5", "00", "+5", "5 ",
      "-1", "5,5", "18446744073709551616", "9223372036854775807", "9223372036854775808", "u=1",
      "u=1, i", "u=", "100-continue", "x, y", "/ HTTP/1.1", "/ HTTP/2.0", "GET", "CONNECT",
      "OPTIONS", "G ET", "g\u{e9}t", "http", "HTTPS", "ftp", "A.EXAMPLE", "a.example",
      "a.example:80",
    ].map { Array($0.utf8) } + [[0x7f], [0x80], [0x2f, 0xff], [0x01], [0x1f, 0x61]]

  private static func request(_ numbers: inout SeededNumbers) -> [Field] {
    var fields: [Field] = []
    let authority = ["a.example", "a.example:443", "[2001:db8::1]", "127.0.0.1:80", "A.Example"]
      .randomElement(using: &numbers)!
    switch Int.random(in: 0..<8, using: &numbers) {
    case 0:
      fields = [Field(":method", "CONNECT"), Field(":authority", "a.example:443")]
    case 1:
      fields = [
        Field(":method", "CONNECT"), Field(":scheme", "https"), Field(":path", "/chat"),
        Field(":authority", authority),
        Field(":protocol", Bool.random(using: &numbers) ? "websocket" : "connect-udp"),
      ]
    default:
      let method = ["GET", "GET", "HEAD", "POST", "PUT", "OPTIONS", "PURGE", "x"].randomElement(
        using: &numbers)!
      fields = [
        Field(":method", method),
        Field(":scheme", ["http", "https", "HTTP"].randomElement(using: &numbers)!),
        Field(
          ":path",
          method == "OPTIONS" && Bool.random(using: &numbers)
            ? "*" : ["/", "/x", "/x?y=1", "/?", "/a%20b/../c??"].randomElement(using: &numbers)!),
      ]
      if Int.random(in: 0..<4, using: &numbers) > 0 {
        fields.append(Field(":authority", authority))
      }
    }
    fields.shuffle(using: &numbers)
    if !fields.contains(where: { $0.isNamed(":authority") })
      || Int.random(in: 0..<6, using: &numbers) == 0
    {
      fields.append(Field("host", authority))
    }
    let usual = [
      Field("accept", "*/*"), Field("cookie", "a=1"), Field("cookie", ""), Field("cookie", "b"),
      Field("te", "trailers"), Field("x", ""), Field("x-long", String(repeating: "y", count: 90)),
      Field("priority", "u=2, i"), Field("content-length", "0"), Field("content-length", "12"),
      Field("user-agent", "me (of \u{fc})"), Field("expect", "100-continue"), Field("via", "1.1 b"),
      Field("sec-websocket-key", "x"), Field("trailer", "x"), Field("range", "bytes=0-"),
    ]
    for _ in 0..<Int.random(in: 0...5, using: &numbers) {
      fields.append(usual.randomElement(using: &numbers)!)
    }
    return fields
  }

  private static func damage(_ fields: inout [Field], _ numbers: inout SeededNumbers) {
    guard let at = fields.indices.randomElement(using: &numbers) else { return }
    func name(_ numbers: inout SeededNumbers) -> [UInt8] {
      nastyNames.randomElement(using: &numbers)!
    }
    func value(_ numbers: inout SeededNumbers) -> [UInt8] {
      nastyValues.randomElement(using: &numbers)!
    }
    switch Int.random(in: 0..<9, using: &numbers) {
    case 0: fields.remove(at: at)
    case 1: fields.insert(fields[at], at: fields.indices.randomElement(using: &numbers)!)
    case 2: fields.swapAt(at, fields.indices.randomElement(using: &numbers)!)
    case 3, 4: fields[at].value = value(&numbers)
    case 5: fields[at].name = name(&numbers)
    case 6: fields.insert(Field(name(&numbers), value(&numbers)), at: at)
    case 7: fields.append(Field(name(&numbers), value(&numbers)))
    default:
      let byte = UInt8.random(in: 0...255, using: &numbers)
      if let place = fields[at].value.indices.randomElement(using: &numbers) {
        fields[at].value[place] = byte
      } else if let place = fields[at].name.indices.randomElement(using: &numbers) {
        fields[at].name[place] = byte
      }
    }
  }

  /// The edge's side.
  private final class Reader {
    let text: HTTP2RequestText
    private let scratch = ByteBuffer()
    private let other = RequestHead()

    init() { text = HTTP2RequestText(head: RequestHead()) }

    func read(_ fields: [Field], hasBody: Bool) -> HTTP2RequestFault? {
      text.begin()
      let decoder = HeaderDecoder()
      defer { decoder.deallocate() }
      let block = Deflater().block(fields)
      let outcome = block.withUnsafeBufferPointer {
        decoder.decode($0.baseAddress!, block.count, to: text, scratch: scratch)
      }
      #expect(outcome == .complete)
      return text.finish(hasBody: hasBody)
    }

    func areMalformed(trailers fields: [Field]) -> Bool {
      let trailers = HTTP2TrailerText()
      let decoder = HeaderDecoder()
      defer { decoder.deallocate() }
      let block = Deflater().block(fields)
      let outcome = block.withUnsafeBufferPointer {
        decoder.decode($0.baseAddress!, block.count, to: trailers, scratch: scratch)
      }
      #expect(outcome == .complete)
      return trailers.isMalformed
    }

    /// A head that is parsed from the text is the one that was put together.
    func checkText() -> Bool {
      let head = text.head
      guard other.parse(text.text.base, count: text.text.count) == .complete(length: head.length)
      else { return false }
      let (a, b) = (head.state.pointee, other.state.pointee)
      var isSame = a.method == b.method && a.methodLength == b.methodLength
      isSame = isSame && a.minorVersion == b.minorVersion && a.length == b.length
      isSame = isSame && a.length == text.text.count && a.framing == b.framing
      isSame = isSame && a.keepsAlive == b.keepsAlive && a.expectsContinue == b.expectsContinue
      isSame = isSame && a.connectionListsFields == b.connectionListsFields
      isSame = isSame && a.asksUpgrade == b.asksUpgrade && a.hasQuery == b.hasQuery
      isSame = isSame && (a.targetStart, a.targetLength) == (b.targetStart, b.targetLength)
      isSame = isSame && (a.pathStart, a.pathLength) == (b.pathStart, b.pathLength)
      isSame = isSame && (a.queryStart, a.queryLength) == (b.queryStart, b.queryLength)
      isSame =
        isSame && (a.authorityStart, a.authorityLength) == (b.authorityStart, b.authorityLength)
      let (own, parsed) = (head.fields, other.fields)
      isSame = isSame && own.count == parsed.count && own.present == parsed.present
      isSame = isSame && own.repeated == parsed.repeated
      guard isSame else { return false }
      for index in 0..<own.count {
        let (a, b) = (own.lines[index], parsed.lines[index])
        isSame = isSame && a.nameStart == b.nameStart && a.nameLength == b.nameLength
        isSame = isSame && a.valueLength == b.valueLength && a.known == b.known
        // Where nothing stands, it may stand anywhere.
        isSame = isSame && (a.valueStart == b.valueStart || a.valueLength == 0)
      }
      for field in KnownField.allCases where field != .other {
        isSame = isSame && own.firstIndex(of: field) == parsed.firstIndex(of: field)
      }
      return isSame
    }
  }

  /// Why the edge refuses what nghttp2 takes: what would be no request over HTTP/1.1, either.
  private static func explanation(_ fields: [Field], hasBody: Bool) -> String? {
    func value(_ name: String) -> [UInt8]? { fields.first { $0.isNamed(name) }?.value }
    func isAuthority(_ bytes: [UInt8], needsPort: Bool = false) -> Bool {
      bytes.withUnsafeBufferPointer {
        Authority.isValid($0.baseAddress!, bytes.count, needsPort: needsPort)
      }
    }
    func lowercased(_ bytes: [UInt8]) -> String {
      String(decoding: bytes, as: UTF8.self).lowercased()
    }
    let authority = value(":authority")
    let host = value("host")
    if let authority, let host, lowercased(authority) != lowercased(host) { return "another host" }
    for name in [authority, host].compactMap({ $0 }) where !isAuthority(name) {
      return "an authority that is none (RFC 3986 §3.2.2)"
    }
    if value(":method") == Array("CONNECT".utf8) && value(":protocol") == nil {
      if let authority, !isAuthority(authority, needsPort: true) { return "CONNECT without port" }
      if !hasBody, let length = value("content-length"), length.contains(where: { $0 != 0x30 }) {
        return "CONNECT with a length and no content"
      }
      return nil
    }
    if let scheme = value(":scheme"), !["http", "https"].contains(lowercased(scheme)) {
      return "another scheme"
    }
    if let path = value(":path"), path.contains(where: { $0 == 0x23 || $0 > 0x7e }) {
      return "a target that is none (RFC 9112 §3.2)"
    }
    return nil
  }

  @Test(arguments: 0..<12)
  func `what is a request to the edge is one to nghttp2, and a head of HTTP/1.1`(_ seed: UInt64) {
    var numbers = SeededNumbers(2_000 + seed)
    let judge = Judge()
    let reader = Reader()
    var accepted = 0
    var refused = 0
    for _ in 0..<1_200 {
      var fields = Self.request(&numbers)
      for _ in 0..<max(0, Int.random(in: -2...3, using: &numbers)) {
        Self.damage(&fields, &numbers)
      }
      let hasBody = Bool.random(using: &numbers)
      let fault = reader.read(fields, hasBody: hasBody)
      let isAccepted = judge.accepts(fields, hasBody: hasBody)
      switch fault {
      case nil:
        accepted += 1
        #expect(isAccepted, "\(fields) \(hasBody)")
        #expect(reader.checkText(), "\(fields) \(hasBody)")
      case .unknownProtocol, .refused: #expect(isAccepted, "\(fields) \(hasBody)")
      case .malformed:
        refused += 1
        if isAccepted {
          #expect(Self.explanation(fields, hasBody: hasBody) != nil, "\(fields) \(hasBody)")
        }
      }
    }
    #expect(accepted > 200 && refused > 200)
  }

  @Test(arguments: 0..<8)
  func `trailers that the edge takes are trailers to nghttp2`(_ seed: UInt64) {
    var numbers = SeededNumbers(3_000 + seed)
    let judge = Judge()
    let reader = Reader()
    let request = [
      Field(":method", "POST"), Field(":scheme", "http"), Field(":path", "/"),
      Field(":authority", "a.example"),
    ]
    var accepted = 0
    for _ in 0..<800 {
      var trailers = (0..<Int.random(in: 1...3, using: &numbers)).map { Field("x-\($0)", "1") }
      for _ in 0..<Int.random(in: 0...2, using: &numbers) { Self.damage(&trailers, &numbers) }
      if trailers.isEmpty { continue }
      let isMalformed = reader.areMalformed(trailers: trailers)
      let isAccepted = judge.accepts(request, hasBody: true, trailers: trailers)
      if isMalformed {
        // nghttp2 lets Content-Length come late, as long as it is right, and is not as strict about
        // what is an authority.
        if isAccepted {
          let isExplained = trailers.contains { $0.isNamed("content-length") || $0.isNamed("host") }
          #expect(isExplained, "\(trailers)")
        }
      } else if !trailers.contains(where: { $0.isNamed("host") }) {
        // Of Host it takes one that is valid; the edge drops them all.
        #expect(isAccepted, "\(trailers)")
        accepted += 1
      }
    }
    #expect(accepted > 100)
  }
}
