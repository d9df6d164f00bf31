// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import AtollCore

@Suite struct StoreWatchTests {
  let directory = TemporaryDirectory()

  /// Whether a change of the key, or of anything, has been reported.
  private func reports(_ changes: [StoreChange], _ key: String) -> Bool {
    changes.contains { change in
      if case .keys(let keys) = change { return keys.contains(key) }
      return true
    }
  }

  @Test func `every change under the prefix is reported with its key`() throws {
    let store = directory.store
    try store.write("distributions/a", object("1"), ifRevision: 0)
    let changes = Collected<StoreChange>()
    let watch = try store.watch("distributions/") { changes.append($0) }
    try store.write("distributions/a", object("2"), ifRevision: 1)
    #expect(changes.wait { $0.contains(.keys(["distributions/a"])) })
    try store.write("distributions/b", object("3"), ifRevision: 0)
    #expect(changes.wait { $0.contains(.keys(["distributions/b"])) })
    let count = changes.all.count
    try store.delete("distributions/a", ifRevision: nil)
    #expect(changes.wait { $0.dropFirst(count).contains(.keys(["distributions/a"])) })
    // Another prefix is no concern of this watch.
    let quiet = changes.all.count
    try store.write("purges/1", object("4"), ifRevision: 0)
    usleep(50_000)
    #expect(changes.all.count == quiet)
    watch.cancel()
    try store.write("distributions/a", object("5"), ifRevision: 0)
    usleep(50_000)
    #expect(changes.all.count == quiet)
  }

  @Test func `a file edited in place is reported`() throws {
    let store = directory.store
    try store.write("distributions/a", object("1"), ifRevision: 0)
    let changes = Collected<StoreChange>()
    let watch = try store.watch("distributions/") { changes.append($0) }
    directory.write("home/distributions/a.json", "{}")
    #expect(changes.wait { reports($0, "distributions/a") })
    watch.cancel()
  }

  @Test func `a watch outlasts that the store is made later, removed and made again`() throws {
    let store = directory.store
    let changes = Collected<StoreChange>()
    let watch = try store.watch("distributions/") { changes.append($0) }
    try store.write("distributions/a", object("1"), ifRevision: 0)
    #expect(changes.wait { reports($0, "distributions/a") })
    var seen = changes.all.count
    TemporaryDirectory.remove(store.home)
    #expect(changes.wait { $0.count > seen })
    seen = changes.all.count
    try store.write("distributions/a", object("1"), ifRevision: 0)
    #expect(changes.wait { reports(Array($0.dropFirst(seen)), "distributions/a") })
    // Let the reports about its making pass.
    usleep(50_000)
    seen = changes.all.count
    try store.write("distributions/b", object("1"), ifRevision: 0)
    #expect(changes.wait { reports(Array($0.dropFirst(seen)), "distributions/b") })
    watch.cancel()
  }

  @Test func `keys too long for a file name are watched too`() throws {
    let store = directory.store
    try store.write("distributions/a", object("1"), ifRevision: 0)
    let changes = Collected<StoreChange>()
    let watch = try store.watch("distributions/") { changes.append($0) }
    let key = "distributions/" + String(repeating: "x", count: 255)
    try store.write(key, object("1"), ifRevision: 0)
    #expect(changes.wait { reports($0, key) })
    usleep(50_000)
    let seen = changes.all.count
    try store.write(key, object("2"), ifRevision: nil)
    #expect(changes.wait { reports(Array($0.dropFirst(seen)), key) })
    watch.cancel()
  }

  @Test func `a callback may cancel its own watch`() throws {
    let store = directory.store
    final class Box: @unchecked Sendable { var watch: (any StoreWatch)? }
    let box = Box()
    let calls = Collected<Int>()
    box.watch = try store.watch("distributions/") { _ in
      box.watch?.cancel()
      calls.append(1)
    }
    try store.write("distributions/a", object("1"), ifRevision: 0)
    #expect(calls.wait { !$0.isEmpty })
    box.watch = nil
  }

  @Test func `a held key is seen while it is held`() throws {
    let store = directory.store
    let changes = Collected<StoreChange>()
    let watch = try store.watch("edges/") { changes.append($0) }
    let hold = try store.hold("edges/one", object("1"))
    #expect(try store.read("edges/one")?.text == "1")
    #expect(try store.list("edges/").values.compactMap(\.text) == ["1"])
    try hold.update(object("2"))
    #expect(try store.read("edges/one")?.text == "2")
    #expect(throws: StoreError.held("edges/one")) { _ = try store.hold("edges/one", object("3")) }
    let seen = changes.all.count
    hold.release()
    #expect(try store.read("edges/one") == nil)
    #expect(try store.keys("edges/") == [])
    #expect(changes.wait { reports(Array($0.dropFirst(seen)), "edges/one") })
    #expect(throws: StoreError.self) { try hold.update(object("4")) }
    watch.cancel()
    #expect(directory.files() == ["home/revision"])
  }

  @Test func `what a dead holder left is not seen, and is removed by the next`() throws {
    let store = directory.store
    // As after kill -9: the value and an unlocked lock.
    _ = try store.hold("edges/first", object("0"))
    directory.write("home/edges/dead.json", "{}")
    directory.write("home/edges/dead.lock", "")
    directory.write("home/edges/.hold-dead", "{")
    #expect(try store.read("edges/dead") == nil)
    #expect(try store.keys("edges/") == [])
    let hold = try store.hold("edges/one", object("1"))
    #expect(
      directory.files() == ["home/edges/one.json", "home/edges/one.lock", "home/revision"])
    hold.release()
  }

  @Test func `a hold outlasts that the store is removed`() throws {
    let store = directory.store
    let hold = try store.hold("edges/one", object("1"))
    TemporaryDirectory.remove(store.home)
    try hold.update(object("2"))
    #expect(try store.read("edges/one")?.text == "2")
    hold.release()
  }

  @Test func `20 holders come and go while others look`() throws {
    let home = directory.store.home
    let failures = Collected<String>()
    runThreads(20) { index in
      let store = DirectoryStore(home: home)
      do {
        for _ in 0..<5 {
          let hold = try store.hold("edges/e\(index)", object("\(index)"))
          if try !store.keys("edges/").contains("edges/e\(index)") { failures.append("unseen") }
          hold.release()
          if try store.keys("edges/").contains("edges/e\(index)") { failures.append("seen") }
        }
      } catch {
        failures.append("\(error)")
      }
    }
    #expect(failures.all == [])
  }

  @Test func `of 12 that want the same turn one has it at a time`() throws {
    let home = directory.store.home
    let failures = Collected<String>()
    let busy = Atomic(0)
    runThreads(12) { index in
      let store = DirectoryStore(home: home)
      do {
        for _ in 0..<4 {
          let turn = try StoreTurn.take(
            "issuing/shop", saying: ("thread", "\(index)"), in: store, patience: .seconds(60),
            waits: {})
          guard let turn else { return failures.append("too late") }
          if busy.add(1, ordering: .relaxed).newValue != 1 { failures.append("two at once") }
          if try store.read("issuing/shop") == nil { failures.append("unseen") }
          usleep(500)
          busy.subtract(1, ordering: .relaxed)
          turn.release()
        }
      } catch {
        failures.append("\(error)")
      }
    }
    #expect(failures.all == [])
  }

  @Test func `whose patience ends gets no turn`() throws {
    let store = directory.store
    let one = try StoreTurn.takeIfFree("issuing/shop", saying: ("who", "one"), in: store)
    #expect(one != nil)
    var told = 0
    let two = try StoreTurn.take(
      "issuing/shop", saying: ("who", "two"), in: store, patience: .milliseconds(250)
    ) { told += 1 }
    #expect(two == nil && told == 1)
    #expect(try store.read("issuing/shop")?.value.contains(UInt8(ascii: "1")) == true)
    one?.release()
    #expect(try StoreTurn.takeIfFree("issuing/shop", saying: ("who", "two"), in: store) != nil)
  }
}
