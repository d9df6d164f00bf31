// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Glibc
import TestSupport
import Testing

/// The database over the life of an edge.
@Suite(.timeLimit(.minutes(20)))
struct GeoSupervisorTests {
  private let directory = TemporaryDirectory()

  private func write(_ country: String) -> String {
    var file = GeoDatabaseFile()
    file.add("127.0.0.0/8", .country(country))
    return file.write(to: directory.file("geo.mmdb"))
  }

  /// Answers with the country that it was told.
  private func origin() throws -> ScriptedOrigin {
    try ScriptedOrigin { exchange in
      try exchange.respond(
        "200 OK", "Cache-Control: max-age=60",
        body: exchange.request["cloudfront-viewer-country"] ?? "none")
    }
  }

  @Test func `a hangup opens the database anew, and keeps the old one when it is broken`() throws {
    let origin = try origin()
    let path = write("DE")
    let edge = try SupervisedEdge(
      unsaved: try site(origin) { $0.settings.key.country = true }, withoutStore: true
    ) { $0.geoDatabase = path }
    #expect(try edge.get("/").text == "DE")
    _ = write("FR")
    // Until it is told to look.
    #expect(try edge.get("/").text == "DE")
    edge.supervisor.post(signal: SIGHUP)
    #expect(eventually { (try? edge.get("/").text) == "FR" })
    directory.write("broken", "nothing")
    rename(directory.file("broken"), path)
    edge.supervisor.post(signal: SIGHUP)
    #expect(edge.waitForLine("the one opened before stays in use"))
    #expect(try edge.get("/").text == "FR")
  }

  @Test func `an edge without a database keeps what it can serve`() throws {
    let origin = try origin()
    let edge = try SupervisedEdge()
    let distribution = try site(origin)
    let revision = try edge.put(distribution)
    #expect(try edge.get("/").text == "none")
    try edge.put(try site(origin) { $0.settings.key.country = true })
    #expect(
      edge.record?.problems == [
        "distribution \"site\" keeps revision \(revision): settings.key.country: needs a GeoIP database, "
          + "which this edge has not; start the edge with --geo-database <file.mmdb>, or take the "
          + "setting out"
      ])
    #expect(try edge.get("/").isHit)
    #expect(try edge.get("/other").text == "none")
    try edge.put(try site(origin) { $0.defaultBehavior = .dontCache })
    #expect(edge.record?.problems == [])
    #expect(try edge.get("/").cacheStatus.contains("detail=behavior-dont-cache"))
  }

  @Test func `viewers of a refused distribution do not get the only other one`() throws {
    let origin = try origin()
    let edge = try SupervisedEdge()
    try edge.put(try site(origin))
    #expect(try edge.get("/").status == 200)
    try edge.put(
      try makeDistribution("needy", id: "dneedy00000000", revision: 0) {
        $0.geoRestriction = .block(["DE"])
      })
    #expect(try edge.get("/", host: "needy.atoll.localhost").status == 421)
    #expect(try edge.get("/", host: "site.atoll.localhost").status == 200)
    try edge.put(try makeDistribution("needy", id: "dneedy00000000", revision: 0))
    #expect(try edge.get("/", host: "test.example").status == 421)
  }

  @Test func `an edge without a database does not start for a distribution that needs one`() throws
  {
    let distribution = try makeDistribution("shop") { $0.geoRestriction = .block(["DE"]) }
    let error = #expect(throws: ConfigError.self) {
      _ = try Supervisor(source: .unsaved(distribution, nil), options: Self.options)
    }
    #expect(error?.problems.map(\.where) == ["geoRestriction"])
  }

  @Test func `a database that cannot be read keeps an edge from starting`() throws {
    var options = Self.options
    options.geoDatabase = directory.file("missing.mmdb")
    #expect(throws: GeoDatabaseError.self) {
      _ = try Supervisor(source: .unsaved(try makeDistribution("shop"), nil), options: options)
    }
  }

  private static var options: SupervisorOptions {
    var options = SupervisorOptions()
    options.edge.listeners = [.tcp(host: "127.0.0.1", port: 0)]
    options.edge.threads = 1
    options.edge.memory = 32 << 20
    options.takesSignals = false
    options.report = { _ in }
    return options
  }
}
