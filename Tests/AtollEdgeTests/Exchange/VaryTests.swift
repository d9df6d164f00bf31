// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

/// Variants of one URL: RFC 9111 §4.1.
@Suite(.timeLimit(.minutes(20)))
struct VaryTests {
  /// Answers in the language asked for.
  static func polyglot(_ vary: String = "Accept-Language") throws -> ScriptedOrigin {
    try ScriptedOrigin {
      let language = $0.request["accept-language"] ?? "none"
      try $0.respond("200 OK", "Cache-Control: max-age=60", "Vary: \(vary)", body: language)
    }
  }

  @Test func `each variant is stored and found by its own requests`() throws {
    let origin = try Self.polyglot()
    let edge = try EdgeUnderTest(origin)
    for round in 1...2 {
      for language in ["de", "en", "fr"] {
        let response = try edge.get("/", "Accept-Language: \(language)")
        #expect(response.text == language)
        #expect(response.isHit == (round == 2))
        #expect(response["vary"] == "Accept-Language")
      }
      #expect(try edge.get("/").text == "none")
    }
    #expect(origin.requestCount == 4)
  }

  @Test func `a variant not stored says why it was no hit`() throws {
    let edge = try EdgeUnderTest(Self.polyglot())
    _ = try edge.get("/", "Accept-Language: de")
    #expect(try edge.get("/", "Accept-Language: en").cacheStatus.contains("fwd=vary-miss"))
  }

  @Test func `a field that the origin never receives does not divide`() throws {
    let origin = try Self.polyglot()
    let edge = try EdgeUnderTest(origin, preset: .static)
    #expect(try edge.get("/", "Accept-Language: de").text == "none")
    #expect(try edge.get("/", "Accept-Language: en").isHit)
    #expect(origin.requestCount == 1)
  }

  @Test func `Accept-Encoding divides by what the origin was asked for`() throws {
    let origin = try ScriptedOrigin {
      try $0.respond(
        "200 OK", "Cache-Control: max-age=60", "Vary: Accept-Encoding",
        body: $0.request["accept-encoding"] ?? "none")
    }
    let edge = try EdgeUnderTest(origin, preset: .static)
    let gzip = try edge.get("/", "Accept-Encoding: gzip, deflate, br").text
    #expect(gzip == "gzip")
    #expect(try edge.get("/", "Accept-Encoding: br;q=1.0, gzip;q=0.5").isHit)
    let plain = try edge.get("/")
    #expect(!plain.isHit)
    #expect(plain.text != "gzip")
  }

  @Test func `a forwarded header divides without any Vary`() throws {
    let origin = try ScriptedOrigin {
      try $0.respond("200 OK", "Cache-Control: max-age=60", body: $0.request["x-country"] ?? "none")
    }
    let edge = try EdgeUnderTest(origin, preset: .static) {
      $0.settings.forwardedHeaders = .listed(["X-Country"])
    }
    #expect(try edge.get("/", "X-Country: CH").text == "CH")
    #expect(try edge.get("/", "X-Country: DE").text == "DE")
    #expect(try edge.get("/", "X-Country: CH").isHit)
  }

  @Test func `variants of one URL are bounded`() throws {
    let origin = try Self.polyglot()
    let edge = try EdgeUnderTest(origin)
    let viewer = try edge.viewer()
    for index in 0..<Limits.variantsPerKey + 50 {
      #expect(try viewer.get("/", "Accept-Language: l\(index)").text == "l\(index)")
    }
    // Every answer stays the right one, stored or not.
    for index in 0..<Limits.variantsPerKey + 50 {
      #expect(try viewer.get("/", "Accept-Language: l\(index)").text == "l\(index)")
    }
  }

  @Test func `purging a URL purges all its variants`() throws {
    let origin = try Self.polyglot()
    let edge = try EdgeUnderTest(origin)
    for language in ["de", "en"] { _ = try edge.get("/", "Accept-Language: \(language)") }
    #expect(edge.purge(.path("/")) == 2)
    for language in ["de", "en"] {
      #expect(try !edge.get("/", "Accept-Language: \(language)").isHit)
    }
  }
}
