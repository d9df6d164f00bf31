// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

/// Calls `body` with a copy of the bytes in memory of exactly their size, so that a sanitizer or
/// the allocator's guard sees every read outside of it.
func withExactCopy<R>(
  _ bytes: some Collection<UInt8>, _ body: (UnsafePointer<UInt8>, Int) throws -> R
) rethrows -> R {
  let memory = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
  _ = memory.initialize(from: bytes)
  defer { memory.deallocate() }
  return try body(UnsafePointer(memory.baseAddress!), bytes.count)
}

/// What a request head was parsed to, in strings.
struct ParsedRequest: Equatable {
  var result: HeadParse
  var method = ""
  var target = ""
  var path = ""
  var query: String?
  var authority = ""
  var fields: [String] = []

  let head = RequestHead()

  init(_ text: String) { self.init(Array(text.utf8)) }

  init(_ bytes: [UInt8]) {
    let head = self.head
    (result, method, target, path, query, authority, fields) = withExactCopy(bytes) { base, count in
      let result = head.parse(base, count: count)
      guard case .complete = result else { return (result, "", "", "", nil, "", []) }
      func text(_ start: UInt16, _ length: UInt16) -> String {
        String(
          decoding: UnsafeBufferPointer(start: base + Int(start), count: Int(length)),
          as: UTF8.self)
      }
      return (
        result, text(0, head.methodLength), text(head.targetStart, head.targetLength),
        text(head.pathStart, head.pathLength),
        head.hasQuery ? text(head.queryStart, head.queryLength) : nil,
        text(head.authorityStart, head.authorityLength), fieldTexts(head.fields, base)
      )
    }
  }

  static func == (a: ParsedRequest, b: ParsedRequest) -> Bool {
    a.result == b.result && a.fields == b.fields && a.target == b.target
  }

  var error: HeadError? {
    if case .failure(let error) = result { return error }
    return nil
  }
}

/// What a response head was parsed to.
struct ParsedResponse {
  var result: HeadParse
  var reason = ""
  var fields: [String] = []
  let head = ResponseHead()

  init(_ text: String, to method: AtollCore.Method = .get) {
    self.init(Array(text.utf8), to: method)
  }

  init(_ bytes: [UInt8], to method: AtollCore.Method = .get) {
    let head = self.head
    (result, reason, fields) = withExactCopy(bytes) { base, count in
      let result = head.parse(base, count: count, requestMethod: method)
      guard case .complete = result else { return (result, "", []) }
      let reason = UnsafeBufferPointer(
        start: base + Int(head.reasonStart), count: Int(head.reasonLength))
      return (result, String(decoding: reason, as: UTF8.self), fieldTexts(head.fields, base))
    }
  }

  var error: HeadError? {
    if case .failure(let error) = result { return error }
    return nil
  }
}

/// Field lines as `name|value`.
private func fieldTexts(_ fields: FieldTable, _ base: UnsafePointer<UInt8>) -> [String] {
  (0..<fields.count).map {
    String(decoding: fields.name(at: $0, in: base), as: UTF8.self) + "|"
      + String(decoding: fields.value(at: $0, in: base), as: UTF8.self)
  }
}

/// SplitMix64: the same numbers on every run.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
  }
}

let browserHead = """
  GET /assets/images/gallery/header-photo-large.jpg?v=20240117 HTTP/1.1\r
  Host: www.example.com\r
  Connection: keep-alive\r
  Cache-Control: max-age=0\r
  sec-ch-ua: "Chromium";v="120", "Not A;Brand";v="24"\r
  sec-ch-ua-mobile: ?0\r
  sec-ch-ua-platform: "Linux"\r
  User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36\r
  Accept: image/avif,image/webp,image/apng,*/*;q=0.8\r
  Sec-Fetch-Site: same-origin\r
  Sec-Fetch-Mode: no-cors\r
  Sec-Fetch-Dest: image\r
  Referer: https://www.example.com/gallery/index.html\r
  Accept-Encoding: gzip, deflate, br\r
  Accept-Language: en-US,en;q=0.9\r
  \r

  """
