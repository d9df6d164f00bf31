// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

struct DomainSyntaxTests {
  @Test(arguments: [
    "www.shop.example", "shop.example", "*.shop.example", "a-b.shop.example",
    "xn--bcher-kva.example",
    "intranet", "1.example", "shop.localhost", "xatoll.localhost",
    String(repeating: "a", count: 63) + ".example",
  ])
  func `may be attached`(name: String) { #expect(domainFlaw(name) == nil) }

  @Test(arguments: [
    ("", "names no domain", "www.shop.example"), ("https://shop.example", "is a URL", "alone"),
    ("shop.example/", "is a URL", "alone"), ("shop.example:443", "has a port", "alone"),
    ("192.0.2.1", "is an address", "--default"), ("::1", "is an address", "name"),
    ("[::1]", "is an address", "name"), ("shop.example.", "ends with a dot", "write shop.example"),
    ("Shop.example", "holds capitals", "write shop.example"), ("*", "has a *", "*.shop.example"),
    ("*.com", "top-level", "*.shop.example"), ("w*.shop.example", "has a *", "*.shop.example"),
    ("a.*.example", "has a *", "*.shop.example"), ("a_b.example", "holds a _", "another name"),
    ("a..example", "an empty part", "www.shop.example"), ("-a.example", "starts or ends", "www"),
    ("shop.1", "ends in a number", "www.shop.example"), ("1.2.3", "neither a name", "www"),
    ("atoll.localhost", "distributions' own", "as it is"),
    ("*.atoll.localhost", "distributions' own", "as it is"),
    ("x.atoll.localhost", "distributions' own", "as it is"),
    ("bücher.example", "not written as in DNS", "xn--bcher-kva.example"),
    ("例え.テスト", "not written as in DNS", "xn--r8jz45g.xn--zckzah"),
    ("bu\u{308}cher.example", "not written as in DNS", "which begins with xn--"),
    (String(repeating: "a", count: 64) + ".example", "longer than 63", "www.shop.example"),
  ])
  func `may not be attached`(name: String, what: String, hint: String) throws {
    let flaw = try #require(domainFlaw(name))
    #expect(flaw.what.contains(what), "\(flaw)")
    #expect(flaw.hint.contains(hint), "\(flaw)")
  }

  /// RFC 3492 §7.1 and well-known names.
  @Test(arguments: [
    ("bücher", "xn--bcher-kva"), ("münchen", "xn--mnchen-3ya"),
    ("他们为什么不说中文", "xn--ihqwcrb4cv8a8dqg056pqjye"),
    ("почемужеонинеговорятпорусски", "xn--b1abfaaepdrnnbgefbadotcwatmq2g4l"),
    ("なぜみんな日本語を話してくれないのか", "xn--n8jok5ay5dzabd5bym9f0cm5685rrjetr6pdxa"),
    ("3年b組金八先生", "xn--3b-ww4c5e180e575a65lsy2b"), ("ascii", "ascii"), ("ÜBER", "xn--ber-goa"),
  ])
  func `A-labels`(label: String, ascii: String) {
    #expect(asciiForm(of: label) == ascii)
    #expect(asciiForm(of: "www.\(label).example") == "www.\(ascii).example")
  }

  @Test(arguments: ["ＡＢＣ", "e\u{301}", "a™", "💩", String(repeating: "ü", count: 63)])
  func `no A-label without tables`(label: String) { #expect(asciiForm(of: label) == nil) }

  @Test func `what people write`() {
    #expect(normalizedDomain("WWW.Shop.Example.") == "www.shop.example")
    #expect(normalizedDomain(".") == ".")
    #expect(normalizedDomain("Bücher.example") == "Bücher.example")
  }

  @Test func `a domain matches hosts`() {
    let exact = AttachedDomain(name: "shop.example")
    #expect(exact.matches("shop.example") && !exact.matches("www.shop.example"))
    let below = AttachedDomain(name: "*.shop.example")
    #expect(below.matches("www.shop.example") && below.matches("a.b.shop.example"))
    #expect(!below.matches("shop.example") && !below.matches("xshop.example"))
    #expect(!below.matches(".shop.example"))
  }
}
