// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

/// Which form a viewer gets: RFC 9110 §12.5.3 and §12.4.2, CloudFront reference §7 and §8.
struct ContentCodingTests {
  private func coding(
    _ fields: [String], _ offered: CodingSet = [.gzip, .brotli], line: String = "GET /a"
  ) -> ContentCoding {
    let request = GivenRequest(line, fields)
    return ContentCoding(request.head, request.base, offered: offered)
  }

  struct Row: Sendable, CustomTestStringConvertible {
    var field: String
    var both: ContentCoding
    /// Where the behavior offers one coding only.
    var gzip: ContentCoding
    var brotli: ContentCoding
    var testDescription: String { field }

    init(
      _ field: String, _ both: ContentCoding, gzip: ContentCoding, brotli: ContentCoding
    ) {
      self.field = field
      self.both = both
      self.gzip = gzip
      self.brotli = brotli
    }
  }

  @Test(arguments: [
    // What browsers and tools send.
    Row("gzip, deflate, br, zstd", .brotli, gzip: .gzip, brotli: .brotli),
    Row("gzip, deflate, br", .brotli, gzip: .gzip, brotli: .brotli),
    Row("gzip, deflate", .gzip, gzip: .gzip, brotli: .identity),
    Row("gzip", .gzip, gzip: .gzip, brotli: .identity),
    Row("deflate, gzip, br, zstd", .brotli, gzip: .gzip, brotli: .brotli),
    Row("GZIP, Deflate, BR, ZSTD", .brotli, gzip: .gzip, brotli: .brotli),
    Row("gzip,deflate,br", .brotli, gzip: .gzip, brotli: .brotli),
    Row("br", .brotli, gzip: .identity, brotli: .brotli),
    // The four of the usual lengths that are something else.
    Row("gzip, deflate, xx, zstd", .gzip, gzip: .gzip, brotli: .identity),
    Row("gzip, deflate, xy", .gzip, gzip: .gzip, brotli: .identity),
    Row("gzap, deflate", .identity, gzip: .identity, brotli: .identity),
    Row("gzap", .identity, gzip: .identity, brotli: .identity),
    // §12.5.3's examples.
    Row("compress, gzip", .gzip, gzip: .gzip, brotli: .identity),
    Row("", .identity, gzip: .identity, brotli: .identity),
    Row("*", .brotli, gzip: .gzip, brotli: .brotli),
    Row("compress;q=0.5, gzip;q=1.0", .gzip, gzip: .gzip, brotli: .identity),
    Row("gzip;q=1.0, identity; q=0.5, *;q=0", .gzip, gzip: .gzip, brotli: .identity),
    // The highest weight wins, Brotli on a tie.
    Row("gzip;q=0.9, br;q=0.8", .gzip, gzip: .gzip, brotli: .brotli),
    Row("gzip;q=0.8, br;q=0.9", .brotli, gzip: .gzip, brotli: .brotli),
    Row("gzip;q=0.5, br;q=0.5", .brotli, gzip: .gzip, brotli: .brotli),
    Row("br;q=0.001, gzip;q=0.002", .gzip, gzip: .gzip, brotli: .brotli),
    Row("br;q=0.12, gzip;q=0.119", .brotli, gzip: .gzip, brotli: .brotli),
    // A weight of 0 forbids.
    Row("gzip;q=0", .identity, gzip: .identity, brotli: .identity),
    Row("gzip;q=0.0, br;q=0.000", .identity, gzip: .identity, brotli: .identity),
    Row("gzip;q=0, br", .brotli, gzip: .identity, brotli: .brotli),
    Row("*;q=0", .identity, gzip: .identity, brotli: .identity),
    Row("*;q=0, gzip", .gzip, gzip: .gzip, brotli: .identity),
    Row("gzip;q=0, *", .brotli, gzip: .identity, brotli: .brotli),
    Row("br;q=0, *;q=0.1", .gzip, gzip: .gzip, brotli: .identity),
    Row("gzip, gzip;q=0", .identity, gzip: .identity, brotli: .identity),
    Row("gzip;q=0, gzip", .identity, gzip: .identity, brotli: .identity),
    Row("gzip;q=0.2, gzip;q=0.7, br;q=0.5", .gzip, gzip: .gzip, brotli: .brotli),
    // Identity is preferred by its own weight, and else only the last resort.
    Row("identity", .identity, gzip: .identity, brotli: .identity),
    Row("identity, gzip;q=0.5, br;q=0.9", .identity, gzip: .identity, brotli: .identity),
    Row("identity;q=0.5, gzip;q=0.5", .gzip, gzip: .gzip, brotli: .identity),
    Row("identity;q=0.5, gzip;q=0.4, br;q=0.6", .brotli, gzip: .identity, brotli: .brotli),
    Row("identity;q=0, gzip", .gzip, gzip: .gzip, brotli: .identity),
    Row("identity;q=0", .identity, gzip: .identity, brotli: .identity),
    Row("*;q=0.5, gzip;q=0.3", .brotli, gzip: .gzip, brotli: .brotli),
    // §8.4.1.3: x-gzip is gzip.
    Row("x-gzip", .gzip, gzip: .gzip, brotli: .identity),
    Row("deflate, zstd", .identity, gzip: .identity, brotli: .identity),
    // Blanks and empty members.
    Row(" gzip ;\tq=0.5 , , br ; Q=0.4,", .gzip, gzip: .gzip, brotli: .brotli),
    // What has no valid weight says nothing.
    Row("gzip;q=2", .identity, gzip: .identity, brotli: .identity),
    Row("gzip;q=1.5", .identity, gzip: .identity, brotli: .identity),
    Row("gzip;q=-1", .identity, gzip: .identity, brotli: .identity),
    Row("gzip;q=", .identity, gzip: .identity, brotli: .identity),
    Row("gzip;q", .identity, gzip: .identity, brotli: .identity),
    Row("gzip;", .identity, gzip: .identity, brotli: .identity),
    Row("gzip;level=9", .identity, gzip: .identity, brotli: .identity),
    Row("gzip;q=0.1234", .identity, gzip: .identity, brotli: .identity),
    Row("gzip;q=high, br;q=0.1", .brotli, gzip: .identity, brotli: .brotli),
    Row("gzip;q=0.5 x, br;q=0.1", .brotli, gzip: .identity, brotli: .brotli),
    Row("gzip;q=1., br;q=1.000", .brotli, gzip: .gzip, brotli: .brotli),
    Row("gzip;q=1.001", .identity, gzip: .identity, brotli: .identity),
  ])
  func `the best of what is offered is chosen`(_ row: Row) {
    let field = ["Accept-Encoding: \(row.field)"]
    #expect(coding(field) == row.both)
    #expect(coding(field, .gzip) == row.gzip)
    #expect(coding(field, .brotli) == row.brotli)
    #expect(coding(field, []) == .identity)
  }

  @Test func `several lines are one list`() {
    #expect(coding(["Accept-Encoding: gzip", "Accept-Encoding: br;q=0.5"]) == .gzip)
    #expect(coding(["Accept-Encoding: gzip", "Accept-Encoding: gzip;q=0"]) == .identity)
    #expect(coding(["Accept-Encoding: deflate", "Accept-Encoding: br"]) == .brotli)
  }

  @Test func `who does not ask gets identity`() {
    #expect(coding([]) == .identity)
    // CloudFront §8: HTTP/1.1 and later.
    #expect(coding(["Accept-Encoding: gzip, br"], line: "GET /a HTTP/1.0") == .identity)
    // RFC 9110 §7.6.1: a field that Connection lists ends here.
    #expect(
      coding(["Accept-Encoding: gzip", "Connection: accept-encoding, keep-alive"]) == .identity)
  }

  @Test func `every truncation of a list is read without harm`() {
    let text = "gzip;q=0.123, br ; q=1.000, *;q=0, identity;q=0.5"
    for length in 0...text.utf8.count {
      let chosen = coding(["Accept-Encoding: \(text.prefix(length))"])
      #expect(chosen == .brotli || chosen == .gzip || chosen == .identity)
    }
  }

  // MARK: With the rest of the request

  private func caching(
    _ fields: [String], _ line: String = "GET /a", _ edit: (inout Distribution) -> Void = { _ in }
  ) -> RequestCaching {
    let policy = makePolicy {
      $0.settings.compression = CompressionSettings(codings: [.gzip, .brotli])
      edit(&$0)
    }
    let request = GivenRequest(line, fields)
    return withExtendedLifetime(policy) {
      RequestCaching(request.head, request.base, behavior: policy.behavior())
    }
  }

  @Test func `ranges and strong conditions are answered from the plain bytes`() {
    let accepts = "Accept-Encoding: gzip, br"
    #expect(caching([accepts]).coding == .brotli)
    #expect(!caching([accepts]).isPlain)
    #expect(caching([accepts], "HEAD /a").coding == .brotli)
    for field in ["Range: bytes=0-1", "If-Match: \"a\"", "Cache-Control: no-transform"] {
      #expect(caching([accepts, field]).coding == .identity, "\(field)")
    }
    #expect(caching([accepts, "If-None-Match: \"a\""]).coding == .brotli)
    #expect(caching([accepts], "OPTIONS /a").coding == .identity)
    // Where viewers' directives do not count, this one does not either.
    #expect(
      caching([accepts, "Cache-Control: no-transform"], "GET /a") {
        $0.settings.honorsRequestDirectives = false
      }.coding == .brotli)
  }

  @Test func `a behavior without compression looks at nothing`() {
    let accepts = ["Accept-Encoding: gzip, br"]
    #expect(
      caching(accepts, "GET /a") { $0.settings.compression.codings = [] } == RequestCaching())
    // CloudFront §7: who keys Accept-Encoding leaves compression to the origin.
    #expect(
      caching(accepts, "GET /a") {
        $0.settings.forwardedHeaders = .listed(["Accept-Encoding"])
      }.coding == .identity)
    #expect(caching(accepts, "GET /a") { $0.defaultBehavior = .dontCache }.coding == .identity)
  }
}
