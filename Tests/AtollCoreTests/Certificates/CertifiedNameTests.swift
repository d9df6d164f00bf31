// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

struct CertifiedNameTests {
  @Test(arguments: [
    ("shop.example", "shop.example"), ("Shop.Example.", "shop.example"),
    (" shop.example ", "shop.example"), ("a_b.example", "a_b.example"),
    ("*.shop.example", "*.shop.example"), ("localhost", "localhost"),
    ("192.0.2.7", "192.0.2.7"), ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
    ("[2001:db8::1]", "2001:db8::1"), ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ("bücher.example", "xn--bcher-kva.example"), ("*.BÜCHER.example", "*.xn--bcher-kva.example"),
  ])
  func `a name becomes what a CA is asked for`(written: String, text: String) throws {
    #expect(try CertifiedName(written).text == text)
  }

  @Test(arguments: [
    ("", "is empty"), ("shop..example", "empty label"), (".shop.example", "empty label"),
    ("https://shop.example/x", "is a URL"), ("shop.*.example", "elsewhere"),
    ("**.example", "elsewhere"), ("*", "elsewhere"), ("*.example", "top-level"),
    ("-a.example", "\"-\""), ("a-.example", "\"-\""), ("a b.example", "no domain name"),
    ("shop.example/x", "no domain name"), ("1.2.3", "neither a name nor an address"),
    ("256.1.1.1", "neither a name nor an address"),
    (String(repeating: "a", count: 64) + ".example", "63"),
    (String(repeating: "abcdefg.", count: 32) + "example", "253"),
    ("☃.example", "for certain"), ("ﬁsh.example", "for certain"),
    ("u\u{308}.example", "for certain"),
  ])
  func `what is no name says why`(written: String, problem: String) {
    #expect {
      try CertifiedName(written)
    } throws: { error in
      (error as? NameError)?.problem.contains(problem) ?? false
    }
  }

  @Test func `a wildcard is proven at its parent`() throws {
    let wildcard = try CertifiedName("*.shop.example")
    #expect(wildcard.kind == .wildcard && wildcard.base == "shop.example")
    #expect(wildcard.identifierType == "dns")
    let address = try CertifiedName("192.0.2.7")
    #expect(address.kind == .address && address.identifierType == "ip")
  }

  @Test func `names count once`() throws {
    let names = try ["b.example", "B.example.", "*.b.example", "b.example"].map {
      try CertifiedName($0)
    }
    #expect(CertifiedName.unique(names).map(\.text) == ["b.example", "*.b.example"])
  }

  @Test(arguments: [
    ("münchen", "xn--mnchen-3ya"), ("straße", "xn--strae-oqa"), ("例え", "xn--r8jz45g"),
    ("пример", "xn--e1afmkfd"), ("ελληνικά", "xn--hxargifdar"), ("中国", "xn--fiqs8s"),
    ("日本語", "xn--wgv71a119e"), ("faß-x", "xn--fa-x-wna"), ("한국", "xn--3e0b707e"),
  ])
  func `labels in other letters are RFC 3492's`(label: String, ascii: String) {
    #expect(Punycode.label(label) == ascii)
  }

  @Test func `what no CA could grant is not asked for`() throws {
    let plain = try CertifiedName("shop.example")
    let wildcard = try CertifiedName("*.shop.example")
    let address = try CertifiedName("192.0.2.7")
    func fault(_ names: [CertifiedName], _ challenge: ChallengeType) -> String? {
      do {
        try ACMEIssuer.check(names, challenge)
        return nil
      } catch {
        #expect(error.fault == .settings)
        return error.message
      }
    }
    #expect(fault([plain], .http) == nil)
    #expect(fault([plain, wildcard], .dns) == nil)
    #expect(fault([address], .http) == nil)
    #expect(fault([plain, wildcard], .http)?.contains("by DNS only") == true)
    #expect(fault([wildcard], .tls)?.contains("by DNS only") == true)
    #expect(fault([address], .dns)?.contains("can't be proven by DNS") == true)
    #expect(fault([], .http) == "no domain is named")
    let many = try (0...100).map { try CertifiedName("n\($0).shop.example") }
    #expect(fault(many, .http)?.hasPrefix("101 names") == true)
    #expect(fault(Array(many.dropLast()), .http) == nil)
  }
}
