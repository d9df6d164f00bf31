// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

/// Storing and combining partial responses: RFC 9111 §3.3 and §3.4.
struct SlicesTests {
  private let policy = makePolicy()

  /// Judges a 206 to a request for `bytes=0-99`, or another slice of a hundred bytes.
  private func judge(
    _ fields: [String], asked: ByteRange = ByteRange(0, 100), length: Int? = 100
  ) -> PartJudgement {
    let response = GivenResponse(
      206, fields + (length.map { ["Content-Length: \($0)"] } ?? ["Transfer-Encoding: chunked"]))
    var meta = StoredMeta()
    _ = writtenBytes {
      meta = appendResponseHead(
        response.head, response.base, behavior: policy.behavior(), storing: true, now: testTime,
        to: $0)
    }
    return judgePart(response.head, response.base, asked: asked, meta: meta)
  }

  private static let etag = "ETag: \"a\""

  @Test(
    arguments: [
      // §3.3, RFC 9110 §15.3.7.1: the slice asked for, with a strong validator.
      ([etag, "Content-Range: bytes 0-99/350"], .slice(ByteRange(0, 100), total: 350)),
      (
        [
          "Last-Modified: \(httpDate(-100))", "Date: \(httpDate())",
          "Content-Range: bytes 0-99/350",
        ],
        .slice(ByteRange(0, 100), total: 350)
      ),
      // §3.4: all bytes are as good as a 200, validator or not.
      ([etag, "Content-Range: bytes 0-99/100"], .whole(total: 100)),
      (["Content-Range: bytes 0-99/100"], .whole(total: 100)),
      // Validators that cannot tell whether parts belong together (RFC 9110 §8.8.1).
      (
        ["Content-Range: bytes 0-99/350"], .passing(ByteRange(0, 100), total: 350, .responsePartial)
      ),
      (
        ["ETag: W/\"a\"", "Content-Range: bytes 0-99/350"],
        .passing(ByteRange(0, 100), total: 350, .responsePartial)
      ),
      (
        ["Last-Modified: \(httpDate())", "Date: \(httpDate())", "Content-Range: bytes 0-99/350"],
        .passing(ByteRange(0, 100), total: 350, .responsePartial)
      ),
      (
        [
          "ETag: W/\"a\"", "Last-Modified: \(httpDate(-100))", "Date: \(httpDate())",
          "Content-Range: bytes 0-99/350",
        ], .passing(ByteRange(0, 100), total: 350, .responsePartial)
      ),
      // Other bytes than those asked for.
      (
        [etag, "Content-Range: bytes 100-199/350"],
        .passing(ByteRange(100, 200), total: 350, .originRange)
      ),
      (
        [etag, "Content-Range: bytes 1-100/350"],
        .passing(ByteRange(1, 101), total: 350, .originRange)
      ),
      // Inconsistent, or nothing to go by (RFC 9110 §14.4).
      ([etag, "Content-Range: bytes 0-98/350"], .unusable(.originRange)),
      ([etag, "Content-Range: bytes 0-100/350"], .unusable(.originRange)),
      ([etag, "Content-Range: bytes 0-99/50"], .unusable(.originRange)),
      ([etag, "Content-Range: bytes 99-0/350"], .unusable(.originRange)),
      ([etag, "Content-Range: bytes */350"], .unusable(.originRange)),
      ([etag, "Content-Range: items 0-99/350"], .unusable(.originRange)),
      ([etag], .unusable(.originRange)),
      (
        [etag, "Content-Range: bytes 0-99/350", "Content-Range: bytes 0-99/350"],
        .unusable(.originRange)
      ),
      ([etag, "Content-Range: bytes 0-99/*"], .unusable(.responsePartial)),
      // RFC 9110 §15.3.7.2: one range is never answered in several parts.
      (
        [etag, "Content-Type: multipart/byteranges; boundary=x", "Content-Range: bytes 0-99/350"],
        .unusable(.originRange)
      ),
      ([etag, "Content-Type: Multipart/ByteRanges; boundary=x"], .unusable(.originRange)),
    ] as [([String], PartJudgement)])
  func `what a 206 is good for`(fields: [String], expected: PartJudgement) {
    #expect(judge(fields) == expected)
  }

  @Test func `the last slice is as short as the whole makes it`() {
    let last = ByteRange(300, 400)
    #expect(
      judge([Self.etag, "Content-Range: bytes 300-349/350"], asked: last, length: 50)
        == .slice(ByteRange(300, 350), total: 350))
    #expect(
      judge([Self.etag, "Content-Range: bytes 300-348/350"], asked: last, length: 49)
        == .passing(ByteRange(300, 349), total: 350, .originRange))
    // Less than asked for, though there is more: the origin may, but it is no slice.
    #expect(
      judge([Self.etag, "Content-Range: bytes 0-9/350"], length: 10)
        == .passing(ByteRange(0, 10), total: 350, .originRange))
  }

  @Test func `a part that does not say how long it is is not stored`() {
    #expect(
      judge([Self.etag, "Content-Range: bytes 0-99/350"], length: nil)
        == .passing(ByteRange(0, 100), total: 350, .responsePartial))
    #expect(
      judge([Self.etag, "Content-Range: bytes 0-99/100"], length: nil)
        == .passing(ByteRange(0, 100), total: 100, .responsePartial))
  }

  @Test func `slices are aligned`() {
    let grid = SliceGrid(size: 100)
    #expect(grid.number(at: 0) == 0)
    #expect(grid.number(at: 99) == 0)
    #expect(grid.number(at: 100) == 1)
    #expect(grid.range(of: 3) == ByteRange(300, 400))
    #expect([0, 1, 100, 101, 200].map(grid.count(of:)) == [0, 1, 1, 2, 2])
    // The number of the outline is no slice's.
    #expect(grid.number(at: Int(UInt32.max) * 100 - 1) == UInt32.max - 1)
    #expect(grid.number(at: Int(UInt32.max) * 100) == nil)
    #expect(grid.number(at: Int.max) == nil)
    #expect(SliceGrid(size: 16 << 20).range(of: UInt32.max - 1).count == 16 << 20)
    #expect(SliceGrid(size: Int.max / 2).range(of: 7).start > Int.max - 2)
  }

  @Test func `keys of slices are the whole's but for kind and number`() {
    let whole = CacheFixture.key("/film?a=1", slot: 3)
    func key(_ number: UInt32) -> [UInt8] {
      withBytes(whole) { whole in writtenBytes { SliceKey.append(number, of: whole, to: $0) } }
    }
    let key = key(0x0102_0304)
    #expect(key.count == whole.count + 4)
    #expect(Array(key.suffix(4)) == [4, 3, 2, 1])
    #expect(withBytes(key) { keyKind($0) } == .slice)
    #expect(withBytes(whole) { keyKind($0) } == .response)
    #expect(withBytes(key) { keySlot($0) } == 3)
    #expect(withBytes(key) { String(decoding: keyURL($0), as: UTF8.self) } == "/film?a=1")
    #expect(Set([key, self.keyed(whole, 1), keyed(whole, SliceKey.outline), whole]).count == 4)
  }

  private func keyed(_ whole: [UInt8], _ number: UInt32) -> [UInt8] {
    withBytes(whole) { whole in writtenBytes { SliceKey.append(number, of: whole, to: $0) } }
  }

  @Test func `purges find slices by the URL of the whole`() {
    let key = keyed(CacheFixture.key("/film"), 7)
    func matches(_ selector: PurgeSelector) -> Bool {
      let record = PurgeRecord(
        number: 1, distribution: "shop", id: "d0", at: 0, soft: false, selector: selector)
      return withBytes(key) {
        PurgeMatcher(record, slot: 0).matches(
          key: $0, tags: UnsafeBufferPointer(start: nil, count: 0))
      }
    }
    #expect(matches(.path("/film")))
    #expect(matches(.prefix("/fi")))
    #expect(matches(.all))
    #expect(!matches(.path("/other")))
  }

  // MARK: Belonging together (§3.4)

  private let fixture = CacheFixture()

  private func entry(
    _ status: Int, _ fields: [String], body: Int, outlined: Int? = nil
  ) throws -> Entry {
    let response = GivenResponse(status, fields)
    var meta = StoredMeta()
    let head = writtenBytes {
      meta = appendResponseHead(
        response.head, response.base, behavior: policy.behavior(), storing: true, now: testTime,
        to: $0)
    }
    let entry = try #require(
      fixture.make("/", head: String(decoding: head, as: UTF8.self), capacity: max(body, 8)))
    entry.meta = meta
    entry.status = UInt16(status)
    if let outlined { entry.setOutlinedLength(outlined) } else { entry.bodyLength = body }
    return entry
  }

  @Test(
    arguments: [
      ([etag], [etag], "bytes 100-199/350", 100, true),
      ([etag], [etag], "bytes 100-199/351", 100, false),
      ([etag], [etag], "bytes 0-99/350", 100, false),
      ([etag], [etag], "bytes 100-199/350", 99, false),
      ([etag], ["ETag: \"b\""], "bytes 100-199/350", 100, false),
      ([etag], ["ETag: W/\"a\""], "bytes 100-199/350", 100, false),
      (["ETag: W/\"a\""], ["ETag: W/\"a\""], "bytes 100-199/350", 100, false),
      ([etag], ["Last-Modified: \(httpDate(-100))"], "bytes 100-199/350", 100, false),
      (
        ["Last-Modified: \(httpDate(-100))", "Date: \(httpDate())"],
        ["Last-Modified: \(httpDate(-100))", "Date: \(httpDate())"], "bytes 100-199/350", 100, true
      ),
      (
        ["Last-Modified: \(httpDate(-100))", "Date: \(httpDate())"],
        ["Last-Modified: \(httpDate(-99))", "Date: \(httpDate())"], "bytes 100-199/350", 100, false
      ),
    ] as [([String], [String], String, Int, Bool)])
  func `a slice counts with the outline's strong validator and length only`(
    outline: [String], slice: [String], range: String, body: Int, expected: Bool
  ) throws {
    let outline = try entry(200, outline, body: 0, outlined: 350)
    let slice = try entry(206, slice + ["Content-Range: \(range)"], body: body)
    defer {
      outline.release()
      slice.release()
    }
    #expect(outline.outlinedLength == 350)
    #expect(slice.isSlice(1, SliceGrid(size: 100), of: outline) == expected)
    #expect(!slice.isSlice(2, SliceGrid(size: 100), of: outline))
    // Slices of another size, from before a change of settings.
    #expect(!slice.isSlice(1, SliceGrid(size: 64), of: outline))
    #expect(!slice.isSlice(9, SliceGrid(size: 100), of: outline))
  }

  @Test func `the head of the whole is that of the part without what is the part's own`() {
    let modified = httpDate(-100)
    let part =
      "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-9/50\r\nX-A: 1\r\n"
      + "ETag: \"tag\"\r\nLast-Modified: \(modified)\r\nDate: \(httpDate())\r\n"
    let response = GivenResponse(
      206,
      [
        "Content-Range: bytes 0-9/50", "X-A: 1", "ETag: \"tag\"", "Last-Modified: \(modified)",
        "Date: \(httpDate())",
      ], reason: "Partial Content")
    var meta = StoredMeta()
    let written = writtenBytes {
      meta = appendResponseHead(
        response.head, response.base, behavior: policy.behavior(), storing: true, now: testTime,
        to: $0)
    }
    #expect(String(decoding: written, as: UTF8.self).hasPrefix(part))
    var wholeMeta = StoredMeta()
    let whole = withBytes(written) { part in
      writtenBytes { wholeMeta = appendWholeHead(ofPart: part, meta: meta, to: $0) }
    }
    let text = String(decoding: whole, as: UTF8.self)
    #expect(text.hasPrefix("HTTP/1.1 200 OK\r\nX-A: 1\r\nETag: \"tag\"\r\n"))
    #expect(!text.contains("Content-Range"))
    withBytes(whole) { whole in
      let base = whole.baseAddress!
      #expect(wholeMeta.etag(in: base).map { String(decoding: $0, as: UTF8.self) } == "\"tag\"")
      #expect(
        wholeMeta.lastModifiedValue(in: base).map { String(decoding: $0, as: UTF8.self) }
          == modified)
      #expect(wholeMeta.fieldsStart == 17)
    }
    #expect(wholeMeta.lastModified == testTime - 100)
    #expect(wholeMeta.isLastModifiedStrong)
  }

  @Test(
    arguments: [
      ([], AcceptedRanges.unstated), (["Accept-Ranges: bytes"], .bytes),
      (["Accept-Ranges: none"], .none), (["accept-ranges: items, Bytes"], .bytes),
      (["Accept-Ranges: items"], .none),
      (["Accept-Ranges: items", "Accept-Ranges: bytes"], .bytes),
    ] as [([String], AcceptedRanges)])
  func `Accept-Ranges (RFC 9110 §14.3)`(fields: [String], expected: AcceptedRanges) {
    let response = GivenResponse(200, fields)
    #expect(AcceptedRanges(response.head, response.base) == expected)
    let added = writtenText { appendAcceptRanges(response.head, response.base, to: $0) }
    #expect(added == (expected == .unstated ? "Accept-Ranges: bytes\r\n" : ""))
  }

  @Test func `a part is stored by the rules of the whole (RFC 9111 §3)`() {
    func decide(_ fields: [String], as status: UInt16?) -> StorageDecision {
      let request = GivenRequest()
      let response = GivenResponse(206, fields)
      return decideStorage(
        request: RequestCaching(request.head, request.base, behavior: policy.behavior()),
        method: .get, response: response.head, base: response.base, behavior: policy.behavior(),
        requestTime: testTime, responseTime: testTime, status: status)
    }
    let part = ["Content-Range: bytes 0-9/50", "ETag: \"a\""]
    #expect(decide(part + ["Cache-Control: max-age=60"], as: nil) == .refuse(.responsePartial))
    guard case .store(let freshness) = decide(part + ["Cache-Control: max-age=60"], as: 200) else {
      Issue.record("refused")
      return
    }
    #expect(freshness.lifetime == 60)
    #expect(decide(part + ["Cache-Control: no-store"], as: 200) == .refuse(.responseNoStore))
    #expect(decide(part + ["Cache-Control: private"], as: 200) == .refuse(.responsePrivate))
    #expect(decide(part + ["Cache-Control: max-age=9", "Vary: *"], as: 200) == .refuse(.varyStar))
  }

  @Test(arguments: [(10, 0, false), (10, 1, true), (11, 0, true), (Int.max, 0, true)])
  func `a whole is put together where slices are stored, or it could not be stored`(
    total: Int, stored: Int, expected: Bool
  ) {
    #expect(takesWholeFromSlices(total: total, stored: stored, objectLimit: 10) == expected)
  }
}
