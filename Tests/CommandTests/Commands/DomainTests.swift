// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc
import TestSupport
import Testing

@testable import atoll

extension Home {
  var store: DirectoryStore { DirectoryStore(home: directory.path + "/store") }

  /// A certificate of the store's own authority.
  func certify(_ name: String, _ domains: String...) throws {
    let now = Int64(time(nil))
    let (leaf, key) = try LocalAuthority(store).issue(domains, now: now)
    try CertificateCatalog(store).put(
      StoredCertificate(
        name: name, created: now, modified: now, source: .local, domains: domains, chain: leaf.pem,
        key: key.pem), ifRevision: nil)
  }

  /// Makes as if it had been issued 200 days ago, for 90.
  func expire(_ name: String) throws {
    var stored = try #require(try CertificateCatalog(store).get(name))
    let (leaf, key) = try LocalAuthority(store).issue(
      stored.domains, now: Int64(time(nil)) - 200 * 86_400)
    stored.chain = leaf.pem
    stored.key = key.pem
    try CertificateCatalog(store).put(stored, ifRevision: nil)
  }

  func domains(_ name: String) throws -> [AttachedDomain] {
    try #require(try Catalog(store).get(name)).domains
  }
}

@Suite struct DomainCommandTests {
  private func home(_ names: String...) -> Home {
    let home = Home()
    for name in names { home.atoll("create", name, "--origin", "http://localhost:3000", "--quiet") }
    return home
  }

  @Test func `a domain is attached with the certificate that covers it`() throws {
    let home = home("shop")
    try home.certify("mine", "shop.example", "www.shop.example")
    let result = home.atoll("domain", "attach", "shop", "Shop.example.", "www.shop.example")
    #expect(result.exitCode == 0, "\(result.stderr)")
    #expect(
      result.stdout == """
        updated "shop"
          attach the domain "shop.example" with the certificate "mine"
          attach the domain "www.shop.example" with the certificate "mine"

        """)
    #expect(
      try home.domains("shop")
        == ["shop.example", "www.shop.example"].map {
          AttachedDomain(name: $0, certificates: ["mine"])
        })
    let again = home.atoll("domain", "attach", "shop", "www.shop.example")
    #expect(again.stdout == "\"shop\" is unchanged\n" && again.exitCode == 0)
    #expect(
      home.atoll("show", "shop").stdout.contains(
        "www.shop.example with the certificate \"mine\"\n"))
  }

  @Test func `a certificate that does not cover it is refused with the missing name`() throws {
    let home = home("shop")
    let none = home.atoll("domain", "attach", "shop", "www.shop.example")
    #expect(none.exitCode == 1)
    #expect(
      none.stderr == """
        atoll: error: no certificate of the store covers "www.shop.example"
        atoll: hint: get one with atoll cert ensure shop --domain www.shop.example, or attach it in \
        the clear with --no-cert

        """)
    try home.certify("mine", "shop.example")
    let wrong = home.atoll(
      "domain", "attach", "shop", "shop.example", "www.shop.example", "--cert", "mine")
    #expect(wrong.exitCode == 1)
    #expect(
      wrong.stderr == """
        atoll: error: the certificate "mine" does not cover "www.shop.example"; it is for \
        shop.example
        atoll: hint: make one that does with atoll cert create <name> --local --domain \
        shop.example --domain www.shop.example, or name another with --cert

        """)
    let unknown = home.atoll("domain", "attach", "shop", "shop.example", "--cert", "mime")
    #expect(unknown.exitCode == 1)
    #expect(unknown.stderr.contains("no certificate named \"mime\""))
    #expect(unknown.stderr.contains("did you mean \"mine\"?"))
    #expect(try home.domains("shop").isEmpty)
    let clear = home.atoll("domain", "attach", "shop", "www.shop.example", "--no-cert")
    #expect(clear.exitCode == 0)
    #expect(try home.domains("shop") == [AttachedDomain(name: "www.shop.example")])
    home.atoll("domain", "attach", "shop", "shop.example", "--cert", "mine")
    #expect(
      home.atoll("domain", "attach", "shop", "shop.example", "--no-cert").stdout == """
        updated "shop"
          change the certificate of the domain "shop.example" from "mine" to whichever covers it

        """)
  }

  @Test func `a domain without a certificate stays so when it is attached again`() throws {
    let home = home("shop")
    let names = ["shop.example", "www.shop.example"]
    home.run(["domain", "attach", "shop"] + names + ["--no-cert"])
    // None covers it, one covers it, both are named.
    for certificate in [nil, "mine"] {
      if let certificate { try home.certify(certificate, names[0]) }
      for named in [[names[0]], names] {
        let again = home.run(["domain", "attach", "shop"] + named)
        #expect(again.exitCode == 0, "\(again.stderr)")
        #expect(again.stdout == "\"shop\" is unchanged\n")
        #expect(try home.domains("shop") == names.map { AttachedDomain(name: $0) })
      }
    }
    // Beside it a new one gets a certificate all the same, and is told alone where there is none.
    let none = home.atoll("domain", "attach", "shop", "shop.example", "new.shop.example")
    #expect(none.exitCode == 1)
    #expect(none.stderr.contains("no certificate of the store covers \"new.shop.example\"\n"))
    try home.certify("new", "new.shop.example")
    #expect(home.atoll("domain", "attach", "shop", names[0], "new.shop.example").exitCode == 0)
    #expect(
      try home.domains("shop") == names.map { AttachedDomain(name: $0) }
        + [AttachedDomain(name: "new.shop.example", certificates: ["new"])])
    // Named, one is taken.
    #expect(home.atoll("domain", "attach", "shop", names[0], "--cert", "mine").exitCode == 0)
    #expect(try home.domains("shop").first?.certificates == ["mine"])
  }

  @Test func `certificates named in another order are the same`() throws {
    let home = home("shop")
    try home.certify("one", "www.shop.example")
    home.atoll("cert", "create", "two", "--local", "-d", "www.shop.example", "--key", "rsa2048")
    let attach = ["domain", "attach", "shop", "www.shop.example"]
    #expect(home.run(attach + ["--cert", "one", "--cert", "two"]).exitCode == 0)
    let again = home.run(attach + ["--cert", "two", "--cert", "one"])
    #expect(again.exitCode == 0)
    #expect(again.stdout == "\"shop\" is unchanged\n")
    #expect(try home.domains("shop").first?.certificates == ["one", "two"])
    // One less is a change.
    #expect(home.run(attach + ["--cert", "two"]).stdout.hasPrefix("updated \"shop\"\n"))
    #expect(try home.domains("shop").first?.certificates == ["two"])
  }

  @Test func `of each kind of key one certificate can be named`() throws {
    let home = home("shop")
    try home.certify("one", "www.shop.example")
    for (name, key) in [("two", "p384"), ("three", "rsa2048")] {
      home.atoll("cert", "create", name, "--local", "-d", "www.shop.example", "--key", key)
    }
    let attach = ["domain", "attach", "shop", "www.shop.example", "--cert", "one", "--cert"]
    let both = home.run(attach + ["two"])
    #expect(both.exitCode == 1)
    #expect(
      both.stderr == """
        atoll: error: "one" and "two" both have ECDSA keys, and "www.shop.example" is served with \
        one certificate of each kind
        atoll: hint: name one of them, and beside it one with an RSA key if you have it

        """)
    let file = home.atoll(
      "apply", "-",
      stdin: #"""
        {"name": "shop", "origin": "http://localhost:3000",
         "domains": {"www.shop.example": ["two", "one"]}}
        """#)
    #expect(file.exitCode == 1)
    #expect(file.stderr.contains("\"two\" and \"one\" both have ECDSA keys"), "\(file.stderr)")
    #expect(try home.domains("shop").isEmpty)
    #expect(home.run(attach + ["one"]).exitCode == 0)
    #expect(try home.domains("shop").first?.certificates == ["one"])
    let pair = home.run(attach + ["three"])
    #expect(pair.exitCode == 0, "\(pair.stderr)")
    #expect(try home.domains("shop").first?.certificates == ["one", "three"])
  }

  @Test(arguments: [
    ("bücher.example", "write its A-label: xn--bcher-kva.example"),
    ("https://shop.example", "write the host name alone"), ("10.0.0.1", "attach a name"),
    ("*.com", "write it like *.shop.example"), ("x.atoll.localhost", "ask for it as it is"),
  ])
  func `what is no domain is a mistake of usage`(domain: String, hint: String) {
    let result = home("shop").atoll("domain", "attach", "shop", domain, "--no-cert")
    #expect(result.exitCode == 2)
    #expect(result.stderr.contains(hint), "\(result.stderr)")
  }

  @Test func `a domain belongs to one distribution`() throws {
    let home = home("shop", "blog")
    home.atoll("domain", "attach", "shop", "www.shop.example", "--no-cert")
    home.atoll("domain", "attach", "shop", "*.shop.example", "--no-cert")
    let wild = home.atoll("domain", "attach", "blog", "*.shop.example", "--no-cert")
    // As a shell takes it.
    #expect(wild.stderr.contains("atoll domain detach shop '*.shop.example'\n"))
    let taken = home.atoll("domain", "attach", "blog", "www.shop.example", "--no-cert")
    #expect(taken.exitCode == 1)
    #expect(
      taken.stderr == """
        atoll: error: "www.shop.example" is attached to "shop"
        atoll: hint: detach it first with atoll domain detach shop www.shop.example

        """)
    #expect(home.atoll("domain", "detach", "shop", "www.shop.example").exitCode == 0)
    #expect(home.atoll("domain", "attach", "blog", "www.shop.example", "--no-cert").exitCode == 0)
    // In a file, too.
    let file = home.atoll(
      "apply", "-",
      stdin: #"{"name": "news", "origin": "http://a.example", "domains": ["www.shop.example"]}"#)
    #expect(file.exitCode == 1)
    #expect(file.stderr.contains("\"www.shop.example\" is attached to \"blog\""))
  }

  @Test func `twelve at once: one gets it`() throws {
    let names = (0..<12).map { "site\($0)" }
    let home = Home()
    for name in names { home.atoll("create", name, "--origin", "http://localhost:1", "--quiet") }
    let running = names.map {
      RunningAtoll(
        ["domain", "attach", $0, "www.shop.example", "own.\($0).example", "--no-cert"],
        env: home.environment)
    }
    let codes = running.map { $0.wait().exitCode }
    #expect(codes.filter { $0 == 0 }.count == 1)
    #expect(codes.filter { $0 == 1 }.count == 11)
    let holders = try names.filter { try !home.domains($0).isEmpty }
    #expect(holders.count == 1)
  }

  @Test func `attached and deleted at once, no certificate is missed`() throws {
    let home = home("shop")
    for number in 0..<8 { try home.certify("c\(number)", "c\(number).example") }
    let processes = (0..<8).flatMap { number in
      [
        ["domain", "attach", "shop", "c\(number).example", "--cert", "c\(number)"],
        ["cert", "delete", "c\(number)", "--yes"],
      ].map { RunningAtoll($0, env: home.environment) }
    }
    let codes = processes.map { $0.wait().exitCode }
    let left = try CertificateCatalog(home.store).names()
    let attached = try home.domains("shop").flatMap(\.certificates)
    // Of each pair the one that came first did it, and the other was refused.
    #expect(left.sorted() == attached.sorted())
    for pair in 0..<8 { #expect([codes[2 * pair], codes[2 * pair + 1]].sorted() == [0, 1]) }
  }

  @Test func `detaching, again, and what never was`() throws {
    let home = home("shop")
    home.atoll("domain", "attach", "shop", "old.shop.example", "www.shop.example", "--no-cert")
    let detached = home.atoll("domain", "detach", "shop", "old.shop.example")
    #expect(detached.stdout == "updated \"shop\"\n  detach the domain \"old.shop.example\"\n")
    #expect(
      home.atoll("domain", "detach", "shop", "old.shop.example").stdout == "\"shop\" is unchanged\n"
    )
    let never = home.atoll("domain", "detach", "shop", "wwww.shop.example")
    #expect(never.exitCode == 1)
    #expect(never.stderr.contains("did you mean \"www.shop.example\"?"))
    #expect(
      home.atoll("domain", "detach", "shop", "wwww.shop.example", "--if-attached").exitCode == 0)
    let list = home.atoll("domain", "list", "shop", "--json").stdout
    #expect(list.contains("\"state\": \"detached\"") && list.contains("\"state\": \"default\""))
    #expect(home.atoll("domain", "list", "-q").stdout == "www.shop.example\n")
    home.atoll("domain", "detach", "shop", "old.shop.example", "--forget")
    #expect(try Catalog(home.store).get("shop")?.detachedDomains == [])
  }

  @Test func `the certificate of default domains stands in the list`() throws {
    let home = home("shop")
    home.atoll("domain", "base", "cdn.example")
    home.atoll("create", "blog", "--origin", "http://localhost:3000", "--quiet")
    func row(_ name: String) throws -> String {
      let own = try #require(try Catalog(home.store).get(name)).defaultDomain
      let lines = home.atoll("domain", "list").stdout.split(separator: "\n")
      return String(try #require(lines.first { $0.hasPrefix(own) }).dropFirst(own.count))
        .split(separator: " ").joined(separator: " ")
    }
    #expect(try row("shop") == "shop default - -")
    try home.certify(DefaultCertificate.name, "*.atoll.localhost")
    let leaf = try #require(try CertificateCatalog(home.store).get(DefaultCertificate.name)?.leaf)
    let end = RFC3339.format(seconds: leaf.notAfter)
    #expect(try row("shop") == "shop default default-domains \(end.prefix(10))")
    #expect(try row("blog") == "blog default - -")
    try home.certify("public", "*.cdn.example")
    #expect(try row("blog").hasPrefix("blog default public 2"))
    let json = try JSONReader.read(
      Array(home.atoll("domain", "list", "shop", "--json").stdout.utf8))
    let first = try #require(json["domains"]?.elements?.first)
    #expect(first["certificates"]?.elements?.map(\.text) == [DefaultCertificate.name])
    #expect(first["expires"]?.text == end)
  }

  @Test func `the base domain is that of distributions made later`() throws {
    let home = home("shop")
    #expect(home.atoll("domain", "base").stdout == "atoll.localhost\n")
    #expect(
      home.atoll("domain", "base", "CDN.example").stdout
        == "new distributions answer below cdn.example\n")
    home.atoll("create", "blog", "--origin", "http://localhost:3000")
    let shop = try #require(try Catalog(home.store).get("shop"))
    let blog = try #require(try Catalog(home.store).get("blog"))
    #expect(shop.defaultDomain == "\(shop.id).atoll.localhost")
    #expect(blog.ownDomains == ["blog.cdn.example", "\(blog.id).cdn.example"])
    home.atoll("update", "blog", "--disabled")
    #expect(try Catalog(home.store).get("blog")?.defaultDomain == blog.defaultDomain)
    #expect(home.atoll("domain", "base", "*.cdn.example").exitCode == 2)
    let taken = home.atoll("domain", "attach", "shop", "blog.cdn.example", "--no-cert")
    #expect(taken.stderr.contains("is a domain of \"blog\"'s own"))
  }

  @Test func `files name certificates that are there and cover the domain`() throws {
    let home = home("shop")
    func file(_ name: String, _ domains: String) -> String {
      home.directory.write(
        "\(name).json",
        """
        {"schemaVersion": 1, "name": "\(name)", "origin": {"url": "http://127.0.0.1:9"},
         "domains": {\(domains)}}
        """)
    }
    func refused(_ result: Finished, _ file: String, _ message: String, _ hint: String) {
      #expect(result.exitCode == 1)
      #expect(result.stderr.contains("error: \(file): \(message)"), "\(result.stderr)")
      #expect(result.stderr.contains(hint), "\(result.stderr)")
    }
    let missing = "no certificate named \"mine\""
    let ensure = "atoll cert ensure mine --domain www.shop.example"
    let shop = file("shop", "\"www.shop.example\": [\"mine\"]")
    let blog = file("blog", "\"blog.example\": [\"mine\"]")
    refused(home.atoll("create", "new", "--file", shop), shop, missing, ensure)
    refused(home.atoll("update", "shop", "--file", shop), shop, missing, ensure)
    // All that is wrong is told, and a dry run looks as well.
    for options in [[], ["--dry-run"]] {
      let both = home.run(["apply", shop, blog] + options)
      refused(both, shop, missing, ensure)
      refused(both, blog, missing, "atoll cert ensure mine --domain blog.example")
    }
    try home.certify("mine", "www.shop.example")
    refused(
      home.atoll("apply", shop, blog), blog,
      "the certificate \"mine\" does not cover \"blog.example\"; it is for www.shop.example",
      "atoll cert create <name> --local --domain www.shop.example --domain blog.example")
    #expect(try home.domains("shop").isEmpty)
    #expect(home.atoll("apply", shop).exitCode == 0)
    // What was named before may stay, whatever has become of it.
    try CertificateCatalog(home.store).delete("mine", ifRevision: nil)
    #expect(home.atoll("apply", shop).stdout == "shop: unchanged\n")
    let other = home.atoll("update", "shop", "--default-ttl", "1h")
    #expect(other.exitCode == 0, "\(other.stderr)")
    let more = file("shop", "\"www.shop.example\": [\"mine\"], \"b.example\": [\"mine\"]")
    refused(home.atoll("apply", more), more, missing, "atoll cert ensure mine --domain b.example")
  }

  @Test func `a file of CloudFormation converges though its certificate has expired`() throws {
    let home = home("shop")
    let file = home.directory.write(
      "shop.json",
      #"""
      {"DistributionName": "shop", "CertificateName": "mine",
       "Origin": {"Name": "localhost"}}
      """#)
    try home.certify("mine", "www.shop.example")
    let first = home.atoll("apply", file)
    #expect(first.exitCode == 0, "\(first.stderr)")
    try home.expire("mine")
    let again = home.atoll("apply", file)
    #expect(again.stdout == "shop: unchanged\n", "\(again.stdout)\(again.stderr)")
  }

  @Test func `the command of a hint names all that it needs`() throws {
    let home = home("shop", "blog")
    func store(_ name: String, _ domains: [String], _ source: CertificateSource) throws {
      let (leaf, key) = try LocalAuthority(home.store).issue(domains, now: Int64(time(nil)))
      try CertificateCatalog(home.store).put(
        StoredCertificate(
          name: name, created: 0, modified: 0, source: source, domains: domains, chain: leaf.pem,
          key: key.pem), ifRevision: nil)
    }
    func hint(_ arguments: String...) -> String {
      home.run(["domain", "attach"] + arguments).stderr
    }
    try store("shop", ["shop.example", "*.eu.example"], .acme)
    try store("blog", ["blog.example"], .imported)
    home.atoll("domain", "attach", "shop", "shop.example")
    let all = "--domain shop.example --domain '*.eu.example' --domain www.shop.example"
    let without = hint("shop", "www.shop.example")
    #expect(without.contains("get one with atoll cert ensure shop \(all), or attach"), "\(without)")
    let named = hint("shop", "www.shop.example", "--cert", "shop")
    #expect(
      named.contains("get one that does with atoll cert ensure shop \(all), or name"), "\(named)")
    // What is not the CA's can't be had under its name.
    let taken = hint("blog", "*.blog.example", "www.blog.example")
    #expect(
      taken.contains(
        "get one with atoll cert ensure blog.example --domain '*.blog.example' --domain "
          + "www.blog.example, or"), "\(taken)")
    try store("blog.example", ["blog.example"], .local)
    #expect(hint("blog", "*.blog.example").contains("cert ensure blog-2 --domain"))
    let name = hint("blog", "www.blog.example", "--cert", "b g")
    #expect(name.contains("cert ensure www.blog.example --domain www.blog.example"), "\(name)")
  }

  @Test func `what is attached stays though its certificate has expired`() throws {
    let home = home("shop", "blog")
    try home.certify("mine", "www.shop.example", "*.shop.example")
    let aliases = home.directory.write(
      "shop.json",
      #"""
      {"DistributionConfig": {"Aliases": {"Quantity": 1, "Items": ["www.shop.example"]},
        "Origins": [{"Id": "a", "DomainName": "a.example"}],
        "DefaultCacheBehavior": {"TargetOriginId": "a"}}}
      """#)
    let first = home.atoll("update", "shop", "--file", aliases)
    #expect(first.exitCode == 0, "\(first.stderr)")
    try home.expire("mine")
    let warning = "atoll: warning: the certificate \"mine\" has expired on 2"
    let hint = "atoll: hint: renew it with atoll cert renew mine\n"
    for options in [[], ["--cert", "mine"]] {
      let again = home.run(["domain", "attach", "shop", "www.shop.example"] + options)
      #expect(again.exitCode == 0 && again.stdout == "\"shop\" is unchanged\n", "\(again)")
      #expect(again.stderr.hasPrefix(warning) && again.stderr.hasSuffix(hint), "\(again.stderr)")
    }
    let same = home.atoll("update", "shop", "--file", aliases)
    #expect(same.stdout == "\"shop\" is unchanged\n", "\(same.stdout)\(same.stderr)")
    // What is new is not attached with it, and told why.
    for (name, domain) in [("shop", "new.shop.example"), ("blog", "blog.shop.example")] {
      for options in [[], ["--cert", "mine"]] {
        let refused = home.run(["domain", "attach", name, domain] + options)
        #expect(refused.exitCode == 1)
        #expect(refused.stderr.contains("the certificate \"mine\" has expired on 2"))
        #expect(refused.stderr.hasSuffix(hint), "\(refused.stderr)")
        #expect(!refused.stderr.contains("covers"))
      }
    }
    let none = home.atoll(
      "domain", "attach", "blog", "www.blog.example", "x.shop.example", "--json")
    #expect(none.exitCode == 1)
    #expect(
      none.stderr.hasPrefix(
        "atoll: error: \"x.shop.example\": the certificate \"mine\" has expired"))
    #expect(
      none.stderr.contains("no certificate of the store covers \"www.blog.example\"\n"),
      "\(none.stderr)")
    // One that will do takes its place; one that is gone is told like an expired one.
    try home.certify("next", "www.shop.example")
    let next = home.atoll("domain", "attach", "shop", "www.shop.example")
    #expect(next.exitCode == 0 && next.stderr.isEmpty, "\(next.stderr)")
    #expect(try home.domains("shop").first?.certificates == ["next"])
    try CertificateCatalog(home.store).delete("next", ifRevision: nil)
    try CertificateCatalog(home.store).delete("mine", ifRevision: nil)
    try home.certify("blog", "blog.example")
    let more = home.atoll("domain", "attach", "shop", "www.shop.example", "blog.example")
    #expect(more.exitCode == 0, "\(more.stderr)")
    #expect(more.stderr.hasPrefix("atoll: warning: no certificate named \"next\"\n"))
  }

  @Test func `CloudFormation's certificate attaches its names`() throws {
    let home = Home()
    try home.certify("mine", "shop.example", "*.shop.example")
    let template = """
      {"DistributionName": "shop", "BundleId": "small_1_0", "CertificateName": "mine",
       "Origin": {"Name": "a.example", "ProtocolPolicy": "http-only"},
       "DefaultCacheBehavior": {"Behavior": "cache"}}
      """
    let result = home.atoll("apply", "-", stdin: template)
    #expect(result.exitCode == 0, "\(result.stderr)")
    #expect(
      try home.domains("shop")
        == ["shop.example", "*.shop.example"].map {
          AttachedDomain(name: $0, certificates: ["mine"])
        })
    #expect(home.atoll("apply", "-", stdin: template).stdout == "shop: unchanged\n")
    let missing = home.atoll(
      "apply", "-", stdin: template.replacing("\"mine\"", with: "\"yours\""))
    #expect(missing.exitCode == 1)
    #expect(missing.stderr.contains("no certificate named \"yours\""))
    // Settings alone leave the domains.
    home.atoll(
      "apply", "-", stdin: template.replacing("\"CertificateName\": \"mine\",", with: ""))
    #expect(try home.domains("shop").count == 2)
  }

  // MARK: Records and checks

  private static let zone: [String: [String]] = [
    "shop.example SOA": ["ns.shop.example"], "cdn.test SOA": ["ns.cdn.test"],
    "shop.example NS": ["ns.shop.example"], "cdn.test NS": ["ns.cdn.test"],
    "ns.shop.example A": ["127.0.0.1"], "ns.cdn.test A": ["127.0.0.1"],
    "www.shop.example CNAME": ["host.cdn.test"], "host.cdn.test A": ["127.0.0.1"],
    "text.shop.example TXT": ["only"], "away.shop.example A": ["192.0.2.1"],
  ]

  @Test func `records for a zone file, as JSON and for nsupdate`() throws {
    let server = ScriptedNameServer(Self.zone)
    defer { server.end() }
    let home = Home()
    home.atoll("domain", "base", "cdn.test")
    home.atoll("create", "shop", "--origin", "http://localhost:3000")
    home.atoll("domain", "attach", "shop", "shop.example", "www.shop.example", "--no-cert")
    let own = try #require(try Catalog(home.store).get("shop")).defaultDomain
    let zone = home.atoll(
      "domain", "records", "shop", "--ip", "203.0.113.5", "--dns-server", server.address)
    #expect(zone.exitCode == 0, "\(zone.stderr)")
    #expect(
      zone.stdout == """
        $ORIGIN cdn.test.
        *  300  IN  A      203.0.113.5

        $ORIGIN shop.example.
        @    300  IN  A      203.0.113.5
        www  300  IN  CNAME  \(own).

        """)
    let json = home.atoll(
      "domain", "records", "shop", "new.shop.example", "--zone", "shop.example", "--json")
    #expect(json.stdout.contains("\"name\": \"new.shop.example\""))
    #expect(json.stdout.contains("\"value\": \"\(own)\""))
    let update = home.atoll(
      "domain", "records", "shop", "www.shop.example", "--zone", "shop.example", "--format",
      "nsupdate", "--ttl", "1h")
    #expect(
      update.stdout == """
        zone shop.example.
        update delete www.shop.example. CNAME
        update add www.shop.example. 3600 CNAME \(own).
        send

        """)
    let unknown = home.atoll(
      "domain", "records", "shop", "www.other.example", "--dns-server", server.address)
    #expect(unknown.exitCode == 1)
    #expect(unknown.stderr.contains("--zone other.example"))
    // The others are printed all the same.
    func some(_ arguments: String...) -> Finished {
      home.run(
        [
          "domain", "records", "shop", "www.other.example", "*.other.example", "www.shop.example",
          "a.third.example", "--dns-server", server.address,
        ] + arguments)
    }
    for (format, line) in [("zone", "www  300  IN  CNAME"), ("nsupdate", "zone shop.example.\n")] {
      let rest = some("--format", format)
      #expect(rest.exitCode == 1 && rest.stdout.contains(line), "\(rest.stdout)")
      #expect(!rest.stdout.contains("other.example"))
      for name in ["www.other.example", "other.example", "a.third.example"] {
        #expect(
          rest.stderr.contains("error: where the zone of \"\(name)\" begins is not known"),
          "\(rest.stderr)")
      }
      #expect(rest.stderr.contains("hint: say it with --zone, such as --zone third.example\n"))
    }
    let document = some("--json", "--zone", "other.example")
    #expect(document.exitCode == 1)
    let node = try JSONReader.read(Array(document.stdout.utf8))
    #expect(
      node["records"]?.elements?.map { $0["name"]?.text } == [
        "www.other.example", "*.other.example", "www.shop.example",
      ])
    #expect(node["unknown"]?.elements?.map { $0["name"]?.text } == ["a.third.example"])
    let loop = home.atoll("domain", "records", "shop", "*.cdn.test", "--zone", "cdn.test")
    #expect(loop.exitCode == 1 && loop.stdout.isEmpty)
    #expect(loop.stderr.contains("\"*.cdn.test\" can't lead to \(own)"), "\(loop.stderr)")
  }

  @Test func `below atoll.localhost records need addresses`() {
    let home = home("shop")
    let none = home.atoll("domain", "records", "shop")
    #expect(none.exitCode == 1 && none.stderr.contains("no domain is attached"))
    let bare = home.atoll("domain", "records", "shop", "www.shop.example")
    #expect(bare.exitCode == 2 && bare.stderr.contains("missing --ip"))
    let plan = home.atoll(
      "domain", "records", "shop", "www.shop.example", "--ip", "203.0.113.5", "--zone",
      "shop.example")
    #expect(plan.stdout.hasSuffix("www  300  IN  A      203.0.113.5\n"))
  }

  @Test func `a check finds what is wrong, and that nothing is`() throws {
    let server = ScriptedNameServer(Self.zone)
    defer { server.end() }
    let origin = ScriptedServer(response("Cache-Control: max-age=60"))
    let edge = try RunningEdge([])
    let port = try #require(edge.address.split(separator: ":").last).description
    _ = edge.atoll("create", "shop", "--origin", "http://127.0.0.1:\(origin.port)")
    _ = edge.atoll("domain", "attach", "shop", "www.shop.example", "--no-cert")
    func check(_ arguments: String...) -> Finished {
      runAtoll(
        ["domain", "check", "shop"] + arguments + [
          "--dns-server", server.address, "--http-port", port,
        ], env: ["ATOLL_HOME": edge.home.path + "/store"])
    }
    let good = check()
    #expect(good.exitCode == 0, "\(good.stdout)\(good.stderr)")
    #expect(
      good.stdout == """
        www.shop.example
          dns   ok       host.cdn.test → 127.0.0.1
          http  ok       127.0.0.1:\(port): 200

        """)
    #expect(check("--json").stdout.contains("\"ok\": true"))
    // It leads elsewhere.
    let stray = check("--ip", "203.0.113.5")
    #expect(stray.exitCode == 1)
    #expect(stray.stdout.contains("127.0.0.1 is none of 203.0.113.5"))
    // The name is not there, has no address, or no server tells.
    _ = edge.atoll(
      "domain", "attach", "shop", "no.shop.example", "text.shop.example", "--no-cert")
    let missing = check("no.shop.example")
    #expect(missing.exitCode == 1)
    #expect(missing.stdout.contains("no.shop.example does not exist in DNS"))
    #expect(missing.stdout.contains("atoll domain records shop"))
    // The edge itself is ready.
    #expect(missing.stdout.contains("http  ok       127.0.0.1:\(port): 200"))
    #expect(check("text.shop.example").stdout.contains("text.shop.example has no address"))
    // Another distribution took it, behind the back of the command.
    _ = edge.atoll("domain", "detach", "shop", "www.shop.example")
    #expect(check("www.shop.example").stderr.contains("is not attached to \"shop\""))
    // A certificate that is gone.
    var shop = try #require(
      try Catalog(DirectoryStore(home: edge.home.path + "/store")).get("shop"))
    shop.setDomains([AttachedDomain(name: "www.shop.example", certificates: ["gone"])])
    try Catalog(DirectoryStore(home: edge.home.path + "/store")).put(shop, ifRevision: nil)
    let gone = check("--https-port", "1", "--max-time", "2s")
    #expect(gone.exitCode == 1)
    #expect(gone.stdout.contains("certificate  fault    \"gone\" is not in the store"))
    #expect(gone.stdout.contains("serve there with --https :1"))
  }

  @Test(.enabled(if: findProgram("openssl") != nil))
  func `an attached domain is served with its certificate`() throws {
    let edge = try RunningEdge(["--https", "127.0.0.1:0"])
    let certificates = CertificateCatalog(DirectoryStore(home: edge.home.path + "/store"))
    var address = ""
    try wait(for: "the edge to listen for TLS") {
      let line = edge.process.complained.split(separator: "\n").first { $0.hasSuffix(", https") }
      address = line.map { String($0.split(separator: " ")[3].dropLast()) } ?? ""
      return line != nil
    }
    for name in ["one", "two", "wild"] {
      let domain = name == "wild" ? "*.shop.example" : "www.shop.example"
      #expect(edge.atoll("cert", "create", name, "--local", "-d", domain).exitCode == 0)
    }
    _ = edge.atoll("create", "shop", "--origin", "http://127.0.0.1:9")
    /// The certificate that a viewer sees who asks for the name.
    func seen(_ host: String) throws -> String {
      let client = RunningAtoll(
        ["s_client", "-connect", address, "-servername", host],
        program: try #require(findProgram("openssl"))
      ).wait()
      let leaves = try ["one", "two", "wild"].filter {
        let chain = try certificates.get($0)?.leaf?.pem
        return client.stdout.contains(try #require(chain))
      }
      return leaves.joined(separator: " ")
    }
    func attach(_ domain: String, _ certificate: String) {
      let result = edge.atoll("domain", "attach", "shop", domain, "--cert", certificate)
      #expect(result.exitCode == 0, "\(result.stderr)")
    }
    attach("*.shop.example", "wild")
    attach("www.shop.example", "two")
    #expect(try seen("www.shop.example") == "two")
    #expect(try seen("blog.shop.example") == "wild")
    attach("www.shop.example", "one")
    #expect(try seen("www.shop.example") == "one")
    attach("www.shop.example", "wild")
    #expect(try seen("www.shop.example") == "wild")
    #expect(try seen("shop.example").isEmpty)
    #expect(edge.end().exitCode == 0)
  }

  @Test func `where DNS knows nothing the edges are asked by https, too`() throws {
    let origin = ScriptedServer(response("Cache-Control: max-age=60"))
    let edge = try RunningEdge(["--https", "127.0.0.1:0"])
    let names = ScriptedNameServer([:])
    defer { names.end() }
    _ = edge.atoll("create", "shop", "--origin", "http://127.0.0.1:\(origin.port)")
    #expect(edge.atoll("cert", "create", "mine", "--local", "-d", "www.shop.example").exitCode == 0)
    #expect(edge.atoll("domain", "attach", "shop", "www.shop.example").exitCode == 0)
    let check = ["domain", "check", "shop", "--dns-server", names.address]
    let home = ["ATOLL_HOME": edge.home.path + "/store"]
    let result = runAtoll(check, env: home)
    #expect(result.exitCode == 1)
    #expect(
      result.stdout.contains("https        ok       \(edge.secureAddress): 200 over TLSv1.3\n"),
      "\(result.stdout)")
    #expect(result.stdout.contains("http         ok       \(edge.address): 200\n"))
    // What stands on the command line is looked at before anything is asked.
    let bad = runAtoll(check + ["--ca", "/no/ca.pem"], env: home)
    #expect(bad.exitCode == 2 && bad.stdout.isEmpty)
    #expect(
      bad.stderr == """
        atoll: error: --ca: the file "/no/ca.pem" does not exist
        atoll: hint: put it there, or name another

        """)
    let other = edge.home.write("other.pem", TestAuthority().certificate)
    let unknown = runAtoll(check + ["--ca", other], env: home)
    #expect(unknown.stdout.contains("https        fault    "), "\(unknown.stdout)")
    #expect(edge.end().exitCode == 0)
    // An edge without TLS.
    let plain = try RunningEdge([], home: edge.home)
    let without = runAtoll(check, env: home)
    #expect(without.stdout.contains("https        fault    no edge here listens for it"))
    #expect(plain.end().exitCode == 0)
  }

  @Test func `an edge follows attaching and detaching`() throws {
    let one = ScriptedServer(response("Cache-Control: max-age=60"))
    let edge = try RunningEdge([])
    for name in ["shop", "blog"] {
      _ = edge.atoll("create", name, "--origin", "http://127.0.0.1:\(one.port)")
    }
    #expect(edge.verdict("/", host: "www.shop.example").hasPrefix("421"))
    #expect(edge.atoll("domain", "attach", "shop", "www.shop.example", "--no-cert").exitCode == 0)
    #expect(edge.verdict("/", host: "www.shop.example") == "200 miss, stored")
    #expect(edge.atoll("domain", "detach", "shop", "www.shop.example").exitCode == 0)
    #expect(edge.verdict("/", host: "www.shop.example").contains("domain-detached"))
    #expect(
      edge.atoll("domain", "detach", "shop", "www.shop.example", "--forget").exitCode == 0)
    #expect(edge.verdict("/", host: "www.shop.example").hasPrefix("421"))
  }
}
