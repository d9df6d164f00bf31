// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

/// What is compressed: CloudFront reference §8, RFC 9110 §7.7, RFC 9111 §5.2.2.6.
struct CompressionPolicyTests {
  private func policy(
    _ types: [String]? = nil, sizes: ClosedRange<Int> = 1_000...10_000_000,
    codings: CodingSet = [.gzip, .brotli]
  ) -> CompressionPolicy {
    CompressionPolicy(
      CompressionSettings(
        codings: codings, minimumSize: sizes.lowerBound, maximumSize: sizes.upperBound,
        types: types), isPossible: true)
  }

  private func covers(
    _ policy: CompressionPolicy, type: String
  ) -> Bool {
    withBytes(Array(type.utf8)) { policy.covers(type: $0) }
  }

  @Test(arguments: CompressionSettings.standardTypes)
  func `CloudFront's types are compressed`(_ type: String) {
    let policy = policy()
    for spelled in [type, type.uppercased(), type + "; charset=utf-8", type + ";a=b", type + " ;x"]
    {
      #expect(covers(policy, type: spelled), "\(spelled)")
    }
    #expect(!covers(policy, type: type + "x"))
    #expect(!covers(policy, type: String(type.dropLast())))
  }

  @Test func `CloudFront's list has 46 types`() {
    #expect(CompressionSettings.standardTypes.count == 46)
    #expect(Set(CompressionSettings.standardTypes).count == 46)
  }

  @Test(arguments: [
    "image/png", "image/jpeg", "video/mp4", "application/zip", "application/octet-stream",
    "font/woff2", "text/event-stream", "text", "", ";charset=utf-8", "text/", "multipart/x",
  ])
  func `other types are not`(_ type: String) { #expect(!covers(policy(), type: type)) }

  @Test func `types of one's own, some by kind`() {
    let own = policy(["text/*", "Application/WASM"])
    for type in ["text/html", "TEXT/x-anything; q=1", "application/wasm"] {
      #expect(covers(own, type: type), "\(type)")
    }
    for type in ["text", "text/", "textual/x", "application/json", "application/wasm2"] {
      #expect(!covers(own, type: type), "\(type)")
    }
    #expect(covers(policy(["*/*"]), type: "image/png"))
    #expect(!covers(policy(["*/*"]), type: ""))
    #expect(!covers(policy([]), type: "text/html"))
  }

  struct Row: Sendable, CustomTestStringConvertible {
    var fields: [String]
    var status = 200
    var length: UInt64? = 5_000
    var isCovered: Bool
    var testDescription: String { "\(status) \(fields) \(length.map { "\($0)" } ?? "unknown")" }
  }

  static let html = "Content-Type: text/html"

  @Test(arguments: [
    Row(fields: [html], isCovered: true),
    Row(fields: [html], status: 403, isCovered: true),
    Row(fields: [html], status: 404, isCovered: true),
    Row(fields: [html], status: 203, isCovered: false),
    Row(fields: [html], status: 206, isCovered: false),
    Row(fields: [html], status: 301, isCovered: false),
    Row(fields: [html], status: 410, isCovered: false),
    Row(fields: [html], status: 500, isCovered: false),
    // The bounds are part of the range; a length that is not known yet may turn out to fit.
    Row(fields: [html], length: 999, isCovered: false),
    Row(fields: [html], length: 1_000, isCovered: true),
    Row(fields: [html], length: 10_000_000, isCovered: true),
    Row(fields: [html], length: 10_000_001, isCovered: false),
    Row(fields: [html], length: .max, isCovered: false),
    Row(fields: [html], length: nil, isCovered: true),
    // No Content-Encoding, whatever value it has.
    Row(fields: [html, "Content-Encoding: gzip"], isCovered: false),
    Row(fields: [html, "Content-Encoding: identity"], isCovered: false),
    Row(fields: [html, "Content-Encoding:"], isCovered: false),
    Row(fields: [], isCovered: false),
    Row(fields: [html, html], isCovered: false),
    Row(fields: ["Content-Type: image/png"], isCovered: false),
    // RFC 9110 §7.7.
    Row(fields: [html, "Cache-Control: max-age=60, no-transform"], isCovered: false),
    Row(
      fields: [html, "Cache-Control: max-age=60", "Cache-Control: No-Transform"], isCovered: false),
    Row(fields: [html, "CDN-Cache-Control: no-transform"], isCovered: false),
    Row(fields: [html, "Atoll-CDN-Cache-Control: no-transform"], isCovered: false),
    Row(fields: [html, "Other-CDN-Cache-Control: no-transform"], isCovered: true),
    Row(fields: [html, "Cache-Control: x=\"no-transform\""], isCovered: true),
    Row(fields: [html, "Cache-Control: no-transforms"], isCovered: true),
  ])
  func `a response is compressed when everything fits`(_ row: Row) {
    let response = GivenResponse(row.status, row.fields)
    func covers(_ policy: CompressionPolicy) -> Bool {
      policy.covers(
        response.head, response.base, status: UInt16(row.status), length: row.length)
    }
    #expect(covers(policy()) == row.isCovered)
    #expect(!covers(policy(codings: [])))
  }

  @Test func `the bounds hold for what was stored, too`() {
    let policy = policy(sizes: 10...20)
    #expect((9...21).filter { policy.covers(length: $0) } == Array(10...20))
  }

  // MARK: Heads

  static let head = [
    "HTTP/1.1 200 OK", "Content-Type: text/html", "ETag: \"a\"",
    "Last-Modified: Sun, 01 Mar 2026 11:00:00 GMT", "Date: Sun, 01 Mar 2026 12:00:00 GMT",
  ]

  private func compressed(
    _ lines: [String], _ coding: ContentCoding = .gzip
  ) -> (lines: [String], meta: StoredMeta, etag: String?, origin: String?) {
    let stored = Array((lines.joined(separator: "\r\n") + "\r\n").utf8)
    var meta = StoredMeta()
    var tags: (String?, String?)
    let written = writtenLines { buffer in
      // What stands before must not matter.
      buffer.append("Vary: Accept-Encoding\r\n")
      let start = buffer.count
      meta = withBytes(stored) {
        appendCompressedHead(stored: $0, coding: coding, now: testTime, to: buffer)
      }
      let base = UnsafePointer(buffer.base + start)
      tags = (
        meta.etag(in: base).map { String(decoding: $0, as: UTF8.self) },
        meta.originETag(in: base).map { String(decoding: $0, as: UTF8.self) }
      )
    }
    return (Array(written.dropFirst()), meta, tags.0, tags.1)
  }

  @Test func `a form says what it is`() {
    let form = compressed(Self.head, .brotli)
    #expect(
      form.lines == [
        "HTTP/1.1 200 OK", "Content-Type: text/html", "ETag: W/\"a\"", Self.head[3], Self.head[4],
        "Content-Encoding: br", "Vary: Accept-Encoding",
      ])
    #expect(form.meta.lastModified == testTime - 3600)
    #expect(form.meta.date == testTime)
    #expect(form.meta.isLastModifiedStrong)
    #expect(form.meta.fieldsStart == 17)
  }

  struct Tag: Sendable {
    var received: String
    var form: String?
    var origin: String?
  }

  /// RFC 9110 §8.8.3.3: forms differ in their bytes. CloudFront §8: strong becomes weak, weak stays,
  /// what is neither goes.
  @Test(arguments: [
    Tag(received: "\"a\"", form: "W/\"a\"", origin: "\"a\""),
    Tag(received: "W/\"a\"", form: "W/\"a\"", origin: "W/\"a\""),
    Tag(received: "\"\"", form: "W/\"\"", origin: "\"\""),
    Tag(received: "a", form: nil, origin: nil),
    Tag(received: "w/\"a\"", form: nil, origin: nil),
    Tag(received: "\"a\" \"b\"", form: nil, origin: nil),
  ])
  func `an entity tag becomes weak`(_ tag: Tag) {
    let form = compressed(["HTTP/1.1 200 OK", "ETag: \(tag.received)", Self.head[4]])
    #expect(form.etag == tag.form)
    #expect(form.origin == tag.origin)
    #expect(form.lines.filter { $0.hasPrefix("ETag") } == (tag.form.map { ["ETag: \($0)"] } ?? []))
    #expect(form.meta.isWeak == (tag.form != nil))
    // Again, as after a 304: it is a form's head already.
    let again = compressed(form.lines)
    #expect(Set(again.lines) == Set(form.lines) && again.lines.count == form.lines.count)
    #expect(again.etag == tag.form)
  }

  @Test func `fields about the plain bytes go`() {
    let gone = [
      "Accept-Ranges: bytes", "Content-MD5: x", "Digest: sha-256=x", "Content-Digest: sha-256=:x:",
      "Repr-Digest: sha-256=:x:", "Content-Encoding: br", "ACCEPT-RANGES: bytes",
    ]
    let kept = ["X-Digest: a", "Cache-Control: max-age=60", "Link: </a>", "Via: 1.1 atoll"]
    let form = compressed([Self.head[0]] + gone + kept + [Self.head[4]])
    #expect(
      form.lines == [Self.head[0]] + kept + [
        Self.head[4], "Content-Encoding: gzip", "Vary: Accept-Encoding",
      ])
  }

  /// RFC 9110 §12.5.5.
  @Test(arguments: [
    ([], true), (["Vary: Origin"], true), (["Vary: Accept-Encoding"], false),
    (["Vary: Origin, accept-encoding"], false), (["Vary: Origin", "VARY: Accept-Encoding"], false),
    (["Vary: *"], false), (["Vary: Accept-Encodings"], true), (["X-Vary: Accept-Encoding"], true),
  ])
  func `Vary names Accept-Encoding once`(_ vary: [String], _ isAdded: Bool) {
    let lines = ["HTTP/1.1 200 OK"] + vary
    let written = writtenLines { buffer in
      for line in lines {
        buffer.append(line)
        buffer.append("\r\n")
      }
      appendVaryOnCoding(to: buffer)
    }
    #expect(written == lines + (isAdded ? ["Vary: Accept-Encoding"] : []))
  }
}
