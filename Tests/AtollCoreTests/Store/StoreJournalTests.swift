// SPDX-License-Identifier: Apache-2.0
import Glibc
import TestSupport
import Testing

@testable import AtollCore

@Suite struct StoreJournalTests {
  let directory = TemporaryDirectory()

  private func record(_ selector: PurgeSelector = .all, at: Int64 = 1_000) -> PurgeRecord {
    PurgeRecord(distribution: "shop", id: "d0123456789abc", at: at, soft: false, selector: selector)
  }

  private func store(kind: StoreKind) -> any Store {
    kind == .memory ? MemoryStore() : directory.store
  }

  enum StoreKind: CaseIterable { case directory, memory }

  @Test(arguments: StoreKind.allCases)
  func `records are numbered from 1 without gaps`(kind: StoreKind) throws {
    let journal = PurgeJournal(store(kind: kind))
    #expect(try journal.lastNumber() == 0)
    #expect(try journal.append([]) == [])
    #expect(try journal.append([record(), record(.path("/a?b=\"c\""))]) == [1, 2])
    var soft = record(.tag("news"), at: 2_000)
    soft.soft = true
    #expect(try journal.append([soft]) == [3])
    #expect(try journal.append([record(.prefix("/é/"))]) == [4])
    #expect(try journal.lastNumber() == 4)
    let (records, complete) = try journal.records(after: 0)
    #expect(complete)
    #expect(records.map(\.number) == [1, 2, 3, 4])
    #expect(
      records.map(\.selector) == [.all, .path("/a?b=\"c\""), .tag("news"), .prefix("/é/")])
    #expect(records[2].soft && records[2].at == 2_000)
    #expect(records[0].distribution == "shop" && records[0].id == "d0123456789abc")
  }

  @Test func `an edge gets what it is missing`() throws {
    let journal = PurgeJournal(directory.store)
    try journal.append([record(), record(), record()])
    try journal.append([record()])
    for applied in UInt64(0)...4 {
      let (records, complete) = try journal.records(after: applied)
      #expect(records.map(\.number) == Array((applied + 1)..<5))
      #expect(complete)
    }
  }

  @Test func `an empty journal completes only an edge that has applied nothing`() throws {
    let journal = PurgeJournal(directory.store)
    #expect(try journal.records(after: 0).complete)
    #expect(try !journal.records(after: 7).complete)
    try journal.append([record()])
    // Numbers that started over, in a store made anew.
    #expect(try !journal.records(after: 7).complete)
  }

  @Test func `20 processes that append at once get numbers of their own`() throws {
    let home = directory.store.home
    let numbers = Collected<UInt64>()
    let failures = Collected<String>()
    runThreads(20) { _ in
      let journal = PurgeJournal(DirectoryStore(home: home))
      for _ in 0..<3 {
        do {
          for number in try journal.append([record(), record()]) { numbers.append(number) }
        } catch {
          failures.append("\(error)")
        }
      }
    }
    #expect(failures.all == [])
    #expect(numbers.all.sorted() == Array(1...120))
    #expect(try PurgeJournal(directory.store).records(after: 0).records.count == 120)
  }

  @Test func `records older than seven days are dropped, but never the newest`() throws {
    let journal = PurgeJournal(directory.store)
    try journal.append([record(at: 0)])
    try journal.append([record(at: 100)])
    try journal.trim(now: 7 * 86_400)
    #expect(try journal.records(after: 0).records.count == 2)
    try journal.trim(now: 7 * 86_400 + 1)
    var left = try journal.records(after: 0)
    #expect(left.records.map(\.number) == [2])
    #expect(!left.complete)
    #expect(try journal.records(after: 1).complete)
    try journal.trim(now: 99 * 86_400)
    #expect(try journal.lastNumber() == 2)
    // Appending trims by the time of the new record.
    #expect(try journal.append([record(at: 99 * 86_400)]) == [3])
    left = try journal.records(after: 1)
    #expect(left.records.map(\.number) == [3])
  }

  @Test(arguments: StoreKind.allCases)
  func `what every live edge has applied is dropped beyond 1,000 records`(kind: StoreKind) throws {
    let store = store(kind: kind)
    let journal = PurgeJournal(store)
    let batch = Array(repeating: record(), count: 100)
    let edge = EdgeRecord(id: "one", pid: 1, started: 0, purge: 250)
    let registration = try EdgeRegistry(store).register(edge)
    for _ in 0..<15 { try journal.append(batch) }
    // 500 may go by their number, of which the edge has applied 250.
    #expect(try journal.records(after: 0).records.first?.number == 201)
    registration.release()
    try journal.append(batch)
    #expect(try journal.records(after: 0).records.first?.number == 601)
  }

  @Test func `10,000 records stay at most, whatever the edges have applied`() throws {
    let store = MemoryStore()
    let journal = PurgeJournal(store)
    let registration = try EdgeRegistry(store).register(EdgeRecord(id: "one", pid: 1, started: 0))
    let batch = Array(repeating: record(), count: 1_000)
    for _ in 0..<12 { try journal.append(batch) }
    let (records, complete) = try journal.records(after: 0)
    #expect(records.count == 10_000)
    #expect(records.first?.number == 2_001)
    #expect(!complete)
    registration.release()
  }

  @Test func `a damaged record is named, not skipped`() throws {
    let journal = PurgeJournal(directory.store)
    try journal.append([record()])
    directory.write("home/purges/00000000000000000001.json", "{\"records\": [{\"number\": 1}]}")
    #expect(throws: StoreError.self) { try journal.records(after: 0) }
  }
}
