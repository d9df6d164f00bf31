// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

/// RFC 9111 §4.1: which requests a response with Vary answers.
struct VaryTable {
  private func matches(_ vary: String, _ one: [String], _ other: [String]) -> Bool? {
    let policy = makePolicy()
    let response = GivenResponse(200, ["Vary: \(vary)"])
    let first = GivenRequest("GET /a", one)
    var isUsable = false
    let section = writtenBytes {
      isUsable = appendVarySection(
        response: response.head, responseBase: response.base, request: first.head,
        requestBase: first.base, behavior: policy.behavior(), viewer: ViewerFacts(), to: $0)
    }
    if !isUsable { return nil }
    let second = GivenRequest("GET /a", other)
    return withBytes(section) {
      varyMatches(
        $0, request: second.head, requestBase: second.base, behavior: policy.behavior(),
        viewer: ViewerFacts())
    }
  }

  @Test(
    arguments: [
      // "adding or removing whitespace, where allowed in the header field's syntax".
      ("Foo", ["Foo: 1,2"], ["Foo: 1, 2"], true), ("Foo", ["Foo: 1, 2"], ["Foo:  1 ,\t2 "], true),
      ("Foo", ["Foo: 1 2"], ["Foo: 12"], false), ("Foo", ["Foo: 1 2"], ["Foo: 1  2"], false),
      ("Foo", ["Foo: \"1,2\""], ["Foo: \"1, 2\""], false),
      ("Foo", ["Foo: 1,,2"], ["Foo: 1, 2"], true), ("Foo", ["Foo: ,1"], ["Foo: 1"], true),
      ("Foo", ["Foo: 1,2"], ["Foo: 2,1"], false), ("Foo", ["Foo: a"], ["Foo: A"], false),
      // "combining multiple header field lines with the same field name".
      ("Foo", ["Foo: 1", "Foo: 2"], ["Foo: 1,2"], true),
      ("Foo", ["Foo: 1", "Foo: 2"], ["foo: 1", "FOO: 2"], true),
      ("Foo", ["Foo: 1", "Foo: 2"], ["Foo: 2", "Foo: 1"], false),
      ("Foo", ["Foo: 1, 2", "Foo: 3"], ["Foo: 1", "Foo: 2, 3"], true),
      // "if a header field is absent from a request, it can only match another request if it is
      // also absent there".
      ("Foo", [], [], true), ("Foo", [], ["Foo: 1"], false), ("Foo", ["Foo: 1"], [], false),
      ("Foo", [], ["Foo:"], false), ("Foo", ["Foo:"], ["Foo:"], true),
      ("Foo", ["Foo:"], ["Foo: ,"], true),
      // Every field named.
      ("Foo, Bar", ["Foo: 1", "Bar: 2"], ["Bar: 2", "Foo: 1"], true),
      ("Foo, Bar", ["Foo: 1", "Bar: 2"], ["Foo: 1"], false),
      ("Foo, Bar, Baz", ["Foo: 1"], ["Foo: 1"], true),
      ("Foo, Bar, Baz", ["Foo: 1"], ["Foo: 1", "Baz: 3"], false),
      ("foo", ["FOO: 1"], ["Foo: 1"], true), ("Foo", ["Foo: 1"], ["Foo: 1", "Bar: 2"], true),
      // Values in which a comma stands for itself.
      ("User-Agent", ["User-Agent: a (b,c)"], ["User-Agent: a (b, c)"], false),
      ("Cookie", ["Cookie: a=1; b=2"], ["Cookie: a=1;b=2"], false),
      ("Referer", ["Referer: http://a/?b,c"], ["Referer: http://a/?b, c"], false),
    ] as [(String, [String], [String], Bool)])
  func `two requests`(vary: String, one: [String], other: [String], expected: Bool) {
    #expect(matches(vary, one, other) == expected)
    #expect(matches(vary, other, one) == expected)
  }

  @Test(
    arguments: [
      // RFC 9110 §12.5.4: language ranges are compared in any case, their order means nothing.
      ("en", "en", true), ("en", "EN", true), ("en-US", "en-us", true), ("en", "en-us", false),
      ("en, de", "de, en", true), ("en,de,fr", "fr, de ,en", true), ("en, de", "en", false),
      ("en, de", "en, fr", false), ("de, en", "de,  en", true), ("a, b, c, d", "d, c, b, a", true),
      // §12.4.2: weights as they are meant.
      ("en;q=0.5", "en; q=0.5", true), ("en ; q=0.5", "en;q=0.5", true), ("en;q=0.5", "en", false),
      ("en;q=1", "en", true), ("en;q=1.000", "en", true), ("en;Q=1.0", "en", true),
      ("en;q=0.5", "en;q=0.50", true), ("en;q=0.5", "en;q=0.500", true),
      ("en;q=0.5", "en;q=0.05", false), ("en;q=0", "en;q=0.0", true), ("en;q=0", "en", false),
      ("en;q=0.5, de", "de, en;q=0.5", true), ("en;q=0.5, de", "en, de;q=0.5", false),
      ("en;q=x", "en;q=x", true), ("en;q=x", "en", false), ("en;q=1x", "en;q=1", false),
      ("*", "*", true), ("*, en", "en, *", true), ("*;q=0.1", "*", false), ("", "", true),
      ("en", "", false),
    ])
  func `Accept-Language`(one: String, other: String, expected: Bool) {
    let (one, other) = (["Accept-Language: \(one)"], ["Accept-Language: \(other)"])
    #expect(matches("Accept-Language", one, other) == expected)
    #expect(matches("Accept-Language", other, one) == expected)
  }

  @Test func `the order of very many languages counts, and does no harm`() {
    let many = (0..<200).map { "l\($0)" }
    let forwards = ["Accept-Language: \(many.joined(separator: ","))"]
    let backwards = ["Accept-Language: \(many.reversed().joined(separator: ","))"]
    #expect(matches("Accept-Language", forwards, forwards) == true)
    #expect(matches("Accept-Language", forwards, backwards) == false)
    for odd in [
      "\"", ",\"a", "a,\"", "\"a,", "\"a,\"b", ";", ";;q=", "a;q", "a;", "\"a,b\",c", "a;q=1",
    ] {
      for next in ["b", "\"", ",", "b;q=0.5"] {
        let fields = ["Accept-Language: \(odd)", "Accept-Language: \(next)"]
        #expect(matches("Accept-Language", fields, fields) == true)
      }
    }
  }

  @Test(arguments: [
    ("Accept", "a/b;c=d", "a/b; c=d", true), ("Accept", "a/b ; c=d , e/f", "a/b;c=d,e/f", true),
    ("Accept", "a/b;c=\"d e\"", "a/b;c=\"de\"", false), ("Accept", "a/b", "c/d", false),
    ("Accept-Charset", "utf-8;q=0.5", "utf-8; q=0.5", true),
  ])
  func `white space around parameters (RFC 9110 §5.6.6)`(
    name: String, one: String, other: String, expected: Bool
  ) {
    #expect(matches(name, ["\(name): \(one)"], ["\(name): \(other)"]) == expected)
  }

  @Test(arguments: ["*", "*, Foo", "Foo, *", ", *", "*,*", "Foo,*,Bar"])
  func `a wildcard matches nothing, not even itself`(vary: String) {
    #expect(matches(vary, ["Foo: 1"], ["Foo: 1"]) == nil)
  }

  @Test(arguments: ["Via", "X-Forwarded-For", "X-Request-Id"])
  func `nor does what is new with every request to the origin`(vary: String) {
    #expect(matches(vary, [], []) == nil)
  }

  @Test(arguments: [
    // What the edge makes or keeps is the same for all that share the key.
    ("Connection", "Connection: close"), ("TE", "TE: gzip"),
    ("Range", "Range: bytes=0-1"), ("If-None-Match", "If-None-Match: \"a\""),
    ("X-Forwarded-Proto", "X-Forwarded-Proto: https"), ("Content-Length", "Content-Length: 0"),
  ])
  func `what the origin never sees makes no variant`(vary: String, field: String) {
    #expect(matches(vary, [], [field]) == true)
  }
}
