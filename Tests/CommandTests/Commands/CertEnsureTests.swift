// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc
import TestSupport
import Testing

@testable import atoll

/// `cert ensure` and `cert renew` against a real ACME server.
@Suite(.enabled(if: Pebble.isInstalled), .timeLimit(.minutes(20)))
struct CertEnsureTests {
  /// A store of a test's own.
  private struct Home {
    let directory = TemporaryDirectory()

    var store: DirectoryStore { DirectoryStore(home: directory.path + "/store") }
    var environment: [String: String] { ["ATOLL_HOME": directory.path + "/store"] }

    func atoll(_ arguments: [String], env: [String: String] = [:]) -> Finished {
      runAtoll(arguments, env: environment.merging(env) { $1 })
    }

    func ensure(
      _ name: String, _ pebble: Pebble, _ arguments: String..., env: [String: String] = [:]
    ) -> Finished {
      atoll(["cert", "ensure", name] + arguments + pebble.options, env: env)
    }

    func certificate(_ name: String) throws -> StoredCertificate {
      try #require(try CertificateCatalog(store).get(name))
    }

    func leaf(_ name: String) throws -> CertificateInfo {
      try #require(try certificate(name).leaf)
    }

    var accountKey: String? {
      get throws {
        let key = try store.keys("accounts/").first
        return try key.flatMap { try store.read($0) }
          .flatMap { try JSONReader.read($0.value)["key"]?.text }
      }
    }
  }

  @Test func `a certificate is obtained by http-01, and then there is nothing to do`() throws {
    let pebble = try Pebble()
    let home = Home()
    let first = home.ensure(
      "shop", pebble, "--domain", "Shop.Example", "--domain", "www.shop.example,bücher.example",
      "--email", "me@shop.example")
    #expect(first.exitCode == 0, "\(first.stderr)")
    #expect(
      first.stdout.hasPrefix(
        "obtained \"shop\" for shop.example, www.shop.example and xn--bcher-kva.example: good "
          + "until "), "\(first.stdout)")
    #expect(first.stderr.contains("\"bücher.example\" is asked for as xn--bcher-kva.example"))
    #expect(first.stderr.contains("opened an account with 127.0.0.1:\(pebble.ports.directory)"))
    let certificate = try home.certificate("shop")
    let leaf = try home.leaf("shop")
    #expect(leaf.domains.sorted() == certificate.domains.sorted())
    #expect(leaf.publicKey.algorithm == .p256)
    #expect(certificate.renewal.lastError == nil && certificate.acme?.challenge == .http)
    // The leaf, then its issuer; the root is the viewers'.
    #expect(try CertificateInfo.chain(pem: certificate.chain ?? "").count == 2)
    #expect(try !home.store.keys("challenges/").contains { _ in true })
    #expect(!first.stdout.contains("PRIVATE") && !first.stderr.contains("PRIVATE"))

    let second = home.ensure("shop", pebble)
    #expect(second.exitCode == 0, "\(second.stderr)")
    #expect(second.stdout.hasPrefix("\"shop\" is good until "), "\(second.stdout)")
    #expect(second.stdout.contains("nothing to do before "))
    #expect(try home.leaf("shop") == leaf)

    let json = home.ensure("shop", pebble, "--json")
    let node = try JSONReader.read(Array(json.stdout.utf8))
    #expect(node["schemaVersion"]?.integer == 1 && node["result"]?.text == "unchanged")
    #expect(node["certificate"]?["serial"]?.text == Digest.hex(leaf.serial))
  }

  @Test func `a running edge answers http-01`() throws {
    let pebble = try Pebble()
    let edge = try RunningEdge(["--http", "127.0.0.1:\(pebble.ports.http)"])
    let home = ["ATOLL_HOME": edge.home.path + "/store"]
    // Behind a redirect to https the edge would not be found; challenges go before it.
    #expect(
      edge.atoll(
        "create", "shop", "--origin", "http://127.0.0.1:9", "--viewer-protocol",
        "redirect-to-https"
      ).exitCode == 0)
    let result = runAtoll(
      ["cert", "ensure", "shop", "--domain", "shop.example"] + pebble.directoryOptions
        + ["--validation-port", "\(pebble.ports.http)"], env: home)
    #expect(result.exitCode == 0, "\(result.stderr)\(edge.process.complained)")
    #expect(result.stdout.hasPrefix("obtained "))
    // Where the CA looks is kept for the next time.
    let renewed = runAtoll(["cert", "renew", "shop"], env: home)
    #expect(renewed.exitCode == 0, "\(renewed.stderr)")
    // Without an edge on the way, what is wrong is said before the CA is asked.
    let other = runAtoll(
      ["cert", "ensure", "more", "--domain", "b.example"] + pebble.directoryOptions
        + ["--validation-port", "\(try #require(freePort()))"], env: home)
    #expect(other.exitCode == 1)
    #expect(other.stderr.contains("refused the connection"), "\(other.stderr)")
    #expect(edge.end().exitCode == 0)
  }

  @Test func `ten at once all end well, with one name or several, where no edge runs`() throws {
    let pebble = try Pebble()
    let home = Home()
    let names = ["a", "b", "c", "d", "a", "b", "a", "a", "c", "a"]
    let running = names.map { name in
      RunningAtoll(
        ["cert", "ensure", name, "--domain", "\(name).example"] + pebble.options,
        env: home.environment)
    }
    let ended = running.map { $0.wait() }
    for result in ended { #expect(result.exitCode == 0, "\(result.stderr)") }
    #expect(ended.count { $0.stdout.hasPrefix("obtained ") } == 4)
    #expect(
      ended.contains {
        $0.stderr.contains("waits for another command that answers the CA just now")
      })
    for name in ["a", "b", "c", "d"] {
      #expect(try home.leaf(name).domains == ["\(name).example"])
    }
    #expect(try home.store.keys("answering/") == [] && home.store.keys("issuing/") == [])
  }

  @Test func `a damaged record of one in use is replaced`() throws {
    let pebble = try Pebble()
    let home = Home()
    _ = home.atoll(["create", "site", "--origin", "http://127.0.0.1:9"])
    #expect(home.ensure("shop", pebble, "-d", "a.example").exitCode == 0)
    let before = try home.leaf("shop")
    #expect(
      home.atoll(["domain", "attach", "site", "a.example", "--cert", "shop"]).exitCode == 0)
    home.directory.write("store/certificates/shop/certificate.json", "{")
    let silent = home.ensure("shop", pebble)
    #expect(silent.exitCode == 2)
    #expect(
      silent.stderr.contains("the certificate \"shop\" is damaged: "), "\(silent.stderr)")
    #expect(silent.stderr.contains("give --domain, as in atoll cert ensure shop --domain "))
    let other = home.ensure("shop", pebble, "-d", "b.example")
    #expect(other.exitCode == 2 && other.stderr.contains("is not for a.example"))
    let result = home.ensure("shop", pebble, "-d", "a.example")
    #expect(result.exitCode == 0, "\(result.stderr)")
    #expect(result.stderr.contains("\"shop\" is damaged: "), "\(result.stderr)")
    #expect(result.stderr.contains("; another takes its place\n"))
    #expect(try home.leaf("shop").serial != before.serial)
    #expect(try home.certificate("shop").acme?.directory.hasPrefix("https://127.0.0.1:") == true)
  }

  @Test func `domains that are in use are not left out`() throws {
    let pebble = try Pebble()
    let home = Home()
    #expect(home.ensure("shop", pebble, "--domain", "shop.example,b.example").exitCode == 0)
    _ = home.atoll(["create", "shop", "--origin", "http://127.0.0.1:9"])
    #expect(home.atoll(["domain", "attach", "shop", "b.example"]).exitCode == 0)
    let refused = home.ensure("shop", pebble, "--domain", "shop.example")
    #expect(refused.exitCode == 2)
    #expect(
      refused.stderr.contains(
        "the certificate is not for b.example, for which the distribution \"shop\" uses \"shop\""),
      "\(refused.stderr)")
    let other = home.ensure("shop", pebble, "--domain", "b.example")
    #expect(other.exitCode == 0, "\(other.stderr)")
  }

  @Test func `another server where the CA would look is told apart`() throws {
    let pebble = try Pebble()
    let server = ScriptedServer(response("Server: other/1.0", status: "404 Not Found", body: "?"))
    defer { server.stop() }
    let edge = try RunningEdge([])
    let result = runAtoll(
      ["cert", "ensure", "shop", "--domain", "shop.example"] + pebble.directoryOptions
        + ["--validation-port", "\(server.port)"], env: ["ATOLL_HOME": edge.home.path + "/store"])
    #expect(result.exitCode == 1)
    #expect(
      result.stderr.contains("with 404 (other/1.0): it is another server"), "\(result.stderr)")
    #expect(server.requests.first?.hasPrefix("GET /.well-known/acme-challenge/") == true)
  }

  @Test func `renewing makes another, with another key`() throws {
    let pebble = try Pebble()
    let home = Home()
    #expect(home.ensure("shop", pebble, "--domain", "shop.example").exitCode == 0)
    let before = try home.certificate("shop")
    let due = home.atoll(["cert", "renew", "--json"])
    #expect(due.exitCode == 0, "\(due.stderr)")
    #expect(due.stdout.contains("\"result\": \"unchanged\""))
    let arguments = [
      "--http", "127.0.0.1:\(pebble.ports.http)", "--validation-port", "\(pebble.ports.http)",
    ]
    let renewed = home.atoll(["cert", "renew", "shop"] + arguments)
    #expect(renewed.exitCode == 0, "\(renewed.stderr)")
    #expect(renewed.stdout.hasPrefix("renewed \"shop\" for shop.example: good until "))
    let after = try home.certificate("shop")
    #expect(after.leaf?.serial != before.leaf?.serial && after.key != before.key)
    #expect(after.created == before.created && after.revision > before.revision)
    let missing = home.atoll(["cert", "renew", "shpo"])
    #expect(missing.exitCode == 1)
    #expect(missing.stderr.contains("did you mean \"shop\"?"))
  }

  @Test func `where the CA looks is kept for the next time`() throws {
    let pebble = try Pebble()
    let home = Home()
    #expect(home.ensure("shop", pebble, "--domain", "shop.example").exitCode == 0)
    let first = try home.leaf("shop")
    #expect(try home.certificate("shop").acme?.httpAddress == "127.0.0.1:\(pebble.ports.http)")
    let renewed = home.atoll(["cert", "renew", "shop"])
    #expect(renewed.exitCode == 0, "\(renewed.stderr)")
    #expect(try home.leaf("shop").serial != first.serial)
    // What is said for once holds for once.
    let other = try #require(freePort())
    let elsewhere = home.atoll(["cert", "renew", "shop", "--http", "127.0.0.1:\(other)"])
    #expect(elsewhere.exitCode == 1, "\(elsewhere.stdout)")
    #expect(elsewhere.stderr.contains("refused the connection"), "\(elsewhere.stderr)")
    let again = home.atoll(["cert", "ensure", "shop", "--domain", "shop.example,b.example"])
    #expect(again.exitCode == 0, "\(again.stderr)")
  }

  @Test func `other domains and another key have it issued anew`() throws {
    let pebble = try Pebble()
    let home = Home()
    #expect(home.ensure("shop", pebble, "--domain", "shop.example").exitCode == 0)
    let key = home.ensure("shop", pebble, "--key", "rsa2048")
    #expect(key.exitCode == 0, "\(key.stderr)")
    #expect(key.stdout.hasPrefix("renewed "))
    #expect(try home.leaf("shop").publicKey.algorithm == .rsa(bits: 2048))
    let names = home.ensure("shop", pebble, "--domain", "shop.example,www.shop.example")
    #expect(names.exitCode == 0, "\(names.stderr)")
    #expect(try home.leaf("shop").domains.sorted() == ["shop.example", "www.shop.example"])
    #expect(try home.leaf("shop").publicKey.algorithm == .rsa(bits: 2048))
    let same = home.ensure("shop", pebble, "--domain", "www.shop.example,shop.example")
    #expect(same.stdout.contains("nothing to do"), "\(same.stdout)\(same.stderr)")
  }

  @Test func `dns-01 is proven by a hook, wildcards by nothing else`() throws {
    let pebble = try Pebble()
    let home = Home()
    let plain = home.ensure("wild", pebble, "--domain", "*.shop.example", "--challenge", "http-01")
    #expect(plain.exitCode == 2)
    #expect(plain.stderr.contains("can be proven by DNS only"), "\(plain.stderr)")
    let alone = home.ensure("wild", pebble, "--domain", "*.shop.example")
    #expect(alone.exitCode == 2)
    #expect(alone.stderr.contains("give --dns-hook"), "\(alone.stderr)")

    let hook = pebble.makeHook()
    let result = home.ensure(
      "wild", pebble, "--domain", "*.shop.example,shop.example", "--dns-hook", hook.command)
    #expect(result.exitCode == 0, "\(result.stderr)\(readText(hook.log) ?? "")")
    #expect(try home.leaf("wild").domains.sorted() == ["*.shop.example", "shop.example"])
    let calls = (readText(hook.log) ?? "").split(separator: "\n").map { $0.split(separator: " ") }
    #expect(calls.map { $0[0] } == ["present", "present", "cleanup", "cleanup"])
    for call in calls {
      #expect(call[1] == "_acme-challenge.shop.example" && call[4] == "shop.example")
      #expect(call[0] == call[3] && call[1] == call[5] && call[2] == call[6])
    }
    #expect(calls[0][2] != calls[1][2])
    // Kept for the next time, which may be an edge's, and elsewhere.
    #expect(try home.certificate("wild").acme?.dnsHook == hook.command)
    chmod(pebble.place.file("hook"), 0o700)
    var current = [CChar](repeating: 0, count: 4_096)
    let depth = String(cString: try #require(getcwd(&current, current.count)))
      .split(separator: "/").count
    let path = String(repeating: "../", count: depth) + pebble.place.file("hook").dropFirst()
    let relative = home.ensure("wild", pebble, "--dns-hook", "\(path) and more")
    #expect(relative.exitCode == 0, "\(relative.stderr)")
    #expect(
      try home.certificate("wild").acme?.dnsHook == "\(pebble.place.file("hook")) and more")
    #expect(home.ensure("wild", pebble, "--dns-hook", hook.command).exitCode == 0)
    #expect(home.atoll(["cert", "renew", "wild"]).exitCode == 0)
  }

  @Test func `a delegated record is created where the alias leads`() throws {
    let pebble = try Pebble()
    let home = Home()
    try pebble.tell(
      "set-cname",
      #"{"host": "_acme-challenge.shop.example.", "target": "shop.validation.example."}"#)
    let hook = pebble.makeHook()
    let result = home.ensure(
      "shop", pebble, "--domain", "shop.example", "--dns-hook", hook.command)
    #expect(result.exitCode == 0, "\(result.stderr)\(pebble.log)")
    let log = readText(hook.log) ?? ""
    #expect(log.hasPrefix("present shop.validation.example "), "\(log)")
  }

  @Test func `a hook that fails says why, and is asked to clean up`() throws {
    let pebble = try Pebble()
    let home = Home()
    let hook = pebble.makeHook("echo 'no such zone' >&2; exit 3")
    let result = home.ensure(
      "shop", pebble, "--domain", "shop.example", "--dns-hook", hook.command)
    #expect(result.exitCode == 1)
    #expect(
      result.stderr.contains(
        "the DNS hook did not create _acme-challenge.shop.example: no such zone (exit code 3)"),
      "\(result.stderr)")
    // What matters comes first.
    let told = [result, home.atoll(["cert", "renew", "shop"])]
    for lines in told.map({ $0.stderr.split(separator: "\n") }) {
      let error = lines.firstIndex { $0.contains("error: ") && $0.contains("did not create") }
      let warning = lines.firstIndex { $0.contains("warning: the DNS hook did not remove ") }
      #expect(try #require(error) < #require(warning), "\(lines)")
    }
    #expect((readText(hook.log) ?? "").contains("\ncleanup "))
    let certificate = try home.certificate("shop")
    #expect(certificate.chain == nil && certificate.renewal.failures == 0)
    #expect(certificate.renewal.lastError?.contains("no such zone") == true)
  }

  @Test func `a record that does not arrive is waited for, and removed on an interrupt`() throws {
    let pebble = try Pebble()
    let home = Home()
    // It creates nothing, and finds nothing to remove.
    let hook = pebble.makeHook("[ $1 = cleanup ] && exit 4; exit 0")
    let late = home.ensure(
      "shop", pebble, "--domain", "shop.example", "--dns-hook", hook.command, "--dns-timeout", "1s")
    #expect(late.exitCode == 1)
    #expect(
      late.stderr.contains(
        "the TXT record _acme-challenge.shop.example at 127.0.0.1:\(pebble.ports.dns) was not found "
          + "within 1 s"), "\(late.stderr)")
    unlink(hook.log)

    let process = RunningAtoll(
      ["cert", "ensure", "shop", "--dns-timeout", "10m"] + pebble.options, env: home.environment)
    try wait(for: "the hook to be run: \(process.complained)") {
      process.complained.contains("waiting until the name servers have")
    }
    kill(process.pid, SIGINT)
    let ended = process.wait()
    #expect(ended.exitCode == 130, "\(ended.stderr)")
    let log = readText(hook.log) ?? ""
    #expect(log.split(separator: "\n").last?.hasPrefix("cleanup ") == true, "\(log)")
    #expect(ended.stderr.contains("warning: the DNS hook did not remove "), "\(ended.stderr)")
    // Nobody is about it any longer.
    let script = try #require(readText(pebble.place.file("hook")))
    pebble.place.write("hook", script.replacing("exit 0\n", with: "\n"))
    let again = home.ensure("shop", pebble)
    #expect(again.exitCode == 0, "\(again.stderr)")
    #expect(again.stderr.contains("warning: the DNS hook did not remove "), "\(again.stderr)")
  }

  @Test func `records are printed for a person, and waited for`() throws {
    let pebble = try Pebble()
    let home = Home()
    let process = RunningAtoll(
      ["cert", "ensure", "shop", "--domain", "shop.example", "--challenge", "dns-01", "--wait"]
        + pebble.options, env: home.environment)
    var value: Substring?
    try wait(for: "the record to be printed") {
      let line = process.complained.split(separator: "\n").first { $0.contains(" IN TXT ") }
      value = line?.split(separator: "\"").dropFirst().first
      return value != nil && process.complained.contains("waiting until")
    }
    let line = process.complained.split(separator: "\n").first { $0.contains(" IN TXT ") } ?? ""
    #expect(line.hasPrefix("_acme-challenge.shop.example. 60 IN TXT \""))
    // Whoever prints the domain's records gets it, too.
    #expect(home.atoll(["create", "site", "--origin", "http://127.0.0.1:9"]).exitCode == 0)
    let text = try #require(value)
    let records = [
      "domain", "records", "site", "shop.example", "--ip", "203.0.113.5", "--zone", "shop.example",
    ]
    for form in [[], ["--json"], ["--format", "nsupdate"]] {
      let printed = home.atoll(records + form)
      #expect(printed.stdout.contains(text), "\(printed.stdout)\(printed.stderr)")
      #expect(printed.stdout.contains("_acme-challenge"))
    }
    #expect(home.atoll(["cert", "show", "shop"]).stdout.contains("TXT \(text)\n"))
    try pebble.tell(
      "set-txt", "{\"host\": \"_acme-challenge.shop.example.\", \"value\": \"\(text)\"}")
    let ended = process.wait()
    #expect(ended.exitCode == 0, "\(ended.stderr)")
    #expect(ended.stderr.contains("can be removed now"))
    #expect(!home.atoll(records).stdout.contains("_acme-challenge"))
  }

  @Test func `a name that leads nowhere is named before the CA is asked`() throws {
    var setup = Pebble.Setup()
    setup.address = ""
    let pebble = try Pebble(setup)
    let home = Home()
    let result = home.ensure("shop", pebble, "--domain", "shop.example")
    #expect(result.exitCode == 1)
    #expect(
      result.stderr.contains("shop.example has neither an A nor an AAAA record"),
      "\(result.stderr)")
    #expect(!pebble.log.contains("order-plz") && !pebble.log.contains("sign-me-up"))
    #expect(try home.certificate("shop").renewal.failures == 0)

    // Nothing listens at another address of this machine.
    try pebble.tell("add-a", #"{"host": "shop.example.", "addresses": ["127.0.0.2"]}"#)
    let elsewhere = home.ensure("shop", pebble)
    #expect(elsewhere.exitCode == 1)
    #expect(
      elsewhere.stderr.contains(
        "shop.example at 127.0.0.2: 127.0.0.2:\(pebble.ports.http) refused the connection"),
      "\(elsewhere.stderr)")
    #expect(elsewhere.stderr.contains("--skip-preflight"))
    #expect(!pebble.log.contains("order-plz"))

    // The CA says the same, in its words.
    let asked = home.ensure("shop", pebble, "--skip-preflight")
    #expect(asked.exitCode == 1)
    #expect(
      asked.stderr.contains("did not find the proof for shop.example: ")
        && asked.stderr.contains("(connection)"), "\(asked.stderr)")
    #expect(asked.stderr.contains("port 80 of every address"))
    #expect(try home.certificate("shop").renewal.failures == 1)
  }

  @Test func `failures are kept apart, and space the tries out`() throws {
    let pebble = try Pebble()
    let home = Home()
    #expect(home.ensure("shop", pebble, "--domain", "shop.example").exitCode == 0)
    let good = try home.certificate("shop")
    try pebble.tell("add-a", #"{"host": "b.example.", "addresses": ["127.0.0.2"]}"#)
    for failures in 1...2 {
      let result = home.ensure(
        "shop", pebble, "--domain", "shop.example,b.example", "--skip-preflight")
      #expect(result.exitCode == 1)
      let stored = try home.certificate("shop")
      #expect(stored.renewal.failures == failures)
      #expect(stored.chain == good.chain && stored.domains == good.domains)
    }
    let paused = home.ensure(
      "shop", pebble, "--domain", "shop.example,b.example", "--skip-preflight")
    #expect(paused.exitCode == 1)
    #expect(paused.stderr.contains("the last 2 tries failed: "), "\(paused.stderr)")
    #expect(paused.stderr.contains("--now tries at once"))
    try pebble.tell("add-a", #"{"host": "b.example.", "addresses": ["127.0.0.1"]}"#)
    try pebble.tell("clear-a", #"{"host": "b.example."}"#)
    let mended = home.ensure("shop", pebble, "--domain", "shop.example,b.example", "--now")
    #expect(mended.exitCode == 0, "\(mended.stderr)")
    #expect(try home.certificate("shop").renewal.failures == 0)
  }

  @Test func `what the CA rejects is told in its words`() throws {
    var setup = Pebble.Setup()
    setup.blocked = ["blocked.example"]
    let pebble = try Pebble(setup)
    let home = Home()
    let result = home.ensure("shop", pebble, "--domain", "shop.example,blocked.example")
    #expect(result.exitCode == 1)
    #expect(result.stderr.contains("refused to take the order"), "\(result.stderr)")
    #expect(result.stderr.contains("rejectedIdentifier"), "\(result.stderr)")
    #expect(result.stderr.contains("leave that name out"), "\(result.stderr)")
  }

  @Test func `bad nonces and reused authorizations change nothing`() throws {
    var setup = Pebble.Setup()
    setup.environment = ["PEBBLE_WFE_NONCEREJECT": "60", "PEBBLE_AUTHZREUSE": "100"]
    let pebble = try Pebble(setup)
    let home = Home()
    let first = home.ensure("shop", pebble, "--domain", "shop.example,www.shop.example")
    #expect(first.exitCode == 0, "\(first.stderr)")
    // Nothing listens where the CA would look: it need not look again.
    let other = try #require(freePort())
    let again = home.atoll([
      "cert", "renew", "shop", "--http", "127.0.0.1:\(other)", "--skip-preflight",
    ])
    #expect(again.exitCode == 0, "\(again.stderr)")
  }

  @Test func `lost connections and lost answers change nothing`() throws {
    let pebble = try Pebble()
    let proxy = FlakyProxy(to: pebble.ports.directory)
    let home = Home()
    // The CA names its resources by the host it was asked for.
    let options = pebble.options.map {
      $0 == pebble.url ? "https://127.0.0.1:\(proxy.port)/dir" : $0
    }
    let result = home.atoll(
      ["cert", "ensure", "shop", "--domain", "shop.example,www.shop.example"] + options)
    #expect(result.exitCode == 0, "\(result.stderr)")
    #expect(proxy.broken >= 4)
    #expect(try home.leaf("shop").domains.sorted() == ["shop.example", "www.shop.example"])
  }

  @Test func `a CA that takes its time is waited for`() throws {
    var setup = Pebble.Setup()
    setup.environment = ["PEBBLE_VA_NOSLEEP": "0", "PEBBLE_VA_SLEEPTIME": "2"]
    let pebble = try Pebble(setup)
    let result = Home().ensure("shop", pebble, "--domain", "a.example,b.example,c.example")
    #expect(result.exitCode == 0, "\(result.stderr)")
  }

  @Test func `an account of one's own with the CA is bound`() throws {
    var setup = Pebble.Setup()
    let secret = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
    setup.externalKeys = ["kid-1": secret]
    let pebble = try Pebble(setup)
    let home = Home()
    let missing = home.ensure("shop", pebble, "--domain", "shop.example")
    #expect(missing.exitCode == 1)
    #expect(missing.stderr.contains("give --eab-key-id and --eab-hmac-file"), "\(missing.stderr)")
    let wrong = home.ensure(
      "shop", pebble, "--eab-key-id", "kid-1", env: ["ATOLL_EAB_HMAC": "c2VjcmV0"])
    #expect(wrong.exitCode == 1, "\(wrong.stderr)")
    #expect(wrong.stderr.contains("hint: check --eab-key-id and its secret"), "\(wrong.stderr)")
    let unknown = home.ensure(
      "shop", pebble, "--eab-key-id", "kid-2", "--now", env: ["ATOLL_EAB_HMAC": secret])
    #expect(unknown.stderr.contains("hint: check --eab-key-id"), "\(unknown.stderr)")
    let nothing = home.ensure("shop", pebble, "--eab-key-id", "kid-1")
    #expect(nothing.exitCode == 2)
    let file = home.directory.write("secret", secret + "\n")
    let right = home.ensure(
      "shop", pebble, "--eab-key-id", "kid-1", "--eab-hmac-file", file, "--now")
    #expect(right.exitCode == 0, "\(right.stderr)")
    #expect(!right.stderr.contains(secret))
    // Needed once: the account is there now.
    #expect(
      home.atoll([
        "cert", "renew", "shop", "--http", "127.0.0.1:\(pebble.ports.http)", "--skip-preflight",
      ]).exitCode == 0)
  }

  @Test func `a CA that has forgotten everything is told again`() throws {
    let home = Home()
    var setup = Pebble.Setup()
    setup.ports = try Pebble.Ports()
    var old: Pebble? = try Pebble(setup)
    #expect(home.ensure("shop", try #require(old), "--domain", "shop.example").exitCode == 0)
    let key = try home.accountKey
    old = nil
    let pebble = try Pebble(setup)
    let result = home.ensure("shop", pebble, "--domain", "shop.example,b.example")
    #expect(result.exitCode == 0, "\(result.stderr)")
    #expect(result.stderr.contains("knows the account no more"), "\(result.stderr)")
    #expect(try home.accountKey == key)
  }

  @Test func `a closed account says so, and another can be opened`() throws {
    let pebble = try Pebble()
    let home = Home()
    #expect(home.ensure("shop", pebble, "--domain", "shop.example").exitCode == 0)
    let before = try home.certificate("shop")
    try deactivate(home, pebble)
    let refused = home.ensure("shop", pebble, "--domain", "shop.example,b.example")
    #expect(refused.exitCode == 1)
    #expect(refused.stderr.contains("deactivated"), "\(refused.stderr)")
    #expect(refused.stderr.contains("--new-account"), "\(refused.stderr)")
    #expect(try home.certificate("shop").chain == before.chain)
    let key = try home.accountKey
    let opened = home.ensure(
      "shop", pebble, "--domain", "shop.example,b.example", "--new-account", "--now")
    #expect(opened.exitCode == 0, "\(opened.stderr)")
    #expect(try home.accountKey != key)
  }

  /// As an account's owner does elsewhere (RFC 8555 §7.3.6).
  private func deactivate(_ home: Home, _ pebble: Pebble) throws {
    let (account, _) = try #require(try ACMEAccounts(home.store).get(pebble.url))
    let client = ACMEClient(
      directory: pebble.url, transport: HTTPTransport(userAgent: "test", trust: pebble.trust))
    let url = try #require(account.url)
    client.sign(with: try #require(JWS.Signer(try PrivateKey(pem: account.key))), as: .id(url))
    _ = try client.post(url, #"{"status":"deactivated"}"#, doing: "close the account")
  }

  @Test func `two at once order once`() throws {
    let pebble = try Pebble()
    let home = Home()
    let arguments =
      ["cert", "ensure", "shop", "--domain", "shop.example"] + pebble.options
    let processes = (0..<3).map { _ in RunningAtoll(arguments, env: home.environment) }
    let results = processes.map { $0.wait() }
    for result in results { #expect(result.exitCode == 0, "\(result.stderr)") }
    #expect(results.filter { $0.stdout.hasPrefix("obtained ") }.count == 1)
    #expect(results.filter { $0.stdout.contains("nothing to do") }.count == 2)
  }

  @Test func `the chain that ends at the root one prefers is taken`() throws {
    var setup = Pebble.Setup()
    setup.environment = ["PEBBLE_ALTERNATE_ROOTS": "2", "PEBBLE_CHAIN_LENGTH": "2"]
    let pebble = try Pebble(setup)
    let home = Home()
    let root = try CertificateInfo(pem: try pebble.ask("/roots/2"))
    let name = try #require(root.subject.commonName)
    let result = home.ensure(
      "shop", pebble, "--domain", "shop.example", "--preferred-chain", name)
    #expect(result.exitCode == 0, "\(result.stderr)")
    let chain = try CertificateInfo.chain(pem: try home.certificate("shop").chain ?? "")
    #expect(chain.last?.issuer.commonName == name)
    let other = home.ensure("more", pebble, "--domain", "b.example", "--preferred-chain", "Nobody")
    #expect(other.exitCode == 0, "\(other.stderr)")
    #expect(other.stderr.contains("no chain that ends at \"Nobody\""), "\(other.stderr)")
  }

  @Test func `a CA whose own certificate is not believed is not asked`() throws {
    let pebble = try Pebble()
    let home = Home()
    let result = home.atoll([
      "cert", "ensure", "shop", "--domain", "shop.example", "--acme", pebble.url,
    ])
    #expect(result.exitCode == 1)
    #expect(result.stderr.contains("--acme-ca"), "\(result.stderr)")
    // Nor do such tries make the next one wait.
    for _ in 0..<3 {
      let nowhere = home.atoll([
        "cert", "ensure", "shop", "--acme", "https://127.0.0.1:\(try #require(freePort()))/dir",
      ])
      #expect(nowhere.exitCode == 1)
      #expect(nowhere.stderr.contains("could not be reached"), "\(nowhere.stderr)")
      #expect(nowhere.stderr.contains("hint: check the URL of --acme and"))
    }
    let mended = home.ensure("shop", pebble)
    #expect(mended.exitCode == 0, "\(mended.stderr)")
  }

  private static let tooMany = (0...100).map { "h\($0).example" }.joined(separator: ",")

  @Test(arguments: [
    (["--domain", "a..b"], "--domain: \"a..b\" has an empty label"),
    (["--domain", "*.com"], "top-level"),
    (["--domain", "a.example,b c"], "holds \"b c\", which is no domain name"),
    ([], "no domain to ask for one"),
    (["--domain", "a.example", "--acme", "http://ca.example/dir"], "is no https:// URL"),
    (["--domain", "a.example", "--acme", "https://x/", "--staging"], "exclude each other"),
    (["--domain", "a.example", "--acme-ca", "/nonexistent"], "does not exist"),
    (["--domain", "a.example", "--eab-hmac-file", "/x"], "needs --eab-key-id"),
    (["--domain", "a.example", "--email", "me"], "is no e-mail address"),
    (["--domain", "a.example", "--dns-hook", "x", "--challenge", "http-01"], "leave one of them"),
    (["--domain", "a.example", "--dns-server", "ns.example"], "is no address"),
    (["--domain", "192.0.2.1", "--challenge", "dns-01", "--wait"], "can't be proven by DNS"),
    (["--domain", "*.a.example"], "give --dns-hook"),
    (["--domain", Self.tooMany], "101 names are more"),
    (["--domain", "a.example", "--http", "unix:/tmp/a.sock"], "is no address to listen on"),
  ])
  func `a wrong command line says what and how`(arguments: [String], text: String) throws {
    let home = Home()
    let result = home.atoll(["cert", "ensure", "shop"] + arguments)
    #expect(result.exitCode == 2, "\(result.stderr)")
    #expect(result.stderr.contains(text), "\(result.stderr)")
    // Nothing waits to be issued that nobody could ask for.
    #expect(try home.store.keys("certificates/") == [])
  }
}
