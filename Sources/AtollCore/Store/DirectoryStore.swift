// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc

/// A store in a directory of plain files, one JSON file per key, for one machine. Keys that hold a
/// certificate have a directory of files instead (see `StoreFolder`).
///
/// Reading takes no lock: a file is only ever replaced whole. Writing takes the one lock of the
/// store, the file `revision`, which holds two numbers of fixed width: the revision that a write
/// took ("begun") and the last one that is complete ("done"). A write
///
///     lock · compare revisions · temporary file, fsync · begun + 1, fsync
///          · rename · fsync directory · done = begun · unlock
///
/// may be cut off anywhere: before the rename nothing has changed but a number and a temporary
/// file, which readers skip and the next writer removes; after it the value is whole, and the
/// number it carries will not be given again. A reader that takes "done" first and the files then
/// has everything up to that number.
package final class DirectoryStore: Store {
  package let home: String
  /// Tests end a write after any step, as a kill would, or have it fail.
  let interruption: (@Sendable (WriteStep) -> Interruption?)?
  /// Seconds to wait for the lock: a writer keeps it for milliseconds.
  private let patience: Int
  /// Tests do as on a filesystem that cannot exchange two directories.
  let exchangesFolders: Bool

  enum WriteStep: CaseIterable, Sendable {
    case locked, temporaryOpened, temporaryWritten, numbered, renamed, finished
  }

  enum Interruption { case killed, error(Int32) }

  package var place: String { home }

  static let temporaryPrefix = ".tmp-"
  static let lockSuffix = ".lock"
  /// Bytes of one value.
  static let valueLimit = 16 * 1_024 * 1_024

  package convenience init(home: String) {
    self.init(home: home, patience: 30, interruption: nil)
  }

  init(
    home: String, patience: Int = 30, exchangesFolders: Bool = true,
    interruption: (@Sendable (WriteStep) -> Interruption?)? = nil
  ) {
    self.home = home
    self.patience = patience
    self.exchangesFolders = exchangesFolders
    self.interruption = interruption
  }

  package func makeRunDirectory() throws(StoreError) -> String {
    let path = "\(home)/run"
    try StoreFile.makeDirectory(path)
    return path
  }

  // MARK: Reading

  package func revision() throws(StoreError) -> UInt64 {
    guard let file = try StoreFile.open(counterPath, O_RDONLY) else { return 0 }
    if let counter = try Counter.read(file) { return counter.done }
    return try scannedRevision()
  }

  package func read(_ key: String) throws(StoreError) -> StoredValue? {
    let place = try StoreKey(key)
    if isDeadHold(place) { return nil }
    return try read(place, key, "\(home)/\(place.file)", in: AT_FDCWD)
  }

  private func read(_ place: StoreKey, _ key: String, _ path: String, in directory: Int32)
    throws(StoreError) -> StoredValue?
  {
    if place.isFolder { return try readFolder(key, path, in: directory) }
    guard let file = try StoreFile.open(path, O_RDONLY, in: directory) else { return nil }
    let bytes = try file.readAll(limit: Self.valueLimit)
    return StoredValue(key: key, revision: Self.revision(in: bytes), value: bytes)
  }

  package func keys(_ prefix: String) throws(StoreError) -> [String] {
    try StoreKey.checkPrefix(prefix)
    return try entries(prefix).map(\.key)
  }

  package func list(_ prefix: String) throws(StoreError) -> StoreListing {
    try StoreKey.checkPrefix(prefix)
    // Before the files, so that none of them is older than it says.
    var listing = StoreListing(revision: try revision(), values: [])
    guard let top = try StoreFile.open("\(home)/\(prefix)", O_RDONLY | O_DIRECTORY) else {
      return listing
    }
    for entry in try entries(prefix) {
      do {
        // nil: deleted since the directory was read.
        let place = try StoreKey(entry.key)
        if let value = try read(place, entry.key, entry.file, in: top.descriptor) {
          listing.values.append(value)
        }
      } catch {
        listing.unreadable[entry.key] = error.below("\(home)/\(prefix.dropLast())")
      }
    }
    return listing
  }

  /// Keys and, relative to the prefix's directory, their files, in the order of the keys.
  private func entries(_ prefix: String) throws(StoreError) -> [(key: String, file: String)] {
    let directory = "\(home)/\(prefix.dropLast())"
    let names = try StoreFile.names(in: directory) ?? []
    var result: [(key: String, file: String)] = []
    result.reserveCapacity(names.count)
    if StoreFolder.directories.contains(String(prefix.dropLast())) {
      return folders(in: directory, names).map { (prefix + $0, $0) }
    }
    let locks = names.filter { $0.hasSuffix(Self.lockSuffix) }
    for entry in names {
      if let name = StoreKey.name(ofFile: entry) {
        if !locks.isEmpty, locks.contains(name + Self.lockSuffix),
          isUnlocked("\(directory)/\(name)\(Self.lockSuffix)")
        {
          continue
        }
        result.append((prefix + name, entry))
      } else if entry.hasSuffix("+") {
        for rest in try StoreFile.names(in: "\(directory)/\(entry)") ?? [] {
          guard let name = StoreKey.name(ofFile: rest) else { continue }
          result.append((prefix + entry.dropLast() + name, "\(entry)/\(rest)"))
        }
      }
    }
    return result.sorted { $0.key < $1.key }
  }

  // MARK: Writing

  @discardableResult
  package func write(_ key: String, _ value: [UInt8], ifRevision: UInt64?) throws(StoreError)
    -> UInt64
  {
    precondition(value.starts(with: Self.objectStart), "a value is an object, one member a line")
    let place = try StoreKey(key)
    return try change(key, place, ifRevision: ifRevision) {
      (old, next) throws(StoreError) -> Replacement? in
      .value(Self.numbered(value, next))
    }!
  }

  package func write(
    _ key: String, _ value: [UInt8], ifRevision: UInt64?, unchanged prefix: String,
    since revision: UInt64, demanding keys: [String]
  ) throws(StoreError) -> UInt64? {
    precondition(value.starts(with: Self.objectStart), "a value is an object, one member a line")
    try StoreKey.checkPrefix(prefix)
    let place = try StoreKey(key)
    return try change(key, place, ifRevision: ifRevision) {
      (old, next) throws(StoreError) -> Replacement? in
      // Under the lock.
      if try self.newer(prefix, since: revision, before: next) != nil { return nil }
      for key in keys where try self.read(key) == nil {
        throw .conflict(key: key, expected: 1, found: 0)
      }
      return .value(Self.numbered(value, next))
    }
  }

  @discardableResult
  package func delete(_ key: String, ifRevision: UInt64?) throws(StoreError) -> UInt64? {
    let place = try StoreKey(key)
    // Without the directory there is nothing to lock, and nothing to make.
    if try StoreFile.open("\(home)/\(place.directory)", O_RDONLY | O_DIRECTORY) == nil {
      if let ifRevision, ifRevision != 0 {
        throw .conflict(key: key, expected: ifRevision, found: 0)
      }
      return nil
    }
    return try change(key, place, ifRevision: ifRevision) {
      (old, next) throws(StoreError) -> Replacement? in
      old == nil ? nil : .nothing
    }
  }

  @discardableResult
  package func delete(_ key: String, unchanged prefix: String, since revision: UInt64)
    throws(StoreError) -> UInt64?
  {
    try StoreKey.checkPrefix(prefix)
    let place = try StoreKey(key)
    if try StoreFile.open("\(home)/\(place.directory)", O_RDONLY | O_DIRECTORY) == nil {
      return nil
    }
    return try change(key, place, ifRevision: nil) {
      (old, next) throws(StoreError) -> Replacement? in
      if let newer = try self.newer(prefix, since: revision, before: next) {
        throw .conflict(key: newer.key, expected: revision, found: newer.revision)
      }
      return old == nil ? nil : .nothing
    }
  }

  /// A value under the prefix that is newer than the revision.
  private func newer(
    _ prefix: String, since revision: UInt64, before next: UInt64
  ) throws(StoreError) -> StoredValue? {
    // Mostly nobody has written anything, so nothing has to be read.
    guard revision < next - 1 else { return nil }
    return try list(prefix).values.first { $0.revision > revision }
  }

  private enum Replacement {
    case value([UInt8])
    case nothing
  }

  /// What writing and deleting share; `make` says what is to stand there, nil to leave all as it
  /// is.
  private func change(
    _ key: String, _ place: StoreKey, ifRevision: UInt64?,
    _ make: (_ old: StoredValue?, _ next: UInt64) throws(StoreError) -> Replacement?
  ) throws(StoreError) -> UInt64? {
    let directory = "\(home)/\(place.directory)"
    let path = "\(home)/\(place.file)"
    try StoreFile.makeDirectory(directory)
    let lock = try lockStore()
    try step(.locked)
    if place.isFolder { settleAside(in: directory) }
    let old = try read(place, key, path, in: AT_FDCWD)
    if let ifRevision, ifRevision != old?.revision ?? 0 {
      throw .conflict(key: key, expected: ifRevision, found: old?.revision ?? 0)
    }
    var counter = try counter(in: lock)
    var next = counter.begun + 1
    // Possible only where a person has edited the number in a file.
    if next == old?.revision { next += 1 }
    guard let replacement = try make(old, next) else { return nil }
    let temporary = "\(directory)/\(Self.temporaryPrefix)\(getpid())-\(next)"
    removeLeftovers(in: directory)
    do throws(StoreError) {
      if case .value(let bytes) = replacement {
        if place.isFolder {
          try writeFolder(temporary, bytes)
        } else {
          try writeTemporary(temporary, bytes)
        }
      }
      counter.begun = next
      try counter.write(lock, durably: true)
      try step(.numbered)
      switch replacement {
      case .value where place.isFolder: try replaceFolder(path, by: temporary)
      case .value: if rename(temporary, path) != 0 { throw .system(errno, "write", path) }
      case .nothing where place.isFolder:
        if rename(path, temporary) != 0 { throw .system(errno, "delete", path) }
      case .nothing: if unlink(path) != 0 { throw .system(errno, "delete", path) }
      }
    } catch {
      // The dead clean up nothing.
      if error != Self.killed { StoreFile.removeTree(temporary) }
      if case .full = error { throw .full(place: home) }
      throw error
    }
    try step(.renamed)
    try StoreFile.synchronize(directory: directory)
    // The folder that was there before.
    if place.isFolder { StoreFile.removeTree(temporary) }
    counter.done = next
    try counter.write(lock, durably: false)
    try step(.finished)
    return next
  }

  private func writeTemporary(_ path: String, _ bytes: [UInt8]) throws(StoreError) {
    guard let file = try StoreFile.open(path, O_WRONLY | O_CREAT | O_EXCL) else {
      throw .system(ENOENT, "create", path)
    }
    try step(.temporaryOpened)
    try file.writeAll(bytes)
    try file.synchronize()
    try step(.temporaryWritten)
  }

  /// Only the holder of the lock has temporary files, so any other's are of the dead.
  private func removeLeftovers(in directory: String) {
    guard let names = try? StoreFile.names(in: directory) else { return }
    for name in names where name.hasPrefix(Self.temporaryPrefix) {
      StoreFile.removeTree("\(directory)/\(name)")
    }
  }

  static let killed = StoreError.failed(action: "go on", place: "", why: "killed")

  func step(_ step: WriteStep) throws(StoreError) {
    switch interruption?(step) {
    case nil: return
    case .killed?: throw Self.killed
    case .error(let number)?: throw .system(number, "write", home)
    }
  }

  // MARK: The lock and the counter

  var counterPath: String { "\(home)/revision" }

  /// The lock is let go when the file closes: at the end, or by the kernel when the process dies.
  func lockStore() throws(StoreError) -> StoreFile {
    try StoreFile.makeDirectory(home)
    let deadline = ContinuousClock.now + .seconds(patience)
    while true {
      guard let file = try StoreFile.open(counterPath, O_RDWR | O_CREAT) else {
        throw .system(ENOENT, "create", counterPath)
      }
      while flock(file.descriptor, LOCK_EX | LOCK_NB) != 0 {
        if errno != EWOULDBLOCK && errno != EINTR { throw .system(errno, "lock", counterPath) }
        if ContinuousClock.now >= deadline { throw .busy(place: home, seconds: patience) }
        // At random, so that waiting processes don't march in step.
        usleep(UInt32.random(in: 300...3_000))
      }
      // The store may have been removed meanwhile: then this lock guards nothing.
      if try file.status().st_nlink > 0 { return file }
    }
  }

  private func counter(in lock: borrowing StoreFile) throws(StoreError) -> Counter {
    if let counter = try Counter.read(lock) { return counter }
    // The file is new: its name has to last as long as its numbers.
    try StoreFile.synchronize(directory: home)
    let highest = try scannedRevision()
    return Counter(begun: highest, done: highest)
  }

  /// The highest number found in any value: for a store whose counter was lost.
  private func scannedRevision() throws(StoreError) -> UInt64 {
    var highest: UInt64 = 0
    for directory in try StoreFile.names(in: home) ?? [] {
      guard let entries = try? entries("\(directory)/") else { continue }
      for entry in entries {
        guard let place = try? StoreKey(entry.key),
          let value = try? read(
            place, entry.key, "\(home)/\(directory)/\(entry.file)", in: AT_FDCWD)
        else { continue }
        highest = max(highest, value.revision)
      }
    }
    return highest
  }

  struct Counter: Equatable {
    var begun: UInt64
    var done: UInt64

    private static let length = 42

    /// nil when the file does not hold two numbers: when it is new, or was damaged.
    static func read(_ file: borrowing StoreFile) throws(StoreError) -> Counter? {
      var bytes = [UInt8](repeating: 0, count: length)
      let count = retry { pread(file.descriptor, &bytes, length, 0) }
      if count < 0 { throw .system(errno, "read", file.place) }
      guard count == length, let begun = number(bytes[0..<20]), let done = number(bytes[21..<41])
      else { return nil }
      return Counter(begun: begun, done: min(begun, done))
    }

    /// In place and in one call: of so few bytes in one sector either all arrive or none, and a
    /// full disk has had the room for them since the file was made.
    func write(_ file: borrowing StoreFile, durably: Bool) throws(StoreError) {
      let bytes = Array("\(twentyDigits(begun)) \(twentyDigits(done))\n".utf8)
      let count = bytes.withUnsafeBytes { buffer in
        retry { pwrite(file.descriptor, buffer.baseAddress!, buffer.count, 0) }
      }
      if count < 0 { throw .system(errno, "write", file.place) }
      if count < bytes.count { throw .full(place: file.place) }
      if durably { try file.synchronize() }
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
      guard digits.allSatisfy(isDigit) else { return nil }
      return UInt64(String(decoding: digits, as: UTF8.self))
    }
  }

  // MARK: The revision inside a value

  private static let objectStart = Array("{\n  \"".utf8)
  private static let revisionStart = Array("{\n  \"revision\": ".utf8)

  /// The value with its revision as the first member.
  private static func numbered(_ value: [UInt8], _ revision: UInt64) -> [UInt8] {
    revisionStart + Array("\(revision),".utf8) + value.dropFirst()
  }

  /// 1 for a file that a person put there without one: some write must have made it.
  static func revision(in value: [UInt8]) -> UInt64 {
    guard value.starts(with: revisionStart) else { return 1 }
    var revision: UInt64 = 0
    for byte in value.dropFirst(revisionStart.count) {
      guard isDigit(byte) else { break }
      // What doubles hold exactly is more than enough, and can't overflow.
      if revision > 1 << 53 { return 1 }
      revision = revision * 10 + UInt64(byte - 48)
    }
    return max(1, revision)
  }
}
