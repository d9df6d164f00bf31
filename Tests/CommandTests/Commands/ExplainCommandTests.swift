// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import atoll

@Suite struct ExplainCommandTests {
  private func home() -> Home {
    let home = Home()
    home.atoll(
      "create", "shop", "--origin", "http://127.0.0.1:1", "--preset", "static", "--named-origin",
      "images=http://127.0.0.1:2", "--cache-path", "/img/* origin=images default=1h",
      "--forward-query-strings", "size")
    return home
  }

  @Test func `show explains a path, a URL, a method and headers`() {
    let home = home()
    let shown = home.atoll("show", "shop", "--explain", "/img/a.png?size=2&x=1").stdout
    #expect(shown.contains("Request"))
    #expect(shown.contains("GET http://shop.atoll.localhost/img/a.png?size=2&x=1\n"))
    #expect(shown.contains("/img/*: the first of 1 whose path matches \"/img/a.png\"\n"))
    #expect(shown.contains("URL: /img/a.png?size=2\n"))
    #expect(shown.contains("images: the behavior names \"images\"\n"))
    #expect(shown.contains("1h: where the origin gives none\n"))
    let refused = home.atoll(
      "show", "shop", "--explain", "https://www.example.com/", "-X", "POST", "-H",
      "Content-Length: 5")
    #expect(refused.stdout.contains("POST https://www.example.com/\n"))
    #expect(refused.stdout.contains("no: POST is not cached\n"))
  }

  @Test func `as JSON it is one document`() {
    let shown = home().atoll("show", "shop", "--explain", "/img/a.png", "--json")
    #expect(shown.stderr.isEmpty)
    #expect(
      shown.stdout.hasPrefix("{\n  \"schemaVersion\": 1,\n  \"explanation\": {\n    \"request\":"))
    #expect(member("index", of: shown.stdout) == "0")
    #expect(member("usesCache", of: shown.stdout) == "true")
    #expect(member("default", of: shown.stdout) == "3600")
    #expect(
      member("pathReason", of: shown.stdout)
        == "\"the first of 1 whose path matches \\\"/img/a.png\\\"\"")
  }

  @Test(arguments: [
    (["show", "shop", "--explain", "ftp://a/"], "has the scheme \"ftp\""),
    (["show", "shop", "--explain", "/", "-X", "GE T"], "would refuse this request with 400"),
    (["show", "shop", "--explain", "/", "-H", "Host: a b"], "would refuse this request with 400"),
    (["show", "shop", "--explain", "/", "-H", "nothing"], "has no colon"),
    (
      ["test", "--explain", "--distribution", "shpo", "http://127.0.0.1:1/"],
      "no distribution named \"shpo\""
    ),
  ])
  func `what cannot be explained is told`(words: [String], message: String) {
    let result = home().run(words)
    #expect(result.exitCode != 0)
    #expect(result.stdout.isEmpty)
    #expect(result.stderr.contains(message), "\(result.stderr)")
  }

  @Test func `test explains the response that came`() {
    let home = home()
    let server = ScriptedServer([.init(response("Cache-Control: private, max-age=60"))])
    defer { server.stop() }
    let result = home.atoll(
      "test", "--count", "1", "--explain", "http://127.0.0.1:\(server.port)/img/a.png")
    #expect(result.stdout.contains("This response"), "\(result.stdout)\(result.stderr)")
    #expect(result.stdout.contains("no: the response says private\n"))
    #expect(result.stdout.contains("RFC 9111 section 5.2.2.7\n"))
    let json = home.atoll(
      "test", "--count", "1", "--explain", "--json", "--distribution", "shop",
      "http://127.0.0.1:\(server.port)/img/a.png")
    #expect(json.stdout.contains("\"explanation\": {"))
    #expect(member("rule", of: json.stdout) == "\"RFC 9111 section 5.2.2.7\"")
    // Of several distributions the host chooses.
    home.atoll("create", "blog", "--origin", "http://127.0.0.1:1")
    let unclear = home.atoll("test", "--explain", "http://127.0.0.1:\(server.port)/")
    #expect(unclear.exitCode == 2)
    #expect(unclear.stderr.contains("--distribution <name>"))
    let chosen = home.atoll(
      "test", "--count", "1", "--explain", "-H", "Host: blog.atoll.localhost",
      "http://127.0.0.1:\(server.port)/")
    #expect(chosen.stdout.contains("Distribution"))
    #expect(chosen.stdout.contains("blog\n"))
  }
}
