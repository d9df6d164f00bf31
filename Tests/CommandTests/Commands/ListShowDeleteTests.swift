// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc
import TestSupport
import Testing

@testable import atoll

@Suite struct ListTests {
  @Test func `an empty store is no error`() {
    let home = Home()
    let result = home.atoll("list")
    #expect(result.exitCode == 0)
    #expect(result.stdout.isEmpty)
    #expect(result.stderr == "atoll: there is no distribution yet; atoll create makes one\n")
    #expect(home.atoll("list", "-q").stderr.isEmpty)
    let json = home.atoll("list", "--json")
    #expect(
      json.stdout.hasPrefix(
        "{\n  \"schemaVersion\": 1,\n  \"distributions\": [],\n  \"invalid\": [],\n"))
    #expect(json.stderr.isEmpty)
  }

  @Test func `distributions are listed by name`() {
    let home = Home()
    home.atoll("create", "shop", "--origin", "http://localhost:3000", "--disabled")
    home.atoll("create", "blog", "--origin", "http://localhost:4000", "--preset", "wordpress")
    let lines = home.atoll("list").stdout.split(separator: "\n").map {
      $0.split(separator: " ").map(String.init)
    }
    #expect(lines.count == 3)
    #expect(
      lines[0] == ["NAME", "STATE", "ORIGIN", "PRESET", "ID", "TRANSFER", "EXPIRES", "DOMAINS"])
    #expect(lines[1].prefix(4) == ["blog", "enabled", "http://localhost:4000", "wordpress"])
    #expect(lines[2].prefix(4) == ["shop", "disabled", "http://localhost:3000", "origin"])
    #expect(home.atoll("list", "--quiet").stdout == "blog\nshop\n")
    #expect(home.atoll("__complete", "distributions").stdout == "blog\nshop\n")
    let json = home.atoll("list", "--json").stdout
    #expect(json.contains("\"name\": \"blog\""))
    #expect(json.contains("\"url\": \"http://localhost:4000\""))
  }

  @Test func `the month's transfer stands beside its plan`() throws {
    // Lightsail: small has 50 GB a month.
    let home = Home()
    home.atoll("create", "shop", "--origin", "http://localhost:3000", "--plan", "small")
    home.atoll("create", "blog", "--origin", "http://localhost:4000")
    let id = try #require(
      home.atoll("list").stdout.split(separator: "\n").last?.split(separator: " ").dropLast(5).last)
    let now = TransferMonth(at: Int64(time(nil)))
    let month = now.text
    try TransferLedger(DirectoryStore(home: home.directory.file("store"))).add(
      [String(id): 41_250_000_000], to: now)
    let list = home.atoll("list").stdout
    #expect(list.contains("\(id)  41.2 GB (82.5%)  -        -\n"))
    #expect(list.contains("  0 B  "))
    let shown = home.atoll("show", "shop").stdout
    #expect(shown.contains("41.2 GB of 50 GB in \(month) (82.5%)\n"))
    #expect(home.atoll("show", "blog").stdout.contains("0 B in \(month)\n"))
    let json = home.atoll("list", "--json").stdout
    #expect(json.contains("\"month\": \"\(month)\""))
    #expect(json.contains("\"bytes\": 41250000000,\n"))
    #expect(json.contains("\"quota\": 50000000000\n"))
    #expect(json.contains("\"quota\": null\n"))
  }

  @Test func `the end of the first certificate stands in the list`() throws {
    let home = Home()
    for name in ["shop", "blog"] {
      home.atoll("create", name, "--origin", "http://localhost:3000", "--quiet")
    }
    try home.certify("mine", "shop.example")
    try home.certify(DefaultCertificate.name, "*.atoll.localhost")
    #expect(home.atoll("domain", "attach", "shop", "shop.example", "--cert", "mine").exitCode == 0)
    let lines = home.atoll("list").stdout.split(separator: "\n")
    #expect(lines[0].contains("  EXPIRES     DOMAINS"), "\(lines)")
    #expect(lines[1].hasPrefix("blog ") && lines[1].contains("  -           -"), "\(lines)")
    #expect(lines[2].contains(" days  shop.example"), "\(lines)")
    let document = try JSONReader.read(Array(home.atoll("list", "--json").stdout.utf8))
    let entries = try #require(document["certificates"]?.elements)
    #expect(entries.map { $0["distribution"]?.text } == ["shop"])
    #expect(entries[0]["certificate"]?.text == "mine" && entries[0]["expires"]?.time != nil)
    // It belongs to those whose default domains it is for.
    let certificates = home.atoll("cert", "list").stdout.split(separator: "\n")
    #expect(certificates[1].contains("  blog, shop  *.atoll.localhost"), "\(certificates)")
    #expect(
      home.atoll("cert", "show", DefaultCertificate.name).stdout.contains(
        "blog: blog.atoll.localhost\n"))
    let refused = home.atoll("cert", "delete", DefaultCertificate.name, "--yes")
    #expect(refused.exitCode == 1)
    #expect(
      refused.stderr == """
        atoll: error: the certificate "default-domains" is what edges show for the default domains \
        of "blog" and "shop"
        atoll: hint: for another one give atoll cert renew default-domains; edges make it whenever \
        it is missing

        """)
    #expect(home.atoll("cert", "renew", DefaultCertificate.name).exitCode == 0)
    for name in ["shop", "blog"] { home.atoll("delete", name, "--yes") }
    #expect(home.atoll("cert", "delete", DefaultCertificate.name, "--yes").exitCode == 0)
    // One that is damaged is of no use to anybody.
    home.atoll("create", "news", "--origin", "http://localhost:3000", "--quiet")
    try home.certify(DefaultCertificate.name, "*.atoll.localhost")
    home.directory.write("store/certificates/\(DefaultCertificate.name)/key.pem", "none\n")
    #expect(home.atoll("cert", "delete", DefaultCertificate.name, "--yes").exitCode == 0)
    let kept = home.atoll("cert", "create", DefaultCertificate.name, "--local", "-d", "a.example")
    #expect(kept.exitCode == 2 && kept.stderr.contains("is kept for the certificate of default"))
  }

  @Test func `a damaged file is reported and hides no other`() {
    let home = Home()
    home.atoll("create", "shop", "--origin", "http://localhost:3000")
    home.directory.write("store/distributions/blog.json", "{\"schemaVersion\": 1, \"nmae\": 1}\n")
    let result = home.atoll("list")
    #expect(result.exitCode == 0)
    #expect(result.stdout.contains("\nshop  enabled"))
    #expect(result.stdout.contains("\nblog  invalid"))
    #expect(result.stderr.contains("atoll: warning: "))
    #expect(result.stderr.contains("nmae"))
    let shown = home.atoll("show", "blog")
    #expect(shown.exitCode == 2)
    #expect(shown.stdout.isEmpty)
    #expect(shown.stderr.contains("nmae"))
  }

  @Test func `damaged distributions are told in the list of domains`() {
    let home = Home()
    home.atoll("create", "shop", "--origin", "http://localhost:3000", "--quiet")
    home.directory.write("store/distributions/shop.json", "{")
    let result = home.atoll("domain", "list")
    #expect(result.exitCode == 0 && result.stdout.isEmpty)
    #expect(result.stderr.contains("warning: shop.json"), "\(result.stderr)")
    #expect(!result.stderr.contains("there is no distribution yet"))
  }

  @Test func `a store that cannot be read is a failure`() {
    let scratch = TemporaryDirectory()
    let file = scratch.write("file", "")
    let result = runAtoll(["list", "--home", file])
    #expect(result.exitCode == 1)
    #expect(result.stdout.isEmpty)
    #expect(result.stderr.hasPrefix("atoll: error: "))
    #expect(result.stderr.contains(file))
  }

  @Test func `the option names the store before the variable does`() {
    let home = Home()
    home.atoll("create", "shop", "--origin", "http://localhost:3000")
    let other = home.directory.path + "/other"
    #expect(home.atoll("list", "-q", "--home", other).stdout.isEmpty)
    #expect(home.atoll("--home=\(other)", "list", "-q").stdout.isEmpty)
    #expect(home.atoll("list", "-q").stdout == "shop\n")
  }
}

@Suite struct ShowTests {
  @Test func `everything is shown, with the domains`() throws {
    let home = Home()
    home.atoll("create", "shop", "--origin", "http://localhost:3000")
    let result = home.atoll("show", "shop")
    #expect(result.exitCode == 0)
    #expect(result.stderr.isEmpty)
    let id = try #require(member("id", of: home.document("shop"))).filter { $0 != "\"" }
    let lines = result.stdout.split(separator: "\n").map(String.init)
    #expect(lines[0] == "Name              shop")
    #expect(lines[1] == "Id                \(id)")
    #expect(lines[2] == "State             enabled")
    #expect(lines[3] == "Domains           shop.atoll.localhost")
    #expect(lines[4] == "                  \(id).atoll.localhost")
    #expect(lines.last == "Edges             none is running")
  }

  @Test func `json is the document that apply reads`() {
    let home = Home()
    home.atoll("create", "shop", "--origin", "http://localhost:3000", "--preset", "wordpress")
    let document = home.document("shop")
    #expect(document.hasPrefix("{\n  \"schemaVersion\": 1,\n"))
    let applied = home.atoll("apply", "-", stdin: document)
    #expect(applied.stdout == "shop: unchanged\n")
    #expect(home.document("shop") == document)
  }

  @Test func `a name that is not there is an error with the nearest one`() {
    let home = Home()
    home.atoll("create", "shop", "--origin", "http://localhost:3000")
    let result = home.atoll("show", "shpo", "--json")
    #expect(result.exitCode == 1)
    #expect(result.stdout.isEmpty)
    #expect(
      result.stderr == """
        atoll: error: no distribution named "shpo"
        atoll: hint: did you mean "shop"?

        """)
  }
}

@Suite struct DeleteTests {
  @Test func `off a terminal it needs a yes`() {
    let home = Home()
    home.atoll("create", "shop", "--origin", "http://localhost:3000")
    let refused = home.atoll("delete", "shop", stdin: "y\n")
    #expect(refused.exitCode == 2)
    #expect(refused.stdout.isEmpty)
    #expect(
      refused.stderr == """
        atoll: error: deleting "shop" needs a yes
        atoll: hint: add --yes

        """)
    #expect(home.atoll("list", "-q").stdout == "shop\n")
    let done = home.atoll("delete", "shop", "--yes")
    #expect(done.exitCode == 0)
    #expect(done.stdout == "deleted \"shop\"\n")
    #expect(done.stderr.isEmpty)
    #expect(home.atoll("list", "-q").stdout.isEmpty)
  }

  @Test func `the environment may say yes`() {
    let home = Home()
    home.atoll("create", "shop", "--origin", "http://localhost:3000")
    #expect(home.atoll("delete", "shop", env: ["ATOLL_YES": "1"]).exitCode == 0)
  }

  @Test func `none of that name is an error unless if-exists`() {
    let home = Home()
    #expect(home.atoll("delete", "shop", "--yes").exitCode == 1)
    let tolerant = home.atoll("delete", "shop", "--if-exists", "--json")
    #expect(tolerant.exitCode == 0)
    #expect(tolerant.stdout.contains("\"result\": \"unchanged\""))
    let told = home.atoll("delete", "shop", "--if-exists")
    #expect(told.exitCode == 0)
    #expect(told.stdout == "there is no distribution named \"shop\"\n")
  }

  @Test func `a name can be used again`() {
    let home = Home()
    home.atoll("create", "shop", "--origin", "http://localhost:3000")
    let id = member("id", of: home.document("shop"))
    home.atoll("delete", "shop", "--yes")
    #expect(home.atoll("create", "shop", "--origin", "http://localhost:3000").exitCode == 0)
    #expect(member("id", of: home.document("shop")) != id)
  }
}
