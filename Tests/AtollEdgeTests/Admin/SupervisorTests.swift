// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import CSystem
import Glibc
import TestSupport
import Testing

struct SupervisorTests {
  @Test func `a distribution is served from the moment that the command returns`() throws {
    let origin = try numberingOrigin()
    let edge = try SupervisedEdge()
    #expect(try edge.get("/").status == 421)
    try edge.put(try site(origin))
    let response = try edge.get("/")
    #expect(response.status == 200)
    #expect(response.text == "1")
    #expect(edge.waitForLine("distribution \"site\" is served from http://127.0.0.1:"))
  }

  @Test func `a change is in force when the edge says so`() throws {
    let origin = try numberingOrigin()
    let edge = try SupervisedEdge()
    var distribution = try site(origin)
    try edge.put(distribution)
    for round in 1...10 {
      distribution.isEnabled = round % 2 == 0
      try edge.put(distribution)
      #expect(try edge.get("/").status == (round % 2 == 0 ? 200 : 403))
    }
  }

  @Test func `a deleted distribution is served no more, and its entries go`() throws {
    let origin = try numberingOrigin()
    let edge = try SupervisedEdge()
    let distribution = try site(origin)
    try edge.put(distribution)
    #expect(try edge.get("/").text == "1")
    #expect(edge.supervisor.edge.cache.entryCount == 1)
    let revision = try #require(try edge.catalog.delete("site", ifRevision: nil))
    try edge.waitUntilApplied(revision)
    #expect(try edge.get("/").status == 421)
    #expect(try edge.admin.metrics().total.sinceStart.counts.requests >= 1)
    // The same distribution again, as from a backup: its cache begins empty and works.
    try edge.put(distribution)
    #expect(try edge.get("/").text == "2")
    #expect(try edge.get("/").text == "2")
  }

  @Test func `a file that became invalid keeps the old configuration and is reported`() throws {
    let origin = try numberingOrigin()
    let edge = try SupervisedEdge()
    let revision = try edge.put(try site(origin))
    let broken = try edge.store.write(
      "distributions/site", Array("{\n  \"name\": \"site\"\n}\n".utf8), ifRevision: nil)
    try edge.waitUntilApplied(broken)
    #expect(try edge.get("/").status == 200)
    let problems = try #require(edge.record?.problems)
    #expect(!problems.isEmpty)
    #expect(
      problems.allSatisfy {
        $0.hasPrefix("distribution \"site\" keeps revision \(revision): site.json")
      })
    #expect(edge.waitForLine("distribution \"site\" keeps revision \(revision)"))
    try edge.put(try site(origin))
    #expect(edge.record?.problems == [])
    // As by a person with an editor.
    let file = open(edge.directory.file("store/distributions/site.json"), O_WRONLY | O_TRUNC)
    write(file, "{ not yet", 9)
    close(file)
    #expect(eventually { edge.record?.problems.isEmpty == false })
    #expect(try edge.get("/").status == 200)
  }

  @Test func `a purge is in force when the edge says so, with its count and time`() throws {
    let origin = try numberingOrigin()
    let edge = try SupervisedEdge()
    let distribution = try site(origin)
    try edge.put(distribution)
    for path in ["/a", "/a?x=1", "/b"] { _ = try edge.get(path) }
    let before = Int64(time(nil))
    let first = try #require(try edge.purge(.path("/a"), of: distribution))
    #expect(first.count == 1)
    #expect(first.at >= before)
    #expect(try edge.get("/a").text == "4")
    #expect(try edge.get("/a?x=1").text == "2")
    #expect(try edge.purge(.prefix("/a"), of: distribution)?.count == 2)
    #expect(try edge.purge(.tag("t3"), of: distribution)?.count == 1)
    #expect(try edge.purge(.path("/nothing"), of: distribution)?.count == 0)
    #expect(try edge.get("/b").text == "5")
    #expect(try edge.purge(.all, of: distribution)?.count == 1)
    #expect(edge.record?.purges.map(\.number) == [1, 2, 3, 4, 5])
  }

  @Test func `purges of one command are applied in their order, and all are confirmed`() throws {
    let origin = try numberingOrigin()
    let edge = try SupervisedEdge()
    let distribution = try site(origin)
    try edge.put(distribution)
    for path in ["/a", "/b", "/c"] { _ = try edge.get(path) }
    let numbers = try PurgeJournal(edge.store).append(
      ["/a", "/c", "/a"].map {
        PurgeRecord(
          distribution: distribution.name, id: distribution.id, at: 0, soft: false,
          selector: .path($0))
      })
    _ = try EdgeRegistry(edge.store).waitUntilPurged(
      number: try #require(numbers.last), timeout: .seconds(10))
    #expect(edge.record?.purges.map(\.count) == [1, 1, 0])
  }

  @Test func `a purge of a distribution that is gone is confirmed too`() throws {
    let origin = try numberingOrigin()
    let edge = try SupervisedEdge()
    #expect(try edge.purge(.all, of: try site(origin))?.count == 0)
  }

  @Test func `an edge that starts has nothing to fear from older purges`() throws {
    let origin = try numberingOrigin()
    let directory = TemporaryDirectory()
    let distribution = try site(origin)
    do {
      let edge = try SupervisedEdge(in: directory)
      try edge.put(distribution)
      _ = try edge.purge(.all, of: distribution)
    }
    let edge = try SupervisedEdge(in: directory)
    #expect(eventually { edge.record?.purge == 1 })
    #expect(edge.record?.purges == [])
    _ = try edge.get("/")
    #expect(try edge.purge(.path("/"), of: distribution)?.count == 1)
  }

  @Test func `a journal that lost records has everything purged`() throws {
    let origin = try numberingOrigin()
    let edge = try SupervisedEdge()
    let distribution = try site(origin)
    try edge.put(distribution)
    _ = try edge.purge(.path("/x"), of: distribution)
    _ = try edge.purge(.path("/y"), of: distribution)
    _ = try edge.get("/")
    // As when the store is brought back from a backup: numbers start over.
    for key in try edge.store.keys("purges/") { try edge.store.delete(key, ifRevision: nil) }
    #expect(edge.waitForLine("purges are missing from the journal"))
    #expect(eventually { edge.record?.purge == 0 })
    #expect(try edge.get("/").text == "2")
    #expect(try edge.purge(.path("/"), of: distribution)?.count == 1)
    #expect(try edge.get("/").text == "3")
    #expect(try edge.get("/").text == "3")
  }

  @Test func `a store that disappears leaves the edge serving what it has`() throws {
    let origin = try numberingOrigin()
    let edge = try SupervisedEdge()
    try edge.put(try site(origin))
    let home = edge.directory.file("store")
    rename(home, home + ".away")
    #expect(edge.waitForLine("what was read before stays in use"))
    #expect(try edge.get("/").status == 200)
    rename(home + ".away", home)
    #expect(edge.waitForLine("the store is readable again"))
    var distribution = try site(origin)
    distribution.isEnabled = false
    try edge.put(distribution)
    #expect(try edge.get("/").status == 403)
  }

  @Test func `an edge that cannot tell the store serves, says so once, and tries again`() throws {
    let origin = try numberingOrigin()
    let directory = TemporaryDirectory()
    let store = DirectoryStore(home: directory.file("store"))
    try Catalog(store).put(try site(origin), ifRevision: 0)
    // A file where the directory of the edges should be.
    let obstacle = directory.file("store/edges")
    close(open(obstacle, O_CREAT | O_WRONLY, 0o600))
    let edge = try SupervisedEdge(in: directory)
    #expect(try edge.get("/").status == 200)
    #expect(edge.waitForLine("commands cannot see what this edge has in force"))
    usleep(2_500_000)
    #expect(
      edge.lines.withLock { $0.filter { $0.contains("commands cannot see") }.count } == 1)
    unlink(obstacle)
    #expect(edge.waitForLine("this edge is known to the commands again"))
    #expect(edge.record?.id == edge.supervisor.id)
  }

  @Test func `an edge that is about to listen is not taken for a killed one`() throws {
    let directory = TemporaryDirectory()
    let run = try DirectoryStore(home: directory.file("store")).makeRunDirectory()
    // Another edge, halted within its turn.
    let turn = open(run, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    #expect(flock(turn, LOCK_EX) == 0)
    let path = "\(run)/eother.sock"
    let other = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(other) }
    let address = try #require(SocketAddress(unixPath: path))
    #expect(address.withUnsafeAddress { bind(other, $0, $1) } == 0)
    let edge = Shared<SupervisedEdge?>(nil)
    let thread = TestThread { edge.withLock { $0 = try? SupervisedEdge(in: directory) } }
    usleep(200_000)
    #expect(listen(other, 8) == 0)
    close(turn)
    #expect(thread.join())
    let started = try #require(edge.value)
    #expect(eventually { (try? started.admin.metrics()) != nil })
    #expect(access(path, F_OK) == 0)
  }

  @Test func `sockets of killed edges are removed, those of live ones stay`() throws {
    let directory = TemporaryDirectory()
    let first = try SupervisedEdge(in: directory)
    let run = directory.file("store/run")
    let dead = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    let address = try #require(SocketAddress(unixPath: "\(run)/edead.sock"))
    #expect(address.withUnsafeAddress { bind(dead, $0, $1) } == 0)
    close(dead)
    let second = try SupervisedEdge(in: directory)
    #expect(access("\(run)/edead.sock", F_OK) != 0)
    #expect(try first.admin.metrics().edges.count == 1)
    #expect(try second.admin.metrics().edges.count == 1)
  }

  @Test func `traffic goes on while the configuration changes`() throws {
    let origin = try numberingOrigin()
    let edge = try SupervisedEdge()
    var distribution = try site(origin)
    try edge.put(distribution)
    let viewer = try ScriptedViewer(port: edge.port)
    for round in 0..<20 {
      distribution.settings.staleIfError = round + 1
      try edge.put(distribution)
      #expect(try viewer.get("/").status == 200)
    }
  }

  @Test func `the admin socket tells metrics, status and what a purge would match`() throws {
    let origin = try numberingOrigin()
    let edge = try SupervisedEdge()
    let distribution = try site(origin)
    try edge.put(distribution)
    for path in ["/a", "/a", "/b"] { _ = try edge.get(path) }
    #expect(
      eventually {
        (try? edge.admin.metrics().distributions[0].history.sinceStart.counts.requests) == 3
      })
    let report = try edge.admin.metrics(distribution: "site")
    let counts = report.distributions[0].history.sinceStart.counts
    #expect(counts.requests(.hit) == 1)
    #expect(counts.requests(.miss) == 2)
    #expect(report.distributions[0].history.last5Minutes.counts == counts)
    #expect(report.edges[0].id == edge.supervisor.id)
    #expect(report.edges[0].gauges.cacheEntries == 2)
    #expect(report.edges[0].gauges.memoryLimit == 32 << 20)
    #expect(throws: AdminError.self) { try edge.admin.metrics(distribution: "nope") }
    #expect(try edge.admin.count(id: distribution.id, .prefix("/a")) == 1)
    #expect(try edge.admin.count(id: distribution.id, .all) == 2)
    #expect(throws: AdminError.self) { try edge.admin.count(id: "dnope", .all) }
    let text = String(decoding: try edge.admin.get("/metrics/prometheus"), as: UTF8.self)
    #expect(text.contains("atoll_requests_total{edge=\"\(edge.supervisor.id)\""))
    let status = try JSONReader.read(try edge.admin.get("/status"))
    #expect(status["id"]?.value == .string(edge.supervisor.id))
    #expect(edge.record?.adminSocket == edge.admin.path)
  }

  @Test func `SIGTERM lets the exchange in flight finish and ends`() throws {
    let begun = Event()
    let goOn = Event()
    let origin = try ScriptedOrigin { exchange in
      begun.fire()
      goOn.wait()
      try exchange.respond("200 OK", body: "whole")
    }
    let edge = try SupervisedEdge()
    try edge.put(try site(origin))
    let viewer = try ScriptedViewer(port: edge.port)
    try viewer.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    begun.wait()
    edge.supervisor.post(signal: SIGTERM)
    #expect(edge.waitForLine("draining, for at most 5 s"))
    #expect(eventually { edge.record == nil })
    #expect(edge.end == nil)
    goOn.fire()
    #expect(try viewer.readResponse().text == "whole")
    #expect(eventually { edge.end == .drained })
    #expect(access(edge.admin.path, F_OK) != 0)
    #expect(throws: (any Error).self) { try ScriptedViewer(port: edge.port) }
  }

  @Test func `a second signal ends at once`() throws {
    let begun = Event()
    let origin = try ScriptedOrigin { exchange in
      begun.fire()
      exchange.stall()
    }
    let edge = try SupervisedEdge { $0.drainTimeout = 60 }
    try edge.put(try site(origin))
    let viewer = try ScriptedViewer(port: edge.port)
    try viewer.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    begun.wait()
    edge.supervisor.post(signal: SIGTERM)
    #expect(edge.waitForLine("draining"))
    edge.supervisor.post(signal: SIGINT)
    #expect(eventually { edge.end == .cutShort(signal: SIGINT) })
    #expect(viewer.isClosed())
  }

  @Test func `SIGHUP reopens the access log`() throws {
    let origin = try numberingOrigin()
    let directory = TemporaryDirectory()
    let path = directory.file("access.log")
    let edge = try SupervisedEdge(in: directory) { $0.edge.accessLog = .file(path) }
    try edge.put(try site(origin))
    _ = try edge.get("/before")
    // A response is logged after it was sent: its viewer may be faster.
    #expect(eventually { readText(path)?.contains("/before") ?? false })
    rename(path, path + ".1")
    edge.supervisor.post(signal: SIGHUP)
    #expect(eventually { access(path, F_OK) == 0 })
    _ = try edge.get("/after")
    #expect(eventually { readText(path)?.contains("/after") ?? false })
    #expect(
      eventually { readText(path + ".1")?.contains("/before") ?? false })
  }

  @Test func `an unsaved distribution is served without any store`() throws {
    let origin = try numberingOrigin()
    let edge = try SupervisedEdge(unsaved: try site(origin), withoutStore: true)
    #expect(try edge.get("/").text == "1")
    #expect(try edge.get("/").text == "1")
  }

  @Test func `an unsaved distribution obeys purges of its name and holds up no command`() throws {
    let origin = try numberingOrigin()
    let edge = try SupervisedEdge(unsaved: try site(origin))
    #expect(try edge.get("/").text == "1")
    let other = try makeDistribution("other", id: "dother00000000")
    try edge.put(other)
    #expect(try edge.get("/").text == "1")
    let named = try makeDistribution("site", id: "danother000000")
    #expect(try edge.purge(.all, of: named)?.count == 1)
    #expect(try edge.get("/").text == "2")
  }

  @Test func `an unsaved distribution needs no readable store`() throws {
    let origin = try numberingOrigin()
    let directory = TemporaryDirectory()
    // A file where the directory should be.
    close(open(directory.file("store"), O_CREAT | O_WRONLY, 0o600))
    let lines = Shared<[String]>([])
    var options = SupervisorOptions()
    options.edge.listeners = [.tcp(host: "127.0.0.1", port: 0)]
    options.edge.threads = 1
    options.takesSignals = false
    options.runDirectory = directory.file("store/run")
    options.report = { line in lines.withLock { $0.append(line) } }
    let supervisor = try Supervisor(
      source: .unsaved(try site(origin), DirectoryStore(home: directory.file("store"))),
      options: options)
    let thread = Thread.start("supervisor") { _ = supervisor.run() }
    let port = UInt16(supervisor.addresses[0].split(separator: ":").last!)!
    #expect(try ScriptedViewer(port: port).get("/").status == 200)
    supervisor.post(signal: SIGTERM)
    pthread_join(thread, nil)
    #expect(lines.withLock { $0.contains { $0.contains("stays in use") } })
  }

  @Test func `an origin that cannot be resolved or reached does not keep an edge from starting`()
    throws
  {
    let directory = TemporaryDirectory()
    let catalog = Catalog(DirectoryStore(home: directory.file("store")))
    for (name, origin) in [
      ("unknown", "http://no-such-name.invalid"), ("closed", "http://127.0.0.1:1"),
      ("secure", "https://127.0.0.1:1"),
    ] {
      let id = "d" + String(repeating: "0", count: 13 - name.utf8.count) + name
      // A system that trusts nobody would not serve the one over TLS at all.
      let ca = directory.write("ca.pem", TestAuthority().certificate)
      try catalog.put(
        try makeDistribution(name, id: id, origin: origin, revision: 0) { $0.origin.tls.ca = ca },
        ifRevision: 0)
    }
    let edge = try SupervisedEdge(in: directory)
    #expect(try edge.get("/", host: "closed.atoll.localhost").status == 502)
    #expect(try edge.get("/", host: "secure.atoll.localhost").status == 502)
    #expect([502, 504].contains(try edge.get("/", host: "unknown.atoll.localhost").status))
    #expect(
      edge.waitForLine(
        "distribution \"secure\": origin https://127.0.0.1:1 failed (origin-connect)"))
  }

  @Test func `a default distribution that does not exist is a problem, not an end`() throws {
    let origin = try numberingOrigin()
    let edge = try SupervisedEdge { $0.defaultDistribution = "site" }
    #expect(eventually { edge.record != nil })
    #expect(edge.record?.problems == ["the default distribution \"site\" does not exist"])
    #expect(edge.waitForLine("the default distribution \"site\" does not exist"))
    try edge.put(try makeDistribution("other", id: "dother00000000", revision: 0))
    #expect(try edge.get("/").status == 421)
    try edge.put(try site(origin))
    #expect(try edge.get("/").text == "1")
    #expect(edge.record?.problems == [])
  }
}
