// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

@testable import atoll

@Suite struct UpdateTests {
  private func made(_ more: String...) -> Home {
    let home = Home()
    let result = home.run(["create", "shop", "--origin", "http://localhost:3000"] + more)
    #expect(result.exitCode == 0, "\(result.stderr)")
    return home
  }

  @Test func `only what is named changes, and it is said in words`() {
    let home = made("--tag", "a=1")
    let before = home.document("shop")
    let result = home.atoll("update", "shop", "--max-ttl", "7d", "--disabled")
    #expect(result.exitCode == 0)
    #expect(result.stdout.hasPrefix("updated \"shop\"\n  "))
    #expect(result.stdout.split(separator: "\n").count >= 3)
    #expect(result.stderr.isEmpty)
    let after = home.document("shop")
    #expect(member("id", of: after) == member("id", of: before))
    #expect(member("created", of: after) == member("created", of: before))
    #expect(after.contains("\"a\""))
    #expect(home.atoll("show", "shop").stdout.contains("State             disabled\n"))
  }

  @Test func `what a path leaves out follows the distribution`() throws {
    // atoll-distribution(5), behaviors: parts of an object that it leaves out are as in settings.
    let home = made(
      "--drop-query-strings", "tracking", "--max-ttl", "8d", "--compress", "gzip",
      "--cache-path", "/a/* default=7d key=device compress-min-size=5")
    let words = ["--drop-query-strings", "sid", "--max-ttl", "9d", "--compress", "br"]
    #expect(home.run(["update", "shop"] + words).exitCode == 0)
    func path() throws -> JSONNode {
      let document = try JSONReader.read(Array(home.document("shop").utf8))
      return try #require(document["behaviors"]?.elements?.first)
    }
    var own = try path()
    #expect(own["key"]?["device"] != nil && own["key"]?["dropQueryStrings"] == nil)
    #expect(own["compression"]?["minimumSize"] != nil && own["compression"]?["codings"] == nil)
    #expect(own["ttl"]?["default"]?.unsigned == 604_800)
    #expect(own["ttl"]?["maximum"]?.unsigned == 777_600)
    // Bounds that would contradict the path's own lifetime are not taken over.
    #expect(home.atoll("update", "shop", "--max-ttl", "1d").exitCode == 0)
    own = try path()
    #expect(own["ttl"]?["maximum"]?.unsigned == 777_600)
  }

  @Test func `nothing to change is said and ends with 0`() {
    let home = made("--max-ttl", "7d")
    let before = home.document("shop")
    for words in [[], ["--max-ttl", "7d"], ["--max-ttl", "168h"], ["--enabled"]] {
      let result = home.run(["update", "shop"] + words)
      #expect(result.exitCode == 0)
      #expect(result.stdout == "\"shop\" is unchanged\n")
    }
    #expect(home.document("shop") == before)
    let json = home.atoll("update", "shop", "--json")
    #expect(json.stdout.contains("\"result\": \"unchanged\""))
    #expect(json.stdout.contains("\"changes\": []"))
  }

  private func overrides(_ home: Home) -> [String] {
    let lines = home.atoll("show", "shop").stdout.split(separator: "\n").map(String.init)
    guard let first = lines.firstIndex(where: { $0.hasPrefix("Overrides") }) else { return [] }
    return lines[first...].prefix { $0.hasPrefix("Overrides") || $0.hasPrefix("   ") }
      .map { $0.dropFirst("Overrides".count).split(separator: " ").joined(separator: " ") }
  }

  @Test func `a path keeps its place, a new one comes last, a removed one is gone`() {
    let home = made("--cache-path", "/a/*", "--dont-cache-path", "/b/*", "--cache-path", "/c/*")
    home.atoll(
      "update", "shop", "--dont-cache-path", "/a/*", "--cache-path", "/d/*", "--remove-path",
      "/b/*")
    #expect(overrides(home) == ["/a/* dont-cache", "/c/* cache", "/d/* cache"])
    home.atoll(
      "update", "shop", "--clear-paths", "--cache-path", "/d/*", "--dont-cache-path", "/a/*")
    #expect(overrides(home) == ["/d/* cache", "/a/* dont-cache"])
    home.atoll("update", "shop", "--clear-paths")
    #expect(overrides(home) == [])
  }

  @Test func `a leading slash makes no other path`() {
    let home = made("--cache-path", "a/*")
    home.atoll("update", "shop", "--dont-cache-path", "/a/*")
    #expect(overrides(home) == ["a/* dont-cache"])
    #expect(home.atoll("update", "shop", "--remove-path", "/a/*").exitCode == 0)
    #expect(overrides(home) == [])
  }

  @Test func `lifetimes of a path can be given and changed`() {
    let home = made("--cache-path", "/a/* default=1h")
    home.atoll("update", "shop", "--cache-path", "/a/* default=2h max=3h")
    #expect(overrides(home) == ["/a/* cache, TTL 2h, at least 0s, at most 3h"])
    home.atoll("update", "shop", "--cache-path", "/a/*")
    #expect(overrides(home) == ["/a/* cache, TTL 2h, at least 0s, at most 3h"])
    home.atoll("update", "shop", "--dont-cache-path", "/a/*")
    #expect(overrides(home) == ["/a/* dont-cache"])
  }

  @Test func `tags are added, changed and removed`() {
    let home = made("--tag", "a=1", "--tag", "b=2")
    home.atoll("update", "shop", "--tag", "a=3", "--tag", "c=4", "--remove-tag", "b")
    let shown = home.atoll("show", "shop").stdout
    #expect(shown.contains("Tags              a=3\n                  c=4\n"))
  }

  @Test func `a new origin keeps the timeouts`() {
    let home = made("--origin-connect-timeout", "3s")
    home.atoll("update", "shop", "--origin", "http://localhost:4000")
    let shown = home.atoll("show", "shop").stdout
    #expect(shown.contains("Origin            http://localhost:4000\n"))
    #expect(shown.contains("  connect         3 attempts of 3s\n"))
  }

  @Test func `default-ttl none takes the default away`() {
    let home = made("--default-ttl", "1h")
    home.atoll("update", "shop", "--default-ttl", "none")
    #expect(home.atoll("show", "shop").stdout.contains("Default TTL       what the origin says"))
  }

  @Test func `a preset starts the caching settings over`() {
    let home = made("--cache-path", "/a/*", "--default-ttl", "1h")
    home.atoll("update", "shop", "--preset", "wordpress")
    #expect(overrides(home) == ["wp-includes/* cache", "wp-content/* cache"])
    #expect(home.atoll("show", "shop").stdout.contains("Preset            wordpress\n"))
    home.atoll("update", "shop", "--min-ttl", "1s")
    #expect(home.atoll("show", "shop").stdout.contains(" custom\n"))
  }

  @Test func `a document of show changes nothing`() {
    let home = made("--cache-path", "/a/*", "--default-ttl", "1h", "--tag", "a=b")
    let document = home.document("shop")
    let result = home.atoll("update", "shop", "--file", "-", stdin: document)
    #expect(result.stdout == "\"shop\" is unchanged\n")
    #expect(home.document("shop") == document)
  }

  @Test(arguments: [
    (["shpo", "--enabled"], Int32(1), "no distribution named \"shpo\"", "did you mean \"shop\"?"),
    (["blog"], 1, "no distribution named \"blog\"", "see atoll list"),
    (["shop", "--remove-path", "/x"], 2, "has no override of the path \"/x\"", "atoll show shop"),
    (["shop", "--remove-tag", "x"], 2, "there is no tag \"x\"", ""),
    (
      ["shop", "--origin-protocol", "https-only", "--origin-https-port", "444"], 2,
      "--origin-https-port: the origin's URL is https already", "http://"
    ),
    (["shop", "--min-ttl", "2d", "--max-ttl", "1d"], 2, "--min-ttl: 172800 is greater than", ""),
    (
      ["shop", "--cache-path", "/z/*", "--cache-path", "/z/a"], 2, "is never reached",
      "--clear-paths and all paths"
    ),
  ])
  func `what cannot be done is told with the way out`(
    words: [String], code: Int32, message: String, hint: String
  ) {
    let home = made()
    let before = home.document("shop")
    let result = home.run(["update"] + words)
    #expect(result.exitCode == code)
    #expect(result.stdout.isEmpty)
    #expect(result.stderr.contains(message), "\(result.stderr)")
    #expect(result.stderr.contains(hint), "\(result.stderr)")
    #expect(home.document("shop") == before)
  }
}
