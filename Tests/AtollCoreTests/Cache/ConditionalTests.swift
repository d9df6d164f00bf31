// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

/// RFC 9110 §13 and §14, RFC 9111 §4.3.2.
struct ConditionalTests {
  private let policy = makePolicy()

  private func select(
    _ fields: [String], stored: [String], line: String = "GET /a", status: Int = 200,
    bodyLength: Int = 100
  ) -> Selection {
    let request = GivenRequest(line, fields)
    let response = GivenResponse(status, stored)
    var meta = StoredMeta()
    let head = writtenBytes {
      meta = appendResponseHead(
        response.head, response.base, behavior: policy.behavior(), storing: true, now: testTime,
        to: $0)
    }
    return withBytes(head) {
      AtollCore.select(
        request: request.head, base: request.base, meta: meta, storedHead: $0.baseAddress!,
        status: UInt16(status), bodyLength: bodyLength)
    }
  }

  private static let modified = httpDate(-1000)
  private static let earlier = httpDate(-2000)
  private static let later = httpDate(-500)

  private func stored(_ etag: String = "\"a\"") -> [String] {
    ["ETag: \(etag)", "Last-Modified: \(Self.modified)", "Date: \(httpDate())"]
  }

  @Test(
    arguments: [
      ([], Selection.full),
      // §13.1.2: weak comparison, lists, "*".
      (["If-None-Match: \"a\""], .notModified), (["If-None-Match: W/\"a\""], .notModified),
      (["If-None-Match: \"b\", \"a\""], .notModified), (["If-None-Match: *"], .notModified),
      (["If-None-Match: \"b\"", "If-None-Match: \"a\""], .notModified),
      (["If-None-Match: \"b\""], .full), (["If-None-Match: \"A\""], .full),
      (["If-None-Match: a"], .full), (["If-None-Match: \"a"], .full),
      (["If-None-Match: \"x,\", \"a\""], .notModified), (["If-None-Match: w/\"a\""], .full),
      // §13.1.3.
      (["If-Modified-Since: \(modified)"], .notModified),
      (["If-Modified-Since: \(later)"], .notModified),
      (["If-Modified-Since: \(earlier)"], .full), (["If-Modified-Since: yesterday"], .full),
      (["If-Modified-Since: \(later)", "If-Modified-Since: \(later)"], .full),
      // §13.2.2: If-Modified-Since counts only without If-None-Match.
      (["If-None-Match: \"b\"", "If-Modified-Since: \(later)"], .full),
      (["If-None-Match: \"a\"", "If-Modified-Since: \(earlier)"], .notModified),
      // §13.1.1: strong comparison.
      (["If-Match: \"a\""], .full), (["If-Match: *"], .full), (["If-Match: \"b\", \"a\""], .full),
      (["If-Match: \"b\""], .preconditionFailed), (["If-Match: W/\"a\""], .preconditionFailed),
      // §13.1.4, and only without If-Match.
      (["If-Unmodified-Since: \(modified)"], .full), (["If-Unmodified-Since: \(later)"], .full),
      (["If-Unmodified-Since: \(earlier)"], .preconditionFailed),
      (["If-Unmodified-Since: x"], .full),
      (["If-Match: \"a\"", "If-Unmodified-Since: \(earlier)"], .full),
      // The first two steps come before the next two.
      (["If-Match: \"b\"", "If-None-Match: \"a\""], .preconditionFailed),
      (["If-Match: \"a\"", "If-None-Match: \"a\""], .notModified),
      (["If-Unmodified-Since: \(earlier)", "If-Modified-Since: \(later)"], .preconditionFailed),
      // And Range after all.
      (["If-None-Match: \"a\"", "Range: bytes=0-1"], .notModified),
      (["If-None-Match: \"b\"", "Range: bytes=0-1"], .range(start: 0, length: 2)),
      (["If-Match: \"b\"", "Range: bytes=0-1"], .preconditionFailed),
    ] as [([String], Selection)])
  func `conditions in the order of §13.2.2`(fields: [String], expected: Selection) {
    #expect(select(fields, stored: stored()) == expected)
    // HEAD takes the same conditions; Range means nothing to it (§14.2).
    let head = select(fields, stored: stored(), line: "HEAD /a")
    if case .range = expected { #expect(head == .full) } else { #expect(head == expected) }
  }

  @Test func `a weak entity tag matches weakly only`() {
    let weak = stored("W/\"a\"")
    #expect(select(["If-None-Match: \"a\""], stored: weak) == .notModified)
    #expect(select(["If-Match: W/\"a\""], stored: weak) == .preconditionFailed)
    #expect(select(["If-Match: \"a\""], stored: weak) == .preconditionFailed)
  }

  @Test func `without Last-Modified, Date answers If-Modified-Since (RFC 9111 §4.3.2)`() {
    let dated = ["Date: \(Self.modified)"]
    #expect(select(["If-Modified-Since: \(Self.later)"], stored: dated) == .notModified)
    #expect(select(["If-Modified-Since: \(Self.earlier)"], stored: dated) == .full)
    // RFC 9110 §13.1.4: not so If-Unmodified-Since.
    #expect(select(["If-Unmodified-Since: \(Self.earlier)"], stored: dated) == .full)
  }

  @Test func `without an entity tag, only "*" matches`() {
    let dated = ["Last-Modified: \(Self.modified)"]
    #expect(select(["If-None-Match: \"a\""], stored: dated) == .full)
    #expect(select(["If-None-Match: *"], stored: dated) == .notModified)
    #expect(select(["If-Match: \"a\""], stored: dated) == .preconditionFailed)
  }

  @Test(arguments: [301, 404, 500])
  func `conditions and ranges count for successes only (§13.2.1)`(status: Int) {
    for field in ["If-None-Match: \"a\"", "If-Match: \"b\"", "Range: bytes=0-1"] {
      #expect(select([field], stored: stored(), status: status) == .full)
    }
  }

  @Test func `other methods are the origin's business`() {
    #expect(select(["If-Match: \"b\""], stored: stored(), line: "OPTIONS /a") == .full)
  }

  @Test(
    arguments: [
      // §14.1.2, for a body of 100 bytes.
      ("bytes=0-0", Selection.range(start: 0, length: 1)),
      ("bytes=0-99", .range(start: 0, length: 100)),
      ("bytes=10-19", .range(start: 10, length: 10)), ("bytes=90-", .range(start: 90, length: 10)),
      ("bytes=0-", .range(start: 0, length: 100)), ("bytes=99-500", .range(start: 99, length: 1)),
      ("bytes=-1", .range(start: 99, length: 1)), ("bytes=-100", .range(start: 0, length: 100)),
      ("bytes=-500", .range(start: 0, length: 100)), ("BYTES=0-1", .range(start: 0, length: 2)),
      ("bytes= 0-1 ", .range(start: 0, length: 2)), ("bytes=,0-1,", .range(start: 0, length: 2)),
      ("bytes=0-99999999999999999999", .range(start: 0, length: 100)),
      ("bytes=-99999999999999999999", .range(start: 0, length: 100)),
      ("bytes=0-9223372036854775807", .range(start: 0, length: 100)),
      ("bytes=0-18446744073709551615", .range(start: 0, length: 100)),
      ("bytes=100-", .unsatisfiable), ("bytes=100-200", .unsatisfiable),
      ("bytes=-0", .unsatisfiable),
      ("bytes=99999999999999999999-", .unsatisfiable),
      // §15.3.7.2: several; one that is left of several is no multipart.
      ("bytes=0-1,5-6", .ranges), ("bytes=5-6, 0-1", .ranges),
      ("bytes=0-1,200-", .range(start: 0, length: 2)),
      ("bytes=0-5,3-9", .range(start: 0, length: 10)), ("bytes=100-,200-", .unsatisfiable),
      ("bytes=0-1,5-4", .full), ("bytes=0-1,x", .full),
      // Ignored: other units, no ranges.
      ("lines=0-1", .full), ("bytes", .full), ("bytes=", .full),
      ("bytes=-", .full), ("bytes=a-b", .full), ("bytes=1", .full), ("bytes=5-4", .full),
      ("bytes=0-1x", .full), ("bytes=0 - 1", .full), ("bytes=--1", .full), ("bytes=+0-1", .full),
      ("bytes=1-2-3", .full), ("bytes=0x0-1", .full), ("bytes:0-1", .full),
    ] as [(String, Selection)])
  func `a range`(value: String, expected: Selection) {
    #expect(select(["Range: \(value)"], stored: stored()) == expected)
  }

  @Test func `ranges of nothing`() {
    func empty(_ value: String) -> Selection {
      select(["Range: \(value)"], stored: stored(), bodyLength: 0)
    }
    #expect(empty("bytes=0-") == .unsatisfiable)
    #expect(empty("bytes=0-0") == .unsatisfiable)
    #expect(empty("bytes=-1") == .full)
  }

  @Test func `ranges come out of whole 200s only, and from one Range line`() {
    #expect(select(["Range: bytes=0-1"], stored: stored(), status: 203) == .full)
    #expect(select(["Range: bytes=0-1", "Range: bytes=2-3"], stored: stored()) == .full)
  }

  @Test(
    arguments: [
      // §13.1.5: strong comparison of entity tags, exact match of dates.
      ("\"a\"", true), ("\"b\"", false), ("W/\"a\"", false), (modified, true), (later, false),
      (earlier, false), ("nonsense", false), ("*", false), ("\"a\", \"b\"", false),
    ] as [(String, Bool)])
  func `If-Range guards a range`(validator: String, holds: Bool) {
    let selection = select(["Range: bytes=0-1", "If-Range: \(validator)"], stored: stored())
    #expect(selection == (holds ? .range(start: 0, length: 2) : .full))
  }

  @Test func `If-Range does not trust weak validators`() {
    let fields = ["Range: bytes=0-1"]
    let weak = stored("W/\"a\"")
    #expect(select(fields + ["If-Range: W/\"a\""], stored: weak) == .full)
    #expect(select(fields + ["If-Range: \"a\""], stored: weak) == .full)
    // §8.8.2.2: modified in the second in which it was sent.
    let recent = ["Last-Modified: \(Self.modified)", "Date: \(Self.modified)"]
    #expect(select(fields + ["If-Range: \(Self.modified)"], stored: recent) == .full)
  }
}
