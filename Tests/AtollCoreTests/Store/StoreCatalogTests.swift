// SPDX-License-Identifier: Apache-2.0
import Glibc
import TestSupport
import Testing

@testable import AtollCore

@Suite struct StoreCatalogTests {
  let directory = TemporaryDirectory()

  @Test func `a distribution is created, changed and deleted`() throws {
    let catalog = Catalog(directory.store)
    #expect(try catalog.get("shop") == nil)
    var shop = try Sample.distribution()
    #expect(try catalog.put(shop, ifRevision: 0) == 1)
    shop.revision = 1
    #expect(try catalog.get("shop") == shop)
    #expect(throws: StoreError.self) { try catalog.put(shop, ifRevision: 0) }
    shop.settings.ttl.default = 60
    shop.preset = .custom
    #expect(try catalog.put(shop, ifRevision: shop.revision) == 2)
    shop.revision = 2
    #expect(try catalog.get("shop") == shop)
    let (revision, distributions, invalid) = try catalog.all()
    #expect(revision == 2)
    #expect(distributions == [shop])
    #expect(invalid.isEmpty)
    #expect(try catalog.names() == ["shop"])
    #expect(try catalog.delete("shop", ifRevision: 2) == 3)
    #expect(try catalog.delete("shop", ifRevision: nil) == nil)
    #expect(try catalog.all().distributions.isEmpty)
  }

  @Test func `what is not valid is never written`() throws {
    let catalog = Catalog(directory.store)
    var shop = try Sample.distribution()
    shop.name = "../shop"
    #expect(throws: ConfigError.self) { try catalog.put(shop, ifRevision: nil) }
    #expect(try catalog.get("../shop") == nil)
    #expect(try catalog.delete("../shop", ifRevision: nil) == nil)
    #expect(directory.files("").isEmpty)
  }

  @Test func `a bad file hides no good one and is reported`() throws {
    let catalog = Catalog(directory.store)
    try catalog.put(try Sample.distribution("good"), ifRevision: 0)
    directory.write("home/distributions/syntax.json", "{\n  \"name\": \"syntax\",\n}\n")
    directory.write(
      "home/distributions/copied.json",
      "{\"name\": \"good\", \"origin\": \"http://a.example\"}")
    directory.write("home/distributions/key.json", "{\"nam\": \"key\"}")
    mkdir("\(directory.path)/home/distributions/folder.json", 0o700)
    let (_, distributions, invalid) = try catalog.all()
    #expect(distributions.map(\.name) == ["good"])
    #expect(invalid.map(\.name) == ["copied", "folder", "key", "syntax"])
    #expect(invalid[3].error.problems.first?.where == "syntax.json:3:1")
    #expect(
      invalid[0].error.problems.first?.message
        == "copied.json: name: \"good\" is stored under the name \"copied\"")
    #expect(throws: ConfigError.self) { try catalog.get("syntax") }
  }

  @Test func `100 distributions are read from both kinds of store alike`() throws {
    let names = (0..<100).map { "site-\($0 + 100)" }
    for store in [directory.store as any Store, MemoryStore()] {
      let catalog = Catalog(store)
      for name in names { try catalog.put(try Sample.distribution(name), ifRevision: 0) }
      let all = try catalog.all()
      #expect(all.distributions.map(\.name) == names)
      #expect(all.revision == 100)
      #expect(all.distributions.map(\.revision) == Array(1...100))
    }
  }

  @Test func `an edge's record is read back as it was written`() throws {
    var record = EdgeRecord(
      id: "one", pid: 42, started: 1_767_225_600, addresses: ["127.0.0.1:8080", "unix:/a b"],
      adminSocket: "/run/\"x\".sock", revision: 7, purge: 9, problems: ["shop: é"],
      refused: [RefusedDocument(name: "shop", kept: 3), RefusedDocument(name: "new")],
      unsaved: "shop")
    let last = UInt64(EdgeRecord.purgesKept) + 44
    for number in 1...last { record.apply(.init(number: number, count: 3, at: 5)) }
    #expect(record.purges.count == EdgeRecord.purgesKept)
    #expect(record.purge == last)
    let registry = EdgeRegistry(directory.store)
    let registration = try registry.register(record)
    #expect(try registry.edges() == [record])
    record.revision = 8
    try registration.update(record)
    #expect(try registry.edges() == [record])
    registration.release()
    #expect(try registry.edges() == [])
  }

  @Test func `without edges nothing is waited for`() throws {
    let registry = EdgeRegistry(directory.store)
    let start = ContinuousClock.now
    #expect(try registry.waitUntilApplied(revision: 9, timeout: .seconds(10)).isEmpty)
    #expect(ContinuousClock.now - start < .seconds(1))
    #expect(directory.files("").isEmpty)
  }

  @Test func `an edge that does not answer is told apart when the time is up`() throws {
    let store = directory.store
    let registry = EdgeRegistry(store)
    let slow = try registry.register(EdgeRecord(id: "slow", pid: 1, started: 0, revision: 2))
    let quick = try registry.register(EdgeRecord(id: "quick", pid: 1, started: 0, revision: 3))
    let answers = try registry.waitUntilApplied(revision: 3, timeout: .milliseconds(50))
    #expect(answers.map(\.edge.id) == ["quick", "slow"])
    #expect(answers.map(\.isConfirmed) == [true, false])
    slow.release()
    quick.release()
  }

  @Test(arguments: [true, false])
  func `a wait ends as soon as every edge has answered or ended`(answers: Bool) throws {
    let home = directory.store.home
    let problems = Collected<String>()
    let registry = EdgeRegistry(directory.store)
    var record = EdgeRecord(id: "one", pid: 1, started: 0)
    let registration = try registry.register(record)
    record.apply(.init(number: 5, count: 14, at: 1_000))
    let answer = record
    runThreads(2) { index in
      do throws(StoreError) {
        if index == 0 {
          usleep(30_000)
          if answers { try registration.update(answer) } else { registration.release() }
          return
        }
        let start = ContinuousClock.now
        let result = try EdgeRegistry(DirectoryStore(home: home))
          .waitUntilPurged(number: 5, timeout: .seconds(20))
        if ContinuousClock.now - start > .seconds(5) { problems.append("late") }
        if answers, result.first?.applied(purge: 5)?.count != 14 { problems.append("no count") }
        if !result.allSatisfy(\.isConfirmed) || result.isEmpty == answers {
          problems.append("\(result)")
        }
      } catch {
        problems.append(error.message)
      }
    }
    #expect(problems.all == [])
    registration.release()
  }
}
