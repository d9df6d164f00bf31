// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import atoll

@Suite struct ApplyTests {
  private let shop = """
    {
      "DistributionName": "shop",
      "BundleId": "small_1_0",
      "Origin": {"Name": "localhost", "ProtocolPolicy": "http-only"},
      "DefaultCacheBehavior": {"Behavior": "cache"},
      "CacheBehaviors": [
        {"Path": "/z/*", "Behavior": "dont-cache"},
        {"Path": "/a/*", "Behavior": "cache"},
        {"Path": "/m/*", "Behavior": "dont-cache"}
      ],
      "CacheBehaviorSettings": {"DefaultTTL": 60, "MinimumTTL": 0, "MaximumTTL": 3600}
    }
    """

  @Test func `a file is created, then nothing is left to do`() {
    let home = Home()
    let file = home.directory.write("shop.json", shop)
    let first = home.atoll("apply", file)
    #expect(first.exitCode == 0, "\(first.stderr)")
    #expect(first.stdout.hasPrefix("shop: created\n  "))
    let document = home.document("shop")
    let second = home.atoll("apply", file)
    #expect(second.exitCode == 0)
    #expect(second.stdout == "shop: unchanged\n")
    #expect(home.document("shop") == document)
  }

  @Test func `behaviors keep the order of the file`() throws {
    let home = Home()
    home.atoll("apply", home.directory.write("shop.json", shop))
    let document = home.document("shop")
    let places = try ["/z/*", "/a/*", "/m/*"].map { try #require(document.utf8Offset(of: $0)) }
    #expect(places == places.sorted())
  }

  @Test func `a difference is told in words and dry-run writes nothing`() {
    let home = Home()
    home.atoll("apply", home.directory.write("shop.json", shop))
    let before = home.document("shop")
    let changed = home.directory.write("new.json", shop.replacing("3600", with: "7200"))
    let dry = home.atoll("apply", "--dry-run", changed)
    #expect(dry.exitCode == 0)
    #expect(dry.stdout.hasPrefix("shop: would be changed\n  "))
    #expect(home.document("shop") == before)
    #expect(home.atoll("apply", "-n", "--exit-code", changed).exitCode == 3)
    let real = home.atoll("apply", "--exit-code", changed)
    #expect(real.exitCode == 3)
    #expect(real.stderr.isEmpty)
    #expect(real.stdout.hasPrefix("shop: changed\n  "))
    #expect(home.atoll("apply", "--exit-code", changed).exitCode == 0)
  }

  @Test func `several files and stdin converge together`() {
    let home = Home()
    let first = home.directory.write("shop.json", shop)
    let blog = shop.replacing("\"shop\"", with: "\"blog\"")
    let result = home.atoll("apply", first, "-", "--json", stdin: blog)
    #expect(result.exitCode == 0, "\(result.stderr)")
    #expect(result.stdout.contains("\"name\": \"shop\""))
    #expect(result.stdout.contains("\"name\": \"blog\""))
    #expect(result.stdout.contains("\"dryRun\": false"))
    #expect(result.stderr.isEmpty)
    #expect(home.atoll("list", "-q").stdout == "blog\nshop\n")
  }

  @Test func `one wrong file keeps all from being written`() {
    let home = Home()
    let good = home.directory.write("good.json", shop)
    let bad = home.directory.write(
      "bad.json", shop.replacing("\"shop\"", with: "\"blog\"").replacing("DefaultTTL", with: "Dtl"))
    let result = home.atoll("apply", good, bad)
    #expect(result.exitCode == 2)
    #expect(result.stdout.isEmpty)
    #expect(result.stderr.contains("bad.json"))
    #expect(result.stderr.contains("Dtl"))
    #expect(home.atoll("list", "-q").stdout.isEmpty)
  }

  @Test func `one name in two files is refused`() {
    let home = Home()
    let first = home.directory.write("a.json", shop)
    let second = home.directory.write("b.json", shop)
    let result = home.atoll("apply", first, second)
    #expect(result.exitCode == 2)
    #expect(result.stderr.contains("\"shop\" is described in \(first) and again in \(second)"))
  }

  @Test func `names that differ only in case are refused`() {
    let home = Home()
    let first = home.directory.write("a.json", shop)
    let second = home.directory.write("b.json", shop.replacing("\"shop\"", with: "\"Shop\""))
    let together = home.atoll("apply", first, second)
    #expect(together.exitCode == 2)
    #expect(together.stderr.contains("\(second): the name \"Shop\" differs from \"shop\" in"))
    #expect(home.atoll("apply", first).exitCode == 0)
    let later = home.atoll("apply", second)
    #expect(later.exitCode == 2)
    #expect(later.stderr.contains("the name \"Shop\" differs from \"shop\" only in case"))
    #expect(home.atoll("list", "-q").stdout == "shop\n")
  }

  @Test func `an origin over TLS is taken from Lightsail's form`() {
    let home = Home()
    let file = home.directory.write("a.json", shop.replacing("http-only", with: "https-only"))
    #expect(home.atoll("apply", file).exitCode == 0)
    #expect(home.atoll("show", "shop").stdout.contains("https://"))
  }

  @Test func `a file of TLS settings that cannot be read is refused by file and key`() {
    let home = Home()
    let file = home.directory.write(
      "a.json",
      #"{"name": "shop", "origin": {"url": "https://a.example", "tls": {"ca": "/no/ca.pem"}}}"#)
    let result = home.atoll("apply", file)
    #expect(result.exitCode == 2)
    #expect(
      result.stderr.contains(
        "\(file): origin.tls.ca: the file \"/no/ca.pem\" does not exist"), "\(result.stderr)")
  }

  @Test func `a page that cannot be read is refused by file and key`() {
    let home = Home()
    let file = home.directory.write(
      "shop.json",
      """
      {"name": "shop", "origin": "http://a.example", "errors": {"responses": [
        {"status": 500, "page": "/500.html"},
        {"status": 404, "page": {"file": "/nonexistent/404.html"}}]}}
      """)
    let result = home.atoll("apply", file)
    #expect(result.exitCode == 2)
    #expect(result.stdout.isEmpty)
    #expect(
      result.stderr.contains(
        "\(file): errors.responses[1].page.file: the page of 404, \"/nonexistent/404.html\", "
          + "cannot be read: no such file"), "\(result.stderr)")
    #expect(home.atoll("show", "shop").exitCode == 1)
  }

  @Test func `a file that is not there is named`() {
    let result = Home().atoll("apply", "/nonexistent/x.json")
    #expect(result.exitCode == 2)
    #expect(result.stderr.contains("\"/nonexistent/x.json\""))
    #expect(result.stderr.contains("no such file"))
  }
}

extension String {
  func replacing(_ old: String, with new: String) -> String {
    var result = ""
    var rest = self[...]
    while let place = rest.firstRange(of: old) {
      result += rest[..<place.lowerBound] + new
      rest = rest[place.upperBound...]
    }
    return result + rest
  }

  func utf8Offset(of text: String) -> Int? {
    firstRange(of: text).map { utf8.distance(from: startIndex, to: $0.lowerBound) }
  }
}
