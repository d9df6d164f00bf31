// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc
import TestSupport
import Testing

@testable import atoll

/// An edge before an origin whose every response is kept for an hour, and tagged.
private final class Shop: Sendable {
  let origin = ScriptedServer(response("Cache-Control: max-age=3600", "Cache-Tag: shoe, sale"))
  let edge: RunningEdge

  init() throws {
    edge = try RunningEdge([])
    let made = edge.atoll("create", "shop", "--origin", "http://127.0.0.1:\(origin.port)")
    try #require(made.exitCode == 0, "\(made.stderr)")
  }

  deinit { origin.stop() }

  /// Has them stored.
  func fill(_ paths: String...) {
    for path in paths {
      _ = edge.verdict(path)
      #expect(edge.verdict(path) == "200 hit")
    }
  }

  func purge(_ words: String..., stdin: String = "") -> Finished {
    runAtoll(
      ["purge", "shop"] + words, env: ["ATOLL_HOME": edge.home.path + "/store"], stdin: stdin)
  }
}

@Suite struct PurgeCommandTests {
  @Test func `a path is purged when the command returns`() throws {
    let shop = try Shop()
    shop.fill("/a", "/a?x=1", "/ab")
    let result = shop.purge("/a")
    #expect(result.exitCode == 0)
    #expect(result.stdout == "purged 1 entry of \"shop\"\n")
    #expect(result.stderr.hasPrefix("atoll: edge "))
    #expect(shop.edge.verdict("/a") == "200 miss, stored")
    #expect(shop.edge.verdict("/a?x=1") == "200 hit")
    #expect(shop.edge.verdict("/ab") == "200 hit")
  }

  @Test func `prefixes, tags and everything are purged`() throws {
    let shop = try Shop()
    shop.fill("/img/a", "/img/b?x=1", "/c")
    #expect(shop.purge("/img/*").stdout == "purged 2 entries of \"shop\"\n")
    #expect(shop.edge.verdict("/img/a") == "200 miss, stored")
    #expect(shop.edge.verdict("/c") == "200 hit")
    #expect(shop.purge("--tag", "shoe").stdout == "purged 2 entries of \"shop\"\n")
    #expect(shop.edge.verdict("/c") == "200 miss, stored")
    shop.fill("/d")
    #expect(shop.purge("--all").stdout == "purged 2 entries of \"shop\"\n")
    #expect(shop.edge.verdict("/d") == "200 miss, stored")
  }

  @Test func `nothing matched is said, and no failure`() throws {
    let shop = try Shop()
    shop.fill("/a")
    let result = shop.purge("/b", "--tag", "hat")
    #expect(result.exitCode == 0)
    #expect(result.stdout == "nothing matched: no entry of \"shop\" was purged\n")
    #expect(shop.edge.verdict("/a") == "200 hit")
  }

  @Test func `a soft purge keeps entries, but not as fresh ones`() throws {
    let shop = try Shop()
    shop.fill("/a")
    #expect(shop.purge("/a", "--soft").stdout == "marked 1 entry of \"shop\" stale\n")
    #expect(shop.edge.verdict("/a") != "200 hit")
    #expect(shop.origin.requests.count == 2)
  }

  @Test func `a dry run asks the edge and changes nothing`() throws {
    let shop = try Shop()
    shop.fill("/img/a", "/img/b")
    let result = shop.purge("/img/*", "/img/a", "--dry-run")
    #expect(result.exitCode == 0)
    #expect(result.stdout == "would purge 3 entries of \"shop\"\n")
    #expect(result.stderr.contains("counts for each"))
    #expect(shop.edge.verdict("/img/a") == "200 hit")
    #expect(shop.purge("/img/*", "--dry-run", "--json").stdout.contains("\"entries\": 2"))
  }

  @Test func `paths come from stdin`() throws {
    let shop = try Shop()
    shop.fill("/a", "/b", "/c")
    let result = shop.purge("-", stdin: "/a\r\n\n# a comment\n  /b\n/b")
    #expect(result.stdout == "purged 2 entries of \"shop\"\n")
    #expect(shop.edge.verdict("/c") == "200 hit")
    let wrong = shop.purge("-", stdin: "/c\nd\n")
    #expect(wrong.exitCode == 2)
    #expect(wrong.stderr.contains("path \"d\" does not begin with a slash"))
    #expect(shop.edge.verdict("/c") == "200 hit", "a wrong line spoils the whole purge")
  }

  @Test func `JSON tells what each edge did`() throws {
    let shop = try Shop()
    shop.fill("/a")
    let result = shop.purge("/a", "/x*", "--json")
    #expect(result.exitCode == 0)
    #expect(result.stderr.isEmpty)
    for part in [
      "\"schemaVersion\": 1", "\"distribution\": \"shop\"", "\"entries\": 1",
      "\"confirmed\": true", "\"path\": \"/a\"", "\"prefix\": \"/x\"",
    ] {
      #expect(result.stdout.contains(part), "\(part)")
    }
  }

  @Test func `a distribution that is not saved can be purged by its name`() throws {
    let origin = ScriptedServer(response("Cache-Control: max-age=3600"))
    defer { origin.stop() }
    let edge = try RunningEdge(["http://127.0.0.1:\(origin.port)", "--name", "trial"])
    _ = edge.verdict("/a")
    #expect(edge.verdict("/a") == "200 hit")
    #expect(edge.atoll("purge", "trial", "/a").stdout == "purged 1 entry of \"trial\"\n")
    #expect(edge.verdict("/a") == "200 miss, stored")
    #expect(edge.atoll("purge", "tiral", "/a").exitCode == 1)
  }

  @Test func `without an edge the purge is recorded for the next`() throws {
    let home = Home()
    home.run(["create", "shop", "--origin", "http://127.0.0.1:1"])
    let result = home.run(["purge", "shop", "/a"])
    #expect(result.exitCode == 0)
    #expect(
      result.stdout
        == "the purge of \"shop\" is recorded; no edge is running, the next one applies it\n")
    let dry = home.run(["purge", "shop", "/a", "--dry-run"])
    #expect(dry.exitCode == 0)
    #expect(dry.stdout == "nothing would be purged: no edge is running, so nothing is cached\n")
    let store = DirectoryStore(home: home.environment["ATOLL_HOME"]!)
    let (records, complete) = try PurgeJournal(store).records(after: 0)
    #expect(complete)
    #expect(records.map(\.selector) == [.path("/a")])
  }

  @Test func `an edge that stays silent is named and the exit code is 4`() throws {
    let home = Home()
    home.run(["create", "shop", "--origin", "http://127.0.0.1:1"])
    let store = DirectoryStore(home: home.environment["ATOLL_HOME"]!)
    let silent = try EdgeRegistry(store).register(
      EdgeRecord(id: "silent", pid: getpid(), started: 0))
    let result = home.run(["purge", "shop", "/a", "--timeout", "0", "--json"])
    #expect(result.exitCode == 4)
    #expect(result.stdout.contains("\"confirmed\": false"))
    #expect(
      result.stderr == """
        atoll: error: edge "silent" has not confirmed the purge within 0s
        atoll: hint: the purge is recorded: the edge applies it as soon as it can

        """)
    let hasty = home.run(["purge", "shop", "/a", "--no-wait"])
    #expect(hasty.exitCode == 0)
    #expect(hasty.stdout == "the purge of \"shop\" is recorded; not waiting for the edges\n")
    withExtendedLifetime(silent) {}
  }

  @Test(arguments: [
    (["shop"], 2, "nothing to purge"),
    (["shop", "--all", "/a"], 2, "--all leaves no path to name"),
    (["shop", "--all", "--tag", "a"], 2, "exclude each other"),
    (["shop", "--tag", "a,b"], 2, "holds a space or a comma"),
    (["shop", "a"], 2, "does not begin with a slash"),
    (["shpo", "/a"], 1, "did you mean \"shop\"?"),
  ])
  func `what cannot be purged is refused`(words: [String], code: Int32, message: String) {
    let home = Home()
    home.run(["create", "shop", "--origin", "http://127.0.0.1:1"])
    let result = home.run(["purge"] + words)
    #expect(result.exitCode == code)
    #expect(result.stdout.isEmpty)
    #expect(result.stderr.contains(message), "\(result.stderr)")
  }
}
