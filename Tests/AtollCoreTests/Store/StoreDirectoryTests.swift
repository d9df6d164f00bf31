// SPDX-License-Identifier: Apache-2.0
import Glibc
import TestSupport
import Testing

@testable import AtollCore

@Suite struct StoreDirectoryTests {
  let directory = TemporaryDirectory()

  @Test func `reading a store that is not there finds nothing and makes nothing`() throws {
    let store = directory.store
    #expect(try store.read("distributions/shop") == nil)
    #expect(try store.list("distributions/") == StoreListing(revision: 0, values: []))
    #expect(try store.keys("distributions/") == [])
    #expect(try store.revision() == 0)
    #expect(try store.delete("distributions/shop", ifRevision: nil) == nil)
    #expect(directory.files("").isEmpty)
  }

  @Test func `writes are numbered over the whole store`() throws {
    let store = directory.store
    #expect(try store.write("distributions/a", object("1"), ifRevision: 0) == 1)
    #expect(try store.write("purges/b", object("2"), ifRevision: nil) == 2)
    #expect(try store.write("distributions/a", object("3"), ifRevision: 1) == 3)
    #expect(try store.revision() == 3)
    let value = try #require(try store.read("distributions/a"))
    #expect(value.revision == 3)
    #expect(value.text == "3")
    #expect(try store.delete("purges/b", ifRevision: 2) == 4)
    #expect(try store.read("purges/b") == nil)
    #expect(try store.write("purges/b", object("5"), ifRevision: 0) == 5)
    #expect(try DirectoryStore(home: store.home).revision() == 5)
  }

  @Test func `an edit based on an old revision is refused and says so`() throws {
    let store = directory.store
    try store.write("distributions/shop", object("1"), ifRevision: 0)
    try store.write("distributions/shop", object("2"), ifRevision: nil)
    func refusal(_ body: () throws -> Void) -> StoreError? {
      do { try body() } catch { return error as? StoreError }
      return nil
    }
    let exists = refusal { try store.write("distributions/shop", object("3"), ifRevision: 0) }
    #expect(exists?.message == "the distribution \"shop\" exists already")
    let old = refusal { try store.write("distributions/shop", object("3"), ifRevision: 1) }
    #expect(
      old?.message
        == "the distribution \"shop\" was changed meanwhile: it is at revision 2, not 1")
    #expect(old?.hint == "look at it again and repeat the change")
    let gone = refusal { try store.write("distributions/other", object("3"), ifRevision: 7) }
    #expect(gone?.message == "the distribution \"other\" was deleted meanwhile")
    #expect(
      refusal { _ = try store.delete("distributions/shop", ifRevision: 1) }
        == .conflict(
          key: "distributions/shop", expected: 1, found: 2))
    #expect(
      refusal { _ = try store.delete("distributions/nil", ifRevision: 1) }
        == .conflict(
          key: "distributions/nil", expected: 1, found: 0))
    #expect(try store.read("distributions/shop")?.text == "2")
    #expect(try store.revision() == 2)
  }

  @Test(arguments: [
    "", "a", "/", "/etc/passwd", "distributions/", "distributions//a", "distributions/..",
    "distributions/../x", "../a/b", "distributions/.a", ".a/b", "distributions/a b",
    "distributions/a\0b", "distributions/ä", "distributions/a+", "distributions/a\n",
    "distributions/" + String(repeating: "a", count: 256),
  ])
  func `a key that could lead out of the store is refused`(key: String) {
    let store = directory.store
    #expect(throws: StoreError.badKey(key)) { try store.read(key) }
    #expect(throws: StoreError.badKey(key)) {
      try store.write(key, object("1"), ifRevision: nil)
    }
    #expect(throws: StoreError.badKey(key)) { try store.delete(key, ifRevision: nil) }
    #expect(throws: StoreError.badKey(key)) { _ = try store.hold(key, object("1")) }
    #expect(directory.files("").isEmpty)
  }

  @Test(arguments: ["", "distributions", "../", "a//", "/"])
  func `a prefix ends with a slash and leads nowhere else`(prefix: String) {
    #expect(throws: StoreError.badKey(prefix)) { try directory.store.list(prefix) }
    #expect(throws: StoreError.badKey(prefix)) { try directory.store.keys(prefix) }
    #expect(throws: StoreError.badKey(prefix)) {
      _ = try directory.store.watch(prefix) { _ in }
    }
  }

  @Test(.timeLimit(.minutes(20)), arguments: ["is a directory", "is not a file"])
  func `a file that can't be read is told with its path`(_ why: String) throws {
    let store = directory.store
    for name in ["good", "bad"] {
      try store.write("certificates/\(name)", object(name), ifRevision: 0)
    }
    let place = "\(store.home)/certificates/bad/key.pem"
    if why == "is a directory" {
      mkdir(place, 0o700)
    } else {
      // Whoever opens a pipe to read waits until somebody writes.
      mkfifo(place, 0o600)
    }
    let listing = try store.list("certificates/")
    #expect(listing.values.map(\.key) == ["certificates/good"])
    let error = StoreError.failed(action: "read", place: place, why: why)
    #expect(listing.unreadable == ["certificates/bad": error])
    #expect(throws: error) { try store.read("certificates/bad") }
  }

  @Test(arguments: [2, 199, 200, 201, 250, 251, 255])
  func `names of any length up to 255 are kept apart`(length: Int) throws {
    let store = directory.store
    let names = ["a", "b"].map { String(repeating: "x", count: length - 1) + $0 }
    for name in names { try store.write("distributions/\(name)", object(name), ifRevision: 0) }
    for name in names { #expect(try store.read("distributions/\(name)")?.text == name) }
    #expect(try store.keys("distributions/") == names.map { "distributions/\($0)" })
    #expect(try store.list("distributions/").values.compactMap(\.text) == names)
    try store.delete("distributions/\(names[0])", ifRevision: nil)
    #expect(try store.keys("distributions/") == ["distributions/\(names[1])"])
  }

  @Test func `a listing is sorted and skips what is no value`() throws {
    let store = directory.store
    for name in ["c", "a.json", "b", "a"] {
      try store.write("distributions/\(name)", object(name), ifRevision: 0)
    }
    directory.write("home/distributions/.tmp-1-1", "{")
    directory.write("home/distributions/notes.txt", "mine")
    #expect(
      try store.list("distributions/").values.map(\.key)
        == ["a", "a.json", "b", "c"].map { "distributions/\($0)" })
  }

  @Test func `a file that a person put there can be edited`() throws {
    let store = directory.store
    try store.write("distributions/other", object("1"), ifRevision: 0)
    directory.write("home/distributions/shop.json", #"{"text": "mine", "revision": 99}"#)
    let value = try #require(try store.read("distributions/shop"))
    #expect(value.revision == 1)
    #expect(value.text == "mine")
    #expect(throws: StoreError.self) {
      try store.write("distributions/shop", object("2"), ifRevision: 0)
    }
    #expect(try store.write("distributions/shop", object("2"), ifRevision: 1) == 2)
  }

  @Test(arguments: [
    ("{\n  \"revision\": 12,\n", UInt64(12)), ("{\n  \"revision\": 0,", 1), ("{}", 1), ("", 1),
    ("{\n  \"revision\": 99999999999999999999999999,", 1),
    ("{\n  \"revision\": 9007199254740992,", 9_007_199_254_740_992),
  ])
  func `a value's revision is its first member`(text: String, revision: UInt64) {
    #expect(DirectoryStore.revision(in: Array(text.utf8)) == revision)
  }

  @Test func `directories and files are their owner's alone`() throws {
    let store = directory.store
    try store.write("distributions/shop", object("1"), ifRevision: 0)
    func mode(_ path: String) -> mode_t {
      var status = stat()
      #expect(stat("\(directory.path)/\(path)", &status) == 0)
      return status.st_mode & 0o777
    }
    #expect(mode("home") == 0o700)
    #expect(mode("home/distributions") == 0o700)
    #expect(mode("home/distributions/shop.json") == 0o600)
    #expect(mode("home/revision") == 0o600)
  }

  /// Adds a number to a list that others edit too, as a command repeats an edit.
  private static func add(_ number: Int, to store: DirectoryStore) throws(StoreError) -> UInt64 {
    while true {
      let old = try store.read("distributions/shared")
      let text = old?.text.map { $0 + ",\(number)" } ?? "\(number)"
      do {
        return try store.write(
          "distributions/shared", object(text), ifRevision: old?.revision ?? 0)
      } catch {
        guard case .conflict = error else { throw error }
      }
    }
  }

  @Test func `50 writers at once lose nothing`() throws {
    let home = directory.store.home
    let revisions = Collected<UInt64>()
    let failures = Collected<String>()
    runThreads(50) { index in
      // An instance each, as processes have: they share files only.
      let store = DirectoryStore(home: home)
      do {
        revisions.append(
          try store.write("distributions/own-\(index)", object("\(index)"), ifRevision: 0))
        revisions.append(try Self.add(index, to: store))
      } catch {
        failures.append("\(error)")
      }
    }
    #expect(failures.all == [])
    #expect(revisions.all.sorted() == Array(1...100))
    let store = directory.store
    #expect(try store.revision() == 100)
    #expect(try store.list("distributions/").values.count == 51)
    let shared = try #require(try store.read("distributions/shared")?.text)
    #expect(Set(shared.split(separator: ",").compactMap { Int($0) }) == Set(0..<50))
    #expect(!directory.files().contains { $0.contains(".tmp-") })
  }

  @Test func `readers see whole values while a writer replaces them`() throws {
    let store = directory.store
    try store.write("distributions/a", object("0"), ifRevision: 0)
    let problems = Collected<String>()
    let home = store.home
    runThreads(4) { index in
      let store = DirectoryStore(home: home)
      for round in 1...40 {
        if index == 0 {
          let text = String(repeating: "\(round % 10)", count: round * 500)
          if (try? store.write("distributions/a", object(text), ifRevision: nil)) == nil {
            problems.append("write")
          }
        } else {
          do {
            let listing = try store.list("distributions/")
            let value = listing.values.first
            if Set(value?.text ?? "").count != 1 { problems.append("torn") }
            if let value, value.revision < listing.revision { problems.append("too old") }
          } catch {
            problems.append("\(error)")
          }
        }
      }
    }
    #expect(problems.all == [])
  }

  @Test(arguments: DirectoryStore.WriteStep.allCases)
  func `a writer killed at any step leaves a store that opens`(
    step: DirectoryStore.WriteStep
  ) throws {
    let store = directory.store
    try store.write("distributions/a", object("old"), ifRevision: 0)
    let dying = directory.store { $0 == step ? .killed : nil }
    #expect(throws: DirectoryStore.killed) {
      try dying.write("distributions/a", object("new"), ifRevision: 1)
    }
    // Old or new, whole, and its revision is never given again.
    let left = try #require(try store.read("distributions/a"))
    let isNew = step == .renamed || step == .finished
    #expect(left.text == (isNew ? "new" : "old"))
    #expect(try store.list("distributions/").values.map(\.key) == ["distributions/a"])
    let next = try store.write("distributions/a", object("next"), ifRevision: left.revision)
    #expect(next > left.revision)
    #expect(try store.revision() == next)
    #expect(directory.files() == ["home/distributions/a.json", "home/revision"])
  }

  @Test(arguments: DirectoryStore.WriteStep.allCases)
  func `a deletion killed at any step leaves a store that opens`(
    step: DirectoryStore.WriteStep
  ) throws {
    let store = directory.store
    try store.write("distributions/a", object("old"), ifRevision: 0)
    let dying = directory.store { $0 == step ? .killed : nil }
    do { try dying.delete("distributions/a", ifRevision: 1) } catch {}
    let left = try store.read("distributions/a")
    #expect(left == nil || left?.text == "old")
    let next = try store.write("distributions/a", object("b"), ifRevision: left?.revision ?? 0)
    #expect(next > 1)
  }

  @Test(arguments: DirectoryStore.WriteStep.allCases)
  func `a disk that is full at any step is told, and loses nothing`(
    step: DirectoryStore.WriteStep
  ) throws {
    let store = directory.store
    try store.write("distributions/a", object("old"), ifRevision: 0)
    let failing = directory.store { $0 == step ? .error(ENOSPC) : nil }
    #expect(throws: StoreError.full(place: store.home)) {
      try failing.write("distributions/a", object("new"), ifRevision: 1)
    }
    let left = try #require(try store.read("distributions/a"))
    #expect(["old", "new"].contains(left.text))
    #expect(!directory.files().contains { $0.contains(".tmp-") })
    try store.write("distributions/a", object("next"), ifRevision: left.revision)
  }

  @Test(arguments: ["", "garbage", "00000000000000000001 0000000000000000"])
  func `a damaged counter is counted anew from the values`(text: String) throws {
    let store = directory.store
    for round in 0..<5 { try store.write("distributions/a", object("\(round)"), ifRevision: nil) }
    try store.write("purges/b", object("6"), ifRevision: nil)
    directory.write("home/revision", text)
    #expect(try store.revision() == 6)
    #expect(try store.write("distributions/a", object("7"), ifRevision: 5) == 7)
    #expect(try store.revision() == 7)
  }

  @Test func `a store that is removed meanwhile is made anew`() throws {
    let store = directory.store
    try store.write("distributions/a", object("1"), ifRevision: 0)
    TemporaryDirectory.remove(store.home)
    #expect(try store.list("distributions/").values.isEmpty)
    #expect(try store.write("distributions/a", object("1"), ifRevision: 0) == 1)
  }

  @Test func `a lock that nobody lets go is reported`() throws {
    let store = DirectoryStore(home: directory.store.home, patience: 0)
    let lock = try directory.store.lockStore()
    #expect(throws: StoreError.busy(place: store.home, seconds: 0)) {
      try store.write("distributions/a", object("1"), ifRevision: nil)
    }
    _ = consume lock
    try store.write("distributions/a", object("1"), ifRevision: nil)
  }

  @Test func `a home that is a file is named in the error`() {
    directory.write("home", "")
    do {
      _ = try directory.store.write("distributions/a", object("1"), ifRevision: nil)
      Issue.record("written")
    } catch {
      #expect(error.message.contains("\(directory.path)/home"))
      #expect(error.message.contains("not a directory"), "\(error.message)")
    }
  }

  @Test(arguments: [
    (["ATOLL_HOME": "/a/"], true, "/a"),
    (["ATOLL_HOME": "", "HOME": "/h"], true, "/var/lib/atoll"),
    (["XDG_DATA_HOME": "/x", "HOME": "/h"], false, "/x/atoll"),
    (["XDG_DATA_HOME": "x", "HOME": "/h"], false, "/h/.local/share/atoll"),
    (["HOME": "/h"], false, "/h/.local/share/atoll"),
    (["ATOLL_HOME": "/a", "XDG_DATA_HOME": "/x"], false, "/a"),
  ])
  func `the home comes from the environment`(
    environment: [String: String], isRoot: Bool, home: String
  ) throws {
    #expect(try DirectoryStore.home(environment: environment, isRoot: isRoot) == home)
  }

  @Test func `a relative home is made absolute, and none is an error`() throws {
    let home = try DirectoryStore.home(environment: ["ATOLL_HOME": "a/b"], isRoot: false)
    #expect(home.hasPrefix("/") && home.hasSuffix("/a/b"))
    #expect(throws: StoreError.noHome) {
      try DirectoryStore.home(environment: [:], isRoot: false)
    }
  }
}
