// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

/// RFC 9110 §14 and §15.3.7.
struct RangesTests {
  private func parse(_ value: String) -> [RangeSpec]? {
    withBytes(Array(value.utf8)) { parseRanges($0) }
  }

  private func select(_ value: String, of length: Int = 100) -> RangeSelection {
    withBytes(Array(value.utf8)) { selectRanges($0, bodyLength: length) }
  }

  private static func parts(_ ranges: (Int, Int)...) -> RangeSelection {
    .parts(ranges.map { ByteRange($0.0, $0.1) })
  }

  @Test(
    arguments: [
      // §14.1.2.
      ("bytes=0-1", [RangeSpec.positions(first: 0, last: 1)]),
      ("bytes=5-", [.positions(first: 5, last: Int.max)]), ("bytes=-7", [.suffix(7)]),
      ("bytes=-0", [.suffix(0)]), ("Bytes=0-0", [.positions(first: 0, last: 0)]),
      ("bytes=0-1,-1", [.positions(first: 0, last: 1), .suffix(1)]),
      // §5.6.1.2: empty list members and white space around the others.
      ("bytes=,, 0-1 ,\t4-5 ,", [.positions(first: 0, last: 1), .positions(first: 4, last: 5)]),
      // Numbers beyond what can be held.
      ("bytes=0-99999999999999999999", [.positions(first: 0, last: Int.max)]),
      ("bytes=99999999999999999999-", [.positions(first: Int.max, last: Int.max)]),
      ("bytes=-18446744073709551616", [.suffix(Int.max)]),
      ("bytes=-9223372036854775808", [.suffix(Int.max)]),
      // §14.2: other units and what is no valid set count for nothing.
      ("items=0-1", nil), ("bytes=", nil), ("bytes=,", nil), ("bytes=-", nil), ("bytes=1", nil),
      ("bytes=2-1", nil), ("bytes=0-1,2-1", nil), ("bytes=0-1;2-3", nil), ("bytes=0-1 2-3", nil),
      ("bytes=a-1", nil), ("bytes=0-b", nil), ("bytes=--1", nil), ("bytes=1-2-3", nil),
      ("bytes=+1-2", nil), ("bytes=0x1-2", nil), ("bytes 0-1", nil), ("bytes =0-1", nil),
      ("", nil),
    ] as [(String, [RangeSpec]?)])
  func `the specs of a Range field`(value: String, expected: [RangeSpec]?) {
    #expect(parse(value) == expected)
  }

  @Test(
    arguments: [
      // As asked for, in that order (§15.3.7.2), descending too.
      ("bytes=0-0,9-9", parts((0, 1), (9, 10))), ("bytes=9-9,0-0", parts((9, 10), (0, 1))),
      ("bytes=0-9,10-19", parts((0, 10), (10, 20))),
      ("bytes=-10,0-9", parts((90, 100), (0, 10))),
      ("bytes=50-,0-9", parts((50, 100), (0, 10))),
      // Unsatisfiable ones are left out (§14.1.2); without any other it is 416 (§15.5.17).
      ("bytes=0-9,200-300", parts((0, 10))), ("bytes=200-,-0", .unsatisfiable),
      ("bytes=100-100,0-9", parts((0, 10))), ("bytes=-0,5-6", parts((5, 7))),
      // Two that overlap become one, in the place of the first.
      ("bytes=0-9,5-14", parts((0, 15))), ("bytes=5-14,0-9", parts((0, 15))),
      ("bytes=0-9,0-9", parts((0, 10))), ("bytes=0-99,50-50", parts((0, 100))),
      ("bytes=0-9,90-99,5-14", parts((0, 15), (90, 100))), ("bytes=90-,-20", parts((80, 100))),
      // §14.2: more than two overlapping are ignored.
      ("bytes=0-9,5-14,12-20", .whole), ("bytes=0-,0-,0-", .whole), ("bytes=0-5,8-9,3-8", .whole),
      ("bytes=0-1,0-1,50-51,50-51", .whole), ("bytes=0-9,20-29,5-24", .whole),
    ] as [(String, RangeSelection)])
  func `several ranges of a hundred bytes`(value: String, expected: RangeSelection) {
    #expect(select(value) == expected)
  }

  @Test func `ranges up to the limit are served, more are ignored (§14.2)`() {
    func ranges(_ count: Int) -> String {
      "bytes=" + (0..<count).map { "\($0 * 2)-\($0 * 2)" }.joined(separator: ",")
    }
    guard case .parts(let parts) = select(ranges(Limits.ranges)) else {
      Issue.record("ignored")
      return
    }
    #expect(parts.count == Limits.ranges)
    #expect(select(ranges(Limits.ranges + 1)) == .whole)
    // However many of them are satisfiable.
    #expect(select(ranges(Limits.ranges + 1), of: 1) == .whole)
  }

  @Test(
    arguments: [
      ("bytes=0-0,1-1", RangeSelection.unsatisfiable), ("bytes=0-,5-", .unsatisfiable),
      // A suffix of nothing is all of it, which no Content-Range can say.
      ("bytes=-1,-2", .whole), ("bytes=0-0,-5", .whole), ("bytes=-0,-0", .unsatisfiable),
    ] as [(String, RangeSelection)])
  func `several ranges of nothing`(value: String, expected: RangeSelection) {
    #expect(select(value, of: 0) == expected)
  }

  @Test func `numbers at the edge of what can be held do not overflow`() {
    let whole = Int.max
    #expect(select("bytes=0-", of: whole) == Self.parts((0, whole)))
    #expect(select("bytes=9223372036854775806-", of: whole) == Self.parts((whole - 1, whole)))
    #expect(select("bytes=9223372036854775807-", of: whole) == .unsatisfiable)
    #expect(select("bytes=0-9223372036854775807", of: 10) == Self.parts((0, 10)))
    #expect(select("bytes=-9223372036854775807", of: 10) == Self.parts((0, 10)))
  }

  @Test(
    arguments: [
      // §14.4.
      ("bytes 0-9/100", ContentRange(range: ByteRange(0, 10), total: 100)),
      ("bytes 99-99/100", ContentRange(range: ByteRange(99, 100), total: 100)),
      ("BYTES 0-0/1", ContentRange(range: ByteRange(0, 1), total: 1)),
      ("bytes 0-9/*", ContentRange(range: ByteRange(0, 10), total: nil)),
      ("bytes */100", ContentRange(range: nil, total: 100)),
      ("bytes */0", ContentRange(range: nil, total: 0)),
      // Invalid: a last position before the first, or not within the length; whatever else.
      ("bytes 9-0/100", nil), ("bytes 0-100/100", nil), ("bytes 0-9/9", nil), ("bytes */*", nil),
      ("bytes 0-9", nil), ("bytes 0-9/", nil), ("bytes -9/100", nil), ("bytes 0-/100", nil),
      ("bytes=0-9/100", nil), ("items 0-9/100", nil), ("bytes 0 - 9/100", nil),
      ("bytes 0-9/1e2", nil), ("bytes 0-9/-1", nil), ("bytes 0-9/100/100", nil), ("bytes ", nil),
      ("bytes /", nil), ("bytes 0-99999999999999999999/*", nil),
      ("bytes 0-9223372036854775807/*", nil), ("bytes 0-9/9223372036854775807", nil), ("", nil),
    ] as [(String, ContentRange?)])
  func `a Content-Range`(value: String, expected: ContentRange?) {
    #expect(withBytes(Array(value.utf8)) { ContentRange($0) } == expected)
  }

  @Test func `a part is awaited from a fill that is near, and asked for where it is far`() {
    #expect(isWithinReach(0, available: 0))
    #expect(isWithinReach(10, available: 20))
    #expect(isWithinReach(Limits.fillReach, available: 0))
    #expect(!isWithinReach(Limits.fillReach + 1, available: 0))
    #expect(isWithinReach(Limits.fillReach + 1, available: 1))
    #expect(!isWithinReach(Int.max, available: 0))
  }

  // MARK: multipart/byteranges (§14.6)

  private static let stored =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nETag: \"a\"\r\nDate: today\r\n"

  private func multipart(
    _ ranges: [ByteRange], of total: Int = 100, stored: String = stored,
    nonce: (UInt64, UInt64) = (1, 2)
  ) -> (head: String, body: String, length: Int) {
    withBytes(Array(stored.utf8)) { stored in
      let parts = MultipartRanges(ranges, of: total, stored: stored, nonce: nonce)
      let head = writtenText { parts.appendHead(stored: stored, to: $0) }
      var length = ranges.reduce(0) { $0 + $1.count }
      let body = writtenText { buffer in
        for index in ranges.indices {
          parts.appendDelimiter(before: index, to: buffer)
          buffer.append("[\(index)]")
          length -= "[\(index)]".utf8.count
        }
        parts.appendEnd(to: buffer)
        length += buffer.count
      }
      #expect(length == parts.contentLength)
      return (head, body, parts.contentLength)
    }
  }

  @Test func `a stray Content-Range of the whole is none of the part's (§14.4)`() {
    let stray = Self.stored + "Content-Range: items 0-9/66\r\n"
    let single = withBytes(Array(stray.utf8)) { stored in
      writtenText { appendPartHead(stored: stored, to: $0) }
    }
    #expect(
      single == "HTTP/1.1 206 Partial Content\r\nContent-Type: text/plain\r\nETag: \"a\"\r\n"
        + "Date: today\r\n")
    #expect(!multipart([ByteRange(0, 1)], stored: stray).head.contains("Content-Range"))
  }

  @Test func `every part says what it is, in the order asked for`() {
    let boundary = "atoll-00000000000000010000000000000002"
    let (head, body, _) = multipart([ByteRange(50, 60), ByteRange(0, 1)])
    #expect(
      head == """
        HTTP/1.1 206 Partial Content\r
        ETag: "a"\r
        Date: today\r
        Content-Type: multipart/byteranges; boundary=\(boundary)\r

        """)
    #expect(
      body == """
        --\(boundary)\r
        Content-Type: text/plain\r
        Content-Range: bytes 50-59/100\r
        \r
        [0]\r
        --\(boundary)\r
        Content-Type: text/plain\r
        Content-Range: bytes 0-0/100\r
        \r
        [1]\r
        --\(boundary)--\r

        """)
  }

  @Test func `a response without Content-Type has parts without`() {
    let (_, body, _) = multipart([ByteRange(0, 1)], stored: "HTTP/1.1 200 OK\r\nETag: \"a\"\r\n")
    #expect(!body.contains("Content-Type"))
  }

  @Test func `the length is known before the first byte, whatever the numbers`() {
    for total in [1, 10, 1_000_000, Int.max] {
      _ = multipart([ByteRange(0, 1), ByteRange(total / 2, total)], of: total)
    }
    _ = multipart((0..<16).map { ByteRange($0 * 3, $0 * 3 + 2) })
  }

  @Test func `the boundary depends on the nonce alone`() {
    let first = multipart([ByteRange(0, 1)], nonce: (1, 1)).head
    #expect(first != multipart([ByteRange(0, 1)], nonce: (1, 3)).head)
    #expect(first != multipart([ByteRange(0, 1)], nonce: (3, 1)).head)
    #expect(first == multipart([ByteRange(5, 9)], nonce: (1, 1)).head)
  }
}
