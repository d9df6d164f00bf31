// SPDX-License-Identifier: Apache-2.0
import AtollCore
import TestSupport
import Testing

@testable import atoll

/// A store of its own for each test.
struct Home: Sendable {
  let directory = TemporaryDirectory()

  var environment: [String: String] { ["ATOLL_HOME": directory.path + "/store"] }

  @discardableResult
  func atoll(_ arguments: String..., stdin: String = "", env: [String: String] = [:]) -> Finished {
    run(arguments, stdin: stdin, env: env)
  }

  @discardableResult
  func run(
    _ arguments: [String], stdin: String = "", env: [String: String] = [:]
  ) -> Finished {
    runAtoll(arguments, env: environment.merging(env) { $1 }, stdin: stdin)
  }

  /// What show --json says.
  func document(_ name: String) -> String {
    let result = atoll("show", name, "--json")
    #expect(result.exitCode == 0)
    return result.stdout
  }
}

/// `"key": value,` of a document, without the key.
func member(_ key: String, of document: String) -> String? {
  for line in document.split(separator: "\n") {
    let text = line.drop { $0 == " " }
    guard text.hasPrefix("\"\(key)\": ") else { continue }
    let value = text.dropFirst(key.count + 4)
    return String(value.last == "," ? value.dropLast() : value)
  }
  return nil
}

@Suite struct CreateTests {
  @Test func `create confirms with the domains, and says on stderr that no edge runs`() throws {
    let home = Home()
    let result = home.atoll("create", "shop", "--origin", "http://localhost:3000")
    #expect(result.exitCode == 0)
    let id = try #require(member("id", of: home.document("shop"))).filter { $0 != "\"" }
    #expect(
      result.stdout == """
        created "shop"
          origin   http://localhost:3000
          domains  shop.atoll.localhost, \(id).atoll.localhost

        """)
    #expect(result.stderr == "atoll: no edge is running; atoll serve starts one\n")
  }

  @Test func `quiet prints nothing`() {
    let result = Home().atoll("create", "shop", "--origin", "http://localhost:3000", "-q")
    #expect(result.exitCode == 0)
    #expect(result.stdout.isEmpty)
    #expect(result.stderr.isEmpty)
  }

  @Test func `json is one document and nothing else`() {
    let result = Home().atoll("create", "shop", "--origin", "http://localhost:3000", "--json")
    #expect(result.exitCode == 0)
    #expect(result.stdout.hasPrefix("{\n  \"schemaVersion\": 1,\n  \"name\": \"shop\","))
    #expect(result.stdout.contains("\"result\": \"created\""))
    #expect(result.stdout.contains("\"edges\": []"))
    #expect(result.stdout.hasSuffix("\n}\n"))
    #expect(result.stderr.isEmpty)
  }

  @Test func `a second create fails and if-missing makes it succeed`() {
    let home = Home()
    home.atoll("create", "shop", "--origin", "http://localhost:3000")
    let before = home.document("shop")
    let again = home.atoll("create", "shop", "--origin", "http://localhost:4000")
    #expect(again.exitCode == 1)
    #expect(again.stdout.isEmpty)
    #expect(
      again.stderr == """
        atoll: error: a distribution named "shop" exists already
        atoll: hint: change it with atoll update shop, or add --if-missing

        """)
    let tolerant = home.atoll("create", "shop", "--origin", "http://x:4000", "--if-missing")
    #expect(tolerant.exitCode == 0)
    #expect(tolerant.stdout == "\"shop\" is unchanged\n")
    #expect(home.document("shop") == before)
  }

  @Test func `a name that differs from another only in case is refused`() {
    let home = Home()
    home.atoll("create", "Shop", "--origin", "http://localhost:3000")
    let result = home.atoll("create", "shop", "--origin", "http://localhost:3001", "--if-missing")
    #expect(result.exitCode == 2)
    #expect(
      result.stderr == """
        atoll: error: the name "shop" differs from "Shop" only in case, which host names don't \
        tell apart
        atoll: hint: choose another name, or change "Shop" with atoll update Shop

        """)
    #expect(home.atoll("list", "-q").stdout == "Shop\n")
  }

  @Test func `every setting is an option`() {
    let home = Home()
    let result = home.atoll(
      "create", "shop", "--origin", "http://[::1]:3000/base", "--preset", "static",
      "--default-behavior", "dont-cache", "--cache-path", "/img/* default=1h max=1d",
      "--dont-cache-path", "/admin/*", "--cache-path", "/css/", "--default-ttl", "2h",
      "--min-ttl", "1m", "--max-ttl", "7d", "--override-origin", "--stale-if-error", "1h",
      "--allowed-methods", "get,head,options", "--cache-options", "--forward-headers",
      "Host,Accept-Language", "--forward-cookies", "session*", "--forward-query-strings", "all",
      "--plan", "medium", "--disabled", "--tag", "team=web", "--tag", "stage",
      "--origin-connect-timeout", "2s", "--origin-connect-attempts", "1",
      "--origin-response-timeout", "1m", "--origin-keep-alive-timeout", "20")
    #expect(result.exitCode == 0, "\(result.stderr)")
    let shown = home.atoll("show", "shop").stdout.split(separator: "\n").map(String.init)
    func value(_ label: String) -> String? {
      shown.first { $0.hasPrefix(label + "  ") }.map {
        String($0.dropFirst(label.count).drop { $0 == " " })
      }
    }
    #expect(value("State") == "disabled")
    #expect(value("Origin") == "http://[::1]:3000/base")
    #expect(value("  connect") == "1 attempt of 2s")
    #expect(value("  silence") == "at most 1m")
    #expect(value("  keep-alive") == "20s")
    #expect(value("Preset") == "custom")
    #expect(value("Default behavior") == "dont-cache")
    #expect(value("Default TTL") == "2h")
    #expect(value("Minimum TTL") == "1m")
    #expect(value("Maximum TTL") == "7d")
    #expect(value("Override origin") == "yes")
    #expect(value("Stale if error") == "1h")
    #expect(value("Allowed methods") == "GET, HEAD, OPTIONS")
    #expect(value("Cached methods") == "GET, HEAD, OPTIONS")
    #expect(value("Headers") == "Host, Accept-Language")
    #expect(value("Cookies") == "session*")
    #expect(value("Query strings") == "all")
    #expect(value("Plan") == "medium (200 GB a month)")
    let first = shown.firstIndex { $0.hasPrefix("Overrides") }!
    #expect(shown[first].hasSuffix("/img/*    cache, TTL 1h, at least 1m, at most 1d"))
    #expect(shown[first + 1].hasSuffix("/admin/*  dont-cache"))
    #expect(shown[first + 2].hasSuffix("/css/     cache"))
    let tags = shown.firstIndex { $0.hasPrefix("Tags") }!
    #expect(shown[tags].hasSuffix("team=web"))
    #expect(shown[tags + 1].hasSuffix("stage="))
  }

  @Test func `what show prints makes the same distribution under another name`() {
    let home = Home()
    home.atoll(
      "create", "shop", "--origin", "http://localhost:3000", "--preset", "wordpress",
      "--dont-cache-path", "/cart/*", "--tag", "a=b")
    let document = home.document("shop")
    let copy = home.atoll("create", "stage", "--file", "-", stdin: document)
    #expect(copy.exitCode == 0, "\(copy.stderr)")
    func settings(_ text: String) -> [Substring] {
      text.split(separator: "\n").filter { line in
        !["name", "id", "defaultDomain", "revision", "created", "modified"].contains {
          line.contains("\"\($0)\":")
        }
      }
    }
    #expect(settings(home.document("stage")) == settings(document))
    #expect(member("id", of: home.document("stage")) != member("id", of: document))
    #expect(member("name", of: home.document("stage")) == "\"stage\"")
  }

  @Test(arguments: [
    (["shop"], "missing --origin"),
    (["shop", "--origin", "localhost:3000"], "has no scheme"),
    (["shop", "--origin", "ftp://x"], "has the scheme \"ftp\""),
    (["-shop-", "--origin", "http://x"], "unknown option -shop-"),
    (["s", "--origin", "http://x"], "\"s\" has 1 character"),
    (["sh op", "--origin", "http://x"], "\"sh op\" holds a character"),
    (["shop", "--origin", "https://x"], "needs TLS"),
    (["shop", "--origin", "x", "--origin-protocol", "https-only"], "needs TLS"),
    (["shop", "--origin", "http://x", "--origin-protocol", "https-only"], "contradicts"),
    (["shop", "--origin", "http://x", "--default-ttl", "never"], "is not a duration"),
    (
      ["shop", "--origin", "http://x", "--max-ttl", "1h", "--default-ttl", "2h"],
      "error: --default-ttl: 7200 is greater than"
    ),
    (
      ["shop", "--origin", "http://x", "--cache-path", "/a/*", "--dont-cache-path", "/a/b"],
      "error: --dont-cache-path: \"/a/b\" is never reached"
    ),
    (["shop", "--origin", "http://x", "--cache-path", "/a ttl=1h"], "after its path"),
    (["shop", "--origin", "http://x", "--dont-cache-path", "/a min=1h"], "is not cached"),
    (["shop", "--origin", "http://x", "--forward-headers", "a,,b"], "has an empty name"),
    (["shop", "--origin", "http://x", "--forward-cookies", "a b"], "is no cookie name"),
    (["shop", "--origin", "http://x", "--allowed-methods", "GET"], "is not one of the sets"),
    (["shop", "--origin", "http://x", "--tag", "=v"], "has no key"),
    (["shop", "--origin", "http://x", "--preset", "custom"], "is not one of its values"),
    (["shop", "--file", "/nonexistent.json"], "/nonexistent.json"),
  ])
  func `what is wrong is told with a hint before anything is written`(
    words: [String], message: String
  ) {
    let home = Home()
    let result = home.run(["create"] + words)
    #expect(result.exitCode == 2)
    #expect(result.stdout.isEmpty)
    #expect(result.stderr.hasPrefix("atoll: error: "))
    #expect(result.stderr.contains(message), "\(result.stderr)")
    #expect(result.stderr.contains("\natoll: hint: "))
    #expect(home.atoll("list", "--quiet").stdout.isEmpty)
  }

  @Test func `the environment gives settings and the option wins`() {
    let home = Home()
    let environment = [
      "ATOLL_ORIGIN": "http://localhost:3000", "ATOLL_DEFAULT_TTL": "1h", "ATOLL_PLAN": "small",
    ]
    let result = home.atoll("create", "shop", "--default-ttl", "2h", env: environment)
    #expect(result.exitCode == 0)
    let shown = home.atoll("show", "shop").stdout
    #expect(shown.contains("Default TTL       2h\n"))
    #expect(shown.contains("Plan              small (50 GB a month)\n"))
  }
}
