// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc
import TestSupport
import Testing

@testable import atoll

@Suite struct MetricsCommandTests {
  @Test func `an edge's traffic is shown in each form`() throws {
    let origin = ScriptedServer(response("Cache-Control: max-age=3600"))
    defer { origin.stop() }
    let edge = try RunningEdge(["http://127.0.0.1:\(origin.port)", "--name", "shop"])
    _ = edge.atoll("test", "--count", "4", edge.url + "/a")
    // A loop counts an exchange when it is over, a moment after the viewer has its last byte.
    try wait(for: "four requests to be counted") {
      edge.atoll("metrics", "shop", "--json").stdout.contains("\"requests\": 4")
    }
    let table = edge.atoll("metrics")
    #expect(table.exitCode == 0)
    #expect(table.stderr.isEmpty)
    let row = table.stdout.split(separator: "\n").first { $0.hasPrefix("shop ") }
    let cells = row?.split(separator: " ").map(String.init) ?? []
    #expect(cells.dropFirst().first == "4")
    #expect(cells.contains("75.0%"))

    let one = edge.atoll("metrics", "shop")
    #expect(one.stdout.contains("since start"))
    #expect(one.stdout.contains("\nhit "))
    #expect(one.stdout.contains("\nabsent "))

    let report = try #require(
      MetricsReport(json: Array(edge.atoll("metrics", "shop", "--json").stdout.utf8)))
    #expect(report.distributions.map(\.name) == ["shop"])
    #expect(report.total.sinceStart.counts.requests(.hit) == 3)
    #expect(report.total.sinceStart.counts.hitRatio == 75)

    let prometheus = edge.atoll("metrics", "--prometheus").stdout
    #expect(prometheus.contains("# TYPE atoll_requests_total counter\n"))
    #expect(prometheus.contains("distribution=\"shop\",methods=\"cacheable\",outcome=\"hit\"} 3\n"))
  }

  @Test func `no bytes are claimed for outcomes that methods without a count of them had`() throws {
    let origin = ScriptedServer(response("Cache-Control: max-age=3600"))
    defer { origin.stop() }
    let edge = try RunningEdge(["http://127.0.0.1:\(origin.port)", "--name", "shop"])
    _ = edge.atoll("test", "--count", "1", "-X", "POST", edge.url + "/a")
    try wait(for: "the request to be counted") {
      edge.atoll("metrics", "shop", "--json").stdout.contains("\"requests\": 1")
    }
    let rows = edge.atoll("metrics", "shop").stdout.split(separator: "\n")
      .map { $0.split(separator: " ") }
    #expect(rows.contains(["outcome", "requests", "down"]))
    #expect(rows.contains(["pass", "1", "-"]))
  }

  @Test func `several edges are added up`() throws {
    let origin = ScriptedServer(response("Cache-Control: max-age=3600"))
    defer { origin.stop() }
    let first = try RunningEdge([])
    let second = try RunningEdge([], home: first.home)
    #expect(
      first.atoll("create", "shop", "--origin", "http://127.0.0.1:\(origin.port)").exitCode == 0)
    for edge in [first, second] { _ = edge.verdict("/a") }
    try wait(for: "both edges to have counted") {
      first.atoll("metrics", "shop", "--json").stdout.contains("\"requests\": 2")
    }
    let purged = first.atoll("purge", "shop", "--all")
    #expect(purged.stdout == "purged 2 entries of \"shop\"\n")
    #expect(purged.stderr.split(separator: "\n").count == 2)
  }

  @Test func `an edge that does not answer hides no other`() throws {
    let origin = ScriptedServer(response("Cache-Control: max-age=3600"))
    defer { origin.stop() }
    let first = try RunningEdge(["http://127.0.0.1:\(origin.port)", "--name", "shop"])
    let second = try RunningEdge([], home: first.home)
    _ = first.verdict("/a")
    try wait(for: "the request to be counted") {
      first.atoll("metrics", "shop", "--json").stdout.contains("\"requests\": 1")
    }
    let alone = try RunningEdge([])
    for edge in [second, alone] { kill(edge.process.pid, SIGSTOP) }
    defer { for edge in [second, alone] { kill(edge.process.pid, SIGCONT) } }
    // Each waits for some seconds: all do so at the same time.
    func start(_ arguments: [String], on edge: RunningEdge) -> RunningAtoll {
      RunningAtoll(["metrics"] + arguments, env: ["ATOLL_HOME": edge.home.path + "/store"])
    }
    let running = [
      start([], on: first), start(["shop", "--json"], on: first),
      start(["--prometheus"], on: first), start(["other", "--json"], on: first),
      start([], on: alone),
    ]
    let results = running.map { $0.wait() }
    for result in results {
      #expect(result.exitCode == 1)
      let lines = result.stderr.split(separator: "\n")
      #expect(lines.count == 2, "\(result.stderr)")
      #expect(lines.first?.hasPrefix("atoll: error: edge \"") == true)
      #expect(lines.first?.hasSuffix("\" gave no metrics: no answer in time") == true)
      #expect(lines.last?.hasPrefix("atoll: hint: is it alive") == true)
    }
    #expect(results[0].stdout.split(separator: "\n").contains { $0.hasPrefix("shop ") })
    let report = try #require(MetricsReport(json: Array(results[1].stdout.utf8)))
    #expect(report.edges.count == 1)
    #expect(report.distributions.map(\.name) == ["shop"])
    #expect(results[2].stdout.contains("# TYPE atoll_requests_total counter\n"))
    // The silent one may be what serves it.
    #expect(results[3].stdout.isEmpty)
    #expect(results[4].stdout.isEmpty)
  }

  @Test func `without an edge there is nothing to show`() {
    let result = Home().run(["metrics", "--json"])
    #expect(result.exitCode == 1)
    #expect(result.stdout.isEmpty)
    #expect(
      result.stderr == """
        atoll: error: no edge is running, so there are no metrics
        atoll: hint: start one with atoll serve

        """)
  }

  @Test func `a name that nobody knows is an error`() throws {
    let edge = try RunningEdge(["http://127.0.0.1:1"])
    let result = edge.atoll("metrics", "shop")
    #expect(result.exitCode == 1)
    #expect(result.stderr.hasPrefix("atoll: error: no distribution named \"shop\"\n"))
  }

  @Test func `two formats exclude each other`() {
    #expect(Home().run(["metrics", "--json", "--prometheus"]).exitCode == 2)
  }

  @Test(arguments: [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")])
  func `numbers are grouped`(value: UInt64, text: String) {
    #expect(MetricsView.number(value) == text)
  }

  @Test(
    arguments: [
      (nil, "-"), (0, "0.0%"), (0.001, "0.1%"), (33.333, "33.3%"), (99.99, "99.9%"),
      (100, "100.0%"),
    ] as [(Double?, String)])
  func `a share claims neither all nor nothing wrongly`(value: Double?, text: String) {
    #expect(MetricsView.percent(value) == text)
  }
}
