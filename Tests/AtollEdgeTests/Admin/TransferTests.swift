// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Glibc
import TestSupport
import Testing

/// Monthly transfer of a supervised edge (Lightsail's plans).
@Suite(.timeLimit(.minutes(20)))
struct TransferTests {
  private static let body = String(repeating: "x", count: 10_000)

  private func origin() throws -> ScriptedOrigin {
    try ScriptedOrigin { exchange in
      try exchange.respond("200 OK", "Cache-Control: max-age=3600", body: Self.body)
    }
  }

  private func totals(_ edge: SupervisedEdge) throws -> [String: UInt64] {
    try TransferLedger(edge.store).totals(TransferMonth(at: Int64(time(nil))))
  }

  @Test func `what viewers were sent is kept over restarts and added up over edges`() throws {
    let origin = try origin()
    let shop = try site(origin) { $0.plan = .small }
    let directory = TemporaryDirectory()
    let first = try SupervisedEdge(in: directory)
    let second = try SupervisedEdge(in: directory)
    try first.catalog.put(shop, ifRevision: nil)
    for edge in [first, second] {
      #expect(
        eventually { (try? edge.get("/", host: shop.ownDomains[0]).status) == 200 })
      _ = try edge.get("/", host: shop.ownDomains[0])
      edge.supervisor.post(signal: SIGTERM)
      #expect(eventually { edge.end != nil })
    }
    let sum = try #require(try totals(first)[shop.id])
    #expect(sum >= 40_000 && sum < 60_000)
    let third = try SupervisedEdge(in: directory)
    let use = try #require(try third.admin.metrics().distributions.first?.transfer)
    #expect(use.stored == sum && use.unstored == 0 && use.quota == 50_000_000_000)
    _ = try third.get("/", host: shop.ownDomains[0])
    // What the store does not know yet counts.
    #expect(
      eventually {
        guard let use = try? third.admin.metrics().distributions.first?.transfer else {
          return false
        }
        return use.bytes > sum + 10_000
      })
  }

  @Test func `the store is told every so often`() throws {
    let origin = try origin()
    let shop = try site(origin)
    let edge = try SupervisedEdge { $0.transferInterval = 1 }
    try edge.put(shop)
    _ = try edge.get("/")
    #expect(eventually { ((try? totals(edge))?[shop.id] ?? 0) > 10_000 })
    // Not when nothing was sent. The number follows the file.
    usleep(300_000)
    let revision = try edge.store.revision()
    usleep(2_200_000)
    #expect(try edge.store.revision() == revision)
  }

  @Test func `the log warns at 80 and at 100 percent, and traffic goes on`() throws {
    let origin = try origin()
    let shop = try site(origin) { $0.plan = .small }
    let edge = try SupervisedEdge { $0.transferInterval = 1 }
    try edge.put(shop)
    let ledger = TransferLedger(edge.store)
    let month = TransferMonth(at: Int64(time(nil)))
    try ledger.add([shop.id: 41_000_000_000], to: month)
    #expect(edge.waitForLine("distribution \"site\" has used 80 % of its plan \"small\""))
    try ledger.add([shop.id: 9_000_000_000], to: month)
    #expect(edge.waitForLine("distribution \"site\" has used up its plan \"small\""))
    #expect(try edge.get("/").status == 200)
    usleep(1_500_000)
    #expect(edge.lines.value.filter { $0.contains("its plan") }.count == 2)
  }

  @Test func `an edge without a store of its own keeps nothing`() throws {
    let origin = try origin()
    let edge = try SupervisedEdge(unsaved: try site(origin)) { $0.transferInterval = 1 }
    _ = try edge.get("/")
    #expect(try edge.admin.metrics().distributions.first?.transfer == nil)
    usleep(1_200_000)
    #expect(try totals(edge) == [:])
  }
}
