// SPDX-License-Identifier: Apache-2.0
import AtollCore
import FoundationEssentials
import Testing

/// Builds a record over strings that live as long as the call.
private func line(
  _ format: LogFormat, seconds: Int64 = 1_772_366_400, viewer: [UInt8] = Array("192.0.2.7".utf8),
  method: [UInt8] = Array("GET".utf8), target: [UInt8] = Array("/a?b=c".utf8),
  referer: [UInt8] = [], userAgent: [UInt8] = Array("curl/8.0".utf8),
  change: (inout AccessRecord) -> Void = { _ in }
) -> [UInt8] {
  let runs = [viewer, method, target, Array("shop.example".utf8), referer, userAgent]
  let memory = runs.map { run -> UnsafeMutableBufferPointer<UInt8> in
    let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: run.count)
    _ = copy.initialize(from: run)
    return copy
  }
  defer { for run in memory { run.deallocate() } }
  var record = AccessRecord()
  record.seconds = seconds
  record.microseconds = 12_345
  record.requestIDHigh = 1
  record.requestIDLow = 0xabc
  record.viewer = UnsafeBufferPointer(memory[0])
  record.method = UnsafeBufferPointer(memory[1])
  record.target = UnsafeBufferPointer(memory[2])
  record.host = UnsafeBufferPointer(memory[3])
  record.referer = UnsafeBufferPointer(memory[4])
  record.userAgent = UnsafeBufferPointer(memory[5])
  record.verdict = Verdict(.miss, .absent)
  record.status = 200
  record.bodyBytes = 512
  record.bytesDown = 700
  record.bytesUp = 90
  record.duration = 1_500_000
  record.firstByte = 250
  record.originStatus = 200
  change(&record)
  let buffer = ByteBuffer()
  var writer = AccessLineWriter(format: format)
  writer.append(record, to: buffer)
  return Array(buffer.bytes)
}

/// The fields of a JSON line that the tests look at.
private struct Line: Decodable {
  var time: String
  var requestId: String
  var viewer: String?
  var method: String?
  var target: String?
  var `protocol`: String
  var status: Int
  var bytesSent: Int
  var bodyBytes: Int
  var bytesReceived: Int
  var duration: Double?
  var firstByte: Double?
  var cache: String
  var reason: String?
  var age: Int?
  var originStatus: Int?
  var tls: String?
  var referer: String?
  var userAgent: String?
}

private func decode(_ bytes: [UInt8]) throws -> Line {
  try JSONDecoder().decode(Line.self, from: Data(bytes))
}

/// What viewers send to be remembered otherwise than they came.
private let hostileBytes: [[UInt8]] = [
  [], [0], [0x22], [0x5c], [0x0d, 0x0a], [0x7f], [0x80], [0xff, 0xfe], [0xc3], [0xc3, 0xa4],
  [0xc0, 0x80], [0xe0, 0x80, 0x80], [0xed, 0xa0, 0x80], [0xf0, 0x9f, 0x98, 0x80],
  [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82], [0xe2, 0x80, 0xa8],
  Array("\"}\n{\"status\":999,\"a\":\"".utf8),
  Array("x\" 200 0 \"-\" \"-\" hit 0\n192.0.2.1 - - [".utf8),
  Array(0...255),
]

struct AccessLineTests {
  @Test func `a combined line is nginx's with the verdict and the request id behind it`() {
    let text = String(decoding: line(.combined), as: UTF8.self)
    #expect(
      text == "192.0.2.7 - - [01/Mar/2026:12:00:00 +0000] \"GET /a?b=c HTTP/1.1\" 200 512 \"-\" "
        + "\"curl/8.0\" miss:absent 00000000000000010000000000000abc\n")
  }

  @Test func `a combined line of an unreadable request has no request line`() {
    let bytes = line(.combined, method: [], target: []) {
      $0.verdict = Verdict(.error, .badRequest)
      $0.status = 400
    }
    #expect(String(decoding: bytes, as: UTF8.self).contains("] \"-\" 400 512 "))
  }

  @Test func `a JSON line tells the whole exchange`() throws {
    let read = try decode(line(.json))
    #expect(read.time == "2026-03-01T12:00:00.012345Z")
    #expect(read.requestId == "00000000000000010000000000000abc")
    #expect(read.viewer == "192.0.2.7")
    #expect(read.method == "GET")
    #expect(read.target == "/a?b=c")
    #expect(read.protocol == "HTTP/1.1")
    #expect(read.status == 200)
    #expect([read.bytesSent, read.bodyBytes, read.bytesReceived] == [700, 512, 90])
    #expect(read.duration == 1.5)
    #expect(read.firstByte == 0.00025)
    #expect(read.cache == "miss")
    #expect(read.reason == "absent")
    #expect(read.age == nil)
    #expect(read.originStatus == 200)
    #expect(read.tls == nil)
    #expect(read.referer == nil)
    #expect(read.userAgent == "curl/8.0")
  }

  @Test func `a JSON line tells the version of TLS`() throws {
    let version: StaticString = "TLSv1.3"
    let read = try decode(
      line(.json) {
        $0.tls = UnsafeBufferPointer(start: version.utf8Start, count: version.utf8CodeUnitCount)
      })
    #expect(read.tls == "TLSv1.3")
  }

  @Test func `what did not happen is null`() throws {
    let read = try decode(
      line(.json) {
        $0.verdict = Verdict(.hit)
        $0.firstByte = -1
        $0.originStatus = 0
        $0.age = 0
        $0.version = .http10
      })
    #expect(read.reason == nil)
    #expect(read.firstByte == nil)
    #expect(read.originStatus == nil)
    #expect(read.age == 0)
    #expect(read.protocol == "HTTP/1.0")
  }

  @Test(arguments: hostileBytes)
  func `a JSON line is one valid object whatever the viewer sent`(bytes: [UInt8]) throws {
    let written = line(
      .json, viewer: bytes, method: bytes, target: bytes, referer: bytes, userAgent: bytes)
    #expect(written.filter { $0 == 0x0a }.count == 1)
    #expect(written.last == 0x0a)
    #expect(String(validating: written, as: UTF8.self) != nil)
    let read = try decode(written)
    #expect(read.status == 200)
    if !bytes.isEmpty, let text = String(validating: bytes, as: UTF8.self) {
      #expect(read.target == text)
      #expect(read.userAgent == text)
    }
  }

  @Test(arguments: hostileBytes)
  func `a combined line is one line in ASCII whatever the viewer sent`(bytes: [UInt8]) {
    let written = line(
      .combined, method: Array("GET".utf8), target: bytes, referer: bytes, userAgent: bytes)
    #expect(written.dropLast().allSatisfy { $0 >= 0x20 && $0 < 0x7f })
    #expect(written.last == 0x0a)
    // Three quoted fields, so six quotes: none came from the viewer.
    #expect(written.filter { $0 == 0x22 }.count == 6)
  }

  @Test func `bytes that are no UTF-8 are replaced one by one`() throws {
    let read = try decode(line(.json, target: [0x2f, 0xc3, 0x28, 0xff]))
    #expect(read.target == "/\u{fffd}(\u{fffd}")
  }

  @Test(
    arguments: [
      (0, "1970-01-01T00:00:00"), (951_782_400, "2000-02-29T00:00:00"),
      (1_709_251_199, "2024-02-29T23:59:59"), (4_107_542_400, "2100-03-01T00:00:00"),
      (1_767_225_599, "2025-12-31T23:59:59"), (-1, "1969-12-31T23:59:59"),
    ] as [(Int64, String)])
  func `the time is that of the calendar`(seconds: Int64, text: String) throws {
    #expect(try decode(line(.json, seconds: seconds)).time == "\(text).012345Z")
  }

  @Test func `one writer follows the clock`() {
    let buffer = ByteBuffer()
    var writer = AccessLineWriter(format: .combined)
    var record = AccessRecord()
    for second: Int64 in [59, 59, 60] {
      record.seconds = second
      writer.append(record, to: buffer)
    }
    let lines = String(decoding: buffer.bytes, as: UTF8.self).split(separator: "\n")
    #expect(lines.map { $0.dropFirst(19).prefix(8) } == ["00:00:59", "00:00:59", "00:01:00"])
  }
}
