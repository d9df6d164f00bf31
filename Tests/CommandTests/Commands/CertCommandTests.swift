// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc
import TestSupport
import Testing

@testable import atoll

/// openssl, where it is installed.
private func openssl(_ arguments: String..., stdin: String = "") -> Finished? {
  guard let program = findProgram("openssl") else { return nil }
  return RunningAtoll(arguments, stdin: stdin, program: program).wait()
}

extension Home {
  /// The store's path of a certificate's file.
  fileprivate func path(_ name: String, _ file: String) -> String {
    directory.file("store/certificates/\(name)/\(file)")
  }

  fileprivate func mode(_ path: String) -> mode_t {
    var status = stat()
    stat(path, &status)
    return status.st_mode & 0o777
  }
}

@Suite struct CertCreateTests {
  @Test func `a local certificate is made, and verifies against the root`() throws {
    let home = Home()
    let result = home.atoll(
      "cert", "create", "shop", "--local", "--domain", "shop.test", "-d", "*.shop.test,127.0.0.1")
    #expect(result.exitCode == 0, "\(result.stderr)")
    #expect(
      result.stdout.hasPrefix(
        "created the certificate \"shop\"\n  domains  shop.test, *.shop.test, 127.0.0.1\n  expires  "
      ))
    #expect(result.stderr.contains("see atoll cert authority"))
    let root = home.atoll("cert", "authority", "-q")
    #expect(root.exitCode == 0 && root.stderr.isEmpty)
    let file = home.directory.write("root.pem", root.stdout)
    guard
      let verified = openssl(
        "verify", "-CAfile", file, "-purpose", "sslserver", "-verify_hostname", "www.shop.test",
        home.path("shop", "certificate.pem"))
    else { return }
    #expect(verified.exitCode == 0, "\(verified.stderr)")
    let text = try #require(
      openssl("x509", "-in", home.path("shop", "certificate.pem"), "-noout", "-text"))
    #expect(text.stdout.contains("DNS:shop.test, DNS:*.shop.test, IP Address:127.0.0.1"))
    #expect(text.stdout.contains("TLS Web Server Authentication"))
    let strict = try #require(
      openssl("verify", "-x509_strict", "-CAfile", file, home.path("shop", "certificate.pem")))
    #expect(strict.exitCode == 0, "\(strict.stderr)")
    let key = try #require(
      openssl("pkey", "-in", home.path("shop", "key.pem"), "-pubout", "-check"))
    let certified = try #require(
      openssl("x509", "-in", home.path("shop", "certificate.pem"), "-noout", "-pubkey"))
    #expect(key.stdout.contains(certified.stdout))
    #expect(home.mode(home.path("shop", "key.pem")) == 0o600)
    #expect(home.mode(home.path("shop", "")) == 0o700)
  }

  @Test(arguments: ["p384", "rsa2048"])
  func `the kind of key can be chosen`(type: String) throws {
    let home = Home()
    home.atoll("cert", "create", "shop", "--local", "-d", "shop.test", "--key", type)
    let view = home.atoll("cert", "show", "shop").stdout
    #expect(view.contains(type == "p384" ? "Key        ECDSA P-384\n" : "Key        RSA 2048\n"))
    guard
      let verified = openssl(
        "verify", "-x509_strict", "-CAfile",
        home.directory.file("store/authority/root/certificate.pem"),
        home.path("shop", "certificate.pem"))
    else { return }
    #expect(verified.exitCode == 0, "\(verified.stderr)")
  }

  @Test func `without domains it is for those of the distribution of its name`() throws {
    let home = Home()
    home.atoll("create", "Shop_1", "--origin", "http://localhost:3000", "--quiet")
    home.atoll("domain", "attach", "Shop_1", "*.shop.test", "shop.test", "--no-cert")
    let id = try #require(try Catalog(home.store).get("Shop_1")).id
    let result = home.atoll("cert", "create", "Shop_1", "--local")
    #expect(result.exitCode == 0, "\(result.stderr)")
    let stored = try #require(try CertificateCatalog(home.store).get("Shop_1"))
    #expect(
      stored.domains
        == ["*.shop.test", "shop.test", "shop_1.atoll.localhost", "\(id).atoll.localhost"])
    #expect(try #require(stored.leaf).domains.sorted() == stored.domains.sorted())
    // What it was made for is attached with it now.
    home.atoll("domain", "attach", "Shop_1", "shop.test", "--cert", "Shop_1")
    #expect(
      try home.domains("Shop_1").first { $0.name == "shop.test" }?.certificates == ["Shop_1"])
  }

  @Test func `without a distribution of its name it is for its name`() throws {
    let home = Home()
    #expect(home.atoll("cert", "create", "Lab.Shop.test", "--local").exitCode == 0)
    let stored = try #require(try CertificateCatalog(home.store).get("Lab.Shop.test"))
    #expect(stored.domains == ["lab.shop.test"])
  }

  @Test func `one that exists is not made again`() {
    let home = Home()
    let create = ["cert", "create", "shop", "--local", "--domain", "shop.test"]
    #expect(home.run(create).exitCode == 0)
    let before = home.directory.read("store/certificates/shop/key.pem")
    let again = home.run(create)
    #expect(again.exitCode == 1)
    #expect(
      again.stderr.hasPrefix("atoll: error: a certificate named \"shop\" exists already\n"))
    let same = home.run(create + ["--if-missing"])
    #expect(same.exitCode == 0)
    #expect(same.stdout == "the certificate \"shop\" is unchanged\n")
    #expect(home.directory.read("store/certificates/shop/key.pem") == before)
  }

  @Test(arguments: [
    (["shop", "--domain", "a.test"], "missing --local"), (["shop", "--local"], "missing --domain"),
    (["sh op", "--local", "-d", "a.test"], "the name \"sh op\" has other characters"),
    (["shop", "--local", "-d", "https://a.test/"], "-d: \"https://a.test/\" is a URL"),
    (["--local", "-d", "a.test"], "missing <name>"),
    (
      ["shop", "--local", "-d", "a.test", "--key", "dsa"], "--key: \"dsa\" is not one of its values"
    ),
  ])
  func `what is missing or wrong is told`(arguments: [String], message: String) {
    let home = Home()
    let result = home.run(["cert", "create"] + arguments)
    #expect(result.exitCode == 2)
    #expect(result.stdout.isEmpty)
    #expect(result.stderr.hasPrefix("atoll: error: \(message)"), "\(result.stderr)")
    #expect(result.stderr.contains("\natoll: hint: "))
  }

  @Test func `the document of --json has no key in it`() throws {
    let home = Home()
    let result = home.atoll(
      "cert", "create", "shop", "--local", "--domain", "shop.test", "--json")
    let node = try JSONReader.read(Array(result.stdout.utf8))
    #expect(node["schemaVersion"]?.integer == 1)
    #expect(node["result"]?.text == "created")
    let certificate = try #require(node["certificate"])
    #expect(certificate["status"]?.text == "valid")
    #expect(certificate["source"]?.text == "local")
    #expect(certificate["domains"]?.elements?.compactMap(\.text) == ["shop.test"])
    let issued = try #require(certificate["issued"]?.time)
    let expires = try #require(certificate["expires"]?.time)
    #expect((90 * 86_400...90 * 86_400 + 3_600).contains(expires - issued))
    for text in [
      result.stdout, home.atoll("cert", "show", "shop", "--json").stdout,
      home.atoll("cert", "list", "--json").stdout, home.atoll("cert", "show", "shop").stdout,
      home.atoll("cert", "show", "shop", "--pem").stdout,
      home.atoll("cert", "authority", "--json").stdout,
    ] {
      #expect(!text.contains("PRIVATE KEY"))
      #expect(!text.isEmpty)
    }
  }
}

@Suite struct CertListShowDeleteTests {
  @Test func `an empty store is no error`() {
    let home = Home()
    let result = home.atoll("cert", "list")
    #expect(result.exitCode == 0 && result.stdout.isEmpty)
    #expect(
      result.stderr
        == "atoll: there is no certificate yet; atoll cert import takes yours over\n")
    #expect(
      home.atoll("cert", "list", "--json").stdout
        == "{\n  \"schemaVersion\": 1,\n  \"certificates\": [],\n  \"invalid\": []\n}\n")
    // Looking makes nothing.
    #expect(TemporaryDirectory.names(in: home.directory.path)?.isEmpty == true)
  }

  @Test func `certificates are listed and shown`() throws {
    let home = Home()
    home.atoll("cert", "create", "shop", "--local", "-d", "shop.test")
    home.atoll("cert", "create", "blog", "--local", "-d", "blog.test", "-d", "www.blog.test")
    let lines = home.atoll("cert", "list").stdout.split(separator: "\n")
    #expect(lines.count == 3)
    #expect(lines[0].hasPrefix("NAME  STATUS  SOURCE"))
    #expect(lines[1].hasPrefix("blog  valid   local "))
    #expect(lines[1].contains("(in 89 days)") || lines[1].contains("(in 90 days)"))
    #expect(lines[1].hasSuffix("blog.test, www.blog.test"))
    #expect(home.atoll("cert", "list", "-q").stdout == "blog\nshop\n")
    #expect(home.atoll("__complete", "certificates").stdout == "blog\nshop\n")
    let show = home.atoll("cert", "show", "shop").stdout
    for text in [
      "Name       shop\n", "Status     valid\n", "Domains    shop.test\n",
      "Issuer     CN=atoll local",
      "Key        ECDSA P-256\n", "Signature  ECDSA with SHA-256\n", "Used by    no distribution\n",
      "Renewal    by the running edge from ", home.path("shop", "key.pem"),
    ] {
      #expect(show.contains(text), "\(text)")
    }
    if let printed = openssl(
      "x509", "-noout", "-fingerprint", "-sha256",
      stdin: home.atoll("cert", "show", "shop", "--pem").stdout)
    {
      let fingerprint = printed.stdout.split(separator: "=").last.map(String.init) ?? "none"
      #expect(show.contains(fingerprint))
    }
  }

  @Test func `a name that is not there is told with the nearest`() {
    let home = Home()
    home.atoll("cert", "create", "shop", "--local", "-d", "shop.test")
    for verb in [["show"], ["delete", "--yes"]] {
      let result = home.run(["cert"] + verb + ["shpo"])
      #expect(result.exitCode == 1)
      #expect(
        result.stderr
          == "atoll: error: no certificate named \"shpo\"\natoll: hint: did you mean \"shop\"?\n")
    }
    #expect(home.atoll("cert", "show", "../x").exitCode == 1)
  }

  @Test func `a damaged certificate is told and can be deleted`() {
    let home = Home()
    home.atoll("cert", "create", "shop", "--local", "-d", "shop.test")
    home.atoll("cert", "create", "blog", "--local", "-d", "blog.test")
    home.directory.write("store/certificates/shop/certificate.pem", "nothing\n")
    home.directory.write("store/certificates/blog/certificate.json", "{")
    let list = home.atoll("cert", "list")
    #expect(list.exitCode == 0)
    #expect(list.stdout.contains("\nblog  damaged"))
    #expect(list.stdout.contains("\nshop  damaged"))
    #expect(list.stderr.contains("the certificate \"blog\" is damaged"))
    #expect(list.stderr.contains("the certificate \"shop\""))
    #expect(home.atoll("cert", "delete", "blog", "--yes").exitCode == 0)
    #expect(home.atoll("cert", "delete", "shop", "--yes").exitCode == 0)
    #expect(home.atoll("cert", "list", "-q").stdout.isEmpty)
  }

  @Test(arguments: [[], ["--if-missing"]])
  func `a damaged record of one in use is replaced by another`(options: [String]) throws {
    let home = Home()
    home.atoll("create", "site", "--origin", "http://localhost:3000", "--quiet")
    home.atoll("cert", "create", "shop", "--local", "-d", "shop.test")
    home.atoll("domain", "attach", "site", "shop.test", "--cert", "shop")
    home.directory.write("store/certificates/shop/certificate.json", "{")
    let create = ["cert", "create", "shop", "--local"] + options
    let wrong = home.run(create + ["-d", "www.shop.test"])
    #expect(wrong.exitCode == 2 && wrong.stderr.contains("is not for shop.test"), "\(wrong.stderr)")
    #expect(wrong.stderr.contains("name it with --domain, too"))
    #expect(readText(home.path("shop", "certificate.json")) == "{")
    let mended = home.run(create + ["-d", "shop.test"])
    #expect(mended.exitCode == 0, "\(mended.stderr)")
    #expect(mended.stdout.hasPrefix("replaced the certificate \"shop\"\n"), "\(mended.stdout)")
    #expect(mended.stderr.contains("\"shop\" is damaged: line "), "\(mended.stderr)")
    #expect(home.atoll("cert", "list").stdout.contains("\nshop  valid "))
    let again = home.run(create + ["-d", "shop.test"])
    #expect(again.exitCode == (options.isEmpty ? 1 : 0))
  }

  @Test(arguments: ["truncated", "empty", "garbage", "another's", "missing"])
  func `a damaged key is told with what to do, and can be had anew`(damage: String) throws {
    let home = Home()
    home.atoll("create", "site", "--origin", "http://localhost:3000", "--quiet")
    home.atoll("cert", "create", "shop", "--local", "-d", "shop.test")
    home.atoll("cert", "create", "blog", "--local", "-d", "blog.test")
    home.atoll("domain", "attach", "site", "shop.test", "--cert", "shop")
    let path = home.path("shop", "key.pem")
    let key = try #require(readText(path))
    let file = "store/certificates/shop/key.pem"
    switch damage {
    case "truncated": home.directory.write(file, String(key.prefix(80)))
    case "empty": home.directory.write(file, "")
    case "garbage": home.directory.write(file, "\u{0}\u{1}key\n")
    case "another's": home.directory.write(file, readText(home.path("blog", "key.pem")) ?? "")
    default: unlink(path)
    }
    let message = "the certificate \"shop\" is damaged: its private key "
    let list = home.atoll("cert", "list")
    #expect(list.exitCode == 0)
    #expect(list.stdout.contains("\nshop  damaged  local"), "\(list.stdout)")
    #expect(list.stdout.contains("\nblog  valid "))
    #expect(list.stderr.contains("atoll: warning: \(message)"), "\(list.stderr)")
    #expect(list.stderr.contains("atoll: hint: have another made with atoll cert renew shop, or "))
    let show = home.atoll("cert", "show", "shop")
    #expect(show.stdout.contains("Status     damaged\n") && show.stderr.contains(message))
    let json = try JSONReader.read(Array(home.atoll("cert", "list", "--json").stdout.utf8))
    let shop = try #require(json["certificates"]?.elements?.last)
    #expect(shop["status"]?.text == "damaged" && shop["name"]?.text == "shop")
    #expect(shop["problem"]?.text?.hasPrefix(message) == true)
    #expect(shop["hint"]?.text?.contains("atoll cert renew shop") == true)
    let names = ScriptedNameServer([:])
    defer { names.end() }
    let check = home.atoll("domain", "check", "site", "--dns-server", names.address)
    #expect(check.exitCode == 1)
    #expect(check.stdout.contains("certificate  fault    \(message)"), "\(check.stdout)")
    #expect(check.stdout.contains("fix      have another made with atoll cert renew shop"))
    // Nothing else is attached with it.
    home.atoll("create", "other", "--origin", "http://localhost:3000", "--quiet")
    home.atoll("domain", "detach", "site", "shop.test")
    let attached = home.atoll("domain", "attach", "other", "shop.test", "--cert", "shop")
    #expect(attached.exitCode == 1 && attached.stderr.contains(message), "\(attached.stderr)")
    for result in [list, show, check, attached] {
      for line in key.split(separator: "\n") where !line.hasPrefix("---") {
        #expect(!(result.stdout + result.stderr).contains(line))
      }
    }
    // Due or not.
    let renewed = home.atoll("cert", "renew")
    #expect(renewed.exitCode == 0, "\(renewed.stderr)")
    #expect(renewed.stdout.contains("renewed \"shop\""), "\(renewed.stdout)")
    #expect(home.atoll("cert", "list").stdout.contains("\nshop  valid "))
  }

  @Test func `a damaged key of the one for default domains is told, too`() throws {
    let home = Home()
    home.atoll("create", "site", "--origin", "http://localhost:3000", "--quiet")
    try home.certify(DefaultCertificate.name, "*.atoll.localhost")
    #expect(
      home.atoll("domain", "check", "site").stdout.contains("ok       of the store's own authority")
    )
    unlink(home.path(DefaultCertificate.name, "key.pem"))
    let check = home.atoll("domain", "check", "site")
    #expect(
      check.stdout.contains(
        "fault    the certificate \"default-domains\" is damaged: its private key is missing\n"),
      "\(check.stdout)")
    home.directory.write("store/certificates/\(DefaultCertificate.name)/certificate.json", "{")
    let unread = home.atoll("domain", "check", "site").stdout
    #expect(unread.contains("the certificate \"default-domains\" is damaged: line "), "\(unread)")
  }

  @Test func `deleting needs a yes`() {
    let home = Home()
    home.atoll("cert", "create", "shop", "--local", "-d", "shop.test")
    let result = home.atoll("cert", "delete", "shop")
    #expect(result.exitCode == 2)
    #expect(result.stderr.contains("deleting the certificate \"shop\" needs a yes"))
    let done = home.atoll("cert", "delete", "shop", "--yes", "--json")
    #expect(done.exitCode == 0)
    #expect(done.stdout.contains("\"result\": \"deleted\""))
    #expect(home.atoll("cert", "delete", "shop", "--yes", "--if-exists").exitCode == 0)
    #expect(TemporaryDirectory.names(in: home.directory.file("store/certificates")) == [])
  }

  @Test func `the one for default domains is kept while an edge shows it`() throws {
    let edge = try RunningEdge(["--https", "127.0.0.1:0"])
    let refused = edge.atoll("cert", "delete", DefaultCertificate.name, "--yes")
    #expect(refused.exitCode == 1)
    #expect(
      refused.stderr.hasPrefix(
        "atoll: error: running edges show the certificate \"default-domains\" where no other fits"),
      "\(refused.stderr)")
    #expect(edge.end().exitCode == 0)
    #expect(edge.atoll("cert", "delete", DefaultCertificate.name, "--yes").exitCode == 0)
  }

  @Test func `a certificate in use is kept, and said where it is used`() {
    let home = Home()
    home.atoll("create", "site", "--origin", "http://localhost:3000")
    home.atoll("cert", "create", "shop", "--local", "-d", "shop.test")
    #expect(home.atoll("domain", "attach", "site", "shop.test", "--cert", "shop").exitCode == 0)
    let refused = home.atoll("cert", "delete", "shop", "--yes")
    #expect(refused.exitCode == 1)
    #expect(
      refused.stderr.hasPrefix(
        "atoll: error: the distribution \"site\" uses the certificate \"shop\" for shop.test\n"))
    #expect(home.atoll("cert", "show", "shop").stdout.contains("Used by    site: shop.test\n"))
    #expect(home.atoll("cert", "list").stdout.contains("  site     shop.test\n"))
    let json = home.atoll("cert", "list", "--json").stdout
    #expect(json.contains("\"distribution\": \"site\""))
    #expect(home.atoll("domain", "detach", "site", "shop.test").exitCode == 0)
    #expect(home.atoll("cert", "delete", "shop", "--yes").exitCode == 0)
  }

  @Test func `the root is printed with how to trust it`() throws {
    let home = Home()
    let result = home.atoll("cert", "authority")
    #expect(result.stdout.hasPrefix("-----BEGIN CERTIFICATE-----\n"))
    #expect(result.stdout.hasSuffix("-----END CERTIFICATE-----\n"))
    for place in ["Debian", "Fedora", "macOS", "Firefox", "nssdb", "Windows"] {
      #expect(result.stderr.contains(place), "\(place)")
    }
    let path = home.directory.file("store/authority/root/certificate.pem")
    #expect(result.stderr.contains(path))
    #expect(readText(path) == result.stdout)
    #expect(home.atoll("cert", "authority", "-q").stdout == result.stdout)
    let node = try JSONReader.read(Array(home.atoll("cert", "authority", "--json").stdout.utf8))
    #expect(node["pem"]?.text == result.stdout)
    #expect(node["path"]?.text == path)
    #expect(node["trust"]?.elements?.isEmpty == false)
    #expect(home.mode(home.directory.file("store/authority/root/key.pem")) == 0o600)
    if let text = openssl("x509", "-noout", "-text", stdin: result.stdout) {
      #expect(text.stdout.contains("CA:TRUE, pathlen:0"))
      #expect(text.stdout.contains("Certificate Sign, CRL Sign"))
    }
  }
}

@Suite struct CertImportTests {
  /// Files of a certificate with its chain, made by openssl.
  private struct Files {
    let directory = TemporaryDirectory()
    var root: String { directory.file("root.pem") }
    var leaf: String { directory.file("leaf.pem") }
    var key: String { directory.file("leaf.key") }

    init?(days: String = "60", domain: String = "shop.test") {
      directory.write("ca.ext", "basicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=hash\n")
      directory.write(
        "leaf.ext",
        "subjectAltName=DNS:\(domain),DNS:*.\(domain)\nextendedKeyUsage=serverAuth\n")
      let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
      let steps: [[String]] = [
        ["req", "-x509"] + curve + [
          "-keyout", "ROOT.key", "-out", "ROOT.pem", "-subj", "/CN=Test Root", "-days", "90",
        ],
        ["req"] + curve + ["-keyout", "INTER.key", "-out", "INTER.csr", "-subj", "/CN=Test Inter"],
        [
          "x509", "-req", "-in", "INTER.csr", "-CA", "ROOT.pem", "-CAkey", "ROOT.key",
          "-CAcreateserial", "-out", "INTER.pem", "-days", "80", "-extfile", "ca.ext",
        ],
        ["req"] + curve + ["-keyout", "LEAF.key", "-out", "LEAF.csr", "-subj", "/CN=shop.test"],
        [
          "x509", "-req", "-in", "LEAF.csr", "-CA", "INTER.pem", "-CAkey", "INTER.key",
          "-CAcreateserial", "-out", "LEAF.pem", "-days", days, "-extfile", "leaf.ext",
        ],
        [
          "pkcs8", "-topk8", "-in", "LEAF.key", "-out", "LEAF.enc", "-passout", "pass:open sesame",
        ],
        ["x509", "-in", "LEAF.pem", "-outform", "der", "-out", "LEAF.der"],
        [
          "pkcs12", "-export", "-in", "LEAF.pem", "-inkey", "LEAF.key", "-out", "LEAF.p12",
          "-passout", "pass:x",
        ],
      ]
      guard let program = findProgram("openssl") else { return nil }
      for step in steps {
        let arguments = step.map { word in
          word.contains("=") || !word.contains(".") ? word : directory.file(word.lowercased())
        }
        let result = RunningAtoll(arguments, program: program).wait()
        #expect(result.exitCode == 0, "\(step): \(result.stderr)")
      }
    }
  }

  @Test func `a certificate of openssl's is imported, and replaced by its successor`() throws {
    guard let files = Files() else { return }
    let home = Home()
    let inter = files.directory.file("inter.pem")
    let arguments = ["cert", "import", "shop", files.key, inter, files.root, files.leaf]
    let result = home.run(arguments)
    #expect(result.exitCode == 0, "\(result.stderr)")
    #expect(
      result.stdout.hasPrefix(
        "imported the certificate \"shop\"\n  domains  shop.test, *.shop.test\n"))
    #expect(result.stderr.contains("only viewers that trust \"Test Root\" accept it"))
    #expect(result.stderr.contains("the chain's order was mended"))
    #expect(
      readText(home.path("shop", "certificate.pem"))
        == (readText(files.leaf) ?? "") + (readText(inter) ?? ""))
    #expect(home.mode(home.path("shop", "key.pem")) == 0o600)
    let same = home.run(arguments)
    #expect(same.exitCode == 0)
    #expect(same.stdout == "the certificate \"shop\" is unchanged\n")
    let show = home.atoll("cert", "show", "shop").stdout
    #expect(show.contains("Source     imported\n"))
    #expect(show.contains("Chain      Test Inter, until "))
    guard let next = Files(days: "70") else { return }
    let dry = home.atoll(
      "cert", "import", "shop", next.leaf, next.directory.file("inter.pem"), next.root, next.key,
      "--dry-run")
    #expect(dry.stdout.hasPrefix("would import the certificate \"shop\"\n"))
    #expect(readText(home.path("shop", "certificate.pem"))?.contains(readText(files.leaf)!) == true)
    let replaced = home.atoll(
      "cert", "import", "shop", next.leaf, next.directory.file("inter.pem"), next.root, next.key)
    #expect(replaced.stdout.hasPrefix("replaced the certificate \"shop\"\n"))
    #expect(readText(home.path("shop", "certificate.pem"))?.contains(readText(next.leaf)!) == true)
  }

  @Test func `the same files mend what was damaged in the store`() {
    guard let files = Files() else { return }
    let home = Home()
    let arguments = [
      "cert", "import", "shop", files.key, files.directory.file("inter.pem"), files.root,
      files.leaf,
    ]
    #expect(home.run(arguments).exitCode == 0)
    home.directory.write("store/certificates/shop/key.pem", "nothing\n")
    let list = home.atoll("cert", "list")
    #expect(list.stdout.contains("\nshop  damaged  imported"))
    #expect(
      list.stderr.contains("hint: import it again with atoll cert import shop <file>..., or "),
      "\(list.stderr)")
    let mended = home.run(arguments)
    #expect(mended.exitCode == 0, "\(mended.stderr)")
    #expect(mended.stdout.hasPrefix("replaced the certificate \"shop\"\n"), "\(mended.stdout)")
    #expect(home.atoll("cert", "list").stdout.contains("\nshop  valid "))
  }

  @Test func `a damaged record of one in use is replaced`() throws {
    guard let files = Files() else { return }
    let home = Home()
    home.atoll("create", "site", "--origin", "http://localhost:3000", "--quiet")
    let arguments = [
      "cert", "import", "shop", files.key, files.directory.file("inter.pem"), files.root,
      files.leaf,
    ]
    home.run(arguments)
    let attached = home.atoll("domain", "attach", "site", "shop.test", "--cert", "shop")
    #expect(attached.exitCode == 0, "\(attached.stderr)")
    home.directory.write("store/certificates/shop/certificate.json", "{")
    #expect(home.atoll("cert", "delete", "shop", "--yes").exitCode == 1)
    let show = home.atoll("cert", "show", "shop")
    #expect(show.exitCode == 1)
    #expect(
      show.stderr.contains("hint: put another in its place with atoll cert import shop <file>...,"),
      "\(show.stderr)")
    guard let foreign = Files(domain: "other.test") else { return }
    let wrong = home.atoll(
      "cert", "import", "shop", foreign.key, foreign.directory.file("inter.pem"), foreign.root,
      foreign.leaf)
    #expect(wrong.exitCode == 2 && wrong.stderr.contains("is not for shop.test"))
    let dry = home.run(arguments + ["--dry-run"])
    #expect(dry.stdout.hasPrefix("would import the certificate \"shop\"\n"), "\(dry.stderr)")
    #expect(readText(home.path("shop", "certificate.json")) == "{")
    let mended = home.run(arguments + ["--json"])
    #expect(mended.exitCode == 0, "\(mended.stderr)")
    let result = try JSONReader.read(Array(mended.stdout.utf8))
    #expect(result["result"]?.text == "updated")
    let note = try #require(result["notes"]?.elements?.last?.text)
    #expect(note.hasPrefix("the certificate \"shop\" is damaged: line "), "\(note)")
    #expect(note.hasSuffix("; another takes its place"))
    #expect(home.atoll("cert", "list").stdout.contains("\nshop  valid "))
    #expect(home.run(arguments).stdout == "the certificate \"shop\" is unchanged\n")
  }

  @Test func `stdin and an encrypted key will do`() {
    guard let files = Files() else { return }
    let home = Home()
    let chain =
      (readText(files.leaf) ?? "") + (readText(files.directory.file("inter.pem")) ?? "")
      + (readText(files.root) ?? "")
    let encrypted = files.directory.file("leaf.enc")
    let none = home.atoll("cert", "import", "shop", "-", encrypted, stdin: chain)
    #expect(none.exitCode == 2)
    #expect(none.stderr.contains("leaf.enc:1: the private key is encrypted"))
    #expect(none.stderr.contains("--passphrase-file"))
    let wrong = home.atoll(
      "cert", "import", "shop", "-", encrypted, "--passphrase-file",
      files.directory.write("wrong", "sesame\n"), stdin: chain)
    #expect(wrong.exitCode == 2)
    #expect(wrong.stderr.contains("the passphrase does not open the private key"))
    let right = home.atoll(
      "cert", "import", "shop", "-", encrypted, "--passphrase-file",
      files.directory.write("right", "open sesame\n"), stdin: chain)
    #expect(right.exitCode == 0, "\(right.stderr)")
    #expect(!(right.stdout + right.stderr).contains("sesame"))
    // What is stored can be used without it.
    #expect(readText(home.path("shop", "key.pem"))?.hasPrefix("-----BEGIN PRIVATE KEY") == true)
  }

  @Test func `what cannot be used is refused with what to do`() {
    guard let files = Files() else { return }
    let home = Home()
    func refusal(_ arguments: [String], code: Int32 = 2) -> String {
      let result = home.run(["cert", "import", "shop"] + arguments)
      #expect(result.exitCode == code, "\(arguments)")
      #expect(result.stdout.isEmpty)
      #expect(result.stderr.contains("atoll: hint: "))
      return result.stderr
    }
    let inter = files.directory.file("inter.pem")
    #expect(
      refusal([files.leaf, files.key]).contains(
        "the certificate of \"Test Inter\", which issued \"shop.test\", is missing"))
    #expect(
      refusal([files.leaf, inter, files.root, files.directory.file("root.key")]).contains(
        "the private key is that of the authority \"Test Root\"")
        || refusal([files.leaf, inter, files.directory.file("root.key")]).contains(
          "the private key is not that of")
    )
    #expect(
      refusal([files.directory.file("leaf.der"), files.key]).contains(
        "leaf.der: is a certificate in DER, not PEM"))
    #expect(
      refusal([files.directory.file("leaf.p12")]).contains("leaf.p12: is PKCS #12, not PEM"))
    #expect(
      refusal([files.directory.file("leaf.csr"), files.key]).contains(
        "leaf.csr: is a request for a certificate"))
    #expect(refusal([files.directory.file("none.pem")]).contains("cannot read "))
    #expect(refusal([files.leaf]).contains("no private key there"))
    #expect(refusal([]).contains("missing <file>"))
    #expect(home.atoll("cert", "list", "-q").stdout.isEmpty)
    // A certificate that renews itself is not overwritten.
    home.atoll("cert", "create", "shop", "--local", "-d", "shop.test")
    #expect(
      refusal([files.leaf, inter, files.root, files.key], code: 1).contains(
        "the certificate \"shop\" is made by the store's own authority and renews itself"))
  }

  @Test func `a root of the system's need not be given`() {
    guard let files = Files() else { return }
    let home = Home()
    let arguments = [
      "cert", "import", "shop", files.leaf, files.directory.file("inter.pem"), files.key,
    ]
    let missing = home.run(arguments)
    #expect(missing.exitCode == 2)
    #expect(missing.stderr.contains("the certificate of \"Test Root\", which issued"))
    let known = home.run(arguments, env: ["SSL_CERT_FILE": files.root])
    #expect(known.exitCode == 0, "\(known.stderr)")
    #expect(known.stderr.isEmpty)
  }

  @Test func `a successor has to cover what is in use`() {
    guard let files = Files() else { return }
    let home = Home()
    let own = [home.directory.file("own.pem"), home.directory.file("own.key")]
    _ = openssl(
      "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
      "/CN=blog.test", "-addext", "subjectAltName=DNS:blog.test", "-days", "60", "-out", own[0],
      "-keyout", own[1])
    home.atoll("create", "site", "--origin", "http://localhost:3000")
    #expect(home.run(["cert", "import", "shop"] + own).exitCode == 0)
    #expect(home.atoll("domain", "attach", "site", "blog.test", "--cert", "shop").exitCode == 0)
    let result = home.atoll(
      "cert", "import", "shop", files.leaf, files.directory.file("inter.pem"), files.root, files.key
    )
    #expect(result.exitCode == 2)
    #expect(
      result.stderr.contains(
        "the certificate is not for blog.test, for which the distribution \"site\" uses \"shop\""))
  }

  @Test func `an incomplete chain can be insisted on`() {
    guard let files = Files() else { return }
    let home = Home()
    let result = home.atoll(
      "cert", "import", "shop", files.leaf, files.key, "--allow-incomplete")
    #expect(result.exitCode == 0, "\(result.stderr)")
    #expect(result.stderr.contains("warning: the certificate of \"Test Inter\""))
    // What was given already is no hint, and no way out of another refusal.
    #expect(!result.stderr.contains("--allow-incomplete"), "\(result.stderr)")
    home.atoll("create", "site", "--origin", "http://localhost:3000")
    #expect(home.atoll("domain", "attach", "site", "shop.test").exitCode == 0)
    guard let other = Files(domain: "blog.test") else { return }
    let refused = home.atoll(
      "cert", "import", "shop", other.leaf, other.key, "--allow-incomplete")
    #expect(refused.exitCode == 2 && refused.stderr.contains("is not for shop.test"))
    #expect(!refused.stderr.contains("--allow-incomplete"), "\(refused.stderr)")
  }
}
