// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import CSystem
import Glibc
import TestSupport
import Testing

/// A supervised edge on a port of its own, on a store in a directory of its own.
final class SupervisedEdge: @unchecked Sendable {
  let directory: TemporaryDirectory
  let store: DirectoryStore
  let supervisor: Supervisor
  let lines: Shared<[String]>
  private let ending = Shared<Supervisor.Ending?>(nil)
  private let thread: pthread_t

  init(
    in directory: TemporaryDirectory = TemporaryDirectory(),
    unsaved: Distribution? = nil, withoutStore: Bool = false,
    _ change: (inout SupervisorOptions) -> Void = { _ in }
  ) throws {
    self.directory = directory
    store = DirectoryStore(home: directory.file("store"))
    let lines = Shared<[String]>([])
    self.lines = lines
    var options = SupervisorOptions()
    options.edge.listeners = [.tcp(host: "127.0.0.1", port: 0)]
    options.edge.threads = 2
    options.edge.memory = 32 << 20
    options.takesSignals = false
    options.drainTimeout = 5
    options.runDirectory = try store.makeRunDirectory()
    options.report = { line in lines.withLock { $0.append(line) } }
    change(&options)
    let source: Supervisor.Source =
      if let unsaved { .unsaved(unsaved, withoutStore ? nil : store) } else { .store(store) }
    let supervisor = try Supervisor(source: source, options: options)
    self.supervisor = supervisor
    let ending = self.ending
    thread = Thread.start("supervisor") {
      let result = supervisor.run()
      ending.withLock { $0 = result }
    }
    #expect(waitForLine("listening on 127.0.0.1:"))
  }

  deinit {
    supervisor.post(signal: SIGTERM)
    supervisor.post(signal: SIGTERM)
    pthread_join(thread, nil)
  }

  var port: UInt16 { UInt16(supervisor.addresses[0].split(separator: ":").last!)! }
  var catalog: Catalog { Catalog(store) }
  var record: EdgeRecord? { try? EdgeRegistry(store).edges().first }
  var admin: AdminClient { AdminClient(path: directory.file("store/run/\(supervisor.id).sock")) }
  var end: Supervisor.Ending? { ending.withLock { $0 } }

  func get(_ target: String, host: String = "test.example") throws -> ViewerResponse {
    let viewer = try ScriptedViewer(port: port)
    defer { viewer.close() }
    try viewer.send("GET \(target) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n")
    return try viewer.readResponse()
  }

  /// Writes a distribution and waits for the edge as the commands do.
  @discardableResult
  func put(_ distribution: Distribution) throws -> UInt64 {
    let revision = try catalog.put(distribution, ifRevision: nil)
    try waitUntilApplied(revision)
    return revision
  }

  func waitUntilApplied(_ revision: UInt64) throws {
    let result = try EdgeRegistry(store).waitUntilApplied(
      revision: revision, timeout: .seconds(10))
    #expect(result.map(\.isConfirmed) == [true])
  }

  func purge(
    _ selector: PurgeSelector, of distribution: Distribution, soft: Bool = false
  ) throws -> AppliedPurge? {
    let number = try PurgeJournal(store).append([
      PurgeRecord(
        distribution: distribution.name, id: distribution.id, at: Int64(time(nil)), soft: soft,
        selector: selector)
    ])[0]
    let result = try EdgeRegistry(store).waitUntilPurged(number: number, timeout: .seconds(10))
    #expect(result.map(\.isConfirmed) == [true])
    return result.first?.applied(purge: number)
  }

  func waitForLine(_ text: String) -> Bool {
    eventually { lines.withLock { $0.contains { $0.contains(text) } } }
  }
}

func site(
  _ origin: ScriptedOrigin, name: String = "site", change: (inout Distribution) -> Void = { _ in }
) throws -> Distribution {
  let label = name.filter { $0 != "." }
  return try makeDistribution(
    name, id: "d" + String(repeating: "0", count: 13 - label.utf8.count) + label,
    origin: "http://127.0.0.1:\(origin.port)", revision: 0, change: change)
}

/// Answers with the number of the request, to be stored for an hour.
func numberingOrigin() throws -> ScriptedOrigin {
  try ScriptedOrigin { exchange in
    try exchange.respond(
      "200 OK", "Cache-Control: max-age=3600", "Cache-Tag: all, t\(exchange.request.number)",
      body: "\(exchange.request.number)")
  }
}

/// An enabled distribution for an edge in this process.
func makeDistribution(
  _ name: String, id: String? = nil, origin: String = "http://127.0.0.1:3000",
  revision: UInt64 = 1, change: (inout Distribution) -> Void = { _ in }
) throws -> Distribution {
  var distribution = Distribution.make(
    name: name, origin: try Origin(url: origin), preset: .origin, id: id ?? "d\(name)", now: 0)
  distribution.revision = revision
  change(&distribution)
  return distribution
}
